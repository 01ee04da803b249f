/* rest.c -- the API's table of routes, and the way of one request through it.
 *
 * The order of the checks is part of the promise: path (404), method (405), who (401), may (403), and only then whatever
 * the caller sent: query (400), media type (415), size (413), JSON (400), the row's form (400). A caller without a token learns nothing about the
 * data, and what he sent is not even looked at. */
#include "front/rest.h"

#include "base/env.h"
#include "base/log.h"
#include "eim/eim.h"
#include "front/problem.h"
#include "front/rest_int.h"
#include "net/work.h"

#include <stdio.h>
#include <strings.h>

enum { ORDER_MAX = 64 * 1024, EMPTY_MAX = 64, SMALL_MAX = 4096, ACCOUNT_MAX = 128 * 1024 };

#define PAGE (QUERY_CURSOR | QUERY_LIMIT)

static const struct rest_route routes[] = {
    { "GET", "/healthz", PERM_NONE, rest_healthz, .quiet = true, .request = "", .reply = "Health",
      .doc = "the process lives" },
    { "GET", "/readyz", PERM_NONE, rest_readyz, .quiet = true, .request = "", .reply = "Health",
      .doc = "the store answers and the server is not draining" },
    { "GET", "/metrics", PERM_METRICS, rest_metrics, .listed_peers = true, .quiet = true, .request = "", .reply = "Prometheus",
      .doc = "counters as Prometheus text" },
    { "GET", "/v1/openapi.json", PERM_SELF, rest_openapi, .request = "", .reply = "OpenApi", .doc = "this API, as an OpenAPI 3.1 document" },
    { "GET", "/v1/devices", PERM_DEVICE_READ, rest_devices_list, .query = PAGE | QUERY_WHERE, .request = "", .reply = "Page of Device",
      .doc = "devices, a page at a time; where: an expression that selects them" },
    { "GET", "/v1/devices/count", PERM_DEVICE_READ, rest_devices_count, .query = QUERY_WHERE, .request = "", .reply = "Count",
      .doc = "how many devices an expression selects" },
    { "POST", "/v1/devices", PERM_DEVICE_ENROL, rest_devices_import, .body = BODY_IMPORT, .body_max = REST_BODY_MAX,
      .request = "Enrolment|[Enrolment]", .reply = "Enrolled|ImportReport", .doc = "enrol one device or a batch of up to 1,000" },
    { "GET", "/v1/devices/{eid}", PERM_DEVICE_READ, rest_device_get, .request = "", .reply = "Device",
      .doc = "one device: profiles and where each fact comes from" },
    { "PATCH", "/v1/devices/{eid}", PERM_DEVICE_CHANGE, rest_device_change, .body = BODY_JSON, .body_max = ORDER_MAX,
      .request = "DeviceChange", .reply = "Device", .doc = "say how a device is reached, or that it is not" },
    { "POST", "/v1/devices/{eid}/push", PERM_OPERATION_CREATE, rest_device_push, .status = 202, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "Device", .doc = "push what waits to a device that is reached, now" },
    { "DELETE", "/v1/devices/{eid}", PERM_DEVICE_REMOVE, rest_device_delete, .request = "", .reply = "",
      .doc = "remove a device and all its rows" },
    { "GET", "/v1/devices/{eid}/operations", PERM_OPERATION_READ, rest_device_operations, .query = PAGE, .request = "",
      .reply = "Page of Operation", .doc = "operations of a device, newest first" },
    { "POST", "/v1/devices/{eid}/operations", PERM_OPERATION_CREATE, rest_operation_create, .status = 201, .body = BODY_JSON, .body_max = ORDER_MAX,
      .request = "Order", .reply = "Operation", .doc = "order PSMOs or eCOs on a device" },
    { "POST", "/v1/devices/{eid}/inventory", PERM_OPERATION_CREATE, rest_inventory, .status = 201, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "Operation", .doc = "order an attested inventory" },
    { "POST", "/v1/quarantine", PERM_QUARANTINE, rest_quarantine, .query = QUERY_CURSOR, .body = BODY_JSON, .body_max = ORDER_MAX,
      .request = "QuarantineOrder", .reply = "QuarantineReport",
      .doc = "put devices that an expression selects into quarantine, or let them out, 500 at a time" },
    { "GET", "/v1/interop", PERM_DEVICE_READ, rest_interop, .request = "", .reply = "InteropReport",
      .doc = "what makers' IPAs and cards do otherwise than the specification says, since the start" },
    { "GET", "/v1/quirks", PERM_DEVICE_READ, rest_quirks, .request = "", .reply = "Quirks",
      .doc = "known deviations from the specification, and the rules that say which devices have them" },
    { "POST", "/v1/quirks", PERM_QUIRK_MANAGE, rest_quirk_rule_create, .status = 201, .body = BODY_JSON, .body_max = SMALL_MAX, .request = "QuirkRuleOrder",
      .reply = "QuirkRule", .doc = "devices of this kind have these quirks" },
    { "DELETE", "/v1/quirks/{id}", PERM_QUIRK_MANAGE, rest_quirk_rule_delete, .request = "", .reply = "", .doc = "remove such a rule" },
    { "POST", "/v1/rotation", PERM_ROTATE, rest_rotation, .query = QUERY_CURSOR, .body = BODY_JSON, .body_max = ORDER_MAX,
      .request = "RotationOrder", .reply = "RotationReport",
      .doc = "give devices that an expression selects the present signing key, or the present TLS trust: the next step of each, 500 at a time" },
    { "POST", "/v1/devices/{eid}/signing-key", PERM_ROTATE, rest_device_signing_key, .body = BODY_JSON, .body_max = ORDER_MAX,
      .request = "SigningKeyClaim", .reply = "Device", .doc = "say which key of this eIM the card has, when no result tells" },
    { "POST", "/v1/handover", PERM_HANDOVER, rest_handover, .query = QUERY_CURSOR, .body = BODY_JSON, .body_max = ORDER_MAX,
      .request = "HandoverOrder", .reply = "HandoverReport",
      .doc = "give devices that an expression selects to another eIM: the next step of each, 500 at a time" },
    { "POST", "/v1/devices/{eid}/control", PERM_HANDOVER, rest_device_control, .body = BODY_JSON, .body_max = ORDER_MAX,
      .request = "ControlClaim", .reply = "Device", .doc = "show that another eIM controls the card, by a result signed for it or by a person's word" },
    { "GET", "/v1/operations", PERM_OPERATION_READ, rest_operations_list, .query = PAGE | QUERY_STATE, .request = "",
      .reply = "Page of Operation", .doc = "operations of all devices, newest first" },
    { "GET", "/v1/operations/{id}", PERM_OPERATION_READ, rest_operation_get, .request = "", .reply = "Operation",
      .doc = "one operation" },
    { "POST", "/v1/operations/{id}/cancel", PERM_OPERATION_CANCEL, rest_operation_cancel, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "Operation", .doc = "cancel an operation that was not fetched yet" },
    { "GET", "/v1/operations/{id}/package", PERM_OPERATION_READ, rest_operation_package, .request = "", .reply = "octets",
      .doc = "the exact signed package that left" },
    { "GET", "/v1/operations/{id}/result", PERM_OPERATION_READ, rest_operation_result, .request = "", .reply = "octets",
      .doc = "the exact verified result that came back" },
    { "GET", "/v1/notifications", PERM_NOTIFICATION_READ, rest_notifications_list, .query = PAGE | QUERY_OUTBOX_STATE, .request = "",
      .reply = "Page of Notification", .doc = "notifications on their way to an SM-DP+, newest first" },
    { "GET", "/v1/notifications/{id}", PERM_NOTIFICATION_READ, rest_notification_get, .request = "", .reply = "Notification",
      .doc = "one such notification, and what stands in its way" },
    { "POST", "/v1/notifications/{id}/retry", PERM_NOTIFICATION_CHANGE, rest_notification_retry, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "Notification", .doc = "try it now, and as long as a new one" },
    { "POST", "/v1/notifications/{id}/drop", PERM_NOTIFICATION_CHANGE, rest_notification_drop, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "Notification", .doc = "give it up: its SM-DP+ will not get it from us" },
    { "GET", "/v1/eim/configuration", PERM_EIM_READ, rest_eim_configuration, .request = "", .reply = "EimConfiguration",
      .doc = "who eUICCs know this eIM as" },
    { "GET", "/v1/eim/configuration.der", PERM_EIM_READ, rest_eim_configuration_der, .request = "", .reply = "octets",
      .doc = "the same as the AddInitialEim blob for device makers" },
    { "GET", "/v1/smdp-accounts", PERM_SMDP_READ, rest_smdp_list, .query = PAGE, .request = "", .reply = "Page of SmdpAccount",
      .doc = "SM-DP+ accounts: the servers that may be connected to" },
    { "POST", "/v1/smdp-accounts", PERM_SMDP_MANAGE, rest_smdp_create, .status = 201, .body = BODY_JSON, .body_max = ACCOUNT_MAX,
      .request = "SmdpAccountOrder", .reply = "SmdpAccount", .doc = "make an SM-DP+ account" },
    { "GET", "/v1/smdp-accounts/{id}", PERM_SMDP_READ, rest_smdp_get, .request = "", .reply = "SmdpAccount", .doc = "one SM-DP+ account" },
    { "PUT", "/v1/smdp-accounts/{id}", PERM_SMDP_MANAGE, rest_smdp_put, .body = BODY_JSON, .body_max = ACCOUNT_MAX,
      .request = "SmdpAccountOrder", .reply = "SmdpAccount", .doc = "replace an SM-DP+ account" },
    { "DELETE", "/v1/smdp-accounts/{id}", PERM_SMDP_MANAGE, rest_smdp_delete, .request = "", .reply = "",
      .doc = "remove it: no longer connected to, unless an order of ours names its address" },
    { "GET", "/v1/profile-orders", PERM_OPERATION_READ, rest_porders_list, .query = PAGE, .request = "", .reply = "Page of ProfileOrder",
      .doc = "orders of profiles, newest first" },
    { "POST", "/v1/profile-orders", PERM_OPERATION_CREATE, rest_porder_create, .status = 201, .body = BODY_JSON, .body_max = SMALL_MAX,
      .request = "ProfileOrderOrder", .reply = "ProfileOrder", .doc = "a profile of an operator on a device: from a pool, or by ES2+" },
    { "GET", "/v1/profile-orders/{id}", PERM_OPERATION_READ, rest_porder_get, .request = "", .reply = "ProfileOrder",
      .doc = "one order of a profile, and what stands in its way" },
    { "POST", "/v1/profile-orders/{id}/cancel", PERM_OPERATION_CANCEL, rest_porder_cancel, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "ProfileOrder", .doc = "take it back, at the SM-DP+ too" },
    { "POST", "/v1/profile-orders/{id}/retry", PERM_OPERATION_CREATE, rest_porder_retry, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "ProfileOrder", .doc = "order an unclear one again: nothing was ordered, as the operator says" },
    { "GET", "/v1/code-pools", PERM_POOL_READ, rest_pools_list, .query = PAGE, .request = "", .reply = "Page of CodePool",
      .doc = "pools of activation codes: how many are left" },
    { "POST", "/v1/code-pools", PERM_POOL_MANAGE, rest_pool_create, .status = 201, .body = BODY_JSON, .body_max = SMALL_MAX, .request = "CodePoolOrder",
      .reply = "CodePool", .doc = "make a pool, empty" },
    { "GET", "/v1/code-pools/{id}", PERM_POOL_READ, rest_pool_get, .request = "", .reply = "CodePool", .doc = "one pool of activation codes" },
    { "DELETE", "/v1/code-pools/{id}", PERM_POOL_MANAGE, rest_pool_delete, .request = "", .reply = "",
      .doc = "remove a pool and its codes, unless one is on its way to a device" },
    { "GET", "/v1/code-pools/{id}/codes", PERM_POOL_READ, rest_pool_codes, .query = PAGE, .request = "", .reply = "Page of ActivationCode",
      .doc = "its codes: state and operation of each, never the code" },
    { "POST", "/v1/code-pools/{id}/codes", PERM_POOL_MANAGE, rest_pool_fill, .body = BODY_JSON, .body_max = REST_BODY_MAX,
      .request = "Codes", .reply = "FillReport", .doc = "put up to 1,000 activation codes in; wrong ones are refused alone" },
    { "POST", "/v1/activation-codes/{id}/return", PERM_POOL_MANAGE, rest_code_return, .body = BODY_EMPTY, .body_max = EMPTY_MAX, .request = "",
      .reply = "ActivationCode", .doc = "an unclear one was not used: it is free again" },
    { "POST", "/v1/activation-codes/{id}/withdraw", PERM_POOL_MANAGE, rest_code_withdraw, .body = BODY_EMPTY, .body_max = EMPTY_MAX,
      .request = "", .reply = "ActivationCode", .doc = "take a free or unclear one out for ever" },
    { "GET", "/v1/tokens", PERM_TOKEN_READ, rest_tokens_list, .query = PAGE, .request = "", .reply = "Page of Token",
      .doc = "API tokens, newest first; never their secrets" },
    { "POST", "/v1/tokens", PERM_TOKEN_MANAGE, rest_token_create, .status = 201, .body = BODY_JSON, .body_max = SMALL_MAX, .request = "TokenOrder",
      .reply = "NewToken", .doc = "make an API token; its secret is in this answer and nowhere else" },
    { "DELETE", "/v1/tokens/{id}", PERM_TOKEN_MANAGE, rest_token_revoke, .request = "", .reply = "",
      .doc = "revoke a token: it is refused from now on" },
    { "GET", "/v1/roles", PERM_ROLE_READ, rest_roles_list, .request = "", .reply = "Roles",
      .doc = "roles and what they allow, built-in ones first" },
    { "PUT", "/v1/roles/{name}", PERM_ROLE_MANAGE, rest_role_put, .body = BODY_JSON, .body_max = SMALL_MAX, .request = "RoleOrder", .reply = "",
      .doc = "make or change a role of one's own" },
    { "DELETE", "/v1/roles/{name}", PERM_ROLE_MANAGE, rest_role_delete, .request = "", .reply = "",
      .doc = "remove a role; tokens that have it open nothing any more" },
    { "GET", "/v1/whoami", PERM_SELF, rest_whoami, .request = "", .reply = "Principal",
      .doc = "who the caller is, and what he may do" },
    { "POST", "/v1/access/explain", PERM_ROLE_READ, rest_explain, .body = BODY_JSON, .body_max = SMALL_MAX, .request = "AccessQuestion",
      .reply = "AccessAnswer", .doc = "may this role call that route, and why?" },
    { "GET", "/v1/events", PERM_EVENT_READ, rest_events, .query = QUERY_LIMIT | QUERY_EVENTS, .request = "", .reply = "EventPage",
      .doc = "the event log, oldest first: after the event of a number, of chosen types, of one device" },
    { "GET", "/v1/devices/{eid}/timeline", PERM_EVENT_READ, rest_device_timeline, .query = PAGE, .request = "", .reply = "Page of Event",
      .doc = "what happened with a device, newest first" },
    { "GET", "/v1/audit", PERM_AUDIT_READ, rest_audit, .query = PAGE, .request = "", .reply = "Page of AuditEntry",
      .doc = "the audit log, oldest first" },
    { "GET", "/v1/evidence", PERM_EVIDENCE_EXPORT, rest_evidence, .query = PAGE, .request = "", .reply = "Page of Evidence",
      .doc = "what proves the devices' profiles: packages, results and certificates, exact bytes" },
    { "POST", "/v1/inventory-export", PERM_INVENTORY_EXPORT, rest_inventory_export, .query = PAGE, .body = BODY_JSON, .body_max = SMALL_MAX,
      .request = "ExportPageOrder", .reply = "ExportPage", .doc = "a signed page of the whole inventory, for another eIM" },
    { "GET", "/v1/audit/key", PERM_AUDIT_READ, rest_audit_key, .request = "", .reply = "AuditKey",
      .doc = "the key that the log's tree heads verify with" },
    { "GET", "/v1/audit/head", PERM_AUDIT_READ, rest_audit_head, .request = "", .reply = "text",
      .doc = "the newest signed tree head, a C2SP checkpoint" },
    { "GET", "/v1/audit/lines/{number}", PERM_AUDIT_READ, rest_audit_lines, .request = "", .reply = "JSON lines",
      .doc = "up to 1,000 exact lines from this number on, counted from 0" },
    { "GET", "/v1/audit/inclusion/{number}", PERM_AUDIT_READ, rest_audit_inclusion, .request = "", .reply = "AuditInclusion",
      .doc = "the proof that a line is in the log under the newest tree head" },
    { "GET", "/v1/audit/consistency/{size}", PERM_AUDIT_READ, rest_audit_consistency, .request = "", .reply = "AuditConsistency",
      .doc = "the proof that the log only grew since it had this size" },
};
enum { ROUTES = sizeof routes / sizeof routes[0], ROUTE_METHODS = 4 };     /* methods of one path */

const struct rest_route *rest_routes(size_t *n)
{
    *n = ROUTES;
    return routes;
}

void rest_init(struct rest *r, const struct rest_config *c)
{
    *r = (struct rest){ .c = *c };
}

/* ---- finding the row ---- */

static bool path_matches(const char *pattern, const char *path, struct slice params[REST_PARAMS])
{
    size_t n = 0;
    for (;;) {
        size_t want = strcspn(pattern + 1, "/"), have = strcspn(path + 1, "/");
        if (pattern[1] == '{') {
            if (have == 0 || n == REST_PARAMS) return false;
            params[n++] = slice_of(path + 1, have);
        } else if (want != have || memcmp(pattern + 1, path + 1, want) != 0) {
            return false;
        }
        pattern += 1 + want;
        path += 1 + have;
        if (!*pattern || !*path) return !*pattern && !*path;
    }
}

/* The row of a method and path; *known counts the rows of other methods. */
static const struct rest_route *look_up(const char *method, const char *path, struct slice params[REST_PARAMS], const struct rest_route **others,
                                        size_t *known)
{
    bool head = strcmp(method, "HEAD") == 0;
    *known = 0;
    for (size_t i = 0; path[0] == '/' && i < ROUTES; i++) {
        struct slice found[REST_PARAMS] = { { 0 } };
        if (!path_matches(routes[i].path, path, found)) continue;
        if (strcmp(routes[i].method, head ? "GET" : method) == 0) {
            memcpy(params, found, sizeof found);
            return &routes[i];
        }
        if (*known < ROUTE_METHODS) others[(*known)++] = &routes[i];
    }
    return NULL;
}

const struct rest_route *rest_route_of(const char *method, const char *path)
{
    struct slice params[REST_PARAMS];
    const struct rest_route *others[ROUTE_METHODS];
    size_t known;
    return look_up(method, path, params, others, &known);
}

/* find_route -- the row, or E_NOT_FOUND, or E_METHOD with the methods there are in `allow`. */
static enum eim_err find_route(struct rest_call *c, char *allow, size_t room, struct err *e)
{
    const struct rest_route *others[ROUTE_METHODS];
    size_t known, n = 0;
    allow[0] = 0;
    c->route = look_up(c->req->method, c->req->path, c->params, others, &known);
    if (c->route) return OK;
    for (size_t i = 0; i < known; i++)
        n += (size_t)snprintf(allow + n, room - n, "%s%s%s", n ? ", " : "", others[i]->method, strcmp(others[i]->method, "GET") == 0 ? ", HEAD" : "");
    return known ? fail(e, E_METHOD, "RFC 9110 15.5.6", "%.20s is not possible here; %s", c->req->method, allow)
                 : fail(e, E_NOT_FOUND, NULL, "there is no such path");
}

/* ---- who and whether ---- */

static bool listed_peer(const struct rest *r, const char *peer)
{
    const char *end = strrchr(peer, ':');
    if (!end) return false;
    struct slice host = slice_of(peer, (size_t)(end - peer));
    if (host.n >= 2 && host.p[0] == '[') host = slice_of(host.p + 1, host.n - 2);
    for (size_t i = 0; i < r->c.n_metrics_from; i++)
        if (slice_eq(host, slice_str(r->c.metrics_from[i]))) return true;
    return false;
}

static enum eim_err authorise(struct rest_call *c, struct err *e)
{
    const struct rest_route *row = c->route;
    if (row->permission == PERM_NONE || (row->listed_peers && listed_peer(c->rest, c->req->peer))) return OK;
    TRY(identity_bearer(c->rest->c.host, slice_str(c->req->authorization), &c->who, c->arena, e));
    return access_check(&c->who, row->permission, e);
}

/* ---- what was sent ---- */

static bool read_cursor(const char *s, int64_t *out)
{
    uint8_t b[8];
    if (slice_unhex(slice_str(s), b, sizeof b) != 8 || b[0] > 0x7f) return false;
    *out = 0;
    for (size_t i = 0; i < 8; i++) *out = *out << 8 | b[i];
    return true;
}

static bool read_limit(const char *s, unsigned *out)
{
    unsigned v = 0;
    if (!*s || strlen(s) > 3) return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return false;
        v = v * 10 + (unsigned)(*s - '0');
    }
    *out = v;
    return v >= 1 && v <= REST_PAGE_MAX;
}

/* Of the event log; "type" takes several names with commas between. */
static enum eim_err read_event_parameter(struct rest_call *c, unsigned bit, const char *value, struct err *e)
{
    if (bit == QUERY_EID) {
        c->has_eid = eid_parse(slice_str(value), false, &c->eid);
        return c->has_eid ? OK : fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    }
    if (bit == QUERY_AFTER) {
        size_t n = strspn(value, "0123456789");
        if (!n || value[n] || n > 18) return fail_field(e, E_INVALID, NULL, "after", "the number of an event stands here");
        for (; *value; value++) c->after = c->after * 10 + (*value - '0');
        return OK;
    }
    for (const char *p = value;;) {
        size_t n = strcspn(p, ",");
        if (!event_filter_add(&c->types, slice_of(p, n)))
            return fail_field(e, E_INVALID, NULL, "type", "there is no type '%.*s' of an event", n > 40 ? 40 : (int)n, p);
        if (!p[n]) return OK;
        p += n + 1;
    }
}

static enum eim_err read_parameter(struct rest_call *c, const char *name, const char *value, unsigned *seen, struct err *e)
{
    unsigned bit = strcmp(name, "cursor") == 0 ? QUERY_CURSOR : strcmp(name, "limit") == 0 ? QUERY_LIMIT
                 : strcmp(name, "where") == 0 ? QUERY_WHERE
                 : strcmp(name, "after") == 0 ? QUERY_AFTER : strcmp(name, "type") == 0 ? QUERY_TYPE : strcmp(name, "eid") == 0 ? QUERY_EID
                 : strcmp(name, "state") == 0  ? c->route->query & (QUERY_STATE | QUERY_OUTBOX_STATE) : 0;
    if (!(bit & c->route->query)) return fail_field(e, E_INVALID, NULL, name, "there is no query parameter '%.40s' here", name);
    if (*seen & bit) return fail_field(e, E_INVALID, NULL, name, "the query parameter '%s' comes twice", name);
    *seen |= bit;
    if (bit & QUERY_EVENTS) return read_event_parameter(c, bit, value, e);
    if (bit == QUERY_WHERE) TRY(select_compile(&c->where, slice_str(value), c->arena, e));
    if (bit == QUERY_CURSOR && !read_cursor(value, &c->cursor)) return fail_field(e, E_INVALID, NULL, name, "this is no cursor of a page");
    if (bit == QUERY_LIMIT && !read_limit(value, &c->limit))
        return fail_field(e, E_INVALID, NULL, name, "limit is a number from 1 to %d", REST_PAGE_MAX);
    if (bit == QUERY_STATE && !operation_state_parse(slice_str(value), &c->state))
        return fail_field(e, E_INVALID, NULL, name, "there is no state '%.40s' of an operation", value);
    if (bit == QUERY_OUTBOX_STATE && !outbox_state_parse(slice_str(value), &c->outbox_state))
        return fail_field(e, E_INVALID, NULL, name, "there is no state '%.40s' of a notification", value);
    return OK;
}

static enum eim_err read_query(struct rest_call *c, struct err *e)
{
    unsigned seen = 0;
    for (const char *q = c->req->query; *q;) {
        size_t n = strcspn(q, "&"), k = strcspn(q, "=&");
        const char *name = http_unescape(c->arena, slice_of(q, k), true);
        const char *value = k < n ? http_unescape(c->arena, slice_of(q + k + 1, n - k - 1), true) : "";
        if (!name || !value) return fail_field(e, E_INVALID, "RFC 3986 2.1", "query", "the query is not escaped right");
        if (n) TRY(read_parameter(c, name, value, &seen, e));
        q += n + (q[n] == '&');
    }
    return OK;
}

bool rest_media_type(const char *content_type, const char *want)
{
    size_t n = content_type ? strcspn(content_type, ";") : 0;
    while (n && (content_type[n - 1] == ' ' || content_type[n - 1] == '\t')) n--;
    return n == strlen(want) && n && strncasecmp(content_type, want, n) == 0;
}

static enum eim_err read_body(struct rest_call *c, struct err *e)
{
    const struct rest_route *row = c->route;
    struct slice body = c->req->body;
    if (body.n > row->body_max)
        return row->body_max ? fail_field(e, E_TOO_LARGE, NULL, "body", "the body has %zu octets, at most %zu", body.n, row->body_max)
                             : fail_field(e, E_INVALID, NULL, "body", "no body is taken here");
    if (row->body == BODY_NONE || row->body == BODY_IMPORT || (row->body == BODY_EMPTY && body.n == 0)) return OK;
    if (!rest_media_type(c->req->content_type, "application/json"))
        return fail_field(e, E_MEDIA_TYPE, NULL, "Content-Type", "application/json is taken here");
    TRY(json_read(body, row->body_max, &c->body, e));
    if (!json_is_object(c->body)) return fail_field(e, E_INVALID, NULL, "body", "a JSON object is taken here");
    if (row->body == BODY_EMPTY && json_object_size(c->body))
        return fail_field(e, E_INVALID, NULL, json_object_iter_key(json_object_iter(c->body)), "no members are taken here");
    bool formed = row->body == BODY_JSON && schema_known(rest_schemas(), row->request);
    return formed ? schema_check(rest_schemas(), row->request, c->body, c->arena, e) : OK;
}

enum eim_err rest_id(const struct rest_call *c, const char *prefix, const char *what, int64_t *id, struct err *e)
{
    uint8_t b[8];
    struct slice s = c->params[0];
    size_t n = strlen(prefix);
    if (s.n != n + 16 || memcmp(s.p, prefix, n) != 0 || slice_unhex(slice_of(s.p + n, 16), b, sizeof b) != 8 || b[0] > 0x7f)
        return fail_field(e, E_INVALID, NULL, "id", "an id of %s is %s and 16 hexadecimal digits", what, prefix);
    *id = 0;
    for (size_t i = 0; i < sizeof b; i++) *id = *id << 8 | b[i];
    return OK;
}

enum eim_err rest_members(const json_t *body, const struct rest_member *m, size_t n, struct err *e)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)body, key, v) {
        size_t i = 0;
        while (i < n && strcmp(m[i].name, key) != 0) i++;
        if (i == n) return fail_field(e, E_INVALID, NULL, key, "there is no member '%.40s' here", key);
        *m[i].to = v;
    }
    return OK;
}

enum eim_err rest_text(const json_t *v, const char *name, struct slice *out, struct err *e)
{
    *out = json_slice(v);
    return out->n ? OK : fail_field(e, E_INVALID, NULL, name, "must be a text that is not empty");
}

/* ---- answering ---- */

enum eim_err rest_reply_json(struct rest_call *c, json_t *o, struct err *e)
{
    c->reply = jsonout_dump(o, c->arena);
    json_decref(o);
    return c->reply.n ? OK : fail(e, E_NOMEM, NULL, "no memory for the answer");
}

enum eim_err rest_reply_page(struct rest_call *c, json_t *items, int64_t next, struct err *e)
{
    char cursor[24];
    json_t *page = json_object();
    snprintf(cursor, sizeof cursor, "%016llx", (unsigned long long)next);
    json_object_set_new(page, "items", items);
    json_object_set_new(page, "next", next ? json_string(cursor) : json_null());
    return rest_reply_json(c, page, e);
}

static void log_call(const struct rest_call *c, uint64_t number, int status, int64_t us, const struct err *e)
{
    enum log_level level = status >= 500 ? LOG_ERROR : status >= 400 ? LOG_WARN : c->route && c->route->quiet ? LOG_DEBUG : LOG_INFO;
    if (!log_wants(level)) return;
    char req[24], ms[24], code[8], who[80], eid[16];
    struct eid parsed;
    bool has_eid = c->route && strstr(c->route->path, "{eid}") && eid_parse(c->params[0], false, &parsed);
    if (has_eid) eid_short(&parsed, eid);
    snprintf(req, sizeof req, "%llx", (unsigned long long)number);
    snprintf(ms, sizeof ms, "%lld.%01lld", (long long)(us / 1000), (long long)(us / 100 % 10));
    snprintf(code, sizeof code, "%d", status);
    snprintf(who, sizeof who, "%.*s", (int)c->who.name.n, (const char *)c->who.name.p);
    const struct log_kv kv[] = {
        { "req", req }, { "peer", c->req->peer }, { "who", c->who.name.n ? who : NULL }, { "method", c->req->method },
        { "path", c->route ? c->route->path : c->req->path }, { "eid", has_eid ? eid : NULL }, { "status", code },
        { "err", e->code ? err_name(e->code) : NULL }, { "field", e->code && e->field[0] ? e->field : NULL },
        { "clause", e->code ? e->clause : NULL }, { "why", e->code ? e->why : NULL }, { "ms", ms }, { NULL, NULL },
    };
    log_line(level, "api", kv);
}

static void put_header(struct http_reply *out, struct http_field *headers, const char *name, const char *value)
{
    headers[out->n_headers++] = (struct http_field){ name, value };
    out->headers = headers;
}

static void answer_error(struct http_reply *out, struct http_field *headers, struct arena *a, const struct err *e, const char *allow)
{
    out->status = err_status(e->code);
    out->content_type = PROBLEM_MEDIA_TYPE;
    out->body = problem_json(e, a);
    if (out->status == 401) put_header(out, headers, "WWW-Authenticate", "Bearer");
    if (out->status == 503) put_header(out, headers, "Retry-After", "5");
    char *copy = e->code == E_METHOD ? arena_str(a, slice_str(allow)) : NULL;
    if (copy) put_header(out, headers, "Allow", copy);
}

void rest_answer(struct rest *r, const struct http_request *req, struct arena *a, struct http_reply *out)
{
    struct env *env = r->c.host->env;
    int64_t begun = env->now(env);
    struct rest_call c = { .rest = r, .req = req, .arena = a, .limit = REST_PAGE_DEFAULT, .state = OP_STATE_END,
                           .outbox_state = OUT_STATE_END,
                           .status = 200, .content_type = "application/json" };
    struct err e = { 0 };
    char allow[64];
    *out = (struct http_reply){ 0 };

    enum eim_err rc = find_route(&c, allow, sizeof allow, &e);
    if (rc == OK) c.status = rest_row_status(c.route);
    if (rc == OK) rc = authorise(&c, &e);
    if (rc == OK) rc = read_query(&c, &e);
    if (rc == OK) rc = read_body(&c, &e);
    if (rc == OK) rc = c.route->handle(&c, &e);
    json_decref(c.body);

    struct http_field *headers = ARENA_ARRAY(a, struct http_field, REST_HEADERS);
    if (!headers) {
        *out = (struct http_reply){ .status = 503 };
    } else if (rc != OK) {
        if (e.code != rc) e.code = rc;
        answer_error(out, headers, a, &e, allow);
    } else {
        out->status = c.status;
        out->content_type = c.content_type;
        out->body = c.reply;
        if (c.location) put_header(out, headers, "Location", c.location);
        put_header(out, headers, "Cache-Control", "no-store");
    }
    log_call(&c, __atomic_add_fetch(&r->requests, 1, __ATOMIC_RELAXED), out->status, env->now(env) - begun, &e);
}

static void run(void *arg, const struct work_thread *t)
{
    struct http_exchange *x = arg;
    struct http_reply reply;
    (void)t;
    rest_answer(x->user, &x->req, x->arena, &reply);
    http_reply_send(x, &reply);
}

void rest_handle(void *arg, struct http_exchange *x)
{
    static const char alive[] = "{\"status\":\"ok\"}";
    static const struct http_field retry[] = { { "Retry-After", "5" } };
    struct rest *r = arg;
    x->user = r;
    bool alone = !*x->req.query && !x->req.body.n;     /* anything sent along is refused by its name, on the usual way */
    if (alone && strcmp(x->req.path, "/healthz") == 0 && strcmp(x->req.method, "GET") == 0) {     /* lives, however long the queue is */
        http_reply_send(x, &(struct http_reply){ .status = 200, .content_type = "application/json", .body = slice_str(alive) });
    } else if (!work_submit(r->c.work, run, x)) {
        struct err e = { 0 };
        fail(&e, E_BUSY, NULL, "too many requests are waiting");
        http_reply_send(x, &(struct http_reply){ .status = 503, .content_type = PROBLEM_MEDIA_TYPE, .body = problem_json(&e, x->arena),
                                                 .headers = retry, .n_headers = 1 });
    }
}
