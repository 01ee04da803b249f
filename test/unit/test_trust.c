/* test_trust.c -- tokens, permissions, and the form of the audit line. */
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"

#include "base/env.h"
#include "base/json.h"
#include "crypto/digest.h"
#include "store/store.h"
#include "trust/access.h"
#include "trust/audit.h"
#include "trust/identity.h"

#include <string.h>

static const int64_t START = 1795390000000000;

struct fixture {
    struct env_virtual env;
    struct host host;
    struct arena arena;
    char *token;
};

static int setup(void **state)
{
    static struct fixture f;
    static char url[200];
    struct err e = { 0 };
    f = (struct fixture){ .host.env = &f.env.env };
    env_virtual(&f.env, START, 7);
    arena_init(&f.arena, 1 << 20);
    snprintf(url, sizeof url, "sqlite:%s", tmp_path(tmp_make(), "eimd.db"));
    struct store_options o = { .url = url, .inline_writes = true };
    assert_ok(store_open(&f.host.store, &o, &e));
    assert_ok(identity_token_create(&f.host, "admin", &f.token, &f.arena, &e));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->host.store);
    arena_free(&f->arena);
    return 0;
}

static enum eim_err bearer(struct fixture *f, const char *header, struct principal *p, struct err *e)
{
    return identity_bearer(&f->host, slice_str(header), p, &f->arena, e);
}

static char *with(struct fixture *f, const char *scheme, const char *token)
{
    return arena_printf(&f->arena, "%s%s", scheme, token);
}

static void a_good_token_gives_its_principal(void **state)
{
    struct fixture *f = *state;
    struct principal p;
    struct err e = { 0 };
    assert_int_equal(strlen(f->token), 5 + 64);
    assert_ok(bearer(f, with(f, "Bearer ", f->token), &p, &e));
    assert_int_equal(p.tenant, 1);
    assert_true(slice_eq(p.role, SLICE("administrator")));
    assert_int_equal(access_check(&p, PERM_DEVICE_REMOVE, &e), OK);
    assert_true(slice_eq(p.name, SLICE("token:admin")));
    assert_ok(bearer(f, with(f, "bearer  ", f->token), &p, &e));       /* RFC 9110: the scheme's case does not matter */
}

static void every_other_header_is_refused_in_the_same_words(void **state)
{
    struct fixture *f = *state;
    char *other = arena_str(&f->arena, slice_str(f->token)), *cut = arena_str(&f->arena, slice_str(f->token));
    other[20] = other[20] == '0' ? '1' : '0';
    cut[68] = 0;
    const char *wrong[] = {
        "", "Bearer", "Bearer ", f->token, with(f, "Basic ", f->token), with(f, "Bearer ", other), with(f, "Bearer ", cut),
        with(f, "Bearer ", with(f, f->token, "0")), with(f, "Bearer x", f->token + 1), with(f, "Bearer\t", f->token),
        with(f, "Bearer ", with(f, "EIMD_", f->token + 5)),
    };
    struct err first = { 0 };
    struct principal p;
    (void)!bearer(f, wrong[0], &p, &first);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = { 0 };
        p.may = UINT64_MAX;
        assert_int_equal(bearer(f, wrong[i], &p, &e), E_UNAUTHENTICATED);
        assert_string_equal(e.why, first.why);
        assert_int_equal(p.may, 0);
    }
}

/* put -- a token with this text, written past trust/identity. */
static enum eim_err put(struct tx *t, struct store_job *job, struct err *e)
{
    return store_token_put(t, (struct token *)(void *)(job + 1), e);
}

static void store_token(struct fixture *f, const char *text, const char *role, int64_t expires_us, int64_t revoked_us)
{
    struct { struct store_job job; struct token token; } w = { .job.apply = put };
    struct err e = { 0 };
    w.token = (struct token){ .id = env_id(&f->env.env), .tenant = 1, .name = SLICE("t"), .role = slice_str(role),
                              .created_us = START, .expires_us = expires_us, .revoked_us = revoked_us };
    assert_ptr_equal(&w.token, &w.job + 1);
    assert_ok(digest_sha256(slice_str(text), w.token.hash, &e));
    assert_ok(store_run(f->host.store, &w.job, &e));
}

static void an_expired_or_revoked_token_is_refused_from_that_moment_on(void **state)
{
    struct fixture *f = *state;
    struct principal p;
    struct err e = { 0 };
    char text[70] = "eimd_00000000000000000000000000000000000000000000000000000000000000aa";
    store_token(f, text, "administrator", START + 10, 0);
    assert_ok(bearer(f, with(f, "Bearer ", text), &p, &e));
    f->env.clock_us = START + 9;
    assert_ok(bearer(f, with(f, "Bearer ", text), &p, &e));
    f->env.clock_us = START + 10;
    assert_refused(E_UNAUTHENTICATED, bearer(f, with(f, "Bearer ", text), &p, &e));
    text[68] = 'b';
    e = (struct err){ 0 };
    store_token(f, text, "administrator", 0, START + 20);
    assert_ok(bearer(f, with(f, "Bearer ", text), &p, &e));
    f->env.clock_us = START + 20;
    assert_refused(E_UNAUTHENTICATED, bearer(f, with(f, "Bearer ", text), &p, &e));
    text[68] = 'c';
    store_token(f, text, "emperor", 0, 0);             /* a role this version does not know */
    assert_refused(E_UNAUTHENTICATED, bearer(f, with(f, "Bearer ", text), &p, &e));
}

static void a_token_is_kept_once_and_a_revoked_one_stays_revoked(void **state)
{
    struct fixture *f = *state;
    struct principal p;
    struct err e = { 0 };
    char text[70] = "eimd_00000000000000000000000000000000000000000000000000000000000000dd";
    assert_ok(identity_token_keep(&f->host, "admin", slice_str(text), &f->arena, &e));
    assert_ok(bearer(f, with(f, "Bearer ", text), &p, &e));
    int64_t id = p.id;
    f->env.clock_us += 1000000;
    assert_ok(identity_token_keep(&f->host, "admin", slice_str(text), &f->arena, &e));
    assert_ok(bearer(f, with(f, "Bearer ", text), &p, &e));
    assert_int_equal(p.id, id);
    text[68] = 'e';
    store_token(f, text, "administrator", 0, START + 1);
    assert_ok(identity_token_keep(&f->host, "admin", slice_str(text), &f->arena, &e));
    assert_refused(E_UNAUTHENTICATED, bearer(f, with(f, "Bearer ", text), &p, &e));
    assert_refused(E_INVALID, identity_token_keep(&f->host, "admin", SLICE("eimd_short"), &f->arena, &e));
    text[30] = 'g';
    assert_refused(E_INVALID, identity_token_keep(&f->host, "admin", slice_str(text), &f->arena, &e));
}

static void a_lost_store_is_no_wrong_token(void **state)
{
    struct fixture *f = *state;
    struct principal p;
    struct err e;
    store_fail_at(f->host.store, 1);
    assert_refused(E_STORE, bearer(f, with(f, "Bearer ", f->token), &p, &e));
    store_fail_at(f->host.store, 0);
}

static void the_store_never_holds_the_token_itself(void **state)
{
    struct fixture *f = *state;
    struct tx *t;
    struct token k;
    struct err e = { 0 };
    uint8_t hash[32];
    assert_ok(digest_sha256(slice_str(f->token), hash, &e));
    assert_ok(store_read_begin(f->host.store, &t, &e));
    assert_ok(store_token_find(t, hash, &k, &f->arena, &e));
    store_read_end(t);
    assert_true(k.id != 0);
    assert_memory_equal(k.hash, hash, 32);
    assert_memory_not_equal(k.hash, f->token + 5, 32);
}

static void access_is_denied_by_default(void **state)
{
    (void)state;
    struct err e;
    struct principal nobody = { .tenant = 1 }, admin = { .tenant = 1, .may = UINT64_MAX };
    for (int p = 0; p < PERM_END; p++) {
        e = (struct err){ 0 };
        assert_ok(access_check(&admin, p, &e));
        assert_true(strlen(permission_name(p)) > 1 && strlen(permission_text(p)) > 1);
        if (p == PERM_NONE) {
            assert_ok(access_check(NULL, p, &e));
            continue;
        }
        assert_refused(E_FORBIDDEN, access_check(NULL, p, &e));
        assert_refused(E_FORBIDDEN, access_check(&nobody, p, &e));
        assert_non_null(strstr(e.why, permission_name(p)));
    }
    assert_refused(E_FORBIDDEN, access_check(&admin, PERM_END, &e));
    assert_refused(E_FORBIDDEN, access_check(&admin, (enum permission)-1, &e));
}

static void the_audit_line_has_one_order_and_leaves_out_what_does_not_apply(void **state)
{
    struct fixture *f = *state;
    struct eid eid = { { 0x89, 4, 0x90, 0x32, [15] = 0x63 } };
    uint8_t digest[32] = { 0xab, [31] = 0x01 };
    struct audit_entry all = { .tenant = 1, .principal = SLICE("token:admin"), .action = "operation.sent", .eid = &eid,
                               .operation = 0x1234, .counter = 42, .state = "sent", .digest = slice_of(digest, 32),
                               .detail = SLICE("because") };
    struct slice line = audit_format(&all, 0x55, START, &f->arena);
    static const char want[] =
        "{\"id\":\"aud_0000000000000055\",\"at\":\"2026-11-22T23:26:40.000Z\",\"tenant\":1,\"principal\":\"token:admin\","
        "\"action\":\"operation.sent\","
        "\"eid\":\"89049032000000000000000000000063\",\"operation\":\"op_0000000000001234\",\"counter\":42,\"state\":\"sent\","
        "\"sha256\":\"ab00000000000000000000000000000000000000000000000000000000000001\",\"detail\":\"because\"}";
    assert_int_equal(line.n, sizeof want - 1);
    assert_memory_equal(line.p, want, line.n);

    struct audit_entry least = { .tenant = 1, .principal = SLICE("eim"), .action = "x" };
    line = audit_format(&least, 1, START, &f->arena);
    static const char short_want[] = "{\"id\":\"aud_0000000000000001\",\"at\":\"2026-11-22T23:26:40.000Z\",\"tenant\":1,"
                                     "\"principal\":\"eim\",\"action\":\"x\"}";
    assert_int_equal(line.n, sizeof short_want - 1);
    assert_memory_equal(line.p, short_want, line.n);
}

static void whatever_stands_in_an_entry_the_line_stays_one_line_of_json(void **state)
{
    struct fixture *f = *state;
    static const struct { struct slice in; const char *out; } cases[] = {
        { { (const uint8_t *)"a\"b\\c", 5 }, "a\"b\\c" },
        { { (const uint8_t *)"\n\r\t\x01\x7f", 5 }, "\n\r\t\x01\x7f" },
        { { (const uint8_t *)"\"},{\"id\":1", 10 }, "\"},{\"id\":1" },
        { { (const uint8_t *)"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9 }, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80" },
        { { (const uint8_t *)"\xff", 1 }, "\xEF\xBF\xBD" },
        { { (const uint8_t *)"\xC0\x80", 2 }, "\xEF\xBF\xBD\xEF\xBF\xBD" },                             /* over-long */
        { { (const uint8_t *)"\xE0\x80\x80", 3 }, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { { (const uint8_t *)"\xED\xA0\x80", 3 }, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },             /* a surrogate */
        { { (const uint8_t *)"\xF4\x90\x80\x80", 4 }, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { { (const uint8_t *)"x\xE2\x82", 3 }, "x\xEF\xBF\xBD\xEF\xBF\xBD" },                           /* cut off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct audit_entry en = { .tenant = 1, .principal = cases[i].in, .action = "a", .detail = cases[i].in };
        struct slice line = audit_format(&en, 1, START, &f->arena);
        struct err e = { 0 };
        json_t *o;
        assert_null(memchr(line.p, '\n', line.n));
        assert_ok(json_read(line, 10000, &o, &e));
        assert_string_equal(json_string_value(json_object_get(o, "detail")), cases[i].out);
        assert_string_equal(json_string_value(json_object_get(o, "principal")), cases[i].out);
        assert_int_equal(json_object_size(o), 6);
        json_decref(o);
    }
}

static void an_entry_that_does_not_fit_is_an_error_and_no_cut_line(void **state)
{
    struct fixture *f = *state;
    static uint8_t much[10000];
    memset(much, 'x', sizeof much);
    struct audit_entry en = { .tenant = 1, .principal = SLICE("p"), .action = "a", .detail = slice_of(much, sizeof much) };
    assert_int_equal(audit_format(&en, 1, START, &f->arena).n, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_good_token_gives_its_principal),
        T(every_other_header_is_refused_in_the_same_words),
        T(an_expired_or_revoked_token_is_refused_from_that_moment_on),
        T(a_token_is_kept_once_and_a_revoked_one_stays_revoked),
        T(a_lost_store_is_no_wrong_token),
        T(the_store_never_holds_the_token_itself),
        T(access_is_denied_by_default),
        T(the_audit_line_has_one_order_and_leaves_out_what_does_not_apply),
        T(whatever_stands_in_an_entry_the_line_stays_one_line_of_json),
        T(an_entry_that_does_not_fit_is_an_error_and_no_cut_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
