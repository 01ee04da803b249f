/* rest_quarantine.c -- devices whose keys may be in other hands: stopped, looked at, let go again. */
#include "front/rest_int.h"

#include "base/env.h"

#include <stdio.h>

static enum eim_err flag(const json_t *v, const char *name, bool *out, struct err *e)
{
    *out = json_is_true(v);
    return !v || json_is_boolean(v) ? OK : fail_field(e, E_INVALID, NULL, name, "must be true or false");
}

/* {"where","reason","lift","dry_run"}: 500 devices a call; `next` says whether there are more. */
enum eim_err rest_quarantine(struct rest_call *c, struct err *e)
{
    const json_t *where = NULL, *reason = NULL, *lift = NULL, *dry = NULL;
    const struct rest_member known[] = { { "where", &where }, { "reason", &reason }, { "lift", &lift }, { "dry_run", &dry } };
    struct slice where_text, reason_text;
    struct select_change done;
    bool out, only_look;
    struct env *env = c->rest->c.host->env;
    char cursor[24];
    TRY(rest_members(c->body, known, 4, e));
    TRY(rest_text(where, "where", &where_text, e));
    TRY(rest_text(reason, "reason", &reason_text, e));
    TRY(flag(lift, "lift", &out, e));
    TRY(flag(dry, "dry_run", &only_look, e));
    TRY(select_compile(&c->where, where_text, c->arena, e));
    TRY(select_quarantine(c->rest->c.eim, &c->who, c->where, env->now(env), c->cursor, !out, reason_text, only_look, &done, c->arena, e));
    snprintf(cursor, sizeof cursor, "%016llx", (unsigned long long)done.next);
    json_t *o = json_pack("{s:I,s:I}", "selected", (json_int_t)done.selected, "changed", (json_int_t)done.changed);
    json_object_set_new(o, "next", done.next ? json_string(cursor) : json_null());
    return rest_reply_json(c, o, e);
}
