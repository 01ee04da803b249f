/* loop.h -- threads that do I/O and nothing else: one libevent base each (design 6).
 *
 * A loop belongs to its thread. Events and timers of a loop are made, changed and freed on that thread only
 * (or before loops_start_threads returned to anybody else); loop_post is the one way in from outside.
 * Nothing that runs on a loop may block. All signals are blocked in loop threads. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct event_base;
struct loops;
struct loop;

enum { LOOPS_MAX = 64 };

/* A closure for a loop. The caller owns it and keeps it untouched until `run` begins; from then on it is the
 * caller's again, so `run` may free or post it. Nothing is allocated on the way. */
struct loop_task {
    void (*run)(void *arg);
    void *arg;
    struct loop_task *next;            /* the loop's own */
};

/* loops_start -- n threads (1 to LOOPS_MAX), each running its own loop. E_IO or E_NOMEM: nothing was started. */
MUST enum eim_err loops_start(struct loops **out, int n, struct err *e);

/* loops_stop -- run what was posted so far, end and join all threads, free all. Blocks. NULL is a no-op.
 * Whoever put events on a loop (an http_server) must be gone before. */
void loops_stop(struct loops *l);

int loops_count(const struct loops *l);
struct loop *loops_get(struct loops *l, int i);

/* loop_post -- run t->run(t->arg) on the loop's thread, soon. Tasks of one thread run in the order posted.
 * Any thread, never blocks, cannot fail; wake-ups of a loop that is already due to wake are coalesced. */
void loop_post(struct loop *l, struct loop_task *t);

/* loop_call -- run fn(arg) on the loop and wait until it has returned. Not from a loop thread. */
void loop_call(struct loop *l, void (*fn)(void *arg), void *arg);

/* loop_here -- is this the loop's own thread? */
bool loop_here(const struct loop *l);

/* loop_base -- the loop's event base, for net's own use on the loop's thread. */
struct event_base *loop_base(struct loop *l);

/* loop_every -- call fn(arg) on the loop every `period_us`, first after one period. On the loop's thread.
 * NULL when there is no memory. loop_timer_free also on the loop's thread; NULL is a no-op. */
struct loop_timer;
struct loop_timer *loop_every(struct loop *l, int64_t period_us, void (*fn)(void *arg), void *arg);
void loop_timer_free(struct loop_timer *t);

/* net_now_us -- monotonic microseconds: for deadlines of sockets only; all other time comes from env. */
int64_t net_now_us(void);

#endif
