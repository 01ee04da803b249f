/* inject_wire.h -- TransferEimPackage on the wire, in both bindings (SGP.32 6.3.2.5, 6.4.1.4). For the files of this room only. */
#ifndef EIM_INJECT_WIRE_H
#define EIM_INJECT_WIRE_H

#include "eim/eim_int.h"

enum { TRANSFER_MAX = 256 * 1024 };                /* octets of an answer, in either binding */

/* What is pushed: one of the four alternatives of the request. */
struct transfer { uint32_t which; struct slice tlv; };     /* transfer_eim_package_request_is_..., and its complete TLV */

/* What came back, understood. */
struct transferred {
    enum { TRANSFER_RESULT, TRANSFER_LATER, TRANSFER_ERROR } what;
    struct slice result;                           /* TRANSFER_RESULT: an EimPackageResult, as ProvideEimPackageResult carries it, octet by octet */
    int64_t error;                                 /* TRANSFER_ERROR */
};

/* transfer_send -- POST it to the device and understand the answer. E_IO, E_RULE and such: the connection (base/outbound.h); E_MALFORMED and
 * E_STATE: it answered what is no answer, e->why says what. Blocks. */
MUST enum eim_err transfer_send(struct eim *m, const struct injection *to, const struct transfer *t, struct transferred *out, struct arena *a,
                                struct err *e);

/* transfer_understand -- what an answer of this HTTP status and body means; errors as above. */
MUST enum eim_err transfer_understand(const struct injection *to, int status, struct slice body, struct transferred *out, struct arena *a,
                                      struct err *e);

#endif
