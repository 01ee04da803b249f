/* operation.h -- an operation is one eUICC package, or one profile download trigger, for one device, from order to outcome.
 * Plain data.
 *
 * The move table is the drawing of its life; operation_move is the only place where a state changes (I4). */
#ifndef MODEL_OPERATION_H
#define MODEL_OPERATION_H

#include "base/slice.h"

#define OPERATION_STATES(X)                                                                                  \
    X(OP_PENDING,     "pending")          /* queued; nothing left yet */                                     \
    X(OP_SENT,        "sent")             /* its package left at least once; the result is awaited */        \
    X(OP_UNKNOWN,     "unknown_outcome")  /* no result in time: executed or not? an inventory will tell */   \
    X(OP_DONE,        "done")             /* verified result, every step ok */                               \
    X(OP_FAILED,      "failed")           /* verified result with an error, or settled as not executed */    \
    X(OP_ROLLED_BACK, "rolled_back")      /* executed, then the IPA went back (8C) */                        \
    X(OP_CANCELLED,   "cancelled")                                                                           \
    X(OP_EXPIRED,     "expired")

enum operation_state {
#define X(name, text) name,
    OPERATION_STATES(X)
#undef X
    OP_STATE_END
};

#define OPERATION_EVENTS(X) \
    X(EV_FETCH) X(EV_CANCEL) X(EV_EXPIRE) X(EV_REFUSE) X(EV_RESULT) X(EV_ERROR) X(EV_ROLLBACK) X(EV_TIMEOUT) \
    X(EV_SETTLED_DONE) X(EV_SETTLED_NOT) X(EV_DEFER)
enum operation_event {
#define X(name) name,
    OPERATION_EVENTS(X)
#undef X
    EV_END
};

/*    from          event             to             */
#define OPERATION_MOVES(X)                              \
    X(OP_PENDING,  EV_FETCH,         OP_SENT)           \
    X(OP_PENDING,  EV_CANCEL,        OP_CANCELLED)      \
    X(OP_PENDING,  EV_EXPIRE,        OP_EXPIRED)        \
    X(OP_PENDING,  EV_REFUSE,        OP_FAILED)         /* a rule forbids it when it is to be signed (I6) */      \
    X(OP_SENT,     EV_RESULT,        OP_DONE)           \
    X(OP_SENT,     EV_ERROR,         OP_FAILED)         \
    X(OP_SENT,     EV_ROLLBACK,      OP_ROLLED_BACK)    \
    X(OP_SENT,     EV_TIMEOUT,       OP_UNKNOWN)        /* not back to pending: the card may have executed it */ \
    X(OP_SENT,     EV_DEFER,         OP_PENDING)        /* signed ecallActive: the card itself says that nothing was executed */ \
    X(OP_UNKNOWN,  EV_RESULT,        OP_DONE)           \
    X(OP_UNKNOWN,  EV_ERROR,         OP_FAILED)         \
    X(OP_UNKNOWN,  EV_ROLLBACK,      OP_ROLLED_BACK)    \
    X(OP_UNKNOWN,  EV_SETTLED_DONE,  OP_DONE)           /* by an attested inventory with a higher counter */      \
    X(OP_UNKNOWN,  EV_SETTLED_NOT,   OP_FAILED)         \
    X(OP_DONE,     EV_ROLLBACK,      OP_ROLLED_BACK)    /* the result came, then the rollback (spec 5.6 NOTE 1) */

/* operation_move -- move *s by the table; false, and *s as it was, when the table has no such move. */
bool operation_move(enum operation_state *s, enum operation_event ev);
const char *operation_state_name(enum operation_state s);
bool operation_state_parse(struct slice name, enum operation_state *out);
static inline bool operation_is_final(enum operation_state s)
{
    return s != OP_PENDING && s != OP_SENT && s != OP_UNKNOWN;
}

/* What is sent: a signed eUICC package, or a profile download trigger, which nobody signs (SGP.32 2.11.1.3). */
enum operation_kind { OPK_PACKAGE, OPK_DOWNLOAD };
const char *operation_kind_name(enum operation_kind k);

/* Who caused it: shown, audited, and what invariant I11 counts. */
enum operation_origin { ORIGIN_API, ORIGIN_INVENTORY, ORIGIN_SETTLE };
const char *operation_origin_name(enum operation_origin o);

/* Overrides of I6, and of refusals of preflight.c, that a person gave by name. */
#define OPERATION_OVERRIDES(X)                          \
    X(OVERRIDE_NO_ENABLED_PROFILE, 1, "no_enabled_profile") \
    X(OVERRIDE_LAST_WAY_TO_EIM,    2, "last_way_to_eim")    \
    X(OVERRIDE_PREFLIGHT_MEMORY,   4, "preflight_memory")   \
    X(OVERRIDE_PREFLIGHT_VERSION,  8, "preflight_version")  \
    X(OVERRIDE_PREFLIGHT_OPERATOR, 16, "preflight_operator") \
    X(OVERRIDE_QUIRK,             32, "quirk")              \
    X(OVERRIDE_PREFLIGHT_RULES,   64, "preflight_rules")
enum operation_override {
#define X(name, bit, text) name = bit,
    OPERATION_OVERRIDES(X)
#undef X
    OVERRIDE_PREFLIGHT = OVERRIDE_PREFLIGHT_MEMORY | OVERRIDE_PREFLIGHT_VERSION | OVERRIDE_PREFLIGHT_OPERATOR | OVERRIDE_PREFLIGHT_RULES
};

struct operation {
    int64_t association, id, tenant;
    enum operation_state state;
    enum operation_kind kind;
    enum operation_origin origin;
    int64_t overrides;                             /* enum operation_override bits */
    struct slice request;                          /* package: the EuiccPackage TLV (psmoList or ecoList), as it will be signed;
                                                      download: the ProfileDownloadTriggerRequest without its transaction id */
    struct slice principal;                        /* who asked, in words of trust/identity */
    int64_t created_us, expires_us;                /* expires 0 = never */

    /* the delivery: written before the package leaves (I2) */
    int64_t counter;                               /* 0 until sent */
    int64_t token;                                 /* token under its signature */
    struct slice txid;                             /* 16 octets */
    struct slice package;                          /* the exact BF51 (or BF54) that left; delivered again byte for byte */
    int64_t first_sent_us, last_sent_us, deliveries;

    /* the outcome */
    struct slice result;                           /* the exact BF51 that came back, once verified (or the BF54: see download.c) */
    int64_t result_us;
    int64_t seq;                                   /* seqNumber of the result, -1 when it has none (signed errors) */
    int64_t code;                                  /* first SGP.32 result or error code that is not ok; 0 = all ok, -1 = none known */
    struct slice reason;                           /* one sentence for people */
    int64_t settles;                               /* origin settle: the operation it settles; else: the one it repeats; 0 = none */
};

enum {
    OPERATION_STEPS_MAX = 16,                      /* PSMOs or eCOs in one package (design 10) */
    OPERATION_QUEUE_MAX = 64,                      /* pending operations a device may have */
    OPERATION_PACKAGE_MAX = 16384,                 /* octets of a package */
    OPERATION_REQUEST_MAX = OPERATION_PACKAGE_MAX - 512,       /* of what is ordered: eimId, EID, counter, ids and signature come on top */
};

#endif
