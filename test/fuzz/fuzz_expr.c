/* fuzz_expr.c -- expressions over a small world: whatever is typed, compiling and evaluating ends, and twice the same. */
#include <stdlib.h>

#include "expr/expr.h"
#include "test/fuzz/replay.h"

static const struct expr_var vars[] = { { "labels", EXPR_MAP }, { "l", EXPR_LIST }, { "i", EXPR_INT }, { "s", EXPR_STRING }, { "b", EXPR_BOOL },
                                        { "t", EXPR_TIMESTAMP }, { "d", EXPR_DURATION }, { "x", EXPR_DYN }, { "profile.enabled.operator", EXPR_STRING } };

static bool get(void *ctx, unsigned var, struct expr_value *out)
{
    const json_t *world = ctx;
    static const char *const names[] = { "labels", "l", "i", "s", "b", NULL, NULL, "x", NULL };
    if (var == 5 || var == 6) return *out = (struct expr_value){ .type = vars[var].type, .us = 1795390000123456 }, true;
    if (!names[var]) return false;
    *out = expr_from_json(json_object_get(world, names[var]));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static char scratch[2][EXPR_SCRATCH];
    struct arena a;
    struct expr *x;
    struct expr_value v[2];
    struct err e[3] = { { 0 } };
    json_t *world = NULL;
    static const char text[] = "{\"labels\":{\"site\":\"berlin\"},\"l\":[1,2.5,\"a\",null,[true]],\"i\":7,\"s\":\"h\xC3\xA4llo\",\"b\":true,\"x\":{\"y\":[1]}}";
    if (json_read(slice_str(text), sizeof text, &world, &e[2]) != OK) abort();
    const struct expr_input in = { get, world };
    arena_init(&a, 8 << 20);
    if (expr_compile(&x, slice_of(p, n), vars, sizeof vars / sizeof vars[0], EXPR_DYN, &a, &e[0]) != OK) {
        if (!e[0].why[0] || (e[0].code != E_NOMEM && (!e[0].has_at || e[0].at > n))) abort();
    } else {
        if (expr_cost(x) > EXPR_COST_MAX) abort();
        enum eim_err first = expr_eval(x, &in, scratch[0], &v[0], &e[0]), second = expr_eval(x, &in, scratch[1], &v[1], &e[1]);
        if (first != second || (first == OK && v[0].type != v[1].type)) abort();
        if (first == OK && expr_result(x) != EXPR_DYN && v[0].type != expr_result(x)) abort();     /* what the check promised */
        if (first == OK) json_decref(expr_json(x, &in, &v[0]));
    }
    arena_free(&a);
    json_decref(world);
    return 0;
}
