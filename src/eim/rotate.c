/* rotate.c -- the key that packages are signed with and the certificate that IPAs trust, made others over a fleet (SGP.32 3.5.1.3, updateEim;
 * spec 5.14; doc/rotation.md).
 *
 * Each device's row names the key that its eUICC has: packages for it are signed with that one, until a verified result of updateEim proves that the
 * card has the next. So a fleet may take years, any device may be lost for months, and a restart changes nothing. */
#include "eim/manage.h"

#include "base/env.h"
#include "crypto/digest.h"
#include "crypto/signer.h"
#include "eim/esipa_int.h"

const char *rotation_step_name(enum rotation_step s)
{
    static const char *const names[ROTATION_END] = {
#define X(id, name) [id] = name,
        ROTATION_STEPS(X)
#undef X
    };
    return (unsigned)s < ROTATION_END ? names[s] : "?";
}

static enum eim_err present_key(struct eim *m, const struct identity *id, struct slice *spki, struct arena *a, struct err *e)
{
    const char *name = arena_str(a, id->signing_key);
    return name ? signer_public(m->host->signer, name, spki, NULL, a, e) : fail(e, E_NOMEM, NULL, "no room for a key");
}

static enum eim_err trust_of(struct slice certificate, struct slice *out, struct arena *a, struct err *e)
{
    uint8_t digest[SHA256_SIZE];
    char *hex = arena_alloc(a, 2 * SHA256_SIZE + 1);
    if (!hex) return fail(e, E_NOMEM, NULL, "no room for a digest");
    TRY(digest_sha256(certificate, digest, e));
    slice_hex(slice_of(digest, sizeof digest), false, hex);
    *out = slice_of(hex, 2 * SHA256_SIZE);
    return OK;
}

/* ---- what the card attests ---- */

enum eim_err rotate_proved(struct plan *p, const struct eim_configuration_data *c, struct err *e)
{
    struct slice spki;
    if (!slice_eq(c->eim_id, p->identity->eim_id)) return OK;
    if (der_has(c, eim_configuration_data, trusted_public_key_data_tls) &&
        c->trusted_public_key_data_tls.der.which == trusted_public_key_data_tls_is_trusted_certificate_tls)
        TRY(trust_of(c->trusted_public_key_data_tls.trusted_certificate_tls, &p->d.tls_trust, p->arena, e));
    if (!der_has(c, eim_configuration_data, eim_public_key_data)) return OK;
    TRY(present_key(p->m, p->identity, &spki, p->arena, e));
    if (c->eim_public_key_data.der.which != eim_public_key_data_is_eim_public_key || !slice_eq(c->eim_public_key_data.eim_public_key, spki)) return OK;
    p->d.signing_key = p->identity->signing_key;
    /* a new key begins a new count: ours goes on where it is, which the card takes, and begins anew only when its end comes near */
    if (der_has(c, eim_configuration_data, counter_value) && p->d.counter > COUNTER_MAX / 2) p->d.counter = c->counter_value;
    return OK;
}

enum eim_err rotate_judge(struct eim *m, const struct identity *id, const struct euicc_package *package, struct arena *a, struct err *e)
{
    for (size_t i = 0; package->der.which == euicc_package_is_eco_list && i < package->eco_list.n; i++) {
        const struct eco *c = &package->eco_list.v[i];
        struct slice spki;
        if (c->der.which != eco_is_update_eim || !slice_eq(c->update_eim.eim_id, id->eim_id) ||
            !der_has(&c->update_eim, eim_configuration_data, eim_public_key_data))
            continue;
        TRY(present_key(m, id, &spki, a, e));
        if (c->update_eim.eim_public_key_data.der.which != eim_public_key_data_is_eim_public_key ||
            !slice_eq(c->update_eim.eim_public_key_data.eim_public_key, spki))
            return fail_field(e, E_RULE, "SGP.32 3.5.1.3", "updateEim", "the card would have a key of this eIM that is not the one of eim.signing_key");
    }
    return OK;
}

/* ---- one device's next step ---- */

static json_t *order_for(struct eim *m, const struct identity *id, struct slice tls_anchor, struct arena *a, struct err *e)
{
    struct slice der = tls_anchor;
    json_t *update = json_pack("{s:s%}", "eim_id", (const char *)id->eim_id.p, id->eim_id.n);
    if (!der.n && present_key(m, id, &der, a, e) != OK) {
        json_decref(update);
        return NULL;
    }
    char *b64 = arena_alloc(a, 4 * ((der.n + 2) / 3) + 1);
    if (b64) slice_to_b64(der, b64);
    if (b64) json_object_set_new(update, tls_anchor.n ? "tls_certificate" : "public_key", json_string(b64));
    if (!tls_anchor.n) json_object_set_new(update, "counter", json_integer(0));
    if (!b64) json_decref(update), update = NULL;
    return update ? json_pack("{s:[{s:o}]}", "ecos", "updateEim", update) : NULL;
}

enum eim_err manage_rotate(struct eim *m, const struct principal *p, const struct eid *eid, struct slice tls_anchor, bool dry_run,
                           enum rotation_step *step, struct arena *a, struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    struct device_view v;
    struct operation o;
    struct slice trust = { 0 };
    char text[33];
    if (!id) return fail(e, E_NOT_FOUND, NULL, "the tenant has no eIM identity");
    eid_print(eid, text);
    TRY(manage_device(m, p, slice_str(text), &v, a, e));
    if (tls_anchor.n) TRY(trust_of(tls_anchor, &trust, a, e));
    const struct device *d = &v.device;
    bool done = trust.n ? slice_eq(d->tls_trust, trust) : !d->signing_key.n || slice_eq(d->signing_key, id->signing_key);
    *step = done ? ROTATION_DONE : d->in_flight || d->next_op || d->unsettled ? ROTATION_WAITING : ROTATION_ROTATING;
    if (dry_run || *step != ROTATION_ROTATING) return OK;
    json_t *order = order_for(m, id, tls_anchor, a, e);
    if (!order) return e->code ? e->code : fail(e, E_NOMEM, NULL, "no room for the order");
    enum eim_err rc = manage_operation_create(m, p, slice_str(text), order, &o, a, e);
    json_decref(order);
    return rc;
}

/* ---- a person's word ---- */

struct word {
    struct store_job job;              /* first member */
    struct eim *m;
    const struct principal *p;
    int64_t association;
    struct slice key, reason;
    struct arena *a;
};

static enum eim_err word_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct word *w = (struct word *)job;
    struct device d;
    TRY(store_device_lock(t, w->association, &d, w->a, e));
    if (!d.association || d.tenant != w->p->tenant) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    char *detail = arena_printf(w->a, "%.*s, was %.*s: %.*s", (int)w->key.n, (const char *)w->key.p, (int)d.signing_key.n,
                                (const char *)d.signing_key.p, (int)w->reason.n, (const char *)w->reason.p);
    if (!detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    d.signing_key = w->key;
    TRY(store_device_update(t, &d, e));
    struct audit_entry en = { .tenant = d.tenant, .principal = w->p->name, .eid = &d.eid, .action = "device.signing_key", .detail = slice_str(detail) };
    return audit_add(t, w->m->host->env, &en, e);
}

enum eim_err manage_rotated(struct eim *m, const struct principal *p, struct slice eid, struct slice key, struct slice reason, struct arena *a,
                            struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    struct eid parsed;
    const char *name = arena_str(a, key);
    if (!eid_parse(eid, false, &parsed)) return fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    if (!id) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    if (!reason.n || reason.n > 200) return fail_field(e, E_INVALID, NULL, "reason", "must be a text of 1 to 200 octets");
    if (!name || signer_public(m->host->signer, name, NULL, NULL, a, &(struct err){ 0 }) != OK)
        return fail_field(e, E_NOT_FOUND, NULL, "signing_key", "this eIM has no such key");
    struct word w = { .job.apply = word_apply, .m = m, .p = p, .association = model_association(id->association_key, &parsed), .key = key,
                      .reason = reason, .a = a };
    return store_run(m->host->store, &w.job, e);
}
