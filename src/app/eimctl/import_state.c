/* import_state.c -- the state file of an import: FILE.eimctl-state. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "app/eimctl/import.h"
#include "base/file.h"

enum { STATE_MAX = 4096 };

void import_digest_add(struct import_digest *d, struct slice bytes)
{
    struct err e = { 0 };
    while (bytes.n) {
        size_t n = sizeof d->block - d->n < bytes.n ? sizeof d->block - d->n : bytes.n;
        memcpy(d->block + d->n, bytes.p, n);
        d->n += n;
        bytes = slice_of(bytes.p + n, bytes.n - n);
        if (d->n < sizeof d->block) break;
        struct slice spans[] = { { d->chain, sizeof d->chain }, { d->block, d->n } };
        if (digest_sha256_spans(spans, 2, d->chain, &e) != OK) d->failed = true;
        d->n = 0;
    }
}

enum eim_err import_digest_hex(const struct import_digest *d, char out[2 * SHA256_SIZE + 1], struct err *e)
{
    uint8_t now[SHA256_SIZE];
    struct slice spans[] = { { d->chain, sizeof d->chain }, { d->block, d->n } };
    if (d->failed) return fail(e, E_CRYPTO, NULL, "no digest of the file can be made");
    TRY(digest_sha256_spans(spans, 2, now, e));
    slice_hex(slice_of(now, sizeof now), false, out);
    return OK;
}

enum eim_err import_state_save(struct ctl *c, const char *path, const struct import_state *s, const struct import_digest *d,
                               struct err *e)
{
    char hex[2 * SHA256_SIZE + 1], text[STATE_MAX];
    TRY(import_digest_hex(d, hex, e));
    int n =
        snprintf(text, sizeof text,
                 "{\"eimctl_import\":1,\"server\":\"%s\",\"offset\":%lld,\"line\":%lld,\"digest\":\"%s\",\"enrolled\":%lld,"
                 "\"existing\":%lld,\"refused\":%lld,\"rejected_size\":%lld,\"done\":%s}\n",
                 c->base, (long long)s->offset, (long long)s->line, hex, (long long)s->enrolled, (long long)s->existing,
                 (long long)s->refused, (long long)s->rejected_size, s->done ? "true" : "false");
    char *fresh = arena_printf(&c->page, "%s.new", path);
    if (!fresh || n < 0 || (size_t)n >= sizeof text) return fail(e, E_NOMEM, NULL, "%s: path or URL too long", path);
    if (unlink(fresh) != 0 && errno != ENOENT) return fail(e, E_IO, NULL, "%s: %s", fresh, strerror(errno));
    TRY(file_write_new(fresh, 0600, slice_of(text, (size_t)n), e));
    if (rename(fresh, path) != 0) return fail(e, E_IO, NULL, "%s: %s", path, strerror(errno));
    return OK;
}

static enum eim_err number(const json_t *o, const char *name, int64_t *out, struct err *e)
{
    const json_t *v = json_object_get(o, name);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return fail_field(e, E_MALFORMED, NULL, name, "not a number in the state file");
    *out = json_integer_value(v);
    return OK;
}

/* Read the file's first s->offset octets again: are they what was sent? */
static enum eim_err same_file(int fd, int64_t offset, const char *hex, struct import_digest *d, struct err *e)
{
    uint8_t chunk[65536];
    char now[2 * SHA256_SIZE + 1];
    if (lseek(fd, 0, SEEK_SET) != 0) return fail(e, E_IO, NULL, "cannot read it again: %s", strerror(errno));
    for (int64_t left = offset; left > 0;) {
        ssize_t n = read(fd, chunk, left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(e, E_IO, NULL, "%s", strerror(errno));
        if (n == 0) return fail(e, E_STALE, NULL, "the file is shorter than what was imported from it");
        import_digest_add(d, slice_of(chunk, (size_t)n));
        left -= n;
    }
    TRY(import_digest_hex(d, now, e));
    return strcmp(now, hex) == 0 ? OK : fail(e, E_STALE, NULL, "the part of the file that was imported has changed since");
}

static enum eim_err take_state(struct ctl *c, const json_t *o, struct import_state *s, const char **hex, struct err *e)
{
    const char *server = json_string_value(json_object_get(o, "server"));
    *hex = json_string_value(json_object_get(o, "digest"));
    if (!server || !*hex || json_integer_value(json_object_get(o, "eimctl_import")) != 1)
        return fail(e, E_MALFORMED, NULL, "not a state file of eimctl");
    TRY(number(o, "offset", &s->offset, e));
    TRY(number(o, "line", &s->line, e));
    TRY(number(o, "enrolled", &s->enrolled, e));
    TRY(number(o, "existing", &s->existing, e));
    TRY(number(o, "refused", &s->refused, e));
    TRY(number(o, "rejected_size", &s->rejected_size, e));
    s->done = json_is_true(json_object_get(o, "done"));
    return strcmp(server, c->base) == 0 ? OK : fail(e, E_CONFLICT, NULL, "it was going to another server, %.150s", server);
}

enum eim_err import_state_load(struct ctl *c, const char *path, int fd, struct import_state *s, struct import_digest *d,
                               struct err *e)
{
    uint8_t text[STATE_MAX];
    size_t n;
    json_t *o;
    const char *hex;
    *s = (struct import_state){ .line = 1 };
    *d = (struct import_digest){ 0 };
    TRY(file_read(path, false, text, sizeof text, &n, e));
    TRY(json_read(slice_of(text, n), STATE_MAX, &o, e));
    enum eim_err rc = take_state(c, o, s, &hex, e);
    if (rc == OK) rc = same_file(fd, s->offset, hex, d, e);
    json_decref(o);
    return rc;
}
