/* identity.h -- who is calling. For now: API tokens, of which `eimd init` makes the first. */
#ifndef TRUST_IDENTITY_H
#define TRUST_IDENTITY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/host.h"

enum role { ROLE_NONE, ROLE_ADMINISTRATOR };

struct principal {
    int64_t tenant, id;                /* tenant 1 is `default` */
    struct slice name;                 /* "token:admin": what the audit log says */
    enum role role;
};

/* identity_bearer -- the principal behind "Authorization: Bearer TOKEN" (the whole header value; empty = none given).
 * E_UNAUTHENTICATED without saying which part was wrong. Blocks for one indexed read. */
MUST enum eim_err identity_bearer(struct host *h, struct slice authorization, struct principal *out, struct arena *a, struct err *e);

/* identity_token_create -- make a random token of tenant 1 with this name and role administrator, store its hash, and give the token's
 * text (NUL-terminated, in the arena): it can't be had again. Blocks. */
MUST enum eim_err identity_token_create(struct host *h, const char *name, char **token, struct arena *a, struct err *e);

/* identity_token_keep -- make sure that a token made earlier, given by its text, is known to the store (which may be another one than
 * then). One that the store has, revoked ones too, is left as it is. E_INVALID: this is no token. Blocks. */
MUST enum eim_err identity_token_keep(struct host *h, const char *name, struct slice token, struct arena *a, struct err *e);

#endif
