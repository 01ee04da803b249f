/* ctl.h -- what the parts of eimctl share: the call as it was written, how it ends, output for people and for programs.
 *
 * eimctl is one thread that runs one command and ends. A command returns one of enum ctl_end; whatever goes wrong is said
 * once, on standard error, by the function that notices it. Results go to standard output. */
#ifndef EIMCTL_CTL_H
#define EIMCTL_CTL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/slice.h"

/*   name              status  what it means */
#define CTL_ENDS(X)                                                                                              \
    X(CTL_OK,            0, "done")                                                                              \
    X(CTL_REFUSED,       1, "refused or failed: the message, the server or a check said no")                     \
    X(CTL_USAGE,         2, "the command line or the settings are wrong; nothing was tried")                     \
    X(CTL_UNREACHABLE,   3, "no answer from the server")
enum ctl_end {
#define X(name, number, text) name = number,
    CTL_ENDS(X)
#undef X
};

enum {
    CTL_GIVEN_MAX = 256,               /* options on one command line */
    CTL_ARENA_MAX = 256 * 1024 * 1024, /* most memory of either arena */
    CTL_TEXT_MAX = 16 * 1024 * 1024,   /* most bytes of standard input, of a message or of a reply */
};

struct command;
struct httpc;

struct given { const char *name, *value; };        /* "--limit", "10"; value NULL for an option that takes none */

struct ctl {
    /* the call */
    const struct command *cmd;
    struct given opt[CTL_GIVEN_MAX];   /* in the order of the command line: for `operation create` it matters */
    size_t nopt;
    const char *pos[CTL_GIVEN_MAX];    /* what stands without an option */
    size_t npos;
    bool json;
    const char *url, *token_file, *cacert;         /* --url, --token-file, --cacert; NULL when not given */

    /* state */
    struct arena arena;                /* lives as long as the call */
    struct arena page;                 /* given back after each page of a list, batch of an import, line of a file */
    struct httpc *http;                /* made by the first request */
    const char *base;                  /* URL of the server without the slash at its end */
    struct buf reply;
};

/* One row of the table in main.c. `args` is both what usage prints and what the command line is checked against (args.h). */
struct command {
    const char *group, *verb, *args, *help;        /* group "" for a command of one word */
    int (*run)(struct ctl *c);
};

/* ctl_commands -- the table of main.c, *n rows. */
const struct command *ctl_commands(size_t *n);

/* ctl_fail -- say it on standard error as one sentence ("eimctl: ...") and return `end`. */
__attribute__((format(printf, 3, 4))) int ctl_fail(struct ctl *c, int end, const char *fmt, ...);

/* ctl_err -- the same for a struct err: sentence, field, offset and clause; with --json one JSON object. */
int ctl_err(struct ctl *c, int end, const struct err *e);

/* ctl_option -- the value of an option given (the last one, if it was repeated), or NULL. ctl_flag: was it given? */
const char *ctl_option(const struct ctl *c, const char *name);
bool ctl_flag(const struct ctl *c, const char *name);

/* ctl_number -- an option that is a whole number between lo and hi, or its default. CTL_OK or CTL_USAGE (said). */
MUST int ctl_number(struct ctl *c, const char *name, int64_t lo, int64_t hi, int64_t def, int64_t *out);

/* ctl_digits -- decimal digits, nothing else, up to `hi`; false for anything else. */
MUST bool ctl_digits(const char *s, int64_t hi, int64_t *out);

/* ctl_duration -- "90s", "15m", "12h", "7d" in microseconds; false for anything else and for more than ten years. */
MUST bool ctl_duration(const char *s, int64_t *us);

/* ctl_read -- all of a file, or of standard input for "-", into `out` (initialised by the caller). false after saying why. */
MUST bool ctl_read(struct ctl *c, const char *path, struct buf *out);

/* ---- the commands, one file each ---- */
int device_list(struct ctl *c);
int device_count(struct ctl *c);
int interop_report(struct ctl *c);
int fleet_export(struct ctl *c);
int fleet_verify(struct ctl *c);
int fleet_import(struct ctl *c);
int quirk_list(struct ctl *c);
int quirk_add(struct ctl *c);
int quirk_remove(struct ctl *c);
int quirk_device(struct ctl *c);
int rotation_run(struct ctl *c);
int rotation_say(struct ctl *c);
int handover_run(struct ctl *c);
int handover_proof(struct ctl *c);
int handover_confirm(struct ctl *c);
int quarantine_set(struct ctl *c);
int quarantine_lift(struct ctl *c);
int device_show(struct ctl *c);
int device_add(struct ctl *c);
int device_import(struct ctl *c);
int device_reach(struct ctl *c);
int device_push(struct ctl *c);
int device_delete(struct ctl *c);
int operation_create(struct ctl *c);
int operation_list(struct ctl *c);
int operation_show(struct ctl *c);
int operation_cancel(struct ctl *c);
int operation_package(struct ctl *c);
int operation_result(struct ctl *c);
int operation_wait(struct ctl *c);
int inventory(struct ctl *c);
int notification_list(struct ctl *c);
int notification_show(struct ctl *c);
int notification_retry(struct ctl *c);
int notification_drop(struct ctl *c);
int smdp_list(struct ctl *c);
int smdp_show(struct ctl *c);
int smdp_add(struct ctl *c);
int smdp_set(struct ctl *c);
int smdp_remove(struct ctl *c);
int porder_list(struct ctl *c);
int porder_add(struct ctl *c);
int porder_show(struct ctl *c);
int porder_cancel(struct ctl *c);
int porder_retry(struct ctl *c);
int pool_list(struct ctl *c);
int pool_show(struct ctl *c);
int pool_add(struct ctl *c);
int pool_fill(struct ctl *c);
int pool_codes(struct ctl *c);
int pool_return(struct ctl *c);
int pool_withdraw(struct ctl *c);
int pool_remove(struct ctl *c);
int eim_config(struct ctl *c);
int token_list(struct ctl *c);
int token_create(struct ctl *c);
int token_revoke(struct ctl *c);
int role_list(struct ctl *c);
int role_set(struct ctl *c);
int role_remove(struct ctl *c);
int whoami(struct ctl *c);
int access_explain(struct ctl *c);
int event_list(struct ctl *c);
int device_timeline(struct ctl *c);
int audit_list(struct ctl *c);
int audit_head(struct ctl *c);
int audit_export(struct ctl *c);
int audit_verify(struct ctl *c);
int evidence_export(struct ctl *c);
int expr_eval_command(struct ctl *c);
int metrics(struct ctl *c);
int health(struct ctl *c);
int openapi(struct ctl *c);
int manual(struct ctl *c);
int completion(struct ctl *c);
int decode(struct ctl *c);
int encode(struct ctl *c);
int verify_result(struct ctl *c);

#endif
