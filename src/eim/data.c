/* data.c -- IpaEuiccDataRequest and what comes back (SGP.32 2.11.1.2, 2.11.2.2; spec 2.6, 3.7, 5.15).
 *
 * First contact asks for certificates, token, capabilities and what lies undelivered on the card. The answer is not signed: its
 * certificates count because they chain to a root that we hold and name the device's EID, its results and notifications because their own
 * signatures verify, its association token is a candidate, and all else is IPA-reported (I5, I11). */
#include "eim/esipa_int.h"

#include "crypto/cert.h"
#include "crypto/key.h"
#include "eim/interop.h"
#include "eim/quirks.h"

enum { RESULTS_MAX = OPERATION_QUEUE_MAX };        /* of one answer: more stay on the card, because they are not acknowledged (I7) */

struct slice data_request(struct plan *p)
{
    uint8_t *txid = arena_alloc(p->arena, TXID_SIZE);
    if (!txid) return (struct slice){ 0 };
    if (!p->d.data_txid.n) {                       /* asked again with the same id, so that a late answer still counts */
        eim_txid(p->m, p->d.association, txid);
        p->d.data_txid = (struct slice){ txid, TXID_SIZE };
    }
    p->d.data_deliveries++;
    p->d.data_sent_us = p->now;
    p->device_dirty = true;
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_get_eim_package_response };
    m.get_eim_package_response.der.which = get_eim_package_response_is_ipa_euicc_data_request;
    struct ipa_euicc_data_request *q = &m.get_eim_package_response.ipa_euicc_data_request;
    q->tag_list = p->quirks & (QUIRK_SHORT_TAG_LIST | QUIRK_V1_0) ? SGP32_TAGLIST_EUICC_DATA : SGP32_TAGLIST_EUICC_DATA_ALL;
    q->eim_transaction_id = p->d.data_txid;
    der_set(q, ipa_euicc_data_request, eim_transaction_id);
    if (p->identity->ci_pkid.n) {
        q->euicc_ci_pk_identifier_to_be_used = p->identity->ci_pkid;
        der_set(q, ipa_euicc_data_request, euicc_ci_pk_identifier_to_be_used);
    }
    return der_encode(&esipa_from_eim_type, &m, p->arena);
}

/* The chain, judged under the lock that guards the roots. */
static enum eim_err check_chain(struct plan *p, struct slice eum, struct slice euicc, struct public_key **key,
                                struct err *why)
{
    pthread_rwlock_rdlock(&p->m->lock);
    enum eim_err rc = cert_check_euicc(p->m->trust, eum, euicc, p->d.eid.b, p->now, key, why);
    pthread_rwlock_unlock(&p->m->lock);
    return rc;
}

/* A key is learnt through a chain only, and a person's pin stands above it (I5). */
static enum eim_err learn_key(struct plan *p, struct slice eum, struct slice euicc, struct err *why, struct err *e)
{
    struct public_key *key;
    if (check_chain(p, eum, euicc, &key, why) != OK) {
        COUNT(p->m, chains_refused);
        plan_hint(p, "chain_refused", euicc, why->why);
        return OK;
    }
    struct slice point = arena_copy(p->arena, public_key_point(key));
    int64_t curve = public_key_curve(key);
    public_key_free(key);
    if (!point.p) return fail(e, E_NOMEM, NULL, "no room for the key");
    COUNT(p->m, chains_verified);
    if (p->d.key_class != KEY_NONE && !(p->d.curve == curve && slice_eq(p->d.key, point))) {
        (void)fail(why, E_MISMATCH, "SGP.32 5.14.6", "the chain is good but its key is not the one this device had");
        plan_hint(p, "key_changed", euicc, why->why);
        return OK;
    }
    struct audit_entry en = { .tenant = p->d.tenant, .principal = SLICE("eim"), .action = "device.verified", .eid = &p->d.eid, .state = "ci" };
    if (p->d.key_class != KEY_CI) TRY(plan_audit(p, &en, e));
    if (p->d.key_class == KEY_NONE) p->d.wants |= WANT_INVENTORY;
    p->d.key_class = KEY_CI;
    p->d.curve = curve;
    p->d.key = point;
    p->device_dirty = true;
    p->data.eum_cert = eum;
    p->data.euicc_cert = euicc;
    return OK;
}

/* Results and notifications prove themselves, whatever the answer around them is worth: the same answer again, because ours got lost,
 * is acknowledged again. */
static enum eim_err accept_signed_parts(struct esipa_work *w, struct tx *t, const struct ipa_euicc_data *d, struct err *why, struct err *e)
{
    struct plan *p = w->plan;
    size_t n = der_has(d, ipa_euicc_data, euicc_package_result_list) ? d->euicc_package_result_list.n : 0;
    for (size_t i = 0; i < n && i < RESULTS_MAX; i++) {
        int64_t seq;
        TRY(result_accept(p, t, &d->euicc_package_result_list.v[i], &seq, why, e));
        if (seq >= 0 && w->nacks < PLAN_OPS) w->acks[w->nacks++] = seq;
    }
    return der_has(d, ipa_euicc_data, notifications_list) ? notify_accept(p, t, &d->notifications_list, e) : OK;
}

static enum eim_err accept_content(struct esipa_work *w, struct tx *t, const struct ipa_euicc_data *d, struct slice raw,
                                   struct err *why, struct err *e)
{
    struct plan *p = w->plan;
    TRY(store_data_get(t, p->d.association, &p->data, p->arena, e));
    p->data.info = raw;
    p->data.as_of_us = p->now;
    p->has_data = true;
    if (der_has(d, ipa_euicc_data, eum_certificate) && der_has(d, ipa_euicc_data, euicc_certificate))
        TRY(learn_key(p, d->eum_certificate, d->euicc_certificate, why, e));
    if (der_has(d, ipa_euicc_data, association_token) && d->association_token > 0 && d->association_token != p->d.token) {
        p->d.token_candidate = d->association_token;
        p->d.wants |= WANT_INVENTORY;              /* what tries it */
    }
    return accept_signed_parts(w, t, d, why, e);
}

enum eim_err data_accept(struct esipa_work *w, struct tx *t, const struct ipa_euicc_data_response *r, struct err *why,
                         struct err *e)
{
    struct plan *p = w->plan;
    bool error = r->der.which == ipa_euicc_data_response_is_ipa_euicc_data_response_error;
    const struct ipa_euicc_data_response_error *x = &r->ipa_euicc_data_response_error;
    const struct ipa_euicc_data *d = &r->ipa_euicc_data;
    struct slice txid = { 0 };
    if (error && der_has(x, ipa_euicc_data_response_error, eim_transaction_id)) txid = x->eim_transaction_id;
    if (!error && der_has(d, ipa_euicc_data, eim_transaction_id)) txid = d->eim_transaction_id;
    if (!p->d.data_txid.n || (txid.n && !slice_eq(txid, p->d.data_txid))) {
        (void)fail_field(why, E_MISMATCH, "SGP.32 2.11.2.2", "eimTransactionId", "no such IpaEuiccDataRequest is outstanding");
        plan_hint(p, "unasked_data", r->der.raw, why->why);
        return error ? OK : accept_signed_parts(w, t, d, why, e);
    }
    p->d.data_txid = (struct slice){ 0 };
    p->d.data_deliveries = 0;
    p->d.wants &= ~(int64_t)(WANT_DATA | WANT_RESULTS);
    p->device_dirty = true;
    if (!error) TRY(accept_content(w, t, d, r->der.raw, why, e));
    if (p->d.key_class == KEY_NONE) {              /* anybody could have answered: ask again, after a pause */
        p->d.wants |= WANT_DATA;
        p->d.data_deliveries = DATA_DELIVERIES;
        p->d.data_sent_us = p->now;
    }
    if (!error) return OK;
    if (x->ipa_euicc_data_error_code == IPA_EUICC_DATA_ERROR_INCORRECT_TAG_LIST && !(p->quirks & (QUIRK_SHORT_TAG_LIST | QUIRK_V1_0))) {
        TRY(quirks_learn(p, QUIRK_SHORT_TAG_LIST, e));         /* unsigned, and so it costs no more than what it could not give */
        interop_note(p->m->interop, p->now, &p->d.eid, INTEROP_TAG_LIST, "provideEimPackageResult", r->der.raw, 0);
        p->d.wants |= WANT_DATA;
        p->d.data_deliveries = 0;
    }
    const char *name = der_name(ipa_euicc_data_error_names, x->ipa_euicc_data_error_code);
    (void)fail(why, E_STATE, "SGP.32 2.11.2.2", "the IPA answers the data request with %s(%lld)", name ? name : "an error",
               (long long)x->ipa_euicc_data_error_code);
    plan_hint(p, "data_error", r->der.raw, why->why);
    return OK;
}
