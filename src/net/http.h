/* http.h -- a strict HTTP/1.1 server on the loops (RFC 9112; design 3 and 7).
 *
 * One http_server is one address and port with one handler: a socket with SO_REUSEPORT on every loop, so a
 * connection lives and dies on one thread. The handler is called on a loop thread with a complete request; it
 * never blocks; it answers at once, or keeps the exchange and answers later from any thread.
 *
 * What never reaches the handler: malformed, oversized, slow or ambiguous requests (400, 408, 413, 417, 431, 501, then
 * the connection closes). All methods but CONNECT do, so 405 is the handler's. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/err.h"
#include "base/slice.h"

struct loops;
struct tls_server;
struct http_server;

enum {
    HTTP_FIELDS_MAX = 64,              /* header fields of a request, its trailer included */
    HTTP_REPLY_HEAD = 2048,            /* bytes of a reply's head; a handler that wants more gets a 500 */
    HTTP_PEER = 64,                    /* "[address]:port" with its NUL */
};

struct http_field {
    const char *name, *value;
};

/* All of it lives in the exchange (strings are NUL-terminated) and dies with the reply. A missing header is NULL. */
struct http_request {
    const char *method;                /* "POST"; case matters */
    const char *path;                  /* as sent, not decoded, without the query; begins with '/' (or is "*") */
    const char *query;                 /* what follows '?', not decoded; "" without one */
    const char *host;                  /* the authority asked for; "" when empty or (HTTP/1.0) missing */
    const char *content_type, *authorization, *x_admin_protocol, *idempotency_key;
    struct slice body;                 /* decoded from chunks, complete */
    const struct http_field *fields;   /* as sent, in order */
    int n_fields;
    const char *peer;                  /* "127.0.0.1:40112", "[::1]:40112" */
    const char *sni;                   /* TLS server name in lower case, or NULL */
    struct slice client;               /* the client's certificate, DER, where tls_config.ask_client asks for one; else empty */
    bool tls;
};

struct http_exchange;
struct http_reply;
/* One request and its answer. The handler owns it from handle() to http_reply_send(). */
struct http_exchange {
    struct http_request req;
    struct arena *arena;               /* for the handler; lives until the reply is written */
    void *user;                        /* the handler's own; NULL at first */
    struct http_server *server;
    /* how it is answered when it did not come over HTTP (net/coap.h); else NULL */
    void (*send)(struct http_exchange *x, const struct http_reply *r);
};

/* Body, content_type and headers live in the exchange's arena or are static: they are read after http_reply_send
 * returned. Content-Length, Date and Connection are added here; give no such header. */
struct http_reply {
    int status;                        /* 200 .. 599 */
    const char *content_type;          /* NULL: none; left out too when the body is empty */
    struct slice body;                 /* ignored for 204 and 304; not sent to HEAD */
    const struct http_field *headers;  /* extra ones; one that always_header names replaces it */
    int n_headers;
    bool close;                        /* end the connection afterwards */
};

/* http_header -- the value of the first header of that name (case does not matter), or NULL. */
const char *http_header(const struct http_request *r, const char *name);

/* http_query -- the decoded value of a query parameter, in `a`; NULL when it is missing, broken (a bad %XX, a NUL) or
 * there is no memory. "" for "?name" and "?name=". */
char *http_query(const struct http_request *r, struct arena *a, const char *name);

/* http_unescape -- %XX (and '+', if plus) decoded into `a`, NUL-terminated; NULL when broken, holding NUL, or no memory. */
char *http_unescape(struct arena *a, struct slice s, bool plus);

/* http_reply_send -- answer, exactly once, from any thread, never blocks. *r is copied; x must not be touched afterwards.
 * If the client has gone meanwhile, the reply is dropped and all is freed. A header that holds CR, LF or NUL, a status
 * out of range or a head above HTTP_REPLY_HEAD is answered with an empty 500 instead. */
void http_reply_send(struct http_exchange *x, const struct http_reply *r);

/* http_reply_status -- an answer without a body; a 503 carries "Retry-After: 5". */
void http_reply_status(struct http_exchange *x, int status);

/* Zero means the default in brackets. */
struct http_config {
    const char *address;               /* numeric IPv4 or IPv6 ["127.0.0.1"] */
    int port;                          /* 0: any free one, see http_server_port */
    struct tls_server *tls;            /* NULL: plain HTTP, for tests. Outlives the server */
    struct env *env;                   /* clock for Date. Outlives the server */
    void (*handle)(void *arg, struct http_exchange *x);
    void *arg;
    const char *always_header;         /* "Name: value" on every answer, error pages too; or NULL. Outlives the server */
    size_t header_bytes;               /* request line and headers [8 KiB] */
    size_t body_bytes;                 /* decoded body [64 KiB] */
    size_t arena_bytes;                /* for the handler, beside the request itself [1 MiB] */
    int connections;                   /* at the limit we stop accepting until one has gone [10,000] */
    int64_t handshake_us;              /* from accept to the end of the handshake [10 s] */
    int64_t idle_us;                   /* without a request [60 s] */
    int64_t request_us;                /* from a request's first byte to its last [10 s]; then 408 */
    int64_t write_us;                  /* for the reply to be taken, once more for each 64 KiB of it [30 s] */
};

/* http_listen -- bind, listen, serve. E_CONF: bad address or limits; E_IO: the port is taken or no descriptor;
 * then nothing listens. *c is copied. Not on a loop thread. */
MUST enum eim_err http_listen(struct http_server **out, struct loops *l, const struct http_config *c, struct err *e);

/* http_server_port -- the port it listens on. */
int http_server_port(const struct http_server *s);

/* http_server_drain -- stop accepting, close idle connections, let requests in flight end with "Connection: close";
 * after `limit_us` close what is left. Returns when no connection is open. Blocks; not on a loop thread. */
void http_server_drain(struct http_server *s, int64_t limit_us);

/* http_server_free -- close all that is open, wait until every exchange still held by a handler was answered (so stop
 * the workers first), free. Blocks; not on a loop thread. NULL is a no-op. */
void http_server_free(struct http_server *s);

/* Counters since the start, except connections_open. X(name, what it counts). */
#define NET_STATS(X)                                                                       \
    X(connections_open,     "connections open now")                                        \
    X(connections_accepted, "connections accepted")                                        \
    X(accept_paused,        "times accepting was stopped at the connection limit or for lack of descriptors") \
    X(handshakes_full,      "full TLS handshakes")                                         \
    X(handshakes_resumed,   "TLS handshakes resumed by ticket")                            \
    X(handshakes_failed,    "TLS handshakes that failed")                                  \
    X(requests,             "requests given to the handler")                               \
    X(requests_refused,     "requests refused before the handler")                         \
    X(replies_2xx,          "replies 2xx")                                                 \
    X(replies_3xx,          "replies 3xx")                                                 \
    X(replies_4xx,          "replies 4xx")                                                 \
    X(replies_5xx,          "replies 5xx")                                                 \
    X(replies_dropped,      "replies whose client had gone")                               \
    X(bytes_in,             "bytes of HTTP received")                                      \
    X(bytes_out,            "bytes of HTTP sent")                                          \
    X(timeouts_handshake,   "connections closed: handshake too slow")                      \
    X(timeouts_idle,        "connections closed: idle")                                    \
    X(timeouts_request,     "requests too slow")                                           \
    X(timeouts_write,       "connections closed: reply not taken")

struct net_stats {
#define X(name, text) uint64_t name;
    NET_STATS(X)
#undef X
};

/* http_server_stats -- the counters of all loops, summed a moment ago. Any thread. */
void http_server_stats(const struct http_server *s, struct net_stats *out);

#endif
