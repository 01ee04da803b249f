/* handover.c -- eimctl handover: devices given to another eIM, step by step. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

static const char *const steps[] = { "waiting", "listing", "adding", "unproven", "leaving", "gone" };
enum { STEPS = sizeof steps / sizeof steps[0], RESULT_MAX = 64 * 1024 };

static json_t *read_json(struct ctl *c, const char *path)
{
    struct err e = { 0 };
    struct buf b;
    json_t *v = NULL;
    buf_init(&b, CTL_TEXT_MAX);
    if (ctl_read(c, path, &b) && json_read(buf_slice(&b), CTL_TEXT_MAX, &v, &e) != OK) (void)ctl_fail(c, CTL_REFUSED, "%s: %s", path, e.why);
    buf_free(&b);
    return v;
}

/* 500 devices a call, until none is left; each goes one step. */
int handover_run(struct ctl *c)
{
    const char *where = ctl_option(c, "--where"), *file = ctl_option(c, "--to");
    json_int_t selected = 0, n[STEPS] = { 0 };
    char cursor[64] = "";
    if (!where || !file) return ctl_fail(c, CTL_USAGE, "--where and --to are needed");
    json_t *to = read_json(c, file);
    if (!to) return CTL_REFUSED;
    for (bool more = true; more;) {
        json_t *body = json_pack("{s:s,s:O,s:b}", "where", where, "to", to, "dry_run", ctl_flag(c, "--dry-run")), *o;
        int rc = api_post_json(c, body, &o, "/v1/handover%s%s", *cursor ? "?cursor=" : "", cursor);
        if (rc != CTL_OK) {
            json_decref(to);
            return rc;
        }
        const char *next = json_string_value(json_object_get(o, "next"));
        selected += json_integer_value(json_object_get(o, "selected"));
        for (size_t i = 0; i < STEPS; i++) n[i] += json_integer_value(json_object_get(json_object_get(o, "steps"), steps[i]));
        more = next && strlen(next) < sizeof cursor;
        if (more) snprintf(cursor, sizeof cursor, "%s", next);
        json_decref(o);
        arena_reset(&c->page);
    }
    json_decref(to);
    printf(c->json ? "{\"selected\":%lld" : "%lld devices selected", (long long)selected);
    for (size_t i = 0; i < STEPS; i++) printf(c->json ? ",\"%s\":%lld" : ", %s %lld", steps[i], (long long)n[i]);
    printf(c->json ? "}\n" : "\n");
    return CTL_OK;
}

static int shown(struct ctl *c, json_t *body)
{
    json_t *o;
    int rc = api_post_json(c, body, &o, "/v1/devices/%s/control", api_escape(c, c->pos[0]));
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else printf("%s is controlled by %s\n", c->pos[0], c->pos[1]);
    json_decref(o);
    return CTL_OK;
}

int handover_proof(struct ctl *c)
{
    struct buf b;
    int64_t token;
    int rc = ctl_number(c, "--token", 0, INT64_MAX, -1, &token);
    if (rc != CTL_OK) return rc;
    buf_init(&b, RESULT_MAX);
    bool read = ctl_read(c, c->pos[2], &b);
    char *text = read ? arena_alloc(&c->arena, 4 * (buf_slice(&b).n + 2) / 3 + 8) : NULL;
    if (text) slice_to_b64(buf_slice(&b), text);
    buf_free(&b);
    if (!read) return CTL_REFUSED;
    if (!text) return ctl_fail(c, CTL_REFUSED, "out of memory");
    json_t *body = json_pack("{s:s,s:s}", "eim_id", c->pos[1], "result", text);
    if (body && token >= 0) json_object_set_new(body, "association_token", json_integer(token));
    return shown(c, body);
}

int handover_confirm(struct ctl *c)
{
    const char *reason = ctl_option(c, "--reason");
    if (!reason) return ctl_fail(c, CTL_USAGE, "--reason is needed");
    return shown(c, json_pack("{s:s,s:s}", "eim_id", c->pos[1], "reason", reason));
}
