/* outbound.h -- how the sequential rooms reach other people's servers (SM-DP+, SM-DS, an IPA that can be called): a table of
 * functions that net/ fills and tests replace by function calls.
 *
 * A request blocks for as long as the other side takes, so it is made on slow threads only, and never while a transaction is open.
 * Redirects are not followed. The address that is connected to is judged (I12): loopback, private and link-local ones are refused
 * unless the setting [outbound] allow lists them. */
#ifndef BASE_OUTBOUND_H
#define BASE_OUTBOUND_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>

struct outbound_request {
    const char *method;                /* "POST" */
    const char *url;                   /* https://HOST[:PORT]/PATH, or coaps:// (POST, no headers); else E_INVALID */
    const char *const *headers;        /* lines "Name: value", NULL-terminated; NULL: none */
    struct slice body;                 /* p NULL: none */
    struct slice trust_pem;            /* anchors for the server's certificate; empty: the CI roots of DATA/trust */
    const char *credential;            /* NULL, or the name of a client credential: DATA/es2/NAME.pem and NAME.key */
    int64_t connect_us, total_us;      /* 0: 5 s, 30 s */
    size_t reply_max;                  /* octets of the reply's body; 0: 64 KiB */
    bool *sent;                        /* NULL, or becomes: may anything of the request have left? false: the other side cannot have acted on it */
};

struct outbound {
    /* request -- one exchange. OK: there was an answer, *status tells which, *reply (initialised by the caller, its content replaced)
     * holds its body. E_IO: no answer (name, connection, TLS, time; e->why says which); E_TOO_LARGE: more than reply_max;
     * E_RULE: the address is one that we do not connect to; E_INVALID: the URL; E_CONF: the credential or the anchors. */
    enum eim_err (*request)(struct outbound *o, const struct outbound_request *r, int *status, struct buf *reply, struct err *e);
};

#endif
