/* records.h -- a file of any size, cut into records: lines of JSON, or rows of RFC 4180 CSV, whose quoted cells may hold
 * line ends. Memory is bounded; reads block. */
#ifndef EIMCTL_RECORDS_H
#define EIMCTL_RECORDS_H

#include "app/eimctl/ctl.h"

enum { RECORD_MAX = 64 * 1024 };       /* octets of one record with its line end */

struct records {
    int fd;
    bool csv;
    bool eof;
    int64_t offset, line;              /* of the next record: octets from the start of the file, lines from 1 */
    uint8_t *mem;                      /* a window of the file */
    size_t from, to;
    void (*seen)(void *arg, struct slice bytes);   /* told of every octet that is gone past, in order; or NULL */
    void *arg;
};

struct record {
    struct slice text;                 /* with its line end, borrowed until the next call; empty when too_long */
    int64_t offset, line;              /* where it begins */
    int64_t lines;                     /* line ends in it */
    bool too_long;
    bool blank;                        /* white space only */
};

/* records_open -- begin at `offset` of an open file, which is line `line`. The window lives in c->arena. false: no memory. */
MUST bool records_open(struct ctl *c, struct records *r, int fd, bool csv, int64_t offset, int64_t line);

/* records_next -- 1: *out is the next record; 0: the end; -1: cannot be read (errno). */
MUST int records_next(struct records *r, struct record *out);

#endif
