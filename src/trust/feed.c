/* feed.c -- the event logs: numbering, reading, trimming. */
#include "trust/feed.h"

#include "base/buf.h"
#include "base/env.h"
#include "trust/event.h"

enum {
    BUNDLE_MAX = EVENT_WIDTH * (EVENT_LINE_MAX + 1),
    RUN = 1024,                        /* events whose devices are noted at once */
    GROW_ARENA = 64 << 20, SMALL_ARENA = 1 << 20,
};

/* ---- numbering ---- */

struct grow {
    struct store_job job;              /* first member */
    int64_t tenant, now_us;
    struct arena arena;
    struct buf lines;                  /* of the last bundle */
    int64_t size;                      /* events that have a number */
    struct eid eids[RUN];              /* of the last run of those that this transaction numbers */
    size_t n;                          /* how many it numbers */
    size_t rows, most;
};

static enum eim_err flush(struct grow *g, struct tx *t, struct err *e)
{
    int64_t number = (g->size - 1) / EVENT_WIDTH;
    struct event_bundle b = { .number = number, .n = g->size - number * EVENT_WIDTH, .at_us = g->now_us, .lines = buf_slice(&g->lines) };
    if (g->lines.failed) return fail(e, E_NOMEM, NULL, "no memory for a bundle of events");
    TRY(store_event_bundle_put(t, g->tenant, &b, e));
    if (b.n == EVENT_WIDTH) buf_reset(&g->lines);
    return OK;
}

/* Note whose the events of the run that ends here are. */
static enum eim_err index_run(struct grow *g, struct tx *t, struct err *e)
{
    size_t run = g->n ? (g->n - 1) % RUN + 1 : 0;
    return run ? store_event_index(t, g->tenant, g->eids, run, g->size - (int64_t)run + 1, e) : OK;
}

static enum eim_err append(struct grow *g, struct tx *t, struct slice line, struct err *e)
{
    struct slice type;
    bool has_eid = false;
    struct eid *eid = &g->eids[g->n % RUN];
    if (!event_parse(line, &type, &has_eid, eid) || !has_eid) *eid = (struct eid){ { 0 } };
    g->n++;
    g->size++;
    if (g->n % RUN == 0) TRY(index_run(g, t, e));
    buf_put(&g->lines, line);
    buf_str(&g->lines, "\n");
    return g->size % EVENT_WIDTH ? OK : flush(g, t, e);
}

static enum eim_err grow_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct grow *g = (struct grow *)job;
    struct event_log log;
    struct event_rows rows;
    struct event_bundle last = { 0 };
    arena_reset(&g->arena);
    buf_reset(&g->lines);
    g->n = g->rows = 0;
    TRY(store_event_log_lock(t, g->tenant, &log, &g->arena, e));
    TRY(store_event_take(t, g->tenant, (unsigned)g->most, &rows, &g->arena, e));
    if (!rows.n) return OK;
    g->size = log.size;
    if (g->size % EVENT_WIDTH) {
        TRY(store_event_bundle_get(t, g->tenant, g->size / EVENT_WIDTH, &last, &g->arena, e));
        if (last.n != g->size % EVENT_WIDTH) return fail(e, E_STORE, NULL, "a bundle of the event log is damaged");
        buf_put(&g->lines, last.lines);
    }
    for (size_t i = 0; i < rows.n; i++) {
        struct slice rest = rows.v[i].lines, line;
        while (slice_line(&rest, &line)) TRY(append(g, t, line, e));
    }
    if (g->size % EVENT_WIDTH) TRY(flush(g, t, e));
    if (g->n % RUN) TRY(index_run(g, t, e));
    g->rows = rows.n;
    log.size = g->size;
    return store_event_log_put(t, &log, e);
}

static enum eim_err grow(struct host *h, int64_t tenant, size_t *n, struct err *e)
{
    struct grow g = { .job.apply = grow_apply, .tenant = tenant, .now_us = h->env->now(h->env), .most = FEED_BATCH };
    enum eim_err rc;
    bool again;
    arena_init(&g.arena, GROW_ARENA);
    buf_init(&g.lines, BUNDLE_MAX);
    do {
        struct err why = { 0 };
        rc = store_run(h->store, &g.job, &why);
        again = rc == OK && g.rows == g.most;
        if (rc == OK) *n += g.n;
        if (rc == E_NOMEM && g.most > 1) {             /* rows of many events: fewer at a time */
            g.most /= 2;
            again = true;
        } else if (rc != OK)
            *e = why;
    } while (again);
    buf_free(&g.lines);
    arena_free(&g.arena);
    return rc;
}

static enum eim_err tenants(struct host *h, struct tenant_list *out, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(h->store, &t, e));
    enum eim_err rc = store_event_tenants(t, out, a, e);
    store_read_end(t);
    return rc;
}

static enum eim_err turn_tenant(struct host *h, int64_t tenant, size_t *n, struct err *e)
{
    struct tx *t;
    bool waits = false;
    TRY(store_read_begin(h->store, &t, e));
    enum eim_err rc = store_event_waits(t, tenant, &waits, e);
    store_read_end(t);
    return rc == OK && waits ? grow(h, tenant, n, e) : rc;
}

enum eim_err feed_turn(struct host *h, size_t *n, struct err *e)
{
    struct arena a;
    struct tenant_list list = { 0 };
    size_t all = 0;
    arena_init(&a, SMALL_ARENA);
    enum eim_err rc = tenants(h, &list, &a, e);
    for (size_t i = 0; rc == OK && i < list.n; i++) rc = turn_tenant(h, list.v[i], &all, e);
    arena_free(&a);
    if (n) *n = all;
    return rc;
}

/* ---- reading ---- */

struct reading {
    struct tx *t;
    int64_t tenant;
    struct arena *a, scratch;          /* what is given out; the bundle that was read last */
    struct event_bundle b;
};

/* The bundle that holds event `seq`. */
static enum eim_err bundle_of(struct reading *r, int64_t seq, struct err *e)
{
    int64_t number = (seq - 1) / EVENT_WIDTH;
    if (r->b.n && r->b.number == number) return OK;
    arena_reset(&r->scratch);
    TRY(store_event_bundle_get(r->t, r->tenant, number, &r->b, &r->scratch, e));
    return r->b.n ? OK : fail(e, E_STORE, NULL, "a bundle of the event log is missing");
}

static enum eim_err give(struct reading *r, struct feed_page *out, int64_t seq, struct slice line, struct err *e)
{
    struct feed_event *v = &out->v[out->n++];
    *v = (struct feed_event){ seq, arena_copy(r->a, line) };
    return v->line.p ? OK : fail(e, E_NOMEM, NULL, "no room for an event");
}

/* The line of an event, good until the next bundle is read. */
static enum eim_err line_of(struct reading *r, int64_t seq, struct slice *out, struct err *e)
{
    TRY(bundle_of(r, seq, e));
    struct slice rest = r->b.lines;
    for (int64_t at = r->b.number * EVENT_WIDTH + 1; slice_line(&rest, out); at++)
        if (at == seq) return OK;
    return fail(e, E_STORE, NULL, "a bundle of the event log is damaged");
}

static bool wanted(const struct event_filter *types, struct slice line)
{
    struct slice type;
    bool has_eid;
    struct eid eid;
    return !types || !types->some || (event_parse(line, &type, &has_eid, &eid) && event_filter_passes(types, type));
}

/* Everything from out->next on, bundle by bundle. */
static enum eim_err read_all(struct reading *r, const struct feed_query *q, struct feed_page *out, struct err *e)
{
    int64_t stop = out->next + FEED_LOOK_MAX;
    while (out->n < q->limit && out->next < out->last && out->next < stop) {
        struct slice rest, line;
        TRY(bundle_of(r, out->next + 1, e));
        rest = r->b.lines;
        for (int64_t at = r->b.number * EVENT_WIDTH + 1; out->n < q->limit && slice_line(&rest, &line); at++) {
            if (at <= out->next) continue;
            out->next = at;
            if (wanted(q->types, line)) TRY(give(r, out, at, line, e));
        }
        if (out->next != r->b.number * EVENT_WIDTH + r->b.n && out->n < q->limit) return fail(e, E_STORE, NULL, "a bundle of the event log is damaged");
    }
    return OK;
}

static enum eim_err read_device(struct reading *r, const struct feed_query *q, struct feed_page *out, struct err *e)
{
    struct event_numbers of;
    TRY(store_event_of(r->t, q->tenant, q->eid, out->next, false, q->limit, &of, r->a, e));
    for (size_t i = 0; i < of.n; i++) {
        struct slice line;
        TRY(line_of(r, of.v[i], &line, e));
        out->next = of.v[i];
        if (wanted(q->types, line)) TRY(give(r, out, of.v[i], line, e));
    }
    if (of.n < q->limit) out->next = out->last;
    return OK;
}

static enum eim_err page_begin(struct reading *r, unsigned limit, struct feed_page *out, struct err *e)
{
    struct event_log log;
    if (!limit || limit > FEED_PAGE_MAX) return fail(e, E_LIMIT, NULL, "at most %d events at a time", FEED_PAGE_MAX);
    TRY(store_event_log(r->t, r->tenant, &log, r->a, e));
    *out = (struct feed_page){ .v = ARENA_ARRAY(r->a, struct feed_event, limit), .first = log.first, .last = log.size };
    return out->v ? OK : fail(e, E_NOMEM, NULL, "no room for %u events", limit);
}

static enum eim_err read_page(struct reading *r, const struct feed_query *q, struct feed_page *out, struct err *e)
{
    TRY(page_begin(r, q->limit, out, e));
    if (q->after < 0 || q->after > out->last)
        return fail_field(e, E_INVALID, NULL, "after", "this log has %lld events, it never came to %lld", (long long)out->last, (long long)q->after);
    if (q->after && q->after < out->first - 1)
        return fail_field(e, E_GONE, NULL, "after", "events up to %lld are gone: they were older than events are kept", (long long)out->first - 1);
    out->next = q->after < out->first ? out->first - 1 : q->after;
    return q->eid ? read_device(r, q, out, e) : read_all(r, q, out, e);
}

enum eim_err feed_read(struct host *h, const struct feed_query *q, struct feed_page *out, struct arena *a, struct err *e)
{
    struct reading r = { .tenant = q->tenant, .a = a };
    TRY(store_read_begin(h->store, &r.t, e));
    arena_init(&r.scratch, 2 * BUNDLE_MAX);
    enum eim_err rc = read_page(&r, q, out, e);
    arena_free(&r.scratch);
    store_read_end(r.t);
    return rc;
}

static enum eim_err timeline_page(struct reading *r, const struct eid *eid, int64_t before, unsigned limit, struct feed_page *out, struct err *e)
{
    struct event_numbers of;
    TRY(page_begin(r, limit, out, e));
    TRY(store_event_of(r->t, r->tenant, eid, before ? before : INT64_MAX, true, limit, &of, r->a, e));
    for (size_t i = 0; i < of.n; i++) {
        struct slice line;
        TRY(line_of(r, of.v[i], &line, e));
        TRY(give(r, out, of.v[i], line, e));
    }
    out->next = of.n == limit ? of.v[of.n - 1] : 0;
    return OK;
}

enum eim_err feed_timeline(struct host *h, int64_t tenant, const struct eid *eid, int64_t before, unsigned limit, struct feed_page *out,
                           struct arena *a, struct err *e)
{
    struct reading r = { .tenant = tenant, .a = a };
    TRY(store_read_begin(h->store, &r.t, e));
    arena_init(&r.scratch, 2 * BUNDLE_MAX);
    enum eim_err rc = timeline_page(&r, eid, before, limit, out, e);
    arena_free(&r.scratch);
    store_read_end(r.t);
    return rc;
}

/* ---- trimming ---- */

struct trim { struct store_job job; int64_t tenant, before_us; size_t n; struct arena *a; };

static enum eim_err trim_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct trim *m = (struct trim *)job;
    struct event_log log;
    int64_t old;
    m->n = 0;
    TRY(store_event_log_lock(t, m->tenant, &log, m->a, e));
    TRY(store_event_old(t, m->tenant, (log.first - 1) / EVENT_WIDTH, FEED_TRIM, m->before_us, &old, e));
    if (old < 0) return OK;
    TRY(store_event_trim(t, m->tenant, old + 1, e));
    m->n = (size_t)((old + 1) * EVENT_WIDTH + 1 - log.first);
    log.first = (old + 1) * EVENT_WIDTH + 1;
    return store_event_log_put(t, &log, e);
}

/* Is there anything to do? Asked without a write. */
static enum eim_err trim_due(struct host *h, struct trim *m, bool *out, struct err *e)
{
    struct tx *t;
    struct event_log log;
    int64_t old = -1;
    TRY(store_read_begin(h->store, &t, e));
    enum eim_err rc = store_event_log(t, m->tenant, &log, m->a, e);
    if (rc == OK) rc = store_event_old(t, m->tenant, (log.first - 1) / EVENT_WIDTH, FEED_TRIM, m->before_us, &old, e);
    store_read_end(t);
    *out = old >= 0;
    return rc;
}

enum eim_err feed_trim(struct host *h, int64_t keep_us, size_t *n, struct err *e)
{
    struct arena a;
    struct tenant_list list = { 0 };
    *n = 0;
    arena_init(&a, SMALL_ARENA);
    enum eim_err rc = tenants(h, &list, &a, e);
    for (size_t i = 0; rc == OK && i < list.n; i++) {
        struct trim m = { .job.apply = trim_apply, .tenant = list.v[i], .before_us = h->env->now(h->env) - keep_us, .a = &a };
        bool due = false;
        rc = trim_due(h, &m, &due, e);
        if (rc == OK && due) rc = store_run(h->store, &m.job, e);
        if (rc == OK) *n += m.n;
    }
    arena_free(&a);
    return rc;
}
