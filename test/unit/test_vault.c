/* test_vault.c -- the signer's process from inside: frames, what is signed, the journal. test_vault_client.c has the whole. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "test/unit/vault_help.h"
#include "vault/wire.h"

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

static enum eim_err admit(struct guard *g, struct slice text, const char *key, struct note_proof proof, uint64_t *wanted, bool *again)
{
    struct guard_head h;
    assert_ok(guard_read_note(text, "eim.test", key, &h, &e));
    return guard_admit_head(g, &h, &proof, wanted, again, &e);
}

static void heads_of_logs_only_grow_and_never_fork(void **state)
{
    (void)state;
    struct guard *g;
    struct tree t = { UINT64_MAX }, fork = { 90 };
    uint64_t wanted;
    bool again;
    const struct note_proof none = { 0 };
    assert_ok(guard_new(&g, &(struct guard_rates){ .lists = 1, .changes = 1 }, &e));
    assert_ok(admit(g, tree_head(&t, 100), "key", none, &wanted, &again));             /* the first one that is seen */
    assert_ok(admit(g, tree_head(&t, 100), "key", none, &wanted, &again));
    assert_true(again);
    assert_refused(E_REPLAY, admit(g, tree_head(&t, 99), "key", none, &wanted, &again));
    assert_refused(E_REPLAY, admit(g, tree_head(&fork, 100), "key", none, &wanted, &again));
    assert_refused(E_STALE, admit(g, tree_head(&t, 200), "key", none, &wanted, &again));
    assert_int_equal(wanted, 100);
    assert_refused(E_MISMATCH, admit(g, tree_head(&t, 200), "key", (struct note_proof){ .from = 100 }, &wanted, &again));
    assert_refused(E_MISMATCH, admit(g, tree_head(&fork, 200), "key", tree_proof(&fork, 100, 200), &wanted, &again));
    assert_refused(E_MISMATCH, admit(g, tree_head(&fork, 200), "key", tree_proof(&t, 100, 200), &wanted, &again));
    struct note_proof odd = tree_proof(&t, 100, 200);
    odd.hashes.n--;
    assert_refused(E_MALFORMED, admit(g, tree_head(&t, 200), "key", odd, &wanted, &again));
    assert_refused(E_STALE, admit(g, tree_head(&t, 200), "key", tree_proof(&t, 50, 200), &wanted, &again));
    assert_ok(admit(g, tree_head(&t, 200), "key", tree_proof(&t, 100, 200), &wanted, &again));
    for (uint64_t from = 200; from < 211; from++) assert_ok(admit(g, tree_head(&t, from + 1), "key", tree_proof(&t, from, from + 1), &wanted, &again));
    assert_ok(admit(g, head_of("eim.test/audit/7", 1, 1), "key", none, &wanted, &again));              /* another tenant's log */
    assert_ok(admit(g, tree_head(&fork, 100), "another key", none, &wanted, &again));                  /* another key is another log */
    struct slice page = SLICE("eim.test/inventory/default\nfrom 0\nto x\ndevices 3\nlines 00\nprevious none\nat now\n");
    for (int i = 0; i < 2; i++) {
        assert_ok(admit(g, page, "key", none, &wanted, &again));
        assert_false(again);
    }
    guard_free(g);
}

static void other_notes_are_not_signed(void **state)
{
    (void)state;
    struct guard_head p;
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

static void sign_counters(struct journal *j, uint8_t device, int64_t from, int64_t to)
{
    for (int64_t c = from; c <= to; c++) {
        struct guard_package p = read_it(package(device, c, DISABLE));
        assert_ok(journal_add(j, &p, "eim", 1000 + c, &e));
    }
    assert_ok(journal_sync(j, &e));
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
    struct guard_head head, page = { 0 };
    uint64_t wanted;
    bool again;
    char longest[GUARD_ORIGIN_MAX + 1];
    snprintf(longest, sizeof longest, "eim.test/audit/%0*d", GUARD_ORIGIN_MAX - 15, 1);
    assert_ok(guard_read_note(head_of(longest, INT64_C(99999999999999999), 1), "eim.test", "key", &head, &e));
    assert_ok(journal_add_head(j, &head, longest, INT64_MAX, &e));
    assert_ok(journal_add_head(j, &page, "eim.test/inventory/default", 1, &e));
    assert_ok(journal_sync(j, &e));
    journal_close(j);
    guard_free(g);
    for (int i = 0; i < 2; i++) {
        j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
        assert_true(r.number == 1 && r.torn == 0 && r.lines == 2 + 20 + 3 + 2);
        head.size--;
        assert_refused(E_REPLAY, guard_admit_head(g, &head, &(struct note_proof){ 0 }, &wanted, &again, &e));
        head.size++;
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
    struct guard_head head, kept;
    size_t at = 0;
    assert_ok(guard_read_note(head_of("eim.test/audit/default", 5, 1), "eim.test", "key", &head, &e));
    assert_ok(journal_add_head(j, &head, "eim.test/audit/default", 1, &e));
    assert_ok(journal_sync(j, &e));
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
    assert_memory_equal(second.p + strlen("h 2 2 "), first.p + first.n - 65, 64);
    unlink(tmp_path(dir, "journal-000001.log"));                               /* older ones are for auditors */
    j = open_journal(dir, &g, JOURNAL_ROTATE, &r);
    assert_true(r.number == 2);
    assert_int_equal(highest_of(g, 1), 21);
    assert_true(guard_each_head(g, &at, &kept) && kept.log == head.log && kept.size == 5 && !memcmp(&kept.root, &head.root, sizeof kept.root));
    assert_false(guard_each_head(g, &at, &kept));
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

static void an_auditor_reads_all_files(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    struct guard *g;
    struct journal_report r;
    struct journal_account a, all;
    char name[3][128];
    uint8_t kept[SHA256_SIZE], none[SHA256_SIZE] = { 0 };
    assert_refused(E_NOT_FOUND, journal_verify(dir, NULL, &a, &e));
    for (int i = 0; i < 3; i++) {
        snprintf(name[i], sizeof name[i], "%s/journal-%06d.log", dir, i + 1);
        struct journal *j = open_journal(dir, &g, i ? 1 : JOURNAL_ROTATE, &r);
        sign_counters(j, 1, 10 * i + 1, 10 * i + 4);
        assert_ok(journal_verify(dir, NULL, &a, &e));          /* while the signer has it */
        if (i == 1) memcpy(kept, a.chain, sizeof kept);
        sign_counters(j, 1, 10 * i + 5, 10 * i + 5);
        journal_close(j);
        guard_free(g);
    }
    assert_ok(journal_verify(dir, kept, &all, &e));
    assert_true(all.first == 1 && all.last == 3 && all.packages == 15 && all.notes == 0 && all.lines == 15 + 2 + 3 + 3);
    assert_refused(E_MISMATCH, journal_verify(dir, none, &a, &e));
    for (int i = 0; i < 3; i++) {                              /* one octet of any file */
        struct slice whole = content(name[i]);
        uint8_t *bent = arena_alloc(&arena, whole.n);
        memcpy(bent, whole.p, whole.n);
        bent[whole.n / 2] = bent[whole.n / 2] == '1' ? '2' : '1';
        put(name[i], slice_of(bent, whole.n));
        assert_refused(E_MISMATCH, journal_verify(dir, NULL, &a, &e));
        put(name[i], whole);
    }
    struct slice first = content(name[0]), second = content(name[1]), third = content(name[2]);
    unlink(name[1]);
    assert_refused(E_MISMATCH, journal_verify(dir, NULL, &a, &e));
    assert_non_null(strstr(e.why, "journal-000002.log is missing"));
    struct slice rest = second, line;
    size_t last = 0;
    while (slice_line(&rest, &line)) last = (size_t)(line.p - second.p);
    put(name[1], (struct slice){ second.p, last });            /* its last line cut off: the next file goes on from another chain */
    assert_refused(E_MISMATCH, journal_verify(dir, NULL, &a, &e));
    assert_non_null(strstr(e.why, "journal-000003.log does not go on"));
    unlink(name[2]);
    assert_ok(journal_verify(dir, kept, &a, &e));              /* cut off at a line, no chain shows it ... */
    put(name[1], (struct slice){ second.p, second.n / 2 });
    assert_refused(E_MISMATCH, journal_verify(dir, kept, &a, &e));     /* ... but for one that was kept */
    put(name[1], second);
    put(name[2], third);
    unlink(name[0]);                                           /* older files may be gone */
    assert_ok(journal_verify(dir, kept, &a, &e));
    assert_true(a.first == 2 && !memcmp(a.chain, all.chain, sizeof a.chain) && first.n);
    tmp_remove(dir);
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
        cmocka_unit_test_setup(heads_of_logs_only_grow_and_never_fork, fresh),
        cmocka_unit_test_setup(other_notes_are_not_signed, fresh),
        cmocka_unit_test_setup(a_restart_reads_the_journal, fresh),
        cmocka_unit_test_setup(a_new_file_carries_all_counters_and_goes_on_from_the_chain, fresh),
        cmocka_unit_test_setup(a_torn_end_is_cut_off, fresh),
        cmocka_unit_test_setup(a_changed_removed_added_or_moved_line_is_named, fresh),
        cmocka_unit_test_setup(an_auditor_reads_all_files, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
