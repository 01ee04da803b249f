/* interop.c -- observations of makers' IPAs and cards, by maker, kind and message. */
#include "eim/interop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BEFORE = 16 };

struct interop {
    pthread_mutex_t lock;              /* guards all below */
    struct interop_row v[INTEROP_ROWS];
    size_t n;
    int64_t dropped;
};

static const struct { const char *name, *clause, *what; } kinds[INTEROP_END] = {
#define X(id, name_, clause_, what_) [id] = { name_, clause_, what_ },
    INTEROP_KINDS(X)
#undef X
};

const char *interop_name(enum interop_kind k) { return kinds[k].name; }
const char *interop_clause(enum interop_kind k) { return kinds[k].clause; }
const char *interop_meaning(enum interop_kind k) { return kinds[k].what; }

enum eim_err interop_open(struct interop **out, struct err *e)
{
    *out = MEM_NEW(struct interop);
    if (!*out) return fail(e, E_NOMEM, NULL, "no memory for observations");
    pthread_mutex_init(&(*out)->lock, NULL);
    return OK;
}

void interop_close(struct interop *i)
{
    if (!i) return;
    pthread_mutex_destroy(&i->lock);
    mem_free(i);
}

static struct interop_row *row_of(struct interop *i, const char *maker, enum interop_kind kind, const char *message)
{
    for (size_t k = 0; k < i->n; k++)
        if (i->v[k].kind == kind && !strcmp(i->v[k].maker, maker) && !strcmp(i->v[k].message, message)) return &i->v[k];
    return NULL;
}

void interop_note(struct interop *i, int64_t now_us, const struct eid *eid, enum interop_kind kind, const char *message, struct slice raw, int64_t offset)
{
    char digits[33], maker[INTEROP_MAKER + 1];
    eid_print(eid, digits);
    memcpy(maker, digits, INTEROP_MAKER);
    maker[INTEROP_MAKER] = 0;
    pthread_mutex_lock(&i->lock);
    struct interop_row *r = row_of(i, maker, kind, message ? message : "?");
    if (!r && i->n == INTEROP_ROWS) i->dropped++;
    if (!r && i->n < INTEROP_ROWS) {
        size_t from = offset > BEFORE ? (size_t)offset - BEFORE : 0;
        r = &i->v[i->n++];
        *r = (struct interop_row){ .kind = kind, .message = message ? message : "?", .first_us = now_us, .example = *eid, .offset = offset };
        memcpy(r->maker, maker, sizeof maker);
        if (offset >= 0 && from < raw.n) {
            r->noctets = raw.n - from < INTEROP_OCTETS ? raw.n - from : INTEROP_OCTETS;
            memcpy(r->octets, raw.p + from, r->noctets);
        }
    }
    if (r) {
        r->count++;
        r->last_us = now_us;
    }
    pthread_mutex_unlock(&i->lock);
}

struct interop_row *interop_list(struct interop *i, size_t *n, int64_t *dropped, struct arena *a)
{
    struct interop_row *copy = ARENA_ARRAY(a, struct interop_row, INTEROP_ROWS);
    if (!copy) return NULL;
    pthread_mutex_lock(&i->lock);
    *n = i->n;
    *dropped = i->dropped;
    memcpy(copy, i->v, i->n * sizeof *copy);
    pthread_mutex_unlock(&i->lock);
    return copy;
}
