/* where.c -- looks for the server in the flags, the environment, the settings file and ./demo. */
#include "app/eimctl/where.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

enum { WHERE_FILE_MAX = 16384 };

/* A small file as text without white space at its end. OK, or as file_read. */
static enum eim_err read_text(struct ctl *c, const char *path, bool secret, const char **out, struct err *e)
{
    uint8_t *mem = arena_alloc(&c->arena, WHERE_FILE_MAX + 1);
    size_t n = 0;
    if (!mem) return fail(e, E_NOMEM, NULL, "out of memory");
    TRY(file_read(path, secret, mem, WHERE_FILE_MAX, &n, e));
    while (n && (mem[n - 1] == '\n' || mem[n - 1] == '\r' || mem[n - 1] == ' ' || mem[n - 1] == '\t')) n--;
    if (memchr(mem, 0, n)) return fail(e, E_CONF, NULL, "%s: not a text file", path);
    mem[n] = 0;
    *out = (const char *)mem;
    return OK;
}

static struct slice trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t' || *from == '\r')) from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r')) to--;
    return slice_of(from, (size_t)(to - from));
}

static enum eim_err conf_line(struct ctl *c, const char *path, int number, struct slice line, struct where *w, struct err *e)
{
    const struct { const char *key; const char **value; } keys[] = {
        { "url", &w->url }, { "token", &w->token }, { "cacert", &w->cacert },
    };
    if (!line.n || line.p[0] == '#' || line.p[0] == ';' || line.p[0] == '[') return OK;
    const char *from = (const char *)line.p, *to = from + line.n, *equals = memchr(from, '=', line.n);
    if (!equals) return fail(e, E_CONF, NULL, "%s:%d: not of the form key = value", path, number);
    struct slice key = trim(from, equals);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!slice_eq(key, slice_str(keys[i].key))) continue;
        if (*keys[i].value) return fail(e, E_CONF, NULL, "%s:%d: %s is there twice", path, number, keys[i].key);
        *keys[i].value = arena_str(&c->arena, trim(equals + 1, to));
        return *keys[i].value ? OK : fail(e, E_NOMEM, NULL, "out of memory");
    }
    return fail(e, E_CONF, NULL, "%s:%d: unknown key %.*s; url, token and cacert are known", path, number, (int)key.n,
                (const char *)key.p);
}

static enum eim_err conf_file(struct ctl *c, const char *path, struct where *w, struct err *e)
{
    const char *text = NULL;
    TRY(read_text(c, path, false, &text, e));
    for (int number = 1; text; number++) {
        const char *end = strchr(text, '\n');
        TRY(conf_line(c, path, number, trim(text, end ? end : text + strlen(text)), w, e));
        text = end ? end + 1 : NULL;
    }
    const char *again;
    return w->token ? read_text(c, path, true, &again, e) : OK;    /* a file with a token in it must be private */
}

/* eimd.addr holds the line that eimd prints when it is ready: "ready device=HOST:PORT api=HOST:PORT". */
static const char *api_address(struct ctl *c, const char *line)
{
    const char *at = strstr(line, " api=");
    if (!at) return NULL;
    at += strlen(" api=");
    size_t n = strcspn(at, " \r\n");
    static const struct {
        const char *any, *self;
    } hosts[] = { { "0.0.0.0:", "127.0.0.1:" }, { "[::]:", "[::1]:" }, { "", "" } };
    size_t i = 0;
    while (strncmp(at, hosts[i].any, strlen(hosts[i].any)) != 0) i++;
    size_t skip = strlen(hosts[i].any);
    return arena_printf(&c->arena, "https://%s%.*s", hosts[i].self, (int)(n - skip), at + skip);
}

static enum eim_err demo_files(struct ctl *c, struct where *w, struct err *e)
{
    TRY(read_text(c, "demo/eimd.addr", false, &w->url, e));
    w->url = api_address(c, w->url);
    if (!w->url) return fail(e, E_CONF, NULL, "demo/eimd.addr: not a line that eimd wrote");
    TRY(read_text(c, "demo/admin.token", true, &w->token, e));
    w->cacert = "demo/tls/cert.pem";
    return OK;
}

/* What stands in eimctl.conf, else what ./demo says. OK with nothing filled in when there is neither. */
static enum eim_err written_down(struct ctl *c, struct where *w, struct err *e)
{
    const char *home = getenv("HOME");
    struct err missing = { 0 };
    if (home && *home) {
        char *path = arena_printf(&c->arena, "%s/.config/eimctl.conf", home);
        if (!path) return fail(e, E_NOMEM, NULL, "out of memory");
        enum eim_err rc = conf_file(c, path, w, &missing);
        if (rc == OK && w->url) return OK;
        if (rc != OK && rc != E_NOT_FOUND) {
            *e = missing;
            return rc;
        }
        missing = (struct err){ 0 };
        *w = (struct where){ 0 };
    }
    enum eim_err rc = demo_files(c, w, &missing);
    if (rc != OK) *w = (struct where){ 0 };
    if (rc != OK && rc != E_NOT_FOUND) *e = missing;
    return rc == E_NOT_FOUND ? OK : rc;
}

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* "https://host:port" without slashes at the end; NULL when it is no such thing. */
static const char *clean_url(struct ctl *c, const char *url)
{
    size_t n = strlen(url);
    while (n && url[n - 1] == '/') n--;
    if (strncmp(url, "https://", 8) != 0 || n <= 8 || strpbrk(url, " \t\r\n?#@")) return NULL;
    return arena_str(&c->arena, slice_of(url, n));
}

int where_find(struct ctl *c, struct where *out)
{
    struct err e = { 0 };
    struct where flags = { c->url ? c->url : env("EIMCTL_URL"), env("EIMCTL_TOKEN"),
                           c->cacert ? c->cacert : env("EIMCTL_CACERT") };
    struct where down = { 0 };
    if (c->token_file && read_text(c, c->token_file, true, &flags.token, &e) != OK) return ctl_err(c, CTL_USAGE, &e);
    /* complete from outside: a broken settings file does not matter then */
    if (!(flags.url && flags.token) && written_down(c, &down, &e) != OK) return ctl_err(c, CTL_USAGE, &e);
    if (!flags.url && !down.url)
        return ctl_fail(c, CTL_USAGE, "no server: give --url, EIMCTL_URL or ~/.config/eimctl.conf, or stand beside ./demo");
    const char *url = clean_url(c, flags.url ? flags.url : down.url), *written = down.url ? clean_url(c, down.url) : NULL;
    if (!url)
        return ctl_fail(c, CTL_USAGE, "the server's URL is not of the form https://host:port: %s",
                        flags.url ? flags.url : down.url);
    bool same = written && strcmp(url, written) == 0;
    *out = (struct where){
        .url = url,
        .token = flags.token ? flags.token : same ? down.token : NULL,
        .cacert = flags.cacert ? flags.cacert : same ? down.cacert : NULL,
    };
    for (const char *t = out->token; t && *t; t++)
        if (*t <= ' ' || *t > '~') return ctl_fail(c, CTL_USAGE, "the token holds a character that no token has");
    return CTL_OK;
}
