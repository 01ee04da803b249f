/* provide.c -- ProvideEimPackageResult, alone or inside HandleNotification (SGP.32 5.14.6, 5.14.7; spec 2.8, 5.3, 5.4).
 *
 * Whose result it is: eidValue; else the serialNumber of the certificate inside; else our own eimTransactionId, which carries the
 * association. An answer that cannot be attributed is refused with missingEid(4). */
#include "eim/esipa_int.h"

#include "crypto/cert.h"
#include "eim/quirks.h"

static void answer_error(struct esipa_work *w, int64_t code, const char *name)
{
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_provide_eim_package_result_response };
    struct provide_eim_package_result_response *r = &m.provide_eim_package_result_response;
    r->der.which = provide_eim_package_result_response_is_provide_eim_package_result_error;
    r->provide_eim_package_result_error = code;
    w->x->answer = name;
    work_answer(w, w->no_body ? (struct slice){ 0 } : der_encode(&esipa_from_eim_type, &m, w->x->arena));
}

/* The eimTransactionId that an eimPackageResult echoes, wherever it stands; empty when it has none. */
static struct slice txid_of(const struct eim_package_result *r)
{
    const struct euicc_package_result *epr = r->der.which == eim_package_result_is_euicc_package_result ? &r->euicc_package_result
                                           : r->der.which == eim_package_result_is_epr_and_notifications ? &r->epr_and_notifications.euicc_package_result
                                           : NULL;
    if (epr && epr->der.which == euicc_package_result_is_euicc_package_result_signed)
        return epr->euicc_package_result_signed.euicc_package_result_data_signed.eim_transaction_id;
    if (epr && epr->der.which == euicc_package_result_is_euicc_package_error_signed)
        return epr->euicc_package_error_signed.euicc_package_error_data_signed.eim_transaction_id;
    if (epr) return epr->euicc_package_error_unsigned.eim_transaction_id;
    if (r->der.which == eim_package_result_is_ipa_euicc_data_response)
        return r->ipa_euicc_data_response.der.which == ipa_euicc_data_response_is_ipa_euicc_data
             ? r->ipa_euicc_data_response.ipa_euicc_data.eim_transaction_id
             : r->ipa_euicc_data_response.ipa_euicc_data_response_error.eim_transaction_id;
    if (r->der.which == eim_package_result_is_profile_download_trigger_result) return r->profile_download_trigger_result.eim_transaction_id;
    return r->eim_package_result_response_error.eim_transaction_id;
}

/* The EID inside a certificate of an IpaEuiccData answer; false when there is none. */
static bool eid_from_certificate(const struct eim_package_result *r, struct eid *out)
{
    if (r->der.which != eim_package_result_is_ipa_euicc_data_response ||
        r->ipa_euicc_data_response.der.which != ipa_euicc_data_response_is_ipa_euicc_data)
        return false;
    const struct ipa_euicc_data *d = &r->ipa_euicc_data_response.ipa_euicc_data;
    return der_has(d, ipa_euicc_data, euicc_certificate) && cert_eid(d->euicc_certificate, out->b, &(struct err){ 0 }) == OK;
}

static enum eim_err accept(struct esipa_work *w, struct tx *t, const struct eim_package_result *r, struct err *why,
                           struct err *e)
{
    struct plan *p = w->plan;
    int64_t seq = -1;
    switch (r->der.which) {
    case eim_package_result_is_euicc_package_result:
        TRY(result_accept(p, t, &r->euicc_package_result, &seq, why, e));
        break;
    case eim_package_result_is_epr_and_notifications:
        TRY(result_accept(p, t, &r->epr_and_notifications.euicc_package_result, &seq, why, e));
        TRY(notify_accept(p, t, &r->epr_and_notifications.notification_list, e));
        break;
    case eim_package_result_is_ipa_euicc_data_response:
        TRY(data_accept(w, t, &r->ipa_euicc_data_response, why, e));
        break;
    case eim_package_result_is_profile_download_trigger_result:
        TRY(download_accept(p, t, &r->profile_download_trigger_result, why, e));
        break;
    default:                                       /* unsigned: it decides nothing about a signed package (I11) */
        (void)fail(why, E_STATE, "SGP.32 5.14.6", "the IPA reports eimPackageResultErrorCode %lld",
                   (long long)r->eim_package_result_response_error.eim_package_result_error_code);
        plan_hint(p, "ipa_error", r->der.raw, why->why);
        TRY(download_refused(p, t, &r->eim_package_result_response_error, why, e));
    }
    if (seq >= 0 && w->nacks < PLAN_OPS) w->acks[w->nacks++] = seq;
    return plan_queue(p, t, e);
}

static void accept_known(struct esipa_work *w, struct tx *t, const struct identity *id, const struct device *d,
                         const struct eim_package_result *r)
{
    struct exchange *x = w->x;
    struct err why = { 0 }, e = { 0 };
    contacts_note(w->m->contacts, d->association, eim_now(w->m));
    w->plan = ARENA_NEW(x->arena, struct plan);
    enum eim_err rc = w->plan ? OK : fail(&e, E_NOMEM, NULL, "no room for a plan");
    if (rc == OK) {
        plan_begin(w->plan, w->m, id, d, x->arena);
        if (x->injected && !d->first_contact_us) {
            w->plan->d.first_contact_us = w->plan->now;
            w->plan->device_dirty = true;
        }
        rc = quirks_of(w->m, t, d, x->agent, &w->plan->quirks, x->arena, &e);
    }
    if (rc == OK) rc = accept(w, t, r, &why, &e);
    store_read_end(t);
    x->err = rc == OK ? why : e;
    if (rc == OK) work_commit(w);
    else work_fail(w, rc);
}

void provide_handle(struct esipa_work *w, const struct provide_eim_package_result *r)
{
    struct exchange *x = w->x;
    const struct identity *id = eim_identity(w->m, x->host);
    int64_t association = 0;
    if (der_has(r, provide_eim_package_result, eid_value)) {
        if (r->eid_value.n != sizeof x->eid.b) {
            (void)fail_field(&x->err, E_INVALID, "SGP.32 5.14.6", "eidValue", "an EID of %zu octets", r->eid_value.n);
            answer_error(w, PROVIDE_EIM_PACKAGE_RESULT_ERROR_INVALID_EID, "invalidEid");
            return;
        }
        memcpy(x->eid.b, r->eid_value.p, sizeof x->eid.b);
        x->has_eid = true;
    } else
        x->has_eid = eid_from_certificate(&r->eim_package_result, &x->eid);
    association = x->has_eid ? model_association(id->association_key, &x->eid) : eim_txid_association(txid_of(&r->eim_package_result));
    if (!association) {
        (void)fail_field(&x->err, E_INVALID, "SGP.32 5.14.6", "eidValue", "absent, and nothing else tells whose result it is");
        answer_error(w, PROVIDE_EIM_PACKAGE_RESULT_ERROR_MISSING_EID, "missingEid");
        return;
    }
    struct tx *t;
    struct device d;
    enum eim_err rc = store_read_begin(w->m->host->store, &t, &x->err);
    if (rc != OK) {
        work_fail(w, rc);
        return;
    }
    rc = store_device_get(t, association, &d, x->arena, &x->err);
    bool there = rc == OK && d.association && d.identity == id->id && (!x->has_eid || !memcmp(d.eid.b, x->eid.b, sizeof d.eid.b));
    if (there) {
        x->eid = d.eid;
        accept_known(w, t, id, &d, &r->eim_package_result);
        return;
    }
    store_read_end(t);
    if (rc != OK) {
        work_fail(w, rc);
        return;
    }
    bool had_eid = x->has_eid;
    (void)fail_field(&x->err, E_NOT_FOUND, "SGP.32 5.14.6", "eidValue", "this EID is not enrolled");
    if (had_eid) answer_error(w, PROVIDE_EIM_PACKAGE_RESULT_ERROR_EID_NOT_FOUND, "eidNotFound");
    else answer_error(w, PROVIDE_EIM_PACKAGE_RESULT_ERROR_MISSING_EID, "missingEid");
}
