/* es2plus.h -- the door for SM-DP+ that notify us over ES2+: handleDownloadProgressInfo (SGP.22 5.3.5, 6.5.2), JSON over mutual TLS.
 *
 * Behind a listener of its own that asks for a client certificate (net/tls.h, ask_client). 204: taken, or of no order of ours; 403: no account
 * names the certificate; 400 names the member that is wrong, as problem details; 404, 405, 413, 415, 503 as elsewhere. */
#ifndef FRONT_ES2PLUS_H
#define FRONT_ES2PLUS_H

#include "eim/eim.h"
#include "net/http.h"

struct work;

struct es2plus {
    struct eim *eim;
    struct work *work;                 /* judged and written there; full is 503 */
};

/* es2plus_handle -- answer one exchange, now or later. For http_config.handle, with a struct es2plus as `arg`. Never blocks. */
void es2plus_handle(void *arg, struct http_exchange *x);

#endif
