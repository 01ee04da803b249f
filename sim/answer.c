/* answer.c -- what the IPA answers itself: IpaEuiccDataRequest (BF52) and ProfileDownloadTriggerRequest (BF54). */
#include "sim/ipa_int.h"

enum { DATA_BAD_TAG_LIST = 1, DATA_UNKNOWN_CI = 5, DATA_ECALL = 104, REASON_UNDEFINED = 127 };

/* ---- BF52 ---------------------------------------------------------------------------------------------------- */

struct data_request {
    struct slice tags;
    struct tlv ci, notifications, results, txid;         /* tag 0: absent */
};

/* The members of IpaEuiccData that may be asked for (sgp32.md 2.6), in the order in which they are answered. */
static const uint32_t members[] = { T_C0, T_1, T_C2, T_EUICC_INFO1, T_EUICC_INFO2, T_3, T_4, T_C5, T_C6, T_C8, T_C9 };
enum { MEMBERS = sizeof members / sizeof members[0] };

static bool read_request(struct slice request, struct data_request *r)
{
    struct tlv outer, t;
    *r = (struct data_request){ 0 };
    if (!tlv_only(request, &outer) || !tlv_take(&outer.value, T_TAG_LIST, &t))
        return false;
    r->tags = t.value;
    struct slice s = outer.value;
    (void)tlv_take(&s, T_OCTETS, &r->ci);
    (void)tlv_take(&s, T_C1, &r->notifications);
    (void)tlv_take(&s, T_C2, &r->results);
    (void)tlv_take(&s, T_3, &r->txid);
    return tlv_well_formed(s);
}

/* Which members are asked for, as bits; false: something that is no member. */
static bool read_tags(struct slice list, unsigned *asked)
{
    uint32_t tag;
    *asked = 0;
    while (tlv_next_tag(&list, &tag)) {
        unsigned i = 0;
        while (i < MEMBERS && members[i] != tag)
            i++;
        if (i == MEMBERS)
            return false;
        *asked |= 1U << i;
    }
    return list.n == 0 && *asked;
}

/* One field of a response's value under another tag; empty when the card has none. */
static struct slice card_field(struct sim_ipa *p, uint32_t function, uint32_t field, uint32_t as, struct arena *a)
{
    struct slice value;
    struct tlv t;
    return ipa_ask(p, function, ipa_none, &value, a) && tlv_find(value, field, &t) ? TLV(a, as, t.value) : ipa_none;
}

struct slice ipa_configured(struct sim_ipa *p, uint32_t field, uint32_t as, struct arena *a)
{
    return card_field(p, T_CONFIGURED_DATA, field, as, a);
}

static struct slice whole(struct sim_ipa *p, uint32_t function, struct arena *a)
{
    struct slice value;
    return ipa_ask(p, function, ipa_none, &value, a) ? TLV(a, function, value) : ipa_none;
}

static struct slice certificate(struct sim_ipa *p, uint32_t field, struct arena *a)
{
    struct slice value;
    struct tlv arm, t;
    if (!ipa_ask(p, T_GET_CERTS, ipa_none, &value, a) || !tlv_take(&value, T_C0, &arm) || !tlv_find(arm.value, field, &t))
        return ipa_none;
    return t.raw;
}

/* The association token of the eIM that this IPA talks to. */
static struct slice token(struct sim_ipa *p, struct arena *a)
{
    struct slice value;
    struct tlv list, config, t;
    if (!ipa_ask(p, T_GET_EIM_CONFIG, ipa_none, &value, a) || !tlv_take(&value, T_C0, &list))
        return ipa_none;
    for (unsigned i = 0; tlv_next(&list.value, &config); i++)
        if (i == p->eim)
            return tlv_find(config.value, T_4, &t) ? t.raw : ipa_none;
    return ipa_none;
}

static struct slice notifications(struct sim_ipa *p, const struct data_request *r, struct arena *a)
{
    struct slice value;
    struct tlv arm;
    struct slice by = r->notifications.tag ? TLV(a, T_C0, r->notifications.value) : ipa_none;
    return ipa_ask(p, T_RETRIEVE_NOTIFICATIONS, by, &value, a) && tlv_take(&value, T_C0, &arm) ? arm.raw : TLV_EMPTY(a, T_C0);
}

static bool has_seq(struct slice epr, int64_t seq)
{
    struct tlv t, data;
    int64_t v;
    if (!tlv_only(epr, &t))
        return false;
    struct slice s = t.value;
    if (tlv_take(&s, T_C0, &t))
        s = t.value;
    return tlv_take(&s, T_SEQUENCE, &data) && tlv_find(data.value, T_3, &t) && tlv_int(t.value, &v) && v == seq;
}

static struct slice stored_results(struct sim_ipa *p, const struct data_request *r, struct arena *a)
{
    struct slice value, criteria = r->results.value;
    struct tlv arm, t;
    struct tlv_list l = { 0 };
    int64_t seq = 0;
    bool by_seq = r->results.tag && tlv_take(&criteria, T_0, &t) && tlv_int(t.value, &seq);
    if (ipa_is(p, SIM_Q(SILENT)) || !ipa_ask(p, T_RETRIEVE_NOTIFICATIONS, TLV(a, T_C0, TLV_EMPTY(a, T_2)), &value, a) ||
        !tlv_take(&value, T_C2, &arm))
        return TLV_EMPTY(a, T_C2);
    while (tlv_next(&arm.value, &t))
        if (!by_seq || has_seq(t.raw, seq))
            tlv_add(&l, t.raw);
    return tlv_list_end(a, T_C2, &l);
}

/* Named bits as octets, one each: 0 unused bits, then 00 or 01 (sgp32.md 6.20). */
static struct slice bits_as_octets(uint32_t tag, unsigned bits, unsigned width, struct arena *a)
{
    uint8_t b[9] = { 0 };
    for (unsigned i = 0; i < width && i < 8; i++)
        b[1 + i] = bits >> i & 1;
    return TLV(a, tag, slice_of(b, 1 + width));
}

unsigned ipa_features(const struct sim_ipa *p)
{
    if (p->config->features)
        return p->config->features;
    return p->download == SIM_DOWNLOAD_INDIRECT ? IPA_INDIRECT | IPA_EIM_DATA : IPA_DIRECT;
}

static struct slice capabilities(struct sim_ipa *p, struct arena *a)
{
    unsigned features = ipa_features(p);
    if (ipa_is(p, SIM_Q(CAPS_BYTES)))
        return TLV(a, T_C8, bits_as_octets(T_0, features, 4, a), bits_as_octets(T_1, 1, 1, a));
    return TLV(a, T_C8, tlv_put_bits(a, T_0, features, 6), tlv_put_bits(a, T_1, 1, 5));
}

/* tac, LTE from release 14, and an IMEI made from the EID. */
struct slice ipa_device_info(const struct sim_ipa *p, uint32_t tag, struct arena *a)
{
    uint8_t imei[8] = { 0x53, 0x20, 0x61, 0x10 };
    for (int i = 4; i < 8; i++)
        imei[i] = p->card->eid[7 + i];
    imei[7] |= 0xF0;
    return TLV(a, tag, TLV(a, T_0, SLICE("\x53\x20\x61\x10")), TLV(a, T_C1, TLV(a, T_5, SLICE("\x0E\x00\x00"))),
               TLV(a, T_2, slice_of(imei, sizeof imei)));
}

static struct slice member(struct sim_ipa *p, const struct data_request *r, uint32_t tag, struct arena *a)
{
    switch (tag) {
    case T_C0: return notifications(p, r, a);
    case T_1: return card_field(p, T_CONFIGURED_DATA, T_0, T_1, a);
    case T_C2: return stored_results(p, r, a);
    case T_EUICC_INFO1:
    case T_EUICC_INFO2: return whole(p, tag, a);
    case T_3: return card_field(p, T_CONFIGURED_DATA, T_1, T_3, a);
    case T_4: return token(p, a);
    case T_C5:
    case T_C6: return certificate(p, tag, a);
    case T_C8: return capabilities(p, a);
    default: return ipa_device_info(p, T_C9, a);
    }
}

static bool ci_matches(const struct sim_ipa *p, const struct tlv *ci)
{
    return !ci->tag || (ci->value.n <= SIM_SKI && memcmp(ci->value.p, p->card->world->pki->ci_ski, ci->value.n) == 0);
}

struct slice ipa_data(struct sim_ipa *p, struct slice request, struct arena *a)
{
    struct data_request r;
    unsigned asked;
    if (ipa_is(p, SIM_Q(NO_DATA_ANSWER)))
        return ipa_none;
    if (!read_request(request, &r))
        return ipa_error(p, ipa_none, IPA_INVALID_FORMAT, a);
    bool old = ipa_is(p, SIM_Q(V1_0)), good = !ipa_is(p, SIM_Q(BAD_TAG_LIST)) && read_tags(r.tags, &asked);
    if (good && (old || ipa_is(p, SIM_Q(SHORT_TAGS))))
        good = !(asked & (1U | 1U << 2));                /* A0, A2 */
    int code = p->card->ecall || ipa_is(p, SIM_Q(ECALL)) ? DATA_ECALL : !good ? DATA_BAD_TAG_LIST : !ci_matches(p, &r.ci) ? DATA_UNKNOWN_CI : 0;
    if (old) {                                           /* no transaction ids, and errors are bare numbers */
        r.txid = (struct tlv){ 0 };
        if (code)
            return TLV(a, T_IPA_DATA, tlv_put_int(a, T_INTEGER, code));
    }
    if (code) {
        struct slice txid = r.txid.tag && !ipa_is(p, SIM_Q(ERROR_NO_TXID)) ? TLV(a, T_0, r.txid.value) : ipa_none;
        return TLV(a, T_IPA_DATA, TLV(a, T_C1, txid, tlv_put_int(a, T_INTEGER, code)));
    }
    struct tlv_list l = { 0 };
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (members[i] == T_C8 && r.txid.tag)            /* eimTransactionId stands in front of ipaCapabilities */
            tlv_add(&l, TLV(a, T_7, r.txid.value));
        if (asked >> i & 1)
            tlv_add(&l, member(p, &r, members[i], a));
    }
    if (ipa_is(p, SIM_Q(BARE_CHOICE)))
        return tlv_list_end(a, T_IPA_DATA, &l);
    return TLV(a, T_IPA_DATA, tlv_list_end(a, T_C0, &l));
}

/* ---- BF54 ---------------------------------------------------------------------------------------------------- */

/* "1$host$matchingId", the format of SGP.22 4.1 as far as a trigger must follow it. */
static bool activation_code_ok(struct slice s)
{
    if (s.n < 4 || s.n > 255 || s.p[0] != '1' || s.p[1] != '$' || s.p[2] == '$')
        return false;
    return memchr(s.p + 2, '$', s.n - 2) != NULL;
}

static bool trigger_ok(struct sim_ipa *p, struct slice data, struct arena *a)
{
    struct tlv t;
    if (!tlv_only(data, &t))
        return false;
    switch (t.tag) {
    case T_0: return activation_code_ok(t.value);
    case T_1: return t.value.n == 0 && card_field(p, T_CONFIGURED_DATA, T_0, T_0, a).n != 0;
    case T_C2: return tlv_well_formed(t.value);
    default: return false;
    }
}

bool ipa_trigger_read(struct sim_ipa *p, struct slice request, struct tlv *data, struct tlv *txid, struct arena *a)
{
    struct tlv outer;
    *data = *txid = (struct tlv){ 0 };
    if (!tlv_only(request, &outer))
        return false;
    struct slice s = outer.value;
    (void)tlv_take(&s, T_C0, data);
    (void)tlv_take(&s, T_2, txid);
    return tlv_well_formed(s) && (!data->tag || trigger_ok(p, data->value, a));
}

struct slice ipa_trigger(struct sim_ipa *p, struct slice request, struct arena *a)
{
    struct tlv data, txid;
    if (ipa_is(p, SIM_Q(TRIGGER_SILENT)))
        return ipa_none;
    bool good = ipa_trigger_read(p, request, &data, &txid, a);
    struct slice id = txid.tag ? txid.raw : ipa_none;
    if (!good)
        return ipa_error(p, id, IPA_INVALID_FORMAT, a);
    struct slice result;
    if (p->card->ecall || ipa_is(p, SIM_Q(ECALL)))
        result = TLV(a, T_SEQUENCE, tlv_put_int(a, T_0, DATA_ECALL));
    else if (p->config->trigger)
        result = p->config->trigger(p->config->trigger_arg, p->card, request, a);
    else
        result = TLV(a, T_SEQUENCE, tlv_put_int(a, T_0, REASON_UNDEFINED));
    return tlv_is_bad(result) ? ipa_none : TLV(a, T_TRIGGER, id, result);
}
