/* rest_export.c -- the signed inventory, page by page (doc/inventory.md). */
#include "front/rest_int.h"

#include "base/buf.h"
#include "base/env.h"
#include "trust/inventory.h"
#include "trust/log.h"

#include <stdio.h>

enum { LINES_MAX = 24 << 20 };

static json_t *labels(const struct label_list *list)
{
    json_t *o = json_object();
    for (size_t i = 0; i < list->n; i++) {
        char name[65];
        snprintf(name, sizeof name, "%.*s", (int)list->v[i].name.n, (const char *)list->v[i].name.p);
        jsonout_text(o, name, list->v[i].value);
    }
    return o;
}

static json_t *profiles(const struct device_view *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->profiles.n; i++) {
        const struct profile *p = &v->profiles.v[i];
        json_t *o = json_object();
        jsonout_iccid(o, "iccid", p->iccid);
        jsonout_text_or_null(o, "name", p->name);
        jsonout_text_or_null(o, "provider", p->provider);
        json_object_set_new(o, "fallback", json_boolean(p->fallback));
        json_object_set_new(o, "enabled", v->device.has_enabled ? json_boolean(slice_eq(v->device.enabled, p->iccid)) : json_null());
        jsonout_time(o, "as_of", p->as_of_us);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *eims(const struct card_eim_list *eims)
{
    json_t *list = json_array();
    for (size_t i = 0; i < eims->n; i++) {
        json_t *o = json_object();
        jsonout_text(o, "eim_id", eims->v[i].eim_id);
        jsonout_int_unless(o, "eim_id_type", eims->v[i].id_type, 0);
        jsonout_int_unless(o, "association_token", eims->v[i].token, DEVICE_TOKEN_NONE);
        jsonout_time(o, "as_of", eims->v[i].as_of_us);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *inventory(const struct export_item *i)
{
    const struct operation *op = &i->inventory;
    if (!op->id || !op->result.n) return json_null();
    json_t *o = json_object();
    jsonout_time(o, "asked_at", op->first_sent_us);
    jsonout_time(o, "result_at", op->result_us);
    json_object_set_new(o, "tokens", json_pack("[I,I]", (json_int_t)op->token, (json_int_t)(i->view.device.token < 0 ? 0 : i->view.device.token)));
    jsonout_base64(o, "package", op->package);
    jsonout_base64(o, "result", op->result);
    return o;
}

static json_t *line(const struct export_page *page, const struct export_item *i)
{
    const struct device *d = &i->view.device;
    char eid[33];
    json_t *o = json_object(), *own = json_object();
    eid_print(&d->eid, eid);
    json_object_set_new(o, "eid", json_string(eid));
    json_object_set_new(o, "verification", json_string(key_class_name(d->key_class)));
    jsonout_base64(o, "public_key", i->spki);
    jsonout_base64(o, "eum_certificate", i->view.data.eum_cert);
    jsonout_base64(o, "euicc_certificate", i->view.data.euicc_cert);
    json_object_set_new(o, "labels", labels(&i->view.labels));
    jsonout_text(own, "eim_id", page->identity->eim_id);
    json_object_set_new(own, "counter", json_integer(d->counter));
    jsonout_int_unless(own, "association_token", d->token, DEVICE_TOKEN_NONE);
    jsonout_text(own, "signing_key", d->signing_key);
    json_object_set_new(o, "association", own);
    json_object_set_new(o, "eims", eims(&i->view.eims));
    json_object_set_new(o, "profiles", profiles(&i->view));
    json_object_set_new(o, "inventory", inventory(i));
    return o;
}

static enum eim_err put_lines(struct rest_call *c, const struct export_page *page, struct buf *b, struct err *e)
{
    for (size_t i = 0; i < page->n; i++) {
        json_t *o = line(page, &page->v[i]);
        struct slice text = jsonout_dump(o, c->arena);
        json_decref(o);
        if (!text.n) return fail(e, E_NOMEM, NULL, "no room for a page: ask for fewer devices (limit)");
        buf_put(b, text);
        buf_str(b, "\n");
    }
    return b->failed ? fail(e, E_NOMEM, NULL, "no room for a page: ask for fewer devices (limit)") : OK;
}

/* {"previous"}: SHA-256 of the note of the page before, in hex; null or absent: this is the first. */
static enum eim_err read_previous(struct rest_call *c, struct inventory_note *n, struct err *e)
{
    const json_t *previous = NULL;
    const struct rest_member known[] = { { "previous", &previous } };
    TRY(rest_members(c->body, known, 1, e));
    n->first = !previous || json_is_null(previous);
    if (!n->first && !inventory_digest_read(json_slice(previous), n->previous))
        return fail_field(e, E_INVALID, NULL, "previous", "must be the SHA-256 of the note before, 64 hex digits");
    if (n->first != (c->cursor == 0))
        return fail_field(e, E_INVALID, NULL, "previous", "goes with a cursor: the first page has neither");
    return OK;
}

static enum eim_err answer(struct rest_call *c, const struct export_page *page, struct inventory_note *n, struct slice lines, struct err *e)
{
    const struct audit_log *l = c->rest->c.audit;
    struct env *env = c->rest->c.host->env;
    struct slice tenant, note;
    TRY(audit_tenant_name(c->who.tenant, &tenant, c->arena, e));
    char *origin = arena_printf(c->arena, "%s/inventory/%.*s", l->name, (int)tenant.n, (const char *)tenant.p);
    if (!origin) return fail(e, E_NOMEM, NULL, "no room for a note");
    n->origin = slice_str(origin);
    n->devices = (int64_t)page->n;
    if (c->cursor) snprintf(n->from, sizeof n->from, "%016llx", (unsigned long long)c->cursor);
    else snprintf(n->from, sizeof n->from, "0");
    if (page->next) snprintf(n->to, sizeof n->to, "%016llx", (unsigned long long)page->next);
    else snprintf(n->to, sizeof n->to, "end");
    env_rfc3339(env->now(env), n->at);
    TRY(inventory_note_make(l->signer, n, lines, &note, c->arena, e));
    json_t *o = json_object();
    jsonout_text(o, "note", note);
    json_object_set_new(o, "lines", json_stringn((const char *)lines.p, lines.n));
    json_object_set_new(o, "next", page->next ? json_string(n->to) : json_null());
    return rest_reply_json(c, o, e);
}

enum eim_err rest_inventory_export(struct rest_call *c, struct err *e)
{
    struct export_page page;
    struct inventory_note n = { 0 };
    struct buf b;
    TRY(read_previous(c, &n, e));
    TRY(manage_export(c->rest->c.eim, &c->who, c->cursor, c->limit, &page, c->arena, e));
    buf_init(&b, LINES_MAX);
    enum eim_err rc = put_lines(c, &page, &b, e);
    if (rc == OK) rc = answer(c, &page, &n, buf_slice(&b), e);
    buf_free(&b);
    return rc;
}
