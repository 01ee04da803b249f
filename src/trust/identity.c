/* identity.c -- API tokens: 256 random bits that we keep only as a SHA-256.
 *
 * A token is found by the hash of what was presented, so the time of the lookup tells nothing about the stored ones;
 * a plain hash is enough because there is nothing to guess in 256 random bits. */
#include "trust/identity.h"

#include "base/env.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "trust/access.h"
#include "trust/audit.h"

#include <strings.h>

enum { TOKEN_RANDOM = 32, TOKEN_PREFIX = 5, TOKEN_TEXT = TOKEN_PREFIX + 2 * TOKEN_RANDOM };

static const char prefix[] = "eimd_";

/* The same words for every reason: who is refused learns nothing about what was wrong. */
static enum eim_err refuse(struct err *e)
{
    return fail(e, E_UNAUTHENTICATED, "RFC 6750 3", "a valid bearer token is needed");
}

static enum eim_err find(struct host *h, const uint8_t hash[SHA256_SIZE], struct token *k, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(h->store, &t, e));
    enum eim_err rc = store_token_find(t, hash, k, a, e);
    store_read_end(t);
    return rc;
}

/* ---- last use: written about once a minute, and nobody waits for it ---- */

static const int64_t USE_PAUSE_US = 60 * 1000000;

struct use {
    struct store_job job;              /* first member */
    int64_t id, at_us;
};

static enum eim_err use_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct use *u = (struct use *)job;
    return store_token_used(t, u->id, u->at_us, e);
}

static void use_done(struct store_job *job, enum eim_err rc)
{
    (void)rc;                          /* lost: the next use writes it */
    mem_free(job);
}

static void note_use(struct host *h, const struct token *k, int64_t now)
{
    if (now - k->used_us < USE_PAUSE_US) return;
    struct use *u = MEM_NEW(struct use);
    if (!u) return;
    *u = (struct use){ .job = { .apply = use_apply, .done = use_done }, .id = k->id, .at_us = now };
    if (store_submit(h->store, &u->job, &(struct err){ 0 }) != OK) mem_free(u);
}

enum eim_err identity_bearer(struct host *h, struct slice authorization, struct principal *out, struct arena *a, struct err *e)
{
    static const char scheme[] = "Bearer ";
    *out = (struct principal){ 0 };
    if (authorization.n < sizeof scheme - 1 || strncasecmp((const char *)authorization.p, scheme, sizeof scheme - 1) != 0) return refuse(e);
    struct slice token = { authorization.p + sizeof scheme - 1, authorization.n - (sizeof scheme - 1) };
    while (token.n && *token.p == ' ') token = slice_of(token.p + 1, token.n - 1);
    if (token.n != TOKEN_TEXT || memcmp(token.p, prefix, TOKEN_PREFIX) != 0) return refuse(e);

    uint8_t hash[SHA256_SIZE];
    struct token k = { 0 };
    TRY(digest_sha256(token, hash, e));
    TRY(find(h, hash, &k, a, e));
    int64_t now = h->env->now(h->env);
    struct role role;
    struct err why = { 0 };
    if (k.id == 0 || !digest_equal(slice_of(hash, sizeof hash), slice_of(k.hash, sizeof k.hash))) return refuse(e);
    if ((k.revoked_us && k.revoked_us <= now) || (k.expires_us && k.expires_us <= now)) return refuse(e);
    enum eim_err rc = access_role(h, k.tenant, k.role, &role, a, &why);
    if (rc == E_NOT_FOUND) return refuse(e);           /* a token whose role was removed opens nothing */
    if (rc != OK) return fail(e, rc, why.clause, "%s", why.why);
    note_use(h, &k, now);

    char *name = arena_printf(a, "token:%.*s", (int)k.name.n, (const char *)k.name.p);
    if (!name) return fail(e, E_NOMEM, NULL, "no memory for the principal");
    *out = (struct principal){ .tenant = k.tenant, .id = k.id, .name = slice_str(name), .role = k.role, .may = role.may };
    return OK;
}

/* Writing one. */
struct put_token {
    struct store_job job;
    struct token token;
};

static enum eim_err put_token(struct tx *t, struct store_job *job, struct err *e)
{
    struct put_token *p = (struct put_token *)job;
    return store_token_put(t, &p->token, e);
}

static enum eim_err put(struct host *h, const char *name, const uint8_t hash[SHA256_SIZE], struct err *e)
{
    struct put_token put = { .job.apply = put_token };
    put.token = (struct token){ .id = env_id(h->env), .tenant = 1, .name = slice_str(name), .role = SLICE("administrator"),
                                .created_us = h->env->now(h->env) };
    memcpy(put.token.hash, hash, SHA256_SIZE);
    return store_run(h->store, &put.job, e);
}

/* A random token's text, in the arena, and its hash. */
static enum eim_err draw(struct host *h, char **token, uint8_t hash[SHA256_SIZE], struct arena *a, struct err *e)
{
    uint8_t secret[TOKEN_RANDOM];
    *token = arena_alloc(a, TOKEN_TEXT + 1);
    if (!*token) return fail(e, E_NOMEM, NULL, "no memory for a token");
    h->env->random(h->env, secret, sizeof secret);
    memcpy(*token, prefix, TOKEN_PREFIX);
    slice_hex(slice_of(secret, sizeof secret), false, *token + TOKEN_PREFIX);
    digest_wipe(secret, sizeof secret);
    return digest_sha256(slice_of(*token, TOKEN_TEXT), hash, e);
}

enum eim_err identity_token_create(struct host *h, const char *name, char **token, struct arena *a, struct err *e)
{
    uint8_t hash[SHA256_SIZE];
    char *text;
    *token = NULL;
    TRY(draw(h, &text, hash, a, e));
    TRY(put(h, name, hash, e));
    *token = text;
    return OK;
}

enum eim_err identity_token_keep(struct host *h, const char *name, struct slice token, struct arena *a, struct err *e)
{
    uint8_t secret[TOKEN_RANDOM], hash[SHA256_SIZE];
    struct token known = { 0 };
    if (token.n != TOKEN_TEXT || memcmp(token.p, prefix, TOKEN_PREFIX) != 0
        || slice_unhex(slice_of(token.p + TOKEN_PREFIX, 2 * TOKEN_RANDOM), secret, sizeof secret) != TOKEN_RANDOM)
        return fail(e, E_INVALID, NULL, "this is no token");
    digest_wipe(secret, sizeof secret);
    TRY(digest_sha256(token, hash, e));
    TRY(find(h, hash, &known, a, e));
    return known.id ? OK : put(h, name, hash, e);
}

/* ---- tokens as a resource ---- */

struct order {
    struct store_job job;              /* first member */
    struct host *host;
    const struct principal *p;
    struct token token;
    int64_t revoke;                    /* or: the id of the one to revoke */
    struct arena arena;
};

static enum eim_err note(struct order *o, struct tx *t, const struct token *k, const char *action, struct err *e)
{
    char *what = arena_printf(&o->arena, "tok_%016llx %.*s, role %.*s", (unsigned long long)k->id, (int)k->name.n, (const char *)k->name.p,
                              (int)k->role.n, (const char *)k->role.p);
    if (!what) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct audit_entry en = { .tenant = k->tenant, .principal = o->p->name, .action = action, .detail = slice_str(what) };
    return audit_add(t, o->host->env, &en, e);
}

static enum eim_err order_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct order *o = (struct order *)job;
    arena_reset(&o->arena);
    TRY(store_token_put(t, &o->token, e));
    return note(o, t, &o->token, "token.created", e);
}

static enum eim_err revoke_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct order *o = (struct order *)job;
    struct token k;
    bool changed;
    arena_reset(&o->arena);
    TRY(store_token_get(t, o->p->tenant, o->revoke, &k, &o->arena, e));
    if (!k.id) return fail_field(e, E_NOT_FOUND, NULL, "id", "there is no such token");
    TRY(store_token_revoke(t, o->p->tenant, o->revoke, o->host->env->now(o->host->env), &changed, e));
    if (!changed) return fail_field(e, E_STATE, NULL, "id", "it was revoked before");
    return note(o, t, &k, "token.revoked", e);
}

static enum eim_err run(struct order *o, struct err *e)
{
    arena_init(&o->arena, 1 << 16);
    enum eim_err rc = store_run(o->host->store, &o->job, e);
    arena_free(&o->arena);
    return rc;
}

static bool name_ok(struct slice s)
{
    if (!s.n || s.n > 64) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] && strchr("._-", s.p[i])))) return false;
    return true;
}

enum eim_err identity_token_order(struct host *h, const struct principal *p, struct slice name, struct slice role, int64_t expires_us,
                                  struct token *out, char **token, struct arena *a, struct err *e)
{
    struct order o = { .job.apply = order_apply, .host = h, .p = p };
    struct role allowed;
    char *text;
    int64_t now = h->env->now(h->env);
    *token = NULL;
    if (!name_ok(name)) return fail_field(e, E_INVALID, NULL, "name", "a token's name is 1 to 64 of a-z, 0-9, '.', '_' and '-'");
    if (expires_us && expires_us <= now) return fail_field(e, E_INVALID, NULL, "expires_at", "lies in the past");
    TRY(access_role(h, p->tenant, role, &allowed, a, e));
    TRY(access_gives(p, allowed.may, e));
    o.token = (struct token){ .id = env_id(h->env), .tenant = p->tenant, .name = name, .role = role, .created_us = now, .expires_us = expires_us };
    TRY(draw(h, &text, o.token.hash, a, e));
    TRY(run(&o, e));
    *out = o.token;
    *token = text;
    return OK;
}

enum eim_err identity_tokens(struct host *h, const struct principal *p, int64_t before, unsigned limit, struct token_list *out,
                             struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(h->store, &t, e));
    enum eim_err rc = store_token_list(t, p->tenant, before, limit, out, a, e);
    store_read_end(t);
    return rc;
}

enum eim_err identity_token_revoke(struct host *h, const struct principal *p, int64_t id, struct err *e)
{
    struct order o = { .job.apply = revoke_apply, .host = h, .p = p, .revoke = id };
    return run(&o, e);
}
