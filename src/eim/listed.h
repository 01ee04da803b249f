/* listed.h -- invariant I12: which SM-DP+ may be contacted for a device. For the files of this room only. */
#ifndef EIM_LISTED_H
#define EIM_LISTED_H

#include "eim/eim_int.h"

/* An address that may be contacted. The text lives in the arena given. */
struct listed {
    bool found;
    const char *host;                              /* HOST[:PORT], lower case */
    struct smdp_account account;                   /* id 0: it only stands in an order */
};

/* address_ok -- is it HOST or HOST:PORT, of letters, digits, dots and hyphens? Nothing else ever becomes part of a URL. */
bool address_ok(struct slice address);

/* listed_find -- is it an enabled SM-DP+ account of the tenant, or an SM-DP+ of our own orders for this device? out->found says so. An
 * account that is not enabled forbids its address, whoever ordered what. Reads on t. */
MUST enum eim_err listed_find(struct tx *t, int64_t tenant, int64_t association, struct slice address, struct listed *out, struct arena *a, struct err *e);

/* listed_fill -- what a request to it takes from its account: headers (`lines` is where they lie), anchors, time limits. False: no room. */
enum { LISTED_HEADERS = 4 };
struct outbound_request;
bool listed_fill(const struct listed *l, struct outbound_request *q, const char *lines[LISTED_HEADERS], struct arena *a);
/* listed_requester -- who we are to it. */
struct slice listed_requester(const struct listed *l, const struct identity *id);

#endif
