/* test_store.c -- every verb of the store with its stated errors, on both engines. */
#include "test/unit/store_suite.h"

/* One store and one arena a test. */
static struct store *s;
static struct arena a;

static void begin(void **state)
{
    arena_init(&a, 64 << 20);
    s = open_url(fresh_url(state));
}

static void end(void)
{
    store_close(s);
    arena_free(&a);
}

#define same(x, y) assert_true(slice_eq(x, y))

/* Bytes that no text may hold, and text that needs quoting. */
static const uint8_t odd_bytes[] = { 0, 0xff, 0xfe, '\'', 0, 0xc3, 0x28, '\\', 0x80 };
#define ODD_BYTES slice_of(odd_bytes, sizeof odd_bytes)
#define ODD_TEXT SLICE("O'Neill \"quoted\" \\ $1 %s ; -- \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")

/* ---- identities ---- */

static void identities_are_inserted_replaced_and_listed(void **state)
{
    begin(state);
    struct identity one = { .id = 7, .tenant = 1, .eim_id = SLICE("eim.example"), .eim_id_type = 2, .fqdn = SLICE("eim.example:8443"),
                            .signing_key = SLICE("key-1"), .ci_pkid = ODD_BYTES, .association_key = { 1, 0, 2, 0xff } };
    struct identity two = one;
    struct identity_list l;
    two.id = 8;
    READ(s, good(store_identity_list(t, &l, &a, &e)); assert_int_equal(l.n, 0));
    good(WRITE(s, W(IDENTITY_PUT, &one)));
    bad(E_CONFLICT, WRITE(s, W(IDENTITY_PUT, &two)));
    two.eim_id = SLICE("other.example");
    one.fqdn = SLICE("moved.example");
    good(WRITE(s, W(IDENTITY_PUT, &two), W(IDENTITY_PUT, &one)));
    READ(s, good(store_identity_list(t, &l, &a, &e)));
    assert_int_equal(l.n, 2);
    assert_int_equal(l.v[0].id, 7);
    assert_int_equal(l.v[0].tenant, 1);
    assert_int_equal(l.v[0].eim_id_type, 2);
    same(l.v[0].fqdn, SLICE("moved.example"));
    same(l.v[0].eim_id, SLICE("eim.example"));
    same(l.v[0].signing_key, SLICE("key-1"));
    same(l.v[0].ci_pkid, ODD_BYTES);
    assert_memory_equal(l.v[0].association_key, one.association_key, 16);
    same(l.v[1].eim_id, SLICE("other.example"));
    end();
}

/* ---- devices ---- */

/* full_device -- every member has a value of its own, so that two mixed-up columns show. */
static struct device full_device(void)
{
    return (struct device){
        .association = INT64_MAX, .tenant = 2, .identity = 3, .eid = { { 0x89, 0, 0x10, 0xff } }, .version = 1, .key_class = KEY_CI, .curve = 5,
        .key = SLICE("key\0key"), .counter = 6, .token = 7, .token_candidate = 8, .in_flight = 9, .next_op = 10, .unsettled = 11,
        .wants = 12, .timer_us = 13, .auto_us = 14, .data_txid = SLICE("txid"), .data_deliveries = 15, .data_sent_us = 16,
        .has_enabled = true, .enabled = SLICE("\x98\x00\xff"), .enabled_us = 17, .enabled_op = 18, .inventory_us = 19, .inventory_op = 20,
        .changed_us = 21, .rplmn = SLICE("\x62\xf2\x10"), .rplmn_us = 22, .enrolled_us = 23, .first_contact_us = 24,
        .state_cause = -1, .state_cause_us = INT64_MIN, .quarantine_us = 77, .signing_key = SLICE("key-1"), .tls_trust = SLICE("ab"),
    };
}

static void assert_device(const struct device *x, const struct device *y)
{
    struct device u = *x, v = *y;
    same(u.key, v.key);
    same(u.data_txid, v.data_txid);
    same(u.enabled, v.enabled);
    same(u.rplmn, v.rplmn), same(u.signing_key, v.signing_key), same(u.tls_trust, v.tls_trust);
    u.key = v.key = u.data_txid = v.data_txid = u.enabled = v.enabled = u.rplmn = v.rplmn = (struct slice){ 0 };
#define EQ(m) assert_int_equal(u.m, v.m)
    EQ(association); EQ(tenant); EQ(identity); EQ(version); EQ(key_class); EQ(curve); EQ(counter); EQ(token); EQ(token_candidate);
    EQ(in_flight); EQ(next_op); EQ(unsettled); EQ(wants); EQ(timer_us); EQ(auto_us); EQ(data_deliveries); EQ(data_sent_us);
    EQ(has_enabled); EQ(enabled_us); EQ(enabled_op); EQ(inventory_us); EQ(inventory_op); EQ(changed_us); EQ(rplmn_us);
    EQ(enrolled_us); EQ(first_contact_us); EQ(state_cause); EQ(state_cause_us); EQ(quarantine_us);
#undef EQ
    assert_memory_equal(u.eid.b, v.eid.b, 16);
}

static void a_device_comes_back_as_it_was_written(void **state)
{
    begin(state);
    struct device d = full_device(), got, changed;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    READ(s, good(store_device_get(t, d.association, &got, &a, &e)));
    assert_device(&got, &d);
    changed = d;                                   /* all that may change, changes; version rises */
    changed.key_class = KEY_PINNED;
    changed.key = changed.data_txid = changed.enabled = changed.rplmn = changed.signing_key = changed.tls_trust = SLICE("other");
    changed.has_enabled = false;
    int64_t *from = &changed.counter;
    for (size_t i = 0; i < 9; i++) from[i] += 1000;
    good(WRITE(s, W(DEVICE_UPDATE, &changed)));
    READ(s, good(store_device_get(t, d.association, &got, &a, &e)));
    changed.version = 2;
    assert_device(&got, &changed);
    READ(s, good(store_device_get(t, 4711, &got, &a, &e)); assert_int_equal(got.association, 0));
    end();
}

static void a_second_device_of_the_same_number_is_refused(void **state)
{
    begin(state);
    struct device d = a_device(5), other = d;
    other.eid.b[15] ^= 1;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    bad_why(E_CONFLICT, "already enrolled", WRITE(s, W(DEVICE_INSERT, &d)));
    bad_why(E_CONFLICT, "collides", WRITE(s, W(DEVICE_INSERT, &other)));
    end();
}

static void an_update_of_an_older_version_is_stale(void **state)
{
    begin(state);
    struct device d = a_device(5), got;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    d.counter = 1;
    good(WRITE(s, W(DEVICE_UPDATE, &d)));
    d.counter = 2;
    bad(E_STALE, WRITE(s, W(DEVICE_UPDATE, &d)));
    READ(s, good(store_device_get(t, 5, &got, &a, &e)));
    assert_int_equal(got.counter, 1);
    assert_int_equal(got.version, 2);
    d.association = 6;
    bad(E_STALE, WRITE(s, W(DEVICE_UPDATE, &d)));
    end();
}

/* What a mark promises: it is another after each change and only then, and before the writer is told. */
static void a_mark_changes_with_its_device(void **state)
{
    begin(state);
    enum { MANY = 200 };
    static struct device devices[MANY];
    struct step many[MANY];
    struct device d = a_device(5), other = a_device(6), stale;
    uint64_t was, now;
    for (int i = 0; i < MANY; i++) {
        devices[i] = a_device(100 + i);
        many[i] = (struct step){ .what = DEVICE_INSERT, .p = &devices[i] };
    }
    bool alone = strcmp(store_engine(s), "sqlite") == 0;        /* to the other engine, others may write */
#define CHANGES(yes, ...)                                          \
    was = store_device_mark(s, 5);                                 \
    __VA_ARGS__;                                                   \
    now = store_device_mark(s, 5);                                 \
    assert_int_equal(was && now, alone);                           \
    assert_int_equal(was != now, alone && yes);
    CHANGES(true, good(WRITE(s, W(DEVICE_INSERT, &d))))
    CHANGES(false, good(WRITE(s, W(DEVICE_INSERT, &other))))
    CHANGES(false, READ(s, good(store_device_get(t, 5, &stale, &a, &e))))
    CHANGES(true, good(WRITE(s, W(DEVICE_UPDATE, &d))))
    CHANGES(true, good(WRITE(s, W(COUNTERS_ADD, .a = 1))))
    CHANGES(true, good(WRITE(s, W(DEVICE_DELETE, .a = 5))))
    CHANGES(true, good(script_run(s, many, MANY, &e)))         /* more devices in one job than are remembered one by one */
    CHANGES(true, store_fail_at(s, 1); bad(E_STORE, WRITE(s, W(DEVICE_UPDATE, &other))))
#undef CHANGES
    end();
}

/* everything_of -- a row of each kind that belongs to a device. */
static void everything_of(int64_t association)
{
    struct device d = a_device(association);
    struct operation o = an_operation(association, association * 10);
    struct label l = { SLICE("site"), SLICE("north") };
    struct profile p = { .iccid = SLICE("0123456789") };
    struct card_eim ce = { .eim_id = SLICE("eim"), .control = ODD_BYTES };
    struct device_data data = { .eum_cert = SLICE("e"), .as_of_us = 1 };
    struct notification n = { .association = association, .tenant = 1, .seq = 1, .raw = SLICE("r") };
    struct hint h = { .association = association, .tenant = 1, .id = 1, .kind = SLICE("k"), .why = SLICE("w") };
    struct contact c = { association, 77 };
    good(WRITE(s, W(DEVICE_INSERT, &d), W(OPERATION_INSERT, &o), W(LABEL_PUT, &l, association), W(PROFILE_REPLACE, &p, association, 1),
               W(CARD_EIM_REPLACE, &ce, association, 1), W(DATA_PUT, &data, association), W(NOTIFICATION_PUT, &n), W(HINT_PUT, &h),
               W(CONTACT_PUT, &c, .n = 1)));
}

/* rows_of -- how many rows of other tables belong to it. */
static size_t rows_of(int64_t association)
{
    size_t n = 0;
    struct operation_list ol;
    struct label_list ll;
    struct profile_list pl; struct card_eim_list cl;
    struct device_data data;
    struct notification_list nl;
    struct hint_list hl;
    int64_t seen;
    READ(s, good(store_operation_list(t, association, 0, 10, true, &ol, &a, &e)); good(store_label_list(t, association, &ll, &a, &e));
         good(store_profile_list(t, association, &pl, &a, &e)); good(store_data_get(t, association, &data, &a, &e));
         good(store_card_eim_list(t, association, &cl, &a, &e));
         good(store_notification_list(t, association, &nl, &a, &e)); good(store_hint_list(t, association, &hl, &a, &e));
         good(store_contact_get(t, association, &seen, &e)));
    n = ol.n + ll.n + pl.n + cl.n + nl.n + hl.n;
    return n + (data.as_of_us != 0) + (seen != 0);
}

static void a_deleted_device_takes_its_rows_along_and_no_others(void **state)
{
    begin(state);
    struct device got;
    everything_of(5);
    everything_of(6);
    assert_int_equal(rows_of(5), 8);
    good(WRITE(s, W(DEVICE_DELETE, .a = 5)));
    assert_int_equal(rows_of(5), 0);
    assert_int_equal(rows_of(6), 8);
    READ(s, good(store_device_get(t, 5, &got, &a, &e)); assert_int_equal(got.association, 0));
    bad(E_NOT_FOUND, WRITE(s, W(DEVICE_DELETE, .a = 5)));
    end();
}

static void rows_of_no_device_are_refused(void **state)
{
    begin(state);
    struct operation o = an_operation(5, 1);
    struct label l = { SLICE("site"), SLICE("north") };
    struct profile p = { .iccid = SLICE("0123456789") };
    struct device_data data = { .as_of_us = 1 };
    struct notification n = { .association = 5, .tenant = 1, .seq = 1, .raw = SLICE("r") };
    struct hint h = { .association = 5, .tenant = 1, .id = 1, .kind = SLICE("k"), .why = SLICE("w") };
    bad(E_NOT_FOUND, WRITE(s, W(OPERATION_INSERT, &o)));
    bad(E_NOT_FOUND, WRITE(s, W(LABEL_PUT, &l, 5)));
    bad(E_NOT_FOUND, WRITE(s, W(PROFILE_REPLACE, &p, 5, 1)));
    bad(E_NOT_FOUND, WRITE(s, W(DATA_PUT, &data, 5)));
    bad(E_NOT_FOUND, WRITE(s, W(NOTIFICATION_PUT, &n)));
    bad(E_NOT_FOUND, WRITE(s, W(HINT_PUT, &h)));
    assert_int_equal(rows_of(5), 0);
    end();
}

/* many_devices -- associations 10, 20 ... 10n; every third of tenant 2; every fifth with a timer at its number. */
static void many_devices(int n)
{
    static struct device d[256];
    static struct step step[256];
    for (int i = 0; i < n; i++) {
        d[i] = a_device(10 * (i + 1));
        d[i].tenant = i % 3 == 2 ? 2 : 1;
        d[i].timer_us = i % 5 == 4 ? d[i].association : 0;
        step[i] = (struct step){ .what = DEVICE_INSERT, .p = &d[i] };
    }
    good(script_run(s, step, (size_t)n, &e));
}

static void a_list_of_devices_is_read_page_by_page(void **state)
{
    begin(state);
    struct device_list l;
    int64_t after = 0, seen = 0;
    many_devices(200);
    for (;;) {
        READ(s, good(store_device_list(t, 1, after, 19, &l, &a, &e)));
        for (size_t i = 0; i < l.n; i++) {
            assert_true(l.v[i].association > after);
            assert_int_equal(l.v[i].tenant, 1);
            after = l.v[i].association;
            seen++;
        }
        if (l.n < 19) break;
    }
    assert_int_equal(seen, 134);
    READ(s, good(store_device_count(t, 1, &seen, &e)); assert_int_equal(seen, 134);
         good(store_device_count(t, 2, &seen, &e)); assert_int_equal(seen, 66);
         good(store_device_count(t, 0, &seen, &e)); assert_int_equal(seen, 200);
         good(store_device_count(t, 3, &seen, &e)); assert_int_equal(seen, 0));
    end();
}

static void the_sweep_finds_what_is_due_and_starts_over(void **state)
{
    begin(state);
    struct association_list l;
    int64_t last;
    many_devices(100);                             /* timers at 50, 100, 150 ... 1000 */
    READ(s, good(store_device_due(t, 0, 500, 30, 10, &l, &last, &a, &e)));
    assert_int_equal(l.n, 6);                      /* looked at 10 ... 300 */
    assert_int_equal(l.v[0], 50);
    assert_int_equal(l.v[5], 300);
    assert_int_equal(last, 300);
    READ(s, good(store_device_due(t, 300, 500, 30, 10, &l, &last, &a, &e)));
    assert_int_equal(l.n, 4);                      /* 350 400 450 500: later ones are not due */
    assert_int_equal(last, 600);
    READ(s, good(store_device_due(t, 300, 500, 30, 3, &l, &last, &a, &e)));
    assert_int_equal(l.n, 3);
    assert_int_equal(last, 450);                   /* stopped by the limit: goes on behind the last one found */
    READ(s, good(store_device_due(t, 900, 500, 30, 3, &l, &last, &a, &e)));
    assert_int_equal(l.n, 0);
    assert_int_equal(last, 0);                     /* the end of the table */
    READ(s, good(store_device_due(t, 1000, 500, 30, 3, &l, &last, &a, &e)));
    assert_int_equal(last, 0);
    end();
}

static void counters_are_raised_up_to_their_ceiling(void **state)
{
    begin(state);
    struct device one = a_device(5), two = a_device(6), got;
    one.counter = 41;
    two.counter = 0x7FFFFF - 10;
    good(WRITE(s, W(DEVICE_INSERT, &one), W(DEVICE_INSERT, &two), W(COUNTERS_ADD, .a = 1000)));
    READ(s, good(store_device_get(t, 5, &got, &a, &e)); assert_int_equal(got.counter, 1041); assert_int_equal(got.version, 2);
         good(store_device_get(t, 6, &got, &a, &e)); assert_int_equal(got.counter, 0x7FFFFF));
    bad(E_INVALID, WRITE(s, W(COUNTERS_ADD, .a = -1)));
    end();
}

/* ---- labels, contacts, profiles, data ---- */

static void labels_are_text_and_nothing_else(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct label_list l;
    struct label odd = { ODD_TEXT, ODD_TEXT }, site = { SLICE("site"), SLICE("north") }, empty = { SLICE("empty"), SLICE("") };
    static const char *const wrong[] = { "a\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\xaf", "\x80" };
    good(WRITE(s, W(DEVICE_INSERT, &d), W(LABEL_PUT, &odd, 5), W(LABEL_PUT, &site, 5), W(LABEL_PUT, &empty, 5)));
    site.value = SLICE("south");
    good(WRITE(s, W(LABEL_PUT, &site, 5)));
    READ(s, good(store_label_list(t, 5, &l, &a, &e)));
    assert_int_equal(l.n, 3);
    same(l.v[0].name, ODD_TEXT);
    same(l.v[0].value, ODD_TEXT);
    same(l.v[1].value, SLICE(""));
    same(l.v[2].value, SLICE("south"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct label bent = { SLICE("bent"), slice_str(wrong[i]) };
        bad(E_INVALID, WRITE(s, W(LABEL_PUT, &bent, 5)));
    }
    struct label nul = { SLICE("bent"), SLICE("a\0b") };
    bad(E_INVALID, WRITE(s, W(LABEL_PUT, &nul, 5)));
    READ(s, good(store_label_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 3));
    end();
}

static void contacts_are_written_in_batches_and_only_get_newer(void **state)
{
    begin(state);
    struct device d = a_device(5), f = a_device(6);
    struct contact first[] = { { 5, 100 }, { 4711, 1 }, { 6, 200 } }, later[] = { { 6, 150 }, { 5, 300 } };
    int64_t seen;
    good(WRITE(s, W(DEVICE_INSERT, &d), W(DEVICE_INSERT, &f)));
    READ(s, good(store_contact_get(t, 5, &seen, &e)); assert_int_equal(seen, 0));
    good(WRITE(s, W(CONTACT_PUT, first, .n = 3)));
    good(WRITE(s, W(CONTACT_PUT, later, .n = 2), W(CONTACT_PUT, NULL, .n = 0)));
    READ(s, good(store_contact_get(t, 5, &seen, &e)); assert_int_equal(seen, 300);
         good(store_contact_get(t, 6, &seen, &e)); assert_int_equal(seen, 200);
         good(store_contact_get(t, 4711, &seen, &e)); assert_int_equal(seen, 0));
    end();
}

static void profiles_are_what_the_last_inventory_told(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct profile_list l;
    struct profile p[] = {
        { .iccid = SLICE("\x01\x00"), .aid = ODD_BYTES, .name = ODD_BYTES, .provider = ODD_TEXT, .nickname = SLICE("nick"), .class_ = 2,
          .fallback = true, .ecall = true, .policy_rules = 3, .as_of_us = 4, .op = 5 },
        { .iccid = SLICE("\x01\x01"), .class_ = -1, .fallback_allowed = true },
    };
    good(WRITE(s, W(DEVICE_INSERT, &d), W(PROFILE_REPLACE, p, 5, 2)));
    READ(s, good(store_profile_list(t, 5, &l, &a, &e)));
    assert_int_equal(l.n, 2);
    same(l.v[0].iccid, p[0].iccid);
    same(l.v[0].aid, ODD_BYTES);
    same(l.v[0].name, ODD_BYTES);
    same(l.v[0].provider, ODD_TEXT);
    same(l.v[0].nickname, SLICE("nick"));
    assert_int_equal(l.v[0].class_, 2);
    assert_true(l.v[0].fallback && !l.v[0].fallback_allowed && l.v[0].ecall);
    assert_int_equal(l.v[0].policy_rules, 3);
    assert_int_equal(l.v[0].as_of_us, 4);
    assert_int_equal(l.v[0].op, 5);
    assert_int_equal(l.v[1].class_, -1);
    assert_true(!l.v[1].fallback && l.v[1].fallback_allowed && !l.v[1].ecall);
    good(WRITE(s, W(PROFILE_DELETE, &p[0].iccid, 5), W(PROFILE_DELETE, &p[0].iccid, 5)));
    READ(s, good(store_profile_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 1); same(l.v[0].iccid, p[1].iccid));
    good(WRITE(s, W(PROFILE_REPLACE, p, 5, 1)));
    READ(s, good(store_profile_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 1); same(l.v[0].iccid, p[0].iccid));
    p[1].iccid = p[0].iccid;                       /* the same ICCID twice: refused as a whole */
    bad(E_CONFLICT, WRITE(s, W(PROFILE_REPLACE, p, 5, 2)));
    READ(s, good(store_profile_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 1));
    end();
}

static void device_data_may_be_large_and_is_replaced(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct device_data data = { .eum_cert = SLICE("eum"), .euicc_cert = ODD_BYTES, .as_of_us = 9 }, got;
    size_t n = 3 << 20;
    uint8_t *large = arena_alloc(&a, n);
    for (size_t i = 0; i < n; i++) large[i] = (uint8_t)(i * 2654435761u >> 13);
    data.info = slice_of(large, n);
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    READ(s, good(store_data_get(t, 5, &got, &a, &e)); assert_int_equal(got.as_of_us, 0));
    good(WRITE(s, W(DATA_PUT, &data, 5)));
    READ(s, good(store_data_get(t, 5, &got, &a, &e)); same(got.info, data.info));
    same(got.euicc_cert, ODD_BYTES);
    data = (struct device_data){ .as_of_us = 10 };
    good(WRITE(s, W(DATA_PUT, &data, 5)));
    READ(s, good(store_data_get(t, 5, &got, &a, &e)); assert_int_equal(got.info.n + got.eum_cert.n + got.euicc_cert.n, 0));
    assert_int_equal(got.as_of_us, 10);
    end();
}

/* ---- operations ---- */

static struct operation full_operation(void)
{
    return (struct operation){
        .association = 5, .id = 6, .tenant = 7, .state = OP_UNKNOWN, .origin = ORIGIN_SETTLE, .overrides = 3, .request = ODD_BYTES,
        .principal = ODD_TEXT, .created_us = 8, .expires_us = 9, .counter = 10, .token = 11, .txid = SLICE("txid\0"), .package = SLICE("package"),
        .first_sent_us = 12, .last_sent_us = 13, .deliveries = 14, .result = SLICE("result"), .result_us = 15, .seq = 16, .code = 17,
        .reason = SLICE("why not"), .settles = 18,
    };
}

static void assert_operation(const struct operation *u, const struct operation *v)
{
#define EQ(m) assert_int_equal(u->m, v->m)
    EQ(association); EQ(id); EQ(tenant); EQ(state); EQ(origin); EQ(overrides); EQ(created_us); EQ(expires_us); EQ(counter); EQ(token);
    EQ(first_sent_us); EQ(last_sent_us); EQ(deliveries); EQ(result_us); EQ(seq); EQ(code); EQ(settles);
#undef EQ
    same(u->request, v->request);
    same(u->principal, v->principal);
    same(u->txid, v->txid);
    same(u->package, v->package);
    same(u->result, v->result);
    same(u->reason, v->reason);
}

static void an_operation_comes_back_as_it_was_written(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct operation o = full_operation(), got, next;
    good(WRITE(s, W(DEVICE_INSERT, &d), W(OPERATION_INSERT, &o)));
    READ(s, good(store_operation_get(t, 5, 6, &got, &a, &e)));
    assert_operation(&got, &o);
    READ(s, good(store_operation_find(t, 7, 6, &got, &a, &e)));
    assert_operation(&got, &o);
    READ(s, good(store_operation_get(t, 5, 7, &got, &a, &e)); assert_int_equal(got.id, 0);
         good(store_operation_get(t, 6, 6, &got, &a, &e)); assert_int_equal(got.id, 0);
         good(store_operation_find(t, 1, 6, &got, &a, &e)); assert_int_equal(got.id, 0));
    bad(E_CONFLICT, WRITE(s, W(OPERATION_INSERT, &o)));
    next = o;
    next.state = OP_DONE;
    next.package = next.result = next.txid = SLICE("longer than it was before");
    next.reason = ODD_TEXT;
    next.counter = next.token = next.deliveries = next.seq = next.code = next.result_us = next.first_sent_us = next.last_sent_us = -2;
    good(WRITE(s, W(OPERATION_UPDATE, &next, OP_UNKNOWN)));
    READ(s, good(store_operation_get(t, 5, 6, &got, &a, &e)));
    assert_operation(&got, &next);
    end();
}

static void an_operation_moves_only_from_the_state_it_is_in(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct operation o = an_operation(5, 6), got;
    good(WRITE(s, W(DEVICE_INSERT, &d), W(OPERATION_INSERT, &o)));
    o.state = OP_DONE;
    bad(E_STALE, WRITE(s, W(OPERATION_UPDATE, &o, OP_SENT)));
    o.state = OP_SENT;
    good(WRITE(s, W(OPERATION_UPDATE, &o, OP_PENDING)));
    bad(E_STALE, WRITE(s, W(OPERATION_UPDATE, &o, OP_PENDING)));
    READ(s, good(store_operation_get(t, 5, 6, &got, &a, &e)); assert_int_equal(got.state, OP_SENT));
    o.id = 7;
    bad(E_STALE, WRITE(s, W(OPERATION_UPDATE, &o, OP_SENT)));
    end();
}

/* many_operations -- ids 1 to n of one device; txid and counter are the id; every fourth is pending, the rest done. */
static void many_operations(int64_t association, int n)
{
    static struct operation o[1200];
    static struct step step[1200];
    static uint8_t txid[1200][16];
    for (int i = 0; i < n; i++) {
        o[i] = an_operation(association, i + 1);
        memcpy(txid[i], &o[i].id, sizeof o[i].id);
        o[i].txid = slice_of(txid[i], 16);
        o[i].counter = o[i].id;
        o[i].package = SLICE("package");
        o[i].state = i % 4 == 3 ? OP_PENDING : OP_DONE;
        step[i] = (struct step){ .what = OPERATION_INSERT, .p = &o[i] };
    }
    good(script_run(s, step, (size_t)n, &e));
}

static void operations_are_found_by_txid_and_counter_not_too_far_back(void **state)
{
    begin(state);
    struct device d = a_device(5), f = a_device(6);
    struct operation got;
    uint8_t txid[16] = { 0 };
    good(WRITE(s, W(DEVICE_INSERT, &d), W(DEVICE_INSERT, &f)));
    many_operations(5, 1100);
    for (int64_t id = 100; id <= 1100; id += 1000 - 1) {                     /* 100 is the 1,001st from the end, 1099 is near it */
        memcpy(txid, &id, sizeof id);
        READ(s, good(store_operation_by_txid(t, 5, slice_of(txid, 16), &got, &a, &e)); assert_int_equal(got.id, id == 100 ? 0 : id);
             good(store_operation_by_counter(t, 5, id, &got, &a, &e)); assert_int_equal(got.id, id == 100 ? 0 : id));
    }
    READ(s, good(store_operation_by_counter(t, 5, 101, &got, &a, &e)); assert_int_equal(got.id, 101); same(got.package, SLICE("package"));
         good(store_operation_by_counter(t, 6, 101, &got, &a, &e)); assert_int_equal(got.id, 0);
         good(store_operation_by_txid(t, 5, SLICE("no such"), &got, &a, &e)); assert_int_equal(got.id, 0));
    struct operation again = an_operation(5, 2000);                          /* the newest of two wins */
    again.counter = 500;
    good(WRITE(s, W(OPERATION_INSERT, &again)));
    READ(s, good(store_operation_by_counter(t, 5, 500, &got, &a, &e)); assert_int_equal(got.id, 2000));
    end();
}

static void the_queue_of_a_device_is_read_in_order(void **state)
{
    begin(state);
    struct device d = a_device(5);
    int64_t id, n;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    many_operations(5, 10);
    READ(s, good(store_operation_next(t, 5, OP_PENDING, 0, &id, &e)); assert_int_equal(id, 4);
         good(store_operation_next(t, 5, OP_PENDING, 4, &id, &e)); assert_int_equal(id, 8);
         good(store_operation_next(t, 5, OP_PENDING, 8, &id, &e)); assert_int_equal(id, 0);
         good(store_operation_next(t, 5, OP_SENT, 0, &id, &e)); assert_int_equal(id, 0);
         good(store_operation_pending_count(t, 5, &n, &e)); assert_int_equal(n, 2);
         good(store_operation_pending_count(t, 6, &n, &e)); assert_int_equal(n, 0));
    end();
}

static void operations_are_listed_newest_first(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct operation_list l;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    many_operations(5, 100);
    READ(s, good(store_operation_list(t, 5, 0, 40, true, &l, &a, &e)));
    assert_int_equal(l.n, 40);
    for (size_t i = 0; i < l.n; i++) assert_int_equal(l.v[i].id, 100 - (int)i);
    same(l.v[39].package, SLICE("package"));
    READ(s, good(store_operation_list(t, 5, 61, 100, false, &l, &a, &e)));
    assert_int_equal(l.n, 60);
    assert_int_equal(l.v[0].id, 60);
    assert_int_equal(l.v[0].package.n, 0);
    same(l.v[0].request, SLICE("\xbf\x51\x00"));
    READ(s, good(store_operation_list_tenant(t, 1, OP_STATE_END, 0, 7, &l, &a, &e)); assert_int_equal(l.n, 7); assert_int_equal(l.v[6].id, 94);
         good(store_operation_list_tenant(t, 1, OP_PENDING, 50, 3, &l, &a, &e)); assert_int_equal(l.n, 3); assert_int_equal(l.v[0].id, 48);
         good(store_operation_list_tenant(t, 2, OP_STATE_END, 0, 7, &l, &a, &e)); assert_int_equal(l.n, 0));
    end();
}

/* ---- notifications, hints, audit, tokens ---- */

static void a_notification_is_stored_once(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct notification n = { .association = 5, .tenant = 1, .seq = 3, .state = NOTIFICATION_KEPT, .event = 2, .address = SLICE("smdp.example"),
                              .iccid = ODD_BYTES, .raw = ODD_BYTES, .received_us = 4 }, other = n;
    struct notification_list l;
    good(WRITE(s, W(DEVICE_INSERT, &d), W(NOTIFICATION_PUT, &n)));
    n.received_us = 99;
    good(WRITE(s, W(NOTIFICATION_PUT, &n)));
    other.raw = SLICE("another");
    bad(E_CONFLICT, WRITE(s, W(NOTIFICATION_PUT, &other)));
    READ(s, good(store_notification_list(t, 5, &l, &a, &e)));
    assert_int_equal(l.n, 1);
    assert_int_equal(l.v[0].received_us, 4);
    assert_int_equal(l.v[0].event, 2);
    same(l.v[0].address, SLICE("smdp.example"));
    same(l.v[0].iccid, ODD_BYTES);
    same(l.v[0].raw, ODD_BYTES);
    other.state = NOTIFICATION_VERIFIED;           /* what verifies is not kept out by what does not */
    good(WRITE(s, W(NOTIFICATION_PUT, &other)));
    bad(E_CONFLICT, WRITE(s, W(NOTIFICATION_PUT, &n)));
    READ(s, good(store_notification_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 1); same(l.v[0].raw, SLICE("another"));
         assert_int_equal(l.v[0].state, NOTIFICATION_VERIFIED));
    end();
}

static void unverified_notifications_of_a_device_are_capped(void **state)
{
    begin(state);
    struct device d = a_device(5);
    struct notification n = { .association = 5, .tenant = 1, .state = NOTIFICATION_KEPT, .raw = SLICE("r") };
    struct notification_list l;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    for (n.seq = 0; n.seq < 32; n.seq++) good(WRITE(s, W(NOTIFICATION_PUT, &n)));
    bad(E_LIMIT, WRITE(s, W(NOTIFICATION_PUT, &n)));
    n.state = NOTIFICATION_VERIFIED;
    good(WRITE(s, W(NOTIFICATION_PUT, &n)));
    n.state = NOTIFICATION_KEPT;
    n.seq = 31;
    good(WRITE(s, W(NOTIFICATION_PUT, &n)));       /* one that is there is no more than it was */
    READ(s, good(store_notification_list(t, 5, &l, &a, &e)); assert_int_equal(l.n, 33));
    end();
}

static void the_oldest_hint_makes_room(void **state)
{
    begin(state);
    struct device d = a_device(5), f = a_device(6);
    static uint8_t raw[16385];
    struct hint h = { .association = 6, .tenant = 1, .id = 1, .received_us = 3, .kind = SLICE("unsigned_error"), .why = ODD_TEXT, .raw = slice_of(raw, 16384) };
    struct hint_list l;
    good(WRITE(s, W(DEVICE_INSERT, &d), W(DEVICE_INSERT, &f), W(HINT_PUT, &h)));
    h.association = 5;
    for (h.id = 1; h.id <= HINTS_MAX + 3; h.id++) good(WRITE(s, W(HINT_PUT, &h)));
    READ(s, good(store_hint_list(t, 5, &l, &a, &e)));
    assert_int_equal(l.n, HINTS_MAX);
    assert_int_equal(l.v[0].id, 4);
    assert_int_equal(l.v[HINTS_MAX - 1].id, HINTS_MAX + 3);
    same(l.v[0].why, ODD_TEXT);
    same(l.v[0].raw, h.raw);
    READ(s, good(store_hint_list(t, 6, &l, &a, &e)); assert_int_equal(l.n, 1));
    h.raw.n++;
    bad(E_TOO_LARGE, WRITE(s, W(HINT_PUT, &h)));
    end();
}

static void audit_lines_are_kept_exactly(void **state)
{
    begin(state);
    struct audit_list l;
    struct slice line = SLICE("{\"who\":\"O'Neill\",\"what\":\"\xc3\xa9\\u0000\"}");
    for (int64_t id = 1; id <= 50; id++) good(WRITE(s, W(AUDIT, &line, id)));
    READ(s, good(store_audit_list(t, 1, 10, 25, &l, &a, &e)));
    assert_int_equal(l.n, 25);
    assert_int_equal(l.v[0].id, 11);
    assert_int_equal(l.v[24].id, 35);
    assert_int_equal(l.v[0].at_us, 1011);
    same(l.v[0].line, line);
    READ(s, good(store_audit_list(t, 2, 0, 25, &l, &a, &e)); assert_int_equal(l.n, 0));
    end();
}

struct account_job { struct store_job job; const struct smdp_account *s; };

static void tokens_are_found_by_their_hash(void **state)
{
    begin(state);
    struct token k = { .id = 3, .tenant = 1, .hash = { 1, 0, 3 }, .name = SLICE("admin"), .role = SLICE("admin"), .created_us = 4, .expires_us = 5 }, got;
    struct token clash = k;
    clash.id = 4;
    good(WRITE(s, W(TOKEN_PUT, &k)));
    bad(E_CONFLICT, WRITE(s, W(TOKEN_PUT, &clash)));
    k.revoked_us = 6;
    good(WRITE(s, W(TOKEN_PUT, &k)));
    READ(s, good(store_token_find(t, k.hash, &got, &a, &e)));
    assert_int_equal(got.id, 3);
    assert_int_equal(got.tenant, 1);
    assert_int_equal(got.created_us, 4);
    assert_int_equal(got.expires_us, 5);
    assert_int_equal(got.revoked_us, 6);
    same(got.name, SLICE("admin"));
    same(got.role, SLICE("admin"));
    assert_memory_equal(got.hash, k.hash, 32);
    k.hash[31] = 1;
    READ(s, good(store_token_find(t, k.hash, &got, &a, &e)); assert_int_equal(got.id, 0));
    end();
}

static enum eim_err put_account(struct tx *t, struct store_job *job, struct err *e)
{
    return store_smdp_put(t, ((struct account_job *)job)->s, e);
}

static void accounts_are_found_by_their_address(void **state)
{
    begin(state);
    struct smdp_account acc = { .id = 7, .tenant = 1, .changed_us = 2, .connect_ms = 3, .total_ms = 4, .max_parallel = 5, .enabled = true,
        .name = SLICE("north"), .operator_name = ODD_TEXT, .address = SLICE("dp.example:8443"), .oid = SLICE("2.999.10"), .trust_pem = SLICE("pem\0pem"),
        .es2_url = SLICE("https://es2.example"), .es2_credential = SLICE("cred"), .function_requester = SLICE("us"), .x_admin = SLICE("2.5.0") }, got;
    struct account_job j = { .job.apply = put_account, .s = &acc };
    struct smdp_list all;
    good(store_run(s, &j.job, &e));
    acc.id = 8;
    bad(E_CONFLICT, store_run(s, &j.job, &e));                     /* the name */
    acc.name = SLICE("south");
    bad(E_CONFLICT, store_run(s, &j.job, &e));                     /* the address */
    acc.address = SLICE("other.example");
    good(store_run(s, &j.job, &e));
    READ(s, good(store_smdp_find(t, 1, SLICE("dp.example:8443"), &got, &a, &e)));
    assert_true(got.id == 7 && got.tenant == 1 && got.changed_us == 2 && got.connect_ms == 3 && got.total_ms == 4 && got.max_parallel == 5 && got.enabled);
    same(got.name, SLICE("north")); same(got.operator_name, ODD_TEXT); same(got.address, SLICE("dp.example:8443"));
    same(got.oid, SLICE("2.999.10")); same(got.trust_pem, SLICE("pem\0pem")); same(got.es2_url, SLICE("https://es2.example"));
    same(got.es2_credential, SLICE("cred")); same(got.function_requester, SLICE("us")); same(got.x_admin, SLICE("2.5.0"));
    READ(s, good(store_smdp_find(t, 2, SLICE("dp.example:8443"), &got, &a, &e)); assert_int_equal(got.id, 0));
    READ(s, good(store_smdp_list(t, 1, 7, 10, &all, &a, &e)); assert_int_equal(all.n, 1); assert_int_equal(all.v[0].id, 8));
    end();
}

/* ---- transactions as a caller sees them ---- */

static void a_job_that_fails_changes_nothing(void **state)
{
    begin(state);
    struct device d = a_device(5), got;
    bad(E_STATE, WRITE(s, W(DEVICE_INSERT, &d), W(GIVE_UP, .a = E_STATE)));
    READ(s, good(store_device_get(t, 5, &got, &a, &e)); assert_int_equal(got.association, 0));
    end();
}

static void a_reader_sees_one_moment(void **state)
{
    begin(state);
    struct device d = a_device(5), f = a_device(6), got;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    READ(s, good(store_device_get(t, 5, &got, &a, &e)); assert_int_equal(got.counter, 0);
         d.counter = 9; good(WRITE(s, W(DEVICE_UPDATE, &d), W(DEVICE_INSERT, &f)));
         good(store_device_get(t, 5, &got, &a, &e)); assert_int_equal(got.counter, 0);
         good(store_device_get(t, 6, &got, &a, &e)); assert_int_equal(got.association, 0));
    READ(s, good(store_device_get(t, 5, &got, &a, &e)); assert_int_equal(got.counter, 9));
    end();
}

static void a_full_arena_is_an_error_of_that_request_only(void **state)
{
    begin(state);
    struct arena small;
    struct device_list l;
    many_devices(100);
    for (size_t cap = 0; cap < 20000; cap += 997) {
        arena_init(&small, cap);
        READ(s, bad(E_NOMEM, store_device_list(t, 1, 0, 100, &l, &small, &e)));
        arena_free(&small);
    }
    READ(s, good(store_device_list(t, 1, 0, 100, &l, &a, &e)); assert_int_equal(l.n, 67));
    end();
}

struct lock_job { struct store_job job; struct device got; };

static enum eim_err lock_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct lock_job *j = (struct lock_job *)job;
    TRY(store_device_lock(t, 5, &j->got, &a, e));
    j->got.counter++;
    return store_device_update(t, &j->got, e);
}

static void a_row_can_be_locked_read_and_written_in_one_job(void **state)
{
    begin(state);
    struct device d = a_device(5), got;
    struct lock_job j = { .job.apply = lock_apply };
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    good(store_run(s, &j.job, &e));
    READ(s, good(store_device_get(t, 5, &got, &a, &e)); assert_int_equal(got.counter, 1));
    end();
}

static void what_was_written_is_there_after_opening_again(void **state)
{
    const char *url = fresh_url(state);
    arena_init(&a, 1 << 20);
    s = open_url(url);
    struct device d = full_device(), got;
    good(WRITE(s, W(DEVICE_INSERT, &d)));
    store_close(s);
    s = open_url(url);
    READ(s, good(store_device_get(t, d.association, &got, &a, &e)));
    assert_device(&got, &d);
    assert_string_equal(store_engine(s), ((const struct engine *)*state)->name);
    good(store_ping(s, &e));
    end();
    store_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(identities_are_inserted_replaced_and_listed), BOTH(a_device_comes_back_as_it_was_written),
        BOTH(a_second_device_of_the_same_number_is_refused), BOTH(an_update_of_an_older_version_is_stale), BOTH(a_mark_changes_with_its_device),
        BOTH(a_deleted_device_takes_its_rows_along_and_no_others), BOTH(rows_of_no_device_are_refused),
        BOTH(a_list_of_devices_is_read_page_by_page), BOTH(the_sweep_finds_what_is_due_and_starts_over),
        BOTH(counters_are_raised_up_to_their_ceiling), BOTH(labels_are_text_and_nothing_else),
        BOTH(contacts_are_written_in_batches_and_only_get_newer), BOTH(profiles_are_what_the_last_inventory_told),
        BOTH(device_data_may_be_large_and_is_replaced), BOTH(an_operation_comes_back_as_it_was_written),
        BOTH(an_operation_moves_only_from_the_state_it_is_in), BOTH(operations_are_found_by_txid_and_counter_not_too_far_back),
        BOTH(the_queue_of_a_device_is_read_in_order), BOTH(operations_are_listed_newest_first), BOTH(a_notification_is_stored_once),
        BOTH(unverified_notifications_of_a_device_are_capped), BOTH(the_oldest_hint_makes_room), BOTH(audit_lines_are_kept_exactly),
        BOTH(tokens_are_found_by_their_hash), BOTH(accounts_are_found_by_their_address), BOTH(a_job_that_fails_changes_nothing), BOTH(a_reader_sees_one_moment),
        BOTH(a_full_arena_is_an_error_of_that_request_only), BOTH(a_row_can_be_locked_read_and_written_in_one_job),
        BOTH(what_was_written_is_there_after_opening_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
