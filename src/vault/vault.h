/* vault.h -- the signer's process from inside: questions come in, and are answered when the journal holds what they did. */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include "crypto/note.h"
#include "crypto/signer.h"
#include "vault/guard.h"
#include "vault/journal.h"

struct env;

struct vault {
    struct signer *signer;             /* the keys */
    struct note_signer *notes;         /* the key of the audit logs' heads and of inventory exports; NULL: it is not here */
    const char *name;                  /* what the origins of its notes begin with */
    struct guard *guard;
    struct journal *journal;
    struct env *env;
};

/* vault_serve -- answer what comes over `fd` until the other side closes it (OK). Every array of requests is one sync of the journal.
 * Each request is judged by itself: E_NOT_FOUND (no such key), E_INVALID (token), or as guard_read and guard_admit have it. A note is
 * refused as guard_read_note and guard_admit_head have it, or E_NOT_FOUND: no key for notes. A question that
 * cannot be read is refused whole. Fails, and the process must end: E_IO (the journal, or the socket in the middle of a message), E_TOO_LARGE
 * (a message longer than any may be: nothing behind it can be found), E_NOMEM. */
MUST enum eim_err vault_serve(struct vault *v, int fd, struct err *e);

#endif
