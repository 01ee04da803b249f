/* operation.c -- the one mover of operation states, and their names. */
#include "model/operation.h"

bool operation_move(enum operation_state *s, enum operation_event ev)
{
#define X(from, event, to) if (*s == from && ev == event) { *s = to; return true; }
    OPERATION_MOVES(X)
#undef X
    return false;
}

static const char *const state_names[OP_STATE_END] = {
#define X(name, text) [name] = text,
    OPERATION_STATES(X)
#undef X
};

const char *operation_state_name(enum operation_state s)
{
    return s < OP_STATE_END ? state_names[s] : "?";
}

bool operation_state_parse(struct slice name, enum operation_state *out)
{
    for (int i = 0; i < OP_STATE_END; i++)
        if (slice_eq(name, slice_str(state_names[i]))) {
            *out = (enum operation_state)i;
            return true;
        }
    return false;
}

const char *operation_kind_name(enum operation_kind k)
{
    return k == OPK_DOWNLOAD ? "download" : "package";
}

const char *operation_origin_name(enum operation_origin o)
{
    return o == ORIGIN_INVENTORY ? "inventory" : o == ORIGIN_SETTLE ? "settle" : "api";
}
