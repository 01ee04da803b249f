/* der_rig.h -- types of the tests' own and the assertions that test_der.c and test_der_use.c share. */
#ifndef TEST_UNIT_DER_RIG_H
#define TEST_UNIT_DER_RIG_H

#include "test/lib/test.h"
#include "test/lib/vectors.h"

#include "asn1/es10b.h"

#include <stdio.h>

/* One type with every kind, and one that holds itself. */
#define KINDS(X, S) \
    X(S, OPT, OCTETS, octets, "octets", CTX(0), 0, 100000) \
    X(S, OPT, UTF8, text, "text", CTX(1), 0, 4) \
    X(S, OPT, INT, number, "number", CTX(2), ANY_INT) \
    X(S, OPT, BOOL, flag, "flag", CTX(3), 0, 1) \
    X(S, OPT, NULL, null, "null", CTX(4), 0, 0) \
    X(S, OPT, BITS, bits, "bits", CTX(5), 0, 4) \
    X(S, OPT, BITS_PLAIN, plain, "plain", CTX(6), 0, 4) \
    X(S, OPT, BITS_LAX, lax, "lax", CTX(7), 0, 33) \
    X(S, OPT, OID, oid, "oid", CTX(8), 1, 64) \
    X(S, OPT, ANY, any, "any", CTX(9) | CONS, 0, 64) \
    X(S, OPT, CERT, cert, "cert", CTX(10), 0, 70000) \
    X(S, OPT, SPKI, spki, "spki", CTX(11), 0, 400) \
    X(S, DEF(7), INT, seven, "seven", CTX(12), 0, 100) \
    X(S, DEF(true), BOOL, yes, "yes", CTX(13), 0, 1) \
    X(S, OPT, LIST(numbers), numbers, "numbers", CTX(14), 1, 3) \
    X(S, OPT, INT, low, "low", CTX(30), 0, 9) \
    X(S, OPT, INT, edge, "edge", CTX(31), 0, 9) \
    X(S, OPT, INT, two, "two", CTX(128), 0, 9) \
    X(S, OPT, INT, high, "high", CTX(268435455), 0, 9)
#define NUMBERS(X, S) X(S, REQ, INT, v, "number", UNI(2), -5, 5)
#define NODE(X, S)    X(S, OPT, LIST(nodes), children, "children", CTX(0), 0, 2)
#define NODES(X, S)   X(S, REQ, SEQ(node), v, "node", UNI(16), 0, 0)
#define TEST_TYPES(T) \
    T(LIST, numbers, NUMBERS, "Numbers", UNI(16), "test 1", 0) \
    T(SEQUENCE, kinds, KINDS, "Kinds", UNI(16), "test 2", 0) \
    T(LIST, nodes, NODES, "Nodes", UNI(16), "test 3", 0) \
    T(SEQUENCE, node, NODE, "Node", UNI(16), "test 4", 0)
struct node;
TEST_TYPES(DER_DECLARE)
TEST_TYPES(DER_DEFINE)

enum { MEMORY = 1 << 20 };
static struct arena a;
static struct buf text;

static inline int make(void **state)
{
    (void)state;
    arena_init(&a, MEMORY);
    buf_init(&text, MEMORY);
    return 0;
}

static inline int clean(void **state)
{
    (void)state;
    arena_free(&a);
    buf_free(&text);
    return 0;
}

static inline void assert_same(struct slice got, struct slice want)
{
    assert_int_equal(got.n, want.n);
    if (want.n) assert_memory_equal(got.p, want.p, want.n);
}

static inline void assert_hex(struct slice got, const char *hex)
{
    assert_same(got, unhex(&a, hex));
}

static inline void *decode(const struct der_type *t, struct slice in)
{
    struct err e = { 0 };
    void *v = arena_alloc(&a, t->size);
    assert_ok(der_decode(t, in, v, &a, &e));
    return v;
}

static inline const struct kinds *kinds_of(const char *hex)
{
    return decode(&kinds_type, unhex(&a, hex));
}

/* reads_as -- the message means this value, and the standard form of it is `back` (NULL: the same). */
static inline void reads_as(const struct der_type *t, const char *hex, const char *json, const char *back)
{
    struct err e = { 0 };
    json_t *j;
    const void *v = decode(t, unhex(&a, hex));
    buf_reset(&text);
    der_json(t, v, &text);
    assert_false(text.failed);
    buf_put(&text, SLICE("\0"));
    assert_string_equal((const char *)text.p, json);
    assert_hex(der_encode(t, v, &a), back ? back : hex);
    void *w = arena_alloc(&a, t->size);
    assert_ok(json_read(slice_str(json), MEMORY, &j, &e));
    assert_ok(der_from_json(t, j, w, &a, &e));
    json_decref(j);
    assert_hex(der_encode(t, w, &a), back ? back : hex);
}

static inline void refused(const struct der_type *t, const char *hex, enum eim_err code, const char *field, size_t at,
                    const char *clause,
                    const char *why)
{
    struct err e;
    void *v = arena_alloc(&a, t->size);
    assert_refused(code, der_decode(t, unhex(&a, hex), v, &a, &e));
    assert_string_equal(e.field, field);
    assert_true(e.has_at);
    assert_int_equal(e.at, at);
    assert_string_equal(e.clause, clause);
    assert_string_equal(e.why, why);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make, clean)

#endif
