/* eim_int.h -- the manager's inside, for the files of this room only. */
#ifndef EIM_EIM_INT_H
#define EIM_EIM_INT_H

#include "asn1/sgp32.h"
#include "eim/eim.h"
#include "eim/esipa.h"
#include "store/store.h"
#include "trust/audit.h"

#include <pthread.h>

enum {
    COUNTER_MAX = 0x7fffff,            /* every eUICC takes at least this (spec 3.3) */
    COUNTER_JUMP = 1000,               /* replayError recovery: how far the counter leaps at first */
    DATA_DELIVERIES = 2,               /* an IpaEuiccDataRequest unanswered so often no longer blocks packages */
    PUSHES_COUNTED = 2,                /* pushes of one package that count as deliveries: they have a budget of their own, and may not use up the polls' */
    DELIVERIES_AT_ONCE = 3,            /* then redeliveries are DELIVERY_PAUSE_US apart */
    DELIVERY_PAUSE_US = 60 * 1000000,
    NOTE_PAUSE_US = 10 * 1000000,      /* what a poll alone causes to be written of one device is written no more often */
    HINTS_A_SECOND = 200,              /* of all devices: anybody can send what becomes a hint, and each is a durable write */
    TXID_SIZE = 16,
};

struct contacts;
struct quiet;
struct forward;
struct slots;
struct interop;
struct quirks;

struct eim {
    /* configuration */
    struct host *host;
    pthread_rwlock_t lock;             /* guards set and trust, which reload may change */
    struct eim_settings set;
    struct cert_trust *trust;
    struct arena memory;               /* of the identities */
    struct identity *identities;
    size_t nidentities;

    /* state */
    struct contacts *contacts;
    struct quiet *quiet;
    struct forward *forward;
    struct slots *calls;
    struct interop *interop;
    struct quirks *quirks;
    pthread_mutex_t enrol_lock;        /* guards the two below */
    int64_t enrol_window_us;
    unsigned enrol_used;
    int64_t sweep_after;               /* the sweep's place; only the sweep's thread touches it */
    int64_t flushed_us;
    int64_t hint_second, hints_used;   /* touched atomically only, as the next */
    int64_t observe_second, observed;
    struct eim_counters counters;
};

#define COUNT(m, name) ((void)__atomic_add_fetch(&(m)->counters.name, 1, __ATOMIC_RELAXED))

static inline int64_t eim_now(struct eim *m) { return m->host->env->now(m->host->env); }
struct eim_settings eim_settings_now(struct eim *m);

/* eim_identity -- the identity a host name selects (its FQDN without port), else the first one. */
const struct identity *eim_identity(const struct eim *m, const char *host);
/* eim_identity_of -- the identity of a tenant; NULL when it has none. */
const struct identity *eim_identity_of(const struct eim *m, int64_t tenant);

/* eim_txid -- a fresh eimTransactionId: 8 random octets, then the association, so that a result without eidValue finds
 * its device without an index (spec 5.4). `out` holds TXID_SIZE octets. */
void eim_txid(struct eim *m, int64_t association, uint8_t *out);
/* eim_txid_association -- the association in one of our transaction ids, 0 when it can't be one of ours. */
int64_t eim_txid_association(struct slice txid);

/* eim_may_act -- I11: may something unsigned cause a package for this device now? If so it is noted as used. */
bool eim_may_act(struct device *d, const struct eim_settings *set, int64_t now);

/* quiet.c: devices that have nothing pending, in memory. A mark is what store_device_mark gave BEFORE the row was read; 0 is never noted. */
MUST enum eim_err quiet_open(struct quiet **out, struct err *e);
void quiet_close(struct quiet *q);
void quiet_note(struct quiet *q, int64_t association, uint64_t mark);
bool quiet_is(struct quiet *q, int64_t association, uint64_t mark);

/* contacts.c: last contact, kept in memory and written in batches */
MUST enum eim_err contacts_open(struct contacts **out, struct err *e);
void contacts_close(struct contacts *c);
/* contacts_note -- remember it. Dropped when the table is full, which only a stalled store can cause (I7). */
void contacts_note(struct contacts *c, int64_t association, int64_t now_us);
/* contacts_flush -- write all that is noted, in batches; what could not be written is noted again. Blocks. */
MUST enum eim_err contacts_flush(struct contacts *c, struct store *s, struct err *e);
/* contacts_crowded -- is the table so full that it should be written before its time? */
bool contacts_crowded(struct contacts *c);
/* contacts_seen -- the noted time of one device, 0 when there is none that is not yet written. */
int64_t contacts_seen(struct contacts *c, int64_t association);

#endif
