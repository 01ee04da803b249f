/* pool.c -- activation codes on their way from a pool to a download and back.
 *
 * A code is good for one download, so it is bound to the operation in the transaction that orders it, and moves with it in the transactions
 * that move it: a kill at any place leaves it with exactly one. It becomes free again only when nothing of it left for the device; after
 * that, who knows is a person. It stands sealed, and is opened here only. */
#include "eim/pool.h"

#include "base/env.h"
#include "crypto/seal.h"
#include "eim/listed.h"

#include <ctype.h>

enum { CODE_MAX = 255, PARTS = 5 };

static enum eim_err wrong(const char *field, const char *part, const char *must, struct err *e)
{
    return fail_field(e, E_INVALID, "SGP.22 4.1", field, "the %s of an activation code %s", part, must);
}

static bool matching_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum(s.p[i]) && s.p[i] != '-') return false;
    return true;
}

static bool oid_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isdigit(s.p[i]) && (s.p[i] != '.' || i == 0 || i + 1 == s.n || s.p[i - 1] == '.')) return false;
    return true;
}

enum eim_err code_parse(struct slice text, const char *field, struct code_parts *out, struct err *e)
{
    struct slice part[PARTS] = { { 0 } };
    size_t n = 0, start = 0;
    *out = (struct code_parts){ 0 };
    if (text.n > 4 && !memcmp(text.p, "LPA:", 4)) text = slice_of(text.p + 4, text.n - 4);
    if (!text.n || text.n > CODE_MAX) return wrong(field, "length", "is at most 255 characters, and not nothing", e);
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != '$') continue;
        if (n == PARTS) return wrong(field, "number of parts", "is five at most, with $ between", e);
        part[n++] = slice_of(text.p + start, i - start);
        start = i + 1;
    }
    if (!slice_eq(part[0], SLICE("1"))) return wrong(field, "format", "is 1, and a $ follows", e);
    if (n < 2 || !address_ok(part[1])) return wrong(field, "SM-DP+ address", "is HOST or HOST:PORT", e);
    if (n < 3) return wrong(field, "matching id", "is missing", e);
    if (!matching_ok(part[2])) return wrong(field, "matching id", "has letters, digits and hyphens only", e);
    if (!oid_ok(part[3])) return wrong(field, "SM-DP+ OID", "has numbers with dots between", e);
    if (n == PARTS && part[4].n && !slice_eq(part[4], SLICE("1"))) return wrong(field, "confirmation code flag", "is 1 or nothing", e);
    *out = (struct code_parts){ .whole = text, .address = part[1], .matching = part[2], .oid = part[3], .confirmation = part[4].n > 0 };
    return OK;
}

/* ---- what happened, for the audit log: never a code ---- */

static enum eim_err note(struct tx *t, struct eim *m, const char *action, struct slice principal, const struct code_pool *p,
                         const struct activation_code *c, struct arena *a, struct err *e)
{
    char *detail = c ? arena_printf(a, "code acd_%016llx of pool %.*s", (unsigned long long)c->id, (int)p->name.n, (const char *)p->name.p)
                     : arena_printf(a, "pool %.*s", (int)p->name.n, (const char *)p->name.p);
    char *pool = arena_printf(a, "pool_%016llx", (unsigned long long)p->id);
    if (!detail || !pool) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    const struct event_part parts[] = { { "pool", slice_str(pool) }, { "name", p->name }, { "operator", p->operator_name },
                                        { "profile_type", p->profile_type } };
    struct audit_entry en = { .tenant = p->tenant, .principal = principal, .action = action, .operation = c ? c->operation : 0,
                              .state = c ? code_state_name(c->state) : NULL, .detail = slice_str(detail), .parts = parts,
                              .nparts = sizeof parts / sizeof parts[0] };
    return audit_add(t, m->host->env, &en, e);
}

enum eim_err pool_judge(struct tx *t, struct eim *m, struct code_pool *p, struct arena *a, struct err *e)
{
    int64_t counts[CODE_STATE_END];
    TRY(store_pool_count(t, p->id, counts, e));
    bool low = counts[CODE_FREE] < p->warn_below;
    if (low == p->low) return OK;
    p->low = low;
    TRY(store_pool_low(t, p->id, low, e));
    if (low) COUNT(m, pools_low);
    return note(t, m, low ? "pool.low" : "pool.refilled", SLICE("eim"), p, NULL, a, e);
}

enum eim_err pool_move(struct tx *t, struct eim *m, struct activation_code *c, enum code_event ev, struct slice principal, struct arena *a,
                       struct err *e)
{
    struct code_pool p;
    enum code_state from = c->state;
    TRY(store_pool_lock(t, c->tenant, c->pool, &p, a, e));
    if (!p.id) return fail(e, E_INTERNAL, NULL, "the pool of a code is gone");
    if (!code_move(&c->state, ev)) return fail(e, E_STATE, NULL, "the activation code is %s: that is not possible with it", code_state_name(from));
    c->changed_us = eim_now(m);
    struct activation_code told = *c;
    if (c->state == CODE_FREE) c->association = c->operation = 0;
    TRY(store_code_update(t, c, from, e));
    TRY(note(t, m, "code.moved", principal, &p, &told, a, e));
    return pool_judge(t, m, &p, a, e);
}

/* ---- hand out ---- */

static enum eim_err pick(struct tx *t, int64_t tenant, const struct pool_want *w, struct activation_code *c, struct arena *a, struct err *e)
{
    struct pool_list pools;
    bool any = false;
    *c = (struct activation_code){ 0 };
    TRY(store_pool_list(t, tenant, 0, POOLS_MAX, &pools, a, e));
    for (size_t i = 0; i < pools.n && !c->id; i++) {
        struct smdp_account account;
        const struct code_pool *p = &pools.v[i];
        if (!slice_eq(p->operator_name, w->operator_name) || !slice_eq(p->profile_type, w->profile_type)) continue;
        any = true;
        TRY(store_smdp_find(t, tenant, p->address, &account, a, e));
        if (account.id && !account.enabled) continue;              /* its address is forbidden (I12) */
        TRY(store_code_free(t, p->id, c, a, e));
    }
    if (c->id) return OK;
    return any ? fail(e, E_STATE, NULL, "no pool of this operator and profile type has a free activation code whose SM-DP+ may be used")
               : fail_field(e, E_NOT_FOUND, NULL, "download.operator", "there is no pool of this operator and profile type");
}

enum eim_err pool_take(struct tx *t, struct eim *m, struct slice principal, const struct pool_want *w, struct operation *o, struct arena *a,
                       struct err *e)
{
    struct activation_code c;
    struct slice code;
    if (!m->host->seal) return fail(e, E_STATE, NULL, "this eIM has no key for activation codes");
    TRY(pick(t, o->tenant, w, &c, a, e));
    TRY(seal_get(m->host->seal, c.sealed, c.digest, &code, a, e));
    o->request = download_request(code, a);
    if (!o->request.p) return fail(e, E_NOMEM, NULL, "no room for the trigger");
    c.association = o->association;
    c.operation = o->id;
    TRY(pool_move(t, m, &c, CODE_EV_RESERVE, principal, a, e));
    COUNT(m, codes_handed_out);
    return OK;
}

/* ---- on with its download ---- */

/* Once its download is at an end a code stands in its pool only, sealed: of the operation's bytes what is left is the address. */
static enum eim_err scrub(struct tx *t, const struct operation *o, struct arena *a, struct err *e)
{
    struct profile_download_trigger_request r;
    struct code_parts parts;
    if (der_decode(&profile_download_trigger_request_type, o->request, &r, a, &(struct err){ 0 }) != OK ||
        r.profile_download_data.der.which != profile_download_data_is_activation_code ||
        code_parse(r.profile_download_data.activation_code, "", &parts, &(struct err){ 0 }) != OK || !parts.matching.n)
        return OK;
    char *bare = arena_printf(a, "1$%.*s$", (int)parts.address.n, (const char *)parts.address.p);
    struct slice request = bare ? download_request(slice_str(bare), a) : (struct slice){ 0 };
    if (!request.p) return fail(e, E_NOMEM, NULL, "no room for the trigger");
    return store_operation_scrub(t, o->association, o->id, request, e);
}

enum eim_err pool_follow(struct tx *t, struct eim *m, const struct operation *o, struct arena *a, struct err *e)
{
    struct activation_code c;
    TRY(store_code_of(t, o->association, o->id, &c, a, e));
    if (operation_is_final(o->state)) TRY(scrub(t, o, a, e));
    if (!c.id) return OK;
    if (o->state == OP_SENT && c.state == CODE_RESERVED) return pool_move(t, m, &c, CODE_EV_LEAVE, SLICE("eim"), a, e);
    if (!operation_is_final(o->state)) return OK;
    if (c.state == CODE_RESERVED) return pool_move(t, m, &c, CODE_EV_RETURN, SLICE("eim"), a, e);
    if (c.state == CODE_OUT) return pool_move(t, m, &c, o->state == OP_DONE ? CODE_EV_USED : CODE_EV_FAIL, SLICE("eim"), a, e);
    return OK;
}

enum eim_err pool_forget(struct tx *t, struct eim *m, int64_t association, struct slice principal, struct arena *a, struct err *e)
{
    struct code_list list;
    TRY(store_code_waiting(t, association, &list, a, e));
    for (size_t i = 0; i < list.n; i++) TRY(pool_move(t, m, &list.v[i], CODE_EV_RETURN, principal, a, e));
    return OK;
}
