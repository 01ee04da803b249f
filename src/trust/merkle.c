/* merkle.c -- the Merkle tree of RFC 9162 section 2.1. */
#include "trust/merkle.h"

#include "crypto/digest.h"

enum eim_err merkle_leaf(struct slice data, struct merkle_hash *out, struct err *e)
{
    struct slice parts[] = { SLICE("\x00"), data };
    return digest_sha256_spans(parts, 2, out->b, e);
}

enum eim_err merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *out, struct err *e)
{
    uint8_t in[1 + 2 * MERKLE_HASH] = { 1 };
    memcpy(in + 1, left->b, MERKLE_HASH);
    memcpy(in + 1 + MERKLE_HASH, right->b, MERKLE_HASH);
    return digest_sha256(slice_of(in, sizeof in), out->b, e);
}

/* ---- growing ---- */

unsigned merkle_edge_count(uint64_t size)
{
    return (unsigned)__builtin_popcountll(size);
}

enum eim_err merkle_append(struct merkle_edge *t, const struct merkle_hash *leaf, struct err *e)
{
    struct merkle_hash h = *leaf;
    unsigned n = merkle_edge_count(t->size);
    if (t->size >> MERKLE_LEVELS || t->size + 1 == (UINT64_C(1) << MERKLE_LEVELS)) return fail(e, E_LIMIT, "RFC 9162 2.1", "the tree is full");
    for (uint64_t low = t->size; low & 1; low >>= 1) TRY(merkle_node(&t->h[--n], &h, &h, e));
    t->h[n] = h;
    t->size++;
    return OK;
}

enum eim_err merkle_root(const struct merkle_edge *t, struct merkle_hash *out, struct err *e)
{
    unsigned n = merkle_edge_count(t->size);
    if (!n) return digest_sha256((struct slice){ 0 }, out->b, e);
    *out = t->h[--n];
    while (n) TRY(merkle_node(&t->h[--n], out, out, e));
    return OK;
}

/* ---- proofs from a stored tree ---- */

/* The largest power of two smaller than n, as its logarithm; n >= 2. */
static unsigned split(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll(n - 1);
}

/* MTH(D[start:end]); start is a multiple of the power of two that is not smaller than end - start. */
static enum eim_err range(const struct merkle_source *s, uint64_t start, uint64_t end, struct merkle_hash *out, struct err *e)
{
    uint64_t n = end - start;
    if (n && !(n & (n - 1))) {
        unsigned level = (unsigned)__builtin_ctzll(n);
        return s->node(s->ctx, level, start >> level, out, e);
    }
    uint64_t k = UINT64_C(1) << split(n);
    struct merkle_hash left, right;
    TRY(range(s, start, start + k, &left, e));
    TRY(range(s, start + k, end, &right, e));
    return merkle_node(&left, &right, out, e);
}

static enum eim_err add(struct merkle_proof *p, const struct merkle_source *s, uint64_t start, uint64_t end, struct err *e)
{
    if (p->n == MERKLE_PROOF_MAX) return fail(e, E_INTERNAL, NULL, "a proof longer than any tree is deep");
    return range(s, start, end, &p->h[p->n++], e);
}

static void turn_round(struct merkle_proof *p)
{
    for (unsigned i = 0; i < p->n / 2; i++) {
        struct merkle_hash h = p->h[i];
        p->h[i] = p->h[p->n - 1 - i];
        p->h[p->n - 1 - i] = h;
    }
}

enum eim_err merkle_inclusion(const struct merkle_source *s, uint64_t leaf, uint64_t size, struct merkle_proof *out, struct err *e)
{
    out->n = 0;
    if (leaf >= size) return fail_field(e, E_INVALID, "RFC 9162 2.1.3.1", "leaf", "the tree has fewer leaves");
    for (uint64_t start = 0, end = size; end - start > 1;) {           /* from the root down; the RFC lists them from the leaf up */
        uint64_t middle = start + (UINT64_C(1) << split(end - start));
        bool left = leaf < middle;
        TRY(add(out, s, left ? middle : start, left ? end : middle, e));
        *(left ? &end : &start) = middle;
    }
    turn_round(out);
    return OK;
}

enum eim_err merkle_consistency(const struct merkle_source *s, uint64_t from, uint64_t size, struct merkle_proof *out, struct err *e)
{
    out->n = 0;
    if (from > size) return fail_field(e, E_INVALID, "RFC 9162 2.1.4.1", "from", "the tree was never as large");
    if (!from || from == size) return OK;
    uint64_t start = 0, end = size;
    bool whole = true;                                                 /* D[start:end] began at the root of the old tree: "b" of the RFC */
    while (from != end) {
        uint64_t middle = start + (UINT64_C(1) << split(end - start));
        bool left = from <= middle;
        TRY(add(out, s, left ? middle : start, left ? end : middle, e));
        if (!left) whole = false;
        *(left ? &end : &start) = middle;
    }
    if (!whole) TRY(add(out, s, start, end, e));
    turn_round(out);
    return OK;
}

enum eim_err merkle_edge_at(const struct merkle_source *s, uint64_t size, struct merkle_edge *out, struct err *e)
{
    unsigned n = 0;
    uint64_t start = 0;
    *out = (struct merkle_edge){ 0 };
    for (int level = MERKLE_LEVELS - 1; level >= 0; level--) {
        if (!(size >> level & 1)) continue;
        TRY(s->node(s->ctx, (unsigned)level, start >> level, &out->h[n++], e));
        start += UINT64_C(1) << level;
    }
    out->size = size;
    return OK;
}

/* ---- checking ---- */

static enum eim_err wrong(struct err *e, const char *clause)
{
    return fail(e, E_MISMATCH, clause, "the proof does not lead to the tree head");
}

enum eim_err merkle_check_inclusion(const struct merkle_hash *leaf_hash, uint64_t leaf, uint64_t size, const struct merkle_hash *root,
                                    const struct merkle_proof *proof, struct err *e)
{
    static const char clause[] = "RFC 9162 2.1.3.2";
    uint64_t fn = leaf, sn = size - 1;
    struct merkle_hash r = *leaf_hash;
    if (leaf >= size) return wrong(e, clause);
    for (unsigned i = 0; i < proof->n; i++) {
        if (!sn) return wrong(e, clause);
        if (fn & 1 || fn == sn) {
            TRY(merkle_node(&proof->h[i], &r, &r, e));
            while (!(fn & 1) && fn) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            TRY(merkle_node(&r, &proof->h[i], &r, e));
        }
        fn >>= 1;
        sn >>= 1;
    }
    return !sn && !memcmp(r.b, root->b, MERKLE_HASH) ? OK : wrong(e, clause);
}

enum eim_err merkle_check_consistency(uint64_t from, const struct merkle_hash *old_root, uint64_t size, const struct merkle_hash *root,
                                      const struct merkle_proof *proof, struct err *e)
{
    static const char clause[] = "RFC 9162 2.1.4.2";
    if (from > size || (from == size && (proof->n || memcmp(old_root->b, root->b, MERKLE_HASH)))) return wrong(e, clause);
    if (!from) return proof->n ? wrong(e, clause) : OK;
    if (from == size) return OK;
    bool power = !(from & (from - 1));
    if (!proof->n && !power) return wrong(e, clause);
    unsigned i = power ? 0 : 1;
    struct merkle_hash fr = power ? *old_root : proof->h[0], sr = fr;
    uint64_t fn = from - 1, sn = size - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    for (; i < proof->n; i++) {
        if (!sn) return wrong(e, clause);
        if (fn & 1 || fn == sn) {
            TRY(merkle_node(&proof->h[i], &fr, &fr, e));
            TRY(merkle_node(&proof->h[i], &sr, &sr, e));
            while (!(fn & 1) && fn) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            TRY(merkle_node(&sr, &proof->h[i], &sr, e));
        }
        fn >>= 1;
        sn >>= 1;
    }
    bool good = !sn && !memcmp(fr.b, old_root->b, MERKLE_HASH) && !memcmp(sr.b, root->b, MERKLE_HASH);
    return good ? OK : wrong(e, clause);
}
