/* test_http.c -- the HTTP server over plain sockets on loopback: what it takes, what it refuses, and how it ends. */
#include "test/unit/net_rig.h"

#include "net/http_parse.h"

/* A reply as it came, with its parts. */
struct got {
    char head[8192];
    size_t head_n;
    int status;
    uint8_t *body;
    size_t n;
};

static void read_exactly(int fd, void *out, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = recv(fd, (char *)out + at, n - at, 0);
        if (r <= 0) fail_msg("the connection ended after %zu of %zu bytes: %s", at, n, r ? strerror(errno) : "EOF");
        at += (size_t)r;
    }
}

static bool has(const struct got *g, const char *text)
{
    return strstr(g->head, text) != NULL;
}

/* The head up to its empty line, byte by byte so that nothing behind it is taken. */
static void read_head(int fd, struct got *g)
{
    *g = (struct got){ 0 };
    while (g->head_n < 4 || memcmp(g->head + g->head_n - 4, "\r\n\r\n", 4) != 0) {
        if (g->head_n == sizeof g->head - 1) fail_msg("a reply's head without end");
        read_exactly(fd, g->head + g->head_n++, 1);
    }
    assert_memory_equal(g->head, "HTTP/1.1 ", 9);
    g->status = (int)strtol(g->head + 9, NULL, 10);
}

static void read_reply(int fd, struct got *g)
{
    read_head(fd, g);
    const char *length = strstr(g->head, "\r\nContent-Length: ");
    g->n = length ? strtoul(length + 18, NULL, 10) : 0;
    g->body = calloc(1, g->n + 1);
    assert_non_null(g->body);
    read_exactly(fd, g->body, g->n);
}

static void expect_body(int fd, int status, const char *body)
{
    struct got g;
    read_reply(fd, &g);
    assert_int_equal(g.status, status);
    assert_string_equal((char *)g.body, body);
    free(g.body);
}

static void expect_end(int fd)
{
    char c;
    ssize_t r = recv(fd, &c, 1, 0);
    if (r != 0) fail_msg("expected the end of the connection: %s", r > 0 ? "a byte more" : strerror(errno));
}

static const char GET_DUMP[] = "GET /dump HTTP/1.1\r\nHost: a\r\n\r\n";

/* What is refused, and with what. */

#define REST "Host: a\r\nContent-Length: 5\r\n\r\nhello"
static const struct refusal { const char *name, *text; int status; } refusals[] = {
    { "Content-Length beside Transfer-Encoding",
      "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "Transfer-Encoding beside Content-Length",
      "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400 },
    { "two equal Content-Length", "POST /dump HTTP/1.1\r\nContent-Length: 5\r\n" REST, 400 },
    { "two differing Content-Length", "POST /dump HTTP/1.1\r\nContent-Length: 6\r\n" REST, 400 },
    { "a list of lengths", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400 },
    { "a signed length", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400 },
    { "a negative length", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", 400 },
    { "a hexadecimal length", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400 },
    { "an empty length", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nhello", 400 },
    { "a length that wraps to 5", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello", 413 },
    { "a body too large", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413 },
    { "two codings", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501 },
    { "chunked twice", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "an unknown coding", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501 },
    { "a coding in disguise", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400 },
    { "a coding in HTTP/1.0", "POST /dump HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "a space before the colon", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 400 },
    { "a tab before the colon", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "a folded line", "POST /dump HTTP/1.1\r\nHost: a\r\nX: 1\r\n Content-Length: 5\r\n\r\nhello", 400 },
    { "a first header that begins with a space", "GET /dump HTTP/1.1\r\n Host: a\r\n\r\n", 400 },
    { "a header without a colon", "GET /dump HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400 },
    { "a header without a name", "GET /dump HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400 },
    { "a bare LF", "GET /dump HTTP/1.1\nHost: a\n\n", 400 },
    { "a bare LF among headers", "GET /dump HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400 },
    { "a bare CR", "GET /dump HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400 },
    { "a control byte in a value", "GET /dump HTTP/1.1\r\nHost: a\r\nX: a\001b\r\n\r\n", 400 },
    { "DEL in a value", "GET /dump HTTP/1.1\r\nHost: a\r\nX: a\177b\r\n\r\n", 400 },
    { "no Host", "GET /dump HTTP/1.1\r\n\r\n", 400 },
    { "two Host", "GET /dump HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
    { "a Host with a path", "GET /dump HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
    { "a Host with a list", "GET /dump HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
    { "two Authorization", "GET /dump HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n\r\n", 400 },
    { "HTTP/0.9", "GET /dump\r\n\r\n", 400 },
    { "HTTP/2.0", "GET /dump HTTP/2.0\r\nHost: a\r\n\r\n", 400 },
    { "HTTP/1.2", "GET /dump HTTP/1.2\r\nHost: a\r\n\r\n", 400 },
    { "HTTP/1.10", "GET /dump HTTP/1.10\r\nHost: a\r\n\r\n", 400 },
    { "http/1.1 in lower case", "GET /dump http/1.1\r\nHost: a\r\n\r\n", 400 },
    { "two spaces before the version", "GET /dump  HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "two spaces before the target", "GET  /dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "a space behind the version", "GET /dump HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
    { "a tab in the request line", "GET\t/dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "no method", " /dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "a method that is no token", "G(T /dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "a target that is no path", "GET dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "a byte above 0x7e in the target", "GET /d\303\274mp HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "a fragment", "GET /dump#x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "user information", "GET http://u:p@a/dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "an absolute target without an authority", "GET http:///dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "an asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501 },
    { "two empty lines first", "\r\n\r\nGET /dump HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "an unknown expectation", "POST /dump HTTP/1.1\r\nExpect: 200-ok\r\n" REST, 417 },
    { "a chunk longer than it says", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", 400 },
    { "a chunk shorter than it says", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello\r\n0\r\n\r\n", 400 },
    { "a chunk without a size", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", 400 },
    { "a signed chunk size", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 400 },
    { "a chunk size with a prefix", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400 },
    { "a chunk size and a space", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", 400 },
    { "a chunk size and a bare LF", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400 },
    { "a LF in a chunk extension", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n", 400 },
    { "a chunk too large", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413 },
    { "a chunk size that wraps", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n", 413 },
    { "chunks too large together", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3e4\r\n", 413 },
    { "a broken trailer", "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX y\r\n\r\n", 400 },
    { "a TLS hello", "\026\003\001\002\n", 400 },
};

static void each_doubtful_request_is_refused_and_the_connection_ends(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ .body_bytes = 1000 });
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct got g;
        int fd = rig_connect(&r);
        rig_send(fd, refusals[i].text);
        rig_send(fd, GET_DUMP);        /* a smuggled request must not be answered */
        read_reply(fd, &g);
        if (g.status != refusals[i].status) fail_msg("%s: %d, expected %d", refusals[i].name, g.status, refusals[i].status);
        if (!has(&g, "\r\nConnection: close\r\n") || !has(&g, "\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\n"))
            fail_msg("%s: %s", refusals[i].name, g.head);
        expect_end(fd);
        close(fd);
        free(g.body);
    }
    struct net_stats s = rig_stats(&r);
    assert_int_equal(s.requests, 0);
    assert_int_equal(s.requests_refused, sizeof refusals / sizeof *refusals);
    rig_stop(&r);
}

static void a_NUL_anywhere_in_the_head_is_refused(void **state)
{
    (void)state;
    struct rig r;
    const char text[] = "GET /dump HTTP/1.1\r\nHost: a\r\nX: yz\r\n\r\n";
    rig_start(&r, (struct http_config){ 0 });
    for (size_t i = 0; i < sizeof text - 5; i++) {
        struct got g;
        char bad[sizeof text];
        memcpy(bad, text, sizeof text);
        bad[i] = 0;
        int fd = rig_connect(&r);
        rig_send_n(fd, bad, sizeof text - 1);
        read_reply(fd, &g);
        assert_int_equal(g.status, 400);
        expect_end(fd);
        close(fd);
        free(g.body);
    }
    rig_stop(&r);
}

/* What is taken, and as what. */

static const struct taken { const char *text, *want; } taken[] = {
    { "GET /dump HTTP/1.1\r\nHost: a\r\n\r\n", "GET /dump? host=a type=- colour=- sni=- tls=0 fields=1 body=" },
    { "\r\nGET /dump HTTP/1.1\r\nHost: a\r\n\r\n", "GET /dump? host=a type=- colour=- sni=- tls=0 fields=1 body=" },
    { "BREW /dump?a=b?c&d HTTP/1.1\r\nhOST:[::1]:8443\r\nX-COLOUR:\t \tred wine \t\r\n\r\n",
      "BREW /dump?a=b?c&d host=[::1]:8443 type=- colour=red wine sni=- tls=0 fields=2 body=" },
    { "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Type: text/x;y=z\r\nContent-Length: 5\r\n\r\nhello",
      "POST /dump? host=a type=text/x;y=z colour=- sni=- tls=0 fields=3 body=hello" },
    { "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST /dump? host=a type=- colour=- sni=- tls=0 fields=2 body=" },
    { "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\nhello",
      "POST /dump? host=a type=- colour=- sni=- tls=0 fields=2 body=hello" },
    { "POST /dump HTTP/1.1\r\nHost:\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0A;n=\"v\"\r\n, good day\r\n0\r\nX-Colour: no\r\n\r\n",
      "POST /dump? host= type=- colour=- sni=- tls=0 fields=2 body=hello, good day" },
    { "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n000\r\n\r\n",
      "POST /dump? host=a type=- colour=- sni=- tls=0 fields=2 body=" },
    { "GET http://b:80/dump?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET /dump?q host=b:80 type=- colour=- sni=- tls=0 fields=1 body=" },
    { "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *? host=a type=- colour=- sni=- tls=0 fields=1 body=" },
    { "GET /dump HTTP/1.1\r\nHost: a\r\nX-Colour: \303\274\r\n\r\n", "GET /dump? host=a type=- colour=\303\274 sni=- tls=0 fields=2 body=" },
};

static void each_lawful_request_is_understood_on_one_connection(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ 0 });
    int fd = rig_connect(&r);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        rig_send(fd, taken[i].text);
        expect_body(fd, 200, taken[i].want);
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) rig_send(fd, taken[i].text);     /* and in a row */
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) expect_body(fd, 200, taken[i].want);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)                                  /* and byte by byte */
        for (const char *s = taken[i].text; *s; s++) rig_send_n(fd, s, 1);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) expect_body(fd, 200, taken[i].want);
    close(fd);
    RIG_AWAIT(&r, connections_open, 0);
    assert_int_equal(rig_stats(&r).connections_accepted, 1);
    assert_int_equal(rig_stats(&r).requests, 3 * sizeof taken / sizeof *taken);
    rig_stop(&r);
}

static void peer_and_known_headers_are_at_hand(void **state)
{
    (void)state;
    struct rig r;
    struct sockaddr_in me;
    socklen_t n = sizeof me;
    char want[256];
    rig_start(&r, (struct http_config){ 0 });
    int fd = rig_connect(&r);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&me, &n), 0);
    rig_send(fd, "GET /known HTTP/1.1\r\nHost: a\r\nIDEMPOTENCY-KEY: k 1\r\nauthorization:Bearer t\r\n"
                 "x-admin-protocol: gsma/rsp/v2.2.0\r\nX-Admin-Protocol: gsma/rsp/v2.3.0\r\n\r\n");
    snprintf(want, sizeof want, "127.0.0.1:%d Bearer t gsma/rsp/v2.2.0 k 1", ntohs(me.sin_port));
    expect_body(fd, 200, want);
    rig_send(fd, "GET /known HTTP/1.1\r\nHost: a\r\n\r\n");          /* nothing is left of the request before */
    snprintf(want, sizeof want, "127.0.0.1:%d - - -", ntohs(me.sin_port));
    expect_body(fd, 200, want);
    close(fd);
    rig_stop(&r);
}

static void replies_keep_the_order_of_pipelined_requests(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ 0 });
    int fd = rig_connect(&r);
    rig_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /work HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_exchange *x = rig_take_held(&r);
    rig_send(fd, GET_DUMP);            /* while the first is still with its handler */
    assert_int_equal(rig_stats(&r).requests, 1);
    rig_answer(x, NULL);
    expect_body(fd, 200, "held");
    expect_body(fd, 200, "worker");
    expect_body(fd, 200, taken[0].want);
    close(fd);
    rig_stop(&r);
}

static void heads_say_what_they_must(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    char length[64];
    rig_start(&r, (struct http_config){ 0 });
    int fd = rig_connect(&r);
    static const struct { const char *path; int status; const char *with, *without; } heads[] = {
        { "/dump", 200, "\r\nDate: Sat, 31 Oct 2026 01:11:29 GMT\r\n", "Connection" },
        { "/dump", 200, "\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\n", "\r\nX-One" },
        { "/dump", 200, "\r\nContent-Type: text/plain\r\n", "Transfer" },
        { "/headers", 201, "\r\nX-One: 1\r\nLocation: /v1/x\r\n", "Content-Type" },
        { "/own", 200, "\r\nx-admin-protocol: gsma/rsp/v2.2.0\r\n", "X-Admin-Protocol" },
        { "/broken", 500, "\r\nContent-Length: 0\r\n", "X-Two" },
        { "/endless", 500, "\r\nContent-Length: 0\r\n", "X-Endless" },
        { "/odd", 500, "HTTP/1.1 500 Internal Server Error\r\n", "42" },
        { "/empty", 204, "HTTP/1.1 204 No Content\r\n", "Content-" },
        { "/busy", 503, "\r\nRetry-After: ", "Content-Type" },
        { "/none", 404, "HTTP/1.1 404 Not Found\r\n", "Retry" },
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", heads[i].path);
        rig_send(fd, text);
        read_reply(fd, &g);
        if (g.status != heads[i].status || !has(&g, heads[i].with) || has(&g, heads[i].without))
            fail_msg("%s: %s", heads[i].path, g.head);
        free(g.body);
    }
    atomic_fetch_add(&r.clock_us, 61 * 1000000);
    rig_send(fd, "HEAD /dump HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(fd, &g);
    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(taken[0].want) + strlen("HEAD") - strlen("GET"));
    assert_true(has(&g, length));
    assert_true(has(&g, "01:12:30 GMT"));
    rig_send(fd, "GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
    read_reply(fd, &g);                /* comes right behind the head: HEAD had no body */
    assert_true(has(&g, "\r\nConnection: close\r\n"));
    expect_end(fd);
    free(g.body);
    close(fd);
    rig_stop(&r);
}

static void close_is_said_and_done_when_the_client_asks(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ 0 });
    static const char *const asks[] = {
        "GET /work HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /work HTTP/1.1\r\nHost: a\r\nConnection: x,  Close\r\n\r\n",
        "GET /work HTTP/1.0\r\n\r\n",
        "GET /work HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct got g;
        int fd = rig_connect(&r);
        rig_send(fd, asks[i]);
        rig_send(fd, GET_DUMP);        /* not answered any more */
        read_reply(fd, &g);
        assert_true(g.status == 200 && has(&g, "\r\nConnection: close\r\n"));
        expect_end(fd);
        free(g.body);
        close(fd);
    }
    rig_stop(&r);
}

static void continue_is_said_only_to_who_waits(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_start(&r, (struct http_config){ .body_bytes = 100 });
    int fd = rig_connect(&r);
    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
    read_head(fd, &g);
    assert_int_equal(g.status, 100);
    rig_send(fd, "hello");
    expect_body(fd, 200, "hello");
    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    read_head(fd, &g);
    assert_int_equal(g.status, 100);
    rig_send(fd, "5\r\nhello\r\n0\r\n\r\n");
    expect_body(fd, 200, "hello");
    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    expect_body(fd, 200, "");
    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
    expect_body(fd, 413, "");          /* before a byte of the body was sent */
    close(fd);
    rig_stop(&r);
}

/* Limits. */

static char *repeat(char c, size_t n)
{
    char *s = malloc(n + 1);
    assert_non_null(s);
    memset(s, c, n);
    s[n] = 0;
    return s;
}

static int status_of(struct rig *r, const char *head, const char *filler, const char *tail)
{
    struct got g;
    int fd = rig_connect(r);
    rig_send(fd, head);
    rig_send(fd, filler);
    rig_send(fd, tail);
    read_reply(fd, &g);
    free(g.body);
    close(fd);
    return g.status;
}

static void limits_hold_to_the_byte(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ .header_bytes = 1000, .body_bytes = 50000 });
    const char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nX: ", tail[] = "\r\n\r\n";
    char *fits = repeat('x', 1000 - strlen(head) - strlen(tail)), *over = repeat('x', 1001 - strlen(head) - strlen(tail));
    assert_int_equal(status_of(&r, head, fits, tail), 200);
    assert_int_equal(status_of(&r, head, over, tail), 431);
    assert_int_equal(status_of(&r, "GET /", over, over), 431);         /* 431 without waiting for the end of the line */
    free(fits);
    free(over);

    char *body = repeat('b', 50000), text[128];
    snprintf(text, sizeof text, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 50000);
    assert_int_equal(status_of(&r, text, body, ""), 200);
    snprintf(text, sizeof text, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 50001);
    assert_int_equal(status_of(&r, text, body, "b"), 413);
    const char chunked[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nC350\r\n";
    assert_int_equal(status_of(&r, chunked, body, "\r\n0\r\n\r\n"), 200);
    assert_int_equal(status_of(&r, chunked, body, "\r\n1\r\nx\r\n0\r\n\r\n"), 413);
    free(body);

    char fields[HTTP_FIELDS_MAX * 6 + 64] = "";
    for (int i = 0; i < HTTP_FIELDS_MAX - 1; i++) snprintf(fields + 5 * i, 6, "X:y\r\n");
    assert_int_equal(status_of(&r, "GET /dump HTTP/1.1\r\nHost: a\r\n", fields, "\r\n"), 200);
    assert_int_equal(status_of(&r, "GET /dump HTTP/1.1\r\nHost: a\r\nX:y\r\n", fields, "\r\n"), 431);

    char *ext = repeat('e', HTTP_CHUNK_LINE), *trailer = repeat('t', 1000);
    const char ext_head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;";
    assert_int_equal(status_of(&r, ext_head, ext, "\r\n\r\n"), 400);
    assert_int_equal(status_of(&r, ext_head, ext + 4, "\r\n\r\n"), 200);
    assert_int_equal(status_of(&r, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT:", trailer, "\r\n\r\n"), 431);
    free(ext);
    free(trailer);
    rig_stop(&r);
}

static void large_bodies_go_both_ways(void **state)
{
    (void)state;
    struct rig r;
    enum { N = 3000000 };
    struct got g;
    rig_start(&r, (struct http_config){ .body_bytes = N, .arena_bytes = 2 * N });
    int fd = rig_connect(&r);
    char *body = repeat(0, N), text[128];
    for (int i = 0; i < N; i++) body[i] = (char)(i * 7 + i / 251);
    snprintf(text, sizeof text, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", N);
    rig_send(fd, text);
    rig_send_n(fd, body, N);
    read_reply(fd, &g);
    assert_int_equal(g.n, N);
    assert_memory_equal(g.body, body, N);
    free(g.body);
    rig_send(fd, "GET /big?n=5000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    read_reply(fd, &g);
    assert_int_equal(g.n, 5000000);
    for (size_t i = 0; i < g.n; i += 997) assert_int_equal(g.body[i], 'a' + i % 23);
    free(g.body);
    rig_send(fd, "GET /big?n=6000001 HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_body(fd, 503, "");          /* the arena's ceiling: its handler got NULL */
    free(body);
    close(fd);
    rig_stop(&r);
}

static void at_the_connection_limit_others_wait_in_the_backlog(void **state)
{
    (void)state;
    struct rig r;
    enum { LIMIT = 3 };
    int in[LIMIT];
    rig_start(&r, (struct http_config){ .connections = LIMIT });
    for (int i = 0; i < LIMIT; i++) {
        in[i] = rig_connect(&r);
        rig_send(in[i], GET_DUMP);
        expect_body(in[i], 200, taken[0].want);
    }
    int waits = rig_connect(&r);
    rig_send(waits, GET_DUMP);
    for (int i = 0; i < LIMIT; i++) {  /* the others are served on */
        rig_send(in[i], GET_DUMP);
        expect_body(in[i], 200, taken[0].want);
    }
    struct net_stats s = rig_stats(&r);
    assert_int_equal(s.connections_open, LIMIT);
    assert_int_equal(s.connections_accepted, LIMIT);
    assert_int_equal(s.requests, 2 * LIMIT);
    close(in[1]);
    expect_body(waits, 200, taken[0].want);
    s = rig_stats(&r);
    assert_int_equal(s.connections_accepted, LIMIT + 1);
    assert_true(s.accept_paused >= 1);
    close(in[0]);
    close(in[2]);
    close(waits);
    rig_stop(&r);
}

/* Slow and vanishing clients. */

static void a_request_must_be_complete_in_time(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    static const char *const halves[] = {
        "GET /dump HTTP/1.1\r\nHost: a\r\n", "G", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
        "POST /dump HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    };
    rig_start(&r, (struct http_config){ .request_us = 30000 });
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        int fd = rig_connect(&r);
        rig_send(fd, halves[i]);
        read_reply(fd, &g);
        assert_int_equal(g.status, 408);
        assert_true(has(&g, "\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\n"));
        expect_end(fd);
        free(g.body);
        close(fd);
    }
    assert_int_equal(rig_stats(&r).timeouts_request, sizeof halves / sizeof *halves);
    assert_int_equal(rig_stats(&r).requests, 0);
    rig_stop(&r);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ .idle_us = 30000 });
    int fresh = rig_connect(&r), used = rig_connect(&r);
    rig_send(used, GET_DUMP);
    expect_body(used, 200, taken[0].want);
    expect_end(fresh);
    expect_end(used);
    assert_int_equal(rig_stats(&r).timeouts_idle, 2);
    close(fresh);
    close(used);
    rig_stop(&r);
}

static void a_held_request_has_no_deadline_of_ours(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ .idle_us = 20000, .request_us = 20000, .write_us = 60000000 });
    int fd = rig_connect(&r), other = rig_connect(&r);
    rig_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_exchange *x = rig_take_held(&r);
    expect_end(other);                 /* idle: so several sweeps have passed */
    rig_answer(x, NULL);
    expect_body(fd, 200, "held");
    close(fd);
    close(other);
    rig_stop(&r);
}

static void a_reply_that_is_not_taken_ends_the_connection(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ .write_us = 1000, .arena_bytes = 32 << 20 });
    int fd = rig_connect_small(&r, 4096);
    rig_send(fd, "GET /big?n=30000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    RIG_AWAIT(&r, timeouts_write, 1);
    RIG_AWAIT(&r, connections_open, 0);
    close(fd);
    rig_stop(&r);
}

static void clients_may_vanish_at_any_time(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ .arena_bytes = 32 << 20 });
    static const char *const parts[] = {
        "", "GET", "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        "GET /big?n=30000000 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /work HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /dump HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int hard = 0; hard < 2; hard++) {
            int fd = rig_connect_small(&r, 4096);
            char c;
            rig_send(fd, parts[i]);
            if (strstr(parts[i], "/big")) read_exactly(fd, &c, 1);     /* in the middle of the reply */
            if (hard) rig_reset(fd);
            else close(fd);
        }
    RIG_AWAIT(&r, connections_accepted, 2 * sizeof parts / sizeof *parts);
    RIG_AWAIT(&r, connections_open, 0);
    int fd = rig_connect(&r);
    rig_send(fd, GET_DUMP);
    expect_body(fd, 200, taken[0].want);
    close(fd);
    rig_stop(&r);
}

static void a_reply_for_who_has_gone_is_dropped(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ 0 });
    int fd = rig_connect(&r);
    rig_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_exchange *x = rig_take_held(&r);
    rig_reset(fd);
    assert_true(work_submit(r.work, rig_answer, x));        /* from another thread, to a dead socket */
    RIG_AWAIT(&r, connections_open, 0);

    fd = rig_connect(&r);
    rig_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    x = rig_take_held(&r);
    http_server_drain(r.server, 0);    /* closes it over the handler's head */
    expect_end(fd);
    assert_int_equal(rig_stats(&r).connections_open, 0);
    assert_string_equal(x->req.path, "/hold");              /* the exchange lives on */
    assert_non_null(arena_alloc(x->arena, 100));
    assert_true(work_submit(r.work, rig_answer, x));
    RIG_AWAIT(&r, replies_dropped, 1);
    close(fd);
    rig_stop(&r);
}

static void *drain(void *arg)
{
    struct rig *r = arg;
    http_server_drain(r->server, (int64_t)RIG_PATIENCE_S * 1000000);
    return NULL;
}

static void draining_finishes_what_is_under_way_and_takes_nothing_new(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    pthread_t t;
    rig_start(&r, (struct http_config){ 0 });
    int idle = rig_connect(&r), busy = rig_connect(&r), half = rig_connect(&r);
    rig_send(idle, GET_DUMP);
    expect_body(idle, 200, taken[0].want);
    static const char begin[] = "GET /work HTTP/1.1\r\n", hold[] = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n";
    rig_send(half, begin);
    rig_send(busy, hold);
    struct http_exchange *x = rig_take_held(&r);
    RIG_AWAIT(&r, connections_accepted, 3);
    RIG_AWAIT(&r, bytes_in, strlen(GET_DUMP) + strlen(begin) + strlen(hold));
    assert_int_equal(pthread_create(&t, NULL, drain, &r), 0);
    expect_end(idle);
    int refused = rig_connect_small(&r, 0);
    assert_int_equal(refused, -1);
    rig_send(half, "Host: a\r\n\r\n");
    read_reply(half, &g);
    assert_true(g.status == 200 && has(&g, "\r\nConnection: close\r\n"));
    free(g.body);
    expect_end(half);
    rig_answer(x, NULL);
    read_reply(busy, &g);
    assert_true(g.status == 200 && has(&g, "\r\nConnection: close\r\n"));
    free(g.body);
    expect_end(busy);
    pthread_join(t, NULL);
    assert_int_equal(rig_stats(&r).connections_open, 0);
    close(idle);
    close(busy);
    close(half);
    rig_stop(&r);
}

static void draining_ends_in_the_given_time(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, (struct http_config){ 0 });
    int half = rig_connect(&r);
    rig_send(half, "GET /work HTTP/1.1\r\n");
    RIG_AWAIT(&r, bytes_in, 20);
    http_server_drain(r.server, 10000);         /* returns; the client never would */
    expect_end(half);
    close(half);
    rig_stop(&r);
}

static void many_clients_at_once_are_all_served(void **state)
{
    (void)state;
    struct rig r;
    enum { N = 200, ROUNDS = 5 };
    int fd[N];
    rig_start(&r, (struct http_config){ 0 });
    for (int i = 0; i < N; i++) fd[i] = rig_connect(&r);
    for (int k = 0; k < ROUNDS; k++) {
        for (int i = 0; i < N; i++) rig_send(fd[i], i % 2 ? GET_DUMP : "GET /work HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int i = 0; i < N; i++) {
            struct got g;
            read_reply(fd[i], &g);
            if (g.status != 200 && g.status != 503) fail_msg("status %d", g.status);   /* the workers' queue may be full */
            free(g.body);
        }
    }
    assert_int_equal(rig_stats(&r).requests, N * ROUNDS);
    assert_int_equal(rig_stats(&r).replies_2xx + rig_stats(&r).replies_5xx, N * ROUNDS);
    assert_int_equal(rig_stats(&r).connections_open, N);
    assert_int_equal(atomic_load(&r.loops_seen), 3);        /* the kernel spread them over both */
    for (int i = 0; i < N; i++) close(fd[i]);
    rig_stop(&r);
}

static void a_wrong_listener_is_refused(void **state)
{
    (void)state;
    struct rig r;
    struct err e;
    struct http_server *s = NULL;
    rig_start(&r, (struct http_config){ 0 });
    struct http_config c = { .env = &r.env, .handle = rig_handle, .arg = &r };
    c.port = r.port;
    assert_refused(E_IO, http_listen(&s, r.loops, &c, &e));            /* taken, SO_REUSEPORT or not */
    assert_string_equal(e.field, "port");
    c.port = 65536;
    assert_refused(E_CONF, http_listen(&s, r.loops, &c, &e));
    c.port = 0;
    c.address = "localhost";
    assert_refused(E_CONF, http_listen(&s, r.loops, &c, &e));
    c.address = NULL;
    c.idle_us = -1;
    assert_refused(E_CONF, http_listen(&s, r.loops, &c, &e));
    assert_null(s);
    c.idle_us = 0;
    c.address = "::1";
    assert_ok(http_listen(&s, r.loops, &c, &e));
    http_server_free(s);
    http_server_free(NULL);
    rig_stop(&r);
}

/* Helpers. */

static void queries_are_decoded_strictly(void **state)
{
    (void)state;
    struct arena a;
    struct http_request q = { .query = "a=1&b=x%20y+z&c&d=&e=%&f=%4&g=%zz&h=%00&i=%C3%BC&a=2" };
    arena_init(&a, 4096);
    assert_string_equal(http_query(&q, &a, "a"), "1");
    assert_string_equal(http_query(&q, &a, "b"), "x y z");
    assert_string_equal(http_query(&q, &a, "c"), "");
    assert_string_equal(http_query(&q, &a, "d"), "");
    assert_string_equal(http_query(&q, &a, "i"), "\303\274");
    static const char *const none[] = { "e", "f", "g", "h", "", "aa", "z" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_null(http_query(&q, &a, none[i]));
    assert_string_equal(http_unescape(&a, slice_str("a+b%2Fc"), false), "a+b/c");
    q.query = "";
    assert_null(http_query(&q, &a, "a"));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_doubtful_request_is_refused_and_the_connection_ends),
        cmocka_unit_test(a_NUL_anywhere_in_the_head_is_refused),
        cmocka_unit_test(each_lawful_request_is_understood_on_one_connection),
        cmocka_unit_test(peer_and_known_headers_are_at_hand),
        cmocka_unit_test(replies_keep_the_order_of_pipelined_requests),
        cmocka_unit_test(heads_say_what_they_must),
        cmocka_unit_test(close_is_said_and_done_when_the_client_asks),
        cmocka_unit_test(continue_is_said_only_to_who_waits),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(large_bodies_go_both_ways),
        cmocka_unit_test(at_the_connection_limit_others_wait_in_the_backlog),
        cmocka_unit_test(a_request_must_be_complete_in_time),
        cmocka_unit_test(an_idle_connection_is_closed_without_a_word),
        cmocka_unit_test(a_held_request_has_no_deadline_of_ours),
        cmocka_unit_test(a_reply_that_is_not_taken_ends_the_connection),
        cmocka_unit_test(clients_may_vanish_at_any_time),
        cmocka_unit_test(a_reply_for_who_has_gone_is_dropped),
        cmocka_unit_test(draining_finishes_what_is_under_way_and_takes_nothing_new),
        cmocka_unit_test(draining_ends_in_the_given_time),
        cmocka_unit_test(many_clients_at_once_are_all_served),
        cmocka_unit_test(a_wrong_listener_is_refused),
        cmocka_unit_test(queries_are_decoded_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
