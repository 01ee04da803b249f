/* test_slots.c -- places for calls to SM-DP+: what one that hangs may hold. */
#include "eim/slots.h"

#include "test/lib/test.h"

#include <stdio.h>
#include <string.h>

static struct slots s;

static int up(void **state)
{
    (void)state;
    s = (struct slots){ 0 };
    slots_open(&s);
    return 0;
}

static int down(void **state)
{
    (void)state;
    slots_close(&s);
    return 0;
}

static int64_t fill(const char *address, int64_t most, int64_t all)
{
    int64_t n = 0;
    while (slots_take(&s, address, most, all) >= 0) n++;
    return n;
}

static void an_address_has_what_its_account_says(void **state)
{
    (void)state;
    int first = slots_take(&s, "a.example.com", 2, 64);
    assert_true(first >= 0);
    assert_int_equal(slots_take(&s, "a.example.com", 2, 64), first);
    assert_int_equal(slots_take(&s, "a.example.com", 2, 64), -1);
    assert_true(slots_take(&s, "b.example.com", 2, 64) >= 0);
    slots_give(&s, first);
    assert_int_equal(slots_take(&s, "a.example.com", 2, 64), first);
}

static void those_that_hang_leave_room_for_the_rest(void **state)
{
    (void)state;
    int64_t held = 0;
    char name[32];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "hangs%d.example.com", i);
        held += fill(name, 16, 64);
    }
    assert_in_range(held, 40, 60);                 /* 16, 16, 16 and half of the rest */
    assert_true(slots_take(&s, "works.example.com", 16, 64) >= 0);
    assert_int_equal(s.busy, held + 1);
}

static void one_alone_gets_no_more_than_half(void **state)
{
    (void)state;
    assert_int_equal(fill("a.example.com", 1000, 64), 32);
    assert_int_equal(fill("b.example.com", 1000, 64), 16);
}

static void the_smallest_number_of_threads_serves_too(void **state)
{
    (void)state;
    int p = slots_take(&s, "a.example.com", 16, 1);
    assert_true(p >= 0);
    assert_int_equal(slots_take(&s, "b.example.com", 16, 1), -1);
    slots_give(&s, p);
    assert_true(slots_take(&s, "b.example.com", 16, 1) >= 0);
}

static void a_name_that_is_too_long_has_no_place(void **state)
{
    (void)state;
    char name[SLOT_ADDRESS_MAX + 2];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(slots_take(&s, name, 16, 64), -1);
    assert_true(slots_take(&s, name + 1, 16, 64) >= 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        T(an_address_has_what_its_account_says), T(those_that_hang_leave_room_for_the_rest), T(one_alone_gets_no_more_than_half),
        T(the_smallest_number_of_threads_serves_too), T(a_name_that_is_too_long_has_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
