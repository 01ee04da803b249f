/* test_deviating.c -- known deviations that change what the eIM does (eim/quirks.h): said of a device, of a kind of devices, or learned. */
#include "test/scenario/field.h"

#include "eim/quirks.h"

static struct field f;
static struct gadget g;
static struct err e;

static const char SWITCH[] = "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}";

static int up(void **state)
{
    (void)state;
    field_open(&f);
    gadget_make(&g, &f, 1, true);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    field_close(&f);
    return 0;
}

static void be(const char *quirk)
{
    uint64_t bit = sim_quirk_named(quirk);
    assert_true(bit != 0);
    g.card.quirks |= bit;
}

/* PATCH /v1/devices/{eid} {"quirks":[name]}; NULL: none. */
static void say(const char *name)
{
    json_t *change = json_pack("{s:[]}", "quirks");
    if (name) json_array_append_new(json_object_get(change, "quirks"), json_string(name));
    e = (struct err){ 0 };
    enum eim_err rc = manage_device_change(f.eim, &f.admin, slice_str(g.eid), change, field_arena(&f), &e);
    json_decref(change);
    assert_ok(rc);
}

static int64_t rule(const char *text, enum eim_err want)
{
    struct quirk_rule r;
    json_t *v = json_loads(text, 0, NULL);
    assert_non_null(v);
    e = (struct err){ 0 };
    enum eim_err rc = manage_quirk_rule_from_json(v, &r, &e);
    if (rc == OK) rc = manage_quirk_rule_add(f.eim, &f.admin, &r, field_arena(&f), &e);
    json_decref(v);
    if (rc != want) fail_msg("%s: %s: %s", text, err_name(rc), e.why);
    return r.id;
}

static void settle_over_days(void)
{
    for (int i = 0; i < 4; i++) {
        gadget_settle(&g);
        field_pass(&f, 11 * MINUTE);
    }
}

static void a_peer_of_v1_0_is_managed_once_it_is_said_to_be_one(void **state)
{
    (void)state;
    be("v1.0");
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    for (int i = 0; i < 6; i++) {                                  /* it gives results up whose answer it does not know */
        (void)gadget_contact(&g);
        field_pass(&f, 11 * MINUTE);
    }
    assert_int_equal(FIELD_COUNT(&f, results_verified), 0);        /* behind a switch: nothing of it counts before */
    assert_true(gadget_state(&g, op) == OP_SENT || gadget_state(&g, op) == OP_PENDING);
    uint64_t broken = g.n.malformed;
    assert_true(broken > 0);
    say("v1.0");
    settle_over_days();
    field_pass(&f, 8 * DAY);
    settle_over_days();
    assert_int_equal(g.n.malformed, broken);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    field_pass(&f, MINUTE);
    op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    settle_over_days();
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_enabled(&g), g.b);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.device.key_class, KEY_CI);
    assert_int_equal(v.device.inventory_us > 0, true);
    assert_int_equal(v.device.state_cause_us, 0);                  /* its tag 81 is the network, no cause */
    assert_int_equal(v.device.rplmn.n, 3);
    assert_memory_equal(v.device.rplmn.p, f.world.operators[1].plmn, 3);
    assert_true(g.n.acks > 0);
    assert_non_null(strstr(gadget_try(&g, "{\"psmos\":[{\"setFallbackAttribute\":{\"iccid\":\"'A\"}}]}", E_RULE), "v1.0"));
    (void)gadget_order(&g, "{\"psmos\":[{\"unsetFallbackAttribute\":{}}],\"override\":[\"quirk\"]}");
}

static void a_false_proof_in_the_form_of_v1_0_counts_for_nothing(void **state)
{
    (void)state;
    static const char *const forgers[] = { "wrong-signature", "dummy-signature", "foreign-epr", "replay-epr" };
    be("v1.0");
    say("v1.0");
    settle_over_days();
    assert_true(FIELD_COUNT(&f, results_verified) > 0);
    for (size_t i = 0; i < sizeof forgers / sizeof *forgers; i++) {
        int64_t before = FIELD_COUNT(&f, results_verified);
        g.card.quirks = sim_quirk_named("v1.0") | sim_quirk_named(forgers[i]);
        if (i == 3) {                                              /* its first result is kept, and shown for the second */
            (void)gadget_order(&g, "{\"psmos\":[{\"listProfileInfo\":{}}]}");
            settle_over_days();
            before = FIELD_COUNT(&f, results_verified);
        }
        int64_t op = gadget_order(&g, "{\"psmos\":[{\"listProfileInfo\":{}}]}");
        settle_over_days();
        if (FIELD_COUNT(&f, results_verified) != before) fail_msg("%s", forgers[i]);
        assert_int_not_equal(gadget_state(&g, op), OP_DONE);
        g.card.quirks = sim_quirk_named("v1.0");
        g.card.stored.n = 0;
        field_pass(&f, 8 * DAY);
        settle_over_days();
    }
}

static void a_refused_tag_list_is_learned_and_a_shorter_one_sent(void **state)
{
    (void)state;
    be("short-tag-list");
    gadget_settle(&g);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.device.quirks, QUIRK_SHORT_TAG_LIST);
    assert_int_equal(v.device.key_class, KEY_CI);                  /* the second request brought the certificates */
    assert_int_equal(g.n.data_requests, 2);
    int64_t op = gadget_order(&g, SWITCH);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    say(NULL);
    assert_int_equal(gadget_view(&g).device.quirks, 0);
}

static void a_card_that_cannot_roll_back_is_learned(void **state)
{
    (void)state;
    be("card-no-rollback");
    gadget_settle(&g);
    int64_t op = gadget_order(&g, SWITCH);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_int_equal(gadget_view(&g).device.quirks, QUIRK_NO_ROLLBACK);
    assert_non_null(strstr(gadget_try(&g, SWITCH, E_RULE), "rollbackNotAvailable"));
    op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
}

static void keys_are_written_as_the_card_takes_them(void **state)
{
    (void)state;
    struct slice spki;
    char b64[256], maker[80];
    be("whole-certificate");
    gadget_settle(&g);
    assert_ok(public_key_spki(sim_euicc_public(&g.card), &spki, field_arena(&f), &e));
    slice_to_b64(spki, b64);
    char *order = arena_printf(field_arena(&f), "{\"ecos\":[{\"addEim\":{\"eim_id\":\"other\",\"public_key\":\"%s\"}}]}", b64);
    char text[512];
    snprintf(text, sizeof text, "%s", order);
    int64_t op = gadget_order(&g, text);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);             /* the form of the specification: commandError from this card */
    /* a rule for its maker, then one that is not about it */
    snprintf(maker, sizeof maker, "{\"maker\":\"%.8s\",\"quirks\":[\"whole-certificate\"],\"note\":\"seen in the lab\"}", g.eid);
    int64_t id = rule(maker, OK);
    assert_int_equal(gadget_view(&g).quirks, QUIRK_WHOLE_CERTIFICATE);
    op = gadget_order(&g, text);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_int_equal(gadget_view(&g).eims.n > 0, true);
    assert_ok(manage_quirk_rule_delete(f.eim, &f.admin, id, field_arena(&f), &e));
    assert_int_equal(gadget_view(&g).quirks, 0);
    (void)rule("{\"maker\":\"99\",\"quirks\":[\"whole-certificate\"]}", OK);
    assert_int_equal(gadget_view(&g).quirks, 0);
}

static void rules_match_maker_firmware_and_ipa(void **state)
{
    (void)state;
    struct euicc_facts facts;
    struct tx *t;
    int64_t quirks;
    char text[160];
    gadget_settle(&g);
    struct device_view v = gadget_view(&g);
    assert_true(manage_euicc_facts(&v.data, &facts, field_arena(&f)));
    snprintf(text, sizeof text, "{\"firmware\":\"%s\",\"quirks\":[\"raw-signature\"]}", facts.firmware);
    (void)rule(text, OK);
    (void)rule("{\"firmware\":\"9.9.9\",\"quirks\":[\"v1.0\"]}", OK);
    (void)rule("{\"ipa\":\"gsma-rsp-ipad;x\",\"quirks\":[\"bare-empty-response\"]}", OK);
    assert_int_equal(gadget_view(&g).quirks, QUIRK_RAW_SIGNATURE);
    assert_ok(store_read_begin(f.store, &t, &e));
    assert_ok(quirks_of(f.eim, t, &v.device, "gsma-rsp-ipad;x 2.1", &quirks, field_arena(&f), &e));
    assert_int_equal(quirks, QUIRK_RAW_SIGNATURE | QUIRK_BARE_EMPTY);
    assert_ok(quirks_of(f.eim, t, &v.device, "gsma-rsp-ipae", &quirks, field_arena(&f), &e));
    assert_int_equal(quirks, QUIRK_RAW_SIGNATURE);
    store_read_end(t);
    field_restart(&f);                                             /* rules outlive the process */
    assert_int_equal(gadget_view(&g).quirks, QUIRK_RAW_SIGNATURE);
}

static void wrong_rules_are_refused_by_the_member(void **state)
{
    (void)state;
    static const struct { const char *text, *field; } bad[] = {
        { "{\"quirks\":[\"v1.0\"]}", "maker" },                             { "{\"maker\":\"8904x\",\"quirks\":[\"v1.0\"]}", "maker" },
        { "{\"maker\":\"890490320010010000000000000000001\",\"quirks\":[\"v1.0\"]}", "maker" },
        { "{\"maker\":\"8904\",\"quirks\":[]}", "quirks" },                 { "{\"maker\":\"8904\",\"quirks\":[\"v2.0\"]}", "quirks" },
        { "{\"maker\":\"8904\",\"quirks\":\"v1.0\"}", "quirks" },           { "{\"maker\":\"8904\"}", "quirks" },
        { "{\"firmware\":\"1.2\",\"quirks\":[\"v1.0\"]}", "firmware" },     { "{\"ipa\":\"a\\nb\",\"quirks\":[\"v1.0\"]}", "ipa" },
        { "{\"maker\":8904,\"quirks\":[\"v1.0\"]}", "maker" },              { "{\"maker\":\"8904\",\"quirks\":[\"v1.0\"],\"x\":1}", "x" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)rule(bad[i].text, E_INVALID);
        assert_string_equal(e.field, bad[i].field);
    }
    assert_refused(E_NOT_FOUND, manage_quirk_rule_delete(f.eim, &f.admin, 77, field_arena(&f), &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_peer_of_v1_0_is_managed_once_it_is_said_to_be_one, up, down),
        cmocka_unit_test_setup_teardown(a_false_proof_in_the_form_of_v1_0_counts_for_nothing, up, down),
        cmocka_unit_test_setup_teardown(a_refused_tag_list_is_learned_and_a_shorter_one_sent, up, down),
        cmocka_unit_test_setup_teardown(a_card_that_cannot_roll_back_is_learned, up, down),
        cmocka_unit_test_setup_teardown(keys_are_written_as_the_card_takes_them, up, down),
        cmocka_unit_test_setup_teardown(rules_match_maker_firmware_and_ipa, up, down),
        cmocka_unit_test_setup_teardown(wrong_rules_are_refused_by_the_member, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
