/* err.h -- the one table of errors, and how they are returned.
 *
 * A function that can fail returns `enum eim_err` and takes a `struct err *e` last. On failure it fills *e
 * (through fail()) and leaves everything else as its header says. Results are must-check (MUST).
 * A refusal names the clause it rests on; the words are for people, the code is for programs. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

#define MUST __attribute__((warn_unused_result))

/*   name               HTTP  what it means, in the words of a problem's title */
#define EIM_ERRORS(X)                                                              \
    X(E_MALFORMED,      400, "malformed message")                                  \
    X(E_UNKNOWN_TYPE,   400, "unknown message")                                    \
    X(E_INVALID,        400, "invalid value")                                      \
    X(E_UNAUTHENTICATED,401, "authentication needed")                              \
    X(E_FORBIDDEN,      403, "not allowed")                                        \
    X(E_NOT_FOUND,      404, "not found")                                          \
    X(E_METHOD,         405, "method not allowed")                                 \
    X(E_CONFLICT,       409, "conflict with what exists")                          \
    X(E_STATE,          409, "not possible in the present state")                  \
    X(E_STALE,          409, "changed meanwhile")                                  \
    X(E_GONE,           410, "no longer there")                                    \
    X(E_TOO_LARGE,      413, "too large")                                          \
    X(E_MEDIA_TYPE,     415, "media type not supported")                           \
    X(E_RULE,           422, "refused by a rule")                                  \
    X(E_LIMIT,          429, "a limit is reached")                                 \
    X(E_SIGNATURE,      422, "signature does not verify")                          \
    X(E_CHAIN,          422, "certificate chain refused")                          \
    X(E_MISMATCH,       422, "does not match what was sent")                       \
    X(E_REPLAY,         422, "replayed")                                           \
    X(E_CRYPTO,         500, "cryptographic operation failed")                     \
    X(E_INTERNAL,       500, "internal error")                                     \
    X(E_CONF,           500, "wrong setting")                                      \
    X(E_IO,             503, "input or output failed")                             \
    X(E_STORE,          503, "the store is not available")                         \
    X(E_BUSY,           503, "too busy")                                           \
    X(E_NOMEM,          503, "out of memory for this request")

enum eim_err {
    OK = 0,
#define X(name, status, text) name,
    EIM_ERRORS(X)
#undef X
    EIM_ERR_END
};

struct err {
    enum eim_err code;
    const char *clause;                /* static text: "SGP.32 2.11.2.1", an RFC section, or NULL */
    char field[192];                   /* path of the field that is wrong, or "" */
    size_t at;                         /* offset of the trouble in the message, if `has_at` */
    int has_at;
    char why[224];                     /* one sentence for people, never secrets */
};

/* fail -- fill *e (unless it already holds an earlier failure's detail) and return code. */
__attribute__((format(printf, 4, 5)))
enum eim_err fail(struct err *e, enum eim_err code, const char *clause, const char *fmt, ...);

/* fail_field -- as fail(), naming the field too. */
__attribute__((format(printf, 5, 6)))
enum eim_err fail_field(struct err *e, enum eim_err code, const char *clause, const char *field, const char *fmt, ...);

/* err_name -- "E_MALFORMED"; err_title -- the words of the table; err_status -- its HTTP status. */
const char *err_name(enum eim_err code);
const char *err_title(enum eim_err code);
int err_status(enum eim_err code);

#define TRY(call)                                                                  \
    do {                                                                           \
        enum eim_err rc_ = (call);                                                 \
        if (rc_ != OK) return rc_;                                                 \
    } while (0)

#endif
