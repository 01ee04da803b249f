/* tls.h -- TLS of our listeners: certificates, tickets, and which certificate a client gets.
 *
 * TLS 1.2 and 1.3 with a P-256 certificate, and beside it, if configured, a brainpoolP256r1 one for TLS 1.2
 * only, for clients that cannot do P-256 (SGP.32 2.6.3). Cipher suites: spec/sgp32.md 4.2. ALPN http/1.1;
 * no compression, no renegotiation, no early data, no session-id cache: sessions are resumed by stateless tickets.
 *
 * A struct tls_server may be used by any number of threads and loops at once. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/err.h"

struct tls_server;
struct ssl_st;

/* Files are PEM; a certificate file holds the leaf first, then its issuers. At least one pair is given. */
struct tls_config {
    const char *cert_file, *key_file;          /* P-256, or NULL */
    const char *bp_cert_file, *bp_key_file;    /* brainpoolP256r1, or NULL */
    bool ask_client;                           /* a client without certificate is refused. Whose it is, is not judged here: the holder has
                                                  proven its key, and http_request.client says which it was. No tickets then */
    int64_t ticket_us;                         /* a ticket key is current for this long, then accepted for as long
                                                  again; 0: 12 hours */
    struct env *env;                           /* clock and randomness; outlives the server */
};

/* tls_server_new -- load and check all. E_CONF: a file is missing or broken, a key does not match or has another
 * curve than its place asks for (e->field is the member of tls_config). */
MUST enum eim_err tls_server_new(struct tls_server **out, const struct tls_config *c, struct err *e);

/* tls_server_reload -- use the certificates of *c for connections that begin from now on; open ones live on.
 * Tickets stay valid. ticket_us, ask_client and env of *c are ignored. On an error nothing changes. May read files. */
MUST enum eim_err tls_server_reload(struct tls_server *t, const struct tls_config *c, struct err *e);

/* tls_server_rotate -- make a new ticket key now; the one before stays good for accepting, older ones die.
 * Happens by itself every ticket_us. */
void tls_server_rotate(struct tls_server *t);

/* tls_server_free -- drops the server; its last users (open connections) may live longer only if they never
 * handshake again, so close the http_server first. NULL is a no-op. */
void tls_server_free(struct tls_server *t);

/* tls_server_ssl -- net's own: an SSL in accept state for a new connection, with the present certificates; NULL
 * without memory. Freed with SSL_free. */
struct ssl_st *tls_server_ssl(struct tls_server *t);

/* tls_error -- net's own: fail(e, code, ...) with the newest reason of OpenSSL's queue, which is emptied. */
enum eim_err tls_error(struct err *e, enum eim_err code, const char *field, const char *what);

#endif
