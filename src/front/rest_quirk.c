/* rest_quirk.c -- known deviations from the specification, and the rules that say which devices have them. */
#include "front/rest_int.h"

#include "eim/quirks.h"

#include <stdio.h>

static json_t *rule_json(const struct quirk_rule *r)
{
    char id[24];
    json_t *o = json_object();
    snprintf(id, sizeof id, "qrk_%016llx", (unsigned long long)r->id);
    json_object_set_new(o, "id", json_string(id));
    jsonout_text_or_null(o, "maker", r->maker);
    jsonout_text_or_null(o, "firmware", r->firmware);
    jsonout_text_or_null(o, "ipa", r->ipa);
    json_object_set_new(o, "quirks", manage_quirks_json(r->quirks));
    jsonout_text_or_null(o, "note", r->note);
    jsonout_time(o, "created_at", r->created_us);
    jsonout_text(o, "created_by", r->principal);
    return o;
}

enum eim_err rest_quirks(struct rest_call *c, struct err *e)
{
    struct quirk_rule_list rules;
    TRY(manage_quirk_rules(c->rest->c.eim, &c->who, &rules, c->arena, e));
    json_t *known = json_array(), *items = json_array();
    for (int i = 0; i < QUIRKS_N; i++) {
        const struct quirk_info *q = quirk_info((enum quirk_row)i);
        json_array_append_new(known, json_pack("{s:s,s:s,s:s,s:s,s:b}", "name", q->name, "clause", q->clause, "deviation", q->what, "remedy", q->remedy,
                                               "learned", q->learned));
    }
    for (size_t i = 0; i < rules.n; i++) json_array_append_new(items, rule_json(&rules.v[i]));
    return rest_reply_json(c, json_pack("{s:o,s:o}", "known", known, "rules", items), e);
}

enum eim_err rest_quirk_rule_create(struct rest_call *c, struct err *e)
{
    struct quirk_rule r;
    TRY(manage_quirk_rule_from_json(c->body, &r, e));
    TRY(manage_quirk_rule_add(c->rest->c.eim, &c->who, &r, c->arena, e));
    c->status = 201;
    return rest_reply_json(c, rule_json(&r), e);
}

enum eim_err rest_quirk_rule_delete(struct rest_call *c, struct err *e)
{
    int64_t id;
    TRY(rest_id(c, "qrk_", "a rule", &id, e));
    TRY(manage_quirk_rule_delete(c->rest->c.eim, &c->who, id, c->arena, e));
    c->status = 204;
    return OK;
}
