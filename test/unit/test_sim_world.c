/* test_sim_world.c -- what simulated devices share: one PKI, one copy of a configuration, numbers made from a seed. */
#include "test/unit/sim_double.h"

#include "sim/fleet.h"
#include "test/lib/tmpdir.h"

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

static void a_fleet_of_cards_shares_one_configuration(void **state)
{
    (void)state;
    struct rig *r = &rig;
    struct sim_device d[2];
    struct sim_ipa_config config = { 0 };
    struct slice blob = TLV(&r->a, T_ADD_INITIAL_EIM, TLV(&r->a, T_C0, TLV(&r->a, T_SEQUENCE, eim_fields(r, EIM_ID, r->eim_key, 0, -1))));
    for (uint64_t i = 0; i < 2; i++) {
        sim_device_init(&d[i], &r->w, &config, 3, i);
        assert_true(sim_device_associate(&d[i], blob, &r->a));
    }
    assert_ptr_equal(d[0].card.eims[0].config, d[1].card.eims[0].config);
    assert_ptr_equal(d[0].card.eims[0].config, r->card.eims[0].config);
    assert_int_not_equal(memcmp(d[0].card.eid, d[1].card.eid, SIM_EID), 0);
    assert_false(public_key_equal(sim_euicc_public(&d[0].card), sim_euicc_public(&d[1].card)));
    assert_true(sizeof(struct sim_device) <= 1000);                                                /* a million in a gigabyte */
    for (int i = 0; i < 2; i++)
        sim_device_free(&d[i]);
}

static void brainpool_cards_are_made_alike(void **state)
{
    (void)state;
    struct cert_trust *trust;
    struct tlv t, arm, f;
    close_rig(NULL);
    rig_open(&rig, CURVE_BRAINPOOLP256R1);
    run_list(&rig, psmos(&rig, "A600"));
    assert_int_equal(cert_trust_from(&trust, &rig.pki.ci, 1, &rig.e), OK);
    for (uint64_t i = 0; i < 6; i++) {                                                             /* one derived number in three is too big */
        struct sim_euicc c;
        struct public_key *k = NULL;
        uint8_t eid[SIM_EID];
        sim_eid_make(1, i, eid);
        sim_euicc_init(&c, &rig.w, 1, eid);
        struct slice certs = sim_euicc_es10b(&c, hx(&rig, "BF5600"), &rig.a);
        assert_true(tlv_only(certs, &t) && tlv_only(t.value, &arm) && tlv_find(arm.value, T_C6, &f));
        assert_int_equal(cert_check_euicc(trust, rig.pki.eum, TLV(&rig.a, T_SEQUENCE, f.value), eid, rig.env.clock_us, &k, &rig.e), OK);
        assert_int_equal(public_key_curve(k), CURVE_BRAINPOOLP256R1);
        public_key_free(k);
        sim_euicc_free(&c);
    }
    cert_trust_free(trust);
}

static void a_saved_pki_is_the_same_when_loaded(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    struct sim_pki p;
    assert_int_equal(sim_pki_save(&rig.pki, dir, &rig.e), OK);
    assert_int_equal(sim_pki_load(&p, dir, &rig.e), OK);
    assert_bytes(p.ci, rig.pki.ci);
    assert_bytes(p.eum, rig.pki.eum);
    assert_memory_equal(p.ci_ski, rig.pki.ci_ski, SIM_SKI);
    assert_int_equal(p.from_us, rig.pki.from_us);
    assert_true(public_key_equal(private_key_public(p.eum_key), private_key_public(rig.pki.eum_key)));
    sim_pki_free(&p);
    assert_int_equal(sim_pki_save(&rig.pki, dir, &rig.e), E_CONFLICT);                             /* never over another one */
    rig.e = (struct err){ 0 };
    assert_int_equal(sim_pki_load(&p, tmp_path(dir, "nowhere"), &rig.e), E_NOT_FOUND);
    tmp_remove(dir);
}

static void numbers_of_devices_follow_from_seed_and_index(void **state)
{
    (void)state;
    uint8_t eid[SIM_EID], iccid[10];
    char text[33];
    for (uint64_t i = 0; i < 2000; i += 37) {
        sim_eid_make(42, i, eid);
        slice_hex(slice_of(eid, SIM_EID), false, text);
        unsigned mod = 0, sum = 0;
        for (int k = 0; k < 32; k++)
            mod = (mod * 10 + (unsigned)(text[k] - '0')) % 97;
        assert_int_equal(mod, 1);                                                                  /* check digits of an EID */
        assert_int_equal(strncmp(text, SIM_EID_PREFIX, 8), 0);
        sim_iccid_make("8949001", 42, i, iccid);
        sim_iccid_text(iccid, text);
        assert_int_equal(strlen(text), 19);
        for (int k = 0; k < 19; k++) {
            unsigned d = (unsigned)(text[18 - k] - '0') * (k % 2 ? 2 : 1);
            sum += d > 9 ? d - 9 : d;
        }
        assert_int_equal(sum % 10, 0);                                                             /* Luhn */
    }
    assert_true(sim_iccid_read("8949449999999990023", iccid));
    assert_bytes(slice_of(iccid, 10), hx(&rig, "989444999999990920F3"));
    assert_false(sim_iccid_read("89494499999999900231x", iccid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
        T(a_fleet_of_cards_shares_one_configuration),
        T(brainpool_cards_are_made_alike),
        T(a_saved_pki_is_the_same_when_loaded),
        T(numbers_of_devices_follow_from_seed_and_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
