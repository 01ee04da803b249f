/* test_order.c -- profile orders: a pool or ES2+ fills them, one profile for one order, whatever the SM-DP+ answers and whenever the eIM dies. */
#include "test/scenario/field.h"

#include "base/json.h"
#include "base/outbound.h"
#include "eim/eim.h"

#include <stdio.h>
#include <string.h>

enum { LEASE = 601 };
enum how { WELL, NOT_SENT, LOST, HTML, HALF, STATUS_500, REFUSED, NO_STATUS, WRONG_TYPE, BAD_VALUE };
enum { DOWNLOAD, CONFIRM, CANCEL };
static const char *const functions[] = { "downloadOrder", "confirmOrder", "cancelOrder" };

static struct field f;
static struct gadget g;
static struct err e;
/* the SM-DP+ */
static enum how how[3];
static int calls[3], made, confirmed, taken_back;
static char last_call[64], seen[64];

static const char *answer(int k, enum how h)
{
    static char text[400];
    static const char ok[] = "\"header\":{\"functionExecutionStatus\":{\"status\":\"Executed-Success\"}}";
    if (h == HTML) return "<html>busy</html>";
    if (h == REFUSED) return "{\"header\":{\"functionExecutionStatus\":{\"status\":\"Failed\","
                                 "\"statusCodeData\":{\"subjectCode\":\"8.2.5\",\"reasonCode\":\"3.7\"}}}}";
    if (h == NO_STATUS) return "{\"iccid\":\"8949001000000000017\",\"matchingId\":\"M-1\"}";
    if (h == WRONG_TYPE) snprintf(text, sizeof text, "{%s,\"iccid\":17,\"matchingId\":[\"M-1\"]}", ok);
    else if (h == BAD_VALUE) snprintf(text, sizeof text, "{%s,\"iccid\":\"89/..\",\"matchingId\":\"A$B\",\"smdpAddress\":\"smdp.example.com\"}", ok);
    else if (k == DOWNLOAD) snprintf(text, sizeof text, "{%s,\"iccid\":\"894900100000000%04d\"}", ok, made);
    else snprintf(text, sizeof text, "{%s,\"matchingId\":\"M-%d\",\"smdpAddress\":\"smdp.example.com\"}", ok, made);
    if (h == HALF) text[strlen(text) / 2] = 0;
    return text;
}

static enum eim_err reach(struct outbound *o, const struct outbound_request *q, int *status, struct buf *reply, struct err *err)
{
    json_t *in;
    int k = 0;
    (void)o;
    while (k < 3 && strcmp(strrchr(q->url, '/') + 1, functions[k]) != 0) k++;
    assert_true(k < 3);
    assert_memory_equal(q->url, "https://es2.example.com/gsma/rsp2/es2plus/", 42);
    assert_string_equal(q->credential, "operator-b");
    assert_ok(json_read(q->body, 4096, &in, err));
    const json_t *header = json_object_get(in, "header");
    assert_string_equal(json_string_value(json_object_get(header, "functionRequesterIdentifier")), "eim.us");
    assert_string_equal(json_string_value(json_object_get(in, "eid")), g.eid);
    const char *call = json_string_value(json_object_get(header, "functionCallIdentifier"));
    assert_string_not_equal(call, last_call);
    snprintf(last_call, sizeof last_call, "%s", call);
    if (k == DOWNLOAD) assert_string_equal(json_string_value(json_object_get(in, "profileType")), "iot");
    else assert_memory_equal(json_string_value(json_object_get(in, "iccid")), "894900100000000", 15);
    if (k == CONFIRM) assert_true(json_is_true(json_object_get(in, "releaseFlag")));
    json_decref(in);
    calls[k]++;
    enum how h = how[k];
    buf_reset(reply);
    *q->sent = h != NOT_SENT;
    *status = h == STATUS_500 ? 500 : 200;
    if (h == NOT_SENT) return fail(err, E_IO, NULL, "nobody is there");
    if (h != REFUSED) {
        made += k == DOWNLOAD;
        confirmed += k == CONFIRM;
        taken_back += k == CANCEL;
    }
    if (h == LOST) return fail(err, E_IO, NULL, "no answer within 30 s");
    buf_put(reply, slice_str(answer(k, h)));
    return OK;
}

static struct slice on_trigger(void *arg, struct sim_euicc *card, struct slice trigger, struct arena *a)
{
    struct profile_download_trigger_request r;
    (void)arg, (void)card;
    assert_ok(der_decode(&profile_download_trigger_request_type, trigger, &r, a, &e));
    struct slice code = r.profile_download_data.activation_code;
    snprintf(seen, sizeof seen, "%.*s", (int)code.n, (const char *)code.p);
    return SLICE("\x30\x03\x80\x01\x7f");      /* undefinedError */
}

static void sim_new(void)
{
    memset(how, 0, sizeof how);
    memset(calls, 0, sizeof calls);
    made = confirmed = taken_back = 0;
    seen[0] = 0;
}

static int up(void **state)
{
    static struct outbound out = { .request = reach };
    struct smdp_account s = { .name = SLICE("b"), .operator_name = SLICE("B"), .address = SLICE("smdp.example.com"), .connect_ms = 1000, .total_ms = 1000,
                              .max_parallel = 1, .enabled = true, .es2_url = SLICE("https://es2.example.com/"), .es2_credential = SLICE("operator-b"),
                              .function_requester = SLICE("eim.us") };
    (void)state;
    sim_new();
    field_open(&f);
    f.ipa_config.trigger = on_trigger;
    field_outbound(&f, &out);
    assert_ok(manage_smdp_put(f.eim, &f.admin, 0, &s, field_arena(&f), &e));
    gadget_make(&g, &f, 41, true);
    gadget_settle(&g);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    field_close(&f);
    return 0;
}

static enum eim_err try(const char *operator_name, int64_t *id)
{
    struct profile_order o;
    struct profile_want w = { slice_str(g.eid), slice_str(operator_name), SLICE("iot") };
    enum eim_err rc = manage_porder_create(f.eim, &f.admin, &w, &o, field_arena(&f), &e);
    *id = o.id;
    return rc;
}

static int64_t order(void)
{
    int64_t id;
    assert_ok(try("B", &id));
    return id;
}

static struct profile_order look(int64_t id, struct operation *op)
{
    struct profile_order o;
    struct operation mine;
    assert_ok(manage_porder(f.eim, &f.admin, id, &o, op ? op : &mine, field_arena(&f), &e));
    return o;
}

static void run(void)
{
    bool did = true;
    for (int i = 0; did && i < 20; i++) assert_ok(eim_order(f.eim, &did, &e));
    assert_false(did);
}

static void is(int64_t id, enum profile_order_state want, const char *cause)
{
    struct profile_order o = look(id, NULL);
    if (o.state != want || (cause && !memmem(o.cause.p, o.cause.n, cause, strlen(cause))))
        fail_msg("%s expected, \"%s\": %s, %.*s", profile_order_state_name(want), cause ? cause : "", profile_order_state_name(o.state), (int)o.cause.n,
                 (const char *)o.cause.p);
    assert_false(o.calling);
}

static enum eim_err decide(int64_t id, bool retry)
{
    struct profile_order o;
    struct operation op;
    return manage_porder_decide(f.eim, &f.admin, id, retry, &o, &op, field_arena(&f), &e);
}

/* ---- tests ---- */

static void an_order_is_filled_by_a_pool_or_by_es2plus_and_reaches_the_device(void **state)
{
    (void)state;
    struct code_pool p = { .name = SLICE("p"), .operator_name = SLICE("B"), .profile_type = SLICE("iot"), .address = SLICE("pool.example.com") };
    struct new_code n = { .text = SLICE("1$pool.example.com$ONE-1") };
    size_t added;
    struct operation op;
    assert_ok(manage_pool_add(f.eim, &f.admin, &p, field_arena(&f), &e));
    assert_ok(manage_codes_add(f.eim, &f.admin, p.id, &n, 1, &added, field_arena(&f), &e));
    int64_t by_pool = order(), by_smdp = order(), none;
    is(by_pool, PORD_PLACED, NULL);
    is(by_smdp, PORD_ORDERING, NULL);
    assert_int_equal(try("C", &none), E_NOT_FOUND);
    run();
    is(by_smdp, PORD_PLACED, NULL);
    assert_int_equal(made + confirmed, 2);
    struct profile_order o = look(by_smdp, &op);
    assert_true(op.id && op.state == OP_PENDING && slice_eq(o.iccid, SLICE("8949001000000000001")));
    gadget_settle(&g);
    gadget_settle(&g);
    assert_string_equal(seen, "1$smdp.example.com$M-1");
    look(by_smdp, &op);
    assert_int_equal(op.state, OP_FAILED);
    assert_ok(decide(by_smdp, false));             /* it failed on the device: a person takes it back */
    run();
    is(by_smdp, PORD_CANCELLED, NULL);
    assert_int_equal(taken_back, 1);
    assert_int_equal(decide(by_smdp, false), E_STATE);
}

static void what_never_left_is_tried_again_and_given_up_with_its_cause(void **state)
{
    (void)state;
    for (int k = DOWNLOAD; k <= CONFIRM; k++) {
        sim_new();
        how[k] = NOT_SENT;
        int64_t id = order();
        run();
        is(id, PORD_ORDERING, "nobody is there");
        field_restart(&f);
        how[k] = WELL;
        field_pass(&f, LEASE);
        run();
        is(id, PORD_PLACED, NULL);
        assert_int_equal(made, 1);
        assert_ok(decide(id, false));
        run();
        is(id, PORD_CANCELLED, NULL);
        assert_int_equal(taken_back, 1);
    }
    sim_new();
    how[DOWNLOAD] = NOT_SENT;
    int64_t id = order();
    for (int i = 0; i < 12; i++) {
        run();
        field_pass(&f, LEASE);
    }
    is(id, PORD_FAILED, "nobody is there");
    assert_int_equal(calls[DOWNLOAD], 10);
}

/* It may have acted: after downloadOrder a person decides, after confirmOrder it is taken back. It is never asked twice. */
static void an_answer_that_cannot_be_understood_orders_nothing_twice(void **state)
{
    (void)state;
    static const enum how bad[] = { LOST, HTML, HALF, STATUS_500, NO_STATUS, WRONG_TYPE, BAD_VALUE };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sim_new();
        how[DOWNLOAD] = bad[i];
        int64_t id = order();
        run();
        field_pass(&f, LEASE);
        run();
        is(id, PORD_UNCLEAR, "downloadOrder: ");
        assert_int_equal(calls[DOWNLOAD], 1);
        how[DOWNLOAD] = WELL;
        assert_ok(decide(id, true));
        run();
        is(id, PORD_PLACED, NULL);
        assert_ok(decide(id, false));
        run();

        sim_new();
        how[CONFIRM] = bad[i];
        id = order();
        run();
        is(id, PORD_CANCELLED, "confirmOrder: ");
        assert_int_equal(calls[CONFIRM], 1);
        assert_int_equal(taken_back, 1);
        assert_int_equal(decide(id, true), E_STATE);

        sim_new();
        how[CONFIRM] = REFUSED;
        if (bad[i] != BAD_VALUE && bad[i] != WRONG_TYPE) how[CANCEL] = bad[i];     /* nothing is wanted of its answer */
        id = order();
        run();
        how[CANCEL] = WELL;
        field_pass(&f, LEASE);
        run();
        is(id, PORD_CANCELLED, NULL);
    }
}

static void a_refusal_is_shown_with_its_codes(void **state)
{
    (void)state;
    how[DOWNLOAD] = REFUSED;
    int64_t id = order();
    run();
    is(id, PORD_FAILED, "subject 8.2.5, reason 3.7");
    sim_new();
    how[CONFIRM] = how[CANCEL] = REFUSED;
    id = order();
    run();
    is(id, PORD_UNCLEAR, "cancelOrder: the SM-DP+ refuses it");
    how[CANCEL] = WELL;
    assert_int_equal(decide(id, true), E_STATE);   /* there is an ICCID: no second order */
    assert_ok(decide(id, false));
    run();
    is(id, PORD_CANCELLED, NULL);
    assert_int_equal(taken_back, 1);
}

/* The eIM dies at the Nth statement of the store, wherever that is. What is at the SM-DP+ and what the order says agree, or a person is asked. */
static void a_kill_anywhere_neither_orders_twice_nor_loses_one(void **state)
{
    (void)state;
    bool unclear = false, undone = false, placed = false;
    for (long nth = 1;; nth++) {
        bool did = true;
        enum eim_err rc = OK;
        sim_new();
        int64_t id = order();
        (void)store_fail_at(f.store, nth);
        while (did && rc == OK) rc = eim_order(f.eim, &did, &e);
        bool met = store_fail_at(f.store, 0) == 0;
        field_restart(&f);
        run();
        field_pass(&f, LEASE);
        run();
        struct profile_order o = look(id, NULL);
        assert_true(made <= 1 && confirmed <= 1);
        if (o.state == PORD_PLACED) assert_true(made == 1 && confirmed == 1 && taken_back == 0);
        else if (o.state == PORD_CANCELLED) assert_true(made == 1 && taken_back == 1);
        else assert_true(o.state == PORD_UNCLEAR && confirmed == 0);
        placed |= o.state == PORD_PLACED;
        undone |= o.state == PORD_CANCELLED;
        unclear |= o.state == PORD_UNCLEAR;
        if (o.state != PORD_CANCELLED) assert_ok(decide(id, false));
        run();
        if (!met) break;
        assert_true(nth < 200);
    }
    assert_true(placed && undone && unclear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_order_is_filled_by_a_pool_or_by_es2plus_and_reaches_the_device, up, down),
        cmocka_unit_test_setup_teardown(what_never_left_is_tried_again_and_given_up_with_its_cause, up, down),
        cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_understood_orders_nothing_twice, up, down),
        cmocka_unit_test_setup_teardown(a_refusal_is_shown_with_its_codes, up, down),
        cmocka_unit_test_setup_teardown(a_kill_anywhere_neither_orders_twice_nor_loses_one, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
