/* esipa_json.h -- ESipa over HTTPS, JSON binding (SGP.32 6.1.2, 6.4.1; spec 4.3).
 *
 * POST /gsma/rsp2/esipa/FUNCTION with application/json. Each request becomes the message that the ASN.1 binding would have brought,
 * each answer of the eIM is written in JSON, so the eIM sees no difference. What is or will be signed is never re-encoded: the TLVs in
 * base64 go into the message, and out of the answer, octet by octet (I1). doc/esipa.md says what is sent and taken. */
#ifndef FRONT_ESIPA_JSON_H
#define FRONT_ESIPA_JSON_H

#include "front/esipa_door.h"

enum {
    ESIPA_JSON_MAX = 256 * 1024,       /* octets of a request */
    ESIPA_JSON_VALUES = 1024,          /* most values, names counted as well, in a request, those that nobody knows included */
};

/* esipa_json_serves -- whether the path belongs to this binding, so that an unknown function is its 404. */
bool esipa_json_serves(const char *path);

/* esipa_json_handle -- as esipa_asn1_handle, for paths that it serves. */
void esipa_json_handle(void *arg, struct http_exchange *x);

/* ---- the translation, without HTTP ---- */
struct esipa_json_function;            /* one of the eight, a row of the table */

/* esipa_json_function -- by its name, "getEimPackage"; NULL when there is none. */
const struct esipa_json_function *esipa_json_function(const char *name);

/* esipa_json_read -- the request as an EsipaMessageFromIpaToEim in `a`.
 * E_MALFORMED with the member in e->field (a missing one, a wrong type, no base64, no such TLV, no JSON, a name twice), E_TOO_LARGE,
 * E_NOMEM; E_UNKNOWN_TYPE for transferEimPackage, which an eIM sends and never takes. Members that are not known are ignored. */
MUST enum eim_err esipa_json_read(const struct esipa_json_function *f, struct slice text, struct slice *message, struct arena *a, struct err *e);

/* esipa_json_write -- the JSON of an EsipaMessageFromEimToIpa that answers this function, in `a`; an empty reply gives empty text.
 * raw_signatures: serverSignature1 and smdpSignature2 without their tag (eim/quirks.h). E_INTERNAL when it is no answer of this function; E_NOMEM. */
MUST enum eim_err esipa_json_write(const struct esipa_json_function *f, struct slice reply, bool raw_signatures, struct slice *text,
                                    struct arena *a, struct err *e);

#endif
