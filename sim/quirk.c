/* quirk.c -- names of the misbehaviours. */
#include "sim/quirk.h"

#include <string.h>

static const struct { const char *name, *help; } rows[] = {
#define X(id, name, help) { name, help },
    SIM_QUIRKS(X)
#undef X
};

uint64_t sim_quirk_named(const char *name)
{
    for (unsigned i = 0; i < SIM_QUIRK_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return UINT64_C(1) << i;
    return 0;
}

const char *sim_quirk_name(unsigned row)
{
    return rows[row].name;
}

const char *sim_quirk_help(unsigned row)
{
    return rows[row].help;
}
