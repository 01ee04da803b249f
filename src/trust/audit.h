/* audit.h -- one entry for every decision that changed something, in the transaction that changed it (I4).
 *
 * An entry is one JSON line, made here and nowhere else, so that its form is one. It never holds keys, tokens or codes. */
#ifndef TRUST_AUDIT_H
#define TRUST_AUDIT_H

#include "base/env.h"
#include "model/device.h"
#include "store/store.h"

struct audit_entry {
    int64_t tenant;
    struct slice principal;            /* who; "eim" for the eIM itself, "device" for what a verified device caused */
    const char *action;                /* "operation.sent", "device.enrolled", ... */
    const struct eid *eid;             /* NULL = none */
    int64_t operation;                 /* 0 = none */
    int64_t counter;                   /* 0 = none */
    const char *state;                 /* new state, NULL = none */
    struct slice digest;               /* SHA-256 of the exact bytes concerned, or empty */
    struct slice detail;               /* one sentence, or empty */
};
/* audit_add -- append the entry to the tenant's log inside the caller's transaction. */
MUST enum eim_err audit_add(struct tx *t, struct env *env, const struct audit_entry *en, struct err *e);

/* audit_format -- the line audit_add would store, in the arena (NULL when full). */
struct slice audit_format(const struct audit_entry *en, int64_t id, int64_t at_us, struct arena *a);

#endif
