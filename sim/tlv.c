/* tlv.c -- reading and writing TLVs for the simulator; see tlv.h for why it is apart from asn1/. */
#include "sim/tlv.h"

const struct slice tlv_bad = { NULL, SIZE_MAX };

/* ---- reading ------------------------------------------------------------------------------------------------- */

static bool read_tag(struct slice s, size_t *at, uint32_t *tag)
{
    if (s.n == 0)
        return false;
    uint32_t t = s.p[0];
    size_t i = 1;
    if ((t & 0x1F) == 0x1F) {
        do {
            if (i == s.n || i == 3)
                return false;
            t = t << 8 | s.p[i];
        } while (s.p[i++] & 0x80);
        if ((s.p[1] & 0x7F) == 0)                    /* leading zero in the tag number */
            return false;
    }
    *at = i;
    *tag = t;
    return true;
}

static bool read_length(struct slice s, size_t *at, size_t *len)
{
    if (*at == s.n)
        return false;
    uint8_t first = s.p[(*at)++];
    if (first < 0x80) {
        *len = first;
        return true;
    }
    size_t octets = first & 0x7F, v = 0;
    if (octets == 0 || octets > 3 || s.n - *at < octets || s.p[*at] == 0)
        return false;
    for (size_t i = 0; i < octets; i++)
        v = v << 8 | s.p[(*at)++];
    *len = v;
    return v >= 0x80;                                /* DER: the shortest form */
}

bool tlv_next(struct slice *rest, struct tlv *out)
{
    size_t at, len;
    uint32_t tag;
    if (!read_tag(*rest, &at, &tag) || !read_length(*rest, &at, &len) || rest->n - at < len)
        return false;
    const struct slice from = *rest;
    *rest = slice_of(from.p + at + len, from.n - at - len);
    *out = (struct tlv){ .tag = tag, .raw = { from.p, at + len }, .value = { from.p + at, len } };
    return true;
}

bool tlv_only(struct slice in, struct tlv *out)
{
    return tlv_next(&in, out) && in.n == 0;
}

bool tlv_well_formed(struct slice body)
{
    struct tlv t;
    while (tlv_next(&body, &t))
        ;
    return body.n == 0;
}

bool tlv_find(struct slice body, uint32_t tag, struct tlv *out)
{
    struct tlv t;
    while (tlv_next(&body, &t))
        if (t.tag == tag) {
            *out = t;
            return true;
        }
    return false;
}

bool tlv_next_tag(struct slice *rest, uint32_t *tag)
{
    size_t at;
    if (!read_tag(*rest, &at, tag))
        return false;
    rest->p += at;
    rest->n -= at;
    return true;
}

bool tlv_take(struct slice *rest, uint32_t tag, struct tlv *out)
{
    struct slice s = *rest;
    struct tlv t;
    if (!tlv_next(&s, &t) || t.tag != tag)
        return false;
    *rest = s;
    *out = t;
    return true;
}

bool tlv_int(struct slice v, int64_t *out)
{
    if (v.n == 0 || v.n > 8)
        return false;
    if (v.n > 1 && ((v.p[0] == 0 && v.p[1] < 0x80) || (v.p[0] == 0xFF && v.p[1] >= 0x80)))
        return false;
    uint64_t x = v.p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < v.n; i++)
        x = x << 8 | v.p[i];
    *out = (int64_t)x;
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static size_t put_header(uint8_t out[8], uint32_t tag, size_t len)
{
    size_t n = 0;
    for (int shift = 16; shift >= 0; shift -= 8)
        if (tag >> shift)
            out[n++] = (uint8_t)(tag >> shift);
    if (len >= 0x80) {
        int octets = len > 0xFFFF ? 3 : len > 0xFF ? 2 : 1;
        out[n++] = (uint8_t)(0x80 | octets);
        for (int shift = 8 * (octets - 1); shift > 0; shift -= 8)
            out[n++] = (uint8_t)(len >> shift);
    }
    out[n++] = (uint8_t)len;
    return n;
}

struct slice tlv_join(struct arena *a, uint32_t tag, const struct slice *parts, size_t n)
{
    size_t len = 0, head = 0;
    for (size_t i = 0; i < n; i++) {
        if (tlv_is_bad(parts[i]) || parts[i].n > 0xFFFFFF - len)
            return tlv_bad;
        len += parts[i].n;
    }
    uint8_t header[8];
    if (tag != 0)
        head = put_header(header, tag, len);
    uint8_t *p = arena_alloc(a, head + len), *w = p;
    if (!p)
        return tlv_bad;
    memcpy(w, header, head);
    w += head;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n)
            memcpy(w, parts[i].p, parts[i].n);
        w += parts[i].n;
    }
    return slice_of(p, head + len);
}

struct slice tlv_put_int(struct arena *a, uint32_t tag, int64_t v)
{
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
    size_t skip = 0;
    while (skip < 7 && ((b[skip] == 0 && b[skip + 1] < 0x80) || (b[skip] == 0xFF && b[skip + 1] >= 0x80)))
        skip++;
    return TLV(a, tag, slice_of(b + skip, 8 - skip));
}

struct slice tlv_put_bits(struct arena *a, uint32_t tag, uint32_t bits, unsigned width)
{
    uint8_t b[5] = { 0 };
    unsigned last = 0;                               /* one past the highest bit that is set */
    for (unsigned i = 0; i < width && i < 32; i++)
        if (bits >> i & 1) {
            b[1 + i / 8] |= (uint8_t)(0x80 >> i % 8);
            last = i + 1;
        }
    size_t octets = (last + 7) / 8;
    b[0] = (uint8_t)(octets * 8 - last);
    return TLV(a, tag, slice_of(b, 1 + octets));
}

struct slice tlv_put_bool(struct arena *a, uint32_t tag, bool v)
{
    uint8_t b = v ? 0xFF : 0;
    return TLV(a, tag, slice_of(&b, 1));
}

struct slice tlv_put_str(struct arena *a, uint32_t tag, const char *s)
{
    return s ? TLV(a, tag, slice_str(s)) : (struct slice){ 0 };
}

struct slice tlv_long_form(struct arena *a, struct slice one)
{
    struct tlv t;
    if (tlv_is_bad(one) || !tlv_only(one, &t) || t.value.n > 0xFFFF)
        return one;
    uint8_t tag[8], length[4] = { 0x83, 0, (uint8_t)(t.value.n >> 8), (uint8_t)t.value.n };
    size_t n = put_header(tag, t.tag, 0) - 1;
    return TLV(a, 0, slice_of(tag, n), slice_of(length, sizeof length), t.value);
}

void tlv_add(struct tlv_list *l, struct slice part)
{
    if (l->n == TLV_LIST_MAX)
        l->full = true;
    else
        l->part[l->n++] = part;
}

struct slice tlv_list_end(struct arena *a, uint32_t tag, const struct tlv_list *l)
{
    return l->full ? tlv_bad : tlv_join(a, tag, l->part, l->n);
}
