/* key.c -- elliptic-curve keys on P-256 and brainpoolP256r1.
 *
 * How a public key is made matters, because the hot path makes one for each result. Measured on OpenSSL 3.0 (P-256):
 * d2i_PUBKEY 230 us, EVP_PKEY_fromdata 37 us, a copy of a pattern key that is given another point 10 us (and that call
 * checks that the point is on the curve). So: compare the fixed bytes of a SubjectPublicKeyInfo, copy, set the point. */
#include "crypto/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "crypto/verify.h"

struct private_key {
    struct public_key *public;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *sign;                /* initialised for signing; each signature uses a copy of it */
};

const char *curve_name(enum curve c)
{
    return c == CURVE_NONE ? "none" : ossl_group(c);
}

enum curve curve_named(const char *name)
{
    for (enum curve c = CURVE_P256; c <= CURVE_BRAINPOOLP256R1; c++)
        if (strcmp(name, ossl_group(c)) == 0) return c;
    return CURVE_NONE;
}

/* ---- public keys ---- */

enum eim_err public_key_from_point(struct public_key **out, enum curve c, struct slice point, struct err *e)
{
    *out = NULL;
    if (c != CURVE_P256 && c != CURVE_BRAINPOOLP256R1) return fail(e, E_INVALID, "SGP.22 2.6.7", "curve not supported");
    if (point.n != POINT_SIZE || point.p[0] != POINT_CONVERSION_UNCOMPRESSED)
        return fail(e, E_INVALID, "SGP.22 2.6.7", "not an uncompressed point of %d bytes", POINT_SIZE);
    const struct ossl *lib = ossl();
    if (!lib) return ossl_fail(e, "OpenSSL start");
    struct public_key *k = OPENSSL_zalloc(sizeof *k);
    EVP_PKEY *pkey = k ? EVP_PKEY_dup(lib->curve[c].pattern) : NULL;
    if (!pkey) {
        OPENSSL_free(k);
        return ossl_fail(e, "making a key");
    }
    *k = (struct public_key){ .curve = c, .pkey = pkey };
    memcpy(k->point, point.p, POINT_SIZE);
    if (EVP_PKEY_set1_encoded_public_key(pkey, point.p, point.n) != 1) {
        public_key_free(k);
        if (ossl_no_memory()) return fail(e, E_NOMEM, NULL, "no memory for a key");
        return fail(e, E_INVALID, "SGP.22 2.6.7", "point is not on %s", curve_name(c));
    }
    *out = k;
    return OK;
}

enum eim_err public_key_parse(struct public_key **out, struct slice spki, struct err *e)
{
    *out = NULL;
    const struct ossl *lib = ossl();
    if (!lib) return ossl_fail(e, "OpenSSL start");
    for (enum curve c = CURVE_P256; c <= CURVE_BRAINPOOLP256R1; c++) {
        const struct ossl_curve *k = &lib->curve[c];
        if (spki.n == k->spki_n + POINT_SIZE && memcmp(spki.p, k->spki, k->spki_n) == 0)
            return public_key_from_point(out, c, (struct slice){ spki.p + k->spki_n, POINT_SIZE }, e);
    }
    return fail(e, E_INVALID, "SGP.22 2.6.7",
                "not a SubjectPublicKeyInfo of P-256 or brainpoolP256r1 with an uncompressed point");
}

enum eim_err public_key_spki(const struct public_key *k, struct slice *spki, struct arena *a, struct err *e)
{
    const struct ossl *lib = ossl();
    if (!lib) return ossl_fail(e, "OpenSSL start");
    const struct ossl_curve *c = &lib->curve[k->curve];
    uint8_t *p = arena_alloc(a, c->spki_n + POINT_SIZE);
    if (!p) return fail(e, E_NOMEM, NULL, "no room for a public key");
    memcpy(p, c->spki, c->spki_n);
    memcpy(p + c->spki_n, k->point, POINT_SIZE);
    *spki = (struct slice){ p, c->spki_n + POINT_SIZE };
    return OK;
}

struct slice public_key_point(const struct public_key *k)
{
    return (struct slice){ k->point, POINT_SIZE };
}

enum curve public_key_curve(const struct public_key *k)
{
    return k->curve;
}

bool public_key_equal(const struct public_key *a, const struct public_key *b)
{
    return a->curve == b->curve && memcmp(a->point, b->point, POINT_SIZE) == 0;
}

void public_key_free(struct public_key *k)
{
    if (!k) return;
    EVP_PKEY_free(k->pkey);
    OPENSSL_free(k);
}

/* ---- private keys ---- */

void private_key_free(struct private_key *k)
{
    if (!k) return;
    public_key_free(k->public);
    EVP_PKEY_CTX_free(k->sign);
    EVP_PKEY_free(k->pkey);            /* OpenSSL wipes the number */
    OPENSSL_free(k);
}

/* Takes over pkey, also on failure. */
static enum eim_err adopt(struct private_key **out, enum curve c, EVP_PKEY *pkey, struct err *e)
{
    uint8_t point[POINT_SIZE];
    size_t n = 0;
    struct private_key *k = OPENSSL_zalloc(sizeof *k);
    if (!k) EVP_PKEY_free(pkey);
    else k->pkey = pkey;
    enum eim_err rc = OK;
    if (!k || EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) != 1)
        rc = ossl_fail(e, "reading a key");
    if (rc == OK) rc = public_key_from_point(&k->public, c, (struct slice){ point, n }, e);
    if (rc == OK && (!(k->sign = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL)) || EVP_PKEY_sign_init(k->sign) != 1))
        rc = ossl_fail(e, "preparing to sign");
    if (rc != OK) {
        private_key_free(k);
        return rc;
    }
    *out = k;
    return OK;
}

enum eim_err private_key_generate(struct private_key **out, enum curve c, struct err *e)
{
    *out = NULL;
    const char *group = ossl_group(c);
    if (!group) return fail(e, E_INVALID, "SGP.22 2.6.7", "curve not supported");
    EVP_PKEY *pkey = EVP_EC_gen(group);
    if (!pkey) return ossl_fail(e, "key generation");
    return adopt(out, c, pkey, e);
}

/* The point d * G, uncompressed. */
static bool scalar_point(const EC_GROUP *g, const BIGNUM *d, uint8_t point[POINT_SIZE])
{
    EC_POINT *p = EC_POINT_new(g);
    bool ok = p && EC_POINT_mul(g, p, d, NULL, NULL, NULL) == 1 &&
              EC_POINT_point2oct(g, p, POINT_CONVERSION_UNCOMPRESSED, point, POINT_SIZE, NULL) == POINT_SIZE;
    EC_POINT_free(p);
    return ok;
}

static EVP_PKEY *from_parts(const char *group, const BIGNUM *d, const uint8_t point[POINT_SIZE])
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *params = NULL;
    if (b && ctx && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_SIZE) &&
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d) && (params = OSSL_PARAM_BLD_to_param(b)) &&
        EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);           /* d lies in its secure part, which is wiped */
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

enum eim_err private_key_from_scalar(struct private_key **out, enum curve c, const uint8_t d[SCALAR_SIZE], struct err *e)
{
    *out = NULL;
    const char *group = ossl_group(c);
    if (!group) return fail(e, E_INVALID, "SGP.22 2.6.7", "curve not supported");
    EC_GROUP *g = EC_GROUP_new_by_curve_name(c == CURVE_P256 ? NID_X9_62_prime256v1 : NID_brainpoolP256r1);
    BIGNUM *n = BN_secure_new();       /* its secrecy makes OSSL_PARAM_BLD use memory that is wiped */
    uint8_t point[POINT_SIZE];
    EVP_PKEY *pkey = NULL;
    enum eim_err rc = OK;
    if (!g || !n || !BN_bin2bn(d, SCALAR_SIZE, n)) rc = ossl_fail(e, "reading a key");
    else {
        BN_set_flags(n, BN_FLG_CONSTTIME);
        if (BN_is_zero(n) || BN_cmp(n, EC_GROUP_get0_order(g)) >= 0)
            rc = fail(e, E_INVALID, "SGP.22 2.6.7", "private number outside 1 to n-1");
        else if (!scalar_point(g, n, point) || !(pkey = from_parts(group, n, point))) rc = ossl_fail(e, "making a key");
    }
    BN_clear_free(n);
    EC_GROUP_free(g);
    return rc != OK ? rc : adopt(out, c, pkey, e);
}

static bool pkey_scalar(const EVP_PKEY *pkey, uint8_t d[SCALAR_SIZE])
{
    BIGNUM *n = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &n) == 1 &&
              BN_bn2binpad(n, d, SCALAR_SIZE) == SCALAR_SIZE;
    BN_clear_free(n);
    return ok;
}

enum eim_err private_key_scalar(const struct private_key *k, uint8_t d[SCALAR_SIZE], struct err *e)
{
    return pkey_scalar(k->pkey, d) ? OK : ossl_fail(e, "reading a key");
}

/* A file with a passphrase is refused: without this OpenSSL would ask on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out; (void)size; (void)writing; (void)arg;
    return -1;
}

static enum curve pkey_curve(const EVP_PKEY *pkey)
{
    char group[64] = "";
    if (!EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1) return CURVE_NONE;
    int nid = OBJ_txt2nid(group);
    return nid == NID_X9_62_prime256v1 ? CURVE_P256 : nid == NID_brainpoolP256r1 ? CURVE_BRAINPOOLP256R1 : CURVE_NONE;
}

enum eim_err private_key_from_pem(struct private_key **out, struct slice pem, struct err *e)
{
    *out = NULL;
    if (pem.n > KEY_FILE_MAX) return fail(e, E_TOO_LARGE, NULL, "PEM of more than %d bytes", KEY_FILE_MAX);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    bool memory = ossl_no_memory();
    if (!pkey && memory) return fail(e, E_NOMEM, NULL, "no memory for a key");
    if (!pkey) return fail(e, E_INVALID, NULL, "no unencrypted private key in PEM");
    enum curve c = pkey_curve(pkey);
    uint8_t d[SCALAR_SIZE], claimed[POINT_SIZE];
    size_t n = 0;
    enum eim_err rc = c == CURVE_NONE ? fail(e, E_INVALID, "SGP.22 2.6.7", "key is not on P-256 or brainpoolP256r1")
                    : !pkey_scalar(pkey, d) ? ossl_fail(e, "reading a key") : private_key_from_scalar(out, c, d, e);
    digest_wipe(d, sizeof d);
    /* We use the public half that belongs to the secret one; a file that claims another is damaged. */
    if (rc == OK && EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, claimed, sizeof claimed, &n) == 1 &&
        !slice_eq((struct slice){ claimed, n }, public_key_point((*out)->public))) {
        private_key_free(*out);
        *out = NULL;
        rc = fail(e, E_INVALID, NULL, "public and private half do not belong together");
    }
    EVP_PKEY_free(pkey);
    return rc;
}

enum eim_err private_key_load(struct private_key **out, const char *path, struct err *e)
{
    *out = NULL;
    uint8_t pem[KEY_FILE_MAX];
    size_t n = 0;
    enum eim_err rc = file_read(path, true, pem, sizeof pem, &n, e);
    if (rc == OK) {
        struct err why = { 0 };
        rc = private_key_from_pem(out, (struct slice){ pem, n }, &why);
        if (rc != OK) rc = fail(e, rc, why.clause, "%s: %s", path, why.why);
    }
    digest_wipe(pem, sizeof pem);
    return rc;
}

enum eim_err private_key_save(const struct private_key *k, const char *path, struct err *e)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    enum eim_err rc = OK;
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1)
        rc = ossl_fail(e, "writing a key");
    if (rc == OK) {
        long n = BIO_get_mem_data(bio, &pem);
        rc = file_write_new(path, 0600, slice_of(pem, (size_t)n), e);
        digest_wipe(pem, (size_t)n);
    }
    BIO_free(bio);
    return rc;
}

enum curve private_key_curve(const struct private_key *k)
{
    return k->public->curve;
}

EVP_PKEY *ossl_private(const struct private_key *k)
{
    return k->pkey;
}

const struct public_key *private_key_public(const struct private_key *k)
{
    return k->public;
}

/* OpenSSL signs to DER; SGP.32 wants r || s, each padded to 32 bytes. */
static bool der_to_raw(const uint8_t *der, size_t n, uint8_t raw[SIGNATURE_SIZE])
{
    const uint8_t *p = der;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    bool ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, SIGNATURE_SIZE / 2) > 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + SIGNATURE_SIZE / 2, SIGNATURE_SIZE / 2) > 0;
    ECDSA_SIG_free(s);
    return ok;
}

enum eim_err private_key_sign(const struct private_key *k, const struct slice *spans, size_t n,
                              uint8_t sig[SIGNATURE_SIZE], struct err *e)
{
    uint8_t hash[SHA256_SIZE], der[SIGNATURE_SIZE + 16];
    size_t der_n = sizeof der;
    TRY(digest_sha256_spans(spans, n, hash, e));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(k->sign);             /* 5 us cheaper than a new one; k->sign is only read */
    bool ok = ctx && EVP_PKEY_sign(ctx, der, &der_n, hash, sizeof hash) == 1 && der_to_raw(der, der_n, sig);
    EVP_PKEY_CTX_free(ctx);
    return ok ? OK : ossl_fail(e, "ECDSA signature");
}

enum eim_err private_key_agree(const struct private_key *k, const struct public_key *other, uint8_t secret[SCALAR_SIZE],
                               struct err *e)
{
    size_t n = SCALAR_SIZE;
    if (other->curve != private_key_curve(k)) return fail(e, E_INVALID, "SGP.22 2.6.7", "keys of two curves agree on nothing");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
    bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, other->pkey) == 1 &&
              EVP_PKEY_derive(ctx, secret, &n) == 1 && n == SCALAR_SIZE;
    EVP_PKEY_CTX_free(ctx);
    return ok ? OK : ossl_fail(e, "key agreement");
}
