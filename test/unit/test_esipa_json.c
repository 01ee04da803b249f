/* test_esipa_json.c -- the JSON binding: eimd's translation and the simulator's, written apart, judge each other over all vectors; then
 * what people wrote by hand; then the door. */
#include "test/unit/door_rig.h"

#include "asn1/sgp32.h"
#include "base/json.h"
#include "front/esipa_json.h"
#include "sim/json.h"
#include "test/lib/vectors.h"

static struct arena memory;

static struct arena *fresh(void)
{
    arena_free(&memory);
    arena_init(&memory, 8 << 20);
    return &memory;
}

static struct slice read_ok(const char *function, struct slice json, struct arena *a)
{
    struct err e = { 0 };
    struct slice message;
    const struct esipa_json_function *fn = esipa_json_function(function);
    assert_non_null(fn);
    assert_ok(esipa_json_read(fn, json, &message, a, &e));
    return message;
}

static void assert_same(const char *name, struct slice got, struct slice want)
{
    if (!slice_eq(got, want)) fail_msg("%s: %zu octets, want %zu", name, got.n, want.n);
}

/* ---- the two translations against each other ---- */

static void every_request_becomes_the_message_of_the_other_binding(void **state)
{
    (void)state;
    json_t *all = vectors_load("esipa.json"), *v;
    size_t i, n = 0;
    json_array_foreach(all, i, v) {
        if (strcmp(vectors_text(v, "type"), "EsipaMessageFromIpaToEim") != 0) continue;
        for (int whole = 0; whole < 2; whole++) {
            struct arena *a = fresh();
            struct slice der = vectors_hex(a, v, "der"), json;
            const char *function;
            assert_true(sim_json_request(der, whole, &function, &json, a));
            assert_same(vectors_text(v, "name"), read_ok(function, json, a), der);
        }
        n++;
    }
    assert_int_equal(n, 51);
    json_decref(all);
}

static const char *const functions[] = {                   /* by arm of EsipaMessageFromEimToIpa */
    [esipa_from_eim_is_initiate_authentication_response_esipa] = "initiateAuthentication",
    [esipa_from_eim_is_authenticate_client_response_esipa] = "authenticateClient",
    [esipa_from_eim_is_get_bound_profile_package_response_esipa] = "getBoundProfilePackage",
    [esipa_from_eim_is_cancel_session_response_esipa] = "cancelSession",
    [esipa_from_eim_is_get_eim_package_response] = "getEimPackage",
    [esipa_from_eim_is_provide_eim_package_result_response] = "provideEimPackageResult",
};

/* The signatures of an SM-DP+ for IPAs that take them bare: the same 64 octets without 5F37 40, and everything else as it was. */
static size_t bare_signatures(const char *function, struct slice der, struct slice usual, struct arena *a)
{
    static const char *const names[] = { "serverSignature1", "smdpSignature2" };
    struct slice text;
    struct err e = { 0 };
    size_t n = 0;
    assert_ok(esipa_json_write(esipa_json_function(function), der, true, &text, a, &e));
    json_t *one = json_loadb((const char *)usual.p, usual.n, 0, NULL), *other = json_loadb((const char *)text.p, text.n, 0, NULL);
    for (size_t i = 0; i < 2; i++) {
        json_t *was = json_object_get(one, names[i]), *is = json_object_get(other, names[i]);
        if (!was) continue;
        uint8_t whole[128], bare[128];
        assert_int_equal(slice_from_b64(json_slice(was), whole, sizeof whole), 67);
        assert_int_equal(slice_from_b64(json_slice(is), bare, sizeof bare), 64);
        assert_memory_equal(whole + 3, bare, 64);
        json_object_set(other, names[i], was);
        n++;
    }
    assert_true(json_equal(one, other));
    json_decref(one);
    json_decref(other);
    return n;
}

static void every_answer_carries_the_message_of_the_other_binding(void **state)
{
    (void)state;
    size_t signatures = 0;
    json_t *all = vectors_load("esipa.json"), *v;
    size_t i, n = 0;
    json_array_foreach(all, i, v) {
        if (strcmp(vectors_text(v, "type"), "EsipaMessageFromEimToIpa") != 0) continue;
        struct arena *a = fresh();
        struct err e = { 0 };
        struct slice der = vectors_hex(a, v, "der"), json, back;
        struct esipa_from_eim *m = ARENA_NEW(a, struct esipa_from_eim);
        assert_ok(der_decode(&esipa_from_eim_type, der, m, a, &e));
        const char *function = functions[m->der.which];
        if (m->der.which == esipa_from_eim_is_transfer_eim_package_request) continue;      /* never an answer */
        assert_ok(esipa_json_write(esipa_json_function(function), der, false, &json, a, &e));
        if (!sim_json_reply(function, json, &back, a)) fail_msg("%s: %.*s", vectors_text(v, "name"), (int)json.n, (const char *)json.p);
        assert_same(vectors_text(v, "name"), back, der);
        signatures += bare_signatures(function, der, json, a);
        for (size_t k = 1; k < sizeof functions / sizeof functions[0]; k++)
            if (functions[k] && functions[k] != function)
                assert_refused(E_INTERNAL, esipa_json_write(esipa_json_function(functions[k]), der, false, &json, a, &e));
        n++;
    }
    assert_int_equal(n, 55);
    assert_true(signatures >= 2);
    json_decref(all);
}

/* What the other binding takes although it is no standard form, this one takes in base64: the message is the same, unknown fields
 * around the result aside. */
static void tolerated_forms_are_tolerated_in_base64_too(void **state)
{
    (void)state;
    json_t *all = vectors_load("wire-forms.json"), *v;
    size_t i, n = 0;
    json_array_foreach(all, i, v) {
        struct arena *a = fresh();
        struct err e = { 0 };
        struct slice der = vectors_hex(a, v, "der"), json;
        const char *function, *expect = vectors_text(v, "expect");
        struct esipa_from_ipa *m = ARENA_NEW(a, struct esipa_from_ipa), *back = ARENA_NEW(a, struct esipa_from_ipa);
        if (!sim_json_request(der, false, &function, &json, a)) continue;     /* its reader is strict about lengths */
        bool good = der_decode(&esipa_from_ipa_type, der, m, a, &e) == OK;
        struct slice message;
        e = (struct err){ 0 };
        enum eim_err rc = esipa_json_read(esipa_json_function(function), json, &message, a, &e);
        if (!good && rc == OK && der_decode(&esipa_from_ipa_type, message, back, a, &e) == OK && strcmp(expect, "reject") == 0)
            continue;                                      /* what was wrong stood outside the members */
        if (good && rc != OK) fail_msg("%s: %s %s", vectors_text(v, "name"), e.field, e.why);
        if (!good) continue;
        assert_ok(der_decode(&esipa_from_ipa_type, message, back, a, &e));
        assert_int_equal(m->der.which, back->der.which);
        n++;
    }
    assert_true(n >= 10);
    json_decref(all);
}

/* ---- written by hand ---- */

#define EID32 "89044045118427484800000000011628"
/* 3 bytes of eimPackageResult that decode: A0{02 01 7F}, eimPackageResultResponseError undefinedError */
#define ERROR64 "oAMCAX8="

static void assert_message(const char *function, const char *json, const char *hex)
{
    struct arena *a = fresh();
    assert_same(json, read_ok(function, slice_str(json), a), unhex(a, hex));
}

static void values_are_written_as_the_specification_says(void **state)
{
    (void)state;
    assert_message("getEimPackage", "{\"eidValue\":\"" EID32 "\"}", "BF4F12 5A10 " EID32);
    assert_message("getEimPackage", "{\"eidValue\":\"" EID32 "\",\"notifyStateChange\":true,\"stateChangeCause\":5,\"rPLMN\":\"EvUQ\"}",
                   "BF4F1C 5A10 " EID32 " 8000 810105 820312F510");
    assert_message("getEimPackage", "{\"rPLMN\":\"ggMS9RA=\",\"stateChangeCause\":127,\"notifyStateChange\":false,\"eidValue\":\"" EID32 "\"}",
                   "BF4F1A 5A10 " EID32 " 81017F 820312F510");
    assert_message("getEimPackage", "{}", "BF4F00");                                       /* the eIM says missingEid */
    assert_message("getEimPackage", "{\"eidValue\":\"8904\"}", "BF4F02 5A00");              /* the eIM says invalidEid */
    assert_message("getEimPackage", "{\"eidValue\":\"8904404511842748480000000001162A\"}", "BF4F02 5A00");
    assert_message("getEimPackage", " {\"header\":{\"functionRequesterIdentifier\":\"x\",\"functionCallIdentifier\":\"y\"},\r\n\"new\":[1,{\"eidValue\":2}],"
                   "\"eidValue\":\"\\u0038" "9044045118427484800000000011628\"}", "BF4F12 5A10 " EID32);
    assert_message("provideEimPackageResult", "{\"eidValue\":\"" EID32 "\",\"eimPackageResult\":\"" ERROR64 "\"}", "BF5017 5A10 " EID32 " A00302017F");
    assert_message("provideEimPackageResult", "{\"eimPackageResult\":\"" ERROR64 "\"}", "BF5005 A00302017F");
    assert_message("provideEimPackageResult", "{\"eimPackageResult\":\"v1AFoAMCAX8=\"}", "BF5005 A00302017F");       /* whole, without an EID */
    assert_message("provideEimPackageResult", "{\"eidValue\":\"" EID32 "\",\"eimPackageResult\":\"v1AFoAMCAX8=\"}", "BF5017 5A10 " EID32 " A00302017F");
    assert_message("handleNotification", "{\"provideEimPackageResult\":\"v1AFoAMCAX8=\"}", "BF3D08 BF5005 A00302017F");
    assert_message("handleNotification", "{\"provideEimPackageResult\":\"" ERROR64 "\"}", "BF3D08 BF5005 A00302017F");
    assert_message("handleNotification", "{\"provideEimPackageResult\":{\"eidValue\":\"" EID32 "\",\"eimPackageResult\":\"" ERROR64 "\"}}",
                   "BF3D1A BF5017 5A10 " EID32 " A00302017F");
    assert_message("cancelSession", "{\"transactionId\":\"0A1b\",\"cancelSessionResponse\":\"v0EDgQEF\"}", "BF4109 80020A1B A103810105");
    assert_message("cancelSession", "{\"transactionId\":\"0A1B\",\"cancelSessionResponse\":\"oQOBAQU=\"}", "BF4109 80020A1B A103810105");
    assert_message("initiateAuthentication", "{\"euiccChallenge\":\"AAECAwQFBgcICQoLDA0ODw==\",\"smdpAddress\":\"a.b\",\"eimTransactionId\":\"FF\"}",
                   "BF391A 8110 000102030405060708090A0B0C0D0E0F 8303612E62 8201FF");
}

static void the_transaction_id_of_a_prepare_download_response_counts_when_none_is_named(void **state)
{
    (void)state;
    json_t *all = vectors_load("esipa.json"), *v;
    size_t i, n = 0, compact = 0;
    json_array_foreach(all, i, v) {
        struct arena *a = fresh();
        struct err e = { 0 };
        struct slice der = vectors_hex(a, v, "der"), json, message;
        const char *function;
        if (strcmp(vectors_text(v, "type"), "EsipaMessageFromIpaToEim") != 0 || !sim_json_request(der, false, &function, &json, a)
            || strcmp(function, "getBoundProfilePackage") != 0)
            continue;
        struct esipa_from_ipa *m = ARENA_NEW(a, struct esipa_from_ipa);
        assert_ok(der_decode(&esipa_from_ipa_type, der, m, a, &e));
        json_t *o;
        assert_ok(json_read(json, 1 << 20, &o, &e));
        assert_int_equal(json_object_del(o, "transactionId"), 0);
        char *text = json_dumps(o, JSON_COMPACT);
        json_decref(o);
        enum eim_err rc = esipa_json_read(esipa_json_function(function), slice_str(text), &message, a, &e);
        free(text);
        if (m->get_bound_profile_package_request_esipa.prepare_download_response.der.which == prepare_download_response_is_compact_download_response_ok) {
            assert_int_equal(rc, E_MALFORMED);
            assert_string_equal(e.field, "transactionId");
            compact++;
        } else {
            struct esipa_from_ipa *back = ARENA_NEW(a, struct esipa_from_ipa);
            assert_int_equal(rc, OK);
            assert_ok(der_decode(&esipa_from_ipa_type, message, back, a, &e));
            assert_same("response", back->get_bound_profile_package_request_esipa.prepare_download_response.der.raw,
                        m->get_bound_profile_package_request_esipa.prepare_download_response.der.raw);
            assert_same("id", back->get_bound_profile_package_request_esipa.transaction_id,
                        m->get_bound_profile_package_request_esipa.prepare_download_response.download_response_ok.euicc_signed2.transaction_id);
        }
        n++;
    }
    assert_int_equal(n, 2);
    assert_true(compact < n);
    json_decref(all);
}

static void hostile_json_is_refused_by_the_name_of_the_member(void **state)
{
    (void)state;
    static const struct { const char *function, *json, *field, *why; } cases[] = {
        { "getEimPackage", "", "", "line" }, { "getEimPackage", "{", "", "line" }, { "getEimPackage", "[]", "", "no JSON object" },
        { "getEimPackage", "\"x\"", "", "no JSON object" }, { "getEimPackage", "{}{}", "", "end of file" },
        { "getEimPackage", "{\"eidValue\":\"\xff\"}", "", "decode byte" }, { "getEimPackage", "{\"eidValue\":\"a\\u0000\"}", "", "0000" },
        { "getEimPackage", "{\"eidValue\":\"1\",\"eidValue\":\"2\"}", "", "eidValue" },
        { "getEimPackage", "{\"eidValue\":7}", "eidValue", "not a string" }, { "getEimPackage", "{\"eidValue\":null}", "eidValue", "not a string" },
        { "getEimPackage", "{\"notifyStateChange\":1}", "notifyStateChange", "true" },
        { "getEimPackage", "{\"notifyStateChange\":\"true\"}", "notifyStateChange", "true" },
        { "getEimPackage", "{\"stateChangeCause\":\"1\"}", "stateChangeCause", "integer" },
        { "getEimPackage", "{\"stateChangeCause\":1.0}", "stateChangeCause", "integer" },
        { "getEimPackage", "{\"stateChangeCause\":99999999999999999999}", "", "too big" },
        { "getEimPackage", "{\"rPLMN\":\"12F510\"}", "rPLMN", "base64" }, { "getEimPackage", "{\"rPLMN\":\"EvU=\"}", "rPLMN", "2 octets" },
        { "getEimPackage", "{\"rPLMN\":\"BAMS9RA=\"}", "rPLMN", "neither" }, { "getEimPackage", "{\"rPLMN\":\"\"}", "rPLMN", "empty" },
        { "provideEimPackageResult", "{}", "eimPackageResult", "missing" },
        { "provideEimPackageResult", "{\"eimPackageResult\":\"\"}", "eimPackageResult", "empty" },
        { "provideEimPackageResult", "{\"eimPackageResult\":\"oAMCAX8\"}", "eimPackageResult", "base64" },
        { "provideEimPackageResult", "{\"eimPackageResult\":\"oAMC AX8=\"}", "eimPackageResult", "base64" },
        { "provideEimPackageResult", "{\"eimPackageResult\":\"oAMCAX_=\"}", "eimPackageResult", "base64" },
        { "provideEimPackageResult", "{\"eimPackageResult\":\"oAQCAX8=\"}", "eimPackageResult", "past the end" },
        { "provideEimPackageResult", "{\"eimPackageResult\":\"v1ABoA==\"}", "eimPackageResult", "" },
        { "provideEimPackageResult", "{\"eimPackageResult\":\"BAEA\"}", "eimPackageResult", "" },
        { "provideEimPackageResult", "{\"eimPackageResult\":{}}", "eimPackageResult", "not a string" },
        { "handleNotification", "{}", "pendingNotification", "missing" },
        { "handleNotification", "{\"pendingNotification\":\"BAEA\"}", "pendingNotification", "" },
        { "handleNotification", "{\"provideEimPackageResult\":5}", "provideEimPackageResult", "not a string" },
        { "handleNotification", "{\"provideEimPackageResult\":{}}", "eimPackageResult", "missing" },
        { "initiateAuthentication", "{}", "euiccChallenge", "missing" },
        { "initiateAuthentication", "{\"euiccChallenge\":\"AAEC\"}", "euiccChallenge", "3 octets" },
        { "initiateAuthentication", "{\"euiccChallenge\":\"AAECAwQFBgcICQoLDA0ODw==\",\"euiccInfo1\":\"vyIA\"}", "euiccInfo1", "" },
        { "initiateAuthentication", "{\"euiccChallenge\":\"AAECAwQFBgcICQoLDA0ODw==\",\"eimTransactionId\":\"F\"}", "eimTransactionId", "hex" },
        { "initiateAuthentication", "{\"euiccChallenge\":\"AAECAwQFBgcICQoLDA0ODw==\",\"eimTransactionId\":\"\"}", "eimTransactionId", "hex" },
        { "initiateAuthentication", "{\"euiccChallenge\":\"AAECAwQFBgcICQoLDA0ODw==\",\"eimTransactionId\":\"0102030405060708090A0B0C0D0E0F1011\"}",
          "eimTransactionId", "hex" },
        { "authenticateClient", "{\"authenticateServerResponse\":\"vzgA\"}", "transactionId", "missing" },
        { "authenticateClient", "{\"transactionId\":\"00\"}", "authenticateServerResponse", "missing" },
        { "authenticateClient", "{\"transactionId\":\"00\",\"authenticateServerResponse\":\"vzgA\"}", "authenticateServerResponse", "" },
        { "getBoundProfilePackage", "{\"transactionId\":\"00\"}", "prepareDownloadResponse", "missing" },
        { "getBoundProfilePackage", "{\"prepareDownloadResponse\":\"vyEA\"}", "prepareDownloadResponse", "" },
        { "cancelSession", "{\"transactionId\":\"00\"}", "cancelSessionResponse", "missing" },
        { "cancelSession", "{\"cancelSessionResponse\":\"v0EDgQEF\"}", "transactionId", "missing" },
        { "cancelSession", "{\"transactionId\":\"00\",\"cancelSessionResponse\":\"v0IDgQEF\"}", "cancelSessionResponse", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = { 0 };
        struct slice message;
        enum eim_err rc = esipa_json_read(esipa_json_function(cases[i].function), slice_str(cases[i].json), &message, fresh(), &e);
        if (rc != E_MALFORMED || strcmp(e.field, cases[i].field) != 0 || !strstr(e.why, cases[i].why))
            fail_msg("%s %s: %s %s: %s", cases[i].function, cases[i].json, rc ? err_name(rc) : "OK", e.field, e.why);
    }
}

static void size_depth_and_number_of_values_have_ceilings(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct slice message;
    struct buf b;
    const struct esipa_json_function *get = esipa_json_function("getEimPackage");
    buf_init(&b, 1 << 20);
    buf_str(&b, "{\"x\":");
    for (int i = 0; i < 100; i++) buf_str(&b, "[");
    for (int i = 0; i < 100; i++) buf_str(&b, "]");
    buf_str(&b, "}");
    assert_refused(E_MALFORMED, esipa_json_read(get, buf_slice(&b), &message, fresh(), &e));
    buf_reset(&b);
    buf_str(&b, "{\"x\":[1");
    for (int i = 0; i < ESIPA_JSON_VALUES - 3; i++) buf_str(&b, ",1");
    size_t fits = b.n;
    buf_str(&b, "]}");
    assert_ok(esipa_json_read(get, buf_slice(&b), &message, fresh(), &e));
    b.n = fits;
    buf_str(&b, ",1]}");
    assert_refused(E_TOO_LARGE, esipa_json_read(get, buf_slice(&b), &message, fresh(), &e));
    buf_reset(&b);
    buf_str(&b, "{\"x\":\"");
    while (b.n <= ESIPA_JSON_MAX) buf_str(&b, "0123456789abcdef");
    buf_str(&b, "\"}");
    assert_refused(E_TOO_LARGE, esipa_json_read(get, buf_slice(&b), &message, fresh(), &e));
    buf_free(&b);
}

static void each_allocation_of_a_reading_may_fail(void **state)
{
    (void)state;
    static const char json[] = "{\"eidValue\":\"" EID32 "\",\"eimPackageResult\":\"v1AFoAMCAX8=\"}";
    struct err e = { 0 };
    struct slice message;
    long nth = 1;
    for (; nth < 50; nth++) {
        struct arena *a = fresh();
        a->fail_at = nth;
        e = (struct err){ 0 };
        enum eim_err rc = esipa_json_read(esipa_json_function("provideEimPackageResult"), SLICE(json), &message, a, &e);
        if (a->fail_at > 0) {
            assert_int_equal(rc, OK);
            break;
        }
        assert_int_equal(rc, E_NOMEM);
    }
    assert_true(nth > 1 && nth < 50);
}

static void assert_text(const char *function, const char *hex, const char *want)
{
    struct arena *a = fresh();
    struct err e = { 0 };
    struct slice text;
    assert_ok(esipa_json_write(esipa_json_function(function), unhex(a, hex), false, &text, a, &e));
    if (!slice_eq(text, slice_str(want))) fail_msg("%s: %.*s", hex, (int)text.n, (const char *)text.p);
}

#define DONE "{\"header\":{\"functionExecutionStatus\":{\"status\":\"Executed-Success\"}}"
#define FAILED(subject, reason, message) "{\"header\":{\"functionExecutionStatus\":{\"status\":\"Failed\",\"statusCodeData\":{\"subjectCode\":\"" subject \
    "\",\"reasonCode\":\"" reason "\",\"message\":\"" message "\"}}}"

static void answers_are_written_as_the_specification_says(void **state)
{
    (void)state;
    assert_text("getEimPackage", "BF4F03020101", DONE ",\"eimPackageError\":1}");
    assert_text("getEimPackage", "BF4F0302017F", DONE ",\"eimPackageError\":127}");
    assert_text("getEimPackage", "BF4F07 BF5404 82020A1B", DONE ",\"profileDownloadTriggerRequest\":\"v1QEggIKGw==\"}");
    assert_text("provideEimPackageResult", "BF50023000", DONE "}");
    assert_text("provideEimPackageResult", "BF5006 BF5303 800105", DONE ",\"eimAcknowledgements\":\"v1MDgAEF\"}");
    assert_text("provideEimPackageResult", "BF5003020102", FAILED("8.1.1", "3.9", "eidNotFound(2)") ",\"provideEimPackageResultError\":2}");
    assert_text("cancelSession", "BF4102A000", DONE "}");
    assert_text("cancelSession", "BF4103810101", FAILED("8.10.1", "3.9", "invalidTransactionId(1)") "}");
    assert_text("initiateAuthentication", "BF3903810101", FAILED("8.8.1", "3.8", "invalidDpAddress(1)") "}");
    assert_text("initiateAuthentication", "BF390381017F", FAILED("1.2", "4.2", "undefinedError(127)") "}");
    assert_text("initiateAuthentication", "BF3903810142", FAILED("1.2", "4.2", "error(66)") "}");
    assert_text("authenticateClient", "BF3B03820106", FAILED("8.2.6", "3.8", "matchingIdRefused(6)") "}");
    assert_text("getBoundProfilePackage", "BF3A03810106", FAILED("8.8.5", "4.10", "downloadOrderExpired(6)") "}");
}

/* ---- the door ---- */

static struct http_request good(const char *path, const char *json)
{
    return (struct http_request){ .method = "POST", .path = path, .query = "", .host = "eim.test:8443",
                                  .content_type = "application/json;charset=UTF-8", .body = slice_str(json), .peer = "192.0.2.1:5", .tls = true };
}

static int serve(struct http_request r)
{
    struct http_exchange x = { .req = r, .arena = &f.arena };
    arena_reset(&f.arena);
    f.replies = 0;
    assert_true(esipa_json_serves(r.path));
    esipa_json_handle(&f.door, &x);
    assert_int_equal(f.replies, 1);
    if (f.reply.body.n) assert_string_equal(f.reply.content_type, "application/json;charset=UTF-8");
    else assert_null(f.reply.content_type);
    return f.reply.status;
}

#define AT(function) "/gsma/rsp2/esipa/" function

static void assert_served(const char *path, const char *json, int status, const char *body)
{
    int got = serve(good(path, json));
    if (got != status || !slice_eq(f.reply.body, slice_str(body)))
        fail_msg("%s %s: %d %.*s", path, json, got, (int)f.reply.body.n, (const char *)f.reply.body.p);
}

static void every_function_has_its_answer(void **state)
{
    (void)state;
    assert_served(AT("getEimPackage"), "{\"eidValue\":\"" EID32 "\"}", 200, DONE ",\"eimPackageError\":2}");
    assert_served(AT("getEimPackage"), "{\"eidValue\":\"89\"}", 200, DONE ",\"eimPackageError\":3}");
    assert_served(AT("getEimPackage"), "{}", 200, DONE ",\"eimPackageError\":4}");
    assert_served(AT("provideEimPackageResult"), "{\"eidValue\":\"" EID32 "\",\"eimPackageResult\":\"" ERROR64 "\"}", 200,
                  FAILED("8.1.1", "3.9", "eidNotFound(2)") ",\"provideEimPackageResultError\":2}");
    assert_served(AT("provideEimPackageResult"), "{\"eidValue\":\"x\",\"eimPackageResult\":\"" ERROR64 "\"}", 200,
                  FAILED("8.1.1", "2.1", "invalidEid(3)") ",\"provideEimPackageResultError\":3}");
    assert_served(AT("provideEimPackageResult"), "{\"eimPackageResult\":\"" ERROR64 "\"}", 200,
                  FAILED("8.1.1", "2.2", "missingEid(4)") ",\"provideEimPackageResultError\":4}");
    assert_served(AT("handleNotification"), "{\"provideEimPackageResult\":\"" ERROR64 "\"}", 204, "");
    assert_served(AT("initiateAuthentication"), "{\"euiccChallenge\":\"AAECAwQFBgcICQoLDA0ODw==\"}", 200, FAILED("1.2", "4.2", "undefinedError(127)") "}");
    assert_served(AT("cancelSession"), "{\"transactionId\":\"0A\",\"cancelSessionResponse\":\"v0EDgQEF\"}", 200,
                  FAILED("1.2", "4.2", "undefinedError(127)") "}");
    assert_served(AT("transferEimPackage"), "{\"eimPackageReceived\":true}", 400,
                  FAILED("1.3.1", "2.1", "transferEimPackage is what an eIM sends to an IPA, not the other way") "}");
    assert_served(AT("getEimPackage"), "{\"eidValue\":1}", 400, FAILED("1.3.1", "2.1", "eidValue: not a string") "}");
    assert_int_equal(eim_counters(f.eim)->polls, 3);
}

static void the_relay_functions_answer_all_their_requests(void **state)
{
    (void)state;
    json_t *all = vectors_load("esipa.json"), *v;
    size_t i, n = 0;
    json_array_foreach(all, i, v) {
        struct arena *a = fresh();
        struct slice json;
        const char *function;
        if (strcmp(vectors_text(v, "type"), "EsipaMessageFromIpaToEim") != 0) continue;
        assert_true(sim_json_request(vectors_hex(a, v, "der"), false, &function, &json, a));
        int status = serve(good(arena_printf(a, AT("%s"), function), arena_str(a, json)));
        assert_int_equal(status, strcmp(function, "handleNotification") == 0 ? 204 : 200);
        n++;
    }
    assert_int_equal(n, 51);
    json_decref(all);
}

static void http_refuses_what_is_no_request_of_the_binding(void **state)
{
    (void)state;
    static const struct { const char *method, *path, *query, *type; int status; } cases[] = {
        { "POST", AT(""), "", NULL, 404 }, { "POST", AT("getEimPackage/"), "", NULL, 404 }, { "POST", AT("getEimpackage"), "", NULL, 404 },
        { "POST", AT("getEimPackage"), "x", NULL, 404 }, { "GET", AT("nothing"), "", NULL, 404 },
        { "GET", AT("getEimPackage"), "", NULL, 405 }, { "PUT", AT("handleNotification"), "", NULL, 405 },
        { "POST", AT("getEimPackage"), "", "application/x-gsma-rsp-asn1", 415 }, { "POST", AT("getEimPackage"), "", "text/json", 415 },
        { "POST", AT("getEimPackage"), "", "application/jsonx", 415 },
        { "POST", AT("getEimPackage"), "", NULL, 200 }, { "POST", AT("getEimPackage"), "", "application/json", 200 },
        { "POST", AT("getEimPackage"), "", "application/json; charset=utf-8", 200 },
        { "POST", AT("getEimPackage"), "", "Application/JSON;charset=\"UTF-8\"", 200 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request r = good(cases[i].path, "{\"eidValue\":\"" EID32 "\"}");
        r.method = cases[i].method;
        r.query = cases[i].query;
        r.content_type = cases[i].type;
        r.x_admin_protocol = "gsma/rsp/v1.3.0";
        if (serve(r) != cases[i].status) fail_msg("%s %s %s: %d", r.method, r.path, r.content_type ? r.content_type : "-", f.reply.status);
        assert_true((cases[i].status == 405) == (header("Allow") != NULL));
        assert_string_equal(header("X-Admin-Protocol"), "gsma/rsp/v1.3.0");
    }
    assert_int_equal(serve(good(AT("getEimPackage"), "")), 400);
    assert_false(esipa_json_serves("/gsma/rsp2/asn1"));
    assert_false(esipa_json_serves("/gsma/rsp2/esipa"));
}

static void a_full_queue_and_a_lost_store_are_503(void **state)
{
    (void)state;
    struct http_request r = good(AT("getEimPackage"), "{\"eidValue\":\"" EID32 "\"}");
    f.full = true;
    assert_int_equal(serve(r), 503);
    assert_string_equal(header("Retry-After"), "7");
    f.full = false;
    store_fail_at(f.host.store, 1);
    assert_int_equal(serve(r), 503);
    assert_string_equal(header("Retry-After"), "7");
    assert_int_equal(f.reply.body.n, 0);
    assert_int_equal(serve(r), 200);
}

static void a_full_arena_is_503(void **state)
{
    (void)state;
    long nth = 1;
    struct http_exchange x = { .req = good(AT("getEimPackage"), "{\"eidValue\":\"" EID32 "\"}"), .arena = &f.arena };
    for (; nth < 200; nth++) {
        arena_reset(&f.arena);
        f.replies = 0;
        f.arena.fail_at = nth;
        esipa_json_handle(&f.door, &x);
        assert_int_equal(f.replies, 1);
        if (f.arena.fail_at > 0) break;
        if (f.reply.status == 200) assert_true(slice_eq(f.reply.body, SLICE(DONE ",\"eimPackageError\":2}")));
        else assert_int_equal(f.reply.status, 503);
    }
    f.arena.fail_at = 0;
    assert_true(nth > 2 && nth < 200);
    assert_int_equal(f.reply.status, 200);
}

static int forget(void **state)
{
    (void)state;
    arena_free(&memory);
    return 0;
}

int main(void)
{
#define P(name) cmocka_unit_test_teardown(name, forget)
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        P(every_request_becomes_the_message_of_the_other_binding),
        P(every_answer_carries_the_message_of_the_other_binding),
        P(tolerated_forms_are_tolerated_in_base64_too),
        P(values_are_written_as_the_specification_says),
        P(the_transaction_id_of_a_prepare_download_response_counts_when_none_is_named),
        P(hostile_json_is_refused_by_the_name_of_the_member),
        P(size_depth_and_number_of_values_have_ceilings),
        P(each_allocation_of_a_reading_may_fail),
        P(answers_are_written_as_the_specification_says),
        T(every_function_has_its_answer),
        T(the_relay_functions_answer_all_their_requests),
        T(http_refuses_what_is_no_request_of_the_binding),
        T(a_full_queue_and_a_lost_store_are_503),
        T(a_full_arena_is_503),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&memory);
    return failed;
}
