/* access.h -- who may do what: the one place that decides. Default deny.
 *
 * Every route row, and later every composite step, names its permission here. */
#ifndef TRUST_ACCESS_H
#define TRUST_ACCESS_H

#include "trust/identity.h"

/*   permission              name                what it allows */
#define PERMISSIONS(X)                                                                              \
    X(PERM_NONE,             "none",             "nothing needed (health)")                         \
    X(PERM_DEVICE_READ,      "device_read",      "see devices, profiles and their evidence")        \
    X(PERM_DEVICE_ENROL,     "device_enrol",     "enrol devices")                                   \
    X(PERM_DEVICE_REMOVE,    "device_remove",    "remove devices")                                  \
    X(PERM_OPERATION_READ,   "operation_read",   "see operations")                                  \
    X(PERM_OPERATION_CREATE, "operation_create", "order operations on devices")                     \
    X(PERM_OPERATION_CANCEL, "operation_cancel", "cancel operations")                               \
    X(PERM_OVERRIDE,         "override",         "override invariant I6 by name")                   \
    X(PERM_NOTIFICATION_READ, "notification_read", "see notifications on their way to an SM-DP+")   \
    X(PERM_NOTIFICATION_CHANGE, "notification_change", "order another try of a notification, or drop it") \
    X(PERM_EIM_READ,         "eim_read",         "see the eIM's own configuration")                 \
    X(PERM_AUDIT_READ,       "audit_read",       "read the audit log")                              \
    X(PERM_METRICS,          "metrics",          "read metrics")
enum permission {
#define X(name, word, text) name,
    PERMISSIONS(X)
#undef X
    PERM_END
};
const char *permission_name(enum permission p);    /* "device_read" */
const char *permission_text(enum permission p);

/* access_check -- OK, or E_FORBIDDEN naming the permission that is missing. p NULL: nobody; only PERM_NONE is allowed. */
MUST enum eim_err access_check(const struct principal *p, enum permission perm, struct err *e);

#endif
