/* ctl.c -- how commands read their options and files, and how they say that something is wrong. */
#include "app/eimctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "app/eimctl/out.h"

/* One error on standard error, for people or as {"error":{...}}. */
static void say(struct ctl *c, const struct err *e, const char *code)
{
    if (c->json) {
        json_t *o = json_pack("{s:{s:s*, s:s, s:s*, s:s*}}", "error", "code", code, "detail", e->why,
                              "field", *e->field ? e->field : NULL, "clause", e->clause);
        if (o && e->has_at) json_object_set_new(json_object_get(o, "error"), "offset", json_integer((json_int_t)e->at));
        if (o) {
            json_dumpf(o, stderr, JSON_COMPACT);
            fputc('\n', stderr);
            json_decref(o);
            return;
        }
    }
    fputs("eimctl: ", stderr);
    if (*e->field) {
        out_text(stderr, slice_str(e->field));
        fputs(": ", stderr);
    }
    out_text(stderr, slice_str(e->why));
    if (e->has_at) fprintf(stderr, ", at offset %zu", e->at);
    if (e->clause) fprintf(stderr, " (%s)", e->clause);
    fputc('\n', stderr);
}

int ctl_fail(struct ctl *c, int end, const char *fmt, ...)
{
    struct err e = { 0 };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e.why, sizeof e.why, fmt, ap);
    va_end(ap);
    say(c, &e, end == CTL_USAGE ? "usage" : end == CTL_UNREACHABLE ? "unreachable" : "refused");
    return end;
}

int ctl_err(struct ctl *c, int end, const struct err *e)
{
    say(c, e, err_name(e->code));
    return end;
}

const char *ctl_option(const struct ctl *c, const char *name)
{
    for (size_t i = c->nopt; i-- > 0;)
        if (strcmp(c->opt[i].name, name) == 0) return c->opt[i].value ? c->opt[i].value : "";
    return NULL;
}

bool ctl_flag(const struct ctl *c, const char *name)
{
    return ctl_option(c, name) != NULL;
}

bool ctl_digits(const char *s, int64_t hi, int64_t *out)
{
    int64_t v = 0;
    if (!*s) return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || v > (hi - (*s - '0')) / 10) return false;
        v = v * 10 + (*s - '0');
    }
    *out = v;
    return true;
}

int ctl_number(struct ctl *c, const char *name, int64_t lo, int64_t hi, int64_t def, int64_t *out)
{
    const char *s = ctl_option(c, name);
    *out = def;
    if (!s) return CTL_OK;
    if (ctl_digits(s, hi, out) && *out >= lo) return CTL_OK;
    return ctl_fail(c, CTL_USAGE, "%s: not a whole number from %lld to %lld: %s", name, (long long)lo, (long long)hi, s);
}

bool ctl_duration(const char *s, int64_t *us)
{
    static const struct { char unit; int64_t us; } units[] = {
        { 's', 1000000 }, { 'm', 60000000 }, { 'h', 3600000000 }, { 'd', 86400000000 },
    };
    char digits[16];
    size_t n = strlen(s);
    if (n < 2 || n > sizeof digits) return false;
    memcpy(digits, s, n - 1);
    digits[n - 1] = 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (s[n - 1] != units[i].unit) continue;
        int64_t v;
        if (!ctl_digits(digits, 3650 * INT64_C(86400000000) / units[i].us, &v) || v == 0) return false;
        *us = v * units[i].us;
        return true;
    }
    return false;
}

bool ctl_read(struct ctl *c, const char *path, struct buf *out)
{
    bool in = strcmp(path, "-") == 0;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ctl_fail(c, CTL_REFUSED, "%s: %s", path, strerror(errno)), false;
    uint8_t chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0) buf_put(out, slice_of(chunk, (size_t)n));
    int why = errno;
    if (!in) close(fd);
    if (n < 0) return ctl_fail(c, CTL_REFUSED, "%s: %s", in ? "standard input" : path, strerror(why)), false;
    if (out->failed)
        return ctl_fail(c, CTL_REFUSED, "%s: more than %zu bytes", in ? "standard input" : path, out->cap), false;
    return true;
}
