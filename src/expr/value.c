/* value.c -- times, durations, order and text of values. */
#include "expr/expr_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/env.h"

static const char *const type_names[EXPR_TYPE_END] = {
#define X(type, name) [type] = name,
    EXPR_TYPES(X)
#undef X
};

const char *expr_type_name(enum expr_type t)
{
    return (unsigned)t < EXPR_TYPE_END ? type_names[t] : "?";
}

static const char *const op_names[OP_END] = {
#define X(op, name) [op] = name,
    EXPR_OPS(X)
#undef X
};

const char *expr_op_name(enum expr_op op)
{
    return op_names[op];
}

bool value_to_timestamp(struct slice text, int64_t *us)
{
    char buf[48];
    if (text.n >= sizeof buf || text.n < 20 || memchr(text.p, 0, text.n)) return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = 0;
    return env_parse_rfc3339(buf, us) == 0;
}

/* "1h30m", "1.5s", "-3ms": numbers with units, as Go and CEL write them. Nothing finer than a microsecond. */
bool value_to_duration(struct slice text, int64_t *us)
{
    static const struct { const char *name; double us; } units[] = { { "ms", 1e3 }, { "us", 1 }, { "h", 3600e6 }, { "m", 60e6 }, { "s", 1e6 } };
    char buf[64], *p = buf;
    double total = 0;
    if (!text.n || text.n >= sizeof buf || memchr(text.p, 0, text.n)) return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = 0;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (strcmp(p, "0") == 0) return *us = 0, true;
    if (!*p) return false;
    while (*p) {
        char *end;
        if ((*p < '0' || *p > '9') && *p != '.') return false;
        double v = strtod(p, &end);
        size_t u = 0, n = sizeof units / sizeof units[0];
        while (u < n && strncmp(end, units[u].name, strlen(units[u].name)) != 0) u++;
        if (end == p || u == n) return false;
        total += v * units[u].us;
        p = end + strlen(units[u].name);
    }
    if (total > 9.2e18 || fabs(total - round(total)) > 1e-6 * (1 + total)) return false;
    *us = (int64_t)round(negative ? -total : total);
    return true;
}

static int sign(double d) { return (d > 0) - (d < 0); }

/* An int against a double, exactly. */
static bool mixed(int64_t i, double d, int *order)
{
    if (isnan(d)) return false;
    if (d >= 9223372036854775808.0) return *order = -1, true;
    if (d < -9223372036854775808.0) return *order = 1, true;
    int64_t whole = (int64_t)d;
    *order = i < whole ? -1 : i > whole ? 1 : -sign(d - (double)whole);
    return true;
}

bool value_order(const struct expr_value *a, const struct expr_value *b, int *order)
{
    if (a->type == EXPR_INT && b->type == EXPR_DOUBLE) return mixed(a->i, b->d, order);
    if (a->type == EXPR_DOUBLE && b->type == EXPR_INT) {
        if (!mixed(b->i, a->d, order)) return false;
        *order = -*order;
        return true;
    }
    if (a->type != b->type) return false;
    switch (a->type) {
    case EXPR_BOOL: *order = a->b - b->b; return true;
    case EXPR_INT: *order = (a->i > b->i) - (a->i < b->i); return true;
    case EXPR_TIMESTAMP:
    case EXPR_DURATION: *order = (a->us > b->us) - (a->us < b->us); return true;
    case EXPR_DOUBLE:
        if (isnan(a->d) || isnan(b->d)) return false;
        *order = sign(a->d - b->d);
        if (isinf(a->d) && isinf(b->d)) *order = (a->d > b->d) - (a->d < b->d);
        return true;
    case EXPR_STRING: {
        size_t n = a->s.n < b->s.n ? a->s.n : b->s.n;
        int c = n ? memcmp(a->s.p, b->s.p, n) : 0;             /* UTF-8 sorts as its code points do */
        *order = c ? (c > 0) - (c < 0) : (a->s.n > b->s.n) - (a->s.n < b->s.n);
        return true;
    }
    default: return false;
    }
}

static int print_double(double d, char *out, size_t room)
{
    char text[40];
    if (isnan(d)) return snprintf(out, room, "NaN");
    if (isinf(d)) return snprintf(out, room, d > 0 ? "+Inf" : "-Inf");
    for (int digits = 1; digits <= 17; digits++) {             /* the shortest that reads back as the same */
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    return snprintf(out, room, "%s", text);
}

static int print_duration(int64_t us, char *out, size_t room)
{
    uint64_t v = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    char text[48];
    int n = snprintf(text, sizeof text, "%s%llu.%06llu", us < 0 ? "-" : "", (unsigned long long)(v / 1000000), (unsigned long long)(v % 1000000));
    while (n && text[n - 1] == '0') n--;
    if (n && text[n - 1] == '.') n--;
    return snprintf(out, room, "%.*ss", n, text);
}

static int print_timestamp(int64_t us, char *out, size_t room)
{
    int64_t s = us / 1000000, frac = us % 1000000;
    if (frac < 0) s--, frac += 1000000;
    time_t t = (time_t)s;
    struct tm tm;
    char date[40], part[16] = "";
    if (!gmtime_r(&t, &tm) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm)) return -1;
    if (frac) {
        int n = snprintf(part, sizeof part, ".%06d", (int)frac);
        while (part[n - 1] == '0') part[--n] = 0;
    }
    return snprintf(out, room, "%s%sZ", date, part);
}

bool value_print(const struct expr_value *v, char *out, size_t room, size_t *n)
{
    int k = -1;
    switch (v->type) {
    case EXPR_BOOL: k = snprintf(out, room, "%s", v->b ? "true" : "false"); break;
    case EXPR_INT: k = snprintf(out, room, "%lld", (long long)v->i); break;
    case EXPR_DOUBLE: k = print_double(v->d, out, room); break;
    case EXPR_DURATION: k = print_duration(v->us, out, room); break;
    case EXPR_TIMESTAMP: k = print_timestamp(v->us, out, room); break;
    default: break;
    }
    if (k < 0 || (size_t)k >= room) return false;
    *n = (size_t)k;
    return true;
}

struct expr_value expr_from_json(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_TRUE: return (struct expr_value){ .type = EXPR_BOOL, .b = true };
    case JSON_FALSE: return (struct expr_value){ .type = EXPR_BOOL };
    case JSON_INTEGER: return (struct expr_value){ .type = EXPR_INT, .i = json_integer_value(v) };
    case JSON_REAL: return (struct expr_value){ .type = EXPR_DOUBLE, .d = json_real_value(v) };
    case JSON_STRING: return (struct expr_value){ .type = EXPR_STRING, .s = json_slice(v) };
    case JSON_ARRAY: return (struct expr_value){ .type = EXPR_LIST, .json = v };
    case JSON_OBJECT: return (struct expr_value){ .type = EXPR_MAP, .json = v };
    default: return (struct expr_value){ .type = EXPR_NULL };
    }
}
