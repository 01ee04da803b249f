/* test_vault.c -- the signer's process from inside: frames, what is signed, the journal, the client with many threads. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asn1/sgp32.h"
#include "base/env.h"
#include "base/file.h"
#include "crypto/verify.h"
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"
#include "vault/client.h"
#include "vault/vault.h"
#include "vault/wire.h"

static struct arena arena;
static struct err e;

static int fresh(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    arena_free(&arena);
    arena_init(&arena, 8 << 20);
    e = (struct err){ 0 };
    return 0;
}

/* ---- packages ---- */

enum what { LIST, DISABLE, LIST_EIM, ADD_NOTHING };

static struct slice package_of(const char *eim, uint8_t device, int64_t counter, enum what what, uint8_t txid_octet)
{
    uint8_t *eid = arena_alloc(&arena, 16), *txid = arena_alloc(&arena, 16), *iccid = arena_alloc(&arena, 10);
    memset(eid, 0x89, 15);
    eid[15] = device;
    memset(txid, txid_octet, 16);
    memset(iccid, 0x98, 10);
    struct psmo psmo = { 0 };
    struct eco eco = { 0 };
    struct euicc_package_signed s = { .eim_id = slice_str(eim), .eid_value = { eid, 16 }, .counter_value = counter, .eim_transaction_id = { txid, 16 } };
    der_set(&s, euicc_package_signed, eim_transaction_id);
    s.euicc_package.der.which = what == LIST_EIM ? euicc_package_is_eco_list : euicc_package_is_psmo_list;
    if (what == LIST_EIM) {
        eco.der.which = eco_is_list_eim;
        s.euicc_package.eco_list.v = &eco;
        s.euicc_package.eco_list.n = 1;
    } else {
        psmo.der.which = what == LIST ? psmo_is_get_rat : psmo_is_disable;
        psmo.disable.iccid = (struct slice){ iccid, 10 };
        if (what == LIST) psmo.get_rat = (struct empty_sequence){ 0 };
        s.euicc_package.psmo_list.v = &psmo;
        s.euicc_package.psmo_list.n = what == ADD_NOTHING ? 0 : 1;
    }
    struct slice der = der_encode(&euicc_package_signed_type, &s, &arena);
    assert_non_null(der.p);
    return der;
}

static struct slice package(uint8_t device, int64_t counter, enum what what)
{
    return package_of("eim.test", device, counter, what, 7);
}

static struct guard_package read_it(struct slice tbs)
{
    struct guard_package p;
    assert_ok(guard_read(tbs, SLICE(""), &p, &arena, &e));
    return p;
}

/* ---- frames ---- */

static void a_frame_comes_as_it_went(void **state)
{
    (void)state;
    struct buf out = { 0 }, in = { 0 };
    int sv[2];
    bool closed = true;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    buf_init(&out, VAULT_FRAME_MAX);
    buf_init(&in, VAULT_FRAME_MAX);
    wire_begin(&out, VAULT_SIGN);
    wire_put(&out, UINT64_C(0x0102030405060708), 8);
    wire_put_text(&out, SLICE("abc"));
    assert_ok(wire_send(sv[0], &out, &e));
    assert_ok(wire_recv(sv[1], &in, &closed, &e));
    assert_false(closed);
    struct wire w = { .rest = buf_slice(&in) };
    assert_int_equal(wire_get(&w, 1), VAULT_SIGN);
    assert_true(wire_get(&w, 8) == UINT64_C(0x0102030405060708));
    assert_false(wire_done(&w));
    struct slice s = wire_get_text(&w, 3);
    assert_true(slice_eq(s, SLICE("abc")) && wire_done(&w));
    assert_int_equal(wire_get(&w, 2), 0);              /* nothing is left: bad from here on */
    assert_true(w.bad && !wire_done(&w));
    close(sv[0]);
    assert_refused(E_IO, wire_recv(sv[1], &in, &closed, &e));
    assert_true(closed);
    assert_refused(E_IO, wire_send(sv[1], &out, &e));
    close(sv[1]);
    buf_free(&in);
    buf_free(&out);
}

static void a_frame_that_is_too_long_empty_or_cut_is_refused(void **state)
{
    (void)state;
    static const struct { const char *octets; size_t n; enum eim_err rc; } cases[] = {
        { "\x7f\xff\xff\xff" "x", 5, E_TOO_LARGE }, { "\0\0\0\0", 4, E_TOO_LARGE }, { "\0\0\0\5abc", 7, E_IO }, { "\0\0", 2, E_IO },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf in;
        int sv[2];
        bool closed = true;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        assert_int_equal(write(sv[0], cases[i].octets, cases[i].n), (ssize_t)cases[i].n);
        close(sv[0]);
        buf_init(&in, VAULT_FRAME_MAX);
        assert_refused(cases[i].rc, wire_recv(sv[1], &in, &closed, &e));
        assert_false(closed);
        buf_free(&in);
        close(sv[1]);
    }
    struct wire w = { .rest = SLICE("\0\4abcd") };
    assert_int_equal(wire_get_text(&w, 3).n, 0);       /* longer than it may be */
    assert_true(w.bad);
}

/* ---- what is signed ---- */

static void packages_are_read_and_what_only_lists_is_known(void **state)
{
    (void)state;
    struct guard_package list = read_it(package(1, 5, LIST)), disable = read_it(package(1, 5, DISABLE)), eims = read_it(package(2, 6, LIST_EIM));
    assert_true(list.lists && eims.lists && !disable.lists);
    assert_int_equal(list.counter, 5);
    assert_int_equal(list.eid[15], 1);
    assert_true(list.association == disable.association && list.association != eims.association);
    assert_true(memcmp(list.digest, disable.digest, sizeof list.digest) != 0);
    assert_true(read_it(package_of("other", 1, 5, LIST, 7)).association != list.association);
    struct guard_package with;
    assert_ok(guard_read(package(1, 5, LIST), SLICE("token"), &with, &arena, &e));
    assert_true(with.association == list.association && memcmp(with.digest, list.digest, sizeof with.digest) != 0);
}

static void what_is_no_whole_package_is_not_read(void **state)
{
    (void)state;
    struct guard_package p;
    struct slice good = package(1, 5, DISABLE);
    for (size_t n = 0; n < good.n; n++) {
        e = (struct err){ 0 };
        assert_true(guard_read((struct slice){ good.p, n }, SLICE(""), &p, &arena, &e) != OK);
    }
    assert_refused(E_INVALID, guard_read(package(1, 5, ADD_NOTHING), SLICE(""), &p, &arena, &e));
    assert_string_equal(e.field, "euiccPackage");

    uint8_t more[256];                                 /* a member that nobody knows: decoding passes over it */
    memcpy(more, good.p, good.n);
    memcpy(more + good.n, (uint8_t[]){ 0x9f, 0x7f, 1, 0 }, 4);
    more[1] = (uint8_t)(more[1] + 4);
    struct euicc_package_signed s;
    assert_ok(der_decode(&euicc_package_signed_type, slice_of(more, good.n + 4), &s, &arena, &e));
    assert_refused(E_INVALID, guard_read(slice_of(more, good.n + 4), SLICE(""), &p, &arena, &e));

    uint8_t lax[256] = { 0x30, 0x81 };                 /* a length that is not the shortest */
    memcpy(lax + 2, good.p + 1, good.n - 1);
    assert_ok(der_decode(&euicc_package_signed_type, slice_of(lax, good.n + 1), &s, &arena, &e));
    assert_refused(E_INVALID, guard_read(slice_of(lax, good.n + 1), SLICE(""), &p, &arena, &e));
    der_unset(&s, euicc_package_signed, eim_transaction_id);
    struct slice without = der_encode(&euicc_package_signed_type, &s, &arena);
    assert_refused(E_INVALID, guard_read(without, SLICE(""), &p, &arena, &e));
    assert_string_equal(e.field, "eimTransactionId");
}

static void a_counter_is_signed_once(void **state)
{
    (void)state;
    struct guard *g;
    struct guard_package five = read_it(package(1, 5, LIST)), other = read_it(package(1, 5, DISABLE)), four = read_it(package(1, 4, LIST)),
                         six = read_it(package(1, 6, LIST)), far = read_it(package(1, 6 + GUARD_JUMP + 1, LIST)),
                         edge = read_it(package(1, 6 + GUARD_JUMP, LIST));
    int64_t highest;
    bool again;
    assert_ok(guard_new(&g, &(struct guard_rates){ 0 }, &e));
    assert_ok(guard_admit(g, &five, 0, &highest, &again, &e));
    assert_true(!again && highest == 5);
    assert_ok(guard_admit(g, &five, 0, &highest, &again, &e));
    assert_true(again);
    assert_refused(E_REPLAY, guard_admit(g, &other, 0, &highest, &again, &e));
    assert_int_equal(highest, 5);
    assert_refused(E_REPLAY, guard_admit(g, &four, 0, &highest, &again, &e));
    assert_ok(guard_admit(g, &six, 0, &highest, &again, &e));
    assert_refused(E_REPLAY, guard_admit(g, &five, 0, &highest, &again, &e));
    assert_int_equal(highest, 6);
    assert_refused(E_RULE, guard_admit(g, &far, 0, &highest, &again, &e));
    assert_ok(guard_admit(g, &edge, 0, &highest, &again, &e));
    assert_int_equal(guard_count(g), 1);
    assert_ok(guard_recall(g, six.association, 3, 1, &e));             /* the journal only ever raises */
    assert_refused(E_REPLAY, guard_admit(g, &six, 0, &highest, &again, &e));
    guard_free(g);
}

static void rates_bound_each_kind_by_itself(void **state)
{
    (void)state;
    struct guard *g;
    int64_t highest, now = INT64_C(1) << 50;
    bool again;
    assert_ok(guard_new(&g, &(struct guard_rates){ .lists = 3, .changes = 1 }, &e));
    for (uint8_t i = 0; i < 3; i++) {
        struct guard_package p = read_it(package(i, 1, LIST));
        assert_ok(guard_admit(g, &p, now, &highest, &again, &e));
    }
    struct guard_package list = read_it(package(9, 1, LIST)), change = read_it(package(9, 1, DISABLE)), second = read_it(package(8, 1, DISABLE));
    assert_refused(E_BUSY, guard_admit(g, &list, now, &highest, &again, &e));
    assert_ok(guard_admit(g, &change, now, &highest, &again, &e));
    assert_refused(E_BUSY, guard_admit(g, &second, now + 59999999, &highest, &again, &e));
    assert_ok(guard_admit(g, &second, now + 60000000, &highest, &again, &e));
    struct guard_package later = read_it(package(7, 1, LIST)), last = read_it(package(6, 1, LIST));
    assert_ok(guard_admit(g, &later, now + 20000000, &highest, &again, &e));            /* a third of a minute: one of three */
    assert_refused(E_BUSY, guard_admit(g, &last, now + 20000000, &highest, &again, &e));
    assert_refused(E_BUSY, guard_admit(g, &last, now, &highest, &again, &e));           /* a clock put back gives nothing */
    guard_free(g);
}

static void many_associations_are_kept_apart(void **state)
{
    (void)state;
    struct guard *g;
    struct guard_entry entry;
    enum { MANY = 50000 };
    uint64_t sum = 0;
    assert_ok(guard_new(&g, &(struct guard_rates){ 0 }, &e));
    for (uint64_t i = 1; i <= MANY; i++) assert_ok(guard_recall(g, i << 40 | i, (int64_t)i, i, &e));
    assert_int_equal(guard_count(g), MANY);
    for (size_t at = 0; guard_each(g, &at, &entry);) {
        assert_true((entry.association & 0xffffffff) == (uint64_t)entry.counter);
        sum += (uint64_t)entry.counter;
    }
    assert_true(sum == (uint64_t)MANY * (MANY + 1) / 2);
    guard_free(g);
}

static struct slice head_of(const char *origin, int64_t size, char root)
{
    uint8_t octets[SHA256_SIZE];
    char b64[64];
    memset(octets, root, sizeof octets);
    slice_to_b64(slice_of(octets, sizeof octets), b64);
    return slice_str(arena_printf(&arena, "%s\n%lld\n%s\n", origin, (long long)size, b64));
}

static void heads_of_logs_only_grow(void **state)
{
    (void)state;
    struct guard *g;
    struct guard_package p, other;
    int64_t highest;
    bool again;
    assert_ok(guard_new(&g, &(struct guard_rates){ .lists = 1, .changes = 1 }, &e));
    assert_ok(guard_read_note(head_of("eim.test/audit/default", 500000, 1), "eim.test", "key", &p, &e));
    assert_true(p.note && p.counter == 500000 && p.association);
    for (int i = 0; i < 5; i++) {                      /* no rate, and no bound on how much a log may grow */
        assert_ok(guard_admit(g, &p, 0, &highest, &again, &e));
        p.counter += 500000;
    }
    assert_ok(guard_read_note(head_of("eim.test/audit/default", 2500000, 2), "eim.test", "key", &p, &e));
    assert_refused(E_REPLAY, guard_admit(g, &p, 0, &highest, &again, &e));     /* the same size, another root: a fork */
    assert_ok(guard_read_note(head_of("eim.test/audit/default", 2499999, 1), "eim.test", "key", &p, &e));
    assert_refused(E_REPLAY, guard_admit(g, &p, 0, &highest, &again, &e));
    assert_ok(guard_read_note(head_of("eim.test/audit/7", 1, 1), "eim.test", "key", &other, &e));
    assert_ok(guard_admit(g, &other, 0, &highest, &again, &e));                /* another tenant's log */
    assert_ok(guard_read_note(head_of("eim.test/audit/default", 1, 1), "eim.test", "another key", &other, &e));
    assert_ok(guard_admit(g, &other, 0, &highest, &again, &e));                /* another key is another log */
    struct slice page = SLICE("eim.test/inventory/default\nfrom 0\nto x\ndevices 3\nlines 00\nprevious none\nat now\n");
    assert_ok(guard_read_note(page, "eim.test", "key", &p, &e));
    assert_true(p.note && !p.association);
    for (int i = 0; i < 2; i++) assert_ok(guard_admit(g, &p, 0, &highest, &again, &e));
    guard_free(g);
}

static void other_notes_are_not_signed(void **state)
{
    (void)state;
    struct guard_package p;
    char longest[400];
    snprintf(longest, sizeof longest, "eim.test/audit/%0300d", 1);
    const struct slice bad[] = {
        SLICE(""), SLICE("hello\n"), head_of("eim.test/audit/", 5, 1), head_of("other/audit/default", 5, 1),
        head_of("eim.test/other/x", 5, 1),
        head_of("eim.test", 5, 1), head_of("eim.test/audit/a b", 5, 1), head_of("eim.test/audit/\x01", 5, 1), head_of(longest, 5, 1),
        head_of("eim.test/audit/default", 0, 1),
        head_of("eim.test/audit/default", -5, 1), SLICE("eim.test/audit/default\n05\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"),
        SLICE("eim.test/audit/default\n5\nAAEC\n"), SLICE("eim.test/audit/default\n5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nmore\n"),
        SLICE("eim.test/audit/default\n5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        SLICE("eim.test/inventory/default\nfrom 0\nto x\ndevices 3\nlines 00\nprevious none\n"),
        SLICE("eim.test/inventory/default\nto 0\nfrom x\ndevices 3\nlines 00\nprevious none\nat now\n"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        e = (struct err){ 0 };
        if (guard_read_note(bad[i], "eim.test", "key", &p, &e) != E_INVALID) fail_msg("number %zu was taken", i);
    }
}

/* ---- the journal ---- */

static struct journal *open_journal(const char *dir, struct guard **g, uint64_t rotate, struct journal_report *r)
{
    struct journal *j;
    assert_ok(guard_new(g, &(struct guard_rates){ 0 }, &e));
    assert_ok(journal_open(&j, dir, *g, rotate, r, &e));
    return j;
}

static void sign_counters(struct journal *j, uint8_t device, int64_t from, int64_t to)
{
    for (int64_t c = from; c <= to; c++) {
        struct guard_package p = read_it(package(device, c, DISABLE));
        assert_ok(journal_add(j, &p, "eim", 1000 + c, &e));
    }
    assert_ok(journal_sync(j, &e));
}

static int64_t highest_of(struct guard *g, uint8_t device)
{
    struct guard_package p = read_it(package_of("eim.test", device, 0, LIST, 99));
    int64_t highest;
    bool again;
    assert_refused(E_REPLAY, guard_admit(g, &p, 0, &highest, &again, &e));
    return highest;
}

static struct slice content(const char *path)
{
    uint8_t *p = arena_alloc(&arena, 1 << 20);
    size_t n;
    assert_ok(file_read(path, true, p, 1 << 20, &n, &e));
    return (struct slice){ p, n };
}

static void put(const char *path, struct slice s)
{
    unlink(path);
    assert_ok(file_write_new(path, 0600, s, &e));
}

static void a_restart_reads_the_journal(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    struct guard *g;
    struct journal_report r;
    struct journal *j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
    assert_true(r.number == 1 && r.lines == 0);
    sign_counters(j, 1, 1, 20);
    sign_counters(j, 2, 7, 9);
    struct guard_package head, page = { .note = true };
    int64_t highest;
    bool again;
    char longest[GUARD_ORIGIN_MAX + 1];
    snprintf(longest, sizeof longest, "eim.test/audit/%0*d", GUARD_ORIGIN_MAX - 15, 1);
    assert_ok(guard_read_note(head_of(longest, INT64_C(99999999999999999), 1), "eim.test", "key", &head, &e));
    assert_ok(journal_add(j, &head, longest, INT64_MAX, &e));
    assert_ok(journal_add(j, &page, "eim.test/inventory/default", 1, &e));
    assert_ok(journal_sync(j, &e));
    journal_close(j);
    guard_free(g);
    for (int i = 0; i < 2; i++) {
        j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
        assert_true(r.number == 1 && r.torn == 0 && r.lines == 2 + 20 + 3 + 2);
        head.counter--;
        assert_refused(E_REPLAY, guard_admit(g, &head, 0, &highest, &again, &e));
        head.counter++;
        assert_int_equal(highest_of(g, 1), 20);
        assert_int_equal(highest_of(g, 2), 9);
        journal_close(j);
        guard_free(g);
    }
    tmp_remove(dir);
}

static void a_new_file_carries_all_counters_and_goes_on_from_the_chain(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    struct guard *g;
    struct journal_report r;
    struct journal *j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
    sign_counters(j, 1, 1, 20);
    sign_counters(j, 2, 7, 9);
    journal_close(j);
    guard_free(g);
    struct slice first = content(tmp_path(dir, "journal-000001.log"));
    put(tmp_path(dir, "journal-000002.new"), SLICE("half of one"));            /* a start that died in the middle */
    j = open_journal(dir, &g, 1000, &r);
    assert_true(r.number == 2);
    sign_counters(j, 1, 21, 21);
    journal_close(j);
    guard_free(g);
    struct slice second = content(tmp_path(dir, "journal-000002.log"));
    assert_memory_equal(second.p + strlen("h 1 2 "), first.p + first.n - 65, 64);
    unlink(tmp_path(dir, "journal-000001.log"));                               /* older ones are for auditors */
    j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
    assert_true(r.number == 2);
    assert_int_equal(highest_of(g, 1), 21);
    assert_int_equal(highest_of(g, 2), 9);
    journal_close(j);
    guard_free(g);
    tmp_remove(dir);
}

/* However many octets of the last array are missing, or zeros: what was synced before stands, the rest is cut off. */
static void a_torn_end_is_cut_off(void **state)
{
    (void)state;
    const char *dir = tmp_make(), *path = tmp_path(dir, "journal-000001.log");
    char name[128];
    snprintf(name, sizeof name, "%s", path);
    struct guard *g;
    struct journal_report r;
    struct journal *j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
    sign_counters(j, 1, 1, 3);
    size_t synced = content(name).n;
    sign_counters(j, 1, 4, 6);
    journal_close(j);
    guard_free(g);
    struct slice whole = content(name);
    for (size_t n = synced; n < whole.n; n += 7)
        for (int zeros = 0; zeros < 2; zeros++) {
            uint8_t *torn = arena_alloc(&arena, whole.n);
            memcpy(torn, whole.p, n);
            put(name, slice_of(torn, zeros ? whole.n : n));
            j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
            int64_t highest = highest_of(g, 1);
            assert_true(highest >= 3 && highest < 6);
            sign_counters(j, 1, highest + 1, highest + 1);     /* and it goes on from there */
            journal_close(j);
            guard_free(g);
            j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
            assert_int_equal(r.torn, 0);
            assert_int_equal(highest_of(g, 1), highest + 1);
            journal_close(j);
            guard_free(g);
        }
    tmp_remove(dir);
}

static void refuse_journal(const char *dir, const char *words)
{
    struct guard *g;
    struct journal *j;
    struct journal_report r;
    assert_ok(guard_new(&g, &(struct guard_rates){ 0 }, &e));
    assert_refused(E_MISMATCH, journal_open(&j, dir, g, JOURNAL_ROTATE, &r, &e));
    assert_null(j);
    if (!strstr(e.why, words)) fail_msg("%s: expected %s", e.why, words);
    guard_free(g);
}

static void a_changed_removed_added_or_moved_line_is_named(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    char name[128];
    snprintf(name, sizeof name, "%s", tmp_path(dir, "journal-000001.log"));
    struct guard *g;
    struct journal_report r;
    struct journal *j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
    sign_counters(j, 1, 1, 6);
    journal_close(j);
    guard_free(g);
    struct slice whole = content(name), rest = whole, line[8];
    for (size_t i = 0; i < 8; i++) assert_true(slice_line(&rest, &line[i]));
    assert_int_equal(rest.n, 0);
    for (size_t i = 0; i < 8; i++) {                   /* any one octet of any line, the last too */
        uint8_t *p = arena_copy(&arena, whole).p ? arena_alloc(&arena, whole.n) : NULL;
        char words[32];
        memcpy(p, whole.p, whole.n);
        size_t at = (size_t)(line[i].p - whole.p) + (i ? line[i].n / 3 : 4);
        p[at] = p[at] == '1' ? '2' : '1';
        put(name, slice_of(p, whole.n));
        snprintf(words, sizeof words, "line %zu ", i + 1);
        refuse_journal(dir, words);
    }
    static const size_t orders[][8] = { { 0, 1, 2, 4, 5, 6, 7, 8 }, { 0, 1, 2, 4, 3, 5, 6, 7 }, { 0, 1, 2, 3, 3, 4, 5, 6 }, { 1, 2, 3, 4, 5, 6, 7, 8 } };
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        for (size_t i = 0; i < 8 && orders[o][i] < 8; i++) {
            buf_put(&b, line[orders[o][i]]);
            buf_str(&b, "\n");
        }
        put(name, buf_slice(&b));
        refuse_journal(dir, o == 3 ? "no journal" : o == 2 ? "line 5 " : "line 4 ");
        buf_free(&b);
    }
    put(name, (struct slice){ whole.p, line[1].n });   /* not even a head */
    refuse_journal(dir, "no whole beginning");
    put(name, whole);
    j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
    journal_close(j);
    guard_free(g);
    tmp_remove(dir);
}

/* ---- the whole, with the process as a thread ---- */

struct rig {
    const char *dir, *keys, *log;
    struct vault v;
    struct env env;
    int ours, theirs;
    pthread_t thread;
    enum eim_err rc;
};

static void *serve(void *arg)
{
    struct rig *r = arg;
    struct err why = { 0 };
    r->rc = vault_serve(&r->v, r->theirs, &why);
    close(r->theirs);
    return NULL;
}

static void rig_start(struct rig *r)
{
    struct journal_report report;
    int sv[2];
    char path[128];
    *r = (struct rig){ .dir = tmp_make() };
    env_real(&r->env);
    snprintf(path, sizeof path, "%s/keys", r->dir);
    r->keys = arena_str(&arena, slice_str(path));
    snprintf(path, sizeof path, "%s/log", r->dir);
    r->log = arena_str(&arena, slice_str(path));
    assert_true(mkdir(r->keys, 0700) == 0 && mkdir(r->log, 0700) == 0);
    assert_ok(signer_generate(tmp_path(r->keys, "a.pem"), CURVE_P256, &e));
    assert_ok(signer_generate(tmp_path(r->keys, "b.pem"), CURVE_BRAINPOOLP256R1, &e));
    r->v.env = &r->env;
    assert_ok(signer_open_dir(&r->v.signer, r->keys, &e));
    r->v.journal = open_journal(r->log, &r->v.guard, JOURNAL_ROTATE, &report);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    r->ours = sv[0];
    r->theirs = sv[1];
    assert_ok(note_signer_open(&r->v.notes, tmp_path(r->dir, "note.pem"), "eim.test", &e));
    r->v.name = "eim.test";
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void rig_stop(struct rig *r)
{
    pthread_join(r->thread, NULL);
    journal_close(r->v.journal);
    guard_free(r->v.guard);
    signer_close(r->v.signer);
    note_signer_free(r->v.notes);
    tmp_remove(r->dir);
}

static void good_signature(struct signer *real, const struct sign_request *q)
{
    struct slice spki;
    struct public_key *k;
    struct arena a;
    struct err why = { 0 };
    arena_init(&a, 4096);
    assert_int_equal(signer_public(real, q->key, &spki, NULL, &a, &why), OK);
    assert_int_equal(public_key_parse(&k, spki, &why), OK);
    assert_int_equal(verify_with_token(k, q->tbs, q->token, (struct slice){ q->sig, sizeof q->sig }, &why), OK);
    public_key_free(k);
    arena_free(&a);
}

static void the_client_is_a_signer(void **state)
{
    (void)state;
    struct rig r;
    struct signer *s;
    struct slice spki, real;
    enum curve curve;
    char name[SIGNER_NAME_MAX + 1];
    rig_start(&r);
    assert_ok(vault_client_open(&s, r.ours, &e));
    assert_true(signer_name(s, 1, name) && !signer_name(s, 2, name));
    assert_string_equal(name, "b");
    assert_ok(signer_public(s, "b", &spki, &curve, &arena, &e));
    assert_ok(signer_public(r.v.signer, "b", &real, NULL, &arena, &e));
    assert_true(slice_eq(spki, real) && curve == CURVE_BRAINPOOLP256R1);
    assert_refused(E_NOT_FOUND, signer_public(s, "c", NULL, NULL, &arena, &e));

    enum { N = 3 * VAULT_ARRAY + 5 };                  /* several arrays, with refusals in between */
    struct sign_request q[N] = { 0 };
    char long_name[SIGNER_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    for (int i = 0; i < N; i++) q[i] = (struct sign_request){ .key = i % 2 ? "a" : "b", .tbs = package((uint8_t)i, i + 1, DISABLE), .token = i % 3 };
    q[3].key = "c";
    q[5].token = -1;
    q[70].tbs = SLICE("no package");
    q[100].key = long_name;
    uint8_t *huge = arena_alloc(&arena, VAULT_TBS_MAX + 1);
    q[101].tbs = (struct slice){ huge, VAULT_TBS_MAX + 1 };
    assert_refused(E_NOT_FOUND, signer_sign(s, q, N, &e));
    for (int i = 0; i < N; i++) {
        enum eim_err want = i == 3 || i == 100 ? E_NOT_FOUND : i == 5 ? E_INVALID : i == 70 ? E_MALFORMED : i == 101 ? E_TOO_LARGE : OK;
        if (q[i].rc != want) fail_msg("request %d: %s, expected %s", i, q[i].rc ? err_name(q[i].rc) : "OK", want ? err_name(want) : "OK");
        if (want == OK) good_signature(r.v.signer, &q[i]);
    }
    struct sign_request old = { .key = "a", .tbs = package(9, 1, LIST) };
    assert_refused(E_REPLAY, signer_sign(s, &old, 1, &e));
    assert_int_equal(old.highest, 10);
    assert_non_null(strstr(e.why, "10 was signed already"));
    signer_close(s);
    rig_stop(&r);
    assert_int_equal(r.rc, OK);
}

struct many { struct signer *s, *real; uint8_t device; int failed; };

static void *sign_many(void *arg)
{
    struct many *m = arg;
    for (int64_t c = 1; c <= 40; c++) {
        struct err why = { 0 };
        uint8_t der[128];
        struct sign_request q = { .key = c % 2 ? "a" : "b" };
        static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&one);
        struct slice tbs = package(m->device, c, DISABLE);
        memcpy(der, tbs.p, tbs.n);
        pthread_mutex_unlock(&one);
        q.tbs = slice_of(der, tbs.n);
        if (signer_sign(m->s, &q, 1, &why) != OK) m->failed++;
        else good_signature(m->real, &q);
    }
    return NULL;
}

static void many_threads_share_arrays(void **state)
{
    (void)state;
    enum { THREADS = 24 };
    struct rig r;
    struct signer *s;
    struct many m[THREADS];
    pthread_t t[THREADS];
    rig_start(&r);
    assert_ok(vault_client_open(&s, r.ours, &e));
    for (int i = 0; i < THREADS; i++) {
        m[i] = (struct many){ .s = s, .real = r.v.signer, .device = (uint8_t)(i + 1) };
        assert_int_equal(pthread_create(&t[i], NULL, sign_many, &m[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(m[i].failed, 0);
    }
    signer_close(s);
    pthread_join(r.thread, NULL);
    for (int i = 0; i < THREADS; i++) assert_int_equal(highest_of(r.v.guard, (uint8_t)(i + 1)), 40);
    journal_close(r.v.journal);
    guard_free(r.v.guard);
    signer_close(r.v.signer);
    note_signer_free(r.v.notes);
    tmp_remove(r.dir);
}

static void the_client_signs_notes(void **state)
{
    (void)state;
    struct rig r;
    struct signer *s;
    struct note_signer *n;
    struct slice note, text, head;
    rig_start(&r);
    assert_ok(vault_client_open(&s, r.ours, &e));
    assert_ok(vault_client_notes(&n, s, &e));
    assert_string_equal(note_signer_key(n), note_signer_key(r.v.notes));
    head = head_of("eim.test/audit/default", 5, 1);
    for (int i = 0; i < 2; i++) {
        assert_ok(note_sign(n, head, &note, &arena, &e));
        assert_ok(note_open(note_signer_key(n), note, &text, &e));
        assert_true(slice_eq(text, head));
    }
    assert_refused(E_REPLAY, note_sign(n, head_of("eim.test/audit/default", 4, 1), &note, &arena, &e));
    assert_non_null(strstr(e.why, "5 was signed already"));
    assert_refused(E_REPLAY, note_sign(n, head_of("eim.test/audit/default", 5, 2), &note, &arena, &e));
    assert_refused(E_INVALID, note_sign(n, SLICE("anything else\n"), &note, &arena, &e));
    struct sign_request q = { .key = "a", .tbs = package(1, 1, LIST) };        /* and packages go on */
    assert_ok(signer_sign(s, &q, 1, &e));
    note_signer_free(n);
    signer_close(s);
    rig_stop(&r);
    assert_int_equal(r.rc, OK);
}

/* A signer that dies, or speaks nonsense, gives E_IO or E_MALFORMED to those that wait and E_IO from then on. */
static void a_signer_that_is_gone_is_told(void **state)
{
    (void)state;
    static const struct { const char *octets; size_t n; enum eim_err rc; } last[] = {
        { "", 0, E_IO }, { "\0\0\0\1\x82", 5, E_MALFORMED }, { "\0\0\0\3\x82\0\2", 7, E_MALFORMED }, { "\0\0\0\6\x82\0\1\0ab", 10, E_MALFORMED },
        { "\xff\xff\xff\xff", 4, E_TOO_LARGE }, { "\0\0\0\4\x81\0\1\0", 8, E_MALFORMED },
    };
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        int sv[2];
        struct signer *s;
        uint8_t spent[64];
        struct sign_request q = { .key = "a", .tbs = package(1, 1, LIST) };
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        assert_int_equal(write(sv[1], "\0\0\0\7\x81\0\2\0\0\0\0", 11), 11);
        struct note_signer *n;
        assert_ok(vault_client_open(&s, sv[0], &e));
        assert_refused(E_NOT_FOUND, vault_client_notes(&n, s, &e));
        assert_int_equal(read(sv[1], spent, 7), 7);
        assert_int_equal(write(sv[1], last[i].octets, last[i].n), (ssize_t)last[i].n);
        if (!last[i].n) close(sv[1]);
        assert_refused(last[i].rc, signer_sign(s, &q, 1, &e));
        assert_int_equal(q.rc, last[i].rc);
        assert_refused(E_IO, signer_sign(s, &q, 1, &e));
        signer_close(s);
        if (last[i].n) close(sv[1]);
    }
    int sv[2];
    struct signer *s;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    close(sv[1]);
    assert_refused(E_IO, vault_client_open(&s, sv[0], &e));
    assert_null(s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_frame_comes_as_it_went, fresh),
        cmocka_unit_test_setup(a_frame_that_is_too_long_empty_or_cut_is_refused, fresh),
        cmocka_unit_test_setup(packages_are_read_and_what_only_lists_is_known, fresh),
        cmocka_unit_test_setup(what_is_no_whole_package_is_not_read, fresh),
        cmocka_unit_test_setup(a_counter_is_signed_once, fresh),
        cmocka_unit_test_setup(rates_bound_each_kind_by_itself, fresh),
        cmocka_unit_test_setup(many_associations_are_kept_apart, fresh),
        cmocka_unit_test_setup(heads_of_logs_only_grow, fresh),
        cmocka_unit_test_setup(other_notes_are_not_signed, fresh),
        cmocka_unit_test_setup(a_restart_reads_the_journal, fresh),
        cmocka_unit_test_setup(a_new_file_carries_all_counters_and_goes_on_from_the_chain, fresh),
        cmocka_unit_test_setup(a_torn_end_is_cut_off, fresh),
        cmocka_unit_test_setup(a_changed_removed_added_or_moved_line_is_named, fresh),
        cmocka_unit_test_setup(the_client_is_a_signer, fresh),
        cmocka_unit_test_setup(many_threads_share_arrays, fresh),
        cmocka_unit_test_setup(a_signer_that_is_gone_is_told, fresh),
        cmocka_unit_test_setup(the_client_signs_notes, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
