/* fuzz_cert.c -- arbitrary bytes as EUM and eUICC certificates: two bytes of length, the EUM's, then the eUICC's.
 *
 * No mutation carries a sound signature, so chain.c is included here with a signature check that can be told to
 * believe everything: only then are the rules behind it reached. What is accepted, believed or not, must be consistent
 * with the facts read singly. */
#include <stdlib.h>

#include "crypto/x509.h"

static bool trusting;
static enum eim_err checked_or_believed(const struct cert *c, const struct public_key *issuer, struct err *e);
#define x509_signed_by checked_or_believed
#include "crypto/chain.c"
#undef x509_signed_by

#include "crypto/certmake.h"
#include "test/fuzz/replay.h"

static enum eim_err checked_or_believed(const struct cert *c, const struct public_key *issuer, struct err *e)
{
    return trusting ? OK : x509_signed_by(c, issuer, e);
}

#define MUST_HOLD(cond) do { if (!(cond)) abort(); } while (0)

/* The CI whose key is the number 1; the corpus is signed under it. */
static struct cert_trust *make_trust(void)
{
    static const uint8_t one[SCALAR_SIZE] = { [SCALAR_SIZE - 1] = 1 };
    struct private_key *k;
    struct cert_trust *t;
    struct slice ci;
    struct arena a;
    arena_init(&a, 1 << 16);
    MUST_HOLD(private_key_from_scalar(&k, CURVE_P256, one, NULL) == OK);
    MUST_HOLD(certmake_ci(&ci, k, "Test Root", "Test CI", 0, &a, NULL) == OK);
    MUST_HOLD(cert_trust_from(&t, &ci, 1, NULL) == OK);
    private_key_free(k);
    arena_free(&a);
    return t;
}

/* One of the facts: each reading parses the certificate anew, which is what the time goes into. */
static void read_fact(struct slice cert, size_t which)
{
    char name[CERT_NAME_MAX];
    uint8_t id[CERT_SKI_MAX];
    size_t n = 0;
    int64_t from, to;
    struct arena a;
    struct slice der, pem, again;
    struct public_key *k = NULL;
    arena_init(&a, 1 << 16);
    if (which == 0 && cert_subject(cert, name, NULL) == OK) MUST_HOLD(memchr(name, 0, sizeof name));
    if (which == 1 && cert_issuer(cert, name, NULL) == OK) MUST_HOLD(memchr(name, 0, sizeof name));
    if (which == 2 && cert_ski(cert, id, &n, NULL) == OK) MUST_HOLD(n > 0 && n <= sizeof id);
    if (which == 3 && cert_aki(cert, id, &n, NULL) == OK) MUST_HOLD(n > 0 && n <= sizeof id);
    if (which == 4 && cert_validity(cert, &from, &to, NULL) == OK) MUST_HOLD(from >= 0 && to >= 0);
    if (which == 5 && cert_public_key(&k, cert, NULL) == OK) MUST_HOLD(public_key_curve(k) != CURVE_NONE);
    public_key_free(k);
    if (which == 6 && cert_check_root(cert, NULL) == OK) MUST_HOLD(cert_issuer(cert, name, NULL) == OK);
    if (which == 7 && cert_read(cert, &der, &a, NULL) == OK) {
        MUST_HOLD(cert_to_pem(der, &pem, &a, NULL) == OK);
        MUST_HOLD(cert_read(pem, &again, &a, NULL) == OK && slice_eq(der, again));
    }
    arena_free(&a);
}

static enum eim_err check(const struct cert_trust *t, struct slice eum, struct slice euicc, bool believe)
{
    static const int64_t now = INT64_C(1795392000) * 1000000;
    uint8_t eid[16] = { 0x89 };
    struct public_key *key, *own;
    struct err e = { 0 };
    bool has_eid = cert_eid(euicc, eid, NULL) == OK;
    trusting = believe;
    enum eim_err rc = cert_check_euicc(t, eum, euicc, eid, now, &key, &e);
    trusting = false;
    MUST_HOLD((rc == OK) == (key != NULL) && rc == e.code);
    if (rc != OK) return rc;
    MUST_HOLD(has_eid && cert_public_key(&own, euicc, NULL) == OK && public_key_equal(own, key));
    public_key_free(own);
    public_key_free(key);
    eid[15] ^= 1;
    MUST_HOLD(cert_check_euicc(t, eum, euicc, eid, now, &key, NULL) == E_CHAIN);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct cert_trust *trust;
    if (!trust) trust = make_trust();
    if (n < 2) return 0;
    size_t first = (size_t)p[0] << 8 | p[1];
    if (first > n - 2) first = n - 2;
    struct slice eum = { p + 2, first }, euicc = { p + 2 + first, n - 2 - first };
    if (check(trust, eum, euicc, true) == OK) (void)check(trust, eum, euicc, false);
    read_fact(n % 2 ? eum : euicc, n / 2 % 8);
    return 0;
}
