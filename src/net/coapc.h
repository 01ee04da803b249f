/* coapc.h -- a simple blocking CoAP client over DTLS (RFC 7252, 7959), by libcoap, for the simulators and for injection. One handle belongs to one
 * thread; it keeps its DTLS session between requests. */
#ifndef NET_COAPC_H
#define NET_COAPC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct coapc;
struct sockaddr;

/* Strings are copied. */
struct coapc_config {
    const char *host;                  /* a name or an address */
    int port;
    const char *ca_file;               /* PEM: whom the server's certificate, which must be for `host`, is checked against */
    struct slice ca_pem;               /* or the same as bytes */
    /* called with each address before it is sent to; false: it is not, and the next one is tried. [all are] */
    bool (*may_connect)(void *arg, const struct sockaddr *address);
    void *arg;
    const atomic_bool *stop;           /* once true, a request under way ends within about a second with E_IO [never] */
    const char *identity;              /* with it, a pre-shared key is used instead */
    struct slice key;
    int64_t total_us;                  /* of one request [60 s] */
};

/* coapc_new -- E_NOMEM. Connects with the first request. coapc_free(NULL) is a no-op. */
MUST enum eim_err coapc_new(struct coapc **out, const struct coapc_config *c, struct err *e);
void coapc_free(struct coapc *c);

/* coapc_post -- one POST, the path without its first '/'. On OK *code is the response code, 204 for 2.04, and *reply (initialised by the caller,
 * whose ceiling holds, block by block) the payload. E_IO: no answer, or no session; E_RULE: may_connect allowed none of its addresses; E_TOO_LARGE.
 * The next request connects anew then. Blocks up to total_us. */
MUST enum eim_err coapc_post(struct coapc *c, const char *path, struct slice body, unsigned *code, struct buf *reply, struct err *e);

#endif
