/* fuzz_text.c -- what people and systems send as text: orders and enrolments in JSON, import batches, settings, activation codes. The first byte
 * chooses. What is accepted must hold together: an order's package decodes, passes its own rules and can be shown; a batch stays
 * within its ceiling and every refused line says why. */
#include "front/rest_import.c"

#include <stdlib.h>

#include "base/conf.h"
#include "eim/ops.h"
#include "eim/pool.h"
#include "test/fuzz/replay.h"

#define MUST_HOLD(cond) do { if (!(cond)) abort(); } while (0)

static void order(const json_t *v, struct arena *a)
{
    struct slice package;
    struct euicc_package p;
    int64_t overrides;
    struct err e = { 0 };
    if (ops_from_json(v, &package, &overrides, a, &e) != OK) {
        MUST_HOLD(e.code != OK && e.why[0]);
        return;
    }
    MUST_HOLD(der_decode(&euicc_package_type, package, &p, a, &e) == OK);
    MUST_HOLD(ops_check(&p, &e) == OK);
    json_t *shown = ops_json(&p, NULL, a);
    size_t n = p.der.which == euicc_package_is_psmo_list ? p.psmo_list.n : p.eco_list.n;
    MUST_HOLD(shown && json_array_size(shown) == n && n >= 1 && n <= OPERATION_STEPS_MAX);
    json_decref(shown);
}

static void enrolment(const json_t *v, struct arena *a)
{
    struct enrolment out;
    struct err e = { 0 };
    enum eim_err rc = manage_enrolment_from_json(v, &out, a, &e);
    MUST_HOLD(rc == OK ? out.eid.n > 0 : e.why[0] != 0);
}

static void batch(struct slice text, bool csv, struct arena *a)
{
    struct rest_call c = { .arena = a };
    struct batch b = { .c = &c, .lines = ARENA_ARRAY(a, struct line, ENROL_BATCH_MAX) };
    struct err e = { 0 };
    MUST_HOLD(b.lines != NULL);
    (void)(csv ? read_csv(&b, text, &e) : read_jsonl(&b, text, &e));
    MUST_HOLD(b.n <= ENROL_BATCH_MAX);
    for (size_t i = 0; i < b.n; i++) {
        MUST_HOLD(b.lines[i].number >= 1 && (b.lines[i].enrolment.rc == OK || b.lines[i].enrolment.err.why[0]));
        json_decref(b.lines[i].object);
    }
}

static void settings(struct slice text)
{
    static struct conf c;
    struct err e = { 0 };
    if (conf_read_text(&c, text, "fuzz", &e) != OK) MUST_HOLD(!strncmp(e.why, "fuzz", 4));
    conf_free(&c);
}

/* Its parts, put together, are it again, but for empty ones at the end; what is refused is not told to anybody. */
static void code(struct slice text, struct arena *a)
{
    struct code_parts c;
    struct err e = { 0 };
    if (code_parse(text, "code", &c, &e) != OK) {
        MUST_HOLD(e.why[0] && !strcmp(e.field, "code"));
        return;
    }
    char *again = arena_printf(a, "1$%.*s$%.*s$%.*s$%s", (int)c.address.n, (const char *)c.address.p, (int)c.matching.n, (const char *)c.matching.p,
                               (int)c.oid.n, c.oid.n ? (const char *)c.oid.p : "", c.confirmation ? "1" : "");
    MUST_HOLD(again && c.address.n && c.whole.p >= text.p && c.whole.p + c.whole.n == text.p + text.n);
    MUST_HOLD(c.whole.n <= strlen(again) && !memcmp(again, c.whole.p, c.whole.n));
    for (const char *p = again + c.whole.n; *p; p++) MUST_HOLD(*p == '$');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a;
    struct err e = { 0 };
    json_t *v = NULL;
    if (!n) return 0;
    struct slice text = { p + 1, n - 1 };
    arena_init(&a, 8 << 20);
    if (p[0] == 0xff) {
        code(text, &a);
        arena_free(&a);
        return 0;
    }
    switch (p[0] % 5) {
    case 0:
    case 1:
        if (json_read(text, 1 << 16, &v, &e) == OK) {
            if (p[0] % 5) enrolment(v, &a);
            else order(v, &a);
        }
        json_decref(v);
        break;
    case 2:
    case 3:
        batch(text, p[0] % 5 == 3, &a);
        break;
    default:
        settings(text);
    }
    arena_free(&a);
    return 0;
}
