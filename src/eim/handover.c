/* handover.c -- giving a card to another eIM, one step after the other (SGP.32 3.5.1; spec 5.14; doc/handover.md).
 *
 * There is no row that says how far a hand-over is: what the card attests says it. The list of eIMs is taken; who is not on it is added and listed;
 * what shows that the other one controls the card is a result that its eUICC signed for it, or a person's word; then we delete ourselves. Each call does the
 * one step that is next, so the same call again goes on where the last one ended, over restarts and years. */
#include "eim/manage.h"

#include "crypto/verify.h"
#include "eim/esipa_int.h"

const char *handover_step_name(enum handover_step s)
{
    static const char *const names[HANDOVER_END] = {
#define X(id, name) [id] = name,
        HANDOVER_STEPS(X)
#undef X
    };
    return (unsigned)s < HANDOVER_END ? names[s] : "?";
}

static const struct card_eim *entry(const struct card_eim_list *l, struct slice id)
{
    for (size_t i = 0; i < l->n; i++)
        if (slice_eq(l->v[i].eim_id, id)) return &l->v[i];
    return NULL;
}

static enum handover_step next_step(const struct device_view *v, struct slice us, struct slice other)
{
    const struct device *d = &v->device;
    const struct card_eim *there = entry(&v->eims, other);
    if (d->in_flight || d->next_op || d->unsettled) return HANDOVER_WAITING;
    if (!d->eims_us) return HANDOVER_LISTING;
    if (!entry(&v->eims, us)) return HANDOVER_GONE;
    if (!there) return HANDOVER_ADDING;
    if (there->op != d->eims_op) return HANDOVER_LISTING;          /* added, but no whole list shows it yet */
    return there->control_us ? HANDOVER_LEAVING : HANDOVER_UNPROVEN;
}

enum eim_err manage_handover(struct eim *m, const struct principal *p, const struct eid *eid, const json_t *to, bool dry_run,
                             enum handover_step *step, struct arena *a, struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    struct slice other = json_slice(json_object_get(to, "eim_id"));
    struct device_view v;
    struct operation o;
    char text[33];
    json_t *order = NULL;
    if (!id) return fail(e, E_NOT_FOUND, NULL, "the tenant has no eIM identity");
    if (!other.n) return fail_field(e, E_INVALID, "SGP.32 2.11.1", "to.eim_id", "must be a text that is not empty");
    if (slice_eq(other, id->eim_id)) return fail_field(e, E_INVALID, "SGP.32 2.11.1", "to.eim_id", "is this eIM");
    eid_print(eid, text);
    TRY(manage_device(m, p, slice_str(text), &v, a, e));
    *step = next_step(&v, id->eim_id, other);
    if (dry_run) return OK;
    json_t *list = json_pack("{s:{}}", "listEim");
    if (*step == HANDOVER_LISTING) order = json_pack("{s:[O]}", "ecos", list);
    if (*step == HANDOVER_ADDING) order = json_pack("{s:[{s:O},O]}", "ecos", "addEim", (json_t *)(uintptr_t)to, list);
    if (*step == HANDOVER_LEAVING)
        order = json_pack("{s:[{s:{s:s%}}],s:[s]}", "ecos", "deleteEim", "eim_id", (const char *)id->eim_id.p, id->eim_id.n, "override", "last_way_to_eim");
    enum eim_err rc = order ? manage_operation_create(m, p, slice_str(text), order, &o, a, e) : OK;
    json_decref(list);
    json_decref(order);
    return rc;
}

/* ---- who controls the card ---- */

struct control {
    struct store_job job;              /* first member */
    struct eim *m;
    const struct principal *p;
    int64_t association;
    struct slice eim_id, result, reason;
    int64_t token;                     /* DEVICE_TOKEN_NONE: the one that we know, else 0 */
    struct arena *a;
};

/* The result, exact bytes, is one that this device's eUICC signed for that eIM. */
static enum eim_err check(const struct control *c, const struct device *d, const struct card_eim *there, struct err *e)
{
    struct euicc_package_result r;
    struct public_key *key;
    if (d->key_class == KEY_NONE) return fail(e, E_STATE, "SGP.32 5.14.6", "the device has no key to verify with");
    if (der_decode(&euicc_package_result_type, c->result, &r, c->a, e) != OK || r.der.which != euicc_package_result_is_euicc_package_result_signed)
        return fail_field(e, E_INVALID, "SGP.32 2.11.2.1", "result", "is no signed EuiccPackageResult");
    const struct euicc_package_result_data_signed *data = &r.euicc_package_result_signed.euicc_package_result_data_signed;
    if (!slice_eq(data->eim_id, c->eim_id)) return fail_field(e, E_MISMATCH, "SGP.32 2.11.2.1", "result", "was signed for another eIM");
    int64_t token = c->token != DEVICE_TOKEN_NONE ? c->token : there->token != DEVICE_TOKEN_NONE ? there->token : 0;
    if (there->token != DEVICE_TOKEN_NONE && token != there->token)
        return fail_field(e, E_MISMATCH, "SGP.32 2.11.2.1", "association_token", "the card drew another one for this eIM");
    TRY(device_key(d, &key, e));
    enum eim_err rc = verify_with_token(key, data->der.raw, token, r.euicc_package_result_signed.euicc_sign_epr, e);
    public_key_free(key);
    if (rc != OK) snprintf(e->field, sizeof e->field, "result");
    return rc;
}

static enum eim_err control_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct control *c = (struct control *)job;
    struct device d;
    struct card_eim_list list;
    struct card_eim *there = NULL;
    TRY(store_device_lock(t, c->association, &d, c->a, e));
    if (!d.association || d.tenant != c->p->tenant) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    TRY(store_card_eim_list(t, c->association, &list, c->a, e));
    for (size_t i = 0; i < list.n; i++)
        if (slice_eq(list.v[i].eim_id, c->eim_id)) there = &list.v[i];
    if (!there) return fail_field(e, E_STATE, "SGP.32 3.5.1", "eim_id", "is not on the attested list of this card's eIMs");
    if (c->result.n) TRY(check(c, &d, there, e));
    there->control_us = eim_now(c->m);
    there->control = c->result;
    TRY(store_card_eim_replace(t, c->association, d.tenant, list.v, list.n, e));
    TRY(store_device_update(t, &d, e));
    const char *detail = arena_printf(c->a, "%.*s%s%.*s", (int)c->eim_id.n, (const char *)c->eim_id.p, c->reason.n ? ": " : "",
                                      (int)c->reason.n, (const char *)c->reason.p);
    if (!detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct audit_entry en = { .tenant = d.tenant, .principal = c->p->name, .eid = &d.eid, .detail = slice_str(detail),
                              .action = c->result.n ? "device.control_proven" : "device.control_confirmed" };
    return audit_add(t, c->m->host->env, &en, e);
}

enum eim_err manage_control(struct eim *m, const struct principal *p, struct slice eid, const struct control_claim *claim, struct arena *a, struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    struct eid parsed;
    if (!eid_parse(eid, false, &parsed)) return fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    if (!id) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    if (!claim->result.n == !claim->reason.n)
        return fail_field(e, E_INVALID, NULL, "result", "either a result that proves it, or a reason to take it for true");
    if (claim->reason.n > 200) return fail_field(e, E_INVALID, NULL, "reason", "at most 200 octets");
    if (slice_eq(claim->eim_id, id->eim_id)) return fail_field(e, E_INVALID, NULL, "eim_id", "is this eIM");
    struct control c = { .job = { .apply = control_apply }, .m = m, .p = p, .association = model_association(id->association_key, &parsed), .a = a,
                         .eim_id = claim->eim_id, .result = claim->result, .reason = claim->reason, .token = claim->token };
    return store_run(m->host->store, &c.job, e);
}
