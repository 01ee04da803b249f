/* ossl.h -- for the files of this room only: what OpenSSL makes us fetch once, and its errors in our words. */
#ifndef CRYPTO_OSSL_H
#define CRYPTO_OSSL_H

#include <openssl/evp.h>

#include "crypto/key.h"

/* Fetching an algorithm by name costs microseconds and a lock in OpenSSL 3, and decoding a SubjectPublicKeyInfo 200 us;
 * so digests are fetched and one pattern key per curve is made once in the life of the process. Constant afterwards. */
struct ossl {
    EVP_MD *sha256;
    struct ossl_curve {
        EVP_PKEY *pattern;             /* a public key on the curve; copies of it get the point that is wanted */
        uint8_t spki[SPKI_MAX];        /* the bytes of a SubjectPublicKeyInfo before the point */
        size_t spki_n;
    } curve[3];                        /* by enum curve */
};

/* ossl -- the constants above, made at the first call (any thread); NULL if OpenSSL fails at that. */
const struct ossl *ossl(void);

/* ossl_group -- OpenSSL's name of the curve. */
const char *ossl_group(enum curve c);

/* OpenSSL's error queue belongs to the thread and would confuse the next TLS call there, so every call that may have
 * filled it ends in one of these two, which empty it. */

/* ossl_fail -- E_NOMEM when memory was what lacked, else E_CRYPTO with OpenSSL's reason; both name the step. */
enum eim_err ossl_fail(struct err *e, const char *step);

/* ossl_no_memory -- was it memory that lacked? Then input that could not be read is not to blame. */
bool ossl_no_memory(void);

struct public_key {
    enum curve curve;
    EVP_PKEY *pkey;
    uint8_t point[POINT_SIZE];
};

/* ossl_private -- OpenSSL's key inside, borrowed. */
EVP_PKEY *ossl_private(const struct private_key *k);

#endif
