/* test_chain.c -- the chain check of eUICC under EUM under CI: vectors, chains of our own making with one flaw each,
 * chains made by the openssl command, and every byte damaged. */
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "test/unit/cert_help.h"

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

/* ---- chains of our own making ---- */

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

static void a_root_must_be_a_self_signed_ca(void **state)
{
    (void)state;
    struct private_key *k;
    assert_ok(private_key_generate(&k, CURVE_P256, &e));
    static const struct { const char *words; bool ca; unsigned usage; const char *critical; } cases[] = {
        { NULL, true, CERTMAKE_KEY_CERT_SIGN, NULL },
        { "certificate is no CA", false, CERTMAKE_KEY_CERT_SIGN, NULL },
        { "keyUsage without keyCertSign", true, CERTMAKE_CRL_SIGN, NULL },
        { "unknown critical extension 1.2.3.4", true, CERTMAKE_KEY_CERT_SIGN, "1.2.3.4" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recipe r;
        struct slice der;
        struct cert_trust *t;
        good_recipe(&r);
        r.ci.ca = cases[i].ca;
        r.ci.usage = cases[i].usage;
        r.ci.extra_critical = cases[i].critical;
        assert_ok(certmake_sign(&der, &r.ci, private_key_public(k), k, (struct slice){ 0 }, &arena, &e));
        if (!cases[i].words) assert_ok(cert_check_root(der, &e));
        else {
            assert_refused(E_CHAIN, cert_trust_from(&t, &der, 1, &e));
            assert_string_equal(e.why, cases[i].words);
            assert_refused(E_CHAIN, cert_check_root(der, &e));
        }
    }
    private_key_free(k);
}

/* The right key under another name is another authority. */
static void an_issuer_is_known_by_its_name_too(void **state)
{
    (void)state;
    struct made m;
    struct slice other;
    make_chain(&m, CURVE_P256);
    assert_ok(certmake_ci(&other, m.ci_key, "Test Root", "Other CI", now - day, &arena, &e));
    assert_int_equal(check_at(other, m.eum, m.euicc, eid_ok, now), E_CHAIN);
    assert_string_equal(e.why, "not issued by this CI");
    assert_ok(certmake_eum(&other, private_key_public(m.eum_key), org, "Other EUM CA", "89049032", now - day, m.ci_key, m.ci,
                           &arena, (e = (struct err){ 0 }, &e)));
    assert_int_equal(check_at(m.ci, other, m.euicc, eid_ok, now), E_CHAIN);
    assert_string_equal(e.why, "not issued by this EUM");
    free_keys(&m);
}

/* Oddities that certmake cannot make: the certificate is changed by `change` and signed again, by OpenSSL directly. */
static struct slice changed(struct slice der, const struct private_key *key, void (*change)(X509 *x))
{
    const char *dir = tmp_make();
    assert_ok(private_key_save(key, tmp_path(dir, "k.pem"), &e));
    FILE *f = fopen(tmp_path(dir, "k.pem"), "r");
    EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    assert_true(pkey && x);
    change(x);
    assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
    uint8_t *out = NULL;
    int n = i2d_X509(x, &out);
    struct slice s = arena_copy(&arena, (struct slice){ out, (size_t)n });
    OPENSSL_free(out);
    X509_free(x);
    EVP_PKEY_free(pkey);
    tmp_remove(dir);
    return s;
}

static void change_nothing(X509 *x) { (void)x; }

static void repeat_an_extension(X509 *x)
{
    X509_add_ext(x, X509_get_ext(x, X509_get_ext_by_NID(x, NID_key_usage, -1)), -1);
}

static void break_an_extension(X509 *x)
{
    X509_EXTENSION *ext = X509_get_ext(x, X509_get_ext_by_NID(x, NID_basic_constraints, -1));
    ASN1_OCTET_STRING_set(X509_EXTENSION_get_data(ext), (const unsigned char *)"broken", 6);
}

static void set_subtree(X509 *x, long minimum, long maximum)
{
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(x, NID_name_constraints, NULL, NULL);
    GENERAL_SUBTREE *tree = sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, 0);
    if (minimum) {
        tree->minimum = ASN1_INTEGER_new();
        ASN1_INTEGER_set(tree->minimum, minimum);
    }
    if (maximum) {
        tree->maximum = ASN1_INTEGER_new();
        ASN1_INTEGER_set(tree->maximum, maximum);
    }
    assert_int_equal(X509_add1_ext_i2d(x, NID_name_constraints, nc, 1, X509V3_ADD_REPLACE), 1);
    NAME_CONSTRAINTS_free(nc);
}

static void set_minimum(X509 *x) { set_subtree(x, 1, 0); }
static void set_maximum(X509 *x) { set_subtree(x, 0, 1); }

static void set_local_time(X509 *x)
{
    ASN1_STRING_set(X509_getm_notAfter(x), "20491231235959+0100", -1);
    X509_getm_notAfter(x)->type = V_ASN1_GENERALIZEDTIME;
}

static void set_no_date(X509 *x)
{
    ASN1_STRING_set(X509_getm_notAfter(x), "20490230000000Z", -1);
    X509_getm_notAfter(x)->type = V_ASN1_GENERALIZEDTIME;
}

static void odd_certificates_are_refused(void **state)
{
    (void)state;
    static const struct { void (*change)(X509 *x); const char *words; } cases[] = {
        { change_nothing, NULL },
        { repeat_an_extension, "repeated extension keyUsage" },
        { break_an_extension, "broken extension basicConstraints" },
        { set_minimum, "subject outside EUM nameConstraints" },
        { set_maximum, "subject outside EUM nameConstraints" },
        { set_local_time, "validity is not in UTC from 1970 on" },
        { set_no_date, "validity is not in UTC from 1970 on" },
    };
    struct made m;
    make_chain(&m, CURVE_P256);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice eum = changed(m.eum, m.ci_key, cases[i].change);
        assert_int_equal(check_at(m.ci, eum, m.euicc, eid_ok, now), cases[i].words ? E_CHAIN : OK);
        if (cases[i].words) assert_string_equal(e.why, cases[i].words);
    }
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

int main(void)
{
    CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);   /* before OpenSSL's first allocation */
#define T(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        T(vectors_come_out_as_they_say), T(our_own_chains_hold), T(each_flaw_is_refused_in_its_words),
        T(certificates_in_each_others_place_are_refused), T(a_root_must_be_a_self_signed_ca),
        T(an_issuer_is_known_by_its_name_too), T(odd_certificates_are_refused), T(validity_ends_to_the_second),
        T(several_roots_may_share_a_name), T(no_damaged_certificate_is_accepted), T(sizes_and_trailing_bytes_are_refused),
        T(running_out_of_memory_is_not_the_chains_fault), T(chains_of_the_openssl_command),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
