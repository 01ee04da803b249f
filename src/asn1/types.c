/* types.c -- the tables behind the declarations, and finding one by its name or by what a message looks like. */
#include "asn1/es10b.h"
#include "asn1/internal.h"

SGP22_TYPES(DER_DEFINE)
SGP32_TYPES(DER_DEFINE)
ES10B_TYPES(DER_DEFINE)
CODE_SETS(CODE_DEFINE_)

#define ROW_(kind, S, LIST, asn, wire, where, flag) &S##_type,
const struct der_type *const der_types[] = {
    SGP32_TYPES(ROW_)
    ES10B_TYPES(ROW_)
    SGP22_TYPES(ROW_)
    NULL
};

const struct der_type *der_type_by_name(const char *name)
{
    if (strncmp(name, "SGP32-", 6) == 0) name += 6;
    for (const struct der_type *const *t = der_types; *t; t++)
        if (strcmp((*t)->name, name) == 0) return *t;
    return NULL;
}

/* How well a type suits a message. */
enum suits { NOT_AT_ALL, BY_TAG, DECODES, COMES_BACK };

static enum suits suits(const struct der_type *t, struct slice in)
{
    enum { GUESS_MEMORY = 16 << 20 };
    struct arena a;
    arena_init(&a, GUESS_MEMORY);
    struct err e = { 0 };
    void *v = arena_alloc(&a, t->size);
    enum suits how = NOT_AT_ALL;
    if (v) {
        enum eim_err rc = der_decode(t, in, v, &a, &e);
        how = rc == OK ? DECODES : rc == E_UNKNOWN_TYPE ? NOT_AT_ALL : BY_TAG;
        if (how == DECODES && slice_eq(der_encode(t, v, &a), in)) how = COMES_BACK;
    }
    arena_free(&a);
    return how;
}

const struct der_type *der_type_guess(struct slice in)
{
    const struct der_type *first[] = { &esipa_from_ipa_type, &esipa_from_eim_type, &euicc_package_request_type,
                                       &euicc_package_result_type, NULL }, *best = NULL;
    enum suits how = NOT_AT_ALL;
    struct slice rest = in;
    uint32_t tag;
    if (der_next_tag(&rest, &tag) != TLV_OK) return NULL;
    const struct der_type *const *lists[] = { first, der_types };
    for (size_t i = 0; i < 2; i++)
        for (const struct der_type *const *t = lists[i]; *t && how < COMES_BACK; t++) {
            const struct der_field root = { .tag = (*t)->tag, .type = *t };
            bool anything = (*t)->nfields && (*t)->fields[(*t)->nfields - 1].tag == DER_ANY_TAG;
            enum suits this = !anything && der_accepts(&root, tag) ? suits(*t, in) : NOT_AT_ALL;
            if (this <= how) continue;
            how = this;
            best = *t;
        }
    return best;
}

const char *der_name(const struct der_name *names, int64_t value)
{
    for (; names->name; names++)
        if (names->value == value) return names->name;
    return NULL;
}

bool der_taglist(const struct der_type *t, struct slice list, uint64_t *has)
{
    uint32_t tag;
    *has = 0;
    while (list.n) {
        if (der_next_tag(&list, &tag) != TLV_OK) return false;
        uint32_t i = 0;
        while (i < t->nfields && !der_accepts(&t->fields[i], tag)) i++;
        if (i == t->nfields) return false;
        *has |= UINT64_C(1) << i;
    }
    return true;
}

struct der_bits der_bits_from(uint32_t mask, uint8_t mem[4])
{
    struct der_bits b = { { mem, 4 }, 32 };
    memset(mem, 0, 4);
    for (uint32_t i = 0; i < 32; i++)
        if (mask >> i & 1) mem[i / 8] |= (uint8_t)(0x80 >> i % 8);
    der_bits_trim(&b, false);
    return b;
}

uint32_t der_bits_mask(const struct der_bits *b)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < 32; i++) mask |= (uint32_t)der_bit(b, i) << i;
    return mask;
}

struct slice sgp32_token_tlv(int64_t token, uint8_t out[12])
{
    size_t n = 8;
    uint64_t v = (uint64_t)token;
    while (n > 1) {                                /* as many octets as the sign needs */
        int64_t rest = token >> (8 * (n - 1) - 1);
        if (rest != 0 && rest != -1) break;
        n--;
    }
    out[0] = 0x84;
    out[1] = (uint8_t)n;
    for (size_t i = 0; i < n; i++) out[2 + i] = (uint8_t)(v >> 8 * (n - 1 - i));
    return (struct slice){ out, 2 + n };
}
