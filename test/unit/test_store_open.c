/* test_store_open.c -- opening the store: migrations, several at once, and what is refused. */
#include "test/unit/store_suite.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* raw_sql -- behind the store's back. */
static void raw_sql(void **state, const char *url, const char *sql)
{
    if (*state == &postgres_engine) {
        PGconn *c = PQconnectdb(url);
        PGresult *r = PQexec(c, sql);
        if (PQresultStatus(r) != PGRES_COMMAND_OK) flunk("%s", PQerrorMessage(c));
        PQclear(r);
        PQfinish(c);
        return;
    }
    sqlite3 *db;
    assert_int_equal(sqlite3_open(url + 7, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) flunk("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void a_newer_schema_is_refused(void **state)
{
    const char *url = fresh_url(state);
    struct store *none;
    store_close(open_url(url));
    raw_sql(state, url, "INSERT INTO schema_version (version) VALUES (4711)");
    bad_why(E_STORE, "schema 4711, this program knows schemas up to ", store_open(&none, &(struct store_options){ .url = url }, &e));
    assert_null(none);
    raw_sql(state, url, "DELETE FROM schema_version WHERE version = 4711");
    store_close(open_url(url));
}

/* Scripts are written in several places at once, so one may come to a database that has had a later one. */
static void a_script_that_was_passed_over_is_applied(void **state)
{
    const char *url = fresh_url(state);
    struct arena a;
    struct tx *t;
    struct code_list list;
    arena_init(&a, 1 << 20);
    store_close(open_url(url));
    raw_sql(state, url, "DROP TABLE activation_code; DROP TABLE code_pool; DELETE FROM schema_version WHERE version = 11");
    struct store *s = open_url(url);
    good(store_read_begin(s, &t, &e));
    good(store_code_waiting(t, 1, &list, &a, &e));
    store_read_end(t);
    store_close(s);
    arena_free(&a);
}

/* Four processes open an empty database at once: a lock lets one migrate it, and all can use it. */
static void several_may_open_an_empty_database_at_once(void **state)
{
    const char *url = fresh_url(state);
    pid_t pid[4];
    int gate[2], status;
    char go;
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < 4; i++) {
        if ((pid[i] = fork()) != 0) continue;
        close(gate[1]);
        if (read(gate[0], &go, 1) != 0) _exit(3);  /* returns when the parent closes the other end */
        struct store *mine;
        struct err e = { 0 };
        struct device d = a_device(100 + i);
        if (store_open(&mine, &(struct store_options){ .url = url, .readers = 1, .writers = 1 }, &e) != OK
            || WRITE(mine, W(DEVICE_INSERT, &d)) != OK) {
            fprintf(stderr, "%s\n", e.why);
            _exit(1);
        }
        store_close(mine);
        _exit(0);
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    int64_t n;
    struct store *s = open_url(url);
    READ(s, good(store_device_count(t, 0, &n, &e)); assert_int_equal(n, 4));
    store_close(s);
}

static void a_foreign_file_is_not_touched(void **state)
{
    const char *url = fresh_url(state);
    struct store *none;
    struct stat before, after;
    raw_sql(state, url, "CREATE TABLE theirs (x)");
    assert_int_equal(stat(url + 7, &before), 0);
    bad(E_STORE, store_open(&none, &(struct store_options){ .url = url }, &e));
    assert_int_equal(stat(url + 7, &after), 0);
    assert_true(before.st_size == after.st_size && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    FILE *f = fopen(url + 7, "w");
    fputs("this is no database at all, but it is long enough to be looked at", f);
    fclose(f);
    bad(E_STORE, store_open(&none, &(struct store_options){ .url = url }, &e));
    bad(E_STORE, store_open(&none, &(struct store_options){ .url = "sqlite:/nonexistent/dir/eimd.db" }, &e));
    bad(E_CONF, store_open(&none, &(struct store_options){ .url = "mysql://x" }, &e));
}

static void the_database_file_is_for_its_owner_only(void **state)
{
    const char *url = fresh_url(state);
    struct stat st;
    mode_t old = umask(0);
    struct store *s = open_url(url);
    umask(old);
    assert_int_equal(stat(url + 7, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(s);
}

static void no_error_tells_the_password(void **state)
{
    static const char *const urls[] = {
        "postgresql://user:hunter2%@127.0.0.1:1/x", "postgresql://user:hunter2@127.0.0.1:1/x", "postgresql://user:hunter2@[::1/x",
        "postgresql://user:hunter2@127.0.0.1:port/x", "postgresql://user:hunter2@127.0.0.1/x?nonsense=1", "postgresql:///x?password=hunter2&host=/nowhere",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct err e = { 0 };
        struct store *none;
        assert_true(store_open(&none, &(struct store_options){ .url = urls[i] }, &e) != OK);
        assert_null(none);
        assert_true(e.why[0]);
        assert_null(strstr(e.why, "hunter2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_newer_schema_is_refused), BOTH(a_script_that_was_passed_over_is_applied),
        BOTH(several_may_open_an_empty_database_at_once), SQLITE(a_foreign_file_is_not_touched),
        SQLITE(the_database_file_is_for_its_owner_only), POSTGRES(no_error_tells_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
