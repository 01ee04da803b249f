/* relay.c -- indirect profile download: what a device says over ESipa goes to an SM-DP+ over ES9+', and its answers come back (SGP.32 3.2.3.2,
 * 5.14.1 to 3 and 8; spec 2.12, 5.8, 5.9).
 *
 * What a card or an SM-DP+ signed is passed on octet for octet (I1). An order of ours stands behind each session: it is found by
 * eimTransactionId, names the SM-DP+ that may be asked (I12), and shows how far it came and what stood in the way. A session is a row, so
 * that any node and any process after a crash goes on with it; no transaction is open during a call. Compact forms are made whole (compact.c). */
#include "eim/relay.h"

#include "base/outbound.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "eim/compact.h"
#include "eim/es9.h"
#include "eim/pool.h"
#include "eim/quirks.h"
#include "eim/refusal.h"
#include "eim/slots.h"

#include <stdio.h>
#include <strings.h>

static const int64_t SESSION_US = INT64_C(600) * 1000000, LATE_RESULT_US = INT64_C(7) * 24 * 3600 * 1000000;

enum function { INITIATE, AUTHENTICATE, GET_BOUND, CANCEL };
static const char *const names[] = { "initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "cancelSession" };
enum { UNDEFINED = 127 };

/* One exchange; outlives its retries, so that nothing is asked twice of an SM-DP+. */
struct relay {
    enum function f;
    const struct identity *id;
    struct device d;
    struct operation op;               /* the order; id 0: at an end and gone */
    struct device_data data;
    struct relay_session s;
    struct listed to;
    bool by_smds;                      /* the order says: ask an SM-DS */
    struct slice address;              /* of the SM-DP+, as it was written */
    struct slice matching_id, oid;     /* of the activation code */
    struct download_terms terms;       /* what the order says of it; association 0: nothing */
    struct ipa_euicc_data told;        /* by the device in its answer to a data request; zeros: nothing */
    bool supply_id, supply_ctx;        /* the IPA leaves these to us */
    bool minimize;                     /* it wants few octets */
    int64_t most;                      /* calls to this SM-DP+ at once */
    struct es9 c;
    bool called;

    int64_t error;                     /* SGP.32's code for the device; 0: good */
    const char *why;                   /* what stood in the way */
    const char *found;                 /* what else is to be said of it */
    bool final;                        /* the order has failed with it */
    struct slice reply;
};

/* ---- small judgements ---- */

static void wrong(struct relay *r, int64_t code, const char *why)
{
    if (r->error) return;
    r->error = code;
    r->why = why ? why : "no room for the reason";
}

static bool same_text(struct slice a, struct slice b)
{
    return a.n == b.n && (!a.n || !strncasecmp((const char *)a.p, (const char *)b.p, a.n));
}

/* The parts of "1$ADDRESS$MATCHINGID[$OID[$1]]". */
static void cut_code(struct relay *r, struct slice code)
{
    struct slice parts[4] = { { 0 } };
    for (size_t n = 0; n < 4; n++) {
        const uint8_t *end = code.n ? memchr(code.p, '$', code.n) : NULL;
        parts[n] = slice_of(code.p, end ? (size_t)(end - code.p) : code.n);
        if (!end) break;
        code = slice_of(end + 1, code.n - (size_t)(end + 1 - code.p));
    }
    r->address = parts[1];
    r->matching_id = parts[2];
    r->oid = parts[3];
}

/* What the IPA told of itself and the device, in the answer to a data request. */
static void read_capabilities(struct relay *r, struct arena *a)
{
    struct ipa_euicc_data_response *x = ARENA_NEW(a, struct ipa_euicc_data_response);
    if (!x || !r->data.info.n || der_decode(&ipa_euicc_data_response_type, r->data.info, x, a, &(struct err){ 0 }) != OK ||
        x->der.which != ipa_euicc_data_response_is_ipa_euicc_data)
        return;
    const struct ipa_euicc_data *d = &r->told;
    r->told = x->ipa_euicc_data;
    if (!der_has(d, ipa_euicc_data, ipa_capabilities)) return;
    r->supply_id = der_bit(&d->ipa_capabilities.ipa_features, IPA_FEATURE_EIM_DOWNLOAD_DATA_HANDLING);
    r->supply_ctx = der_bit(&d->ipa_capabilities.ipa_features, IPA_FEATURE_EIM_CTX_PARAMS1_GENERATION) && der_has(d, ipa_euicc_data, device_info);
    r->minimize = der_bit(&d->ipa_capabilities.ipa_features, IPA_FEATURE_MINIMIZE_ESIPA_BYTES);
}

/* ---- before the call: what is asked, of whom, and may it be? Reads on t; what is wrong becomes r->error ---- */

static enum eim_err device_of(struct esipa_work *w, struct relay *r, struct tx *t, int64_t association)
{
    struct exchange *x = w->x;
    TRY(store_device_get(t, association, &r->d, x->arena, &x->err));
    if (!r->d.association || r->d.tenant != r->id->tenant) {
        r->d = (struct device){ 0 };
        return OK;
    }
    x->eid = r->d.eid;
    x->has_eid = true;
    contacts_note(w->m->contacts, association, eim_now(w->m));
    TRY(store_data_get(t, association, &r->data, x->arena, &x->err));
    read_capabilities(r, x->arena);
    return OK;
}

static enum eim_err who_to_ask(struct esipa_work *w, struct relay *r, struct tx *t, int64_t mismatch)
{
    struct exchange *x = w->x;
    TRY(listed_find(t, r->d.tenant, r->d.association, r->address, &r->to, x->arena, &x->err));
    if (!r->to.found) wrong(r, mismatch, "unlisted address");
    r->most = r->to.account.id ? r->to.account.max_parallel : SMDP_PARALLEL;
    if (!r->oid.n) r->oid = r->to.account.oid;
    return OK;
}

/* The SM-DS of the order; or the SM-DP+ that it named, once it was asked, unless the device goes to the SM-DS again. */
static enum eim_err smds_or_event(struct esipa_work *w, struct relay *r, struct tx *t, const struct contact_smds *order, struct slice given)
{
    struct relay_session before;
    TRY(store_relay_get(t, r->d.association, &before, w->x->arena, &w->x->err));
    r->address = order->smds_address.n ? order->smds_address : r->told.root_smds_address;
    if (before.operation != r->op.id || !before.event_server.n) return OK;
    r->s.event_server = before.event_server;
    r->s.event_id = before.event_id;
    if (given.n && !same_text(given, before.event_server)) return OK;
    r->address = before.event_server;
    r->matching_id = before.event_id;
    return OK;
}

static enum eim_err prepare_initiate(struct esipa_work *w, struct relay *r, struct tx *t)
{
    const struct initiate_authentication_request_esipa *q = &w->msg.initiate_authentication_request_esipa;
    struct exchange *x = w->x;
    struct slice txid = der_has(q, initiate_authentication_request_esipa, eim_transaction_id) ? q->eim_transaction_id : (struct slice){ 0 };
    struct slice info1 = { 0 }, given = der_has(q, initiate_authentication_request_esipa, smdp_address) ? q->smdp_address : (struct slice){ 0 };
    struct profile_download_trigger_request trigger;
    if (eim_txid_association(txid)) TRY(device_of(w, r, t, eim_txid_association(txid)));
    if (r->d.download_op) TRY(store_operation_get(t, r->d.association, r->d.download_op, &r->op, x->arena, &x->err));
    if (!r->op.id || r->op.state != OP_SENT || !slice_eq(r->op.txid, txid)) {
        r->op = (struct operation){ 0 };
        wrong(r, INITIATE_AUTHENTICATION_ERROR_INVALID_EIM_TRANSACTION_ID, "no such profile download was triggered by this eIM");
        return OK;
    }
    TRY(der_decode(&profile_download_trigger_request_type, r->op.request, &trigger, x->arena, &x->err));
    if (trigger.profile_download_data.der.which == profile_download_data_is_contact_smds)
        TRY(smds_or_event(w, r, t, &trigger.profile_download_data.contact_smds, given));
    if (trigger.profile_download_data.der.which == profile_download_data_is_activation_code) cut_code(r, trigger.profile_download_data.activation_code);
    if (trigger.profile_download_data.der.which == profile_download_data_is_contact_default_smdp) r->address = r->told.default_smdp_address;
    if (!r->address.n) r->address = given;
    else if (given.n && !same_text(given, r->address))
        wrong(r, INITIATE_AUTHENTICATION_ERROR_SMDP_ADDRESS_MISMATCH, "the device names another SM-DP+ than the order");
    if (!given.n) r->supply_id = true;
    TRY(who_to_ask(w, r, t, INITIATE_AUTHENTICATION_ERROR_SMDP_ADDRESS_MISMATCH));
    if (der_has(q, initiate_authentication_request_esipa, euicc_info1)) info1 = q->euicc_info1.der.raw;
    else if (der_has(&r->told, ipa_euicc_data, euicc_info1)) info1 = r->told.euicc_info1.der.raw;
    if (!info1.n) wrong(r, UNDEFINED, "the device sends no euiccInfo1, and none is known");
    r->c = (struct es9){ .function = names[INITIATE],
        .in = { { "euiccChallenge", q->euicc_challenge, ES9_BASE64 }, { "euiccInfo1", info1, ES9_BASE64 }, { "smdpAddress", r->address, ES9_TEXT } },
        .out = { { .name = "serverSigned1", .needed = true }, { .name = "serverSignature1", .needed = true },
                 { .name = "euiccCiPKIdToBeUsed", .needed = true }, { .name = "serverCertificate", .needed = true } } };
    return OK;
}

static struct slice transaction_of(const struct esipa_work *w, enum function f)
{
    if (f == AUTHENTICATE) return w->msg.authenticate_client_request_esipa.transaction_id;
    if (f == GET_BOUND) return w->msg.get_bound_profile_package_request_esipa.transaction_id;
    return w->msg.cancel_session_request_esipa.transaction_id;
}

/* CancelSession's response has another tag on ESipa than on ES10b and ES9+'. */
static struct slice cancelled(const struct cancel_session_response *in, struct arena *a)
{
    struct cancel_session_response c = { .der.which = in->der.which };
    if (c.der.which == cancel_session_response_is_cancel_session_response_ok)
        der_verbatim_seq(&c.cancel_session_response_ok.der, in->cancel_session_response_ok.der.raw);
    else c.cancel_session_response_error = in->cancel_session_response_error;
    return der_encode(&cancel_session_response_type, &c, a);
}

/* The response in the message, as ES9+' wants it. Empty: it is compact, and can't be made whole. */
static struct slice response_of(const struct esipa_work *w, const struct relay *r, struct arena *a)
{
    if (r->f == AUTHENTICATE) {
        const struct authenticate_server_response *q = &w->msg.authenticate_client_request_esipa.authenticate_server_response;
        if (q->der.which != authenticate_server_response_is_compact_authenticate_response_ok) return q->der.raw;
        return compact_authenticate(&q->compact_authenticate_response_ok, &r->s, &r->told, a);
    }
    if (r->f == GET_BOUND) {
        const struct prepare_download_response *q = &w->msg.get_bound_profile_package_request_esipa.prepare_download_response;
        if (q->der.which != prepare_download_response_is_compact_download_response_ok) return q->der.raw;
        return compact_download(&q->compact_download_response_ok, &r->s, a);
    }
    const struct cancel_session_response *q = &w->msg.cancel_session_request_esipa.cancel_session_response;
    if (q->der.which != cancel_session_response_is_compact_cancel_session_response_ok) return cancelled(q, a);
    return compact_cancel(&q->compact_cancel_session_response_ok, &r->s, a);
}

static const int64_t no_session[] = { UNDEFINED, AUTHENTICATE_CLIENT_ERROR_INVALID_TRANSACTION_ID,
                                      GET_BOUND_PROFILE_PACKAGE_ERROR_INVALID_TRANSACTION_ID, CANCEL_SESSION_ERROR_INVALID_TRANSACTION_ID };

static enum eim_err prepare_later(struct esipa_work *w, struct relay *r, struct tx *t)
{
    struct exchange *x = w->x;
    struct slice transaction = transaction_of(w, r->f), response;
    TRY(store_relay_find(t, r->id->tenant, transaction, &r->s, x->arena, &x->err));
    if (r->s.association) TRY(device_of(w, r, t, r->s.association));
    if (!r->d.association || r->s.expires_us <= eim_now(w->m) || (r->f == GET_BOUND && r->s.step < RELAY_AUTHENTICATED)) {
        wrong(r, no_session[r->f], "there is no session of this transactionId at this step");
        return OK;
    }
    TRY(store_operation_get(t, r->d.association, r->s.operation, &r->op, x->arena, &x->err));
    struct profile_download_trigger_request trigger;
    if (r->op.id && der_decode(&profile_download_trigger_request_type, r->op.request, &trigger, x->arena, &(struct err){ 0 }) == OK)
        r->by_smds = trigger.profile_download_data.der.which == profile_download_data_is_contact_smds;
    r->address = r->s.address;
    TRY(store_terms_get(t, r->s.association, r->s.operation, &r->terms, x->arena, &x->err));
    if (r->f == GET_BOUND && r->terms.iccid.n && !slice_eq(r->terms.iccid, r->s.iccid)) {
        wrong(r, GET_BOUND_PROFILE_PACKAGE_ERROR_METADATA_MISMATCH, "the SM-DP+ offers another ICCID than the order requires");
        r->final = true;
    }
    TRY(who_to_ask(w, r, t, UNDEFINED));
    response = response_of(w, r, x->arena);
    if (!response.n) wrong(r, UNDEFINED, "the device sends a compact form that leaves out what is not known here");
    r->c = (struct es9){ .function = names[r->f], .in = { { "transactionId", transaction, ES9_HEX } } };
    r->c.in[1].value = response;
    r->c.in[1].name = r->f == AUTHENTICATE ? "authenticateServerResponse" : r->f == GET_BOUND ? "prepareDownloadResponse" : "cancelSessionResponse";
    if (r->f == AUTHENTICATE) {
        r->c.may_be_smds = r->by_smds;
        static const char *const wanted[] = { "profileMetadata", "smdpSigned2", "smdpSignature2", "smdpCertificate" };
        for (size_t i = 0; i < 4; i++) r->c.out[i].name = wanted[i], r->c.out[i].needed = i > 0;
    }
    if (r->f == GET_BOUND) {
        r->c.out[0].name = "boundProfilePackage";
        r->c.out[0].needed = r->c.large = true;
    }
    return OK;
}

/* ---- the SM-DP+'s refusals (SGP.22 5.6) in SGP.32's codes ---- */

static const struct { uint32_t answer; const struct der_name *names; } errors[] = {
    [INITIATE] = { esipa_from_eim_is_initiate_authentication_response_esipa, initiate_authentication_error_names },
    [AUTHENTICATE] = { esipa_from_eim_is_authenticate_client_response_esipa, authenticate_client_error_names },
    [GET_BOUND] = { esipa_from_eim_is_get_bound_profile_package_response_esipa, get_bound_profile_package_error_names },
    [CANCEL] = { esipa_from_eim_is_cancel_session_response_esipa, cancel_session_error_names },
};

/* A refusal that SGP.32 has a name for ends the order; any other may be a bad day of the SM-DP+. */
static void refused(struct relay *r, struct arena *a)
{
    const struct refusal *known = refusal_of_reason(errors[r->f].answer, r->c.subject, r->c.reason);
    if (!known) {
        wrong(r, UNDEFINED, r->c.why);
        return;
    }
    const char *name = der_name(errors[r->f].names, known->code);
    wrong(r, known->code, arena_printf(a, "%s, %s", name ? name : "refused", r->c.why));
    r->final = r->f != CANCEL;
}

/* ---- after the call: the answer ---- */

/* An octet string that comes as the TLV of component i of t, or bare as some SM-DP+ write it. */
static struct slice octets_of(const struct der_type *t, uint32_t i, struct slice v)
{
    struct slice in = der_content(t, i, v);
    return in.p ? in : v;
}

static struct slice oid_of(struct slice certificate, struct arena *a)
{
    enum { OID_MAX = 64 };
    uint8_t *p = arena_alloc(a, OID_MAX);
    return p ? slice_of(p, cert_registered_oid(certificate, p, OID_MAX)) : (struct slice){ 0 };
}

static struct slice answer_initiate(struct esipa_work *w, struct relay *r)
{
    struct arena *a = w->x->arena;
    const struct initiate_authentication_request_esipa *q = &w->msg.initiate_authentication_request_esipa;
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_initiate_authentication_response_esipa };
    struct initiate_authentication_ok_esipa *ok = &m.initiate_authentication_response_esipa.initiate_authentication_ok_esipa;
    struct server_signed1 s;
    m.initiate_authentication_response_esipa.der.which = initiate_authentication_response_esipa_is_initiate_authentication_ok_esipa;
    if (der_decode(&server_signed1_type, r->c.out[0].value, &s, a, &(struct err){ 0 }) != OK) return (struct slice){ 0 };
    const uint8_t *port = memchr(r->address.p, ':', r->address.n);
    struct slice host = slice_of(r->address.p, port ? (size_t)(port - r->address.p) : r->address.n);
    if (!slice_eq(s.transaction_id, r->c.transaction)) wrong(r, UNDEFINED, "the SM-DP+ signed another transactionId than it says");
    if (!slice_eq(s.euicc_challenge, q->euicc_challenge)) wrong(r, UNDEFINED, "the SM-DP+ signed another challenge than the device's");
    if (!same_text(s.server_address, r->address) && !same_text(s.server_address, host))
        wrong(r, INITIATE_AUTHENTICATION_ERROR_SMDP_ADDRESS_MISMATCH, "the SM-DP+ signed another address than the one that was asked");
    if (r->oid.n && !cert_registered_id(r->c.out[3].value, r->oid))
        wrong(r, INITIATE_AUTHENTICATION_ERROR_SMDP_OID_MISMATCH, "the SM-DP+'s certificate has not the object identifier that was expected");
    ok->transaction_id = r->c.transaction;
    der_set(ok, initiate_authentication_ok_esipa, transaction_id);
    der_verbatim_seq(&ok->server_signed1.der, r->c.out[0].value);
    ok->server_signature1 = octets_of(&initiate_authentication_ok_esipa_type, initiate_authentication_ok_esipa_has_server_signature1, r->c.out[1].value);
    ok->euicc_ci_pk_identifier_to_be_used = octets_of(&initiate_authentication_ok_esipa_type,
        initiate_authentication_ok_esipa_has_euicc_ci_pk_identifier_to_be_used, r->c.out[2].value);
    ok->server_certificate = r->c.out[3].value;
    if (r->supply_id && r->matching_id.n) {
        ok->matching_id = r->matching_id;
        der_set(ok, initiate_authentication_ok_esipa, matching_id);
    }
    if (r->supply_ctx) {
        struct ctx_params_common *x = &ok->ctx_params1.ctx_params_for_common_authentication;
        ok->ctx_params1.der.which = ctx_params1_is_ctx_params_for_common_authentication;
        x->device_info = r->told.device_info;
        x->matching_id = r->matching_id;
        if (r->matching_id.n) der_set(x, ctx_params_common, matching_id);
        der_set(ok, initiate_authentication_ok_esipa, ctx_params1);
        r->s.ctx = der_encode(&ctx_params1_type, &ok->ctx_params1, a);
    }
    r->s.server_signed = r->c.out[0].value;
    r->s.oid = oid_of(r->c.out[3].value, a);
    return der_encode(&esipa_from_eim_type, &m, a);
}

static struct slice answer_authenticate(struct esipa_work *w, struct relay *r)
{
    struct arena *a = w->x->arena;
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_authenticate_client_response_esipa };
    struct authenticate_client_ok_dp_esipa *ok = &m.authenticate_client_response_esipa.authenticate_client_ok_dp_esipa;
    struct smdp_signed2 s;
    int64_t rules = 0;
    m.authenticate_client_response_esipa.der.which = authenticate_client_response_esipa_is_authenticate_client_ok_dp_esipa;
    if (der_decode(&smdp_signed2_type, r->c.out[1].value, &s, a, &(struct err){ 0 }) != OK) return (struct slice){ 0 };
    if (!slice_eq(s.transaction_id, r->s.transaction)) wrong(r, UNDEFINED, "the SM-DP+ signed another transaction's id");
    ok->transaction_id = r->s.transaction;
    if (!r->minimize) der_set(ok, authenticate_client_ok_dp_esipa, transaction_id);
    if (r->c.out[0].value.n) {
        der_verbatim_seq(&ok->profile_meta_data.der, r->c.out[0].value);
        der_set(ok, authenticate_client_ok_dp_esipa, profile_meta_data);
        struct store_metadata_request *about = ARENA_NEW(a, struct store_metadata_request);
        if (about && der_decode(&store_metadata_request_type, r->c.out[0].value, about, a, &(struct err){ 0 }) == OK) {
            r->s.iccid = about->iccid;
            if (der_has(about, store_metadata_request, profile_policy_rules)) rules = der_bits_mask(&about->profile_policy_rules);
        }
    }
    if (r->terms.association && r->terms.rules != RULES_ANY && rules & ~r->terms.rules) {
        wrong(r, AUTHENTICATE_CLIENT_ERROR_PPR_NOT_ALLOWED, "the profile has policy rules that the order does not allow");
        r->final = true;
    }
    if (der_has(&s, smdp_signed2, bpp_euicc_otpk)) r->s.otpk = s.bpp_euicc_otpk;
    der_verbatim_seq(&ok->smdp_signed2.der, r->c.out[1].value);
    ok->smdp_signature2 = octets_of(&authenticate_client_ok_dp_esipa_type, authenticate_client_ok_dp_esipa_has_smdp_signature2, r->c.out[2].value);
    ok->smdp_certificate = r->c.out[3].value;
    if (r->terms.digest.n) {                       /* spec 5.8: SHA-256(SHA-256(code) | transactionId) */
        const struct slice spans[] = { r->terms.digest, r->s.transaction };
        uint8_t *hash = arena_alloc(a, SHA256_SIZE);
        if (!hash || digest_sha256_spans(spans, 2, hash, &(struct err){ 0 }) != OK) return (struct slice){ 0 };
        ok->hash_cc = slice_of(hash, SHA256_SIZE);
        der_set(ok, authenticate_client_ok_dp_esipa, hash_cc);
        r->s.hash_cc = ok->hash_cc;
    }
    return der_encode(&esipa_from_eim_type, &m, a);
}

/* What an SM-DS answers becomes an activation code: its event stands for a matching id (spec 5.16). */
static struct slice answer_event(struct esipa_work *w, struct relay *r)
{
    struct arena *a = w->x->arena;
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_authenticate_client_response_esipa };
    struct authenticate_client_ok_ds_esipa *ok = &m.authenticate_client_response_esipa.authenticate_client_ok_ds_esipa;
    struct code_parts parts;
    if (!r->c.event_server.n) {
        wrong(r, AUTHENTICATE_CLIENT_ERROR_EVENT_ID_UNKNOWN, "no event waits at the SM-DS for this device");
        r->final = true;
        return (struct slice){ 0 };
    }
    const char *code = arena_printf(a, "1$%.*s$%.*s", (int)r->c.event_server.n, (const char *)r->c.event_server.p, (int)r->c.event_id.n,
                                    (const char *)r->c.event_id.p);
    if (!code || code_parse(slice_str(code), "eventEntries", &parts, &(struct err){ 0 }) != OK || !slice_eq(parts.address, r->c.event_server) ||
        !slice_eq(parts.matching, r->c.event_id)) {
        wrong(r, UNDEFINED, "the SM-DS names an event that is none");
        return (struct slice){ 0 };
    }
    r->s.event_server = parts.address;
    r->s.event_id = parts.matching;
    r->found = arena_printf(a, "an event at %.*s", (int)parts.address.n, (const char *)parts.address.p);
    m.authenticate_client_response_esipa.der.which = authenticate_client_response_esipa_is_authenticate_client_ok_ds_esipa;
    ok->transaction_id = r->s.transaction;
    der_set(ok, authenticate_client_ok_ds_esipa, profile_download_trigger);
    ok->profile_download_trigger.profile_download_data.der.which = profile_download_data_is_activation_code;
    ok->profile_download_trigger.profile_download_data.activation_code = slice_str(code);
    der_set(&ok->profile_download_trigger, profile_download_trigger_request, profile_download_data);
    ok->profile_download_trigger.eim_transaction_id = r->op.txid;
    der_set(&ok->profile_download_trigger, profile_download_trigger_request, eim_transaction_id);
    return der_encode(&esipa_from_eim_type, &m, a);
}

static struct slice answer_bound(struct esipa_work *w, struct relay *r)
{
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_get_bound_profile_package_response_esipa };
    struct get_bound_profile_package_ok_esipa *ok = &m.get_bound_profile_package_response_esipa.get_bound_profile_package_ok_esipa;
    m.get_bound_profile_package_response_esipa.der.which = get_bound_profile_package_response_esipa_is_get_bound_profile_package_ok_esipa;
    ok->transaction_id = r->s.transaction;
    if (!r->minimize) der_set(ok, get_bound_profile_package_ok_esipa, transaction_id);
    der_verbatim_seq(&ok->bound_profile_package.der, r->c.out[0].value);
    return der_encode(&esipa_from_eim_type, &m, w->x->arena);
}

static struct slice answer_cancel(struct esipa_work *w)
{
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_cancel_session_response_esipa };
    m.cancel_session_response_esipa.der.which = cancel_session_response_esipa_is_cancel_session_ok;
    return der_encode(&esipa_from_eim_type, &m, w->x->arena);
}

static struct slice answer_error(struct esipa_work *w, const struct relay *r)
{
    struct esipa_from_eim m = { 0 };
    switch (r->f) {
    case INITIATE:
        m.der.which = esipa_from_eim_is_initiate_authentication_response_esipa;
        m.initiate_authentication_response_esipa.der.which = initiate_authentication_response_esipa_is_initiate_authentication_error_esipa;
        m.initiate_authentication_response_esipa.initiate_authentication_error_esipa = r->error;
        break;
    case AUTHENTICATE:
        m.der.which = esipa_from_eim_is_authenticate_client_response_esipa;
        m.authenticate_client_response_esipa.der.which = authenticate_client_response_esipa_is_authenticate_client_error_esipa;
        m.authenticate_client_response_esipa.authenticate_client_error_esipa = r->error;
        break;
    case GET_BOUND:
        m.der.which = esipa_from_eim_is_get_bound_profile_package_response_esipa;
        m.get_bound_profile_package_response_esipa.der.which = get_bound_profile_package_response_esipa_is_get_bound_profile_package_error_esipa;
        m.get_bound_profile_package_response_esipa.get_bound_profile_package_error_esipa = r->error;
        break;
    default:
        m.der.which = esipa_from_eim_is_cancel_session_response_esipa;
        m.cancel_session_response_esipa.der.which = cancel_session_response_esipa_is_cancel_session_error;
        m.cancel_session_response_esipa.cancel_session_error = r->error;
    }
    return der_encode(&esipa_from_eim_type, &m, w->x->arena);
}

static struct slice answer_good(struct esipa_work *w, struct relay *r)
{
    if (r->c.transaction.n && r->f != INITIATE && !slice_eq(r->c.transaction, r->s.transaction))
        wrong(r, UNDEFINED, "the SM-DP+ answers for another transaction's id");
    if (r->f == INITIATE && !r->c.transaction.n) wrong(r, UNDEFINED, "the SM-DP+ gives no transactionId");
    if (r->error) return (struct slice){ 0 };
    switch (r->f) {
    case INITIATE:     return answer_initiate(w, r);
    case AUTHENTICATE: return r->c.events ? answer_event(w, r) : answer_authenticate(w, r);
    case GET_BOUND:    return answer_bound(w, r);
    default:           return answer_cancel(w);
    }
}

/* ---- the call ---- */

static enum eim_err call(struct esipa_work *w, struct relay *r)
{
    struct arena *a = w->x->arena;
    struct err e = { 0 };
    int slot = slots_take(w->m->calls, r->to.host, r->most, eim_settings_now(w->m).calls_max);
    if (slot < 0)                                  /* nothing is lost: the device says it again in a while */
        return fail(&w->x->err, E_BUSY, NULL, "as many downloads from this SM-DP+ are under way as may be");
    const char *number = arena_printf(a, "dl_%016llx", (unsigned long long)r->op.id);
    enum eim_err rc = number ? es9_call(&r->c, w->m->host->outbound, &r->to, r->id, number, a, &e) : E_NOMEM;
    slots_give(w->m->calls, slot);
    if (rc == OK) r->reply = answer_good(w, r);
    else if (r->c.refused) refused(r, a);
    else wrong(r, UNDEFINED, r->c.why);
    if (!r->error && !r->reply.p) wrong(r, UNDEFINED, "what the SM-DP+ answers is no such message");
    es9_end(&r->c);
    return OK;
}

/* ---- what is kept of it ---- */

static const char *cancel_text(struct esipa_work *w, struct arena *a)
{
    const struct cancel_session_response *c = &w->msg.cancel_session_request_esipa.cancel_session_response;
    const struct compact_euicc_cancel_session_signed *compact = &c->compact_cancel_session_response_ok.compact_euicc_cancel_session_signed;
    int64_t reason;
    if (c->der.which == cancel_session_response_is_cancel_session_response_ok) reason = c->cancel_session_response_ok.euicc_cancel_session_signed.reason;
    else if (c->der.which == cancel_session_response_is_compact_cancel_session_response_ok && der_has(compact, compact_euicc_cancel_session_signed, reason))
        reason = compact->reason;
    else return "the device cancelled the session";
    const char *name = der_name(cancel_session_reason_names, reason);
    return arena_printf(a, "the device cancelled the session: %s(%lld)", name ? name : "reason", (long long)reason);
}

static enum eim_err keep_order(struct esipa_work *w, struct relay *r, struct tx *t, struct err *e)
{
    struct plan *p = w->plan;
    struct plan_op *o;
    TRY(plan_read(p, t, r->op.id, &o, e));
    if (!o || o->op.state != OP_SENT) return OK;   /* at an end meanwhile */
    const char *what = r->f == CANCEL ? cancel_text(w, p->arena) : r->error ? r->why : r->found ? r->found : "done";
    struct slice before = r->f == CANCEL ? o->op.reason : (struct slice){ 0 };                 /* why the device gives up */
    char *reason = what ? arena_printf(p->arena, "%.*s%s%s: %s", (int)before.n, (const char *)before.p, before.n ? "; " : "", names[r->f], what) : NULL;
    if (!reason) return fail(e, E_NOMEM, NULL, "no room for the reason");
    if (r->final || r->f == CANCEL) {
        TRY(download_failed(p, o, r->error ? r->error : UNDEFINED, reason, e));
        return plan_queue(p, t, e);
    }
    o->op.reason = slice_str(reason);
    o->dirty = true;
    return OK;
}

static enum eim_err keep_session(struct esipa_work *w, struct relay *r, struct tx *t, struct err *e)
{
    struct plan *p = w->plan;
    if (r->f == CANCEL) p->relay_end = r->s.transaction;
    if (r->error || r->f == CANCEL) return OK;
    if (r->f == INITIATE) {
        struct relay_session other;
        TRY(store_relay_find(t, r->d.tenant, r->c.transaction, &other, p->arena, e));
        if (other.association && other.association != r->d.association) {
            wrong(r, UNDEFINED, "the SM-DP+ gives the transactionId of another device's session");
            return OK;
        }
        r->s.association = r->d.association;
        r->s.tenant = r->d.tenant;
        r->s.operation = r->op.id;
        r->s.transaction = r->c.transaction;
        r->s.address = slice_str(r->to.host);
    }
    r->s.step = r->f == INITIATE ? RELAY_INITIATED : r->f == AUTHENTICATE ? RELAY_AUTHENTICATED : RELAY_BOUND;
    r->s.expires_us = p->now + (r->s.step == RELAY_BOUND ? LATE_RESULT_US : SESSION_US);        /* its result may come late, and is ours to forward */
    p->relay = r->s;
    return OK;
}

static enum eim_err keep(struct esipa_work *w, struct relay *r, struct tx *t, struct err *e)
{
    struct exchange *x = w->x;
    struct device d;
    TRY(store_device_get(t, r->d.association, &d, x->arena, e));
    if (!d.association) return OK;                 /* it was removed meanwhile: nothing is left to keep */
    if (!(w->plan = ARENA_NEW(x->arena, struct plan))) return fail(e, E_NOMEM, NULL, "no room for a plan");
    plan_begin(w->plan, w->m, r->id, &d, x->arena);
    TRY(keep_session(w, r, t, e));
    return r->op.id ? keep_order(w, r, t, e) : OK;
}

/* ---- one exchange ---- */

static enum eim_err reading(struct esipa_work *w, struct relay *r, enum eim_err (*work)(struct esipa_work *, struct relay *, struct tx *))
{
    struct tx *t;
    TRY(store_read_begin(w->m->host->store, &t, &w->x->err));
    enum eim_err rc = work(w, r, t);
    store_read_end(t);
    return rc;
}

/* A device in quarantine may only end what it began. */
static enum eim_err prepare(struct esipa_work *w, struct relay *r, struct tx *t)
{
    int64_t quirks = 0;
    TRY(r->f == INITIATE ? prepare_initiate(w, r, t) : prepare_later(w, r, t));
    if (r->d.association) TRY(quirks_of(w->m, t, &r->d, w->x->agent, &quirks, w->x->arena, &w->x->err));
    w->x->raw_signatures = quirks & QUIRK_RAW_SIGNATURE;
    if (r->d.quarantine_us && r->f != CANCEL) wrong(r, UNDEFINED, "the device is in quarantine");
    return OK;
}

static enum eim_err conclude(struct esipa_work *w, struct relay *r, struct tx *t)
{
    return keep(w, r, t, &w->x->err);
}

static struct relay *begin(struct esipa_work *w)
{
    struct relay *r = w->relay = ARENA_NEW(w->x->arena, struct relay);
    if (!r) return NULL;
    r->id = eim_identity(w->m, w->x->host);
    switch (w->msg.der.which) {
    case esipa_from_ipa_is_initiate_authentication_request_esipa: r->f = INITIATE; break;
    case esipa_from_ipa_is_authenticate_client_request_esipa: r->f = AUTHENTICATE; break;
    case esipa_from_ipa_is_get_bound_profile_package_request_esipa: r->f = GET_BOUND; break;
    default: r->f = CANCEL;
    }
    return r;
}

void relay_handle(struct esipa_work *w)
{
    struct exchange *x = w->x;
    struct relay *r = w->relay ? w->relay : begin(w);
    enum eim_err rc = r ? OK : fail(&x->err, E_NOMEM, NULL, "no room for a download");
    if (rc == OK && (!eim_settings_now(w->m).indirect || !w->m->host->outbound)) wrong(r, UNDEFINED, "indirect download is not offered");
    if (rc == OK && !r->called && !r->error) {
        rc = reading(w, r, prepare);
        if (rc == OK && !r->error) rc = call(w, r);
        r->called = rc == OK;
    }
    if (rc == OK && r->d.association) rc = reading(w, r, conclude);
    if (rc != OK) {
        work_fail(w, rc);
        return;
    }
    x->operation = r->op.id;
    x->answer = r->error ? "error" : "ok";
    if (r->error) (void)fail(&x->err, E_STATE, "SGP.32 3.2.3.2", "%s", r->why);
    w->reply = r->error ? answer_error(w, r) : r->reply;
    work_commit(w);
}

enum eim_err relay_installed(struct plan *p, struct tx *t, const struct profile_installation_result *r, bool *ours, struct err *e)
{
    struct relay_session s;
    struct plan_op *o;
    struct err why = { 0 };
    TRY(store_relay_get(t, p->d.association, &s, p->arena, e));
    *ours = s.association && slice_eq(s.transaction, r->profile_installation_result_data.transaction_id);
    if (!*ours) return OK;
    p->relay_end = s.transaction;
    TRY(plan_read(p, t, s.operation, &o, e));
    if (!o || o->op.state != OP_SENT) return OK;
    return download_installed(p, t, o, r, &why, e);
}
