/* manage_smdp.c -- SM-DP+ accounts: which servers of operators a tenant deals with, and how. */
#include "eim/manage.h"

#include "base/env.h"
#include "crypto/cert.h"
#include "eim/esipa_int.h"
#include "eim/listed.h"

#include <ctype.h>
#include <stddef.h>

enum { ACCOUNTS_MAX = 1000, PEM_MAX = 65536, TEXT_MAX = 256, NAME_MOST = 64 };

/* ---- from JSON ---- */

static bool any_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return s.n <= TEXT_MAX;
}

static bool name_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_') return false;
    return s.n && s.n <= NAME_MOST && s.p[0] != '.';
}

static bool credential_text(struct slice s)
{
    return !s.n || name_text(s);
}

/* Numbers with dots between, as "2.999.10". */
static bool oid_text(struct slice s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool dot = s.p[i] == '.';
        if (!dot && !isdigit(s.p[i])) return false;
        if (dot && (i == 0 || i + 1 == s.n || s.p[i - 1] == '.')) return false;
        dots += dot;
    }
    return !s.n || (s.n <= TEXT_MAX && dots);
}

static bool version_text(struct slice s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!isdigit(s.p[i]) && s.p[i] != '.') return false;
        dots += s.p[i] == '.';
    }
    return !s.n || (s.n <= 11 && dots == 2 && s.p[0] != '.' && s.p[s.n - 1] != '.');
}

static bool url_text(struct slice s)
{
    static const char scheme[] = "https://";
    if (!s.n) return true;
    if (s.n > TEXT_MAX || s.n <= sizeof scheme - 1 || memcmp(s.p, scheme, sizeof scheme - 1)) return false;
    struct slice rest = slice_of(s.p + sizeof scheme - 1, s.n - (sizeof scheme - 1));
    const uint8_t *slash = memchr(rest.p, '/', rest.n);
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= 0x20 || rest.p[i] > 0x7e) return false;
    return address_ok(slash ? slice_of(rest.p, (size_t)(slash - rest.p)) : rest);
}

static bool pem_text(struct slice s)
{
    struct arena a;
    struct slice der;
    if (!s.n) return true;
    if (s.n > PEM_MAX || !memmem(s.p, s.n, "-----BEGIN CERTIFICATE-----", 27)) return false;
    arena_init(&a, 1 << 20);
    bool good = cert_read(s, &der, &a, &(struct err){ 0 }) == OK;
    arena_free(&a);
    return good;
}

static const struct { const char *name; size_t at; bool (*good)(struct slice s); const char *must; } texts[] = {
    { "name", offsetof(struct smdp_account, name), name_text, "must be 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'" },
    { "operator", offsetof(struct smdp_account, operator_name), any_text, "must be a text of at most 256 octets" },
    { "address", offsetof(struct smdp_account, address), address_ok, "must be HOST or HOST:PORT, as in activation codes" },
    { "oid", offsetof(struct smdp_account, oid), oid_text, "must be an object identifier such as 2.999.10" },
    { "trust", offsetof(struct smdp_account, trust_pem), pem_text, "must be certificates in PEM, at most 64 KiB" },
    { "es2_url", offsetof(struct smdp_account, es2_url), url_text, "must be https://HOST[:PORT][/PATH]" },
    { "es2_credential", offsetof(struct smdp_account, es2_credential), credential_text, "must be the name of a client credential" },
    { "es2_peer", offsetof(struct smdp_account, es2_peer), pem_text, "must be certificates in PEM, at most 64 KiB" },
    { "function_requester", offsetof(struct smdp_account, function_requester), any_text, "must be a text of at most 256 octets" },
    { "x_admin_protocol", offsetof(struct smdp_account, x_admin), version_text, "must be a version such as 2.1.0" },
};
static const struct { const char *name; size_t at; } flags[] = {
    { "enabled", offsetof(struct smdp_account, enabled) },
    { "es2_release", offsetof(struct smdp_account, es2_release) },
};
static const struct { const char *name; size_t at; int64_t least, most, usual; } numbers[] = {
    { "connect_timeout_ms", offsetof(struct smdp_account, connect_ms), 100, 60000, SMDP_CONNECT_MS },
    { "total_timeout_ms", offsetof(struct smdp_account, total_ms), 100, 120000, SMDP_TOTAL_MS },
    { "max_parallel", offsetof(struct smdp_account, max_parallel), 1, 1000, SMDP_PARALLEL },
};
enum { TEXTS = sizeof texts / sizeof texts[0], FLAGS = sizeof flags / sizeof flags[0], NUMBERS = sizeof numbers / sizeof numbers[0] };

static enum eim_err text_member(struct smdp_account *s, size_t i, const json_t *v, struct arena *a, struct err *e)
{
    struct slice text = json_slice(v), copy = { 0 };
    if ((!json_is_string(v) && !json_is_null(v)) || !texts[i].good(text)) return fail_field(e, E_INVALID, NULL, texts[i].name, "%s", texts[i].must);
    if (text.n && !(copy = arena_copy(a, text)).p) return fail(e, E_NOMEM, NULL, "no room for an SM-DP+ account");
    memcpy((char *)s + texts[i].at, &copy, sizeof copy);
    return OK;
}

static enum eim_err number_member(struct smdp_account *s, size_t i, const json_t *v, struct err *e)
{
    int64_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < numbers[i].least || n > numbers[i].most)
        return fail_field(e, E_INVALID, NULL, numbers[i].name, "must be a whole number from %lld to %lld", (long long)numbers[i].least,
                          (long long)numbers[i].most);
    memcpy((char *)s + numbers[i].at, &n, sizeof n);
    return OK;
}

static enum eim_err member(struct smdp_account *s, const char *name, const json_t *v, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (!strcmp(name, texts[i].name)) return text_member(s, i, v, a, e);
    for (size_t i = 0; i < NUMBERS; i++)
        if (!strcmp(name, numbers[i].name)) return number_member(s, i, v, e);
    for (size_t i = 0; i < FLAGS; i++) {
        bool on = json_is_true(v);
        if (strcmp(name, flags[i].name)) continue;
        if (!json_is_boolean(v)) return fail_field(e, E_INVALID, NULL, name, "must be true or false");
        memcpy((char *)s + flags[i].at, &on, sizeof on);
        return OK;
    }
    return fail_field(e, E_INVALID, NULL, name, "there is no member '%.40s' here", name);
}

enum eim_err manage_smdp_from_json(const json_t *v, struct smdp_account *out, struct arena *a, struct err *e)
{
    const char *name;
    json_t *m;
    *out = (struct smdp_account){ .enabled = true };
    for (size_t i = 0; i < NUMBERS; i++) memcpy((char *)out + numbers[i].at, &numbers[i].usual, sizeof numbers[i].usual);
    if (!json_is_object(v)) return fail(e, E_INVALID, NULL, "an SM-DP+ account is a JSON object");
    json_object_foreach((json_t *)(uintptr_t)v, name, m) TRY(member(out, name, m, a, e));
    if (!out->name.n) return fail_field(e, E_INVALID, NULL, "name", "is missing");
    if (!out->address.n) return fail_field(e, E_INVALID, NULL, "address", "is missing");
    uint8_t *p = (uint8_t *)(uintptr_t)out->address.p;             /* our copy */
    for (size_t i = 0; i < out->address.n; i++) p[i] = (uint8_t)tolower(p[i]);
    return OK;
}

json_t *manage_smdp_json(const struct smdp_account *s)
{
    json_t *o = json_object();
    for (size_t i = 0; i < TEXTS; i++) {
        struct slice text;
        memcpy(&text, (const char *)s + texts[i].at, sizeof text);
        json_object_set_new(o, texts[i].name, text.n ? json_stringn((const char *)text.p, text.n) : json_null());
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        int64_t n;
        memcpy(&n, (const char *)s + numbers[i].at, sizeof n);
        json_object_set_new(o, numbers[i].name, json_integer(n));
    }
    for (size_t i = 0; i < FLAGS; i++) {
        bool on;
        memcpy(&on, (const char *)s + flags[i].at, sizeof on);
        json_object_set_new(o, flags[i].name, json_boolean(on));
    }
    return o;
}

/* ---- looking ---- */

enum eim_err manage_smdps(struct eim *m, const struct principal *p, int64_t after, unsigned limit, struct smdp_list *out, struct arena *a,
                          struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_smdp_list(t, p->tenant, after, limit, out, a, e);
    store_read_end(t);
    return rc;
}

enum eim_err manage_smdp(struct eim *m, const struct principal *p, int64_t id, struct smdp_account *out, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_smdp_get(t, p->tenant, id, out, a, e);
    store_read_end(t);
    if (rc != OK) return rc;
    return out->id ? OK : fail_field(e, E_NOT_FOUND, NULL, "id", "no such SM-DP+ account");
}

/* ---- changing ---- */

struct change {
    struct store_job job;              /* first member */
    struct eim *m;
    const struct principal *p;
    struct smdp_account s;             /* id: that row */
    enum { ADD, REPLACE, REMOVE } what;
    struct arena *a;
};

static enum eim_err change_apply(struct tx *t, struct store_job *job, struct err *e)
{
    static const char *const actions[] = { [ADD] = "smdp.added", [REPLACE] = "smdp.changed", [REMOVE] = "smdp.removed" };
    struct change *c = (struct change *)job;
    struct smdp_account there;
    struct smdp_list all;
    bool changed;
    TRY(store_smdp_get(t, c->p->tenant, c->s.id, &there, c->a, e));
    if (c->what != ADD && !there.id) return fail_field(e, E_NOT_FOUND, NULL, "id", "no such SM-DP+ account");
    if (c->what == ADD) {
        TRY(store_smdp_list(t, c->p->tenant, 0, ACCOUNTS_MAX, &all, c->a, e));
        if (all.n >= ACCOUNTS_MAX) return fail(e, E_LIMIT, NULL, "a tenant has at most %d SM-DP+ accounts", ACCOUNTS_MAX);
    }
    if (c->what == REMOVE) TRY(store_smdp_delete(t, c->p->tenant, c->s.id, &changed, e));
    else TRY(store_smdp_put(t, &c->s, e));
    const struct smdp_account *s = c->what == REMOVE ? &there : &c->s;
    char *detail = arena_printf(c->a, "%.*s %.*s%s", (int)s->name.n, (const char *)s->name.p, (int)s->address.n, (const char *)s->address.p,
                                s->enabled ? "" : " (disabled)");
    if (!detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct audit_entry en = { .tenant = c->p->tenant, .principal = c->p->name, .action = actions[c->what], .detail = slice_str(detail) };
    return audit_add(t, c->m->host->env, &en, e);
}

enum eim_err manage_smdp_put(struct eim *m, const struct principal *p, int64_t id, struct smdp_account *s, struct arena *a, struct err *e)
{
    s->id = id ? id : env_id(m->host->env);
    s->tenant = p->tenant;
    s->changed_us = eim_now(m);
    struct change c = { .job.apply = change_apply, .m = m, .p = p, .s = *s, .what = id ? REPLACE : ADD, .a = a };
    return store_run(m->host->store, &c.job, e);
}

enum eim_err manage_smdp_delete(struct eim *m, const struct principal *p, int64_t id, struct arena *a, struct err *e)
{
    struct change c = { .job.apply = change_apply, .m = m, .p = p, .s.id = id, .what = REMOVE, .a = a };
    return store_run(m->host->store, &c.job, e);
}
