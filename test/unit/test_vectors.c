/* test_vectors.c -- the DER engine against messages made by other tools: test/vectors/README.md says what each file
 * promises, and every entry of it is tried here. */
#include "test/lib/test.h"
#include "test/lib/vectors.h"

#include "asn1/es10b.h"

#include <stdlib.h>

enum { MEMORY = 4 << 20, TEXT = 1 << 20 };

struct fixture {
    struct arena a;
    struct buf text;
};

static int make(void **state)
{
    static struct fixture f;
    arena_init(&f.a, MEMORY);
    buf_init(&f.text, TEXT);
    *state = &f;
    return 0;
}

static int clean(void **state)
{
    struct fixture *f = *state;
    arena_free(&f->a);
    buf_free(&f->text);
    return 0;
}

static void *decode(struct fixture *f, const struct der_type *t, struct slice in)
{
    struct err e = { 0 };
    void *v = arena_alloc(&f->a, t->size);
    assert_non_null(v);
    assert_ok(der_decode(t, in, v, &f->a, &e));
    return v;
}

static json_t *print(struct fixture *f, const struct der_type *t, const void *v)
{
    struct err e = { 0 };
    json_t *j;
    buf_reset(&f->text);
    der_json(t, v, &f->text);
    assert_false(f->text.failed);
    assert_ok(json_read(buf_slice(&f->text), TEXT, &j, &e));
    return j;
}

static void assert_same(struct slice got, struct slice want)
{
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
}

/* assert_json_equal -- and where not, print the innermost members that differ. */
static bool json_same(const char *key, json_t *got, json_t *want)
{
    const char *name;
    json_t *member;
    size_t i;
    if (json_equal(got, want)) return true;
    if (json_is_object(got) && json_is_object(want)) {
        json_object_foreach(got, name, member) json_same(name, member, json_object_get(want, name));
        json_object_foreach(want, name, member) if (!json_object_get(got, name)) json_same(name, NULL, member);
    } else if (json_is_array(got) && json_array_size(got) == json_array_size(want)) {
        json_array_foreach(got, i, member) json_same(key, member, json_array_get(want, i));
    } else {
        char *a = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL, *b = want ? json_dumps(want, JSON_ENCODE_ANY) : NULL;
        print_error("%s: %.300s\n  instead of %.300s\n", key, a ? a : "nothing", b ? b : "nothing");
        free(a);
        free(b);
    }
    return false;
}

/* mend -- the vectors' one mistake, taken out of a value: three of them give deviceCapabilities a member that SGP.22
 * does not have under that name (it is eutranEpcSupportedRelease), and their DER holds an empty SEQUENCE there (A1 00).
 * Returns how many were found. */
static size_t mend(json_t *v)
{
    const char *key;
    json_t *member;
    size_t i, n = 0;
    if (json_is_array(v)) json_array_foreach(v, i, member) n += mend(member);
    if (json_is_object(v)) json_object_foreach(v, key, member) n += mend(member);
    return n + (json_is_object(v) && json_object_del(v, "eutranSupportedRelease") == 0);
}

static void every_esipa_message_decodes_to_its_value_and_encodes_back(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("esipa.json");
    const json_t *one;
    size_t i, mended = 0;
    assert_int_equal(json_array_size(all), 108);
    json_array_foreach(all, i, one) {
        struct err e = { 0 };
        print_message("# %s\n", vectors_text(one, "name"));
        const struct der_type *t = der_type_by_name(vectors_text(one, "type"));
        assert_non_null(t);
        struct slice der = vectors_hex(&f->a, one, "der");
        void *v = decode(f, t, der), *w = arena_alloc(&f->a, t->size);
        json_t *got = print(f, t, v), *want = vectors_member(one, "value");
        mended += mend(want);
        assert_true(json_same("value", got, want));
        assert_same(der_encode(t, v, &f->a), der);
        assert_ok(der_from_json(t, want, w, &f->a, &e));
        assert_same(der_encode(t, w, &f->a), der);
        json_decref(got);
        arena_reset(&f->a);
    }
    assert_int_equal(mended, 3);
    json_decref(all);
}

/* ---- wire-forms.json: what README.md calls the same meaning ---- */

/* normal_signature -- r||s for a signature in either form: the DER of two INTEGERs is short enough to unpack here. */
static json_t *normal_signature(struct fixture *f, const json_t *hex)
{
    struct slice s = unhex(&f->a, json_string_value(hex));
    uint8_t rs[64] = { 0 };
    if (s.n == 64 || s.n < 6 || s.p[0] != 0x30) return json_string(json_string_value(hex));
    const uint8_t *p = s.p + 2;
    for (size_t i = 0; i < 2; i++, p += 2 + p[1]) memcpy(rs + 32 * (i + 1) - p[1], p + 2, p[1]);
    char text[129];
    slice_hex((struct slice){ rs, 64 }, false, text);
    return json_string(text);
}

/* normal -- the value with signatures as r||s and empty lists of notifications left out, all the way down. */
static json_t *normal(struct fixture *f, json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_array(v)) {
        json_t *copy = json_array();
        json_array_foreach(v, i, member) json_array_append_new(copy, normal(f, member));
        return copy;
    }
    if (!json_is_object(v)) return json_deep_copy(v);
    json_t *copy = json_object();
    json_object_foreach(v, key, member) {
        if (strcmp(key, "notificationList") == 0 && json_array_size(member) == 0) continue;
        bool signature = strcmp(key, "euiccSignEPR") == 0 || strcmp(key, "euiccSignEPE") == 0;
        json_object_set_new(copy, key, signature ? normal_signature(f, member) : normal(f, member));
    }
    return copy;
}

/* meaning -- the EID if it is compared, and what the message says: the arm and its value, without the transport that
 * carried it (HandleNotification) and without the bundle (ePRAndNotifications) once its list is empty. */
static json_t *meaning(struct fixture *f, struct slice der, bool with_eid)
{
    json_t *raw = print(f, &esipa_from_ipa_type, decode(f, &esipa_from_ipa_type, der)), *v = normal(f, raw);
    json_decref(raw);
    json_t *carried = json_object_get(v, "handleNotificationEsipa");
    if (carried && json_object_get(carried, "provideEimPackageResult")) {
        json_t *inner = json_incref(carried);
        json_decref(v);
        v = inner;
    }
    json_t *provide = json_object_get(v, "provideEimPackageResult");
    json_t *result = json_object_get(provide, "eimPackageResult"), *both = json_object_get(result, "ePRAndNotifications");
    if (both && json_object_size(both) == 1) {
        json_object_set(result, "euiccPackageResult", json_object_get(both, "euiccPackageResult"));
        json_object_del(result, "ePRAndNotifications");
    }
    if (!with_eid) json_object_del(provide, "eidValue");
    return v;
}

static void tolerated_wire_forms_mean_the_same_as_the_standard_ones(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("wire-forms.json");
    const json_t *one;
    size_t i, tried = 0;
    json_array_foreach(all, i, one) {
        if (strcmp(vectors_text(one, "expect"), "accept")) continue;
        const char *name = vectors_text(one, "name");
        bool with_eid = strcmp(name, "epr/no-eid") != 0;       /* the EID that is missing there is not a matter of DER */
        print_message("# %s\n", name);
        json_t *got = meaning(f, vectors_hex(&f->a, one, "der"), with_eid);
        if (json_object_get(one, "same_meaning_as")) {
            json_t *want = meaning(f, vectors_hex(&f->a, one, "same_meaning_as"), with_eid);
            assert_true(json_same("value", got, want));
            json_decref(want);
        }
        json_decref(got);
        arena_reset(&f->a);
        tried++;
    }
    assert_int_equal(tried, 18);
    json_decref(all);
}

static const struct euicc_package_result_data_signed *result_of(struct fixture *f, const json_t *one)
{
    const struct esipa_from_ipa *m = decode(f, &esipa_from_ipa_type, vectors_hex(&f->a, one, "der"));
    assert_int_equal(m->der.which, esipa_from_ipa_is_provide_eim_package_result);
    const struct eim_package_result *r = &m->provide_eim_package_result.eim_package_result;
    assert_int_equal(r->der.which, eim_package_result_is_euicc_package_result);
    assert_int_equal(r->euicc_package_result.der.which, euicc_package_result_is_euicc_package_result_signed);
    return &r->euicc_package_result.euicc_package_result_signed.euicc_package_result_data_signed;
}

static const json_t *wire_form(const json_t *all, const char *name)
{
    const json_t *one;
    size_t i;
    json_array_foreach(all, i, one)
        if (strcmp(vectors_text(one, "name"), name) == 0) return one;
    fail_msg("no vector %s", name);
    return NULL;
}

static void unknown_and_bare_results_are_kept(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("wire-forms.json");
    const struct euicc_result *r = &result_of(f, wire_form(all, "epr/unknown-result-tag"))->euicc_result;
    assert_int_equal(r->n, 1);
    assert_int_equal(r->v[0].der.which, euicc_result_data_is_unknown);
    assert_same(r->v[0].unknown, SLICE("\x9f\x60\x01\x00"));
    r = &result_of(f, wire_form(all, "epr/bare-integer-result"))->euicc_result;
    assert_int_equal(r->n, 1);
    assert_int_equal(r->v[0].der.which, euicc_result_data_is_processing_terminated);
    assert_int_equal(r->v[0].processing_terminated, 1);
    json_decref(all);
}

static void signed_bytes_stay_as_they_came(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("wire-forms.json");
    const char *forms[] = { "epr/bare-choice", "epr/double-tag", "epr/unknown-inside", "epr/unknown-before-optional" };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct slice der = vectors_hex(&f->a, wire_form(all, forms[i]), "der");
        struct slice raw = result_of(f, wire_form(all, forms[i]))->der.raw;
        assert_int_equal(raw.p[0], 0x30);
        assert_int_equal(raw.p[1], raw.n - 2);
        assert_non_null(memmem(der.p, der.n, raw.p, raw.n));
    }
    json_decref(all);
}

/* What each malformed message is refused with: all that a person sees of it. */
#define BF50     "provideEimPackageResult.eimPackageResult."
#define EPR_DATA BF50 "euiccPackageResult.euiccPackageResultSigned.euiccPackageResultDataSigned."
static const struct {
    const char *name;
    enum eim_err code;
    const char *field;
    size_t at;
    const char *clause, *why;
} refusals[] = {
    { "repeated-component", E_MALFORMED, "getEimPackageRequest.eidValue", 21, "SGP.32 6.3.2.6",
      "eidValue comes twice or out of order" },
    { "out-of-order", E_MALFORMED, "provideEimPackageResult.eidValue", 112, "SGP.32 6.3.2.7",
      "eidValue comes twice or out of order" },
    { "indefinite-length", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 10.1",
      "indefinite length" },
    { "empty", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.1",
      "no bytes" },
    { "one-byte", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.2",
      "the tag runs past the end" },
    { "tag-only", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.3",
      "no length" },
    { "length-past-end", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.3",
      "the length runs past the end" },
    { "child-past-parent", E_MALFORMED, "getEimPackageRequest", 3, "X.690 8.1.3",
      "the length runs past the end" },
    { "length-4gib", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.3",
      "the length runs past the end" },
    { "length-16-octets", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.3",
      "length of more than four significant octets" },
    { "length-of-length-7f", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.3.5",
      "reserved length octet FF" },
    { "indefinite-unterminated", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 10.1",
      "indefinite length" },
    { "trailing-bytes", E_MALFORMED, "EsipaMessageFromIpaToEim", 21, "X.690 8.1.1",
      "2 octets behind the message" },
    { "unknown-message", E_UNKNOWN_TYPE, "EsipaMessageFromIpaToEim", 0, "SGP.32 6.3.1",
      "tag BF7F is no EsipaMessageFromIpaToEim" },
    { "universal-sequence", E_UNKNOWN_TYPE, "EsipaMessageFromIpaToEim", 0, "SGP.32 6.3.1",
      "tag 30 is no EsipaMessageFromIpaToEim" },
    { "negative-long-form-tag", E_MALFORMED, "EsipaMessageFromIpaToEim", 0, "X.690 8.1.2.4",
      "tag number above 28 bits, or not in its shortest form" },
    { "deep-nesting", E_MALFORMED, EPR_DATA "eimId", 28, "SGP.32 2.11.2.1",
      "eimId is missing" },
    { "many-empty-children", E_MALFORMED, BF50 "ePRAndNotifications.notificationList", 136, "SGP.32 2.11.2",
      "20000 elements, at most 256" },
    { "eim-id-129", E_MALFORMED, EPR_DATA "eimId", 32, "SGP.32 2.11.2.1",
      "129 characters, at most 128" },
    { "transaction-id-17", E_MALFORMED, BF50 "ipaEuiccDataResponse.ipaEuiccData.eimTransactionId", 26, "SGP.32 2.11.2.2",
      "17 octets, at most 16" },
    { "counter-9-octets", E_MALFORMED, EPR_DATA "counterValue", 33, "SGP.32 2.11.2.1",
      "INTEGER of 9 octets, at most 8" },
    { "empty-integer", E_MALFORMED, EPR_DATA "counterValue", 33, "X.690 8.3.1",
      "INTEGER without content" },
    { "invalid-utf8-eim-id", E_MALFORMED, EPR_DATA "eimId", 28, "RFC 3629 3",
      "text that is not UTF-8, or holds U+0000" },
};

static void malformed_messages_are_refused_with_field_offset_and_reason(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("wire-forms.json");
    const json_t *one;
    size_t i, tried = 0;
    json_array_foreach(all, i, one) {
        if (strcmp(vectors_text(one, "expect"), "reject")) continue;
        struct err e = { 0 };
        struct esipa_from_ipa m;
        const char *name = vectors_text(one, "name");
        enum eim_err rc = der_decode(&esipa_from_ipa_type, vectors_hex(&f->a, one, "der"), &m, &f->a, &e);
        size_t k = 0, n = sizeof refusals / sizeof refusals[0];
        while (k < n && strcmp(refusals[k].name, name)) k++;
        print_message("# %s: %s %s at %zu: %s\n", name, err_name(rc), e.field, e.at, e.why);
        tried++;
        assert_in_range(k, 0, n - 1);
        assert_int_equal(rc, refusals[k].code);
        assert_int_equal(e.code, rc);
        assert_string_equal(e.field, refusals[k].field);
        assert_true(e.has_at);
        assert_int_equal(e.at, refusals[k].at);
        assert_string_equal(e.clause, refusals[k].clause);
        assert_string_equal(e.why, refusals[k].why);
        arena_reset(&f->a);
    }
    assert_int_equal(tried, sizeof refusals / sizeof refusals[0]);
    json_decref(all);
}

static void an_eid_that_is_missing_or_of_a_wrong_length_can_be_answered(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("wire-forms.json");
    static const struct { const char *name; bool there; size_t n; int64_t error; } cases[] = {
        { "missing-eid", false, 0, GET_EIM_PACKAGE_ERROR_MISSING_EID },
        { "short-eid", true, 15, GET_EIM_PACKAGE_ERROR_INVALID_EID },
        { "long-eid", true, 17, GET_EIM_PACKAGE_ERROR_INVALID_EID },
    };
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = wire_form(all, cases[i].name);
        const struct esipa_from_ipa *m = decode(f, &esipa_from_ipa_type, vectors_hex(&f->a, one, "der"));
        assert_int_equal(m->der.which, esipa_from_ipa_is_get_eim_package_request);
        assert_int_equal(der_has(&m->get_eim_package_request, get_eim_package_request, eid_value), cases[i].there);
        assert_int_equal(m->get_eim_package_request.eid_value.n, cases[i].n);
        struct esipa_from_eim answer = { .der.which = esipa_from_eim_is_get_eim_package_response };
        answer.get_eim_package_response.der.which = get_eim_package_response_is_eim_package_error;
        answer.get_eim_package_response.eim_package_error = cases[i].error;
        assert_same(der_encode(&esipa_from_eim_type, &answer, &f->a), vectors_hex(&f->a, one, "answer"));
    }
    json_decref(all);
}

/* assert_tbs -- the raw span with the token behind it is what the other side signed. */
static void assert_tbs(struct fixture *f, struct slice raw, const json_t *token, struct slice want)
{
    uint8_t mem[12];
    struct slice tail = sgp32_token_tlv(json_integer_value(token), mem);
    uint8_t *tbs = arena_alloc(&f->a, raw.n + tail.n);
    memcpy(tbs, raw.p, raw.n);
    memcpy(tbs + raw.n, tail.p, tail.n);
    assert_same((struct slice){ tbs, raw.n + tail.n }, want);
}

static void the_signed_spans_are_those_that_were_signed(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("esep.json");
    const json_t *one;
    size_t i, tried = 0;
    json_array_foreach(all, i, one) {
        if (!json_object_get(one, "request")) continue;
        struct slice in = vectors_hex(&f->a, one, "request"), out = vectors_hex(&f->a, one, "result");
        struct slice error = vectors_hex(&f->a, one, "error_result");
        const struct euicc_package_request *q = decode(f, &euicc_package_request_type, in);
        const struct euicc_package_result *r = decode(f, &euicc_package_result_type, out);
        const struct euicc_package_result *x = decode(f, &euicc_package_result_type, error);
        assert_same(der_encode(&euicc_package_request_type, q, &f->a), in);
        assert_same(der_encode(&euicc_package_result_type, r, &f->a), out);
        assert_same(der_encode(&euicc_package_result_type, x, &f->a), error);
        assert_int_equal(x->der.which, euicc_package_result_is_euicc_package_error_signed);
        if (strcmp(vectors_text(one, "expect"), "accept")) continue;
        const json_t *token = json_object_get(one, "association_token");
        assert_tbs(f, q->euicc_package_signed.der.raw, token, vectors_hex(&f->a, one, "request_tbs"));
        assert_tbs(f, r->euicc_package_result_signed.euicc_package_result_data_signed.der.raw, token,
                   vectors_hex(&f->a, one, "result_tbs"));
        tried++;
    }
    assert_int_equal(tried, 12);
    json_decref(all);
}

static void a_real_cards_bytes_come_back(void **state)
{
    struct fixture *f = *state;
    json_t *all = vectors_load("real-card.json");
    const json_t *one = json_array_get(all, 0);
    struct slice in = vectors_hex(&f->a, one, "request"), out = vectors_hex(&f->a, one, "result");
    const struct euicc_package_request *q = decode(f, &euicc_package_request_type, in);
    const struct euicc_package_result *r = decode(f, &euicc_package_result_type, out);
    const struct euicc_package_result_data_signed *d = &r->euicc_package_result_signed.euicc_package_result_data_signed;
    assert_int_equal(q->euicc_package_signed.counter_value, 0x3ee);
    assert_int_equal(q->euicc_package_signed.euicc_package.psmo_list.v[0].der.which, psmo_is_enable);
    assert_int_equal(d->counter_value, 0x3ee);
    assert_int_equal(d->seq_number, 0x14);
    assert_int_equal(d->euicc_result.v[0].enable_result, ENABLE_RESULT_ICCID_OR_AID_NOT_FOUND);
    assert_same(der_encode(&euicc_package_request_type, q, &f->a), in);
    assert_same(der_encode(&euicc_package_result_type, r, &f->a), out);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_esipa_message_decodes_to_its_value_and_encodes_back, make, clean),
        cmocka_unit_test_setup_teardown(tolerated_wire_forms_mean_the_same_as_the_standard_ones, make, clean),
        cmocka_unit_test_setup_teardown(unknown_and_bare_results_are_kept, make, clean),
        cmocka_unit_test_setup_teardown(signed_bytes_stay_as_they_came, make, clean),
        cmocka_unit_test_setup_teardown(malformed_messages_are_refused_with_field_offset_and_reason, make, clean),
        cmocka_unit_test_setup_teardown(an_eid_that_is_missing_or_of_a_wrong_length_can_be_answered, make, clean),
        cmocka_unit_test_setup_teardown(the_signed_spans_are_those_that_were_signed, make, clean),
        cmocka_unit_test_setup_teardown(a_real_cards_bytes_come_back, make, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
