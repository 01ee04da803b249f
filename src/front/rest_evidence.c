/* rest_evidence.c -- what proves the state of the devices, for the evidence bundle (doc/evidence.md). */
#include "front/rest_int.h"

/* The key is given too: a pinned one has no chain. Tokens: those under which the eUICC may have signed (SGP.32 2.11.2.1). */
static json_t *evidence_json(const struct evidence_item *i)
{
    const struct device *d = &i->device;
    const struct operation *o = &i->inventory;
    char eid[33];
    json_t *j = json_object();
    eid_print(&d->eid, eid);
    json_object_set_new(j, "eid", json_string(eid));
    json_object_set_new(j, "verification", json_string(key_class_name(d->key_class)));
    json_object_set_new(j, "curve", json_integer(d->curve));
    jsonout_base64(j, "key", d->key);
    jsonout_base64(j, "eum_certificate", i->data.eum_cert);
    jsonout_base64(j, "euicc_certificate", i->data.euicc_cert);
    jsonout_time(j, "changed_at", d->changed_us);
    if (!o->id || !o->result.n) {
        json_object_set_new(j, "inventory", json_null());
        return j;
    }
    json_t *inventory = json_object();
    jsonout_operation(inventory, "operation", o->id);
    jsonout_time(inventory, "asked_at", o->first_sent_us);
    jsonout_time(inventory, "result_at", o->result_us);
    json_object_set_new(inventory, "tokens", json_pack("[I,I]", (json_int_t)o->token, (json_int_t)(d->token < 0 ? 0 : d->token)));
    jsonout_base64(inventory, "package", o->package);
    jsonout_base64(inventory, "result", o->result);
    json_object_set_new(j, "inventory", inventory);
    return j;
}

enum eim_err rest_evidence(struct rest_call *c, struct err *e)
{
    struct evidence_page page = { 0 };
    TRY(manage_evidence(c->rest->c.eim, &c->who, c->cursor, c->limit, &page, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < page.n; i++) json_array_append_new(items, evidence_json(&page.v[i]));
    return rest_reply_page(c, items, page.next, e);
}
