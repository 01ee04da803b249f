/* test_sim_euicc.c -- the software eUICC against captured bytes, and against the specification's rules by hand. */
#include "test/unit/sim_double.h"

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, CURVE_P256);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* ---- golden bytes -------------------------------------------------------------------------------------------- */

/* An eUICC with this EID, this eIM's key (SPKI in DER), token and last counter. */
static void fresh_card(struct sim_euicc *c, const char *eid, const char *eim_id, struct slice spki, int64_t token, int64_t counter)
{
    uint8_t raw[SIM_EID];
    struct tlv t;
    assert_int_equal(slice_unhex(slice_str(eid), raw, sizeof raw), SIM_EID);
    sim_euicc_init(c, &rig.w, 1, raw);
    c->last_token = (uint32_t)(token > 0 ? token - 1 : 0);
    assert_true(tlv_only(spki, &t));
    struct slice fields = TLV(&rig.a, 0, tlv_put_str(&rig.a, T_0, eim_id), tlv_put_int(&rig.a, T_3, counter),
                              token > 0 ? hx(&rig, "8401FF") : hx(&rig, ""), TLV(&rig.a, T_C5, TLV(&rig.a, T_C0, t.value)));
    struct slice answer = add_initial(&rig, c, fields);
    assert_bytes(answer, token > 0 ? TLV(&rig.a, T_ADD_INITIAL_EIM, TLV(&rig.a, T_C0, tlv_put_int(&rig.a, T_4, token)))
                                   : hx(&rig, "BF5704A0020500"));
}

static void the_real_cards_request_is_answered_as_the_real_card_did(void **state)
{
    (void)state;
    json_t *all = vectors_load("real-card.json"), *v = json_array_get(all, 0);
    struct public_key *k;
    struct slice spki;
    assert_int_equal(public_key_from_point(&k, CURVE_P256, vectors_hex(&rig.a, v, "eim_public_key"), &rig.e), OK);
    assert_int_equal(public_key_spki(k, &spki, &rig.a, &rig.e), OK);
    struct sim_euicc c;
    fresh_card(&c, vectors_text(v, "eid"), "eIM", spki, 1, 0x3ED);
    c.next_seq = 0x14;
    struct slice got = sim_euicc_es10b(&c, vectors_hex(&rig.a, v, "request"), &rig.a);
    struct slice want = vectors_hex(&rig.a, v, "result");
    assert_int_equal(got.n, want.n);
    assert_bytes(slice_of(got.p, got.n - 64), slice_of(want.p, want.n - 64));      /* all but the signature */
    rig.token = 1;
    checked(&rig, &c, got, T_C0);

    uint8_t *flipped = (uint8_t *)(uintptr_t)arena_copy(&rig.a, vectors_hex(&rig.a, v, "request")).p;
    size_t n = vectors_hex(&rig.a, v, "request").n;
    for (size_t at = 8; at < n; at += 7) {                                         /* nothing tampered with is executed */
        flipped[at] ^= 1;
        struct slice r = sim_euicc_es10b(&c, slice_of(flipped, n), &rig.a);
        struct tlv t;
        if (r.n != 0)                                                              /* not even LoadEuiccPackage any more */
            assert_true(tlv_only(r, &t) && tlv_only(t.value, &t) && t.tag == T_C2);
        flipped[at] ^= 1;
    }
    assert_int_equal(c.eims[0].counter, 0x3EE);
    sim_euicc_free(&c);
    public_key_free(k);
    json_decref(all);
}

/* One vector: with its token the package runs and gives the very bytes that an independent tool made; with the token
 * of its "wrong-token" entry, or one bit changed, it is refused without a signature. */
static void try_vector(const json_t *v)
{
    static const struct { const char *suffix; bool accept; } ends[] = { { "/wrong-token", false }, { "/tampered-result", true } };
    const char *name = vectors_text(v, "name");
    bool accept = true;
    for (size_t i = 0; i < 2; i++)
        if (strlen(name) > strlen(ends[i].suffix) && !strcmp(name + strlen(name) - strlen(ends[i].suffix), ends[i].suffix))
            accept = ends[i].accept;
    struct slice request = vectors_hex(&rig.a, v, "request"), tbs = vectors_hex(&rig.a, v, "result_tbs");
    json_t *token = vectors_member(v, "association_token");
    int64_t n = json_is_null(token) ? 0 : json_integer_value(token), counter, seq = 0;
    struct tlv t, data, signed_, f, iccid;
    struct sim_euicc c;
    print_message("%s\n", name);
    assert_true(tlv_only(request, &t) && tlv_take(&t.value, T_SEQUENCE, &signed_) && tlv_find(signed_.value, T_1, &f));
    assert_true(tlv_int(f.value, &counter));
    fresh_card(&c, vectors_text(v, "eid"), "eim.example.com", vectors_hex(&rig.a, v, "eim_spki"), n, counter - 1);
    put_profile(&rig, &c, ICCID_A, 0, SIM_ENABLED, 0);
    assert_true(tlv_find(signed_.value, T_C0, &f) && tlv_take(&f.value, T_C3, &f) && tlv_take(&f.value, T_ICCID, &iccid));
    struct sim_profile p = { .operator_ = 1, .class_ = SIM_OPERATIONAL };
    memcpy(p.iccid, iccid.value.p, 10);
    assert_true(sim_euicc_install(&c, &p) == 1);
    struct slice rest = tbs;
    assert_true(tlv_take(&rest, T_SEQUENCE, &data) && tlv_find(data.value, T_3, &f) && tlv_int(f.value, &seq));
    c.next_seq = (uint32_t)seq;

    struct slice got = sim_euicc_es10b(&c, request, &rig.a);
    rig.token = n;
    if (accept) {
        assert_true(tlv_only(got, &t) && tlv_only(t.value, &t) && t.tag == T_C0 && tlv_take(&t.value, T_SEQUENCE, &f));
        assert_bytes(f.raw, data.raw);
        checked(&rig, &c, got, T_C0);
        assert_int_equal(sim_euicc_enabled(&c), 1);
        checked(&rig, &c, sim_euicc_es10b(&c, request, &rig.a), T_C1);             /* and not a second time */
    } else {
        assert_true(tlv_only(got, &t) && tlv_only(t.value, &t) && t.tag == T_C2);
        assert_int_equal(sim_euicc_enabled(&c), 0);
        assert_int_equal(c.eims[0].counter, counter - 1);
    }
    sim_euicc_free(&c);
}

static void packages_signed_elsewhere_run_with_their_token_and_no_other(void **state)
{
    (void)state;
    json_t *all = vectors_load("esep.json"), *v;
    size_t i, tried = 0;
    json_array_foreach(all, i, v)
        if (json_object_get(v, "request")) {
            try_vector(v);
            tried++;
        }
    assert_true(tried >= 16);
    json_decref(all);
}

/* ---- the ladder (3.9) ---------------------------------------------------------------------------------------- */

static struct slice load(struct slice package)
{
    return sim_euicc_es10b(&rig.card, package, &rig.a);
}

static void assert_unsigned(struct slice result, const char *token_hex)
{
    char want[200];
    snprintf(want, sizeof want, "A2%02X 800F65696D2E6578616D706C652E636F6D 8210" TXID "%s", (unsigned)(17 + 18 + strlen(token_hex) / 2), token_hex);
    assert_bytes(result, TLV(&rig.a, T_EUICC_PACKAGE, hx(&rig, want)));
}

static void assert_signed_error(struct slice result, int64_t counter, int code)
{
    struct slice want = TLV(&rig.a, 0, tlv_put_str(&rig.a, T_0, EIM_ID), tlv_put_int(&rig.a, T_1, counter), hx(&rig, "8210" TXID),
                            tlv_put_int(&rig.a, T_INTEGER, code));
    assert_bytes(checked(&rig, &rig.card, result, T_C1), want);
}

static void each_step_of_the_ladder_answers_before_the_next(void **state)
{
    (void)state;
    struct slice ops = psmos(&rig, "A600");
    uint8_t other[SIM_EID];
    sim_eid_make(1, 1, other);
    assert_true(rig.card.n_eims == 1);
    rig.w.package_max = 140;
    rig.card.ecall = true;
    rig.card.eims[0].counter = 100;

    /* everything wrong at once: the signature is looked at first */
    rig.token = 9;
    assert_unsigned(load(package_for(&rig, other, 100, ops)), "840101");
    rig.token = 1;
    assert_signed_error(load(package_for(&rig, other, 100, ops)), 100, 3);
    assert_signed_error(load(package_for(&rig, rig.card.eid, 100, ops)), 100, 4);
    assert_signed_error(load(package_for(&rig, rig.card.eid, 0, ops)), 0, 4);
    assert_signed_error(load(package_for(&rig, rig.card.eid, -5, ops)), -5, 4);
    assert_signed_error(load(package_for(&rig, rig.card.eid, 0x800000, ops)), 0x800000, 6);
    assert_signed_error(load(package_for(&rig, rig.card.eid, 0x7FFFFF, ops)), 0x7FFFFF, 104);
    rig.card.ecall = false;
    struct slice large = psmos(&rig, "A600A600A600A600A600A600A600A600A600A600A600A600");
    assert_signed_error(load(package_for(&rig, rig.card.eid, 101, large)), 101, 15);
    assert_int_equal(rig.card.eims[0].counter, 100);                               /* none of these consumed a counter */
    assert_int_equal(rig.card.stored.n, 0);                                        /* errors are not stored */
    rig.counter = 0x7FFFFE;
    run_list(&rig, ops);
    assert_int_equal(rig.card.eims[0].counter, 0x7FFFFF);
    assert_signed_error(load(package_for(&rig, rig.card.eid, 0x7FFFFF, ops)), 0x7FFFFF, 4);
}

static void an_unknown_eim_and_a_damaged_package_get_the_unsigned_error(void **state)
{
    (void)state;
    struct slice good = package_for(&rig, rig.card.eid, 1, psmos(&rig, "A600"));
    rig.eim_id = "eve.example.com";
    struct slice stranger = load(package_for(&rig, rig.card.eid, 1, psmos(&rig, "A600")));
    assert_bytes(stranger, hx(&rig, "BF5125A223 800F6576652E6578616D706C652E636F6D 8210" TXID));   /* no token: none is configured */
    rig.eim_id = EIM_ID;

    uint8_t *b = (uint8_t *)(uintptr_t)arena_copy(&rig.a, good).p;
    for (size_t n = 3; n < good.n; n++) {                                          /* cut anywhere */
        struct tlv t;
        assert_true(tlv_only(load(slice_of(b, n)), &t) && t.tag == T_EUICC_PACKAGE && tlv_only(t.value, &t) && t.tag == T_C2);
    }
    for (size_t at = 2; at < good.n; at++) {                                       /* one bit changed anywhere */
        struct tlv t, arm;
        b[at] ^= 0x04;
        struct slice r = load(slice_of(b, good.n));
        if (r.n)
            assert_true(tlv_only(r, &t) && tlv_only(t.value, &arm) && arm.tag == T_C2);
        b[at] ^= 0x04;
    }
    assert_int_equal(rig.card.eims[0].counter, 0);
    assert_unsigned(load(package_for(&rig, rig.card.eid, 1, hx(&rig, "A2020500"))), "840101");     /* neither PSMOs nor eCOs */
    run_list(&rig, psmos(&rig, "A600"));
}

static void a_package_in_ber_instead_of_der_is_refused(void **state)
{
    (void)state;
    struct slice good = package_for(&rig, rig.card.eid, 1, psmos(&rig, "A600"));
    struct tlv t;
    assert_true(tlv_only(load(tlv_long_form(&rig.a, good)), &t) && tlv_only(t.value, &t) && t.tag == T_C2);
    assert_true(tlv_only(load(good), &t) && tlv_only(t.value, &t) && t.tag == T_C0);
    assert_es10b(&rig, "BF2D81055C035A9F70", "");
    assert_es10b(&rig, "BF2D8200055C035A9F70", "");
    assert_es10b(&rig, "BF2D805C035A9F700000", "");
}

static void without_a_token_both_sides_sign_with_zero(void **state)
{
    (void)state;
    struct sim_euicc c;
    struct slice spki;
    char eid[33];
    slice_hex(slice_of(rig.card.eid, SIM_EID), false, eid);
    assert_int_equal(public_key_spki(private_key_public(rig.eim_key), &spki, &rig.a, &rig.e), OK);
    fresh_card(&c, eid, EIM_ID, spki, 0, 0);
    rig.token = 0;
    checked(&rig, &c, sim_euicc_es10b(&c, package_for(&rig, c.eid, 1, psmos(&rig, "A600")), &rig.a), T_C0);
    rig.token = 5;
    struct slice r = sim_euicc_es10b(&c, package_for(&rig, c.eid, 2, psmos(&rig, "A600")), &rig.a);
    assert_bytes(r, hx(&rig, "BF5125A223 800F65696D2E6578616D706C652E636F6D 8210" TXID));          /* no token, none told */
    sim_euicc_free(&c);
}

/* ---- PSMOs (2.3, 5.5) ---------------------------------------------------------------------------------------- */

#define A "5A0A" ICCID_A
#define B "5A0A" ICCID_B
#define C "5A0A" ICCID_C
#define NOWHERE "5A0A98449911111111111122"

static void enable_switches_at_the_end_of_the_package(void **state)
{
    (void)state;
    assert_psmos(&rig, "A30C" NOWHERE, "830101");
    assert_psmos(&rig, "A30C" A, "830102");
    assert_enabled(&rig, ICCID_A);
    assert_psmos(&rig, "A30C" B, "830100");
    assert_enabled(&rig, ICCID_B);
    assert_psmos(&rig, "A30C" B, "830102");
    assert_psmos(&rig, "A30C" A "A30C" B, "830100 020102");                        /* at most one enable */
    assert_enabled(&rig, ICCID_A);
}

static void disable_and_delete_look_at_the_state(void **state)
{
    (void)state;
    assert_psmos(&rig, "A40C" NOWHERE, "840101");
    assert_psmos(&rig, "A40C" B, "840102");
    assert_psmos(&rig, "A50C" NOWHERE, "850101");
    assert_psmos(&rig, "A50C" A, "850102");
    assert_psmos(&rig, "A40C" A, "840100");
    assert_enabled(&rig, NULL);
    assert_psmos(&rig, "A40C" A, "840102");
    assert_psmos(&rig, "A50C" A, "850100");
    assert_psmos(&rig, "A50C" A, "850101");
    assert_psmos(&rig, "A30C" B "A40C" B, "830100 840100");                        /* states as the earlier ones left them */
    assert_enabled(&rig, NULL);
    assert_psmos(&rig, "A40C" B "A40C" B, "840102");
    assert_psmos(&rig, "A30C" B, "830100");
    put_profile(&rig, &rig.card, ICCID_A, 0, 0, 0);
    assert_psmos(&rig, "A40C" B "A30C" A "A40C" A, "840100 830100 020102");        /* at most one disable */
}

static void one_package_can_enable_one_and_delete_the_other(void **state)
{
    (void)state;
    assert_psmos(&rig, "A30C" B "A50C" A, "830100 850100");
    assert_enabled(&rig, ICCID_B);
    assert_int_equal(sim_euicc_find(&rig.card, hx(&rig, ICCID_A)), SIM_NO_PROFILE);
}

static void policy_rules_forbid_disabling_and_deletion(void **state)
{
    (void)state;
    put_profile(&rig, &rig.card, ICCID_C, 1, 0, SIM_PPR2);
    assert_psmos(&rig, "A50C" C, "850103");
    rig.card.profiles[0].ppr = SIM_PPR1;
    assert_psmos(&rig, "A30C" B, "830103");
    assert_psmos(&rig, "A40C" A, "840103");
    assert_enabled(&rig, ICCID_A);
}

static void the_first_failure_ends_the_package(void **state)
{
    (void)state;
    assert_psmos(&rig, "A600 A50C" A "A50C" B, "A617 3015 80020560 A10B3009 8003EEEEEE 8100 8200 82020780"
                                               "850102");
    assert_true(sim_euicc_find(&rig.card, hx(&rig, ICCID_B)) != SIM_NO_PROFILE);
    assert_psmos(&rig, "9F1F00 A600", "020102");                                   /* an operation that it does not know */
}

static void a_list_after_a_change_is_refused(void **state)
{
    (void)state;
    assert_psmos(&rig, "A30C" B "BF2D00", "830100 BF2D0381010B");
    assert_psmos(&rig, "A30C" A "A30C" A, "830100 020102");
    assert_psmos(&rig, "A50C" NOWHERE "BF2D00", "850101");
}

static void profiles_are_listed_by_filter_and_tag_list(void **state)
{
    (void)state;
    const char *a = "5A0A" ICCID_A "4F10A0000005591010FFFFFFFF8900001100", *b = "5A0A" ICCID_B "4F10A0000005591010FFFFFFFF8900001200";
    const char *names_a = "910A4F70657261746F722041 92054120496F54 950102 9F6701FF", *names_b = "910A4F70657261746F722042 92054220496F54 950102 9F6701FF";
    char want[600];
    snprintf(want, sizeof want, "BF2D7EA07C E33C%s9F700101%s E33C%s9F700100%s", a, names_a, b, names_b);
    assert_psmos(&rig, "BF2D00", want);
    assert_psmos(&rig, "BF2D0F5C0D5A4F9F709192959F7B9F269F67", want);              /* the default list, written out */
    assert_psmos(&rig, "BF2D13A00C" B "5C035A9F70", "BF2D14A012E310" B "9F700100");
    assert_psmos(&rig, "BF2D0AA003950102 5C035A9F70", "BF2D26A024 E310" A "9F700101 E310" B "9F700100");
    assert_psmos(&rig, "BF2D14A0124F10A0000005591010FFFFFFFF8900001200", (snprintf(want, sizeof want, "BF2D40A03EE33C%s9F700100%s", b, names_b), want));
    assert_psmos(&rig, "BF2D0EA00C" NOWHERE, "BF2D02A000");
    assert_psmos(&rig, "BF2D05A003800102", "BF2D03810101");                        /* no such filter */
    assert_psmos(&rig, "BF2D035C015F", "BF2D03810101");                            /* half a tag */
    assert_es10b(&rig, "BF2D135C035A9F70", "");                                    /* damaged: no answer */
    assert_es10b(&rig, "BF2D055C035A9F70", "BF2D26A024 E310" A "9F700101 E310" B "9F700100");
}

static void there_is_one_fallback_profile_at_most(void **state)
{
    (void)state;
    put_profile(&rig, &rig.card, ICCID_C, 1, 0, 0);
    assert_psmos(&rig, "A900", "8E0102");
    assert_psmos(&rig, "A80C" NOWHERE, "8D0101");
    assert_psmos(&rig, "A80C" C, "8D0102");                                        /* fallback is not allowed for it */
    assert_psmos(&rig, "A80C" B, "8D0100");
    assert_psmos(&rig, "BF2D055C035A9F26", "BF2D30A02EE30C" A "E310" B "9F2601FF E30C" C);
    assert_psmos(&rig, "A80C" A, "8D0100");                                        /* moves over */
    assert_psmos(&rig, "BF2D055C035A9F26", "BF2D30A02EE310" A "9F2601FF E30C" B "E30C" C);
    assert_psmos(&rig, "A80C" B, "8D0103");                                        /* A holds it and is enabled */
    assert_psmos(&rig, "A900", "8E0103");
    assert_psmos(&rig, "A30C" B "A900", "830100 8E0100");
    assert_psmos(&rig, "A900", "8E0102");
}

static void the_way_back_from_fallback_is_not_deleted(void **state)
{
    (void)state;
    put_profile(&rig, &rig.card, ICCID_C, 1, 0, 0);
    assert_es10b(&rig, "BF5D038001FF", "BF5D03800106");
    assert_psmos(&rig, "A80C" B, "8D0100");
    assert_es10b(&rig, "BF5E038001FF", "BF5E03800107");                            /* not fallen back */
    assert_es10b(&rig, "BF5D030101FF", "BF5D03800100");                            /* the other form of the flag (6.12) */
    assert_enabled(&rig, ICCID_B);
    assert_es10b(&rig, "BF5D038001FF", "BF5D03800102");
    assert_psmos(&rig, "A50C" A, "850115");
    assert_psmos(&rig, "A50C" C, "850100");
    assert_es10b(&rig, "BF5E038001FF", "BF5E03800100");
    assert_enabled(&rig, ICCID_A);
}

static void small_settings_are_kept(void **state)
{
    (void)state;
    assert_es10b(&rig, "BF3C00", "BF3C11810F6C70612E64732E67736D612E636F6D");
    assert_psmos(&rig, "BF65128010736D64702E6578616D706C652E636F6D", "BF6503800100");
    assert_es10b(&rig, "BF3C00", "BF3C238010736D64702E6578616D706C652E636F6D 810F6C70612E64732E67736D612E636F6D");
    assert_psmos(&rig, "BF6500", "BF650380017F");
    assert_es10b(&rig, "BF65028000", "BF6503800100");
    assert_es10b(&rig, "BF3C00", "BF3C11810F6C70612E64732E67736D612E636F6D");
    assert_es10b(&rig, "BF5A038001FF", "BF5A03800101");
    assert_psmos(&rig, "A71E800081082B0601040181F8038210736D64702E6578616D706C652E636F6D", "870100");
    assert_es10b(&rig, "BF5A038001FF", "BF5A03800104");                            /* configured, but nothing was downloaded */
    rig.card.fresh = 1;
    assert_es10b(&rig, "BF5A038001FF", "BF5A03800100");
    assert_enabled(&rig, ICCID_B);
    rig.card.fresh = 0;
    assert_psmos(&rig, "A7128210736D64702E6578616D706C652E636F6D", "870100");      /* an address without the flag: off */
    assert_es10b(&rig, "BF5A038001FF", "BF5A03800101");
    assert_psmos(&rig, "A700", "870100");                                          /* all absent: off */
    rig.card.fresh = 0;
    assert_es10b(&rig, "BF5A038001FF", "BF5A03800101");
    assert_es10b(&rig, "BF59028000", "BF5903800102");                              /* not while an eIM is associated */
    assert_psmos(&rig, "A600", "A617 3015 80020560 A10B3009 8003EEEEEE 8100 8200 82020780");
    assert_es10b(&rig, "BF4300", "BF4319A017 3015 80020560 A10B3009 8003EEEEEE 8100 8200 82020780");
}

static void a_result_that_grows_too_large_is_cut_with_a_reason(void **state)
{
    (void)state;
    rig.w.result_max = 100;
    assert_psmos(&rig, "BF2D055C035A9F70 BF2D055C035A9F70 BF2D055C035A9F70 A600",
                 "BF2D26A024E310" A "9F700101E310" B "9F700100 BF2D26A024E310" A "9F700101E310" B "9F700100 020101");
    char ops[300 * 10 + 1] = "";
    for (int i = 0; i < 300; i++)
        memcpy(ops + 10 * i, "BF65028000", 11);
    rig.w.result_max = 1 << 20;
    struct slice results = run_list(&rig, psmos(&rig, ops));
    assert_bytes(slice_of(results.p + results.n - 3, 3), hx(&rig, "020101"));      /* more operations than a list can hold */
}

/* ---- notifications and their removal (3.8) ------------------------------------------------------------------- */

static void changes_leave_signed_notifications(void **state)
{
    (void)state;
    assert_es10b(&rig, "BF2B00", "BF2B02A000");
    assert_psmos(&rig, "A30C" B, "830100");                                        /* seq 1; 2 and 3 are its notifications */
    struct tlv t, one, f;
    struct slice all = sim_euicc_es10b(&rig.card, hx(&rig, "BF2B00"), &rig.a), cert, eum;
    static const char *want[] = { "BF2F27 800102 81020520 0C12736D64702D612E6578616D706C652E636F6D" A,
                                  "BF2F27 800103 81020640 0C12736D64702D622E6578616D706C652E636F6D" B };
    assert_true(tlv_only(all, &t) && tlv_only(t.value, &t) && t.tag == T_C0);
    for (int i = 0; i < 2; i++) {
        assert_true(tlv_take(&t.value, T_SEQUENCE, &one) && tlv_take(&one.value, T_NOTIFICATION_METADATA, &f));
        assert_bytes(f.raw, hx(&rig, want[i]));
        struct slice metadata = f.raw;
        assert_true(tlv_take(&one.value, T_SIGNATURE, &f));
        assert_int_equal(verify_signature(sim_euicc_public(&rig.card), &metadata, 1, f.value, &rig.e), OK);
        assert_true(tlv_take(&one.value, T_SEQUENCE, &f));
        cert = f.raw;
        assert_true(tlv_take(&one.value, T_SEQUENCE, &f));
        eum = f.raw;
        assert_bytes(eum, rig.pki.eum);
        assert_int_equal(one.value.n, 0);
    }
    assert_int_equal(t.value.n, 0);
    struct cert_trust *trust;
    struct public_key *k = NULL;
    assert_int_equal(cert_trust_from(&trust, &rig.pki.ci, 1, &rig.e), OK);
    assert_int_equal(cert_check_euicc(trust, eum, cert, rig.card.eid, rig.env.clock_us, &k, &rig.e), OK);
    assert_true(public_key_equal(k, sim_euicc_public(&rig.card)));
    public_key_free(k);
    cert_trust_free(trust);
    assert_true(sim_euicc_es10b(&rig.card, hx(&rig, "BF2B04A0028000"), &rig.a).n > 0);
    struct slice two = sim_euicc_es10b(&rig.card, hx(&rig, "BF2B06A00481020640"), &rig.a);         /* enable only */
    assert_true(tlv_only(two, &t) && tlv_only(t.value, &t) && tlv_only(t.value, &t));
    two = sim_euicc_es10b(&rig.card, hx(&rig, "BF2B05A003800102"), &rig.a);                        /* by number */
    assert_true(tlv_only(two, &t) && tlv_only(t.value, &t) && tlv_only(t.value, &one) && tlv_take(&one.value, T_NOTIFICATION_METADATA, &f));
    assert_bytes(f.raw, hx(&rig, want[0]));
}

static void only_what_is_named_is_removed(void **state)
{
    (void)state;
    assert_psmos(&rig, "A30C" B "A50C" A, "830100 850100");                        /* 1; disable 2, enable 3, delete 4 */
    struct slice epr = sim_euicc_es10b(&rig.card, hx(&rig, "BF2B04A0028200"), &rig.a), same;
    struct tlv t, arm;
    assert_true(tlv_only(epr, &t) && tlv_only(t.value, &arm) && arm.tag == T_C2);
    checked(&rig, &rig.card, arm.value, T_C0);
    assert_es10b(&rig, "BF3003800109", "BF3003800101");
    assert_es10b(&rig, "BF3003800103", "BF3003800100");
    assert_es10b(&rig, "BF3003800103", "BF3003800101");
    same = sim_euicc_es10b(&rig.card, hx(&rig, "BF2B04A0028200"), &rig.a);
    assert_bytes(same, epr);
    assert_es10b(&rig, "BF3003800101", "BF3003800100");
    assert_es10b(&rig, "BF2B04A0028200", "BF2B02A200");
    assert_es10b(&rig, "BF3003800102", "BF3003800100");
    assert_es10b(&rig, "BF3003800104", "BF3003800100");
    assert_int_equal(rig.card.stored.n, 0);
    assert_null(rig.card.stored.p);                                                /* an idle card holds no memory */
    assert_psmos(&rig, "A600", "A617 3015 80020560 A10B3009 8003EEEEEE 8100 8200 82020780");
    assert_es10b(&rig, "BF3003800105", "BF3003800100");                            /* one counter for both kinds */
}

static void a_full_card_forgets_its_oldest_notifications_first(void **state)
{
    (void)state;
    for (int i = 0; i < 230; i++)
        assert_psmos(&rig, i % 2 ? "A30C" A : "A30C" B, "830100");
    assert_true(rig.card.stored.n <= SIM_STORED_MAX);
    struct tlv t, arm, x;
    unsigned results = 0;
    assert_true(tlv_only(sim_euicc_es10b(&rig.card, hx(&rig, "BF2B04A0028200"), &rig.a), &t) && tlv_only(t.value, &arm));
    while (tlv_next(&arm.value, &x))
        results++;
    assert_int_equal(results, 230);
}

/* ---- rollback (5.6) ------------------------------------------------------------------------------------------ */

static void a_granted_rollback_replaces_the_result(void **state)
{
    (void)state;
    struct tlv t, code, epr;
    assert_es10b(&rig, "BF58038001FF", "BF5803020101");
    assert_psmos(&rig, "A30C" B, "830100");                                        /* without the flag: no right */
    assert_es10b(&rig, "BF58038001FF", "BF5803020101");
    assert_psmos(&rig, "A30E" A "0500", "830100");                                 /* results 1 and 4; next number is 7 */
    assert_enabled(&rig, ICCID_A);
    struct slice answer = sim_euicc_es10b(&rig.card, hx(&rig, "BF58038001FF"), &rig.a);
    assert_true(tlv_only(answer, &t) && tlv_take(&t.value, T_INTEGER, &code) && tlv_take(&t.value, T_EUICC_PACKAGE, &epr));
    assert_bytes(code.raw, hx(&rig, "020100"));
    assert_enabled(&rig, ICCID_B);
    struct slice want = TLV(&rig.a, 0, tlv_put_str(&rig.a, T_0, EIM_ID), hx(&rig, "810102 8210" TXID "830107 30038C0100"));
    assert_bytes(checked(&rig, &rig.card, epr.raw, T_C0), want);
    assert_es10b(&rig, "BF3003800104", "BF3003800101");                            /* the old result is gone */
    assert_es10b(&rig, "BF3003800107", "BF3003800100");
    assert_es10b(&rig, "BF58038001FF", "BF5803020101");                            /* once only */
}

static void the_right_to_roll_back_ends_when_the_result_is_acknowledged(void **state)
{
    (void)state;
    assert_psmos(&rig, "A30E" B "0500", "830100");
    assert_psmos(&rig, "A50C" A, "850114");                                        /* the way back is not deleted */
    assert_es10b(&rig, "BF3003800101", "BF3003800100");
    assert_es10b(&rig, "BF58038001FF", "BF5803020101");
    assert_enabled(&rig, ICCID_B);
    assert_psmos(&rig, "A50C" A, "850100");
}

static void rollback_needs_a_profile_to_go_back_to(void **state)
{
    (void)state;
    assert_psmos(&rig, "A30E" B "0500 A50C" A, "830100 850114");
    assert_psmos(&rig, "A40C" B, "840100");
    assert_psmos(&rig, "A30E" A "0500", "830114");
    assert_psmos(&rig, "A30E" A "8000", "830114");                                 /* the flag's other forms (6.11) */
    assert_psmos(&rig, "A30E" A "8100", "830114");
    assert_psmos(&rig, "A30C" A, "830100");
}

/* ---- eCOs (2.3, 5.14) ---------------------------------------------------------------------------------------- */

static void eims_come_and_go(void **state)
{
    (void)state;
    struct rig *r = &rig;
    struct slice second = eim_fields(r, "eim2", r->eim_key, 5, -1);
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, second))), hx(r, "A803840102"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, second))), hx(r, "A803020102"));           /* there already */
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, eim_fields(r, "eim3", r->eim_key, 5, 7)))), hx(r, "A803020105"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, eim_fields(r, "eim3", r->eim_key, 0x800000, -1)))), hx(r, "A803020106"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, hx(r, "800465696D33 830100")))), hx(r, "A803020107"));     /* no key */
    struct slice foreign_ci = TLV(&r->a, 0, eim_fields(r, "eim3", r->eim_key, 0, -2), hx(r, "8803010203"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, foreign_ci))), hx(r, "A803020103"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, eim_fields(r, "eim3", r->eim_key, 0, -2)))), hx(r, "A803020100"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, eim_fields(r, "eim4", r->eim_key, 0, -1)))), hx(r, "A803840103"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C8, eim_fields(r, "eim5", r->eim_key, 0, -1)))), hx(r, "A803020101"));
    assert_bytes(run_list(r, ecos(r, hx(r, "AB00"))), hx(r, "AB39A037 3014800F65696D2E6578616D706C652E636F6D 820102"
                 "3009800465696D32820102 3009800465696D33820102 3009800465696D34820102"));
    assert_bytes(run_list(r, ecos(r, hx(r, "A906800465696D39"))), hx(r, "890101"));
    assert_bytes(run_list(r, ecos(r, hx(r, "A906800465696D33 A906800465696D34 AB00"))),
                 hx(r, "890100 890100 AB23A021 3014800F65696D2E6578616D706C652E636F6D820102 3009800465696D32820102"));
    assert_bytes(run_list(r, ecos(r, hx(r, "A906800465696D39 AB00"))), hx(r, "890101"));         /* a failure ends it */
    r->eim_id = "eim2";                                                                            /* the second one acts too */
    r->token = 2;
    r->counter = 5;
    assert_bytes(run_list(r, ecos(r, hx(r, "A911800F65696D2E6578616D706C652E636F6D"))), hx(r, "890100"));
    assert_bytes(run_list(r, ecos(r, hx(r, "A906800465696D32"))), hx(r, "890102"));              /* the last: still signed */
    assert_int_equal(r->card.n_eims, 0);
    assert_bytes(add_initial(r, &r->card, eim_fields(r, EIM_ID, r->eim_key, 0, -1)), hx(r, "BF5705A003840104"));
}

static void update_keeps_what_it_does_not_name(void **state)
{
    (void)state;
    struct rig *r = &rig;
    struct private_key *fresh, *old = r->eim_key;
    struct slice id = tlv_put_str(&r->a, T_0, EIM_ID);
    assert_int_equal(private_key_generate(&fresh, CURVE_BRAINPOOLP256R1, &r->e), OK);
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C10, id, tlv_put_str(&r->a, T_1, "new.example.com")))), hx(r, "8A0100"));
    struct slice config = sim_euicc_es10b(&r->card, hx(r, "BF5500"), &r->a);
    struct slice want = TLV(&r->a, T_GET_EIM_CONFIG, TLV(&r->a, T_C0, TLV(&r->a, T_SEQUENCE, id, tlv_put_str(&r->a, T_1, "new.example.com"),
                            hx(r, "820102 830101 840101"), r->card.eims[0].config->bytes.n ? slice_of(r->card.eims[0].config->bytes.p + 37, 93) : hx(r, ""))));
    assert_bytes(config, want);
    run_list(r, psmos(r, "A600"));                                                                 /* same key, counter goes on */
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C10, hx(r, "800465696D32")))), hx(r, "8A0101"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C10, id, hx(r, "8304 00800000")))), hx(r, "8A0106"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C10, id, hx(r, "8401FF")))), hx(r, "8A0107"));
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C10, id, hx(r, "A503A00100")))), hx(r, "8A0107"));            /* no key in it */
    assert_bytes(run_list(r, ecos(r, TLV(&r->a, T_C10, eim_fields(r, EIM_ID, fresh, 2, -2)))), hx(r, "8A0100"));
    int64_t counter = r->counter;
    struct tlv t;
    assert_true(tlv_only(load(package_for(r, r->card.eid, counter + 1, psmos(r, "A600"))), &t) && tlv_only(t.value, &t) && t.tag == T_C2);
    r->eim_key = fresh;                                                                            /* the new key, the counter set back */
    r->counter = 2;
    run_list(r, psmos(r, "A600"));
    private_key_free(old);
}

static void add_initial_eim_works_on_an_empty_card_only(void **state)
{
    (void)state;
    struct rig *r = &rig;
    assert_bytes(add_initial(r, &r->card, eim_fields(r, "eim2", r->eim_key, 0, -1)), hx(r, "BF5703810102"));
    assert_es10b(r, "BF640482020204", "BF6406 800100 810100");
    assert_int_equal(r->card.n_eims, 0);
    assert_bytes(add_initial(r, &r->card, eim_fields(r, "eim2", r->eim_key, 0, 9)), hx(r, "BF5703810105"));
    assert_bytes(add_initial(r, &r->card, eim_fields(r, "eim2", r->eim_key, -1, -1)), hx(r, "BF5703810106"));
    assert_es10b(r, "BF5702A000", "BF5703810107");
    struct slice one = TLV(&r->a, T_SEQUENCE, eim_fields(r, "eim2", r->eim_key, 0, -1)), bad = hx(r, "3006800465696D33");
    assert_bytes(sim_euicc_es10b(&r->card, TLV(&r->a, T_ADD_INITIAL_EIM, TLV(&r->a, T_C0, one, bad)), &r->a), hx(r, "BF5703810107"));
    assert_int_equal(r->card.n_eims, 0);                                                           /* all or nothing */
    assert_bytes(sim_euicc_es10b(&r->card, TLV(&r->a, T_ADD_INITIAL_EIM, TLV(&r->a, T_C0, one)), &r->a), hx(r, "BF5705A003840102"));
    assert_es10b(r, "BF5508A006800465696D39", "BF5502A000");
}

static void the_eims_key_may_come_in_a_certificate(void **state)
{
    (void)state;
    struct rig *r = &rig;
    struct tlv ci;
    r->card.n_eims = 0;                                                                            /* any certificate will do: the CI's own */
    assert_true(tlv_only(r->pki.ci, &ci));
    struct slice whole = TLV(&r->a, 0, hx(r, "800465696D31 830100"), TLV(&r->a, T_C5, TLV(&r->a, T_C1, r->pki.ci)));
    struct slice implicit = TLV(&r->a, 0, hx(r, "800465696D32 830100"), TLV(&r->a, T_C5, TLV(&r->a, T_C1, ci.value)));
    assert_bytes(add_initial(r, &r->card, whole), hx(r, "BF5704A0020500"));
    r->card.n_eims = 0;
    assert_bytes(add_initial(r, &r->card, implicit), hx(r, "BF5704A0020500"));
    assert_true(public_key_equal(r->card.eims[0].config->key, private_key_public(r->pki.ci_key)));
}

/* ---- the rest of ES10b --------------------------------------------------------------------------------------- */

static void memory_reset_deletes_what_its_bits_say(void **state)
{
    (void)state;
    struct rig *r = &rig;
    assert_es10b(r, "BF640482020710", "BF6403800101");                                             /* test profiles: none */
    put_profile(r, &r->card, ICCID_C, 1, 0, 0);
    r->card.profiles[2].class_ = SIM_TEST;
    assert_es10b(r, "BF640482020640", "BF6403800100");
    assert_int_equal(sim_euicc_find(&r->card, hx(r, ICCID_C)), SIM_NO_PROFILE);
    assert_es10b(r, "BF640482020102", "BF6406800100820100");                                       /* immediate enable */
    r->card.ecall = true;
    assert_es10b(r, "BF640482020780", "BF6403800168");
    r->card.ecall = false;
    assert_es10b(r, "BF640482020780", "BF6403800100");
    assert_enabled(r, NULL);
    assert_es10b(r, "BF2D055C035A9F70", "BF2D02A000");
    assert_es10b(r, "BF6400", "BF640380017F");
}

static void the_emergency_profile_stops_everything_else(void **state)
{
    (void)state;
    struct rig *r = &rig;
    assert_es10b(r, "BF5B038001FF", "BF5B03800108");
    assert_es10b(r, "BF5C038001FF", "BF5C03800102");
    put_profile(r, &r->card, ICCID_C, 1, SIM_EMERGENCY, 0);
    assert_psmos(r, "A80C" B, "8D0100");
    assert_es10b(r, "BF5B038001FF", "BF5B03800100");
    assert_es10b(r, "BF5B038001FF", "BF5B03800102");
    assert_enabled(r, ICCID_C);
    assert_signed_error(load(package_for(r, r->card.eid, 2, psmos(r, "A600"))), 2, 104);
    assert_es10b(r, "BF5D038001FF", "BF5D03800168");
    assert_es10b(r, "BF5C038001FF", "BF5C03800100");
    assert_enabled(r, ICCID_A);
    r->counter = 1;
    run_list(r, psmos(r, "A600"));
}

static void the_card_tells_who_it_is(void **state)
{
    (void)state;
    struct rig *r = &rig;
    char want[80], eid[33];
    slice_hex(slice_of(r->card.eid, SIM_EID), true, eid);
    snprintf(want, sizeof want, "BF3E125A10%s", eid);
    assert_es10b(r, "BF3E035C015A", want);
    struct tlv t, arm, f;
    struct slice certs = sim_euicc_es10b(&r->card, hx(r, "BF5600"), &r->a), again = sim_euicc_es10b(&r->card, hx(r, "BF5600"), &r->a);
    assert_bytes(again, certs);                                                                    /* the same bytes every time */
    sim_euicc_rest(&r->card);
    assert_bytes(sim_euicc_es10b(&r->card, hx(r, "BF5600"), &r->a), certs);
    assert_true(tlv_only(certs, &t) && tlv_only(t.value, &arm) && arm.tag == T_C0);
    assert_true(tlv_take(&arm.value, T_C5, &f));
    assert_bytes(TLV(&r->a, T_SEQUENCE, f.value), r->pki.eum);                                     /* IMPLICIT */
    assert_true(tlv_take(&arm.value, T_C6, &f));
    struct cert_trust *trust;
    struct public_key *k = NULL;
    assert_int_equal(cert_trust_from(&trust, &r->pki.ci, 1, &r->e), OK);
    assert_int_equal(cert_check_euicc(trust, r->pki.eum, TLV(&r->a, T_SEQUENCE, f.value), r->card.eid, r->env.clock_us, &k, &r->e), OK);
    public_key_free(k);
    cert_trust_free(trust);
    assert_es10b(r, "BF560A80080102030405060708", "BF5603810101");
    struct slice ch = sim_euicc_es10b(&r->card, hx(r, "BF2E00"), &r->a);
    assert_int_equal(ch.n, 3 + 18);
    struct slice info = sim_euicc_es10b(&r->card, hx(r, "BF2200"), &r->a);
    assert_true(tlv_only(info, &t) && tlv_find(t.value, T_C20, &f));
    assert_bytes(f.raw, hx(r, "B40BA0050403010200 8100 8200"));
    assert_true(tlv_find(t.value, T_16, &f));
    assert_bytes(f.raw, hx(r, "900100"));
    info = sim_euicc_es10b(&r->card, hx(r, "BF2000"), &r->a);
    assert_true(tlv_only(info, &t) && tlv_take(&t.value, T_2, &f) && tlv_take(&t.value, T_C9, &f));
    assert_bytes(f.value, TLV(&r->a, T_OCTETS, slice_of(r->pki.ci_ski, 20)));
    assert_es10b(r, "BF5F00", "BF5F03810101");
    assert_es10b(r, "BF7F00", "");
    assert_es10b(r, "BF5600FF", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
        T(the_real_cards_request_is_answered_as_the_real_card_did),
        T(packages_signed_elsewhere_run_with_their_token_and_no_other),
        T(each_step_of_the_ladder_answers_before_the_next),
        T(an_unknown_eim_and_a_damaged_package_get_the_unsigned_error),
        T(a_package_in_ber_instead_of_der_is_refused),
        T(without_a_token_both_sides_sign_with_zero),
        T(enable_switches_at_the_end_of_the_package),
        T(disable_and_delete_look_at_the_state),
        T(one_package_can_enable_one_and_delete_the_other),
        T(policy_rules_forbid_disabling_and_deletion),
        T(the_first_failure_ends_the_package),
        T(a_list_after_a_change_is_refused),
        T(profiles_are_listed_by_filter_and_tag_list),
        T(there_is_one_fallback_profile_at_most),
        T(the_way_back_from_fallback_is_not_deleted),
        T(small_settings_are_kept),
        T(a_result_that_grows_too_large_is_cut_with_a_reason),
        T(changes_leave_signed_notifications),
        T(only_what_is_named_is_removed),
        T(a_full_card_forgets_its_oldest_notifications_first),
        T(a_granted_rollback_replaces_the_result),
        T(the_right_to_roll_back_ends_when_the_result_is_acknowledged),
        T(rollback_needs_a_profile_to_go_back_to),
        T(eims_come_and_go),
        T(update_keeps_what_it_does_not_name),
        T(add_initial_eim_works_on_an_empty_card_only),
        T(the_eims_key_may_come_in_a_certificate),
        T(memory_reset_deletes_what_its_bits_say),
        T(the_emergency_profile_stops_everything_else),
        T(the_card_tells_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
