/* checkpoint.c -- copies the write-ahead log into the database file beside the writer, and lets the log begin anew.
 *
 * Copying 32 MiB of log takes some 150 ms, in which the writer could acknowledge hundreds of jobs. So a thread with a connection
 * of its own copies passively, which stops nobody, each time the log has grown by a quarter of its length. But the log
 * begins anew only when all of it is copied at a moment when nobody writes; so when it is long enough the thread
 * goes on copying until little is left, and that little the writer copies itself.
 *
 * If readers hold on to the log, or the disk is slower than the writer, the log grows to LONG times its length; then
 * the writer waits for them. */
#include "store/checkpoint.h"

#include <pthread.h>

#include "base/mem.h"
#include "store/walbuf.h"

enum { PARTS = 4, LITTLE = 8, LONG = 4 };          /* copy at every 1/4; the writer copies at most 1/8; wait for readers at 4/1 */

struct checkpointer {
    /* configuration */
    sqlite3 *db;                                   /* the thread's; NULL without a thread */
    int pages;
    pthread_t thread;
    /* state, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool wanted, busy, closing;
    int copied;                                    /* so much of the log is in the database file, as far as we know */
};

static void *copy_loop(void *arg)
{
    struct checkpointer *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->closing) {
        if (!c->wanted) {
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        int copied = -1;
        c->wanted = false;
        c->busy = true;
        pthread_mutex_unlock(&c->lock);
        int rc = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &copied);
        pthread_mutex_lock(&c->lock);
        if (rc == SQLITE_OK && copied >= 0) c->copied = copied;
        c->busy = false;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

enum eim_err checkpoint_start(struct checkpointer **out, const char *path, int pages, bool thread, struct err *e)
{
    struct checkpointer *c = *out = MEM_NEW(struct checkpointer);
    if (!c) return fail(e, E_NOMEM, NULL, "no memory for a connection");
    c->pages = pages;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    if (!thread) return OK;
    int rc = sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, walbuf_vfs());
    if (rc == SQLITE_OK) rc = sqlite3_exec(c->db, "PRAGMA synchronous = FULL; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0;"
                                           "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -64", NULL, NULL, NULL);
    bool started = rc == SQLITE_OK && pthread_create(&c->thread, NULL, copy_loop, c) == 0;
    if (started) return OK;
    sqlite3_close(c->db);
    c->db = NULL;
    checkpoint_stop(c);
    *out = NULL;
    return fail(e, E_STORE, NULL, "no checkpoints: %s", rc == SQLITE_OK ? "no thread" : sqlite3_errstr(rc));
}

void checkpoint_stop(struct checkpointer *c)
{
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (c->db) pthread_join(c->thread, NULL);
    sqlite3_close(c->db);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

void checkpoint_rest(struct checkpointer *c, sqlite3 *writer, int wal_pages)
{
    bool full = wal_pages >= c->pages, overdue = wal_pages >= c->pages * LONG;
    pthread_mutex_lock(&c->lock);
    if (wal_pages < c->copied) c->copied = 0;      /* the log has begun anew */
    int left = wal_pages - c->copied;
    bool self = full && (left <= c->pages / LITTLE || !c->db || overdue);
    if (!self && !c->busy && c->db && left >= (full ? 0 : c->pages / PARTS)) {
        c->wanted = true;
        pthread_cond_broadcast(&c->changed);
    }
    while (self && (c->busy || c->wanted) && c->db && overdue) pthread_cond_wait(&c->changed, &c->lock);
    self = self && !c->busy && !c->wanted;
    pthread_mutex_unlock(&c->lock);
    if (self) sqlite3_wal_checkpoint_v2(writer, NULL, overdue ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}
