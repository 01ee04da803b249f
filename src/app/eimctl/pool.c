/* pool.c -- pools of activation codes: listed, shown, made, filled from a file, removed. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"
#include "crypto/digest.h"

enum { BATCH = 1000 };

static void show_list(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        if (c->json) out_json(o);
        else
            table_row(t, (const char *[]){ out_string(c, o, "id"), out_string(c, o, "name"), out_string(c, o, "operator"),
                                           out_string(c, o, "profile_type"), out_string(c, o, "smdp"), out_string(c, o, "codes.free"),
                                           json_is_true(json_object_get(o, "low")) ? "yes" : "no" });
    }
    if (!c->json) table_print(t);
}

int pool_list(struct ctl *c)
{
    static const char *const head[] = { "POOL", "NAME", "OPERATOR", "PROFILE TYPE", "SM-DP+", "FREE", "LOW", NULL };
    struct table t;
    if (!table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, "/v1/code-pools", "", show_list, &t);
}

static int show(struct ctl *c, json_t *o)
{
    static const char *const names[] = { "name", "operator", "profile_type", "smdp", "warn_below", "low", "codes.free", "codes.reserved",
                                         "codes.handed_out", "codes.used", "codes.unclear", "codes.withdrawn" };
    if (c->json) out_json(o);
    else {
        out_fact("pool", out_string(c, o, "id"));
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) out_fact(names[i], out_string(c, o, names[i]));
    }
    json_decref(o);
    return CTL_OK;
}

int pool_show(struct ctl *c)
{
    json_t *o;
    int rc = api_get(c, &o, "/v1/code-pools/%s", api_escape(c, c->pos[0]));
    return rc == CTL_OK ? show(c, o) : rc;
}

int pool_add(struct ctl *c)
{
    int64_t warn;
    json_t *made;
    int rc = ctl_number(c, "--warn-below", 0, 100000, 0, &warn);
    if (rc != CTL_OK) return rc;
    rc = api_post_json(c, json_pack("{s:s,s:s,s:s,s:s,s:I}", "name", c->pos[0], "operator", c->pos[1], "profile_type", c->pos[2], "smdp", c->pos[3],
                                    "warn_below", (json_int_t)warn), &made, "/v1/code-pools");
    return rc == CTL_OK ? show(c, made) : rc;
}

/* Send what was gathered; lines[i] is where the i-th stood in the file. Takes the reference. */
static int send_batch(struct ctl *c, json_t *codes, const long *lines, long *refused)
{
    json_t *report, *one;
    size_t i;
    int rc = api_post_json(c, json_pack("{s:o}", "codes", codes), &report, "/v1/code-pools/%s/codes", api_escape(c, c->pos[0]));
    if (rc != CTL_OK) return rc;
    json_array_foreach(json_object_get(report, "refused"), i, one) {
        json_int_t n = json_integer_value(json_object_get(one, "line"));
        ++*refused;
        fprintf(stderr, "line %ld: ", n >= 1 && n <= BATCH ? lines[n - 1] : 0);
        (void)out_text(stderr, slice_str(json_string_value(json_object_get(one, "detail"))));
        fprintf(stderr, "\n");
    }
    if (c->json) out_json(report);
    else printf("%lld codes are in\n", (long long)json_integer_value(json_object_get(report, "added")));
    json_decref(report);
    return CTL_OK;
}

/* One code a line; empty lines and lines that begin with # are passed over. */
int pool_fill(struct ctl *c)
{
    long lines[BATCH];
    struct buf text;
    long number = 0, refused = 0;
    int rc = CTL_OK;
    buf_init(&text, CTL_TEXT_MAX);
    if (!ctl_read(c, c->pos[1], &text)) {
        buf_free(&text);
        return CTL_REFUSED;
    }
    json_t *codes = json_array();
    struct slice rest = buf_slice(&text);
    while (rc == CTL_OK && rest.n) {
        const uint8_t *nl = memchr(rest.p, '\n', rest.n);
        struct slice line = slice_of(rest.p, nl ? (size_t)(nl - rest.p) : rest.n);
        rest = slice_of(rest.p + line.n + (nl ? 1 : 0), rest.n - line.n - (nl ? 1 : 0));
        number++;
        while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' ')) line.n--;
        if (!line.n || *line.p == '#') continue;
        json_t *one = json_stringn((const char *)line.p, line.n);
        if (!one) rc = ctl_fail(c, CTL_REFUSED, "line %ld is no text", number);
        lines[json_array_size(codes)] = number;
        json_array_append_new(codes, one);
        if (rc != CTL_OK || json_array_size(codes) < BATCH) continue;
        rc = send_batch(c, codes, lines, &refused);
        codes = json_array();
    }
    if (rc == CTL_OK && json_array_size(codes)) rc = send_batch(c, codes, lines, &refused);
    else json_decref(codes);
    digest_wipe(text.p, text.n);
    buf_free(&text);
    return rc == CTL_OK && refused ? ctl_fail(c, CTL_REFUSED, "%ld codes are refused", refused) : rc;
}

int pool_remove(struct ctl *c)
{
    json_t *none;
    int rc = api_send_json(c, "DELETE", NULL, &none, "/v1/code-pools/%s", api_escape(c, c->pos[0]));
    json_decref(none);
    if (rc == CTL_OK && !c->json) printf("removed\n");
    return rc;
}

static void show_codes(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        if (c->json) out_json(o);
        else table_row(t, (const char *[]){ out_string(c, o, "id"), out_string(c, o, "state"), out_string(c, o, "operation"), out_time(c, o, "changed_at") });
    }
    if (!c->json) table_print(t);
}

int pool_codes(struct ctl *c)
{
    static const char *const head[] = { "CODE", "STATE", "OPERATION", "CHANGED", NULL };
    struct table t;
    char *path = arena_printf(&c->arena, "/v1/code-pools/%s/codes", api_escape(c, c->pos[0]));
    if (!path || !table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, path, "", show_codes, &t);
}

static int decide(struct ctl *c, const char *what)
{
    json_t *o;
    int rc = api_post_json(c, NULL, &o, "/v1/activation-codes/%s/%s", api_escape(c, c->pos[0]), what);
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else printf("%s %s\n", out_string(c, o, "id"), out_string(c, o, "state"));
    json_decref(o);
    return CTL_OK;
}

int pool_return(struct ctl *c)
{
    return decide(c, "return");
}

int pool_withdraw(struct ctl *c)
{
    return decide(c, "withdraw");
}
