/* test_testlib.c -- the harness itself: what it starts works, and what it made is gone afterwards. */
#include "test/lib/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "test/lib/pg.h"
#include "test/lib/tmpdir.h"
#include "test/lib/vectors.h"

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void a_removed_directory_is_gone_with_its_content(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    char kept[512];
    snprintf(kept, sizeof kept, "%s", dir);
    assert_int_equal(mkdir(tmp_path(dir, "sub"), 0700), 0);
    FILE *f = fopen(tmp_path(tmp_path(dir, "sub"), "file"), "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(symlink("/etc", tmp_path(dir, "link")), 0);
    tmp_remove(dir);
    assert_false(exists(kept));
    assert_true(exists("/etc"));
}

static void a_child_does_not_remove_its_parents_directory(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    pid_t pid = fork();
    if (pid == 0) exit(0);
    waitpid(pid, NULL, 0);
    assert_true(exists(dir));
    tmp_remove(dir);
}

static void hex_is_read_with_and_without_spaces(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 16);
    struct slice s = unhex(&a, "bf51 00 Ff");
    assert_true(slice_eq(s, SLICE("\277\121\000\377")));
    arena_free(&a);
}

static char *one_value(const char *url, const char *sql, char out[64])
{
    PGconn *c = PQconnectdb(url);
    PGresult *r = PQexec(c, sql);
    snprintf(out, 64, "%s", PQntuples(r) == 1 ? PQgetvalue(r, 0, 0) : "no row");
    PQclear(r);
    PQfinish(c);
    return out;
}

static void the_cluster_answers_on_its_socket_only(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(one_value(pg_url(pg_shared()), "SELECT 40 + 2", out), "42");
    assert_string_equal(one_value(pg_url(pg_shared()), "SHOW listen_addresses", out), "");
}

static void a_killed_cluster_comes_back_with_its_data(void **state)
{
    (void)state;
    char out[64];
    const char *url = pg_fresh(pg_shared());
    one_value(url, "CREATE TABLE kept AS SELECT 7 AS n", out);
    pg_kill(pg_shared());
    assert_string_equal(one_value(url, "SELECT n FROM kept", out), "no row");
    pg_again(pg_shared());
    assert_string_equal(one_value(url, "SELECT n FROM kept", out), "7");
    assert_string_equal(one_value(pg_fresh(pg_shared()), "SELECT count(*) FROM pg_class WHERE relname = 'kept'", out), "0");
}

static void a_cluster_dies_with_the_program_that_started_it(void **state)
{
    (void)state;
    int fds[2];
    char dir[256] = "";
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const char *url = strstr(pg_url(pg_start(false)), "host=") + 5;
        if (write(fds[1], url, strcspn(url, "&")) < 0) _exit(1);
        kill(getpid(), SIGKILL);
    }
    close(fds[1]);
    waitpid(pid, NULL, 0);
    assert_true(read(fds[0], dir, sizeof dir - 1) > 0);
    close(fds[0]);
    for (int i = 0; i < 3000 && exists(dir); i++) nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    assert_false(exists(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_removed_directory_is_gone_with_its_content),
        cmocka_unit_test(a_child_does_not_remove_its_parents_directory),
        cmocka_unit_test(hex_is_read_with_and_without_spaces),
        cmocka_unit_test(the_cluster_answers_on_its_socket_only),
        cmocka_unit_test(a_killed_cluster_comes_back_with_its_data),
        cmocka_unit_test(a_cluster_dies_with_the_program_that_started_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
