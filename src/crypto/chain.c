/* chain.c -- the trust set, and the check of eUICC under EUM under CI root.
 *
 * Written for the purpose, since generic verifiers fail on this PKI: the EUM's name constraints bind the eUICC's
 * organisation and the start of its EID, and certificates are valid to year 7500. The rules are short and each stands
 * in one function that refuses with the words a person will read. Order matters for what is said first: who signed, then
 * what the signed certificate may do, then its validity, then whom it is about. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "crypto/ossl.h"
#include "crypto/x509.h"

static const char clause[] = "SGP.22 4.5.2";
static const char policy_euicc[] = "2.23.146.1.2.1.1", policy_eum[] = "2.23.146.1.2.1.2";

struct cert_trust {
    size_t n;
    struct root {
        uint8_t *der;                  /* own copy, that `cert` borrows from */
        struct cert cert;              /* never changed after loading, so threads may share it */
        struct public_key *key;
        int64_t from_us, to_us;
        uint8_t ski[CERT_SKI_MAX];
        size_t ski_n;
    } roots[CERT_ROOTS_MAX];
};

#define REFUSE(c, ...) fail_field(e, E_CHAIN, clause, (c)->what, __VA_ARGS__)

/* ---- one rule each ---- */

/* A critical extension that nobody here looks at must not be ignored (RFC 5280 4.2). nameConstraints are looked at in
 * the EUM's certificate only. */
static enum eim_err check_critical(const struct cert *c, bool constraints, struct err *e)
{
    for (int i = 0; i < X509_get_ext_count(c->x); i++) {
        X509_EXTENSION *x = X509_get_ext(c->x, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(x));
        if (!X509_EXTENSION_get_critical(x) || nid == NID_basic_constraints || nid == NID_key_usage ||
            nid == NID_certificate_policies || (constraints && nid == NID_name_constraints))
            continue;
        char oid[80];
        OBJ_obj2txt(oid, sizeof oid, X509_EXTENSION_get_object(x), 1);
        return REFUSE(c, "unknown critical extension %s", oid);
    }
    return OK;
}

enum { USAGE_DIGITAL_SIGNATURE = 0, USAGE_KEY_CERT_SIGN = 5 };  /* RFC 5280 4.2.1.3 */

static enum eim_err check_usage(const struct cert *c, int bit, const char *name, struct err *e)
{
    void *usage;
    TRY(x509_extension(c, NID_key_usage, &usage, NULL, e));
    bool may = usage && ASN1_BIT_STRING_get_bit(usage, bit);
    ASN1_BIT_STRING_free(usage);
    return may ? OK : REFUSE(c, "keyUsage without %s", name);
}

/* ca: it must be a CA; path_zero: with a pathLenConstraint of 0; else it must be none. */
static enum eim_err check_ca(const struct cert *c, bool ca, bool path_zero, struct err *e)
{
    void *ext;
    TRY(x509_extension(c, NID_basic_constraints, &ext, NULL, e));
    BASIC_CONSTRAINTS *b = ext;
    bool is_ca = b && b->ca;
    bool zero = b && b->pathlen && ASN1_INTEGER_get(b->pathlen) == 0;
    BASIC_CONSTRAINTS_free(b);
    if (ca && !is_ca) return REFUSE(c, "certificate is no CA");
    if (!ca && is_ca) return REFUSE(c, "certificate is a CA, not an eUICC");
    return path_zero && !zero ? REFUSE(c, "basicConstraints without pathLen 0") : OK;
}

static enum eim_err check_policy(const struct cert *c, const char *want, struct err *e)
{
    void *ext;
    TRY(x509_extension(c, NID_certificate_policies, &ext, NULL, e));
    CERTIFICATEPOLICIES *all = ext;
    bool found = false;
    for (int i = 0; i < sk_POLICYINFO_num(all); i++) {         /* of NULL it is -1 */
        char oid[80];
        OBJ_obj2txt(oid, sizeof oid, sk_POLICYINFO_value(all, i)->policyid, 1);
        if (strcmp(oid, want) == 0) found = true;
    }
    CERTIFICATEPOLICIES_free(all);
    return found ? OK : REFUSE(c, "certificate policy %s is missing", want);
}

static enum eim_err check_times(const struct cert *c, const char *who, int64_t from_us, int64_t to_us, int64_t now_us,
                                struct err *e)
{
    if (now_us < from_us) return REFUSE(c, "%s certificate not yet valid", who);
    if (now_us / 1000000 > to_us / 1000000) return REFUSE(c, "%s certificate expired", who);   /* its last second counts */
    return OK;
}

static enum eim_err check_own_times(const struct cert *c, const char *who, int64_t now_us, struct err *e)
{
    int64_t from_us, to_us;
    TRY(x509_times(c, &from_us, &to_us, e));
    return check_times(c, who, from_us, to_us, now_us, e);
}

/* Names chain by X.500 comparison, key identifiers by bytes where both sides have one; the signature decides. */
static bool names_chain(const struct cert *c, const struct cert *issuer)
{
    return X509_NAME_cmp(X509_get_issuer_name(c->x), X509_get_subject_name(issuer->x)) == 0;
}

static enum eim_err keys_chain(const struct cert *c, const uint8_t *ski, size_t ski_n, bool *chain, struct err *e)
{
    uint8_t aki[CERT_SKI_MAX];
    size_t n;
    TRY(x509_key_id(c, false, aki, &n, e));
    *chain = n == 0 || ski_n == 0 || slice_eq((struct slice){ aki, n }, (struct slice){ ski, ski_n });
    return OK;
}

/* Signed by this key? If not, it is refused in the words given. */
static enum eim_err check_signed(const struct cert *c, const struct public_key *issuer, const char *refusal, struct err *e)
{
    struct err why = { 0 };
    enum eim_err rc = x509_signed_by(c, issuer, &why);
    if (rc == E_SIGNATURE) return REFUSE(c, "%s", refusal);
    return rc == OK ? OK : fail_field(e, rc, clause, c->what, "%s", why.why);
}

/* ---- name constraints ---- */

/* What one permitted directoryName says of a subject. */
enum permit { PERMITS, OTHER_EID, OTHER_ORG, OTHER_NAME };

/* The subject has this attribute, with no other value than this one. */
static bool subject_has(const X509_NAME *subject, const ASN1_OBJECT *attribute, const char *value)
{
    char text[CERT_NAME_MAX];
    bool found = false;
    for (int at = -1; (at = X509_NAME_get_index_by_OBJ(subject, attribute, at)) >= 0; found = true)
        if (!x509_entry_text(X509_NAME_get_entry(subject, at), text, sizeof text) || strcmp(text, value) != 0) return false;
    return found;
}

/* The serialNumber is the beginning of the EID; every other attribute must stand in the subject as it is (SGP.22
 * 4.5.2.1.0.2 has O beside it). A name that binds not both is no constraint of this PKI and permits nothing. */
static enum permit permits(const X509_NAME *base, const X509_NAME *subject, const char eid[33])
{
    bool eid_bound = false, org_bound = false, eid_ok = true, org_ok = true, rest_ok = true;
    for (int i = 0; i < X509_NAME_entry_count(base); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(base, i);
        const ASN1_OBJECT *attribute = X509_NAME_ENTRY_get_object(entry);
        char text[CERT_NAME_MAX];
        bool readable = x509_entry_text(entry, text, sizeof text) && text[0];
        int nid = OBJ_obj2nid(attribute);
        if (nid == NID_serialNumber) {
            eid_bound = true;
            eid_ok = eid_ok && readable && strncmp(eid, text, strlen(text)) == 0;
        } else if (nid == NID_organizationName) {
            org_bound = true;
            org_ok = org_ok && readable && subject_has(subject, attribute, text);
        } else {
            rest_ok = rest_ok && readable && subject_has(subject, attribute, text);
        }
    }
    if (!eid_bound || !org_bound || !rest_ok) return OTHER_NAME;
    return !org_ok ? OTHER_ORG : !eid_ok ? OTHER_EID : PERMITS;
}

static enum eim_err check_permitted(const struct cert *eum, const struct cert *euicc, const NAME_CONSTRAINTS *nc,
                                    const char eid[33], struct err *e)
{
    const X509_NAME *subject = X509_get_subject_name(euicc->x);
    enum permit best = OTHER_NAME;
    if (sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) > 0) return REFUSE(eum, "nameConstraints with excludedSubtrees");
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(nc->permittedSubtrees); i++) {
        const GENERAL_SUBTREE *tree = sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, i);
        if (tree->base->type != GEN_DIRNAME) continue;         /* binds names of a kind that an eUICC has not */
        if (ASN1_INTEGER_get(tree->minimum) != 0 || tree->maximum) continue;   /* RFC 5280 4.2.1.10: 0 and absent */
        enum permit p = permits(tree->base->d.directoryName, subject, eid);
        if (p < best) best = p;        /* the nearest miss is the reason that helps */
    }
    if (best == PERMITS) return OK;
    return best == OTHER_EID ? REFUSE(euicc, "EID outside EUM nameConstraints")
         : best == OTHER_ORG ? REFUSE(euicc, "organisation outside EUM nameConstraints")
                             : REFUSE(euicc, "subject outside EUM nameConstraints");
}

static enum eim_err check_constraints(const struct cert *eum, const struct cert *euicc, const uint8_t eid[16], struct err *e)
{
    char digits[33];
    bool critical;
    void *nc;
    slice_hex((struct slice){ eid, 16 }, false, digits);
    TRY(x509_extension(eum, NID_name_constraints, &nc, &critical, e));
    enum eim_err rc = nc && critical ? check_permitted(eum, euicc, nc, digits, e)
                                     : REFUSE(eum, "no critical nameConstraints");
    NAME_CONSTRAINTS_free(nc);
    return rc;
}

/* ---- the three certificates ---- */

/* Self-signed by issuer name and key identifier; the signature has still to be checked. */
static enum eim_err check_root(const struct cert *c, const struct public_key *key, struct err *e)
{
    if (!names_chain(c, c)) return REFUSE(c, "certificate is not self-signed");
    TRY(check_ca(c, true, false, e));
    TRY(check_usage(c, USAGE_KEY_CERT_SIGN, "keyCertSign", e));
    TRY(check_critical(c, false, e));
    return check_signed(c, key, "certificate is not self-signed", e);
}

static enum eim_err check_eum(const struct cert *eum, int64_t now_us, struct err *e)
{
    TRY(check_ca(eum, true, true, e));
    TRY(check_usage(eum, USAGE_KEY_CERT_SIGN, "keyCertSign", e));
    TRY(check_policy(eum, policy_eum, e));
    TRY(check_critical(eum, true, e));
    return check_own_times(eum, "EUM", now_us, e);
}

static enum eim_err check_euicc(const struct cert *euicc, const struct cert *eum, const uint8_t eid[16], int64_t now_us,
                                struct err *e)
{
    uint8_t own[16], ski[CERT_SKI_MAX];
    size_t ski_n;
    bool chain;
    struct public_key *eum_key;
    TRY(x509_key_id(eum, true, ski, &ski_n, e));
    TRY(keys_chain(euicc, ski, ski_n, &chain, e));
    if (!names_chain(euicc, eum) || !chain) return REFUSE(euicc, "not issued by this EUM");
    TRY(x509_key(eum, &eum_key, e));
    enum eim_err rc = check_signed(euicc, eum_key, "not issued by this EUM", e);
    public_key_free(eum_key);
    if (rc != OK) return rc;
    TRY(check_ca(euicc, false, false, e));
    TRY(check_usage(euicc, USAGE_DIGITAL_SIGNATURE, "digitalSignature", e));
    TRY(check_policy(euicc, policy_euicc, e));
    TRY(check_critical(euicc, false, e));
    TRY(check_own_times(euicc, "eUICC", now_us, e));
    TRY(x509_eid(euicc, own, e));
    TRY(check_constraints(eum, euicc, own, e));
    return memcmp(own, eid, 16) == 0 ? OK : REFUSE(euicc, "certificate belongs to another EID");
}

/* The root that signed the EUM certificate. Several may have its issuer's name. */
static enum eim_err find_root(const struct cert_trust *t, const struct cert *eum, const struct root **out, struct err *e)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct root *r = &t->roots[i];
        bool chain;
        TRY(keys_chain(eum, r->ski, r->ski_n, &chain, e));
        if (!chain || !names_chain(eum, &r->cert)) continue;
        struct err why = { 0 };
        enum eim_err rc = check_signed(eum, r->key, "not issued by this CI", &why);
        if (rc == OK) {
            *out = r;
            return OK;
        }
        if (rc != E_CHAIN) return fail_field(e, rc, clause, eum->what, "%s", why.why);
    }
    return t->n ? REFUSE(eum, "not issued by this CI") : REFUSE(eum, "no CI root is loaded");
}

enum eim_err cert_check_euicc(const struct cert_trust *t, struct slice eum_der, struct slice euicc_der,
                              const uint8_t eid[16], int64_t now_us, struct public_key **key, struct err *e)
{
    struct cert eum = { 0 }, euicc = { 0 };
    const struct root *root = NULL;
    *key = NULL;
    enum eim_err rc = x509_open(&eum, eum_der, "eumCertificate", e);
    if (rc == OK) rc = x509_open(&euicc, euicc_der, "euiccCertificate", e);
    if (rc == OK) rc = find_root(t, &eum, &root, e);
    if (rc == OK) rc = check_times(&root->cert, "CI", root->from_us, root->to_us, now_us, e);
    if (rc == OK) rc = check_eum(&eum, now_us, e);
    if (rc == OK) rc = check_euicc(&euicc, &eum, eid, now_us, e);
    if (rc == OK) rc = x509_key(&euicc, key, e);
    x509_close(&eum);
    x509_close(&euicc);
    return rc;
}

enum eim_err cert_check_root(struct slice cert, struct err *e)
{
    struct cert c;
    struct public_key *key = NULL;
    TRY(x509_open(&c, cert, "trust", e));
    enum eim_err rc = x509_key(&c, &key, e);
    if (rc == OK) rc = check_root(&c, key, e);
    public_key_free(key);
    x509_close(&c);
    return rc;
}

/* ---- the trust set ---- */

void cert_trust_free(struct cert_trust *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->n; i++) {
        x509_close(&t->roots[i].cert);
        public_key_free(t->roots[i].key);
        OPENSSL_free(t->roots[i].der);
    }
    OPENSSL_free(t);
}

size_t cert_trust_count(const struct cert_trust *t)
{
    return t->n;
}

struct slice cert_trust_root(const struct cert_trust *t, size_t i)
{
    return t->roots[i].cert.der;
}

static enum eim_err add_root(struct cert_trust *t, struct slice der, struct err *e)
{
    for (size_t i = 0; i < t->n; i++)
        if (slice_eq(t->roots[i].cert.der, der)) return OK;    /* the same root under two names is one root */
    if (t->n == CERT_ROOTS_MAX) return fail(e, E_LIMIT, NULL, "more than %d CI roots", CERT_ROOTS_MAX);
    if (der.n > CERT_MAX || der.n == 0) return fail_field(e, E_MALFORMED, clause, "trust", "not a certificate in DER");
    struct root *r = &t->roots[t->n++];            /* counted at once, so cert_trust_free sees what is half made */
    if (!(r->der = OPENSSL_memdup(der.p, der.n))) return fail(e, E_NOMEM, NULL, "no memory for a CI root");
    TRY(x509_open(&r->cert, (struct slice){ r->der, der.n }, "trust", e));
    TRY(x509_key(&r->cert, &r->key, e));
    TRY(check_root(&r->cert, r->key, e));
    TRY(x509_times(&r->cert, &r->from_us, &r->to_us, e));
    return x509_key_id(&r->cert, true, r->ski, &r->ski_n, e);
}

enum eim_err cert_trust_from(struct cert_trust **out, const struct slice *roots, size_t n, struct err *e)
{
    *out = NULL;
    struct cert_trust *t = OPENSSL_zalloc(sizeof *t);
    if (!t) return fail(e, E_NOMEM, NULL, "no memory for a trust set");
    enum eim_err rc = OK;
    for (size_t i = 0; rc == OK && i < n; i++) rc = add_root(t, roots[i], e);
    if (rc == OK) *out = t;
    else cert_trust_free(t);
    return rc;
}

static bool is_cert_file(const char *name)
{
    static const char *const ends[] = { ".pem", ".crt", ".cer", ".der" };
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (name[0] != '.' && n > 4 && strcmp(name + n - 4, ends[i]) == 0) return true;
    return false;
}

static enum eim_err add_file(struct cert_trust *t, const char *path, struct err *e)
{
    uint8_t text[CERT_PEM_MAX];
    size_t n = 0;
    struct slice der = { 0 };
    struct err why = { 0 };
    TRY(file_read(path, false, text, sizeof text, &n, e));
    struct arena a;
    arena_init(&a, CERT_MAX);
    enum eim_err rc = cert_read((struct slice){ text, n }, &der, &a, &why);
    if (rc == OK) rc = add_root(t, der, &why);
    arena_free(&a);
    if (rc == OK) return OK;
    bool of_file = rc != E_NOMEM && rc != E_CRYPTO && rc != E_LIMIT;
    return fail(e, of_file ? E_CONF : rc, why.clause, "%s: %s", path, why.why);
}

static enum eim_err add_dir(struct cert_trust *t, DIR *d, const char *dir, struct err *e)
{
    for (;;) {
        char path[PATH_MAX];
        errno = 0;
        const struct dirent *f = readdir(d);
        if (!f && errno) return fail(e, E_IO, NULL, "%s: %s", dir, strerror(errno));
        if (!f) return OK;
        if (!is_cert_file(f->d_name)) continue;
        int n = snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
        if (n < 0 || (size_t)n >= sizeof path) return fail(e, E_CONF, NULL, "%s: path too long", f->d_name);
        TRY(add_file(t, path, e));
    }
}

enum eim_err cert_trust_load_dir(struct cert_trust **out, const char *dir, struct err *e)
{
    TRY(cert_trust_from(out, NULL, 0, e));
    DIR *d = opendir(dir);
    enum eim_err rc = OK;
    if (d) rc = add_dir(*out, d, dir, e);
    else if (errno != ENOENT) rc = fail(e, E_IO, NULL, "%s: %s", dir, strerror(errno));
    if (d) closedir(d);
    if (rc != OK) {
        cert_trust_free(*out);
        *out = NULL;
    }
    return rc;
}
