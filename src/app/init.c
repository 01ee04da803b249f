/* init.c -- `eimd init`: made step by step, each step only if its result is not there, so that it can be repeated after
 * any interruption. */
#include "app/init.h"

#include "app/system.h"
#include "base/env.h"
#include "base/file.h"
#include "crypto/certmake.h"
#include "crypto/signer.h"
#include "store/store.h"
#include "trust/identity.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CERT_YEARS = 10, CONF_TEXT_MAX = 64 * 1024, CN_MAX = 64, TOKEN_FILE_MAX = 256 };

#define TOKEN_NAME "admin"

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* lawful_fqdn -- letters, digits, '-' and '.' as RFC 1123 has names; it goes into a certificate and into eUICCs. */
static bool lawful_fqdn(const char *s)
{
    size_t n = strlen(s), label = 0;
    if (n == 0 || n > 253) return false;
    for (size_t i = 0; i <= n; i++) {
        if (s[i] == '.' || !s[i]) {
            if (label == 0 || label > 63 || s[i - 1] == '-') return false;
            label = 0;
        } else if ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') || (s[i] == '-' && label)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

static enum eim_err make_conf(const char *data, const char *fqdn, struct arena *a, struct err *e)
{
    char *path = system_path(a, data, "eimd.conf");
    if (!path) return fail(e, E_NOMEM, NULL, "no memory");
    if (exists(path)) return OK;
    struct buf text;
    buf_init(&text, CONF_TEXT_MAX);
    conf_print_defaults(&text, fqdn);
    enum eim_err rc = text.failed ? fail(e, E_NOMEM, NULL, "no memory") : file_write_new(path, 0600, buf_slice(&text), e);
    buf_free(&text);
    return rc;
}

/* tls_certificate -- self-signed for the fqdn and this machine: devices take it as their trust anchor (tag A6). */
static enum eim_err tls_certificate(const char *cert_path, const struct private_key *key, const char *fqdn, struct env *env,
                                    struct arena *a, struct err *e)
{
    const char *dns[] = { "localhost", fqdn };
    static const char *const ip[] = { "127.0.0.1", "::1" };
    struct slice der, pem;
    int64_t day = CONF_D, from = env->now(env) / day * day - day;
    size_t names = strcmp(fqdn, "localhost") == 0 ? 1 : 2;
    TRY(certmake_tls(&der, key, strlen(fqdn) <= CN_MAX ? fqdn : "eimd", dns, names, ip, 2, from, from + CERT_YEARS * 365 * day, a, e));
    TRY(cert_to_pem(der, &pem, a, e));
    return file_write_new(cert_path, 0600, pem, e);
}

static enum eim_err make_tls(const char *data, const struct conf *c, struct env *env, struct arena *a, struct err *e)
{
    char *key_path = system_path(a, data, c->tls_key), *cert_path = system_path(a, data, c->tls_certificate);
    struct private_key *key = NULL;
    if (!key_path || !cert_path) return fail(e, E_NOMEM, NULL, "no memory");
    if (exists(cert_path)) return OK;
    if (exists(key_path)) {                            /* interrupted between the two, or a key that a person brought */
        TRY(private_key_load(&key, key_path, e));
    } else {
        TRY(private_key_generate(&key, CURVE_P256, e));
        enum eim_err rc = private_key_save(key, key_path, e);
        if (rc != OK) {
            private_key_free(key);
            return rc;
        }
    }
    enum eim_err rc = tls_certificate(cert_path, key, c->eim_fqdn, env, a, e);
    private_key_free(key);
    return rc;
}

static enum eim_err make_signing_key(const char *data, const struct conf *c, struct arena *a, struct err *e)
{
    char *path = arena_printf(a, "%s/keys/%s.pem", data, c->eim_signing_key);
    if (!path) return fail(e, E_NOMEM, NULL, "no memory");
    return exists(path) ? OK : signer_generate(path, CURVE_P256, e);
}

char *init_store_url(const struct conf *c, const char *data, struct arena *a)
{
    return *c->store_url ? arena_str(a, slice_str(c->store_url)) : arena_printf(a, "sqlite:%s/eimd.db", data);
}

enum eim_err init_keep_token(const char *data, struct host *host, struct arena *a, struct err *e)
{
    uint8_t text[TOKEN_FILE_MAX];
    size_t n;
    char *path = system_path(a, data, "admin.token");
    if (!path) return fail(e, E_NOMEM, NULL, "no memory");
    if (!exists(path)) return OK;
    TRY(file_read(path, true, text, sizeof text, &n, e));
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
    struct err why = { 0 };
    enum eim_err rc = identity_token_keep(host, TOKEN_NAME, slice_of(text, n), a, &why);
    if (rc == E_INVALID) return fail_field(e, E_CONF, NULL, "admin.token", "%s holds no token; remove it and run eimd init", path);
    return rc == OK ? OK : fail(e, rc, why.clause, "%s", why.why);
}

static enum eim_err token_in_store(const char *path, const char *data, struct host *host, char **token, struct arena *a, struct err *e)
{
    if (exists(path)) return init_keep_token(data, host, a, e);
    TRY(identity_token_create(host, TOKEN_NAME, token, a, e));
    char *line = arena_printf(a, "%s\n", *token);
    if (!line) return fail(e, E_NOMEM, NULL, "no memory");
    return file_write_new(path, 0600, slice_str(line), e);
}

static enum eim_err make_token(const char *data, const struct conf *c, struct env *env, char **token, struct arena *a, struct err *e)
{
    char *path = system_path(a, data, "admin.token"), *url = init_store_url(c, data, a);
    struct store_options o = { .url = url, .readers = 1, .writers = 1 };
    struct host host = { .env = env };
    if (!path || !url) return fail(e, E_NOMEM, NULL, "no memory");
    TRY(store_open(&host.store, &o, e));
    enum eim_err rc = token_in_store(path, data, &host, token, a, e);
    store_close(host.store);
    return rc;
}

enum eim_err init_data(const char *data, const char *fqdn, struct env *env, char **token, struct arena *a, struct err *e)
{
    static const char *const folders[] = { "keys", "tls", "trust", "audit" };
    *token = NULL;
    if (fqdn && !lawful_fqdn(fqdn)) return fail_field(e, E_CONF, "RFC 1123 2.1", "fqdn", "'%.60s' is no host name", fqdn);
    TRY(system_folder(data, e));
    TRY(system_check_data(data, e));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char *path = system_path(a, data, folders[i]);
        if (!path) return fail(e, E_NOMEM, NULL, "no memory");
        TRY(system_folder(path, e));
    }
    TRY(make_conf(data, fqdn, a, e));

    struct conf c;
    char *path = system_path(a, data, "eimd.conf");
    if (!path) return fail(e, E_NOMEM, NULL, "no memory");
    TRY(conf_read(&c, path, e));
    enum eim_err rc = lawful_fqdn(c.eim_fqdn) ? OK : fail_field(e, E_CONF, "RFC 1123 2.1", "eim.fqdn", "'%.60s' is no host name", c.eim_fqdn);
    if (rc == OK && fqdn && strcmp(fqdn, c.eim_fqdn) != 0)
        rc = fail_field(e, E_CONF, NULL, "eim.fqdn", "%s: eim.fqdn is %.80s; change it there", path, c.eim_fqdn);
    if (rc == OK) rc = make_signing_key(data, &c, a, e);
    if (rc == OK) rc = make_tls(data, &c, env, a, e);
    if (rc == OK) rc = make_token(data, &c, env, token, a, e);
    conf_free(&c);
    return rc;
}
