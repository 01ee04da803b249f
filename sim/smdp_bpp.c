/* smdp_bpp.c -- the SM-DP+ makes a bound profile package (SGP.22 2.5.3, 2.5.4, 5.5). */
#include "crypto/digest.h"
#include "sim/bsp.h"
#include "sim/euicc.h"
#include "sim/smdp_int.h"

enum { ELEMENT = 4000 };               /* bytes of one profile element */

struct slice dp_sign(const struct private_key *k, const struct slice *spans, size_t n, bool damaged, struct arena *a)
{
    uint8_t sig[SIGNATURE_SIZE];
    for (size_t i = 0; i < n; i++)
        if (tlv_is_bad(spans[i]))
            return tlv_bad;
    if (private_key_sign(k, spans, n, sig, &(struct err){ 0 }) != OK)
        return tlv_bad;
    sig[20] ^= damaged;
    return TLV(a, T_SIGNATURE, slice_of(sig, sizeof sig));
}

struct slice dp_metadata(const struct sim_smdp_config *c, const uint8_t iccid[10], bool damaged, struct arena *a)
{
    struct slice id = TLV(a, T_ICCID, slice_of(iccid, damaged ? 5 : 10));
    struct slice event = TLV(a, T_SEQUENCE, tlv_put_bits(a, T_0, 0x0F, 4), tlv_put_str(a, T_1, c->address));
    return TLV(a, T_METADATA, id, tlv_put_str(a, T_17, c->spn), tlv_put_str(a, T_18, c->profile_name), tlv_put_int(a, T_21, SIM_OPERATIONAL),
               TLV(a, T_C22, event), c->ppr ? tlv_put_bits(a, T_25, c->ppr, 3) : (struct slice){ 0 });
}

/* A profile package of about `n` bytes: profile elements of nothing in particular. */
static struct slice elements(size_t n, struct arena *a)
{
    struct buf b;
    uint8_t filler[ELEMENT];
    memset(filler, 0x5A, sizeof filler);
    buf_init(&b, n + 64);
    for (size_t left = n ? n : 1; left > 0;) {
        size_t some = left < ELEMENT ? left : ELEMENT;
        buf_put(&b, TLV(a, T_C0, TLV(a, T_OCTETS, slice_of(filler, some > 16 ? some - 8 : some))));
        left -= some;
    }
    struct slice all = b.failed ? tlv_bad : arena_copy(a, buf_slice(&b));
    buf_free(&b);
    return all.n ? all : tlv_bad;
}

static bool agree(struct dp_session *s, enum curve curve, struct slice otpk, struct slice host, struct bsp *bsp)
{
    struct public_key *other;
    struct err e = { 0 };
    uint8_t secret[SCALAR_SIZE];
    if ((!s->otsk && private_key_generate(&s->otsk, curve, &e) != OK) || public_key_from_point(&other, curve, otpk, &e) != OK)
        return false;
    bool good = private_key_agree(s->otsk, other, secret, &e) == OK &&
                bsp_begin(bsp, slice_of(secret, sizeof secret), host, slice_of(s->eid, SIM_EID), &e) == OK;
    public_key_free(other);
    digest_wipe(secret, sizeof secret);
    return good;
}

static struct slice secure_channel(const struct private_key *pb, const struct dp_session *s, struct slice otpk, struct slice host,
                                   bool damaged, struct arena *a)
{
    struct slice crt = TLV(a, T_C6, TLV(a, T_0, SLICE("\x88")), TLV(a, T_1, SLICE("\x10")), TLV(a, T_4, host));
    struct slice point = TLV(a, T_OTPK, public_key_point(private_key_public(s->otsk)));
    struct slice fields = TLV(a, 0, tlv_put_int(a, T_2, 1), TLV(a, T_0, slice_of(s->txid, DP_TXID)), crt, point);
    const struct slice spans[2] = { fields, TLV(a, T_OTPK, otpk) };
    return TLV(a, T_SECURE_CHANNEL, fields, dp_sign(pb, spans, 2, damaged, a));
}

static struct slice sealed(struct bsp *b, uint32_t list, uint32_t tag, bool encrypted, struct slice plain, struct arena *a)
{
    struct buf out;
    if (tlv_is_bad(plain))
        return tlv_bad;
    buf_init(&out, plain.n + plain.n / 8 + 4 * BSP_SEGMENT);
    bsp_seal(b, tag, encrypted, plain, &out);
    struct slice all = out.failed ? tlv_bad : TLV(a, list, buf_slice(&out));
    buf_free(&out);
    return all;
}

struct slice dp_package(const struct sim_smdp_config *c, const struct private_key *pb, struct dp_session *s, struct slice otpk,
                        enum sim_smdp_fault fault, struct arena *a)
{
    struct slice host = slice_str("eimsim"), keys = { 0 };
    struct bsp bsp;
    if (!agree(s, c->pki->curve, otpk, host, &bsp))
        return tlv_bad;
    struct slice channel = secure_channel(pb, s, otpk, host, fault == SIM_SMDP_BAD_SIGNATURE, a);
    struct slice first = sealed(&bsp, T_C0, T_7, true, TLV_EMPTY(a, T_CONFIGURE_ISDP), a);
    struct slice meta = sealed(&bsp, T_C1, T_8, false, dp_metadata(c, s->iccid, fault == SIM_SMDP_BAD_METADATA, a), a);
    if (c->replace_keys) {
        uint8_t k[48];
        memset(k, 0, sizeof k);
        for (size_t i = 0; i < sizeof k; i++)
            k[i] = (uint8_t)sim_mix(c->seed + i, s->txid[0]);
        keys = sealed(&bsp, T_C2, T_7, true, TLV(a, T_REPLACE_KEYS, TLV(a, T_0, slice_of(k, 16)), TLV(a, T_1, slice_of(k + 16, 16)),
                                                 TLV(a, T_2, slice_of(k + 32, 16))), a);
        bsp_resume(&bsp, k + 16, k + 32, k);
    }
    struct slice package = sealed(&bsp, T_C3, T_6, true, elements(c->package, a), a);
    if (fault == SIM_SMDP_BAD_MAC && !tlv_is_bad(package))
        ((uint8_t *)(uintptr_t)package.p)[package.n - 3] ^= 1;           /* ours, in the arena */
    return TLV(a, T_BOUND_PACKAGE, channel, first, meta, keys, package);
}
