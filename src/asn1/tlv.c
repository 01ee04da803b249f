/* tlv.c -- tags and lengths, and the checks on contents that decoder, encoder and JSON share. */
#include "asn1/internal.h"

#include <stdio.h>

const struct tlv_words der_tlv_words[] = {
    [TLV_NO_BYTES]    = { "X.690 8.1.1", "no bytes" },
    [TLV_TAG_CUT]     = { "X.690 8.1.2", "the tag runs past the end" },
    [TLV_TAG_NUMBER]  = { "X.690 8.1.2.4", "tag number above 28 bits, or not in its shortest form" },
    [TLV_NO_LENGTH]   = { "X.690 8.1.3", "no length" },
    [TLV_INDEFINITE]  = { "X.690 10.1", "indefinite length" },
    [TLV_RESERVED]    = { "X.690 8.1.3.5", "reserved length octet FF" },
    [TLV_LENGTH_WIDE] = { "X.690 8.1.3", "length of more than four significant octets" },
    [TLV_LENGTH_CUT]  = { "X.690 8.1.3", "the length octets run past the end" },
    [TLV_PAST_END]    = { "X.690 8.1.3", "the length runs past the end" },
};

enum tlv_fault der_next_tag(struct slice *s, uint32_t *tag)
{
    const uint8_t *p = s->p, *end = s->p + s->n;
    if (!s->n) return TLV_NO_BYTES;
    uint8_t first = *p++;
    uint32_t num = first & 0x1f;
    if (num == 0x1f) {
        num = 0;
        do {
            if (p == end) return TLV_TAG_CUT;
            if (num >> (DER_TAG_BITS - 7) || (num == 0 && *p == 0x80)) return TLV_TAG_NUMBER;
            num = num << 7 | (*p & 0x7f);
        } while (*p++ & 0x80);
        if (num < 0x1f) return TLV_TAG_NUMBER;
    }
    *tag = (uint32_t)(first & 0xe0) << 24 | num;
    *s = (struct slice){ p, (size_t)(end - p) };
    return TLV_OK;
}

/* long_length -- the length octets behind the first one, which said how many there are. */
static enum tlv_fault long_length(uint8_t first, const uint8_t **at, const uint8_t *end, size_t *len)
{
    size_t count = first & 0x7f;
    if (count == 0) return TLV_INDEFINITE;
    if (count == 0x7f) return TLV_RESERVED;
    const uint8_t *p = *at;
    if ((size_t)(end - p) < count) return TLV_LENGTH_CUT;
    for (; count && *p == 0; p++) count--;         /* BER: leading zeros mean nothing */
    if (count > DER_LENGTH_OCTETS) return TLV_LENGTH_WIDE;
    for (*len = 0; count; count--) *len = *len << 8 | *p++;
    *at = p;
    return TLV_OK;
}

enum tlv_fault der_next_long(struct slice *s, struct tlv *o)
{
    struct slice rest = *s;
    uint32_t tag;
    enum tlv_fault fault = der_next_tag(&rest, &tag);
    if (fault) return fault;
    if (!rest.n) return TLV_NO_LENGTH;
    const uint8_t *p = rest.p, *end = rest.p + rest.n;
    size_t len = *p++;
    if (len & 0x80 && (fault = long_length((uint8_t)len, &p, end, &len)) != TLV_OK) return fault;
    if ((size_t)(end - p) < len) return TLV_PAST_END;
    o->tag = tag;
    o->val = (struct slice){ p, len };
    o->raw = (struct slice){ s->p, (size_t)(p - s->p) + len };
    *s = (struct slice){ p + len, (size_t)(end - p) - len };
    return TLV_OK;
}

bool der_sole(struct slice s, struct tlv *o)
{
    return der_next(&s, o) == TLV_OK && s.n == 0;
}

bool der_accepts_else(const struct der_field *f, uint32_t tag)
{
    if (f->tag == UNTAGGED) {
        for (uint32_t i = 0; i < f->type->nfields; i++)
            if (der_accepts(&f->type->fields[i], tag)) return true;
        return false;
    }
    return f->tag == DER_ANY_TAG || (f->alt && (f->alt == tag || f->alt2 == tag));
}

size_t der_element_size(const struct der_field *f)
{
    switch ((enum der_kind)f->kind) {
    case DER_INT: return sizeof(int64_t);
    case DER_BOOL: case DER_NULL: return sizeof(bool);
    case DER_BITS: return sizeof(struct der_bits);
    case DER_SEQ: case DER_CHOICE: case DER_LIST: return f->type->size;
    case DER_OCTETS: case DER_UTF8: case DER_OID: case DER_ANY: case DER_CERT: case DER_SPKI: break;
    }
    return sizeof(struct slice);
}

int64_t der_utf8_length(struct slice s)
{
    int64_t count = 0;
    for (size_t i = 0; i < s.n; count++) {
        uint8_t c = s.p[i++];
        if (c == 0) return -1;                     /* legal text,
    but no text of ours: it would end a C string or a column */
        if (c < 0x80) continue;
        size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || s.n - i < more) return -1;
        uint32_t code = c & (0x3fu >> more);
        for (size_t k = 0; k < more; k++, i++) {
            if ((s.p[i] & 0xc0) != 0x80) return -1;
            code = code << 6 | (s.p[i] & 0x3f);
        }
        uint32_t least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return -1;
    }
    return count;
}

bool der_x509_shape(enum der_kind kind, struct slice s)
{
    struct tlv x;
    for (int i = kind == DER_CERT ? 2 : 1; i; i--)
        if (der_next(&s, &x) != TLV_OK || x.tag != SEQTAG) return false;
    return der_sole(s, &x) && x.tag == UNI(3);
}

bool der_oid_valid(struct slice s)
{
    if (s.n == 0 || s.p[s.n - 1] & 0x80) return false;
    size_t arc = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (arc == 0 && s.p[i] == 0x80) return false;
        if (++arc > OID_ARC_OCTETS) return false;
        if (!(s.p[i] & 0x80)) arc = 0;
    }
    return true;
}

/* print_arc -- a number of n base-128 digits, the highest first, in decimal. */
static void print_arc(const uint8_t *digit, size_t n, struct buf *out)
{
    uint8_t dec[48] = { 0 };                       /* decimal digits, lowest first: 133 bits need 41 */
    size_t used = 1;
    for (size_t i = 0; i < n; i++) {
        unsigned carry = digit[i];
        for (size_t k = 0; k < used || carry; k++) {
            if (k == used) used++;
            carry += dec[k] * 128u;
            dec[k] = (uint8_t)(carry % 10);
            carry /= 10;
        }
    }
    char text[sizeof dec + 1] = { 0 };
    for (size_t k = 0; k < used; k++) text[k] = (char)('0' + dec[used - 1 - k]);
    buf_str(out, text);
}

void der_oid_print(struct slice s, struct buf *out)
{
    bool first = true;
    for (size_t i = 0; i < s.n;) {
        uint8_t digit[OID_ARC_OCTETS];
        size_t n = 0;
        while (s.p[i] & 0x80) digit[n++] = s.p[i++] & 0x7f;
        digit[n++] = s.p[i++];
        if (first) {                               /* X.690 8.19.4: the first two arcs share one number, 40 X + Y */
            unsigned x = n > 1 || digit[0] >= 80 ? 2 : digit[0] / 40;
            buf_printf(out, "%u", x);
            unsigned take = 40 * x;
            for (size_t k = n; take && k--;) {
                if (digit[k] >= take) { digit[k] = (uint8_t)(digit[k] - take); take = 0; }
                else { digit[k] = (uint8_t)(digit[k] + 128 - take); take = 1; }
            }
            first = false;
        }
        buf_str(out, ".");
        print_arc(digit, n, out);
    }
}

/* parse_arc -- decimal digits at the start of *t to base-128 digits, the lowest first. 0 when there is no such arc. */
static size_t parse_arc(struct slice *t, uint8_t digit[OID_ARC_OCTETS])
{
    size_t used = 0, i = 0;
    for (; i < t->n && t->p[i] >= '0' && t->p[i] <= '9'; i++) {
        if (i == 1 && t->p[0] == '0') return 0;    /* no leading zeros */
        unsigned carry = (unsigned)(t->p[i] - '0');
        for (size_t k = 0; k < used || carry; k++) {
            if (k == OID_ARC_OCTETS) return 0;
            if (k == used) digit[used++] = 0;
            carry += digit[k] * 10u;
            digit[k] = carry & 0x7f;
            carry >>= 7;
        }
    }
    if (i == 0) return 0;
    if (used == 0) digit[used++] = 0;
    *t = (struct slice){ t->p + i, t->n - i };
    return used;
}

size_t der_oid_parse(struct slice t, uint8_t *out, size_t cap)
{
    uint8_t digit[OID_ARC_OCTETS + 1];
    size_t at = 0, n = parse_arc(&t, digit);
    if (n != 1 || digit[0] > 2) return 0;
    unsigned add = 40u * digit[0];
    for (bool first = true; first || t.n; first = false) {
        if (!t.n || t.p[0] != '.') return 0;
        t = (struct slice){ t.p + 1, t.n - 1 };
        if (!(n = parse_arc(&t, digit))) return 0;
        if (first) {
            if (add < 80 && (n > 1 || digit[0] >= 40)) return 0;
            for (size_t k = 0; add; k++) {
                if (k == n) digit[n++] = 0;
                add += digit[k];
                digit[k] = add & 0x7f;
                add >>= 7;
            }
        }
        if (n > OID_ARC_OCTETS || cap - at < n) return 0;
        while (n--) out[at++] = (uint8_t)(digit[n] | (n ? 0x80 : 0));
    }
    return at;
}

bool der_bits_trim(struct der_bits *b, bool plain)
{
    while (!plain && b->count && !der_bit(b, b->count - 1)) b->count--;
    b->bits.n = (b->count + 7) / 8;
    return b->count % 8 && b->bits.p[b->bits.n - 1] & 0xff >> b->count % 8;
}

void der_path_clear(struct der_path *p)
{
    p->at = sizeof p->text - 1;
    p->text[p->at] = 0;
    p->cut = false;
}

/* prepend -- where there is no more room the path keeps its end, which says most, and begins with "...". */
static void prepend(struct der_path *p, const char *s, size_t n)
{
    size_t dot = p->text[p->at] && p->text[p->at] != '[';
    if (p->cut) return;
    if (p->at < n + dot + 3) {                     /* invariant: at >= 3 until the path is cut */
        p->at -= 3;
        memcpy(p->text + p->at, "...", 3);
        p->cut = true;
        return;
    }
    if (dot) p->text[--p->at] = '.';
    p->at -= n;
    memcpy(p->text + p->at, s, n);
}

void der_path_name(struct der_path *p, const char *name)
{
    prepend(p, name, strlen(name));
}

void der_path_index(struct der_path *p, size_t i)
{
    char text[24];
    int n = snprintf(text, sizeof text, "[%zu]", i);
    prepend(p, text, (size_t)n);
}

struct slice der_component(const struct der_type *t, struct slice raw, uint32_t i)
{
    struct tlv x;
    uint32_t from = 0;
    if (!der_sole(raw, &x)) return (struct slice){ 0 };
    for (struct slice s = x.val; s.n;) {
        if (der_next(&s, &x) != TLV_OK) break;
        uint32_t j = from;
        while (j < t->nfields && !der_accepts(&t->fields[j], x.tag)) j++;
        if (j == i && j < t->nfields) return x.raw;
        if (j < t->nfields) from = j + 1;
    }
    return (struct slice){ 0 };
}

struct slice der_content(const struct der_type *t, uint32_t i, struct slice tlv)
{
    struct tlv x;
    return der_sole(tlv, &x) && der_accepts(&t->fields[i], x.tag) ? x.val : (struct slice){ 0 };
}
