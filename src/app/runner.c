/* runner.c -- threads of background work: forwarding notifications, and whatever else may wait for other people's servers. */
#include "app/runner.h"

#include "base/log.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { THREADS_MAX = 64, IDLE_S = 1 };

struct runner {
    struct runner_config c;
    pthread_t threads[THREADS_MAX];
    unsigned started;
    pthread_mutex_t lock;              /* guards the two below */
    pthread_cond_t wake;
    bool stop, failing;
};

static void told(struct runner *r, enum eim_err rc, const struct err *e)
{
    pthread_mutex_lock(&r->lock);
    bool changed = (rc != OK) != r->failing;
    r->failing = rc != OK;
    pthread_mutex_unlock(&r->lock);
    if (changed && rc != OK) log_msg(LOG_ERROR, r->c.name, "%s: %s", err_name(rc), e->why);
    else if (changed) log_msg(LOG_INFO, r->c.name, "works again");
}

static bool stopping(struct runner *r, bool idle)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_S;
    pthread_mutex_lock(&r->lock);
    while (idle && !r->stop && pthread_cond_timedwait(&r->wake, &r->lock, &until) == 0)
        ;
    bool stop = r->stop;
    pthread_mutex_unlock(&r->lock);
    return stop;
}

static void *runner_main(void *arg)
{
    struct runner *r = arg;
    for (bool did = true; !stopping(r, !did);) {
        struct err e = { 0 };
        did = false;
        enum eim_err rc = r->c.work(r->c.arg, &did, &e);
        told(r, rc, &e);
        if (rc != OK) did = false;
    }
    return NULL;
}

enum eim_err runner_start(struct runner **out, const struct runner_config *c, struct arena *a, struct err *e)
{
    struct runner *r = ARENA_NEW(a, struct runner);
    pthread_condattr_t attr;
    *out = NULL;
    if (!r) return fail(e, E_NOMEM, NULL, "no memory for threads");
    *r = (struct runner){ .c = *c };
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    for (; r->started < c->threads && r->started < THREADS_MAX; r->started++) {
        int bad = pthread_create(&r->threads[r->started], NULL, runner_main, r);
        if (!bad) continue;
        runner_stop(r);
        return fail(e, E_IO, NULL, "no thread for %s: %s", c->name, strerror(bad));
    }
    *out = r;
    return OK;
}

void runner_stop(struct runner *r)
{
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->started; i++) pthread_join(r->threads[i], NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
}
