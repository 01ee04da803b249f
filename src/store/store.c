/* store.c -- the verbs of the domain, written once over the named queries of sql/queries.sql. */
#include "store/store_int.h"

enum {
    OPERATIONS_BACK = 1000,                        /* how far _by_txid and _by_counter look back */
    COUNTER_MOST = 0x7FFFFF,                       /* the largest counterValue we raise to: three octets (SGP.32 2.11.1.1) */
    NOTIFICATIONS_KEPT_MAX = 32,                   /* I12 */
    HINT_RAW_MAX = 16384,
    OPERATION_ROOM = 448,                          /* what the usual package, result and times of an operation take */
};

/* present -- OK when a statement touched its row; else the error that this means. */
#define PRESENT(changed, code, ...) \
    do { if ((changed) == 0) return fail(e, code, NULL, __VA_ARGS__); } while (0)

/* ---- tenants and identities ---- */

enum eim_err store_identity_list(struct tx *t, struct identity_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_IDENTITY_LIST, NO_ARGS, LIST(out), a, e);
}

enum eim_err store_identity_put(struct tx *t, const struct identity *i, struct err *e)
{
    return query_exec(t, Q_IDENTITY_PUT, i, NO_ARGS, NULL, e);
}

/* ---- devices ---- */

enum eim_err store_device_get(struct tx *t, int64_t association, struct device *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_DEVICE_GET, ARGS(V_INT(association)), out, a, e);
}

enum eim_err store_device_lock(struct tx *t, int64_t association, struct device *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_DEVICE_LOCK, ARGS(V_INT(association)), out, a, e);
}

/* hold -- as store_device_lock, without reading the row: for counting what belongs to a device. */
static enum eim_err hold(struct tx *t, int64_t association, struct err *e)
{
    int64_t tenant;
    bool found;
    TRY(query_ints(t, Q_DEVICE_HOLD, ARGS(V_INT(association)), &tenant, 1, &found, e));
    return found ? OK : fail(e, E_NOT_FOUND, NULL, "no such device");
}

enum eim_err store_device_insert(struct tx *t, const struct device *d, struct err *e)
{
    struct device row = *d, there;
    struct arena a;
    int64_t changed;
    row.version = 1;
    touched(t, d->association);
    TRY(query_exec(t, Q_DEVICE_INSERT, &row, NO_ARGS, &changed, e));
    if (changed) return OK;
    arena_init(&a, 1 << 16);
    enum eim_err rc = store_device_get(t, d->association, &there, &a, e);
    arena_free(&a);
    if (rc != OK) return rc;
    if (memcmp(&there.eid, &d->eid, sizeof d->eid) == 0) return fail(e, E_CONFLICT, NULL, "already enrolled");
    return fail(e, E_CONFLICT, NULL, "association number collides with another device");
}

enum eim_err store_device_update(struct tx *t, const struct device *d, struct err *e)
{
    int64_t changed;
    touched(t, d->association);
    TRY(query_exec(t, Q_DEVICE_UPDATE, d, NO_ARGS, &changed, e));
    PRESENT(changed, E_STALE, "the device changed meanwhile");
    return OK;
}

enum eim_err store_device_delete(struct tx *t, int64_t association, struct err *e)
{
    int64_t changed;
    touched(t, association);
    TRY(query_exec(t, Q_CONTACT_DELETE, NULL, ARGS(V_INT(association)), NULL, e));
    TRY(query_exec(t, Q_DEVICE_DELETE, NULL, ARGS(V_INT(association)), &changed, e));
    PRESENT(changed, E_NOT_FOUND, "no such device");
    return OK;
}

enum eim_err store_device_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct device_list *out,
                               struct arena *a, struct err *e)
{
    return query_rows(t, Q_DEVICE_LIST, ARGS(V_INT(tenant), V_INT(after), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_device_count(struct tx *t, int64_t tenant, int64_t *out, struct err *e)
{
    if (!tenant) return query_ints(t, Q_DEVICE_COUNT_ALL, NO_ARGS, out, 1, NULL, e);
    return query_ints(t, Q_DEVICE_COUNT, ARGS(V_INT(tenant)), out, 1, NULL, e);
}

struct sweep {
    int64_t now_us, last;
    unsigned limit, looked;
    struct association_list *out;
};

static bool sweep_one(void *ctx, const int64_t *v)
{
    struct sweep *s = ctx;
    s->last = v[0];
    s->looked++;
    if (v[1] && v[1] <= s->now_us) s->out->v[s->out->n++] = v[0];
    return s->out->n < s->limit;
}

enum eim_err store_device_due(struct tx *t, int64_t after, int64_t now_us, unsigned scan, unsigned limit,
                              struct association_list *out, int64_t *last, struct arena *a, struct err *e)
{
    struct sweep s = { .now_us = now_us, .limit = limit, .out = out };
    out->n = 0;
    if (!limit || !scan) return fail(e, E_INTERNAL, NULL, "a sweep that looks at nothing");
    if (!(out->v = ARENA_ARRAY(a, int64_t, limit < scan ? limit : scan))) return fail(e, E_NOMEM, NULL, "no room for %u devices", limit);
    TRY(query_each(t, Q_DEVICE_TIMERS, ARGS(V_INT(after), V_INT(scan)), sweep_one, &s, e));
    *last = s.looked == scan || out->n == limit ? s.last : 0;
    return OK;
}

enum eim_err store_counters_add(struct tx *t, int64_t n, struct err *e)
{
    if (n < 0 || n > COUNTER_MOST) return fail(e, E_INVALID, NULL, "counters can be raised by 0 to %d", COUNTER_MOST);
    touched(t, 0);
    return query_exec(t, Q_COUNTERS_ADD, NULL, ARGS(V_INT(n), V_INT(COUNTER_MOST), V_INT(COUNTER_MOST - n)), NULL, e);
}

/* ---- quarantine ---- */

enum eim_err store_quarantine_put(struct tx *t, const struct quarantine *q, struct err *e)
{
    return query_exec(t, Q_QUARANTINE_PUT, q, NO_ARGS, NULL, e);
}

enum eim_err store_quarantine_get(struct tx *t, int64_t association, struct quarantine *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_QUARANTINE_GET, ARGS(V_INT(association)), out, a, e);
}

enum eim_err store_quarantine_delete(struct tx *t, int64_t association, struct err *e)
{
    return query_exec(t, Q_QUARANTINE_DELETE, NULL, ARGS(V_INT(association)), NULL, e);
}

/* ---- labels, contacts, profiles, data ---- */

enum eim_err store_label_put(struct tx *t, int64_t association, int64_t tenant, const struct label *l, struct err *e)
{
    return query_exec(t, Q_LABEL_PUT, l, ARGS(V_INT(association), V_INT(tenant)), NULL, e);
}

enum eim_err store_label_list(struct tx *t, int64_t association, struct label_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_LABEL_LIST, ARGS(V_INT(association)), LIST(out), a, e);
}

/* Most devices were heard before: their row is updated by itself. Only the others need their tenant, out of a far larger table. */
static enum eim_err contact_put(struct tx *t, const struct contact *c, struct err *e)
{
    int64_t changed;
    TRY(query_exec(t, Q_CONTACT_SEEN, NULL, ARGS(V_INT(c->association), V_INT(c->seen_us)), &changed, e));
    return changed ? OK : query_exec(t, Q_CONTACT_PUT, NULL, ARGS(V_INT(c->association), V_INT(c->seen_us)), NULL, e);
}

enum eim_err store_contact_put(struct tx *t, const struct contact *c, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) TRY(contact_put(t, &c[i], e));
    return OK;
}

enum eim_err store_contact_get(struct tx *t, int64_t association, int64_t *seen_us, struct err *e)
{
    return query_ints(t, Q_CONTACT_GET, ARGS(V_INT(association)), seen_us, 1, NULL, e);
}

enum eim_err store_profile_replace(struct tx *t, int64_t association, int64_t tenant, const struct profile *p, size_t n, struct err *e)
{
    TRY(query_exec(t, Q_PROFILE_CLEAR, NULL, ARGS(V_INT(association)), NULL, e));
    for (size_t i = 0; i < n; i++)
        TRY(query_exec(t, Q_PROFILE_INSERT, &p[i], ARGS(V_INT(association), V_INT(tenant)), NULL, e));
    return OK;
}

enum eim_err store_profile_delete(struct tx *t, int64_t association, struct slice iccid, struct err *e)
{
    return query_exec(t, Q_PROFILE_DELETE, NULL, ARGS(V_INT(association), V_BYTES(iccid)), NULL, e);
}

enum eim_err store_profile_list(struct tx *t, int64_t association, struct profile_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_PROFILE_LIST, ARGS(V_INT(association)), LIST(out), a, e);
}

enum eim_err store_card_eim_replace(struct tx *t, int64_t association, int64_t tenant, const struct card_eim *v, size_t n, struct err *e)
{
    TRY(query_exec(t, Q_CARD_EIM_CLEAR, NULL, ARGS(V_INT(association)), NULL, e));
    for (size_t i = 0; i < n; i++) TRY(query_exec(t, Q_CARD_EIM_INSERT, &v[i], ARGS(V_INT(association), V_INT(tenant)), NULL, e));
    return OK;
}

enum eim_err store_card_eim_list(struct tx *t, int64_t association, struct card_eim_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_CARD_EIM_LIST, ARGS(V_INT(association)), LIST(out), a, e);
}

enum eim_err store_rat_put(struct tx *t, const struct device_rat *r, struct err *e)
{
    return query_exec(t, Q_RAT_PUT, r, NO_ARGS, NULL, e);
}

enum eim_err store_rat_get(struct tx *t, int64_t association, struct device_rat *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_RAT_GET, ARGS(V_INT(association)), out, a, e);
}

enum eim_err store_data_put(struct tx *t, int64_t association, int64_t tenant, const struct device_data *d, struct err *e)
{
    return query_exec(t, Q_DATA_PUT, d, ARGS(V_INT(association), V_INT(tenant)), NULL, e);
}

enum eim_err store_data_get(struct tx *t, int64_t association, struct device_data *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_DATA_GET, ARGS(V_INT(association)), out, a, e);
}

/* ---- operations ---- */

/* room -- zeros that keep an operation's row as long as it will be at its end.
 *
 * An engine that writes rows in place (SQLite) has to move a row's neighbours when it grows; a row that
 * grows twice in its life doubles the pages that a round trip writes. So its room is taken at first, and given
 * up as it is used. Operations that ended need none. */
static struct slice room(struct tx *t, const struct operation *o)
{
    static const uint8_t zeros[OPERATION_ROOM];
    size_t used = o->txid.n + o->package.n + o->result.n + o->reason.n + (o->first_sent_us ? 16 : 0);
    bool none = !t->line->store->driver->in_place || operation_is_final(o->state) || used >= OPERATION_ROOM;
    return slice_of(zeros, none ? 0 : OPERATION_ROOM - used);
}

enum eim_err store_operation_insert(struct tx *t, const struct operation *o, struct err *e)
{
    int64_t changed;
    TRY(query_exec(t, Q_OPERATION_INSERT, o, ARGS(V_BYTES(room(t, o))), &changed, e));
    PRESENT(changed, E_CONFLICT, "an operation with this id exists");
    return OK;
}

enum eim_err store_operation_get(struct tx *t, int64_t association, int64_t id, struct operation *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_OPERATION_GET, ARGS(V_INT(association), V_INT(id)), out, a, e);
}

enum eim_err store_operation_find(struct tx *t, int64_t tenant, int64_t id, struct operation *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_OPERATION_FIND, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_operation_by_txid(struct tx *t, int64_t association, struct slice txid, struct operation *out, struct arena *a, struct err *e)
{
    int64_t id;
    TRY(query_ints(t, Q_OPERATION_ID_BY_TXID, ARGS(V_INT(association), V_INT(OPERATIONS_BACK), V_BYTES(txid)), &id, 1, NULL, e));
    return store_operation_get(t, association, id, out, a, e);
}

enum eim_err store_operation_by_counter(struct tx *t, int64_t association, int64_t counter, struct operation *out, struct arena *a, struct err *e)
{
    int64_t id;
    TRY(query_ints(t, Q_OPERATION_ID_BY_COUNTER, ARGS(V_INT(association), V_INT(OPERATIONS_BACK), V_INT(counter)), &id, 1, NULL, e));
    return store_operation_get(t, association, id, out, a, e);
}

enum eim_err store_operation_next(struct tx *t, int64_t association, enum operation_state state, int64_t after, int64_t *id, struct err *e)
{
    return query_ints(t, Q_OPERATION_NEXT, ARGS(V_INT(association), V_INT(state), V_INT(after)), id, 1, NULL, e);
}

enum eim_err store_operation_update(struct tx *t, const struct operation *o, enum operation_state from, struct err *e)
{
    int64_t changed;
    TRY(query_exec(t, Q_OPERATION_UPDATE, o, ARGS(V_INT(from), V_BYTES(room(t, o))), &changed, e));
    PRESENT(changed, E_STALE, "the operation is not %s any more", operation_state_name(from));
    if (o->kind != OPK_DOWNLOAD || !operation_is_final(o->state)) return OK;
    return query_exec(t, Q_TERMS_DELETE, NULL, ARGS(V_INT(o->association), V_INT(o->id)), NULL, e);
}

enum eim_err store_operation_list(struct tx *t, int64_t association, int64_t before, unsigned limit, bool with_bytes,
                                  struct operation_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, with_bytes ? Q_OPERATION_LIST : Q_OPERATION_LIST_BRIEF,
                      ARGS(V_INT(association), V_INT(before ? before : INT64_MAX), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_operation_list_tenant(struct tx *t, int64_t tenant, enum operation_state state, int64_t before, unsigned limit,
                                         struct operation_list *out, struct arena *a, struct err *e)
{
    if (!before) before = INT64_MAX;
    if (state == OP_STATE_END)
        return query_rows(t, Q_OPERATION_LIST_TENANT, ARGS(V_INT(tenant), V_INT(before), V_INT(limit)), LIST(out), a, e);
    return query_rows(t, Q_OPERATION_LIST_STATE, ARGS(V_INT(tenant), V_INT(before), V_INT(state), V_INT(limit)), LIST(out), a, e);
}

enum eim_err store_operation_pending_count(struct tx *t, int64_t association, int64_t *out, struct err *e)
{
    return query_ints(t, Q_OPERATION_COUNT, ARGS(V_INT(association), V_INT(OP_PENDING)), out, 1, NULL, e);
}

/* ---- notifications and hints ---- */

/* notification_same -- what is stored under this seq: *same when it is this one, *there when any that stays. */
static enum eim_err notification_there(struct tx *t, const struct notification *n, bool *same, bool *there, struct err *e)
{
    struct notification old;
    struct arena a;
    arena_init(&a, 1 << 20);
    enum eim_err rc = query_row(t, Q_NOTIFICATION_GET, ARGS(V_INT(n->association), V_INT(n->seq)), &old, &a, e);
    if (rc == OK) {
        *same = old.association && slice_eq(old.raw, n->raw);
        *there = old.association && !(old.state == NOTIFICATION_KEPT && n->state == NOTIFICATION_VERIFIED);
    }
    arena_free(&a);
    return rc;
}

enum eim_err store_notification_put(struct tx *t, const struct notification *n, struct err *e)
{
    bool fresh;
    return store_notification_put_new(t, n, &fresh, e);
}

enum eim_err store_notification_put_new(struct tx *t, const struct notification *n, bool *fresh, struct err *e)
{
    bool same, there;
    int64_t kept;
    *fresh = false;
    TRY(hold(t, n->association, e));
    TRY(notification_there(t, n, &same, &there, e));
    if (there) return same ? OK : fail(e, E_CONFLICT, NULL, "another notification has this sequence number");
    if (n->state == NOTIFICATION_KEPT) {
        TRY(query_ints(t, Q_NOTIFICATION_COUNT, ARGS(V_INT(n->association), V_INT(NOTIFICATION_KEPT)), &kept, 1, NULL, e));
        if (kept >= NOTIFICATIONS_KEPT_MAX)
            return fail(e, E_LIMIT, NULL, "%d unverified notifications of this device are kept already", NOTIFICATIONS_KEPT_MAX);
    }
    *fresh = true;
    return query_exec(t, Q_NOTIFICATION_PUT, n, NO_ARGS, NULL, e);
}

enum eim_err store_notification_get(struct tx *t, int64_t association, int64_t seq, struct notification *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_NOTIFICATION_GET, ARGS(V_INT(association), V_INT(seq)), out, a, e);
}

enum eim_err store_notification_list(struct tx *t, int64_t association, struct notification_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_NOTIFICATION_LIST, ARGS(V_INT(association)), LIST(out), a, e);
}

/* ---- the outbox ---- */

enum eim_err store_outbox_add(struct tx *t, const struct outbox *o, struct err *e)
{
    struct outbox row = *o;
    row.version = 1;
    return query_exec(t, Q_OUTBOX_INSERT, &row, NO_ARGS, NULL, e);
}

enum eim_err store_outbox_get(struct tx *t, int64_t association, int64_t seq, struct outbox *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_OUTBOX_GET, ARGS(V_INT(association), V_INT(seq)), out, a, e);
}

enum eim_err store_outbox_find(struct tx *t, int64_t tenant, int64_t id, struct outbox *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_OUTBOX_FIND, ARGS(V_INT(tenant), V_INT(id)), out, a, e);
}

enum eim_err store_outbox_update(struct tx *t, const struct outbox *o, struct err *e)
{
    int64_t changed;
    TRY(query_exec(t, Q_OUTBOX_UPDATE, o, NO_ARGS, &changed, e));
    PRESENT(changed, E_STALE, "the notification changed meanwhile");
    return OK;
}

enum eim_err store_outbox_next_address(struct tx *t, struct slice after, struct slice *out, struct arena *a, struct err *e)
{
    struct outbox row;
    TRY(query_row(t, Q_OUTBOX_NEXT_ADDRESS, ARGS(V_BYTES(after)), &row, a, e));
    *out = row.address;
    return OK;
}

enum eim_err store_outbox_any_due(struct tx *t, struct slice address, int64_t now_us, bool *out, struct err *e)
{
    int64_t one;
    return query_ints(t, Q_OUTBOX_ANY_DUE, ARGS(V_BYTES(address), V_INT(now_us)), &one, 1, out, e);
}

enum eim_err store_outbox_claim(struct tx *t, struct slice address, int64_t now_us, int64_t until_us, struct outbox *out, struct arena *a,
                                struct err *e)
{
    TRY(query_row(t, Q_OUTBOX_FIRST_DUE, ARGS(V_BYTES(address), V_INT(now_us)), out, a, e));
    if (!out->id) return OK;
    out->due_us = until_us;
    out->tries++;
    TRY(store_outbox_update(t, out, e));
    out->version++;
    return OK;
}

enum eim_err store_outbox_delay(struct tx *t, const struct outbox *o, int64_t due_us, struct err *e)
{
    return query_exec(t, Q_OUTBOX_DELAY, NULL, ARGS(V_INT(o->association), V_BYTES(o->iccid), V_BYTES(o->address), V_INT(due_us)), NULL, e);
}

enum eim_err store_outbox_trim(struct tx *t, int64_t association, unsigned keep, struct err *e)
{
    return query_exec(t, Q_OUTBOX_TRIM, NULL, ARGS(V_INT(association), V_INT(OUT_FORWARDED), V_INT(keep)), NULL, e);
}

enum eim_err store_outbox_list(struct tx *t, int64_t tenant, enum outbox_state state, int64_t before, unsigned limit,
                               struct outbox_list *out, struct arena *a, struct err *e)
{
    if (!before) before = INT64_MAX;
    if (state == OUT_STATE_END) return query_rows(t, Q_OUTBOX_LIST, ARGS(V_INT(tenant), V_INT(before), V_INT(limit)), LIST(out), a, e);
    return query_rows(t, Q_OUTBOX_LIST_STATE, ARGS(V_INT(tenant), V_INT(before), V_INT(state), V_INT(limit)), LIST(out), a, e);
}

struct outbox_sum { int64_t *counts, *oldest_us; };

static bool outbox_sum_one(void *ctx, const int64_t *v)
{
    struct outbox_sum *s = ctx;
    if (v[0] < 0 || v[0] > OUT_FAILED) return true;
    s->counts[v[0]] = v[1];
    if (v[0] != OUT_FAILED && (!*s->oldest_us || v[2] < *s->oldest_us)) *s->oldest_us = v[2];
    return true;
}

enum eim_err store_outbox_count(struct tx *t, int64_t counts[OUT_FAILED + 1], int64_t *oldest_us, struct err *e)
{
    struct outbox_sum s = { counts, oldest_us };
    memset(counts, 0, (OUT_FAILED + 1) * sizeof *counts);
    *oldest_us = 0;
    return query_each(t, Q_OUTBOX_COUNT, NO_ARGS, outbox_sum_one, &s, e);
}

/* ---- devices that can be reached ---- */

enum eim_err store_injection_get(struct tx *t, int64_t association, struct injection *out, struct arena *a, struct err *e)
{
    return query_row(t, Q_INJECTION_GET, ARGS(V_INT(association)), out, a, e);
}

enum eim_err store_injection_put(struct tx *t, const struct injection *i, struct err *e)
{
    struct injection row = *i;
    int64_t changed;
    if (!i->version) row.version = 1;
    TRY(query_exec(t, i->version ? Q_INJECTION_UPDATE : Q_INJECTION_INSERT, &row, NO_ARGS, &changed, e));
    PRESENT(changed, i->version ? E_STALE : E_CONFLICT, "how the device is reached changed meanwhile");
    return OK;
}

enum eim_err store_injection_delete(struct tx *t, int64_t association, struct err *e)
{
    return query_exec(t, Q_INJECTION_DELETE, NULL, ARGS(V_INT(association)), NULL, e);
}

enum eim_err store_injection_wake(struct tx *t, int64_t association, int64_t now_us, struct err *e)
{
    return query_exec(t, Q_INJECTION_WAKE, NULL, ARGS(V_INT(association), V_INT(now_us)), NULL, e);
}

enum eim_err store_injection_any_due(struct tx *t, int64_t now_us, bool *out, struct err *e)
{
    int64_t one;
    return query_ints(t, Q_INJECTION_ANY_DUE, ARGS(V_INT(now_us)), &one, 1, out, e);
}

enum eim_err store_injection_claim(struct tx *t, int64_t now_us, int64_t until_us, struct injection *out, struct arena *a, struct err *e)
{
    TRY(query_row(t, Q_INJECTION_FIRST_DUE, ARGS(V_INT(now_us)), out, a, e));
    if (!out->association) return OK;
    out->lease_us = until_us;
    TRY(store_injection_put(t, out, e));
    out->version++;
    return OK;
}

enum eim_err store_hint_put(struct tx *t, const struct hint *h, struct err *e)
{
    if (h->raw.n > HINT_RAW_MAX) return fail_field(e, E_TOO_LARGE, NULL, "raw", "a hint keeps at most %d bytes", HINT_RAW_MAX);
    TRY(hold(t, h->association, e));
    TRY(query_exec(t, Q_HINT_INSERT, h, NO_ARGS, NULL, e));
    return query_exec(t, Q_HINT_TRIM, NULL, ARGS(V_INT(h->association), V_INT(HINTS_MAX)), NULL, e);
}

enum eim_err store_hint_list(struct tx *t, int64_t association, struct hint_list *out, struct arena *a, struct err *e)
{
    return query_rows(t, Q_HINT_LIST, ARGS(V_INT(association)), LIST(out), a, e);
}
