/* rest_int.h -- what the handlers of the API share. For the rest_*.c files only. */
#ifndef FRONT_REST_INT_H
#define FRONT_REST_INT_H

#include "base/json.h"
#include "eim/manage.h"
#include "fleet/select.h"
#include "front/jsonout.h"
#include "front/rest.h"
#include "model/event.h"

enum { REST_PARAMS = 2, REST_HEADERS = 2 };

/* One request under way. */
struct rest_call {
    struct rest *rest;
    const struct http_request *req;
    struct arena *arena;
    const struct rest_route *route;
    struct principal who;
    struct slice params[REST_PARAMS];  /* the {} of the path, in order */
    int64_t cursor;                    /* 0 = none */
    unsigned limit;
    struct selection *where;           /* NULL = all devices */
    enum operation_state state;        /* OP_STATE_END = all */
    enum outbox_state outbox_state;    /* OUT_STATE_END = all */
    int64_t after;                     /* QUERY_EVENTS: the number of an event */
    struct event_filter types;
    bool has_eid;
    struct eid eid;
    json_t *body;                      /* BODY_JSON; rest_answer frees it */

    /* the answer */
    int status;                        /* 200 unless the handler says otherwise */
    const char *content_type;          /* application/json unless ... */
    struct slice reply;
    const char *location;
};

/* rest_reply_json -- make o, whose reference it takes, the answer. E_NOMEM when it does not fit. */
MUST enum eim_err rest_reply_json(struct rest_call *c, json_t *o, struct err *e);
/* rest_reply_page -- {"items":items,"next":...}; takes the reference. next 0 = the end. */
MUST enum eim_err rest_reply_page(struct rest_call *c, json_t *items, int64_t next, struct err *e);
/* rest_id -- the first {} of the path as an id: prefix and 16 hexadecimal digits. E_INVALID naming `what` it would be an id of. */
MUST enum eim_err rest_id(const struct rest_call *c, const char *prefix, const char *what, int64_t *id, struct err *e);
/* rest_members -- every member of the body must be one of these; those that are not there stay as they are (set them to NULL before).
 * E_INVALID naming the other one. rest_text -- a member as a text that is not empty, or E_INVALID. */
struct rest_member { const char *name; const json_t **to; };
MUST enum eim_err rest_members(const json_t *body, const struct rest_member *m, size_t n, struct err *e);
MUST enum eim_err rest_text(const json_t *v, const char *name, struct slice *out, struct err *e);
/* rest_media_type -- is it this one? Case and parameters do not matter; NULL is none. */
bool rest_media_type(const char *content_type, const char *want);

enum eim_err rest_openapi(struct rest_call *c, struct err *e);
enum eim_err rest_devices_list(struct rest_call *c, struct err *e);
enum eim_err rest_quarantine(struct rest_call *c, struct err *e);
enum eim_err rest_interop(struct rest_call *c, struct err *e);
enum eim_err rest_quirks(struct rest_call *c, struct err *e);
enum eim_err rest_quirk_rule_create(struct rest_call *c, struct err *e);
enum eim_err rest_quirk_rule_delete(struct rest_call *c, struct err *e);
enum eim_err rest_rotation(struct rest_call *c, struct err *e);
enum eim_err rest_device_signing_key(struct rest_call *c, struct err *e);
enum eim_err rest_handover(struct rest_call *c, struct err *e);
enum eim_err rest_device_control(struct rest_call *c, struct err *e);
enum eim_err rest_devices_count(struct rest_call *c, struct err *e);
enum eim_err rest_devices_import(struct rest_call *c, struct err *e);
enum eim_err rest_device_get(struct rest_call *c, struct err *e);
enum eim_err rest_device_change(struct rest_call *c, struct err *e);
enum eim_err rest_device_push(struct rest_call *c, struct err *e);
enum eim_err rest_device_delete(struct rest_call *c, struct err *e);
enum eim_err rest_device_operations(struct rest_call *c, struct err *e);
enum eim_err rest_operation_create(struct rest_call *c, struct err *e);
enum eim_err rest_inventory(struct rest_call *c, struct err *e);
enum eim_err rest_operations_list(struct rest_call *c, struct err *e);
enum eim_err rest_operation_get(struct rest_call *c, struct err *e);
enum eim_err rest_operation_cancel(struct rest_call *c, struct err *e);
enum eim_err rest_operation_package(struct rest_call *c, struct err *e);
enum eim_err rest_operation_result(struct rest_call *c, struct err *e);
enum eim_err rest_eim_configuration(struct rest_call *c, struct err *e);
enum eim_err rest_eim_configuration_der(struct rest_call *c, struct err *e);
enum eim_err rest_notifications_list(struct rest_call *c, struct err *e);
enum eim_err rest_notification_get(struct rest_call *c, struct err *e);
enum eim_err rest_notification_retry(struct rest_call *c, struct err *e);
enum eim_err rest_notification_drop(struct rest_call *c, struct err *e);
enum eim_err rest_smdp_list(struct rest_call *c, struct err *e);
enum eim_err rest_smdp_create(struct rest_call *c, struct err *e);
enum eim_err rest_smdp_get(struct rest_call *c, struct err *e);
enum eim_err rest_smdp_put(struct rest_call *c, struct err *e);
enum eim_err rest_smdp_delete(struct rest_call *c, struct err *e);
enum eim_err rest_pools_list(struct rest_call *c, struct err *e);
enum eim_err rest_pool_create(struct rest_call *c, struct err *e);
enum eim_err rest_pool_get(struct rest_call *c, struct err *e);
enum eim_err rest_pool_delete(struct rest_call *c, struct err *e);
enum eim_err rest_pool_codes(struct rest_call *c, struct err *e);
enum eim_err rest_pool_fill(struct rest_call *c, struct err *e);
enum eim_err rest_code_return(struct rest_call *c, struct err *e);
enum eim_err rest_code_withdraw(struct rest_call *c, struct err *e);
enum eim_err rest_porders_list(struct rest_call *c, struct err *e);
enum eim_err rest_porder_create(struct rest_call *c, struct err *e);
enum eim_err rest_porder_get(struct rest_call *c, struct err *e);
enum eim_err rest_porder_cancel(struct rest_call *c, struct err *e);
enum eim_err rest_porder_retry(struct rest_call *c, struct err *e);
enum eim_err rest_tokens_list(struct rest_call *c, struct err *e);
enum eim_err rest_token_create(struct rest_call *c, struct err *e);
enum eim_err rest_token_revoke(struct rest_call *c, struct err *e);
enum eim_err rest_roles_list(struct rest_call *c, struct err *e);
enum eim_err rest_role_put(struct rest_call *c, struct err *e);
enum eim_err rest_role_delete(struct rest_call *c, struct err *e);
enum eim_err rest_whoami(struct rest_call *c, struct err *e);
enum eim_err rest_explain(struct rest_call *c, struct err *e);
enum eim_err rest_inventory_export(struct rest_call *c, struct err *e);
enum eim_err rest_events(struct rest_call *c, struct err *e);
enum eim_err rest_device_timeline(struct rest_call *c, struct err *e);
enum eim_err rest_audit(struct rest_call *c, struct err *e);
enum eim_err rest_evidence(struct rest_call *c, struct err *e);
enum eim_err rest_audit_key(struct rest_call *c, struct err *e);
enum eim_err rest_audit_head(struct rest_call *c, struct err *e);
enum eim_err rest_audit_lines(struct rest_call *c, struct err *e);
enum eim_err rest_audit_inclusion(struct rest_call *c, struct err *e);
enum eim_err rest_audit_consistency(struct rest_call *c, struct err *e);
enum eim_err rest_healthz(struct rest_call *c, struct err *e);
enum eim_err rest_readyz(struct rest_call *c, struct err *e);
enum eim_err rest_metrics(struct rest_call *c, struct err *e);

#endif
