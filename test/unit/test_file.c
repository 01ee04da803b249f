/* test_file.c -- whole small files: the ceiling is exact, secrets stay secret, nothing is overwritten or left half made. */
#include <stdio.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"

static struct err e;

static void what_is_written_is_read(void **state)
{
    (void)state;
    const char *dir = tmp_make(), *path = tmp_path(dir, "f");
    uint8_t out[8];
    size_t n = 99;
    struct stat st;
    mode_t old = umask(077);
    assert_ok(file_write_new(path, 0644, SLICE("12345678"), &e));
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);                /* the mode asked for, whatever the umask */
    assert_ok(file_read(path, false, out, 8, &n, &e));         /* exactly as large as allowed */
    assert_int_equal(n, 8);
    assert_memory_equal(out, "12345678", 8);
    assert_refused(E_TOO_LARGE, file_read(path, false, out, 7, &n, &e));
    assert_refused(E_CONF, file_read(path, true, out, 8, &n, &e));
    assert_int_equal(chmod(path, 0600), 0);
    assert_ok(file_read(path, true, out, 8, &n, (e = (struct err){ 0 }, &e)));
    assert_refused(E_CONFLICT, file_write_new(path, 0600, SLICE("other"), &e));
    assert_ok(file_read(path, true, out, 8, &n, (e = (struct err){ 0 }, &e)));
    assert_memory_equal(out, "12345678", 8);
    assert_ok(file_write_new(tmp_path(dir, "empty"), 0600, (struct slice){ 0 }, &e));
    assert_ok(file_read(tmp_path(dir, "empty"), true, out, 0, &n, &e));
    assert_int_equal(n, 0);
    tmp_remove(dir);
}

static void what_is_no_file_is_refused_by_name(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    uint8_t out[8];
    size_t n;
    assert_refused(E_NOT_FOUND, file_read(tmp_path(dir, "missing"), false, out, sizeof out, &n, &e));
    assert_non_null(strstr(e.why, "/missing: "));
    assert_refused(E_CONF, file_read(dir, false, out, sizeof out, &n, &e));
    assert_int_equal(mkfifo(tmp_path(dir, "fifo"), 0600), 0);
    assert_refused(E_CONF, file_read(tmp_path(dir, "fifo"), false, out, sizeof out, &n, &e));      /* and does not hang */
    assert_int_equal(symlink("/nowhere/at/all", tmp_path(dir, "link")), 0);
    assert_refused(E_CONFLICT, file_write_new(tmp_path(dir, "link"), 0600, SLICE("x"), &e));
    assert_refused(E_IO, file_write_new(tmp_path(dir, "no/folder"), 0600, SLICE("x"), &e));
    tmp_remove(dir);
}

/* As on a full disk: the write stops in the middle, and no half file stays. */
static void a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    const char *dir = tmp_make(), *path = tmp_path(dir, "f");
    static uint8_t large[1 << 16];
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    e = (struct err){ 0 };
    enum eim_err rc = file_write_new(path, 0600, slice_of(large, sizeof large), &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, E_IO);
    assert_int_not_equal(access(path, F_OK), 0);
    tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(what_is_no_file_is_refused_by_name),
        cmocka_unit_test(a_failed_write_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
