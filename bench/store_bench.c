/* store_bench.c -- how fast the store alone is: reads, signed round trips, and the fdatasync they wait for.
 *
 * usage: store_bench URL DEVICES [ROUND_TRIPS [AT_A_TIME]]
 * The database must be empty. A round trip is two jobs, as eim/ makes them: {device, operation to sent with its package, audit
 * entry} and {device, operation to done with its result, audit entry}, each on a device of its own, in random order, AT_A_TIME
 * in flight. Prints one line `bench: NAME VALUE UNIT` a figure; CPU is that of the whole process. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <pthread.h>

#include "store/store.h"

enum { FILL = 1000, READS = 200000, SYNCS = 200, IN_FLIGHT_MAX = 1024 };

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(enum eim_err rc, const struct err *e)
{
    if (rc == OK) return;
    fprintf(stderr, "store_bench: %s: %s\n", err_name(rc), e->why);
    exit(1);
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int64_t association_of(int64_t i) { return (int64_t)(mix((uint64_t)i + 1) >> 1) | 1; }

static uint8_t bytes[512];

static struct device device_of(int64_t i)
{
    struct device d = {
        .association = association_of(i), .tenant = 1, .identity = 1, .key_class = KEY_CI, .curve = 1, .key = slice_of(bytes, 65),
        .counter = 7, .token = 12345, .token_candidate = DEVICE_TOKEN_NONE, .next_op = i + 1, .enabled = slice_of(bytes, 10),
        .has_enabled = true, .enabled_us = 1700000000000000 + i, .inventory_us = 1700000000000000 + i, .inventory_op = i + 1,
        .changed_us = 1700000000000000, .enrolled_us = 1700000000000000, .first_contact_us = 1700000000000000, .state_cause = -1,
    };
    memcpy(d.eid.b, &i, sizeof i);
    return d;
}

static struct operation operation_of(int64_t i)
{
    return (struct operation){
        .association = association_of(i), .id = ((int64_t)1 << 60) + i, .tenant = 1, .request = slice_of(bytes, 40),
        .principal = SLICE("token:admin"), .created_us = 1700000000000000, .expires_us = 1800000000000000, .seq = -1, .code = -1,
    };
}

/* ---- filling ---- */

struct fill { struct store_job job; int64_t from, to; };

static enum eim_err fill_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct fill *f = (struct fill *)job;
    for (int64_t i = f->from; i < f->to; i++) {
        struct device d = device_of(i);
        struct operation o = operation_of(i);
        TRY(store_device_insert(t, &d, e));
        TRY(store_operation_insert(t, &o, e));
    }
    return OK;
}

static void fill(struct store *s, int64_t n)
{
    struct err e = { 0 };
    double began = seconds(CLOCK_MONOTONIC);
    for (int64_t i = 0; i < n; i += FILL) {
        struct fill f = { .job.apply = fill_apply, .from = i, .to = i + FILL < n ? i + FILL : n };
        check(store_run(s, &f.job, &e), &e);
    }
    printf("bench: store_fill_per_s %.0f devices_with_an_operation/s\n", (double)n / (seconds(CLOCK_MONOTONIC) - began));
}

/* ---- reading ---- */

static void reads(struct store *s, int64_t n, int64_t among, const char *name)
{
    struct err e = { 0 };
    struct arena a;
    struct device d;
    struct tx *t;
    arena_init(&a, 1 << 20);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 0; i < n; i++) {
        check(store_read_begin(s, &t, &e), &e);
        check(store_device_get(t, association_of((int64_t)(mix((uint64_t)i) % (uint64_t)among)), &d, &a, &e), &e);
        store_read_end(t);
        arena_reset(&a);
        if (!d.association) exit(1);
    }
    printf("bench: store_read_%s_cpu_us %.2f us\n", name, (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / (double)n);
    check(store_read_begin(s, &t, &e), &e);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 0; i < n; i++) {
        check(store_device_get(t, association_of((int64_t)(mix((uint64_t)i) % (uint64_t)among)), &d, &a, &e), &e);
        arena_reset(&a);
    }
    printf("bench: store_get_%s_cpu_us %.2f us\n", name, (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / (double)n);
    store_read_end(t);
    arena_free(&a);
}

/* ---- round trips ---- */

struct run {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t end;
    int64_t next, done, all, among;
    int64_t shift;
    int64_t audit_id;                              /* rises, as env_id does */
};
struct trip {
    struct store_job job;
    struct run *run;
    struct device d;
    struct operation o;
    bool second;
};

static const char audit_text[] = "{\"at\":\"2026-11-23T01:31:29.412Z\",\"tenant\":\"default\",\"principal\":\"token:admin\","
    "\"what\":\"operation.sent\",\"device\":\"89049032000000000000000000000017\",\"operation\":\"op_4hx0c2q9k1\",\"counter\":8,"
    "\"sha256\":\"0f343b0931126a20f133d67c2b018a3b8e2f0a9f4c8d7e6b5a49382716050403\"}";

static enum eim_err trip_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct trip *p = (struct trip *)job;
    TRY(store_device_update(t, &p->d, e));
    TRY(store_operation_update(t, &p->o, p->second ? OP_SENT : OP_PENDING, e));
    return store_audit_append(t, 1, __atomic_add_fetch(&p->run->audit_id, 1, __ATOMIC_RELAXED), 1700000000000000, SLICE(audit_text), e);
}

static void submit(struct trip *p)
{
    struct err e = { 0 };
    check(store_submit(p->run->store, &p->job, &e), &e);
}

static bool start(struct trip *p)
{
    struct run *r = p->run;
    pthread_mutex_lock(&r->lock);
    int64_t n = r->next++;
    pthread_mutex_unlock(&r->lock);
    if (n >= r->all) return false;
    int64_t i = (n * 7919 + r->shift) % r->among;      /* 7919 divides neither 10^5 nor 10^6: each device once, and far apart */
    p->second = false;
    p->d = device_of(i);
    p->d.version = 1;
    p->d.counter++;
    p->d.in_flight = p->d.next_op;
    p->o = operation_of(i);
    p->o.state = OP_SENT;
    p->o.counter = p->d.counter;
    p->o.txid = slice_of(bytes, 16);
    p->o.package = slice_of(bytes, 180);
    p->o.first_sent_us = p->o.last_sent_us = 1700000000000000;
    submit(p);
    return true;
}

static void trip_done(struct store_job *job, enum eim_err rc)
{
    struct trip *p = (struct trip *)job;
    struct run *r = p->run;
    check(rc, &job->err);
    if (!p->second) {
        p->second = true;
        p->d.version++;
        p->d.in_flight = p->d.next_op = 0;
        p->o.state = OP_DONE;
        p->o.result = slice_of(bytes, 200);
        p->o.seq = 5;
        p->o.code = 0;
        submit(p);
        return;
    }
    pthread_mutex_lock(&r->lock);
    if (++r->done == r->all) pthread_cond_signal(&r->end);
    pthread_mutex_unlock(&r->lock);
    start(p);
}

static void trips(struct store *s, int64_t among, int64_t all, unsigned at_a_time)
{
    static struct trip trip[IN_FLIGHT_MAX];
    struct run r = { .store = s, .all = all, .among = among, .shift = among / 3 };
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.end, NULL);
    double began = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < at_a_time; i++) {
        trip[i] = (struct trip){ .job = { .apply = trip_apply, .done = trip_done }, .run = &r };
        start(&trip[i]);
    }
    pthread_mutex_lock(&r.lock);
    while (r.done < r.all) pthread_cond_wait(&r.end, &r.lock);
    pthread_mutex_unlock(&r.lock);
    double wall = seconds(CLOCK_MONOTONIC) - began;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("bench: store_round_trip_per_s %.0f round_trips/s\n", (double)all / wall);
    printf("bench: store_round_trip_cpu_us %.1f us\n", cpu * 1e6 / (double)all);
}

static void sync_time(const char *url)
{
    char path[512];
    snprintf(path, sizeof path, "%.500s.sync", strncmp(url, "sqlite:", 7) == 0 ? url + 7 : "/tmp/store_bench");
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
    static char block[65536];
    if (fd < 0) return;
    double began = 0;
    for (int i = -10; i < SYNCS; i++) {                /* the first ones make the file longer: not counted */
        if (i == 0) began = seconds(CLOCK_MONOTONIC);
        if (pwrite(fd, block, sizeof block, (i + 10) % 16 * (off_t)sizeof block) < 0 || fdatasync(fd) != 0) break;
    }
    printf("bench: fdatasync_us %.0f us\n", (seconds(CLOCK_MONOTONIC) - began) * 1e6 / SYNCS);
    close(fd);
    unlink(path);
}

int main(int argc, char **argv)
{
    struct store *s;
    struct err e = { 0 };
    struct rusage u;
    if (argc < 3) {
        fprintf(stderr, "usage: store_bench URL DEVICES [ROUND_TRIPS [AT_A_TIME]]\n");
        return 2;
    }
    int64_t devices = strtoll(argv[2], NULL, 10), all = argc > 3 ? strtoll(argv[3], NULL, 10) : devices;
    unsigned at_a_time = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 64;
    if (devices < 1 || all > devices || at_a_time < 1 || at_a_time > IN_FLIGHT_MAX) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sync_time(argv[1]);
    check(store_open(&s, &(struct store_options){ .url = argv[1] }, &e), &e);
    fill(s, devices);
    reads(s, READS, devices < 1000 ? devices : 1000, "hot");
    reads(s, READS, devices, "random");
    trips(s, devices, all, at_a_time);
    store_close(s);
    getrusage(RUSAGE_SELF, &u);
    printf("bench: store_rss_most_mb %ld MB\n", u.ru_maxrss / 1024);
    return 0;
}
