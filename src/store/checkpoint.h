/* checkpoint.h -- keeps the write-ahead log of an SQLite database short without keeping its writer waiting. */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/err.h"

struct checkpointer;

/* checkpoint_start -- `pages`: the length of the log at which it should begin anew. With `thread` the copying is done on a
 * thread and a connection of its own to the file at `path`; without, in checkpoint_rest. E_STORE, E_NOMEM; then *out is NULL. */
MUST enum eim_err checkpoint_start(struct checkpointer **out, const char *path, int pages, bool thread, struct err *e);
/* checkpoint_stop -- wait for a running one, end the thread. NULL is harmless. */
void checkpoint_stop(struct checkpointer *c);
/* checkpoint_rest -- the writer's connection is between two transactions and its log has this many pages. Returns at once, or after
 * a short copy at the end of a long log; errors are left for the next time (the log only stays longer). */
void checkpoint_rest(struct checkpointer *c, sqlite3 *writer, int wal_pages);

#endif
