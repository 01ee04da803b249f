/* aes.c -- AES-128-CBC and AES-128-CMAC. */
#include "crypto/aes.h"

#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/ossl.h"

enum eim_err aes_cbc(bool encrypt, const uint8_t key[AES_BLOCK], const uint8_t iv[AES_BLOCK], struct slice in, uint8_t *out, struct err *e)
{
    if (in.n % AES_BLOCK || in.n > INT_MAX) return fail(e, E_INVALID, NULL, "%zu bytes are no whole blocks", in.n);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    bool ok = ctx && EVP_CipherInit_ex2(ctx, EVP_aes_128_cbc(), key, iv, encrypt, NULL) == 1 && EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
              EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) == 1 && EVP_CipherFinal_ex(ctx, out + n, &last) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? OK : ossl_fail(e, "AES-128-CBC");
}

enum eim_err aes_cmac(const uint8_t key[AES_BLOCK], const struct slice *spans, size_t n, uint8_t out[AES_BLOCK], struct err *e)
{
    char cipher[] = "AES-128-CBC";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0), OSSL_PARAM_construct_end() };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    size_t got = 0;
    bool ok = ctx && EVP_MAC_init(ctx, key, AES_BLOCK, params) == 1;
    for (size_t i = 0; ok && i < n; i++) ok = EVP_MAC_update(ctx, spans[i].p, spans[i].n) == 1;
    ok = ok && EVP_MAC_final(ctx, out, &got, AES_BLOCK) == 1 && got == AES_BLOCK;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return ok ? OK : ossl_fail(e, "AES-CMAC");
}
