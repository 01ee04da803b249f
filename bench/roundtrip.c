/* roundtrip.c -- signed round trips at full speed: poll, take the signed package, return a signed result, get it acknowledged.
 *
 * One thread drives C connections (TLS 1.3, keep-alive) by epoll, so that the server's replies wake nobody who is awake already.
 * Each works through devices that bench/seed.c made and that have an `enable` waiting. The result is made with asn1/ and crypto/
 * alone; nothing of eim/ is used. Only acknowledged results (BF53) count. */
#include "asn1/sgp32.h"
#include "crypto/key.h"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNS_MAX = 1024, MESSAGE_MAX = 8192, STALL_SECONDS = 20 };

static struct {
    struct sockaddr_in to;
    SSL_CTX *tls;
    struct private_key *key;
    struct arena arena;                            /* of the message being made */
    int epoll, open;
    int64_t next, last;                            /* device numbers still to be done */
    int64_t done, refused, errors;
    double deadline;
} run;

struct conn {
    SSL *tls;
    bool result;                                   /* a result is under way, else a poll */
    uint8_t eid[16], out[MESSAGE_MAX], in[MESSAGE_MAX + 1];
    size_t out_n, sent, have;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void eid_number(int64_t i, uint8_t out[16])
{
    char text[33];
    snprintf(text, sizeof text, "8904903200000000%014lld00", (long long)i);
    unsigned rest = 0;
    for (int k = 0; k < 32; k++) rest = (rest * 10 + (unsigned)(text[k] - '0')) % 97;
    snprintf(text + 30, 3, "%02u", 98 - rest);
    if (slice_unhex(slice_str(text), out, 16) != 16) abort();
}

static SSL *dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&run.to, sizeof run.to) != 0) {
        if (fd >= 0) close(fd);
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    SSL *s = SSL_new(run.tls);
    if (!s || SSL_set_fd(s, fd) != 1 || SSL_connect(s) != 1) {
        SSL_free(s);
        close(fd);
        return NULL;
    }
    return s;
}

static void hang_up(SSL *s)
{
    if (!s) return;
    int fd = SSL_get_fd(s);
    SSL_shutdown(s);
    SSL_free(s);
    close(fd);
}

static bool put(struct conn *c, struct slice body)
{
    int n = snprintf((char *)c->out, sizeof c->out, "POST /gsma/rsp2/asn1 HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Type: application/x-gsma-rsp-asn1\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\nContent-Length: %zu\r\n\r\n", body.n);
    if (!body.p || (size_t)n + body.n > sizeof c->out) return false;
    memcpy(c->out + n, body.p, body.n);
    c->out_n = (size_t)n + body.n;
    c->sent = c->have = 0;
    return true;
}

/* The result of an executed enable, signed as an eUICC signs it. */
static struct slice result_for(const struct euicc_package_signed *q, struct slice eid, struct arena *a)
{
    struct euicc_result_data ok = { .der.which = euicc_result_data_is_enable_result };
    struct euicc_package_result_data_signed d = { .eim_id = q->eim_id, .counter_value = q->counter_value, .seq_number = q->counter_value,
                                                  .eim_transaction_id = q->eim_transaction_id, .euicc_result = { .v = &ok, .n = 1 } };
    der_set(&d, euicc_package_result_data_signed, eim_transaction_id);
    struct slice tbs = der_encode(&euicc_package_result_data_signed_type, &d, a);
    uint8_t token[12], sig[SIGNATURE_SIZE];
    struct slice spans[2] = { tbs, sgp32_token_tlv(1, token) };
    struct err e = { 0 };
    if (!tbs.p || private_key_sign(run.key, spans, 2, sig, &e) != OK) return (struct slice){ 0 };
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
    struct provide_eim_package_result *p = &m.provide_eim_package_result;
    p->eid_value = eid;
    der_set(p, provide_eim_package_result, eid_value);
    p->eim_package_result.der.which = eim_package_result_is_euicc_package_result;
    struct euicc_package_result *r = &p->eim_package_result.euicc_package_result;
    r->der.which = euicc_package_result_is_euicc_package_result_signed;
    der_verbatim_seq(&r->euicc_package_result_signed.euicc_package_result_data_signed.der, tbs);
    r->euicc_package_result_signed.euicc_sign_epr = (struct slice){ sig, sizeof sig };
    return der_encode(&esipa_from_ipa_type, &m, a);
}

/* The poll of the next device; false: none is left, or the time is up. */
static bool begin(struct conn *c)
{
    uint8_t poll[21] = { 0xbf, 0x4f, 0x12, 0x5a, 0x10 };
    if (run.next >= run.last || seconds() >= run.deadline) return false;
    eid_number(run.next++, c->eid);
    memcpy(poll + 5, c->eid, sizeof c->eid);
    c->result = false;
    return put(c, (struct slice){ poll, sizeof poll });
}

/* The answer to a poll or to a result: what to send next. False: this connection has nothing more to do. */
static bool answered(struct conn *c, struct slice reply)
{
    struct err e = { 0 };
    struct esipa_from_eim m;
    if (c->result) {
        bool acked = reply.n > 5 && reply.p[0] == 0xbf && reply.p[1] == 0x50 && reply.p[3] == 0xbf && reply.p[4] == 0x53;
        ++*(acked ? &run.done : &run.refused);
        return begin(c);
    }
    arena_reset(&run.arena);
    if (der_decode(&esipa_from_eim_type, reply, &m, &run.arena, &e) != OK ||
        m.der.which != esipa_from_eim_is_get_eim_package_response ||
        m.get_eim_package_response.der.which != get_eim_package_response_is_euicc_package_request) {
        run.refused++;
        return begin(c);
    }
    c->result = true;
    return put(c, result_for(&m.get_eim_package_response.euicc_package_request.euicc_package_signed,
                             (struct slice){ c->eid, sizeof c->eid }, &run.arena));
}

/* Is a whole reply there? Its body, and whether the status is 200. */
static bool complete(struct conn *c, struct slice *body, bool *good)
{
    c->in[c->have] = 0;
    char *end = strstr((char *)c->in, "\r\n\r\n");
    if (!end) return false;
    char *length = strcasestr((char *)c->in, "\r\nContent-Length:");
    size_t want = length && length < end ? strtoul(length + 17, NULL, 10) : 0, at = (size_t)(end + 4 - (char *)c->in);
    *good = at + want <= MESSAGE_MAX && !strncmp((char *)c->in, "HTTP/1.1 200", 12);
    *body = (struct slice){ c->in + at, want };
    return !*good || c->have >= at + want;
}

/* As far as it goes. False: the connection has nothing more to do, or failed (counted). */
static bool drive(struct conn *c)
{
    for (;;) {
        size_t n;
        struct slice body;
        bool writing = c->sent < c->out_n, good;
        int r = writing ? SSL_write_ex(c->tls, c->out + c->sent, c->out_n - c->sent, &n)
                        : SSL_read_ex(c->tls, c->in + c->have, MESSAGE_MAX - c->have, &n);
        if (r != 1) {
            int why = SSL_get_error(c->tls, r);
            if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return true;
            run.errors++;
            return false;
        }
        if (writing) {
            c->sent += n;
            continue;
        }
        c->have += n;
        if (!complete(c, &body, &good)) continue;
        run.errors += !good;
        if (!good || !answered(c, body)) return false;
    }
}

static bool open_conn(struct conn *c)
{
    c->tls = dial();
    if (!c->tls) return false;
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    int fd = SSL_get_fd(c->tls);
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &ev) == 0 && begin(c);
}

static void work(struct conn *conns, int n)
{
    struct epoll_event ev[CONNS_MAX];
    for (int i = 0; i < n; i++) {
        if (open_conn(&conns[i])) run.open++;
        else if (!conns[i].tls) run.errors++;
    }
    while (run.open && seconds() < run.deadline + STALL_SECONDS) {
        int got = epoll_wait(run.epoll, ev, CONNS_MAX, 1000);
        for (int i = 0; i < got; i++) {
            struct conn *c = ev[i].data.ptr;
            if (!c->tls || drive(c)) continue;
            hang_up(c->tls);
            c->tls = NULL;
            run.open--;
        }
    }
    run.errors += run.open;                        /* those never got an answer */
    for (int i = 0; i < n; i++) hang_up(conns[i].tls);
}

static double cpu_of(const char *pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "r");
    unsigned long u = 0, k = 0;
    if (!f) return 0;
    if (fgets(line, sizeof line, f)) {
        char *p = strrchr(line, ')');
        if (p) sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &k);
    }
    fclose(f);
    return (double)(u + k) / (double)sysconf(_SC_CLK_TCK);
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: roundtrip PORT KEY.pem FIRST COUNT CONNECTIONS SECONDS [SERVER-PID]\n");
        return 2;
    }
    struct err e = { 0 };
    static struct conn conns[CONNS_MAX];
    int n = (int)strtol(argv[5], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    run.to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(argv[1], NULL, 10)), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    run.tls = SSL_CTX_new(TLS_client_method());
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    arena_init(&run.arena, 1 << 20);
    if (!run.tls || private_key_load(&run.key, argv[2], &e) != OK) {
        fprintf(stderr, "roundtrip: %s\n", e.why);
        return 1;
    }
    run.next = strtoll(argv[3], NULL, 10);
    run.last = run.next + strtoll(argv[4], NULL, 10);
    const char *pid = argc > 7 ? argv[7] : NULL;
    double cpu = pid ? cpu_of(pid) : 0, start = seconds();
    run.deadline = start + strtod(argv[6], NULL);
    work(conns, n < CONNS_MAX ? n : CONNS_MAX);
    double took = seconds() - start;
    cpu = pid ? cpu_of(pid) - cpu : 0;
    printf("round_trips %lld refused %lld errors %lld seconds %.2f per_s %.0f server_cpu_us %.1f next %lld\n", (long long)run.done,
           (long long)run.refused, (long long)run.errors, took, (double)run.done / took, run.done ? cpu * 1e6 / (double)run.done : 0,
           (long long)run.next);
    arena_free(&run.arena);
    private_key_free(run.key);
    SSL_CTX_free(run.tls);
    return run.errors || run.refused || !run.done;
}
