/* work.c -- worker threads over a ring of jobs.
 *
 * One lock, held for a few instructions. At most one wake-up is under way at a time: a submit wakes one sleeper, who on
 * taking a job wakes the next one if jobs are left. So a burst of small jobs is mostly done by the thread that is awake
 * already (a switch to another costs more than such a job), and yet no job waits behind a slow one while a thread sleeps. */
#include "net/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct job {
    void (*run)(void *arg, const struct work_thread *t);
    void *arg;
};

struct worker {
    struct work *work;
    int index;
    pthread_t thread;
};

struct work {
    struct work_config conf;
    pthread_mutex_t lock;
    pthread_cond_t some, entered_cond;
    size_t first, n;                   /* jobs waiting: ring[first .. first + n) */
    int sleeping, entered, started;
    bool waking, stopping;             /* waking: a sleeper was signalled and has not come yet */
    struct job *ring;
    struct worker *workers;
};

/* Under the lock: is a sleeper to be signalled, now that a job waits? */
static bool wants_wake(struct work *w)
{
    return w->n && w->sleeping && !w->waking && (w->waking = true);
}

static void *worker_main(void *arg)
{
    struct worker *me = arg;
    struct work *w = me->work;
    const struct work_thread t = { me->index, w->conf.enter ? w->conf.enter(w->conf.arg, me->index) : NULL };
    pthread_mutex_lock(&w->lock);
    w->entered++;
    pthread_cond_signal(&w->entered_cond);
    for (;;) {
        while (w->n == 0 && !w->stopping) {
            w->sleeping++;
            pthread_cond_wait(&w->some, &w->lock);
            w->sleeping--;
            w->waking = false;
        }
        if (w->n == 0) break;
        struct job j = w->ring[w->first];
        w->first = w->first + 1 == w->conf.depth ? 0 : w->first + 1;
        w->n--;
        bool wake = wants_wake(w);
        pthread_mutex_unlock(&w->lock);
        if (wake) pthread_cond_signal(&w->some);
        j.run(j.arg, &t);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    if (w->conf.leave) w->conf.leave(w->conf.arg, me->index, t.ctx);
    return NULL;
}

static bool start_threads(struct work *w)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) return false;
    bool ok = !w->conf.stack_bytes || pthread_attr_setstacksize(&attr, w->conf.stack_bytes) == 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; ok && i < w->conf.threads; i++) {
        w->workers[i] = (struct worker){ .work = w, .index = i };
        ok = pthread_create(&w->workers[i].thread, &attr, worker_main, &w->workers[i]) == 0;
        if (ok) w->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    pthread_mutex_lock(&w->lock);
    while (w->entered < w->started) pthread_cond_wait(&w->entered_cond, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return ok;
}

enum eim_err work_start(struct work **out, const struct work_config *c, struct err *e)
{
    if (c->threads < 1 || c->threads > WORK_THREADS_MAX)
        return fail_field(e, E_CONF, NULL, "threads", "1 to %d, not %d", WORK_THREADS_MAX, c->threads);
    if (c->depth < 1 || c->depth > WORK_DEPTH_MAX)
        return fail_field(e, E_CONF, NULL, "depth", "1 to %d, not %zu", WORK_DEPTH_MAX, c->depth);
    struct work *w = calloc(1, sizeof *w);
    if (!w) return fail(e, E_NOMEM, NULL, "no memory for workers");
    w->conf = *c;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->some, NULL);
    pthread_cond_init(&w->entered_cond, NULL);
    w->ring = calloc(c->depth, sizeof *w->ring);
    w->workers = calloc((size_t)c->threads, sizeof *w->workers);
    if (!w->ring || !w->workers) {
        work_stop(w);
        return fail(e, E_NOMEM, NULL, "no memory for workers");
    }
    if (!start_threads(w)) {
        work_stop(w);
        return fail(e, E_IO, NULL, "cannot start %d worker threads", c->threads);
    }
    *out = w;
    return OK;
}

bool work_submit(struct work *w, void (*run)(void *arg, const struct work_thread *t), void *arg)
{
    pthread_mutex_lock(&w->lock);
    bool ok = !w->stopping && w->n < w->conf.depth;
    if (ok) {
        size_t at = w->first + w->n;
        w->ring[at >= w->conf.depth ? at - w->conf.depth : at] = (struct job){ run, arg };
        w->n++;
    }
    bool wake = ok && wants_wake(w);
    pthread_mutex_unlock(&w->lock);
    if (wake) pthread_cond_signal(&w->some);
    return ok;
}

size_t work_waiting(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->n;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void work_stop(struct work *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->some);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->started; i++) pthread_join(w->workers[i].thread, NULL);
    pthread_cond_destroy(&w->entered_cond);
    pthread_cond_destroy(&w->some);
    pthread_mutex_destroy(&w->lock);
    free(w->workers);
    free(w->ring);
    free(w);
}
