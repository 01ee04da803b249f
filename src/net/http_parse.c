/* http_parse.c -- strict HTTP/1.1 requests (RFC 9112) out of pieces of any size.
 *
 * What one server reads as one request and another as two is how requests are smuggled, so nothing doubtful is
 * repaired: a lone CR or LF, NUL, white space before a colon, folded lines, a second Host, any second Content-Length
 * (even an equal one), Content-Length beside Transfer-Encoding, any coding but a single "chunked": all refused, and
 * the connection ends, because where the next request begins is then unknown.
 *
 * Lines are checked byte by byte as they come (so trouble shows at the same byte whatever the pieces are); the head is
 * then copied to the arena once and cut up in place, and that copy is what the handler's strings point to. */
#include "net/http_parse.h"

#include <strings.h>

enum { START, HEAD, BODY, CHUNK_SIZE, CHUNK_EXT, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_CR, CHUNK_LF, TRAILER };

static const bool tchar[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
    ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true,
    ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
};

void http_parser_init(struct http_parser *p, struct http_limits limits, struct arena *a)
{
    memset(p, 0, offsetof(struct http_parser, fields));
    p->limits = limits;
    p->arena = a;
    p->where = START;
    p->minor_0 = false;
    p->left = p->line_bytes = 0;
    buf_init(&p->line, limits.header_bytes);
    buf_init(&p->body, limits.body_bytes);
}

void http_parser_reset(struct http_parser *p)
{
    buf_free(&p->line);
    buf_free(&p->body);
    http_parser_init(p, p->limits, p->arena);
}

static enum http_step refuse(struct http_parser *p, int status, const char *why)
{
    p->status = status;
    p->why = why;
    return HTTP_REFUSED;
}

/* How far the lines of a head or trailer go. Meanwhile `left` remembers across pieces: 0 inside a line, 1 at its
 * start, and the same + 2 after a CR. */
enum lines { LINES_MORE, LINES_END, LINES_BAD, LINES_LONG };

static enum lines scan_lines(struct http_parser *p, struct slice in, size_t *used)
{
    int at = (int)p->left;
    size_t room = p->limits.header_bytes - p->line_bytes, i;
    enum lines r = LINES_MORE;
    for (i = 0; r == LINES_MORE && i < in.n; i++) {
        uint8_t c = in.p[i];
        if (i >= room) r = LINES_LONG;
        else if (at & 2) {
            if (c != '\n') r = LINES_BAD;
            else if (at & 1) r = LINES_END;
            at = 1;
        } else if (c == '\r') at |= 2;
        else if (c == '\n' || c == 0) r = LINES_BAD;
        else at = 0;
    }
    p->line_bytes += i;
    p->left = (uint64_t)at;
    *used = i;
    return r;
}

/* Collect a head or trailer. On LINES_END *text is all of it, in the arena. */
static enum http_step take_lines(struct http_parser *p, struct slice in, size_t *used, char **text, size_t *n)
{
    switch (scan_lines(p, in, used)) {
    case LINES_BAD:  return refuse(p, 400, "bare CR, bare LF or NUL in a line");
    case LINES_LONG: return refuse(p, 431, "header too large");
    case LINES_MORE:
        buf_put(&p->line, slice_of(in.p, *used));
        return p->line.failed ? refuse(p, 503, "no memory") : HTTP_MORE;
    case LINES_END: break;
    }
    *n = p->line.n + *used;
    *text = arena_alloc(p->arena, *n + 1);
    if (!*text) return refuse(p, 503, "no memory");
    if (p->line.n) memcpy(*text, p->line.p, p->line.n);
    memcpy(*text + p->line.n, in.p, *used);
    buf_free(&p->line);
    p->left = p->line_bytes = 0;
    return HTTP_COMPLETE;
}

enum { ONCE = 1 };
enum known { H_OTHER, H_HOST, H_LENGTH, H_CODING, H_CONNECTION, H_EXPECT, H_TYPE, H_AUTH, H_ADMIN, H_KEY, H_KNOWN_END };
static const struct { const char *name; size_t n; int once; } known[H_KNOWN_END] = {
    [H_HOST] = { "Host", 4, ONCE }, [H_LENGTH] = { "Content-Length", 14, ONCE },
    [H_CODING] = { "Transfer-Encoding", 17, ONCE }, [H_CONNECTION] = { "Connection", 10, 0 },
    [H_EXPECT] = { "Expect", 6, ONCE }, [H_TYPE] = { "Content-Type", 12, ONCE },
    [H_AUTH] = { "Authorization", 13, ONCE }, [H_ADMIN] = { "X-Admin-Protocol", 16, 0 },
    [H_KEY] = { "Idempotency-Key", 15, ONCE },
};

/* What the fields say that decides the framing. */
struct framing {
    const char *value[H_KNOWN_END];
    bool close;
};

static bool list_has(const char *list, const char *token)
{
    size_t n = strlen(token);
    while (*list) {
        list += strspn(list, " \t,");
        size_t m = strcspn(list, " \t,");
        if (m == n && strncasecmp(list, token, n) == 0) return true;
        list += m;
    }
    return false;
}

static enum http_step note_field(struct http_parser *p, struct framing *f, const char *name, size_t n, const char *value)
{
    for (int i = 1; i < H_KNOWN_END; i++) {
        if (n != known[i].n || strncasecmp(name, known[i].name, n) != 0) continue;
        if (f->value[i] && known[i].once) return refuse(p, 400, "a header that may stand once stands twice");
        if (!f->value[i]) f->value[i] = value;
        if (i == H_CONNECTION && list_has(value, "close")) f->close = true;
        break;
    }
    return HTTP_COMPLETE;
}

/* One "name: value" line of n bytes at s, cut in place; its CR is at s[n]. */
static enum http_step cut_field(struct http_parser *p, char *s, size_t n, struct http_field *out, size_t *name_n)
{
    size_t i = 0;
    while (i < n && tchar[(uint8_t)s[i]]) i++;
    if (i == 0 || i == n || s[i] != ':') return refuse(p, 400, "a header line is not \"name: value\"");
    *name_n = i;
    s[i++] = 0;
    while (i < n && (s[i] == ' ' || s[i] == '\t')) i++;
    size_t end = n;
    while (end > i && (s[end - 1] == ' ' || s[end - 1] == '\t')) end--;
    for (size_t k = i; k < end; k++)
        if (((uint8_t)s[k] < ' ' && s[k] != '\t') || s[k] == 0x7f) return refuse(p, 400, "a control byte in a header");
    s[end] = 0;
    *out = (struct http_field){ s, s + i };
    return HTTP_COMPLETE;
}

/* The lines from s to end (which holds the closing empty line). Trailer fields (f NULL) are checked and forgotten. */
static enum http_step cut_fields(struct http_parser *p, char *s, char *end, struct framing *f)
{
    int left = HTTP_FIELDS_MAX - p->req.n_fields;
    while (s < end - 2) {
        char *cr = memchr(s, '\r', (size_t)(end - s));
        struct http_field field;
        size_t name_n;
        if (left-- == 0) return refuse(p, 431, "too many headers");
        enum http_step r = cut_field(p, s, (size_t)(cr - s), &field, &name_n);
        if (r != HTTP_COMPLETE) return r;
        s = cr + 2;
        if (!f) continue;
        p->fields[p->req.n_fields++] = field;
        r = note_field(p, f, field.name, name_n, field.value);
        if (r != HTTP_COMPLETE) return r;
    }
    return HTTP_COMPLETE;
}

static bool authority_ok(const char *s)
{
    for (; *s; s++)
        if ((uint8_t)*s <= ' ' || (uint8_t)*s >= 0x7f || strchr("/\\,@\"<>?#", *s)) return false;
    return true;
}

/* "http://host:port/path" -> host and path (RFC 9112 3.2.2); a target that begins with '/' is left alone. */
static enum http_step cut_target(struct http_parser *p, char *t)
{
    struct http_request *q = &p->req;
    for (const char *c = t; *c; c++)
        if ((uint8_t)*c <= ' ' || (uint8_t)*c >= 0x7f || *c == '#') return refuse(p, 400, "a byte that no target may hold");
    q->query = "";
    size_t scheme = strncasecmp(t, "http://", 7) == 0 ? 7 : strncasecmp(t, "https://", 8) == 0 ? 8 : 0;
    if (scheme) {
        size_t n = 0;
        while (t[scheme + n] && t[scheme + n] != '/' && t[scheme + n] != '?') n++;
        if (n == 0) return refuse(p, 400, "a target without an authority");
        memmove(t, t + scheme, n);     /* makes room for the NUL before the path */
        t[n] = 0;
        q->host = t;
        if (!authority_ok(q->host)) return refuse(p, 400, "bad authority in the target");
        t += n + scheme;
        if (*t != '/') {               /* "http://host" or "http://host?query" */
            t--;
            *t = '/';
        }
    } else if (t[0] == '*' && !t[1] && strcmp(q->method, "OPTIONS") == 0) {
        q->path = t;
        return HTTP_COMPLETE;
    } else if (t[0] != '/') return refuse(p, 400, "the target is not a path");
    q->path = t;
    char *mark = strchr(t, '?');
    if (mark) {
        *mark = 0;
        q->query = mark + 1;
    }
    return HTTP_COMPLETE;
}

static enum http_step cut_request_line(struct http_parser *p, char *s, size_t n)
{
    size_t m = 0;
    while (m < n && tchar[(uint8_t)s[m]]) m++;
    if (m == 0 || m >= n || s[m] != ' ') return refuse(p, 400, "bad method");
    s[m] = 0;
    p->req.method = s;
    char *target = s + m + 1, *end = s + n, *space = memchr(target, ' ', (size_t)(end - target));
    if (!space || space == target) return refuse(p, 400, "bad request line");
    *space = 0;
    *end = 0;
    if (strcmp(space + 1, "HTTP/1.0") == 0) p->minor_0 = true;
    else if (strcmp(space + 1, "HTTP/1.1") != 0) return refuse(p, 400, "neither HTTP/1.1 nor HTTP/1.0");
    if (strcmp(p->req.method, "CONNECT") == 0) return refuse(p, 501, "CONNECT");
    p->head_only = strcmp(p->req.method, "HEAD") == 0;
    return cut_target(p, target);
}

/* The length of the body (RFC 9112 6.3), or chunked. */
static enum http_step set_framing(struct http_parser *p, const struct framing *f)
{
    const char *coding = f->value[H_CODING], *length = f->value[H_LENGTH];
    if (coding && length) return refuse(p, 400, "Content-Length and Transfer-Encoding");
    if (coding && p->minor_0) return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
    if (coding && strcasecmp(coding, "chunked") != 0) return refuse(p, 501, "a transfer coding other than chunked");
    p->where = coding ? CHUNK_SIZE : BODY;
    p->left = 0;
    if (!length) return HTTP_COMPLETE;
    size_t n = strlen(length);
    if (n == 0 || strspn(length, "0123456789") != n) return refuse(p, 400, "bad Content-Length");
    for (size_t i = 0; i < n; i++) {
        p->left = p->left * 10 + (uint64_t)(length[i] - '0');
        if (p->left > p->limits.body_bytes) return refuse(p, 413, "body too large");
    }
    return HTTP_COMPLETE;
}

static enum http_step cut_head(struct http_parser *p, char *s, size_t n)
{
    struct framing f = { 0 };
    char *cr = memchr(s, '\r', n), *end = s + n;
    enum http_step r = cut_request_line(p, s, (size_t)(cr - s));
    if (r == HTTP_COMPLETE) r = cut_fields(p, cr + 2, end, &f);
    if (r != HTTP_COMPLETE) return r;
    if (!f.value[H_HOST] && !p->minor_0) return refuse(p, 400, "no Host");
    if (f.value[H_HOST] && !authority_ok(f.value[H_HOST])) return refuse(p, 400, "bad Host");
    if (!p->req.host) p->req.host = f.value[H_HOST] ? f.value[H_HOST] : "";
    p->req.fields = p->fields;
    p->req.content_type = f.value[H_TYPE];
    p->req.authorization = f.value[H_AUTH];
    p->req.x_admin_protocol = f.value[H_ADMIN];
    p->req.idempotency_key = f.value[H_KEY];
    p->keep_alive = !f.close && !p->minor_0;
    const char *expect = p->minor_0 ? NULL : f.value[H_EXPECT];
    if (expect && strcasecmp(expect, "100-continue") != 0) return refuse(p, 417, "an expectation other than 100-continue");
    r = set_framing(p, &f);
    if (r == HTTP_COMPLETE && expect && (p->left || p->where == CHUNK_SIZE)) return HTTP_CONTINUE;
    return r;
}

static enum http_step feed_head(struct http_parser *p, struct slice in, size_t *used)
{
    char *text;
    size_t n;
    p->begun = true;
    if (p->where == START) {           /* `at` of scan_lines: at the start of a line */
        p->left = 1;
        p->where = HEAD;
    }
    enum http_step r = take_lines(p, in, used, &text, &n);
    if (r != HTTP_COMPLETE) return r;
    if (n == 2) {                      /* RFC 9112 2.2: one empty line before a request is overlooked */
        if (p->minor_0) return refuse(p, 400, "empty lines instead of a request");
        p->minor_0 = true;             /* seen; set anew by the request line */
        p->begun = false;
        p->where = START;
        return HTTP_MORE;
    }
    p->minor_0 = false;
    r = cut_head(p, text, n);
    if (r == HTTP_CONTINUE && *used < in.n) return HTTP_MORE;       /* the body comes already */
    return r == HTTP_COMPLETE ? HTTP_MORE : r;
}

static enum http_step feed_body(struct http_parser *p, struct slice in, size_t *used)
{
    size_t n = in.n < p->left ? in.n : (size_t)p->left;
    *used = n;
    if (n == p->left && !p->body.n) {  /* all at once, as most are: to the arena */
        p->req.body = arena_copy(p->arena, slice_of(in.p, n));
        return p->req.body.p ? HTTP_COMPLETE : refuse(p, 503, "no memory");
    }
    buf_put(&p->body, slice_of(in.p, n));
    if (p->body.failed) return refuse(p, 503, "no memory");
    p->left -= n;
    if (p->left) return HTTP_MORE;
    p->req.body = buf_slice(&p->body);
    return HTTP_COMPLETE;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* One byte of what stands around the chunks: "1a2b;extension" CR LF ... CR LF. */
static enum http_step chunk_byte(struct http_parser *p, uint8_t c)
{
    int d = hex_digit(c);
    switch (p->where) {
    case CHUNK_SIZE:
        if (d >= 0) {
            p->left = p->left * 16 + (uint64_t)d;
            if (p->left > p->limits.body_bytes - p->body.n) return refuse(p, 413, "body too large");
        } else if (p->line_bytes == 0) return refuse(p, 400, "bad chunk size");
        else if (c == ';') p->where = CHUNK_EXT;
        else if (c == '\r') p->where = CHUNK_SIZE_LF;
        else return refuse(p, 400, "bad chunk size");
        break;
    case CHUNK_EXT:
        if (c == '\r') p->where = CHUNK_SIZE_LF;
        else if ((c < ' ' && c != '\t') || c == 0x7f) return refuse(p, 400, "bad chunk extension");
        break;
    case CHUNK_SIZE_LF:
        if (c != '\n') return refuse(p, 400, "bad chunk size");
        p->where = p->left ? CHUNK_DATA : TRAILER;
        p->line_bytes = 0;
        if (p->where == TRAILER) p->left = 1;       /* `at` of scan_lines */
        return HTTP_MORE;
    case CHUNK_CR:
    case CHUNK_LF:
        if (c != (p->where == CHUNK_CR ? '\r' : '\n')) return refuse(p, 400, "a chunk is longer than it says");
        p->where = p->where == CHUNK_CR ? CHUNK_LF : CHUNK_SIZE;
        return HTTP_MORE;
    }
    return ++p->line_bytes > HTTP_CHUNK_LINE ? refuse(p, 400, "chunk size line too long") : HTTP_MORE;
}

static enum http_step feed_chunk_data(struct http_parser *p, struct slice in, size_t *used)
{
    *used = in.n < p->left ? in.n : (size_t)p->left;
    buf_put(&p->body, slice_of(in.p, *used));
    if (p->body.failed) return refuse(p, 503, "no memory");
    p->left -= *used;
    if (!p->left) p->where = CHUNK_CR;
    return HTTP_MORE;
}

static enum http_step feed_trailer(struct http_parser *p, struct slice in, size_t *used)
{
    char *text;
    size_t n;
    enum http_step r = take_lines(p, in, used, &text, &n);
    if (r == HTTP_COMPLETE) r = cut_fields(p, text, text + n, NULL);
    if (r == HTTP_COMPLETE) p->req.body = buf_slice(&p->body);
    return r;
}

enum http_step http_parser_feed(struct http_parser *p, struct slice in, size_t *used)
{
    enum http_step r = HTTP_MORE;
    *used = 0;
    /* A body of no bytes is complete without more input. */
    while (r == HTTP_MORE && (*used < in.n || (p->where == BODY && !p->left))) {
        struct slice rest = { in.p + *used, in.n - *used };
        size_t n = 1;
        if (p->where == START || p->where == HEAD) r = feed_head(p, rest, &n);
        else if (p->where == BODY) r = feed_body(p, rest, &n);
        else if (p->where == CHUNK_DATA) r = feed_chunk_data(p, rest, &n);
        else if (p->where == TRAILER) r = feed_trailer(p, rest, &n);
        else r = chunk_byte(p, *rest.p);
        *used += n;
    }
    return r;
}

const char *http_header(const struct http_request *r, const char *name)
{
    for (int i = 0; i < r->n_fields; i++)
        if (strcasecmp(r->fields[i].name, name) == 0) return r->fields[i].value;
    return NULL;
}

char *http_unescape(struct arena *a, struct slice s, bool plus)
{
    char *out = arena_alloc(a, s.n + 1), *o = out;
    for (size_t i = 0; out && i < s.n; i++) {
        int c = s.p[i];
        if (c == '+' && plus) c = ' ';
        if (c == '%') {
            int hi = s.n - i > 2 ? hex_digit(s.p[i + 1]) : -1, lo = s.n - i > 2 ? hex_digit(s.p[i + 2]) : -1;
            if (hi < 0 || lo < 0) return NULL;
            c = hi * 16 + lo;
            i += 2;
        }
        if (c == 0) return NULL;
        *o++ = (char)c;
    }
    return out;                        /* arena memory is zeroed: the NUL is there */
}

char *http_query(const struct http_request *r, struct arena *a, const char *name)
{
    size_t want = strlen(name);
    for (const char *s = r->query; *s;) {
        size_t n = strcspn(s, "&"), m = 0;
        while (m < n && s[m] != '=') m++;
        if (m == want && memcmp(s, name, m) == 0)
            return http_unescape(a, m < n ? slice_of(s + m + 1, n - m - 1) : slice_of("", 0), true);
        s += n + (s[n] == '&');
    }
    return NULL;
}
