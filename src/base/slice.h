/* slice.h -- borrowed bytes.
 *
 * A slice never owns what it points to: the bytes belong to a request's arena, to a receive buffer or to
 * a constant, and live as long as that does. `p` may be NULL only when n is 0. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

/* SLICE -- a slice over a string literal or array, without the closing NUL. */
#define SLICE(lit) ((struct slice){ (const uint8_t *)(lit), sizeof(lit) - 1 })

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){ p, n };
}

/* slice_str -- the bytes of a C string; NULL gives the empty slice. */
static inline struct slice slice_str(const char *s)
{
    return (struct slice){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* slice_line -- cut the first line off *rest; *line is without its newline. False, and nothing is cut, when no newline is left. */
bool slice_line(struct slice *rest, struct slice *line);

/* slice_hex -- write 2*s.n hex digits (lower or upper case) and a NUL to out.
 * out must hold 2*s.n + 1 bytes. */
void slice_hex(struct slice s, bool upper, char *out);

/* slice_unhex -- read hex digits (either case, no spaces) into out, which holds `cap` bytes.
 * Returns the number of bytes written, or -1 if a digit is wrong, their number odd, or cap too small. */
long slice_unhex(struct slice hex, uint8_t *out, size_t cap);

/* slice_to_b64 -- RFC 4648 section 4, padded, NUL-terminated; out holds 4*((n+2)/3)+1 bytes. */
void slice_to_b64(struct slice s, char *out);

/* slice_from_b64 -- strict RFC 4648 section 4 (padding required, no white space) into out of `cap` bytes.
 * Returns the number of bytes, or -1. */
long slice_from_b64(struct slice b64, uint8_t *out, size_t cap);

#endif
