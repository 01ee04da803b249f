/* metrics.c -- Prometheus text from the tables of counters: a row there is a metric here. */
#include "front/metrics.h"

#include "eim/eim.h"
#include "net/coap.h"
#include "net/work.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void eim_metrics(const struct eim *m, struct buf *out)
{
    const struct eim_counters *c = eim_counters(m);
#define X(name, help)                                                                                               \
    family(out, "eimd_" #name "_total", "counter", help);                                                           \
    buf_printf(out, "eimd_" #name "_total %lld\n", (long long)__atomic_load_n(&c->name, __ATOMIC_RELAXED));
    EIM_COUNTERS(X)
#undef X
}

static void net_metrics(const struct metrics_source *s, struct buf *out)
{
    struct net_stats stats[METRICS_LISTENERS];
    for (size_t i = 0; i < METRICS_LISTENERS; i++) http_server_stats(s->listeners[i].server, &stats[i]);
#define X(counter, help)                                                                                            \
    {                                                                                                               \
        bool gauge = strcmp(#counter, "connections_open") == 0;                                                     \
        const char *name = gauge ? "eimd_net_" #counter : "eimd_net_" #counter "_total";                            \
        family(out, name, gauge ? "gauge" : "counter", help);                                                       \
        for (size_t i = 0; i < METRICS_LISTENERS; i++)                                                              \
            buf_printf(out, "%s{listener=\"%s\"} %llu\n", name, s->listeners[i].name, (unsigned long long)stats[i].counter); \
    }
    NET_STATS(X)
#undef X
    family(out, "eimd_queue_waiting", "gauge", "requests waiting for a worker");
    for (size_t i = 0; i < METRICS_LISTENERS; i++)
        buf_printf(out, "eimd_queue_waiting{listener=\"%s\"} %zu\n", s->listeners[i].name, work_waiting(s->listeners[i].work));
}

static void coap_metrics(const struct metrics_source *s, struct buf *out)
{
    struct coap_stats stats;
    if (!s->coap) return;
    coap_server_stats(s->coap, &stats);
#define X(counter, help)                                                                                            \
    {                                                                                                               \
        bool gauge = strcmp(#counter, "sessions_open") == 0;                                                        \
        const char *name = gauge ? "eimd_coap_" #counter : "eimd_coap_" #counter "_total";                          \
        family(out, name, gauge ? "gauge" : "counter", help);                                                       \
        buf_printf(out, "%s %llu\n", name, (unsigned long long)stats.counter);                                      \
    }
    COAP_STATS(X)
#undef X
}

static void outbox_metrics(const struct metrics_source *s, struct buf *out)
{
    const struct eim_outbox *o = s->outbox;
    if (!s->has_outbox) return;
    family(out, "eimd_outbox", "gauge", "notifications not delivered, by state; of all tenants, counted now and then");
    buf_printf(out, "eimd_outbox{state=\"waiting\"} %lld\neimd_outbox{state=\"held\"} %lld\neimd_outbox{state=\"failed\"} %lld\n",
               (long long)o->waiting, (long long)o->held, (long long)o->failed);
    family(out, "eimd_outbox_oldest_age_seconds", "gauge", "age of the oldest notification that waits or is held; 0 = none");
    buf_printf(out, "eimd_outbox_oldest_age_seconds %.3f\n", o->oldest_us ? (double)(s->now_us - o->oldest_us) / 1e6 : 0.0);
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void process_metrics(const struct metrics_source *s, struct buf *out)
{
    struct rusage use;
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%*d %lld", &pages) != 1) pages = 0;
        fclose(f);
    }
    family(out, "process_resident_memory_bytes", "gauge", "resident memory");
    buf_printf(out, "process_resident_memory_bytes %lld\n", pages * sysconf(_SC_PAGESIZE));
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        family(out, "process_cpu_seconds_total", "counter", "user and system processor time");
        buf_printf(out, "process_cpu_seconds_total %.6f\n", seconds(&use.ru_utime) + seconds(&use.ru_stime));
    }
    family(out, "process_start_time_seconds", "gauge", "when the server started");
    buf_printf(out, "process_start_time_seconds %.3f\n", (double)s->started_us / 1e6);
}

void metrics_print(const struct metrics_source *s, struct buf *out)
{
    family(out, "eimd_build_info", "gauge", "version and store engine; always 1");
    buf_printf(out, "eimd_build_info{version=\"%s\",store=\"%s\"} 1\n", s->version, s->engine);
    if (s->devices >= 0) {
        family(out, "eimd_devices", "gauge", "devices enrolled, counted every few seconds");
        buf_printf(out, "eimd_devices %lld\n", (long long)s->devices);
    }
    family(out, "eimd_events_total", "counter", "events that this node gave their number in the event log");
    buf_printf(out, "eimd_events_total %lld\n", (long long)s->events);
    eim_metrics(s->eim, out);
    outbox_metrics(s, out);
    net_metrics(s, out);
    coap_metrics(s, out);
    process_metrics(s, out);
}
