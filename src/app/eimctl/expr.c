/* expr.c -- eimctl expr eval: an expression, tried over the members of a JSON object. */
#include "expr/expr.h"

#include <stdio.h>

#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

enum { VARS_MAX = 1 << 20, VARIABLES_MAX = 1000 };

struct variables { const json_t *object; const struct expr_var *table; };

static bool get(void *ctx, unsigned var, struct expr_value *out)
{
    const struct variables *v = ctx;
    const json_t *j = json_object_get(v->object, v->table[var].name);
    if (j) *out = expr_from_json(j);
    return j != NULL;
}

/* Every member becomes a variable. */
static int read_vars(struct ctl *c, json_t **object, struct expr_var **table, size_t *n)
{
    const char *path = ctl_option(c, "--vars"), *key;
    struct buf text;
    struct err e = { 0 };
    json_t *v;
    *object = NULL;
    *table = ARENA_ARRAY(&c->arena, struct expr_var, VARIABLES_MAX);
    if (!*table) return ctl_fail(c, CTL_REFUSED, "out of memory");
    *n = 0;
    if (!path) return CTL_OK;
    buf_init(&text, VARS_MAX);
    bool read = ctl_read(c, path, &text);
    enum eim_err rc = read ? json_read(buf_slice(&text), VARS_MAX, object, &e) : OK;
    buf_free(&text);
    if (!read) return CTL_REFUSED;
    if (rc != OK) return ctl_err(c, CTL_USAGE, &e);
    if (!json_is_object(*object) || json_object_size(*object) > VARIABLES_MAX)
        return ctl_fail(c, CTL_USAGE, "--vars: a JSON object of at most %d members is taken", VARIABLES_MAX);
    json_object_foreach(*object, key, v) (*table)[(*n)++] = (struct expr_var){ key, EXPR_DYN };
    return CTL_OK;
}

static int evaluate(struct ctl *c, const struct expr *x, const struct variables *vars)
{
    const struct expr_input in = { get, (void *)(uintptr_t)vars };
    char *scratch = arena_alloc(&c->arena, EXPR_SCRATCH);
    struct expr_value v;
    struct err e = { 0 };
    if (!scratch) return ctl_fail(c, CTL_REFUSED, "out of memory");
    if (expr_eval(x, &in, scratch, &v, &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    json_t *value = expr_json(x, &in, &v);
    if (!value) return ctl_fail(c, CTL_REFUSED, "the result cannot be shown: a part of it ends in an error");
    if (c->json) {
        json_t *o = json_pack("{s:O,s:s,s:I}", "value", value, "type", expr_type_name(v.type), "cost", (json_int_t)expr_cost(x));
        out_json(o);
        json_decref(o);
    } else {
        json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        printf(" : %s\n", expr_type_name(v.type));
    }
    json_decref(value);
    return CTL_OK;
}

int expr_eval_command(struct ctl *c)
{
    struct variables vars;
    struct expr_var *table;
    struct expr *x;
    struct err e = { 0 };
    json_t *object;
    size_t n;
    int rc = read_vars(c, &object, &table, &n);
    vars = (struct variables){ object, table };
    if (rc == CTL_OK && expr_compile(&x, slice_str(c->pos[0]), table, n, EXPR_DYN, &c->arena, &e) != OK) rc = ctl_err(c, CTL_REFUSED, &e);
    if (rc == CTL_OK) rc = evaluate(c, x, &vars);
    json_decref(object);
    return rc;
}
