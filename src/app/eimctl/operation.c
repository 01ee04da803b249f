/* operation.c -- eimctl operation create, list, show, cancel, package, result, wait; eimctl inventory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "app/eimctl/api.h"
#include "app/eimctl/order.h"
#include "app/eimctl/out.h"
#include "app/eimctl/records.h"

/* What was asked of the step beside its name: all members but those that have columns of their own. */
static const char *step_args(struct ctl *c, json_t *step)
{
    static const char *const shown[] = { "op", "outcome", "code", "result" };
    const char *name, *text = NULL;
    json_t *value;
    json_object_foreach(step, name, value) {
        bool skip = json_is_null(value) || json_is_false(value);
        for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) skip = skip || strcmp(name, shown[i]) == 0;
        if (skip) continue;
        const char *v = json_is_true(value) ? NULL : json_string_value(value);
        if (!v && !json_is_true(value)) {
            size_t n = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
            char *dump = arena_alloc(&c->page, n + 1);
            if (dump) json_dumpb(value, dump, n, JSON_COMPACT | JSON_ENCODE_ANY);
            v = dump;
        }
        text = arena_printf(&c->page, "%s%s%s%s%s", text ? text : "", text ? " " : "", name, v ? "=" : "", v ? v : "");
    }
    return text;
}

static void show_steps(struct ctl *c, const json_t *op)
{
    static const char *const head[] = { "STEP", "OPERATION", "ARGUMENTS", "OUTCOME", "CODE", NULL };
    const json_t *steps = out_member(op, "steps");
    struct table t;
    if (!json_array_size(steps) || !table_init(&t, c, json_array_size(steps), head)) return;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *s = json_array_get(steps, i);
        table_row(&t, (const char *[]){ arena_printf(&c->page, "%zu", i + 1), out_string(c, s, "op"), step_args(c, s),
                                        out_string(c, s, "outcome"), out_string(c, s, "code") });
    }
    putchar('\n');
    table_print(&t);
}

static const char *bytes_text(struct ctl *c, const json_t *op, const char *member)
{
    const json_t *b = out_member(op, member);
    const char *n = out_string(c, b, "bytes"), *digest = out_string(c, b, "sha256");
    return n && digest ? arena_printf(&c->page, "%s bytes, sha256 %s", n, digest) : NULL;
}

static void show_operation(struct ctl *c, const json_t *o)
{
    static const struct { const char *name, *path; bool time; } facts[] = {
        { "operation", "id", false }, { "EID", "eid", false }, { "state", "state", false }, { "reason", "reason", false },
        { "origin", "origin", false }, { "settles", "settles", false }, { "created", "created_at", true },
        { "by", "created_by", false }, { "expires", "expires_at", true }, { "counter", "counter", false },
        { "transaction id", "transaction_id", false }, { "deliveries", "deliveries", false },
        { "first sent", "first_sent_at", true }, { "last sent", "last_sent_at", true }, { "result at", "result_at", true },
        { "sequence number", "sequence", false },
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        out_fact(facts[i].name, facts[i].time ? out_time(c, o, facts[i].path) : out_string(c, o, facts[i].path));
    out_fact("signed package", bytes_text(c, o, "package"));
    out_fact("signed result", bytes_text(c, o, "result"));
    show_steps(c, o);
}

/* Print an operation that was just made or changed: short for people. */
static int print_new(struct ctl *c, json_t *o, const char *what)
{
    if (c->json) out_json(o);
    else printf("%s %s %s\n", what, out_string(c, o, "id"), out_string(c, o, "state"));
    json_decref(o);
    return CTL_OK;
}

/* ---- orders from a file ---- */

struct orders {
    struct ctl *c;
    const char *path;
    int64_t created, refused;
    bool tty;
};

/* Send one order; o loses its member eid. CTL_OK with e->why filled when the server refuses it. */
static int send_order(struct orders *m, json_t *o, struct err *e)
{
    struct ctl *c = m->c;
    const char *eid = json_string_value(json_object_get(o, "eid"));
    if (!eid) return fail(e, E_INVALID, NULL, "not an object with the member eid"), CTL_OK;
    char *path = arena_printf(&c->page, "/v1/devices/%s/operations", api_escape(c, eid));
    json_object_del(o, "eid");
    size_t n = json_dumpb(o, NULL, 0, JSON_COMPACT);
    char *text = arena_alloc(&c->page, n + 1);
    if (!path || !text) return ctl_fail(c, CTL_REFUSED, "out of memory");
    json_dumpb(o, text, n, JSON_COMPACT);
    int status;
    struct request q = { .method = "POST", .body = slice_of(text, n), .has_body = true, .any_status = true };
    int rc = api_call(c, path, &q, &status);
    if (rc != CTL_OK || status == 201) return rc;
    api_problem(c, status, buf_slice(&c->reply), e);
    return status == 503 || status == 401 ? CTL_REFUSED : CTL_OK;
}

/* One line: {"eid":"...","psmos":[...],...}. CTL_OK also when it is refused: that is said and counted. */
static int order_line(struct orders *m, const struct record *r)
{
    struct ctl *c = m->c;
    struct err e = { 0 };
    json_t *o = NULL, *made;
    int rc = CTL_OK;
    if (r->too_long) (void)fail(&e, E_TOO_LARGE, NULL, "a line of more than %d octets", RECORD_MAX);
    else if (json_read(r->text, RECORD_MAX, &o, &e) == OK) rc = send_order(m, o, &e);
    json_decref(o);
    if (e.code) {
        m->refused++;
        ctl_fail(c, CTL_REFUSED, "%s:%lld: %s%s%s", m->path, (long long)r->line, e.field, *e.field ? ": " : "", e.why);
    } else if (rc == CTL_OK) {
        m->created++;
        if (c->json && json_read(buf_slice(&c->reply), CTL_TEXT_MAX, &made, &e) == OK) {
            out_json(made);
            json_decref(made);
        }
    }
    return rc;
}

static int create_from_file(struct ctl *c, const char *path)
{
    bool in = strcmp(path, "-") == 0;
    struct orders m = { .c = c, .path = in ? "standard input" : path, .tty = isatty(STDERR_FILENO) && !c->json };
    struct records records;
    struct record r;
    int more = 1, rc = CTL_OK, fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ctl_fail(c, CTL_REFUSED, "%s: neither an EID of 32 digits nor a file of orders: %s", path, strerror(errno));
    if (!records_open(c, &records, fd, false, 0, 1)) rc = ctl_fail(c, CTL_REFUSED, "out of memory");
    while (rc == CTL_OK && (more = records_next(&records, &r)) == 1) {
        if (!r.blank) rc = order_line(&m, &r);
        arena_reset(&c->page);
        if (m.tty && (m.created + m.refused) % 50 == 0)
            fprintf(stderr, "\r%lld created, %lld refused ", (long long)m.created, (long long)m.refused);
    }
    if (more < 0) rc = ctl_fail(c, CTL_REFUSED, "%s: %s", m.path, strerror(errno));
    if (m.tty) fputc('\r', stderr);
    if (!c->json) printf("%lld created, %lld refused\n", (long long)m.created, (long long)m.refused);
    if (rc != CTL_OK) fprintf(stderr, "eimctl: stopped at line %lld of %s\n", (long long)r.line, m.path);
    if (!in) close(fd);
    return rc == CTL_OK && m.refused ? CTL_REFUSED : rc;
}

int operation_create(struct ctl *c)
{
    json_t *order, *made;
    const char *eid = c->pos[0];
    if (strlen(eid) != 32 || strspn(eid, "0123456789") != 32) {
        if (c->nopt)
            return ctl_fail(c, CTL_USAGE, "%s: options go with an EID of 32 digits; a file holds whole orders", eid);
        return create_from_file(c, eid);
    }
    int rc = order_from_options(c, &order);
    if (rc == CTL_OK) rc = api_post_json(c, order, &made, "/v1/devices/%s/operations", eid);
    return rc == CTL_OK ? print_new(c, made, "created") : rc;
}

static void show_operations(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        if (c->json) out_json(o);
        else
            table_row(t, (const char *[]){ out_string(c, o, "id"), out_string(c, o, "eid"), out_string(c, o, "state"),
                                           out_string(c, o, "origin"), out_time(c, o, "created_at"),
                                           out_string(c, o, "counter"), out_time(c, o, "result_at"),
                                           out_string(c, o, "reason") });
    }
    if (!c->json) table_print(t);
}

int operation_list(struct ctl *c)
{
    static const char *const head[] = { "OPERATION", "EID",       "STATE",  "ORIGIN", "CREATED",
                                        "COUNTER",   "RESULT AT", "REASON", NULL };
    const char *device = ctl_option(c, "--device"), *state = ctl_option(c, "--state");
    struct table t;
    if (device && state) return ctl_fail(c, CTL_USAGE, "operation list: either --device or --state");
    char *path = device ? arena_printf(&c->arena, "/v1/devices/%s/operations", api_escape(c, device))
                        : arena_printf(&c->arena, "/v1/operations");
    char *query = state ? arena_printf(&c->arena, "state=%s", api_escape(c, state)) : arena_printf(&c->arena, "%s", "");
    if (!path || !query || !table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, path, query, show_operations, &t);
}

int operation_show(struct ctl *c)
{
    json_t *o;
    int rc = api_get(c, &o, "/v1/operations/%s", api_escape(c, c->pos[0]));
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else show_operation(c, o);
    json_decref(o);
    return CTL_OK;
}

int operation_cancel(struct ctl *c)
{
    json_t *o;
    int rc = api_post_json(c, NULL, &o, "/v1/operations/%s/cancel", api_escape(c, c->pos[0]));
    return rc == CTL_OK ? print_new(c, o, "operation") : rc;
}

int inventory(struct ctl *c)
{
    json_t *o;
    int rc = api_post_json(c, NULL, &o, "/v1/devices/%s/inventory", api_escape(c, c->pos[0]));
    return rc == CTL_OK ? print_new(c, o, "created") : rc;
}

/* Exact bytes: as they are into a file or pipe, in hex onto a terminal. */
static int print_bytes(struct ctl *c, const char *what)
{
    int status;
    char *path = arena_printf(&c->page, "/v1/operations/%s/%s", api_escape(c, c->pos[0]), what);
    if (!path) return ctl_fail(c, CTL_REFUSED, "out of memory");
    int rc = api_call(c, path, &(struct request){ 0 }, &status);
    if (rc != CTL_OK) return rc;
    if (!c->json && !isatty(STDOUT_FILENO)) {
        fwrite(c->reply.p, 1, c->reply.n, stdout);
        return CTL_OK;
    }
    char *hex = arena_alloc(&c->page, 2 * c->reply.n + 1);
    if (!hex) return ctl_fail(c, CTL_REFUSED, "out of memory");
    slice_hex(buf_slice(&c->reply), false, hex);
    if (c->json) printf("{\"%s\":\"%s\"}\n", what, hex);
    else printf("%s\n", hex);
    return CTL_OK;
}

int operation_package(struct ctl *c)
{
    return print_bytes(c, "package");
}

int operation_result(struct ctl *c)
{
    return print_bytes(c, "result");
}

int operation_wait(struct ctl *c)
{
    int64_t seconds;
    int rc = ctl_number(c, "--timeout", 0, 30 * 86400, 600, &seconds);
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (long ms = 100; rc == CTL_OK; ms = ms < 1000 ? ms + 100 : 1000) {
        json_t *o;
        rc = api_get(c, &o, "/v1/operations/%s", api_escape(c, c->pos[0]));
        if (rc != CTL_OK) return rc;
        const char *state = out_string(c, o, "state");
        bool done = state && strcmp(state, "done") == 0;
        clock_gettime(CLOCK_MONOTONIC, &now);
        bool final = json_is_true(out_member(o, "final")), late = now.tv_sec - begun.tv_sec >= seconds;
        if (final && c->json) out_json(o);
        else if (final) show_operation(c, o);
        else if (late)
            rc = ctl_fail(c, CTL_REFUSED, "%s is still %s after %lld seconds", c->pos[0], state ? state : "?",
                          (long long)seconds);
        json_decref(o);
        if (final) return done ? CTL_OK : CTL_REFUSED;
        if (late) return rc;
        arena_reset(&c->page);
        nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
    }
    return rc;
}
