/* log.c -- key=value lines to standard error. */
#include "base/log.h"

#include "base/env.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 2048, KEY = 40 };

static enum log_level least_level = LOG_INFO;       /* set once at start and on reload, read everywhere (I10: a library's own) */

void log_set_level(enum log_level least)
{
    __atomic_store_n(&least_level, least, __ATOMIC_RELAXED);
}

bool log_wants(enum log_level level)
{
    return level >= __atomic_load_n(&least_level, __ATOMIC_RELAXED);
}

static bool plain(const char *s)
{
    if (!*s) return false;
    for (; *s; s++)
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f || *s == '"' || *s == '=' || *s == '\\') return false;
    return true;
}

/* As much of s as there is room for. Returns what was put. */
static size_t put(char *out, size_t room, const char *s)
{
    size_t n = strnlen(s, room);
    memcpy(out, s, n);
    return n;
}

static size_t put_value(char *out, size_t room, const char *s)
{
    if (plain(s)) return put(out, room, s);
    size_t n = 0;
    if (room < 8) return 0;
    out[n++] = '"';
    for (; *s && n + 6 < room; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') { out[n++] = '\\'; out[n++] = (char)c; }
        else if (c < 0x20 || c == 0x7f) n += (size_t)snprintf(out + n, room - n, "\\x%02x", c);
        else out[n++] = (char)c;
    }
    out[n++] = '"';
    return n;
}

void log_line(enum log_level level, const char *area, const struct log_kv *kv)
{
    static const char *const names[] = { "debug", "info ", "warn ", "error" };
    if (!log_wants(level)) return;
    struct env real;
    env_real(&real);
    char line[LINE], when[32];
    env_rfc3339(real.now(&real), when);
    size_t n = (size_t)snprintf(line, sizeof line, "%s %s %s", when, names[level], area);
    for (; kv->key && n + 64 < sizeof line; kv++) {
        if (!kv->value) continue;
        line[n++] = ' ';
        n += put(line + n, KEY, kv->key);
        line[n++] = '=';
        n += put_value(line + n, sizeof line - n - 2, kv->value);
    }
    line[n++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, n);
    (void)ignored;                                  /* nowhere left to complain */
}

void log_msg(enum log_level level, const char *area, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_line(level, area, (struct log_kv[]){ { "msg", text }, { 0 } });
}
