/* test.h -- what every cmocka test includes, instead of cmocka.h and the headers that it wants before it.
 *
 * cmocka's macro fail() hides the function of base/err.h, so it is taken away again; use fail_msg(). */
#ifndef TEST_LIB_TEST_H
#define TEST_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail
#undef fail_msg

#include "base/err.h"

/* fail_msg -- as cmocka's, which would call its fail(). */
#define fail_msg(...)                                                              \
    do {                                                                           \
        print_error("ERROR: ");                                                    \
        print_error(__VA_ARGS__);                                                  \
        print_error("\n");                                                         \
        _fail(__FILE__, __LINE__);                                                 \
    } while (0)

/* assert_ok -- the call, with a `struct err e` in scope, gives OK; else its words are shown. */
#define assert_ok(call)                                                            \
    do {                                                                           \
        enum eim_err rc_ = (call);                                                 \
        if (rc_ != OK) fail_msg("%s: %s %s %s", #call, err_name(rc_), e.field, e.why); \
    } while (0)

/* assert_refused -- the call gives exactly this error; *e is made empty before, so a loop can use one e. */
#define assert_refused(want, call)                                                 \
    do {                                                                           \
        e = (struct err){ 0 };                                                     \
        enum eim_err rc_ = (call);                                                 \
        if (rc_ != (want)) fail_msg("%s: %s, expected %s; %s", #call, rc_ ? err_name(rc_) : "OK", err_name(want), e.why); \
    } while (0)

/* skip_because -- leave the test as skipped; test/run prints the reason at the end. */
#define skip_because(why)                                                          \
    do {                                                                           \
        print_message("# skip %s: %s\n", __func__, (why));                         \
        skip();                                                                    \
    } while (0)

#endif
