/* manage_outbox.c -- what people do with notifications on their way: look, order another try, give up. */
#include "eim/manage.h"

#include "eim/esipa_int.h"
#include "eim/listed.h"

enum eim_err manage_notifications(struct eim *m, const struct principal *p, enum outbox_state state, int64_t before, unsigned limit,
                                  struct outbox_list *out, struct eid **eids, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_outbox_list(t, p->tenant, state, before, limit, out, a, e);
    *eids = rc == OK ? ARENA_ARRAY(a, struct eid, out->n) : NULL;
    if (rc == OK && !*eids) rc = fail(e, E_NOMEM, NULL, "no room for a page");
    for (size_t i = 0; rc == OK && i < out->n; i++) {
        struct device d;
        rc = store_device_get(t, out->v[i].association, &d, a, e);
        if (rc == OK) (*eids)[i] = d.eid;
    }
    store_read_end(t);
    return rc;
}

static enum eim_err find(struct tx *t, const struct principal *p, int64_t id, struct outbox *out, struct eid *eid, struct arena *a, struct err *e)
{
    struct device d;
    TRY(store_outbox_find(t, p->tenant, id, out, a, e));
    if (!out->id) return fail_field(e, E_NOT_FOUND, NULL, "id", "no such notification");
    TRY(store_device_get(t, out->association, &d, a, e));
    *eid = d.eid;
    return OK;
}

enum eim_err manage_notification(struct eim *m, const struct principal *p, int64_t id, struct outbox *out, struct eid *eid, struct arena *a,
                                 struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = find(t, p, id, out, eid, a, e);
    store_read_end(t);
    return rc;
}

struct change {
    struct store_job job;
    struct eim *m;
    const struct principal *p;
    int64_t id;
    bool retry;
    struct outbox *out;
    struct eid *eid;
    struct arena *a;
};

static enum eim_err change_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct outbox *o = c->out;
    int64_t now = eim_now(c->m);
    TRY(find(t, c->p, c->id, o, c->eid, c->a, e));
    bool can = c->retry ? o->state == OUT_WAITING || outbox_move(&o->state, OUT_EV_RELEASE) : outbox_move(&o->state, OUT_EV_DROP);
    if (c->retry && !address_ok(o->address)) return fail(e, E_STATE, NULL, "what stands for its address is no address");
    if (!can) return fail(e, E_STATE, NULL, "the notification is %s: it can't be %s", outbox_state_name(o->state), c->retry ? "sent again" : "dropped");
    o->due_us = c->retry ? now : INT64_MAX;
    o->done_us = c->retry ? 0 : now;
    if (c->retry) {
        o->since_us = now;
        o->tries = 0;
    }
    TRY(store_outbox_update(t, o, e));
    char *detail = arena_printf(c->a, "seq %lld", (long long)o->seq);
    if (!detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct audit_entry en = { .tenant = o->tenant, .principal = c->p->name, .action = c->retry ? "notification.retried" : "notification.dropped",
                              .eid = c->eid, .state = outbox_state_name(o->state), .detail = slice_str(detail) };
    return audit_add(t, c->m->host->env, &en, e);
}

enum eim_err manage_notification_change(struct eim *m, const struct principal *p, int64_t id, bool retry, struct outbox *out, struct eid *eid,
                                        struct arena *a, struct err *e)
{
    struct change c = { .job.apply = change_apply, .m = m, .p = p, .id = id, .retry = retry, .out = out, .eid = eid, .a = a };
    for (int tries = 0;; tries++) {                /* an attempt may be under way: then once more with what it left */
        enum eim_err rc = store_run(m->host->store, &c.job, e);
        if (rc != E_STALE || tries == 3) return rc;
        *e = (struct err){ 0 };
        c.job.err = (struct err){ 0 };
    }
}
