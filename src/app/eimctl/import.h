/* import.h -- where an import stands, kept beside the file so that it can go on after any interruption. */
#ifndef EIMCTL_IMPORT_H
#define EIMCTL_IMPORT_H

#include "app/eimctl/ctl.h"
#include "crypto/digest.h"

/* The digest of everything read so far, whatever the sizes of the pieces: a chain over blocks of fixed size. */
struct import_digest {
    uint8_t chain[SHA256_SIZE];
    uint8_t block[65536];
    size_t n;
    bool failed;                       /* OpenSSL failed: there is no value any more */
};
void import_digest_add(struct import_digest *d, struct slice bytes);
/* import_digest_hex -- its value now, 64 digits and a NUL. E_CRYPTO. */
MUST enum eim_err import_digest_hex(const struct import_digest *d, char out[2 * SHA256_SIZE + 1], struct err *e);

/* Everything before `offset` was sent, answered and reported. */
struct import_state {
    int64_t offset, line;
    int64_t enrolled, existing, refused;
    int64_t rejected_size;             /* octets of FILE.rejected that belong to it */
    bool done;
};

/* import_state_save -- replace `path` durably. */
MUST enum eim_err import_state_save(struct ctl *c, const char *path, const struct import_state *s, const struct import_digest *d,
                                    struct err *e);

/* import_state_load -- E_NOT_FOUND: there is none. E_CONFLICT: it belongs to another server. E_STALE: the open file is not the
 * one that was read (digest, size). E_MALFORMED, E_IO. On OK *d holds the digest up to s->offset. */
MUST enum eim_err import_state_load(struct ctl *c, const char *path, int fd, struct import_state *s, struct import_digest *d,
                                    struct err *e);

#endif
