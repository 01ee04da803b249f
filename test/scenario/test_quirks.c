/* test_quirks.c -- devices that misbehave, one row a misbehaviour: what becomes of an operation, and what is never done. */
#include "test/scenario/field.h"

#include "eim/interop.h"

static struct field f;
static struct gadget g;

enum fate {
    SWITCHES,                          /* ends done, as with an honest device */
    FAILS,                             /* ends failed with `code` */
    STAYS_SENT,                        /* nothing proves anything: waits for its timeout, nothing acknowledged */
    STAYS_PENDING,                     /* nothing may be sent */
    STAYS_UNKNOWN,                     /* executed, but no list of this card can tell */
};

static const struct row {
    const char *quirk;
    enum fate fate;
    int64_t code;
} rows[] = {
    { "bare-choice", SWITCHES, 0 },        { "double-tag", SWITCHES, 0 },      { "explicit-cert", SWITCHES, 0 },
    { "no-eid", SWITCHES, 0 },             { "handle-notification", SWITCHES, 0 }, { "empty-list", SWITCHES, 0 },
    { "never-bundle", SWITCHES, 0 },       { "der-signature", SWITCHES, 0 },   { "caps-byte-per-bit", SWITCHES, 0 },
    { "unknown-fields", SWITCHES, 0 },     { "long-length", SWITCHES, 0 },     { "bare-integer", SWITCHES, 0 },
    { "duplicate", SWITCHES, 0 },          { "never-remove", SWITCHES, 0 },    { "delayed-result", SWITCHES, 0 },
    { "unknown-result", STAYS_UNKNOWN, 0 },
    { "odd-seq", SWITCHES, 0 },            { "no-data-answer", SWITCHES, 0 },  { "bad-tag-list", SWITCHES, 0 },
    { "cat-busy", FAILS, 5 },              { "ecall", STAYS_PENDING, 0 },      { "counter-range", FAILS, 6 },
    { "wrong-signature", STAYS_SENT, 0 },  { "wrong-token", STAYS_SENT, 0 },   { "foreign-epr", STAYS_SENT, 0 },
    { "dummy-signature", STAYS_SENT, 0 },  { "unsigned-error", STAYS_SENT, 0 }, { "silent", STAYS_SENT, 0 },
    { "truncated", STAYS_SENT, 0 },        { "replay-epr", STAYS_SENT, 0 },    { "invalid-format", STAYS_SENT, 0 },
    { "unknown-package", STAYS_SENT, 0 },  { "no-token", STAYS_SENT, 0 },      { "odd-error", STAYS_SENT, 0 },
};

static void start(const char *quirk)
{
    uint64_t bit = sim_quirk_named(quirk);
    assert_true(bit != 0);
    field_open(&f);
    gadget_make(&g, &f, 3, false);
    struct slice spki;
    struct err e = { 0 };
    struct arena *a = field_arena(&f);
    assert_ok(public_key_spki(sim_euicc_public(&g.card), &spki, a, &e));
    struct enrolment line = { .eid = slice_str(g.eid), .public_key = spki };       /* pinned: some never send certificates */
    assert_ok(manage_enrol(f.eim, &f.admin, &line, 1, a, &e));
    assert_int_equal(line.rc, OK);
    g.card.quirks |= bit;
}

static void stop(void)
{
    gadget_free(&g);
    field_close(&f);
}

static void check(const struct row *r)
{
    start(r->quirk);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    for (int i = 0; i < 8; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, 11 * MINUTE);                       /* past the limit on automatic packages (I11) */
    }
    struct operation o = gadget_operation(&g, op);
    struct device_view v = gadget_view(&g);
    char printed[21];
    iccid_print(v.device.enabled, printed);
    printf("# %-20s %-16s code %lld counter %lld refused %lld unsigned %lld\n", r->quirk, operation_state_name(o.state), (long long)o.code,
           (long long)v.device.counter, (long long)FIELD_COUNT(&f, results_refused), (long long)FIELD_COUNT(&f, errors_unsigned));
    switch (r->fate) {
    case SWITCHES:
        assert_int_equal(o.state, OP_DONE);
        assert_string_equal(gadget_enabled(&g), g.b);
        assert_string_equal(printed, g.b);
        break;
    case FAILS:
        assert_int_equal(o.state, OP_FAILED);
        assert_int_equal(o.code, r->code);
        assert_string_equal(gadget_enabled(&g), g.a);
        break;
    case STAYS_SENT:
        assert_true(o.state == OP_SENT || o.state == OP_PENDING);      /* pending: not even the first inventory could be proven */
        assert_int_equal(o.result.n, 0);
        break;
    case STAYS_UNKNOWN:
        assert_int_equal(o.state, OP_UNKNOWN);
        assert_true(v.device.counter <= 20);
        break;
    case STAYS_PENDING:
        assert_int_equal(o.state, OP_PENDING);
        assert_true(v.device.counter <= 10);               /* tried again now and then, not at every poll */
        break;
    }
    stop();
}

static void every_misbehaviour_has_its_one_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(&rows[i]);
}

static void no_false_proof_is_ever_acknowledged(void **state)
{
    (void)state;
    static const char *const forgers[] = { "wrong-signature", "wrong-token", "no-token", "foreign-epr", "dummy-signature" };
    for (size_t i = 0; i < sizeof forgers / sizeof *forgers; i++) {
        start(forgers[i]);
        for (int k = 0; k < 4; k++) {
            (void)gadget_contact(&g);
            field_pass(&f, 11 * MINUTE);
        }
        assert_int_equal(g.n.acks, 0);
        assert_int_equal(FIELD_COUNT(&f, results_verified), 0);
        assert_true(FIELD_COUNT(&f, results_refused) > 0);
        struct device_view v = gadget_view(&g);
        assert_false(v.device.has_enabled);
        assert_int_equal(v.device.inventory_us, 0);
        assert_true(v.hints.n > 0 && v.hints.n <= HINTS_MAX);
        stop();
    }
}

/* The silent device: executed, but the result never comes, not even when asked for. Only time and an inventory settle it. */
static void a_result_that_never_comes_is_settled_by_an_inventory(void **state)
{
    (void)state;
    start("silent");
    g.card.quirks = 0;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    g.card.quirks = sim_quirk_named("silent");
    (void)gadget_contact(&g);
    assert_int_equal(gadget_state(&g, op), OP_SENT);
    assert_string_equal(gadget_enabled(&g), g.b);
    field_pass(&f, DAY);
    assert_int_equal(gadget_state(&g, op), OP_SENT);
    field_pass(&f, 7 * DAY);
    assert_int_equal(gadget_state(&g, op), OP_UNKNOWN);
    assert_int_equal(FIELD_COUNT(&f, outcomes_unknown), 1);
    struct operation o;
    struct err e = { 0 };
    assert_refused(E_STATE, manage_operation_cancel(f.eim, &f.admin, op, &o, field_arena(&f), &e));
    g.card.quirks = sim_quirk_named("no-data-answer");     /* so that the stored result does not come either */
    sim_ipa_restart(&g.ipa);
    g.card.stored.n = 0;
    for (int i = 0; i < 5 && gadget_state(&g, op) == OP_UNKNOWN; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, DAY);
    }
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_string_equal(gadget_reason(&g, op), "executed, as a later list shows; its own result never came");
    assert_int_equal(FIELD_COUNT(&f, outcomes_settled), 1);
    stop();
}

static void a_package_that_never_arrived_is_settled_as_not_executed(void **state)
{
    (void)state;
    start("invalid-format");
    g.card.quirks = 0;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    g.card.quirks = sim_quirk_named("invalid-format");
    for (int i = 0; i < 3; i++) (void)gadget_contact(&g);
    assert_int_equal(gadget_state(&g, op), OP_SENT);       /* an unsigned refusal decides nothing (I11) */
    field_pass(&f, 8 * DAY);
    g.card.quirks = 0;
    for (int i = 0; i < 5; i++) (void)gadget_contact(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    assert_string_equal(gadget_reason(&g, op), "not executed, as a later list shows");
    assert_string_equal(gadget_enabled(&g), g.a);
    stop();
}

/* The result lies on the card: the redelivered package gets replayError, so the eIM asks for stored results (A2). No inventory is
 * needed to settle it, and nothing is executed twice. */
static void a_late_result_from_the_card_settles_an_unknown_outcome(void **state)
{
    (void)state;
    start("late-epr");
    g.card.quirks = 0;
    gadget_settle(&g);
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
    g.card.quirks = sim_quirk_named("late-epr");
    (void)gadget_contact(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    assert_true(gadget_operation(&g, op).result.n > 0);
    assert_true(FIELD_COUNT(&f, outcomes_unknown) > 0);
    assert_int_equal(g.n.switches, 1);
    assert_true(gadget_view(&g).device.counter < 10);      /* a lost result is no reason to let the counter leap */
    stop();
}

/* Some cards keep the results before the rollback in the list, some replace them (spec 5.6). */
static void a_rollback_is_understood_in_both_forms(void **state)
{
    (void)state;
    for (int both = 0; both < 2; both++) {
        start("rollback-both");
        g.card.quirks = both ? sim_quirk_named("rollback-both") : 0;
        gadget_settle(&g);
        g.ipa.no_coverage = 1u << 1;
        int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
        for (int i = 0; i < 12; i++) (void)gadget_contact(&g);
        assert_int_equal(gadget_state(&g, op), OP_ROLLED_BACK);
        struct device_view v = gadget_view(&g);
        char printed[21];
        iccid_print(v.device.enabled, printed);
        assert_string_equal(printed, g.a);                 /* the inventory after it says which profile is enabled again */
        stop();
    }
}

/* What is otherwise is told, by maker, with an example; who keeps to the specification is not in the report. */
static void what_is_otherwise_is_in_the_report(void **state)
{
    (void)state;
    static const struct { const char *quirk; enum interop_kind kind; } odd[] = {
        { NULL, INTEROP_END },                     { "double-tag", INTEROP_FORM },     { "bare-choice", INTEROP_FORM },
        { "caps-byte-per-bit", INTEROP_FORM },     { "long-length", INTEROP_FORM },    { "unknown-fields", INTEROP_FORM },
        { "no-eid", INTEROP_NO_EID },              { "handle-notification", INTEROP_NOTIFIED }, { "duplicate", INTEROP_AGAIN },
        { "unsigned-error", INTEROP_UNSIGNED },
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        size_t n;
        int64_t dropped;
        bool found = false;
        start(odd[i].quirk ? odd[i].quirk : "silent");
        if (!odd[i].quirk) g.card.quirks = 0;
        (void)gadget_order(&g, "{\"psmos\":[{\"listProfileInfo\":{}}]}");
        gadget_settle(&g);
        const struct interop_row *v = manage_interop(f.eim, &f.admin, &n, &dropped, field_arena(&f));
        assert_non_null(v);
        for (size_t k = 0; k < n; k++)
            found |= v[k].kind == odd[i].kind && v[k].count > 0 && !strncmp(v[k].maker, g.eid, INTEROP_MAKER) && (v[k].offset < 0) == !v[k].noctets;
        if (odd[i].quirk ? !found : n != 0)
            fail_msg("%s: %zu rows, %s of %s at %lld", odd[i].quirk ? odd[i].quirk : "none", n, n ? interop_name(v[0].kind) : "", n ? v[0].message : "",
                     n ? (long long)v[0].offset : 0);
        assert_int_equal(dropped, 0);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_misbehaviour_has_its_one_outcome),
        cmocka_unit_test(no_false_proof_is_ever_acknowledged),
        cmocka_unit_test(a_result_that_never_comes_is_settled_by_an_inventory),
        cmocka_unit_test(a_package_that_never_arrived_is_settled_as_not_executed),
        cmocka_unit_test(a_late_result_from_the_card_settles_an_unknown_outcome),
        cmocka_unit_test(a_rollback_is_understood_in_both_forms),
        cmocka_unit_test(what_is_otherwise_is_in_the_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
