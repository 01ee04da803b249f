/* smdp.h -- an SM-DP+ account: a server of an operator that a tenant deals with, and how. Plain data. */
#ifndef MODEL_SMDP_H
#define MODEL_SMDP_H

#include "base/slice.h"

enum { SMDP_PARALLEL = 16, SMDP_CONNECT_MS = 5000, SMDP_TOTAL_MS = 30000 };    /* when nothing is said */

struct smdp_account {
    int64_t id, tenant;
    int64_t changed_us;
    int64_t connect_ms, total_ms;      /* time limits of one call */
    int64_t max_parallel;              /* calls to it at once */
    bool enabled;                      /* else it is not connected to */
    struct slice name;                 /* one of the tenant's has it */
    struct slice operator_name;        /* whose profiles it has; may be empty, as all below but the address */
    struct slice address;              /* HOST[:PORT] in lower case, as in activation codes; one of the tenant's has it */
    struct slice oid;                  /* "2.999.10": stands in its certificates */
    struct slice trust_pem;            /* anchors for its TLS certificate; empty: the CI roots */
    struct slice es2_url;              /* https://... of its ES2+ */
    struct slice es2_credential;       /* the name of a client credential, never a secret */
    bool es2_release;                  /* confirmOrder does not release; releaseProfile does, in a call of its own */
    struct slice es2_peer;             /* PEM: the client certificates by which it may notify us (SGP.22 5.3.5); empty: it may not */
    struct slice function_requester;   /* functionRequesterIdentifier towards it; empty: our eimId */
    struct slice x_admin;              /* the version in X-Admin-Protocol, "2.1.0"; empty: that one */
};

#endif
