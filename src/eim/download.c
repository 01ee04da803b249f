/* download.c -- direct profile download: the trigger, and what comes of it (SGP.32 3.2.3.1, 2.11.1.3, 2.11.2.3; spec 5.7).
 *
 * The eIM tells the IPA where to fetch a profile: by activation code, from the default SM-DP+, or by asking an SM-DS. The IPA does the rest
 * over ES9+ and reports. A trigger is not signed and spends no counter; it does not block packages. Its end may be unsigned (I11): a
 * ProfileInstallationResult that verifies under the device's key and is new is proof, everything else is IPA-reported and says so in its
 * reason. One that verifies not, although the device has a key, ends nothing. No answer within an hour: given again, three times in all,
 * then it has failed, and an inventory tells what is really there. */
#include "eim/esipa_int.h"
#include "eim/pool.h"

#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/verify.h"

enum { CONFIRMATION_MAX = 64, DOWNLOAD_TRIES = 3 };
static const int64_t DOWNLOAD_PATIENCE_US = INT64_C(3600) * 1000000;

/* ---- what people order ---- */

struct slice download_request(struct slice code, struct arena *a)
{
    struct profile_download_trigger_request r = { 0 };
    r.profile_download_data.der.which = profile_download_data_is_activation_code;
    r.profile_download_data.activation_code = code;
    der_set(&r, profile_download_trigger_request, profile_download_data);
    return der_encode(&profile_download_trigger_request_type, &r, a);
}

enum eim_err download_confirmation(struct slice code, bool indirect, const char *field, struct slice *digest, struct arena *a, struct err *e)
{
    if (!code.n || code.n > CONFIRMATION_MAX)
        return fail_field(e, E_INVALID, "SGP.22 4.7", field, "must be a text of 1 to %d octets", CONFIRMATION_MAX);
    if (!indirect)
        return fail_field(e, E_RULE, "SGP.32 3.2.3.2", field, "only a download through the eIM has a place for it, and eim.indirect_download is off");
    uint8_t *out = arena_alloc(a, SHA256_SIZE);
    if (!out) return fail(e, E_NOMEM, NULL, "no room for a digest");
    *digest = slice_of(out, SHA256_SIZE);
    return digest_sha256(code, out, e);
}

enum eim_err download_from_json(const json_t *order, bool indirect, struct slice *request, struct slice *digest, struct arena *a, struct err *e)
{
    const json_t *code = json_object_get(order, "activation_code"), *own = json_object_get(order, "default_smdp"), *ds = json_object_get(order, "smds");
    const json_t *confirmation = json_object_get(order, "confirmation_code");
    *digest = (struct slice){ 0 };
    if (confirmation) TRY(download_confirmation(json_slice(confirmation), indirect, "download.confirmation_code", digest, a, e));
    if (!json_is_object(order) || json_object_size(order) != (confirmation ? 2 : 1) || (!code && !own && !ds))
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.3", "download", "must have one of activation_code, default_smdp and smds");
    struct profile_download_trigger_request r = { 0 };
    struct profile_download_data *d = &r.profile_download_data;
    der_set(&r, profile_download_trigger_request, profile_download_data);
    if (code) {
        struct code_parts parts;
        TRY(code_parse(json_slice(code), "download.activation_code", &parts, e));
        if (parts.confirmation && !confirmation)
            return fail_field(e, E_RULE, "SGP.32 3.2.3.1", "download.activation_code",
                              "asks for a confirmation code: download.confirmation_code, and a download through the eIM");
        d->der.which = profile_download_data_is_activation_code;
        d->activation_code = parts.whole;
    } else if (own) {
        if (!json_is_true(own)) return fail_field(e, E_INVALID, NULL, "download.default_smdp", "must be true");
        d->der.which = profile_download_data_is_contact_default_smdp;
        d->contact_default_smdp = true;
    } else {
        if (!json_is_true(ds) && !json_string_length(ds)) return fail_field(e, E_INVALID, NULL, "download.smds", "must be true or an address");
        d->der.which = profile_download_data_is_contact_smds;
        if (json_is_string(ds)) {
            d->contact_smds.smds_address = json_slice(ds);
            der_set(&d->contact_smds, contact_smds, smds_address);
        }
    }
    *request = der_encode(&profile_download_trigger_request_type, &r, a);
    return request->p ? OK : fail_field(e, E_INVALID, NULL, "download", "cannot be encoded");
}

/* The matching id is as good as the profile: people see where it comes from, not the code. */
json_t *download_json(const struct operation *o, struct arena *a)
{
    struct profile_download_trigger_request r;
    if (der_decode(&profile_download_trigger_request_type, o->request, &r, a, &(struct err){ 0 }) != OK) return NULL;
    const struct profile_download_data *d = &r.profile_download_data;
    json_t *step = json_pack("{s:s}", "op", "download");
    if (d->der.which == profile_download_data_is_activation_code) {
        struct slice address = slice_of(d->activation_code.p + 2, d->activation_code.n - 2);
        const uint8_t *end = memchr(address.p, '$', address.n);
        json_object_set_new(step, "smdp", json_stringn((const char *)address.p, end ? (size_t)(end - address.p) : 0));
    } else if (d->der.which == profile_download_data_is_contact_default_smdp)
        json_object_set_new(step, "default_smdp", json_true());
    else
        json_object_set_new(step, "smds", d->contact_smds.smds_address.n
                            ? json_stringn((const char *)d->contact_smds.smds_address.p, d->contact_smds.smds_address.n) : json_true());
    if (operation_is_final(o->state)) json_object_set_new(step, "outcome", json_string(o->state == OP_DONE ? "ok" : "failed"));
    json_t *steps = json_array();
    json_array_append_new(steps, step);
    return steps;
}

/* ---- giving it out ---- */

bool download_due(const struct plan *p, const struct operation *o)
{
    return o->deliveries < DOWNLOAD_TRIES && p->now - o->last_sent_us >= DOWNLOAD_PATIENCE_US;
}

bool download_given_up(const struct plan *p, const struct operation *o)
{
    return o->deliveries >= DOWNLOAD_TRIES && p->now - o->last_sent_us >= DOWNLOAD_PATIENCE_US;
}

enum eim_err download_make(struct plan *p, struct operation *o, struct err *e)
{
    struct profile_download_trigger_request r;
    uint8_t *txid = arena_alloc(p->arena, TXID_SIZE);
    TRY(der_decode(&profile_download_trigger_request_type, o->request, &r, p->arena, e));
    if (!txid) return fail(e, E_NOMEM, NULL, "no room for the trigger");
    eim_txid(p->m, p->d.association, txid);
    o->txid = (struct slice){ txid, TXID_SIZE };
    r.eim_transaction_id = o->txid;
    der_set(&r, profile_download_trigger_request, eim_transaction_id);
    o->package = der_encode(&profile_download_trigger_request_type, &r, p->arena);
    return o->package.p ? OK : fail(e, E_NOMEM, NULL, "no room for the trigger");
}

struct slice download_answer(struct slice trigger, struct arena *a)
{
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_get_eim_package_response };
    m.get_eim_package_response.der.which = get_eim_package_response_is_profile_download_trigger_request;
    der_verbatim_seq(&m.get_eim_package_response.profile_download_trigger_request.der, trigger);
    return der_encode(&esipa_from_eim_type, &m, a);
}

/* ---- what comes back ---- */

static enum eim_err end(struct plan *p, struct plan_op *o, enum operation_event ev, struct slice raw, int64_t code, const char *reason, struct err *e)
{
    o->op.result = raw;
    o->op.result_us = p->now;
    o->op.code = code;
    o->op.reason = slice_str(reason);
    if (!reason || !plan_move(p, o, ev, "device")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    p->d.changed_us = p->now;                      /* whatever is said, an inventory tells what is there */
    p->d.wants |= WANT_INVENTORY;
    return OK;
}

enum eim_err download_give_up(struct plan *p, struct plan_op *o, struct err *e)
{
    return end(p, o, EV_ERROR, (struct slice){ 0 }, PROFILE_DOWNLOAD_ERROR_REASON_UNDEFINED_ERROR,
               "the device never answered the trigger; an inventory will tell what is there", e);
}

/* The outstanding trigger that an answer belongs to: by transaction id; an answer without one belongs to the only one there is. */
static enum eim_err outstanding(struct plan *p, struct tx *t, struct slice txid, struct plan_op **o, struct err *why, struct err *e)
{
    *o = NULL;
    if (p->d.download_op) TRY(plan_read(p, t, p->d.download_op, o, e));
    if (*o && (!txid.n || slice_eq(txid, (*o)->op.txid))) return OK;
    *o = NULL;
    (void)fail_field(why, E_MISMATCH, "SGP.32 2.11.2.3", "eimTransactionId", "no such profile download was triggered by this eIM");
    return OK;
}

/* 1: signed by the device's eUICC; 0: it has no key to judge with; -1: it does not verify. */
static int proof(const struct plan *p, const struct profile_installation_result *r)
{
    struct public_key *key;
    if (device_key(&p->d, &key, &(struct err){ 0 }) != OK || !key) return 0;
    bool ok = verify_signature(key, &r->profile_installation_result_data.der.raw, 1, r->euicc_sign_pir, &(struct err){ 0 }) == OK;
    public_key_free(key);
    return ok ? 1 : -1;
}

/* The card counts results and notifications in one sequence (spec 3.8): a proof must be younger than the inventory that was there when the
 * trigger left, or it is an old one shown again, and counts as told by the IPA. */
static enum eim_err proof_is_new(struct plan *p, struct tx *t, const struct notification_metadata *n, int *proven, struct err *e)
{
    struct plan_op *inventory = NULL;
    if (p->d.inventory_op) TRY(plan_read(p, t, p->d.inventory_op, &inventory, e));
    if (!inventory || n->seq_number <= inventory->op.seq) *proven = 0;
    return OK;
}

static enum eim_err installed(struct plan *p, struct tx *t, struct plan_op *o, const struct profile_installation_result *r, struct slice raw,
                              struct err *why, struct err *e)
{
    int proven = proof(p, r);
    if (proven > 0) TRY(proof_is_new(p, t, &r->profile_installation_result_data.notification_metadata, &proven, e));
    if (proven < 0) {
        COUNT(p->m, results_refused);
        (void)fail(why, E_SIGNATURE, "SGP.22 2.5.6", "the ProfileInstallationResult does not verify");
        plan_hint(p, "refused_result", raw, why->why);
        return OK;
    }
    const struct final_result *f = &r->profile_installation_result_data.final_result;
    const char *by = proven ? "eUICC-signed" : "IPA-reported";
    if (f->der.which == final_result_is_success_result)
        return end(p, o, EV_RESULT, raw, 0, arena_printf(p->arena, "installed (%s)", by), e);
    const char *name = der_name(bpp_error_reason_names, f->error_result.error_reason);
    return end(p, o, EV_ERROR, raw, f->error_result.error_reason,
               arena_printf(p->arena, "%s(%lld) (%s)", name ? name : "error", (long long)f->error_result.error_reason, by), e);
}

enum eim_err download_accept(struct plan *p, struct tx *t, const struct profile_download_trigger_result *r, struct err *why, struct err *e)
{
    struct plan_op *o;
    struct slice txid = der_has(r, profile_download_trigger_result, eim_transaction_id) ? r->eim_transaction_id : (struct slice){ 0 };
    TRY(outstanding(p, t, txid, &o, why, e));
    if (!o) {
        plan_hint(p, "unasked_download_result", r->der.raw, why->why);
        return OK;
    }
    const struct profile_download_trigger_result_data *d = &r->profile_download_trigger_result_data;
    if (d->der.which == profile_download_trigger_result_data_is_profile_installation_result)
        return installed(p, t, o, &d->profile_installation_result, r->der.raw, why, e);
    int64_t code = d->profile_download_error.profile_download_error_reason;
    const char *name = der_name(profile_download_error_reason_names, code);
    struct slice before = o->op.reason;            /* what the relay saw of it, which says more */
    return end(p, o, EV_ERROR, r->der.raw, code,
               arena_printf(p->arena, "%.*s%s%s(%lld) (IPA-reported)", (int)before.n, (const char *)before.p, before.n ? "; " : "",
                            name ? name : "error", (long long)code), e);
}

enum eim_err download_refused(struct plan *p, struct tx *t, const struct eim_package_result_response_error *x, struct err *why, struct err *e)
{
    struct plan_op *o;
    struct slice txid = der_has(x, eim_package_result_response_error, eim_transaction_id) ? x->eim_transaction_id : (struct slice){ 0 };
    if (!txid.n && p->d.in_flight) return OK;      /* it may mean the package: decide nothing */
    TRY(outstanding(p, t, txid, &o, &(struct err){ 0 }, e));
    if (!o) return OK;
    int64_t code = x->eim_package_result_error_code;
    const char *name = der_name(eim_package_result_error_names, code);
    *why = (struct err){ 0 };
    return end(p, o, EV_ERROR, x->der.raw, code, arena_printf(p->arena, "%s(%lld) (IPA-reported)", name ? name : "error", (long long)code), e);
}

enum eim_err download_failed(struct plan *p, struct plan_op *o, int64_t code, const char *reason, struct err *e)
{
    return end(p, o, EV_ERROR, (struct slice){ 0 }, code, reason, e);
}

enum eim_err download_installed(struct plan *p, struct tx *t, struct plan_op *o, const struct profile_installation_result *r,
                                struct err *why, struct err *e)
{
    return installed(p, t, o, r, r->der.raw, why, e);
}
