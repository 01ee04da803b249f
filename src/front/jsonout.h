/* jsonout.h -- what the API's JSON is made of: members in the forms that doc/api.md promises.
 *
 * Every function sets the member `key` of object o; a value that is not known becomes null. */
#ifndef FRONT_JSONOUT_H
#define FRONT_JSONOUT_H

#include "base/arena.h"
#include "base/json.h"
#include "base/slice.h"

/* jsonout_text -- a string; octets that are not UTF-8 become U+FFFD, because names come from cards and peers. */
void jsonout_text(json_t *o, const char *key, struct slice text);
/* jsonout_text_or_null -- the same, and null for the empty slice. */
void jsonout_text_or_null(json_t *o, const char *key, struct slice text);
/* jsonout_time -- RFC 3339; 0 = null. */
void jsonout_time(json_t *o, const char *key, int64_t us);
/* jsonout_int_unless -- a number, and null when it is `none`. */
void jsonout_int_unless(json_t *o, const char *key, int64_t v, int64_t none);
/* jsonout_operation -- "op_" and 16 digits; 0 = null. */
void jsonout_operation(json_t *o, const char *key, int64_t id);
/* jsonout_base64, jsonout_hex -- up to some 500 kB of octets; the empty slice = null. Hex is in upper case, as SGP.32 JSON has it. */
void jsonout_base64(json_t *o, const char *key, struct slice bytes);
void jsonout_hex(json_t *o, const char *key, struct slice bytes);
/* jsonout_iccid -- as people write it; the empty slice = null. */
void jsonout_iccid(json_t *o, const char *key, struct slice iccid);

/* jsonout_dump -- the whole as compact text in the arena; the empty slice when o is NULL or there is no room. */
struct slice jsonout_dump(const json_t *o, struct arena *a);

#endif
