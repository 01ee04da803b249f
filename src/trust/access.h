/* access.h -- who may do what: the one place that decides. Default deny.
 *
 * Every route row, and later every composite step, names its permission here. */
#ifndef TRUST_ACCESS_H
#define TRUST_ACCESS_H

#include "trust/identity.h"

/*   permission              what it allows */
#define PERMISSIONS(X)                                                              \
    X(PERM_NONE,             "nothing needed (health)")                             \
    X(PERM_DEVICE_READ,      "see devices, profiles and their evidence")            \
    X(PERM_DEVICE_ENROL,     "enrol devices")                                       \
    X(PERM_DEVICE_REMOVE,    "remove devices")                                      \
    X(PERM_OPERATION_READ,   "see operations")                                      \
    X(PERM_OPERATION_CREATE, "order operations on devices")                         \
    X(PERM_OPERATION_CANCEL, "cancel operations")                                   \
    X(PERM_OVERRIDE,         "override invariant I6 by name")                       \
    X(PERM_EIM_READ,         "see the eIM's own configuration")                     \
    X(PERM_AUDIT_READ,       "read the audit log")                                  \
    X(PERM_METRICS,          "read metrics")
enum permission {
#define X(name, text) name,
    PERMISSIONS(X)
#undef X
    PERM_END
};
const char *permission_name(enum permission p);    /* "device_read" */
const char *permission_text(enum permission p);

/* access_check -- OK, or E_FORBIDDEN naming the permission that is missing. p NULL: nobody; only PERM_NONE is allowed. */
MUST enum eim_err access_check(const struct principal *p, enum permission perm, struct err *e);

#endif
