/* test_tls.c -- TLS of the listeners: which certificate whom, tickets, reload, refusals, and HTTP over it. */
#include "test/unit/tls_rig.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

/* Clients. */

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    SSL_SESSION *session;              /* the newest that the server gave */
};

static int keep_session(SSL *ssl, SSL_SESSION *s)
{
    struct client *c = SSL_get_app_data(ssl);
    SSL_SESSION_free(c->session);
    c->session = s;
    return 1;
}

static void client_init(struct client *c, int version, const char *groups)
{
    char list[64];
    *c = (struct client){ .ctx = SSL_CTX_new(TLS_client_method()), .fd = -1 };
    assert_non_null(c->ctx);
    SSL_CTX_set_security_level(c->ctx, 0);
    if (version) {
        SSL_CTX_set_min_proto_version(c->ctx, version);
        SSL_CTX_set_max_proto_version(c->ctx, version);
    }
    snprintf(list, sizeof list, "%s", groups ? groups : "");
    if (groups) assert_int_equal(SSL_CTX_set1_groups_list(c->ctx, list), 1);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, keep_session);
}

/* Connect and shake hands, resuming `with` if it is given. */
static bool client_connect(struct client *c, struct rig *r, SSL_SESSION *with)
{
    c->fd = rig_connect(r);
    c->ssl = SSL_new(c->ctx);
    assert_non_null(c->ssl);
    SSL_set_app_data(c->ssl, c);
    SSL_set_fd(c->ssl, c->fd);
    char name[] = "EIM.Example.COM";
    SSL_set_tlsext_host_name(c->ssl, name);
    if (with) SSL_set_session(c->ssl, with);
    bool ok = SSL_connect(c->ssl) == 1;
    ERR_clear_error();
    return ok;
}

static void client_hang_up(struct client *c, bool politely)
{
    if (politely) SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
    ERR_clear_error();
}

static void client_free(struct client *c)
{
    SSL_SESSION_free(c->session);
    SSL_CTX_free(c->ctx);
    ERR_clear_error();
}

static void tls_read(SSL *ssl, void *out, size_t n)
{
    for (size_t at = 0, got; at < n; at += got)
        if (SSL_read_ex(ssl, (char *)out + at, n - at, &got) != 1) fail_msg("the connection ended after %zu of %zu bytes", at, n);
}

/* Send one request; the reply's body as a string, to be freed. */
static char *ask(SSL *ssl, const char *request, size_t *n)
{
    char head[4096] = "";
    if (request) assert_true(SSL_write(ssl, request, (int)strlen(request)) > 0);
    for (size_t at = 0; !strstr(head, "\r\n\r\n"); at++) {
        assert_true(at < sizeof head - 1);
        tls_read(ssl, head + at, 1);
    }
    assert_memory_equal(head, "HTTP/1.1 200 ", 13);
    const char *length = strstr(head, "Content-Length: ");
    *n = length ? strtoul(length + 16, NULL, 10) : 0;
    char *body = calloc(1, *n + 1);
    assert_non_null(body);
    tls_read(ssl, body, *n);
    return body;
}

static void expect(SSL *ssl, const char *request, const char *want)
{
    size_t n;
    char *body = ask(ssl, request, &n);
    assert_string_equal(body, want);
    free(body);
}

static const char GET_WORK[] = "GET /work HTTP/1.1\r\nHost: a\r\n\r\n";

static void curve_of(SSL *ssl, char out[64])
{
    X509 *cert = SSL_get1_peer_certificate(ssl);
    assert_non_null(cert);
    EVP_PKEY_get_group_name(X509_get0_pubkey(cert), out, 64, NULL);
    X509_free(cert);
}

/* Which certificate. */

static void each_client_gets_the_certificate_that_it_can_use(void **state)
{
    (void)state;
    static const struct { const char *what; int version; const char *groups, *curve; int got; } rows[] = {
        { "anything", 0, NULL, "prime256v1", TLS1_3_VERSION },
        { "TLS 1.3", TLS1_3_VERSION, NULL, "prime256v1", TLS1_3_VERSION },
        { "TLS 1.2", TLS1_2_VERSION, NULL, "prime256v1", TLS1_2_VERSION },
        { "TLS 1.3, X25519 for the key exchange", TLS1_3_VERSION, "X25519", "prime256v1", TLS1_3_VERSION },
        { "TLS 1.2, only P-256", TLS1_2_VERSION, "P-256", "prime256v1", TLS1_2_VERSION },
        { "TLS 1.2, brainpool before P-256", TLS1_2_VERSION, "brainpoolP256r1:P-256", "prime256v1", TLS1_2_VERSION },
        { "TLS 1.2, only brainpool", TLS1_2_VERSION, "brainpoolP256r1", "brainpoolP256r1", TLS1_2_VERSION },
        { "TLS 1.2, brainpool and X25519", TLS1_2_VERSION, "X25519:brainpoolP256r1", "brainpoolP256r1", TLS1_2_VERSION },
    };
    struct tls_rig t;
    tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client c;
        char curve[64];
        client_init(&c, rows[i].version, rows[i].groups);
        if (!client_connect(&c, &t.r, NULL)) fail_msg("%s: no handshake", rows[i].what);
        curve_of(c.ssl, curve);
        if (strcmp(curve, rows[i].curve) != 0 || SSL_version(c.ssl) != rows[i].got)
            fail_msg("%s: %s %s", rows[i].what, SSL_get_version(c.ssl), curve);
        if (rows[i].got == TLS1_2_VERSION) assert_string_equal(SSL_get_cipher(c.ssl), "ECDHE-ECDSA-AES128-GCM-SHA256");
        expect(c.ssl, GET_WORK, "worker");
        client_hang_up(&c, true);
        client_free(&c);
    }
    assert_int_equal(rig_stats(&t.r).handshakes_full, sizeof rows / sizeof *rows);
    assert_int_equal(rig_stats(&t.r).handshakes_failed, 0);
    tls_stop(&t);
}

static void one_certificate_alone_serves_who_can_use_it(void **state)
{
    (void)state;
    for (int which = P256; which <= BRAINPOOL; which++) {
        struct tls_rig t;
        tls_start(&t, which, (struct http_config){ 0 }, NULL);
        static const struct { int version; const char *groups; int works_with; } rows[] = {
            { 0, NULL, P256 }, { TLS1_2_VERSION, "brainpoolP256r1", BRAINPOOL }, { TLS1_2_VERSION, "P-256", P256 },
            { TLS1_2_VERSION, "P-256:brainpoolP256r1", BOTH }, { TLS1_3_VERSION, NULL, P256 },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct client c;
            client_init(&c, rows[i].version, rows[i].groups);
            bool ok = client_connect(&c, &t.r, NULL);
            if (ok != ((rows[i].works_with & which) != 0)) fail_msg("row %zu with certificate %d: %d", i, which, ok);
            if (ok) expect(c.ssl, GET_WORK, "worker");
            client_hang_up(&c, ok);
            client_free(&c);
        }
        tls_stop(&t);
    }
}

static void old_versions_and_weak_suites_are_refused(void **state)
{
    (void)state;
    struct tls_rig t;
    tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
    static const struct { int version; const char *suites; bool ok; } rows[] = {
        { TLS1_VERSION, "ALL:@SECLEVEL=0", false }, { TLS1_1_VERSION, "ALL:@SECLEVEL=0", false },
        { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", false }, { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", true },
        { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true }, { TLS1_2_VERSION, "AES128-GCM-SHA256", false },
        { TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", false }, { TLS1_2_VERSION, "ADH-AES128-SHA256:@SECLEVEL=0", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client c;
        client_init(&c, rows[i].version, NULL);
        assert_int_equal(SSL_CTX_set_cipher_list(c.ctx, rows[i].suites), 1);
        bool ok = client_connect(&c, &t.r, NULL);
        if (ok != rows[i].ok) fail_msg("row %zu: %d", i, ok);
        client_hang_up(&c, ok);
        client_free(&c);
    }
    RIG_AWAIT(&t.r, handshakes_failed, 6);
    tls_stop(&t);
}

static void alpn_is_http_1_1_or_nothing(void **state)
{
    (void)state;
    struct tls_rig t;
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    static const struct { const char *offer; unsigned n; bool ok; } rows[] = {
        { "\10http/1.1", 9, true }, { "\2h2\10http/1.1", 12, true }, { "\2h2", 3, false }, { "\10http/1.0", 9, false }, { NULL, 0, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client c;
        const unsigned char *chosen;
        unsigned n;
        client_init(&c, 0, NULL);
        if (rows[i].offer) SSL_CTX_set_alpn_protos(c.ctx, (const unsigned char *)rows[i].offer, rows[i].n);
        bool ok = client_connect(&c, &t.r, NULL);
        if (ok != rows[i].ok) fail_msg("row %zu: %d", i, ok);
        SSL_get0_alpn_selected(c.ssl, &chosen, &n);
        if (ok && rows[i].offer) assert_true(n == 8 && memcmp(chosen, "http/1.1", 8) == 0);
        else assert_int_equal(n, 0);
        client_hang_up(&c, ok);
        client_free(&c);
    }
    tls_stop(&t);
}

static void a_client_may_not_renegotiate(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    client_init(&c, TLS1_2_VERSION, NULL);
    assert_true(client_connect(&c, &t.r, NULL));
    expect(c.ssl, GET_WORK, "worker");
    bool again = SSL_renegotiate(c.ssl) == 1 && SSL_do_handshake(c.ssl) == 1 && SSL_num_renegotiations(c.ssl) == 1
                 && !SSL_renegotiate_pending(c.ssl);
    assert_false(again);
    client_hang_up(&c, false);
    client_free(&c);
    tls_stop(&t);
}

/* HTTP over it. */

static void the_handler_sees_the_server_name_in_lower_case(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
    for (int i = 0; i < 2; i++) {
        client_init(&c, i ? TLS1_2_VERSION : 0, i ? "brainpoolP256r1" : NULL);
        assert_true(client_connect(&c, &t.r, NULL));
        expect(c.ssl, "GET /dump HTTP/1.1\r\nHost: a\r\n\r\n",
               "GET /dump? host=a type=- colour=- sni=eim.example.com tls=1 fields=1 body=");
        client_hang_up(&c, true);
        client_free(&c);
    }
    tls_stop(&t);
}

static void requests_may_share_records_or_be_spread_over_many(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    char many[64 * sizeof GET_WORK] = "";
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    client_init(&c, 0, NULL);
    assert_true(client_connect(&c, &t.r, NULL));
    for (int i = 0; i < 64; i++) memcpy(many + (size_t)i * (sizeof GET_WORK - 1), GET_WORK, sizeof GET_WORK);
    assert_true(SSL_write(c.ssl, many, (int)strlen(many)) > 0);
    for (int i = 0; i < 64; i++) expect(c.ssl, NULL, "worker");
    for (const char *s = GET_WORK; *s; s++) assert_int_equal(SSL_write(c.ssl, s, 1), 1);
    expect(c.ssl, NULL, "worker");
    assert_int_equal(SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);      /* the server must answer it, unasked */
    expect(c.ssl, GET_WORK, "worker");
    client_hang_up(&c, true);
    client_free(&c);
    RIG_AWAIT(&t.r, connections_open, 0);
    tls_stop(&t);
}

static void large_bodies_go_both_ways_over_TLS(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    enum { N = 1000000 };
    size_t n;
    char head[128];
    tls_start(&t, P256, (struct http_config){ .body_bytes = N, .arena_bytes = 8 << 20 }, NULL);
    client_init(&c, 0, NULL);
    assert_true(client_connect(&c, &t.r, NULL));
    char *body = malloc(N);
    assert_non_null(body);
    for (int i = 0; i < N; i++) body[i] = (char)(i * 7 + i / 251);
    snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", N);
    assert_true(SSL_write(c.ssl, head, (int)strlen(head)) > 0);
    assert_int_equal(SSL_write(c.ssl, body, N), N);
    char *got = ask(c.ssl, NULL, &n);
    assert_int_equal(n, N);
    assert_memory_equal(got, body, N);
    free(got);
    free(body);
    got = ask(c.ssl, "GET /big?n=7000000 HTTP/1.1\r\nHost: a\r\n\r\n", &n);
    assert_int_equal(n, 7000000);
    for (size_t i = 0; i < n; i += 997) assert_int_equal(got[i], 'a' + i % 23);
    free(got);
    client_hang_up(&c, true);
    client_free(&c);
    tls_stop(&t);
}

static void every_end_says_close_notify(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    char byte;
    tls_start(&t, P256, (struct http_config){ .idle_us = 50000 }, NULL);
    static const char *const last[] = {
        "GET /close HTTP/1.1\r\nHost: a\r\n\r\n", "GET /work HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", GET_WORK /* then idle */,
    };
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        size_t n;
        client_init(&c, 0, NULL);
        assert_true(client_connect(&c, &t.r, NULL));
        free(ask(c.ssl, last[i], &n));
        int r = SSL_read(c.ssl, &byte, 1);
        assert_int_equal(SSL_get_error(c.ssl, r), SSL_ERROR_ZERO_RETURN);      /* and not a bare FIN */
        client_hang_up(&c, true);
        client_free(&c);
    }
    tls_stop(&t);
}

static void noise_instead_of_TLS_ends_the_connection_and_nothing_else(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    static const char *const noise[] = { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\026\003\001\377\377xxxxxxxxxxxxxxxxxx", "\200\200\200\200\200\200\200" };
    tls_start(&t, P256, (struct http_config){ 0 }, NULL);
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++) {
        char sink[256];
        int fd = rig_connect(&t.r);
        rig_send(fd, noise[i]);
        while (recv(fd, sink, sizeof sink, 0) > 0) {}
        close(fd);
    }
    RIG_AWAIT(&t.r, handshakes_failed, sizeof noise / sizeof *noise);
    RIG_AWAIT(&t.r, connections_open, 0);
    assert_int_equal(rig_stats(&t.r).requests + rig_stats(&t.r).requests_refused, 0);
    client_init(&c, 0, NULL);
    assert_true(client_connect(&c, &t.r, NULL));
    expect(c.ssl, GET_WORK, "worker");
    client_hang_up(&c, true);
    client_free(&c);
    tls_stop(&t);
}

static void a_handshake_must_end_in_time(void **state)
{
    (void)state;
    struct tls_rig t;
    char byte;
    tls_start(&t, P256, (struct http_config){ .handshake_us = 30000 }, NULL);
    int silent = rig_connect(&t.r), half = rig_connect(&t.r);
    rig_send_n(half, "\026\003\001\002\000\001\000\001\374\003\003", 11);
    assert_int_equal(recv(silent, &byte, 1, 0), 0);
    assert_int_equal(recv(half, &byte, 1, 0), 0);
    assert_int_equal(rig_stats(&t.r).timeouts_handshake, 2);
    close(silent);
    close(half);
    tls_stop(&t);
}

static void clients_may_vanish_in_TLS_too(void **state)
{
    (void)state;
    struct tls_rig t;
    tls_start(&t, P256, (struct http_config){ .arena_bytes = 32 << 20 }, NULL);
    static const char *const parts[] = { "", "GET /wo", GET_WORK, "GET /big?n=20000000 HTTP/1.1\r\nHost: a\r\n\r\n" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int how = 0; how < 3; how++) {
            struct client c;
            client_init(&c, 0, NULL);
            assert_true(client_connect(&c, &t.r, NULL));
            if (*parts[i]) assert_true(SSL_write(c.ssl, parts[i], (int)strlen(parts[i])) > 0);
            if (how == 2) {            /* reset */
                SSL_free(c.ssl);
                rig_reset(c.fd);
            } else client_hang_up(&c, how == 1);
            client_free(&c);
        }
    RIG_AWAIT(&t.r, connections_accepted, 3 * sizeof parts / sizeof *parts);
    RIG_AWAIT(&t.r, connections_open, 0);
    tls_stop(&t);
}

/* Tickets. */

/* One request on a connection of its own; was the session `with` resumed? c->session is then the next ticket. */
static bool resumed(struct client *c, struct rig *r, SSL_SESSION *with)
{
    assert_true(client_connect(c, r, with));
    expect(c->ssl, GET_WORK, "worker");
    bool yes = SSL_session_reused(c->ssl);
    if (SSL_version(c->ssl) == TLS1_2_VERSION) keep_session(c->ssl, SSL_get1_session(c->ssl));     /* renewals are not told */
    client_hang_up(c, true);
    return yes;
}

static const struct { const char *what; int version; const char *groups; } kinds[] = {
    { "TLS 1.3", TLS1_3_VERSION, NULL }, { "TLS 1.2", TLS1_2_VERSION, NULL }, { "TLS 1.2 brainpool", TLS1_2_VERSION, "brainpoolP256r1" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void sessions_are_resumed_on_every_loop(void **state)
{
    (void)state;
    struct tls_rig t;
    enum { N = 40 };
    tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
    for (int k = 0; k < KINDS; k++) {
        struct client c;
        client_init(&c, kinds[k].version, kinds[k].groups);
        atomic_store(&t.r.loops_seen, 0);
        assert_false(resumed(&c, &t.r, NULL));
        for (int i = 0; i < N; i++) {
            SSL_SESSION *with = c.session;
            assert_non_null(with);
            SSL_SESSION_up_ref(with);
            if (!resumed(&c, &t.r, with)) fail_msg("%s: not resumed", kinds[k].what);
            SSL_SESSION_free(with);
        }
        assert_int_equal(atomic_load(&t.r.loops_seen), 3);
        client_free(&c);
    }
    struct net_stats s = rig_stats(&t.r);
    assert_int_equal(s.handshakes_full, KINDS);
    assert_int_equal(s.handshakes_resumed, KINDS * N);
    tls_stop(&t);
}

static void a_ticket_lives_through_one_rotation_and_not_two(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        struct tls_rig t;
        struct client c;
        tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
        client_init(&c, kinds[k].version, kinds[k].groups);
        assert_false(resumed(&c, &t.r, NULL));
        SSL_SESSION *first = c.session;
        SSL_SESSION_up_ref(first);
        tls_server_rotate(t.tls);
        if (!resumed(&c, &t.r, first)) fail_msg("%s: lost by one rotation", kinds[k].what);
        assert_true(c.session != first);                    /* renewed under the new key */
        SSL_SESSION *second = c.session;
        SSL_SESSION_up_ref(second);
        tls_server_rotate(t.tls);
        if (resumed(&c, &t.r, first)) fail_msg("%s: lives through two rotations", kinds[k].what);
        if (!resumed(&c, &t.r, second)) fail_msg("%s: the renewed ticket is lost", kinds[k].what);
        SSL_SESSION_free(first);
        SSL_SESSION_free(second);
        client_free(&c);
        tls_stop(&t);
    }
}

struct moving_clock {
    struct env env;
    _Atomic int64_t us;
};

static int64_t moving_now(struct env *e)
{
    return atomic_load(&((struct moving_clock *)(void *)e)->us);
}

static void ticket_keys_rotate_by_the_clock(void **state)
{
    (void)state;
    static const int64_t hour = (int64_t)3600 * 1000000;
    static const struct { int64_t after; bool resumed; } steps[] = {       /* keys turn at 12 h (the default) */
        { 0, true }, { 11 * hour, true }, { 2 * hour, true }, { 10 * hour, true }, { 12 * hour, true }, { 25 * hour, false }, { -hour, false },
    };
    struct moving_clock clock = { .us = 1793409089000000 };
    struct tls_rig t;
    struct client c;
    env_real(&clock.env);
    clock.env.now = moving_now;
    tls_start(&t, P256, (struct http_config){ 0 }, &clock.env);
    client_init(&c, TLS1_3_VERSION, NULL);
    assert_false(resumed(&c, &t.r, NULL));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        SSL_SESSION *with = c.session;
        SSL_SESSION_up_ref(with);
        atomic_fetch_add(&clock.us, steps[i].after);
        if (resumed(&c, &t.r, with) != steps[i].resumed) fail_msg("step %zu", i);
        SSL_SESSION_free(with);
    }
    client_free(&c);
    tls_stop(&t);
}

static void a_forged_ticket_means_a_full_handshake(void **state)
{
    (void)state;
    struct tls_rig a, b;
    struct client c;
    tls_start(&a, P256, (struct http_config){ 0 }, NULL);
    tls_start(&b, P256, (struct http_config){ 0 }, NULL);
    client_init(&c, TLS1_2_VERSION, NULL);
    assert_false(resumed(&c, &a.r, NULL));
    SSL_SESSION *foreign = c.session;
    SSL_SESSION_up_ref(foreign);
    assert_false(resumed(&c, &b.r, foreign));               /* another server's keys */
    assert_true(resumed(&c, &a.r, foreign));
    SSL_SESSION_free(foreign);
    client_free(&c);
    tls_stop(&b);
    tls_stop(&a);
}

/* Reload. */

static void a_reload_serves_new_connections_and_leaves_open_ones(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client old, fresh;
    struct err e = { 0 };
    tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
    for (int k = 0; k < KINDS; k++) {
        client_init(&old, kinds[k].version, kinds[k].groups);
        client_init(&fresh, kinds[k].version, kinds[k].groups);
        assert_true(client_connect(&old, &t.r, NULL));
        expect(old.ssl, GET_WORK, "worker");
        make_pair(t.dir, "new", "P-256", &t.conf.cert_file, &t.conf.key_file);
        make_pair(t.dir, "newbp", "brainpoolP256r1", &t.conf.bp_cert_file, &t.conf.bp_key_file);
        assert_ok(tls_server_reload(t.tls, &t.conf, &e));
        assert_true(client_connect(&fresh, &t.r, NULL));
        X509 *was = SSL_get1_peer_certificate(old.ssl), *is = SSL_get1_peer_certificate(fresh.ssl);
        assert_true(was && is && X509_cmp(was, is) != 0);
        X509_free(was);
        X509_free(is);
        expect(old.ssl, GET_WORK, "worker");
        expect(fresh.ssl, GET_WORK, "worker");
        client_hang_up(&old, true);
        client_hang_up(&fresh, true);
        if (!resumed(&fresh, &t.r, old.session)) fail_msg("%s: a ticket is lost by the reload", kinds[k].what);
        client_free(&old);
        client_free(&fresh);
    }
    tls_stop(&t);
}

struct reloader {
    struct tls_rig *t;
    _Atomic bool stop;
};

static void *reload_on_and_on(void *arg)
{
    struct reloader *r = arg;
    while (!atomic_load(&r->stop)) {
        struct err e = { 0 };
        if (tls_server_reload(r->t->tls, &r->t->conf, &e) != OK) abort();
        tls_server_rotate(r->t->tls);
    }
    return NULL;
}

static void reloads_and_handshakes_may_meet(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    pthread_t thread;
    tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
    struct reloader r = { .t = &t };
    assert_int_equal(pthread_create(&thread, NULL, reload_on_and_on, &r), 0);
    for (int k = 0; k < 60; k++) {
        client_init(&c, kinds[k % KINDS].version, kinds[k % KINDS].groups);
        resumed(&c, &t.r, NULL);
        resumed(&c, &t.r, c.session);
        client_free(&c);
    }
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    tls_stop(&t);
}

static void a_broken_reload_changes_nothing(void **state)
{
    (void)state;
    struct tls_rig t;
    struct client c;
    struct err e;
    tls_start(&t, BOTH, (struct http_config){ 0 }, NULL);
    const char *other_cert, *other_key, *rsa = tmp_path(t.dir, "none.pem"), *text = tmp_path(t.dir, "text");
    make_pair(t.dir, "p384", "P-384", &other_cert, &other_key);
    FILE *f = fopen(text, "w");
    assert_non_null(f);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
    fclose(f);
    const struct { const char *field; struct tls_config c; } broken[] = {
        { "cert_file", { 0 } },
        { "cert_file", { .cert_file = rsa, .key_file = t.conf.key_file } },
        { "cert_file", { .cert_file = text, .key_file = t.conf.key_file } },
        { "key_file", { .cert_file = t.conf.cert_file, .key_file = rsa } },
        { "key_file", { .cert_file = t.conf.cert_file, .key_file = t.conf.cert_file } },
        { "key_file", { .cert_file = t.conf.cert_file, .key_file = other_key } },
        { "key_file", { .cert_file = t.conf.cert_file } },
        { "cert_file", { .key_file = t.conf.key_file } },
        { "key_file", { .cert_file = other_cert, .key_file = other_key } },
        { "key_file", { .cert_file = t.conf.bp_cert_file, .key_file = t.conf.bp_key_file } },
        { "bp_key_file", { .cert_file = t.conf.cert_file, .key_file = t.conf.key_file,
                           .bp_cert_file = t.conf.cert_file, .bp_key_file = t.conf.key_file } },
        { "key_file", { .cert_file = t.conf.cert_file, .key_file = t.conf.bp_key_file,
                        .bp_cert_file = t.conf.bp_cert_file, .bp_key_file = t.conf.bp_key_file } },
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct tls_server *none = NULL;
        struct tls_config k = broken[i].c;
        assert_refused(E_CONF, tls_server_reload(t.tls, &k, &e));
        if (strcmp(e.field, broken[i].field) != 0) fail_msg("row %zu: %s %s", i, e.field, e.why);
        k.env = &t.env;
        assert_refused(E_CONF, tls_server_new(&none, &k, &e));
        assert_null(none);
        assert_int_equal(ERR_peek_error(), 0);
    }
    for (int k = 0; k < KINDS; k++) {
        client_init(&c, kinds[k].version, kinds[k].groups);
        assert_false(resumed(&c, &t.r, NULL));
        client_free(&c);
    }
    tls_server_free(NULL);
    tls_stop(&t);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_gets_the_certificate_that_it_can_use),
        cmocka_unit_test(one_certificate_alone_serves_who_can_use_it),
        cmocka_unit_test(old_versions_and_weak_suites_are_refused),
        cmocka_unit_test(alpn_is_http_1_1_or_nothing),
        cmocka_unit_test(a_client_may_not_renegotiate),
        cmocka_unit_test(the_handler_sees_the_server_name_in_lower_case),
        cmocka_unit_test(requests_may_share_records_or_be_spread_over_many),
        cmocka_unit_test(large_bodies_go_both_ways_over_TLS),
        cmocka_unit_test(every_end_says_close_notify),
        cmocka_unit_test(noise_instead_of_TLS_ends_the_connection_and_nothing_else),
        cmocka_unit_test(a_handshake_must_end_in_time),
        cmocka_unit_test(clients_may_vanish_in_TLS_too),
        cmocka_unit_test(sessions_are_resumed_on_every_loop),
        cmocka_unit_test(a_ticket_lives_through_one_rotation_and_not_two),
        cmocka_unit_test(ticket_keys_rotate_by_the_clock),
        cmocka_unit_test(a_forged_ticket_means_a_full_handshake),
        cmocka_unit_test(a_reload_serves_new_connections_and_leaves_open_ones),
        cmocka_unit_test(reloads_and_handshakes_may_meet),
        cmocka_unit_test(a_broken_reload_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
