/* lines.c -- a large text file, line by line. */
#include "base/lines.h"

enum eim_err lines_begin(struct lines *l, FILE *f, struct arena *a, struct err *e)
{
    *l = (struct lines){ .f = f, .p = arena_alloc(a, LINES_ROOM) };
    return l->p ? OK : fail(e, E_NOMEM, NULL, "no room for reading a file");
}

bool lines_next(struct lines *l, struct slice *line, struct err *e)
{
    for (;;) {
        struct slice rest = slice_of(l->p + l->at, l->n - l->at);
        if (slice_line(&rest, line)) {
            l->at += line->n + 1;
            return true;
        }
        if (rest.n == LINES_ROOM) {
            (void)fail(e, E_TOO_LARGE, NULL, "a line is longer than %d octets", LINES_ROOM);
            return false;
        }
        memmove(l->p, l->p + l->at, rest.n);
        l->at = 0;
        l->n = rest.n + fread(l->p + rest.n, 1, LINES_ROOM - rest.n, l->f);
        if (l->n > rest.n) continue;
        if (ferror(l->f)) (void)fail(e, E_IO, NULL, "the file cannot be read");
        else if (rest.n) (void)fail(e, E_MALFORMED, NULL, "the file was cut off inside a line");
        return false;
    }
}
