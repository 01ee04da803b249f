/* arena.c -- memory of one request, in chunks. Invariant: total <= cap. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 8192 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    _Alignas(16) uint8_t mem[];
};

void arena_init(struct arena *a, size_t cap)
{
    *a = (struct arena){ .cap = cap };
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (a->fail_at && --a->fail_at == 0) return NULL;
    n = n > a->cap ? SIZE_MAX : n ? (n + 15) & ~(size_t)15 : 16;
    if (n > a->cap - a->total) return NULL;
    if (n > a->left) {
        size_t size = n > CHUNK ? n : CHUNK;
        struct arena_chunk *c = malloc(sizeof *c + size);
        if (!c) return NULL;
        c->next = a->head;
        c->size = size;
        a->head = c;
        a->left = size;
    }
    a->left -= n;
    a->total += n;
    return memset(a->head->mem + a->left, 0, n);
}

void *arena_array(struct arena *a, size_t size, size_t n)
{
    return n && size > SIZE_MAX / n ? NULL : arena_alloc(a, size * n);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    uint8_t *p = arena_alloc(a, s.n);
    if (!p) return (struct slice){ 0 };
    if (s.n) memcpy(p, s.p, s.n);
    return (struct slice){ p, s.n };
}

char *arena_str(struct arena *a, struct slice s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (p && s.n) memcpy(p, s.p, s.n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p) return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->head && a->head->size == CHUNK ? a->head : NULL;
    if (keep) a->head = keep->next;
    arena_free(a);
    if (keep) {
        keep->next = NULL;
        a->head = keep;
        a->left = keep->size;
    }
}

void arena_free(struct arena *a)
{
    for (struct arena_chunk *c = a->head; c;) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
    a->head = NULL;
    a->total = a->left = 0;
}
