/* pki.c -- CI, EUM and eUICC keys and certificates of the simulator. */
#include "sim/pki.h"

#include <stdio.h>

#include "base/file.h"
#include "crypto/cert.h"
#include "crypto/certmake.h"
#include "crypto/digest.h"
#include "crypto/verify.h"
#include "sim/tags.h"
#include "sim/tlv.h"

enum { PKI_ARENA = 256 * 1024 };

static enum eim_err note_ski(struct sim_pki *p, struct err *e)
{
    uint8_t ski[CERT_SKI_MAX];
    size_t n;
    TRY(cert_ski(p->ci, ski, &n, e));
    if (n != SIM_SKI)
        return fail(e, E_CHAIN, "SGP.22 4.5.2.1.0.1", "the CI's subject key identifier has %zu bytes, not %d", n, SIM_SKI);
    memcpy(p->ci_ski, ski, SIM_SKI);
    return OK;
}

static enum eim_err make(struct sim_pki *p, struct err *e)
{
    TRY(private_key_generate(&p->ci_key, p->curve, e));
    TRY(private_key_generate(&p->eum_key, p->curve, e));
    TRY(certmake_ci(&p->ci, p->ci_key, "eimsim", "eimsim CI", p->from_us, &p->arena, e));
    TRY(certmake_eum(&p->eum, private_key_public(p->eum_key), SIM_ORG, "eimsim EUM", SIM_EID_PREFIX, p->from_us, p->ci_key,
                     p->ci, &p->arena, e));
    return note_ski(p, e);
}

enum eim_err sim_pki_make(struct sim_pki *p, enum curve curve, int64_t from_us, struct err *e)
{
    *p = (struct sim_pki){ .curve = curve, .from_us = from_us };
    arena_init(&p->arena, PKI_ARENA);
    enum eim_err rc = make(p, e);
    if (rc != OK)
        sim_pki_free(p);
    return rc;
}

void sim_pki_free(struct sim_pki *p)
{
    private_key_free(p->ci_key);
    private_key_free(p->eum_key);
    arena_free(&p->arena);
    *p = (struct sim_pki){ 0 };
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static enum eim_err path_of(char out[4096], const char *dir, const char *name, struct err *e)
{
    int n = snprintf(out, 4096, "%s/%s", dir, name);
    if (n < 0 || n >= 4096)
        return fail(e, E_IO, NULL, "the path of %s is too long", name);
    return OK;
}

static enum eim_err write_pem(const char *dir, const char *name, struct slice der, struct err *e)
{
    struct arena a;
    struct slice pem = { 0 };
    char path[4096];
    TRY(path_of(path, dir, name, e));
    arena_init(&a, PKI_ARENA);
    enum eim_err rc = cert_to_pem(der, &pem, &a, e);
    rc = rc ? rc : file_write_new(path, 0644, pem, e);
    arena_free(&a);
    return rc;
}

static enum eim_err read_pem(const char *dir, const char *name, struct slice *der, struct arena *a, struct err *e)
{
    char path[4096];
    size_t n;
    uint8_t *p = arena_alloc(a, CERT_PEM_MAX);
    if (!p)
        return fail(e, E_NOMEM, NULL, "no room for %s", name);
    TRY(path_of(path, dir, name, e));
    TRY(file_read(path, false, p, CERT_PEM_MAX, &n, e));
    return cert_read(slice_of(p, n), der, a, e);
}

enum eim_err sim_pki_save(const struct sim_pki *p, const char *dir, struct err *e)
{
    char path[4096];
    TRY(path_of(path, dir, "ci.key", e));
    TRY(private_key_save(p->ci_key, path, e));
    TRY(path_of(path, dir, "eum.key", e));
    TRY(private_key_save(p->eum_key, path, e));
    TRY(write_pem(dir, "ci.pem", p->ci, e));
    return write_pem(dir, "eum.pem", p->eum, e);
}

static enum eim_err load(struct sim_pki *p, const char *dir, struct err *e)
{
    char path[4096];
    int64_t to_us;
    TRY(path_of(path, dir, "ci.key", e));
    TRY(private_key_load(&p->ci_key, path, e));
    TRY(path_of(path, dir, "eum.key", e));
    TRY(private_key_load(&p->eum_key, path, e));
    TRY(read_pem(dir, "ci.pem", &p->ci, &p->arena, e));
    TRY(read_pem(dir, "eum.pem", &p->eum, &p->arena, e));
    TRY(cert_validity(p->eum, &p->from_us, &to_us, e));
    p->curve = private_key_curve(p->eum_key);
    return note_ski(p, e);
}

enum eim_err sim_pki_load(struct sim_pki *p, const char *dir, struct err *e)
{
    *p = (struct sim_pki){ 0 };
    arena_init(&p->arena, PKI_ARENA);
    enum eim_err rc = load(p, dir, e);
    if (rc != OK)
        sim_pki_free(p);
    return rc;
}

/* ---- SM-DP+ -------------------------------------------------------------------------------------------------- */

static const struct { const char *cn, *policy; struct slice oid; } roles[SIM_DP_ROLES] = {
    [SIM_DP_AUTH] = { "eimsim DPauth", "2.23.146.1.2.1.4", SLICE("\x67\x81\x12\x01\x02\x01\x04") },
    [SIM_DP_PB] = { "eimsim DPpb", "2.23.146.1.2.1.5", SLICE("\x67\x81\x12\x01\x02\x01\x05") },
    [SIM_DP_TLS] = { "eimsim DP TLS", "2.23.146.1.2.1.3", SLICE("\x67\x81\x12\x01\x02\x01\x03") },
    [SIM_DS_AUTH] = { "eimsim DSauth", "2.23.146.1.2.1.7", SLICE("\x67\x81\x12\x01\x02\x01\x07") },
    [SIM_DS_TLS] = { "eimsim DS TLS", "2.23.146.1.2.1.6", SLICE("\x67\x81\x12\x01\x02\x01\x06") },
};

static enum eim_err make_dp(const struct sim_pki *p, struct sim_dp *dp, const char *oid, const char *host, struct arena *a, struct err *e)
{
    static const char *const loopback[] = { "127.0.0.1", "::1" };
    for (unsigned i = 0; i < SIM_DP_ROLES; i++) {
        bool tls = i == SIM_DP_TLS || i == SIM_DS_TLS;
        struct certmake m = { .org = "eimsim", .cn = roles[i].cn, .from_us = p->from_us, .to_us = p->from_us + INT64_C(3650) * 86400 * 1000000,
                              .usage = CERTMAKE_DIGITAL_SIGNATURE, .policy = roles[i].policy, .registered_id = oid, .server_auth = tls,
                              .dns = &host, .dns_n = tls, .ip = loopback, .ip_n = tls ? 2 : 0 };
        TRY(private_key_generate(&dp->key[i], p->curve, e));
        TRY(certmake_sign(&dp->cert[i], &m, private_key_public(dp->key[i]), p->ci_key, p->ci, a, e));
    }
    return OK;
}

enum eim_err sim_pki_dp(const struct sim_pki *p, struct sim_dp *dp, const char *oid, const char *host, struct arena *a, struct err *e)
{
    *dp = (struct sim_dp){ 0 };
    enum eim_err rc = make_dp(p, dp, oid, host, a, e);
    if (rc != OK)
        sim_dp_free(dp);
    return rc;
}

void sim_dp_free(struct sim_dp *dp)
{
    for (unsigned i = 0; i < SIM_DP_ROLES; i++)
        private_key_free(dp->key[i]);
    *dp = (struct sim_dp){ 0 };
}

/* The value of a certificate's extension: TBSCertificate's A3{30{30{06 oid, 01?, 04 value}}}. */
static bool extension(struct slice tbs, struct slice oid, struct tlv *value)
{
    struct tlv all, list, one, id;
    if (!tlv_find(tbs, T_C3, &all) || !tlv_only(all.value, &list))
        return false;
    while (tlv_next(&list.value, &one))
        if (tlv_take(&one.value, T_OID, &id) && slice_eq(id.value, oid) && tlv_find(one.value, T_OCTETS, value))
            return tlv_only(value->value, value);
    return false;
}

struct public_key *sim_pki_dp_check(const struct sim_pki *p, struct slice cert, enum sim_dp_role role, struct slice *oid)
{
    struct err e = { 0 };
    struct tlv c, tbs, alg, sig, names, id, policies, policy;
    struct public_key *ci = NULL, *key = NULL;
    if (!tlv_only(cert, &c) || !tlv_take(&c.value, T_SEQUENCE, &tbs) || !tlv_take(&c.value, T_SEQUENCE, &alg) ||
        !tlv_take(&c.value, T_BIT_STRING, &sig) || sig.value.n < 2 || cert_public_key(&ci, p->ci, &e) != OK)
        return NULL;
    bool good = verify_signature(ci, &tbs.raw, 1, slice_of(sig.value.p + 1, sig.value.n - 1), &e) == OK;
    public_key_free(ci);
    good = good && extension(tbs.value, SLICE("\x55\x1D\x20"), &policies) && tlv_take(&policies.value, T_SEQUENCE, &policy) &&
           tlv_take(&policy.value, T_OID, &id) && slice_eq(id.value, roles[role].oid);
    good = good && extension(tbs.value, SLICE("\x55\x1D\x11"), &names) && tlv_find(names.value, T_8, &id);
    if (!good || cert_public_key(&key, cert, &e) != OK)
        return NULL;
    if (oid)
        *oid = id.value;
    return key;
}

/* ---- devices ------------------------------------------------------------------------------------------------- */

enum eim_err sim_pki_device_key(const struct sim_pki *p, uint64_t seed, const uint8_t eid[SIM_EID],
                                struct private_key **out, struct err *e)
{
    uint8_t key[8], msg[SIM_EID + 1], d[SHA256_SIZE];
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(seed >> (56 - 8 * i));
    memcpy(msg, eid, SIM_EID);
    for (msg[SIM_EID] = 0; msg[SIM_EID] < 64; msg[SIM_EID]++) {       /* on brainpool one in three numbers is too big */
        struct err ignored = { 0 };
        TRY(digest_hmac_sha256(slice_of(key, sizeof key), slice_of(msg, sizeof msg), d, e));
        enum eim_err rc = private_key_from_scalar(out, p->curve, d, &ignored);
        if (rc != E_INVALID)
            return rc == OK ? OK : fail(e, rc, NULL, "%s", ignored.why);
    }
    return fail(e, E_CRYPTO, NULL, "no key in 64 tries");
}

struct slice sim_sig_to_der(struct arena *a, const uint8_t sig[SIGNATURE_SIZE])
{
    struct slice n[2];
    for (int i = 0; i < 2; i++) {
        uint8_t b[33] = { 0 };
        memcpy(b + 1, sig + 32 * i, 32);
        size_t skip = 0;
        while (skip < 32 && b[skip] == 0 && b[skip + 1] < 0x80)
            skip++;
        n[i] = TLV(a, T_INTEGER, slice_of(b + skip, 33 - skip));
    }
    return TLV(a, T_SEQUENCE, n[0], n[1]);
}

bool sim_sig_to_raw(struct slice der, uint8_t sig[SIGNATURE_SIZE])
{
    struct tlv seq, n;
    if (!tlv_only(der, &seq) || seq.tag != T_SEQUENCE)
        return false;
    memset(sig, 0, SIGNATURE_SIZE);
    for (int i = 0; i < 2; i++) {
        if (!tlv_take(&seq.value, T_INTEGER, &n))
            return false;
        while (n.value.n > 0 && n.value.p[0] == 0) {
            n.value.p++;
            n.value.n--;
        }
        if (n.value.n > 32)
            return false;
        memcpy(sig + 32 * i + 32 - n.value.n, n.value.p, n.value.n);
    }
    return seq.value.n == 0;
}

enum eim_err sim_pki_device_cert(const struct sim_pki *p, const uint8_t eid[SIM_EID], const struct public_key *key,
                                 uint8_t sig[SIGNATURE_SIZE], bool *made, struct slice *der, struct arena *a, struct err *e)
{
    struct tlv cert, tbs, alg, bits;
    char cn[sizeof "eUICC " + 2 * SIM_EID] = "eUICC ";
    slice_hex(slice_of(eid, SIM_EID), false, cn + 6);
    TRY(certmake_euicc(der, key, SIM_ORG, cn, eid, p->from_us, p->eum_key, p->eum, a, e));
    if (!tlv_only(*der, &cert) || !tlv_take(&cert.value, T_SEQUENCE, &tbs) || !tlv_take(&cert.value, T_SEQUENCE, &alg) ||
        !tlv_take(&cert.value, T_BIT_STRING, &bits) || bits.value.n < 2)
        return fail(e, E_INTERNAL, NULL, "certmake made something that is no certificate");
    if (!*made) {
        *made = sim_sig_to_raw(slice_of(bits.value.p + 1, bits.value.n - 1), sig);
        return *made ? OK : fail(e, E_INTERNAL, NULL, "certmake made something that is no signature");
    }
    *der = TLV(a, T_SEQUENCE, tbs.raw, alg.raw, TLV(a, T_BIT_STRING, SLICE("\0"), sim_sig_to_der(a, sig)));
    return tlv_is_bad(*der) ? fail(e, E_NOMEM, NULL, "no room for a certificate") : OK;
}
