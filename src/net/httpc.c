/* httpc.c -- a blocking HTTP(S) client: one libcurl easy handle, set up once, used for many requests. */
#include "net/httpc.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

enum { REPLY_MAX = 16 << 20, HEADERS_MAX = 64, REPLY_HEADERS_MAX = 256 };

struct httpc {
    CURL *curl;
    struct curl_slist *resolve, *auth;
    struct buf *reply;                 /* of the request under way */
    size_t reply_bytes, got, headers;
    bool too_large, forbidden;
    bool (*may_connect)(void *arg, const struct sockaddr *address);
    void *arg;
    char why[CURL_ERROR_SIZE];
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct httpc *h = arg;
    n *= size;
    if (n > h->reply_bytes - h->got) {
        h->too_large = true;
        return 0;                      /* libcurl ends the transfer */
    }
    h->got += n;
    buf_put(h->reply, slice_of(p, n));
    h->too_large = h->reply->failed;
    return h->too_large ? 0 : n;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct httpc *h = arg;
    (void)p;
    return ++h->headers > REPLY_HEADERS_MAX ? 0 : size * n;
}

/* Instead of libcurl's own socket(): so the address is judged that is connected to, whatever the name resolved to a moment before. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct httpc *h = arg;
    (void)purpose;
    h->forbidden = !h->may_connect(h->arg, &a->addr);
    return h->forbidden ? CURL_SOCKET_BAD : socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int on_progress(void *arg, curl_off_t down, curl_off_t have, curl_off_t up, curl_off_t sent)
{
    (void)down, (void)have, (void)up, (void)sent;
    return atomic_load((const atomic_bool *)arg);
}

enum eim_err httpc_init(struct err *e)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? OK : fail(e, E_INTERNAL, NULL, "libcurl does not start");
}

#define SET(option, value) (ok = ok && curl_easy_setopt(h->curl, option, value) == CURLE_OK)

static bool set_trust(struct httpc *h, const struct httpc_config *c)
{
    bool ok = true;
    struct curl_blob pem = { (void *)(uintptr_t)c->ca_pem.p, c->ca_pem.n, CURL_BLOB_COPY };
    if (c->ca_file || c->ca_pem.n) SET(CURLOPT_CAPATH, NULL);      /* libcurl would go on trusting the system's folder of roots beside them */
    if (c->ca_file) SET(CURLOPT_CAINFO, c->ca_file);
    if (c->ca_pem.n) SET(CURLOPT_CAINFO_BLOB, &pem);
    if (c->pin) SET(CURLOPT_PINNEDPUBLICKEY, c->pin);
    if (c->pinned_only) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return ok;
}

static bool set_up(struct httpc *h, const struct httpc_config *c)
{
    bool ok = true;
    int64_t connect_ms = (c->connect_us ? c->connect_us : 10000000) / 1000, total_ms = (c->total_us ? c->total_us : 60000000) / 1000;
    h->reply_bytes = c->reply_bytes ? c->reply_bytes : REPLY_MAX;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, c->https_only ? "https" : "http,https");
    h->may_connect = c->may_connect;
    h->arg = c->arg;
    if (c->may_connect) {
        SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
        SET(CURLOPT_OPENSOCKETDATA, h);
    }
    if (c->stop) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)c->stop);
    }
    if (c->cert_file) SET(CURLOPT_SSLCERT, c->cert_file);
    if (c->key_file) SET(CURLOPT_SSLKEY, c->key_file);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_ERRORBUFFER, h->why);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, h);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, h);
    SET(CURLOPT_USERAGENT, c->user_agent ? c->user_agent : "eimd");
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ms ? connect_ms : 1));
    SET(CURLOPT_TIMEOUT_MS, (long)(total_ms ? total_ms : 1));
    SET(CURLOPT_FRESH_CONNECT, (long)c->fresh);
    SET(CURLOPT_FORBID_REUSE, (long)c->fresh);
    SET(CURLOPT_SSL_SESSIONID_CACHE, (long)!c->no_resume);
    if (c->bearer) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, c->bearer);
    }
    if (c->resolve) {
        h->resolve = curl_slist_append(NULL, c->resolve);
        ok = ok && h->resolve;
        SET(CURLOPT_RESOLVE, h->resolve);
    }
    return ok && set_trust(h, c);
}

enum eim_err httpc_new(struct httpc **out, const struct httpc_config *c, struct err *e)
{
    if (c->pinned_only && !c->pin) return fail_field(e, E_CONF, NULL, "pinned_only", "needs a pin");
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);           /* OpenSSL writes to sockets that the peer may have closed */
    struct httpc *h = calloc(1, sizeof *h);
    if (!h || !(h->curl = curl_easy_init())) {
        free(h);
        return fail(e, E_NOMEM, NULL, "no memory for an HTTP client");
    }
    if (!set_up(h, c)) {
        httpc_free(h);
        return fail(e, E_CONF, NULL, "libcurl refuses a setting of the HTTP client");
    }
    *out = h;
    return OK;
}

void httpc_free(struct httpc *h)
{
    if (!h) return;
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->resolve);
    free(h);
}

/* NULL without memory. "Expect:" keeps libcurl from waiting for 100 Continue; a body without a type has none. */
static struct curl_slist *make_headers(const char *const *headers)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    bool typed = false;
    for (int i = 0; list && headers && headers[i] && i < HEADERS_MAX; i++) {
        struct curl_slist *more = curl_slist_append(list, headers[i]);
        if (!more) curl_slist_free_all(list);
        list = more;
        typed |= strncasecmp(headers[i], "Content-Type:", 13) == 0;
    }
    if (!list || typed) return list;
    struct curl_slist *more = curl_slist_append(list, "Content-Type:");
    if (!more) curl_slist_free_all(list);
    return more;
}

static bool set_request(struct httpc *h, const char *method, const char *url, struct curl_slist *list, struct slice body)
{
    bool ok = true, head = strcmp(method, "HEAD") == 0;
    SET(CURLOPT_HTTPGET, 1L);          /* undoes the last request's method and body */
    SET(CURLOPT_NOBODY, (long)head);
    if (body.p) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        SET(CURLOPT_POSTFIELDS, body.p);
    }
    SET(CURLOPT_CUSTOMREQUEST, head ? NULL : method);
    SET(CURLOPT_URL, url);
    SET(CURLOPT_HTTPHEADER, list);
    return ok;
}

enum eim_err httpc_request(struct httpc *h, const char *method, const char *url, const char *const *headers,
                           struct slice body, int *status, struct buf *reply, struct err *e)
{
    struct curl_slist *list = make_headers(headers);
    *status = 0;
    buf_reset(reply);
    if (!list || !set_request(h, method, url, list, body)) {
        curl_slist_free_all(list);
        return fail(e, E_NOMEM, NULL, "no memory for a request");
    }
    h->reply = reply;
    h->got = h->headers = 0;
    h->too_large = h->forbidden = false;
    h->why[0] = 0;
    CURLcode rc = curl_easy_perform(h->curl);
    long code = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(list);
    h->reply = NULL;
    if (rc == CURLE_OK) {
        *status = (int)code;
        return OK;
    }
    buf_reset(reply);
    if (h->too_large) return fail(e, E_TOO_LARGE, NULL, "%s: the reply is larger than allowed", url);
    if (h->forbidden) return fail(e, E_RULE, NULL, "%s: leads to an address that we do not connect to", url);
    return fail(e, E_IO, NULL, "%s: %s", url, h->why[0] ? h->why : curl_easy_strerror(rc));
}

bool httpc_sent(struct httpc *h)
{
    long octets = 1;
    return curl_easy_getinfo(h->curl, CURLINFO_REQUEST_SIZE, &octets) != CURLE_OK || octets > 0;
}

const char *httpc_reply_header(struct httpc *h, const char *name)
{
    struct curl_header *found;
    return curl_easy_header(h->curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}
