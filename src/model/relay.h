/* relay.h -- a session of an indirect profile download: what the eIM remembers between the device's messages. Plain data. */
#ifndef MODEL_RELAY_H
#define MODEL_RELAY_H

#include "base/slice.h"

/* How far it has come; each was answered to the device. */
#define RELAY_STEPS(X)                        \
    X(RELAY_INITIATED,     "initiateAuthentication") \
    X(RELAY_AUTHENTICATED, "authenticateClient")     \
    X(RELAY_BOUND,         "getBoundProfilePackage")
enum relay_step {
#define X(name, text) name,
    RELAY_STEPS(X)
#undef X
    RELAY_STEP_END
};

struct relay_session {
    int64_t association, tenant;       /* a device has one: a new one takes its place */
    int64_t operation;                 /* the order that it serves */
    enum relay_step step;
    int64_t expires_us;
    struct slice transaction;          /* the SM-DP+'s id of it, 1 to 16 octets; unique in the tenant */
    struct slice address;              /* HOST[:PORT], lower case */
    struct slice event_server, event_id;           /* where the SM-DS of the order sends the device; empty: not asked yet, or there is none */
    /* what compact forms leave out (eim/compact.h); each may be empty */
    struct slice server_signed;        /* serverSigned1, exact */
    struct slice ctx;                  /* the ctxParams1 that we made */
    struct slice oid;                  /* content of the OBJECT IDENTIFIER in the SM-DP+'s certificate */
    struct slice otpk;                 /* bppEuiccOtpk: the key of an earlier package of this profile */
    struct slice hash_cc;              /* the one that we supplied */
    struct slice iccid;                /* of the profile, by its metadata */
};

/* What an order of a download says beside where to go. */
enum { RULES_ANY = -1 };
struct download_terms {
    int64_t association, tenant, operation;
    struct slice digest;               /* SHA-256 of the confirmation code, or empty */
    struct slice iccid;                /* the profile must be this one, or empty */
    int64_t rules;                     /* the profile policy rules that it may have, bits of PprIds; or RULES_ANY */
};

#endif
