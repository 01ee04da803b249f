/* aes.h -- AES-128 in the two modes that a bound profile package is protected with (SGP.22 2.6.4): CBC without padding, and CMAC.
 *
 * Any thread; nothing here blocks. E_CRYPTO: OpenSSL failed; `out` is then undefined. */
#ifndef CRYPTO_AES_H
#define CRYPTO_AES_H

#include "base/err.h"
#include "base/slice.h"

enum { AES_BLOCK = 16 };

/* aes_cbc -- encrypt or decrypt whole blocks: in.n is a multiple of AES_BLOCK (E_INVALID else), `out` holds as many. */
MUST enum eim_err aes_cbc(bool encrypt, const uint8_t key[AES_BLOCK], const uint8_t iv[AES_BLOCK], struct slice in, uint8_t *out, struct err *e);

/* aes_cmac -- RFC 4493 over the n slices, one after the other. */
MUST enum eim_err aes_cmac(const uint8_t key[AES_BLOCK], const struct slice *spans, size_t n, uint8_t out[AES_BLOCK], struct err *e);

#endif
