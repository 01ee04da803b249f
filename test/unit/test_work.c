/* test_work.c -- the loops and the workers: order, bounds, thread contexts, stopping. Runs under ThreadSanitizer too. */
#include "test/lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "net/loop.h"
#include "net/work.h"

enum { JOBS = 5000 };

/* A door that jobs wait at until it is opened. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool open;
    int inside;
};

#define GATE { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 }

static void gate_enter(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->inside++;
    pthread_cond_broadcast(&g->cond);
    while (!g->open) pthread_cond_wait(&g->cond, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_wait_inside(struct gate *g, int n)
{
    pthread_mutex_lock(&g->lock);
    while (g->inside < n) pthread_cond_wait(&g->cond, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->lock);
}

static void wait_at_gate(void *arg, const struct work_thread *t)
{
    (void)t;
    gate_enter(arg);
}

static void add_one(void *arg, const struct work_thread *t)
{
    (void)t;
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static void a_full_queue_refuses_and_stop_finishes_what_was_taken(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct work *w;
    struct gate g = GATE;
    _Atomic int done = 0;
    assert_ok(work_start(&w, &(struct work_config){ .threads = 1, .depth = 3 }, &e));
    assert_true(work_submit(w, wait_at_gate, &g));
    gate_wait_inside(&g, 1);           /* the thread is busy, the queue empty */
    for (int i = 0; i < 3; i++) assert_true(work_submit(w, add_one, &done));
    assert_false(work_submit(w, add_one, &done));
    assert_int_equal(work_waiting(w), 3);
    gate_open(&g);
    work_stop(w);
    assert_int_equal(done, 3);
}

static void no_job_waits_behind_a_slow_one_while_a_thread_sleeps(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct work *w;
    enum { THREADS = 4, ROUNDS = 300 };
    static struct gate gates[ROUNDS];
    assert_ok(work_start(&w, &(struct work_config){ .threads = THREADS, .depth = 16 }, &e));
    for (int k = 0; k < ROUNDS; k++) {          /* many times: a wake-up gets lost only when the moment is right */
        gates[k] = (struct gate)GATE;
        for (int i = 0; i < THREADS; i++)
            while (!work_submit(w, wait_at_gate, &gates[k])) sched_yield();
        gate_wait_inside(&gates[k], THREADS);   /* hangs for ever if a wake-up got lost */
        gate_open(&gates[k]);
    }
    work_stop(w);
}

struct order {
    int next, wrong;
    struct { struct order *o; int n; } job[JOBS];
};

static void note_order(void *arg, const struct work_thread *t)
{
    struct { struct order *o; int n; } *j = arg;
    (void)t;
    if (j->n != j->o->next++) j->o->wrong++;
}

static void one_thread_keeps_the_order(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct work *w;
    struct order *o = calloc(1, sizeof *o);
    assert_non_null(o);
    assert_ok(work_start(&w, &(struct work_config){ .threads = 1, .depth = 7 }, &e));      /* the ring turns many times */
    for (int i = 0; i < JOBS; i++) {
        o->job[i].o = o;
        o->job[i].n = i;
        while (!work_submit(w, note_order, &o->job[i])) sched_yield();
    }
    work_stop(w);
    assert_int_equal(o->next, JOBS);
    assert_int_equal(o->wrong, 0);
    free(o);
}

struct contexts {
    int made[4], left[4];              /* one slot a thread: no lock needed */
    _Atomic int wrong, jobs;
};

static void *enter(void *arg, int index)
{
    struct contexts *c = arg;
    c->made[index]++;
    return &c->made[index];
}

static void leave(void *arg, int index, void *ctx)
{
    struct contexts *c = arg;
    if (ctx != &c->made[index]) c->wrong++;
    c->left[index]++;
}

static void check_context(void *arg, const struct work_thread *t)
{
    struct contexts *c = arg;
    if (t->index < 0 || t->index >= 4 || t->ctx != &c->made[t->index]) c->wrong++;
    c->jobs++;
}

static void each_thread_has_its_own_context(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct work *w;
    struct contexts c = { 0 };
    const struct work_config k = { .threads = 4, .depth = 64, .stack_bytes = 128 << 10, .enter = enter, .leave = leave, .arg = &c };
    assert_ok(work_start(&w, &k, &e));
    for (int i = 0; i < 4; i++) assert_int_equal(c.made[i], 1);        /* all entered before work_start returned */
    for (int i = 0; i < JOBS; i++)
        while (!work_submit(w, check_context, &c)) sched_yield();
    work_stop(w);
    assert_int_equal(c.jobs, JOBS);
    assert_int_equal(c.wrong, 0);
    for (int i = 0; i < 4; i++) assert_int_equal(c.left[i], 1);
}

static void settings_outside_their_limits_are_refused(void **state)
{
    (void)state;
    struct err e;
    struct work *w = NULL;
    struct loops *l = NULL;
    assert_refused(E_CONF, work_start(&w, &(struct work_config){ .threads = 0, .depth = 1 }, &e));
    assert_refused(E_CONF, work_start(&w, &(struct work_config){ .threads = WORK_THREADS_MAX + 1, .depth = 1 }, &e));
    assert_refused(E_CONF, work_start(&w, &(struct work_config){ .threads = 1, .depth = 0 }, &e));
    assert_refused(E_CONF, work_start(&w, &(struct work_config){ .threads = 1, .depth = (size_t)WORK_DEPTH_MAX + 1 }, &e));
    assert_refused(E_IO, work_start(&w, &(struct work_config){ .threads = 1, .depth = 1, .stack_bytes = 1 }, &e));
    assert_refused(E_CONF, loops_start(&l, 0, &e));
    assert_refused(E_CONF, loops_start(&l, LOOPS_MAX + 1, &e));
    assert_null(w);
    assert_null(l);
    work_stop(NULL);
    loops_stop(NULL);
}

/* Loops. */

struct posted {
    struct loop_task task;
    struct loop *loop;
    struct ledger *ledger;
    int from, n;
};

struct ledger {
    int next[2], wrong, count;         /* touched on the loop only */
    struct gate all;
};

static void run_posted(void *arg)
{
    struct posted *p = arg;
    struct ledger *g = p->ledger;
    if (!loop_here(p->loop) || g->next[p->from]++ != p->n) g->wrong++;
    if (++g->count < 2 * JOBS) return;
    pthread_mutex_lock(&g->all.lock);
    g->all.inside = 1;
    pthread_cond_broadcast(&g->all.cond);
    pthread_mutex_unlock(&g->all.lock);
}

static void *post_many(void *arg)
{
    struct posted *p = arg;
    for (int i = 0; i < JOBS; i++) loop_post(p[i].loop, &p[i].task);
    return NULL;
}

static void tasks_run_on_the_loop_in_the_order_of_each_thread(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct loops *l;
    struct ledger g = { .all = GATE };
    struct posted *p = calloc((size_t)2 * JOBS, sizeof *p);
    assert_non_null(p);
    assert_ok(loops_start(&l, 2, &e));
    assert_int_equal(loops_count(l), 2);
    for (int i = 0; i < 2 * JOBS; i++)
        p[i] = (struct posted){ { run_posted, &p[i], NULL }, loops_get(l, 1), &g, i / JOBS, i % JOBS };
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, post_many, p), 0);
    post_many(p + JOBS);
    pthread_join(other, NULL);
    gate_wait_inside(&g.all, 1);
    loops_stop(l);
    assert_int_equal(g.wrong, 0);
    assert_int_equal(g.count, 2 * JOBS);
    free(p);
}

static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void what_was_posted_before_the_stop_still_runs(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct loops *l;
    int n = 0;
    struct loop_task t[100];
    assert_ok(loops_start(&l, 1, &e));
    for (int i = 0; i < 100; i++) {
        t[i] = (struct loop_task){ count_up, &n, NULL };
        loop_post(loops_get(l, 0), &t[i]);
    }
    loops_stop(l);
    assert_int_equal(n, 100);
}

struct ticker {
    struct loop *loop;
    struct loop_timer *timer;
    int n;
    struct gate gate;
};

static void tick(void *arg)
{
    struct ticker *t = arg;
    if (++t->n < 3) return;
    loop_timer_free(t->timer);         /* from within is allowed */
    pthread_mutex_lock(&t->gate.lock);
    t->gate.inside = 1;
    pthread_cond_broadcast(&t->gate.cond);
    pthread_mutex_unlock(&t->gate.lock);
}

static void start_ticker(void *arg)
{
    struct ticker *t = arg;
    t->timer = loop_every(t->loop, 1000, tick, t);
}

static void a_timer_fires_until_it_is_freed(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct loops *l;
    struct ticker t = { .gate = GATE };
    assert_ok(loops_start(&l, 1, &e));
    t.loop = loops_get(l, 0);
    loop_call(t.loop, start_ticker, &t);
    gate_wait_inside(&t.gate, 1);
    loops_stop(l);
    assert_int_equal(t.n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_refuses_and_stop_finishes_what_was_taken),
        cmocka_unit_test(no_job_waits_behind_a_slow_one_while_a_thread_sleeps),
        cmocka_unit_test(one_thread_keeps_the_order),
        cmocka_unit_test(each_thread_has_its_own_context),
        cmocka_unit_test(settings_outside_their_limits_are_refused),
        cmocka_unit_test(tasks_run_on_the_loop_in_the_order_of_each_thread),
        cmocka_unit_test(what_was_posted_before_the_stop_still_runs),
        cmocka_unit_test(a_timer_fires_until_it_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
