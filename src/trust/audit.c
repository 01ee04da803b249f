/* audit.c -- the one form of an audit line: a JSON object whose members always stand in the same order.
 *
 * The line is what later becomes a leaf of the Merkle tree, byte for byte, so it is written by hand: no library may
 * reorder or reformat it. Members that do not apply are left out. */
#include "trust/audit.h"

#include "base/buf.h"
#include "base/json.h"
#include "trust/event.h"

enum { LINE_MAX_OCTETS = 8192 };

struct slice audit_format(const struct audit_entry *en, int64_t id, int64_t at_us, struct arena *a)
{
    char at[32], eid[33], hex[129];
    struct buf b;
    buf_init(&b, LINE_MAX_OCTETS);
    env_rfc3339(at_us, at);
    buf_printf(&b, "{\"id\":\"aud_%016llx\",\"at\":\"%s\",\"tenant\":%lld,\"principal\":", (unsigned long long)id, at, (long long)en->tenant);
    json_put_text(&b, en->principal);
    buf_str(&b, ",\"action\":");
    json_put_text(&b, slice_str(en->action));
    if (en->eid) {
        eid_print(en->eid, eid);
        buf_printf(&b, ",\"eid\":\"%s\"", eid);
    }
    if (en->operation) buf_printf(&b, ",\"operation\":\"op_%016llx\"", (unsigned long long)en->operation);
    if (en->counter) buf_printf(&b, ",\"counter\":%lld", (long long)en->counter);
    if (en->state) {
        buf_str(&b, ",\"state\":");
        json_put_text(&b, slice_str(en->state));
    }
    if (en->digest.n && en->digest.n <= 64) {
        slice_hex(en->digest, false, hex);
        buf_printf(&b, ",\"sha256\":\"%s\"", hex);
    }
    if (en->detail.n) {
        buf_str(&b, ",\"detail\":");
        json_put_text(&b, en->detail);
    }
    buf_str(&b, "}");
    struct slice line = b.failed ? (struct slice){ 0 } : arena_copy(a, buf_slice(&b));
    buf_free(&b);
    return line;
}

static enum eim_err add_line(struct tx *t, struct env *env, const struct audit_entry *en, struct err *e)
{
    struct arena a;
    arena_init(&a, LINE_MAX_OCTETS + 16);
    int64_t id = env_id(env), now = env->now(env);
    struct slice line = audit_format(en, id, now, &a);
    enum eim_err rc = line.n ? store_audit_append(t, en->tenant, id, now, line, e) : fail(e, E_NOMEM, NULL, "the audit entry is too large");
    arena_free(&a);
    return rc;
}

/* The event that an entry is told as; type EVENT_TYPE_END: it is none. */
static struct event event_from(const struct audit_entry *en)
{
    return (struct event){ .tenant = en->tenant, .type = event_type_named(slice_str(en->event ? en->event : en->action)), .eid = en->eid,
                           .operation = en->operation, .state = en->state, .detail = en->detail, .parts = en->parts, .nparts = en->nparts };
}

enum eim_err audit_add_all(struct tx *t, struct env *env, const struct audit_entry *v, size_t n, const struct event *more, size_t nmore,
                           struct err *e)
{
    struct event_batch b;
    enum eim_err rc = OK;
    event_batch_begin(&b, env);
    for (size_t i = 0; rc == OK && i < n; i++) {
        struct event told = event_from(&v[i]);
        rc = add_line(t, env, &v[i], e);
        if (told.type < EVENT_TYPE_END) event_batch_add(&b, &told);
    }
    for (size_t i = 0; i < nmore; i++) event_batch_add(&b, &more[i]);
    if (rc == OK) rc = event_batch_write(&b, t, e);
    event_batch_free(&b);
    return rc;
}

enum eim_err audit_add(struct tx *t, struct env *env, const struct audit_entry *en, struct err *e)
{
    return audit_add_all(t, env, en, 1, NULL, 0, e);
}
