/* sweep.c -- the janitor's turn: what must happen although no device calls.
 *
 * A device row carries the earliest time at which something of it is due (an expiry, a timeout). No index stands behind it, because an
 * index would cost two random writes in every round trip; instead the sweep reads on through the table, some thousand rows a second, so that
 * a million devices are looked at every few minutes. What is due is then judged on the locked row. */
#include "eim/esipa_int.h"
#include "eim/quirks.h"

enum { DUE_BATCH = 64 };

struct sweep_job {
    struct store_job job;
    struct eim *m;
    int64_t association;
    struct arena *a;
    struct plan *plan;
};

static void sooner(struct device *d, int64_t us)
{
    if (us && (!d->timer_us || us < d->timer_us)) d->timer_us = us;
}

/* Expire what is pending, time out what is in flight, and set the next timer. */
static enum eim_err judge(struct plan *p, struct tx *t, struct err *e)
{
    int64_t id = p->d.next_op;
    p->d.timer_us = 0;
    p->device_dirty = true;
    for (int looked = 0; id && looked < OPERATION_QUEUE_MAX; looked++) {
        struct plan_op *o;
        TRY(plan_read(p, t, id, &o, e));
        if (o && o->op.state == OP_PENDING && o->op.expires_us && o->op.expires_us <= p->now) {
            o->op.reason = SLICE("expired before the device fetched it");
            if (!plan_move(p, o, EV_EXPIRE, "eim")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
        } else if (o && o->op.state == OP_PENDING)
            sooner(&p->d, o->op.expires_us);
        TRY(store_operation_next(t, p->d.association, OP_PENDING, id, &id, e));
    }
    if (p->d.in_flight) {
        struct plan_op *o;
        TRY(plan_read(p, t, p->d.in_flight, &o, e));
        int64_t timeout = p->set.outcome_timeout_us > 2 * p->set.contact_interval_us ? p->set.outcome_timeout_us : 2 * p->set.contact_interval_us;
        if (o && o->op.first_sent_us + timeout <= p->now) TRY(outcome_unknown(p, o, "no result in time", e));
        else if (o) sooner(&p->d, o->op.first_sent_us + timeout);
    }
    if (p->d.download_op) {
        struct plan_op *o;
        TRY(plan_read(p, t, p->d.download_op, &o, e));
        if (o && (download_given_up(p, &o->op) || o->op.first_sent_us + p->set.outcome_timeout_us <= p->now))
            TRY(download_give_up(p, o, e));
        else if (o)
            sooner(&p->d, o->op.first_sent_us + p->set.outcome_timeout_us);
    }
    return plan_queue(p, t, e);
}

static enum eim_err sweep_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct sweep_job *j = (struct sweep_job *)job;
    struct device d;
    arena_reset(j->a);
    j->plan = ARENA_NEW(j->a, struct plan);
    if (!j->plan) return fail(e, E_NOMEM, NULL, "no room for a plan");
    TRY(store_device_lock(t, j->association, &d, j->a, e));
    const struct identity *id = d.association ? eim_identity_of(j->m, d.tenant) : NULL;
    plan_begin(j->plan, j->m, id, &d, j->a);
    if (!id || !d.timer_us || d.timer_us > j->plan->now) return OK;
    TRY(judge(j->plan, t, e));
    if (j->plan->unknown) TRY(store_injection_wake(t, j->association, j->plan->now, e));       /* what finds the outcome out is wanted now */
    return plan_apply(j->plan, t, e);
}

static enum eim_err sweep_one(struct eim *m, int64_t association, struct arena *a, struct err *e)
{
    struct sweep_job j = { .job = { .apply = sweep_apply }, .m = m, .association = association, .a = a };
    TRY(store_run(m->host->store, &j.job, e));
    plan_count(j.plan);
    return OK;
}

static enum eim_err due(struct eim *m, unsigned rows, struct association_list *list, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_device_due(t, m->sweep_after, eim_now(m), rows, DUE_BATCH, list, &m->sweep_after, a, e);
    store_read_end(t);
    return rc;
}

struct expire_job { struct store_job job; int64_t now_us; };

static enum eim_err expire_apply(struct tx *t, struct store_job *job, struct err *e)
{
    return store_relay_expire(t, ((struct expire_job *)job)->now_us, e);
}

/* Sessions of downloads that went no further. */
static enum eim_err expire_sessions(struct eim *m, struct err *e)
{
    struct tx *t;
    bool any;
    int64_t now = eim_now(m);
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_relay_any_expired(t, now, &any, e);
    store_read_end(t);
    if (rc != OK || !any) return rc;
    struct expire_job j = { .job.apply = expire_apply, .now_us = now };
    return store_run(m->host->store, &j.job, e);
}

enum eim_err eim_sweep(struct eim *m, unsigned rows, struct err *e)
{
    struct arena a, work;
    struct association_list list = { 0 };
    struct eim_settings set = eim_settings_now(m);
    enum eim_err rc = OK;
    if (eim_now(m) - m->flushed_us >= set.contact_flush_us || contacts_crowded(m->contacts)) {
        rc = contacts_flush(m->contacts, m->host->store, e);
        if (rc == OK) m->flushed_us = eim_now(m);
    }
    if (rc == OK) rc = quirks_refresh(m, false, e);
    arena_init(&a, 64 << 10);
    arena_init(&work, 4 << 20);
    if (rc == OK) rc = expire_sessions(m, e);
    if (rc == OK) rc = due(m, rows, &list, &a, e);
    for (size_t i = 0; rc == OK && i < list.n; i++) rc = sweep_one(m, list.v[i], &work, e);
    arena_free(&a);
    arena_free(&work);
    return rc;
}

enum eim_err eim_flush(struct eim *m, struct err *e)
{
    return contacts_flush(m->contacts, m->host->store, e);
}
