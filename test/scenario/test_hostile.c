/* test_hostile.c -- what strangers, forgers and broken devices may and may not bring about (invariants I3, I5, I6, I11, I12). */
#include "test/scenario/field.h"

#include "asn1/es10b.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;

static int up(void **state)
{
    (void)state;
    field_open(&f);
    gadget_make(&g, &f, 5, true);
    return 0;
}

static int down(void **state)
{
    (void)state;
    f.meddle = NULL;
    gadget_free(&g);
    field_close(&f);
    return 0;
}

static struct eid eid_of(const struct gadget *d)
{
    struct eid e;
    assert_true(eid_parse(slice_str(d->eid), true, &e));
    return e;
}

/* A poll as anybody can send it. */
static void poll_as(const struct gadget *d, int64_t cause, const char *plmn_hex)
{
    struct arena a;
    struct eid e = eid_of(d);
    uint8_t plmn[3];
    arena_init(&a, 4096);
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_get_eim_package_request };
    struct get_eim_package_request *r = &m.get_eim_package_request;
    r->eid_value = (struct slice){ e.b, 16 };
    der_set(r, get_eim_package_request, eid_value);
    if (cause >= 0) {
        der_set(r, get_eim_package_request, notify_state_change);
        r->notify_state_change = true;
        r->state_change_cause = cause;
        der_set(r, get_eim_package_request, state_change_cause);
    }
    if (plmn_hex) {
        assert_int_equal(slice_unhex(slice_str(plmn_hex), plmn, 3), 3);
        r->r_plmn = (struct slice){ plmn, 3 };
        der_set(r, get_eim_package_request, r_plmn);
    }
    field_post(&f, der_encode(&esipa_from_ipa_type, &m, &a));
    arena_free(&a);
}

static int64_t answer_code(void)
{
    struct esipa_from_eim m;
    struct arena a;
    struct err e = { 0 };
    arena_init(&a, 65536);
    assert_ok(der_decode(&esipa_from_eim_type, f.last_reply, &m, &a, &e));
    int64_t code = -1;
    if (m.der.which == esipa_from_eim_is_get_eim_package_response &&
        m.get_eim_package_response.der.which == get_eim_package_response_is_eim_package_error)
        code = m.get_eim_package_response.eim_package_error;
    if (m.der.which == esipa_from_eim_is_provide_eim_package_result_response &&
        m.provide_eim_package_result_response.der.which == provide_eim_package_result_response_is_provide_eim_package_result_error)
        code = m.provide_eim_package_result_response.provide_eim_package_result_error;
    arena_free(&a);
    return code;
}

static bool is_empty_answer(void)
{
    static const uint8_t nothing[] = { 0xbf, 0x50, 0x02, 0x30, 0x00 };
    return slice_eq(f.last_reply, (struct slice){ nothing, sizeof nothing });
}

static struct slice captured;          /* the last ProvideEimPackageResult seen by the meddler */
static struct arena captured_memory;

static void capture(struct field *fd, struct slice *request)
{
    (void)fd;
    if (request->n > 2 && request->p[0] == 0xbf && request->p[1] == 0x50) {
        arena_free(&captured_memory);
        arena_init(&captured_memory, 1 << 20);
        captured = arena_copy(&captured_memory, *request);
    }
}

static void strangers_are_not_found(void **state)
{
    (void)state;
    struct gadget other;
    gadget_make(&other, &f, 77, false);
    poll_as(&other, -1, NULL);
    assert_int_equal(answer_code(), GET_EIM_PACKAGE_ERROR_EID_NOT_FOUND);
    assert_int_equal(FIELD_COUNT(&f, polls_unknown_eid), 1);
    gadget_free(&other);
}

static void unknown_devices_are_enrolled_under_a_cap(void **state)
{
    (void)state;
    struct gadget d[4];
    f.set.enrol_unknown = true;
    f.set.enrol_per_hour = 2;
    eim_reload(f.eim, &f.set, NULL);
    for (unsigned i = 0; i < 4; i++) {
        gadget_make(&d[i], &f, 100 + i, false);
        enum sim_contact c = gadget_contact(&d[i]);
        assert_int_equal(c == SIM_UNKNOWN, i >= 2);
    }
    assert_int_equal(FIELD_COUNT(&f, polls_unknown_eid), 2);
    assert_int_equal(gadget_view(&d[0]).device.key_class, KEY_CI);         /* its chain verified at once */
    field_pass(&f, HOUR);
    assert_int_equal(gadget_contact(&d[2]), SIM_IDLE);
    for (unsigned i = 0; i < 4; i++) gadget_free(&d[i]);
}

static void without_a_root_a_device_stays_unverified_and_changes_nothing(void **state)
{
    (void)state;
    struct gadget d;
    field_close(&f);
    field_open_untrusting(&f);
    gadget_make(&d, &f, 9, true);
    int64_t op = gadget_order(&d, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    for (int i = 0; i < 6; i++) {
        (void)gadget_contact(&d);
        field_pass(&f, HOUR);
    }
    struct device_view v = gadget_view(&d);
    assert_int_equal(v.device.key_class, KEY_NONE);
    assert_false(v.device.has_enabled);
    assert_int_equal(v.device.token, DEVICE_TOKEN_NONE);
    assert_int_equal(gadget_state(&d, op), OP_PENDING);
    assert_int_equal(d.n.acks, 0);
    assert_int_equal(d.n.switches, 0);
    assert_true(FIELD_COUNT(&f, results_unverified) > 0);
    assert_true(FIELD_COUNT(&f, chains_refused) > 0);
    assert_int_equal(FIELD_COUNT(&f, results_verified), 0);
    gadget_free(&d);
    gadget_make(&g, &f, 5, true);
}

static void the_same_result_again_is_acknowledged_again_and_applied_once(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
    f.meddle = capture;
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    int64_t version = gadget_view(&g).device.version, verified = FIELD_COUNT(&f, results_verified);
    for (int i = 0; i < 3; i++) {
        field_post(&f, captured);
        assert_false(is_empty_answer());
        assert_int_equal(answer_code(), -1);
    }
    assert_int_equal(FIELD_COUNT(&f, results_repeated), 3);
    assert_int_equal(FIELD_COUNT(&f, results_verified), verified);
    assert_int_equal(gadget_view(&g).device.version, version);
}

static void a_flipped_bit_anywhere_in_a_result_is_refused(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    f.meddle = capture;
    f.lose_reply = 0;
    g.card.quirks = sim_quirk_named("silent");
    (void)gadget_contact(&g);                              /* executed, not reported */
    g.card.quirks = 0;
    f.meddle = NULL;
    /* fetch the true result from the card, as an IPA would */
    struct arena a;
    arena_init(&a, 1 << 20);
    static const uint8_t retrieve[] = { 0xbf, 0x2b, 0x04, 0xa0, 0x02, 0x82, 0x00 };
    struct slice list = sim_euicc_es10b(&g.card, (struct slice){ retrieve, sizeof retrieve }, &a);
    struct retrieve_notifications_list_response r;
    struct err e = { 0 };
    assert_ok(der_decode(&retrieve_notifications_list_response_type, list, &r, &a, &e));
    assert_int_equal(r.der.which, retrieve_notifications_list_response_is_euicc_package_result_list);
    assert_true(r.euicc_package_result_list.n >= 1);
    struct slice epr = r.euicc_package_result_list.v[r.euicc_package_result_list.n - 1].der.raw;
    struct eid eid = eid_of(&g);
    size_t signed_bits = 0;
    for (size_t bit = 0; bit < epr.n * 8; bit += 5) {
        struct arena b;
        arena_init(&b, 1 << 16);
        struct slice bad = arena_copy(&b, epr);
        ((uint8_t *)(uintptr_t)bad.p)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
        struct provide_eim_package_result *p = &m.provide_eim_package_result;
        p->eid_value = (struct slice){ eid.b, 16 };
        der_set(p, provide_eim_package_result, eid_value);
        p->eim_package_result.der.which = eim_package_result_is_euicc_package_result;
        der_verbatim_choice(&p->eim_package_result.euicc_package_result.der, bad);
        struct slice message = der_encode(&esipa_from_ipa_type, &m, &b);
        if (message.p) {
            field_post(&f, message);
            signed_bits += f.last_rc == OK;
            if (f.last_rc == OK) assert_true(is_empty_answer());
            else assert_int_equal(f.last_rc == E_MALFORMED || f.last_rc == E_UNKNOWN_TYPE, true);
        }
        arena_free(&b);
    }
    assert_true(signed_bits > 50);                         /* most flips leave a message that decodes */
    assert_int_equal(gadget_state(&g, op), OP_SENT);
    arena_free(&a);
    field_pass(&f, 8 * DAY);                               /* the true one still counts, when it is asked for */
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
}

static void a_result_for_another_device_moves_nothing(void **state)
{
    (void)state;
    struct gadget other;
    gadget_make(&other, &f, 6, true);
    gadget_settle(&g);
    gadget_settle(&other);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
    f.meddle = capture;
    gadget_settle(&g);
    f.meddle = NULL;
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    /* the same bytes under the other's EID */
    struct eid mine = eid_of(&g), theirs = eid_of(&other);
    uint8_t *p = (uint8_t *)(uintptr_t)captured.p;
    uint8_t *at = memmem(p, captured.n, mine.b, 16);
    assert_non_null(at);
    memcpy(at, theirs.b, 16);
    int64_t version = gadget_view(&other).device.version;
    field_post(&f, captured);
    assert_true(is_empty_answer());
    assert_int_equal(FIELD_COUNT(&f, results_refused), 1);
    assert_int_equal(gadget_view(&other).device.version, version);
    gadget_free(&other);
}

static void unsigned_announcements_cause_one_package_in_ten_minutes(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t signed_before = FIELD_COUNT(&f, packages_signed);
    for (int i = 0; i < 300; i++) {
        poll_as(&g, i % 7, i % 2 ? "62f210" : "62f220");
        field_pass(&f, 1);
    }
    assert_int_equal(FIELD_COUNT(&f, packages_signed), signed_before + 1);
    gadget_settle(&g);
    for (int i = 0; i < 12; i++) {
        poll_as(&g, SIM_LOCAL, NULL);
        field_pass(&f, 5 * MINUTE);
        gadget_settle(&g);
    }
    assert_true(FIELD_COUNT(&f, packages_signed) <= signed_before + 1 + 8);
    char text[8];
    plmn_print(gadget_view(&g).device.rplmn, text);
    assert_true(text[0] != 0);
    assert_string_equal(gadget_enabled(&g), g.a);
}

static void a_change_announced_soon_after_another_is_looked_at_later(void **state)
{
    (void)state;
    gadget_settle(&g);
    poll_as(&g, SIM_LOCAL, NULL);
    gadget_settle(&g);
    int64_t inventories = FIELD_COUNT(&f, inventories);
    poll_as(&g, SIM_FALLBACK, NULL);                       /* within the ten minutes */
    gadget_settle(&g);
    assert_int_equal(FIELD_COUNT(&f, inventories), inventories);
    field_pass(&f, 11 * MINUTE);
    gadget_settle(&g);
    assert_int_equal(FIELD_COUNT(&f, inventories), inventories + 1);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.device.state_cause, SIM_FALLBACK);
    assert_true(device_inventory_fresh(&v.device));
}

static void a_false_token_heard_unsigned_is_tried_once_and_dropped(void **state)
{
    (void)state;
    gadget_settle(&g);
    assert_int_equal(gadget_view(&g).device.token, 1);
    /* an unsigned error for a package that was never sent: no effect at all */
    struct arena a;
    arena_init(&a, 65536);
    struct eid eid = eid_of(&g);
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
    struct provide_eim_package_result *p = &m.provide_eim_package_result;
    p->eid_value = (struct slice){ eid.b, 16 };
    der_set(p, provide_eim_package_result, eid_value);
    p->eim_package_result.der.which = eim_package_result_is_euicc_package_result;
    p->eim_package_result.euicc_package_result.der.which = euicc_package_result_is_euicc_package_error_unsigned;
    struct euicc_package_error_unsigned *u = &p->eim_package_result.euicc_package_result.euicc_package_error_unsigned;
    u->eim_id = SLICE("eim.example.com");
    u->association_token = 4711;
    der_set(u, euicc_package_error_unsigned, association_token);
    field_post(&f, der_encode(&esipa_from_ipa_type, &m, &a));
    assert_true(is_empty_answer());
    assert_int_equal(gadget_view(&g).device.token_candidate, DEVICE_TOKEN_NONE);
    arena_free(&a);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_int_equal(gadget_view(&g).device.token, 1);
}

/* The package in flight, as a stranger polls it; its eimTransactionId. */
static struct slice spied_txid(struct arena *a)
{
    struct esipa_from_eim m;
    struct err e = { 0 };
    poll_as(&g, -1, NULL);
    assert_ok(der_decode(&esipa_from_eim_type, f.last_reply, &m, a, &e));
    assert_int_equal(m.get_eim_package_response.der.which, get_eim_package_response_is_euicc_package_request);
    return arena_copy(a, m.get_eim_package_response.euicc_package_request.euicc_package_signed.eim_transaction_id);
}

/* "The card refused it and expects this token", as anybody can say who polled. */
static void plant_token(int64_t token)
{
    struct arena a;
    struct eid eid = eid_of(&g);
    arena_init(&a, 65536);
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
    struct provide_eim_package_result *p = &m.provide_eim_package_result;
    p->eid_value = (struct slice){ eid.b, 16 };
    der_set(p, provide_eim_package_result, eid_value);
    p->eim_package_result.der.which = eim_package_result_is_euicc_package_result;
    p->eim_package_result.euicc_package_result.der.which = euicc_package_result_is_euicc_package_error_unsigned;
    struct euicc_package_error_unsigned *u = &p->eim_package_result.euicc_package_result.euicc_package_error_unsigned;
    u->eim_id = SLICE("eim.example.com");
    u->eim_transaction_id = spied_txid(&a);
    der_set(u, euicc_package_error_unsigned, eim_transaction_id);
    u->association_token = token;
    der_set(u, euicc_package_error_unsigned, association_token);
    field_post(&f, der_encode(&esipa_from_ipa_type, &m, &a));
    assert_true(is_empty_answer());
    arena_free(&a);
}

/* What it costs: one inventory that the card refuses. The card's own word, within the ten minutes, ends it, and nothing waits for days. */
static void a_planted_token_holds_up_nothing(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t first = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    plant_token(4711);
    assert_int_equal(gadget_view(&g).device.token_candidate, 4711);
    int64_t second = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\"}}]}");
    gadget_settle(&g);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, first), OP_DONE);
    assert_int_equal(gadget_state(&g, second), OP_DONE);
    assert_int_equal(gadget_view(&g).device.token, 1);
    assert_string_equal(gadget_enabled(&g), g.a);
    assert_true(FIELD_COUNT(&f, errors_unsigned) >= 2);    /* the stranger's, and the card's own */
}

/* A card that uses no token (0): a candidate is tried with an inventory, never with what people ordered. */
static void an_order_is_never_signed_with_a_candidate(void **state)
{
    (void)state;
    g.card.eims[0].token = 0;
    field_pass(&f, 11 * MINUTE);
    gadget_settle(&g);
    for (int i = 0; i < 4; i++) {
        field_pass(&f, 11 * MINUTE);
        gadget_settle(&g);
    }
    assert_int_equal(gadget_view(&g).device.token, DEVICE_TOKEN_NONE);
    int64_t first = gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}},{\"setDefaultDpAddress\":{\"address\":\"smdp.example.com\"}}]}");
    int64_t second = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    plant_token(4711);
    for (int i = 0; i < 2; i++) gadget_settle(&g);
    assert_int_equal(gadget_state(&g, first), OP_DONE);
    assert_int_equal(gadget_state(&g, second), OP_DONE);
    assert_int_equal(gadget_operation(&g, second).token, 0);
}

/* Strangers may poll under any EID as often as they like: the device itself still gets its package. */
static void a_stranger_who_polls_all_the_time_starves_no_device(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    for (int i = 0; i < 20 && gadget_state(&g, op) != OP_DONE; i++) {
        for (int s = 0; s < 5 * MINUTE; s++) {
            poll_as(&g, -1, NULL);
            field_pass(&f, 1);
        }
        int64_t version = gadget_view(&g).device.version;
        poll_as(&g, -1, NULL);
        assert_int_equal(gadget_view(&g).device.version - version <= 1, 1);
        (void)gadget_contact(&g);
    }
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_enabled(&g), g.b);
}

/* What anybody can say costs few writes, however often it is said. */
static void what_is_said_again_and_again_is_written_now_and_then(void **state)
{
    (void)state;
    gadget_settle(&g);
    field_pass(&f, 11 * MINUTE);
    poll_as(&g, SIM_LOCAL, "62f210");
    gadget_settle(&g);
    int64_t version = gadget_view(&g).device.version;
    for (int i = 0; i < 600; i++) {
        poll_as(&g, i % 7, i % 2 ? "62f210" : "62f220");
        if (i % 10 == 9) field_pass(&f, 1);
    }
    assert_in_range(gadget_view(&g).device.version - version, 1, 16);      /* two kinds of news in one minute, each every ten seconds */
}

/* A flood of refused messages is answered and counted, but only so much of it is written. */
static void hints_have_a_ceiling_a_second(void **state)
{
    (void)state;
    struct arena a;
    struct eid eid = eid_of(&g);
    gadget_settle(&g);
    arena_init(&a, 65536);
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
    struct provide_eim_package_result *p = &m.provide_eim_package_result;
    p->eid_value = (struct slice){ eid.b, 16 };
    der_set(p, provide_eim_package_result, eid_value);
    p->eim_package_result.der.which = eim_package_result_is_eim_package_result_response_error;
    p->eim_package_result.eim_package_result_response_error.eim_package_result_error_code = 127;
    struct slice message = der_encode(&esipa_from_ipa_type, &m, &a);
    f.clock.clock_us += 1000000 - f.clock.clock_us % 1000000;              /* a second begins; each exchange takes a thousandth of it */
    for (int i = 0; i < 300; i++) field_post(&f, message);
    assert_true(is_empty_answer());
    struct device_view v = gadget_view(&g);
    int64_t last = v.hints.v[v.hints.n - 1].id;
    for (int i = 0; i < 100; i++) field_post(&f, message);
    v = gadget_view(&g);
    assert_int_equal(v.hints.n, HINTS_MAX);
    assert_int_equal(v.hints.v[v.hints.n - 1].id, last);   /* the same second: nothing more */
    field_pass(&f, 1);
    field_post(&f, message);
    v = gadget_view(&g);
    assert_int_not_equal(v.hints.v[v.hints.n - 1].id, last);
    arena_free(&a);
}

static void a_card_with_another_token_is_found_again(void **state)
{
    (void)state;
    gadget_settle(&g);
    g.card.eims[0].token = 9;                              /* deleted and added again behind our back */
    poll_as(&g, SIM_OTHER_EIM, NULL);
    for (int i = 0; i < 4; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, 11 * MINUTE);
    }
    assert_int_equal(gadget_view(&g).device.token, 9);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
}

static void a_card_whose_counter_is_ahead_is_caught_up_with(void **state)
{
    (void)state;
    g.card.eims[0].counter = 5000;                         /* before the first package */
    gadget_settle(&g);
    field_pass(&f, 11 * MINUTE);
    gadget_settle(&g);
    struct device_view v = gadget_view(&g);
    assert_true(v.device.counter > 5000 && v.device.counter < 100000);
    assert_true(v.device.has_enabled);
    g.card.eims[0].counter = v.device.counter + 700;       /* and again before a switch: the operation is ordered once more */
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    for (int i = 0; i < 6; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, 11 * MINUTE);
    }
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_string_equal(gadget_reason(&g, op), "not executed, as a later list shows");
    assert_string_equal(gadget_enabled(&g), g.b);          /* the repetition did it */
    assert_int_equal(g.n.switches, 1);
}

static void counters_end_at_their_maximum_with_a_word(void **state)
{
    (void)state;
    gadget_settle(&g);
    g.card.eims[0].counter = SIM_COUNTER_MAX;              /* nothing is greater */
    poll_as(&g, SIM_LOCAL, NULL);
    for (int i = 0; i < 40; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, 11 * MINUTE);
    }
    assert_true(gadget_view(&g).device.counter <= SIM_COUNTER_MAX);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    for (int i = 0; i < 4; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, 11 * MINUTE);
    }
    assert_true(gadget_state(&g, op) == OP_FAILED || gadget_state(&g, op) == OP_PENDING);
    assert_string_equal(gadget_enabled(&g), g.a);
}

/* Put our EID over the sender's in the outer message of its answer to the data request. */
static struct eid impostor, victim;
static void impersonate(struct field *fd, struct slice *request)
{
    (void)fd;
    uint8_t *at = memmem((uint8_t *)(uintptr_t)request->p, request->n < 24 ? request->n : 24, impostor.b, 16);
    if (at) memcpy(at, victim.b, 16);
}

static void a_chain_for_another_eid_teaches_no_key(void **state)
{
    (void)state;
    struct gadget stranger;
    gadget_make(&stranger, &f, 8, false);
    impostor = eid_of(&stranger);
    victim = eid_of(&g);
    f.meddle = impersonate;
    for (int i = 0; i < 3; i++) (void)gadget_contact(&stranger);
    f.meddle = NULL;
    assert_int_equal(gadget_view(&g).device.key_class, KEY_NONE);
    assert_int_equal(FIELD_COUNT(&f, chains_refused), 1);
    assert_int_equal(FIELD_COUNT(&f, results_verified), 0);
    gadget_free(&stranger);
}

static void malformed_messages_change_nothing(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t version = gadget_view(&g).device.version;
    static const char *const bad[] = { "", "bf", "bf4f", "bf4f125a1089", "30125a1089044045118427484800000000011628", "bf7f00", "bf4e0500" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t bytes[64];
        long n = slice_unhex(slice_str(bad[i]), bytes, sizeof bytes);
        field_post(&f, (struct slice){ bytes, (size_t)n });
        assert_true(f.last_rc == E_MALFORMED || f.last_rc == E_UNKNOWN_TYPE);
        assert_true(f.last_err.why[0] != 0);
    }
    assert_int_equal(FIELD_COUNT(&f, malformed), sizeof bad / sizeof *bad);
    assert_int_equal(gadget_view(&g).device.version, version);
    static const uint8_t missing[] = { 0xbf, 0x4f, 0x00 };
    field_post(&f, (struct slice){ missing, sizeof missing });
    assert_int_equal(f.last_rc, OK);
    assert_int_equal(answer_code(), GET_EIM_PACKAGE_ERROR_MISSING_EID);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(strangers_are_not_found),
        T(unknown_devices_are_enrolled_under_a_cap),
        T(without_a_root_a_device_stays_unverified_and_changes_nothing),
        T(the_same_result_again_is_acknowledged_again_and_applied_once),
        T(a_flipped_bit_anywhere_in_a_result_is_refused),
        T(a_result_for_another_device_moves_nothing),
        T(unsigned_announcements_cause_one_package_in_ten_minutes),
        T(a_change_announced_soon_after_another_is_looked_at_later),
        T(a_false_token_heard_unsigned_is_tried_once_and_dropped),
        T(what_is_said_again_and_again_is_written_now_and_then), T(hints_have_a_ceiling_a_second),
        T(a_planted_token_holds_up_nothing), T(an_order_is_never_signed_with_a_candidate),
        T(a_stranger_who_polls_all_the_time_starves_no_device), T(a_card_with_another_token_is_found_again),
        T(a_card_whose_counter_is_ahead_is_caught_up_with),
        T(counters_end_at_their_maximum_with_a_word),
        T(a_chain_for_another_eid_teaches_no_key),
        T(malformed_messages_change_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&captured_memory);
    return failed;
}
