/* es10b.c -- the ES10b functions of the card (SGP.32 5.9): a table, and the short ones themselves. */
#include "sim/card.h"

enum { OK_ = 0, BUSY = 5, COMMAND_ERROR = 7, ECALL_ACTIVE = 104, UNDEFINED = 127 };

static const struct slice none;                          /* an absent optional component */

static struct slice answer_code(struct arena *a, uint32_t function, int code)
{
    return TLV(a, function, tlv_put_int(a, T_0, code));
}

/* refreshFlag: automatic tag [0]; IPAs that write it as UNIVERSAL BOOLEAN are understood too (sgp32.md 6.12). */
static bool read_refresh(struct slice body, bool *refresh)
{
    struct tlv t;
    if ((!tlv_take(&body, T_0, &t) && !tlv_take(&body, T_BOOLEAN, &t)) || t.value.n != 1)
        return false;
    *refresh = t.value.p[0] != 0;
    return true;
}

/* ---- eIM configuration --------------------------------------------------------------------------------------- */

static struct slice add_initial_eim(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv list, t;
    struct tlv_list results = { 0 };
    enum card_eim_code code = c->n_eims ? CARD_EIM_EXISTS : CARD_OK;
    uint32_t tokens = c->last_token;
    if (!tlv_take(&body, T_C0, &list))
        code = code ? code : CARD_COMMAND_ERROR;
    while (code == CARD_OK && tlv_next(&list.value, &t)) {
        code = t.tag == T_SEQUENCE ? card_eim_add(c, t.value, a) : CARD_COMMAND_ERROR;
        if (code == CARD_OK) {
            struct sim_eim *eim = &c->eims[c->n_eims - 1];
            tlv_add(&results, eim->token != SIM_NO_TOKEN ? tlv_put_int(a, T_4, eim->token) : TLV_EMPTY(a, T_NULL));
        }
    }
    if (code == CARD_OK && (list.value.n != 0 || results.n == 0))
        code = CARD_COMMAND_ERROR;
    if (code == CARD_OK)
        return TLV(a, T_ADD_INITIAL_EIM, tlv_list_end(a, T_C0, &results));
    if (code != CARD_EIM_EXISTS || results.n) {          /* all or nothing */
        c->n_eims = 0;
        c->last_token = tokens;
    }
    return TLV(a, T_ADD_INITIAL_EIM, tlv_put_int(a, T_1, code));
}

static struct slice get_eim_config(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv by, id = { 0 };
    struct tlv_list l = { 0 };
    if (tlv_take(&body, T_C0, &by) && !tlv_take(&by.value, T_0, &id))
        return none;
    for (unsigned i = 0; i < c->n_eims; i++)
        if (!id.tag || slice_eq(id.value, card_eim_id(&c->eims[i])))
            tlv_add(&l, card_eim_config(&c->eims[i], a));
    return TLV(a, T_GET_EIM_CONFIG, tlv_list_end(a, T_C0, &l));
}

static struct slice configure_immediate(struct sim_euicc *c, struct slice body, struct arena *a)
{
    int code = c->n_eims ? CARD_EIM_EXISTS : card_immediate(c, body) ? OK_ : UNDEFINED;
    return answer_code(a, T_CONFIGURE_IMMEDIATE, code);
}

enum reset_bit { RESET_OPERATIONAL = 1, RESET_TEST = 2, RESET_DP = 4, RESET_PRELOADED = 8, RESET_PROVISIONING = 16,
                 RESET_EIMS = 32, RESET_IMMEDIATE = 64 };

static bool reset_hits(const struct sim_profile *p, unsigned bits)
{
    if (p->class_ == SIM_OPERATIONAL)
        return bits & RESET_OPERATIONAL;
    if (p->class_ == SIM_PROVISIONING)
        return bits & RESET_PROVISIONING;
    return bits & (p->flags & SIM_PRELOADED ? RESET_PRELOADED : RESET_TEST);
}

static bool reset_profiles(struct sim_euicc *c, unsigned bits, int *deleted, struct arena *a)
{
    bool good = true;
    for (int i = 0; i < SIM_PROFILES; i++) {
        struct sim_profile p = c->profiles[i];
        if (!(p.flags & SIM_USED) || !reset_hits(&p, bits))
            continue;
        ++*deleted;
        card_profile_gone(c, i);
        good &= card_notify(c, CARD_DELETE, &p, a);
    }
    return good;
}

static struct slice memory_reset(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv t;
    unsigned bits = 0;
    int done = 0;
    if (!tlv_take(&body, T_2, &t) || t.value.n != 2)
        return answer_code(a, T_MEMORY_RESET, UNDEFINED);
    if (card_in_ecall(c))
        return answer_code(a, T_MEMORY_RESET, ECALL_ACTIVE);
    for (unsigned i = 0; i < 8; i++)
        bits |= (unsigned)(t.value.p[1] >> (7 - i) & 1) << i;
    if (!reset_profiles(c, bits, &done, a))
        return tlv_bad;
    struct slice eims = none, immediate = none;
    if (bits & RESET_DP && c->default_dp) {
        c->default_dp = NULL;
        done++;
    }
    if (bits & RESET_EIMS) {
        eims = tlv_put_int(a, T_1, c->n_eims ? 0 : 1);
        done += c->n_eims;
        c->n_eims = 0;
    }
    if (bits & RESET_IMMEDIATE) {
        immediate = tlv_put_int(a, T_2, 0);
        c->immediate = false;
        c->immediate_config = NULL;
        done++;
    }
    return TLV(a, T_MEMORY_RESET, tlv_put_int(a, T_0, done ? 0 : 1), eims, immediate);
}

/* ---- results and notifications ------------------------------------------------------------------------------- */

static struct slice notification(struct sim_euicc *c, struct slice item, struct slice cert, struct arena *a)
{
    return TLV(a, T_SEQUENCE, item, cert, c->world->pki->eum);
}

/* The event bits of a stored notification: BF2F{80, 81 events, ...}, or BF37{BF27{80, BF2F ...}}. */
static unsigned events_of(struct slice item)
{
    struct tlv metadata, t;
    unsigned bits = 0;
    if (tlv_find(item, T_INSTALLATION_RESULT, &t))
        return CARD_INSTALL;
    if (tlv_next(&item, &metadata) && tlv_find(metadata.value, T_1, &t) && t.value.n == 2)
        for (unsigned i = 0; i < 4; i++)
            bits |= (unsigned)(t.value.p[1] >> (7 - i) & 1) << i;
    return bits;
}

static struct slice retrieve(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv criteria, by = { 0 };
    struct tlv_list l = { 0 };
    struct card_item it;
    int64_t seq = 0;
    unsigned events = 0;
    if (tlv_take(&body, T_C0, &criteria) && !tlv_only(criteria.value, &by))
        return TLV(a, T_RETRIEVE_NOTIFICATIONS, tlv_put_int(a, T_1, UNDEFINED));
    bool results = by.tag == T_2;
    if (by.tag == T_0 && !tlv_int(by.value, &seq))
        return TLV(a, T_RETRIEVE_NOTIFICATIONS, tlv_put_int(a, T_1, UNDEFINED));
    for (unsigned i = 0; by.tag == T_1 && by.value.n == 2 && i < 4; i++)
        events |= (unsigned)(by.value.p[1] >> (7 - i) & 1) << i;
    struct slice cert = none;
    for (size_t at = 0; card_stored(c, &at, &it) && l.n < TLV_LIST_MAX;) {
        if (results != (it.kind == CARD_RESULT))
            continue;
        if ((by.tag == T_0 && it.seq != seq) || (by.tag == T_1 && !(events_of(it.bytes) & events)))
            continue;
        if (it.kind == CARD_NOTIFICATION && cert.n == 0)
            cert = sim_euicc_cert(c, a);
        tlv_add(&l, results || it.kind == CARD_INSTALLATION ? TLV(a, 0, it.bytes) : notification(c, it.bytes, cert, a));
    }
    return TLV(a, T_RETRIEVE_NOTIFICATIONS, tlv_list_end(a, results ? T_C2 : T_C0, &l));
}

static struct slice remove_notification(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv t;
    int64_t seq;
    if (!tlv_take(&body, T_0, &t) || !tlv_int(t.value, &seq))
        return answer_code(a, T_REMOVE_NOTIFICATION, UNDEFINED);
    if (seq < 0 || seq > UINT32_MAX || !card_remove(c, (uint32_t)seq))
        return answer_code(a, T_REMOVE_NOTIFICATION, 1);                 /* nothingToDelete */
    if (c->rollback_to != SIM_NO_PROFILE && c->rollback_seq == seq)      /* the eIM has the result: no way back (5.6) */
        c->rollback_to = SIM_NO_PROFILE;
    return answer_code(a, T_REMOVE_NOTIFICATION, OK_);
}

/* ---- profile changes by the IPA ------------------------------------------------------------------------------ */

static struct slice rollback(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct card_item it;
    struct slice old = none;
    bool refresh;
    if (!read_refresh(body, &refresh))
        return TLV(a, T_ROLLBACK, tlv_put_int(a, T_INTEGER, COMMAND_ERROR));
    for (size_t at = 0; card_stored(c, &at, &it);)
        if (it.kind == CARD_RESULT && it.seq == c->rollback_seq)
            old = TLV(a, 0, it.bytes);
    if (c->rollback_to == SIM_NO_PROFILE || card_in_ecall(c) || old.n == 0)
        return TLV(a, T_ROLLBACK, tlv_put_int(a, T_INTEGER, 1));         /* rollbackNotAllowed */
    uint32_t seq = card_next_seq(c);
    struct slice result = card_rollback_result(c, old, seq, a);
    int to = c->rollback_to;
    c->rollback_to = SIM_NO_PROFILE;
    card_remove(c, c->rollback_seq);
    if (!card_store(c, CARD_RESULT, seq, result) || !card_switch(c, to, a))
        return tlv_bad;
    return TLV(a, T_ROLLBACK, tlv_put_int(a, T_INTEGER, OK_), result);
}

/* Switch for BF5A to BF5E; a switch with REFRESH takes back the right to roll back (CR111007R00). */
static struct slice switch_to(struct sim_euicc *c, uint32_t function, int slot, bool refresh, struct arena *a)
{
    if (refresh)
        c->rollback_to = SIM_NO_PROFILE;
    return card_switch(c, slot, a) ? answer_code(a, function, OK_) : tlv_bad;
}

static struct slice immediate_enable(struct sim_euicc *c, struct slice body, struct arena *a)
{
    bool refresh;
    int code = !read_refresh(body, &refresh) ? UNDEFINED : !c->immediate ? 1 : c->fresh == SIM_NO_PROFILE ? 4 : OK_;
    if (code != OK_)
        return answer_code(a, T_IMMEDIATE_ENABLE, code);
    int slot = c->fresh;
    c->fresh = SIM_NO_PROFILE;
    return switch_to(c, T_IMMEDIATE_ENABLE, slot, refresh, a);
}

static struct slice fallback(struct sim_euicc *c, struct slice body, struct arena *a)
{
    bool refresh;
    int holder = card_fallback_holder(c), now = sim_euicc_enabled(c);
    int code = !read_refresh(body, &refresh) ? COMMAND_ERROR : card_in_ecall(c) ? ECALL_ACTIVE : holder == SIM_NO_PROFILE ? 6
               : holder == now ? 2 : OK_;
    if (code != OK_)
        return answer_code(a, T_FALLBACK, code);
    c->fallback_from = (int8_t)now;
    return switch_to(c, T_FALLBACK, holder, refresh, a);
}

static struct slice fallback_return(struct sim_euicc *c, struct slice body, struct arena *a)
{
    bool refresh;
    int code = !read_refresh(body, &refresh) ? COMMAND_ERROR : card_fallback_holder(c) == SIM_NO_PROFILE ? 6
               : c->fallback_from == SIM_NO_PROFILE || card_in_ecall(c) ? COMMAND_ERROR : OK_;
    if (code != OK_)
        return answer_code(a, T_FALLBACK_RETURN, code);
    int to = c->fallback_from;
    c->fallback_from = SIM_NO_PROFILE;
    return switch_to(c, T_FALLBACK_RETURN, to, refresh, a);
}

static struct slice emergency_on(struct sim_euicc *c, struct slice body, struct arena *a)
{
    bool refresh;
    int slot = SIM_NO_PROFILE;
    for (int i = 0; i < SIM_PROFILES; i++)
        if (c->profiles[i].flags & SIM_EMERGENCY)
            slot = i;
    int code = !read_refresh(body, &refresh) ? UNDEFINED : slot == SIM_NO_PROFILE ? 8 : c->ecall ? 2 : OK_;
    if (code != OK_)
        return answer_code(a, T_EMERGENCY_ON, code);
    c->emergency_from = (int8_t)sim_euicc_enabled(c);
    c->ecall = true;
    return switch_to(c, T_EMERGENCY_ON, slot, refresh, a);
}

static struct slice emergency_off(struct sim_euicc *c, struct slice body, struct arena *a)
{
    bool refresh;
    int code = !read_refresh(body, &refresh) ? UNDEFINED : !c->ecall ? 2 : OK_;
    if (code != OK_)
        return answer_code(a, T_EMERGENCY_OFF, code);
    int to = c->emergency_from;
    c->emergency_from = SIM_NO_PROFILE;
    c->ecall = false;
    return switch_to(c, T_EMERGENCY_OFF, to, refresh, a);
}

/* ---- what the card tells about itself ------------------------------------------------------------------------ */

static struct slice cert_field(const struct sim_euicc *c, uint32_t tag, struct slice der, struct arena *a)
{
    struct tlv t;
    if (!tlv_only(der, &t))
        return tlv_bad;
    return TLV(a, tag, c->quirks & SIM_Q(EXPLICIT_CERT) ? t.raw : t.value);      /* IMPLICIT: sgp32.md 2.0 rule 4 */
}

static struct slice get_certs(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv t;
    if (tlv_take(&body, T_0, &t) && (t.value.n > SIM_SKI || memcmp(t.value.p, c->world->pki->ci_ski, t.value.n) != 0))
        return TLV(a, T_GET_CERTS, tlv_put_int(a, T_1, 1));              /* invalidCiPKId */
    return TLV(a, T_GET_CERTS, TLV(a, T_C0, cert_field(c, T_C5, c->world->pki->eum, a),
                                   cert_field(c, T_C6, sim_euicc_cert(c, a), a)));
}

static struct slice ci_lists(struct sim_euicc *c, struct arena *a)
{
    struct slice ski = TLV(a, T_OCTETS, slice_of(c->world->pki->ci_ski, SIM_SKI));
    return TLV(a, 0, TLV(a, T_C9, ski), TLV(a, T_C10, ski));
}

static struct slice info1(struct sim_euicc *c, struct slice body, struct arena *a)
{
    (void)body;
    return TLV(a, T_EUICC_INFO1, TLV(a, T_2, SLICE("\x02\x02\x02")), ci_lists(c, a));
}

struct slice card_info2(struct sim_euicc *c, struct slice body, struct arena *a)
{
    (void)body;
    struct slice resources = TLV(a, T_4, tlv_put_int(a, T_1, 0), TLV(a, T_2, SLICE("\x00\x04\x00\x00")),
                                 TLV(a, T_3, SLICE("\x00\x00\x40\x00")));
    struct slice iot = TLV(a, T_C20, TLV(a, T_C0, TLV(a, T_OCTETS, SLICE("\x01\x02\x00"))), TLV_EMPTY(a, T_1), TLV_EMPTY(a, T_2));
    return TLV(a, T_EUICC_INFO2, TLV(a, T_1, SLICE("\x02\x03\x01")), TLV(a, T_2, SLICE("\x02\x02\x02")),
               TLV(a, T_3, SLICE("\x01\x00\x00")), resources, TLV(a, T_5, SLICE("\x07\x70\x80")), TLV(a, T_8, SLICE("\x03\x98")),
               ci_lists(c, a), TLV(a, T_OCTETS, SLICE("\x01\x00\x00")), tlv_put_str(a, T_UTF8, "EIMSIM-1"),
               tlv_put_int(a, T_16, 0), iot);
}

static struct slice get_eid(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv t;
    return tlv_take(&body, T_TAG_LIST, &t) && t.value.n == 1 && t.value.p[0] == T_EID
               ? TLV(a, T_GET_EID, TLV(a, T_EID, slice_of(c->eid, SIM_EID))) : none;
}

static struct slice profiles_info(struct sim_euicc *c, struct slice body, struct arena *a)
{
    return card_profile_list(c, body, sim_euicc_enabled(c), a);
}

static struct slice get_rat(struct sim_euicc *c, struct slice body, struct arena *a)
{
    (void)c;
    (void)body;
    return TLV(a, T_GET_RAT, card_rat(T_C0, a));
}

static struct slice configured_data(struct sim_euicc *c, struct slice body, struct arena *a)
{
    (void)body;
    struct slice dp = c->default_dp ? TLV(a, T_0, c->default_dp->bytes) : none;
    return TLV(a, T_CONFIGURED_DATA, dp, tlv_put_str(a, T_1, c->world->root_smds));
}

static struct slice set_default_dp(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv t;
    const struct sim_blob *b = tlv_take(&body, T_0, &t) ? sim_world_blob(c->world, t.value, NULL) : NULL;
    if (b)
        c->default_dp = t.value.n ? b : NULL;
    return answer_code(a, T_SET_DEFAULT_DP, b ? OK_ : UNDEFINED);
}

static struct slice connectivity(struct sim_euicc *c, struct slice body, struct arena *a)
{
    (void)c;
    (void)body;
    return TLV(a, T_CONNECTIVITY, tlv_put_int(a, T_1, 1));               /* parametersNotAvailable */
}

/* ---- the table ----------------------------------------------------------------------------------------------- */

static const struct { uint32_t tag; struct slice (*run)(struct sim_euicc *c, struct slice body, struct arena *a); } functions[] = {
    { T_RETRIEVE_NOTIFICATIONS, retrieve },    { T_REMOVE_NOTIFICATION, remove_notification },
    { T_GET_CERTS, get_certs },                { T_GET_EIM_CONFIG, get_eim_config },
    { T_ADD_INITIAL_EIM, add_initial_eim },    { T_MEMORY_RESET, memory_reset },
    { T_ROLLBACK, rollback },                  { T_CONFIGURE_IMMEDIATE, configure_immediate },
    { T_IMMEDIATE_ENABLE, immediate_enable },  { T_FALLBACK, fallback },
    { T_FALLBACK_RETURN, fallback_return },    { T_EMERGENCY_ON, emergency_on },
    { T_EMERGENCY_OFF, emergency_off },        { T_CONNECTIVITY, connectivity },
    { T_SET_DEFAULT_DP, set_default_dp },      { T_EUICC_INFO1, info1 },
    { T_EUICC_INFO2, card_info2 },             { T_CHALLENGE, card_challenge },
    { T_GET_EID, get_eid },                    { T_PROFILES_INFO, profiles_info },
    { T_GET_RAT, get_rat },                    { T_CONFIGURED_DATA, configured_data },
    { T_AUTHENTICATE_SERVER, card_authenticate_server }, { T_PREPARE_DOWNLOAD, card_prepare_download },
    { T_BOUND_PACKAGE, card_load_bound },      { T_CANCEL_SESSION, card_cancel_session },
};

struct slice sim_euicc_es10b(struct sim_euicc *c, struct slice request, struct arena *a)
{
    struct tlv t = { 0 };
    struct slice rest = request;
    uint32_t tag;
    if (tlv_next_tag(&rest, &tag) && tag == T_EUICC_PACKAGE)
        return card_load_package(c, request, a);         /* answers damaged ones too */
    if (!tlv_only(request, &t))
        return none;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (functions[i].tag == t.tag)
            return functions[i].run(c, t.value, a);
    return none;
}
