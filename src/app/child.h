/* child.h -- the signer's process as eimd's child: started first, watched, ended last. Main thread only. */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "base/arena.h"
#include "base/conf.h"
#include "base/err.h"

struct child;
struct signer;

/* child_start -- start eimsigner, which lies beside the running program, over DATA/keys and its journal, and speak to it as *signer. To be called
 * before anything else is opened: what is open then and not close-on-exec would be the child's as well.
 * E_CONF: it did not get ready; it has said why on standard error itself. E_IO: it cannot be started. */
MUST enum eim_err child_start(struct child **out, struct signer **signer, const char *data, const struct conf *c, struct arena *a, struct err *e);

/* child_watch -- begin to watch it: when it ends, this process says so and ends at once with EXIT_FAILURE, and a supervisor starts both anew.
 * Nothing is half done then that a kill would not leave half done too. */
MUST enum eim_err child_watch(struct child *c, struct err *e);

/* child_expect_end -- its end is no failure from now on: before signer_close, which tells it to end. child_stop -- wait for that, after
 * signer_close. NULL is harmless for both. */
void child_expect_end(struct child *c);
void child_stop(struct child *c);

#endif
