/* key.h -- elliptic-curve keys on the two curves of SGP.32: NIST P-256 and brainpoolP256r1 (SGP.22 2.6.7).
 *
 * Keys are opaque, hold their own memory and are immutable once made: any number of threads may use one at
 * the same time, and whoever made it frees it once, after the last use. No function here blocks, but the ones
 * with a path read or write files. */
#ifndef CRYPTO_KEY_H
#define CRYPTO_KEY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum curve { CURVE_NONE, CURVE_P256, CURVE_BRAINPOOLP256R1 };

enum {
    POINT_SIZE = 65,                   /* uncompressed: format octet, x, y */
    SCALAR_SIZE = 32,
    SIGNATURE_SIZE = 64,               /* raw r || s, each 32 bytes big-endian (BSI TR-03111) */
    SPKI_MAX = 92,                     /* SubjectPublicKeyInfo of the larger of the two curves */
    KEY_FILE_MAX = 8192,               /* bytes of a key's PEM file */
};

/* curve_name -- "P-256", "brainpoolP256r1" or "none". curve_named -- the inverse; CURVE_NONE if it is neither. */
const char *curve_name(enum curve c);
enum curve curve_named(const char *name);

struct public_key;

/* public_key_parse -- from a complete SubjectPublicKeyInfo in DER with a named curve and an uncompressed point.
 * E_INVALID: another algorithm, curve or encoding, trailing bytes, or a point that is not on the curve. */
MUST enum eim_err public_key_parse(struct public_key **out, struct slice spki, struct err *e);

/* public_key_from_point -- from the 65 bytes of an uncompressed point; errors as public_key_parse. */
MUST enum eim_err public_key_from_point(struct public_key **out, enum curve c, struct slice point, struct err *e);

/* public_key_spki -- the SubjectPublicKeyInfo in DER, at most SPKI_MAX bytes, in the arena. */
MUST enum eim_err public_key_spki(const struct public_key *k, struct slice *spki, struct arena *a, struct err *e);

/* public_key_point -- the uncompressed point, borrowed from the key. */
struct slice public_key_point(const struct public_key *k);

enum curve public_key_curve(const struct public_key *k);
bool public_key_equal(const struct public_key *a, const struct public_key *b);

/* public_key_free -- NULL is harmless. */
void public_key_free(struct public_key *k);

struct private_key;

/* private_key_generate -- a new random key. */
MUST enum eim_err private_key_generate(struct private_key **out, enum curve c, struct err *e);

/* private_key_from_scalar -- the key with this secret number, 32 bytes big-endian, 1 <= d < n; E_INVALID else.
 * For simulators that keep a million keys as 32 bytes each. */
MUST enum eim_err private_key_from_scalar(struct private_key **out, enum curve c, const uint8_t d[SCALAR_SIZE],
                                          struct err *e);

/* private_key_scalar -- the inverse; the caller wipes `d`. */
MUST enum eim_err private_key_scalar(const struct private_key *k, uint8_t d[SCALAR_SIZE], struct err *e);

/* private_key_from_pem -- from unencrypted PEM (PKCS#8 or SEC1). E_INVALID: no such PEM, or another kind of key. */
MUST enum eim_err private_key_from_pem(struct private_key **out, struct slice pem, struct err *e);

/* private_key_load -- from a PEM file that neither group nor others may read or write. Every error names the path:
 * E_NOT_FOUND, E_IO, E_CONF (permissions, no regular file), E_TOO_LARGE (above KEY_FILE_MAX), E_INVALID (no usable key). */
MUST enum eim_err private_key_load(struct private_key **out, const char *path, struct err *e);

/* private_key_save -- as unencrypted PKCS#8 PEM into a new file, mode 0600, durable when this returns OK (file and
 * folder are synced). Never overwrites: E_CONFLICT if the path exists; E_IO else, and no file is left. */
MUST enum eim_err private_key_save(const struct private_key *k, const char *path, struct err *e);

enum curve private_key_curve(const struct private_key *k);

/* private_key_public -- its public half, borrowed from the key. */
const struct public_key *private_key_public(const struct private_key *k);

/* private_key_sign -- ECDSA with SHA-256 over the concatenation of n slices; raw r || s. */
MUST enum eim_err private_key_sign(const struct private_key *k, const struct slice *spans, size_t n,
                                   uint8_t sig[SIGNATURE_SIZE], struct err *e);

/* private_key_agree -- ECKA: the x coordinate of this key times the other's point (BSI TR-03111 4.3.1). E_INVALID: another curve. */
MUST enum eim_err private_key_agree(const struct private_key *k, const struct public_key *other, uint8_t secret[SCALAR_SIZE],
                                    struct err *e);

/* private_key_free -- wipes it; NULL is harmless. */
void private_key_free(struct private_key *k);

#endif
