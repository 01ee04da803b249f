/* test_faults.c -- a whole session with one fault in it, at every place where it can strike: the end is always the same. */
#include "test/fault/session.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 120 };               /* of one kind; with more places every second, third ... is taken */

static struct field f;
static unsigned device;
static char good_end[SESSION_END_MAX];             /* without any fault */

static struct session s;

static void run(enum fault_kind kind, long nth)
{
    session_run(&s, &f, ++device, kind, nth);
}

static int up(void **state)
{
    (void)state;
    field_open(&f);
    return 0;
}

static int down(void **state)
{
    (void)state;
    field_close(&f);
    return 0;
}

static void without_a_fault_the_session_is_what_it_is_meant_to_be(void **state)
{
    (void)state;
    run(FAULT_NONE, 0);
    memcpy(good_end, s.end, sizeof good_end);
    print_message("%s", good_end);
    struct device_view v = gadget_view(&s.g);
    assert_int_equal(v.device.key_class, KEY_CI);
    assert_int_equal(v.profiles.n, 1);
    assert_int_equal(s.g.n.rollbacks, 1);
    assert_int_equal(s.g.card.stored.n, 0);
    assert_string_equal(gadget_enabled(&s.g), s.g.a);
    assert_true(s.acks >= 15);
    assert_true(strstr(s.end, "rolled_back") && strstr(s.end, "cancelled"));
    session_free(&s);
}

static void strikes_everywhere(enum fault_kind kind)
{
    assert_true(good_end[0]);
    run(kind, 0);
    long places = s.met, step = places / RUNS_MAX + 1, runs = 0;
    assert_string_equal(s.end, good_end);
    session_free(&s);
    assert_true(places > 10);
    bool struck = true;
    const char *engine = getenv("FIELD_ENGINE");                   /* each engine takes other ones of the places */
    for (long n = engine && strcmp(engine, "sqlite") != 0 ? 1 + step / 2 : 1; struck; n += step, runs++) {
        run(kind, n);
        struck = s.struck;
        /* An IpaEuiccDataRequest that is lost twice waits: then an inventory tells the outcome before the result itself does (I2). */
        size_t same = kind == FAULT_REPLIES ? (size_t)(s.how - s.end) : sizeof s.end;
        if (strncmp(s.end, good_end, same) != 0) fail_msg("%s: place %ld of about %ld:\n%s\ninstead of:\n%s", fault_name(kind), n, places, s.end, good_end);
        if (kind != FAULT_REPLIES) assert_int_equal(FIELD_COUNT(&f, results_refused), 0);      /* there: those that come after it */
        session_free(&s);
    }
    print_message("# %s: %ld places, %ld tried\n", fault_name(kind), places, runs);
    assert_true(runs >= places / step);                            /* the last one passed undisturbed */
}

#define STRIKES(name, kind)                                                        \
    static void name(void **state)                                                 \
    {                                                                              \
        (void)state;                                                               \
        strikes_everywhere(kind);                                                  \
    }
STRIKES(any_allocation_may_fail, FAULT_ARENA)
STRIKES(any_statement_may_fail, FAULT_STORE)
STRIKES(any_signature_may_fail, FAULT_SIGNATURE)
STRIKES(any_request_may_be_lost, FAULT_REQUEST)
STRIKES(any_reply_may_be_lost, FAULT_REPLY)
STRIKES(any_two_replies_may_be_lost, FAULT_REPLIES)
STRIKES(the_server_may_die_at_any_exchange, FAULT_CRASH)

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(without_a_fault_the_session_is_what_it_is_meant_to_be),
        T(any_allocation_may_fail),
        T(any_statement_may_fail),
        T(any_signature_may_fail),
        T(any_request_may_be_lost),
        T(any_reply_may_be_lost),
        T(any_two_replies_may_be_lost),
        T(the_server_may_die_at_any_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
