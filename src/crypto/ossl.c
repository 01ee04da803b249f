/* ossl.c -- what OpenSSL makes us fetch once, and its errors in our words. */
#include "crypto/ossl.h"

#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

/* The only static state of this room: OpenSSL's own objects, set once under pthread_once and constant from then on
 * (invariant I10 allows that to libraries' state). They live as long as the process. */
static struct ossl lib;
static bool lib_ok;
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

const char *ossl_group(enum curve c)
{
    return c == CURVE_P256 ? "P-256" : c == CURVE_BRAINPOOLP256R1 ? "brainpoolP256r1" : NULL;
}

/* The pattern's point is one of no secret number that we keep; what OpenSSL writes for it shows how a
 * SubjectPublicKeyInfo on this curve begins, so that we need to know no DER here. */
static bool make_curve(struct ossl_curve *c, const char *group)
{
    EVP_PKEY *whole = EVP_EC_gen(group);
    uint8_t *der = NULL, point[POINT_SIZE];
    size_t n = 0;
    int der_n = whole ? i2d_PUBKEY(whole, &der) : 0;
    bool ok = der_n > POINT_SIZE && der_n <= SPKI_MAX &&
              EVP_PKEY_get_octet_string_param(whole, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) == 1 &&
              n == POINT_SIZE && memcmp(der + der_n - POINT_SIZE, point, POINT_SIZE) == 0;
    if (ok) {
        c->spki_n = (size_t)der_n - POINT_SIZE;
        memcpy(c->spki, der, c->spki_n);
        const uint8_t *p = der;
        c->pattern = d2i_PUBKEY(NULL, &p, der_n);  /* without the secret half: no copy must ever carry one */
        ok = c->pattern != NULL;
    }
    OPENSSL_free(der);
    EVP_PKEY_free(whole);
    return ok;
}

static void make_lib(void)
{
    lib.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    lib_ok = lib.sha256 && make_curve(&lib.curve[CURVE_P256], ossl_group(CURVE_P256)) &&
             make_curve(&lib.curve[CURVE_BRAINPOOLP256R1], ossl_group(CURVE_BRAINPOOLP256R1));
}

const struct ossl *ossl(void)
{
    pthread_once(&lib_once, make_lib);
    return lib_ok ? &lib : NULL;
}

bool ossl_no_memory(void)
{
    bool memory = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;)
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) memory = true;
    return memory;
}

enum eim_err ossl_fail(struct err *e, const char *step)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (ossl_no_memory()) return fail(e, E_NOMEM, NULL, "%s failed: out of memory", step);
    return fail(e, E_CRYPTO, NULL, "%s failed: %s", step, reason ? reason : "no reason given");
}
