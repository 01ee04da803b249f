/* digest.h -- SHA-256, HMAC-SHA-256, comparison in constant time, and wiping of secrets.
 *
 * Everything here may be called from any thread and does not block. E_CRYPTO means that OpenSSL failed
 * (in practice: no memory); `out` is then undefined. */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "base/err.h"
#include "base/slice.h"

enum { SHA256_SIZE = 32 };

/* digest_sha256 -- SHA-256 of one slice. */
MUST enum eim_err digest_sha256(struct slice in, uint8_t out[SHA256_SIZE], struct err *e);

/* digest_sha256_spans -- SHA-256 of n slices, one after the other. */
MUST enum eim_err digest_sha256_spans(const struct slice *spans, size_t n, uint8_t out[SHA256_SIZE], struct err *e);

/* digest_hmac_sha256 -- RFC 2104 with SHA-256; the key may have any length. */
MUST enum eim_err digest_hmac_sha256(struct slice key, struct slice msg, uint8_t out[SHA256_SIZE], struct err *e);

/* digest_equal -- are the two the same? Takes time that depends on the lengths only, not on the bytes. */
bool digest_equal(struct slice a, struct slice b);

/* digest_wipe -- overwrite a secret; never optimised away. */
void digest_wipe(void *p, size_t n);

#endif
