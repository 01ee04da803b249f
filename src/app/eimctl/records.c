/* records.c -- cuts a file into lines or CSV rows through a window of fixed size. */
#include "app/eimctl/records.h"

#include <errno.h>
#include <unistd.h>

enum { WINDOW = 4 * RECORD_MAX };

bool records_open(struct ctl *c, struct records *r, int fd, bool csv, int64_t offset, int64_t line)
{
    *r = (struct records){ .fd = fd, .csv = csv, .offset = offset, .line = line, .mem = arena_alloc(&c->arena, WINDOW) };
    return r->mem && (offset == 0 || lseek(fd, offset, SEEK_SET) == offset);
}

/* Have RECORD_MAX octets in the window, or all that is left. */
static int fill(struct records *r)
{
    if (r->to - r->from >= RECORD_MAX) return 0;
    if (r->from) memmove(r->mem, r->mem + r->from, r->to - r->from);
    r->to -= r->from;
    r->from = 0;
    while (!r->eof && r->to - r->from < RECORD_MAX) {
        ssize_t n = read(r->fd, r->mem + r->to, WINDOW - r->to);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) r->eof = true;
        r->to += (size_t)n;
    }
    return 0;
}

/* Octets of the record at the window's start, line end included; 0 when it does not end within RECORD_MAX. As the server
 * reads it (RFC 4180), a quote opens a cell only at the cell's start, and two quotes inside are one. */
static size_t measure(const struct records *r)
{
    bool quoted = false, may_open = true;
    size_t have = r->to - r->from, most = have < RECORD_MAX ? have : RECORD_MAX;
    const uint8_t *p = r->mem + r->from;
    for (size_t i = 0; i < most; i++) {
        bool quote = p[i] == '"' && r->csv;
        if (p[i] == '\n' && !quoted) return i + 1;
        if (quote && quoted) {
            quoted = false;
            may_open = true;
            continue;
        }
        quoted = quoted || (quote && may_open);
        may_open = p[i] == ',' && !quoted;
    }
    return r->eof && have <= RECORD_MAX && !quoted ? have : 0;
}

static void advance(struct records *r, struct record *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t b = r->mem[r->from + i];
        if (b == '\n') out->lines++;
        if (b != ' ' && b != '\t' && b != '\r' && b != '\n') out->blank = false;
    }
    if (r->seen) r->seen(r->arg, slice_of(r->mem + r->from, n));
    r->from += n;
    r->offset += (int64_t)n;
}

/* Too long: go on behind the next line end, quoted or not, so that one stray quote does not eat the file. */
static int skip_line(struct records *r, struct record *out)
{
    for (;;) {
        const uint8_t *p = r->mem + r->from, *end = memchr(p, '\n', r->to - r->from);
        advance(r, out, end ? (size_t)(end - p) + 1 : r->to - r->from);
        if (end) return 0;
        if (fill(r) != 0) return -1;
        if (r->from == r->to) return 0;
    }
}

int records_next(struct records *r, struct record *out)
{
    if (fill(r) != 0) return -1;
    *out = (struct record){ .offset = r->offset, .line = r->line, .blank = true };
    if (r->from == r->to) return 0;
    size_t n = measure(r);
    out->too_long = n == 0;
    if (n) {
        out->text = slice_of(r->mem + r->from, n);
        advance(r, out, n);
    } else if (skip_line(r, out) != 0) {
        return -1;
    }
    r->line += out->lines;
    return 1;
}
