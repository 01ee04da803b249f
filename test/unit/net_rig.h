/* net_rig.h -- what test_http.c and test_tls.c share: a server on loopback with a handler for all purposes, and
 * blocking sockets. A read that waits 60 s for nothing fails the test: it hangs, it is not slow. */
#ifndef TEST_UNIT_NET_RIG_H
#define TEST_UNIT_NET_RIG_H

#include "test/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/work.h"

enum { RIG_LOOPS = 2, RIG_PATIENCE_S = 60 };

struct rig {
    struct env env;
    _Atomic int64_t clock_us;          /* what env tells; set by the test */
    struct loops *loops;
    struct work *work;
    struct http_server *server;
    int port;
    pthread_mutex_t lock;              /* for held */
    pthread_cond_t cond;
    struct http_exchange *held;        /* what asked for /hold */
    _Atomic unsigned loops_seen;       /* bit i: a handler ran on loop i */
};

static inline int64_t rig_now(struct env *e)
{
    return atomic_load(&((struct rig *)(void *)e)->clock_us);
}

/* Bytes of `path=..` etc. for /dump: what the handler saw of the request. */
static inline void rig_dump(struct http_exchange *x, struct http_reply *r)
{
    const struct http_request *q = &x->req;
    const char *colour = http_header(q, "x-colour");
    char *text = arena_printf(x->arena, "%s %s?%s host=%s type=%s colour=%s sni=%s tls=%d fields=%d body=%.*s", q->method, q->path,
                              q->query, q->host, q->content_type ? q->content_type : "-", colour ? colour : "-",
                              q->sni ? q->sni : "-", q->tls, q->n_fields, (int)q->body.n, (const char *)q->body.p);
    *r = (struct http_reply){ .status = text ? 200 : 503, .content_type = "text/plain", .body = slice_str(text) };
}

static inline void rig_big(struct http_exchange *x, struct http_reply *r)
{
    char *n = http_query(&x->req, x->arena, "n");
    size_t size = n ? strtoul(n, NULL, 10) : 0;
    uint8_t *p = arena_alloc(x->arena, size);
    for (size_t i = 0; p && i < size; i++) p[i] = (uint8_t)('a' + i % 23);
    *r = p ? (struct http_reply){ .status = 200, .body = { p, size } } : (struct http_reply){ .status = 503 };
}

static inline void rig_answer(void *arg, const struct work_thread *t)
{
    static const struct http_field many[] = { { "X-One", "1" }, { "Location", "/v1/x" } };
    static const struct http_field broken[] = { { "X-One", "1\r\nX-Two: 2" } };
    static const struct http_field own[] = { { "x-admin-protocol", "gsma/rsp/v2.2.0" } };
    static char endless_value[HTTP_REPLY_HEAD + 1];
    struct http_exchange *x = arg;
    struct http_reply r = { .status = 404 };
    const char *p = x->req.path;
    (void)t;
    if (strncmp(p, "/dump", 5) == 0 || *p == '*') rig_dump(x, &r);
    else if (strcmp(p, "/echo") == 0) r = (struct http_reply){ .status = 200, .content_type = x->req.content_type, .body = x->req.body };
    else if (strcmp(p, "/known") == 0) {
        const struct http_request *q = &x->req;
        char *text = arena_printf(x->arena, "%s %s %s %s", q->peer, q->authorization ? q->authorization : "-",
                                  q->x_admin_protocol ? q->x_admin_protocol : "-", q->idempotency_key ? q->idempotency_key : "-");
        r = (struct http_reply){ .status = 200, .body = slice_str(text) };
    } else if (strcmp(p, "/work") == 0) r = (struct http_reply){ .status = 200, .body = SLICE("worker") };
    else if (strcmp(p, "/hold") == 0) r = (struct http_reply){ .status = 200, .body = SLICE("held") };
    else if (strcmp(p, "/big") == 0) rig_big(x, &r);
    else if (strcmp(p, "/headers") == 0) r = (struct http_reply){ .status = 201, .headers = many, .n_headers = 2 };
    else if (strcmp(p, "/broken") == 0) r = (struct http_reply){ .status = 200, .headers = broken, .n_headers = 1, .body = SLICE("no") };
    else if (strcmp(p, "/own") == 0) r = (struct http_reply){ .status = 200, .headers = own, .n_headers = 1 };
    else if (strcmp(p, "/odd") == 0) r = (struct http_reply){ .status = 42 };
    else if (strcmp(p, "/empty") == 0) r = (struct http_reply){ .status = 204, .content_type = "text/plain", .body = SLICE("not sent") };
    else if (strcmp(p, "/close") == 0) r = (struct http_reply){ .status = 200, .body = SLICE("bye"), .close = true };
    else if (strcmp(p, "/endless") == 0) {
        static const struct http_field endless[] = { { "X-Endless", endless_value } };
        memset(endless_value, 'x', HTTP_REPLY_HEAD);
        r = (struct http_reply){ .status = 200, .headers = endless, .n_headers = 1 };
    } else if (strcmp(p, "/busy") == 0) {
        http_reply_status(x, 503);
        return;
    }
    http_reply_send(x, &r);
}

static inline void rig_handle(void *arg, struct http_exchange *x)
{
    struct rig *g = arg;
    for (int i = 0; i < RIG_LOOPS; i++)
        if (loop_here(loops_get(g->loops, i))) atomic_fetch_or(&g->loops_seen, 1u << i);
    if (strcmp(x->req.path, "/hold") == 0) {
        pthread_mutex_lock(&g->lock);
        g->held = x;
        pthread_cond_broadcast(&g->cond);
        pthread_mutex_unlock(&g->lock);
    } else if (strcmp(x->req.path, "/work") == 0) {
        if (!work_submit(g->work, rig_answer, x)) http_reply_status(x, 503);
    } else rig_answer(x, NULL);
}

/* The exchange that asked for /hold, once it is there; it is the caller's to answer. */
static inline struct http_exchange *rig_take_held(struct rig *g)
{
    pthread_mutex_lock(&g->lock);
    while (!g->held) pthread_cond_wait(&g->cond, &g->lock);
    struct http_exchange *x = g->held;
    g->held = NULL;
    pthread_mutex_unlock(&g->lock);
    return x;
}

static inline void rig_start(struct rig *g, struct http_config c)
{
    struct err e = { 0 };
    memset(g, 0, sizeof *g);
    env_real(&g->env);
    g->env.now = rig_now;
    atomic_store(&g->clock_us, 1793409089000000);           /* Sat, 31 Oct 2026 01:11:29 GMT */
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->cond, NULL);
    assert_ok(loops_start(&g->loops, RIG_LOOPS, &e));
    assert_ok(work_start(&g->work, &(struct work_config){ .threads = 2, .depth = 64 }, &e));
    c.env = &g->env;
    c.handle = rig_handle;
    c.arg = g;
    c.always_header = "X-Admin-Protocol: gsma/rsp/v2.1.0";
    assert_ok(http_listen(&g->server, g->loops, &c, &e));
    g->port = http_server_port(g->server);
    assert_true(g->port > 0);
}

/* Everything ends, and whatever was left over is found by the address sanitizer. */
static inline void rig_stop(struct rig *g)
{
    work_stop(g->work);
    http_server_free(g->server);
    loops_stop(g->loops);
    pthread_cond_destroy(&g->cond);
    pthread_mutex_destroy(&g->lock);
}

static inline struct net_stats rig_stats(struct rig *g)
{
    struct net_stats s;
    http_server_stats(g->server, &s);
    return s;
}

/* Wait until a counter has this value. */
#define RIG_AWAIT(g, counter, value)                                                                  \
    do {                                                                                              \
        for (int64_t until_ = net_now_us() + RIG_PATIENCE_S * 1000000LL; rig_stats(g).counter != (uint64_t)(value); sched_yield()) \
            if (net_now_us() > until_) fail_msg("%s is %llu, not %llu", #counter,                     \
                                                (unsigned long long)rig_stats(g).counter, (unsigned long long)(value)); \
    } while (0)

static inline int rig_connect_small(struct rig *g, int receive_buffer)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)g->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval patience = { RIG_PATIENCE_S, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (receive_buffer) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

static inline int rig_connect(struct rig *g)
{
    int fd = rig_connect_small(g, 0);
    assert_true(fd >= 0);
    return fd;
}

/* Close with a reset: what the peer sends now is refused. */
static inline void rig_reset(int fd)
{
    const struct linger now = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static inline void rig_send_n(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
        if (r <= 0) return;            /* the server had enough; the reply tells */
        at += (size_t)r;
    }
}

static inline void rig_send(int fd, const char *s)
{
    rig_send_n(fd, s, strlen(s));
}

#endif
