/* eim.h -- the SGP.32 remote manager: what the doors and the app hold of it.
 *
 * One struct eim serves all tenants and all doors, from any number of worker threads. It is plain sequential
 * code: no descriptor, no thread of its own, no SQL. Time, randomness, store and signer come from struct host. */
#ifndef EIM_EIM_H
#define EIM_EIM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/host.h"
#include "model/device.h"
#include "model/identity.h"

struct eim;
struct cert_trust;

struct eim_settings {
    bool coap;                         /* devices are served over CoAPS too, and our configuration says so */
    bool indirect;                     /* indirect profile downloads are offered, and said so in our configuration */
    int64_t calls_max;                 /* calls to SM-DP+ under way for devices at a time (64); one SM-DP+ has half of what is free at most */
    bool enrol_unknown;                /* an unknown EID is enrolled as unverified instead of refused */
    unsigned enrol_per_hour;           /* ceiling of that */
    int64_t outcome_timeout_us;        /* sent without result: unknown outcome (7 days) */
    unsigned deliveries_max;           /* and after so many deliveries (3), unless younger than two contact intervals */
    int64_t contact_interval_us;       /* the usual time between two contacts of a device (24 h): no timeout before two of them */
    int64_t auto_interval_us;          /* one automatic package at most in this time because of something unsigned (10 min, I11) */
    int64_t contact_flush_us;          /* how long "last seen" may wait in memory (60 s) */
    int64_t notify_retry_us;           /* first pause after a notification that could not be forwarded (30 s); doubled each time */
    int64_t notify_retry_max_us;       /* up to this (4 h) */
    int64_t notify_give_up_us;         /* and given up after this time (7 days) */
    unsigned notify_per_address;       /* notifications under way to one SM-DP+ at a time (2); to one that does not answer: 1 */
};
extern const struct eim_settings eim_settings_default;

/* Everything countable that /metrics shows; one row makes counter and metric. */
#define EIM_COUNTERS(X)                                                                              \
    X(polls,               "getEimPackage requests")                                                 \
    X(polls_empty,         "polls answered noEimPackageAvailable")                                   \
    X(polls_quiet,         "of these, answered without a read: nothing has changed since the last") \
    X(polls_unknown_eid,   "polls of an EID that is not enrolled")                                   \
    X(packages_signed,     "eUICC packages signed")                                                  \
    X(packages_delivered,  "eUICC packages delivered, redeliveries included")                        \
    X(packages_redelivered,"deliveries of a package that had been delivered before")                 \
    X(download_triggers,   "profile download triggers delivered")                                   \
    X(data_requests,       "IpaEuiccDataRequests delivered")                                         \
    X(results,             "eUICC package results received")                                         \
    X(results_verified,    "results whose signature verified and that were applied")                 \
    X(results_repeated,    "verified results that had been applied before")                          \
    X(results_refused,     "results refused: forged, replayed, mismatched or foreign")               \
    X(results_unverified,  "results of devices without a key, kept and not acknowledged")            \
    X(errors_signed,       "signed eUICC package errors")                                            \
    X(errors_unsigned,     "unsigned eUICC package errors (hints)")                                  \
    X(rollbacks,           "rollbacks reported")                                                     \
    X(outcomes_unknown,    "operations that ended as unknown outcome")                               \
    X(outcomes_settled,    "unknown outcomes settled by an inventory")                               \
    X(inventories,         "attested inventories applied")                                           \
    X(chains_verified,     "eUICC certificate chains verified")                                      \
    X(chains_refused,      "eUICC certificate chains refused")                                       \
    X(notifications,       "notifications stored")                                                   \
    X(notifications_kept,  "notifications that did not verify, kept and not acknowledged")           \
    X(notifications_forwarded, "notifications that their SM-DP+ has taken")                          \
    X(notifications_retried, "attempts to forward a notification that failed")                       \
    X(notifications_failed, "notifications given up")                                                \
    X(pushes,              "attempts to push what waits to a device that can be reached")            \
    X(pushes_failed,       "of them those that it did not answer, or not rightly")                   \
    X(codes_handed_out,    "activation codes of pools that became a download")                    \
    X(profile_orders,      "profile orders")                                                       \
    X(pools_low,           "times that a pool of activation codes fell below its threshold")       \
    X(malformed,           "ESipa messages that could not be decoded")                               \
    X(stale_retries,       "transactions decided again because the device had changed meanwhile")    \
    X(busy,                "exchanges answered 503")                                                 \
    X(enrolled,            "devices enrolled")                                                       \
    X(operations_created,  "operations created")                                                     \
    X(operations_done,     "operations done")                                                        \
    X(operations_failed,   "operations failed")                                                      \
    X(operations_expired,  "operations expired before they were fetched")                            \
    X(operations_cancelled,"operations cancelled before they were fetched")
struct eim_counters {
#define X(name, help) int64_t name;    /* touched atomically only */
    EIM_COUNTERS(X)
#undef X
};

/* eim_open -- read the identities from the store and be ready. `trust` (CI roots; may be empty) is owned by the eim
 * from then on. Blocks for a few reads. On failure *out is NULL and `trust` still the caller's. */
MUST enum eim_err eim_open(struct eim **out, struct host *host, const struct eim_settings *set, struct cert_trust *trust,
                           struct err *e);
/* eim_reload -- other settings or roots; NULL keeps what is there. Running exchanges finish with what they began with. */
void eim_reload(struct eim *m, const struct eim_settings *set, struct cert_trust *trust);
void eim_close(struct eim *m);
const struct eim_counters *eim_counters(const struct eim *m);

/* eim_sweep -- the janitor's turn: expire operations, time out sent ones, write pending "last seen". Looks at no more than
 * `rows` devices and goes on from there next time. Blocks on the store; call from one thread, about once a second. */
MUST enum eim_err eim_sweep(struct eim *m, unsigned rows, struct err *e);
/* eim_forward -- take the next notification that is due and try to bring it to its SM-DP+ (ES9+' handleNotification). *did: there was one, so
 * that another may follow at once. Blocks as long as the SM-DP+ takes, with no transaction open. Any number of threads may call it, on any
 * number of nodes: each takes another one. Failures of SM-DP+ are noted with the notification; errors are the store's. */
MUST enum eim_err eim_forward(struct eim *m, bool *did, struct err *e);
/* eim_outbox -- how many notifications wait, are held and have failed, and when the oldest of the first two came (0 = none). Scans: now and then. */
struct eim_outbox { int64_t waiting, held, failed, oldest_us; };
MUST enum eim_err eim_outbox(struct eim *m, struct eim_outbox *out, struct err *e);
/* eim_push -- take the next device that can be reached and has something waiting, and give it all of that by TransferEimPackage (SGP.32
 * 3.1.1.2). As eim_forward: *did, blocking, any thread, any node. */
MUST enum eim_err eim_push(struct eim *m, bool *did, struct err *e);
/* eim_order -- make the next ES2+ call that a profile order waits for (orders.c). As eim_forward: *did, blocking, any thread, any node. */
MUST enum eim_err eim_order(struct eim *m, bool *did, struct err *e);
/* eim_flush -- write pending "last seen" now (drain). */
MUST enum eim_err eim_flush(struct eim *m, struct err *e);

#endif
