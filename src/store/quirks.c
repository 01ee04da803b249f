/* quirks.c -- the verbs of rules about deviating devices. */
#include "store/store_int.h"

enum eim_err store_quirk_rules(struct tx *t, int64_t tenant, unsigned limit, struct quirk_rule_list *out, struct arena *a, struct err *e)
{
    if (!tenant) return query_rows(t, Q_QUIRK_RULES_ALL, ARGS(V_INT(limit)), LIST(out), a, e);
    return query_rows(t, Q_QUIRK_RULES, ARGS(V_INT(tenant), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_quirk_rule_add(struct tx *t, const struct quirk_rule *r, struct err *e)
{
    return query_exec(t, Q_QUIRK_RULE_INSERT, r, NO_ARGS, NULL, e);
}

enum eim_err store_quirk_rule_delete(struct tx *t, int64_t tenant, int64_t id, bool *was, struct err *e)
{
    int64_t n;
    TRY(query_exec(t, Q_QUIRK_RULE_DELETE, NULL, ARGS(V_INT(tenant), V_INT(id)), &n, e));
    *was = n != 0;
    return OK;
}
