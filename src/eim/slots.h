/* slots.h -- how many calls to one SM-DP+ may be under way at a time, so that one that hangs slows nobody else. For the files of this room and tests.
 *
 * A call holds a thread as long as the server takes. An address may hold as many as its account says, and never more than half of what
 * the others leave: whatever k servers hang, 1/(k+1) of the threads stays free for the rest. */
#ifndef EIM_SLOTS_H
#define EIM_SLOTS_H

#include <pthread.h>
#include <stdint.h>

enum { SLOT_ADDRESSES = 256, SLOT_ADDRESS_MAX = 262 };

struct slots {
    pthread_mutex_t lock;              /* guards all below */
    int64_t busy;                      /* sum over v[] */
    struct { char address[SLOT_ADDRESS_MAX + 1]; int64_t busy; } v[SLOT_ADDRESSES];            /* busy 0: free */
};

void slots_open(struct slots *s);
void slots_close(struct slots *s);

/* slots_take -- a place for one call: `most` to this address, `all` to all of them. -1: not now. slots_give -- the call is over. Any thread. */
int slots_take(struct slots *s, const char *address, int64_t most, int64_t all);
void slots_give(struct slots *s, int place);

#endif
