/* smdp.c -- eimctl smdp: SM-DP+ accounts listed, shown, added, changed, removed. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/out.h"

static void show_list(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        if (c->json) out_json(o);
        else
            table_row(t, (const char *[]){ out_string(c, o, "id"), out_string(c, o, "name"), out_string(c, o, "operator"), out_string(c, o, "address"),
                                           json_is_true(json_object_get(o, "enabled")) ? "yes" : "no" });
    }
    if (!c->json) table_print(t);
}

int smdp_list(struct ctl *c)
{
    static const char *const head[] = { "SM-DP+", "NAME", "OPERATOR", "ADDRESS", "ENABLED", NULL };
    struct table t;
    if (!table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, "/v1/smdp-accounts", "", show_list, &t);
}

static int show(struct ctl *c, json_t *o)
{
    static const char *const names[] = { "name", "operator", "address", "oid", "enabled", "es2_url", "es2_credential", "es2_release",
                                         "function_requester",
                                         "x_admin_protocol", "connect_timeout_ms", "total_timeout_ms", "max_parallel" };
    if (c->json) out_json(o);
    else {
        out_fact("SM-DP+", out_string(c, o, "id"));
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) out_fact(names[i], out_string(c, o, names[i]));
        out_fact("es2_peer", json_is_string(json_object_get(o, "es2_peer")) ? "may notify us" : "may not notify us");
        out_fact("trust", json_is_string(json_object_get(o, "trust")) ? "its own anchors" : "the CI roots");
        out_fact("changed", out_time(c, o, "changed_at"));
    }
    json_decref(o);
    return CTL_OK;
}

int smdp_show(struct ctl *c)
{
    json_t *o;
    int rc = api_get(c, &o, "/v1/smdp-accounts/%s", api_escape(c, c->pos[0]));
    return rc == CTL_OK ? show(c, o) : rc;
}

/* MEMBER=VALUE into the object: a number, true, false, @FILE, or a text; nothing after the = takes the member away. */
static int assign(struct ctl *c, json_t *o, const char *text)
{
    const char *eq = strchr(text, '=');
    int64_t n;
    if (!eq || eq == text) return ctl_fail(c, CTL_USAGE, "%s: MEMBER=VALUE is needed", text);
    char *name = arena_str(&c->arena, slice_of(text, (size_t)(eq - text)));
    const char *value = eq + 1;
    json_t *v = NULL;
    if (!name) return ctl_fail(c, CTL_REFUSED, "out of memory");
    bool flag = !strcmp(name, "enabled") || !strcmp(name, "es2_release");
    bool number = strstr(name, "_ms") || !strcmp(name, "max_parallel");
    if (!*value) {
        json_object_del(o, name);
        return CTL_OK;
    }
    if (*value == '@') {
        struct buf b;
        buf_init(&b, CTL_TEXT_MAX);
        bool read = ctl_read(c, value + 1, &b);
        if (read) v = json_stringn((const char *)b.p, b.n);
        buf_free(&b);
        if (!read) return CTL_REFUSED;
    } else if (number && ctl_digits(value, INT64_MAX, &n)) v = json_integer(n);
    else if (flag) v = !strcmp(value, "true") ? json_true() : !strcmp(value, "false") ? json_false() : json_string(value);
    else v = json_string(value);
    return json_object_set_new(o, name, v) == 0 ? CTL_OK : ctl_fail(c, CTL_USAGE, "%s: no text", name);
}

int smdp_add(struct ctl *c)
{
    json_t *o = json_pack("{s:s,s:s}", "name", c->pos[0], "address", c->pos[1]), *made;
    int rc = CTL_OK;
    for (size_t i = 0; rc == CTL_OK && i < c->nopt; i++)
        if (!strcmp(c->opt[i].name, "--set")) rc = assign(c, o, c->opt[i].value);
    if (rc != CTL_OK) {
        json_decref(o);
        return rc;
    }
    rc = api_post_json(c, o, &made, "/v1/smdp-accounts");
    return rc == CTL_OK ? show(c, made) : rc;
}

int smdp_set(struct ctl *c)
{
    json_t *o, *now;
    const char *id = api_escape(c, c->pos[0]);
    int rc = api_get(c, &o, "/v1/smdp-accounts/%s", id);
    if (rc != CTL_OK) return rc;
    json_object_del(o, "id");
    json_object_del(o, "changed_at");
    for (size_t i = 0; rc == CTL_OK && i < c->nopt; i++)
        if (!strcmp(c->opt[i].name, "--set")) rc = assign(c, o, c->opt[i].value);
    if (rc != CTL_OK) {
        json_decref(o);
        return rc;
    }
    rc = api_send_json(c, "PUT", o, &now, "/v1/smdp-accounts/%s", id);
    return rc == CTL_OK ? show(c, now) : rc;
}

int smdp_remove(struct ctl *c)
{
    json_t *none;
    int rc = api_send_json(c, "DELETE", NULL, &none, "/v1/smdp-accounts/%s", api_escape(c, c->pos[0]));
    json_decref(none);
    if (rc == CTL_OK && !c->json) printf("removed\n");
    return rc;
}
