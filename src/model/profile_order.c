/* profile_order.c -- the one mover of states of profile orders, and their names. */
#include "model/profile_order.h"

bool profile_order_move(enum profile_order_state *s, enum profile_order_event ev)
{
#define X(from, event, to) if (*s == from && ev == event) { *s = to; return true; }
    PROFILE_ORDER_MOVES(X)
#undef X
    return false;
}

const char *profile_order_state_name(enum profile_order_state s)
{
    static const char *const names[PORD_STATE_END] = {
#define X(name, text) [name] = text,
        PROFILE_ORDER_STATES(X)
#undef X
    };
    return s < PORD_STATE_END ? names[s] : "?";
}
