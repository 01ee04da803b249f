/* test_expr.c -- the expression language against what CEL's specification says: values, errors, absorption, types, limits. */
#include "test/lib/test.h"

#include "expr/expr.h"
#include "expr/regex.h"

#include <math.h>
#include <stdio.h>

static const char vars_text[] =
    "{\"labels\":{\"site\":\"berlin\",\"n\":\"7\"},\"i\":5,\"d\":2.5,\"s\":\"h\xC3\xA4llo\",\"list\":[1,2,3],\"deep\":{\"a\":{\"b\":[true,null]}},"
    "\"yes\":true,\"none\":null,\"profile.enabled.operator\":\"A\"}";

struct world { json_t *vars; struct expr_var table[16]; size_t n; };

static bool get(void *ctx, unsigned var, struct expr_value *out)
{
    const struct world *w = ctx;
    const json_t *v = json_object_get(w->vars, w->table[var].name);
    if (v) *out = expr_from_json(v);
    return v != NULL;
}

static void world_open(struct world *w)
{
    struct err e = { 0 };
    const char *key;
    json_t *v;
    w->n = 0;
    assert_ok(json_read(slice_str(vars_text), 4096, &w->vars, &e));
    json_object_foreach(w->vars, key, v) w->table[w->n++] = (struct expr_var){ key, EXPR_DYN };
    w->table[w->n++] = (struct expr_var){ "absent", EXPR_DYN };
    w->table[w->n++] = (struct expr_var){ "profile.gone", EXPR_STRING };
    w->table[w->n++] = (struct expr_var){ "typed", EXPR_INT };
}

/* The result as JSON with its type in front; "!..." is an error of evaluation, "?..." of compilation. */
static void run(struct world *w, const char *source, char *out, size_t room)
{
    static char scratch[EXPR_SCRATCH];
    struct arena a;
    struct expr *x;
    struct expr_value v;
    struct err e = { 0 };
    const struct expr_input in = { get, w };
    arena_init(&a, 1 << 20);
    if (expr_compile(&x, slice_str(source), w->table, w->n, EXPR_DYN, &a, &e) != OK) {
        snprintf(out, room, "?%s", e.why);
        assert_true(e.has_at);
    } else if (expr_eval(x, &in, scratch, &v, &e) != OK) {
        snprintf(out, room, "!%s", e.why);
    } else {
        json_t *j = expr_json(x, &in, &v);
        char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        snprintf(out, room, "%s %s", expr_type_name(v.type), text ? text : "(nothing)");
        free(text);
        json_decref(j);
    }
    arena_free(&a);
}

struct want { const char *source, *result; };

static void check_all(const struct want *t, size_t n)
{
    struct world w;
    char got[400];
    world_open(&w);
    for (size_t i = 0; i < n; i++) {
        run(&w, t[i].source, got, sizeof got);
        bool error = t[i].result[0] == '!' || t[i].result[0] == '?';
        bool good = error ? got[0] == t[i].result[0] && strstr(got, t[i].result + 1) : strcmp(got, t[i].result) == 0;
        if (!good) fail_msg("%s\n  gives %s\n  not   %s", t[i].source, got, t[i].result);
    }
    json_decref(w.vars);
}
#define CHECK_ALL(...) do { static const struct want t[] = { __VA_ARGS__ }; check_all(t, sizeof t / sizeof t[0]); } while (0)

static void literals_are_what_they_say(void **state)
{
    (void)state;
    CHECK_ALL({ "1", "int 1" }, { "-9223372036854775808", "int -9223372036854775808" }, { "0x1F", "int 31" },
              { "1.5", "double 1.5" },
              { "1e3", "double 1000.0" }, { ".5", "double 0.5" }, { "true", "bool true" }, { "null", "null_type null" },
              { "'a\\n\\x41\\u00e4\\101'", "string \"a\\nA\xC3\xA4" "A\"" }, { "r'a\\n'", "string \"a\\\\n\"" },
              { "\"\"\"a\n'b\"\"\"", "string \"a\\n'b\"" },
              { "[1, 'a', [true]]", "list [1,\"a\",[true]]" }, { "{'a': 1, 'b': {}}", "map {\"a\":1,\"b\":{}}" },
              { "[1,]", "list [1]" },
              { "// a remark\n 1", "int 1" }, { "9223372036854775808", "?1:1:" }, { "1u", "?unsigned" },
              { "b'x'", "?bytes" }, { "'abc", "?not closed" },
              { "'\\q'", "?escape" }, { "1x", "?letter" }, { "0x", "?digits" }, { "'\\ud800'", "?code point" });
}

static void operators_do_as_cel_says(void **state)
{
    (void)state;
    CHECK_ALL({ "1 + 2 * 3 - 4 / 2 % 3", "int 5" }, { "(1 + 2) * 3", "int 9" }, { "7 / -2", "int -3" },
              { "7 % -2", "int 1" }, { "-7 % 2", "int -1" },
              { "1.0 / 0.0", "double \"+Inf\"" }, { "9223372036854775807 + 1", "!overflow" },
              { "-9223372036854775808 / -1", "!overflow" },
              { "1 / 0", "!division by zero" }, { "1 % 0", "!modulus by zero" }, { "-(-9223372036854775808)", "!overflow" },
              { "'a' + 'b'", "string \"ab\"" }, { "1 + 1.0", "?cannot be applied to (int, double)" },
              { "i + 1", "int 6" }, { "i + d", "!no such overload" },
              { "1 < 2.5", "bool true" }, { "d > 2", "bool true" },
              { "9223372036854775807 < 9223372036854775808.0", "bool true" }, { "'a' < 'b'", "bool true" },
              { "1 == 1.0", "?cannot be applied" }, { "dyn(1) == 1.0", "bool true" }, { "dyn(1) == 'a'", "bool false" },
              { "i != 'x'", "bool true" },
              { "[1, 2] == [1, 2]", "bool true" }, { "[1] == [1.0]", "bool true" },
              { "{'a': 1} == {'a': 1}", "bool true" }, { "{'a': 1} == {'b': 1}", "bool false" },
              { "0.0/0.0 == 0.0/0.0", "bool false" }, { "0.0/0.0 < 1.0", "bool false" }, { "true < false", "bool false" },
              { "!yes", "bool false" }, { "!!yes", "bool true" },
              { "- -1", "int 1" }, { "true ? 1 : 'a'", "int 1" }, { "false ? 1 : true ? 2 : 3", "int 2" },
              { "i ? 1 : 2", "!no such overload" }, { "1 ? 1 : 2", "?cannot" },
              { "1 < 2 == true", "bool true" }, { "1 in [1, 2]", "bool true" }, { "'a' in {'a': 1}", "bool true" },
              { "1.0 in [1]", "bool true" }, { "4 in list", "bool false" },
              { "inner", "?nothing is known by the name 'inner'" }, { "2 in list", "bool true" });
}

static void errors_are_absorbed_on_both_sides(void **state)
{
    (void)state;
    CHECK_ALL({ "true || 1/0 > 0", "bool true" }, { "1/0 > 0 || true", "bool true" },
              { "false && 1/0 > 0", "bool false" }, { "1/0 > 0 && false", "bool false" },
              { "false || 1/0 > 0", "!division" }, { "1/0 > 0 || false", "!division" }, { "true && 1/0 > 0", "!division" },
              { "absent == 1 || true", "bool true" }, { "i || true", "bool true" }, { "i || false", "!no such overload" },
              { "[1, 0, 2].exists(x, 2 / x == 2)", "bool true" }, { "[0, 1].exists(x, 2 / x == 2)", "bool true" },
              { "[0].exists(x, 2 / x == 2)", "!division" },
              { "[1, 0].all(x, 2 / x == 7)", "bool false" }, { "[0, 1].all(x, 2 / x == 2)", "!division" });
}

static void members_and_macros(void **state)
{
    (void)state;
    CHECK_ALL({ "labels.site == 'berlin'", "bool true" }, { "labels['site']", "string \"berlin\"" },
              { "labels.nope", "!no such key" }, { "has(labels.nope)", "bool false" },
              { "has(labels.site)", "bool true" }, { "has(labels)", "?has() takes a field" },
              { "deep.a.b[0]", "bool true" }, { "deep.a.b[1]", "null_type null" },
              { "deep.a.b[2]", "!out of bounds" }, { "list[-1]", "!out of bounds" }, { "list[1]", "int 2" },
              { "[1,2][1]", "int 2" }, { "{'a': 5}.a", "int 5" }, { "{1: 'x'}[1]", "string \"x\"" },
              { "profile.enabled.operator", "string \"A\"" },
              { "profile.enabled.operator == 'A' && i == 5", "bool true" },
              { "has(profile.enabled.operator)", "bool true" },
              { "has(profile.gone)", "bool false" }, { "profile.gone == 'x'", "!no such key" },
              { "profile", "?nothing is known" }, { "profile.enabled", "?nothing is known" },
              { "list.exists(x, x == 2)", "bool true" }, { "list.all(x, x > 0)", "bool true" },
              { "[].exists(x, x)", "bool false" }, { "[].all(x, x)", "bool true" },
              { "labels.exists(k, k == 'site' && labels[k] == 'berlin')", "bool true" },
              { "list.exists(x, list.all(y, y <= x))", "bool true" },
              { "[[[2].exists(z, z == 2)]].exists(x, x[0] && x.size() == 1)", "bool true" },
              { "list.exists(i, i == 3) && i == 5", "bool true" },
              { "list.map(x, x)", "?the macro 'map' is not supported" }, { "i.all(x, x)", "!no such overload" },
              { "list.all(x, 1)", "?cannot" }, { "list.exists(true, true)", "?name of an item" },
              { "s.size()", "int 5" }, { "size(list) + size(labels)", "int 5" }, { "size(1)", "?cannot" });
}

static void texts_times_and_conversions(void **state)
{
    (void)state;
    CHECK_ALL({ "s.startsWith('h\xC3\xA4')", "bool true" }, { "s.endsWith('lo')", "bool true" },
              { "s.contains('xx')", "bool false" }, { "s.contains('')", "bool true" },
              { "s.matches('^h.l+o$')", "bool true" }, { "matches(s, 'l{3}')", "bool false" },
              { "s.matches(s)", "?must be written out" }, { "s.matches('(')", "?group is not closed" },
              { "int('42') + int(2.9) + int(-2.9)", "int 42" }, { "int('4x')", "!no int" }, { "int(1e19)", "!64-bit" },
              { "double('2.5')", "double 2.5" }, { "string(1.5) + string(true) + string(-3)", "string \"1.5true-3\"" },
              { "bool('true')", "bool true" }, { "bool('x')", "!no bool" }, { "string(0.1)", "string \"0.1\"" },
              { "int('9223372036854775808')", "!no int" },
              { "timestamp('2026-11-26T18:00:00Z') + duration('1h30m')", "timestamp \"2026-11-26T19:30:00Z\"" },
              { "timestamp('2026-11-26T18:00:00.25Z') - timestamp('2026-11-26T17:59:59Z')", "duration \"1.25s\"" },
              { "duration('90s') > duration('1m')", "bool true" },
              { "duration('-1.5s') + duration('500ms')", "duration \"-1s\"" }, { "duration('1ns')", "!microseconds" },
              { "duration('5')", "!no duration" }, { "timestamp('yesterday')", "!RFC 3339" },
              { "timestamp('2026-11-26T18:05:09.123Z').getHours()", "int 18" },
              { "timestamp('2026-11-26T18:00:00Z').getMonth()", "int 10" },
              { "timestamp('2026-11-26T18:00:00Z').getDayOfWeek()", "int 4" },
              { "timestamp('2026-11-26T18:00:00Z').getDate()", "int 26" }, { "duration('3h').getMinutes()", "int 180" },
              { "int(timestamp('1970-01-01T00:01:00Z'))", "int 60" },
              { "timestamp(60) == timestamp('1970-01-01T00:01:00Z')", "bool true" },
              { "timestamp('9999-12-31T23:59:59Z') + duration('2s')", "!overflow" },
              { "timestamp('2026-01-01T00:00:00Z') + 1", "?cannot" },
              { "duration('1s') + timestamp(0)", "timestamp \"1970-01-01T00:00:01Z\"" },
              { "false && duration('x') > duration('1s')", "bool false" });
}

static void what_is_wrong_is_said_with_line_and_column(void **state)
{
    (void)state;
    CHECK_ALL({ "", "?1:1: a value is expected, but the expression ends" }, { "1 +", "?1:4: a value is expected" },
              { "1 1", "?1:3: an operator or the end is expected" },
              { "1 +\n  nope", "?2:3: nothing is known by the name 'nope'; known: " },
              { "'\xC3\xA4' + nope", "?1:7: nothing" }, { "(1", "?1:3: ')' is expected" }, { "[1", "?',' or ']'" },
              { "size()", "?takes no such number" }, { "fly(1)", "?there is no function 'fly'" },
              { "s.fly()", "?no method" }, { "if", "?reserved" }, { "a.b.c", "?nothing" },
              { "1 =", "?an operator" }, { "&& true", "?a value is expected" }, { "@", "?a value is expected, not '@'" },
              { "typed.x", "?'.' cannot be applied to (int)" },
              { "i[", "?a value is expected" }, { "\xFF", "?a value is expected" }, { "{1}", "?':' is expected" },
              { "1 < 'a'", "?1:3: '<' cannot be applied to (int, string)" });
}

static void the_result_must_be_what_is_wanted(void **state)
{
    (void)state;
    struct world w;
    struct arena a;
    struct expr *x;
    struct err e = { 0 };
    bool yes;
    const struct expr_input in = { get, &w };
    world_open(&w);
    arena_init(&a, 1 << 20);
    assert_refused(E_INVALID, expr_compile(&x, SLICE("1 + 1"), w.table, w.n, EXPR_BOOL, &a, &e));
    assert_non_null(strstr(e.why, "the result is int, and must be bool"));
    e = (struct err){ 0 };
    assert_ok(expr_compile(&x, SLICE("yes"), w.table, w.n, EXPR_BOOL, &a, &e));
    assert_ok(expr_test(x, &in, &yes, &e));
    assert_true(yes);
    assert_ok(expr_compile(&x, SLICE("i"), w.table, w.n, EXPR_BOOL, &a, &e));
    assert_refused(E_INVALID, expr_test(x, &in, &yes, &e));
    arena_free(&a);
    json_decref(w.vars);
}

static void limits(void **state)
{
    (void)state;
    static char source[3 * EXPR_SOURCE_MAX];
    struct arena a;
    struct expr *x;
    const struct expr_var v = { "l", EXPR_LIST };
    struct { const char *head, *part, *tail; unsigned times; enum eim_err want; } t[] = {
        { "", "(", "1", 100, E_LIMIT }, { "", "-", "1", 100, E_LIMIT }, { "1", "+1", "", 2000, E_LIMIT },
        { "", " ", "1", EXPR_SOURCE_MAX, E_LIMIT },
        { "l", "[0]", "", 100, E_LIMIT }, { "", "[", "", 100, E_LIMIT },
        { "l.all(a, l.all(b, l.all(c, l.all(d, true))))", "", "", 0, E_LIMIT },
        { "l.all(a, l.all(b, l.all(c, l.all(d, l.all(e, true)))))", "", "", 0, E_LIMIT },
        { "l.all(a, l.all(b, true))", "", "", 0, OK },
        { "'a'.matches('", "(a{100}){100}", "')", 1, E_LIMIT }, { "true", " ? true : true", "", 60, E_LIMIT },
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct err e = { 0 };
        size_t n = (size_t)snprintf(source, sizeof source, "%s", t[i].head);
        for (unsigned k = 0; k < t[i].times && n + 32 < sizeof source; k++) n += (size_t)snprintf(source + n, sizeof source - n, "%s", t[i].part);
        snprintf(source + n, sizeof source - n, "%s", t[i].tail);
        arena_init(&a, 4 << 20);
        enum eim_err rc = expr_compile(&x, slice_str(source), &v, 1, EXPR_DYN, &a, &e);
        if (rc != t[i].want) fail_msg("%.60s...: %s: %s", source, err_name(rc), e.why);
        if (rc == OK) assert_true(expr_cost(x) > 64 * 64 && expr_cost(x) <= EXPR_COST_MAX);
        arena_free(&a);
    }
}

static void a_full_arena_is_an_error_and_no_crash(void **state)
{
    (void)state;
    const struct expr_var v = { "l", EXPR_LIST };
    for (long nth = 1;; nth++) {
        struct arena a;
        struct expr *x;
        struct err e = { 0 };
        arena_init(&a, 1 << 20);
        a.fail_at = nth;
        enum eim_err rc = expr_compile(&x, SLICE("l.exists(x, x.matches('a+b|[c-d]{2,3}') || x in ['q', \"r\"] && 1 + 2 < 4)"), &v, 1, EXPR_BOOL, &a, &e);
        arena_free(&a);
        if (rc == OK) break;
        assert_int_equal(rc, E_NOMEM);
        assert_true(nth < 300);
    }
}

static void patterns_match_as_re2_has_it(void **state)
{
    (void)state;
    static const struct { const char *pattern, *text; int want; } t[] = {
        { "abc", "xabcx", 1 }, { "^abc$", "abc", 1 }, { "^abc$", "abcd", 0 }, { "a|b|cd", "xcd", 1 },
        { "a|b|cd", "xc", 0 }, { "^(a|bc)*$", "abcabc", 1 }, { "^(a|bc)*$", "abcab", 0 },
        { "^a+$", "aaa", 1 }, { "^a+$", "", 0 }, { "^a?b$", "b", 1 }, { "^a{2,3}$", "aa", 1 }, { "^a{2,3}$", "aaaa", 0 },
        { "^a{2,}$", "aaaaa", 1 }, { "^a{2,}$", "a", 0 }, { "^a{0}b$", "b", 1 },
        { "^(ab){2}$", "abab", 1 }, { "^(ab){2}$", "ab", 0 }, { "^[a-c]+$", "abcb", 1 }, { "^[^a-c]+$", "xyz", 1 },
        { "^[^a-c]+$", "xaz", 0 }, { "^[]a]+$", "]a", 1 }, { "^[a-]+$", "a-", 1 },
        { "^\\d{3}$", "123", 1 }, { "\\s", "a b", 1 }, { "^\\w+$", "a_1", 1 }, { "^\\W$", "-", 1 },
        { "^[\\d.]+$", "1.2", 1 }, { "^.$", "\xC3\xA4", 1 }, { "^.$", "\n", 0 }, { "a.c", "a\nc", 0 },
        { "^\\.$", ".", 1 }, { "^\\.$", "x", 0 }, { "", "anything", 1 }, { "^$", "", 1 }, { "(?:ab)+c", "ababc", 1 },
        { "^(a|ab)(c|bcd)$", "abcd", 1 }, { "^a*?b$", "aab", 1 }, { "^(a*)*$", "aaaa", 1 },
        { "^(a?){3}a{3}$", "aaa", 1 }, { "x*y*z*$", "q", 1 }, { "^(|a)b$", "b", 1 }, { "^(a|b|)c$", "c", 1 },
        { "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0 },
        { "(", "", -1 }, { ")", "", -1 }, { "a**", "", -1 }, { "*a", "", -1 }, { "[a", "", -1 }, { "[b-a]", "", -1 },
        { "a{3,2}", "", -1 }, { "a{1000}", "", -1 }, { "\\q", "", -1 }, { "(?i)a", "", -1 },
        { "(?P<n>a)", "", -1 }, { "\\1", "", -1 }, { "[[:alpha:]]", "", -1 }, { "a{x}", "", -1 }, { "\\", "", -1 },
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct arena a;
        struct regex *r;
        struct err e = { 0 };
        arena_init(&a, 1 << 20);
        enum eim_err rc = regex_compile(&r, slice_str(t[i].pattern), &a, &e);
        if ((rc == OK) != (t[i].want >= 0)) fail_msg("%s: %s %s", t[i].pattern, err_name(rc), e.why);
        if (rc == OK && regex_matches(r, slice_str(t[i].text)) != (t[i].want == 1)) fail_msg("%s on %s", t[i].pattern, t[i].text);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_what_they_say), cmocka_unit_test(operators_do_as_cel_says), cmocka_unit_test(errors_are_absorbed_on_both_sides),
        cmocka_unit_test(members_and_macros), cmocka_unit_test(texts_times_and_conversions), cmocka_unit_test(what_is_wrong_is_said_with_line_and_column),
        cmocka_unit_test(the_result_must_be_what_is_wanted), cmocka_unit_test(limits), cmocka_unit_test(a_full_arena_is_an_error_and_no_crash),
        cmocka_unit_test(patterns_match_as_re2_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
