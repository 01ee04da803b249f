/* verify.c -- ECDSA-SHA-256 verification over spans of received bytes. */
#include "crypto/verify.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "crypto/token.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"

enum { DER_SIGNATURE_MAX = 72 };       /* two 33-byte integers with their headers */

/* Brings either form to strict DER, which is what OpenSSL takes. False: this is no signature in either form. */
static bool signature_to_der(struct slice sig, uint8_t out[DER_SIGNATURE_MAX], int *out_n)
{
    ECDSA_SIG *s = NULL;
    bool ok = false;
    if (sig.n == SIGNATURE_SIZE) {
        BIGNUM *r = BN_bin2bn(sig.p, SIGNATURE_SIZE / 2, NULL);
        BIGNUM *v = BN_bin2bn(sig.p + SIGNATURE_SIZE / 2, SIGNATURE_SIZE / 2, NULL);
        s = ECDSA_SIG_new();
        if (s && r && v && ECDSA_SIG_set0(s, r, v) == 1) ok = true;
        else {
            BN_free(r);
            BN_free(v);
        }
    } else if (sig.n > 0 && sig.n <= DER_SIGNATURE_MAX) {
        const uint8_t *p = sig.p;
        s = d2i_ECDSA_SIG(NULL, &p, (long)sig.n);
        ok = s && BN_num_bytes(ECDSA_SIG_get0_r(s)) <= SIGNATURE_SIZE / 2 &&
             BN_num_bytes(ECDSA_SIG_get0_s(s)) <= SIGNATURE_SIZE / 2;
    }
    uint8_t *p = out;
    *out_n = ok ? i2d_ECDSA_SIG(s, &p) : 0;        /* at most DER_SIGNATURE_MAX: both numbers have 32 bytes or fewer */
    ok = ok && *out_n > 0 && (sig.n == SIGNATURE_SIZE || slice_eq(sig, (struct slice){ out, (size_t)*out_n }));
    ECDSA_SIG_free(s);
    return ok;
}

enum eim_err verify_signature(const struct public_key *k, const struct slice *spans, size_t n, struct slice sig,
                              struct err *e)
{
    uint8_t der[DER_SIGNATURE_MAX], hash[SHA256_SIZE];
    int der_n = 0;
    if (!signature_to_der(sig, der, &der_n)) {
        ERR_clear_error();
        return fail(e, E_SIGNATURE, "SGP.32 2.11.2.1", "%zu bytes that are no ECDSA signature", sig.n);
    }
    TRY(digest_sha256_spans(spans, n, hash, e));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    int rc = -1;
    if (ctx && EVP_PKEY_verify_init(ctx) == 1) rc = EVP_PKEY_verify(ctx, der, (size_t)der_n, hash, sizeof hash);
    EVP_PKEY_CTX_free(ctx);
    if (rc == 1) return OK;
    if (rc < 0) return ossl_fail(e, "ECDSA verification");
    ERR_clear_error();
    return fail(e, E_SIGNATURE, "SGP.32 2.11.2.1", "signature does not verify under the key");
}

enum eim_err verify_with_token(const struct public_key *k, struct slice tbs, int64_t token, struct slice sig, struct err *e)
{
    uint8_t tlv[12];
    if (token < 0)
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", "associationToken", "a negative token is never signed");
    return verify_signature(k, (struct slice[]){ tbs, sgp32_token_tlv(token, tlv) }, 2, sig, e);
}
