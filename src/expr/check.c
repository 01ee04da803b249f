/* check.c -- types and cost of a parsed expression, and constants computed ahead.
 *
 * What can be known is checked; what is dyn is left to the evaluation (cel-spec, "Gradual Type Checking"). */
#include "expr/eval.h"

#include <stdio.h>

struct check { struct expr *x; struct arena *a; struct err *e; enum expr_type local[LOCALS_MAX]; };

#define SET(t) (1u << (t))
enum {
    NUMBERS = SET(EXPR_INT) | SET(EXPR_DOUBLE), TIMES = SET(EXPR_TIMESTAMP) | SET(EXPR_DURATION),
    ORDERED = NUMBERS | TIMES | SET(EXPR_BOOL) | SET(EXPR_STRING), HOLDERS = SET(EXPR_LIST) | SET(EXPR_MAP),
};

static bool is(enum expr_type t, unsigned set) { return t == EXPR_DYN || (set >> t & 1); }

static enum eim_err no(const struct check *c, const struct expr_node *n)
{
    char types[64] = "";
    size_t k = 0;
    for (unsigned i = 0; i < n->n && i < 3; i++)
        k += (size_t)snprintf(types + k, sizeof types - k, "%s%s", i ? ", " : "", expr_type_name(n->kid[i]->type));
    return expr_fail(c->e, E_INVALID, c->x->source, n->at, "'%s' cannot be applied to (%s)", expr_op_name(n->op), types);
}

static enum eim_err cost(struct check *c, const struct expr_node *n, unsigned more)
{
    c->x->cost += more;
    if (c->x->cost <= EXPR_COST_MAX) return OK;
    return expr_fail(c->e, E_LIMIT, c->x->source, n->at, "the expression is too expensive: more than %d steps", EXPR_COST_MAX);
}

static enum eim_err check(struct check *c, struct expr_node *n);

/* The type of a+b and a-b, EXPR_TYPE_END when there is none. */
static enum expr_type sum(enum expr_op op, enum expr_type a, enum expr_type b)
{
    if (a == EXPR_DYN || b == EXPR_DYN) {
        enum expr_type known = a == EXPR_DYN ? b : a;
        return known == EXPR_DYN || is(known, NUMBERS | TIMES | (op == OP_ADD ? SET(EXPR_STRING) : 0)) ? EXPR_DYN : EXPR_TYPE_END;
    }
    if (a == b && is(a, NUMBERS)) return a;
    if (a == b && a == EXPR_STRING && op == OP_ADD) return a;
    if (a == EXPR_DURATION && b == EXPR_DURATION) return a;
    if (a == EXPR_TIMESTAMP && b == EXPR_DURATION) return a;
    if (a == EXPR_DURATION && b == EXPR_TIMESTAMP && op == OP_ADD) return b;
    if (a == EXPR_TIMESTAMP && b == EXPR_TIMESTAMP && op == OP_SUB) return EXPR_DURATION;
    return EXPR_TYPE_END;
}

static bool comparable(enum expr_op op, enum expr_type a, enum expr_type b)
{
    if (op == OP_EQ || op == OP_NE) return a == b || a == EXPR_DYN || b == EXPR_DYN;
    return is(a, ORDERED) && is(b, ORDERED) && (a == b || a == EXPR_DYN || b == EXPR_DYN || (is(a, NUMBERS) && is(b, NUMBERS)));
}

static enum eim_err check_macro(struct check *c, struct expr_node *n)
{
    TRY(check(c, n->kid[0]));
    const struct expr_node *over = n->kid[0];
    if (!is(over->type, HOLDERS)) return no(c, n);
    unsigned items = over->op == OP_LIST ? over->n : over->op == OP_MAP ? over->n / 2 : EXPR_ITEMS_MAX, before = c->x->cost;
    c->local[n->slot] = over->type == EXPR_MAP && over->op != OP_MAP ? EXPR_STRING : EXPR_DYN;
    TRY(check(c, n->kid[1]));
    if (!is(n->kid[1]->type, SET(EXPR_BOOL))) return no(c, n);
    n->type = EXPR_BOOL;
    return cost(c, n, (c->x->cost - before + 1) * (items ? items - 1 : 0) + 1);
}

static enum eim_err check_pattern(struct check *c, struct expr_node *n)
{
    struct regex *r;
    struct err why = { 0 };
    const struct expr_node *p = n->kid[1];
    if (!is(n->kid[0]->type, SET(EXPR_STRING)) || !is(p->type, SET(EXPR_STRING))) return no(c, n);
    if (p->op != OP_CONST) return expr_fail(c->e, E_INVALID, c->x->source, p->at, "the pattern of matches() must be written out as a text");
    enum eim_err rc = regex_compile(&r, p->value.s, c->a, &why);
    if (rc != OK) return expr_fail(c->e, rc, c->x->source, p->at, "in the pattern, at its %zu. octet: %s", why.at + 1, why.why);
    n->regex = r;
    n->type = EXPR_BOOL;
    return cost(c, n, regex_states(r) * 8);
}

static const struct { enum expr_op op; unsigned takes; enum expr_type gives; } plain[] = {
    { OP_NOT, SET(EXPR_BOOL), EXPR_BOOL }, { OP_SIZE, HOLDERS | SET(EXPR_STRING), EXPR_INT },
    { OP_TO_INT, NUMBERS | SET(EXPR_STRING) | SET(EXPR_TIMESTAMP), EXPR_INT }, { OP_TO_DOUBLE, NUMBERS | SET(EXPR_STRING), EXPR_DOUBLE },
    { OP_TO_STRING, ORDERED, EXPR_STRING }, { OP_TO_BOOL, SET(EXPR_BOOL) | SET(EXPR_STRING), EXPR_BOOL },
    { OP_TO_TIMESTAMP, SET(EXPR_TIMESTAMP) | SET(EXPR_STRING) | SET(EXPR_INT), EXPR_TIMESTAMP },
    { OP_TO_DURATION, SET(EXPR_DURATION) | SET(EXPR_STRING), EXPR_DURATION }, { OP_TO_DYN, ~0u, EXPR_DYN },
    { OP_STARTS, SET(EXPR_STRING), EXPR_BOOL }, { OP_ENDS, SET(EXPR_STRING), EXPR_BOOL }, { OP_CONTAINS, SET(EXPR_STRING), EXPR_BOOL },
    { OP_FULL_YEAR, SET(EXPR_TIMESTAMP), EXPR_INT }, { OP_MONTH, SET(EXPR_TIMESTAMP), EXPR_INT }, { OP_DATE, SET(EXPR_TIMESTAMP), EXPR_INT },
    { OP_DAY_OF_MONTH, SET(EXPR_TIMESTAMP), EXPR_INT }, { OP_DAY_OF_WEEK, SET(EXPR_TIMESTAMP), EXPR_INT },
    { OP_DAY_OF_YEAR, SET(EXPR_TIMESTAMP), EXPR_INT }, { OP_HOURS, TIMES, EXPR_INT }, { OP_MINUTES, TIMES, EXPR_INT },
    { OP_SECONDS, TIMES, EXPR_INT }, { OP_MILLIS, TIMES, EXPR_INT },
};

static enum eim_err check_plain(struct check *c, struct expr_node *n)
{
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (plain[i].op != n->op) continue;
        for (unsigned k = 0; k < n->n; k++)
            if (!is(n->kid[k]->type, plain[i].takes)) return no(c, n);
        n->type = plain[i].gives;
        return OK;
    }
    return expr_fail(c->e, E_INTERNAL, c->x->source, n->at, "'%s' has no rule", expr_op_name(n->op));
}

/* The types of the operands are known. */
static enum eim_err check_op(struct check *c, struct expr_node *n)
{
    enum expr_type a = n->n ? n->kid[0]->type : EXPR_DYN, b = n->n > 1 ? n->kid[1]->type : EXPR_DYN;
    switch (n->op) {
    case OP_CONST: n->type = n->value.type; return OK;
    case OP_VAR: n->type = c->x->vars[n->slot].type; return OK;
    case OP_LOCAL: n->type = c->local[n->slot]; return OK;
    case OP_LIST: n->type = EXPR_LIST; return OK;
    case OP_MAP: n->type = EXPR_MAP; return OK;
    case OP_SELECT: n->type = EXPR_DYN; return is(a, SET(EXPR_MAP)) ? OK : no(c, n);
    case OP_HAS: n->type = EXPR_BOOL; return !n->name.n || is(a, SET(EXPR_MAP)) ? OK : no(c, n);
    case OP_INDEX:
        n->type = EXPR_DYN;
        return is(a, HOLDERS) && (a != EXPR_LIST || is(b, NUMBERS)) ? OK : no(c, n);
    case OP_OR: case OP_AND: n->type = EXPR_BOOL; return is(a, SET(EXPR_BOOL)) && is(b, SET(EXPR_BOOL)) ? OK : no(c, n);
    case OP_IF: n->type = b == n->kid[2]->type ? b : EXPR_DYN; return is(a, SET(EXPR_BOOL)) ? OK : no(c, n);
    case OP_NEG: n->type = a; return is(a, NUMBERS) ? OK : no(c, n);
    case OP_EQ: case OP_NE: case OP_LT: case OP_LE: case OP_GT: case OP_GE: n->type = EXPR_BOOL; return comparable(n->op, a, b) ? OK : no(c, n);
    case OP_IN:
        n->type = EXPR_BOOL;
        if (!is(b, HOLDERS)) return no(c, n);
        return cost(c, n, n->kid[1]->op == OP_LIST ? 0 : EXPR_ITEMS_MAX);
    case OP_ADD: case OP_SUB: n->type = sum(n->op, a, b); return n->type != EXPR_TYPE_END ? OK : no(c, n);
    case OP_MUL: case OP_DIV:
        n->type = a == EXPR_DYN ? b : a;
        return is(a, NUMBERS) && is(b, NUMBERS) && (a == b || a == EXPR_DYN || b == EXPR_DYN) ? OK : no(c, n);
    case OP_MOD: n->type = EXPR_INT; return is(a, SET(EXPR_INT)) && is(b, SET(EXPR_INT)) ? OK : no(c, n);
    case OP_MATCHES: return check_pattern(c, n);
    default: return check_plain(c, n);
    }
}

static bool no_variables(void *ctx, unsigned var, struct expr_value *out)
{
    (void)ctx, (void)var, (void)out;
    return false;
}

/* A function of constants is computed now, unless that ends in an error (which && and || may still absorb) or makes a text. */
static void fold(struct expr_node *n)
{
    const struct expr_input none = { no_variables, NULL };
    struct eval f = { .in = &none };
    struct expr_value v;
    bool holder = n->op == OP_LIST || n->op == OP_MAP || n->op == OP_INDEX || n->op == OP_SELECT || n->op == OP_IN || n->op == OP_TO_DYN || n->op == OP_HAS;
    if (!n->n || holder || n->op == OP_ALL || n->op == OP_EXISTS) return;
    for (unsigned i = 0; i < n->n; i++)
        if (n->kid[i]->op != OP_CONST) return;
    if (!eval_node(&f, n, &v) || v.type == EXPR_LIST || v.type == EXPR_MAP) return;
    n->op = OP_CONST;
    n->value = v;
    n->n = 0;
}

static enum eim_err check(struct check *c, struct expr_node *n)
{
    TRY(cost(c, n, 1));
    if (n->op == OP_ALL || n->op == OP_EXISTS) return check_macro(c, n);
    for (unsigned i = 0; i < n->n; i++) TRY(check(c, n->kid[i]));
    TRY(check_op(c, n));
    fold(n);
    return OK;
}

enum eim_err expr_check(struct expr *x, enum expr_type want, struct arena *a, struct err *e)
{
    struct check c = { .x = x, .a = a, .e = e };
    TRY(check(&c, x->root));
    enum expr_type got = x->root->type;
    if (want == EXPR_DYN || got == EXPR_DYN || got == want) return OK;
    return expr_fail(e, E_INVALID, x->source, x->root->at, "the result is %s, and must be %s", expr_type_name(got), expr_type_name(want));
}

enum eim_err expr_compile(struct expr **out, struct slice source, const struct expr_var *vars, size_t nvars, enum expr_type want,
                          struct arena *a, struct err *e)
{
    struct expr *x = ARENA_NEW(a, struct expr);
    if (!x) return fail(e, E_NOMEM, NULL, "no room for the expression");
    struct slice kept = arena_copy(a, source);
    if (source.n && !kept.n) return fail(e, E_NOMEM, NULL, "no room for the expression");
    *x = (struct expr){ .source = kept, .vars = vars, .nvars = nvars };
    TRY(expr_parse(x, a, e));
    TRY(expr_check(x, want, a, e));
    *out = x;
    return OK;
}

enum expr_type expr_result(const struct expr *x) { return x->root->type; }
static bool names(const struct expr_node *n, unsigned var)
{
    if (n->op == OP_VAR && n->slot == var) return true;
    for (unsigned i = 0; i < n->n; i++)
        if (names(n->kid[i], var)) return true;
    return false;
}

bool expr_uses(const struct expr *x, unsigned var) { return names(x->root, var); }
unsigned expr_cost(const struct expr *x) { return x->cost; }
