/* manage.c -- what people and systems ask of the eIM: look, order, cancel. */
#include "eim/manage.h"

#include <stdio.h>

#include "asn1/es10b.h"
#include "base/env.h"
#include "crypto/cert.h"
#include "crypto/signer.h"
#include "eim/ops.h"
#include "eim/esipa_int.h"
#include "eim/interop.h"
#include "eim/pool.h"
#include "eim/quirks.h"

/* The row of an EID of the principal's tenant, on an open read. */
static enum eim_err find(struct eim *m, struct tx *t, const struct principal *p, struct slice text, struct device *d,
                         struct arena *a, struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    struct eid eid;
    if (!eid_parse(text, false, &eid)) return fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    if (!id) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    TRY(store_device_get(t, model_association(id->association_key, &eid), d, a, e));
    if (!d->association || d->tenant != p->tenant || memcmp(d->eid.b, eid.b, sizeof eid.b))
        return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    return OK;
}

static enum eim_err view(struct eim *m, struct tx *t, struct device_view *v, bool whole, struct arena *a, struct err *e)
{
    int64_t association = v->device.association, noted = contacts_seen(m->contacts, association);
    TRY(store_label_list(t, association, &v->labels, a, e));
    TRY(store_contact_get(t, association, &v->seen_us, e));
    if (noted > v->seen_us) v->seen_us = noted;
    if (!whole) return OK;
    TRY(store_profile_list(t, association, &v->profiles, a, e));
    TRY(store_card_eim_list(t, association, &v->eims, a, e));
    TRY(store_data_get(t, association, &v->data, a, e));
    TRY(store_rat_get(t, association, &v->rat, a, e));
    TRY(store_hint_list(t, association, &v->hints, a, e));
    TRY(store_quarantine_get(t, association, &v->quarantine, a, e));
    TRY(store_injection_get(t, association, &v->injection, a, e));
    TRY(quirks_of(m, t, &v->device, NULL, &v->quirks, a, e));
    return store_notification_list(t, association, &v->notifications, a, e);
}

enum eim_err manage_device(struct eim *m, const struct principal *p, struct slice eid, struct device_view *out,
                           struct arena *a, struct err *e)
{
    struct tx *t;
    *out = (struct device_view){ 0 };
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = find(m, t, p, eid, &out->device, a, e);
    if (rc == OK) rc = view(m, t, out, true, a, e);
    store_read_end(t);
    return rc;
}

enum eim_err manage_devices(struct eim *m, const struct principal *p, int64_t cursor, unsigned limit, unsigned with,
                            struct device_page *out, struct arena *a, struct err *e)
{
    struct tx *t;
    struct device_list list;
    *out = (struct device_page){ 0 };
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_device_list(t, p->tenant, cursor, limit, &list, a, e);
    if (rc == OK && list.n && !(out->v = ARENA_ARRAY(a, struct device_view, list.n))) rc = fail(e, E_NOMEM, NULL, "no room for a page");
    for (; rc == OK && out->n < list.n; out->n++) {
        struct device_view *v = &out->v[out->n];
        v->device = list.v[out->n];
        rc = view(m, t, v, false, a, e);
        if (rc == OK && with & WITH_PROFILES) rc = store_profile_list(t, v->device.association, &v->profiles, a, e);
        if (rc == OK && with & WITH_DATA) rc = store_data_get(t, v->device.association, &v->data, a, e);
    }
    store_read_end(t);
    if (rc == OK && list.n == limit) out->next = list.v[list.n - 1].association;
    return rc;
}

enum eim_err manage_devices_of(struct eim *m, const struct principal *p, const int64_t *associations, size_t n,
                               struct device_page *out, struct arena *a, struct err *e)
{
    struct tx *t;
    out->n = 0;
    out->v = ARENA_ARRAY(a, struct device_view, n);
    if (!out->v) return fail(e, E_NOMEM, NULL, "no room for a page");
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = OK;
    for (size_t i = 0; rc == OK && i < n; i++) {
        struct device_view *v = &out->v[out->n];
        rc = store_device_get(t, associations[i], &v->device, a, e);
        if (rc != OK || v->device.tenant != p->tenant) continue;
        rc = view(m, t, v, false, a, e);
        out->n++;
    }
    store_read_end(t);
    return rc;
}

static enum eim_err evidence(struct tx *t, struct evidence_item *item, struct arena *a, struct err *e)
{
    TRY(store_data_get(t, item->device.association, &item->data, a, e));
    if (!item->device.inventory_op) return OK;
    return store_operation_get(t, item->device.association, item->device.inventory_op, &item->inventory, a, e);
}

enum eim_err manage_evidence(struct eim *m, const struct principal *p, int64_t cursor, unsigned limit,
                             struct evidence_page *out, struct arena *a, struct err *e)
{
    struct tx *t;
    struct device_list list;
    *out = (struct evidence_page){ 0 };
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_device_list(t, p->tenant, cursor, limit, &list, a, e);
    if (rc == OK && list.n && !(out->v = ARENA_ARRAY(a, struct evidence_item, list.n))) rc = fail(e, E_NOMEM, NULL, "no room for a page");
    for (; rc == OK && out->n < list.n; out->n++) {
        out->v[out->n].device = list.v[out->n];
        rc = evidence(t, &out->v[out->n], a, e);
    }
    store_read_end(t);
    if (rc == OK && list.n == limit) out->next = list.v[list.n - 1].association;
    return rc;
}

/* ---- changes: each a job that locks the device's row, so that it never fails for being late ---- */

struct change {
    struct store_job job;
    struct eim *m;
    const struct principal *p;
    const struct identity *id;
    int64_t association;
    struct eid eid;
    struct operation op;               /* in or out, as the change wants */
    struct slice confirmation;         /* create: SHA-256 of a confirmation code */
    struct preflight needs;            /* create: of a download */
    struct pool_want want;             /* operator_name empty: its request is there already */
    struct arena *a;
};

static enum eim_err lock(struct tx *t, struct change *c, struct device *d, struct err *e)
{
    TRY(store_device_lock(t, c->association, d, c->a, e));
    if (!d->association || d->tenant != c->p->tenant) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    return OK;
}

static enum eim_err change_begin(struct change *c, struct eim *m, const struct principal *p, struct slice text,
                                 struct arena *a, struct err *e)
{
    *c = (struct change){ .m = m, .p = p, .id = eim_identity_of(m, p->tenant), .a = a };
    if (!eid_parse(text, false, &c->eid)) return fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    if (!c->id) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    c->association = model_association(c->id->association_key, &c->eid);
    return OK;
}

static enum eim_err delete_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct device d;
    TRY(lock(t, c, &d, e));
    if (d.in_flight || d.download_op) return fail(e, E_STATE, NULL, "a package is in flight: its result would find no device");
    TRY(pool_forget(t, c->m, c->association, c->p->name, c->a, e));
    TRY(store_device_delete(t, c->association, e));
    struct audit_entry en = { .tenant = d.tenant, .principal = c->p->name, .action = "device.removed", .eid = &d.eid };
    return audit_add(t, c->m->host->env, &en, e);
}

enum eim_err manage_device_delete(struct eim *m, const struct principal *p, struct slice eid, struct arena *a, struct err *e)
{
    struct change c;
    TRY(change_begin(&c, m, p, eid, a, e));
    c.job.apply = delete_apply;
    return store_run(m->host->store, &c.job, e);
}

/* Run what waits before it, in order: by the time it is its turn, that will have happened. */
static enum eim_err run_queue(struct tx *t, struct change *c, const struct device *d, struct rules_state *state,
                              struct err *e)
{
    int64_t id = d->in_flight ? d->in_flight : d->next_op;
    for (int looked = 0; id && looked <= OPERATION_QUEUE_MAX; looked++) {
        struct operation o;
        struct euicc_package package;
        TRY(store_operation_get(t, c->association, id, &o, c->a, e));
        if (o.id && o.kind == OPK_PACKAGE && (o.state == OP_PENDING || o.state == OP_SENT) &&
            der_decode(&euicc_package_type, o.request, &package, c->a, &(struct err){ 0 }) == OK)
            rules_run(state, &package);
        if (id == d->in_flight) id = d->next_op;
        else TRY(store_operation_next(t, c->association, OP_PENDING, id, &id, e));
    }
    return OK;
}

/* I6 at creation: only when what is known is fresh; when it is not, the judgement is made when the package is to be signed. */
static enum eim_err judge_now(struct tx *t, struct change *c, const struct device *d, struct err *e)
{
    struct euicc_package package;
    struct profile_list known;
    struct rules_state state;
    int64_t quirks;
    if (c->op.kind == OPK_DOWNLOAD) return OK;
    TRY(der_decode(&euicc_package_type, c->op.request, &package, c->a, e));
    TRY(rotate_judge(c->m, c->id, &package, c->a, e));
    TRY(quirks_of(c->m, t, d, NULL, &quirks, c->a, e));
    if (!(c->op.overrides & OVERRIDE_QUIRK)) TRY(quirks_judge(quirks, &package, e));
    if (rules_needs_inventory(&package) && !device_inventory_fresh(d)) return OK;
    TRY(store_profile_list(t, c->association, &known, c->a, e));
    rules_begin(&state, d, &known);
    TRY(run_queue(t, c, d, &state, e));
    return rules_strand(&state, c->id, &package, c->op.overrides, e);
}

static enum eim_err create_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct device d;
    int64_t waiting;
    TRY(lock(t, c, &d, e));
    TRY(store_operation_pending_count(t, c->association, &waiting, e));
    if (waiting >= OPERATION_QUEUE_MAX) return fail(e, E_LIMIT, NULL, "%d operations wait for this device already", OPERATION_QUEUE_MAX);
    TRY(judge_now(t, c, &d, e));
    c->op.association = c->association;
    if (c->op.kind == OPK_DOWNLOAD) TRY(preflight_check(t, c->association, c->want.operator_name, &c->needs, c->op.overrides, c->a, e));
    if (c->want.operator_name.n && !c->op.request.n) TRY(pool_take(t, c->m, c->p->name, &c->want, &c->op, c->a, e));
    TRY(store_operation_insert(t, &c->op, e));
    struct download_terms terms = { .association = c->association, .tenant = d.tenant, .operation = c->op.id, .digest = c->confirmation,
                                    .iccid = slice_of(c->needs.iccid.b, c->needs.has_iccid ? sizeof c->needs.iccid.b : 0), .rules = c->needs.rules };
    if (c->op.kind == OPK_DOWNLOAD && (terms.digest.n || terms.iccid.n || terms.rules != RULES_ANY)) TRY(store_terms_put(t, &terms, e));
    if (!d.next_op) d.next_op = c->op.id;
    if (c->op.expires_us && (!d.timer_us || c->op.expires_us < d.timer_us)) d.timer_us = c->op.expires_us;
    TRY(store_injection_wake(t, c->association, eim_now(c->m), e));
    TRY(store_device_update(t, &d, e));            /* always, so that whoever reads the queue now notices */
    struct audit_entry en = { .tenant = d.tenant, .principal = c->p->name, .action = "operation.created", .eid = &d.eid,
                              .operation = c->op.id, .state = "pending", .parts = operation_parts(c->a, &c->op), .nparts = OPERATION_PARTS };
    return !en.parts ? fail(e, E_NOMEM, NULL, "no room for the audit entry") : audit_add(t, c->m->host->env, &en, e);
}

static void fresh(struct change *c)
{
    c->op.id = env_id(c->m->host->env);
    c->op.tenant = c->p->tenant;
    c->op.state = OP_PENDING;
    c->op.origin = ORIGIN_API;
    c->op.principal = c->p->name;
    c->op.created_us = eim_now(c->m);
    c->op.seq = c->op.code = -1;
}

enum eim_err manage_download_place(struct tx *t, struct eim *m, const struct principal *p, int64_t association,
                                   const struct download_of *w, int64_t *operation, struct arena *a, struct err *e)
{
    struct change c = { .job.apply = create_apply, .m = m, .p = p, .id = eim_identity_of(m, p->tenant), .association = association, .want = w->want, .a = a,
                        .op.kind = OPK_DOWNLOAD, .needs.rules = RULES_ANY, .confirmation = w->confirmation };
    if (w->code.n && !(c.op.request = download_request(w->code, a)).p) return fail(e, E_NOMEM, NULL, "no room for the trigger");
    fresh(&c);
    TRY(create_apply(t, &c.job, e));
    *operation = c.op.id;
    return OK;
}

static enum eim_err create(struct change *c, struct operation *out, struct err *e)
{
    int64_t now = eim_now(c->m);
    fresh(c);
    if (c->op.request.n > OPERATION_REQUEST_MAX)   /* told now: a package that cannot be made would hold up the device's queue */
        return fail(e, E_TOO_LARGE, "SGP.32 2.11.1.1", "the operations take %zu octets, at most %d fit into a package", c->op.request.n,
                    OPERATION_REQUEST_MAX);
    if (c->op.expires_us && c->op.expires_us <= now) return fail_field(e, E_INVALID, NULL, "expires_at", "is in the past");
    c->job.apply = create_apply;
    TRY(store_run(c->m->host->store, &c->job, e));
    COUNT(c->m, operations_created);
    *out = c->op;
    return OK;
}

/* {"operator","profile_type"}: whichever pool has one. */
static enum eim_err pool_want_from_json(const json_t *v, struct pool_want *w, struct err *e)
{
    *w = (struct pool_want){ json_slice(json_object_get(v, "operator")), json_slice(json_object_get(v, "profile_type")) };
    if (!w->operator_name.n) return fail_field(e, E_INVALID, NULL, "download.operator", "must be a text that is not empty");
    if (!w->profile_type.n) return fail_field(e, E_INVALID, NULL, "download.profile_type", "must be a text that is not empty");
    if (json_object_size(v) != 2) return fail_field(e, E_INVALID, NULL, "download", "must have operator and profile_type and nothing else");
    return OK;
}

enum eim_err manage_operation_create(struct eim *m, const struct principal *p, struct slice eid, const json_t *request,
                                     struct operation *out, struct arena *a, struct err *e)
{
    static const char *const known[] = { "psmos", "ecos", "download", "expires_at", "override", "requires" };
    struct change c;
    const char *name;
    json_t *v;
    TRY(change_begin(&c, m, p, eid, a, e));
    json_object_foreach((json_t *)(uintptr_t)request, name, v) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) found |= !strcmp(name, known[i]);
        if (!found) return fail_field(e, E_INVALID, NULL, name, "no such member");
    }
    const json_t *download = json_object_get(request, "download");
    if (download && (json_object_get(request, "psmos") || json_object_get(request, "ecos")))
        return fail_field(e, E_RULE, "SGP.32 2.11.1", "download", "stands alone: it is no part of an eUICC package");
    c.op.kind = download ? OPK_DOWNLOAD : OPK_PACKAGE;
    const json_t *needs = json_object_get(request, "requires");
    if (needs && !download) return fail_field(e, E_INVALID, NULL, "requires", "goes with a download only");
    c.needs.rules = RULES_ANY;
    if (needs) TRY(preflight_from_json(needs, eim_settings_now(m).indirect, &c.needs, e));
    if (download) TRY(ops_overrides(json_object_get(request, "override"), &c.op.overrides, e));
    if (download && json_object_get(request, "override") && (!c.op.overrides || c.op.overrides & ~(int64_t)OVERRIDE_PREFLIGHT))
        return fail_field(e, E_RULE, "SGP.32 2.11.1", "download",
                          "what a download may override is preflight_memory, preflight_version, preflight_operator, preflight_rules");
    if (json_object_get(download, "operator")) TRY(pool_want_from_json(download, &c.want, e));
    else
        TRY(download ? download_from_json(download, eim_settings_now(m).indirect, &c.op.request, &c.confirmation, a, e)
                      : ops_from_json(request, &c.op.request, &c.op.overrides, a, e));
    const json_t *expires = json_object_get(request, "expires_at");
    if (expires && (!json_is_string(expires) || env_parse_rfc3339(json_string_value(expires), &c.op.expires_us) != 0))
        return fail_field(e, E_INVALID, "RFC 3339", "expires_at", "must be a time such as 2026-12-01T00:00:00Z");
    return create(&c, out, e);
}

enum eim_err manage_inventory(struct eim *m, const struct principal *p, struct slice eid, struct operation *out,
                              struct arena *a, struct err *e)
{
    struct change c;
    TRY(change_begin(&c, m, p, eid, a, e));
    c.op.request = ops_inventory(a);
    if (!c.op.request.p) return fail(e, E_NOMEM, NULL, "no room for the package");
    return create(&c, out, e);
}

static enum eim_err cancel_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct device d;
    struct plan *p = ARENA_NEW(c->a, struct plan);
    struct plan_op *o;
    if (!p) return fail(e, E_NOMEM, NULL, "no room for a plan");
    TRY(lock(t, c, &d, e));
    plan_begin(p, c->m, c->id, &d, c->a);
    TRY(plan_read(p, t, c->op.id, &o, e));
    if (!o) return fail_field(e, E_NOT_FOUND, NULL, "id", "no such operation");
    if (o->op.state != OP_PENDING) return fail(e, E_STATE, NULL, "the operation is %s: only a pending one can be cancelled", operation_state_name(o->op.state));
    char *who = arena_str(c->a, c->p->name);
    if (!who || !plan_move(p, o, EV_CANCEL, who)) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    TRY(plan_queue(p, t, e));
    TRY(plan_apply(p, t, e));
    c->op = o->op;
    return OK;
}

enum eim_err manage_operation_cancel(struct eim *m, const struct principal *p, int64_t id, struct operation *out,
                                     struct arena *a, struct err *e)
{
    struct change c = { .m = m, .p = p, .id = eim_identity_of(m, p->tenant), .a = a };
    TRY(manage_operation(m, p, id, &c.op, &c.eid, a, e));
    c.association = c.op.association;
    c.job.apply = cancel_apply;
    TRY(store_run(m->host->store, &c.job, e));
    COUNT(m, operations_cancelled);
    *out = c.op;
    return OK;
}

/* ---- looking at operations ---- */

enum eim_err manage_operation(struct eim *m, const struct principal *p, int64_t id, struct operation *out,
                              struct eid *eid, struct arena *a, struct err *e)
{
    struct tx *t;
    struct device d = { 0 };
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_operation_find(t, p->tenant, id, out, a, e);
    if (rc == OK && !out->id) rc = fail_field(e, E_NOT_FOUND, NULL, "id", "no such operation");
    if (rc == OK) rc = store_device_get(t, out->association, &d, a, e);
    store_read_end(t);
    *eid = d.eid;
    return rc;
}

enum eim_err manage_operations_of(struct eim *m, const struct principal *p, struct slice eid, int64_t before,
                                  unsigned limit, struct operation_list *out, struct arena *a, struct err *e)
{
    struct tx *t;
    struct device d;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = find(m, t, p, eid, &d, a, e);
    if (rc == OK) rc = store_operation_list(t, d.association, before, limit, false, out, a, e);
    store_read_end(t);
    return rc;
}

enum eim_err manage_operations(struct eim *m, const struct principal *p, enum operation_state state, int64_t before,
                               unsigned limit,
                               struct operation_list *out, struct eid **eids, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_operation_list_tenant(t, p->tenant, state, before, limit, out, a, e);
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

json_t *manage_operation_steps(const struct operation *o, struct arena *a)
{
    struct euicc_package package;
    struct euicc_package_result result;
    struct err ignored = { 0 };
    if (o->kind == OPK_DOWNLOAD) return download_json(o, a);
    if (der_decode(&euicc_package_type, o->request, &package, a, &ignored) != OK) return NULL;
    bool has = o->result.n && der_decode(&euicc_package_result_type, o->result, &result, a, &ignored) == OK &&
               result.der.which == euicc_package_result_is_euicc_package_result_signed;
    return ops_json(&package, has ? &result.euicc_package_result_signed.euicc_package_result_data_signed : NULL, a);
}

enum eim_err manage_configuration(struct eim *m, const struct principal *p, struct slice tls_anchor, struct slice *blob,
                                  struct arena *a, struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    if (!id) return fail(e, E_NOT_FOUND, NULL, "the tenant has no eIM identity");
    char *key = arena_str(a, id->signing_key);
    struct eim_configuration_data c = { .eim_id = id->eim_id, .eim_fqdn = id->fqdn, .eim_id_type = id->eim_id_type, .counter_value = 0,
                                        .association_token = -1 };
    uint8_t bits[4];
    if (!key) return fail(e, E_NOMEM, NULL, "no room for the configuration");
    der_set(&c, eim_configuration_data, eim_fqdn);
    der_set(&c, eim_configuration_data, eim_id_type);
    der_set(&c, eim_configuration_data, counter_value);
    der_set(&c, eim_configuration_data, association_token);
    c.eim_public_key_data.der.which = eim_public_key_data_is_eim_public_key;
    TRY(signer_public(m->host->signer, key, &c.eim_public_key_data.eim_public_key, NULL, a, e));
    der_set(&c, eim_configuration_data, eim_public_key_data);
    if (tls_anchor.n) {
        c.trusted_public_key_data_tls.der.which = trusted_public_key_data_tls_is_trusted_certificate_tls;
        c.trusted_public_key_data_tls.trusted_certificate_tls = tls_anchor;
        der_set(&c, eim_configuration_data, trusted_public_key_data_tls);
    }
    c.eim_supported_protocol = der_bits_from(1u << PROTOCOL_RETRIEVE_HTTPS | (eim_settings_now(m).coap ? 1u << PROTOCOL_RETRIEVE_COAPS : 0), bits);
    der_set(&c, eim_configuration_data, eim_supported_protocol);
    if (eim_settings_now(m).indirect) {
        c.indirect_profile_download = true;
        der_set(&c, eim_configuration_data, indirect_profile_download);
    }
    if (id->ci_pkid.n) {
        c.euicc_ci_pkid = id->ci_pkid;
        der_set(&c, eim_configuration_data, euicc_ci_pkid);
    }
    struct add_initial_eim_request r = { .eim_configuration_data_list = { .v = &c, .n = 1 } };
    *blob = der_encode(&add_initial_eim_request_type, &r, a);
    return blob->p ? OK : fail(e, E_NOMEM, NULL, "no room for the configuration");
}

/* ---- what makers do otherwise ---- */

struct interop_row *manage_interop(struct eim *m, const struct principal *p, size_t *n, int64_t *dropped, struct arena *a)
{
    struct interop_row *v = interop_list(m->interop, n, dropped, a);
    struct arena work;
    arena_init(&work, 1 << 20);
    for (size_t i = 0; v && i < *n; i++) {
        struct device_view d;
        char eid[33];
        eid_print(&v[i].example, eid);
        arena_reset(&work);
        if (manage_device(m, p, slice_str(eid), &d, &work, &(struct err){ 0 }) != OK) v[i].example = (struct eid){ { 0 } };
    }
    arena_free(&work);
    return v;
}

/* ---- quarantine ---- */

struct quarantine_job {
    struct change c;                   /* first member */
    bool in, changed;
    struct slice reason;
};

static enum eim_err quarantine_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct quarantine_job *q = (struct quarantine_job *)job;
    struct change *c = &q->c;
    struct device d;
    TRY(lock(t, c, &d, e));
    q->changed = (d.quarantine_us != 0) != q->in;
    if (!q->changed) return OK;
    int64_t now = eim_now(c->m);
    d.quarantine_us = q->in ? now : 0;
    d.wants |= WANT_INVENTORY;
    TRY(store_device_update(t, &d, e));
    struct quarantine row = { .association = d.association, .tenant = d.tenant, .at_us = now, .principal = c->p->name, .reason = q->reason };
    if (q->in) TRY(store_quarantine_put(t, &row, e));
    else TRY(store_quarantine_delete(t, d.association, e));
    struct audit_entry en = { .tenant = d.tenant, .principal = c->p->name, .action = q->in ? "device.quarantined" : "device.released",
                              .eid = &d.eid, .detail = q->reason };
    return audit_add(t, c->m->host->env, &en, e);
}

enum eim_err manage_quarantine(struct eim *m, const struct principal *p, const struct eid *eid, bool in, struct slice reason,
                               bool *changed, struct arena *a, struct err *e)
{
    struct quarantine_job q = { .in = in, .reason = reason };
    char text[33];
    *changed = false;
    if (!reason.n || reason.n > 200) return fail_field(e, E_INVALID, NULL, "reason", "a reason of 1 to 200 octets is needed");
    eid_print(eid, text);
    TRY(change_begin(&q.c, m, p, slice_str(text), a, e));
    q.c.job.apply = quarantine_apply;
    enum eim_err rc = store_run(m->host->store, &q.c.job, e);
    *changed = rc == OK && q.changed;
    return rc;
}

static void version_text(struct slice v, char out[16])
{
    snprintf(out, 16, "%u.%u.%u", v.n > 0 ? v.p[0] : 0, v.n > 1 ? v.p[1] : 0, v.n > 2 ? v.p[2] : 0);
}

bool manage_euicc_facts(const struct device_data *d, struct euicc_facts *out, struct arena *a)
{
    struct ipa_euicc_data_response r;
    struct err ignored = { 0 };
    *out = (struct euicc_facts){ .ipa_mode = -1 };
    bool eum = d->eum_cert.n && cert_subject(d->eum_cert, out->eum, &ignored) == OK;
    if (!d->info.n || der_decode(&ipa_euicc_data_response_type, d->info, &r, a, &ignored) != OK ||
        r.der.which != ipa_euicc_data_response_is_ipa_euicc_data || !der_has(&r.ipa_euicc_data, ipa_euicc_data, euicc_info2))
        return eum;
    const struct euicc_info2 *i = &r.ipa_euicc_data.euicc_info2;
    version_text(i->euicc_firmware_ver, out->firmware);
    version_text(i->profile_version, out->profile_version);
    if (der_has(i, euicc_info2, ipa_mode)) out->ipa_mode = i->ipa_mode;
    return true;
}
