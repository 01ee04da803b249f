/* rest_handover.c -- devices given to another eIM: step by step over any number of them, and what shows that the other one controls a card. */
#include "front/rest_int.h"

#include "base/env.h"

#include <stdio.h>

/* {"where","to","dry_run"}: 500 devices a call; `next` says whether there are more. */
enum eim_err rest_handover(struct rest_call *c, struct err *e)
{
    const json_t *where = NULL, *to = NULL, *dry = NULL;
    const struct rest_member known[] = { { "where", &where }, { "to", &to }, { "dry_run", &dry } };
    struct slice where_text;
    struct select_handover done;
    struct env *env = c->rest->c.host->env;
    char cursor[24];
    TRY(rest_members(c->body, known, 3, e));
    TRY(rest_text(where, "where", &where_text, e));
    if (!json_is_object(to)) return fail_field(e, E_INVALID, NULL, "to", "must be an object: the members of addEim");
    if (dry && !json_is_boolean(dry)) return fail_field(e, E_INVALID, NULL, "dry_run", "must be true or false");
    TRY(select_compile(&c->where, where_text, c->arena, e));
    TRY(select_handover(c->rest->c.eim, &c->who, c->where, env->now(env), c->cursor, to, json_is_true(dry), &done, c->arena, e));
    snprintf(cursor, sizeof cursor, "%016llx", (unsigned long long)done.next);
    json_t *o = json_pack("{s:I}", "selected", (json_int_t)done.selected), *steps = json_object();
    for (int s = 0; s < HANDOVER_END; s++) json_object_set_new(steps, handover_step_name((enum handover_step)s), json_integer(done.steps[s]));
    json_object_set_new(o, "steps", steps);
    json_object_set_new(o, "next", done.next ? json_string(cursor) : json_null());
    return rest_reply_json(c, o, e);
}

/* {"eim_id","result" in base64,"association_token"} or {"eim_id","reason"} */
enum eim_err rest_device_control(struct rest_call *c, struct err *e)
{
    const json_t *id = NULL, *result = NULL, *token = NULL, *reason = NULL;
    const struct rest_member known[] = { { "eim_id", &id }, { "result", &result }, { "association_token", &token }, { "reason", &reason } };
    struct control_claim claim = { .token = DEVICE_TOKEN_NONE };
    TRY(rest_members(c->body, known, 4, e));
    TRY(rest_text(id, "eim_id", &claim.eim_id, e));
    if (reason) TRY(rest_text(reason, "reason", &claim.reason, e));
    if (token && (!json_is_integer(token) || json_integer_value(token) < 0))
        return fail_field(e, E_INVALID, "SGP.32 2.11.1", "association_token", "must be a whole number from 0 up");
    if (token) claim.token = json_integer_value(token);
    if (result) {
        struct slice text;
        TRY(rest_text(result, "result", &text, e));
        uint8_t *bytes = arena_alloc(c->arena, text.n);
        if (!bytes) return fail(e, E_NOMEM, NULL, "no room for the result");
        long n = slice_from_b64(text, bytes, text.n);
        if (n <= 0) return fail_field(e, E_INVALID, "RFC 4648 4", "result", "must be base64");
        claim.result = slice_of(bytes, (size_t)n);
    }
    TRY(manage_control(c->rest->c.eim, &c->who, c->params[0], &claim, c->arena, e));
    return rest_device_get(c, e);
}
