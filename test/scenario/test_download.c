/* test_download.c -- direct profile download: triggers given, answered in every way, refused, lost, and proven (spec 5.7). */
#include "test/scenario/field.h"

#include "crypto/key.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;

/* What the device's download leads to; set by each test. */
enum answer { INSTALLS, REFUSES, NEVER, FORGES, ECALL, OLD_PROOF };
static struct { enum answer how; unsigned triggers; uint8_t iccid[10]; char code[64]; } smdp;

/* A ProfileInstallationResult, signed by the card (or, forged, by nobody). */
static struct slice pir(struct sim_euicc *card, bool good, struct arena *a)
{
    struct err e = { 0 };
    struct private_key *key;
    uint8_t sig[SIGNATURE_SIZE], bits[4];
    struct profile_installation_result r = { 0 };
    struct profile_installation_result_data *d = &r.profile_installation_result_data;
    d->transaction_id = SLICE("0123456789abcdef");
    d->notification_metadata.seq_number = smdp.how == OLD_PROOF ? 0 : card->next_seq++;
    d->notification_metadata.profile_management_operation = der_bits_from(1u << NOTIFICATION_EVENT_INSTALL, bits);
    d->notification_metadata.notification_address = SLICE("smdp.example.com");
    d->notification_metadata.iccid = (struct slice){ smdp.iccid, 10 };
    der_set(&d->notification_metadata, notification_metadata, iccid);
    d->smdp_oid = SLICE("\x2a\x03");
    if (good) {
        d->final_result.der.which = final_result_is_success_result;
        d->final_result.success_result.aid = SLICE("\xa0\x00\x00\x05\x59");
        d->final_result.success_result.sima_response = SLICE("\x30\x07");
    } else {
        d->final_result.der.which = final_result_is_error_result;
        d->final_result.error_result.error_reason = BPP_ERROR_REASON_INSUFFICIENT_MEMORY;
    }
    r.euicc_sign_pir = (struct slice){ sig, sizeof sig };
    memset(sig, 1, sizeof sig);
    struct slice once = der_encode(&profile_installation_result_type, &r, a);
    struct profile_installation_result back;
    assert_ok(der_decode(&profile_installation_result_type, once, &back, a, &e));
    if (smdp.how != FORGES) {
        assert_ok(sim_pki_device_key(card->world->pki, card->seed, card->eid, &key, &e));
        assert_ok(private_key_sign(key, &back.profile_installation_result_data.der.raw, 1, sig, &e));
        private_key_free(key);
    }
    return der_encode(&profile_installation_result_type, &r, a);
}

static struct slice on_trigger(void *arg, struct sim_euicc *card, struct slice trigger, struct arena *a)
{
    struct profile_download_trigger_request r;
    struct err e = { 0 };
    (void)arg;
    smdp.triggers++;
    assert_ok(der_decode(&profile_download_trigger_request_type, trigger, &r, a, &e));
    struct slice code = r.profile_download_data.der.which == profile_download_data_is_activation_code
                      ? r.profile_download_data.activation_code : SLICE("no code");
    snprintf(smdp.code, sizeof smdp.code, "%.*s", (int)code.n, (const char *)code.p);
    if (smdp.how == NEVER) return (struct slice){ NULL, SIZE_MAX };
    if (smdp.how == ECALL) return SLICE("\x30\x03\x80\x01\x68");
    if (smdp.how == INSTALLS) {
        struct sim_profile p = { .operator_ = 1, .class_ = SIM_OPERATIONAL };
        memcpy(p.iccid, smdp.iccid, 10);
        assert_true(sim_euicc_install(card, &p) >= 0);
    }
    return pir(card, smdp.how == INSTALLS || smdp.how == FORGES || smdp.how == OLD_PROOF, a);
}

static int up(void **state)
{
    (void)state;
    memset(&smdp, 0, sizeof smdp);
    field_open(&f);
    f.ipa_config.trigger = on_trigger;
    gadget_make(&g, &f, 21, true);
    sim_iccid_make("8949002", 9, 999, smdp.iccid);
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

static const char by_code[] = "{\"download\":{\"activation_code\":\"LPA:1$smdp.example.com$MATCH-1\"}}";

static void a_profile_is_downloaded_and_the_proof_kept(void **state)
{
    (void)state;
    int64_t op = gadget_order(&g, by_code), counter = gadget_view(&g).device.counter;
    gadget_settle(&g);
    struct operation o = gadget_operation(&g, op);
    assert_int_equal(o.state, OP_DONE);
    assert_int_equal(o.counter, 0);                        /* a trigger spends no counter */
    assert_string_equal(gadget_reason(&g, op), "installed (eUICC-signed)");
    assert_string_equal(smdp.code, "1$smdp.example.com$MATCH-1");
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.profiles.n, 3);                     /* as the inventory after it tells */
    assert_int_equal(v.device.counter, counter + 1);
    assert_int_equal(v.device.download_op, 0);
    o = gadget_operation(&g, op);
    json_t *steps = manage_operation_steps(&o, &f.arena);
    char *text = json_dumps(steps, JSON_COMPACT);
    assert_string_equal(text, "[{\"op\":\"download\",\"smdp\":\"smdp.example.com\",\"outcome\":\"ok\"}]");     /* and no matching id */
    free(text);
    json_decref(steps);
}

static void a_download_that_fails_says_why(void **state)
{
    (void)state;
    int64_t op = gadget_order(&g, "{\"download\":{\"default_smdp\":true}}");
    gadget_settle(&g);                                     /* the card has no default SM-DP+: the IPA refuses the trigger */
    assert_string_equal(gadget_reason(&g, op), "invalidPackageFormat(1) (IPA-reported)");
    smdp.how = REFUSES;
    op = gadget_order(&g, by_code);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_string_equal(gadget_reason(&g, op), "installFailedDueToInsufficientMemoryForProfile(10) (eUICC-signed)");
    assert_int_equal(gadget_operation(&g, op).code, BPP_ERROR_REASON_INSUFFICIENT_MEMORY);
    smdp.how = ECALL;
    op = gadget_order(&g, "{\"download\":{\"smds\":\"lpa.ds.gsma.com\"}}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_string_equal(gadget_reason(&g, op), "ecallActive(104) (IPA-reported)");
}

static void a_forged_result_ends_nothing(void **state)
{
    (void)state;
    smdp.how = FORGES;
    int64_t op = gadget_order(&g, by_code);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_SENT);
    assert_int_equal(FIELD_COUNT(&f, results_refused), 1);
    assert_int_equal(gadget_view(&g).profiles.n, 2);
}

/* A genuine ProfileInstallationResult of an earlier download, shown again. */
static void an_old_proof_is_no_proof(void **state)
{
    (void)state;
    smdp.how = OLD_PROOF;
    int64_t op = gadget_order(&g, by_code);
    gadget_settle(&g);
    assert_string_equal(gadget_reason(&g, op), "installed (IPA-reported)");
    assert_int_equal(gadget_view(&g).profiles.n, 2);       /* the inventory after it tells the truth */
}

static void an_unanswered_trigger_is_given_three_times_and_then_failed(void **state)
{
    (void)state;
    smdp.how = NEVER;
    int64_t op = gadget_order(&g, by_code);
    int64_t other = gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
    (void)gadget_contact(&g);
    assert_int_equal(smdp.triggers, 1);
    (void)gadget_contact(&g);
    assert_int_equal(gadget_state(&g, other), OP_DONE);    /* it does not block packages */
    assert_int_equal(smdp.triggers, 1);
    for (int i = 0; i < 6; i++) {
        field_pass(&f, 61 * MINUTE);
        (void)gadget_contact(&g);
    }
    assert_int_equal(smdp.triggers, 3);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_string_equal(gadget_reason(&g, op), "the device never answered the trigger; an inventory will tell what is there");
    assert_int_equal(gadget_view(&g).device.download_op, 0);
}

/* eimPackageResultResponseError: unsigned, but a trigger may end on it; with another transaction id it ends nothing. */
static void an_ipa_that_refuses_the_trigger_is_believed(void **state)
{
    (void)state;
    smdp.how = NEVER;
    int64_t op = gadget_order(&g, by_code);
    (void)gadget_contact(&g);
    struct operation o = gadget_operation(&g, op);
    for (int right = 0; right < 2; right++) {
        struct arena a;
        struct eid eid;
        arena_init(&a, 65536);
        assert_true(eid_parse(slice_str(g.eid), true, &eid));
        struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
        struct provide_eim_package_result *p = &m.provide_eim_package_result;
        p->eid_value = (struct slice){ eid.b, 16 };
        der_set(p, provide_eim_package_result, eid_value);
        p->eim_package_result.der.which = eim_package_result_is_eim_package_result_response_error;
        struct eim_package_result_response_error *x = &p->eim_package_result.eim_package_result_response_error;
        x->eim_transaction_id = right ? arena_copy(&a, o.txid) : SLICE("another one here");
        der_set(x, eim_package_result_response_error, eim_transaction_id);
        x->eim_package_result_error_code = EIM_PACKAGE_RESULT_ERROR_INVALID_PACKAGE_FORMAT;
        field_post(&f, der_encode(&esipa_from_ipa_type, &m, &a));
        arena_free(&a);
        if (!right) assert_int_equal(gadget_state(&g, op), OP_SENT);
        o = gadget_operation(&g, op);
    }
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_string_equal(gadget_reason(&g, op), "invalidPackageFormat(1) (IPA-reported)");
}

static void orders_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    assert_non_null(strstr(gadget_try(&g, "{\"download\":{\"activation_code\":\"smdp.example.com\"}}", E_INVALID), "format"));
    assert_non_null(strstr(gadget_try(&g, "{\"download\":{\"activation_code\":\"1$$M\"}}", E_INVALID), "SM-DP+ address"));
    assert_non_null(strstr(gadget_try(&g, "{\"download\":{\"activation_code\":\"1$smdp\"}}", E_INVALID), "matching id"));
    assert_non_null(strstr(gadget_try(&g, "{\"download\":{\"activation_code\":\"1$smdp$M$1.2.3$1\"}}", E_RULE), "confirmation code"));
    (void)gadget_try(&g, "{\"download\":{}}", E_INVALID);
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":false}}", E_INVALID);
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":true,\"smds\":true}}", E_INVALID);
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":true},\"psmos\":[{\"getRAT\":{}}]}", E_RULE);
}

static void a_pending_download_can_be_cancelled(void **state)
{
    (void)state;
    struct operation o;
    struct err e = { 0 };
    int64_t op = gadget_order(&g, by_code);
    assert_ok(manage_operation_cancel(f.eim, &f.admin, op, &o, field_arena(&f), &e));
    gadget_settle(&g);
    assert_int_equal(smdp.triggers, 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(a_profile_is_downloaded_and_the_proof_kept), T(a_download_that_fails_says_why), T(a_forged_result_ends_nothing), T(an_old_proof_is_no_proof),
        T(an_unanswered_trigger_is_given_three_times_and_then_failed), T(an_ipa_that_refuses_the_trigger_is_believed),
        T(orders_that_make_no_sense_are_refused), T(a_pending_download_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
