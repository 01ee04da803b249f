/* server.c -- eimctl eim config, metrics, health, openapi: the server as a whole. */
#include <stdio.h>
#include <unistd.h>

#include "app/eimctl/api.h"
#include "app/eimctl/out.h"
#include "base/file.h"

static int config_der(struct ctl *c, const char *path)
{
    struct err e = { 0 };
    int status, rc = api_call(c, "/v1/eim/configuration.der", &(struct request){ 0 }, &status);
    if (rc != CTL_OK) return rc;
    if (strcmp(path, "-") == 0) {
        fwrite(c->reply.p, 1, c->reply.n, stdout);
        return CTL_OK;
    }
    if (file_write_new(path, 0644, buf_slice(&c->reply), &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    if (c->json) printf("{\"bytes\":%zu}\n", c->reply.n);
    else printf("wrote %zu bytes to %s\n", c->reply.n, path);
    return CTL_OK;
}

int eim_config(struct ctl *c)
{
    static const struct { const char *name, *path; } facts[] = {
        { "eimId", "eim_id" }, { "eimIdType", "eim_id_type" }, { "FQDN", "fqdn" }, { "counterValue", "counter" },
        { "associationToken", "association_token" }, { "public key", "public_key" }, { "TLS trust anchor", "tls_anchor" },
    };
    json_t *o;
    if (ctl_flag(c, "--der")) return config_der(c, ctl_option(c, "--der"));
    int rc = api_get(c, &o, "/v1/eim/configuration");
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    for (size_t i = 0; !c->json && i < sizeof facts / sizeof facts[0]; i++)
        out_fact(facts[i].name, out_string(c, o, facts[i].path));
    json_decref(o);
    return CTL_OK;
}

/* "name value" or "name{labels} value" lines; comments are for the scraper. */
static json_t *metrics_json(struct ctl *c)
{
    json_t *o = json_object();
    for (const char *p = (const char *)c->reply.p, *end = p + c->reply.n; p && p < end;) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        if (!line_end) line_end = end;
        const char *space = line_end;
        while (space > p && *space != ' ') space--;
        if (*p != '#' && space > p) {
            const char *name = arena_str(&c->page, slice_of(p, (size_t)(space - p)));
            const char *value = arena_str(&c->page, slice_of(space + 1, (size_t)(line_end - space - 1)));
            int64_t whole;
            struct err e = { 0 };
            json_t *v = NULL;
            if (value && ctl_digits(value, INT64_MAX, &whole)) v = json_integer(whole);
            else if (!value || json_read(slice_str(value), 64, &v, &e) != OK) v = json_string(value ? value : "");
            if (name) json_object_set_new(o, name, v);
        }
        p = line_end + 1;
    }
    return o;
}

int metrics(struct ctl *c)
{
    int status, rc = api_call(c, "/metrics", &(struct request){ 0 }, &status);
    if (rc != CTL_OK) return rc;
    if (c->json) {
        json_t *o = metrics_json(c);
        out_json(o);
        json_decref(o);
    } else {
        fwrite(c->reply.p, 1, c->reply.n, stdout);
    }
    return CTL_OK;
}

int health(struct ctl *c)
{
    struct err e = { 0 };
    int live, ready;
    int rc = api_call(c, "/healthz", &(struct request){ .any_status = true, .once = true }, &live);
    if (rc == CTL_OK) rc = api_call(c, "/readyz", &(struct request){ .any_status = true, .once = true }, &ready);
    if (rc != CTL_OK) return rc;
    if (c->json) printf("{\"live\":%s,\"ready\":%s}\n", live == 200 ? "true" : "false", ready == 200 ? "true" : "false");
    if (live == 200 && ready == 200) {
        if (!c->json) printf("live and ready\n");
        return CTL_OK;
    }
    api_problem(c, live == 200 ? ready : live, buf_slice(&c->reply), &e);
    return c->json ? CTL_REFUSED : ctl_err(c, CTL_REFUSED, &e);
}

int openapi(struct ctl *c)
{
    json_t *o;
    int rc = api_get(c, &o, "/v1/openapi.json");
    if (rc != CTL_OK) return rc;
    out_json(o);
    json_decref(o);
    return CTL_OK;
}
