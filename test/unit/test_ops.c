/* test_ops.c -- the table of PSMOs and eCOs: what people write becomes the bytes of the specification, unlawful orders are refused
 * by their rule, and results are judged by position. */
#include "test/lib/test.h"

#include "eim/manage.h"
#include "eim/ops.h"
#include "test/lib/vectors.h"

static struct arena a;
static struct err e;

static int up(void **state)
{
    (void)state;
    arena_init(&a, 1 << 22);
    return 0;
}

static int down(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static enum eim_err order(const char *json, struct slice *package, int64_t *overrides)
{
    json_t *v;
    char text[4096];
    size_t n = 0;
    for (const char *p = json; *p; p++) text[n++] = *p == '\'' ? '"' : *p;         /* easier to read in C */
    e = (struct err){ 0 };
    assert_ok(json_read((struct slice){ (uint8_t *)text, n }, sizeof text, &v, &e));
    enum eim_err rc = ops_from_json(v, package, overrides, &a, &e);
    json_decref(v);
    return rc;
}

/* The operation's bytes as appendix A.1 of the specification's notes has them, inside their list. */
static void every_psmo_and_eco_is_encoded_as_specified(void **state)
{
    (void)state;
    static const struct { const char *json, *hex; } rows[] = {
        { "{'psmos':[{'enable':{'iccid':'8949449999999990023'}}]}", "a00ea30c5a0a989444999999990920f3" },
        { "{'psmos':[{'enable':{'iccid':'8949449999999990023','rollback':true}}]}", "a010a30e5a0a989444999999990920f30500" },
        { "{'psmos':[{'enable':{'iccid':'8949449999999990023','rollback':false}}]}", "a00ea30c5a0a989444999999990920f3" },
        { "{'psmos':[{'disable':{'iccid':'8949449999999990023'}}]}", "a00ea40c5a0a989444999999990920f3" },
        { "{'psmos':[{'delete':{'iccid':'8949449999999990023'}}]}", "a00ea50c5a0a989444999999990920f3" },
        { "{'psmos':[{'listProfileInfo':{}}]}", "a012bf2d0f5c0d5a4f9f709192959f7b9f269f67" },
        { "{'psmos':[{'listProfileInfo':{'iccid':'8949449999999990023'}}]}",
          "a020bf2d1da00c5a0a989444999999990920f35c0d5a4f9f709192959f7b9f269f67" },
        { "{'psmos':[{'getRAT':{}}]}", "a002a600" },
        { "{'psmos':[{'configureImmediateEnable':{'enable':true,'smdp_oid':'2.23.146.1','smdp_address':'smdp.example.com'}}]}",
          "a01aa718800081046781120182" "0e" },
        { "{'psmos':[{'configureImmediateEnable':{}}]}", "a002a700" },
        { "{'psmos':[{'setFallbackAttribute':{'iccid':'8949449999999990023'}}]}", "a00ea80c5a0a989444999999990920f3" },
        { "{'psmos':[{'unsetFallbackAttribute':{}}]}", "a002a900" },
        { "{'psmos':[{'setDefaultDpAddress':{'address':'smdp.example.com'}}]}", "a015bf65128010736d64702e6578616d706c652e636f6d" },
        { "{'psmos':[{'disable':{'iccid':'8949449999999990023'}},{'delete':{'iccid':'8949449999999990023'}}]}",
          "a01ca40c5a0a989444999999990920f3a50c5a0a989444999999990920f3" },
        { "{'ecos':[{'deleteEim':{'eim_id':'eim2'}}]}", "a108a906800465696d32" },
        { "{'ecos':[{'listEim':{}}]}", "a102ab00" },
        { "{'ecos':[{'updateEim':{'eim_id':'e','fqdn':'x.y','counter':128}}]}", "a10eaa0c8001658103782e7983020080" },
        { "{'ecos':[{'addEim':{'eim_id':'e','fqdn':'x.y','eim_id_type':2,'protocols':['retrieveHttps','injectHttps'],'public_key':"
          "'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjZyGARSAMqn8NS3DhWrf/fHGbftYox8Wee31AP0ZqeIWtcXX8fpTcKthf8pFdbUdUnWVLwhYA2POROANyxWNCg=='}}]}",
          NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice p;
        int64_t overrides;
        if (order(rows[i].json, &p, &overrides) != OK) fail_msg("%s: %s %s", rows[i].json, e.field, e.why);
        assert_int_equal(overrides, 0);
        if (!rows[i].hex) continue;
        struct slice want = unhex(&a, rows[i].hex);
        bool whole = strlen(rows[i].hex) < 200 && want.n == p.n;
        if (i == 8) {                                      /* the address follows: compare the head, then the tail */
            assert_int_equal(p.n, 2 + p.p[1]);
            assert_memory_equal(p.p + 2, "\xa7\x1a\x80\x00\x81\x04\x67\x81\x12\x01\x82\x10", 12);
            assert_memory_equal(p.p + 14, "smdp.example.com", 16);
            continue;
        }
        assert_true(whole);
        assert_memory_equal(p.p, want.p, want.n);
    }
}

/* addEim: token -1 and counter 0 go with it; the key stands under A5 A0 without its outer SEQUENCE. */
static void add_eim_asks_the_card_for_a_token(void **state)
{
    (void)state;
    struct slice p;
    int64_t overrides;
    struct euicc_package got;
    assert_ok(order("{'ecos':[{'addEim':{'eim_id':'e','public_key':"
                    "'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjZyGARSAMqn8NS3DhWrf/fHGbftYox8Wee31AP0ZqeIWtcXX8fpTcKthf8pFdbUdUnWVLwhYA2POROANyxWNCg=='}}]}",
                    &p, &overrides));
    assert_ok(der_decode(&euicc_package_type, p, &got, &a, &e));
    const struct eim_configuration_data *c = &got.eco_list.v[0].add_eim;
    assert_int_equal(c->association_token, -1);
    assert_int_equal(c->counter_value, 0);
    assert_true(der_has(c, eim_configuration_data, counter_value));
    assert_int_equal(c->eim_public_key_data.der.which, eim_public_key_data_is_eim_public_key);
    assert_non_null(memmem(p.p, p.n, "\xa5\x5b\xa0\x59\x30\x13", 6));
}

static void unlawful_orders_are_refused_by_their_rule(void **state)
{
    (void)state;
    static const struct { const char *json; enum eim_err rc; const char *field, *why; } rows[] = {
        { "{}", E_RULE, "psmos", "one kind" },
        { "{'psmos':[{'getRAT':{}}],'ecos':[{'listEim':{}}]}", E_RULE, "psmos", "one kind" },
        { "{'psmos':[]}", E_INVALID, "psmos", "1 to 16" },
        { "{'psmos':{}}", E_INVALID, "psmos", "1 to 16" },
        { "{'psmos':[{'enable':{'iccid':'8949001000000000001'}},{'enable':{'iccid':'8949001000000000002'}}]}", E_RULE, "psmos", "one enable" },
        { "{'psmos':[{'disable':{'iccid':'8949001000000000001'}},{'disable':{'iccid':'8949001000000000002'}}]}", E_RULE, "psmos", "one disable" },
        { "{'psmos':[{'enable':{'iccid':'8949001000000000001'}},{'listProfileInfo':{}}]}", E_RULE, "psmos", "listProfileInfo" },
        { "{'psmos':[{'delete':{'iccid':'8949001000000000001'}},{'listProfileInfo':{}}]}", E_RULE, "psmos", "listProfileInfo" },
        { "{'psmos':[{'frobnicate':{}}]}", E_INVALID, "psmos", "number 1" },
        { "{'psmos':[{'getRAT':{},'enable':{}}]}", E_INVALID, "psmos", "one member" },
        { "{'psmos':[{'listEim':{}}]}", E_INVALID, "psmos", "PSMO" },
        { "{'ecos':[{'enable':{'iccid':'8949001000000000001'}}]}", E_INVALID, "ecos", "eCO" },
        { "{'psmos':[{'enable':{}}]}", E_INVALID, "enable.iccid", "missing" },
        { "{'psmos':[{'enable':{'iccid':'12345'}}]}", E_INVALID, "enable.iccid", "18 to 20 digits" },
        { "{'psmos':[{'enable':{'iccid':8949001}}]}", E_INVALID, "enable.iccid", "18 to 20 digits" },
        { "{'psmos':[{'enable':{'iccid':'8949001000000000001','colour':1}}]}", E_INVALID, "enable.colour", "no such member" },
        { "{'psmos':[{'enable':{'iccid':'8949001000000000001','rollback':1}}]}", E_INVALID, "enable.rollback", "true or false" },
        { "{'psmos':[{'getRAT':1}]}", E_INVALID, "getRAT", "object" },
        { "{'psmos':[{'setDefaultDpAddress':{}}]}", E_INVALID, "setDefaultDpAddress.address", "missing" },
        { "{'ecos':[{'addEim':{'eim_id':'e'}}]}", E_RULE, "addEim", "public_key" },
        { "{'ecos':[{'addEim':{'eim_id':'e','public_key':'!!'}}]}", E_INVALID, "addEim.public_key", "base64" },
        { "{'ecos':[{'updateEim':{'eim_id':'e','public_key':'MAA='}}]}", E_RULE, "updateEim", "counter" },
        { "{'ecos':[{'deleteEim':{'eim_id':''}}]}", E_INVALID, "deleteEim.eim_id", "a text" },
        { "{'ecos':[{'updateEim':{'eim_id':'e','eim_id_type':9}}]}", E_INVALID, "eim_id_type", "proprietary" },
        { "{'ecos':[{'updateEim':{'eim_id':'e','counter':8388608}}]}", E_INVALID, "counter", "at most" },
        { "{'psmos':[{'getRAT':{}}],'override':['everything']}", E_INVALID, "override", "no_enabled_profile" },
        { "{'psmos':[{'getRAT':{}}],'override':'no_enabled_profile'}", E_INVALID, "override", "list" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice p;
        int64_t overrides;
        enum eim_err rc = order(rows[i].json, &p, &overrides);
        if (rc != rows[i].rc || strcmp(e.field, rows[i].field) || !strstr(e.why, rows[i].why))
            fail_msg("%s: %s field '%s' why '%s'", rows[i].json, err_name(rc), e.field, e.why);
    }
    char many[2048] = "{'psmos':[{'getRAT':{}}";
    for (int i = 0; i < 15; i++) strncat(many, ",{'getRAT':{}}", sizeof many - strlen(many) - 1);
    char *end = many + strlen(many);
    struct slice p;
    int64_t overrides;
    snprintf(end, 8, "]}");
    assert_ok(order(many, &p, &overrides));                /* sixteen */
    snprintf(end, 24, ",{'getRAT':{}}]}");
    assert_int_equal(order(many, &p, &overrides), E_INVALID);
}

static void overrides_are_named(void **state)
{
    (void)state;
    struct slice p;
    int64_t overrides;
    assert_ok(order("{'psmos':[{'getRAT':{}}],'override':['no_enabled_profile','last_way_to_eim']}", &p, &overrides));
    assert_int_equal(overrides, OVERRIDE_NO_ENABLED_PROFILE | OVERRIDE_LAST_WAY_TO_EIM);
}

/* ---- judging ---- */

static const char two_steps[] = "{'psmos':[{'disable':{'iccid':'8949449999999990023'}},{'delete':{'iccid':'8949449999999990023'}}]}";

static struct ops_outcome judge(const char *json, const char *results_hex)
{
    struct slice p;
    int64_t overrides;
    struct euicc_package package;
    struct euicc_package_result_data_signed data;
    struct ops_outcome out;
    char hex[512];
    assert_ok(order(json, &p, &overrides));
    assert_ok(der_decode(&euicc_package_type, p, &package, &a, &e));
    size_t n = strlen(results_hex) / 2;
    snprintf(hex, sizeof hex, "30%02zx80016581010283010330%02zx%s", 3 + 3 + 3 + 2 + n, n, results_hex);
    assert_ok(der_decode(&euicc_package_result_data_signed_type, unhex(&a, hex), &data, &a, &e));
    ops_judge(&package, &data, &out);
    return out;
}

static void results_are_judged_by_position(void **state)
{
    (void)state;
    struct ops_outcome o = judge(two_steps, "840100850100");
    assert_true(o.ok);
    assert_int_equal(o.executed, 2);
    o = judge(two_steps, "840103");                        /* disallowedByPolicy: the rest was not executed */
    assert_false(o.ok);
    assert_int_equal(o.code, 3);
    assert_int_equal(o.executed, 1);
    assert_string_equal(o.step, "disable");
    assert_string_equal(o.name, "disallowedByPolicy");
    o = judge(two_steps, "840100");                        /* short without a reason is not ok */
    assert_false(o.ok);
    assert_null(o.step);
    assert_int_equal(o.code, 127);
    o = judge(two_steps, "");
    assert_false(o.ok);
    assert_int_equal(o.executed, 0);
    o = judge(two_steps, "840100020103");                  /* processingTerminated: interruption */
    assert_false(o.ok);
    assert_string_equal(o.name, "interruption");
    o = judge(two_steps, "840100020100");                  /* a bare INTEGER in place of the operation's own result */
    assert_true(o.ok);
    o = judge(two_steps, "840100830100");                  /* the result of something that was not asked */
    assert_false(o.ok);
    assert_string_equal(o.name, "unexpectedResult");
    o = judge(two_steps, "8401009f6001" "00");
    assert_false(o.ok);
    o = judge(two_steps, "840100850163");                  /* a code that the specification does not know */
    assert_int_equal(o.code, 0x63);
    assert_string_equal(o.name, "unknownCode");
}

static void a_rollback_is_told_apart(void **state)
{
    (void)state;
    static const char enable[] = "{'psmos':[{'enable':{'iccid':'8949449999999990023','rollback':true}}]}";
    struct ops_outcome o = judge(enable, "8c0100");
    assert_true(o.rolled_back);
    assert_false(o.ok);
    o = judge(enable, "8301008c0100");
    assert_true(o.rolled_back);
    o = judge(enable, "8301008c017f");
    assert_false(o.rolled_back);
    assert_string_equal(o.step, "rollback");
    o = judge(enable, "830100");
    assert_true(o.ok && !o.rolled_back);
}

static void the_last_eim_deleted_is_a_success(void **state)
{
    (void)state;
    assert_true(judge("{'ecos':[{'deleteEim':{'eim_id':'e'}}]}", "890102").ok);
    assert_false(judge("{'ecos':[{'deleteEim':{'eim_id':'e'}}]}", "890101").ok);
}

static void steps_are_shown_with_their_outcomes(void **state)
{
    (void)state;
    struct slice p;
    int64_t overrides;
    struct euicc_package package;
    struct euicc_package_result_data_signed data;
    assert_ok(order(two_steps, &p, &overrides));
    assert_ok(der_decode(&euicc_package_type, p, &package, &a, &e));
    assert_ok(der_decode(&euicc_package_result_data_signed_type, unhex(&a, "300e800165810102830103" "3003840103"), &data, &a, &e));
    json_t *steps = ops_json(&package, &data, &a);
    char *text = json_dumps(steps, JSON_COMPACT);
    assert_string_equal(text, "[{\"op\":\"disable\",\"iccid\":\"8949449999999990023\",\"code\":3,\"outcome\":\"disallowedByPolicy\"},"
                              "{\"op\":\"delete\",\"iccid\":\"8949449999999990023\",\"outcome\":\"not_executed\"}]");
    free(text);
    json_decref(steps);
}

static void an_enrolment_is_read_member_by_member(void **state)
{
    (void)state;
    static const struct { const char *json, *field; size_t labels; } rows[] = {
        { "{'eid':'x','labels':{'site':'a'},'imei':'490154203237518'}", NULL, 2 }, { "{'eid':'x','imei':'4901'}", "imei", 0 },
        { "{'eid':'x','imei':49015420323751}", "imei", 0 },  { "{'eid':'x','imei':'49015420323751x'}", "imei", 0 },
        { "{'eid':'x','imei':'490154203237518','labels':{'imei':'1'}}", "imei", 0 }, { "{'labels':{}}", "eid", 0 },
        { "{'eid':'x','colour':1}", "colour", 0 }, { "{'eid':'x','public_key':'-----BEGIN PUBLIC KEY-----\\nMAA=\\n-----END PUBLIC KEY-----'}", NULL, 0 },
        { "{'eid':'x','public_key':'!'}", "public_key", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        size_t n = 0;
        json_t *v;
        struct enrolment out;
        for (const char *p = rows[i].json; *p; p++) text[n++] = *p == '\'' ? '"' : *p;
        e = (struct err){ 0 };
        assert_ok(json_read((struct slice){ (uint8_t *)text, n }, sizeof text, &v, &e));
        enum eim_err rc = manage_enrolment_from_json(v, &out, &a, &e);
        if ((rc == OK) != !rows[i].field || (rows[i].field && strcmp(e.field, rows[i].field))) fail_msg("%s: %s %s", rows[i].json, e.field, e.why);
        if (rc == OK) assert_int_equal(out.nlabels, rows[i].labels);
        json_decref(v);
    }
}

static void only_lists_are_inventories(void **state)
{
    (void)state;
    static const struct { const char *json; bool is; } rows[] = {
        { "{'psmos':[{'listProfileInfo':{}}]}", true }, { "{'psmos':[{'getRAT':{}},{'listProfileInfo':{}}]}", true },
        { "{'ecos':[{'listEim':{}}]}", true }, { "{'psmos':[{'listProfileInfo':{}},{'setDefaultDpAddress':{'address':'x'}}]}", false },
        { "{'psmos':[{'configureImmediateEnable':{}}]}", false }, { "{'ecos':[{'deleteEim':{'eim_id':'e'}}]}", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice p;
        int64_t overrides;
        struct euicc_package package;
        assert_ok(order(rows[i].json, &p, &overrides));
        assert_ok(der_decode(&euicc_package_type, p, &package, &a, &e));
        assert_int_equal(ops_is_inventory(&package), rows[i].is);
    }
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(every_psmo_and_eco_is_encoded_as_specified), T(add_eim_asks_the_card_for_a_token),
        T(unlawful_orders_are_refused_by_their_rule), T(overrides_are_named), T(results_are_judged_by_position),
        T(a_rollback_is_told_apart), T(the_last_eim_deleted_is_a_success), T(steps_are_shown_with_their_outcomes),
        T(only_lists_are_inventories), T(an_enrolment_is_read_member_by_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
