/* signer.c -- the signer that holds PEM files in memory, and the calls that go to any signer. */
#include "crypto/signer.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "asn1/sgp32.h"

enum { SECURE_HEAP = 1 << 20, SECURE_LEAST = 64 };       /* octets; both powers of two */

struct dir_signer {
    struct signer base;                /* first: a struct signer points here */
    size_t n;
    struct named_key {
        char name[SIGNER_NAME_MAX + 1];
        struct private_key *key;
    } keys[SIGNER_KEYS];               /* sorted by name; nothing changes after signer_open_dir */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named_key *)a)->name, ((const struct named_key *)b)->name);
}

static const struct private_key *find(const struct dir_signer *s, const char *name)
{
    struct named_key want = { 0 };
    int n = snprintf(want.name, sizeof want.name, "%s", name);
    if (n < 0 || (size_t)n >= sizeof want.name) return NULL;
    const struct named_key *k = bsearch(&want, s->keys, s->n, sizeof s->keys[0], by_name);
    return k ? k->key : NULL;
}

static enum eim_err dir_sign_one(const struct dir_signer *s, struct sign_request *r, struct err *e)
{
    uint8_t tlv[12];
    const struct private_key *k = find(s, r->key);
    if (!k) return fail(e, E_NOT_FOUND, NULL, "no signing key named \"%s\"", r->key);
    if (r->token < 0)
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", "associationToken", "a negative token is never signed");
    return private_key_sign(k, (struct slice[]){ r->tbs, sgp32_token_tlv(r->token, tlv) }, 2, r->sig, e);
}

static enum eim_err dir_sign(struct signer *base, struct sign_request *r, size_t n, struct err *e)
{
    enum eim_err first = OK;
    for (size_t i = 0; i < n; i++) {
        r[i].rc = dir_sign_one((struct dir_signer *)base, &r[i], e);
        if (first == OK) first = r[i].rc;
    }
    return first;
}

static enum eim_err dir_public(struct signer *base, const char *key, struct slice *spki, enum curve *curve, struct arena *a,
                               struct err *e)
{
    const struct private_key *k = find((struct dir_signer *)base, key);
    if (!k) return fail(e, E_NOT_FOUND, NULL, "no signing key named \"%s\"", key);
    if (curve) *curve = private_key_curve(k);
    return spki ? public_key_spki(private_key_public(k), spki, a, e) : OK;
}

static bool dir_name(struct signer *base, size_t i, char name[SIGNER_NAME_MAX + 1])
{
    const struct dir_signer *s = (struct dir_signer *)base;
    if (i >= s->n) return false;
    memcpy(name, s->keys[i].name, sizeof s->keys[i].name);
    return true;
}

static void dir_close(struct signer *base)
{
    struct dir_signer *s = (struct dir_signer *)base;
    for (size_t i = 0; i < s->n; i++) private_key_free(s->keys[i].key);
    OPENSSL_free(s);
}

static const struct signer_ops dir_ops = { .sign = dir_sign, .public = dir_public, .name = dir_name, .close = dir_close };

/* "NAME.pem" with a NAME as signer.h says? Copies NAME. */
static bool key_name(const char *file, char name[SIGNER_NAME_MAX + 1])
{
    size_t n = strlen(file);
    if (n <= 4 || n - 4 > SIGNER_NAME_MAX || file[0] == '.' || strcmp(file + n - 4, ".pem") != 0) return false;
    for (size_t i = 0; i < n - 4; i++) {
        char c = file[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-') return false;
    }
    memcpy(name, file, n - 4);
    name[n - 4] = 0;
    return true;
}

static enum eim_err load_all(struct dir_signer *s, DIR *d, const char *dir, struct err *e)
{
    for (;;) {
        char name[SIGNER_NAME_MAX + 1], path[PATH_MAX];
        errno = 0;
        const struct dirent *f = readdir(d);
        if (!f && errno) return fail(e, E_IO, NULL, "%s: %s", dir, strerror(errno));
        if (!f) break;
        if (!key_name(f->d_name, name)) continue;
        if (s->n == SIGNER_KEYS) return fail(e, E_LIMIT, NULL, "%s: more than %d keys", dir, SIGNER_KEYS);
        int n = snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
        if (n < 0 || (size_t)n >= sizeof path) return fail(e, E_CONF, NULL, "%s: path too long", f->d_name);
        TRY(private_key_load(&s->keys[s->n].key, path, e));
        memcpy(s->keys[s->n++].name, name, sizeof name);
    }
    qsort(s->keys, s->n, sizeof s->keys[0], by_name);
    return OK;
}

enum eim_err signer_open_dir(struct signer **out, const char *dir, struct err *e)
{
    *out = NULL;
    DIR *d = opendir(dir);
    if (!d) return fail(e, E_IO, NULL, "%s: %s", dir, strerror(errno));
    struct dir_signer *s = OPENSSL_zalloc(sizeof *s);
    enum eim_err rc = s ? OK : fail(e, E_NOMEM, NULL, "no memory for a signer");
    if (s) {
        s->base.ops = &dir_ops;
        rc = load_all(s, d, dir, e);
    }
    closedir(d);
    if (rc != OK) {
        if (s) dir_close(&s->base);
        return rc;
    }
    *out = &s->base;
    return OK;
}

void signer_close(struct signer *s)
{
    if (s) s->ops->close(s);
}

enum eim_err signer_sign(struct signer *s, struct sign_request *r, size_t n, struct err *e)
{
    return s->ops->sign(s, r, n, e);
}

enum eim_err signer_public(struct signer *s, const char *key, struct slice *spki, enum curve *curve, struct arena *a,
                           struct err *e)
{
    return s->ops->public(s, key, spki, curve, a, e);
}

bool signer_name(struct signer *s, size_t i, char name[SIGNER_NAME_MAX + 1])
{
    return s->ops->name(s, i, name);
}

enum eim_err signer_lock_memory(struct err *e)
{
    int got = CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST);
    if (!got) return fail(e, E_NOMEM, NULL, "no memory for the keys");
    return got == 1 ? OK : fail(e, E_LIMIT, NULL, "memory for the keys cannot be locked (RLIMIT_MEMLOCK)");
}

enum eim_err signer_generate(const char *path, enum curve c, struct err *e)
{
    struct private_key *k;
    TRY(private_key_generate(&k, c, e));
    enum eim_err rc = private_key_save(k, path, e);
    private_key_free(k);
    return rc;
}
