/* test_json.c -- whole sessions in the JSON binding: the simulated IPA's JSON goes through eimd's translation to the eIM, and back. */
#include "test/scenario/field.h"

#include "front/esipa_json.h"
#include "sim/json.h"

static struct field f;
static struct gadget g;
static struct arena texts;             /* the JSON of one exchange */
static bool whole;                     /* how the next result is spelled */

static int up(void **state)
{
    (void)state;
    field_open(&f);
    gadget_make(&g, &f, 1, true);
    arena_init(&texts, 4 << 20);
    return 0;
}

static int down(void **state)
{
    (void)state;
    arena_free(&texts);
    gadget_free(&g);
    field_close(&f);
    return 0;
}

static enum sim_reply post_json(void *arg, struct slice request, struct slice *reply, struct arena *a)
{
    (void)arg;
    const char *name;
    struct slice json, message;
    struct err e = { 0 };
    arena_reset(&texts);
    whole = !whole;
    assert_true(sim_json_request(request, whole, &name, &json, &texts));
    const struct esipa_json_function *function = esipa_json_function(name);
    assert_non_null(function);
    assert_ok(esipa_json_read(function, json, &message, &texts, &e));
    field_post(&f, message);
    if (f.lose_reply && --f.lose_reply == 0) return SIM_LOST;
    if (f.last_rc != OK) return err_status(f.last_rc) == 503 ? SIM_LOST : SIM_REFUSED;
    assert_ok(esipa_json_write(function, f.last_reply, false, &json, &texts, &e));
    assert_true(sim_json_reply(name, json, reply, a));
    return SIM_REPLY;
}

static void settle(void)
{
    struct arena a;
    arena_init(&a, SIM_IPA_ARENA);
    const struct sim_transport t = { .post = post_json };
    enum sim_contact said = SIM_RETRY;
    for (int i = 0; i < 10 && said != SIM_IDLE; i++) said = sim_ipa_contact(&g.ipa, &t, &g.n, &a);
    arena_free(&a);
    assert_int_equal(said, SIM_IDLE);
    assert_int_equal(g.n.malformed, 0);
}

static void a_switch_is_executed_proven_and_followed_by_an_inventory(void **state)
{
    (void)state;
    settle();
    assert_int_equal(gadget_view(&g).device.key_class, KEY_CI);
    assert_int_equal(FIELD_COUNT(&f, chains_verified), 1);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    settle();
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_enabled(&g), g.b);
    struct device_view v = gadget_view(&g);
    assert_true(device_inventory_fresh(&v.device));
    assert_int_equal(v.device.counter, 3);
    assert_true(v.notifications.n >= 1);
    for (size_t i = 0; i < v.notifications.n; i++) assert_int_equal(v.notifications.v[i].state, NOTIFICATION_VERIFIED);
    assert_int_equal(g.card.stored.n, 0);                  /* everything acknowledged was removed from the card */
    assert_int_equal(FIELD_COUNT(&f, results_refused), 0);
    assert_int_equal(FIELD_COUNT(&f, malformed), 0);
}

static void any_one_lost_reply_changes_nothing_in_the_end(void **state)
{
    (void)state;
    settle();
    for (int n = 1; n <= 6; n++) {
        char order[128];
        const char *to = n % 2 ? g.b : g.a;
        snprintf(order, sizeof order, "{\"psmos\":[{\"enable\":{\"iccid\":\"%s\"}}]}", to);
        int64_t op = gadget_order(&g, order), before = gadget_view(&g).device.counter;
        f.lose_reply = n;
        settle();
        f.lose_reply = 0;
        assert_int_equal(gadget_state(&g, op), OP_DONE);
        assert_string_equal(gadget_enabled(&g), to);
        assert_int_equal(gadget_view(&g).device.counter, before + 2);
    }
    assert_int_equal(FIELD_COUNT(&f, results_refused), 0);
}

static void every_kind_of_operation_goes_through(void **state)
{
    (void)state;
    settle();
    static const char *const orders[] = {
        "{\"psmos\":[{\"getRAT\":{}},{\"setDefaultDpAddress\":{\"address\":\"smdp.example.com\"}}]}",
        "{\"psmos\":[{\"setFallbackAttribute\":{\"iccid\":\"'B\"}}]}",
        "{\"ecos\":[{\"listEim\":{}}]}",
        "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\"}}]}",   /* refused by the card: enabled already */
    };
    static const enum operation_state ends[] = { OP_DONE, OP_DONE, OP_DONE, OP_FAILED };
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        int64_t op = gadget_order(&g, orders[i]);
        settle();
        assert_int_equal(gadget_state(&g, op), ends[i]);
    }
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(a_switch_is_executed_proven_and_followed_by_an_inventory),
        T(any_one_lost_reply_changes_nothing_in_the_end),
        T(every_kind_of_operation_goes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
