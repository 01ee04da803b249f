/* conf.c -- the settings table and its INI reader (on inih). */
#include "base/conf.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <ini.h>
#include <stdio.h>

enum { LINE_MAX_OCTETS = 65536, ARENA_CAP = 4 * CONF_FILE_MAX };

enum type { TEXT, INT, BOOL, TIME, SIZE, ADDRESS, WORD, LIST };

static const struct row {
    const char *section, *key, *name;
    enum type type;
    size_t offset;
    const char *def;
    int64_t min, max;
    const char *words;
    bool reload;
    const char *help;
} rows[] = {
#define X(section, key, type, def, min, max, words, reload, help)                                                  \
    { #section, #key, #section "." #key, type, offsetof(struct conf, section##_##key), def, min, max, words, reload, help },
    CONF_SETTINGS(X)
#undef X
};
enum { ROWS = sizeof rows / sizeof rows[0] };

struct unit { const char *name; int64_t factor; };
static const struct unit time_units[] = { { "d", CONF_D }, { "h", CONF_H }, { "m", CONF_M }, { "s", CONF_S }, { "ms", 1000 }, { "us", CONF_US } };
static const struct unit size_units[] = { { "G", CONF_K * CONF_K * CONF_K }, { "M", CONF_K * CONF_K }, { "k", CONF_K }, { "", 1 } };
enum { TIME_UNITS = sizeof time_units / sizeof time_units[0], SIZE_UNITS = sizeof size_units / sizeof size_units[0] };

static void *member(const struct conf *c, const struct row *r)
{
    return (char *)(uintptr_t)c + r->offset;
}

/* ---- printing ---- */

static void print_units(struct buf *out, int64_t v, const struct unit *u, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (i == n - 1 || (v && v % u[i].factor == 0)) {
            buf_printf(out, "%lld%s", (long long)(v / u[i].factor), u[i].name);
            return;
        }
}

static void print_allowed(struct buf *out, const struct row *r)
{
    switch (r->type) {
    case TEXT: buf_printf(out, "%lld to %lld octets", (long long)r->min, (long long)r->max); break;
    case INT: buf_printf(out, "a number from %lld to %lld", (long long)r->min, (long long)r->max); break;
    case BOOL: buf_str(out, "yes or no"); break;
    case TIME:
        buf_str(out, "a time (us, ms, s, m, h, d) from ");
        print_units(out, r->min, time_units, TIME_UNITS);
        buf_str(out, " to ");
        print_units(out, r->max, time_units, TIME_UNITS);
        break;
    case SIZE:
        buf_str(out, "a size (k, M, G) from ");
        print_units(out, r->min, size_units, SIZE_UNITS);
        buf_str(out, " to ");
        print_units(out, r->max, size_units, SIZE_UNITS);
        break;
    case ADDRESS: buf_str(out, "1.2.3.4:PORT or [::1]:PORT"); break;
    case WORD: buf_printf(out, "one of %s", r->words); break;
    case LIST: buf_printf(out, "up to %d texts with commas between", CONF_LIST_MAX); break;
    }
}

static void print_value(struct buf *out, const struct row *r, const void *m)
{
    switch (r->type) {
    case TEXT: buf_str(out, *(const char *const *)m); break;
    case INT: buf_printf(out, "%lld", (long long)*(const int64_t *)m); break;
    case BOOL: buf_str(out, *(const bool *)m ? "yes" : "no"); break;
    case TIME: print_units(out, *(const int64_t *)m, time_units, TIME_UNITS); break;
    case SIZE: print_units(out, *(const int64_t *)m, size_units, SIZE_UNITS); break;
    case ADDRESS: {
        const struct conf_address *a = m;
        buf_printf(out, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
        break;
    }
    case WORD: {
        const char *w = r->words;
        for (int i = *(const int *)m; i > 0; i--) w = strchr(w, '|') + 1;
        buf_printf(out, "%.*s", (int)strcspn(w, "|"), w);
        break;
    }
    case LIST: {
        const struct conf_list *l = m;
        for (size_t i = 0; i < l->n; i++) buf_printf(out, "%s%s", i ? ", " : "", l->v[i]);
        break;
    }
    }
}

void conf_print(const struct conf *c, struct buf *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (i == 0 || strcmp(rows[i].section, rows[i - 1].section) != 0)
            buf_printf(out, "%s[%s]\n", i ? "\n" : "", rows[i].section);
        buf_printf(out, "%s = ", rows[i].key);
        print_value(out, &rows[i], member(c, &rows[i]));
        buf_str(out, "\n");
    }
}

void conf_print_defaults(struct buf *out, const char *fqdn)
{
    buf_str(out, "# Settings of eimd. What stands behind # is the default. `eimd --data DIR --check` checks this file and prints what is in force.\n"
                 "# SIGHUP makes eimd read it again; settings marked [start] take effect at the next start.\n");
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        if (i == 0 || strcmp(r->section, rows[i - 1].section) != 0) buf_printf(out, "\n[%s]\n", r->section);
        buf_printf(out, "# %s%s (", r->help, r->reload ? "" : " [start]");
        print_allowed(out, r);
        bool real = fqdn && strcmp(r->name, "eim.fqdn") == 0;
        buf_printf(out, ")\n%s%s =%s%s\n", real ? "" : "#", r->key, *r->def || real ? " " : "", real ? fqdn : r->def);
    }
}

/* ---- values ---- */

static bool read_number(const char *s, size_t n, int64_t *out)
{
    int64_t v = 0;
    if (n == 0 || n > 18) return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') return false;
        v = v * 10 + (s[i] - '0');
    }
    *out = v;
    return true;
}

static bool read_units(const char *s, const struct unit *u, size_t n, int64_t *out)
{
    size_t digits = strspn(s, "0123456789");
    int64_t v;
    if (!read_number(s, digits, &v)) return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(s + digits, u[i].name) == 0) return !__builtin_mul_overflow(v, u[i].factor, out);
    return false;
}

static bool read_address(const char *s, struct conf_address *out)
{
    struct in6_addr six;
    struct in_addr four;
    const char *colon = strrchr(s, ':');
    int64_t port;
    if (!colon || !read_number(colon + 1, strlen(colon + 1), &port) || port > 65535) return false;
    size_t n = (size_t)(colon - s);
    bool brackets = n >= 2 && s[0] == '[' && s[n - 1] == ']';
    if (brackets) { s++; n -= 2; }
    if (n == 0 || n >= sizeof out->host) return false;
    *out = (struct conf_address){ .port = (uint16_t)port };
    memcpy(out->host, s, n);
    return brackets ? inet_pton(AF_INET6, out->host, &six) == 1 : inet_pton(AF_INET, out->host, &four) == 1;
}

static bool read_word(const char *s, const char *words, int *out)
{
    size_t n = strlen(s);
    for (int i = 0; words; i++) {
        if (n == strcspn(words, "|") && strncmp(s, words, n) == 0) { *out = i; return true; }
        words = strchr(words, '|');
        if (words) words++;
    }
    return false;
}

/* read_list -- *nomem tells a wrong list from a full arena. */
static bool read_list(const char *s, const struct row *r, struct conf_list *out, struct arena *a, bool *nomem)
{
    const char **v = ARENA_ARRAY(a, const char *, CONF_LIST_MAX);
    size_t n = 0;
    *nomem = !v;
    if (!v) return false;
    while (*(s += strspn(s, " \t"))) {
        size_t len = strcspn(s, ","), end = len;
        while (end && (s[end - 1] == ' ' || s[end - 1] == '\t')) end--;
        if (end == 0 || (int64_t)end > r->max || n == CONF_LIST_MAX) return false;
        v[n] = arena_str(a, slice_of(s, end));
        *nomem = !v[n];
        if (!v[n++]) return false;
        s += len;
        if (*s == ',' && !s[1 + strspn(s + 1, " \t")]) return false;       /* a comma with nothing behind it */
        if (*s == ',') s++;
    }
    *out = (struct conf_list){ v, n };
    return true;
}

static enum eim_err set(struct conf *c, const struct row *r, const char *value, struct err *e)
{
    bool ok = false, nomem = false;
    int64_t v = 0;
    switch (r->type) {
    case TEXT: {
        size_t n = strlen(value);
        ok = (int64_t)n >= r->min && (int64_t)n <= r->max;
        char *copy = ok ? arena_str(&c->arena, slice_str(value)) : NULL;
        nomem = ok && !copy;
        if (copy) *(const char **)member(c, r) = copy;
        break;
    }
    case INT: ok = read_number(value, strlen(value), &v); break;
    case TIME: ok = read_units(value, time_units, TIME_UNITS, &v) || (r->min == 0 && read_number(value, strlen(value), &v) && v == 0); break;
    case SIZE: ok = read_units(value, size_units, SIZE_UNITS, &v); break;
    case BOOL:
        ok = strcmp(value, "yes") == 0 || strcmp(value, "no") == 0;
        if (ok) *(bool *)member(c, r) = value[0] == 'y';
        break;
    case ADDRESS: {
        struct conf_address addr;
        ok = read_address(value, &addr);
        if (ok) *(struct conf_address *)member(c, r) = addr;
        break;
    }
    case WORD: ok = read_word(value, r->words, member(c, r)); break;
    case LIST: ok = read_list(value, r, member(c, r), &c->arena, &nomem); break;
    }
    if (r->type == INT || r->type == TIME || r->type == SIZE) {
        ok = ok && v >= r->min && v <= r->max;
        if (ok) *(int64_t *)member(c, r) = v;
    }
    if (nomem) return fail_field(e, E_NOMEM, NULL, r->name, "settings are too large");
    if (ok) return OK;

    struct buf allowed;
    buf_init(&allowed, 200);
    print_allowed(&allowed, r);
    fail_field(e, E_CONF, NULL, r->name, "%s is '%.40s', allowed is %.*s", r->name, value, (int)allowed.n, (const char *)allowed.p);
    buf_free(&allowed);
    return E_CONF;
}

static enum eim_err set_defaults(struct conf *c, struct err *e)
{
    *c = (struct conf){ 0 };
    arena_init(&c->arena, ARENA_CAP);
    for (size_t i = 0; i < ROWS; i++) TRY(set(c, &rows[i], rows[i].def, e));
    return OK;
}

enum eim_err conf_set(struct conf *c, const char *name, const char *value, struct err *e)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0) return set(c, &rows[i], value, e);
    return fail_field(e, E_CONF, NULL, name, "there is no setting %s", name);
}

/* ---- the file ---- */

struct reading {
    struct conf *conf;
    struct slice left;                 /* what inih has not taken yet */
    int line;
    bool seen[ROWS];
    int seen_line[ROWS];
    struct err err;                    /* the first refusal, without the place */
    enum eim_err rc;
};

static enum eim_err refuse_section(struct reading *rd, const char *name, size_t n)
{
    struct buf known;
    buf_init(&known, 120);
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(rows[i].section) == n && memcmp(rows[i].section, name, n) == 0) {
            buf_free(&known);
            return OK;
        }
        if (i == 0 || strcmp(rows[i].section, rows[i - 1].section) != 0) buf_printf(&known, "%s%s", i ? ", " : "", rows[i].section);
    }
    rd->rc = fail(&rd->err, E_CONF, NULL, "there is no section [%.*s]; there are %.*s", n > 40 ? 40 : (int)n, name,
                  (int)known.n, (const char *)known.p);
    buf_free(&known);
    return rd->rc;
}

/* next_line -- inih's reader (as fgets). It counts the lines, and sees what inih would pass over: an over-long line, a NUL
 * octet, and a section without keys. A refusal ends the text early; conf_read_text looks at rc. */
static char *next_line(char *out, int room, void *arg)
{
    struct reading *rd = arg;
    if (rd->left.n == 0 || rd->rc != OK || room < 2) return NULL;
    const uint8_t *nl = memchr(rd->left.p, '\n', rd->left.n);
    size_t n = nl ? (size_t)(nl - rd->left.p) + 1 : rd->left.n, most = (size_t)room - 1;
    if (!rd->line || rd->left.p[-1] == '\n') {         /* at the start of a line (inih takes a long one in pieces) */
        rd->line++;
        const char *s = (const char *)rd->left.p, *end = s + n;
        while (s < end && (*s == ' ' || *s == '\t')) s++;
        const char *close = s < end && *s == '[' ? memchr(s, ']', (size_t)(end - s)) : NULL;
        if (n >= LINE_MAX_OCTETS) rd->rc = fail(&rd->err, E_CONF, NULL, "the line is longer than %d octets", LINE_MAX_OCTETS - 1);
        else if (memchr(rd->left.p, 0, n)) rd->rc = fail(&rd->err, E_CONF, NULL, "there is a NUL octet in the line");
        else if (close && refuse_section(rd, s + 1, (size_t)(close - s - 1)) != OK) return NULL;
        if (rd->rc != OK) return NULL;
    }
    if (n > most) n = most;
    memcpy(out, rd->left.p, n);
    out[n] = 0;
    rd->left = slice_of(rd->left.p + n, rd->left.n - n);
    return out;
}

static int on_pair(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *rd = arg;
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].section, section) != 0 || strcmp(rows[i].key, key) != 0) continue;
        if (rd->seen[i])
            rd->rc = fail_field(&rd->err, E_CONF, NULL, rows[i].name, "%s stands already on line %d", rows[i].name, rd->seen_line[i]);
        else
            rd->rc = set(rd->conf, &rows[i], value ? value : "", &rd->err);
        rd->seen[i] = true;
        rd->seen_line[i] = rd->line;
        return rd->rc == OK;
    }
    char where[64];
    snprintf(where, sizeof where, "%.30s.%.30s", section, key);
    rd->rc = *section ? fail_field(&rd->err, E_CONF, NULL, where, "there is no setting '%.40s' in section [%s]", key, section)
                      : fail_field(&rd->err, E_CONF, NULL, where, "'%.40s' stands before the first section", key);
    return 0;
}

enum eim_err conf_read_text(struct conf *out, struct slice text, const char *name, struct err *e)
{
    struct reading rd = { .conf = out, .left = text };
    ini_use_stack = false;
    ini_allow_realloc = true;
    ini_max_line = LINE_MAX_OCTETS;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;

    enum eim_err rc = set_defaults(out, e);
    if (rc == OK && text.n > CONF_FILE_MAX) rc = fail(e, E_TOO_LARGE, NULL, "%s is larger than %d octets", name, CONF_FILE_MAX);
    if (rc == OK) {
        int bad = ini_parse_stream(next_line, &rd, on_pair, &rd);
        if (rd.rc != OK)
            rc = fail_field(e, rd.rc, NULL, rd.err.field, "%.80s:%d: %s", name, rd.line, rd.err.why);
        else if (bad < 0)
            rc = fail(e, E_NOMEM, NULL, "%s: no memory to read it", name);
        else if (bad > 0)
            rc = fail(e, E_CONF, NULL, "%.80s:%d: neither [section], key = value, nor a comment (#)", name, bad);
    }
    if (rc != OK) {
        arena_free(&out->arena);
        *out = (struct conf){ 0 };
    }
    return rc;
}

enum eim_err conf_read(struct conf *out, const char *path, struct err *e)
{
    struct arena a;
    size_t n = 0;
    *out = (struct conf){ 0 };
    arena_init(&a, CONF_FILE_MAX + 16);
    uint8_t *text = arena_alloc(&a, CONF_FILE_MAX);
    enum eim_err rc = text ? file_read(path, false, text, CONF_FILE_MAX, &n, e) : fail(e, E_NOMEM, NULL, "%s: no memory to read it", path);
    if (rc == OK) rc = conf_read_text(out, slice_of(text, n), path, e);
    arena_free(&a);
    return rc;
}

void conf_free(struct conf *c)
{
    arena_free(&c->arena);
    *c = (struct conf){ 0 };
}

const char *conf_fixed_change(const struct conf *before, const struct conf *after, size_t *from)
{
    const char *name = NULL;
    while (!name && *from < ROWS) {
        const struct row *r = &rows[(*from)++];
        struct buf a, b;
        buf_init(&a, CONF_FILE_MAX);
        buf_init(&b, CONF_FILE_MAX);
        print_value(&a, r, member(before, r));
        print_value(&b, r, member(after, r));
        if (!r->reload && !slice_eq(buf_slice(&a), buf_slice(&b))) name = r->name;
        buf_free(&a);
        buf_free(&b);
    }
    return name;
}
