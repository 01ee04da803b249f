/* test_signer.c -- the signer over a folder of PEM files: what it loads, refuses and signs; token bytes; threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/signer.h"
#include "crypto/verify.h"
#include "test/lib/signer_failing.h"
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"
#include "test/lib/vectors.h"

static struct arena arena;
static struct err e;

static int fresh(void **state)
{
    (void)state;
    arena_free(&arena);
    arena_init(&arena, 4 << 20);
    e = (struct err){ 0 };
    return 0;
}

static const char *put_file(const char *dir, const char *name, unsigned mode, struct slice s)
{
    const char *path = tmp_path(dir, name);
    unlink(path);
    assert_ok(file_write_new(path, mode, s, &e));
    return path;
}

__attribute__((format(printf, 1, 2)))
static int run(const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return system(line);
}

/* The signed bytes of a vector: its tbs is that TLV and the token's, and the TLVs are short. */
static struct slice signed_part(const json_t *v)
{
    struct slice tbs = vectors_hex(&arena, v, "request_tbs");
    assert_true(tbs.n > 2 && tbs.p[1] < 128 && tbs.p[1] + 2u < tbs.n);
    return (struct slice){ tbs.p, tbs.p[1] + 2u };
}

/* The eIM keys of the vectors, as files of a signer: it gives their public key, and what it signs verifies under the
 * vector's. Signatures are random, so the signed bytes are compared by verifying against the vector's own tbs. */
static void the_signer_signs_what_the_vectors_sign(void **state)
{
    (void)state;
    json_t *all = vectors_load("esep.json"), *v;
    size_t i;
    const char *dir = tmp_make();
    json_array_foreach(all, i, v) {
        if (!json_object_get(v, "eim_private_key_pem")) continue;
        char file[32];
        snprintf(file, sizeof file, "k%zu.pem", i);
        put_file(dir, file, 0600, slice_str(vectors_text(v, "eim_private_key_pem")));
    }
    struct signer *s;
    assert_ok(signer_open_dir(&s, dir, &e));
    json_array_foreach(all, i, v) {
        if (!json_object_get(v, "eim_private_key_pem")) continue;
        char name[32];
        snprintf(name, sizeof name, "k%zu", i);
        struct slice spki, want = vectors_hex(&arena, v, "eim_spki"), given = vectors_hex(&arena, v, "request_tbs");
        enum curve curve;
        assert_ok(signer_public(s, name, &spki, &curve, &arena, &e));
        assert_true(slice_eq(spki, want));
        assert_string_equal(curve_name(curve), vectors_text(v, "curve"));
        const json_t *token = vectors_member(v, "association_token");      /* null: none */
        struct sign_request r = { .key = name, .tbs = signed_part(v), .token = json_integer_value(token) };
        if (strstr(vectors_text(v, "name"), "wrong-token")) r.token--;         /* the one under request_tbs */
        assert_ok(signer_sign(s, &r, 1, &e));
        struct public_key *k;
        assert_ok(public_key_parse(&k, want, &e));
        assert_ok(verify_signature(k, &given, 1, (struct slice){ r.sig, sizeof r.sig }, &e));
        public_key_free(k);
    }
    signer_close(s);
    tmp_remove(dir);
    json_decref(all);
}

/* The exact bytes under the signature, at each length of the token, by a signature made without the token code. */
static void token_bytes_are_exact(void **state)
{
    (void)state;
    static const struct { int64_t token; const char *tlv; } cases[] = {
        { 0, "840100" }, { 1, "840101" }, { 127, "84017f" }, { 128, "84020080" }, { 255, "840200ff" }, { 256, "84020100" },
        { 300, "8402012c" }, { 32767, "84027fff" }, { 32768, "8403008000" }, { 70000, "8403011170" },
        { 8388607, "84037fffff" }, { 8388608, "840400800000" }, { 2147483647, "84047fffffff" },
        { 2147483648, "84050080000000" }, { INT64_MAX, "84087fffffffffffffff" },
    };
    const char *dir = tmp_make();
    struct signer *s;
    struct public_key *pub;
    struct slice spki, tbs = SLICE("any bytes");
    assert_ok(signer_generate(tmp_path(dir, "k.pem"), CURVE_P256, &e));
    assert_ok(signer_open_dir(&s, dir, &e));
    assert_ok(signer_public(s, "k", &spki, NULL, &arena, &e));
    assert_ok(public_key_parse(&pub, spki, &e));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sign_request r = { .key = "k", .tbs = tbs, .token = cases[i].token };
        assert_ok(signer_sign(s, &r, 1, &e));
        struct slice spans[] = { tbs, unhex(&arena, cases[i].tlv) }, sig = { r.sig, sizeof r.sig };
        assert_ok(verify_signature(pub, spans, 2, sig, &e));
        assert_ok(verify_with_token(pub, tbs, cases[i].token, sig, &e));
        if (cases[i].token) assert_refused(E_SIGNATURE, verify_with_token(pub, tbs, cases[i].token - 1, sig, &e));
    }
    public_key_free(pub);
    signer_close(s);
    tmp_remove(dir);
}

/* ---- the signer's folder ---- */

static void a_key_file_is_private_and_never_overwritten(void **state)
{
    (void)state;
    const char *dir = tmp_make(), *path = tmp_path(dir, "default.pem");
    struct stat st;
    uint8_t before[KEY_FILE_MAX], after[KEY_FILE_MAX];
    size_t n, m;
    mode_t old = umask(0);
    assert_ok(signer_generate(path, CURVE_BRAINPOOLP256R1, &e));
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_ok(file_read(path, true, before, sizeof before, &n, &e));
    assert_memory_equal(before, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_refused(E_CONFLICT, signer_generate(path, CURVE_P256, &e));
    assert_non_null(strstr(e.why, "default.pem"));
    assert_ok(file_read(path, true, after, sizeof after, &m, &e));
    assert_true(slice_eq((struct slice){ before, n }, (struct slice){ after, m }));
    assert_refused(E_IO, signer_generate(tmp_path(dir, "no/such/folder.pem"), CURVE_P256, &e));
    tmp_remove(dir);
}

/* One bad file fails the folder and is named. */
static void bad_key_files_are_refused_by_name(void **state)
{
    (void)state;
    const char *dir = tmp_make(), *pem = tmp_path(dir, "made");
    struct signer *s;
    static uint8_t large[KEY_FILE_MAX + 1];
    uint8_t text[KEY_FILE_MAX];
    size_t n;
    memset(large, '\n', sizeof large);
    assert_refused(E_IO, signer_open_dir(&s, tmp_path(dir, "missing"), &e));
    assert_null(s);
    assert_ok(signer_open_dir(&s, dir, &e));               /* empty: a signer without keys */
    struct sign_request r = { .key = "default" };
    assert_refused(E_NOT_FOUND, signer_sign(s, &r, 1, &e));
    signer_close(s);

    assert_int_equal(run("openssl ecparam -name prime256v1 -genkey -noout -out %s", pem), 0);
    assert_ok(file_read(pem, false, text, sizeof text, &n, &e));
    for (unsigned bit = 1; bit <= 040; bit <<= 1) {        /* any right of group or others */
        put_file(dir, "bad.pem", 0600 | bit, (struct slice){ text, n });
        assert_refused(E_CONF, signer_open_dir(&s, dir, &e));
        assert_non_null(strstr(e.why, "bad.pem"));
    }
    static const struct { const char *command; enum eim_err rc; } cases[] = {
        { "openssl ecparam -name secp384r1 -genkey -noout", E_INVALID },
        { "openssl ecparam -name secp256k1 -genkey -noout", E_INVALID },
        { "openssl genpkey -algorithm ed25519", E_INVALID },
        { "openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024", E_INVALID },
        { "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -aes128 -passout pass:x", E_INVALID },
        { "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout", E_INVALID },
        { "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -outform DER", E_INVALID },
        { "echo hello", E_INVALID },
        { "true", E_INVALID },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = tmp_path(dir, "bad.pem");
        unlink(path);
        assert_int_equal(run("umask 077; (%s) > %s 2>/dev/null </dev/null", cases[i].command, path), 0);
        assert_refused(cases[i].rc, signer_open_dir(&s, dir, &e));
        assert_non_null(strstr(e.why, "bad.pem"));
    }
    put_file(dir, "bad.pem", 0600, (struct slice){ large, sizeof large });
    assert_refused(E_TOO_LARGE, signer_open_dir(&s, dir, &e));
    unlink(tmp_path(dir, "bad.pem"));
    assert_int_equal(mkdir(tmp_path(dir, "bad.pem"), 0700), 0);
    assert_refused(E_CONF, signer_open_dir(&s, dir, &e));
    assert_int_equal(rmdir(tmp_path(dir, "bad.pem")), 0);
    assert_int_equal(mkfifo(tmp_path(dir, "bad.pem"), 0600), 0);   /* must not hang either */
    assert_refused(E_CONF, signer_open_dir(&s, dir, &e));
    unlink(tmp_path(dir, "bad.pem"));
    /* files of other names are none of its business */
    put_file(dir, "README", 0644, SLICE("hello"));
    put_file(dir, ".hidden.pem", 0644, SLICE("hello"));
    put_file(dir, "with space.pem", 0644, SLICE("hello"));
    put_file(dir, ".pem", 0644, SLICE("hello"));
    assert_ok(signer_open_dir(&s, dir, &e));
    signer_close(s);
    tmp_remove(dir);
}

/* Any change of a key file is noticed, since private and public half stand in it, or leaves the key as it was (a version
 * number). It never becomes another key. */
static void a_damaged_key_file_is_refused(void **state)
{
    (void)state;
    json_t *all = vectors_load("esep.json");
    struct private_key *k, *good;
    int refused = 0, tried = 0;
    const char *pem = vectors_text(json_array_get(all, 0), "eim_private_key_pem");
    assert_ok(private_key_from_pem(&good, slice_str(pem), &e));
    char bad[512];
    snprintf(bad, sizeof bad, "%s", pem);
    for (size_t i = 28; i < strlen(pem) - 26; i++) {       /* each character of the base64 in turn */
        if (pem[i] == '\n') continue;
        bad[i] = pem[i] == 'A' ? 'B' : 'A';
        enum eim_err rc = private_key_from_pem(&k, slice_str(bad), NULL);
        if (rc == OK) assert_true(public_key_equal(private_key_public(k), private_key_public(good)));
        else assert_true(rc == E_INVALID && k == NULL);
        private_key_free(k);
        tried++;
        refused += rc != OK;
        bad[i] = pem[i];
    }
    assert_true(tried > 180 && refused > tried - 8);
    private_key_free(good);
    json_decref(all);
}

static void a_batch_says_of_each_request_how_it_went(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    struct signer *s;
    assert_ok(signer_generate(tmp_path(dir, "a.pem"), CURVE_P256, &e));
    assert_ok(signer_generate(tmp_path(dir, "b-2_x.y.pem"), CURVE_BRAINPOOLP256R1, &e));
    assert_ok(signer_open_dir(&s, dir, &e));
    struct sign_request r[] = {
        { .key = "a", .tbs = SLICE("one"), .token = 5 }, { .key = "nobody", .tbs = SLICE("two") },
        { .key = "b-2_x.y", .tbs = SLICE("three") }, { .key = "a", .tbs = SLICE("four"), .token = -1 },
    };
    assert_refused(E_NOT_FOUND, signer_sign(s, r, 4, &e));
    assert_non_null(strstr(e.why, "nobody"));
    const enum eim_err want[] = { OK, E_NOT_FOUND, OK, E_INVALID };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(r[i].rc, want[i]);
        if (want[i] != OK) continue;
        struct slice spki;
        enum curve curve;
        struct public_key *k;
        assert_ok(signer_public(s, r[i].key, &spki, &curve, &arena, &e));
        assert_int_equal(curve, i ? CURVE_BRAINPOOLP256R1 : CURVE_P256);
        assert_ok(public_key_parse(&k, spki, &e));
        assert_ok(verify_with_token(k, r[i].tbs, r[i].token, (struct slice){ r[i].sig, sizeof r[i].sig }, &e));
        public_key_free(k);
    }
    char longer[SIGNER_NAME_MAX + 40];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = 0;
    r[0].key = longer;
    assert_refused(E_NOT_FOUND, signer_sign(s, r, 1, &e));
    struct slice spki;
    assert_refused(E_NOT_FOUND, signer_public(s, "", &spki, NULL, &arena, &e));
    assert_ok(signer_sign(s, NULL, 0, (e = (struct err){ 0 }, &e)));

    struct signer_failing f;                               /* the tests' own failing signer does what it says */
    signer_failing_init(&f, s, 2);
    struct sign_request three[] = { { .key = "a" }, { .key = "a" }, { .key = "a" } };
    assert_refused(E_CRYPTO, signer_sign(&f.base, three, 3, &e));
    assert_true(three[0].rc == OK && three[1].rc == E_CRYPTO && three[2].rc == OK && f.done == 3);
    signer_close(&f.base);
    signer_close(s);
    tmp_remove(dir);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 50 };

struct job {
    pthread_t thread;
    struct signer *signer;
    const struct public_key *key;
    int good;
};

static void *sign_and_verify(void *arg)
{
    struct job *j = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct err err = { 0 };
        struct sign_request r = { .key = "k", .tbs = slice_of(&i, sizeof i), .token = i };
        if (signer_sign(j->signer, &r, 1, &err) == OK &&
            verify_with_token(j->key, r.tbs, i, (struct slice){ r.sig, sizeof r.sig }, &err) == OK &&
            verify_with_token(j->key, r.tbs, i + 1, (struct slice){ r.sig, sizeof r.sig }, &err) == E_SIGNATURE)
            j->good++;
    }
    return NULL;
}

static void threads_share_keys(void **state)
{
    (void)state;
    const char *dir = tmp_make();
    struct job jobs[THREADS] = { 0 };
    struct signer *s;
    struct public_key *k;
    struct slice spki;
    assert_ok(signer_generate(tmp_path(dir, "k.pem"), CURVE_P256, &e));
    assert_ok(signer_open_dir(&s, dir, &e));
    assert_ok(signer_public(s, "k", &spki, NULL, &arena, &e));
    assert_ok(public_key_parse(&k, spki, &e));
    for (int i = 0; i < THREADS; i++) {
        jobs[i].signer = s;
        jobs[i].key = k;
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, sign_and_verify, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(jobs[i].thread, NULL);
        assert_int_equal(jobs[i].good, ROUNDS);
    }
    public_key_free(k);
    signer_close(s);
    tmp_remove(dir);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        T(the_signer_signs_what_the_vectors_sign), T(token_bytes_are_exact), T(a_key_file_is_private_and_never_overwritten),
        T(bad_key_files_are_refused_by_name), T(a_damaged_key_file_is_refused),
        T(a_batch_says_of_each_request_how_it_went), T(threads_share_keys),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
