/* pool.h -- activation codes on their way from a pool to a download and back. For the files of this room only. */
#ifndef EIM_POOL_H
#define EIM_POOL_H

#include "eim/plan.h"

/* An activation code taken apart (SGP.22 4.1); `whole` is without "LPA:". */
struct code_parts { struct slice whole, address, matching, oid; bool confirmation; };
/* code_parse -- E_INVALID says which part is wrong, and shows nothing of it. `field` names where it stood. */
MUST enum eim_err code_parse(struct slice text, const char *field, struct code_parts *out, struct err *e);

/* pool_take -- reserve a free code of a pool with this operator and profile type for the operation o, whose request it becomes: in one
 * transaction with the order, so that it is handed out once whatever happens. E_NOT_FOUND: there is no such pool; E_STATE: none is free. */
struct pool_want { struct slice operator_name, profile_type; };
/* What a download is of: `code`, with the digest of its confirmation code if it has one; or (code empty) of a pool that `want` names. */
struct download_of { struct slice code, confirmation; struct pool_want want; };
MUST enum eim_err pool_take(struct tx *t, struct eim *m, struct slice principal, const struct pool_want *w, struct operation *o, struct arena *a,
                            struct err *e);

/* pool_judge -- is it low now? When that changed: written, with an audit entry. pool_move -- a code by the table; E_STATE when it has no such
 * move. Both: the pool's row is ours. */
MUST enum eim_err pool_judge(struct tx *t, struct eim *m, struct code_pool *p, struct arena *a, struct err *e);
MUST enum eim_err pool_move(struct tx *t, struct eim *m, struct activation_code *c, enum code_event ev, struct slice principal, struct arena *a,
                            struct err *e);

/* pool_follow -- a download moved: its code, if it is one of a pool, moves with it; at its end its operation forgets every code. In the transaction
 * that writes the move. */
MUST enum eim_err pool_follow(struct tx *t, struct eim *m, const struct operation *o, struct arena *a, struct err *e);
/* pool_forget -- a device is removed: what was reserved for it is free again. */
MUST enum eim_err pool_forget(struct tx *t, struct eim *m, int64_t association, struct slice principal, struct arena *a, struct err *e);

/* download_request -- the trigger of an activation code; p NULL: it cannot be encoded. */
struct slice download_request(struct slice code, struct arena *a);

#endif
