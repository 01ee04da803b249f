/* merkle.h -- the Merkle tree of RFC 9162 section 2.1 over SHA-256: hashing, growing, proofs and their verification.
 *
 * Pure computation: no store, no clock, no memory beyond what the caller gives. MTH, D[n], PATH and PROOF are the names of the RFC. */
#ifndef TRUST_MERKLE_H
#define TRUST_MERKLE_H

#include "base/err.h"
#include "base/slice.h"

enum {
    MERKLE_HASH = 32,
    MERKLE_LEVELS = 48,                /* trees of fewer than 2^48 leaves */
    MERKLE_PROOF_MAX = 2 * MERKLE_LEVELS,
};

struct merkle_hash { uint8_t b[MERKLE_HASH]; };

/* merkle_leaf -- SHA-256(0x00 || data). merkle_node -- SHA-256(0x01 || left || right). */
MUST enum eim_err merkle_leaf(struct slice data, struct merkle_hash *out, struct err *e);
MUST enum eim_err merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *out, struct err *e);

/* The edge of a tree: for each one in the binary form of `size` the hash of a perfect subtree, the largest (leftmost) first. That is all
 * that is needed to append, and to compute the root. Zeroed, it is the empty tree. */
struct merkle_edge {
    uint64_t size;
    struct merkle_hash h[MERKLE_LEVELS];
};
/* merkle_edge_count -- how many hashes of h are in use. */
unsigned merkle_edge_count(uint64_t size);
/* merkle_append -- one more leaf. E_LIMIT at 2^MERKLE_LEVELS leaves. */
MUST enum eim_err merkle_append(struct merkle_edge *t, const struct merkle_hash *leaf, struct err *e);
/* merkle_root -- MTH(D[size]); of the empty tree SHA-256 of nothing. */
MUST enum eim_err merkle_root(const struct merkle_edge *t, struct merkle_hash *out, struct err *e);

/* Where the nodes of a stored tree come from: the hash of the perfect subtree over leaves [index << level, (index + 1) << level). */
struct merkle_source {
    enum eim_err (*node)(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out, struct err *e);
    void *ctx;
};
struct merkle_proof { struct merkle_hash h[MERKLE_PROOF_MAX]; unsigned n; };

/* merkle_inclusion -- PATH(leaf, D[size]); E_INVALID unless leaf < size. (RFC 9162 2.1.3.1) */
MUST enum eim_err merkle_inclusion(const struct merkle_source *s, uint64_t leaf, uint64_t size, struct merkle_proof *out, struct err *e);
/* merkle_consistency -- PROOF(from, D[size]); empty when from is 0 or size; E_INVALID unless from <= size. (2.1.4.1) */
MUST enum eim_err merkle_consistency(const struct merkle_source *s, uint64_t from, uint64_t size, struct merkle_proof *out, struct err *e);
/* merkle_edge_at -- the edge that the stored tree had at `size`. */
MUST enum eim_err merkle_edge_at(const struct merkle_source *s, uint64_t size, struct merkle_edge *out, struct err *e);

/* merkle_check_inclusion, merkle_check_consistency -- does the proof hold? E_MISMATCH when it does not. (2.1.3.2, 2.1.4.2) */
MUST enum eim_err merkle_check_inclusion(const struct merkle_hash *leaf_hash, uint64_t leaf, uint64_t size, const struct merkle_hash *root,
                                         const struct merkle_proof *proof, struct err *e);
MUST enum eim_err merkle_check_consistency(uint64_t from, const struct merkle_hash *old_root, uint64_t size, const struct merkle_hash *root,
                                           const struct merkle_proof *proof, struct err *e);

#endif
