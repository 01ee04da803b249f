/* parse.c -- text to tree: CEL's grammar (cel-spec, "Syntax"), by recursive descent, with names resolved on the way.
 *
 * Macros (has, all, exists) are nodes of their own, since their operands are not evaluated as those of functions are. */
#include "expr/expr_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct parser {
    struct expr *x;
    struct arena *a;
    struct err *e;
    size_t at;                         /* the next octet */
    unsigned depth, nodes, nlocals;
    struct slice locals[LOCALS_MAX];
};

enum eim_err expr_fail(struct err *e, enum eim_err code, struct slice source, size_t at, const char *fmt, ...)
{
    unsigned line = 1, column = 1;
    char why[160];
    va_list ap;
    for (size_t i = 0; i < at && i < source.n; i++) {
        if (source.p[i] == '\n') line++, column = 1;
        else if ((source.p[i] & 0xC0) != 0x80) column++;           /* columns are code points */
    }
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    enum eim_err rc = fail(e, code, NULL, "%u:%u: %s", line, column, why);
    e->at = at;
    e->has_at = 1;
    return rc;
}

#define WRONG(p, where, ...) expr_fail((p)->e, E_INVALID, (p)->x->source, (where), __VA_ARGS__)

static enum eim_err parse_expr(struct parser *p, struct expr_node **out);

/* ---- characters and words ---- */

static int ch(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->x->source.n ? p->x->source.p[p->at + ahead] : -1;
}

static void skip(struct parser *p)
{
    for (;;) {
        int c = ch(p, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') p->at++;
        else if (c == '/' && ch(p, 1) == '/') while (ch(p, 0) != -1 && ch(p, 0) != '\n') p->at++;
        else return;
    }
}

static bool accept(struct parser *p, const char *text)
{
    size_t n = strlen(text);
    skip(p);
    if (p->x->source.n - p->at < n || memcmp(p->x->source.p + p->at, text, n) != 0) return false;
    p->at += n;
    return true;
}

static bool is_letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(int c) { return c >= '0' && c <= '9'; }

/* A word here, not taken: empty when there is none. */
static struct slice word(struct parser *p)
{
    size_t n = 0;
    skip(p);
    if (is_letter(ch(p, 0)))
        while (is_letter(ch(p, n)) || is_digit(ch(p, n))) n++;
    return slice_of(p->x->source.p + p->at, n);
}

static bool word_is(struct slice w, const char *text) { return slice_eq(w, slice_str(text)); }

static bool reserved(struct slice w)
{
    static const char *const words[] = { "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
                                         "namespace", "return", "var", "void", "while", "in", "true", "false", "null" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (word_is(w, words[i])) return true;
    return false;
}

static enum eim_err expected(struct parser *p, const char *what)
{
    skip(p);
    if (p->at >= p->x->source.n) return WRONG(p, p->at, "%s is expected, but the expression ends", what);
    struct slice rest = slice_of(p->x->source.p + p->at, p->x->source.n - p->at);
    size_t n = 1;
    while (n < rest.n && n < 4 && (rest.p[n] & 0xC0) == 0x80) n++;
    return WRONG(p, p->at, "%s is expected, not '%.*s'", what, (int)n, (const char *)rest.p);
}

/* ---- nodes ---- */

static enum eim_err node(struct parser *p, enum expr_op op, size_t at, unsigned n, struct expr_node **out)
{
    if (++p->nodes > EXPR_NODES_MAX) return expr_fail(p->e, E_LIMIT, p->x->source, at, "the expression is too large: more than %d parts", EXPR_NODES_MAX);
    struct expr_node *x = ARENA_NEW(p->a, struct expr_node);
    struct expr_node **kid = n ? ARENA_ARRAY(p->a, struct expr_node *, n) : NULL;
    if (!x || (n && !kid)) return fail(p->e, E_NOMEM, NULL, "no room for the expression");
    *x = (struct expr_node){ .op = op, .at = (uint32_t)at, .n = n, .kid = kid };
    *out = x;
    return OK;
}

static enum eim_err binary(struct parser *p, enum expr_op op, size_t at, struct expr_node *l, struct expr_node *r, struct expr_node **out)
{
    TRY(node(p, op, at, 2, out));
    (*out)->kid[0] = l;
    (*out)->kid[1] = r;
    return OK;
}

static enum eim_err constant(struct parser *p, size_t at, struct expr_value v, struct expr_node **out)
{
    TRY(node(p, OP_CONST, at, 0, out));
    (*out)->value = v;
    return OK;
}

static enum eim_err deeper(struct parser *p)
{
    return ++p->depth > EXPR_DEPTH_MAX ? expr_fail(p->e, E_LIMIT, p->x->source, p->at, "the expression is nested more than %d deep", EXPR_DEPTH_MAX) : OK;
}

/* ---- literals ---- */

static void put_utf8(uint8_t *out, size_t *n, uint32_t v)
{
    if (v < 0x80) out[(*n)++] = (uint8_t)v;
    else if (v < 0x800) out[(*n)++] = (uint8_t)(0xC0 | v >> 6), out[(*n)++] = (uint8_t)(0x80 | (v & 0x3F));
    else if (v < 0x10000) {
        out[(*n)++] = (uint8_t)(0xE0 | v >> 12);
        out[(*n)++] = (uint8_t)(0x80 | (v >> 6 & 0x3F));
        out[(*n)++] = (uint8_t)(0x80 | (v & 0x3F));
    } else {
        out[(*n)++] = (uint8_t)(0xF0 | v >> 18);
        out[(*n)++] = (uint8_t)(0x80 | (v >> 12 & 0x3F));
        out[(*n)++] = (uint8_t)(0x80 | (v >> 6 & 0x3F));
        out[(*n)++] = (uint8_t)(0x80 | (v & 0x3F));
    }
}

static enum eim_err code_point(struct parser *p, size_t at, unsigned digits, unsigned base, uint32_t *out)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < digits; i++, p->at++) {
        int c = ch(p, 0), d = is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
        if (d >= (int)base) return WRONG(p, at, "an escape lacks digits");
        v = v * base + (uint32_t)d;
    }
    if (v > 0x10FFFF || (v >= 0xD800 && v < 0xE000)) return WRONG(p, at, "an escape is no code point");
    *out = v;
    return OK;
}

static enum eim_err escape(struct parser *p, uint8_t *out, size_t *n)
{
    static const char from[] = "abfnrtv\\'\"`?", to[] = "\a\b\f\n\r\t\v\\'\"`?";
    size_t at = p->at - 1;
    uint32_t v;
    int c = ch(p, 0);
    const char *plain = c > 0 ? strchr(from, c) : NULL;
    if (plain) {
        p->at++;
        out[(*n)++] = (uint8_t)to[plain - from];
        return OK;
    }
    if (c >= '0' && c <= '3') TRY(code_point(p, at, 3, 8, &v));
    else if (c == 'x' || c == 'X' || c == 'u' || c == 'U') {
        p->at++;
        TRY(code_point(p, at, c == 'u' ? 4 : c == 'U' ? 8 : 2, 16, &v));
    } else {
        return WRONG(p, at, "there is no such escape");
    }
    put_utf8(out, n, v);
    return OK;
}

static bool utf8_ok(struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        size_t n = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
        if (!n || n > s.n - i) return false;
        for (size_t k = 1; k < n; k++)
            if ((s.p[i + k] & 0xC0) != 0x80) return false;
        i += n;
    }
    return true;
}

static enum eim_err string(struct parser *p, bool raw, size_t at, struct expr_node **out)
{
    int quote = ch(p, 0);
    bool triple = ch(p, 1) == quote && ch(p, 2) == quote;
    size_t n = 0;
    uint8_t *text = arena_alloc(p->a, p->x->source.n - p->at + 8);
    if (!text) return fail(p->e, E_NOMEM, NULL, "no room for the expression");
    p->at += triple ? 3 : 1;
    for (;;) {
        int c = ch(p, 0);
        if (c == -1 || (!triple && (c == '\n' || c == '\r'))) return WRONG(p, at, "a text is not closed");
        if (c == quote && (!triple || (ch(p, 1) == quote && ch(p, 2) == quote))) break;
        p->at++;
        if (c == '\\' && !raw) TRY(escape(p, text, &n));
        else text[n++] = (uint8_t)c;
    }
    p->at += triple ? 3 : 1;
    if (!utf8_ok(slice_of(text, n))) return WRONG(p, at, "a text is not UTF-8");
    return constant(p, at, (struct expr_value){ .type = EXPR_STRING, .s = { text, n } }, out);
}

/* A number; `negative` when a minus stands directly before it, so that the smallest int can be written. */
static enum eim_err number(struct parser *p, bool negative, size_t at, struct expr_node **out)
{
    char text[64];
    size_t n = 0;
    bool real = false, hex = ch(p, 0) == '0' && (ch(p, 1) | 32) == 'x';
    if (hex) n = 2;
    while (is_digit(ch(p, n)) || (hex && (ch(p, n) | 32) >= 'a' && (ch(p, n) | 32) <= 'f')) n++;
    if (!hex && ch(p, n) == '.' && is_digit(ch(p, n + 1)))
        for (real = true, n++; is_digit(ch(p, n)); n++) {}
    if (!hex && (ch(p, n) | 32) == 'e' && ch(p, n) > 0) {
        size_t k = n + 1;
        if (ch(p, k) == '+' || ch(p, k) == '-') k++;
        if (is_digit(ch(p, k)))
            for (real = true, n = k; is_digit(ch(p, n)); n++) {}
    }
    if ((ch(p, n) | 32) == 'u' && ch(p, n) > 0) return WRONG(p, p->at + n, "unsigned numbers are not supported");
    if (is_letter(ch(p, n))) return WRONG(p, p->at + n, "a number ends in a letter");
    if (n + 2 > sizeof text) return WRONG(p, at, "a number is too long");
    text[0] = '-';
    memcpy(text + 1, p->x->source.p + p->at, n);
    text[n + 1] = 0;
    p->at += n;
    if (real) return constant(p, at, (struct expr_value){ .type = EXPR_DOUBLE, .d = strtod(text + !negative, NULL) }, out);
    uint64_t v = 0, most = negative ? UINT64_C(1) << 63 : INT64_MAX;
    for (const char *c = text + (hex ? 3 : 1); *c; c++) {
        unsigned d = is_digit(*c) ? (unsigned)(*c - '0') : (unsigned)((*c | 32) - 'a' + 10), base = hex ? 16 : 10;
        if (v > (most - d) / base) return WRONG(p, at, "a number is no 64-bit int");
        v = v * base + d;
    }
    if (hex && n == 2) return WRONG(p, at, "a number lacks digits");
    return constant(p, at, (struct expr_value){ .type = EXPR_INT, .i = negative ? (int64_t)(0 - v) : (int64_t)v }, out);
}

/* ---- names ---- */

static bool find_var(const struct parser *p, struct slice name, unsigned *slot)
{
    for (size_t i = 0; i < p->x->nvars; i++)
        if (slice_eq(name, slice_str(p->x->vars[i].name))) return *slot = (unsigned)i, true;
    return false;
}

/* Does a name with dots begin with this one? */
static bool var_prefix(const struct parser *p, struct slice name)
{
    for (size_t i = 0; i < p->x->nvars; i++) {
        struct slice v = slice_str(p->x->vars[i].name);
        if (v.n > name.n && v.p[name.n] == '.' && memcmp(v.p, name.p, name.n) == 0) return true;
    }
    return false;
}

static enum eim_err unknown_name(struct parser *p, size_t at, struct slice name)
{
    char known[100] = "";
    size_t n = 0;
    for (size_t i = 0; i < p->x->nvars && n + strlen(p->x->vars[i].name) + 6 < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", p->x->vars[i].name);
    return WRONG(p, at, "nothing is known by the name '%.*s'; known: %s%s", name.n > 40 ? 40 : (int)name.n, (const char *)name.p, known,
                 p->x->nvars && n + 6 < sizeof known ? "" : ", ...");
}

/* A name: a local of a macro, or the longest variable that the words and dots from here on make. */
static enum eim_err name(struct parser *p, struct slice first, struct expr_node **out)
{
    size_t at = p->at, end = 0;
    unsigned slot = 0;
    for (unsigned i = p->nlocals; i-- > 0;)
        if (slice_eq(p->locals[i], first)) {
            p->at += first.n;
            TRY(node(p, OP_LOCAL, at, 0, out));
            (*out)->slot = i;
            return OK;
        }
    char whole[128];
    size_t n = first.n;
    if (n >= sizeof whole) return WRONG(p, at, "a name is too long");
    memcpy(whole, first.p, n);
    p->at += first.n;
    if (find_var(p, slice_of(whole, n), &slot)) end = p->at;
    while (var_prefix(p, slice_of(whole, n))) {
        size_t before = p->at;
        struct slice w;
        if (!accept(p, ".") || !(w = word(p)).n || n + 1 + w.n >= sizeof whole) {
            p->at = before;
            break;
        }
        whole[n++] = '.';
        memcpy(whole + n, w.p, w.n);
        n += w.n;
        p->at += w.n;
        if (find_var(p, slice_of(whole, n), &slot)) end = p->at;
    }
    if (!end) return unknown_name(p, at, first);
    p->at = end;
    TRY(node(p, OP_VAR, at, 0, out));
    (*out)->slot = slot;
    return OK;
}

/* ---- calls and macros ---- */

static const struct { const char *name; enum expr_op op; bool member, global; unsigned args; } functions[] = {
    { "size", OP_SIZE, true, true, 1 }, { "startsWith", OP_STARTS, true, false, 2 }, { "endsWith", OP_ENDS, true, false, 2 },
    { "contains", OP_CONTAINS, true, false, 2 }, { "matches", OP_MATCHES, true, true, 2 }, { "int", OP_TO_INT, false, true, 1 },
    { "double", OP_TO_DOUBLE, false, true, 1 }, { "string", OP_TO_STRING, false, true, 1 }, { "bool", OP_TO_BOOL, false, true, 1 },
    { "timestamp", OP_TO_TIMESTAMP, false, true, 1 }, { "duration", OP_TO_DURATION, false, true, 1 }, { "dyn", OP_TO_DYN, false, true, 1 },
    { "getFullYear", OP_FULL_YEAR, true, false, 1 }, { "getMonth", OP_MONTH, true, false, 1 }, { "getDate", OP_DATE, true, false, 1 },
    { "getDayOfMonth", OP_DAY_OF_MONTH, true, false, 1 }, { "getDayOfWeek", OP_DAY_OF_WEEK, true, false, 1 },
    { "getDayOfYear", OP_DAY_OF_YEAR, true, false, 1 }, { "getHours", OP_HOURS, true, false, 1 }, { "getMinutes", OP_MINUTES, true, false, 1 },
    { "getSeconds", OP_SECONDS, true, false, 1 }, { "getMilliseconds", OP_MILLIS, true, false, 1 },
};

/* Is there a function (or, with a value before it, a method) of this name at all? Asked before its operands are looked at. */
static enum eim_err known_call(struct parser *p, struct slice w, size_t at, bool method)
{
    static const char *const macros[] = { "map", "filter", "exists_one", "has", "all", "exists" };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (word_is(w, functions[i].name) && (method ? functions[i].member : functions[i].global)) return OK;
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++)
        if (word_is(w, macros[i])) return WRONG(p, at, "the macro '%s' is not supported%s", macros[i], i < 3 ? "" : " here");
    return WRONG(p, at, "there is no %s '%.*s'", method ? "method" : "function", w.n > 40 ? 40 : (int)w.n, (const char *)w.p);
}

/* "(" was taken; operands go behind `self`, if there is one. */
static enum eim_err call(struct parser *p, struct slice w, size_t at, struct expr_node *self, struct expr_node **out)
{
    struct expr_node *args[3];
    unsigned n = 0;
    TRY(known_call(p, w, at, self != NULL));
    if (self) args[n++] = self;
    if (!accept(p, ")")) {
        do {
            if (n == 3) return WRONG(p, p->at, "%.*s() takes no such number of operands", (int)w.n, (const char *)w.p);
            TRY(parse_expr(p, &args[n++]));
        } while (accept(p, ","));
        if (!accept(p, ")")) return expected(p, "',' or ')'");
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (!word_is(w, functions[i].name) || !(self ? functions[i].member : functions[i].global)) continue;
        if (n != functions[i].args) return WRONG(p, at, "%s() takes no such number of operands", functions[i].name);
        TRY(node(p, functions[i].op, at, n, out));
        memcpy((*out)->kid, args, n * sizeof *args);
        return OK;
    }
    return WRONG(p, at, "there is no such call");
}

static enum eim_err has(struct parser *p, size_t at, struct expr_node **out)
{
    struct expr_node *x;
    size_t from = (skip(p), p->at);
    TRY(parse_expr(p, &x));
    if (!accept(p, ")")) return expected(p, "')'");
    bool dotted = x->op == OP_VAR && strchr(p->x->vars[x->slot].name, '.');
    if (x->op != OP_SELECT && !dotted) return WRONG(p, from, "has() takes a field: has(a.b)");
    TRY(node(p, OP_HAS, at, 1, out));
    (*out)->kid[0] = dotted ? x : x->kid[0];
    (*out)->name = dotted ? (struct slice){ 0 } : x->name;
    return OK;
}

static enum eim_err macro(struct parser *p, enum expr_op op, size_t at, struct expr_node *over, struct expr_node **out)
{
    struct slice w = word(p);
    struct expr_node *body;
    if (!w.n || reserved(w)) return expected(p, "the name of an item");
    if (p->nlocals == LOCALS_MAX) return expr_fail(p->e, E_LIMIT, p->x->source, at, "more than %d macros stand in each other", LOCALS_MAX);
    p->at += w.n;
    if (!accept(p, ",")) return expected(p, "','");
    p->locals[p->nlocals++] = w;
    TRY(parse_expr(p, &body));
    p->nlocals--;
    if (!accept(p, ")")) return expected(p, "')'");
    TRY(binary(p, op, at, over, body, out));
    (*out)->slot = p->nlocals;
    return OK;
}

/* ---- the grammar, from the inside out ---- */

static enum eim_err items(struct parser *p, enum expr_op op, size_t at, const char *close, struct expr_node **out)
{
    struct expr_node *list[256];
    unsigned n = 0;
    while (!accept(p, close)) {
        if (n + 2 > 256) return expr_fail(p->e, E_LIMIT, p->x->source, at, "more than %d items are written out", op == OP_MAP ? 127 : 255);
        TRY(parse_expr(p, &list[n++]));
        if (op == OP_MAP) {
            if (!accept(p, ":")) return expected(p, "':'");
            TRY(parse_expr(p, &list[n++]));
        }
        if (accept(p, ",")) continue;
        if (!accept(p, close)) return expected(p, op == OP_MAP ? "',' or '}'" : "',' or ']'");
        break;
    }
    TRY(node(p, op, at, n, out));
    if (n) memcpy((*out)->kid, list, n * sizeof *list);
    return OK;
}

static enum eim_err primary(struct parser *p, struct expr_node **out)
{
    skip(p);
    size_t at = p->at;
    int c = ch(p, 0);
    if (accept(p, "(")) {
        TRY(parse_expr(p, out));
        return accept(p, ")") ? OK : expected(p, "')'");
    }
    if (accept(p, "[")) return items(p, OP_LIST, at, "]", out);
    if (accept(p, "{")) return items(p, OP_MAP, at, "}", out);
    if (c == '"' || c == '\'') return string(p, false, at, out);
    if (is_digit(c) || (c == '.' && is_digit(ch(p, 1)))) return number(p, false, at, out);
    struct slice w = word(p);
    if (!w.n) return expected(p, "a value");
    int behind = ch(p, w.n);
    if (w.n <= 2 && (behind == '"' || behind == '\'')) {
        if (word_is(w, "r") || word_is(w, "R")) return p->at++, string(p, true, at, out);
        return WRONG(p, at, "bytes are not supported");
    }
    if (word_is(w, "true") || word_is(w, "false")) {
        p->at += w.n;
        return constant(p, at, (struct expr_value){ .type = EXPR_BOOL, .b = word_is(w, "true") }, out);
    }
    if (word_is(w, "null")) {
        p->at += w.n;
        return constant(p, at, (struct expr_value){ .type = EXPR_NULL }, out);
    }
    if (reserved(w)) return WRONG(p, at, "'%.*s' is a reserved word", (int)w.n, (const char *)w.p);
    size_t after = p->at + w.n;
    struct parser look = *p;
    look.at = after;
    if (accept(&look, "(")) {
        p->at = look.at;
        return word_is(w, "has") ? has(p, at, out) : call(p, w, at, NULL, out);
    }
    return name(p, w, out);
}

static enum eim_err member(struct parser *p, struct expr_node **out)
{
    TRY(primary(p, out));
    for (unsigned n = 0;; n++) {
        size_t at = (skip(p), p->at);
        struct expr_node *self = *out, *index;
        if (n >= EXPR_DEPTH_MAX) return expr_fail(p->e, E_LIMIT, p->x->source, at, "more than %d members follow each other", EXPR_DEPTH_MAX);
        if (accept(p, "[")) {
            TRY(parse_expr(p, &index));
            if (!accept(p, "]")) return expected(p, "']'");
            TRY(binary(p, OP_INDEX, at, self, index, out));
            continue;
        }
        if (ch(p, 0) != '.' || is_digit(ch(p, 1)) || !accept(p, ".")) return OK;
        struct slice w = word(p);
        at = p->at;
        if (!w.n) return expected(p, "a name");
        p->at += w.n;
        if (accept(p, "(")) {
            if (word_is(w, "all")) TRY(macro(p, OP_ALL, at, self, out));
            else if (word_is(w, "exists")) TRY(macro(p, OP_EXISTS, at, self, out));
            else TRY(call(p, w, at, self, out));
            continue;
        }
        TRY(node(p, OP_SELECT, at, 1, out));
        (*out)->kid[0] = self;
        (*out)->name = w;
    }
}

static enum eim_err unary(struct parser *p, struct expr_node **out)
{
    skip(p);
    size_t at = p->at;
    struct expr_node *x;
    if (ch(p, 0) == '-' && is_digit(ch(p, 1))) {
        p->at++;
        TRY(number(p, true, at, out));
        return OK;
    }
    enum expr_op op = ch(p, 0) == '-' ? OP_NEG : ch(p, 0) == '!' && ch(p, 1) != '=' ? OP_NOT : OP_END;
    if (op == OP_END) return member(p, out);
    p->at++;
    TRY(deeper(p));
    TRY(unary(p, &x));
    p->depth--;
    TRY(node(p, op, at, 1, out));
    (*out)->kid[0] = x;
    return OK;
}

/* Operators of the same strength, from left to right. Longer ones first. */
struct level { const char *text[7]; enum expr_op op[7]; unsigned n; };
static const struct level levels[] = {
    { { "||" }, { OP_OR }, 1 }, { { "&&" }, { OP_AND }, 1 },
    { { "<=", ">=", "==", "!=", "<", ">", "in" }, { OP_LE, OP_GE, OP_EQ, OP_NE, OP_LT, OP_GT, OP_IN }, 7 },
    { { "+", "-" }, { OP_ADD, OP_SUB }, 2 }, { { "*", "/", "%" }, { OP_MUL, OP_DIV, OP_MOD }, 3 },
};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static bool operator_here(struct parser *p, const struct level *l, enum expr_op *op)
{
    for (unsigned i = 0; i < l->n; i++) {
        bool letters = is_letter(l->text[i][0]);
        if (letters ? !word_is(word(p), l->text[i]) : false) continue;
        if (!accept(p, l->text[i])) continue;
        *op = l->op[i];
        return true;
    }
    return false;
}

static enum eim_err level(struct parser *p, unsigned i, struct expr_node **out)
{
    enum expr_op op;
    if (i == LEVELS) return unary(p, out);
    TRY(level(p, i + 1, out));
    for (unsigned n = 0;; n++) {
        size_t at = (skip(p), p->at);
        struct expr_node *right;
        if (!operator_here(p, &levels[i], &op)) return OK;
        if (n == 64 * EXPR_DEPTH_MAX) return expr_fail(p->e, E_LIMIT, p->x->source, at, "the expression is too long");
        TRY(level(p, i + 1, &right));
        TRY(binary(p, op, at, *out, right, out));
    }
}

static enum eim_err parse_expr(struct parser *p, struct expr_node **out)
{
    struct expr_node *test, *yes, *no;
    TRY(deeper(p));
    TRY(level(p, 0, out));
    size_t at = (skip(p), p->at);
    if (accept(p, "?")) {
        test = *out;
        TRY(level(p, 0, &yes));
        if (!accept(p, ":")) return expected(p, "':'");
        TRY(parse_expr(p, &no));
        TRY(node(p, OP_IF, at, 3, out));
        (*out)->kid[0] = test;
        (*out)->kid[1] = yes;
        (*out)->kid[2] = no;
    }
    p->depth--;
    return OK;
}

enum eim_err expr_parse(struct expr *x, struct arena *a, struct err *e)
{
    struct parser p = { .x = x, .a = a, .e = e };
    if (x->source.n > EXPR_SOURCE_MAX) return expr_fail(e, E_LIMIT, x->source, 0, "the expression has more than %d octets", EXPR_SOURCE_MAX);
    TRY(parse_expr(&p, &x->root));
    skip(&p);
    return p.at == x->source.n ? OK : expected(&p, "an operator or the end");
}
