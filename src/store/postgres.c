/* postgres.c -- the driver for PostgreSQL, over libpq, all values in binary.
 *
 * Each query is prepared once a connection, by its name; the server infers the types of the parameters from the columns
 * they meet. A connection that breaks is reported as TROUBLE_LOST, and whoever owns the line makes another one.
 *
 * Round trips to the server are what a short transaction costs. So BEGIN is owed until the first query and goes out with it
 * (libpq's pipeline mode), and nobody waits for the COMMIT of a reader: its answer is taken in before the next use. */
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/driver.h"

enum {
    SQL_MAX = 65536,
    VALUE_MAX = 1 << 29,                           /* bytes; the server's limit is 1 GiB a row */
    MIGRATION_LOCK = 0x65494d64,                   /* the key of the advisory lock */
};

struct postgres_conn {
    struct conn conn;                              /* first member */
    PGconn *pg;
    PGresult *result;
    int row, rows;
    const char *owed;                              /* the BEGIN that has not been sent, or NULL */
    bool reading, drain;                           /* a reader's transaction; the answer to its COMMIT has not been taken in */
    bool prepared[Q_END];
};

static const struct placeholder placeholders[] = {
    { "/*lock*/", "FOR UPDATE" },
    { "/*claim*/", "FOR UPDATE SKIP LOCKED" },
    { "/*clustered*/", "" },
    { "/*bytes*/", "::BYTEA" },
    { "/*key64*/", "BIGINT" },
    { "/*updated*/", "WITH (fillfactor = 75)" },   /* room for the next version of a row on the same page */
};

/* What a session is set to. An acknowledged job must be durable (I3), whatever the server's default is. */
static const char session[] =
    "SET client_encoding = 'UTF8'; SET bytea_output = 'hex'; SET statement_timeout = '30s'; SET lock_timeout = '10s';"
    "SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning;"
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

static struct postgres_conn *of(struct conn *c)
{
    return (struct postgres_conn *)c;
}

/* say -- the first line of the engine's words, unless they hold the password. */
static enum eim_err say(struct err *e, enum eim_err code, const PGconn *pg, const char *words)
{
    const char *password = pg ? PQpass(pg) : NULL;
    if (!words || !*words) words = "the connection failed";
    if (password && *password && strstr(words, password)) words = "the connection failed (its message holds the password)";
    return fail(e, code, NULL, "PostgreSQL: %.*s", (int)strcspn(words, "\n"), words);
}

static bool state_is(const char *state, const char *codes)
{
    return state && strlen(state) == 5 && strstr(codes, state);
}

static enum eim_err trouble(struct postgres_conn *c, const PGresult *r, struct err *e)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE), *words = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    if (!words) words = PQerrorMessage(c->pg);
    /* An error without SQLSTATE comes from libpq: the connection is broken, even if PQstatus does not know it yet. */
    if (!state || PQstatus(c->pg) != CONNECTION_OK || state_is(state, "57P01 57P02 57P03 25006 25P03") || strncmp(state, "08", 2) == 0)
        c->conn.trouble = TROUBLE_LOST;
    else if (state_is(state, "40001 40P01"))
        c->conn.trouble = TROUBLE_AGAIN;
    else if (state_is(state, "23505"))
        return say(e, E_CONFLICT, c->pg, words);
    else if (state_is(state, "23503"))
        return fail(e, E_NOT_FOUND, NULL, "the row it belongs to does not exist");
    return say(e, E_STORE, c->pg, words);
}

/* take -- keep a result that is well, turn another into an error. */
static enum eim_err take(struct postgres_conn *c, PGresult *r, struct err *e)
{
    ExecStatusType st = PQresultStatus(r);
    if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK) {
        enum eim_err rc = trouble(c, r, e);
        PQclear(r);
        return rc;
    }
    PQclear(c->result);
    c->result = r;
    return OK;
}

static void postgres_finish(struct conn *conn)
{
    PQclear(of(conn)->result);
    of(conn)->result = NULL;
}

static enum eim_err plain(struct postgres_conn *c, const char *sql, struct err *e)
{
    TRY(take(c, PQexec(c->pg, sql), e));
    postgres_finish(&c->conn);
    return OK;
}

/* filled -- call `use` with the SQL and its placeholders replaced. */
static enum eim_err filled(struct postgres_conn *c, const char *sql, const char *prepare_as, struct err *e)
{
    struct buf b;
    buf_init(&b, SQL_MAX);
    driver_fill(&b, sql, placeholders, sizeof placeholders / sizeof placeholders[0]);
    const char *text = (const char *)b.p;
    enum eim_err rc = b.failed ? fail(e, E_INTERNAL, NULL, "an SQL script is too long")
                    : take(c, prepare_as ? PQprepare(c->pg, prepare_as, text, 0, NULL) : PQexec(c->pg, text), e);
    buf_free(&b);
    postgres_finish(&c->conn);
    return rc;
}

static enum eim_err postgres_script(struct conn *conn, const char *sql, struct err *e)
{
    return filled(of(conn), sql, NULL, e);
}

/* ---- opening ---- */

static void silent(void *ctx, const PGresult *r)
{
    (void)ctx, (void)r;
}

static void postgres_close(struct conn *conn)
{
    struct postgres_conn *c = of(conn);
    postgres_finish(conn);
    PQfinish(c->pg);
    mem_free(c);
}

/* readable -- can libpq read the URL? Its own message would quote it, and the password with it. */
static bool readable(const char *url)
{
    char *why = NULL;
    PQconninfoOption *o = PQconninfoParse(url, &why);
    PQfreemem(why);
    PQconninfoFree(o);
    return o != NULL;
}

static enum eim_err postgres_open(struct conn **out, const struct store_options *o, enum role role, bool create, struct err *e)
{
    /* What the URL says wins over what stands before it here. */
    const char *const names[] = { "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
                                  "fallback_application_name", "dbname", NULL };
    const char *const values[] = { "5", "5", "5", "3", "15000", "eimd", o->url, NULL };
    (void)role, (void)create;
    *out = NULL;
    if (!readable(o->url)) return fail(e, E_CONF, NULL, "the URL of the PostgreSQL database cannot be read");
    struct postgres_conn *c = MEM_NEW(struct postgres_conn);
    if (!c) return fail(e, E_NOMEM, NULL, "no memory for a connection");
    c->conn.driver = &postgres_driver;
    c->pg = PQconnectdbParams(names, values, 1);
    enum eim_err rc = OK;
    if (!c->pg) rc = fail(e, E_NOMEM, NULL, "no memory for a connection");
    else if (PQstatus(c->pg) != CONNECTION_OK) rc = say(e, E_STORE, c->pg, PQerrorMessage(c->pg));
    if (rc == OK) {
        PQsetNoticeReceiver(c->pg, silent, NULL);
        rc = plain(c, session, e);
    }
    if (rc != OK) {
        postgres_close(&c->conn);
        return rc;
    }
    *out = &c->conn;
    return OK;
}

static enum eim_err postgres_lock(struct conn *conn, struct err *e)
{
    char sql[160];
    snprintf(sql, sizeof sql, "BEGIN; SET LOCAL statement_timeout = '600s'; SET LOCAL lock_timeout = '600s';"
             "SELECT pg_advisory_xact_lock(%d)", MIGRATION_LOCK);
    return plain(of(conn), sql, e);
}

static enum eim_err postgres_unlock(struct conn *conn, bool keep, struct err *e)
{
    return plain(of(conn), keep ? "COMMIT" : "ROLLBACK", e);
}

/* ---- transactions ---- */

/* drained -- take in the answer that nobody waited for. */
static enum eim_err drained(struct postgres_conn *c, struct err *e)
{
    enum eim_err rc = OK;
    PGresult *r;
    while (c->drain && (r = PQgetResult(c->pg))) {
        if (PQresultStatus(r) != PGRES_COMMAND_OK) rc = trouble(c, r, e);
        PQclear(r);
    }
    c->drain = false;
    return rc;
}

static enum eim_err postgres_end(struct postgres_conn *c, enum control what, struct err *e)
{
    bool commit = what == CTL_COMMIT, nothing = c->owed != NULL;
    c->owed = NULL;
    if (nothing) return OK;
    if (commit && c->reading) {
        c->drain = PQsendQuery(c->pg, "COMMIT") == 1;
        if (!c->drain) c->conn.trouble = TROUBLE_LOST;
        return c->drain ? OK : say(e, E_STORE, c->pg, PQerrorMessage(c->pg));
    }
    TRY(take(c, PQexec(c->pg, commit ? "COMMIT" : "ROLLBACK"), e));
    /* COMMIT of a transaction in which something failed says ROLLBACK, and that it went well. */
    bool undone = commit && strcmp(PQcmdStatus(c->result), "COMMIT") != 0;
    postgres_finish(&c->conn);
    return undone ? fail(e, E_STORE, NULL, "PostgreSQL: the transaction was rolled back") : OK;
}

static enum eim_err postgres_control(struct conn *conn, enum control what, struct err *e)
{
    struct postgres_conn *c = of(conn);
    TRY(drained(c, e));
    if (what == CTL_COMMIT || what == CTL_ROLLBACK) return postgres_end(c, what, e);
    c->reading = what == CTL_BEGIN_READ;
    c->owed = c->reading ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN";
    return OK;
}

/* ---- queries ---- */

/* The parameters of a query as libpq wants them. */
struct bound {
    int64_t ints[PARAMS_MAX];
    const char *values[PARAMS_MAX];
    int n, lengths[PARAMS_MAX], binary[PARAMS_MAX];
};

static enum eim_err bind(struct bound *b, unsigned n, const struct value *v, struct err *e)
{
    b->n = (int)n;
    for (unsigned i = 0; i < n; i++) {
        if (v[i].is_bytes && v[i].s.n > VALUE_MAX) return fail(e, E_TOO_LARGE, NULL, "a value is too large for the store");
        b->ints[i] = (int64_t)htobe64((uint64_t)v[i].i);
        b->values[i] = !v[i].is_bytes ? (const char *)&b->ints[i] : v[i].s.n ? (const char *)v[i].s.p : "";
        b->lengths[i] = v[i].is_bytes ? (int)v[i].s.n : 8;
        b->binary[i] = 1;
    }
    return OK;
}

/* begin_and_run -- the BEGIN that is owed and a query, in one round trip. */
static enum eim_err begin_and_run(struct postgres_conn *c, const char *name, const struct bound *b, struct err *e)
{
    PGresult *r, *last = NULL;
    enum eim_err rc = OK;
    bool synced = false;
    const char *begin = c->owed;
    c->owed = NULL;
    bool sent = PQenterPipelineMode(c->pg) && PQsendQueryParams(c->pg, begin, 0, NULL, NULL, NULL, NULL, 1)
        && PQsendQueryPrepared(c->pg, name, b->n, b->values, b->lengths, b->binary, 1) && PQpipelineSync(c->pg);
    for (int none = 0; sent && !synced && none < 2;) {         /* each answer is followed by one NULL, the last by the sync */
        if (!(r = PQgetResult(c->pg))) {
            none++;
            continue;
        }
        none = 0;
        ExecStatusType st = PQresultStatus(r);
        synced = st == PGRES_PIPELINE_SYNC;
        if (rc == OK && !synced && st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK) rc = trouble(c, r, e);
        PQclear(synced ? r : last);
        if (!synced) last = r;
    }
    if (!synced || !PQexitPipelineMode(c->pg)) {
        c->conn.trouble = TROUBLE_LOST;
        if (rc == OK) rc = say(e, E_STORE, c->pg, PQerrorMessage(c->pg));
    }
    if (rc == OK && last) return take(c, last, e);
    PQclear(last);
    return rc;
}

static enum eim_err postgres_run(struct conn *conn, enum query_id q, const struct value *v, struct err *e)
{
    struct postgres_conn *c = of(conn);
    const struct query *query = &queries[q];
    struct bound b;
    TRY(bind(&b, query->params_n, v, e));
    if (!c->prepared[q]) TRY(filled(c, query->sql, query->name, e));
    c->prepared[q] = true;
    if (c->owed) TRY(begin_and_run(c, query->name, &b, e));
    else TRY(take(c, PQexecPrepared(c->pg, query->name, b.n, b.values, b.lengths, b.binary, 1), e));
    c->rows = PQntuples(c->result);
    c->row = -1;
    return OK;
}

static enum eim_err postgres_step(struct conn *conn, bool *row, struct err *e)
{
    (void)e;
    *row = ++of(conn)->row < of(conn)->rows;
    return OK;
}

static struct slice postgres_bytes_at(struct conn *conn, unsigned column)
{
    struct postgres_conn *c = of(conn);
    return slice_of(PQgetvalue(c->result, c->row, (int)column), (size_t)PQgetlength(c->result, c->row, (int)column));
}

static int64_t postgres_int_at(struct conn *conn, unsigned column)
{
    struct slice s = postgres_bytes_at(conn, column);
    uint64_t v = 0;
    if (s.n == sizeof v) memcpy(&v, s.p, sizeof v);
    return (int64_t)be64toh(v);
}

static int64_t postgres_changed(struct conn *conn)
{
    return strtoll(PQcmdTuples(of(conn)->result), NULL, 10);
}

static enum eim_err postgres_writable(struct conn *conn, struct err *e)
{
    struct postgres_conn *c = of(conn);
    TRY(take(c, PQexec(c->pg, "SELECT 1 WHERE pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"), e));
    bool standby = PQntuples(c->result) > 0;
    postgres_finish(conn);
    return standby ? fail(e, E_STORE, NULL, "PostgreSQL: this server takes no writes") : OK;
}

const struct driver postgres_driver = {
    .name = "postgresql", .scheme = "postgresql://", .grouped = false,
    .open = postgres_open, .close = postgres_close, .lock = postgres_lock, .unlock = postgres_unlock,
    .script = postgres_script, .control = postgres_control, .run = postgres_run, .step = postgres_step,
    .int_at = postgres_int_at, .bytes_at = postgres_bytes_at, .changed = postgres_changed, .finish = postgres_finish,
    .writable = postgres_writable,
};
