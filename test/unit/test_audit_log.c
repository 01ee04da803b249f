/* test_audit_log.c -- the Merkle tree against known answers and against itself, signed heads, and sequencing on both engines. */
#include "test/unit/store_suite.h"

#include <pthread.h>

#include "base/env.h"
#include "trust/log.h"

/* ---- the tree: the eight leaves and roots that certificate-transparency implementations have in common ---- */

static const char *const leaves[8] = { "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f" };
static const char *const roots[9] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void assert_hash(const struct merkle_hash *h, const char *hex)
{
    char got[65];
    slice_hex(slice_of(h->b, MERKLE_HASH), false, got);
    assert_string_equal(got, hex);
}

static void the_roots_of_small_trees_are_the_known_ones(void **state)
{
    (void)state;
    struct merkle_edge t = { 0 };
    struct merkle_hash h;
    for (unsigned n = 0; n <= 8; n++) {
        good(merkle_root(&t, &h, &e));
        assert_hash(&h, roots[n]);
        if (n == 8) break;
        uint8_t data[16];
        long size = slice_unhex(slice_str(leaves[n]), data, sizeof data);
        good(merkle_leaf(slice_of(data, (size_t)size), &h, &e));
        good(merkle_append(&t, &h, &e));
    }
}

enum { SMALL = 70 };
static struct merkle_hash small[SMALL];

/* The perfect subtree by plain recursion over all leaves: an own way, so that source and proofs are not judged by themselves. */
static enum eim_err plain_node(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out, struct err *e)
{
    (void)ctx;
    if (!level) {
        *out = small[index];
        return OK;
    }
    struct merkle_hash l, r;
    TRY(plain_node(ctx, level - 1, 2 * index, &l, e));
    TRY(plain_node(ctx, level - 1, 2 * index + 1, &r, e));
    return merkle_node(&l, &r, out, e);
}

static void root_of(uint64_t n, struct merkle_hash *out)
{
    struct merkle_edge t = { 0 };
    for (uint64_t i = 0; i < n; i++) good(merkle_append(&t, &small[i], &e));
    good(merkle_root(&t, out, &e));
}

static void fill_small(void)
{
    for (unsigned i = 0; i < SMALL; i++) good(merkle_leaf(slice_of(&i, sizeof i), &small[i], &e));
}

static void each_line_is_proven_in_each_tree_and_no_other_line_is(void **state)
{
    (void)state;
    const struct merkle_source plain = { plain_node, NULL };
    struct merkle_proof p;
    struct merkle_hash root;
    fill_small();
    for (uint64_t size = 1; size <= SMALL; size++) {
        root_of(size, &root);
        for (uint64_t i = 0; i < size; i++) {
            good(merkle_inclusion(&plain, i, size, &p, &e));
            good(merkle_check_inclusion(&small[i], i, size, &root, &p, &e));
            bad(E_MISMATCH, merkle_check_inclusion(&small[(i + 1) % SMALL], i, size, &root, &p, &e));
            if (p.n) {
                p.h[i % p.n].b[7] ^= 1;
                bad(E_MISMATCH, merkle_check_inclusion(&small[i], i, size, &root, &p, &e));
                p.h[i % p.n].b[7] ^= 1;
                p.n--;
                bad(E_MISMATCH, merkle_check_inclusion(&small[i], i, size, &root, &p, &e));
            }
        }
        bad(E_INVALID, merkle_inclusion(&plain, size, size, &p, &e));
    }
}

static void each_tree_continues_each_smaller_one_and_no_other(void **state)
{
    (void)state;
    const struct merkle_source plain = { plain_node, NULL };
    struct merkle_proof p;
    struct merkle_edge edge;
    struct merkle_hash old, root, again;
    fill_small();
    for (uint64_t size = 1; size <= SMALL; size++) {
        root_of(size, &root);
        for (uint64_t from = 0; from <= size; from++) {
            root_of(from, &old);
            good(merkle_consistency(&plain, from, size, &p, &e));
            good(merkle_check_consistency(from, &old, size, &root, &p, &e));
            good(merkle_edge_at(&plain, from, &edge, &e));
            good(merkle_root(&edge, &again, &e));
            assert_memory_equal(&again, &old, sizeof old);
            if (from && from < size) {
                old.b[0] ^= 1;
                bad(E_MISMATCH, merkle_check_consistency(from, &old, size, &root, &p, &e));
                old.b[0] ^= 1;
                p.h[p.n - 1].b[0] ^= 1;
                bad(E_MISMATCH, merkle_check_consistency(from, &old, size, &root, &p, &e));
            }
        }
        bad(E_INVALID, merkle_consistency(&plain, size + 1, size, &p, &e));
    }
}

/* ---- notes ---- */

static void a_note_opens_with_its_key_only(void **state)
{
    (void)state;
    struct note_signer *mine, *other;
    struct arena a;
    struct slice note, text;
    const char *dir = tmp_make();
    arena_init(&a, 1 << 16);
    good(note_signer_open(&mine, tmp_path(dir, "a.pem"), "eim.test", &e));
    good(note_signer_open(&other, tmp_path(dir, "b.pem"), "eim.test", &e));
    good(note_sign(mine, SLICE("eim.test/audit/default\n0\nx\n"), &note, &a, &e));
    good(note_open(note_signer_key(mine), note, &text, &e));
    assert_true(slice_eq(text, SLICE("eim.test/audit/default\n0\nx\n")));
    bad(E_SIGNATURE, note_open(note_signer_key(other), note, &text, &e));
    for (size_t i = 0; i < note.n; i++) {              /* no single octet can be another */
        uint8_t *p = (uint8_t *)(uintptr_t)note.p;
        p[i] ^= 1;
        struct err e = { 0 };
        assert_int_not_equal(note_open(note_signer_key(mine), note, &text, &e), OK);
        p[i] ^= 1;
    }
    char *both = arena_printf(&a, "%.*s\xE2\x80\x94 witness.test AAAA\n", (int)note.n, (const char *)note.p);
    good(note_open(note_signer_key(mine), slice_str(both), &text, &e));         /* somebody's cosignature does no harm */
    char key[200];
    snprintf(key, sizeof key, "%s", note_signer_key(mine));
    note_signer_free(mine);
    good(note_signer_open(&mine, tmp_path(dir, "a.pem"), "eim.test", &e));
    assert_string_equal(note_signer_key(mine), key);                            /* the file is the key */
    bad(E_INVALID, note_open("eim.test+00000000+AAAA", note, &text, &e));
    note_signer_free(mine);
    note_signer_free(other);
    arena_free(&a);
}

/* The example that C2SP's signed-note documents: key, text and signature are other people's. */
static void the_name_of_a_key_is_hashed_as_the_standard_has_it(void **state)
{
    (void)state;
    struct slice text;
    struct err e = { 0 };
    const char *key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const char *note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
                       "\xE2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert_int_equal(note_open(key, slice_str(note), &text, &e), OK);
    assert_int_equal(text.n, (size_t)(strstr(note, "\n\n") - note) + 1);
}

/* ---- sequencing ---- */

struct rig {
    struct env_virtual clock;
    struct host host;
    struct note_signer *signer;
    struct audit_log log;
    struct arena a;
};

static void rig_open(struct rig *r, void **state)
{
    *r = (struct rig){ 0 };
    env_virtual(&r->clock, INT64_C(1795390000000000), 3);
    r->host = (struct host){ .env = &r->clock.env, .store = open_url(fresh_url(state)) };
    good(note_signer_open(&r->signer, tmp_path(tmp_make(), "log.pem"), "eim.test", &e));
    r->log = (struct audit_log){ .host = &r->host, .signer = r->signer, .name = "eim.test" };
    arena_init(&r->a, 64 << 20);
}

static void rig_close(struct rig *r)
{
    store_close(r->host.store);
    note_signer_free(r->signer);
    arena_free(&r->a);
}

struct many { struct store_job job; int64_t from, n; };

static enum eim_err add_many(struct tx *t, struct store_job *job, struct err *e)
{
    struct many *m = (struct many *)job;
    char line[64];
    for (int64_t id = m->from; id < m->from + m->n; id++) {
        snprintf(line, sizeof line, "{\"id\":\"aud_%016llx\",\"n\":%lld}", (unsigned long long)id, (long long)id);
        TRY(store_audit_append(t, 1, id, id, slice_str(line), e));
    }
    return OK;
}

static void add(struct rig *r, int64_t from, int64_t n)
{
    struct many m = { { .apply = add_many }, from, n };
    good(store_run(r->host.store, &m.job, &e));
}

static void lines_keep_their_numbers_and_every_proof_holds(void **state)
{
    static const int64_t batches[] = { 1, 1, 253, 1, 1, 300, 511, 2, 8192, 700 };
    struct rig r;
    int64_t id = 100;
    size_t n;
    struct audit_head head, old = { 0 };
    struct merkle_proof p;
    struct merkle_edge edge;
    struct merkle_hash leaf;
    struct slice line;
    rig_open(&r, state);
    bad(E_NOT_FOUND, audit_log_head(&r.log, 1, &head, &r.a, &e));
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
        add(&r, id, batches[b]);
        good(audit_log_turn(&r.log, &n, &e));
        assert_int_equal(n, batches[b]);
        id += batches[b];
        good(audit_log_head(&r.log, 1, &head, &r.a, &e));
        assert_int_equal(head.size, id - 100);
        good(audit_log_consistency(&r.log, 1, old.size, &edge, &p, &head, &r.a, &e));
        if (old.size) good(merkle_check_consistency(old.size, &old.root, head.size, &head.root, &p, &e));
        old = head;
        for (uint64_t i = 0; i < head.size; i += 1 + head.size / 17) {
            char want[64];
            snprintf(want, sizeof want, "{\"id\":\"aud_%016llx\",\"n\":%lld}", (unsigned long long)i + 100, (long long)i + 100);
            good(audit_log_inclusion(&r.log, 1, i, &line, &p, &head, &r.a, &e));
            assert_true(slice_eq(line, slice_str(want)));
            good(merkle_leaf(line, &leaf, &e));
            good(merkle_check_inclusion(&leaf, i, head.size, &head.root, &p, &e));
        }
        arena_reset(&r.a);
    }
    good(audit_log_turn(&r.log, &n, &e));
    assert_int_equal(n, 0);                                        /* nothing waits */
    struct audit_lines lines;
    good(audit_log_read(&r.log, 1, 250, 600, &lines, &r.a, &e));
    assert_int_equal(lines.n, 600);
    assert_int_equal(lines.size, id - 100);
    for (size_t i = 0; i < lines.n; i++) {
        char want[64];
        snprintf(want, sizeof want, "{\"id\":\"aud_%016llx\",\"n\":%d}", (unsigned long long)i + 350, (int)i + 350);
        assert_true(slice_eq(lines.v[i], slice_str(want)));
    }
    rig_close(&r);
}

/* A transaction with a smaller id that ends late: its lines come later in the log, and none is lost. */
static void what_comes_late_is_not_skipped(void **state)
{
    struct rig r;
    struct audit_lines lines;
    rig_open(&r, state);
    add(&r, 500, 10);
    good(audit_log_turn(&r.log, NULL, &e));
    add(&r, 100, 5);
    good(audit_log_turn(&r.log, NULL, &e));
    good(audit_log_read(&r.log, 1, 0, 100, &lines, &r.a, &e));
    assert_int_equal(lines.n, 15);
    assert_non_null(memmem(lines.v[0].p, lines.v[0].n, "\"n\":500}", 8));
    assert_non_null(memmem(lines.v[10].p, lines.v[10].n, "\"n\":100}", 8));
    rig_close(&r);
}

/* Each statement of a turn fails in turn: the tree stays as it was or has grown by all, and the next turn goes on. */
static void a_failing_store_leaves_the_tree_whole(void **state)
{
    struct rig r;
    struct audit_lines lines;
    struct audit_head head;
    struct merkle_proof p;
    struct merkle_hash leaf;
    struct slice line;
    rig_open(&r, state);
    add(&r, 1, 250);
    good(audit_log_turn(&r.log, NULL, &e));
    add(&r, 251, 20);
    bool done = false;
    for (long nth = 1; !done; nth++) {
        struct err e = { 0 };
        assert_true(nth < 200);
        store_fail_at(r.host.store, nth);
        bool went_well = audit_log_turn(&r.log, NULL, &e) == OK;
        done = store_fail_at(r.host.store, 0) > 0;                 /* the fault was not met any more */
        if (done) assert_true(went_well);
    }
    good(audit_log_turn(&r.log, NULL, &e));
    good(audit_log_read(&r.log, 1, 0, 500, &lines, &r.a, &e));
    assert_int_equal(lines.n, 270);
    for (uint64_t i = 240; i < 270; i++) {
        good(audit_log_inclusion(&r.log, 1, i, &line, &p, &head, &r.a, &e));
        good(merkle_leaf(line, &leaf, &e));
        good(merkle_check_inclusion(&leaf, i, head.size, &head.root, &p, &e));
    }
    rig_close(&r);
}

/* ---- many at once ---- */

enum { WRITERS = 3, SEQUENCERS = 2, EACH = 400 };

static void *write_lines(void *arg)
{
    struct rig *r = ((void **)arg)[0];
    int64_t from = (int64_t)(intptr_t)((void **)arg)[1] * EACH;
    for (int64_t i = 0; i < EACH; i += 4) add(r, from + i, 4);
    return NULL;
}

static int stop;
static void *sequence(void *arg)
{
    struct rig *r = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) good(audit_log_turn(&r->log, NULL, &e));
    return NULL;
}

static void two_nodes_sequence_what_many_write_and_each_line_comes_once(void **state)
{
    struct rig r;
    pthread_t w[WRITERS], s[SEQUENCERS];
    void *args[WRITERS][2];
    bool seen[WRITERS * EACH] = { false };
    struct audit_lines lines;
    rig_open(&r, state);
    __atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < SEQUENCERS; i++) assert_int_equal(pthread_create(&s[i], NULL, sequence, &r), 0);
    for (int i = 0; i < WRITERS; i++) {
        args[i][0] = &r;
        args[i][1] = (void *)(intptr_t)i;
        assert_int_equal(pthread_create(&w[i], NULL, write_lines, args[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) pthread_join(w[i], NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < SEQUENCERS; i++) pthread_join(s[i], NULL);
    good(audit_log_turn(&r.log, NULL, &e));
    for (uint64_t at = 0; at < WRITERS * EACH; at += lines.n) {
        good(audit_log_read(&r.log, 1, at, 1000, &lines, &r.a, &e));
        assert_true(lines.n > 0);
        assert_int_equal(lines.size, WRITERS * EACH);
        for (size_t i = 0; i < lines.n; i++) {
            const char *n = memmem(lines.v[i].p, lines.v[i].n, "\"n\":", 4);
            long number = n ? strtol(n + 4, NULL, 10) : -1;
            assert_true(number >= 0 && number < WRITERS * EACH);
            assert_false(seen[number]);
            seen[number] = true;
        }
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_roots_of_small_trees_are_the_known_ones),
        cmocka_unit_test(each_line_is_proven_in_each_tree_and_no_other_line_is),
        cmocka_unit_test(each_tree_continues_each_smaller_one_and_no_other),
        cmocka_unit_test(a_note_opens_with_its_key_only),
        cmocka_unit_test(the_name_of_a_key_is_hashed_as_the_standard_has_it),
        BOTH(lines_keep_their_numbers_and_every_proof_holds), BOTH(what_comes_late_is_not_skipped),
        BOTH(a_failing_store_leaves_the_tree_whole), BOTH(two_nodes_sequence_what_many_write_and_each_line_comes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
