/* eim.c -- opening the manager, its identities and settings, and the small judgements every file of the room shares. */
#include "eim/eim_int.h"

#include "base/env.h"
#include "crypto/cert.h"
#include "eim/forward.h"
#include "eim/interop.h"
#include "eim/quirks.h"
#include "eim/slots.h"

#include <string.h>

const struct eim_settings eim_settings_default = {
    .calls_max = 64,
    .enrol_unknown = false,
    .enrol_per_hour = 1000,
    .outcome_timeout_us = INT64_C(7) * 24 * 3600 * 1000000,
    .deliveries_max = 3,
    .contact_interval_us = INT64_C(24) * 3600 * 1000000,
    .auto_interval_us = INT64_C(600) * 1000000,
    .contact_flush_us = INT64_C(60) * 1000000,
    .notify_retry_us = INT64_C(30) * 1000000,
    .notify_retry_max_us = INT64_C(4) * 3600 * 1000000,
    .notify_give_up_us = INT64_C(7) * 24 * 3600 * 1000000,
    .notify_per_address = 2,
};

enum { MEMORY = 4 << 20 };

/* The store's rows, copied into memory that lives as long as the manager. */
static enum eim_err read_identities(struct eim *m, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    struct identity_list list;
    enum eim_err rc = store_identity_list(t, &list, &m->memory, e);
    store_read_end(t);
    if (rc != OK) return rc;
    if (!list.n) return fail(e, E_CONF, NULL, "the store has no eIM identity: run eimd init");
    m->identities = list.v;
    m->nidentities = list.n;
    return OK;
}

enum eim_err eim_open(struct eim **out, struct host *host, const struct eim_settings *set, struct cert_trust *trust,
                      struct err *e)
{
    struct arena memory;
    *out = NULL;
    arena_init(&memory, MEMORY);
    struct eim *m = ARENA_NEW(&memory, struct eim);
    if (!m) return fail(e, E_NOMEM, NULL, "no memory for the manager");
    m->memory = memory;
    m->host = host;
    m->set = *set;
    enum eim_err rc = read_identities(m, e);
    if (rc == OK && !(m->forward = ARENA_NEW(&m->memory, struct forward))) rc = fail(e, E_NOMEM, NULL, "no memory for the outbox");
    if (rc == OK && !(m->calls = ARENA_NEW(&m->memory, struct slots))) rc = fail(e, E_NOMEM, NULL, "no memory for downloads");
    if (rc == OK) rc = interop_open(&m->interop, e);
    if (rc == OK) rc = quirks_open(&m->quirks, e);
    if (rc == OK) rc = quirks_refresh(m, true, e);
    if (rc == OK) rc = contacts_open(&m->contacts, e);
    if (rc == OK) rc = quiet_open(&m->quiet, e);
    if (rc != OK) {
        interop_close(m->interop);
        quirks_close(m->quirks);
        memory = m->memory;
        arena_free(&memory);
        return rc;
    }
    pthread_rwlock_init(&m->lock, NULL);
    pthread_mutex_init(&m->enrol_lock, NULL);
    forward_open(m->forward);
    slots_open(m->calls);
    m->trust = trust;
    m->flushed_us = eim_now(m);
    *out = m;
    return OK;
}

void eim_reload(struct eim *m, const struct eim_settings *set, struct cert_trust *trust)
{
    pthread_rwlock_wrlock(&m->lock);
    struct cert_trust *old = trust ? m->trust : NULL;
    if (trust) m->trust = trust;
    if (set) m->set = *set;
    pthread_rwlock_unlock(&m->lock);
    cert_trust_free(old);                          /* readers hold the lock while they use it */
}

void eim_close(struct eim *m)
{
    if (!m) return;
    contacts_close(m->contacts);
    quiet_close(m->quiet);
    interop_close(m->interop);
    quirks_close(m->quirks);
    cert_trust_free(m->trust);
    pthread_rwlock_destroy(&m->lock);
    pthread_mutex_destroy(&m->enrol_lock);
    forward_close(m->forward);
    slots_close(m->calls);
    struct arena memory = m->memory;               /* it holds *m too */
    arena_free(&memory);
}

const struct eim_counters *eim_counters(const struct eim *m)
{
    return &m->counters;
}

struct eim_settings eim_settings_now(struct eim *m)
{
    pthread_rwlock_rdlock(&m->lock);
    struct eim_settings set = m->set;
    pthread_rwlock_unlock(&m->lock);
    return set;
}

const struct identity *eim_identity(const struct eim *m, const char *host)
{
    struct slice want = slice_str(host);
    for (size_t i = 0; host && i < m->nidentities; i++) {
        struct slice name = m->identities[i].fqdn;
        const uint8_t *port = memchr(name.p, ':', name.n);
        if (port) name.n = (size_t)(port - name.p);
        if (name.n == want.n && !strncasecmp((const char *)name.p, (const char *)want.p, want.n)) return &m->identities[i];
    }
    return &m->identities[0];
}

const struct identity *eim_identity_of(const struct eim *m, int64_t tenant)
{
    for (size_t i = 0; i < m->nidentities; i++)
        if (m->identities[i].tenant == tenant) return &m->identities[i];
    return NULL;
}

void eim_txid(struct eim *m, int64_t association, uint8_t *out)
{
    m->host->env->random(m->host->env, out, 8);
    for (int i = 0; i < 8; i++) out[8 + i] = (uint8_t)((uint64_t)association >> (56 - 8 * i));
}

int64_t eim_txid_association(struct slice txid)
{
    uint64_t a = 0;
    if (txid.n != TXID_SIZE) return 0;
    for (int i = 8; i < TXID_SIZE; i++) a = a << 8 | txid.p[i];
    return a <= INT64_MAX ? (int64_t)a : 0;
}

bool eim_may_act(struct device *d, const struct eim_settings *set, int64_t now)
{
    if (d->auto_us && now - d->auto_us < set->auto_interval_us) return false;
    d->auto_us = now;
    return true;
}
