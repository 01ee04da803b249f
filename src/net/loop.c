/* loop.c -- loop threads: an event base, a queue of closures and an eventfd each.
 *
 * The queue is a stack that any thread pushes to with one compare-and-swap and that the loop takes whole and turns
 * around. Only a push onto the empty stack writes the eventfd: while the loop has not yet taken what is there, it is
 * due to wake anyway. The eventfd is edge-triggered and never read (each write is a new edge), which saves a system
 * call for each wake-up; its counter would need 2^64 writes to run over. */
#include "net/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    pthread_t thread;
    bool running;
    _Atomic(struct loop_task *) posted;
};

struct loops {
    int n;
    struct loop loop[];
};

struct loop_timer {
    struct event *ev;
    void (*fn)(void *arg);
    void *arg;
};

int64_t net_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void run_posted(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop *l = arg;
    struct loop_task *t = atomic_exchange_explicit(&l->posted, NULL, memory_order_acquire), *order = NULL;
    while (t) {                        /* newest first -> oldest first */
        struct loop_task *next = t->next;
        t->next = order;
        order = t;
        t = next;
    }
    while (order) {
        struct loop_task *next = order->next;
        order->run(order->arg);
        order = next;
    }
}

void loop_post(struct loop *l, struct loop_task *t)
{
    struct loop_task *head = atomic_load_explicit(&l->posted, memory_order_relaxed);
    do t->next = head;
    while (!atomic_compare_exchange_weak_explicit(&l->posted, &head, t, memory_order_release, memory_order_relaxed));
    if (head) return;
    uint64_t one = 1;
    while (write(l->wake_fd, &one, sizeof one) < 0) {}      /* only EINTR is possible */
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static bool loop_init(struct loop *l)
{
    struct event_config *c = event_config_new();
    if (!c) return false;
    event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);       /* a base is touched by its own thread only */
    l->base = event_base_new_with_config(c);
    event_config_free(c);
    if (!l->base) return false;
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0) return false;
    l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST | EV_ET, run_posted, l);
    return l->wake && event_add(l->wake, NULL) == 0;
}

enum eim_err loops_start(struct loops **out, int n, struct err *e)
{
    if (n < 1 || n > LOOPS_MAX) return fail(e, E_CONF, NULL, "loop threads: 1 to %d, not %d", LOOPS_MAX, n);
    struct loops *l = calloc(1, sizeof *l + (size_t)n * sizeof l->loop[0]);
    if (!l) return fail(e, E_NOMEM, NULL, "no memory for loops");
    l->n = n;
    for (int i = 0; i < n; i++) l->loop[i].wake_fd = -1;
    bool ok = true;
    for (int i = 0; ok && i < n; i++) ok = loop_init(&l->loop[i]);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);            /* threads inherit it: signals are the main thread's */
    for (int i = 0; ok && i < n; i++)
        ok = l->loop[i].running = pthread_create(&l->loop[i].thread, NULL, loop_main, &l->loop[i]) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ok) {
        loops_stop(l);
        return fail(e, E_IO, NULL, "cannot start %d loop threads", n);
    }
    *out = l;
    return OK;
}

static void loop_break(void *arg)
{
    struct loop *l = arg;
    event_base_loopexit(l->base, NULL);                     /* after this round: tasks behind this one still run */
}

void loops_stop(struct loops *l)
{
    if (!l) return;
    for (int i = 0; i < l->n; i++) {
        struct loop *p = &l->loop[i];
        if (p->running) {
            struct loop_task stop = { loop_break, p, NULL };
            loop_post(p, &stop);
            pthread_join(p->thread, NULL);
            run_posted(-1, 0, p);                           /* what was posted while it ended */
        }
        if (p->wake) event_free(p->wake);
        if (p->wake_fd >= 0) close(p->wake_fd);
        if (p->base) event_base_free(p->base);
    }
    free(l);
}

int loops_count(const struct loops *l)
{
    return l->n;
}

struct loop *loops_get(struct loops *l, int i)
{
    return &l->loop[i];
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

bool loop_here(const struct loop *l)
{
    return pthread_equal(pthread_self(), l->thread);
}

struct call {
    void (*fn)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    bool done;
};

static void call_run(void *arg)
{
    struct call *c = arg;
    c->fn(c->arg);
    pthread_mutex_lock(&c->lock);
    c->done = true;
    pthread_cond_signal(&c->done_cond);
    pthread_mutex_unlock(&c->lock);
}

void loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct call c = { fn, arg, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    struct loop_task t = { call_run, &c, NULL };
    loop_post(l, &t);
    pthread_mutex_lock(&c.lock);
    while (!c.done) pthread_cond_wait(&c.done_cond, &c.lock);
    pthread_mutex_unlock(&c.lock);
    pthread_cond_destroy(&c.done_cond);
    pthread_mutex_destroy(&c.lock);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop_timer *t = arg;
    t->fn(t->arg);
}

struct loop_timer *loop_every(struct loop *l, int64_t period_us, void (*fn)(void *arg), void *arg)
{
    struct loop_timer *t = malloc(sizeof *t);
    if (!t) return NULL;
    *t = (struct loop_timer){ event_new(l->base, -1, EV_PERSIST, timer_fired, t), fn, arg };
    struct timeval tv = { period_us / 1000000, period_us % 1000000 };
    if (t->ev && event_add(t->ev, &tv) == 0) return t;
    loop_timer_free(t);
    return NULL;
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t) return;
    if (t->ev) event_free(t->ev);
    free(t);
}
