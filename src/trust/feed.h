/* feed.h -- the tenants' event logs: events get their numbers, are read by number, and go when they are old.
 *
 * An event is written by trust/event.h in the transaction that did what it tells, and waits. A turn takes what waits and numbers it: 1, 2, 3,
 * ... without gaps, for ever. A transaction that ends late is numbered late, so "all above N" is what a reader who has seen N still lacks; ids
 * of rows would not do. Events of one device keep the order in which its transactions ended, as far as the clocks of the nodes agree.
 *
 * Any node may take a turn at any time: the log's row is locked while it grows. All functions block on the store. */
#ifndef TRUST_FEED_H
#define TRUST_FEED_H

#include "base/arena.h"
#include "base/host.h"
#include "model/device.h"
#include "model/event.h"
#include "store/store.h"

enum {
    FEED_BATCH = 4096,                 /* rows of events numbered in one transaction */
    FEED_PAGE_MAX = 1000,              /* events of one feed_read */
    FEED_LOOK_MAX = 32768,             /* events that one feed_read looks at when types are chosen */
    FEED_TRIM = 1024,                  /* bundles that one feed_trim takes away */
};

/* feed_turn -- number all that waits, of every tenant. *n, if given, becomes how many. About once a second, and before reading what must be fresh. */
MUST enum eim_err feed_turn(struct host *h, size_t *n, struct err *e);

struct feed_query {
    int64_t tenant;
    int64_t after;                     /* events with a higher number; 0: from the oldest on that is still there */
    unsigned limit;                    /* at most FEED_PAGE_MAX */
    const struct eid *eid;             /* of this device; NULL: of all and of none */
    const struct event_filter *types;  /* NULL: all */
};
struct feed_event { int64_t seq; struct slice line; };         /* the line without its number (event_number) */
struct feed_page {
    struct feed_event *v;
    size_t n;
    int64_t next;                      /* what `after` is to be next: everything up to here was looked at */
    int64_t first, last;               /* the lowest number still there, the highest given */
};
/* feed_read -- ascending. Fewer than `limit`, even none, does not mean the end: that is next == last. E_GONE: events above `after` are gone already
 * (and after is not 0); E_INVALID: the log has never come to `after`; E_LIMIT. */
MUST enum eim_err feed_read(struct host *h, const struct feed_query *q, struct feed_page *out, struct arena *a, struct err *e);

/* feed_timeline -- of one device, descending, number < before (0: from the newest). next 0: the end. */
MUST enum eim_err feed_timeline(struct host *h, int64_t tenant, const struct eid *eid, int64_t before, unsigned limit, struct feed_page *out,
                                struct arena *a, struct err *e);

/* feed_trim -- away with events that are older than `keep_us`, in whole bundles; *n becomes how many. More may be left: call it about once a second. */
MUST enum eim_err feed_trim(struct host *h, int64_t keep_us, size_t *n, struct err *e);

#endif
