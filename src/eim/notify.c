/* notify.c -- notifications: verified, stored, and only then acknowledged (SGP.32 3.7, 5.14.7; spec 2.9, 5.11; I12).
 *
 * A notification whose eUICC signature verifies under the device's key is put into the outbox (forward.c), so the eIM takes
 * responsibility for it and acknowledges it. Any other is kept, 32 a device, and acknowledged to nobody: the card keeps it. So is the result
 * of a direct download, which the IPA itself brings to the SM-DP+ (spec 5.7). The signature of a compact ProfileInstallationResult covers
 * the full form: with the download's session it is made whole, without one it is kept. */
#include "eim/relay.h"

#include "crypto/cert.h"
#include "crypto/verify.h"
#include "eim/compact.h"

/* The parts that matter, whichever arm. */
struct seen {
    const struct notification_metadata *meta;      /* NULL: a compact PIR has none */
    struct slice raw;                              /* the arm's own TLV, whatever stood around it */
    struct slice tbs, signature;
    int64_t seq;
    bool verifiable;
};

static struct seen look(const struct pending_notification *n)
{
    switch (n->der.which) {
    case pending_notification_is_other_signed_notification: {
        const struct other_signed_notification *o = &n->other_signed_notification;
        return (struct seen){ &o->tbs_other_notification, o->der.raw, o->tbs_other_notification.der.raw, o->euicc_notification_signature,
                              o->tbs_other_notification.seq_number, true };
    }
    case pending_notification_is_compact_other_signed_notification: {
        const struct compact_other_signed_notification *o = &n->compact_other_signed_notification;
        return (struct seen){ &o->tbs_other_notification, o->der.raw, o->tbs_other_notification.der.raw, o->euicc_notification_signature,
                              o->tbs_other_notification.seq_number, true };
    }
    case pending_notification_is_profile_installation_result: {
        const struct profile_installation_result_data *d = &n->profile_installation_result.profile_installation_result_data;
        return (struct seen){ &d->notification_metadata, n->profile_installation_result.der.raw, d->der.raw, n->profile_installation_result.euicc_sign_pir,
                              d->notification_metadata.seq_number, true };
    }
    default: {
        const struct compact_profile_installation_result *c = &n->compact_profile_installation_result;
        return (struct seen){ .raw = c->der.raw, .seq = c->compact_profile_installation_result_data.seq_number };
    }
    }
}

/* Was this profile installed by a direct download? Then it was not by a session of ours, and a trigger is out, or was answered with this very
 * transaction. A session of ours ends with it, and so does its order. */
static enum eim_err is_direct(struct plan *p, struct tx *t, const struct pending_notification *n, bool *direct, struct err *e)
{
    enum { BACK = 16 };
    struct operation_list list;
    *direct = false;
    if (n->der.which != pending_notification_is_profile_installation_result) return OK;
    bool ours;
    TRY(relay_installed(p, t, &n->profile_installation_result, &ours, e));
    if (ours) return OK;
    if (p->d.download_op) {
        *direct = true;
        return OK;
    }
    struct slice txid = n->profile_installation_result.profile_installation_result_data.transaction_id;
    TRY(store_operation_list(t, p->d.association, 0, BACK, true, &list, p->arena, e));
    for (size_t i = 0; i < list.n && !*direct; i++) {
        struct profile_download_trigger_result r;
        if (list.v[i].kind != OPK_DOWNLOAD || !list.v[i].result.n ||
            der_decode(&profile_download_trigger_result_type, list.v[i].result, &r, p->arena, &(struct err){ 0 }) != OK)
            continue;
        const struct profile_download_trigger_result_data *d = &r.profile_download_trigger_result_data;
        *direct = d->der.which == profile_download_trigger_result_data_is_profile_installation_result &&
                  slice_eq(d->profile_installation_result.profile_installation_result_data.transaction_id, txid);
    }
    return OK;
}

/* A compact ProfileInstallationResult of the device's session as the full one; any other notification stays what it is. */
static enum eim_err make_whole(struct plan *p, struct tx *t, struct pending_notification *n, struct err *e)
{
    const struct compact_profile_installation_result *c = &n->compact_profile_installation_result;
    struct pending_notification whole = { .der.which = pending_notification_is_profile_installation_result };
    struct relay_session s;
    if (n->der.which != pending_notification_is_compact_profile_installation_result) return OK;
    TRY(store_relay_get(t, p->d.association, &s, p->arena, e));
    if (!s.association || !slice_eq(s.transaction, c->compact_profile_installation_result_data.transaction_id) ||
        !compact_installation(c, &s, &whole.profile_installation_result, p->arena))
        return OK;
    *n = whole;
    return OK;
}

static enum eim_err keep(struct plan *p, struct tx *t, const struct pending_notification *given, const struct public_key *key, struct err *e)
{
    struct pending_notification *n = ARENA_NEW(p->arena, struct pending_notification);
    if (!n) return fail(e, E_NOMEM, NULL, "no room for a notification");
    *n = *given;
    TRY(make_whole(p, t, n, e));
    struct seen s = look(n);
    struct notification row = { .association = p->d.association, .tenant = p->d.tenant, .seq = s.seq, .state = NOTIFICATION_KEPT,
                                .raw = s.raw, .received_us = p->now };
    if (s.meta) {
        row.event = der_bits_mask(&s.meta->profile_management_operation);
        row.address = s.meta->notification_address;
        row.iccid = s.meta->iccid;
    }
    if (key && s.verifiable && verify_signature(key, &s.tbs, 1, s.signature, &(struct err){ 0 }) == OK) row.state = NOTIFICATION_VERIFIED;
    bool direct = false;
    if (row.state == NOTIFICATION_VERIFIED) TRY(is_direct(p, t, n, &direct, e));
    (void)plan_notify(p, &row, row.state == NOTIFICATION_VERIFIED && !direct);     /* more than a plan takes: not stored, so not
                                                                                      acknowledged; the card offers them again */
    return OK;
}

enum eim_err notify_accept(struct plan *p, struct tx *t, const struct pending_notification_list *list, struct err *e)
{
    struct public_key *key;
    enum eim_err rc = OK;
    if (device_key(&p->d, &key, &(struct err){ 0 }) != OK) key = NULL;
    for (size_t i = 0; rc == OK && i < list->n && p->nnotifications < PLAN_NOTIFICATIONS; i++) rc = keep(p, t, &list->v[i], key, e);
    public_key_free(key);
    return rc;
}

/* Whose notification is it? Only two of the four arms say; a ProfileInstallationResult by itself belongs to the session of its transactionId. */
static bool eid_of(const struct pending_notification *n, struct eid *out)
{
    if (n->der.which == pending_notification_is_other_signed_notification)
        return cert_eid(n->other_signed_notification.euicc_certificate, out->b, &(struct err){ 0 }) == OK;
    const struct compact_other_signed_notification *c = &n->compact_other_signed_notification;
    if (n->der.which != pending_notification_is_compact_other_signed_notification ||
        !der_has(c, compact_other_signed_notification, eid_value) || c->eid_value.n != sizeof out->b)
        return false;
    memcpy(out->b, c->eid_value.p, sizeof out->b);
    return true;
}

static enum eim_err notification_known(struct esipa_work *w, struct tx *t, const struct identity *id, const struct device *d,
                                       const struct pending_notification *n)
{
    struct exchange *x = w->x;
    struct pending_notification one = *n;
    w->plan = ARENA_NEW(x->arena, struct plan);
    if (!w->plan) return fail(&x->err, E_NOMEM, NULL, "no room for a plan");
    plan_begin(w->plan, w->m, id, d, x->arena);
    contacts_note(w->m->contacts, d->association, w->plan->now);
    TRY(notify_accept(w->plan, t, &(struct pending_notification_list){ .v = &one, .n = 1 }, &x->err));
    return w->plan->nops ? plan_queue(w->plan, t, &x->err) : OK;
}

static enum eim_err find_device(struct esipa_work *w, struct tx *t, const struct identity *id, const struct pending_notification *n, struct device *d)
{
    struct exchange *x = w->x;
    struct relay_session s;
    if (x->has_eid) return store_device_get(t, model_association(id->association_key, &x->eid), d, x->arena, &x->err);
    struct slice txid;
    if (n->der.which == pending_notification_is_profile_installation_result)
        txid = n->profile_installation_result.profile_installation_result_data.transaction_id;
    else if (n->der.which == pending_notification_is_compact_profile_installation_result)
        txid = n->compact_profile_installation_result.compact_profile_installation_result_data.transaction_id;
    else return OK;
    TRY(store_relay_find(t, id->tenant, txid, &s, x->arena, &x->err));
    if (!s.association) return OK;
    TRY(store_device_get(t, s.association, d, x->arena, &x->err));
    if (d->association) x->eid = d->eid;
    x->has_eid = d->association != 0;
    return OK;
}

/* HandleNotification has no answer, good or bad: 204 (spec 2.11, 6.41), once what can be kept is durable. */
void notification_handle(struct esipa_work *w, const struct pending_notification *n)
{
    struct exchange *x = w->x;
    const struct identity *id = eim_identity(w->m, x->host);
    struct tx *t;
    struct device d = { 0 };
    x->has_eid = eid_of(n, &x->eid);
    enum eim_err rc = store_read_begin(w->m->host->store, &t, &x->err);
    if (rc != OK) {
        work_fail(w, rc);
        return;
    }
    rc = find_device(w, t, id, n, &d);
    bool there = rc == OK && d.association && !memcmp(d.eid.b, x->eid.b, sizeof d.eid.b);
    if (there) rc = notification_known(w, t, id, &d, n);
    store_read_end(t);
    if (rc != OK) {
        work_fail(w, rc);
        return;
    }
    if (there) {
        work_commit(w);
        return;
    }
    if (!x->has_eid) {
        COUNT(w->m, notifications_kept);
        (void)fail_field(&x->err, E_INVALID, "SGP.32 5.14.7", "pendingNotification", "nothing tells whose notification it is: dropped");
    } else (void)fail_field(&x->err, E_NOT_FOUND, "SGP.32 5.14.7", "pendingNotification", "this EID is not enrolled");
    work_answer(w, (struct slice){ 0 });
}
