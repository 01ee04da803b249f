/* encode.c -- the one encoder. It writes from the end to the start, so that every length is known when its header is due:
 * into a room on the stack, which nearly every message fits; what does not fit is only counted, and written by a
 * second run into an allocation of exactly that size. */
#include "asn1/internal.h"

enum { SCRATCH = 1024 };

struct encoder {
    uint8_t *end;
    size_t room, used;                 /* octets before `end`; octets written, or counted once they are more than room */
    bool certs_whole;
};

static inline void put(struct encoder *w, const void *p, size_t n)
{
    w->used += n;
    if (n && w->used <= w->room) memcpy(w->end - w->used, p, n);
}

/* head -- tag and length of what was written since `used` was `from`. */
static void head(struct encoder *w, uint32_t tag, size_t from)
{
    uint8_t h[12], *q = h + sizeof h;
    size_t len = w->used - from;
    uint32_t num = tag & 0x1fffffff;
    if (len < 0x80) *--q = (uint8_t)len;
    else {
        uint8_t count = 0;
        for (size_t l = len; l; l >>= 8, count++) *--q = (uint8_t)l;
        *--q = 0x80 | count;
    }
    if (num < 0x1f) *--q = (uint8_t)(tag >> 24 | num);
    else {
        *--q = num & 0x7f;
        while (num >>= 7) *--q = 0x80 | (num & 0x7f);
        *--q = (uint8_t)(tag >> 24 | 0x1f);
    }
    put(w, q, (size_t)(h + sizeof h - q));
}

static bool value(struct encoder *w, const struct der_field *f, const void *src, int depth);

static bool within(const struct der_field *f, size_t n)
{
    return (int64_t)n >= f->lo && (int64_t)n <= f->hi;
}

static void integer(struct encoder *w, int64_t v)
{
    uint8_t b[8], *q = b + sizeof b;
    do {
        *--q = (uint8_t)v;
        v >>= 8;
    } while (!(v == 0 && !(*q & 0x80)) && !(v == -1 && *q & 0x80));
    put(w, q, (size_t)(b + sizeof b - q));
}

static bool bit_string(struct encoder *w, const struct der_field *f, const struct der_bits *in)
{
    struct der_bits b = *in;
    if (b.bits.n != (b.count + 7) / 8) return false;
    bool mask = der_bits_trim(&b, f->flags & DER_PLAIN_BITS);
    if (!within(f, b.bits.n)) return false;
    uint8_t unused = (uint8_t)(b.bits.n * 8 - b.count);
    if (mask) {
        uint8_t last = b.bits.p[b.bits.n - 1] & (uint8_t)(0xff << unused);
        put(w, &last, 1);
        b.bits.n--;
    }
    put(w, b.bits.p, b.bits.n);
    put(w, &unused, 1);
    return true;
}

/* certificate -- IMPLICIT under a tag: the outer SEQUENCE gives way to it. */
static bool certificate(struct encoder *w, const struct der_field *f, struct slice s)
{
    struct tlv x;
    if (!der_sole(s, &x) || x.tag != SEQTAG || !der_x509_shape(f->kind, x.val) || !within(f, x.val.n)) return false;
    size_t from = w->used;
    if (f->tag == SEQTAG || w->certs_whole) put(w, s.p, s.n);
    else put(w, x.val.p, x.val.n);
    if (f->tag != SEQTAG) head(w, f->tag, from);
    return true;
}

/* verbatim -- bytes that stand for a value; they must carry the tag that belongs here (invariant I1). */
static bool verbatim(struct encoder *w, uint32_t tag, const struct der_type *t, struct slice s)
{
    struct tlv x;
    const struct der_field here = { .tag = tag, .type = t };
    if (!der_sole(s, &x) || !der_accepts(&here, x.tag)) return false;
    put(w, s.p, s.n);
    return true;
}

static bool any(struct encoder *w, const struct der_field *f, struct slice s)
{
    struct tlv x;
    if (!der_sole(s, &x) || !der_accepts(f, x.tag) || !within(f, s.n)) return false;
    put(w, s.p, s.n);
    return true;
}

static bool sequence(struct encoder *w, const struct der_type *t, const void *in, int depth)
{
    uint64_t has = ((const struct der_seq *)in)->has;
    for (uint32_t i = t->nfields; i--;) {
        const struct der_field *f = &t->fields[i];
        const uint8_t *src = (const uint8_t *)in + f->off;
        if (f->opt && !(has >> i & 1)) continue;
        if (f->has_def && der_is_default(f, src)) continue;
        if (!value(w, f, src, depth)) return false;
    }
    return true;
}

static bool choice(struct encoder *w, const struct der_type *t, const void *in, int depth)
{
    uint32_t arm = ((const struct der_choice *)in)->which;
    return arm && arm <= t->nfields && value(w, &t->fields[arm - 1], (const uint8_t *)in + t->fields[arm - 1].off, depth);
}

static bool list(struct encoder *w, const struct der_type *t, const void *in, int depth)
{
    const uint8_t *v;
    memcpy(&v, in, sizeof v);
    size_t n = *(const size_t *)(const void *)((const uint8_t *)in + sizeof v), size = der_element_size(&t->fields[0]);
    while (n--)
        if (!value(w, &t->fields[0], v + n * size, depth)) return false;
    return true;
}

static size_t list_count(const void *in)
{
    return *(const size_t *)(const void *)((const uint8_t *)in + sizeof(void *));
}

/* structure -- the content of a value of type t, or, verbatim, all of it: *whole. */
static bool structure(struct encoder *w, uint32_t tag, const struct der_type *t, const void *in, int depth, bool *whole)
{
    const struct der_seq *q = in;
    const struct der_choice *c = in;
    if (depth > DER_DEPTH) return false;
    *whole = t->kind == DER_SEQ ? q->has & DER_VERBATIM : t->kind == DER_CHOICE && c->which == DER_VERBATIM_ARM;
    if (*whole) return verbatim(w, tag, t, t->kind == DER_SEQ ? q->raw : c->raw);
    if (t->kind == DER_SEQ) return sequence(w, t, in, depth);
    return t->kind == DER_CHOICE ? choice(w, t, in, depth) : list(w, t, in, depth);
}

static bool value(struct encoder *w, const struct der_field *f, const void *src, int depth)
{
    const struct slice *s = src;
    size_t from = w->used;
    bool whole = false;
    switch ((enum der_kind)f->kind) {
    case DER_UTF8: {
        int64_t n = der_utf8_length(*s);
        if (n < f->lo || n > f->hi) return false;
        put(w, s->p, s->n);
        break;
    }
    case DER_OID:
        if (!der_oid_valid(*s)) return false;
        /* fall through */
    case DER_OCTETS:
        if (!within(f, s->n)) return false;
        put(w, s->p, s->n);
        break;
    case DER_INT: {
        int64_t v = *(const int64_t *)src;
        if (v < f->lo || v > f->hi) return false;
        integer(w, v);
        break;
    }
    case DER_BOOL:
        put(w, *(const bool *)src ? "\xff" : "\0", 1);
        break;
    case DER_NULL:
        break;
    case DER_BITS:
        if (!bit_string(w, f, src)) return false;
        break;
    case DER_ANY:
        return any(w, f, *s);
    case DER_CERT: case DER_SPKI:
        return certificate(w, f, *s);
    case DER_LIST:
        if (!within(f, list_count(src))) return false;
        /* fall through */
    case DER_SEQ: case DER_CHOICE:
        if (!structure(w, f->tag, f->type, src, depth + (f->tag != UNTAGGED), &whole)) return false;
        break;
    }
    if (!whole && f->tag != UNTAGGED) head(w, f->tag, from);
    return true;
}

static bool message(struct encoder *w, const struct der_type *t, const void *in)
{
    bool whole;
    if (t->kind == DER_LIST && list_count(in) > DER_ROOT_ELEMENTS) return false;
    if (!structure(w, t->tag, t, in, t->tag != UNTAGGED, &whole)) return false;
    if (!whole && t->tag != UNTAGGED) head(w, t->tag, 0);
    return true;
}

static struct slice encode(const struct der_type *t, const void *in, struct arena *a, bool certs_whole)
{
    uint8_t scratch[SCRATCH];
    struct encoder w = { scratch + SCRATCH, SCRATCH, 0, certs_whole };
    if (!message(&w, t, in)) return (struct slice){ 0 };
    size_t n = w.used;
    if (n <= SCRATCH) return arena_copy(a, (struct slice){ w.end - n, n });
    uint8_t *mem = arena_alloc(a, n);
    if (!mem) return (struct slice){ 0 };
    w = (struct encoder){ mem + n, n, 0, certs_whole };
    message(&w, t, in);
    return (struct slice){ mem, n };
}

struct slice der_encode(const struct der_type *t, const void *in, struct arena *a)
{
    return encode(t, in, a, false);
}

struct slice der_encode_certs_whole(const struct der_type *t, const void *in, struct arena *a)
{
    return encode(t, in, a, true);
}

struct slice der_replace(const struct der_type *t, struct slice raw, uint32_t i, struct slice content, struct arena *a)
{
    enum { HEADERS = 32 };
    struct slice old = der_component(t, raw, i);
    struct tlv whole, part;
    if (!old.p || !der_sole(raw, &whole) || !der_sole(old, &part)) return (struct slice){ 0 };
    size_t room = whole.val.n + content.n + HEADERS, before = (size_t)(old.p - whole.val.p);
    uint8_t *p = arena_alloc(a, room);
    if (!p) return (struct slice){ 0 };
    struct encoder w = { .end = p + room, .room = room };
    put(&w, old.p + old.n, whole.val.n - before - old.n);
    size_t from = w.used;
    put(&w, content.p, content.n);
    head(&w, part.tag, from);
    put(&w, whole.val.p, before);
    head(&w, whole.tag, 0);
    return slice_of(w.end - w.used, w.used);
}
