/* test_door.c -- the device door: what HTTP sees of ESipa in ASN.1 (spec 4.1). */
#include "test/unit/door_rig.h"

#include "front/esipa_asn1.h"

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
