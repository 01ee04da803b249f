/* rest_device.c -- devices as the API shows them: every fact with its time, its class of evidence and its source. */
#include "front/rest_int.h"

#include "asn1/codes.h"
#include "asn1/sgp22.h"
#include "base/env.h"

static json_t *association(const struct device *d)
{
    json_t *o = json_pack("{s:I}", "counter", (json_int_t)d->counter);
    jsonout_int_unless(o, "token", d->token, DEVICE_TOKEN_NONE);
    return o;
}

static json_t *labels(const struct label_list *list)
{
    json_t *o = json_object();
    for (size_t i = 0; i < list->n; i++) {
        char name[65];
        if (list->v[i].name.n >= sizeof name) continue;
        memcpy(name, list->v[i].name.p, list->v[i].name.n);
        name[list->v[i].name.n] = 0;
        jsonout_text(o, name, list->v[i].value);
    }
    return o;
}

static json_t *enabled_profile(const struct device *d)
{
    if (!d->has_enabled) return json_null();
    json_t *o = json_object();
    jsonout_iccid(o, "iccid", d->enabled);
    jsonout_time(o, "as_of", d->enabled_us);
    jsonout_text(o, "provenance", slice_str(evidence_name(EVIDENCE_EUICC_SIGNED)));
    jsonout_operation(o, "evidence", d->enabled_op);
    return o;
}

static json_t *inventory(const struct device *d)
{
    json_t *o = json_object();
    jsonout_time(o, "as_of", d->inventory_us);
    json_object_set_new(o, "stale", json_boolean(!device_inventory_fresh(d)));
    jsonout_operation(o, "evidence", d->inventory_op);
    return o;
}

static json_t *network(const struct device *d)
{
    char plmn[8];
    if (!d->rplmn.n) return json_null();
    json_t *o = json_object();
    plmn_print(d->rplmn, plmn);
    jsonout_text(o, "plmn", slice_str(plmn));
    jsonout_time(o, "as_of", d->rplmn_us);
    jsonout_text(o, "provenance", slice_str(evidence_name(EVIDENCE_IPA_REPORTED)));
    return o;
}

static json_t *state_change(const struct device *d)
{
    if (!d->state_cause_us) return json_null();
    json_t *o = json_object();
    const char *name = d->state_cause < 0 ? NULL : der_name(state_change_cause_names, d->state_cause);
    jsonout_int_unless(o, "cause", d->state_cause, -1);
    jsonout_text_or_null(o, "name", slice_str(name));
    jsonout_time(o, "as_of", d->state_cause_us);
    jsonout_text(o, "provenance", slice_str(evidence_name(EVIDENCE_IPA_REPORTED)));
    return o;
}

static json_t *queue(const struct device *d)
{
    static const struct { enum device_want bit; const char *name; } wants[] = {
        { WANT_DATA, "data" }, { WANT_INVENTORY, "inventory" }, { WANT_RESULTS, "results" }, { WANT_SETTLE, "settle" },
    };
    json_t *o = json_object(), *list = json_array();
    jsonout_operation(o, "in_flight", d->in_flight);
    jsonout_operation(o, "next", d->next_op);
    jsonout_operation(o, "unsettled", d->unsettled);
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++)
        if (d->wants & wants[i].bit) json_array_append_new(list, json_string(wants[i].name));
    json_object_set_new(o, "wants", list);
    return o;
}

/* The short form: what lists show. */
static json_t *device_json(const struct device_view *v)
{
    const struct device *d = &v->device;
    char eid[33];
    json_t *o = json_object();
    eid_print(&d->eid, eid);
    json_object_set_new(o, "eid", json_string(eid));
    json_object_set_new(o, "verification", json_string(key_class_name(d->key_class)));
    json_object_set_new(o, "association", association(d));
    jsonout_text_or_null(o, "signing_key", d->signing_key);
    json_object_set_new(o, "labels", labels(&v->labels));
    json_object_set_new(o, "enabled_profile", enabled_profile(d));
    json_object_set_new(o, "inventory", inventory(d));
    jsonout_time(o, "last_seen", v->seen_us);
    jsonout_time(o, "first_contact", d->first_contact_us);
    jsonout_time(o, "enrolled_at", d->enrolled_us);
    json_object_set_new(o, "network", network(d));
    json_object_set_new(o, "state_change", state_change(d));
    json_object_set_new(o, "queue", queue(d));
    jsonout_time(o, "quarantined_at", d->quarantine_us);
    return o;
}

static json_t *policy_rules(int64_t bits)
{
    json_t *list = json_array();
    if (bits & 2) json_array_append_new(list, json_string("ppr1"));
    if (bits & 4) json_array_append_new(list, json_string("ppr2"));
    return list;
}

static json_t *profile_json(const struct device *d, const struct profile *p)
{
    json_t *o = json_object();
    const char *class_ = p->class_ < 0 ? NULL : der_name(profile_class_names, p->class_);
    const char *state = !d->has_enabled ? "unknown" : slice_eq(d->enabled, p->iccid) ? "enabled" : "disabled";
    jsonout_iccid(o, "iccid", p->iccid);
    json_object_set_new(o, "state", json_string(state));
    jsonout_text_or_null(o, "name", p->name);
    jsonout_text_or_null(o, "provider", p->provider);
    jsonout_text_or_null(o, "nickname", p->nickname);
    jsonout_hex(o, "aid", p->aid);
    json_object_set_new(o, "class", json_string(class_ ? class_ : "unknown"));
    json_object_set_new(o, "fallback", json_boolean(p->fallback));
    json_object_set_new(o, "fallback_allowed", json_boolean(p->fallback_allowed));
    json_object_set_new(o, "ecall", json_boolean(p->ecall));
    json_object_set_new(o, "policy_rules", policy_rules(p->policy_rules));
    jsonout_time(o, "as_of", p->as_of_us);
    jsonout_text(o, "provenance", slice_str(evidence_name(EVIDENCE_EUICC_SIGNED)));
    jsonout_operation(o, "evidence", p->op);
    return o;
}

static json_t *eims(const struct device *d, const struct card_eim_list *list)
{
    json_t *o = json_object(), *items = json_array();
    for (size_t i = 0; i < list->n; i++) {
        const struct card_eim *one = &list->v[i];
        json_t *item = json_object();
        jsonout_text(item, "eim_id", one->eim_id);
        jsonout_int_unless(item, "eim_id_type", one->id_type, 0);
        jsonout_int_unless(item, "association_token", one->token, DEVICE_TOKEN_NONE);
        jsonout_time(item, "as_of", one->as_of_us);
        jsonout_text(item, "provenance", slice_str(evidence_name(EVIDENCE_EUICC_SIGNED)));
        jsonout_operation(item, "evidence", one->op);
        jsonout_time(item, "control_shown_at", one->control_us);
        json_array_append_new(items, item);
    }
    jsonout_time(o, "as_of", d->eims_us);
    jsonout_operation(o, "evidence", d->eims_op);
    json_object_set_new(o, "items", items);
    return o;
}

/* mccMnc of SGP.22 2.4.2.1: a PLMN whose digits may be E, which is any. "*": every operator. */
static void operator_text(struct slice mcc_mnc, char out[8])
{
    plmn_print(mcc_mnc, out);
    bool all = *out;
    for (char *p = out; *p; p++) {
        all &= *p == 'e';
        if (*p == 'e') *p = '?';
    }
    if (all) out[0] = '*', out[1] = 0;
}

static json_t *authorisation(const struct device_rat *r, struct arena *a)
{
    struct rules table;
    if (!r->as_of_us || der_decode(&rules_type, r->rules, &table, a, &(struct err){ 0 }) != OK) return json_null();
    json_t *o = json_object(), *items = json_array();
    for (size_t i = 0; i < table.n; i++) {
        json_t *rule = json_object(), *operators = json_array();
        for (size_t k = 0; k < table.v[i].allowed_operators.n; k++) {
            char text[8];
            operator_text(table.v[i].allowed_operators.v[k].mcc_mnc, text);
            json_array_append_new(operators, json_string(text));
        }
        json_object_set_new(rule, "policy_rules", policy_rules(der_bits_mask(&table.v[i].ppr_ids)));
        json_object_set_new(rule, "operators", operators);
        json_object_set_new(rule, "consent_required", json_boolean(der_bit(&table.v[i].ppr_flags, 0)));
        json_array_append_new(items, rule);
    }
    jsonout_time(o, "as_of", r->as_of_us);
    jsonout_text(o, "provenance", slice_str(evidence_name(EVIDENCE_EUICC_SIGNED)));
    jsonout_operation(o, "evidence", r->operation);
    json_object_set_new(o, "rules", items);
    return o;
}

static json_t *reported(const struct device_data *d)
{
    if (!d->as_of_us) return json_null();
    json_t *o = json_object();
    jsonout_time(o, "as_of", d->as_of_us);
    jsonout_text(o, "provenance", slice_str(evidence_name(EVIDENCE_IPA_REPORTED)));
    jsonout_base64(o, "eum_certificate", d->eum_cert);
    jsonout_base64(o, "euicc_certificate", d->euicc_cert);
    jsonout_base64(o, "ipa_euicc_data", d->info);
    return o;
}

static json_t *hints(const struct hint_list *list)
{
    json_t *items = json_array();
    for (size_t i = 0; i < list->n; i++) {
        json_t *o = json_object();
        jsonout_time(o, "received_at", list->v[i].received_us);
        jsonout_text(o, "kind", list->v[i].kind);
        jsonout_text(o, "why", list->v[i].why);
        jsonout_base64(o, "raw", list->v[i].raw);
        json_array_append_new(items, o);
    }
    return items;
}

static json_t *notifications(const struct notification_list *list)
{
    json_int_t verified = 0, kept = 0;
    for (size_t i = 0; i < list->n; i++) *(list->v[i].state == NOTIFICATION_VERIFIED ? &verified : &kept) += 1;
    return json_pack("{s:I, s:I}", "verified", verified, "kept", kept);
}

static json_t *injection(const struct injection *i, struct arena *a)
{
    if (!i->association) return json_null();
    json_t *o = json_object();
    bool coap = i->address.n > 8 && !memcmp(i->address.p, "coaps://", 8);
    jsonout_text(o, "address", slice_str(arena_printf(a, "%s%.*s", coap ? "" : "https://", (int)i->address.n, (const char *)i->address.p)));
    json_object_set_new(o, "binding", json_string(i->binding == INJECT_JSON ? "json" : "asn1"));
    jsonout_text_or_null(o, "trust", i->trust);
    jsonout_time(o, "next_try_at", i->due_us == INT64_MAX ? 0 : i->due_us);
    json_object_set_new(o, "failures", json_integer(i->tries));
    jsonout_time(o, "tried_at", i->tried_us);
    jsonout_time(o, "reached_at", i->reached_us);
    jsonout_text_or_null(o, "why", i->why);
    return o;
}

enum eim_err rest_device_change(struct rest_call *c, struct err *e)
{
    TRY(manage_device_change(c->rest->c.eim, &c->who, c->params[0], c->body, c->arena, e));
    return rest_device_get(c, e);
}

enum eim_err rest_device_push(struct rest_call *c, struct err *e)
{
    TRY(manage_device_push(c->rest->c.eim, &c->who, c->params[0], c->arena, e));
    c->status = 202;
    return rest_device_get(c, e);
}

static json_t *quarantine(const struct quarantine *q)
{
    if (!q->association) return json_null();
    json_t *o = json_object();
    jsonout_time(o, "since", q->at_us);
    jsonout_text(o, "by", q->principal);
    jsonout_text(o, "reason", q->reason);
    return o;
}

static json_t *euicc(const struct device_data *d, struct arena *a)
{
    struct euicc_facts f;
    if (!manage_euicc_facts(d, &f, a)) return json_null();
    json_t *o = json_object();
    jsonout_text_or_null(o, "eum", slice_str(f.eum));
    jsonout_text_or_null(o, "firmware", slice_str(f.firmware));
    jsonout_text_or_null(o, "profile_version", slice_str(f.profile_version));
    jsonout_int_unless(o, "ipa_mode", f.ipa_mode, -1);
    jsonout_time(o, "as_of", d->as_of_us);
    jsonout_text(o, "provenance", slice_str(evidence_name(EVIDENCE_IPA_REPORTED)));
    return o;
}

enum eim_err rest_device_get(struct rest_call *c, struct err *e)
{
    struct device_view v = { 0 };
    TRY(manage_device(c->rest->c.eim, &c->who, c->params[0], &v, c->arena, e));
    json_t *o = device_json(&v), *profiles = json_array();
    for (size_t i = 0; i < v.profiles.n; i++) json_array_append_new(profiles, profile_json(&v.device, &v.profiles.v[i]));
    json_object_set_new(o, "profiles", profiles);
    json_object_set_new(o, "eims", eims(&v.device, &v.eims));
    json_object_set_new(o, "quarantine", quarantine(&v.quarantine));
    json_object_set_new(o, "euicc", euicc(&v.data, c->arena));
    json_object_set_new(o, "reported", reported(&v.data));
    json_object_set_new(o, "rules_authorisation_table", authorisation(&v.rat, c->arena));
    json_object_set_new(o, "hints", hints(&v.hints));
    json_object_set_new(o, "notifications", notifications(&v.notifications));
    json_object_set_new(o, "injection", injection(&v.injection, c->arena));
    json_object_set_new(o, "quirks", manage_quirks_json(v.quirks));
    return rest_reply_json(c, o, e);
}

enum eim_err rest_device_delete(struct rest_call *c, struct err *e)
{
    TRY(manage_device_delete(c->rest->c.eim, &c->who, c->params[0], c->arena, e));
    c->status = 204;
    return OK;
}

static int64_t now(const struct rest_call *c)
{
    struct env *env = c->rest->c.host->env;
    return env->now(env);
}

enum eim_err rest_devices_count(struct rest_call *c, struct err *e)
{
    struct select_total total;
    if (!c->where) TRY(select_compile(&c->where, SLICE("true"), c->arena, e));
    TRY(select_count(c->rest->c.eim, &c->who, c->where, now(c), &total, e));
    return rest_reply_json(c, json_pack("{s:I,s:I,s:I}", "selected", (json_int_t)total.selected, "others", (json_int_t)total.others,
                                        "undecided", (json_int_t)total.undecided), e);
}

enum eim_err rest_devices_list(struct rest_call *c, struct err *e)
{
    struct device_page page = { 0 };
    struct eim *m = c->rest->c.eim;
    if (c->where) TRY(select_page(m, &c->who, c->where, now(c), c->cursor, c->limit, &page, c->arena, e));
    else TRY(manage_devices(m, &c->who, c->cursor, c->limit, 0, &page, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < page.n; i++) json_array_append_new(items, device_json(&page.v[i]));
    return rest_reply_page(c, items, page.next, e);
}
