/* digest.c -- SHA-256, HMAC-SHA-256, comparison in constant time, and wiping of secrets. */
#include "crypto/digest.h"

#include <openssl/crypto.h>

#include "crypto/ossl.h"

enum eim_err digest_sha256_spans(const struct slice *spans, size_t n, uint8_t out[SHA256_SIZE], struct err *e)
{
    const struct ossl *lib = ossl();
    EVP_MD_CTX *ctx = lib ? EVP_MD_CTX_new() : NULL;
    bool ok = ctx && EVP_DigestInit_ex2(ctx, lib->sha256, NULL) == 1;
    for (size_t i = 0; ok && i < n; i++) ok = EVP_DigestUpdate(ctx, spans[i].p, spans[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? OK : ossl_fail(e, "SHA-256");
}

enum eim_err digest_sha256(struct slice in, uint8_t out[SHA256_SIZE], struct err *e)
{
    return digest_sha256_spans(&in, 1, out, e);
}

enum eim_err digest_hmac_sha256(struct slice key, struct slice msg, uint8_t out[SHA256_SIZE], struct err *e)
{
    enum { BLOCK = 64 };
    uint8_t k[BLOCK] = { 0 }, pad[2][BLOCK], inner[SHA256_SIZE];
    enum eim_err rc = OK;
    if (key.n > BLOCK) rc = digest_sha256(key, k, e);
    else if (key.n) memcpy(k, key.p, key.n);
    for (size_t i = 0; i < BLOCK; i++) {
        pad[0][i] = k[i] ^ 0x36;
        pad[1][i] = k[i] ^ 0x5c;
    }
    if (rc == OK) rc = digest_sha256_spans((struct slice[]){ { pad[0], BLOCK }, msg }, 2, inner, e);
    if (rc == OK) rc = digest_sha256_spans((struct slice[]){ { pad[1], BLOCK }, { inner, sizeof inner } }, 2, out, e);
    digest_wipe(k, sizeof k);
    digest_wipe(pad, sizeof pad);
    digest_wipe(inner, sizeof inner);
    return rc;
}

bool digest_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void digest_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
