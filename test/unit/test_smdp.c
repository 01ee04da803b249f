/* test_smdp.c -- the simulated SM-DP+ by itself: many devices at once, and requests that are none. */
#include "test/lib/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/fleet.h"
#include "sim/smdp.h"
#include "sim/tags.h"
#include "sim/tlv.h"

enum { THREADS = 4, EACH = 6 };
#define ADDRESS "smdp.example.com"

static struct err e;
static struct env env;
static struct sim_pki pki;
static struct sim_world world;
static struct sim_smdp *dp;
static struct sim_ipa_config ipa_config;

static int up(void **state)
{
    (void)state;
    env_real(&env);
    assert_ok(sim_pki_make(&pki, CURVE_P256, env.now(&env) - INT64_C(86400) * 1000000, &e));
    sim_world_init(&world, &pki, &env);
    struct sim_smdp_config c = { .pki = &pki, .env = &env, .address = ADDRESS, .iccid_prefix = "8949003", .spn = "C", .profile_name = "C",
                                 .package = 3000, .replace_keys = true };
    assert_ok(sim_smdp_new(&dp, &c, &e));
    return 0;
}

static int down(void **state)
{
    (void)state;
    sim_smdp_free(dp);
    sim_world_free(&world);
    sim_pki_free(&pki);
    return 0;
}

static enum sim_reply es9(void *arg, const char *address, const char *function, struct slice json, struct slice *reply, struct arena *a)
{
    char path[128];
    struct buf b;
    (void)arg;
    (void)address;
    snprintf(path, sizeof path, SIM_SMDP_PATH "%s", function);
    buf_init(&b, 1 << 20);
    int status = sim_smdp_post(dp, path, json, &b);
    *reply = arena_copy(a, buf_slice(&b));
    buf_free(&b);
    return status == 200 || status == 204 ? SIM_REPLY : SIM_REFUSED;
}

/* An eIM that gives one trigger and takes one result. */
struct little_eim { unsigned polls; struct slice result; struct arena a; };
static enum sim_reply post(void *arg, struct slice request, struct slice *reply, struct arena *a)
{
    struct little_eim *l = arg;
    struct tlv t;
    assert_true(tlv_only(request, &t));
    if (t.tag == T_PROVIDE_RESULT) {
        l->result = arena_copy(&l->a, request);
        *reply = TLV(a, T_PROVIDE_RESULT, TLV_EMPTY(a, T_SEQUENCE));
    } else if (l->polls++ == 0) {
        struct slice code = tlv_put_str(a, T_0, "1$" ADDRESS "$M");
        *reply = TLV(a, T_GET_EIM_PACKAGE, TLV(a, T_TRIGGER, TLV(a, T_C0, code), TLV(a, T_2, SLICE("0123456789abcdef"))));
    } else {
        *reply = TLV(a, T_GET_EIM_PACKAGE, tlv_put_int(a, T_INTEGER, 1));
    }
    return SIM_REPLY;
}

static bool one(uint64_t index)
{
    struct sim_device *d = calloc(1, sizeof *d);
    struct little_eim l = { 0 };
    struct sim_counters n = { 0 };
    struct arena a;
    arena_init(&l.a, 1 << 16);
    arena_init(&a, SIM_IPA_ARENA);
    sim_device_init(d, &world, &ipa_config, 9, index);
    d->ipa.download = SIM_DOWNLOAD_DIRECT;
    const struct sim_transport t = { post, &l, es9 };
    bool good = sim_ipa_contact(&d->ipa, &t, &n, &a) == SIM_IDLE && n.downloads == 1 && l.result.n > 0 &&
                d->card.profiles[2].flags & SIM_USED && d->card.stored.n == 0;
    sim_device_free(d);
    free(d);
    arena_free(&a);
    arena_free(&l.a);
    return good;
}

static void *many(void *arg)
{
    uintptr_t good = 0;
    for (unsigned i = 0; i < EACH; i++) good += one((uintptr_t)arg * EACH + i);
    return (void *)good;
}

static void many_devices_download_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    void *good;
    for (uintptr_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, many, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &good);
        assert_int_equal((uintptr_t)good, EACH);
    }
    struct sim_smdp_counts n = sim_smdp_counts(dp);
    assert_int_equal(n.installed, THREADS * EACH);
    assert_int_equal(n.refused + n.unverified + n.failed, 0);
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    static const struct { const char *path, *body; int status; const char *reason; } rows[] = {
        { "/", "{}", 404, NULL },
        { SIM_SMDP_PATH "other", "{}", 404, NULL },
        { SIM_SMDP_PATH "initiateAuthentication", "", 400, NULL },
        { SIM_SMDP_PATH "initiateAuthentication", "{}", 400, NULL },                   /* no header object (spec 6.40) */
        { SIM_SMDP_PATH "initiateAuthentication", "{\"header\":{\"functionCallIdentifier\":\"1\"}}", 200, "\"2.2\"" },
        { SIM_SMDP_PATH "authenticateClient",
          "{\"header\":{\"functionCallIdentifier\":\"1\"},\"transactionId\":\"00\",\"authenticateServerResponse\":\"vzgA\"}",
          200, "\"8.10.1\"" },
        { SIM_SMDP_PATH "handleNotification", "{\"header\":{\"functionCallIdentifier\":\"1\"},\"pendingNotification\":\"vzcA\"}", 204, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        assert_int_equal(sim_smdp_post(dp, rows[i].path, slice_str(rows[i].body), &b), rows[i].status);
        assert_true(!rows[i].reason || memmem(b.p, b.n, rows[i].reason, strlen(rows[i].reason)) != NULL);
        buf_free(&b);
    }
    assert_int_equal(sim_smdp_counts(dp).unverified, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_devices_download_at_once, up, down),
        cmocka_unit_test_setup_teardown(what_is_no_request_is_refused, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
