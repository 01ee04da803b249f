/* test_handover.c -- a card goes from this eIM to another, and what shows that the other one controls it. */
#include "test/scenario/field.h"

#include "eim/ops.h"

#include <stdio.h>

static struct field f;
static struct gadget g;
static struct private_key *other_key;
static struct err e;

static const char OTHER[] = "other.example.net";

static int up(void **state)
{
    (void)state;
    field_open(&f);
    gadget_make(&g, &f, 1, true);
    gadget_settle(&g);
    assert_ok(private_key_generate(&other_key, CURVE_P256, &e));
    return 0;
}

static int down(void **state)
{
    (void)state;
    private_key_free(other_key);
    gadget_free(&g);
    field_close(&f);
    return 0;
}

/* The members of addEim for the other eIM; new reference. */
static json_t *other_eim(void)
{
    struct slice spki;
    char b64[256];
    assert_ok(public_key_spki(private_key_public(other_key), &spki, field_arena(&f), &e));
    slice_to_b64(spki, b64);
    return json_pack("{s:s,s:i,s:s}", "eim_id", OTHER, "eim_id_type", 2, "public_key", b64);
}

static enum handover_step handover_try(bool dry, enum eim_err want)
{
    enum handover_step step = HANDOVER_END;
    struct eid eid;
    json_t *to = other_eim();
    assert_true(eid_parse(slice_str(g.eid), true, &eid));
    e = (struct err){ 0 };
    enum eim_err rc = manage_handover(f.eim, &f.admin, &eid, to, dry, &step, field_arena(&f), &e);
    json_decref(to);
    if (rc != want) fail_msg("%s: %s", err_name(rc), e.why);
    return step;
}

static void step_is(enum handover_step want)
{
    assert_int_equal(handover_try(true, OK), want);
    assert_int_equal(handover_try(false, OK), want);
    gadget_settle(&g);
}

/* What the other eIM would send: listProfileInfo under its key, answered by the card. */
static struct slice other_package(int64_t counter, int64_t token, struct arena *a)
{
    uint8_t sig[SIGNATURE_SIZE], tlv[12];
    struct euicc_package_signed tbs = { .eim_id = slice_str(OTHER), .eid_value = { g.card.eid, sizeof g.card.eid }, .counter_value = counter };
    der_verbatim_choice(&tbs.euicc_package.der, ops_inventory(a));
    struct slice part = der_encode(&euicc_package_signed_type, &tbs, a);
    assert_ok(private_key_sign(other_key, (struct slice[]){ part, sgp32_token_tlv(token, tlv) }, 2, sig, &e));
    struct euicc_package_request r = { .eim_signature = { sig, sizeof sig } };
    der_verbatim_seq(&r.euicc_package_signed.der, part);
    return sim_euicc_es10b(&g.card, der_encode(&euicc_package_request_type, &r, a), a);
}

static void claim(struct slice result, const char *reason, int64_t token, enum eim_err want)
{
    struct control_claim c = { .eim_id = slice_str(OTHER), .result = result, .reason = slice_str(reason), .token = token };
    struct arena a;
    arena_init(&a, 1 << 20);
    e = (struct err){ 0 };
    enum eim_err rc = manage_control(f.eim, &f.admin, slice_str(g.eid), &c, &a, &e);
    arena_free(&a);
    if (rc != want) fail_msg("%s, not %s: %s", err_name(rc), err_name(want), e.why);
}

static void a_card_goes_to_another_eim_step_by_step(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    step_is(HANDOVER_LISTING);
    assert_int_equal(handover_try(false, OK), HANDOVER_ADDING);
    assert_int_equal(handover_try(false, OK), HANDOVER_WAITING);           /* ordered once, however often one asks */
    gadget_settle(&g);
    assert_int_equal(g.card.n_eims, 2);
    field_restart(&f);                                                     /* where it stands is what the card attests */
    step_is(HANDOVER_UNPROVEN);
    int64_t token = g.card.eims[1].token;
    struct slice proof = arena_copy(&a, other_package(1, token, &a));
    assert_true(proof.n > 100);
    claim(proof, "", DEVICE_TOKEN_NONE, OK);
    assert_true(gadget_view(&g).eims.v[1].control_us > 0);
    assert_true(slice_eq(gadget_view(&g).eims.v[1].control, proof));
    step_is(HANDOVER_LEAVING);
    assert_int_equal(g.card.n_eims, 1);
    step_is(HANDOVER_GONE);
    assert_int_equal(gadget_view(&g).eims.n, 1);
    assert_true(other_package(2, token, &a).n > 100);                      /* the other one goes on */
    arena_free(&a);
}

static void only_a_result_that_the_card_signed_for_the_other_one_proves_it(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    claim(SLICE("x"), "", DEVICE_TOKEN_NONE, E_STATE);                     /* not on the list yet */
    step_is(HANDOVER_LISTING);
    step_is(HANDOVER_ADDING);
    int64_t token = g.card.eims[1].token;
    struct slice proof = arena_copy(&a, other_package(1, token, &a));
    for (size_t i = 0; i < proof.n; i++) {                                 /* no bit of what is signed, nor of the signature, may be another */
        uint8_t *bent = arena_copy(&a, proof).p ? (uint8_t *)(uintptr_t)arena_copy(&a, proof).p : NULL;
        assert_non_null(bent);
        bent[i] ^= 1;
        struct control_claim c = { .eim_id = slice_str(OTHER), .result = { bent, proof.n }, .token = DEVICE_TOKEN_NONE };
        struct arena b;
        arena_init(&b, 1 << 20);
        e = (struct err){ 0 };
        enum eim_err rc = manage_control(f.eim, &f.admin, slice_str(g.eid), &c, &b, &e);
        arena_free(&b);
        if (rc == OK) fail_msg("octet %zu may be another", i);
    }
    claim(slice_of(proof.p, proof.n - 1), "", DEVICE_TOKEN_NONE, E_INVALID);
    claim(proof, "", token + 1, E_MISMATCH);
    claim(other_package(1, token, &a), "", DEVICE_TOKEN_NONE, E_INVALID);  /* replayError: a signed error is no result */
    claim(other_package(9, token + 1, &a), "", DEVICE_TOKEN_NONE, E_INVALID);      /* an unsigned one */
    int64_t ours = gadget_order(&g, "{\"ecos\":[{\"listEim\":{}}]}");
    gadget_settle(&g);
    claim(arena_copy(&a, gadget_operation(&g, ours).result), "", DEVICE_TOKEN_NONE, E_MISMATCH);     /* our own */
    claim(proof, "both", DEVICE_TOKEN_NONE, E_INVALID);
    claim((struct slice){ 0 }, "", DEVICE_TOKEN_NONE, E_INVALID);
    step_is(HANDOVER_UNPROVEN);
    claim(proof, "", token, OK);
    arena_free(&a);
}

static void a_person_may_vouch_for_it_and_a_new_association_forgets_it(void **state)
{
    (void)state;
    step_is(HANDOVER_LISTING);
    step_is(HANDOVER_ADDING);
    claim((struct slice){ 0 }, "seen in the other eIM's console", DEVICE_TOKEN_NONE, OK);
    assert_int_equal(handover_try(true, OK), HANDOVER_LEAVING);
    (void)gadget_order(&g, "{\"ecos\":[{\"deleteEim\":{\"eim_id\":\"other.example.net\"}}]}");
    gadget_settle(&g);
    step_is(HANDOVER_ADDING);
    step_is(HANDOVER_UNPROVEN);
    assert_int_equal(g.card.n_eims, 2);
}

static void an_eim_that_is_there_already_is_not_added_again(void **state)
{
    (void)state;
    json_t *to = other_eim(), *order = json_pack("{s:[{s:O}]}", "ecos", "addEim", to);
    char *text = json_dumps(order, JSON_COMPACT);
    (void)gadget_order(&g, text);
    free(text);
    json_decref(order);
    json_decref(to);
    gadget_settle(&g);
    step_is(HANDOVER_LISTING);
    step_is(HANDOVER_UNPROVEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_card_goes_to_another_eim_step_by_step, up, down),
        cmocka_unit_test_setup_teardown(only_a_result_that_the_card_signed_for_the_other_one_proves_it, up, down),
        cmocka_unit_test_setup_teardown(a_person_may_vouch_for_it_and_a_new_association_forgets_it, up, down),
        cmocka_unit_test_setup_teardown(an_eim_that_is_there_already_is_not_added_again, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
