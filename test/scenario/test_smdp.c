/* test_smdp.c -- profiles come from a simulated SM-DP+ with real cryptography onto simulated cards, straight and through the eIM: how it goes
 * well, every way in which the SM-DP+ or the card refuses, and a lost message at every step. */
#include "test/scenario/field.h"

#include "base/json.h"
#include "base/outbound.h"
#include "sim/smdp.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;
static struct err e;
static struct sim_smdp *dp, *ds;       /* the SM-DP+, and an SM-DS that knows of it, or NULL */
static struct sim_smdp_config config;
static int lose;                       /* the Nth answer of the SM-DP+ from now is lost */
static bool direct;

#define ADDRESS "smdp.example.com"
#define SMDS "smds.example.com"
static const char order[] = "{\"download\":{\"activation_code\":\"1$" ADDRESS "$MATCH-1\"}}";

static int call(const char *host, const char *function, struct slice body, struct buf *reply)
{
    char path[128];
    bool to_ds = ds && !strcmp(host, SMDS);
    if (!to_ds) assert_string_equal(host, ADDRESS);
    snprintf(path, sizeof path, SIM_SMDP_PATH "%s", function);
    int status = sim_smdp_post(to_ds ? ds : dp, path, body, reply);
    if (lose && --lose == 0) status = 0;
    return status;
}

static enum eim_err reach(struct outbound *o, const struct outbound_request *q, int *status, struct buf *reply, struct err *err)
{
    struct buf all;
    (void)o;
    buf_init(&all, SIM_SMDP_HUGE + (1 << 20));
    char host[64];
    assert_int_equal(sscanf(q->url, "https://%63[^/]", host), 1);
    *status = call(host, strrchr(q->url, '/') + 1, q->body, &all);
    bool fits = all.n <= q->reply_max;
    buf_reset(reply);
    if (fits) buf_put(reply, buf_slice(&all));
    buf_free(&all);
    if (*status == 0) return fail(err, E_IO, NULL, "no answer within 30 s");
    return fits ? OK : fail(err, E_TOO_LARGE, NULL, "the answer is larger than %zu octets", q->reply_max);
}

static enum sim_reply es9(void *arg, const char *address, const char *function, struct slice json, struct slice *reply, struct arena *a)
{
    struct buf b;
    (void)arg;
    buf_init(&b, SIM_SMDP_HUGE + (1 << 20));
    int status = call(address, function, json, &b);
    bool fits = b.n < 2 << 20;
    *reply = fits ? arena_copy(a, buf_slice(&b)) : (struct slice){ 0 };
    buf_free(&b);
    return status == 0 || status >= 500 || !fits ? SIM_LOST : status < 300 ? SIM_REPLY : SIM_REFUSED;
}

static void smdp_new(void)
{
    sim_smdp_free(dp);
    config.pki = &f.pki;
    config.env = &f.clock.env;
    config.address = ADDRESS;
    config.iccid_prefix = "8949003";
    config.spn = "Operator C";
    config.profile_name = "C IoT";
    assert_ok(sim_smdp_new(&dp, &config, &e));
}

static void device(unsigned i)
{
    gadget_make(&g, &f, i, true);
    g.ipa.download = direct ? SIM_DOWNLOAD_DIRECT : SIM_DOWNLOAD_INDIRECT;
    gadget_settle(&g);
}

static int up(void **state)
{
    static struct outbound out = { .request = reach };
    (void)state;
    config = (struct sim_smdp_config){ .package = 5000, .seed = 7 };
    direct = false;
    lose = 0;
    field_open(&f);
    f.set.indirect = true;
    eim_reload(f.eim, &f.set, NULL);
    f.es9 = es9;
    field_outbound(&f, &out);
    smdp_new();
    device(1);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    sim_smdp_free(dp);
    sim_smdp_free(ds);
    dp = ds = NULL;
    field_close(&f);
    return 0;
}

/* Another device that is fetched from directly, or not. */
static void start_again(bool straight)
{
    static unsigned i = 100;
    gadget_free(&g);
    direct = straight;
    device(i++);
}

static int64_t download(void)
{
    int64_t op = gadget_order(&g, order);
    gadget_settle(&g);
    return op;
}

static unsigned profiles(void)
{
    unsigned n = 0;
    for (int i = 0; i < SIM_PROFILES; i++) n += g.card.profiles[i].flags & SIM_USED ? 1 : 0;
    return n;
}

static void forward_all(void)
{
    bool did = true;
    for (int i = 0; did && i < 10; i++) assert_ok(eim_forward(f.eim, &did, &e));
}

/* It is on the card, in the inventory and known to the SM-DP+. */
static void is_there(int64_t op, unsigned n)
{
    if (gadget_state(&g, op) != OP_DONE) fail_msg("%s: %s", direct ? "direct" : "indirect", gadget_reason(&g, op));
    assert_true(strstr(gadget_reason(&g, op), "installed") != NULL);
    assert_int_equal(profiles(), n);
    gadget_settle(&g);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.profiles.n, n);
    forward_all();
    assert_int_equal(sim_smdp_counts(dp).unverified, 0);
    assert_null(g.card.session);
}

static void is_not_there(int64_t op, const char *words)
{
    if (gadget_state(&g, op) != OP_FAILED || !strstr(gadget_reason(&g, op), words))
        fail_msg("%s, \"%s\" expected: %d %s", direct ? "direct" : "indirect", words, (int)gadget_state(&g, op), gadget_reason(&g, op));
    assert_int_equal(profiles(), 2);
}

/* ---- tests ---- */

static void a_profile_comes_straight_and_through_the_eim(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        config.replace_keys = way >= 2;
        config.package = way >= 2 ? 60000 : 5000;
        smdp_new();
        start_again(way % 2);
        is_there(download(), 3);
        struct sim_smdp_counts n = sim_smdp_counts(dp);
        assert_int_equal(n.installed, 1);
        assert_int_equal(n.packages, 1);
        assert_int_equal(n.refused + n.failed + n.cancelled, 0);
        assert_int_equal(n.calls[SIM_ES9_NOTIFICATION], 1);        /* one of the two told it, never both */
        assert_true(g.card.profiles[2].operator_ == 2);
        assert_int_equal(g.n.downloads, 1);
    }
}

static void a_lost_answer_at_any_step_changes_nothing(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++)
        for (int step = 1; step <= 3 + way; step++) {        /* of the SM-DP+; the fourth is its notification */
            start_again(way);
            int64_t op = gadget_order(&g, order);
            lose = step;
            gadget_settle(&g);
            if (lose) fail_msg("nothing was lost at step %d", step);
            if (way) is_there(op, 3);
            else is_not_there(op, "no answer within 30 s");        /* the eIM asks once and says so */
        }
    for (int step = 1; step <= 6; step++) {            /* of the eIM, from the trigger to the acknowledgement */
        start_again(false);
        int64_t op = gadget_order(&g, order);
        f.lose_reply = step;
        gadget_settle(&g);
        assert_int_equal(f.lose_reply, 0);
        if (step == 1) {                               /* the trigger itself: given again after an hour */
            assert_int_equal(gadget_state(&g, op), OP_SENT);
            field_pass(&f, HOUR + 1);
            gadget_settle(&g);
        }
        is_there(op, 3);
    }
}

static void whatever_the_smdp_does_wrong_ends_in_an_error_with_a_cause(void **state)
{
    (void)state;
    static const struct { enum sim_smdp_fault fault; enum sim_es9 from, to; const char *words; } rows[] = {
        { SIM_SMDP_HTML, 0, 2, "line 1" },            { SIM_SMDP_HALF, 0, 2, "" },
        { SIM_SMDP_TOO_MUCH, 0, 2, "larger than" },   { SIM_SMDP_NEVER, 0, 2, "no answer" },
        { SIM_SMDP_STATUS_500, 0, 2, "answers 500" }, { SIM_SMDP_OTHER_ID, 1, 2, "transaction" },
        { SIM_SMDP_OTHER_ADDRESS, 0, 0, "another address" },
        { SIM_SMDP_REFUSED, 0, 0, "invalidDpAddress" }, { SIM_SMDP_REFUSED, 1, 1, "matchingIdRefused" },
        { SIM_SMDP_REFUSED, 2, 2, "downloadOrderExpired" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned k = rows[i].from; k <= rows[i].to; k++)
            for (int way = 0; way < 2; way++) {
                bool own = way && (rows[i].fault == SIM_SMDP_OTHER_ID || rows[i].fault == SIM_SMDP_OTHER_ADDRESS);
                if (own) continue;                     /* the card looks at neither; the eIM does */
                start_again(way);
                sim_smdp_go_wrong(dp, k, rows[i].fault);
                int64_t op = download();
                is_not_there(op, way ? "undefinedError(127) (IPA-reported)" : rows[i].words);
                if (!way && !strstr(gadget_reason(&g, op), sim_es9_names[k])) fail_msg("%s", gadget_reason(&g, op));
                sim_smdp_go_wrong(dp, k, SIM_SMDP_NONE);
                is_there(download(), 3);               /* and the next one is good */
            }
}

static void what_is_signed_wrongly_the_card_does_not_take(void **state)
{
    (void)state;
    static const struct { enum sim_smdp_fault fault; enum sim_es9 at; const char *words; } rows[] = {
        { SIM_SMDP_BAD_SIGNATURE, SIM_ES9_INITIATE, "undefinedError" }, { SIM_SMDP_WRONG_ROLE, SIM_ES9_INITIATE, "undefinedError" },
        { SIM_SMDP_BAD_SIGNATURE, SIM_ES9_AUTHENTICATE, NULL },         { SIM_SMDP_WRONG_ROLE, SIM_ES9_AUTHENTICATE, NULL },
        { SIM_SMDP_BAD_SIGNATURE, SIM_ES9_BOUND, "invalidSignature(2) (eUICC-signed)" },
        { SIM_SMDP_WRONG_ROLE, SIM_ES9_BOUND, "invalidSignature(2) (eUICC-signed)" },
        { SIM_SMDP_BAD_MAC, SIM_ES9_BOUND, "(8) (eUICC-signed)" },
        { SIM_SMDP_BAD_METADATA, SIM_ES9_BOUND, "incorrectInputValues(1) (eUICC-signed)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int way = 0; way < 2; way++) {
            start_again(way);
            sim_smdp_go_wrong(dp, rows[i].at, rows[i].fault);
            const char *words = rows[i].words;
            is_not_there(download(), words ? words : way ? "undefinedError" : "cancelled the session: undefinedReason(127)");
            sim_smdp_go_wrong(dp, rows[i].at, SIM_SMDP_NONE);
            assert_int_equal(g.n.downloads_failed, 1);
        }
    forward_all();
    assert_int_equal(sim_smdp_counts(dp).failed, 8);   /* four signed results, each told by both ways */
    assert_int_equal(sim_smdp_counts(dp).cancelled, 4);
    assert_int_equal(sim_smdp_counts(dp).unverified, 0);
}

static void a_card_that_cannot_take_it_says_why(void **state)
{
    (void)state;
    static const struct { uint64_t quirk; const char *words; } rows[] = {
        { SIM_Q(NO_MEMORY), "(10) (eUICC-signed)" }, { SIM_Q(INTERRUPTED), "(11) (eUICC-signed)" }, { SIM_Q(PPR_REFUSED), "(15) (eUICC-signed)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int way = 0; way < 2; way++) {
            start_again(way);
            g.card.quirks |= rows[i].quirk;
            is_not_there(download(), rows[i].words);
            forward_all();
            assert_true(strstr(rows[i].words, "(1") != NULL && sim_smdp_counts(dp).last_reason == 10 + (int64_t)(i < 2 ? i : 5));
        }
    start_again(false);
    is_there(download(), 3);
    int64_t again = download();                        /* the same matching id: the same profile */
    assert_int_equal(gadget_state(&g, again), OP_FAILED);
    assert_true(strstr(gadget_reason(&g, again), "(9) (eUICC-signed)") != NULL);
}

static void a_confirmation_code_is_wanted_and_must_be_right(void **state)
{
    (void)state;
    config.confirmation_code = "4711";
    smdp_new();
    start_again(true);
    is_not_there(download(), "undefinedError");        /* nobody has one */
    f.ipa_config.confirmation_code = "0815";
    start_again(true);
    is_not_there(download(), "undefinedError");
    start_again(false);
    is_not_there(download(), "confirmationCodeRefused");
    f.ipa_config.confirmation_code = "4711";
    for (int way = 0; way < 2; way++) {
        start_again(way);
        is_there(download(), 3);
    }
    f.ipa_config.confirmation_code = NULL;
    start_again(false);
    is_not_there(download(), "confirmationCodeMissing");
}

static void only_the_right_matching_id_is_served(void **state)
{
    (void)state;
    config.only_matching_id = "MATCH-2";
    smdp_new();
    is_not_there(download(), "matchingIdRefused");
    config.only_matching_id = "MATCH-1";
    smdp_new();
    is_there(download(), 3);
}

/* What the IPA announces decides who names the SM-DP+ and the matching id, and who makes ctxParams1. */
static void each_ipa_gets_what_it_leaves_to_the_eim(void **state)
{
    (void)state;
    config.only_matching_id = "MATCH-1";
    smdp_new();
    static const unsigned features[] = { 2, 2 | 4, 2 | 4 | 8, 2 | 8 };
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        f.ipa_config.features = features[i];
        start_again(false);
        is_there(download(), 3);
    }
    f.ipa_config.features = 0;
    assert_int_equal(sim_smdp_counts(dp).installed, 4);
}

/* Compact forms verify at the SM-DP+ and at the eIM only if the full ones are made of them octet for octet. */
static void compact_forms_become_what_the_card_signed(void **state)
{
    (void)state;
    static const unsigned features[] = { 2 | 32, 2 | 4 | 32, 2 | 4 | 8 | 32 };
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        f.ipa_config.features = features[i];
        start_again(false);
        is_there(download(), 3);
    }
    assert_int_equal(sim_smdp_counts(dp).installed, 3);

    config.confirmation_code = "4711";             /* its hash comes from the eIM, or from the device's owner */
    smdp_new();
    start_again(false);
    int64_t op = gadget_order(&g, "{\"download\":{\"activation_code\":\"1$" ADDRESS "$MATCH-1$$1\",\"confirmation_code\":\"4711\"}}");
    gadget_settle(&g);
    is_there(op, 3);
    f.ipa_config.confirmation_code = "4711";
    start_again(false);
    is_there(download(), 3);
    f.ipa_config.confirmation_code = NULL;

    config.confirmation_code = NULL;
    smdp_new();
    sim_smdp_go_wrong(dp, SIM_ES9_AUTHENTICATE, SIM_SMDP_BAD_SIGNATURE);       /* the card refuses it; the session is cancelled */
    start_again(false);
    is_not_there(download(), "cancel");
    assert_int_equal(sim_smdp_counts(dp).cancelled, 1);
    sim_smdp_go_wrong(dp, SIM_ES9_AUTHENTICATE, SIM_SMDP_NONE);
    sim_smdp_go_wrong(dp, SIM_ES9_BOUND, SIM_SMDP_BAD_MAC);                    /* it is not installed, and says so */
    start_again(false);
    is_not_there(download(), "");
    forward_all();
    assert_int_equal(sim_smdp_counts(dp).failed, 1);
    assert_int_equal(sim_smdp_counts(dp).unverified, 0);
    f.ipa_config.features = 0;
}

static void smds_new(const char *server, const char *event)
{
    struct sim_smdp_config c = config;
    sim_smdp_free(ds);
    c.address = SMDS;
    c.only_matching_id = NULL;
    c.event_server = server;
    c.event_id = event;
    assert_ok(sim_smdp_new(&ds, &c, &e));
}

static int64_t by_smds(void)
{
    int64_t op = gadget_order(&g, "{\"download\":{\"smds\":\"" SMDS "\"}}");
    gadget_settle(&g);
    return op;
}

static void account(void)
{
    struct smdp_account s = { .name = SLICE("dp"), .address = SLICE(ADDRESS), .connect_ms = 1000, .total_ms = 1000, .max_parallel = 1, .enabled = true };
    assert_ok(manage_smdp_put(f.eim, &f.admin, 0, &s, field_arena(&f), &e));
}

static void an_smds_says_where_the_profile_is(void **state)
{
    (void)state;
    static const unsigned features[] = { 2, 2 | 4, 2 | 4 | 8, 2 | 4 | 32 };
    config.only_matching_id = "EVENT-1";
    smdp_new();
    smds_new(ADDRESS, "EVENT-1");
    account();
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        f.ipa_config.features = features[i];
        start_again(false);
        is_there(by_smds(), 3);
    }
    f.ipa_config.features = 0;
    start_again(true);
    is_there(by_smds(), 3);
    assert_int_equal(sim_smdp_counts(ds).calls[SIM_ES9_AUTHENTICATE], 5);
    for (int step = 1; step <= 8; step++) {            /* of the eIM, any answer lost */
        start_again(false);
        int64_t op = gadget_order(&g, "{\"download\":{\"smds\":\"" SMDS "\"}}");
        f.lose_reply = step;
        gadget_settle(&g);
        assert_int_equal(f.lose_reply, 0);
        field_pass(&f, HOUR + 1);
        gadget_settle(&g);
        is_there(op, 3);
    }
}

static void what_an_smds_says_is_not_believed(void **state)
{
    (void)state;
    smds_new(ADDRESS, "");
    account();
    is_not_there(by_smds(), "no event waits at the SM-DS");
    smds_new("127.0.0.1:5432", "EVENT-1");            /* I12: it is on no list of ours */
    start_again(false);
    is_not_there(by_smds(), "unlisted address");
    smds_new("smdp.example.com/../x", "EVENT-1");
    start_again(false);
    is_not_there(by_smds(), "names an event that is none");
    smds_new(ADDRESS, "A$B");
    start_again(false);
    is_not_there(by_smds(), "names an event that is none");
    struct sim_smdp *real = dp;                        /* an SM-DP+ of an activation code has no events to tell */
    smds_new(ADDRESS, "EVENT-1");
    struct sim_smdp_config c = config;
    c.address = ADDRESS;
    c.event_server = "other.example.com";
    c.event_id = "EVENT-2";
    assert_ok(sim_smdp_new(&dp, &c, &e));
    start_again(false);
    is_not_there(download(), "is missing");
    sim_smdp_free(dp);
    dp = real;
    start_again(false);
    is_there(by_smds(), 3);
}

static int64_t with(const char *requires)
{
    char text[256];
    snprintf(text, sizeof text, "{\"download\":{\"activation_code\":\"1$" ADDRESS "$MATCH-1\"},\"requires\":%s}", requires);
    int64_t op = gadget_order(&g, text);
    gadget_settle(&g);
    return op;
}

static void what_the_smdp_offers_must_be_what_was_ordered(void **state)
{
    (void)state;
    char mine[64], digits[21];
    is_there(download(), 3);
    iccid_print(slice_of(g.card.profiles[2].iccid, 10), digits);
    snprintf(mine, sizeof mine, "{\"iccid\":\"%s\"}", digits);
    smdp_new();                                        /* as it was: the first profile it makes is that one again */
    start_again(false);
    is_there(with(mine), 3);
    start_again(false);
    is_not_there(with(mine), "another ICCID");
    config.ppr = SIM_PPR1 | SIM_PPR2;
    smdp_new();
    start_again(false);
    is_not_there(with("{\"policy_rules\":[]}"), "policy rules");
    start_again(false);
    is_not_there(with("{\"policy_rules\":[\"ppr1\"]}"), "policy rules");
    assert_int_equal(sim_smdp_counts(dp).cancelled, 2);        /* the card gave the session up, and the SM-DP+ knows */
    start_again(false);
    is_there(with("{\"policy_rules\":[\"ppr1\",\"ppr2\"]}"), 3);
    start_again(false);
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":true},\"requires\":{\"policy_rules\":[\"ppr3\"]}}", E_INVALID);
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":true},\"requires\":{\"iccid\":\"12\"}}", E_INVALID);
    f.set.indirect = false;
    eim_reload(f.eim, &f.set, NULL);
    (void)gadget_try(&g, "{\"download\":{\"default_smdp\":true},\"requires\":{\"policy_rules\":[]}}", E_RULE);
}

/* 300 kB of profile; the segments are many, the keys are replaced. */
static void a_large_profile_comes_too(void **state)
{
    (void)state;
    config.package = 300000;
    config.replace_keys = true;
    smdp_new();
    is_there(download(), 3);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(a_profile_comes_straight_and_through_the_eim), T(a_lost_answer_at_any_step_changes_nothing),
        T(whatever_the_smdp_does_wrong_ends_in_an_error_with_a_cause), T(what_is_signed_wrongly_the_card_does_not_take),
        T(a_card_that_cannot_take_it_says_why), T(a_confirmation_code_is_wanted_and_must_be_right), T(only_the_right_matching_id_is_served),
        T(each_ipa_gets_what_it_leaves_to_the_eim), T(compact_forms_become_what_the_card_signed), T(an_smds_says_where_the_profile_is),
        T(what_an_smds_says_is_not_believed), T(what_the_smdp_offers_must_be_what_was_ordered), T(a_large_profile_comes_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
