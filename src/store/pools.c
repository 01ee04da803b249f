/* pools.c -- the verbs of pools of activation codes. */
#include "store/store_int.h"

enum eim_err store_pool_get(struct tx *t, int64_t tenant, int64_t id, struct code_pool *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_POOL_GET, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_pool_lock(struct tx *t, int64_t tenant, int64_t id, struct code_pool *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_POOL_LOCK, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_pool_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct pool_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_POOL_LIST, ARGS(V_INT(tenant), V_INT(after), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_pool_add(struct tx *t, const struct code_pool *p, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_POOL_INSERT, p, NO_ARGS, &n, e));
    return n ? OK : fail_field(e, E_CONFLICT, NULL, "name", "another pool has this name");
}

enum eim_err store_pool_low(struct tx *t, int64_t id, bool low, struct err *e)
{
    return query_exec(t, Q_POOL_LOW, NULL, ARGS(V_INT(id), V_INT(low)), NULL, e);
}

enum eim_err store_pool_delete(struct tx *t, int64_t tenant, int64_t id, struct err *e)
{
    TRY(query_exec(t, Q_POOL_CODES_DELETE, NULL, ARGS(V_INT(id)), NULL, e));
    return query_exec(t, Q_POOL_DELETE, NULL, ARGS(V_INT(tenant), V_INT(id)), NULL, e);
}

static bool count_one(void *ctx, const int64_t *v)
{
    int64_t *counts = ctx;
    if (v[0] >= 0 && v[0] < CODE_STATE_END) counts[v[0]] = v[1];
    return true;
}

enum eim_err store_pool_count(struct tx *t, int64_t pool, int64_t counts[CODE_STATE_END], struct err *e)
{
    for (int i = 0; i < CODE_STATE_END; i++) counts[i] = 0;
    return query_each(t, Q_POOL_COUNT, ARGS(V_INT(pool)), count_one, counts, e);
}

enum eim_err store_operation_scrub(struct tx *t, int64_t association, int64_t id, struct slice request, struct err *e)
{
    return query_exec(t, Q_OPERATION_SCRUB, NULL, ARGS(V_INT(association), V_INT(id), V_BYTES(request), V_BYTES(slice_of("", 0))), NULL, e);
}

enum eim_err store_code_get(struct tx *t, int64_t tenant, int64_t id, struct activation_code *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_CODE_GET, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_code_of(struct tx *t, int64_t association, int64_t operation, struct activation_code *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_CODE_OF, ARGS(V_INT(association), V_INT(operation)), out, a, e);
}

enum eim_err store_code_list(struct tx *t, int64_t pool, int64_t after, unsigned limit, struct code_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_CODE_LIST, ARGS(V_INT(pool), V_INT(after), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_code_waiting(struct tx *t, int64_t association, struct code_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_CODE_WAITING, ARGS(V_INT(association)), LIST(out), a, e);
}

enum eim_err store_code_add(struct tx *t, const struct activation_code *c, bool *added, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_CODE_INSERT, c, NO_ARGS, &n, e));
    *added = n > 0;
    return OK;
}

enum eim_err store_code_free(struct tx *t, int64_t pool, struct activation_code *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_CODE_FREE, ARGS(V_INT(pool)), out, a, e);
}

enum eim_err store_code_update(struct tx *t, const struct activation_code *c, enum code_state from, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_CODE_UPDATE, c, ARGS(V_INT(from)), &n, e));
    return n ? OK : fail(e, E_STALE, NULL, "the activation code changed meanwhile");
}
