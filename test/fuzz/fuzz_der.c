/* fuzz_der.c -- the DER engine on hostile input: the first octet chooses the type, the rest is the message.
 *
 * What decodes must encode (as it came or not), and from then on nothing may change: decoding what was encoded and
 * encoding it again gives the same bytes, and so does the way through JSON. What is refused must say why, and where. */
#include "test/fuzz/replay.h"

#include "asn1/der.h"

#include <stdlib.h>

enum { MEMORY = 32 << 20, TEXT = 16 << 20 };

static void must(bool promise)
{
    if (!promise) abort();
}

static const struct der_type *chosen(uint8_t first)
{
    size_t count = 0;
    while (der_types[count]) count++;
    return der_types[first % count];
}

static void through_json(const struct der_type *t, const void *v, struct slice want, struct arena *a)
{
    struct buf text;
    struct err e = { 0 };
    json_t *j = NULL;
    void *w = arena_alloc(a, t->size);
    buf_init(&text, TEXT);
    der_json(t, v, &text);
    must(w && !text.failed);
    must(json_read(buf_slice(&text), TEXT, &j, &e) == OK);
    must(der_from_json(t, j, w, a, &e) == OK);
    must(slice_eq(der_encode(t, w, a), want));
    json_decref(j);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1) return 0;
    const struct der_type *t = chosen(p[0]);
    struct arena a;
    struct err e = { 0 };
    arena_init(&a, MEMORY);
    void *v = arena_alloc(&a, t->size), *w = arena_alloc(&a, t->size);
    must(v && w);
    enum eim_err rc = der_decode(t, (struct slice){ p + 1, n - 1 }, v, &a, &e);
    if (rc == OK) {
        struct slice one = der_encode(t, v, &a);
        must(one.p);
        must(der_decode(t, one, w, &a, &e) == OK);
        must(slice_eq(der_encode(t, w, &a), one));
        through_json(t, w, one, &a);
    } else {
        must(rc == E_MALFORMED || rc == E_UNKNOWN_TYPE);
        must(e.code == rc && e.has_at && e.at < n && e.clause && e.field[0] && e.why[0]);
    }
    arena_free(&a);
    return 0;
}
