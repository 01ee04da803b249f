/* rules.c -- expressions over attributes in memory: evaluations a second on one core. */
#include "expr/expr.h"

#include <stdio.h>
#include <time.h>

enum { DEVICES = 4096, ROUNDS = 500 };

/* What a device has, as a selection looks at it. */
struct seen { const char *site, *operator_; int64_t last_seen_us, polls; };

struct world { const struct seen *d; int64_t now_us; };

static const struct expr_var vars[] = { { "site", EXPR_STRING }, { "profile.enabled.operator", EXPR_STRING }, { "last_seen", EXPR_TIMESTAMP },
                                        { "now", EXPR_TIMESTAMP }, { "polls", EXPR_INT } };

static bool get(void *ctx, unsigned var, struct expr_value *out)
{
    const struct world *w = ctx;
    *out = (struct expr_value){ .type = vars[var].type };
    if (var < 2) out->s = slice_str(var ? w->d->operator_ : w->d->site);
    else out->us = var == 2 ? w->d->last_seen_us : var == 3 ? w->now_us : w->d->polls;
    return true;
}

int main(void)
{
    static struct seen devices[DEVICES];
    static const char *const sites[] = { "berlin", "paris", "hall-3", "hall-4" };
    struct arena a;
    struct expr *x;
    struct err e = { 0 };
    struct world w = { .now_us = 1795390000000000 };
    const struct expr_input in = { get, &w };
    struct timespec t[2];
    unsigned long hits = 0;
    arena_init(&a, 1 << 20);
    if (expr_compile(&x, SLICE("site == \"berlin\" && profile.enabled.operator == \"A\" && last_seen < now - duration(\"48h\")"), vars,
                     sizeof vars / sizeof vars[0], EXPR_BOOL, &a, &e) != OK) {
        fprintf(stderr, "rules: %s\n", e.why);
        return 1;
    }
    for (int i = 0; i < DEVICES; i++)
        devices[i] = (struct seen){ sites[i % 2], i % 3 ? "A" : "B", w.now_us - (int64_t)(i % 96) * 3600 * 1000000, i };
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t[0]);
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < DEVICES; i++) {
            bool yes;
            w.d = &devices[i];
            if (expr_test(x, &in, &yes, &e) != OK) return 1;
            hits += yes;
        }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t[1]);
    double s = (double)(t[1].tv_sec - t[0].tv_sec) + (double)(t[1].tv_nsec - t[0].tv_nsec) / 1e9;
    printf("expr_per_s %.0f hits %lu\n", (double)DEVICES * ROUNDS / s, hits / ROUNDS);
    arena_free(&a);
    return hits ? 0 : 1;
}
