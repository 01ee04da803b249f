/* inject_wire.c -- TransferEimPackage on the wire: the eIM is the client, the IPA the server (SGP.32 6.1, 6.3.2.5, 6.4.1.4). */
#include "eim/inject_wire.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/outbound.h"

static const int64_t CONNECT_US = INT64_C(5) * 1000000, TOTAL_US = INT64_C(20) * 1000000;

/* ---- ASN.1 ---- */

static struct slice asn1_body(const struct transfer *t, struct arena *a)
{
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_transfer_eim_package_request };
    der_verbatim_choice(&m.transfer_eim_package_request.der, t->tlv);
    m.transfer_eim_package_request.der.which = t->which;
    switch (t->which) {
    case transfer_eim_package_request_is_euicc_package_request:
        der_verbatim_seq(&m.transfer_eim_package_request.euicc_package_request.der, t->tlv);
        break;
    case transfer_eim_package_request_is_ipa_euicc_data_request:
        der_verbatim_seq(&m.transfer_eim_package_request.ipa_euicc_data_request.der, t->tlv);
        break;
    case transfer_eim_package_request_is_profile_download_trigger_request:
        der_verbatim_seq(&m.transfer_eim_package_request.profile_download_trigger_request.der, t->tlv);
        break;
    default:                                       /* acknowledgements: a list, which has no verbatim form, but nothing of it is signed */
        if (der_decode(&eim_acknowledgements_type, t->tlv, &m.transfer_eim_package_request.eim_acknowledgements, a, &(struct err){ 0 }) != OK)
            return (struct slice){ 0 };
    }
    return der_encode(&esipa_from_eim_type, &m, a);
}

static enum eim_err asn1_answer(struct slice body, struct transferred *out, struct arena *a, struct err *e)
{
    struct transfer_eim_package_response r;
    TRY(der_decode(&transfer_eim_package_response_type, body, &r, a, e));
    *out = (struct transferred){ .what = TRANSFER_RESULT };
    switch (r.der.which) {
    case transfer_eim_package_response_is_euicc_package_result: out->result = r.euicc_package_result.der.raw; break;
    case transfer_eim_package_response_is_epr_and_notifications: out->result = r.epr_and_notifications.der.raw; break;
    case transfer_eim_package_response_is_ipa_euicc_data_response: out->result = r.ipa_euicc_data_response.der.raw; break;
    case transfer_eim_package_response_is_eim_package_error:
        out->what = TRANSFER_ERROR;
        out->error = r.eim_package_error;
        break;
    default: out->what = TRANSFER_LATER;           /* eimPackageReceived, and what later versions have beside it */
    }
    return OK;
}

/* ---- JSON ---- */

static const char *json_member(uint32_t which)
{
    return which == transfer_eim_package_request_is_euicc_package_request    ? "euiccPackageRequest"
         : which == transfer_eim_package_request_is_ipa_euicc_data_request   ? "ipaEuiccDataRequest"
         : which == transfer_eim_package_request_is_eim_acknowledgements     ? "eimAcknowledgements"
                                                                             : "profileDownloadTriggerRequest";
}

static struct slice json_body(const struct transfer *t, struct arena *a)
{
    char *b64 = arena_alloc(a, 4 * ((t->tlv.n + 2) / 3) + 1);
    if (!b64) return (struct slice){ 0 };
    slice_to_b64(t->tlv, b64);
    return slice_str(arena_printf(a, "{\"%s\":\"%s\"}", json_member(t->which), b64));
}

static enum eim_err member_tlv(const json_t *o, const char *name, struct slice *out, struct arena *a, struct err *e)
{
    struct slice b64 = json_slice(json_object_get(o, name));
    uint8_t *raw = arena_alloc(a, b64.n);
    if (!raw) return fail(e, E_NOMEM, NULL, "no room for the answer");
    long n = b64.n ? slice_from_b64(b64, raw, b64.n) : -1;
    if (n < 0) return fail_field(e, E_MALFORMED, "SGP.32 6.4.1.4", name, "is not base64");
    *out = slice_of(raw, (size_t)n);
    return OK;
}

/* {"euiccPackageResult","notificationList"}, both base64 of a TLV, become the SEQUENCE that the ASN.1 binding has. */
static enum eim_err json_both(const json_t *o, struct slice *out, struct arena *a, struct err *e)
{
    struct epr_and_notifications both = { 0 };
    struct slice result, list;
    if (json_is_string(o)) return fail_field(e, E_MALFORMED, "SGP.32 6.4.1.4", "ePRAndNotifications", "is not an object");
    TRY(member_tlv(o, "euiccPackageResult", &result, a, e));
    TRY(member_tlv(o, "notificationList", &list, a, e));
    der_verbatim_choice(&both.euicc_package_result.der, result);
    TRY(der_decode(&pending_notification_list_type, list, &both.notification_list, a, e));
    for (size_t i = 0; i < both.notification_list.n; i++) {        /* signed, so passed on as they came */
        struct pending_notification *n = &both.notification_list.v[i];
        der_verbatim_choice(&n->der, n->der.raw);
    }
    *out = der_encode(&epr_and_notifications_type, &both, a);
    return out->p ? OK : fail_field(e, E_MALFORMED, "SGP.32 6.4.1.4", "ePRAndNotifications", "is no result with notifications");
}

static enum eim_err json_understand(const json_t *o, struct transferred *out, struct arena *a, struct err *e)
{
    const json_t *error = json_object_get(o, "eimPackageError");
    *out = (struct transferred){ .what = TRANSFER_RESULT };
    if (!json_is_object(o)) return fail(e, E_MALFORMED, "SGP.32 6.4.1.4", "the answer is no JSON object");
    if (json_is_integer(error)) {
        out->what = TRANSFER_ERROR;
        out->error = json_integer_value(error);
        return OK;
    }
    if (json_object_get(o, "euiccPackageResult")) return member_tlv(o, "euiccPackageResult", &out->result, a, e);
    if (json_object_get(o, "ipaEuiccDataResponse")) return member_tlv(o, "ipaEuiccDataResponse", &out->result, a, e);
    if (json_object_get(o, "ePRAndNotifications")) return json_both(json_object_get(o, "ePRAndNotifications"), &out->result, a, e);
    out->what = TRANSFER_LATER;
    return OK;
}

static enum eim_err json_answer(struct slice body, struct transferred *out, struct arena *a, struct err *e)
{
    json_t *o;
    TRY(json_read(body, TRANSFER_MAX, &o, e));
    enum eim_err rc = json_understand(o, out, a, e);
    json_decref(o);
    return rc;
}

/* ---- the exchange ---- */

enum eim_err transfer_understand(const struct injection *to, int status, struct slice body, struct transferred *out, struct arena *a,
                                 struct err *e)
{
    if (status != 200 && status != 204) return fail(e, E_STATE, "SGP.32 6.1", "the IPA answers %d", status);
    *out = (struct transferred){ .what = TRANSFER_LATER };
    if (!body.n) return OK;
    struct slice kept = arena_copy(a, body);
    if (!kept.p) return fail(e, E_NOMEM, NULL, "no room for the answer");
    return to->binding == INJECT_JSON ? json_answer(kept, out, a, e) : asn1_answer(kept, out, a, e);
}

enum eim_err transfer_send(struct eim *m, const struct injection *to, const struct transfer *t, struct transferred *out, struct arena *a,
                           struct err *e)
{
    static const char *const asn1[] = { "Content-Type: application/x-gsma-rsp-asn1", "X-Admin-Protocol: gsma/rsp/v2.1.0", NULL };
    static const char *const json[] = { "Content-Type: application/json;charset=UTF-8", "X-Admin-Protocol: gsma/rsp/v2.1.0", NULL };
    bool is_json = to->binding == INJECT_JSON;
    struct outbound_request q = { .method = "POST", .headers = is_json ? json : asn1, .trust_pem = to->trust, .connect_us = CONNECT_US,
                                  .total_us = TOTAL_US, .reply_max = TRANSFER_MAX };
    struct buf reply;
    int status = 0;
    bool coap = to->address.n > 8 && !memcmp(to->address.p, "coaps://", 8);
    q.url = arena_printf(a, "%s%.*s/gsma/rsp2/%s", coap ? "" : "https://", (int)to->address.n, (const char *)to->address.p,
                         is_json ? "esipa/transferEimPackage" : "asn1");
    q.body = is_json ? json_body(t, a) : asn1_body(t, a);
    if (!q.url || !q.body.p) return fail(e, E_NOMEM, NULL, "no room for the message");
    buf_init(&reply, TRANSFER_MAX);
    enum eim_err rc = m->host->outbound->request(m->host->outbound, &q, &status, &reply, e);
    if (rc == OK) rc = transfer_understand(to, status, buf_slice(&reply), out, a, e);
    buf_free(&reply);
    return rc;
}
