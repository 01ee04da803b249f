/* http_parse.h -- net's own: the HTTP/1.1 request parser, a pure function over bytes.
 *
 * Fed with pieces of any size it gives the same result as with all at once (the fuzz target holds it to that).
 * It knows no sockets and no time. */
#ifndef NET_HTTP_PARSE_H
#define NET_HTTP_PARSE_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/http.h"

enum {
    HTTP_CHUNK_LINE = 256,             /* a chunk's size line with its extensions */
};

struct http_limits {
    size_t header_bytes;               /* request line and headers; the trailer has as much again */
    size_t body_bytes;
};

enum http_step {
    HTTP_MORE,                         /* all bytes are taken, the request is not complete */
    HTTP_CONTINUE,                     /* the head is complete and the client waits for "100 Continue"; feed on */
    HTTP_COMPLETE,                     /* req is complete; what is left belongs to the next request */
    HTTP_REFUSED,                      /* answer `status`, then close; feed no more */
};

struct http_parser {
    struct http_limits limits;         /* configuration */
    struct http_request req;           /* result: strings and small bodies in `arena`, larger ones in `body` */
    bool keep_alive, head_only;        /* result: the connection may go on; HEAD */
    bool begun;                        /* result: a byte of a request has been seen */
    int status;                        /* result of HTTP_REFUSED */
    const char *why;                   /* and the reason, static */
    struct arena *arena;               /* state from here */
    struct buf line, body;
    struct http_field fields[HTTP_FIELDS_MAX];
    int where;
    bool minor_0;
    uint64_t left;                     /* bytes of the body or the chunk still to come */
    size_t line_bytes;                 /* of head or trailer, so far */
};

/* http_parser_init -- ready for a first request. `a` is reset by its owner, with http_parser_reset, between two. */
void http_parser_init(struct http_parser *p, struct http_limits limits, struct arena *a);

/* http_parser_feed -- take bytes; *used says how many. */
enum http_step http_parser_feed(struct http_parser *p, struct slice in, size_t *used);

/* http_parser_reset -- ready for the next request; the body's memory is given back. */
void http_parser_reset(struct http_parser *p);

#endif
