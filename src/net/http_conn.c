/* http_conn.c -- one connection: handshake, request, handler, reply, next request.
 *
 * Not bufferevents: those keep two evbuffers a connection, copy every byte through them, hold two timers and have their own
 * ideas of when to read. With a small state machine over SSL_read and SSL_write, what goes on is easier to see, an
 * idle connection owns no buffer, and a keep-alive request with its hand-over to a worker and back took as much CPU as nginx
 * takes for a static answer (bench/load.c, one core each, nginx by ours: 0.90 to 0.96; full handshakes 1.13, resumed 1.06):
 *
 *   HANDSHAKE -> OPEN -> HANDLING -> WRITING -> OPEN ...            conn_drive() moves it as far as it goes;
 *                  \--(refused)-------^  \-> LINGER -> closed        events and replies call conn_drive()
 *
 * Reading goes into a scratch buffer of the loop, from there into the parser; a connection that waits owns no buffer
 * (OpenSSL gives its own back too, SSL_MODE_RELEASE_BUFFERS). The read event is level-triggered and stays added from
 * request to request: what is not read now shows again. Only bytes that OpenSSL has already taken from the socket do
 * not, hence SSL_has_pending() before we wait. Requests are answered one at a time, in order: while one is handled or
 * answered nothing is read (a client that sends on switches its read event off until then).
 *
 * Deadlines are looked at by a periodic sweep, not by a timer each: setting one is then a store.
 *
 * After the last reply of a connection we end our half and read and throw away what still comes, until the client has
 * ended its half or for a moment (RFC 9112 9.6): closing with unread bytes would reset the connection, and the client
 * might never see the reply. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_int.h"
#include "net/tls.h"

enum {
    ROUNDS = 16,                       /* reads or requests in a row before others get their turn */
    LINGER_US = 2000000,
    WRITE_UNIT = 65536,                /* http_config.write_us is for that much */
    SNI_MAX = 256, CLIENT_CERT_MAX = 8192,
};

enum io { IO_DONE, IO_WAIT, IO_GONE };

static void on_event(evutil_socket_t fd, short what, void *arg);

static void want_read(struct conn *c, bool on)
{
    if (c->reading == on) return;
    c->reading = on;
    if (on) event_add(&c->ev_read, NULL);
    else event_del(&c->ev_read);
}

static void want_write(struct conn *c, bool on)
{
    if (c->writing == on) return;
    c->writing = on;
    if (on) event_add(&c->ev_write, NULL);
    else event_del(&c->ev_write);
}

static void set_state(struct conn *c, enum conn_state s, int64_t limit_us)
{
    c->state = s;
    c->deadline_us = limit_us ? net_now_us() + limit_us : INT64_MAX;
}

bool conn_accept(struct shard *s, int fd, const char *peer)
{
    struct conn *c = calloc(1, sizeof *c);
    SSL *ssl = c && s->server->conf.tls ? tls_server_ssl(s->server->conf.tls) : NULL;
    if (!c || (s->server->conf.tls && (!ssl || SSL_set_fd(ssl, fd) != 1))) {
        if (ssl) SSL_free(ssl);
        ERR_clear_error();
        free(c);
        return false;
    }
    c->shard = s;
    c->fd = fd;
    c->ssl = ssl;
    memcpy(c->peer, peer, sizeof c->peer);
    buf_init(&c->rest, HTTP_IO);
    event_assign(&c->ev_read, loop_base(s->loop), fd, EV_READ | EV_PERSIST, on_event, c);
    event_assign(&c->ev_write, loop_base(s->loop), fd, EV_WRITE | EV_PERSIST, on_event, c);
    c->next = s->conns;
    if (c->next) c->next->prev = c;
    s->conns = c;
    COUNT(s, connections_accepted, 1);
    COUNT(s, connections_open, 1);
    if (ssl) set_state(c, CONN_HANDSHAKE, s->server->conf.handshake_us);
    else set_state(c, CONN_OPEN, s->server->conf.idle_us);
    want_read(c, true);
    return true;
}

void conn_close(struct conn *c)
{
    struct shard *s = c->shard;
    want_read(c, false);
    want_write(c, false);
    if (c->ssl) {
        if (!c->broken && c->state != CONN_HANDSHAKE && c->state != CONN_LINGER) SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
        ERR_clear_error();
    }
    close(c->fd);
    if (c->x) {
        c->x->conn = NULL;             /* a handler that still holds it will be told by nobody, and needs not to be */
        if (c->state != CONN_HANDLING) xchg_free(c->x);
    }
    buf_free(&c->rest);
    if (c->prev) c->prev->next = c->next;
    else s->conns = c->next;
    if (c->next) c->next->prev = c->prev;
    free(c);
    COUNT(s, connections_open, -1);
    shard_conn_gone(s);
}

/* After the last reply: no more from us, and a moment of throwing away what the client still sends. */
static void finish(struct conn *c)
{
    if (c->ssl) SSL_shutdown(c->ssl);
    ERR_clear_error();
    shutdown(c->fd, SHUT_WR);
    want_write(c, false);
    want_read(c, true);
    set_state(c, CONN_LINGER, LINGER_US);
}

static enum io linger(struct conn *c)
{
    for (int i = 0; i < ROUNDS; i++) {
        ssize_t n = recv(c->fd, c->shard->in, HTTP_IO, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return IO_WAIT;
        if (n <= 0) return IO_GONE;
    }
    return IO_WAIT;                    /* the event is level-triggered */
}

/* What OpenSSL wants after a call that did not succeed. Waiting for the socket either way is right: both events
 * lead to conn_drive. */
static enum io tls_io(struct conn *c, int r)
{
    int err = SSL_get_error(c->ssl, r);
    if (err == SSL_ERROR_WANT_READ) {
        want_write(c, false);
        want_read(c, true);
        return IO_WAIT;
    }
    if (err == SSL_ERROR_WANT_WRITE) {
        want_write(c, true);
        return IO_WAIT;
    }
    if (err != SSL_ERROR_ZERO_RETURN) c->broken = true;
    ERR_clear_error();
    return IO_GONE;
}

static enum io handshake(struct conn *c)
{
    int r = SSL_do_handshake(c->ssl);
    if (r == 1) {
        want_write(c, false);
        if (SSL_session_reused(c->ssl)) COUNT(c->shard, handshakes_resumed, 1);
        else COUNT(c->shard, handshakes_full, 1);
        set_state(c, CONN_OPEN, c->shard->server->conf.idle_us);
        return IO_DONE;
    }
    enum io io = tls_io(c, r);
    if (io == IO_GONE) COUNT(c->shard, handshakes_failed, 1);
    return io;
}

/* Up to HTTP_IO bytes into the loop's scratch buffer. */
static enum io receive(struct conn *c, size_t *n)
{
    uint8_t *in = c->shard->in;
    if (c->ssl) {
        int r = SSL_read_ex(c->ssl, in, HTTP_IO, n);
        if (r != 1) return tls_io(c, r);
    } else {
        ssize_t r = recv(c->fd, in, HTTP_IO, 0);
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) return IO_WAIT;
        c->broken |= r < 0;
        if (r <= 0) return IO_GONE;
        *n = (size_t)r;
    }
    COUNT(c->shard, bytes_in, *n);
    return IO_DONE;
}

static enum io transmit(struct conn *c, const uint8_t *p, size_t n, size_t *done)
{
    if (c->ssl) {
        int r = SSL_write_ex(c->ssl, p, n, done);
        if (r != 1) return tls_io(c, r);
    } else {
        ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
            want_write(c, true);
            return IO_WAIT;
        }
        if (r < 0) {
            c->broken = true;
            return IO_GONE;
        }
        *done = (size_t)r;
    }
    COUNT(c->shard, bytes_out, *done);
    return IO_DONE;
}

/* Write on from c->sent. Head and the beginning of the body go out as one record; a retry rebuilds the same bytes. */
static enum io write_reply(struct conn *c)
{
    struct xchg *x = c->x;
    const uint8_t *body = x->reply.body.p;
    size_t total = x->head_n + x->body_n;
    while (c->sent < total) {
        const uint8_t *p;
        size_t n = total - c->sent < HTTP_IO ? total - c->sent : HTTP_IO, done;
        if (c->sent >= x->head_n) p = body + (c->sent - x->head_n);
        else if (!x->body_n) p = (const uint8_t *)x->head + c->sent;
        else {
            size_t head = x->head_n - c->sent;
            memcpy(c->shard->out, x->head + c->sent, head);
            memcpy(c->shard->out + head, body, n - head);
            p = c->shard->out;
        }
        enum io io = transmit(c, p, n, &done);
        if (io != IO_DONE) return io;
        c->sent += done;
    }
    want_write(c, false);
    return IO_DONE;
}

static void count_reply(struct shard *s, int status)
{
    if (status < 300) COUNT(s, replies_2xx, 1);
    else if (status < 400) COUNT(s, replies_3xx, 1);
    else if (status < 500) COUNT(s, replies_4xx, 1);
    else COUNT(s, replies_5xx, 1);
}

static void begin_reply(struct conn *c)
{
    struct xchg *x = c->x;
    const struct http_parser *p = &x->parser;
    c->closing = c->closing || x->reply.close || !p->keep_alive || c->shard->draining;
    xchg_head(x, p->head_only, c->closing);
    count_reply(c->shard, x->reply.status);
    c->sent = 0;
    set_state(c, CONN_WRITING, c->shard->server->conf.write_us * (int64_t)(1 + x->body_n / WRITE_UNIT));
}

static void refuse(struct conn *c, int status)
{
    COUNT(c->shard, requests_refused, 1);
    c->closing = true;
    c->x->reply = (struct http_reply){ .status = status };
    begin_reply(c);
}

static const char *server_name(struct conn *c)
{
    const char *sni = c->ssl ? SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    size_t n = sni ? strlen(sni) : 0;
    if (!n || n >= SNI_MAX) return NULL;
    char *low = arena_str(&c->x->arena, slice_of(sni, n));
    for (char *s = low; s && *s; s++)
        if (*s >= 'A' && *s <= 'Z') *s = (char)(*s | 32);
    return low;
}

static struct slice client_certificate(struct conn *c)
{
    X509 *cert = c->ssl ? SSL_get0_peer_certificate(c->ssl) : NULL;
    unsigned char *at = NULL;
    int n = cert ? i2d_X509(cert, NULL) : 0;
    uint8_t *der = n > 0 && n <= CLIENT_CERT_MAX ? arena_alloc(&c->x->arena, (size_t)n) : NULL;
    if (!(at = der) || i2d_X509(cert, &at) != n) return (struct slice){ 0 };
    return slice_of(der, (size_t)n);
}

static void call_handler(struct conn *c)
{
    struct xchg *x = c->x;
    x->pub.req = x->parser.req;
    memcpy(x->peer, c->peer, sizeof x->peer);
    x->pub.req.peer = x->peer;
    x->pub.req.tls = c->ssl != NULL;
    x->pub.req.sni = server_name(c);
    x->arena.cap = x->arena.total + c->shard->server->conf.arena_bytes;
    x->pub.req.client = client_certificate(c);
    COUNT(c->shard, requests, 1);
    set_state(c, CONN_HANDLING, 0);
    c->answered = false;
    c->in_handler = true;
    c->shard->server->conf.handle(c->shard->server->conf.arg, &x->pub);
    c->in_handler = false;
    if (c->answered) begin_reply(c);
}

/* "100 Continue": the client waits for it, so the socket's buffer is empty; if not even that fits, it goes. */
static enum io send_continue(struct conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t done;
    return transmit(c, (const uint8_t *)text, sizeof text - 1, &done) == IO_DONE && done == sizeof text - 1 ? IO_DONE : IO_GONE;
}

/* Give bytes to the parser, and what it makes of them to the handler. *used: how many were taken. */
static enum io feed(struct conn *c, struct slice in, size_t *used)
{
    struct http_parser *p;
    bool begun = c->x != NULL && c->x->parser.begun;
    *used = 0;
    if (!c->x && !(c->x = xchg_new(c->shard, c))) return IO_GONE;
    p = &c->x->parser;
    enum http_step r;
    do {
        size_t n;
        r = http_parser_feed(p, slice_of(in.p + *used, in.n - *used), &n);
        *used += n;
        if (!begun && p->begun) {
            begun = true;
            set_state(c, CONN_OPEN, c->shard->server->conf.request_us);
        }
        if (r == HTTP_CONTINUE && send_continue(c) != IO_DONE) return IO_GONE;
    } while (r == HTTP_CONTINUE);
    if (r == HTTP_COMPLETE) call_handler(c);
    else if (r == HTTP_REFUSED) refuse(c, p->status);
    return IO_DONE;
}

/* OPEN: more bytes, from behind the last request or from the socket. IO_WAIT: none now. */
static enum io read_on(struct conn *c, bool readable)
{
    size_t n, used;
    if (c->rest_at < c->rest.n) {
        enum io io = feed(c, slice_of(c->rest.p + c->rest_at, c->rest.n - c->rest_at), &used);
        c->rest_at += used;
        if (c->rest_at == c->rest.n) {
            buf_free(&c->rest);
            c->rest_at = 0;
        }
        return io;
    }
    want_read(c, true);
    if (!readable && !(c->ssl && SSL_has_pending(c->ssl))) return IO_WAIT;
    enum io io = receive(c, &n);
    if (io == IO_DONE) io = feed(c, slice_of(c->shard->in, n), &used);
    if (io == IO_DONE && used < n) {
        buf_put(&c->rest, slice_of(c->shard->in + used, n - used));
        if (c->rest.failed) return IO_GONE;
    }
    return io;
}

static void reply_done(struct conn *c)
{
    xchg_free(c->x);
    c->x = NULL;
    if (c->closing) {
        finish(c);
        return;
    }
    set_state(c, CONN_OPEN, c->shard->server->conf.idle_us);
}

/* Move the connection as far as it goes. It may be gone afterwards. `readable`: the socket says so. */
static void conn_drive(struct conn *c, bool readable)
{
    enum io io = IO_DONE;
    for (int i = 0; io == IO_DONE; i++) {
        if (i == ROUNDS) {             /* others first */
            event_active(&c->ev_read, EV_READ, 0);
            return;
        }
        switch (c->state) {
        case CONN_HANDSHAKE:
            io = handshake(c);
            readable = false;
            break;
        case CONN_OPEN:
            io = read_on(c, readable);
            readable = false;
            break;
        case CONN_HANDLING:
            if (readable) want_read(c, false);
            return;
        case CONN_WRITING:
            io = write_reply(c);
            if (io != IO_DONE) break;
            bool last = c->closing;
            reply_done(c);
            if (last) return;
            break;
        case CONN_LINGER:
            io = linger(c);
            break;
        }
    }
    if (io == IO_GONE) conn_close(c);
    else if (c->state == CONN_WRITING && readable && c->writing) want_read(c, false);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *c = arg;
    if ((what & EV_WRITE) && c->state == CONN_OPEN) {       /* SSL_read had to write something first */
        want_write(c, false);
        what |= EV_READ;
    }
    conn_drive(c, (what & EV_READ) != 0);
}

void conn_reply(struct xchg *x)
{
    struct conn *c = x->conn;
    if (!c) {
        COUNT(x->shard, replies_dropped, 1);
        xchg_free(x);
        return;
    }
    begin_reply(c);
    conn_drive(c, false);
}

static void over_deadline(struct conn *c)
{
    struct shard *s = c->shard;
    switch (c->state) {
    case CONN_HANDSHAKE:
        COUNT(s, timeouts_handshake, 1);
        COUNT(s, handshakes_failed, 1);
        break;
    case CONN_OPEN:
        if (c->x && c->x->parser.begun) {
            COUNT(s, timeouts_request, 1);
            refuse(c, 408);
            conn_drive(c, false);
            return;
        }
        COUNT(s, timeouts_idle, 1);
        break;
    case CONN_WRITING:
        COUNT(s, timeouts_write, 1);
        c->broken = true;
        break;
    case CONN_HANDLING: case CONN_LINGER: break;
    }
    conn_close(c);
}

void conn_sweep(struct shard *s, int64_t now_us)
{
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (now_us >= c->deadline_us) over_deadline(c);
        else if (s->draining && c->state == CONN_OPEN && !(c->x && c->x->parser.begun)) conn_close(c);
    }
}

void conn_drain(struct shard *s)
{
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (c->state == CONN_OPEN) conn_drive(c, true);
    }
}

void conn_close_all(struct shard *s)
{
    while (s->conns) conn_close(s->conns);
}
