/* migrate.c -- brings a database to the schema of this program, one numbered script after the other, under a lock.
 *
 * Numbers may have gaps, and a gap may be filled later: what is applied is each script that the database has not had. All of them
 * run in one transaction, so a program that dies half-way leaves the database as it was. */
#include "store/store_int.h"

/* *newest: the highest number that was applied; *n: how many were. */
static enum eim_err schema_version(struct store *s, struct conn *c, int64_t *newest, int64_t *n, struct err *e)
{
    bool row = false;
    TRY(store_count(s, e));
    TRY(s->driver->run(c, Q_SCHEMA_VERSION, NULL, e));
    enum eim_err rc = s->driver->step(c, &row, e);
    *newest = rc == OK && row ? s->driver->int_at(c, 0) : 0;
    *n = rc == OK && row ? s->driver->int_at(c, 1) : 0;
    s->driver->finish(c);
    return rc;
}

static enum eim_err applied(struct store *s, struct conn *c, int number, bool *out, struct err *e)
{
    struct value v = V_INT(number);
    TRY(store_count(s, e));
    TRY(s->driver->run(c, Q_SCHEMA_HAS, &v, e));
    enum eim_err rc = s->driver->step(c, out, e);
    s->driver->finish(c);
    return rc;
}

static enum eim_err apply(struct store *s, struct conn *c, const struct migration *m, struct err *e)
{
    bool row = false;
    struct value number = V_INT(m->number);
    TRY(store_count(s, e));
    TRY(s->driver->script(c, m->sql, e));
    TRY(store_count(s, e));
    TRY(s->driver->run(c, Q_SCHEMA_APPLIED, &number, e));
    enum eim_err rc = s->driver->step(c, &row, e);
    s->driver->finish(c);
    return rc;
}

static enum eim_err migrate(struct store *s, struct conn *c, struct err *e)
{
    int64_t at, n;
    bool had;
    TRY(store_count(s, e));
    TRY(s->driver->script(c, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)", e));
    TRY(schema_version(s, c, &at, &n, e));
    int newest = migrations[migrations_n - 1].number;
    if (at > newest)
        return fail(e, E_STORE, NULL, "the database has schema %lld, this program knows schemas up to %d: it is older than its database",
                    (long long)at, newest);
    if (n == migrations_n) return OK;
    for (int i = 0; i < migrations_n; i++) {
        TRY(applied(s, c, migrations[i].number, &had, e));
        if (!had) TRY(apply(s, c, &migrations[i], e));
    }
    return OK;
}

enum eim_err store_migrate(struct store *s, struct conn *c, struct err *e)
{
    struct err end = { 0 };
    TRY(store_count(s, e));
    TRY(s->driver->lock(c, e));
    enum eim_err rc = migrate(s, c, e);
    if (rc == OK) rc = store_count(s, e);
    enum eim_err ended = s->driver->unlock(c, rc == OK, &end);
    return rc != OK ? rc : ended != OK ? fail(e, ended, NULL, "%s", end.why) : OK;
}
