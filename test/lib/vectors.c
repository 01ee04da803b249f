/* vectors.c -- reading test/vectors. */
#include "test/lib/vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

enum { FILE_MAX = 16 << 20 };

__attribute__((noreturn, format(printf, 1, 2)))
static void give_up(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

json_t *vectors_load(const char *file)
{
    const char *dir = getenv("VECTORS");
    if (!dir) give_up("VECTORS is not set; run through meson test, or set it to test/vectors");
    char path[1024], piece[4096];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    FILE *f = fopen(path, "rb");
    if (!f) give_up("%s: cannot be opened", path);
    struct buf b;
    buf_init(&b, FILE_MAX);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buf_put(&b, slice_of(piece, n));
    if (ferror(f) || b.failed) give_up("%s: cannot be read, or larger than %d bytes", path, FILE_MAX);
    fclose(f);
    json_t *root;
    struct err e = { 0 };
    if (json_read(buf_slice(&b), FILE_MAX, &root, &e) != OK) give_up("%s: %s", path, e.why);
    buf_free(&b);
    return root;
}

json_t *vectors_member(const json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    if (!v) give_up("vector without member %s", key);
    return v;
}

json_t *vectors_array(const json_t *object, const char *key)
{
    json_t *v = vectors_member(object, key);
    if (json_array_size(v) == 0) give_up("vector member %s is no array, or empty", key);
    return v;
}

const char *vectors_text(const json_t *object, const char *key)
{
    const char *s = json_string_value(vectors_member(object, key));
    if (!s) give_up("vector member %s is no string", key);
    return s;
}

struct slice vectors_hex(struct arena *a, const json_t *object, const char *key)
{
    return unhex(a, vectors_text(object, key));
}

struct slice unhex(struct arena *a, const char *hex)
{
    size_t n = strlen(hex);
    char *digits = arena_alloc(a, n + 1);
    uint8_t *out = arena_alloc(a, n / 2 + 1);
    if (!digits || !out) give_up("arena of the test too small for %zu hex digits", n);
    size_t used = 0;
    for (const char *p = hex; *p; p++)
        if (*p != ' ' && *p != '\n') digits[used++] = *p;
    long got = slice_unhex(slice_of(digits, used), out, n / 2 + 1);
    if (got < 0) give_up("no hex: %.60s", hex);
    return slice_of(out, (size_t)got);
}
