/* load.c -- a load generator: HTTPS POSTs over OpenSSL and epoll, one thread, and what they cost the server.
 *
 * It shares no code with the server that it measures, and does not care whether that is eimd or nginx. Three modes: one
 * connection for many requests, a full handshake for each request, a resumed one for each. The server's cost is the CPU
 * time of the processes named with --server-pid (all threads), by /proc/PID/stat, over the measured requests. A warm-up
 * before is not counted. Certificates are not checked. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNS_MAX = 20000, BODY_MAX = 1 << 20, HEAD_MAX = 4096, REPLY_MAX = 1 << 20, PIDS_MAX = 64, EID_BYTES = 16,
    SUB = 64, BUCKETS = 40 * SUB,      /* latencies: SUB steps for each power of two */
    ERRORS_IN_A_ROW = 1000,
};

enum mode { KEEPALIVE, FULL, RESUMED };
enum state { HANDSHAKE, SEND, RECV };

struct load {
    enum mode mode;                    /* configuration */
    int connections;
    double seconds, warmup;
    uint64_t requests;                 /* 0: by time */
    char *host;
    const char *path, *port;
    struct sockaddr_in to;
    long pids[PIDS_MAX];
    int n_pids;
    bool sequential;
    uint8_t *request;                  /* head and body */
    size_t request_n, head_n;
    size_t eid_at;                     /* offset in the request; 0: none */
    uint8_t (*eids)[EID_BYTES];
    size_t n_eids;
    SSL_CTX *ctx;                      /* state */
    int epoll;
    uint64_t next_eid, seed, started_requests;
    bool measuring, over;
    int errors_in_a_row;
    uint64_t done, errors, full, resumed, bytes, status[6], buckets[BUCKETS];
};

struct conn {
    struct load *l;
    enum state state;
    int fd;
    SSL *ssl;
    SSL_SESSION *session;
    int64_t since;
    uint8_t *out;
    size_t sent, got;
    char in[16384];                    /* the head of the reply; of the body only the length counts */
    size_t in_n, expect;
    bool head_done, bye;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(2);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t bucket_of(int64_t us)
{
    uint64_t v = us < 1 ? 1 : (uint64_t)us;
    int top = 63 - __builtin_clzll(v);
    size_t i = top < 6 ? (size_t)v : (size_t)(top - 5) * SUB + (size_t)((v >> (top - 6)) & (SUB - 1));
    return i < BUCKETS ? i : BUCKETS - 1;
}

static double bucket_us(size_t i)
{
    return i < SUB ? (double)i : (double)((i % SUB + SUB) << (i / SUB - 1));
}

static double percentile(const struct load *l, double share)
{
    uint64_t want = (uint64_t)(share * (double)l->done), seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        if ((seen += l->buckets[i]) > want) return bucket_us(i);
    return 0;
}

/* CPU seconds of the server's processes. */
static double server_cpu(const struct load *l)
{
    double sum = 0;
    for (int i = 0; i < l->n_pids; i++) {
        char name[64], line[1024];
        snprintf(name, sizeof name, "/proc/%ld/stat", l->pids[i]);
        FILE *f = fopen(name, "r");
        if (!f || !fgets(line, sizeof line, f)) die(name, "no such process");
        fclose(f);
        char *p = strrchr(line, ')');
        unsigned long user, sys;
        if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2) die(name, "not understood");
        sum += (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
    }
    return sum;
}

static uint64_t rnd(struct load *l)    /* xorshift64*: the same requests in each run */
{
    l->seed ^= l->seed >> 12;
    l->seed ^= l->seed << 25;
    l->seed ^= l->seed >> 27;
    return l->seed * 0x2545f4914f6cdd1dULL;
}

static void fill_request(struct conn *c)
{
    struct load *l = c->l;
    if (!l->eid_at) return;
    size_t i = (size_t)(l->sequential ? l->next_eid++ : rnd(l)) % l->n_eids;
    memcpy(c->out + l->eid_at, l->eids[i], EID_BYTES);
}

static void begin_request(struct conn *c)
{
    fill_request(c);
    c->state = SEND;
    c->sent = c->in_n = c->got = c->expect = 0;
    c->head_done = c->bye = false;
    if (c->l->requests && c->l->measuring && c->l->started_requests++ >= c->l->requests) c->l->over = true;
}

static void connect_to(struct conn *c)
{
    struct load *l = c->l;
    static const int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&l->to, sizeof l->to) < 0 && errno != EINPROGRESS) die("connect", strerror(errno));
    c->ssl = SSL_new(l->ctx);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) die("TLS", "no memory");
    SSL_set_tlsext_host_name(c->ssl, l->host);
    SSL_set_connect_state(c->ssl);
    SSL_set_app_data(c->ssl, c);
    if (l->mode == RESUMED && c->session) SSL_set_session(c->ssl, c->session);
    c->state = HANDSHAKE;
    c->since = now_us();
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0) die("epoll", strerror(errno));
}

static void hang_up(struct conn *c, bool failed)
{
    if (!failed) SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    ERR_clear_error();
    if (failed) {
        c->l->errors++;
        if (++c->l->errors_in_a_row > ERRORS_IN_A_ROW) die(c->l->host, "too many errors in a row");
    }
    connect_to(c);
}

static int new_session(SSL *ssl, SSL_SESSION *s)
{
    struct conn *c = SSL_get_app_data(ssl);
    if (c->l->mode != RESUMED) return 0;
    SSL_SESSION_free(c->session);
    c->session = s;
    return 1;
}

static void count(struct conn *c)
{
    struct load *l = c->l;
    int64_t now = now_us();
    int status = (int)strtol(c->in + 9, NULL, 10);
    l->errors_in_a_row = 0;
    if (l->measuring && !l->over) {
        l->done++;
        l->bytes += c->got;
        l->status[status / 100 < 6 ? status / 100 : 0]++;
        l->buckets[bucket_of(now - c->since)]++;
        if (l->mode != KEEPALIVE && SSL_session_reused(c->ssl)) l->resumed++;
        else if (l->mode != KEEPALIVE) l->full++;
    }
    c->since = now;
}

/* The head has come: how long is the body? */
static bool read_head(struct conn *c)
{
    c->in[c->in_n] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return c->in_n < sizeof c->in - 1;
    if (strncmp(c->in, "HTTP/1.1 ", 9) != 0) return false;
    char *length = strcasestr(c->in, "\r\nContent-Length:");
    c->bye = strcasestr(c->in, "\r\nConnection: close") != NULL;
    c->expect = (size_t)(end + 4 - c->in) + (length && length < end ? (size_t)strtoul(length + 17, NULL, 10) : 0);
    c->head_done = true;
    return c->expect < REPLY_MAX;
}

/* 1: a reply is complete; 0: wait; -1: broken. */
static int receive(struct conn *c)
{
    char sink[16384];
    while (!c->head_done || c->got < c->expect) {
        char *p = c->head_done ? sink : c->in + c->in_n;
        size_t room = c->head_done ? sizeof sink : sizeof c->in - 1 - c->in_n, n;
        int r = SSL_read_ex(c->ssl, p, room, &n);
        if (r != 1) return SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ ? 0 : -1;
        c->got += n;
        if (c->head_done) continue;
        c->in_n += n;
        if (!read_head(c)) return -1;
    }
    return c->got == c->expect ? 1 : -1;
}

static void drive(struct conn *c)
{
    struct load *l = c->l;
    for (;;) {
        int r;
        size_t n;
        switch (c->state) {
        case HANDSHAKE:
            r = SSL_do_handshake(c->ssl);
            if (r != 1) {
                int err = SSL_get_error(c->ssl, r);
                if (err != SSL_ERROR_WANT_READ && err != SSL_ERROR_WANT_WRITE) hang_up(c, true);
                return;
            }
            begin_request(c);
            break;
        case SEND:
            r = SSL_write_ex(c->ssl, c->out + c->sent, l->request_n - c->sent, &n);
            if (r != 1) {
                if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_WRITE) hang_up(c, true);
                return;
            }
            if ((c->sent += n) == l->request_n) c->state = RECV;
            break;
        case RECV:
            r = receive(c);
            if (r < 0) hang_up(c, true);
            if (r <= 0) return;
            count(c);
            if (l->mode != KEEPALIVE || c->bye) {
                hang_up(c, false);
                return;
            }
            begin_request(c);
            break;
        }
    }
}

static void run(struct load *l, struct conn *conns)
{
    struct epoll_event ev[512];
    for (int i = 0; i < l->connections; i++) connect_to(&conns[i]);
    int64_t begin = now_us(), warm = begin + (int64_t)(l->warmup * 1e6), end = INT64_MAX, start = 0;
    double cpu = 0;
    while (!l->over && now_us() < end) {
        int n = epoll_wait(l->epoll, ev, 512, 100);
        for (int i = 0; i < n; i++) drive(ev[i].data.ptr);
        if (l->measuring || now_us() < warm) continue;
        l->measuring = true;
        l->errors = 0;
        cpu = server_cpu(l);
        start = now_us();
        if (!l->requests) end = start + (int64_t)(l->seconds * 1e6);
    }
    double took = (double)(now_us() - start) / 1e6;
    cpu = server_cpu(l) - cpu;
    static const char *const names[] = { "keepalive", "full", "resumed" };
    printf("mode=%s connections=%d requests=%llu seconds=%.2f rate=%.0f p50_us=%.0f p99_us=%.0f errors=%llu", names[l->mode],
           l->connections, (unsigned long long)l->done, took, (double)l->done / took, percentile(l, 0.5), percentile(l, 0.99),
           (unsigned long long)l->errors);
    for (int i = 1; i < 6; i++) printf(" status_%dxx=%llu", i, (unsigned long long)l->status[i]);
    printf(" handshakes_full=%llu handshakes_resumed=%llu bytes_each=%.0f", (unsigned long long)l->full, (unsigned long long)l->resumed,
           l->done ? (double)l->bytes / (double)l->done : 0.0);
    if (l->n_pids) printf(" server_cpu_us=%.2f server_cores=%.2f", l->done ? cpu * 1e6 / (double)l->done : 0.0, cpu / took);
    printf("\n");
}

/* Requests. */

static void put_digits(uint8_t out[EID_BYTES], const char *digits)
{
    for (int i = 0; i < EID_BYTES; i++) out[i] = (uint8_t)((digits[2 * i] - '0') << 4 | (digits[2 * i + 1] - '0'));
}

static void load_eids(struct load *l, const char *name)
{
    FILE *f = fopen(name, "r");
    char line[128];
    size_t room = 0;
    if (!f) die(name, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        if (strspn(line, "0123456789") != 32) die(name, "not an EID of 32 digits");
        if (l->n_eids == room) l->eids = realloc(l->eids, (room = room ? room * 2 : 1024) * sizeof *l->eids);
        if (!l->eids) die(name, "no memory");
        put_digits(l->eids[l->n_eids++], line);
    }
    fclose(f);
}

/* n EIDs that follow on the 30 digits, with their check digits (the whole mod 97 is 1). */
static void make_eids(struct load *l, const char *first, size_t n)
{
    char digits[33];
    if (strlen(first) != 30 || strspn(first, "0123456789") != 30) die("--eid-first", "30 digits are needed");
    memcpy(digits, first, 31);
    l->eids = calloc(n, sizeof *l->eids);
    if (!l->eids) die("--eid-count", "no memory");
    for (l->n_eids = 0; l->n_eids < n; l->n_eids++) {
        unsigned rest = 0;
        for (int i = 0; i < 30; i++) rest = (rest * 10 + (unsigned)(digits[i] - '0')) % 97;
        snprintf(digits + 30, 3, "%02u", (98 - rest * 100 % 97) % 100);
        put_digits(l->eids[l->n_eids], digits);
        for (int i = 29; i >= 0 && ++digits[i] > '9'; i--) digits[i] = '0';
    }
}

/* Hex digits with at most one "{eid}". Returns the bytes; *at is the EID's place or SIZE_MAX. */
static size_t parse_template(const char *s, uint8_t *out, size_t *at)
{
    size_t n = 0;
    *at = SIZE_MAX;
    while (*s) {
        unsigned byte;
        if (n + EID_BYTES > BODY_MAX) die("--template", "too long");
        if (strncmp(s, "{eid}", 5) == 0 && *at == SIZE_MAX) {
            *at = n;
            n += EID_BYTES;
            s += 5;
        } else if (strspn(s, "0123456789abcdefABCDEF") >= 2 && sscanf(s, "%2x", &byte) == 1) {
            out[n++] = (uint8_t)byte;
            s += 2;
        } else die("--template", "hex digits and one {eid} are allowed");
    }
    return n;
}

static size_t read_file(const char *name, uint8_t *out)
{
    FILE *f = fopen(name, "rb");
    if (!f) die(name, strerror(errno));
    size_t n = fread(out, 1, BODY_MAX, f);
    if (!feof(f)) die(name, "too large");
    fclose(f);
    return n;
}

static void make_request(struct load *l, const uint8_t *body, size_t n, size_t at, const char *headers)
{
    l->request = malloc(HEAD_MAX + n);
    if (!l->request) die("request", "no memory");
    int head = snprintf((char *)l->request, HEAD_MAX,
                        "POST %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: gsma-rsp-ipad\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\n"
                        "%sContent-Length: %zu\r\n\r\n", l->path, l->host, l->port, headers, n);
    if (head < 0 || head >= HEAD_MAX) die("--header", "too long");
    memcpy(l->request + head, body, n);
    l->head_n = (size_t)head;
    l->request_n = (size_t)head + n;
    if (at != SIZE_MAX) l->eid_at = l->head_n + at;
    if (l->eid_at && !l->n_eids) die("--template", "{eid} needs --eids or --eid-first");
}

static void make_ctx(struct load *l, bool tls12)
{
    l->ctx = SSL_CTX_new(TLS_client_method());
    if (!l->ctx) die("TLS", "no memory");
    SSL_CTX_set_verify(l->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(l->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(l->ctx, 1);
    SSL_CTX_set_session_cache_mode(l->ctx, l->mode == RESUMED ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(l->ctx, new_session);
    SSL_CTX_set_min_proto_version(l->ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    if (tls12) SSL_CTX_set_max_proto_version(l->ctx, TLS1_2_VERSION);
}

static const char usage[] =
    "usage: load [options] HOST:PORT/PATH        (HOST is a numeric IPv4 address)\n"
    "  --mode M           keepalive (default), full or resumed: a handshake for each request\n"
    "  --connections N    at a time (default 64)\n"
    "  --seconds T        measure so long (default 5), or\n"
    "  --requests N       measure so many\n"
    "  --warmup T         before, uncounted (default 1)\n"
    "  --body FILE        what to post, or\n"
    "  --template HEX     with {eid} where 16 bytes of an EID belong\n"
    "  --eids FILE        one EID of 32 digits a line, or\n"
    "  --eid-first D      30 digits; the EIDs count up from there, check digits are added\n"
    "  --eid-count N      how many (default 1)\n"
    "  --sequential       EIDs in order (default: random, the same in each run)\n"
    "  --header H         an additional header line; may be repeated\n"
    "  --type T           Content-Type (default application/x-gsma-rsp-asn1)\n"
    "  --tls12            TLS 1.2 (default 1.3)\n"
    "  --server-pid P     print the CPU time of this process for each request; may be repeated\n";

static void parse_target(struct load *l, char *target)
{
    char *colon = strchr(target, ':'), *slash = strchr(target, '/');
    if (!colon || !slash || slash < colon) die(target, "HOST:PORT/PATH is needed");
    l->path = strdup(slash);
    *slash = *colon = 0;
    l->host = target;
    l->port = colon + 1;
    l->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(l->port, NULL, 10)) };
    if (inet_pton(AF_INET, l->host, &l->to.sin_addr) != 1) die(l->host, "not a numeric IPv4 address");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "mode", 1, 0, 'm' }, { "connections", 1, 0, 'c' }, { "seconds", 1, 0, 't' }, { "requests", 1, 0, 'n' },
        { "warmup", 1, 0, 'w' }, { "body", 1, 0, 'b' }, { "template", 1, 0, 'x' }, { "eids", 1, 0, 'e' },
        { "eid-first", 1, 0, 'f' }, { "eid-count", 1, 0, 'k' }, { "sequential", 0, 0, 's' }, { "header", 1, 0, 'H' },
        { "type", 1, 0, 'T' }, { "tls12", 0, 0, '2' }, { "server-pid", 1, 0, 'p' }, { 0 },
    };
    static struct load l = { .connections = 64, .seconds = 5, .warmup = 1, .seed = 88172645463325252ULL };
    static uint8_t body[BODY_MAX + EID_BYTES];
    static char headers[HEAD_MAX];
    const char *type = "application/x-gsma-rsp-asn1", *eid_first = NULL;
    size_t body_n = 0, at = SIZE_MAX, used = 0, eid_count = 1;
    bool tls12 = false;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'm': l.mode = *optarg == 'f' ? FULL : *optarg == 'r' ? RESUMED : KEEPALIVE; break;
        case 'c': l.connections = (int)strtol(optarg, NULL, 10); break;
        case 't': l.seconds = strtod(optarg, NULL); break;
        case 'n': l.requests = strtoull(optarg, NULL, 10); break;
        case 'w': l.warmup = strtod(optarg, NULL); break;
        case 'b': body_n = read_file(optarg, body); break;
        case 'x': body_n = parse_template(optarg, body, &at); break;
        case 'e': load_eids(&l, optarg); break;
        case 'f': eid_first = optarg; break;
        case 'k': eid_count = strtoull(optarg, NULL, 10); break;
        case 's': l.sequential = true; break;
        case 'H': used += (size_t)snprintf(headers + used, sizeof headers - used, "%s\r\n", optarg); break;
        case 'T': type = optarg; break;
        case '2': tls12 = true; break;
        case 'p': if (l.n_pids < PIDS_MAX) l.pids[l.n_pids++] = strtol(optarg, NULL, 10); break;
        default: fputs(usage, stderr); return 2;
        }
        if (used >= sizeof headers) die("--header", "too long");
    }
    if (optind != argc - 1 || l.connections < 1 || l.connections > CONNS_MAX || !eid_count) {
        fputs(usage, stderr);
        return 2;
    }
    if (eid_first) make_eids(&l, eid_first, eid_count);
    snprintf(headers + used, sizeof headers - used, "Content-Type: %s\r\n", type);
    parse_target(&l, argv[optind]);
    make_request(&l, body, body_n, at, headers);
    make_ctx(&l, tls12);
    signal(SIGPIPE, SIG_IGN);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct conn *conns = calloc((size_t)l.connections, sizeof *conns);
    if (!conns || l.epoll < 0) die("start", "no memory");
    for (int i = 0; i < l.connections; i++) {
        conns[i].l = &l;
        conns[i].out = malloc(l.request_n);
        if (!conns[i].out) die("start", "no memory");
        memcpy(conns[i].out, l.request, l.request_n);
    }
    run(&l, conns);
    return l.done && !l.errors ? 0 : 1;
}
