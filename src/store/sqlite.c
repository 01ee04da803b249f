/* sqlite.c -- the driver for SQLite: one file in WAL mode, synchronous=FULL.
 *
 * Durability rests on three settings: WAL with synchronous=FULL (each COMMIT is one write and one fdatasync of the
 * log), no automatic checkpoint (checkpoints run in rest(), when a batch is acknowledged and nobody waits), and the
 * check before each COMMIT that the open file is still the one at the path: a file that was moved away would
 * take every write and lose all of them. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/checkpoint.h"
#include "store/driver.h"
#include "store/walbuf.h"

enum {
    APPLICATION_ID = 0x65494d64,                   /* "eIMd": what `file` and we know our databases by */
    PAGE_SIZE = 2048,                              /* half the bytes of 4096 for each random row of a round trip, and rows still fit */
    LOOK_MS = 100,                                 /* readers look for a file that was moved no more often than this */
    BUSY_MS = 2000,                                /* another process (a backup, a second node) may hold the lock this long */
    OPEN_TRIES = 50,                               /* changing to WAL does not wait for the lock by itself */
    SQL_MAX = 65536,
    WAL_PAGES = (32 << 20) / PAGE_SIZE,            /* the log should begin anew at 32 MiB; it ends at four times that */
};

struct sqlite_conn {
    struct conn conn;                              /* first member */
    sqlite3 *db;
    bool writing;
    int64_t looked_ms;                             /* when a reader last looked whether the file is still there */
    int wal_pages;                                 /* length of the log after the last COMMIT */
    struct checkpointer *checkpointer;             /* the writer's */
    sqlite3_stmt *current, *control[CTL_END], *query[Q_END];
};

static const struct placeholder placeholders[] = {
    { "/*lock*/", "" },                            /* there is one writer: its row is locked anyway */
    { "/*claim*/", "" },
    { "/*clustered*/", "WITHOUT ROWID" },
    { "/*bytes*/", "" },
    { "/*key64*/", "INTEGER" },                    /* makes it the rowid: the leaves hold the rows, the inner pages only numbers */
    { "/*updated*/", "" },
};

static struct sqlite_conn *of(struct conn *c)
{
    return (struct sqlite_conn *)c;
}

static enum eim_err trouble(struct sqlite_conn *c, int rc, struct err *e)
{
    if (c->writing && sqlite3_get_autocommit(c->db)) c->conn.trouble = TROUBLE_ENDED;
    switch (rc) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_UNIQUE:
        return fail(e, E_CONFLICT, NULL, "%s", sqlite3_errmsg(c->db));
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return fail(e, E_NOT_FOUND, NULL, "the row it belongs to does not exist");
    default:
        return fail(e, E_STORE, NULL, "SQLite: %s (%d)", sqlite3_errmsg(c->db), rc);
    }
}

static enum eim_err prepare(struct sqlite_conn *c, const char *sql, sqlite3_stmt **out, struct err *e)
{
    struct buf b;
    buf_init(&b, SQL_MAX);
    driver_fill(&b, sql, placeholders, sizeof placeholders / sizeof placeholders[0]);
    int rc = b.failed ? SQLITE_TOOBIG : sqlite3_prepare_v3(c->db, (const char *)b.p, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    buf_free(&b);
    return rc == SQLITE_OK ? OK : trouble(c, rc, e);
}

static enum eim_err plain(struct sqlite_conn *c, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : trouble(c, rc, e);
}

static enum eim_err sqlite_script(struct conn *conn, const char *sql, struct err *e)
{
    struct sqlite_conn *c = of(conn);
    struct buf b;
    buf_init(&b, SQL_MAX);
    driver_fill(&b, sql, placeholders, sizeof placeholders / sizeof placeholders[0]);
    enum eim_err rc = b.failed ? fail(e, E_INTERNAL, NULL, "an SQL script is too long") : plain(c, (const char *)b.p, e);
    buf_free(&b);
    return rc;
}

/* number -- the first column of the first row: for PRAGMAs. */
static enum eim_err number(struct sqlite_conn *c, const char *sql, int64_t *out, struct err *e)
{
    sqlite3_stmt *st = NULL;
    TRY(prepare(c, sql, &st, e));
    int rc = sqlite3_step(st);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : trouble(c, rc, e);
}

/* still_there -- is the file at the path the one that we have open? */
static enum eim_err still_there(struct sqlite_conn *c, struct err *e)
{
    int moved = 0;
    int rc = sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (rc == SQLITE_OK && !moved) return OK;
    return fail(e, E_STORE, NULL, "the database file is gone, or another one stands in its place: %s", sqlite3_db_filename(c->db, "main"));
}

/* seldom_there -- the same for readers, who can lose nothing by it: now and then, for a stat(2) costs as much as the read. */
static enum eim_err seldom_there(struct sqlite_conn *c, struct err *e)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    int64_t now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    if (c->looked_ms && now_ms < c->looked_ms + LOOK_MS) return OK;
    TRY(still_there(c, e));
    c->looked_ms = now_ms;
    return OK;
}

/* ---- opening ---- */

static int note_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct sqlite_conn *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

/* touch -- make an empty database file that only we may read: SQLite itself would let the group and others. */
static enum eim_err touch(const char *path, struct err *e)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    else if (errno != EEXIST) return fail(e, E_STORE, NULL, "%s cannot be made: %s", path, strerror(errno));
    return OK;
}

static enum eim_err wal_mode(struct sqlite_conn *c, struct err *e)
{
    for (int i = 0;; i++) {
        int rc = sqlite3_exec(c->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (rc == SQLITE_OK) return OK;
        if ((rc & 0xFF) != SQLITE_BUSY || i == OPEN_TRIES) return trouble(c, rc, e);
        sqlite3_sleep(20);
    }
}

static enum eim_err settings(struct sqlite_conn *c, const struct store_options *o, enum role role, bool create, struct err *e)
{
    char sql[512];
    int64_t id, tables;
    unsigned cache = role == ROLE_WRITER ? o->cache_kib : o->cache_kib / 8;
    sqlite3_busy_timeout(c->db, BUSY_MS);
    snprintf(sql, sizeof sql, "PRAGMA page_size = %d; PRAGMA cache_size = -%u; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
             "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF;"
             "PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = %d;", PAGE_SIZE, cache ? cache : 1, 64 << 20);
    TRY(plain(c, sql, e));
    TRY(number(c, "PRAGMA application_id", &id, e));
    TRY(number(c, "SELECT count(*) FROM sqlite_schema", &tables, e));
    if (id != APPLICATION_ID && tables) return fail(e, E_STORE, NULL, "this SQLite file is not a database of eimd");
    if (create) TRY(wal_mode(c, e));
    if (role == ROLE_READER) TRY(plain(c, "PRAGMA query_only = ON", e));
    sqlite3_wal_hook(c->db, note_wal, c);
    return OK;
}

static void sqlite_close(struct conn *conn)
{
    struct sqlite_conn *c = of(conn);
    checkpoint_stop(c->checkpointer);
    for (int i = 0; i < CTL_END; i++) sqlite3_finalize(c->control[i]);
    for (int i = 0; i < Q_END; i++) sqlite3_finalize(c->query[i]);
    sqlite3_close(c->db);
    mem_free(c);
}

static enum eim_err sqlite_open(struct conn **out, const struct store_options *o, enum role role, bool create, struct err *e)
{
    const char *path = o->url + strlen(sqlite_driver.scheme);
    *out = NULL;
    if (create) TRY(touch(path, e));
    struct sqlite_conn *c = MEM_NEW(struct sqlite_conn);
    if (!c) return fail(e, E_NOMEM, NULL, "no memory for a connection");
    c->conn.driver = &sqlite_driver;
    int rc = sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, walbuf_vfs());
    enum eim_err er = rc == SQLITE_OK ? settings(c, o, role, create, e) : fail(e, E_STORE, NULL, "%s: %s", path, sqlite3_errstr(rc));
    if (er == OK && role == ROLE_WRITER && !create) er = checkpoint_start(&c->checkpointer, path, WAL_PAGES, !o->inline_writes, e);
    if (er != OK) {
        sqlite_close(&c->conn);
        return er;
    }
    *out = &c->conn;
    return OK;
}

static enum eim_err sqlite_lock(struct conn *conn, struct err *e)
{
    char sql[64];
    struct sqlite_conn *c = of(conn);
    TRY(plain(c, "BEGIN EXCLUSIVE", e));
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d", APPLICATION_ID);
    enum eim_err rc = plain(c, sql, e);
    if (rc != OK) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static enum eim_err sqlite_unlock(struct conn *conn, bool keep, struct err *e)
{
    return plain(of(conn), keep ? "COMMIT" : "ROLLBACK", e);
}

/* ---- transactions ---- */

static const char *const control_sql[CTL_END] = {
    [CTL_BEGIN_READ] = "BEGIN", [CTL_BEGIN_WRITE] = "BEGIN IMMEDIATE", [CTL_SAVEPOINT] = "SAVEPOINT job",
    [CTL_RELEASE] = "RELEASE job", [CTL_ROLLBACK_TO] = "ROLLBACK TO job", [CTL_COMMIT] = "COMMIT", [CTL_ROLLBACK] = "ROLLBACK",
};

static enum eim_err sqlite_control(struct conn *conn, enum control what, struct err *e)
{
    struct sqlite_conn *c = of(conn);
    if (what == CTL_ROLLBACK && sqlite3_get_autocommit(c->db)) return OK;     /* SQLite has done it by itself */
    if (what == CTL_BEGIN_READ) TRY(seldom_there(c, e));
    if (what == CTL_COMMIT && c->writing) TRY(still_there(c, e));
    if (!c->control[what]) TRY(prepare(c, control_sql[what], &c->control[what], e));
    sqlite3_step(c->control[what]);
    int rc = sqlite3_reset(c->control[what]);
    if (rc != SQLITE_OK) return trouble(c, rc, e);
    if (what == CTL_BEGIN_WRITE) c->writing = true;
    if (what == CTL_COMMIT || what == CTL_ROLLBACK) c->writing = false;
    return OK;
}

/* ---- queries ---- */

static enum eim_err sqlite_run(struct conn *conn, enum query_id q, const struct value *v, struct err *e)
{
    struct sqlite_conn *c = of(conn);
    int rc = SQLITE_OK;
    if (!c->query[q]) TRY(prepare(c, queries[q].sql, &c->query[q], e));
    sqlite3_stmt *st = c->query[q];
    for (int i = 0; i < (int)queries[q].params_n && rc == SQLITE_OK; i++) {
        const void *p = v[i].s.n ? (const void *)v[i].s.p : "";
        if (v[i].is_text) rc = sqlite3_bind_text64(st, i + 1, p, v[i].s.n, SQLITE_STATIC, SQLITE_UTF8);
        else if (v[i].is_bytes) rc = sqlite3_bind_blob64(st, i + 1, p, v[i].s.n, SQLITE_STATIC);
        else rc = sqlite3_bind_int64(st, i + 1, v[i].i);
    }
    if (rc != SQLITE_OK) return trouble(c, rc, e);
    c->current = st;
    return OK;
}

static enum eim_err sqlite_step(struct conn *conn, bool *row, struct err *e)
{
    struct sqlite_conn *c = of(conn);
    int rc = sqlite3_step(c->current);
    *row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : trouble(c, rc, e);
}

static int64_t sqlite_int_at(struct conn *conn, unsigned column)
{
    return sqlite3_column_int64(of(conn)->current, (int)column);
}

static struct slice sqlite_bytes_at(struct conn *conn, unsigned column)
{
    sqlite3_stmt *st = of(conn)->current;
    const void *p = sqlite3_column_blob(st, (int)column);
    return slice_of(p, (size_t)sqlite3_column_bytes(st, (int)column));
}

static int64_t sqlite_changed(struct conn *conn)
{
    return sqlite3_changes64(of(conn)->db);
}

static void sqlite_finish(struct conn *conn)
{
    sqlite3_reset(of(conn)->current);
    of(conn)->current = NULL;
}

static void sqlite_rest(struct conn *conn)
{
    struct sqlite_conn *c = of(conn);
    if (c->checkpointer) checkpoint_rest(c->checkpointer, c->db, c->wal_pages);
}

static enum eim_err sqlite_writable(struct conn *conn, struct err *e)
{
    struct sqlite_conn *c = of(conn);
    const char *path = sqlite3_db_filename(c->db, "main");
    TRY(still_there(c, e));
    if (access(path, W_OK) != 0) return fail(e, E_STORE, NULL, "%s cannot be written: %s", path, strerror(errno));
    return OK;
}

const struct driver sqlite_driver = {
    .name = "sqlite", .scheme = "sqlite:", .grouped = true, .alone = true, .in_place = true,
    .open = sqlite_open, .close = sqlite_close, .lock = sqlite_lock, .unlock = sqlite_unlock,
    .script = sqlite_script, .control = sqlite_control, .run = sqlite_run, .step = sqlite_step,
    .int_at = sqlite_int_at, .bytes_at = sqlite_bytes_at, .changed = sqlite_changed, .finish = sqlite_finish,
    .rest = sqlite_rest, .writable = sqlite_writable,
};
