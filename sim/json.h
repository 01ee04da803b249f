/* json.h -- the JSON binding of ESipa as an IPA writes and reads it (sgp32.md 4.3): from the message of the ASN.1 binding and back to
 * it. Apart from the eIM's own translation on purpose: each judges the other. */
#ifndef SIM_JSON_H
#define SIM_JSON_H

#include "base/arena.h"
#include "base/slice.h"

#define SIM_JSON_PATH "/gsma/rsp2/esipa/"

/* sim_json_request -- one message (a bare TLV) as *function, static text, and the JSON to post there. false: no message of an IPA, or no
 * memory. The result of a package stands bare in eimPackageResult; with `whole` the whole BF50 does. */
bool sim_json_request(struct slice message, bool whole, const char **function, struct slice *json, struct arena *a);

/* sim_json_reply -- what the eIM answered to `function` as the message of the ASN.1 binding; an empty body gives an empty message. false:
 * no answer of this function, or no memory. Strict: the header object must be there and say what the members say. */
bool sim_json_reply(const char *function, struct slice json, struct slice *message, struct arena *a);

/* sim_json_pushed -- the JSON of transferEimPackage, which an eIM posts to an IPA, as TransferEimPackage (BF4E). sim_json_push_answer -- the
 * IPA's answer (BF4E) as JSON. false: no such message, or no memory. */
bool sim_json_pushed(struct slice json, struct slice *message, struct arena *a);
bool sim_json_push_answer(struct slice message, struct slice *json, struct arena *a);

#endif
