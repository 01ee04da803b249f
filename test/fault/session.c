/* session.c -- the session of the fault tests. */
#include "test/fault/session.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { API_TRIES = 3, CONTACTS_MAX = 40, OPS_MAX = 100, MEMORY_CAP = 4 << 20, API_ARENA = 4 << 20 };

const char *fault_name(enum fault_kind k)
{
    static const char *const names[] = {
#define X(name, text) text,
        FAULT_KINDS(X)
#undef X
    };
    return names[k];
}

/* ---- the fault ---- */

/* chance -- an opportunity of kinds that are counted here; true when it strikes. */
static bool chance(struct session *s, enum fault_kind kind)
{
    if (s->kind != kind) return false;
    s->met++;
    bool second = kind == FAULT_REPLIES && s->met == s->nth + 1;
    if (s->nth && (s->met == s->nth || second)) s->struck = true;
    return s->nth && (s->met == s->nth || second);
}

/* armed_begin, armed_end -- the code between them may fail: allocations of `a`, statements of the store, signatures. */
static void armed_begin(struct session *s, struct arena *a)
{
    if (s->kind == FAULT_ARENA) a->fail_at = s->left;
    if (s->kind == FAULT_STORE) (void)store_fail_at(s->f->store, s->left);
    if (s->kind == FAULT_SIGNATURE) s->f->failing.left = s->left;
}

static void armed_end(struct session *s, struct arena *a)
{
    long before = s->left;
    if (s->kind == FAULT_ARENA) s->left = a->fail_at;
    if (s->kind == FAULT_STORE) s->left = store_fail_at(s->f->store, 0);
    if (s->kind == FAULT_SIGNATURE) s->left = s->f->failing.left;
    a->fail_at = s->f->failing.left = 0;
    if (s->kind != FAULT_ARENA && s->kind != FAULT_STORE && s->kind != FAULT_SIGNATURE) return;
    s->met += before - s->left;
    if (before && !s->left) s->struck = true;
}

/* ---- what is watched ---- */

/* Can it be read back, in a transaction of its own, that the item with this sequence number was taken? */
static bool durable(struct session *s, int64_t seq)
{
    struct operation_list ops;
    struct err e = { 0 };
    struct device_view v = gadget_view(&s->g);
    for (size_t i = 0; i < v.notifications.n; i++)
        if (v.notifications.v[i].seq == seq && v.notifications.v[i].state == NOTIFICATION_VERIFIED) return true;
    assert_ok(manage_operations_of(s->f->eim, &s->f->admin, slice_str(s->g.eid), 0, OPS_MAX, &ops, field_arena(s->f), &e));
    for (size_t i = 0; i < ops.n; i++)
        if (ops.v[i].seq == seq && operation_is_final(ops.v[i].state)) return true;
    return false;
}

static void look_at_package(struct session *s, const struct euicc_package_request *r)
{
    int64_t counter = r->euicc_package_signed.counter_value;
    for (size_t i = 0; i < s->n_sent; i++) {
        if (s->sent[i].counter != counter) continue;
        if (!slice_eq(s->sent[i].bytes, r->der.raw)) fail_msg("counterValue %lld left with two byte strings", (long long)counter);
        return;
    }
    assert_true(s->n_sent < SESSION_PACKAGES);
    s->sent[s->n_sent++] = (struct session_package){ counter, arena_copy(&s->memory, r->der.raw) };
}

static void look_at_reply(struct session *s, struct slice reply)
{
    struct esipa_from_eim m;
    struct arena a;
    struct err e = { 0 };
    if (!reply.n) return;
    arena_init(&a, MEMORY_CAP);
    assert_ok(der_decode(&esipa_from_eim_type, reply, &m, &a, &e));
    if (m.der.which == esipa_from_eim_is_get_eim_package_response &&
        m.get_eim_package_response.der.which == get_eim_package_response_is_euicc_package_request)
        look_at_package(s, &m.get_eim_package_response.euicc_package_request);
    const struct provide_eim_package_result_response *r = &m.provide_eim_package_result_response;
    if (m.der.which == esipa_from_eim_is_provide_eim_package_result_response &&
        r->der.which == provide_eim_package_result_response_is_eim_acknowledgements)
        for (size_t i = 0; i < r->eim_acknowledgements.n; i++) {
            s->acks++;
            if (!durable(s, r->eim_acknowledgements.v[i]))
                fail_msg("%s at place %ld: sequence number %lld is acknowledged and not durable", fault_name(s->kind), s->nth,
                         (long long)r->eim_acknowledgements.v[i]);
        }
    arena_free(&a);
}

/* ---- one exchange ---- */

struct call { struct exchange x; struct session *s; unsigned answers; };

static void on_done(struct exchange *x) { ((struct call *)x)->answers++; }
static void on_again(struct exchange *x) { esipa_handle(((struct call *)x)->s->f->eim, x); }

static enum sim_reply post(void *arg, struct slice request, struct slice *reply, struct arena *a)
{
    struct session *s = arg;
    struct arena mine;
    if (chance(s, FAULT_REQUEST)) return SIM_LOST;
    arena_init(&mine, MEMORY_CAP);
    s->f->clock.clock_us += 1000;
    struct call c = { .s = s, .x = { .arena = &mine, .body = request, .peer = "192.0.2.1:5", .done = on_done, .again = on_again } };
    armed_begin(s, &mine);
    esipa_handle(s->f->eim, &c.x);
    armed_end(s, &mine);
    assert_int_equal(c.answers, 1);
    if (c.x.rc != OK) {
        assert_true(s->struck);        /* nothing else is wrong with this device */
        assert_int_equal(c.x.reply.n, 0);
        if (err_status(c.x.rc) < 500 && c.x.rc != E_LIMIT)
            fail_msg("%s at place %ld: the device is told that it is wrong: %s: %s", fault_name(s->kind), s->nth, err_name(c.x.rc), c.x.err.why);
    }
    look_at_reply(s, c.x.reply);
    *reply = arena_copy(a, c.x.reply);
    enum sim_reply got = c.x.rc == OK ? SIM_REPLY : err_status(c.x.rc) == 503 ? SIM_LOST : SIM_REFUSED;
    arena_free(&mine);
    if (chance(s, FAULT_REPLY) || chance(s, FAULT_REPLIES)) return SIM_LOST;
    if (!chance(s, FAULT_CRASH)) return got;
    field_restart(s->f);
    return SIM_LOST;
}

static enum sim_contact contact(struct session *s)
{
    struct arena a;
    struct sim_transport t = { .post = post, .arg = s };
    arena_init(&a, SIM_IPA_ARENA);
    s->f->clock.clock_us += INT64_C(60) * 1000000;
    enum sim_contact c = sim_ipa_contact(&s->g.ipa, &t, &s->g.n, &a);
    arena_free(&a);
    if (c != SIM_IDLE && c != SIM_RETRY && c != SIM_LATER) fail_msg("%s at place %ld: a contact ends with %d", fault_name(s->kind), s->nth, c);
    return c;
}

/* settle -- contacts, one a minute and then one in six hours, until neither side has anything left to do. */
static void settle(struct session *s)
{
    for (int i = 0; i < CONTACTS_MAX; i++) {
        if (i >= CONTACTS_MAX / 2) s->f->clock.clock_us += INT64_C(6) * HOUR * 1000000;
        if (contact(s) != SIM_IDLE) continue;
        struct device d = gadget_view(&s->g).device;
        if (!d.wants && !d.in_flight && !d.next_op && !d.unsettled && !s->g.ipa.owed.n) return;
    }
    fail_msg("%s at place %ld: the device does not come to rest", fault_name(s->kind), s->nth);
}

/* pass -- time goes by, with the janitor's turn at the end; what it could not do it does at the next one. */
static void pass(struct session *s, int64_t seconds)
{
    struct arena unused;
    arena_init(&unused, 0);
    s->f->clock.clock_us += seconds * 1000000;
    for (int i = 0; i < 3; i++) {
        struct err e = { 0 };
        enum fault_kind kind = s->kind;
        if (kind == FAULT_ARENA) s->kind = FAULT_NONE;         /* the sweep has arenas of its own */
        armed_begin(s, &unused);
        enum eim_err rc = eim_sweep(s->f->eim, INT16_MAX, &e);
        armed_end(s, &unused);
        s->kind = kind;
        assert_true(rc == OK || s->struck);
    }
}

/* ---- what people do: a call that fails is made again ---- */

struct ask {
    enum eim_err (*make)(struct session *s, const struct ask *ask, struct arena *a, struct err *e);
    json_t *body;
    int64_t id;
};

static int64_t api(struct session *s, struct ask *ask)
{
    struct arena a;
    struct err e = { 0 };
    enum eim_err rc = E_INTERNAL;
    for (int i = 0; i < API_TRIES && rc != OK; i++) {
        e = (struct err){ 0 };
        arena_init(&a, API_ARENA);
        armed_begin(s, &a);
        rc = ask->make(s, ask, &a, &e);
        armed_end(s, &a);
        arena_free(&a);
        if (rc != OK && !s->struck) fail_msg("API: %s: %s %s", err_name(rc), e.field, e.why);
    }
    if (rc != OK) fail_msg("API, also when called again: %s: %s %s", err_name(rc), e.field, e.why);
    return ask->id;
}

static enum eim_err make_enrolment(struct session *s, const struct ask *ask, struct arena *a, struct err *e)
{
    struct enrolment line = { .eid = slice_str(s->g.eid) };
    (void)ask;
    TRY(manage_enrol(s->f->eim, &s->f->admin, &line, 1, a, e));
    if (line.rc != OK) *e = line.err;
    return line.rc;
}

static enum eim_err make_order(struct session *s, const struct ask *ask, struct arena *a, struct err *e)
{
    struct operation o = { 0 };
    TRY(manage_operation_create(s->f->eim, &s->f->admin, slice_str(s->g.eid), ask->body, &o, a, e));
    ((struct ask *)(uintptr_t)ask)->id = o.id;
    return OK;
}

static enum eim_err make_cancel(struct session *s, const struct ask *ask, struct arena *a, struct err *e)
{
    struct operation o;
    return manage_operation_cancel(s->f->eim, &s->f->admin, ask->id, &o, a, e);
}

/* order -- 'A and 'B in the text stand for the ICCIDs. */
static int64_t order(struct session *s, const char *text)
{
    char json[512];
    size_t n = 0;
    struct err e = { 0 };
    struct ask ask = { .make = make_order };
    for (const char *p = text; *p && n + 24 < sizeof json; p++) {
        if (*p == '\'') n += (size_t)snprintf(json + n, sizeof json - n, "%s", *++p == 'A' ? s->g.a : s->g.b);
        else json[n++] = *p;
    }
    assert_ok(json_read((struct slice){ (uint8_t *)json, n }, sizeof json, &ask.body, &e));
    int64_t id = api(s, &ask);
    json_decref(ask.body);
    return id;
}

/* execute_and_forget -- the card executes the package, and the IPA loses its memory, so that the result does not come by itself. */
static void execute_and_forget(struct session *s, const char *text)
{
    uint64_t before = s->g.n.executed;
    order(s, text);
    s->g.card.quirks = SIM_Q(DELAYED);
    for (int i = 0; i < CONTACTS_MAX && s->g.n.executed == before; i++) (void)contact(s);
    assert_true(s->g.n.executed > before);
    s->g.card.quirks = 0;
    sim_ipa_restart(&s->g.ipa);
    s->g.ipa.restarted = false;
}

/* ---- the end, in words ---- */

__attribute__((format(printf, 2, 3)))
static void say(struct session *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    s->end_n += (size_t)vsnprintf(s->end + s->end_n, sizeof s->end - s->end_n, fmt, ap);
    va_end(ap);
    assert_true(s->end_n < sizeof s->end);
}

/* How many inventories the eIM makes may depend on the fault (a change that is announced twice is looked at twice), and with them the
 * counters; so of its own operations only this is said: they have ended. */
static void say_end(struct session *s)
{
    struct operation_list ops;
    struct err e = { 0 };
    struct device_view v = gadget_view(&s->g);
    const struct device *d = &v.device;
    const struct sim_counters *n = &s->g.n;
    char enabled[21] = "";
    size_t verified = 0, own = 0;
    if (d->has_enabled) iccid_print(d->enabled, enabled);
    assert_string_equal(enabled, gadget_enabled(&s->g));           /* the eIM knows what is so */
    for (size_t i = 0; i < v.notifications.n; i++) verified += v.notifications.v[i].state == NOTIFICATION_VERIFIED;
    say(s, "key %s, token %lld, wants %lld, in flight %d, next %d, unsettled %d, enabled %s, inventory %s\n", key_class_name(d->key_class),
        (long long)d->token, (long long)d->wants, d->in_flight != 0, d->next_op != 0, d->unsettled != 0,
        strcmp(enabled, s->g.a) == 0 ? "A" : "B", device_inventory_fresh(d) ? "fresh" : "stale");
    say(s, "%zu profiles, %zu notifications verified of %zu\n", v.profiles.n, verified, v.notifications.n);
    assert_ok(manage_operations_of(s->f->eim, &s->f->admin, slice_str(s->g.eid), 0, OPS_MAX, &ops, field_arena(s->f), &e));
    for (size_t i = ops.n; i-- > 0;) {
        own += ops.v[i].origin != ORIGIN_API && ops.v[i].state == OP_DONE;
        if (ops.v[i].origin != ORIGIN_API) assert_true(operation_is_final(ops.v[i].state));
        else say(s, "%s ", operation_state_name(ops.v[i].state));
    }
    say(s, "\ncard: %llu executed for people, switches %llu, rollbacks %llu, malformed %llu, given up %llu, %u eIMs\n",
        (unsigned long long)(n->executed - own), (unsigned long long)n->switches, (unsigned long long)n->rollbacks,
        (unsigned long long)n->malformed, (unsigned long long)n->results_given_up, s->g.card.n_eims);
    s->how = s->end + s->end_n;
    say(s, "%zu octets stored on the card\n", s->g.card.stored.n);
    for (size_t i = ops.n; i-- > 0;)
        if (ops.v[i].origin == ORIGIN_API)
            say(s, "%lld %.*s\n", (long long)ops.v[i].code, (int)ops.v[i].reason.n, (const char *)ops.v[i].reason.p);
}

/* ---- the session ---- */

static void live(struct session *s)
{
    (void)api(s, &(struct ask){ .make = make_enrolment });
    settle(s);                                                     /* first contact: data, chain, inventory */

    order(s, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    settle(s);
    pass(s, HOUR);

    s->g.ipa.no_coverage = 1u << 0;                                /* no way back to A: it rolls back */
    order(s, "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\",\"rollback\":true}}]}");
    for (int i = 0; i < CONTACTS_MAX && !s->g.n.rollbacks; i++) (void)contact(s);
    settle(s);
    s->g.ipa.no_coverage = 0;
    pass(s, HOUR);

    order(s, "{\"ecos\":[{\"listEim\":{}}]}");
    order(s, "{\"psmos\":[{\"getRAT\":{}},{\"setDefaultDpAddress\":{\"address\":\"smdp.example.com\"}}]}");
    struct ask cancel = { .make = make_cancel, .id = order(s, "{\"psmos\":[{\"getRAT\":{}}]}") };
    (void)api(s, &cancel);
    settle(s);
    pass(s, HOUR);

    s->g.ipa.cause = SIM_LOCAL;                                    /* a change that the eIM did not make: it looks */
    settle(s);
    pass(s, HOUR);

    execute_and_forget(s, "{\"psmos\":[{\"enable\":{\"iccid\":\"'A\"}}]}");
    pass(s, 8 * DAY);                                              /* unknown outcome; the card still has the result */
    settle(s);
    execute_and_forget(s, "{\"psmos\":[{\"setDefaultDpAddress\":{\"address\":\"other.example.com\"}}]}");
    settle(s);                                                     /* delivered again: replayError, and the result is asked for */
    pass(s, HOUR);

    order(s, "{\"psmos\":[{\"delete\":{\"iccid\":\"'B\"}}]}");
    settle(s);
    pass(s, HOUR);
    settle(s);
}

void session_run(struct session *s, struct field *f, unsigned i, enum fault_kind kind, long nth)
{
    memset(s, 0, sizeof *s);
    s->f = f;
    s->kind = kind;
    s->nth = nth;
    s->left = nth ? nth : LONG_MAX;
    arena_init(&s->memory, MEMORY_CAP);
    gadget_make(&s->g, f, i, false);
    live(s);
    say_end(s);
}

void session_free(struct session *s)
{
    gadget_free(&s->g);
    arena_free(&s->memory);
}
