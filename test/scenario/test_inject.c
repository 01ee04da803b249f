/* test_inject.c -- TransferEimPackage: what waits is pushed to a device that can be reached, in both bindings, with every message lost once,
 * with results at once and later, and never more often than it should be (spec 5.10). */
#include "test/scenario/field.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/outbound.h"
#include "sim/json.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;
static struct err e;

enum { SECOND = 1000000 };
enum mood { ANSWERS, UNREACHABLE, FORBIDDEN, HTML, HALF, BUSY, NEWER, GARBAGE_RESULT, UNSIGNED };

/* ---- the device's HTTPS server, without the HTTPS ---- */

static struct ipa {
    struct outbound base;
    enum mood mood;
    bool json;
    int lose_request, lose_answer;                 /* the Nth from now; 0: none */
    unsigned n, acks;                              /* requests; of them acknowledgements */
    struct slice last;                             /* the last package's bytes, as BF4E */
    struct arena memory;
    void (*meanwhile)(void);                       /* called while a push is under way */
} ipa;

static enum eim_err answer(const struct outbound_request *q, struct slice message, int *status, struct buf *reply, struct err *err)
{
    struct arena a;
    struct slice out = { 0 };
    arena_init(&a, SIM_IPA_ARENA);
    if (ipa.json) assert_true(sim_json_pushed(message, &message, &a));
    struct esipa_from_eim m;
    assert_ok(der_decode(&esipa_from_eim_type, message, &m, &a, &e));
    assert_int_equal(m.der.which, esipa_from_eim_is_transfer_eim_package_request);
    ipa.acks += m.transfer_eim_package_request.der.which == transfer_eim_package_request_is_eim_acknowledgements;
    if (m.transfer_eim_package_request.der.which == transfer_eim_package_request_is_euicc_package_request) ipa.last = arena_copy(&ipa.memory, message);
    out = sim_ipa_inject(&g.ipa, message, &g.n, &a);
    assert_true(out.n && out.n != SIZE_MAX);
    if (ipa.json) assert_true(sim_json_push_answer(out, &out, &a));
    *status = 200;
    buf_reset(reply);
    buf_put(reply, out);
    arena_free(&a);
    assert_true(q->reply_max && reply->n <= q->reply_max);
    (void)err;
    return OK;
}

static enum eim_err reach(struct outbound *o, const struct outbound_request *q, int *status, struct buf *reply, struct err *err)
{
    static const uint8_t newer[] = { 0xbf, 0x4e, 0x05, 0xbf, 0x60, 0x02, 0x05, 0x00 };
    (void)o;
    ipa.n++;
    assert_string_equal(q->method, "POST");
    assert_string_equal(q->url, ipa.json ? "https://ipa.example.com:4433/gsma/rsp2/esipa/transferEimPackage" : "https://ipa.example.com:4433/gsma/rsp2/asn1");
    if (ipa.meanwhile) {
        void (*once)(void) = ipa.meanwhile;
        ipa.meanwhile = NULL;
        once();
    }
    if (ipa.lose_request && --ipa.lose_request == 0) return fail(err, E_IO, NULL, "no answer");
    *status = 200;
    switch (ipa.mood) {
    case UNREACHABLE: return fail(err, E_IO, NULL, "connection refused");
    case FORBIDDEN: return fail(err, E_RULE, NULL, "10.0.0.1 is a private address");
    case HTML: buf_str(reply, "<html>"); return OK;
    case HALF: buf_put(reply, SLICE("\xbf\x4e\x10\x05")); return OK;
    case BUSY: *status = 503; return OK;
    case NEWER: buf_put(reply, slice_of(newer, sizeof newer)); return OK;
    case GARBAGE_RESULT: buf_put(reply, SLICE("\xbf\x4e\x06\xbf\x51\x03\xa0\x01\x05")); return OK;
    case UNSIGNED: buf_put(reply, SLICE("\xbf\x4e\x16\xbf\x51\x13\xa2\x11\x80\x0f" "eim.example.com")); return OK;
    case ANSWERS: break;
    }
    enum eim_err rc = answer(q, q->body, status, reply, err);
    if (ipa.lose_answer && --ipa.lose_answer == 0) {
        buf_reset(reply);
        return fail(err, E_IO, NULL, "the answer got lost");
    }
    return rc;
}

static unsigned push(void)
{
    unsigned before = ipa.n;
    bool did = true;
    for (int i = 0; did && i < 20; i++) assert_ok(eim_push(f.eim, &did, &e));
    assert_false(did);
    return ipa.n - before;
}

static enum eim_err set_reach(const char *json)
{
    json_t *v;
    e = (struct err){ 0 };
    assert_ok(json_read(slice_str(json), 65536, &v, &e));
    enum eim_err rc = manage_device_change(f.eim, &f.admin, slice_str(g.eid), v, field_arena(&f), &e);
    json_decref(v);
    return rc;
}

static void reachable(bool json)
{
    ipa.json = json;
    assert_ok(set_reach(json ? "{\"injection\":{\"address\":\"https://ipa.example.com:4433\",\"binding\":\"json\"}}"
                             : "{\"injection\":{\"address\":\"https://ipa.example.com:4433\"}}"));
}

static void pass(int64_t seconds) { f.clock.clock_us += seconds * SECOND; }

static int64_t order_enable(void)
{
    bool a = !strcmp(gadget_enabled(&g), g.a);
    return gadget_order(&g, a ? "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}" : "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\"}}]}");
}

static int up(void **state)
{
    (void)state;
    memset(&ipa, 0, sizeof ipa);
    ipa.base.request = reach;
    arena_init(&ipa.memory, 8 << 20);
    field_open(&f);
    field_outbound(&f, &ipa.base);
    gadget_make(&g, &f, 41, true);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    field_close(&f);
    arena_free(&ipa.memory);
    return 0;
}

/* ---- tests ---- */

/* From first contact to a switched profile without a single poll: data request, inventory, package, acknowledgements. */
static void everything_works_without_a_poll(bool json)
{
    reachable(json);
    assert_true(push() >= 3);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.device.key_class, KEY_CI);
    assert_true(v.device.inventory_us > 0);
    assert_true(v.device.first_contact_us > 0);
    assert_true(v.seen_us > 0);
    assert_int_equal(v.profiles.n, 2);
    assert_int_equal(v.injection.due_us, INT64_MAX);
    assert_int_equal(v.injection.why.n, 0);
    assert_int_equal(push(), 0);
    int64_t op = order_enable();
    assert_true(push() >= 2);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_enabled(&g), g.b);
    assert_true(ipa.acks >= 1);
    assert_true(g.n.removed >= 3);                 /* result and notifications left the card */
    v = gadget_view(&g);
    assert_int_equal(v.notifications.n, 2);
    assert_int_equal(FIELD_COUNT(&f, polls), 0);
    assert_int_equal(gadget_contact(&g), SIM_IDLE);        /* and nothing is left for a poll */
    assert_int_equal(g.n.packages, g.n.executed);
    assert_int_equal(g.n.results_given_up, 0);
}

static void asn1_works_without_a_poll(void **state) { (void)state; everything_works_without_a_poll(false); }
static void json_works_without_a_poll(void **state) { (void)state; everything_works_without_a_poll(true); }

static void any_message_may_get_lost(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    for (int lost = 1; lost <= 8; lost++) {        /* request and answer of each message of a round: package, acks, inventory, acks */
        int64_t op = order_enable();
        *(lost % 2 ? &ipa.lose_request : &ipa.lose_answer) = (lost + 1) / 2;
        (void)push();
        ipa.lose_request = ipa.lose_answer = 0;
        for (int i = 0; i < 4; i++) {
            pass(30 * MINUTE);
            (void)push();
        }
        assert_int_equal(gadget_state(&g, op), OP_DONE);
        struct operation o = gadget_operation(&g, op);
        assert_true(o.deliveries <= 2);
        struct device_view v = gadget_view(&g);
        assert_int_equal(v.device.in_flight, 0);
        assert_int_equal(v.device.unsettled, 0);
    }
    assert_int_equal(g.n.refused_replay, 0);       /* never executed twice, never even shown twice to the card */
    assert_int_equal(FIELD_COUNT(&f, outcomes_unknown), 0);
}

static void the_same_bytes_are_pushed_again_after_a_restart(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    int64_t op = order_enable();
    ipa.lose_answer = 1;
    assert_int_equal(push(), 1);
    struct slice first = ipa.last;
    assert_int_equal(gadget_state(&g, op), OP_SENT);       /* durable before it left (I2) */
    field_restart(&f);
    pass(2 * MINUTE);
    assert_true(push() >= 1);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    /* the first package pushed after the restart was the one from before, octet by octet: the IPA, which knows it, gave its answer again */
    assert_true(first.n > 0);
    assert_int_equal(g.n.refused_replay, 0);
}

static void an_unreachable_device_is_left_to_its_poll(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    ipa.mood = UNREACHABLE;
    int64_t op = order_enable();
    unsigned attempts = 0;
    int64_t last = 0, pauses[16] = { 0 };
    for (int i = 0; i < 2 * 24 * 60; i++) {        /* two days, minute by minute */
        if (push()) {
            if (attempts) pauses[attempts] = f.clock.clock_us - last;
            last = f.clock.clock_us;
            attempts++;
        }
        pass(MINUTE);
    }
    assert_int_equal(attempts, 5);
    for (int i = 2; i < 5; i++) assert_true(pauses[i] > 2 * pauses[i - 1]);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.injection.due_us, INT64_MAX);
    assert_true(memmem(v.injection.why.p, v.injection.why.n, "refused", 7) != NULL);
    struct operation o = gadget_operation(&g, op);
    assert_int_equal(o.state, OP_SENT);
    assert_true(o.deliveries <= 2);                /* pushes do not use up the deliveries of polls */
    gadget_settle(&g);                             /* the device calls: everything as ever */
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    op = order_enable();                           /* a new order wakes it, with all tries */
    ipa.mood = ANSWERS;
    assert_true(push() >= 2);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
}

static void wrong_answers_are_told_and_not_hammered(void **state)
{
    (void)state;
    static const enum mood moods[] = { FORBIDDEN, HTML, HALF, BUSY, NEWER, GARBAGE_RESULT, UNSIGNED };
    for (int json = 0; json < 2; json++) {
        ipa.mood = ANSWERS;
        reachable(json);
        (void)push();
        for (size_t i = 0; i < sizeof moods / sizeof *moods; i++) {
            int64_t op = order_enable();
            ipa.mood = moods[i];
            assert_int_equal(push(), 1);
            assert_int_equal(push(), 0);
            struct device_view v = gadget_view(&g);
            if (moods[i] != NEWER || json) assert_true(v.injection.why.n > 0);
            else assert_int_equal(v.injection.why.n, 0);           /* something that we do not know was received: its result may come later */
            assert_true(v.injection.due_us > f.clock.clock_us + 40 * SECOND && v.injection.due_us < f.clock.clock_us + (int64_t)DAY * SECOND);
            assert_int_equal(gadget_state(&g, op), OP_SENT);
            ipa.mood = ANSWERS;
            assert_ok(manage_device_push(f.eim, &f.admin, slice_str(g.eid), field_arena(&f), &e));
            assert_true(push() >= 2);
            assert_int_equal(gadget_state(&g, op), OP_DONE);
        }
    }
}

static void a_result_may_come_later(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    f.ipa_config.inject_later = true;
    int64_t op = order_enable();
    assert_int_equal(push(), 1);                   /* eimPackageReceived */
    assert_int_equal(gadget_state(&g, op), OP_SENT);
    assert_int_equal(gadget_contact(&g), SIM_IDLE);        /* by ProvideEimPackageResult, in a contact of its own */
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    f.ipa_config.inject_later = false;
    pass(2 * HOUR);
    (void)push();
    assert_int_equal(g.n.refused_replay, 0);
}

static void a_download_trigger_is_pushed_too(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    int64_t op = gadget_order(&g, "{\"download\":{\"activation_code\":\"1$smdp.example.com$X\"}}");
    assert_int_equal(push(), 1);
    assert_int_equal(g.n.triggers, 1);
    assert_int_equal(gadget_state(&g, op), OP_SENT);
    assert_int_equal(gadget_contact(&g), SIM_IDLE);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);     /* this IPA downloads nothing, and said so later */
}

static int64_t second_order;
static void order_one_more(void)
{
    second_order = gadget_order(&g, "{\"psmos\":[{\"listProfileInfo\":{}}]}");
}

static void what_is_ordered_meanwhile_goes_along_or_follows(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    ipa.meanwhile = order_one_more;
    int64_t op = order_enable();
    (void)push();
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_int_equal(gadget_state(&g, second_order), OP_DONE);
    bool did;
    assert_ok(eim_push(f.eim, &did, &e));
    assert_false(did);
    ipa.mood = UNREACHABLE;                        /* ordered while an attempt fails: another one at once, not after the pause */
    ipa.meanwhile = order_one_more;
    op = order_enable();
    assert_int_equal(push(), 2);
    ipa.mood = ANSWERS;
    pass(2 * MINUTE);
    (void)push();
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_int_equal(gadget_state(&g, second_order), OP_DONE);
}

static void push_inside(void)
{
    bool did;
    assert_ok(eim_push(f.eim, &did, &e));
    assert_false(did);                             /* it is under way: nobody else takes it */
}

static void two_never_push_to_one_device_at_once(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    ipa.meanwhile = push_inside;
    int64_t op = order_enable();
    (void)push();
    assert_int_equal(gadget_state(&g, op), OP_DONE);
}

static void only_addresses_of_the_right_form_are_taken(void **state)
{
    (void)state;
    static const char *const bad[] = { "\"http://ipa.example.com\"", "\"ipa.example.com\"", "\"https://\"", "\"https://user@host\"", "\"https://host/path\"",
                                       "\"https://host:1:2\"", "\"coaps://user@host\"", "\"coap://host\"", "\"https://a b\"", "7", "\"https://[::1]\"" };
    char json[200];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(json, sizeof json, "{\"injection\":{\"address\":%s}}", bad[i]);
        assert_int_equal(set_reach(json), E_INVALID);
        assert_string_equal(e.field, "injection.address");
    }
    assert_int_equal(set_reach("{\"injection\":{\"address\":\"https://h\",\"binding\":\"xml\"}}"), E_INVALID);
    assert_int_equal(set_reach("{\"injection\":{\"address\":\"https://h\",\"trust\":\"nonsense\"}}"), E_INVALID);
    assert_int_equal(set_reach("{\"injection\":{\"address\":\"https://h\",\"other\":1}}"), E_INVALID);
    assert_int_equal(set_reach("{\"injection\":{}}"), E_INVALID);
    assert_int_equal(set_reach("{\"labels\":{}}"), E_INVALID);
    assert_int_equal(set_reach("{}"), E_INVALID);
    assert_refused(E_STATE, manage_device_push(f.eim, &f.admin, slice_str(g.eid), field_arena(&f), &e));
    assert_int_equal(push(), 0);
    reachable(false);
    assert_ok(set_reach("{\"injection\":null}"));
    assert_int_equal(push(), 0);                   /* not reached any more */
    assert_refused(E_STATE, manage_device_push(f.eim, &f.admin, slice_str(g.eid), field_arena(&f), &e));
    assert_int_equal(ipa.n, 0);
}

static void a_failing_store_loses_nothing(void **state)
{
    (void)state;
    reachable(false);
    (void)push();
    unsigned failed = 0, whole = 0;
    for (long nth = 1; whole < 2; nth += 3) {
        bool did;
        int64_t op = order_enable();
        assert_true(nth < 400);
        (void)store_fail_at(f.store, nth);
        enum eim_err rc = eim_push(f.eim, &did, &e);
        e = (struct err){ 0 };
        whole += store_fail_at(f.store, 0) > 0;
        failed += rc != OK;
        field_restart(&f);
        for (int i = 0; i < 4; i++) {
            pass(11 * MINUTE);                     /* the lease is over */
            (void)push();
        }
        assert_int_equal(gadget_state(&g, op), OP_DONE);
    }
    assert_true(failed > 5);
    assert_int_equal(g.n.refused_replay, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
    const struct CMUnitTest tests[] = {
        T(asn1_works_without_a_poll), T(json_works_without_a_poll), T(any_message_may_get_lost), T(the_same_bytes_are_pushed_again_after_a_restart),
        T(an_unreachable_device_is_left_to_its_poll), T(wrong_answers_are_told_and_not_hammered), T(a_result_may_come_later),
        T(a_download_trigger_is_pushed_too), T(what_is_ordered_meanwhile_goes_along_or_follows), T(two_never_push_to_one_device_at_once),
        T(only_addresses_of_the_right_form_are_taken), T(a_failing_store_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
