/* result.c -- what eUICCs send back: verified, matched, applied once (SGP.32 2.11.2.1, 5.14.6; spec 3.6, 3.8, 5.3).
 *
 * A result moves an operation only if it verifies under the device's key over the bytes received, and its eimId, EID (through the
 * key), counterValue and eimTransactionId are those of a package that we sent (I5). Everything else is kept as a hint and
 * acknowledged to nobody: the eUICC keeps an unacknowledged result and will offer it again. The same result again is acknowledged
 * again and applied never. A second, different result for one counter is refused unless it tells of a rollback (5.6). */
#include "eim/esipa_int.h"
#include "eim/interop.h"
#include "eim/quirks.h"

#include "crypto/verify.h"
#include "eim/ops.h"

#include <stdio.h>

/* A result with its parts at hand, whichever of the two signed forms it has. */
struct received {
    struct slice raw;                              /* the exact BF51 */
    struct slice tbs, signature;
    struct slice eim_id, txid;
    int64_t counter, seq;                          /* seq -1: a signed error has none */
    const struct euicc_package_result_data_signed *data;           /* NULL for an error */
    int64_t error;                                 /* EuiccPackageErrorCode, when data is NULL */
};

enum eim_err device_key(const struct device *d, struct public_key **out, struct err *e)
{
    *out = NULL;
    if (d->key_class == KEY_NONE || !d->key.n) return OK;
    return public_key_from_point(out, (enum curve)d->curve, d->key, e);
}

/* Refuse: the state stays, a hint remains, nothing is acknowledged. */
static enum eim_err refuse(struct plan *p, const struct received *r, struct err *why)
{
    COUNT(p->m, results_refused);
    plan_hint(p, "refused_result", r->raw, why->why);
    return OK;
}

/* The operation a result belongs to: by eimTransactionId, else (none sent back) by counterValue. */
static enum eim_err find_operation(struct plan *p, struct tx *t, const struct received *r, struct plan_op **out,
                                   struct err *e)
{
    struct operation o = { 0 };
    *out = NULL;
    if (p->d.in_flight) {
        TRY(plan_read(p, t, p->d.in_flight, out, e));
        if (*out && (r->txid.n ? slice_eq((*out)->op.txid, r->txid) : (*out)->op.counter == r->counter)) return OK;
        *out = NULL;
    }
    if (!r->txid.n) TRY(store_operation_by_counter(t, p->d.association, r->counter, &o, p->arena, e));
    else if (eim_txid_association(r->txid) == p->d.association)
        TRY(store_operation_by_txid(t, p->d.association, r->txid, &o, p->arena, e));
    if (!o.id) return OK;
    *out = plan_hold(p, &o);
    return *out ? OK : fail(e, E_LIMIT, NULL, "more than %d operations touched at once", PLAN_OPS);
}

/* v1.0 signs its result over the package's eimSignature where later versions have the token (spec 0.1, 3.6). Whether with its tag was not to be
 * learnt: both are tried, and either binds the result to our very package. */
static bool verify_v1_0(const struct public_key *key, const struct operation *o, const struct received *r, struct arena *a)
{
    struct euicc_package_request sent;
    struct err ignored = { 0 };
    if (der_decode(&euicc_package_request_type, o->package, &sent, a, &ignored) != OK) return false;
    struct slice with[] = { r->tbs, SGP32_V1_0_SIGNATURE_HEAD, sent.eim_signature }, bare[] = { r->tbs, sent.eim_signature };
    return verify_signature(key, with, 3, r->signature, &ignored) == OK || verify_signature(key, bare, 2, r->signature, &ignored) == OK;
}

/* The token is proven (I11): what the eUICC signed answers a package that it had verified with it, or is signed over it. */
static void proven(struct plan *p, int64_t token)
{
    if (token == p->d.token || (!token && p->d.token == DEVICE_TOKEN_NONE)) return;
    p->d.token = token ? token : DEVICE_TOKEN_NONE;
    p->device_dirty = true;
}

/* Does the signature verify with a token that this association can have? The proven one is stored. */
static bool verify(struct plan *p, const struct operation *o, const struct received *r, struct err *why)
{
    struct public_key *key;
    if (device_key(&p->d, &key, why) != OK || !key) return false;
    int64_t tokens[] = { o->token, p->d.token, 0 };
    bool ok = false;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens && !ok; i++) {
        bool seen = tokens[i] < 0;
        for (size_t k = 0; k < i; k++) seen |= tokens[k] == tokens[i];
        if (seen) continue;
        struct err last = { 0 };
        ok = verify_with_token(key, r->tbs, tokens[i], r->signature, &last) == OK;
        if (!ok) *why = last;
        else proven(p, tokens[i]);
    }
    if (!ok && p->quirks & QUIRK_V1_0 && verify_v1_0(key, o, r, p->arena)) {
        ok = true;
        proven(p, o->token);
    }
    public_key_free(key);
    if (ok) *why = (struct err){ 0 };
    return ok;
}

/* ---- facts ---- */

static void enabled_is(struct plan *p, const struct operation *o, struct slice iccid)
{
    p->d.has_enabled = true;
    p->d.enabled = iccid;
    p->d.enabled_us = p->now;
    p->d.enabled_op = o->id;
}

/* Only a list of all profiles, with their states, is an inventory. */
static bool is_full_list(const struct profile_info_list_request *q)
{
    uint64_t asked = 0;
    if (der_has(q, profile_info_list_request, search_criteria)) return false;
    if (!der_has(q, profile_info_list_request, tag_list)) return true;
    uint64_t need = UINT64_C(1) << profile_info_has_iccid | UINT64_C(1) << profile_info_has_profile_state;
    return der_taglist(&profile_info_type, q->tag_list, &asked) && (asked & need) == need;
}

static struct profile profile_from(const struct profile_info *i, const struct plan *p, const struct operation *o)
{
    return (struct profile){
        .iccid = i->iccid, .aid = i->isdp_aid, .name = i->profile_name, .provider = i->service_provider_name,
        .nickname = i->profile_nickname,
        .class_ = der_has(i, profile_info, profile_class) ? i->profile_class : -1,
        .fallback = der_has(i, profile_info, fallback_attribute) && i->fallback_attribute,
        .fallback_allowed = der_has(i, profile_info, fallback_allowed) && i->fallback_allowed,
        .ecall = der_has(i, profile_info, ecall_indication) && i->ecall_indication,
        .policy_rules = der_has(i, profile_info, profile_policy_rules) ? der_bits_mask(&i->profile_policy_rules) : 0,
        .as_of_us = p->now, .op = o->id,
    };
}

/* An attested inventory: these profiles, and no others. It holds for the moment when the package was made, or later: a change
 * announced after that moment stays unobserved by it. */
static enum eim_err inventory_is(struct plan *p, struct tx *t, const struct operation *o,
                                 const struct profile_info_list *list, struct err *e)
{
    p->profiles = ARENA_ARRAY(p->arena, struct profile, PLAN_PROFILES);
    if (!p->profiles) return fail(e, E_NOMEM, NULL, "no room for the profiles");
    p->nprofiles = 0;
    p->has_profiles = true;
    p->ndeletes = 0;
    enabled_is(p, o, (struct slice){ 0 });
    for (size_t i = 0; i < list->n; i++) {
        const struct profile_info *info = &list->v[i];
        bool twice = false;
        for (size_t k = 0; k < p->nprofiles; k++) twice |= slice_eq(p->profiles[k].iccid, info->iccid);
        if (!der_has(info, profile_info, iccid) || twice || p->nprofiles == PLAN_PROFILES) continue;
        p->profiles[p->nprofiles++] = profile_from(info, p, o);
        if (der_has(info, profile_info, profile_state) && info->profile_state == PROFILE_STATE_ENABLED) p->d.enabled = info->iccid;
    }
    p->d.inventory_us = o->first_sent_us;
    p->d.inventory_op = o->id;
    p->d.retry_us = 0;
    if (device_inventory_fresh(&p->d)) p->d.wants &= ~(int64_t)WANT_INVENTORY;
    COUNT(p->m, inventories);
    return settle_by_profiles(p, t, o, e);
}

/* One executed step: what it proves. */
static enum eim_err step_proves(struct plan *p, struct tx *t, const struct operation *o, const struct psmo *s,
                                const struct euicc_result_data *r, struct err *e)
{
    bool ok = ops_step_done(s, r);
    bool changed = false;
    if (s->der.which == psmo_is_enable && r->der.which == euicc_result_data_is_enable_result && r->enable_result == ENABLE_RESULT_ROLLBACK_NOT_AVAILABLE)
        TRY(quirks_learn(p, QUIRK_NO_ROLLBACK, e));
    if (s->der.which == psmo_is_enable && ok) {
        enabled_is(p, o, s->enable.iccid);
        changed = true;
    } else if (s->der.which == psmo_is_disable && ok) {
        enabled_is(p, o, (struct slice){ 0 });
        changed = true;
    } else if (s->der.which == psmo_is_delete && ok) {
        if (p->ndeletes < PLAN_DELETES) p->deletes[p->ndeletes++] = s->delete.iccid;
        changed = true;
    } else if (r->der.which == euicc_result_data_is_list_profile_info_result && s->der.which == psmo_is_list_profile_info) {
        const struct profile_info_list_response *l = &r->list_profile_info_result;
        if (l->der.which == profile_info_list_response_is_profile_info_list_ok && is_full_list(&s->list_profile_info))
            TRY(inventory_is(p, t, o, &l->profile_info_list_ok, e));
    } else if (r->der.which == euicc_result_data_is_get_rat_result && s->der.which == psmo_is_get_rat) {
        p->rat = (struct device_rat){ .association = p->d.association, .tenant = p->d.tenant, .operation = o->id, .as_of_us = p->now,
                                      .rules = der_encode(&rules_type, &r->get_rat_result, p->arena) };
        if (!p->rat.rules.p) return fail(e, E_NOMEM, NULL, "no room for the rules authorisation table");
    } else if (s->der.which == psmo_is_set_fallback_attribute || s->der.which == psmo_is_unset_fallback_attribute)
        changed = ok;
    if (changed || (!ok && s->der.which != psmo_is_list_profile_info)) {       /* a refusal, too, says that we know too little */
        p->d.changed_us = p->now;
        p->d.wants |= WANT_INVENTORY;
    }
    return OK;
}

static enum eim_err apply_facts(struct plan *p, struct tx *t, const struct operation *o, const struct euicc_package *package,
                                const struct received *r, const struct ops_outcome *out, struct err *e)
{
    p->device_dirty = true;
    if (package->der.which == euicc_package_is_psmo_list)
        for (size_t i = 0; i < package->psmo_list.n && ops_result_at(r->data, i); i++)
            TRY(step_proves(p, t, o, &package->psmo_list.v[i], ops_result_at(r->data, i), e));
    else {
        TRY(eims_proved(p, t, o, package, r->data, e));
        if (o->origin == ORIGIN_SETTLE) TRY(settle_by_eims(p, t, o, r->data, e));
    }
    if (out->rolled_back) {                        /* the profile before is enabled again; which one, the inventory will say */
        p->d.has_enabled = false;
        p->d.enabled = (struct slice){ 0 };
        p->d.changed_us = p->now;
        p->d.wants |= WANT_INVENTORY;
    }
    return OK;
}

/* ---- results ---- */

/* A verified result for an operation that has one already. */
static enum eim_err repeated(struct plan *p, struct tx *t, struct plan_op *o, const struct received *r,
                             const struct euicc_package *package,
                             const struct ops_outcome *out, int64_t *seq, struct err *why, struct err *e)
{
    struct euicc_package_result before;
    struct err ignored = { 0 };
    bool same = der_decode(&euicc_package_result_type, o->op.result, &before, p->arena, &ignored) == OK &&
                before.der.which == euicc_package_result_is_euicc_package_result_signed &&
                slice_eq(before.euicc_package_result_signed.euicc_package_result_data_signed.der.raw, r->tbs);
    if (same) {
        COUNT(p->m, results_repeated);
        interop_note(p->m->interop, p->now, &p->d.eid, INTEROP_AGAIN, "provideEimPackageResult", (struct slice){ 0 }, -1);
        *seq = r->seq;
        return OK;
    }
    if (!out->rolled_back || o->op.state != OP_DONE) {
        (void)fail(why, E_REPLAY, "SGP.32 2.11.2.1", "a second, different result for counterValue %lld", (long long)r->counter);
        return refuse(p, r, why);
    }
    o->op.result = r->raw;
    o->op.result_us = p->now;
    o->op.seq = r->seq;
    o->op.reason = SLICE("rolled back by the device");
    if (!plan_move(p, o, EV_ROLLBACK, "device")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    *seq = r->seq;
    return apply_facts(p, t, &o->op, package, r, out, e);
}

static struct slice reason_of(struct plan *p, const struct ops_outcome *out)
{
    if (out->rolled_back) return SLICE("rolled back by the device");
    if (out->ok) return (struct slice){ 0 };
    if (!out->step) return SLICE("the list of results is shorter than the list of operations");
    return slice_str(arena_printf(p->arena, "%s: %s(%lld)", out->step, out->name, (long long)out->code));
}

/* Has a list of the same kind been taken since, with a higher counter? Then a late result tells of the past: it ends its operation, and no more. */
static enum eim_err overtaken(struct plan *p, struct tx *t, const struct operation *o, bool eco, bool *late, struct err *e)
{
    struct plan_op *inventory = NULL;
    int64_t newest = eco ? p->d.eims_op : p->d.inventory_op;
    if (newest) TRY(plan_read(p, t, newest, &inventory, e));
    *late = inventory && inventory->op.counter > o->counter;
    return OK;
}

static enum eim_err accept_result(struct plan *p, struct tx *t, struct plan_op *o, const struct received *r, int64_t *seq,
                                  struct err *why, struct err *e)
{
    struct euicc_package package;
    struct ops_outcome out;
    TRY(der_decode(&euicc_package_type, o->op.request, &package, p->arena, e));
    ops_judge(&package, r->data, &out);
    if (o->op.result.n) return repeated(p, t, o, r, &package, &out, seq, why, e);

    if (out.odd && !out.rolled_back && o->op.state == OP_SENT && !ops_is_inventory(&package)) {
        *seq = o->op.seq = r->seq;                 /* signed, but of no known meaning: a list must tell */
        o->op.result = r->raw;
        o->op.result_us = p->now;
        return outcome_unknown(p, o, "the eUICC answered a step with a result that has no known meaning", e);
    }
    enum operation_event ev = out.rolled_back ? EV_ROLLBACK : out.ok ? EV_RESULT : EV_ERROR;
    enum operation_state to = o->op.state;
    bool late = false;
    if (!operation_move(&to, ev)) {                /* judged first: a row that is only refused stays as it was read */
        (void)fail(why, E_REPLAY, "SGP.32 2.11.2.1", "a result for an operation that is %s", operation_state_name(o->op.state));
        return refuse(p, r, why);
    }
    if (o->op.state == OP_UNKNOWN) TRY(overtaken(p, t, &o->op, package.der.which == euicc_package_is_eco_list, &late, e));
    o->op.result = r->raw;
    o->op.result_us = p->now;
    o->op.seq = r->seq;
    o->op.code = out.code;
    o->op.reason = reason_of(p, &out);
    if (!plan_move(p, o, ev, "device")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    COUNT(p->m, results_verified);
    *seq = r->seq;
    if (ev == EV_ERROR && o->op.origin != ORIGIN_API) p->d.retry_us = p->now + p->set.auto_interval_us;
    return late ? OK : apply_facts(p, t, &o->op, &package, r, &out, e);
}

/* replayError has two causes. Delivered more than once: an earlier delivery was executed and its result lies on the card. Delivered
 * once: the card's counter is ahead of ours by an amount that it does not tell (spec 3.3), so ours leaps, ever further. */
static enum eim_err replayed(struct plan *p, struct plan_op *o, const struct received *r, struct err *e)
{
    struct euicc_package package;
    TRY(der_decode(&euicc_package_type, o->op.request, &package, p->arena, e));
    bool ahead = o->op.deliveries <= 1, list = ops_is_inventory(&package);
    if (o->op.state == OP_UNKNOWN) return OK;
    if (ahead) {
        int64_t leap = p->d.counter + (p->d.counter > COUNTER_JUMP ? p->d.counter : COUNTER_JUMP);
        p->d.counter = leap < COUNTER_MAX ? leap : COUNTER_MAX;
        p->device_dirty = true;
    } else if (list)
        p->d.retry_us = p->now + p->set.auto_interval_us;
    if (list) p->d.wants |= WANT_INVENTORY;
    if (!list || !ahead) return outcome_unknown(p, o, "replayError: the card may have executed it before", e);
    o->op.result = r->raw;
    o->op.result_us = p->now;
    o->op.reason = SLICE("replayError(4): the card's counter is ahead");
    return plan_move(p, o, EV_ERROR, "device") ? OK : fail(e, E_NOMEM, NULL, "no room for the audit entry");
}

/* The emergency profile is enabled: nothing was executed, and what people ordered stays queued (spec 5.17). */
static enum eim_err defer(struct plan *p, struct plan_op *o, struct err *e)
{
    p->d.hold_us = p->now + p->set.auto_interval_us;
    p->device_dirty = true;
    if (o->op.origin != ORIGIN_API) {
        o->op.reason = SLICE("ecallActive(104)");
        return plan_move(p, o, EV_ERROR, "device") ? OK : fail(e, E_NOMEM, NULL, "no room for the audit entry");
    }
    o->op.reason = SLICE("deferred: ecallActive(104)");
    o->op.package = o->op.txid = (struct slice){ 0 };
    o->op.counter = o->op.deliveries = o->op.first_sent_us = o->op.last_sent_us = 0;
    return plan_move(p, o, EV_DEFER, "device") ? OK : fail(e, E_NOMEM, NULL, "no room for the audit entry");
}

/* A signed error: the card executed nothing, except that replayError may mean "executed before, the result got lost". */
static enum eim_err accept_error(struct plan *p, struct plan_op *o, const struct received *r, struct err *why, struct err *e)
{
    COUNT(p->m, errors_signed);
    if (o->op.state != OP_SENT && o->op.state != OP_UNKNOWN) {
        (void)fail(why, E_REPLAY, "SGP.32 2.11.2.1", "an error for an operation that is %s", operation_state_name(o->op.state));
        return refuse(p, r, why);
    }
    const char *name = der_name(euicc_package_error_names, r->error);
    o->op.code = r->error;
    if (r->error == EUICC_PACKAGE_ERROR_REPLAY_ERROR) return replayed(p, o, r, e);
    if (o->op.origin != ORIGIN_API) p->d.retry_us = p->now + p->set.auto_interval_us;      /* not tried again at once */
    if (r->error == EUICC_PACKAGE_ERROR_ECALL_ACTIVE && o->op.state == OP_SENT) return defer(p, o, e);
    o->op.result = r->raw;
    o->op.result_us = p->now;
    o->op.reason = slice_str(arena_printf(p->arena, "%s(%lld)", name ? name : "error", (long long)r->error));
    if (!plan_move(p, o, EV_ERROR, "device")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    COUNT(p->m, results_verified);
    return OK;
}

static enum eim_err accept_signed(struct plan *p, struct tx *t, const struct received *r, int64_t *seq, struct err *why,
                                  struct err *e)
{
    struct plan_op *o;
    if (p->d.key_class == KEY_NONE) {
        COUNT(p->m, results_unverified);
        (void)fail(why, E_SIGNATURE, "SGP.32 5.14.6", "the device has no key to verify with: kept, not acknowledged");
        plan_hint(p, "unverified_result", r->raw, why->why);
        return OK;
    }
    if (!slice_eq(r->eim_id, p->identity->eim_id)) {
        (void)fail_field(why, E_MISMATCH, "SGP.32 2.11.2.1", "eimId", "a result for another eIM");
        return refuse(p, r, why);
    }
    TRY(find_operation(p, t, r, &o, e));
    if (!o || !o->op.package.n) {
        (void)fail_field(why, E_MISMATCH, "SGP.32 2.11.2.1", "eimTransactionId", "no package with this eimTransactionId or counterValue was sent");
        return refuse(p, r, why);
    }
    if (r->counter != o->op.counter) {
        (void)fail_field(why, E_MISMATCH, "SGP.32 2.11.2.1", "counterValue", "counterValue %lld, expected %lld", (long long)r->counter,
                         (long long)o->op.counter);
        return refuse(p, r, why);
    }
    if (!verify(p, &o->op, r, why)) return refuse(p, r, why);
    return r->data ? accept_result(p, t, o, r, seq, why, e) : accept_error(p, o, r, why, e);
}

/* An unsigned error proves nothing (I11). It may carry the token that the card expects: a candidate. Only a package that changes
 * nothing is given up because of it, so that the next inventory can try that token. A package that tries a candidate is given up
 * at once, in advance of the next ten minutes and without taking another candidate: else whoever planted a false one
 * would have used up the turn in which the true card says so. */
static enum eim_err accept_unsigned(struct plan *p, struct tx *t, const struct euicc_package_error_unsigned *u,
                                    struct slice raw,
                                    struct err *why, struct err *e)
{
    COUNT(p->m, errors_unsigned);
    interop_note(p->m->interop, p->now, &p->d.eid, INTEROP_UNSIGNED, "provideEimPackageResult", raw, 0);
    (void)fail(why, E_SIGNATURE, "SGP.32 2.11.2.1", "an unsigned error: a hint, nothing more");
    plan_hint(p, "unsigned_error", raw, "the eUICC, or somebody else, says that it could not verify a package");
    struct plan_op *o = NULL;
    if (p->d.in_flight) TRY(plan_read(p, t, p->d.in_flight, &o, e));
    bool ours = o && der_has(u, euicc_package_error_unsigned, eim_transaction_id) && slice_eq(u->eim_transaction_id, o->op.txid);
    if (!ours) return OK;
    bool act = eim_may_act(&p->d, &p->set, p->now), tried = o->op.token != (p->d.token == DEVICE_TOKEN_NONE ? 0 : p->d.token);
    if (!act && !tried) return OK;
    if (!act) p->d.auto_us += p->set.auto_interval_us;
    p->device_dirty = true;
    if (act && der_has(u, euicc_package_error_unsigned, association_token) && u->association_token > 0 &&
        u->association_token != o->op.token) {
        p->d.token_candidate = u->association_token;
        p->d.wants |= WANT_INVENTORY;              /* what tries it */
    }
    struct euicc_package package;
    TRY(der_decode(&euicc_package_type, o->op.request, &package, p->arena, e));
    if (!ops_is_inventory(&package)) return OK;
    o->op.reason = SLICE("unsigned error from the device: given up, nothing can have changed");
    if (!plan_move(p, o, EV_TIMEOUT, "eim")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    p->d.wants |= WANT_INVENTORY;
    return OK;
}

enum eim_err result_accept(struct plan *p, struct tx *t, const struct euicc_package_result *r, int64_t *seq,
                           struct err *why, struct err *e)
{
    *seq = -1;
    COUNT(p->m, results);
    if (r->der.which == euicc_package_result_is_euicc_package_error_unsigned)
        return accept_unsigned(p, t, &r->euicc_package_error_unsigned, r->der.raw, why, e);
    struct received in = { .raw = r->der.raw, .seq = -1 };
    if (r->der.which == euicc_package_result_is_euicc_package_result_signed) {
        const struct euicc_package_result_data_signed *d = &r->euicc_package_result_signed.euicc_package_result_data_signed;
        in.data = d;
        in.tbs = d->der.raw;
        in.signature = r->euicc_package_result_signed.euicc_sign_epr;
        in.eim_id = d->eim_id;
        in.counter = d->counter_value;
        in.seq = d->seq_number;
        if (der_has(d, euicc_package_result_data_signed, eim_transaction_id)) in.txid = d->eim_transaction_id;
    } else {
        const struct euicc_package_error_data_signed *d = &r->euicc_package_error_signed.euicc_package_error_data_signed;
        in.tbs = d->der.raw;
        in.signature = r->euicc_package_error_signed.euicc_sign_epe;
        in.eim_id = d->eim_id;
        in.counter = d->counter_value;
        in.error = d->euicc_package_error_code;
        if (der_has(d, euicc_package_error_data_signed, eim_transaction_id)) in.txid = d->eim_transaction_id;
    }
    return accept_signed(p, t, &in, seq, why, e);
}
