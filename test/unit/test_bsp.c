/* test_bsp.c -- the protection of bound profile packages: published vectors, both ends, and every bit that is changed on the way. */
#include "test/lib/test.h"

#include "crypto/key.h"
#include "sim/bsp.h"

#include <stdlib.h>

static struct err e;

static void hex_is(const uint8_t *p, size_t n, const char *want)
{
    char got[256];
    slice_hex(slice_of(p, n), false, got);
    assert_string_equal(got, want);
}

static void cmac_is_that_of_rfc_4493(void **state)
{
    (void)state;
    uint8_t key[16], msg[64], out[16];
    assert_int_equal(slice_unhex(SLICE("2b7e151628aed2a6abf7158809cf4f3c"), key, 16), 16);
    assert_int_equal(slice_unhex(SLICE("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411"), msg, 64), 40);
    assert_ok(aes_cmac(key, NULL, 0, out, &e));
    hex_is(out, 16, "bb1d6929e95937287fa37d129b756746");
    struct slice s[2] = { slice_of(msg, 16), slice_of(msg + 16, 24) };
    assert_ok(aes_cmac(key, s, 1, out, &e));
    hex_is(out, 16, "070a16b46b4d4144f79bdd9dd04a287c");
    assert_ok(aes_cmac(key, s, 2, out, &e));
    hex_is(out, 16, "dfa66747de9ae63030ca32611497c827");
}

static void cbc_is_that_of_sp_800_38a(void **state)
{
    (void)state;
    uint8_t key[16], iv[16], in[16], out[16], back[16];
    slice_unhex(SLICE("2b7e151628aed2a6abf7158809cf4f3c"), key, 16);
    slice_unhex(SLICE("000102030405060708090a0b0c0d0e0f"), iv, 16);
    slice_unhex(SLICE("6bc1bee22e409f96e93d7e117393172a"), in, 16);
    assert_ok(aes_cbc(true, key, iv, slice_of(in, 16), out, &e));
    hex_is(out, 16, "7649abac8119b246cee98e9b12e9197d");
    assert_ok(aes_cbc(false, key, iv, slice_of(out, 16), back, &e));
    assert_memory_equal(in, back, 16);
    assert_int_equal(aes_cbc(true, key, iv, slice_of(in, 15), out, &e), E_INVALID);
}

static void the_kdf_is_that_of_x9_63(void **state)      /* NIST CAVS 12.0, ansx963_2001, SHA-256, counts 0 of two groups */
{
    (void)state;
    uint8_t z[64], info[64], out[128];
    long n = slice_unhex(SLICE("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08"), z, 64);
    assert_ok(bsp_kdf(slice_of(z, (size_t)n), (struct slice){ 0 }, out, 16, &e));
    hex_is(out, 16, "443024c3dae66b95e6f5670601558f71");
    n = slice_unhex(SLICE("22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d"), z, 64);
    long m = slice_unhex(SLICE("75eef81aa3041e33b80971203d2c0c52"), info, 64);
    assert_ok(bsp_kdf(slice_of(z, (size_t)n), slice_of(info, (size_t)m), out, 128, &e));
    hex_is(out, 32, "c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e");
}

static void two_keys_agree_and_strangers_do_not(void **state)
{
    (void)state;
    struct private_key *a, *b, *other;
    uint8_t x[SCALAR_SIZE], y[SCALAR_SIZE];
    assert_ok(private_key_generate(&a, CURVE_P256, &e));
    assert_ok(private_key_generate(&b, CURVE_P256, &e));
    assert_ok(private_key_generate(&other, CURVE_BRAINPOOLP256R1, &e));
    assert_ok(private_key_agree(a, private_key_public(b), x, &e));
    assert_ok(private_key_agree(b, private_key_public(a), y, &e));
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(private_key_agree(a, private_key_public(other), x, &e), E_INVALID);
    private_key_free(a);
    private_key_free(b);
    private_key_free(other);
}

static const struct { uint32_t tag; bool encrypted; size_t n; } rows[] = {
    { 0x87, true, 3 }, { 0x88, false, 200 }, { 0x86, true, 1007 }, { 0x86, true, 1008 }, { 0x88, false, 1008 }, { 0x86, true, 5000 }, { 0x87, true, 15 },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void both(struct bsp *to, struct bsp *from)
{
    const struct slice secret = SLICE("0123456789abcdef0123456789abcdef"), host = SLICE("host"), eid = SLICE("EEEEEEEEEEEEEEEE");
    assert_ok(bsp_begin(to, secret, host, eid, &e));
    assert_ok(bsp_begin(from, secret, host, eid, &e));
}

static void what_is_sealed_is_opened(void **state)
{
    (void)state;
    struct bsp to, from;
    uint8_t plain[5000];
    both(&to, &from);
    for (size_t i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < ROWS; i++) {
        struct buf sealed, back;
        buf_init(&sealed, 1 << 16);
        buf_init(&back, 1 << 16);
        bsp_seal(&to, rows[i].tag, rows[i].encrypted, slice_of(plain, rows[i].n), &sealed);
        assert_false(sealed.failed);
        assert_int_equal(bsp_open(&from, rows[i].tag, rows[i].encrypted, buf_slice(&sealed), &back), BSP_GOOD);
        assert_true(slice_eq(buf_slice(&back), slice_of(plain, rows[i].n)));
        buf_free(&sealed);
        buf_free(&back);
    }
}

static void what_was_changed_or_came_out_of_order_is_not_opened(void **state)
{
    (void)state;
    struct bsp to, from, before;
    struct buf one, two, back;
    both(&to, &from);
    buf_init(&one, 1 << 12);
    buf_init(&two, 1 << 12);
    buf_init(&back, 1 << 12);
    bsp_seal(&to, 0x86, true, SLICE("the first segment of a profile"), &one);
    bsp_seal(&to, 0x86, true, SLICE("the second"), &two);
    for (size_t i = 0; i < one.n; i++) {
        before = from;
        one.p[i] ^= 1;
        assert_int_not_equal(bsp_open(&before, 0x86, true, buf_slice(&one), &back), BSP_GOOD);
        one.p[i] ^= 1;
    }
    before = from;
    assert_int_equal(bsp_open(&before, 0x86, true, buf_slice(&two), &back), BSP_SECURITY);
    before = from;
    assert_int_equal(bsp_open(&before, 0x87, true, buf_slice(&one), &back), BSP_STRUCTURE);
    before = from;
    assert_int_equal(bsp_open(&before, 0x86, true, slice_of(one.p, one.n - 1), &back), BSP_STRUCTURE);
    before = from;
    assert_int_equal(bsp_open(&before, 0x86, true, (struct slice){ 0 }, &back), BSP_STRUCTURE);
    assert_int_equal(bsp_open(&from, 0x86, true, buf_slice(&one), &back), BSP_GOOD);
    assert_int_equal(bsp_open(&from, 0x86, true, buf_slice(&two), &back), BSP_GOOD);
    assert_int_equal(bsp_open(&from, 0x86, true, buf_slice(&two), &back), BSP_SECURITY);       /* shown again */
    buf_free(&one);
    buf_free(&two);
    buf_free(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cmac_is_that_of_rfc_4493), cmocka_unit_test(cbc_is_that_of_sp_800_38a), cmocka_unit_test(the_kdf_is_that_of_x9_63),
        cmocka_unit_test(two_keys_agree_and_strangers_do_not), cmocka_unit_test(what_is_sealed_is_opened),
        cmocka_unit_test(what_was_changed_or_came_out_of_order_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
