/* cmd_smdp.c -- `eimsim smdp`: the simulated SM-DP+ over HTTPS, on 127.0.0.1.
 *
 * With --es2 an operator orders from it, over mutual TLS on a port of its own; the certificates in that file are the operators'. Prints
 * the address that activation codes must name, serves until SIGTERM or SIGINT, then prints what happened. Two paths are for
 * tests and are no part of ES9+: GET /state tells what happened so far, POST /fault/FUNCTION/FAULT makes it go wrong from now on. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/file.h"
#include "net/http.h"
#include "net/loop.h"
#include "crypto/cert.h"
#include "net/tls.h"
#include "sim/cmd.h"
#include "sim/smdp.h"

enum { LOOPS = 4, HELD_MAX = 256, ADDRESS_MAX = 300, ES2_MAX = 64 * 1024 };

struct serving {
    struct sim_smdp *dp;
    char address[ADDRESS_MAX];
    pthread_mutex_t lock;              /* of all below */
    struct http_exchange *held[HELD_MAX];                /* requests that get no answer, until the end */
    unsigned n_held;
    struct slice operators;            /* PEM: who may order; read only */
};

struct smdp_options {
    const char *pki, *host, *matching, *confirm, *prefix, *event, *event_id, *es2;
    uint64_t port, package, seed, loops;
};

/* ---- serving ------------------------------------------------------------------------------------------------- */

static struct slice state_json(struct sim_smdp *dp, struct arena *a)
{
    struct sim_smdp_counts n = sim_smdp_counts(dp);
    struct buf b;
    buf_init(&b, 4096);
    buf_str(&b, "{\"calls\":{");
    for (unsigned i = 0; i < SIM_ES9_FUNCTIONS; i++)
        buf_printf(&b, "%s\"%s\":%llu", i ? "," : "", sim_es9_names[i], (unsigned long long)n.calls[i]);
    buf_printf(&b, "},\"refused\":%llu,\"packages\":%llu,\"cancelled\":%llu,\"installed\":%llu,\"failed\":%llu,\"others\":%llu,"
               "\"unverified\":%llu,\"ordered\":%llu,\"last_reason\":%lld}\n", (unsigned long long)n.refused, (unsigned long long)n.packages,
               (unsigned long long)n.cancelled, (unsigned long long)n.installed, (unsigned long long)n.failed, (unsigned long long)n.others,
               (unsigned long long)n.unverified, (unsigned long long)n.ordered, (long long)n.last_reason);
    struct slice s = arena_copy(a, buf_slice(&b));
    buf_free(&b);
    return s;
}

/* /fault/FUNCTION/FAULT */
static int set_fault(struct sim_smdp *dp, const char *rest)
{
    const char *slash = strchr(rest, '/');
    if (!slash)
        return 404;
    enum sim_smdp_fault fault = sim_smdp_fault_named(slash + 1);
    for (unsigned i = 0; i < SIM_ES9_FUNCTIONS && fault != SIM_SMDP_FAULT_COUNT; i++)
        if (strlen(sim_es9_names[i]) == (size_t)(slash - rest) && strncmp(sim_es9_names[i], rest, (size_t)(slash - rest)) == 0) {
            sim_smdp_go_wrong(dp, i, fault);
            return 204;
        }
    return 404;
}

/* The exchange is kept unanswered; false: no more fit. */
static bool hold(struct serving *s, struct http_exchange *x)
{
    pthread_mutex_lock(&s->lock);
    bool room = s->n_held < HELD_MAX;
    if (room)
        s->held[s->n_held++] = x;
    pthread_mutex_unlock(&s->lock);
    return room;
}

/* On the loop thread: a simulator may compute, and be slow, there. */
static void handle(void *arg, struct http_exchange *x)
{
    struct serving *s = arg;
    struct http_reply reply = { .content_type = "application/json;charset=UTF-8" };
    struct buf b;
    bool post = strcmp(x->req.method, "POST") == 0;
    buf_init(&b, SIM_SMDP_HUGE + (1 << 20));
    if (!post && strcmp(x->req.path, "/state") == 0) {
        reply.status = 200;
        reply.body = state_json(s->dp, x->arena);
    } else if (!post) {
        reply.status = 405;
    } else if (strncmp(x->req.path, "/fault/", 7) == 0) {
        reply.status = set_fault(s->dp, x->req.path + 7);
    } else {
        reply.status = sim_smdp_post(s->dp, x->req.path, x->req.body, &b);
        reply.body = arena_copy(x->arena, buf_slice(&b));
        if (reply.body.n != b.n)
            reply.status = 500;
    }
    buf_free(&b);
    if (reply.status == 0 && hold(s, x))
        return;
    reply.status = reply.status ? reply.status : 503;
    http_reply_send(x, &reply);
}

/* The operator's side. */
static void handle_es2(void *arg, struct http_exchange *x)
{
    struct serving *s = arg;
    struct http_reply reply = { .content_type = "application/json;charset=UTF-8", .status = 403 };
    struct buf b;
    buf_init(&b, ES2_MAX);
    if (cert_pem_has(s->operators, x->req.client))
        reply.status = strcmp(x->req.method, "POST") == 0 ? sim_smdp_es2(s->dp, x->req.path, x->req.body, &b) : 405;
    reply.body = arena_copy(x->arena, buf_slice(&b));
    if (reply.body.n != b.n)
        reply.status = 500;
    buf_free(&b);
    http_reply_send(x, &reply);
}

static void let_go(struct serving *s)
{
    for (unsigned i = 0; i < s->n_held; i++)
        http_reply_status(s->held[i], 503);
    s->n_held = 0;
}

/* ---- TLS ----------------------------------------------------------------------------------------------------- */

/* net/tls.h reads files: the certificate and its key go into a folder that is gone when TLS has them. */
static enum eim_err tls_of(struct tls_server **tls, const struct sim_smdp *dp, bool ask_client, struct env *env, struct err *e)
{
    char dir[] = "/tmp/eimsim-smdp-XXXXXX", cert[64], key[64];
    const struct private_key *k;
    struct arena a;
    struct slice pem = { 0 };
    if (!mkdtemp(dir))
        return fail(e, E_IO, NULL, "no folder in /tmp");
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    arena_init(&a, 1 << 16);
    struct slice der = sim_smdp_tls(dp, &k);
    enum eim_err rc = cert_to_pem(der, &pem, &a, e);
    rc = rc ? rc : file_write_new(cert, 0600, pem, e);
    rc = rc ? rc : private_key_save(k, key, e);
    bool brainpool = private_key_curve(k) == CURVE_BRAINPOOLP256R1;
    struct tls_config t = { .cert_file = brainpool ? NULL : cert, .key_file = brainpool ? NULL : key,
                            .bp_cert_file = brainpool ? cert : NULL, .bp_key_file = brainpool ? key : NULL, .ask_client = ask_client, .env = env };
    rc = rc ? rc : tls_server_new(tls, &t, e);
    arena_free(&a);
    unlink(cert);
    unlink(key);
    rmdir(dir);
    return rc;
}

/* The port is known only when the socket is there, and the address only then: so the SM-DP+ is made in between, on a free port found before. */
static enum eim_err open_all(struct serving *s, const struct smdp_options *o, struct sim_smdp_config *c, struct loops *loops,
                             struct tls_server **tls, struct http_server **server, struct err *e)
{
    struct http_config h = { .address = "127.0.0.1", .port = (int)o->port, .env = c->env, .handle = handle, .arg = s, .body_bytes = 1 << 20,
                             .always_header = "X-Admin-Protocol: gsma/rsp/v2.1.0", .arena_bytes = 2 * (size_t)SIM_SMDP_HUGE };
    if (h.port == 0) {                 /* ask for one, and take it anew with TLS */
        TRY(http_listen(server, loops, &h, e));
        h.port = http_server_port(*server);
        http_server_free(*server);
        *server = NULL;
    }
    snprintf(s->address, sizeof s->address, "%s:%d", o->host, h.port);
    c->address = s->address;
    TRY(sim_smdp_new(&s->dp, c, e));
    TRY(tls_of(tls, s->dp, false, c->env, e));
    h.tls = *tls;
    return http_listen(server, loops, &h, e);
}

static enum eim_err open_es2(struct serving *s, const struct smdp_options *o, struct env *env, struct loops *loops, struct tls_server **tls,
                             struct http_server **server, struct arena *a, struct err *e)
{
    struct http_config h = { .address = "127.0.0.1", .env = env, .handle = handle_es2, .arg = s };
    size_t n;
    uint8_t *pem = arena_alloc(a, CERT_PEM_LIST_MAX);
    if (!o->es2)
        return OK;
    if (!pem)
        return fail(e, E_NOMEM, NULL, "no memory for certificates");
    TRY(file_read(o->es2, false, pem, CERT_PEM_LIST_MAX, &n, e));
    s->operators = slice_of(pem, n);
    TRY(tls_of(tls, s->dp, true, env, e));
    h.tls = *tls;
    return http_listen(server, loops, &h, e);
}

static int serve(const struct smdp_options *o, struct sim_smdp_config *c, const sigset_t *signals)
{
    struct serving s = { .dp = NULL };
    struct loops *loops = NULL;
    struct tls_server *tls = NULL, *es2_tls = NULL;
    struct http_server *server = NULL, *es2 = NULL;
    struct err e = { 0 };
    struct arena kept;
    arena_init(&kept, 2 * CERT_PEM_LIST_MAX);
    pthread_mutex_init(&s.lock, NULL);
    enum eim_err rc = loops_start(&loops, (int)o->loops, &e);
    rc = rc ? rc : open_all(&s, o, c, loops, &tls, &server, &e);
    rc = rc ? rc : open_es2(&s, o, c->env, loops, &es2_tls, &es2, &kept, &e);
    if (rc == OK) {
        int number;
        struct arena a;
        printf("SM-DP+ %s", s.address);
        if (es2)
            printf(" es2plus=127.0.0.1:%d", http_server_port(es2));
        printf("\n");
        fflush(stdout);
        while (sigwait(signals, &number) != 0)
            ;
        arena_init(&a, 8192);
        struct slice state = state_json(s.dp, &a);
        fwrite(state.p, 1, state.n, stdout);
        arena_free(&a);
    }
    let_go(&s);
    http_server_free(es2);
    http_server_free(server);
    tls_server_free(es2_tls);
    tls_server_free(tls);
    loops_stop(loops);
    arena_free(&kept);
    sim_smdp_free(s.dp);
    pthread_mutex_destroy(&s.lock);
    return rc == OK ? 0 : cmd_failed(&e);
}

int cmd_smdp(int argc, char **argv)
{
    static const struct option options[] = {
        { "pki", 1, NULL, 'p' }, { "listen", 1, NULL, 'l' }, { "host", 1, NULL, 'h' }, { "matching-id", 1, NULL, 'm' },
        { "confirm", 1, NULL, 'c' }, { "package", 1, NULL, 'b' }, { "seed", 1, NULL, 's' }, { "prefix", 1, NULL, 'x' },
        { "loops", 1, NULL, 'o' }, { "event", 1, NULL, 'e' }, { "event-id", 1, NULL, 'i' }, { "es2", 1, NULL, '2' }, { 0 },
    };
    struct smdp_options o = { .host = "localhost", .prefix = "8949003", .package = 20000, .seed = 1, .loops = LOOPS, .event_id = "" };
    struct sim_pki pki;
    struct env env;
    struct err e = { 0 };
    sigset_t signals;
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p': o.pki = optarg; break;
        case 'l': good = cmd_number("--listen", optarg, 65535, &o.port); break;
        case 'h': o.host = optarg; good = strlen(optarg) < 254; break;
        case 'm': o.matching = optarg; break;
        case 'c': o.confirm = optarg; break;
        case 'b': good = cmd_number("--package", optarg, 1 << 20, &o.package); break;
        case 's': good = cmd_number("--seed", optarg, UINT64_MAX, &o.seed); break;
        case 'o': good = cmd_number("--loops", optarg, LOOPS_MAX, &o.loops) && o.loops; break;
        case 'e': o.event = optarg; break;
        case 'i': o.event_id = optarg; break;
        case '2': o.es2 = optarg; break;
        case 'x': o.prefix = optarg; good = strlen(optarg) < 13; break;
        default: good = false;
        }
    }
    if (!good || !o.pki || optind != argc)
        return cmd_misused("smdp");
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    env_real(&env);
    if (sim_pki_load(&pki, o.pki, &e) != OK)
        return cmd_failed(&e);
    struct sim_smdp_config c = { .pki = &pki, .env = &env, .iccid_prefix = o.prefix, .spn = "Operator C", .profile_name = "C IoT",
                                 .only_matching_id = o.matching, .confirmation_code = o.confirm, .package = o.package, .seed = o.seed,
                                 .event_server = o.event, .event_id = o.event_id };
    int status = serve(&o, &c, &signals);
    sim_pki_free(&pki);
    return status;
}
