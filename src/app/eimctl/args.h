/* args.h -- a command line against the `args` of its row: what usage prints is the grammar, so the two cannot differ.
 *
 *     "EID [--label NAME=VALUE]... [--pin FILE]"
 *
 * A word is a place for an argument; a word behind an option is the option's value; brackets make it optional; dots let
 * the one before come again. Options may stand anywhere, as --name value or --name=value; "--" ends them; "-" is an argument. */
#ifndef EIMCTL_ARGS_H
#define EIMCTL_ARGS_H

#include "app/eimctl/ctl.h"

/* args_leading -- the options of every command, standing in front of it: takes them out of argc and argv (whose first element
 * is the program). CTL_OK or CTL_USAGE (said). */
MUST int args_leading(struct ctl *c, int *argc, char ***argv, bool *help);

/* args_parse -- fill c->opt and c->pos (borrowing argv) from what stands behind the command's words, and take out the
 * options that every command has (--json, --url, --token-file, --cacert). Returns CTL_OK, or CTL_USAGE after naming the
 * option or argument that is unknown, repeated, missing, without its value, or too many. *help: --help was there. */
MUST int args_parse(struct ctl *c, int argc, char **argv, bool *help);

#endif
