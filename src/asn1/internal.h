/* internal.h -- what decoder, encoder and JSON share. Not for other rooms. */
#ifndef ASN1_INTERNAL_H
#define ASN1_INTERNAL_H

#include "asn1/der.h"

enum {
    DER_TAG_BITS = 28,                 /* a tag number in four octets of seven bits */
    DER_ROOT_ELEMENTS = 1024,          /* most elements of a list that is a message by itself */
    DER_PATH = 192,                    /* as struct err's field */
    OID_ARC_OCTETS = 19,               /* 133 bits: holds the 128-bit arcs under 2.25 */
};

struct tlv {
    uint32_t tag;                      /* as in der.h, with CONS */
    struct slice raw, val;             /* the whole TLV, its content */
};

/* What can be wrong with a TLV, with the clause and the words; zero is fine. */
enum tlv_fault {
    TLV_OK, TLV_NO_BYTES, TLV_TAG_CUT, TLV_TAG_NUMBER, TLV_NO_LENGTH, TLV_INDEFINITE, TLV_RESERVED, TLV_LENGTH_WIDE,
    TLV_LENGTH_CUT, TLV_PAST_END,
};
struct tlv_words { const char *clause, *why; };
extern const struct tlv_words der_tlv_words[];

/* der_next -- take the first TLV off *s. On a fault *s and *o are untouched. Most TLVs have one octet of tag and one
 * of length; the others take the long way. */
enum tlv_fault der_next_long(struct slice *s, struct tlv *o);
static inline enum tlv_fault der_next(struct slice *s, struct tlv *o)
{
    const uint8_t *p = s->p;
    if (s->n < 2 || (p[0] & 0x1f) == 0x1f || p[1] >= 0x80 || s->n - 2 < p[1]) return der_next_long(s, o);
    o->tag = (uint32_t)(p[0] & 0xe0) << 24 | (p[0] & 0x1f);
    o->raw = (struct slice){ p, 2u + p[1] };
    o->val = (struct slice){ p + 2, p[1] };
    *s = (struct slice){ p + o->raw.n, s->n - o->raw.n };
    return TLV_OK;
}

/* der_next_tag -- take a tag without a length off *s. */
enum tlv_fault der_next_tag(struct slice *s, uint32_t *tag);

/* der_sole -- s is exactly one TLV. */
bool der_sole(struct slice s, struct tlv *o);

/* der_accepts -- whether component f may begin with this tag. */
bool der_accepts_else(const struct der_field *f, uint32_t tag);
static inline bool der_accepts(const struct der_field *f, uint32_t tag)
{
    return f->tag == tag || der_accepts_else(f, tag);
}

/* der_element_size -- sizeof the C member of component f. */
size_t der_element_size(const struct der_field *f);

/* der_is_default -- whether the member at src holds the DEFAULT of component f. */
static inline bool der_is_default(const struct der_field *f, const void *src)
{
    return f->def == (f->kind == DER_INT ? *(const int64_t *)src : *(const bool *)src);
}

/* der_utf8_length -- characters of UTF-8 text without U+0000, or -1. */
int64_t der_utf8_length(struct slice s);

/* der_x509_shape -- whether the content of a SEQUENCE looks like a certificate (SEQUENCE, SEQUENCE, BIT STRING) or,
 * for DER_SPKI, a SubjectPublicKeyInfo (SEQUENCE, BIT STRING). */
bool der_x509_shape(enum der_kind kind, struct slice content);

/* der_oid_valid -- whether s is the content of an OBJECT IDENTIFIER with arcs of at most OID_ARC_OCTETS. */
bool der_oid_valid(struct slice s);

/* der_oid_print, der_oid_parse -- dotted text of a valid one, and back (into `out`, octets, or 0 if it is none). */
void der_oid_print(struct slice s, struct buf *out);
size_t der_oid_parse(struct slice text, uint8_t *out, size_t cap);

/* der_bits_trim -- cut a BIT STRING to `count` bits, without trailing zeros unless plain. The unused bits are left as
 * they are: true if they are not zero, and the last octet wants masking. */
bool der_bits_trim(struct der_bits *b, bool plain);

/* The dotted path to a fault, put together from its end while the recursion unwinds: costs nothing on success. */
struct der_path {
    char text[DER_PATH];
    size_t at;
    bool cut;
};
void der_path_clear(struct der_path *p);
void der_path_name(struct der_path *p, const char *name);
void der_path_index(struct der_path *p, size_t i);
static inline const char *der_path_text(const struct der_path *p) { return p->text + p->at; }

#endif
