/* eventlog.c -- the event log: events a second, from the transactions that tell them to a reader who has them all in order.
 *
 * usage: eventlog STORE-URL EVENTS */
#include "base/env.h"
#include "trust/event.h"
#include "trust/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { A_JOB = 64, A_PAGE = 1000, DEVICES = 1000, ARENA = 16 << 20 };

struct tell { struct store_job job; struct env *env; int64_t from; };

/* Events as long as the usual one: of operations that are done. */
static enum eim_err tell(struct tx *t, struct store_job *job, struct err *e)
{
    static const struct event_part parts[] = { { "kind", { (const uint8_t *)"package", 7 } }, { "origin", { (const uint8_t *)"api", 3 } } };
    struct tell *m = (struct tell *)job;
    struct event_batch b;
    event_batch_begin(&b, m->env);
    for (int64_t id = m->from; id < m->from + A_JOB; id++) {
        struct eid eid = { { 0x89, 0x04, [14] = (uint8_t)(id % DEVICES / 100), [15] = (uint8_t)(id % 100 / 10 << 4 | id % 10) } };
        event_batch_add(&b, &(struct event){ .tenant = 1, .type = EVENT_OPERATION_DONE, .eid = &eid, .operation = id, .state = "done",
                                             .parts = parts, .nparts = 2 });
    }
    enum eim_err rc = event_batch_write(&b, t, e);
    event_batch_free(&b);
    return rc;
}

/* All of them, page by page; *n becomes how many came in order. */
static enum eim_err follow(struct host *h, int64_t *n, struct err *e)
{
    struct arena a;
    struct feed_page page = { .next = 0, .last = 1 };
    enum eim_err rc = OK;
    *n = 0;
    arena_init(&a, ARENA);
    while (rc == OK && page.next < page.last) {
        arena_reset(&a);
        rc = feed_read(h, &(struct feed_query){ .tenant = 1, .after = page.next, .limit = A_PAGE }, &page, &a, e);
        for (size_t i = 0; rc == OK && i < page.n; i++)
            if (page.v[i].seq == *n + 1) ++*n;
    }
    arena_free(&a);
    return rc;
}

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int stop(const char *what, const struct err *e)
{
    fprintf(stderr, "eventlog: %s: %s\n", what, e->why);
    return 1;
}

int main(int argc, char **argv)
{
    struct env env;
    struct err e = { 0 };
    struct host host = { .env = &env };
    if (argc < 3) return 2;
    int64_t n = strtoll(argv[2], NULL, 10) / A_JOB * A_JOB, read;
    size_t numbered;
    env_real(&env);
    if (store_open(&host.store, &(struct store_options){ .url = argv[1] }, &e) != OK) return stop("store", &e);
    double begun = wall();
    for (int64_t id = 1; id <= n; id += A_JOB) {
        struct tell m = { { .apply = tell }, &env, id };
        if (store_run(host.store, &m.job, &e) != OK) return stop("events", &e);
    }
    double told = wall();
    if (feed_turn(&host, &numbered, &e) != OK) return stop("numbering", &e);
    double turned = wall();
    if (follow(&host, &read, &e) != OK) return stop("reading", &e);
    double done = wall();
    if (numbered != (size_t)n || read != n) return stop("not all came, or not in order", &e);
    printf("per_s %.0f\ntell_per_s %.0f\nnumber_per_s %.0f\nread_per_s %.0f\n", (double)n / (done - begun), (double)n / (told - begun),
           (double)n / (turned - told), (double)n / (done - turned));
    store_close(host.store);
    return 0;
}
