/* test_sim_fleet.c -- a fleet of simulated devices over real HTTP against a small server that plays the eIM. */
#include "test/unit/sim_double.h"

#include <time.h>

#include "net/http.h"
#include "net/httpc.h"
#include "net/loop.h"
#include "sim/fleet.h"

enum { DEVICES = 60, SEED = 77 };

/* What the server does; it runs on one loop thread, which alone uses `rig` while the fleet runs. */
struct server {
    struct loops *loops;
    struct http_server *http;
    bool done[DEVICES], wrong;         /* which devices delivered a result; a request that no IPA sends */
    unsigned delivered[DEVICES];
    int status;                        /* instead of an answer */
    bool no_admin, wrong_type;
    unsigned requests;
};

static struct rig rig;
static struct server server;
static struct env clock_env;

/* ---- the server ---------------------------------------------------------------------------------------------- */

static uint32_t index_of(struct slice eid)
{
    uint8_t want[SIM_EID];
    for (uint32_t i = 0; i < DEVICES; i++) {
        sim_eid_make(SEED, i, want);
        if (slice_eq(eid, slice_of(want, SIM_EID)))
            return i;
    }
    return DEVICES;
}

static struct slice on_poll(struct slice eid, uint32_t i, struct arena *a)
{
    uint8_t iccid[10];
    if (server.done[i])
        return TLV(a, T_GET_EIM_PACKAGE, tlv_put_int(a, T_INTEGER, 1));
    sim_iccid_make(rig.w.operators[1].iccid_prefix, SEED, i, iccid);
    struct slice op = TLV(a, T_C3, TLV(a, T_ICCID, slice_of(iccid, 10)), TLV_EMPTY(a, T_NULL));
    return TLV(a, T_GET_EIM_PACKAGE, package_for(&rig, eid.p, 1, TLV(a, T_C0, op)));
}

/* Acknowledges the result and every notification. */
static struct slice on_result(struct slice body, uint32_t i, struct arena *a)
{
    struct tlv_list acks = { 0 };
    struct tlv t, epr, data, f;
    server.delivered[i]++;
    if (tlv_take(&body, T_SEQUENCE, &t)) {
        body = t.value;
        (void)tlv_take(&body, T_EUICC_PACKAGE, &epr);
        for (struct slice list = body; tlv_next(&list, &t);)
            for (struct slice one = t.value; tlv_take(&one, T_SEQUENCE, &f);)
                if (tlv_take(&f.value, T_NOTIFICATION_METADATA, &data) && tlv_take(&data.value, T_0, &f))
                    tlv_add(&acks, f.raw);
    } else {
        (void)tlv_take(&body, T_EUICC_PACKAGE, &epr);
    }
    if (tlv_take(&epr.value, T_C0, &t) && tlv_take(&t.value, T_SEQUENCE, &data) && tlv_find(data.value, T_3, &f)) {
        tlv_add(&acks, TLV(a, T_0, f.value));
        server.done[i] = true;
    }
    return TLV(a, T_PROVIDE_RESULT, tlv_list_end(a, T_ACKS, &acks));
}

static struct slice answer(const struct http_request *r, struct arena *a)
{
    struct tlv t, eid;
    bool right = strcmp(r->method, "POST") == 0 && strcmp(r->path, "/gsma/rsp2/asn1") == 0 && r->content_type &&
                 strcmp(r->content_type, "application/x-gsma-rsp-asn1") == 0 && r->x_admin_protocol &&
                 strcmp(r->x_admin_protocol, "gsma/rsp/v2.1.0") == 0 && http_header(r, "User-Agent") &&
                 strcmp(http_header(r, "User-Agent"), "gsma-rsp-ipad") == 0;
    if (!right || !tlv_only(r->body, &t) || !tlv_take(&t.value, T_EID, &eid) || index_of(eid.value) == DEVICES) {
        server.wrong = true;
        return (struct slice){ 0 };
    }
    uint32_t i = index_of(eid.value);
    return t.tag == T_GET_EIM_PACKAGE ? on_poll(eid.value, i, a) : on_result(t.value, i, a);
}

static void handle(void *arg, struct http_exchange *x)
{
    static const struct http_field admin = { "X-Admin-Protocol", "gsma/rsp/v2.1.0" };
    (void)arg;
    server.requests++;
    struct http_reply r = { .status = server.status ? server.status : 200, .headers = &admin, .n_headers = !server.no_admin,
                            .content_type = server.wrong_type ? "text/plain" : "application/x-gsma-rsp-asn1" };
    r.body = answer(&x->req, x->arena);
    http_reply_send(x, &r);
}

static int start(void **state)
{
    (void)state;
    rig_open(&rig, CURVE_P256);
    rig.token = 1;
    server = (struct server){ 0 };
    env_real(&clock_env);
    struct http_config c = { .env = &clock_env, .handle = handle };
    assert_int_equal(httpc_init(&rig.e), OK);
    assert_int_equal(loops_start(&server.loops, 1, &rig.e), OK);
    assert_int_equal(http_listen(&server.http, server.loops, &c, &rig.e), OK);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    http_server_free(server.http);
    loops_stop(server.loops);
    rig_close(&rig);
    return 0;
}

/* ---- the fleet ----------------------------------------------------------------------------------------------- */

static struct sim_fleet_config settings(char url[64])
{
    struct slice fields = eim_fields(&rig, EIM_ID, rig.eim_key, 0, -1);
    snprintf(url, 64, "http://127.0.0.1:%d", http_server_port(server.http));
    return (struct sim_fleet_config){ .url = url, .world = &rig.w, .seed = SEED, .devices = DEVICES, .threads = 8, .interval_us = 1000,
                                      .jitter_pct = 50, .until_idle = true, .ipa = { .rollback_tries = 2 },
                                      .eim_config = TLV(&rig.a, T_ADD_INITIAL_EIM, TLV(&rig.a, T_C0, TLV(&rig.a, T_SEQUENCE, fields))) };
}

static struct sim_fleet *make(const struct sim_fleet_config *c)
{
    struct sim_fleet *f;
    assert_int_equal(sim_fleet_new(&f, c, &rig.e), OK);
    return f;
}

/* Run until all devices stopped; the test's timeout is the driver's. */
static void run(struct sim_fleet *f, struct sim_fleet_state *s)
{
    const struct timespec tick = { 0, 10000000 };
    assert_int_equal(sim_fleet_start(f, &rig.e), OK);
    while (!sim_fleet_done(f))
        nanosleep(&tick, NULL);
    sim_fleet_stop(f);
    sim_fleet_look(f, s);
}

static void every_device_runs_its_package_once_whatever_is_lost(void **state)
{
    (void)state;
    char url[64];
    struct sim_fleet_state s;
    struct sim_fleet_config c = settings(url);
    c.ipa.loss_ppm = 200000;
    c.ipa.rollback_tries = 12;         /* a device that merely loses messages must not roll back: 0.2 to the 12th */
    struct sim_fleet *f = make(&c);
    run(f, &s);
    assert_false(server.wrong);
    assert_int_equal(s.idle, DEVICES);
    assert_int_equal(s.enabled[1], DEVICES);
    assert_int_equal(s.counters.executed, DEVICES);
    assert_int_equal(s.counters.refused_replay, 0);
    assert_int_equal(s.counters.switches, DEVICES);
    assert_int_equal(s.counters.checks, DEVICES);
    assert_true(s.counters.lost_replies > 0 && s.counters.lost_requests > 0);
    assert_int_equal(s.counters.transport_errors, 0);
    assert_int_equal(s.owing, 0);
    assert_int_equal(s.stuck + s.faulty, 0);
    for (uint32_t i = 0; i < DEVICES; i++)
        assert_int_equal(sim_fleet_device(f, i)->card.stored.n, 0);
    sim_fleet_free(f);
}

static void devices_without_coverage_roll_back_and_only_those(void **state)
{
    (void)state;
    char url[64];
    struct sim_fleet_state s;
    struct sim_fleet_config c = settings(url);
    c.no_coverage = 7;
    c.no_coverage_operator = 1;
    struct sim_fleet *f = make(&c);
    run(f, &s);
    assert_int_equal(s.counters.rollbacks, 7);
    assert_int_equal(s.counters.no_coverage, 14);
    assert_int_equal(s.enabled[0], 7);
    assert_int_equal(s.enabled[1], DEVICES - 7);
    for (uint32_t i = 0; i < DEVICES; i++)
        assert_int_equal(server.delivered[i], 1);
    sim_fleet_free(f);
}

static void quirks_hit_as_many_devices_as_asked(void **state)
{
    (void)state;
    char url[64];
    struct sim_fleet_config c = settings(url);
    c.quirk_devices[SIM_ROW_NO_EID] = 1;
    c.quirk_devices[SIM_ROW_DUPLICATE] = 13;
    c.quirk_devices[SIM_ROW_CAT_BUSY] = DEVICES;
    struct sim_fleet *f = make(&c);
    unsigned n[3] = { 0 };
    for (uint32_t i = 0; i < DEVICES; i++) {
        uint64_t q = sim_fleet_device(f, i)->card.quirks;
        n[0] += !!(q & SIM_Q(NO_EID));
        n[1] += !!(q & SIM_Q(DUPLICATE));
        n[2] += !!(q & SIM_Q(CAT_BUSY));
        assert_int_equal(q & ~(SIM_Q(NO_EID) | SIM_Q(DUPLICATE) | SIM_Q(CAT_BUSY)), 0);
    }
    assert_int_equal(n[0], 1);
    assert_int_equal(n[1], 13);
    assert_int_equal(n[2], DEVICES);
    sim_fleet_free(f);
}

static void http_answers_that_are_no_esipa_are_told_apart(void **state)
{
    (void)state;
    static const struct { int status; bool no_admin, wrong_type; bool malformed, refused; } rows[] = {
        { 404, false, false, false, true }, { 200, true, false, true, false }, { 200, false, true, true, true },
    };
    char url[64];
    struct sim_fleet_state s;
    struct sim_fleet_config c = settings(url);
    c.devices = 3;
    for (size_t i = 0; i < 3; i++) {
        server.status = rows[i].status;
        server.no_admin = rows[i].no_admin;
        server.wrong_type = rows[i].wrong_type;
        struct sim_fleet *f = make(&c);
        run(f, &s);
        assert_int_equal(s.counters.malformed > 0, rows[i].malformed);
        assert_int_equal(s.counters.refused_http > 0, rows[i].refused);
        assert_int_equal(s.stuck, rows[i].refused ? 3 : 0);
        assert_int_equal(s.idle, rows[i].refused ? 0 : 3);
        sim_fleet_free(f);
    }
}

static void a_busy_server_is_tried_again(void **state)
{
    (void)state;
    char url[64];
    uint32_t idle;
    uint64_t messages;
    struct sim_fleet_state s;
    struct sim_fleet_config c = settings(url);
    const struct timespec tick = { 0, 10000000 };
    c.devices = 4;
    server.status = 503;
    struct sim_fleet *f = make(&c);
    assert_int_equal(sim_fleet_start(f, &rig.e), OK);
    do {
        nanosleep(&tick, NULL);
        sim_fleet_progress(f, &idle, &messages);
    } while (messages < 8);                                        /* every device came twice at least, on average */
    assert_int_equal(idle, 0);
    assert_false(sim_fleet_done(f));
    sim_fleet_stop(f);
    sim_fleet_look(f, &s);
    assert_int_equal(s.counters.transport_errors, s.counters.polls);
    assert_int_equal(s.counters.executed, 0);
    sim_fleet_free(f);
}

static void nonsense_is_refused_before_anything_runs(void **state)
{
    (void)state;
    char url[64];
    struct sim_fleet *f;
    struct sim_fleet_config c = settings(url);
    c.devices = 0;
    assert_int_equal(sim_fleet_new(&f, &c, &rig.e), E_INVALID);
    c.devices = 2;
    c.threads = SIM_THREADS_MAX + 1;
    assert_int_equal(sim_fleet_new(&f, &c, &rig.e), E_INVALID);
    c.threads = 1;
    c.eim_config = SLICE("nonsense");
    assert_int_equal(sim_fleet_new(&f, &c, &rig.e), E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
        T(every_device_runs_its_package_once_whatever_is_lost),
        T(devices_without_coverage_roll_back_and_only_those),
        T(quirks_hit_as_many_devices_as_asked),
        T(http_answers_that_are_no_esipa_are_told_apart),
        T(a_busy_server_is_tried_again),
        T(nonsense_is_refused_before_anything_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
