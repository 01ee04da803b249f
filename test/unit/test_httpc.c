/* test_httpc.c -- the HTTPS client against our own server: requests, trust, limits, connections and sessions. */
#include "test/unit/tls_rig.h"

#include "net/httpc.h"

static void url_of(struct tls_rig *t, const char *path, char out[128])
{
    snprintf(out, 128, "https://localhost:%d%s", t->r.port, path);
}

static void the_client_asks_and_keeps_its_connection(void **state)
{
    (void)state;
    struct tls_rig t;
    struct err e = { 0 };
    struct httpc *h;
    struct buf reply;
    char url[128];
    int status;
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    buf_init(&reply, 1 << 20);
    assert_ok(httpc_new(&h, &(struct httpc_config){ .ca_file = t.conf.cert_file, .bearer = "secret" }, &e));
    url_of(&t, "/echo", url);
    for (int i = 0; i < 3; i++) {
        const char *headers[] = { "Content-Type: application/x-gsma-rsp-asn1", "X-Colour: red", NULL };
        assert_ok(httpc_request(h, "POST", url, headers, SLICE("hello"), &status, &reply, &e));
        assert_int_equal(status, 200);
        assert_true(slice_eq(buf_slice(&reply), SLICE("hello")));
        assert_string_equal(httpc_reply_header(h, "content-type"), "application/x-gsma-rsp-asn1");
        assert_string_equal(httpc_reply_header(h, "X-Admin-Protocol"), "gsma/rsp/v2.1.0");
        assert_null(httpc_reply_header(h, "X-None"));
    }
    url_of(&t, "/known", url);
    assert_ok(httpc_request(h, "GET", url, NULL, (struct slice){ 0 }, &status, &reply, &e));
    buf_put(&reply, slice_of("", 1));
    assert_non_null(strstr((char *)reply.p, " Bearer secret "));
    url_of(&t, "/dump/x", url);
    httpc_free(h);
    assert_ok(httpc_new(&h, &(struct httpc_config){ .ca_file = t.conf.cert_file }, &e));
    static const struct { const char *method, *want; } methods[] = {
        { "GET", "GET /dump/x?" }, { "DELETE", "DELETE /dump/x?" }, { "PATCH", "PATCH /dump/x?" }, { "HEAD", "" }, { "GET", "GET /dump/x?" },
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct slice none = { 0 };
        assert_ok(httpc_request(h, methods[i].method, url, NULL, none, &status, &reply, &e));
        assert_int_equal(status, 200);
        size_t n = strlen(methods[i].want);
        assert_true(n ? reply.n >= n && memcmp(reply.p, methods[i].want, n) == 0 : reply.n == 0);
    }
    url_of(&t, "/none", url);
    assert_ok(httpc_request(h, "GET", url, NULL, (struct slice){ 0 }, &status, &reply, &e));
    assert_int_equal(status, 404);
    assert_int_equal(rig_stats(&t.r).connections_accepted, 2);         /* one for each handle */
    httpc_free(h);
    httpc_free(NULL);
    buf_free(&reply);
    tls_stop(&t);
}

static void the_client_trusts_only_what_it_was_told_to(void **state)
{
    (void)state;
    struct tls_rig t, other;
    struct err e;
    struct httpc *h;
    struct buf reply;
    char url[128], pem[4096], by_ip[128];
    int status;
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    tls_start(&other, P256, (struct http_config){ 0 }, NULL);
    buf_init(&reply, 1 << 20);
    url_of(&t, "/work", url);
    snprintf(by_ip, sizeof by_ip, "https://127.0.0.1:%d/work", t.r.port);
    FILE *f = fopen(t.conf.cert_file, "r");
    assert_non_null(f);
    struct slice ca = { (uint8_t *)pem, fread(pem, 1, sizeof pem, f) };
    fclose(f);
    const struct { struct httpc_config c; const char *url; bool ok; } rows[] = {
        { { .ca_pem = ca }, url, true }, { { .ca_pem = ca }, by_ip, true }, { { .ca_file = other.conf.cert_file }, url, false },
        { { 0 }, url, false }, { { .ca_pem = ca, .pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }, url, false },
        { { .pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", .pinned_only = true }, url, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        e = (struct err){ 0 };
        assert_ok(httpc_new(&h, &rows[i].c, &e));
        enum eim_err rc = httpc_request(h, "GET", rows[i].url, NULL, (struct slice){ 0 }, &status, &reply, &e);
        if (rc != (rows[i].ok ? OK : E_IO)) fail_msg("row %zu: %s %s", i, err_name(rc), e.why);
        assert_int_equal(status, rows[i].ok ? 200 : 0);
        httpc_free(h);
    }
    assert_refused(E_CONF, httpc_new(&h, &(struct httpc_config){ .pinned_only = true }, &e));
    buf_free(&reply);
    tls_stop(&other);
    tls_stop(&t);
}

static void the_client_keeps_its_limits(void **state)
{
    (void)state;
    struct tls_rig t;
    struct err e = { 0 };
    struct httpc *h;
    struct buf reply;
    char url[128];
    int status;
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    buf_init(&reply, 2000);
    const struct httpc_config c = { .ca_file = t.conf.cert_file, .reply_bytes = 1000, .total_us = 100000 };
    assert_ok(httpc_new(&h, &c, &e));
    url_of(&t, "/big?n=1000", url);
    assert_ok(httpc_request(h, "GET", url, NULL, (struct slice){ 0 }, &status, &reply, &e));
    assert_int_equal(reply.n, 1000);
    url_of(&t, "/big?n=1001", url);
    assert_refused(E_TOO_LARGE, httpc_request(h, "GET", url, NULL, (struct slice){ 0 }, &status, &reply, &e));
    assert_int_equal(reply.n, 0);
    assert_int_equal(status, 0);
    url_of(&t, "/hold", url);
    assert_refused(E_IO, httpc_request(h, "GET", url, NULL, (struct slice){ 0 }, &status, &reply, &e));   /* total_us */
    rig_answer(rig_take_held(&t.r), NULL);
    assert_refused(E_IO, httpc_request(h, "GET", "ftp://localhost/", NULL, (struct slice){ 0 }, &status, &reply, &e));
    assert_refused(E_IO, httpc_request(h, "GET", "https://localhost:1/", NULL, (struct slice){ 0 }, &status, &reply, &e));
    url_of(&t, "/work", url);
    assert_ok(httpc_request(h, "GET", url, NULL, (struct slice){ 0 }, &status, &reply, &e));               /* and goes on */
    assert_true(slice_eq(buf_slice(&reply), SLICE("worker")));
    httpc_free(h);
    buf_free(&reply);
    tls_stop(&t);
}

static void a_fresh_client_reconnects_and_resumes(void **state)
{
    (void)state;
    struct tls_rig t;
    struct err e = { 0 };
    struct httpc *h;
    struct buf reply;
    char url[128];
    int status;
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    buf_init(&reply, 2000);
    url_of(&t, "/work", url);
    for (int full = 0; full < 2; full++) {
        assert_ok(httpc_new(&h, &(struct httpc_config){ .ca_file = t.conf.cert_file, .fresh = true, .no_resume = full }, &e));
        for (int i = 0; i < 4; i++) assert_ok(httpc_request(h, "GET", url, NULL, (struct slice){ 0 }, &status, &reply, &e));
        httpc_free(h);
    }
    struct net_stats s = rig_stats(&t.r);
    assert_int_equal(s.connections_accepted, 8);
    assert_int_equal(s.handshakes_full, 1 + 4);
    assert_int_equal(s.handshakes_resumed, 3);
    buf_free(&reply);
    tls_stop(&t);
}

int main(void)
{
    struct err e = { 0 };
    if (httpc_init(&e) != OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_asks_and_keeps_its_connection),
        cmocka_unit_test(the_client_trusts_only_what_it_was_told_to),
        cmocka_unit_test(the_client_keeps_its_limits),
        cmocka_unit_test(a_fresh_client_reconnects_and_resumes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
