/* buf.c -- growable buffer with a ceiling. Invariant: n <= room <= cap. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){ .cap = cap };
}

static bool reserve(struct buf *b, size_t more)
{
    if (b->failed) return false;
    if (more <= b->room - b->n) return true;
    if (more > b->cap - b->n) return !(b->failed = true);
    size_t want = b->room ? b->room * 2 : 256;
    if (want < b->n + more) want = b->n + more;
    if (want > b->cap) want = b->cap;
    uint8_t *p = realloc(b->p, want);
    if (!p) return !(b->failed = true);
    b->p = p;
    b->room = want;
    return true;
}

void buf_put(struct buf *b, struct slice s)
{
    if (!s.n || !reserve(b, s.n)) return;
    memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
}

void buf_str(struct buf *b, const char *s)
{
    buf_put(b, slice_str(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    size_t left = b->room - b->n;                  /* mostly it fits as it is, and is formatted once */
    va_start(ap, fmt);
    int n = vsnprintf(left ? (char *)b->p + b->n : NULL, left, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(b, (size_t)n + 1)) {
        b->failed = true;
        return;
    }
    if ((size_t)n >= left) {
        va_start(ap, fmt);
        vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

void buf_free(struct buf *b)
{
    free(b->p);
    b->p = NULL;
    b->n = b->room = 0;
}
