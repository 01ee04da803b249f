/* expr_int.h -- the inside of the expression language, for the files of this room only. */
#ifndef EXPR_EXPR_INT_H
#define EXPR_EXPR_INT_H

#include "expr/expr.h"
#include "expr/regex.h"

/* What a node does. Operators and functions take their operands from kid[] in order. */
#define EXPR_OPS(X) \
    X(OP_CONST, "") X(OP_VAR, "") X(OP_LOCAL, "") X(OP_LIST, "") X(OP_MAP, "") X(OP_SELECT, ".") X(OP_INDEX, "[]") X(OP_HAS, "has") \
    X(OP_OR, "||") X(OP_AND, "&&") X(OP_IF, "?:") X(OP_NOT, "!") X(OP_NEG, "-") \
    X(OP_EQ, "==") X(OP_NE, "!=") X(OP_LT, "<") X(OP_LE, "<=") X(OP_GT, ">") X(OP_GE, ">=") X(OP_IN, "in") \
    X(OP_ADD, "+") X(OP_SUB, "-") X(OP_MUL, "*") X(OP_DIV, "/") X(OP_MOD, "%") \
    X(OP_ALL, "all") X(OP_EXISTS, "exists") \
    X(OP_SIZE, "size") X(OP_STARTS, "startsWith") X(OP_ENDS, "endsWith") X(OP_CONTAINS, "contains") X(OP_MATCHES, "matches") \
    X(OP_TO_INT, "int") X(OP_TO_DOUBLE, "double") X(OP_TO_STRING, "string") X(OP_TO_BOOL, "bool") X(OP_TO_TIMESTAMP, "timestamp") \
    X(OP_TO_DURATION, "duration") X(OP_TO_DYN, "dyn") \
    X(OP_FULL_YEAR, "getFullYear") X(OP_MONTH, "getMonth") X(OP_DATE, "getDate") X(OP_DAY_OF_MONTH, "getDayOfMonth") \
    X(OP_DAY_OF_WEEK, "getDayOfWeek") X(OP_DAY_OF_YEAR, "getDayOfYear") X(OP_HOURS, "getHours") X(OP_MINUTES, "getMinutes") \
    X(OP_SECONDS, "getSeconds") X(OP_MILLIS, "getMilliseconds")
enum expr_op {
#define X(op, name) op,
    EXPR_OPS(X)
#undef X
    OP_END
};
const char *expr_op_name(enum expr_op op);

struct expr_node {
    enum expr_op op;
    enum expr_type type;               /* of its value, by the check */
    uint32_t at;                       /* offset in the source: for errors */
    unsigned n;                        /* children */
    struct expr_node **kid;            /* map: key, value, key, value ... */
    struct expr_value value;           /* constants */
    unsigned slot;                     /* variable, or local (how deep its macro stands) */
    struct slice name;                 /* select, has: the field */
    const struct regex *regex;         /* matches */
};

struct expr {
    struct slice source;
    struct expr_node *root;
    const struct expr_var *vars;
    size_t nvars;
    unsigned cost;
};

enum { LOCALS_MAX = 4 };               /* macros within macros */

/* expr_fail -- an error at an offset of the source, as LINE:COLUMN. */
__attribute__((format(printf, 5, 6)))
enum eim_err expr_fail(struct err *e, enum eim_err code, struct slice source, size_t at, const char *fmt, ...);

/* parse.c: the tree, names resolved, nothing checked. check.c: types and cost. */
MUST enum eim_err expr_parse(struct expr *x, struct arena *a, struct err *e);
MUST enum eim_err expr_check(struct expr *x, enum expr_type want, struct arena *a, struct err *e);

/* value.c: what needs no expression. They say what is wrong in *why (static text) and give false. */
bool value_to_timestamp(struct slice text, int64_t *us);
bool value_to_duration(struct slice text, int64_t *us);
bool value_order(const struct expr_value *a, const struct expr_value *b, int *order);      /* false: not comparable */
bool value_print(const struct expr_value *v, char *out, size_t room, size_t *n);           /* as string() does */

#endif
