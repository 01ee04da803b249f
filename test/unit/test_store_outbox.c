/* test_store_outbox.c -- what the eIM itself is to bring to others: the outbox and devices that can be reached; and the eIMs of a card: on both engines. */
#include "test/unit/store_suite.h"

#include <pthread.h>

static struct store *s;
static struct arena a;

/* One verb as a job. */
enum verb { OUTBOX_ADD, OUTBOX_UPDATE, OUTBOX_CLAIM, OUTBOX_DELAY, OUTBOX_TRIM, REACH_PUT, REACH_DELETE, REACH_WAKE, REACH_CLAIM };
struct call { struct store_job job; enum verb verb; const void *row; struct slice address; int64_t now, until; void *out; struct arena *a; };

static enum eim_err call_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct call *c = (struct call *)job;
    switch (c->verb) {
    case OUTBOX_ADD: return store_outbox_add(t, c->row, e);
    case OUTBOX_UPDATE: return store_outbox_update(t, c->row, e);
    case OUTBOX_CLAIM: return store_outbox_claim(t, c->address, c->now, c->until, c->out, c->a, e);
    case OUTBOX_DELAY: return store_outbox_delay(t, c->row, c->until, e);
    case OUTBOX_TRIM: return store_outbox_trim(t, c->now, (unsigned)c->until, e);
    case REACH_PUT: return store_injection_put(t, c->row, e);
    case REACH_DELETE: return store_injection_delete(t, c->now, e);
    case REACH_WAKE: return store_injection_wake(t, c->now, c->until, e);
    case REACH_CLAIM: return store_injection_claim(t, c->now, c->until, c->out, c->a, e);
    }
    return E_INTERNAL;
}

static enum eim_err call(struct call c, struct err *e)
{
    c.job.apply = call_apply;
    c.a = &a;
    return store_run(s, &c.job, e);
}
#define CALL(...) call((struct call){ __VA_ARGS__ }, &e)

static void begin(void **state)
{
    arena_init(&a, 64 << 20);
    s = open_url(fresh_url(state));
    struct device one = a_device(5), two = a_device(6);
    good(WRITE(s, W(DEVICE_INSERT, &one), W(DEVICE_INSERT, &two)));
}

static void end(void)
{
    store_close(s);
    arena_free(&a);
}

static struct outbox row(int64_t association, int64_t seq, const char *address, const char *iccid)
{
    return (struct outbox){ .association = association, .seq = seq, .id = association * 1000 + seq, .tenant = 1, .event = 2, .received_us = 100 + seq,
                            .since_us = 100 + seq, .due_us = 100 + seq, .address = slice_str(address), .iccid = slice_str(iccid) };
}

static void add(struct outbox o)
{
    good(CALL(.verb = OUTBOX_ADD, .row = &o));
}

static struct outbox claim(const char *address, int64_t now)
{
    struct outbox o;
    good(CALL(.verb = OUTBOX_CLAIM, .address = slice_str(address), .now = now, .until = now + 1000, .out = &o));
    return o;
}

static void a_row_comes_back_whole_and_is_added_once(void **state)
{
    begin(state);
    struct outbox o = row(5, 1, "smdp.example", "iccid"), got, nowhere = row(7, 1, "x", "y");
    o.state = OUT_FAILED, o.tries = 3, o.done_us = 77, o.why = SLICE("why not");
    add(o);
    struct outbox again = o;
    again.id = 99, again.address = SLICE("other");
    add(again);
    READ(s, good(store_outbox_get(t, 5, 1, &got, &a, &e)));
    assert_int_equal(got.id, 5001);
    assert_int_equal(got.version, 1);
    assert_int_equal(got.state, OUT_FAILED);
    assert_int_equal(got.event, 2);
    assert_int_equal(got.received_us, 101);
    assert_int_equal(got.since_us, 101);
    assert_int_equal(got.due_us, 101);
    assert_int_equal(got.tries, 3);
    assert_int_equal(got.done_us, 77);
    assert_true(slice_eq(got.address, o.address) && slice_eq(got.iccid, o.iccid) && slice_eq(got.why, o.why));
    READ(s, good(store_outbox_find(t, 1, 5001, &got, &a, &e)); assert_int_equal(got.seq, 1);
         good(store_outbox_find(t, 2, 5001, &got, &a, &e)); assert_int_equal(got.id, 0);
         good(store_outbox_get(t, 5, 2, &got, &a, &e)); assert_int_equal(got.id, 0));
    bad(E_NOT_FOUND, CALL(.verb = OUTBOX_ADD, .row = &nowhere));
    o.version = 1;
    good(CALL(.verb = OUTBOX_UPDATE, .row = &o));
    bad(E_STALE, CALL(.verb = OUTBOX_UPDATE, .row = &o));
    good(WRITE(s, W(DEVICE_DELETE, .a = 5)));
    READ(s, good(store_outbox_get(t, 5, 1, &got, &a, &e)); assert_int_equal(got.id, 0));
    end();
}

static void claims_keep_the_order_of_a_profile_and_take_a_row_once(void **state)
{
    begin(state);
    for (int i = 3; i >= 1; i--) add(row(5, i, "a", "p"));         /* whatever order they came in */
    add(row(5, 4, "a", "q"));
    add(row(5, 5, "b", "p"));
    add(row(6, 1, "a", "p"));
    assert_int_equal(claim("a", 50).id, 0);        /* nothing is due yet */
    struct outbox first = claim("a", 200);
    assert_true(first.id == 5001 || first.id == 6001);
    struct outbox second = claim("a", 200), third = claim("a", 200);
    assert_true(first.id + second.id == 5001 + 6001);
    assert_int_equal(third.id, 5004);              /* another profile need not wait; 5002 must */
    assert_int_equal(claim("a", 200).id, 0);
    assert_int_equal(claim("b", 200).id, 5005);    /* nor another address */
    assert_int_equal(third.tries, 1);
    assert_int_equal(third.due_us, 1200);
    assert_int_equal(claim("a", 1300).tries, 2);   /* the lease is over */
    struct outbox one;
    READ(s, good(store_outbox_get(t, 5, 1, &one, &a, &e)));
    one.state = OUT_HELD, one.due_us = 5000;
    good(CALL(.verb = OUTBOX_UPDATE, .row = &one));
    good(CALL(.verb = OUTBOX_DELAY, .row = &one, .until = 5000));
    struct outbox two;
    READ(s, good(store_outbox_get(t, 5, 2, &two, &a, &e)); assert_int_equal(two.due_us, 5000);
         good(store_outbox_get(t, 5, 4, &two, &a, &e)); assert_true(two.due_us < 5000);
         good(store_outbox_get(t, 6, 1, &two, &a, &e)); assert_true(two.due_us < 5000));
    one.version++;
    one.state = OUT_FAILED, one.due_us = INT64_MAX;                /* given up: the next may go */
    good(CALL(.verb = OUTBOX_UPDATE, .row = &one));
    for (int i = 0; i < 4; i++) {
        struct outbox got = claim("a", 6000);
        if (got.id == 5002) break;
        assert_true(got.id && i < 3);
    }
    end();
}

static void addresses_are_walked_and_counted(void **state)
{
    begin(state);
    static const char *const names[] = { "b.example", "a.example", "B.example", "\xc3\xa9", "a.example:1" };
    struct slice address = { 0 };
    bool due;
    unsigned n = 0;
    for (int i = 0; i < 5; i++) add(row(5, i + 1, names[i], "p"));
    struct outbox ended = row(5, 9, "z", "p"), failed = row(5, 10, "y", "p"), held = row(6, 2, "a.example", "p");
    ended.state = OUT_FORWARDED, failed.state = OUT_FAILED, failed.due_us = INT64_MAX, failed.received_us = 1, held.state = OUT_HELD, held.received_us = 50;
    add(ended), add(failed), add(held);
    int64_t counts[OUT_FAILED + 1], oldest;
    struct outbox_list l;
    READ(s, for (struct slice last = { 0 };; last = address) {
             good(store_outbox_next_address(t, last, &address, &a, &e));
             if (!address.n) break;
             assert_true(!last.n || memcmp(last.p, address.p, last.n < address.n ? last.n : address.n) <= 0);
             n++;
         }
         good(store_outbox_any_due(t, SLICE("y"), 1000, &due, &e)); assert_false(due);
         good(store_outbox_any_due(t, SLICE("a.example"), 1000, &due, &e)); assert_true(due);
         good(store_outbox_any_due(t, SLICE("a.example"), 10, &due, &e)); assert_false(due);
         good(store_outbox_count(t, counts, &oldest, &e)));
    assert_int_equal(n, 6);                        /* five, and the one with something failed; none for what is at an end */
    assert_int_equal(counts[OUT_WAITING], 5);
    assert_int_equal(counts[OUT_HELD], 1);
    assert_int_equal(counts[OUT_FAILED], 1);
    assert_int_equal(oldest, 50);
    READ(s, good(store_outbox_list(t, 1, OUT_STATE_END, 0, 3, &l, &a, &e)); assert_int_equal(l.n, 3); assert_int_equal(l.v[0].id, 6002);
         assert_int_equal(l.v[1].id, 5010);
         good(store_outbox_list(t, 1, OUT_WAITING, 5005, 10, &l, &a, &e)); assert_int_equal(l.n, 4); assert_int_equal(l.v[0].id, 5004);
         good(store_outbox_list(t, 2, OUT_STATE_END, 0, 3, &l, &a, &e)); assert_int_equal(l.n, 0));
    end();
}

static void of_what_was_forwarded_the_newest_stay(void **state)
{
    begin(state);
    struct outbox_list l;
    for (int i = 1; i <= 10; i++) {
        struct outbox o = row(5, i, "a", "p");
        o.state = i % 2 ? OUT_FORWARDED : OUT_FAILED;
        add(o);
    }
    struct outbox other = row(6, 1, "a", "p");
    other.state = OUT_FORWARDED;
    add(other);
    good(CALL(.verb = OUTBOX_TRIM, .now = 5, .until = 2));
    READ(s, good(store_outbox_list(t, 1, OUT_FORWARDED, 0, 100, &l, &a, &e)));
    assert_int_equal(l.n, 3);
    assert_int_equal(l.v[1].seq, 9);
    assert_int_equal(l.v[2].seq, 7);
    READ(s, good(store_outbox_list(t, 1, OUT_FAILED, 0, 100, &l, &a, &e)));
    assert_int_equal(l.n, 5);
    good(CALL(.verb = OUTBOX_TRIM, .now = 5, .until = 2));
    end();
}

/* ---- several at once: nodes of a PostgreSQL, threads of one eimd ---- */

enum { CLAIMERS = 6, ROWS = 120 };
static int taken[ROWS + 1];

static void *claimer(void *arg)
{
    struct arena mine;
    (void)arg;
    for (int idle = 0; idle < 20;) {
        struct outbox o;
        struct err e = { 0 };
        arena_init(&mine, 1 << 20);
        struct call c = { .job.apply = call_apply, .verb = OUTBOX_CLAIM, .address = SLICE("a"), .now = 1000, .until = INT64_MAX - 1, .out = &o, .a = &mine };
        enum eim_err rc = store_run(s, &c.job, &e);
        if (rc == OK && o.id) __atomic_add_fetch(&taken[o.seq], 1, __ATOMIC_SEQ_CST);
        else idle++;
        arena_free(&mine);
    }
    return NULL;
}

static void many_claimers_take_each_row_once(void **state)
{
    begin(state);
    pthread_t threads[CLAIMERS];
    char iccid[16];
    memset(taken, 0, sizeof taken);
    for (int i = 1; i <= ROWS; i++) {
        snprintf(iccid, sizeof iccid, "%d", i);
        add(row(5, i, "a", iccid));
    }
    for (int i = 0; i < CLAIMERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, claimer, NULL), 0);
    for (int i = 0; i < CLAIMERS; i++) pthread_join(threads[i], NULL);
    for (int i = 1; i <= ROWS; i++) assert_int_equal(taken[i], 1);
    end();
}

/* ---- devices that can be reached ---- */

static void a_device_is_reached_when_it_is_due_and_by_one_at_a_time(void **state)
{
    begin(state);
    struct injection i = { .association = 5, .tenant = 1, .address = SLICE("ipa.example:443"), .binding = INJECT_JSON, .trust = SLICE("pem"), .due_us = 100 };
    struct injection got, nobody = i, later = i;
    bool due;
    nobody.association = 7;
    bad(E_NOT_FOUND, CALL(.verb = REACH_PUT, .row = &nobody));
    good(CALL(.verb = REACH_PUT, .row = &i));
    bad(E_CONFLICT, CALL(.verb = REACH_PUT, .row = &i));
    later.association = 6, later.due_us = INT64_MAX;
    good(CALL(.verb = REACH_PUT, .row = &later));
    READ(s, good(store_injection_any_due(t, 99, &due, &e)); assert_false(due); good(store_injection_any_due(t, 100, &due, &e)); assert_true(due));
    good(CALL(.verb = REACH_CLAIM, .now = 150, .until = 500, .out = &got));
    assert_int_equal(got.association, 5);
    assert_int_equal(got.binding, INJECT_JSON);
    assert_true(slice_eq(got.address, i.address) && slice_eq(got.trust, i.trust));
    assert_int_equal(got.lease_us, 500);
    struct injection none;
    good(CALL(.verb = REACH_CLAIM, .now = 150, .until = 500, .out = &none));
    assert_int_equal(none.association, 0);
    good(CALL(.verb = REACH_WAKE, .now = 5, .until = 160));        /* woken while it is under way: still only one at a time */
    good(CALL(.verb = REACH_CLAIM, .now = 170, .until = 500, .out = &none));
    assert_int_equal(none.association, 0);
    got.why = SLICE("late");
    bad(E_STALE, CALL(.verb = REACH_PUT, .row = &got));
    good(CALL(.verb = REACH_CLAIM, .now = 501, .until = 900, .out = &got));        /* whoever held it died */
    assert_int_equal(got.association, 5);
    good(CALL(.verb = REACH_DELETE, .now = 5));
    READ(s, good(store_injection_get(t, 5, &got, &a, &e)); assert_int_equal(got.association, 0));
    good(CALL(.verb = REACH_WAKE, .now = 5, .until = 160));        /* no row: nothing */
    good(WRITE(s, W(DEVICE_DELETE, .a = 6)));
    READ(s, good(store_injection_get(t, 6, &got, &a, &e)); assert_int_equal(got.association, 0));
    end();
}

/* ---- the table of moves ---- */

static void what_is_at_an_end_stays_there(void **state)
{
    (void)state;
    for (int from = 0; from < OUT_STATE_END; from++)
        for (int ev = OUT_EV_DONE; ev <= OUT_EV_DROP; ev++) {
            enum outbox_state st = (enum outbox_state)from, parsed;
            bool moved = outbox_move(&st, (enum outbox_event)ev);
            assert_true(moved == (st != (enum outbox_state)from));
            if (from == OUT_FORWARDED || from == OUT_DROPPED) assert_false(moved);
            if (moved && st == OUT_FORWARDED) assert_int_equal(from, OUT_WAITING);
            assert_true(outbox_state_parse(slice_str(outbox_state_name((enum outbox_state)from)), &parsed) && parsed == (enum outbox_state)from);
        }
    enum outbox_state none;
    assert_false(outbox_state_parse(SLICE("sent"), &none));
}

/* ---- the eIMs of a card ---- */

static void eims_of_a_card_are_replaced_as_a_whole(void **state)
{
    begin(state);
    struct card_eim_list l;
    struct card_eim v[] = {
        { .eim_id = SLICE("\0odd\xff"), .id_type = 2, .token = 300, .as_of_us = 4, .op = 5, .control_us = 6, .control = SLICE("\0odd\xff") },
        { .eim_id = SLICE("\x7f"), .token = DEVICE_TOKEN_NONE },
    };
    good(WRITE(s, W(CARD_EIM_REPLACE, v, 5, 2), W(CARD_EIM_REPLACE, v, 6, 1)));
    READ(s, good(store_card_eim_list(t, 5, &l, &a, &e)));
    assert_int_equal(l.n, 2);
    const struct card_eim *odd = slice_eq(l.v[0].eim_id, SLICE("\0odd\xff")) ? &l.v[0] : &l.v[1];
    assert_true(slice_eq(odd->eim_id, SLICE("\0odd\xff")));
    assert_true(slice_eq(odd->control, SLICE("\0odd\xff")));
    assert_int_equal(odd->id_type, 2);
    assert_int_equal(odd->token, 300);
    assert_int_equal(odd->as_of_us, 4);
    assert_int_equal(odd->op, 5);
    assert_int_equal(odd->control_us, 6);
    good(WRITE(s, W(CARD_EIM_REPLACE, &v[1], 5, 1)));
    READ(s, good(store_card_eim_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 1); assert_true(slice_eq(l.v[0].eim_id, v[1].eim_id));
         good(store_card_eim_list(t, 6, &l, &a, &e)); assert_int_equal(l.n, 1); assert_true(slice_eq(l.v[0].eim_id, SLICE("\0odd\xff"))));
    good(WRITE(s, W(CARD_EIM_REPLACE, NULL, 5, 0)));
    READ(s, good(store_card_eim_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 0));
    bad(E_NOT_FOUND, WRITE(s, W(CARD_EIM_REPLACE, v, 4711, 1)));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_row_comes_back_whole_and_is_added_once), BOTH(claims_keep_the_order_of_a_profile_and_take_a_row_once),
        BOTH(addresses_are_walked_and_counted),
        BOTH(of_what_was_forwarded_the_newest_stay), BOTH(many_claimers_take_each_row_once), BOTH(a_device_is_reached_when_it_is_due_and_by_one_at_a_time),
        BOTH(eims_of_a_card_are_replaced_as_a_whole),
        cmocka_unit_test(what_is_at_an_end_stays_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
