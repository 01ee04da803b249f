/* writer.c -- the queue of jobs and the threads that run them.
 *
 * SQLite has one writer: it begins a transaction, runs the jobs that wait one after the other, each in its SAVEPOINT, and
 * commits them together, so that one fdatasync serves up to BATCH_MAX of them. PostgreSQL has many writers, each
 * with one job a transaction; the server groups their commits itself.
 *
 * W1 done() of a job runs exactly once, after the COMMIT that holds it has returned, or after it is certain that
 *    nothing of it was changed (or, with PostgreSQL, when a lost connection leaves the outcome of COMMIT unknown: E_STORE).
 * W2 A job that COMMIT may have made durable never runs a second time.
 * W3 A job waits for others at most BATCH_WAIT_US, and only while the batch before it was larger: a lone writer never waits. */
#include "store/store_int.h"

#include "base/mem.h"

struct writer {
    /* configuration */
    struct store *store;
    unsigned threads;
    bool inline_writes;
    /* state */
    pthread_mutex_t lock;                          /* of the queue */
    pthread_cond_t work;
    struct store_job *first, **last;
    unsigned queued, last_batch;
    bool closing;
    pthread_mutex_t inline_lock;                   /* inline_writes: one job at a time */
    unsigned started;
    pthread_t thread[WRITERS_MAX];
    struct line line[WRITERS_MAX];
};

struct batch {
    unsigned n;
    struct store_job *job[BATCH_MAX];
    enum eim_err rc[BATCH_MAX];
};

/* ---- running ---- */

static void job_failed(struct batch *b, unsigned i, enum eim_err rc)
{
    b->rc[i] = rc;
    if (b->job[i]->err.code == OK) fail(&b->job[i]->err, rc, NULL, "%s", err_title(rc));
}

/* batch_failed -- nothing of the batch is durable: those that were well so far fail with its reason. */
static void batch_failed(struct batch *b, const struct err *why)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (b->rc[i] != OK) continue;
        b->rc[i] = E_STORE;
        b->job[i]->err = *why;
        b->job[i]->err.code = E_STORE;
    }
}

static void batch_done(struct batch *b)
{
    for (unsigned i = 0; i < b->n; i++)
        if (b->job[i]->done) b->job[i]->done(b->job[i], b->rc[i]);
    b->n = 0;
}

/* job_run -- apply a job inside the open transaction, in a savepoint if the driver groups jobs.
 * False: the transaction is gone or in doubt, and *why says why. */
static bool job_run(struct line *l, struct batch *b, unsigned i, struct err *why)
{
    struct tx t = { .line = l, .begun = true };
    struct store_job *job = b->job[i];
    bool grouped = l->store->driver->grouped;
    enum eim_err rc = grouped ? line_control(l, CTL_SAVEPOINT, why) : OK;
    if (rc != OK) return false;
    job->err = (struct err){ 0 };
    rc = job->apply(&t, job, &job->err);
    if (rc == OK && t.broken) rc = fail(&job->err, E_STORE, NULL, "a statement failed and the job did not say so");
    if (rc == OK) return !grouped || line_control(l, CTL_RELEASE, why) == OK;
    job_failed(b, i, rc);
    if (l->conn->trouble != TROUBLE_NONE) {
        *why = job->err;
        return false;
    }
    return grouped && line_control(l, CTL_ROLLBACK_TO, why) == OK && line_control(l, CTL_RELEASE, why) == OK;
}

/* ---- many jobs a COMMIT ---- */

/* next_job -- the next job of a batch that began at began_us, or NULL when it is time to commit. */
static struct store_job *next_job(struct writer *w, unsigned in_batch, int64_t began_us)
{
    struct store_job *job = NULL;
    struct timespec until = { 0 };
    if (in_batch == BATCH_MAX || store_clock_us() > began_us + BATCH_MOST_US) return NULL;
    pthread_mutex_lock(&w->lock);
    if (!w->first && in_batch < w->last_batch && !w->closing) {
        int64_t us = began_us + BATCH_WAIT_US;
        until = (struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
        while (!w->first && !w->closing && pthread_cond_timedwait(&w->work, &w->lock, &until) == 0) {}
    }
    if ((job = w->first)) {
        if (!(w->first = job->next)) w->last = &w->first;
        w->queued--;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

/* batch_run -- the first job is in the batch already; when `w` is given others that wait join it. */
static void batch_run(struct line *l, struct batch *b, struct writer *w)
{
    struct err why = { 0 };
    int64_t began_us = w ? store_clock_us() : 0;
    bool alive = line_begin(l, CTL_BEGIN_WRITE, &why) == OK;
    for (unsigned i = 0; alive && i < b->n; i++) {
        alive = job_run(l, b, i, &why);
        struct store_job *more = alive && w && i + 1 == b->n ? next_job(w, b->n, began_us) : NULL;
        if (more) {
            b->rc[b->n] = OK;
            b->job[b->n++] = more;
        }
    }
    if (alive) alive = line_control(l, CTL_COMMIT, &why) == OK;
    if (!alive) {
        line_rollback(l);
        batch_failed(b, &why);
        touched(&(struct tx){ .line = l }, 0);     /* what is in the database now? Whoever wants to know shall read */
    }
    touched_publish(l);
}

/* ---- one job a transaction ---- */

/* single_run -- begin, apply, commit; *again when it surely changed nothing and may be run once more. */
static void single_run(struct line *l, struct batch *b, bool *again)
{
    struct err why = { 0 };
    *again = false;
    b->rc[0] = OK;
    if (line_begin(l, CTL_BEGIN_WRITE, &why) != OK) {
        batch_failed(b, &why);
        return;
    }
    bool alive = job_run(l, b, 0, &why);
    if (alive) alive = line_control(l, CTL_COMMIT, &why) == OK;
    if (alive) return;
    *again = l->conn->trouble == TROUBLE_AGAIN || (l->conn->trouble == TROUBLE_LOST && b->rc[0] != OK);
    line_rollback(l);
    batch_failed(b, &why);
}

static void one_run(struct line *l, struct batch *b)
{
    bool again = true;
    for (int i = 0; again && i <= AGAIN_MAX; i++) single_run(l, b, &again);
    touched_publish(l);
}

/* ---- the threads ---- */

/* wait_job -- the oldest job; NULL when the store closes and none is left. */
static struct store_job *wait_job(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->closing) pthread_cond_wait(&w->work, &w->lock);
    struct store_job *job = w->first;
    if (job) {
        if (!(w->first = job->next)) w->last = &w->first;
        w->queued--;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *writer_loop(void *arg)
{
    struct line *l = arg;
    struct store *s = l->store;
    struct writer *w = s->writer;
    struct batch b = { 0 };
    struct store_job *job;
    while ((job = wait_job(w))) {
        b.n = 1;
        b.job[0] = job;
        b.rc[0] = OK;
        if (s->driver->grouped) {
            batch_run(l, &b, w);
            w->last_batch = b.n;                   /* there is one such thread */
        } else {
            one_run(l, &b);
        }
        batch_done(&b);
        if (l->conn && s->driver->rest) s->driver->rest(l->conn);
    }
    return NULL;
}

/* run_inline -- in the caller's thread: a batch of one. done() runs outside the lock, as it may submit again. */
static void run_inline(struct writer *w, struct store_job *job)
{
    struct batch b = { .n = 1, .job = { job } };
    pthread_mutex_lock(&w->inline_lock);
    if (w->store->driver->grouped) batch_run(&w->line[0], &b, NULL);
    else one_run(&w->line[0], &b);
    if (w->line[0].conn && w->store->driver->rest) w->store->driver->rest(w->line[0].conn);
    pthread_mutex_unlock(&w->inline_lock);
    batch_done(&b);
}

enum eim_err writer_start(struct store *s, struct err *e)
{
    struct writer *w = s->writer = MEM_NEW(struct writer);
    pthread_condattr_t monotonic;
    if (!w) return fail(e, E_NOMEM, NULL, "no memory for the writer");
    w->store = s;
    w->last = &w->first;
    w->inline_writes = s->o.inline_writes;
    w->threads = s->driver->grouped || w->inline_writes ? 1 : s->o.writers;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->inline_lock, NULL);
    pthread_cond_init(&w->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (unsigned i = 0; i < w->threads; i++) {
        w->line[i] = (struct line){ .store = s, .role = ROLE_WRITER };
        TRY(line_ready(&w->line[i], e));
    }
    for (; !w->inline_writes && w->started < w->threads; w->started++)
        if (pthread_create(&w->thread[w->started], NULL, writer_loop, &w->line[w->started]) != 0)
            return fail(e, E_NOMEM, NULL, "no thread for the writer");
    return OK;
}

void writer_stop(struct store *s)
{
    struct writer *w = s->writer;
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->started; i++) pthread_join(w->thread[i], NULL);
    for (unsigned i = 0; i < w->threads; i++)
        if (w->line[i].store) line_drop(&w->line[i]);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->inline_lock);
    mem_free(w);
    s->writer = NULL;
}

/* ---- submitting ---- */

enum eim_err store_submit(struct store *s, struct store_job *job, struct err *e)
{
    struct writer *w = s->writer;
    enum eim_err rc = OK;
    job->next = NULL;
    job->err = (struct err){ 0 };
    pthread_mutex_lock(&w->lock);
    if (w->closing) rc = fail(e, E_STORE, NULL, "the store is closing");
    else if (w->queued >= s->o.queue) rc = fail(e, E_BUSY, NULL, "%u jobs wait for the store already", s->o.queue);
    else if (!w->inline_writes) {
        *w->last = job;
        w->last = &job->next;
        w->queued++;
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    if (rc == OK && w->inline_writes) run_inline(w, job);
    return rc;
}

/* A job that somebody waits for, around the job that he gave. */
struct waited {
    struct store_job job;                          /* first member */
    struct store_job *inner;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_finished;
    enum eim_err rc;
};

static enum eim_err waited_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct store_job *inner = ((struct waited *)job)->inner;
    return inner->apply(t, inner, e);
}

static void waited_done(struct store_job *job, enum eim_err rc)
{
    struct waited *v = (struct waited *)job;
    pthread_mutex_lock(&v->lock);
    v->is_finished = true;
    v->rc = rc;
    pthread_cond_signal(&v->finished);
    pthread_mutex_unlock(&v->lock);
}

enum eim_err store_run(struct store *s, struct store_job *job, struct err *e)
{
    struct waited v = { .job = { .apply = waited_apply, .done = waited_done }, .inner = job };
    pthread_mutex_init(&v.lock, NULL);
    pthread_cond_init(&v.finished, NULL);
    enum eim_err rc = store_submit(s, &v.job, e);
    if (rc == OK) {
        pthread_mutex_lock(&v.lock);
        while (!v.is_finished) pthread_cond_wait(&v.finished, &v.lock);
        pthread_mutex_unlock(&v.lock);
        rc = v.rc;
        job->err = v.job.err;
        if (rc != OK && e && e->code == OK) *e = v.job.err;
        if (job->done) job->done(job, rc);
    }
    pthread_cond_destroy(&v.finished);
    pthread_mutex_destroy(&v.lock);
    return rc;
}
