/* api.c -- requests to the REST API: authentication, problems, busy servers, pages. */
#include "app/eimctl/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "app/eimctl/where.h"
#include "net/httpc.h"

int api_open(struct ctl *c)
{
    if (c->http) return CTL_OK;
    struct where w;
    struct err e = { 0 };
    int rc = where_find(c, &w);
    if (rc != CTL_OK) return rc;
    struct httpc_config conf = {
        .ca_file = w.cacert, .bearer = w.token, .user_agent = "eimctl", .reply_bytes = CTL_TEXT_MAX
    };
    c->base = w.url;
    if (httpc_init(&e) != OK || httpc_new(&c->http, &conf, &e) != OK) return ctl_err(c, CTL_USAGE, &e);
    return CTL_OK;
}

void api_close(struct ctl *c)
{
    httpc_free(c->http);
    c->http = NULL;
}

void api_problem(struct ctl *c, int status, struct slice body, struct err *e)
{
    struct err ignored = { 0 };
    json_t *o = NULL;
    *e = (struct err){ .code = E_INTERNAL };
    if (json_read(body, 65536, &o, &ignored) != OK) o = NULL;
    const char *detail = json_string_value(json_object_get(o, "detail")),
               *title = json_string_value(json_object_get(o, "title"));
    const char *field = json_string_value(json_object_get(o, "field")),
               *clause = json_string_value(json_object_get(o, "clause"));
    const char *code = json_string_value(json_object_get(o, "code"));
    for (int i = 1; code && i < EIM_ERR_END; i++)
        if (strcmp(err_name((enum eim_err)i), code) == 0) e->code = (enum eim_err)i;
    if (field) snprintf(e->field, sizeof e->field, "%s", field);
    e->clause = clause ? arena_str(&c->page, slice_str(clause)) : NULL;
    if (detail || title) snprintf(e->why, sizeof e->why, "%s", detail ? detail : title);
    else snprintf(e->why, sizeof e->why, "the server answered with HTTP status %d", status);
    json_decref(o);
}

static void wait_as_told(struct ctl *c)
{
    int64_t s = 1;
    const char *told = httpc_reply_header(c->http, "Retry-After");
    if (!told || !ctl_digits(told, API_BUSY_WAIT, &s)) s = told ? API_BUSY_WAIT : 1;
    if (!c->json) fprintf(stderr, "eimctl: the server is busy (503); trying again in %lld s\n", (long long)(s ? s : 1));
    nanosleep(&(struct timespec){ .tv_sec = s ? s : 1 }, NULL);
}

int api_call(struct ctl *c, const char *path, const struct request *r, int *status)
{
    struct err e = { 0 };
    int rc = api_open(c);
    if (rc != CTL_OK) return rc;
    char *url = arena_printf(&c->page, "%s%s", c->base, path);
    char *type = arena_printf(&c->page, "Content-Type: %s", r->type ? r->type : "application/json");
    if (!url || !type) return ctl_fail(c, CTL_REFUSED, "out of memory");
    const char *headers[] = { r->has_body ? type : NULL, NULL };
    struct slice body = r->has_body ? slice_of(r->body.p ? r->body.p : (const uint8_t *)"", r->body.n) : (struct slice){ 0 };
    for (int tries = 1;; tries++) {
        enum eim_err bad = httpc_request(c->http, r->method ? r->method : "GET", url, headers, body, status, &c->reply, &e);
        if (bad == E_IO) return ctl_err(c, CTL_UNREACHABLE, &e);
        if (bad != OK) return ctl_err(c, CTL_REFUSED, &e);
        if (*status != 503 || r->once || tries == API_BUSY_TRIES) break;
        wait_as_told(c);
    }
    if (r->any_status || (*status >= 200 && *status < 300)) return CTL_OK;
    api_problem(c, *status, buf_slice(&c->reply), &e);
    return ctl_err(c, CTL_REFUSED, &e);
}

int api_json(struct ctl *c, const char *path, const struct request *r, json_t **out)
{
    struct err e = { 0 };
    int status;
    *out = NULL;
    int rc = api_call(c, path, r, &status);
    if (rc != CTL_OK || c->reply.n == 0) return rc;
    if (json_read(buf_slice(&c->reply), CTL_TEXT_MAX, out, &e) == OK) return CTL_OK;
    return ctl_fail(c, CTL_REFUSED, "%s%s: the server's answer is no JSON: %s", c->base, path, e.why);
}

int api_get(struct ctl *c, json_t **out, const char *fmt, ...)
{
    char path[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    *out = NULL;
    if (n < 0 || (size_t)n >= sizeof path) return ctl_fail(c, CTL_USAGE, "an argument is too long");
    return api_json(c, path, &(struct request){ 0 }, out);
}

int api_send_json(struct ctl *c, const char *method, json_t *body, json_t **out, const char *fmt, ...)
{
    char path[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    *out = NULL;
    char *text = NULL;
    if (body) {
        size_t need = json_dumpb(body, NULL, 0, JSON_COMPACT);
        text = arena_alloc(&c->page, need + 1);
        if (text) json_dumpb(body, text, need, JSON_COMPACT);
        json_decref(body);
        if (!text || !need) return ctl_fail(c, CTL_REFUSED, "out of memory");
    }
    if (n < 0 || (size_t)n >= sizeof path) return ctl_fail(c, CTL_USAGE, "an argument is too long");
    struct request r = { .method = method, .body = slice_str(text), .has_body = text || strcmp(method, "POST") == 0 };
    return api_json(c, path, &r, out);
}

const char *api_escape(struct ctl *c, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_alloc(&c->page, 3 * strlen(s) + 1);
    if (!out) return "";
    char *w = out;
    for (const char *p = s; *p; p++) {
        uint8_t b = (uint8_t)*p;
        bool plain = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || strchr("-._~", b);
        if (plain) {
            *w++ = *p;
        } else {
            *w++ = '%';
            *w++ = hex[b >> 4];
            *w++ = hex[b & 15];
        }
    }
    *w = 0;
    return out;
}

int api_list(struct ctl *c, const char *path, const char *query, void (*show)(struct ctl *c, const json_t *items, void *arg),
              void *arg)
{
    int64_t left;
    int rc = ctl_number(c, "--limit", 1, INT64_MAX, 100, &left);
    if (rc != CTL_OK) return rc;
    if (ctl_flag(c, "--all")) left = INT64_MAX;
    char cursor[1024] = "";
    for (;;) {
        json_t *page;
        arena_reset(&c->page);
        const char *at = api_escape(c, cursor);
        rc = api_get(c, &page, "%s?limit=%lld%s%s%s%s", path, (long long)(left < API_PAGE ? left : API_PAGE),
                      *query ? "&" : "", query, *at ? "&cursor=" : "", at);
        if (rc != CTL_OK) return rc;
        const json_t *items = json_object_get(page, "items");
        const char *next = json_string_value(json_object_get(page, "next"));
        show(c, items, arg);
        left -= (int64_t)json_array_size(items);
        bool more = next && *next && strlen(next) < sizeof cursor && strcmp(next, cursor) != 0;
        snprintf(cursor, sizeof cursor, "%s", more ? next : "");
        json_decref(page);
        if (!more) return CTL_OK;
        if (left <= 0) {
            if (!c->json) fprintf(stderr, "eimctl: there are more; --limit N or --all shows them\n");
            return CTL_OK;
        }
    }
}
