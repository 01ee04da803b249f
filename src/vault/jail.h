/* jail.h -- a process gives up all that it does not need: files, network, other processes. Linux; for good, and before the first question. */
#ifndef VAULT_JAIL_H
#define VAULT_JAIL_H

#include "base/err.h"

struct jail_report { int landlock; };  /* version of the kernel's Landlock; 0: it has none, and seccomp alone holds */

/* jail_private -- no core dumps, no other process of the same user may look into this one (ptrace, /proc/PID/mem), no new privileges. After the last
 * change of user. E_IO: the kernel refused, named. */
MUST enum eim_err jail_private(struct err *e);

/* jail_close -- from here on the process can read and write the descriptors that it has, ask for memory, time and randomness, and end; any
 * other system call kills it. Landlock, where the kernel has it, takes away every file and TCP as well. E_IO: the kernel has no seccomp. */
MUST enum eim_err jail_close(struct jail_report *r, struct err *e);

#endif
