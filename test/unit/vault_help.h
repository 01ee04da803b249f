/* vault_help.h -- what the tests of vault/ share: packages, tree heads, an open journal. */
#ifndef TEST_UNIT_VAULT_HELP_H
#define TEST_UNIT_VAULT_HELP_H

#include <signal.h>

#include "asn1/sgp32.h"
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"
#include "vault/journal.h"

static struct arena arena;
static struct err e;

static inline int fresh(void **state)
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

static inline struct slice package_of(const char *eim, uint8_t device, int64_t counter, enum what what, uint8_t txid_octet)
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

static inline struct slice package(uint8_t device, int64_t counter, enum what what)
{
    return package_of("eim.test", device, counter, what, 7);
}

static inline struct guard_package read_it(struct slice tbs)
{
    struct guard_package p;
    assert_ok(guard_read(tbs, SLICE(""), &p, &arena, &e));
    return p;
}

/* ---- tree heads ---- */

static inline struct slice head_text(const char *origin, int64_t size, const struct merkle_hash *root)
{
    char b64[64];
    slice_to_b64(slice_of(root->b, MERKLE_HASH), b64);
    return slice_str(arena_printf(&arena, "%s\n%lld\n%s\n", origin, (long long)size, b64));
}

static inline struct slice head_of(const char *origin, int64_t size, char root)
{
    struct merkle_hash h;
    memset(h.b, root, sizeof h.b);
    return head_text(origin, size, &h);
}

/* A tree whose leaf i is made of i, or of something else from leaf `fork` on. */
struct tree { uint64_t fork; };

static inline enum eim_err tree_node(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out, struct err *why)
{
    const struct tree *t = ctx;
    struct merkle_hash left, right;
    uint64_t leaf[2] = { index, index >= t->fork };
    if (!level) return merkle_leaf(slice_of(leaf, sizeof leaf), out, why);
    TRY(tree_node(ctx, level - 1, 2 * index, &left, why));
    TRY(tree_node(ctx, level - 1, 2 * index + 1, &right, why));
    return merkle_node(&left, &right, out, why);
}

static inline struct slice tree_head(struct tree *t, uint64_t size)
{
    struct merkle_edge edge;
    struct merkle_hash root;
    assert_ok(merkle_edge_at(&(struct merkle_source){ tree_node, t }, size, &edge, &e));
    assert_ok(merkle_root(&edge, &root, &e));
    return head_text("eim.test/audit/default", (int64_t)size, &root);
}

static inline struct note_proof tree_proof(struct tree *t, uint64_t from, uint64_t size)
{
    struct merkle_proof p;
    assert_ok(merkle_consistency(&(struct merkle_source){ tree_node, t }, from, size, &p, &e));
    return (struct note_proof){ from, arena_copy(&arena, slice_of(p.h, p.n * (size_t)MERKLE_HASH)) };
}

/* ---- the journal ---- */

static inline struct journal *open_journal(const char *dir, struct guard **g, uint64_t rotate, struct journal_report *r)
{
    struct journal *j;
    assert_ok(guard_new(g, &(struct guard_rates){ 0 }, &e));
    assert_ok(journal_open(&j, dir, *g, rotate, r, &e));
    return j;
}

static inline int64_t highest_of(struct guard *g, uint8_t device)
{
    struct guard_package p = read_it(package_of("eim.test", device, 0, LIST, 99));
    int64_t highest;
    bool again;
    assert_refused(E_REPLAY, guard_admit(g, &p, 0, &highest, &again, &e));
    return highest;
}

#endif
