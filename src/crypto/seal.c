/* seal.c -- secrets at rest: AES-256-GCM under a key file. Two keys are made of the file's: one seals, one hashes. */
#include "crypto/seal.h"

#include "base/env.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"

#include <limits.h>

enum { NONCE = 12, TAG = 16 };

struct seal {
    struct env *env;
    uint8_t cipher[SEAL_KEY_SIZE], hash[SEAL_KEY_SIZE];
    struct arena memory;               /* it lives in */
};

enum eim_err seal_from(struct seal **out, const uint8_t key[SEAL_KEY_SIZE], struct env *env, struct err *e)
{
    struct arena memory;
    *out = NULL;
    arena_init(&memory, 4096);
    struct seal *s = ARENA_NEW(&memory, struct seal);
    if (!s) return fail(e, E_NOMEM, NULL, "no memory for a key");
    *s = (struct seal){ .env = env, .memory = memory };
    enum eim_err rc = digest_hmac_sha256(slice_of(key, SEAL_KEY_SIZE), SLICE("eimd seal cipher"), s->cipher, e);
    if (rc == OK) rc = digest_hmac_sha256(slice_of(key, SEAL_KEY_SIZE), SLICE("eimd seal hash"), s->hash, e);
    if (rc == OK) *out = s;
    else seal_free(s);
    return rc;
}

enum eim_err seal_open_file(struct seal **out, const char *path, struct env *env, struct err *e)
{
    uint8_t text[2 * SEAL_KEY_SIZE + 2], key[SEAL_KEY_SIZE];
    char hex[2 * SEAL_KEY_SIZE + 2];
    size_t n;
    struct err why = { 0 };
    *out = NULL;
    enum eim_err rc = file_read(path, true, text, sizeof text, &n, &why);
    if (rc == E_NOT_FOUND) {
        env->random(env, key, sizeof key);
        slice_hex(slice_of(key, sizeof key), false, hex);
        hex[2 * SEAL_KEY_SIZE] = '\n';
        rc = file_write_new(path, 0600, slice_of(hex, 2 * SEAL_KEY_SIZE + 1), e);
        if (rc == OK) rc = seal_from(out, key, env, e);
    } else if (rc != OK) {
        (void)fail(e, rc, NULL, "%s", why.why);
    } else {
        while (n && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
        if (n != 2 * SEAL_KEY_SIZE || slice_unhex(slice_of(text, n), key, sizeof key) != SEAL_KEY_SIZE)
            rc = fail(e, E_CONF, NULL, "%s: a key of %d hexadecimal digits is expected", path, 2 * SEAL_KEY_SIZE);
        else rc = seal_from(out, key, env, e);
    }
    digest_wipe(text, sizeof text);
    digest_wipe(key, sizeof key);
    digest_wipe(hex, sizeof hex);
    return rc;
}

void seal_free(struct seal *s)
{
    if (!s) return;
    struct arena memory = s->memory;   /* it holds *s too */
    digest_wipe(s, sizeof *s);
    arena_free(&memory);
}

/* One run of the cipher. `text` may be NULL only when n is 0. */
static bool run(const struct seal *s, bool encrypt, const uint8_t *nonce, struct slice about, struct slice in, uint8_t *out, uint8_t tag[TAG])
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    bool good = c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, s->cipher, nonce, encrypt) == 1 &&
                EVP_CipherUpdate(c, NULL, &n, about.p, (int)about.n) == 1 && EVP_CipherUpdate(c, out, &n, in.p, (int)in.n) == 1 &&
                (encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1) && EVP_CipherFinal_ex(c, out + n, &last) == 1 &&
                (!encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    return good;
}

enum eim_err seal_put(const struct seal *s, struct slice text, struct slice about, struct slice *sealed, struct arena *a, struct err *e)
{
    if (!text.n || text.n > INT_MAX / 2 || !about.n || about.n > INT_MAX / 2) return fail(e, E_INVALID, NULL, "nothing to be sealed");
    uint8_t *out = arena_alloc(a, text.n + SEAL_OVERHEAD);
    if (!out) return fail(e, E_NOMEM, NULL, "no room for a sealed text");
    s->env->random(s->env, out, NONCE);
    if (!run(s, true, out, about, text, out + NONCE, out + NONCE + text.n)) return ossl_fail(e, "sealing");
    *sealed = slice_of(out, text.n + SEAL_OVERHEAD);
    return OK;
}

enum eim_err seal_get(const struct seal *s, struct slice sealed, struct slice about, struct slice *text, struct arena *a, struct err *e)
{
    uint8_t tag[TAG];
    if (sealed.n <= SEAL_OVERHEAD || sealed.n > INT_MAX / 2 || !about.n || about.n > INT_MAX / 2)
        return fail(e, E_CRYPTO, NULL, "a sealed text is damaged");
    size_t n = sealed.n - SEAL_OVERHEAD;
    uint8_t *out = arena_alloc(a, n);
    if (!out) return fail(e, E_NOMEM, NULL, "no room for a sealed text");
    memcpy(tag, sealed.p + NONCE + n, TAG);
    if (!run(s, false, sealed.p, about, slice_of(sealed.p + NONCE, n), out, tag)) {
        enum eim_err rc = ossl_fail(e, "opening a sealed text");
        return rc == E_NOMEM ? rc : fail(e, E_CRYPTO, NULL, "a sealed text does not open: another key sealed it, or it is damaged");
    }
    *text = slice_of(out, n);
    return OK;
}

enum eim_err seal_hash(const struct seal *s, struct slice text, uint8_t out[SEAL_HASH], struct err *e)
{
    return digest_hmac_sha256(slice_of(s->hash, sizeof s->hash), text, out, e);
}
