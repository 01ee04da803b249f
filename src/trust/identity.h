/* identity.h -- who is calling. For now: API tokens, of which `eimd init` makes the first.
 *
 * A token belongs to a tenant and has one role. It is shown once and kept as a hash; it may expire, and it can be revoked at once. */
#ifndef TRUST_IDENTITY_H
#define TRUST_IDENTITY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/host.h"
#include "store/store.h"

struct principal {
    int64_t tenant, id;                /* tenant 1 is `default` */
    struct slice name;                 /* "token:admin": what the audit log says */
    struct slice role;
    uint64_t may;                      /* bits of enum permission: what the role allowed when the principal was made */
};

/* identity_bearer -- the principal behind "Authorization: Bearer TOKEN" (the whole header value; empty = none given).
 * E_UNAUTHENTICATED without saying which part was wrong. Blocks for one indexed read, and a second one when the role is no built-in one.
 * That the token was used is noted in the store, about once a minute, without waiting. */
MUST enum eim_err identity_bearer(struct host *h, struct slice authorization, struct principal *out, struct arena *a, struct err *e);

/* identity_token_create -- make a random token of tenant 1 with this name and role administrator, store its hash, and give the token's
 * text (NUL-terminated, in the arena): it can't be had again. Blocks. */
MUST enum eim_err identity_token_create(struct host *h, const char *name, char **token, struct arena *a, struct err *e);

/* identity_token_order -- what POST /v1/tokens does: a token of the caller's tenant, with its audit entry. `name` is 1 to 64 of [a-z0-9._-];
 * expires_us 0: never. The text is given once, in *token. E_INVALID; E_NOT_FOUND: no such role; E_FORBIDDEN: the role allows what the caller may not do. */
MUST enum eim_err identity_token_order(struct host *h, const struct principal *p, struct slice name, struct slice role, int64_t expires_us,
                                       struct token *out, char **token, struct arena *a, struct err *e);
MUST enum eim_err identity_tokens(struct host *h, const struct principal *p, int64_t before, unsigned limit, struct token_list *out,
                                  struct arena *a, struct err *e);
/* identity_token_revoke -- it is refused from now on, on every node. E_NOT_FOUND: not of this tenant; E_STATE: revoked before. */
MUST enum eim_err identity_token_revoke(struct host *h, const struct principal *p, int64_t id, struct err *e);

/* identity_token_keep -- make sure that a token made earlier, given by its text, is known to the store (which may be another one than
 * then). One that the store has, revoked ones too, is left as it is. E_INVALID: this is no token. Blocks. */
MUST enum eim_err identity_token_keep(struct host *h, const char *name, struct slice token, struct arena *a, struct err *e);

#endif
