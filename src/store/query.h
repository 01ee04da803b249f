/* query.h -- the tables that gen.py makes of sql/: queries with their parameters and columns, rows, migrations. */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* How a value stands in a struct: int64_t, an enum, a bool, a slice of any bytes, a slice of UTF-8 text, an array. */
enum kind { KIND_INT, KIND_ENUM, KIND_BOOL, KIND_BYTES, KIND_TEXT, KIND_FIXED };

/* A column of a row, or a parameter: a member of a struct, or (arg > 0) the arg'th value passed beside it. */
struct column {
    const char *name;
    enum kind kind;
    uint16_t at, size, arg;
};
struct row_type { const struct column *columns; unsigned n; size_t size; };

struct query {
    const char *name, *sql;
    const struct column *params;
    unsigned params_n, args_n;
    const struct row_type *result;                 /* NULL: only numbers, or nothing */
    unsigned columns_n;
};
struct migration { int number; const char *name, *sql; };

/* The comparison in sizeof is never run: it makes a member of another type an error of the compiler. */
#define COLUMN_OF(s, name, m, kind, type) \
    { #name, kind, offsetof(s, m) + 0 * sizeof(&((s *)0)->m == (type *)0), sizeof(((s *)0)->m), 0 }
#define COLUMN_INT(s, name, m)   COLUMN_OF(s, name, m, KIND_INT, int64_t)
#define COLUMN_BOOL(s, name, m)  COLUMN_OF(s, name, m, KIND_BOOL, bool)
#define COLUMN_BYTES(s, name, m) COLUMN_OF(s, name, m, KIND_BYTES, struct slice)
#define COLUMN_TEXT(s, name, m)  COLUMN_OF(s, name, m, KIND_TEXT, struct slice)
#define COLUMN_ENUM(s, name, m)  { #name, KIND_ENUM, offsetof(s, m), sizeof(((s *)0)->m), 0 }
#define COLUMN_FIXED(s, name, m) { #name, KIND_FIXED, offsetof(s, m), sizeof(((s *)0)->m), 0 }

#include "queries_gen.h"

extern const struct query queries[Q_END];
extern const struct migration migrations[];
extern const int migrations_n;

#endif
