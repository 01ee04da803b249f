/* profile_order.h -- "a profile of this operator and type on this device": an order, whoever fills it. Plain data.
 *
 * Filled by an activation code of a pool at once, or by ES2+ of an SM-DP+ in two calls or three (SGP.22 5.3.1, 5.3.2, 5.3.4). Before a call leaves, the order
 * says so (`calling`, with the call's identifier): whoever finds it so later knows that the SM-DP+ may have acted. What may have been ordered is
 * never ordered again: with an ICCID it is cancelled there (5.3.3), without one a person decides. */
#ifndef MODEL_PROFILE_ORDER_H
#define MODEL_PROFILE_ORDER_H

#include "base/slice.h"

#define PROFILE_ORDER_STATES(X)                                                                      \
    X(PORD_ORDERING,   "ordering")        /* its calls are to be made */                             \
    X(PORD_CANCELLING, "cancelling")      /* it is to be taken back at the SM-DP+ */                 \
    X(PORD_PLACED,     "placed")          /* a download operation of the device has the code */      \
    X(PORD_UNCLEAR,    "unclear")         /* the SM-DP+ may have acted: a person decides */          \
    X(PORD_CANCELLED,  "cancelled")                                                                  \
    X(PORD_FAILED,     "failed")          /* refused; nothing was ordered */
enum profile_order_state {
#define X(name, text) name,
    PROFILE_ORDER_STATES(X)
#undef X
    PORD_STATE_END
};

/*    from             event           to               */
#define PROFILE_ORDER_MOVES(X)                          \
    X(PORD_ORDERING,   PORD_EV_PLACE,  PORD_PLACED)     \
    X(PORD_ORDERING,   PORD_EV_REFUSE, PORD_FAILED)     \
    X(PORD_ORDERING,   PORD_EV_LOSE,   PORD_UNCLEAR)    \
    X(PORD_ORDERING,   PORD_EV_UNDO,   PORD_CANCELLING) \
    X(PORD_ORDERING,   PORD_EV_CANCEL, PORD_CANCELLED)  \
    X(PORD_CANCELLING, PORD_EV_CANCEL, PORD_CANCELLED)  \
    X(PORD_CANCELLING, PORD_EV_LOSE,   PORD_UNCLEAR)    \
    X(PORD_PLACED,     PORD_EV_UNDO,   PORD_CANCELLING) \
    X(PORD_PLACED,     PORD_EV_CANCEL, PORD_CANCELLED)  \
    X(PORD_UNCLEAR,    PORD_EV_UNDO,   PORD_CANCELLING) \
    X(PORD_UNCLEAR,    PORD_EV_CANCEL, PORD_CANCELLED)  /* a person vouches */ \
    X(PORD_UNCLEAR,    PORD_EV_RETRY,  PORD_ORDERING)   /* a person vouches that nothing was ordered */
enum profile_order_event { PORD_EV_PLACE, PORD_EV_REFUSE, PORD_EV_LOSE, PORD_EV_UNDO, PORD_EV_CANCEL, PORD_EV_RETRY };

/* profile_order_move -- move *s by the table; false, and *s as it was, when the table has no such move. */
bool profile_order_move(enum profile_order_state *s, enum profile_order_event ev);
const char *profile_order_state_name(enum profile_order_state s);

enum profile_order_step { PORD_DOWNLOAD, PORD_CONFIRM, PORD_CANCEL, PORD_RELEASE };     /* the ES2+ function that is next, or under way */

enum { PROFILE_ORDER_NOTES = 64 };     /* so many of an SM-DP+'s notifications change an order */

struct profile_order {
    int64_t association, id, tenant;
    int64_t version;
    enum profile_order_state state;
    enum profile_order_step step;
    bool calling;                      /* a call left, or was about to */
    int64_t account;                   /* the SM-DP+ account; 0: a pool */
    int64_t operation;                 /* its download; 0: none yet */
    int64_t created_us, changed_us;
    int64_t due_us;                    /* the next call; while calling: when it is given up for lost */
    int64_t tries;                     /* of this step, that never left */
    int64_t notified_us, notified_n;   /* what its SM-DP+ said last (SGP.22 5.3.5), and how often it said something new; 0: never */
    int64_t notified_point;            /* notificationPointId */
    bool elsewhere;                    /* it named another eUICC than ours */
    struct slice eid;                  /* 16 octets */
    struct slice secret;               /* sealed about the id: the confirmation code until confirmOrder, then the code until it is released */
    struct slice digest;               /* SHA-256 of the confirmation code; empty: none is wanted */
    struct slice operator_name, profile_type, principal;
    struct slice call;                 /* functionCallIdentifier of the last call */
    struct slice iccid;                /* digits, as the SM-DP+ named it; empty: not yet */
    struct slice cause;                /* one sentence: why it is where it is */
    struct slice notified;             /* "success", or how it failed */
};

#endif
