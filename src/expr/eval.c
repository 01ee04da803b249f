/* eval.c -- evaluation: a walk over the tree, without allocation.
 *
 * An error is noted as an offset and a static sentence and becomes a struct err only when it leaves, because && and || absorb errors:
 * false && error is false, true || error is true, whichever side it stands on (cel-spec, "Logical Operators"). */
#include "expr/eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/env.h"

static const int64_t FIRST_US = INT64_C(-62135596800) * 1000000, LAST_US = INT64_C(253402300800) * 1000000 - 1;       /* years 1 to 9999 */

static bool trouble(struct eval *f, const struct expr_node *n, const char *why)
{
    f->at = n->at;
    f->why = why;
    return false;
}

static const char no_overload[] = "no such overload", no_key[] = "no such key", overflow[] = "overflow";

static bool walk(struct eval *f, const struct expr_node *n, struct expr_value *out);

/* ---- lists and maps, written out or of JSON ---- */

static size_t count(const struct expr_value *v)
{
    if (v->written) return v->node->op == OP_MAP ? v->node->n / 2 : v->node->n;
    return v->type == EXPR_LIST ? json_array_size(v->json) : json_object_size(v->json);
}

static bool list_at(struct eval *f, const struct expr_value *v, size_t i, struct expr_value *out)
{
    if (v->written) return walk(f, v->node->kid[i], out);
    *out = expr_from_json(json_array_get(v->json, i));
    return true;
}

static bool equal(struct eval *f, const struct expr_value *a, const struct expr_value *b, bool *out);

/* The value under a key. *found false: there is none, which is no error yet. */
static bool map_get(struct eval *f, const struct expr_value *m, const struct expr_value *key, bool *found, struct expr_value *out)
{
    *found = false;
    if (!m->written) {
        char name[256];
        if (key->type != EXPR_STRING || key->s.n >= sizeof name || memchr(key->s.p, 0, key->s.n)) return true;
        memcpy(name, key->s.p, key->s.n);
        name[key->s.n] = 0;
        const json_t *v = json_object_get(m->json, name);
        *found = v != NULL;
        if (v) *out = expr_from_json(v);
        return true;
    }
    for (unsigned i = 0; i < m->node->n && !*found; i += 2) {
        struct expr_value k;
        if (!walk(f, m->node->kid[i], &k) || !equal(f, &k, key, found)) return false;
        if (*found) return walk(f, m->node->kid[i + 1], out);
    }
    return true;
}

static bool equal_lists(struct eval *f, const struct expr_value *a, const struct expr_value *b, bool *out)
{
    size_t n = count(a);
    *out = n == count(b);
    for (size_t i = 0; i < n && *out; i++) {
        struct expr_value x, y;
        if (!list_at(f, a, i, &x) || !list_at(f, b, i, &y) || !equal(f, &x, &y, out)) return false;
    }
    return true;
}

/* The i-th key of a map. */
static bool key_at(struct eval *f, const struct expr_value *m, size_t i, struct expr_value *out)
{
    if (m->written) return walk(f, m->node->kid[2 * i], out);
    void *it = json_object_iter((json_t *)(uintptr_t)m->json);
    while (i--) it = json_object_iter_next((json_t *)(uintptr_t)m->json, it);
    *out = (struct expr_value){ .type = EXPR_STRING, .s = slice_str(json_object_iter_key(it)) };
    return true;
}

static bool equal_maps(struct eval *f, const struct expr_value *a, const struct expr_value *b, bool *out)
{
    size_t n = count(a);
    *out = n == count(b);
    for (size_t i = 0; i < n && *out; i++) {
        struct expr_value k, x, y;
        bool in_a, in_b;
        if (!key_at(f, a, i, &k) || !map_get(f, a, &k, &in_a, &x) || !map_get(f, b, &k, &in_b, &y)) return false;
        *out = in_a && in_b;
        if (*out && !equal(f, &x, &y, out)) return false;
    }
    return true;
}

static bool equal(struct eval *f, const struct expr_value *a, const struct expr_value *b, bool *out)
{
    int order;
    if (a->type == EXPR_NULL || b->type == EXPR_NULL) return *out = a->type == b->type, true;
    if (a->type == EXPR_LIST && b->type == EXPR_LIST) return equal_lists(f, a, b, out);
    if (a->type == EXPR_MAP && b->type == EXPR_MAP) return equal_maps(f, a, b, out);
    *out = value_order(a, b, &order) && order == 0;            /* values of other types are not equal, and neither is NaN */
    return true;
}

/* ---- logic ---- */

static bool logic(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    bool decides = n->op == OP_OR;
    struct expr_value l, r;
    bool good = walk(f, n->kid[0], &l);
    if (good && l.type != EXPR_BOOL) good = trouble(f, n, no_overload);
    if (good && l.b == decides) return *out = l, true;
    size_t at = f->at;
    const char *why = f->why;
    bool right = walk(f, n->kid[1], &r);
    if (right && r.type != EXPR_BOOL) right = trouble(f, n, no_overload);
    if (right && r.b == decides) return *out = r, true;
    if (!good) {
        f->at = at;
        f->why = why;
        return false;
    }
    if (!right) return false;
    *out = (struct expr_value){ .type = EXPR_BOOL, .b = !decides };
    return true;
}

/* One item of all() or exists(): the local is what it was afterwards, because a list that is written out is computed when it is looked
 * at, and may hold macros of its own in the same place. */
static bool one_item(struct eval *f, const struct expr_node *n, const struct expr_value *over, size_t i, struct expr_value *out)
{
    struct expr_value before = f->local[n->slot], item;
    bool good = over->type == EXPR_LIST ? list_at(f, over, i, &item) : key_at(f, over, i, &item);
    if (!good) return false;
    f->local[n->slot] = item;
    good = walk(f, n->kid[1], out);
    f->local[n->slot] = before;
    return good && out->type != EXPR_BOOL ? trouble(f, n, no_overload) : good;
}

static bool macro(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    bool decides = n->op == OP_EXISTS, failed = false;
    struct expr_value over, item;
    size_t at = 0;
    const char *why = NULL;
    if (!walk(f, n->kid[0], &over)) return false;
    if (over.type != EXPR_LIST && over.type != EXPR_MAP) return trouble(f, n, no_overload);
    size_t items = count(&over);
    if (!over.written && items > EXPR_ITEMS_MAX) return trouble(f, n, "a list is longer than a macro goes over");
    for (size_t i = 0; i < items; i++) {
        bool good = one_item(f, n, &over, i, &item);
        if (good && item.b == decides) return *out = item, true;
        if (!good && !failed) failed = true, at = f->at, why = f->why;
    }
    if (failed) {
        f->at = at;
        f->why = why;
        return false;
    }
    *out = (struct expr_value){ .type = EXPR_BOOL, .b = !decides };
    return true;
}

/* ---- members ---- */

static bool index_of(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value over, key;
    bool found;
    if (!walk(f, n->kid[0], &over) || !walk(f, n->kid[1], &key)) return false;
    if (over.type == EXPR_MAP) {
        if (!map_get(f, &over, &key, &found, out)) return false;
        return found || trouble(f, n, no_key);
    }
    if (over.type != EXPR_LIST) return trouble(f, n, no_overload);
    if (key.type == EXPR_DOUBLE && key.d == floor(key.d) && fabs(key.d) < 1e15) key = (struct expr_value){ .type = EXPR_INT, .i = (int64_t)key.d };
    if (key.type != EXPR_INT) return trouble(f, n, no_overload);
    if (key.i < 0 || (uint64_t)key.i >= count(&over)) return trouble(f, n, "index out of bounds");
    return list_at(f, &over, (size_t)key.i, out);
}

static bool select_of(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value over, key = { .type = EXPR_STRING, .s = n->name };
    bool found;
    if (!walk(f, n->kid[0], &over)) return false;
    if (over.type != EXPR_MAP) return trouble(f, n, no_overload);
    if (!map_get(f, &over, &key, &found, out)) return false;
    return found || trouble(f, n, no_key);
}

static bool has(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value over, key = { .type = EXPR_STRING, .s = n->name }, ignored;
    bool found;
    if (!n->name.n) {
        found = f->in->get(f->in->ctx, n->kid[0]->slot, &ignored);
    } else {
        if (!walk(f, n->kid[0], &over)) return false;
        if (over.type != EXPR_MAP) return trouble(f, n, no_overload);
        if (!map_get(f, &over, &key, &found, &ignored)) return false;
    }
    *out = (struct expr_value){ .type = EXPR_BOOL, .b = found };
    return true;
}

static bool in(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value x, over, item;
    bool found = false;
    if (!walk(f, n->kid[0], &x) || !walk(f, n->kid[1], &over)) return false;
    if (over.type == EXPR_MAP) {
        if (!map_get(f, &over, &x, &found, &item)) return false;
    } else if (over.type == EXPR_LIST) {
        for (size_t i = 0, k = count(&over); i < k && !found; i++)
            if (!list_at(f, &over, i, &item) || !equal(f, &item, &x, &found)) return false;
    } else {
        return trouble(f, n, no_overload);
    }
    *out = (struct expr_value){ .type = EXPR_BOOL, .b = found };
    return true;
}

/* ---- comparison and arithmetic ---- */

static bool compare(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value a, b;
    int order;
    bool yes;
    if (!walk(f, n->kid[0], &a) || !walk(f, n->kid[1], &b)) return false;
    if (n->op == OP_EQ || n->op == OP_NE) {
        if (!equal(f, &a, &b, &yes)) return false;
        yes ^= n->op == OP_NE;
    } else if (value_order(&a, &b, &order)) {
        yes = n->op == OP_LT ? order < 0 : n->op == OP_LE ? order <= 0 : n->op == OP_GT ? order > 0 : order >= 0;
    } else {
        bool nan = (a.type == EXPR_DOUBLE && isnan(a.d)) || (b.type == EXPR_DOUBLE && isnan(b.d));
        bool numbers = (a.type == EXPR_DOUBLE || a.type == EXPR_INT) && (b.type == EXPR_DOUBLE || b.type == EXPR_INT);
        if (!nan || !numbers) return trouble(f, n, no_overload);
        yes = false;
    }
    *out = (struct expr_value){ .type = EXPR_BOOL, .b = yes };
    return true;
}

static bool on_ints(struct eval *f, const struct expr_node *n, int64_t a, int64_t b, int64_t *out)
{
    switch (n->op) {
    case OP_ADD: return !__builtin_add_overflow(a, b, out) || trouble(f, n, overflow);
    case OP_SUB: return !__builtin_sub_overflow(a, b, out) || trouble(f, n, overflow);
    case OP_MUL: return !__builtin_mul_overflow(a, b, out) || trouble(f, n, overflow);
    default:
        if (!b) return trouble(f, n, n->op == OP_DIV ? "division by zero" : "modulus by zero");
        if (a == INT64_MIN && b == -1) return trouble(f, n, overflow);
        *out = n->op == OP_DIV ? a / b : a % b;
        return true;
    }
}

static bool concatenate(struct eval *f, const struct expr_node *n, const struct expr_value *a, const struct expr_value *b, struct expr_value *out)
{
    size_t all = a->s.n + b->s.n;
    char *to = f->scratch + f->used;
    if (!f->scratch || all > EXPR_SCRATCH - f->used) return trouble(f, n, "the texts made are too long");
    if (a->s.n) memcpy(to, a->s.p, a->s.n);
    if (b->s.n) memcpy(to + a->s.n, b->s.p, b->s.n);
    f->used += all;
    *out = (struct expr_value){ .type = EXPR_STRING, .s = { (const uint8_t *)to, all } };
    return true;
}

static bool on_times(struct eval *f, const struct expr_node *n, const struct expr_value *a, const struct expr_value *b, struct expr_value *out)
{
    bool ta = a->type == EXPR_TIMESTAMP, tb = b->type == EXPR_TIMESTAMP, minus = n->op == OP_SUB;
    if ((n->op != OP_ADD && !minus) || (ta && tb && !minus) || (!ta && tb && minus)) return trouble(f, n, no_overload);
    *out = (struct expr_value){ .type = ta != tb ? EXPR_TIMESTAMP : EXPR_DURATION };
    if (!on_ints(f, n, a->us, b->us, &out->us)) return false;
    return out->type == EXPR_DURATION || (out->us >= FIRST_US && out->us <= LAST_US) || trouble(f, n, overflow);
}

static bool is_time(enum expr_type t) { return t == EXPR_TIMESTAMP || t == EXPR_DURATION; }

static bool arithmetic(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value a, b;
    if (!walk(f, n->kid[0], &a) || !walk(f, n->kid[1], &b)) return false;
    if (a.type == EXPR_INT && b.type == EXPR_INT) {
        *out = (struct expr_value){ .type = EXPR_INT };
        return on_ints(f, n, a.i, b.i, &out->i);
    }
    if (a.type == EXPR_DOUBLE && b.type == EXPR_DOUBLE && n->op != OP_MOD) {
        double d = n->op == OP_ADD ? a.d + b.d : n->op == OP_SUB ? a.d - b.d : n->op == OP_MUL ? a.d * b.d : a.d / b.d;
        *out = (struct expr_value){ .type = EXPR_DOUBLE, .d = d };
        return true;
    }
    if (a.type == EXPR_STRING && b.type == EXPR_STRING && n->op == OP_ADD) return concatenate(f, n, &a, &b, out);
    if (is_time(a.type) && is_time(b.type)) return on_times(f, n, &a, &b, out);
    return trouble(f, n, no_overload);
}

static bool negate(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    if (!walk(f, n->kid[0], out)) return false;
    if (n->op == OP_NOT && out->type == EXPR_BOOL) return out->b = !out->b, true;
    if (n->op == OP_NEG && out->type == EXPR_DOUBLE) return out->d = -out->d, true;
    if (n->op != OP_NEG || out->type != EXPR_INT) return trouble(f, n, no_overload);
    if (out->i == INT64_MIN) return trouble(f, n, overflow);
    out->i = -out->i;
    return true;
}

/* ---- functions ---- */

static bool size_of(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value v;
    int64_t size = 0;
    if (!walk(f, n->kid[0], &v)) return false;
    if (v.type == EXPR_STRING)
        for (size_t i = 0; i < v.s.n; i++) size += (v.s.p[i] & 0xC0) != 0x80;
    else if (v.type == EXPR_LIST || v.type == EXPR_MAP) size = (int64_t)count(&v);
    else return trouble(f, n, no_overload);
    *out = (struct expr_value){ .type = EXPR_INT, .i = size };
    return true;
}

static bool text_test(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value s, part = { .type = EXPR_STRING };
    bool yes;
    if (!walk(f, n->kid[0], &s) || (n->op != OP_MATCHES && !walk(f, n->kid[1], &part))) return false;
    if (s.type != EXPR_STRING || part.type != EXPR_STRING) return trouble(f, n, no_overload);
    if (n->op == OP_MATCHES) {
        if (s.s.n > EXPR_SCRATCH) return trouble(f, n, "the text is too long to be matched");
        yes = regex_matches(n->regex, s.s);
    } else if (n->op == OP_CONTAINS) {
        yes = !part.s.n || memmem(s.s.p, s.s.n, part.s.p, part.s.n);
    } else {
        bool fits = part.s.n <= s.s.n;
        yes = fits && (!part.s.n || !memcmp(s.s.p + (n->op == OP_ENDS ? s.s.n - part.s.n : 0), part.s.p, part.s.n));
    }
    *out = (struct expr_value){ .type = EXPR_BOOL, .b = yes };
    return true;
}

static bool read_text(const struct expr_value *v, char *out, size_t room)
{
    if (!v->s.n || v->s.n >= room || memchr(v->s.p, 0, v->s.n)) return false;
    memcpy(out, v->s.p, v->s.n);
    out[v->s.n] = 0;
    return true;
}

static bool to_int(struct eval *f, const struct expr_node *n, const struct expr_value *v, struct expr_value *out)
{
    char text[32], *end;
    *out = (struct expr_value){ .type = EXPR_INT };
    if (v->type == EXPR_INT) return out->i = v->i, true;
    if (v->type == EXPR_TIMESTAMP) return out->i = v->us / 1000000 - (v->us % 1000000 < 0), true;
    if (v->type == EXPR_DOUBLE) {
        if (!(v->d > -9223372036854775808.0 && v->d < 9223372036854775808.0)) return trouble(f, n, "the number is no 64-bit int");
        return out->i = (int64_t)v->d, true;
    }
    if (v->type != EXPR_STRING) return trouble(f, n, no_overload);
    if (!read_text(v, text, sizeof text) || text[strspn(text, "0123456789-+")]) return trouble(f, n, "the text is no int");
    size_t digits = strspn(text + (text[0] == '-' || text[0] == '+'), "0123456789");
    char most[32];
    out->i = strtoll(text, &end, 10);
    snprintf(most, sizeof most, "%lld", (long long)out->i);
    const char *same = text[0] == '+' ? text + 1 : text;
    while (same[0] == '0' && same[1]) same++;
    if (*end || !digits || ((out->i == INT64_MAX || out->i == INT64_MIN) && strcmp(most, same) != 0)) return trouble(f, n, "the text is no int");
    return true;
}

static bool to_double(struct eval *f, const struct expr_node *n, const struct expr_value *v, struct expr_value *out)
{
    char text[64], *end;
    *out = (struct expr_value){ .type = EXPR_DOUBLE };
    if (v->type == EXPR_DOUBLE) return out->d = v->d, true;
    if (v->type == EXPR_INT) return out->d = (double)v->i, true;
    if (v->type != EXPR_STRING) return trouble(f, n, no_overload);
    bool good = read_text(v, text, sizeof text) && (strchr("0123456789.+-", text[0]) || !strcmp(text, "NaN") || !strcmp(text, "Inf"));
    good = good && !strpbrk(text, "xXpP");
    if (good) out->d = strtod(text, &end);
    return (good && !*end) || trouble(f, n, "the text is no number");
}

static bool to_bool(struct eval *f, const struct expr_node *n, const struct expr_value *v, struct expr_value *out)
{
    static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" }, *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
    *out = (struct expr_value){ .type = EXPR_BOOL };
    if (v->type == EXPR_BOOL) return out->b = v->b, true;
    if (v->type != EXPR_STRING) return trouble(f, n, no_overload);
    for (size_t i = 0; i < 6; i++) {
        if (slice_eq(v->s, slice_str(yes[i]))) return out->b = true, true;
        if (slice_eq(v->s, slice_str(no[i]))) return true;
    }
    return trouble(f, n, "the text is no bool");
}

static bool to_string(struct eval *f, const struct expr_node *n, const struct expr_value *v, struct expr_value *out)
{
    size_t made = 0;
    if (v->type == EXPR_STRING) return *out = *v, true;
    if (v->type == EXPR_NULL || v->type == EXPR_LIST || v->type == EXPR_MAP) return trouble(f, n, no_overload);
    char *to = f->scratch + f->used;
    if (!f->scratch || !value_print(v, to, EXPR_SCRATCH - f->used, &made)) return trouble(f, n, "the texts made are too long");
    f->used += made;
    *out = (struct expr_value){ .type = EXPR_STRING, .s = { (const uint8_t *)to, made } };
    return true;
}

static bool convert(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value v;
    if (!walk(f, n->kid[0], &v)) return false;
    switch (n->op) {
    case OP_TO_INT: return to_int(f, n, &v, out);
    case OP_TO_DOUBLE: return to_double(f, n, &v, out);
    case OP_TO_BOOL: return to_bool(f, n, &v, out);
    case OP_TO_STRING: return to_string(f, n, &v, out);
    case OP_TO_TIMESTAMP:
        if (v.type == EXPR_TIMESTAMP) return *out = v, true;
        *out = (struct expr_value){ .type = EXPR_TIMESTAMP };
        if (v.type == EXPR_INT)
            return (!__builtin_mul_overflow(v.i, INT64_C(1000000), &out->us) && out->us >= FIRST_US && out->us <= LAST_US) || trouble(f, n, overflow);
        if (v.type != EXPR_STRING) return trouble(f, n, no_overload);
        return value_to_timestamp(v.s, &out->us) || trouble(f, n, "the text is no time of RFC 3339 since 1970");
    case OP_TO_DURATION:
        if (v.type == EXPR_DURATION) return *out = v, true;
        if (v.type != EXPR_STRING) return trouble(f, n, no_overload);
        *out = (struct expr_value){ .type = EXPR_DURATION };
        return value_to_duration(v.s, &out->us) || trouble(f, n, "the text is no duration, such as 90s or 1h30m, in whole microseconds");
    default: return *out = v, true;
    }
}

/* A part of a timestamp (UTC), or of a duration in whole units. */
static bool time_part(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value v;
    struct tm tm;
    if (!walk(f, n->kid[0], &v)) return false;
    *out = (struct expr_value){ .type = EXPR_INT };
    if (v.type == EXPR_DURATION) {
        int64_t unit = n->op == OP_HOURS ? 3600000000 : n->op == OP_MINUTES ? 60000000 : n->op == OP_SECONDS ? 1000000 : n->op == OP_MILLIS ? 1000 : 0;
        if (!unit) return trouble(f, n, no_overload);
        out->i = n->op == OP_MILLIS ? v.us / 1000 % 1000 : v.us / unit;
        return true;
    }
    if (v.type != EXPR_TIMESTAMP) return trouble(f, n, no_overload);
    int64_t frac = v.us % 1000000, s = v.us / 1000000 - (frac < 0);
    time_t t = (time_t)s;
    if (!gmtime_r(&t, &tm)) return trouble(f, n, overflow);
    switch (n->op) {
    case OP_FULL_YEAR: out->i = tm.tm_year + 1900; break;
    case OP_MONTH: out->i = tm.tm_mon; break;                  /* from 0, as CEL has it */
    case OP_DATE: out->i = tm.tm_mday; break;                  /* from 1 */
    case OP_DAY_OF_MONTH: out->i = tm.tm_mday - 1; break;      /* from 0 */
    case OP_DAY_OF_WEEK: out->i = tm.tm_wday; break;           /* Sunday is 0 */
    case OP_DAY_OF_YEAR: out->i = tm.tm_yday; break;
    case OP_HOURS: out->i = tm.tm_hour; break;
    case OP_MINUTES: out->i = tm.tm_min; break;
    case OP_SECONDS: out->i = tm.tm_sec; break;
    default: out->i = (frac < 0 ? frac + 1000000 : frac) / 1000; break;
    }
    return true;
}

/* ---- the walk ---- */

static bool walk(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value test;
    switch (n->op) {
    case OP_CONST: return *out = n->value, true;
    case OP_VAR: return f->in->get(f->in->ctx, n->slot, out) || trouble(f, n, no_key);
    case OP_LOCAL: return *out = f->local[n->slot], true;
    case OP_LIST: return *out = (struct expr_value){ .type = EXPR_LIST, .written = true, .node = n }, true;
    case OP_MAP: return *out = (struct expr_value){ .type = EXPR_MAP, .written = true, .node = n }, true;
    case OP_SELECT: return select_of(f, n, out);
    case OP_INDEX: return index_of(f, n, out);
    case OP_HAS: return has(f, n, out);
    case OP_OR:
    case OP_AND: return logic(f, n, out);
    case OP_IF:
        if (!walk(f, n->kid[0], &test)) return false;
        return test.type == EXPR_BOOL ? walk(f, n->kid[test.b ? 1 : 2], out) : trouble(f, n, no_overload);
    case OP_NOT:
    case OP_NEG: return negate(f, n, out);
    case OP_EQ: case OP_NE: case OP_LT: case OP_LE: case OP_GT: case OP_GE: return compare(f, n, out);
    case OP_IN: return in(f, n, out);
    case OP_ADD: case OP_SUB: case OP_MUL: case OP_DIV: case OP_MOD: return arithmetic(f, n, out);
    case OP_ALL:
    case OP_EXISTS: return macro(f, n, out);
    case OP_SIZE: return size_of(f, n, out);
    case OP_STARTS: case OP_ENDS: case OP_CONTAINS: case OP_MATCHES: return text_test(f, n, out);
    case OP_TO_INT: case OP_TO_DOUBLE: case OP_TO_STRING: case OP_TO_BOOL: case OP_TO_TIMESTAMP: case OP_TO_DURATION: case OP_TO_DYN:
        return convert(f, n, out);
    default: return time_part(f, n, out);
    }
}

bool eval_node(struct eval *f, const struct expr_node *n, struct expr_value *out)
{
    return walk(f, n, out);
}

enum eim_err expr_eval(const struct expr *x, const struct expr_input *in, char *scratch, struct expr_value *out, struct err *e)
{
    struct eval f = { .in = in, .scratch = scratch };
    return walk(&f, x->root, out) ? OK : expr_fail(e, E_INVALID, x->source, f.at, "%s", f.why);
}

enum eim_err expr_test(const struct expr *x, const struct expr_input *in, bool *out, struct err *e)
{
    char scratch[EXPR_SCRATCH];
    struct expr_value v;
    *out = false;
    TRY(expr_eval(x, in, scratch, &v, e));
    if (v.type != EXPR_BOOL) return expr_fail(e, E_INVALID, x->source, 0, "the result is no bool but %s", expr_type_name(v.type));
    *out = v.b;
    return OK;
}

static json_t *print(struct eval *f, const struct expr_value *v, unsigned depth)
{
    char text[64];
    size_t n;
    struct expr_value item, key;
    json_t *o;
    if (depth > EXPR_DEPTH_MAX) return NULL;
    switch (v->type) {
    case EXPR_NULL: return json_null();
    case EXPR_BOOL: return json_boolean(v->b);
    case EXPR_INT: return json_integer(v->i);
    case EXPR_STRING: return json_stringn((const char *)v->s.p, v->s.n);
    case EXPR_DOUBLE:
        if (isfinite(v->d)) return json_real(v->d);
        /* fall through */
    case EXPR_TIMESTAMP:
    case EXPR_DURATION: return value_print(v, text, sizeof text, &n) ? json_stringn(text, n) : NULL;
    default: break;
    }
    if (!v->written) return json_incref((json_t *)(uintptr_t)v->json);
    o = v->type == EXPR_LIST ? json_array() : json_object();
    for (size_t i = 0, k = count(v); i < k && o; i++) {
        bool found = false;
        bool good = v->type == EXPR_LIST ? list_at(f, v, i, &item) : key_at(f, v, i, &key) && map_get(f, v, &key, &found, &item);
        json_t *j = good ? print(f, &item, depth + 1) : NULL;
        char *name = text;
        if (v->type == EXPR_LIST) json_array_append_new(o, j);
        else if (key.type == EXPR_STRING && key.s.n < sizeof text) memcpy(text, key.s.p, key.s.n), text[key.s.n] = 0, json_object_set_new(o, name, j);
        else if (value_print(&key, text, sizeof text, &n)) json_object_set_new(o, name, j);
        else json_decref(j);
        if (!j) return json_decref(o), NULL;
    }
    return o;
}

json_t *expr_json(const struct expr *x, const struct expr_input *in, const struct expr_value *v)
{
    char scratch[EXPR_SCRATCH];
    struct eval f = { .in = in, .scratch = scratch };
    (void)x;
    return print(&f, v, 0);
}
