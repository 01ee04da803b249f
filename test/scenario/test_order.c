/* test_order.c -- profile orders: a pool or ES2+ fills them, one profile for one order, whatever the SM-DP+ answers and whenever the eIM dies;
 * what the SM-DP+ tells of it afterwards. */
#include "test/scenario/field.h"

#include "asn1/sgp32.h"
#include "base/json.h"
#include "base/outbound.h"
#include "crypto/certmake.h"
#include "crypto/key.h"
#include "eim/eim.h"

#include <stdio.h>
#include <string.h>

enum { LEASE = 601 };
enum how { WELL, NOT_SENT, LOST, HTML, HALF, STATUS_500, REFUSED, NO_STATUS, WRONG_TYPE, BAD_VALUE };
enum { DOWNLOAD, CONFIRM, CANCEL, RELEASE, FUNCTIONS };
static const char *const functions[FUNCTIONS] = { "downloadOrder", "confirmOrder", "cancelOrder", "releaseProfile" };

static struct field f;
static struct gadget g;
static struct err e;
/* the SM-DP+ */
static enum how how[FUNCTIONS];
static int calls[FUNCTIONS], made, confirmed, taken_back, released;
static bool apart;                     /* confirmOrder is not to release */
static char code_sent[64];             /* the confirmation code that confirmOrder had */
static char last_call[64], seen[64];
/* it tells of a download while it is called */
static bool meanwhile;
static char meanwhile_iccid[32];
/* client certificates */
static char pem_text[2][2048];
static struct arena pem_arena;

static void tell_meanwhile(void);

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
    while (k < FUNCTIONS && strcmp(strrchr(q->url, '/') + 1, functions[k]) != 0) k++;
    assert_true(k < FUNCTIONS);
    assert_memory_equal(q->url, "https://es2.example.com/gsma/rsp2/es2plus/", 42);
    assert_string_equal(q->credential, "operator-b");
    assert_ok(json_read(q->body, 4096, &in, err));
    const json_t *header = json_object_get(in, "header");
    assert_string_equal(json_string_value(json_object_get(header, "functionRequesterIdentifier")), "eim.us");
    if (k != RELEASE) assert_string_equal(json_string_value(json_object_get(in, "eid")), g.eid);
    const char *call = json_string_value(json_object_get(header, "functionCallIdentifier"));
    assert_string_not_equal(call, last_call);
    snprintf(last_call, sizeof last_call, "%s", call);
    if (k == DOWNLOAD) assert_string_equal(json_string_value(json_object_get(in, "profileType")), "iot");
    else assert_memory_equal(json_string_value(json_object_get(in, "iccid")), "894900100000000", 15);
    if (k == CONFIRM) {
        const char *code = json_string_value(json_object_get(in, "confirmationCode"));
        assert_true(apart ? json_is_false(json_object_get(in, "releaseFlag")) : json_is_true(json_object_get(in, "releaseFlag")));
        snprintf(code_sent, sizeof code_sent, "%s", code ? code : "");
    }
    json_decref(in);
    calls[k]++;
    if (meanwhile) tell_meanwhile();
    enum how h = how[k];
    buf_reset(reply);
    *q->sent = h != NOT_SENT;
    *status = h == STATUS_500 ? 500 : 200;
    if (h == NOT_SENT) return fail(err, E_IO, NULL, "nobody is there");
    if (h != REFUSED) {
        made += k == DOWNLOAD;
        confirmed += k == CONFIRM;
        taken_back += k == CANCEL;
        released += k == RELEASE;
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
    made = confirmed = taken_back = released = 0;
    seen[0] = code_sent[0] = 0;
}

static int up(void **state)
{
    static struct outbound out = { .request = reach };
    struct smdp_account s = { .name = SLICE("b"), .operator_name = SLICE("B"), .address = SLICE("smdp.example.com"), .connect_ms = 1000, .total_ms = 1000,
                              .max_parallel = 1, .enabled = true, .es2_url = SLICE("https://es2.example.com/"), .es2_credential = SLICE("operator-b"),
                              .function_requester = SLICE("eim.us") };
    (void)state;
    apart = meanwhile = false;
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

/* ---- confirmation codes, releaseProfile, what is told afterwards ---- */

static void account(bool release, const char *peer)
{
    struct smdp_list all;
    struct smdp_account s;
    assert_ok(manage_smdps(f.eim, &f.admin, 0, 10, &all, field_arena(&f), &e));
    assert_int_equal(all.n, 1);
    s = all.v[0];
    s.es2_release = apart = release;
    s.es2_peer = slice_str(peer);
    assert_ok(manage_smdp_put(f.eim, &f.admin, s.id, &s, field_arena(&f), &e));
}

static enum eim_err order_confirmed(const char *code, int64_t *id)
{
    struct profile_order o = { 0 };
    struct profile_want w = { slice_str(g.eid), SLICE("B"), SLICE("iot"), slice_str(code) };
    enum eim_err rc = manage_porder_create(f.eim, &f.admin, &w, &o, field_arena(&f), &e);
    *id = o.id;
    return rc;
}

static void a_confirmation_code_goes_to_the_smdp_and_its_digest_to_the_download(void **state)
{
    (void)state;
    int64_t id;
    struct operation op;
    struct tx *t;
    struct download_terms terms;
    struct profile_download_trigger_request r;
    e = (struct err){ 0 };
    assert_int_equal(order_confirmed("4711", &id), E_RULE);        /* downloads do not come through this eIM */
    assert_string_equal(e.field, "confirmation_code");
    f.set.indirect = true;
    eim_reload(f.eim, &f.set, NULL);
    account(true, "");
    assert_ok(order_confirmed("4711", &id));
    struct slice kept = look(id, NULL).secret;
    assert_true(kept.n > 4 && !memmem(kept.p, kept.n, "4711", 4));
    run();
    is(id, PORD_PLACED, NULL);
    assert_string_equal(code_sent, "4711");
    assert_int_equal(released, 1);
    assert_int_equal(look(id, &op).secret.n, 0);
    assert_ok(der_decode(&profile_download_trigger_request_type, op.request, &r, field_arena(&f), &e));
    assert_true(slice_eq(r.profile_download_data.activation_code, SLICE("1$smdp.example.com$M-1$$1")));
    assert_ok(store_read_begin(f.store, &t, &e));
    assert_ok(store_terms_get(t, op.association, op.id, &terms, field_arena(&f), &e));
    store_read_end(t);
    assert_int_equal(terms.digest.n, 32);
    assert_memory_equal(terms.digest.p, "\xde\x65\x0d\x61\xf5\xbd\x16\x6a", 8);   /* printf 4711 | openssl dgst -sha256 */
}

static void what_was_confirmed_and_not_released_is_released_or_taken_back(void **state)
{
    (void)state;
    static const enum how bad[] = { LOST, HTML, HALF, STATUS_500, REFUSED };
    account(true, "");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sim_new();
        how[RELEASE] = bad[i];
        int64_t id = order();
        run();
        is(id, PORD_CANCELLED, "releaseProfile: ");
        assert_true(made == 1 && confirmed == 1 && taken_back == 1 && calls[RELEASE] == 1);
        assert_int_equal(look(id, NULL).secret.n, 0);
    }
    sim_new();
    how[RELEASE] = NOT_SENT;
    int64_t id = order();
    run();
    is(id, PORD_ORDERING, "nobody is there");
    struct slice kept = look(id, NULL).secret;
    assert_true(kept.n > 3 && !memmem(kept.p, kept.n, "M-1", 3));
    field_restart(&f);
    how[RELEASE] = WELL;
    field_pass(&f, LEASE);
    run();
    is(id, PORD_PLACED, NULL);
    assert_true(made == 1 && confirmed == 1 && released == 1);
}

/* At the end of a download nothing of its code is left in the operation. */
static void a_download_that_is_over_forgets_its_code(void **state)
{
    (void)state;
    struct operation op;
    int64_t id = order();
    run();
    look(id, &op);
    assert_non_null(memmem(op.request.p, op.request.n, "M-1", 3));
    gadget_settle(&g);
    gadget_settle(&g);
    look(id, &op);
    assert_int_equal(op.state, OP_FAILED);
    assert_null(memmem(op.request.p, op.request.n, "M-1", 3));
    assert_true(!op.package.n || !memmem(op.package.p, op.package.n, "M-1", 3));
    assert_non_null(memmem(op.request.p, op.request.n, "smdp.example.com", 16));
}

static const char *client(int i)
{
    struct private_key *key;
    struct slice der, pem;
    arena_init(&pem_arena, 1 << 16);
    assert_ok(private_key_generate(&key, CURVE_P256, &e));
    assert_ok(certmake_tls(&der, key, "dp", NULL, 0, NULL, 0, 0, INT64_C(4000000000000000), &pem_arena, &e));
    assert_ok(cert_to_pem(der, &pem, &pem_arena, &e));
    snprintf(pem_text[i], sizeof pem_text[i], "%.*s", (int)pem.n, (const char *)pem.p);
    arena_free(&pem_arena);
    private_key_free(key);
    return pem_text[i];
}

static bool told(const char *pem, struct download_progress w)
{
    bool known;
    struct slice der;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_ok(cert_read(slice_str(pem), &der, &a, &e));
    assert_ok(manage_porder_notified(f.eim, der, &w, &known, &a, &e));
    arena_free(&a);
    return known;
}

static void tell_meanwhile(void)
{
    assert_true(told(pem_text[0], (struct download_progress){ .iccid = slice_str(meanwhile_iccid), .point = 3, .success = true }));
}

static void iccid_of(int64_t id, char out[32])
{
    struct slice s = look(id, NULL).iccid;
    snprintf(out, 32, "%.*s", (int)s.n, (const char *)s.p);
}

static void what_the_smdp_says_stands_beside_the_order_and_decides_nothing(void **state)
{
    (void)state;
    const char *mine = client(0), *other = client(1);
    char iccid[32];
    account(false, mine);
    int64_t id = order();
    run();
    iccid_of(id, iccid);
    struct download_progress w = { .eid = slice_str(g.eid), .iccid = slice_str(iccid), .point = 3, .success = true };
    assert_false(told(other, w));                                  /* a certificate that nobody names */
    assert_int_equal(look(id, NULL).notified_n, 0);
    for (int i = 0; i < 3; i++) assert_true(told(mine, w));        /* said again: once */
    struct profile_order o = look(id, NULL);
    assert_true(o.notified_n == 1 && o.notified_point == 3 && !o.elsewhere && slice_eq(o.notified, SLICE("success")));
    assert_int_equal(o.state, PORD_PLACED);
    w = (struct download_progress){ .eid = SLICE("89049032000000000000000000000000"), .iccid = slice_str(iccid), .point = 4, .subject = SLICE("8.2.7"),
                                    .reason = SLICE("6.4") };
    assert_true(told(mine, w));
    o = look(id, NULL);
    assert_true(o.notified_n == 2 && o.elsewhere && slice_eq(o.notified, SLICE("failed: subject 8.2.7, reason 6.4")));
    w.iccid = SLICE("8949001000000000999");
    assert_true(told(mine, w));                                    /* of no order: nobody's */
    w.iccid = slice_str(iccid);
    for (int i = 0; i < 2 * PROFILE_ORDER_NOTES; i++) {
        w.point = i;
        assert_true(told(mine, w));
    }
    assert_int_equal(look(id, NULL).notified_n, PROFILE_ORDER_NOTES);
}

/* It comes while a call is under way: neither is lost. */
static void a_notification_during_a_call_loses_neither(void **state)
{
    (void)state;
    account(false, client(0));
    int64_t id = order();
    run();
    iccid_of(id, meanwhile_iccid);
    assert_ok(decide(id, false));
    meanwhile = true;
    run();
    meanwhile = false;
    is(id, PORD_CANCELLED, NULL);
    assert_int_equal(taken_back, 1);
    assert_int_equal(look(id, NULL).notified_n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_order_is_filled_by_a_pool_or_by_es2plus_and_reaches_the_device, up, down),
        cmocka_unit_test_setup_teardown(what_never_left_is_tried_again_and_given_up_with_its_cause, up, down),
        cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_understood_orders_nothing_twice, up, down),
        cmocka_unit_test_setup_teardown(a_refusal_is_shown_with_its_codes, up, down),
        cmocka_unit_test_setup_teardown(a_kill_anywhere_neither_orders_twice_nor_loses_one, up, down),
        cmocka_unit_test_setup_teardown(a_confirmation_code_goes_to_the_smdp_and_its_digest_to_the_download, up, down),
        cmocka_unit_test_setup_teardown(what_was_confirmed_and_not_released_is_released_or_taken_back, up, down),
        cmocka_unit_test_setup_teardown(a_download_that_is_over_forgets_its_code, up, down),
        cmocka_unit_test_setup_teardown(what_the_smdp_says_stands_beside_the_order_and_decides_nothing, up, down),
        cmocka_unit_test_setup_teardown(a_notification_during_a_call_loses_neither, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
