/* json.c -- the value form: printing it, and reading it back. Neither is on a hot path. */
#include "asn1/internal.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- out ---- */

static void print_hex(struct slice s, struct buf *out)
{
    char text[129];
    buf_str(out, "\"");
    for (size_t i = 0; i < s.n; i += 64) {
        slice_hex((struct slice){ s.p + i, s.n - i < 64 ? s.n - i : 64 }, false, text);
        buf_str(out, text);
    }
    buf_str(out, "\"");
}

static void print_text(struct slice s, struct buf *out)
{
    buf_str(out, "\"");
    for (size_t i = 0, from = 0; i <= s.n; i++) {
        bool plain = i < s.n && s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\';
        if (plain) continue;
        buf_put(out, (struct slice){ s.p + from, i - from });
        if (i < s.n) buf_printf(out, "\\u%04x", s.p[i]);
        from = i + 1;
    }
    buf_str(out, "\"");
}

static void print_value(const struct der_field *f, const void *v, struct buf *out)
{
    const struct der_bits *b = v;
    switch ((enum der_kind)f->kind) {
    case DER_OCTETS: case DER_ANY: case DER_CERT: case DER_SPKI:
        print_hex(*(const struct slice *)v, out);
        break;
    case DER_UTF8:
        print_text(*(const struct slice *)v, out);
        break;
    case DER_INT:
        buf_printf(out, "%lld", (long long)*(const int64_t *)v);
        break;
    case DER_BOOL:
        buf_str(out, *(const bool *)v ? "true" : "false");
        break;
    case DER_NULL:
        buf_str(out, "null");
        break;
    case DER_BITS:
        buf_str(out, "{\"bits\":");
        print_hex(b->bits, out);
        buf_printf(out, ",\"count\":%u}", (unsigned)b->count);
        break;
    case DER_OID:
        buf_str(out, "\"");
        der_oid_print(*(const struct slice *)v, out);
        buf_str(out, "\"");
        break;
    case DER_SEQ: case DER_CHOICE: case DER_LIST:
        der_json(f->type, v, out);
        break;
    }
}

static void print_list(const struct der_type *t, const void *in, struct buf *out)
{
    const uint8_t *v;
    memcpy(&v, in, sizeof v);
    size_t n = *(const size_t *)(const void *)((const uint8_t *)in + sizeof v), size = der_element_size(&t->fields[0]);
    buf_str(out, "[");
    for (size_t i = 0; i < n; i++) {
        if (i) buf_str(out, ",");
        print_value(&t->fields[0], v + i * size, out);
    }
    buf_str(out, "]");
}

/* shown -- whether component i of a SEQUENCE stands in the value form. */
static bool shown(const struct der_type *t, uint32_t i, const void *in)
{
    const struct der_field *f = &t->fields[i];
    const uint8_t *src = (const uint8_t *)in + f->off;
    if (f->opt && !(((const struct der_seq *)in)->has >> i & 1)) return false;
    return !f->has_def || !der_is_default(f, src);
}

void der_json(const struct der_type *t, const void *v, struct buf *out)
{
    if (t->kind == DER_LIST) {
        print_list(t, v, out);
        return;
    }
    uint32_t arm = t->kind == DER_CHOICE ? ((const struct der_choice *)v)->which : 0;
    if (arm == DER_VERBATIM_ARM || (t->kind == DER_SEQ && ((const struct der_seq *)v)->has & DER_VERBATIM)) {
        buf_str(out, "null");
        return;
    }
    const char *between = "{";
    for (uint32_t i = 0; i < t->nfields; i++) {
        if (t->kind == DER_CHOICE ? i + 1 != arm : !shown(t, i, v)) continue;
        buf_printf(out, "%s\"%s\":", between, t->fields[i].name);
        print_value(&t->fields[i], (const uint8_t *)v + t->fields[i].off, out);
        between = ",";
    }
    buf_str(out, between[0] == '{' ? "{}" : "}");
}

/* ---- in ---- */

struct reader {
    struct arena *arena;
    enum eim_err code;
    const char *clause;
    struct der_path path;
    char why[160];
};

__attribute__((format(printf, 4, 5)))
static bool refuse(struct reader *r, enum eim_err code, const char *clause, const char *fmt, ...)
{
    va_list ap;
    r->code = code;
    r->clause = clause;
    der_path_clear(&r->path);
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return false;
}

static bool no_room(struct reader *r)
{
    return refuse(r, E_NOMEM, NULL, "the value needs more memory than a request may have");
}

static bool at_name(struct reader *r, const char *name)
{
    der_path_name(&r->path, name);
    return false;
}

static bool in_bounds(struct reader *r, const char *clause, const struct der_field *f, int64_t n, const char *what)
{
    if (n >= f->lo && n <= f->hi) return true;
    return refuse(r, E_INVALID, clause, "%lld %s, allowed are %lld to %lld", (long long)n, what, (long long)f->lo,
                  (long long)f->hi);
}

static bool wants(struct reader *r, const char *clause, const char *what)
{
    return refuse(r, E_INVALID, clause, "must be %s", what);
}

static bool read_hex(struct reader *r, const char *clause, const json_t *v, struct slice *out)
{
    struct slice s = json_slice(v);
    if (!json_is_string(v) || s.n % 2) return wants(r, clause, "a string of hex octets");
    uint8_t *mem = arena_alloc(r->arena, s.n / 2);
    if (!mem) return no_room(r);
    if (slice_unhex(s, mem, s.n / 2) < 0) return wants(r, clause, "a string of hex octets");
    *out = (struct slice){ mem, s.n / 2 };
    return true;
}

/* read_octets -- OCTETS, and the kinds that are a complete TLV. */
static bool read_octets(struct reader *r, const char *clause, const struct der_field *f, const json_t *v,
                        struct slice *out)
{
    struct tlv x;
    if (!read_hex(r, clause, v, out)) return false;
    if (f->kind == DER_OCTETS) return in_bounds(r, clause, f, (int64_t)out->n, "octets");
    if (!der_sole(*out, &x)) return wants(r, clause, "exactly one TLV");
    if (f->kind == DER_ANY)
        return der_accepts(f, x.tag) ? in_bounds(r, clause, f, (int64_t)out->n, "octets")
                                     : wants(r, clause, "a TLV with the tag of this member");
    if (x.tag != SEQTAG || !der_x509_shape(f->kind, x.val))
        return wants(r, clause, f->kind == DER_CERT ? "the DER of a certificate" : "the DER of a SubjectPublicKeyInfo");
    return in_bounds(r, clause, f, (int64_t)x.val.n, "octets");
}

static bool read_text(struct reader *r, const char *clause, const struct der_field *f, const json_t *v, struct slice *out)
{
    int64_t n = json_is_string(v) ? der_utf8_length(json_slice(v)) : -1;
    if (n < 0) return wants(r, clause, "text without U+0000");
    *out = arena_copy(r->arena, json_slice(v));
    return out->p ? in_bounds(r, clause, f, n, "characters") : no_room(r);
}

static bool read_oid(struct reader *r, const char *clause, const struct der_field *f, const json_t *v, struct slice *out)
{
    uint8_t *mem = arena_alloc(r->arena, (size_t)f->hi);
    if (!mem) return no_room(r);
    *out = (struct slice){ mem, json_is_string(v) ? der_oid_parse(json_slice(v), mem, (size_t)f->hi) : 0 };
    return out->n || wants(r, clause, "an OBJECT IDENTIFIER such as 2.999.10");
}

static bool read_bits(struct reader *r, const char *clause, const struct der_field *f, const json_t *v,
                      struct der_bits *b)
{
    const json_t *bits = json_object_get(v, "bits"), *count = json_object_get(v, "count");
    if (!bits || !json_is_integer(count) || json_object_size(v) != 2)
        return wants(r, clause, "{\"bits\": hex octets, \"count\": number}");
    struct slice s;
    if (!read_hex(r, clause, bits, &s)) return false;
    json_int_t n = json_integer_value(count);
    if (n < 0 || n > (json_int_t)s.n * 8 || s.n != ((size_t)n + 7) / 8)
        return refuse(r, E_INVALID, clause, "%lld bits in %zu octets", (long long)n, s.n);
    *b = (struct der_bits){ s, (uint32_t)n };
    if (der_bits_trim(b, f->flags & DER_PLAIN_BITS)) return wants(r, clause, "bits with the unused ones zero");
    return in_bounds(r, clause, f, (int64_t)b->bits.n, "octets of bits");
}

static bool read_type(struct reader *r, const struct der_type *t, const struct der_field *f, const json_t *v,
                      void *out, int depth);

static bool read_value(struct reader *r, const char *clause, const struct der_field *f, const json_t *v, void *out,
                       int depth)
{
    switch ((enum der_kind)f->kind) {
    case DER_OCTETS: case DER_ANY: case DER_CERT: case DER_SPKI:
        return read_octets(r, clause, f, v, out);
    case DER_UTF8:
        return read_text(r, clause, f, v, out);
    case DER_INT:
        if (!json_is_integer(v)) return wants(r, clause, "a whole number");
        *(int64_t *)out = json_integer_value(v);
        return in_bounds(r, clause, f, json_integer_value(v), "is out of bounds");
    case DER_BOOL:
        *(bool *)out = json_is_true(v);
        return json_is_boolean(v) || wants(r, clause, "true or false");
    case DER_NULL:
        *(bool *)out = true;
        return json_is_null(v) || wants(r, clause, "null");
    case DER_BITS:
        return read_bits(r, clause, f, v, out);
    case DER_OID:
        return read_oid(r, clause, f, v, out);
    case DER_SEQ: case DER_CHOICE: case DER_LIST:
        return read_type(r, f->type, f, v, out, depth + 1);
    }
    return false;
}

static bool read_list(struct reader *r, const struct der_type *t, const struct der_field *f, const json_t *v,
                      void *out, int depth)
{
    size_t n = json_array_size(v), size = der_element_size(&t->fields[0]);
    if (!json_is_array(v)) return wants(r, t->clause, "a list");
    if (!in_bounds(r, t->clause, f, (int64_t)n, "elements")) return false;
    uint8_t *mem = n ? arena_array(r->arena, size, n) : NULL;
    if (n && !mem) return no_room(r);
    for (size_t i = 0; i < n; i++)
        if (!read_value(r, t->clause, &t->fields[0], json_array_get(v, i), mem + i * size, depth)) {
            der_path_index(&r->path, i);
            return false;
        }
    memcpy(out, &mem, sizeof mem);
    *(size_t *)(void *)((uint8_t *)out + sizeof mem) = n;
    return true;
}

static bool read_members(struct reader *r, const struct der_type *t, const json_t *v, void *out, int depth)
{
    size_t taken = 0;
    for (uint32_t i = 0; i < t->nfields; i++) {
        const struct der_field *f = &t->fields[i];
        uint8_t *dst = (uint8_t *)out + f->off;
        const json_t *member = json_object_get(v, f->name);
        if (member) {
            if (!read_value(r, t->clause, f, member, dst, depth)) return at_name(r, f->name);
            taken++;
            if (t->kind == DER_CHOICE) ((struct der_choice *)out)->which = i + 1;
            else ((struct der_seq *)out)->has |= UINT64_C(1) << i;
        } else if (t->kind == DER_SEQ && !f->opt) {
            refuse(r, E_INVALID, t->clause, "%s is missing", f->name);
            return at_name(r, f->name);
        } else if (f->has_def) {
            if (f->kind == DER_INT) *(int64_t *)(void *)dst = f->def;
            else *(bool *)dst = f->def;
        }
    }
    if (taken == json_object_size(v)) return true;
    const char *name = "";
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)v, name, value) {
        uint32_t i = 0;
        while (i < t->nfields && strcmp(t->fields[i].name, name)) i++;
        if (i == t->nfields) break;
    }
    return refuse(r, E_INVALID, t->clause, "%.64s is no member of %s", name, t->name);
}

static bool read_type(struct reader *r, const struct der_type *t, const struct der_field *f, const json_t *v,
                      void *out, int depth)
{
    if (depth > 2 * DER_DEPTH) return refuse(r, E_INVALID, t->clause, "nested deeper than %d", 2 * DER_DEPTH);
    if (t->kind == DER_LIST) return read_list(r, t, f, v, out, depth);
    if (!json_is_object(v)) return wants(r, t->clause, "an object");
    if (t->kind == DER_CHOICE && json_object_size(v) != 1)
        return refuse(r, E_INVALID, t->clause, "%s wants exactly one alternative", t->name);
    return read_members(r, t, v, out, depth);
}

enum eim_err der_from_json(const struct der_type *t, const json_t *v, void *out, struct arena *a, struct err *e)
{
    static const struct der_field any = { .hi = DER_ROOT_ELEMENTS };
    struct reader r = { .arena = a };
    memset(out, 0, t->size);
    if (read_type(&r, t, &any, v, out, 1)) return OK;
    const char *path = der_path_text(&r.path);
    return fail_field(e, r.code, r.clause, path[0] ? path : t->name, "%s", r.why);
}
