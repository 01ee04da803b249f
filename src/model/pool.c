/* pool.c -- the one mover of states of activation codes, and their names. */
#include "model/pool.h"

bool code_move(enum code_state *s, enum code_event ev)
{
#define X(from, event, to) if (*s == from && ev == event) { *s = to; return true; }
    CODE_MOVES(X)
#undef X
    return false;
}

static const char *const state_names[CODE_STATE_END] = {
#define X(name, text) [name] = text,
    CODE_STATES(X)
#undef X
};

const char *code_state_name(enum code_state s)
{
    return s < CODE_STATE_END ? state_names[s] : "?";
}

bool code_state_parse(struct slice name, enum code_state *out)
{
    for (int i = 0; i < CODE_STATE_END; i++)
        if (slice_eq(name, slice_str(state_names[i]))) {
            *out = (enum code_state)i;
            return true;
        }
    return false;
}
