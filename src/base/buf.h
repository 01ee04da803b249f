/* buf.h -- a growable buffer with a mandatory ceiling.
 *
 * Writes after the ceiling is reached (or memory is gone) are dropped and `failed` stays set, so a writer
 * checks once, at the end. Owns its memory; buf_free gives it back. Not thread-safe. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n, room, cap;               /* used, allocated, ceiling */
    bool failed;
};

/* buf_init -- empty, may grow to `cap` bytes. Allocates nothing yet. */
void buf_init(struct buf *b, size_t cap);
void buf_put(struct buf *b, struct slice s);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* buf_reset -- forget the content, keep the memory and the ceiling. */
void buf_reset(struct buf *b);
/* buf_free -- give the memory back; harmless on a zeroed buffer. */
void buf_free(struct buf *b);
static inline struct slice buf_slice(const struct buf *b) { return (struct slice){ b->p, b->n }; }

#endif
