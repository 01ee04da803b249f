/* pg.c -- drives pg.py, which owns the cluster: one command a line to its stdin, one answer a line back.
 *
 * The supervisor ends when its stdin closes. The only write end is ours and close-on-exec, so the kernel
 * closes it however this process dies. */
#include "test/lib/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRESH_MAX = 256, URL = 256 };

struct pg {
    pid_t supervisor;
    FILE *to, *from;
    char url[URL];
    int fresh_n;
    char fresh[FRESH_MAX][URL];
};

static void give_up(const char *what)
{
    fprintf(stderr, "pg: %s\n", what);
    abort();
}

/* answer -- the next line of the supervisor, which must begin with `word`; the rest of it goes to rest[URL]. */
static void answer(struct pg *pg, const char *word, char *rest)
{
    char line[URL + 16];
    size_t n = strlen(word);
    if (!fgets(line, sizeof line, pg->from)) give_up("the supervisor ended; its message stands above");
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, word, n) != 0) give_up(line);
    if (rest) snprintf(rest, URL, "%s", line + n + (line[n] == ' '));
}

static void command(struct pg *pg, const char *text)
{
    if (fprintf(pg->to, "%s\n", text) < 0 || fflush(pg->to) != 0) give_up("the supervisor is gone");
}

struct pg *pg_start(bool sync)
{
    struct pg *pg = calloc(1, sizeof *pg);
    int in[2], out[2];
    if (!pg || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) give_up("no memory or no pipe");
    pg->supervisor = fork();
    if (pg->supervisor < 0) give_up("fork failed");
    if (pg->supervisor == 0) {
        if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0) _exit(127);
        execlp("python3", "python3", TEST_LIB_DIR "/pg.py", sync ? "--sync" : (char *)NULL, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    pg->to = fdopen(in[1], "w");
    pg->from = fdopen(out[0], "r");
    if (!pg->to || !pg->from) give_up("fdopen failed");
    answer(pg, "ready", pg->url);
    return pg;
}

static struct pg *shared;
static pid_t shared_owner;

static void stop_shared(void)
{
    if (shared_owner == getpid()) pg_stop(shared);
}

struct pg *pg_shared(void)
{
    if (!shared) {
        shared = pg_start(false);
        shared_owner = getpid();
        atexit(stop_shared);
    }
    return shared;
}

const char *pg_url(const struct pg *pg)
{
    return pg->url;
}

const char *pg_fresh(struct pg *pg)
{
    if (pg->fresh_n == FRESH_MAX) give_up("too many databases in one test program");
    char *url = pg->fresh[pg->fresh_n++];
    command(pg, "fresh");
    answer(pg, "fresh", url);
    return url;
}

void pg_kill(struct pg *pg)
{
    command(pg, "kill");
    answer(pg, "killed", NULL);
}

void pg_again(struct pg *pg)
{
    command(pg, "again");
    answer(pg, "ready", NULL);
}

void pg_stop(struct pg *pg)
{
    fclose(pg->to);
    fclose(pg->from);
    waitpid(pg->supervisor, NULL, 0);
    if (pg == shared) shared = NULL, shared_owner = 0;
    free(pg);
}
