/* child.c -- starting, watching and ending eimsigner. */
#include "app/child.h"

#include "app/system.h"
#include "base/log.h"
#include "vault/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct child {
    pid_t pid;
    pthread_t watcher;
    bool watched, ending;              /* ending: atomic */
};

/* Where eimsigner lies: beside us. */
static enum eim_err beside(char path[PATH_MAX], struct err *e)
{
    static const char name[] = "eimsigner";
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (n <= 0) return fail(e, E_IO, NULL, "/proc/self/exe: %s", strerror(errno));
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (!slash || (size_t)(slash + 1 - path) + sizeof name > PATH_MAX) return fail(e, E_IO, NULL, "%s: no place beside it for eimsigner", path);
    memcpy(slash + 1, name, sizeof name);
    return OK;
}

static enum eim_err spawn(pid_t *pid, const char *path, char *const argv[], int socket, struct err *e)
{
    posix_spawn_file_actions_t files;
    if (posix_spawn_file_actions_init(&files) != 0) return fail(e, E_NOMEM, NULL, "no memory to start the signer");
    int rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0) rc = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(&files, socket, 3);
    if (rc == 0) rc = posix_spawn(pid, path, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return rc == 0 ? OK : fail(e, E_IO, NULL, "%s cannot be started: %s", path, strerror(rc));
}

static enum eim_err start(struct child *c, struct signer **signer, const char *data, const struct conf *conf, struct arena *a, struct err *e)
{
    char path[PATH_MAX];
    int sv[2], status;
    char *keys = system_path(a, data, "keys"), *journal = system_path(a, data, conf->signer_journal);
    char *lists = arena_printf(a, "%lld", (long long)conf->signer_lists_per_minute);
    char *changes = arena_printf(a, "%lld", (long long)conf->signer_changes_per_minute);
    char *notes = system_path(a, data, "audit/key.pem"), *name = arena_str(a, slice_str(conf->eim_fqdn));
    if (!keys || !journal || !lists || !changes || !notes || !name) return fail(e, E_NOMEM, NULL, "no memory to start the signer");
    TRY(beside(path, e));
    char *argv[] = { path, (char[]){ "--keys" }, keys, (char[]){ "--journal" }, journal, (char[]){ "--lists" }, lists, (char[]){ "--changes" }, changes,
                     (char[]){ "--notes" }, notes, (char[]){ "--name" }, name, NULL };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0) return fail(e, E_IO, NULL, "socketpair: %s", strerror(errno));
    enum eim_err rc = spawn(&c->pid, path, argv, sv[1], e);
    close(sv[1]);
    if (rc != OK) {
        close(sv[0]);
        return rc;
    }
    rc = vault_client_open(signer, sv[0], e);
    if (rc == OK) return OK;
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {}
    if (rc != E_IO) return rc;
    *e = (struct err){ 0 };
    return fail(e, E_CONF, NULL, "the signer's process did not get ready; it said why above");
}

enum eim_err child_start(struct child **out, struct signer **signer, const char *data, const struct conf *c, struct arena *a, struct err *e)
{
    struct child *child = ARENA_NEW(a, struct child);
    *out = NULL;
    if (!child) return fail(e, E_NOMEM, NULL, "no memory to start the signer");
    TRY(start(child, signer, data, c, a, e));
    *out = child;
    return OK;
}

static void *watch(void *arg)
{
    struct child *c = arg;
    int status;
    pid_t got;
    do got = waitpid(c->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (__atomic_load_n(&c->ending, __ATOMIC_ACQUIRE)) return NULL;
    if (got == c->pid && WIFSIGNALED(status)) log_msg(LOG_ERROR, "app", "the signer's process was ended by signal %d: eimd ends, too", WTERMSIG(status));
    else log_msg(LOG_ERROR, "app", "the signer's process ended by itself, status %d: eimd ends, too", got == c->pid ? WEXITSTATUS(status) : -1);
    _exit(EXIT_FAILURE);
}

enum eim_err child_watch(struct child *c, struct err *e)
{
    int rc = pthread_create(&c->watcher, NULL, watch, c);
    c->watched = rc == 0;
    return rc == 0 ? OK : fail(e, E_NOMEM, NULL, "a thread that watches the signer: %s", strerror(rc));
}

void child_expect_end(struct child *c)
{
    if (c) __atomic_store_n(&c->ending, true, __ATOMIC_RELEASE);
}

void child_stop(struct child *c)
{
    int status;
    if (!c) return;
    if (c->watched) pthread_join(c->watcher, NULL);
    else while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {}
}
