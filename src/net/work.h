/* work.h -- a bounded queue and the threads that empty it (design 3, steps 2 and 3).
 *
 * All functions may be called from any thread. Signals are blocked in worker threads. */
#ifndef NET_WORK_H
#define NET_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct work;

enum { WORK_THREADS_MAX = 256, WORK_DEPTH_MAX = 1 << 20 };

/* What a job is told about the thread it runs on. */
struct work_thread {
    int index;                         /* 0 .. threads-1: a worker's own read connection, say */
    void *ctx;                         /* what enter() made; NULL without enter() */
};

struct work_config {
    int threads;                       /* 1 .. WORK_THREADS_MAX */
    size_t depth;                      /* most jobs waiting, 1 .. WORK_DEPTH_MAX */
    size_t stack_bytes;                /* 0: the system's default; else at least 64 KiB */
    void *(*enter)(void *arg, int index);          /* optional: runs first on each thread, makes its ctx */
    void (*leave)(void *arg, int index, void *ctx);/* optional: runs last on each thread */
    void *arg;                         /* for enter and leave */
};

/* work_start -- returns when every thread has run enter(). E_CONF outside the limits above, E_NOMEM, E_IO:
 * then nothing runs. */
MUST enum eim_err work_start(struct work **out, const struct work_config *c, struct err *e);

/* work_submit -- queue run(arg, thread). False when the queue is full or work_stop has begun: then nothing
 * happens to arg. Never blocks, never allocates. Jobs start in the order submitted. */
MUST bool work_submit(struct work *w, void (*run)(void *arg, const struct work_thread *t), void *arg);

/* work_waiting -- jobs queued and not begun, a moment ago. */
size_t work_waiting(struct work *w);

/* work_stop -- refuse new jobs, finish those queued, run leave() on each thread, join, free. Blocks. NULL is a no-op.
 * A work_submit of another thread must not come after it has returned. */
void work_stop(struct work *w);

#endif
