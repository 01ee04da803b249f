/* pool.h -- activation codes that an operator gave in advance: pools of them, and the life of one code. Plain data.
 *
 * A code is a secret and good for one download: code_move is the only place where its state changes (I4). */
#ifndef MODEL_POOL_H
#define MODEL_POOL_H

#include "base/slice.h"

#define CODE_STATES(X)                                                                                        \
    X(CODE_FREE,      "free")                                                                                 \
    X(CODE_RESERVED,  "reserved")         /* given to an order; nothing of it left yet */                     \
    X(CODE_OUT,       "handed_out")       /* its trigger left for the device */                               \
    X(CODE_USED,      "used")             /* the profile was installed */                                     \
    X(CODE_UNCLEAR,   "unclear")          /* the download failed: spent or not? a person may know */          \
    X(CODE_WITHDRAWN, "withdrawn")        /* a person took it out */
enum code_state {
#define X(name, text) name,
    CODE_STATES(X)
#undef X
    CODE_STATE_END
};

/*    from             event              to             */
#define CODE_MOVES(X)                                   \
    X(CODE_FREE,     CODE_EV_RESERVE,  CODE_RESERVED)   \
    X(CODE_FREE,     CODE_EV_WITHDRAW, CODE_WITHDRAWN)  \
    X(CODE_RESERVED, CODE_EV_LEAVE,    CODE_OUT)        \
    X(CODE_RESERVED, CODE_EV_RETURN,   CODE_FREE)       /* nothing of it left: provably not used */ \
    X(CODE_OUT,      CODE_EV_USED,     CODE_USED)       \
    X(CODE_OUT,      CODE_EV_FAIL,     CODE_UNCLEAR)    \
    X(CODE_UNCLEAR,  CODE_EV_RETURN,   CODE_FREE)       /* a person vouches that it was not used */ \
    X(CODE_UNCLEAR,  CODE_EV_WITHDRAW, CODE_WITHDRAWN)
enum code_event { CODE_EV_RESERVE, CODE_EV_LEAVE, CODE_EV_RETURN, CODE_EV_USED, CODE_EV_FAIL, CODE_EV_WITHDRAW };

/* code_move -- move *s by the table; false, and *s as it was, when the table has no such move. */
bool code_move(enum code_state *s, enum code_event ev);
const char *code_state_name(enum code_state s);
bool code_state_parse(struct slice name, enum code_state *out);

struct code_pool {
    int64_t id, tenant;
    int64_t changed_us;
    int64_t warn_below;                /* fewer free codes than this: it is low; 0 = no warning */
    bool low;                          /* it was low when a code was given out or came in last */
    struct slice name;                 /* one of the tenant's has it */
    struct slice operator_name, profile_type;
    struct slice address;              /* HOST[:PORT] in lower case: the SM-DP+ that its codes name */
};

struct activation_code {
    int64_t id, tenant, pool;
    enum code_state state;
    int64_t changed_us;
    int64_t association, operation;    /* whose it is or was, and its download: 0 = nobody's */
    struct slice digest;               /* keyed: 32 octets, one of the tenant's has it */
    struct slice sealed;               /* the code; sealed about its digest */
};

enum { POOL_CODES_MAX = 100000, POOLS_MAX = 1000, POOL_BATCH_MAX = 1000 };

#endif
