/* wire.h -- what eimd and eimsigner say to each other over their socket pair, octet for octet.
 *
 * A frame is its length (4 octets, big-endian, of all that follows), a type, and a body. eimd asks, eimsigner answers each question once, in
 * order, with the same type and VAULT_ANSWER. Numbers are big-endian. What each body holds:
 *
 *   VAULT_KEYS   version(2)                                      -> version(2) n(2) { name, curve(1), spki } verifier key of the notes
 *   VAULT_SIGN   n(2) { key, token(8), tbs }                     -> n(2) { code(1), highest(8), signature(64) or why }
 *   VAULT_NOTE   text from(8) hashes                             -> code(1) wanted(8), the signed note or why (crypto/note.h)
 *   VAULT_REFUSED (an answer only)                               -> code(1) why: the question could not be read, nothing was done
 *
 * where a text or string of octets is its length (2) and its octets, and a code is an enum eim_err. Both sides are of one release: another
 * version is refused. Nothing here trusts the other side: every length is checked against what is there. */
#ifndef VAULT_WIRE_H
#define VAULT_WIRE_H

#include "base/buf.h"
#include "base/err.h"

enum { VAULT_VERSION = 3, VAULT_ARRAY = 64, VAULT_TBS_MAX = 16384, VAULT_FRAME_MAX = VAULT_ARRAY * (VAULT_TBS_MAX + 256), VAULT_WHY_MAX = 223 };
enum vault_type { VAULT_KEYS = 1, VAULT_SIGN = 2, VAULT_NOTE = 3, VAULT_REFUSED = 0x7f, VAULT_ANSWER = 0x80 };

/* wire_begin -- empty the buffer and begin a frame in it. wire_send -- write its length and send all of it; E_IO: the other side is gone;
 * E_NOMEM: the buffer had no room. Blocks. SIGPIPE must be ignored. */
void wire_begin(struct buf *b, uint8_t type);
MUST enum eim_err wire_send(int fd, struct buf *b, struct err *e);

/* wire_recv -- the next frame into *b, without its length. E_IO: the other side is gone (*closed, if given: between two frames);
 * E_TOO_LARGE: it announces more than VAULT_FRAME_MAX or nothing at all. Blocks. */
MUST enum eim_err wire_recv(int fd, struct buf *b, bool *closed, struct err *e);

void wire_put(struct buf *b, uint64_t value, unsigned octets);
void wire_put_text(struct buf *b, struct slice s);

/* Reading: `bad` stays set once something was missing, and zeros or empty slices come from then on. Slices borrow from the frame. */
struct wire { struct slice rest; bool bad; };
uint64_t wire_get(struct wire *w, unsigned octets);
struct slice wire_get_octets(struct wire *w, size_t n);
struct slice wire_get_text(struct wire *w, size_t most);
/* wire_done -- all was there, and nothing is left. */
bool wire_done(const struct wire *w);

#endif
