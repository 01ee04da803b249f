/* coap.c -- the server: one thread, which alone touches libcoap.
 *
 * An answer that is there within ACK_WAIT goes with the acknowledgement; a later one by itself. The thread waits for it that long, which costs
 * others nothing worth having and saves two datagrams of nearly every poll. */
#include "net/coap.h"

#include <arpa/inet.h>
#include <coap3/coap.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

enum {
    TOKEN_MAX = 8, PATH_SIZE = 128, QUERY_SIZE = 128, HOST_SIZE = 256, SZX_MAX = 6, ACK_WAIT_MS = 15, TURN_MS = 1000, BUSY_SECONDS = 2,
    PSK_FILE_MAX = 4 << 20, IDENTITY_MAX = 128, KEY_MIN = 16, KEY_MAX = 64, OPTION_MAX_AGE = COAP_OPTION_MAXAGE, BIGGEST_BODY = 16 << 20,
};

static const int64_t EXCHANGE_LIFETIME_US = INT64_C(247) * 1000000;       /* RFC 7252 4.8.2: then a message id may mean another request */

struct name { coap_mid_t mid; uint8_t token[TOKEN_MAX]; size_t n; };       /* of a request within its session */

struct psk { coap_bin_const_t identity, key; };

/* A session. */
struct peer {
    struct peer *next, *before;
    char name[HTTP_PEER], address[INET6_ADDRSTRLEN];
    char path[PATH_SIZE];              /* what is being put together */
    struct buf in;
    uint32_t next_block;
    int64_t in_since_us;
    bool assembling;
    struct job *job;                   /* the request under way, or NULL */
    struct name last;                  /* the one answered last, and its answer */
    bool has_last;
    int64_t last_us;
    char last_path[PATH_SIZE];
    uint8_t code;
    unsigned max_age;
    uint16_t etag;
    struct buf answer;
};

/* A request with the handler. */
struct job {
    struct http_exchange x;            /* first member */
    struct coap_server *s;
    struct peer *peer;                 /* NULL: the session has gone */
    coap_session_t *session;           /* referenced */
    struct name name;
    unsigned szx;                      /* as it wants its answer */
    char path[PATH_SIZE], query[QUERY_SIZE], host[HOST_SIZE], peer_name[HTTP_PEER];
    struct arena arena;
    struct http_reply reply;
    unsigned max_age;
    bool answered, separate;           /* under the lock */
    struct job *next;                  /* of those answered */
};

struct coap_server {
    struct coap_config c;
    struct arena memory;
    int port;
    coap_context_t *context;
    struct psk *psk;
    size_t n_psk;
    struct peer *peers;
    size_t kept;                       /* octets of answers */
    uint16_t etag;
    pthread_t thread;
    bool running;
    int wake;                          /* an eventfd */
    pthread_mutex_t lock;              /* guards all below */
    pthread_cond_t change;
    struct job *answered;
    unsigned jobs;                     /* with the handler, or answered and not yet sent */
    bool stop;
    struct coap_stats stats;           /* atomic */
};

static void count(uint64_t *n) { __atomic_add_fetch(n, 1, __ATOMIC_RELAXED); }

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- peers ---- */

static void forget_answer(struct coap_server *s, struct peer *p)
{
    s->kept -= p->answer.n;
    buf_free(&p->answer);
    buf_init(&p->answer, BIGGEST_BODY);
    p->has_last = false;
}

static void forget_request(struct coap_server *s, struct peer *p)
{
    buf_free(&p->in);
    buf_init(&p->in, s->c.body_bytes);
    p->assembling = false;
}

static struct peer *peer_of(struct coap_server *s, coap_session_t *session)
{
    struct peer *p = coap_session_get_app_data(session);
    if (p) return p;
    if (!(p = MEM_NEW(struct peer))) return NULL;
    const coap_address_t *a = coap_session_get_addr_remote(session);
    bool v6 = a->addr.sa.sa_family == AF_INET6;
    if (!inet_ntop(a->addr.sa.sa_family, v6 ? (const void *)&a->addr.sin6.sin6_addr : &a->addr.sin.sin_addr, p->address, sizeof p->address))
        snprintf(p->address, sizeof p->address, "?");
    snprintf(p->name, sizeof p->name, v6 ? "[%s]:%u" : "%s:%u", p->address, ntohs(v6 ? a->addr.sin6.sin6_port : a->addr.sin.sin_port));
    buf_init(&p->in, s->c.body_bytes);
    buf_init(&p->answer, BIGGEST_BODY);
    p->next = s->peers;
    if (p->next) p->next->before = p;
    s->peers = p;
    coap_session_set_app_data(session, p);
    return p;
}

static void peer_gone(struct coap_server *s, struct peer *p)
{
    if (p->job) p->job->peer = NULL;
    forget_answer(s, p);
    buf_free(&p->in);
    if (p->next) p->next->before = p->before;
    *(p->before ? &p->before->next : &s->peers) = p->next;
    mem_free(p);
}

/* Requests of this address under way, or half here. */
static unsigned busy_at(const struct coap_server *s, const char *address)
{
    unsigned n = 0;
    for (const struct peer *p = s->peers; p; p = p->next) n += (p->job || p->assembling) && !strcmp(p->address, address);
    return n;
}

static int on_event(coap_session_t *session, coap_event_t event)
{
    struct coap_server *s = coap_get_app_data(coap_session_get_context(session));
    if (event == COAP_EVENT_SERVER_SESSION_NEW) {
        count(&s->stats.sessions);
        count(&s->stats.sessions_open);
    }
    if (event == COAP_EVENT_SERVER_SESSION_DEL) {
        struct peer *p = coap_session_get_app_data(session);
        __atomic_sub_fetch(&s->stats.sessions_open, 1, __ATOMIC_RELAXED);
        coap_session_set_app_data(session, NULL);
        if (p) peer_gone(s, p);
    }
    return 0;
}

/* ---- answers ---- */

static uint8_t code_of(int status)
{
    static const struct { int status; uint8_t code; } rows[] = {
        { 200, COAP_RESPONSE_CODE_CHANGED },  { 204, COAP_RESPONSE_CODE_CHANGED },     { 400, COAP_RESPONSE_CODE_BAD_REQUEST },
        { 401, COAP_RESPONSE_CODE_UNAUTHORIZED }, { 403, COAP_RESPONSE_CODE_FORBIDDEN }, { 404, COAP_RESPONSE_CODE_NOT_FOUND },
        { 405, COAP_RESPONSE_CODE_NOT_ALLOWED }, { 413, COAP_RESPONSE_CODE_REQUEST_TOO_LARGE },
        { 415, COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT }, { 429, COAP_RESPONSE_CODE_TOO_MANY_REQUESTS },
        { 503, COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status) return rows[i].code;
    return status < 500 ? COAP_RESPONSE_CODE_BAD_REQUEST : COAP_RESPONSE_CODE_INTERNAL_ERROR;
}

static void option(coap_pdu_t *pdu, coap_option_num_t number, unsigned value)
{
    uint8_t b[4];
    coap_add_option(pdu, number, coap_encode_var_safe(b, sizeof b, value), b);
}

/* Block `num` of the answer; false: there is no such block. */
static bool write_block(const struct peer *p, coap_pdu_t *pdu, uint32_t num, unsigned szx)
{
    size_t size = (size_t)16 << szx, from = (size_t)num * size;
    bool whole = p->answer.n <= size && num == 0;
    if (num && from >= p->answer.n) return false;
    size_t n = p->answer.n - from < size ? p->answer.n - from : size;
    coap_pdu_set_code(pdu, p->code);
    if (!whole) option(pdu, COAP_OPTION_ETAG, p->etag);
    if (p->max_age) option(pdu, OPTION_MAX_AGE, p->max_age);
    if (!whole) option(pdu, COAP_OPTION_BLOCK2, num << 4 | (from + n < p->answer.n ? 8u : 0u) | szx);
    if (n) coap_add_data(pdu, n, p->answer.p + from);
    return true;
}

static void refuse(struct coap_server *s, coap_pdu_t *pdu, coap_pdu_code_t code)
{
    count(&s->stats.requests_refused);
    coap_pdu_set_code(pdu, code);
    if (code == COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE || code == COAP_RESPONSE_CODE_TOO_MANY_REQUESTS) option(pdu, OPTION_MAX_AGE, BUSY_SECONDS);
}

/* What the handler said becomes the peer's answer, and the job ends. On the server's thread, the job out of the list. */
static void take_answer(struct job *j)
{
    struct coap_server *s = j->s;
    struct peer *p = j->peer;
    if (p) {
        forget_answer(s, p);
        p->job = NULL;
        p->last = j->name;
        p->has_last = true;
        p->last_us = now_us();
        snprintf(p->last_path, sizeof p->last_path, "%s", j->path);
        p->etag = ++s->etag;
        p->code = code_of(j->reply.status);
        p->max_age = j->max_age;
        if (j->reply.status != 204 && s->kept + j->reply.body.n <= s->c.kept_bytes) buf_put(&p->answer, j->reply.body);
        if (j->reply.status != 204 && (p->answer.failed || p->answer.n != j->reply.body.n)) {
            buf_reset(&p->answer);
            p->code = COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE;
            p->max_age = BUSY_SECONDS;
        }
        s->kept += p->answer.n;
    }
    coap_session_release(j->session);
    arena_free(&j->arena);
    mem_free(j);
    pthread_mutex_lock(&s->lock);
    s->jobs--;
    pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->lock);
}

/* Any thread: the handler's answer. */
static void answered(struct http_exchange *x, const struct http_reply *r)
{
    struct job *j = (struct job *)x;
    struct coap_server *s = j->s;
    uint64_t one = 1;
    for (int i = 0; i < r->n_headers; i++)
        if (!strcmp(r->headers[i].name, "Retry-After")) j->max_age = (unsigned)strtoul(r->headers[i].value, NULL, 10);
    j->reply = *r;
    pthread_mutex_lock(&s->lock);
    j->answered = true;
    bool separate = j->separate;
    if (separate) {
        j->next = s->answered;
        s->answered = j;
    } else pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->lock);
    if (separate && write(s->wake, &one, sizeof one) < 0 && errno != EAGAIN) { /* the thread looks once a second too */ }
}

static void send_separate(struct coap_server *s)
{
    pthread_mutex_lock(&s->lock);
    struct job *list = s->answered;
    s->answered = NULL;
    pthread_mutex_unlock(&s->lock);
    while (list) {
        struct job *j = list;
        struct peer *p = j->peer;
        coap_session_t *session = coap_session_reference(j->session);
        struct name name = j->name;
        unsigned szx = j->szx;
        list = j->next;
        take_answer(j);
        coap_pdu_t *pdu = p ? coap_pdu_init(COAP_MESSAGE_CON, p->code, coap_new_message_id(session), coap_session_max_pdu_size(session)) : NULL;
        if (pdu && coap_add_token(pdu, name.n, name.token) && write_block(p, pdu, 0, szx)) {
            count(&s->stats.separate);
            (void)coap_send(session, pdu);
        } else if (pdu) coap_delete_pdu(pdu);
        coap_session_release(session);
    }
}

/* ---- requests ---- */

static bool same(const struct name *a, const struct name *b)
{
    return a->mid == b->mid && a->n == b->n && !memcmp(a->token, b->token, a->n);
}

static struct name name_of(const coap_pdu_t *request)
{
    coap_bin_const_t token = coap_pdu_get_token(request);
    struct name n = { .mid = coap_pdu_get_mid(request), .n = token.length < TOKEN_MAX ? token.length : TOKEN_MAX };
    if (n.n) memcpy(n.token, token.s, n.n);
    return n;
}

/* "/a/b" of the Uri-Path options; false: too long, or octets that a path does not have. */
static bool path_of(const coap_pdu_t *request, char out[PATH_SIZE])
{
    coap_string_t *s = coap_get_uri_path(request);
    bool good = s && s->length + 2 <= PATH_SIZE && !memchr(s->s, 0, s->length);
    if (good) snprintf(out, PATH_SIZE, "/%.*s", (int)s->length, (const char *)s->s);
    coap_delete_string(s);
    return good;
}

static bool number_option(const coap_pdu_t *request, coap_option_num_t number, unsigned *out)
{
    coap_opt_iterator_t it;
    coap_opt_t *o = coap_check_option(request, number, &it);
    if (o) *out = coap_decode_var_bytes(coap_opt_value(o), coap_opt_length(o));
    return o != NULL;
}

static void text_option(const coap_pdu_t *request, coap_option_num_t number, char *out, size_t room)
{
    coap_opt_iterator_t it;
    coap_opt_t *o = coap_check_option(request, number, &it);
    size_t n = o ? coap_opt_length(o) : 0;
    if (n >= room || (n && memchr(coap_opt_value(o), 0, n))) n = 0;
    if (n) memcpy(out, coap_opt_value(o), n);
    out[n] = 0;
}

/* Content-Format: the path says what it is (spec 4.4); whoever names another thing is refused by the door. */
static const char *media_of(const coap_pdu_t *request)
{
    unsigned format;
    if (!number_option(request, COAP_OPTION_CONTENT_FORMAT, &format) || format == COAP_MEDIATYPE_APPLICATION_OCTET_STREAM) return NULL;
    return format == COAP_MEDIATYPE_APPLICATION_JSON ? "application/json" : "text/plain";
}

static const char *method_of(const coap_pdu_t *request)
{
    switch (coap_pdu_get_code(request)) {
    case COAP_REQUEST_CODE_GET:    return "GET";
    case COAP_REQUEST_CODE_POST:   return "POST";
    case COAP_REQUEST_CODE_DELETE: return "DELETE";
    default:                       return "PUT";
    }
}

static struct job *job_new(struct coap_server *s, struct peer *p, coap_session_t *session, const coap_pdu_t *request, const struct name *name,
                           const char *path, struct slice body, unsigned szx)
{
    struct job *j = MEM_NEW(struct job);
    if (!j) return NULL;
    *j = (struct job){ .s = s, .peer = p, .session = coap_session_reference(session), .name = *name, .szx = szx };
    arena_init(&j->arena, s->c.arena_bytes + body.n);
    snprintf(j->path, sizeof j->path, "%s", path);
    snprintf(j->peer_name, sizeof j->peer_name, "%s", p->name);
    text_option(request, COAP_OPTION_URI_HOST, j->host, sizeof j->host);
    text_option(request, COAP_OPTION_URI_QUERY, j->query, sizeof j->query);
    struct slice copy = body.n ? arena_copy(&j->arena, body) : body;
    if (body.n && !copy.p) {
        coap_session_release(j->session);
        arena_free(&j->arena);
        mem_free(j);
        return NULL;
    }
    j->x = (struct http_exchange){ .arena = &j->arena, .send = answered,
        .req = { .method = method_of(request), .path = j->path, .query = j->query, .host = j->host[0] ? j->host : NULL,
                 .content_type = media_of(request), .body = copy, .peer = j->peer_name, .tls = true } };
    return j;
}

/* Give it to the handler, and wait a moment: true, the answer is there. */
static bool hand_over(struct coap_server *s, struct peer *p, struct job *j)
{
    struct timespec end;
    p->job = j;
    count(&s->stats.requests);
    pthread_mutex_lock(&s->lock);
    s->jobs++;
    pthread_mutex_unlock(&s->lock);
    s->c.handle(s->c.arg, &j->x);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += ACK_WAIT_MS * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_nsec -= 1000000000L;
        end.tv_sec++;
    }
    pthread_mutex_lock(&s->lock);
    while (!j->answered && pthread_cond_timedwait(&s->change, &s->lock, &end) != ETIMEDOUT)
        ;
    bool there = j->answered;
    j->separate = !there;
    pthread_mutex_unlock(&s->lock);
    return there;
}

/* One more block of a request. 0: it is whole, in p->in. Else the code to answer. */
static coap_pdu_code_t add_block(struct coap_server *s, struct peer *p, const char *path, unsigned block, struct slice data)
{
    uint32_t num = block >> 4;
    bool more = block & 8;
    size_t size = (size_t)16 << (block & 7);
    if ((block & 7) > SZX_MAX || (more && data.n != size) || data.n > size) return COAP_RESPONSE_CODE_BAD_REQUEST;
    if (num == 0) {
        forget_request(s, p);
        p->assembling = true;
        p->next_block = 0;
        p->in_since_us = now_us();
        snprintf(p->path, sizeof p->path, "%s", path);
    }
    if (!p->assembling || strcmp(path, p->path)) return COAP_RESPONSE_CODE_INCOMPLETE;
    size_t at = (size_t)num * size;
    if (at + data.n <= p->in.n && more) return COAP_RESPONSE_CODE_CONTINUE;    /* it came before */
    if (at != p->in.n) return COAP_RESPONSE_CODE_INCOMPLETE;
    count(&s->stats.blocks_in);
    buf_put(&p->in, data);
    if (p->in.failed) {
        forget_request(s, p);
        return COAP_RESPONSE_CODE_REQUEST_TOO_LARGE;
    }
    return more ? COAP_RESPONSE_CODE_CONTINUE : 0;
}

static void serve(struct coap_server *s, struct peer *p, coap_session_t *session, const coap_pdu_t *request, coap_pdu_t *response, const char *path)
{
    struct name name = name_of(request);
    struct slice data = { 0 };
    unsigned block1 = 0, block2 = SZX_MAX;
    (void)coap_get_data(request, &data.n, &data.p);
    bool blocks = number_option(request, COAP_OPTION_BLOCK1, &block1), wants = number_option(request, COAP_OPTION_BLOCK2, &block2);
    unsigned szx = (block2 & 7) > SZX_MAX ? SZX_MAX : block2 & 7;
    if (p->job && same(&p->job->name, &name)) {                    /* acknowledged again, and that is all */
        count(&s->stats.requests_again);
        return;
    }
    bool again = p->has_last && same(&p->last, &name) && now_us() - p->last_us < EXCHANGE_LIFETIME_US;
    if (again || (wants && block2 >> 4 && p->has_last && !strcmp(path, p->last_path) && !data.n)) {
        count(again ? &s->stats.requests_again : &s->stats.blocks_out);
        if (!write_block(p, response, block2 >> 4, szx)) refuse(s, response, COAP_RESPONSE_CODE_BAD_OPTION);
        if (blocks && again) option(response, COAP_OPTION_BLOCK1, block1 & ~8u);
        return;
    }
    if (wants && block2 >> 4) {
        refuse(s, response, COAP_RESPONSE_CODE_INCOMPLETE);        /* nothing is kept of it any more */
        return;
    }
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stop;
    pthread_mutex_unlock(&s->lock);
    if (p->job || stopping) {                                      /* one at a time (RFC 7252 4.7: NSTART) */
        refuse(s, response, COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE);
        return;
    }
    if (!p->assembling && busy_at(s, p->address) >= s->c.per_address) {
        refuse(s, response, COAP_RESPONSE_CODE_TOO_MANY_REQUESTS);
        return;
    }
    if (blocks) {
        coap_pdu_code_t code = add_block(s, p, path, block1, data);
        if (code == COAP_RESPONSE_CODE_CONTINUE) {
            coap_pdu_set_code(response, code);
            option(response, COAP_OPTION_BLOCK1, block1);
        } else if (code) refuse(s, response, code);
        if (code) return;
        data = buf_slice(&p->in);
    }
    struct job *j = data.n <= s->c.body_bytes ? job_new(s, p, session, request, &name, path, data, szx) : NULL;
    bool whole = data.n <= s->c.body_bytes;
    forget_request(s, p);
    if (!j) {
        refuse(s, response, whole ? COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE : COAP_RESPONSE_CODE_REQUEST_TOO_LARGE);
        return;
    }
    if (!hand_over(s, p, j)) return;                               /* an empty acknowledgement; the answer comes by itself */
    take_answer(j);
    (void)write_block(p, response, 0, szx);
}

static void on_request(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request, const coap_string_t *query, coap_pdu_t *response)
{
    struct coap_server *s = coap_get_app_data(coap_session_get_context(session));
    struct peer *p = peer_of(s, session);
    char path[PATH_SIZE];
    (void)resource;
    (void)query;
    if (!p) refuse(s, response, COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE);
    else if (!path_of(request, path)) refuse(s, response, COAP_RESPONSE_CODE_NOT_FOUND);
    else serve(s, p, session, request, response, path);
}

/* ---- the thread ---- */

/* Requests of which blocks are missing for too long are given up. */
static void tidy(struct coap_server *s)
{
    int64_t old = now_us() - s->c.assembly_us;
    for (struct peer *p = s->peers; p; p = p->next)
        if (p->assembling && p->in_since_us < old) forget_request(s, p);
}

static void *coap_main(void *arg)
{
    struct coap_server *s = arg;
    struct pollfd fds[2] = { { .fd = coap_context_get_coap_fd(s->context), .events = POLLIN }, { .fd = s->wake, .events = POLLIN } };
    int64_t tidied = now_us();
    for (bool stop = false; !stop;) {
        coap_tick_t now;
        uint64_t drained;
        coap_ticks(&now);
        unsigned wait = coap_io_prepare_epoll(s->context, now);
        (void)poll(fds, 2, wait && wait < TURN_MS ? (int)wait : TURN_MS);
        if (fds[1].revents & POLLIN && read(s->wake, &drained, sizeof drained) < 0) { /* it was empty already */ }
        (void)coap_io_process(s->context, COAP_IO_NO_WAIT);
        send_separate(s);
        if (now_us() - tidied >= TURN_MS * 1000) {
            tidied = now_us();
            tidy(s);
        }
        pthread_mutex_lock(&s->lock);
        stop = s->stop && s->jobs == 0;
        pthread_mutex_unlock(&s->lock);
    }
    (void)coap_io_process(s->context, COAP_IO_NO_WAIT);
    return NULL;
}

/* ---- pre-shared keys ---- */

static const coap_bin_const_t *on_identity(coap_bin_const_t *identity, coap_session_t *session, void *arg)
{
    const struct coap_server *s = arg;
    (void)session;
    for (size_t i = 0; i < s->n_psk; i++)
        if (coap_binary_equal(&s->psk[i].identity, identity)) return &s->psk[i].key;
    return NULL;
}

static enum eim_err psk_line(struct coap_server *s, struct slice line, const char *file, unsigned number, struct err *e)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    size_t n = colon ? (size_t)(colon - line.p) : 0;
    struct slice hex = slice_of(line.p + n + 1, colon ? line.n - n - 1 : 0);
    uint8_t *key = arena_alloc(&s->memory, KEY_MAX);
    long octets = key && hex.n ? slice_unhex(hex, key, KEY_MAX) : -1;
    if (!n || n > IDENTITY_MAX || octets < KEY_MIN)
        return fail_field(e, E_CONF, "RFC 7252 9.1.3.1", "coap.psk", "%s:%u: IDENTITY:KEY is needed, an identity of 1 to %d octets, a key of %d to %d in hex",
                          file, number, IDENTITY_MAX, KEY_MIN, KEY_MAX);
    struct slice identity = arena_copy(&s->memory, slice_of(line.p, n));
    if (!identity.p) return fail(e, E_NOMEM, NULL, "no memory for pre-shared keys");
    s->psk[s->n_psk++] = (struct psk){ { n, identity.p }, { (size_t)octets, key } };
    return OK;
}

static enum eim_err read_psk(struct coap_server *s, const char *file, struct err *e)
{
    uint8_t *text = arena_alloc(&s->memory, PSK_FILE_MAX);
    size_t n = 0, lines = 1;
    if (!text) return fail(e, E_NOMEM, NULL, "no memory for pre-shared keys");
    TRY(file_read(file, true, text, PSK_FILE_MAX, &n, e));
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
    s->psk = ARENA_ARRAY(&s->memory, struct psk, lines);
    if (!s->psk) return fail(e, E_NOMEM, NULL, "no memory for pre-shared keys");
    struct slice left = slice_of(text, n);
    for (unsigned number = 1; left.n; number++) {
        const uint8_t *end = memchr(left.p, '\n', left.n);
        struct slice line = slice_of(left.p, end ? (size_t)(end - left.p) : left.n);
        left = end ? slice_of(end + 1, left.n - line.n - 1) : slice_of(left.p, 0);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n && line.p[0] != '#') TRY(psk_line(s, line, file, number, e));
    }
    return OK;
}

/* ---- up and down ---- */

static bool address_of(coap_address_t *a, const char *text, int port)
{
    coap_address_init(a);
    if (inet_pton(AF_INET, text, &a->addr.sin.sin_addr) == 1) {
        a->size = sizeof a->addr.sin;
        a->addr.sin.sin_family = AF_INET;
        a->addr.sin.sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, text, &a->addr.sin6.sin6_addr) != 1) return false;
    a->size = sizeof a->addr.sin6;
    a->addr.sin6.sin6_family = AF_INET6;
    a->addr.sin6.sin6_port = htons((uint16_t)port);
    return true;
}

/* libcoap does not say which port it got: ask the kernel for a free one first. */
static int free_port(const coap_address_t *a)
{
    coap_address_t got = *a;
    socklen_t size = sizeof got.addr;
    int fd = socket(a->addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), port = -1;
    if (fd >= 0 && bind(fd, &a->addr.sa, a->size) == 0 && getsockname(fd, &got.addr.sa, &size) == 0)
        port = ntohs(got.addr.sa.sa_family == AF_INET ? got.addr.sin.sin_port : got.addr.sin6.sin6_port);
    if (fd >= 0) close(fd);
    return port;
}

/* libcoap looks at the files at the first handshake only. */
static bool certificate_good(const struct coap_config *c)
{
    SSL_CTX *try = SSL_CTX_new(DTLS_server_method());
    bool good = try && SSL_CTX_use_certificate_file(try, c->cert_file, SSL_FILETYPE_PEM) == 1 &&
                SSL_CTX_use_PrivateKey_file(try, c->key_file, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(try) == 1;
    SSL_CTX_free(try);
    ERR_clear_error();
    return good;
}

static enum eim_err open_context(struct coap_server *s, struct err *e)
{
    const struct coap_config *c = &s->c;
    coap_address_t a;
    coap_dtls_pki_t pki = { .version = COAP_DTLS_PKI_SETUP_VERSION,
        .pki_key = { .key_type = COAP_PKI_KEY_PEM, .key.pem = { .public_cert = c->cert_file, .private_key = c->key_file } } };
    coap_dtls_spsk_t psk = { .version = COAP_DTLS_SPSK_SETUP_VERSION, .validate_id_call_back = on_identity, .id_call_back_arg = s };
    if (!address_of(&a, c->address, c->port)) return fail_field(e, E_CONF, NULL, "coap.listen", "%s is no address", c->address);
    s->port = c->port ? c->port : free_port(&a);
    if (s->port < 0) return fail(e, E_IO, NULL, "no free port for CoAP");
    (void)address_of(&a, c->address, s->port);
    s->context = coap_new_context(NULL);
    coap_resource_t *all = s->context ? coap_resource_unknown_init2(on_request, 0) : NULL;
    if (!all) return fail(e, E_NOMEM, NULL, "no memory for CoAP");
    static const coap_request_t methods[] = { COAP_REQUEST_GET, COAP_REQUEST_POST, COAP_REQUEST_DELETE };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) coap_register_handler(all, methods[i], on_request);
    coap_add_resource(s->context, all);
    coap_set_app_data(s->context, s);
    coap_register_event_handler(s->context, on_event);
    coap_context_set_block_mode(s->context, 0);                    /* blocks are put together here, where there is a ceiling */
    coap_context_set_max_idle_sessions(s->context, c->sessions);
    coap_context_set_max_handshake_sessions(s->context, c->sessions);
    coap_context_set_session_timeout(s->context, (unsigned)(c->idle_us / 1000000));
    if (!certificate_good(c) || !coap_context_set_pki(s->context, &pki))
        return fail_field(e, E_CONF, NULL, "tls.certificate", "CoAP cannot use %s", c->cert_file);
    if (s->n_psk) {
        psk.psk_info = (coap_dtls_spsk_info_t){ .hint = { 0, NULL }, .key = s->psk[0].key };
        if (!coap_context_set_psk2(s->context, &psk)) return fail_field(e, E_CONF, NULL, "coap.psk", "CoAP cannot use the keys in %s", c->psk_file);
    }
    if (!coap_new_endpoint(s->context, &a, COAP_PROTO_DTLS)) return fail(e, E_IO, NULL, "CoAP cannot listen on %s, port %d", c->address, s->port);
    return OK;
}

static enum eim_err start(struct coap_server *s, const struct coap_config *c, struct err *e)
{
    s->c.address = arena_str(&s->memory, slice_str(c->address ? c->address : "127.0.0.1"));
    s->c.cert_file = arena_str(&s->memory, slice_str(c->cert_file));
    s->c.key_file = arena_str(&s->memory, slice_str(c->key_file));
    if (!s->c.address || !s->c.cert_file || !s->c.key_file) return fail(e, E_NOMEM, NULL, "no memory for CoAP");
    if (!s->c.body_bytes) s->c.body_bytes = 64 << 10;
    if (!s->c.arena_bytes) s->c.arena_bytes = 1 << 20;
    if (!s->c.kept_bytes) s->c.kept_bytes = 64 << 20;
    if (!s->c.sessions) s->c.sessions = 1000;
    if (!s->c.per_address) s->c.per_address = 16;
    if (!s->c.idle_us) s->c.idle_us = INT64_C(300) * 1000000;
    if (!s->c.assembly_us) s->c.assembly_us = INT64_C(60) * 1000000;
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake < 0) return fail(e, E_IO, NULL, "no descriptor for CoAP");
    coap_startup();
    coap_set_log_level(LOG_EMERG);
    coap_dtls_set_log_level(LOG_EMERG);
    if (c->psk_file) TRY(read_psk(s, c->psk_file, e));
    TRY(open_context(s, e));
    int bad = pthread_create(&s->thread, NULL, coap_main, s);
    if (bad) return fail(e, E_IO, NULL, "no thread for CoAP: %s", strerror(bad));
    s->running = true;
    return OK;
}

enum eim_err coap_server_start(struct coap_server **out, const struct coap_config *c, struct err *e)
{
    pthread_condattr_t attr;
    struct coap_server *s = MEM_NEW(struct coap_server);
    *out = NULL;
    if (!s) return fail(e, E_NOMEM, NULL, "no memory for CoAP");
    *s = (struct coap_server){ .c = *c, .wake = -1 };
    arena_init(&s->memory, 4 * (size_t)PSK_FILE_MAX);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->change, &attr);
    pthread_condattr_destroy(&attr);
    enum eim_err rc = start(s, c, e);
    if (rc == OK) *out = s;
    else coap_server_stop(s);
    return rc;
}

int coap_server_port(const struct coap_server *s) { return s->port; }

void coap_server_stop(struct coap_server *s)
{
    uint64_t one = 1;
    if (!s) return;
    if (s->running) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_mutex_unlock(&s->lock);
        if (write(s->wake, &one, sizeof one) < 0) { /* the thread looks once a second too */ }
        pthread_join(s->thread, NULL);
    }
    if (s->context) coap_free_context(s->context);
    while (s->peers) peer_gone(s, s->peers);           /* sessions that go with their context go without a word */
    if (s->wake >= 0) close(s->wake);
    pthread_cond_destroy(&s->change);
    pthread_mutex_destroy(&s->lock);
    arena_free(&s->memory);
    mem_free(s);
}

void coap_server_stats(const struct coap_server *s, struct coap_stats *out)
{
#define X(name, help) out->name = __atomic_load_n(&s->stats.name, __ATOMIC_RELAXED);
    COAP_STATS(X)
#undef X
}
