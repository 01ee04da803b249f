/* test_store_threads.c -- the queue, batches and readers of the store under several threads; also run under ThreadSanitizer. */
#include "test/unit/store_suite.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { THREADS = 4, ROUNDS = 50 };

/* ---- a job that holds a writer until it is let go, so that what is submitted meanwhile waits in the queue ---- */

struct plug { struct store_job job; sem_t running, go; };

static enum eim_err plug_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct plug *p = (struct plug *)job;
    (void)t, (void)e;
    sem_post(&p->running);
    sem_wait(&p->go);
    return OK;
}

static void plug_in(struct plug *p, struct store *s)
{
    *p = (struct plug){ .job.apply = plug_apply };
    sem_init(&p->running, 0, 0);
    sem_init(&p->go, 0, 0);
    good(store_submit(s, &p->job, &e));
    sem_wait(&p->running);
}

static void plug_pull(struct plug *p) { sem_post(&p->go); }

/* ---- jobs that are counted when done ---- */

struct counted {
    struct script script;                          /* first member */
    struct step step[2];
    struct device d;
    enum eim_err rc;
    int dones, order;
    struct tally *tally;
};
struct tally { pthread_mutex_t lock; pthread_cond_t more; int n; };

static void counted_done(struct store_job *job, enum eim_err rc)
{
    struct counted *c = (struct counted *)job;
    pthread_mutex_lock(&c->tally->lock);
    c->rc = rc;
    c->dones++;
    c->order = c->tally->n++;
    pthread_cond_signal(&c->tally->more);
    pthread_mutex_unlock(&c->tally->lock);
}

static void tally_init(struct tally *t)
{
    *t = (struct tally){ 0 };
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->more, NULL);
}

static void tally_wait(struct tally *t, int n)
{
    pthread_mutex_lock(&t->lock);
    while (t->n < n) pthread_cond_wait(&t->more, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static void counted_make(struct counted *c, struct tally *t, int64_t association, enum eim_err give_up)
{
    *c = (struct counted){ .d = a_device(association), .tally = t };
    c->step[0] = (struct step){ .what = DEVICE_INSERT, .p = &c->d };
    c->step[1] = (struct step){ .what = GIVE_UP, .a = give_up };
    c->script = (struct script){ .job = { .apply = script_apply, .done = counted_done }, .step = c->step, .n = give_up ? 2 : 1 };
}

static bool there(struct store *s, int64_t association)
{
    struct arena a;
    struct device d;
    arena_init(&a, 1 << 16);
    READ(s, good(store_device_get(t, association, &d, &a, &e)));
    arena_free(&a);
    return d.association != 0;
}

/* ---- batches ---- */

static void one_bad_job_does_not_harm_the_others_of_its_batch(void **state)
{
    static struct counted c[64];
    struct store *s = open_url(fresh_url(state));
    struct plug p;
    struct tally t;
    tally_init(&t);
    plug_in(&p, s);
    for (int i = 0; i < 64; i++) {
        counted_make(&c[i], &t, 100 + i, i == 37 ? E_RULE : OK);
        good(store_submit(s, &c[i].script.job, &e));
    }
    plug_pull(&p);
    tally_wait(&t, 64);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(c[i].dones, 1);
        assert_int_equal(c[i].rc, i == 37 ? E_RULE : OK);
        assert_int_equal(c[i].script.job.err.code, i == 37 ? E_RULE : OK);
        assert_int_equal(there(s, 100 + i), i != 37);
    }
    store_close(s);
}

struct looking { struct script script; struct store *store; int64_t association; bool seen; sem_t done; };

static void looking_done(struct store_job *job, enum eim_err rc)
{
    struct looking *l = (struct looking *)job;
    l->seen = rc == OK && there(l->store, l->association);
    sem_post(&l->done);
}

static void a_job_is_done_when_others_can_see_it(void **state)
{
    struct store *s = open_url(fresh_url(state));
    struct device d = a_device(5);
    struct step step = { .what = DEVICE_INSERT, .p = &d };
    struct looking l = { .script = { .job = { .apply = script_apply, .done = looking_done }, .step = &step, .n = 1 }, .store = s, .association = 5 };
    sem_init(&l.done, 0, 0);
    good(store_submit(s, &l.script.job, &e));
    sem_wait(&l.done);
    assert_true(l.seen);
    store_close(s);
}

static void jobs_of_one_thread_are_done_in_order_on_sqlite(void **state)
{
    static struct counted c[300];
    struct store *s = open_url(fresh_url(state));
    struct tally t;
    tally_init(&t);
    for (int i = 0; i < 300; i++) {
        counted_make(&c[i], &t, 1 + i, OK);
        good(store_submit(s, &c[i].script.job, &e));
    }
    tally_wait(&t, 300);
    for (int i = 0; i < 300; i++) assert_int_equal(c[i].order, i);
    store_close(s);
}

static void a_full_queue_is_said_at_once(void **state)
{
    static struct counted c[6];
    struct plug p;
    struct tally t;
    struct store *s;
    good(store_open(&s, &(struct store_options){ .url = fresh_url(state), .queue = 4, .writers = 1 }, &e));
    tally_init(&t);
    plug_in(&p, s);
    for (int i = 0; i < 6; i++) counted_make(&c[i], &t, 1 + i, OK);
    for (int i = 0; i < 4; i++) good(store_submit(s, &c[i].script.job, &e));
    bad(E_BUSY, store_submit(s, &c[4].script.job, &e));
    bad(E_BUSY, store_run(s, &c[5].script.job, &e));
    plug_pull(&p);
    tally_wait(&t, 4);
    good(store_submit(s, &c[4].script.job, &e));
    tally_wait(&t, 5);
    assert_int_equal(c[4].dones, 1);
    assert_int_equal(c[5].dones, 0);
    assert_false(there(s, 6));
    store_close(s);
}

static void closing_finishes_what_was_queued(void **state)
{
    static struct counted c[200];
    const char *url = fresh_url(state);
    struct store *s = open_url(url);
    struct tally t;
    tally_init(&t);
    for (int i = 0; i < 200; i++) {
        counted_make(&c[i], &t, 1 + i, OK);
        good(store_submit(s, &c[i].script.job, &e));
    }
    store_close(s);
    assert_int_equal(t.n, 200);
    s = open_url(url);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(c[i].rc, OK);
        assert_true(there(s, 1 + i));
    }
    store_close(s);
}

/* ---- jobs that submit jobs ---- */

struct chain { struct script script; struct step step; struct device d; struct store *store; sem_t end; enum eim_err rc; };

static void chain_done(struct store_job *job, enum eim_err rc)
{
    struct chain *c = (struct chain *)job;
    c->rc = rc;
    if (rc == OK && ++c->d.association <= 20) rc = store_submit(c->store, job, &(struct err){ 0 });
    else rc = E_LIMIT;
    if (rc != OK) sem_post(&c->end);
}

static void chain_run(struct store *s)
{
    struct chain c = { .store = s, .d = a_device(1) };
    c.step = (struct step){ .what = DEVICE_INSERT, .p = &c.d };
    c.script = (struct script){ .job = { .apply = script_apply, .done = chain_done }, .step = &c.step, .n = 1 };
    sem_init(&c.end, 0, 0);
    good(store_submit(s, &c.script.job, &e));
    sem_wait(&c.end);
    assert_int_equal(c.rc, OK);
    for (int i = 1; i <= 20; i++) assert_true(there(s, i));
}

static void a_job_that_is_done_may_submit_the_next(void **state)
{
    struct store *s = open_url(fresh_url(state));
    chain_run(s);
    store_close(s);
}

static void inline_writes_are_done_when_submit_returns(void **state)
{
    struct store *s;
    struct counted c;
    struct tally t;
    tally_init(&t);
    good(store_open(&s, &(struct store_options){ .url = fresh_url(state), .inline_writes = true }, &e));
    counted_make(&c, &t, 100, OK);
    good(store_submit(s, &c.script.job, &e));
    assert_int_equal(c.dones, 1);
    assert_int_equal(c.rc, OK);
    counted_make(&c, &t, 101, E_RULE);
    good(store_submit(s, &c.script.job, &e));
    assert_int_equal(c.rc, E_RULE);
    assert_true(there(s, 100));
    assert_false(there(s, 101));
    chain_run(s);
    store_close(s);
}

/* The log of SQLite is copied into the file beside the writer: 200 MiB are written, the log stays below 160. */
static void the_log_is_not_kept_for_ever(void **state)
{
    static uint8_t megabyte[1 << 20];
    const char *url = fresh_url(state);
    struct store *s = open_url(url);
    struct device d = a_device(5);
    struct device_data data = { .info = slice_of(megabyte, sizeof megabyte), .as_of_us = 1 }, got;
    struct stat st;
    struct arena a;
    char log[300];
    off_t most = 0;
    snprintf(log, sizeof log, "%s-wal", url + 7);
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    for (int i = 0; i < 200; i++) {
        memset(megabyte, i, sizeof megabyte);
        good(WRITE(s, W(DATA_PUT, &data, 5)));
        assert_int_equal(stat(log, &st), 0);
        if (st.st_size > most) most = st.st_size;
    }
    assert_true(most > 8 << 20);
    assert_true(most < 160 << 20);
    arena_init(&a, 4 << 20);
    READ(s, good(store_data_get(t, 5, &got, &a, &e)));
    assert_true(slice_eq(got.info, data.info));
    arena_free(&a);
    store_close(s);
}

/* ---- many threads on one row ---- */

struct racer { struct store *store; int stale, wrong; pthread_t thread; };

static void *race(void *arg)
{
    struct racer *r = arg;
    struct arena a;
    struct tx *t;
    arena_init(&a, 1 << 16);
    for (int i = 0; i < ROUNDS;) {
        struct device d;
        struct err e = { 0 };
        if (store_read_begin(r->store, &t, &e) != OK) r->wrong++;
        if (store_device_get(t, 5, &d, &a, &e) != OK) r->wrong++;
        store_read_end(t);
        d.counter++;
        struct step step = { .what = DEVICE_UPDATE, .p = &d };
        enum eim_err rc = script_run(r->store, &step, 1, &e);
        if (rc == OK) i++;
        else if (rc == E_STALE) r->stale++;
        else r->wrong++, i++;
        arena_reset(&a);
    }
    arena_free(&a);
    return NULL;
}

static void of_two_writers_of_one_version_only_one_wins(void **state)
{
    struct store *s = open_url(fresh_url(state));
    struct racer r[THREADS];
    struct device d = a_device(5);
    struct arena a;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    for (int i = 0; i < THREADS; i++) {
        r[i] = (struct racer){ .store = s };
        assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(r[i].thread, NULL);
        assert_int_equal(r[i].wrong, 0);
    }
    arena_init(&a, 1 << 16);
    READ(s, good(store_device_get(t, 5, &d, &a, &e)));
    assert_int_equal(d.counter, THREADS * ROUNDS);                           /* no update was lost */
    assert_int_equal(d.version, THREADS * ROUNDS + 1);
    arena_free(&a);
    store_close(s);
}

/* Jobs that lock two devices in opposite orders: PostgreSQL ends one of them, and it runs again. */
struct cross { struct store_job job; int64_t first, second; struct store *store; pthread_t thread; int failed; };

static enum eim_err cross_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct cross *c = (struct cross *)job;
    struct device d;
    struct arena a;
    int64_t both[2] = { c->first, c->second };
    enum eim_err rc = OK;
    arena_init(&a, 1 << 16);
    for (int i = 0; i < 2 && rc == OK; i++) {
        rc = store_device_lock(t, both[i], &d, &a, e);
        d.counter++;
        if (rc == OK) rc = store_device_update(t, &d, e);
    }
    arena_free(&a);
    return rc;
}

static void *cross(void *arg)
{
    struct cross *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct err e = { 0 };
        if (store_run(c->store, &c->job, &e) != OK) c->failed++;
    }
    return NULL;
}

static void a_deadlock_is_tried_again(void **state)
{
    struct store *s = open_url(fresh_url(state));
    struct device d = a_device(5), f = a_device(6);
    struct cross c[2];
    struct arena a;
    int done = 0;
    good(WRITE(s, W(DEVICE_INSERT, &d), W(DEVICE_INSERT, &f)));
    for (int i = 0; i < 2; i++) {
        c[i] = (struct cross){ .job.apply = cross_apply, .first = 5 + i, .second = 6 - i, .store = s };
        assert_int_equal(pthread_create(&c[i].thread, NULL, cross, &c[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(c[i].thread, NULL);
        done += ROUNDS - c[i].failed;
    }
    arena_init(&a, 1 << 16);
    READ(s, good(store_device_get(t, 5, &d, &a, &e)); good(store_device_get(t, 6, &f, &a, &e)));
    assert_int_equal(d.counter, done);                                       /* neither half a job nor one twice */
    assert_int_equal(f.counter, done);
    assert_true(done >= ROUNDS);
    arena_free(&a);
    store_close(s);
}

/* ---- readers ---- */

struct borrower { struct store *store; pthread_t thread; int wrong; };

static void *borrow(void *arg)
{
    struct borrower *b = arg;
    for (int i = 0; i < ROUNDS; i++)
        if (!there(b->store, 5)) b->wrong++;
    return NULL;
}

static void more_threads_than_readers_wait_for_each_other(void **state)
{
    struct borrower b[THREADS];
    struct device d = a_device(5);
    struct store *s;
    good(store_open(&s, &(struct store_options){ .url = fresh_url(state), .readers = 2, .writers = 1 }, &e));
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    for (int i = 0; i < THREADS; i++) {
        b[i] = (struct borrower){ .store = s };
        assert_int_equal(pthread_create(&b[i].thread, NULL, borrow, &b[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(b[i].thread, NULL);
        assert_int_equal(b[i].wrong, 0);
    }
    store_close(s);
}

/* ---- marks ---- */

struct marked { struct store *s; atomic_long told; atomic_bool over; long seen; };

/* A row that was read under a mark is never older than what its writer was told of, as long as the mark stands. */
static void *believe(void *arg)
{
    struct marked *m = arg;
    struct arena a;
    arena_init(&a, 1 << 16);
    while (!m->over) {
        struct device d;
        uint64_t mark = store_device_mark(m->s, 7);
        arena_reset(&a);
        READ(m->s, good(store_device_get(t, 7, &d, &a, &e)));
        for (int i = 0; i < 100; i++) {
            long told = m->told;
            if (store_device_mark(m->s, 7) != mark) break;
            if (d.counter < told) flunk("counter %ld is believed, %ld was told", (long)d.counter, told);
            m->seen++;
        }
    }
    arena_free(&a);
    return NULL;
}

static void what_a_mark_covers_is_never_older_than_what_was_told(void **state)
{
    enum { BELIEVERS = 2 };
    struct marked m[BELIEVERS] = { 0 };
    pthread_t thread[BELIEVERS];
    struct store *s = open_url(fresh_url(state));
    struct device d = a_device(7);
    d.counter = 0;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    for (int i = 0; i < BELIEVERS; i++) {
        m[i].s = s;
        assert_int_equal(pthread_create(&thread[i], NULL, believe, &m[i]), 0);
    }
    for (d.version = 1; d.version <= 2 * ROUNDS; d.version++) {
        d.counter = d.version;
        good(WRITE(s, W(DEVICE_UPDATE, &d)));
        for (int i = 0; i < BELIEVERS; i++) m[i].told = d.counter;
    }
    long seen = 0;
    for (int i = 0; i < BELIEVERS; i++) m[i].over = true;
    for (int i = 0; i < BELIEVERS; i++) {
        pthread_join(thread[i], NULL);
        seen += m[i].seen;
    }
    assert_true(seen > 0);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(one_bad_job_does_not_harm_the_others_of_its_batch), BOTH(a_job_is_done_when_others_can_see_it),
        SQLITE(jobs_of_one_thread_are_done_in_order_on_sqlite), BOTH(a_full_queue_is_said_at_once), BOTH(closing_finishes_what_was_queued),
        BOTH(a_job_that_is_done_may_submit_the_next), BOTH(inline_writes_are_done_when_submit_returns),
        BOTH(of_two_writers_of_one_version_only_one_wins), BOTH(a_deadlock_is_tried_again),
        BOTH(more_threads_than_readers_wait_for_each_other), SQLITE(the_log_is_not_kept_for_ever), SQLITE(what_a_mark_covers_is_never_older_than_what_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
