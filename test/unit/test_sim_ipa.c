/* test_sim_ipa.c -- the simulated IPA against a scripted eIM: what it sends, what it removes, what it survives. */
#include "test/unit/sim_script.h"

/* ---- polling ------------------------------------------------------------------------------------------------- */

static void a_poll_is_the_eid_and_nothing_more(void **state)
{
    (void)state;
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(eim.posts, 1);
    assert_bytes(last(), TLV(&rig.a, T_GET_EIM_PACKAGE, eid_tlv()));
    assert_int_equal(n.polls, 1);
    assert_int_equal(n.nothing_pending, 1);
}

static void a_change_is_told_until_a_reply_arrives(void **state)
{
    (void)state;
    rig.card.profiles[1].flags |= SIM_FALLBACK_ATTRIBUTE;
    assert_int_equal(sim_ipa_local(&ipa, SIM_DO_FALLBACK, &scratch), 0);
    assert_enabled(&rig, ICCID_B);
    eim.lose_request = 0;
    eim.lose_reply = 1;
    struct slice want = TLV(&rig.a, T_GET_EIM_PACKAGE, eid_tlv(), hx(&rig, "8000 810101 820362F220"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(contact(), i < 2 ? SIM_RETRY : SIM_IDLE);
        assert_bytes(last(), want);
    }
    assert_int_equal(contact(), SIM_IDLE);
    assert_bytes(last(), TLV(&rig.a, T_GET_EIM_PACKAGE, eid_tlv()));
    assert_int_equal(sim_ipa_local(&ipa, SIM_DO_EMERGENCY_ON, &scratch), 8);       /* refused: nothing to tell */
    assert_int_equal(sim_ipa_reset(&ipa, 0x04, &scratch), 1);
    contact();
    assert_bytes(last(), TLV(&rig.a, T_GET_EIM_PACKAGE, eid_tlv()));
    assert_int_equal(sim_ipa_reset(&ipa, 0x01, &scratch), 0);
    contact();
    assert_bytes(last(), TLV(&rig.a, T_GET_EIM_PACKAGE, eid_tlv(), hx(&rig, "8000 810104")));      /* no profile, no network */
}

static void an_eid_error_and_garbage_end_the_contact(void **state)
{
    (void)state;
    static const int codes[] = { 2, 3, 4, 127 };
    for (size_t i = 0; i < 4; i++) {
        eim.poll_error = codes[i];
        assert_int_equal(contact(), codes[i] == 127 ? SIM_LATER : SIM_UNKNOWN);
    }
    assert_int_equal(n.unknown_to_eim, 3);
    assert_int_equal(n.nothing_pending, 0);
    eim.endless = true;
    queue(hx(&rig, ""));                                                           /* BF4F 00 */
    assert_int_equal(contact(), SIM_BROKEN);
    assert_int_equal(n.malformed, 1);
    eim.queue[0] = hx(&rig, "020101 020101");
    assert_int_equal(contact(), SIM_BROKEN);
    eim.queue[0] = hx(&rig, "BF5103");
    assert_int_equal(contact(), SIM_BROKEN);
    assert_int_equal(n.polls, 7);
}

static void an_unknown_package_is_refused_as_such(void **state)
{
    (void)state;
    queue(hx(&rig, "BF7F00"));
    assert_int_equal(contact(), SIM_IDLE);
    assert_bytes(eim.log[1], TLV(&rig.a, T_PROVIDE_RESULT, eid_tlv(), hx(&rig, "A003020102")));
}

static void a_contact_has_a_ceiling(void **state)
{
    (void)state;
    eim.endless = true;
    queue(hx(&rig, "BF52035C0183"));
    assert_int_equal(contact(), SIM_CEILING);
    assert_int_equal(eim.posts, SIM_IPA_STEPS);
}

/* ---- packages and results ------------------------------------------------------------------------------------ */

static void results_travel_verbatim_with_notifications_and_leave_when_acknowledged(void **state)
{
    (void)state;
    queue_psmos("A30C" B);
    queue_psmos("BF2D055C035A9F70");
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(eim.posts, 5);                                                /* poll, result, poll, result, poll */
    const char *s = shape(eim.log[1]);
    assert_int_equal(strncmp(s, "BF50{5A,30{" EPR_SHAPE ",A0{" NOTE_SHAPE, strlen("BF50{5A,30{" EPR_SHAPE ",A0{" NOTE_SHAPE)), 0);
    assert_non_null(strstr(s, "}," NOTE_SHAPE));                                    /* the second one */
    assert_string_equal(shape(eim.log[3]), "BF50{5A,BF51{A0{30{80,81,82,83,30{BF2D{A0{E3{5A,9F70},E3{5A,9F70}}}}},5F37}}}");
    assert_int_equal(rig.card.stored.n, 0);
    assert_int_equal(n.executed, 2);
    assert_int_equal(n.results, 2);
    assert_int_equal(n.notifications, 2);
    assert_int_equal(n.acks, 4);
    assert_int_equal(n.removed, 4);
    assert_int_equal(n.switches, 1);
    assert_int_equal(n.checks, 2);
    assert_bytes(eim.log[2], TLV(&rig.a, T_GET_EIM_PACKAGE, eid_tlv(), hx(&rig, "820362F220")));   /* another network now */
}

static void what_the_card_answers_is_what_the_eim_gets(void **state)
{
    (void)state;
    queue_psmos("A600");
    eim.lose_request = 1;                                                          /* stop when the result is on its way */
    assert_int_equal(contact(), SIM_RETRY);
    struct tlv t, arm;
    struct slice stored = sim_euicc_es10b(&rig.card, hx(&rig, "BF2B04A0028200"), &rig.a);
    assert_true(tlv_only(stored, &t) && tlv_only(t.value, &arm));
    assert_bytes(last(), TLV(&rig.a, T_PROVIDE_RESULT, eid_tlv(), arm.value));
}

static void results_of_ecos_and_refusals_carry_no_notifications(void **state)
{
    (void)state;
    queue_psmos("A30C" B);
    eim.acking = ACK_NOTHING;                                                      /* its notifications stay on the card */
    contact();
    rig.eim_id = "eve";
    queue(package_for(&rig, rig.card.eid, 9, psmos(&rig, "A600")));
    rig.eim_id = EIM_ID;
    queue(package_for(&rig, rig.card.eid, 1, psmos(&rig, "A600")));
    queue(package_for(&rig, rig.card.eid, ++rig.counter, ecos(&rig, hx(&rig, "AB00"))));
    int from = eim.posts;
    assert_int_equal(contact(), SIM_IDLE);
    assert_string_equal(shape(eim.log[from + 1]), "BF50{5A,BF51{A2{80,82}}}");
    assert_string_equal(shape(eim.log[from + 3]), "BF50{5A,BF51{A1{30{80,81,82,2},5F37}}}");
    assert_string_equal(shape(eim.log[from + 5]), "BF50{5A,BF51{A0{30{80,81,82,83,30{AB{A0{30{80,82}}}}},5F37}}}");
    assert_int_equal(n.refused_unsigned, 1);
    assert_int_equal(n.refused_replay, 1);
    assert_int_equal(n.executed, 2);
}

static void nothing_unacknowledged_is_removed(void **state)
{
    (void)state;
    static const struct { enum acking acking; unsigned removed; } rows[] = {
        { ACK_NOTHING, 0 }, { ACK_OLD_EMPTY, 0 }, { ACK_RESULT_ONLY, 1 },
    };
    for (size_t i = 0; i < 3; i++) {
        struct sim_counters before = n;
        eim.acking = rows[i].acking;
        queue_psmos(i % 2 ? "A30C" A : "A30C" B);
        assert_int_equal(contact(), SIM_IDLE);
        assert_int_equal(n.results - before.results, 1);                           /* delivered all the same, and once */
        assert_int_equal(n.removed - before.removed, rows[i].removed);
    }
    eim.acking = ACK_ALL;                                                          /* 3 x 2 notifications are still there */
    queue_psmos("A600");
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(n.removed, 1 + 1 + 6);
}

static void a_refused_result_is_tried_three_times_and_then_left_on_the_card(void **state)
{
    (void)state;
    static const struct { enum acking acking; enum sim_contact said; } rows[] = {
        { ACK_ERROR, SIM_LATER }, { ACK_REFUSED, SIM_LATER }, { ACK_GARBAGE, SIM_BROKEN },
    };
    for (size_t i = 0; i < 3; i++) {
        queue_psmos("A600");
        eim.acking = rows[i].acking;
        for (int k = 0; k < SIM_REFUSALS; k++) {
            int polls = (int)n.polls;
            assert_int_equal(contact(), rows[i].said);
            assert_int_equal(n.polls, polls + (k == 0));                           /* nothing new is asked for meanwhile */
        }
        assert_int_equal(n.results_given_up, i + 1);
        eim.at = eim.queued;
        assert_int_equal(contact(), SIM_IDLE);
    }
    assert_int_equal(n.result_errors, 3);
    assert_int_equal(n.removed, 0);
    assert_true(rig.card.stored.n > 0);
}

/* One message is lost, before the eIM sees it or after it answered, at each place of the exchange: the package runs
 * once, its result arrives, and the card ends empty. */
static void a_loss_at_any_step_costs_nothing_but_a_repetition(void **state)
{
    (void)state;
    for (int step = 0; step < 7; step++)
        for (int way = 0; way < 2; way++) {
            close_rig(NULL);
            open_rig(NULL);
            queue_psmos("A30E" B "0500");
            queue(hx(&rig, "BF52065C0484A5A6A8"));
            queue_psmos("BF2D00");
            *(way ? &eim.lose_reply : &eim.lose_request) = step;
            int contacts = 0;
            enum sim_contact said;
            while ((said = contact()) != SIM_IDLE && contacts++ < 5)
                assert_int_equal(said, SIM_RETRY);
            assert_int_equal(said, SIM_IDLE);
            assert_int_equal(contacts, 1);
            assert_enabled(&rig, ICCID_B);
            assert_int_equal(n.executed, 2);
            assert_int_equal(n.refused_replay, 0);
            assert_int_equal(n.rollbacks, 0);
            assert_int_equal(eim.at, 3);
            assert_int_equal(eim.repeated, way && step % 2);                       /* results that it had got already */
            assert_int_equal(rig.card.stored.n, 0);
            assert_int_equal(n.transport_errors, 1);
        }
}

static void losses_follow_the_configured_rate_and_the_seed(void **state)
{
    (void)state;
    struct sim_counters first;
    for (int run = 0; run < 2; run++) {
        close_rig(NULL);
        open_rig(NULL);
        config.loss_ppm = 300000;
        for (int i = 0; i < LOG - 1 && eim.posts < LOG - 2; i++)
            (void)contact();
        if (run == 0)
            first = n;
    }
    assert_memory_equal(&first, &n, sizeof n);
    assert_int_equal(n.transport_errors, 0);
    assert_int_equal(n.nothing_pending, n.polls - n.lost_requests - n.lost_replies);
    assert_in_range(n.lost_requests, 20, 65);
    assert_in_range(n.lost_replies, 20, 65);
}

static void after_a_restart_the_card_is_asked_for_what_was_not_delivered(void **state)
{
    (void)state;
    queue_psmos("A30C" B);
    eim.lose_request = 1;
    assert_int_equal(contact(), SIM_RETRY);
    sim_ipa_restart(&ipa);
    eim.lose_request = 2;
    assert_int_equal(contact(), SIM_RETRY);
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(n.executed, 1);
    assert_int_equal(eim.at, 1);
    assert_int_equal(rig.card.stored.n, 0);
}

/* ---- rollback ------------------------------------------------------------------------------------------------ */

static void without_network_on_the_new_profile_the_ipa_rolls_back(void **state)
{
    (void)state;
    ipa.no_coverage = 1 << 1;
    queue_psmos("A30E" B "0500");
    int contacts = 0;
    while (contact() == SIM_RETRY)
        assert_true(++contacts < 10);
    assert_int_equal(contacts, SIM_ROLLBACK_TRIES - 1);
    assert_enabled(&rig, ICCID_A);
    assert_int_equal(n.rollbacks, 1);
    assert_int_equal(n.no_coverage, SIM_ROLLBACK_TRIES);
    assert_int_equal(eim.posts, 3);                                                /* poll; the rollback's result; poll */
    struct tlv t, data, list;
    assert_true(tlv_only(eim.accepted, &t) && tlv_only(t.value, &t) && tlv_take(&t.value, T_SEQUENCE, &data) && tlv_find(data.value, T_SEQUENCE, &list));
    assert_bytes(list.value, hx(&rig, "8C0100"));
    checked(&rig, &rig.card, eim.accepted, T_C0);
    assert_int_equal(rig.card.stored.n, 0);
    assert_int_equal(n.executed, 1);
}

static void without_the_right_it_stays_and_tries_for_ever(void **state)
{
    (void)state;
    for (int row = 0; row < 2; row++) {
        close_rig(NULL);
        open_rig(NULL);
        ipa.no_coverage = 1 << 1;
        rig.card.quirks = row ? SIM_Q(NO_ROLLBACK) : 0;
        queue_psmos(row ? "A30E" B "0500" : "A30C" B);
        for (int i = 0; i < 20; i++)
            assert_int_equal(contact(), SIM_RETRY);
        assert_enabled(&rig, ICCID_B);
        assert_int_equal(n.rollbacks, 0);
        ipa.no_coverage = 0;                                                       /* the network is back */
        assert_int_equal(contact(), SIM_IDLE);
        assert_int_equal(eim.at, 1);
    }
}

static void a_delivered_result_ends_the_wish_to_roll_back(void **state)
{
    (void)state;
    queue_psmos("A30E" B "0500");
    assert_int_equal(contact(), SIM_IDLE);
    ipa.no_coverage = 1 << 1;
    for (int i = 0; i < 20; i++)
        assert_int_equal(contact(), SIM_RETRY);
    assert_int_equal(n.rollbacks, 0);
    assert_enabled(&rig, ICCID_B);
}

/* ---- BF52 and BF54 ------------------------------------------------------------------------------------------- */

static void data_is_answered_with_exactly_the_requested_tags(void **state)
{
    (void)state;
    struct tlv t, arm;
    const char *all = shape(answer_to("BF521F5C0B81BF20BF228384A5A6A8A98310" TXID));
    assert_non_null(strstr(all, "BF52{A0{BF20{82,A9{4},AA{4}},BF22{81,82,83,84,85,88,A9{4},AA{4},4,C,90,B4{A0{4},81,82}},83,84,A5{"));
    assert_null(strstr(all, "A0{81"));                                             /* there is no default SM-DP+ */
    assert_non_null(strstr(all, "},87,A8{80,81},A9{80,A1{85},82}}}"));             /* the transaction id, in its place */
    assert_psmos(&rig, "BF65128010736D64702E6578616D706C652E636F6D", "BF6503800100");
    assert_bytes(answer_to("BF52055C038481A8"), hx(&rig, "BF5221 A01F 8110736D64702E6578616D706C652E636F6D 840101 A80880020780 81020780"));
    assert_string_equal(shape(answer_to("BF52035C01A0")), "BF52{A0{A0{}}}");
    assert_true(tlv_only(answer_to("BF52035C01A2"), &t) && tlv_only(t.value, &arm) && tlv_only(arm.value, &arm) && arm.tag == T_C2);
    checked(&rig, &rig.card, arm.value, T_C0);                                     /* the result that assert_psmos left */
    assert_int_equal(rig.card.stored.n, 0);                                        /* acknowledged from there, too */
}

static void results_and_notifications_are_selected_by_their_filters(void **state)
{
    (void)state;
    eim.acking = ACK_NOTHING;
    assert_psmos(&rig, "A30C" B, "830100");                                        /* 1; notifications 2, 3 */
    assert_psmos(&rig, "A600", "A617 3015 80020560 A10B3009 8003EEEEEE 8100 8200 82020780");       /* 4 */
    const char *one = shape(answer_to("BF52095C02A0A2 A203800104"));
    assert_non_null(strstr(one, "A2{BF51{A0{30{80,81,82,83,30{A6{30{80,A1{30{80,81,82}},82}}}},5F37}}}"));
    assert_null(strstr(one, EPR_SHAPE));
    const char *two = shape(answer_to("BF52095C01A0 A10481020520"));
    assert_int_equal(strncmp(two, "BF52{A0{A0{" NOTE_SHAPE, strlen("BF52{A0{A0{" NOTE_SHAPE)), 0);
    assert_null(strstr(two, "}}," NOTE_SHAPE));
    assert_string_equal(shape(answer_to("BF52085C01A0 A103800109")), "BF52{A0{A0{}}}");
}

static void wrong_data_requests_get_their_error(void **state)
{
    (void)state;
    assert_bytes(answer_to("BF52155C015A8310" TXID), hx(&rig, "BF5217A1158010" TXID "020101"));
    assert_bytes(answer_to("BF52045C02BF2D"), hx(&rig, "BF5205A103020101"));
    assert_bytes(answer_to("BF52065C0484A55AA6"), hx(&rig, "BF5205A103020101"));     /* one wrong one among right ones */
    assert_bytes(answer_to("BF52025C00"), hx(&rig, "BF5205A103020101"));
    assert_bytes(answer_to("BF52085C01840403010203"), hx(&rig, "BF5205A103020105"));
    assert_bytes(answer_to("BF5200"), hx(&rig, "A003020101"));
    char truncated_ski[32] = "BF52075C01840402", ski[5];
    slice_hex(slice_of(rig.pki.ci_ski, 2), true, ski);
    memcpy(truncated_ski + 16, ski, 5);
    assert_bytes(answer_to(truncated_ski), hx(&rig, "BF5205A003840101"));          /* a truncated CI identifier matches */
    rig.card.ecall = true;
    assert_bytes(answer_to("BF52035C0184"), hx(&rig, "BF5205A103020168"));
}

static struct slice installed(void *arg, struct sim_euicc *card, struct slice trigger, struct arena *a)
{
    (void)card;
    assert_bytes(trigger, hx(&rig, "BF54128210" TXID));
    return arg ? TLV(a, T_SEQUENCE, tlv_put_int(a, T_0, 127), TLV(a, T_OCTETS, SLICE("why"))) : tlv_bad;
}

static void triggers_are_validated_and_answered_as_planned(void **state)
{
    (void)state;
    const char *refused = "A0158010" TXID "020101";
    assert_bytes(answer_to("BF54128210" TXID), hx(&rig, "BF54178210" TXID "300380017F"));
    assert_bytes(answer_to("BF5430A01C801A3124736D64702E6578616D706C652E636F6D244142432D3132338210" TXID), hx(&rig, "BF54178210" TXID "300380017F"));
    assert_bytes(answer_to("BF5419A00580033124248210" TXID), hx(&rig, refused));   /* no address in it */
    assert_bytes(answer_to("BF5416A00281008210" TXID), hx(&rig, refused));         /* there is no default SM-DP+ */
    assert_psmos(&rig, "BF65128010736D64702E6578616D706C652E636F6D", "BF6503800100");
    assert_bytes(answer_to("BF5416A00281008210" TXID), hx(&rig, "BF54178210" TXID "300380017F"));
    assert_bytes(answer_to("BF5416A0028500 8210" TXID), hx(&rig, refused));
    config.trigger = installed;
    config.trigger_arg = &rig;
    assert_bytes(answer_to("BF54128210" TXID), hx(&rig, "BF541C8210" TXID "3008 80017F 0403776879"));
    rig.card.ecall = true;
    assert_bytes(answer_to("BF54128210" TXID), hx(&rig, "BF54178210" TXID "3003800168"));
    rig.card.ecall = false;
    config.trigger_arg = NULL;                                                     /* no answer at all */
    eim.queued = eim.at = 0;
    queue(hx(&rig, "BF54128210" TXID));
    assert_int_equal(contact(), SIM_LATER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
        T(a_poll_is_the_eid_and_nothing_more),
        T(a_change_is_told_until_a_reply_arrives),
        T(an_eid_error_and_garbage_end_the_contact),
        T(an_unknown_package_is_refused_as_such),
        T(a_contact_has_a_ceiling),
        T(results_travel_verbatim_with_notifications_and_leave_when_acknowledged),
        T(what_the_card_answers_is_what_the_eim_gets),
        T(results_of_ecos_and_refusals_carry_no_notifications),
        T(nothing_unacknowledged_is_removed),
        T(a_refused_result_is_tried_three_times_and_then_left_on_the_card),
        T(a_loss_at_any_step_costs_nothing_but_a_repetition),
        T(losses_follow_the_configured_rate_and_the_seed),
        T(after_a_restart_the_card_is_asked_for_what_was_not_delivered),
        T(without_network_on_the_new_profile_the_ipa_rolls_back),
        T(without_the_right_it_stays_and_tries_for_ever),
        T(a_delivered_result_ends_the_wish_to_roll_back),
        T(data_is_answered_with_exactly_the_requested_tags),
        T(results_and_notifications_are_selected_by_their_filters),
        T(wrong_data_requests_get_their_error),
        T(triggers_are_validated_and_answered_as_planned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
