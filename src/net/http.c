/* http.c -- a server's life: listen on every loop, accept up to the limit, drain, end; and the heads of replies.
 *
 * Each loop has a shard of the server: its own listening socket (SO_REUSEPORT: the kernel spreads connections), its
 * connections, counters and spare exchanges. Shards meet in two atomics only, the number of connections (the limit holds
 * for the whole server) and of exchanges in use. A shard at the limit takes its listening event off, so that the kernel
 * keeps the next clients in the backlog; it resumes when one of its own connections goes, and otherwise at its next tick. */
#include "net/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/http_int.h"

enum {
    BACKLOG = 4096,
    ACCEPTS = 8,                       /* connections taken before others get their turn */
    TICK_MIN_US = 2000, TICK_MAX_US = 250000,
};

/* Exchanges and heads of replies. */

struct xchg *xchg_new(struct shard *s, struct conn *c)
{
    const struct http_config *k = &s->server->conf;
    struct xchg *x = s->spare;
    if (x) {
        s->spare = x->next_spare;
        s->spares--;
    } else if (!(x = calloc(1, sizeof *x))) return NULL;
    x->shard = s;
    x->conn = c;
    x->arena.cap = 2 * k->header_bytes + k->body_bytes + 1024;      /* head, trailer, body and our own little things */
    x->pub = (struct http_exchange){ .arena = &x->arena, .server = s->server };
    http_parser_init(&x->parser, (struct http_limits){ k->header_bytes, k->body_bytes }, &x->arena);
    atomic_fetch_add(&s->server->held, 1);
    return x;
}

static void idle_signal(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

void xchg_free(struct xchg *x)
{
    struct shard *s = x->shard;
    http_parser_reset(&x->parser);
    arena_reset(&x->arena);
    if (s->spares < HTTP_SPARE) {
        x->next_spare = s->spare;
        s->spare = x;
        s->spares++;
    } else {
        arena_free(&x->arena);
        free(x);
    }
    if (atomic_fetch_sub(&s->server->held, 1) == 1) idle_signal(s->server);
}

static const struct { int status; const char *text; } reasons[] = {
    { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 303, "See Other" },
    { 304, "Not Modified" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
    { 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" },
    { 410, "Gone" }, { 412, "Precondition Failed" }, { 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" }, { 422, "Unprocessable Content" }, { 428, "Precondition Required" },
    { 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" },
    { 501, "Not Implemented" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
};

static const char *reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status) return reasons[i].text;
    return "-";
}

static const char *date(struct shard *s)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    int64_t now = s->server->conf.env->now(s->server->conf.env) / 1000000;
    time_t t = (time_t)now;
    struct tm tm;
    if (now != s->date_s && gmtime_r(&t, &tm)) {
        s->date_s = now;
        snprintf(s->date, sizeof s->date, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7], tm.tm_mday & 31u,
                 months[tm.tm_mon % 12], (tm.tm_year + 1900u) % 10000, tm.tm_hour & 31u, tm.tm_min & 63u, tm.tm_sec & 63u);
    }
    return s->date;
}

/* A head being written; `bad` once it is too long or a value would break a line. */
struct head {
    struct xchg *x;
    bool bad;
};

static void put(struct head *h, const char *s)
{
    size_t n = strlen(s);
    if (h->bad || n > HTTP_REPLY_HEAD - h->x->head_n || strcspn(s, "\r\n") != n) {
        h->bad = true;
        return;
    }
    memcpy(h->x->head + h->x->head_n, s, n);
    h->x->head_n += n;
}

static void put_end(struct head *h)
{
    if (h->bad || HTTP_REPLY_HEAD - h->x->head_n < 2) h->bad = true;
    else {
        h->x->head[h->x->head_n++] = '\r';
        h->x->head[h->x->head_n++] = '\n';
    }
}

static void put_line(struct head *h, const char *name, const char *value)
{
    put(h, name);
    put(h, ": ");
    put(h, value);
    put_end(h);
}

static void put_number(struct head *h, size_t n)
{
    char text[24], *t = text + sizeof text - 1;
    *t = 0;
    do *--t = (char)('0' + n % 10);
    while (n /= 10);
    put(h, t);
}

static void put_headers(struct head *h, const struct http_reply *r)
{
    const struct http_server *s = h->x->shard->server;
    bool always = s->conf.always_header != NULL;
    for (int i = 0; i < r->n_headers; i++) {
        const struct http_field *f = &r->headers[i];
        if (always && strlen(f->name) == s->always_name_n && strncasecmp(f->name, s->conf.always_header, s->always_name_n) == 0)
            always = false;
        put_line(h, f->name, f->value);
    }
    if (always) {
        put(h, s->conf.always_header);
        put_end(h);
    }
}

/* False: the reply cannot be written as it is. */
static bool build_head(struct xchg *x, bool head_only, bool close)
{
    const struct http_reply *r = &x->reply;
    struct head h = { x, r->status < 200 || r->status > 599 };
    bool has_body = r->status != 204 && r->status != 304;
    x->head_n = 0;
    x->body_n = has_body && !head_only ? r->body.n : 0;
    put(&h, "HTTP/1.1 ");
    put_number(&h, (size_t)r->status);
    put(&h, " ");
    put(&h, reason(r->status));
    put_end(&h);
    put_line(&h, "Date", date(x->shard));
    if (has_body) {
        put(&h, "Content-Length: ");
        put_number(&h, r->body.n);
        put_end(&h);
    }
    if (has_body && r->body.n && r->content_type) put_line(&h, "Content-Type", r->content_type);
    put_headers(&h, r);
    if (close) put_line(&h, "Connection", "close");
    put_end(&h);
    return !h.bad;
}

void xchg_head(struct xchg *x, bool head_only, bool close)
{
    if (build_head(x, head_only, close)) return;
    x->reply = (struct http_reply){ .status = 500 };
    build_head(x, head_only, close);
}

static void answered(void *arg)
{
    conn_reply(arg);
}

void http_reply_send(struct http_exchange *pub, const struct http_reply *r)
{
    struct xchg *x = (struct xchg *)pub;
    if (pub->send) {
        pub->send(pub, r);
        return;
    }
    x->reply = *r;
    if (loop_here(x->shard->loop) && x->conn && x->conn->in_handler) {
        x->conn->answered = true;      /* the connection goes on when the handler has returned */
        return;
    }
    x->answered = (struct loop_task){ answered, x, NULL };
    loop_post(x->shard->loop, &x->answered);
}

void http_reply_status(struct http_exchange *x, int status)
{
    static const struct http_field retry = { "Retry-After", "5" };
    http_reply_send(x, &(struct http_reply){ .status = status, .headers = &retry, .n_headers = status == 503 });
}

/* Accepting. */

static void peer_name(const struct sockaddr_storage *a, char out[HTTP_PEER])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;
    if (a->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
        snprintf(out, HTTP_PEER, "[%s]:%u", ip, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
        snprintf(out, HTTP_PEER, "%s:%u", ip, ntohs(v4->sin_port));
    }
}

static void release_place(struct shard *s)
{
    if (atomic_fetch_sub(&s->server->open, 1) == 1) idle_signal(s->server);
}

static void pause_accept(struct shard *s)
{
    s->paused = true;
    event_del(s->accept_event);
    COUNT(s, accept_paused, 1);
}

static void resume_accept(struct shard *s)
{
    if (!s->paused || !s->accept_event || atomic_load(&s->server->open) >= s->server->conf.connections) return;
    s->paused = false;
    event_add(s->accept_event, NULL);
}

void shard_conn_gone(struct shard *s)
{
    release_place(s);
    resume_accept(s);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
    (void)what;
    struct shard *s = arg;
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage a;
        socklen_t n = sizeof a;
        char peer[HTTP_PEER];
        if (atomic_fetch_add(&s->server->open, 1) >= s->server->conf.connections) {
            release_place(s);
            pause_accept(s);
            return;
        }
        int fd = accept4(listen_fd, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            int err = errno;
            release_place(s);
            if (err == ECONNABORTED || err == EINTR) continue;
            if (err != EAGAIN) pause_accept(s);         /* no descriptors or memory: again at the next tick */
            return;
        }
        peer_name(&a, peer);
        if (conn_accept(s, fd, peer)) continue;
        close(fd);
        release_place(s);
    }
}

static void on_tick(void *arg)
{
    struct shard *s = arg;
    resume_accept(s);
    conn_sweep(s, net_now_us());
}

/* Listening. */

static enum eim_err parse_address(const struct http_config *c, int port, struct sockaddr_storage *a, socklen_t *n, struct err *e)
{
    struct sockaddr_in *v4 = (void *)a;
    struct sockaddr_in6 *v6 = (void *)a;
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, c->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *n = sizeof *v4;
    } else if (inet_pton(AF_INET6, c->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *n = sizeof *v6;
    } else return fail_field(e, E_CONF, NULL, "address", "%s is no IPv4 or IPv6 address", c->address);
    return OK;
}

/* A socket bound to the port; shared: with the other loops. -1 with errno. */
static int bound_socket(const struct sockaddr_storage *a, socklen_t n, bool shared)
{
    static const int one = 1;
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0
              && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0         /* accepted sockets inherit it */
              && (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0)
              && (a->ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0)
              && bind(fd, (const struct sockaddr *)a, n) == 0 && (!shared || listen(fd, BACKLOG) == 0);
    if (ok) return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

/* SO_REUSEPORT would let a second server of the same user share our port unseen: look first whether it is free. */
static enum eim_err open_sockets(struct http_server *s, struct err *e)
{
    struct sockaddr_storage a;
    socklen_t n;
    TRY(parse_address(&s->conf, s->conf.port, &a, &n, e));
    int probe = s->conf.port ? bound_socket(&a, n, false) : 0;
    if (probe > 0) close(probe);
    s->port = s->conf.port;
    for (int i = 0; probe >= 0 && i < s->n_shards; i++) {
        s->shards[i]->listen_fd = bound_socket(&a, n, true);
        if (s->shards[i]->listen_fd < 0) break;
        struct sockaddr_storage got;
        socklen_t m = sizeof got;
        getsockname(s->shards[i]->listen_fd, (struct sockaddr *)&got, &m);
        s->port = ntohs(got.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&got)->sin6_port : ((struct sockaddr_in *)&got)->sin_port);
        TRY(parse_address(&s->conf, s->port, &a, &n, e));
        if (i == s->n_shards - 1) return OK;
    }
    return fail_field(e, E_IO, NULL, "port", "cannot listen on %s port %d: %s", s->conf.address, s->conf.port, strerror(errno));
}

static int64_t shortest(const struct http_config *c)
{
    int64_t t = c->handshake_us < c->idle_us ? c->handshake_us : c->idle_us;
    if (c->request_us < t) t = c->request_us;
    return (c->write_us < t ? c->write_us : t) / 4;
}

static void shard_begin(void *arg)
{
    struct shard *s = arg;
    int64_t tick = shortest(&s->server->conf);
    tick = tick < TICK_MIN_US ? TICK_MIN_US : tick > TICK_MAX_US ? TICK_MAX_US : tick;
    s->tick = loop_every(s->loop, tick, on_tick, s);
    s->accept_event = event_new(loop_base(s->loop), s->listen_fd, EV_READ | EV_PERSIST, on_accept, s);
    if (s->accept_event) event_add(s->accept_event, NULL);
}

static void stop_listening(struct shard *s)
{
    if (s->accept_event) event_free(s->accept_event);
    if (s->listen_fd >= 0) close(s->listen_fd);
    s->accept_event = NULL;
    s->listen_fd = -1;
}

static void shard_drain(void *arg)
{
    struct shard *s = arg;
    s->draining = true;
    if (s->accept_event && !s->paused) on_accept(s->listen_fd, 0, s);     /* who has connected already is served */
    stop_listening(s);
    conn_drain(s);
}

static void shard_close_all(void *arg)
{
    conn_close_all(arg);
}

static void shard_end(void *arg)
{
    struct shard *s = arg;
    stop_listening(s);
    loop_timer_free(s->tick);
    s->tick = NULL;
    conn_close_all(s);
}

static void each_shard(struct http_server *s, void (*fn)(void *arg))
{
    for (int i = 0; i < s->n_shards; i++) loop_call(s->shards[i]->loop, fn, s->shards[i]);
}

static void server_free(struct http_server *s)
{
    for (int i = 0; i < s->n_shards && s->shards[i]; i++) {
        struct shard *d = s->shards[i];
        while (d->spare) {
            struct xchg *x = d->spare;
            d->spare = x->next_spare;
            arena_free(&x->arena);
            free(x);
        }
        stop_listening(d);
        free(d);
    }
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

#define OR(value, standard) ((value) = (value) ? (value) : (standard))

static void set_defaults(struct http_config *c)
{
    OR(c->address, "127.0.0.1");
    OR(c->header_bytes, 8192);
    OR(c->body_bytes, 65536);
    OR(c->arena_bytes, 1 << 20);
    OR(c->connections, 10000);
    OR(c->handshake_us, 10000000);
    OR(c->idle_us, 60000000);
    OR(c->request_us, 10000000);
    OR(c->write_us, 30000000);
}

static enum eim_err server_new(struct http_server **out, struct loops *l, const struct http_config *c, struct err *e)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (!s) return fail(e, E_NOMEM, NULL, "no memory for a server");
    s->conf = *c;
    set_defaults(&s->conf);
    s->loops = l;
    s->always_name_n = c->always_header ? strcspn(c->always_header, ":") : 0;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->idle, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->lock, NULL);
    s->n_shards = loops_count(l);
    for (int i = 0; i < s->n_shards; i++) {
        struct shard *d = s->shards[i] = calloc(1, sizeof *d);
        if (!d) {
            server_free(s);
            return fail(e, E_NOMEM, NULL, "no memory for a server");
        }
        d->server = s;
        d->loop = loops_get(l, i);
        d->listen_fd = -1;
        d->date_s = -1;
    }
    *out = s;
    return OK;
}

enum eim_err http_listen(struct http_server **out, struct loops *l, const struct http_config *c, struct err *e)
{
    struct http_server *s = NULL;
    if (c->port < 0 || c->port > 65535) return fail_field(e, E_CONF, NULL, "port", "0 to 65535, not %d", c->port);
    if (c->connections < 0 || c->handshake_us < 0 || c->idle_us < 0 || c->request_us < 0 || c->write_us < 0)
        return fail(e, E_CONF, NULL, "a limit is negative");
    TRY(server_new(&s, l, c, e));
    enum eim_err rc = open_sockets(s, e);
    if (rc == OK) {
        each_shard(s, shard_begin);
        for (int i = 0; i < s->n_shards; i++)
            if (!s->shards[i]->tick || !s->shards[i]->accept_event) rc = fail(e, E_NOMEM, NULL, "no memory for a server");
        if (rc != OK) each_shard(s, shard_end);
    }
    if (rc != OK) server_free(s);
    else *out = s;
    return rc;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

/* Wait until *n is 0; limit_us < 0: for ever. */
static bool wait_zero(struct http_server *s, _Atomic int *n, int64_t limit_us)
{
    int64_t until = net_now_us() + limit_us;
    const struct timespec ts = { until / 1000000, until % 1000000 * 1000 };
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (atomic_load(n) && rc == 0)
        rc = limit_us < 0 ? pthread_cond_wait(&s->idle, &s->lock) : pthread_cond_timedwait(&s->idle, &s->lock, &ts);
    pthread_mutex_unlock(&s->lock);
    return atomic_load(n) == 0;
}

void http_server_drain(struct http_server *s, int64_t limit_us)
{
    each_shard(s, shard_drain);
    if (!wait_zero(s, &s->open, limit_us < 0 ? 0 : limit_us)) each_shard(s, shard_close_all);
}

static void nothing(void *arg)
{
    (void)arg;
}

void http_server_free(struct http_server *s)
{
    if (!s) return;
    each_shard(s, shard_end);
    wait_zero(s, &s->held, -1);
    each_shard(s, nothing);            /* whoever told us so has left our code by now */
    server_free(s);
}

void http_server_stats(const struct http_server *s, struct net_stats *out)
{
    *out = (struct net_stats){ 0 };
    for (int i = 0; i < s->n_shards; i++) {
        const struct shard_stats *d = &s->shards[i]->stats;
#define X(name, text) out->name += atomic_load_explicit(&d->name, memory_order_relaxed);
        NET_STATS(X)
#undef X
    }
}
