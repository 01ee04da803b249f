/* test_door.c -- the device door: what HTTP sees of ESipa (spec 4.1). The network is a double: this program has its own
 * http_reply_send and work_submit, and hands requests in as net would; eIM and store (SQLite, written inline) are real. */
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"

#include "base/env.h"
#include "crypto/cert.h"
#include "crypto/signer.h"
#include "eim/eim.h"
#include "front/esipa_asn1.h"
#include "net/work.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const int64_t START = 1795390000000000;

struct fixture {
    struct env_virtual env;
    struct host host;
    struct eim *eim;
    struct esipa_door door;
    struct arena arena;
    int replies;                       /* of the last request: must be one */
    struct http_reply reply;
    bool full;                         /* the queue takes nothing */
};
static struct fixture f;

void http_reply_send(struct http_exchange *x, const struct http_reply *r)
{
    (void)x;
    f.replies++;
    f.reply = *r;
}

bool work_submit(struct work *w, void (*run)(void *arg, const struct work_thread *t), void *arg)
{
    struct work_thread t = { 0 };
    (void)w;
    if (f.full) return false;
    run(arg, &t);
    return true;
}

static enum eim_err put_identity(struct tx *t, struct store_job *job, struct err *e)
{
    (void)job;
    struct identity id = { .id = 1, .tenant = 1, .eim_id = SLICE("eim.test"), .eim_id_type = 2, .fqdn = SLICE("eim.test"),
                           .signing_key = SLICE("eim"), .association_key = { 1, 2, 3 } };
    return store_identity_put(t, &id, e);
}

static int setup(void **state)
{
    static char url[200], keys[200];
    struct err e = { 0 };
    const char *dir = tmp_make();
    struct cert_trust *trust;
    f = (struct fixture){ .host.env = &f.env.env };
    env_virtual(&f.env, START, 3);
    arena_init(&f.arena, 1 << 20);
    snprintf(url, sizeof url, "sqlite:%s", tmp_path(dir, "eimd.db"));
    snprintf(keys, sizeof keys, "%s", tmp_path(dir, "keys"));
    assert_int_equal(mkdir(keys, 0700), 0);
    assert_ok(signer_generate(tmp_path(keys, "eim.pem"), CURVE_P256, &e));
    assert_ok(signer_open_dir(&f.host.signer, keys, &e));
    assert_ok(store_open(&f.host.store, &(struct store_options){ .url = url, .inline_writes = true }, &e));
    struct store_job job = { .apply = put_identity };
    assert_ok(store_run(f.host.store, &job, &e));
    assert_ok(cert_trust_from(&trust, NULL, 0, &e));
    assert_ok(eim_open(&f.eim, &f.host, &eim_settings_default, trust, &e));
    f.door = (struct esipa_door){ .eim = f.eim, .env = &f.env.env, .retry_after_s = 7 };
    *state = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    eim_close(f.eim);
    store_close(f.host.store);
    signer_close(f.host.signer);
    arena_free(&f.arena);
    return 0;
}

/* getEimPackage of an EID that nobody enrolled, and its answer eidNotFound(2). */
static const uint8_t a_poll[] = {
    0xBF, 79, 18, 0x5A, 16, 0x89, 0x04, 0x40, 0x45, 0x11, 0x84, 0x27, 0x48, 0x48, 0, 0, 0, 0, 0x01, 0x16, 0x28,
};
static const uint8_t not_found[] = { 0xBF, 79, 3, 2, 1, 2 };

static struct http_request good(void)
{
    return (struct http_request){ .method = "POST", .path = "/gsma/rsp2/asn1", .query = "", .host = "eim.test:8443",
                                  .content_type = "application/x-gsma-rsp-asn1", .body = { a_poll, sizeof a_poll }, .peer = "192.0.2.1:5", .tls = true };
}

static int serve(struct http_request r)
{
    struct http_exchange x = { .req = r, .arena = &f.arena };
    arena_reset(&f.arena);
    f.replies = 0;
    esipa_asn1_handle(&f.door, &x);
    assert_int_equal(f.replies, 1);
    if (f.reply.body.n) assert_string_equal(f.reply.content_type, "application/x-gsma-rsp-asn1");
    else assert_null(f.reply.content_type);
    return f.reply.status;
}

static const char *header(const char *name)
{
    for (int i = 0; i < f.reply.n_headers; i++)
        if (strcasecmp(f.reply.headers[i].name, name) == 0) return f.reply.headers[i].value;
    return NULL;
}

static void a_poll_is_answered_with_its_media_type(void **state)
{
    (void)state;
    assert_int_equal(serve(good()), 200);
    assert_int_equal(f.reply.body.n, sizeof not_found);
    assert_memory_equal(f.reply.body.p, not_found, sizeof not_found);
}

static void http_refuses_what_is_no_request_of_the_binding(void **state)
{
    (void)state;
    static const struct { const char *method, *path, *query, *type; int status; } cases[] = {
        { "POST", "/gsma/rsp2/asn1/", "", NULL, 404 }, { "POST", "/gsma/rsp2/esipa/getEimPackage", "", NULL, 404 },
        { "GET", "/", "", NULL, 404 },
        { "POST", "/gsma/rsp2/asn1", "x", NULL, 404 },
        { "GET", "/gsma/rsp2/asn1", "", NULL, 405 },   { "HEAD", "/gsma/rsp2/asn1", "", NULL, 405 },
        { "post", "/gsma/rsp2/asn1", "", NULL, 405 },
        { "POST", "/gsma/rsp2/asn1", "", "application/json", 415 },
        { "POST", "/gsma/rsp2/asn1", "", "application/x-gsma-rsp-asn", 415 },
        { "POST", "/gsma/rsp2/asn1", "", "application/x-gsma-rsp-asn11", 415 },
        { "POST", "/gsma/rsp2/asn1", "", NULL, 200 },  { "POST", "/gsma/rsp2/asn1", "", "", 200 },
        { "POST", "/gsma/rsp2/asn1", "", "Application/X-GSMA-RSP-ASN1", 200 },
        { "POST", "/gsma/rsp2/asn1", "", "application/x-gsma-rsp-asn1 ; charset=UTF-8", 200 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request r = good();
        r.method = cases[i].method;
        r.path = cases[i].path;
        r.query = cases[i].query;
        r.content_type = cases[i].type;
        if (serve(r) != cases[i].status) fail_msg("%s %s %s: %d", r.method, r.path, r.content_type ? r.content_type : "-", f.reply.status);
        assert_true((cases[i].status == 405) == (header("Allow") != NULL));
        if (cases[i].status == 405) assert_string_equal(header("Allow"), "POST");
        if (cases[i].status != 200) assert_int_equal(f.reply.body.n, 0);
    }
}

static void a_message_that_cannot_be_read_is_400(void **state)
{
    (void)state;
    struct http_request r = good();
    static const uint8_t other[] = { 0xBF, 82, 0 }, cut[] = { 0xBF, 79, 18, 0x5A };
    r.body = (struct slice){ 0 };
    assert_int_equal(serve(r), 400);
    r.body = slice_of(other, sizeof other);
    assert_int_equal(serve(r), 400);
    r.body = slice_of(cut, sizeof cut);
    assert_int_equal(serve(r), 400);
    for (size_t n = 1; n < sizeof a_poll; n++) {
        r.body = slice_of(a_poll, n);
        assert_int_equal(serve(r), 400);
        assert_int_equal(f.reply.body.n, 0);
    }
    assert_int_equal(eim_counters(f.eim)->polls, 0);
}

static void admin_protocol_is_echoed_when_it_is_one_of_gsma(void **state)
{
    (void)state;
    static const char *const echoed[] = { "gsma/rsp/v2.1.0", "gsma/rsp/v1.3.0", "gsma/rsp/v2.2.0" };
    static const char *const not[] = { NULL, "", "gsma/rsp", "other/v1", "GSMA/rsp/v1", "gsma/rsp/v2 x", "gsma/rsp/v2\r\nX: y",
                                       "gsma/rsp/v000000000000000000000000000000000000000000000000000000000000000000000" };
    struct http_request r = good();
    assert_string_equal(ESIPA_ALWAYS_HEADER, "X-Admin-Protocol: gsma/rsp/v2.1.0");     /* what net adds when the door gives none */
    for (size_t i = 0; i < sizeof echoed / sizeof echoed[0]; i++) {
        r.x_admin_protocol = echoed[i];
        assert_int_equal(serve(r), 200);
        assert_string_equal(header("X-Admin-Protocol"), echoed[i]);
    }
    for (size_t i = 0; i < sizeof not / sizeof not[0]; i++) {
        r.x_admin_protocol = not[i];
        assert_int_equal(serve(r), 200);
        assert_null(header("X-Admin-Protocol"));
    }
    r.x_admin_protocol = "gsma/rsp/v1.3.0";
    r.method = "GET";
    assert_int_equal(serve(r), 405);
    assert_string_equal(header("X-Admin-Protocol"), "gsma/rsp/v1.3.0");
}

static void a_full_queue_is_503_and_nothing_happens(void **state)
{
    (void)state;
    f.full = true;
    assert_int_equal(serve(good()), 503);
    assert_string_equal(header("Retry-After"), "7");
    assert_int_equal(eim_counters(f.eim)->polls, 0);
    f.full = false;
    assert_int_equal(serve(good()), 200);
}

static void a_lost_store_is_503_until_it_is_back(void **state)
{
    (void)state;
    store_fail_at(f.host.store, 1);
    assert_int_equal(serve(good()), 503);
    assert_string_equal(header("Retry-After"), "7");
    assert_int_equal(f.reply.body.n, 0);
    assert_int_equal(serve(good()), 200);
}

/* Each allocation of a request fails in turn: 503, or an answer that is whole. */
static void a_full_arena_is_503(void **state)
{
    (void)state;
    long nth = 1;
    struct http_exchange x = { .req = good(), .arena = &f.arena };
    for (; nth < 200; nth++) {
        arena_reset(&f.arena);
        f.replies = 0;
        f.arena.fail_at = nth;
        esipa_asn1_handle(&f.door, &x);
        assert_int_equal(f.replies, 1);
        if (f.arena.fail_at > 0) break;
        if (f.reply.status == 200) assert_memory_equal(f.reply.body.p, not_found, sizeof not_found);
        else assert_int_equal(f.reply.status, 503);
    }
    f.arena.fail_at = 0;
    assert_true(nth > 2 && nth < 200);
    assert_int_equal(f.reply.status, 200);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_poll_is_answered_with_its_media_type),
        T(http_refuses_what_is_no_request_of_the_binding),
        T(a_message_that_cannot_be_read_is_400),
        T(admin_protocol_is_echoed_when_it_is_one_of_gsma),
        T(a_full_queue_is_503_and_nothing_happens),
        T(a_lost_store_is_503_until_it_is_back),
        T(a_full_arena_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
