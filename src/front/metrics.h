/* metrics.h -- what the server counts, as Prometheus text (version 0.0.4). */
#ifndef FRONT_METRICS_H
#define FRONT_METRICS_H

#include "base/buf.h"
#include "net/http.h"

struct eim;
struct eim_outbox;
struct coap_server;
struct work;

enum { METRICS_LISTENERS = 2 };

struct metrics_source {
    const struct eim *eim;
    const char *version, *engine;      /* of eimd; of the store: "sqlite" or "postgresql" */
    int64_t started_us;
    struct {
        const char *name;              /* "device", "api" */
        struct http_server *server;
        struct work *work;
    } listeners[METRICS_LISTENERS];
    const struct coap_server *coap;    /* or NULL */
    int64_t devices;                   /* enrolled, -1 when that is not known */
    int64_t events;                    /* numbered by this node */
    int64_t now_us;
    bool has_outbox;                   /* was it counted yet? */
    const struct eim_outbox *outbox;
};

/* metrics_print -- everything, one family after the other. Any thread; reads /proc/self for memory and processor time. */
void metrics_print(const struct metrics_source *s, struct buf *out);

#endif
