/* fuzz_http.c -- the HTTP request parser: what it makes of a stream must not depend on how the stream is cut.
 *
 * The first two bytes of the input choose the cuts. The rest is parsed at once and in pieces; both must give the same
 * requests, refuse at the same byte with the same status, and keep within the limits. */
#include "test/fuzz/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_parse.h"

enum { HEADER = 512, BODY = 700, REQUESTS = 32, TEXT = 1 << 20 };

static void need(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "fuzz_http: %s\n", what);
    abort();
}

static void check_request(const struct http_parser *p)
{
    const struct http_request *r = &p->req;
    need(r->method && *r->method, "no method");
    need(r->path && (*r->path == '/' || strcmp(r->path, "*") == 0), "no path");
    need(r->query && r->host, "no query or host");
    need(r->body.n <= BODY && (r->body.n == 0 || r->body.p), "body");
    need(r->n_fields >= 0 && r->n_fields <= HTTP_FIELDS_MAX, "fields");
    for (int i = 0; i < r->n_fields; i++) {
        need(*r->fields[i].name && strcspn(r->fields[i].name, "\r\n: \t") == strlen(r->fields[i].name), "name");
        need(strcspn(r->fields[i].value, "\r\n") == strlen(r->fields[i].value), "value");
        need(http_header(r, r->fields[i].name) != NULL, "lookup");
    }
    need(!(http_header(r, "Transfer-Encoding") && http_header(r, "Content-Length")), "two framings");
}

static void print_request(const struct http_parser *p, struct buf *out)
{
    const struct http_request *r = &p->req;
    buf_printf(out, "[%s %s?%s host=%s keep=%d head=%d", r->method, r->path, r->query, r->host, p->keep_alive, p->head_only);
    for (int i = 0; i < r->n_fields; i++) buf_printf(out, "|%s=%s", r->fields[i].name, r->fields[i].value);
    buf_printf(out, "|%s|%s|%s|%s|%zu:", r->content_type ? r->content_type : "-", r->authorization ? r->authorization : "-",
               r->x_admin_protocol ? r->x_admin_protocol : "-", r->idempotency_key ? r->idempotency_key : "-", r->body.n);
    buf_put(out, r->body);
    buf_str(out, "]");
}

/* Parse all of it in pieces of a+1, b+1, a+1 ... bytes and write down what came out. */
static void parse(struct slice in, size_t a, size_t b, struct buf *out)
{
    struct arena arena;
    struct http_parser p;
    size_t at = 0;
    arena_init(&arena, 2 * HEADER + BODY + 256);
    http_parser_init(&p, (struct http_limits){ HEADER, BODY }, &arena);
    for (int requests = 0, turn = 0; at < in.n && requests < REQUESTS; turn++) {
        size_t piece = (turn & 1 ? b : a) + 1, used;
        if (piece > in.n - at) piece = in.n - at;
        enum http_step r = http_parser_feed(&p, slice_of(in.p + at, piece), &used);
        need(used <= piece, "more used than given");
        need(r != HTTP_MORE || used == piece, "bytes left over while more are wanted");
        at += used;
        if (r == HTTP_REFUSED) {
            need(p.status >= 400 && p.status <= 599 && p.why, "a refusal without a status");
            buf_printf(out, "refused %d %s at %zu", p.status, p.why, at);
            break;
        }
        if (r != HTTP_COMPLETE) continue;
        check_request(&p);
        print_request(&p, out);
        http_parser_reset(&p);
        arena_reset(&arena);
        requests++;
    }
    http_parser_reset(&p);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 2) return 0;
    struct buf whole, pieces;
    buf_init(&whole, TEXT);
    buf_init(&pieces, TEXT);
    const struct slice in = { p + 2, n - 2 };
    parse(in, in.n, in.n, &whole);
    parse(in, p[0], p[1], &pieces);
    need(!whole.failed && !pieces.failed, "too long");
    need(slice_eq(buf_slice(&whole), buf_slice(&pieces)), "cutting the stream changes its meaning");
    buf_reset(&pieces);
    parse(in, 0, 0, &pieces);
    need(slice_eq(buf_slice(&whole), buf_slice(&pieces)), "byte by byte it means something else");
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
