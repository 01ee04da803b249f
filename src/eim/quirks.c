/* quirks.c -- the table of deviations, the tenants' rules in memory, and which of both is true of a device. */
#include "eim/quirks.h"

#include "base/mem.h"
#include "eim/manage.h"
#include "eim/plan.h"

#include <string.h>

static const struct quirk_info rows[QUIRKS_N] = {
#define X(id, name_, clause_, learned_, what_, remedy_) [id##_ROW] = { name_, clause_, what_, remedy_, learned_ },
    QUIRKS(X)
#undef X
};

const struct quirk_info *quirk_info(enum quirk_row row)
{
    return &rows[row];
}

int64_t quirk_named(struct slice name)
{
    for (int i = 0; i < QUIRKS_N; i++)
        if (slice_eq(name, slice_str(rows[i].name))) return INT64_C(1) << i;
    return 0;
}

char *quirks_text(int64_t quirks, struct arena *a)
{
    char *text = NULL;
    for (int i = 0; i < QUIRKS_N; i++)
        if (quirks >> i & 1 && !(text = arena_printf(a, "%s%s%s", text ? text : "", text ? "," : "", rows[i].name))) return NULL;
    return text ? text : arena_printf(a, "none");
}

struct quirks {
    pthread_rwlock_t lock;                         /* guards all below */
    struct arena memory;                           /* of the rules */
    struct quirk_rule_list rules;
    int64_t read_us;
};

enum { RULES_MEMORY = 2 << 20 };

enum eim_err quirks_open(struct quirks **out, struct err *e)
{
    *out = MEM_NEW(struct quirks);
    if (!*out) return fail(e, E_NOMEM, NULL, "no memory for quirks");
    pthread_rwlock_init(&(*out)->lock, NULL);
    arena_init(&(*out)->memory, RULES_MEMORY);
    return OK;
}

void quirks_close(struct quirks *q)
{
    if (!q) return;
    arena_free(&q->memory);
    pthread_rwlock_destroy(&q->lock);
    mem_free(q);
}

enum eim_err quirks_refresh(struct eim *m, bool now, struct err *e)
{
    struct quirks *q = m->quirks;
    struct quirk_rule_list rules;
    struct arena memory, old;
    struct tx *t;
    pthread_rwlock_rdlock(&q->lock);
    bool fresh = q->read_us && eim_now(m) - q->read_us < QUIRK_RULES_FRESH_US;
    pthread_rwlock_unlock(&q->lock);
    if (fresh && !now) return OK;
    arena_init(&memory, RULES_MEMORY);
    enum eim_err rc = store_read_begin(m->host->store, &t, e);
    if (rc == OK) {
        rc = store_quirk_rules(t, 0, QUIRK_RULES_MAX, &rules, &memory, e);
        store_read_end(t);
    }
    if (rc != OK) {
        arena_free(&memory);
        return rc;
    }
    pthread_rwlock_wrlock(&q->lock);
    old = q->memory;
    q->memory = memory;
    q->rules = rules;
    q->read_us = eim_now(m);
    pthread_rwlock_unlock(&q->lock);
    arena_free(&old);
    return OK;
}

static bool begins(const char *text, struct slice with)
{
    return !with.n || (text && strlen(text) >= with.n && !memcmp(text, with.p, with.n));
}

enum eim_err quirks_of(struct eim *m, struct tx *t, const struct device *d, const char *agent, int64_t *out, struct arena *a, struct err *e)
{
    struct quirks *q = m->quirks;
    struct euicc_facts facts = { .firmware = "" };
    enum eim_err rc = OK;
    bool looked = false;
    char eid[33];
    *out = d->quirks;
    eid_print(&d->eid, eid);
    pthread_rwlock_rdlock(&q->lock);
    for (size_t i = 0; rc == OK && i < q->rules.n; i++) {
        const struct quirk_rule *r = &q->rules.v[i];
        if (r->tenant != d->tenant || !begins(eid, r->maker) || !begins(agent, r->ipa)) continue;
        if (r->firmware.n && !looked) {
            struct device_data data;
            rc = store_data_get(t, d->association, &data, a, e);
            if (rc == OK) (void)manage_euicc_facts(&data, &facts, a);
            looked = true;
        }
        if (rc == OK && (!r->firmware.n || slice_eq(r->firmware, slice_str(facts.firmware)))) *out |= r->quirks;
    }
    pthread_rwlock_unlock(&q->lock);
    return rc;
}

enum eim_err quirks_learn(struct plan *p, enum quirk q, struct err *e)
{
    if (p->d.quirks & q) return OK;
    int row = 0;
    while (q >> row != 1) row++;
    p->d.quirks |= q;
    p->quirks |= q;
    p->device_dirty = true;
    struct audit_entry en = { .tenant = p->d.tenant, .principal = SLICE("eim"), .action = "device.quirk_learned", .eid = &p->d.eid,
                              .detail = slice_str(rows[row].name) };
    return plan_audit(p, &en, e);
}

static bool of_v1_1(const struct psmo *s)
{
    return s->der.which == psmo_is_configure_immediate_enable || s->der.which == psmo_is_set_fallback_attribute ||
           s->der.which == psmo_is_unset_fallback_attribute || s->der.which == psmo_is_set_default_dp_address;
}

enum eim_err quirks_judge(int64_t quirks, const struct euicc_package *package, struct err *e)
{
    size_t n = package->der.which == euicc_package_is_psmo_list ? package->psmo_list.n : 0;
    for (size_t i = 0; i < n; i++) {
        const struct psmo *s = &package->psmo_list.v[i];
        if (quirks & QUIRK_NO_ROLLBACK && s->der.which == psmo_is_enable && der_has(&s->enable, psmo_enable, rollback_flag))
            return fail_field(e, E_RULE, "SGP.32 5.9.16", "enable.rollback",
                              "this device has answered rollbackNotAvailable before; override \"quirk\" to order it all the same");
        if (quirks & QUIRK_V1_0 && of_v1_1(s))
            return fail_field(e, E_RULE, "SGP.32 2.11.1.1", "psmos",
                              "this device follows v1.0, which has no such operation; override \"quirk\" to order it all the same");
    }
    return OK;
}
