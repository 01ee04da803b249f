/* injection.h -- how a device that can be reached is reached (SGP.32 3.1.1.2): plain data. */
#ifndef MODEL_INJECTION_H
#define MODEL_INJECTION_H

#include "base/slice.h"

enum injection_binding { INJECT_ASN1, INJECT_JSON };

struct injection {
    /* configuration, given by a person */
    int64_t association, tenant;
    struct slice address;                          /* HOST[:PORT] of the IPA's HTTPS server, or coaps://HOST[:PORT] */
    enum injection_binding binding;
    struct slice trust;                            /* PEM: a CA of its certificate, or that certificate itself */
    /* state */
    int64_t version;                               /* raised by every write */
    int64_t due_us;                                /* when the next push is tried; INT64_MAX: nothing to push, or left to the device's next poll */
    int64_t lease_us;                              /* a push is under way until then at the latest; 0: none */
    int64_t tries;                                 /* pushes in a row that failed */
    int64_t tried_us, reached_us;                  /* the last push, and the last one that was answered; 0 = never */
    struct slice why;                              /* why the last one failed, a sentence; empty: it did not */
};

#endif
