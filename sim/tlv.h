/* tlv.h -- the simulator's own reader and writer of BER/DER TLVs.
 *
 * Apart from asn1/ on purpose (see tags.h). Tags are the bytes on the wire (0xBF51), of one to three octets.
 * The reader is strict: definite lengths in their shortest form, nothing beyond the parent, since what an eIM sends
 * must be DER (sgp32.md 2.0 rule 5). It never recurses; whoever reads descends by hand, so depth is that of the code.
 * The writer puts parts together in an arena. A part that could not be made (no memory, refused input) is `tlv_bad`;
 * everything made of it is bad too, so one check at the end is enough. */
#ifndef SIM_TLV_H
#define SIM_TLV_H

#include "base/arena.h"
#include "base/slice.h"

struct tlv {
    uint32_t tag;
    struct slice raw;                  /* tag, length and value */
    struct slice value;
};

/* All of these leave *out and *rest as they were when they give false. *rest may be a member of *out.
 *
 * tlv_next -- cut the first TLV off *rest. false: nothing left (rest->n == 0) or malformed (n > 0). */
bool tlv_next(struct slice *rest, struct tlv *out);
/* tlv_only -- `in` is exactly one well-formed TLV. */
bool tlv_only(struct slice in, struct tlv *out);
/* tlv_well_formed -- `body` is a row of zero or more TLVs, without a rest. */
bool tlv_well_formed(struct slice body);
/* tlv_find -- the first TLV with this tag in a row of TLVs; false when there is none or what stands before it is malformed. */
bool tlv_find(struct slice body, uint32_t tag, struct tlv *out);
/* tlv_next_tag -- cut one tag off a row of bare tags (a tag list, 5C); false at the end or when malformed (rest->n > 0). */
bool tlv_next_tag(struct slice *rest, uint32_t *tag);
/* tlv_take -- as tlv_next, but only if the next TLV has this tag; else *rest stays as it is. For SEQUENCEs in order. */
bool tlv_take(struct slice *rest, uint32_t tag, struct tlv *out);
/* tlv_int -- a DER INTEGER of 1 to 8 octets, minimal. */
bool tlv_int(struct slice value, int64_t *out);

/* ---- writing ------------------------------------------------------------------------------------------------- */
enum { TLV_LIST_MAX = 256 };

extern const struct slice tlv_bad;     /* {NULL, SIZE_MAX} */
static inline bool tlv_is_bad(struct slice s) { return s.n == SIZE_MAX; }

/* tlv_join -- the parts one after the other under `tag` (0: without tag and length). Empty parts add nothing. */
struct slice tlv_join(struct arena *a, uint32_t tag, const struct slice *parts, size_t n);
#define TLV(a, tag, ...) \
    tlv_join((a), (tag), (const struct slice[]){ __VA_ARGS__ }, sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))
#define TLV_EMPTY(a, tag) tlv_join((a), (tag), NULL, 0)

struct slice tlv_put_int(struct arena *a, uint32_t tag, int64_t v);         /* minimal two's complement */
struct slice tlv_put_bits(struct arena *a, uint32_t tag, uint32_t bits, unsigned width);  /* bit 0 = leftmost; trailing zero bits cut */
struct slice tlv_put_bool(struct arena *a, uint32_t tag, bool v);
struct slice tlv_put_str(struct arena *a, uint32_t tag, const char *s);     /* NULL adds nothing */

/* tlv_long_form -- the TLV once more with its outermost length in three octets, the first a needless zero (BER, not DER;
 * pitfall of sgp32.md 6.21); as it is when it has 64 KiB or more. */
struct slice tlv_long_form(struct arena *a, struct slice one);

struct tlv_list { struct slice part[TLV_LIST_MAX]; size_t n; bool full; };
void tlv_add(struct tlv_list *l, struct slice part);
struct slice tlv_list_end(struct arena *a, uint32_t tag, const struct tlv_list *l);

#endif
