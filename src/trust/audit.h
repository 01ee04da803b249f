/* audit.h -- one entry for every decision that changed something, in the transaction that changed it (I4).
 *
 * An entry is one JSON line, made here and nowhere else, so that its form is one. It never holds keys, tokens or codes.
 * One whose action is a type of event (model/event.h) is told as an event too, by the same call. */
#ifndef TRUST_AUDIT_H
#define TRUST_AUDIT_H

#include "base/env.h"
#include "model/device.h"
#include "store/store.h"
#include "trust/event.h"

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
    /* for the event that tells of it, if its name is a type of model/event.h; not in the log */
    const char *event;                 /* its type; NULL: the action */
    const struct event_part *parts;    /* what programs want to know beside the members above */
    size_t nparts;
};
/* audit_add -- append the entry to the tenant's log inside the caller's transaction. */
MUST enum eim_err audit_add(struct tx *t, struct env *env, const struct audit_entry *en, struct err *e);

/* audit_add_all -- several, and events that no entry tells of, in as few statements as can be. All are of one tenant. */
MUST enum eim_err audit_add_all(struct tx *t, struct env *env, const struct audit_entry *v, size_t n, const struct event *more, size_t nmore,
                                struct err *e);

/* audit_format -- the line audit_add would store, in the arena (NULL when full). */
struct slice audit_format(const struct audit_entry *en, int64_t id, int64_t at_us, struct arena *a);

#endif
