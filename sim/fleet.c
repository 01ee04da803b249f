/* fleet.c -- the devices, the heap of who is due, and the threads that serve them. */
#include "sim/fleet.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/mem.h"
#include "net/coapc.h"
#include "net/httpc.h"
#include "sim/json.h"

static const struct timespec busy_pause = { 0, 200 * 1000 * 1000 };            /* after a 503 */

/* ---- one device ---------------------------------------------------------------------------------------------- */

void sim_device_init(struct sim_device *d, struct sim_world *w, const struct sim_ipa_config *config, uint64_t seed, uint64_t index)
{
    uint8_t eid[SIM_EID];
    sim_eid_make(seed, index, eid);
    sim_euicc_init(&d->card, w, seed, eid);
    for (uint8_t o = 0; o < 2; o++) {
        struct sim_profile p = { .operator_ = o, .class_ = SIM_OPERATIONAL, .flags = SIM_FALLBACK_ALLOWED | (o ? 0 : SIM_ENABLED) };
        sim_iccid_make(w->operators[o].iccid_prefix, seed, index, p.iccid);
        (void)sim_euicc_install(&d->card, &p);
    }
    sim_ipa_init(&d->ipa, &d->card, config, sim_mix(seed, index));
}

void sim_device_free(struct sim_device *d)
{
    sim_ipa_free(&d->ipa);
    sim_euicc_free(&d->card);
}

bool sim_device_associate(struct sim_device *d, struct slice blob, struct arena *a)
{
    struct slice answer = sim_euicc_es10b(&d->card, blob, a);
    (void)answer;                                        /* tokens and codes: the card itself is looked at */
    return d->card.n_eims > 0;
}

/* ---- the fleet ----------------------------------------------------------------------------------------------- */

struct due { int64_t at; uint32_t device; };

enum device_state { RUNNING, IDLE, STUCK, FAULTY };

struct worker {
    struct sim_fleet *f;
    pthread_t thread;
    struct httpc *http, *es9;          /* es9: to SM-DP+, or NULL */
    struct coapc *coap;                /* to the eIM, or NULL: over http */
    struct buf reply;
    struct arena arena;
    struct sim_counters counters;      /* since they were last added to the fleet's */
    bool whole;                        /* the spelling of the last result in JSON */
};

struct sim_fleet {
    struct sim_fleet_config c;
    struct sim_device *devices;
    struct worker *workers;
    unsigned n_workers;                /* started ones */
    pthread_mutex_t lock;              /* of everything below */
    pthread_cond_t wake;
    struct due *heap;
    uint32_t n_heap;
    uint8_t *state, *visits;           /* per device: enum device_state; contacts that left something open */
    uint32_t stopped, idle;
    bool stop;
    struct sim_counters counters;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void heap_push(struct sim_fleet *f, struct due d)
{
    uint32_t i = f->n_heap++;
    for (; i > 0 && f->heap[(i - 1) / 2].at > d.at; i = (i - 1) / 2)
        f->heap[i] = f->heap[(i - 1) / 2];
    f->heap[i] = d;
}

static struct due heap_pop(struct sim_fleet *f)
{
    struct due top = f->heap[0], last = f->heap[--f->n_heap];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= f->n_heap)
            break;
        if (child + 1 < f->n_heap && f->heap[child + 1].at < f->heap[child].at)
            child++;
        if (f->heap[child].at >= last.at)
            break;
        f->heap[i] = f->heap[child];
        i = child;
    }
    f->heap[i] = last;
    return top;
}

/* ---- making it ----------------------------------------------------------------------------------------------- */

/* Is `index` one of `n` devices spread evenly over the fleet? Different `salt`s pick different ones. */
static bool picked(const struct sim_fleet_config *c, uint32_t index, uint32_t n, uint32_t salt)
{
    uint64_t i = (index + (uint64_t)salt * 7919) % c->devices;
    return i * n / c->devices != (i + 1) * n / c->devices;
}

static bool populate(struct sim_fleet *f)
{
    const struct sim_fleet_config *c = &f->c;
    struct arena a;
    bool good = true;
    arena_init(&a, SIM_IPA_ARENA);
    for (uint32_t i = 0; i < c->devices && good; i++) {
        struct sim_device *d = &f->devices[i];
        sim_device_init(d, c->world, &f->c.ipa, c->seed, i);
        for (unsigned q = 0; q < SIM_QUIRK_COUNT; q++)
            if (picked(c, i, c->quirk_devices[q], q + 1))
                d->card.quirks |= UINT64_C(1) << q;
        if (c->direct || c->indirect)
            d->ipa.download = c->direct && (!c->indirect || i % 2 == 0) ? SIM_DOWNLOAD_DIRECT : SIM_DOWNLOAD_INDIRECT;
        if (picked(c, i, c->no_coverage, 0))
            d->ipa.no_coverage = 1U << c->no_coverage_operator;
        arena_reset(&a);
        good = sim_device_associate(d, c->eim_config, &a);
    }
    arena_free(&a);
    return good;
}

enum eim_err sim_fleet_new(struct sim_fleet **out, const struct sim_fleet_config *c, struct err *e)
{
    if (c->devices == 0 || c->devices > SIM_DEVICES_MAX || c->threads == 0 || c->threads > SIM_THREADS_MAX)
        return fail(e, E_INVALID, NULL, "1 to %d devices and 1 to %d threads", SIM_DEVICES_MAX, SIM_THREADS_MAX);
    struct sim_fleet *f = MEM_NEW(struct sim_fleet);
    if (!f)
        return fail(e, E_NOMEM, NULL, "no memory for a fleet");
    f->c = *c;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->wake, &attr);
    pthread_condattr_destroy(&attr);
    f->devices = MEM_ARRAY(struct sim_device, c->devices);
    f->workers = MEM_ARRAY(struct worker, c->threads);
    f->heap = MEM_ARRAY(struct due, c->devices);
    f->state = MEM_ARRAY(uint8_t, c->devices);
    f->visits = MEM_ARRAY(uint8_t, c->devices);
    enum eim_err rc = OK;
    if (!f->devices || !f->workers || !f->heap || !f->state || !f->visits)
        rc = fail(e, E_NOMEM, NULL, "no memory for %u devices", c->devices);
    else if (!populate(f))
        rc = fail(e, E_INVALID, "SGP.32 5.9.4", "the eUICCs refuse this eIM configuration");
    if (rc != OK) {
        sim_fleet_free(f);
        return rc;
    }
    *out = f;
    return OK;
}

void sim_fleet_free(struct sim_fleet *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; f->devices && i < f->c.devices; i++)
        sim_device_free(&f->devices[i]);
    mem_free(f->devices);
    mem_free(f->workers);
    mem_free(f->heap);
    mem_free(f->state);
    mem_free(f->visits);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->wake);
    mem_free(f);
}

/* ---- ESipa over HTTPS (sgp32.md 4.1) ------------------------------------------------------------------------- */

static bool right_type(const char *type, const char *want)
{
    return type && strncasecmp(type, want, strlen(want)) == 0;
}

/* A new CoAP client in place of the worker's, if it has one. */
static enum eim_err worker_coap(struct worker *w, struct err *e)
{
    enum { KEY_MAX = 64 };
    char host[256];
    uint8_t key[KEY_MAX];
    int port = 5684;
    const struct sim_fleet_config *c = &w->f->c;
    struct coapc_config config = { .host = host, .ca_file = c->ca_file, .total_us = 30000000 };
    coapc_free(w->coap);
    w->coap = NULL;
    if (sscanf(c->url, "coaps://%255[^:]:%d", host, &port) < 1)
        return fail(e, E_CONF, NULL, "%s: coaps://HOST:PORT is needed", c->url);
    const char *colon = c->psk ? strchr(c->psk, ':') : NULL;
    long n = colon ? slice_unhex(slice_str(colon + 1), key, KEY_MAX) : 0;
    if (c->psk && n <= 0)
        return fail(e, E_CONF, NULL, "--psk: ID:HEX is needed");
    if (colon) {
        config.identity = arena_str(&w->arena, slice_of(c->psk, (size_t)(colon - c->psk)));
        config.key = slice_of(key, (size_t)n);
    }
    config.port = port;
    return coapc_new(&w->coap, &config, e);
}

/* The same over CoAP (sgp32.md 4.4): the path says what the payload is. */
static enum sim_reply send_coap(struct worker *w, const char *path, struct slice body, struct slice *reply, struct arena *a)
{
    unsigned code;
    struct err e = { 0 };
    if (w->f->c.fresh && worker_coap(w, &e) != OK)
        return SIM_LOST;
    if (coapc_post(w->coap, path + 1, body, &code, &w->reply, &e) != OK)
        return SIM_LOST;
    if (code == 503 || code == 429) {
        nanosleep(&busy_pause, NULL);
        return SIM_LOST;
    }
    if (code >= 300)
        return code >= 500 ? SIM_LOST : SIM_REFUSED;
    *reply = arena_copy(a, buf_slice(&w->reply));
    return reply->n == w->reply.n ? SIM_REPLY : SIM_LOST;
}

/* One POST; *reply is the body as it came. */
static enum sim_reply send_post(struct worker *w, const char *path, const char *media_type, struct slice body, struct slice *reply,
                                struct arena *a)
{
    const char *type = arena_printf(a, "Content-Type: %s", media_type), *url = arena_printf(a, "%s%s", w->f->c.url, path);
    const char *headers[] = { type, "X-Admin-Protocol: gsma/rsp/v2.1.0", NULL };
    struct err e = { 0 };
    int status;
    if (w->coap)
        return send_coap(w, path, body, reply, a);
    if (!type || !url || httpc_request(w->http, "POST", url, headers, body, &status, &w->reply, &e) != OK)
        return SIM_LOST;
    if (status == 429 || status == 503) {
        nanosleep(&busy_pause, NULL);
        return SIM_LOST;
    }
    if (status >= 500)
        return SIM_LOST;
    const char *admin = httpc_reply_header(w->http, "X-Admin-Protocol");
    if (!admin || strncmp(admin, "gsma/rsp/", 9) != 0)   /* mandatory in every answer (6.1.1) */
        w->counters.malformed++;
    if (status != 200 && status != 204)
        return SIM_REFUSED;
    if (w->reply.n && !right_type(httpc_reply_header(w->http, "Content-Type"), media_type)) {
        w->counters.malformed++;
        return SIM_REFUSED;
    }
    *reply = arena_copy(a, buf_slice(&w->reply));
    return reply->n == w->reply.n ? SIM_REPLY : SIM_LOST;
}

static enum sim_reply https_post(void *arg, struct slice request, struct slice *reply, struct arena *a)
{
    struct worker *w = arg;
    const char *function, *path;
    struct slice json;
    if (!w->f->c.json)
        return send_post(w, "/gsma/rsp2/asn1", "application/x-gsma-rsp-asn1", request, reply, a);
    w->whole = !w->whole;
    if (!sim_json_request(request, w->whole, &function, &json, a) || !(path = arena_printf(a, SIM_JSON_PATH "%s", function)))
        return SIM_LOST;
    enum sim_reply said = send_post(w, path, "application/json;charset=UTF-8", json, &json, a);
    if (said != SIM_REPLY || sim_json_reply(function, json, reply, a))
        return said;
    w->counters.malformed++;
    return SIM_REFUSED;
}

/* ---- ES9+ over HTTPS (SGP.22 6.5) ---------------------------------------------------------------------------- */

static enum sim_reply es9_post(void *arg, const char *address, const char *function, struct slice json, struct slice *reply, struct arena *a)
{
    static const char *const headers[] = { "Content-Type: application/json;charset=UTF-8", "X-Admin-Protocol: gsma/rsp/v2.1.0", NULL };
    struct worker *w = arg;
    const char *url = arena_printf(a, "https://%s/gsma/rsp2/es9plus/%s", address, function);
    struct err e = { 0 };
    int status;
    if (!url || httpc_request(w->es9, "POST", url, headers, json, &status, &w->reply, &e) != OK || status >= 500)
        return SIM_LOST;
    if (status != 200 && status != 204)
        return SIM_REFUSED;
    *reply = arena_copy(a, buf_slice(&w->reply));
    return reply->n == w->reply.n ? SIM_REPLY : SIM_LOST;
}

/* ---- serving ------------------------------------------------------------------------------------------------- */

static int64_t jittered(const struct sim_fleet *f, struct sim_device *d, int64_t us)
{
    d->ipa.random = sim_mix(d->ipa.random, 1);
    int64_t span = us * f->c.jitter_pct / 100;
    return span ? us - span + (int64_t)(d->ipa.random % (uint64_t)(2 * span + 1)) : us;
}

static int64_t next_contact(const struct sim_fleet *f, struct sim_device *d, enum sim_contact said)
{
    if (said == SIM_RETRY) {
        int64_t us = (int64_t)SIM_RETRY_US << (d->ipa.failures > 6 ? 6 : d->ipa.failures ? d->ipa.failures - 1 : 0);
        return jittered(f, d, us > SIM_RETRY_MAX_US ? SIM_RETRY_MAX_US : us);
    }
    if (said == SIM_CEILING)
        return 0;
    d->ipa.random = sim_mix(d->ipa.random, 2);
    bool asleep = f->c.sleep && d->ipa.random % 8 == 0;
    return jittered(f, d, f->c.interval_us * (asleep ? 8 : 1));
}

/* Book the end of a contact, under the lock. true: the device goes on. */
static bool book(struct sim_fleet *f, uint32_t device, enum sim_contact said)
{
    enum device_state before = f->state[device], now = said == SIM_IDLE ? IDLE : said == SIM_FAULT ? FAULTY : RUNNING;
    bool open = said != SIM_IDLE && said != SIM_RETRY && said != SIM_CEILING;
    f->visits[device] = open ? f->visits[device] + 1 : said == SIM_IDLE ? 0 : f->visits[device];
    if (f->c.until_idle && f->visits[device] >= SIM_STUCK_VISITS)
        now = STUCK;
    if (!f->c.until_idle && f->visits[device] >= SIM_STUCK_VISITS)
        f->visits[device] = SIM_STUCK_VISITS;
    f->state[device] = (uint8_t)now;
    f->idle += (now == IDLE) - (before == IDLE);
    bool ends = now == FAULTY || (f->c.until_idle && now != RUNNING);
    f->stopped += ends;
    return !ends;
}

static void *serve(void *arg)
{
    struct worker *w = arg;
    struct sim_fleet *f = w->f;
    const struct sim_transport t = { https_post, w, w->es9 ? es9_post : NULL };
    pthread_mutex_lock(&f->lock);
    while (!f->stop) {
        int64_t now = now_us();
        if (f->n_heap == 0 || f->heap[0].at > now) {
            int64_t at = f->n_heap ? f->heap[0].at : now + 100000;
            struct timespec until = { at / 1000000, at % 1000000 * 1000 };
            pthread_cond_timedwait(&f->wake, &f->lock, &until);
            continue;
        }
        uint32_t device = heap_pop(f).device;
        pthread_mutex_unlock(&f->lock);
        struct sim_device *d = &f->devices[device];
        enum sim_contact said = sim_ipa_contact(&d->ipa, &t, &w->counters, &w->arena);
        sim_euicc_rest(&d->card);
        int64_t wait = next_contact(f, d, said);
        pthread_mutex_lock(&f->lock);
        sim_counters_add(&f->counters, &w->counters);
        w->counters = (struct sim_counters){ 0 };
        if (book(f, device, said)) {
            heap_push(f, (struct due){ now_us() + wait, device });
            if (f->heap[0].device == device)
                pthread_cond_signal(&f->wake);
        }
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static enum eim_err worker_open(struct sim_fleet *f, struct worker *w, struct err *e)
{
    struct httpc_config hc = { .ca_file = f->c.ca_file, .user_agent = "gsma-rsp-ipad", .fresh = f->c.fresh };
    w->f = f;
    buf_init(&w->reply, SIM_IPA_ARENA / 4);
    struct httpc_config dp = { .ca_file = f->c.smdp_ca, .user_agent = "gsma-rsp-lpad", .total_us = 10000000, .reply_bytes = SIM_IPA_ARENA / 4 };
    arena_init(&w->arena, SIM_IPA_ARENA);
    if (strncmp(f->c.url, "coaps://", 8) == 0)
        TRY(worker_coap(w, e));
    TRY(httpc_new(&w->http, &hc, e));
    return f->c.direct ? httpc_new(&w->es9, &dp, e) : OK;
}

enum eim_err sim_fleet_start(struct sim_fleet *f, struct err *e)
{
    int64_t now = now_us();
    for (uint32_t i = 0; i < f->c.devices; i++)          /* the first contacts are spread over one interval */
        heap_push(f, (struct due){ now + (int64_t)(sim_mix(f->c.seed, i) % (uint64_t)(f->c.until_idle ? 1 : f->c.interval_us + 1)), i });
    for (unsigned i = 0; i < f->c.threads; i++) {
        enum eim_err rc = worker_open(f, &f->workers[i], e);
        if (rc == OK && pthread_create(&f->workers[i].thread, NULL, serve, &f->workers[i]) != 0)
            rc = fail(e, E_IO, NULL, "thread %u of %u does not start", i + 1, f->c.threads);
        if (rc != OK) {
            coapc_free(f->workers[i].coap);
            httpc_free(f->workers[i].http);
            httpc_free(f->workers[i].es9);
            arena_free(&f->workers[i].arena);
            sim_fleet_stop(f);
            return rc;
        }
        f->n_workers = i + 1;
    }
    return OK;
}

bool sim_fleet_done(struct sim_fleet *f)
{
    pthread_mutex_lock(&f->lock);
    bool done = f->stopped == f->c.devices;
    pthread_mutex_unlock(&f->lock);
    return done;
}

void sim_fleet_progress(struct sim_fleet *f, uint32_t *devices, uint64_t *messages)
{
    pthread_mutex_lock(&f->lock);
    *devices = f->c.until_idle ? f->stopped : f->idle;
    *messages = f->counters.polls + f->counters.results;
    pthread_mutex_unlock(&f->lock);
}

void sim_fleet_stop(struct sim_fleet *f)
{
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; i < f->n_workers; i++) {
        struct worker *w = &f->workers[i];
        pthread_join(w->thread, NULL);
        coapc_free(w->coap);
        httpc_free(w->http);
        httpc_free(w->es9);
        buf_free(&w->reply);
        arena_free(&w->arena);
    }
    f->n_workers = 0;
}

void sim_fleet_look(const struct sim_fleet *f, struct sim_fleet_state *s)
{
    *s = (struct sim_fleet_state){ .counters = f->counters };
    for (uint32_t i = 0; i < f->c.devices; i++) {
        const struct sim_device *d = &f->devices[i];
        int slot = sim_euicc_enabled(&d->card);
        s->idle += f->state[i] == IDLE;
        s->stuck += f->state[i] == STUCK;
        s->faulty += f->state[i] == FAULTY;
        s->owing += d->ipa.owed.n > 0;
        s->enabled[slot == SIM_NO_PROFILE ? SIM_OPERATORS : d->card.profiles[slot].operator_]++;
    }
}

struct sim_device *sim_fleet_device(struct sim_fleet *f, uint32_t index)
{
    return &f->devices[index];
}
