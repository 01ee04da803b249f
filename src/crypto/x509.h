/* x509.h -- for the files of this room only: one parsed certificate, and what is read from it.
 *
 * The struct is OpenSSL's X509 with the received bytes beside it, since signatures are checked over those (invariant I1).
 * Nothing here believes anything: checks are chain.c's business. `what` in errors is the field's name there. */
#ifndef CRYPTO_X509_H
#define CRYPTO_X509_H

#include <openssl/x509v3.h>

#include "crypto/cert.h"

struct cert {
    X509 *x;
    const char *what;                  /* static text: "eumCertificate" ... */
    struct slice der, tbs, sig;        /* borrowed; sig is the DER of the ECDSA signature */
};

/* x509_open -- parse one certificate that is all of `der` and strictly encoded; E_TOO_LARGE, E_MALFORMED.
 * The bytes must outlive it. x509_close frees what it made; harmless on a zeroed one. */
enum eim_err x509_open(struct cert *c, struct slice der, const char *what, struct err *e);
void x509_close(struct cert *c);

/* x509_extension -- the decoded extension of this kind, or NULL in *out if there is none; *critical if it is there.
 * E_CHAIN if it stands there twice or cannot be decoded. The caller frees it with its type's function. */
enum eim_err x509_extension(const struct cert *c, int nid, void **out, bool *critical, struct err *e);

/* x509_key_id -- subject or authority key identifier; *n is 0 if there is none. E_CHAIN if it is
 * longer than CERT_SKI_MAX. */
enum eim_err x509_key_id(const struct cert *c, bool subject, uint8_t out[CERT_SKI_MAX], size_t *n, struct err *e);

/* x509_key -- a new public key. x509_times -- the validity, microseconds since 1970. */
enum eim_err x509_key(const struct cert *c, struct public_key **out, struct err *e);
enum eim_err x509_times(const struct cert *c, int64_t *from_us, int64_t *to_us, struct err *e);

/* x509_signed_by -- does the certificate carry an ecdsa-with-SHA256 signature by this key? E_SIGNATURE else. */
enum eim_err x509_signed_by(const struct cert *c, const struct public_key *issuer, struct err *e);

/* x509_entry_text -- an attribute of a name with a NUL at its end; false if it is longer than cap - 1, holds a NUL, or is
 * no UTF8String, PrintableString or IA5String (of which the bytes can be compared; this PKI has no others). */
bool x509_entry_text(const X509_NAME_ENTRY *entry, char *out, size_t cap);

/* x509_eid -- as cert_eid. */
enum eim_err x509_eid(const struct cert *c, uint8_t eid[16], struct err *e);

#endif
