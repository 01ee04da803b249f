/* walbuf.c -- an SQLite VFS that gathers the writes to the write-ahead log and hands them to the system in large pieces.
 *
 * SQLite writes a log frame with two system calls, 24 bytes and a page. A COMMIT of 64 jobs is some 300 of them, a fifth of
 * the CPU time of a round trip. All of them lie one behind the other, and nobody may read them before COMMIT has synced the
 * log (synchronous=FULL), so they can wait in memory until then.
 *
 * B1 Before anything but a write that continues the last one, all that waits is written. Above all before xSync and xRead.
 * B2 What could not be written is forgotten and the error returned: the COMMIT fails, and SQLite never counts those
 *    frames as part of the log.
 * Files that are not the log are opened by the system's VFS directly and never come here again. */
#include "store/walbuf.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "base/mem.h"

enum { ROOM = 64 * 1024 };                         /* SQLite's own xWrite takes less than 128 KiB at a time */

struct log_file {
    sqlite3_file base;                             /* first member: SQLite's view */
    unsigned char *waiting;                        /* ROOM bytes, made by the first write: readers never need them */
    int n;
    sqlite3_int64 at;                              /* where in the file the first waiting byte goes */
    sqlite3_file *file;                            /* the system's */
};

static sqlite3_file *file_of(sqlite3_file *f) { return ((struct log_file *)f)->file; }

static int flush(sqlite3_file *f)
{
    struct log_file *l = (struct log_file *)f;
    int n = l->n;
    l->n = 0;
    return n ? l->file->pMethods->xWrite(l->file, l->waiting, n, l->at) : SQLITE_OK;
}

static int log_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct log_file *l = (struct log_file *)f;
    int rc = SQLITE_OK;
    if (l->n && (at != l->at + l->n || n > ROOM - l->n)) rc = flush(f);
    if (rc != SQLITE_OK) return rc;
    if (!l->waiting && !(l->waiting = mem_new(ROOM))) return SQLITE_IOERR_NOMEM;
    if (n > ROOM) return l->file->pMethods->xWrite(l->file, p, n, at);
    if (!l->n) l->at = at;
    memcpy(l->waiting + l->n, p, (size_t)n);
    l->n += n;
    return SQLITE_OK;
}

static int log_close(sqlite3_file *f)
{
    int rc = flush(f), closed = file_of(f)->pMethods->xClose(file_of(f));
    mem_free(((struct log_file *)f)->waiting);
    return rc != SQLITE_OK ? rc : closed;
}

/* Each of these: what waits first, then the system's own. */
#define FLUSHED(name, params, args)                                            \
    static int name params                                                     \
    {                                                                          \
        int rc = flush(f);                                                     \
        return rc != SQLITE_OK ? rc : file_of(f)->pMethods->x##args;           \
    }
FLUSHED(log_read, (sqlite3_file *f, void *p, int n, sqlite3_int64 at), Read(file_of(f), p, n, at))
FLUSHED(log_truncate, (sqlite3_file *f, sqlite3_int64 size), Truncate(file_of(f), size))
FLUSHED(log_sync, (sqlite3_file *f, int flags), Sync(file_of(f), flags))
FLUSHED(log_size, (sqlite3_file *f, sqlite3_int64 *size), FileSize(file_of(f), size))
FLUSHED(log_lock, (sqlite3_file *f, int level), Lock(file_of(f), level))
FLUSHED(log_unlock, (sqlite3_file *f, int level), Unlock(file_of(f), level))
FLUSHED(log_reserved, (sqlite3_file *f, int *out), CheckReservedLock(file_of(f), out))
FLUSHED(log_control, (sqlite3_file *f, int op, void *arg), FileControl(file_of(f), op, arg))

static int log_sector(sqlite3_file *f) { return file_of(f)->pMethods->xSectorSize(file_of(f)); }
static int log_traits(sqlite3_file *f) { return file_of(f)->pMethods->xDeviceCharacteristics(file_of(f)); }

static const sqlite3_io_methods log_methods = {
    .iVersion = 1, .xClose = log_close, .xRead = log_read, .xWrite = log_write, .xTruncate = log_truncate, .xSync = log_sync,
    .xFileSize = log_size, .xLock = log_lock, .xUnlock = log_unlock, .xCheckReservedLock = log_reserved, .xFileControl = log_control,
    .xSectorSize = log_sector, .xDeviceCharacteristics = log_traits,
};

static int walbuf_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags, int *out_flags)
{
    sqlite3_vfs *system = vfs->pAppData;
    if (!(flags & SQLITE_OPEN_WAL)) return system->xOpen(system, name, f, flags, out_flags);
    struct log_file *l = (struct log_file *)f;
    *l = (struct log_file){ .file = (sqlite3_file *)(l + 1) };
    int rc = system->xOpen(system, name, l->file, flags, out_flags);
    if (rc == SQLITE_OK) l->base.pMethods = &log_methods;
    return rc;
}

/* SQLite's list of VFSs is of the process, and this entry of it is made once (I10). */
static sqlite3_vfs registered;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make(void)
{
    /* Nobody reads SQLite's count of its memory, and it takes a lock of all connections for each piece. Refused if SQLite is in use. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    if (!system) return;
    registered = *system;
    registered.pNext = NULL;
    registered.zName = "eimd";
    registered.pAppData = system;
    registered.szOsFile += (int)sizeof(struct log_file);
    registered.xOpen = walbuf_open;
    if (sqlite3_vfs_register(&registered, 0) != SQLITE_OK) registered.zName = NULL;
}

const char *walbuf_vfs(void)
{
    pthread_once(&once, make);
    return registered.zName;
}
