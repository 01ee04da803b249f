/* reach.c -- eimctl device reach and push: devices whose IPA can be reached. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

enum { TRUST_MAX = 64 * 1024 };

/* {"injection":{...}} from the options; NULL after saying why not. */
static json_t *change_from_options(struct ctl *c)
{
    const char *at = ctl_option(c, "--at"), *trust = ctl_option(c, "--trust");
    if (ctl_flag(c, "--not") == (at != NULL)) {
        (void)ctl_fail(c, CTL_USAGE, "device reach: either --at URL or --not");
        return NULL;
    }
    if (!at) return json_pack("{s:n}", "injection");
    json_t *o = json_pack("{s:s, s:s}", "address", at, "binding", ctl_flag(c, "--json-binding") ? "json" : "asn1");
    if (trust) {
        struct buf pem;
        buf_init(&pem, TRUST_MAX);
        if (!ctl_read(c, trust, &pem)) {
            buf_free(&pem);
            json_decref(o);
            return NULL;
        }
        json_object_set_new(o, "trust", json_stringn((const char *)pem.p, pem.n));
        buf_free(&pem);
    }
    return json_pack("{s:o}", "injection", o);
}

static int print_reach(struct ctl *c, json_t *o)
{
    const char *at = out_string(c, o, "injection.address");
    if (c->json) out_json(o);
    else printf("%s %s\n", c->pos[0], at ? at : "is not reached");
    json_decref(o);
    return CTL_OK;
}

int device_reach(struct ctl *c)
{
    json_t *change = change_from_options(c), *made;
    if (!change) return CTL_USAGE;
    size_t n = json_dumpb(change, NULL, 0, JSON_COMPACT);
    char *text = arena_alloc(&c->page, n + 1), *path = arena_printf(&c->page, "/v1/devices/%s", api_escape(c, c->pos[0]));
    if (text) json_dumpb(change, text, n, JSON_COMPACT);
    json_decref(change);
    if (!text || !path) return ctl_fail(c, CTL_REFUSED, "out of memory");
    int rc = api_json(c, path, &(struct request){ .method = "PATCH", .body = slice_of(text, n), .has_body = true }, &made);
    return rc == CTL_OK ? print_reach(c, made) : rc;
}

int device_push(struct ctl *c)
{
    json_t *o;
    int rc = api_post_json(c, NULL, &o, "/v1/devices/%s/push", api_escape(c, c->pos[0]));
    return rc == CTL_OK ? print_reach(c, o) : rc;
}
