/* import.c -- eimctl device import: a file of any size, sent in batches, with a report of refused lines.
 *
 * A batch is finished when its refused lines stand in FILE.rejected and FILE.eimctl-state says so; only then is the next one
 * sent. An import that was interrupted goes on with --resume behind the last finished batch; a batch that was sent but not
 * finished is sent again, and its lines count as existing where the server had taken them. Standard input has neither file:
 * refused lines go to standard error. */
#include "app/eimctl/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/eimctl/api.h"
#include "app/eimctl/out.h"
#include "app/eimctl/records.h"

enum { BATCH_LINES = 1000, BATCH_BYTES = 1024 * 1024 };        /* the server's ceilings (doc/api.md) */

struct import {
    struct ctl *c;
    const char *path;
    char *state_path, *rejected_path;  /* NULL for standard input */
    int fd;
    FILE *rejected;
    bool csv, tty;
    int64_t size;                      /* of the file; 0 when it is not known */
    struct import_digest digest;       /* up to the end of the batch being filled */
    struct import_state state;
    struct records records;
    struct buf batch, body;            /* the records under way; what is sent of them */
    struct slice head;                 /* CSV: the first line, which every body begins with */
    int64_t head_lines;
    size_t n, max;                     /* records in the batch, and most of them */
    struct place {
        size_t at;                     /* offset in the batch */
        int64_t line, lines;           /* where it stands in the file, and how many lines it has */
    } places[BATCH_LINES + 1];         /* one more: the end */
};

static int reject(struct import *m, int64_t line, const char *eid, const char *field, const char *code, const char *reason)
{
    json_t *o = json_pack("{s:I, s:s*, s:s*, s:s, s:s}", "line", (json_int_t)line, "eid", eid, "field", field, "code", code,
                          "reason", reason);
    if (!o) return ctl_fail(m->c, CTL_REFUSED, "out of memory");
    m->state.refused++;
    FILE *f = m->rejected ? m->rejected : stderr;
    json_dumpf(o, f, JSON_COMPACT);
    fputc('\n', f);
    json_decref(o);
    return ferror(f) ? ctl_fail(m->c, CTL_REFUSED, "%s: %s", m->rejected_path, strerror(errno)) : CTL_OK;
}

/* The line of the file that the server's line number means: it counts from 1 at the start of the body. */
static int64_t file_line(const struct import *m, size_t from, size_t to, int64_t in_body)
{
    int64_t at = m->head_lines + 1;
    for (size_t i = from; i < to; i++) {
        if (in_body < at + m->places[i].lines) return m->places[i].line + (in_body > at ? in_body - at : 0);
        at += m->places[i].lines;
    }
    return m->places[to - 1].line;
}

static int take_report(struct import *m, const json_t *report, size_t from, size_t to)
{
    const json_t *lines = json_object_get(report, "lines"), *enrolled = json_object_get(report, "enrolled");
    if (!json_is_integer(enrolled) || !json_is_array(lines))
        return ctl_fail(m->c, CTL_REFUSED, "%s: the server's answer is no import report", m->path);
    m->state.enrolled += json_integer_value(enrolled);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *l = json_array_get(lines, i);
        const char *result = json_string_value(json_object_get(l, "result"));
        if (result && strcmp(result, "existing") == 0) {
            m->state.existing++;
            continue;
        }
        const char *why = json_string_value(json_object_get(l, "reason")),
                   *code = json_string_value(json_object_get(l, "code"));
        int rc = reject(m, file_line(m, from, to, json_integer_value(json_object_get(l, "line"))),
                        json_string_value(json_object_get(l, "eid")), json_string_value(json_object_get(l, "field")),
                        code ? code : "E_INVALID", why ? why : "refused");
        if (rc != CTL_OK) return rc;
    }
    return CTL_OK;
}

static void progress(const struct import *m, bool last)
{
    if (!m->tty) return;
    if (m->size > 0) fprintf(stderr, "\r%3d %%  ", (int)(100 * m->state.offset / m->size));
    else fprintf(stderr, "\r");
    fprintf(stderr, "line %lld: %lld enrolled, %lld there already, %lld refused ", (long long)m->state.line - 1,
            (long long)m->state.enrolled, (long long)m->state.existing, (long long)m->state.refused);
    if (last) fputc('\n', stderr);
}

/* Everything up to the present position is done: say so in the state file. */
static int finish_batch(struct import *m)
{
    struct err e = { 0 };
    m->state.offset = m->records.offset;
    m->state.line = m->records.line;
    if (m->rejected) {
        if (fflush(m->rejected) != 0 || fdatasync(fileno(m->rejected)) != 0)
            return ctl_fail(m->c, CTL_REFUSED, "%s: %s", m->rejected_path, strerror(errno));
        m->state.rejected_size = ftell(m->rejected);
    }
    if (m->state_path && import_state_save(m->c, m->state_path, &m->state, &m->digest, &e) != OK)
        return ctl_err(m->c, CTL_REFUSED, &e);
    progress(m, false);
    return CTL_OK;
}

/* Send records [from, to). A body that the server cannot read as a whole is sent again in halves, so that the line that is
 * to blame is refused alone; depth is the logarithm of BATCH_LINES. */
static int send_records(struct import *m, size_t from, size_t to)
{
    struct ctl *c = m->c;
    struct err e = { 0 };
    json_t *report;
    int status;
    buf_reset(&m->body);
    buf_put(&m->body, m->head);
    buf_put(&m->body, slice_of(m->batch.p + m->places[from].at, m->places[to].at - m->places[from].at));
    if (m->batch.failed || m->body.failed) return ctl_fail(c, CTL_REFUSED, "out of memory");
    struct request r = { .method = "POST", .type = m->csv ? "text/csv" : "application/jsonl", .body = buf_slice(&m->body),
                         .has_body = true, .any_status = true };
    int rc = api_call(c, "/v1/devices", &r, &status);
    if (rc != CTL_OK) return rc;
    if (status == 200) {
        if (json_read(buf_slice(&c->reply), CTL_TEXT_MAX, &report, &e) != OK)
            return ctl_fail(c, CTL_REFUSED, "%s: the server's answer is no JSON: %s", m->path, e.why);
        rc = take_report(m, report, from, to);
        json_decref(report);
        return rc;
    }
    api_problem(c, status, buf_slice(&c->reply), &e);
    if (status == 401 || status == 403 || (e.code != E_MALFORMED && e.code != E_TOO_LARGE))
        return ctl_err(c, CTL_REFUSED, &e);
    if (to - from == 1) return reject(m, m->places[from].line, NULL, *e.field ? e.field : NULL, err_name(e.code), e.why);
    size_t middle = from + (to - from) / 2;
    rc = send_records(m, from, middle);
    return rc == CTL_OK ? send_records(m, middle, to) : rc;
}

static int send_batch(struct import *m)
{
    m->places[m->n].at = m->batch.n;
    int rc = m->n ? send_records(m, 0, m->n) : CTL_OK;
    if (rc == CTL_OK) rc = finish_batch(m);
    buf_reset(&m->batch);
    m->n = 0;
    arena_reset(&m->c->page);
    return rc;
}

static int add_record(struct import *m, const struct record *r)
{
    if (r->blank) return CTL_OK;
    if (r->too_long) return reject(m, r->line, NULL, NULL, "E_TOO_LARGE", "no line end, or no closing quote, within 64 KiB");
    m->places[m->n++] = (struct place){ m->batch.n, r->line, r->lines ? r->lines : 1 };
    buf_put(&m->batch, r->text);
    return CTL_OK;
}

/* A batch is sent as soon as one more record might not fit, so what was read is always what is in it. */
static int send_all(struct import *m)
{
    struct record r;
    for (;;) {
        int rc = CTL_OK, more = records_next(&m->records, &r);
        if (more < 0) return ctl_fail(m->c, CTL_REFUSED, "%s: %s", m->path, strerror(errno));
        if (more) rc = add_record(m, &r);
        else m->state.done = true;
        if (rc == CTL_OK && (!more || m->n == m->max || m->head.n + m->batch.n + RECORD_MAX > BATCH_BYTES))
            rc = send_batch(m);
        if (rc != CTL_OK || !more) return rc;
    }
}

static void seen(void *arg, struct slice bytes)
{
    import_digest_add(arg, bytes);
}

/* FILE.rejected up to what the state says: what came later belongs to a batch that is sent again. */
static int open_rejected(struct import *m)
{
    int fd = open(m->rejected_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, m->state.rejected_size) != 0 || !(m->rejected = fdopen(fd, "w"))) {
        int why = errno;
        if (fd >= 0) close(fd);
        return ctl_fail(m->c, CTL_REFUSED, "%s: %s", m->rejected_path, strerror(why));
    }
    fseek(m->rejected, 0, SEEK_END);
    return CTL_OK;
}

/* Where to begin: at the start, or where the state file says. */
static int find_start(struct import *m, bool resume)
{
    struct err e = { 0 };
    m->state = (struct import_state){ .line = 1 };
    if (!m->state_path) return resume ? ctl_fail(m->c, CTL_USAGE, "--resume: standard input cannot be read again") : CTL_OK;
    enum eim_err rc = import_state_load(m->c, m->state_path, m->fd, &m->state, &m->digest, &e);
    if (rc == OK && resume) return CTL_OK;
    if (rc == OK && !m->state.done)
        return ctl_fail(m->c, CTL_REFUSED,
                        "%s: an import stopped before line %lld; --resume goes on, without %s it begins anew", m->path,
                        (long long)m->state.line, m->state_path);
    bool other = rc != OK && rc != E_NOT_FOUND;
    if (other && resume) return ctl_fail(m->c, CTL_REFUSED, "%s: cannot resume: %s", m->path, e.why);
    if (other && !m->state.done)
        return ctl_fail(m->c, CTL_REFUSED, "%s: an import of it did not end (%s); without %s it begins anew", m->path, e.why,
                        m->state_path);
    m->state = (struct import_state){ .line = 1 };
    m->digest = (struct import_digest){ 0 };
    return lseek(m->fd, 0, SEEK_SET) == 0 ? CTL_OK : ctl_fail(m->c, CTL_REFUSED, "%s: %s", m->path, strerror(errno));
}

/* CSV: the first line goes before every batch, wherever we begin. */
static int read_head(struct import *m)
{
    struct record r;
    struct ctl *c = m->c;
    int64_t offset = m->state.offset, line = m->state.line;
    if (m->csv && !records_open(c, &m->records, m->fd, true, 0, 1)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    if (m->csv && offset == 0) {
        m->records.seen = seen;
        m->records.arg = &m->digest;
    } else if (m->csv && lseek(m->fd, 0, SEEK_SET) != 0) {
        return ctl_fail(c, CTL_REFUSED, "%s: %s", m->path, strerror(errno));
    }
    if (m->csv) {
        if (records_next(&m->records, &r) != 1 || r.too_long || r.blank)
            return ctl_fail(c, CTL_REFUSED, "%s: the first line of a CSV file must name its columns", m->path);
        if (r.text.n >= 3 && memcmp(r.text.p, "\xef\xbb\xbf", 3) == 0) r.text = slice_of(r.text.p + 3, r.text.n - 3);
        m->head = arena_copy(&c->arena, r.text);
        m->head_lines = r.lines;
    }
    if ((!m->csv || offset) && !records_open(c, &m->records, m->fd, m->csv, offset, line))
        return ctl_fail(c, CTL_REFUSED, "%s: cannot go to offset %lld", m->path, (long long)offset);
    m->records.seen = seen;
    m->records.arg = &m->digest;
    buf_init(&m->batch, BATCH_BYTES + RECORD_MAX);
    buf_init(&m->body, BATCH_BYTES + RECORD_MAX);
    return CTL_OK;
}

static int summary(struct import *m)
{
    const struct import_state *s = &m->state;
    progress(m, true);
    if (m->c->json) {
        json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:s*}", "lines", (json_int_t)(s->line - 1), "enrolled",
                              (json_int_t)s->enrolled, "existing", (json_int_t)s->existing, "refused",
                              (json_int_t)s->refused, "rejected_file", s->refused ? m->rejected_path : NULL);
        out_json(o);
        json_decref(o);
    } else {
        printf("%lld enrolled, %lld there already, %lld refused", (long long)s->enrolled, (long long)s->existing,
               (long long)s->refused);
        if (s->refused && m->rejected_path) printf(": see %s", m->rejected_path);
        putchar('\n');
    }
    if (!s->refused && m->rejected_path) unlink(m->rejected_path);
    return s->refused ? CTL_REFUSED : CTL_OK;
}

static int import_file(struct import *m)
{
    struct ctl *c = m->c;
    int64_t max;
    int rc = ctl_number(c, "--batch", 1, BATCH_LINES, BATCH_LINES, &max);
    m->max = (size_t)max;
    if (rc == CTL_OK) rc = api_open(c);
    if (rc == CTL_OK) rc = find_start(m, ctl_flag(c, "--resume"));
    if (rc != CTL_OK) return rc;
    if (m->state.done) return summary(m);
    if (m->rejected_path) rc = open_rejected(m);
    if (rc == CTL_OK) rc = read_head(m);
    if (rc == CTL_OK) rc = send_all(m);
    if (rc == CTL_OK) return summary(m);
    progress(m, true);
    if (m->state_path && m->state.offset)
        fprintf(stderr, "eimctl: stopped before line %lld; device import %s --resume goes on from there\n",
                (long long)m->state.line, m->path);
    return rc;
}

int device_import(struct ctl *c)
{
    struct import m = { 0 };
    const char *path = c->pos[0], *dot = strrchr(path, '.');
    bool in = strcmp(path, "-") == 0;
    struct stat st;
    m.c = c;
    m.path = in ? "standard input" : path;
    m.csv = dot && strcmp(dot, ".csv") == 0;
    m.tty = isatty(STDERR_FILENO) && !c->json;
    if (!in && !m.csv && !(dot && (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0)))
        return ctl_fail(c, CTL_USAGE, "%s: the name must end in .csv or .jsonl", path);
    m.fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (m.fd < 0 || fstat(m.fd, &st) != 0) return ctl_fail(c, CTL_REFUSED, "%s: %s", path, strerror(errno));
    bool regular = !in && S_ISREG(st.st_mode);
    m.size = regular ? st.st_size : 0;
    if (regular) {
        m.state_path = arena_printf(&c->arena, "%s.eimctl-state", path);
        m.rejected_path = arena_printf(&c->arena, "%s.rejected", path);
    }
    int rc = regular && !(m.state_path && m.rejected_path) ? ctl_fail(c, CTL_REFUSED, "out of memory") : import_file(&m);
    buf_free(&m.batch);
    buf_free(&m.body);
    if (m.rejected && fclose(m.rejected) != 0 && rc == CTL_OK)
        rc = ctl_fail(c, CTL_REFUSED, "%s: cannot be written", m.rejected_path);
    if (!in) close(m.fd);
    return rc;
}
