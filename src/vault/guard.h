/* guard.h -- what the signer's process signs at all: it reads the package, and remembers the highest counter of each association.
 *
 * An association here is (eimId, EID), as a 64-bit number made of both; two that fall together share a counter, which costs some numbers and is
 * else harmless, because eimd goes past a counter that is refused (sign_request.highest). Not thread-safe. */
#ifndef VAULT_GUARD_H
#define VAULT_GUARD_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/note.h"
#include "crypto/digest.h"
#include "trust/merkle.h"

enum {
    GUARD_ASSOCIATIONS = 16 << 20,     /* most that are remembered; behind them new ones are refused (24 octets each) */
    GUARD_LOGS = 4096,                 /* most audit logs: one a tenant */
    GUARD_ORIGIN_MAX = 240,            /* octets of a note's first line */
    GUARD_JUMP = 100000,               /* a counter further ahead than so is refused, so that nobody can use them up at once */
};

struct guard;

struct guard_package {
    uint64_t association;
    uint8_t eid[16];
    int64_t counter;
    uint64_t operations;               /* bit i: PSMO i of struct psmo's list; bit 32 + i: eCO i */
    bool lists;                        /* nothing but listProfileInfo, listEim and getRAT */
    uint8_t digest[SHA256_SIZE];       /* of all that is signed: package and token */
};

/* A tree head: which log under which key, as a number, and what it says. Of an export's page only root is not 0: SHA-256 of the text. */
struct guard_head {
    uint64_t log;
    int64_t size;
    struct merkle_hash root;
};

/* How many packages a minute may be signed: of those that only list, and of those that change something. 0: as many as are asked for. */
struct guard_rates { int64_t lists, changes; };

MUST enum eim_err guard_new(struct guard **out, const struct guard_rates *rates, struct err *e);
/* guard_free -- NULL is harmless. */
void guard_free(struct guard *g);

/* guard_read -- what these bytes order. E_MALFORMED: no EuiccPackageSigned; E_INVALID: one without eimTransactionId or operations, or with
 * anything that we do not understand (what is read must give the same octets when it is written); field says where. */
MUST enum eim_err guard_read(struct slice tbs, struct slice token_tlv, struct guard_package *out, struct arena *a, struct err *e);

/* guard_read_note -- what a note says that the key `verifier` is to sign. Two forms are known: the head of one of our audit logs
 * (trust/head.h) and a page of an inventory export (trust/inventory.h), both with an origin that begins with `name`, has no space and at
 * most GUARD_ORIGIN_MAX octets. E_INVALID: another text. */
MUST enum eim_err guard_read_note(struct slice text, const char *name, const char *verifier, struct guard_head *out, struct err *e);

/* guard_admit_head -- may this be signed? If so it counts as signed. *again: it was. The first head of a log that is seen may be any; from then on
 * E_REPLAY: a smaller one, or another of the same size; E_STALE: the proof does not begin at *wanted, the size that was signed; E_MISMATCH: it does not
 * hold. E_LIMIT: more than GUARD_LOGS. A page of an export may always be signed. guard_recall_head -- from the journal. guard_each_head -- as guard_each. */
MUST enum eim_err guard_admit_head(struct guard *g, const struct guard_head *h, const struct note_proof *proof, uint64_t *wanted, bool *again, struct err *e);
MUST enum eim_err guard_recall_head(struct guard *g, const struct guard_head *h, struct err *e);
bool guard_each_head(const struct guard *g, size_t *at, struct guard_head *out);

/* guard_admit -- may this be signed? If so it counts as signed from now on. *again: it was, octet for octet. *highest is the highest counter
 * signed for the association. E_REPLAY: a lower counter, or the same with other octets; E_RULE: more than GUARD_JUMP ahead; E_BUSY: the rate;
 * E_LIMIT, E_NOMEM: no room for another association. A refusal changes nothing. */
MUST enum eim_err guard_admit(struct guard *g, const struct guard_package *p, int64_t now_us, int64_t *highest, bool *again, struct err *e);

/* guard_recall -- from the journal: this was signed. Only ever raises a counter. `digest`: its first eight octets as a number. */
MUST enum eim_err guard_recall(struct guard *g, uint64_t association, int64_t counter, uint64_t digest, struct err *e);

/* guard_digest -- the part of a digest that is remembered. */
uint64_t guard_digest(const uint8_t digest[SHA256_SIZE]);

/* guard_each -- every association, in no order; *at starts as 0. False: no more. */
struct guard_entry { uint64_t association; int64_t counter; uint64_t digest; };
bool guard_each(const struct guard *g, size_t *at, struct guard_entry *out);
size_t guard_count(const struct guard *g);

#endif
