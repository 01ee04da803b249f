/* compact.c -- an IPA that saves octets (minimizeEsipaBytes): it cuts out of what its card signed all that the eIM knows (sgp32.md 2.9, 2.12). */
#include "sim/ipa_int.h"

/* The three parts of an answer whose CHOICE is its first arm: what is signed, the signature, the rest. */
static bool parts(struct slice answer, uint32_t *function, struct tlv *what, struct tlv *sig, struct slice *rest)
{
    struct tlv t, arm;
    if (!tlv_only(answer, &t) || !tlv_only(t.value, &arm) || arm.tag != T_C0)
        return false;
    *function = t.tag;
    *rest = arm.value;
    return tlv_take(rest, T_SEQUENCE, what) && tlv_take(rest, T_SIGNATURE, sig);
}

struct slice ipa_compact_authenticate(struct slice answer, bool ctx_known, struct arena *a)
{
    struct tlv what, sig, info, memory, ctx;
    struct slice rest;
    uint32_t function;
    if (!parts(answer, &function, &what, &sig, &rest) || !tlv_find(what.value, T_EUICC_INFO2, &info) || !tlv_find(info.value, T_4, &memory) ||
        !tlv_find(what.value, T_C0, &ctx))
        return answer;
    struct slice less = TLV(a, T_C0, memory.raw, ctx_known ? ipa_none : TLV(a, T_C2, ctx.raw));
    return TLV(a, function, TLV(a, T_C2, less, sig.raw));
}

struct slice ipa_compact_download(struct slice answer, bool hash_known, struct arena *a)
{
    struct tlv what, sig, point, hash = { 0 };
    struct slice rest;
    uint32_t function;
    if (!parts(answer, &function, &what, &sig, &rest) || !tlv_find(what.value, T_OTPK, &point))
        return answer;
    (void)tlv_find(what.value, T_OCTETS, &hash);
    return TLV(a, function, TLV(a, T_C2, TLV(a, T_SEQUENCE, point.raw, hash.tag && !hash_known ? hash.raw : ipa_none), sig.raw));
}

struct slice ipa_compact_cancel(struct slice answer, struct arena *a)
{
    struct tlv what, sig, reason;
    struct slice rest;
    uint32_t function;
    if (!parts(answer, &function, &what, &sig, &rest) || !tlv_find(what.value, T_2, &reason))
        return answer;
    return TLV(a, function, TLV(a, T_C2, TLV(a, T_SEQUENCE, TLV(a, T_0, reason.value)), sig.raw));
}

/* A success: octets 14 and 15 of the AID, and no simaResponse when it is the usual one. */
static struct slice success(struct slice in, struct arena *a)
{
    struct tlv aid, sima;
    if (!tlv_take(&in, T_AID, &aid) || aid.value.n != 16 || !tlv_take(&in, T_OCTETS, &sima))
        return ipa_none;
    bool usual = slice_eq(sima.value, SLICE("\x30\x07\xA0\x05\x30\x03\x80\x01\x00"));
    return TLV(a, T_C0, TLV(a, T_AID, slice_of(aid.value.p + 13, 2)), usual ? ipa_none : sima.raw);
}

struct slice ipa_compact_installation(struct slice result, struct arena *a)
{
    struct tlv t, data, sig, txid, meta, seq, final, arm, iccid;
    if (!tlv_only(result, &t) || !tlv_take(&t.value, T_INSTALLATION_DATA, &data) || !tlv_take(&t.value, T_SIGNATURE, &sig) ||
        !tlv_find(data.value, T_0, &txid) || !tlv_find(data.value, T_NOTIFICATION_METADATA, &meta) || !tlv_find(meta.value, T_0, &seq) ||
        !tlv_find(data.value, T_C2, &final) || !tlv_only(final.value, &arm))
        return result;
    struct slice end = arm.tag == T_C0 ? success(arm.value, a) : arm.raw;
    struct slice present = tlv_find(meta.value, T_ICCID, &iccid) ? ipa_none : tlv_put_bool(a, T_BOOLEAN, false);
    struct slice less = TLV(a, T_C0, txid.raw, TLV(a, T_INTEGER, seq.value), present, TLV(a, T_C2, end));
    return end.n ? TLV(a, T_C0, less, sig.raw) : result;
}
