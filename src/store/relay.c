/* relay.c -- the verbs of sessions of indirect downloads, and of what orders say of their downloads. */
#include "store/store_int.h"

enum eim_err store_relay_get(struct tx *t, int64_t association, struct relay_session *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_RELAY_GET, ARGS(V_INT(association)), out, a, e);
}

enum eim_err store_relay_find(struct tx *t, int64_t tenant, struct slice transaction, struct relay_session *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_RELAY_FIND, ARGS(V_INT(tenant), V_BYTES(transaction)), out, a, e);
}

enum eim_err store_relay_put(struct tx *t, const struct relay_session *s, struct err *e)
{
    return query_exec(t, Q_RELAY_PUT, s, NO_ARGS, NULL, e);
}

enum eim_err store_relay_step(struct tx *t, const struct relay_session *s, struct err *e)
{
    return query_exec(t, Q_RELAY_STEP, NULL, ARGS(V_INT(s->association), V_BYTES(s->transaction), V_INT(s->step), V_INT(s->expires_us),
                      V_BYTES(s->otpk), V_BYTES(s->hash_cc), V_BYTES(s->iccid), V_TEXT(s->event_server), V_TEXT(s->event_id)), NULL, e);
}

enum eim_err store_relay_delete(struct tx *t, int64_t association, struct slice transaction, struct err *e)
{
    return query_exec(t, Q_RELAY_DELETE, NULL, ARGS(V_INT(association), V_BYTES(transaction)), NULL, e);
}

enum eim_err store_relay_any_expired(struct tx *t, int64_t now_us, bool *out, struct err *e)
{
    int64_t association;
    return query_ints(t, Q_RELAY_ANY_EXPIRED, ARGS(V_INT(now_us)), &association, 1, out, e);
}

enum eim_err store_relay_expire(struct tx *t, int64_t now_us, struct err *e)
{
    return query_exec(t, Q_RELAY_EXPIRE, NULL, ARGS(V_INT(now_us)), NULL, e);
}

enum eim_err store_terms_put(struct tx *t, const struct download_terms *c, struct err *e)
{
    return query_exec(t, Q_TERMS_PUT, c, NO_ARGS, NULL, e);
}

enum eim_err store_terms_get(struct tx *t, int64_t association, int64_t operation, struct download_terms *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_TERMS_GET, ARGS(V_INT(association), V_INT(operation)), out, a, e);
}
