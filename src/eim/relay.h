/* relay.h -- indirect profile download. For the files of this room only. */
#ifndef EIM_RELAY_H
#define EIM_RELAY_H

#include "eim/esipa_int.h"

/* relay_handle -- the four functions of an indirect download. Blocks as long as an SM-DP+ takes: on slow threads only. */
void relay_handle(struct esipa_work *w);

/* relay_installed -- a verified ProfileInstallationResult: *ours says whether it belongs to the device's session, which ends, and its order with it. */
MUST enum eim_err relay_installed(struct plan *p, struct tx *t, const struct profile_installation_result *r, bool *ours, struct err *e);

#endif
