/* test_der.c -- the DER engine at its edges: lengths, tags, numbers, depth, every kind of content, structure and the
 * tolerated forms, with the words of every refusal. How it is used is in test_der_use.c, real messages in
 * test_vectors.c, worked bytes in test_worked.c. */
#include "test/unit/der_rig.h"

/* ---- lengths, numbers, depth ---- */

/* head -- what a standard header is, worked out apart from the engine. */
static size_t head(uint8_t *p, uint8_t tag, size_t n)
{
    size_t octets = n < 128 ? 0 : n < 256 ? 1 : n < 65536 ? 2 : 3;
    p[0] = tag;
    p[1] = (uint8_t)(octets ? 0x80 | octets : n);
    for (size_t i = 0; i < octets; i++) p[2 + i] = (uint8_t)(n >> 8 * (octets - 1 - i));
    return 2 + octets;
}

static void lengths_take_the_fewest_octets(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 123, 124, 125, 126, 127, 128, 129, 252, 253, 254, 255, 256, 257, 1018,
                                      1019, 1020,
                                      1021, 1022, 65530, 65531, 65532, 65534, 65535, 65536, 65537, 100000 };
    uint8_t *octets = arena_alloc(&a, 100000);
    memset(octets, 0x5a, 100000);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t inner[8], want[8];
        struct kinds v = { .octets = { octets, lengths[i] } };
        der_set(&v, kinds, octets);
        size_t n = head(inner, 0x80, lengths[i]), m = head(want, 0x30, n + lengths[i]);
        struct slice der = der_encode(&kinds_type, &v, &a);
        assert_int_equal(der.n, m + n + lengths[i]);
        assert_memory_equal(der.p, want, m);
        assert_memory_equal(der.p + m, inner, n);
        const struct kinds *back = decode(&kinds_type, der);
        assert_same(back->octets, v.octets);
        assert_same(back->der.raw, der);
    }
    struct kinds v = { .octets = { octets, 100001 } };
    der_set(&v, kinds, octets);
    assert_null(der_encode(&kinds_type, &v, &a).p);
}

static void lengths_in_long_form_are_taken_and_written_short(void **state)
{
    (void)state;
    reads_as(&kinds_type, "30 81 03 80 01 aa", "{\"octets\":\"aa\"}", "3003 8001aa");
    reads_as(&kinds_type, "30 84 00000003 80 01 aa", "{\"octets\":\"aa\"}", "3003 8001aa");
    reads_as(&kinds_type, "30 84 0000000b 80 88 0000000000000001 aa", "{\"octets\":\"aa\"}", "3003 8001aa");
    refused(&kinds_type, "30 85 0100000000 80", E_MALFORMED, "Kinds", 0, "X.690 8.1.3",
            "length of more than four significant octets");
    refused(&kinds_type, "30 84 00 00 00", E_MALFORMED, "Kinds", 0, "X.690 8.1.3", "the length octets run past the end");
    refused(&kinds_type, "3004 80 03 aa bb", E_MALFORMED, "Kinds", 2, "X.690 8.1.3", "the length runs past the end");
    refused(&kinds_type, "3002 80 80", E_MALFORMED, "Kinds", 2, "X.690 10.1", "indefinite length");
    refused(&kinds_type, "3001 80", E_MALFORMED, "Kinds", 2, "X.690 8.1.3", "no length");
}

static void tags_are_bounded_and_minimal(void **state)
{
    (void)state;
    reads_as(&kinds_type, "3007 9fffffff7f 01 05", "{\"high\":5}", NULL);
    reads_as(&kinds_type, "300c 9e0101 9f1f0102 9f81000103", "{\"low\":1,\"edge\":2,\"two\":3}", NULL);
    refused(&kinds_type, "3006 9f808100 01 03", E_MALFORMED, "Kinds", 2, "X.690 8.1.2.4",
            "tag number above 28 bits, or not in its shortest form");
    refused(&kinds_type, "3008 9f81808080 00 01 05", E_MALFORMED, "Kinds", 2, "X.690 8.1.2.4",
            "tag number above 28 bits, or not in its shortest form");
    refused(&kinds_type, "3004 9f05 01 05", E_MALFORMED, "Kinds", 2, "X.690 8.1.2.4",
            "tag number above 28 bits, or not in its shortest form");
    refused(&kinds_type, "3002 9fff", E_MALFORMED, "Kinds", 2, "X.690 8.1.2", "the tag runs past the end");
}

static void numbers_take_the_fewest_octets(void **state)
{
    (void)state;
    static const struct { int64_t v; const char *hex; } cases[] = {
        { 0, "00" }, { 1, "01" }, { 127, "7f" }, { 128, "0080" }, { 255, "00ff" }, { 256, "0100" }, { 32767, "7fff" },
        { 32768, "008000" }, { 8388607, "7fffff" }, { 8388608, "00800000" }, { -1, "ff" }, { -128, "80" }, { -129,
                                        "ff7f" },
        { -32768, "8000" }, { -32769, "ff7fff" }, { INT64_MAX, "7fffffffffffffff" }, { INT64_MIN, "8000000000000000" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kinds v = { .number = cases[i].v };
        der_set(&v, kinds, number);
        char want[64];
        size_t n = strlen(cases[i].hex) / 2;
        snprintf(want, sizeof want, "30%02x82%02x%s", (unsigned)n + 2, (unsigned)n, cases[i].hex);
        assert_hex(der_encode(&kinds_type, &v, &a), want);
        assert_true(kinds_of(want)->number == cases[i].v);
        uint8_t mem[12];
        snprintf(want, sizeof want, "84%02x%s", (unsigned)n, cases[i].hex);
        assert_hex(sgp32_token_tlv(cases[i].v, mem), want);
    }
    reads_as(&kinds_type, "3006 82 04 0000007f", "{\"number\":127}", "3003 82017f");
    refused(&kinds_type, "3002 8200", E_MALFORMED, "number", 2, "X.690 8.3.1", "INTEGER without content");
    refused(&kinds_type, "300b 8209 000000000000000001", E_MALFORMED, "number", 2, "test 2",
            "INTEGER of 9 octets, at most 8");
    refused(&kinds_type, "3003 8c0165", E_MALFORMED, "seven", 2, "test 2", "INTEGER 101, allowed are 0 to 100");
    refused(&kinds_type, "3003 8c01ff", E_MALFORMED, "seven", 2, "test 2", "INTEGER -1, allowed are 0 to 100");
}

static struct slice nested(int levels)
{
    uint8_t *p = arena_alloc(&a, 400);
    size_t at = 400, inside = 0;
    for (int i = 0; i < levels; i++) {             /* from the inside out: SEQUENCE, [0], SEQUENCE, [0], ... */
        bool list = (levels - i) % 2 == 0;
        p[--at] = (uint8_t)inside;
        p[--at] = list ? 0xa0 : 0x30;
        inside += 2;
    }
    return (struct slice){ p + at, 400 - at };
}

static void sixteen_levels_are_taken_and_seventeen_refused(void **state)
{
    (void)state;
    struct err e;
    struct node n;
    struct slice deep = nested(16);
    const struct node *v = decode(&node_type, deep);
    assert_same(der_encode(&node_type, v, &a), deep);
    assert_refused(E_MALFORMED, der_decode(&node_type, nested(17), &n, &a, &e));
    assert_string_equal(e.why, "nested deeper than 16");
    assert_string_equal(e.clause, "X.690 8.1");
    assert_int_equal(e.at, 32);
    assert_string_equal(e.field,
                        "children[0].children[0].children[0].children[0].children[0].children[0].children[0].children[0]");
    struct node self = { .children = { &self, 1 } };
    der_set(&self, node, children);
    assert_null(der_encode(&node_type, &self, &a).p);       /* a value that holds itself does not end the stack */
}

static void a_path_too_long_for_the_error_keeps_its_end(void **state)
{
    (void)state;
    refused(&esipa_from_ipa_type, "bf5021301fbf5105a203800165a015a013a00d800101020105a205a0034f01115f370101", E_MALFORMED,
            "...eimPackageResult.ePRAndNotifications.notificationList[0].compactProfileInstallationResult."
            "compactProfileInstallationResultData.compactFinalResult.compactSuccessResult.compactAid",
            29, "SGP.32 2.11.2", "1 octets, at least 2");
}

/* ---- contents ---- */

static void text_is_utf8_and_counted_in_characters(void **state)
{
    (void)state;
    static const char *const bad[] = { "80", "c3", "c328", "c080", "c1bf", "e08080", "e09fbf", "eda080", "edbfbf",
                                       "f0808080",
                                       "f08fbfbf", "f4908080", "f5808080", "ff", "6180", "e282", "f09f98", "00",
    "610062" };
    reads_as(&kinds_type, "3012 8110 f09f9880f48fbfbff0908080f1808080",
             "{\"text\":\"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xf1\x80\x80\x80\"}", NULL);
    reads_as(&kinds_type, "300e 810c ed9fbfee8080efbfbfe0a080",
             "{\"text\":\"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xe0\xa0\x80\"}", NULL);
    reads_as(&kinds_type, "3006 8104 225c0a1f", "{\"text\":\"\\u0022\\u005c\\u000a\\u001f\"}", NULL);
    reads_as(&kinds_type, "3006 8104 7fc28041", "{\"text\":\"\x7f\xc2\x80" "A\"}", NULL);
    refused(&kinds_type, "3007 8105 6162636465", E_MALFORMED, "text", 2, "test 2", "5 characters, at most 4");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char hex[64];
        size_t n = strlen(bad[i]) / 2;
        snprintf(hex, sizeof hex, "30%02x81%02x%s", (unsigned)n + 2, (unsigned)n, bad[i]);
        refused(&kinds_type, hex, E_MALFORMED, "text", 2, "RFC 3629 3", "text that is not UTF-8, or holds U+0000");
        struct kinds v = { .text = unhex(&a, bad[i]) };
        der_set(&v, kinds, text);
        assert_null(der_encode(&kinds_type, &v, &a).p);
    }
}

static void booleans_and_nulls(void **state)
{
    (void)state;
    reads_as(&kinds_type, "3003 8301ff", "{\"flag\":true}", NULL);
    reads_as(&kinds_type, "3003 830101", "{\"flag\":true}", "3003 8301ff");
    reads_as(&kinds_type, "3003 830100", "{\"flag\":false}", NULL);
    reads_as(&kinds_type, "3002 8400", "{\"null\":null}", NULL);
    refused(&kinds_type, "3002 8300", E_MALFORMED, "flag", 2, "X.690 8.2.1", "BOOLEAN of 0 octets");
    refused(&kinds_type, "3004 8302ffff", E_MALFORMED, "flag", 2, "X.690 8.2.1", "BOOLEAN of 2 octets");
    refused(&kinds_type, "3003 840100", E_MALFORMED, "null", 2, "X.690 8.8.2", "NULL with content");
}

static void bit_strings_lose_trailing_zeros_unless_plain(void **state)
{
    (void)state;
    const char *wrong = "BIT STRING without or with a wrong number of unused bits";
    reads_as(&kinds_type, "3004 85020780", "{\"bits\":{\"bits\":\"80\",\"count\":1}}", NULL);
    reads_as(&kinds_type, "3004 85020080", "{\"bits\":{\"bits\":\"80\",\"count\":1}}", "3004 85020780");
    reads_as(&kinds_type, "3006 850400400000", "{\"bits\":{\"bits\":\"40\",\"count\":2}}", "3004 85020640");
    reads_as(&kinds_type, "3005 8503000001", "{\"bits\":{\"bits\":\"0001\",\"count\":16}}", NULL);
    reads_as(&kinds_type, "3003 850100", "{\"bits\":{\"bits\":\"\",\"count\":0}}", NULL);
    reads_as(&kinds_type, "3004 85020000", "{\"bits\":{\"bits\":\"\",\"count\":0}}", "3003 850100");
    reads_as(&kinds_type, "3004 850204ff", "{\"bits\":{\"bits\":\"f0\",\"count\":4}}", "3004 850204f0");
    reads_as(&kinds_type, "3004 86020000", "{\"plain\":{\"bits\":\"00\",\"count\":8}}", NULL);
    reads_as(&kinds_type, "3005 8603038000", "{\"plain\":{\"bits\":\"8000\",\"count\":13}}", NULL);
    reads_as(&kinds_type, "3005 8603038007", "{\"plain\":{\"bits\":\"8000\",\"count\":13}}", "3005 8603038000");
    refused(&kinds_type, "3002 8500", E_MALFORMED, "bits", 2, "X.690 8.6.2", wrong);
    refused(&kinds_type, "3003 850101", E_MALFORMED, "bits", 2, "X.690 8.6.2", wrong);
    refused(&kinds_type, "3004 85020880", E_MALFORMED, "bits", 2, "X.690 8.6.2", wrong);
    refused(&kinds_type, "3008 8506000000000080", E_MALFORMED, "bits", 2, "test 2", "5 octets of bits, at most 4");
    uint8_t mem[4];
    struct der_bits b = der_bits_from(1u << 0 | 1u << 9, mem);
    assert_int_equal(b.count, 10);
    assert_hex(b.bits, "8040");
    assert_true(der_bit(&b, 0) && der_bit(&b, 9) && !der_bit(&b, 1) && !der_bit(&b, 10) && !der_bit(&b, 4000));
    assert_int_equal(der_bits_mask(&b), 1u << 0 | 1u << 9);
    b = der_bits_from(0, mem);
    assert_int_equal(b.count, 0);
    assert_int_equal(der_bits_mask(&b), 0);
}

static void one_octet_per_bit_is_understood_where_it_occurs(void **state)
{
    (void)state;
    reads_as(&kinds_type, "3007 8705 00 01000001", "{\"lax\":{\"bits\":\"90\",\"count\":4}}", "3004 87020490");
    reads_as(&kinds_type, "3005 8703 00 0001", "{\"lax\":{\"bits\":\"40\",\"count\":2}}", "3004 87020640");
    reads_as(&kinds_type, "3004 8702 07 80", "{\"lax\":{\"bits\":\"80\",\"count\":1}}", NULL);
    reads_as(&kinds_type, "3004 8702 02 24", "{\"lax\":{\"bits\":\"24\",\"count\":6}}", NULL);
    reads_as(&kinds_type, "3005 8703 00 0000", "{\"lax\":{\"bits\":\"\",\"count\":0}}", "3003 870100");
    reads_as(&kinds_type, "300b 8709 00 0000000000000001", "{\"lax\":{\"bits\":\"80\",\"count\":1}}", "3004 87020780");
    reads_as(&kinds_type, "3005 8703 00 0301", "{\"lax\":{\"bits\":\"0301\",\"count\":16}}", NULL);
    reads_as(&kinds_type, "3005 8503 00 0101", "{\"bits\":{\"bits\":\"0101\",\"count\":16}}", NULL);
}

static void object_identifiers_are_dotted(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "1", "1.", ".1", "1..2", "3.1", "1.40", "0.40", "2.01", "1.2.", "1.2.x",
                                       "-1.2", "1.2 ",
                                       "2.25.10889035741470030830827987437816582766592" };       /* 2^133 */
    reads_as(&kinds_type, "3005 8803 883703", "{\"oid\":\"2.999.3\"}", NULL);
    reads_as(&kinds_type, "3003 880100", "{\"oid\":\"0.0\"}", NULL);
    reads_as(&kinds_type, "3003 880127", "{\"oid\":\"0.39\"}", NULL);
    reads_as(&kinds_type, "3003 880128", "{\"oid\":\"1.0\"}", NULL);
    reads_as(&kinds_type, "3003 88014f", "{\"oid\":\"1.39\"}", NULL);
    reads_as(&kinds_type, "3003 880150", "{\"oid\":\"2.0\"}", NULL);
    reads_as(&kinds_type, "3003 88017f", "{\"oid\":\"2.47\"}", NULL);
    reads_as(&kinds_type, "3004 88028100", "{\"oid\":\"2.48\"}", NULL);
    reads_as(&kinds_type, "300a 8808 2a8648ce3d030107", "{\"oid\":\"1.2.840.10045.3.1.7\"}", NULL);
    reads_as(&kinds_type, "3016 8814 6983ffffffffffffffffffffffffffffffffff7f",
             "{\"oid\":\"2.25.340282366920938463463374607431768211455\"}", NULL);
    const char *none = "no OBJECT IDENTIFIER";
    refused(&kinds_type, "3002 8800", E_MALFORMED, "oid", 2, "X.690 8.19.2", none);
    refused(&kinds_type, "3004 88022a86", E_MALFORMED, "oid", 2, "X.690 8.19.2", none);
    refused(&kinds_type, "3005 88032a8001", E_MALFORMED, "oid", 2, "X.690 8.19.2", none);
    refused(&kinds_type, "3017 8815 69 ffffffffffffffffffffffffffffffffffffff7f", E_MALFORMED, "oid", 2,
            "X.690 8.19.2", none);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e;
        struct kinds v;
        json_t *j = json_pack("{s:s}", "oid", bad[i]);
        assert_refused(E_INVALID, der_from_json(&kinds_type, j, &v, &a, &e));
        assert_string_equal(e.field, "oid");
        json_decref(j);
    }
}

static void values_equal_to_their_default_are_absent(void **state)
{
    (void)state;
    const struct kinds *v = kinds_of("3000");
    assert_int_equal(v->seven, 7);
    assert_true(v->yes);
    assert_false(der_has(v, kinds, seven));
    reads_as(&kinds_type, "3003 8c0107", "{}", "3000");
    reads_as(&kinds_type, "3003 8d01ff", "{}", "3000");
    reads_as(&kinds_type, "3006 8c0108 8d0100", "{\"seven\":8,\"yes\":false}", NULL);
    struct kinds made = { .seven = 0, .yes = false };       /* not set: the default, whatever the member holds */
    assert_hex(der_encode(&kinds_type, &made, &a), "3000");
}

static void certificates_come_whole_or_implicit(void **state)
{
    (void)state;
    reads_as(&kinds_type, "300a aa08 3000 3000 03020780", "{\"cert\":\"30083000300003020780\"}", NULL);
    reads_as(&kinds_type, "300c aa0a 3008 3000 3000 03020780", "{\"cert\":\"30083000300003020780\"}",
             "300a aa08 3000 3000 03020780");
    reads_as(&kinds_type, "3008 ab06 3000 03020780", "{\"spki\":\"3006300003020780\"}", NULL);
    reads_as(&kinds_type, "300a ab08 3006 3000 03020780", "{\"spki\":\"3006300003020780\"}", "3008 ab06 3000 03020780");
    refused(&kinds_type, "3008 aa06 3000 03020780", E_MALFORMED, "cert", 2, "test 2", "no certificate");
    refused(&kinds_type, "300a ab08 3000 3000 03020780", E_MALFORMED, "spki", 2, "test 2", "no SubjectPublicKeyInfo");
    refused(&kinds_type, "3002 aa00", E_MALFORMED, "cert", 2, "test 2", "no certificate");
    refused(&kinds_type, "3004 aa02 3000", E_MALFORMED, "cert", 2, "test 2", "no certificate");
    refused(&kinds_type, "3007 aa05 3000 3000 03", E_MALFORMED, "cert", 2, "test 2", "no certificate");
    assert_hex(der_encode_certs_whole(&kinds_type, kinds_of("300a aa08 3000 3000 03020780"), &a),
               "300c aa0a 3008 3000 3000 03020780");
    static const size_t lengths[] = { 100, 127, 128, 255, 256, 65000 };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {       /* the header that is put back,
                                        at each length */
        size_t key = lengths[i] - 4 - (lengths[i] - 4 < 130 ? 2 : lengths[i] - 4 < 259 ? 3 : 4);
        uint8_t *whole = arena_alloc(&a, lengths[i] + 16), h[8];
        size_t n = head(whole, 0x30, lengths[i]), m = head(h, 0x03, key);
        assert_int_equal(4 + m + key, lengths[i]);
        memcpy(whole + n, "\x30\x00\x30\x00", 4);
        memcpy(whole + n + 4, h, m);
        struct kinds v = { .cert = { whole, n + lengths[i] } };
        der_set(&v, kinds, cert);
        const struct kinds *back = decode(&kinds_type, der_encode(&kinds_type, &v, &a));
        assert_same(back->cert, v.cert);
    }
}

static void opaque_values_keep_their_tag(void **state)
{
    (void)state;
    struct err e;
    struct kinds v = { 0 };
    reads_as(&kinds_type, "3005 a903 800142", "{\"any\":\"a903800142\"}", NULL);
    json_t *j = json_pack("{s:s}", "any", "8a03800142");
    assert_refused(E_INVALID, der_from_json(&kinds_type, j, &v, &a, &e));
    assert_string_equal(e.why, "must be a TLV with the tag of this member");
    json_decref(j);
    der_set(&v, kinds, any);
    v.any = unhex(&a, "a903800142 00");
    assert_null(der_encode(&kinds_type, &v, &a).p);
    v.any = unhex(&a, "a803800142");
    assert_null(der_encode(&kinds_type, &v, &a).p);
}

/* ---- structure ---- */

static void lists_are_counted(void **state)
{
    (void)state;
    reads_as(&kinds_type, "300b ae09 020100 0201fb 020105", "{\"numbers\":[0,-5,5]}", NULL);
    refused(&kinds_type, "3002 ae00", E_MALFORMED, "numbers", 2, "test 1", "0 elements, at least 1");
    refused(&kinds_type, "300e ae0c 020100 020101 020102 020103", E_MALFORMED, "numbers", 2, "test 1",
            "4 elements, at most 3");
    refused(&kinds_type, "3008 ae06 020100 020106", E_MALFORMED, "numbers[1]", 7, "test 1",
            "INTEGER 6, allowed are -5 to 5");
    refused(&kinds_type, "3008 ae06 020100 040106", E_MALFORMED, "numbers[1]", 7, "test 1",
            "an element of Numbers has no tag 04");
    refused(&kinds_type, "3006 ae04 020100 02", E_MALFORMED, "numbers[1]", 7, "X.690 8.1.3", "no length");
    struct kinds v = { .numbers = { NULL, 0 } };
    der_set(&v, kinds, numbers);
    assert_null(der_encode(&kinds_type, &v, &a).p);
}

static void unknown_components_are_skipped_and_known_ones_keep_their_order(void **state)
{
    (void)state;
    reads_as(&kinds_type, "300d 8001aa 9d0100 820105 bf7f0100", "{\"octets\":\"aa\",\"number\":5}", "3006 8001aa 820105");
    reads_as(&kinds_type, "3006 5a01aa 8001bb", "{\"octets\":\"bb\"}", "3003 8001bb");
    reads_as(&kinds_type, "3003 a00100", "{}", "3000");       /* constructed [0] is another tag than primitive [0] */
    refused(&kinds_type, "3006 8001aa 8001aa", E_MALFORMED, "octets", 5, "test 2", "octets comes twice or out of order");
    refused(&kinds_type, "3006 820105 8001aa", E_MALFORMED, "octets", 5, "test 2", "octets comes twice or out of order");
    refused(&euicc_package_request_type, "bf5100", E_MALFORMED, "euiccPackageSigned", 0, "SGP.32 2.11.1.1",
            "euiccPackageSigned is missing");
    refused(&euicc_package_request_type, "bf5104 5f370101", E_MALFORMED, "euiccPackageSigned", 0, "SGP.32 2.11.1.1",
            "euiccPackageSigned is missing");
    refused(&euicc_package_request_type, "bf5107 3005 800165 8101", E_MALFORMED, "euiccPackageSigned", 8, "X.690 8.1.3",
            "the length runs past the end");
    const struct kinds *v = kinds_of("300d 8001aa 9d0100 820105 bf7f0100");
    assert_hex(v->der.raw, "300d 8001aa 9d0100 820105 bf7f0100");
}

static void a_choice_holds_exactly_one_known_alternative(void **state)
{
    (void)state;
    reads_as(&psmo_type, "a600", "{\"getRAT\":{}}", NULL);
    refused(&psmo_type, "b600", E_UNKNOWN_TYPE, "Psmo", 0, "SGP.32 2.11.1.1.3", "tag B6 is no Psmo");
    refused(&add_initial_eim_response_type, "bf5700", E_MALFORMED, "AddInitialEimResponse", 0, "SGP.32 5.9.4",
            "AddInitialEimResponse holds no alternative");
    refused(&add_initial_eim_response_type, "bf5706 810101 810102", E_MALFORMED, "AddInitialEimResponse", 0,
            "SGP.32 5.9.4",
            "AddInitialEimResponse holds more than one alternative");
    refused(&add_initial_eim_response_type, "bf5703 830101", E_MALFORMED, "AddInitialEimResponse", 3, "SGP.32 5.9.4",
            "no alternative of AddInitialEimResponse has tag 83");
    refused(&euicc_package_type, "a002 bf66", E_MALFORMED, "psmoList[0]", 2, "X.690 8.1.3", "no length");
    refused(&euicc_package_type, "a003 bf6600", E_MALFORMED, "psmoList[0]", 2, "SGP.32 2.11.1.1.3",
            "an element of PsmoList has no tag BF66");
    struct psmo none = { 0 };
    assert_null(der_encode(&psmo_type, &none, &a).p);
    none.der.which = psmo_is_end_;
    assert_null(der_encode(&psmo_type, &none, &a).p);
}

static void a_message_is_one_tlv_of_the_wanted_type(void **state)
{
    (void)state;
    struct err e;
    struct kinds v;
    refused(&kinds_type, "3000 30", E_MALFORMED, "Kinds", 2, "X.690 8.1.1", "1 octets behind the message");
    refused(&kinds_type, "3100", E_UNKNOWN_TYPE, "Kinds", 0, "test 2", "tag 31 is no Kinds");
    assert_refused(E_MALFORMED, der_decode(&kinds_type, (struct slice){ 0 }, &v, &a, &e));
    assert_string_equal(e.why, "no bytes");
    const struct eim_acknowledgements *acks = decode(&eim_acknowledgements_type, unhex(&a, "bf5306 800114 800115"));
    assert_int_equal(acks->n, 2);
    assert_int_equal(acks->v[1], 21);
    assert_hex(der_encode(&eim_acknowledgements_type, acks, &a), "bf5306800114800115");
}

/* ---- tolerated forms (spec 6) beyond those of wire-forms.json ---- */

static void flags_and_errors_under_other_tags_are_understood(void **state)
{
    (void)state;
    const char *rollback = "{\"enable\":{\"iccid\":\"989444999999990920f3\",\"rollbackFlag\":null}}";
    reads_as(&psmo_type, "a30e 5a0a989444999999990920f3 0500", rollback, NULL);
    reads_as(&psmo_type, "a30e 5a0a989444999999990920f3 8000", rollback, "a30e5a0a989444999999990920f30500");
    reads_as(&psmo_type, "a30e 5a0a989444999999990920f3 8100", rollback, "a30e5a0a989444999999990920f30500");
    reads_as(&profile_rollback_request_type, "bf5803 8001ff", "{\"refreshFlag\":true}", NULL);
    reads_as(&profile_rollback_request_type, "bf5803 0101ff", "{\"refreshFlag\":true}", "bf58038001ff");
    const char *error = "{\"provideEimPackageResult\":{\"eimPackageResult\":{\"eimPackageResultResponseError\":"
                        "{\"eimPackageResultErrorCode\":127}}}}";
    reads_as(&esipa_from_ipa_type, "bf5005 a003 02017f", error, NULL);
    reads_as(&esipa_from_ipa_type, "bf5007 8005 3003 02017f", error, "bf5005a00302017f");
}

static void alternatives_without_their_tag_are_understood(void **state)
{
    (void)state;
    const char *epe = "{\"euiccPackageErrorSigned\":{\"euiccPackageErrorDataSigned\":{\"eimId\":\"e\",\"counterValue\":1,"
                      "\"euiccPackageErrorCode\":4},\"euiccSignEPE\":\"aa\"}}";
    reads_as(&euicc_package_result_type, "bf5111 a10f 3009 800165 810101 020104 5f3701aa", epe, NULL);
    reads_as(&euicc_package_result_type, "bf510f 3009 800165 810101 020104 5f3701aa", epe,
             "bf5111a10f30098001658101010201045f3701aa");
    reads_as(&euicc_package_result_type, "bf5106 800165 840105",
             "{\"euiccPackageErrorUnsigned\":{\"eimId\":\"e\",\"associationToken\":5}}", "bf5108 a206 800165 840105");
    reads_as(&euicc_package_result_type, "bf5109 bf5106 800165 840105",
             "{\"euiccPackageErrorUnsigned\":{\"eimId\":\"e\",\"associationToken\":5}}", "bf5108 a206 800165 840105");
    reads_as(&profile_info_list_response_type, "bf2d05 e303 950102", "{\"profileInfoListOk\":[{\"profileClass\":2}]}",
             "bf2d07 a005 e303 950102");
    reads_as(&profile_info_list_response_type, "bf2d00", "{\"profileInfoListOk\":[]}", "bf2d02a000");
    reads_as(&profile_info_list_response_type, "bf2d05 bf2d02 a000", "{\"profileInfoListOk\":[]}", "bf2d02a000");
    reads_as(&provide_eim_package_result_response_type, "bf5000", "{\"emptyResponse\":{}}", "bf50023000");
    reads_as(&eim_configuration_data_type, "300d 800165 a508 3006 3000 03020780",
             "{\"eimId\":\"e\",\"eimPublicKeyData\":{\"eimPublicKey\":\"3006300003020780\"}}",
             "300d 800165 a508 a006 3000 03020780");
    reads_as(&eim_configuration_data_type, "300f 800165 a50a 3008 3000 3000 03020780",
             "{\"eimId\":\"e\",\"eimPublicKeyData\":{\"eimCertificate\":\"30083000300003020780\"}}",
             "300f 800165 a50a a108 3000 3000 03020780");
    const struct euicc_package_result *twice = decode(&euicc_package_result_type, unhex(&a,
                                        "bf5109 bf5106 800165 840105"));
    assert_hex(twice->der.raw, "bf5109 bf5106 800165 840105");
    refused(&euicc_package_result_type, "bf5105 3003 800165", E_MALFORMED,
            "euiccPackageResultSigned.euiccPackageResultDataSigned.counterValue", 3, "SGP.32 2.11.2.1",
    "counterValue is missing");
    refused(&euicc_package_result_type, "bf5103 9f6000", E_MALFORMED, "EuiccPackageResult", 3, "SGP.32 2.11.2.1",
            "no alternative of EuiccPackageResult has tag 9F60");
}

static void euicc_data_with_one_a0_is_read_by_its_children(void **state)
{
    (void)state;
    reads_as(&ipa_euicc_data_response_type, "bf5205 a003 840107", "{\"ipaEuiccData\":{\"associationToken\":7}}", NULL);
    reads_as(&ipa_euicc_data_response_type, "bf5203 840107", "{\"ipaEuiccData\":{\"associationToken\":7}}",
             "bf5205 a003 840107");
    reads_as(&ipa_euicc_data_response_type, "bf5202 a000", "{\"ipaEuiccData\":{}}", NULL);
    reads_as(&ipa_euicc_data_response_type, "bf5200", "{\"ipaEuiccData\":{}}", "bf5202a000");
    reads_as(&ipa_euicc_data_response_type, "bf5207 a005 a100 840107", "{\"ipaEuiccData\":{\"associationToken\":7}}",
             "bf5205 a003 840107");
    reads_as(&ipa_euicc_data_response_type, "bf5204 a002 a000", "{\"ipaEuiccData\":{\"notificationsList\":[]}}", NULL);
    const char *other = "{\"ipaEuiccData\":{\"notificationsList\":[{\"compactOtherSignedNotification\":{\"tbsOtherNotification\":"
                        "{\"seqNumber\":1,\"profileManagementOperation\":{\"bits\":\"40\",\"count\":2},"
                        "\"notificationAddress\":\"a\"},\"euiccNotificationSignature\":\"aa\"}}]}}";
    reads_as(&ipa_euicc_data_response_type, "bf5217 a015 a013 a111 bf2f0a 800101 81020640 0c0161 5f3701aa", other, NULL);
    reads_as(&ipa_euicc_data_response_type, "bf5215 a013 a111 bf2f0a 800101 81020640 0c0161 5f3701aa", other,
             "bf5217 a015 a013 a111 bf2f0a 800101 81020640 0c0161 5f3701aa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(lengths_take_the_fewest_octets),
        T(lengths_in_long_form_are_taken_and_written_short),
        T(tags_are_bounded_and_minimal),
        T(numbers_take_the_fewest_octets),
        T(sixteen_levels_are_taken_and_seventeen_refused),
        T(a_path_too_long_for_the_error_keeps_its_end),
        T(text_is_utf8_and_counted_in_characters),
        T(booleans_and_nulls),
        T(bit_strings_lose_trailing_zeros_unless_plain),
        T(one_octet_per_bit_is_understood_where_it_occurs),
        T(object_identifiers_are_dotted),
        T(values_equal_to_their_default_are_absent),
        T(certificates_come_whole_or_implicit),
        T(opaque_values_keep_their_tag),
        T(lists_are_counted),
        T(unknown_components_are_skipped_and_known_ones_keep_their_order),
        T(a_choice_holds_exactly_one_known_alternative),
        T(a_message_is_one_tlv_of_the_wanted_type),
        T(flags_and_errors_under_other_tags_are_understood),
        T(alternatives_without_their_tag_are_understood),
        T(euicc_data_with_one_a0_is_read_by_its_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
