/* forward.h -- the outbox's state in memory: which SM-DP+ is busy, and which does not answer. For the files of this room only. */
#ifndef EIM_FORWARD_H
#define EIM_FORWARD_H

#include "eim/eim_int.h"

enum {
    FORWARD_ADDRESSES = 256,                       /* addresses remembered; beyond it the one unused longest is forgotten */
    FORWARD_ADDRESS_MAX = 262,                     /* octets of a host name and a port; of what is no address, the first of them */
    FORWARD_AFTER_MAX = 4 * SGP22_TEXT,            /* octets of anything that a notification may hold in its place */
};

struct forward_slot {
    char address[FORWARD_ADDRESS_MAX + 1];         /* "": free */
    unsigned busy;                                 /* notifications under way to it */
    unsigned failures;                             /* attempts in a row without an answer */
    int64_t pause_us;                              /* nothing is sent before this */
    int64_t used_us;
};

struct forward {
    pthread_mutex_t lock;                          /* guards all below */
    struct forward_slot slots[FORWARD_ADDRESSES];
    uint8_t after[FORWARD_AFTER_MAX];              /* the address looked at last: turns go round */
    size_t after_n;
};

void forward_open(struct forward *f);
void forward_close(struct forward *f);

#endif
