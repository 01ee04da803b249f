/* esipa_door.h -- what the bindings of ESipa over HTTPS have in common (SGP.32 6.1, spec 4.1): from one HTTP request to one struct
 * exchange and back, whatever the binding writes on the wire.
 *
 * A binding judges path, method and media type on the loop thread and calls door_serve; reading and writing its own form of a
 * message is done on a worker. What a message means is eim/esipa.h's. */
#ifndef FRONT_ESIPA_DOOR_H
#define FRONT_ESIPA_DOOR_H

#include "base/env.h"
#include "eim/esipa.h"
#include "net/http.h"

struct eim;
struct work;

#define ESIPA_ADMIN_PROTOCOL "gsma/rsp/v2.1.0"        /* what SGP.32 v1.2 wants in every answer */
#define ESIPA_ALWAYS_HEADER  "X-Admin-Protocol: " ESIPA_ADMIN_PROTOCOL         /* for http_config.always_header */

struct esipa_door {
    struct eim *eim;
    struct work *work;                 /* the devices' own pool */
    struct work *slow;                 /* threads that may wait for SM-DP+ */
    struct env *env;
    int retry_after_s;                 /* Retry-After of a 503 */
    uint64_t requests;                 /* state: numbers the requests in the log; touched atomically only, like the next three */
    int64_t log_second;                /* the second whose refusals are being counted */
    uint64_t logged, unlogged;         /* refusals with a line in that second, and without (told with the next second's first) */
};

struct door_request;

struct door_binding {
    const char *name;                  /* for the log line; NULL: not said */
    const char *clause;                /* where HTTP's refusals rest */
    const char *media_type;            /* Content-Type of an answer that has a body */
    /* read -- make x.body, one EsipaMessageFromIpaToEim, from http->req.body; once, on a worker. A failure is the answer, and what
     * was read is not handed to the eIM. NULL: the body is the message. */
    enum eim_err (*read)(struct door_request *q);
    /* write -- turn x.rc, x.err and x.reply into what is sent: x.reply becomes the body, x.rc says with which status. On a worker or on
     * a thread of the store, after all is durable. NULL: the reply is sent as it is, and a failure has no body. */
    void (*write)(struct door_request *q);
};

/* One request under way; lives in the HTTP exchange's arena and dies with the reply. */
struct door_request {
    struct exchange x;                 /* first member */
    struct esipa_door *door;
    const struct door_binding *binding;
    const void *function;              /* the binding's own */
    struct http_exchange *http;
    uint64_t number;
    int64_t begun_us;
    bool read;                         /* x.body is the message */
};

/* door_refusal -- what HTTP itself refuses once the path is right: the status (405, and *allow; 415; 400 for no body), or 0. The media
 * type is judged without its parameters; none at all is taken. */
int door_refusal(const struct http_request *r, const char *media_type, const char **allow);

/* door_serve -- answer `status` with a line in the log, or if it is 0 hand the request to a worker; 503 when the queue is full.
 * `d` and `b` outlive all requests. Never blocks. */
void door_serve(struct esipa_door *d, const struct door_binding *b, const void *function, struct http_exchange *x, int status, const char *allow);

#endif
