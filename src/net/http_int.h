/* http_int.h -- what http.c (listening, draining, replies) and http_conn.c (one connection) share; nobody else's. */
#ifndef NET_HTTP_INT_H
#define NET_HTTP_INT_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/http.h"
#include "net/http_parse.h"
#include "net/loop.h"

enum {
    HTTP_IO = 16384,                   /* bytes read or written at a time: one TLS record */
    HTTP_SPARE = 128,                  /* exchanges that a loop keeps for reuse */
};

struct conn;
struct shard;

/* The private part of an exchange. The parser, the reply and its head live here, so a request costs no malloc. */
struct xchg {
    struct http_exchange pub;          /* first: handlers hold a pointer to it */
    struct shard *shard;
    struct conn *conn;                 /* NULL once the client has gone; the loop's thread only */
    struct xchg *next_spare;
    struct loop_task answered;
    struct http_reply reply;
    struct arena arena;
    struct http_parser parser;
    size_t head_n, body_n;             /* of the reply on the wire */
    char peer[HTTP_PEER];
    char head[HTTP_REPLY_HEAD];
};

enum conn_state { CONN_HANDSHAKE, CONN_OPEN, CONN_HANDLING, CONN_WRITING, CONN_LINGER };

struct conn {
    struct shard *shard;
    struct conn *prev, *next;          /* in shard->conns */
    enum conn_state state;
    int fd;
    SSL *ssl;                          /* NULL: plain HTTP */
    bool broken;                       /* the TLS session or the socket has failed: no close_notify */
    bool reading, writing;             /* ev_read, ev_write are added */
    bool in_handler;                   /* handle() is on the stack */
    bool answered;                     /* it answered before it returned */
    bool closing;                      /* the reply under way is the last */
    int64_t deadline_us;               /* of the present state */
    struct xchg *x;                    /* the request being read, handled or answered */
    size_t sent;                       /* of head and body of the reply */
    struct buf rest;                   /* received behind the request that is being answered */
    size_t rest_at;
    struct event ev_read, ev_write;
    char peer[HTTP_PEER];
};

#define X(name, text) _Atomic uint64_t name;
struct shard_stats { NET_STATS(X) };
#undef X

/* A server's part on one loop. All of it belongs to the loop's thread, but for `stats`. */
struct shard {
    struct http_server *server;
    struct loop *loop;
    int listen_fd;
    struct event *accept_event;
    bool paused;                       /* accept_event is off: at the limit, or no descriptors */
    bool draining;
    struct loop_timer *tick;
    struct conn *conns;
    struct xchg *spare;
    int spares;
    int64_t date_s;                    /* the second that `date` shows */
    char date[40];
    uint8_t in[HTTP_IO], out[HTTP_IO]; /* scratch */
    struct shard_stats stats;
};

struct http_server {
    struct http_config conf;
    size_t always_name_n;              /* bytes of the name in conf.always_header */
    struct loops *loops;
    int port, n_shards;
    _Atomic int open, held;            /* connections; exchanges in use */
    pthread_mutex_t lock;              /* for `idle` only */
    pthread_cond_t idle;               /* open or held has become 0 */
    struct shard *shards[LOOPS_MAX];
};

/* Only the shard's thread writes a counter, so no locked instruction is needed. */
#define COUNT(s, name, n) \
    atomic_store_explicit(&(s)->stats.name, atomic_load_explicit(&(s)->stats.name, memory_order_relaxed) + (uint64_t)(n), \
                          memory_order_relaxed)

/* http_conn.c. conn_accept takes over fd, or returns false without memory. conn_close frees the connection; a handler's exchange lives on.
 * conn_sweep closes what is over its deadline, and, while draining, what is idle. */
bool conn_accept(struct shard *s, int fd, const char *peer);
void conn_close(struct conn *c);
void conn_sweep(struct shard *s, int64_t now_us);
/* conn_drain -- see what idle connections have sent before the sweep closes them. */
void conn_drain(struct shard *s);
void conn_close_all(struct shard *s);
/* conn_reply -- on the loop: x->reply is there. */
void conn_reply(struct xchg *x);

/* http.c. xchg_new: NULL without memory. xchg_head fills head, head_n, body_n from reply. */
struct xchg *xchg_new(struct shard *s, struct conn *c);
void xchg_free(struct xchg *x);
void xchg_head(struct xchg *x, bool head_only, bool close);
/* shard_conn_gone -- a connection has been closed: go on accepting, tell who waits. */
void shard_conn_gone(struct shard *s);

#endif
