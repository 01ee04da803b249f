/* err.c -- the error table's words, and filling of struct err. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    int status;
    const char *title;
} table[EIM_ERR_END] = {
    [OK] = { "OK", 200, "ok" },
#define X(name, status, text) [name] = { #name, status, text },
    EIM_ERRORS(X)
#undef X
};

static void fill(struct err *e, enum eim_err code, const char *clause, const char *field, const char *fmt, va_list ap)
{
    if (!e || e->code) return;                     /* the first failure is the cause; later ones only pass it on */
    e->code = code;
    e->clause = clause;
    snprintf(e->field, sizeof e->field, "%s", field ? field : "");
    vsnprintf(e->why, sizeof e->why, fmt, ap);
}

enum eim_err fail(struct err *e, enum eim_err code, const char *clause, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, code, clause, NULL, fmt, ap);
    va_end(ap);
    return code;
}

enum eim_err fail_field(struct err *e, enum eim_err code, const char *clause, const char *field, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, code, clause, field, fmt, ap);
    va_end(ap);
    return code;
}

const char *err_name(enum eim_err code)  { return code < EIM_ERR_END ? table[code].name : "E_?"; }
const char *err_title(enum eim_err code) { return code < EIM_ERR_END ? table[code].title : "unknown error"; }
int err_status(enum eim_err code)        { return code < EIM_ERR_END ? table[code].status : 500; }
