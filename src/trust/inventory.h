/* inventory.h -- the signed export of a tenant's whole inventory, page by page (doc/inventory.md): the note that each page begins with.
 *
 * Pages are signed as they are made, so an export needs no state in the server and may be gone on with. Each note names its place (the cursors
 * it lies between), the digest of its lines and the digest of the note before it: a page that is left out, changed, moved, or taken from an
 * earlier export is found. Pure computation; nothing blocks. */
#ifndef TRUST_INVENTORY_H
#define TRUST_INVENTORY_H

#include "crypto/digest.h"
#include "crypto/note.h"

enum { INVENTORY_PLACE = 16 };                     /* digits of a cursor */

struct inventory_note {
    struct slice origin;                           /* NAME/inventory/TENANT */
    char from[INVENTORY_PLACE + 1], to[INVENTORY_PLACE + 1];       /* cursors in hex; "0" is the beginning, "end" behind the last */
    int64_t devices;                               /* lines of this page */
    uint8_t lines[SHA256_SIZE];                    /* over the lines, each with its newline */
    bool first;                                    /* there is no page before it */
    uint8_t previous[SHA256_SIZE];                 /* over the whole note before it, signature lines too */
    char at[32];                                   /* RFC 3339 */
};

/* inventory_note_make -- the note over `lines` (the page's text; n->lines is made of it), signed, in the arena. */
MUST enum eim_err inventory_note_make(const struct note_signer *s, struct inventory_note *n, struct slice lines, struct slice *note, struct arena *a,
                                      struct err *e);
/* inventory_digest_read -- 64 hex digits. */
bool inventory_digest_read(struct slice hex, uint8_t out[SHA256_SIZE]);
/* inventory_note_open -- its inverse, once the signature of `key` (NAME+HASH+BASE64) is verified; origin borrows from `note`. Errors as note_open;
 * E_MALFORMED: it is a note of something else. */
MUST enum eim_err inventory_note_open(const char *key, struct slice note, struct inventory_note *out, struct err *e);
/* inventory_note_follows -- may this page stand behind that one? E_MISMATCH says why not. */
MUST enum eim_err inventory_note_follows(const struct inventory_note *before, struct slice note_before, const struct inventory_note *n, struct err *e);

#endif
