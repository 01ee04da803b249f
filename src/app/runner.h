/* runner.h -- threads that do background work bit by bit: each calls a function again and again until there is nothing to do, then waits. */
#ifndef APP_RUNNER_H
#define APP_RUNNER_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>

struct runner;

struct runner_config {
    const char *name;                  /* for the log */
    unsigned threads;
    enum eim_err (*work)(void *arg, bool *did, struct err *e);     /* one piece; *did false: nothing was to be done. May block for long */
    void *arg;
};

/* runner_start -- begin; lives in `a`. Errors of `work` are logged when they begin and when they end; then it waits as if idle. */
MUST enum eim_err runner_start(struct runner **out, const struct runner_config *c, struct arena *a, struct err *e);
/* runner_stop -- end after the pieces under way. NULL is harmless. */
void runner_stop(struct runner *r);

#endif
