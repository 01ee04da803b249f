/* esipa_json.c -- ESipa's JSON to its ASN.1 and back.
 *
 * Reading puts the TLVs of a request into the message as they came: `tlv` decodes a copy only to be able to name the member that is
 * wrong, in memory that is gone when the message stands. Writing goes by the tables of asn1/: the members of an answer carry the names
 * of its components, a transaction id is hex, text is text, a number a number, and everything else the component's TLV in base64. */
#include "front/esipa_json.h"

#include "asn1/codes.h"
#include "asn1/sgp32.h"
#include "base/json.h"
#include "eim/refusal.h"
#include "front/jsonout.h"

#include <stdarg.h>
#include <stdio.h>

#define PREFIX       "/gsma/rsp2/esipa/"
#define MEDIA_TYPE   "application/json"
#define REPLY_TYPE   "application/json;charset=UTF-8"
#define CLAUSE       "SGP.32 6.4.1"

enum { SCRATCH_MAX = 1 << 20, TXID_MAX = 16, EID_DIGITS = 32, MESSAGE_MAX = 512, PLMN = 3,
       REPLY_MAX = 768 * 1024 };        /* what jsonout_base64 takes */

/* A request being read. */
struct reader {
    const json_t *o;
    struct arena *a;                   /* what the message points to */
    struct arena scratch;              /* what is only looked at */
    struct err *e;
};

struct esipa_json_function {
    const char *name;
    enum eim_err (*read)(struct reader *r, struct esipa_from_ipa *m);
    uint32_t answer;                   /* esipa_from_eim_is_..., or none */
    bool arms;                         /* the arm of the answer is a member by itself; else its components are members */
    const struct der_name *codes;      /* names of its errors */
};

/* ---- reading: members ---- */

__attribute__((format(printf, 3, 4)))
static enum eim_err wrong(struct reader *r, const char *key, const char *fmt, ...)
{
    char why[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return fail_field(r->e, E_MALFORMED, CLAUSE, key, "%s", why);
}

static enum eim_err no_room(struct reader *r)
{
    return fail(r->e, E_NOMEM, NULL, "the message needs more memory than a request may have");
}

/* text -- a string member; *present says whether it is there. */
static enum eim_err text(struct reader *r, const char *key, struct slice *out, bool *present)
{
    const json_t *v = json_object_get(r->o, key);
    *present = v != NULL;
    if (!v) return OK;
    if (!json_is_string(v)) return wrong(r, key, "not a string");
    *out = json_slice(v);
    return OK;
}

/* octets -- a string in base64. */
static enum eim_err octets(struct reader *r, const char *key, struct slice *out, bool *present)
{
    struct slice s = { 0 };
    TRY(text(r, key, &s, present));
    if (!*present) return OK;
    size_t room = s.n / 4 * 3;
    uint8_t *mem = arena_alloc(r->a, room);
    if (!mem) return no_room(r);
    long n = slice_from_b64(s, mem, room);
    if (n <= 0) return wrong(r, key, n ? "no base64 (RFC 4648 section 4)" : "empty");
    *out = slice_of(mem, (size_t)n);
    return OK;
}

/* undecodable -- a fault in a TLV names the JSON member, then what lies in it. */
static enum eim_err undecodable(struct reader *r, const char *key, enum eim_err rc, const struct err *e)
{
    return rc == E_NOMEM ? no_room(r) : fail_field(r->e, E_MALFORMED, e->clause, key, "%.60s: %.140s", e->field, e->why);
}

/* decode -- the octets as a value of type t, in scratch memory. */
static enum eim_err decode(struct reader *r, const char *key, const struct der_type *t, struct slice in, void **out)
{
    struct err e = { 0 };
    *out = arena_alloc(&r->scratch, t->size);
    if (!*out) return no_room(r);
    enum eim_err rc = der_decode(t, in, *out, &r->scratch, &e);
    return rc == OK ? OK : undecodable(r, key, rc, &e);
}

/* tlv -- a member in base64 that is one TLV of type t; *value in scratch memory. */
static enum eim_err tlv(struct reader *r, const char *key, const struct der_type *t, struct slice *raw, void **value, bool *present)
{
    TRY(octets(r, key, raw, present));
    return *present ? decode(r, key, t, *raw, value) : OK;
}

static enum eim_err missing(struct reader *r, const char *key)
{
    return wrong(r, key, "missing");
}

static enum eim_err transaction_id(struct reader *r, const char *key, struct slice *out, bool *present)
{
    struct slice s = { 0 };
    TRY(text(r, key, &s, present));
    if (!*present) return OK;
    uint8_t *mem = arena_alloc(r->a, TXID_MAX);
    if (!mem) return no_room(r);
    long n = slice_unhex(s, mem, TXID_MAX);
    if (n <= 0) return wrong(r, key, "not 2 to %d hex digits", 2 * TXID_MAX);
    *out = slice_of(mem, (size_t)n);
    return OK;
}

static enum eim_err required_id(struct reader *r, struct slice *out)
{
    bool present;
    TRY(transaction_id(r, "transactionId", out, &present));
    return present ? OK : missing(r, "transactionId");
}

/* eid -- a string that is no EID becomes one of no octets, so that the eIM answers invalidEid as it does in the other binding. */
static enum eim_err eid(struct reader *r, struct slice *out, bool *present)
{
    struct slice s = { 0 };
    TRY(text(r, "eidValue", &s, present));
    if (!*present) return OK;
    bool good = s.n == EID_DIGITS;
    for (size_t i = 0; i < s.n && good; i++) good = s.p[i] >= '0' && s.p[i] <= '9';
    uint8_t *mem = arena_alloc(r->a, SGP32_EID);
    if (!mem) return no_room(r);
    *out = slice_of(mem, good && slice_unhex(s, mem, SGP32_EID) == SGP32_EID ? SGP32_EID : 0);
    return OK;
}

/* ---- reading: functions ---- */

static enum eim_err read_initiate(struct reader *r, struct esipa_from_ipa *m)
{
    struct initiate_authentication_request_esipa *q = &m->initiate_authentication_request_esipa;
    struct slice raw;
    void *info;
    bool present;
    m->der.which = esipa_from_ipa_is_initiate_authentication_request_esipa;
    TRY(octets(r, "euiccChallenge", &q->euicc_challenge, &present));
    if (!present) return missing(r, "euiccChallenge");
    if (q->euicc_challenge.n != 16) return wrong(r, "euiccChallenge", "%zu octets, not 16", q->euicc_challenge.n);
    TRY(text(r, "smdpAddress", &q->smdp_address, &present));
    if (present && q->smdp_address.n > SGP22_TEXT) return wrong(r, "smdpAddress", "longer than %d octets", SGP22_TEXT);
    if (present) der_set(q, initiate_authentication_request_esipa, smdp_address);
    TRY(tlv(r, "euiccInfo1", &euicc_info1_type, &raw, &info, &present));
    if (present) {
        der_verbatim_seq(&q->euicc_info1.der, raw);
        der_set(q, initiate_authentication_request_esipa, euicc_info1);
    }
    TRY(transaction_id(r, "eimTransactionId", &q->eim_transaction_id, &present));
    if (present) der_set(q, initiate_authentication_request_esipa, eim_transaction_id);
    return OK;
}

static enum eim_err read_authenticate(struct reader *r, struct esipa_from_ipa *m)
{
    struct authenticate_client_request_esipa *q = &m->authenticate_client_request_esipa;
    struct slice raw;
    void *response;
    bool present;
    m->der.which = esipa_from_ipa_is_authenticate_client_request_esipa;
    TRY(required_id(r, &q->transaction_id));
    TRY(tlv(r, "authenticateServerResponse", &authenticate_server_response_type, &raw, &response, &present));
    if (!present) return missing(r, "authenticateServerResponse");
    der_verbatim_choice(&q->authenticate_server_response.der, raw);
    return OK;
}

/* id_of -- the transaction id that stands in a PrepareDownloadResponse (spec 6.19); a compact one has none. */
static struct slice id_of(const struct prepare_download_response *p)
{
    switch (p->der.which) {
    case prepare_download_response_is_download_response_ok: return p->download_response_ok.euicc_signed2.transaction_id;
    case prepare_download_response_is_download_response_error: return p->download_response_error.transaction_id;
    default: return (struct slice){ 0 };
    }
}

static enum eim_err read_get_bound(struct reader *r, struct esipa_from_ipa *m)
{
    struct get_bound_profile_package_request_esipa *q = &m->get_bound_profile_package_request_esipa;
    struct slice raw;
    void *response;
    bool present, named;
    m->der.which = esipa_from_ipa_is_get_bound_profile_package_request_esipa;
    TRY(transaction_id(r, "transactionId", &q->transaction_id, &named));
    TRY(tlv(r, "prepareDownloadResponse", &prepare_download_response_type, &raw, &response, &present));
    if (!present) return missing(r, "prepareDownloadResponse");
    der_verbatim_choice(&q->prepare_download_response.der, raw);
    if (!named) q->transaction_id = id_of(response);       /* borrows from raw */
    return q->transaction_id.n ? OK : missing(r, "transactionId");
}

/* read_cancel -- BF41{arm}, as SGP.22 has it, or the component of the ASN.1 binding, A1{arm}. */
static enum eim_err read_cancel(struct reader *r, struct esipa_from_ipa *m)
{
    struct cancel_session_request_esipa *q = &m->cancel_session_request_esipa;
    struct cancel_session_response *c = &q->cancel_session_response;
    struct slice raw;
    void *value;
    bool present;
    m->der.which = esipa_from_ipa_is_cancel_session_request_esipa;
    TRY(required_id(r, &q->transaction_id));
    TRY(octets(r, "cancelSessionResponse", &raw, &present));
    if (!present) return missing(r, "cancelSessionResponse");
    der_verbatim_choice(&c->der, raw);
    struct slice one = der_encode(&cancel_session_request_esipa_type, q, &r->scratch);
    if (one.p) return decode(r, "cancelSessionResponse", &cancel_session_request_esipa_type, one, &value);
    TRY(decode(r, "cancelSessionResponse", &cancel_session_response_type, raw, &value));
    const struct cancel_session_response *in = value;
    c->der = (struct der_choice){ .which = in->der.which };
    switch (in->der.which) {
    case cancel_session_response_is_cancel_session_response_ok:
        der_verbatim_seq(&c->cancel_session_response_ok.der, in->cancel_session_response_ok.der.raw);
        break;
    case cancel_session_response_is_compact_cancel_session_response_ok:
        der_verbatim_seq(&c->compact_cancel_session_response_ok.der, in->compact_cancel_session_response_ok.der.raw);
        break;
    default:
        c->cancel_session_response_error = in->cancel_session_response_error;
    }
    return OK;
}

/* result -- an eimPackageResult: bare, or in a whole ProvideEimPackageResult, whose EID counts if none was named before. */
static enum eim_err result(struct reader *r, const char *key, struct slice raw, struct provide_eim_package_result *p)
{
    struct provide_eim_package_result *whole = arena_alloc(&r->scratch, sizeof *whole);
    struct err e = { 0 };
    void *bare;
    if (!whole) return no_room(r);
    enum eim_err rc = der_decode(&provide_eim_package_result_type, raw, whole, &r->scratch, &e);
    if (rc == E_UNKNOWN_TYPE) {
        TRY(decode(r, key, &eim_package_result_type, raw, &bare));
        der_verbatim_choice(&p->eim_package_result.der, raw);
        return OK;
    }
    if (rc != OK) return undecodable(r, key, rc, &e);
    der_verbatim_choice(&p->eim_package_result.der, whole->eim_package_result.der.raw);
    if (der_has(p, provide_eim_package_result, eid_value) || !der_has(whole, provide_eim_package_result, eid_value)) return OK;
    p->eid_value = whole->eid_value;                        /* borrows from raw */
    der_set(p, provide_eim_package_result, eid_value);
    return OK;
}

static enum eim_err read_result(struct reader *r, struct provide_eim_package_result *p)
{
    struct slice raw;
    bool present;
    TRY(eid(r, &p->eid_value, &present));
    if (present) der_set(p, provide_eim_package_result, eid_value);
    TRY(octets(r, "eimPackageResult", &raw, &present));
    return present ? result(r, "eimPackageResult", raw, p) : missing(r, "eimPackageResult");
}

static enum eim_err read_provide(struct reader *r, struct esipa_from_ipa *m)
{
    m->der.which = esipa_from_ipa_is_provide_eim_package_result;
    return read_result(r, &m->provide_eim_package_result);
}

/* read_notification -- provideEimPackageResult is base64 as everything else, or an object with the members of that function. */
static enum eim_err read_notification(struct reader *r, struct esipa_from_ipa *m)
{
    struct handle_notification_esipa *h = &m->handle_notification_esipa;
    const json_t *o = r->o, *provide = json_object_get(o, "provideEimPackageResult");
    struct slice raw;
    void *arm;
    bool present;
    m->der.which = esipa_from_ipa_is_handle_notification_esipa;
    TRY(tlv(r, "pendingNotification", &pending_notification_type, &raw, &arm, &present));
    if (present && provide) return wrong(r, "provideEimPackageResult", "stands beside pendingNotification");
    if (!present && !provide) return missing(r, "pendingNotification");
    if (present) {
        h->der.which = handle_notification_esipa_is_pending_notification;
        h->pending_notification.der.which = ((struct pending_notification *)arm)->der.which;
        der_verbatim_seq(&h->pending_notification.profile_installation_result.der, raw);     /* all four arms are SEQUENCEs in one union */
        return OK;
    }
    h->der.which = handle_notification_esipa_is_provide_eim_package_result;
    if (json_is_object(provide)) {
        r->o = provide;
        enum eim_err rc = read_result(r, &h->provide_eim_package_result);
        r->o = o;
        return rc;
    }
    TRY(octets(r, "provideEimPackageResult", &raw, &present));
    return result(r, "provideEimPackageResult", raw, &h->provide_eim_package_result);
}

/* plmn -- three octets in base64, as they are or as the TLV of the message. */
static enum eim_err plmn(struct reader *r, struct get_eim_package_request *q)
{
    struct slice s;
    bool present;
    TRY(octets(r, "rPLMN", &s, &present));
    if (!present) return OK;
    if (s.n < PLMN) return wrong(r, "rPLMN", "%zu octets, not %d", s.n, PLMN);
    struct get_eim_package_request only = { .r_plmn = { s.p + s.n - PLMN, PLMN } };
    if (s.n > PLMN) {
        der_set(&only, get_eim_package_request, r_plmn);
        struct slice one = der_encode(&get_eim_package_request_type, &only, &r->scratch);
        if (!one.p) return no_room(r);
        if (!slice_eq(s, der_component(&get_eim_package_request_type, one, get_eim_package_request_has_r_plmn)))
            return wrong(r, "rPLMN", "neither %d octets nor their TLV", PLMN);
    }
    q->r_plmn = only.r_plmn;
    der_set(q, get_eim_package_request, r_plmn);
    return OK;
}

static enum eim_err read_get(struct reader *r, struct esipa_from_ipa *m)
{
    struct get_eim_package_request *q = &m->get_eim_package_request;
    const json_t *change = json_object_get(r->o, "notifyStateChange"), *cause = json_object_get(r->o, "stateChangeCause");
    bool present;
    m->der.which = esipa_from_ipa_is_get_eim_package_request;
    TRY(eid(r, &q->eid_value, &present));
    if (present) der_set(q, get_eim_package_request, eid_value);
    if (change && !json_is_boolean(change)) return wrong(r, "notifyStateChange", "neither true nor false");
    if (json_is_true(change)) der_set(q, get_eim_package_request, notify_state_change);
    if (cause && !json_is_integer(cause)) return wrong(r, "stateChangeCause", "not an integer");
    q->state_change_cause = json_integer_value(cause);
    if (cause) der_set(q, get_eim_package_request, state_change_cause);
    return plmn(r, q);
}

/* An eIM sends TransferEimPackage and never takes it; its response belongs on a connection that we opened. */
static enum eim_err read_transfer(struct reader *r, struct esipa_from_ipa *m)
{
    (void)m;
    return fail(r->e, E_UNKNOWN_TYPE, "SGP.32 5.14.4", "transferEimPackage is what an eIM sends to an IPA, not the other way");
}

static const struct esipa_json_function functions[] = {
    { "initiateAuthentication", read_initiate, esipa_from_eim_is_initiate_authentication_response_esipa, false, initiate_authentication_error_names },
    { "authenticateClient", read_authenticate, esipa_from_eim_is_authenticate_client_response_esipa, false, authenticate_client_error_names },
    { "getBoundProfilePackage", read_get_bound, esipa_from_eim_is_get_bound_profile_package_response_esipa, false,
      get_bound_profile_package_error_names },
    { "cancelSession", read_cancel, esipa_from_eim_is_cancel_session_response_esipa, false, cancel_session_error_names },
    { "transferEimPackage", read_transfer, esipa_from_eim_is_transfer_eim_package_request, true, NULL },
    { "getEimPackage", read_get, esipa_from_eim_is_get_eim_package_response, true, get_eim_package_error_names },
    { "provideEimPackageResult", read_provide, esipa_from_eim_is_provide_eim_package_result_response, true,
      provide_eim_package_result_error_names },
    { "handleNotification", read_notification, esipa_from_eim_is_none, false, NULL },
};

const struct esipa_json_function *esipa_json_function(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return NULL;
}

/* too_many -- whether the text holds more values than a parser shall make a tree of. Commas and brackets inside strings count too: no
 * value of ours has any. */
static bool too_many(struct slice t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++) n += t.p[i] == ',' || t.p[i] == ':' || t.p[i] == '[' || t.p[i] == '{';
    return n > ESIPA_JSON_VALUES;
}

enum eim_err esipa_json_read(const struct esipa_json_function *f, struct slice text, struct slice *message, struct arena *a, struct err *e)
{
    struct reader r = { .a = a, .e = e };
    struct esipa_from_ipa *m;
    json_t *o;
    if (too_many(text)) return fail(e, E_TOO_LARGE, CLAUSE, "more than %d values in one request", ESIPA_JSON_VALUES);
    TRY(json_read(text, ESIPA_JSON_MAX, &o, e));
    arena_init(&r.scratch, SCRATCH_MAX);
    r.o = o;
    m = ARENA_NEW(&r.scratch, struct esipa_from_ipa);
    enum eim_err rc = !m ? no_room(&r) : json_is_object(o) ? f->read(&r, m) : fail(e, E_MALFORMED, CLAUSE, "the request is no JSON object");
    if (rc == OK) {
        *message = der_encode(&esipa_from_ipa_type, m, a);
        if (!message->p) rc = no_room(&r);
    }
    arena_free(&r.scratch);
    json_decref(o);
    return rc;
}

/* ---- writing ---- */

/* An error that SGP.22 has no codes for is told as an execution error of the function's provider; the message always carries SGP.32's own
 * name and number. */
static const struct refusal other_failure = { .subject = "1.2", .reason = "4.2" };
static const struct refusal no_request = { .subject = "1.3.1", .reason = "2.1" };        /* protocol format: invalid */

static void put_header(json_t *o, const struct refusal *why, const char *message)
{
    json_t *status = json_pack("{s:s}", "status", why ? "Failed" : "Executed-Success");
    if (why) {
        json_t *data = json_pack("{s:s, s:s}", "subjectCode", why->subject, "reasonCode", why->reason);
        jsonout_text(data, "message", slice_str(message));           /* it may quote the caller */
        json_object_set_new(status, "statusCodeData", data);
    }
    json_object_set_new(o, "header", json_pack("{s:o}", "functionExecutionStatus", status));
}

static void put_error(json_t *o, const struct esipa_json_function *f, int64_t code)
{
    char message[96];
    const char *name = der_name(f->codes, code);
    const struct refusal *why = refusal_of_code(f->answer, code);
    snprintf(message, sizeof message, "%s(%lld)", name ? name : "error", (long long)code);
    put_header(o, why ? why : &other_failure, message);
}

/* json_name -- the member's name: the component's, with one exception (spec 4.3). */
static const char *json_name(const struct der_field *f)
{
    return strcmp(f->name, "profileMetaData") == 0 ? "profileMetadata" : f->name;
}

/* put_component -- component or arm i of a value of type t at v, whose TLV is raw. */
static void put_component(json_t *o, const struct der_type *t, uint32_t i, const void *v, struct slice raw, bool raw_signatures)
{
    const struct der_field *f = &t->fields[i];
    const uint8_t *at = (const uint8_t *)v + f->off;
    const char *key = json_name(f);
    struct slice tlv = der_component(t, raw, i);
    if (f->kind == DER_INT) json_object_set_new(o, key, json_integer(*(const int64_t *)(const void *)at));
    else if (f->kind == DER_UTF8) jsonout_text(o, key, *(const struct slice *)(const void *)at);
    else if (f->type == &ctx_params1_type)       /* a CHOICE without a tag of its own: its TLV is that of its arm */
        jsonout_base64(o, key, der_component(f->type, tlv, ((const struct der_choice *)(const void *)at)->which - 1));
    else if (raw_signatures && (!strcmp(key, "serverSignature1") || !strcmp(key, "smdpSignature2")))
        jsonout_base64(o, key, *(const struct slice *)(const void *)at);
    else if (strcmp(key, "transactionId") == 0) jsonout_hex(o, key, *(const struct slice *)(const void *)at);
    else jsonout_base64(o, key, tlv);
}

/* put_answer -- the members for arm `i` of the answer c, a CHOICE of type t. */
static void put_answer(json_t *o, const struct esipa_json_function *f, const struct der_type *t, const struct der_choice *c, bool raw_signatures)
{
    uint32_t i = c->which - 1;
    const struct der_type *ok = t->fields[i].type;
    const struct der_seq *v = (const void *)((const uint8_t *)c + t->fields[i].off);
    if (t->fields[i].kind == DER_SEQ && ok->nfields == 0) return;          /* emptyResponse, cancelSessionOk */
    if (f->arms) {
        put_component(o, t, i, c, c->raw, raw_signatures);
        return;
    }
    for (uint32_t j = 0; j < ok->nfields; j++)
        if (v->has >> j & 1) put_component(o, ok, j, v, v->raw, raw_signatures);
}

enum eim_err esipa_json_write(const struct esipa_json_function *f, struct slice reply, bool raw_signatures, struct slice *text, struct arena *a, struct err *e)
{
    *text = (struct slice){ 0 };
    if (!reply.n) return OK;
    if (reply.n > REPLY_MAX) return fail(e, E_NOMEM, NULL, "an answer of %zu octets, at most %d in JSON", reply.n, REPLY_MAX);
    struct arena scratch;
    arena_init(&scratch, SCRATCH_MAX);
    struct esipa_from_eim *m = ARENA_NEW(&scratch, struct esipa_from_eim);
    enum eim_err rc = m ? der_decode(&esipa_from_eim_type, reply, m, &scratch, e) : fail(e, E_NOMEM, NULL, "no room for the answer");
    if (rc == OK && m->der.which != f->answer) rc = fail(e, E_INTERNAL, CLAUSE, "no answer of %s", f->name);
    if (rc == OK) {
        const struct der_field *arm = &esipa_from_eim_type.fields[m->der.which - 1];
        const struct der_choice *c = (const void *)((const uint8_t *)m + arm->off);
        const struct der_field *what = &arm->type->fields[c->which - 1];
        json_t *o = json_object();
        bool failed = what->kind == DER_INT && f->answer != esipa_from_eim_is_get_eim_package_response;
        if (failed) put_error(o, f, *(const int64_t *)(const void *)((const uint8_t *)c + what->off));
        else put_header(o, NULL, NULL);
        if (!failed || f->arms) put_answer(o, f, arm->type, c, raw_signatures);
        *text = jsonout_dump(o, a);
        json_decref(o);
        if (!text->p) rc = fail(e, E_NOMEM, NULL, "no room for the answer");
    }
    arena_free(&scratch);
    return rc;
}

/* ---- HTTP ---- */

static enum eim_err read_body(struct door_request *q)
{
    const struct esipa_json_function *f = q->function;
    q->x.message = f->name;
    return esipa_json_read(f, q->http->req.body, &q->x.body, q->x.arena, &q->x.err);
}

/* write_body -- a refusal that is the caller's fault says which member it was; one of ours has no body, as in the other binding. */
static void write_body(struct door_request *q)
{
    struct exchange *x = &q->x;
    struct slice reply = x->rc == OK ? x->reply : (struct slice){ 0 };
    struct err e = { 0 };
    if (x->rc == OK && (x->rc = esipa_json_write(q->function, reply, x->raw_signatures, &x->reply, x->arena, &e)) != OK) x->err = e;
    if (x->rc == OK) return;
    x->reply = (struct slice){ 0 };
    if (err_status(x->rc) >= 500) return;
    char message[MESSAGE_MAX];
    json_t *o = json_object();
    snprintf(message, sizeof message, "%s%s%s", x->err.field, x->err.field[0] ? ": " : "", x->err.why);
    put_header(o, &no_request, message);
    x->reply = jsonout_dump(o, x->arena);
    json_decref(o);
}

static const struct door_binding binding = {
    .name = "json", .clause = "SGP.32 6.1.2", .media_type = REPLY_TYPE, .read = read_body, .write = write_body,
};

bool esipa_json_serves(const char *path)
{
    return strncmp(path, PREFIX, sizeof PREFIX - 1) == 0;
}

void esipa_json_handle(void *arg, struct http_exchange *x)
{
    const char *allow = NULL;
    const struct esipa_json_function *f = *x->req.query ? NULL : esipa_json_function(x->req.path + sizeof PREFIX - 1);
    int status = f ? door_refusal(&x->req, MEDIA_TYPE, &allow) : 404;
    door_serve(arg, &binding, f, x, status, allow);
}
