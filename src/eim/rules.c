/* rules.c -- invariant I6: no operation strands a device.
 *
 * A device with no enabled profile has a modem that resets for ever; one whose last usable profile is deleted, or that forgets
 * this eIM, can't be told anything again. Both are refused unless a person overrides them by name. The judgement runs the package
 * over the profiles known, as the eUICC would (spec 5.5: in order; enable disables what was enabled). It is made when an operation is
 * created, if a fresh inventory stands, after running what waits before it; and always again when its package is to be signed. */
#include "eim/esipa_int.h"

static const struct slice *changed_iccid(const struct psmo *s)
{
    switch (s->der.which) {
    case psmo_is_enable: return &s->enable.iccid;
    case psmo_is_disable: return &s->disable.iccid;
    case psmo_is_delete: return &s->delete.iccid;
    default: return NULL;
    }
}

static bool deletes_us(const struct euicc_package *p, const struct identity *id)
{
    if (p->der.which != euicc_package_is_eco_list) return false;
    for (size_t i = 0; i < p->eco_list.n; i++) {
        const struct eco *c = &p->eco_list.v[i];
        if (c->der.which == eco_is_delete_eim && slice_eq(c->delete_eim.eim_id, id->eim_id)) return true;
    }
    return false;
}

bool rules_needs_inventory(const struct euicc_package *p)
{
    if (p->der.which != euicc_package_is_psmo_list) return false;
    for (size_t i = 0; i < p->psmo_list.n; i++)
        if (p->psmo_list.v[i].der.which == psmo_is_disable || p->psmo_list.v[i].der.which == psmo_is_delete) return true;
    return false;
}

/* May a device reach the eIM over this profile? Test profiles have no network. */
static bool reaches(const struct profile *p)
{
    return p->class_ != 0;
}

void rules_begin(struct rules_state *s, const struct device *d, const struct profile_list *known)
{
    *s = (struct rules_state){ .known = known, .enabled = d->enabled };
}

static bool installed(const struct rules_state *s, struct slice iccid)
{
    for (size_t k = 0; k < s->known->n && k < PLAN_PROFILES; k++)
        if (!s->gone[k] && slice_eq(s->known->v[k].iccid, iccid)) return true;
    return false;
}

void rules_run(struct rules_state *s, const struct euicc_package *p)
{
    for (size_t i = 0; p->der.which == euicc_package_is_psmo_list && i < p->psmo_list.n; i++) {
        const struct psmo *step = &p->psmo_list.v[i];
        const struct slice *iccid = changed_iccid(step);
        if (!iccid) continue;
        if (step->der.which == psmo_is_enable && !installed(s, *iccid)) return;        /* it will fail, and the rest is not executed */
        if (step->der.which == psmo_is_enable) s->enabled = *iccid;
        else if (slice_eq(s->enabled, *iccid)) s->enabled = (struct slice){ 0 };
        for (size_t k = 0; step->der.which == psmo_is_delete && k < s->known->n && k < PLAN_PROFILES; k++)
            s->gone[k] |= slice_eq(s->known->v[k].iccid, *iccid);
    }
}

enum eim_err rules_strand(struct rules_state *s, const struct identity *id, const struct euicc_package *p,
                          int64_t overrides, struct err *e)
{
    if (deletes_us(p, id) && !(overrides & OVERRIDE_LAST_WAY_TO_EIM))
        return fail_field(e, E_RULE, "SGP.32 3.5.1", "override",
                          "deleteEim of this eIM ends its control of the device; override \"last_way_to_eim\" to do it all the same");
    if (!rules_needs_inventory(p)) return OK;
    rules_run(s, p);
    if (!s->enabled.n && !(overrides & OVERRIDE_NO_ENABLED_PROFILE))
        return fail_field(e, E_RULE, "SGP.32 5.9.1", "override",
                          "it would leave the device without an enabled profile; override \"no_enabled_profile\" to do it all the same");
    size_t before = 0, after = 0;
    for (size_t k = 0; k < s->known->n && k < PLAN_PROFILES; k++) {
        before += reaches(&s->known->v[k]);
        after += reaches(&s->known->v[k]) && !s->gone[k];
    }
    if (before && !after && !(overrides & OVERRIDE_LAST_WAY_TO_EIM))
        return fail_field(e, E_RULE, "SGP.32 5.9.1", "override",
                          "it would delete the last profile over which the device reaches the eIM; override \"last_way_to_eim\" to do it all the same");
    return OK;
}
