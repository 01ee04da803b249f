/* pool.c -- opening and closing the store, its connections, and the readers' snapshots.
 *
 * A connection that was lost is made anew by whoever needs it next, but not more often than every RECONNECT_MS: in
 * between everybody gets the last reason at once, so that a database that is away does not hold all threads. */
#include "store/store_int.h"

#include <errno.h>
#include <time.h>

#include "base/mem.h"

static const struct driver *const drivers[] = { &sqlite_driver, &postgres_driver };

int64_t store_clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

long store_fail_at(struct store *s, long nth)
{
    long left = atomic_exchange(&s->fail_at, nth);
    return left > 0 ? left : 0;
}

enum eim_err store_count(struct store *s, struct err *e)
{
    if (atomic_load_explicit(&s->fail_at, memory_order_relaxed) <= 0) return OK;
    if (atomic_fetch_sub(&s->fail_at, 1) != 1) return OK;
    return fail(e, E_STORE, NULL, "made to fail by store_fail_at");
}

const char *store_engine(const struct store *s)
{
    return s->driver->name;
}

void driver_fill(struct buf *out, const char *sql, const struct placeholder *p, size_t n)
{
    while (*sql) {
        const char *mark = strstr(sql, "/*");
        size_t plain = mark ? (size_t)(mark - sql) : strlen(sql), i = 0;
        buf_put(out, slice_of(sql, plain));
        sql += plain;
        if (!mark) break;
        while (i < n && strncmp(sql, p[i].mark, strlen(p[i].mark)) != 0) i++;
        if (i < n) {
            buf_str(out, p[i].text);
            sql += strlen(p[i].mark);
        } else {
            buf_put(out, slice_of(sql, 2));
            sql += 2;
        }
    }
    buf_put(out, slice_of("", 1));
}

/* ---- lines ---- */

enum eim_err line_ready(struct line *l, struct err *e)
{
    struct store *s = l->store;
    struct err why = { 0 };
    if (l->conn) return OK;
    pthread_mutex_lock(&s->lock);
    bool wait = store_clock_us() < s->no_connect_before_us;
    enum eim_err rc = wait ? fail(e, E_STORE, NULL, "%s", s->last_refusal) : OK;
    pthread_mutex_unlock(&s->lock);
    if (rc != OK) return rc;
    rc = s->driver->open(&l->conn, &s->o, l->role, false, &why);
    if (rc == OK) return OK;
    pthread_mutex_lock(&s->lock);
    s->no_connect_before_us = store_clock_us() + RECONNECT_MS * 1000;
    memcpy(s->last_refusal, why.why, sizeof s->last_refusal - 1);
    pthread_mutex_unlock(&s->lock);
    return fail(e, rc, NULL, "%s", why.why);
}

void line_drop(struct line *l)
{
    if (l->conn) l->store->driver->close(l->conn);
    l->conn = NULL;
}

enum eim_err line_control(struct line *l, enum control what, struct err *e)
{
    TRY(store_count(l->store, e));
    return l->store->driver->control(l->conn, what, e);
}

enum eim_err line_begin(struct line *l, enum control what, struct err *e)
{
    TRY(line_ready(l, e));
    l->conn->trouble = TROUBLE_NONE;
    return line_control(l, what, e);
}

void line_rollback(struct line *l)
{
    struct err ignored = { 0 };
    if (!l->conn) return;
    if (l->conn->trouble == TROUBLE_LOST || l->store->driver->control(l->conn, CTL_ROLLBACK, &ignored) != OK) line_drop(l);
    else l->conn->trouble = TROUBLE_NONE;
}

/* ---- marks ---- */

void touched(struct tx *t, int64_t association)
{
    struct line *l = t->line;
    if (!association) l->touched_n = TOUCHED_MAX + 1;
    if (l->touched_n < TOUCHED_MAX) l->touched[l->touched_n] = association;
    if (l->touched_n <= TOUCHED_MAX) l->touched_n++;
}

void touched_publish(struct line *l)
{
    atomic_ulong *marks = l->store->marks;
    if (l->touched_n > TOUCHED_MAX)
        for (unsigned i = 0; i < MARKS; i++) atomic_fetch_add(&marks[i], 1);
    else
        for (unsigned i = 0; i < l->touched_n; i++) atomic_fetch_add(&marks[l->touched[i] & (MARKS - 1)], 1);
    l->touched_n = 0;
}

uint64_t store_device_mark(struct store *s, int64_t association)
{
    if (!s->driver->alone) return 0;
    return 1 + (uint64_t)atomic_load(&s->marks[association & (MARKS - 1)]);
}

/* ---- readers ---- */

enum eim_err store_read_begin(struct store *s, struct tx **out, struct err *e)
{
    struct timespec until;
    int rc = 0;
    *out = NULL;
    pthread_mutex_lock(&s->lock);
    if (!s->free_n) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += READER_WAIT_S;
        while (!s->free_n && rc != ETIMEDOUT) rc = pthread_cond_timedwait(&s->idle, &s->lock, &until);
    }
    struct tx *t = s->free_n ? s->free_readers[--s->free_n] : NULL;
    pthread_mutex_unlock(&s->lock);
    if (!t) return fail(e, E_BUSY, NULL, "all %u connections for reading are in use", s->o.readers);
    t->begun = t->broken = false;
    *out = t;
    return OK;
}

void store_read_end(struct tx *t)
{
    struct err ignored = { 0 };
    struct line *l = t->line;
    struct store *s = l->store;
    if (t->begun && (t->broken || line_control(l, CTL_COMMIT, &ignored) != OK)) line_rollback(l);
    pthread_mutex_lock(&s->lock);
    s->free_readers[s->free_n++] = t;
    pthread_cond_signal(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

enum eim_err store_ping(struct store *s, struct err *e)
{
    struct tx *t;
    int64_t version;
    TRY(store_read_begin(s, &t, e));
    enum eim_err rc = query_ints(t, Q_SCHEMA_VERSION, NO_ARGS, &version, 1, NULL, e);
    if (rc == OK) rc = s->driver->writable(t->line->conn, e);
    if (rc != OK) t->broken = true;
    store_read_end(t);
    return rc;
}

/* ---- opening and closing ---- */

static void defaults(struct store_options *o)
{
    if (!o->readers) o->readers = 4;
    if (!o->writers) o->writers = 16;
    if (!o->queue) o->queue = 4096;
    if (!o->cache_kib) o->cache_kib = 32768;
    if (o->readers > READERS_MAX) o->readers = READERS_MAX;
    if (o->writers > WRITERS_MAX) o->writers = WRITERS_MAX;
}

static enum eim_err store_make(struct store **out, const struct store_options *o, struct err *e)
{
    const struct driver *d = NULL;
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (o->url && strncmp(o->url, drivers[i]->scheme, strlen(drivers[i]->scheme)) == 0) d = drivers[i];
    if (!d) return fail(e, E_CONF, NULL, "the store's URL must begin with sqlite: or postgresql://");
    size_t n = strlen(o->url) + 1;
    struct store *s = MEM_NEW(struct store);
    char *url = mem_new(n);
    if (!s || !url) {
        mem_free(s);
        mem_free(url);
        return fail(e, E_NOMEM, NULL, "no memory for the store");
    }
    memcpy(url, o->url, n);
    s->driver = d;
    s->o = *o;
    s->o.url = s->url = url;
    defaults(&s->o);
    atomic_init(&s->fail_at, o->fail_at);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = s;
    return OK;
}

static enum eim_err readers_open(struct store *s, struct err *e)
{
    for (unsigned i = 0; i < s->o.readers; i++) {
        struct line *l = &s->reader_lines[i];
        struct tx *t = &s->readers[i];
        *l = (struct line){ .store = s, .role = ROLE_READER };
        *t = (struct tx){ .line = l };
        TRY(line_ready(l, e));
        s->free_readers[s->free_n++] = t;
    }
    return OK;
}

static enum eim_err open_all(struct store *s, struct err *e)
{
    struct conn *c;
    TRY(s->driver->open(&c, &s->o, ROLE_WRITER, true, e));
    enum eim_err rc = store_migrate(s, c, e);
    s->driver->close(c);
    TRY(rc);
    TRY(readers_open(s, e));
    return writer_start(s, e);
}

enum eim_err store_open(struct store **out, const struct store_options *o, struct err *e)
{
    struct store *s = NULL;
    *out = NULL;
    TRY(store_make(&s, o, e));
    enum eim_err rc = open_all(s, e);
    if (rc != OK) {
        store_close(s);
        return rc;
    }
    *out = s;
    return OK;
}

void store_close(struct store *s)
{
    if (!s) return;
    writer_stop(s);
    for (unsigned i = 0; i < s->o.readers; i++)
        if (s->reader_lines[i].store) line_drop(&s->reader_lines[i]);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->url);
    mem_free(s);
}
