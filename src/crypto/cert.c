/* cert.c -- one certificate: parsed strictly, and the facts that can be read from it. */
#include "crypto/cert.h"

#include <limits.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/env.h"
#include "crypto/ossl.h"
#include "crypto/verify.h"
#include "crypto/x509.h"

static const char clause[] = "SGP.22 4.5.2";

/* The received bytes under the signature: the first element of the outer SEQUENCE. x509_open has seen that the whole is
 * canonical DER, so OpenSSL's header reader cannot be led astray here; its bounds are checked all the same. */
static bool find_tbs(struct slice der, struct slice *tbs)
{
    const uint8_t *p = der.p;
    long n = 0;
    int tag, class;
    if (ASN1_get_object(&p, &n, &tag, &class, (long)der.n) & 0x80) return false;
    const uint8_t *inner = p;
    long rest = (long)(der.n - (size_t)(p - der.p));
    if (n > rest || ASN1_get_object(&p, &n, &tag, &class, rest) & 0x80) return false;
    *tbs = (struct slice){ inner, (size_t)(p - inner) + (size_t)n };
    return tbs->n <= (size_t)rest;
}

enum eim_err x509_open(struct cert *c, struct slice der, const char *what, struct err *e)
{
    *c = (struct cert){ .what = what, .der = der };
    if (der.n > CERT_MAX) return fail_field(e, E_TOO_LARGE, clause, what, "certificate of more than %d bytes", CERT_MAX);
    const uint8_t *p = der.p;
    c->x = der.n ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    bool memory = ossl_no_memory();    /* also after success: a key that OpenSSL does not know leaves errors behind */
    if (memory) {
        x509_close(c);
        return fail_field(e, E_NOMEM, NULL, what, "no memory for a certificate");
    }
    if (!c->x) return fail_field(e, E_MALFORMED, clause, what, "not a certificate in DER");
    /* OpenSSL reads BER; writing it again (the signed part comes from its copy) shows whether it was DER. */
    uint8_t *again = NULL;
    int n = i2d_X509(c->x, &again);
    bool same = n > 0 && slice_eq(der, (struct slice){ again, (size_t)n });
    OPENSSL_free(again);
    const ASN1_BIT_STRING *sig;
    X509_get0_signature(&sig, NULL, c->x);
    same = same && find_tbs(der, &c->tbs) && (sig->flags & 7) == 0;
    memory = ossl_no_memory();
    if (!same) {
        x509_close(c);
        if (memory) return fail_field(e, E_NOMEM, NULL, what, "no memory for a certificate");
        return fail_field(e, E_MALFORMED, clause, what, "certificate is not strict DER, or has trailing bytes");
    }
    c->sig = (struct slice){ sig->data, (size_t)sig->length };
    return OK;
}

void x509_close(struct cert *c)
{
    X509_free(c->x);
    c->x = NULL;
}

enum eim_err x509_extension(const struct cert *c, int nid, void **out, bool *critical, struct err *e)
{
    int crit = -1;
    *out = X509_get_ext_d2i(c->x, nid, &crit, NULL);
    if (critical) *critical = crit == 1;
    bool memory = ossl_no_memory();
    if (*out || crit == -1) return OK;
    if (memory) return fail_field(e, E_NOMEM, NULL, c->what, "no memory for a certificate");
    return fail_field(e, E_CHAIN, clause, c->what, "%s extension %s", crit == -2 ? "repeated" : "broken", OBJ_nid2sn(nid));
}

enum eim_err x509_key_id(const struct cert *c, bool subject, uint8_t out[CERT_SKI_MAX], size_t *n, struct err *e)
{
    void *ext;
    *n = 0;
    TRY(x509_extension(c, subject ? NID_subject_key_identifier : NID_authority_key_identifier, &ext, NULL, e));
    if (!ext) return OK;
    const ASN1_OCTET_STRING *id = subject ? ext : ((const AUTHORITY_KEYID *)ext)->keyid;
    enum eim_err rc = OK;
    if (id && id->length > CERT_SKI_MAX)
        rc = fail_field(e, E_CHAIN, clause, c->what, "key identifier of more than %d bytes", CERT_SKI_MAX);
    else if (id && id->length > 0) memcpy(out, id->data, *n = (size_t)id->length);
    if (subject) ASN1_OCTET_STRING_free(ext);
    else AUTHORITY_KEYID_free(ext);
    return rc;
}

enum eim_err x509_key(const struct cert *c, struct public_key **out, struct err *e)
{
    *out = NULL;
    uint8_t *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &spki);
    struct err why = { 0 };
    enum eim_err rc = n > 0 ? public_key_parse(out, (struct slice){ spki, (size_t)n }, &why)
                            : ossl_fail(&why, "reading a key");
    OPENSSL_free(spki);
    if (rc == E_INVALID)
        return fail_field(e, E_CHAIN, clause, c->what, "public key is not a sound one on P-256 or brainpoolP256r1");
    return rc == OK ? OK : fail_field(e, rc, clause, c->what, "%s", why.why);
}

/* UTCTime YYMMDDHHMMSSZ (1950 to 2049) or GeneralizedTime YYYYMMDDHHMMSSZ, as RFC 5280 4.1.2.5 allows them. */
static bool time_us(const ASN1_TIME *t, int64_t *us)
{
    const char *s = (const char *)ASN1_STRING_get0_data(t);
    int n = ASN1_STRING_length(t), type = ASN1_STRING_type(t);
    if (!(type == V_ASN1_UTCTIME && n == 13) && !(type == V_ASN1_GENERALIZEDTIME && n == 15)) return false;
    for (int i = 0; i < n - 1; i++)
        if (s[i] < '0' || s[i] > '9') return false;
    char year[5] = "", iso[32];
    if (n == 15) {
        memcpy(year, s, 4);
        s += 4;
    } else {
        memcpy(year, s[0] >= '5' ? "19" : "20", 2);
        memcpy(year + 2, s, 2);
        s += 2;
    }
    snprintf(iso, sizeof iso, "%s-%.2s-%.2sT%.2s:%.2s:%.2s%.1s", year, s, s + 2, s + 4, s + 6, s + 8, s + 10);
    return s[10] == 'Z' && env_parse_rfc3339(iso, us) == 0;
}

enum eim_err x509_times(const struct cert *c, int64_t *from_us, int64_t *to_us, struct err *e)
{
    if (time_us(X509_get0_notBefore(c->x), from_us) && time_us(X509_get0_notAfter(c->x), to_us)) return OK;
    return fail_field(e, E_CHAIN, "RFC 5280 4.1.2.5", c->what, "validity is not in UTC from 1970 on");
}

enum eim_err x509_signed_by(const struct cert *c, const struct public_key *issuer, struct err *e)
{
    const X509_ALGOR *outer, *inner = X509_get0_tbs_sigalg(c->x);
    X509_get0_signature(NULL, &outer, c->x);
    if (X509_ALGOR_cmp(outer, inner) != 0 || OBJ_obj2nid(outer->algorithm) != NID_ecdsa_with_SHA256)
        return fail_field(e, E_SIGNATURE, clause, c->what, "signature algorithm is not ecdsa-with-SHA256");
    struct err why = { 0 };
    /* In a certificate it is always DER: 64 bytes, which verify_signature takes as raw, are refused. */
    enum eim_err rc = c->sig.n == SIGNATURE_SIZE ? fail(&why, E_SIGNATURE, clause, "signature is not DER")
                                                 : verify_signature(issuer, &c->tbs, 1, c->sig, &why);
    return rc == OK ? OK : fail_field(e, rc, clause, c->what, "%s", why.why);
}

bool x509_entry_text(const X509_NAME_ENTRY *entry, char *out, size_t cap)
{
    const ASN1_STRING *s = X509_NAME_ENTRY_get_data(entry);
    int type = ASN1_STRING_type(s), n = ASN1_STRING_length(s);
    const uint8_t *p = ASN1_STRING_get0_data(s);
    bool utf8 = type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING;
    if (!utf8 || n < 0 || (size_t)n >= cap || (n && memchr(p, 0, (size_t)n))) return false;
    if (n) memcpy(out, p, (size_t)n);
    out[n] = 0;
    return true;
}

enum eim_err x509_eid(const struct cert *c, uint8_t eid[16], struct err *e)
{
    const X509_NAME *subject = X509_get_subject_name(c->x);
    int at = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);
    char text[33];
    if (at >= 0 && X509_NAME_get_index_by_NID(subject, NID_serialNumber, at) < 0 &&
        x509_entry_text(X509_NAME_get_entry(subject, at), text, sizeof text) && strspn(text, "0123456789") == 32 &&
        slice_unhex(slice_str(text), eid, 16) == 16)
        return OK;
    return fail_field(e, E_CHAIN, clause, c->what, "subject has no EID as its serialNumber");
}

/* ---- the calls of cert.h that read one certificate ---- */

enum eim_err cert_eid(struct slice euicc_cert, uint8_t eid[16], struct err *e)
{
    struct cert c;
    TRY(x509_open(&c, euicc_cert, "euiccCertificate", e));
    enum eim_err rc = x509_eid(&c, eid, e);
    x509_close(&c);
    return rc;
}

bool cert_registered_id(struct slice cert, struct slice oid)
{
    enum { OID_TEXT = 256 };
    struct cert c;
    bool critical, found = false;
    void *names = NULL;
    struct err e = { 0 };
    if (x509_open(&c, cert, "certificate", &e) != OK) return false;
    if (x509_extension(&c, NID_subject_alt_name, &names, &critical, &e) != OK) names = NULL;
    for (int i = 0; names && !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        char text[OID_TEXT];
        if (n->type != GEN_RID) continue;
        int len = OBJ_obj2txt(text, sizeof text, n->d.registeredID, 1);
        found = len > 0 && len < OID_TEXT && slice_eq(slice_of(text, (size_t)len), oid);
    }
    GENERAL_NAMES_free(names);
    x509_close(&c);
    ERR_clear_error();
    return found;
}

size_t cert_registered_oid(struct slice cert, uint8_t *out, size_t room)
{
    struct cert c;
    bool critical;
    size_t n = 0;
    void *names = NULL;
    struct err e = { 0 };
    if (x509_open(&c, cert, "certificate", &e) != OK) return 0;
    if (x509_extension(&c, NID_subject_alt_name, &names, &critical, &e) != OK) names = NULL;
    for (int i = 0; names && !n && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_RID || OBJ_length(name->d.registeredID) > room) continue;
        n = OBJ_length(name->d.registeredID);
        memcpy(out, OBJ_get0_data(name->d.registeredID), n);
    }
    GENERAL_NAMES_free(names);
    x509_close(&c);
    ERR_clear_error();
    return n;
}

enum eim_err cert_public_key(struct public_key **out, struct slice cert, struct err *e)
{
    struct cert c;
    *out = NULL;
    TRY(x509_open(&c, cert, "certificate", e));
    enum eim_err rc = x509_key(&c, out, e);
    x509_close(&c);
    return rc;
}

static enum eim_err name_text(struct slice cert, bool subject, char out[CERT_NAME_MAX], struct err *e)
{
    struct cert c;
    TRY(x509_open(&c, cert, "certificate", e));
    const X509_NAME *name = subject ? X509_get_subject_name(c.x) : X509_get_issuer_name(c.x);
    BIO *bio = BIO_new(BIO_s_mem());
    int n = bio ? X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) : -1;
    n = n >= 0 ? BIO_read(bio, out, CERT_NAME_MAX - 1) : -1;
    out[n > 0 ? n : 0] = 0;            /* an empty name reads as nothing */
    BIO_free(bio);
    x509_close(&c);
    ERR_clear_error();
    return bio ? OK : ossl_fail(e, "printing a name");
}

enum eim_err cert_subject(struct slice cert, char out[CERT_NAME_MAX], struct err *e)
{
    return name_text(cert, true, out, e);
}

enum eim_err cert_issuer(struct slice cert, char out[CERT_NAME_MAX], struct err *e)
{
    return name_text(cert, false, out, e);
}

static enum eim_err key_id(struct slice cert, bool subject, uint8_t out[CERT_SKI_MAX], size_t *n, struct err *e)
{
    struct cert c;
    TRY(x509_open(&c, cert, "certificate", e));
    enum eim_err rc = x509_key_id(&c, subject, out, n, e);
    if (rc == OK && *n == 0)
        rc = fail_field(e, E_CHAIN, clause, c.what, "no %sKeyIdentifier", subject ? "subject" : "authority");
    x509_close(&c);
    return rc;
}

enum eim_err cert_ski(struct slice cert, uint8_t out[CERT_SKI_MAX], size_t *n, struct err *e)
{
    return key_id(cert, true, out, n, e);
}

enum eim_err cert_aki(struct slice cert, uint8_t out[CERT_SKI_MAX], size_t *n, struct err *e)
{
    return key_id(cert, false, out, n, e);
}

enum eim_err cert_validity(struct slice cert, int64_t *from_us, int64_t *to_us, struct err *e)
{
    struct cert c;
    TRY(x509_open(&c, cert, "certificate", e));
    enum eim_err rc = x509_times(&c, from_us, to_us, e);
    x509_close(&c);
    return rc;
}

enum eim_err cert_read(struct slice text, struct slice *der, struct arena *a, struct err *e)
{
    struct cert c;
    if (text.n > CERT_PEM_MAX) return fail(e, E_TOO_LARGE, NULL, "certificate file of more than %d bytes", CERT_PEM_MAX);
    char *name = NULL, *header = NULL;
    uint8_t *data = NULL;
    long n = 0;
    BIO *bio = memmem(text.p, text.n, "-----BEGIN ", 11) ? BIO_new_mem_buf(text.p, (int)text.n) : NULL;
    bool pem = bio && PEM_read_bio(bio, &name, &header, &data, &n) == 1 && strcmp(name, PEM_STRING_X509) == 0 && n >= 0;
    ERR_clear_error();
    struct slice bytes = pem ? (struct slice){ data, (size_t)n } : text;
    enum eim_err rc = x509_open(&c, bytes, "certificate", e);
    if (rc == OK) {
        *der = arena_copy(a, bytes);
        if (!der->p) rc = fail(e, E_NOMEM, NULL, "no room for a certificate");
        x509_close(&c);
    }
    BIO_free(bio);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return rc;
}

bool cert_pem_has(struct slice pem, struct slice der)
{
    BIO *bio = pem.n && pem.n <= CERT_PEM_LIST_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    char *name, *header;
    uint8_t *data;
    long n;
    bool found = false;
    while (bio && !found && PEM_read_bio(bio, &name, &header, &data, &n) == 1) {
        found = strcmp(name, PEM_STRING_X509) == 0 && n > 0 && slice_eq(slice_of(data, (size_t)n), der);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    ERR_clear_error();
    BIO_free(bio);
    return found;
}

enum eim_err cert_to_pem(struct slice der, struct slice *pem, struct arena *a, struct err *e)
{
    if (der.n > CERT_MAX) return fail(e, E_TOO_LARGE, NULL, "certificate of more than %d bytes", CERT_MAX);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    enum eim_err rc = OK;
    if (!bio || PEM_write_bio(bio, PEM_STRING_X509, "", der.p, (long)der.n) <= 0) rc = ossl_fail(e, "writing PEM");
    if (rc == OK) {
        long n = BIO_get_mem_data(bio, &text);
        *pem = arena_copy(a, slice_of(text, (size_t)n));
        if (!pem->p) rc = fail(e, E_NOMEM, NULL, "no room for a certificate");
    }
    BIO_free(bio);
    return rc;
}
