/* esipa.h -- ESipa, the eIM's side: one message from an IPA in, one answer out (SGP.32 5.14, 6.3).
 *
 * Doors (HTTPS ASN.1, later JSON, CoAP, injection) fill an exchange and call esipa_handle on a worker thread.
 * The bytes may be anything; they are untrusted. */
#ifndef EIM_ESIPA_H
#define EIM_ESIPA_H

#include "base/arena.h"
#include "base/err.h"
#include "eim/eim.h"

struct exchange {
    /* from the door */
    struct arena *arena;               /* of the request; everything below may point into it */
    struct slice body;                 /* one EsipaMessageFromIpaToEim */
    const char *host;                  /* TLS SNI, else the Host header without port, else NULL: selects the eIM identity */
    const char *agent;                 /* the IPA's User-Agent, NULL: none, or the binding has none; not trusted */
    const char *peer;                  /* source address, for logs and clone detection; not trusted */
    void (*done)(struct exchange *x);  /* called exactly once, on any thread, after everything durable is durable (I3) */
    void (*again)(struct exchange *x); /* put it back before the workers; they call esipa_handle again. Called on any thread */
    void (*slow)(struct exchange *x);  /* put it before the slow threads, which call esipa_handle again; NULL: the caller's thread may wait */
    void *door;                        /* the door's own */
    bool injected;                     /* asked and answered by the eIM itself on the device's behalf, to push and to take in (inject.c) */

    /* the answer, valid when done is called */
    enum eim_err rc;                   /* OK: `reply` answers in a 200, or a 204 if it is empty. Else refuse with err_status(rc) */
    struct err err;                    /* why; also filled with rc OK when an answer refuses something (for the log line) */
    struct slice reply;
    bool raw_signatures;               /* JSON: this IPA takes signatures of an SM-DP+ without their tag (quirks.h) */

    /* what the one log line says */
    const char *message;               /* "getEimPackage", ... or NULL */
    const char *answer;                /* "euiccPackageRequest", ... or NULL */
    struct eid eid;
    bool has_eid;
    int64_t operation, counter;        /* 0 = none */

    struct esipa_work *work;           /* the eIM's own */
    unsigned tries;
};

/* esipa_handle -- understand, decide, and answer through x->done: before it returns, or later from a store thread.
 * Malformed messages: rc E_MALFORMED / E_UNKNOWN_TYPE and nothing changed. A store that is gone or full: E_STORE / E_BUSY
 * and nothing acknowledged. Everything SGP.32 has an error code for: rc OK with that error in the reply. */
void esipa_handle(struct eim *m, struct exchange *x);

#endif
