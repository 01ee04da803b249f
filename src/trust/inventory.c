/* inventory.c -- the notes of an inventory export: seven lines and a signature. */
#include "trust/inventory.h"

#include <stdio.h>
#include <string.h>

static const char NONE[] = "none";

enum eim_err inventory_note_make(const struct note_signer *s, struct inventory_note *n, struct slice text_of_lines, struct slice *note, struct arena *a,
                                 struct err *e)
{
    char lines[2 * SHA256_SIZE + 1], previous[2 * SHA256_SIZE + 1];
    TRY(digest_sha256(text_of_lines, n->lines, e));
    slice_hex(slice_of(n->lines, SHA256_SIZE), false, lines);
    if (n->first) snprintf(previous, sizeof previous, "%s", NONE);
    else slice_hex(slice_of(n->previous, SHA256_SIZE), false, previous);
    char *text = arena_printf(a, "%.*s\nfrom %s\nto %s\ndevices %lld\nlines %s\nprevious %s\nat %s\n", (int)n->origin.n, (const char *)n->origin.p, n->from,
                              n->to, (long long)n->devices, lines, previous, n->at);
    return text ? note_sign(s, slice_str(text), note, a, e) : fail(e, E_NOMEM, NULL, "no room for a note");
}

/* "NAME VALUE" of the next line, its value as text. */
static bool field(struct slice *rest, const char *name, char *out, size_t size)
{
    struct slice line;
    size_t n = strlen(name);
    if (!slice_line(rest, &line) || line.n <= n + 1 || memcmp(line.p, name, n) || line.p[n] != ' ' || line.n - n - 1 >= size) return false;
    memcpy(out, line.p + n + 1, line.n - n - 1);
    out[line.n - n - 1] = 0;
    return true;
}

bool inventory_digest_read(struct slice hex, uint8_t out[SHA256_SIZE])
{
    return slice_unhex(hex, out, SHA256_SIZE) == SHA256_SIZE;
}

static bool number(const char *s, int64_t *out)
{
    *out = 0;
    if (!*s || strlen(s) > 9) return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return false;
        *out = *out * 10 + (*s - '0');
    }
    return true;
}

enum eim_err inventory_note_open(const char *key, struct slice note, struct inventory_note *out, struct err *e)
{
    struct slice text;
    char devices[16], lines[80], previous[80];
    *out = (struct inventory_note){ 0 };
    TRY(note_open(key, note, &text, e));
    bool good = slice_line(&text, &out->origin) && memmem(out->origin.p, out->origin.n, "/inventory/", 11) &&
                field(&text, "from", out->from, sizeof out->from) && field(&text, "to", out->to, sizeof out->to) &&
                field(&text, "devices", devices, sizeof devices) && field(&text, "lines", lines, sizeof lines) &&
                field(&text, "previous", previous, sizeof previous) && field(&text, "at", out->at, sizeof out->at) && !text.n &&
                number(devices, &out->devices) && inventory_digest_read(slice_str(lines), out->lines);
    out->first = good && !strcmp(previous, NONE);
    if (good && !out->first) good = inventory_digest_read(slice_str(previous), out->previous);
    return good ? OK : fail(e, E_MALFORMED, NULL, "this is no note of an inventory export");
}

enum eim_err inventory_note_follows(const struct inventory_note *before, struct slice note_before, const struct inventory_note *n, struct err *e)
{
    uint8_t is[SHA256_SIZE];
    if (!before) return n->first && !strcmp(n->from, "0") ? OK : fail(e, E_MISMATCH, NULL, "the first page is not the beginning of an export");
    TRY(digest_sha256(note_before, is, e));
    if (n->first || memcmp(is, n->previous, SHA256_SIZE)) return fail(e, E_MISMATCH, NULL, "a page is missing before this one, or is of another export");
    if (strcmp(n->from, before->to) || !slice_eq(n->origin, before->origin))
        return fail(e, E_MISMATCH, NULL, "this page does not begin where the one before it ended");
    return OK;
}
