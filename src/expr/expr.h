/* expr.h -- the expression language: a subset of CEL (the Common Expression Language), compiled, typed, bounded, without side effects.
 *
 * Used wherever a person selects or decides. Every expression that is accepted means what CEL says it means; what is not supported is
 * refused when it is compiled, with line and column. doc/expr.md is the reference: what is there, and what is not.
 *
 * A compiled expression is immutable and lives in the caller's arena; any number of threads may evaluate it at the same time. Evaluation
 * allocates nothing, does not block, and ends within the cost that was computed when it was compiled. */
#ifndef EXPR_EXPR_H
#define EXPR_EXPR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/*   type             name */
#define EXPR_TYPES(X)                  \
    X(EXPR_DYN,       "dyn")           /* known when it is evaluated */ \
    X(EXPR_NULL,      "null_type")     \
    X(EXPR_BOOL,      "bool")          \
    X(EXPR_INT,       "int")           \
    X(EXPR_DOUBLE,    "double")        \
    X(EXPR_STRING,    "string")        \
    X(EXPR_TIMESTAMP, "timestamp")     \
    X(EXPR_DURATION,  "duration")      \
    X(EXPR_LIST,      "list")          \
    X(EXPR_MAP,       "map")
enum expr_type {
#define X(type, name) type,
    EXPR_TYPES(X)
#undef X
    EXPR_TYPE_END
};
const char *expr_type_name(enum expr_type t);

enum {
    EXPR_SOURCE_MAX = 8192,            /* octets of an expression */
    EXPR_NODES_MAX = 1024,
    EXPR_DEPTH_MAX = 32,
    EXPR_COST_MAX = 100000,            /* steps of one evaluation, at most */
    EXPR_ITEMS_MAX = 64,               /* items that a macro may go over in a list or map that is not written out */
    EXPR_SCRATCH = 4096,               /* octets for texts made by + and string(), in one evaluation */
};

struct expr_node;

struct expr_value {
    enum expr_type type;
    bool written;                      /* list or map: `node` (written in the expression), else `json` */
    union {
        bool b;
        int64_t i;
        double d;
        int64_t us;                    /* timestamp: microseconds since 1970; duration: microseconds */
        struct slice s;                /* UTF-8; borrowed */
        const json_t *json;            /* borrowed */
        const struct expr_node *node;
    };
};

/* A variable that an expression may name. Dots may stand in a name ("profile.enabled.operator"). */
struct expr_var { const char *name; enum expr_type type; };

struct expr;

/* expr_compile -- parse and check. `want` EXPR_DYN takes any result. E_INVALID: e->why says what is wrong in the form "LINE:COLUMN: ..."
 * and e->at is the offset; E_LIMIT: too large, too deep or too expensive, said in the same form; E_NOMEM. `vars` must outlive *out. */
MUST enum eim_err expr_compile(struct expr **out, struct slice source, const struct expr_var *vars, size_t nvars, enum expr_type want,
                               struct arena *a, struct err *e);

enum expr_type expr_result(const struct expr *x);      /* EXPR_DYN when only evaluation can tell */
bool expr_uses(const struct expr *x, unsigned var);      /* does it name this variable? */
unsigned expr_cost(const struct expr *x);              /* steps of one evaluation, at most */

/* What an expression is evaluated over. `get` gives variable number `var` (its place in `vars`); false: it is absent, which has() sees
 * and everything else takes for an error. The value's type must be that of the table, or anything for EXPR_DYN. */
struct expr_input {
    bool (*get)(void *ctx, unsigned var, struct expr_value *out);
    void *ctx;
};

/* expr_eval -- E_INVALID when it ends in an error of CEL (no such key, overflow, division by zero, no such overload, ...), with
 * LINE:COLUMN as above. A text result may lie in `scratch`, which holds EXPR_SCRATCH octets and is the caller's. */
MUST enum eim_err expr_eval(const struct expr *x, const struct expr_input *in, char *scratch, struct expr_value *out, struct err *e);
/* expr_test -- the same for an expression of type bool: *out. */
MUST enum eim_err expr_test(const struct expr *x, const struct expr_input *in, bool *out, struct err *e);

/* expr_from_json -- a JSON value as a value of the language: an integer is an int, a real a double. Borrowed. */
struct expr_value expr_from_json(const json_t *v);
/* expr_json -- a value as JSON (a new reference; timestamps and durations as text), for printing. `x` and `in` as it was evaluated with. */
json_t *expr_json(const struct expr *x, const struct expr_input *in, const struct expr_value *v);

#endif
