/* test_cert.c -- certificates one by one: what is read from them, their files, trust folders, and making them. */
#include <sys/stat.h>

#include "test/unit/cert_help.h"

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
#define T(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        T(facts_for_people), T(pem_and_der_are_read), T(a_trust_folder_is_loaded_or_refused_by_name),
        T(a_tls_certificate_is_its_own_anchor), T(what_cannot_stand_in_a_certificate_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
