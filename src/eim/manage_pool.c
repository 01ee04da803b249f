/* manage_pool.c -- pools of activation codes: made, filled, looked at, removed; and what a person decides of one code. */
#include "eim/manage.h"

#include "base/env.h"
#include "crypto/seal.h"
#include "eim/esipa_int.h"
#include "eim/listed.h"
#include "eim/pool.h"

#include <ctype.h>

enum { TEXT_MAX = 256, NAME_MOST = 64 };

static bool name_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_') return false;
    return s.n && s.n <= NAME_MOST;
}

static bool text_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return s.n && s.n <= TEXT_MAX;
}

static struct slice lower(struct slice s, struct arena *a)
{
    char *p = arena_str(a, s);
    for (size_t i = 0; p && i < s.n; i++) p[i] = (char)tolower((unsigned char)p[i]);
    return slice_of(p, p ? s.n : 0);
}

enum eim_err manage_pool_from_json(const json_t *v, struct code_pool *out, struct arena *a, struct err *e)
{
    const struct { const char *name; struct slice *to; bool (*good)(struct slice s); const char *must; } texts[] = {
        { "name", &out->name, name_ok, "must be 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'" },
        { "operator", &out->operator_name, text_ok, "must be a text of 1 to 256 octets" },
        { "profile_type", &out->profile_type, text_ok, "must be a text of 1 to 256 octets" },
        { "smdp", &out->address, address_ok, "must be HOST or HOST:PORT, as in activation codes" },
    };
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    const char *key;
    json_t *m;
    *out = (struct code_pool){ 0 };
    json_object_foreach((json_t *)(uintptr_t)v, key, m) {
        size_t i = 0;
        while (i < TEXTS && strcmp(key, texts[i].name) != 0) i++;
        if (i == TEXTS && strcmp(key, "warn_below") != 0) return fail_field(e, E_INVALID, NULL, key, "there is no member '%.40s' here", key);
        if (i == TEXTS && (!json_is_integer(m) || json_integer_value(m) < 0 || json_integer_value(m) > POOL_CODES_MAX))
            return fail_field(e, E_INVALID, NULL, "warn_below", "must be a whole number from 0 to %d", POOL_CODES_MAX);
    }
    for (size_t i = 0; i < TEXTS; i++) {
        *texts[i].to = json_slice(json_object_get(v, texts[i].name));
        if (!texts[i].good(*texts[i].to)) return fail_field(e, E_INVALID, NULL, texts[i].name, "%s", texts[i].must);
    }
    out->warn_below = json_integer_value(json_object_get(v, "warn_below"));
    out->address = lower(out->address, a);
    return out->address.n ? OK : fail(e, E_NOMEM, NULL, "no room for a pool");
}

/* ---- looking ---- */

static enum eim_err pool_of(struct tx *t, const struct principal *p, int64_t id, struct pool_view *out, struct arena *a, struct err *e)
{
    TRY(store_pool_get(t, p->tenant, id, &out->pool, a, e));
    if (!out->pool.id) return fail_field(e, E_NOT_FOUND, NULL, "id", "no such pool");
    return store_pool_count(t, id, out->counts, e);
}

enum eim_err manage_pool(struct eim *m, const struct principal *p, int64_t id, struct pool_view *out, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = pool_of(t, p, id, out, a, e);
    store_read_end(t);
    return rc;
}

enum eim_err manage_pools(struct eim *m, const struct principal *p, int64_t after, unsigned limit, struct pool_view **out, size_t *n,
                          struct arena *a, struct err *e)
{
    struct tx *t;
    struct pool_list list;
    *n = 0;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_pool_list(t, p->tenant, after, limit, &list, a, e);
    *out = rc == OK ? ARENA_ARRAY(a, struct pool_view, list.n) : NULL;
    if (rc == OK && !*out) rc = fail(e, E_NOMEM, NULL, "no room for a page");
    for (; rc == OK && *n < list.n; ++*n) {
        (*out)[*n].pool = list.v[*n];
        rc = store_pool_count(t, list.v[*n].id, (*out)[*n].counts, e);
    }
    store_read_end(t);
    return rc;
}

enum eim_err manage_codes(struct eim *m, const struct principal *p, int64_t pool, int64_t after, unsigned limit, struct code_list *out,
                          struct arena *a, struct err *e)
{
    struct tx *t;
    struct code_pool there;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_pool_get(t, p->tenant, pool, &there, a, e);
    if (rc == OK && !there.id) rc = fail_field(e, E_NOT_FOUND, NULL, "id", "no such pool");
    if (rc == OK) rc = store_code_list(t, pool, after, limit, out, a, e);
    store_read_end(t);
    return rc;
}

/* ---- changing ---- */

struct change {
    struct store_job job;              /* first member */
    struct eim *m;
    const struct principal *p;
    struct arena *a;
    struct code_pool pool;             /* id: that one */
    struct new_code *codes;
    size_t ncodes, added;
    struct activation_code code;
    enum code_event event;
};

static enum eim_err note(struct tx *t, struct change *c, const char *action, const char *detail, struct err *e)
{
    if (!detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct audit_entry en = { .tenant = c->p->tenant, .principal = c->p->name, .action = action, .detail = slice_str(detail) };
    return audit_add(t, c->m->host->env, &en, e);
}

static char *named(struct change *c)
{
    const struct code_pool *p = &c->pool;
    return arena_printf(c->a, "%.*s: %.*s, %.*s, %.*s", (int)p->name.n, (const char *)p->name.p, (int)p->operator_name.n,
                        (const char *)p->operator_name.p, (int)p->profile_type.n, (const char *)p->profile_type.p, (int)p->address.n,
                        (const char *)p->address.p);
}

static enum eim_err add_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct pool_list all;
    TRY(store_pool_list(t, c->p->tenant, 0, POOLS_MAX, &all, c->a, e));
    if (all.n >= POOLS_MAX) return fail(e, E_LIMIT, NULL, "a tenant has at most %d pools", POOLS_MAX);
    TRY(store_pool_add(t, &c->pool, e));
    return note(t, c, "pool.added", named(c), e);
}

enum eim_err manage_pool_add(struct eim *m, const struct principal *p, struct code_pool *pool, struct arena *a, struct err *e)
{
    if (!m->host->seal) return fail(e, E_STATE, NULL, "this eIM has no key for activation codes");
    pool->id = env_id(m->host->env);
    pool->tenant = p->tenant;
    pool->changed_us = eim_now(m);
    pool->low = pool->warn_below > 0;
    struct change c = { .job.apply = add_apply, .m = m, .p = p, .a = a, .pool = *pool };
    return store_run(m->host->store, &c.job, e);
}

static enum eim_err lock(struct tx *t, struct change *c, int64_t id, struct err *e)
{
    TRY(store_pool_lock(t, c->p->tenant, id, &c->pool, c->a, e));
    return c->pool.id ? OK : fail_field(e, E_NOT_FOUND, NULL, "id", "no such pool");
}

static enum eim_err delete_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    int64_t counts[CODE_STATE_END];
    TRY(lock(t, c, c->code.pool, e));
    TRY(store_pool_count(t, c->pool.id, counts, e));
    if (counts[CODE_RESERVED] || counts[CODE_OUT])
        return fail(e, E_STATE, NULL, "%lld of its codes are on their way to devices", (long long)(counts[CODE_RESERVED] + counts[CODE_OUT]));
    TRY(store_pool_delete(t, c->p->tenant, c->pool.id, e));
    return note(t, c, "pool.removed", named(c), e);
}

enum eim_err manage_pool_delete(struct eim *m, const struct principal *p, int64_t id, struct arena *a, struct err *e)
{
    struct change c = { .job.apply = delete_apply, .m = m, .p = p, .a = a, .code.pool = id };
    return store_run(m->host->store, &c.job, e);
}

/* One line of an import, before the transaction: taken apart, sealed, and hashed by what makes it the same code however it is spelt. */
static enum eim_err prepare(struct change *c, struct new_code *n, struct err *e)
{
    struct code_parts parts;
    uint8_t *digest = arena_alloc(c->a, SEAL_HASH);
    n->rc = code_parse(n->text, "activation_code", &parts, &n->err);
    if (n->rc != OK) return OK;
    struct slice address = lower(parts.address, c->a);
    char *same = arena_printf(c->a, "%.*s$%.*s", (int)address.n, (const char *)address.p, (int)parts.matching.n, (const char *)parts.matching.p);
    if (!digest || !same || !address.n) return fail(e, E_NOMEM, NULL, "no room for the codes");
    if (!parts.matching.n) n->rc = fail_field(&n->err, E_INVALID, "SGP.22 4.1", "activation_code", "the matching id of an activation code is missing");
    else if (!slice_eq(address, c->pool.address))
        n->rc = fail_field(&n->err, E_INVALID, NULL, "activation_code", "the SM-DP+ address of an activation code is not that of its pool");
    else if (parts.confirmation)
        n->rc = fail_field(&n->err, E_RULE, "SGP.32 3.2.3.1", "activation_code",
                           "the activation code asks for a confirmation code, which a pool does not hold");
    if (n->rc != OK) return OK;
    TRY(seal_hash(c->m->host->seal, slice_str(same), digest, e));
    n->digest = slice_of(digest, SEAL_HASH);
    return seal_put(c->m->host->seal, parts.whole, n->digest, &n->sealed, c->a, e);
}

static enum eim_err import_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    int64_t counts[CODE_STATE_END], all = 0;
    c->added = 0;
    TRY(lock(t, c, c->pool.id, e));
    TRY(store_pool_count(t, c->pool.id, counts, e));
    for (int i = 0; i < CODE_STATE_END; i++) all += counts[i];
    if (all + (int64_t)c->ncodes > POOL_CODES_MAX) return fail(e, E_LIMIT, NULL, "a pool has at most %d codes, used ones included", POOL_CODES_MAX);
    for (size_t i = 0; i < c->ncodes; i++) {
        struct new_code *n = &c->codes[i];
        bool fresh;
        if (!n->sealed.n) continue;
        struct activation_code row = { .id = env_id(c->m->host->env), .tenant = c->p->tenant, .pool = c->pool.id, .changed_us = eim_now(c->m),
                                       .digest = n->digest, .sealed = n->sealed };
        n->rc = OK;
        TRY(store_code_add(t, &row, &fresh, e));
        if (!fresh) n->rc = fail_field(&n->err, E_CONFLICT, NULL, "activation_code", "is in a pool already, or twice in this batch");
        c->added += fresh;
    }
    if (!c->added) return OK;
    TRY(note(t, c, "pool.filled", arena_printf(c->a, "%zu codes into pool %.*s", c->added, (int)c->pool.name.n, (const char *)c->pool.name.p), e));
    return pool_judge(t, c->m, &c->pool, c->a, e);
}

enum eim_err manage_codes_add(struct eim *m, const struct principal *p, int64_t pool, struct new_code *v, size_t n, size_t *added, struct arena *a,
                              struct err *e)
{
    struct pool_view there;
    if (!m->host->seal) return fail(e, E_STATE, NULL, "this eIM has no key for activation codes");
    TRY(manage_pool(m, p, pool, &there, a, e));
    struct change c = { .job.apply = import_apply, .m = m, .p = p, .a = a, .pool = there.pool, .codes = v, .ncodes = n };
    for (size_t i = 0; i < n; i++) TRY(prepare(&c, &v[i], e));
    enum eim_err rc = store_run(m->host->store, &c.job, e);
    *added = c.added;
    return rc;
}

static enum eim_err decide_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    int64_t id = c->code.id;
    struct activation_code code;
    TRY(store_code_get(t, c->p->tenant, id, &code, c->a, e));
    if (!code.id) return fail_field(e, E_NOT_FOUND, NULL, "id", "no such activation code");
    if (code.state == CODE_RESERVED) return fail(e, E_STATE, NULL, "the activation code is reserved: cancel its operation");
    TRY(pool_move(t, c->m, &code, c->event, c->p->name, c->a, e));
    c->code = code;
    return OK;
}

enum eim_err manage_code_decide(struct eim *m, const struct principal *p, int64_t id, bool back, struct activation_code *out, struct arena *a,
                                struct err *e)
{
    struct change c = { .job.apply = decide_apply, .m = m, .p = p, .a = a, .code.id = id, .event = back ? CODE_EV_RETURN : CODE_EV_WITHDRAW };
    TRY(store_run(m->host->store, &c.job, e));
    *out = c.code;
    return OK;
}
