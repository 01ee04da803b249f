/* tell.c -- what a plan changes, told: audit entries, and events of what no entry tells (doc/events.md).
 *
 * The events come from comparing the device's row as it was read with the row that is written, so no handler has to think of them. */
#include "eim/plan.h"

#include "asn1/codes.h"

struct telling {
    const struct plan *p;
    struct event *v;
    size_t n;
    bool full;                         /* the arena was: then nothing is written, and the plan fails */
};

static char *keep(struct telling *w, const char *text)
{
    char *copy = arena_str(w->p->arena, slice_str(text));
    w->full |= !copy;
    return copy;
}

static struct event_part part_iccid(struct telling *w, const char *name, struct slice iccid)
{
    char text[21];
    if (!iccid.n) return (struct event_part){ 0 };
    iccid_print(iccid, text);
    return (struct event_part){ name, slice_str(keep(w, text)) };
}

static struct event_part part_plmn(struct telling *w, const char *name, struct slice plmn)
{
    char text[8];
    if (!plmn.n) return (struct event_part){ 0 };
    plmn_print(plmn, text);
    return (struct event_part){ name, slice_str(keep(w, text)) };
}

static void tell(struct telling *w, enum event_type type, int64_t operation, const struct event_part *parts, size_t n)
{
    struct event_part *copy = ARENA_ARRAY(w->p->arena, struct event_part, n);
    w->full |= !copy || w->n == PLAN_EVENTS;
    if (w->full) return;
    for (size_t i = 0; i < n; i++) copy[i] = parts[i];
    w->v[w->n++] = (struct event){ .tenant = w->p->d.tenant, .type = type, .eid = &w->p->d.eid, .operation = operation, .parts = copy, .nparts = n };
}
#define TELL(w, type, operation, ...) tell(w, type, operation, (const struct event_part[]){ __VA_ARGS__ }, \
                                           sizeof((const struct event_part[]){ __VA_ARGS__ }) / sizeof(struct event_part))

/* What the IPA said of itself: unsigned, and marked so. */
static void tell_contact(struct telling *w)
{
    const struct device *d = &w->p->d, *was = &w->p->was;
    const struct event_part reported = { "provenance", slice_str(evidence_name(EVIDENCE_IPA_REPORTED)) };
    if (d->first_contact_us && !was->first_contact_us) TELL(w, EVENT_DEVICE_FIRST_CONTACT, 0, part_plmn(w, "network", d->rplmn), reported);
    else if (!slice_eq(d->rplmn, was->rplmn))
        TELL(w, EVENT_DEVICE_CONTACT, 0, part_plmn(w, "network", d->rplmn), part_plmn(w, "previous", was->rplmn), reported);
    if (d->state_cause_us != was->state_cause_us) {
        const char *name = d->state_cause < 0 ? NULL : der_name(state_change_cause_names, d->state_cause);
        TELL(w, EVENT_DEVICE_STATE_CHANGED, 0, { name ? "cause" : NULL, slice_str(name ? name : "") }, reported);
    }
}

static void tell_profiles(struct telling *w)
{
    const struct device *d = &w->p->d, *was = &w->p->was;
    if (d->has_enabled && d->enabled.n && !(was->has_enabled && slice_eq(d->enabled, was->enabled)))
        TELL(w, EVENT_PROFILE_ENABLED, d->enabled_op, part_iccid(w, "iccid", d->enabled), part_iccid(w, "previous", was->enabled));
    if (d->has_enabled && !d->enabled.n && was->has_enabled && was->enabled.n)
        TELL(w, EVENT_PROFILE_DISABLED, d->enabled_op, part_iccid(w, "previous", was->enabled));
    for (size_t i = 0; i < w->p->ndeletes; i++) TELL(w, EVENT_PROFILE_DELETED, 0, part_iccid(w, "iccid", w->p->deletes[i]));
}

static const char *notified(int64_t event)
{
    return event == 1 ? "install" : event == 2 ? "enable" : event == 4 ? "disable" : event == 8 ? "delete" : "several";
}

static void tell_notifications(struct telling *w)
{
    for (size_t i = 0; i < w->p->nnotifications; i++) {
        const struct plan_notification *pn = &w->p->notifications[i];
        bool proven = pn->n.state == NOTIFICATION_VERIFIED;
        if (!pn->fresh || !proven) continue;           /* what does not verify is a hint, and anybody can send many */
        TELL(w, EVENT_NOTIFICATION_RECEIVED, 0, { "change", slice_str(notified(pn->n.event)) }, part_iccid(w, "iccid", pn->n.iccid),
             { "smdp", pn->n.address }, { "seq", slice_str(arena_printf(w->p->arena, "%lld", (long long)pn->n.seq)) });
    }
}

enum eim_err plan_tell(const struct plan *p, struct tx *t, struct err *e)
{
    struct telling w = { .p = p, .v = ARENA_ARRAY(p->arena, struct event, PLAN_EVENTS) };
    if (!w.v) return fail(e, E_NOMEM, NULL, "no room for events");
    tell_contact(&w);
    tell_profiles(&w);
    tell_notifications(&w);
    if (w.full) return fail(e, E_NOMEM, NULL, "no room for events");
    return audit_add_all(t, p->m->host->env, p->audits, p->naudits, w.v, w.n, e);
}

const struct event_part *operation_parts(struct arena *a, const struct operation *o)
{
    struct event_part *parts = ARENA_ARRAY(a, struct event_part, OPERATION_PARTS);
    if (!parts) return NULL;
    parts[0] = (struct event_part){ "kind", slice_str(operation_kind_name(o->kind)) };
    parts[1] = (struct event_part){ "origin", slice_str(operation_origin_name(o->origin)) };
    char *code = o->code > 0 ? arena_printf(a, "%lld", (long long)o->code) : NULL;
    if (code) parts[2] = (struct event_part){ "code", slice_str(code) };
    return parts;
}
