/* quiet.c -- which devices have nothing pending, kept in memory, so that a poll of one of them reads nothing.
 *
 * A fleet polls far more often than anything is to be told. What a poll read of a device's row once is true as long as the store's mark
 * of it is the same (store_device_mark); a change of the row, an order for instance, changes the mark before whoever made it is told.
 * So this is never wrong, only sometimes empty. Buckets of four; a fifth device takes the place of one of them, always the same. */
#include "eim/eim_int.h"

#include "base/mem.h"

enum { BUCKETS = 1 << 18 /* 16 MiB when all are used; a power of two */, WAYS = 4, LOCKS = 64 };

struct entry { int64_t association; uint64_t mark; };

struct quiet {
    pthread_mutex_t locks[LOCKS];                  /* each guards the buckets of its number modulo LOCKS */
    struct entry buckets[BUCKETS][WAYS];
};

enum eim_err quiet_open(struct quiet **out, struct err *e)
{
    struct quiet *q = *out = MEM_NEW(struct quiet);            /* pages that no device needs are never touched */
    if (!q) return fail(e, E_NOMEM, NULL, "no memory for what is known of quiet devices");
    for (int i = 0; i < LOCKS; i++) pthread_mutex_init(&q->locks[i], NULL);
    return OK;
}

void quiet_close(struct quiet *q)
{
    if (!q) return;
    for (int i = 0; i < LOCKS; i++) pthread_mutex_destroy(&q->locks[i]);
    mem_free(q);
}

bool quiet_is(struct quiet *q, int64_t association, uint64_t mark)
{
    size_t i = (size_t)association & (BUCKETS - 1);            /* associations are hashes already */
    bool is = false;
    if (!mark) return false;
    pthread_mutex_lock(&q->locks[i % LOCKS]);
    for (int k = 0; k < WAYS; k++) is |= q->buckets[i][k].association == association && q->buckets[i][k].mark == mark;
    pthread_mutex_unlock(&q->locks[i % LOCKS]);
    return is;
}

void quiet_note(struct quiet *q, int64_t association, uint64_t mark)
{
    size_t i = (size_t)association & (BUCKETS - 1), way = (size_t)association / BUCKETS % WAYS;
    if (!mark) return;
    pthread_mutex_lock(&q->locks[i % LOCKS]);
    for (size_t k = WAYS; k--;)
        if (!q->buckets[i][k].association) way = k;
    for (size_t k = 0; k < WAYS; k++)
        if (q->buckets[i][k].association == association) way = k;
    q->buckets[i][way] = (struct entry){ association, mark };
    pthread_mutex_unlock(&q->locks[i % LOCKS]);
}
