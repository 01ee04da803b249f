/* manage_export.c -- the whole inventory, page by page: what another eIM needs to take devices over, and what proves their state. */
#include "eim/manage.h"

#include "crypto/key.h"
#include "eim/esipa_int.h"

static enum eim_err key_of(const struct device *d, struct slice *spki, struct arena *a, struct err *e)
{
    struct public_key *key;
    TRY(device_key(d, &key, e));
    if (!key) return OK;
    enum eim_err rc = public_key_spki(key, spki, a, e);
    public_key_free(key);
    return rc;
}

static enum eim_err read_item(struct tx *t, struct export_item *i, struct arena *a, struct err *e)
{
    struct device_view *v = &i->view;
    int64_t association = v->device.association;
    TRY(store_label_list(t, association, &v->labels, a, e));
    TRY(store_profile_list(t, association, &v->profiles, a, e));
    TRY(store_card_eim_list(t, association, &v->eims, a, e));
    TRY(store_data_get(t, association, &v->data, a, e));
    if (v->device.inventory_op) TRY(store_operation_get(t, association, v->device.inventory_op, &i->inventory, a, e));
    return key_of(&v->device, &i->spki, a, e);
}

struct note { struct store_job job; struct eim *m; const struct principal *p; struct slice detail; };

static enum eim_err note_apply(struct tx *t, struct store_job *job, struct err *e)
{
    const struct note *n = (struct note *)job;
    struct audit_entry en = { .tenant = n->p->tenant, .principal = n->p->name, .action = "inventory.exported", .detail = n->detail };
    return audit_add(t, n->m->host->env, &en, e);
}

enum eim_err manage_export(struct eim *m, const struct principal *p, int64_t cursor, unsigned limit, struct export_page *out, struct arena *a,
                           struct err *e)
{
    struct tx *t;
    struct device_list list;
    *out = (struct export_page){ .identity = eim_identity_of(m, p->tenant) };
    if (!out->identity) return fail(e, E_NOT_FOUND, NULL, "the tenant has no eIM identity");
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_device_list(t, p->tenant, cursor, limit, &list, a, e);
    if (rc == OK && list.n && !(out->v = ARENA_ARRAY(a, struct export_item, list.n))) rc = fail(e, E_NOMEM, NULL, "no room for a page");
    for (; rc == OK && out->n < list.n; out->n++) {
        out->v[out->n].view.device = list.v[out->n];
        rc = read_item(t, &out->v[out->n], a, e);
    }
    store_read_end(t);
    if (rc != OK) return rc;
    if (list.n == limit) out->next = list.v[list.n - 1].association;
    char *detail = arena_printf(a, "%zu devices%s", out->n, out->next ? "" : ", the last");
    if (!detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct note n = { .job.apply = note_apply, .m = m, .p = p, .detail = slice_str(detail) };
    return store_run(m->host->store, &n.job, e);
}
