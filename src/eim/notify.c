/* notify.c -- notifications: verified, stored, and only then acknowledged (SGP.32 3.7, 5.14.7; spec 2.9, 5.11; I12).
 *
 * A notification whose eUICC signature verifies under the device's key will be forwarded to its notification address, so the eIM takes
 * responsibility for it. Any other is kept, 32 a device, and acknowledged to nobody: the card keeps it. The signature of a compact
 * ProfileInstallationResult covers the full form, which only the download session knows: until there are sessions, it is kept. */
#include "eim/esipa_int.h"

#include "crypto/cert.h"
#include "crypto/verify.h"

/* The parts that matter, whichever arm. */
struct seen {
    const struct notification_metadata *meta;      /* NULL: a compact PIR has none */
    struct slice tbs, signature;
    int64_t seq;
    bool verifiable;
};

static struct seen look(const struct pending_notification *n)
{
    switch (n->der.which) {
    case pending_notification_is_other_signed_notification: {
        const struct other_signed_notification *o = &n->other_signed_notification;
        return (struct seen){ &o->tbs_other_notification, o->tbs_other_notification.der.raw, o->euicc_notification_signature,
                              o->tbs_other_notification.seq_number, true };
    }
    case pending_notification_is_compact_other_signed_notification: {
        const struct compact_other_signed_notification *o = &n->compact_other_signed_notification;
        return (struct seen){ &o->tbs_other_notification, o->tbs_other_notification.der.raw, o->euicc_notification_signature,
                              o->tbs_other_notification.seq_number, true };
    }
    case pending_notification_is_profile_installation_result: {
        const struct profile_installation_result_data *d = &n->profile_installation_result.profile_installation_result_data;
        return (struct seen){ &d->notification_metadata, d->der.raw, n->profile_installation_result.euicc_sign_pir,
                              d->notification_metadata.seq_number, true };
    }
    default: {
        const struct compact_profile_installation_result *c = &n->compact_profile_installation_result;
        return (struct seen){ .seq = c->compact_profile_installation_result_data.seq_number };
    }
    }
}

static void keep(struct plan *p, const struct pending_notification *n, const struct public_key *key)
{
    struct seen s = look(n);
    struct notification row = { .association = p->d.association, .tenant = p->d.tenant, .seq = s.seq, .state = NOTIFICATION_KEPT,
                                .raw = n->der.raw, .received_us = p->now };
    if (s.meta) {
        row.event = der_bits_mask(&s.meta->profile_management_operation);
        row.address = s.meta->notification_address;
        row.iccid = s.meta->iccid;
    }
    if (key && s.verifiable && verify_signature(key, &s.tbs, 1, s.signature, &(struct err){ 0 }) == OK) row.state = NOTIFICATION_VERIFIED;
    (void)plan_notify(p, &row);                    /* more than a plan takes: not stored, so not acknowledged; the card offers them again */
}

void notify_accept(struct plan *p, const struct pending_notification_list *list)
{
    struct public_key *key;
    if (device_key(&p->d, &key, &(struct err){ 0 }) != OK) key = NULL;
    for (size_t i = 0; i < list->n && p->nnotifications < PLAN_NOTIFICATIONS; i++) keep(p, &list->v[i], key);
    public_key_free(key);
}

/* Whose notification is it? Only two of the four arms say. */
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

/* HandleNotification has no answer, good or bad: 204 (spec 2.11, 6.41), once what can be kept is durable. */
void notification_handle(struct esipa_work *w, const struct pending_notification *n)
{
    struct exchange *x = w->x;
    const struct identity *id = eim_identity(w->m, x->host);
    x->has_eid = eid_of(n, &x->eid);
    if (!x->has_eid) {
        COUNT(w->m, notifications_kept);
        (void)fail_field(&x->err, E_INVALID, "SGP.32 5.14.7", "pendingNotification", "nothing tells whose notification it is: dropped");
        work_answer(w, (struct slice){ 0 });
        return;
    }
    struct tx *t;
    struct device d;
    enum eim_err rc = store_read_begin(w->m->host->store, &t, &x->err);
    if (rc == OK) {
        rc = store_device_get(t, model_association(id->association_key, &x->eid), &d, x->arena, &x->err);
        store_read_end(t);
    }
    w->plan = rc == OK ? ARENA_NEW(x->arena, struct plan) : NULL;
    if (rc != OK || !w->plan) {
        work_fail(w, rc != OK ? rc : fail(&x->err, E_NOMEM, NULL, "no room for a plan"));
        return;
    }
    if (!d.association || memcmp(d.eid.b, x->eid.b, sizeof d.eid.b)) {
        (void)fail_field(&x->err, E_NOT_FOUND, "SGP.32 5.14.7", "pendingNotification", "this EID is not enrolled");
        w->plan = NULL;
        work_answer(w, (struct slice){ 0 });
        return;
    }
    plan_begin(w->plan, w->m, id, &d, x->arena);
    contacts_note(w->m->contacts, d.association, w->plan->now);
    struct pending_notification one = *n;
    notify_accept(w->plan, &(struct pending_notification_list){ .v = &one, .n = 1 });
    work_commit(w);
}
