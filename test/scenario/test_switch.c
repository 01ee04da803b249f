/* test_switch.c -- the life of an operation between an eIM and honest devices: first contact, switch, rollback, losses. */
#include "test/scenario/field.h"

static struct field f;
static struct gadget g;

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

static void assert_enabled(const char *iccid)
{
    char printed[21];
    struct device_view v = gadget_view(&g);
    assert_true(v.device.has_enabled);
    iccid_print(v.device.enabled, printed);
    assert_string_equal(printed, iccid);
    assert_string_equal(gadget_enabled(&g), iccid);
}

static void first_contact_verifies_the_chain_and_takes_an_inventory(void **state)
{
    (void)state;
    assert_int_equal(gadget_contact(&g), SIM_IDLE);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.device.key_class, KEY_CI);
    assert_int_equal(v.device.token, 1);                   /* the first token of a fresh card, proven by a signed result */
    assert_int_equal(v.device.token_candidate, DEVICE_TOKEN_NONE);
    assert_int_equal(v.device.counter, 1);
    assert_int_equal(v.device.wants, 0);
    assert_int_equal(v.profiles.n, 2);
    assert_true(device_inventory_fresh(&v.device));
    assert_enabled(g.a);
    assert_int_equal(FIELD_COUNT(&f, chains_verified), 1);
    assert_int_equal(g.n.data_requests, 1);
    assert_int_equal(g.n.executed, 1);
    assert_int_equal(g.n.removed, g.n.acks);
}

/* Both data requests left and neither arrived, as when the server dies twice: the device is not left without a key for long. */
static void two_lost_data_requests_are_made_good_within_the_same_contact(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        f.lose_reply = 1;
        assert_int_equal(gadget_contact(&g), SIM_RETRY);
    }
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.device.key_class, KEY_NONE);
    assert_int_equal(v.device.data_deliveries, 2);
    f.lose_reply = 0;
    gadget_contact(&g);
    assert_int_equal(gadget_view(&g).device.key_class, KEY_NONE);      /* a package goes first now, and its result proves nothing */
    field_pass(&f, 11);
    gadget_settle(&g);
    assert_int_equal(gadget_view(&g).device.key_class, KEY_CI);
    v = gadget_view(&g);
    assert_true(device_inventory_fresh(&v.device));
}

static void a_switch_is_executed_proven_and_followed_by_an_inventory(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    assert_int_equal(gadget_state(&g, op), OP_PENDING);
    gadget_settle(&g);
    struct operation o = gadget_operation(&g, op);
    assert_int_equal(o.state, OP_DONE);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.counter, 2);
    assert_int_equal(o.deliveries, 1);
    assert_true(o.package.n && o.result.n);
    assert_enabled(g.b);
    struct device_view v = gadget_view(&g);
    assert_true(device_inventory_fresh(&v.device));
    assert_int_equal(v.device.counter, 3);
    assert_int_equal(v.device.in_flight, 0);
    assert_int_equal(v.device.next_op, 0);
    assert_true(v.notifications.n >= 1);                   /* enable and disable, both verified */
    for (size_t i = 0; i < v.notifications.n; i++) assert_int_equal(v.notifications.v[i].state, NOTIFICATION_VERIFIED);
    assert_int_equal(g.card.stored.n, 0);                  /* everything acknowledged was removed from the card */
}

static void a_refused_enable_fails_with_the_code_of_the_card(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_int_equal(gadget_operation(&g, op).code, ENABLE_RESULT_PROFILE_NOT_IN_DISABLED_STATE);
    assert_string_equal(gadget_reason(&g, op), "enable: profileNotInDisabledState(2)");
    assert_enabled(g.a);
}

/* Lose the Nth reply of the session, for every N: the end is always the same. */
static void any_one_lost_reply_changes_nothing_in_the_end(void **state)
{
    (void)state;
    gadget_settle(&g);
    for (int n = 1; n <= 6; n++) {
        const char *to = n % 2 ? g.b : g.a;
        char order[128];
        snprintf(order, sizeof order, "{\"psmos\":[{\"enable\":{\"iccid\":\"%s\"}}]}", to);
        int64_t op = gadget_order(&g, order);
        int64_t before = gadget_view(&g).device.counter;
        uint64_t executed = g.n.executed;
        f.lose_reply = n;
        gadget_settle(&g);
        f.lose_reply = 0;
        assert_int_equal(gadget_state(&g, op), OP_DONE);
        assert_enabled(to);
        assert_int_equal(gadget_view(&g).device.counter, before + 2);      /* the switch and its inventory: none spent twice */
        assert_int_equal(g.n.executed, executed + 2);                      /* and none executed twice */
    }
    assert_int_equal(FIELD_COUNT(&f, results_refused), 0);
}

static void a_package_is_delivered_again_byte_for_byte(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    struct slice poll;
    uint8_t eid[16];
    assert_int_equal(slice_unhex(slice_str(g.eid), eid, 16), 16);
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_get_eim_package_request };
    m.get_eim_package_request.eid_value = (struct slice){ eid, 16 };
    der_set(&m.get_eim_package_request, get_eim_package_request, eid_value);
    struct arena keep;
    arena_init(&keep, 1 << 20);
    poll = der_encode(&esipa_from_ipa_type, &m, &keep);
    field_post(&f, poll);
    struct slice first = arena_copy(&keep, f.last_reply);
    assert_true(first.n > 100);
    for (int i = 0; i < 5; i++) {
        field_pass(&f, HOUR);
        field_post(&f, poll);
        assert_true(slice_eq(first, f.last_reply));
    }
    assert_int_equal(gadget_operation(&g, op).deliveries, 6);
    assert_int_equal(gadget_view(&g).device.counter, 2);
    field_pass(&f, 2 * MINUTE);
    field_restart(&f);                                     /* also after the server was killed */
    field_post(&f, poll);
    assert_true(slice_eq(first, f.last_reply));
    arena_free(&keep);
}

static void without_coverage_on_b_the_device_rolls_back(void **state)
{
    (void)state;
    gadget_settle(&g);
    g.ipa.no_coverage = 1u << 1;
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    for (int i = 0; i < 20; i++) (void)gadget_contact(&g);
    assert_int_equal(gadget_state(&g, op), OP_ROLLED_BACK);
    assert_enabled(g.a);
    assert_int_equal(FIELD_COUNT(&f, rollbacks), 1);
    assert_int_equal(FIELD_COUNT(&f, results_refused), 0);
}

static void a_pending_operation_is_cancelled_and_a_sent_one_is_not(void **state)
{
    (void)state;
    struct operation o;
    struct err e = { 0 };
    gadget_settle(&g);
    int64_t first = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    int64_t second = gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
    assert_ok(manage_operation_cancel(f.eim, &f.admin, first, &o, field_arena(&f), &e));
    assert_int_equal(o.state, OP_CANCELLED);
    assert_refused(E_STATE, manage_operation_cancel(f.eim, &f.admin, first, &o, field_arena(&f), &e));
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, first), OP_CANCELLED);
    assert_int_equal(gadget_state(&g, second), OP_DONE);   /* the head of the queue was the cancelled one */
    assert_enabled(g.a);
    assert_refused(E_STATE, manage_operation_cancel(f.eim, &f.admin, second, &o, field_arena(&f), &e));
}

static void an_operation_that_nobody_fetches_expires(void **state)
{
    (void)state;
    gadget_settle(&g);
    char order[256], when[32];
    env_rfc3339(f.clock.clock_us + INT64_C(3600) * 1000000, when);
    snprintf(order, sizeof order, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}],\"expires_at\":\"%s\"}", when);
    int64_t op = gadget_order(&g, order);
    field_pass(&f, 30 * MINUTE);
    assert_int_equal(gadget_state(&g, op), OP_PENDING);
    field_pass(&f, HOUR);
    assert_int_equal(gadget_state(&g, op), OP_EXPIRED);
    gadget_settle(&g);
    assert_enabled(g.a);
    assert_int_equal(FIELD_COUNT(&f, operations_expired), 1);
}

static void several_operations_run_in_order_one_in_flight(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t ops[] = {
        gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}"),
        gadget_order(&g, "{\"psmos\":[{\"delete\":{\"iccid\":\"'A\"}}]}"),
        gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}},{\"setDefaultDpAddress\":{\"address\":\"smdp.example.com\"}}]}"),
        gadget_order(&g, "{\"psmos\":[{\"setFallbackAttribute\":{\"iccid\":\"'B\"}}]}"),
        gadget_order(&g, "{\"ecos\":[{\"listEim\":{}}]}"),
    };
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, ops[0]), OP_DONE);
    assert_int_equal(gadget_state(&g, ops[1]), OP_DONE);
    assert_int_equal(gadget_state(&g, ops[2]), OP_DONE);
    assert_int_equal(gadget_state(&g, ops[3]), OP_DONE);
    assert_int_equal(gadget_state(&g, ops[4]), OP_DONE);
    for (int i = 1; i < 5; i++) assert_true(gadget_operation(&g, ops[i]).counter > gadget_operation(&g, ops[i - 1]).counter);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.profiles.n, 1);
    assert_true(v.profiles.v[0].fallback);
    assert_enabled(g.b);
}

/* What is known of a quiet device ends with the change, whoever makes it. */
static void a_quiet_device_is_given_what_is_ordered_after(void **state)
{
    (void)state;
    gadget_settle(&g);
    bool sqlite = strcmp(store_engine(f.store), "sqlite") == 0;
    for (int i = 0; i < 3; i++) {
        uint64_t before = FIELD_COUNT(&f, polls_quiet);
        for (int k = 0; k < 3; k++) assert_int_equal(gadget_contact(&g), SIM_IDLE);
        assert_int_equal(FIELD_COUNT(&f, polls_quiet) - before, sqlite ? 3 : 0);
        int64_t op = gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
        gadget_settle(&g);
        assert_int_equal(gadget_state(&g, op), OP_DONE);
    }
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(first_contact_verifies_the_chain_and_takes_an_inventory),
        T(two_lost_data_requests_are_made_good_within_the_same_contact),
        T(a_switch_is_executed_proven_and_followed_by_an_inventory),
        T(a_refused_enable_fails_with_the_code_of_the_card),
        T(any_one_lost_reply_changes_nothing_in_the_end),
        T(a_package_is_delivered_again_byte_for_byte),
        T(without_coverage_on_b_the_device_rolls_back),
        T(a_pending_operation_is_cancelled_and_a_sent_one_is_not),
        T(an_operation_that_nobody_fetches_expires),
        T(several_operations_run_in_order_one_in_flight),
        T(a_quiet_device_is_given_what_is_ordered_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
