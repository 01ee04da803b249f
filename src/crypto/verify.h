/* verify.h -- ECDSA-SHA-256 verification over spans of received bytes (invariant I1: nothing is re-encoded).
 *
 * Any thread; does not block. About 90 us on P-256, 500 us on brainpoolP256r1. */
#ifndef CRYPTO_VERIFY_H
#define CRYPTO_VERIFY_H

#include "crypto/key.h"

/* verify_signature -- does `sig` sign the concatenation of the n slices under k?
 * `sig` is raw r || s when it has SIGNATURE_SIZE bytes, else DER (Ecdsa-Sig-Value, strictly encoded).
 * E_SIGNATURE: it does not, or is no signature (wrong length, r or s zero or not below the order).
 * E_CRYPTO: OpenSSL failed; says nothing about the signature. */
MUST enum eim_err verify_signature(const struct public_key *k, const struct slice *spans, size_t n, struct slice sig,
                                   struct err *e);

/* verify_with_token -- the same over tbs || association token TLV, as eUICC results are signed (SGP.32 2.11.2.1)
 * and eIM packages too (2.11.1.1). token is 0 when there is none; a negative one is never signed: E_INVALID. */
MUST enum eim_err verify_with_token(const struct public_key *k, struct slice tbs, int64_t token, struct slice sig,
                                    struct err *e);

#endif
