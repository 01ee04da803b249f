/* plan.c -- gathering and writing what one decision changes about one device. */
#include "eim/plan.h"

#include "crypto/digest.h"
#include "eim/listed.h"
#include "eim/pool.h"

#include <stdio.h>

void plan_begin(struct plan *p, struct eim *m, const struct identity *id, const struct device *d, struct arena *a)
{
    *p = (struct plan){ .m = m, .arena = a, .identity = id, .now = eim_now(m), .set = eim_settings_now(m) };
    if (d) p->d = p->was = *d;
}

struct plan_op *plan_hold(struct plan *p, const struct operation *o)
{
    for (size_t i = 0; i < p->nops; i++)
        if (p->ops[i]->op.id == o->id) return p->ops[i];
    struct plan_op *po = p->nops < PLAN_OPS ? ARENA_NEW(p->arena, struct plan_op) : NULL;
    if (!po) return NULL;
    *po = (struct plan_op){ .op = *o, .from = o->state };
    p->ops[p->nops++] = po;
    return po;
}

struct plan_op *plan_insert(struct plan *p, const struct operation *o)
{
    struct plan_op *po = plan_hold(p, o);
    if (!po) return NULL;
    po->insert = po->dirty = true;
    if (o->state == OP_SENT) p->d.in_flight = o->id;
    if (o->state == OP_PENDING && (!p->d.next_op || o->id < p->d.next_op)) p->d.next_op = o->id;
    p->device_dirty = true;                        /* always: the version tells everybody that the queue changed */
    return po;
}

enum eim_err plan_read(struct plan *p, struct tx *t, int64_t id, struct plan_op **out, struct err *e)
{
    *out = NULL;
    for (size_t i = 0; i < p->nops; i++)
        if (p->ops[i]->op.id == id) {
            *out = p->ops[i];
            return OK;
        }
    struct operation o;
    TRY(store_operation_get(t, p->d.association, id, &o, p->arena, e));
    if (!o.id) return OK;
    if (!(*out = plan_hold(p, &o))) return fail(e, E_LIMIT, NULL, "more than %d operations touched at once", PLAN_OPS);
    return OK;
}

static void count_move(struct plan *p, enum operation_state from, enum operation_state to)
{
    if (from == OP_UNKNOWN) p->settled++;
    if (to == OP_DONE) p->done++;
    if (to == OP_FAILED) p->failed++;
    if (to == OP_EXPIRED) p->expired++;
    if (to == OP_UNKNOWN) p->unknown++;
    if (to == OP_ROLLED_BACK) p->rolled_back++;
}

bool plan_move(struct plan *p, struct plan_op *o, enum operation_event ev, const char *principal)
{
    enum operation_state before = o->op.state;
    int64_t *sent = o->op.kind == OPK_DOWNLOAD ? &p->d.download_op : &p->d.in_flight;
    if (ev == EV_FETCH && *sent) return false;                     /* one package in flight: counters must not run ahead of answers */
    if (!operation_move(&o->op.state, ev)) return false;
    o->dirty = true;
    p->device_dirty = true;
    if (o->op.state == OP_SENT) *sent = o->op.id;
    else if (*sent == o->op.id) *sent = 0;
    if (o->op.state == OP_PENDING && (!p->d.next_op || o->op.id < p->d.next_op)) p->d.next_op = o->op.id;
    if (o->op.state == OP_UNKNOWN && (!p->d.unsettled || o->op.id < p->d.unsettled)) p->d.unsettled = o->op.id;
    count_move(p, before, o->op.state);

    char action[48];
    snprintf(action, sizeof action, "operation.%s", operation_state_name(o->op.state));
    struct slice bytes = o->op.state == OP_SENT ? o->op.package : o->op.result;
    uint8_t *digest = bytes.n ? arena_alloc(p->arena, 32) : NULL;
    if (digest && digest_sha256(bytes, digest, &(struct err){ 0 }) != OK) digest = NULL;
    char *kept = arena_str(p->arena, slice_str(action));
    struct audit_entry en = {
        .tenant = p->d.tenant, .principal = slice_str(principal), .action = kept, .eid = &p->d.eid,
        .operation = o->op.id, .counter = o->op.counter, .state = operation_state_name(o->op.state),
        .digest = { digest, digest ? 32 : 0 }, .detail = o->op.reason, .parts = operation_parts(p->arena, &o->op), .nparts = OPERATION_PARTS,
    };
    if (!kept || !en.parts || (bytes.n && !digest) || plan_audit(p, &en, &(struct err){ 0 }) != OK) {
        o->op.state = before;                      /* nothing may happen unrecorded */
        return false;
    }
    return true;
}

/* The oldest operation in `state`, by the store corrected with what this plan moved; `from` is the head as read. */
static enum eim_err head_of(struct plan *p, struct tx *t, enum operation_state state, int64_t head, int64_t *out,
                            struct err *e)
{
    int64_t best = 0, id = head;
    while (id) {
        const struct plan_op *held = NULL;
        for (size_t i = 0; i < p->nops; i++)
            if (p->ops[i]->op.id == id) held = p->ops[i];
        if (!held || held->op.state == state) {
            best = id;
            break;
        }
        TRY(store_operation_next(t, p->d.association, state, id, &id, e));
    }
    for (size_t i = 0; i < p->nops; i++)
        if (p->ops[i]->op.state == state && (!best || p->ops[i]->op.id < best)) best = p->ops[i]->op.id;
    *out = best;
    return OK;
}

enum eim_err plan_queue(struct plan *p, struct tx *t, struct err *e)
{
    TRY(head_of(p, t, OP_PENDING, p->d.next_op, &p->d.next_op, e));
    TRY(head_of(p, t, OP_UNKNOWN, p->d.unsettled, &p->d.unsettled, e));
    if (!p->d.unsettled) p->d.wants &= ~(int64_t)WANT_SETTLE;
    return OK;
}

enum eim_err plan_audit(struct plan *p, const struct audit_entry *en, struct err *e)
{
    if (p->naudits == p->audits_room) {
        size_t room = p->audits_room ? p->audits_room * 2 : 4;
        struct audit_entry *more = ARENA_ARRAY(p->arena, struct audit_entry, room);
        if (!more) return fail(e, E_NOMEM, NULL, "no room for an audit entry");
        if (p->naudits) memcpy(more, p->audits, p->naudits * sizeof *more);
        p->audits = more;
        p->audits_room = room;
    }
    p->audits[p->naudits++] = *en;
    return OK;
}

/* Is there room for one more hint this second? Threads that race over a new second may let a few more through. */
static bool hint_slot(struct eim *m, int64_t now)
{
    int64_t second = now / 1000000;
    if (__atomic_exchange_n(&m->hint_second, second, __ATOMIC_RELAXED) != second) __atomic_store_n(&m->hints_used, 0, __ATOMIC_RELAXED);
    return __atomic_add_fetch(&m->hints_used, 1, __ATOMIC_RELAXED) <= HINTS_A_SECOND;
}

void plan_hint(struct plan *p, const char *kind, struct slice raw, const char *why)
{
    if (p->nhints == PLAN_HINTS || !hint_slot(p->m, p->now)) return;
    enum { HINT_BYTES = 16384 };
    p->hints[p->nhints++] = (struct hint){
        .association = p->d.association, .tenant = p->d.tenant, .id = env_id(p->m->host->env), .received_us = p->now,
        .kind = slice_str(kind), .why = arena_copy(p->arena, slice_str(why)),
        .raw = { raw.p, raw.n < HINT_BYTES ? raw.n : HINT_BYTES },
    };
}

bool plan_notify(struct plan *p, const struct notification *n, bool forward)
{
    if (!p->notifications) p->notifications = ARENA_ARRAY(p->arena, struct plan_notification, PLAN_NOTIFICATIONS);
    if (!p->notifications || p->nnotifications == PLAN_NOTIFICATIONS) return false;
    p->notifications[p->nnotifications++] = (struct plan_notification){ .n = *n, .forward = forward };
    return true;
}

bool plan_is_empty(const struct plan *p)
{
    bool ops = false;
    for (size_t i = 0; i < p->nops; i++) ops |= p->ops[i]->dirty;
    return !ops && !p->device_dirty && !p->has_profiles && !p->has_eims && !p->ndeletes && !p->has_data && !p->rat.as_of_us && !p->nnotifications &&
           !p->nhints && !p->naudits && !p->relay.association && !p->relay_end.n;
}

/* One that cannot be stored is not acknowledged, and the card offers it again; it fails nothing else. */
static enum eim_err apply_notification(struct plan *p, struct tx *t, struct plan_notification *pn, struct err *e)
{
    const struct notification *n = &pn->n;
    struct err refused = { 0 };
    bool fresh = false;
    enum eim_err rc = store_notification_put_new(t, n, &fresh, &refused);
    pn->stored = rc == OK;
    pn->fresh = rc == OK && fresh;
    if (rc != OK && rc != E_CONFLICT && rc != E_LIMIT) {
        *e = refused;
        return rc;
    }
    if (rc != OK || !pn->forward || !fresh) return OK;             /* once taken over it is never taken over again */
    struct outbox o = { .association = n->association, .seq = n->seq, .id = env_id(p->m->host->env), .tenant = n->tenant, .state = OUT_WAITING,
                        .event = n->event, .received_us = n->received_us, .since_us = n->received_us, .due_us = n->received_us,
                        .address = n->address, .iccid = n->iccid };
    if (!address_ok(n->address)) {                 /* nobody to bring it to, now or ever: it is shown, and the card need not keep it */
        o.state = OUT_FAILED;
        o.due_us = INT64_MAX;
        o.done_us = n->received_us;
        o.why = SLICE("what stands for its address is no address");
    }
    return store_outbox_add(t, &o, e);
}

static enum eim_err apply_facts(struct plan *p, struct tx *t, struct err *e)
{
    if (p->has_profiles)
        TRY(store_profile_replace(t, p->d.association, p->d.tenant, p->profiles, p->nprofiles, e));
    if (p->has_eims) TRY(store_card_eim_replace(t, p->d.association, p->d.tenant, p->eims, p->neims, e));
    for (size_t i = 0; i < p->ndeletes; i++) TRY(store_profile_delete(t, p->d.association, p->deletes[i], e));
    if (p->rat.as_of_us) TRY(store_rat_put(t, &p->rat, e));
    if (p->has_data) TRY(store_data_put(t, p->d.association, p->d.tenant, &p->data, e));
    for (size_t i = 0; i < p->nnotifications; i++) TRY(apply_notification(p, t, &p->notifications[i], e));
    if (p->relay.association) TRY(p->relay.step == RELAY_INITIATED ? store_relay_put(t, &p->relay, e) : store_relay_step(t, &p->relay, e));
    if (p->relay_end.n) TRY(store_relay_delete(t, p->d.association, p->relay_end, e));
    for (size_t i = 0; i < p->nhints; i++) TRY(store_hint_put(t, &p->hints[i], e));
    return OK;
}

enum eim_err plan_apply(struct plan *p, struct tx *t, struct err *e)
{
    if (p->device_insert) TRY(store_device_insert(t, &p->d, e));
    else if (p->device_dirty) TRY(store_device_update(t, &p->d, e));
    for (size_t i = 0; i < p->nops; i++) {
        struct plan_op *o = p->ops[i];
        if (o->insert) TRY(store_operation_insert(t, &o->op, e));
        else if (o->dirty) TRY(store_operation_update(t, &o->op, o->from, e));
        if (o->dirty && o->op.kind == OPK_DOWNLOAD && o->op.state != o->from) TRY(pool_follow(t, p->m, &o->op, p->arena, e));
    }
    TRY(apply_facts(p, t, e));
    return plan_tell(p, t, e);
}

static void add(int64_t *counter, size_t n)
{
    if (n) __atomic_add_fetch(counter, (int64_t)n, __ATOMIC_RELAXED);
}

void plan_count(const struct plan *p)
{
    struct eim_counters *c = &p->m->counters;
    add(&c->operations_done, p->done);
    add(&c->operations_failed, p->failed);
    add(&c->operations_expired, p->expired);
    add(&c->outcomes_unknown, p->unknown);
    add(&c->outcomes_settled, p->settled);
    add(&c->rollbacks, p->rolled_back);
    for (size_t i = 0; i < p->nnotifications; i++)
        add(p->notifications[i].n.state == NOTIFICATION_VERIFIED ? &c->notifications : &c->notifications_kept, 1);
}
