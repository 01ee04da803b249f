/* test_coap.c -- the CoAP server with a handler of another thread's, and our client: answers at once and late, many sessions, what stops in between. */
#include "test/unit/tls_rig.h"

#include "net/coap.h"
#include "net/coapc.h"

#include <pthread.h>
#include <time.h>

static struct err e;
static const char *dir, *cert, *key;

/* A worker that answers one exchange after the other, each after a pause. */
struct desk {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct http_exchange *queue[64];
    size_t n;
    unsigned served;
    int pause_ms;
    bool stop;
};

static void reply_to(struct http_exchange *x)
{
    static const struct http_field retry = { "Retry-After", "7" };
    struct http_reply r = { .status = 200, .body = x->req.body };
    if (strcmp(x->req.path, "/busy") == 0) r = (struct http_reply){ .status = 503, .headers = &retry, .n_headers = 1 };
    if (strcmp(x->req.path, "/nothing") == 0) r = (struct http_reply){ .status = 204 };
    if (strcmp(x->req.path, "/large") == 0) {
        uint8_t *p = arena_alloc(x->arena, 300000);
        assert_non_null(p);
        for (size_t i = 0; i < 300000; i++) p[i] = (uint8_t)(i * 7 >> 3);
        r.body = slice_of(p, 300000);
    }
    http_reply_send(x, &r);
}

static void *work_main(void *arg)
{
    struct desk *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->stop || d->n) {
        if (!d->n) {
            pthread_cond_wait(&d->change, &d->lock);
            continue;
        }
        struct http_exchange *x = d->queue[--d->n];
        const struct timespec pause = { 0, d->pause_ms * 1000000L };
        d->served++;
        pthread_mutex_unlock(&d->lock);
        nanosleep(&pause, NULL);
        reply_to(x);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void to_desk(void *arg, struct http_exchange *x)
{
    struct desk *d = arg;
    if (strcmp(x->req.path, "/now") == 0) {
        reply_to(x);
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->queue[d->n++] = x;
    pthread_cond_signal(&d->change);
    pthread_mutex_unlock(&d->lock);
}

struct fixture { struct desk desk; struct coap_server *s; };

static void begin(struct fixture *f, int pause_ms)
{
    *f = (struct fixture){ .desk.pause_ms = pause_ms };
    pthread_mutex_init(&f->desk.lock, NULL);
    pthread_cond_init(&f->desk.change, NULL);
    assert_int_equal(pthread_create(&f->desk.thread, NULL, work_main, &f->desk), 0);
    assert_ok(coap_server_start(&f->s, &(struct coap_config){ .cert_file = cert, .key_file = key, .handle = to_desk, .arg = &f->desk, .per_address = 64 }, &e));
}

static struct coap_stats end(struct fixture *f)
{
    struct coap_stats stats;
    coap_server_stats(f->s, &stats);
    coap_server_stop(f->s);            /* waits for what the desk still has */
    pthread_mutex_lock(&f->desk.lock);
    f->desk.stop = true;
    pthread_cond_signal(&f->desk.change);
    pthread_mutex_unlock(&f->desk.lock);
    pthread_join(f->desk.thread, NULL);
    pthread_mutex_destroy(&f->desk.lock);
    pthread_cond_destroy(&f->desk.change);
    return stats;
}

static struct coapc *client(const struct fixture *f)
{
    struct coapc *c;
    assert_ok(coapc_new(&c, &(struct coapc_config){ .host = "localhost", .port = coap_server_port(f->s), .ca_file = cert, .total_us = 20000000 }, &e));
    return c;
}

static unsigned post(struct coapc *c, const char *path, struct slice body, struct buf *reply)
{
    unsigned code;
    if (coapc_post(c, path, body, &code, reply, &e) != OK) fail_msg("%s: %s", path, e.why);
    return code;
}

static void an_answer_comes_at_once_or_by_itself(void **state)
{
    (void)state;
    struct fixture f;
    struct buf reply;
    uint8_t body[5000];
    for (size_t i = 0; i < sizeof body; i++) body[i] = (uint8_t)i;
    buf_init(&reply, 1 << 20);
    for (int pause = 0; pause <= 60; pause += 60) {
        begin(&f, pause);
        struct coapc *c = client(&f);
        assert_int_equal(post(c, "now", SLICE("hello"), &reply), 204);
        assert_true(slice_eq(buf_slice(&reply), SLICE("hello")));
        assert_int_equal(post(c, "echo", slice_of(body, sizeof body), &reply), 204);
        assert_true(slice_eq(buf_slice(&reply), slice_of(body, sizeof body)));
        assert_int_equal(post(c, "large", SLICE("x"), &reply), 204);
        assert_int_equal(reply.n, 300000);
        for (size_t i = 0; i < reply.n; i++) assert_int_equal(reply.p[i], (uint8_t)(i * 7 >> 3));
        assert_int_equal(post(c, "busy", SLICE("x"), &reply), 503);
        assert_int_equal(post(c, "nothing", SLICE("x"), &reply), 204);
        assert_int_equal(reply.n, 0);
        coapc_free(c);
        struct coap_stats stats = end(&f);
        assert_int_equal(stats.requests, 5);
        assert_int_equal(f.desk.served, 4);
        if (pause) assert_int_equal(stats.separate, 4);
    }
    buf_free(&reply);
}

struct caller { pthread_t thread; struct coapc *c; unsigned good; };

static void *call_main(void *arg)
{
    struct caller *k = arg;
    struct buf reply;
    struct err mine = { 0 };
    buf_init(&reply, 1 << 16);
    for (unsigned i = 0; i < 20; i++) {
        char text[32];
        unsigned code;
        int n = snprintf(text, sizeof text, "%p %u", arg, i);
        k->good += coapc_post(k->c, i % 3 ? "echo" : "now", slice_of(text, (size_t)n), &code, &reply, &mine) == OK && code == 204 &&
                   slice_eq(buf_slice(&reply), slice_of(text, (size_t)n));
    }
    buf_free(&reply);
    return NULL;
}

static void many_devices_are_served_side_by_side(void **state)
{
    (void)state;
    enum { CALLERS = 6 };
    struct fixture f;
    struct caller callers[CALLERS] = { 0 };
    begin(&f, 2);
    for (int i = 0; i < CALLERS; i++) callers[i].c = client(&f);
    for (int i = 0; i < CALLERS; i++) assert_int_equal(pthread_create(&callers[i].thread, NULL, call_main, &callers[i]), 0);
    for (int i = 0; i < CALLERS; i++) pthread_join(callers[i].thread, NULL);
    for (int i = 0; i < CALLERS; i++) assert_int_equal(callers[i].good, 20);
    for (int i = 0; i < CALLERS; i++) coapc_free(callers[i].c);
    assert_int_equal(end(&f).requests, 20 * CALLERS);
}

/* The device goes away before its answer is there: it is dropped, and nothing else happens. */
static void an_answer_for_nobody_is_dropped(void **state)
{
    (void)state;
    struct fixture f;
    struct buf reply;
    unsigned code;
    struct coapc *c;
    buf_init(&reply, 1 << 16);
    begin(&f, 500);
    assert_ok(coapc_new(&c, &(struct coapc_config){ .host = "localhost", .port = coap_server_port(f.s), .ca_file = cert, .total_us = 200000 }, &e));
    assert_refused(E_IO, coapc_post(c, "echo", SLICE("x"), &code, &reply, &e));
    coapc_free(c);
    c = client(&f);
    assert_int_equal(post(c, "now", SLICE("y"), &reply), 204);
    coapc_free(c);
    (void)end(&f);
    assert_int_equal(f.desk.served, 1);
    buf_free(&reply);
}

static bool nowhere(void *arg, const struct sockaddr *a)
{
    (void)arg;
    (void)a;
    return false;
}

static void a_server_of_another_name_or_authority_is_not_talked_to(void **state)
{
    (void)state;
    struct fixture f;
    struct buf reply;
    unsigned code;
    struct coapc *c;
    const char *other_cert, *other_key;
    buf_init(&reply, 1 << 16);
    begin(&f, 0);
    make_pair(dir, "other", "P-256", &other_cert, &other_key);
    assert_ok(coapc_new(&c, &(struct coapc_config){ .host = "localhost", .port = coap_server_port(f.s), .ca_file = other_cert, .total_us = 3000000 }, &e));
    assert_refused(E_IO, coapc_post(c, "now", SLICE("x"), &code, &reply, &e));
    coapc_free(c);
    assert_ok(coapc_new(&c, &(struct coapc_config){ .host = "127.0.0.1", .port = coap_server_port(f.s), .ca_file = cert, .total_us = 3000000 }, &e));
    assert_int_equal(post(c, "now", SLICE("x"), &reply), 204);     /* its certificate names the address too */
    coapc_free(c);
    assert_ok(coapc_new(&c, &(struct coapc_config){ .host = "localhost", .port = coap_server_port(f.s), .ca_file = cert, .may_connect = nowhere }, &e));
    assert_refused(E_RULE, coapc_post(c, "now", SLICE("x"), &code, &reply, &e));
    coapc_free(c);
    assert_int_equal(end(&f).requests, 1);
    buf_free(&reply);
}

static void what_cannot_be_served_is_refused_at_the_start(void **state)
{
    (void)state;
    struct coap_server *s;
    struct desk d = { 0 };
    struct coap_config c = { .cert_file = cert, .key_file = key, .handle = to_desk, .arg = &d };
    c.address = "nowhere";
    assert_refused(E_CONF, coap_server_start(&s, &c, &e));
    c.address = "127.0.0.1";
    c.cert_file = "/nonexistent";
    assert_refused(E_CONF, coap_server_start(&s, &c, &e));
    assert_null(s);
    coap_server_stop(NULL);
    coapc_free(NULL);
}

static int up(void **state)
{
    (void)state;
    dir = tmp_make();
    make_pair(dir, "localhost", "P-256", &cert, &key);
    return 0;
}

int main(void)
{
#define T(t) cmocka_unit_test(t)
    const struct CMUnitTest tests[] = {
        T(an_answer_comes_at_once_or_by_itself), T(many_devices_are_served_side_by_side), T(an_answer_for_nobody_is_dropped),
        T(a_server_of_another_name_or_authority_is_not_talked_to), T(what_cannot_be_served_is_refused_at_the_start),
    };
    return cmocka_run_group_tests(tests, up, NULL);
}
