/* test_rules.c -- invariant I6: nothing strands a device, when it is ordered and again when it is signed, unless a person says so by name. */
#include "test/scenario/field.h"

#include "crypto/certmake.h"
#include "crypto/key.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;

static int up(void **state)
{
    (void)state;
    field_open(&f);
    gadget_make(&g, &f, 11, true);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    field_close(&f);
    return 0;
}

static void disabling_the_only_enabled_profile_is_refused_when_ordered(void **state)
{
    (void)state;
    gadget_settle(&g);
    assert_non_null(strstr(gadget_try(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'A\"}}]}", E_RULE), "no_enabled_profile"));
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'A\"}},{\"enable\":{\"iccid\":\"'B\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_enabled(&g), g.b);
    assert_string_equal(gadget_try(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"1\"}}]}", E_INVALID), "must be an ICCID of 18 to 20 digits");
}

static void a_person_may_override_it_by_name(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'A\"}}],\"override\":[\"no_enabled_profile\"]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_enabled(&g), "");
    struct device_view v = gadget_view(&g);
    assert_true(v.device.has_enabled);
    assert_int_equal(v.device.enabled.n, 0);
    /* the wrong name does not help */
    (void)gadget_try(&g, "{\"psmos\":[{\"delete\":{\"iccid\":\"'A\"}}],\"override\":[\"last_way_to_eim\"]}", E_RULE);
}

static void deleting_the_last_profile_that_reaches_the_eim_is_refused(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t first = gadget_order(&g, "{\"psmos\":[{\"delete\":{\"iccid\":\"'B\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, first), OP_DONE);
    const char *why = gadget_try(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'A\"}},{\"delete\":{\"iccid\":\"'A\"}}],"
                                     "\"override\":[\"no_enabled_profile\"]}", E_RULE);
    assert_non_null(strstr(why, "last_way_to_eim"));
}

static void leaving_this_eim_needs_an_override(void **state)
{
    (void)state;
    gadget_settle(&g);
    (void)gadget_try(&g, "{\"ecos\":[{\"deleteEim\":{\"eim_id\":\"eim.example.com\"}}]}", E_RULE);
    int64_t other = gadget_order(&g, "{\"ecos\":[{\"deleteEim\":{\"eim_id\":\"another\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, other), OP_FAILED);  /* eimNotFound */
    int64_t us = gadget_order(&g, "{\"ecos\":[{\"deleteEim\":{\"eim_id\":\"eim.example.com\"}}],\"override\":[\"last_way_to_eim\"]}");
    for (int i = 0; i < 3; i++) (void)gadget_contact(&g);
    assert_int_equal(gadget_state(&g, us), OP_DONE);       /* lastEimDeleted is a success */
}

/* Ordered when nothing was known, judged when it is to be signed: on an inventory newer than the last change. */
static void what_could_not_be_judged_when_ordered_is_judged_when_signed(void **state)
{
    (void)state;
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'A\"}}]}");       /* before the first contact */
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_int_equal(gadget_operation(&g, op).counter, 0); /* never signed, never sent */
    assert_non_null(strstr(gadget_reason(&g, op), "without an enabled profile"));
    assert_string_equal(gadget_enabled(&g), g.a);
}

static void a_change_behind_our_back_is_seen_before_signing(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'B\"}}]}");       /* harmless: A is enabled */
    /* the device falls back to B by itself, and says so */
    struct arena a;
    arena_init(&a, SIM_IPA_ARENA);
    for (int i = 0; i < SIM_PROFILES; i++) {
        struct sim_profile *p = &g.card.profiles[i];
        if (!(p->flags & SIM_USED)) continue;
        if (p->operator_ == 1) p->flags |= SIM_FALLBACK_ATTRIBUTE | SIM_FALLBACK_ALLOWED;
    }
    assert_int_equal(sim_ipa_local(&g.ipa, SIM_DO_FALLBACK, &a), 0);
    arena_free(&a);
    assert_string_equal(gadget_enabled(&g), g.b);
    for (int i = 0; i < 4; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, 11 * MINUTE);
    }
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_string_equal(gadget_enabled(&g), g.b);
    assert_int_equal(gadget_view(&g).device.state_cause, SIM_FALLBACK);
}

/* The card stops at the first failure: a disable before an enable that must fail is a disable alone. */
static void an_enable_of_what_is_not_there_excuses_no_disable(void **state)
{
    (void)state;
    gadget_settle(&g);
    (void)gadget_try(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'A\"}},{\"enable\":{\"iccid\":\"89000000000000000009\"}}]}", E_RULE);
    int64_t harmless = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"89000000000000000009\"}},{\"disable\":{\"iccid\":\"'A\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, harmless), OP_FAILED);
    assert_string_equal(gadget_enabled(&g), g.a);
}

/* A switch to B whose result got lost counts as executed or not, nobody knows: a disable of B, harmless by the inventory from before, is
 * not signed until an inventory from after says so. */
static void an_unknown_outcome_makes_the_inventory_old(void **state)
{
    (void)state;
    gadget_settle(&g);
    int64_t enable = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    g.card.quirks = sim_quirk_named("silent");
    (void)gadget_contact(&g);                              /* executed, not reported */
    g.card.quirks = 0;
    assert_string_equal(gadget_enabled(&g), g.b);
    field_pass(&f, 8 * DAY);
    assert_int_equal(gadget_state(&g, enable), OP_UNKNOWN);
    struct device_view v = gadget_view(&g);
    assert_false(device_inventory_fresh(&v.device));
    int64_t disable = gadget_order(&g, "{\"psmos\":[{\"disable\":{\"iccid\":\"'B\"}}]}");       /* harmless by the old inventory */
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, enable), OP_DONE);
    assert_int_equal(gadget_state(&g, disable), OP_FAILED);
    assert_string_equal(gadget_enabled(&g), g.b);
}

/* Five large certificates: together they fit into no package. */
static void what_fits_into_no_package_is_refused_when_ordered(void **state)
{
    (void)state;
    static const char head[] = "{\"ecos\":[", tail[] = "]}";
    static char json[64000];
    struct arena a;
    struct slice cert;
    struct private_key *key;
    struct err e = { 0 };
    size_t n = sizeof head - 1;
    arena_init(&a, 1 << 20);
    assert_ok(private_key_generate(&key, CURVE_P256, &e));
    const char *dns[16];
    for (size_t i = 0; i < 16; i++) dns[i] = arena_printf(&a, "%0200zu.example.com", i);
    assert_ok(certmake_tls(&cert, key, "eim2", dns, 16, NULL, 0, 0, INT64_C(4000000000) * 1000000, &a, &e));
    private_key_free(key);
    char *b64 = arena_alloc(&a, 4 * cert.n);
    slice_to_b64(cert, b64);
    memcpy(json, head, n);
    for (int i = 0; i < 5; i++)
        n += (size_t)snprintf(json + n, sizeof json - n, "%s{\"addEim\":{\"eim_id\":\"x%d\",\"certificate\":\"%s\"}}", i ? "," : "", i, b64);
    memcpy(json + n, tail, sizeof tail);
    gadget_settle(&g);
    (void)gadget_try(&g, json, E_TOO_LARGE);
    assert_int_equal(gadget_view(&g).device.next_op, 0);
    arena_free(&a);
}

static void a_queue_has_an_end(void **state)
{
    (void)state;
    gadget_settle(&g);
    for (int i = 0; i < OPERATION_QUEUE_MAX; i++) (void)gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
    (void)gadget_try(&g, "{\"psmos\":[{\"getRAT\":{}}]}", E_LIMIT);
    for (int i = 0; i < 4; i++) (void)gadget_contact(&g);
    assert_int_equal(gadget_view(&g).device.next_op, 0);
    assert_int_equal(FIELD_COUNT(&f, operations_done), OPERATION_QUEUE_MAX + 1);
}

static void orders_for_unknown_devices_and_odd_members_are_refused(void **state)
{
    (void)state;
    struct gadget other;
    gadget_make(&other, &f, 12, false);
    (void)gadget_try(&other, "{\"psmos\":[{\"getRAT\":{}}]}", E_NOT_FOUND);
    gadget_free(&other);
    assert_string_equal(gadget_try(&g, "{\"psmos\":[{\"getRAT\":{}}],\"colour\":1}", E_INVALID), "no such member");
    (void)gadget_try(&g, "{\"psmos\":[{\"getRAT\":{}}],\"expires_at\":\"yesterday\"}", E_INVALID);
    assert_string_equal(gadget_try(&g, "{\"psmos\":[{\"getRAT\":{}}],\"expires_at\":\"2020-01-01T00:00:00Z\"}", E_INVALID), "is in the past");
}

/* Whoever holds a key that leaked may be anybody: nothing that changes a card is signed for it, but it is looked at. */
static void in_quarantine_nothing_is_signed_but_inventories(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct eid eid;
    bool changed;
    gadget_settle(&g);
    int64_t before = gadget_view(&g).device.counter;
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    int64_t download = gadget_order(&g, "{\"download\":{\"activation_code\":\"1$smdp.example.com$X\"}}");
    assert_true(eid_parse(slice_str(g.eid), false, &eid));
    assert_refused(E_INVALID, manage_quarantine(f.eim, &f.admin, &eid, true, (struct slice){ 0 }, &changed, field_arena(&f), &e));
    e = (struct err){ 0 };
    assert_ok(manage_quarantine(f.eim, &f.admin, &eid, true, SLICE("key leaked"), &changed, field_arena(&f), &e));
    assert_true(changed);
    assert_ok(manage_quarantine(f.eim, &f.admin, &eid, true, SLICE("key leaked"), &changed, field_arena(&f), &e));
    assert_false(changed);
    gadget_settle(&g);
    struct device_view v = gadget_view(&g);
    assert_true(slice_eq(v.quarantine.reason, SLICE("key leaked")));
    assert_int_equal(v.device.counter, before + 1);                /* the inventory that it asked for */
    assert_true(device_inventory_fresh(&v.device));
    assert_string_equal(gadget_enabled(&g), g.a);
    assert_int_equal(gadget_state(&g, op), OP_PENDING);
    assert_int_equal(gadget_state(&g, download), OP_PENDING);
    assert_int_equal(g.n.triggers, 0);
    field_restart(&f);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_PENDING);
    assert_ok(manage_quarantine(f.eim, &f.admin, &eid, false, SLICE("new certificate"), &changed, field_arena(&f), &e));
    assert_true(changed);
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_enabled(&g), g.b);
    assert_int_equal(gadget_view(&g).quarantine.association, 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(disabling_the_only_enabled_profile_is_refused_when_ordered), T(a_person_may_override_it_by_name),
        T(deleting_the_last_profile_that_reaches_the_eim_is_refused), T(leaving_this_eim_needs_an_override),
        T(what_could_not_be_judged_when_ordered_is_judged_when_signed), T(a_change_behind_our_back_is_seen_before_signing),
        T(an_enable_of_what_is_not_there_excuses_no_disable), T(an_unknown_outcome_makes_the_inventory_old),
        T(what_fits_into_no_package_is_refused_when_ordered), T(a_queue_has_an_end), T(orders_for_unknown_devices_and_odd_members_are_refused),
        T(in_quarantine_nothing_is_signed_but_inventories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
