/* audit.c -- eimctl audit: the log as a table, as a file that stands alone, and the check of such a file without any server.
 *
 * An export (doc/audit.md) is text, a line each: a header with origin, key, number of the first line and the edge of the tree before it;
 * the exact lines of the log; a trailer with the signed tree head. The check builds the tree anew from the lines, so that a changed,
 * removed, added or reordered one gives another root. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/out.h"
#include "base/file.h"
#include "base/lines.h"
#include "crypto/note.h"
#include "trust/head.h"

enum { LINE_MAX_OCTETS = 64 * 1024, HEAD_FILE_MAX = 16 * 1024, EXPORT_VERSION = 1 };

static void show_audit(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *a;
    json_array_foreach(items, i, a) {
        if (c->json) out_json(a);
        else
            table_row(t,
                      (const char *[]){ out_time(c, a, "at"), out_string(c, a, "principal"), out_string(c, a, "action"),
                                        out_string(c, a, "eid"), out_string(c, a, "operation"), out_string(c, a, "counter"),
                                        out_string(c, a, "state"), out_string(c, a, "detail") });
    }
    if (!c->json) table_print(t);
}

int audit_list(struct ctl *c)
{
    static const char *const head[] = {
        "AT", "PRINCIPAL", "ACTION", "EID", "OPERATION", "COUNTER", "STATE", "DETAIL", NULL
    };
    struct table t;
    if (!table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, "/v1/audit", "", show_audit, &t);
}

static int get_text(struct ctl *c, const char *path)
{
    int status;
    return api_call(c, path, &(struct request){ 0 }, &status);
}

int audit_head(struct ctl *c)
{
    int rc = get_text(c, "/v1/audit/head");
    if (rc != CTL_OK) return rc;
    if (c->json) {
        json_t *o = json_object();
        json_object_set_new(o, "head", json_stringn((const char *)c->reply.p, c->reply.n));
        out_json(o);
        json_decref(o);
    } else {
        fwrite(c->reply.p, 1, c->reply.n, stdout);
    }
    return CTL_OK;
}

/* ---- export ---- */

/* The members of an entry, in the order of the columns of the CSV form. */
static const char *const members[] = { "id", "at", "tenant", "principal", "action", "eid", "operation", "counter", "state", "sha256", "detail" };
enum { NMEMBERS = sizeof members / sizeof members[0] };

static const char *member_text(struct ctl *c, const json_t *o, size_t i)
{
    const char *s = out_string(c, o, members[i]);
    return s ? s : "";
}

static void put_csv(struct ctl *c, const json_t *o, FILE *f)
{
    for (size_t i = 0; i < NMEMBERS; i++) {
        const char *s = member_text(c, o, i);
        fputs(i ? ",\"" : "\"", f);
        if (*s == '=' || *s == '+' || *s == '-' || *s == '@') fputc('\'', f);          /* a spreadsheet must not compute it */
        for (; *s; s++) {
            if (*s == '"') fputc('"', f);
            fputc(*s, f);
        }
        fputc('"', f);
    }
    fputs("\r\n", f);
}

/* ArcSight's Common Event Format: backslash and pipe are escaped in the header, backslash and equal sign in the extension. */
static void put_escaped(FILE *f, const char *s, char special)
{
    for (; *s; s++) {
        if (*s == '\\' || *s == special) fputc('\\', f);
        fputc(*s == '\n' || *s == '\r' ? ' ' : *s, f);
    }
}

static void put_cef(struct ctl *c, const json_t *o, FILE *f)
{
    static const struct { const char *key, *member; } extension[] = {
        { "externalId", "id" }, { "rt", "at" }, { "suser", "principal" }, { "cs1", "eid" }, { "cs2", "operation" }, { "cn1", "counter" },
        { "outcome", "state" }, { "fileHash", "sha256" }, { "msg", "detail" },
    };
    const char *action = out_string(c, o, "action");
    fputs("CEF:0|eimd|eimd|1|", f);
    put_escaped(f, action ? action : "", '|');
    fputs("|", f);
    put_escaped(f, action ? action : "", '|');
    fputs("|3|", f);
    for (size_t i = 0; i < sizeof extension / sizeof extension[0]; i++) {
        const char *s = out_string(c, o, extension[i].member);
        if (!s) continue;
        fprintf(f, "%s=", extension[i].key);
        put_escaped(f, s, '=');
        fputs(strcmp(extension[i].key, "cs1") == 0 ? " cs1Label=eid " : strcmp(extension[i].key, "cs2") == 0 ? " cs2Label=operation " : " ", f);
    }
    fputc('\n', f);
}

struct export {
    FILE *f;
    void (*row)(struct ctl *c, const json_t *o, FILE *f);      /* NULL: the exact lines */
    uint64_t at, end;                  /* the next line; the size under the tree head */
};

static int put_lines(struct ctl *c, struct export *x)
{
    struct slice rest = buf_slice(&c->reply), line;
    uint64_t before = x->at;
    for (; x->at < x->end && slice_line(&rest, &line); x->at++) {
        struct err e = { 0 };
        json_t *o = NULL;
        if (!x->row) {
            fwrite(line.p, 1, line.n, x->f);
            fputc('\n', x->f);
            continue;
        }
        if (json_read(line, LINE_MAX_OCTETS, &o, &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
        x->row(c, o, x->f);
        json_decref(o);
        arena_reset(&c->page);
    }
    return x->at > before ? CTL_OK : ctl_fail(c, CTL_REFUSED, "the server has fewer lines than its tree head says");
}

static int put_body(struct ctl *c, struct export *x)
{
    char path[64];
    while (x->at < x->end) {
        snprintf(path, sizeof path, "/v1/audit/lines/%" PRIu64, x->at);
        int rc = get_text(c, path);
        if (rc == CTL_OK) rc = put_lines(c, x);
        if (rc != CTL_OK) return rc;
        if (ferror(x->f)) return ctl_fail(c, CTL_REFUSED, "the file cannot be written: %s", strerror(errno));
    }
    return CTL_OK;
}

/* A line of the export that is ours; the reference is taken. */
static int put_json(struct ctl *c, struct export *x, json_t *o)
{
    bool written = o && json_dumpf(o, x->f, JSON_COMPACT) == 0 && fputc('\n', x->f) != EOF;
    json_decref(o);
    return written ? CTL_OK : ctl_fail(c, CTL_REFUSED, "the export cannot be written, or the server's answers lack what it needs");
}

/* The head is fetched first: what comes behind it while the lines are fetched is left to the next export. */
static int put_export(struct ctl *c, struct export *x)
{
    json_t *key = NULL, *state = NULL;
    int rc = api_get(c, &key, "/v1/audit/key");
    if (rc == CTL_OK) rc = api_get(c, &state, "/v1/audit/consistency/%" PRIu64, x->at);
    if (rc == CTL_OK) {
        const char *head = json_string_value(json_object_get(state, "head"));
        x->end = (uint64_t)json_integer_value(json_object_get(state, "size"));
        if (!head) rc = ctl_fail(c, CTL_REFUSED, "the server gives no tree head");
    }
    if (rc == CTL_OK && !x->row)
        rc = put_json(c, x, json_pack("{s:i,s:O,s:I,s:O}", "eimd_audit_export", EXPORT_VERSION, "key", json_object_get(key, "key"),
                                      "first", (json_int_t)x->at, "edge", json_object_get(state, "edge")));
    if (rc == CTL_OK) rc = put_body(c, x);
    if (rc == CTL_OK && !x->row) rc = put_json(c, x, json_pack("{s:O}", "head", json_object_get(state, "head")));
    json_decref(key);
    json_decref(state);
    return rc;
}

int audit_export(struct ctl *c)
{
    const char *format = ctl_option(c, "--format");
    struct export x = { 0 };
    int64_t from;
    int rc = ctl_number(c, "--from", 0, INT64_C(999999999999999), 0, &from);
    if (rc != CTL_OK) return rc;
    x.at = (uint64_t)from;
    if (format && strcmp(format, "csv") == 0) x.row = put_csv;
    else if (format && strcmp(format, "cef") == 0) x.row = put_cef;
    else if (format && strcmp(format, "jsonl") != 0) return ctl_fail(c, CTL_USAGE, "--format is jsonl, csv or cef");
    bool out = strcmp(c->pos[0], "-") == 0;
    x.f = out ? stdout : fopen(c->pos[0], "wx");
    if (!x.f) return ctl_fail(c, CTL_REFUSED, "%s: %s", c->pos[0], strerror(errno));
    if (x.row == put_csv) {
        for (size_t i = 0; i < NMEMBERS; i++) fprintf(x.f, "%s%s", i ? "," : "", members[i]);
        fputs("\r\n", x.f);
    }
    rc = put_export(c, &x);
    bool written = fflush(x.f) == 0 && !ferror(x.f);
    if (!out) written = fclose(x.f) == 0 && written;
    if (rc == CTL_OK && !written) rc = ctl_fail(c, CTL_REFUSED, "%s cannot be written", c->pos[0]);
    if (rc != CTL_OK && !out) remove(c->pos[0]);
    else if (rc == CTL_OK && !out && !c->json) printf("wrote lines %" PRId64 " to %" PRIu64 " to %s\n", from, x.end, c->pos[0]);
    return rc;
}

/* ---- verify ---- */

struct audit_check {
    struct merkle_edge edge;           /* of the lines so far */
    const char *key;
    char key_text[512];
    uint64_t first;
    bool since;                        /* an earlier head is to be met on the way */
    uint64_t since_size;
    struct merkle_hash since_root;
    bool met;
};

static bool meets(struct audit_check *v, struct err *e)
{
    struct merkle_hash root;
    if (!v->since || v->met || v->edge.size != v->since_size) return true;
    if (merkle_root(&v->edge, &root, e) != OK) return false;
    v->met = memcmp(root.b, v->since_root.b, MERKLE_HASH) == 0;
    if (!v->met) (void)fail(e, E_MISMATCH, "RFC 9162 2.1.4", "the first %" PRIu64 " lines are not those of the earlier tree head", v->since_size);
    return v->met;
}

static enum eim_err read_header(struct audit_check *v, struct slice line, struct err *e)
{
    json_t *o = NULL, *edge, *h;
    size_t i;
    TRY(json_read(line, LINE_MAX_OCTETS, &o, e));
    const char *key = json_string_value(json_object_get(o, "key"));
    v->first = (uint64_t)json_integer_value(json_object_get(o, "first"));
    v->edge.size = v->first;
    edge = json_object_get(o, "edge");
    bool good = json_integer_value(json_object_get(o, "eimd_audit_export")) == EXPORT_VERSION && key && strlen(key) < sizeof v->key_text &&
                json_array_size(edge) == merkle_edge_count(v->first) && !(v->first >> (MERKLE_LEVELS - 1));
    json_array_foreach(edge, i, h)
        if (good) good = slice_unhex(slice_str(json_string_value(h)), v->edge.h[i].b, MERKLE_HASH) == MERKLE_HASH;
    if (good) snprintf(v->key_text, sizeof v->key_text, "%s", key);
    json_decref(o);
    return good ? OK : fail(e, E_MALFORMED, NULL, "the first line is no header of an export");
}

static enum eim_err read_trailer(const struct audit_check *v, const char *line, struct slice *origin, struct arena *a, struct err *e)
{
    json_t *o = NULL;
    struct slice text;
    struct merkle_hash root, mine;
    uint64_t size;
    TRY(json_read(slice_str(line), LINE_MAX_OCTETS, &o, e));
    char *note = arena_str(a, slice_str(json_string_value(json_object_get(o, "head"))));
    json_decref(o);
    if (!note || !*note) return fail(e, E_MALFORMED, NULL, "the last line is no trailer with a tree head: the export was cut off");
    TRY(note_open(v->key, slice_str(note), &text, e));
    TRY(audit_head_parse(text, origin, &size, &root, e));
    if (size != v->edge.size)
        return fail(e, E_MISMATCH, "RFC 9162 2.1", "the tree head is over %" PRIu64 " lines, the export ends at %" PRIu64, size, v->edge.size);
    TRY(merkle_root(&v->edge, &mine, e));
    bool same = memcmp(root.b, mine.b, MERKLE_HASH) == 0;
    return same ? OK : fail(e, E_MISMATCH, "RFC 9162 2.1", "the lines are not those that were signed: changed, or in another order");
}

static enum eim_err read_since(struct ctl *c, struct audit_check *v, const char *path, struct err *e)
{
    uint8_t *note = arena_alloc(&c->arena, HEAD_FILE_MAX);
    size_t n;
    struct slice text, origin;
    if (!note) return fail(e, E_NOMEM, NULL, "out of memory");
    TRY(file_read(path, false, note, HEAD_FILE_MAX, &n, e));
    TRY(note_open(v->key, slice_of(note, n), &text, e));
    TRY(audit_head_parse(text, &origin, &v->since_size, &v->since_root, e));
    v->since = true;
    if (v->since_size >= v->first) return OK;
    return fail(e, E_INVALID, NULL, "the export begins at line %" PRIu64 ", behind that head's %" PRIu64, v->first, v->since_size);
}

/* All lines: each one is held back until the next is there, because the last is the trailer. */
static enum eim_err read_lines(struct audit_check *v, struct lines *l, char *held, size_t *held_n, struct err *e)
{
    struct slice line;
    while (lines_next(l, &line, e)) {
        if (line.n >= LINE_MAX_OCTETS) return fail(e, E_TOO_LARGE, NULL, "a line has %zu octets", line.n);
        if (*held_n) {
            struct merkle_hash leaf;
            TRY(merkle_leaf(slice_of(held, *held_n), &leaf, e));
            TRY(merkle_append(&v->edge, &leaf, e));
            if (!meets(v, e)) return e->code;
        }
        if (!line.n) return fail(e, E_MALFORMED, NULL, "line %" PRIu64 " is empty", v->edge.size);
        memcpy(held, line.p, line.n);
        *held_n = line.n;
    }
    held[*held_n] = 0;
    if (e->code != OK) return e->code;
    return *held_n ? OK : fail(e, E_MALFORMED, NULL, "the export was cut off: it has no trailer");
}

static enum eim_err verify_file(struct ctl *c, struct audit_check *v, FILE *f, struct slice *origin, struct err *e)
{
    struct lines l;
    char *held = arena_alloc(&c->arena, LINE_MAX_OCTETS + 1);
    size_t held_n = 0;
    struct slice line;
    if (!held) return fail(e, E_NOMEM, NULL, "out of memory");
    TRY(lines_begin(&l, f, &c->arena, e));
    if (!lines_next(&l, &line, e)) return e->code != OK ? e->code : fail(e, E_MALFORMED, NULL, "this is no export: it is empty");
    TRY(read_header(v, line, e));
    if (!v->key) v->key = v->key_text;
    if (ctl_option(c, "--since")) TRY(read_since(c, v, ctl_option(c, "--since"), e));
    if (v->first && !v->since) return fail(e, E_INVALID, NULL, "the export begins at line %" PRIu64 ": an earlier tree head is needed, --since", v->first);
    if (!meets(v, e)) return e->code;
    TRY(read_lines(v, &l, held, &held_n, e));
    TRY(read_trailer(v, held, origin, &c->arena, e));
    if (v->since && !v->met) return fail(e, E_MISMATCH, "RFC 9162 2.1.4", "the export is older than the tree head it should continue");
    return OK;
}

int audit_verify(struct ctl *c)
{
    struct audit_check *v = ARENA_NEW(&c->arena, struct audit_check);
    struct err e = { 0 };
    struct slice origin = { 0 };
    FILE *f = fopen(c->pos[0], "r");
    if (!v || !f) {
        if (f) fclose(f);
        return ctl_fail(c, CTL_REFUSED, "%s: %s", c->pos[0], strerror(errno));
    }
    v->key = ctl_option(c, "--key");
    enum eim_err rc = verify_file(c, v, f, &origin, &e);
    fclose(f);
    if (rc != OK) return ctl_err(c, CTL_REFUSED, &e);
    bool given = ctl_option(c, "--key") != NULL;
    if (c->json) {
        json_t *o = json_pack("{s:b,s:s%,s:I,s:I,s:s,s:b}", "verified", 1, "origin", (const char *)origin.p, origin.n, "first", (json_int_t)v->first,
                              "size", (json_int_t)v->edge.size, "key", v->key, "key_given", given);
        out_json(o);
        json_decref(o);
    } else {
        printf("verified: lines %" PRIu64 " to %" PRIu64 " of %.*s, none changed, missing, added or moved\n", v->first, v->edge.size,
               (int)origin.n, (const char *)origin.p);
        if (v->since) printf("continues the earlier tree head of %" PRIu64 " lines\n", v->since_size);
        printf("signed by %s%s\n", v->key, given ? "" : "\n  (the key that the export itself names: compare it, or give --key)");
    }
    return CTL_OK;
}
