/* rest_import.c -- POST /v1/devices: one device, or a batch as JSON array, JSON lines or CSV, with a report of each line
 * that was not newly enrolled.
 *
 * All forms become one JSON object a line and go through manage_enrolment_from_json, so that there is one set of members
 * and one set of checks. A line that is wrong is refused alone; good lines are enrolled. */
#include "front/rest_int.h"

#include <stdio.h>

enum { COLUMNS_MAX = 64, LINE_MAX_OCTETS = 65536 };

/* One line of the batch under way. Lines that can be read go to manage_enrol as one array; refused ones keep their error. */
struct line {
    long number;                       /* as the sender counts, from 1 */
    json_t *object;                    /* NULL when the line is no object; borrowed by `enrolment` */
    struct enrolment enrolment;
};

struct batch {
    struct rest_call *c;
    struct line *lines;
    size_t n;
};

/* add -- one more line; takes the reference. object NULL: it is refused with `why`. */
static enum eim_err add(struct batch *b, long number, json_t *object, const struct err *why, struct err *e)
{
    if (b->n == ENROL_BATCH_MAX) {
        json_decref(object);
        return fail_field(e, E_TOO_LARGE, NULL, "body", "more than %d lines in a batch", ENROL_BATCH_MAX);
    }
    struct line *l = &b->lines[b->n++];
    *l = (struct line){ .number = number, .object = object };
    struct enrolment *en = &l->enrolment;
    if (!object) {
        en->rc = why->code;
        en->err = *why;
        return OK;
    }
    struct err bad = { 0 };
    enum eim_err rc = manage_enrolment_from_json(object, en, b->c->arena, &bad);
    en->rc = rc;
    en->err = bad;
    return rc == E_NOMEM || rc == E_STORE ? fail(e, rc, NULL, "%s", bad.why) : OK;
}

static enum eim_err not_an_object(struct err *why)
{
    return fail(why, E_INVALID, NULL, "the line is no JSON object");
}

/* ---- the forms ---- */

static enum eim_err read_array(struct batch *b, const json_t *array, struct err *e)
{
    size_t i;
    json_t *v;
    json_array_foreach(array, i, v) {
        struct err why = { 0 };
        if (!json_is_object(v)) (void)not_an_object(&why);
        TRY(add(b, (long)i + 1, json_is_object(v) ? json_incref(v) : NULL, &why, e));
    }
    return OK;
}

static bool blank(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\r') return false;
    return true;
}

static enum eim_err read_jsonl(struct batch *b, struct slice text, struct err *e)
{
    for (long number = 1; text.n; number++) {
        const uint8_t *nl = memchr(text.p, '\n', text.n);
        struct slice line = slice_of(text.p, nl ? (size_t)(nl - text.p) : text.n);
        text = slice_of(text.p + line.n + (nl ? 1 : 0), text.n - line.n - (nl ? 1 : 0));
        if (blank(line)) continue;
        struct err why = { 0 };
        json_t *v = NULL;
        enum eim_err rc = json_read(line, LINE_MAX_OCTETS, &v, &why);
        if (rc == OK && !json_is_object(v)) {
            json_decref(v);
            v = NULL;
            (void)not_an_object(&why);
        }
        TRY(add(b, number, v, &why, e));
    }
    return OK;
}

/* csv_quoted -- the content of a quoted cell; *p stands on its opening quote, and then behind its closing one. */
static enum eim_err csv_quoted(const uint8_t **p, const uint8_t *end, struct arena *a, struct slice *cell, long *lines, struct err *e)
{
    const uint8_t *from = *p + 1, *q = from;
    size_t n = 0;
    for (; q < end && (*q != '"' || (q + 1 < end && q[1] == '"')); q++, n++) q += *q == '"';
    if (q >= end) return fail(e, E_MALFORMED, "RFC 4180 2", "a quoted cell does not end");
    uint8_t *out = arena_alloc(a, n);
    if (!out) return fail(e, E_NOMEM, NULL, "no memory for the import");
    *p = q + 1;
    *cell = slice_of(out, n);
    for (q = from; n > 0; n--) {
        q += *q == '"';
        *lines += *q == '\n';
        *out++ = *q++;
    }
    return OK;
}

/* csv_cell -- the next cell (RFC 4180). *text moves behind it; *last says whether its record ends; *lines counts the line
 * ends inside and after it. */
static enum eim_err csv_cell(struct slice *text, struct arena *a, struct slice *cell, bool *last, long *lines, struct err *e)
{
    const uint8_t *p = text->p, *end = text->p + text->n;
    if (p < end && *p == '"') {
        TRY(csv_quoted(&p, end, a, cell, lines, e));
        if (p < end && *p != ',' && *p != '\n' && !(*p == '\r' && (p + 1 == end || p[1] == '\n')))
            return fail(e, E_MALFORMED, "RFC 4180 2", "something stands behind a quoted cell");
    } else {
        while (p < end && *p != ',' && *p != '\n') p++;
        size_t n = (size_t)(p - text->p);
        if (n && p[-1] == '\r' && (p == end || *p == '\n')) n--;
        *cell = slice_of(text->p, n);
    }
    if (p < end && *p == '\r') p++;
    *last = p == end || *p == '\n';
    *lines += p < end && *p == '\n';
    if (p < end) p++;
    *text = slice_of(p, (size_t)(end - p));
    return OK;
}

static const struct { const char *name; bool number; } columns[] = {
    { "eid", false },                { "public_key", false },        { "eum_certificate", false }, { "euicc_certificate", false },
    { "association_token", true },   { "counter", true },            { "imei", false },
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* put_cell -- one cell into the line's object. False when it is no such value; why says so. */
static bool put_cell(json_t *o, const char *column, bool number, struct slice cell, struct err *why)
{
    if (!cell.n) return true;
    json_t *v = NULL;
    if (number) {
        bool minus = cell.p[0] == '-';
        json_int_t n = 0;
        bool digits = cell.n > minus && cell.n <= 18;
        for (size_t i = minus; digits && i < cell.n; i++) {
            digits = cell.p[i] >= '0' && cell.p[i] <= '9';
            n = n * 10 + (cell.p[i] - '0');
        }
        if (digits) v = json_integer(minus ? -n : n);
    } else {
        v = json_stringn((const char *)cell.p, cell.n);
    }
    if (!v) return fail_field(why, E_INVALID, NULL, column, number ? "this is no number" : "this is not UTF-8") == OK;
    if (strncmp(column, "label.", 6) == 0) {
        json_t *labels = json_object_get(o, "labels");
        if (!labels) json_object_set_new(o, "labels", labels = json_object());
        json_object_set_new(labels, column + 6, v);
    } else {
        json_object_set_new(o, column, v);
    }
    return true;
}

struct header { const char *names[COLUMNS_MAX]; bool number[COLUMNS_MAX]; size_t n; };

static enum eim_err read_header(struct batch *b, struct slice *text, struct header *h, long *lines, struct err *e)
{
    bool last = false;
    if (text->n >= 3 && memcmp(text->p, "\xEF\xBB\xBF", 3) == 0) *text = slice_of(text->p + 3, text->n - 3);
    while (!last) {
        struct slice cell;
        TRY(csv_cell(text, b->c->arena, &cell, &last, lines, e));
        if (h->n == COLUMNS_MAX) return fail_field(e, E_TOO_LARGE, NULL, "header", "more than %d columns", COLUMNS_MAX);
        char *name = arena_str(b->c->arena, cell);
        if (!name) return fail(e, E_NOMEM, NULL, "no memory for the import");
        bool known = strncmp(name, "label.", 6) == 0 && name[6];
        for (size_t i = 0; i < COLUMNS && !known; i++) {
            known = strcmp(name, columns[i].name) == 0;
            h->number[h->n] = known && columns[i].number;
        }
        if (!known || strlen(name) != cell.n)
            return fail_field(e, E_INVALID, NULL, name,
                              "there is no column '%.40s'; columns are the members of an enrolment, and label.NAME", name);
        for (size_t i = 0; i < h->n; i++)
            if (strcmp(h->names[i], name) == 0) return fail_field(e, E_INVALID, NULL, name, "the column '%.40s' comes twice", name);
        h->names[h->n++] = name;
    }
    return OK;
}

static enum eim_err read_csv(struct batch *b, struct slice text, struct err *e)
{
    struct header h = { .n = 0 };
    long lines = 0;
    TRY(read_header(b, &text, &h, &lines, e));
    while (text.n) {
        struct err why = { 0 };
        json_t *o = json_object();
        bool last = false, good = true;
        long number = lines + 1;
        size_t n = 0;
        struct slice cell = { 0 };
        while (!last) {
            enum eim_err rc = csv_cell(&text, b->c->arena, &cell, &last, &lines, e);
            if (rc != OK) {
                json_decref(o);
                return rc;
            }
            if (n < h.n && good) good = put_cell(o, h.names[n], h.number[n], cell, &why);
            n++;
        }
        if (n == 1 && cell.n == 0) {                   /* an empty line */
            json_decref(o);
            continue;
        }
        if (good && n != h.n) good = fail(&why, E_INVALID, "RFC 4180 2", "the line has %zu cells, the header %zu", n, h.n) == OK;
        if (!good) {
            json_decref(o);
            o = NULL;
        }
        TRY(add(b, number, o, &why, e));
    }
    return OK;
}

/* ---- enrol and report ---- */

/* enrol -- hand the readable lines to the eIM, and bring what came of them back to the lines. */
static enum eim_err enrol(struct batch *b, struct err *e)
{
    struct enrolment *v = ARENA_ARRAY(b->c->arena, struct enrolment, b->n);
    size_t n = 0, k = 0;
    if (!v) return fail(e, E_NOMEM, NULL, "no memory for the import");
    for (size_t i = 0; i < b->n; i++)
        if (b->lines[i].enrolment.rc == OK) v[n++] = b->lines[i].enrolment;
    if (n) TRY(manage_enrol(b->c->rest->c.eim, &b->c->who, v, n, b->c->arena, e));
    for (size_t i = 0; i < b->n; i++)
        if (b->lines[i].enrolment.rc == OK) b->lines[i].enrolment = v[k++];
    return OK;
}

static enum eim_err report(struct batch *b, struct err *e)
{
    json_int_t enrolled = 0, existing = 0, refused = 0;
    json_t *items = json_array();
    for (size_t i = 0; i < b->n; i++) {
        const struct line *l = &b->lines[i];
        const struct err *why = &l->enrolment.err;
        if (l->enrolment.rc == OK) { enrolled++; continue; }
        bool exists = l->enrolment.rc == E_CONFLICT;
        *(exists ? &existing : &refused) += 1;
        json_t *o = json_object();
        json_object_set_new(o, "line", json_integer(l->number));
        if (l->enrolment.eid.n) jsonout_text(o, "eid", l->enrolment.eid);
        json_object_set_new(o, "result", json_string(exists ? "existing" : "refused"));
        if (!exists) {
            jsonout_text(o, "code", slice_str(err_name(l->enrolment.rc)));
            if (why->field[0]) jsonout_text(o, "field", slice_str(why->field));
            jsonout_text(o, "reason", slice_str(why->why));
            if (why->clause) jsonout_text(o, "clause", slice_str(why->clause));
        }
        json_array_append_new(items, o);
    }
    return rest_reply_json(b->c, json_pack("{s:I, s:I, s:I, s:o}", "enrolled", enrolled, "existing", existing, "refused", refused,
                                           "lines", items), e);
}

static enum eim_err reply_one(struct batch *b, struct err *e)
{
    const struct enrolment *en = &b->lines[0].enrolment;
    if (en->rc != OK) {
        *e = en->err;
        return fail(e, en->rc, NULL, "the device was refused");
    }
    json_t *o = json_object();
    jsonout_text(o, "eid", en->eid);
    jsonout_text(o, "result", SLICE("enrolled"));
    b->c->status = 201;
    b->c->location = arena_printf(b->c->arena, "/v1/devices/%.*s", (int)en->eid.n, (const char *)en->eid.p);
    return rest_reply_json(b->c, o, e);
}

static enum eim_err read_batch(struct batch *b, bool *one, json_t **root, struct err *e)
{
    struct slice body = b->c->req->body;
    const char *type = b->c->req->content_type;
    if (rest_media_type(type, "text/csv")) return read_csv(b, body, e);
    if (rest_media_type(type, "application/jsonl") || rest_media_type(type, "application/x-ndjson")) return read_jsonl(b, body, e);
    if (!rest_media_type(type, "application/json"))
        return fail_field(e, E_MEDIA_TYPE, NULL, "Content-Type", "application/json, application/jsonl, application/x-ndjson or text/csv is taken here");
    TRY(json_read(body, REST_BODY_MAX, root, e));
    if (json_is_array(*root)) return read_array(b, *root, e);
    if (!json_is_object(*root)) return fail_field(e, E_INVALID, NULL, "body", "an object or an array of objects is taken here");
    *one = true;
    return add(b, 1, json_incref(*root), NULL, e);
}

enum eim_err rest_devices_import(struct rest_call *c, struct err *e)
{
    struct batch b = { .c = c, .lines = ARENA_ARRAY(c->arena, struct line, ENROL_BATCH_MAX) };
    json_t *root = NULL;
    bool one = false;
    if (!b.lines) return fail(e, E_NOMEM, NULL, "no memory for the import");
    enum eim_err rc = read_batch(&b, &one, &root, e);
    if (rc == OK) rc = enrol(&b, e);
    if (rc == OK) rc = one ? reply_one(&b, e) : report(&b, e);
    for (size_t i = 0; i < b.n; i++) json_decref(b.lines[i].object);
    json_decref(root);
    return rc;
}
