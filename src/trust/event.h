/* event.h -- events: what happened, written in the transaction that did it; there they wait for their numbers (trust/feed.h).
 *
 * An event is one JSON line, made here and nowhere else:
 *   {"type":"operation.done","eid":"8904...","id":"evt_...","at":"...","operation":"op_...","state":"done","detail":"...","data":{...}}
 * Members that do not apply are left out; type and eid stand first, where event_parse finds them. It never holds keys, tokens or codes.
 * Most events come from audit entries by themselves (trust/audit.h). */
#ifndef TRUST_EVENT_H
#define TRUST_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"
#include "model/device.h"
#include "model/event.h"
#include "store/store.h"

struct event_part { const char *name; struct slice text; };    /* a member of "data"; one without a name is left out */

struct event {
    int64_t tenant;
    enum event_type type;
    const struct eid *eid;             /* NULL = none */
    int64_t operation;                 /* 0 = none */
    const char *state;                 /* new state, NULL = none */
    struct slice detail;               /* one sentence, or empty */
    const struct event_part *parts;
    size_t nparts;
};

/* event_tell -- write it inside the caller's transaction. */
MUST enum eim_err event_tell(struct tx *t, struct env *env, const struct event *v, struct err *e);

/* Several of one tenant as one row: begin, add, write, free. event_batch_write says what went wrong before; without events it does nothing. */
enum { EVENT_LINE_MAX = 4096, EVENT_BATCH_MAX = 256 * EVENT_LINE_MAX };
struct event_batch { struct env *env; int64_t tenant, id; struct buf lines; };
void event_batch_begin(struct event_batch *b, struct env *env);
void event_batch_add(struct event_batch *b, const struct event *v);
MUST enum eim_err event_batch_write(struct event_batch *b, struct tx *t, struct err *e);
void event_batch_free(struct event_batch *b);

/* event_parse -- type and device of a line (borrowed from it); *has_eid false: of none. False: this is no such line. */
bool event_parse(struct slice line, struct slice *type, bool *has_eid, struct eid *eid);
/* event_number -- append the line with its number as first member. */
void event_number(struct buf *out, struct slice line, int64_t seq);

#endif
