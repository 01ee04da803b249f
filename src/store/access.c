/* access.c -- the verbs of tokens and roles. */
#include "store/store_int.h"

enum eim_err store_token_put(struct tx *t, const struct token *k, struct err *e)
{
    return query_exec(t, Q_TOKEN_PUT, k, NO_ARGS, NULL, e);
}

enum eim_err store_token_find(struct tx *t, const uint8_t hash[32], struct token *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_TOKEN_FIND, ARGS(V_BYTES(slice_of(hash, 32))), out, a, e);
}

enum eim_err store_token_get(struct tx *t, int64_t tenant, int64_t id, struct token *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_TOKEN_GET, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_token_list(struct tx *t, int64_t tenant, int64_t before, unsigned limit, struct token_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_TOKEN_LIST, ARGS(V_INT(tenant), V_INT(before ? before : INT64_MAX), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_token_revoke(struct tx *t, int64_t tenant, int64_t id, int64_t now_us, bool *changed, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_TOKEN_REVOKE, NULL, ARGS(V_INT(tenant), V_INT(id), V_INT(now_us)), &n, e));
    *changed = n > 0;
    return OK;
}

enum eim_err store_token_used(struct tx *t, int64_t id, int64_t used_us, struct err *e)
{
    return query_exec(t, Q_TOKEN_USED, NULL, ARGS(V_INT(id), V_INT(used_us)), NULL, e);
}

enum eim_err store_role_get(struct tx *t, int64_t tenant, struct slice name, struct role_row *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_ROLE_GET, ARGS(V_INT(tenant), V_TEXT(name)), out, a, e);
}

enum eim_err store_role_list(struct tx *t, int64_t tenant, struct role_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_ROLE_LIST, ARGS(V_INT(tenant)), LIST(out), a, e);
}

enum eim_err store_role_put(struct tx *t, const struct role_row *r, struct err *e)
{
    return query_exec(t, Q_ROLE_PUT, r, NO_ARGS, NULL, e);
}

enum eim_err store_role_delete(struct tx *t, int64_t tenant, struct slice name, bool *changed, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_ROLE_DELETE, NULL, ARGS(V_INT(tenant), V_TEXT(name)), &n, e));
    *changed = n > 0;
    return OK;
}
