/* janitor.c -- periodic work, once a second. Failures are logged when they begin and when they end, not every second. */
#include "app/janitor.h"

#include "base/log.h"
#include "eim/eim.h"
#include "store/store.h"
#include "trust/feed.h"
#include "trust/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
    COUNT_PAUSE = 5,                   /* turns at least between two counts of all devices, which scan a table, */
    COUNT_SHARE = 100,                 /* and this many times as long as the last one took */
    OUTBOX_EVERY = 15,                 /* and of the outbox, which scan an index of what is under way */
};

struct janitor {
    struct eim *eim;
    struct host *host;
    struct store *store;
    const struct audit_log *audit;
    pthread_t thread;
    pthread_mutex_t lock;              /* guards stop and the outbox's numbers */
    pthread_cond_t wake;
    bool stop;
    bool failing;                      /* the thread's own, as the next */
    unsigned long next_count;          /* turn */
    unsigned rows;                     /* atomic, as the next three */
    int64_t keep_us, events;
    int64_t devices;
    bool has_outbox;                   /* guarded by lock, as the next */
    struct eim_outbox outbox;
};

static enum eim_err count(struct janitor *j, unsigned long number, struct err *e)
{
    struct timespec from, to;
    struct tx *t;
    int64_t n = 0;
    j->next_count = number + COUNT_PAUSE;
    clock_gettime(CLOCK_MONOTONIC, &from);
    TRY(store_read_begin(j->store, &t, e));
    enum eim_err rc = store_device_count(t, 0, &n, e);
    store_read_end(t);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double took = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    j->next_count += (unsigned long)(COUNT_SHARE * took);
    if (rc == OK) __atomic_store_n(&j->devices, n, __ATOMIC_RELAXED);
    return rc;
}

static enum eim_err count_outbox(struct janitor *j, struct err *e)
{
    struct eim_outbox now;
    TRY(eim_outbox(j->eim, &now, e));
    pthread_mutex_lock(&j->lock);
    j->outbox = now;
    j->has_outbox = true;
    pthread_mutex_unlock(&j->lock);
    return OK;
}

static enum eim_err events(struct janitor *j, struct err *e)
{
    size_t n, gone;
    int64_t keep = __atomic_load_n(&j->keep_us, __ATOMIC_RELAXED);
    TRY(feed_turn(j->host, &n, e));
    __atomic_add_fetch(&j->events, (int64_t)n, __ATOMIC_RELAXED);
    return keep ? feed_trim(j->host, keep, &gone, e) : OK;
}

static void turn(struct janitor *j, unsigned long number)
{
    struct err e = { 0 };
    enum eim_err rc = eim_sweep(j->eim, __atomic_load_n(&j->rows, __ATOMIC_RELAXED), &e);
    if (rc == OK) rc = audit_log_turn(j->audit, NULL, &e);
    if (rc == OK) rc = events(j, &e);
    if (rc == OK && number >= j->next_count) rc = count(j, number, &e);
    if (rc == OK && number % OUTBOX_EVERY == 0) rc = count_outbox(j, &e);
    if ((rc != OK) == j->failing) return;
    j->failing = rc != OK;
    if (j->failing) log_msg(LOG_ERROR, "janitor", "%s: %s", err_name(rc), e.why);
    else log_msg(LOG_INFO, "janitor", "works again");
}

static void *janitor_main(void *arg)
{
    struct janitor *j = arg;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&j->lock);
    for (unsigned long number = 0; !j->stop; number++) {
        pthread_mutex_unlock(&j->lock);
        turn(j, number);
        clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_sec++;
        pthread_mutex_lock(&j->lock);
        while (!j->stop && pthread_cond_timedwait(&j->wake, &j->lock, &next) == 0)
            ;
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

enum eim_err janitor_start(struct janitor **out, struct eim *m, struct host *h, const struct audit_log *log, unsigned rows, struct arena *a,
                           struct err *e)
{
    struct janitor *j = ARENA_NEW(a, struct janitor);
    pthread_condattr_t attr;
    *out = NULL;
    if (!j) return fail(e, E_NOMEM, NULL, "no memory for the janitor");
    *j = (struct janitor){ .eim = m, .host = h, .store = h->store, .audit = log, .rows = rows, .devices = -1 };
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->wake, &attr);
    pthread_condattr_destroy(&attr);
    int bad = pthread_create(&j->thread, NULL, janitor_main, j);
    if (bad) return fail(e, E_IO, NULL, "no thread for the janitor: %s", strerror(bad));
    *out = j;
    return OK;
}

void janitor_stop(struct janitor *j)
{
    if (!j) return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
}

void janitor_rows(struct janitor *j, unsigned rows)
{
    __atomic_store_n(&j->rows, rows, __ATOMIC_RELAXED);
}

void janitor_keep(struct janitor *j, int64_t keep_us)
{
    __atomic_store_n(&j->keep_us, keep_us, __ATOMIC_RELAXED);
}

int64_t janitor_events(const struct janitor *j)
{
    return __atomic_load_n(&j->events, __ATOMIC_RELAXED);
}

int64_t janitor_devices(const struct janitor *j)
{
    return __atomic_load_n(&j->devices, __ATOMIC_RELAXED);
}

bool janitor_outbox(struct janitor *j, struct eim_outbox *out)
{
    pthread_mutex_lock(&j->lock);
    bool has = j->has_outbox;
    *out = j->outbox;
    pthread_mutex_unlock(&j->lock);
    return has;
}
