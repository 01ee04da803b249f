/* audit.c -- the one form of an audit line: a JSON object whose members always stand in the same order.
 *
 * The line is what later becomes a leaf of the Merkle tree, byte for byte, so it is written by hand: no library may
 * reorder or reformat it. Members that do not apply are left out. */
#include "trust/audit.h"

#include "base/buf.h"

enum { LINE_MAX_OCTETS = 8192 };

/* put_text -- a JSON string. Control octets are escaped; octets that are not well-formed UTF-8 become U+FFFD, because what
 * a peer or a file sent may stand here and the line must stay JSON. */
static void put_text(struct buf *b, struct slice s)
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

struct slice audit_format(const struct audit_entry *en, int64_t id, int64_t at_us, struct arena *a)
{
    char at[32], eid[33], hex[129];
    struct buf b;
    buf_init(&b, LINE_MAX_OCTETS);
    env_rfc3339(at_us, at);
    buf_printf(&b, "{\"id\":\"aud_%016llx\",\"at\":\"%s\",\"tenant\":%lld,\"principal\":", (unsigned long long)id, at, (long long)en->tenant);
    put_text(&b, en->principal);
    buf_str(&b, ",\"action\":");
    put_text(&b, slice_str(en->action));
    if (en->eid) {
        eid_print(en->eid, eid);
        buf_printf(&b, ",\"eid\":\"%s\"", eid);
    }
    if (en->operation) buf_printf(&b, ",\"operation\":\"op_%016llx\"", (unsigned long long)en->operation);
    if (en->counter) buf_printf(&b, ",\"counter\":%lld", (long long)en->counter);
    if (en->state) {
        buf_str(&b, ",\"state\":");
        put_text(&b, slice_str(en->state));
    }
    if (en->digest.n && en->digest.n <= 64) {
        slice_hex(en->digest, false, hex);
        buf_printf(&b, ",\"sha256\":\"%s\"", hex);
    }
    if (en->detail.n) {
        buf_str(&b, ",\"detail\":");
        put_text(&b, en->detail);
    }
    buf_str(&b, "}");
    struct slice line = b.failed ? (struct slice){ 0 } : arena_copy(a, buf_slice(&b));
    buf_free(&b);
    return line;
}

enum eim_err audit_add(struct tx *t, struct env *env, const struct audit_entry *en, struct err *e)
{
    struct arena a;
    arena_init(&a, LINE_MAX_OCTETS + 16);
    int64_t id = env_id(env), now = env->now(env);
    struct slice line = audit_format(en, id, now, &a);
    enum eim_err rc = line.n ? store_audit_append(t, en->tenant, id, now, line, e) : fail(e, E_NOMEM, NULL, "the audit entry is too large");
    arena_free(&a);
    return rc;
}
