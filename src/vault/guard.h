/* guard.h -- what the signer's process signs at all: it reads the package, and remembers the highest counter of each association.
 *
 * An association here is (eimId, EID), as a 64-bit number made of both; two that fall together share a counter, which costs some numbers and is
 * else harmless, because eimd goes past a counter that is refused (sign_request.highest). Not thread-safe. */
#ifndef VAULT_GUARD_H
#define VAULT_GUARD_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/digest.h"

enum {
    GUARD_ASSOCIATIONS = 16 << 20,     /* most that are remembered; behind them new ones are refused (24 octets each) */
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
    bool note;                         /* a tree head: its log is the association, its size the counter; an export's note: both are 0 */
    uint8_t digest[SHA256_SIZE];       /* of all that is signed: package and token */
};

/* How many packages a minute may be signed: of those that only list, and of those that change something. 0: as many as are asked for. */
struct guard_rates { int64_t lists, changes; };

MUST enum eim_err guard_new(struct guard **out, const struct guard_rates *rates, struct err *e);
/* guard_free -- NULL is harmless. */
void guard_free(struct guard *g);

/* guard_read -- what these bytes order. E_MALFORMED: no EuiccPackageSigned; E_INVALID: one without eimTransactionId or operations, or with
 * anything that we do not understand (what is read must give the same octets when it is written); field says where. */
MUST enum eim_err guard_read(struct slice tbs, struct slice token_tlv, struct guard_package *out, struct arena *a, struct err *e);

/* guard_read_note -- the same of a note that the key `verifier` is to sign. Two forms are known: the head of one of our audit logs
 * (trust/head.h) and a page of an inventory export (trust/inventory.h), both with an origin that begins with `name`, has no space and at
 * most GUARD_ORIGIN_MAX octets. E_INVALID: another text. */
MUST enum eim_err guard_read_note(struct slice text, const char *name, const char *verifier, struct guard_package *out, struct err *e);

/* guard_admit -- may this be signed? If so it counts as signed from now on. *again: it was, octet for octet. *highest is the highest counter
 * signed for the association. E_REPLAY: a lower counter, or the same with other octets; E_RULE: a package more than GUARD_JUMP ahead; E_BUSY: the rate
 * of packages; E_LIMIT, E_NOMEM: no room for another association. A refusal changes nothing. */
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
