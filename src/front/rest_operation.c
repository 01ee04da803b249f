/* rest_operation.c -- operations: ordered, listed, looked at, cancelled, and their exact bytes. */
#include "front/rest_int.h"

/* override_names -- enum operation_override as the names that people gave. */
static json_t *override_names(int64_t bits)
{
    json_t *list = json_array();
#define X(name, bit, text) if (bits & name) json_array_append_new(list, json_string(text));
    OPERATION_OVERRIDES(X)
#undef X
    return list;
}

static json_t *size_or_null(struct slice bytes)
{
    return bytes.n ? json_pack("{s:I}", "bytes", (json_int_t)bytes.n) : json_null();
}

static json_t *operation_json(const struct operation *op, const struct eid *eid, struct arena *a)
{
    char digits[33];
    json_t *o = json_object(), *steps = manage_operation_steps(op, a);
    eid_print(eid, digits);
    jsonout_operation(o, "id", op->id);
    json_object_set_new(o, "eid", json_string(digits));
    json_object_set_new(o, "state", json_string(operation_state_name(op->state)));
    json_object_set_new(o, "final", json_boolean(operation_is_final(op->state)));
    json_object_set_new(o, "kind", json_string(operation_kind_name(op->kind)));
    json_object_set_new(o, "origin", json_string(operation_origin_name(op->origin)));
    jsonout_time(o, "created_at", op->created_us);
    jsonout_text(o, "created_by", op->principal);
    jsonout_time(o, "expires_at", op->expires_us);
    json_object_set_new(o, "override", override_names(op->overrides));
    jsonout_int_unless(o, "counter", op->counter, 0);
    jsonout_hex(o, "transaction_id", op->txid);
    json_object_set_new(o, "deliveries", json_integer(op->deliveries));
    jsonout_time(o, "first_sent_at", op->first_sent_us);
    jsonout_time(o, "last_sent_at", op->last_sent_us);
    jsonout_time(o, "result_at", op->result_us);
    jsonout_int_unless(o, "sequence", op->result_us ? op->seq : -1, -1);
    jsonout_int_unless(o, "code", op->code, -1);
    jsonout_text_or_null(o, "reason", op->reason);
    jsonout_operation(o, "settles", op->settles);
    json_object_set_new(o, "steps", steps ? steps : json_null());
    json_object_set_new(o, "package", op->kind == OPK_DOWNLOAD ? json_null() : size_or_null(op->package));
    json_object_set_new(o, "result", size_or_null(op->result));
    return o;
}

static enum eim_err get(struct rest_call *c, struct operation *op, struct eid *eid, struct err *e)
{
    int64_t id;
    *op = (struct operation){ 0 };
    TRY(rest_id(c, "op_", "an operation", &id, e));
    return manage_operation(c->rest->c.eim, &c->who, id, op, eid, c->arena, e);
}

static enum eim_err reply_created(struct rest_call *c, const struct operation *op, struct err *e)
{
    struct eid eid;
    if (!eid_parse(c->params[0], false, &eid)) return fail_field(e, E_INVALID, NULL, "eid", "an EID is 32 digits");
    char *location = arena_printf(c->arena, "/v1/operations/op_%016llx", (unsigned long long)op->id);
    if (!location) return fail(e, E_NOMEM, NULL, "no memory for the answer");
    c->status = 201;
    c->location = location;
    return rest_reply_json(c, operation_json(op, &eid, c->arena), e);
}

enum eim_err rest_operation_create(struct rest_call *c, struct err *e)
{
    struct operation op = { 0 };
    if (json_object_get(c->body, "override")) TRY(access_check(&c->who, PERM_OVERRIDE, e));
    TRY(manage_operation_create(c->rest->c.eim, &c->who, c->params[0], c->body, &op, c->arena, e));
    return reply_created(c, &op, e);
}

enum eim_err rest_inventory(struct rest_call *c, struct err *e)
{
    struct operation op = { 0 };
    TRY(manage_inventory(c->rest->c.eim, &c->who, c->params[0], &op, c->arena, e));
    return reply_created(c, &op, e);
}

/* next_before -- ids go down, so the last one of a full page is where the next page goes on. */
static int64_t next_before(const struct operation_list *list, unsigned limit)
{
    return list->n && list->n == limit ? list->v[list->n - 1].id : 0;
}

enum eim_err rest_device_operations(struct rest_call *c, struct err *e)
{
    struct operation_list list = { 0 };
    struct eid eid;
    TRY(manage_operations_of(c->rest->c.eim, &c->who, c->params[0], c->cursor, c->limit, &list, c->arena, e));
    if (!eid_parse(c->params[0], false, &eid)) return fail_field(e, E_INVALID, NULL, "eid", "an EID is 32 digits");
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++) json_array_append_new(items, operation_json(&list.v[i], &eid, c->arena));
    return rest_reply_page(c, items, next_before(&list, c->limit), e);
}

enum eim_err rest_operations_list(struct rest_call *c, struct err *e)
{
    struct operation_list list = { 0 };
    struct eid *eids = NULL;
    TRY(manage_operations(c->rest->c.eim, &c->who, c->state, c->cursor, c->limit, &list, &eids, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++) json_array_append_new(items, operation_json(&list.v[i], &eids[i], c->arena));
    return rest_reply_page(c, items, next_before(&list, c->limit), e);
}

enum eim_err rest_operation_get(struct rest_call *c, struct err *e)
{
    struct operation op;
    struct eid eid;
    TRY(get(c, &op, &eid, e));
    return rest_reply_json(c, operation_json(&op, &eid, c->arena), e);
}

enum eim_err rest_operation_cancel(struct rest_call *c, struct err *e)
{
    struct operation op = { 0 };
    struct eid eid;
    int64_t id;
    TRY(rest_id(c, "op_", "an operation", &id, e));
    TRY(manage_operation_cancel(c->rest->c.eim, &c->who, id, &op, c->arena, e));
    TRY(get(c, &op, &eid, e));
    return rest_reply_json(c, operation_json(&op, &eid, c->arena), e);
}

static enum eim_err reply_bytes(struct rest_call *c, struct slice bytes, const char *what, struct err *e)
{
    if (!bytes.n) return fail(e, E_NOT_FOUND, NULL, "the operation has no %s", what);
    c->content_type = "application/octet-stream";
    c->reply = bytes;
    return OK;
}

enum eim_err rest_operation_package(struct rest_call *c, struct err *e)
{
    struct operation op;
    struct eid eid;
    TRY(get(c, &op, &eid, e));
    if (op.kind == OPK_DOWNLOAD)                       /* its trigger holds the activation code, which is never shown again */
        return fail(e, E_NOT_FOUND, NULL, "a download has no signed package");
    return reply_bytes(c, op.package, "package yet", e);
}

enum eim_err rest_operation_result(struct rest_call *c, struct err *e)
{
    struct operation op;
    struct eid eid;
    TRY(get(c, &op, &eid, e));
    return reply_bytes(c, op.result, "verified result", e);
}
