/* world.h -- what all simulated devices share: PKI, operators, limits, and one copy of everything that repeats.
 *
 * A fleet of a million devices holds a million times the same eIM configuration; the world keeps one copy of each
 * byte string (`sim_blob`, found by content) with the public key in it parsed once. Blobs live as long as the world.
 * sim_world_blob may be called from any thread; everything else here is set before the first device runs. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <pthread.h>

#include "base/env.h"
#include "sim/pki.h"

enum {
    SIM_OPERATORS = 32,
    SIM_BLOB_BUCKETS = 4096,
    SIM_WORLD_ARENA = 256 * 1024 * 1024,     /* ceiling of all blobs together */
    SIM_COUNTER_MAX = 0x7FFFFF,              /* SGP.32 2.11.1.1: what every eUICC must handle, and no more here */
    SIM_PACKAGE_MAX = 32 * 1024,             /* bytes of one package; above: sizeOverflow(15) */
    SIM_RESULT_MAX = 32 * 1024,              /* bytes of one result; above: processingTerminated(1) */
};

struct sim_operator {
    const char *name;                  /* serviceProviderName */
    const char *profile_name;
    const char *iccid_prefix;          /* decimal digits; profiles of this operator start with them */
    const char *notification_address;  /* its SM-DP+ */
    uint8_t plmn[3];                   /* TS 24.008 coding, for rPLMN and profileOwner */
};

struct sim_blob {
    struct sim_blob *next;
    uint64_t hash;
    struct slice bytes;
    struct public_key *key;            /* of an eIM configuration: eimPublicKeyData, parsed; else NULL */
};

struct sim_world {
    /* configuration */
    const struct sim_pki *pki;
    struct env *env;
    struct sim_operator operators[SIM_OPERATORS];
    unsigned n_operators;
    int64_t counter_max;
    size_t package_max, result_max;
    const char *root_smds;
    /* state */
    pthread_mutex_t lock;
    struct arena arena;
    struct sim_blob *buckets[SIM_BLOB_BUCKETS];
};

/* sim_world_init -- an empty world with operators A (8949001) and B (8949002) and the limits above.
 * `pki` and `env` are borrowed. */
void sim_world_init(struct sim_world *w, const struct sim_pki *pki, struct env *env);
void sim_world_free(struct sim_world *w);

/* sim_world_blob -- the one copy of these bytes; `key` NULL, or the eIM key that the new copy takes over (and that is
 * freed if the copy exists already). NULL when there is no room; the key is freed then too. */
const struct sim_blob *sim_world_blob(struct sim_world *w, struct slice bytes, struct public_key *key);

/* sim_world_find -- the copy with a key that exists already, or NULL: spares parsing the key of every device's eIM. */
const struct sim_blob *sim_world_find(struct sim_world *w, struct slice bytes);

/* sim_eid_make -- the EID of device `index` of the fleet `seed`: prefix, seed, index, check digits (mod 97 == 1). */
void sim_eid_make(uint64_t seed, uint64_t index, uint8_t eid[SIM_EID]);

/* sim_iccid_make -- 19 digits with Luhn check digit, swapped nibbles: the prefix, five digits of the seed, the index. */
void sim_iccid_make(const char *prefix, uint64_t seed, uint64_t index, uint8_t iccid[10]);

/* sim_iccid_text -- as people write it, without padding; out holds 21 bytes. */
void sim_iccid_text(const uint8_t iccid[10], char out[21]);

/* sim_iccid_read -- digits (up to 20) to the 10 raw bytes; false if there is anything else in them. */
bool sim_iccid_read(const char *digits, uint8_t iccid[10]);

/* sim_mix -- a well-mixed 64-bit number of (seed, n): the simulator's deterministic randomness. */
uint64_t sim_mix(uint64_t seed, uint64_t n);

#endif
