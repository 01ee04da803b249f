/* decode.c -- the one decoder: walks a type's table and the received TLVs side by side.
 *
 * Real peers deviate from the ASN.1 in a few known ways (spec 6); each is a flag in the tables and one function here:
 *   - DER_DOUBLE: the tag comes twice, or the type's own tag inside the automatic one: `unwrap`;
 *   - DER_BARE: the tag of the CHOICE alternative is left out, so the wrapper holds the alternative's content: `bare`.
 *     `BF52{A0{...}}` can then be read in two ways. The standard one wins unless the children of the A0 say that it
 *     is the list of notifications: `reads_as_bare`;
 *   - certificates whole or IMPLICIT under their tag: `certificate`;
 *   - one octet per bit: `octets_as_bits`.
 * Several alternatives of a bare CHOICE may begin alike, so they are tried in turn. That costs at most three times
 * the work at each of at most three such places inside each other, and memory within the arena's ceiling.
 *
 * A fault is noted once, where it is found; the path to it is put together while the recursion returns. */
#include "asn1/internal.h"

#include <stdarg.h>
#include <stdio.h>

struct decoder {
    struct arena *arena;
    const uint8_t *start;
    enum eim_err code;                 /* OK until a fault is found */
    const char *clause;
    size_t at;
    struct der_path path;
    char why[160];
};

__attribute__((format(printf, 5, 6)))
static bool refuse(struct decoder *d, enum eim_err code, const uint8_t *at, const char *clause, const char *fmt, ...)
{
    va_list ap;
    d->code = code;
    d->at = at ? (size_t)(at - d->start) : 0;
    d->clause = clause;
    der_path_clear(&d->path);
    va_start(ap, fmt);
    vsnprintf(d->why, sizeof d->why, fmt, ap);
    va_end(ap);
    return false;
}

static bool no_room(struct decoder *d, struct tlv x)
{
    return refuse(d, E_NOMEM, x.raw.p, NULL, "the message needs more memory than a request may have");
}

static bool at_name(struct decoder *d, const char *name)
{
    der_path_name(&d->path, name);
    return false;
}

static bool next(struct decoder *d, struct slice *s, struct tlv *o)
{
    enum tlv_fault fault = der_next(s, o);
    return !fault || refuse(d, E_MALFORMED, s->p, der_tlv_words[fault].clause, "%s", der_tlv_words[fault].why);
}

/* print_tag -- the tag's octets, for a message to people. */
static const char *print_tag(struct tlv x, char out[16])
{
    size_t n = 1;
    if ((x.raw.p[0] & 0x1f) == 0x1f)
        while (x.raw.p[n++] & 0x80) continue;
    slice_hex((struct slice){ x.raw.p, n < 7 ? n : 7 }, true, out);
    return out;
}

/* ---- contents ---- */

static bool in_bounds(struct decoder *d, const char *clause, const struct der_field *f, struct tlv x, int64_t n,
                      const char *what)
{
    if (n >= f->lo && n <= f->hi) return true;
    const char *bound = n < f->lo ? "least" : "most";
    long long limit = n < f->lo ? f->lo : f->hi;
    return refuse(d, E_MALFORMED, x.raw.p, clause, "%lld %s, at %s %lld", (long long)n, what, bound, limit);
}

static bool integer(struct decoder *d, const char *clause, const struct der_field *f, struct tlv x, int64_t *out)
{
    if (x.val.n == 0) return refuse(d, E_MALFORMED, x.raw.p, "X.690 8.3.1", "INTEGER without content");
    if (x.val.n > 8) return refuse(d, E_MALFORMED, x.raw.p, clause, "INTEGER of %zu octets, at most 8", x.val.n);
    uint64_t v = x.val.p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < x.val.n; i++) v = v << 8 | x.val.p[i];
    *out = (int64_t)v;
    if (*out >= f->lo && *out <= f->hi) return true;
    return refuse(d, E_MALFORMED, x.raw.p, clause, "INTEGER %lld, allowed are %lld to %lld", (long long)*out,
                  (long long)f->lo, (long long)f->hi);
}

/* octets_as_bits -- one octet per bit, told from a named BIT STRING by octets that are all 00 or 01: bits 6 and 7 of
 * each octet are undefined in the types that carry this flag (spec 6.20). */
static bool octets_as_bits(struct decoder *d, struct der_bits *b)
{
    if (b->count == 0 || b->count % 8) return true;
    for (size_t i = 0; i < b->bits.n; i++)
        if (b->bits.p[i] > 1) return true;
    uint8_t *mem = arena_alloc(d->arena, (b->bits.n + 7) / 8);
    if (!mem) return false;
    for (size_t i = 0; i < b->bits.n; i++) mem[i / 8] |= (uint8_t)(b->bits.p[i] << (7 - i % 8));
    *b = (struct der_bits){ { mem, b->bits.n }, (uint32_t)b->bits.n };
    der_bits_trim(b, false);
    return octets_as_bits(d, b);                   /* again, so that what is written reads the same; it shrinks */
}

static bool bit_string(struct decoder *d, const char *clause, const struct der_field *f, struct tlv x, struct der_bits *b)
{
    uint8_t unused = x.val.n ? x.val.p[0] : 8;
    if (unused > 7 || (unused && x.val.n == 1))
        return refuse(d, E_MALFORMED, x.raw.p, "X.690 8.6.2", "BIT STRING without or with a wrong number of unused bits");
    b->bits = (struct slice){ x.val.p + 1, x.val.n - 1 };
    if (!in_bounds(d, clause, f, x, (int64_t)b->bits.n, "octets of bits")) return false;
    b->count = (uint32_t)(b->bits.n * 8 - unused);
    if (der_bits_trim(b, f->flags & DER_PLAIN_BITS)) {
        uint8_t *mem = arena_alloc(d->arena, b->bits.n);
        if (!mem) return no_room(d, x);
        memcpy(mem, b->bits.p, b->bits.n);
        mem[b->bits.n - 1] &= (uint8_t)(0xff00 >> b->count % 8);
        b->bits.p = mem;
    }
    return !(f->flags & DER_OCTET_PER_BIT) || octets_as_bits(d, b) || no_room(d, x);
}

/* certificate -- the complete DER of a certificate or public key, whichever form came under the tag (spec 2.0 rule 4). */
static bool certificate(struct decoder *d, const char *clause, const struct der_field *f, struct tlv x, struct slice *out)
{
    struct tlv whole;
    if (!in_bounds(d, clause, f, x, (int64_t)x.val.n, "octets")) return false;
    if (der_sole(x.val, &whole) && whole.tag == SEQTAG && der_x509_shape(f->kind, whole.val)) {
        *out = x.val;
        return true;
    }
    if (!der_x509_shape(f->kind, x.val))
        return refuse(d, E_MALFORMED, x.raw.p, clause,
                      f->kind == DER_CERT ? "no certificate" : "no SubjectPublicKeyInfo");
    if (x.tag == SEQTAG) {
        *out = x.raw;
        return true;
    }
    uint8_t head[6] = { 0x30 };
    size_t n = 1;
    if (x.val.n >= 0x80) {
        size_t octets = x.val.n > 0xffff ? 3 : x.val.n > 0xff ? 2 : 1;       /* SGP22_CERT is far below 2^24 */
        head[n++] = (uint8_t)(0x80 | octets);
        while (octets--) head[n++] = (uint8_t)(x.val.n >> 8 * octets);
    } else head[n++] = (uint8_t)x.val.n;
    uint8_t *mem = arena_alloc(d->arena, n + x.val.n);
    if (!mem) return no_room(d, x);
    memcpy(mem, head, n);
    memcpy(mem + n, x.val.p, x.val.n);
    *out = (struct slice){ mem, n + x.val.n };
    return true;
}

static bool text(struct decoder *d, const char *clause, const struct der_field *f, struct tlv x, struct slice *out)
{
    int64_t n = der_utf8_length(x.val);
    if (n < 0) return refuse(d, E_MALFORMED, x.raw.p, "RFC 3629 3", "text that is not UTF-8, or holds U+0000");
    *out = x.val;
    return in_bounds(d, clause, f, x, n, "characters");
}

/* ---- structure; x is the TLV whose content is wanted, `depth` how many stand around its content ---- */

static bool sequence(struct decoder *d, const struct der_type *t, struct tlv x, void *out, int depth);
static bool alternative(struct decoder *d, const struct der_type *t, uint32_t arm, struct tlv x, void *out, int depth);
static bool wrapped(struct decoder *d, const struct der_type *t, struct tlv x, void *out, int depth);
static bool list(struct decoder *d, const struct der_type *t, const struct der_field *f, struct tlv x, void *out,
                 int depth);

static bool deep(struct decoder *d, struct tlv x, int depth)
{
    return depth > DER_DEPTH && !refuse(d, E_MALFORMED, x.raw.p, "X.690 8.1", "nested deeper than %d", DER_DEPTH);
}

/* find_arm -- 1 + the alternative that begins with this tag, or 0. */
static uint32_t find_arm(const struct der_type *t, uint32_t tag)
{
    for (uint32_t i = 0; i < t->nfields; i++)
        if (der_accepts(&t->fields[i], tag)) return i + 1;
    return 0;
}

static bool unknown_arm(struct decoder *d, const struct der_type *t, struct tlv x)
{
    char tag[16];
    return refuse(d, E_MALFORMED, x.raw.p, t->clause, "no alternative of %s has tag %s", t->name, print_tag(x, tag));
}

/* untagged -- a CHOICE without a tag of its own: x is its alternative. */
static bool untagged(struct decoder *d, const struct der_type *t, struct tlv x, void *out, int depth)
{
    struct der_choice *c = out;
    uint32_t arm = find_arm(t, x.tag);
    c->raw = x.raw;
    return arm ? alternative(d, t, arm, x, out, depth) : unknown_arm(d, t, x);
}

static bool content(struct decoder *d, const char *clause, const struct der_field *f, struct tlv x, void *dst, int depth)
{
    switch ((enum der_kind)f->kind) {
    case DER_OCTETS:
        *(struct slice *)dst = x.val;
        return in_bounds(d, clause, f, x, (int64_t)x.val.n, "octets");
    case DER_UTF8:
        return text(d, clause, f, x, dst);
    case DER_INT:
        return integer(d, clause, f, x, dst);
    case DER_BOOL:
        if (x.val.n != 1) return refuse(d, E_MALFORMED, x.raw.p, "X.690 8.2.1", "BOOLEAN of %zu octets", x.val.n);
        *(bool *)dst = x.val.p[0] != 0;
        return true;
    case DER_NULL:
        if (x.val.n) return refuse(d, E_MALFORMED, x.raw.p, "X.690 8.8.2", "NULL with content");
        *(bool *)dst = true;
        return true;
    case DER_BITS:
        return bit_string(d, clause, f, x, dst);
    case DER_OID:
        *(struct slice *)dst = x.val;
        if (!der_oid_valid(x.val)) return refuse(d, E_MALFORMED, x.raw.p, "X.690 8.19.2", "no OBJECT IDENTIFIER");
        return in_bounds(d, clause, f, x, (int64_t)x.val.n, "octets");
    case DER_ANY:
        *(struct slice *)dst = x.raw;
        return in_bounds(d, clause, f, x, (int64_t)x.raw.n, "octets");
    case DER_CERT: case DER_SPKI:
        return certificate(d, clause, f, x, dst);
    case DER_SEQ:
        return sequence(d, f->type, x, dst, depth + 1);
    case DER_CHOICE:
        return f->tag == UNTAGGED ? untagged(d, f->type, x, dst, depth) : wrapped(d, f->type, x, dst, depth + 1);
    case DER_LIST:
        return list(d, f->type, f, x, dst, depth + 1);
    }
    return false;
}

static bool component(struct decoder *d, const struct der_type *t, const struct der_field *f, struct tlv x, void *out,
                      int depth)
{
    return content(d, t->clause, f, x, (uint8_t *)out + f->off, depth) || at_name(d, f->name);
}

static bool alternative(struct decoder *d, const struct der_type *t, uint32_t arm, struct tlv x, void *out, int depth)
{
    ((struct der_choice *)out)->which = arm;
    return component(d, t, &t->fields[arm - 1], x, out, depth);
}

/* unwrap -- the content of x, or of the same tag (or the type's own) found once more as its only child. */
static bool unwrap(const struct der_type *t, struct tlv *x)
{
    struct tlv y;
    if (!(t->flags & DER_DOUBLE) || !der_sole(x->val, &y) || (y.tag != x->tag && y.tag != t->tag)) return false;
    x->val = y.val;
    return true;
}

/* skip_to -- leave out the components before j, which must be optional. */
static bool skip_to(struct decoder *d, const struct der_type *t, uint32_t i, uint32_t j, struct tlv x, void *out)
{
    for (; i < j; i++) {
        const struct der_field *f = &t->fields[i];
        if (!f->opt) {
            refuse(d, E_MALFORMED, x.raw.p, t->clause, "%s is missing", f->name);
            return at_name(d, f->name);
        }
        if (!f->has_def) continue;
        if (f->kind == DER_INT) *(int64_t *)(void *)((uint8_t *)out + f->off) = f->def;
        else *(bool *)((uint8_t *)out + f->off) = f->def;
    }
    return true;
}

static bool sequence(struct decoder *d, const struct der_type *t, struct tlv x, void *out, int depth)
{
    struct der_seq *q = out;
    q->raw = x.raw;
    if (deep(d, x, depth)) return false;
    if (unwrap(t, &x) && deep(d, x, depth + 1)) return false;
    struct slice s = x.val;
    uint32_t i = 0;
    while (s.n) {
        struct tlv y;
        if (!next(d, &s, &y)) return false;
        uint32_t j = i;
        while (j < t->nfields && !der_accepts(&t->fields[j], y.tag)) j++;
        if (j == t->nfields) {
            uint32_t known = find_arm(t, y.tag);
            if (!known) continue;                  /* EXTENSIBILITY IMPLIED: it stays in raw */
            refuse(d, E_MALFORMED, y.raw.p, t->clause, "%s comes twice or out of order", t->fields[known - 1].name);
            return at_name(d, t->fields[known - 1].name);
        }
        if (!skip_to(d, t, i, j, x, out) || !component(d, t, &t->fields[j], y, out, depth)) return false;
        q->has |= UINT64_C(1) << j;
        i = j + 1;
    }
    return skip_to(d, t, i, t->nfields, x, out);
}

/* reads_as_bare -- arm holds a SEQUENCE whose first component is a list under the arm's own tag, and the children of y
 * are elements of that list, and none of them a component of the SEQUENCE alone (spec 2.6). */
static bool reads_as_bare(const struct der_type *t, uint32_t arm, struct tlv y)
{
    const struct der_type *inner = t->fields[arm - 1].type;
    if (t->fields[arm - 1].kind != DER_SEQ || !inner->nfields) return false;
    const struct der_field *f = &inner->fields[0];
    if (f->kind != DER_LIST || f->tag != y.tag) return false;
    struct slice s = y.val;
    struct tlv z;
    bool element_only = false;
    while (s.n) {
        if (der_next(&s, &z) != TLV_OK) return false;
        bool element = der_accepts(&f->type->fields[0], z.tag), part = find_arm(inner, z.tag) != 0;
        if (part && !element) return false;
        element_only |= element && !part;
    }
    return element_only;
}

/* may_be_bare -- whether alternative f can have content that begins with this tag, or none at all. */
static bool may_be_bare(const struct der_field *f, bool empty, uint32_t tag)
{
    switch ((enum der_kind)f->kind) {
    case DER_CERT: case DER_SPKI:
        return !empty && tag == SEQTAG;
    case DER_LIST:
        return empty ? f->lo == 0 : der_accepts(&f->type->fields[0], tag);
    case DER_SEQ:
        if (!empty) return find_arm(f->type, tag) != 0;
        for (uint32_t i = 0; i < f->type->nfields; i++)
            if (!f->type->fields[i].opt) return false;
        return true;
    default:
        return false;
    }
}

/* bare -- x holds the content of an alternative whose tag was left out; the first fault counts if none fits. */
static bool bare(struct decoder *d, const struct der_type *t, struct tlv x, uint32_t tag, void *out, int depth)
{
    struct decoder first = { .code = OK };
    for (uint32_t i = 0; i < t->nfields; i++) {
        if (!may_be_bare(&t->fields[i], x.val.n == 0, tag)) continue;
        struct tlv y = { t->fields[i].tag, x.raw, x.val };
        if (alternative(d, t, i + 1, y, out, depth)) return true;
        if (d->code == E_NOMEM) return false;
        if (first.code == OK) first = *d;
        memset(out, 0, t->size);
        ((struct der_choice *)out)->raw = x.raw;
    }
    if (first.code == OK) return unknown_arm(d, t, x.val.n ? (struct tlv){ tag, x.val, x.val } : x);
    *d = first;
    return false;
}

/* wrapped -- a CHOICE under a tag: x holds its alternative. */
static bool wrapped(struct decoder *d, const struct der_type *t, struct tlv x, void *out, int depth)
{
    struct der_choice *c = out;
    struct slice s = x.val;
    struct tlv y = { 0 };
    c->raw = x.raw;
    if (deep(d, x, depth)) return false;
    if (s.n && !next(d, &s, &y)) return false;
    bool sole = x.val.n && s.n == 0;
    uint32_t arm = sole ? find_arm(t, y.tag) : 0;
    if (arm && !(t->flags & DER_BARE && reads_as_bare(t, arm, y))) return alternative(d, t, arm, y, out, depth);
    struct tlv inner = x;                          /* its raw stays the outer one */
    if (unwrap(t, &inner)) return wrapped(d, t, inner, out, depth + 1);
    if (t->flags & DER_BARE) return bare(d, t, x, y.tag, out, depth);
    if (sole) return unknown_arm(d, t, y);
    return refuse(d, E_MALFORMED, x.raw.p, t->clause, "%s holds %s alternative", t->name,
                  x.val.n ? "more than one" : "no");
}

static bool list(struct decoder *d, const struct der_type *t, const struct der_field *f, struct tlv x, void *out,
                 int depth)
{
    const struct der_field *e = &t->fields[0];
    struct slice s = x.val;
    struct tlv y;
    int64_t n = 0;
    if (deep(d, x, depth)) return false;
    for (; s.n; n++)
        if (!next(d, &s, &y)) {
            der_path_index(&d->path, (size_t)n);
            return false;
        }
    if (!in_bounds(d, t->clause, f, x, n, "elements")) return false;
    size_t size = der_element_size(e);
    uint8_t *v = n ? arena_array(d->arena, size, (size_t)n) : NULL;
    if (n && !v) return no_room(d, x);
    s = x.val;
    for (size_t i = 0; i < (size_t)n; i++) {
        char tag[16];
        der_next(&s, &y);
        if (der_accepts(e, y.tag) ? content(d, t->clause, e, y, v + i * size, depth)
                                  : refuse(d, E_MALFORMED, y.raw.p, t->clause, "an element of %s has no tag %s", t->name,
                                           print_tag(y, tag)))
            continue;
        der_path_index(&d->path, i);
        return false;
    }
    memcpy(out, &v, sizeof v);                     /* struct S { ELEMENT *v; size_t n; } */
    *(size_t *)(void *)((uint8_t *)out + sizeof v) = (size_t)n;
    return true;
}

static bool message(struct decoder *d, const struct der_type *t, struct slice in, void *out)
{
    static const struct der_field any = { .hi = DER_ROOT_ELEMENTS };
    struct tlv x;
    struct slice s = in;
    char tag[16];
    if (!next(d, &s, &x)) return false;
    if (t->tag == UNTAGGED ? !find_arm(t, x.tag) : x.tag != t->tag)
        return refuse(d, E_UNKNOWN_TYPE, x.raw.p, t->clause, "tag %s is no %s", print_tag(x, tag), t->name);
    if (s.n) return refuse(d, E_MALFORMED, s.p, "X.690 8.1.1", "%zu octets behind the message", s.n);
    switch ((enum der_kind)t->kind) {
    case DER_SEQ: return sequence(d, t, x, out, 1);
    case DER_LIST: return list(d, t, &any, x, out, 1);
    default: return t->tag == UNTAGGED ? untagged(d, t, x, out, 0) : wrapped(d, t, x, out, 1);
    }
}

enum eim_err der_decode(const struct der_type *t, struct slice in, void *out, struct arena *a, struct err *e)
{
    struct decoder d;                              /* not cleared: most of it is room for the words of a refusal */
    d.arena = a;
    d.start = in.p;
    d.code = OK;
    memset(out, 0, t->size);
    if (message(&d, t, in, out)) return OK;
    if (e && !e->code) {
        e->at = d.at;
        e->has_at = d.code != E_NOMEM;
    }
    const char *path = der_path_text(&d.path);
    return fail_field(e, d.code, d.clause, path[0] ? path : t->name, "%s", d.why);
}
