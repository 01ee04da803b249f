/* json.h -- JSON text in, as jansson trees; the only header that includes jansson.h. Not for hot paths.
 *
 * Duplicate members are refused, and size and depth are checked before the parser runs, so a hostile text
 * costs bounded time and memory. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

enum { JSON_DEPTH = 32 };

/* json_read -- parse one JSON value (object, array or scalar) that is all of `text`.
 * On OK *out is a new reference: json_decref it. E_MALFORMED names line and column; E_TOO_LARGE above max bytes. */
MUST enum eim_err json_read(struct slice text, size_t max, json_t **out, struct err *e);

/* json_slice -- the bytes of a JSON string (borrowed from it); the empty slice for anything else. */
static inline struct slice json_slice(const json_t *s)
{
    return json_is_string(s) ? (struct slice){ (const uint8_t *)json_string_value(s), json_string_length(s) } : (struct slice){ 0 };
}

struct buf;
/* json_put_text -- append a JSON string, quotes included. Control octets are escaped; octets that are no well-formed UTF-8 become U+FFFD, because
 * what a peer or a file sent may stand there and the text must stay JSON. */
void json_put_text(struct buf *b, struct slice s);

#endif
