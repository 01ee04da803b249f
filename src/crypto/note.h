/* note.h -- Ed25519 keys and the C2SP signed-note form: how tree heads of the audit log are signed and checked.
 *
 * A verifier key is written NAME+HASH+BASE64 (c2sp.org/signed-note): HASH is the first four octets of SHA-256(NAME || "\n" || 0x01 ||
 * public key) in hex, BASE64 holds 0x01 and the 32 octets of the public key. A signed note is a text that ends in a newline, an empty
 * line, and lines "— NAME BASE64(hash || signature)". Lines of unknown keys are other people's cosignatures and are passed over.
 *
 * Everything here may be called from any thread; only the functions with a path read or write files. */
#ifndef CRYPTO_NOTE_H
#define CRYPTO_NOTE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { NOTE_PUBLIC_SIZE = 32, NOTE_SIGNATURE_SIZE = 64, NOTE_NAME_MAX = 200, NOTE_MAX = 16384 };

struct note_signer;

/* That the tree under a head continues the one of size `from`: the hashes of PROOF(from, D[size]) (RFC 9162 2.1.4.1), one after the other. */
struct note_proof { uint64_t from; struct slice hashes; };

/* note_signer_open -- the key in this PKCS#8 PEM file, which nobody else may be able to read; made first when it is not there.
 * `name` signs as NAME (no white space, no '+', 1 to NOTE_NAME_MAX octets). E_IO, E_INVALID (no Ed25519 key, or a bad name), E_CRYPTO.
 * note_signer_free(NULL) is harmless. */
MUST enum eim_err note_signer_open(struct note_signer **out, const char *path, const char *name, struct err *e);
void note_signer_free(struct note_signer *s);

/* note_signer_other -- a signer whose key is elsewhere and is only asked: `key` is its verifier key, `o` (not owned, outlives it) makes the notes.
 * E_INVALID: no verifier key. */
struct note_other {
    enum eim_err (*sign)(struct note_other *o, struct slice text, const struct note_proof *proof, uint64_t *wanted, struct slice *note, struct arena *a,
                         struct err *e);
};
MUST enum eim_err note_signer_other(struct note_signer **out, const char *key, struct note_other *o, struct err *e);

/* note_signer_key -- the verifier key of it, borrowed. */
const char *note_signer_key(const struct note_signer *s);

/* note_sign -- the signed note over `text` (which must end in a newline), in the arena. */
MUST enum eim_err note_sign(const struct note_signer *s, struct slice text, struct slice *note, struct arena *a, struct err *e);

/* note_sign_head -- the same over the head of a tree. A signer that remembers wants to see that the tree continues the one whose head it signed
 * last: E_STALE, that one has size *wanted, prove from there. E_REPLAY: it was larger, or another of this size; E_MISMATCH: the proof does not hold.
 * note_signer_remembers -- is this one of those? The others do not look at the proof. */
MUST enum eim_err note_sign_head(const struct note_signer *s, struct slice text, const struct note_proof *proof, uint64_t *wanted, struct slice *note,
                                 struct arena *a, struct err *e);
bool note_signer_remembers(const struct note_signer *s);

/* note_open -- the text of a note that the verifier key `key` has signed, borrowed from it. E_INVALID: the key cannot be read;
 * E_MALFORMED: this is no note; E_SIGNATURE: it has no good signature of this key. */
MUST enum eim_err note_open(const char *key, struct slice note, struct slice *text, struct err *e);

#endif
