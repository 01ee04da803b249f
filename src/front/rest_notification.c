/* rest_notification.c -- notifications on their way to an SM-DP+: listed, looked at, sent again, dropped. */
#include "front/rest_int.h"

#include "asn1/codes.h"

static json_t *events(int64_t bits)
{
    json_t *list = json_array();
    for (int i = 0; i < 4; i++) {
        const char *name = bits >> i & 1 ? der_name(notification_event_names, i) : NULL;
        if (name) json_array_append_new(list, json_string(name));
    }
    return list;
}

static json_t *notification_json(const struct outbox *n, const struct eid *eid, struct arena *a)
{
    char digits[33];
    json_t *o = json_object();
    bool waits = n->state == OUT_WAITING || n->state == OUT_HELD;
    eid_print(eid, digits);
    jsonout_text(o, "id", slice_str(arena_printf(a, "ntf_%016llx", (unsigned long long)n->id)));
    json_object_set_new(o, "eid", json_string(digits));
    json_object_set_new(o, "state", json_string(outbox_state_name(n->state)));
    json_object_set_new(o, "sequence", json_integer(n->seq));
    json_object_set_new(o, "events", events(n->event));
    jsonout_iccid(o, "iccid", n->iccid);
    jsonout_text_or_null(o, "address", n->address);
    jsonout_time(o, "received_at", n->received_us);
    json_object_set_new(o, "tries", json_integer(n->tries));
    jsonout_time(o, "next_try_at", waits ? n->due_us : 0);
    jsonout_time(o, "ended_at", n->done_us);
    jsonout_text_or_null(o, "why", n->why);
    return o;
}

enum eim_err rest_notifications_list(struct rest_call *c, struct err *e)
{
    struct outbox_list list = { 0 };
    struct eid *eids = NULL;
    TRY(manage_notifications(c->rest->c.eim, &c->who, c->outbox_state, c->cursor, c->limit, &list, &eids, c->arena, e));
    json_t *items = json_array();
    for (size_t i = 0; i < list.n; i++) json_array_append_new(items, notification_json(&list.v[i], &eids[i], c->arena));
    return rest_reply_page(c, items, list.n && list.n == c->limit ? list.v[list.n - 1].id : 0, e);
}

enum eim_err rest_notification_get(struct rest_call *c, struct err *e)
{
    struct outbox n;
    struct eid eid;
    int64_t id;
    TRY(rest_id(c, "ntf_", "a notification", &id, e));
    TRY(manage_notification(c->rest->c.eim, &c->who, id, &n, &eid, c->arena, e));
    return rest_reply_json(c, notification_json(&n, &eid, c->arena), e);
}

static enum eim_err change(struct rest_call *c, bool retry, struct err *e)
{
    struct outbox n;
    struct eid eid;
    int64_t id;
    TRY(rest_id(c, "ntf_", "a notification", &id, e));
    TRY(manage_notification_change(c->rest->c.eim, &c->who, id, retry, &n, &eid, c->arena, e));
    return rest_reply_json(c, notification_json(&n, &eid, c->arena), e);
}

enum eim_err rest_notification_retry(struct rest_call *c, struct err *e)
{
    return change(c, true, e);
}

enum eim_err rest_notification_drop(struct rest_call *c, struct err *e)
{
    return change(c, false, e);
}
