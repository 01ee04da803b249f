/* cmd_ipa.c -- `eimsim ipa`: one simulated device that the eIM can reach: TransferEimPackage over HTTPS or CoAPS, in both bindings (SGP.32 3.1.1.2).
 *
 * It is device I of the fleet S, as `eimsim enrolment` and `eimsim show` print it. It never calls the eIM by itself. Prints the port it
 * listens on, serves until SIGTERM or SIGINT, and then prints what happened. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "net/coap.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"
#include "sim/cmd.h"
#include "sim/fleet.h"
#include "sim/json.h"
#include "sim/tlv.h"

enum { BLOB_MAX = 64 * 1024 };

struct listening {
    struct sim_device device;
    struct sim_ipa_config config;
    struct sim_counters n;
    pthread_mutex_t lock;              /* one message at a time; guards all above */
};

struct ipa_options {
    const char *pki, *blob, *cert, *key;
    uint64_t seed, device, port;
    bool later, coap;
};

/* ---- serving ------------------------------------------------------------------------------------------------- */

static int answer(struct listening *l, const struct http_request *r, struct slice *body, struct arena *a)
{
    bool json = strcmp(r->path, SIM_JSON_PATH "transferEimPackage") == 0;
    struct slice message = r->body, reply;
    if (strcmp(r->method, "POST") != 0)
        return 405;
    if (!json && strcmp(r->path, "/gsma/rsp2/asn1") != 0)
        return 404;
    if (json && !sim_json_pushed(r->body, &message, a))
        return 400;
    pthread_mutex_lock(&l->lock);
    reply = sim_ipa_inject(&l->device.ipa, message, &l->n, a);
    pthread_mutex_unlock(&l->lock);
    if (reply.n == 0)
        return 400;
    if (tlv_is_bad(reply) || (json && !sim_json_push_answer(reply, &reply, a)))
        return 500;
    *body = reply;
    return 200;
}

/* On the loop thread: a device has nobody else to talk to, so it may compute there. */
static void handle(void *arg, struct http_exchange *x)
{
    bool json = strstr(x->req.path, "/esipa/") != NULL;
    struct http_reply reply = { .content_type = json ? "application/json;charset=UTF-8" : "application/x-gsma-rsp-asn1" };
    reply.status = answer(arg, &x->req, &reply.body, x->arena);
    http_reply_send(x, &reply);
}

static void report(const struct sim_counters *n)
{
    const char *comma = "";
    printf("{");
#define X(name, text) printf("%s\"%s\":%llu", comma, #name, (unsigned long long)n->name), comma = ",";
    SIM_COUNTERS(X)
#undef X
    printf("}\n");
}

static void wait_and_report(struct listening *l, int port, const sigset_t *signals)
{
    int number;
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
    while (sigwait(signals, &number) != 0)
        ;
    report(&l->n);
}

static int serve_coap(struct listening *l, const struct ipa_options *o, const sigset_t *signals, struct err *e)
{
    struct coap_server *server;
    const struct coap_config c = { .port = (int)o->port, .cert_file = o->cert, .key_file = o->key, .handle = handle, .arg = l, .arena_bytes = 4 << 20 };
    enum eim_err rc = coap_server_start(&server, &c, e);
    if (rc == OK)
        wait_and_report(l, coap_server_port(server), signals);
    coap_server_stop(server);
    return rc == OK ? 0 : cmd_failed(e);
}

static int serve(struct listening *l, const struct ipa_options *o, struct env *env, const sigset_t *signals, struct err *e)
{
    struct loops *loops = NULL;
    struct tls_server *tls = NULL;
    struct http_server *server = NULL;
    struct tls_config t = { .cert_file = o->cert, .key_file = o->key, .env = env };
    struct http_config h = { .address = "127.0.0.1", .port = (int)o->port, .env = env, .handle = handle, .arg = l,
                             .always_header = "X-Admin-Protocol: gsma/rsp/v2.1.0", .arena_bytes = 4 << 20 };
    enum eim_err rc = loops_start(&loops, 1, e);
    if (rc == OK)
        rc = tls_server_new(&tls, &t, e);
    h.tls = tls;
    if (rc == OK)
        rc = http_listen(&server, loops, &h, e);
    if (rc == OK)
        wait_and_report(l, http_server_port(server), signals);
    http_server_free(server);
    tls_server_free(tls);
    loops_stop(loops);
    return rc == OK ? 0 : cmd_failed(e);
}

/* ---- setting up ---------------------------------------------------------------------------------------------- */

static bool equip(struct listening *l, struct sim_world *w, const struct ipa_options *o, struct slice blob)
{
    struct arena a;
    arena_init(&a, 8 * BLOB_MAX);
    l->config.inject_later = o->later;
    pthread_mutex_init(&l->lock, NULL);
    sim_device_init(&l->device, w, &l->config, o->seed, o->device);
    bool good = sim_device_associate(&l->device, blob, &a);
    arena_free(&a);
    return good;
}

static int with_files(const struct ipa_options *o, const sigset_t *signals)
{
    struct err e = { 0 };
    struct sim_pki pki;
    struct sim_world w;
    struct env env;
    struct listening l = { 0 };
    uint8_t blob[BLOB_MAX];
    size_t n;
    int status;
    env_real(&env);
    if (sim_pki_load(&pki, o->pki, &e) != OK)
        return cmd_failed(&e);
    sim_world_init(&w, &pki, &env);
    if (file_read(o->blob, false, blob, sizeof blob, &n, &e) != OK)
        status = cmd_failed(&e);
    else {
        bool good = equip(&l, &w, o, slice_of(blob, n));
        if (!good)
            fprintf(stderr, "eimsim: ipa: the card does not take %s\n", o->blob);
        status = !good ? 1 : o->coap ? serve_coap(&l, o, signals, &e) : serve(&l, o, &env, signals, &e);
        sim_device_free(&l.device);
    }
    sim_world_free(&w);
    sim_pki_free(&pki);
    return status;
}

int cmd_ipa(int argc, char **argv)
{
    static const struct option options[] = {
        { "pki", 1, NULL, 'p' }, { "eim-config", 1, NULL, 'e' }, { "seed", 1, NULL, 's' }, { "device", 1, NULL, 'd' },
        { "listen", 1, NULL, 'l' }, { "certificate", 1, NULL, 'c' }, { "key", 1, NULL, 'k' }, { "later", 0, NULL, 'L' },
        { "coap", 0, NULL, 'C' }, { 0 },
    };
    struct ipa_options o = { .seed = 1 };
    sigset_t signals;
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p': o.pki = optarg; break;
        case 'e': o.blob = optarg; break;
        case 's': good = cmd_number("--seed", optarg, UINT64_MAX, &o.seed); break;
        case 'd': good = cmd_number("--device", optarg, SIM_DEVICES_MAX, &o.device); break;
        case 'l': good = cmd_number("--listen", optarg, 65535, &o.port); break;
        case 'c': o.cert = optarg; break;
        case 'k': o.key = optarg; break;
        case 'L': o.later = true; break;
        case 'C': o.coap = true; break;
        default: good = false;
        }
    }
    if (!good || !o.pki || !o.blob || !o.cert || !o.key || optind != argc)
        return cmd_misused("ipa");
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return with_files(&o, &signals);
}
