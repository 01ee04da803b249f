/* event.c -- the names of types of events, and choices of them. */
#include "model/event.h"

static const struct { const char *name, *text; } types[EVENT_TYPE_END] = {
#define X(id, name, text) { name, text },
    EVENT_TYPES(X)
#undef X
};

const char *event_type_name(enum event_type t)
{
    return t < EVENT_TYPE_END ? types[t].name : "?";
}

const char *event_type_text(enum event_type t)
{
    return t < EVENT_TYPE_END ? types[t].text : "?";
}

enum event_type event_type_named(struct slice name)
{
    for (int i = 0; i < EVENT_TYPE_END; i++)
        if (slice_eq(name, slice_str(types[i].name))) return (enum event_type)i;
    return EVENT_TYPE_END;
}

bool event_filter_add(struct event_filter *f, struct slice pattern)
{
    bool found = false, all = pattern.n > 2 && pattern.p[pattern.n - 1] == '*' && pattern.p[pattern.n - 2] == '.';
    size_t n = all ? pattern.n - 1 : pattern.n;        /* the dot is compared too */
    for (int i = 0; i < EVENT_TYPE_END; i++) {
        struct slice name = slice_str(types[i].name);
        if (name.n < n || (!all && name.n != n) || memcmp(name.p, pattern.p, n) != 0) continue;
        f->on[i] = f->some = found = true;
    }
    return found;
}

bool event_filter_passes(const struct event_filter *f, struct slice type)
{
    if (!f->some) return true;
    enum event_type t = event_type_named(type);
    return t < EVENT_TYPE_END && f->on[t];
}
