/* driver.h -- what a storage engine must do: nothing of the domain, only connections, transactions and named queries.
 *
 * A connection is used by one thread at a time and runs one query at a time: run, step until no row is left (or not), finish.
 * Every function may block on the disk or the network. Errors are E_STORE with the engine's own words, never with
 * a password, except: E_CONFLICT for a broken unique key, E_NOT_FOUND for a broken reference to a device. After an
 * error conn->trouble says what the owner of the connection has to do. */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "base/buf.h"
#include "base/err.h"
#include "store/query.h"
#include "store/store.h"

enum role { ROLE_READER, ROLE_WRITER };

enum trouble {
    TROUBLE_NONE,
    TROUBLE_AGAIN,                                 /* serialization failure or deadlock: the transaction may be run again */
    TROUBLE_ENDED,                                 /* the engine has rolled back the whole transaction by itself */
    TROUBLE_LOST,                                  /* the connection is dead: close it, open another */
};

struct conn {                                      /* first member of every driver's connection */
    const struct driver *driver;
    enum trouble trouble;                          /* of the last error; whoever acts on it sets it back */
};

struct value { bool is_bytes, is_text; int64_t i; struct slice s; };

enum control { CTL_BEGIN_READ, CTL_BEGIN_WRITE, CTL_SAVEPOINT, CTL_RELEASE, CTL_ROLLBACK_TO, CTL_COMMIT, CTL_ROLLBACK, CTL_END };

struct driver {
    const char *name, *scheme;                     /* the scheme is what the URL begins with */
    bool grouped;                                  /* one writer, many jobs a COMMIT; else many writers, one job a transaction */
    bool alone;                                    /* no other process writes to the same database */
    bool in_place;                                 /* an update writes over the row, so it is dear when the row grows */
    /* open -- `create`: make an empty database if there is none. */
    enum eim_err (*open)(struct conn **out, const struct store_options *o, enum role role, bool create, struct err *e);
    void (*close)(struct conn *c);
    /* lock -- nobody else migrates this database until the matching unlock; begins a write transaction, unlock
     * ends it (keep: COMMIT, else ROLLBACK). */
    enum eim_err (*lock)(struct conn *c, struct err *e);
    enum eim_err (*unlock)(struct conn *c, bool keep, struct err *e);
    enum eim_err (*script)(struct conn *c, const char *sql, struct err *e);
    /* control -- a driver may put off a BEGIN until the first query; then that is where its errors show. */
    enum eim_err (*control)(struct conn *c, enum control what, struct err *e);
    /* run -- start a query; the values must stay as they are until finish. */
    enum eim_err (*run)(struct conn *c, enum query_id q, const struct value *v, struct err *e);
    enum eim_err (*step)(struct conn *c, bool *row, struct err *e);
    int64_t (*int_at)(struct conn *c, unsigned column);
    struct slice (*bytes_at)(struct conn *c, unsigned column);         /* valid until the next step or finish */
    int64_t (*changed)(struct conn *c);            /* rows that the query wrote; call after step said that there is no row */
    void (*finish)(struct conn *c);
    /* rest -- after a batch of writes, when nobody waits: checkpoints. NULL: nothing to do. */
    void (*rest)(struct conn *c);
    /* writable -- could a write be committed now, as far as can be told without one? */
    enum eim_err (*writable)(struct conn *c, struct err *e);
};

extern const struct driver sqlite_driver, postgres_driver;

/* A word in the SQL, written as a comment, and what the engine makes of it. */
struct placeholder { const char *mark, *text; };
/* driver_fill -- the SQL with its placeholders replaced, NUL-terminated, appended to *out, which may be marked failed. */
void driver_fill(struct buf *out, const char *sql, const struct placeholder *p, size_t n);

#endif
