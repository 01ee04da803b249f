/* sim_double.h -- an eIM for the tests of the simulator: signs whatever it is told and checks what comes back.
 *
 * A test double, static on purpose: it knows the specification by hand-written hex, not through asn1/ or eim/. */
#ifndef TEST_SIM_DOUBLE_H
#define TEST_SIM_DOUBLE_H

#include "crypto/cert.h"
#include "crypto/verify.h"
#include "sim/ipa.h"
#include "sim/tags.h"
#include "sim/tlv.h"
#include "test/lib/test.h"
#include "test/lib/vectors.h"

#define EIM_ID "eim.example.com"
#define ICCID_A "98944910000000000011"
#define ICCID_B "98944910000000000022"
#define ICCID_C "98944910000000000033"
#define TXID "00112233445566778899AABBCCDDEEFF"

struct rig {
    struct sim_pki pki;
    struct env_virtual env;
    struct sim_world w;
    struct arena a;
    struct private_key *eim_key;
    struct sim_euicc card;
    int64_t counter, token;            /* of the eIM */
    const char *eim_id;
    struct err e;
};

static inline struct slice hx(struct rig *r, const char *hex)
{
    return unhex(&r->a, hex);
}

/* "30 05 ..." in hex against bytes; shows both when they differ. */
static inline void assert_bytes(struct slice got, struct slice want)
{
    char *g = calloc(1, 2 * got.n + 1), *w = calloc(1, 2 * want.n + 1);
    slice_hex(got, true, g);
    slice_hex(want, true, w);
    assert_string_equal(g, w);
    free(g);
    free(w);
}

/* EimConfigurationData's fields with this key; counter and token as given (-2: left out). */
static inline struct slice eim_fields(struct rig *r, const char *id, const struct private_key *key, int64_t counter, int64_t token)
{
    struct slice spki;
    struct tlv t;
    assert_int_equal(public_key_spki(private_key_public(key), &spki, &r->a, &r->e), OK);
    assert_true(tlv_only(spki, &t));
    return TLV(&r->a, 0, tlv_put_str(&r->a, T_0, id), tlv_put_str(&r->a, T_1, "eim.example.com"), tlv_put_int(&r->a, T_2, 2),
               counter == -2 ? tlv_put_str(&r->a, 1, NULL) : tlv_put_int(&r->a, T_3, counter),
               token == -2 ? tlv_put_str(&r->a, 1, NULL) : tlv_put_int(&r->a, T_4, token),
               TLV(&r->a, T_C5, TLV(&r->a, T_C0, t.value)));
}

static inline struct slice add_initial(struct rig *r, struct sim_euicc *c, struct slice fields)
{
    return sim_euicc_es10b(c, TLV(&r->a, T_ADD_INITIAL_EIM, TLV(&r->a, T_C0, TLV(&r->a, T_SEQUENCE, fields))), &r->a);
}

static inline void put_profile(struct rig *r, struct sim_euicc *c, const char *iccid, uint8_t operator_, unsigned flags, unsigned ppr)
{
    struct sim_profile p = { .operator_ = operator_, .class_ = SIM_OPERATIONAL, .flags = (uint8_t)flags, .ppr = (uint8_t)ppr };
    memcpy(p.iccid, hx(r, iccid).p, 10);
    assert_true(sim_euicc_install(c, &p) >= 0);
}

/* A card with profiles A (enabled) and B, and this eIM with counter 0 and a token. */
static inline void rig_open(struct rig *r, enum curve curve)
{
    uint8_t eid[SIM_EID];
    *r = (struct rig){ .eim_id = EIM_ID };
    arena_init(&r->a, 32 << 20);
    env_virtual(&r->env, INT64_C(1790000000) * 1000000, 7);
    assert_int_equal(sim_pki_make(&r->pki, curve, INT64_C(1780000000) * 1000000, &r->e), OK);
    sim_world_init(&r->w, &r->pki, &r->env.env);
    assert_int_equal(private_key_generate(&r->eim_key, curve, &r->e), OK);
    sim_eid_make(1, 0, eid);
    sim_euicc_init(&r->card, &r->w, 1, eid);
    put_profile(r, &r->card, ICCID_A, 0, SIM_ENABLED | SIM_FALLBACK_ALLOWED, 0);
    put_profile(r, &r->card, ICCID_B, 1, SIM_FALLBACK_ALLOWED, 0);
    assert_bytes(add_initial(r, &r->card, eim_fields(r, EIM_ID, r->eim_key, 0, -1)), hx(r, "BF5705A003840101"));
    r->token = 1;
}

static inline void rig_close(struct rig *r)
{
    sim_euicc_free(&r->card);
    sim_world_free(&r->w);
    private_key_free(r->eim_key);
    sim_pki_free(&r->pki);
    arena_free(&r->a);
}

/* A signed package: `ops` is the whole A0 or A1. */
static inline struct slice package_for(struct rig *r, const uint8_t *eid, int64_t counter, struct slice ops)
{
    uint8_t sig[SIGNATURE_SIZE];
    struct slice tbs = TLV(&r->a, T_SEQUENCE, tlv_put_str(&r->a, T_0, r->eim_id), TLV(&r->a, T_EID, slice_of(eid, SIM_EID)),
                           tlv_put_int(&r->a, T_1, counter), TLV(&r->a, T_2, hx(r, TXID)), ops);
    struct slice spans[2] = { tbs, tlv_put_int(&r->a, T_4, r->token) };
    assert_int_equal(private_key_sign(r->eim_key, spans, 2, sig, &r->e), OK);
    return TLV(&r->a, T_EUICC_PACKAGE, tbs, TLV(&r->a, T_SIGNATURE, slice_of(sig, sizeof sig)));
}

static inline struct slice psmos(struct rig *r, const char *hex)
{
    return TLV(&r->a, T_C0, hx(r, hex));
}

static inline struct slice ecos(struct rig *r, struct slice list)
{
    return TLV(&r->a, T_C1, list);
}

/* A result under its arm (A0 or A1), signature checked: the data's value. */
static inline struct slice checked(struct rig *r, struct sim_euicc *c, struct slice result, uint32_t arm)
{
    struct tlv t, data, sig;
    assert_true(tlv_only(result, &t));
    assert_int_equal(t.tag, T_EUICC_PACKAGE);
    assert_true(tlv_only(t.value, &t));
    assert_int_equal(t.tag, arm);
    assert_true(tlv_take(&t.value, T_SEQUENCE, &data));
    assert_true(tlv_take(&t.value, T_SIGNATURE, &sig));
    assert_int_equal(t.value.n, 0);
    assert_int_equal(verify_with_token(sim_euicc_public(c), data.raw, r->token, sig.value, &r->e), OK);
    return data.value;
}

/* Run operations (hex of A0's or A1's content); the content of the result list, in an executed and signed result. */
static inline struct slice run_list(struct rig *r, struct slice ops)
{
    struct tlv t;
    struct slice result = sim_euicc_es10b(&r->card, package_for(r, r->card.eid, ++r->counter, ops), &r->a);
    struct slice data = checked(r, &r->card, result, T_C0);
    assert_true(tlv_take(&data, T_0, &t));
    assert_bytes(t.value, slice_str(r->eim_id));
    assert_true(tlv_take(&data, T_1, &t));
    int64_t counter;
    assert_true(tlv_int(t.value, &counter));
    assert_int_equal(counter, r->counter);
    assert_true(tlv_take(&data, T_2, &t));
    assert_bytes(t.value, hx(r, TXID));
    assert_true(tlv_take(&data, T_3, &t));
    assert_true(tlv_take(&data, T_SEQUENCE, &t));
    assert_int_equal(data.n, 0);
    return t.value;
}

static inline void assert_psmos(struct rig *r, const char *ops, const char *results)
{
    assert_bytes(run_list(r, psmos(r, ops)), hx(r, results));
}

static inline void assert_es10b(struct rig *r, const char *request, const char *response)
{
    assert_bytes(sim_euicc_es10b(&r->card, hx(r, request), &r->a), hx(r, response));
}

/* "A", "B", "C" or "-": the enabled profile. */
static inline void assert_enabled(struct rig *r, const char *iccid)
{
    int slot = sim_euicc_enabled(&r->card);
    if (!iccid)
        assert_int_equal(slot, SIM_NO_PROFILE);
    else
        assert_int_equal(slot, sim_euicc_find(&r->card, hx(r, iccid)));
}

#endif
