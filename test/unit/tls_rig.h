/* tls_rig.h -- net_rig.h with TLS in front: test_tls.c and test_httpc.c share it. */
#ifndef TEST_UNIT_TLS_RIG_H
#define TEST_UNIT_TLS_RIG_H

#include "test/unit/net_rig.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "test/lib/tmpdir.h"

/* Certificates. */

static inline void make_pair(const char *dir, const char *name, const char *curve, const char **cert, const char **key)
{
    enum { PATHS = 128 };
    static char paths[PATHS][128];
    static int used;
    EVP_PKEY *k = EVP_EC_gen(curve);
    X509 *c = X509_new();
    assert_true(k && c && used < PATHS - 1);
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), used + 1);
    X509_gmtime_adj(X509_getm_notBefore(c), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c), 86400);
    X509_set_pubkey(c, k);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(c, X509_get_subject_name(c));
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    assert_true(san && X509_add_ext(c, san, -1) && X509_sign(c, k, EVP_sha256()));
    X509_EXTENSION_free(san);
    char *out[2] = { paths[used], paths[used + 1] };
    used += 2;
    for (int i = 0; i < 2; i++) {
        snprintf(out[i], sizeof paths[0], "%s/%s.%s", dir, name, i ? "key" : "pem");
        FILE *f = fopen(out[i], "w");
        assert_non_null(f);
        assert_true(i ? PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL) : PEM_write_X509(f, c));
        fclose(f);
    }
    *cert = out[0];
    *key = out[1];
    X509_free(c);
    EVP_PKEY_free(k);
}

/* A TLS server with both certificates. */

struct tls_rig {
    struct rig r;
    struct env env;                    /* for tls: the real clock, until a test sets its own */
    const char *dir;
    struct tls_config conf;
    struct tls_server *tls;
};

enum { P256 = 1, BRAINPOOL = 2, BOTH = 3 };

static inline void tls_start(struct tls_rig *t, int which, struct http_config c, struct env *env)
{
    struct err e = { 0 };
    memset(t, 0, sizeof *t);
    env_real(&t->env);
    t->dir = tmp_make();
    t->conf.env = env ? env : &t->env;
    if (which & P256) make_pair(t->dir, "p256", "P-256", &t->conf.cert_file, &t->conf.key_file);
    if (which & BRAINPOOL) make_pair(t->dir, "brainpool", "brainpoolP256r1", &t->conf.bp_cert_file, &t->conf.bp_key_file);
    assert_ok(tls_server_new(&t->tls, &t->conf, &e));
    c.tls = t->tls;
    rig_start(&t->r, c);
}

static inline void tls_stop(struct tls_rig *t)
{
    rig_stop(&t->r);
    tls_server_free(t->tls);
    tmp_remove(t->dir);
}

#endif
