/* access.c -- who may do what: default deny, one table of permissions, one role so far. */
#include "trust/access.h"

static const struct { const char *name, *text; } permissions[PERM_END] = {
#define X(perm, name, text) [perm] = { name, text },
    PERMISSIONS(X)
#undef X
};

const char *permission_name(enum permission p)
{
    return (unsigned)p < PERM_END ? permissions[p].name : "?";
}

const char *permission_text(enum permission p)
{
    return (unsigned)p < PERM_END ? permissions[p].text : "?";
}

enum eim_err access_check(const struct principal *p, enum permission perm, struct err *e)
{
    if ((unsigned)perm < PERM_END) {
        if (perm == PERM_NONE) return OK;
        if (p && p->role == ROLE_ADMINISTRATOR) return OK;
    }
    return fail(e, E_FORBIDDEN, NULL, "the permission %s is needed: %s", permission_name(perm), permission_text(perm));
}
