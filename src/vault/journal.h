/* journal.h -- what the signer has signed: lines in files of its own folder, each bound to all before it.
 *
 * A line ends in the hex of SHA-256(chain of the line before || the line up to there); the first line of a file names the chain that it goes on
 * from, so that all files are one chain. The newest file says all that a start must know. Lines:
 *
 *   h 2 NUMBER CHAIN                                                the head of file NUMBER, which goes on from CHAIN
 *   a ASSOCIATION COUNTER DIGEST                                    carried over from the file before: the highest counter of an association
 *   l LOG SIZE ROOT                                                 the same of an audit log: its largest head
 *   e COUNT                                                         so many were carried over; what follows was signed since
 *   s TIME ASSOCIATION EID COUNTER OPERATIONS DIGEST KEY            signed: microseconds UTC, bits as guard.h has them, SHA-256, name of the key
 *   n TIME LOG SIZE ROOT ORIGIN                                     a note was signed: a head, or a page of an export (LOG, SIZE: 0; ROOT: SHA-256 of it)
 *
 * A new file is begun at a start when the last has more than JOURNAL_ROTATE octets; older ones are for auditors. Not thread-safe. */
#ifndef VAULT_JOURNAL_H
#define VAULT_JOURNAL_H

#include "vault/guard.h"

enum { JOURNAL_LINE_MAX = 512, JOURNAL_ROTATE = 256 << 20, JOURNAL_LOCK_SECONDS = 20 };

struct journal;

struct journal_report {
    uint64_t number, lines;            /* of the newest file */
    uint64_t torn;                     /* octets at its end that were cut off: never synced, so never answered */
};

/* journal_open -- open the folder (which must be there), lock it, read the newest file into the guard, and go on from there. `rotate`: octets
 * from which a new file is begun. Waits JOURNAL_LOCK_SECONDS for another process that holds the folder (E_CONFLICT).
 * E_MISMATCH: a line was changed, removed, added or reordered; it is named. E_IO, E_NOMEM. */
MUST enum eim_err journal_open(struct journal **out, const char *folder, struct guard *g, uint64_t rotate, struct journal_report *r, struct err *e);
/* journal_close -- NULL is harmless; what was not synced is lost. */
void journal_close(struct journal *j);

/* journal_add, journal_add_head -- one line, in memory. journal_sync -- all lines added since are written and durable when
 * this returns OK; nothing to be done when there are none. After a failure of either the journal is of no more use: the process must end without
 * answering. */
MUST enum eim_err journal_add(struct journal *j, const struct guard_package *p, const char *key, int64_t now_us, struct err *e);
MUST enum eim_err journal_add_head(struct journal *j, const struct guard_head *h, const char *origin, int64_t now_us, struct err *e);
MUST enum eim_err journal_sync(struct journal *j, struct err *e);

/* journal_verify -- for auditors: read every file of the folder, also while a signer writes to it, and change nothing. Each file must go on from the chain
 * of the one before, and with `since` not NULL some line must end in that chain, which somebody kept. E_MISMATCH names what does not follow; E_NOT_FOUND:
 * no journal there; E_IO, E_NOMEM, E_LIMIT. */
struct journal_account {
    uint64_t first, last, lines;       /* numbers of files; lines of all */
    uint64_t packages, notes;          /* that were signed */
    uint8_t chain[SHA256_SIZE];        /* of the last line */
};
MUST enum eim_err journal_verify(const char *folder, const uint8_t since[SHA256_SIZE], struct journal_account *out, struct err *e);

#endif
