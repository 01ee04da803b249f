/* manage_quirk.c -- rules about devices that deviate from the specification: looked at, made, removed. */
#include "eim/manage.h"

#include "base/env.h"
#include "eim/eim_int.h"
#include "eim/quirks.h"

#include <ctype.h>

enum { EID_DIGITS = 32, FIRMWARE_MAX = 16, IPA_MAX = 128, NOTE_MAX = 256 };

enum eim_err manage_quirks_from_json(const json_t *list, int64_t *out, struct err *e)
{
    size_t i;
    json_t *v;
    *out = 0;
    if (!json_is_array(list)) return fail_field(e, E_INVALID, NULL, "quirks", "must be a list of names, which may be empty");
    json_array_foreach((json_t *)(uintptr_t)list, i, v) {
        int64_t bit = quirk_named(json_slice(v));
        if (!bit)
            return fail_field(e, E_INVALID, NULL, "quirks", "there is no quirk '%.40s'; GET /v1/quirks lists them",
                              json_is_string(v) ? json_string_value(v) : "");
        *out |= bit;
    }
    return OK;
}

json_t *manage_quirks_json(int64_t quirks)
{
    json_t *list = json_array();
    for (int i = 0; i < QUIRKS_N; i++)
        if (quirks >> i & 1) json_array_append_new(list, json_string(quirk_info((enum quirk_row)i)->name));
    return list;
}

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isdigit(s.p[i])) return false;
    return true;
}

static bool printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

/* Three numbers with dots between, as euicc.firmware of a device is shown. */
static bool version(struct slice s)
{
    int dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        dots += s.p[i] == '.';
        if (s.p[i] != '.' && !isdigit(s.p[i])) return false;
    }
    return dots == 2;
}

enum eim_err manage_quirk_rule_from_json(const json_t *v, struct quirk_rule *out, struct err *e)
{
    static const char *const known[] = { "maker", "firmware", "ipa", "quirks", "note" };
    const char *name;
    json_t *m;
    *out = (struct quirk_rule){ 0 };
    json_object_foreach((json_t *)(uintptr_t)v, name, m) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], name)) i++;
        if (i == sizeof known / sizeof *known) return fail_field(e, E_INVALID, NULL, name, "there is no member '%.40s' here", name);
        if (strcmp(name, "quirks") && !json_is_string(m)) return fail_field(e, E_INVALID, NULL, name, "must be a text");
    }
    out->maker = json_slice(json_object_get(v, "maker"));
    out->firmware = json_slice(json_object_get(v, "firmware"));
    out->ipa = json_slice(json_object_get(v, "ipa"));
    out->note = json_slice(json_object_get(v, "note"));
    if (out->maker.n > EID_DIGITS || !all_digits(out->maker))
        return fail_field(e, E_INVALID, "SGP.29", "maker", "must be the first digits of EIDs, at most %d", EID_DIGITS);
    if (out->firmware.n && (out->firmware.n > FIRMWARE_MAX || !version(out->firmware)))
        return fail_field(e, E_INVALID, NULL, "firmware", "must be three numbers with dots between, as in a device's euicc.firmware");
    if (out->ipa.n > IPA_MAX || !printable(out->ipa))
        return fail_field(e, E_INVALID, NULL, "ipa", "must be what User-Agents begin with, at most %d octets", IPA_MAX);
    if (out->note.n > NOTE_MAX) return fail_field(e, E_INVALID, NULL, "note", "must have at most %d octets", NOTE_MAX);
    if (!out->maker.n && !out->firmware.n && !out->ipa.n)
        return fail_field(e, E_INVALID, NULL, "maker", "at least one of maker, firmware and ipa must say which devices are meant");
    TRY(manage_quirks_from_json(json_object_get(v, "quirks"), &out->quirks, e));
    return out->quirks ? OK : fail_field(e, E_INVALID, NULL, "quirks", "must name at least one");
}

enum eim_err manage_quirk_rules(struct eim *m, const struct principal *p, struct quirk_rule_list *out, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_quirk_rules(t, p->tenant, QUIRK_RULES_MAX, out, a, e);
    store_read_end(t);
    return rc;
}

struct change {
    struct store_job job;              /* first member */
    struct eim *m;
    const struct principal *p;
    struct quirk_rule r;               /* quirks 0: remove the rule of this id */
    struct arena *a;
};

static enum eim_err change_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    bool add = c->r.quirks != 0, was = true;
    struct quirk_rule_list all;
    if (add) {
        TRY(store_quirk_rules(t, 0, QUIRK_RULES_MAX, &all, c->a, e));
        if (all.n >= QUIRK_RULES_MAX) return fail(e, E_LIMIT, NULL, "there are %d rules already", QUIRK_RULES_MAX);
        TRY(store_quirk_rule_add(t, &c->r, e));
    } else
        TRY(store_quirk_rule_delete(t, c->p->tenant, c->r.id, &was, e));
    if (!was) return fail_field(e, E_NOT_FOUND, NULL, "id", "no such rule");
    const char *names = quirks_text(c->r.quirks, c->a);
    char *detail = add ? arena_printf(c->a, "maker=%.*s firmware=%.*s ipa=%.*s quirks=%s", (int)c->r.maker.n, (const char *)c->r.maker.p,
                                      (int)c->r.firmware.n, (const char *)c->r.firmware.p, (int)c->r.ipa.n, (const char *)c->r.ipa.p, names ? names : "")
                       : arena_printf(c->a, "qrk_%016llx", (unsigned long long)c->r.id);
    if (!detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    struct audit_entry en = { .tenant = c->p->tenant, .principal = c->p->name,
                              .action = add ? "quirk_rule.added" : "quirk_rule.removed", .detail = slice_str(detail) };
    return audit_add(t, c->m->host->env, &en, e);
}

enum eim_err manage_quirk_rule_add(struct eim *m, const struct principal *p, struct quirk_rule *r, struct arena *a, struct err *e)
{
    r->id = env_id(m->host->env);
    r->tenant = p->tenant;
    r->created_us = eim_now(m);
    r->principal = p->name;
    struct change c = { .job.apply = change_apply, .m = m, .p = p, .r = *r, .a = a };
    TRY(store_run(m->host->store, &c.job, e));
    return quirks_refresh(m, true, e);
}

enum eim_err manage_quirk_rule_delete(struct eim *m, const struct principal *p, int64_t id, struct arena *a, struct err *e)
{
    struct change c = { .job.apply = change_apply, .m = m, .p = p, .r.id = id, .a = a };
    TRY(store_run(m->host->store, &c.job, e));
    return quirks_refresh(m, true, e);
}
