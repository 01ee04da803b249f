/* arena.h -- memory of one request: allocated piece by piece, freed at once.
 *
 * Not thread-safe: an arena belongs to one thread at a time. Every arena names its ceiling (invariant I7);
 * reaching it gives NULL, which callers turn into E_NOMEM. Nothing is ever given back singly. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    size_t cap;                        /* configuration: most bytes it may ever hand out */
    size_t total, left;                /* state: handed out so far; free in the newest chunk */
    struct arena_chunk *head;
    long fail_at;                      /* tests only: the Nth allocation from now fails (0 = never) */
};

/* arena_init -- an empty arena that hands out at most `cap` bytes. Allocates nothing yet. */
void arena_init(struct arena *a, size_t cap);

/* arena_alloc -- n zeroed bytes, 16-byte aligned; NULL when the ceiling or the machine's memory is reached.
 * n == 0 gives a valid pointer to no bytes. */
void *arena_alloc(struct arena *a, size_t n);

/* arena_copy -- the slice's bytes copied into the arena; {NULL,0} when there is no room. */
struct slice arena_copy(struct arena *a, struct slice s);

/* arena_str -- the slice as a NUL-terminated string in the arena; NULL when there is no room. */
char *arena_str(struct arena *a, struct slice s);

/* arena_printf -- a formatted string in the arena; NULL when there is no room. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* arena_reset -- give everything back; the arena can be used again with the same ceiling.
 * The newest chunk is kept, so a reused arena seldom calls malloc. */
void arena_reset(struct arena *a);

/* arena_free -- give everything back. A zeroed or freed arena is a harmless no-op. */
void arena_free(struct arena *a);

#define ARENA_NEW(a, type)     ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_array((a), sizeof(type), (n)))

/* arena_array -- n objects of `size` bytes, zeroed; NULL on overflow or when there is no room. */
void *arena_array(struct arena *a, size_t size, size_t n);

#endif
