/* test_eims.c -- who controls a card: lists, additions and deletions as the eUICC attests them. */
#include "test/scenario/field.h"

static struct field f;
static struct gadget g;

static int up(void **state)
{
    (void)state;
    field_open(&f);
    gadget_make(&g, &f, 1, true);
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

/* The eIM's own public key serves as the other's: what counts here is only who is on the list. */
static int64_t order_add(const char *eim_id, const char *more)
{
    static char text[1024];
    char b64[256];
    struct slice spki;
    struct err e = { 0 };
    assert_ok(signer_public(f.signer, "eim", &spki, NULL, field_arena(&f), &e));
    slice_to_b64(spki, b64);
    snprintf(text, sizeof text, "{\"ecos\":[{\"addEim\":{\"eim_id\":\"%s\",\"eim_id_type\":2,\"public_key\":\"%s\"}}%s]}", eim_id, b64, more);
    return gadget_order(&g, text);
}

static const struct card_eim *entry(const struct device_view *v, const char *id)
{
    for (size_t i = 0; i < v->eims.n; i++)
        if (slice_eq(v->eims.v[i].eim_id, slice_str(id))) return &v->eims.v[i];
    return NULL;
}

static void a_list_of_eims_is_kept_with_its_evidence(void **state)
{
    (void)state;
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.eims.n, 0);
    assert_int_equal(v.device.eims_us, 0);
    int64_t op = gadget_order(&g, "{\"ecos\":[{\"listEim\":{}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    v = gadget_view(&g);
    assert_int_equal(v.eims.n, 1);
    assert_int_equal(v.device.eims_op, op);
    assert_true(v.device.eims_us > 0 && v.device.eims_us <= f.clock.clock_us);
    const struct card_eim *us = entry(&v, "eim.example.com");
    assert_non_null(us);
    assert_int_equal(us->op, op);
    assert_int_equal(us->id_type, 2);
    assert_int_equal(us->token, DEVICE_TOKEN_NONE);
}

static void additions_and_deletions_correct_the_list(void **state)
{
    (void)state;
    (void)gadget_order(&g, "{\"ecos\":[{\"listEim\":{}}]}");
    int64_t add = order_add("other.example.net", "");
    gadget_settle(&g);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.eims.n, 2);
    const struct card_eim *other = entry(&v, "other.example.net");
    assert_non_null(other);
    assert_int_equal(other->op, add);
    assert_int_equal(other->token, g.card.eims[1].token);  /* the one that the card drew */
    int64_t token = other->token;
    int64_t list = gadget_order(&g, "{\"ecos\":[{\"listEim\":{}}]}");
    gadget_settle(&g);
    v = gadget_view(&g);
    other = entry(&v, "other.example.net");
    assert_non_null(other);
    assert_int_equal(other->op, list);
    assert_int_equal(other->token, token);                 /* a list does not tell it, and does not take it away */
    (void)gadget_order(&g, "{\"ecos\":[{\"deleteEim\":{\"eim_id\":\"other.example.net\"}}]}");
    gadget_settle(&g);
    v = gadget_view(&g);
    assert_int_equal(v.eims.n, 1);
    assert_null(entry(&v, "other.example.net"));
}

static void one_package_is_told_step_by_step_until_its_first_failure(void **state)
{
    (void)state;
    int64_t op = order_add("other.example.net", ",{\"deleteEim\":{\"eim_id\":\"nobody\"}},{\"listEim\":{}}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.eims.n, 1);
    assert_non_null(entry(&v, "other.example.net"));
    assert_int_equal(v.device.eims_us, 0);                 /* the list behind the failure was not executed */
}

static void a_list_takes_off_what_somebody_else_deleted(void **state)
{
    (void)state;
    (void)order_add("other.example.net", ",{\"listEim\":{}}");
    gadget_settle(&g);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.eims.n, 2);
    assert_int_equal(g.card.n_eims, 2);
    g.card.n_eims = 1;                                     /* another eIM's doing */
    (void)gadget_order(&g, "{\"ecos\":[{\"listEim\":{}}]}");
    gadget_settle(&g);
    v = gadget_view(&g);
    assert_int_equal(v.eims.n, 1);
    assert_non_null(entry(&v, "eim.example.com"));
}

static void a_lost_result_is_settled_by_the_list_which_is_kept_too(void **state)
{
    (void)state;
    g.card.quirks = SIM_Q(SILENT);
    int64_t add = order_add("other.example.net", "");
    for (int i = 0; i < 12 && gadget_state(&g, add) != OP_UNKNOWN; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, DAY);
    }
    assert_int_equal(gadget_state(&g, add), OP_UNKNOWN);
    g.card.quirks = 0;
    for (int i = 0; i < 6 && gadget_state(&g, add) == OP_UNKNOWN; i++) {
        (void)gadget_contact(&g);
        field_pass(&f, HOUR);
    }
    assert_int_equal(gadget_state(&g, add), OP_DONE);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.eims.n, 2);
    assert_non_null(entry(&v, "other.example.net"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_of_eims_is_kept_with_its_evidence, up, down),
        cmocka_unit_test_setup_teardown(additions_and_deletions_correct_the_list, up, down),
        cmocka_unit_test_setup_teardown(one_package_is_told_step_by_step_until_its_first_failure, up, down),
        cmocka_unit_test_setup_teardown(a_list_takes_off_what_somebody_else_deleted, up, down),
        cmocka_unit_test_setup_teardown(a_lost_result_is_settled_by_the_list_which_is_kept_too, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
