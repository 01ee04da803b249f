/* coap.h -- CoAP over DTLS 1.2 (RFC 7252, 7959) on a thread of its own, by libcoap. What it brings looks like a request over HTTP: a handler serves
 * both, and RFC 8075 says which code stands for which status (SGP.32 6.2; spec 4.4).
 *
 * Bounded: a request as the handler allows, put together from blocks here; one request of a session under way; so many of an address; so
 * many octets of answers kept for those who fetch them block by block. A request that comes again while it is under way, or right after, is
 * not given to the handler again (RFC 7252 4.5). Raw public keys are not offered: libcoap has them not with OpenSSL. */
#ifndef NET_COAP_H
#define NET_COAP_H

#include "net/http.h"

struct coap_server;

/* Zero means the default in brackets. Strings are copied. */
struct coap_config {
    const char *address;               /* numeric IPv4 or IPv6 ["127.0.0.1"] */
    int port;                          /* 0: any free one, see coap_server_port */
    const char *cert_file, *key_file;  /* PEM: the one certificate that is shown, and its key */
    const char *psk_file;              /* pre-shared keys: "IDENTITY:HEX" a line, # begins a comment; NULL: none */
    void (*handle)(void *arg, struct http_exchange *x);              /* as of net/http.h; called on the thread of this server */
    void *arg;
    size_t body_bytes;                 /* of a request [64 KiB] */
    size_t arena_bytes;                /* for the handler, beside the request [1 MiB] */
    size_t kept_bytes;                 /* of answers that wait to be fetched, all together [64 MiB] */
    unsigned sessions;                 /* DTLS sessions; an idle one goes for a new one [1,000] */
    unsigned per_address;              /* requests of one address under way or half here [16] */
    int64_t idle_us;                   /* a session without request goes after that [5 min] */
    int64_t assembly_us;               /* and a request of which blocks are missing [60 s] */
};

/* coap_server_start -- bind, make the thread, serve. E_CONF: bad address, certificate, key or PSK file (e->why: file and line); E_IO: the port is
 * taken, or no thread. */
MUST enum eim_err coap_server_start(struct coap_server **out, const struct coap_config *c, struct err *e);
int coap_server_port(const struct coap_server *s);

/* coap_server_stop -- take no more, wait until every exchange with a handler is answered (so stop the workers later), free. Blocks. NULL is a no-op. */
void coap_server_stop(struct coap_server *s);

/* Counters since the start, except sessions_open. X(name, what it counts). */
#define COAP_STATS(X)                                                            \
    X(sessions_open,     "DTLS sessions open now")                               \
    X(sessions,          "DTLS sessions made")                                   \
    X(requests,          "requests given to the handler")                        \
    X(requests_again,    "requests that came again and were not given to it")    \
    X(requests_refused,  "requests refused before the handler")                  \
    X(blocks_in,         "blocks of requests taken")                             \
    X(blocks_out,        "blocks of answers fetched after the first")            \
    X(separate,          "answers sent after an empty acknowledgement")
struct coap_stats {
#define X(name, help) uint64_t name;
    COAP_STATS(X)
#undef X
};
void coap_server_stats(const struct coap_server *s, struct coap_stats *out);

#endif
