/* rest_profile_order.c -- profile orders: a profile of an operator on a device, whoever fills it. No answer holds a code. */
#include "front/rest_int.h"

/* What its SM-DP+ said last of the download (SGP.22 5.3.5). */
static json_t *notified_json(const struct profile_order *p)
{
    if (!p->notified_n) return json_null();
    json_t *o = json_object();
    json_object_set_new(o, "point", json_integer(p->notified_point));
    jsonout_text(o, "status", p->notified);
    json_object_set_new(o, "elsewhere", json_boolean(p->elsewhere));
    jsonout_time(o, "at", p->notified_us);
    return o;
}

static json_t *order_json(const struct profile_order *p, const struct operation *op, struct arena *a)
{
    json_t *o = json_object();
    char eid[33];
    slice_hex(p->eid, true, eid);
    jsonout_text(o, "id", slice_str(arena_printf(a, "po_%016llx", (unsigned long long)p->id)));
    jsonout_text(o, "eid", slice_str(eid));
    jsonout_text(o, "operator", p->operator_name);
    jsonout_text(o, "profile_type", p->profile_type);
    json_object_set_new(o, "state", json_string(profile_order_state_name(p->state)));
    jsonout_text_or_null(o, "cause", p->cause);
    json_object_set_new(o, "by", json_string(p->account ? "es2plus" : "pool"));
    jsonout_text_or_null(o, "smdp_account", slice_str(p->account ? arena_printf(a, "dp_%016llx", (unsigned long long)p->account) : ""));
    jsonout_text_or_null(o, "iccid", p->iccid);
    json_object_set_new(o, "smdp_notified", notified_json(p));
    jsonout_operation(o, "operation", p->operation);
    if (op && op->id) json_object_set_new(o, "download", json_string(operation_state_name(op->state)));
    jsonout_time(o, "created_at", p->created_us);
    jsonout_time(o, "changed_at", p->changed_us);
    return o;
}

enum eim_err rest_porders_list(struct rest_call *c, struct err *e)
{
    struct porder_list list = { 0 };
    TRY(manage_porders(c->rest->c.eim, &c->who, c->cursor, c->limit, &list, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++) json_array_append_new(items, order_json(&list.v[i], NULL, c->arena));
    return rest_reply_page(c, items, list.n && list.n == c->limit ? list.v[list.n - 1].id : 0, e);
}

enum eim_err rest_porder_create(struct rest_call *c, struct err *e)
{
    const json_t *eid = NULL, *name = NULL, *type = NULL, *code = NULL;
    const struct rest_member known[] = { { "eid", &eid }, { "operator", &name }, { "profile_type", &type },
                                         { "confirmation_code", &code } };
    struct profile_want w = { 0 };
    struct profile_order o;
    TRY(rest_members(c->body, known, 4, e));
    TRY(rest_text(eid, "eid", &w.eid, e));
    TRY(rest_text(name, "operator", &w.operator_name, e));
    TRY(rest_text(type, "profile_type", &w.profile_type, e));
    if (code) TRY(rest_text(code, "confirmation_code", &w.confirmation_code, e));
    TRY(manage_porder_create(c->rest->c.eim, &c->who, &w, &o, c->arena, e));
    c->status = 201;
    return rest_reply_json(c, order_json(&o, NULL, c->arena), e);
}

enum eim_err rest_porder_get(struct rest_call *c, struct err *e)
{
    struct profile_order o;
    struct operation op;
    int64_t id;
    TRY(rest_id(c, "po_", "a profile order", &id, e));
    TRY(manage_porder(c->rest->c.eim, &c->who, id, &o, &op, c->arena, e));
    return rest_reply_json(c, order_json(&o, &op, c->arena), e);
}

static enum eim_err decide(struct rest_call *c, bool retry, struct err *e)
{
    struct profile_order o;
    struct operation op;
    int64_t id;
    TRY(rest_id(c, "po_", "a profile order", &id, e));
    TRY(manage_porder_decide(c->rest->c.eim, &c->who, id, retry, &o, &op, c->arena, e));
    return rest_reply_json(c, order_json(&o, &op, c->arena), e);
}

enum eim_err rest_porder_cancel(struct rest_call *c, struct err *e)
{
    return decide(c, false, e);
}

enum eim_err rest_porder_retry(struct rest_call *c, struct err *e)
{
    return decide(c, true, e);
}
