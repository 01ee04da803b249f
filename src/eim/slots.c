/* slots.c -- places for calls to SM-DP+. */
#include "eim/slots.h"

#include <string.h>

void slots_open(struct slots *s) { pthread_mutex_init(&s->lock, NULL); }
void slots_close(struct slots *s) { pthread_mutex_destroy(&s->lock); }

/* The address's place, or a free one for it, or -1. */
static int place_of(const struct slots *s, const char *address)
{
    int empty = -1;
    for (int i = 0; i < SLOT_ADDRESSES; i++) {
        if (s->v[i].busy && !strcmp(s->v[i].address, address)) return i;
        if (!s->v[i].busy && empty < 0) empty = i;
    }
    return empty;
}

int slots_take(struct slots *s, const char *address, int64_t most, int64_t all)
{
    size_t n = strnlen(address, SLOT_ADDRESS_MAX + 1);
    if (n > SLOT_ADDRESS_MAX) return -1;
    pthread_mutex_lock(&s->lock);
    int i = place_of(s, address);
    if (i >= 0 && (s->v[i].busy >= most || s->v[i].busy >= all - s->busy)) i = -1;
    if (i >= 0) {
        if (!s->v[i].busy) memcpy(s->v[i].address, address, n + 1);
        s->v[i].busy++;
        s->busy++;
    }
    pthread_mutex_unlock(&s->lock);
    return i;
}

void slots_give(struct slots *s, int place)
{
    pthread_mutex_lock(&s->lock);
    s->v[place].busy--;
    s->busy--;
    pthread_mutex_unlock(&s->lock);
}
