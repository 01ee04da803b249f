/* lines.h -- a large text file, read in large pieces and handed out line by line. Blocks on the disk. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"

enum { LINES_ROOM = 1 << 20 };         /* the longest line */

struct lines {
    FILE *f;                           /* the caller's */
    uint8_t *p;
    size_t at, n;
};

/* lines_begin -- over a file just opened; its memory lives in `a`. E_NOMEM. */
MUST enum eim_err lines_begin(struct lines *l, FILE *f, struct arena *a, struct err *e);
/* lines_next -- the next line without its newline, good until the next call; false at the end, and with e->code set when the file
 * ends inside a line (E_MALFORMED), a line is longer than LINES_ROOM (E_TOO_LARGE) or it cannot be read (E_IO). */
bool lines_next(struct lines *l, struct slice *line, struct err *e);

#endif
