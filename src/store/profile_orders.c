/* profile_orders.c -- the verbs of profile orders. */
#include "store/store_int.h"

enum eim_err store_porder_add(struct tx *t, const struct profile_order *o, struct err *e)
{
    return query_exec(t, Q_PORDER_INSERT, o, NO_ARGS, NULL, e);
}

enum eim_err store_porder_get(struct tx *t, int64_t tenant, int64_t id, struct profile_order *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_PORDER_GET, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_porder_list(struct tx *t, int64_t tenant, int64_t before, unsigned limit, struct porder_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_PORDER_LIST, ARGS(V_INT(tenant), V_INT(before ? before : INT64_MAX), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_porder_by_iccid(struct tx *t, int64_t tenant, int64_t account, struct slice iccid, struct profile_order *out, struct arena *a,
                                   struct err *e)
{
    return query_row(t, Q_PORDER_BY_ICCID, ARGS(V_INT(tenant), V_INT(account), V_TEXT(iccid)), out, a, e);
}

enum eim_err store_porder_due(struct tx *t, int64_t now_us, struct profile_order *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_PORDER_DUE, ARGS(V_INT(now_us)), out, a, e);
}

enum eim_err store_porder_update(struct tx *t, const struct profile_order *o, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_PORDER_UPDATE, o, NO_ARGS, &n, e));
    return n ? OK : fail(e, E_STALE, NULL, "the profile order changed meanwhile");
}
