/* system.c -- data directory, lock, limits, privileges. */
#include "app/system.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

char *system_path(struct arena *a, const char *data, const char *name)
{
    return name[0] == '/' ? arena_str(a, slice_str(name)) : arena_printf(a, "%s/%s", data, name);
}

enum eim_err system_check_data(const char *data, struct err *e)
{
    struct stat st;
    if (stat(data, &st) != 0) return fail_field(e, E_NOT_FOUND, NULL, "data", "%s: %s", data, strerror(errno));
    if (!S_ISDIR(st.st_mode)) return fail_field(e, E_CONF, NULL, "data", "%s is no directory", data);
    if (st.st_mode & S_IWOTH) return fail_field(e, E_CONF, NULL, "data", "%s is writable for everybody; chmod it 0700", data);
    return OK;
}

enum eim_err system_folder(const char *path, struct err *e)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return OK;
    return fail(e, E_IO, NULL, "%s: %s", path, strerror(errno));
}

enum eim_err system_lock(const char *data, int *fd, struct err *e)
{
    struct arena a;
    arena_init(&a, 8192);
    char *path = system_path(&a, data, "eimd.lock");
    enum eim_err rc = path ? OK : fail(e, E_NOMEM, NULL, "the name of the data directory is too long");
    *fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (rc == OK && *fd < 0) rc = fail(e, E_IO, NULL, "%s: %s", path, strerror(errno));
    if (rc == OK && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? fail(e, E_CONFLICT, NULL, "another eimd works in %s", data) : fail(e, E_IO, NULL, "%s: %s", path, strerror(errno));
        close(*fd);
        *fd = -1;
    }
    arena_free(&a);
    return rc;
}

enum eim_err system_unlocked(const char *data, struct err *e)
{
    struct arena a;
    arena_init(&a, 8192);
    char *path = system_path(&a, data, "eimd.lock");
    enum eim_err rc = path ? OK : fail(e, E_NOMEM, NULL, "the name of the data directory is too long");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) rc = fail(e, E_CONFLICT, NULL, "another eimd works in %s", data);
    if (fd >= 0) close(fd);            /* and the lock goes with it */
    arena_free(&a);
    return rc;
}

enum eim_err system_harden(struct err *e)
{
    struct rlimit core = { 0, 0 }, files;
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    /* One byte, not none: a core_pattern that is a pipe obeys 1 and ignores 0 (core(5)); and no file is as short as that. */
    if (getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max > 1) core.rlim_max = 1;
    core.rlim_cur = core.rlim_max;
    if (setrlimit(RLIMIT_CORE, &core) != 0) return fail(e, E_IO, NULL, "core files cannot be switched off: %s", strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(e, E_IO, NULL, "no_new_privs: %s", strerror(errno));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0) return fail(e, E_IO, NULL, "number of descriptors: %s", strerror(errno));
    }
    return OK;
}

/* whom -- the account to become; NULL with OK means none. */
static enum eim_err whom(const struct stat *dir, const char *user, struct passwd **out, struct err *e)
{
    errno = 0;
    *out = NULL;
    if (!*user && dir->st_uid == 0) return OK;
    *out = *user ? getpwnam(user) : getpwuid(dir->st_uid);
    if (*out) return OK;
    if (*user) return fail_field(e, E_CONF, NULL, "server.user", "there is no user '%.40s'%s%s", user, errno ? ": " : "", errno ? strerror(errno) : "");
    return fail_field(e, E_CONF, NULL, "server.user", "the data directory belongs to user id %u, which has no name", (unsigned)dir->st_uid);
}

enum eim_err system_drop(const char *data, const char *user, const char **who, struct arena *a, struct err *e)
{
    struct stat st;
    struct passwd *p;
    *who = NULL;
    if (geteuid() != 0) return OK;
    if (stat(data, &st) != 0) return fail_field(e, E_IO, NULL, "data", "%s: %s", data, strerror(errno));
    TRY(whom(&st, user, &p, e));
    if (!p || p->pw_uid == 0) return OK;
    if (st.st_uid != p->pw_uid)
        return fail_field(e, E_CONF, NULL, "server.user", "the data directory must belong to %.40s: chown -R %.40s it", p->pw_name, p->pw_name);
    *who = arena_str(a, slice_str(p->pw_name));
    if (initgroups(p->pw_name, p->pw_gid) != 0 || setgid(p->pw_gid) != 0 || setuid(p->pw_uid) != 0)
        return fail(e, E_IO, NULL, "cannot become %.40s: %s", p->pw_name, strerror(errno));
    if (setuid(0) == 0) return fail(e, E_INTERNAL, NULL, "root could be taken back");
    return OK;
}
