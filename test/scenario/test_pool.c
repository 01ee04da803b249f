/* test_pool.c -- activation codes from a pool to a device: handed out once, returned when nothing left, unclear when it did. */
#include "test/scenario/field.h"

#include "store/store.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;
static struct err e;
static char seen[8][64];               /* codes that the device got */
static size_t nseen;

static struct slice on_trigger(void *arg, struct sim_euicc *card, struct slice trigger, struct arena *a)
{
    struct profile_download_trigger_request r;
    (void)arg, (void)card;
    assert_ok(der_decode(&profile_download_trigger_request_type, trigger, &r, a, &e));
    struct slice code = r.profile_download_data.activation_code;
    snprintf(seen[nseen++ % 8], sizeof seen[0], "%.*s", (int)code.n, (const char *)code.p);
    return SLICE("\x30\x03\x80\x01\x7f");      /* undefinedError, unsigned */
}

static int up(void **state)
{
    (void)state;
    nseen = 0;
    field_open(&f);
    f.ipa_config.trigger = on_trigger;
    gadget_make(&g, &f, 31, true);
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

static int64_t pool_make(const char *name, int64_t warn_below)
{
    struct code_pool p = { .name = slice_str(name), .operator_name = SLICE("B"), .profile_type = SLICE("iot"), .address = SLICE("smdp.example.com"),
                           .warn_below = warn_below };
    assert_ok(manage_pool_add(f.eim, &f.admin, &p, field_arena(&f), &e));
    return p.id;
}

static enum eim_err fill(int64_t pool, const char *code, struct err *why)
{
    struct new_code n = { .text = slice_str(code) };
    size_t added;
    assert_ok(manage_codes_add(f.eim, &f.admin, pool, &n, 1, &added, field_arena(&f), &e));
    assert_int_equal(added, n.rc == OK);
    if (why) *why = n.err;
    return n.rc;
}

static int64_t count(int64_t pool, enum code_state s)
{
    struct pool_view v;
    assert_ok(manage_pool(f.eim, &f.admin, pool, &v, field_arena(&f), &e));
    return v.counts[s];
}

static const char by_pool[] = "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"}}";

static void a_code_leaves_its_pool_once_and_reaches_the_device(void **state)
{
    (void)state;
    int64_t pool = pool_make("p", 2);
    assert_ok(fill(pool, "LPA:1$smdp.example.com$ONE-1", NULL));
    assert_ok(fill(pool, "1$SMDP.example.com$TWO-2", NULL));
    int64_t op = gadget_order(&g, by_pool);
    assert_int_equal(count(pool, CODE_RESERVED), 1);
    assert_int_equal(FIELD_COUNT(&f, pools_low), 1);       /* one is left, two are wanted */
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_int_equal(nseen, 1);
    assert_string_equal(seen[0], "1$smdp.example.com$ONE-1");
    assert_int_equal(count(pool, CODE_UNCLEAR), 1);        /* it left: nobody but a person may say that it was not used */
    struct operation o = gadget_operation(&g, op);
    assert_null(memmem(o.request.p, o.request.n, "ONE-1", 5));                   /* at its end the code stands in the pool only */
    assert_non_null(memmem(o.request.p, o.request.n, "smdp.example.com", 16));   /* the address stays: it may be contacted (I12) */
    assert_int_equal(o.package.n, 0);
    gadget_order(&g, by_pool);
    gadget_settle(&g);
    assert_string_equal(seen[1], "1$SMDP.example.com$TWO-2");
    (void)gadget_try(&g, by_pool, E_STATE);
    assert_int_equal(count(pool, CODE_FREE), 0);
}

static void what_never_left_is_free_again(void **state)
{
    (void)state;
    struct operation o;
    int64_t pool = pool_make("p", 0);
    assert_ok(fill(pool, "1$smdp.example.com$ONE-1", NULL));
    int64_t op = gadget_order(&g, by_pool);
    field_restart(&f);
    assert_int_equal(manage_pool_delete(f.eim, &f.admin, pool, field_arena(&f), &e), E_STATE);
    assert_ok(manage_operation_cancel(f.eim, &f.admin, op, &o, field_arena(&f), &e));
    assert_int_equal(count(pool, CODE_FREE), 1);
    o = gadget_operation(&g, op);
    assert_null(memmem(o.request.p, o.request.n, "ONE-1", 5));
    gadget_order(&g, by_pool);
    assert_ok(manage_device_delete(f.eim, &f.admin, slice_str(g.eid), field_arena(&f), &e));
    assert_int_equal(count(pool, CODE_FREE), 1);
    assert_ok(manage_pool_delete(f.eim, &f.admin, pool, field_arena(&f), &e));
}

static void wrong_codes_are_refused_by_their_part_and_doubles_across_pools(void **state)
{
    (void)state;
    static const struct { const char *code, *part; } bad[] = {
        { "", "length" }, { "2$smdp.example.com$X", "format" }, { "1$bad address$X", "SM-DP+ address" }, { "1$smdp.example.com", "matching id" },
        { "1$smdp.example.com$", "matching id" }, { "1$smdp.example.com$a/b", "matching id" }, { "1$smdp.example.com$X$abc", "OID" },
        { "1$smdp.example.com$X$$2", "confirmation code" }, { "1$smdp.example.com$X$$1", "confirmation code" },
        { "1$smdp.example.com$X$$$", "number of parts" }, { "1$other.example.com$X", "SM-DP+ address" },
    };
    int64_t pool = pool_make("p", 0), other = pool_make("q", 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err why = { 0 };
        assert_int_not_equal(fill(pool, bad[i].code, &why), OK);
        if (!strstr(why.why, bad[i].part)) fail_msg("%s: %s", bad[i].code, why.why);
    }
    assert_ok(fill(pool, "1$smdp.example.com$SAME", NULL));
    assert_int_equal(fill(other, "LPA:1$SMDP.EXAMPLE.COM$SAME", NULL), E_CONFLICT);
    assert_int_equal(fill(pool, "1$smdp.example.com$SAME", NULL), E_CONFLICT);
}

/* The Nth statement of an order fails: the code is free and there is no operation, or both are there. */
static void an_order_that_fails_anywhere_keeps_its_code(void **state)
{
    (void)state;
    int64_t pool = pool_make("p", 0);
    assert_ok(fill(pool, "1$smdp.example.com$ONE-1", NULL));
    for (long nth = 1;; nth++) {
        struct operation o;
        json_t *order;
        assert_ok(json_read(slice_str(by_pool), 1000, &order, &e));
        (void)store_fail_at(f.store, nth);
        enum eim_err rc = manage_operation_create(f.eim, &f.admin, slice_str(g.eid), order, &o, field_arena(&f), &e);
        bool met = store_fail_at(f.store, 0) == 0;
        json_decref(order);
        assert_int_equal(count(pool, CODE_RESERVED), rc == OK);
        if (rc == OK) break;
        assert_true(met);
        assert_true(nth < 100);
    }
}

static void a_person_returns_or_withdraws_what_is_unclear(void **state)
{
    (void)state;
    struct code_list list;
    struct activation_code c;
    int64_t pool = pool_make("p", 0);
    assert_ok(fill(pool, "1$smdp.example.com$ONE-1", NULL));
    gadget_order(&g, by_pool);
    gadget_settle(&g);
    assert_ok(manage_codes(f.eim, &f.admin, pool, 0, 10, &list, field_arena(&f), &e));
    int64_t id = list.v[0].id;
    assert_ok(manage_code_decide(f.eim, &f.admin, id, true, &c, field_arena(&f), &e));
    assert_int_equal(count(pool, CODE_FREE), 1);
    assert_int_equal(manage_code_decide(f.eim, &f.admin, id, true, &c, field_arena(&f), &e), E_STATE);
    assert_ok(manage_code_decide(f.eim, &f.admin, id, false, &c, field_arena(&f), &e));
    assert_int_equal(count(pool, CODE_WITHDRAWN), 1);
}

/* The simulated card reports profile version and memory of its own; only what is more than any card has is refused. */
static void preflight_names_what_is_lacking_and_gives_way_by_name(void **state)
{
    (void)state;
    static const struct { const char *needs, *field, *override; } lacks[] = {
        { "{\"memory\":2000000000}", "requires.memory", "preflight_memory" },
        { "{\"profile_version\":\"250.0.0\"}", "requires.profile_version", "preflight_version" },
        { "{\"euicc_version\":\"250.0.0\"}", "requires.euicc_version", "preflight_version" },
    };
    char order[300];
    int64_t pool = pool_make("p", 0);
    assert_ok(fill(pool, "1$smdp.example.com$ONE-1", NULL));
    for (size_t i = 0; i < sizeof lacks / sizeof lacks[0]; i++) {
        snprintf(order, sizeof order, "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"},\"requires\":%s}", lacks[i].needs);
        const char *why = gadget_try(&g, order, E_RULE);
        if (!strstr(why, lacks[i].override)) fail_msg("%s: %s", lacks[i].needs, why);
        assert_int_equal(count(pool, CODE_FREE), 1);
        snprintf(order, sizeof order, "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"},\"requires\":%s,\"override\":[\"%s\"]}",
                 lacks[i].needs, lacks[i].override);
        struct operation o;
        int64_t op = gadget_order(&g, order);
        assert_ok(manage_operation_cancel(f.eim, &f.admin, op, &o, field_arena(&f), &e));
        assert_int_equal(o.overrides != 0, 1);
    }
    (void)gadget_order(&g, "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"},\"requires\":{\"memory\":1,\"profile_version\":\"1.0.0\"}}");
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":true},\"requires\":{\"memory\":\"x\"}}", E_INVALID);
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":true},\"requires\":{\"colour\":1}}", E_INVALID);
    (void)gadget_try(&g, "{\"psmos\":[{\"getRAT\":{}}],\"requires\":{\"memory\":1}}", E_INVALID);
}

static void a_device_gets_profiles_of_the_operators_in_its_label_only(void **state)
{
    (void)state;
    struct gadget other;
    struct label l = { SLICE("operators"), SLICE("A,C") };
    gadget_make(&other, &f, 32, false);
    struct enrolment en = { .eid = slice_str(other.eid), .labels = &l, .nlabels = 1 };
    assert_ok(manage_enrol(f.eim, &f.admin, &en, 1, field_arena(&f), &e));
    assert_ok(en.rc);
    assert_ok(fill(pool_make("p", 0), "1$smdp.example.com$ONE-1", NULL));
    assert_non_null(strstr(gadget_try(&other, by_pool, E_RULE), "preflight_operator"));
    (void)gadget_order(&other, "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"},\"override\":[\"preflight_operator\"]}");
    gadget_free(&other);
}

/* ---- the rules authorisation table ---- */

struct put_rat { struct store_job job; const struct device_rat *rat; };

static enum eim_err put_rat(struct tx *t, struct store_job *job, struct err *err)
{
    return store_rat_put(t, ((struct put_rat *)job)->rat, err);
}

static void a_policy_rule_that_the_table_allows_nobody_is_refused(void **state)
{
    (void)state;
    static const char wants[] = "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"},\"requires\":{\"policy_rules\":[\"ppr1\"]}}";
    static const char all_the_same[] = "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"},\"requires\":{\"policy_rules\":[\"ppr1\"]},"
                                       "\"override\":[\"preflight_rules\"]}";
    struct operation o;
    f.set.indirect = true;
    eim_reload(f.eim, &f.set, NULL);
    assert_ok(fill(pool_make("p", 0), "1$smdp.example.com$ONE-1", NULL));
    assert_int_equal(gadget_view(&g).rat.as_of_us, 0);
    assert_ok(manage_operation_cancel(f.eim, &f.admin, gadget_order(&g, wants), &o, field_arena(&f), &e));  /* not known: refuses nothing */
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
    gadget_settle(&g);
    struct device_rat rat = gadget_view(&g).rat;
    assert_int_equal(rat.operation, op);
    assert_ok(manage_operation_cancel(f.eim, &f.admin, gadget_order(&g, wants), &o, field_arena(&f), &e));  /* the card allows both to all */

    uint8_t octets[128];
    rat = gadget_view(&g).rat;
    assert_true(rat.rules.n && rat.rules.n <= sizeof octets);
    memcpy(octets, rat.rules.p, rat.rules.n);
    uint8_t *bits = memmem(octets, rat.rules.n, "\x80\x02\x05\x60", 4);
    assert_non_null(bits);
    bits[3] = 0x20;                                /* pprIds: ppr2 alone */
    rat.rules = slice_of(octets, rat.rules.n);
    struct put_rat put = { .job.apply = put_rat, .rat = &rat };
    assert_ok(store_run(f.store, &put.job, &e));
    assert_non_null(strstr(gadget_try(&g, wants, E_RULE), "no profile with ppr1; override \"preflight_rules\""));
    assert_ok(manage_operation_cancel(f.eim, &f.admin, gadget_order(&g, all_the_same), &o, field_arena(&f), &e));
    (void)gadget_order(&g, "{\"download\":{\"operator\":\"B\",\"profile_type\":\"iot\"},\"requires\":{\"policy_rules\":[\"ppr2\"]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_code_leaves_its_pool_once_and_reaches_the_device, up, down),
        cmocka_unit_test_setup_teardown(what_never_left_is_free_again, up, down),
        cmocka_unit_test_setup_teardown(wrong_codes_are_refused_by_their_part_and_doubles_across_pools, up, down),
        cmocka_unit_test_setup_teardown(an_order_that_fails_anywhere_keeps_its_code, up, down),
        cmocka_unit_test_setup_teardown(preflight_names_what_is_lacking_and_gives_way_by_name, up, down),
        cmocka_unit_test_setup_teardown(a_device_gets_profiles_of_the_operators_in_its_label_only, up, down),
        cmocka_unit_test_setup_teardown(a_policy_rule_that_the_table_allows_nobody_is_refused, up, down),
        cmocka_unit_test_setup_teardown(a_person_returns_or_withdraws_what_is_unclear, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
