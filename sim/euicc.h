/* euicc.h -- a software eUICC: SGP.32 v1.2 as sgp32.md tells it, with real keys and signatures.
 *
 * Everything goes through ES10b, one request TLV in and one response TLV out, as an IPA would do it. A card is small
 * (well under a kilobyte while nothing is stored) and belongs to one thread at a time; its world is shared. Memory it
 * grows by is that of stored results and notifications, which are gone when they are removed. */
#ifndef SIM_EUICC_H
#define SIM_EUICC_H

#include "base/arena.h"
#include "base/buf.h"
#include "sim/quirk.h"
#include "sim/world.h"

enum {
    SIM_PROFILES = 8,
    SIM_EIMS = 4,
    SIM_STORED_MAX = 64 * 1024,        /* bytes of stored results and notifications; beyond, the oldest go, notifications first */
    SIM_NO_PROFILE = -1,
    SIM_NO_TOKEN = -1,
};

enum sim_profile_flag {
    SIM_ENABLED = 1, SIM_FALLBACK_ATTRIBUTE = 2, SIM_FALLBACK_ALLOWED = 4, SIM_EMERGENCY = 8, SIM_PRELOADED = 16, SIM_USED = 32
};
enum sim_ppr { SIM_PPR_UPDATE = 1, SIM_PPR1 = 2, SIM_PPR2 = 4 };          /* bits of PprIds: 1 no disabling, 2 no deletion */
enum sim_class { SIM_TEST = 0, SIM_PROVISIONING = 1, SIM_OPERATIONAL = 2 };

struct sim_profile {
    uint8_t iccid[10];
    uint8_t operator_;                 /* row of the world's operators */
    uint8_t class_;                    /* enum sim_class */
    uint8_t ppr;                       /* enum sim_ppr bits */
    uint8_t flags;                     /* enum sim_profile_flag bits */
};

struct sim_eim {
    const struct sim_blob *config;     /* EimConfigurationData without counterValue and associationToken; its key parsed */
    int64_t counter;                   /* the last one accepted */
    int64_t token;                     /* SIM_NO_TOKEN: none */
};

struct sim_euicc {
    /* configuration */
    struct sim_world *world;
    uint64_t seed;                     /* its key is derived from this and the EID */
    uint64_t quirks;                   /* SIM_Q bits; the card looks at its own, the IPA at the others */
    uint8_t eid[SIM_EID];
    /* state */
    struct sim_profile profiles[SIM_PROFILES];       /* slots; free ones lack SIM_USED */
    struct sim_eim eims[SIM_EIMS];
    uint8_t n_eims;
    bool ecall;                        /* the emergency profile is enabled */
    bool immediate;                    /* immediate enabling is configured */
    bool cert_made;
    int8_t rollback_to;                /* slot to go back to, or SIM_NO_PROFILE: no right to roll back */
    int8_t fallback_from;              /* slot that was enabled when the fallback mechanism was executed */
    int8_t emergency_from;             /* slot that was enabled when the emergency profile was */
    int8_t fresh;                      /* slot of a profile just installed by a download session, for ImmediateEnable */
    uint32_t rollback_seq;             /* sequence number of the result that granted it */
    uint32_t next_seq;                 /* one counter for results and notifications */
    uint32_t last_token;               /* one allocator for all eIMs */
    uint32_t checks;                   /* statistics: signatures of eIMs that were verified, well or badly */
    const struct sim_blob *default_dp; /* default SM-DP+ address, or NULL */
    const struct sim_blob *immediate_config;         /* fields of ConfigureImmediateEnable, or NULL */
    struct card_session *session;      /* a download session with an SM-DP+, or NULL; see profile.c */
    struct buf stored;                 /* results and notifications, see store.c */
    struct private_key *key;           /* made when needed, dropped by sim_euicc_rest */
    uint8_t cert_sig[SIGNATURE_SIZE];
};

/* sim_euicc_init -- a card without profiles and eIMs. `world` is borrowed and outlives it. */
void sim_euicc_init(struct sim_euicc *c, struct sim_world *world, uint64_t seed, const uint8_t eid[SIM_EID]);
/* sim_euicc_rest -- drop what can be made again (the private key). Between two contacts of a fleet's device. */
void sim_euicc_rest(struct sim_euicc *c);
/* sim_euicc_free -- give back all memory. */
void sim_euicc_free(struct sim_euicc *c);

/* sim_euicc_install -- put a profile into a free slot (copied; SIM_USED is set by itself). The slot, or -1: full.
 * With SIM_ENABLED the caller sees to it that it is the only one. Makes no notification. */
int sim_euicc_install(struct sim_euicc *c, const struct sim_profile *p);
/* sim_euicc_enabled -- slot of the enabled profile, or SIM_NO_PROFILE. */
int sim_euicc_enabled(const struct sim_euicc *c);
/* sim_euicc_find -- slot of the profile with this ICCID (10 raw bytes), or SIM_NO_PROFILE. */
int sim_euicc_find(const struct sim_euicc *c, struct slice iccid);

/* sim_euicc_public -- the card's public key, borrowed until sim_euicc_rest; NULL if it could not be made. */
const struct public_key *sim_euicc_public(struct sim_euicc *c);
/* sim_euicc_cert -- the card's certificate, DER in the arena; tlv_bad if it could not be made. */
struct slice sim_euicc_cert(struct sim_euicc *c, struct arena *a);

/* sim_euicc_es10b -- one ES10b command: the response TLV, in the arena. Empty: the card does not know the function
 * (or the request is damaged where the function has no answer for that); {NULL, SIZE_MAX}: the simulator itself is out
 * of memory or a cryptographic operation failed. Functions: sgp32.md 2.14. */
struct slice sim_euicc_es10b(struct sim_euicc *c, struct slice request, struct arena *a);

#endif
