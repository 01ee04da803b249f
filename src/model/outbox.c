/* outbox.c -- the one mover of states of the outbox, and their names. */
#include "model/outbox.h"

bool outbox_move(enum outbox_state *s, enum outbox_event ev)
{
#define X(from, event, to) if (*s == from && ev == event) { *s = to; return true; }
    OUTBOX_MOVES(X)
#undef X
    return false;
}

static const char *const state_names[OUT_STATE_END] = {
#define X(name, text) [name] = text,
    OUTBOX_STATES(X)
#undef X
};

const char *outbox_state_name(enum outbox_state s)
{
    return s < OUT_STATE_END ? state_names[s] : "?";
}

bool outbox_state_parse(struct slice name, enum outbox_state *out)
{
    for (int i = 0; i < OUT_STATE_END; i++)
        if (slice_eq(name, slice_str(state_names[i]))) {
            *out = (enum outbox_state)i;
            return true;
        }
    return false;
}
