/* where.h -- which server, which token, which roots: the settings of a connection. */
#ifndef EIMCTL_WHERE_H
#define EIMCTL_WHERE_H

#include "app/eimctl/ctl.h"

struct where {
    const char *url;                   /* without a slash at its end */
    const char *token;                 /* NULL: none */
    const char *cacert;                /* PEM file; NULL: the system's roots */
};

/* where_find -- from the flags, else the environment, else ~/.config/eimctl.conf, else ./demo; texts live in c->arena.
 *
 * eimctl.conf holds lines `url = ...`, `token = ...` and `cacert = ...`; # and ; begin comments. It must not be readable
 * by others when it holds a token, like every token file. A token belongs to the URL it is written beside: the ones of
 * eimctl.conf and ./demo are used only when the URL comes from there (or is the same). CTL_OK or CTL_USAGE (said). */
MUST int where_find(struct ctl *c, struct where *out);

#endif
