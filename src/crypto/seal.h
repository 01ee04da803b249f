/* seal.h -- secrets at rest: sealed with AES-256-GCM under a key file of the data directory, found again by a keyed hash.
 *
 * A sealed text is 12 octets of nonce, the ciphertext, and 16 octets of tag. `about` (what the text belongs to) is authenticated
 * along, so that nobody who can write the database moves one to another place. Any thread; nothing blocks but seal_open_file. */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include "base/arena.h"
#include "base/err.h"

struct env;
struct seal;

enum { SEAL_KEY_SIZE = 32, SEAL_OVERHEAD = 28, SEAL_HASH = 32 };

/* seal_open_file -- the key in `path`, made there (mode 0600) when there is none. Nodes that share a database share the file.
 * E_CONF: it is no such key, or others may read it. Blocks on the disk. */
MUST enum eim_err seal_open_file(struct seal **out, const char *path, struct env *env, struct err *e);
/* seal_from -- the same of a key in memory. */
MUST enum eim_err seal_from(struct seal **out, const uint8_t key[SEAL_KEY_SIZE], struct env *env, struct err *e);
/* seal_free -- and the key is wiped. NULL is harmless. */
void seal_free(struct seal *s);

MUST enum eim_err seal_put(const struct seal *s, struct slice text, struct slice about, struct slice *sealed, struct arena *a, struct err *e);
/* seal_get -- E_CRYPTO: sealed under another key, about something else, or damaged. */
MUST enum eim_err seal_get(const struct seal *s, struct slice sealed, struct slice about, struct slice *text, struct arena *a, struct err *e);
/* seal_hash -- the same text has the same hash, which tells nothing without the key. */
MUST enum eim_err seal_hash(const struct seal *s, struct slice text, uint8_t out[SEAL_HASH], struct err *e);

#endif
