/* audit.c -- the verbs of the audit log: entries that wait, and the bundles, tiles and state of a tenant's tree. */
#include "store/store_int.h"

#include <stdlib.h>

enum eim_err store_audit_append(struct tx *t, int64_t tenant, int64_t id, int64_t at_us, struct slice line, struct err *e)
{
    struct audit_line l = { .id = id, .at_us = at_us, .line = line };
    return query_exec(t, Q_AUDIT_APPEND, &l, ARGS(V_INT(tenant)), NULL, e);
}

static int by_id(const void *a, const void *b)
{
    const struct audit_line *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

enum eim_err store_audit_take(struct tx *t, int64_t tenant, unsigned most, struct audit_list *out, struct arena *a, struct err *e)
{
    int64_t last;
    bool more;
    *out = (struct audit_list){ 0 };
    if (!most) return OK;
    TRY(query_ints(t, Q_AUDIT_CUTOFF, ARGS(V_INT(tenant), V_INT(most - 1)), &last, 1, &more, e));
    TRY(query_rows(t, Q_AUDIT_TAKE, ARGS(V_INT(tenant), V_INT(more ? last : INT64_MAX)), LIST(out), a, e));
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_id);
    return OK;
}

enum eim_err store_audit_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct audit_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_AUDIT_LIST, ARGS(V_INT(tenant), V_INT(after), V_INT(limit)), LIST(out), a, e);
}

struct tenants { struct tenant_list *out; size_t room; };

static bool one_tenant(void *ctx, const int64_t *v)
{
    struct tenants *x = ctx;
    if (x->out->n == x->room) return false;
    x->out->v[x->out->n++] = v[0];
    return true;
}

enum eim_err store_audit_tenants(struct tx *t, struct tenant_list *out, struct arena *a, struct err *e)
{
    enum { TENANTS_MAX = 10000 };
    struct tenants x = { out, TENANTS_MAX };
    *out = (struct tenant_list){ .v = ARENA_ARRAY(a, int64_t, TENANTS_MAX) };
    if (!out->v) return fail(e, E_NOMEM, NULL, "no room for the tenants");
    return query_each(t, Q_AUDIT_TENANTS, NO_ARGS, one_tenant, &x, e);
}

static enum eim_err state(struct tx *t, enum query_id q, int64_t tenant, struct audit_state *out, struct arena *a, struct err *e)
{
    TRY(query_row(t, q, ARGS(V_INT(tenant)), out, a, e));
    return out->tenant ? OK : fail(e, E_NOT_FOUND, NULL, "this tenant has no audit log");
}

enum eim_err store_audit_state(struct tx *t, int64_t tenant, struct audit_state *out, struct arena *a, struct err *e)
{
    return state(t, Q_AUDIT_LOG_GET, tenant, out, a, e);
}

enum eim_err store_audit_lock(struct tx *t, int64_t tenant, struct audit_state *out, struct arena *a, struct err *e)
{
    return state(t, Q_AUDIT_LOG_LOCK, tenant, out, a, e);
}

enum eim_err store_audit_grow(struct tx *t, const struct audit_state *s, struct err *e)
{
    return query_exec(t, Q_AUDIT_LOG_GROW, NULL, ARGS(V_INT(s->tenant), V_INT(s->size), V_INT(s->at_us), V_BYTES(s->edge)), NULL, e);
}

enum eim_err store_audit_sign(struct tx *t, int64_t tenant, int64_t size, struct slice note, struct err *e)
{
    return query_exec(t, Q_AUDIT_LOG_SIGN, NULL, ARGS(V_INT(tenant), V_INT(size), V_TEXT(note)), NULL, e);
}

enum eim_err store_audit_bundle_get(struct tx *t, int64_t tenant, int64_t number, struct audit_bundle *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_AUDIT_BUNDLE_GET, ARGS(V_INT(tenant), V_INT(number)), out, a, e);
}

enum eim_err store_audit_bundle_put(struct tx *t, int64_t tenant, const struct audit_bundle *b, struct err *e)
{
    return query_exec(t, Q_AUDIT_BUNDLE_PUT, b, ARGS(V_INT(tenant)), NULL, e);
}

enum eim_err store_audit_tile_get(struct tx *t, int64_t tenant, int64_t level, int64_t number, struct audit_tile *out,
                                  struct arena *a, struct err *e)
{
    return query_row(t, Q_AUDIT_TILE_GET, ARGS(V_INT(tenant), V_INT(level), V_INT(number)), out, a, e);
}

enum eim_err store_audit_tile_put(struct tx *t, int64_t tenant, const struct audit_tile *tile, struct err *e)
{
    return query_exec(t, Q_AUDIT_TILE_PUT, tile, ARGS(V_INT(tenant)), NULL, e);
}
