/* package.c -- ES10b LoadEuiccPackage: the ladder of checks, and the execution of PSMOs and eCOs.
 *
 * The ladder (sgp32.md 3.9, SGP.32 5.9.1), in this order, the first that fails answers:
 *   1 damaged, eimId unknown or signature wrong  A2, unsigned      2 EID not ours          A1 invalidEid(3)
 *   3 counterValue <= stored                     A1 replayError(4); above the maximum      A1 counterValueOutOfRange(6)
 *   4 emergency profile enabled                  A1 ecallActive(104)
 *   5 package too large                          A1 sizeOverflow(15)
 *   6 execute, store the result, answer A0.
 * The counter is stored once the package passes step 5, whatever its operations do, and before they run, because an
 * updateEim in the package may set it anew. A refused package does not consume its counter here (UNSURE in the
 * specification; an eIM has to burn it in any case).
 *
 * Execution (5.5): one after the other, stop at the first failure, whose result is the last one. Operations see the
 * profile states as the earlier ones of the package left them; the switch itself, with its notifications, happens at
 * the end. */
#include "crypto/verify.h"
#include "sim/card.h"

enum {
    EPE_INVALID_EID = 3, EPE_REPLAY = 4, EPE_COUNTER_RANGE = 6, EPE_SIZE_OVERFLOW = 15, EPE_ECALL_ACTIVE = 104,
    NOT_FOUND = 1, WRONG_STATE = 2, BY_POLICY = 3, BUSY = 5, NO_ROLLBACK = 20, RETURN_FIRST = 21,
    TERMINATED_SIZE = 1, TERMINATED_UNKNOWN = 2, CHANGE_IS_ONGOING = 11,
};

struct package {
    struct slice tbs;                  /* EuiccPackageSigned, as received */
    struct slice signature;
    struct tlv eim_id, eid, txid, list;      /* txid.tag 0: absent */
    int64_t counter;
};

struct run {
    struct sim_euicc *c;
    struct arena *a;
    unsigned eim;
    bool eco;
    struct tlv_list results;
    /* the states as the operations see them */
    int enabled;                       /* slot */
    bool rollback, changed, had_enable, had_disable;
    struct sim_profile deleted[SIM_PROFILES];
    unsigned n_deleted;
};

/* ---- reading ------------------------------------------------------------------------------------------------- */

static bool read_package(struct slice request, struct package *p)
{
    struct tlv outer, tbs, t;
    *p = (struct package){ 0 };
    if (!tlv_only(request, &outer) || outer.tag != T_EUICC_PACKAGE || !tlv_take(&outer.value, T_SEQUENCE, &tbs))
        return false;
    p->tbs = tbs.raw;
    struct slice s = tbs.value;
    if (!tlv_take(&s, T_0, &p->eim_id) || !tlv_take(&s, T_EID, &p->eid) || !tlv_take(&s, T_1, &t) || !tlv_int(t.value, &p->counter))
        return false;
    if (tlv_take(&s, T_2, &p->txid) && (p->txid.value.n == 0 || p->txid.value.n > 16))
        return false;
    if (!tlv_take(&s, T_C0, &p->list) && !tlv_take(&s, T_C1, &p->list))
        return false;
    if (!tlv_well_formed(s) || !tlv_well_formed(p->list.value) || !tlv_take(&outer.value, T_SIGNATURE, &t) ||
        !tlv_well_formed(outer.value))
        return false;
    p->signature = t.value;
    return p->eim_id.value.n > 0 && p->eim_id.value.n <= 128 && t.value.n == SIGNATURE_SIZE;
}

static bool signature_good(struct sim_euicc *c, const struct sim_eim *eim, const struct package *p, struct arena *a)
{
    struct err e = { 0 };
    struct slice spans[2] = { p->tbs, tlv_put_int(a, T_4, eim->token == SIM_NO_TOKEN ? 0 : eim->token) };
    c->checks++;
    return !tlv_is_bad(spans[1]) && verify_signature(eim->config->key, spans, 2, p->signature, &e) == OK;
}

/* ---- answers ------------------------------------------------------------------------------------------------- */

static struct slice raw_or_nothing(const struct tlv *t)
{
    return t->tag ? t->raw : (struct slice){ 0 };
}

/* The damaged package may hold no readable eimId although the answer must: then the first eIM's, or a placeholder. */
static struct slice unsigned_error(const struct sim_euicc *c, const struct package *p, const struct sim_eim *eim, struct arena *a)
{
    struct slice id = p->eim_id.value;
    if (id.n == 0 || id.n > 128)
        id = c->n_eims ? card_eim_id(&c->eims[0]) : SLICE("unknown");
    struct slice token = eim && eim->token != SIM_NO_TOKEN ? tlv_put_int(a, T_4, eim->token) : (struct slice){ 0 };
    bool txid = p->txid.tag && p->txid.value.n > 0 && p->txid.value.n <= 16;
    return TLV(a, T_EUICC_PACKAGE, TLV(a, T_C2, TLV(a, T_0, id), txid ? p->txid.raw : (struct slice){ 0 }, token));
}

/* `p`: what it answers, which v1.0 binds it to by eimSignature instead of the token; NULL after a rollback. */
static struct slice seal(struct sim_euicc *c, uint32_t arm, struct slice data, const struct package *p, int64_t token, struct arena *a)
{
    bool old = p && c->quirks & SIM_Q(V1_0);
    struct slice sig = TLV(a, T_SIGNATURE, old ? card_sign_tail(c, data, TLV(a, T_SIGNATURE, p->signature), a) : card_sign_result(c, data, token, a));
    if (c->quirks & SIM_Q(BARE_CHOICE))
        return TLV(a, T_EUICC_PACKAGE, data, sig);
    return TLV(a, T_EUICC_PACKAGE, TLV(a, arm, data, sig));
}

static struct slice signed_error(struct sim_euicc *c, const struct package *p, int64_t token, int code, struct arena *a)
{
    struct slice data = TLV(a, T_SEQUENCE, p->eim_id.raw, tlv_put_int(a, T_1, p->counter), raw_or_nothing(&p->txid),
                            tlv_put_int(a, T_INTEGER, code));
    return seal(c, T_C1, data, p, token, a);
}

static struct slice result_data(struct sim_euicc *c, struct slice eim_id, struct slice counter, struct slice txid, uint32_t seq,
                                struct slice results, struct arena *a)
{
    struct slice extra = c->quirks & SIM_Q(UNKNOWN_SIGNED) ? TLV(a, T_UNKNOWN_SIGNED, SLICE("future")) : (struct slice){ 0 };
    return TLV(a, T_SEQUENCE, eim_id, counter, txid, tlv_put_int(a, T_3, seq), results, extra);
}

/* ---- results of operations ----------------------------------------------------------------------------------- */

/* Every op function appends its result and says whether the package goes on. */
static bool add_result(struct run *r, struct slice result, bool goes_on)
{
    uint64_t q = r->c->quirks;
    struct tlv t;
    if (q & SIM_Q(UNKNOWN_RESULT))
        result = tlv_put_int(r->a, T_UNKNOWN_RESULT, 0);
    else if (q & SIM_Q(BARE_INTEGER) && tlv_only(result, &t) && t.value.n == 1 && t.tag < T_C0)
        result = TLV(r->a, T_INTEGER, t.value);
    tlv_add(&r->results, result);
    return goes_on;
}

static bool add_code(struct run *r, uint32_t tag, int code)
{
    return add_result(r, tlv_put_int(r->a, tag, code), code == 0);
}

static bool terminate(struct run *r, int code)
{
    tlv_add(&r->results, tlv_put_int(r->a, T_INTEGER, code));
    return false;
}

static bool is_enabled(const struct run *r, int slot)
{
    return slot == r->enabled;
}

/* The ICCID of an operation's body, as a slot; *code is 1 when the card has no such profile. The rest of the body goes
 * to *rest. */
static int target(const struct run *r, struct slice body, int *code, struct slice *rest)
{
    struct tlv t;
    int slot = tlv_take(&body, T_ICCID, &t) ? sim_euicc_find(r->c, t.value) : SIM_NO_PROFILE;
    *code = slot == SIM_NO_PROFILE ? NOT_FOUND : 0;
    if (rest)
        *rest = body;
    return slot;
}

/* ---- PSMOs --------------------------------------------------------------------------------------------------- */

static int enable_code(const struct run *r, int slot, bool rollback)
{
    if (is_enabled(r, slot))
        return WRONG_STATE;
    if (r->enabled != SIM_NO_PROFILE && r->c->profiles[r->enabled].ppr & SIM_PPR1)
        return BY_POLICY;
    if (r->c->quirks & SIM_Q(CAT_BUSY))
        return BUSY;
    return rollback && (sim_euicc_enabled(r->c) == SIM_NO_PROFILE || r->c->quirks & SIM_Q(CARD_NO_ROLLBACK)) ? NO_ROLLBACK : 0;
}

static bool do_enable(struct run *r, struct slice body)
{
    int code;
    struct slice rest;
    struct tlv t;
    int slot = target(r, body, &code, &rest);
    if (r->had_enable)
        return terminate(r, TERMINATED_UNKNOWN);         /* at most one enable a package */
    r->had_enable = true;
    bool rollback = tlv_take(&rest, T_NULL, &t) || tlv_take(&rest, T_0, &t) || tlv_take(&rest, T_1, &t);  /* 6.11: three forms */
    if (code == 0)
        code = enable_code(r, slot, rollback);
    if (code == 0) {
        r->enabled = slot;
        r->rollback = rollback;
        r->changed = true;
    }
    return add_code(r, T_3, code);
}

static bool do_disable(struct run *r, struct slice body)
{
    int code, slot = target(r, body, &code, NULL);
    if (r->had_disable)
        return terminate(r, TERMINATED_UNKNOWN);
    r->had_disable = true;
    if (code == 0 && !is_enabled(r, slot))
        code = WRONG_STATE;
    if (code == 0 && r->c->profiles[slot].ppr & SIM_PPR1)
        code = BY_POLICY;
    if (code == 0 && r->c->quirks & SIM_Q(CAT_BUSY))
        code = BUSY;
    if (code == 0) {
        r->enabled = SIM_NO_PROFILE;
        r->changed = true;
    }
    return add_code(r, T_4, code);
}

static bool do_delete(struct run *r, struct slice body)
{
    struct sim_euicc *c = r->c;
    int code, slot = target(r, body, &code, NULL);
    if (code == 0 && is_enabled(r, slot))
        code = WRONG_STATE;
    if (code == 0 && c->profiles[slot].ppr & SIM_PPR2)
        code = BY_POLICY;
    if (code == 0 && slot == c->fallback_from)
        code = RETURN_FIRST;
    if (code == 0 && ((r->rollback && slot == sim_euicc_enabled(c)) || (!r->changed && slot == c->rollback_to)))
        code = NO_ROLLBACK;
    if (code == 0) {
        r->deleted[r->n_deleted++] = c->profiles[slot];
        card_profile_gone(c, slot);
        r->changed = true;
    }
    return add_code(r, T_5, code);
}

static bool do_list_profiles(struct run *r, struct slice body)
{
    if (r->c->quirks & SIM_Q(SIZE_OVERFLOW))
        return terminate(r, TERMINATED_SIZE);
    struct tlv t, arm;
    struct slice list = r->changed || r->c->quirks & SIM_Q(CHANGE_ONGOING)
                            ? TLV(r->a, T_PROFILES_INFO, tlv_put_int(r->a, T_1, CHANGE_IS_ONGOING))
                            : card_profile_list(r->c, body, r->enabled, r->a);
    bool good = tlv_only(list, &t) && tlv_only(t.value, &arm) && arm.tag == T_C0;
    return add_result(r, list, good);
}

static bool do_rat(struct run *r, struct slice body)
{
    return body.n ? terminate(r, TERMINATED_UNKNOWN) : add_result(r, card_rat(T_C6, r->a), true);
}

static bool do_immediate(struct run *r, struct slice body)
{
    return add_code(r, T_7, card_immediate(r->c, body) ? CARD_OK : CARD_COMMAND_ERROR);
}

static bool do_set_fallback(struct run *r, struct slice body)
{
    int code, slot = target(r, body, &code, NULL), holder = card_fallback_holder(r->c);
    if (code == 0 && !(r->c->profiles[slot].flags & SIM_FALLBACK_ALLOWED))
        code = 2;                                        /* fallbackNotAllowed */
    if (code == 0 && holder != SIM_NO_PROFILE && is_enabled(r, holder))
        code = 3;                                        /* fallbackProfileEnabled */
    if (code == 0) {
        if (holder != SIM_NO_PROFILE)
            r->c->profiles[holder].flags &= (uint8_t)~SIM_FALLBACK_ATTRIBUTE;    /* one holder only */
        r->c->profiles[slot].flags |= SIM_FALLBACK_ATTRIBUTE;
    }
    return add_code(r, T_13, code);
}

static bool do_unset_fallback(struct run *r, struct slice body)
{
    int holder = card_fallback_holder(r->c);
    int code = body.n ? CARD_COMMAND_ERROR : holder == SIM_NO_PROFILE ? 2 : is_enabled(r, holder) ? 3 : 0;
    if (code == 0)
        r->c->profiles[holder].flags &= (uint8_t)~SIM_FALLBACK_ATTRIBUTE;
    return add_code(r, T_14, code);
}

static bool do_set_dp(struct run *r, struct slice body)
{
    struct tlv t;
    const struct sim_blob *b = tlv_take(&body, T_0, &t) ? sim_world_blob(r->c->world, t.value, NULL) : NULL;
    if (b)
        r->c->default_dp = t.value.n ? b : NULL;
    return add_result(r, TLV(r->a, T_SET_DEFAULT_DP, tlv_put_int(r->a, T_0, b ? 0 : 127)), b);
}

/* ---- eCOs ---------------------------------------------------------------------------------------------------- */

static bool do_add_eim(struct run *r, struct slice body)
{
    int code = card_eim_add(r->c, body, r->a);
    int64_t token = code == CARD_OK ? r->c->eims[r->c->n_eims - 1].token : SIM_NO_TOKEN;
    struct slice result = token != SIM_NO_TOKEN ? tlv_put_int(r->a, T_4, token) : tlv_put_int(r->a, T_INTEGER, code);
    return add_result(r, TLV(r->a, T_C8, result), code == CARD_OK);
}

static bool do_delete_eim(struct run *r, struct slice body)
{
    struct tlv t;
    int i = tlv_take(&body, T_0, &t) ? card_eim_find(r->c, t.value) : -1;
    if (i >= 0)
        card_eim_delete(r->c, (unsigned)i);
    int code = i < 0 ? 1 : r->c->n_eims == 0 ? 2 : 0;    /* eimNotFound, lastEimDeleted (a success), ok */
    return add_result(r, tlv_put_int(r->a, T_9, code), code != 1);
}

static bool do_update_eim(struct run *r, struct slice body)
{
    struct tlv t;
    int i = tlv_find(body, T_0, &t) ? card_eim_find(r->c, t.value) : -1;
    return add_code(r, T_10, i < 0 ? 1 : (int)card_eim_update(r->c, (unsigned)i, body, r->a));
}

static bool do_list_eim(struct run *r, struct slice body)
{
    struct tlv_list l = { 0 };
    if (body.n)
        return terminate(r, TERMINATED_UNKNOWN);
    for (unsigned i = 0; i < r->c->n_eims; i++) {
        int64_t type = card_eim_type(&r->c->eims[i]);    /* told for OIDs and FQDNs only */
        tlv_add(&l, TLV(r->a, T_SEQUENCE, TLV(r->a, T_0, card_eim_id(&r->c->eims[i])),
                        type == 1 || type == 2 ? tlv_put_int(r->a, T_2, type) : (struct slice){ 0 }));
    }
    return add_result(r, TLV(r->a, T_C11, tlv_list_end(r->a, T_C0, &l)), true);
}

/* ---- execution ----------------------------------------------------------------------------------------------- */

static const struct { bool eco; uint32_t tag; bool (*run)(struct run *r, struct slice body); } operations[] = {
    { false, T_C3, do_enable },        { false, T_C4, do_disable },
    { false, T_C5, do_delete },        { false, T_PROFILES_INFO, do_list_profiles },
    { false, T_C6, do_rat },           { false, T_C7, do_immediate },
    { false, T_C8, do_set_fallback },  { false, T_C9, do_unset_fallback },
    { false, T_SET_DEFAULT_DP, do_set_dp },
    { true, T_C8, do_add_eim },        { true, T_C9, do_delete_eim },
    { true, T_C10, do_update_eim },    { true, T_C11, do_list_eim },
};

static bool run_one(struct run *r, const struct tlv *op)
{
    bool v1_1 = !r->eco && (op->tag == T_C7 || op->tag == T_C8 || op->tag == T_C9 || op->tag == T_SET_DEFAULT_DP);
    if (v1_1 && r->c->quirks & SIM_Q(V1_0))
        return terminate(r, TERMINATED_UNKNOWN);
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (operations[i].eco == r->eco && operations[i].tag == op->tag)
            return operations[i].run(r, op->value);
    return terminate(r, TERMINATED_UNKNOWN);
}

/* After the operations: the switch, then the notifications of what was deleted. */
static bool take_effect(struct run *r, uint32_t seq)
{
    struct sim_euicc *c = r->c;
    bool good = true;
    if (r->changed) {
        int before = sim_euicc_enabled(c);
        for (unsigned i = 0; i < r->n_deleted; i++)      /* a profile disabled and deleted in one package is gone by now */
            if (r->deleted[i].flags & SIM_ENABLED)
                good &= card_notify(c, CARD_DISABLE, &r->deleted[i], r->a);
        c->rollback_to = SIM_NO_PROFILE;
        good &= card_switch(c, r->enabled, r->a);
        if (r->rollback) {
            c->rollback_to = (int8_t)before;
            c->rollback_seq = seq;
        }
    }
    for (unsigned i = 0; i < r->n_deleted; i++)
        good &= card_notify(c, CARD_DELETE, &r->deleted[i], r->a);
    return good;
}

static struct slice execute(struct sim_euicc *c, unsigned eim, const struct package *p, struct arena *a)
{
    struct run r = { .c = c, .a = a, .eim = eim, .eco = p->list.tag == T_C1, .enabled = sim_euicc_enabled(c) };
    struct slice rest = p->list.value;
    struct tlv op;
    int64_t token = c->eims[eim].token;                  /* the requesting eIM's, even if the package deletes it */
    c->eims[eim].counter = p->counter;
    bool goes_on = true;
    size_t size = 0;
    while (goes_on && tlv_next(&rest, &op)) {
        goes_on = run_one(&r, &op);
        size += r.results.part[r.results.n - 1].n;
        if (size > c->world->result_max || r.results.n == TLV_LIST_MAX) {
            r.results.n--;
            goes_on = terminate(&r, TERMINATED_SIZE);
        }
    }
    uint32_t seq = card_next_seq(c);
    struct slice data = result_data(c, p->eim_id.raw, tlv_put_int(a, T_1, p->counter), raw_or_nothing(&p->txid), seq,
                                    tlv_list_end(a, T_SEQUENCE, &r.results), a);
    struct slice result = seal(c, T_C0, data, p, token, a);
    if (!card_store(c, CARD_RESULT, seq, result) || !take_effect(&r, seq))
        return tlv_bad;
    return result;
}

struct slice card_load_package(struct sim_euicc *c, struct slice request, struct arena *a)
{
    struct package p;
    bool whole = read_package(request, &p);
    int i = card_eim_find(c, p.eim_id.value);
    struct sim_eim *eim = i < 0 ? NULL : &c->eims[i];
    if (!whole || !eim || c->quirks & SIM_Q(UNSIGNED_ERROR) || !signature_good(c, eim, &p, a))
        return unsigned_error(c, &p, eim, a);
    int code = 0;
    if (!slice_eq(p.eid.value, slice_of(c->eid, SIM_EID)))
        code = EPE_INVALID_EID;
    else if (p.counter <= eim->counter)
        code = EPE_REPLAY;
    else if (p.counter > c->world->counter_max || c->quirks & SIM_Q(COUNTER_RANGE))
        code = EPE_COUNTER_RANGE;
    else if (card_in_ecall(c))
        code = EPE_ECALL_ACTIVE;
    else if (request.n > c->world->package_max)
        code = EPE_SIZE_OVERFLOW;
    return code ? signed_error(c, &p, eim->token, code, a) : execute(c, (unsigned)i, &p, a);
}

/* ---- rollback ------------------------------------------------------------------------------------------------ */

struct slice card_rollback_result(struct sim_euicc *c, struct slice old, uint32_t seq, struct arena *a)
{
    struct tlv t, data, id, counter, txid = { 0 }, ignored, results;
    if (!tlv_only(old, &t))
        return tlv_bad;
    struct slice s = t.value;
    if (tlv_take(&s, T_C0, &t))                          /* absent with the bare-choice quirk */
        s = t.value;
    if (!tlv_take(&s, T_SEQUENCE, &data))
        return tlv_bad;
    s = data.value;
    if (!tlv_take(&s, T_0, &id) || !tlv_take(&s, T_1, &counter))
        return tlv_bad;
    (void)tlv_take(&s, T_2, &txid);
    if (!tlv_take(&s, T_3, &ignored) || !tlv_take(&s, T_SEQUENCE, &results))
        return tlv_bad;
    int eim = card_eim_find(c, id.value);
    struct slice before = c->quirks & SIM_Q(ROLLBACK_BOTH) ? results.value : (struct slice){ 0 };
    struct slice list = TLV(a, T_SEQUENCE, before, tlv_put_int(a, T_12, 0));
    struct slice fresh = result_data(c, id.raw, counter.raw, raw_or_nothing(&txid), seq, list, a);
    return seal(c, T_C0, fresh, NULL, eim < 0 ? SIM_NO_TOKEN : c->eims[eim].token, a);
}
