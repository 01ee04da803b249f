/* test_vault_client.c -- the signer's process as a thread, and eimd's side of its socket, with many threads. */
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "crypto/verify.h"
#include "test/unit/vault_help.h"
#include "vault/client.h"
#include "vault/vault.h"
#include "vault/wire.h"

struct rig {
    const char *dir, *keys, *log;
    struct vault v;
    struct env env;
    int ours, theirs;
    pthread_t thread;
    enum eim_err rc;
};

static void *serve(void *arg)
{
    struct rig *r = arg;
    struct err why = { 0 };
    r->rc = vault_serve(&r->v, r->theirs, &why);
    close(r->theirs);
    return NULL;
}

static void rig_start(struct rig *r)
{
    struct journal_report report;
    int sv[2];
    char path[128];
    *r = (struct rig){ .dir = tmp_make() };
    env_real(&r->env);
    snprintf(path, sizeof path, "%s/keys", r->dir);
    r->keys = arena_str(&arena, slice_str(path));
    snprintf(path, sizeof path, "%s/log", r->dir);
    r->log = arena_str(&arena, slice_str(path));
    assert_true(mkdir(r->keys, 0700) == 0 && mkdir(r->log, 0700) == 0);
    assert_ok(signer_generate(tmp_path(r->keys, "a.pem"), CURVE_P256, &e));
    assert_ok(signer_generate(tmp_path(r->keys, "b.pem"), CURVE_BRAINPOOLP256R1, &e));
    r->v.env = &r->env;
    assert_ok(signer_open_dir(&r->v.signer, r->keys, &e));
    r->v.journal = open_journal(r->log, &r->v.guard, JOURNAL_ROTATE, &report);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    r->ours = sv[0];
    r->theirs = sv[1];
    assert_ok(note_signer_open(&r->v.notes, tmp_path(r->dir, "note.pem"), "eim.test", &e));
    r->v.name = "eim.test";
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void rig_stop(struct rig *r)
{
    pthread_join(r->thread, NULL);
    journal_close(r->v.journal);
    guard_free(r->v.guard);
    signer_close(r->v.signer);
    note_signer_free(r->v.notes);
    tmp_remove(r->dir);
}

static void good_signature(struct signer *real, const struct sign_request *q)
{
    struct slice spki;
    struct public_key *k;
    struct arena a;
    struct err why = { 0 };
    arena_init(&a, 4096);
    assert_int_equal(signer_public(real, q->key, &spki, NULL, &a, &why), OK);
    assert_int_equal(public_key_parse(&k, spki, &why), OK);
    assert_int_equal(verify_with_token(k, q->tbs, q->token, (struct slice){ q->sig, sizeof q->sig }, &why), OK);
    public_key_free(k);
    arena_free(&a);
}

static void the_client_is_a_signer(void **state)
{
    (void)state;
    struct rig r;
    struct signer *s;
    struct slice spki, real;
    enum curve curve;
    char name[SIGNER_NAME_MAX + 1];
    rig_start(&r);
    assert_ok(vault_client_open(&s, r.ours, &e));
    assert_true(signer_name(s, 1, name) && !signer_name(s, 2, name));
    assert_string_equal(name, "b");
    assert_ok(signer_public(s, "b", &spki, &curve, &arena, &e));
    assert_ok(signer_public(r.v.signer, "b", &real, NULL, &arena, &e));
    assert_true(slice_eq(spki, real) && curve == CURVE_BRAINPOOLP256R1);
    assert_refused(E_NOT_FOUND, signer_public(s, "c", NULL, NULL, &arena, &e));

    enum { N = 3 * VAULT_ARRAY + 5 };                  /* several arrays, with refusals in between */
    struct sign_request q[N] = { 0 };
    char long_name[SIGNER_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    for (int i = 0; i < N; i++) q[i] = (struct sign_request){ .key = i % 2 ? "a" : "b", .tbs = package((uint8_t)i, i + 1, DISABLE), .token = i % 3 };
    q[3].key = "c";
    q[5].token = -1;
    q[70].tbs = SLICE("no package");
    q[100].key = long_name;
    uint8_t *huge = arena_alloc(&arena, VAULT_TBS_MAX + 1);
    q[101].tbs = (struct slice){ huge, VAULT_TBS_MAX + 1 };
    assert_refused(E_NOT_FOUND, signer_sign(s, q, N, &e));
    for (int i = 0; i < N; i++) {
        enum eim_err want = i == 3 || i == 100 ? E_NOT_FOUND : i == 5 ? E_INVALID : i == 70 ? E_MALFORMED : i == 101 ? E_TOO_LARGE : OK;
        if (q[i].rc != want) fail_msg("request %d: %s, expected %s", i, q[i].rc ? err_name(q[i].rc) : "OK", want ? err_name(want) : "OK");
        if (want == OK) good_signature(r.v.signer, &q[i]);
    }
    struct sign_request old = { .key = "a", .tbs = package(9, 1, LIST) };
    assert_refused(E_REPLAY, signer_sign(s, &old, 1, &e));
    assert_int_equal(old.highest, 10);
    assert_non_null(strstr(e.why, "10 was signed already"));
    signer_close(s);
    rig_stop(&r);
    assert_int_equal(r.rc, OK);
}

struct many { struct signer *s, *real; uint8_t device; int failed; };

static void *sign_many(void *arg)
{
    struct many *m = arg;
    for (int64_t c = 1; c <= 40; c++) {
        struct err why = { 0 };
        uint8_t der[128];
        struct sign_request q = { .key = c % 2 ? "a" : "b" };
        static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&one);
        struct slice tbs = package(m->device, c, DISABLE);
        memcpy(der, tbs.p, tbs.n);
        pthread_mutex_unlock(&one);
        q.tbs = slice_of(der, tbs.n);
        if (signer_sign(m->s, &q, 1, &why) != OK) m->failed++;
        else good_signature(m->real, &q);
    }
    return NULL;
}

static void many_threads_share_arrays(void **state)
{
    (void)state;
    enum { THREADS = 24 };
    struct rig r;
    struct signer *s;
    struct many m[THREADS];
    pthread_t t[THREADS];
    rig_start(&r);
    assert_ok(vault_client_open(&s, r.ours, &e));
    for (int i = 0; i < THREADS; i++) {
        m[i] = (struct many){ .s = s, .real = r.v.signer, .device = (uint8_t)(i + 1) };
        assert_int_equal(pthread_create(&t[i], NULL, sign_many, &m[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(m[i].failed, 0);
    }
    signer_close(s);
    pthread_join(r.thread, NULL);
    for (int i = 0; i < THREADS; i++) assert_int_equal(highest_of(r.v.guard, (uint8_t)(i + 1)), 40);
    journal_close(r.v.journal);
    guard_free(r.v.guard);
    signer_close(r.v.signer);
    note_signer_free(r.v.notes);
    tmp_remove(r.dir);
}

static void the_client_signs_notes(void **state)
{
    (void)state;
    struct rig r;
    struct signer *s;
    struct note_signer *n;
    struct slice note, text, head;
    struct tree t = { UINT64_MAX };
    uint64_t wanted;
    rig_start(&r);
    assert_ok(vault_client_open(&s, r.ours, &e));
    assert_ok(vault_client_notes(&n, s, &e));
    assert_string_equal(note_signer_key(n), note_signer_key(r.v.notes));
    assert_true(note_signer_remembers(n) && !note_signer_remembers(r.v.notes));
    head = tree_head(&t, 5);
    for (int i = 0; i < 2; i++) {
        assert_ok(note_sign(n, head, &note, &arena, &e));
        assert_ok(note_open(note_signer_key(n), note, &text, &e));
        assert_true(slice_eq(text, head));
    }
    assert_refused(E_REPLAY, note_sign(n, tree_head(&t, 4), &note, &arena, &e));
    assert_non_null(strstr(e.why, "5 was signed already"));
    assert_refused(E_STALE, note_sign_head(n, tree_head(&t, 11), &(struct note_proof){ 0 }, &wanted, &note, &arena, &e));
    assert_int_equal(wanted, 5);
    struct note_proof proof = tree_proof(&t, 5, 11);
    assert_refused(E_MISMATCH, note_sign_head(n, tree_head(&t, 12), &proof, &wanted, &note, &arena, &e));
    assert_ok(note_sign_head(n, tree_head(&t, 11), &proof, &wanted, &note, &arena, &e));
    assert_refused(E_INVALID, note_sign(n, SLICE("anything else\n"), &note, &arena, &e));
    struct sign_request q = { .key = "a", .tbs = package(1, 1, LIST) };        /* and packages go on */
    assert_ok(signer_sign(s, &q, 1, &e));
    note_signer_free(n);
    signer_close(s);
    rig_stop(&r);
    assert_int_equal(r.rc, OK);
}

/* A signer that dies, or speaks nonsense, gives E_IO or E_MALFORMED to those that wait and E_IO from then on. */
static void a_signer_that_is_gone_is_told(void **state)
{
    (void)state;
    static const struct { const char *octets; size_t n; enum eim_err rc; } last[] = {
        { "", 0, E_IO }, { "\0\0\0\1\x82", 5, E_MALFORMED }, { "\0\0\0\3\x82\0\2", 7, E_MALFORMED }, { "\0\0\0\6\x82\0\1\0ab", 10, E_MALFORMED },
        { "\xff\xff\xff\xff", 4, E_TOO_LARGE }, { "\0\0\0\4\x81\0\1\0", 8, E_MALFORMED },
    };
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        int sv[2];
        struct signer *s;
        uint8_t spent[64];
        struct sign_request q = { .key = "a", .tbs = package(1, 1, LIST) };
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
        assert_int_equal(write(sv[1], "\0\0\0\7\x81\0\3\0\0\0\0", 11), 11);
        struct note_signer *n;
        assert_ok(vault_client_open(&s, sv[0], &e));
        assert_refused(E_NOT_FOUND, vault_client_notes(&n, s, &e));
        assert_int_equal(read(sv[1], spent, 7), 7);
        assert_int_equal(write(sv[1], last[i].octets, last[i].n), (ssize_t)last[i].n);
        if (!last[i].n) close(sv[1]);
        assert_refused(last[i].rc, signer_sign(s, &q, 1, &e));
        assert_int_equal(q.rc, last[i].rc);
        assert_refused(E_IO, signer_sign(s, &q, 1, &e));
        signer_close(s);
        if (last[i].n) close(sv[1]);
    }
    int sv[2];
    struct signer *s;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    close(sv[1]);
    assert_refused(E_IO, vault_client_open(&s, sv[0], &e));
    assert_null(s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_client_is_a_signer, fresh),
        cmocka_unit_test_setup(many_threads_share_arrays, fresh),
        cmocka_unit_test_setup(a_signer_that_is_gone_is_told, fresh),
        cmocka_unit_test_setup(the_client_signs_notes, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
