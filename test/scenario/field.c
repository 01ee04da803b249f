/* field.c -- the stage of all scenarios. */
#include "test/scenario/field.h"

#include "crypto/cert.h"
#include "crypto/seal.h"
#include "test/lib/pg.h"
#include "test/lib/tmpdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t START_US = INT64_C(1790000000) * 1000000;     /* September 2026 */
static struct err e;

struct put_identity { struct store_job job; struct identity id; };

static enum eim_err put_identity(struct tx *t, struct store_job *job, struct err *err)
{
    return store_identity_put(t, &((struct put_identity *)job)->id, err);
}

static void open_store(struct field *f)
{
    struct store_options o = { .url = f->url, .readers = 2, .inline_writes = true };
    assert_ok(store_open(&f->store, &o, &e));
    f->host = (struct host){ .env = &f->clock.env, .store = f->store, .signer = &f->failing.base, .outbound = f->outbound, .seal = f->seal };
}

static void open_eim(struct field *f, bool trusting)
{
    struct cert_trust *trust;
    assert_ok(cert_trust_from(&trust, &f->pki.ci, trusting, &e));
    assert_ok(eim_open(&f->eim, &f->host, &f->set, trust, &e));
}

static void make_identity(struct field *f)
{
    struct put_identity put = { .job = { .apply = put_identity }, .id = {
        .id = 1, .tenant = 1, .eim_id = SLICE("eim.example.com"), .eim_id_type = 2, .fqdn = SLICE("eim.example.com:8443"),
        .signing_key = SLICE("eim") } };
    memset(put.id.association_key, 7, sizeof put.id.association_key);
    assert_ok(store_run(f->store, &put.job, &e));
}

static void open_all(struct field *f, bool trusting)
{
    const char *engine = getenv("FIELD_ENGINE");
    memset(f, 0, sizeof *f);
    env_virtual(&f->clock, START_US, 42);
    f->dir = tmp_make();
    if (engine && !strcmp(engine, "postgresql")) snprintf(f->url, sizeof f->url, "%s", pg_fresh(pg_shared()));
    else snprintf(f->url, sizeof f->url, "sqlite:%s/eimd.db", f->dir);
    const char *keys = tmp_path(f->dir, "keys");
    assert_int_equal(mkdir(keys, 0700), 0);
    assert_ok(signer_generate(tmp_path(f->dir, "keys/eim.pem"), CURVE_P256, &e));
    assert_ok(signer_open_dir(&f->signer, tmp_path(f->dir, "keys"), &e));
    signer_failing_init(&f->failing, f->signer, 0);
    f->set = eim_settings_default;
    f->admin = (struct principal){ .tenant = 1, .id = 1, .name = SLICE("token:test"), .may = UINT64_MAX };
    arena_init(&f->arena, 16 << 20);
    arena_init(&f->last_memory, 4 << 20);
    arena_init(&f->blob_memory, 1 << 16);
    assert_ok(sim_pki_make(&f->pki, CURVE_P256, START_US - INT64_C(86400) * 1000000, &e));
    sim_world_init(&f->world, &f->pki, &f->clock.env);
    assert_ok(seal_from(&f->seal, (const uint8_t[SEAL_KEY_SIZE]){ 9 }, &f->clock.env, &e));
    open_store(f);
    make_identity(f);
    open_eim(f, trusting);
    assert_ok(manage_configuration(f->eim, &f->admin, (struct slice){ 0 }, &f->blob, &f->blob_memory, &e));
}

void field_outbound(struct field *f, struct outbound *o)
{
    f->outbound = f->host.outbound = o;
}

void field_open(struct field *f) { open_all(f, true); }
void field_open_untrusting(struct field *f) { open_all(f, false); }

void field_restart(struct field *f)
{
    eim_close(f->eim);
    store_close(f->store);
    open_store(f);
    open_eim(f, true);
}

void field_close(struct field *f)
{
    eim_close(f->eim);
    store_close(f->store);
    signer_close(f->signer);
    seal_free(f->seal);
    sim_world_free(&f->world);
    sim_pki_free(&f->pki);
    arena_free(&f->arena);
    arena_free(&f->last_memory);
    arena_free(&f->blob_memory);
    tmp_remove(f->dir);
}

void field_pass(struct field *f, int64_t seconds)
{
    f->clock.clock_us += seconds * 1000000;
    for (int i = 0; i < 4; i++) assert_ok(eim_sweep(f->eim, 1000, &e));
}

struct arena *field_arena(struct field *f)
{
    arena_reset(&f->arena);
    return &f->arena;
}

/* ---- exchanges ---- */

struct call { struct exchange x; bool done; struct field *f; };

static void on_done(struct exchange *x) { ((struct call *)x)->done = true; }
static void on_again(struct exchange *x) { esipa_handle(((struct call *)x)->f->eim, x); }

void field_post(struct field *f, struct slice request)
{
    f->clock.clock_us += 1000;                     /* no two exchanges in one instant */
    arena_reset(&f->last_memory);
    struct call c = { .x = { .arena = &f->last_memory, .body = arena_copy(&f->last_memory, request), .peer = "192.0.2.1:5",
                             .done = on_done, .again = on_again }, .f = f };
    esipa_handle(f->eim, &c.x);
    assert_true(c.done);
    f->exchanges++;
    f->last_rc = c.x.rc;
    f->last_err = c.x.err;
    f->last_reply = c.x.reply;
}

static enum sim_reply post(void *arg, struct slice request, struct slice *reply, struct arena *a)
{
    struct field *f = arg;
    if (f->meddle) f->meddle(f, &request);
    field_post(f, request);
    if (f->lose_reply && --f->lose_reply == 0) return SIM_LOST;
    *reply = arena_copy(a, f->last_reply);
    if (f->last_rc == OK) return SIM_REPLY;
    return err_status(f->last_rc) == 503 ? SIM_LOST : SIM_REFUSED;
}

/* ---- devices ---- */

void gadget_make(struct gadget *g, struct field *f, unsigned i, bool enrol)
{
    uint8_t eid[SIM_EID];
    struct arena *a = field_arena(f);
    memset(g, 0, sizeof *g);
    g->f = f;
    sim_eid_make(1, i, eid);
    slice_hex((struct slice){ eid, sizeof eid }, false, g->eid);
    sim_euicc_init(&g->card, &f->world, 1, eid);
    struct sim_profile pa = { .operator_ = 0, .class_ = SIM_OPERATIONAL, .flags = SIM_ENABLED };
    struct sim_profile pb = { .operator_ = 1, .class_ = SIM_OPERATIONAL, .flags = SIM_FALLBACK_ALLOWED };
    sim_iccid_make(f->world.operators[0].iccid_prefix, 1, i, pa.iccid);
    sim_iccid_make(f->world.operators[1].iccid_prefix, 1, i, pb.iccid);
    sim_iccid_text(pa.iccid, g->a);
    sim_iccid_text(pb.iccid, g->b);
    assert_true(sim_euicc_install(&g->card, &pa) >= 0);
    assert_true(sim_euicc_install(&g->card, &pb) >= 0);
    struct slice added = sim_euicc_es10b(&g->card, f->blob, a);
    assert_true(added.n > 0 && added.n < 64);
    sim_ipa_init(&g->ipa, &g->card, &f->ipa_config, i);
    if (!enrol) return;
    struct enrolment line = { .eid = slice_str(g->eid) };
    assert_ok(manage_enrol(f->eim, &f->admin, &line, 1, a, &e));
    if (line.rc != OK) fail_msg("enrolment: %s %s", line.err.field, line.err.why);
}

void gadget_free(struct gadget *g)
{
    sim_ipa_free(&g->ipa);
    sim_euicc_free(&g->card);
}

enum sim_contact gadget_contact(struct gadget *g)
{
    struct arena a;
    arena_init(&a, SIM_IPA_ARENA);
    struct sim_transport t = { .post = post, .arg = g->f, .es9 = g->f->es9 };
    enum sim_contact c = sim_ipa_contact(&g->ipa, &t, &g->n, &a);
    arena_free(&a);
    assert_int_not_equal(c, SIM_FAULT);
    return c;
}

void gadget_settle(struct gadget *g)
{
    for (int i = 0; i < 10; i++)
        if (gadget_contact(g) == SIM_IDLE) return;
    fail_msg("the device does not come to rest");
}

static json_t *order_json(struct gadget *g, const char *json)
{
    static char text[65536];
    size_t n = 0;
    for (const char *p = json; *p && n + 24 < sizeof text; p++) {
        if (*p == '\'' && (p[1] == 'A' || p[1] == 'B')) n += (size_t)snprintf(text + n, sizeof text - n, "%s", *++p == 'A' ? g->a : g->b);
        else text[n++] = *p;
    }
    json_t *v;
    assert_ok(json_read((struct slice){ (uint8_t *)text, n }, sizeof text, &v, &e));
    return v;
}

const char *gadget_try(struct gadget *g, const char *json, enum eim_err want)
{
    struct operation o;
    json_t *v = order_json(g, json);
    assert_refused(want, manage_operation_create(g->f->eim, &g->f->admin, slice_str(g->eid), v, &o, field_arena(g->f), &e));
    json_decref(v);
    return e.why;
}

int64_t gadget_order(struct gadget *g, const char *json)
{
    struct operation o;
    json_t *v = order_json(g, json);
    e = (struct err){ 0 };
    assert_ok(manage_operation_create(g->f->eim, &g->f->admin, slice_str(g->eid), v, &o, field_arena(g->f), &e));
    json_decref(v);
    return o.id;
}

struct device_view gadget_view(struct gadget *g)
{
    struct device_view v;
    e = (struct err){ 0 };
    assert_ok(manage_device(g->f->eim, &g->f->admin, slice_str(g->eid), &v, field_arena(g->f), &e));
    return v;
}

struct operation gadget_operation(struct gadget *g, int64_t op)
{
    struct operation o;
    struct eid eid;
    e = (struct err){ 0 };
    assert_ok(manage_operation(g->f->eim, &g->f->admin, op, &o, &eid, field_arena(g->f), &e));
    return o;
}

enum operation_state gadget_state(struct gadget *g, int64_t op) { return gadget_operation(g, op).state; }

const char *gadget_reason(struct gadget *g, int64_t op)
{
    struct operation o = gadget_operation(g, op);
    return arena_str(&g->f->arena, o.reason);
}

const char *gadget_enabled(struct gadget *g)
{
    static char text[21];
    int slot = sim_euicc_enabled(&g->card);
    text[0] = 0;
    if (slot != SIM_NO_PROFILE) sim_iccid_text(g->card.profiles[slot].iccid, text);
    return text;
}
