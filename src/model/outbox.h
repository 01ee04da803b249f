/* outbox.h -- a verified notification on its way to its SM-DP+, from the acknowledgement to the end. Plain data.
 *
 * Whoever acknowledges a notification has taken over its delivery (SGP.32 3.7): an outbox row says how far that has come. The bytes stay in
 * the notification's own row. outbox_move is the only place where a state changes (I4). */
#ifndef MODEL_OUTBOX_H
#define MODEL_OUTBOX_H

#include "base/slice.h"

/* The first three are not at an end: they block later notifications of the same device, profile and address, except failed. The store's
 * partial index holds exactly them, so their order is part of the schema. */
#define OUTBOX_STATES(X)                                                                                  \
    X(OUT_WAITING,   "waiting")           /* to be sent at due_us */                                      \
    X(OUT_HELD,      "held")              /* may not be sent as things stand: `why` says what is missing */ \
    X(OUT_FAILED,    "failed")            /* given up; a person may order another try */                  \
    X(OUT_FORWARDED, "forwarded")         /* the SM-DP+ has it */                                         \
    X(OUT_DROPPED,   "dropped")           /* a person gave it up */
enum outbox_state {
#define X(name, text) name,
    OUTBOX_STATES(X)
#undef X
    OUT_STATE_END
};

/*    from           event          to             */
#define OUTBOX_MOVES(X)                            \
    X(OUT_WAITING,  OUT_EV_DONE,    OUT_FORWARDED) \
    X(OUT_WAITING,  OUT_EV_HOLD,    OUT_HELD)      \
    X(OUT_WAITING,  OUT_EV_GIVE_UP, OUT_FAILED)    \
    X(OUT_WAITING,  OUT_EV_DROP,    OUT_DROPPED)   \
    X(OUT_HELD,     OUT_EV_RELEASE, OUT_WAITING)   /* looked at again, and nothing is missing any more */ \
    X(OUT_HELD,     OUT_EV_GIVE_UP, OUT_FAILED)    \
    X(OUT_HELD,     OUT_EV_DROP,    OUT_DROPPED)   \
    X(OUT_FAILED,   OUT_EV_RELEASE, OUT_WAITING)   /* a person's retry */ \
    X(OUT_FAILED,   OUT_EV_DROP,    OUT_DROPPED)
enum outbox_event { OUT_EV_DONE, OUT_EV_HOLD, OUT_EV_GIVE_UP, OUT_EV_RELEASE, OUT_EV_DROP };

/* outbox_move -- move *s by the table; false, and *s as it was, when the table has no such move. */
bool outbox_move(enum outbox_state *s, enum outbox_event ev);
const char *outbox_state_name(enum outbox_state s);
bool outbox_state_parse(struct slice name, enum outbox_state *out);

struct outbox {
    int64_t association, seq;                      /* the notification's key: seq is the card's sequence number */
    int64_t id, tenant;                            /* id: as people name it */
    int64_t version;                               /* raised by every write */
    enum outbox_state state;
    int64_t event;                                 /* as in struct notification */
    int64_t received_us;
    int64_t since_us;                              /* from when patience is counted: received, or a person's retry */
    int64_t due_us;                                /* not before; INT64_MAX when the state is none that waits */
    int64_t tries;                                 /* since since_us */
    int64_t done_us;                               /* when it came to an end, 0 = not yet */
    struct slice address, iccid;
    struct slice why;                              /* what stood in the way last, a sentence; empty = nothing */
};

#endif
