/* proof.c -- judging one device's attested inventory from its exact bytes. */
#include "trust/proof.h"

#include "crypto/verify.h"

static enum eim_err none(struct proof_verdict *v)
{
    v->class_ = PROOF_NONE;
    return OK;
}

/* Nothing in the package may have changed anything, and one of its steps must ask for all profiles with ICCID and state. */
static const struct profile_info_list_request *full_list(const struct euicc_package *p, size_t *step)
{
    const uint64_t need = UINT64_C(1) << profile_info_has_iccid | UINT64_C(1) << profile_info_has_profile_state;
    const struct profile_info_list_request *found = NULL;
    if (p->der.which != euicc_package_is_psmo_list) return NULL;
    for (size_t i = 0; i < p->psmo_list.n; i++) {
        const struct psmo *s = &p->psmo_list.v[i];
        uint64_t asked = need;
        if (s->der.which == psmo_is_get_rat) continue;
        if (s->der.which != psmo_is_list_profile_info) return NULL;
        const struct profile_info_list_request *q = &s->list_profile_info;
        if (der_has(q, profile_info_list_request, search_criteria)) continue;
        if (der_has(q, profile_info_list_request, tag_list) && !der_taglist(&profile_info_type, q->tag_list, &asked)) continue;
        if ((asked & need) != need || found) continue;
        found = q;
        *step = i;
    }
    return found;
}

/* Do question and answer belong together, and to this device and eIM? Fills v->why when not. */
static bool belong(const struct proof_evidence *ev, const struct euicc_package_signed *q, const struct euicc_package_result_data_signed *r,
                   struct proof_verdict *v)
{
    static const char clause[] = "SGP.32 2.11.2.1";
    if (!slice_eq(q->eid_value, slice_of(ev->eid, sizeof ev->eid)))
        (void)fail_field(&v->why, E_MISMATCH, "SGP.32 2.11.1.1", "eidValue", "the package was made for another eUICC");
    else if (!slice_eq(q->eim_id, ev->eim_id) || !slice_eq(r->eim_id, ev->eim_id))
        (void)fail_field(&v->why, E_MISMATCH, clause, "eimId", "package or result belong to another eIM");
    else if (r->counter_value != q->counter_value)
        (void)fail_field(&v->why, E_MISMATCH, clause, "counterValue", "the result answers another package");
    else if (!der_has(q, euicc_package_signed, eim_transaction_id) || !der_has(r, euicc_package_result_data_signed, eim_transaction_id) ||
             !slice_eq(r->eim_transaction_id, q->eim_transaction_id))
        (void)fail_field(&v->why, E_MISMATCH, clause, "eimTransactionId", "the result answers another package");
    return v->why.code == OK;
}

static bool signed_by(const struct public_key *key, const struct proof_evidence *ev, struct slice tbs, struct slice sig, struct err *why)
{
    struct err last = { 0 };
    if (verify_with_token(key, tbs, 0, sig, &last) == OK) return true;
    for (size_t i = 0; i < ev->ntokens; i++)
        if (ev->tokens[i] > 0 && verify_with_token(key, tbs, ev->tokens[i], sig, &(struct err){ 0 }) == OK) return true;
    *why = last;
    return false;
}

/* The key that counts, and the class it can give. A chain that was given and does not hold is told, not passed over. */
static enum proof_class key_of(const struct proof_evidence *ev, const struct cert_trust *trust, int64_t now_us, struct public_key **key, struct err *why)
{
    *key = NULL;
    if (ev->eum_cert.n && ev->euicc_cert.n && cert_check_euicc(trust, ev->eum_cert, ev->euicc_cert, ev->eid, now_us, key, why) == OK) return PROOF_PROVEN;
    struct err chain = *why;
    *why = (struct err){ 0 };
    if (ev->key.n && public_key_from_point(key, ev->curve, ev->key, why) == OK) {
        if (chain.code) *why = chain;
        else (void)fail(why, E_CHAIN, "SGP.22 4.5", "no certificate chain: the key was vouched for by a person");
        return PROOF_WEAK;
    }
    if (chain.code) *why = chain;
    else if (!why->code) (void)fail(why, E_CHAIN, "SGP.22 4.5", "neither a certificate chain nor a key");
    return PROOF_NONE;
}

/* What the list says. */
static enum eim_err read_list(const struct profile_info_list *list, struct proof_verdict *v)
{
    v->profiles = list->n;
    for (size_t i = 0; i < list->n; i++) {
        const struct profile_info *p = &list->v[i];
        if (!der_has(p, profile_info, profile_state) || p->profile_state != PROFILE_STATE_ENABLED) continue;
        if (v->enabled.n) {
            (void)fail(&v->why, E_INVALID, "SGP.32 5.9.14", "more than one profile is enabled");
            return none(v);
        }
        v->enabled = p->iccid;
        v->provider = p->service_provider_name;
        v->name = p->profile_name;
    }
    return OK;
}

enum eim_err proof_inventory(const struct proof_evidence *ev, const struct cert_trust *trust, int64_t now_us, struct proof_verdict *out,
                             struct arena *a, struct err *e)
{
    struct euicc_package_request q;
    struct euicc_package_result r;
    struct public_key *key;
    size_t step = 0;
    *out = (struct proof_verdict){ 0 };
    enum eim_err rc = der_decode(&euicc_package_request_type, ev->package, &q, a, &out->why);
    if (rc == OK) rc = der_decode(&euicc_package_result_type, ev->result, &r, a, &out->why);
    if (rc == E_NOMEM) return fail(e, E_NOMEM, NULL, "no room for the evidence of one device");
    if (rc != OK) return none(out);
    const struct euicc_package_signed *asked = &q.euicc_package_signed;
    if (r.der.which != euicc_package_result_is_euicc_package_result_signed) {
        (void)fail(&out->why, E_INVALID, "SGP.32 2.11.2.1", "the eUICC answered with an error");
        return none(out);
    }
    const struct euicc_package_result_data_signed *data = &r.euicc_package_result_signed.euicc_package_result_data_signed;
    if (!belong(ev, asked, data, out)) return none(out);
    if (!full_list(&asked->euicc_package, &step)) {
        (void)fail(&out->why, E_INVALID, "SGP.32 5.9.14", "the package is no inventory: it must ask for all profiles, and change nothing");
        return none(out);
    }
    const struct euicc_result_data *answer = step < data->euicc_result.n ? &data->euicc_result.v[step] : NULL;
    if (!answer || answer->der.which != euicc_result_data_is_list_profile_info_result ||
        answer->list_profile_info_result.der.which != profile_info_list_response_is_profile_info_list_ok) {
        (void)fail(&out->why, E_INVALID, "SGP.32 5.9.14", "the result holds no list of profiles");
        return none(out);
    }
    out->counter = data->counter_value;
    out->class_ = key_of(ev, trust, now_us, &key, &out->why);
    if (out->class_ != PROOF_NONE && !signed_by(key, ev, data->der.raw, r.euicc_package_result_signed.euicc_sign_epr, &out->why)) out->class_ = PROOF_NONE;
    public_key_free(key);
    if (out->why.code == E_CRYPTO || out->why.code == E_NOMEM) return fail(e, out->why.code, NULL, "%s", out->why.why);
    return out->class_ == PROOF_NONE ? OK : read_list(&answer->list_profile_info_result.profile_info_list_ok, out);
}
