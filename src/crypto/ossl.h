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

/* ossl_fail -- E_CRYPTO naming the step, with OpenSSL's own reason; empties its error queue, which is the thread's and
 * would confuse the next TLS call. */
enum eim_err ossl_fail(struct err *e, const char *step);

struct public_key {
    enum curve curve;
    EVP_PKEY *pkey;
    uint8_t point[POINT_SIZE];
};

/* ossl_private -- OpenSSL's key inside, borrowed. */
EVP_PKEY *ossl_private(const struct private_key *k);

#endif
