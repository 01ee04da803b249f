/* tls.c -- certificates, their choice, and session tickets of our listeners.
 *
 * OpenSSL keeps one ECDSA certificate in an SSL_CTX, and a brainpool one cannot serve TLS 1.3 at all. So there is one
 * SSL_CTX per curve. A connection begins with the P-256 one; its ClientHello callback, which runs before version and
 * certificate are settled, moves the connection to the brainpool one if the client has no use for P-256 (wants_p256
 * below), and then caps it at TLS 1.2. The P-256 context owns a reference to the brainpool one (as ex_data with a free
 * function), and every SSL owns one to its context: so a reload just swaps the pointer under a lock, and the old pair
 * is freed by OpenSSL's counting when the last connection that began with it has gone.
 *
 * Tickets (RFC 5077, RFC 8446 4.6.1) are sealed with the current of two random keys, shared by all contexts, loops and
 * reloads: AES-128-CBC and HMAC-SHA-256. When the current key has served ticket_us it becomes the previous one, which
 * still opens tickets (and has them renewed) for as long again. Keys live in memory only. */
#include "net/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char CIPHERS_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256:"
                                 "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256";
static const char CIPHERS_13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const int64_t TICKET_DEFAULT_US = (int64_t)12 * 3600 * 1000000;

enum {                                 /* code points: RFC 8446 4.2.3 and 4.2.7, RFC 7027 */
    SIG_ECDSA_P256_SHA256 = 0x0403,
    GROUP_P256 = 0x0017, GROUP_P384 = 0x0018, GROUP_X25519 = 0x001d, GROUP_BRAINPOOL_P256 = 0x001a,
    VERSION_13 = 0x0304,
};

struct ticket_key {
    bool good;
    unsigned char name[16], aes[16], mac[32];
};

struct tls_server {
    struct env *env;                   /* configuration */
    int64_t ticket_us;
    bool ask_client;
    EVP_CIPHER *aes;                   /* fetched once: OpenSSL 3 looks algorithms up by name on each use otherwise */
    pthread_mutex_t lock;              /* state, all under the lock */
    SSL_CTX *ctx;                      /* where connections begin; may own a second one */
    struct ticket_key now, before;
    int64_t since_us;                  /* `now` is current since then */
};

/* Indexes of ex_data: the brainpool context behind a P-256 one; the server of a context. */
static int second_index = -1, server_index = -1;
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

static void free_second(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    SSL_CTX_free(ptr);
}

static void make_indexes(void)
{
    second_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_second);
    server_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

enum eim_err tls_error(struct err *e, enum eim_err code, const char *field, const char *what)
{
    unsigned long err = ERR_peek_last_error();
    const char *reason = err ? ERR_reason_error_string(err) : NULL;
    ERR_clear_error();
    return fail_field(e, code, NULL, field, "%s: %s", what, reason ? reason : "no reason given");
}

/* Tickets. */

static void new_key(struct tls_server *t)
{
    t->before = t->now;
    t->now.good = true;
    t->env->random(t->env, t->now.name, sizeof t->now.name);
    t->env->random(t->env, t->now.aes, sizeof t->now.aes);
    t->env->random(t->env, t->now.mac, sizeof t->now.mac);
    t->since_us = t->env->now(t->env);
}

static void rotate_if_due(struct tls_server *t)
{
    int64_t age = t->env->now(t->env) - t->since_us;
    if (age >= 0 && age < t->ticket_us) return;
    if (age < 0 || age >= 2 * t->ticket_us) t->now.good = false;    /* nobody came for long, or the clock jumped */
    new_key(t);
}

void tls_server_rotate(struct tls_server *t)
{
    pthread_mutex_lock(&t->lock);
    new_key(t);
    pthread_mutex_unlock(&t->lock);
}

static bool ticket_crypt(const struct tls_server *t, const struct ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int enc)
{
    char sha256[] = "SHA256";
    unsigned char key[sizeof k->mac];
    memcpy(key, k->mac, sizeof key);
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof key),
                                  OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                                  OSSL_PARAM_construct_end() };
    bool ok = EVP_MAC_CTX_set_params(mac, params) == 1
              && EVP_CipherInit_ex2(cipher, t->aes, k->aes, iv, enc, NULL) == 1;
    OPENSSL_cleanse(key, sizeof key);
    return ok;
}

/* OpenSSL's contract: sealing: 1, or 0 for no ticket; opening: 1, 2 to have it renewed, 0 for an unknown key; -1 error. */
static int ticket_key_cb(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
    struct tls_server *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), server_index);
    struct ticket_key k;
    int ok = 1;
    pthread_mutex_lock(&t->lock);
    rotate_if_due(t);
    if (!enc && t->before.good && memcmp(name, t->before.name, 16) == 0) {
        k = t->before;
        ok = 2;
    } else k = t->now;
    pthread_mutex_unlock(&t->lock);
    if (SSL_version(ssl) == TLS1_3_VERSION) ok = 2;         /* RFC 8446 C.4: a ticket is for one use, so give another */
    if (enc) {
        ok = 1;
        memcpy(name, k.name, 16);
        t->env->random(t->env, iv, 16);
    } else if (memcmp(name, k.name, 16) != 0) ok = 0;
    if (ok && !ticket_crypt(t, &k, iv, cipher, mac, enc)) ok = -1;
    OPENSSL_cleanse(&k, sizeof k);
    return ok;
}

/* The choice of the certificate. */

/* Does the two-byte list behind a length of `prefix` bytes (1 or 2) in extension `type` hold a value? -1: no such extension. */
static int hello_has(SSL *ssl, unsigned type, size_t prefix, unsigned value)
{
    const unsigned char *p;
    size_t n;
    if (!SSL_client_hello_get0_ext(ssl, type, &p, &n)) return -1;
    for (size_t i = prefix; i + 1 < n; i += 2)
        if (((unsigned)p[i] << 8 | p[i + 1]) == value) return 1;
    return 0;
}

static bool wants_p256(SSL *ssl)
{
    if (hello_has(ssl, TLSEXT_TYPE_signature_algorithms, 2, SIG_ECDSA_P256_SHA256) == 0) return false;
    int p256 = hello_has(ssl, TLSEXT_TYPE_supported_groups, 2, GROUP_P256);
    if (p256) return true;             /* named, or no list of groups at all */
    /* TLS 1.3 does not bind the certificate's curve to supported_groups; any common group will do for the key exchange. */
    return hello_has(ssl, TLSEXT_TYPE_supported_versions, 1, VERSION_13) == 1
           && (hello_has(ssl, TLSEXT_TYPE_supported_groups, 2, GROUP_X25519) == 1
               || hello_has(ssl, TLSEXT_TYPE_supported_groups, 2, GROUP_P384) == 1);
}

static int hello_cb(SSL *ssl, int *alert, void *arg)
{
    (void)arg;
    SSL_CTX *second = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), second_index);
    if (!second || wants_p256(ssl)
        || hello_has(ssl, TLSEXT_TYPE_supported_groups, 2, GROUP_BRAINPOOL_P256) != 1) return SSL_CLIENT_HELLO_SUCCESS;
    if (SSL_set_SSL_CTX(ssl, second) && SSL_set_max_proto_version(ssl, TLS1_2_VERSION)) return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

static int alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen, void *arg)
{
    (void)ssl, (void)arg;
    for (unsigned i = 0; i < inlen; i += 1u + in[i]) {
        if (in[i] != 8 || inlen - i < 9 || memcmp(in + i + 1, "http/1.1", 8) != 0) continue;
        *out = in + i + 1;
        *outlen = 8;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Any certificate will do whose key the client has: who it is, the handler looks up by the certificate itself. */
static int client_cb(int good, X509_STORE_CTX *ctx)
{
    (void)good;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* Building a context. */

static int no_passphrase(char *buf, int size, int rw, void *arg)
{
    (void)buf, (void)size, (void)rw, (void)arg;
    return -1;                         /* never ask on a terminal */
}

static enum eim_err load_pair(SSL_CTX *ctx, const char *cert, const char *key, bool brainpool, struct err *e)
{
    const char *cert_field = brainpool ? "bp_cert_file" : "cert_file", *key_field = brainpool ? "bp_key_file" : "key_file";
    if (!cert || !key) return fail_field(e, E_CONF, NULL, cert ? key_field : cert_field, "certificate and key go together");
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) return tls_error(e, E_CONF, cert_field, cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return tls_error(e, E_CONF, key_field, key);
    char curve[64] = "";
    const char *want = brainpool ? "brainpoolP256r1" : "prime256v1";
    if (EVP_PKEY_get_group_name(SSL_CTX_get0_privatekey(ctx), curve, sizeof curve, NULL) != 1 || strcmp(curve, want) != 0) {
        ERR_clear_error();
        return fail_field(e, E_CONF, "SGP.32 2.6.3", key_field, "%s: not a %s key", key, want);
    }
    return OK;
}

static bool set_up(SSL_CTX *ctx, struct tls_server *t, bool brainpool)
{
    char groups[] = "P-256:X25519:P-384:brainpoolP256r1";
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE
                             | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);    /* header and body of a record in one read(2) */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_timeout(ctx, (long)(2 * t->ticket_us / 1000000 + 1));
    if (t->ask_client) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, client_cb);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
    SSL_CTX_set_client_hello_cb(ctx, hello_cb, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, alpn_cb, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) && (!brainpool || SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION))
           && SSL_CTX_set_cipher_list(ctx, CIPHERS_12) && SSL_CTX_set_ciphersuites(ctx, CIPHERS_13)
           && SSL_CTX_set1_groups_list(ctx, groups) && SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"eimd", 4)
           && SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key_cb) && SSL_CTX_set_ex_data(ctx, server_index, t);
}

static enum eim_err make_ctx(SSL_CTX **out, struct tls_server *t, const char *cert, const char *key, bool brainpool, struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || !set_up(ctx, t, brainpool)) {
        SSL_CTX_free(ctx);
        return tls_error(e, E_INTERNAL, "", "cannot set up TLS");
    }
    enum eim_err rc = load_pair(ctx, cert, key, brainpool, e);
    if (rc != OK) SSL_CTX_free(ctx);
    else *out = ctx;
    return rc;
}

enum eim_err tls_server_reload(struct tls_server *t, const struct tls_config *c, struct err *e)
{
    SSL_CTX *p256 = NULL, *brainpool = NULL;
    if (!c->cert_file && !c->bp_cert_file) return fail_field(e, E_CONF, NULL, "cert_file", "no TLS certificate is given");
    if (c->bp_cert_file || c->bp_key_file) TRY(make_ctx(&brainpool, t, c->bp_cert_file, c->bp_key_file, true, e));
    if (c->cert_file || c->key_file) {
        enum eim_err rc = make_ctx(&p256, t, c->cert_file, c->key_file, false, e);
        if (rc == OK && brainpool && !SSL_CTX_set_ex_data(p256, second_index, brainpool))
            rc = fail(e, E_NOMEM, NULL, "no memory for TLS");
        if (rc != OK) {
            SSL_CTX_free(brainpool);
            SSL_CTX_free(p256);
            return rc;
        }
    }
    pthread_mutex_lock(&t->lock);
    SSL_CTX *old = t->ctx;
    t->ctx = p256 ? p256 : brainpool;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    return OK;
}

enum eim_err tls_server_new(struct tls_server **out, const struct tls_config *c, struct err *e)
{
    pthread_once(&index_once, make_indexes);
    struct tls_server *t = calloc(1, sizeof *t);
    if (!t || second_index < 0 || server_index < 0 || !(t->aes = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL))) {
        free(t);
        return fail(e, E_NOMEM, NULL, "no memory for TLS");
    }
    t->env = c->env;
    t->ask_client = c->ask_client;
    t->ticket_us = c->ticket_us > 0 ? c->ticket_us : TICKET_DEFAULT_US;
    pthread_mutex_init(&t->lock, NULL);
    new_key(t);
    enum eim_err rc = tls_server_reload(t, c, e);
    if (rc != OK) tls_server_free(t);
    else *out = t;
    return rc;
}

void tls_server_free(struct tls_server *t)
{
    if (!t) return;
    SSL_CTX_free(t->ctx);
    EVP_CIPHER_free(t->aes);
    pthread_mutex_destroy(&t->lock);
    OPENSSL_cleanse(&t->now, sizeof t->now);
    OPENSSL_cleanse(&t->before, sizeof t->before);
    free(t);
}

SSL *tls_server_ssl(struct tls_server *t)
{
    pthread_mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->ctx);
    pthread_mutex_unlock(&t->lock);
    if (ssl) SSL_set_accept_state(ssl);
    else ERR_clear_error();
    return ssl;
}
