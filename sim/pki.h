/* pki.h -- the simulator's own GSMA PKI: a CI, an EUM under it, and the eUICCs' keys and certificates.
 *
 * CI and EUM are shared by a fleet. A device's key is derived from (seed, EID) and its certificate is made when it is
 * asked for, so a device costs no stored key; only the raw signature of its certificate is kept once it exists, because
 * a real card's certificate is always the same bytes. A made or loaded PKI is immutable: any thread may use it. */
#ifndef SIM_PKI_H
#define SIM_PKI_H

#include "crypto/key.h"

enum { SIM_EID = 16, SIM_SKI = 20 };

struct sim_pki {
    enum curve curve;
    int64_t from_us;                   /* start of validity of every certificate */
    struct private_key *ci_key, *eum_key;
    struct slice ci, eum;              /* DER, in `arena` */
    uint8_t ci_ski[SIM_SKI];           /* euiccCiPKId */
    struct arena arena;
};

/* The EIDs of this EUM start with these digits; the certificate's name constraints say so too. */
#define SIM_EID_PREFIX "89049032"
#define SIM_ORG "eimsim EUM"

/* sim_pki_make -- new random CI and EUM keys and their certificates, valid from from_us (microseconds since 1970).
 * E_CRYPTO, E_NOMEM; then *p holds nothing. */
MUST enum eim_err sim_pki_make(struct sim_pki *p, enum curve curve, int64_t from_us, struct err *e);

/* sim_pki_save -- write ci.pem, eum.pem (certificates), ci.key and eum.key (PKCS#8, mode 0600) into an existing folder.
 * E_CONFLICT if one of them exists, E_IO; files written before the failure stay. */
MUST enum eim_err sim_pki_save(const struct sim_pki *p, const char *dir, struct err *e);

/* sim_pki_load -- the inverse. E_IO, E_NOT_FOUND: a file is missing; E_INVALID, E_MALFORMED, E_CHAIN: it is not what it should be. */
MUST enum eim_err sim_pki_load(struct sim_pki *p, const char *dir, struct err *e);

/* The SM-DP+'s three certificates (SGP.22 4.5.2.1.0.3 to 5) and the SM-DS's two, under the CI, with keys of their own. */
enum sim_dp_role { SIM_DP_AUTH, SIM_DP_PB, SIM_DP_TLS, SIM_DS_AUTH, SIM_DS_TLS, SIM_DP_ROLES };
struct sim_dp {
    struct private_key *key[SIM_DP_ROLES];
    struct slice cert[SIM_DP_ROLES];   /* DER, in the arena they were made in */
};
/* sim_pki_dp -- make them for an SM-DP+ with this object identifier (digits), reached as `host` (a name, not an address) and 127.0.0.1. */
MUST enum eim_err sim_pki_dp(const struct sim_pki *p, struct sim_dp *dp, const char *oid, const char *host, struct arena *a, struct err *e);
void sim_dp_free(struct sim_dp *dp);

/* sim_pki_dp_check -- is `cert` issued by the CI, for this role? Then its key (public_key_free it) and, if wanted, its object identifier
 * (content of the OID, borrowed from `cert`); else NULL. Not for TLS. */
struct public_key *sim_pki_dp_check(const struct sim_pki *p, struct slice cert, enum sim_dp_role role, struct slice *oid);

void sim_pki_free(struct sim_pki *p);

/* sim_pki_device_key -- the eUICC's private key (private_key_free it): HMAC-SHA-256 of the EID under the seed. */
MUST enum eim_err sim_pki_device_key(const struct sim_pki *p, uint64_t seed, const uint8_t eid[SIM_EID],
                                     struct private_key **out, struct err *e);

/* sim_pki_device_cert -- the eUICC's certificate, DER in the arena. *made false: a new one, and sig receives its raw
 * signature and *made becomes true; else the same bytes as when `sig` was made. */
MUST enum eim_err sim_pki_device_cert(const struct sim_pki *p, const uint8_t eid[SIM_EID], const struct public_key *key,
                                      uint8_t sig[SIGNATURE_SIZE], bool *made, struct slice *der, struct arena *a,
                                      struct err *e);

/* sim_sig_to_der, sim_sig_to_raw -- between r || s and Ecdsa-Sig-Value. to_raw: false if it is none. */
struct slice sim_sig_to_der(struct arena *a, const uint8_t sig[SIGNATURE_SIZE]);
bool sim_sig_to_raw(struct slice der, uint8_t sig[SIGNATURE_SIZE]);

#endif
