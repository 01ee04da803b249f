/* wire.c -- frames between eimd and eimsigner. */
#include "vault/wire.h"

#include <errno.h>
#include <unistd.h>

enum { LENGTH = 4 };

void wire_put(struct buf *b, uint64_t value, unsigned octets)
{
    uint8_t out[8];
    for (unsigned i = 0; i < octets; i++) out[i] = (uint8_t)(value >> 8 * (octets - 1 - i));
    buf_put(b, slice_of(out, octets));
}

void wire_put_text(struct buf *b, struct slice s)
{
    wire_put(b, s.n, 2);
    buf_put(b, s);
}

void wire_begin(struct buf *b, uint8_t type)
{
    buf_reset(b);
    wire_put(b, 0, LENGTH);
    wire_put(b, type, 1);
}

enum eim_err wire_send(int fd, struct buf *b, struct err *e)
{
    if (b->failed || b->n < LENGTH) return fail(e, E_NOMEM, NULL, "no memory for a message between eimd and its signer");
    for (unsigned i = 0; i < LENGTH; i++) b->p[i] = (uint8_t)((b->n - LENGTH) >> 8 * (LENGTH - 1 - i));
    for (size_t at = 0; at < b->n;) {
        ssize_t n = write(fd, b->p + at, b->n - at);
        if (n < 0 && errno != EINTR) return fail(e, E_IO, NULL, "the other end of the signer's socket: %s", strerror(errno));
        if (n > 0) at += (size_t)n;
    }
    return OK;
}

/* Reads n octets behind what the buffer holds; *got counts them. */
static enum eim_err take(int fd, struct buf *b, size_t n, size_t *got, struct err *e)
{
    uint8_t piece[16384];
    for (*got = 0; *got < n;) {
        size_t want = n - *got < sizeof piece ? n - *got : sizeof piece;
        ssize_t r = read(fd, piece, want);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return fail(e, E_IO, NULL, "the other end of the signer's socket: %s", strerror(errno));
        if (r == 0) return fail(e, E_IO, NULL, "the other end of the signer's socket is closed");
        buf_put(b, slice_of(piece, (size_t)r));
        *got += (size_t)r;
    }
    return b->failed ? fail(e, E_NOMEM, NULL, "no memory for a message between eimd and its signer") : OK;
}

enum eim_err wire_recv(int fd, struct buf *b, bool *closed, struct err *e)
{
    size_t got;
    buf_reset(b);
    enum eim_err rc = take(fd, b, LENGTH, &got, e);
    if (closed) *closed = rc == E_IO && got == 0;
    if (rc != OK) return rc;
    struct wire w = { .rest = buf_slice(b) };
    size_t n = (size_t)wire_get(&w, LENGTH);
    if (!n || n > VAULT_FRAME_MAX) return fail(e, E_TOO_LARGE, NULL, "a message of %zu octets, 1 to %d are taken", n, VAULT_FRAME_MAX);
    buf_reset(b);
    return take(fd, b, n, &got, e);
}

struct slice wire_get_octets(struct wire *w, size_t n)
{
    if (w->bad || n > w->rest.n) {
        w->bad = true;
        return (struct slice){ NULL, 0 };
    }
    struct slice s = { w->rest.p, n };
    w->rest = (struct slice){ w->rest.p + n, w->rest.n - n };
    return s;
}

uint64_t wire_get(struct wire *w, unsigned octets)
{
    struct slice s = wire_get_octets(w, octets);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) v = v << 8 | s.p[i];
    return v;
}

struct slice wire_get_text(struct wire *w, size_t most)
{
    size_t n = (size_t)wire_get(w, 2);
    if (n > most) w->bad = true;
    return wire_get_octets(w, n);
}

bool wire_done(const struct wire *w)
{
    return !w->bad && w->rest.n == 0;
}
