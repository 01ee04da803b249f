/* rest_smdp.c -- SM-DP+ accounts: listed, seen, made, changed, removed. */
#include "front/rest_int.h"

static json_t *account_json(const struct smdp_account *s, struct arena *a)
{
    json_t *o = manage_smdp_json(s);
    jsonout_text(o, "id", slice_str(arena_printf(a, "smdp_%016llx", (unsigned long long)s->id)));
    jsonout_time(o, "changed_at", s->changed_us);
    return o;
}

static enum eim_err id_of(const struct rest_call *c, int64_t *id, struct err *e)
{
    return rest_id(c, "smdp_", "an SM-DP+ account", id, e);
}

enum eim_err rest_smdp_list(struct rest_call *c, struct err *e)
{
    struct smdp_list list = { 0 };
    TRY(manage_smdps(c->rest->c.eim, &c->who, c->cursor, c->limit, &list, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++) json_array_append_new(items, account_json(&list.v[i], c->arena));
    return rest_reply_page(c, items, list.n && list.n == c->limit ? list.v[list.n - 1].id : 0, e);
}

enum eim_err rest_smdp_get(struct rest_call *c, struct err *e)
{
    struct smdp_account s;
    int64_t id;
    TRY(id_of(c, &id, e));
    TRY(manage_smdp(c->rest->c.eim, &c->who, id, &s, c->arena, e));
    return rest_reply_json(c, account_json(&s, c->arena), e);
}

static enum eim_err put(struct rest_call *c, int64_t id, struct err *e)
{
    struct smdp_account s;
    TRY(manage_smdp_from_json(c->body, &s, c->arena, e));
    TRY(manage_smdp_put(c->rest->c.eim, &c->who, id, &s, c->arena, e));
    return rest_reply_json(c, account_json(&s, c->arena), e);
}

enum eim_err rest_smdp_create(struct rest_call *c, struct err *e)
{
    TRY(put(c, 0, e));
    c->status = 201;
    return OK;
}

enum eim_err rest_smdp_put(struct rest_call *c, struct err *e)
{
    int64_t id;
    TRY(id_of(c, &id, e));
    return put(c, id, e);
}

enum eim_err rest_smdp_delete(struct rest_call *c, struct err *e)
{
    int64_t id;
    TRY(id_of(c, &id, e));
    TRY(manage_smdp_delete(c->rest->c.eim, &c->who, id, c->arena, e));
    c->status = 204;
    return OK;
}
