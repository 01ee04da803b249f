/* contacts.c -- when each device was last heard, kept in memory and written in batches.
 *
 * An empty poll must cost one indexed read and no write (design 3), yet every poll is a contact. So contacts gather in a hash table
 * by association and the janitor writes them, sorted, a minute late at most: sorted, because neighbours then fall into the same
 * pages of a table that is otherwise touched at random. A crash loses at most that minute, which the design allows.
 *
 * Two tables: one gathers while the other is being written. Open addressing, linear probing, never resized. */
#include "eim/eim_int.h"

#include <stdlib.h>

enum {
    SLOTS = 1 << 18,                               /* per table: 4 MiB; a power of two */
    FULL = SLOTS / 4 * 3,                          /* beyond it contacts are dropped until the next flush (I7) */
    BATCH = 1000,                                  /* rows of one write job, so that results do not wait behind it */
};

struct table {
    struct contact *v;
    size_t n;
};

struct contacts {
    struct arena memory;
    pthread_mutex_t lock;                          /* guards which table gathers, and its content */
    struct table tables[2];
    unsigned gathering;
};

enum eim_err contacts_open(struct contacts **out, struct err *e)
{
    struct arena memory;
    arena_init(&memory, sizeof(struct contacts) + 2 * (size_t)SLOTS * sizeof(struct contact) + 4096);
    struct contacts *c = ARENA_NEW(&memory, struct contacts);
    struct contact *a = ARENA_ARRAY(&memory, struct contact, SLOTS), *b = ARENA_ARRAY(&memory, struct contact, SLOTS);
    if (!c || !a || !b) {
        arena_free(&memory);
        return fail(e, E_NOMEM, NULL, "no memory for contacts");
    }
    *c = (struct contacts){ .memory = memory, .tables = { { a, 0 }, { b, 0 } } };
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return OK;
}

void contacts_close(struct contacts *c)
{
    if (!c) return;
    pthread_mutex_destroy(&c->lock);
    struct arena memory = c->memory;
    arena_free(&memory);
}

static struct contact *slot_of(struct table *t, int64_t association)
{
    size_t i = (size_t)association & (SLOTS - 1);  /* associations are hashes already */
    while (t->v[i].association && t->v[i].association != association) i = (i + 1) & (SLOTS - 1);
    return &t->v[i];
}

void contacts_note(struct contacts *c, int64_t association, int64_t now_us)
{
    pthread_mutex_lock(&c->lock);
    struct table *t = &c->tables[c->gathering];
    struct contact *s = slot_of(t, association);
    if (s->association || t->n < FULL) {
        t->n += !s->association;
        s->association = association;
        if (now_us > s->seen_us) s->seen_us = now_us;
    }
    pthread_mutex_unlock(&c->lock);
}

int64_t contacts_seen(struct contacts *c, int64_t association)
{
    pthread_mutex_lock(&c->lock);
    int64_t seen = slot_of(&c->tables[c->gathering], association)->seen_us;
    pthread_mutex_unlock(&c->lock);
    return seen;
}

bool contacts_crowded(struct contacts *c)
{
    pthread_mutex_lock(&c->lock);
    bool crowded = c->tables[c->gathering].n > FULL / 2;
    pthread_mutex_unlock(&c->lock);
    return crowded;
}

static int by_association(const void *a, const void *b)
{
    int64_t x = ((const struct contact *)a)->association, y = ((const struct contact *)b)->association;
    return x < y ? -1 : x > y;
}

struct flush_job {
    struct store_job job;
    const struct contact *v;
    size_t n;
};

static enum eim_err flush_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct flush_job *f = (struct flush_job *)job;
    return store_contact_put(t, f->v, f->n, e);
}

enum eim_err contacts_flush(struct contacts *c, struct store *s, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    struct table *full = &c->tables[c->gathering];
    size_t n = full->n;
    if (n) c->gathering ^= 1;                      /* the other table is empty: only this function empties them, one caller at a time */
    pthread_mutex_unlock(&c->lock);
    if (!n) return OK;

    size_t used = 0;
    for (size_t i = 0; i < SLOTS; i++)
        if (full->v[i].association) full->v[used++] = full->v[i];
    qsort(full->v, used, sizeof *full->v, by_association);
    enum eim_err rc = OK;
    for (size_t at = 0; at < used; at += BATCH) {
        struct flush_job f = { .job = { .apply = flush_apply }, .v = full->v + at, .n = used - at < BATCH ? used - at : BATCH };
        if (rc == OK) rc = store_run(s, &f.job, e);
        if (rc != OK)                              /* the store is away: keep them for the next turn */
            for (size_t i = 0; i < f.n; i++) contacts_note(c, f.v[i].association, f.v[i].seen_us);
    }
    memset(full->v, 0, SLOTS * sizeof *full->v);
    full->n = 0;
    return rc;
}
