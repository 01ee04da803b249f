/* access.h -- who may do what: the one place that decides. Default deny.
 *
 * Every route row, and later every composite step, names its permission here. A role is a set of permissions: six are built in, more can be
 * made by a tenant. Nobody gives away what he does not have: a role or token can be made only by whom already may all that it allows. */
#ifndef TRUST_ACCESS_H
#define TRUST_ACCESS_H

#include "trust/identity.h"

/*   permission              name                what it allows */
#define PERMISSIONS(X)                                                                              \
    X(PERM_NONE,             "none",             "nothing needed (health)")                         \
    X(PERM_DEVICE_READ,      "device_read",      "see devices, profiles and their evidence")        \
    X(PERM_DEVICE_ENROL,     "device_enrol",     "enrol devices")                                   \
    X(PERM_DEVICE_CHANGE,    "device_change",    "say how devices are reached")                     \
    X(PERM_DEVICE_REMOVE,    "device_remove",    "remove devices")                                  \
    X(PERM_QUARANTINE,       "quarantine",       "put devices into quarantine and let them out")    \
    X(PERM_ROTATE,           "rotate",           "give devices another signing key or TLS trust")           \
    X(PERM_QUIRK_MANAGE,     "quirk_manage",     "say which kinds of devices deviate from the specification") \
    X(PERM_HANDOVER,         "handover",         "give devices to another eIM")                     \
    X(PERM_OPERATION_READ,   "operation_read",   "see operations")                                  \
    X(PERM_OPERATION_CREATE, "operation_create", "order operations on devices")                     \
    X(PERM_OPERATION_CANCEL, "operation_cancel", "cancel operations")                               \
    X(PERM_OVERRIDE,         "override",         "override invariant I6 by name")                   \
    X(PERM_NOTIFICATION_READ, "notification_read", "see notifications on their way to an SM-DP+")   \
    X(PERM_NOTIFICATION_CHANGE, "notification_change", "order another try of a notification, or drop it") \
    X(PERM_SMDP_READ,        "smdp_read",        "see SM-DP+ accounts")                             \
    X(PERM_SMDP_MANAGE,      "smdp_manage",      "make, change and remove SM-DP+ accounts")         \
    X(PERM_POOL_READ,        "pool_read",        "see pools of activation codes, never a code")     \
    X(PERM_POOL_MANAGE,      "pool_manage",      "make, fill and remove pools of activation codes") \
    X(PERM_EVENT_READ,       "event_read",       "read the event log")                              \
    X(PERM_EIM_READ,         "eim_read",         "see the eIM's own configuration")                 \
    X(PERM_AUDIT_READ,       "audit_read",       "read the audit log")                              \
    X(PERM_EVIDENCE_EXPORT,  "evidence_export",  "take out the proofs of all devices")              \
    X(PERM_INVENTORY_EXPORT, "inventory_export", "take out the whole inventory, counters and association tokens too") \
    X(PERM_TOKEN_READ,       "token_read",       "see API tokens, never their secrets")             \
    X(PERM_TOKEN_MANAGE,     "token_manage",     "make and revoke API tokens")                      \
    X(PERM_ROLE_READ,        "role_read",        "see roles and explain access")                    \
    X(PERM_ROLE_MANAGE,      "role_manage",      "make, change and remove roles")                   \
    X(PERM_SELF,             "self",             "see who one is")                                  \
    X(PERM_METRICS,          "metrics",          "read metrics")
enum permission {
#define X(name, word, text) name,
    PERMISSIONS(X)
#undef X
    PERM_END
};
const char *permission_name(enum permission p);    /* "device_read" */
const char *permission_text(enum permission p);
/* permission_named -- PERM_END when there is none of that name. */
enum permission permission_named(struct slice name);
#define PERM_BIT(p) (UINT64_C(1) << (p))
_Static_assert(PERM_END <= 64, "a set of permissions is one word");

/* Built-in roles: name, what for. What each allows stands in access.c. */
#define ROLES(X)                                                                                    \
    X(viewer,           "sees devices and operations")                                              \
    X(operator,         "enrols devices, orders and cancels operations")                            \
    X(approver,         "sees what is to be approved")                                              \
    X(policy_author,    "sees what policies are made of")                                           \
    X(security_officer, "roles, tokens and the audit log")                                          \
    X(administrator,    "everything")

struct role {
    struct slice name, text;           /* text: what for; empty for a tenant's own */
    uint64_t may;
    bool built_in;
};
/* access_role -- a role of a tenant by name: a built-in one without asking the store, else the tenant's own. E_NOT_FOUND. */
MUST enum eim_err access_role(struct host *h, int64_t tenant, struct slice name, struct role *out, struct arena *a, struct err *e);
struct roles { struct role *v; size_t n; };
/* access_roles -- the built-in ones, then the tenant's own by name. */
MUST enum eim_err access_roles(struct host *h, int64_t tenant, struct roles *out, struct arena *a, struct err *e);
enum { ROLES_OWN_MAX = 1000 };
/* access_role_put, access_role_delete -- make or change, and remove, an own role of the caller's tenant, with the audit entry. Tokens that
 * have the role follow at once. E_INVALID: the name (1 to 64 of [a-z0-9_]); E_STATE: a built-in role; E_FORBIDDEN: it would allow, or
 * allows, what the caller may not do; E_LIMIT; E_NOT_FOUND. */
MUST enum eim_err access_role_put(struct host *h, const struct principal *p, struct slice name, uint64_t may, struct arena *a, struct err *e);
MUST enum eim_err access_role_delete(struct host *h, const struct principal *p, struct slice name, struct err *e);

/* access_gives -- may the caller hand out these permissions? E_FORBIDDEN names the first that he lacks. */
MUST enum eim_err access_gives(const struct principal *p, uint64_t may, struct err *e);

/* access_check -- OK, or E_FORBIDDEN naming the permission that is missing. p NULL: nobody; only PERM_NONE is allowed. */
MUST enum eim_err access_check(const struct principal *p, enum permission perm, struct err *e);

#endif
