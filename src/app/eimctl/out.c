/* out.c -- tables, facts and text for a terminal. */
#include "app/eimctl/out.h"

/* One character of s at *i, and its octets; *bad when it must not reach a terminal as it is. */
static uint32_t next_char(struct slice s, size_t i, size_t *len, bool *bad)
{
    uint8_t b = s.p[i];
    size_t n = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
    *len = 1;
    *bad = true;
    if (n == 0 || n > s.n - i) return b;
    uint32_t ch = n == 1 ? b : b & (0x7fu >> n);
    for (size_t k = 1; k < n; k++) {
        if ((s.p[i + k] & 0xc0) != 0x80) return b;
        ch = ch << 6 | (s.p[i + k] & 0x3f);
    }
    if ((n == 3 && ch < 0x800) || (n == 4 && (ch < 0x10000 || ch > 0x10ffff)) || (ch >= 0xd800 && ch < 0xe000)) return b;
    *len = n;
    /* C0, DEL, C1, and what turns the direction of writing */
    *bad = ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || (ch >= 0x202a && ch <= 0x202e) || (ch >= 0x2066 && ch <= 0x2069);
    return ch;
}

static size_t char_width(uint32_t ch)
{
    static const struct { uint32_t from, to; uint8_t width; } odd[] = {
        { 0x0300, 0x036f, 0 }, { 0x1100, 0x115f, 2 }, { 0x200b, 0x200f, 0 }, { 0x20d0, 0x20ff, 0 }, { 0x2e80, 0xa4cf, 2 },
        { 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 }, { 0xfe00, 0xfe0f, 0 }, { 0xfe30, 0xfe6f, 2 }, { 0xff00, 0xff60, 2 },
        { 0xffe0, 0xffe6, 2 }, { 0x1f300, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        if (ch >= odd[i].from && ch <= odd[i].to) return odd[i].width;
    return 1;
}

static size_t walk(FILE *f, struct slice s)
{
    size_t width = 0;
    for (size_t i = 0, len; i < s.n; i += len) {
        bool bad;
        uint32_t ch = next_char(s, i, &len, &bad);
        if (!bad) {
            width += char_width(ch);
            if (f) fwrite(s.p + i, 1, len, f);
            continue;
        }
        width += 4 * len;
        for (size_t k = 0; f && k < len; k++) fprintf(f, "\\x%02x", s.p[i + k]);
    }
    return width;
}

size_t out_text(FILE *f, struct slice s)
{
    return walk(f, s);
}

size_t out_width(struct slice s)
{
    return walk(NULL, s);
}

bool table_init(struct table *t, struct ctl *c, size_t rows, const char *const *head)
{
    *t = (struct table){ .room = rows };
    for (; head[t->ncols] && t->ncols < OUT_COLUMNS_MAX; t->ncols++) {
        t->head[t->ncols] = head[t->ncols];
        t->width[t->ncols] = out_width(slice_str(head[t->ncols]));
    }
    t->cells = ARENA_ARRAY(&c->arena, const char *, rows * t->ncols);
    return t->cells != NULL;
}

void table_row(struct table *t, const char *const *cells)
{
    if (t->n == t->room) return;
    for (size_t i = 0; i < t->ncols; i++) {
        const char *s = cells[i] ? cells[i] : "-";
        size_t w = out_width(slice_str(s));
        if (w > t->width[i]) t->width[i] = w;
        t->cells[t->n * t->ncols + i] = s;
    }
    t->n++;
}

static void print_line(const struct table *t, const char *const *cells)
{
    for (size_t i = 0; i < t->ncols; i++) {
        size_t w = out_text(stdout, slice_str(cells[i]));
        if (i + 1 < t->ncols) printf("%*s", (int)(t->width[i] - w + 2), "");
    }
    putchar('\n');
}

void table_print(struct table *t)
{
    if (!t->begun) print_line(t, t->head);
    t->begun = true;
    for (size_t i = 0; i < t->n; i++) print_line(t, t->cells + i * t->ncols);
    t->n = 0;
}

void out_fact(const char *name, const char *value)
{
    if (!value) return;
    printf("%s:%*s", name, (int)(strlen(name) < 18 ? 18 - strlen(name) : 1), "");
    out_text(stdout, slice_str(value));
    putchar('\n');
}

void out_json(const json_t *v)
{
    json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar('\n');
}

const json_t *out_member(const json_t *o, const char *path)
{
    while (o && *path) {
        size_t n = strcspn(path, ".");
        char name[64];
        if (n >= sizeof name) return NULL;
        memcpy(name, path, n);
        name[n] = 0;
        o = json_object_get(o, name);
        path += n + (path[n] == '.');
    }
    return json_is_null(o) ? NULL : o;
}

const char *out_string(struct ctl *c, const json_t *o, const char *path)
{
    const json_t *m = out_member(o, path);
    if (json_is_string(m)) return json_string_value(m);
    if (json_is_integer(m)) return arena_printf(&c->page, "%lld", (long long)json_integer_value(m));
    if (json_is_boolean(m)) return json_is_true(m) ? "yes" : "no";
    return NULL;
}

const char *out_time(struct ctl *c, const json_t *o, const char *path)
{
    const json_t *m = out_member(o, path);
    const char *s = json_string_value(m);
    if (!s) return NULL;
    if (strlen(s) < 20 || s[10] != 'T') return s;
    return arena_printf(&c->page, "%.10s %.8s", s, s + 11);
}
