/* esipa_asn1.h -- the device door: ESipa over HTTPS, ASN.1 binding (SGP.32 6.1.1; spec 4.1).
 *
 * POST /gsma/rsp2/asn1 with application/x-gsma-rsp-asn1. Bytes in, bytes out: what they mean is eim/esipa.h's. */
#ifndef FRONT_ESIPA_ASN1_H
#define FRONT_ESIPA_ASN1_H

#include "front/esipa_door.h"

/* esipa_asn1_handle -- for http_config.handle, arg is the struct esipa_door, which outlives all requests: never blocks. Answers 404, 405, 413, 415 and 503
 * (full queue) on the spot; the rest goes to a worker and on to esipa_handle. */
void esipa_asn1_handle(void *arg, struct http_exchange *x);

#endif
