/* orders_notified.c -- what SM-DP+ say of the downloads of profile orders (SGP.22 5.3.5, ES2+.HandleDownloadProgressInfo).
 *
 * Told by the operator's server, so it decides nothing: it stands beside the order, for people, and in the audit log. Who tells is known by the
 * client certificate that its account names, octet for octet; an order is only ever touched by the account that it was given to. */
#include "eim/manage.h"

#include "base/env.h"
#include "crypto/cert.h"
#include "eim/esipa_int.h"

enum { PEERS_MAX = 1000 };

struct told {
    struct store_job job;              /* first member */
    struct eim *m;
    const struct download_progress *w;
    int64_t tenant, account;
    struct arena *a;
};

static struct slice status_text(const struct download_progress *w, struct arena *a)
{
    if (w->success) return SLICE("success");
    char *text = arena_printf(a, "failed: subject %.*s, reason %.*s", (int)w->subject.n, w->subject.n ? (const char *)w->subject.p : "",
                              (int)w->reason.n, w->reason.n ? (const char *)w->reason.p : "");
    return text ? slice_str(text) : (struct slice){ 0 };
}

static bool is_elsewhere(const struct profile_order *o, struct slice eid)
{
    struct eid named;
    return eid.n && (!eid_parse(eid, false, &named) || !slice_eq(o->eid, slice_of(named.b, sizeof named.b)));
}

static enum eim_err told_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct told *c = (struct told *)job;
    const struct download_progress *w = c->w;
    struct profile_order o;
    struct eid eid;
    TRY(store_porder_by_iccid(t, c->tenant, c->account, w->iccid, &o, c->a, e));
    if (!o.id || o.eid.n != sizeof eid.b) return OK;
    struct slice status = status_text(w, c->a);
    bool elsewhere = is_elsewhere(&o, w->eid);
    if (!status.p) return fail(e, E_NOMEM, NULL, "no room for a notification");
    if (o.notified_n >= PROFILE_ORDER_NOTES) return OK;
    if (o.notified_n && o.notified_point == w->point && o.elsewhere == elsewhere && slice_eq(o.notified, status)) return OK;     /* said before */
    memcpy(eid.b, o.eid.p, sizeof eid.b);
    o.notified_n++;
    o.notified_us = eim_now(c->m);
    o.notified_point = w->point;
    o.notified = status;
    o.elsewhere = elsewhere;
    struct slice name = porder_name(&o, c->a);
    char *detail = arena_printf(c->a, "%.*s: point %lld, %.*s%s", (int)name.n, name.n ? (const char *)name.p : "", (long long)w->point, (int)status.n,
                                (const char *)status.p, elsewhere ? ", of another eUICC than the order's" : "");
    if (!name.n || !detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    const struct event_part parts[] = { { "profile_order", name }, { "operator", o.operator_name }, { "iccid", o.iccid },
                                        { "status", status }, { "elsewhere", elsewhere ? SLICE("yes") : SLICE("no") } };
    struct audit_entry en = { .tenant = o.tenant, .principal = SLICE("smdp"), .action = "profile_order.notified", .eid = &eid, .operation = o.operation,
                              .state = profile_order_state_name(o.state), .detail = slice_str(detail), .parts = parts,
                              .nparts = sizeof parts / sizeof parts[0] };
    TRY(audit_add(t, c->m->host->env, &en, e));
    return store_porder_update(t, &o, e);
}

enum eim_err manage_porder_notified(struct eim *m, struct slice cert, const struct download_progress *w, bool *known, struct arena *a, struct err *e)
{
    enum { AGAIN = 3 };
    struct smdp_list peers;
    struct tx *t;
    *known = false;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_smdp_peers(t, PEERS_MAX, &peers, a, e);
    store_read_end(t);
    for (size_t i = 0; rc == OK && i < peers.n; i++) {
        const struct smdp_account *s = &peers.v[i];
        struct told c = { .job.apply = told_apply, .m = m, .w = w, .tenant = s->tenant, .account = s->id, .a = a };
        if (!s->enabled || !cert_pem_has(s->es2_peer, cert)) continue;
        *known = true;
        for (int tries = 0; (rc = store_run(m->host->store, &c.job, e)) == E_STALE && tries < AGAIN; tries++) *e = (struct err){ 0 };
    }
    return rc;
}
