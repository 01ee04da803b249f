/* events.c -- the verbs of the event log: events that wait, bundles of numbered ones, and which of them belong to a device. */
#include "store/store_int.h"

#include "base/buf.h"

#include <stdlib.h>

enum { INDEX_RUN = 1024 };                         /* events of one statement */

enum eim_err store_event_append(struct tx *t, int64_t tenant, int64_t id, struct slice lines, struct err *e)
{
    struct event_row r = { .id = id, .lines = lines };
    return query_exec(t, Q_EVENT_APPEND, &r, ARGS(V_INT(tenant)), NULL, e);
}

enum eim_err store_event_waits(struct tx *t, int64_t tenant, bool *out, struct err *e)
{
    int64_t id;
    return query_ints(t, Q_EVENT_WAITS, ARGS(V_INT(tenant)), &id, 1, out, e);
}

static int by_id(const void *a, const void *b)
{
    const struct event_row *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

enum eim_err store_event_take(struct tx *t, int64_t tenant, unsigned most, struct event_rows *out, struct arena *a, struct err *e)
{
    int64_t last;
    bool more;
    *out = (struct event_rows){ 0 };
    if (!most) return OK;
    TRY(query_ints(t, Q_EVENT_CUTOFF, ARGS(V_INT(tenant), V_INT(most - 1)), &last, 1, &more, e));
    TRY(query_rows(t, Q_EVENT_TAKE, ARGS(V_INT(tenant), V_INT(more ? last : INT64_MAX)), LIST(out), a, e));
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_id);
    return OK;
}

struct numbers { int64_t *v; size_t n, room; };

static bool one_number(void *ctx, const int64_t *v)
{
    struct numbers *x = ctx;
    if (x->n == x->room) return false;
    x->v[x->n++] = v[0];
    return true;
}

enum eim_err store_event_tenants(struct tx *t, struct tenant_list *out, struct arena *a, struct err *e)
{
    enum { TENANTS_MAX = 10000 };
    struct numbers x = { ARENA_ARRAY(a, int64_t, TENANTS_MAX), 0, TENANTS_MAX };
    *out = (struct tenant_list){ 0 };
    if (!x.v) return fail(e, E_NOMEM, NULL, "no room for the tenants");
    TRY(query_each(t, Q_EVENT_TENANTS, NO_ARGS, one_number, &x, e));
    *out = (struct tenant_list){ x.v, x.n };
    return OK;
}

static enum eim_err log_of(struct tx *t, enum query_id q, int64_t tenant, struct event_log *out, struct arena *a, struct err *e)
{
    TRY(query_row(t, q, ARGS(V_INT(tenant)), out, a, e));
    return out->tenant ? OK : fail(e, E_NOT_FOUND, NULL, "this tenant has no event log");
}

enum eim_err store_event_log(struct tx *t, int64_t tenant, struct event_log *out, struct arena *a, struct err *e)
{
    return log_of(t, Q_EVENT_LOG_GET, tenant, out, a, e);
}

enum eim_err store_event_log_lock(struct tx *t, int64_t tenant, struct event_log *out, struct arena *a, struct err *e)
{
    return log_of(t, Q_EVENT_LOG_LOCK, tenant, out, a, e);
}

enum eim_err store_event_log_put(struct tx *t, const struct event_log *l, struct err *e)
{
    return query_exec(t, Q_EVENT_LOG_PUT, l, NO_ARGS, NULL, e);
}

enum eim_err store_event_bundle_get(struct tx *t, int64_t tenant, int64_t number, struct event_bundle *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_EVENT_BUNDLE_GET, ARGS(V_INT(tenant), V_INT(number)), out, a, e);
}

enum eim_err store_event_bundle_put(struct tx *t, int64_t tenant, const struct event_bundle *b, struct err *e)
{
    return query_exec(t, Q_EVENT_BUNDLE_PUT, b, ARGS(V_INT(tenant)), NULL, e);
}

enum eim_err store_event_old(struct tx *t, int64_t tenant, int64_t number, int64_t most, int64_t before_us, int64_t *out, struct err *e)
{
    return query_ints(t, Q_EVENT_BUNDLE_OLD, ARGS(V_INT(tenant), V_INT(number), V_INT(number + most), V_INT(before_us)), out, 1, NULL, e);
}

enum eim_err store_event_trim(struct tx *t, int64_t tenant, int64_t number, struct err *e)
{
    TRY(query_exec(t, Q_EVENT_INDEX_TRIM, NULL, ARGS(V_INT(tenant), V_INT(number * EVENT_WIDTH + 1)), NULL, e));
    return query_exec(t, Q_EVENT_BUNDLE_TRIM, NULL, ARGS(V_INT(tenant), V_INT(number)), NULL, e);
}

enum eim_err store_event_index(struct tx *t, int64_t tenant, const struct eid *eids, size_t n, int64_t first, struct err *e)
{
    for (size_t at = 0; at < n; at += INDEX_RUN) {
        struct eid run[INDEX_RUN + 1];             /* the zero after them is what the statement compares with */
        size_t count = n - at < INDEX_RUN ? n - at : INDEX_RUN;
        memcpy(run, eids + at, count * sizeof *run);
        memset(&run[count], 0, sizeof *run);
        TRY(query_exec(t, Q_EVENT_INDEX, NULL, ARGS(V_INT(tenant), V_BYTES(slice_of(run, (count + 1) * sizeof *run)), V_INT((int64_t)count),
                                                    V_INT(first + (int64_t)at)), NULL, e));
    }
    return OK;
}

enum eim_err store_event_of(struct tx *t, int64_t tenant, const struct eid *eid, int64_t edge, bool down, unsigned limit,
                            struct event_numbers *out, struct arena *a, struct err *e)
{
    struct numbers x = { ARENA_ARRAY(a, int64_t, limit), 0, limit };
    *out = (struct event_numbers){ 0 };
    if (!x.v) return fail(e, E_NOMEM, NULL, "no room for %u numbers", limit);
    TRY(query_each(t, down ? Q_EVENT_OF_DEVICE_DOWN : Q_EVENT_OF_DEVICE_UP,
                   ARGS(V_INT(tenant), V_BYTES(slice_of(eid->b, sizeof eid->b)), V_INT(edge), V_INT(limit)), one_number, &x, e));
    *out = (struct event_numbers){ x.v, x.n };
    return OK;
}
