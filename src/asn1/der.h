/* der.h -- one declaration per ASN.1 type; struct, decoder, encoder, JSON printer and JSON reader come from it.
 *
 * A type is declared as a list of components, one line each, and one row in a list of types:
 *
 *     #define PSMO_ENABLE(X, S) \
 *         X(S, REQ, OCTETS, iccid,         "iccid",        APP(26), 10, 10) \
 *         X(S, OPT, NULL,   rollback_flag, "rollbackFlag", UNI(5),   0,  0)
 *     #define TYPES(T) \
 *         T(SEQUENCE, psmo_enable, PSMO_ENABLE, "Psmo.enable", SEQTAG, "SGP.32 2.11.1.1.3", 0)
 *     TYPES(DER_DECLARE)              -- in a header: structs, constants, externs
 *     TYPES(DER_DEFINE)               -- in one .c file: the tables
 *
 * Columns: presence (REQ, OPT, DEF(v) = DEFAULT v, ALT(t) and OPT_ALT(t, u) = other tags taken on input), kind, C
 * member, ASN.1 name, tag, and bounds: octets for OCTETS, BITS, OID, ANY, CERT, SPKI; characters for UTF8; the value
 * for INT; elements for LIST.
 *
 * The structs that come out of it:
 *   SEQUENCE S   struct S { struct der_seq der; members };      presence: der_has(s, S, member), der_set(s, S, member)
 *   CHOICE S     struct S { struct der_choice der; union };     s->der.which is S_is_MEMBER, or S_is_none (0)
 *   LIST S       struct S { ELEMENT *v; size_t n; };
 * where OCTETS, UTF8, OID, ANY, CERT and SPKI are `struct slice`, INT is int64_t, BOOL and NULL are bool, BITS is
 * struct der_bits, and SEQ(t), CHOICE(t), LIST(t) are struct t. Required members need no der_set().
 *
 * Decoding borrows: slices point into the input (into the arena where bytes had to be put together), so the input
 * must outlive the value. `der.raw` is the complete TLV as received: signatures are verified over it (invariant I1).
 *
 * What is taken and what is refused (spec 2.0): definite lengths only, long form taken when not minimal, at most four
 * significant length octets; depth DER_DEPTH; in a SEQUENCE a tag that matches no component is skipped (it stays in
 * raw), a known component repeated or out of order is refused; an unknown alternative of a CHOICE is refused unless
 * the CHOICE ends with an `unknown` arm. Tolerated wire forms are flags of the type (DER_BARE, DER_DOUBLE) or of the
 * component (ALT); what is written is always the standard form. Text must be UTF-8 without U+0000.
 *
 * All functions are thread-safe (tables are const) and none blocks. */
#ifndef ASN1_DER_H
#define ASN1_DER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/slice.h"

enum {
    DER_DEPTH = 16,                    /* most TLVs inside each other */
    DER_LENGTH_OCTETS = 4,             /* most significant octets of a length */
};

/* ---- tags: class in the two top bits, CONS for constructed, the number below ---- */
#define UNI(n)  (0x00000000u | (n))
#define APP(n)  (0x40000000u | (n))
#define CTX(n)  (0x80000000u | (n))
#define PRIV(n) (0xc0000000u | (n))
#define CONS    0x20000000u
#define SEQTAG  (UNI(16) | CONS)
#define UNTAGGED    0u                 /* of a CHOICE: its alternatives carry the tags */
#define DER_ANY_TAG 0xffffffffu        /* of the last arm of a CHOICE: whatever nothing else matched */

enum der_kind {
    DER_OCTETS, DER_UTF8, DER_INT, DER_BOOL, DER_NULL, DER_BITS, DER_OID,
    DER_ANY,                           /* a complete TLV, never opened */
    DER_CERT, DER_SPKI,                /* complete DER with its outer SEQUENCE, whatever came; written IMPLICIT */
    DER_SEQ, DER_CHOICE, DER_LIST,
};

enum der_flags {
    /* of a type: */
    DER_BARE = 1,                      /* CHOICE under a tag: the alternative's own tag may be left out on input */
    DER_DOUBLE = 2,                    /* the tag may come twice, or the type's own tag inside another, on input */
    /* of a component: */
    DER_PLAIN_BITS = 4,                /* BIT STRING without named bits: trailing zeros count */
    DER_OCTET_PER_BIT = 8,             /* may come as one octet per bit (spec 6.20) */
};

/* One component, alternative or element. */
struct der_field {
    const char *name;                  /* ASN.1 component name: used in JSON and in errors */
    const struct der_type *type;       /* SEQ, CHOICE, LIST */
    uint32_t tag;                      /* with CONS where the kind is constructed */
    uint32_t alt, alt2;                /* other tags taken on input, or 0 */
    uint32_t off;
    uint8_t kind, flags;
    bool opt, has_def;
    int64_t def;                       /* INT, BOOL: the DEFAULT */
    int64_t lo, hi;                    /* hi stands right behind lo: one macro argument initialises both */
};

struct der_type {
    const char *name;                  /* as in the ASN.1 module, without the module's "SGP32-" workaround prefix */
    const char *clause;                /* where it is specified: named in refusals */
    const struct der_field *fields;    /* LIST: the element */
    uint32_t nfields;
    uint32_t size;                     /* sizeof the C struct */
    uint32_t tag;                      /* own outer tag, or UNTAGGED for a CHOICE without one */
    uint8_t kind, flags;               /* DER_SEQ, DER_CHOICE or DER_LIST */
};

struct der_seq    { struct slice raw; uint64_t has; };        /* first member of every SEQUENCE */
struct der_choice { struct slice raw; uint32_t which; };      /* first member of every CHOICE */
struct der_bits   { struct slice bits; uint32_t count; };     /* bits.n == (count + 7) / 8, the unused ones zero */

/* der_has, der_set, der_unset -- presence of an OPTIONAL or DEFAULT component of a SEQUENCE.
 * der_has(&req->signed, euicc_package_signed, eim_transaction_id) */
#define der_has(s, S, m)   ((bool)((s)->der.has >> S##_has_##m & 1))
#define der_set(s, S, m)   ((void)((s)->der.has |= UINT64_C(1) << S##_has_##m))
#define der_unset(s, S, m) ((void)((s)->der.has &= ~(UINT64_C(1) << S##_has_##m)))

/* der_bit -- bit i of a BIT STRING; false beyond its end. */
static inline bool der_bit(const struct der_bits *b, uint32_t i)
{
    return i < b->count && b->bits.p[i / 8] >> (7 - i % 8) & 1;
}

/* der_bits_from -- a named BIT STRING from a mask whose bit 0 is the ASN.1 bit 0; `mem` (4 octets) must outlive it. */
struct der_bits der_bits_from(uint32_t mask, uint8_t mem[4]);

/* der_bits_mask -- the inverse; bits above 31 are dropped. */
uint32_t der_bits_mask(const struct der_bits *b);

/* ---- verbatim: bytes that are or will be signed, or are relayed, are never re-encoded (I1) ---- */
#define DER_VERBATIM     (UINT64_C(1) << 63)
#define DER_VERBATIM_ARM UINT32_MAX

/* der_verbatim_seq, der_verbatim_choice -- let a value stand for these bytes, one complete TLV with the tag that
 * belongs at this place. The encoder copies them, the members are ignored, the JSON printer prints null. */
static inline void der_verbatim_seq(struct der_seq *q, struct slice tlv)
{
    *q = (struct der_seq){ tlv, DER_VERBATIM };
}
static inline void der_verbatim_choice(struct der_choice *c, struct slice tlv)
{
    *c = (struct der_choice){ tlv, DER_VERBATIM_ARM };
}

/* der_decode -- decode exactly one TLV of type t into *out (t->size bytes).
 *
 * *out borrows from `in` and `a`. E_MALFORMED with field = dotted path from the type's components
 * ("provideEimPackageResult.eimPackageResult", list elements as "[3]"; the type's name when the outermost TLV itself is
 * wrong), at = offset of the TLV that is wrong, why and clause; E_UNKNOWN_TYPE when the outer tag belongs to no
 * such type; E_NOMEM when the arena is full. After a failure *out holds nothing of use. */
MUST enum eim_err der_decode(const struct der_type *t, struct slice in, void *out, struct arena *a, struct err *e);

/* der_encode -- the DER of a value, in one exact allocation from `a`.
 * {NULL,0} when the arena is full or the value cannot be encoded: a CHOICE without alternative, a length, number or
 * count out of its bounds, text that is not UTF-8, or verbatim bytes that are no such TLV. */
struct slice der_encode(const struct der_type *t, const void *in, struct arena *a);

/* der_encode_certs_whole -- as der_encode, but certificates and keys under a context tag keep their outer
 * SEQUENCE (`A1{30}`), for devices that want it (spec 2.0 rule 4, 6.4). */
struct slice der_encode_certs_whole(const struct der_type *t, const void *in, struct arena *a);

/* der_json -- print the value form of test/vectors/README.md: octets, certificates and raw TLVs in lower-case hex,
 * CHOICE as {"arm": value}, BIT STRING as {"bits","count"}, NULL as null, OBJECT IDENTIFIER dotted; absent members and
 * members equal to their DEFAULT are left out. Watch out->failed. */
void der_json(const struct der_type *t, const void *v, struct buf *out);

/* der_from_json -- the inverse: fills *out (t->size bytes) from the value form. Copies into `a`, so v may be freed.
 * E_INVALID with the path of the member that is missing, unknown, of the wrong JSON type or out of bounds; E_NOMEM. */
MUST enum eim_err der_from_json(const struct der_type *t, const json_t *v, void *out, struct arena *a, struct err *e);

/* der_component -- the complete TLV, as it was received, of component i (a S_has_MEMBER; a S_is_ARM - 1 for a CHOICE) of a SEQUENCE or
 * CHOICE of type t in its standard form, whose own complete TLV is `raw`: its der.raw. {NULL,0} when it is absent. Borrows from raw. */
struct slice der_component(const struct der_type *t, struct slice raw, uint32_t i);

/* der_replace -- `raw`, a SEQUENCE of type t in its standard form, with this content in component i, which must be there: everything else octet
 * for octet, what t does not know too. {NULL,0} when it is absent or the arena is full. */
struct slice der_replace(const struct der_type *t, struct slice raw, uint32_t i, struct slice content, struct arena *a);

/* der_content -- the content of `tlv`, if that is exactly one TLV with the tag of component i of t; else {NULL,0}. */
struct slice der_content(const struct der_type *t, uint32_t i, struct slice tlv);

/* der_taglist -- which members of SEQUENCE type t a tag list (tag 5C: concatenated tags) names, as bits of der.has
 * (test with 1 << S_has_MEMBER). false when the list is damaged or names a tag that is no member; *has then holds the
 * members understood before it. */
bool der_taglist(const struct der_type *t, struct slice list, uint64_t *has);

/* der_types -- every declared type, ended by NULL. */
extern const struct der_type *const der_types[];

/* der_type_by_name -- the type of this ASN.1 name ("EuiccPackageRequest"; a leading "SGP32-" is ignored), or NULL. */
const struct der_type *der_type_by_name(const char *asn1_name);

/* der_type_guess -- the type that `in` most likely is: the first that comes back byte for byte, else the first that
 * decodes, else the first with this outer tag, else NULL. Decodes several times: for people at a terminal. */
const struct der_type *der_type_guess(struct slice in);

/* A table of named numbers, ended by a row without name. */
struct der_name { int64_t value; const char *name; };

/* der_name -- the name of a number, or NULL. */
const char *der_name(const struct der_name *names, int64_t value);

/* ---- what the declarations expand to ---- */
#define C_OCTETS struct slice
#define C_UTF8   struct slice
#define C_INT    int64_t
#define C_BOOL   bool
#define C_NULL   bool
#define C_BITS   struct der_bits
#define C_BITS_PLAIN struct der_bits
#define C_BITS_LAX   struct der_bits
#define C_OID    struct slice
#define C_ANY    struct slice
#define C_CERT   struct slice
#define C_SPKI   struct slice
#define C_SEQ(t)    struct t
#define C_CHOICE(t) struct t
#define C_LIST(t)   struct t

#define K_OCTETS .kind = DER_OCTETS
#define K_UTF8   .kind = DER_UTF8
#define K_INT    .kind = DER_INT
#define K_BOOL   .kind = DER_BOOL
#define K_NULL   .kind = DER_NULL
#define K_BITS   .kind = DER_BITS
#define K_BITS_PLAIN .kind = DER_BITS, .flags = DER_PLAIN_BITS
#define K_BITS_LAX   .kind = DER_BITS, .flags = DER_OCTET_PER_BIT
#define K_OID    .kind = DER_OID
#define K_ANY    .kind = DER_ANY
#define K_CERT   .kind = DER_CERT
#define K_SPKI   .kind = DER_SPKI
#define K_SEQ(t)    .kind = DER_SEQ, .type = &t##_type
#define K_CHOICE(t) .kind = DER_CHOICE, .type = &t##_type
#define K_LIST(t)   .kind = DER_LIST, .type = &t##_type

#define T_OCTETS(w) (w)
#define T_UTF8(w)   (w)
#define T_INT(w)    (w)
#define T_BOOL(w)   (w)
#define T_NULL(w)   (w)
#define T_BITS(w)   (w)
#define T_BITS_PLAIN(w) (w)
#define T_BITS_LAX(w)   (w)
#define T_OID(w)    (w)
#define T_ANY(w)    (w)
#define T_CERT(w)   ((w) | CONS)
#define T_SPKI(w)   ((w) | CONS)
#define T_SEQ(t)    DER_CONSTRUCTED
#define T_CHOICE(t) DER_CONSTRUCTED
#define T_LIST(t)   DER_CONSTRUCTED
#define DER_CONSTRUCTED(w) ((w) == UNTAGGED ? UNTAGGED : (w) | CONS)

#define O_REQ           .opt = false
#define O_OPT           .opt = true
#define O_DEF(v)        .opt = true, .has_def = true, .def = (v)
#define O_ALT(t)        .opt = false, .alt = (t)
#define O_OPT_ALT(t, u) .opt = true, .alt = (t), .alt2 = (u)

#define DER_MEMBER_(S, O, K, m, asn, wire, ...) C_##K m;
#define DER_ELEMENT_(S, O, K, m, asn, wire, ...) C_##K *m;
#define DER_HAS_(S, O, K, m, asn, wire, ...) S##_has_##m,
#define DER_IS_(S, O, K, m, asn, wire, ...) S##_is_##m,
#define DER_FIELD_(S, O, K, m, asn, wire, ...) \
    { .name = asn, .tag = T_##K(wire), .off = offsetof(struct S, m), K_##K, O_##O, .lo = __VA_ARGS__ },
#define DER_ELEMENT_FIELD_(S, O, K, m, asn, wire, ...) \
    { .name = asn, .tag = T_##K(wire), .off = 0, K_##K, O_##O, .lo = __VA_ARGS__ },

/* DER_DECLARE -- for a header: struct, presence or arm constants, extern table. */
#define DER_DECLARE(kind, S, LIST, asn, wire, where, flag) DER_DECLARE_##kind(S, LIST)
#define DER_DECLARE_SEQUENCE(S, LIST) \
    struct S { struct der_seq der; LIST(DER_MEMBER_, S) }; \
    enum { LIST(DER_HAS_, S) S##_has_end_ }; \
    extern const struct der_type S##_type;
#define DER_DECLARE_CHOICE(S, LIST) \
    struct S { struct der_choice der; union { LIST(DER_MEMBER_, S) }; }; \
    enum { S##_is_none, LIST(DER_IS_, S) S##_is_end_ }; \
    extern const struct der_type S##_type;
#define DER_DECLARE_LIST(S, LIST) \
    struct S { LIST(DER_ELEMENT_, S) size_t n; }; \
    extern const struct der_type S##_type;
#define DER_DECLARE_EMPTY(S, LIST) \
    struct S { struct der_seq der; }; \
    extern const struct der_type S##_type;

/* DER_DEFINE -- for one .c file: the table. */
#define DER_DEFINE(kind, S, LIST, asn, wire, where, flag) DER_DEFINE_##kind(S, LIST, asn, wire, where, flag)
#define DER_DEFINE_SEQUENCE(S, LIST, asn, wire, where, flag) \
    static const struct der_field S##_fields[] = { LIST(DER_FIELD_, S) }; \
    _Static_assert(sizeof S##_fields / sizeof S##_fields[0] < 63, "bit 63 of has is DER_VERBATIM"); \
    DER_TYPE_(S, DER_SEQ, S##_fields, sizeof S##_fields / sizeof S##_fields[0], asn, (wire) | CONS, where, flag)
#define DER_DEFINE_CHOICE(S, LIST, asn, wire, where, flag) \
    static const struct der_field S##_fields[] = { LIST(DER_FIELD_, S) }; \
    DER_TYPE_(S, DER_CHOICE, S##_fields, sizeof S##_fields / sizeof S##_fields[0], asn, DER_CONSTRUCTED(wire), where, flag)
#define DER_DEFINE_LIST(S, LIST, asn, wire, where, flag) \
    static const struct der_field S##_fields[] = { LIST(DER_ELEMENT_FIELD_, S) }; \
    DER_TYPE_(S, DER_LIST, S##_fields, 1, asn, (wire) | CONS, where, flag)
#define DER_DEFINE_EMPTY(S, LIST, asn, wire, where, flag) \
    DER_TYPE_(S, DER_SEQ, NULL, 0, asn, (wire) | CONS, where, flag)
#define DER_TYPE_(S, k, list, count, asn, wire, where, flag) \
    const struct der_type S##_type = { .name = asn, .clause = where, .fields = list, .nfields = count, \
        .size = sizeof(struct S), .tag = wire, .kind = k, .flags = flag };

#endif
