/* types.c -- the tables behind the declarations, and finding one by name or by what a message looks like. */
#include "asn1/es10b.h"

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
