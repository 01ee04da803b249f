/* out.h -- output for people: aligned tables, facts, and text of strangers made harmless.
 *
 * Whatever comes from a server, a file or a device is shown with control characters and broken UTF-8 escaped, so that it
 * cannot steer the terminal. No colour, ever. */
#ifndef EIMCTL_OUT_H
#define EIMCTL_OUT_H

#include <stdio.h>

#include "base/json.h"
#include "app/eimctl/ctl.h"

enum { OUT_COLUMNS_MAX = 12 };

/* out_text -- write s to f; control characters and octets that are no UTF-8 as \xNN. Returns its width on a terminal. */
size_t out_text(FILE *f, struct slice s);

/* out_width -- that width, without writing. */
size_t out_width(struct slice s);

/* A table that is filled and printed page by page; the heading is printed with the first. */
struct table {
    size_t ncols;
    const char *head[OUT_COLUMNS_MAX];
    size_t width[OUT_COLUMNS_MAX];     /* grows only, so that pages stay aligned as far as can be */
    bool begun;
    const char **cells;                /* one page */
    size_t n, room;
};

/* table_init -- columns by name, ended by NULL; room for `rows` rows a page. false: out of memory. */
MUST bool table_init(struct table *t, struct ctl *c, size_t rows, const char *const *head);
/* table_row -- ncols cells, borrowed until table_print; NULL is shown as "-". Rows beyond the room are dropped. */
void table_row(struct table *t, const char *const *cells);
/* table_print -- what was added since the last time. */
void table_print(struct table *t);

/* out_fact -- "name:            value" of a record; nothing when value is NULL. */
void out_fact(const char *name, const char *value);

/* out_json -- one JSON value on a line of its own, on standard output. */
void out_json(const json_t *v);

/* Members of a JSON answer, found by a dotted path ("queue.in_flight"); NULL when there is none or it is null. */
const json_t *out_member(const json_t *o, const char *path);
/* out_string -- the member as text, in c->page or borrowed: strings as they are, numbers and booleans printed; NULL when absent. */
const char *out_string(struct ctl *c, const json_t *o, const char *path);
/* out_time -- a time member as "2026-11-23 01:31:29", UTC; NULL when absent. */
const char *out_time(struct ctl *c, const json_t *o, const char *path);

#endif
