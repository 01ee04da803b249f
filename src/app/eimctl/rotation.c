/* rotation.c -- eimctl rotation: another signing key or TLS trust for devices, step by step. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

static const char *const steps[] = { "waiting", "rotating", "done" };
enum { STEPS = sizeof steps / sizeof steps[0] };

/* 500 devices a call, until none is left; each goes one step. */
int rotation_run(struct ctl *c)
{
    const char *where = ctl_option(c, "--where");
    json_int_t selected = 0, n[STEPS] = { 0 };
    char cursor[64] = "";
    if (!where) return ctl_fail(c, CTL_USAGE, "--where is needed");
    for (bool more = true; more;) {
        json_t *o, *body = json_pack("{s:s,s:s,s:b}", "where", where, "what", ctl_flag(c, "--tls") ? "tls_trust" : "signing_key", "dry_run",
                                     ctl_flag(c, "--dry-run"));
        int rc = api_post_json(c, body, &o, "/v1/rotation%s%s", *cursor ? "?cursor=" : "", cursor);
        if (rc != CTL_OK) return rc;
        const char *next = json_string_value(json_object_get(o, "next"));
        selected += json_integer_value(json_object_get(o, "selected"));
        for (size_t i = 0; i < STEPS; i++) n[i] += json_integer_value(json_object_get(json_object_get(o, "steps"), steps[i]));
        more = next && strlen(next) < sizeof cursor;
        if (more) snprintf(cursor, sizeof cursor, "%s", next);
        json_decref(o);
        arena_reset(&c->page);
    }
    printf(c->json ? "{\"selected\":%lld" : "%lld devices selected", (long long)selected);
    for (size_t i = 0; i < STEPS; i++) printf(c->json ? ",\"%s\":%lld" : ", %s %lld", steps[i], (long long)n[i]);
    printf(c->json ? "}\n" : "\n");
    return CTL_OK;
}

int rotation_say(struct ctl *c)
{
    const char *reason = ctl_option(c, "--reason");
    json_t *o;
    if (!reason) return ctl_fail(c, CTL_USAGE, "--reason is needed");
    int rc = api_post_json(c, json_pack("{s:s,s:s}", "signing_key", c->pos[1], "reason", reason), &o, "/v1/devices/%s/signing-key",
                           api_escape(c, c->pos[0]));
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else printf("packages for %s are signed with %s\n", c->pos[0], c->pos[1]);
    json_decref(o);
    return CTL_OK;
}
