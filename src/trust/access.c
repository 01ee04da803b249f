/* access.c -- who may do what: default deny, one table of permissions, roles as sets of them. */
#include "trust/access.h"

#include "base/buf.h"
#include "trust/audit.h"

static const struct { const char *name, *text; } permissions[PERM_END] = {
#define X(perm, name, text) [perm] = { name, text },
    PERMISSIONS(X)
#undef X
};

const char *permission_name(enum permission p)
{
    return (unsigned)p < PERM_END ? permissions[p].name : "?";
}

const char *permission_text(enum permission p)
{
    return (unsigned)p < PERM_END ? permissions[p].text : "?";
}

enum permission permission_named(struct slice name)
{
    for (int p = PERM_NONE + 1; p < PERM_END; p++)
        if (slice_eq(name, slice_str(permissions[p].name))) return (enum permission)p;
    return PERM_END;
}

enum eim_err access_check(const struct principal *p, enum permission perm, struct err *e)
{
    if ((unsigned)perm < PERM_END) {
        if (perm == PERM_NONE) return OK;
        if (p && p->may & PERM_BIT(perm)) return OK;
    }
    return fail(e, E_FORBIDDEN, NULL, "the permission %s is needed: %s", permission_name(perm), permission_text(perm));
}

enum eim_err access_gives(const struct principal *p, uint64_t may, struct err *e)
{
    for (int perm = PERM_NONE + 1; perm < PERM_END; perm++)
        if (may & PERM_BIT(perm) && !(p->may & PERM_BIT(perm)))
            return fail(e, E_FORBIDDEN, NULL, "nobody gives away what he may not do himself: %s", permission_name((enum permission)perm));
    return OK;
}

/* ---- built-in roles: a permission that stands in no row here is the administrator's alone ---- */

#define P(name) PERM_BIT(PERM_##name)
#define MAY_LOOK             (P(DEVICE_READ) | P(OPERATION_READ) | P(NOTIFICATION_READ) | P(SMDP_READ) | P(POOL_READ) | P(EVENT_READ) \
                              | P(EIM_READ) | P(METRICS) | P(SELF))
#define MAY_viewer           MAY_LOOK
#define MAY_operator         (MAY_LOOK | P(DEVICE_ENROL) | P(DEVICE_CHANGE) | P(OPERATION_CREATE) | P(OPERATION_CANCEL) | P(NOTIFICATION_CHANGE))
#define MAY_approver         MAY_LOOK
#define MAY_policy_author    MAY_LOOK
#define MAY_security_officer (MAY_LOOK | P(QUARANTINE) | P(AUDIT_READ) | P(EVIDENCE_EXPORT) | P(TOKEN_READ) | P(TOKEN_MANAGE) | P(ROLE_READ) | P(ROLE_MANAGE))
#define MAY_administrator    (PERM_BIT(PERM_END) - 1 - P(NONE))

static const struct { const char *name, *text; uint64_t may; } built_in[] = {
#define X(name, text) { #name, text, MAY_##name },
    ROLES(X)
#undef X
};
enum { BUILT_IN = sizeof built_in / sizeof built_in[0] };

static bool find_built_in(struct slice name, struct role *out)
{
    for (size_t i = 0; i < BUILT_IN; i++) {
        if (!slice_eq(name, slice_str(built_in[i].name))) continue;
        if (out) *out = (struct role){ .name = slice_str(built_in[i].name), .text = slice_str(built_in[i].text), .may = built_in[i].may, .built_in = true };
        return true;
    }
    return false;
}

/* ---- own roles ---- */

/* Words that are no permission any more (the database was written by another version) allow nothing. */
static uint64_t read_words(struct slice text)
{
    uint64_t may = 0;
    while (text.n) {
        const uint8_t *end = memchr(text.p, ' ', text.n);
        struct slice word = slice_of(text.p, end ? (size_t)(end - text.p) : text.n);
        enum permission p = permission_named(word);
        if (p != PERM_END) may |= PERM_BIT(p);
        text = end ? slice_of(end + 1, text.n - word.n - 1) : slice_of(text.p + text.n, 0);
    }
    return may;
}

static struct role own(const struct role_row *r)
{
    return (struct role){ .name = r->name, .may = read_words(r->permissions) };
}

enum eim_err access_role(struct host *h, int64_t tenant, struct slice name, struct role *out, struct arena *a, struct err *e)
{
    struct role_row row;
    struct tx *t;
    if (find_built_in(name, out)) return OK;
    TRY(store_read_begin(h->store, &t, e));
    enum eim_err rc = store_role_get(t, tenant, name, &row, a, e);
    store_read_end(t);
    if (rc != OK) return rc;
    if (!row.tenant) return fail_field(e, E_NOT_FOUND, NULL, "role", "there is no such role");
    *out = own(&row);
    return OK;
}

enum eim_err access_roles(struct host *h, int64_t tenant, struct roles *out, struct arena *a, struct err *e)
{
    struct role_list rows;
    struct tx *t;
    *out = (struct roles){ 0 };
    TRY(store_read_begin(h->store, &t, e));
    enum eim_err rc = store_role_list(t, tenant, &rows, a, e);
    store_read_end(t);
    if (rc != OK) return rc;
    out->v = ARENA_ARRAY(a, struct role, BUILT_IN + rows.n);
    if (!out->v) return fail(e, E_NOMEM, NULL, "no room for the roles");
    for (size_t i = 0; i < BUILT_IN; i++) (void)find_built_in(slice_str(built_in[i].name), &out->v[out->n++]);
    for (size_t i = 0; i < rows.n; i++) out->v[out->n++] = own(&rows.v[i]);
    return OK;
}

/* One change of a role: what is there is judged in the transaction that changes it. */
struct change {
    struct store_job job;              /* first member */
    struct host *host;
    const struct principal *p;
    struct role_row row;               /* permissions empty and `gone` set: remove it */
    bool gone;
    struct arena arena;
};

static enum eim_err change_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct role_row there;
    struct role_list all;
    bool changed = true;
    arena_reset(&c->arena);
    TRY(store_role_get(t, c->row.tenant, c->row.name, &there, &c->arena, e));
    if (there.tenant) TRY(access_gives(c->p, read_words(there.permissions), e));
    if (!there.tenant && c->gone) return fail_field(e, E_NOT_FOUND, NULL, "name", "there is no such role");
    if (!there.tenant) {
        TRY(store_role_list(t, c->row.tenant, &all, &c->arena, e));
        if (all.n >= ROLES_OWN_MAX) return fail(e, E_LIMIT, NULL, "a tenant has at most %d roles of its own", ROLES_OWN_MAX);
    }
    if (c->gone) TRY(store_role_delete(t, c->row.tenant, c->row.name, &changed, e));
    else TRY(store_role_put(t, &c->row, e));
    char *what = arena_printf(&c->arena, "%.*s: %.*s", (int)c->row.name.n, (const char *)c->row.name.p, (int)c->row.permissions.n,
                              (const char *)c->row.permissions.p);
    if (!what) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct audit_entry en = { .tenant = c->row.tenant, .principal = c->p->name, .action = c->gone ? "role.removed" : "role.changed",
                              .detail = c->gone ? c->row.name : slice_str(what) };
    return audit_add(t, c->host->env, &en, e);
}

static enum eim_err change(struct host *h, const struct principal *p, struct role_row row, bool gone, struct err *e)
{
    if (find_built_in(row.name, NULL)) return fail_field(e, E_STATE, NULL, "name", "a built-in role stays as it is");
    struct change c = { .job.apply = change_apply, .host = h, .p = p, .row = row, .gone = gone };
    arena_init(&c.arena, 4 << 20);
    enum eim_err rc = store_run(h->store, &c.job, e);
    arena_free(&c.arena);
    return rc;
}

static bool name_ok(struct slice s)
{
    if (!s.n || s.n > 64) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_')) return false;
    return true;
}

enum eim_err access_role_put(struct host *h, const struct principal *p, struct slice name, uint64_t may, struct arena *a, struct err *e)
{
    struct buf words;
    if (!name_ok(name)) return fail_field(e, E_INVALID, NULL, "name", "a role's name is 1 to 64 of a-z, 0-9 and _");
    TRY(access_gives(p, may, e));
    buf_init(&words, 4096);
    for (int perm = PERM_NONE + 1; perm < PERM_END; perm++)
        if (may & PERM_BIT(perm)) buf_printf(&words, "%s%s", words.n ? " " : "", permission_name((enum permission)perm));
    struct slice text = words.failed ? (struct slice){ 0 } : arena_copy(a, buf_slice(&words));
    bool lost = words.failed || (words.n && !text.n);
    buf_free(&words);
    if (lost) return fail(e, E_NOMEM, NULL, "no room for the role");
    return change(h, p, (struct role_row){ .tenant = p->tenant, .name = name, .permissions = text, .changed_us = h->env->now(h->env) }, false, e);
}

enum eim_err access_role_delete(struct host *h, const struct principal *p, struct slice name, struct err *e)
{
    return change(h, p, (struct role_row){ .tenant = p->tenant, .name = name }, true, e);
}
