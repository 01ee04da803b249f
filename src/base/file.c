/* file.c -- whole small files: read under a ceiling, written new and durably. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum eim_err read_all(int fd, const char *path, bool secret, uint8_t *out, size_t cap, size_t *n, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return fail(e, E_IO, NULL, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return fail(e, E_CONF, NULL, "%s: not a regular file", path);
    if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)))
        return fail(e, E_CONF, NULL, "%s: mode %04o lets others at a secret; use 0600", path, (unsigned)(st.st_mode & 07777));
    size_t have = 0;
    for (;;) {
        uint8_t more;                              /* room for one byte too many shows that the file is too large */
        ssize_t got = have < cap ? read(fd, out + have, cap - have) : read(fd, &more, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(e, E_IO, NULL, "%s: %s", path, strerror(errno));
        if (got == 0) break;
        if (have == cap) return fail(e, E_TOO_LARGE, NULL, "%s: more than %zu bytes", path, cap);
        have += (size_t)got;
    }
    *n = have;
    return OK;
}

enum eim_err file_read(const char *path, bool secret, uint8_t *out, size_t cap, size_t *n, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);    /* O_NONBLOCK: a FIFO must not hang us */
    if (fd < 0) return fail(e, errno == ENOENT ? E_NOT_FOUND : E_IO, NULL, "%s: %s", path, strerror(errno));
    enum eim_err rc = read_all(fd, path, secret, out, cap, n, e);
    close(fd);
    return rc;
}

static int write_all(int fd, struct slice s)
{
    while (s.n) {
        ssize_t put = write(fd, s.p, s.n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return -1;
        s.p += put;
        s.n -= (size_t)put;
    }
    return fsync(fd);
}

/* A new name is durable only once its folder is. */
static int sync_parent(const char *path)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');
    int n = slash == path ? 1 : slash ? (int)(slash - path) : 1;
    if ((size_t)n >= sizeof dir) { errno = ENAMETOOLONG; return -1; }
    snprintf(dir, sizeof dir, "%.*s", n, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    int rc = fsync(fd);
    int keep = errno;
    close(fd);
    errno = keep;
    return rc;
}

enum eim_err file_write_new(const char *path, unsigned mode, struct slice content, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (fd < 0) return fail(e, errno == EEXIST ? E_CONFLICT : E_IO, NULL, "%s: %s", path, strerror(errno));
    int bad = fchmod(fd, (mode_t)mode) != 0 || write_all(fd, content) != 0;
    int why = errno;
    if (close(fd) != 0 && !bad) { bad = 1; why = errno; }
    if (!bad && sync_parent(path) != 0) { bad = 1; why = errno; }
    if (!bad) return OK;
    unlink(path);
    return fail(e, E_IO, NULL, "%s: %s", path, strerror(why));
}
