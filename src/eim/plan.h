/* plan.h -- everything one decision changes about one device, gathered before the transaction that writes it.
 *
 * Handlers read, decide, sign and verify on a worker and put what is to change into a plan; nothing is written before.
 * plan_apply then writes all of it in one short transaction, audit entries included (I4). Because the device row carries a version, a plan
 * whose reading is out of date fails as a whole with E_STALE, and its owner starts again from reading (design 3).
 *
 * A plan lives in the arena of its exchange and is used by one thread at a time. Ceilings: PLAN_* (I7). */
#ifndef EIM_PLAN_H
#define EIM_PLAN_H

#include "eim/eim_int.h"

enum {
    PLAN_OPS = OPERATION_QUEUE_MAX + 4,            /* operations one decision may touch */
    PLAN_NOTIFICATIONS = 128,
    PLAN_HINTS = 8,
    PLAN_PROFILES = 64,                            /* profiles an inventory may list */
    PLAN_DELETES = OPERATION_STEPS_MAX,
    PLAN_EIMS = SGP32_EIMS + OPERATION_STEPS_MAX,  /* eIMs of a card */
    PLAN_EVENTS = 8 + PLAN_DELETES + PLAN_NOTIFICATIONS,
};

struct plan_op {
    struct operation op;
    enum operation_state from;                     /* state read; meaningless for an insert */
    bool insert, dirty;
};

struct plan_notification {
    struct notification n;
    bool forward;                                  /* it becomes ours to deliver: a row of the outbox, and acknowledged */
    bool stored;                                   /* valid after plan_apply: only then may it be acknowledged */
    bool fresh;                                    /* and it was not there before */
};

struct plan {
    struct eim *m;
    struct arena *arena;
    int64_t now;
    const struct identity *identity;
    struct eim_settings set;

    int64_t quirks;                                /* what the device is taken for: quirks_of */

    struct device d;                               /* as it will be; version as read */
    struct device was;                             /* as it was read: what differs is told as events (tell.c) */
    bool device_dirty, device_insert;
    struct plan_op *ops[PLAN_OPS];                 /* in the arena: few plans touch more than one or two */
    size_t nops;

    bool has_profiles;                             /* profiles replaces what the store has */
    struct profile *profiles;
    size_t nprofiles;
    struct slice deletes[PLAN_DELETES];            /* ICCIDs of profiles that are gone */
    size_t ndeletes;

    bool has_eims;                                 /* eims replaces what the store has */
    struct card_eim *eims;
    size_t neims;

    struct relay_session relay;                    /* association 0: nothing changes; step RELAY_INITIATED: the new one, else moved on */
    struct slice relay_end;                        /* the transaction whose session ends; empty: none */

    struct device_rat rat;                         /* as_of_us 0: nothing changes */
    bool has_data;
    struct device_data data;
    struct plan_notification *notifications;       /* PLAN_NOTIFICATIONS of them, made when the first is added */
    size_t nnotifications;
    struct hint hints[PLAN_HINTS];
    size_t nhints;
    struct audit_entry *audits;
    size_t naudits, audits_room;

    /* what to count once it is durable */
    size_t done, failed, expired, unknown, settled, rolled_back;
};

/* plan_begin -- an empty plan over the device row read. */
void plan_begin(struct plan *p, struct eim *m, const struct identity *id, const struct device *d, struct arena *a);

/* plan_read -- the operation as this plan has it: from the plan if it holds it, else from the store (t). NULL in *out when there is none. */
MUST enum eim_err plan_read(struct plan *p, struct tx *t, int64_t id, struct plan_op **out, struct err *e);
/* plan_hold -- take an operation just read from the store into the plan. NULL when the plan or its arena is full. */
struct plan_op *plan_hold(struct plan *p, const struct operation *o);
/* plan_insert -- a new operation; NULL when the plan or its arena is full. */
struct plan_op *plan_insert(struct plan *p, const struct operation *o);

/* plan_move -- move an operation by the table, keep the device's queue heads true, and note the audit entry. `principal` says who.
 * Returns false (and changes nothing) when the table has no such move. */
bool plan_move(struct plan *p, struct plan_op *o, enum operation_event ev, const char *principal);

/* plan_queue -- recompute next_op, unsettled and timer_us from the store and the plan. Call once, after the moves, before plan_apply,
 * whenever an operation left one of the states pending, sent and unknown, or entered it. */
MUST enum eim_err plan_queue(struct plan *p, struct tx *t, struct err *e);

/* plan_audit -- one more audit entry. Out of room is E_NOMEM: nothing may happen unrecorded. */
MUST enum eim_err plan_audit(struct plan *p, const struct audit_entry *en, struct err *e);
/* plan_hint -- keep a message that moved nothing (the oldest of a plan's eight stay, and HINTS_A_SECOND of all devices; more are counted
 * only by the caller). */
void plan_hint(struct plan *p, const char *kind, struct slice raw, const char *why);
/* plan_notify -- add a notification; `forward`: it is verified and this eIM will deliver it. False when there are PLAN_NOTIFICATIONS. */
bool plan_notify(struct plan *p, const struct notification *n, bool forward);

bool plan_is_empty(const struct plan *p);
/* plan_apply -- write it all inside transaction t. */
MUST enum eim_err plan_apply(struct plan *p, struct tx *t, struct err *e);
/* plan_tell -- its part that writes audit entries and events (tell.c). */
MUST enum eim_err plan_tell(const struct plan *p, struct tx *t, struct err *e);
/* operation_parts -- what events of an operation say beside its state: OPERATION_PARTS of them; NULL when the arena is full. */
enum { OPERATION_PARTS = 3 };
const struct event_part *operation_parts(struct arena *a, const struct operation *o);
/* plan_count -- add what happened to the counters; after the commit. */
void plan_count(const struct plan *p);

#endif
