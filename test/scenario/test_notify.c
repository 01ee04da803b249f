/* test_notify.c -- notifications from the card to the SM-DP+: order, lost answers, restarts, backoff, addresses that are not listed (I12). */
#include "test/scenario/field.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/outbound.h"
#include "crypto/key.h"
#include "crypto/verify.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;
static struct err e;

/* ---- the SM-DP+ that the eIM reaches ---- */

enum { REQUESTS = 256, SECOND = 1000000 };
enum answer { TAKES, TAKES_200, DOWN, BUSY, NOT_THERE, REDIRECTS, FORBIDDEN_ADDRESS };

static struct smdp {
    struct outbound base;
    enum answer a, b;                              /* of smdp-a.example.com, and of everything else */
    struct { char url[128]; int64_t seq, at_us; struct slice pending; } got[REQUESTS];
    unsigned n;                                    /* requests, whatever came of them */
    bool again_inside;                             /* while one is under way, the next is asked for */
    unsigned inside;
    struct arena memory;
} smdp;

static int64_t seq_of(struct slice pending, struct arena *a)
{
    struct pending_notification n;
    assert_ok(der_decode(&pending_notification_type, pending, &n, a, &e));
    assert_int_equal(n.der.which, pending_notification_is_other_signed_notification);      /* the full form, always */
    return n.other_signed_notification.tbs_other_notification.seq_number;
}

static void remember(struct smdp *s, const struct outbound_request *q)
{
    json_t *body;
    assert_true(s->n < REQUESTS);
    assert_string_equal(q->method, "POST");
    assert_ok(json_read(q->body, 1 << 20, &body, &e));
    assert_true(json_is_string(json_object_get(json_object_get(body, "header"), "functionCallIdentifier")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(body, "header"), "functionRequesterIdentifier")), "eim.example.com");
    struct slice b64 = json_slice(json_object_get(body, "pendingNotification"));
    uint8_t *raw = arena_alloc(&s->memory, b64.n);
    long n = slice_from_b64(b64, raw, b64.n);
    assert_true(n > 0);
    snprintf(s->got[s->n].url, sizeof s->got[0].url, "%s", q->url);
    s->got[s->n].pending = slice_of(raw, (size_t)n);
    s->got[s->n].seq = seq_of(s->got[s->n].pending, &s->memory);
    s->got[s->n++].at_us = f.clock.clock_us;
    json_decref(body);
}

static enum eim_err reach(struct outbound *o, const struct outbound_request *q, int *status, struct buf *reply, struct err *err)
{
    struct smdp *s = (struct smdp *)o;
    enum answer how = strstr(q->url, "//smdp-a.") ? s->a : s->b;
    (void)reply;
    remember(s, q);
    if (s->again_inside) {
        bool did;
        s->again_inside = false;
        assert_ok(eim_forward(f.eim, &did, &e));
        s->inside += did;
        s->again_inside = true;
    }
    if (how == DOWN) return fail(err, E_IO, NULL, "no answer: connection refused \xff\x1b[31m");
    if (how == FORBIDDEN_ADDRESS) return fail(err, E_RULE, NULL, "127.0.0.1 is a loopback address");
    *status = how == TAKES ? 204 : how == TAKES_200 ? 200 : how == BUSY ? 503 : how == NOT_THERE ? 404 : 302;
    return OK;
}

/* Everything that is due now; how many attempts that were. */
static unsigned forward(void)
{
    unsigned before = smdp.n;
    bool did = true;
    for (int i = 0; did && i < 100; i++) assert_ok(eim_forward(f.eim, &did, &e));
    assert_false(did);
    return smdp.n - before;
}

static void list_for(struct gadget *to, const char *address)
{
    char order[160];
    snprintf(order, sizeof order, "{\"download\":{\"activation_code\":\"1$%s$MATCH\"}}", address);
    (void)gadget_order(to, order);
}

static void list_address(const char *address)
{
    list_for(&g, address);
}

/* A and B change places: the card makes one notification each. */
static void switch_profiles(void)
{
    bool a = !strcmp(gadget_enabled(&g), g.a);
    (void)gadget_order(&g, a ? "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}" : "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\"}}]}");
    gadget_settle(&g);
}

static struct outbox_list outbox(enum outbox_state state)
{
    struct outbox_list list;
    struct eid *eids;
    e = (struct err){ 0 };
    assert_ok(manage_notifications(f.eim, &f.admin, state, 0, 500, &list, &eids, field_arena(&f), &e));
    return list;
}

static size_t outbox_n(enum outbox_state state) { return outbox(state).n; }

static bool why_has(const struct outbox *o, const char *words)
{
    return memmem(o->why.p ? o->why.p : (const uint8_t *)"", o->why.n, words, strlen(words)) != NULL;
}

static int up(void **state)
{
    (void)state;
    memset(&smdp, 0, sizeof smdp);
    smdp.base.request = reach;
    arena_init(&smdp.memory, 8 << 20);
    field_open(&f);
    field_outbound(&f, &smdp.base);
    gadget_make(&g, &f, 31, true);
    gadget_settle(&g);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    field_close(&f);
    arena_free(&smdp.memory);
    return 0;
}

static void both_listed(void)
{
    list_address("smdp-a.example.com");
    list_address("SMDP-B.example.com");
    gadget_settle(&g);
}

/* ---- tests ---- */

static void a_notification_reaches_its_address_once(void **state)
{
    (void)state;
    both_listed();
    smdp.b = TAKES_200;
    switch_profiles();
    assert_int_equal(outbox_n(OUT_WAITING), 2);
    assert_int_equal(forward(), 2);
    for (int i = 0; i < 2; i++)
        assert_true(!strcmp(smdp.got[i].url, "https://smdp-a.example.com/gsma/rsp2/es9plus/handleNotification") ||
                    !strcmp(smdp.got[i].url, "https://smdp-b.example.com/gsma/rsp2/es9plus/handleNotification"));
    assert_string_not_equal(smdp.got[0].url, smdp.got[1].url);
    assert_int_equal(outbox_n(OUT_FORWARDED), 2);
    assert_int_equal(FIELD_COUNT(&f, notifications_forwarded), 2);
    field_pass(&f, 8 * DAY);
    assert_int_equal(forward(), 0);
    struct device_view v = gadget_view(&g);        /* exactly what the card said */
    for (unsigned i = 0; i < 2; i++) {
        bool same = false;
        for (size_t k = 0; k < v.notifications.n; k++) same |= slice_eq(v.notifications.v[k].raw, smdp.got[i].pending);
        assert_true(same);
    }
}

static void order_is_kept_for_each_profile_and_the_pause_doubles(void **state)
{
    (void)state;
    both_listed();
    smdp.a = DOWN;
    for (int i = 0; i < 4; i++) switch_profiles();                 /* four for each profile */
    assert_int_equal(outbox_n(OUT_WAITING), 8);
    assert_int_equal(forward(), 5);                /* B takes its four; A gets one attempt */
    assert_int_equal(outbox_n(OUT_FORWARDED), 4);
    int64_t first = 0, last = 0, seq = 0;
    for (unsigned i = 0; i < smdp.n; i++)
        if (strstr(smdp.got[i].url, "smdp-a")) first = smdp.got[i].at_us, seq = smdp.got[i].seq;
    last = first;
    unsigned attempts = 1;
    for (int64_t pause = 30; attempts < 6; attempts++, pause *= 2) {
        while (!forward()) f.clock.clock_us += SECOND;
        int64_t waited = smdp.got[smdp.n - 1].at_us - last;
        last = smdp.got[smdp.n - 1].at_us;
        assert_int_equal(smdp.got[smdp.n - 1].seq, seq);           /* never another one before it */
        assert_true(waited >= pause * SECOND * 3 / 4 && waited <= (pause * 5 / 4 + 2) * SECOND);
    }
    struct outbox_list l = outbox(OUT_WAITING);
    assert_int_equal(l.n, 4);
    assert_true(why_has(&l.v[3], "connection refused ??[31m"));    /* what stands in the way, made harmless */
    smdp.a = TAKES;
    f.clock.clock_us += (int64_t)DAY * SECOND;
    assert_int_equal(forward(), 4);
    for (unsigned i = smdp.n - 3; i < smdp.n; i++) assert_true(smdp.got[i].seq > smdp.got[i - 1].seq);
    assert_int_equal(outbox_n(OUT_WAITING), 0);
}

static void a_server_that_answers_wrongly_is_tried_again(void **state)
{
    (void)state;
    static const enum answer wrong[] = { BUSY, NOT_THERE, REDIRECTS };
    both_listed();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        smdp.a = smdp.b = wrong[i];
        switch_profiles();
        assert_int_equal(forward(), 2);            /* one each; a redirect is not followed: nothing else is asked for */
        struct outbox_list l = outbox(OUT_WAITING);
        assert_int_equal(l.n, 2);
        assert_true(why_has(&l.v[0], wrong[i] == BUSY ? "503" : wrong[i] == NOT_THERE ? "404" : "302"));
        smdp.a = smdp.b = TAKES;
        f.clock.clock_us += (int64_t)HOUR * SECOND;
        assert_int_equal(forward(), 2);
    }
}

static void it_is_given_up_after_days_and_a_person_may_try_again(void **state)
{
    (void)state;
    both_listed();
    smdp.a = smdp.b = DOWN;
    switch_profiles();
    unsigned n = 0;
    for (int h = 0; h < 8 * 24 + 8; h++) {
        n += forward();
        f.clock.clock_us += (int64_t)HOUR * SECOND;
    }
    assert_int_equal(outbox_n(OUT_FAILED), 2);
    assert_int_equal(FIELD_COUNT(&f, notifications_failed), 2);
    assert_true(n > 60 && n < 130);                /* every four hours at last */
    smdp.a = smdp.b = TAKES;
    f.clock.clock_us += (int64_t)DAY * SECOND;
    assert_int_equal(forward(), 0);
    struct outbox_list l = outbox(OUT_FAILED);
    int64_t one = l.v[0].id, two = l.v[1].id;
    struct outbox o;
    struct eid eid;
    struct arena *a = field_arena(&f);
    assert_ok(manage_notification_change(f.eim, &f.admin, one, true, &o, &eid, a, &e));
    assert_int_equal(forward(), 1);
    assert_ok(manage_notification_change(f.eim, &f.admin, two, false, &o, &eid, a, &e));
    assert_int_equal(o.state, OUT_DROPPED);
    assert_refused(E_STATE, manage_notification_change(f.eim, &f.admin, two, true, &o, &eid, a, &e));
    assert_refused(E_STATE, manage_notification_change(f.eim, &f.admin, one, true, &o, &eid, a, &e));
    assert_refused(E_STATE, manage_notification_change(f.eim, &f.admin, one, false, &o, &eid, a, &e));
    assert_refused(E_NOT_FOUND, manage_notification_change(f.eim, &f.admin, 12345, true, &o, &eid, a, &e));
    f.clock.clock_us += (int64_t)DAY * SECOND;
    assert_int_equal(forward(), 0);
    struct audit_list audit;
    unsigned retried = 0, dropped = 0, failed = 0, forwarded = 0;
    struct tx *t;
    assert_ok(store_read_begin(f.store, &t, &e));
    assert_ok(store_audit_list(t, 1, 0, 500, &audit, field_arena(&f), &e));
    store_read_end(t);
    for (size_t i = 0; i < audit.n; i++) {
        struct slice s = audit.v[i].line;
        retried += memmem(s.p, s.n, "\"notification.retried\"", 22) != NULL;
        dropped += memmem(s.p, s.n, "\"notification.dropped\"", 22) != NULL;
        failed += memmem(s.p, s.n, "\"notification.failed\"", 21) != NULL;
        forwarded += memmem(s.p, s.n, "\"notification.forwarded\"", 24) != NULL;
    }
    assert_int_equal(retried, 1);
    assert_int_equal(dropped, 1);
    assert_int_equal(failed, 2);
    assert_int_equal(forwarded, 1);
}

static void an_address_that_nobody_listed_is_never_contacted(void **state)
{
    (void)state;
    switch_profiles();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(forward(), 0);
        f.clock.clock_us += (int64_t)HOUR * SECOND;
    }
    struct outbox_list l = outbox(OUT_HELD);
    assert_int_equal(l.n, 2);
    assert_true(why_has(&l.v[0], "unlisted address"));
    list_address("smdp-b.example.com");            /* now it stands in an order of ours */
    f.clock.clock_us += (int64_t)HOUR * SECOND;
    assert_int_equal(forward(), 1);
    assert_non_null(strstr(smdp.got[0].url, "//smdp-b.example.com/"));
    assert_int_equal(outbox_n(OUT_HELD), 1);
    for (int i = 0; i < 8 * 24; i++) {
        f.clock.clock_us += (int64_t)HOUR * SECOND;
        assert_int_equal(forward(), 0);
    }
    assert_int_equal(outbox_n(OUT_FAILED), 1);
}

static void an_order_for_another_device_lists_nothing(void **state)
{
    (void)state;
    struct gadget other;
    gadget_make(&other, &f, 32, true);
    list_for(&other, "smdp-a.example.com");
    list_for(&other, "smdp-b.example.com");
    gadget_settle(&other);
    switch_profiles();
    assert_int_equal(forward(), 0);
    assert_int_equal(outbox_n(OUT_HELD), 2);
    gadget_free(&other);
}

/* What a profile may name as its notification address, and what must not become a request to somewhere. */
static void odd_addresses_become_no_request(void **state)
{
    (void)state;
    static const char *const odd[] = { "", "[::1]", "user@127.0.0.1", "127.0.0.1/../x", "smdp-a.example.com/redirect?to=10.0.0.1", "a b", "evil\r\nHost: x",
                                       "smdp-a.example.com:443:80", "smdp-a.example.com:", ":443", "-x", ".x", "smdp-a.example.com#", "smdp-a.example.com%2e",
                                       "smdp-a.example.com:999999", "localhost", "127.0.0.1", "169.254.169.254", "10.0.0.1:8443", "0x7f.1", "2130706433" };
    list_address("smdp-a.example.com");
    gadget_settle(&g);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        f.world.operators[0].notification_address = f.world.operators[1].notification_address = odd[i];
        switch_profiles();
        assert_int_equal(forward(), 0);
        f.clock.clock_us += (int64_t)HOUR * SECOND;
        assert_int_equal(forward(), 0);
    }
    assert_int_equal(smdp.n, 0);
    assert_int_equal(outbox_n(OUT_WAITING), 0);
    assert_int_equal(outbox_n(OUT_HELD) + outbox_n(OUT_FAILED), 2 * sizeof odd / sizeof *odd);
    assert_true(outbox_n(OUT_HELD) >= 10);
    struct outbox none;
    struct eid eid;
    int64_t id = outbox(OUT_FAILED).v[0].id;
    assert_refused(E_STATE, manage_notification_change(f.eim, &f.admin, id, true, &none, &eid, field_arena(&f), &e));
    /* a listed name that leads to a forbidden address: the connection says so, and it is held, not hammered */
    f.world.operators[0].notification_address = "smdp-a.example.com";
    smdp.a = FORBIDDEN_ADDRESS;
    switch_profiles();
    assert_int_equal(forward(), 1);
    struct outbox_list l = outbox(OUT_HELD);
    assert_true(why_has(&l.v[0], "loopback") || why_has(&l.v[1], "loopback"));
    f.clock.clock_us += 30 * INT64_C(60) * SECOND;
    assert_int_equal(forward(), 0);
}

static void a_crash_between_answer_and_commit_sends_it_again(void **state)
{
    (void)state;
    unsigned failed = 0, lost_answers = 0, whole = 0;
    both_listed();
    for (int i = 0; i < 10; i++) switch_profiles();
    for (long nth = 1; whole < 3; nth++) {                         /* every statement of an attempt fails once */
        bool did;
        unsigned before = smdp.n;
        assert_true(nth < 200);
        (void)store_fail_at(f.store, nth);
        enum eim_err rc = eim_forward(f.eim, &did, &e);
        e = (struct err){ 0 };
        whole += rc == OK && store_fail_at(f.store, 0) > 0;        /* beyond the last statement */
        failed += rc != OK;
        lost_answers += rc != OK && smdp.n > before;
        field_restart(&f);
        f.clock.clock_us += 10 * INT64_C(60) * SECOND;             /* the lease is over */
    }
    assert_true(failed > 10);
    assert_true(lost_answers >= 3);
    (void)forward();
    assert_int_equal(outbox_n(OUT_FORWARDED), 20);
    assert_int_equal(smdp.n, 20 + lost_answers);   /* never lost; twice where the answer could not be noted */
}

static void one_that_is_under_way_is_not_taken_by_another(void **state)
{
    (void)state;
    both_listed();
    smdp.again_inside = true;
    for (int i = 0; i < 2; i++) switch_profiles(); /* two each */
    assert_int_equal(forward(), 4);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < i; k++) assert_true(smdp.got[i].seq != smdp.got[k].seq);
    int64_t a = 0, b = 0;
    for (unsigned i = 0; i < 4; i++) {             /* and order held although two were under way at once */
        int64_t *last = strstr(smdp.got[i].url, "smdp-a") ? &a : &b;
        assert_true(smdp.got[i].seq > *last);
        *last = smdp.got[i].seq;
    }
    assert_true(smdp.inside >= 1);
}

static void a_notification_that_does_not_verify_is_never_forwarded(void **state)
{
    (void)state;
    both_listed();
    switch_profiles();
    struct device_view v = gadget_view(&g);
    struct slice good = v.notifications.v[0].raw;
    uint8_t bad[4096], message[4200];
    memcpy(bad, good.p, good.n);
    struct pending_notification n;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_ok(der_decode(&pending_notification_type, good, &n, &a, &e));
    size_t at = (size_t)(n.other_signed_notification.euicc_notification_signature.p - good.p);
    bad[at + 5] ^= 1;                              /* one bit of the signature */
    bad[(size_t)(n.other_signed_notification.tbs_other_notification.der.raw.p - good.p) + 5] = 99;         /* another sequence number */
    size_t k = 0;
    struct slice body = { bad, good.n };
    message[k++] = 0xbf, message[k++] = 0x3d, message[k++] = 0x82;
    message[k++] = (uint8_t)((body.n + 4) >> 8), message[k++] = (uint8_t)(body.n + 4);
    message[k++] = 0xa0, message[k++] = 0x82, message[k++] = (uint8_t)(body.n >> 8), message[k++] = (uint8_t)body.n;
    memcpy(message + k, body.p, body.n);
    unsigned before = forward();
    assert_int_equal(before, 2);
    field_post(&f, (struct slice){ message, k + body.n });
    assert_int_equal(f.last_rc, OK);
    v = gadget_view(&g);
    unsigned kept = 0;
    for (size_t i = 0; i < v.notifications.n; i++) kept += v.notifications.v[i].state == NOTIFICATION_KEPT;
    assert_int_equal(kept, 1);
    assert_int_equal(forward(), 0);
    assert_int_equal(outbox_n(OUT_STATE_END), 2);
    arena_free(&a);
}

/* The compact form leaves the certificates out; what leaves for the SM-DP+ is the form that the eUICC signed, with them. */
static void a_compact_form_is_rebuilt(void **state)
{
    (void)state;
    both_listed();
    struct arena a;
    arena_init(&a, 1 << 20);
    struct private_key *key;
    uint8_t sig[SIGNATURE_SIZE], bits[4], iccid[10] = { 1, 2, 3 };
    struct handle_notification_esipa h = { .der.which = handle_notification_esipa_is_pending_notification };
    h.pending_notification.der.which = pending_notification_is_compact_other_signed_notification;
    struct compact_other_signed_notification *c = &h.pending_notification.compact_other_signed_notification;
    c->eid_value = (struct slice){ g.card.eid, 16 };
    der_set(c, compact_other_signed_notification, eid_value);
    c->tbs_other_notification.seq_number = 77;
    c->tbs_other_notification.profile_management_operation = der_bits_from(1u << NOTIFICATION_EVENT_DELETE, bits);
    c->tbs_other_notification.notification_address = SLICE("smdp-a.example.com");
    c->tbs_other_notification.iccid = (struct slice){ iccid, 10 };
    der_set(&c->tbs_other_notification, notification_metadata, iccid);
    struct slice tbs = der_encode(&notification_metadata_type, &c->tbs_other_notification, &a);
    assert_true(tbs.n > 0);
    assert_ok(sim_pki_device_key(&f.pki, g.card.seed, g.card.eid, &key, &e));
    assert_ok(private_key_sign(key, &tbs, 1, sig, &e));
    private_key_free(key);
    c->euicc_notification_signature = (struct slice){ sig, sizeof sig };
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_handle_notification_esipa, .handle_notification_esipa = h };
    field_post(&f, der_encode(&esipa_from_ipa_type, &m, &a));
    assert_int_equal(f.last_rc, OK);
    assert_int_equal(forward(), 1);
    struct pending_notification n;
    assert_ok(der_decode(&pending_notification_type, smdp.got[0].pending, &n, &a, &e));
    const struct other_signed_notification *o = &n.other_signed_notification;
    assert_true(slice_eq(o->tbs_other_notification.der.raw, tbs));
    assert_true(slice_eq(o->euicc_notification_signature, c->euicc_notification_signature));
    assert_true(slice_eq(o->euicc_certificate, sim_euicc_cert(&g.card, &a)));
    assert_true(slice_eq(o->eum_certificate, f.pki.eum));
    arena_free(&a);
}

static void a_full_backlog_for_one_server_costs_another_nothing(void **state)
{
    (void)state;
    both_listed();
    smdp.a = DOWN;
    for (int i = 0; i < 10; i++) switch_profiles();
    (void)forward();
    unsigned to_b = 0;
    for (unsigned i = 0; i < smdp.n; i++) to_b += strstr(smdp.got[i].url, "smdp-b") != NULL;
    assert_int_equal(to_b, 10);
    assert_int_equal(smdp.n, 11);                  /* one attempt only on the one that is down */
    struct eim_outbox now;
    assert_ok(eim_outbox(f.eim, &now, &e));
    assert_int_equal(now.waiting, 10);
    assert_int_equal(now.held, 0);
    assert_true(now.oldest_us > 0 && now.oldest_us <= f.clock.clock_us);
}

/* What an IPA offers once more, because it never heard the acknowledgement, is brought once, however long ago that was. */
static void what_is_offered_again_is_not_brought_again(void **state)
{
    (void)state;
    both_listed();
    for (int i = 0; i < 20; i++) switch_profiles();
    assert_int_equal(forward(), 40);
    assert_int_equal(outbox_n(OUT_FORWARDED), 32);
    struct arena a;
    arena_init(&a, 1 << 20);
    struct device_view v = gadget_view(&g);
    assert_int_equal(v.notifications.n, 40);
    for (size_t i = 0; i < 3; i++) {
        struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_handle_notification_esipa };
        struct handle_notification_esipa *h = &m.handle_notification_esipa;
        h->der.which = handle_notification_esipa_is_pending_notification;
        h->pending_notification.der.which = pending_notification_is_other_signed_notification;
        der_verbatim_seq(&h->pending_notification.other_signed_notification.der, v.notifications.v[i].raw);
        struct slice message = der_encode(&esipa_from_ipa_type, &m, &a);
        assert_true(message.n > 0);
        field_post(&f, message);
        assert_int_equal(f.last_rc, OK);
    }
    assert_int_equal(forward(), 0);
    assert_int_equal(outbox_n(OUT_STATE_END), 32);
    arena_free(&a);
}

/* Many devices with something for a server that is down: it gets single attempts with growing pauses, not one from each. */
static void a_server_that_is_down_is_not_stormed(void **state)
{
    (void)state;
    enum { MORE = 6 };
    static struct gadget more[MORE];
    smdp.a = DOWN;
    for (unsigned i = 0; i < MORE; i++) {
        gadget_make(&more[i], &f, 60 + i, true);
        gadget_settle(&more[i]);
        list_for(&more[i], "smdp-a.example.com");
        (void)gadget_order(&more[i], "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\"}}]}");
        gadget_settle(&more[i]);
    }
    assert_int_equal(forward(), 1);
    unsigned attempts = 1;
    for (int i = 0; i < 60; i++) {
        f.clock.clock_us += SECOND;
        attempts += forward();
    }
    assert_true(attempts >= 3 && attempts <= 5);   /* after 5, 10, 20 seconds and so on */
    smdp.a = TAKES;
    for (int i = 0; i < 40; i++) {
        f.clock.clock_us += (int64_t)MINUTE * SECOND;
        (void)forward();
    }
    assert_int_equal(outbox_n(OUT_WAITING), 0);
    assert_int_equal(outbox_n(OUT_FORWARDED), MORE);       /* those for B are held: nobody listed it */
    for (unsigned i = 0; i < MORE; i++) gadget_free(&more[i]);
}

static void what_belongs_to_a_removed_device_goes_with_it(void **state)
{
    (void)state;
    switch_profiles();
    assert_int_equal(forward(), 0);
    assert_ok(manage_device_delete(f.eim, &f.admin, slice_str(g.eid), field_arena(&f), &e));
    assert_int_equal(outbox_n(OUT_STATE_END), 0);
    assert_int_equal(forward(), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
    const struct CMUnitTest tests[] = {
        T(a_notification_reaches_its_address_once), T(order_is_kept_for_each_profile_and_the_pause_doubles),
        T(a_server_that_answers_wrongly_is_tried_again), T(it_is_given_up_after_days_and_a_person_may_try_again),
        T(an_address_that_nobody_listed_is_never_contacted), T(an_order_for_another_device_lists_nothing), T(odd_addresses_become_no_request),
        T(a_crash_between_answer_and_commit_sends_it_again), T(one_that_is_under_way_is_not_taken_by_another),
        T(a_notification_that_does_not_verify_is_never_forwarded), T(a_compact_form_is_rebuilt),
        T(a_full_backlog_for_one_server_costs_another_nothing), T(a_server_that_is_down_is_not_stormed), T(what_is_offered_again_is_not_brought_again),
        T(what_belongs_to_a_removed_device_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
