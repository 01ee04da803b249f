/* test_outbound.c -- where the eIM connects to, and where not (I12), against our own server and over a table of addresses. */
#include "test/unit/tls_rig.h"

#include "net/outbound.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct err e;

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage s = { 0 };
    bool six = strchr(text, ':') != NULL;
    s.ss_family = six ? AF_INET6 : AF_INET;
    void *to = six ? (void *)&((struct sockaddr_in6 *)&s)->sin6_addr : (void *)&((struct sockaddr_in *)&s)->sin_addr;
    assert_int_equal(inet_pton(s.ss_family, text, to), 1);
    return s;
}

static void only_addresses_of_the_open_network_are_public(void **state)
{
    (void)state;
    static const char *const closed[] = {
        "127.0.0.1", "127.255.255.255", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "100.127.255.255", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "203.0.113.9", "::1", "::", "fe80::1", "febf::1", "fc00::1", "fdff::1",
        "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1",
    };
    static const char *const open[] = { "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "11.0.0.0", "126.255.255.255",
                                        "128.0.0.1", "2a00:1450::1", "2606:4700::1111", "::ffff:8.8.8.8", "2001:4860:4860::8888" };
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        struct sockaddr_storage s = address(closed[i]);
        if (outbound_public((struct sockaddr *)&s)) fail_msg("%s is public", closed[i]);
    }
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        struct sockaddr_storage s = address(open[i]);
        if (!outbound_public((struct sockaddr *)&s)) fail_msg("%s is not public", open[i]);
    }
    struct sockaddr unix_ = { .sa_family = AF_UNIX };
    assert_false(outbound_public(&unix_));
}

static void what_is_allowed_must_be_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "localhost", "127.0.0.1/33", "::1/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8/8", "1.2.3", "*" };
    struct outbound *o;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(E_CONF, outbound_new(&o, &(struct outbound_config){ .allow = &bad[i], .n_allow = 1 }, &e));
        assert_string_equal(e.field, "outbound.allow");
        assert_null(o);
    }
    static const char *const good[] = { "127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0", "::/0" };
    assert_ok(outbound_new(&o, &(struct outbound_config){ .allow = good, .n_allow = 6 }, &e));
    outbound_free(o);
    outbound_free(NULL);
}

struct fixture { struct tls_rig t; char pem[4096]; struct slice trust; struct buf reply; char url[128]; int status; };

static enum eim_err ask(struct fixture *f, struct outbound *o, struct outbound_request r)
{
    if (!r.method) r.method = "GET";
    if (!r.url) r.url = f->url;
    if (!r.trust_pem.n) r.trust_pem = f->trust;
    e = (struct err){ 0 };
    f->status = 0;
    return o->request(o, &r, &f->status, &f->reply, &e);
}

static void begin(struct fixture *f)
{
    tls_start(&f->t, P256, (struct http_config){ 0 }, NULL);
    FILE *in = fopen(f->t.conf.cert_file, "r");
    assert_non_null(in);
    f->trust = slice_of(f->pem, fread(f->pem, 1, sizeof f->pem, in));
    fclose(in);
    buf_init(&f->reply, 1 << 20);
    snprintf(f->url, sizeof f->url, "https://localhost:%d/work", f->t.r.port);
}

static void end(struct fixture *f)
{
    buf_free(&f->reply);
    tls_stop(&f->t);
}

/* However loopback is written, nobody is even connected to. */
static void loopback_is_reached_only_when_it_is_listed(void **state)
{
    (void)state;
    struct fixture f;
    struct outbound *closed, *open, *elsewhere;
    const char *loop[] = { "127.0.0.0/8" }, *other[] = { "127.0.0.2", "10.0.0.0/8" };
    static const char *const hosts[] = { "localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "[::1]",
                                         "[::ffff:127.0.0.1]", "[::]" };
    begin(&f);
    assert_ok(outbound_new(&closed, &(struct outbound_config){ 0 }, &e));
    assert_ok(outbound_new(&elsewhere, &(struct outbound_config){ .allow = other, .n_allow = 2 }, &e));
    assert_ok(outbound_new(&open, &(struct outbound_config){ .allow = loop, .n_allow = 1 }, &e));
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[128];
        snprintf(url, sizeof url, "https://%s:%d/work", hosts[i], f.t.r.port);
        enum eim_err rc = ask(&f, closed, (struct outbound_request){ .url = url, .connect_us = 2000000 });
        if (rc != E_RULE && rc != E_IO) fail_msg("%s: %s %s", url, rc ? err_name(rc) : "OK", e.why);
        assert_int_equal(f.status, 0);
    }
    assert_int_equal(ask(&f, closed, (struct outbound_request){ 0 }), E_RULE);
    assert_int_equal(ask(&f, elsewhere, (struct outbound_request){ 0 }), E_RULE);
    assert_int_equal(rig_stats(&f.t.r).connections_accepted, 0);
    assert_ok(ask(&f, open, (struct outbound_request){ 0 }));
    assert_int_equal(f.status, 200);
    outbound_free(closed);
    outbound_free(elsewhere);
    outbound_free(open);
    end(&f);
}

static void a_request_keeps_its_limits_and_its_trust(void **state)
{
    (void)state;
    struct fixture f, other;
    struct outbound *o;
    char url[128];
    const char *loop[] = { "127.0.0.1" };
    begin(&f);
    begin(&other);
    assert_ok(outbound_new(&o, &(struct outbound_config){ .allow = loop, .n_allow = 1 }, &e));
    assert_int_equal(ask(&f, o, (struct outbound_request){ .url = "http://localhost/" }), E_INVALID);
    assert_int_equal(ask(&f, o, (struct outbound_request){ .url = "file:///etc/passwd" }), E_INVALID);
    assert_int_equal(ask(&f, o, (struct outbound_request){ .trust_pem = other.trust }), E_IO);
    assert_int_equal(ask(&f, o, (struct outbound_request){ .credential = "mine" }), E_CONF);
    snprintf(url, sizeof url, "https://localhost:%d/big?n=1001", f.t.r.port);
    assert_int_equal(ask(&f, o, (struct outbound_request){ .url = url, .reply_max = 1000 }), E_TOO_LARGE);
    assert_ok(ask(&f, o, (struct outbound_request){ .url = url, .reply_max = 1001 }));
    snprintf(url, sizeof url, "https://localhost:%d/hold", f.t.r.port);
    assert_int_equal(ask(&f, o, (struct outbound_request){ .url = url, .total_us = 100000 }), E_IO);
    rig_answer(rig_take_held(&f.t.r), NULL);
    snprintf(url, sizeof url, "https://localhost:%d/hold", f.t.r.port);
    struct outbound *ending;                       /* one that is about to end waits for nobody */
    assert_ok(outbound_new(&ending, &(struct outbound_config){ .allow = loop, .n_allow = 1 }, &e));
    outbound_stop(ending);
    assert_int_equal(ask(&f, ending, (struct outbound_request){ .url = url, .total_us = 600 * INT64_C(1000000) }), E_IO);
    outbound_free(ending);
    /* without anchors of its own, the roots count; without roots, nobody */
    struct outbound_request plain = { .method = "GET", .url = f.url };
    assert_int_equal(o->request(o, &plain, &f.status, &f.reply, &e), E_CONF);
    assert_ok(outbound_roots(o, other.trust, &e));
    e = (struct err){ 0 };
    assert_int_equal(o->request(o, &plain, &f.status, &f.reply, &e), E_IO);
    assert_ok(outbound_roots(o, f.trust, &e));
    assert_ok(o->request(o, &plain, &f.status, &f.reply, &e));
    outbound_free(o);
    end(&other);
    end(&f);
}

/* What orders something must know whether the other side can have heard it. */
static void what_left_is_told_from_what_did_not(void **state)
{
    (void)state;
    struct fixture f, other;
    struct outbound *o;
    static const char *const loop[] = { "127.0.0.0/8", "::1" };
    char url[128];
    bool sent = true;
    begin(&f);
    begin(&other);
    assert_ok(outbound_new(&o, &(struct outbound_config){ .allow = loop, .n_allow = 2 }, &e));
    assert_int_equal(ask(&f, o, (struct outbound_request){ .sent = &sent, .url = "http://localhost/" }), E_INVALID);
    assert_false(sent);
    sent = true;
    assert_int_equal(ask(&f, o, (struct outbound_request){ .sent = &sent, .trust_pem = other.trust }), E_IO);      /* it got as far as TLS */
    assert_false(sent);
    sent = true;
    assert_int_equal(ask(&f, o, (struct outbound_request){ .sent = &sent, .url = "https://localhost:1/" }), E_IO); /* nobody is there */
    assert_false(sent);
    snprintf(url, sizeof url, "https://localhost:%d/hold", f.t.r.port);
    assert_int_equal(ask(&f, o, (struct outbound_request){ .sent = &sent, .url = url, .total_us = 300000 }), E_IO);
    assert_true(sent);
    rig_answer(rig_take_held(&f.t.r), NULL);
    sent = false;
    assert_ok(ask(&f, o, (struct outbound_request){ .sent = &sent }));
    assert_true(sent);
    outbound_free(o);
    end(&other);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_addresses_of_the_open_network_are_public), cmocka_unit_test(what_is_allowed_must_be_addresses),
        cmocka_unit_test(loopback_is_reached_only_when_it_is_listed), cmocka_unit_test(a_request_keeps_its_limits_and_its_trust),
        cmocka_unit_test(what_left_is_told_from_what_did_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
