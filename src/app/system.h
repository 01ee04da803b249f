/* system.h -- the process and its machine: data directory, lock, limits, privileges. Main thread only. */
#ifndef APP_SYSTEM_H
#define APP_SYSTEM_H

#include "base/arena.h"
#include "base/err.h"

/* system_path -- `name` in the data directory, or itself when it is absolute. In the arena; NULL when that is full. */
char *system_path(struct arena *a, const char *data, const char *name);

/* system_check_data -- is `data` a directory fit to hold keys: there, and not writable for everybody? E_NOT_FOUND, E_CONF. */
MUST enum eim_err system_check_data(const char *data, struct err *e);

/* system_folder -- make sure that this folder is there; a new one is ours alone (mode 0700). E_IO. */
MUST enum eim_err system_folder(const char *path, struct err *e);

/* system_lock -- take DATA/eimd.lock for the life of the process, so that no second eimd works in the same directory. E_CONFLICT if another
 * holds it. *fd is for close(2); the lock ends with it. */
MUST enum eim_err system_lock(const char *data, int *fd, struct err *e);

/* system_unlocked -- does no other eimd work in this directory? Only a look, and nothing is made: for what comes before system_lock. E_CONFLICT. */
MUST enum eim_err system_unlocked(const char *data, struct err *e);

/* system_harden -- umask 077, no core files, no new privileges, as many descriptors as we may have, SIGPIPE ignored. */
MUST enum eim_err system_harden(struct err *e);

/* system_drop -- as root: become `user`, or with "" the owner of the data directory; *who says whom (static text or in the arena; NULL
 * when nothing was to be done). Root stays root only if `user` is "" and the directory is root's. A no-op for an ordinary user.
 * E_CONF: no such user, or the data directory belongs to another. */
MUST enum eim_err system_drop(const char *data, const char *user, const char **who, struct arena *a, struct err *e);

#endif
