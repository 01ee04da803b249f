/* test_rest.c -- the API door over a real eIM and a real store (SQLite, written inline), under a virtual clock. */
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"

#include "base/env.h"
#include "base/json.h"
#include "crypto/cert.h"
#include "crypto/signer.h"
#include "eim/eim.h"
#include "front/rest.h"
#include "store/store.h"
#include "trust/log.h"
#include "trust/identity.h"

#include <string.h>
#include <sys/stat.h>

static const int64_t START = 1795390000000000;

struct fixture {
    struct env_virtual env;
    struct host host;
    struct eim *eim;
    struct arena arena;                /* of the fixture */
    struct arena call;                 /* of one request: reset by each */
    struct note_signer *notes;
    struct audit_log audit;
    struct rest rest;
    char *authorization;
    bool draining;
    struct http_reply reply;
    json_t *json;                      /* the reply's body, when it is JSON */
};

static enum eim_err put_identity(struct tx *t, struct store_job *job, struct err *e)
{
    (void)job;
    struct identity id = { .id = 1, .tenant = 1, .eim_id = SLICE("eim.test"), .eim_id_type = 2, .fqdn = SLICE("eim.test"),
                           .signing_key = SLICE("eim"), .association_key = { 1, 2, 3 } };
    return store_identity_put(t, &id, e);
}

static enum eim_err ready(void *arg, struct err *e)
{
    return ((struct fixture *)arg)->draining ? fail(e, E_BUSY, NULL, "draining") : OK;
}

static void metrics(void *arg, struct buf *out)
{
    (void)arg;
    buf_str(out, "eimd_test_total 1\n");
}

static enum eim_err tls_anchor(void *arg, struct slice *der, struct arena *a, struct err *e)
{
    (void)arg, (void)a, (void)e;
    *der = (struct slice){ 0 };
    return OK;
}

static int setup(void **state)
{
    static struct fixture f;
    static char url[200], keys[200];
    static const char *const listed[] = { "192.0.2.1", "::1" };
    struct err e = { 0 };
    const char *dir = tmp_make();
    f = (struct fixture){ .host.env = &f.env.env };
    env_virtual(&f.env, START, 11);
    arena_init(&f.arena, 1 << 20);
    arena_init(&f.call, REST_ARENA);
    snprintf(url, sizeof url, "sqlite:%s", tmp_path(dir, "eimd.db"));
    snprintf(keys, sizeof keys, "%s", tmp_path(dir, "keys"));
    assert_int_equal(mkdir(keys, 0700), 0);
    assert_ok(signer_generate(tmp_path(keys, "eim.pem"), CURVE_P256, &e));
    assert_ok(signer_open_dir(&f.host.signer, keys, &e));
    struct store_options o = { .url = url, .inline_writes = true };
    assert_ok(store_open(&f.host.store, &o, &e));
    struct store_job job = { .apply = put_identity };
    assert_ok(store_run(f.host.store, &job, &e));
    struct cert_trust *trust;
    assert_ok(cert_trust_from(&trust, NULL, 0, &e));
    assert_ok(eim_open(&f.eim, &f.host, &eim_settings_default, trust, &e));
    char *token;
    assert_ok(identity_token_create(&f.host, "admin", &token, &f.arena, &e));
    f.authorization = arena_printf(&f.arena, "Bearer %s", token);
    assert_ok(note_signer_open(&f.notes, tmp_path(dir, "log.pem"), "eim.test", &e));
    f.audit = (struct audit_log){ .host = &f.host, .signer = f.notes, .name = "eim.test" };
    rest_init(&f.rest, &(struct rest_config){ .host = &f.host, .eim = f.eim, .audit = &f.audit, .metrics_from = listed, .n_metrics_from = 2, .arg = &f,
                                              .ready = ready, .metrics = metrics, .tls_anchor = tls_anchor });
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    json_decref(f->json);
    eim_close(f->eim);
    note_signer_free(f->notes);
    store_close(f->host.store);
    signer_close(f->host.signer);
    arena_free(&f->call);
    arena_free(&f->arena);
    return 0;
}

/* keeps_its_promise -- the members of every object that the form names, and no others: what is answered is what is written down. */
static void keeps_its_promise(struct fixture *f, const struct http_request *req)
{
    struct err e = { 0 };
    const struct rest_route *row = rest_route_of(req->method, req->path);
    if (!row || f->reply.status >= 300 || !schema_known(rest_schemas(), row->reply)) return;
    if (row->status) assert_int_equal(f->reply.status, row->status);
    if (!*row->reply || f->reply.status != rest_row_status(row) || !f->json || rest_reply_media(row->reply)) return;
    if (schema_check(rest_schemas(), row->reply, f->json, &f->call, &e) != OK)
        fail_msg("%s %s answers what is no %s: %s %s", req->method, row->path, row->reply, e.field, e.why);
}

/* call_raw -- one request; the reply stays in f->reply until the next one, its JSON in f->json. */
static int call_raw(struct fixture *f, const struct http_request *req)
{
    struct err e = { 0 };
    json_decref(f->json);
    f->json = NULL;
    arena_reset(&f->call);
    rest_answer(&f->rest, req, &f->call, &f->reply);
    if (f->reply.content_type && strstr(f->reply.content_type, "json") && f->reply.body.n)
        assert_ok(json_read(f->reply.body, 64 << 20, &f->json, &e));
    keeps_its_promise(f, req);
    return f->reply.status;
}

static struct http_request request(struct fixture *f, const char *method, const char *target, const char *type, struct slice body)
{
    const char *query = strchr(target, '?');
    char *path = arena_str(&f->arena, slice_of(target, query ? (size_t)(query - target) : strlen(target)));
    return (struct http_request){ .method = method, .path = path, .query = query ? query + 1 : "", .host = "eim.test",
                                  .content_type = type, .authorization = f->authorization, .body = body, .peer = "192.0.2.9:1234",
                                  .tls = true };
}

static int call(struct fixture *f, const char *method, const char *target, const char *body)
{
    struct http_request r = request(f, method, target, body ? "application/json" : NULL, slice_str(body));
    return call_raw(f, &r);
}

static const char *text(struct fixture *f, const char *member)
{
    const char *s = json_string_value(json_object_get(f->json, member));
    return s ? s : "";
}

static long long number(struct fixture *f, const char *member)
{
    return json_is_integer(json_object_get(f->json, member)) ? json_integer_value(json_object_get(f->json, member)) : -999;
}

static const char *header(struct fixture *f, const char *name)
{
    for (int i = 0; i < f->reply.n_headers; i++)
        if (strcmp(f->reply.headers[i].name, name) == 0) return f->reply.headers[i].value;
    return NULL;
}

/* eid -- a lawful EID (ISO 7064 MOD 97-10), the n-th. */
static const char *eid(unsigned n)
{
    static char out[8][33];
    static unsigned turn;
    char *s = out[turn++ % 8];
    snprintf(s, 33, "890490320000000000000000%06u00", n);
    unsigned rest = 0;
    for (int i = 0; i < 32; i++) rest = (rest * 10 + (unsigned)(s[i] - '0')) % 97;
    snprintf(s + 30, 3, "%02u", 98 - rest);
    return s;
}

static const char *path(const char *fmt, const char *arg)
{
    static char out[4][200];
    static unsigned turn;
    char *s = out[turn++ % 4];
    const char *hole = strchr(fmt, '*');
    snprintf(s, 200, "%.*s%s%s", (int)(hole - fmt), fmt, arg, hole + 1);
    return s;
}

static void enrol(struct fixture *f, unsigned n)
{
    assert_int_equal(call(f, "POST", "/v1/devices", path("{\"eid\":\"*\"}", eid(n))), 201);
}

/* ---- the table ---- */

static void has_form(void **state, const struct rest_route *row, const char *form)
{
    struct fixture *f = *state;
    json_t *o = schema_json(rest_schemas(), form, true, &f->call);
    if (!o && !schema_known(rest_schemas(), form)) print_message("%s %s: %s has no form yet\n", row->method, row->path, form);
    else if (!o) fail_msg("%s %s: \"%s\" is no form (front/schema.h), or names what rest_schemas.c does not have", row->method, row->path, form);
    json_decref(o);
}

static void every_row_is_complete_and_none_stands_twice(void **state)
{
    (void)state;
    size_t n;
    const struct rest_route *r = rest_routes(&n);
    assert_true(n >= 18);
    for (size_t i = 0; i < n; i++) {
        bool open = strcmp(r[i].path, "/healthz") == 0 || strcmp(r[i].path, "/readyz") == 0;
        assert_non_null(r[i].handle);
        assert_int_equal(r[i].path[0], '/');
        assert_true(r[i].doc && strlen(r[i].doc) > 10);
        assert_true(r[i].request && r[i].reply);
        assert_true((r[i].body == BODY_JSON || r[i].body == BODY_IMPORT) == (*r[i].request != 0));
        if (*r[i].request) has_form(state, &r[i], r[i].request);
        if (*r[i].reply && !rest_reply_media(r[i].reply)) has_form(state, &r[i], r[i].reply);
        assert_true((unsigned)r[i].permission < PERM_END);
        assert_true((r[i].permission == PERM_NONE) == open);
        assert_true(!r[i].listed_peers || r[i].permission == PERM_METRICS);
        assert_true((r[i].body == BODY_NONE) == (r[i].body_max == 0));
        assert_true(r[i].body_max <= REST_BODY_MAX);
        for (size_t k = 0; k < i; k++)
            assert_false(strcmp(r[i].path, r[k].path) == 0 && strcmp(r[i].method, r[k].method) == 0);
    }
}

static void every_form_can_be_read_and_what_breaks_one_is_named_by_its_path(void **state)
{
    struct fixture *f = *state;
    const struct schemas *all = rest_schemas();
    for (size_t i = 0; i < all->n; i++) {
        json_t *o = schema_json(all, all->v[i].form, all->v[i].sent, &f->call);
        if (!o) fail_msg("%s is no form", all->v[i].name);
        json_decref(o);
    }
    static const struct schema own[] = { { "Leaf", "{n: int(1..9), w?: \"a\"|\"b\"}", "", true }, { "Loop", "{l?: Loop, v?: text?}", "", true } };
    static const struct schemas mine = { own, 2 };
    static const struct { const char *form, *json, *field; } cases[] = {
        { "Leaf", "{\"n\":1}", NULL },                   { "Leaf", "{\"n\":0}", "n" },
        { "Leaf", "{}", "n" },                           { "Leaf", "{\"n\":1,\"w\":\"c\"}", "w" },
        { "Leaf", "{\"n\":1,\"w\":\"b\"}", NULL },      { "Leaf", "{\"n\":1,\"x\":1}", "x" },
        { "Leaf", "[]", "body" },                        { "{k: [Leaf 1..2]}", "{\"k\":[{\"n\":1},{\"n\":\"1\"}]}", "k[1].n" },
        { "{k: [Leaf 1..2]}", "{\"k\":[]}", "k" },       { "{k: [Leaf]?}", "{\"k\":null}", NULL },
        { "{*: [int]}", "{\"a\":[1],\"b\":[1,true]}", "b[1]" },  { "{a: int, ...}", "{\"a\":1,\"z\":{}}", NULL },
        { "Loop", "{\"l\":{\"l\":{\"v\":\"\"}}}", "l.l.v" },   { "Loop", "{\"l\":{\"v\":null}}", NULL },
        { "eid|int", "\"12\"", "body" },                 { "eid|int", "12", NULL },
        { "Page of Leaf", "{\"items\":[{\"n\":7}],\"next\":null}", NULL }, { "Page of Leaf", "{\"items\":[{\"n\":70}],\"next\":null}", "items[0].n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = { 0 };
        json_t *v;
        assert_ok(json_read(slice_str(cases[i].json), 1000, &v, &e));
        enum eim_err rc = schema_check(&mine, cases[i].form, v, &f->call, &e);
        if ((rc == OK) != (cases[i].field == NULL) || (rc != OK && strcmp(e.field, cases[i].field)))
            fail_msg("%s against %s: %s %s", cases[i].json, cases[i].form, e.field, e.why);
        json_decref(v);
    }
    static const char *const broken[] = { "", "{", "{a}", "[int", "Nobody", "int(1", "int|", "{a: nothing}", "\"x" };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        json_t *o = schema_json(&mine, broken[i], false, &f->call);
        if (o) fail_msg("%s was read", broken[i]);
    }
}

static const char *filled(const char *pattern)
{
    static char out[200];
    const char *open = strchr(pattern, '{'), *close = strchr(pattern, '}');
    if (!open) return pattern;
    const char *id = strstr(pattern, "{eid}") ? eid(1) : "op_0000000000000001";
    snprintf(out, sizeof out, "%.*s%s%s", (int)(open - pattern), pattern, id, close + 1);
    return out;
}

static void without_a_valid_token_nothing_is_told_and_nothing_is_read(void **state)
{
    struct fixture *f = *state;
    size_t n;
    const struct rest_route *rows = rest_routes(&n);
    enrol(f, 1);
    static const char *const wrong[] = { NULL, "", "Bearer nonsense",
                                         "Bearer eimd_0000000000000000000000000000000000000000000000000000000000000000" };
    for (size_t i = 0; i < n; i++) {
        if (rows[i].permission == PERM_NONE) continue;
        for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
            struct http_request r = request(f, rows[i].method, filled(rows[i].path), "text/nonsense", SLICE("{broken"));
            r.query = "unknown=1";
            r.authorization = wrong[k];
            if (call_raw(f, &r) != 401) fail_msg("%s %s gives %d without a token", rows[i].method, rows[i].path, f->reply.status);
            assert_string_equal(header(f, "WWW-Authenticate"), "Bearer");
            assert_string_equal(text(f, "code"), "E_UNAUTHENTICATED");
            assert_string_equal(text(f, "detail"), "a valid bearer token is needed");
        }
    }
    assert_int_equal(call(f, "GET", path("/v1/devices/*", eid(1)), NULL), 200);        /* and nothing was deleted */
}

static void health_needs_no_token_and_metrics_none_from_listed_addresses(void **state)
{
    struct fixture *f = *state;
    struct http_request r = request(f, "GET", "/healthz", NULL, (struct slice){ 0 });
    r.authorization = NULL;
    assert_int_equal(call_raw(f, &r), 200);
    r.path = "/readyz";
    assert_int_equal(call_raw(f, &r), 200);
    f->draining = true;
    assert_int_equal(call_raw(f, &r), 503);
    assert_non_null(header(f, "Retry-After"));
    r.path = "/metrics";
    static const struct { const char *peer; int status; } peers[] = {
        { "192.0.2.1:5", 200 }, { "[::1]:5", 200 }, { "192.0.2.9:5", 401 }, { "192.0.2.11:5", 401 }, { "[::11]:5", 401 },
        { "192.0.2.1", 401 },
    };
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        r.peer = peers[i].peer;
        assert_int_equal(call_raw(f, &r), peers[i].status);
    }
    r.authorization = f->authorization;
    assert_int_equal(call_raw(f, &r), 200);
    assert_true(slice_eq(f->reply.body, SLICE("eimd_test_total 1\n")));
}

static void paths_methods_and_parameters_are_strict(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *method, *target; int status; const char *field; } cases[] = {
        { "GET", "/", 404, "" }, { "GET", "*", 404, "" }, { "GET", "/v1", 404, "" }, { "GET", "/v1/devices/", 404, "" },
        { "GET", "//v1/devices", 404, "" }, { "GET", "/v1/devices/1/2/3", 404, "" }, { "GET", "/v1/Devices", 404, "" },
        { "GET", "/v1/operations/op_1/steal", 404, "" }, { "PUT", "/v1/devices", 405, "" },
        { "get", "/v1/devices", 405, "" }, { "DELETE", "/v1/operations/op_0000000000000001", 405, "" },
        { "GET", "/v1/operations/op_0000000000000001/cancel", 405, "" }, { "GET", "/v1/devices?limit=0", 400, "limit" },
        { "GET", "/v1/devices?limit=501", 400, "limit" }, { "GET", "/v1/devices?limit=1x", 400, "limit" },
        { "GET", "/v1/devices?limit=", 400, "limit" }, { "GET", "/v1/devices?limit=99999999999999", 400, "limit" },
        { "GET", "/v1/devices?cursor=1", 400, "cursor" }, { "GET", "/v1/devices?cursor=ffffffffffffffff", 400, "cursor" },
        { "GET", "/v1/devices?limit=1&limit=1", 400, "limit" }, { "GET", "/v1/devices?nothing=1", 400, "nothing" },
        { "GET", "/v1/devices?state=done", 400, "state" }, { "GET", "/v1/devices?%zz=1", 400, "query" },
        { "GET", "/v1/operations?state=finished", 400, "state" }, { "GET", "/v1/devices/123", 400, "eid" },
        { "GET", "/v1/operations/op_1", 400, "id" }, { "GET", "/v1/operations/op_zzzzzzzzzzzzzzzz", 400, "id" },
        { "GET", "/v1/operations/op_0000000000000001", 404, "id" }, { "HEAD", "/v1/devices", 200, "" },
        { "HEAD", "/v1/nothing", 404, "" }, { "GET", "/v1/devices?", 200, "" }, { "GET", "/v1/devices?&", 200, "" },
        { "GET", "/v1/devices?l%69mit=5", 200, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (call(f, cases[i].method, cases[i].target, NULL) != cases[i].status)
            fail_msg("%s %s: %d, expected %d", cases[i].method, cases[i].target, f->reply.status, cases[i].status);
        if (cases[i].status < 400) continue;
        assert_string_equal(text(f, "field"), cases[i].field);
        assert_string_equal(f->reply.content_type, "application/problem+json");
        assert_int_equal(number(f, "status"), cases[i].status);
        assert_true(*text(f, "title") && *text(f, "detail") && strncmp(text(f, "type"), "urn:eimd:E_", 11) == 0);
        assert_true((cases[i].status == 405) == (header(f, "Allow") != NULL));
    }
    call(f, "PUT", "/v1/devices", NULL);
    assert_string_equal(header(f, "Allow"), "GET, HEAD, POST");
    call(f, "GET", "/v1/operations/x/cancel", NULL);
    assert_string_equal(header(f, "Allow"), "POST");
}

static void bodies_are_strict(void **state)
{
    struct fixture *f = *state;
    enrol(f, 1);
    const char *inventory = path("/v1/devices/*/inventory", eid(1)), *order = path("/v1/devices/*/operations", eid(1));
    assert_int_equal(call(f, "POST", inventory, "{\"x\":1}"), 400);
    assert_string_equal(text(f, "field"), "x");
    assert_int_equal(call(f, "POST", inventory, "[]"), 400);
    assert_int_equal(call(f, "POST", inventory, "{}"), 201);
    assert_int_equal(call(f, "POST", inventory, "{                                                                     }"), 413);
    assert_int_equal(call(f, "POST", order, NULL), 415);
    assert_int_equal(call(f, "POST", order, "{\"psmos\":[],\"psmos\":[]}"), 400);
    assert_string_equal(text(f, "code"), "E_MALFORMED");
    assert_int_equal(call(f, "POST", order, "{\"psmos\":[{\"listProfileInfo\":{}}],\"bogus\":1}"), 400);
    assert_string_equal(text(f, "field"), "bogus");
    struct http_request r = request(f, "POST", order, "application/json; charset=utf-8", SLICE("{\"psmos\":[{\"listProfileInfo\":{}}]}"));
    assert_int_equal(call_raw(f, &r), 201);
    r.content_type = "application/x-www-form-urlencoded";
    assert_int_equal(call_raw(f, &r), 415);
    r = request(f, "GET", "/v1/devices", "application/json", SLICE("{}"));
    assert_int_equal(call_raw(f, &r), 400);
    assert_string_equal(text(f, "field"), "body");
}

/* ---- import ---- */

static int import(struct fixture *f, const char *type, const char *body)
{
    struct http_request r = request(f, "POST", "/v1/devices", type, slice_str(body));
    return call_raw(f, &r);
}

static void expect_line(struct fixture *f, size_t i, long long line, const char *result, const char *field)
{
    json_t *o = json_array_get(json_object_get(f->json, "lines"), i);
    const char *has = json_string_value(json_object_get(o, "field"));
    assert_int_equal(json_integer_value(json_object_get(o, "line")), line);
    assert_string_equal(json_string_value(json_object_get(o, "result")), result);
    assert_string_equal(has ? has : "", field);
    if (strcmp(result, "refused") == 0) {
        assert_true(strlen(json_string_value(json_object_get(o, "reason"))) > 5);
        assert_int_equal(strncmp(json_string_value(json_object_get(o, "code")), "E_", 2), 0);
    }
}

static void expect_report(struct fixture *f, long long enrolled, long long existing, long long refused)
{
    assert_int_equal(f->reply.status, 200);
    assert_int_equal(number(f, "enrolled"), enrolled);
    assert_int_equal(number(f, "existing"), existing);
    assert_int_equal(number(f, "refused"), refused);
    assert_int_equal(json_array_size(json_object_get(f->json, "lines")), existing + refused);
}

static void one_device_is_enrolled_once(void **state)
{
    struct fixture *f = *state;
    enrol(f, 1);
    assert_string_equal(text(f, "eid"), eid(1));
    assert_string_equal(header(f, "Location"), path("/v1/devices/*", eid(1)));
    assert_int_equal(call(f, "POST", "/v1/devices", path("{\"eid\":\"*\"}", eid(1))), 409);
    assert_string_equal(text(f, "field"), "eid");
    assert_int_equal(call(f, "POST", "/v1/devices", path("{\"eid\":\"*\",\"colour\":1}", eid(2))), 400);
    assert_string_equal(text(f, "field"), "colour");
    assert_int_equal(call(f, "POST", "/v1/devices", "{\"eid\":\"89049032000000000000000000000000\"}"), 400);
    assert_string_equal(text(f, "field"), "eid");
    assert_int_equal(call(f, "POST", "/v1/devices", "7"), 400);
    assert_int_equal(import(f, "text/plain", "x"), 415);
    assert_int_equal(import(f, NULL, "{}"), 415);
}

static void a_json_array_reports_each_line(void **state)
{
    struct fixture *f = *state;
    char body[400];
    enrol(f, 1);
    snprintf(body, sizeof body, "[{\"eid\":\"%s\"},{\"eid\":\"%s\"},7,{\"eid\":\"12\"},{\"eid\":\"%s\"}]", eid(1), eid(2), eid(2));
    import(f, "application/json", body);
    expect_report(f, 1, 2, 2);
    expect_line(f, 0, 1, "existing", "");
    expect_line(f, 1, 3, "refused", "");
    expect_line(f, 2, 4, "refused", "eid");
    expect_line(f, 3, 5, "existing", "");
    import(f, "application/json", "[]");
    expect_report(f, 0, 0, 0);
}

static void json_lines_count_empty_lines_and_refuse_broken_ones_alone(void **state)
{
    struct fixture *f = *state;
    char body[400];
    snprintf(body, sizeof body,
             "{\"eid\":\"%s\"}\r\n\n  \nnonsense\n[1]\n{\"eid\":\"%s\",\"counter\":-1}\n{\"eid\":\"%s\",\"eid\":\"\"}\n{\"eid\":\"%s\"}",
             eid(1), eid(2), eid(3), eid(4));
    import(f, "application/jsonl", body);
    expect_report(f, 2, 0, 4);
    expect_line(f, 0, 4, "refused", "");
    expect_line(f, 1, 5, "refused", "");
    expect_line(f, 2, 6, "refused", "counter");
    expect_line(f, 3, 7, "refused", "");
    import(f, "Application/X-NDJSON;x=y", body);
    expect_report(f, 0, 2, 4);
}

static void csv_is_read_as_rfc_4180_has_it(void **state)
{
    struct fixture *f = *state;
    char body[600];
    snprintf(body, sizeof body,
             "\xEF\xBB\xBF" "eid,label.site,counter,\"label.note\"\r\n"
             "%s,\"a \"\"b\"\", c\",5,\"two\nlines\"\r\n%s,x\n%s,x,y,\n\n%s,,,\n%s,\xff,,",
             eid(1), eid(2), eid(3), eid(4), eid(5));
    import(f, "text/csv", body);
    expect_report(f, 2, 0, 3);
    expect_line(f, 0, 4, "refused", "");               /* too few cells; the first record took two lines */
    expect_line(f, 1, 5, "refused", "counter");
    expect_line(f, 2, 8, "refused", "label.site");     /* not UTF-8 */
    assert_int_equal(call(f, "GET", path("/v1/devices/*", eid(1)), NULL), 200);
    json_t *labels = json_object_get(f->json, "labels");
    assert_string_equal(json_string_value(json_object_get(labels, "site")), "a \"b\", c");
    assert_string_equal(json_string_value(json_object_get(labels, "note")), "two\nlines");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(f->json, "association"), "counter")), 5);
    assert_int_equal(call(f, "GET", path("/v1/devices/*", eid(4)), NULL), 200);
    assert_int_equal(json_object_size(json_object_get(f->json, "labels")), 0);

    static const struct { const char *body; const char *field; } wrong[] = {
        { "eid,colour\n", "colour" }, { "eid,eid\n", "eid" }, { "eid,label.\n", "label." },
        { "\"eid\n", "" },           { "\"eid\"x\n", "" },   { "eid\n\"1", "" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(import(f, "text/csv", wrong[i].body), 400);
        assert_string_equal(text(f, "field"), wrong[i].field);
    }
}

static void a_batch_has_a_ceiling(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, "eid,label.a,label.b,label.c,label.d\n");
    for (unsigned i = 0; i < 1000; i++) buf_printf(&b, "\"%s\",\"\"\"\",\"b\",\"c\",\"d\"\n", eid(i));
    struct http_request r = request(f, "POST", "/v1/devices", "text/csv", buf_slice(&b));
    call_raw(f, &r);
    expect_report(f, 1000, 0, 0);
    buf_printf(&b, "%s,,,,\n", eid(1000));
    r.body = buf_slice(&b);
    assert_int_equal(call_raw(f, &r), 413);
    assert_int_equal(call(f, "GET", path("/v1/devices/*", eid(1000)), NULL), 404);     /* nothing of a refused batch is in */
    buf_free(&b);
    static uint8_t large[REST_BODY_MAX + 1];
    r.body = slice_of(large, sizeof large);
    assert_int_equal(call_raw(f, &r), 413);
}

/* ---- devices and operations ---- */

static void pages_show_every_device_once(void **state)
{
    struct fixture *f = *state;
    bool seen[8] = { false };
    char target[100] = "/v1/devices?limit=3";
    for (unsigned i = 1; i <= 7; i++) enrol(f, i);
    int pages = 0, total = 0;
    for (; *target && pages < 10; pages++) {
        assert_int_equal(call(f, "GET", target, NULL), 200);
        size_t i;
        json_t *o;
        json_array_foreach(json_object_get(f->json, "items"), i, o) {
            for (unsigned n = 1; n <= 7; n++)
                if (strcmp(json_string_value(json_object_get(o, "eid")), eid(n)) == 0) {
                    assert_false(seen[n]);
                    seen[n] = true;
                    total++;
                }
            assert_null(json_object_get(o, "profiles"));
        }
        assert_true(json_array_size(json_object_get(f->json, "items")) <= 3);
        if (json_is_null(json_object_get(f->json, "next"))) target[0] = 0;
        else snprintf(target, sizeof target, "/v1/devices?limit=3&cursor=%s", text(f, "next"));
    }
    assert_int_equal(total, 7);
    assert_int_equal(pages, 3);
}

static void a_device_that_never_called_shows_what_is_not_known_as_null(void **state)
{
    struct fixture *f = *state;
    enrol(f, 1);
    assert_int_equal(call(f, "GET", path("/v1/devices/*", eid(1)), NULL), 200);
    static const char *const nulls[] = { "enabled_profile", "last_seen", "first_contact", "network", "state_change", "reported" };
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) assert_true(json_is_null(json_object_get(f->json, nulls[i])));
    assert_string_equal(text(f, "verification"), "unverified");
    assert_string_equal(text(f, "enrolled_at"), "2026-11-22T23:26:40.000Z");
    assert_true(json_is_true(json_object_get(json_object_get(f->json, "inventory"), "stale")));
    assert_int_equal(json_array_size(json_object_get(f->json, "profiles")), 0);
    assert_int_equal(call(f, "DELETE", path("/v1/devices/*", eid(1)), NULL), 204);
    assert_int_equal(call(f, "GET", path("/v1/devices/*", eid(1)), NULL), 404);
    assert_int_equal(call(f, "DELETE", path("/v1/devices/*", eid(1)), NULL), 404);
}

static void an_operation_is_ordered_listed_and_cancelled(void **state)
{
    struct fixture *f = *state;
    char id[40], target[100];
    enrol(f, 1);
    enrol(f, 2);
    const char *order = "{\"psmos\":[{\"enable\":{\"iccid\":\"8949449999999990023\",\"rollback\":true}}],"
                        "\"expires_at\":\"2026-12-01T00:00:00Z\"}";
    assert_int_equal(call(f, "POST", path("/v1/devices/*/operations", eid(1)), order), 201);
    snprintf(id, sizeof id, "%s", text(f, "id"));
    assert_int_equal(strlen(id), 19);
    assert_string_equal(header(f, "Location"), path("/v1/operations/*", id));
    assert_string_equal(text(f, "state"), "pending");
    assert_string_equal(text(f, "eid"), eid(1));
    assert_string_equal(text(f, "created_by"), "token:admin");
    assert_string_equal(text(f, "expires_at"), "2026-12-01T00:00:00.000Z");
    json_t *step = json_array_get(json_object_get(f->json, "steps"), 0);
    assert_string_equal(json_string_value(json_object_get(step, "op")), "enable");
    assert_string_equal(json_string_value(json_object_get(step, "iccid")), "8949449999999990023");
    assert_true(json_is_null(json_object_get(f->json, "counter")) && json_is_null(json_object_get(f->json, "package")));

    f->env.clock_us += 1000000;
    assert_int_equal(call(f, "POST", path("/v1/devices/*/inventory", eid(2)), NULL), 201);
    assert_int_equal(call(f, "GET", "/v1/operations?limit=1", NULL), 200);
    json_t *first = json_array_get(json_object_get(f->json, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "eid")), eid(2));     /* newest first */
    snprintf(target, sizeof target, "/v1/operations?limit=1&cursor=%s", text(f, "next"));
    assert_int_equal(call(f, "GET", target, NULL), 200);
    first = json_array_get(json_object_get(f->json, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), id);
    assert_int_equal(call(f, "GET", path("/v1/devices/*/operations", eid(1)), NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    assert_int_equal(call(f, "GET", "/v1/operations?state=cancelled", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);

    assert_int_equal(call(f, "GET", path("/v1/operations/*/package", id), NULL), 404);
    assert_int_equal(call(f, "GET", path("/v1/operations/*/result", id), NULL), 404);
    assert_int_equal(call(f, "POST", path("/v1/operations/*/cancel", id), NULL), 200);
    assert_string_equal(text(f, "state"), "cancelled");
    assert_true(json_is_true(json_object_get(f->json, "final")));
    assert_int_equal(call(f, "POST", path("/v1/operations/*/cancel", id), NULL), 409);
    assert_string_equal(text(f, "code"), "E_STATE");
    assert_int_equal(call(f, "GET", "/v1/operations?state=cancelled", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
}

static void an_unlawful_order_names_its_rule(void **state)
{
    struct fixture *f = *state;
    enrol(f, 1);
    const char *target = path("/v1/devices/*/operations", eid(1));
    const char *two_enables = "{\"psmos\":[{\"enable\":{\"iccid\":\"8949449999999990023\"}},{\"enable\":{\"iccid\":\"8949449999999990031\"}}]}";
    assert_int_equal(call(f, "POST", target, two_enables), 422);
    assert_string_equal(text(f, "code"), "E_RULE");
    assert_true(*text(f, "clause"));
    assert_int_equal(call(f, "POST", path("/v1/devices/*/operations", eid(2)), "{\"psmos\":[{\"listProfileInfo\":{}}]}"), 404);
    assert_int_equal(call(f, "GET", "/v1/operations", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);
}

static void the_configuration_is_the_same_in_json_and_der(void **state)
{
    struct fixture *f = *state;
    static const uint8_t head[] = { 0xBF, 87 };
    assert_int_equal(call(f, "GET", "/v1/eim/configuration", NULL), 200);
    assert_string_equal(text(f, "eim_id"), "eim.test");
    assert_string_equal(text(f, "fqdn"), "eim.test");
    assert_int_equal(number(f, "eim_id_type"), 2);
    assert_int_equal(number(f, "counter"), 0);
    assert_int_equal(number(f, "association_token"), -1);
    assert_true(json_is_null(json_object_get(f->json, "tls_anchor")));
    uint8_t key[200];
    long n = slice_from_b64(slice_str(text(f, "public_key")), key, sizeof key);
    assert_true(n > 65);
    assert_int_equal(call(f, "GET", "/v1/eim/configuration.der", NULL), 200);
    assert_string_equal(f->reply.content_type, "application/octet-stream");
    assert_memory_equal(f->reply.body.p, head, 2);
    assert_non_null(memmem(f->reply.body.p, f->reply.body.n, key + n - 65, 65));
}

static void the_audit_log_pages_through_exact_lines(void **state)
{
    struct fixture *f = *state;
    char target[100];
    for (unsigned i = 1; i <= 3; i++) {
        f->env.clock_us += 1000;
        enrol(f, i);
    }
    assert_int_equal(call(f, "GET", "/v1/audit?limit=2", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 2);
    json_t *o = json_array_get(json_object_get(f->json, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "action")), "device.enrolled");
    assert_string_equal(json_string_value(json_object_get(o, "eid")), eid(1));
    assert_string_equal(json_string_value(json_object_get(o, "principal")), "token:admin");
    snprintf(target, sizeof target, "/v1/audit?limit=2&cursor=%s", text(f, "next"));
    assert_int_equal(call(f, "GET", target, NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    o = json_array_get(json_object_get(f->json, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "eid")), eid(3));
    assert_true(json_is_null(json_object_get(f->json, "next")));
}

static void the_log_is_a_tree_with_a_signed_head_and_proofs(void **state)
{
    struct fixture *f = *state;
    struct err e = { 0 };
    struct slice text, origin;
    struct merkle_hash root, old, leaf;
    uint64_t size, old_size;
    for (unsigned i = 1; i <= 3; i++) enrol(f, i);
    assert_int_equal(call(f, "GET", "/v1/audit/head", NULL), 200);
    assert_ok(note_open(note_signer_key(f->notes), f->reply.body, &text, &e));
    assert_ok(audit_head_parse(text, &origin, &old_size, &old, &e));
    assert_true(slice_eq(origin, SLICE("eim.test/audit/default")));
    assert_int_equal(old_size, 3);
    for (unsigned i = 4; i <= 9; i++) enrol(f, i);
    assert_int_equal(call(f, "GET", "/v1/audit/inclusion/7", NULL), 200);
    const char *note = json_string_value(json_object_get(f->json, "head"));
    assert_ok(note_open(note_signer_key(f->notes), slice_str(note), &text, &e));
    assert_ok(audit_head_parse(text, &origin, &size, &root, &e));
    assert_int_equal(size, 9);
    struct merkle_proof proof = { .n = (unsigned)json_array_size(json_object_get(f->json, "proof")) };
    for (unsigned i = 0; i < proof.n; i++)
        assert_int_equal(slice_unhex(slice_str(json_string_value(json_array_get(json_object_get(f->json, "proof"), i))), proof.h[i].b, 32), 32);
    assert_ok(merkle_leaf(slice_str(json_string_value(json_object_get(f->json, "line"))), &leaf, &e));
    assert_ok(merkle_check_inclusion(&leaf, 7, size, &root, &proof, &e));
    assert_int_equal(merkle_check_inclusion(&leaf, 6, size, &root, &proof, &e), E_MISMATCH);

    assert_int_equal(call(f, "GET", "/v1/audit/consistency/3", NULL), 200);
    proof.n = (unsigned)json_array_size(json_object_get(f->json, "proof"));
    for (unsigned i = 0; i < proof.n; i++)
        assert_int_equal(slice_unhex(slice_str(json_string_value(json_array_get(json_object_get(f->json, "proof"), i))), proof.h[i].b, 32), 32);
    assert_ok(merkle_check_consistency(3, &old, size, &root, &proof, &e));
    old.b[5] ^= 1;
    assert_int_equal(merkle_check_consistency(3, &old, size, &root, &proof, &e), E_MISMATCH);

    assert_int_equal(call(f, "GET", "/v1/audit/inclusion/9", NULL), 400);
    assert_int_equal(call(f, "GET", "/v1/audit/consistency/10", NULL), 400);
    assert_int_equal(call(f, "GET", "/v1/audit/inclusion/-1", NULL), 400);
    assert_int_equal(call(f, "GET", "/v1/audit/lines/9", NULL), 200);
    assert_int_equal(f->reply.body.n, 0);
}

/* ---- faults ---- */

/* Each statement of each request fails in turn: 503, nothing half done, and it goes on when the store is back. */
static void a_failing_store_is_503_and_leaves_nothing_half_done(void **state)
{
    struct fixture *f = *state;
    enrol(f, 1);
    char order[100], device[100];
    snprintf(order, sizeof order, "%s", path("/v1/devices/*/operations", eid(1)));
    snprintf(device, sizeof device, "%s", path("/v1/devices/*", eid(1)));
    const struct { const char *method, *target, *body; int status; } calls[] = {
        { "GET", device, NULL, 200 },
        { "GET", "/v1/devices", NULL, 200 },
        { "GET", "/v1/audit", NULL, 200 },
        { "GET", "/v1/eim/configuration", NULL, 200 },
        { "POST", order, "{\"psmos\":[{\"listProfileInfo\":{}}]}", 201 },
        { "GET", "/v1/operations", NULL, 200 },
        { "POST", "/v1/devices", path("[{\"eid\":\"*\"}]", eid(2)), 200 },
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        long nth = 1;
        for (; nth < 200; nth++) {
            store_fail_at(f->host.store, nth);
            int status = call(f, calls[i].method, calls[i].target, calls[i].body);
            if (status == calls[i].status) break;
            if (status != 503) fail_msg("%s %s: statement %ld fails: %d", calls[i].method, calls[i].target, nth, status);
            assert_non_null(header(f, "Retry-After"));
            assert_string_equal(text(f, "code"), "E_STORE");
            assert_string_equal(text(f, "detail"), "the store is not available");      /* and no word of paths or drivers */
        }
        store_fail_at(f->host.store, 0);
        assert_true(nth > 1 && nth < 200);             /* it did fail at least once, and then it did not */
    }
    assert_int_equal(call(f, "GET", order, NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);           /* one order got through, not one for each try */
    assert_int_equal(call(f, "GET", path("/v1/devices/*", eid(2)), NULL), 200);
}

/* Each allocation of the request's arena fails in turn. */
static void a_full_arena_is_503_and_no_crash(void **state)
{
    struct fixture *f = *state;
    enrol(f, 1);
    static const char *const targets[] = { "/v1/devices", "/v1/audit", "/v1/eim/configuration", "/v1/operations", "/v1/devices/" };
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        const char *target = strcmp(targets[i], "/v1/devices/") == 0 ? path("/v1/devices/*", eid(1)) : targets[i];
        struct http_request r = request(f, "GET", target, NULL, (struct slice){ 0 });
        long nth = 1;
        for (; nth < 500; nth++) {
            arena_reset(&f->call);
            f->call.fail_at = nth;
            rest_answer(&f->rest, &r, &f->call, &f->reply);
            if (f->call.fail_at > 0) break;            /* so many allocations there are not */
            if (f->reply.status != 503 && f->reply.status != 200) fail_msg("%s: allocation %ld fails: %d", target, nth, f->reply.status);
        }
        f->call.fail_at = 0;
        assert_true(nth > 3 && nth < 500);
        assert_int_equal(f->reply.status, 200);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_row_is_complete_and_none_stands_twice),
        T(every_form_can_be_read_and_what_breaks_one_is_named_by_its_path),
        T(without_a_valid_token_nothing_is_told_and_nothing_is_read),
        T(health_needs_no_token_and_metrics_none_from_listed_addresses),
        T(paths_methods_and_parameters_are_strict),
        T(bodies_are_strict),
        T(one_device_is_enrolled_once),
        T(a_json_array_reports_each_line),
        T(json_lines_count_empty_lines_and_refuse_broken_ones_alone),
        T(csv_is_read_as_rfc_4180_has_it),
        T(a_batch_has_a_ceiling),
        T(pages_show_every_device_once),
        T(a_device_that_never_called_shows_what_is_not_known_as_null),
        T(an_operation_is_ordered_listed_and_cancelled),
        T(an_unlawful_order_names_its_rule),
        T(the_configuration_is_the_same_in_json_and_der),
        T(the_audit_log_pages_through_exact_lines),
        T(the_log_is_a_tree_with_a_signed_head_and_proofs),
        T(a_failing_store_is_503_and_leaves_nothing_half_done),
        T(a_full_arena_is_503_and_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
