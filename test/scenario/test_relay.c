/* test_relay.c -- indirect profile download: each step over both bindings, every way in which an SM-DP+ can go wrong, lost replies and restarts. */
#include "test/scenario/field.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/outbound.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "front/esipa_json.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;
static struct err e;
static bool json;                      /* the binding */

enum { SEGMENT = 1000 };

/* ---- the SM-DP+ ---- */

enum mood { GOOD, HTML, HALF, OTHER_ID, OTHER_ADDRESS, OTHER_CHALLENGE, SILENT, STATUS_500, REFUSES, REFUSES_ODDLY, NO_STATUS, BARE_OCTETS };
static struct smdp {
    struct outbound base;
    enum mood mood;
    const char *bad;                   /* the function at which the mood applies; the others are good */
    const char *subject, *reason;
    unsigned calls[4], got;
    size_t segments, room;             /* of the package; what the reply took */
    struct slice package;
    struct slice auth, prepared, cancelled, info1;         /* what came */
    char address[64], matching[64];
    uint8_t id[16];
    struct arena memory;
    bool poll_inside;                  /* something is written while a call is under way */
    bool ask_inside;                   /* another download begins there */
} smdp;

static const char *const functions[] = { "initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "cancelSession" };

static struct slice unb64(const json_t *v, struct arena *a)
{
    struct slice s = json_slice(v);
    uint8_t *p = arena_alloc(a, s.n + 1);
    long n = slice_from_b64(s, p, s.n);
    assert_true(n > 0);
    return slice_of(p, (size_t)n);
}

static void put64(json_t *o, const char *name, struct slice s)
{
    char *text = arena_alloc(&smdp.memory, 4 * ((s.n + 2) / 3) + 1);
    slice_to_b64(s, text);
    json_object_set_new(o, name, json_string(text));
}

/* TLVs by hand: the double of an SM-DP+ writes them independently of the decoder under test. */
static struct slice tlv(const char *tag, struct slice v)
{
    size_t t = strlen(tag);
    uint8_t *p = arena_alloc(&smdp.memory, t + 5 + v.n), *q = p;
    memcpy(q, tag, t);
    q += t;
    if (v.n >= 0x10000) *q++ = 0x83, *q++ = (uint8_t)(v.n >> 16), *q++ = (uint8_t)(v.n >> 8);
    else if (v.n >= 0x100) *q++ = 0x82, *q++ = (uint8_t)(v.n >> 8);
    else if (v.n >= 0x80) *q++ = 0x81;
    *q++ = (uint8_t)v.n;
    if (v.n) memcpy(q, v.p, v.n);
    return slice_of(p, (size_t)(q - p) + v.n);
}

static struct slice join(struct slice a, struct slice b)
{
    uint8_t *p = arena_alloc(&smdp.memory, a.n + b.n + 1);
    if (a.n) memcpy(p, a.p, a.n);
    if (b.n) memcpy(p + a.n, b.p, b.n);
    return slice_of(p, a.n + b.n);
}

static struct slice signature(void)
{
    static uint8_t sig[64];
    memset(sig, 0x5a, sizeof sig);
    return tlv("\x5f\x37", slice_of(sig, sizeof sig));
}

static struct slice package(void)
{
    static uint8_t segment[SEGMENT], point[65];
    struct slice all = { 0 };
    struct slice crt = tlv("\xa6", join(tlv("\x80", SLICE("\x88")), join(tlv("\x81", SLICE("\x10")), tlv("\x84", SLICE("host")))));
    struct slice isc = tlv("\xbf\x23", join(join(tlv("\x82", SLICE("\x01")), tlv("\x80", slice_of(smdp.id, 16))),
                                            join(join(crt, tlv("\x5f\x49", slice_of(point, 65))), signature())));
    struct buf segments;
    buf_init(&segments, 1 << 20);
    memset(segment, 0x77, sizeof segment);
    for (size_t i = 0; i < smdp.segments; i++) buf_put(&segments, tlv("\x86", slice_of(segment, SEGMENT)));
    all = join(join(isc, tlv("\xa0", tlv("\x87", SLICE("first")))), tlv("\xa1", tlv("\x88", SLICE("meta"))));
    all = tlv("\xbf\x36", join(all, tlv("\xa3", buf_slice(&segments))));
    buf_free(&segments);
    return all;
}

static void good_initiate(const json_t *in, json_t *o, bool bad)
{
    struct slice challenge = unb64(json_object_get(in, "euiccChallenge"), &smdp.memory);
    struct slice address = json_slice(json_object_get(in, "smdpAddress"));
    assert_int_equal(challenge.n, 16);
    snprintf(smdp.address, sizeof smdp.address, "%.*s", (int)address.n, (const char *)address.p);
    smdp.info1 = unb64(json_object_get(in, "euiccInfo1"), &smdp.memory);
    if (bad && smdp.mood == OTHER_CHALLENGE) challenge = SLICE("0123456789abcdef");
    if (bad && smdp.mood == OTHER_ADDRESS) address = SLICE("elsewhere.example.com");
    smdp.id[0]++;
    uint8_t other[16] = { 0 };
    struct slice id = bad && smdp.mood == OTHER_ID ? slice_of(other, 16) : slice_of(smdp.id, 16);
    struct slice s1 = tlv("\x30", join(join(tlv("\x80", id), tlv("\x81", challenge)), join(tlv("\x83", address), tlv("\x84", challenge))));
    bool bare = smdp.mood == BARE_OCTETS;
    put64(o, "serverSigned1", s1);
    put64(o, "serverSignature1", bare ? slice_of(signature().p + 3, 64) : signature());
    put64(o, "euiccCiPKIdToBeUsed", bare ? SLICE("01234567890123456789") : tlv("\x04", SLICE("01234567890123456789")));
    put64(o, "serverCertificate", f.pki.ci);
}

static void good_authenticate(const json_t *in, json_t *o, bool bad)
{
    smdp.auth = unb64(json_object_get(in, "authenticateServerResponse"), &smdp.memory);
    uint8_t other[16] = { 0 };
    struct slice id = bad && smdp.mood == OTHER_ID ? slice_of(other, 16) : slice_of(smdp.id, 16);
    put64(o, "smdpSigned2", tlv("\x30", join(tlv("\x80", id), tlv("\x01", slice_of("\0", 1)))));
    put64(o, "smdpSignature2", signature());
    put64(o, "smdpCertificate", f.pki.ci);
    put64(o, "profileMetadata", tlv("\xbf\x25", join(tlv("\x5a", SLICE("0123456789")), join(tlv("\x91", SLICE("B")), tlv("\x92", SLICE("profile"))))));
}

static json_t *answer(int k, const json_t *in, bool bad)
{
    json_t *o = json_pack("{s:{s:{s:s}}}", "header", "functionExecutionStatus", "status", "Executed-Success");
    char hex[33];
    if (k == 0) good_initiate(in, o, bad);
    else {                             /* every later one names the transaction */
        slice_hex(slice_of(smdp.id, 16), true, hex);
        assert_string_equal(json_string_value(json_object_get(in, "transactionId")), hex);
    }
    if (k == 1) good_authenticate(in, o, bad);
    if (k == 2) {
        smdp.prepared = unb64(json_object_get(in, "prepareDownloadResponse"), &smdp.memory);
        smdp.package = package();
        put64(o, "boundProfilePackage", smdp.package);
    }
    if (k == 3) smdp.cancelled = unb64(json_object_get(in, "cancelSessionResponse"), &smdp.memory);
    slice_hex(slice_of(smdp.id, 16), true, hex);
    json_object_set_new(o, "transactionId", json_string(bad && smdp.mood == OTHER_ID && k ? "00000000000000000000000000000001" : hex));
    if (bad && (smdp.mood == REFUSES || smdp.mood == REFUSES_ODDLY)) {
        json_decref(o);
        o = json_pack("{s:{s:{s:s,s:{s:s,s:s}}}}", "header", "functionExecutionStatus", "status", "Failed", "statusCodeData", "subjectCode",
                      smdp.mood == REFUSES ? smdp.subject : "1.2", "reasonCode", smdp.mood == REFUSES ? smdp.reason : "4.2");
    }
    if (bad && smdp.mood == NO_STATUS) json_object_del(o, "header");
    return o;
}

static void pieces(struct buf *reply, struct slice s)
{
    for (size_t at = 0; at < s.n; at += 16384) buf_put(reply, slice_of(s.p + at, s.n - at < 16384 ? s.n - at : 16384));
}

static void poll_meanwhile(void);
static void ask_meanwhile(void);

static enum eim_err reach(struct outbound *o, const struct outbound_request *q, int *status, struct buf *reply, struct err *err)
{
    json_t *in;
    int k = 0;
    (void)o;
    const char *name = strrchr(q->url, '/') + 1;
    while (k < 4 && strcmp(name, functions[k]) != 0) k++;
    smdp.got++;
    if (k == 4) {                      /* handleNotification */
        *status = 204;
        return OK;
    }
    smdp.calls[k]++;
    if (smdp.poll_inside) poll_meanwhile();
    if (smdp.ask_inside) ask_meanwhile();
    assert_ok(json_read(q->body, 1 << 20, &in, &e));
    assert_true(json_is_string(json_object_get(json_object_get(in, "header"), "functionCallIdentifier")));
    bool bad = smdp.bad && !strcmp(smdp.bad, name);
    json_t *out = answer(k, in, bad);
    json_decref(in);
    char *text = json_dumps(out, JSON_COMPACT);
    json_decref(out);
    *status = bad && smdp.mood == STATUS_500 ? 500 : 200;
    if (bad && smdp.mood == HTML) pieces(reply, SLICE("<html><body>It works!</body></html>"));
    else pieces(reply, slice_of(text, bad && smdp.mood == HALF ? strlen(text) / 2 : strlen(text)));
    smdp.room = reply->room;
    free(text);
    if (bad && smdp.mood == SILENT) return fail(err, E_IO, NULL, "no answer within 30 s\x1b[31m");
    return reply->failed ? fail(err, E_TOO_LARGE, NULL, "too much") : OK;
}

/* ---- the device ---- */

static uint8_t txid[16];
static int64_t op;
static struct slice never(void *arg, struct sim_euicc *card, struct slice trigger, struct arena *a)
{
    struct profile_download_trigger_request r;
    (void)arg;
    (void)card;
    assert_ok(der_decode(&profile_download_trigger_request_type, trigger, &r, a, &e));
    memcpy(txid, r.eim_transaction_id.p, 16);
    return (struct slice){ NULL, SIZE_MAX };
}

static const char order[] = "{\"download\":{\"activation_code\":\"1$DP.example.com$MATCH-1\"}}";

static int up(void **state)
{
    (void)state;
    memset(&smdp, 0, sizeof smdp);
    smdp.base.request = reach;
    smdp.segments = 60;
    arena_init(&smdp.memory, 32 << 20);
    field_open(&f);
    f.set.indirect = true;
    eim_reload(f.eim, &f.set, NULL);
    f.ipa_config.trigger = never;
    field_outbound(&f, &smdp.base);
    gadget_make(&g, &f, 31, true);
    gadget_settle(&g);
    op = gadget_order(&g, order);
    gadget_settle(&g);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    field_close(&f);
    arena_free(&smdp.memory);
    return 0;
}

/* The same request in JSON, as an IPA writes it: members are the TLVs themselves. */
static struct slice in_json(struct slice m, const char **name, struct arena *a)
{
    struct esipa_from_ipa x;
    char hex[33];
    json_t *o = json_object();
    assert_ok(der_decode(&esipa_from_ipa_type, m, &x, a, &e));
    struct slice id = { 0 };
    if (x.der.which == esipa_from_ipa_is_initiate_authentication_request_esipa) {
        const struct initiate_authentication_request_esipa *q = &x.initiate_authentication_request_esipa;
        *name = functions[0];
        put64(o, "euiccChallenge", q->euicc_challenge);
        if (q->smdp_address.n) json_object_set_new(o, "smdpAddress", json_stringn((const char *)q->smdp_address.p, q->smdp_address.n));
        slice_hex(q->eim_transaction_id, true, hex);
        json_object_set_new(o, "eimTransactionId", json_string(hex));
    } else if (x.der.which == esipa_from_ipa_is_authenticate_client_request_esipa) {
        *name = functions[1];
        id = x.authenticate_client_request_esipa.transaction_id;
        put64(o, "authenticateServerResponse", x.authenticate_client_request_esipa.authenticate_server_response.der.raw);
    } else if (x.der.which == esipa_from_ipa_is_get_bound_profile_package_request_esipa) {
        *name = functions[2];
        id = x.get_bound_profile_package_request_esipa.transaction_id;
        put64(o, "prepareDownloadResponse", x.get_bound_profile_package_request_esipa.prepare_download_response.der.raw);
    } else {
        *name = functions[3];
        id = x.cancel_session_request_esipa.transaction_id;
        put64(o, "cancelSessionResponse", x.cancel_session_request_esipa.cancel_session_response.der.raw);
    }
    if (id.n) {
        slice_hex(id, true, hex);
        json_object_set_new(o, "transactionId", json_string(hex));
    }
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    struct slice copy = arena_copy(a, slice_str(text));
    free(text);
    return copy;
}

static struct esipa_from_eim said;     /* the last answer, in f.last_memory or smdp.memory */

static void look_at_json(const char *name, struct slice text)
{
    json_t *o;
    assert_ok(json_read(text, 1 << 22, &o, &e));
    const json_t *status = json_object_get(json_object_get(json_object_get(o, "header"), "functionExecutionStatus"), "status");
    bool good = !strcmp(json_string_value(status), "Executed-Success");
    if (good && !strcmp(name, functions[0])) assert_true(unb64(json_object_get(o, "serverSigned1"), &smdp.memory).n > 50);
    if (good && !strcmp(name, functions[1])) assert_true(unb64(json_object_get(o, "smdpSignature2"), &smdp.memory).n == 67);
    if (good && !strcmp(name, functions[2])) assert_true(slice_eq(unb64(json_object_get(o, "boundProfilePackage"), &smdp.memory), smdp.package));
    json_decref(o);
}

/* One exchange in the binding of this run; the answer decoded. In JSON the translated answer is looked at too. */
static void say(const struct esipa_from_ipa *m)
{
    struct slice der = der_encode(&esipa_from_ipa_type, m, &smdp.memory), text;
    assert_true(der.n > 0);
    if (json) {
        const char *name;
        struct slice request = in_json(der, &name, &smdp.memory), again;
        assert_ok(esipa_json_read(esipa_json_function(name), request, &again, &smdp.memory, &e));
        field_post(&f, again);
        assert_int_equal(f.last_rc, OK);
        assert_ok(esipa_json_write(esipa_json_function(name), f.last_reply, false, &text, &smdp.memory, &e));
        look_at_json(name, text);
    } else field_post(&f, der);
    assert_int_equal(f.last_rc, OK);
    assert_ok(der_decode(&esipa_from_eim_type, f.last_reply, &said, &smdp.memory, &e));
}

static int64_t initiate_as(struct slice id, struct slice address)
{
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_initiate_authentication_request_esipa };
    struct initiate_authentication_request_esipa *q = &m.initiate_authentication_request_esipa;
    q->euicc_challenge = SLICE("challenge-of-16b");
    q->eim_transaction_id = id;
    der_set(q, initiate_authentication_request_esipa, eim_transaction_id);
    q->smdp_address = address;
    if (address.n) der_set(q, initiate_authentication_request_esipa, smdp_address);
    say(&m);
    const struct initiate_authentication_response_esipa *r = &said.initiate_authentication_response_esipa;
    assert_int_equal(said.der.which, esipa_from_eim_is_initiate_authentication_response_esipa);
    return r->der.which == initiate_authentication_response_esipa_is_initiate_authentication_error_esipa ? r->initiate_authentication_error_esipa : 0;
}

static int64_t initiate(void)
{
    return initiate_as(slice_of(txid, 16), (struct slice){ 0 });
}

static struct slice session_id(void) { return arena_copy(&smdp.memory, slice_of(smdp.id, 16)); }

static int64_t authenticate(void)
{
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_authenticate_client_request_esipa };
    struct authenticate_client_request_esipa *q = &m.authenticate_client_request_esipa;
    q->transaction_id = session_id();
    q->authenticate_server_response.der.which = authenticate_server_response_is_authenticate_response_ok;
    struct authenticate_response_ok *ok = &q->authenticate_server_response.authenticate_response_ok;
    struct ipa_euicc_data_response *data = arena_alloc(&smdp.memory, sizeof *data);
    struct device_view v = gadget_view(&g);
    assert_ok(der_decode(&ipa_euicc_data_response_type, arena_copy(&smdp.memory, v.data.info), data, &smdp.memory, &e));
    ok->euicc_signed1.transaction_id = q->transaction_id;
    ok->euicc_signed1.server_address = SLICE("DP.example.com");
    ok->euicc_signed1.server_challenge = SLICE("challenge-of-16b");
    der_verbatim_seq(&ok->euicc_signed1.euicc_info2.der, data->ipa_euicc_data.euicc_info2.der.raw);
    ok->euicc_signed1.ctx_params1.der.which = ctx_params1_is_ctx_params_for_common_authentication;
    ok->euicc_signed1.ctx_params1.ctx_params_for_common_authentication.device_info.tac = SLICE("\x35\x29\x06\x11");
    ok->euicc_signature1 = slice_of(signature().p + 3, 64);
    ok->euicc_certificate = arena_copy(&smdp.memory, v.data.euicc_cert);
    ok->eum_certificate = arena_copy(&smdp.memory, v.data.eum_cert);
    say(&m);
    const struct authenticate_client_response_esipa *r = &said.authenticate_client_response_esipa;
    assert_int_equal(said.der.which, esipa_from_eim_is_authenticate_client_response_esipa);
    return r->der.which == authenticate_client_response_esipa_is_authenticate_client_error_esipa ? r->authenticate_client_error_esipa : 0;
}

static int64_t get_bound(bool compact)
{
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_get_bound_profile_package_request_esipa };
    struct get_bound_profile_package_request_esipa *q = &m.get_bound_profile_package_request_esipa;
    static uint8_t point[65];
    q->transaction_id = session_id();
    struct prepare_download_response *p = &q->prepare_download_response;
    p->der.which = compact ? prepare_download_response_is_compact_download_response_ok : prepare_download_response_is_download_response_ok;
    if (compact) p->compact_download_response_ok.euicc_signature2 = slice_of(signature().p + 3, 64);
    else {
        p->download_response_ok.euicc_signed2.transaction_id = q->transaction_id;
        p->download_response_ok.euicc_signed2.euicc_otpk = slice_of(point, sizeof point);
        p->download_response_ok.euicc_signature2 = slice_of(signature().p + 3, 64);
    }
    say(&m);
    const struct get_bound_profile_package_response_esipa *r = &said.get_bound_profile_package_response_esipa;
    assert_int_equal(said.der.which, esipa_from_eim_is_get_bound_profile_package_response_esipa);
    return r->der.which == get_bound_profile_package_response_esipa_is_get_bound_profile_package_error_esipa ? r->get_bound_profile_package_error_esipa : 0;
}

static int64_t cancel(void)
{
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_cancel_session_request_esipa };
    struct cancel_session_request_esipa *q = &m.cancel_session_request_esipa;
    q->transaction_id = session_id();
    q->cancel_session_response.der.which = cancel_session_response_is_cancel_session_response_ok;
    struct cancel_session_response_ok *ok = &q->cancel_session_response.cancel_session_response_ok;
    ok->euicc_cancel_session_signed.transaction_id = q->transaction_id;
    ok->euicc_cancel_session_signed.smdp_oid = SLICE("\x2a\x03");
    ok->euicc_cancel_session_signed.reason = 5;
    ok->euicc_cancel_session_signature = slice_of(signature().p + 3, 64);
    say(&m);
    const struct cancel_session_response_esipa *r = &said.cancel_session_response_esipa;
    assert_int_equal(said.der.which, esipa_from_eim_is_cancel_session_response_esipa);
    return r->der.which == cancel_session_response_esipa_is_cancel_session_error ? r->cancel_session_error : 0;
}

static void poll_meanwhile(void)       /* no transaction is open during a call: writing goes on */
{
    smdp.poll_inside = false;
    struct slice reply = f.last_reply;
    (void)gadget_order(&g, "{\"psmos\":[{\"getRAT\":{}}]}");
    f.last_reply = reply;
}

static void ask_meanwhile(void)        /* one more than may be: told to come again, and nothing else */
{
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_initiate_authentication_request_esipa };
    struct initiate_authentication_request_esipa *q = &m.initiate_authentication_request_esipa;
    smdp.ask_inside = false;
    q->euicc_challenge = SLICE("challenge-of-16b");
    q->eim_transaction_id = slice_of(txid, 16);
    der_set(q, initiate_authentication_request_esipa, eim_transaction_id);
    struct arena outer = f.last_memory;                /* the exchange around this one lives there */
    arena_init(&f.last_memory, 1 << 20);
    field_post(&f, der_encode(&esipa_from_ipa_type, &m, &smdp.memory));
    assert_int_equal(f.last_rc, E_BUSY);
    arena_free(&f.last_memory);
    f.last_memory = outer;
    assert_int_equal(smdp.calls[0], 1);
}

/* The card installs it and says so; HandleNotification. */
static void install(struct slice address, bool genuine)
{
    struct private_key *key = NULL;
    uint8_t sig[SIGNATURE_SIZE], bits[4], iccid[10];
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_handle_notification_esipa };
    struct profile_installation_result r = { 0 };
    struct profile_installation_result_data *d = &r.profile_installation_result_data;
    sim_iccid_make("8949002", 9, 999, iccid);
    d->transaction_id = session_id();
    d->notification_metadata.seq_number = g.card.next_seq++;
    d->notification_metadata.profile_management_operation = der_bits_from(1u << NOTIFICATION_EVENT_INSTALL, bits);
    d->notification_metadata.notification_address = address;
    d->notification_metadata.iccid = slice_of(iccid, 10);
    der_set(&d->notification_metadata, notification_metadata, iccid);
    d->smdp_oid = SLICE("\x2a\x03");
    d->final_result.der.which = final_result_is_success_result;
    d->final_result.success_result.aid = SLICE("\xa0\x00\x00\x05\x59");
    d->final_result.success_result.sima_response = SLICE("\x30\x07");
    r.euicc_sign_pir = slice_of(sig, sizeof sig);
    memset(sig, 1, sizeof sig);
    struct slice once = der_encode(&profile_installation_result_type, &r, &smdp.memory);
    struct profile_installation_result back;
    assert_ok(der_decode(&profile_installation_result_type, once, &back, &smdp.memory, &e));
    if (genuine) {
        assert_ok(sim_pki_device_key(g.card.world->pki, g.card.seed, g.card.eid, &key, &e));
        assert_ok(private_key_sign(key, &back.profile_installation_result_data.der.raw, 1, sig, &e));
        private_key_free(key);
    }
    m.handle_notification_esipa.der.which = handle_notification_esipa_is_pending_notification;
    m.handle_notification_esipa.pending_notification.der.which = pending_notification_is_profile_installation_result;
    m.handle_notification_esipa.pending_notification.profile_installation_result = r;
    field_post(&f, der_encode(&esipa_from_ipa_type, &m, &smdp.memory));
    assert_int_equal(f.last_rc, OK);
    assert_int_equal(f.last_reply.n, 0);
}

static void forward_all(void)
{
    bool did = true;
    for (int i = 0; did && i < 10; i++) assert_ok(eim_forward(f.eim, &did, &e));
}

static bool says(const char *words) { return strstr(gadget_reason(&g, op), words) != NULL; }

/* ---- tests ---- */

static void a_profile_comes_through_the_eim(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        json = twice;
        if (twice) {
            op = gadget_order(&g, order);
            gadget_settle(&g);
        }
        assert_int_equal(initiate(), 0);
        const struct initiate_authentication_ok_esipa *i = &said.initiate_authentication_response_esipa.initiate_authentication_ok_esipa;
        assert_string_equal(smdp.address, "DP.example.com");
        assert_true(slice_eq(i->matching_id, SLICE("MATCH-1")));
        assert_true(slice_eq(i->transaction_id, slice_of(smdp.id, 16)));
        assert_true(slice_eq(i->server_certificate, f.pki.ci));
        assert_int_equal(i->server_signature1.n, 64);
        assert_int_equal(i->euicc_ci_pk_identifier_to_be_used.n, 20);
        assert_true(says("initiateAuthentication: done"));
        assert_int_equal(authenticate(), 0);
        assert_true(smdp.auth.n > 100 && !memcmp(smdp.auth.p, "\xbf\x38", 2));
        assert_true(said.authenticate_client_response_esipa.authenticate_client_ok_dp_esipa.profile_meta_data.der.raw.n > 0);
        assert_int_equal(get_bound(false), 0);
        assert_true(!memcmp(smdp.prepared.p, "\xbf\x21", 2));
        assert_true(slice_eq(said.get_bound_profile_package_response_esipa.get_bound_profile_package_ok_esipa.bound_profile_package.der.raw, smdp.package));
        assert_true(says("getBoundProfilePackage: done"));
        unsigned before = smdp.got;
        install(SLICE("dp.example.com"), true);
        assert_int_equal(gadget_state(&g, op), OP_DONE);
        forward_all();
        assert_int_equal(smdp.got, before + 1);    /* the eIM brings the result to the SM-DP+ */
        assert_int_equal(authenticate(), AUTHENTICATE_CLIENT_ERROR_INVALID_TRANSACTION_ID);         /* the session is at an end */
        gadget_settle(&g);
    }
}

static void what_is_not_ours_is_refused(void **state)
{
    (void)state;
    uint8_t other[16];
    memcpy(other, txid, 16);
    other[0] ^= 1;
    assert_int_equal(initiate_as(slice_of(other, 16), (struct slice){ 0 }), INITIATE_AUTHENTICATION_ERROR_INVALID_EIM_TRANSACTION_ID);
    assert_int_equal(initiate_as(SLICE("short"), (struct slice){ 0 }), INITIATE_AUTHENTICATION_ERROR_INVALID_EIM_TRANSACTION_ID);
    assert_int_equal(initiate_as(slice_of(txid, 16), SLICE("127.0.0.1")), INITIATE_AUTHENTICATION_ERROR_SMDP_ADDRESS_MISMATCH);
    assert_int_equal(smdp.got, 0);                 /* nobody was asked */
    assert_int_equal(authenticate(), AUTHENTICATE_CLIENT_ERROR_INVALID_TRANSACTION_ID);
    assert_int_equal(get_bound(false), GET_BOUND_PROFILE_PACKAGE_ERROR_INVALID_TRANSACTION_ID);
    assert_int_equal(cancel(), CANCEL_SESSION_ERROR_INVALID_TRANSACTION_ID);
    assert_int_equal(initiate_as(slice_of(txid, 16), SLICE("dp.EXAMPLE.com")), 0);
    assert_int_equal(said.initiate_authentication_response_esipa.initiate_authentication_ok_esipa.matching_id.n, 0);        /* it has the code itself */
    assert_int_equal(get_bound(false), GET_BOUND_PROFILE_PACKAGE_ERROR_INVALID_TRANSACTION_ID);        /* before authenticateClient */
    assert_int_equal(get_bound(true), GET_BOUND_PROFILE_PACKAGE_ERROR_INVALID_TRANSACTION_ID);
    assert_int_equal(authenticate(), 0);
    assert_int_equal(get_bound(true), GET_BOUND_PROFILE_PACKAGE_ERROR_UNDEFINED_ERROR);        /* compact */
    assert_true(says("compact"));
    install(SLICE("dp.example.com"), false);       /* forged: ends nothing */
    assert_int_equal(gadget_state(&g, op), OP_SENT);
    assert_int_equal(get_bound(false), 0);
    f.set.indirect = false;
    eim_reload(f.eim, &f.set, NULL);
    assert_int_equal(initiate(), INITIATE_AUTHENTICATION_ERROR_UNDEFINED_ERROR);
}

static int64_t step(int k) { return k == 0 ? initiate() : k == 1 ? authenticate() : k == 2 ? get_bound(false) : cancel(); }

static void an_smdp_that_goes_wrong_costs_an_error_and_is_named(void **state)
{
    (void)state;
    static const struct { enum mood mood; const char *words; bool steps[4]; int64_t error[4]; } bad[] = {
        { HTML, "line 1", { true, true, true, true }, { 127, 127, 127, 127 } },
        { HALF, "", { true, true, true, true }, { 127, 127, 127, 127 } },
        { SILENT, "no answer within 30 s?", { true, true, true, true }, { 127, 127, 127, 127 } },
        { STATUS_500, "the SM-DP+ answers 500", { true, true, true, true }, { 127, 127, 127, 127 } },
        { NO_STATUS, "does not say what became of it", { true, true, true, true }, { 127, 127, 127, 127 } },
        { REFUSES_ODDLY, "subject 1.2, reason 4.2", { true, true, true, true }, { 127, 127, 127, 127 } },
        { OTHER_ID, "transaction", { true, true, true, true }, { 127, 127, 127, 127 } },
        { OTHER_ADDRESS, "another address", { true }, { INITIATE_AUTHENTICATION_ERROR_SMDP_ADDRESS_MISMATCH } },
        { OTHER_CHALLENGE, "another challenge", { true }, { 127 } },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int k = 0; k < 4; k++) {
            if (!bad[i].steps[k]) continue;
            json = (i + (size_t)k) % 2;
            if (gadget_state(&g, op) != OP_SENT) {
                op = gadget_order(&g, order);
                gadget_settle(&g);
            }
            for (int before = 0; before < k && before < 3; before++) assert_int_equal(step(before), 0);
            smdp.mood = bad[i].mood;
            smdp.bad = functions[k];
            assert_int_equal(step(k), bad[i].error[k]);
            if (k < 3) assert_int_equal(gadget_state(&g, op), OP_SENT);        /* it may be better next time */
            if (k < 3 && (!says(functions[k]) || !says(bad[i].words))) fail_msg("%s: %s", functions[k], gadget_reason(&g, op));
            smdp.bad = NULL;
            if (k < 3) assert_int_equal(k == 0 ? initiate() : step(k), 0);
            arena_reset(&smdp.memory);
        }
    smdp.mood = BARE_OCTETS;
    op = gadget_order(&g, order);
    gadget_settle(&g);
    assert_int_equal(initiate(), 0);
}

static void a_refusal_that_has_a_name_ends_the_order(void **state)
{
    (void)state;
    static const struct { int k; const char *subject, *reason; int64_t code; const char *words; } rows[] = {
        { 0, "8.8.1", "3.8", 1, "invalidDpAddress" }, { 1, "8.2.6", "3.8", 6, "matchingIdRefused" }, { 1, "8.1", "4.8", 11, "insufficientMemory" },
        { 2, "8.2.7", "2.2", 2, "confirmationCodeMissing" }, { 2, "8.10.1", "3.9", 95, "invalidTransactionId" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int before = 0; before < rows[i].k; before++) assert_int_equal(step(before), 0);
        smdp.mood = REFUSES;
        smdp.bad = functions[rows[i].k];
        smdp.subject = rows[i].subject;
        smdp.reason = rows[i].reason;
        assert_int_equal(step(rows[i].k), rows[i].code);
        assert_int_equal(gadget_state(&g, op), OP_FAILED);
        assert_int_equal(gadget_operation(&g, op).code, rows[i].code);
        assert_true(says(functions[rows[i].k]) && says(rows[i].words));
        smdp.bad = NULL;
        if (rows[i].k) assert_int_equal(cancel(), 0);      /* what the device does then */
        op = gadget_order(&g, order);
        gadget_settle(&g);
    }
}

static void a_cancelled_session_is_passed_on_and_fails_the_order(void **state)
{
    (void)state;
    for (int k = 1; k < 4; k++) {
        json = k % 2;
        for (int before = 0; before < k; before++) assert_int_equal(step(before), 0);
        assert_int_equal(cancel(), 0);
        assert_true(!memcmp(smdp.cancelled.p, "\xbf\x41", 2));       /* the tag that it has on ES10b and ES9+ */
        assert_int_equal(gadget_state(&g, op), OP_FAILED);
        assert_true(says("cancelSession: the device cancelled the session: loadBppExecutionError(5)"));
        assert_int_equal(cancel(), CANCEL_SESSION_ERROR_INVALID_TRANSACTION_ID);
        op = gadget_order(&g, order);
        gadget_settle(&g);
    }
}

/* The answer of each step gets lost and the device asks again; the process ends and begins again after each. */
static void a_lost_answer_and_a_restart_at_each_step_change_nothing(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        for (int k = 0; k < 3; k++) {
            assert_int_equal(step(k), 0);
            if (restart) field_restart(&f);
            assert_int_equal(step(k), 0);
        }
        if (restart) field_restart(&f);
        install(SLICE("dp.example.com"), true);
        install(SLICE("dp.example.com"), true);
        assert_int_equal(gadget_state(&g, op), OP_DONE);
        op = gadget_order(&g, order);
        gadget_settle(&g);
    }
    assert_int_equal(smdp.calls[1], 4);
}

static void a_session_expires_but_its_result_may_come_late(void **state)
{
    (void)state;
    assert_int_equal(initiate(), 0);
    field_pass(&f, 11 * MINUTE);
    assert_int_equal(authenticate(), AUTHENTICATE_CLIENT_ERROR_INVALID_TRANSACTION_ID);
    assert_int_equal(initiate(), 0);
    assert_int_equal(authenticate(), 0);
    assert_int_equal(get_bound(false), 0);
    field_pass(&f, 2 * DAY);
    unsigned before = smdp.got;
    install(SLICE("dp.example.com"), true);
    forward_all();
    assert_int_equal(smdp.got, before + 1);
}

/* Stopped at each step; a session that is open may be cancelled, and goes on when the device is let out. */
static void a_device_in_quarantine_downloads_nothing(void **state)
{
    (void)state;
    bool changed;
    struct eid eid;
    assert_true(eid_parse(slice_str(g.eid), false, &eid));
    for (int k = 0; k < 3; k++) {
        assert_ok(manage_quarantine(f.eim, &f.admin, &eid, true, SLICE("key leaked"), &changed, field_arena(&f), &e));
        unsigned before = smdp.got;
        assert_int_equal(step(k), 127);
        assert_int_equal(smdp.got, before);
        assert_true(k == 0 || says("the device is in quarantine"));
        assert_ok(manage_quarantine(f.eim, &f.admin, &eid, false, SLICE("new certificate"), &changed, field_arena(&f), &e));
        assert_int_equal(step(k), 0);
    }
    assert_ok(manage_quarantine(f.eim, &f.admin, &eid, true, SLICE("key leaked"), &changed, field_arena(&f), &e));
    assert_int_equal(cancel(), 0);
    assert_int_equal(gadget_state(&g, op), OP_FAILED);
}

/* hashCc = SHA-256(SHA-256(code) | transactionId); of the code nothing is left once the order has ended. */
static void a_confirmation_code_reaches_the_card_hashed(void **state)
{
    (void)state;
    uint8_t digest[SHA256_SIZE], want[SHA256_SIZE];
    struct download_terms left;
    struct tx *t;
    const struct authenticate_client_ok_dp_esipa *ok = &said.authenticate_client_response_esipa.authenticate_client_ok_dp_esipa;
    assert_int_equal(initiate(), 0);
    assert_int_equal(authenticate(), 0);
    assert_int_equal(ok->hash_cc.n, 0);            /* this order has none */
    assert_int_equal(cancel(), 0);
    for (int twice = 0; twice < 2; twice++) {
        json = twice;
        op = gadget_order(&g, "{\"download\":{\"activation_code\":\"1$DP.example.com$MATCH-1$$1\",\"confirmation_code\":\"4711\"}}");
        gadget_settle(&g);
        assert_int_equal(initiate(), 0);
        field_restart(&f);
        assert_int_equal(authenticate(), 0);
        assert_ok(digest_sha256(SLICE("4711"), digest, &e));
        assert_ok(digest_sha256_spans((const struct slice[]){ slice_of(digest, sizeof digest), slice_of(smdp.id, 16) }, 2, want, &e));
        assert_true(slice_eq(ok->hash_cc, slice_of(want, sizeof want)));
        assert_int_equal(get_bound(false), 0);
        install(SLICE("dp.example.com"), true);
        assert_int_equal(gadget_state(&g, op), OP_DONE);
        assert_ok(store_read_begin(f.store, &t, &e));
        assert_ok(store_terms_get(t, gadget_view(&g).device.association, op, &left, field_arena(&f), &e));
        store_read_end(t);
        assert_int_equal(left.association, 0);
    }
    (void)gadget_try(&g, "{\"download\":{\"activation_code\":\"1$DP.example.com$M$$1\"}}", E_RULE);
    (void)gadget_try(&g, "{\"download\":{\"activation_code\":\"1$DP.example.com$M\",\"confirmation_code\":\"\"}}", E_INVALID);
    (void)gadget_try(&g, "{\"download\":{\"confirmation_code\":\"4711\"}}", E_INVALID);
    f.set.indirect = false;
    eim_reload(f.eim, &f.set, NULL);
    assert_non_null(strstr(gadget_try(&g, "{\"download\":{\"default_smdp\":true,\"confirmation_code\":\"4711\"}}", E_RULE), "indirect_download"));
}

static void nothing_is_held_during_a_call(void **state)
{
    (void)state;
    smdp.poll_inside = true;
    assert_int_equal(initiate(), 0);               /* an order was made meanwhile: the device's row is another, the SM-DP+ was asked once */
    assert_int_equal(smdp.calls[0], 1);
    assert_false(smdp.poll_inside);
    assert_int_equal(authenticate(), 0);
}

static void an_smdp_that_is_busy_is_asked_later(void **state)
{
    (void)state;
    struct smdp_account s = { .name = SLICE("dp"), .address = SLICE("dp.example.com"), .connect_ms = 1000, .total_ms = 1000, .max_parallel = 1,
                              .enabled = true };
    assert_ok(manage_smdp_put(f.eim, &f.admin, 0, &s, field_arena(&f), &e));
    smdp.ask_inside = true;
    assert_int_equal(initiate(), 0);
    assert_false(smdp.ask_inside);
    assert_int_equal(authenticate(), 0);
    assert_int_equal(gadget_state(&g, op), OP_SENT);
}

static void an_account_decides_and_its_object_identifier_must_be_there(void **state)
{
    (void)state;
    struct smdp_account s = { .name = SLICE("dp"), .address = SLICE("dp.example.com"), .connect_ms = 1000, .total_ms = 1000, .max_parallel = 1,
                              .oid = SLICE("2.999.10"), .enabled = true };
    assert_ok(manage_smdp_put(f.eim, &f.admin, 0, &s, field_arena(&f), &e));
    assert_int_equal(initiate(), INITIATE_AUTHENTICATION_ERROR_SMDP_OID_MISMATCH);
    s.oid = (struct slice){ 0 };
    assert_ok(manage_smdp_put(f.eim, &f.admin, s.id, &s, field_arena(&f), &e));
    assert_int_equal(initiate(), 0);
    s.enabled = false;
    assert_ok(manage_smdp_put(f.eim, &f.admin, s.id, &s, field_arena(&f), &e));
    assert_int_equal(initiate(), INITIATE_AUTHENTICATION_ERROR_SMDP_ADDRESS_MISMATCH);
    assert_int_equal(authenticate(), AUTHENTICATE_CLIENT_ERROR_UNDEFINED_ERROR);
}

/* A package of 300 kB takes at most four times its size while under way: the SM-DP+'s reply and all that the exchange keeps. */
static void a_large_package_takes_little_memory(void **state)
{
    (void)state;
    json = false;
    smdp.segments = 300;
    arena_free(&f.last_memory);
    arena_init(&f.last_memory, 1 << 20);           /* what a request has in the real server */
    assert_int_equal(initiate(), 0);
    assert_int_equal(authenticate(), 0);
    assert_int_equal(get_bound(false), 0);
    assert_true(smdp.package.n > 300000);
    size_t all = smdp.room + f.last_memory.total;
    if (all > 4 * smdp.package.n) fail_msg("%zu octets for a package of %zu", all, smdp.package.n);
    smdp.segments = 700;                           /* more than may be: an error, and nothing else */
    assert_int_equal(get_bound(false), 127);
    assert_int_equal(gadget_state(&g, op), OP_SENT);
}

static int finish(void **state)
{
    json = false;
    return down(state);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, finish)
    const struct CMUnitTest tests[] = {
        T(a_profile_comes_through_the_eim), T(what_is_not_ours_is_refused), T(an_smdp_that_goes_wrong_costs_an_error_and_is_named),
        T(a_refusal_that_has_a_name_ends_the_order), T(a_cancelled_session_is_passed_on_and_fails_the_order),
        T(a_lost_answer_and_a_restart_at_each_step_change_nothing), T(a_session_expires_but_its_result_may_come_late),
        T(a_device_in_quarantine_downloads_nothing), T(a_confirmation_code_reaches_the_card_hashed),
        T(nothing_is_held_during_a_call), T(an_smdp_that_is_busy_is_asked_later),
        T(an_account_decides_and_its_object_identifier_must_be_there), T(a_large_package_takes_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
