/* esipa_door.c -- one HTTP request on the device port to one struct exchange, and back.
 *
 * This is the hot path: an empty poll in ASN.1 allocates one struct here, copies nothing, and leaves no line in the log. */
#include "front/esipa_door.h"

#include "base/log.h"
#include "net/work.h"

#include <stdio.h>
#include <strings.h>

enum { ADMIN_PROTOCOL_MAX = 64, HEADERS_MAX = 2, REFUSALS_A_SECOND = 100 };

/* echoed -- the caller's X-Admin-Protocol if it is one of GSMA's, which we send back as it is (spec 4.1); else NULL. */
static const char *echoed(const char *value)
{
    static const char prefix[] = "gsma/rsp/";
    if (!value || strncmp(value, prefix, sizeof prefix - 1) != 0) return NULL;
    size_t n = strlen(value);
    if (n > ADMIN_PROTOCOL_MAX) return NULL;
    for (size_t i = 0; i < n; i++)
        if (value[i] <= ' ' || value[i] > '~') return NULL;
    return value;
}

static void answer(struct esipa_door *d, const struct door_binding *b, struct http_exchange *http, int status, struct slice body,
                   const char *allow)
{
    struct http_field *headers = ARENA_ARRAY(http->arena, struct http_field, HEADERS_MAX);
    struct http_reply r = { .status = status, .body = body, .content_type = body.n ? b->media_type : NULL, .headers = headers };
    const char *protocol = echoed(http->req.x_admin_protocol);
    const char *retry = status == 503 ? arena_printf(http->arena, "%d", d->retry_after_s) : NULL;
    if (headers && protocol) headers[r.n_headers++] = (struct http_field){ "X-Admin-Protocol", protocol };
    if (headers && allow) headers[r.n_headers++] = (struct http_field){ "Allow", allow };
    if (headers && retry) headers[r.n_headers++] = (struct http_field){ "Retry-After", retry };
    http_reply_send(http, &r);
}

/* may_log -- strangers can make a refusal as often as they like, but only REFUSALS_A_SECOND lines of them; the rest are counted. */
static bool may_log(struct esipa_door *d)
{
    int64_t second = d->env->now(d->env) / 1000000, before = __atomic_exchange_n(&d->log_second, second, __ATOMIC_RELAXED);
    if (before != second) {
        uint64_t dropped = __atomic_exchange_n(&d->unlogged, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&d->logged, 0, __ATOMIC_RELAXED);
        if (dropped) log_msg(LOG_WARN, "esipa", "%llu more requests were refused in a second", (unsigned long long)dropped);
    }
    if (__atomic_add_fetch(&d->logged, 1, __ATOMIC_RELAXED) <= REFUSALS_A_SECOND) return true;
    __atomic_add_fetch(&d->unlogged, 1, __ATOMIC_RELAXED);
    return false;
}

static void log_request(const struct door_request *q, int status)
{
    const struct exchange *x = &q->x;
    bool refused = x->rc != OK || x->err.code != OK, quiet = !refused && x->operation == 0;
    enum log_level level = status >= 500 ? LOG_ERROR : refused ? LOG_WARN : quiet ? LOG_DEBUG : LOG_INFO;
    if (!log_wants(level) || (refused && !may_log(q->door))) return;
    char req[24], eid[16] = "", op[24], counter[24], bytes[24], http[8], ms[24];
    int64_t us = q->door->env->now(q->door->env) - q->begun_us;
    if (x->has_eid) eid_short(&x->eid, eid);
    snprintf(req, sizeof req, "%llx", (unsigned long long)q->number);
    snprintf(op, sizeof op, "op_%016llx", (unsigned long long)x->operation);
    snprintf(counter, sizeof counter, "%lld", (long long)x->counter);
    snprintf(bytes, sizeof bytes, "%zu", x->reply.n);
    snprintf(http, sizeof http, "%d", status);
    snprintf(ms, sizeof ms, "%lld.%01lld", (long long)(us / 1000), (long long)(us / 100 % 10));
    enum eim_err code = x->rc != OK ? x->rc : x->err.code;
    const struct log_kv kv[] = {
        { "req", req }, { "peer", x->peer }, { "binding", q->binding->name }, { "eid", x->has_eid ? eid : NULL },
        { "msg", x->message }, { "answer", x->answer },
        { "op", x->operation ? op : NULL }, { "counter", x->counter ? counter : NULL }, { "status", http }, { "bytes", bytes },
        { "err", code ? err_name(code) : NULL }, { "field", code && x->err.field[0] ? x->err.field : NULL },
        { "clause", code ? x->err.clause : NULL }, { "why", code && x->err.why[0] ? x->err.why : NULL }, { "ms", ms }, { NULL, NULL },
    };
    log_line(level, "esipa", kv);
}

/* done -- the eIM has an answer, and what it says is durable (I3). On a worker or on a thread of the store. */
static void done(struct exchange *x)
{
    struct door_request *q = (struct door_request *)x;
    if (q->binding->write) q->binding->write(q);
    else if (x->rc != OK) x->reply = (struct slice){ 0 };
    int status = x->rc != OK ? err_status(x->rc) : x->reply.n ? 200 : 204;
    log_request(q, status);
    answer(q->door, q->binding, q->http, status, x->reply, NULL);
}

static void run(void *arg, const struct work_thread *t)
{
    struct door_request *q = arg;
    (void)t;
    if (!q->read) {
        q->x.rc = q->binding->read(q);
        if (q->x.rc != OK) {
            done(&q->x);
            return;
        }
        q->read = true;
    }
    esipa_handle(q->door->eim, &q->x);
}

/* again -- decide once more because the device has changed meanwhile; with a full queue the device is told to come back. */
static void again(struct exchange *x)
{
    struct door_request *q = (struct door_request *)x;
    if (work_submit(q->door->work, run, q)) return;
    x->rc = fail(&x->err, E_BUSY, NULL, "too many requests are waiting");
    done(x);
}

static void slow(struct exchange *x)
{
    struct door_request *q = (struct door_request *)x;
    if (work_submit(q->door->slow, run, q)) return;
    x->rc = fail(&x->err, E_BUSY, NULL, "too many requests are waiting for SM-DP+");
    done(x);
}

int door_refusal(const struct http_request *r, const char *media_type, const char **allow)
{
    if (strcmp(r->method, "POST") != 0) {
        *allow = "POST";
        return 405;
    }
    size_t n = r->content_type ? strcspn(r->content_type, ";") : 0;
    while (n && (r->content_type[n - 1] == ' ' || r->content_type[n - 1] == '\t')) n--;
    bool good = n == 0 || (n == strlen(media_type) && strncasecmp(r->content_type, media_type, n) == 0);
    return good ? r->body.n ? 0 : 400 : 415;
}

static void log_refusal(struct esipa_door *d, const struct http_exchange *x, const struct door_binding *b, uint64_t number, int status)
{
    char req[24], code[8];
    if (!log_wants(LOG_WARN) || !may_log(d)) return;
    snprintf(req, sizeof req, "%llx", (unsigned long long)number);
    snprintf(code, sizeof code, "%d", status);
    const struct log_kv kv[] = { { "req", req }, { "peer", x->req.peer }, { "method", x->req.method }, { "path", x->req.path },
                                 { "status", code }, { "clause", b->clause }, { NULL, NULL } };
    log_line(LOG_WARN, "esipa", kv);
}

/* host_name -- what selects the eIM identity: the TLS server name, else the Host header without its port. */
static const char *host_name(const struct http_exchange *x)
{
    if (x->req.sni) return x->req.sni;
    const char *host = x->req.host;
    if (!host || !*host) return NULL;
    const char *end = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
    return end ? arena_str(x->arena, slice_of(host, (size_t)(end - host) + (host[0] == '['))) : host;
}

void door_serve(struct esipa_door *d, const struct door_binding *b, const void *function, struct http_exchange *x, int status, const char *allow)
{
    uint64_t number = __atomic_add_fetch(&d->requests, 1, __ATOMIC_RELAXED);
    struct door_request *q = status ? NULL : ARENA_NEW(x->arena, struct door_request);
    if (q) {
        *q = (struct door_request){ .door = d, .binding = b, .function = function, .http = x, .number = number,
                                    .begun_us = d->env->now(d->env), .read = !b->read,
                                    .x = { .arena = x->arena, .host = host_name(x), .agent = http_header(&x->req, "user-agent"), .peer = x->req.peer,
                                           .done = done, .again = again, .slow = d->slow ? slow : NULL, .door = d } };
        if (q->read) q->x.body = x->req.body;
        if (work_submit(d->work, run, q)) return;
    }
    if (!status) status = 503;
    log_refusal(d, x, b, number, status);
    answer(d, b, x, status, (struct slice){ 0 }, allow);
}
