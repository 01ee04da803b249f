/* rest.h -- the API door: one table of routes over the verbs of eim/manage.h. doc/api.md says what each gives.
 *
 * The table decides who may (trust/access), what is taken (query parameters, media types, sizes) and what is answered;
 * handlers only translate. Everything that goes wrong becomes problem details (front/problem.h) and one log line. */
#ifndef FRONT_REST_H
#define FRONT_REST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/host.h"
#include "front/schema.h"
#include "net/http.h"
#include "trust/access.h"

struct eim;
struct work;
struct rest;
struct rest_call;

/* Query parameters a route takes. */
enum rest_query { QUERY_CURSOR = 1, QUERY_LIMIT = 2, QUERY_STATE = 4, QUERY_OUTBOX_STATE = 8 /* both are named "state" */, QUERY_WHERE = 16,
                  QUERY_AFTER = 32, QUERY_TYPE = 64, QUERY_EID = 128, QUERY_EVENTS = QUERY_AFTER | QUERY_TYPE | QUERY_EID };

/* What a route takes as body. */
enum rest_body {
    BODY_NONE,
    BODY_EMPTY,                        /* nothing, or {} */
    BODY_JSON,                         /* one JSON value */
    BODY_IMPORT,                       /* application/json, JSON lines or CSV: the handler reads it */
};

enum {
    REST_BODY_MAX = 1 << 20,           /* octets of any body; rows may say less */
    REST_PAGE_DEFAULT = 100, REST_PAGE_MAX = 500,
    REST_ARENA = 48 << 20,             /* most memory one call may use: a page of 500 devices, or an import of 1,000 lines */
};

struct audit_log;

struct rest_route {
    const char *method, *path;         /* "{name}" stands for one segment */
    enum permission permission;        /* PERM_NONE: no token is looked at */
    enum eim_err (*handle)(struct rest_call *c, struct err *e);
    unsigned query;                    /* rest_query bits */
    enum rest_body body;
    size_t body_max;
    bool listed_peers;                 /* the addresses of rest_config.metrics_from need no token */
    bool quiet;                        /* successes are logged at debug level only */
    short status;                      /* of a success; 0: 200, or 204 without a reply. An import has others too */
    const char *request, *reply;       /* forms (schema.h; names: rest_schemas.c), "" for none. The body is held against `request`
                                          before the handler sees it. Replies "octets", "text", "JSON lines", "Prometheus" are no JSON */
    const char *doc;                   /* one line for people */
};

/* rest_schemas -- the forms that rows name. A row whose body has no form there is not checked at the door, and described as any
 * value. rest_row_status -- what a success of the row is answered with. */
const struct schemas *rest_schemas(void);
int rest_row_status(const struct rest_route *row);
/* rest_reply_media -- the media type of a reply that is no JSON; NULL when it is a form. */
const char *rest_reply_media(const char *reply);

/* rest_routes -- the table, *n rows. */
const struct rest_route *rest_routes(size_t *n);

/* rest_route_of -- the row that a method and a concrete path lead to; NULL when there is none. */
const struct rest_route *rest_route_of(const char *method, const char *path);

struct rest_config {
    struct host *host;
    struct eim *eim;
    struct work *work;                 /* the API's own pool: handlers block on the store */
    const struct audit_log *audit;
    const char *const *metrics_from;   /* addresses that may read /metrics without a token */
    size_t n_metrics_from;
    /* of the app, called on workers; arg is the first parameter of each */
    void *arg;
    enum eim_err (*ready)(void *arg, struct err *e);                       /* is the server fit for traffic now? */
    void (*metrics)(void *arg, struct buf *out);                           /* Prometheus text */
    enum eim_err (*tls_anchor)(void *arg, struct slice *der, struct arena *a, struct err *e);   /* certificate devices trust; may be empty */
};

/* rest_init -- a door over the caller's memory. Everything in *c outlives it. */
struct rest { struct rest_config c; uint64_t requests; };
void rest_init(struct rest *r, const struct rest_config *c);

/* rest_handle -- for http_config.handle, arg is the struct rest: never blocks. /healthz is answered on the spot, the rest by the
 * worker pool; 503 when that is full. */
void rest_handle(void *arg, struct http_exchange *x);

/* rest_answer -- what a worker does with one request: find the row, who and whether, check, handle, log. Fills *out, whose parts live
 * in the arena. Blocks on the store. */
void rest_answer(struct rest *r, const struct http_request *req, struct arena *a, struct http_reply *out);

#endif
