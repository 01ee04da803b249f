/* rest_pool.c -- pools of activation codes: listed, made, filled, removed. No answer holds a code. */
#include "front/rest_int.h"

static json_t *pool_json(const struct pool_view *v, struct arena *a)
{
    json_t *o = json_object(), *counts = json_object();
    const struct code_pool *p = &v->pool;
    jsonout_text(o, "id", slice_str(arena_printf(a, "pool_%016llx", (unsigned long long)p->id)));
    jsonout_text(o, "name", p->name);
    jsonout_text(o, "operator", p->operator_name);
    jsonout_text(o, "profile_type", p->profile_type);
    jsonout_text(o, "smdp", p->address);
    json_object_set_new(o, "warn_below", json_integer(p->warn_below));
    json_object_set_new(o, "low", json_boolean(v->counts[CODE_FREE] < p->warn_below));
    for (int i = 0; i < CODE_STATE_END; i++) json_object_set_new(counts, code_state_name((enum code_state)i), json_integer(v->counts[i]));
    json_object_set_new(o, "codes", counts);
    jsonout_time(o, "changed_at", p->changed_us);
    return o;
}

static json_t *code_json(const struct activation_code *c, struct arena *a)
{
    json_t *o = json_object();
    jsonout_text(o, "id", slice_str(arena_printf(a, "acd_%016llx", (unsigned long long)c->id)));
    json_object_set_new(o, "state", json_string(code_state_name(c->state)));
    jsonout_operation(o, "operation", c->operation);
    jsonout_time(o, "changed_at", c->changed_us);
    return o;
}

static enum eim_err id_of(const struct rest_call *c, int64_t *id, struct err *e)
{
    return rest_id(c, "pool_", "a pool", id, e);
}

enum eim_err rest_pools_list(struct rest_call *c, struct err *e)
{
    struct pool_view *v;
    size_t n;
    TRY(manage_pools(c->rest->c.eim, &c->who, c->cursor, c->limit, &v, &n, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(items, pool_json(&v[i], c->arena));
    return rest_reply_page(c, items, n && n == c->limit ? v[n - 1].pool.id : 0, e);
}

enum eim_err rest_pool_get(struct rest_call *c, struct err *e)
{
    struct pool_view v;
    int64_t id;
    TRY(id_of(c, &id, e));
    TRY(manage_pool(c->rest->c.eim, &c->who, id, &v, c->arena, e));
    return rest_reply_json(c, pool_json(&v, c->arena), e);
}

enum eim_err rest_pool_create(struct rest_call *c, struct err *e)
{
    struct pool_view v = { 0 };
    TRY(manage_pool_from_json(c->body, &v.pool, c->arena, e));
    TRY(manage_pool_add(c->rest->c.eim, &c->who, &v.pool, c->arena, e));
    c->status = 201;
    return rest_reply_json(c, pool_json(&v, c->arena), e);
}

enum eim_err rest_pool_delete(struct rest_call *c, struct err *e)
{
    int64_t id;
    TRY(id_of(c, &id, e));
    TRY(manage_pool_delete(c->rest->c.eim, &c->who, id, c->arena, e));
    c->status = 204;
    return OK;
}

enum eim_err rest_pool_codes(struct rest_call *c, struct err *e)
{
    struct code_list list = { 0 };
    int64_t id;
    TRY(id_of(c, &id, e));
    TRY(manage_codes(c->rest->c.eim, &c->who, id, c->cursor, c->limit, &list, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++) json_array_append_new(items, code_json(&list.v[i], c->arena));
    return rest_reply_page(c, items, list.n && list.n == c->limit ? list.v[list.n - 1].id : 0, e);
}

/* ---- filling: {"codes":["LPA:1$...",...]} ---- */

enum eim_err rest_pool_fill(struct rest_call *c, struct err *e)
{
    const json_t *codes = NULL;
    struct rest_member members[] = { { "codes", &codes } };
    size_t added = 0, i, n;
    int64_t id;
    json_t *v;
    TRY(id_of(c, &id, e));
    TRY(rest_members(c->body, members, 1, e));
    n = json_array_size(codes);
    if (!json_is_array(codes) || !n || n > POOL_BATCH_MAX)
        return fail_field(e, n > POOL_BATCH_MAX ? E_TOO_LARGE : E_INVALID, NULL, "codes", "must be 1 to %d activation codes", POOL_BATCH_MAX);
    struct new_code *fresh = ARENA_ARRAY(c->arena, struct new_code, n);
    if (!fresh) return fail(e, E_NOMEM, NULL, "no memory for the codes");
    json_array_foreach(codes, i, v) fresh[i].text = json_slice(v);
    TRY(manage_codes_add(c->rest->c.eim, &c->who, id, fresh, n, &added, c->arena, e));
    json_t *refused = json_array();
    for (i = 0; i < n; i++)
        if (fresh[i].rc != OK)
            json_array_append_new(refused, json_pack("{s:I,s:s,s:s}", "line", (json_int_t)i + 1, "code", err_name(fresh[i].rc), "detail",
                                                     fresh[i].err.why));
    return rest_reply_json(c, json_pack("{s:I,s:o}", "added", (json_int_t)added, "refused", refused), e);
}

static enum eim_err decide(struct rest_call *c, bool back, struct err *e)
{
    struct activation_code code;
    int64_t id;
    TRY(rest_id(c, "acd_", "an activation code", &id, e));
    TRY(manage_code_decide(c->rest->c.eim, &c->who, id, back, &code, c->arena, e));
    return rest_reply_json(c, code_json(&code, c->arena), e);
}

enum eim_err rest_code_return(struct rest_call *c, struct err *e)
{
    return decide(c, true, e);
}

enum eim_err rest_code_withdraw(struct rest_call *c, struct err *e)
{
    return decide(c, false, e);
}
