/* httpc.h -- a simple blocking HTTP(S) client over libcurl, for eimctl and the simulators.
 *
 * One handle belongs to one thread at a time. It keeps its connection and TLS session between requests. */
#ifndef NET_HTTPC_H
#define NET_HTTPC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct httpc;
struct sockaddr;

/* Zero means the default in brackets. Strings are copied. */
struct httpc_config {
    const char *ca_file;               /* PEM roots [the system's] */
    struct slice ca_pem;               /* the same as bytes; both given: both are trusted */
    const char *pin;                   /* "sha256//BASE64" of the server's public key, checked as well [none] */
    bool pinned_only;                  /* the pin replaces chain and host name (needs pin) */
    const char *bearer;                /* "Authorization: Bearer ..." on every request [none] */
    const char *user_agent;            /* ["eimd"] */
    const char *resolve;               /* "HOST:PORT:ADDRESS": connect there for that name [none] */
    const char *cert_file, *key_file;  /* PEM: who we are to the server [nobody] */
    bool https_only;                   /* any other scheme is refused */
    /* called with each address before it is connected to; false: it is not, and the next one is tried. [all are] */
    bool (*may_connect)(void *arg, const struct sockaddr *address);
    void *arg;
    const atomic_bool *stop;           /* once true, a request under way ends within about a second with E_IO [never] */
    bool fresh;                        /* a new connection for each request (sessions are still resumed) */
    bool no_resume;                    /* a full handshake for each connection */
    int64_t connect_us, total_us;      /* [10 s], [60 s]; at least a millisecond */
    size_t reply_bytes;                /* most bytes of a reply's body [16 MiB] */
};

/* httpc_init -- libcurl's own set-up; once, before the first thread. */
MUST enum eim_err httpc_init(struct err *e);

/* httpc_new -- E_NOMEM, E_CONF. httpc_free(NULL) is a no-op. httpc_new blocks SIGPIPE in the calling thread. */
MUST enum eim_err httpc_new(struct httpc **out, const struct httpc_config *c, struct err *e);
void httpc_free(struct httpc *h);

/* httpc_request -- one request, redirects not followed. `headers`: lines "Name: value", NULL-terminated, or NULL.
 * body.p NULL sends no body. On OK *status is the HTTP status (any) and *reply (which the caller has initialised; its
 * content is replaced, its ceiling holds as well) the body. E_IO: no answer (name, connect, TLS, timeout: e->why says
 * which); E_RULE: may_connect allowed none of its addresses; E_TOO_LARGE: the reply is larger than allowed.
 * Then *reply is empty and *status 0. Blocks up to total_us. */
MUST enum eim_err httpc_request(struct httpc *h, const char *method, const char *url, const char *const *headers,
                                struct slice body, int *status, struct buf *reply, struct err *e);

/* httpc_sent -- did the last request leave, in part at least? Not when no connection came about, or no TLS over it. */
bool httpc_sent(struct httpc *h);
/* httpc_reply_header -- a header of the last reply, or NULL; good until the next request. */
const char *httpc_reply_header(struct httpc *h, const char *name);

#endif
