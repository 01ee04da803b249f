/* listed.h -- invariant I12: which SM-DP+ may be contacted for a device. For the files of this room only. */
#ifndef EIM_LISTED_H
#define EIM_LISTED_H

#include "eim/eim_int.h"

/* An address that may be contacted. The text lives in the arena given. */
struct listed {
    bool found;
    const char *host;                              /* HOST[:PORT], lower case */
};

/* address_ok -- is it HOST or HOST:PORT, of letters, digits, dots and hyphens? Nothing else ever becomes part of a URL. */
bool address_ok(struct slice address);

/* listed_find -- is it an SM-DP+ of our own orders for this device? out->found says so. Reads on t. */
MUST enum eim_err listed_find(struct tx *t, int64_t association, struct slice address, struct listed *out, struct arena *a, struct err *e);

#endif
