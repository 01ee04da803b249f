/* listed.h -- invariant I12: which SM-DP+ may be contacted for a device. For the files of this room only. */
#ifndef EIM_LISTED_H
#define EIM_LISTED_H

#include "eim/eim_int.h"

/* An address that may be contacted, and how. Texts live in the arena given. */
struct listed {
    bool found;
    const char *host;                              /* HOST[:PORT], lower case */
    struct slice trust_pem;                        /* anchors of its certificate; empty: the CI roots */
    const char *requester;                         /* functionRequesterIdentifier; NULL: our eimId */
    const char *x_admin;                           /* X-Admin-Protocol */
    const char *credential;                        /* of ES9+', NULL: none */
    int64_t connect_us, total_us;                  /* 0: the usual */
};

/* address_ok -- is it HOST or HOST:PORT, of letters, digits, dots and hyphens? Nothing else ever becomes part of a URL. */
bool address_ok(struct slice address);

/* listed_find -- is it an SM-DP+ of our own orders for this device? out->found says so. Reads on t. */
MUST enum eim_err listed_find(struct tx *t, int64_t tenant, int64_t association, struct slice address, struct listed *out, struct arena *a,
                              struct err *e);

#endif
