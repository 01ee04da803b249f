/* test_feed.c -- the event log on both engines: numbers, cursors, choices, timelines, trimming, and a store that fails in between. */
#include "test/unit/store_suite.h"

#include <pthread.h>

#include "base/env.h"
#include "base/file.h"
#include "base/json.h"
#include "trust/audit.h"
#include "trust/feed.h"

struct rig {
    struct env_virtual clock;
    struct host host;
    struct arena a;
};

static void rig_open(struct rig *r, void **state)
{
    *r = (struct rig){ 0 };
    env_virtual(&r->clock, INT64_C(1795390000000000), 3);
    r->host = (struct host){ .env = &r->clock.env, .store = open_url(fresh_url(state)) };
    arena_init(&r->a, 64 << 20);
}

static void rig_close(struct rig *r)
{
    store_close(r->host.store);
    arena_free(&r->a);
}

static struct eid an_eid(int64_t n)
{
    struct eid eid = { { 0x89, 0x04 } };
    for (int i = 15; n; n /= 100) eid.b[i--] = (uint8_t)(n % 100 / 10 << 4 | n % 10);
    return eid;
}

/* Events of one transaction: numbered from `from` by their detail, of device (number % 7), 0 being none. */
struct many { struct store_job job; struct rig *r; int64_t from, n, id; enum event_type type; };

static enum eim_err add_many(struct tx *t, struct store_job *job, struct err *e)
{
    struct many *m = (struct many *)job;
    struct event_batch b;
    event_batch_begin(&b, m->r->host.env);
    for (int64_t i = m->from; i < m->from + m->n; i++) {
        char number[24];
        struct eid eid = an_eid(i % 7);
        snprintf(number, sizeof number, "%lld", (long long)i);
        event_batch_add(&b, &(struct event){ .tenant = 1, .type = m->type, .eid = i % 7 ? &eid : NULL, .detail = slice_str(number) });
    }
    if (m->id) b.id = m->id;
    enum eim_err rc = event_batch_write(&b, t, e);
    event_batch_free(&b);
    return rc;
}

static void add_of(struct rig *r, enum event_type type, int64_t from, int64_t n)
{
    struct many m = { .job.apply = add_many, .r = r, .from = from, .n = n, .type = type };
    good(store_run(r->host.store, &m.job, &e));
}

static void add(struct rig *r, int64_t from, int64_t n)
{
    add_of(r, EVENT_OPERATION_DONE, from, n);
}

static int64_t number_of(const struct feed_event *v)
{
    static const char member[] = "\"detail\":\"";
    const uint8_t *p = memmem(v->line.p, v->line.n, member, sizeof member - 1);
    assert_non_null(p);
    return strtoll((const char *)p + sizeof member - 1, NULL, 10);
}

static struct feed_page page_of(struct rig *r, int64_t after, unsigned limit, const struct eid *eid, const struct event_filter *types)
{
    struct feed_page page;
    good(feed_read(&r->host, &(struct feed_query){ .tenant = 1, .after = after, .limit = limit, .eid = eid, .types = types }, &page, &r->a, &e));
    return page;
}

static void numbers_have_no_gaps_and_lines_stay_where_they_are(void **state)
{
    static const int64_t batches[] = { 1, 1, 61, 1, 1, 63, 64, 128, 1, 1500, 5, 1024 };
    struct rig r;
    int64_t all = 0;
    size_t n;
    rig_open(&r, state);
    assert_int_equal(page_of(&r, 0, 10, NULL, NULL).n, 0);
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
        for (int64_t i = 0; i < batches[b]; i += 100) add(&r, all + 1 + i, batches[b] - i < 100 ? batches[b] - i : 100);
        good(feed_turn(&r.host, &n, &e));
        assert_int_equal(n, batches[b]);
        all += batches[b];
    }
    good(feed_turn(&r.host, &n, &e));
    assert_int_equal(n, 0);
    for (int64_t after = 0; after < all;) {
        struct feed_page page = page_of(&r, after, 97, NULL, NULL);
        assert_int_equal(page.last, all);
        for (size_t i = 0; i < page.n; i++) {
            assert_int_equal(page.v[i].seq, after + 1 + (int64_t)i);
            assert_int_equal(number_of(&page.v[i]), page.v[i].seq);
        }
        assert_int_equal(page.next, after + (int64_t)page.n);
        after = page.next;
        arena_reset(&r.a);
    }
    struct feed_page page;
    bad(E_INVALID, feed_read(&r.host, &(struct feed_query){ .tenant = 1, .after = all + 1, .limit = 1 }, &page, &r.a, &e));
    bad(E_LIMIT, feed_read(&r.host, &(struct feed_query){ .tenant = 1, .limit = FEED_PAGE_MAX + 1 }, &page, &r.a, &e));
    bad(E_NOT_FOUND, feed_read(&r.host, &(struct feed_query){ .tenant = 2, .limit = 1 }, &page, &r.a, &e));
    rig_close(&r);
}

/* A reader who follows loses nothing of a transaction with a smaller id that ends after what he has read. */
static void what_comes_late_is_not_skipped(void **state)
{
    struct rig r;
    rig_open(&r, state);
    add(&r, 1, 10);
    good(feed_turn(&r.host, NULL, &e));
    assert_int_equal(page_of(&r, 0, 100, NULL, NULL).next, 10);
    struct many late = { .job.apply = add_many, .r = &r, .from = 11, .n = 5, .id = 1, .type = EVENT_OPERATION_DONE };
    good(store_run(r.host.store, &late.job, &e));
    good(feed_turn(&r.host, NULL, &e));
    struct feed_page page = page_of(&r, 10, 100, NULL, NULL);
    assert_int_equal(page.n, 5);
    assert_int_equal(number_of(&page.v[0]), 11);
    rig_close(&r);
}

static void a_device_and_types_can_be_chosen(void **state)
{
    struct rig r;
    struct event_filter types = { 0 };
    struct eid three = an_eid(3);
    rig_open(&r, state);
    for (int64_t i = 0; i < 20; i++) add_of(&r, i == 11 ? EVENT_POOL_LOW : i % 2 ? EVENT_OPERATION_DONE : EVENT_DEVICE_CONTACT, i * 70, 70);
    good(feed_turn(&r.host, NULL, &e));
    int64_t after = 0, found = 0, last = 0;
    do {
        struct feed_page page = page_of(&r, after, 9, &three, NULL);
        for (size_t i = 0; i < page.n; i++, found++) {
            assert_int_equal(number_of(&page.v[i]) % 7, 3);
            assert_true(page.v[i].seq > last);
            last = page.v[i].seq;
        }
        after = page.next;
        arena_reset(&r.a);
    } while (after < 1400);
    assert_int_equal(found, 200);

    assert_false(event_filter_add(&types, SLICE("pool")));
    assert_false(event_filter_add(&types, SLICE("*")));
    assert_false(event_filter_add(&types, SLICE("pool.lowest")));
    assert_true(event_filter_add(&types, SLICE("pool.*")));
    struct feed_page page = page_of(&r, 0, 1000, NULL, &types);
    assert_int_equal(page.n, 70);
    assert_int_equal(page.v[0].seq, 11 * 70 + 1);
    assert_int_equal(page.next, 1400);             /* all was looked at */
    page = page_of(&r, 0, 40, NULL, &types);
    assert_int_equal(page.next, 11 * 70 + 40);
    page = page_of(&r, 0, 1000, &three, &types);
    assert_int_equal(page.n, 10);

    int64_t before = 0;
    found = 0;
    do {
        good(feed_timeline(&r.host, 1, &three, before, 30, &page, &r.a, &e));
        for (size_t i = 0; i < page.n; i++, found++) {
            assert_int_equal(number_of(&page.v[i]) % 7, 3);
            assert_true(!before || page.v[i].seq < before);
            before = page.v[i].seq;
        }
        before = page.next;
    } while (before);
    assert_int_equal(found, 200);
    rig_close(&r);
}

static void the_old_go_in_whole_bundles_and_who_wants_them_is_told(void **state)
{
    struct rig r;
    struct eid three = an_eid(3);
    struct feed_page page;
    size_t n;
    enum { DAY_S = 86400 };
    rig_open(&r, state);
    add(&r, 1, 200);
    good(feed_turn(&r.host, NULL, &e));
    r.clock.clock_us += INT64_C(2) * DAY_S * 1000000;
    add(&r, 201, 20);
    good(feed_turn(&r.host, NULL, &e));
    good(feed_trim(&r.host, INT64_C(3) * DAY_S * 1000000, &n, &e));
    assert_int_equal(n, 0);
    good(feed_trim(&r.host, INT64_C(1) * DAY_S * 1000000, &n, &e));
    assert_int_equal(n, 192);                      /* the fourth bundle has younger ones too */
    good(feed_trim(&r.host, INT64_C(1) * DAY_S * 1000000, &n, &e));
    assert_int_equal(n, 0);
    page = page_of(&r, 0, 100, NULL, NULL);
    assert_int_equal(page.first, 193);
    assert_int_equal(page.v[0].seq, 193);
    assert_int_equal(page.n, 28);
    assert_int_equal(page_of(&r, 192, 100, NULL, NULL).n, 28);
    bad(E_GONE, feed_read(&r.host, &(struct feed_query){ .tenant = 1, .after = 191, .limit = 1 }, &page, &r.a, &e));
    page = page_of(&r, 0, 100, &three, NULL);
    for (size_t i = 0; i < page.n; i++) assert_true(page.v[i].seq >= 193 && number_of(&page.v[i]) % 7 == 3);
    assert_int_equal(page.n, 4);
    rig_close(&r);
}

static void a_line_is_json_whatever_stands_in_it(void **state)
{
    struct rig r;
    char hostile[400];
    rig_open(&r, state);
    memset(hostile, '\1', sizeof hostile);
    struct eid eid = an_eid(12345);
    struct event_part parts[20], broken = { "iccid", SLICE("a\"b\n\xff\xc3") };
    for (size_t i = 0; i < 20; i++) parts[i] = (struct event_part){ "p", slice_of(hostile, sizeof hostile) };
    struct event_batch b;
    event_batch_begin(&b, r.host.env);
    event_batch_add(&b, &(struct event){ .tenant = 1, .type = EVENT_PROFILE_ENABLED, .eid = &eid, .operation = 77, .state = "done",
                                         .parts = &broken, .nparts = 1 });
    event_batch_add(&b, &(struct event){ .tenant = 1, .type = EVENT_POOL_LOW, .detail = slice_of(hostile, sizeof hostile), .parts = parts, .nparts = 20 });
    struct slice rest = buf_slice(&b.lines), line, type;
    for (int i = 0; i < 2; i++) {
        struct err e = { 0 };
        json_t *o;
        bool has_eid;
        struct eid got;
        struct buf out;
        assert_true(slice_line(&rest, &line));
        assert_true(line.n <= EVENT_LINE_MAX);
        assert_true(event_parse(line, &type, &has_eid, &got));
        assert_int_equal(has_eid, i == 0);
        if (has_eid) assert_memory_equal(&got, &eid, sizeof eid);
        assert_true(slice_eq(type, slice_str(i ? "pool.low" : "profile.enabled")));
        buf_init(&out, 2 * EVENT_LINE_MAX);
        event_number(&out, line, 42);
        assert_int_equal(json_read(buf_slice(&out), 2 * EVENT_LINE_MAX, &o, &e), OK);
        assert_int_equal(json_integer_value(json_object_get(o, "seq")), 42);
        json_decref(o);
        buf_free(&out);
    }
    assert_int_equal(rest.n, 0);
    event_batch_free(&b);
    assert_false(event_parse(SLICE("{\"typo\":\"x\"}"), &type, &(bool){ 0 }, &(struct eid){ { 0 } }));
    assert_false(event_parse(SLICE("{\"type\":\"x"), &type, &(bool){ 0 }, &(struct eid){ { 0 } }));
    rig_close(&r);
}

/* ---- audit entries as events ---- */

struct entry { struct store_job job; struct rig *r; struct audit_entry en; bool give_up; };

static enum eim_err add_entry(struct tx *t, struct store_job *job, struct err *e)
{
    struct entry *x = (struct entry *)job;
    TRY(audit_add(t, x->r->host.env, &x->en, e));
    return x->give_up ? fail(e, E_STATE, NULL, "this job gives up") : OK;
}

static void an_audit_entry_of_a_type_is_an_event_and_no_other_is(void **state)
{
    struct rig r;
    size_t n;
    struct entry x = { .job.apply = add_entry, .r = &r, .en = { .tenant = 1, .principal = SLICE("token:x"), .action = "pool.added" } };
    rig_open(&r, state);
    good(store_run(r.host.store, &x.job, &e));
    good(feed_turn(&r.host, &n, &e));
    assert_int_equal(n, 0);
    x.en.action = "pool.low";
    x.give_up = true;
    bad(E_STATE, store_run(r.host.store, &x.job, &e));
    good(feed_turn(&r.host, &n, &e));
    assert_int_equal(n, 0);                        /* what was not done is not told */
    x.give_up = false;
    good(store_run(r.host.store, &x.job, &e));
    x.en.event = "profile_order.placed";
    good(store_run(r.host.store, &x.job, &e));
    good(feed_turn(&r.host, &n, &e));
    assert_int_equal(n, 2);
    struct feed_page page = page_of(&r, 0, 10, NULL, NULL);
    assert_non_null(memmem(page.v[0].line.p, page.v[0].line.n, "\"pool.low\"", 10));
    assert_non_null(memmem(page.v[1].line.p, page.v[1].line.n, "\"profile_order.placed\"", 22));
    assert_null(memmem(page.v[1].line.p, page.v[1].line.n, "token:x", 7));     /* who did it is the audit log's */
    rig_close(&r);
}

/* ---- a store that fails, and many at once ---- */

static void a_failing_store_leaves_the_log_whole(void **state)
{
    struct rig r;
    rig_open(&r, state);
    add(&r, 1, 60);
    good(feed_turn(&r.host, NULL, &e));
    add(&r, 61, 100);
    bool done = false;
    for (long nth = 1; !done; nth++) {
        struct err e = { 0 };
        assert_true(nth < 200);
        store_fail_at(r.host.store, nth);
        bool went_well = feed_turn(&r.host, NULL, &e) == OK;
        done = store_fail_at(r.host.store, 0) > 0;
        if (done) assert_true(went_well);
    }
    struct feed_page page = page_of(&r, 0, 500, NULL, NULL);
    assert_int_equal(page.n, 160);
    for (size_t i = 0; i < page.n; i++) assert_int_equal(number_of(&page.v[i]), i + 1);
    rig_close(&r);
}

enum { WRITERS = 3, TURNERS = 2, EACH = 300 };
static int stop;

static void *write_events(void *arg)
{
    struct rig *r = ((void **)arg)[0];
    int64_t from = (int64_t)(intptr_t)((void **)arg)[1] * EACH;
    for (int64_t i = 0; i < EACH; i += 3) add(r, from + i, 3);
    return NULL;
}

static void *take_turns(void *arg)
{
    struct rig *r = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) good(feed_turn(&r->host, NULL, &e));
    return NULL;
}

/* Writers, several that number, and a reader who follows: he sees each event once, and each writer's in order. */
static void many_at_once_lose_and_double_nothing(void **state)
{
    struct rig r;
    pthread_t threads[WRITERS + TURNERS];
    void *args[WRITERS][2];
    int64_t next[WRITERS] = { 0 }, all = 0;
    rig_open(&r, state);
    env_real(&r.clock.env);                        /* the virtual one is for one thread */
    stop = 0;
    for (int i = 0; i < WRITERS; i++) {
        args[i][0] = &r;
        args[i][1] = (void *)(intptr_t)i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_events, args[i]), 0);
    }
    for (int i = 0; i < TURNERS; i++) assert_int_equal(pthread_create(&threads[WRITERS + i], NULL, take_turns, &r), 0);
    for (int64_t after = 0; all < WRITERS * EACH;) {
        struct feed_page page = page_of(&r, after, 50, NULL, NULL);
        for (size_t i = 0; i < page.n; i++, all++) {
            int64_t n = number_of(&page.v[i]);
            assert_int_equal(page.v[i].seq, all + 1);
            assert_int_equal(n % EACH, next[n / EACH]++);
        }
        after = page.next;
        arena_reset(&r.a);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < WRITERS + TURNERS; i++) pthread_join(threads[i], NULL);
    rig_close(&r);
}

/* doc/events.md has a row for every type, with its words. */
static void every_type_is_documented(void **state)
{
    (void)state;
    static uint8_t text[128 * 1024];
    char path[512];
    size_t n;
    snprintf(path, sizeof path, "%s/events.md", getenv("DOC"));
    good(file_read(path, false, text, sizeof text, &n, &e));
    for (int t = 0; t < EVENT_TYPE_END; t++) {
        char row[300];
        snprintf(row, sizeof row, "| `%s` | %s |", event_type_name((enum event_type)t), event_type_text((enum event_type)t));
        if (!memmem(text, n, row, strlen(row))) flunk("doc/events.md has no row \"%s\"", row);
        assert_int_equal(event_type_named(slice_str(event_type_name((enum event_type)t))), t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(numbers_have_no_gaps_and_lines_stay_where_they_are), BOTH(what_comes_late_is_not_skipped), BOTH(a_device_and_types_can_be_chosen),
        BOTH(the_old_go_in_whole_bundles_and_who_wants_them_is_told), SQLITE(a_line_is_json_whatever_stands_in_it),
        BOTH(an_audit_entry_of_a_type_is_an_event_and_no_other_is), BOTH(a_failing_store_leaves_the_log_whole),
        BOTH(many_at_once_lose_and_double_nothing), SQLITE(every_type_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
