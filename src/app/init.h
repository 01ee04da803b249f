/* init.h -- `eimd init`: everything a server needs that is not there yet. */
#ifndef APP_INIT_H
#define APP_INIT_H

#include "base/conf.h"

struct env;
struct host;

/* init_data -- make in `data`, each unless it exists: the directory (0700), eimd.conf, keys/ with the signing key, tls/ with a
 * self-signed certificate and its key, trust/, the store, and the first token in admin.token. *token is the new token's text (in the
 * arena), NULL when there was one already. Nothing that exists is changed. Blocks. */
MUST enum eim_err init_data(const char *data, const char *fqdn, struct env *env, char **token, struct arena *a, struct err *e);

/* init_keep_token -- make sure that the token in DATA/admin.token, if there is one, is known to the store. Blocks. */
MUST enum eim_err init_keep_token(const char *data, struct host *host, struct arena *a, struct err *e);

/* init_store_url -- the setting, or the default: SQLite in the data directory. */
char *init_store_url(const struct conf *c, const char *data, struct arena *a);

#endif
