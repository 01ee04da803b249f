/* json.c -- JSON text in, with the limits that a parser of hostile text needs. */
#include "base/json.h"

#include <stdbool.h>

static bool too_deep(struct slice t)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = t.p[i];
        if (in_string) {
            if (c == '\\') i++;
            else if (c == '"') in_string = false;
        } else if (c == '"') in_string = true;
        else if ((c == '{' || c == '[') && ++depth > JSON_DEPTH) return true;
        else if ((c == '}' || c == ']') && depth) depth--;
    }
    return false;
}

/* told -- how much of the parser's sentence may be told. It ends in the piece of the text where it stopped, and that may be an
 * activation code: only the name of a repeated member is shown. */
static int told(const char *why)
{
    const char *piece = strstr(why, " near '");
    return (int)(piece && strncmp(why, "duplicate", 9) != 0 ? (size_t)(piece - why) : strlen(why));
}

enum eim_err json_read(struct slice text, size_t max, json_t **out, struct err *e)
{
    *out = NULL;
    if (text.n > max) return fail(e, E_TOO_LARGE, "RFC 8259", "JSON text of %zu bytes, at most %zu", text.n, max);
    if (too_deep(text)) return fail(e, E_MALFORMED, "RFC 8259 9", "JSON nested deeper than %d", JSON_DEPTH);
    json_error_t why;
    *out = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!*out) {
        if (e && !e->code) {
            e->at = (size_t)why.position;
            e->has_at = 1;
        }
        return fail(e, E_MALFORMED, "RFC 8259", "line %d, column %d: %.*s", why.line, why.column, told(why.text), why.text);
    }
    return OK;
}
