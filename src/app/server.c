/* server.c -- the wiring of eimd: which part is made from which, and the order of up and down.
 *
 *   (the signer's process) -> loops -> TLS -> the listeners (503 at first) -> privileges dropped -> data directory locked -> store -> identity -> eIM
 *   -> two pools -> janitor -> serving
 *
 * Devices and API have a listener, a queue and a pool of workers each, so neither can starve the other. On the way down the
 * listeners go first and wait for every request under way, while workers and store still run to answer them; then the rest in the
 * order opposite to the way up. */
#include "app/server.h"

#include "app/child.h"
#include "app/init.h"
#include "app/janitor.h"
#include "app/runner.h"
#include "app/system.h"
#include "base/env.h"
#include "base/file.h"
#include "base/log.h"
#include "crypto/cert.h"
#include "crypto/seal.h"
#include "crypto/signer.h"
#include "eim/eim.h"
#include "front/es2plus.h"
#include "front/esipa_asn1.h"
#include "front/esipa_json.h"
#include "front/metrics.h"
#include "front/rest.h"
#include "net/httpc.h"
#include "net/loop.h"
#include "net/outbound.h"
#include "net/coap.h"
#include "net/tls.h"
#include "net/work.h"
#include "store/store.h"
#include "trust/log.h"
#include "vault/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOW_STACK = 512 * 1024 /* a TLS handshake fits */, ARENA_CAP = 1 << 20, READY_MAX = 400, RESTORED_JUMP = 1000, BODY_SLACK = 64 * 1024 };

enum { ORDER_THREADS = 2 };           /* ES2+ calls at once */
/* While the signer is another process: a worker that waits for it computes nothing, and what several wait for is one array with one sync. So
 * there are more of them than device.workers says, each with a snapshot of the store in its hands. */
enum { SIGN_WAITERS = 8, WORKERS_MAX = 256 };

struct server {
    struct server_options options;
    struct env *env;
    struct arena arena;                /* holds this struct too */
    struct conf conf;                  /* as started: texts that the parts borrow */
    pthread_mutex_t lock;              /* guards `now` */
    struct conf now;                   /* as reloaded last */
    int lock_fd;
    bool serving, draining;            /* atomic: the doors are open; the end has begun */
    char ready[READY_MAX];

    struct loops *loops;
    struct tls_server *tls, *es2_tls;
    struct http_server *device_http, *api_http, *es2_http;         /* the last: NULL, not offered */
    struct host host;
    struct child *child;               /* the signer's process; NULL: the keys are here */
    struct note_signer *notes;         /* signs the heads of the audit logs */
    struct audit_log audit;
    struct eim *eim;
    struct work *device_work, *slow_work, *api_work;
    struct coap_server *coap;          /* NULL: not offered */
    struct esipa_door esipa;
    struct es2plus es2plus;
    struct rest rest;
    struct janitor *janitor;
    struct runner *forwarders, *pushers, *orderers;
    int64_t started_us;
};

/* ---- settings ---- */

static enum eim_err put_port(struct conf_address *a, int port, struct err *e)
{
    if (port < 0) return OK;
    if (port > 65535) return fail(e, E_CONF, NULL, "a port is a number from 0 to 65535");
    a->port = (uint16_t)port;
    return OK;
}

enum eim_err server_settings(struct conf *c, const struct server_options *o, struct err *e)
{
    struct arena a;
    arena_init(&a, 8192);
    char *path = system_path(&a, o->data, "eimd.conf");
    enum eim_err rc = path ? conf_read(c, path, e) : fail(e, E_CONF, NULL, "the name of the data directory is too long");
    if (rc == E_NOT_FOUND) {
        *e = (struct err){ 0 };
        rc = fail_field(e, E_NOT_FOUND, NULL, "data", "there is no %s: eimd init --data %s makes one", path, o->data);
    }
    if (rc == OK) rc = put_port(&c->device_listen, o->device_port, e);
    if (rc == OK) rc = put_port(&c->api_listen, o->api_port, e);
    if (rc == OK && !*c->tls_brainpool_certificate != !*c->tls_brainpool_key)
        rc = fail_field(e, E_CONF, NULL, "tls.brainpool_key", "%s: tls.brainpool_certificate and tls.brainpool_key go together", path);
    if (rc == OK && c->device_listen.port && c->device_listen.port == c->api_listen.port)
        rc = fail_field(e, E_CONF, NULL, "api.listen", "%s: device.listen and api.listen never share a port, both are set to %u", path, c->api_listen.port);
    if (rc == OK && *c->store_url && strncmp(c->store_url, "sqlite:", 7) != 0 && strncmp(c->store_url, "postgresql://", 13) != 0
        && strncmp(c->store_url, "postgres://", 11) != 0)
        rc = fail_field(e, E_CONF, NULL, "store.url", "%s: store.url begins with sqlite: or postgresql://", path);
    if (rc != OK) conf_free(c);
    arena_free(&a);
    return rc;
}

static struct eim_settings eim_settings_of(const struct conf *c)
{
    struct eim_settings s = eim_settings_default;
    s.indirect = c->eim_indirect_download;
    s.coap = c->coap_enabled;
    s.calls_max = c->device_slow_workers;
    s.enrol_unknown = c->eim_enrol_unknown;
    s.enrol_per_hour = (unsigned)c->eim_enrol_per_hour;
    s.outcome_timeout_us = c->eim_outcome_timeout;
    s.deliveries_max = (unsigned)c->eim_deliveries_max;
    s.contact_interval_us = c->eim_contact_interval;
    s.auto_interval_us = c->eim_auto_interval;
    s.contact_flush_us = c->eim_contact_flush;
    s.notify_retry_us = c->notify_retry;
    s.notify_retry_max_us = c->notify_retry_max;
    s.notify_give_up_us = c->notify_give_up;
    s.notify_per_address = (unsigned)c->notify_per_address;
    return s;
}

static struct tls_config tls_of(const struct server *s, const struct conf *c, struct arena *a)
{
    struct tls_config t = {
        .cert_file = system_path(a, s->options.data, c->tls_certificate),
        .key_file = system_path(a, s->options.data, c->tls_key),
        .ticket_us = c->tls_ticket_rotation,
        .env = s->env,
    };
    if (*c->tls_brainpool_certificate) {
        t.bp_cert_file = system_path(a, s->options.data, c->tls_brainpool_certificate);
        t.bp_key_file = system_path(a, s->options.data, c->tls_brainpool_key);
    }
    return t;
}

/* ---- what the doors call back ---- */

static enum eim_err ready(void *arg, struct err *e)
{
    struct server *s = arg;
    if (__atomic_load_n(&s->draining, __ATOMIC_RELAXED)) return fail(e, E_BUSY, NULL, "the server is draining");
    return store_ping(s->host.store, e);
}

static void metrics(void *arg, struct buf *out)
{
    struct server *s = arg;
    struct eim_outbox outbox;
    const struct metrics_source m = {
        .eim = s->eim,
        .version = EIMD_VERSION,
        .engine = store_engine(s->host.store),
        .started_us = s->started_us,
        .coap = s->coap,
        .listeners = { { "device", s->device_http, s->device_work }, { "api", s->api_http, s->api_work } },
        .devices = janitor_devices(s->janitor),
        .events = janitor_events(s->janitor),
        .now_us = s->env->now(s->env),
        .has_outbox = janitor_outbox(s->janitor, &outbox),
        .outbox = &outbox,
    };
    metrics_print(&m, out);
}

/* tls_anchor -- what devices are told to trust (tag A6): the last certificate of the listener's chain, which is the leaf itself when it
 * is self-signed, else its nearest CA, so that renewals of the leaf need no new blob. */
static enum eim_err tls_anchor(void *arg, struct slice *der, struct arena *a, struct err *e)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    struct server *s = arg;
    size_t n;
    uint8_t *pem = arena_alloc(a, CERT_PEM_MAX + 1);
    pthread_mutex_lock(&s->lock);
    char *path = system_path(a, s->options.data, s->now.tls_certificate);
    pthread_mutex_unlock(&s->lock);
    if (!pem || !path) return fail(e, E_NOMEM, NULL, "no memory for the certificate");
    TRY(file_read(path, false, pem, CERT_PEM_MAX, &n, e));
    const uint8_t *last = pem;
    for (const uint8_t *p = pem; (p = memmem(p, n - (size_t)(p - pem), begin, sizeof begin - 1)) != NULL; p++) last = p;
    return cert_read(slice_of(last, n - (size_t)(last - pem)), der, a, e);
}

static enum eim_err forward(void *arg, bool *did, struct err *e)
{
    return eim_forward(((struct server *)arg)->eim, did, e);
}

static enum eim_err push(void *arg, bool *did, struct err *e)
{
    return eim_push(((struct server *)arg)->eim, did, e);
}

static enum eim_err order(void *arg, bool *did, struct err *e)
{
    return eim_order(((struct server *)arg)->eim, did, e);
}

static void handle_device(void *arg, struct http_exchange *x)
{
    struct server *s = arg;
    if (!__atomic_load_n(&s->serving, __ATOMIC_ACQUIRE)) http_reply_status(x, 503);
    else if (esipa_json_serves(x->req.path)) esipa_json_handle(&s->esipa, x);
    else esipa_asn1_handle(&s->esipa, x);
}

static void handle_api(void *arg, struct http_exchange *x)
{
    struct server *s = arg;
    if (__atomic_load_n(&s->serving, __ATOMIC_ACQUIRE)) rest_handle(&s->rest, x);
    else http_reply_status(x, 503);
}

static void handle_es2plus(void *arg, struct http_exchange *x)
{
    struct server *s = arg;
    if (__atomic_load_n(&s->serving, __ATOMIC_ACQUIRE)) es2plus_handle(&s->es2plus, x);
    else http_reply_status(x, 503);
}

/* ---- up ---- */

/* SM-DP+ that notify us: a listener of its own, because it asks every client for a certificate. */
static enum eim_err listen_es2plus(struct server *s, struct err *e)
{
    const struct conf *c = &s->conf;
    struct tls_config tls = tls_of(s, c, &s->arena);
    struct http_config es2 = {
        .address = c->es2plus_listen.host, .port = c->es2plus_listen.port, .env = s->env, .handle = handle_es2plus, .arg = s,
        .connections = (int)c->api_connections, .idle_us = c->api_idle_timeout, .request_us = c->api_request_timeout,
    };
    if (!c->es2plus_enabled) return OK;
    tls.ask_client = true;
    TRY(tls_server_new(&s->es2_tls, &tls, e));
    es2.tls = s->es2_tls;
    return http_listen(&s->es2_http, s->loops, &es2, e);
}

static enum eim_err listen_all(struct server *s, struct err *e)
{
    const struct conf *c = &s->conf;
    struct tls_config tls = tls_of(s, c, &s->arena);
    struct http_config device = {
        .address = c->device_listen.host, .port = c->device_listen.port, .env = s->env, .handle = handle_device, .arg = s,
        .always_header = ESIPA_ALWAYS_HEADER, .header_bytes = (size_t)c->device_header_max, .body_bytes = (size_t)c->device_body_max,
        .connections = (int)c->device_connections, .idle_us = c->device_idle_timeout, .request_us = c->device_request_timeout,
    };
    struct http_config api = {
        .address = c->api_listen.host, .port = c->api_listen.port, .env = s->env, .handle = handle_api, .arg = s,
        .header_bytes = (size_t)c->api_header_max, .body_bytes = REST_BODY_MAX + BODY_SLACK, .arena_bytes = REST_ARENA,
        .connections = (int)c->api_connections, .idle_us = c->api_idle_timeout, .request_us = c->api_request_timeout,
    };
    TRY(loops_start(&s->loops, (int)c->server_loops, e));
    TRY(tls_server_new(&s->tls, &tls, e));
    device.tls = api.tls = s->tls;
    TRY(http_listen(&s->device_http, s->loops, &device, e));
    TRY(http_listen(&s->api_http, s->loops, &api, e));
    return listen_es2plus(s, e);
}

static enum eim_err drop(struct server *s, struct err *e)
{
    const char *who;
    TRY(system_drop(s->options.data, s->conf.server_user, &who, &s->arena, e));
    if (who) log_msg(LOG_INFO, "app", "running as %s", who);
    else if (geteuid() == 0) log_msg(LOG_WARN, "app", "running as root: set [server] user, or give the data directory to another user");
    return OK;
}

static enum eim_err raise_counters(struct tx *t, struct store_job *job, struct err *e)
{
    (void)job;
    return store_counters_add(t, RESTORED_JUMP, e);
}

/* The tenant's identity: made at the very first start from the settings, later only compared with them, because eUICCs hold it. */
struct ensure_identity {
    struct store_job job;
    struct server *s;
    struct arena arena;
    bool made, moved, rekeyed;
};

static enum eim_err ensure_identity(struct tx *t, struct store_job *job, struct err *e)
{
    struct ensure_identity *w = (struct ensure_identity *)job;
    const struct conf *c = &w->s->conf;
    struct identity_list list;
    w->made = w->moved = w->rekeyed = false;
    arena_reset(&w->arena);
    TRY(store_identity_list(t, &list, &w->arena, e));
    for (size_t i = 0; i < list.n; i++) {
        struct identity *id = &list.v[i];
        if (id->tenant != 1) continue;
        if (*c->eim_eim_id && !slice_eq(id->eim_id, slice_str(c->eim_eim_id)))
            return fail_field(e, E_CONF, NULL, "eim.eim_id", "eim.eim_id is '%.60s', but eUICCs know this eIM as '%.*s'", c->eim_eim_id,
                              id->eim_id.n > 60 ? 60 : (int)id->eim_id.n, (const char *)id->eim_id.p);
        w->moved = !slice_eq(id->fqdn, slice_str(c->eim_fqdn));
        w->rekeyed = !slice_eq(id->signing_key, slice_str(c->eim_signing_key));
        if (!w->moved && !w->rekeyed) return OK;
        id->fqdn = slice_str(c->eim_fqdn);
        id->signing_key = slice_str(c->eim_signing_key);
        return store_identity_put(t, id, e);
    }
    struct identity id = { .id = env_id(w->s->env), .tenant = 1, .eim_id = slice_str(*c->eim_eim_id ? c->eim_eim_id : c->eim_fqdn),
                           .fqdn = slice_str(c->eim_fqdn), .signing_key = slice_str(c->eim_signing_key) };
    bool digits = strspn(c->eim_eim_id, "0123456789.") == strlen(c->eim_eim_id) && strchr(c->eim_eim_id, '.');
    id.eim_id_type = slice_eq(id.eim_id, id.fqdn) ? 2 : digits ? 1 : 3;        /* FQDN, OID, proprietary */
    w->s->env->random(w->s->env, id.association_key, sizeof id.association_key);
    w->made = true;
    return store_identity_put(t, &id, e);
}

static int device_workers(const struct server *s)
{
    int64_t n = s->child ? s->conf.device_workers * SIGN_WAITERS : s->conf.device_workers;
    return (int)(n < WORKERS_MAX ? n : WORKERS_MAX);
}

static enum eim_err open_store(struct server *s, struct err *e)
{
    const struct conf *c = &s->conf;
    struct store_options o = {
        .url = init_store_url(c, s->options.data, &s->arena),
        .readers = (unsigned)c->store_readers + (s->child ? (unsigned)device_workers(s) : 0), .writers = (unsigned)c->store_writers,
        .queue = (unsigned)c->store_queue, .cache_kib = (unsigned)(c->store_cache / CONF_K),
    };
    if (!o.url) return fail(e, E_NOMEM, NULL, "no memory");
    TRY(store_open(&s->host.store, &o, e));
    if (s->options.restored) {
        struct store_job raise = { .apply = raise_counters };
        TRY(store_run(s->host.store, &raise, e));
        log_msg(LOG_WARN, "app", "restored: every counter was raised by %d", RESTORED_JUMP);
    }
    TRY(init_keep_token(s->options.data, &s->host, &s->arena, e));
    struct ensure_identity ensure = { .job.apply = ensure_identity, .s = s };
    arena_init(&ensure.arena, ARENA_CAP);
    enum eim_err rc = store_run(s->host.store, &ensure.job, e);
    if (rc == OK && ensure.made) log_msg(LOG_INFO, "app", "first start: eUICCs will know this eIM by the settings in [eim]");
    if (rc == OK && ensure.moved) log_msg(LOG_WARN, "app", "the fqdn has changed: eUICCs keep the old one until updateEim");
    if (rc == OK && ensure.rekeyed)
        log_msg(LOG_WARN, "app", "another signing key: devices enrolled from now on have it, the others keep theirs until they are rotated to it");
    arena_free(&ensure.arena);
    return rc;
}

/* The CI roots are the anchors of SM-DP+ that name no others. */
static enum eim_err put_roots(struct server *s, const struct cert_trust *trust, struct err *e)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n", end[] = "\n-----END CERTIFICATE-----\n";
    char b64[4 * ((CERT_MAX + 2) / 3) + 1];
    struct buf pem;
    buf_init(&pem, CERT_ROOTS_MAX * (sizeof b64 + 64));
    for (size_t i = 0; i < cert_trust_count(trust); i++) {
        slice_to_b64(cert_trust_root(trust, i), b64);
        buf_str(&pem, begin);
        for (size_t at = 0, n = strlen(b64); at < n; at += 64) buf_printf(&pem, "%.64s%s", b64 + at, at + 64 < n ? "\n" : "");
        buf_str(&pem, end);
    }
    enum eim_err rc = pem.failed ? fail(e, E_NOMEM, NULL, "no memory for the roots") : outbound_roots(s->host.outbound, buf_slice(&pem), e);
    buf_free(&pem);
    return rc;
}

static enum eim_err open_outbound(struct server *s, struct err *e)
{
    struct outbound_config c = { .allow = s->conf.outbound_allow.v, .n_allow = s->conf.outbound_allow.n,
                                 .credentials = system_path(&s->arena, s->options.data, "es2") };
    TRY(httpc_init(e));
    return outbound_new(&s->host.outbound, &c, e);
}

static enum eim_err open_eim(struct server *s, struct err *e)
{
    struct cert_trust *trust = NULL;
    struct eim_settings set = eim_settings_of(&s->conf);
    char *keys = system_path(&s->arena, s->options.data, "keys"), *roots = system_path(&s->arena, s->options.data, "trust");
    char *codes = system_path(&s->arena, s->options.data, "codes.key");
    if (!keys || !roots || !codes) return fail(e, E_NOMEM, NULL, "no memory");
    TRY(seal_open_file(&s->host.seal, codes, s->env, e));
    if (!s->child) TRY(signer_open_dir(&s->host.signer, keys, e));
    TRY(signer_public(s->host.signer, s->conf.eim_signing_key, NULL, NULL, &s->arena, e));
    TRY(cert_trust_load_dir(&trust, roots, e));
    log_msg(LOG_INFO, "app", "%zu CI roots in %s", cert_trust_count(trust), roots);
    enum eim_err rc = put_roots(s, trust, e);
    if (rc == OK) rc = eim_open(&s->eim, &s->host, &set, trust, e);
    if (rc != OK) cert_trust_free(trust);
    return rc;
}

/* The key of the tree heads stands apart from keys/, whose keys sign packages. Nodes that share a database share it too. */
static enum eim_err open_audit(struct server *s, struct err *e)
{
    char *folder = system_path(&s->arena, s->options.data, "audit"), *key = system_path(&s->arena, s->options.data, "audit/key.pem");
    if (!folder || !key) return fail(e, E_NOMEM, NULL, "no memory");
    if (!s->child) TRY(system_folder(folder, e));
    TRY(s->child ? vault_client_notes(&s->notes, s->host.signer, e) : note_signer_open(&s->notes, key, s->conf.eim_fqdn, e));
    s->audit = (struct audit_log){ .host = &s->host, .signer = s->notes, .name = s->conf.eim_fqdn };
    log_msg(LOG_INFO, "app", "the heads of the audit logs are signed by %s", note_signer_key(s->notes));
    return OK;
}

/* Over CoAP the same messages come as over HTTP. */
static enum eim_err open_coap(struct server *s, struct err *e)
{
    const struct conf *c = &s->conf;
    struct coap_config coap = {
        .address = c->coap_listen.host, .port = c->coap_listen.port, .handle = handle_device, .arg = s,
        .cert_file = system_path(&s->arena, s->options.data, c->tls_certificate), .key_file = system_path(&s->arena, s->options.data, c->tls_key),
        .psk_file = *c->coap_psk ? system_path(&s->arena, s->options.data, c->coap_psk) : NULL,
        .body_bytes = (size_t)c->device_body_max, .sessions = (unsigned)c->coap_sessions, .per_address = (unsigned)c->coap_per_address,
        .idle_us = c->coap_idle_timeout,
    };
    if (!c->coap_enabled) return OK;
    if (!coap.cert_file || !coap.key_file || (*c->coap_psk && !coap.psk_file)) return fail(e, E_NOMEM, NULL, "no memory");
    return coap_server_start(&s->coap, &coap, e);
}

static enum eim_err open_doors(struct server *s, struct err *e)
{
    const struct conf *c = &s->conf;
    struct work_config device = { .threads = device_workers(s), .depth = (size_t)c->device_queue };
    struct work_config api = { .threads = (int)c->api_workers, .depth = (size_t)c->api_queue };
    struct work_config slow = { .threads = (int)c->device_slow_workers, .depth = (size_t)c->device_queue, .stack_bytes = SLOW_STACK };
    TRY(work_start(&s->device_work, &device, e));
    TRY(work_start(&s->slow_work, &slow, e));
    TRY(work_start(&s->api_work, &api, e));
    s->esipa = (struct esipa_door){ .eim = s->eim, .work = s->device_work, .slow = s->slow_work, .env = s->env,
                                      .retry_after_s = (int)(c->device_retry_after / CONF_S) };
    s->es2plus = (struct es2plus){ .eim = s->eim, .work = s->api_work };
    rest_init(&s->rest, &(struct rest_config){
        .host = &s->host, .eim = s->eim, .work = s->api_work, .metrics_from = c->api_metrics_from.v, .n_metrics_from = c->api_metrics_from.n,
        .audit = &s->audit, .arg = s, .ready = ready, .metrics = metrics, .tls_anchor = tls_anchor });
    TRY(janitor_start(&s->janitor, s->eim, &s->host, &s->audit, (unsigned)c->eim_sweep_rows, &s->arena, e));
    janitor_keep(s->janitor, c->events_keep);
    struct runner_config forwarders = { .name = "notify", .threads = (unsigned)c->notify_workers, .work = forward, .arg = s };
    struct runner_config pushers = { .name = "push", .threads = (unsigned)c->push_workers, .work = push, .arg = s };
    TRY(runner_start(&s->forwarders, &forwarders, &s->arena, e));
    TRY(runner_start(&s->pushers, &pushers, &s->arena, e));
    struct runner_config orderers = { .name = "order", .threads = ORDER_THREADS, .work = order, .arg = s };
    TRY(runner_start(&s->orderers, &orderers, &s->arena, e));
    TRY(open_coap(s, e));
    __atomic_store_n(&s->serving, true, __ATOMIC_RELEASE);
    return OK;
}

static void print_address(char *out, size_t room, const struct conf_address *a, int port)
{
    snprintf(out, room, strchr(a->host, ':') ? "[%s]:%d" : "%s:%d", a->host, port);
}

/* announce -- DATA/eimd.addr, so that eimctl finds a port that is not the usual one. Written beside and renamed: never half there. */
static enum eim_err announce(struct server *s, struct err *e)
{
    char device[80], api[80], coap[80] = "", es2[80] = "";
    int device_port, api_port;
    server_ports(s, &device_port, &api_port);
    print_address(device, sizeof device, &s->conf.device_listen, device_port);
    print_address(api, sizeof api, &s->conf.api_listen, api_port);
    if (s->coap) print_address(coap, sizeof coap, &s->conf.coap_listen, coap_server_port(s->coap));
    if (s->es2_http) print_address(es2, sizeof es2, &s->conf.es2plus_listen, http_server_port(s->es2_http));
    snprintf(s->ready, sizeof s->ready, "ready device=%s api=%s%s%s%s%s", device, api, s->coap ? " coap=" : "", coap, s->es2_http ? " es2plus=" : "", es2);
    char *path = system_path(&s->arena, s->options.data, "eimd.addr"), *fresh = system_path(&s->arena, s->options.data, "eimd.addr.new");
    char *line = arena_printf(&s->arena, "%s\n", s->ready);
    if (!path || !fresh || !line) return fail(e, E_NOMEM, NULL, "no memory");
    unlink(fresh);
    TRY(file_write_new(fresh, 0600, slice_str(line), e));
    if (rename(fresh, path) != 0) return fail(e, E_IO, NULL, "%s cannot be written", path);
    log_msg(LOG_INFO, "app", "eimd " EIMD_VERSION " serves devices on %s and the API on %s, store %s", device, api, store_engine(s->host.store));
    return OK;
}

static enum eim_err start(struct server *s, struct err *e)
{
    TRY(server_settings(&s->conf, &s->options, e));
    TRY(server_settings(&s->now, &s->options, e));
    log_set_level((enum log_level)s->conf.log_level);
    TRY(system_check_data(s->options.data, e));
    if (s->conf.signer_process) TRY(system_unlocked(s->options.data, e));
    if (s->conf.signer_process) TRY(child_start(&s->child, &s->host.signer, s->options.data, &s->conf, &s->arena, e));
    if (s->child) TRY(child_watch(s->child, e));
    TRY(listen_all(s, e));
    TRY(drop(s, e));
    TRY(system_lock(s->options.data, &s->lock_fd, e));         /* not before: the file belongs to whom we have become */
    TRY(open_store(s, e));
    TRY(open_outbound(s, e));
    TRY(open_eim(s, e));
    TRY(open_audit(s, e));
    TRY(open_doors(s, e));
    return announce(s, e);
}

enum eim_err server_start(struct server **out, const struct server_options *o, struct env *env, struct err *e)
{
    struct arena arena;
    *out = NULL;
    arena_init(&arena, ARENA_CAP);
    struct server *s = ARENA_NEW(&arena, struct server);
    if (!s) return fail(e, E_NOMEM, NULL, "no memory");
    *s = (struct server){ .options = *o, .env = env, .lock_fd = -1, .host.env = env, .started_us = env->now(env), .arena = arena };
    pthread_mutex_init(&s->lock, NULL);
    enum eim_err rc = start(s, e);
    if (rc == OK) *out = s;
    else server_stop(s);
    return rc;
}

void server_ports(const struct server *s, int *device, int *api)
{
    *device = http_server_port(s->device_http);
    *api = http_server_port(s->api_http);
}

const char *server_ready_line(const struct server *s)
{
    return s->ready;
}

/* ---- reload ---- */

static enum eim_err reload(struct server *s, struct conf *fresh, struct arena *a, struct err *e)
{
    struct tls_config tls = tls_of(s, fresh, a);
    struct cert_trust *trust = NULL;
    struct eim_settings set = eim_settings_of(fresh);
    char *roots = system_path(a, s->options.data, "trust");
    if (!roots) return fail(e, E_NOMEM, NULL, "no memory");
    TRY(cert_trust_load_dir(&trust, roots, e));
    enum eim_err rc = put_roots(s, trust, e);
    if (rc == OK) rc = tls_server_reload(s->tls, &tls, e);
    if (rc == OK && s->es2_tls) rc = tls_server_reload(s->es2_tls, &tls, e);
    if (rc != OK) {
        cert_trust_free(trust);
        return rc;
    }
    eim_reload(s->eim, &set, trust);
    janitor_rows(s->janitor, (unsigned)fresh->eim_sweep_rows);
    janitor_keep(s->janitor, fresh->events_keep);
    log_set_level((enum log_level)fresh->log_level);
    return OK;
}

void server_reload(struct server *s)
{
    struct err e = { 0 };
    struct conf fresh;
    struct arena a;
    arena_init(&a, ARENA_CAP);
    enum eim_err rc = server_settings(&fresh, &s->options, &e);
    if (rc == OK) {
        rc = reload(s, &fresh, &a, &e);
        if (rc != OK) conf_free(&fresh);
    }
    arena_free(&a);
    if (rc != OK) {
        log_msg(LOG_ERROR, "app", "reload refused, everything stays as it was: %s", e.why);
        return;
    }
    size_t at = 0;
    for (const char *name; (name = conf_fixed_change(&s->conf, &fresh, &at)) != NULL;)
        log_msg(LOG_WARN, "app", "%s has changed: it takes effect at the next start", name);
    pthread_mutex_lock(&s->lock);
    struct conf old = s->now;
    s->now = fresh;
    pthread_mutex_unlock(&s->lock);
    conf_free(&old);
    log_msg(LOG_INFO, "app", "settings, certificates and roots read again");
}

/* ---- down ---- */

void server_stop(struct server *s)
{
    struct err e = { 0 };
    if (s->ready[0]) log_msg(LOG_INFO, "app", "stopping: requests under way are finished");
    __atomic_store_n(&s->draining, true, __ATOMIC_RELAXED);
    if (s->device_http) http_server_drain(s->device_http, s->now.server_drain_timeout);
    if (s->api_http) http_server_drain(s->api_http, s->now.server_drain_timeout);
    if (s->es2_http) http_server_drain(s->es2_http, s->now.server_drain_timeout);
    if (s->host.outbound) outbound_stop(s->host.outbound);        /* a server that hangs shall not keep us from ending */
    coap_server_stop(s->coap);
    http_server_free(s->device_http);                  /* waits for every request under way: workers and store still run */
    http_server_free(s->api_http);
    http_server_free(s->es2_http);
    runner_stop(s->forwarders);
    runner_stop(s->pushers);
    runner_stop(s->orderers);
    janitor_stop(s->janitor);
    work_stop(s->slow_work);
    work_stop(s->device_work);
    work_stop(s->api_work);
    if (s->eim && eim_flush(s->eim, &e) != OK) log_msg(LOG_ERROR, "app", "last contacts are lost: %s", e.why);
    if (s->eim) eim_close(s->eim);
    note_signer_free(s->notes);
    store_close(s->host.store);
    child_expect_end(s->child);
    signer_close(s->host.signer);
    child_stop(s->child);
    seal_free(s->host.seal);
    outbound_free(s->host.outbound);
    tls_server_free(s->tls);
    tls_server_free(s->es2_tls);
    loops_stop(s->loops);
    if (s->ready[0]) {
        char *path = system_path(&s->arena, s->options.data, "eimd.addr");
        if (path) unlink(path);
    }
    if (s->ready[0]) log_msg(LOG_INFO, "app", "stopped");
    if (s->lock_fd >= 0) close(s->lock_fd);
    conf_free(&s->now);
    conf_free(&s->conf);
    pthread_mutex_destroy(&s->lock);
    struct arena arena = s->arena;     /* the server itself lives in it */
    arena_free(&arena);
}
