/* cmd_fleet.c -- `eimsim fleet`: its options, its progress line and its report. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "net/httpc.h"
#include "sim/cmd.h"
#include "sim/fleet.h"

enum { BLOB_MAX = 64 * 1024, LOOK_MS = 200 };

struct fleet_options {
    struct sim_fleet_config c;
    const char *pki, *blob, *cover_prefix, *smdp;
    uint64_t seconds;
    bool progress, json;
    const char *quirk_args[SIM_QUIRK_COUNT];
    unsigned n_quirk_args;
};

static const struct { struct option o; const char *arg, *help; } rows[] = {
    { { "url", 1, NULL, 'u' }, "URL", "the eIM, https://HOST:PORT or coaps://HOST:PORT" },
    { { "cacert", 1, NULL, 'c' }, "FILE", "PEM that TLS trusts" },
    { { "pki", 1, NULL, 'p' }, "DIR", "what `eimsim pki` made" },
    { { "eim-config", 1, NULL, 'e' }, "FILE", "AddInitialEim TLV (BF57, DER) that every card is loaded with" },
    { { "devices", 1, NULL, 'n' }, "N", "how many" },
    { { "seed", 1, NULL, 's' }, "S", "EIDs, ICCIDs, keys and losses follow from it [1]" },
    { { "threads", 1, NULL, 't' }, "T", "[16]" },
    { { "interval", 1, NULL, 'i' }, "MS", "milliseconds between two contacts of a device [1000]" },
    { { "jitter", 1, NULL, 'j' }, "PCT", "of the interval, up and down [0]" },
    { { "sleep", 0, NULL, 'S' }, "", "one contact in eight is followed by eight intervals of sleep" },
    { { "loss", 1, NULL, 'l' }, "PCT", "messages lost: half before they are sent, half of the answers; may have decimals [0]" },
    { { "no-coverage", 1, NULL, 'C' }, "N,PREFIX", "N devices have no network with the operator whose ICCIDs start with PREFIX" },
    { { "quirk", 1, NULL, 'q' }, "NAME[=N|=P%]", "N devices, P percent or all misbehave so (see `eimsim quirks`)" },
    { { "binding", 1, NULL, 'b' }, "asn1|json", "how ESipa is written on the wire [asn1]" },
    { { "notify", 1, NULL, 'a' }, "HOST[:PORT]", "the SM-DP+ address in the notifications of all profiles [smdp-a.example.com, ...]" },
    { { "download", 1, NULL, 'd' }, "WAY", "a download trigger is followed: direct, indirect (through the eIM) or both (in turn)" },
    { { "smdp-cacert", 1, NULL, 'D' }, "FILE", "PEM that TLS to SM-DP+ trusts [DIR/ci.pem of --pki]" },
    { { "features", 1, NULL, 'F' }, "N",
      "ipaFeatures, bit 0 the first: 2 indirect, 4 the eIM knows where, 8 and makes ctxParams1, 32 few octets [1; 6 when indirect]" },
    { { "confirm", 1, NULL, 'K' }, "CODE", "the confirmation code that every owner types" },
    { { "fresh", 0, NULL, 'f' }, "", "a new connection for each message" },
    { { "psk", 1, NULL, 'k' }, "ID:HEX", "a pre-shared key instead of certificates, over CoAP" },
    { { "until-idle", 0, NULL, 'U' }, "", "end when every device has met \"nothing pending\" once" },
    { { "seconds", 1, NULL, 'T' }, "S", "end after so many seconds, whatever the state; status 1 with --until-idle" },
    { { "progress", 0, NULL, 'P' }, "", "a progress line on standard error" },
    { { "json", 0, NULL, 'J' }, "", "the report as one JSON object" },
    { { "help", 0, NULL, 'h' }, "", "this" },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void usage(FILE *f)
{
    fprintf(f, "usage: eimsim fleet OPTIONS\n");
    for (size_t i = 0; i < ROWS; i++)
        fprintf(f, "  --%-12s %-14s %s\n", rows[i].o.name, rows[i].arg, rows[i].help);
}

/* "2", "0.5": percent to parts per million. */
static bool percent(const char *option, const char *text, uint32_t *ppm)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !(v >= 0 && v <= 100)) {
        fprintf(stderr, "eimsim: %s: \"%s\" is no percentage\n", option, text);
        return false;
    }
    *ppm = (uint32_t)(v * 10000 + 0.5);
    return true;
}

static bool coverage(struct fleet_options *o, const char *text)
{
    char number[24];
    uint64_t n;
    const char *comma = strchr(text, ',');
    if (!comma || comma == text || (size_t)(comma - text) >= sizeof number || !comma[1]) {
        fprintf(stderr, "eimsim: --no-coverage: N,PREFIX is wanted, not \"%s\"\n", text);
        return false;
    }
    memcpy(number, text, (size_t)(comma - text));
    number[comma - text] = 0;
    if (!cmd_number("--no-coverage", number, SIM_DEVICES_MAX, &n))
        return false;
    o->c.no_coverage = (uint32_t)n;
    o->cover_prefix = comma + 1;
    return true;
}

static bool binding(struct fleet_options *o, const char *text)
{
    o->c.json = strcmp(text, "json") == 0;
    if (o->c.json || strcmp(text, "asn1") == 0)
        return true;
    fprintf(stderr, "eimsim: --binding: asn1 or json is wanted, not \"%s\"\n", text);
    return false;
}

static bool way(struct fleet_options *o, const char *text)
{
    bool both = strcmp(text, "both") == 0;
    o->c.direct = both || strcmp(text, "direct") == 0;
    o->c.indirect = both || strcmp(text, "indirect") == 0;
    if (o->c.direct || o->c.indirect)
        return true;
    fprintf(stderr, "eimsim: --download: direct, indirect or both is wanted, not \"%s\"\n", text);
    return false;
}

static bool option(struct fleet_options *o, int which)
{
    uint64_t v = 0;
    bool good = true;
    switch (which) {
    case 'u': o->c.url = optarg; break;
    case 'c': o->c.ca_file = optarg; break;
    case 'p': o->pki = optarg; break;
    case 'e': o->blob = optarg; break;
    case 'n': good = cmd_number("--devices", optarg, SIM_DEVICES_MAX, &v); o->c.devices = (uint32_t)v; break;
    case 's': good = cmd_number("--seed", optarg, UINT64_MAX, &o->c.seed); break;
    case 't': good = cmd_number("--threads", optarg, SIM_THREADS_MAX, &v); o->c.threads = (unsigned)v; break;
    case 'i': good = cmd_number("--interval", optarg, 86400000, &v); o->c.interval_us = (int64_t)v * 1000; break;
    case 'j': good = cmd_number("--jitter", optarg, 100, &v); o->c.jitter_pct = (unsigned)v; break;
    case 'S': o->c.sleep = true; break;
    case 'l': good = percent("--loss", optarg, &o->c.ipa.loss_ppm); break;
    case 'C': good = coverage(o, optarg); break;
    case 'q': good = o->n_quirk_args < SIM_QUIRK_COUNT; if (good) o->quirk_args[o->n_quirk_args++] = optarg; break;
    case 'b': good = binding(o, optarg); break;
    case 'a': o->smdp = optarg; break;
    case 'd': good = way(o, optarg); break;
    case 'D': o->c.smdp_ca = optarg; break;
    case 'F': good = cmd_number("--features", optarg, 63, &v); o->c.ipa.features = (unsigned)v; break;
    case 'K': o->c.ipa.confirmation_code = optarg; break;
    case 'k': o->c.psk = optarg; break;
    case 'f': o->c.fresh = true; break;
    case 'U': o->c.until_idle = true; break;
    case 'T': good = cmd_number("--seconds", optarg, 86400 * 365, &o->seconds); break;
    case 'P': o->progress = true; break;
    case 'J': o->json = true; break;
    default: good = false;
    }
    return good;
}

/* NAME, NAME=N or NAME=P% ; needs the number of devices. */
static bool quirk(struct fleet_options *o, const char *text)
{
    char name[64];
    const char *eq = strchr(text, '=');
    size_t n = eq ? (size_t)(eq - text) : strlen(text);
    uint64_t bit = 0, count = o->c.devices;
    uint32_t ppm;
    if (n < sizeof name) {
        memcpy(name, text, n);
        name[n] = 0;
        bit = sim_quirk_named(name);
    }
    if (!bit) {
        fprintf(stderr, "eimsim: --quirk: \"%s\" is not in the list of `eimsim quirks`\n", text);
        return false;
    }
    size_t len = eq ? strlen(eq + 1) : 0;
    if (eq && len && eq[len] == '%' && len < sizeof name) {
        memcpy(name, eq + 1, len - 1);
        name[len - 1] = 0;
        if (!percent("--quirk", name, &ppm))
            return false;
        count = (uint64_t)o->c.devices * ppm / 1000000;
    } else if (eq && !cmd_number("--quirk", eq + 1, o->c.devices, &count)) {
        return false;
    }
    for (unsigned i = 0; i < SIM_QUIRK_COUNT; i++)
        if (bit >> i & 1)
            o->c.quirk_devices[i] = (uint32_t)count;
    return true;
}

/* What can only be judged when all options are known. */
static bool complete(struct fleet_options *o, struct sim_world *w)
{
    for (unsigned i = 0; o->smdp && i < w->n_operators; i++)
        w->operators[i].notification_address = o->smdp;
    if (!o->c.url || !o->pki || !o->blob || o->c.devices == 0 || o->c.threads == 0) {
        fprintf(stderr, "eimsim: fleet needs --url, --pki, --eim-config, --devices\n");
        return false;
    }
    for (unsigned i = 0; i < o->n_quirk_args; i++)
        if (!quirk(o, o->quirk_args[i]))
            return false;
    if (!o->cover_prefix)
        return true;
    for (unsigned i = 0; i < w->n_operators; i++)
        if (strncmp(w->operators[i].iccid_prefix, o->cover_prefix, strlen(o->cover_prefix)) == 0) {
            o->c.no_coverage_operator = i;
            return o->c.no_coverage <= o->c.devices;
        }
    fprintf(stderr, "eimsim: --no-coverage: no operator has ICCIDs that start with %s\n", o->cover_prefix);
    return false;
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static double seconds_since(const struct timespec *start)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)(t.tv_sec - start->tv_sec) + (double)(t.tv_nsec - start->tv_nsec) / 1e9;
}

static void show_progress(struct sim_fleet *f, const struct fleet_options *o, double t)
{
    uint32_t devices;
    uint64_t messages;
    char bar[41];
    sim_fleet_progress(f, &devices, &messages);
    size_t full = (size_t)(40ULL * devices / o->c.devices);
    memset(bar, '.', 40);
    memset(bar, '#', full);
    bar[40] = 0;
    fprintf(stderr, "\r[%s] %u/%u devices idle, %llu messages, %.0f/s ", bar, devices, o->c.devices, (unsigned long long)messages,
            t > 0 ? (double)messages / t : 0);
}

/* Wait for the end: all idle, time up, or a signal. Signals are blocked in every thread and taken here. */
static bool wait_for_end(struct sim_fleet *f, const struct fleet_options *o, const sigset_t *signals, const struct timespec *start)
{
    const struct timespec look = { 0, LOOK_MS * 1000000L };
    for (;;) {
        bool signalled = sigtimedwait(signals, NULL, &look) > 0;
        double t = seconds_since(start);
        bool done = o->c.until_idle && sim_fleet_done(f);
        if (o->progress)
            show_progress(f, o, t);
        if (!done && !signalled && (!o->seconds || t < (double)o->seconds))
            continue;
        if (o->progress)
            fputc('\n', stderr);
        return done || !o->c.until_idle;
    }
}

static void report_json(const struct fleet_options *o, const struct sim_fleet_state *s, double t)
{
    printf("{\"devices\":%u,\"idle\":%u,\"stuck\":%u,\"faulty\":%u,\"owing\":%u,\"seconds\":%.3f,\"enabled\":{", o->c.devices, s->idle,
           s->stuck, s->faulty, s->owing, t);
    for (unsigned i = 0; i < o->c.world->n_operators; i++)
        printf("\"%s\":%u,", o->c.world->operators[i].name, s->enabled[i]);
    printf("\"none\":%u},\"counters\":{", s->enabled[SIM_OPERATORS]);
    const char *comma = "";
#define X(name, text) printf("%s\"%s\":%llu", comma, #name, (unsigned long long)s->counters.name), comma = ",";
    SIM_COUNTERS(X)
#undef X
    printf("}}\n");
}

static void report_table(const struct fleet_options *o, const struct sim_fleet_state *s, double t)
{
    printf("%-44s %10u\n%-44s %10u\n%-44s %10u\n%-44s %10u\n", "devices", o->c.devices, "  idle at the end", s->idle,
           "  that still owe a result", s->owing, "  given up or failed", s->stuck + s->faulty);
    for (unsigned i = 0; i < o->c.world->n_operators; i++)
        printf("  on %-39s %10u\n", o->c.world->operators[i].name, s->enabled[i]);
    printf("  %-42s %10u\n", "without an enabled profile", s->enabled[SIM_OPERATORS]);
#define X(name, text) printf("%-44s %10llu\n", text, (unsigned long long)s->counters.name);
    SIM_COUNTERS(X)
#undef X
    printf("%-44s %10.1f\n", "seconds", t);
}

static int run(struct fleet_options *o, struct err *e)
{
    struct sim_fleet *f;
    struct sim_fleet_state s;
    struct timespec start;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (httpc_init(e) != OK || sim_fleet_new(&f, &o->c, e) != OK)
        return cmd_failed(e);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (sim_fleet_start(f, e) != OK) {
        sim_fleet_free(f);
        return cmd_failed(e);
    }
    bool good = wait_for_end(f, o, &signals, &start);
    sim_fleet_stop(f);
    double t = seconds_since(&start);
    sim_fleet_look(f, &s);
    if (o->json)
        report_json(o, &s, t);
    else
        report_table(o, &s, t);
    sim_fleet_free(f);
    return good && s.faulty == 0 && fflush(stdout) == 0 ? 0 : 1;
}

static int with_files(struct fleet_options *o, struct sim_world *w)
{
    struct err e = { 0 };
    struct sim_pki pki;
    struct arena a;
    size_t n;
    int status = 1;
    if (sim_pki_load(&pki, o->pki, &e) != OK)
        return cmd_failed(&e);
    w->pki = &pki;
    arena_init(&a, 2 * BLOB_MAX);
    if (!o->c.smdp_ca)
        o->c.smdp_ca = arena_printf(&a, "%s/ci.pem", o->pki);
    uint8_t *blob = arena_alloc(&a, BLOB_MAX);
    if (!blob || file_read(o->blob, false, blob, BLOB_MAX, &n, &e) != OK) {
        (void)cmd_failed(&e);
    } else {
        o->c.eim_config = slice_of(blob, n);
        status = run(o, &e);
    }
    arena_free(&a);
    sim_pki_free(&pki);
    return status;
}

int cmd_fleet(int argc, char **argv)
{
    struct fleet_options o = { .c = { .seed = 1, .threads = 16, .interval_us = 1000000 } };
    struct option longs[ROWS + 1] = { 0 };
    for (size_t i = 0; i < ROWS; i++)
        longs[i] = rows[i].o;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'h') {
            usage(stdout);
            return 0;
        }
        if (!option(&o, c)) {
            usage(stderr);
            return 2;
        }
    }
    struct env env;
    struct sim_world w;
    env_real(&env);
    sim_world_init(&w, NULL, &env);
    o.c.world = &w;
    int status = 2;
    if (optind == argc && complete(&o, &w))
        status = with_files(&o, &w);
    else
        usage(stderr);
    sim_world_free(&w);
    return status;
}
