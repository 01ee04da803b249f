/* coapc.c -- a CoAP client that waits. */
#include "net/coapc.h"

#include <coap3/coap.h>
#include <netdb.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"

enum { TURN_MS = 100, CODE_CLASS = 32, SZX = 6, BLOCK = 16 << SZX, CONTINUE = 231 };

struct coapc {
    struct coapc_config c;
    struct arena memory;
    coap_context_t *context;
    coap_session_t *session;           /* NULL: none yet, or the last one has failed */
    uint32_t number;                   /* of the last message */
    /* of the request under way */
    struct buf *reply;
    uint8_t token[4];                  /* of the message that waits for an answer */
    unsigned code, szx;                /* szx: of the answer's block */
    bool done, lost, more;             /* more: the answer has another block */
};

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent, const coap_pdu_t *got, const coap_mid_t mid)
{
    struct coapc *c = coap_get_app_data(coap_session_get_context(session));
    const uint8_t *data = NULL;
    size_t n = 0;
    unsigned code = coap_pdu_get_code(got);
    coap_block_b_t block = { 0 };
    coap_bin_const_t token = coap_pdu_get_token(got);
    (void)sent;
    (void)mid;
    bool mine = token.length == sizeof c->token && !memcmp(token.s, c->token, sizeof c->token);
    if (!c->reply || c->done || !mine) return COAP_RESPONSE_OK;    /* of an earlier one */
    c->more = coap_get_block_b(session, got, COAP_OPTION_BLOCK2, &block) && block.m;
    c->szx = block.szx;
    if (coap_get_data(got, &n, &data) && n && code != COAP_RESPONSE_CODE_CONTINUE) buf_put(c->reply, slice_of(data, n));
    c->code = code / CODE_CLASS * 100 + code % CODE_CLASS;
    c->done = true;
    return COAP_RESPONSE_OK;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason, const coap_mid_t mid)
{
    struct coapc *c = coap_get_app_data(coap_session_get_context(session));
    (void)sent;
    (void)reason;
    (void)mid;
    c->lost = true;
}

/* The certificate's own name must be the host's; the chain was judged before. */
static int on_name(const char *cn, const uint8_t *der, size_t n, coap_session_t *session, unsigned depth, int validated, void *arg)
{
    const struct coapc *c = arg;
    const uint8_t *at = der;
    (void)cn;
    (void)session;
    if (depth || !validated) return validated;
    X509 *x = d2i_X509(NULL, &at, (long)n);
    bool good = x && (X509_check_host(x, c->c.host, 0, 0, NULL) == 1 || X509_check_ip_asc(x, c->c.host, 0) == 1);
    X509_free(x);
    return good;
}

/* libcoap reads anchors from a file only: bytes become one in memory. */
static bool anchor(struct coapc *c)
{
    char path[64];
    if (c->c.ca_file) return coap_context_set_pki_root_cas(c->context, c->c.ca_file, NULL);
    int fd = memfd_create("anchors", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool good = fd >= 0 && write(fd, c->c.ca_pem.p, c->c.ca_pem.n) == (ssize_t)c->c.ca_pem.n && coap_context_set_pki_root_cas(c->context, path, NULL);
    if (fd >= 0) close(fd);
    return good;
}

/* The address to send to; *found: there is one that may be. false: there is no such name. */
static bool resolve(const struct coapc *c, coap_address_t *out, bool *found)
{
    char port[16];
    struct addrinfo *list, hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
    snprintf(port, sizeof port, "%d", c->c.port);
    if (getaddrinfo(c->c.host, port, &hints, &list) != 0) return false;
    coap_address_init(out);
    const struct addrinfo *a = NULL;
    for (const struct addrinfo *i = list; i; i = i->ai_next)       /* IPv4 first: simulated servers have nothing else */
        if ((!a || (a->ai_family != AF_INET && i->ai_family == AF_INET)) && (!c->c.may_connect || c->c.may_connect(c->c.arg, i->ai_addr))) a = i;
    if (a) {
        out->size = a->ai_addrlen;
        memcpy(&out->addr, a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(list);
    *found = a != NULL;
    return true;
}

static coap_session_t *connect_to(struct coapc *c, const coap_address_t *a)
{
    char *host = (char *)(uintptr_t)c->c.host;        /* libcoap does not write to it */
    if (c->c.identity) {
        coap_dtls_cpsk_t psk = { .version = COAP_DTLS_CPSK_SETUP_VERSION, .client_sni = host,
            .psk_info = { { strlen(c->c.identity), (const uint8_t *)c->c.identity }, { c->c.key.n, c->c.key.p } } };
        return coap_new_client_session_psk2(c->context, NULL, a, COAP_PROTO_DTLS, &psk);
    }
    coap_dtls_pki_t pki = { .version = COAP_DTLS_PKI_SETUP_VERSION, .verify_peer_cert = 1, .cert_chain_validation = 1, .cert_chain_verify_depth = 3,
                            .client_sni = host, .validate_cn_call_back = on_name, .cn_call_back_arg = c, .pki_key = { .key_type = COAP_PKI_KEY_PEM } };
    if (!anchor(c)) return NULL;
    return coap_new_client_session_pki(c->context, NULL, a, COAP_PROTO_DTLS, &pki);
}

static enum eim_err open_client(struct coapc *c, const struct coapc_config *given, struct err *e)
{
    c->c = *given;
    c->c.host = arena_str(&c->memory, slice_str(given->host));
    c->c.ca_file = given->ca_file ? arena_str(&c->memory, slice_str(given->ca_file)) : NULL;
    c->c.identity = given->identity ? arena_str(&c->memory, slice_str(given->identity)) : NULL;
    c->c.ca_pem = given->ca_pem.n ? arena_copy(&c->memory, given->ca_pem) : (struct slice){ 0 };
    c->c.key = given->key.n ? arena_copy(&c->memory, given->key) : (struct slice){ 0 };
    if (!c->c.total_us) c->c.total_us = INT64_C(60) * 1000000;
    coap_startup();
    coap_set_log_level(LOG_EMERG);
    coap_dtls_set_log_level(LOG_EMERG);
    c->context = coap_new_context(NULL);
    if (!c->context || !c->c.host) return fail(e, E_NOMEM, NULL, "no memory for CoAP");
    coap_set_app_data(c->context, c);
    coap_context_set_block_mode(c->context, 0);    /* blocks are asked for here, where there is a ceiling */
    coap_register_response_handler(c->context, on_response);
    coap_register_nack_handler(c->context, on_nack);
    return OK;
}

enum eim_err coapc_new(struct coapc **out, const struct coapc_config *config, struct err *e)
{
    struct coapc *c = MEM_NEW(struct coapc);
    *out = NULL;
    if (!c) return fail(e, E_NOMEM, NULL, "no memory for CoAP");
    *c = (struct coapc){ 0 };
    arena_init(&c->memory, 1 << 20);
    enum eim_err rc = open_client(c, config, e);
    if (rc == OK) *out = c;
    else coapc_free(c);
    return rc;
}

static void disconnect(struct coapc *c)
{
    if (c->session) coap_session_release(c->session);
    c->session = NULL;
}

void coapc_free(struct coapc *c)
{
    if (!c) return;
    disconnect(c);
    if (c->context) coap_free_context(c->context);
    arena_free(&c->memory);
    mem_free(c);
}

static bool block_option(coap_optlist_t **options, coap_option_num_t number, unsigned num, bool more, unsigned szx)
{
    uint8_t b[4];
    return coap_insert_optlist(options, coap_new_optlist(number, coap_encode_var_safe(b, sizeof b, num << 4 | (more ? 8u : 0u) | szx), b));
}

/* One message: a block of a request (n_block1 >= 0), or the demand for a block of the answer (n_block2 >= 0). */
static bool ask(struct coapc *c, const char *path, struct slice data, int n_block1, bool more, int n_block2)
{
    coap_optlist_t *options = NULL;
    coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, COAP_REQUEST_CODE_POST, c->session);
    if (!pdu) return false;
    c->number++;
    memcpy(c->token, &c->number, sizeof c->token);
    c->done = false;
    bool good = coap_add_token(pdu, sizeof c->token, c->token);
    for (const char *at = path; good && *at;) {
        size_t part = strcspn(at, "/");
        good = coap_insert_optlist(&options, coap_new_optlist(COAP_OPTION_URI_PATH, part, (const uint8_t *)at));
        at += part + (at[part] == '/');
    }
    if (good && n_block1 >= 0) good = block_option(&options, COAP_OPTION_BLOCK1, (unsigned)n_block1, more, SZX);
    if (good && n_block2 >= 0) good = block_option(&options, COAP_OPTION_BLOCK2, (unsigned)n_block2, false, c->szx);
    good = good && coap_add_optlist_pdu(pdu, &options) && (!data.n || coap_add_data(pdu, data.n, data.p));
    coap_delete_optlist(options);
    if (good) return coap_send(c->session, pdu) != COAP_INVALID_MID;
    coap_delete_pdu(pdu);
    return false;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool wait_for(struct coapc *c, int64_t end)
{
    while (!c->done && !c->lost && now_us() < end && !(c->c.stop && atomic_load(c->c.stop))) (void)coap_io_process(c->context, TURN_MS);
    return c->done;
}

enum eim_err coapc_post(struct coapc *c, const char *path, struct slice body, unsigned *code, struct buf *reply, struct err *e)
{
    coap_address_t a;
    bool found = true;
    int64_t end = now_us() + c->c.total_us;
    *code = 0;
    buf_reset(reply);
    if (!c->session && !resolve(c, &a, &found)) return fail(e, E_IO, NULL, "%s: no such host", c->c.host);
    if (!found) return fail(e, E_RULE, NULL, "%s: its address is not one that may be connected to", c->c.host);
    if (!c->session && !(c->session = connect_to(c, &a))) return fail(e, E_IO, NULL, "no DTLS session with %s", c->c.host);
    c->reply = reply;
    c->lost = c->more = false;
    bool good = true;
    size_t at = 0;
    for (int i = 0; good && (i == 0 || at < body.n); i++) {        /* the request, block by block when it is more than one */
        size_t n = body.n - at < BLOCK ? body.n - at : BLOCK;
        bool blocks = body.n > BLOCK, more = at + n < body.n;
        good = ask(c, path, slice_of(body.p + at, n), blocks ? i : -1, more, -1) && wait_for(c, end);
        at += n;
        if (good && more && c->code != CONTINUE) break;            /* refused before its end: that is the answer */
    }
    for (int i = 1; good && c->more && !reply->failed; i++) good = ask(c, path, (struct slice){ 0 }, -1, false, i) && wait_for(c, end);
    c->reply = NULL;
    if (!good) {
        disconnect(c);
        return fail(e, E_IO, NULL, "no answer over CoAP from %s", c->c.host);
    }
    *code = c->code;
    if (!reply->failed) return OK;
    disconnect(c);
    *code = 0;
    return fail(e, E_TOO_LARGE, NULL, "the answer is larger than allowed");
}
