/* select.c -- devices chosen by an expression. */
#include "fleet/select.h"

#include <stdio.h>

enum { PAGE = 500, WORK_ARENA = 64 << 20 };

static const struct expr_var attributes[A_END] = {
#define X(id, name, type, help) [id] = { name, type },
    SELECT_ATTRIBUTES(X)
#undef X
};

struct selection {
    struct expr *expr;
    unsigned with;                     /* enum manage_with: rows beside the device's own that it needs */
};

enum eim_err select_compile(struct selection **out, struct slice where, struct arena *a, struct err *e)
{
    struct selection *s = ARENA_NEW(a, struct selection);
    if (!s) return fail(e, E_NOMEM, NULL, "no room for the selection");
    enum eim_err rc = expr_compile(&s->expr, where, attributes, A_END, EXPR_BOOL, a, e);
    if (rc != OK) {
        snprintf(e->field, sizeof e->field, "where");
        if (rc == E_LIMIT) rc = e->code = E_INVALID;           /* too large an expression is no matter of how often one asks */
        return rc;
    }
    if (expr_uses(s->expr, A_OPERATOR) || expr_uses(s->expr, A_PROFILE_NAME)) s->with |= WITH_PROFILES;
    if (expr_uses(s->expr, A_EUM) || expr_uses(s->expr, A_FIRMWARE) || expr_uses(s->expr, A_PROFILE_VERSION)) s->with |= WITH_DATA;
    *out = s;
    return OK;
}

/* One device under the expression. */
struct subject {
    const struct device_view *v;
    const struct profile *enabled;     /* its row, if known */
    int64_t now_us;
    json_t *labels;                    /* made when first asked for */
    struct euicc_facts facts;
    char eid[33], iccid[21], plmn[8];
};

static bool time_of(int64_t us, struct expr_value *out)
{
    *out = (struct expr_value){ .type = EXPR_TIMESTAMP, .us = us };
    return us != 0;
}

static bool text_of(struct slice s, struct expr_value *out)
{
    *out = (struct expr_value){ .type = EXPR_STRING, .s = s };
    return true;
}

static bool flag_of(bool b, struct expr_value *out)
{
    *out = (struct expr_value){ .type = EXPR_BOOL, .b = b };
    return true;
}

static bool labels_of(struct subject *s, struct expr_value *out)
{
    if (!s->labels) {
        s->labels = json_object();
        for (size_t i = 0; i < s->v->labels.n; i++) {
            const struct label *l = &s->v->labels.v[i];
            char name[65];
            snprintf(name, sizeof name, "%.*s", (int)l->name.n, (const char *)l->name.p);
            json_object_set_new(s->labels, name, json_stringn((const char *)l->value.p, l->value.n));
        }
    }
    *out = (struct expr_value){ .type = EXPR_MAP, .json = s->labels };
    return s->labels != NULL;
}

static bool get(void *ctx, unsigned var, struct expr_value *out)
{
    struct subject *s = ctx;
    const struct device *d = &s->v->device;
    switch ((enum select_attribute)var) {
    case A_EID: eid_print(&d->eid, s->eid); return text_of(slice_str(s->eid), out);
    case A_LABELS: return labels_of(s, out);
    case A_VERIFICATION: return text_of(slice_str(key_class_name(d->key_class)), out);
    case A_ENABLED: iccid_print(d->enabled, s->iccid); return text_of(slice_str(d->enabled.n ? s->iccid : ""), out) && d->has_enabled;
    case A_OPERATOR: return s->enabled && text_of(s->enabled->provider, out);
    case A_PROFILE_NAME: return s->enabled && text_of(s->enabled->name, out);
    case A_NETWORK: plmn_print(d->rplmn, s->plmn); return text_of(slice_str(s->plmn), out) && d->rplmn.n == 3;
    case A_LAST_SEEN: return time_of(s->v->seen_us, out);
    case A_FIRST_CONTACT: return time_of(d->first_contact_us, out);
    case A_ENROLLED: return time_of(d->enrolled_us, out);
    case A_INVENTORY: return time_of(d->inventory_us, out);
    case A_STALE: return flag_of(!device_inventory_fresh(d), out);
    case A_IN_FLIGHT: return flag_of(d->in_flight != 0, out);
    case A_PENDING: return flag_of(d->next_op != 0, out);
    case A_UNSETTLED: return flag_of(d->unsettled != 0, out);
    case A_COUNTER: *out = (struct expr_value){ .type = EXPR_INT, .i = d->counter }; return true;
    case A_QUARANTINED: return flag_of(d->quarantine_us != 0, out);
    case A_EUM: return text_of(slice_str(s->facts.eum), out) && *s->facts.eum;
    case A_FIRMWARE: return text_of(slice_str(s->facts.firmware), out) && *s->facts.firmware;
    case A_PROFILE_VERSION: return text_of(slice_str(s->facts.profile_version), out) && *s->facts.profile_version;
    case A_NOW: return time_of(s->now_us, out);
    case A_END: break;
    }
    return false;
}

enum judgement { SELECTED, OTHER, UNDECIDED };

static enum judgement judge(const struct selection *s, const struct device_view *v, int64_t now_us, struct arena *work)
{
    struct subject subject = { .v = v, .now_us = now_us };
    struct err why = { 0 };
    bool yes;
    for (size_t i = 0; i < v->profiles.n; i++)
        if (v->device.has_enabled && slice_eq(v->profiles.v[i].iccid, v->device.enabled)) subject.enabled = &v->profiles.v[i];
    if (s->with & WITH_DATA) (void)manage_euicc_facts(&v->data, &subject.facts, work);
    enum eim_err rc = expr_test(s->expr, &(struct expr_input){ get, &subject }, &yes, &why);
    json_decref(subject.labels);
    return rc != OK ? UNDECIDED : yes ? SELECTED : OTHER;
}

enum eim_err select_page(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor,
                         unsigned limit, struct device_page *out, struct arena *a, struct err *e)
{
    struct arena work;
    struct device_page page;
    enum eim_err rc = OK;
    int64_t *found = ARENA_ARRAY(a, int64_t, limit);
    size_t n = 0;
    *out = (struct device_page){ .next = cursor };
    if (!found) return fail(e, E_NOMEM, NULL, "no room for a page");
    arena_init(&work, WORK_ARENA);
    for (unsigned looked = 0; rc == OK && n < limit && looked < SELECT_SCAN; looked += PAGE) {
        arena_reset(&work);
        rc = manage_devices(m, p, out->next, PAGE, s->with, &page, &work, e);
        if (rc != OK) break;
        out->next = page.next;
        for (size_t i = 0; i < page.n && n < limit; i++) {
            if (judge(s, &page.v[i], now_us, &work) != SELECTED) continue;
            found[n++] = page.v[i].device.association;
            if (n == limit && (i + 1 < page.n || page.next)) out->next = found[n - 1];
        }
        if (!page.next) break;
    }
    arena_free(&work);
    return rc == OK ? manage_devices_of(m, p, found, n, out, a, e) : rc;
}

enum eim_err select_count(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us,
                          struct select_total *out, struct err *e)
{
    struct arena work;
    struct device_page page = { 0 };
    enum eim_err rc;
    *out = (struct select_total){ 0 };
    arena_init(&work, WORK_ARENA);
    do {
        int64_t after = page.next;
        arena_reset(&work);
        rc = manage_devices(m, p, after, PAGE, s->with, &page, &work, e);
        for (size_t i = 0; rc == OK && i < page.n; i++) {
            enum judgement j = judge(s, &page.v[i], now_us, &work);
            *(j == SELECTED ? &out->selected : j == OTHER ? &out->others : &out->undecided) += 1;
        }
    } while (rc == OK && page.next);
    arena_free(&work);
    return rc;
}

enum eim_err select_quarantine(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor, bool in,
                               struct slice reason, bool dry_run, struct select_change *out, struct arena *a, struct err *e)
{
    struct device_page page;
    *out = (struct select_change){ 0 };
    TRY(select_page(m, p, s, now_us, cursor, SELECT_CHANGES, &page, a, e));
    out->next = page.next;
    out->selected = (int64_t)page.n;
    for (size_t i = 0; i < page.n && !dry_run; i++) {
        bool changed;
        struct err why = { 0 };
        enum eim_err rc = manage_quarantine(m, p, &page.v[i].device.eid, in, reason, &changed, a, &why);
        if (rc == E_NOT_FOUND) continue;               /* removed meanwhile */
        if (rc != OK) {
            *e = why;
            return rc;
        }
        out->changed += changed;
    }
    return OK;
}

/* One step for each device of a page; `step` says which. Each device is a change of its own. */
struct stepping {
    enum eim_err (*one)(const struct stepping *s, const struct eid *eid, unsigned *step, struct arena *work, struct err *e);
    struct eim *m;
    const struct principal *p;
    const json_t *to;
    struct slice tls_anchor;
    bool dry_run;
};

static enum eim_err step_all(const struct stepping *s, const struct selection *where, int64_t now_us, int64_t cursor, int64_t *selected, int64_t *next,
                             int64_t *steps, struct arena *a, struct err *e)
{
    struct device_page page;
    struct arena work;
    TRY(select_page(s->m, s->p, where, now_us, cursor, SELECT_CHANGES, &page, a, e));
    *next = page.next;
    *selected = (int64_t)page.n;
    arena_init(&work, WORK_ARENA);
    enum eim_err rc = OK;
    for (size_t i = 0; rc == OK && i < page.n; i++) {
        unsigned step;
        struct err why = { 0 };
        arena_reset(&work);
        rc = s->one(s, &page.v[i].device.eid, &step, &work, &why);
        if (rc == OK) steps[step]++;
        else if (rc == E_NOT_FOUND) rc = OK;           /* removed meanwhile */
        else *e = why;
    }
    arena_free(&work);
    return rc;
}

static enum eim_err one_handover(const struct stepping *s, const struct eid *eid, unsigned *step, struct arena *work, struct err *e)
{
    enum handover_step at = HANDOVER_WAITING;
    enum eim_err rc = manage_handover(s->m, s->p, eid, s->to, s->dry_run, &at, work, e);
    *step = at;
    return rc;
}

static enum eim_err one_rotation(const struct stepping *s, const struct eid *eid, unsigned *step, struct arena *work, struct err *e)
{
    enum rotation_step at = ROTATION_WAITING;
    enum eim_err rc = manage_rotate(s->m, s->p, eid, s->tls_anchor, s->dry_run, &at, work, e);
    *step = at;
    return rc;
}

enum eim_err select_handover(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor, const json_t *to,
                             bool dry_run, struct select_handover *out, struct arena *a, struct err *e)
{
    const struct stepping how = { .one = one_handover, .m = m, .p = p, .to = to, .dry_run = dry_run };
    *out = (struct select_handover){ 0 };
    return step_all(&how, s, now_us, cursor, &out->selected, &out->next, out->steps, a, e);
}

enum eim_err select_rotation(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor,
                             struct slice tls_anchor, bool dry_run, struct select_rotation *out, struct arena *a, struct err *e)
{
    const struct stepping how = { .one = one_rotation, .m = m, .p = p, .tls_anchor = tls_anchor, .dry_run = dry_run };
    *out = (struct select_rotation){ 0 };
    return step_all(&how, s, now_us, cursor, &out->selected, &out->next, out->steps, a, e);
}
