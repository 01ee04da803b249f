/* certmake.c -- making certificates. */
#include "crypto/certmake.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "crypto/x509.h"

enum {
    CN_MAX = 64,                       /* ub-common-name; SGP.32 4.3 repeats it */
    ATTRIBUTE_MAX = 64,                /* of organization and serialNumber */
    DNS_MAX = 253,
};
static const int64_t year_10000 = 253402300800;    /* seconds since 1970: the first that a certificate cannot say */
static const int64_t gsma_end_us = INT64_C(174412656000) * 1000000;    /* 7496-12-01, as GSMA certificates end */

#define INVALID(field, ...) fail_field(e, E_INVALID, "RFC 5280 4", field, __VA_ARGS__)

/* ---- names ---- */

static bool put(X509_NAME *name, int nid, const char *value)
{
    return !value || X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1;
}

static X509_NAME *make_name(const char *country, const char *org, const char *cn, const char *serial_number)
{
    X509_NAME *name = X509_NAME_new();
    if (name && put(name, NID_countryName, country) && put(name, NID_organizationName, org) &&
        put(name, NID_serialNumber, serial_number) && put(name, NID_commonName, cn))
        return name;
    X509_NAME_free(name);
    return NULL;
}

static enum eim_err check_text(const char *field, const char *value, size_t max, struct err *e)
{
    if (!value) return OK;
    size_t n = strnlen(value, max + 1);
    if (n == 0 || n > max) return INVALID(field, "needs 1 to %zu bytes", max);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f) return INVALID(field, "holds a control character");
    return OK;
}

static enum eim_err check_oid(const char *field, const char *digits, struct err *e)
{
    if (!digits) return OK;
    ASN1_OBJECT *o = OBJ_txt2obj(digits, 1);
    ASN1_OBJECT_free(o);
    if (ossl_no_memory()) return fail(e, E_NOMEM, NULL, "no memory for a certificate");
    return o ? OK : INVALID(field, "is no object identifier in digits");
}

static enum eim_err check_values(const struct certmake *m, struct err *e)
{
    if (!m->org && !m->cn && !m->serial_number) return INVALID("subject", "is empty");
    if (m->country && strlen(m->country) != 2) return INVALID("country", "needs two letters");
    TRY(check_text("organization", m->org, ATTRIBUTE_MAX, e));
    TRY(check_text("commonName", m->cn, CN_MAX, e));
    TRY(check_text("serialNumber", m->serial_number, ATTRIBUTE_MAX, e));
    TRY(check_oid("policy", m->policy, e));
    TRY(check_oid("registeredID", m->registered_id, e));
    TRY(check_oid("extension", m->extra_critical, e));
    TRY(check_text("nameConstraints", m->permit_org, ATTRIBUTE_MAX, e));
    TRY(check_text("nameConstraints", m->permit_prefix, ATTRIBUTE_MAX, e));
    if (m->from_us < 0 || m->to_us < m->from_us || m->to_us / 1000000 >= year_10000)
        return INVALID("validity", "is not a span from 1970 to 9999");
    if (m->dns_n > CERTMAKE_NAMES || m->ip_n > CERTMAKE_NAMES)
        return INVALID("subjectAltName", "more than %d names or addresses", CERTMAKE_NAMES);
    for (size_t i = 0; i < m->dns_n; i++) TRY(check_text("subjectAltName", m->dns[i], DNS_MAX, e));
    return OK;
}

/* ---- extensions ---- */

static bool add_basic(X509 *x, const struct certmake *m)
{
    BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();
    bool ok = b != NULL;
    if (ok) b->ca = m->ca ? 0xff : 0;
    if (ok && m->ca && m->path_len >= 0)
        ok = (b->pathlen = ASN1_INTEGER_new()) && ASN1_INTEGER_set(b->pathlen, m->path_len) == 1;
    ok = ok && X509_add1_ext_i2d(x, NID_basic_constraints, b, 1, X509V3_ADD_APPEND) == 1;
    BASIC_CONSTRAINTS_free(b);
    return ok;
}

static bool add_usage(X509 *x, unsigned usage)
{
    static const struct { unsigned flag; int bit; } bits[] = {
        { CERTMAKE_DIGITAL_SIGNATURE, 0 }, { CERTMAKE_KEY_CERT_SIGN, 5 }, { CERTMAKE_CRL_SIGN, 6 },
    };
    ASN1_BIT_STRING *b = ASN1_BIT_STRING_new();
    bool ok = b != NULL;
    for (size_t i = 0; ok && i < sizeof bits / sizeof bits[0]; i++)
        if (usage & bits[i].flag) ok = ASN1_BIT_STRING_set_bit(b, bits[i].bit, 1) == 1;
    ok = ok && X509_add1_ext_i2d(x, NID_key_usage, b, 1, X509V3_ADD_APPEND) == 1;
    ASN1_BIT_STRING_free(b);
    return ok;
}

static bool add_policy(X509 *x, const char *oid)
{
    CERTIFICATEPOLICIES *all = CERTIFICATEPOLICIES_new();
    POLICYINFO *one = POLICYINFO_new();
    bool ok = all && one && (one->policyid = OBJ_txt2obj(oid, 1)) && sk_POLICYINFO_push(all, one) > 0;
    if (!ok) POLICYINFO_free(one);
    ok = ok && X509_add1_ext_i2d(x, NID_certificate_policies, all, 1, X509V3_ADD_APPEND) == 1;
    CERTIFICATEPOLICIES_free(all);
    return ok;
}

static bool add_constraints(X509 *x, const char *org, const char *prefix)
{
    NAME_CONSTRAINTS *nc = NAME_CONSTRAINTS_new();
    GENERAL_SUBTREE *tree = GENERAL_SUBTREE_new();
    X509_NAME *name = make_name(NULL, org, NULL, prefix);
    bool ok = nc && tree && name && (nc->permittedSubtrees = sk_GENERAL_SUBTREE_new_null()) &&
              sk_GENERAL_SUBTREE_push(nc->permittedSubtrees, tree) > 0;
    if (!ok) {
        GENERAL_SUBTREE_free(tree);
        X509_NAME_free(name);
    } else {
        GENERAL_NAME_set0_value(tree->base, GEN_DIRNAME, name);
        ok = X509_add1_ext_i2d(x, NID_name_constraints, nc, 1, X509V3_ADD_APPEND) == 1;
    }
    NAME_CONSTRAINTS_free(nc);
    return ok;
}

static bool push_name(GENERAL_NAMES *all, int type, ASN1_STRING *value)
{
    GENERAL_NAME *one = value ? GENERAL_NAME_new() : NULL;
    if (!one || sk_GENERAL_NAME_push(all, one) <= 0) {
        GENERAL_NAME_free(one);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(one, type, value);
    return true;
}

static enum eim_err add_alt_names(X509 *x, const struct certmake *m, struct err *e)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool ok = all != NULL;
    enum eim_err rc = OK;
    for (size_t i = 0; ok && i < m->dns_n; i++) {
        ASN1_STRING *s = ASN1_IA5STRING_new();
        if (s && ASN1_STRING_set(s, m->dns[i], -1) != 1) {
            ASN1_STRING_free(s);
            s = NULL;
        }
        ok = push_name(all, GEN_DNS, s);
    }
    for (size_t i = 0; ok && rc == OK && i < m->ip_n; i++) {
        ASN1_STRING *s = a2i_IPADDRESS(m->ip[i]);  /* 4 or 16 bytes */
        if (!s) rc = INVALID("subjectAltName", "\"%.60s\" is no IP address", m->ip[i]);
        else ok = push_name(all, GEN_IPADD, s);
    }
    if (ok && rc == OK && m->registered_id) {
        GENERAL_NAME *one = GENERAL_NAME_new();
        ASN1_OBJECT *oid = one ? OBJ_txt2obj(m->registered_id, 1) : NULL;
        if (oid) GENERAL_NAME_set0_value(one, GEN_RID, oid);
        ok = oid && sk_GENERAL_NAME_push(all, one) > 0;
        if (!ok) GENERAL_NAME_free(one);
    }
    if (ok && rc == OK) ok = X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_APPEND) == 1;
    GENERAL_NAMES_free(all);
    return rc != OK ? rc : ok ? OK : ossl_fail(e, "subjectAltName");
}

static bool add_server_auth(X509 *x)
{
    EXTENDED_KEY_USAGE *all = EXTENDED_KEY_USAGE_new();
    bool ok = all && sk_ASN1_OBJECT_push(all, OBJ_nid2obj(NID_server_auth)) > 0 &&
              X509_add1_ext_i2d(x, NID_ext_key_usage, all, 0, X509V3_ADD_APPEND) == 1;
    EXTENDED_KEY_USAGE_free(all);
    return ok;
}

static bool add_extra(X509 *x, const char *oid)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext = NULL;
    bool ok = obj && value && ASN1_OCTET_STRING_set(value, (const unsigned char *)"unknown", 7) == 1 &&
              (ext = X509_EXTENSION_create_by_OBJ(NULL, obj, 1, value)) && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(obj);
    return ok;
}

/* A key's identifier: the first 20 bytes of the SHA-256 of its point (RFC 7093 2, method 1). */
static enum eim_err key_identifier(const struct public_key *k, uint8_t id[SHA256_SIZE], struct err *e)
{
    return digest_sha256(public_key_point(k), id, e);
}

enum { KEY_ID_SIZE = 20 };

static bool add_subject_id(X509 *x, const uint8_t *id)
{
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    bool ok = s && ASN1_OCTET_STRING_set(s, id, KEY_ID_SIZE) == 1 &&
              X509_add1_ext_i2d(x, NID_subject_key_identifier, s, 0, X509V3_ADD_APPEND) == 1;
    ASN1_OCTET_STRING_free(s);
    return ok;
}

static bool add_authority_id(X509 *x, const uint8_t *id, size_t n)
{
    AUTHORITY_KEYID *a = AUTHORITY_KEYID_new();
    bool ok = a && (a->keyid = ASN1_OCTET_STRING_new()) && ASN1_OCTET_STRING_set(a->keyid, id, (int)n) == 1 &&
              X509_add1_ext_i2d(x, NID_authority_key_identifier, a, 0, X509V3_ADD_APPEND) == 1;
    AUTHORITY_KEYID_free(a);
    return ok;
}

static enum eim_err add_extensions(X509 *x, const struct certmake *m, struct err *e)
{
    if (m->basic_constraints && !add_basic(x, m)) return ossl_fail(e, "basicConstraints");
    if (m->usage && !add_usage(x, m->usage)) return ossl_fail(e, "keyUsage");
    if (m->policy && !add_policy(x, m->policy)) return ossl_fail(e, "certificatePolicies");
    if ((m->permit_org || m->permit_prefix) && !add_constraints(x, m->permit_org, m->permit_prefix))
        return ossl_fail(e, "nameConstraints");
    if (m->server_auth && !add_server_auth(x)) return ossl_fail(e, "extKeyUsage");
    if (m->extra_critical && !add_extra(x, m->extra_critical)) return ossl_fail(e, "extension");
    return m->dns_n + m->ip_n || m->registered_id ? add_alt_names(x, m, e) : OK;
}

/* ---- the whole ---- */

/* The serial number follows from what is certified, so making the same twice gives the same number, and two different
 * certificates of one issuer differ in it. 63 bits, never zero. */
static enum eim_err set_serial(X509 *x, const struct certmake *m, const struct public_key *subject, struct err *e)
{
    uint8_t hash[SHA256_SIZE];
    const struct slice parts[] = {
        public_key_point(subject), slice_str(m->org), slice_str(m->cn), slice_str(m->serial_number),
        slice_of(&m->from_us, sizeof m->from_us), slice_of(&m->to_us, sizeof m->to_us),
    };
    TRY(digest_sha256_spans(parts, sizeof parts / sizeof parts[0], hash, e));
    hash[0] = (uint8_t)((hash[0] & 0x3f) | 0x40);
    BIGNUM *n = BN_bin2bn(hash, 8, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return ok ? OK : ossl_fail(e, "serial number");
}

static enum eim_err set_times(X509 *x, const struct certmake *m, struct err *e)
{
    if (ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(m->from_us / 1000000)) &&
        ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(m->to_us / 1000000)))
        return OK;
    return ossl_fail(e, "validity");
}

/* Issuer's name and key identifier: from its certificate, or the subject's own. */
static enum eim_err set_issuer(X509 *x, const struct public_key *subject, struct slice issuer, struct err *e)
{
    uint8_t own[SHA256_SIZE], id[CERT_SKI_MAX];
    size_t n = KEY_ID_SIZE;
    TRY(key_identifier(subject, own, e));
    memcpy(id, own, KEY_ID_SIZE);
    enum eim_err rc = OK;
    bool ok = true;
    if (issuer.n) {
        struct cert c;
        TRY(x509_open(&c, issuer, "issuer", e));
        rc = x509_key_id(&c, true, id, &n, e);
        ok = X509_set_issuer_name(x, X509_get_subject_name(c.x)) == 1;
        x509_close(&c);
    } else {
        ok = X509_set_issuer_name(x, X509_get_subject_name(x)) == 1;
    }
    if (rc != OK) return rc;
    ok = ok && add_subject_id(x, own) && (n == 0 || add_authority_id(x, id, n));
    return ok ? OK : ossl_fail(e, "issuer");
}

static enum eim_err fill(X509 *x, const struct certmake *m, const struct public_key *subject, struct slice issuer,
                         struct err *e)
{
    X509_NAME *name = make_name(m->country, m->org, m->cn, m->serial_number);
    bool ok = name && X509_set_version(x, X509_VERSION_3) == 1 && X509_set_subject_name(x, name) == 1 &&
              X509_set_pubkey(x, subject->pkey) == 1;
    X509_NAME_free(name);
    if (!ok) return ossl_fail(e, "subject");
    TRY(set_serial(x, m, subject, e));
    TRY(set_times(x, m, e));
    TRY(set_issuer(x, subject, issuer, e));
    return add_extensions(x, m, e);
}

enum eim_err certmake_sign(struct slice *der, const struct certmake *m, const struct public_key *subject,
                           const struct private_key *key, struct slice issuer, struct arena *a, struct err *e)
{
    TRY(check_values(m, e));
    const struct ossl *lib = ossl();
    X509 *x = lib ? X509_new() : NULL;
    if (!x) return ossl_fail(e, "certificate");
    uint8_t *out = NULL;
    enum eim_err rc = fill(x, m, subject, issuer, e);
    if (rc == OK && X509_sign(x, ossl_private(key), lib->sha256) <= 0) rc = ossl_fail(e, "certificate signature");
    int n = rc == OK ? i2d_X509(x, &out) : 0;
    X509_free(x);
    if (rc == OK && n <= 0) rc = ossl_fail(e, "certificate");
    if (rc == OK && n > CERT_MAX) rc = INVALID("subjectAltName", "certificate of more than %d bytes", CERT_MAX);
    if (rc == OK) {
        *der = arena_copy(a, (struct slice){ out, (size_t)n });
        if (!der->p) rc = fail(e, E_NOMEM, NULL, "no room for a certificate");
    }
    OPENSSL_free(out);
    return rc;
}

enum eim_err certmake_tls(struct slice *der, const struct private_key *key, const char *cn, const char *const *dns,
                          size_t dns_n, const char *const *ip, size_t ip_n, int64_t from_us, int64_t to_us,
                          struct arena *a, struct err *e)
{
    struct certmake m = {
        .cn = cn, .from_us = from_us, .to_us = to_us, .basic_constraints = true, .usage = CERTMAKE_DIGITAL_SIGNATURE,
        .server_auth = true, .dns = dns, .dns_n = dns_n, .ip = ip, .ip_n = ip_n,
    };
    return certmake_sign(der, &m, private_key_public(key), key, (struct slice){ 0 }, a, e);
}

enum eim_err certmake_ci(struct slice *der, const struct private_key *key, const char *org, const char *cn,
                         int64_t from_us, struct arena *a, struct err *e)
{
    struct certmake m = {
        .org = org, .cn = cn, .from_us = from_us, .to_us = gsma_end_us, .basic_constraints = true, .ca = true,
        .path_len = -1, .usage = CERTMAKE_KEY_CERT_SIGN | CERTMAKE_CRL_SIGN, .policy = "2.23.146.1.2.1.0",
    };
    return certmake_sign(der, &m, private_key_public(key), key, (struct slice){ 0 }, a, e);
}

enum eim_err certmake_eum(struct slice *der, const struct public_key *subject, const char *org, const char *cn,
                          const char *eid_prefix, int64_t from_us, const struct private_key *ci_key, struct slice ci,
                          struct arena *a, struct err *e)
{
    struct certmake m = {
        .org = org, .cn = cn, .from_us = from_us, .to_us = gsma_end_us, .basic_constraints = true, .ca = true,
        .usage = CERTMAKE_KEY_CERT_SIGN | CERTMAKE_CRL_SIGN, .policy = "2.23.146.1.2.1.2", .permit_org = org,
        .permit_prefix = eid_prefix,
    };
    return certmake_sign(der, &m, subject, ci_key, ci, a, e);
}

enum eim_err certmake_euicc(struct slice *der, const struct public_key *subject, const char *org, const char *cn,
                            const uint8_t eid[16], int64_t from_us, const struct private_key *eum_key, struct slice eum,
                            struct arena *a, struct err *e)
{
    char digits[33];
    slice_hex((struct slice){ eid, 16 }, false, digits);
    struct certmake m = {
        .org = org, .cn = cn, .serial_number = digits, .from_us = from_us, .to_us = gsma_end_us,
        .usage = CERTMAKE_DIGITAL_SIGNATURE, .policy = "2.23.146.1.2.1.1",
    };
    return certmake_sign(der, &m, subject, eum_key, eum, a, e);
}
