/* settle.c -- what became of an operation whose result never came (I2; spec 5.1).
 *
 * A list of profiles (or of eIMs) signed by the eUICC, under a counter higher than that of the lost package, shows the state after it, and
 * makes the lost package worthless to the card. So each step that leaves a trace in such a list can be judged; an operation all
 * of whose visible steps left theirs is done, else it was not executed. Steps that leave no trace (setDefaultDpAddress,
 * configureImmediateEnable, updateEim) stay unknown, and say so. Not executed because the counter was too low (replayError): ordered again once. */
#include "eim/esipa_int.h"

#include "eim/ops.h"

enum trace { TRACE_NONE, TRACE_YES, TRACE_NO };

static const struct profile *find_profile(const struct plan *p, struct slice iccid)
{
    for (size_t i = 0; i < p->nprofiles; i++)
        if (slice_eq(p->profiles[i].iccid, iccid)) return &p->profiles[i];
    return NULL;
}

static enum trace yes(bool executed)
{
    return executed ? TRACE_YES : TRACE_NO;
}

static enum trace psmo_trace(const struct plan *p, const struct psmo *s)
{
    const struct profile *f;
    switch (s->der.which) {
    case psmo_is_enable: return yes(slice_eq(p->d.enabled, s->enable.iccid));
    case psmo_is_disable: return yes(!slice_eq(p->d.enabled, s->disable.iccid));
    case psmo_is_delete: return yes(!find_profile(p, s->delete.iccid));
    case psmo_is_set_fallback_attribute:
        f = find_profile(p, s->set_fallback_attribute.iccid);
        return yes(f && f->fallback);
    case psmo_is_unset_fallback_attribute:
        for (size_t i = 0; i < p->nprofiles; i++)
            if (p->profiles[i].fallback) return TRACE_NO;
        return TRACE_YES;
    default: return TRACE_NONE;
    }
}

static enum trace eco_trace(const struct list_eim_result *list, const struct eco *c)
{
    struct slice id = c->der.which == eco_is_add_eim ? c->add_eim.eim_id
                    : c->der.which == eco_is_delete_eim ? c->delete_eim.eim_id : (struct slice){ 0 };
    if (!id.n) return TRACE_NONE;
    bool there = false;
    for (size_t i = 0; i < list->eim_id_list.n; i++) there |= slice_eq(list->eim_id_list.v[i].eim_id, id);
    return yes(there == (c->der.which == eco_is_add_eim));
}

/* Order it once more; a repetition is never repeated. */
static enum eim_err repeat(struct plan *p, const struct operation *o, struct err *e)
{
    if (o->code != EUICC_PACKAGE_ERROR_REPLAY_ERROR || o->settles) return OK;
    struct operation again = {
        .association = o->association, .id = env_id(p->m->host->env), .tenant = o->tenant, .state = OP_PENDING, .origin = o->origin,
        .overrides = o->overrides, .request = o->request, .principal = o->principal, .created_us = p->now, .expires_us = o->expires_us,
        .seq = -1, .code = -1, .settles = o->id,
    };
    if (!plan_insert(p, &again)) return fail(e, E_LIMIT, NULL, "more than %d operations touched at once", PLAN_OPS);
    struct audit_entry en = { .tenant = o->tenant, .principal = SLICE("eim"), .action = "operation.repeated", .eid = &p->d.eid,
                              .operation = again.id, .state = "pending", .detail = SLICE("an inventory shows that the first was not executed") };
    return plan_audit(p, &en, e);
}

static enum eim_err settle_one(struct plan *p, struct plan_op *o, const struct list_eim_result *eims, struct err *e)
{
    struct euicc_package package;
    TRY(der_decode(&euicc_package_type, o->op.request, &package, p->arena, e));
    size_t executed = 0, missing = 0;
    bool psmos = package.der.which == euicc_package_is_psmo_list;
    size_t n = psmos ? package.psmo_list.n : package.eco_list.n;
    if (psmos == !!eims && !ops_is_inventory(&package)) return OK;         /* the wrong kind of list to judge it by */
    for (size_t i = 0; i < n; i++) {
        enum trace was = psmos ? psmo_trace(p, &package.psmo_list.v[i]) : eims ? eco_trace(eims, &package.eco_list.v[i]) : TRACE_NONE;
        executed += was == TRACE_YES;
        missing += was == TRACE_NO;
    }
    enum operation_event ev = EV_SETTLED_NOT;
    if (ops_is_inventory(&package)) o->op.reason = SLICE("its result never came; a later list took its place");
    else if (missing) o->op.reason = executed ? SLICE("partly executed, as a later list shows") : SLICE("not executed, as a later list shows");
    else if (executed) {
        o->op.reason = SLICE("executed, as a later list shows; its own result never came");
        ev = EV_SETTLED_DONE;
    } else {
        o->op.reason = SLICE("its result never came, and no list can tell whether it was executed");
        o->dirty = true;
        return OK;
    }
    if (!plan_move(p, o, ev, "eim")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    return ev == EV_SETTLED_NOT && !executed ? repeat(p, &o->op, e) : OK;
}

static enum eim_err settle(struct plan *p, struct tx *t, const struct operation *list, const struct list_eim_result *eims,
                           struct err *e)
{
    int64_t id = p->d.unsettled, counter = list->counter;
    for (int looked = 0; id && looked < OPERATION_QUEUE_MAX; looked++) {
        struct plan_op *o;
        TRY(plan_read(p, t, id, &o, e));
        if (o && o->op.state == OP_UNKNOWN && o->op.counter < counter) TRY(settle_one(p, o, eims, e));
        TRY(store_operation_next(t, p->d.association, OP_UNKNOWN, id, &id, e));
    }
    p->d.wants &= ~(int64_t)WANT_SETTLE;
    return OK;
}

enum eim_err settle_by_profiles(struct plan *p, struct tx *t, const struct operation *inventory, struct err *e)
{
    return p->d.unsettled ? settle(p, t, inventory, NULL, e) : OK;
}

enum eim_err settle_by_eims(struct plan *p, struct tx *t, const struct operation *list,
                            const struct euicc_package_result_data_signed *r,
                            struct err *e)
{
    for (size_t i = 0; i < r->euicc_result.n; i++) {
        const struct euicc_result_data *d = &r->euicc_result.v[i];
        if (d->der.which == euicc_result_data_is_list_eim_result && d->list_eim_result.der.which == list_eim_result_is_eim_id_list)
            return settle(p, t, list, &d->list_eim_result, e);
    }
    return OK;
}
