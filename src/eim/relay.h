/* relay.h -- indirect profile download: who is being asked, in memory. For the files of this room only. */
#ifndef EIM_RELAY_H
#define EIM_RELAY_H

#include "eim/esipa_int.h"

enum { RELAY_ADDRESSES = 256, RELAY_ADDRESS_MAX = 262 };

struct relay_slots {
    pthread_mutex_t lock;              /* guards all below */
    struct { char address[RELAY_ADDRESS_MAX + 1]; int64_t busy; } v[RELAY_ADDRESSES];          /* busy 0: free */
};

void relay_open(struct relay_slots *s);
void relay_close(struct relay_slots *s);

/* relay_handle -- the four functions of an indirect download. Blocks as long as an SM-DP+ takes: on slow threads only. */
void relay_handle(struct esipa_work *w);

/* relay_installed -- a verified ProfileInstallationResult: *ours says whether it belongs to the device's session, which ends, and its order with it. */
MUST enum eim_err relay_installed(struct plan *p, struct tx *t, const struct profile_installation_result *r, bool *ours, struct err *e);

#endif
