/* fleet.c -- eimctl fleet: the whole inventory as a signed file (doc/inventory.md): written, checked, taken in.
 *
 * The file holds pages; each begins with a line that holds its signed note, and its devices follow, a line each. Checking reads the file once
 * and keeps one note: an export of any size is checked in little memory. */
#include <errno.h>
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"
#include "base/lines.h"
#include "trust/inventory.h"

enum { EXPORT_VERSION = 1, PAGE = 500, LINES_MOST = 64 << 20 };

/* ---- export ---- */

static int put_page(struct ctl *c, FILE *f, const json_t *page, char previous[2 * SHA256_SIZE + 1], size_t *devices)
{
    const char *note = json_string_value(json_object_get(page, "note"));
    const json_t *lines = json_object_get(page, "lines");
    uint8_t digest[SHA256_SIZE];
    struct err e = { 0 };
    if (!note || !json_is_string(lines)) return ctl_fail(c, CTL_REFUSED, "the server gives no page of an export");
    if (digest_sha256(slice_str(note), digest, &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    slice_hex(slice_of(digest, sizeof digest), false, previous);
    json_t *head = json_pack("{s:i,s:s}", "eimd_inventory", EXPORT_VERSION, "note", note);
    bool written = head && json_dumpf(head, f, JSON_COMPACT) == 0 && fputc('\n', f) != EOF;
    json_decref(head);
    size_t n = json_string_length(lines);
    written = written && fwrite(json_string_value(lines), 1, n, f) == n;
    for (const char *p = json_string_value(lines); (p = strchr(p, '\n')); p++) ++*devices;
    return written ? CTL_OK : ctl_fail(c, CTL_REFUSED, "the file cannot be written: %s", strerror(errno));
}

static int put_all(struct ctl *c, FILE *f, size_t *devices)
{
    char cursor[64] = "", previous[2 * SHA256_SIZE + 1] = "";
    for (bool more = true; more;) {
        json_t *page, *body = json_object();
        if (*previous) json_object_set_new(body, "previous", json_string(previous));
        int rc = api_post_json(c, body, &page, "/v1/inventory-export?limit=%d%s%s", PAGE, *cursor ? "&cursor=" : "", cursor);
        if (rc != CTL_OK) return rc;
        rc = put_page(c, f, page, previous, devices);
        const char *next = json_string_value(json_object_get(page, "next"));
        more = next && strlen(next) < sizeof cursor;
        if (more) snprintf(cursor, sizeof cursor, "%s", next);
        json_decref(page);
        arena_reset(&c->page);
        if (rc != CTL_OK) return rc;
    }
    return CTL_OK;
}

int fleet_export(struct ctl *c)
{
    size_t devices = 0;
    FILE *f = fopen(c->pos[0], "wx");
    if (!f) return ctl_fail(c, CTL_REFUSED, "%s: %s", c->pos[0], strerror(errno));
    int rc = put_all(c, f, &devices);
    bool written = fclose(f) == 0;
    if (rc == CTL_OK && !written) rc = ctl_fail(c, CTL_REFUSED, "%s cannot be written: %s", c->pos[0], strerror(errno));
    if (rc != CTL_OK) remove(c->pos[0]);
    else printf(c->json ? "{\"devices\":%zu}\n" : "wrote %zu devices\n", devices);
    return rc;
}

/* ---- check ---- */

struct check {
    struct ctl *c;
    const char *key;
    FILE *out;                         /* enrolments go here; NULL: only check */
    const char *eim_id;                /* whose tokens and counters they have */
    struct buf note;                   /* of the page being read, and what it says */
    struct inventory_note page;
    bool begun;
    struct buf lines;                  /* of the page being read */
    int64_t n;                         /* lines in it */
    int64_t devices, pages, ours;      /* ours: lines with an association of eim_id */
};

static void copy(json_t *to, const json_t *from, const char *name, const char *as)
{
    json_t *v = json_object_get(from, name);
    if (v && !json_is_null(v)) json_object_set(to, as, v);
}

/* One device as POST /v1/devices takes it. What is ours on its card: the token that the eIM before us drew for us, or, when this is the same
 * eIM at another place, its own. */
static enum eim_err put_enrolment(struct check *k, struct slice line, struct err *e)
{
    json_t *o, *en = json_object(), *one;
    size_t i;
    TRY(json_read(line, LINES_ROOM, &o, e));
    const char *verification = json_string_value(json_object_get(o, "verification"));
    const json_t *own = json_object_get(o, "association");
    const char *was = json_string_value(json_object_get(own, "eim_id"));
    copy(en, o, "eid", "eid");
    copy(en, o, "labels", "labels");
    copy(en, o, "eum_certificate", "eum_certificate");
    copy(en, o, "euicc_certificate", "euicc_certificate");
    if (verification && !strcmp(verification, "pinned")) copy(en, o, "public_key", "public_key");
    if (was && !strcmp(was, k->eim_id)) {
        copy(en, own, "association_token", "association_token");
        copy(en, own, "counter", "counter");
        k->ours++;
    } else
        json_array_foreach(json_object_get(o, "eims"), i, one) {
            const char *id = json_string_value(json_object_get(one, "eim_id"));
            if (!id || strcmp(id, k->eim_id)) continue;
            copy(en, one, "association_token", "association_token");
            k->ours++;
        }
    bool written = json_dumpf(en, k->out, JSON_COMPACT) == 0 && fputc('\n', k->out) != EOF;
    json_decref(en);
    json_decref(o);
    return written ? OK : fail(e, E_IO, NULL, "the enrolments cannot be written: %s", strerror(errno));
}

/* The page just read is whole: its lines are those that were signed. */
static enum eim_err page_ends(struct check *k, struct err *e)
{
    uint8_t digest[SHA256_SIZE];
    struct slice rest = buf_slice(&k->lines), line;
    if (k->lines.failed) return fail(e, E_TOO_LARGE, NULL, "page %lld is larger than %d octets", (long long)k->pages, LINES_MOST);
    TRY(digest_sha256(rest, digest, e));
    if (k->n != k->page.devices || memcmp(digest, k->page.lines, sizeof digest))
        return fail(e, E_MISMATCH, NULL, "the devices of page %lld are not those that were signed: changed, added or left out", (long long)k->pages);
    while (k->out && slice_line(&rest, &line)) TRY(put_enrolment(k, line, e));
    k->devices += k->n;
    buf_reset(&k->lines);
    k->n = 0;
    return OK;
}

static enum eim_err page_begins(struct check *k, const char *note, struct err *e)
{
    struct inventory_note n;
    struct slice before = buf_slice(&k->note);
    if (k->begun) TRY(page_ends(k, e));
    TRY(inventory_note_open(k->key, slice_str(note), &n, e));
    TRY(inventory_note_follows(k->begun ? &k->page : NULL, before, &n, e));
    buf_reset(&k->note);
    buf_str(&k->note, note);
    if (k->note.failed) return fail(e, E_TOO_LARGE, NULL, "a note is too long");
    k->begun = true;
    k->pages++;
    return inventory_note_open(k->key, buf_slice(&k->note), &k->page, e);      /* its origin lies in our copy */
}

static enum eim_err take(struct check *k, struct slice line, struct err *e)
{
    static const char head[] = "{\"eimd_inventory\":";
    if (line.n < sizeof head - 1 || memcmp(line.p, head, sizeof head - 1)) {
        if (!k->begun) return fail(e, E_MALFORMED, NULL, "this is no inventory export");
        buf_put(&k->lines, line);
        buf_str(&k->lines, "\n");
        k->n++;
        return OK;
    }
    json_t *o;
    TRY(json_read(line, LINES_ROOM, &o, e));
    const char *note = json_string_value(json_object_get(o, "note"));
    bool good = json_integer_value(json_object_get(o, "eimd_inventory")) == EXPORT_VERSION && note;
    enum eim_err rc = good ? page_begins(k, note, e) : fail(e, E_MALFORMED, NULL, "a page of an export that this program does not know");
    json_decref(o);
    return rc;
}

static enum eim_err check_lines(struct check *k, FILE *f, struct err *e)
{
    struct lines l;
    struct slice line;
    TRY(lines_begin(&l, f, &k->c->arena, e));
    while (lines_next(&l, &line, e)) TRY(take(k, line, e));
    if (e->code != OK) return e->code;
    if (!k->begun) return fail(e, E_MALFORMED, NULL, "this is no inventory export: it is empty");
    TRY(page_ends(k, e));
    return strcmp(k->page.to, "end") ? fail(e, E_MISMATCH, NULL, "the export was cut off behind page %lld", (long long)k->pages) : OK;
}

static int check_file(struct check *k, const char *path)
{
    struct err e = { 0 };
    FILE *f = fopen(path, "r");
    if (!f) return ctl_fail(k->c, CTL_REFUSED, "%s: %s", path, strerror(errno));
    buf_init(&k->note, NOTE_MAX);
    buf_init(&k->lines, LINES_MOST);
    enum eim_err rc = check_lines(k, f, &e);
    fclose(f);
    buf_free(&k->lines);
    return rc == OK ? CTL_OK : ctl_err(k->c, CTL_REFUSED, &e);
}

/* The key that the pages must be signed by: the file cannot name it itself. */
static int need_key(struct ctl *c, struct check *k)
{
    *k = (struct check){ .c = c, .key = ctl_option(c, "--key") };
    return k->key ? CTL_OK
                  : ctl_fail(c, CTL_USAGE, "--key is needed: the log key of the eIM that made the export (eimctl audit export names it, GET /v1/audit/key)");
}

int fleet_verify(struct ctl *c)
{
    struct check k;
    int rc = need_key(c, &k);
    if (rc == CTL_OK) rc = check_file(&k, c->pos[0]);
    if (rc == CTL_OK && c->json)
        printf("{\"verified\":true,\"devices\":%lld,\"pages\":%lld}\n", (long long)k.devices, (long long)k.pages);
    else if (rc == CTL_OK)
        printf("verified: %lld devices on %lld pages of %.*s, the last made at %s; none changed, missing or added\n", (long long)k.devices,
               (long long)k.pages, (int)k.page.origin.n, (const char *)k.page.origin.p, k.page.at);
    buf_free(&k.note);
    return rc;
}

/* All of the file is checked before a device is enrolled; what is sent lies beside it, so that --resume goes on as with any import. */
int fleet_import(struct ctl *c)
{
    struct check k;
    json_t *config = NULL;
    int rc = need_key(c, &k);
    if (rc == CTL_OK) rc = api_get(c, &config, "/v1/eim/configuration");
    if (rc != CTL_OK) return rc;
    k.eim_id = json_string_value(json_object_get(config, "eim_id"));
    char *path = arena_printf(&c->arena, "%s.devices.jsonl", c->pos[0]);
    if (k.eim_id && path) k.out = fopen(path, "w");
    if (!k.out) rc = ctl_fail(c, CTL_REFUSED, "%s: %s", path ? path : "", strerror(errno));
    if (rc == CTL_OK) rc = check_file(&k, c->pos[0]);
    if (k.out && fclose(k.out) != 0 && rc == CTL_OK) rc = ctl_fail(c, CTL_REFUSED, "%s cannot be written: %s", path, strerror(errno));
    if (rc == CTL_OK) {
        if (!c->json)
            printf("verified: %lld devices; on the cards of %lld this eIM is known to be\n", (long long)k.devices, (long long)k.ours);
        c->pos[0] = path;
        rc = device_import(c);
    } else if (k.out)
        remove(path);
    json_decref(config);
    buf_free(&k.note);
    return rc;
}
