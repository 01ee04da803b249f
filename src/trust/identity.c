/* identity.c -- API tokens: 256 random bits that we keep only as a SHA-256.
 *
 * A token is found by the hash of what was presented, so the time of the lookup tells nothing about the stored ones;
 * a plain hash is enough because there is nothing to guess in 256 random bits. */
#include "trust/identity.h"

#include "base/env.h"
#include "crypto/digest.h"
#include "store/store.h"

#include <strings.h>

enum { TOKEN_RANDOM = 32, TOKEN_PREFIX = 5, TOKEN_TEXT = TOKEN_PREFIX + 2 * TOKEN_RANDOM };

static const char prefix[] = "eimd_";

static const struct { const char *name; enum role role; } roles[] = {
    { "administrator", ROLE_ADMINISTRATOR },
};

static enum role role_named(struct slice name)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (slice_eq(name, slice_str(roles[i].name))) return roles[i].role;
    return ROLE_NONE;
}

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
    enum role role = role_named(k.role);
    if (k.id == 0 || !digest_equal(slice_of(hash, sizeof hash), slice_of(k.hash, sizeof k.hash)) || role == ROLE_NONE) return refuse(e);
    if ((k.revoked_us && k.revoked_us <= now) || (k.expires_us && k.expires_us <= now)) return refuse(e);

    char *name = arena_printf(a, "token:%.*s", (int)k.name.n, (const char *)k.name.p);
    if (!name) return fail(e, E_NOMEM, NULL, "no memory for the principal");
    *out = (struct principal){ .tenant = k.tenant, .id = k.id, .name = slice_str(name), .role = role };
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
    put.token = (struct token){ .id = env_id(h->env), .tenant = 1, .name = slice_str(name), .role = slice_str(roles[0].name),
                                .created_us = h->env->now(h->env) };
    memcpy(put.token.hash, hash, SHA256_SIZE);
    return store_run(h->store, &put.job, e);
}

enum eim_err identity_token_create(struct host *h, const char *name, char **token, struct arena *a, struct err *e)
{
    uint8_t secret[TOKEN_RANDOM], hash[SHA256_SIZE];
    char *text = arena_alloc(a, TOKEN_TEXT + 1);
    *token = NULL;
    if (!text) return fail(e, E_NOMEM, NULL, "no memory for a token");

    h->env->random(h->env, secret, sizeof secret);
    memcpy(text, prefix, TOKEN_PREFIX);
    slice_hex(slice_of(secret, sizeof secret), false, text + TOKEN_PREFIX);
    digest_wipe(secret, sizeof secret);
    TRY(digest_sha256(slice_of(text, TOKEN_TEXT), hash, e));
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
