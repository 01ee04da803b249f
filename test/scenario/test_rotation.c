/* test_rotation.c -- another signing key and another TLS trust reach cards, whatever is lost on the way, and no package is signed with the wrong one. */
#include "test/scenario/field.h"

#include "crypto/signer.h"
#include "store/store.h"
#include "test/lib/tmpdir.h"

#include <stdio.h>

static struct field f;
static struct gadget g;
static struct err e;

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

struct put { struct store_job job; struct identity id; };

static enum eim_err put(struct tx *t, struct store_job *job, struct err *err)
{
    return store_identity_put(t, &((struct put *)job)->id, err);
}

/* What eim.signing_key names from now on. */
static void sign_with(const char *name)
{
    struct put p = { .job.apply = put };
    struct identity_list list;
    struct tx *t;
    struct arena a;
    arena_init(&a, 1 << 16);
    assert_ok(store_read_begin(f.store, &t, &e));
    assert_ok(store_identity_list(t, &list, &a, &e));
    store_read_end(t);
    p.id = list.v[0];
    p.id.signing_key = slice_str(name);
    assert_ok(store_run(f.store, &p.job, &e));
    arena_free(&a);
    field_restart(&f);
}

/* There is a second key, and it is the one that signs. */
static void new_key(void)
{
    assert_ok(signer_generate(tmp_path(f.dir, "keys/new.pem"), CURVE_BRAINPOOLP256R1, &e));
    signer_close(f.signer);
    assert_ok(signer_open_dir(&f.signer, tmp_path(f.dir, "keys"), &e));
    signer_failing_init(&f.failing, f.signer, 0);
    sign_with("new");
}

static enum rotation_step step(const char *anchor, bool dry)
{
    enum rotation_step s = ROTATION_END;
    struct eid eid;
    assert_true(eid_parse(slice_str(g.eid), true, &eid));
    struct slice der = anchor ? f.pki.ci : (struct slice){ 0 };
    assert_ok(manage_rotate(f.eim, &f.admin, &eid, der, dry, &s, field_arena(&f), &e));
    return s;
}

static void key_is(const char *name)
{
    struct device_view v = gadget_view(&g);
    if (!slice_eq(v.device.signing_key, slice_str(name)))
        fail_msg("%s expected, not %.*s", name, (int)v.device.signing_key.n, (const char *)v.device.signing_key.p);
}

static void it_obeys(void)
{
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"listProfileInfo\":{}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_DONE);
}

static void a_card_gets_the_new_key_and_is_spoken_to_with_it(void **state)
{
    (void)state;
    key_is("eim");
    assert_int_equal(step(NULL, false), ROTATION_DONE);
    new_key();
    it_obeys();                                    /* with the old one */
    assert_int_equal(step(NULL, true), ROTATION_ROTATING);
    assert_int_equal(step(NULL, false), ROTATION_ROTATING);
    assert_int_equal(step(NULL, false), ROTATION_WAITING);         /* ordered once */
    key_is("eim");
    gadget_settle(&g);
    key_is("new");
    assert_int_equal(step(NULL, false), ROTATION_DONE);
    it_obeys();
    field_restart(&f);
    it_obeys();
    struct gadget late;                            /* enrolled now: the new one from the start */
    assert_ok(manage_configuration(f.eim, &f.admin, (struct slice){ 0 }, &f.blob, &f.blob_memory, &e));
    gadget_make(&late, &f, 2, true);
    gadget_settle(&late);
    assert_true(slice_eq(gadget_view(&late).device.signing_key, SLICE("new")));
    assert_true(gadget_view(&late).device.inventory_us > 0);
    gadget_free(&late);
}

static void any_message_may_get_lost(void **state)
{
    (void)state;
    new_key();
    for (int lost = 1; lost <= 4; lost++) {
        gadget_free(&g);
        sign_with("eim");                          /* cards are made with the old key, as in the field */
        assert_ok(manage_configuration(f.eim, &f.admin, (struct slice){ 0 }, &f.blob, &f.blob_memory, &e));
        gadget_make(&g, &f, (unsigned)(10 + lost), true);
        gadget_settle(&g);
        key_is("eim");
        sign_with("new");
        assert_int_equal(step(NULL, false), ROTATION_ROTATING);
        f.lose_reply = lost;
        gadget_settle(&g);
        gadget_settle(&g);
        key_is("new");
        it_obeys();
    }
}

/* Half of what every eUICC counts is spent: the new key begins a new count, on both sides. */
static void a_card_near_its_counters_end_gets_a_new_count(void **state)
{
    (void)state;
    new_key();
    gadget_free(&g);
    sign_with("eim");
    assert_ok(manage_configuration(f.eim, &f.admin, (struct slice){ 0 }, &f.blob, &f.blob_memory, &e));
    gadget_make(&g, &f, 20, true);
    gadget_settle(&g);
    g.card.eims[0].counter = 0x600000;             /* it has heard more than we know: caught up with by the ladder of spec 3.3 */
    (void)gadget_order(&g, "{\"psmos\":[{\"listProfileInfo\":{}}]}");
    for (int i = 0; i < 4; i++) {
        gadget_settle(&g);
        field_pass(&f, DAY);
    }
    it_obeys();
    assert_true(gadget_view(&g).device.counter > 0x600000);
    sign_with("new");
    assert_int_equal(step(NULL, false), ROTATION_ROTATING);
    gadget_settle(&g);
    key_is("new");
    assert_true(gadget_view(&g).device.counter < 100);
    assert_true(g.card.eims[0].counter < 100);
    it_obeys();
}

static void what_the_card_refuses_changes_nothing(void **state)
{
    (void)state;
    new_key();
    int64_t op = gadget_order(&g, "{\"ecos\":[{\"updateEim\":{\"eim_id\":\"nobody\",\"fqdn\":\"x.example.com\"}}]}");
    gadget_settle(&g);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
    key_is("eim");
    it_obeys();
}

static void only_the_key_that_signs_may_be_given_to_a_card(void **state)
{
    (void)state;
    struct private_key *k;
    struct slice spki;
    char b64[256], order[512];
    assert_ok(private_key_generate(&k, CURVE_P256, &e));
    assert_ok(public_key_spki(private_key_public(k), &spki, field_arena(&f), &e));
    slice_to_b64(spki, b64);
    private_key_free(k);
    snprintf(order, sizeof order, "{\"ecos\":[{\"updateEim\":{\"eim_id\":\"eim.example.com\",\"counter\":0,\"public_key\":\"%s\"}}]}", b64);
    (void)gadget_try(&g, order, E_RULE);
    it_obeys();
}

static void a_person_may_say_which_key_it_is(void **state)
{
    (void)state;
    new_key();
    assert_refused(E_NOT_FOUND, manage_rotated(f.eim, &f.admin, slice_str(g.eid), SLICE("none"), SLICE("r"), field_arena(&f), &e));
    assert_refused(E_INVALID, manage_rotated(f.eim, &f.admin, slice_str(g.eid), SLICE("new"), SLICE(""), field_arena(&f), &e));
    assert_ok(manage_rotated(f.eim, &f.admin, slice_str(g.eid), SLICE("new"), SLICE("the maker loaded it"), field_arena(&f), &e));
    key_is("new");
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"listProfileInfo\":{}}]}");         /* it was not so: the card does not obey, nothing else happens */
    gadget_settle(&g);
    assert_true(gadget_state(&g, op) != OP_DONE);
    assert_ok(manage_rotated(f.eim, &f.admin, slice_str(g.eid), SLICE("eim"), SLICE("a mistake"), field_arena(&f), &e));
    field_pass(&f, 30 * 24 * HOUR);
    gadget_settle(&g);
    field_pass(&f, HOUR);
    gadget_settle(&g);
    it_obeys();
}

static void the_tls_trust_is_told_and_attested(void **state)
{
    (void)state;
    assert_int_equal(step("ci", false), ROTATION_ROTATING);
    assert_int_equal(gadget_view(&g).device.tls_trust.n, 0);
    gadget_settle(&g);
    assert_int_equal(gadget_view(&g).device.tls_trust.n, 64);
    assert_int_equal(step("ci", false), ROTATION_DONE);
    key_is("eim");
    it_obeys();
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(a_card_gets_the_new_key_and_is_spoken_to_with_it), T(any_message_may_get_lost), T(a_card_near_its_counters_end_gets_a_new_count),
        T(what_the_card_refuses_changes_nothing),
        T(only_the_key_that_signs_may_be_given_to_a_card), T(a_person_may_say_which_key_it_is), T(the_tls_trust_is_told_and_attested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
