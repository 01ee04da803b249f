/* store.h -- everything durable, as verbs of the domain. The only door to SQLite and PostgreSQL.
 *
 * Reading: store_read_begin gives a snapshot on a connection of its own; it may block for a short while when all
 * are in use. Writing: a job's apply() runs inside a transaction on a writer thread (SQLite: one thread, jobs one
 * after the other, each in its SAVEPOINT, after 64 of them or 2 ms one COMMIT; PostgreSQL: one transaction a job on
 * `writers` threads). done() runs after that COMMIT, on the writer thread, exactly once: only then may a
 * reply leave (invariant I3). A failed COMMIT fails every job of its batch with E_STORE and nothing is changed.
 *
 * Optimistic concurrency: a device row carries a version. A job writes what was decided on a row read earlier;
 * if the row's version moved, the verb returns E_STALE, the job fails with it, and its owner reads and decides again.
 *
 * Slices in rows read are allocated in the arena passed in. Slices in rows written are borrowed until the verb returns.
 * Every verb returns E_STORE when the backend failed, E_NOMEM when the arena is full; then the transaction is only
 * good for ending. Inside apply() any error rolls back that job alone. Verbs never log, never read the clock.
 * Columns of text (labels, names, sentences, audit lines, principals, eimId, FQDN, roles) must be UTF-8 without NUL, else E_INVALID
 * naming the column; all other slices are any bytes. A row that belongs to a device which does not exist is E_NOT_FOUND. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/device.h"
#include "model/identity.h"
#include "model/injection.h"
#include "model/operation.h"
#include "model/outbox.h"
#include "model/pool.h"
#include "model/profile_order.h"
#include "model/quirk.h"
#include "model/relay.h"
#include "model/smdp.h"

struct store;
struct tx;

struct store_options {
    const char *url;                   /* "sqlite:/path/to/eimd.db" or "postgresql://..." (any libpq URL) */
    unsigned readers;                  /* connections for store_read_begin; 0 = 4 */
    unsigned writers;                  /* PostgreSQL: writer threads; 0 = 16. SQLite has one */
    unsigned queue;                    /* jobs that may wait; 0 = 4096; beyond it store_submit is E_BUSY */
    unsigned cache_kib;                /* SQLite page cache of the writer; readers get an eighth each; 0 = 32768 */
    bool inline_writes;                /* tests under a virtual clock: store_submit runs the job and done() before it returns */
    long fail_at;                      /* tests: the Nth statement from opening fails with E_STORE; 0 = never. See store_fail_at */
};

/* store_open -- connect, refuse a schema newer than this program (E_STORE, with both numbers), and migrate an older one
 * under a lock so that several nodes may start at once. Creates an empty database. On failure *out is NULL.
 * A database that is not reachable at start is an error; one that goes away later is E_STORE until it is back
 * (connections are made anew by themselves). */
MUST enum eim_err store_open(struct store **out, const struct store_options *o, struct err *e);
/* store_close -- finish queued jobs, stop the writers, close. NULL is harmless. */
void store_close(struct store *s);
/* store_ping -- can it be read and written now? For /readyz. Blocks for one small read. */
MUST enum eim_err store_ping(struct store *s, struct err *e);
/* store_fail_at -- tests: make the Nth statement from now fail (0 = none). Returns what was left of the number set before; 0: none is set
 * any more, or it has failed. */
long store_fail_at(struct store *s, long nth);
/* store_engine -- "sqlite" or "postgresql". */
const char *store_engine(const struct store *s);

MUST enum eim_err store_read_begin(struct store *s, struct tx **out, struct err *e);
void store_read_end(struct tx *t);

struct store_job {
    enum eim_err (*apply)(struct tx *t, struct store_job *job, struct err *e);     /* may run again on another try of the driver
                                                                                       (PostgreSQL serialization failure, deadlock), so it
                                                                                       must not keep results of an earlier run */
    void (*done)(struct store_job *job, enum eim_err rc);                         /* job->err tells why; the job may be freed inside */
    struct err err;
    struct store_job *next;                                                       /* the store's */
};
/* store_submit -- queue the job; never blocks. E_BUSY (queue full) or E_STORE (closing): then neither function is called. */
MUST enum eim_err store_submit(struct store *s, struct store_job *job, struct err *e);
/* store_run -- submit and wait; job->done may be NULL, and is called on the caller's thread. Not on loop threads, not inside apply() or
 * done(). */
MUST enum eim_err store_run(struct store *s, struct store_job *job, struct err *e);

/* ---- tenants and identities (small, copied to every shard) ---- */
struct identity_list { struct identity *v; size_t n; };
MUST enum eim_err store_identity_list(struct tx *t, struct identity_list *out, struct arena *a, struct err *e);
/* store_identity_put -- insert, or replace the row with the same id; E_CONFLICT when another of the tenant has this eimId. The tenant
 * `default` has id 1 from the first migration. */
MUST enum eim_err store_identity_put(struct tx *t, const struct identity *i, struct err *e);

/* ---- devices ---- */
/* store_device_get -- the row of one association. out->association == 0 means there is none, which is no error.
 * One indexed read. */
MUST enum eim_err store_device_get(struct tx *t, int64_t association, struct device *out, struct arena *a, struct err *e);
/* store_device_lock -- as store_device_get, and nobody else writes the row until this transaction ends. Write transactions only. */
MUST enum eim_err store_device_lock(struct tx *t, int64_t association, struct device *out, struct arena *a, struct err *e);
/* store_device_insert -- version becomes 1. E_CONFLICT when the association exists (same EID: "already enrolled",
 * another EID: "association number collides"). */
MUST enum eim_err store_device_insert(struct tx *t, const struct device *d, struct err *e);
/* store_device_update -- write the whole row if its version is still d->version; the stored version becomes one more.
 * E_STALE when it is not (or the row is gone). Does not change d. */
MUST enum eim_err store_device_update(struct tx *t, const struct device *d, struct err *e);
MUST enum eim_err store_device_delete(struct tx *t, int64_t association, struct err *e);   /* with all its rows; E_NOT_FOUND */
/* store_device_mark -- taken before a row is read: as long as the mark is the same, the row is what was read, or gone. It changes after the
 * COMMIT of a change and before anybody is told of it, sometimes without one, and when the store is in trouble. 0: nobody can tell, since
 * others may write to this database (PostgreSQL). Never blocks. */
uint64_t store_device_mark(struct store *s, int64_t association);
struct device_list { struct device *v; size_t n; };
/* store_device_list -- up to `limit` devices of a tenant with association > after, in that order. */
MUST enum eim_err store_device_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct device_list *out,
                                    struct arena *a, struct err *e);
/* store_device_count -- devices of a tenant (0 = of all). Scans: for metrics, now and then. */
MUST enum eim_err store_device_count(struct tx *t, int64_t tenant, int64_t *out, struct err *e);
/* store_device_due -- up to `limit` associations > after whose timer_us is set and <= now_us, among the next `scan` rows.
 * *last becomes the last association looked at, 0 when the end of the table was reached: the sweep starts over. */
struct association_list { int64_t *v; size_t n; };
MUST enum eim_err store_device_due(struct tx *t, int64_t after, int64_t now_us, unsigned scan, unsigned limit,
                                   struct association_list *out, int64_t *last, struct arena *a, struct err *e);
/* store_counters_add -- raise every counter by n, capped at 0x7FFFFF: after a restored backup. */
MUST enum eim_err store_counters_add(struct tx *t, int64_t n, struct err *e);

/* ---- quarantine: why, beside device.quarantine_us ---- */
struct quarantine { int64_t association, tenant, at_us; struct slice principal, reason; };
MUST enum eim_err store_quarantine_put(struct tx *t, const struct quarantine *q, struct err *e);
MUST enum eim_err store_quarantine_get(struct tx *t, int64_t association, struct quarantine *out, struct arena *a, struct err *e);   /* association 0 = none */
MUST enum eim_err store_quarantine_delete(struct tx *t, int64_t association, struct err *e);

/* ---- rules about devices that deviate from the specification (model/quirk.h), by id ---- */
struct quirk_rule_list { struct quirk_rule *v; size_t n; };
/* store_quirk_rules -- up to `limit` rules of a tenant; tenant 0: of all. */
MUST enum eim_err store_quirk_rules(struct tx *t, int64_t tenant, unsigned limit, struct quirk_rule_list *out, struct arena *a, struct err *e);
MUST enum eim_err store_quirk_rule_add(struct tx *t, const struct quirk_rule *r, struct err *e);
MUST enum eim_err store_quirk_rule_delete(struct tx *t, int64_t tenant, int64_t id, bool *was, struct err *e);

/* ---- labels: (association, name) -> value ---- */
struct label_list { struct label *v; size_t n; };
MUST enum eim_err store_label_put(struct tx *t, int64_t association, int64_t tenant, const struct label *l, struct err *e);
MUST enum eim_err store_label_list(struct tx *t, int64_t association, struct label_list *out, struct arena *a, struct err *e);

/* ---- last contact: coalesced in memory, written in batches; losing a minute of it is allowed ---- */
struct contact { int64_t association, seen_us; };
MUST enum eim_err store_contact_put(struct tx *t, const struct contact *c, size_t n, struct err *e);
MUST enum eim_err store_contact_get(struct tx *t, int64_t association, int64_t *seen_us, struct err *e);     /* 0 = never */

/* ---- profiles, as the last inventory told ---- */
struct profile_list { struct profile *v; size_t n; };
/* store_profile_replace -- the device has exactly these profiles now. */
MUST enum eim_err store_profile_replace(struct tx *t, int64_t association, int64_t tenant, const struct profile *p, size_t n, struct err *e);
MUST enum eim_err store_profile_delete(struct tx *t, int64_t association, struct slice iccid, struct err *e);
MUST enum eim_err store_profile_list(struct tx *t, int64_t association, struct profile_list *out, struct arena *a, struct err *e);

/* ---- which eIMs control the card (model/device.h), by eimId ---- */
struct card_eim_list { struct card_eim *v; size_t n; };
/* store_card_eim_replace -- these, and no others. */
MUST enum eim_err store_card_eim_replace(struct tx *t, int64_t association, int64_t tenant, const struct card_eim *v, size_t n, struct err *e);
MUST enum eim_err store_card_eim_list(struct tx *t, int64_t association, struct card_eim_list *out, struct arena *a, struct err *e);

/* ---- what IpaEuiccDataResponse told (cold) ---- */
struct device_data {
    struct slice eum_cert, euicc_cert;             /* complete DER or empty */
    struct slice info;                             /* the exact BF52 received last; IPA-reported */
    int64_t as_of_us;
};
MUST enum eim_err store_data_put(struct tx *t, int64_t association, int64_t tenant, const struct device_data *d, struct err *e);
MUST enum eim_err store_data_get(struct tx *t, int64_t association, struct device_data *out, struct arena *a, struct err *e);   /* as_of_us 0 = none */

/* The rules authorisation table of its eUICC (SGP.22 2.9.2), eUICC-signed: DER, a SEQUENCE OF ProfilePolicyAuthorisationRule. as_of_us 0 = not known. */
struct device_rat { int64_t association, tenant, operation, as_of_us; struct slice rules; };
MUST enum eim_err store_rat_put(struct tx *t, const struct device_rat *r, struct err *e);
MUST enum eim_err store_rat_get(struct tx *t, int64_t association, struct device_rat *out, struct arena *a, struct err *e);

/* ---- operations ---- */
/* store_operation_insert -- E_CONFLICT when the device has an operation with this id. */
MUST enum eim_err store_operation_insert(struct tx *t, const struct operation *o, struct err *e);
/* store_operation_get -- out->id == 0 means there is none. */
MUST enum eim_err store_operation_get(struct tx *t, int64_t association, int64_t id, struct operation *out, struct arena *a, struct err *e);
/* store_operation_find -- by id alone, for the API (a plain index). out->id == 0 means there is none. */
MUST enum eim_err store_operation_find(struct tx *t, int64_t tenant, int64_t id, struct operation *out, struct arena *a, struct err *e);
/* store_operation_by_txid, _by_counter -- the newest operation of a device with this eimTransactionId (or counter), at most
 * 1,000 operations back. out->id == 0 means there is none. */
MUST enum eim_err store_operation_by_txid(struct tx *t, int64_t association, struct slice txid, struct operation *out, struct arena *a, struct err *e);
MUST enum eim_err store_operation_by_counter(struct tx *t, int64_t association, int64_t counter, struct operation *out, struct arena *a, struct err *e);
/* store_operation_next -- id of the oldest operation with id > after in this state; 0 = none. */
MUST enum eim_err store_operation_next(struct tx *t, int64_t association, enum operation_state state, int64_t after, int64_t *id, struct err *e);
/* store_operation_update -- write state, delivery and outcome if the stored state is still `from`; else E_STALE. */
MUST enum eim_err store_operation_update(struct tx *t, const struct operation *o, enum operation_state from, struct err *e);
/* store_operation_scrub -- of an operation that has come to an end: its request becomes this one, its package is forgotten. */
MUST enum eim_err store_operation_scrub(struct tx *t, int64_t association, int64_t id, struct slice request, struct err *e);
struct operation_list { struct operation *v; size_t n; };
/* store_operation_list -- operations of a device, newest first, id < before (0 = from the newest), up to limit.
 * `with_bytes` false leaves package and result empty. */
MUST enum eim_err store_operation_list(struct tx *t, int64_t association, int64_t before, unsigned limit, bool with_bytes,
                                       struct operation_list *out, struct arena *a, struct err *e);
/* store_operation_list_tenant -- the same over a tenant, optionally only one state (OP_STATE_END = all), without package and
 * result. Scans by id downwards. */
MUST enum eim_err store_operation_list_tenant(struct tx *t, int64_t tenant, enum operation_state state, int64_t before, unsigned limit,
                                              struct operation_list *out, struct arena *a, struct err *e);
/* store_operation_pending_count -- pending operations of one device. */
MUST enum eim_err store_operation_pending_count(struct tx *t, int64_t association, int64_t *out, struct err *e);

/* ---- what devices sent that stands apart from operations ---- */
enum notification_state { NOTIFICATION_VERIFIED, NOTIFICATION_KEPT };      /* to be forwarded; unverified, kept and not acknowledged (I12) */
struct notification {
    int64_t association, tenant, seq;              /* the card's sequence number */
    enum notification_state state;
    int64_t event;                                 /* NotificationEvent: install 1, enable 2, disable 4, delete 8 */
    struct slice address, iccid;
    struct slice raw;                              /* the exact PendingNotification TLV */
    int64_t received_us;
};
/* store_notification_put -- store it once: the same (association, seq, raw) again is OK and changes nothing; another raw under the
 * same seq is E_CONFLICT, but NOTIFICATION_VERIFIED takes the place of a NOTIFICATION_KEPT (what is not proven keeps nothing proven out);
 * NOTIFICATION_KEPT beyond 32 a device is E_LIMIT. */
MUST enum eim_err store_notification_put(struct tx *t, const struct notification *n, struct err *e);
/* store_notification_put_new -- the same, and *fresh says whether it was written now: it was not there, or only kept. */
MUST enum eim_err store_notification_put_new(struct tx *t, const struct notification *n, bool *fresh, struct err *e);
/* store_notification_get -- out->association == 0 means there is none. */
MUST enum eim_err store_notification_get(struct tx *t, int64_t association, int64_t seq, struct notification *out, struct arena *a, struct err *e);
struct notification_list { struct notification *v; size_t n; };
MUST enum eim_err store_notification_list(struct tx *t, int64_t association, struct notification_list *out, struct arena *a, struct err *e);

/* ---- the outbox: verified notifications on their way (model/outbox.h) ---- */
/* store_outbox_add -- a new row, version 1; nothing when the device has one under this seq already. */
MUST enum eim_err store_outbox_add(struct tx *t, const struct outbox *o, struct err *e);
/* store_outbox_get, _find -- by the notification's key, or by id; out->id == 0 means there is none. */
MUST enum eim_err store_outbox_get(struct tx *t, int64_t association, int64_t seq, struct outbox *out, struct arena *a, struct err *e);
MUST enum eim_err store_outbox_find(struct tx *t, int64_t tenant, int64_t id, struct outbox *out, struct arena *a, struct err *e);
/* store_outbox_update -- write it if the stored version is still o->version, which then becomes one more; else E_STALE. */
MUST enum eim_err store_outbox_update(struct tx *t, const struct outbox *o, struct err *e);
/* store_outbox_next_address -- the first address > after (bytewise) for which something has not come to an end; empty: none. */
MUST enum eim_err store_outbox_next_address(struct tx *t, struct slice after, struct slice *out, struct arena *a, struct err *e);
/* store_outbox_any_due -- is anything due for this address? Says yes too when it must wait for an earlier one. */
MUST enum eim_err store_outbox_any_due(struct tx *t, struct slice address, int64_t now_us, bool *out, struct err *e);
/* store_outbox_claim -- the row for this address that has been due longest and follows no other of the same device, profile and address that
 * waits or is held. Its due_us becomes `until_us` and its tries one more, so that nobody else takes it before then: *out is the row as it is
 * now. id 0: there is none. Rows that another node is claiming are passed over. Write transactions only. */
MUST enum eim_err store_outbox_claim(struct tx *t, struct slice address, int64_t now_us, int64_t until_us, struct outbox *out, struct arena *a,
                                     struct err *e);
/* store_outbox_delay -- what waits for the same device, profile and address as *o is not due before due_us. */
MUST enum eim_err store_outbox_delay(struct tx *t, const struct outbox *o, int64_t due_us, struct err *e);
/* store_outbox_trim -- of what was forwarded for a device only the `keep` with the highest seq stay. */
MUST enum eim_err store_outbox_trim(struct tx *t, int64_t association, unsigned keep, struct err *e);
struct outbox_list { struct outbox *v; size_t n; };
/* store_outbox_list -- of a tenant, newest first, id < before (0 = from the newest), up to limit; `state` OUT_STATE_END = all. */
MUST enum eim_err store_outbox_list(struct tx *t, int64_t tenant, enum outbox_state state, int64_t before, unsigned limit,
                                    struct outbox_list *out, struct arena *a, struct err *e);
/* store_outbox_count -- of all tenants: how many are in each state that is not at an end, and when the oldest waiting or held one was received
 * (0 = none). Reads the whole index of them: now and then only. */
MUST enum eim_err store_outbox_count(struct tx *t, int64_t counts[OUT_FAILED + 1], int64_t *oldest_us, struct err *e);

/* ---- devices that can be reached (model/injection.h) ---- */
/* store_injection_get -- out->association == 0 means there is none. */
MUST enum eim_err store_injection_get(struct tx *t, int64_t association, struct injection *out, struct arena *a, struct err *e);
/* store_injection_put -- version 0: a new row (E_CONFLICT when there is one); else write it if the stored version is still this one (E_STALE). */
MUST enum eim_err store_injection_put(struct tx *t, const struct injection *i, struct err *e);
MUST enum eim_err store_injection_delete(struct tx *t, int64_t association, struct err *e);
/* store_injection_wake -- something waits for this device: due now, with all tries before it. Nothing when it cannot be reached. */
MUST enum eim_err store_injection_wake(struct tx *t, int64_t association, int64_t now_us, struct err *e);
/* store_injection_any_due -- is there one that is due, and not under way? */
MUST enum eim_err store_injection_any_due(struct tx *t, int64_t now_us, bool *out, struct err *e);
/* store_injection_claim -- the one that has been due longest; its lease_us becomes `until_us`, and *out is the row as it is now.
 * association 0: there is none. Write transactions only. */
MUST enum eim_err store_injection_claim(struct tx *t, int64_t now_us, int64_t until_us, struct injection *out, struct arena *a, struct err *e);

/* A message that moved nothing: a result that did not verify, an unsigned error, a response error. A hint for people. */
struct hint {
    int64_t association, tenant, id, received_us;
    struct slice kind;                             /* "unverified_result", "unsigned_error", ... */
    struct slice why, raw;                         /* one sentence; the exact bytes, at most 16 KiB */
};
enum { HINTS_MAX = 32 };
/* store_hint_put -- keep it; the oldest of a device goes when there are HINTS_MAX. E_TOO_LARGE above 16 KiB. */
MUST enum eim_err store_hint_put(struct tx *t, const struct hint *h, struct err *e);
struct hint_list { struct hint *v; size_t n; };
MUST enum eim_err store_hint_list(struct tx *t, int64_t association, struct hint_list *out, struct arena *a, struct err *e);

/* ---- audit: entries wait in a table of their own until trust/log.h gives them a place in the tenant's tree ---- */
/* store_audit_append -- `line` is the exact JSON line, without a newline. */
MUST enum eim_err store_audit_append(struct tx *t, int64_t tenant, int64_t id, int64_t at_us, struct slice line, struct err *e);
struct audit_line { int64_t id, at_us; struct slice line; };
struct audit_list { struct audit_line *v; size_t n; };
/* store_audit_take -- the oldest entries that wait, at most `most`, taken out of the table, by ascending id. Entries whose ids are
 * smaller but whose transaction ends later are taken by a later call. */
MUST enum eim_err store_audit_take(struct tx *t, int64_t tenant, unsigned most, struct audit_list *out, struct arena *a, struct err *e);
/* store_audit_list -- entries that wait, with id > after, by ascending id. */
MUST enum eim_err store_audit_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct audit_list *out, struct arena *a, struct err *e);
/* store_audit_tenants -- the tenants that have a log. */
struct tenant_list { int64_t *v; size_t n; };
MUST enum eim_err store_audit_tenants(struct tx *t, struct tenant_list *out, struct arena *a, struct err *e);

/* The state of one tenant's log. */
struct audit_state {
    int64_t tenant, size, at_us;                   /* size: lines in the tree; at_us: when the last ones came in */
    int64_t note_size;                             /* the tree's size under the newest signed tree head, 0 when there is none */
    struct slice edge;                             /* hashes, the leftmost first (trust/merkle.h) */
    struct slice note;                             /* the newest signed tree head, or empty */
};
/* store_audit_state -- as it is; store_audit_lock -- the same, and ours until the transaction ends. E_NOT_FOUND: no such tenant. */
MUST enum eim_err store_audit_state(struct tx *t, int64_t tenant, struct audit_state *out, struct arena *a, struct err *e);
MUST enum eim_err store_audit_lock(struct tx *t, int64_t tenant, struct audit_state *out, struct arena *a, struct err *e);
/* store_audit_grow -- size, at_us and edge of a log that is locked. */
MUST enum eim_err store_audit_grow(struct tx *t, const struct audit_state *s, struct err *e);
/* store_audit_sign -- keep a signed tree head, unless one of as large a tree is there. */
MUST enum eim_err store_audit_sign(struct tx *t, int64_t tenant, int64_t size, struct slice note, struct err *e);

enum { AUDIT_WIDTH = 256 };                        /* lines of a bundle, hashes of a tile */
struct audit_bundle { int64_t number, n; struct slice lines; };                /* n 0: there is none */
struct audit_tile { int64_t level, number; struct slice hashes; };            /* hashes empty: there is none */
MUST enum eim_err store_audit_bundle_get(struct tx *t, int64_t tenant, int64_t number, struct audit_bundle *out, struct arena *a, struct err *e);
MUST enum eim_err store_audit_bundle_put(struct tx *t, int64_t tenant, const struct audit_bundle *b, struct err *e);
MUST enum eim_err store_audit_tile_get(struct tx *t, int64_t tenant, int64_t level, int64_t number, struct audit_tile *out,
                                       struct arena *a, struct err *e);
MUST enum eim_err store_audit_tile_put(struct tx *t, int64_t tenant, const struct audit_tile *tile, struct err *e);

/* ---- events: they wait in a table of their own until trust/feed.h gives them their numbers (store/events.c) ---- */
struct event_row { int64_t id; struct slice lines; };
/* store_event_append -- events of this transaction, a newline after each. */
MUST enum eim_err store_event_append(struct tx *t, int64_t tenant, int64_t id, struct slice lines, struct err *e);
MUST enum eim_err store_event_waits(struct tx *t, int64_t tenant, bool *out, struct err *e);
struct event_rows { struct event_row *v; size_t n; };
/* store_event_take -- as store_audit_take. */
MUST enum eim_err store_event_take(struct tx *t, int64_t tenant, unsigned most, struct event_rows *out, struct arena *a, struct err *e);
MUST enum eim_err store_event_tenants(struct tx *t, struct tenant_list *out, struct arena *a, struct err *e);

struct event_log { int64_t tenant, first, size; };             /* the lowest number still there; the highest given */
/* store_event_log, _lock -- as it is; and ours until the transaction ends. E_NOT_FOUND: no such tenant. */
MUST enum eim_err store_event_log(struct tx *t, int64_t tenant, struct event_log *out, struct arena *a, struct err *e);
MUST enum eim_err store_event_log_lock(struct tx *t, int64_t tenant, struct event_log *out, struct arena *a, struct err *e);
MUST enum eim_err store_event_log_put(struct tx *t, const struct event_log *l, struct err *e);

enum { EVENT_WIDTH = 64 };                         /* events of a bundle */
struct event_bundle { int64_t number, n, at_us; struct slice lines; };         /* n 0: there is none */
MUST enum eim_err store_event_bundle_get(struct tx *t, int64_t tenant, int64_t number, struct event_bundle *out, struct arena *a, struct err *e);
MUST enum eim_err store_event_bundle_put(struct tx *t, int64_t tenant, const struct event_bundle *b, struct err *e);
/* store_event_old -- of `most` bundles from `number` on the last full one that is older than `before_us`; -1: none is. store_event_trim -- away
 * with all below `number`, and what says whose they were. */
MUST enum eim_err store_event_old(struct tx *t, int64_t tenant, int64_t number, int64_t most, int64_t before_us, int64_t *out, struct err *e);
MUST enum eim_err store_event_trim(struct tx *t, int64_t tenant, int64_t number, struct err *e);
/* store_event_index -- n events from number `first` on belong to these devices; sixteen zero octets: to none. */
MUST enum eim_err store_event_index(struct tx *t, int64_t tenant, const struct eid *eids, size_t n, int64_t first, struct err *e);
/* store_event_of -- numbers of a device's events: ascending above `edge`, or (down) descending below it. */
struct event_numbers { int64_t *v; size_t n; };
MUST enum eim_err store_event_of(struct tx *t, int64_t tenant, const struct eid *eid, int64_t edge, bool down, unsigned limit,
                                 struct event_numbers *out, struct arena *a, struct err *e);

/* ---- API tokens: hashed ---- */
struct token {
    int64_t id, tenant;
    uint8_t hash[32];                              /* SHA-256 of the token */
    struct slice name, role;
    int64_t created_us, expires_us, revoked_us;    /* 0 = never */
    int64_t used_us;                               /* about; 0 = never. Not written by store_token_put over an existing row */
};
MUST enum eim_err store_token_put(struct tx *t, const struct token *k, struct err *e);        /* insert or replace by id; E_CONFLICT: the hash of another */
MUST enum eim_err store_token_find(struct tx *t, const uint8_t hash[32], struct token *out, struct arena *a, struct err *e);   /* id 0 = none */

struct token_list { struct token *v; size_t n; };
/* store_token_get -- one of the tenant's, by id; id 0 = none. store_token_list -- newest first, id < before (0 = from the newest). */
MUST enum eim_err store_token_get(struct tx *t, int64_t tenant, int64_t id, struct token *out, struct arena *a, struct err *e);
MUST enum eim_err store_token_list(struct tx *t, int64_t tenant, int64_t before, unsigned limit, struct token_list *out, struct arena *a, struct err *e);
/* store_token_revoke -- from now on it is refused. *changed false: there is none, or it was revoked already. */
MUST enum eim_err store_token_revoke(struct tx *t, int64_t tenant, int64_t id, int64_t now_us, bool *changed, struct err *e);
MUST enum eim_err store_token_used(struct tx *t, int64_t id, int64_t used_us, struct err *e);

/* ---- roles that a tenant made itself ---- */
struct role_row { int64_t tenant; struct slice name, permissions; int64_t changed_us; };      /* names of permissions, a space between */
struct role_list { struct role_row *v; size_t n; };
MUST enum eim_err store_role_get(struct tx *t, int64_t tenant, struct slice name, struct role_row *out, struct arena *a, struct err *e);   /* tenant 0 = none */
MUST enum eim_err store_role_list(struct tx *t, int64_t tenant, struct role_list *out, struct arena *a, struct err *e);
MUST enum eim_err store_role_put(struct tx *t, const struct role_row *r, struct err *e);
MUST enum eim_err store_role_delete(struct tx *t, int64_t tenant, struct slice name, bool *changed, struct err *e);

/* ---- SM-DP+ accounts (model/smdp.h) ---- */
/* store_smdp_get, _find -- by id, or by address (exactly as it stands: lower case); out->id == 0 means there is none. */
MUST enum eim_err store_smdp_get(struct tx *t, int64_t tenant, int64_t id, struct smdp_account *out, struct arena *a, struct err *e);
MUST enum eim_err store_smdp_find(struct tx *t, int64_t tenant, struct slice address, struct smdp_account *out, struct arena *a, struct err *e);
struct smdp_list { struct smdp_account *v; size_t n; };
/* store_smdp_list -- by ascending id, id > after. */
MUST enum eim_err store_smdp_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct smdp_list *out, struct arena *a, struct err *e);
/* store_smdp_peers -- of all tenants, the accounts whose SM-DP+ may send notifications over ES2+ (es2_peer). */
MUST enum eim_err store_smdp_peers(struct tx *t, unsigned limit, struct smdp_list *out, struct arena *a, struct err *e);
/* store_smdp_put -- insert, or replace by id. E_CONFLICT: another of the tenant has the name or the address. */
MUST enum eim_err store_smdp_put(struct tx *t, const struct smdp_account *s, struct err *e);
MUST enum eim_err store_smdp_delete(struct tx *t, int64_t tenant, int64_t id, bool *changed, struct err *e);

/* ---- sessions of indirect downloads (model/relay.h) ---- */
/* store_relay_get, _find -- by device, or by the SM-DP+'s transaction id; out->association == 0 means there is none. */
MUST enum eim_err store_relay_get(struct tx *t, int64_t association, struct relay_session *out, struct arena *a, struct err *e);
MUST enum eim_err store_relay_find(struct tx *t, int64_t tenant, struct slice transaction, struct relay_session *out, struct arena *a, struct err *e);
/* store_relay_put -- the device's session from now on. E_CONFLICT: another device's has this transaction id. */
MUST enum eim_err store_relay_put(struct tx *t, const struct relay_session *s, struct err *e);
/* store_relay_step, _delete -- move it on to s->step, with what is known by then (never back), or end it, if it is still this one; else nothing. */
MUST enum eim_err store_relay_step(struct tx *t, const struct relay_session *s, struct err *e);
MUST enum eim_err store_relay_delete(struct tx *t, int64_t association, struct slice transaction, struct err *e);
/* store_relay_any_expired, store_relay_expire -- is there one, and away with all of them. */
MUST enum eim_err store_relay_any_expired(struct tx *t, int64_t now_us, bool *out, struct err *e);
MUST enum eim_err store_relay_expire(struct tx *t, int64_t now_us, struct err *e);

/* store_terms_put, _get -- what an order says of its download (model/relay.h); out->association == 0 means nothing. It is gone once the
 * order is at an end. */
MUST enum eim_err store_terms_put(struct tx *t, const struct download_terms *c, struct err *e);
MUST enum eim_err store_terms_get(struct tx *t, int64_t association, int64_t operation, struct download_terms *out, struct arena *a,
                                         struct err *e);

/* ---- pools of activation codes (model/pool.h) ---- */
/* store_pool_get -- out->id == 0 means there is none. store_pool_lock -- the same, and ours until the transaction ends. */
MUST enum eim_err store_pool_get(struct tx *t, int64_t tenant, int64_t id, struct code_pool *out, struct arena *a, struct err *e);
MUST enum eim_err store_pool_lock(struct tx *t, int64_t tenant, int64_t id, struct code_pool *out, struct arena *a, struct err *e);
struct pool_list { struct code_pool *v; size_t n; };
/* store_pool_list -- by ascending id, id > after. */
MUST enum eim_err store_pool_list(struct tx *t, int64_t tenant, int64_t after, unsigned limit, struct pool_list *out, struct arena *a, struct err *e);
/* store_pool_add -- a new one. E_CONFLICT: another of the tenant has its name. store_pool_delete -- with all its codes. */
MUST enum eim_err store_pool_add(struct tx *t, const struct code_pool *p, struct err *e);
MUST enum eim_err store_pool_low(struct tx *t, int64_t id, bool low, struct err *e);
MUST enum eim_err store_pool_delete(struct tx *t, int64_t tenant, int64_t id, struct err *e);
/* store_pool_count -- its codes by state. Scans an index. */
MUST enum eim_err store_pool_count(struct tx *t, int64_t pool, int64_t counts[CODE_STATE_END], struct err *e);
/* store_code_get -- out->id == 0 means there is none. store_code_of -- the one of a device's download. */
MUST enum eim_err store_code_get(struct tx *t, int64_t tenant, int64_t id, struct activation_code *out, struct arena *a, struct err *e);
MUST enum eim_err store_code_of(struct tx *t, int64_t association, int64_t operation, struct activation_code *out, struct arena *a, struct err *e);
struct code_list { struct activation_code *v; size_t n; };
MUST enum eim_err store_code_list(struct tx *t, int64_t pool, int64_t after, unsigned limit, struct code_list *out, struct arena *a, struct err *e);
/* store_code_waiting -- those reserved for a device, at most 100. */
MUST enum eim_err store_code_waiting(struct tx *t, int64_t association, struct code_list *out, struct arena *a, struct err *e);
/* store_code_add -- *added false: the tenant has this code already, in whatever pool and state. */
MUST enum eim_err store_code_add(struct tx *t, const struct activation_code *c, bool *added, struct err *e);
/* store_code_free -- the oldest free one of a pool, ours until the transaction ends; id 0: there is none. Write transactions only. */
MUST enum eim_err store_code_free(struct tx *t, int64_t pool, struct activation_code *out, struct arena *a, struct err *e);
/* store_code_update -- write it if its stored state is still `from`; else E_STALE. */
MUST enum eim_err store_code_update(struct tx *t, const struct activation_code *c, enum code_state from, struct err *e);

/* ---- profile orders (model/profile_order.h) ---- */
MUST enum eim_err store_porder_add(struct tx *t, const struct profile_order *o, struct err *e);
/* store_porder_get -- out->id == 0 means there is none. */
MUST enum eim_err store_porder_get(struct tx *t, int64_t tenant, int64_t id, struct profile_order *out, struct arena *a, struct err *e);
struct porder_list { struct profile_order *v; size_t n; };
/* store_porder_by_iccid -- the newest order that this account named the ICCID for; out->id == 0: none. */
MUST enum eim_err store_porder_by_iccid(struct tx *t, int64_t tenant, int64_t account, struct slice iccid, struct profile_order *out, struct arena *a,
                                        struct err *e);
/* store_porder_list -- newest first, id < before (0: all). store_porder_due -- of all tenants, one whose call is due; id 0: none. */
MUST enum eim_err store_porder_list(struct tx *t, int64_t tenant, int64_t before, unsigned limit, struct porder_list *out, struct arena *a, struct err *e);
MUST enum eim_err store_porder_due(struct tx *t, int64_t now_us, struct profile_order *out, struct arena *a, struct err *e);
/* store_porder_update -- if its version is still o->version, which becomes one more in the store; else E_STALE. */
MUST enum eim_err store_porder_update(struct tx *t, const struct profile_order *o, struct err *e);

#endif
