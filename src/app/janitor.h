/* janitor.h -- the one thread of periodic work: sweeps expired and timed-out operations, sequences the audit logs, numbers and removes events,
 * counts devices for the metrics. */
#ifndef APP_JANITOR_H
#define APP_JANITOR_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct audit_log;
struct eim;
struct eim_outbox;
struct janitor;
struct host;

/* janitor_start -- begin; looks at up to `rows` devices a second. It lives in `a`; everything it uses outlives it. */
MUST enum eim_err janitor_start(struct janitor **out, struct eim *m, struct host *h, const struct audit_log *log, unsigned rows,
                                struct arena *a, struct err *e);
/* janitor_stop -- end after the turn under way. NULL is harmless. */
void janitor_stop(struct janitor *j);
/* janitor_rows -- another number of rows from the next turn on. Any thread. */
void janitor_rows(struct janitor *j, unsigned rows);
/* janitor_keep -- events older than this are removed from now on; 0 (as at the start): none is. Any thread. */
void janitor_keep(struct janitor *j, int64_t keep_us);
/* janitor_events -- events numbered by this node. Any thread. */
int64_t janitor_events(const struct janitor *j);
/* janitor_devices -- devices of all tenants as last counted, -1 before. Any thread. */
int64_t janitor_devices(const struct janitor *j);
/* janitor_outbox -- the outbox as last counted; false before. Any thread. */
bool janitor_outbox(struct janitor *j, struct eim_outbox *out);

#endif
