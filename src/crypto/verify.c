/* verify.c -- ECDSA-SHA-256 verification over spans of received bytes. */
#include "crypto/verify.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

#include "asn1/sgp32.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"

enum { DER_SIGNATURE_MAX = 72 };       /* two 33-byte integers with their headers */

/* The numbers of a signature in either form; NULL: it is none, or memory lacks. */
static ECDSA_SIG *read_signature(struct slice sig)
{
    if (sig.n != SIGNATURE_SIZE) {
        const uint8_t *p = sig.p;
        return sig.n > 0 && sig.n <= DER_SIGNATURE_MAX ? d2i_ECDSA_SIG(NULL, &p, (long)sig.n) : NULL;
    }
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig.p, SIGNATURE_SIZE / 2, NULL);
    BIGNUM *v = BN_bin2bn(sig.p + SIGNATURE_SIZE / 2, SIGNATURE_SIZE / 2, NULL);
    if (s && r && v && ECDSA_SIG_set0(s, r, v) == 1) return s;
    BN_free(r);
    BN_free(v);
    ECDSA_SIG_free(s);
    return NULL;
}

/* Brings either form to strict DER, which is what OpenSSL takes. */
static enum eim_err signature_to_der(struct slice sig, uint8_t out[DER_SIGNATURE_MAX], size_t *out_n, struct err *e)
{
    ECDSA_SIG *s = read_signature(sig);
    uint8_t *p = out;
    int n = 0;                         /* two numbers of at most 32 bytes each fit into `out` */
    if (s && BN_num_bytes(ECDSA_SIG_get0_r(s)) <= SIGNATURE_SIZE / 2 &&
        BN_num_bytes(ECDSA_SIG_get0_s(s)) <= SIGNATURE_SIZE / 2)
        n = i2d_ECDSA_SIG(s, &p);
    ECDSA_SIG_free(s);
    if (n > 0 && (sig.n == SIGNATURE_SIZE || slice_eq(sig, (struct slice){ out, (size_t)n }))) {
        *out_n = (size_t)n;
        return OK;
    }
    if (ossl_no_memory()) return fail(e, E_NOMEM, NULL, "no memory for a signature");
    return fail(e, E_SIGNATURE, "SGP.32 2.11.2.1", "%zu bytes that are no ECDSA signature", sig.n);
}

enum eim_err verify_signature(const struct public_key *k, const struct slice *spans, size_t n, struct slice sig,
                              struct err *e)
{
    uint8_t der[DER_SIGNATURE_MAX], hash[SHA256_SIZE];
    size_t der_n = 0;
    TRY(signature_to_der(sig, der, &der_n, e));
    TRY(digest_sha256_spans(spans, n, hash, e));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    int rc = -1;
    if (ctx && EVP_PKEY_verify_init(ctx) == 1) rc = EVP_PKEY_verify(ctx, der, der_n, hash, sizeof hash);
    EVP_PKEY_CTX_free(ctx);
    if (rc == 1) return OK;
    if (rc < 0 || ossl_no_memory()) return ossl_fail(e, "ECDSA verification");
    return fail(e, E_SIGNATURE, "SGP.32 2.11.2.1", "signature does not verify under the key");
}

enum eim_err verify_with_token(const struct public_key *k, struct slice tbs, int64_t token, struct slice sig, struct err *e)
{
    uint8_t tlv[12];
    if (token < 0)
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", "associationToken", "a negative token is never signed");
    return verify_signature(k, (struct slice[]){ tbs, sgp32_token_tlv(token, tlv) }, 2, sig, e);
}
