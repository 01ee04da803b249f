/* access.c -- eimctl token, role, whoami, access explain: who may do what. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/order.h"
#include "app/eimctl/out.h"

/* The words of an array, with `between` between them, in c->page. */
static const char *joined(struct ctl *c, const json_t *list, const char *between)
{
    const char *all = "";
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)(uintptr_t)list, i, v) {
        const char *s = json_string_value(v);
        if (s && all) all = arena_printf(&c->page, "%s%s%s", all, i ? between : "", s);
    }
    return all && *all ? all : NULL;
}

/* ---- tokens ---- */

static void show_tokens(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        if (c->json) out_json(o);
        else
            table_row(t, (const char *[]){ out_string(c, o, "id"), out_string(c, o, "name"), out_string(c, o, "role"), out_time(c, o, "created_at"),
                                           out_time(c, o, "expires_at"), out_time(c, o, "revoked_at"), out_time(c, o, "used_at") });
    }
    if (!c->json) table_print(t);
}

int token_list(struct ctl *c)
{
    static const char *const head[] = { "TOKEN", "NAME", "ROLE", "CREATED", "EXPIRES", "REVOKED", "USED", NULL };
    struct table t;
    if (!table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, "/v1/tokens", "", show_tokens, &t);
}

int token_create(struct ctl *c)
{
    const char *role = ctl_option(c, "--role"), *expires = ctl_option(c, "--expires");
    json_t *body = json_pack("{s:s,s:s}", "name", c->pos[0], "role", role ? role : ""), *o;
    if (!role) {
        json_decref(body);
        return ctl_fail(c, CTL_USAGE, "--role is needed: see eimctl role list");
    }
    int rc = expires ? order_expiry(c, body, expires) : CTL_OK;
    if (rc != CTL_OK) {
        json_decref(body);
        return rc;
    }
    rc = api_post_json(c, body, &o, "/v1/tokens");
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else {
        fprintf(stderr, "token %s: its secret stands here and nowhere else\n", out_string(c, o, "id"));
        printf("%s\n", out_string(c, o, "token"));
    }
    json_decref(o);
    return CTL_OK;
}

/* A change without an answer, on what the first argument names. */
static int change(struct ctl *c, const char *method, json_t *body, const char *what, const char *said)
{
    json_t *none;
    int rc = api_send_json(c, method, body, &none, "/v1/%s/%s", what, api_escape(c, c->pos[0]));
    json_decref(none);
    if (rc == CTL_OK && !c->json) printf("%s\n", said);
    return rc;
}

int token_revoke(struct ctl *c)
{
    return change(c, "DELETE", NULL, "tokens", "revoked");
}

/* ---- roles ---- */

int role_list(struct ctl *c)
{
    static const char *const head[] = { "ROLE", "BUILT IN", "PERMISSIONS", NULL };
    struct table t;
    json_t *o, *r;
    size_t i;
    int rc = api_get(c, &o, "/v1/roles");
    if (rc != CTL_OK) return rc;
    const json_t *items = json_object_get(o, "items");
    if (c->json) out_json(o);
    else if (!table_init(&t, c, json_array_size(items) + 1, head)) rc = ctl_fail(c, CTL_REFUSED, "out of memory");
    else {
        json_array_foreach((json_t *)(uintptr_t)items, i, r)
            table_row(&t, (const char *[]){ out_string(c, r, "name"), json_is_true(json_object_get(r, "built_in")) ? "yes" : "no",
                                            joined(c, json_object_get(r, "permissions"), " ") });
        table_print(&t);
    }
    json_decref(o);
    return rc;
}

int role_set(struct ctl *c)
{
    json_t *list = json_array();
    for (const char *p = c->pos[1]; *p;) {
        size_t n = strcspn(p, ",");
        if (n) json_array_append_new(list, json_stringn(p, n));
        p += n + (p[n] == ',');
    }
    return change(c, "PUT", json_pack("{s:o}", "permissions", list), "roles", "set");
}

int role_remove(struct ctl *c)
{
    return change(c, "DELETE", NULL, "roles", "removed");
}

/* ---- who and why ---- */

int whoami(struct ctl *c)
{
    json_t *o;
    int rc = api_get(c, &o, "/v1/whoami");
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else {
        out_fact("name", out_string(c, o, "name"));
        out_fact("tenant", out_string(c, o, "tenant"));
        out_fact("role", out_string(c, o, "role"));
        out_fact("may", joined(c, json_object_get(o, "permissions"), " "));
    }
    json_decref(o);
    return CTL_OK;
}

int access_explain(struct ctl *c)
{
    json_t *o;
    int rc = api_post_json(c, json_pack("{s:s,s:s,s:s}", "role", c->pos[0], "method", c->pos[1], "path", c->pos[2]), &o, "/v1/access/explain");
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else {
        out_fact("allowed", json_is_true(json_object_get(o, "allowed")) ? "yes" : "no");
        out_fact("permission", out_string(c, o, "permission"));
        out_fact("why", out_string(c, o, "why"));
        out_fact("roles that may", joined(c, json_object_get(o, "roles_that_may"), ", "));
    }
    json_decref(o);
    return CTL_OK;
}
