/* test_sim_quirks.c -- every misbehaviour of the simulator does what its name says; odd forms are those of the vectors. */
#include "test/unit/sim_script.h"

static struct slice wire_form(const char *name)
{
    json_t *all = vectors_load("wire-forms.json"), *v;
    struct slice der = { 0 };
    size_t i;
    json_array_foreach(all, i, v)
        if (strcmp(vectors_text(v, "name"), name) == 0)
            der = vectors_hex(&rig.a, v, "der");
    json_decref(all);
    assert_true(der.n > 0);
    return der;
}

/* Each misbehaviour of form, beside the form that test/vectors has for it: the same tags in the same places. */
static void odd_forms_are_those_of_the_vectors(void **state)
{
    (void)state;
    static const struct { uint64_t quirk; const char *form, *request; } rows[] = {
        { SIM_Q(BARE_CHOICE), "epr/bare-choice", NULL },
        { SIM_Q(DOUBLE_TAG), "epr/double-tag", NULL },
        { SIM_Q(HANDLE_NOTIFICATION), "epr/in-handleNotification", NULL },
        { SIM_Q(EMPTY_LIST), "epr/ePRAndNotifications-empty", NULL },
        { SIM_Q(NO_EID), "epr/no-eid", NULL },
        { SIM_Q(UNKNOWN_SIGNED), "epr/unknown-inside", NULL },
        { SIM_Q(UNKNOWN_FIELDS), "epr/unknown-extension", NULL },
        { SIM_Q(BARE_INTEGER), "epr/bare-integer-result", NULL },
        { SIM_Q(UNKNOWN_RESULT), "epr/unknown-result-tag", NULL },
        { SIM_Q(BARE_CHOICE) | SIM_Q(EXPLICIT_CERT), NULL, "BF52155C01A68310" TXID },
        { SIM_Q(CAPS_BYTES), "data/capabilities-byte-per-bit", "BF52155C01A88310" TXID },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        close_rig(NULL);
        open_rig(NULL);
        rig.card.quirks = rows[i].quirk;
        if (rows[i].request)
            queue(hx(&rig, rows[i].request));
        else
            queue_psmos("A30C5A0A98449911111111111122");
        (void)contact();
        if (rows[i].form) {
            print_message("%s\n", rows[i].form);
            assert_string_equal(shape(eim.log[1]), shape(wire_form(rows[i].form)));
        }
    }
}

static void odd_encodings_of_data(void **state)
{
    (void)state;
    struct tlv t;
    config.features = 3;
    rig.card.quirks = SIM_Q(CAPS_BYTES);
    assert_bytes(answer_to("BF52035C01A8"), hx(&rig, "BF520FA00D A80B 80050001010000 81020001"));
    rig.card.quirks = 0;
    assert_bytes(answer_to("BF52035C01A8"), hx(&rig, "BF520CA00A A808 800206C0 81020780"));
    const char *implicit = shape(answer_to("BF52035C01A6"));
    rig.card.quirks = SIM_Q(EXPLICIT_CERT);
    const char *explicit_ = shape(answer_to("BF52035C01A6"));
    assert_int_equal(strncmp(implicit, "BF52{A0{A6{30{A0{2},2,", 22), 0);
    assert_int_equal(strncmp(explicit_, "BF52{A0{A6{30{30{A0{2},2,", 25), 0);
    rig.card.quirks = SIM_Q(BARE_CHOICE);
    assert_true(tlv_only(answer_to("BF52035C0184"), &t));
    assert_bytes(t.raw, hx(&rig, "BF5203840101"));
    rig.card.quirks = SIM_Q(ERROR_NO_TXID);
    assert_bytes(answer_to("BF52155C015A8310" TXID), hx(&rig, "BF5205A103020101"));
    rig.card.quirks = SIM_Q(BAD_TAG_LIST);
    assert_bytes(answer_to("BF52035C0184"), hx(&rig, "BF5205A103020101"));
    rig.card.quirks = SIM_Q(ECALL);
    assert_bytes(answer_to("BF52035C0184"), hx(&rig, "BF5205A103020168"));
    assert_bytes(answer_to("BF54128210" TXID), hx(&rig, "BF54178210" TXID "3003800168"));
    rig.card.quirks = SIM_Q(NO_DATA_ANSWER) | SIM_Q(TRIGGER_SILENT);
    eim.queued = eim.at = 0;
    queue(hx(&rig, "BF52035C0184"));
    assert_int_equal(contact(), SIM_LATER);
    assert_int_equal(n.data_requests, 9);
    eim.queue[0] = hx(&rig, "BF54128210" TXID);
    assert_int_equal(contact(), SIM_LATER);
}

/* The result list, code or arm that a package gets under a quirk. */
static void refusals_are_those_asked_for(void **state)
{
    (void)state;
    static const struct { uint64_t quirk; const char *ops, *shape, *ends; } rows[] = {
        { SIM_Q(UNSIGNED_ERROR), "A600", "BF50{5A,BF51{A2{80,82,84}}}", "840101" },
        { SIM_Q(ECALL), "A600", "BF50{5A,BF51{A1{30{80,81,82,2},5F37}}}", "020168" },
        { SIM_Q(COUNTER_RANGE), "A600", "BF50{5A,BF51{A1{30{80,81,82,2},5F37}}}", "020106" },
        { SIM_Q(CAT_BUSY), "A30C" B, "BF50{5A," EPR_SHAPE "}", "3003830105" },
        { SIM_Q(CHANGE_ONGOING), "BF2D00", "BF50{5A,BF51{A0{30{80,81,82,83,30{BF2D{81}}},5F37}}}", "BF2D0381010B" },
        { SIM_Q(SIZE_OVERFLOW), "BF2D00", "BF50{5A,BF51{A0{30{80,81,82,83,30{2}},5F37}}}", "3003020101" },
        { SIM_Q(INVALID_FORMAT), "A600", "BF50{5A,A0{80,2}}", "8010" TXID "020101" },
        { SIM_Q(UNKNOWN_PACKAGE), "A600", "BF50{5A,A0{80,2}}", "8010" TXID "020102" },
        { SIM_Q(UNKNOWN_PACKAGE) | SIM_Q(ERROR_NO_TXID), "A600", "BF50{5A,A0{2}}", "020102" },
        { SIM_Q(ODD_ERROR), "A600", "BF50{5A,80}", "800530030201" "7F" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        close_rig(NULL);
        open_rig(NULL);
        rig.card.quirks = rows[i].quirk;
        queue_psmos(rows[i].ops);
        (void)contact();
        assert_string_equal(shape(eim.log[1]), rows[i].shape);
        struct slice want = hx(&rig, rows[i].ends), got = eim.log[1];
        if (strstr(rows[i].shape, "5F37"))
            got.n -= 67;                                                           /* before the signature */
        assert_true(got.n > want.n);
        assert_bytes(slice_of(got.p + got.n - want.n, want.n), want);
    }
    close_rig(NULL);
    open_rig(NULL);
    rig.card.n_eims = 0;                                                           /* a card that is ahead of its eIM */
    rig.card.quirks = SIM_Q(REPLAY_ERROR);
    add_initial(&rig, &rig.card, eim_fields(&rig, EIM_ID, rig.eim_key, 0, -1));
    rig.token = 2;
    queue_psmos("A600");
    rig.counter = 500;
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(n.refused_replay, 1);
    assert_int_equal(n.executed, 1);
}

/* What the signature in a result verifies with. */
static void false_proofs_do_not_verify(void **state)
{
    (void)state;
    static const struct { uint64_t quirk; size_t length; int64_t good_token; } rows[] = {
        { 0, 64, 1 }, { SIM_Q(WRONG_TOKEN), 64, 2 }, { SIM_Q(WRONG_SIGNATURE), 64, -1 }, { SIM_Q(NO_TOKEN), 64, -1 },
        { SIM_Q(FOREIGN_EPR), 64, -1 }, { SIM_Q(DUMMY_SIGNATURE), 64, -1 }, { SIM_Q(DER_SIGNATURE), 0, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tlv t, data, sig;
        close_rig(NULL);
        open_rig(NULL);
        rig.card.quirks = rows[i].quirk;
        queue_psmos("A600");
        assert_int_equal(contact(), SIM_IDLE);
        assert_true(tlv_only(eim.accepted, &t) && tlv_only(t.value, &t) && tlv_take(&t.value, T_SEQUENCE, &data) &&
                    tlv_take(&t.value, T_SIGNATURE, &sig));
        if (rows[i].length)
            assert_int_equal(sig.value.n, rows[i].length);
        else
            assert_true(sig.value.n > 66 && sig.value.p[0] == T_SEQUENCE);
        for (int64_t token = 0; token < 4; token++)
            assert_int_equal(verify_with_token(sim_euicc_public(&rig.card), data.raw, token, sig.value, &rig.e),
                             token == rows[i].good_token ? OK : E_SIGNATURE);
        if (rows[i].quirk == SIM_Q(NO_TOKEN))
            assert_int_equal(verify_signature(sim_euicc_public(&rig.card), &data.raw, 1, sig.value, &rig.e), OK);
        if (rows[i].quirk == SIM_Q(FOREIGN_EPR)) {
            struct sim_euicc other;
            uint8_t eid[SIM_EID];
            memcpy(eid, rig.card.eid, SIM_EID);
            eid[15] ^= 1;
            sim_euicc_init(&other, &rig.w, rig.card.seed, eid);
            assert_int_equal(verify_with_token(sim_euicc_public(&other), data.raw, 1, sig.value, &rig.e), OK);
            sim_euicc_free(&other);
        }
    }
}

static void odd_times_of_delivery(void **state)
{
    (void)state;
    struct slice first;
    rig.card.quirks = SIM_Q(DUPLICATE);
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(eim.posts, 4);
    assert_bytes(eim.log[2], eim.log[1]);
    assert_int_equal(eim.repeated, 1);

    rig.card.quirks = SIM_Q(DELAYED);
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_LATER);
    assert_int_equal(eim.posts, 5);
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(eim.at, 2);

    rig.card.quirks = SIM_Q(REPLAY_EPR);
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_IDLE);
    first = eim.accepted;
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_CEILING);                                      /* the eIM waits for the other one */
    assert_bytes(eim.accepted, first);
}

static void results_that_come_only_when_asked_or_never(void **state)
{
    (void)state;
    static const uint64_t quirks[] = { SIM_Q(LATE_EPR), SIM_Q(SILENT) };
    for (int i = 0; i < 2; i++) {
        close_rig(NULL);
        open_rig(NULL);
        rig.card.quirks = quirks[i];
        eim.endless = true;
        queue_psmos("A600");
        (void)contact();
        assert_int_equal(n.executed, 1);
        assert_true(n.refused_replay > 0);                                         /* handed out again and again */
        assert_int_equal(n.results > 0, i == 0);                                   /* errors are not stored, so they are not late */
        eim.endless = false;
        eim.at = eim.queued;
        assert_int_equal(contact(), SIM_IDLE);                                     /* the last error is delivered */
        struct slice a = answer_to("BF52035C01A2");
        assert_string_equal(shape(a), i == 0 ? "BF52{A0{A2{BF51{A0{30{80,81,82,83,30{A6{30{80,A1{30{80,81,82}},82}}}},5F37}}}}}" : "BF52{A0{A2{}}}");
        assert_int_equal(rig.card.stored.n == 0, i == 0);
    }
}

static void acknowledged_results_may_come_again(void **state)
{
    (void)state;
    rig.card.quirks = SIM_Q(NEVER_REMOVE);
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(n.acks, 1);
    assert_int_equal(n.removed, 0);
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(eim.repeated, 1);
}

static void bundling_and_numbers(void **state)
{
    (void)state;
    rig.card.quirks = SIM_Q(NEVER_BUNDLE);
    queue_psmos("A30C" B);
    assert_int_equal(contact(), SIM_IDLE);
    assert_string_equal(shape(eim.log[1]), "BF50{5A," EPR_SHAPE "}");
    rig.card.quirks = SIM_Q(ODD_SEQ);
    struct tlv t;
    int64_t seq[4];
    for (int i = 0; i < 4; i++) {
        queue_psmos("A600");
        assert_int_equal(contact(), SIM_IDLE);
        assert_true(tlv_only(eim.accepted, &t) && tlv_only(t.value, &t) && tlv_take(&t.value, T_SEQUENCE, &t));
        assert_true(tlv_find(t.value, T_3, &t) && tlv_int(t.value, &seq[i]));
    }
    assert_true(seq[0] > seq[1] || seq[1] > seq[2] || seq[2] > seq[3]);
    rig.card.quirks = SIM_Q(ROLLBACK_BOTH);
    ipa.no_coverage = 1;
    queue_psmos("A30E" A "0500");
    while (contact() == SIM_RETRY)
        ;
    assert_true(tlv_only(eim.accepted, &t) && tlv_only(t.value, &t) && tlv_take(&t.value, T_SEQUENCE, &t) && tlv_find(t.value, T_SEQUENCE, &t));
    assert_bytes(t.value, hx(&rig, "830100 8C0100"));
}

static void broken_encodings(void **state)
{
    (void)state;
    rig.card.quirks = SIM_Q(TRUNCATED);
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_LATER);
    assert_string_equal(shape(eim.log[1]), "malformed");
    rig.card.quirks = SIM_Q(LONG_LENGTH);
    assert_int_equal(contact(), SIM_LATER);                                        /* our eIM here takes DER only */
    struct slice m = last();
    assert_bytes(slice_of(m.p, 4), slice_of(wire_form("epr/long-form-length").p, 4));
    assert_int_equal(m.p[4] << 8 | m.p[5], m.n - 6);
    rig.card.quirks = 0;
    assert_int_equal(contact(), SIM_IDLE);
    assert_bytes(slice_of(m.p + 6, m.n - 6), slice_of(eim.log[eim.posts - 2].p + 4, m.n - 6));
    rig.card.quirks = SIM_Q(UNKNOWN_FIELDS);
    assert_int_equal(contact(), SIM_IDLE);
    assert_string_equal(shape(last()), shape(wire_form("poll/unknown-field")));
}

static void every_quirk_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SIM_QUIRK_COUNT; i++)
        assert_true(sim_quirk_named(sim_quirk_name(i)) == UINT64_C(1) << i);
    assert_true(sim_quirk_named("nonsense") == 0);
    assert_true(sim_quirk_named("bare-integer") == SIM_Q(BARE_INTEGER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
        T(odd_forms_are_those_of_the_vectors),
        T(odd_encodings_of_data),
        T(refusals_are_those_asked_for),
        T(false_proofs_do_not_verify),
        T(odd_times_of_delivery),
        T(results_that_come_only_when_asked_or_never),
        T(acknowledged_results_may_come_again),
        T(bundling_and_numbers),
        T(broken_encodings),
        T(every_quirk_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
