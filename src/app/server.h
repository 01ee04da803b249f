/* server.h -- the whole server: everything wired together, started in order, ended in order. Main thread only. */
#ifndef APP_SERVER_H
#define APP_SERVER_H

#include "base/conf.h"

struct env;
struct server;

struct server_options {
    const char *data;                  /* data directory */
    int device_port, api_port;         /* instead of those of the settings; -1 = as set */
    bool restored;                     /* the store is an older copy: raise every counter first */
};

/* server_settings -- read DATA/eimd.conf, put the options over it, and check what one setting alone cannot tell. E_CONF, E_NOT_FOUND. */
MUST enum eim_err server_settings(struct conf *c, const struct server_options *o, struct err *e);

/* server_start -- everything up, listening and serving. Listens before it drops privileges; until the store is open devices and API get 503.
 * On failure all is taken down again and *out is NULL. */
MUST enum eim_err server_start(struct server **out, const struct server_options *o, struct env *env, struct err *e);

/* server_ports -- where it listens. */
void server_ports(const struct server *s, int *device, int *api);
/* server_ready_line -- "ready device=127.0.0.1:PORT api=127.0.0.1:PORT", also written to DATA/eimd.addr. Lives with the server. */
const char *server_ready_line(const struct server *s);

/* server_reload -- read settings, certificates and roots again (SIGHUP). What is wrong is logged and changes nothing. */
void server_reload(struct server *s);

/* server_stop -- drain: refuse new work, finish what is under way, write what waits in memory, close. */
void server_stop(struct server *s);

#endif
