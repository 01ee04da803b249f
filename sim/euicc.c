/* euicc.c -- the card's life, its key and its signatures. */
#include "sim/euicc.h"

#include "crypto/verify.h"
#include "sim/card.h"

void sim_euicc_init(struct sim_euicc *c, struct sim_world *world, uint64_t seed, const uint8_t eid[SIM_EID])
{
    *c = (struct sim_euicc){ .world = world, .seed = seed, .rollback_to = SIM_NO_PROFILE, .fallback_from = SIM_NO_PROFILE,
                             .emergency_from = SIM_NO_PROFILE, .fresh = SIM_NO_PROFILE, .next_seq = 1 };
    memcpy(c->eid, eid, SIM_EID);
    buf_init(&c->stored, SIM_STORED_MAX);
}

void sim_euicc_rest(struct sim_euicc *c)
{
    private_key_free(c->key);
    c->key = NULL;
}

void sim_euicc_free(struct sim_euicc *c)
{
    sim_euicc_rest(c);
    card_session_end(c);
    buf_free(&c->stored);
}

int sim_euicc_install(struct sim_euicc *c, const struct sim_profile *p)
{
    for (int i = 0; i < SIM_PROFILES; i++)
        if (!(c->profiles[i].flags & SIM_USED)) {
            c->profiles[i] = *p;
            c->profiles[i].flags |= SIM_USED;
            return i;
        }
    return SIM_NO_PROFILE;
}

int sim_euicc_enabled(const struct sim_euicc *c)
{
    for (int i = 0; i < SIM_PROFILES; i++)
        if ((c->profiles[i].flags & (SIM_USED | SIM_ENABLED)) == (SIM_USED | SIM_ENABLED))
            return i;
    return SIM_NO_PROFILE;
}

int sim_euicc_find(const struct sim_euicc *c, struct slice iccid)
{
    for (int i = 0; i < SIM_PROFILES; i++)
        if (c->profiles[i].flags & SIM_USED && slice_eq(iccid, slice_of(c->profiles[i].iccid, 10)))
            return i;
    return SIM_NO_PROFILE;
}

int card_fallback_holder(const struct sim_euicc *c)
{
    for (int i = 0; i < SIM_PROFILES; i++)
        if (c->profiles[i].flags & SIM_USED && c->profiles[i].flags & SIM_FALLBACK_ATTRIBUTE)
            return i;
    return SIM_NO_PROFILE;
}

void card_profile_gone(struct sim_euicc *c, int slot)
{
    int8_t *refs[] = { &c->rollback_to, &c->fallback_from, &c->emergency_from, &c->fresh };
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++)
        if (*refs[i] == slot)
            *refs[i] = SIM_NO_PROFILE;
    c->profiles[slot] = (struct sim_profile){ 0 };
}

/* ---- key and signatures -------------------------------------------------------------------------------------- */

static struct private_key *card_key(struct sim_euicc *c)
{
    struct err e = { 0 };
    if (!c->key && sim_pki_device_key(c->world->pki, c->seed, c->eid, &c->key, &e) != OK)
        c->key = NULL;
    return c->key;
}

const struct public_key *sim_euicc_public(struct sim_euicc *c)
{
    struct private_key *k = card_key(c);
    return k ? private_key_public(k) : NULL;
}

struct slice sim_euicc_cert(struct sim_euicc *c, struct arena *a)
{
    struct err e = { 0 };
    struct slice der;
    const struct public_key *k = sim_euicc_public(c);
    if (!k || sim_pki_device_cert(c->world->pki, c->eid, k, c->cert_sig, &c->cert_made, &der, a, &e) != OK)
        return tlv_bad;
    return der;
}

static struct slice sign(const struct private_key *k, const struct slice *spans, size_t n, struct arena *a)
{
    struct err e = { 0 };
    uint8_t *sig = arena_alloc(a, SIGNATURE_SIZE);
    if (!k || !sig || private_key_sign(k, spans, n, sig, &e) != OK)
        return tlv_bad;
    return slice_of(sig, SIGNATURE_SIZE);
}

struct slice card_sign(struct sim_euicc *c, struct slice tbs, struct arena *a)
{
    return tlv_is_bad(tbs) ? tlv_bad : sign(card_key(c), &tbs, 1, a);
}

/* The signature another device would make: the key of the same seed and an EID that differs in its last bit. */
static struct slice foreign_signature(const struct sim_euicc *c, const struct slice *spans, size_t n, struct arena *a)
{
    struct err e = { 0 };
    struct private_key *k;
    uint8_t eid[SIM_EID];
    memcpy(eid, c->eid, SIM_EID);
    eid[SIM_EID - 1] ^= 1;
    if (sim_pki_device_key(c->world->pki, c->seed, eid, &k, &e) != OK)
        return tlv_bad;
    struct slice s = sign(k, spans, n, a);
    private_key_free(k);
    return s;
}

struct slice card_sign_result(struct sim_euicc *c, struct slice tbs, int64_t token, struct arena *a)
{
    int64_t signed_token = (token < 0 ? 0 : token) + !!(c->quirks & SIM_Q(WRONG_TOKEN));
    return card_sign_tail(c, tbs, tlv_put_int(a, T_4, signed_token), a);
}

struct slice card_sign_tail(struct sim_euicc *c, struct slice tbs, struct slice tail, struct arena *a)
{
    struct slice spans[2] = { tbs, tail };
    size_t n = c->quirks & SIM_Q(NO_TOKEN) ? 1 : 2;
    if (tlv_is_bad(spans[0]) || tlv_is_bad(spans[1]))
        return tlv_bad;
    struct slice sig = c->quirks & SIM_Q(FOREIGN_EPR) ? foreign_signature(c, spans, n, a) : sign(card_key(c), spans, n, a);
    if (tlv_is_bad(sig))
        return tlv_bad;
    uint8_t raw[SIGNATURE_SIZE];
    memcpy(raw, sig.p, sizeof raw);
    if (c->quirks & SIM_Q(WRONG_SIGNATURE))
        raw[40] ^= 0x10;
    if (c->quirks & SIM_Q(DUMMY_SIGNATURE))
        memset(raw, 0, sizeof raw);
    return c->quirks & SIM_Q(DER_SIGNATURE) ? sim_sig_to_der(a, raw) : TLV(a, 0, slice_of(raw, sizeof raw));
}
