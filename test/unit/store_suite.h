/* store_suite.h -- what the three test programs of the store share: both engines, jobs as lists of steps, made-up rows. */
#ifndef TEST_UNIT_STORE_SUITE_H
#define TEST_UNIT_STORE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#undef fail                                         /* ours is in base/err.h; fail_msg() needs theirs */
#define flunk(...) do { print_error(__VA_ARGS__); print_error("\n"); _fail(__FILE__, __LINE__); } while (0)

#include "store/store.h"
#include "test/lib/pg.h"
#include "test/lib/tmpdir.h"

/* ---- engines ---- */

struct engine { const char *name; };
static const struct engine sqlite_engine = { "sqlite" }, postgres_engine = { "postgresql" };

/* fresh_url -- of a database that does not exist yet, or is empty. */
static inline const char *fresh_url(void **state)
{
    static char url[8][256];
    static unsigned turn;
    if (*state == &postgres_engine) return pg_fresh(pg_shared());
    char *out = url[turn++ % 8];
    snprintf(out, sizeof url[0], "sqlite:%s", tmp_path(tmp_make(), "eimd.db"));
    return out;
}

#define BOTH(f) { "sqlite: " #f, f, NULL, NULL, (void *)(uintptr_t)&sqlite_engine }, \
                { "postgresql: " #f, f, NULL, NULL, (void *)(uintptr_t)&postgres_engine }
#define SQLITE(f) { "sqlite: " #f, f, NULL, NULL, (void *)(uintptr_t)&sqlite_engine }
#define POSTGRES(f) { "postgresql: " #f, f, NULL, NULL, (void *)(uintptr_t)&postgres_engine }

/* good -- the call went well, or the test fails with its reason. */
#define good(call) \
    do { struct err e = { 0 }; enum eim_err rc_ = (call); if (rc_ != OK) flunk("%s: %s: %s", #call, err_name(rc_), e.why); } while (0)
/* bad -- the call failed with just this code, and says why; bad_why -- with these words in it. */
#define bad(code_, call) bad_why(code_, "", call)
#define bad_why(code_, words, call) \
    do { struct err e = { 0 }; enum eim_err rc_ = (call); \
        if (rc_ != (code_)) flunk("%s: %s, not %s: %s", #call, err_name(rc_), #code_, e.why); \
        assert_int_equal(e.code, rc_); assert_true(e.why[0]); \
        if (!strstr(e.why, words)) flunk("%s: \"%s\" does not say \"%s\"", #call, e.why, words); } while (0)

static inline struct store *open_url(const char *url)
{
    struct store *s;
    good(store_open(&s, &(struct store_options){ .url = url, .writers = 4 }, &e));
    return s;
}

/* ---- jobs ---- */

enum what {
    IDENTITY_PUT, DEVICE_INSERT, DEVICE_UPDATE, DEVICE_DELETE, COUNTERS_ADD, LABEL_PUT, CONTACT_PUT, PROFILE_REPLACE, PROFILE_DELETE, CARD_EIM_REPLACE,
    DATA_PUT, OPERATION_INSERT, OPERATION_UPDATE, NOTIFICATION_PUT, HINT_PUT, AUDIT, TOKEN_PUT, GIVE_UP,
};
struct step {
    enum what what;
    const void *p;                                 /* the row */
    int64_t a;                                     /* association, from-state, id or number */
    size_t n;
};
struct script { struct store_job job; const struct step *step; size_t n; };

static inline enum eim_err step_run(struct tx *t, const struct step *s, struct err *e)
{
    switch (s->what) {
    case IDENTITY_PUT:     return store_identity_put(t, s->p, e);
    case DEVICE_INSERT:    return store_device_insert(t, s->p, e);
    case DEVICE_UPDATE:    return store_device_update(t, s->p, e);
    case DEVICE_DELETE:    return store_device_delete(t, s->a, e);
    case COUNTERS_ADD:     return store_counters_add(t, s->a, e);
    case LABEL_PUT:        return store_label_put(t, s->a, 1, s->p, e);
    case CONTACT_PUT:      return store_contact_put(t, s->p, s->n, e);
    case PROFILE_REPLACE:  return store_profile_replace(t, s->a, 1, s->p, s->n, e);
    case PROFILE_DELETE:   return store_profile_delete(t, s->a, *(const struct slice *)s->p, e);
    case CARD_EIM_REPLACE: return store_card_eim_replace(t, s->a, 1, s->p, s->n, e);
    case DATA_PUT:         return store_data_put(t, s->a, 1, s->p, e);
    case OPERATION_INSERT: return store_operation_insert(t, s->p, e);
    case OPERATION_UPDATE: return store_operation_update(t, s->p, (enum operation_state)s->a, e);
    case NOTIFICATION_PUT: return store_notification_put(t, s->p, e);
    case HINT_PUT:         return store_hint_put(t, s->p, e);
    case AUDIT:            return store_audit_append(t, 1, s->a, 1000 + s->a, *(const struct slice *)s->p, e);
    case TOKEN_PUT:        return store_token_put(t, s->p, e);
    case GIVE_UP:          return fail(e, (enum eim_err)s->a, NULL, "this job gives up");
    }
    return E_INTERNAL;
}

static inline enum eim_err script_apply(struct tx *t, struct store_job *job, struct err *e)
{
    const struct script *s = (const struct script *)job;
    for (size_t i = 0; i < s->n; i++) TRY(step_run(t, &s->step[i], e));
    return OK;
}

static inline enum eim_err script_run(struct store *s, const struct step *step, size_t n, struct err *e)
{
    struct script j = { .job.apply = script_apply, .step = step, .n = n };
    return store_run(s, &j.job, e);
}

/* WRITE -- the steps given, as one job. Uses `e` of good() and bad(). */
#define WRITE(s, ...) script_run(s, (const struct step[]){ __VA_ARGS__ }, sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step), &e)
#define W(what_, ...) { .what = what_, __VA_ARGS__ }

/* READ -- run the statement with a snapshot `t`. */
#define READ(s, ...) \
    do { struct tx *t; good(store_read_begin(s, &t, &e)); __VA_ARGS__; store_read_end(t); } while (0)

/* ---- rows ---- */

static inline struct device a_device(int64_t association)
{
    struct device d = { .association = association, .tenant = 1, .identity = 1, .token = DEVICE_TOKEN_NONE,
                        .token_candidate = DEVICE_TOKEN_NONE, .state_cause = -1, .enrolled_us = 5, .version = 1 };
    memcpy(d.eid.b, &association, sizeof association);
    return d;
}

static inline struct operation an_operation(int64_t association, int64_t id)
{
    return (struct operation){ .association = association, .id = id, .tenant = 1, .seq = -1, .code = -1, .created_us = id,
                               .request = SLICE("\xbf\x51\x00"), .principal = SLICE("token:test") };
}

#endif
