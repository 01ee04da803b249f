/* test_model.c -- EIDs, ICCIDs, PLMNs, association numbers, and the move table of operations. */
#include "test/lib/test.h"

#include "base/siphash.h"
#include "model/device.h"
#include "model/operation.h"

#include <string.h>

static void eids_have_32_digits_and_check_digits(void **state)
{
    (void)state;
    struct eid e;
    char text[33];
    assert_true(eid_parse(SLICE("89049032000000000000000000000040"), false, &e));
    eid_print(&e, text);
    assert_string_equal(text, "89049032000000000000000000000040");
    eid_short(&e, text);
    assert_string_equal(text, "..0040");
    int good = 0;
    for (int i = 0; i < 100; i++) {                        /* exactly the remainders 1 of 97 are good */
        char d[33] = "890490320000000000000000000000";
        d[30] = (char)('0' + i / 10);
        d[31] = (char)('0' + i % 10);
        good += eid_parse(slice_str(d), true, &e);
    }
    assert_in_range(good, 1, 2);
    assert_false(eid_parse(SLICE("8904903200000000000000000000004"), false, &e));
    assert_false(eid_parse(SLICE("890490320000000000000000000000400"), false, &e));
    assert_false(eid_parse(SLICE("8904903200000000000000000000004a"), false, &e));
    assert_false(eid_parse(SLICE(""), false, &e));
}

static void iccids_swap_nibbles_and_pad(void **state)
{
    (void)state;
    struct iccid c;
    char text[21];
    static const uint8_t raw[10] = { 0x98, 0x94, 0x44, 0x99, 0x99, 0x99, 0x99, 0x09, 0x20, 0xf3 };
    assert_true(iccid_parse(SLICE("8949449999999990023"), &c));
    assert_memory_equal(c.b, raw, 10);
    iccid_print((struct slice){ raw, 10 }, text);
    assert_string_equal(text, "8949449999999990023");
    static const char *const lengths[] = { "894944999999999002", "8949449999999990023", "89494499999999900234" };
    for (int i = 0; i < 3; i++) {
        assert_true(iccid_parse(slice_str(lengths[i]), &c));
        iccid_print((struct slice){ c.b, 10 }, text);
        assert_string_equal(text, lengths[i]);
    }
    assert_false(iccid_parse(SLICE("89494499999999900"), &c));
    assert_false(iccid_parse(SLICE("894944999999999002345"), &c));
    assert_false(iccid_parse(SLICE("89494499999999900x"), &c));
}

static void networks_are_printed(void **state)
{
    (void)state;
    char text[8];
    plmn_print((struct slice){ (const uint8_t *)"\x62\xf2\x10", 3 }, text);
    assert_string_equal(text, "26201");
    plmn_print((struct slice){ (const uint8_t *)"\x13\x00\x14", 3 }, text);
    assert_string_equal(text, "310410");
    plmn_print((struct slice){ 0 }, text);
    assert_string_equal(text, "");
}

static void siphash_is_siphash_2_4(void **state)
{
    (void)state;
    uint8_t key[16], in[15];
    for (int i = 0; i < 16; i++) key[i] = (uint8_t)i;
    for (int i = 0; i < 15; i++) in[i] = (uint8_t)i;
    assert_true(siphash(key, (struct slice){ in, 15 }) == UINT64_C(0xa129ca6149be45e5));    /* the vector of the paper, appendix A */
    assert_true(siphash(key, (struct slice){ NULL, 0 }) == UINT64_C(0x726fdb47dd0e0e31));
}

static void associations_depend_on_key_and_eid(void **state)
{
    (void)state;
    uint8_t one[16] = { 1 }, two[16] = { 2 };
    struct eid a, b;
    assert_true(eid_parse(SLICE("89049032000000000000000000000040"), false, &a));
    b = a;
    b.b[15] ^= 1;
    int64_t n = model_association(one, &a);
    assert_true(n > 0);
    assert_true(n == model_association(one, &a));
    assert_true(n != model_association(two, &a));
    assert_true(n != model_association(one, &b));
}

/* The whole table by hand: every pair that is not listed must be refused and change nothing. */
static void operations_move_by_their_table_only(void **state)
{
    (void)state;
    static const struct { enum operation_state from; enum operation_event ev; enum operation_state to; } allowed[] = {
        { OP_PENDING, EV_FETCH, OP_SENT },          { OP_PENDING, EV_CANCEL, OP_CANCELLED },   { OP_PENDING, EV_EXPIRE, OP_EXPIRED },
        { OP_PENDING, EV_REFUSE, OP_FAILED },       { OP_SENT, EV_RESULT, OP_DONE },           { OP_SENT, EV_ERROR, OP_FAILED },
        { OP_SENT, EV_ROLLBACK, OP_ROLLED_BACK },   { OP_SENT, EV_TIMEOUT, OP_UNKNOWN },       { OP_SENT, EV_DEFER, OP_PENDING },
        { OP_UNKNOWN, EV_RESULT, OP_DONE },         { OP_UNKNOWN, EV_ERROR, OP_FAILED },       { OP_UNKNOWN, EV_ROLLBACK, OP_ROLLED_BACK },
        { OP_UNKNOWN, EV_SETTLED_DONE, OP_DONE },   { OP_UNKNOWN, EV_SETTLED_NOT, OP_FAILED }, { OP_DONE, EV_ROLLBACK, OP_ROLLED_BACK },
    };
    for (int s = 0; s < OP_STATE_END; s++)
        for (int ev = 0; ev < EV_END; ev++) {
            enum operation_state now = (enum operation_state)s, want = now;
            bool may = false;
            for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
                if (allowed[i].from == now && (int)allowed[i].ev == ev) {
                    may = true;
                    want = allowed[i].to;
                }
            assert_int_equal(operation_move(&now, (enum operation_event)ev), may);
            assert_int_equal(now, want);
        }
}

static void state_names_come_back(void **state)
{
    (void)state;
    for (int s = 0; s < OP_STATE_END; s++) {
        enum operation_state got;
        assert_true(operation_state_parse(slice_str(operation_state_name((enum operation_state)s)), &got));
        assert_int_equal(got, s);
    }
    enum operation_state got;
    assert_false(operation_state_parse(SLICE("nonsense"), &got));
}

static void an_inventory_is_fresh_until_something_changes(void **state)
{
    (void)state;
    struct device d = { 0 };
    assert_false(device_inventory_fresh(&d));
    d.inventory_us = 10;
    assert_true(device_inventory_fresh(&d));
    d.changed_us = 11;
    assert_false(device_inventory_fresh(&d));
    d.inventory_us = 11;
    assert_true(device_inventory_fresh(&d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eids_have_32_digits_and_check_digits), cmocka_unit_test(iccids_swap_nibbles_and_pad),
        cmocka_unit_test(networks_are_printed), cmocka_unit_test(siphash_is_siphash_2_4),
        cmocka_unit_test(associations_depend_on_key_and_eid), cmocka_unit_test(operations_move_by_their_table_only),
        cmocka_unit_test(state_names_come_back), cmocka_unit_test(an_inventory_is_fresh_until_something_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
