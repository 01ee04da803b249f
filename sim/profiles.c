/* profiles.c -- what the card tells about its profiles, and its two small settings tables. */
#include "sim/card.h"

struct slice card_aid(unsigned slot, struct arena *a)
{
    uint8_t b[16] = { 0xA0, 0, 0, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0, 0, (uint8_t)(0x11 + slot), 0 };
    return TLV(a, T_AID, slice_of(b, sizeof b));
}

/* One component of a ProfileInfo; empty when the profile has none, or the card does not know the tag. */
static struct slice component(const struct sim_euicc *c, unsigned slot, int enabled, uint32_t tag, struct arena *a)
{
    const struct sim_profile *p = &c->profiles[slot];
    const struct sim_operator *o = &c->world->operators[p->operator_];
    switch (tag) {
    case T_ICCID: return TLV(a, tag, slice_of(p->iccid, 10));
    case T_AID: return card_aid(slot, a);
    case T_PROFILE_STATE: return tlv_put_int(a, tag, (int)slot == enabled);
    case T_17: return tlv_put_str(a, tag, o->name);
    case T_18: return tlv_put_str(a, tag, o->profile_name);
    case T_21: return tlv_put_int(a, tag, p->class_);
    case T_C23: return TLV(a, tag, TLV(a, T_0, slice_of(o->plmn, 3)));
    case T_25: return p->ppr ? tlv_put_bits(a, tag, p->ppr, 3) : (struct slice){ 0 };
    case T_ECALL_INDICATION: return p->flags & SIM_EMERGENCY ? tlv_put_bool(a, tag, true) : (struct slice){ 0 };
    case T_FALLBACK_ATTRIBUTE: return p->flags & SIM_FALLBACK_ATTRIBUTE ? tlv_put_bool(a, tag, true) : (struct slice){ 0 };
    case T_FALLBACK_ALLOWED: return tlv_put_bool(a, tag, p->flags & SIM_FALLBACK_ALLOWED);
    default: return (struct slice){ 0 };
    }
}

/* The order of ProfileInfo's components (SGP.32 ASN.1), whatever the order of the tag list. */
static const uint32_t component_order[] = { T_ICCID, T_AID, T_PROFILE_STATE, T_17, T_18, T_21, T_C23, T_25, T_ECALL_INDICATION,
                                            T_FALLBACK_ATTRIBUTE, T_FALLBACK_ALLOWED };

static bool tag_listed(struct slice list, uint32_t tag)
{
    uint32_t t;
    while (tlv_next_tag(&list, &t))
        if (t == tag)
            return true;
    return false;
}

static struct slice profile_info(const struct sim_euicc *c, unsigned slot, int enabled, struct slice tags, struct arena *a)
{
    struct tlv_list l = { 0 };
    for (size_t i = 0; i < sizeof component_order / sizeof component_order[0]; i++)
        if (tag_listed(tags, component_order[i]))
            tlv_add(&l, component(c, slot, enabled, component_order[i], a));
    return tlv_list_end(a, T_PROFILE_INFO, &l);
}

static bool selected(const struct sim_euicc *c, unsigned slot, const struct tlv *by, struct arena *a)
{
    const struct sim_profile *p = &c->profiles[slot];
    struct tlv t;
    switch (by->tag) {
    case 0: return true;
    case T_ICCID: return slice_eq(by->value, slice_of(p->iccid, 10));
    case T_AID: return tlv_only(card_aid(slot, a), &t) && slice_eq(t.value, by->value);
    default: return by->value.n == 1 && by->value.p[0] == p->class_;
    }
}

struct slice card_profile_list(struct sim_euicc *c, struct slice fields, int enabled, struct arena *a)
{
    struct tlv by = { 0 }, t;
    struct slice tags = SLICE(SIM_DEFAULT_TAG_LIST);
    struct slice wrong = TLV(a, T_PROFILES_INFO, tlv_put_int(a, T_1, 1));          /* incorrectInputValues */
    if (tlv_take(&fields, T_C0, &t) &&
        (!tlv_only(t.value, &by) || (by.tag != T_ICCID && by.tag != T_AID && by.tag != T_21)))
        return wrong;
    if (tlv_take(&fields, T_TAG_LIST, &t)) {
        struct slice rest = tags = t.value;
        uint32_t tag;
        while (tlv_next_tag(&rest, &tag))
            ;
        if (rest.n != 0)
            return wrong;
    }
    if (!tlv_well_formed(fields))
        return wrong;
    struct tlv_list l = { 0 };
    for (unsigned i = 0; i < SIM_PROFILES; i++)
        if (c->profiles[i].flags & SIM_USED && selected(c, i, &by, a))
            tlv_add(&l, profile_info(c, i, enabled, tags, a));
    return TLV(a, T_PROFILES_INFO, tlv_list_end(a, T_C0, &l));
}

/* One rule: any operator may set PPR1 and PPR2, with the end user's consent (as the SGP.26 test eUICCs have it). */
struct slice card_rat(uint32_t tag, struct arena *a)
{
    struct slice any = TLV(a, T_SEQUENCE, TLV(a, T_0, SLICE("\xEE\xEE\xEE")), TLV_EMPTY(a, T_1), TLV_EMPTY(a, T_2));
    struct slice rule = TLV(a, T_SEQUENCE, tlv_put_bits(a, T_0, SIM_PPR1 | SIM_PPR2, 3), TLV(a, T_C1, any),
                            tlv_put_bits(a, T_2, 1, 1));
    return TLV(a, tag, rule);
}

bool card_immediate(struct sim_euicc *c, struct slice fields)
{
    struct slice rest = fields;
    struct tlv t;
    while (tlv_next(&rest, &t))
        if (t.tag == T_0 && t.value.n != 0)
            return false;
    if (rest.n != 0)
        return false;
    const struct sim_blob *b = fields.n ? sim_world_blob(c->world, fields, NULL) : NULL;
    if (fields.n && !b)
        return false;
    c->immediate = tlv_find(fields, T_0, &t);        /* the flag switches the feature; all absent: off */
    c->immediate_config = b;
    return true;
}
