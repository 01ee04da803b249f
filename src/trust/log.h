/* log.h -- the tenants' audit logs as Merkle trees: entries get their place, tree heads are signed, proofs are given out.
 *
 * An entry is written by audit_add in the transaction that did what it tells, and waits. Sequencing takes what waits and appends it to the
 * tenant's tree (RFC 9162; the leaf is the exact line), in batches and apart from everybody's path. Then the tree head is signed as a
 * C2SP checkpoint: origin, size, root, Ed25519 signature. Origin: NAME/audit/TENANT, NAME being the eIM's FQDN.
 *
 * Any node may sequence at any time: the log's row is locked while it grows. All functions block on the store. */
#ifndef TRUST_LOG_H
#define TRUST_LOG_H

#include "base/arena.h"
#include "base/host.h"
#include "crypto/note.h"
#include "store/store.h"
#include "trust/head.h"
#include "trust/merkle.h"

struct audit_log {
    struct host *host;
    const struct note_signer *signer;  /* of the tree heads */
    const char *name;                  /* what origins begin with; outlives the log */
};

enum {
    AUDIT_BATCH = 8192,                /* entries sequenced in one transaction */
    AUDIT_LINES_MAX = 1000,            /* lines of one audit_log_read */
};

/* audit_log_turn -- sequence all that waits, of every tenant, and sign the heads of the trees that grew. *n, if given, becomes the number
 * of entries sequenced. Call it about once a second, and before reading what must be fresh. */
MUST enum eim_err audit_log_turn(const struct audit_log *l, size_t *n, struct err *e);

/* audit_tenant_name -- how a tenant is called in origins: "default", or its number. */
MUST enum eim_err audit_tenant_name(int64_t tenant, struct slice *out, struct arena *a, struct err *e);

/* audit_log_read -- up to `limit` lines from number `from` on (from 0), in the arena, and the tree's size. Fewer lines than asked for: the end. */
struct audit_lines { struct slice *v; size_t n; uint64_t size; };
MUST enum eim_err audit_log_read(const struct audit_log *l, int64_t tenant, uint64_t from, unsigned limit, struct audit_lines *out,
                                 struct arena *a, struct err *e);

/* audit_log_head -- the newest signed tree head: its note, size and root. E_NOT_FOUND while nothing was ever sequenced. */
struct audit_head { struct slice note; uint64_t size; struct merkle_hash root; };
MUST enum eim_err audit_log_head(const struct audit_log *l, int64_t tenant, struct audit_head *out, struct arena *a, struct err *e);

/* audit_log_inclusion -- line number `leaf` is in the tree under the newest signed head: the line, the proof and that head.
 * audit_log_consistency -- the tree under the newest head continues the one of size `from`, whose edge is given too. E_INVALID: the tree
 * is smaller. */
MUST enum eim_err audit_log_inclusion(const struct audit_log *l, int64_t tenant, uint64_t leaf, struct slice *line, struct merkle_proof *proof,
                                      struct audit_head *head, struct arena *a, struct err *e);
MUST enum eim_err audit_log_consistency(const struct audit_log *l, int64_t tenant, uint64_t from, struct merkle_edge *edge,
                                        struct merkle_proof *proof, struct audit_head *head, struct arena *a, struct err *e);

#endif
