/* json.c -- JSON text in, with the limits that a parser of hostile text needs. */
#include "base/json.h"

#include "base/buf.h"

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

void json_put_text(struct buf *b, struct slice s)
{
    buf_str(b, "\"");
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        size_t n = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
        bool good = n != 0 && n <= s.n - i;
        for (size_t k = 1; good && k < n; k++) good = (s.p[i + k] & 0xC0) == 0x80;
        if (good && n > 2) {                           /* neither over-long, nor a surrogate, nor above U+10FFFF */
            uint8_t d = s.p[i + 1];
            good = !(c == 0xE0 && d < 0xA0) && !(c == 0xED && d > 0x9F) && !(c == 0xF0 && d < 0x90) && !(c == 0xF4 && d > 0x8F);
        }
        if (!good) { buf_str(b, "\xEF\xBF\xBD"); i++; continue; }
        if (c == '"' || c == '\\') buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7F) buf_printf(b, "\\u%04x", c);
        else buf_put(b, slice_of(s.p + i, n));
        i += n;
    }
    buf_str(b, "\"");
}
