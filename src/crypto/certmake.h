/* certmake.h -- making certificates: the server's own TLS certificate, and CI, EUM and eUICC of the simulator.
 *
 * One struct says all that can be in them, so tests can make flawed ones; the four presets fill it as the
 * specifications want it. Any thread; does not block. The result is DER in the arena. Serial numbers are made from the
 * content (first bytes of its SHA-256), so no randomness is needed but that of the signature. */
#ifndef CRYPTO_CERTMAKE_H
#define CRYPTO_CERTMAKE_H

#include "crypto/cert.h"

enum { CERTMAKE_NAMES = 32 };          /* most DNS names, and most addresses, in one certificate */

/* key usage, in the order of RFC 5280 4.2.1.3 */
enum certmake_usage { CERTMAKE_DIGITAL_SIGNATURE = 1, CERTMAKE_KEY_CERT_SIGN = 2, CERTMAKE_CRL_SIGN = 4 };

struct certmake {
    const char *country, *org, *cn, *serial_number;    /* subject; NULL: left out. At least one is given; CN up to 64 */
    int64_t from_us, to_us;            /* validity, microseconds since 1970; up to the end of year 9999 */
    bool basic_constraints, ca;        /* basicConstraints (critical) present; its CA flag */
    int path_len;                      /* with ca: pathLenConstraint, or -1 for none */
    unsigned usage;                    /* certmake_usage bits, critical; 0: no keyUsage */
    const char *policy;                /* certificatePolicies (critical): one OID in digits, or NULL */
    const char *permit_org, *permit_prefix;            /* nameConstraints (critical): directoryName {O, serialNumber} */
    bool server_auth;                  /* extendedKeyUsage serverAuth */
    const char *const *dns;            /* subjectAltName */
    size_t dns_n;
    const char *const *ip;             /* numeric IPv4 or IPv6 */
    size_t ip_n;
    const char *registered_id;         /* subjectAltName too: an OID in digits, as SM-DP+ carry theirs, or NULL */
    const char *extra_critical;        /* for tests: one more critical extension with this OID, or NULL */
};

/* certmake_sign -- make it for `subject`, signed by `key`. `issuer` is the issuer's certificate, empty for a self-signed
 * one. E_INVALID: a value that cannot stand in a certificate. */
MUST enum eim_err certmake_sign(struct slice *der, const struct certmake *m, const struct public_key *subject,
                                const struct private_key *key, struct slice issuer, struct arena *a, struct err *e);

/* certmake_tls -- self-signed, its own trust anchor: serverAuth, digitalSignature, SAN, CA:FALSE. */
MUST enum eim_err certmake_tls(struct slice *der, const struct private_key *key, const char *cn, const char *const *dns,
                               size_t dns_n, const char *const *ip, size_t ip_n, int64_t from_us, int64_t to_us,
                               struct arena *a, struct err *e);

/* certmake_ci -- a GSMA root (SGP.22 4.5.2.1.0.1): self-signed CA with policy 2.23.146.1.2.1.0, to year 7496. */
MUST enum eim_err certmake_ci(struct slice *der, const struct private_key *key, const char *org, const char *cn,
                              int64_t from_us, struct arena *a, struct err *e);

/* certmake_eum -- an eUICC manufacturer's CA under it, allowed to name eUICCs of `org` whose EID starts with eid_prefix. */
MUST enum eim_err certmake_eum(struct slice *der, const struct public_key *subject, const char *org, const char *cn,
                               const char *eid_prefix, int64_t from_us, const struct private_key *ci_key, struct slice ci,
                               struct arena *a, struct err *e);

/* certmake_euicc -- an eUICC's certificate under it. `org` must be the EUM's permitted one for the chain to hold. */
MUST enum eim_err certmake_euicc(struct slice *der, const struct public_key *subject, const char *org, const char *cn,
                                 const uint8_t eid[16], int64_t from_us, const struct private_key *eum_key, struct slice eum,
                                 struct arena *a, struct err *e);

#endif
