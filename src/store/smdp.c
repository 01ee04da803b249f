/* smdp.c -- the verbs of SM-DP+ accounts. */
#include "store/store_int.h"

enum eim_err store_smdp_get(struct tx *t, int64_t tenant, int64_t id, struct smdp_account *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_SMDP_GET, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_smdp_find(struct tx *t, int64_t tenant, struct slice address, struct smdp_account *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_SMDP_FIND, ARGS(V_INT(tenant), V_TEXT(address)), out, a, e);
}

enum eim_err store_smdp_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct smdp_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_SMDP_LIST, ARGS(V_INT(tenant), V_INT(after), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_smdp_peers(struct tx *t, unsigned limit, struct smdp_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_SMDP_PEERS, ARGS(V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_smdp_put(struct tx *t, const struct smdp_account *s, struct err *e)
{
    int64_t other;
    bool clash;
    TRY(query_ints(t, Q_SMDP_CLASH, ARGS(V_INT(s->tenant), V_INT(s->id), V_TEXT(s->name), V_TEXT(s->address)), &other, 1, &clash, e));
    if (clash) return fail(e, E_CONFLICT, NULL, "another SM-DP+ account has this name or this address");
    return query_exec(t, Q_SMDP_PUT, s, NO_ARGS, NULL, e);
}

enum eim_err store_smdp_delete(struct tx *t, int64_t tenant, int64_t id, bool *changed, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_SMDP_DELETE, NULL, ARGS(V_INT(tenant), V_INT(id)), &n, e));
    *changed = n > 0;
    return OK;
}
