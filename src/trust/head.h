/* head.h -- the text of an audit log's tree head: a C2SP checkpoint (c2sp.org/tlog-checkpoint), of three lines: origin, size, root. */
#ifndef TRUST_HEAD_H
#define TRUST_HEAD_H

#include "base/arena.h"
#include "trust/merkle.h"

/* audit_head_text -- the text of a checkpoint. audit_head_parse -- its inverse, over the text of a note that was opened; borrows `origin`.
 * E_MALFORMED when it is none. */
MUST enum eim_err audit_head_text(const char *name, struct slice tenant, uint64_t size, const struct merkle_hash *root, struct slice *text,
                                  struct arena *a, struct err *e);
MUST enum eim_err audit_head_parse(struct slice text, struct slice *origin, uint64_t *size, struct merkle_hash *root, struct err *e);

#endif
