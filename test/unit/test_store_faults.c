/* test_store_faults.c -- what is left when things go wrong: the Nth statement fails, the disk is full, the database is away
 * or locked, the process is killed. Whatever happens, what was acknowledged is there, and the rest is there wholly or not at all. */
#include "test/unit/store_suite.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/env.h"

/* ---- a unit of work that is easy to check: device n, its operation, a label and an audit entry, all in one job ---- */

struct unit {
    struct script script;                          /* first member */
    struct step step[5];
    struct device d;
    struct operation o;
    struct label l;
    struct slice line;
    int64_t number;
    int fd;                                        /* the number is written here when it is acknowledged; -1: nowhere */
    enum eim_err rc;
    int dones;
    sem_t *done;
};

static void unit_done(struct store_job *job, enum eim_err rc)
{
    struct unit *u = (struct unit *)job;
    sem_t *done = u->done;
    u->rc = rc;
    if (rc == OK && u->fd >= 0 && write(u->fd, &u->number, sizeof u->number) != sizeof u->number) abort();
    __atomic_add_fetch(&u->dones, 1, __ATOMIC_RELEASE);                      /* from here on it may be used again */
    if (done) sem_post(done);
}

static void unit_make(struct unit *u, int64_t number, size_t weight)
{
    static uint8_t heavy[1 << 20];
    *u = (struct unit){ .d = a_device(number), .o = an_operation(number, number), .l = { SLICE("k"), SLICE("v") },
                        .line = SLICE("{}"), .number = number, .fd = -1, .rc = E_INTERNAL };
    u->o.package = slice_of(heavy, weight);
    u->step[0] = (struct step){ .what = DEVICE_INSERT, .p = &u->d };
    u->step[1] = (struct step){ .what = OPERATION_INSERT, .p = &u->o };
    u->step[2] = (struct step){ .what = DEVICE_UPDATE, .p = &u->d };
    u->step[3] = (struct step){ .what = LABEL_PUT, .p = &u->l, .a = number };
    u->step[4] = (struct step){ .what = AUDIT, .p = &u->line, .a = number };
    u->script = (struct script){ .job = { .apply = script_apply, .done = unit_done }, .step = u->step, .n = 5 };
}

/* unit_there -- 5 when all of it is there, 0 when nothing is. */
static int unit_there(struct store *s, int64_t number)
{
    struct arena a;
    struct device d;
    struct operation o;
    struct label_list l;
    struct audit_list line;
    arena_init(&a, 4 << 20);
    READ(s, good(store_device_get(t, number, &d, &a, &e)); good(store_operation_find(t, 1, number, &o, &a, &e));
         good(store_label_list(t, number, &l, &a, &e)); good(store_audit_list(t, 1, number - 1, 1, &line, &a, &e)));
    int n = (d.association != 0) + (d.version == 2) + (o.id != 0) + (l.n == 1) + (line.n == 1 && line.v[0].id == number);
    arena_free(&a);
    return n;
}

static void unit_check(struct store *s, const struct unit *u)
{
    assert_int_equal(u->dones, 1);
    assert_int_equal(unit_there(s, u->number), u->rc == OK ? 5 : 0);
    if (u->rc != OK) {
        assert_int_equal(u->rc, E_STORE);
        assert_int_equal(u->script.job.err.code, E_STORE);
        assert_true(u->script.job.err.why[0]);
    }
}

/* ---- the Nth statement fails ---- */

struct gate { struct store_job job; sem_t running, go; struct store *store; long fail_at; };

static enum eim_err gate_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct gate *g = (struct gate *)job;
    (void)t, (void)e;
    sem_post(&g->running);
    sem_wait(&g->go);
    store_fail_at(g->store, g->fail_at);
    return OK;
}

/* three_units -- three of them in the queue before the writer may begin, the Nth statement from then on failing.
 * Returns how many failed. */
static int three_units(struct store *s, struct unit *u, int64_t number, long fail_at)
{
    struct gate g = { .job.apply = gate_apply, .store = s, .fail_at = fail_at };
    sem_t done;
    int failed = 0;
    sem_init(&done, 0, 0);
    sem_init(&g.running, 0, 0);
    sem_init(&g.go, 0, 0);
    good(store_submit(s, &g.job, &e));
    sem_wait(&g.running);
    for (int i = 0; i < 3; i++) {
        unit_make(&u[i], number + i, 100);
        u[i].done = &done;
        good(store_submit(s, &u[i].script.job, &e));
    }
    sem_post(&g.go);
    for (int i = 0; i < 3; i++) sem_wait(&done);
    store_fail_at(s, 0);
    for (int i = 0; i < 3; i++) failed += u[i].rc != OK;
    return failed;
}

static void whichever_statement_fails_a_job_is_whole_or_not_at_all(void **state)
{
    struct store *s;
    struct unit u[3];
    int failed;
    long n = 0;
    good(store_open(&s, &(struct store_options){ .url = fresh_url(state), .readers = 1, .writers = 1 }, &e));
    do {
        n++;
        failed = three_units(s, u, n * 10, n);
        for (int i = 0; i < 3; i++) unit_check(s, &u[i]);
        for (int i = 0; i < 3; i++)                /* and what failed goes well when it is tried again */
            if (u[i].rc != OK) {
                unit_make(&u[i], n * 10 + i, 100);
                good(store_run(s, &u[i].script.job, &e));
                assert_int_equal(unit_there(s, n * 10 + i), 5);
            }
    } while (failed || n < 3);                     /* the first is the gate's own */
    assert_true(n > 3 * 5 + 2);                    /* every statement of the three has failed once */
    store_close(s);
}

static void whichever_statement_fails_inline_too(void **state)
{
    struct store *s;
    struct unit u;
    long n = 0;
    good(store_open(&s, &(struct store_options){ .url = fresh_url(state), .readers = 1, .inline_writes = true }, &e));
    do {
        unit_make(&u, ++n, 100);
        store_fail_at(s, n);
        good(store_submit(s, &u.script.job, &e));
        store_fail_at(s, 0);
        unit_check(s, &u);
    } while (u.rc != OK);
    assert_true(n > 5 + 2);
    store_close(s);
}

static void whichever_statement_fails_a_read_fails_cleanly(void **state)
{
    struct store *s;
    struct unit u;
    struct device d;
    struct arena a;
    struct tx *t;
    struct err why;
    enum eim_err rc;
    long n = 0;
    good(store_open(&s, &(struct store_options){ .url = fresh_url(state), .readers = 1 }, &e));
    unit_make(&u, 5, 10);
    good(store_run(s, &u.script.job, &e));
    arena_init(&a, 1 << 20);
    do {
        why = (struct err){ 0 };
        store_fail_at(s, ++n);
        rc = store_read_begin(s, &t, &why);
        assert_int_equal(rc, OK);
        rc = store_device_get(t, 5, &d, &a, &why);
        assert_int_equal(d.association, rc == OK ? 5 : 0);
        if (rc != OK) assert_int_equal(store_device_get(t, 5, &d, &a, &why), E_STORE);     /* good for ending only */
        store_read_end(t);
        store_fail_at(s, 0);
        assert_int_equal(unit_there(s, 5), 5);
    } while (rc != OK);
    assert_int_equal(n, 3);                        /* BEGIN and the statement failed; COMMIT of a read may */
    arena_free(&a);
    store_close(s);
}

static void whichever_statement_fails_opening_can_be_tried_again(void **state)
{
    struct store *s;
    struct err why;
    enum eim_err rc;
    long n = 0;
    do {
        const char *url = fresh_url(state);
        why = (struct err){ 0 };
        rc = store_open(&s, &(struct store_options){ .url = url, .readers = 1, .writers = 1, .fail_at = ++n }, &why);
        if (rc == OK) {
            store_close(s);
            continue;
        }
        assert_int_equal(rc, E_STORE);
        assert_null(s);
        s = open_url(url);
        good(store_ping(s, &e));
        store_close(s);
    } while (rc != OK);
    assert_true(n > 4);
}

/* ---- kill -9 ---- */

enum { KILLS = 24, AT_A_TIME = 16, A_ROUND = 100000 };

/* work_until_killed -- units of all weights, AT_A_TIME in flight, each number written to fd when it is acknowledged. */
__attribute__((noreturn))
static void work_until_killed(const char *url, int64_t number, int fd)
{
    static struct unit u[AT_A_TIME];
    struct store *s = open_url(url);
    for (int i = 0;; i = (i + 1) % AT_A_TIME, number++) {
        while (u[i].number && !__atomic_load_n(&u[i].dones, __ATOMIC_ACQUIRE)) usleep(50);
        unit_make(&u[i], number, (size_t)(number * 7919 % 5000));
        u[i].fd = fd;
        struct err e = { 0 };
        if (store_submit(s, &u[i].script.job, &e) != OK) _exit(1);
    }
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    const char *url = fresh_url(state);
    struct env_virtual v;
    int64_t total = 0;
    env_virtual(&v, 0, 20261123);
    store_close(open_url(url));
    for (int round = 0; round < KILLS; round++) {
        int fds[2], status;
        uint16_t wait;
        int64_t first = 1 + (int64_t)round * A_ROUND, got, last = first - 1;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            work_until_killed(url, first, fds[1]);
        }
        close(fds[1]);
        assert_int_equal(read(fds[0], &got, sizeof got), sizeof got);        /* it works; now let it for up to 65 ms */
        v.env.random(&v.env, &wait, sizeof wait);
        usleep(wait);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct store *s = open_url(url);
        do {
            assert_int_equal(unit_there(s, got), 5);
            if (got > last) last = got;
            total++;
        } while (read(fds[0], &got, sizeof got) == sizeof got);
        for (int64_t n = first; n <= last + AT_A_TIME; n++) {                /* what was not acknowledged: wholly or not at all */
            int there = unit_there(s, n);
            assert_true(there == 0 || there == 5);
        }
        close(fds[0]);
        store_close(s);
    }
    print_message("%lld units were acknowledged in %d rounds\n", (long long)total, KILLS);
}

/* ---- the disk is full ---- */

/* fill_up -- units until one fails; all that were acknowledged must be there. Returns the number of the one that failed. */
static int64_t fill_up(struct store *s, int64_t number)
{
    struct unit u;
    for (;; number++) {
        struct err e = { 0 };
        unit_make(&u, number, 50000);
        if (store_run(s, &u.script.job, &e) != OK) break;
        assert_true(number < 10000);
    }
    unit_check(s, &u);
    for (int64_t n = 1; n < number; n++) assert_int_equal(unit_there(s, n), 5);
    return number;
}

static void goes_on_when_there_is_room(struct store *s, int64_t failed)
{
    struct unit u;
    unit_make(&u, failed, 50000);
    good(store_run(s, &u.script.job, &e));
    assert_int_equal(unit_there(s, failed), 5);
    for (int64_t n = 1; n < failed; n++) assert_int_equal(unit_there(s, n), 5);
}

static void a_full_disk_fails_jobs_until_there_is_room(void **state)
{
    const char *dir = tmp_make();
    char url[256];
    FILE *ballast;
    static uint8_t block[400000];
    (void)state;
    if (mount("tmpfs", dir, "tmpfs", 0, "size=3m") != 0) {
        print_message("skipped: a small tmpfs cannot be mounted here (not root); the limit on file size is tested in its place\n");
        skip();
    }
    ballast = fopen(tmp_path(dir, "ballast"), "w");
    fwrite(block, sizeof block, 1, ballast);
    fclose(ballast);
    snprintf(url, sizeof url, "sqlite:%s/eimd.db", dir);
    struct store *s = open_url(url);
    int64_t failed = fill_up(s, 1);
    unlink(tmp_path(dir, "ballast"));
    goes_on_when_there_is_room(s, failed);
    store_close(s);
    assert_int_equal(umount(dir), 0);
}

static void a_file_that_may_not_grow_fails_jobs_until_it_may(void **state)
{
    struct rlimit old, small;
    struct store *s = open_url(fresh_url(state));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int64_t failed = fill_up(s, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    goes_on_when_there_is_room(s, failed);
    store_close(s);
}

/* ---- the database is away or locked ---- */

static void a_file_that_is_moved_away_takes_no_writes(void **state)
{
    const char *url = fresh_url(state), *path = url + 7;
    struct store *s = open_url(url);
    struct unit u;
    char away[300];
    snprintf(away, sizeof away, "%s.away", path);
    unit_make(&u, 1, 10);
    good(store_run(s, &u.script.job, &e));
    assert_int_equal(rename(path, away), 0);
    unit_make(&u, 2, 10);
    bad(E_STORE, store_run(s, &u.script.job, &e));
    bad(E_STORE, store_ping(s, &e));
    fclose(fopen(path, "w"));                      /* another file in its place is not ours */
    bad(E_STORE, store_run(s, &u.script.job, &e));
    bad(E_STORE, store_ping(s, &e));
    assert_int_equal(rename(away, path), 0);
    good(store_ping(s, &e));
    assert_int_equal(unit_there(s, 1), 5);
    assert_int_equal(unit_there(s, 2), 0);
    unit_make(&u, 2, 10);
    good(store_run(s, &u.script.job, &e));
    store_close(s);
}

static void a_lock_held_by_another_process_is_an_error_after_a_while(void **state)
{
    const char *url = fresh_url(state);
    struct store *s = open_url(url);
    struct unit u;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(url + 7, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    unit_make(&u, 1, 10);
    bad_why(E_STORE, "locked", store_run(s, &u.script.job, &e));
    assert_int_equal(unit_there(s, 1), 0);         /* reading goes on */
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    unit_make(&u, 1, 10);
    good(store_run(s, &u.script.job, &e));
    store_close(s);
}

/* until -- try again until it goes well: a lost connection is made anew no more often than every so often. */
#define UNTIL(call) \
    do { enum eim_err rc_; do { struct err e = { 0 }; rc_ = (call); if (rc_ != OK) usleep(20000); } while (rc_ != OK); } while (0)

static void a_server_that_was_away_is_used_again(void **state)
{
    const char *url = fresh_url(state);
    struct pg *pg = pg_shared();
    struct store *s = open_url(url);
    struct unit u[40];
    sem_t done;
    sem_init(&done, 0, 0);
    unit_make(&u[0], 1, 10);
    good(store_run(s, &u[0].script.job, &e));
    pg_kill(pg);
    bad(E_STORE, store_ping(s, &e));
    for (int i = 0; i < 3; i++) {
        unit_make(&u[0], 2, 10);
        bad(E_STORE, store_run(s, &u[0].script.job, &e));
    }
    pg_again(pg);
    UNTIL(store_ping(s, &e));
    UNTIL((unit_make(&u[0], 2, 10), store_run(s, &u[0].script.job, &e)));
    assert_int_equal(unit_there(s, 1), 5);
    assert_int_equal(unit_there(s, 2), 5);
    /* It dies with jobs in flight: what was acknowledged is there afterwards, the rest wholly or not at all. */
    for (int i = 0; i < 40; i++) {
        unit_make(&u[i], 100 + i, 5000);
        u[i].done = &done;
        good(store_submit(s, &u[i].script.job, &e));
    }
    sem_wait(&done);
    pg_kill(pg);
    for (int i = 1; i < 40; i++) sem_wait(&done);
    pg_again(pg);
    UNTIL(store_ping(s, &e));
    for (int i = 0; i < 40; i++) {
        int there;
        assert_int_equal(u[i].dones, 1);
        there = unit_there(s, 100 + i);
        assert_true(there == 5 || (there == 0 && u[i].rc == E_STORE));
    }
    store_close(s);
}

static void a_server_that_is_away_at_start_is_an_error(void **state)
{
    const char *url = fresh_url(state);
    struct store *none;
    pg_kill(pg_shared());
    bad(E_STORE, store_open(&none, &(struct store_options){ .url = url }, &e));
    assert_null(none);
    pg_again(pg_shared());
    store_close(open_url(url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(whichever_statement_fails_a_job_is_whole_or_not_at_all), BOTH(whichever_statement_fails_inline_too),
        BOTH(whichever_statement_fails_a_read_fails_cleanly), BOTH(whichever_statement_fails_opening_can_be_tried_again),
        BOTH(what_was_acknowledged_survives_kill_9), SQLITE(a_full_disk_fails_jobs_until_there_is_room),
        SQLITE(a_file_that_may_not_grow_fails_jobs_until_it_may), SQLITE(a_file_that_is_moved_away_takes_no_writes),
        SQLITE(a_lock_held_by_another_process_is_an_error_after_a_while), POSTGRES(a_server_that_was_away_is_used_again),
        POSTGRES(a_server_that_is_away_at_start_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
