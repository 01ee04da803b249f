/* cert.h -- certificates of the GSMA PKI: chain check of an eUICC (SGP.22 4.5.2, SGP.32 2.11.2.1), and facts for people.
 *
 * Generic verifiers fail on this PKI (name constraints on an EID prefix, validity to year 7500), so the check is
 * written for the purpose. Certificates are complete DER of at most CERT_MAX bytes without trailing bytes, and come
 * from strangers: every function here may be fed anything. Any thread; only the *_dir function reads files.
 *
 * E_CHAIN says that the chain is refused, E_MALFORMED that some certificate cannot be read; `field` of the error says
 * which one ("eumCertificate", "euiccCertificate", "trust"). */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include "crypto/key.h"

enum {
    CERT_MAX = 4096,                   /* bytes of one certificate */
    CERT_PEM_MAX = 16384,              /* bytes of a PEM file of one certificate */
    CERT_PEM_LIST_MAX = 65536,         /* of several */
    CERT_ROOTS_MAX = 64,               /* most roots in a trust set */
    CERT_NAME_MAX = 512,               /* room for a name for people, with its NUL */
    CERT_SKI_MAX = 32,                 /* bytes of a subject key identifier that we compare */
};

/* A set of CI roots; immutable once made. */
struct cert_trust;

/* cert_trust_load_dir -- every *.pem, *.crt, *.cer and *.der file of a folder, one root each, PEM or DER.
 * A missing folder is an empty set. A file that is no self-signed CA certificate fails the call and is named (E_CONF);
 * an expired root is loaded (the chain check refuses it by name). E_LIMIT: more than CERT_ROOTS_MAX; else what file_read
 * says of a file that cannot be read. */
MUST enum eim_err cert_trust_load_dir(struct cert_trust **out, const char *dir, struct err *e);

/* cert_trust_from -- the same from memory (DER); the bytes are copied. */
MUST enum eim_err cert_trust_from(struct cert_trust **out, const struct slice *roots, size_t n, struct err *e);

size_t cert_trust_count(const struct cert_trust *t);
/* cert_trust_root -- the i-th root's DER, borrowed from the set. */
struct slice cert_trust_root(const struct cert_trust *t, size_t i);
/* cert_trust_free -- NULL is harmless. */
void cert_trust_free(struct cert_trust *t);

/* cert_check_euicc -- is `euicc` the certificate of the eUICC `eid`, under `eum`, under a root of `t`, at time now_us?
 *
 * On OK *key is a new public key of the eUICC (public_key_free it). On failure *key is NULL, and `why` says which of
 * these does not hold, among others in the words "not issued by this CI", "EUM certificate expired",
 * "EID outside EUM nameConstraints", "organisation outside EUM nameConstraints", "certificate belongs to another EID":
 *   root   a CA (basicConstraints, keyCertSign), in its validity, found by the EUM's issuer name and authorityKeyIdentifier
 *   EUM    signed by the root, CA with pathLen 0, keyCertSign, policy 2.23.146.1.2.1.2, critical nameConstraints
 *   eUICC  signed by the EUM, digitalSignature, no CA, policy 2.23.146.1.2.1.1, serialNumber = EID, names permitted
 *   both   in their validity (UTC, to the second), no critical extension that is not checked here */
MUST enum eim_err cert_check_euicc(const struct cert_trust *t, struct slice eum, struct slice euicc, const uint8_t eid[16],
                                   int64_t now_us, struct public_key **key, struct err *e);

/* cert_eid -- the EID in the subject's serialNumber; E_CHAIN if there is none of 32 digits. Checks nothing else. */
MUST enum eim_err cert_eid(struct slice euicc_cert, uint8_t eid[16], struct err *e);

/* cert_registered_id -- does the certificate name this object identifier (dotted text) among its subject's alternative names? That is how
 * SM-DP+ carry theirs. Checks nothing else. */
bool cert_registered_id(struct slice cert, struct slice oid);
/* cert_registered_oid -- the first such object identifier, as the content of its DER, at most `room` octets; returns how many, 0: there is none. */
size_t cert_registered_oid(struct slice cert, uint8_t *out, size_t room);

/* cert_public_key -- the key in a certificate (public_key_free it); E_CHAIN if it is of another kind. Proves nothing. */
MUST enum eim_err cert_public_key(struct public_key **out, struct slice cert, struct err *e);

/* cert_subject, cert_issuer -- names for people, RFC 2253 order and escaping, cut at CERT_NAME_MAX; never for comparing. */
MUST enum eim_err cert_subject(struct slice cert, char out[CERT_NAME_MAX], struct err *e);
MUST enum eim_err cert_issuer(struct slice cert, char out[CERT_NAME_MAX], struct err *e);

/* cert_ski, cert_aki -- subject or authority key identifier (euiccCiPKId is the SKI of a CI); *n bytes in out.
 * E_CHAIN if there is none or it is longer than CERT_SKI_MAX. */
MUST enum eim_err cert_ski(struct slice cert, uint8_t out[CERT_SKI_MAX], size_t *n, struct err *e);
MUST enum eim_err cert_aki(struct slice cert, uint8_t out[CERT_SKI_MAX], size_t *n, struct err *e);

/* cert_validity -- first and last moment, microseconds since 1970, UTC. */
MUST enum eim_err cert_validity(struct slice cert, int64_t *from_us, int64_t *to_us, struct err *e);

/* cert_check_root -- is this a self-signed CA certificate, fit to be a trust root? Its validity is not looked at. */
MUST enum eim_err cert_check_root(struct slice cert, struct err *e);

/* cert_read -- one certificate given as PEM or DER text (as a file holds it) to DER in the arena, parsed once to see
 * that it is one. E_MALFORMED, E_TOO_LARGE. */
MUST enum eim_err cert_read(struct slice pem_or_der, struct slice *der, struct arena *a, struct err *e);

/* cert_pem_has -- is the certificate `der` one of those that this PEM text holds, octet for octet? What stands there beside is passed over. */
bool cert_pem_has(struct slice pem, struct slice der);

/* cert_to_pem -- DER to PEM text in the arena. */
MUST enum eim_err cert_to_pem(struct slice der, struct slice *pem, struct arena *a, struct err *e);

#endif
