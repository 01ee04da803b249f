/* roundtrip.c -- signed round trips at full speed: poll, take the signed package, return a signed result, get it acknowledged.
 *
 * Each of C connections (a thread each, blocking, TLS 1.3 keep-alive) works through devices that bench/seed.c made and that have an `enable`
 * waiting. The result is made with asn1/ and crypto/ alone; nothing of eim/ is used. Only acknowledged results (BF53) count. */
#include "asn1/sgp32.h"
#include "crypto/key.h"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
    struct sockaddr_in to;
    SSL_CTX *tls;
    struct private_key *key;
    int64_t next, last;                            /* device numbers still to be done; touched atomically */
    int64_t done, refused, errors;
    double deadline;
} run;

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

/* One POST; the reply's body in `buf`. False when the connection is of no more use or the status is not 200. */
static bool post(SSL *s, struct slice body, uint8_t *buf, size_t room, struct slice *reply)
{
    char head[256];
    uint8_t out[8192];
    int n = snprintf(head, sizeof head, "POST /gsma/rsp2/asn1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-gsma-rsp-asn1\r\n"
                     "X-Admin-Protocol: gsma/rsp/v2.1.0\r\nContent-Length: %zu\r\n\r\n", body.n);
    if ((size_t)n + body.n > sizeof out) return false;
    memcpy(out, head, (size_t)n);
    memcpy(out + n, body.p, body.n);
    if (SSL_write(s, out, n + (int)body.n) <= 0) return false;
    size_t have = 0;
    for (;;) {
        int got = SSL_read(s, buf + have, (int)(room - 1 - have));
        if (got <= 0) return false;
        have += (size_t)got;
        buf[have] = 0;
        char *end = strstr((char *)buf, "\r\n\r\n");
        if (!end) continue;
        char *length = strcasestr((char *)buf, "\r\nContent-Length:");
        size_t want = length && length < end ? strtoul(length + 17, NULL, 10) : 0, at = (size_t)(end + 4 - (char *)buf);
        if (at + want > room - 1) return false;
        if (have < at + want) continue;
        *reply = (struct slice){ buf + at, want };
        return !strncmp((char *)buf, "HTTP/1.1 200", 12);
    }
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

static bool trip(SSL *s, int64_t i, struct arena *a)
{
    uint8_t poll[21] = { 0xbf, 0x4f, 0x12, 0x5a, 0x10 }, buf[8192];
    struct slice reply;
    struct err e = { 0 };
    struct esipa_from_eim m;
    eid_number(i, poll + 5);
    if (!post(s, (struct slice){ poll, sizeof poll }, buf, sizeof buf, &reply)) return false;
    if (der_decode(&esipa_from_eim_type, reply, &m, a, &e) != OK ||
        m.der.which != esipa_from_eim_is_get_eim_package_response ||
        m.get_eim_package_response.der.which != get_eim_package_response_is_euicc_package_request) {
        __atomic_add_fetch(&run.refused, 1, __ATOMIC_RELAXED);
        return true;
    }
    struct slice body = result_for(&m.get_eim_package_response.euicc_package_request.euicc_package_signed, (struct slice){ poll + 5, 16 }, a);
    uint8_t answer[1024];
    if (!body.p || !post(s, body, answer, sizeof answer, &reply)) return false;
    bool acked = reply.n > 5 && reply.p[0] == 0xbf && reply.p[1] == 0x50 && reply.p[3] == 0xbf && reply.p[4] == 0x53;
    __atomic_add_fetch(acked ? &run.done : &run.refused, 1, __ATOMIC_RELAXED);
    return true;
}

static void *work(void *arg)
{
    struct arena a;
    (void)arg;
    arena_init(&a, 1 << 20);
    SSL *s = dial();
    while (s && seconds() < run.deadline) {
        int64_t i = __atomic_fetch_add(&run.next, 1, __ATOMIC_RELAXED);
        if (i >= run.last) break;
        arena_reset(&a);
        if (trip(s, i, &a)) continue;
        __atomic_add_fetch(&run.errors, 1, __ATOMIC_RELAXED);
        hang_up(s);
        s = dial();
    }
    hang_up(s);
    arena_free(&a);
    return NULL;
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
    int threads = (int)strtol(argv[5], NULL, 10);
    pthread_t t[256];
    signal(SIGPIPE, SIG_IGN);
    run.to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(argv[1], NULL, 10)), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    run.tls = SSL_CTX_new(TLS_client_method());
    if (!run.tls || private_key_load(&run.key, argv[2], &e) != OK) {
        fprintf(stderr, "roundtrip: %s\n", e.why);
        return 1;
    }
    run.next = strtoll(argv[3], NULL, 10);
    run.last = run.next + strtoll(argv[4], NULL, 10);
    const char *pid = argc > 7 ? argv[7] : NULL;
    double cpu = pid ? cpu_of(pid) : 0, start = seconds();
    run.deadline = start + strtod(argv[6], NULL);
    if (threads > 256) threads = 256;
    for (int i = 0; i < threads; i++) pthread_create(&t[i], NULL, work, NULL);
    for (int i = 0; i < threads; i++) pthread_join(t[i], NULL);
    double took = seconds() - start;
    cpu = pid ? cpu_of(pid) - cpu : 0;
    printf("round_trips %lld refused %lld errors %lld seconds %.2f per_s %.0f server_cpu_us %.1f next %lld\n", (long long)run.done,
           (long long)run.refused, (long long)run.errors, took, (double)run.done / took, run.done ? cpu * 1e6 / (double)run.done : 0,
           (long long)run.next);
    private_key_free(run.key);
    SSL_CTX_free(run.tls);
    return run.errors || run.refused || !run.done;
}
