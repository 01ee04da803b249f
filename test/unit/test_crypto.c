/* test_crypto.c -- keys, signatures and digests, against vectors and against the openssl command. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/file.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/verify.h"
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"
#include "test/lib/vectors.h"

static struct arena arena;
static struct err e;
static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOLP256R1 };

static int fresh(void **state)
{
    (void)state;
    arena_free(&arena);
    arena_init(&arena, 4 << 20);
    e = (struct err){ 0 };
    return 0;
}

/* ---- failing allocations: every allocation that OpenSSL makes goes through here ---- */

static long alloc_left;                /* the one that fails, counted from 1; 0: none */

static void *counted_malloc(size_t n, const char *file, int line)
{
    (void)file; (void)line;
    if (alloc_left > 0 && --alloc_left == 0) return NULL;
    return malloc(n);
}

static void *counted_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file; (void)line;
    if (alloc_left > 0 && --alloc_left == 0) return NULL;
    return realloc(p, n);
}

static void counted_free(void *p, const char *file, int line)
{
    (void)file; (void)line;
    free(p);
}

/* ---- helpers ---- */

/* One TLV at the start of s: all of it in *whole, its content in the result. Written for the vectors' short lengths. */
static struct slice tlv(struct slice s, struct slice *whole)
{
    assert_true(s.n >= 2);
    size_t tag = (s.p[0] & 31) == 31 ? 2 : 1, len = s.p[tag], header = tag + 1;
    if (len == 129) len = s.p[tag + 1], header++;
    else assert_true(len < 128);
    assert_true(header + len <= s.n);
    *whole = (struct slice){ s.p, header + len };
    return (struct slice){ s.p + header, len };
}

/* BF51 { [arm {] SIGNED, 5F37 SIGNATURE [}] } to its signed TLV and its raw signature. */
static void split(struct slice message, bool arm, struct slice *signed_part, struct slice *sig)
{
    struct slice whole, body = tlv(message, &whole);
    assert_int_equal(whole.n, message.n);
    if (arm) body = tlv(body, &whole);
    tlv(body, signed_part);
    *sig = tlv((struct slice){ body.p + signed_part->n, body.n - signed_part->n }, &whole);
    assert_int_equal(sig->n, SIGNATURE_SIZE);
}

/* A raw signature as DER, made here by hand. */
static struct slice to_der(struct slice raw, uint8_t out[80])
{
    size_t n = 2;
    for (int i = 0; i < 2; i++) {
        const uint8_t *p = raw.p + 32 * i;
        size_t m = 32;
        while (m > 1 && *p == 0) p++, m--;
        size_t pad = *p >> 7;
        out[n++] = 2;
        out[n++] = (uint8_t)(m + pad);
        if (pad) out[n++] = 0;
        memcpy(out + n, p, m);
        n += m;
    }
    out[0] = 48;
    out[1] = (uint8_t)(n - 2);
    return (struct slice){ out, n };
}

static const char *put_file(const char *dir, const char *name, unsigned mode, struct slice s)
{
    const char *path = tmp_path(dir, name);
    unlink(path);
    assert_ok(file_write_new(path, mode, s, &e));
    return path;
}

__attribute__((format(printf, 1, 2)))
static int run(const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return system(line);
}

static int64_t token_of(const json_t *v)
{
    const json_t *t = vectors_member(v, "association_token");
    return json_is_null(t) ? 0 : json_integer_value(t);
}

/* ---- vectors ---- */

/* Each vector says whether the eUICC's result verifies. The signed error result was never tampered with, so it fails only
 * where the token is wrong; so does the request. */
static void vectors_come_out_as_they_say(void **state)
{
    (void)state;
    json_t *all = vectors_load("esep.json"), *v;
    size_t i, seen = 0;
    json_array_foreach(all, i, v) {
        if (!json_object_get(v, "result")) continue;
        const char *name = vectors_text(v, "name"), *expect = vectors_text(v, "expect");
        bool wrong_token = strstr(name, "wrong-token") != NULL;
        int64_t token = token_of(v);
        struct public_key *eim, *euicc;
        struct slice tbs, sig, spki = vectors_hex(&arena, v, "eim_spki"), whole;
        assert_ok(public_key_parse(&eim, spki, &e));
        assert_string_equal(curve_name(public_key_curve(eim)), vectors_text(v, "curve"));
        split(vectors_hex(&arena, v, "request"), false, &tbs, &sig);
        assert_int_equal(verify_with_token(eim, tbs, token, sig, NULL), wrong_token ? E_SIGNATURE : OK);
        struct slice given = vectors_hex(&arena, v, "request_tbs");
        assert_ok(verify_signature(eim, &given, 1, sig, &e));
        tlv(given, &whole);
        assert_true(slice_eq(whole, tbs));         /* the given bytes are the signed TLV and the token's */

        struct slice cert = vectors_hex(&arena, v, "euicc_cert");
        assert_ok(cert_public_key(&euicc, cert, &e));
        bool ok = strcmp(expect, "accept") == 0;
        split(vectors_hex(&arena, v, "result"), true, &tbs, &sig);
        uint8_t der[80];
        assert_int_equal(verify_with_token(euicc, tbs, token, sig, NULL), ok ? OK : E_SIGNATURE);
        assert_int_equal(verify_with_token(euicc, tbs, token, to_der(sig, der), NULL), ok ? OK : E_SIGNATURE);
        given = vectors_hex(&arena, v, "result_tbs");
        assert_ok(verify_signature(euicc, &given, 1, sig, &e));
        split(vectors_hex(&arena, v, "error_result"), true, &tbs, &sig);
        assert_int_equal(verify_with_token(euicc, tbs, token, sig, NULL), wrong_token ? E_SIGNATURE : OK);
        assert_int_equal(verify_with_token(eim, tbs, token, sig, NULL), E_SIGNATURE);      /* another's key */
        public_key_free(eim);
        public_key_free(euicc);
        seen++;
    }
    assert_int_equal(seen, 20);
    json_decref(all);
}

static void a_real_card_verifies(void **state)
{
    (void)state;
    json_t *all = vectors_load("real-card.json"), *v = json_array_get(all, 0);
    struct public_key *eim, *euicc;
    struct slice tbs, sig;
    assert_ok(public_key_from_point(&eim, CURVE_P256, vectors_hex(&arena, v, "eim_public_key"), &e));
    assert_ok(public_key_from_point(&euicc, CURVE_P256, vectors_hex(&arena, v, "euicc_public_key"), &e));
    split(vectors_hex(&arena, v, "request"), false, &tbs, &sig);
    assert_ok(verify_with_token(eim, tbs, token_of(v), sig, &e));
    assert_refused(E_SIGNATURE, verify_with_token(eim, tbs, 0, sig, &e));
    split(vectors_hex(&arena, v, "result"), true, &tbs, &sig);
    assert_ok(verify_with_token(euicc, tbs, token_of(v), sig, &e));
    assert_refused(E_SIGNATURE, verify_with_token(euicc, tbs, 2, sig, &e));
    public_key_free(eim);
    public_key_free(euicc);
    json_decref(all);
}

/* ---- known answers ---- */

/* RFC 6979 A.2.5, P-256 with SHA-256, message "sample". */
static const char kat_d[] = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
static const char kat_point[] = "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                                "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
static const char kat_sig[] = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
                              "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
static const char p256_n[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

static struct public_key *kat_key(void)
{
    struct public_key *k;
    assert_ok(public_key_from_point(&k, CURVE_P256, unhex(&arena, kat_point), &e));
    return k;
}

static void known_answers_hold(void **state)
{
    (void)state;
    struct private_key *p;
    struct public_key *k = kat_key();
    struct slice d = unhex(&arena, kat_d);
    assert_ok(private_key_from_scalar(&p, CURVE_P256, d.p, &e));
    assert_true(public_key_equal(private_key_public(p), k));
    uint8_t back[SCALAR_SIZE];
    assert_ok(private_key_scalar(p, back, &e));
    assert_memory_equal(back, d.p, SCALAR_SIZE);
    struct slice message = SLICE("sample"), pieces[] = { SLICE("sa"), { NULL, 0 }, SLICE("mple") };
    assert_ok(verify_signature(k, &message, 1, unhex(&arena, kat_sig), &e));
    assert_ok(verify_signature(k, pieces, 3, unhex(&arena, kat_sig), &e));
    assert_refused(E_SIGNATURE, verify_signature(k, pieces, 2, unhex(&arena, kat_sig), &e));
    private_key_free(p);
    public_key_free(k);

    /* RFC 5639 A.2 has no scalar; 1 * G is the generator of RFC 5639 3.4. */
    uint8_t one[SCALAR_SIZE] = { [SCALAR_SIZE - 1] = 1 };
    assert_ok(private_key_from_scalar(&p, CURVE_BRAINPOOLP256R1, one, &e));
    struct slice g = unhex(&arena, "048BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262"
                                   "547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997");
    assert_true(slice_eq(public_key_point(private_key_public(p)), g));
    private_key_free(p);
}

static void digests_give_known_answers(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    struct slice abc[] = { SLICE("a"), SLICE("bc"), { NULL, 0 } };
    assert_ok(digest_sha256(SLICE("abc"), out, &e));       /* FIPS 180-4 */
    struct slice want = unhex(&arena, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_memory_equal(out, want.p, sizeof out);
    memset(out, 0, sizeof out);
    assert_ok(digest_sha256_spans(abc, 3, out, &e));
    assert_memory_equal(out, want.p, sizeof out);
    assert_ok(digest_sha256((struct slice){ 0 }, out, &e));
    assert_memory_equal(out, unhex(&arena, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").p, 32);

    assert_ok(digest_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out, &e));     /* RFC 4231 4.3 */
    assert_memory_equal(out, unhex(&arena, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").p, 32);
    uint8_t key[131];
    memset(key, 0xaa, sizeof key);                         /* RFC 4231 4.7: a key longer than a block */
    struct slice text = SLICE("Test Using Larger Than Block-Size Key - Hash Key First");
    assert_ok(digest_hmac_sha256((struct slice){ key, sizeof key }, text, out, &e));
    assert_memory_equal(out, unhex(&arena, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54").p, 32);
    assert_ok(digest_hmac_sha256((struct slice){ 0 }, (struct slice){ 0 }, out, &e));
    assert_memory_equal(out, unhex(&arena, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad").p, 32);
}

static void comparing_and_wiping(void **state)
{
    (void)state;
    assert_true(digest_equal(SLICE("abc"), SLICE("abc")));
    assert_true(digest_equal((struct slice){ 0 }, (struct slice){ 0 }));
    assert_false(digest_equal(SLICE("abc"), SLICE("abd")));
    assert_false(digest_equal(SLICE("bbc"), SLICE("abc")));
    assert_false(digest_equal(SLICE("abc"), SLICE("abcd")));
    uint8_t secret[40], zero[40] = { 0 };
    memset(secret, 7, sizeof secret);
    digest_wipe(secret, sizeof secret);
    assert_memory_equal(secret, zero, sizeof zero);
}

/* ---- the openssl command as the other side ---- */

static void the_openssl_command_agrees_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *dir = tmp_make();
        struct private_key *k;
        char message[] = "the package to be signed";
        uint8_t sig[SIGNATURE_SIZE], der[80], foreign[128];
        size_t n;
        assert_ok(private_key_generate(&k, curves[i], &e));
        assert_ok(private_key_save(k, tmp_path(dir, "k.pem"), &e));
        put_file(dir, "data", 0600, SLICE("the package to be signed"));
        for (int round = 0; round < 8; round++) {          /* some have short or high numbers */
            struct slice spans[] = { slice_of(message, 4), slice_str(message + 4) };
            assert_ok(private_key_sign(k, spans, 2, sig, &e));
            put_file(dir, "sig", 0600, to_der((struct slice){ sig, sizeof sig }, der));
            assert_int_equal(run("cd %s; openssl dgst -sha256 -prverify k.pem -signature sig data >out", dir), 0);
            assert_int_equal(run("cd %s; openssl dgst -sha256 -sign k.pem -out sig2 data", dir), 0);
            assert_ok(file_read(tmp_path(dir, "sig2"), false, foreign, sizeof foreign, &n, &e));
            struct slice whole = slice_str(message);
            assert_ok(verify_signature(private_key_public(k), &whole, 1, (struct slice){ foreign, n }, &e));
        }
        /* The public key that we write is the one that openssl writes, and a changed message is refused by it too. */
        struct slice spki;
        assert_ok(public_key_spki(private_key_public(k), &spki, &arena, &e));
        assert_int_equal(run("cd %s; openssl pkey -in k.pem -pubout -outform DER -out pub", dir), 0);
        assert_ok(file_read(tmp_path(dir, "pub"), false, foreign, sizeof foreign, &n, &e));
        assert_true(slice_eq(spki, (struct slice){ foreign, n }));
        put_file(dir, "data", 0600, SLICE("the package to be Signed"));
        assert_int_not_equal(run("cd %s; openssl dgst -sha256 -prverify k.pem -signature sig data >out", dir), 0);
        private_key_free(k);
        tmp_remove(dir);
    }
}

/* ---- signatures that are none ---- */

static void every_bit_of_a_signature_counts(void **state)
{
    (void)state;
    struct public_key *k = kat_key();
    struct slice message = SLICE("sample"), good = unhex(&arena, kat_sig);
    uint8_t sig[SIGNATURE_SIZE], der[80], bad[80];
    for (size_t bit = 0; bit < 8 * sizeof sig; bit++) {
        memcpy(sig, good.p, sizeof sig);
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, (struct slice){ sig, sizeof sig }, &e));
    }
    struct slice d = to_der(good, der);
    assert_ok(verify_signature(k, &message, 1, d, &e));
    for (size_t bit = 0; bit < 8 * d.n; bit++) {
        memcpy(bad, d.p, d.n);
        bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, (struct slice){ bad, d.n }, &e));
    }
    for (size_t n = 0; n < d.n; n++)
        assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, (struct slice){ d.p, n }, &e));
    memcpy(bad, d.p, d.n);
    bad[d.n] = 0;
    assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, (struct slice){ bad, d.n + 1 }, &e));
    public_key_free(k);
}

static void lengths_and_ranges_are_checked(void **state)
{
    (void)state;
    struct public_key *k = kat_key();
    struct slice message = SLICE("sample"), good = unhex(&arena, kat_sig), n = unhex(&arena, p256_n);
    uint8_t sig[SIGNATURE_SIZE + 64] = { 0 };
    memcpy(sig, good.p, good.n);
    for (size_t len = 0; len <= sizeof sig; len++) {
        if (len == SIGNATURE_SIZE) continue;
        assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, (struct slice){ sig, len }, &e));
    }
    const uint8_t zero[32] = { 0 }, ones[32] = { [0 ... 31] = 0xff };
    const uint8_t *values[] = { zero, n.p, ones };
    for (size_t i = 0; i < 3; i++)
        for (int half = 0; half < 2; half++) {
            uint8_t der[80];
            memcpy(sig, good.p, SIGNATURE_SIZE);
            memcpy(sig + 32 * half, values[i], 32);
            struct slice raw = { sig, SIGNATURE_SIZE };
            assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, raw, &e));
            assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, to_der(raw, der), &e));
        }
    memset(sig, 0, sizeof sig);
    assert_refused(E_SIGNATURE, verify_signature(k, &message, 1, (struct slice){ sig, SIGNATURE_SIZE }, &e));

    /* (r, n - s) is the same signature seen from the other side; the specification asks for no low s. */
    memcpy(sig, good.p, SIGNATURE_SIZE);
    int borrow = 0;
    for (int i = 31; i >= 0; i--) {
        int v = n.p[i] - good.p[32 + i] - borrow;
        borrow = v < 0;
        sig[32 + i] = (uint8_t)v;
    }
    assert_ok(verify_signature(k, &message, 1, (struct slice){ sig, SIGNATURE_SIZE }, &e));
    public_key_free(k);
}

/* DER that means the right numbers in a wrong encoding is no DER. */
static void loose_der_is_refused(void **state)
{
    (void)state;
    struct public_key *k = kat_key();
    struct slice message = SLICE("sample");
    char r[] = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716";
    char s[] = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
    static const struct { const char *a, *b, *c; enum eim_err rc; } cases[] = {
        { "3046022100", "022100", "", OK },
        { "308146022100", "022100", "", E_SIGNATURE },             /* long form of the length */
        { "304702220000", "022100", "", E_SIGNATURE },             /* integer with a byte too many */
        { "30440220", "0220", "", E_SIGNATURE },                   /* negative integers */
        { "3080022100", "022100", "0000", E_SIGNATURE },           /* indefinite length */
        { "3048022100", "022100", "0500", E_SIGNATURE },           /* something after s */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[256];
        snprintf(hex, sizeof hex, "%s%s%s%s%s", cases[i].a, r, cases[i].b, s, cases[i].c);
        struct slice sig = unhex(&arena, hex);
        e = (struct err){ 0 };
        assert_int_equal(verify_signature(k, &message, 1, sig, &e), cases[i].rc);
    }
    public_key_free(k);
}

static void a_signature_is_bound_to_key_curve_and_token(void **state)
{
    (void)state;
    struct private_key *k[3];
    assert_ok(private_key_generate(&k[0], CURVE_P256, &e));
    assert_ok(private_key_generate(&k[1], CURVE_P256, &e));
    assert_ok(private_key_generate(&k[2], CURVE_BRAINPOOLP256R1, &e));
    struct slice message = SLICE("message");
    uint8_t sig[SIGNATURE_SIZE];
    for (int i = 0; i < 3; i++) {
        assert_ok(private_key_sign(k[i], &message, 1, sig, &e));
        for (int j = 0; j < 3; j++) {
            e = (struct err){ 0 };
            assert_int_equal(verify_signature(private_key_public(k[j]), &message, 1, (struct slice){ sig, sizeof sig }, &e),
                             i == j ? OK : E_SIGNATURE);
        }
    }
    struct slice last = { sig, sizeof sig };
    assert_refused(E_INVALID, verify_with_token(private_key_public(k[2]), message, -1, last, &e));
    assert_string_equal(e.field, "associationToken");
    for (int i = 0; i < 3; i++) private_key_free(k[i]);
}

/* ---- keys that are none ---- */

static void malformed_public_keys_are_refused(void **state)
{
    (void)state;
    struct private_key *p;
    struct public_key *k;
    for (size_t c = 0; c < 2; c++) {
        struct slice good;
        uint8_t bad[SPKI_MAX + 1];
        assert_ok(private_key_generate(&p, curves[c], &e));
        assert_ok(public_key_spki(private_key_public(p), &good, &arena, &e));
        assert_ok(public_key_parse(&k, good, &e));
        assert_true(public_key_equal(k, private_key_public(p)));
        public_key_free(k);
        for (size_t n = 0; n < good.n; n++) {
            assert_refused(E_INVALID, public_key_parse(&k, (struct slice){ good.p, n }, &e));
            assert_null(k);
        }
        memcpy(bad, good.p, good.n);
        bad[good.n] = 0;
        assert_refused(E_INVALID, public_key_parse(&k, (struct slice){ bad, good.n + 1 }, &e));
        for (size_t bit = 0; bit < 8 * good.n; bit++) {    /* header: another encoding; point: off the curve */
            memcpy(bad, good.p, good.n);
            bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_refused(E_INVALID, public_key_parse(&k, (struct slice){ bad, good.n }, &e));
        }
        struct slice point = public_key_point(private_key_public(p));
        assert_refused(E_INVALID, public_key_from_point(&k, curves[1 - c], point, &e));
        assert_string_equal(e.why, c ? "point is not on P-256" : "point is not on brainpoolP256r1");
        assert_refused(E_INVALID, public_key_from_point(&k, CURVE_NONE, point, &e));
        assert_refused(E_INVALID, public_key_from_point(&k, curves[c], (struct slice){ point.p, 64 }, &e));
        assert_refused(E_INVALID, public_key_from_point(&k, curves[c], (struct slice){ 0 }, &e));
        uint8_t other[POINT_SIZE] = { 0 };                 /* the point at infinity, padded; a point of zeros */
        assert_refused(E_INVALID, public_key_from_point(&k, curves[c], (struct slice){ other, sizeof other }, &e));
        other[0] = 4;
        assert_refused(E_INVALID, public_key_from_point(&k, curves[c], (struct slice){ other, sizeof other }, &e));
        memset(other + 1, 0xff, sizeof other - 1);         /* coordinates beyond the field */
        assert_refused(E_INVALID, public_key_from_point(&k, curves[c], (struct slice){ other, sizeof other }, &e));
        private_key_free(p);
    }
}

static void private_numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    struct private_key *p;
    uint8_t d[SCALAR_SIZE] = { 0 };
    assert_refused(E_INVALID, private_key_from_scalar(&p, CURVE_P256, d, &e));
    assert_null(p);
    struct slice n = unhex(&arena, p256_n);
    assert_refused(E_INVALID, private_key_from_scalar(&p, CURVE_P256, n.p, &e));
    memcpy(d, n.p, sizeof d);
    d[31]--;                                               /* n - 1 is the last good one */
    assert_ok(private_key_from_scalar(&p, CURVE_P256, d, &e));
    private_key_free(p);
    assert_refused(E_INVALID, private_key_from_scalar(&p, CURVE_BRAINPOOLP256R1, d, &e));   /* its order is smaller */
    assert_refused(E_INVALID, private_key_from_scalar(&p, CURVE_NONE, d, &e));
    assert_refused(E_INVALID, private_key_generate(&p, CURVE_NONE, &e));
}

static void curve_names_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) assert_int_equal(curve_named(curve_name(curves[i])), curves[i]);
    assert_int_equal(curve_named("P-384"), CURVE_NONE);
    assert_int_equal(curve_named(""), CURVE_NONE);
    assert_string_equal(curve_name(CURVE_NONE), "none");
}

/* ---- memory that runs out ---- */

/* Whatever allocation fails: an error that speaks of us and not of the signature, no crash, no leak (under ASan). */
static void running_out_of_memory_is_no_bad_signature(void **state)
{
    (void)state;
    struct slice message = SLICE("sample"), raw = unhex(&arena, kat_sig), point = unhex(&arena, kat_point);
    struct slice d = unhex(&arena, kat_d);
    uint8_t der[80], sig[SIGNATURE_SIZE];
    const struct slice forms[] = { raw, to_der(raw, der) };
    long failures = 0;
    for (long nth = 1;; nth++) {
        int done = 0;
        for (int form = 0; form < 2; form++) {
            struct public_key *k = NULL;
            alloc_left = nth;
            enum eim_err rc = public_key_from_point(&k, CURVE_P256, point, NULL);
            if (rc == OK) rc = verify_signature(k, &message, 1, forms[form], NULL);
            done += alloc_left > 0;
            alloc_left = 0;
            assert_true(rc == OK || rc == E_NOMEM || rc == E_CRYPTO);
            failures += rc != OK;
            public_key_free(k);
        }
        struct private_key *p = NULL;
        alloc_left = nth;
        enum eim_err rc = private_key_from_scalar(&p, CURVE_P256, d.p, NULL);
        if (rc == OK) rc = private_key_sign(p, &message, 1, sig, NULL);
        done += alloc_left > 0;
        alloc_left = 0;
        assert_true(rc == OK || rc == E_NOMEM || rc == E_CRYPTO);
        failures += rc != OK;
        private_key_free(p);
        if (done == 3) break;
        assert_true(nth < 5000);
    }
    assert_true(failures > 20);
    arena_free(&arena);
    arena_init(&arena, 64);
    struct private_key *p;
    struct slice spki;
    assert_ok(private_key_generate(&p, CURVE_P256, &e));
    assert_refused(E_NOMEM, public_key_spki(private_key_public(p), &spki, &arena, &e));
    private_key_free(p);
}

int main(void)
{
    CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);        /* before OpenSSL's first allocation */
#define T(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        T(vectors_come_out_as_they_say), T(a_real_card_verifies), T(known_answers_hold), T(digests_give_known_answers),
        T(comparing_and_wiping), T(the_openssl_command_agrees_both_ways), T(every_bit_of_a_signature_counts),
        T(lengths_and_ranges_are_checked), T(loose_der_is_refused), T(a_signature_is_bound_to_key_curve_and_token),
        T(malformed_public_keys_are_refused), T(private_numbers_out_of_range_are_refused), T(curve_names_go_both_ways),
        T(running_out_of_memory_is_no_bad_signature),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
