/* cmd.h -- what the subcommands of eimsim share. Each returns the exit status: 0 done, 1 failed, 2 wrong use. */
#ifndef SIM_CMD_H
#define SIM_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

int cmd_pki(int argc, char **argv);
int cmd_enrolment(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_quirks(int argc, char **argv);
int cmd_fleet(int argc, char **argv);
int cmd_ipa(int argc, char **argv);
int cmd_smdp(int argc, char **argv);

/* cmd_number -- a decimal number from 0 to max, all of `text`; else a message on standard error and false. */
bool cmd_number(const char *option, const char *text, uint64_t max, uint64_t *out);
/* cmd_failed -- print the error; returns 1. */
int cmd_failed(const struct err *e);
/* cmd_misused -- after getopt said '?': a hint; returns 2. */
int cmd_misused(const char *command);

#endif
