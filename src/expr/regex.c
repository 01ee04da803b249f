/* regex.c -- regular expressions by simulation of their automaton (Thompson's construction, Pike's machine without captures).
 *
 * The pattern becomes a program of instructions; a set of program counters goes over the text, a code point at a time. No input makes it
 * slower than states times code points, and its memory is two bit sets. */
#include "expr/regex.h"

enum inst_op { I_CHAR, I_ANY, I_SET, I_SPLIT, I_JUMP, I_BEGIN, I_END, I_MATCH };

struct range { uint32_t lo, hi; };
struct set { bool negated; unsigned n; struct range r[32]; };

struct inst {
    enum inst_op op;
    uint32_t c;                        /* I_CHAR */
    const struct set *set;
    unsigned x, y;                     /* where to go: I_SPLIT both, I_JUMP x */
};

struct regex { struct inst *prog; unsigned n; };

unsigned regex_states(const struct regex *r) { return r->n; }

/* ---- code points ---- */

/* One code point off *s; octets that are no UTF-8 count one each. */
static uint32_t take(struct slice *s)
{
    uint8_t c = s->p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 1;
    uint32_t v = n == 1 ? c : n == 2 ? c & 0x1F : n == 3 ? c & 0x0F : c & 0x07;
    if (n > s->n) n = 1, v = c;
    for (size_t i = 1; i < n; i++) {
        if ((s->p[i] & 0xC0) != 0x80) {
            n = 1;
            v = c;
            break;
        }
        v = v << 6 | (s->p[i] & 0x3F);
    }
    *s = slice_of(s->p + n, s->n - n);
    return v;
}

/* ---- compiling ---- */

struct compiler {
    struct slice all, rest;
    struct inst *prog;
    unsigned n, depth;
    struct arena *a;
    struct err *e;
    enum eim_err rc;
};

/* A piece of program: where it begins; it ends where the next instruction will stand. */
struct piece { unsigned from; bool empty; };

static bool wrong(struct compiler *c, enum eim_err code, const char *why)
{
    if (c->rc == OK) {
        c->rc = fail(c->e, code, "RE2", "%s", why);
        c->e->at = c->all.n - c->rest.n;
        c->e->has_at = 1;
    }
    return false;
}

static bool emit(struct compiler *c, struct inst i)
{
    if (c->n == REGEX_STATES_MAX) return wrong(c, E_LIMIT, "the pattern needs too many states");
    c->prog[c->n++] = i;
    return true;
}

/* Room for one instruction at `at`: what stands behind it moves, and so do the places it goes to. */
static bool insert(struct compiler *c, unsigned at, struct inst in)
{
    if (c->n == REGEX_STATES_MAX) return wrong(c, E_LIMIT, "the pattern needs too many states");
    memmove(&c->prog[at + 1], &c->prog[at], (c->n - at) * sizeof *c->prog);
    c->n++;
    for (unsigned i = at + 1; i < c->n; i++) {
        if (c->prog[i].op == I_SPLIT || c->prog[i].op == I_JUMP) {
            if (c->prog[i].x >= at) c->prog[i].x++;
            if (c->prog[i].op == I_SPLIT && c->prog[i].y >= at) c->prog[i].y++;
        }
    }
    c->prog[at] = in;
    return true;
}

static bool peek(const struct compiler *c, char want) { return c->rest.n && c->rest.p[0] == (uint8_t)want; }
static bool accept(struct compiler *c, char want)
{
    if (!peek(c, want)) return false;
    c->rest = slice_of(c->rest.p + 1, c->rest.n - 1);
    return true;
}

static bool add_range(struct compiler *c, struct set *s, uint32_t lo, uint32_t hi)
{
    if (lo > hi) return wrong(c, E_INVALID, "a range of a class goes backwards");
    if (s->n == sizeof s->r / sizeof s->r[0]) return wrong(c, E_LIMIT, "a class has too many ranges");
    s->r[s->n++] = (struct range){ lo, hi };
    return true;
}

static bool add_class(struct compiler *c, struct set *s, uint8_t letter)
{
    static const struct { char letter; struct range r[4]; unsigned n; } classes[] = {
        { 'd', { { '0', '9' } }, 1 }, { 'w', { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } }, 4 },
        { 's', { { '\t', '\n' }, { '\f', '\r' }, { ' ', ' ' } }, 3 },
        { 'D', { { 0, '0' - 1 }, { '9' + 1, 0x10FFFF } }, 2 }, { 'S', { { 0, 8 }, { 11, 11 }, { 14, 31 }, { 33, 0x10FFFF } }, 4 },
    };
    if (letter == 'W')
        return add_range(c, s, 0, '0' - 1) && add_range(c, s, '9' + 1, 'A' - 1) && add_range(c, s, 'Z' + 1, '_' - 1) &&
               add_range(c, s, '_' + 1, 'a' - 1) && add_range(c, s, 'z' + 1, 0x10FFFF);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (classes[i].letter != (char)letter) continue;
        for (unsigned k = 0; k < classes[i].n; k++)
            if (!add_range(c, s, classes[i].r[k].lo, classes[i].r[k].hi)) return false;
        return true;
    }
    return wrong(c, E_INVALID, "there is no such escape");
}

/* Behind a backslash: a character (true in *is_char), or a class letter. */
static bool escape(struct compiler *c, uint32_t *out, bool *is_char)
{
    static const char plain[] = "tnrfv", means[] = "\t\n\r\f\v";
    if (!c->rest.n) return wrong(c, E_INVALID, "a backslash at the end");
    uint32_t v = take(&c->rest);
    const char *at = v && v < 0x80 ? strchr(plain, (int)v) : NULL;
    *is_char = true;
    if (at) v = (uint8_t)means[at - plain];
    else if (v < 0x80 && strchr("dwsDWS", (int)v) && v) *is_char = false;
    else if ((v >= '0' && v <= '9') || (v >= 'a' && v <= 'z') || (v >= 'A' && v <= 'Z') || v >= 0x80) return wrong(c, E_INVALID, "there is no such escape");
    *out = v;
    return true;
}

static bool parse_set(struct compiler *c)
{
    struct set *s = ARENA_NEW(c->a, struct set);
    if (!s) return wrong(c, E_NOMEM, "no room for the pattern");
    s->negated = accept(c, '^');
    for (bool first = true; first || !peek(c, ']'); first = false) {
        uint32_t lo, hi;
        bool is_char = true;
        if (!c->rest.n) return wrong(c, E_INVALID, "a class is not closed");
        if (peek(c, '[') && c->rest.n > 1 && c->rest.p[1] == ':') return wrong(c, E_INVALID, "[:names:] are not supported");
        if (accept(c, '\\')) {
            if (!escape(c, &lo, &is_char)) return false;
        } else {
            lo = take(&c->rest);
        }
        if (!is_char) {
            if (!add_class(c, s, (uint8_t)lo)) return false;
            continue;
        }
        hi = lo;
        if (peek(c, '-') && c->rest.n > 1 && c->rest.p[1] != ']') {
            (void)accept(c, '-');
            if (accept(c, '\\')) {
                if (!escape(c, &hi, &is_char)) return false;
                if (!is_char) return wrong(c, E_INVALID, "a range ends in a class");
            } else {
                hi = take(&c->rest);
            }
        }
        if (!add_range(c, s, lo, hi)) return false;
    }
    (void)accept(c, ']');
    return emit(c, (struct inst){ .op = I_SET, .set = s });
}

static bool parse_alternatives(struct compiler *c);

static bool parse_group(struct compiler *c)
{
    if (accept(c, '?') && !accept(c, ':')) return wrong(c, E_INVALID, "flags and named groups are not supported");
    if (++c->depth > 32) return wrong(c, E_LIMIT, "groups stand too deep");
    if (!parse_alternatives(c)) return false;
    c->depth--;
    return accept(c, ')') || wrong(c, E_INVALID, "a group is not closed");
}

static bool parse_atom(struct compiler *c)
{
    uint32_t v;
    bool is_char;
    if (accept(c, '(')) return parse_group(c);
    if (accept(c, '[')) return parse_set(c);
    if (accept(c, '.')) return emit(c, (struct inst){ .op = I_ANY });
    if (accept(c, '^')) return emit(c, (struct inst){ .op = I_BEGIN });
    if (accept(c, '$')) return emit(c, (struct inst){ .op = I_END });
    if (peek(c, '*') || peek(c, '+') || peek(c, '?')) return wrong(c, E_INVALID, "nothing stands before a repetition");
    if (!accept(c, '\\')) {
        v = take(&c->rest);
        return emit(c, (struct inst){ .op = I_CHAR, .c = v });
    }
    if (!escape(c, &v, &is_char)) return false;
    if (is_char) return emit(c, (struct inst){ .op = I_CHAR, .c = v });
    struct set *s = ARENA_NEW(c->a, struct set);
    if (!s) return wrong(c, E_NOMEM, "no room for the pattern");
    return add_class(c, s, (uint8_t)v) && emit(c, (struct inst){ .op = I_SET, .set = s });
}

/* ---- repetitions: the piece from `from` to the end of the program ---- */

static bool star(struct compiler *c, unsigned from)
{
    if (!insert(c, from, (struct inst){ .op = I_SPLIT, .x = from + 1 })) return false;
    if (!emit(c, (struct inst){ .op = I_JUMP, .x = from })) return false;
    c->prog[from].y = c->n;
    return true;
}

static bool maybe(struct compiler *c, unsigned from)
{
    if (!insert(c, from, (struct inst){ .op = I_SPLIT, .x = from + 1 })) return false;
    c->prog[from].y = c->n;
    return true;
}

/* A copy of the piece [from, to) at the end of the program. */
static bool copy(struct compiler *c, unsigned from, unsigned to)
{
    unsigned shift = c->n - from;
    for (unsigned i = from; i < to; i++) {
        struct inst in = c->prog[i];
        if (in.op == I_SPLIT || in.op == I_JUMP) {
            in.x += shift;
            in.y += shift;
        }
        if (!emit(c, in)) return false;
    }
    return true;
}

static bool read_number(struct compiler *c, unsigned *out)
{
    unsigned v = 0, digits = 0;
    for (; c->rest.n && c->rest.p[0] >= '0' && c->rest.p[0] <= '9' && digits < 4; digits++) {
        v = v * 10 + (unsigned)(c->rest.p[0] - '0');
        c->rest = slice_of(c->rest.p + 1, c->rest.n - 1);
    }
    *out = v;
    return digits > 0;
}

static bool counted(struct compiler *c, unsigned from)
{
    unsigned lo, hi, to = c->n;
    bool open = false;
    if (!read_number(c, &lo)) return wrong(c, E_INVALID, "a count is {n}, {n,} or {n,m}");
    hi = lo;
    if (accept(c, ',') && !read_number(c, &hi)) open = true;
    if (!accept(c, '}') || (!open && hi < lo)) return wrong(c, E_INVALID, "a count is {n}, {n,} or {n,m}");
    if (lo > REGEX_REPEAT_MAX || hi > REGEX_REPEAT_MAX) return wrong(c, E_LIMIT, "a count is at most 100");
    for (unsigned i = 1; i < lo; i++)
        if (!copy(c, from, to)) return false;
    if (open) {
        unsigned last = c->n;
        if (lo && !copy(c, from, to)) return false;
        return star(c, lo ? last : from);
    }
    for (unsigned i = lo ? lo : 1; i < hi; i++) {
        unsigned last = c->n;
        if (!copy(c, from, to) || !maybe(c, last)) return false;
    }
    if (lo) return true;
    if (hi) return maybe(c, from);
    c->n = from;                       /* {0}: nothing */
    return true;
}

static bool parse_repeated(struct compiler *c)
{
    unsigned from = c->n;
    if (!parse_atom(c)) return false;
    for (bool once = false;; once = true) {
        bool good;
        if (accept(c, '*')) good = star(c, from);
        else if (accept(c, '+')) good = emit(c, (struct inst){ .op = I_SPLIT, .x = from, .y = c->n + 1 });
        else if (accept(c, '?')) good = maybe(c, from);
        else if (accept(c, '{')) good = counted(c, from);
        else return true;
        if (!good) return false;
        if (once) return wrong(c, E_INVALID, "a repetition of a repetition");
        (void)accept(c, '?');          /* lazy: which of the matches is meant does not matter here */
    }
}

static bool parse_sequence(struct compiler *c)
{
    while (c->rest.n && !peek(c, '|') && !peek(c, ')'))
        if (!parse_repeated(c)) return false;
    return true;
}

static bool parse_alternatives(struct compiler *c)
{
    unsigned from = c->n, ends[64], n = 0;
    if (!parse_sequence(c)) return false;
    while (accept(c, '|')) {
        if (n == 64) return wrong(c, E_LIMIT, "too many alternatives");
        if (!insert(c, from, (struct inst){ .op = I_SPLIT, .x = from + 1 })) return false;
        ends[n++] = c->n;
        if (!emit(c, (struct inst){ .op = I_JUMP })) return false;
        c->prog[from].y = c->n;
        from = c->n;
        if (!parse_sequence(c)) return false;
    }
    for (unsigned i = 0; i < n; i++) c->prog[ends[i]].x = c->n;
    return true;
}

enum eim_err regex_compile(struct regex **out, struct slice pattern, struct arena *a, struct err *e)
{
    struct compiler c = { .all = pattern, .rest = pattern, .a = a, .e = e };
    struct regex *r = ARENA_NEW(a, struct regex);
    struct arena work;
    if (pattern.n > REGEX_PATTERN_MAX) return fail(e, E_LIMIT, "RE2", "a pattern has at most %d octets", REGEX_PATTERN_MAX);
    arena_init(&work, REGEX_STATES_MAX * sizeof(struct inst) + 64);
    c.prog = ARENA_ARRAY(&work, struct inst, REGEX_STATES_MAX);
    if (!r || !c.prog) c.rc = fail(e, E_NOMEM, NULL, "no room for the pattern");
    else if (parse_alternatives(&c) && c.rest.n) (void)wrong(&c, E_INVALID, "a ')' closes nothing");
    if (c.rc == OK) (void)emit(&c, (struct inst){ .op = I_MATCH });
    if (c.rc == OK && (r->prog = ARENA_ARRAY(a, struct inst, c.n))) {
        memcpy(r->prog, c.prog, c.n * sizeof *c.prog);
        r->n = c.n;
        *out = r;
    } else if (c.rc == OK) {
        c.rc = fail(e, E_NOMEM, NULL, "no room for the pattern");
    }
    arena_free(&work);
    return c.rc;
}

/* ---- matching ---- */

/* A set of program counters, each once, in the order added. */
struct threads { unsigned n; uint16_t pc[REGEX_STATES_MAX]; uint64_t in[(REGEX_STATES_MAX + 63) / 64]; };

static void add(struct threads *t, const struct regex *r, unsigned start, bool first, bool last)
{
    uint16_t stack[2 * REGEX_STATES_MAX + 1];      /* each counter is looked into once, and then puts two there at most */
    unsigned n = 0;
    stack[n++] = (uint16_t)start;
    while (n) {
        unsigned pc = stack[--n];
        uint64_t bit = UINT64_C(1) << pc % 64;
        if (t->in[pc / 64] & bit) continue;
        t->in[pc / 64] |= bit;
        const struct inst *i = &r->prog[pc];
        if (i->op == I_JUMP) {
            stack[n++] = (uint16_t)i->x;
        } else if (i->op == I_SPLIT) {
            stack[n++] = (uint16_t)i->y;
            stack[n++] = (uint16_t)i->x;
        } else if (i->op == I_BEGIN || i->op == I_END) {
            if (i->op == I_BEGIN ? first : last) stack[n++] = (uint16_t)(pc + 1);
        } else {
            t->pc[t->n++] = (uint16_t)pc;
        }
    }
}

static bool in_set(const struct set *s, uint32_t c)
{
    bool found = false;
    for (unsigned i = 0; i < s->n && !found; i++) found = c >= s->r[i].lo && c <= s->r[i].hi;
    return found != s->negated;
}

bool regex_matches(const struct regex *r, struct slice text)
{
    struct threads sets[2], *now = &sets[0], *next = &sets[1];
    bool first = true;
    now->n = 0;
    memset(now->in, 0, sizeof now->in);
    for (;;) {
        add(now, r, 0, first, text.n == 0);            /* a match may begin anywhere */
        for (unsigned i = 0; i < now->n; i++)
            if (r->prog[now->pc[i]].op == I_MATCH) return true;
        if (!text.n) return false;
        uint32_t c = take(&text);
        next->n = 0;
        memset(next->in, 0, sizeof next->in);
        for (unsigned i = 0; i < now->n; i++) {
            const struct inst *in = &r->prog[now->pc[i]];
            bool on = (in->op == I_CHAR && in->c == c) || (in->op == I_ANY && c != '\n') || (in->op == I_SET && in_set(in->set, c));
            if (on) add(next, r, now->pc[i] + 1u, false, text.n == 0);
        }
        struct threads *swap = now;
        now = next;
        next = swap;
        first = false;
    }
}
