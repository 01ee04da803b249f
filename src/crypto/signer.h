/* signer.h -- where the keys live that sign eUICC packages (SGP.32 2.11.1.1).
 *
 * It takes arrays of requests because a signer may be another process or an HSM, where one call is one round
 * trip. The one here holds PEM files in memory. Any thread may use a signer at the same time as others. */
#ifndef CRYPTO_SIGNER_H
#define CRYPTO_SIGNER_H

#include "crypto/key.h"

enum {
    SIGNER_KEYS = 1024,                /* most key files in a folder */
    SIGNER_NAME_MAX = 64,              /* bytes of a key's name */
};

struct sign_request {
    const char *key;                   /* name of the key: keys/NAME.pem */
    struct slice tbs;                  /* EuiccPackageSigned, the complete TLV as it will be sent */
    int64_t token;                     /* association token, 0 when there is none; never negative */
    uint8_t sig[SIGNATURE_SIZE];       /* out: raw r || s over tbs || token TLV */
    int64_t highest;                   /* out, with E_REPLAY: the counter that a package must exceed; only signers that remember know it */
    enum eim_err rc;                   /* out: OK, E_NOT_FOUND (no such key), E_INVALID (token), E_CRYPTO; of vault/client.h more */
};

/* A signer is a table of functions, so that an HSM, a child process or a test's failing signer can stand
 * behind the same calls. An implementation's own struct starts with this one. */
struct signer {
    const struct signer_ops *ops;
};

struct signer_ops {
    enum eim_err (*sign)(struct signer *s, struct sign_request *r, size_t n, struct err *e);
    enum eim_err (*public)(struct signer *s, const char *key, struct slice *spki, enum curve *curve, struct arena *a,
                           struct err *e);
    bool (*name)(struct signer *s, size_t i, char name[SIGNER_NAME_MAX + 1]);
    void (*close)(struct signer *s);
};

/* signer_open_dir -- load every NAME.pem of a folder, once; other files are left alone.
 * NAME is 1 to 64 of letters, digits, '.', '_', '-'. The first file that is unreadable, too large, readable by group or
 * others, or no P-256 or brainpoolP256r1 key fails the whole call and is named; codes as private_key_load.
 * A missing folder is E_IO, an empty one is a signer without keys. Reads files: not on a loop thread. */
MUST enum eim_err signer_open_dir(struct signer **out, const char *dir, struct err *e);

/* signer_close -- wipes the keys; NULL is harmless. */
void signer_close(struct signer *s);

/* signer_sign -- sign n requests. Each r[i].rc says how it went; all are tried.
 * Returns OK if all are OK, else the code of the first that is not (which e describes). */
MUST enum eim_err signer_sign(struct signer *s, struct sign_request *r, size_t n, struct err *e);

/* signer_public -- the SubjectPublicKeyInfo (DER, in the arena) and curve of a key; spki or curve may be NULL.
 * E_NOT_FOUND: no such key. */
MUST enum eim_err signer_public(struct signer *s, const char *key, struct slice *spki, enum curve *curve, struct arena *a,
                                struct err *e);

/* signer_name -- the name of key number i, from 0 on; false: there are no more. */
bool signer_name(struct signer *s, size_t i, char name[SIGNER_NAME_MAX + 1]);

/* signer_lock_memory -- from now on private keys of this process lie in memory that is neither swapped nor dumped, with guard pages around it. Once, before
 * the first key and the first thread. E_LIMIT: the machine does not let us lock so much; keys are kept out of dumps all the same. */
MUST enum eim_err signer_lock_memory(struct err *e);

/* signer_generate -- a new random key in a new PKCS#8 PEM file; errors as private_key_save. */
MUST enum eim_err signer_generate(const char *path, enum curve c, struct err *e);

#endif
