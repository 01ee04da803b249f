/* rest_access.c -- tokens, roles, and who may do what: seen, changed, explained. */
#include "front/rest_int.h"

#include "base/env.h"
#include "trust/access.h"

#include <stdio.h>

/* ---- tokens ---- */

static json_t *token_json(const struct token *k, struct arena *a)
{
    json_t *o = json_object();
    jsonout_text(o, "id", slice_str(arena_printf(a, "tok_%016llx", (unsigned long long)k->id)));
    jsonout_text(o, "name", k->name);
    jsonout_text(o, "role", k->role);
    jsonout_time(o, "created_at", k->created_us);
    jsonout_time(o, "expires_at", k->expires_us);
    jsonout_time(o, "revoked_at", k->revoked_us);
    jsonout_time(o, "used_at", k->used_us);
    return o;
}

enum eim_err rest_tokens_list(struct rest_call *c, struct err *e)
{
    struct token_list list = { 0 };
    TRY(identity_tokens(c->rest->c.host, &c->who, c->cursor, c->limit, &list, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++) json_array_append_new(items, token_json(&list.v[i], c->arena));
    return rest_reply_page(c, items, list.n && list.n == c->limit ? list.v[list.n - 1].id : 0, e);
}

enum eim_err rest_token_create(struct rest_call *c, struct err *e)
{
    const json_t *name = NULL, *role = NULL, *expires = NULL;
    const struct rest_member known[] = { { "name", &name }, { "role", &role }, { "expires_at", &expires } };
    struct slice name_text, role_text;
    struct token k;
    char *secret;
    int64_t expires_us = 0;
    TRY(rest_members(c->body, known, 3, e));
    TRY(rest_text(name, "name", &name_text, e));
    TRY(rest_text(role, "role", &role_text, e));
    if (expires && !json_is_null(expires) && (!json_is_string(expires) || env_parse_rfc3339(json_string_value(expires), &expires_us) != 0))
        return fail_field(e, E_INVALID, "RFC 3339", "expires_at", "must be a time such as 2026-12-31T00:00:00Z");
    TRY(identity_token_order(c->rest->c.host, &c->who, name_text, role_text, expires_us, &k, &secret, c->arena, e));
    json_t *o = token_json(&k, c->arena);
    json_object_set_new(o, "token", json_string(secret));
    c->status = 201;
    return rest_reply_json(c, o, e);
}

enum eim_err rest_token_revoke(struct rest_call *c, struct err *e)
{
    int64_t id;
    TRY(rest_id(c, "tok_", "a token", &id, e));
    TRY(identity_token_revoke(c->rest->c.host, &c->who, id, e));
    c->status = 204;
    return OK;
}

/* ---- roles ---- */

static json_t *words(uint64_t may)
{
    json_t *list = json_array();
    for (int p = PERM_NONE + 1; p < PERM_END; p++)
        if (may & PERM_BIT(p)) json_array_append_new(list, json_string(permission_name((enum permission)p)));
    return list;
}

enum eim_err rest_roles_list(struct rest_call *c, struct err *e)
{
    struct roles roles;
    TRY(access_roles(c->rest->c.host, c->who.tenant, &roles, c->arena, e));
    json_t *items = json_array(), *o = json_object(), *all = json_array();
    for (size_t i = 0; i < roles.n; i++) {
        json_t *r = json_object();
        jsonout_text(r, "name", roles.v[i].name);
        json_object_set_new(r, "built_in", json_boolean(roles.v[i].built_in));
        jsonout_text_or_null(r, "text", roles.v[i].text);
        json_object_set_new(r, "permissions", words(roles.v[i].may));
        json_array_append_new(items, r);
    }
    for (int p = PERM_NONE + 1; p < PERM_END; p++)
        json_array_append_new(all, json_pack("{s:s,s:s}", "name", permission_name((enum permission)p), "text", permission_text((enum permission)p)));
    json_object_set_new(o, "items", items);
    json_object_set_new(o, "permissions", all);
    return rest_reply_json(c, o, e);
}

enum eim_err rest_role_put(struct rest_call *c, struct err *e)
{
    const json_t *list = NULL, *v;
    uint64_t may = 0;
    size_t i;
    TRY(rest_members(c->body, &(struct rest_member){ "permissions", &list }, 1, e));
    if (!json_is_array(list)) return fail_field(e, E_INVALID, NULL, "permissions", "must be an array of names");
    json_array_foreach((json_t *)(uintptr_t)list, i, v) {
        enum permission p = permission_named(json_slice(v));
        const char *name = json_string_value(v);
        if (p == PERM_END) return fail_field(e, E_INVALID, NULL, "permissions", "there is no permission '%.40s'", name ? name : "");
        may |= PERM_BIT(p);
    }
    TRY(access_role_put(c->rest->c.host, &c->who, c->params[0], may, c->arena, e));
    c->status = 204;
    return OK;
}

enum eim_err rest_role_delete(struct rest_call *c, struct err *e)
{
    TRY(access_role_delete(c->rest->c.host, &c->who, c->params[0], e));
    c->status = 204;
    return OK;
}

/* ---- who, and why ---- */

enum eim_err rest_whoami(struct rest_call *c, struct err *e)
{
    json_t *o = json_object();
    jsonout_text(o, "name", c->who.name);
    json_object_set_new(o, "tenant", json_integer(c->who.tenant));
    jsonout_text(o, "role", c->who.role);
    json_object_set_new(o, "permissions", words(c->who.may));
    return rest_reply_json(c, o, e);
}

/* {"role","method","path"}: would a token with this role pass the door of that route, and what decides it? */
enum eim_err rest_explain(struct rest_call *c, struct err *e)
{
    const json_t *role = NULL, *method = NULL, *path = NULL;
    const struct rest_member known[] = { { "role", &role }, { "method", &method }, { "path", &path } };
    struct slice role_text, method_text, path_text;
    struct role r;
    struct roles all;
    TRY(rest_members(c->body, known, 3, e));
    TRY(rest_text(role, "role", &role_text, e));
    TRY(rest_text(method, "method", &method_text, e));
    TRY(rest_text(path, "path", &path_text, e));
    const struct rest_route *row = rest_route_of(json_string_value(method), json_string_value(path));
    if (!row) return fail_field(e, E_NOT_FOUND, NULL, "path", "no route has this method and path");
    TRY(access_role(c->rest->c.host, c->who.tenant, role_text, &r, c->arena, e));
    TRY(access_roles(c->rest->c.host, c->who.tenant, &all, c->arena, e));
    struct principal p = { .tenant = c->who.tenant, .may = r.may };
    struct err why = { 0 };
    bool allowed = access_check(&p, row->permission, &why) == OK;
    json_t *o = json_object(), *others = json_array();
    json_object_set_new(o, "allowed", json_boolean(allowed));
    json_object_set_new(o, "route", json_pack("{s:s,s:s}", "method", row->method, "path", row->path));
    json_object_set_new(o, "permission", row->permission == PERM_NONE ? json_null() : json_string(permission_name(row->permission)));
    char *text = allowed ? arena_printf(c->arena, row->permission == PERM_NONE ? "this route needs no permission" : "the role %.*s has the permission %s",
                                        (int)r.name.n, (const char *)r.name.p, permission_name(row->permission))
                         : arena_printf(c->arena, "the role %.*s lacks it: %s", (int)r.name.n, (const char *)r.name.p, why.why);
    jsonout_text(o, "why", slice_str(text));
    for (size_t i = 0; i < all.n; i++)
        if (row->permission == PERM_NONE || all.v[i].may & PERM_BIT(row->permission)) {
            char *name = arena_str(c->arena, all.v[i].name);
            if (name) json_array_append_new(others, json_string(name));
        }
    json_object_set_new(o, "roles_that_may", others);
    return rest_reply_json(c, o, e);
}
