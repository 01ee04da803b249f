/* test_der_use.c -- the DER engine in use: values built by hand, bytes passed on, tag lists, the registry, JSON in, and
 * memory that runs out. */
#include "test/unit/der_rig.h"

/* ---- what is built by hand, or passed on ---- */

static void a_package_built_by_hand_is_what_was_meant(void **state)
{
    (void)state;
    struct psmo ops[2] = { { .der.which = psmo_is_enable }, { .der.which = psmo_is_list_profile_info } };
    ops[0].enable.iccid = unhex(&a, "989444999999990920f3");
    der_set(&ops[0].enable, psmo_enable, rollback_flag);
    ops[1].list_profile_info.tag_list = SGP32_TAGLIST_PROFILE_INFO;
    der_set(&ops[1].list_profile_info, profile_info_list_request, tag_list);
    struct euicc_package_signed p = { .eim_id = SLICE("EIM"), .eid_value = unhex(&a, "89044045118427484800000000011628"),
                                      .counter_value = 128,
    .euicc_package = { .der.which = euicc_package_is_psmo_list } };
    p.euicc_package.psmo_list = (struct psmo_list){ ops, 2 };
    struct slice tbs = der_encode(&euicc_package_signed_type, &p, &a);
    assert_hex(tbs, "303f 800345494d 5a1089044045118427484800000000011628 81020080 a022 a30e5a0a989444999999990920f30500"
                    " bf2d0f5c0d5a4f9f709192959f7b9f269f67");
    struct euicc_package_request q = { .eim_signature = SLICE("\x01\x02") };
    der_verbatim_seq(&q.euicc_package_signed.der, tbs);
    struct slice der = der_encode(&euicc_package_request_type, &q, &a);
    const struct euicc_package_request *back = decode(&euicc_package_request_type, der);
    assert_same(back->euicc_package_signed.der.raw, tbs);
    assert_int_equal(back->euicc_package_signed.euicc_package.psmo_list.n, 2);
    p.eid_value.n = 15;
    assert_null(der_encode(&euicc_package_signed_type, &p, &a).p);
    p.eid_value.n = 16;
    p.eim_id.n = 0;
    assert_null(der_encode(&euicc_package_signed_type, &p, &a).p);
    p.eim_id = SLICE("EIM");
    p.counter_value = -1;
    assert_null(der_encode(&euicc_package_signed_type, &p, &a).p);
}

static void bytes_passed_on_stay_as_they_are(void **state)
{
    (void)state;
    struct slice bare = unhex(&a, "bf5109 bf5106 800165 840105");
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
    struct eim_package_result *r = &m.provide_eim_package_result.eim_package_result;
    r->der.which = eim_package_result_is_euicc_package_result;
    der_verbatim_choice(&r->euicc_package_result.der, bare);
    assert_hex(der_encode(&esipa_from_ipa_type, &m, &a), "bf500c bf5109 bf5106 800165 840105");
    der_verbatim_choice(&r->euicc_package_result.der, unhex(&a, "bf5202a000"));      /* not at its place */
    assert_null(der_encode(&esipa_from_ipa_type, &m, &a).p);
    der_verbatim_choice(&r->euicc_package_result.der, unhex(&a, "bf510300"));        /* not one TLV */
    assert_null(der_encode(&esipa_from_ipa_type, &m, &a).p);
    der_verbatim_choice(&r->der, unhex(&a,
                                       "bf5203a00100"));                         /* an untagged CHOICE: any of its tags */
    assert_hex(der_encode(&esipa_from_ipa_type, &m, &a), "bf5006 bf5203a00100");
    der_verbatim_choice(&r->der, unhex(&a, "bf5300"));
    assert_null(der_encode(&esipa_from_ipa_type, &m, &a).p);
    der_json(&esipa_from_ipa_type, &m, &text);
    buf_put(&text, SLICE("\0"));
    assert_string_equal((const char *)text.p, "{\"provideEimPackageResult\":{\"eimPackageResult\":null}}");
}

static void tag_lists_name_members(void **state)
{
    (void)state;
    uint64_t has;
    struct ipa_euicc_data named = { 0 };
    der_set(&named, ipa_euicc_data, default_smdp_address);
    der_set(&named, ipa_euicc_data, euicc_info1);
    der_set(&named, ipa_euicc_data, euicc_info2);
    der_set(&named, ipa_euicc_data, root_smds_address);
    der_set(&named, ipa_euicc_data, association_token);
    der_set(&named, ipa_euicc_data, eum_certificate);
    der_set(&named, ipa_euicc_data, euicc_certificate);
    der_set(&named, ipa_euicc_data, ipa_capabilities);
    der_set(&named, ipa_euicc_data, device_info);
    uint64_t data = named.der.has;
    assert_true(der_taglist(&ipa_euicc_data_type, SGP32_TAGLIST_EUICC_DATA, &has));
    assert_true(has == data);
    assert_true(der_taglist(&ipa_euicc_data_type, SGP32_TAGLIST_EUICC_DATA_ALL, &has));
    assert_true(has == (data | UINT64_C(1) << ipa_euicc_data_has_notifications_list |
                        UINT64_C(1) << ipa_euicc_data_has_euicc_package_result_list));
    assert_true(der_taglist(&ipa_euicc_data_type, SGP32_TAGLIST_EUICC_RESULTS, &has));
    assert_true(has == UINT64_C(1) << ipa_euicc_data_has_euicc_package_result_list);
    assert_true(der_taglist(&ipa_euicc_data_type, SGP32_TAGLIST_NOTIFICATIONS, &has));
    assert_true(has == UINT64_C(1) << ipa_euicc_data_has_notifications_list);
    assert_true(der_taglist(&profile_info_type, SGP32_TAGLIST_PROFILE_INFO, &has));
    assert_int_equal(__builtin_popcountll(has), 9);
    assert_true(has >> profile_info_has_fallback_allowed & 1 && has >> profile_info_has_isdp_aid & 1);
    assert_false(der_taglist(&ipa_euicc_data_type, SLICE("\x81\x5a"), &has));        /* incorrectTagList (spec 2.6) */
    assert_true(has == UINT64_C(1) << ipa_euicc_data_has_default_smdp_address);
    assert_false(der_taglist(&ipa_euicc_data_type, SLICE("\xbf"), &has));
    assert_true(der_taglist(&ipa_euicc_data_type, (struct slice){ 0 }, &has) && has == 0);
}

/* ---- the registry ---- */

static void every_type_is_found_by_its_name_alone(void **state)
{
    (void)state;
    size_t n = 0;
    for (; der_types[n]; n++) assert_ptr_equal(der_type_by_name(der_types[n]->name), der_types[n]);
    assert_in_range(n, 100, 256);                  /* the fuzz target chooses by one octet */
    assert_ptr_equal(der_type_by_name("SGP32-ProfileInfo"), &profile_info_type);
    assert_ptr_equal(der_type_by_name("EuiccPackageRequest"), &euicc_package_request_type);
    assert_null(der_type_by_name("Euicc"));
    assert_null(der_type_by_name(""));
}

static void every_table_is_sound(void **state)
{
    (void)state;
    for (size_t n = 0; der_types[n]; n++) {
        const struct der_type *t = der_types[n];
        assert_true(t->kind == DER_SEQ || t->kind == DER_CHOICE || t->kind == DER_LIST);
        assert_non_null(t->clause);
        for (uint32_t i = 0; i < t->nfields; i++) {
            const struct der_field *f = &t->fields[i];
            bool structured = f->kind == DER_SEQ || f->kind == DER_CHOICE || f->kind == DER_LIST;
            if (structured != (f->type != NULL) || (f->type && f->type->kind != f->kind)) fail_msg("%s.%s", t->name,
                                        f->name);
            if (f->lo > f->hi || f->off >= t->size) fail_msg("%s.%s", t->name, f->name);
            if (f->tag == UNTAGGED && f->kind != DER_CHOICE) fail_msg("%s.%s has no tag", t->name, f->name);
            for (uint32_t k = 0; t->kind == DER_CHOICE && k < i; k++)
                if (t->fields[k].tag == f->tag) fail_msg("%s.%s: its tag is taken", t->name, f->name);
        }
    }
}

static void a_message_is_recognised(void **state)
{
    (void)state;
    static const struct { const char *hex; const struct der_type *type; } cases[] = {
        { "bf4f125a1089044045118427484800000000011628", &esipa_from_ipa_type },
        { "bf4f03020101", &esipa_from_eim_type }, { "bf50023000", &esipa_from_eim_type }, { "bf5000",
                                        &esipa_from_eim_type },
        { "bf5005a003 02017f", &esipa_from_ipa_type }, { "bf5106 800165 840105", &euicc_package_result_type },
        { "bf5108 a206 800165 840105", &euicc_package_result_type }, { "bf5303 800114", &eim_acknowledgements_type },
        { "bf5703 810102", &add_initial_eim_response_type }, { "e303 950102", &profile_info_type },
        { "bf2d02a000", &profile_info_list_response_type }, { "a600", &psmo_type },
        { "bf58030101ff", &profile_rollback_request_type }, { "bf4f05 5a", &esipa_from_ipa_type },
        { "bf7f00", NULL }, { "", NULL }, { "bf", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct der_type *got = der_type_guess(unhex(&a, cases[i].hex));
        if (got != cases[i].type) fail_msg("%s is %s", cases[i].hex, got ? got->name : "nothing");
    }
}

/* ---- JSON in ---- */

static void json_is_refused_with_the_path_of_the_member(void **state)
{
    (void)state;
    static const struct { const struct der_type *type; const char *json, *field, *why; } cases[] = {
        { &kinds_type, "[]", "Kinds", "must be an object" },
        { &kinds_type, "{\"octets\":\"abc\"}", "octets", "must be a string of hex octets" },
        { &kinds_type, "{\"octets\":\"zz\"}", "octets", "must be a string of hex octets" },
        { &kinds_type, "{\"octets\":1}", "octets", "must be a string of hex octets" },
        { &kinds_type, "{\"text\":\"abcde\"}", "text", "5 characters, allowed are 0 to 4" },
        { &kinds_type, "{\"text\":5}", "text", "must be text without U+0000" },
        { &kinds_type, "{\"number\":1.5}", "number", "must be a whole number" },
        { &kinds_type, "{\"seven\":101}", "seven", "101 is out of bounds, allowed are 0 to 100" },
        { &kinds_type, "{\"flag\":1}", "flag", "must be true or false" },
        { &kinds_type, "{\"null\":true}", "null", "must be null" },
        { &kinds_type, "{\"bits\":\"80\"}", "bits", "must be {\"bits\": hex octets, \"count\": number}" },
        { &kinds_type, "{\"bits\":{\"bits\":\"80\",\"count\":9}}", "bits", "9 bits in 1 octets" },
        { &kinds_type, "{\"bits\":{\"bits\":\"8000\",\"count\":8}}", "bits", "8 bits in 2 octets" },
        { &kinds_type, "{\"bits\":{\"bits\":\"c0\",\"count\":1}}", "bits", "must be bits with the unused ones zero" },
        { &kinds_type, "{\"bits\":{\"bits\":\"\",\"count\":-1}}", "bits", "-1 bits in 0 octets" },
        { &kinds_type, "{\"cert\":\"3000\"}", "cert", "must be the DER of a certificate" },
        { &kinds_type, "{\"spki\":\"3000\"}", "spki", "must be the DER of a SubjectPublicKeyInfo" },
        { &kinds_type, "{\"cert\":\"300030\"}", "cert", "must be exactly one TLV" },
        { &kinds_type, "{\"numbers\":{}}", "numbers", "must be a list" },
        { &kinds_type, "{\"numbers\":[]}", "numbers", "0 elements, allowed are 1 to 3" },
        { &kinds_type, "{\"numbers\":[0,6]}", "numbers[1]", "6 is out of bounds, allowed are -5 to 5" },
        { &kinds_type, "{\"nosuch\":1,\"flag\":true}", "Kinds", "nosuch is no member of Kinds" },
        { &psmo_type, "{}", "Psmo", "Psmo wants exactly one alternative" },
        { &psmo_type, "{\"getRAT\":{},\"unsetFallbackAttribute\":{}}", "Psmo", "Psmo wants exactly one alternative" },
        { &psmo_type, "{\"enabel\":{}}", "Psmo", "enabel is no member of Psmo" },
        { &psmo_type, "{\"enable\":{}}", "enable.iccid", "iccid is missing" },
        { &psmo_type, "{\"getRAT\":{\"x\":1}}", "getRAT", "x is no member of SEQUENCE{}" },
        { &euicc_package_type, "{\"psmoList\":[{\"disable\":{\"iccid\":\"00\"}}]}", "psmoList[0].disable.iccid",
          "1 octets, allowed are 10 to 10" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = { 0 };
        json_t *j;
        void *v = arena_alloc(&a, cases[i].type->size);
        assert_ok(json_read(slice_str(cases[i].json), MEMORY, &j, &e));
        assert_refused(E_INVALID, der_from_json(cases[i].type, j, v, &a, &e));
        assert_string_equal(e.field, cases[i].field);
        assert_string_equal(e.why, cases[i].why);
        assert_false(e.has_at);
        json_decref(j);
    }
}

/* ---- memory ---- */

static void a_full_arena_is_a_clean_refusal_wherever_it_happens(void **state)
{
    (void)state;
    json_t *all = vectors_load("esipa.json");
    const json_t *one;
    size_t i, refusals = 0;
    json_array_foreach(all, i, one) {
        const struct der_type *t = der_type_by_name(vectors_text(one, "type"));
        struct slice der = vectors_hex(&a, one, "der");
        const void *good = decode(t, der);
        json_t *j;
        struct err e = { 0 };
        void *v = arena_alloc(&a, t->size);
        buf_reset(&text);
        der_json(t, good, &text);
        assert_ok(json_read(buf_slice(&text), MEMORY, &j, &e));
        for (long n = 1;; n++) {                   /* the Nth allocation fails, until there is no Nth */
            struct arena small;
            arena_init(&small, MEMORY);
            small.fail_at = n;
            e = (struct err){ 0 };
            enum eim_err rc = der_decode(t, der, v, &small, &e);
            assert_true(rc == OK || (rc == E_NOMEM && e.code == E_NOMEM && !e.has_at));
            arena_free(&small);
            if (rc == OK) break;
            refusals++;
        }
        for (long n = 1;; n++) {
            struct arena small;
            arena_init(&small, MEMORY);
            small.fail_at = n;
            e = (struct err){ 0 };
            enum eim_err rc = der_from_json(t, j, v, &small, &e);
            assert_true(rc == OK || (rc == E_NOMEM && e.code == E_NOMEM));
            arena_free(&small);
            if (rc == OK) break;
            refusals++;
        }
        struct arena small;
        arena_init(&small, MEMORY);
        small.fail_at = 1;
        assert_null(der_encode(t, good, &small).p);
        assert_same(der_encode(t, good, &small), der);
        arena_free(&small);
        json_decref(j);
        arena_reset(&a);
    }
    assert_in_range(refusals, 300, 100000);
    json_decref(all);
}

static void a_full_buffer_is_seen_after_printing(void **state)
{
    (void)state;
    struct buf tiny;
    buf_init(&tiny, 8);
    der_json(&kinds_type, kinds_of("3006 8001aa 820105"), &tiny);
    assert_true(tiny.failed);
    buf_free(&tiny);
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(der_name(enable_result_names, ENABLE_RESULT_ROLLBACK_NOT_AVAILABLE), "rollbackNotAvailable");
    assert_string_equal(der_name(state_change_cause_names, STATE_CHANGE_CAUSE_DEVICE_CHANGE), "deviceChange");
    assert_null(der_name(enable_result_names, 4));
}

/* One component is another, and the rest is what came, unknown TLVs and odd lengths too. */
static void one_component_is_replaced_octet_for_octet(void **state)
{
    (void)state;
    struct arena room;
    static const uint8_t good[] = { 0x30, 0x0c, 0x80, 0x01, 0x11, 0x9f, 0x50, 0x01, 0xaa, 0x5f, 0x49, 0x02, 0x04, 0x05 };
    static const uint8_t wanted[] = { 0x30, 0x0d, 0x80, 0x01, 0x11, 0x9f, 0x50, 0x01, 0xaa, 0x5f, 0x49, 0x03, 7, 8, 9 };
    uint8_t large[300];
    memset(large, 0x5a, sizeof large);
    arena_init(&room, 4096);
    assert_null(der_replace(&euicc_signed2_type, slice_of(good, sizeof good - 1), euicc_signed2_has_euicc_otpk, SLICE("x"), &room).p);   /* cut short */
    struct slice out = der_replace(&euicc_signed2_type, slice_of(good, sizeof good), euicc_signed2_has_euicc_otpk, SLICE("\x07\x08\x09"), &room);
    assert_true(slice_eq(out, slice_of(wanted, sizeof wanted)));
    out = der_replace(&euicc_signed2_type, slice_of(good, sizeof good), euicc_signed2_has_euicc_otpk, slice_of(large, sizeof large), &room);
    assert_int_equal(out.n, 4 + 3 + 4 + 2 + 3 + sizeof large);        /* both lengths grow to 82 xx xx */
    struct slice back = der_component(&euicc_signed2_type, out, euicc_signed2_has_euicc_otpk);
    assert_true(slice_eq(der_content(&euicc_signed2_type, euicc_signed2_has_euicc_otpk, back), slice_of(large, sizeof large)));
    assert_null(der_replace(&euicc_signed2_type, slice_of(good, sizeof good), euicc_signed2_has_hash_cc, SLICE("x"), &room).p);
    arena_free(&room);
    arena_init(&room, 16);
    assert_null(der_replace(&euicc_signed2_type, slice_of(good, sizeof good), euicc_signed2_has_euicc_otpk, slice_of(large, sizeof large), &room).p);
    arena_free(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_package_built_by_hand_is_what_was_meant),
        T(bytes_passed_on_stay_as_they_are),
        T(one_component_is_replaced_octet_for_octet),
        T(tag_lists_name_members),
        T(every_type_is_found_by_its_name_alone),
        T(every_table_is_sound),
        T(a_message_is_recognised),
        T(json_is_refused_with_the_path_of_the_member),
        T(a_full_arena_is_a_clean_refusal_wherever_it_happens),
        T(a_full_buffer_is_seen_after_printing),
        T(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
