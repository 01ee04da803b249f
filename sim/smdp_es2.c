/* smdp_es2.c -- ES2+ on the SM-DP+'s side (SGP.22 5.3): profiles that an operator orders, confirms, releases and takes back.
 *
 * A profile goes allocated -> linked -> released -> installed, or becomes available again by cancelOrder. What a call asks for that the
 * state does not allow is refused as SGP.22 5.3 has it; the same call again is answered the same way where nothing can go wrong by it. */
#include "base/json.h"
#include "sim/smdp_int.h"
#include "sim/world.h"

#include <stdio.h>

static bool refuse(const char **subject, const char **reason, const char *s, const char *r)
{
    *subject = s;
    *reason = r;
    return false;
}

static struct dp_order *by_iccid(struct dp_orders *all, const json_t *in)
{
    const char *text = json_string_value(json_object_get(in, "iccid"));
    for (size_t i = 0; text && i < all->n; i++)
        if (!strcmp(all->v[i].iccid_text, text)) return &all->v[i];
    return NULL;
}

/* An EID that is named must be that of the order, or becomes it. */
static bool same_eid(struct dp_order *o, const json_t *in)
{
    struct slice text = json_slice(json_object_get(in, "eid"));
    uint8_t eid[SIM_EID];
    if (!text.n) return true;
    if (slice_unhex(text, eid, sizeof eid) != SIM_EID || (o->has_eid && memcmp(o->eid, eid, sizeof eid) != 0)) return false;
    memcpy(o->eid, eid, sizeof eid);
    o->has_eid = true;
    return true;
}

static bool download_order(struct dp_orders *all, const json_t *in, json_t *out, const char **subject, const char **reason)
{
    if (!json_string_length(json_object_get(in, "profileType"))) return refuse(subject, reason, "8.2.5", "2.2");
    if (all->n == SIM_SMDP_ORDERS) return refuse(subject, reason, "8.2.5", "3.7");
    struct dp_order *o = &all->v[all->n];
    *o = (struct dp_order){ .state = DP_ALLOCATED };
    if (!same_eid(o, in)) return refuse(subject, reason, "8.1.1", "2.2");
    sim_iccid_make(all->prefix, all->seed, DP_ORDER_FROM + all->n++, o->iccid);
    sim_iccid_text(o->iccid, o->iccid_text);
    json_object_set_new(out, "iccid", json_string(o->iccid_text));
    return true;
}

static bool confirm_order(struct dp_orders *all, const json_t *in, json_t *out, const char **subject, const char **reason)
{
    struct dp_order *o = by_iccid(all, in);
    struct slice code = json_slice(json_object_get(in, "confirmationCode"));
    const json_t *release = json_object_get(in, "releaseFlag");
    if (!o) return refuse(subject, reason, "8.2.1", "3.9");
    if (!same_eid(o, in)) return refuse(subject, reason, "8.1.1", "3.10");
    if (!json_is_boolean(release) || code.n >= sizeof o->confirmation) return refuse(subject, reason, "8.2", "2.2");
    if (o->state != DP_ALLOCATED) return refuse(subject, reason, "8.2.1", "3.3");
    snprintf(o->matching, sizeof o->matching, "ORDER-%04zu", (size_t)(o - all->v) + 1);
    snprintf(o->confirmation, sizeof o->confirmation, "%.*s", (int)code.n, code.n ? (const char *)code.p : "");
    o->state = json_is_true(release) ? DP_RELEASED : DP_LINKED;
    json_object_set_new(out, "matchingId", json_string(o->matching));
    json_object_set_new(out, "smdpAddress", json_string(all->address));
    return true;
}

static bool release_profile(struct dp_orders *all, const json_t *in, json_t *out, const char **subject, const char **reason)
{
    struct dp_order *o = by_iccid(all, in);
    (void)out;
    if (!o) return refuse(subject, reason, "8.2.1", "3.9");
    if (o->state != DP_LINKED && o->state != DP_RELEASED) return refuse(subject, reason, "8.2.1", "3.3");
    o->state = DP_RELEASED;
    return true;
}

static bool cancel_order(struct dp_orders *all, const json_t *in, json_t *out, const char **subject, const char **reason)
{
    struct dp_order *o = by_iccid(all, in);
    (void)out;
    if (!o) return refuse(subject, reason, "8.2.1", "3.9");
    if (!same_eid(o, in)) return refuse(subject, reason, "8.1.1", "3.10");
    if (o->state == DP_INSTALLED) return refuse(subject, reason, "8.2.1", "3.3");
    o->state = DP_CANCELLED;
    return true;
}

static const struct {
    const char *name;
    bool (*run)(struct dp_orders *all, const json_t *in, json_t *out, const char **subject, const char **reason);
} functions[] = {
    { "downloadOrder", download_order }, { "confirmOrder", confirm_order }, { "releaseProfile", release_profile }, { "cancelOrder", cancel_order },
};

bool dp_es2_call(struct dp_orders *all, const char *function, const json_t *in, json_t *out, const char **subject, const char **reason)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (!strcmp(functions[i].name, function)) {
            if (functions[i].run(all, in, out, subject, reason)) *subject = *reason = NULL;
            return true;
        }
    return false;
}

struct dp_order *dp_order_of(struct dp_orders *all, struct slice matching)
{
    for (size_t i = 0; matching.n && i < all->n; i++)
        if (slice_eq(matching, slice_str(all->v[i].matching))) return &all->v[i];
    return NULL;
}

bool dp_order_judge(const struct dp_order *o, const uint8_t eid[SIM_EID], const char **subject, const char **reason)
{
    if (o->state == DP_ALLOCATED || o->state == DP_LINKED) return refuse(subject, reason, "8.2", "1.2");
    if (o->state != DP_RELEASED) return refuse(subject, reason, "8.2.6", "3.8");
    return !o->has_eid || !memcmp(o->eid, eid, SIM_EID) ? true : refuse(subject, reason, "8.1.1", "3.8");
}
