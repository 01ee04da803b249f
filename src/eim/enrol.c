/* enrol.c -- devices become known: by a person's import, or (if a setting allows it) by their first poll.
 *
 * A device's key is pinned by a person, or follows from a certificate chain to a root that we hold; with neither it is unverified and gets data
 * requests and inventories only (I5). Unknown devices are enrolled under a cap an hour, because anybody can poll (I11). */
#include "eim/esipa_int.h"

#include "crypto/cert.h"
#include "crypto/key.h"
#include "eim/manage.h"
#include "eim/material.h"

enum { LABELS_MAX = 32, LABEL_NAME_MAX = 64, LABEL_VALUE_MAX = 256 };

static struct device fresh(struct eim *m, const struct identity *id, const struct eid *eid)
{
    return (struct device){
        .association = model_association(id->association_key, eid), .tenant = id->tenant, .identity = id->id, .eid = *eid, .signing_key = id->signing_key,
        .token = DEVICE_TOKEN_NONE, .token_candidate = DEVICE_TOKEN_NONE, .state_cause = -1, .enrolled_us = eim_now(m),
        .wants = WANT_DATA | WANT_INVENTORY,
    };
}

/* ---- by their first poll ---- */

bool enrol_slot(struct eim *m)
{
    int64_t now = eim_now(m);
    unsigned cap = eim_settings_now(m).enrol_per_hour;
    pthread_mutex_lock(&m->enrol_lock);
    if (now - m->enrol_window_us >= INT64_C(3600) * 1000000) {
        m->enrol_window_us = now;
        m->enrol_used = 0;
    }
    bool free_slot = m->enrol_used < cap;
    m->enrol_used += free_slot;
    pthread_mutex_unlock(&m->enrol_lock);
    return free_slot;
}

/* Insert the device and begin the exchange again: it then polls as a known one. */
static void enrolled(struct store_job *job, enum eim_err rc)
{
    struct esipa_work *w = (struct esipa_work *)job;
    if (rc == OK) COUNT(w->m, enrolled);
    if (rc == OK || rc == E_CONFLICT) work_retry(w);
    else {
        w->x->err = job->err;
        work_fail(w, rc);
    }
}

static enum eim_err insert(struct tx *t, struct store_job *job, struct err *e)
{
    return plan_apply(((struct esipa_work *)job)->plan, t, e);
}

void enrol_unknown(struct esipa_work *w, const struct identity *id)
{
    struct exchange *x = w->x;
    struct device d = fresh(w->m, id, &x->eid);
    struct err e = { 0 };
    w->plan = ARENA_NEW(x->arena, struct plan);
    enum eim_err rc = w->plan ? OK : fail(&e, E_NOMEM, NULL, "no room for a plan");
    if (rc == OK) {
        plan_begin(w->plan, w->m, id, &d, x->arena);
        w->plan->device_insert = true;
        struct audit_entry en = { .tenant = id->tenant, .principal = SLICE("eim"), .action = "device.enrolled", .eid = &w->plan->d.eid,
                                  .state = "unverified", .detail = SLICE("by its first poll") };
        rc = plan_audit(w->plan, &en, &e);
    }
    if (rc == OK) {
        w->job = (struct store_job){ .apply = insert, .done = enrolled };
        rc = store_submit(w->m->host->store, &w->job, &e);
        if (rc == OK) return;
    }
    x->err = e;
    work_fail(w, rc);
}

/* ---- by a person ---- */

static bool label_ok(const struct label *l)
{
    if (!l->name.n || l->name.n > LABEL_NAME_MAX || l->value.n > LABEL_VALUE_MAX) return false;
    for (size_t i = 0; i < l->name.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", l->name.p[i]) || !l->name.p[i]) return false;
    return true;
}

static enum eim_err pin_key(struct device *d, const struct enrolment *in, struct arena *a, struct err *e)
{
    struct public_key *key;
    if (!in->public_key.n) return OK;
    if (public_key_parse(&key, in->public_key, e) != OK) {
        snprintf(e->field, sizeof e->field, "public_key");
        return e->code;
    }
    d->key_class = KEY_PINNED;
    d->curve = public_key_curve(key);
    d->key = arena_copy(a, public_key_point(key));
    public_key_free(key);
    return d->key.p ? OK : fail(e, E_NOMEM, NULL, "no room for the key");
}

static enum eim_err chain_key(struct eim *m, struct device *d, const struct enrolment *in, struct arena *a, struct err *e)
{
    struct public_key *key;
    if (!in->eum_cert.n && !in->euicc_cert.n) return OK;
    if (!in->eum_cert.n || !in->euicc_cert.n)
        return fail_field(e, E_INVALID, NULL, in->eum_cert.n ? "euicc_certificate" : "eum_certificate", "both certificates or none");
    pthread_rwlock_rdlock(&m->lock);
    enum eim_err rc = cert_check_euicc(m->trust, in->eum_cert, in->euicc_cert, d->eid.b, eim_now(m), &key, e);
    pthread_rwlock_unlock(&m->lock);
    if (rc != OK) return rc;
    struct slice point = arena_copy(a, public_key_point(key));
    int64_t curve = public_key_curve(key);
    public_key_free(key);
    if (!point.p) return fail(e, E_NOMEM, NULL, "no room for the key");
    if (d->key_class == KEY_PINNED && !(d->curve == curve && slice_eq(d->key, point)))
        return fail_field(e, E_MISMATCH, NULL, "public_key", "is not the key in the eUICC certificate");
    d->key_class = KEY_CI;
    d->curve = curve;
    d->key = point;
    return OK;
}

static enum eim_err check_line(struct eim *m, const struct identity *id, const struct enrolment *in, struct device *d,
                               struct arena *a, struct err *e)
{
    struct eid eid;
    if (!eid_parse(in->eid, false, &eid)) return fail_field(e, E_INVALID, "SGP.29", "eid", "an EID has 32 digits");
    if (!eid_parse(in->eid, true, &eid)) return fail_field(e, E_INVALID, "SGP.29", "eid", "the check digits of this EID are wrong");
    *d = fresh(m, id, &eid);
    TRY(pin_key(d, in, a, e));
    TRY(chain_key(m, d, in, a, e));
    if (in->has_token && in->token < 0) return fail_field(e, E_INVALID, "SGP.32 2.11.1", "association_token", "must not be negative");
    if (in->has_token) d->token = in->token;
    if (in->has_counter && (in->counter < 0 || in->counter >= COUNTER_MAX))
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", "counter", "must be from 0 to %d", COUNTER_MAX - 1);
    d->counter = in->counter;
    if (in->nlabels > LABELS_MAX) return fail_field(e, E_LIMIT, NULL, "labels", "at most %d labels", LABELS_MAX);
    for (size_t i = 0; i < in->nlabels; i++)
        if (!label_ok(&in->labels[i]))
            return fail_field(e, E_INVALID, NULL, "labels", "label %zu: a name is 1 to %d of a-z 0-9 _ . - and a value at most %d octets", i + 1,
                              LABEL_NAME_MAX, LABEL_VALUE_MAX);
    return OK;
}

struct enrol_job {
    struct store_job job;
    struct eim *m;
    const struct principal *p;
    struct enrolment *v;
    struct device *devices;
    size_t n;
    struct arena *a;
};

static enum eim_err enrol_one(struct tx *t, struct enrol_job *j, size_t i, struct err *e)
{
    const struct enrolment *in = &j->v[i];
    const struct device *d = &j->devices[i];
    TRY(store_device_insert(t, d, e));
    for (size_t k = 0; k < in->nlabels; k++) TRY(store_label_put(t, d->association, d->tenant, &in->labels[k], e));
    if (in->euicc_cert.n) {
        struct device_data data = { .eum_cert = in->eum_cert, .euicc_cert = in->euicc_cert, .as_of_us = d->enrolled_us };
        TRY(store_data_put(t, d->association, d->tenant, &data, e));
    }
    if (in->reach.address.n) TRY(store_injection_put(t, &(struct injection){
        .association = d->association, .tenant = d->tenant, .address = in->reach.address, .binding = in->reach.binding, .trust = in->reach.trust,
        .due_us = d->enrolled_us }, e));
    struct audit_entry en = { .tenant = d->tenant, .principal = j->p->name, .action = "device.enrolled", .eid = &d->eid,
                              .state = key_class_name(d->key_class) };
    return audit_add(t, j->m->host->env, &en, e);
}

static enum eim_err enrol_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct enrol_job *j = (struct enrol_job *)job;
    for (size_t i = 0; i < j->n; i++) {
        if (j->v[i].rc != OK && j->v[i].rc != E_CONFLICT) continue;        /* E_CONFLICT: of an earlier run of this job */
        struct device there;
        struct err why = { 0 };
        TRY(store_device_get(t, j->devices[i].association, &there, j->a, e));
        enum eim_err rc = there.association ? fail_field(&why, E_CONFLICT, NULL, "eid", "is already enrolled") : enrol_one(t, j, i, &why);
        if (rc != OK && rc != E_CONFLICT) {
            *e = why;
            return rc;
        }
        j->v[i].rc = rc;
        j->v[i].err = why;
    }
    return OK;
}

enum eim_err manage_enrol(struct eim *m, const struct principal *p, struct enrolment *v, size_t n, struct arena *a,
                          struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    if (!id) return fail(e, E_NOT_FOUND, NULL, "the tenant has no eIM identity");
    if (n > ENROL_BATCH_MAX) return fail(e, E_TOO_LARGE, NULL, "%zu lines, at most %d", n, ENROL_BATCH_MAX);
    struct enrol_job j = { .job = { .apply = enrol_apply }, .m = m, .p = p, .v = v, .n = n, .a = a };
    j.devices = ARENA_ARRAY(a, struct device, n);
    if (!j.devices) return fail(e, E_NOMEM, NULL, "no room for %zu lines", n);
    for (size_t i = 0; i < n; i++)
        if (v[i].rc == OK) v[i].rc = check_line(m, id, &v[i], &j.devices[i], a, &v[i].err);       /* a line the door refused stays refused */
    TRY(store_run(m->host->store, &j.job, e));
    for (size_t i = 0; i < n; i++)
        if (v[i].rc == OK) COUNT(m, enrolled);
    return OK;
}

/* ---- a line of an import ---- */

static enum eim_err der_member(const json_t *v, const char *name, bool certificate, struct slice *out, struct arena *a, struct err *e)
{
    if (material_read(v, certificate, out, a)) return OK;
    return fail_field(e, E_INVALID, NULL, name, "must be DER in base64, or PEM");
}

static enum eim_err labels_member(const json_t *v, struct enrolment *out, struct arena *a, struct err *e)
{
    const char *name;
    json_t *value;
    if (!json_is_object(v)) return fail_field(e, E_INVALID, NULL, "labels", "must be an object of texts");
    struct label *l = ARENA_ARRAY(a, struct label, json_object_size(v));
    if (!l) return fail(e, E_NOMEM, NULL, "no room for labels");
    json_object_foreach((json_t *)(uintptr_t)v, name, value) {
        if (!json_is_string(value)) return fail_field(e, E_INVALID, NULL, "labels", "label %s must be a text", name);
        l[out->nlabels++] = (struct label){ arena_copy(a, slice_str(name)), arena_copy(a, json_slice(value)) };
    }
    out->labels = l;
    return OK;
}

/* An IMEI is a label like any other, but one whose form is known. */
static enum eim_err imei_label(struct enrolment *out, struct arena *a, struct err *e)
{
    if (out->imei.n < 14 || out->imei.n > 16) return fail_field(e, E_INVALID, "TS 23.003 6.2", "imei", "an IMEI has 14 to 16 digits");
    for (size_t i = 0; i < out->imei.n; i++)
        if (out->imei.p[i] < '0' || out->imei.p[i] > '9') return fail_field(e, E_INVALID, "TS 23.003 6.2", "imei", "an IMEI has 14 to 16 digits");
    struct label *l = ARENA_ARRAY(a, struct label, out->nlabels + 1);
    if (!l) return fail(e, E_NOMEM, NULL, "no room for labels");
    for (size_t i = 0; i < out->nlabels; i++) {
        if (slice_eq(out->labels[i].name, SLICE("imei"))) return fail_field(e, E_INVALID, NULL, "imei", "is given twice: as a member and as a label");
        l[i] = out->labels[i];
    }
    l[out->nlabels++] = (struct label){ SLICE("imei"), out->imei };
    out->labels = l;
    return OK;
}

static enum eim_err number_member(const json_t *v, const char *name, int64_t *out, struct err *e)
{
    if (!json_is_integer(v)) return fail_field(e, E_INVALID, NULL, name, "must be a whole number");
    *out = json_integer_value(v);
    return OK;
}

enum eim_err manage_enrolment_from_json(const json_t *o, struct enrolment *out, struct arena *a, struct err *e)
{
    const char *name;
    json_t *v;
    *out = (struct enrolment){ 0 };
    if (!json_is_object(o)) return fail(e, E_INVALID, NULL, "must be an object");
    json_object_foreach((json_t *)(uintptr_t)o, name, v) {
        if (!strcmp(name, "eid") && json_is_string(v)) out->eid = arena_copy(a, json_slice(v));
        else if (!strcmp(name, "eid")) return fail_field(e, E_INVALID, NULL, "eid", "must be a text of 32 digits");
        else if (!strcmp(name, "labels")) TRY(labels_member(v, out, a, e));
        else if (!strcmp(name, "imei") && json_is_string(v)) out->imei = arena_copy(a, json_slice(v));
        else if (!strcmp(name, "imei")) return fail_field(e, E_INVALID, "TS 23.003 6.2", "imei", "must be a text of 14 to 16 digits");
        else if (!strcmp(name, "injection")) TRY(manage_reach_from_json(v, &out->reach, a, e));
        else if (!strcmp(name, "public_key")) TRY(der_member(v, name, false, &out->public_key, a, e));
        else if (!strcmp(name, "eum_certificate")) TRY(der_member(v, name, true, &out->eum_cert, a, e));
        else if (!strcmp(name, "euicc_certificate")) TRY(der_member(v, name, true, &out->euicc_cert, a, e));
        else if (!strcmp(name, "association_token")) {
            TRY(number_member(v, name, &out->token, e));
            out->has_token = true;
        } else if (!strcmp(name, "counter")) {
            TRY(number_member(v, name, &out->counter, e));
            out->has_counter = true;
        } else
            return fail_field(e, E_INVALID, NULL, name, "no such member");
    }
    if (!out->eid.n) return fail_field(e, E_INVALID, NULL, "eid", "is missing");
    if (out->imei.n) TRY(imei_label(out, a, e));
    return OK;
}
