/* note.c -- Ed25519 keys and signed notes (c2sp.org/signed-note). */
#include "crypto/note.h"

#include <stdio.h>

#include <openssl/pem.h>

#include "base/file.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"

enum { ALGORITHM_ED25519 = 1, HASH_SIZE = 4, KEY_PEM_MAX = 8192, KEY_TEXT_MAX = NOTE_NAME_MAX + 80 };
static const char dash[] = "\xE2\x80\x94 ";            /* an em dash and a space begin a signature line */

struct note_signer {
    EVP_PKEY *pkey;                    /* NULL: `other` has it */
    struct note_other *other;
    char name[NOTE_NAME_MAX + 1];
    uint8_t hash[HASH_SIZE];
    char key[KEY_TEXT_MAX];
};

static bool name_ok(struct slice name)
{
    if (!name.n || name.n > NOTE_NAME_MAX) return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] == '+' || name.p[i] == 0x7F) return false;
    return true;
}

static enum eim_err key_hash(struct slice name, const uint8_t public[NOTE_PUBLIC_SIZE], uint8_t out[HASH_SIZE], struct err *e)
{
    uint8_t all[SHA256_SIZE];
    struct slice parts[] = { name, SLICE("\n\x01"), { public, NOTE_PUBLIC_SIZE } };
    TRY(digest_sha256_spans(parts, 3, all, e));
    memcpy(out, all, HASH_SIZE);
    return OK;
}

/* ---- the signer's file ---- */

static enum eim_err make_file(const char *path, struct err *e)
{
    EVP_PKEY *fresh = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *out = fresh ? BIO_new(BIO_s_mem()) : NULL;
    char *pem = NULL;
    enum eim_err rc = OK;
    if (!out || PEM_write_bio_PKCS8PrivateKey(out, fresh, NULL, NULL, 0, NULL, NULL) != 1) rc = ossl_fail(e, "making an Ed25519 key");
    if (rc == OK) {
        long n = BIO_get_mem_data(out, &pem);
        rc = file_write_new(path, 0600, slice_of(pem, (size_t)n), e);
        digest_wipe(pem, (size_t)n);
    }
    BIO_free(out);
    EVP_PKEY_free(fresh);
    return rc;
}

static enum eim_err read_file(EVP_PKEY **out, const char *path, struct err *e)
{
    uint8_t pem[KEY_PEM_MAX];
    size_t n;
    TRY(file_read(path, true, pem, sizeof pem, &n, e));
    BIO *in = BIO_new_mem_buf(pem, (int)n);
    *out = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    digest_wipe(pem, sizeof pem);
    if (*out && EVP_PKEY_is_a(*out, "ED25519")) return OK;
    EVP_PKEY_free(*out);
    *out = NULL;
    (void)ossl_no_memory();
    return fail_field(e, E_INVALID, NULL, "key", "%s holds no Ed25519 key", path);
}

static enum eim_err describe(struct note_signer *s, struct err *e)
{
    uint8_t blob[1 + NOTE_PUBLIC_SIZE] = { ALGORITHM_ED25519 };
    size_t n = NOTE_PUBLIC_SIZE;
    char hex[2 * HASH_SIZE + 1], b64[64];
    if (EVP_PKEY_get_raw_public_key(s->pkey, blob + 1, &n) != 1 || n != NOTE_PUBLIC_SIZE) return ossl_fail(e, "reading an Ed25519 key");
    TRY(key_hash(slice_str(s->name), blob + 1, s->hash, e));
    slice_hex(slice_of(s->hash, HASH_SIZE), false, hex);
    slice_to_b64(slice_of(blob, sizeof blob), b64);
    snprintf(s->key, sizeof s->key, "%s+%s+%s", s->name, hex, b64);
    return OK;
}

enum eim_err note_signer_open(struct note_signer **out, const char *path, const char *name, struct err *e)
{
    *out = NULL;
    if (!name_ok(slice_str(name))) return fail_field(e, E_INVALID, "C2SP signed-note", "name", "'%.60s' cannot name a signer of notes", name);
    EVP_PKEY *pkey;
    enum eim_err rc = read_file(&pkey, path, e);
    if (rc == E_NOT_FOUND) {
        *e = (struct err){ 0 };
        TRY(make_file(path, e));
        rc = read_file(&pkey, path, e);
    }
    if (rc != OK) return rc;
    struct note_signer *s = MEM_NEW(struct note_signer);
    if (!s) {
        EVP_PKEY_free(pkey);
        return fail(e, E_NOMEM, NULL, "no memory for a signer of notes");
    }
    s->pkey = pkey;
    snprintf(s->name, sizeof s->name, "%s", name);
    rc = describe(s, e);
    if (rc != OK) {
        note_signer_free(s);
        return rc;
    }
    *out = s;
    return OK;
}

void note_signer_free(struct note_signer *s)
{
    if (!s) return;
    EVP_PKEY_free(s->pkey);
    mem_free(s);
}

const char *note_signer_key(const struct note_signer *s)
{
    return s->key;
}

bool note_signer_remembers(const struct note_signer *s)
{
    return s->other != NULL;
}

enum eim_err note_sign(const struct note_signer *s, struct slice text, struct slice *note, struct arena *a, struct err *e)
{
    uint64_t wanted;
    return note_sign_head(s, text, &(struct note_proof){ 0 }, &wanted, note, a, e);
}

enum eim_err note_sign_head(const struct note_signer *s, struct slice text, const struct note_proof *proof, uint64_t *wanted, struct slice *note,
                            struct arena *a, struct err *e)
{
    uint8_t signature[HASH_SIZE + NOTE_SIGNATURE_SIZE];
    char b64[4 * ((sizeof signature + 2) / 3) + 1];
    size_t n = NOTE_SIGNATURE_SIZE;
    if (!text.n || text.p[text.n - 1] != '\n') return fail(e, E_INTERNAL, NULL, "a note must end in a newline");
    if (s->other) return s->other->sign(s->other, text, proof, wanted, note, a, e);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->pkey) == 1 &&
              EVP_DigestSign(ctx, signature + HASH_SIZE, &n, text.p, text.n) == 1 && n == NOTE_SIGNATURE_SIZE;
    EVP_MD_CTX_free(ctx);
    if (!ok) return ossl_fail(e, "signing a note");
    memcpy(signature, s->hash, HASH_SIZE);
    slice_to_b64(slice_of(signature, sizeof signature), b64);
    char *whole = arena_printf(a, "%.*s\n%s%s %s\n", (int)text.n, (const char *)text.p, dash, s->name, b64);
    if (!whole) return fail(e, E_NOMEM, NULL, "no room for a note");
    *note = slice_str(whole);
    return OK;
}

/* ---- checking ---- */

struct verifier { struct slice name; uint8_t hash[HASH_SIZE], public[NOTE_PUBLIC_SIZE]; };

static enum eim_err parse_key(const char *key, struct verifier *v, struct err *e)
{
    const char *first = strchr(key, '+'), *second = first ? strchr(first + 1, '+') : NULL;
    uint8_t blob[1 + NOTE_PUBLIC_SIZE], hash[HASH_SIZE];
    v->name = slice_of(key, first ? (size_t)(first - key) : 0);
    if (!second || !name_ok(v->name) || slice_unhex(slice_of(first + 1, (size_t)(second - first - 1)), v->hash, HASH_SIZE) != HASH_SIZE ||
        slice_from_b64(slice_str(second + 1), blob, sizeof blob) != (long)sizeof blob || blob[0] != ALGORITHM_ED25519)
        return fail_field(e, E_INVALID, "C2SP signed-note", "key", "a verifier key is NAME+HASH+BASE64 with an Ed25519 key");
    memcpy(v->public, blob + 1, NOTE_PUBLIC_SIZE);
    TRY(key_hash(v->name, v->public, hash, e));
    bool same = memcmp(hash, v->hash, HASH_SIZE) == 0;
    return same ? OK : fail_field(e, E_INVALID, "C2SP signed-note", "key", "name and hash of the verifier key do not belong together");
}

static bool good(const struct verifier *v, struct slice text, const uint8_t *signature)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, v->public, NOTE_PUBLIC_SIZE);
    EVP_MD_CTX *ctx = pkey ? EVP_MD_CTX_new() : NULL;
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, signature, NOTE_SIGNATURE_SIZE, text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    if (!ok) (void)ossl_no_memory();
    return ok;
}

/* One line "— NAME BASE64": is it a good signature of v? */
static bool line_good(const struct verifier *v, struct slice text, struct slice line)
{
    uint8_t raw[HASH_SIZE + NOTE_SIGNATURE_SIZE];
    size_t skip = sizeof dash - 1;
    if (line.n <= skip + v->name.n + 1 || memcmp(line.p, dash, skip) || memcmp(line.p + skip, v->name.p, v->name.n) || line.p[skip + v->name.n] != ' ')
        return false;
    skip += v->name.n + 1;
    return slice_from_b64(slice_of(line.p + skip, line.n - skip), raw, sizeof raw) == (long)sizeof raw && !memcmp(raw, v->hash, HASH_SIZE) &&
           good(v, text, raw + HASH_SIZE);
}

enum eim_err note_signer_other(struct note_signer **out, const char *key, struct note_other *o, struct err *e)
{
    struct verifier v;
    *out = NULL;
    if (strlen(key) >= KEY_TEXT_MAX) return fail_field(e, E_INVALID, "C2SP signed-note", "key", "a verifier key of %zu octets", strlen(key));
    TRY(parse_key(key, &v, e));
    struct note_signer *s = MEM_NEW(struct note_signer);
    if (!s) return fail(e, E_NOMEM, NULL, "no memory for a signer of notes");
    s->other = o;
    memcpy(s->name, v.name.p, v.name.n);
    memcpy(s->hash, v.hash, HASH_SIZE);
    memcpy(s->key, key, strlen(key));
    *out = s;
    return OK;
}

enum eim_err note_open(const char *key, struct slice note, struct slice *text, struct err *e)
{
    struct verifier v;
    TRY(parse_key(key, &v, e));
    if (note.n > NOTE_MAX || !note.n || note.p[note.n - 1] != '\n') return fail(e, E_MALFORMED, "C2SP signed-note", "a signed note ends in a newline");
    const uint8_t *gap = NULL;
    for (size_t i = 0; i + 1 < note.n; i++)
        if (note.p[i] == '\n' && note.p[i + 1] == '\n') gap = note.p + i;
    if (!gap) return fail(e, E_MALFORMED, "C2SP signed-note", "a signed note has an empty line before its signatures");
    *text = slice_of(note.p, (size_t)(gap - note.p) + 1);
    for (struct slice rest = slice_of(gap + 2, note.n - (size_t)(gap - note.p) - 2); rest.n;) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        struct slice line = slice_of(rest.p, (size_t)(end - rest.p));
        if (line_good(&v, *text, line)) return OK;
        rest = slice_of(end + 1, rest.n - line.n - 1);
    }
    return fail(e, E_SIGNATURE, "C2SP signed-note", "no signature of %.*s verifies", (int)v.name.n, (const char *)v.name.p);
}
