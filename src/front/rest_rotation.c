/* rest_rotation.c -- another signing key, another TLS trust, step by step over any number of devices. */
#include "front/rest_int.h"

#include "base/env.h"

#include <stdio.h>

/* {"where","what":"signing_key"|"tls_trust","dry_run"}: 500 devices a call; `next` says whether there are more. */
enum eim_err rest_rotation(struct rest_call *c, struct err *e)
{
    const json_t *where = NULL, *what = NULL, *dry = NULL;
    const struct rest_member known[] = { { "where", &where }, { "what", &what }, { "dry_run", &dry } };
    struct slice where_text, what_text, anchor = { 0 };
    struct select_rotation done;
    struct env *env = c->rest->c.host->env;
    char cursor[24];
    TRY(rest_members(c->body, known, 3, e));
    TRY(rest_text(where, "where", &where_text, e));
    TRY(rest_text(what, "what", &what_text, e));
    bool tls = slice_eq(what_text, SLICE("tls_trust"));
    if (!tls && !slice_eq(what_text, SLICE("signing_key"))) return fail_field(e, E_INVALID, NULL, "what", "must be signing_key or tls_trust");
    if (dry && !json_is_boolean(dry)) return fail_field(e, E_INVALID, NULL, "dry_run", "must be true or false");
    if (tls) TRY(c->rest->c.tls_anchor(c->rest->c.arg, &anchor, c->arena, e));
    if (tls && !anchor.n) return fail(e, E_STATE, NULL, "there is no certificate that devices could be told to trust");
    TRY(select_compile(&c->where, where_text, c->arena, e));
    TRY(select_rotation(c->rest->c.eim, &c->who, c->where, env->now(env), c->cursor, anchor, json_is_true(dry), &done, c->arena, e));
    snprintf(cursor, sizeof cursor, "%016llx", (unsigned long long)done.next);
    json_t *o = json_pack("{s:I}", "selected", (json_int_t)done.selected), *steps = json_object();
    for (int s = 0; s < ROTATION_END; s++) json_object_set_new(steps, rotation_step_name((enum rotation_step)s), json_integer(done.steps[s]));
    json_object_set_new(o, "steps", steps);
    json_object_set_new(o, "next", done.next ? json_string(cursor) : json_null());
    return rest_reply_json(c, o, e);
}

/* {"signing_key","reason"} */
enum eim_err rest_device_signing_key(struct rest_call *c, struct err *e)
{
    const json_t *key = NULL, *reason = NULL;
    const struct rest_member known[] = { { "signing_key", &key }, { "reason", &reason } };
    struct slice key_text, reason_text;
    TRY(rest_members(c->body, known, 2, e));
    TRY(rest_text(key, "signing_key", &key_text, e));
    TRY(rest_text(reason, "reason", &reason_text, e));
    TRY(manage_rotated(c->rest->c.eim, &c->who, c->params[0], key_text, reason_text, c->arena, e));
    return rest_device_get(c, e);
}
