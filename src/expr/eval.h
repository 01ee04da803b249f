/* eval.h -- evaluating single nodes, for the check, which computes constants ahead. For this room only. */
#ifndef EXPR_EVAL_H
#define EXPR_EVAL_H

#include "expr/expr_int.h"

struct eval {
    const struct expr_input *in;
    char *scratch;                     /* EXPR_SCRATCH octets, or NULL: no texts can be made */
    size_t used;
    struct expr_value local[LOCALS_MAX];
    size_t at;                         /* what went wrong: where and why (static text) */
    const char *why;
};

/* eval_node -- false: see f->at and f->why. */
bool eval_node(struct eval *f, const struct expr_node *n, struct expr_value *out);

#endif
