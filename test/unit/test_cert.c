/* test_cert.c -- the chain check of eUICC under EUM under CI: vectors, chains of our own making with one flaw each,
 * chains made by the openssl command, and every byte damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/env.h"
#include "base/file.h"
#include "crypto/certmake.h"
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"
#include "test/lib/vectors.h"

enum { SECOND = 1000000 };
static const int64_t now = INT64_C(1795392000) * SECOND;       /* 2026-11-23 */
static const int64_t day = INT64_C(86400) * SECOND;

static struct arena arena;
static struct err e;

static int fresh(void **state)
{
    (void)state;
    arena_free(&arena);
    arena_init(&arena, 16 << 20);
    e = (struct err){ 0 };
    return 0;
}

/* ---- failing allocations, as in test_crypto.c ---- */

static long alloc_left;

static void *counted_malloc(size_t n, const char *file, int line)
{
    (void)file; (void)line;
    if (alloc_left > 0 && --alloc_left == 0) return NULL;
    return malloc(n);
}

static void *counted_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file; (void)line;
    if (alloc_left > 0 && --alloc_left == 0) return NULL;
    return realloc(p, n);
}

static void counted_free(void *p, const char *file, int line)
{
    (void)file; (void)line;
    free(p);
}

/* ---- helpers ---- */

__attribute__((format(printf, 1, 2)))
static int run(const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return system(line);
}

static const char *put_file(const char *dir, const char *name, struct slice s)
{
    const char *path = tmp_path(dir, name);
    unlink(path);
    assert_ok(file_write_new(path, 0644, s, &e));
    return path;
}

static struct slice get_file(const char *dir, const char *name)
{
    uint8_t text[CERT_PEM_MAX];
    size_t n;
    assert_ok(file_read(tmp_path(dir, name), false, text, sizeof text, &n, &e));
    return arena_copy(&arena, (struct slice){ text, n });
}

static struct slice put_pem(const char *dir, const char *name, struct slice der)
{
    struct slice pem;
    assert_ok(cert_to_pem(der, &pem, &arena, &e));
    put_file(dir, name, pem);
    return pem;
}

/* The chain against one root; on OK the key must be the one in the eUICC's certificate. */
static enum eim_err check_at(struct slice ci, struct slice eum, struct slice euicc, const uint8_t eid[16], int64_t at)
{
    struct cert_trust *t;
    struct public_key *key = NULL, *own;
    e = (struct err){ 0 };
    assert_ok(cert_trust_from(&t, &ci, 1, &e));
    enum eim_err rc = cert_check_euicc(t, eum, euicc, eid, at, &key, &e);
    if (rc == OK) {
        assert_ok(cert_public_key(&own, euicc, &e));
        assert_true(public_key_equal(key, own));
        public_key_free(own);
    } else {
        assert_null(key);
    }
    public_key_free(key);
    cert_trust_free(t);
    return rc;
}

/* ---- vectors ---- */

static void vectors_come_out_as_they_say(void **state)
{
    (void)state;
    json_t *all = vectors_load("esep.json"), *v;
    size_t i, accepted = 0, refused = 0;
    json_array_foreach(all, i, v) {
        struct slice ci = vectors_hex(&arena, v, "ci_cert"), eum = vectors_hex(&arena, v, "eum_cert");
        struct slice euicc = vectors_hex(&arena, v, "euicc_cert"), eid = vectors_hex(&arena, v, "eid");
        const char *expect = vectors_text(v, "expect"), *reason = strstr(expect, ": ");
        bool chain = strstr(vectors_text(v, "name"), "/chain/") != NULL;     /* the others: the signature is at fault */
        enum eim_err rc = check_at(ci, eum, euicc, eid.p, now);
        if (chain && reason) {
            assert_int_equal(rc, E_CHAIN);
            assert_string_equal(e.why, reason + 2);
            assert_string_equal(e.clause, "SGP.22 4.5.2");
            refused++;
        } else {
            assert_int_equal(rc, OK);
            accepted++;
        }
        if (!chain) {
            uint8_t ski[CERT_SKI_MAX], aki[CERT_SKI_MAX], read[16];
            size_t n, m;
            struct slice want = vectors_hex(&arena, v, "ci_ski");
            assert_ok(cert_ski(ci, ski, &n, &e));
            assert_ok(cert_aki(eum, aki, &m, &e));
            assert_true(slice_eq((struct slice){ ski, n }, want) && slice_eq((struct slice){ aki, m }, want));
            assert_ok(cert_eid(euicc, read, &e));
            assert_memory_equal(read, eid.p, 16);
        }
    }
    assert_int_equal(accepted, 22);
    assert_int_equal(refused, 10);
    json_decref(all);
}

static void facts_for_people(void **state)
{
    (void)state;
    json_t *all = vectors_load("esep.json"), *v = json_array_get(all, 0);
    char name[CERT_NAME_MAX], want[CERT_NAME_MAX], date[32];
    int64_t from, to;
    struct slice euicc = vectors_hex(&arena, v, "euicc_cert");
    snprintf(want, sizeof want, "CN=Test eUICC,serialNumber=%s,O=Test EUM,C=DE", vectors_text(v, "eid"));
    assert_ok(cert_subject(euicc, name, &e));
    assert_string_equal(name, want);
    assert_ok(cert_issuer(euicc, name, &e));
    assert_string_equal(name, "CN=Test EUM CA,O=Test EUM,C=DE");
    assert_ok(cert_validity(euicc, &from, &to, &e));
    env_rfc3339(from, date);
    assert_string_equal(date, "2026-01-01T00:00:00.000Z");
    env_rfc3339(to, date);
    assert_string_equal(date, "7496-01-01T00:00:00.000Z");
    uint8_t eid[16];
    assert_refused(E_CHAIN, cert_eid(vectors_hex(&arena, v, "eum_cert"), eid, &e));
    json_decref(all);
}

/* ---- chains of our own making ---- */

static const uint8_t eid_ok[16] = { 0x89, 0x04, 0x90, 0x32, 0, 0x14, 0x39, 0x87, 0x54, 0x28, 0x34, 0x33, 0x51, 0x41, 0x71, 0x86 };
static const char eid_digits[] = "89049032001439875428343351417186";
static const char org[] = "Test EUM";

struct made {
    struct private_key *ci_key, *eum_key, *euicc_key;
    struct slice ci, eum, euicc;
};

static void make_keys(struct made *m, enum curve c)
{
    assert_ok(private_key_generate(&m->ci_key, c, &e));
    assert_ok(private_key_generate(&m->eum_key, c, &e));
    assert_ok(private_key_generate(&m->euicc_key, c, &e));
}

static void make_chain(struct made *m, enum curve c)
{
    make_keys(m, c);
    assert_ok(certmake_ci(&m->ci, m->ci_key, "Test Root", "Test CI", now - day, &arena, &e));
    assert_ok(certmake_eum(&m->eum, private_key_public(m->eum_key), org, "Test EUM CA", "89049032", now - day, m->ci_key, m->ci,
                           &arena, &e));
    assert_ok(certmake_euicc(&m->euicc, private_key_public(m->euicc_key), org, "card", eid_ok, now - day, m->eum_key, m->eum,
                             &arena, &e));
}

static void free_keys(struct made *m)
{
    private_key_free(m->ci_key);
    private_key_free(m->eum_key);
    private_key_free(m->euicc_key);
}

static void our_own_chains_hold(void **state)
{
    (void)state;
    for (enum curve c = CURVE_P256; c <= CURVE_BRAINPOOLP256R1; c++) {
        struct made m;
        int64_t from, to;
        make_chain(&m, c);
        assert_int_equal(check_at(m.ci, m.eum, m.euicc, eid_ok, now), OK);
        assert_int_equal(check_at(m.ci, m.eum, m.euicc, eid_ok, INT64_C(172800000000) * SECOND), OK);  /* in 7445 */
        assert_ok(cert_validity(m.euicc, &from, &to, &e));
        char date[32];
        env_rfc3339(to, date);
        assert_string_equal(date, "7496-12-01T00:00:00.000Z");
        /* What a generic verifier can judge of it, the openssl command does: it stumbles over the name constraints. */
        const char *dir = tmp_make();
        put_pem(dir, "ci.pem", m.ci);
        put_pem(dir, "eum.pem", m.eum);
        put_pem(dir, "euicc.pem", m.euicc);
        assert_int_equal(run("cd %s; openssl verify -x509_strict -attime %lld -CAfile ci.pem ci.pem eum.pem >out", dir,
                             (long long)(now / SECOND)), 0);
        assert_int_equal(run("cd %s; openssl x509 -in euicc.pem -noout -text >out && grep -q 'Digital Signature' out && "
                             "grep -q 'Policy: 2.23.146.1.2.1.1' out && grep -q 'serialNumber = %s' out", dir, eid_digits), 0);
        tmp_remove(dir);
        free_keys(&m);
    }
}

/* One flaw in an otherwise good chain, and the words that it is refused with. */
struct recipe { struct certmake ci, eum, euicc; bool by_ci, eum_key_other, ci_key_other; };

static void good_recipe(struct recipe *r)
{
    *r = (struct recipe){
        .ci = { .org = "Test Root", .cn = "Test CI", .from_us = now - day, .to_us = now + day, .basic_constraints = true,
                .ca = true, .path_len = -1, .usage = CERTMAKE_KEY_CERT_SIGN, .policy = "2.23.146.1.2.1.0" },
        .eum = { .org = org, .cn = "Test EUM CA", .from_us = now - day, .to_us = now + day, .basic_constraints = true, .ca = true,
                 .usage = CERTMAKE_KEY_CERT_SIGN, .policy = "2.23.146.1.2.1.2", .permit_org = org, .permit_prefix = "89049032" },
        .euicc = { .org = org, .cn = "card", .serial_number = eid_digits, .from_us = now - day, .to_us = now + day,
                   .usage = CERTMAKE_DIGITAL_SIGNATURE, .policy = "2.23.146.1.2.1.1" },
    };
}

#define FLAWS(X)                                                                                                   \
    X(ci.to_us = now - SECOND,                     "trust",             "CI certificate expired")                  \
    X(ci.from_us = now + SECOND,                   "trust",             "CI certificate not yet valid")            \
    X(eum.to_us = now - SECOND,                    "eumCertificate",    "EUM certificate expired")                 \
    X(eum.from_us = now + SECOND,                  "eumCertificate",    "EUM certificate not yet valid")           \
    X(eum.path_len = -1,                           "eumCertificate",    "basicConstraints without pathLen 0")      \
    X(eum.path_len = 1,                            "eumCertificate",    "basicConstraints without pathLen 0")      \
    X(eum.ca = false,                              "eumCertificate",    "certificate is no CA")                    \
    X(eum.basic_constraints = false,               "eumCertificate",    "certificate is no CA")                    \
    X(eum.usage = CERTMAKE_DIGITAL_SIGNATURE,      "eumCertificate",    "keyUsage without keyCertSign")            \
    X(eum.usage = 0,                               "eumCertificate",    "keyUsage without keyCertSign")            \
    X(eum.policy = NULL,                           "eumCertificate",    "certificate policy 2.23.146.1.2.1.2 is missing") \
    X(eum.policy = "2.23.146.1.2.1.1",             "eumCertificate",    "certificate policy 2.23.146.1.2.1.2 is missing") \
    X(eum.policy = "2.23.146.1.2.1.22",            "eumCertificate",    "certificate policy 2.23.146.1.2.1.2 is missing") \
    X(eum.extra_critical = "1.2.3.4",              "eumCertificate",    "unknown critical extension 1.2.3.4")      \
    X(eum.permit_org = r->eum.permit_prefix = NULL,"eumCertificate",    "no critical nameConstraints")             \
    X(eum.permit_org = NULL,                       "euiccCertificate",  "subject outside EUM nameConstraints")     \
    X(eum.permit_prefix = NULL,                    "euiccCertificate",  "subject outside EUM nameConstraints")     \
    X(eum.permit_org = "Test EU",                  "euiccCertificate",  "organisation outside EUM nameConstraints") \
    X(eum.permit_org = "Test EUM Ltd",             "euiccCertificate",  "organisation outside EUM nameConstraints") \
    X(eum.permit_prefix = "89049033",              "euiccCertificate",  "EID outside EUM nameConstraints")         \
    X(eum.permit_prefix = "9049032",               "euiccCertificate",  "EID outside EUM nameConstraints")         \
    X(eum.permit_prefix = "890490320014398754283433514171861", "euiccCertificate", "EID outside EUM nameConstraints") \
    X(euicc.to_us = now - SECOND,                  "euiccCertificate",  "eUICC certificate expired")               \
    X(euicc.from_us = now + SECOND,                "euiccCertificate",  "eUICC certificate not yet valid")         \
    X(euicc.basic_constraints = r->euicc.ca = true,"euiccCertificate",  "certificate is a CA, not an eUICC")       \
    X(euicc.usage = CERTMAKE_KEY_CERT_SIGN,        "euiccCertificate",  "keyUsage without digitalSignature")       \
    X(euicc.usage = 0,                             "euiccCertificate",  "keyUsage without digitalSignature")       \
    X(euicc.policy = NULL,                         "euiccCertificate",  "certificate policy 2.23.146.1.2.1.1 is missing") \
    X(euicc.policy = "2.23.146.1.2.1.2",           "euiccCertificate",  "certificate policy 2.23.146.1.2.1.1 is missing") \
    X(euicc.extra_critical = "2.5.29.54",          "euiccCertificate",  "unknown critical extension 2.5.29.54")    \
    X(euicc.permit_org = org,                      "euiccCertificate",  "unknown critical extension 2.5.29.30")    \
    X(euicc.org = "Test Eum",                      "euiccCertificate",  "organisation outside EUM nameConstraints") \
    X(euicc.org = NULL,                            "euiccCertificate",  "organisation outside EUM nameConstraints") \
    X(euicc.serial_number = NULL,                  "euiccCertificate",  "subject has no EID as its serialNumber")  \
    X(euicc.serial_number = "8904903200143987542834335141718", "euiccCertificate", "subject has no EID as its serialNumber") \
    X(euicc.serial_number = "890490320014398754283433514171860", "euiccCertificate", "subject has no EID as its serialNumber") \
    X(euicc.serial_number = "8904903200143987542834335141718a", "euiccCertificate", "subject has no EID as its serialNumber") \
    X(euicc.serial_number = "89049033001439875428343351417186", "euiccCertificate", "EID outside EUM nameConstraints") \
    X(euicc.serial_number = "89049032001439875428343351417187", "euiccCertificate", "certificate belongs to another EID") \
    X(by_ci = true,                                "euiccCertificate",  "not issued by this EUM")                  \
    X(eum_key_other = true,                        "euiccCertificate",  "not issued by this EUM")                  \
    X(ci_key_other = true,                         "eumCertificate",    "not issued by this CI")

static void flaw_apply(struct recipe *r, size_t which)
{
    size_t i = 0;
#define X(change, field, words) if (i++ == which) r->change;
    FLAWS(X)
#undef X
}

static const struct { const char *change, *field, *words; } flaws[] = {
#define X(change, field, words) { #change, field, words },
    FLAWS(X)
#undef X
};

static void each_flaw_is_refused_in_its_words(void **state)
{
    (void)state;
    struct made m;
    struct private_key *other;
    make_keys(&m, CURVE_P256);
    assert_ok(private_key_generate(&other, CURVE_P256, &e));
    for (size_t i = 0; i <= sizeof flaws / sizeof flaws[0]; i++) {
        bool good = i == sizeof flaws / sizeof flaws[0];       /* the last round: no flaw, accepted */
        struct recipe r;
        good_recipe(&r);
        flaw_apply(&r, i);
        assert_ok(certmake_sign(&m.ci, &r.ci, private_key_public(m.ci_key), m.ci_key, (struct slice){ 0 }, &arena, &e));
        assert_ok(certmake_sign(&m.eum, &r.eum, private_key_public(m.eum_key), r.ci_key_other ? other : m.ci_key, m.ci, &arena,
                                &e));
        assert_ok(certmake_sign(&m.euicc, &r.euicc, private_key_public(m.euicc_key),
                                r.by_ci ? m.ci_key : r.eum_key_other ? other : m.eum_key, r.by_ci ? m.ci : m.eum, &arena, &e));
        enum eim_err rc = check_at(m.ci, m.eum, m.euicc, eid_ok, now);
        if (good) assert_int_equal(rc, OK);
        else if (rc != E_CHAIN || strcmp(e.why, flaws[i].words) != 0 || strcmp(e.field, flaws[i].field) != 0)
            fail_msg("%s: %s, %s: \"%s\"", flaws[i].change, err_name(rc), e.field, e.why);
    }
    private_key_free(other);
    free_keys(&m);
}

static void certificates_in_each_others_place_are_refused(void **state)
{
    (void)state;
    struct made m;
    make_chain(&m, CURVE_P256);
    const struct slice all[] = { m.ci, m.eum, m.euicc };
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) assert_int_equal(check_at(m.ci, all[i], all[j], eid_ok, now), i == 1 && j == 2 ? OK : E_CHAIN);
    struct cert_trust *t;
    assert_refused(E_CHAIN, cert_trust_from(&t, &m.eum, 1, &e));
    assert_string_equal(e.why, "certificate is not self-signed");
    assert_refused(E_CHAIN, cert_trust_from(&t, &m.euicc, 1, &e));
    assert_ok(cert_check_root(m.ci, (e = (struct err){ 0 }, &e)));
    assert_refused(E_CHAIN, cert_check_root(m.eum, &e));
    free_keys(&m);
}

static void validity_ends_to_the_second(void **state)
{
    (void)state;
    struct made m;
    struct recipe r;
    good_recipe(&r);
    const int64_t last = INT64_C(253402300799) * SECOND;       /* 9999-12-31T23:59:59 */
    r.ci.to_us = r.eum.to_us = r.euicc.to_us = last;
    r.euicc.from_us = now;
    make_keys(&m, CURVE_P256);
    assert_ok(certmake_sign(&m.ci, &r.ci, private_key_public(m.ci_key), m.ci_key, (struct slice){ 0 }, &arena, &e));
    assert_ok(certmake_sign(&m.eum, &r.eum, private_key_public(m.eum_key), m.ci_key, m.ci, &arena, &e));
    assert_ok(certmake_sign(&m.euicc, &r.euicc, private_key_public(m.euicc_key), m.eum_key, m.eum, &arena, &e));
    static const struct { int64_t at; enum eim_err rc; } cases[] = {
        { INT64_MIN, E_CHAIN }, { -1, E_CHAIN }, { 0, E_CHAIN }, { now - 1, E_CHAIN }, { now, OK }, { now + 1, OK },
        { INT64_C(253402300799) * SECOND, OK }, { INT64_C(253402300799) * SECOND + 999999, OK },
        { INT64_C(253402300800) * SECOND, E_CHAIN }, { INT64_MAX, E_CHAIN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(check_at(m.ci, m.eum, m.euicc, eid_ok, cases[i].at), cases[i].rc);
    r.euicc.to_us = last + SECOND;
    assert_refused(E_INVALID, certmake_sign(&m.euicc, &r.euicc, private_key_public(m.euicc_key), m.eum_key, m.eum, &arena, &e));
    free_keys(&m);
}

static void several_roots_may_share_a_name(void **state)
{
    (void)state;
    struct made a, b;
    make_chain(&a, CURVE_P256);
    make_chain(&b, CURVE_BRAINPOOLP256R1);
    for (int order = 0; order < 2; order++) {
        struct slice roots[] = { order ? a.ci : b.ci, order ? b.ci : a.ci, a.ci };
        struct cert_trust *t;
        struct public_key *key;
        assert_ok(cert_trust_from(&t, roots, 3, &e));
        assert_int_equal(cert_trust_count(t), 2);              /* the same root twice is one */
        assert_true(slice_eq(cert_trust_root(t, 0), roots[0]));
        assert_ok(cert_check_euicc(t, a.eum, a.euicc, eid_ok, now, &key, &e));
        public_key_free(key);
        assert_ok(cert_check_euicc(t, b.eum, b.euicc, eid_ok, now, &key, &e));
        public_key_free(key);
        assert_refused(E_CHAIN, cert_check_euicc(t, a.eum, b.euicc, eid_ok, now, &key, &e));
        assert_string_equal(e.why, "not issued by this EUM");
        cert_trust_free(t);
    }
    struct cert_trust *t;
    struct public_key *key;
    assert_ok(cert_trust_from(&t, NULL, 0, (e = (struct err){ 0 }, &e)));
    assert_refused(E_CHAIN, cert_check_euicc(t, a.eum, a.euicc, eid_ok, now, &key, &e));
    assert_string_equal(e.why, "no CI root is loaded");
    cert_trust_free(t);
    free_keys(&a);
    free_keys(&b);
}

/* ---- damage ---- */

static void no_damaged_certificate_is_accepted(void **state)
{
    (void)state;
    struct made m;
    struct cert_trust *t;
    make_chain(&m, CURVE_P256);
    assert_ok(cert_trust_from(&t, &m.ci, 1, &e));
    for (int which = 0; which < 3; which++) {
        struct slice good = which == 0 ? m.eum : which == 1 ? m.euicc : m.ci;
        uint8_t bad[CERT_MAX];
        for (size_t i = 0; i < 3 * good.n; i++) {
            struct slice s = { bad, good.n };
            memcpy(bad, good.p, good.n);
            if (i % 3 == 2) s.n = i / 3;                       /* cut here; else one bit, or all of the byte's, turned */
            else bad[i / 3] ^= i % 3 ? 0xff : (uint8_t)(1 << (i / 3) % 8);
            struct public_key *key = NULL;
            struct cert_trust *none;
            enum eim_err rc = which == 2 ? cert_trust_from(&none, &s, 1, NULL)
                            : cert_check_euicc(t, which == 0 ? s : m.eum, which == 1 ? s : m.euicc, eid_ok, now, &key, NULL);
            if ((rc != E_CHAIN && rc != E_MALFORMED) || key) fail_msg("certificate %d, change %zu: %s", which, i, err_name(rc));
        }
    }
    struct public_key *key;
    assert_ok(cert_check_euicc(t, m.eum, m.euicc, eid_ok, now, &key, &e));
    public_key_free(key);
    cert_trust_free(t);
    free_keys(&m);
}

static void sizes_and_trailing_bytes_are_refused(void **state)
{
    (void)state;
    struct made m;
    make_chain(&m, CURVE_P256);
    static uint8_t large[CERT_MAX + 1];
    memcpy(large, m.eum.p, m.eum.n);
    assert_int_equal(check_at(m.ci, (struct slice){ large, m.eum.n + 1 }, m.euicc, eid_ok, now), E_MALFORMED);
    assert_string_equal(e.field, "eumCertificate");
    assert_int_equal(check_at(m.ci, (struct slice){ large, sizeof large }, m.euicc, eid_ok, now), E_TOO_LARGE);
    assert_int_equal(check_at(m.ci, m.eum, (struct slice){ 0 }, eid_ok, now), E_MALFORMED);
    assert_string_equal(e.field, "euiccCertificate");
    struct cert_trust *t;
    assert_refused(E_MALFORMED, cert_trust_from(&t, &(struct slice){ large, sizeof large }, 1, &e));
    assert_refused(E_MALFORMED, cert_trust_from(&t, &(struct slice){ 0 }, 1, &e));
    assert_null(t);
    struct slice many[CERT_ROOTS_MAX + 1];
    struct private_key *k;
    assert_ok(private_key_generate(&k, CURVE_P256, &e));
    for (size_t i = 0; i <= CERT_ROOTS_MAX; i++)
        assert_ok(certmake_ci(&many[i], k, "Test Root", arena_printf(&arena, "CI %zu", i), now, &arena, (e = (struct err){ 0 }, &e)));
    assert_ok(cert_trust_from(&t, many, CERT_ROOTS_MAX, &e));
    cert_trust_free(t);
    assert_refused(E_LIMIT, cert_trust_from(&t, many, CERT_ROOTS_MAX + 1, &e));
    private_key_free(k);
    free_keys(&m);
}

/* Whatever allocation fails: no acceptance of anything else, no crash, no leak, and not the certificates' fault. */
static void running_out_of_memory_is_not_the_chains_fault(void **state)
{
    (void)state;
    struct made m;
    struct cert_trust *t;
    make_chain(&m, CURVE_P256);
    assert_ok(cert_trust_from(&t, &m.ci, 1, &e));
    long failures = 0;
    for (long nth = 1;; nth += nth < 300 ? 1 : 13) {           /* most of 3,000 lie in OpenSSL's arithmetic */
        struct public_key *key = NULL;
        struct err why = { 0 };
        alloc_left = nth;
        enum eim_err rc = cert_check_euicc(t, m.eum, m.euicc, eid_ok, now, &key, &why);
        bool done = alloc_left > 0;
        alloc_left = 0;
        if (rc != OK && rc != E_NOMEM && rc != E_CRYPTO) fail_msg("allocation %ld: %s %s", nth, err_name(rc), why.why);
        assert_true((rc == OK) == (key != NULL));
        failures += rc != OK;
        public_key_free(key);
        if (done) break;
    }
    assert_true(failures > 50);
    cert_trust_free(t);
    free_keys(&m);
}

/* ---- chains made by the openssl command ---- */

static const char openssl_config[] =
    "[req]\nprompt=no\ndistinguished_name=dn\n[dn]\n"
    "[ci]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
    "certificatePolicies=critical,2.23.146.1.2.1.0\nsubjectAltName=RID:2.999.1\n"
    "[eum]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"
    "authorityKeyIdentifier=keyid\ncertificatePolicies=critical,2.23.146.1.2.1.2\n"
    "nameConstraints=critical,permitted;dirName:other,permitted;dirName:permit\ncrlDistributionPoints=URI:http://ci.example/crl\n"
    "[eum_soft]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"
    "certificatePolicies=critical,2.23.146.1.2.1.2\nnameConstraints=permitted;dirName:permit\n"
    "[eum_excl]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"
    "certificatePolicies=critical,2.23.146.1.2.1.2\n"
    "nameConstraints=critical,permitted;dirName:permit,excluded;dirName:other\n"
    "[eum_dns]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"
    "certificatePolicies=critical,2.23.146.1.2.1.2\nnameConstraints=critical,permitted;DNS:example.com\n"
    "[permit]\nO=Foreign EUM\nserialNumber=8904\n[other]\nO=Somebody\nserialNumber=8907\n"
    "[euicc]\nkeyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    "certificatePolicies=critical,2.23.146.1.2.1.1\n"
    "[plain]\nkeyUsage=critical,digitalSignature\ncertificatePolicies=critical,2.23.146.1.2.1.1\n";

static void openssl_key(const char *dir, const char *name, const char *curve)
{
    assert_int_equal(run("cd %s; openssl ecparam -name %s -genkey -noout -out %s.key", dir, curve, name), 0);
}

/* NAME.der with extensions `section`, signed by `issuer`. */
static struct slice openssl_sign(const char *dir, const char *name, const char *section, const char *subject, const char *issuer,
                                 const char *digest)
{
    if (strcmp(name, issuer) == 0)
        assert_int_equal(run("cd %s; openssl req -x509 -new -key %s.key -config cnf -extensions %s -subj '%s' -days 200000 -%s "
                             "-out %s.pem 2>err", dir, name, section, subject, digest, name), 0);
    else
        assert_int_equal(run("cd %s; openssl req -new -key %s.key -config cnf -subj '%s' -out csr 2>err && openssl x509 -req -in csr "
                             "-CA %s.pem -CAkey %s.key -CAcreateserial -days 200000 -%s -extfile cnf -extensions %s -out %s.pem 2>err",
                             dir, name, subject, issuer, issuer, digest, section, name), 0);
    assert_int_equal(run("cd %s; openssl x509 -in %s.pem -outform DER -out %s.der", dir, name, name), 0);
    char file[64];
    snprintf(file, sizeof file, "%s.der", name);
    return get_file(dir, file);
}

static void chains_of_the_openssl_command(void **state)
{
    (void)state;
    static const char *const curves[] = { "prime256v1", "brainpoolP256r1" };
    static const char card[] = "/C=DE/O=Foreign EUM/serialNumber=89049032001439875428343351417186/CN=x";
    static const char maker[] = "/O=Foreign EUM/CN=EUM";
    const int64_t at = ((int64_t)time(NULL) + 60) * SECOND;    /* the command knows no clock but the real one */
    for (int c = 0; c < 2; c++) {
        const char *dir = tmp_make();
        put_file(dir, "cnf", slice_str(openssl_config));
        openssl_key(dir, "ci", curves[c]);
        openssl_key(dir, "eum", curves[c]);
        openssl_key(dir, "euicc", curves[c]);
        struct slice ci = openssl_sign(dir, "ci", "ci", "/CN=Foreign CI", "ci", "sha256");
        struct slice eum = openssl_sign(dir, "eum", "eum", maker, "ci", "sha256");
        struct slice euicc = openssl_sign(dir, "euicc", "euicc", card, "eum", "sha256");
        assert_int_equal(check_at(ci, eum, euicc, eid_ok, at), OK);
        euicc = openssl_sign(dir, "euicc", "plain", card, "eum", "sha256");      /* without key identifiers */
        assert_int_equal(check_at(ci, eum, euicc, eid_ok, at), OK);
        euicc = openssl_sign(dir, "euicc", "euicc", "/O=Foreign EUM/O=Somebody/serialNumber=89049032001439875428343351417186", "eum",
                             "sha256");
        assert_int_equal(check_at(ci, eum, euicc, eid_ok, at), E_CHAIN);
        assert_string_equal(e.why, "organisation outside EUM nameConstraints");
        euicc = openssl_sign(dir, "euicc", "euicc", card, "eum", "sha384");
        assert_int_equal(check_at(ci, eum, euicc, eid_ok, at), E_CHAIN);
        assert_string_equal(e.why, "not issued by this EUM");
        openssl_key(dir, "euicc", "secp384r1");
        euicc = openssl_sign(dir, "euicc", "euicc", card, "eum", "sha256");
        assert_int_equal(check_at(ci, eum, euicc, eid_ok, at), E_CHAIN);
        assert_string_equal(e.why, "public key is not a sound one on P-256 or brainpoolP256r1");
        openssl_key(dir, "euicc", curves[c]);

        static const struct { const char *section, *words; } bad[] = {
            { "eum_soft", "no critical nameConstraints" }, { "eum_excl", "nameConstraints with excludedSubtrees" },
            { "eum_dns", "subject outside EUM nameConstraints" },
        };
        for (size_t i = 0; i < 3; i++) {
            eum = openssl_sign(dir, "eum", bad[i].section, maker, "ci", "sha256");
            euicc = openssl_sign(dir, "euicc", "euicc", card, "eum", "sha256");
            assert_int_equal(check_at(ci, eum, euicc, eid_ok, at), E_CHAIN);
            assert_string_equal(e.why, bad[i].words);
        }
        tmp_remove(dir);
    }
}

/* ---- files ---- */

static void pem_and_der_are_read(void **state)
{
    (void)state;
    struct made m;
    struct slice pem, der;
    make_chain(&m, CURVE_P256);
    assert_ok(cert_to_pem(m.eum, &pem, &arena, &e));
    assert_memory_equal(pem.p, "-----BEGIN CERTIFICATE-----\n", 28);
    assert_ok(cert_read(pem, &der, &arena, &e));
    assert_true(slice_eq(der, m.eum));
    assert_ok(cert_read(m.eum, &der, &arena, &e));
    assert_true(slice_eq(der, m.eum));
    char *text = arena_printf(&arena, "Issuer: somebody\n%.*s\ntrailing words\n", (int)pem.n, (const char *)pem.p);
    assert_ok(cert_read(slice_str(text), &der, &arena, &e));
    assert_true(slice_eq(der, m.eum));
    for (size_t n = 0; n + 1 < pem.n; n++)                     /* but for its last line break, every byte is needed */
        assert_refused(E_MALFORMED, cert_read((struct slice){ pem.p, n }, &der, &arena, &e));
    assert_refused(E_MALFORMED, cert_read(SLICE("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &der, &arena, &e));
    assert_refused(E_MALFORMED, cert_read(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &der, &arena, &e));
    static uint8_t large[CERT_PEM_MAX + 1];
    assert_refused(E_TOO_LARGE, cert_read((struct slice){ large, sizeof large }, &der, &arena, &e));
    struct arena small;
    arena_init(&small, 64);
    assert_refused(E_NOMEM, cert_read(pem, &der, &small, &e));
    assert_refused(E_NOMEM, cert_to_pem(m.eum, &pem, &small, &e));
    arena_free(&small);
    free_keys(&m);
}

static void a_trust_folder_is_loaded_or_refused_by_name(void **state)
{
    (void)state;
    struct made a, b;
    struct cert_trust *t;
    const char *dir = tmp_make();
    make_chain(&a, CURVE_P256);
    make_chain(&b, CURVE_BRAINPOOLP256R1);
    assert_ok(cert_trust_load_dir(&t, tmp_path(dir, "missing"), &e));
    assert_int_equal(cert_trust_count(t), 0);
    cert_trust_free(t);
    put_pem(dir, "a.pem", a.ci);
    put_file(dir, "b.der", b.ci);
    put_file(dir, "again.cer", b.ci);
    put_file(dir, "README.txt", SLICE("hello"));
    put_file(dir, ".a.pem.swp", SLICE("hello"));
    assert_ok(cert_trust_load_dir(&t, dir, &e));
    assert_int_equal(cert_trust_count(t), 2);
    struct public_key *key;
    assert_ok(cert_check_euicc(t, b.eum, b.euicc, eid_ok, now, &key, &e));
    public_key_free(key);
    cert_trust_free(t);
    static uint8_t large[CERT_PEM_MAX + 1];
    const struct slice bad[] = { SLICE("hello"), { 0 }, a.eum, a.euicc };
    for (size_t i = 0; i < 4; i++) {
        put_file(dir, "bad.crt", bad[i]);
        assert_refused(E_CONF, cert_trust_load_dir(&t, dir, &e));
        assert_null(t);
        assert_non_null(strstr(e.why, "/bad.crt: "));
    }
    put_file(dir, "bad.crt", (struct slice){ large, sizeof large });
    assert_refused(E_TOO_LARGE, cert_trust_load_dir(&t, dir, &e));
    unlink(tmp_path(dir, "bad.crt"));
    assert_int_equal(mkdir(tmp_path(dir, "bad.crt"), 0700), 0);
    assert_refused(E_CONF, cert_trust_load_dir(&t, dir, &e));
    assert_refused(E_IO, cert_trust_load_dir(&t, tmp_path(dir, "a.pem"), &e));     /* no folder */
    tmp_remove(dir);
    free_keys(&a);
    free_keys(&b);
}

/* ---- making ---- */

static void a_tls_certificate_is_its_own_anchor(void **state)
{
    (void)state;
    static const char *const dns[] = { "eim.example.com", "localhost" }, *const ip[] = { "127.0.0.1", "2001:db8::1" };
    for (enum curve c = CURVE_P256; c <= CURVE_BRAINPOOLP256R1; c++) {
        const char *dir = tmp_make();
        struct private_key *k;
        struct slice der;
        assert_ok(private_key_generate(&k, c, &e));
        assert_ok(certmake_tls(&der, k, "eim.example.com", dns, 2, ip, 2, now - day, now + 365 * day, &arena, &e));
        put_pem(dir, "tls.pem", der);
        assert_int_equal(run("cd %s; openssl verify -x509_strict -purpose sslserver -attime %lld -CAfile tls.pem -verify_hostname "
                             "localhost tls.pem >out 2>&1", dir, (long long)(now / SECOND)), 0);
        assert_int_equal(run("cd %s; openssl verify -purpose sslserver -attime %lld -CAfile tls.pem -verify_ip 2001:db8::1 tls.pem "
                             ">out 2>&1", dir, (long long)(now / SECOND)), 0);
        assert_int_not_equal(run("cd %s; openssl verify -attime %lld -CAfile tls.pem -verify_hostname other.example tls.pem "
                                 ">out 2>&1", dir, (long long)(now / SECOND)), 0);
        assert_refused(E_CHAIN, cert_check_root(der, &e));     /* no CA: it can vouch for itself only */
        private_key_free(k);
        tmp_remove(dir);
    }
}

static void what_cannot_stand_in_a_certificate_is_refused(void **state)
{
    (void)state;
    char long_name[130];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    static const char *const no_ip[] = { "not an address" }, *const no_dns[] = { "" }, *const newline[] = { "a\nb" };
    const char *names[CERTMAKE_NAMES + 1];
    for (size_t i = 0; i <= CERTMAKE_NAMES; i++) names[i] = "eim.example.com";
    const struct certmake bad[] = {
        { .to_us = now }, { .cn = "", .to_us = now }, { .cn = long_name, .to_us = now }, { .cn = "a\tb", .to_us = now },
        { .cn = "x", .country = "DEU", .to_us = now }, { .cn = "x", .to_us = -1 }, { .cn = "x", .from_us = now, .to_us = now - 1 },
        { .cn = "x", .to_us = INT64_MAX }, { .cn = "x", .to_us = now, .policy = "hello" },
        { .cn = "x", .to_us = now, .extra_critical = "" }, { .cn = "x", .to_us = now, .ip = no_ip, .ip_n = 1 },
        { .cn = "x", .to_us = now, .dns = no_dns, .dns_n = 1 }, { .cn = "x", .to_us = now, .dns = newline, .dns_n = 1 },
        { .cn = "x", .to_us = now, .dns = names, .dns_n = CERTMAKE_NAMES + 1 },
        { .cn = "x", .to_us = now, .org = long_name }, { .cn = "x", .to_us = now, .permit_prefix = long_name },
    };
    struct private_key *k;
    struct slice der = { 0 };
    assert_ok(private_key_generate(&k, CURVE_P256, &e));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(E_INVALID, certmake_sign(&der, &bad[i], private_key_public(k), k, (struct slice){ 0 }, &arena, &e));
    struct certmake good = { .cn = "x", .to_us = now, .dns = names, .dns_n = CERTMAKE_NAMES };
    assert_ok(certmake_sign(&der, &good, private_key_public(k), k, (struct slice){ 0 }, &arena, (e = (struct err){ 0 }, &e)));
    assert_refused(E_MALFORMED, certmake_sign(&der, &good, private_key_public(k), k, SLICE("no certificate"), &arena, &e));
    struct arena small;
    arena_init(&small, 64);
    assert_refused(E_NOMEM, certmake_sign(&der, &good, private_key_public(k), k, (struct slice){ 0 }, &small, &e));
    arena_free(&small);
    private_key_free(k);
}

int main(void)
{
    CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);   /* before OpenSSL's first allocation */
#define T(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        T(vectors_come_out_as_they_say), T(facts_for_people), T(our_own_chains_hold), T(each_flaw_is_refused_in_its_words),
        T(certificates_in_each_others_place_are_refused), T(validity_ends_to_the_second), T(several_roots_may_share_a_name),
        T(no_damaged_certificate_is_accepted), T(sizes_and_trailing_bytes_are_refused),
        T(running_out_of_memory_is_not_the_chains_fault), T(chains_of_the_openssl_command), T(pem_and_der_are_read),
        T(a_trust_folder_is_loaded_or_refused_by_name), T(a_tls_certificate_is_its_own_anchor),
        T(what_cannot_stand_in_a_certificate_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
