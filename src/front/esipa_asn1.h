/* esipa_asn1.h -- the device door: ESipa over HTTPS, ASN.1 binding (SGP.32 6.1.1; spec 4.1).
 *
 * POST /gsma/rsp2/asn1 with application/x-gsma-rsp-asn1. Bytes in, bytes out: what they mean is eim/esipa.h's. */
#ifndef FRONT_ESIPA_ASN1_H
#define FRONT_ESIPA_ASN1_H

#include "base/env.h"
#include "net/http.h"

struct eim;
struct work;

#define ESIPA_ADMIN_PROTOCOL "gsma/rsp/v2.1.0"        /* what SGP.32 v1.2 wants in every answer */
#define ESIPA_ALWAYS_HEADER  "X-Admin-Protocol: " ESIPA_ADMIN_PROTOCOL         /* for http_config.always_header */

struct esipa_door {
    struct eim *eim;
    struct work *work;                 /* the devices' own pool */
    struct env *env;
    int retry_after_s;                 /* Retry-After of a 503 */
    uint64_t requests;                 /* state: numbers the requests in the log; touched atomically only */
};

/* esipa_asn1_handle -- for http_config.handle, arg is the struct esipa_door, which outlives all requests: never blocks. Answers 404, 405, 413, 415 and 503
 * (full queue) on the spot; the rest goes to a worker and on to esipa_handle. */
void esipa_asn1_handle(void *arg, struct http_exchange *x);

#endif
