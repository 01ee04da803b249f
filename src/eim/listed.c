/* listed.c -- invariant I12: the eIM connects only to addresses that people listed: SM-DP+ accounts, and what stands in their own orders.
 *
 * A notification's address comes out of a profile, so whoever makes profiles could else make the eIM connect anywhere. (Where a listed name
 * leads to is judged again when the connection is made: base/outbound.h.) */
#include "eim/listed.h"

#include "base/outbound.h"

#include <ctype.h>
#include <strings.h>

enum { ORDERS_BACK = 100, HOST_MAX = 253, PORT_DIGITS = 5 };

bool address_ok(struct slice address)
{
    size_t host = 0, digits = 0;
    while (host < address.n && (isalnum(address.p[host]) || address.p[host] == '.' || address.p[host] == '-')) host++;
    if (!host || host > HOST_MAX || address.p[0] == '.' || address.p[0] == '-') return false;
    if (host == address.n) return true;
    if (address.p[host] != ':') return false;
    while (host + 1 + digits < address.n && isdigit(address.p[host + 1 + digits])) digits++;
    return digits && digits <= PORT_DIGITS && host + 1 + digits == address.n;
}

static bool same_address(struct slice a, struct slice b)
{
    return a.n == b.n && a.n && !strncasecmp((const char *)a.p, (const char *)b.p, a.n);
}

/* The SM-DP+ in the activation code of a download that somebody ordered, or the SM-DS that it names; empty when it has neither. */
static struct slice ordered_address(const struct operation *o, struct arena *a)
{
    struct profile_download_trigger_request r;
    if (o->kind != OPK_DOWNLOAD || der_decode(&profile_download_trigger_request_type, o->request, &r, a, &(struct err){ 0 }) != OK)
        return (struct slice){ 0 };
    if (r.profile_download_data.der.which == profile_download_data_is_contact_smds) return r.profile_download_data.contact_smds.smds_address;
    if (r.profile_download_data.der.which != profile_download_data_is_activation_code) return (struct slice){ 0 };
    struct slice code = r.profile_download_data.activation_code;
    if (code.n < 3 || memcmp(code.p, "1$", 2)) return (struct slice){ 0 };
    code = slice_of(code.p + 2, code.n - 2);
    const uint8_t *end = memchr(code.p, '$', code.n);
    return slice_of(code.p, end ? (size_t)(end - code.p) : code.n);
}

static enum eim_err in_our_orders(struct tx *t, int64_t association, struct slice address, bool *found, struct arena *a, struct err *e)
{
    struct operation_list list;
    TRY(store_operation_list(t, association, 0, ORDERS_BACK, false, &list, a, e));
    for (size_t i = 0; i < list.n && !*found; i++) *found = same_address(ordered_address(&list.v[i], a), address);
    return OK;
}

enum eim_err listed_find(struct tx *t, int64_t tenant, int64_t association, struct slice address, struct listed *out, struct arena *a, struct err *e)
{
    *out = (struct listed){ 0 };
    if (!address_ok(address)) return OK;           /* found nowhere */
    char *host = arena_str(a, address);
    if (!host) return fail(e, E_NOMEM, NULL, "no room for an address");
    for (char *p = host; *p; p++) *p = (char)tolower((unsigned char)*p);
    out->host = host;
    TRY(store_smdp_find(t, tenant, slice_str(host), &out->account, a, e));
    if (out->account.id) out->found = out->account.enabled;
    else TRY(in_our_orders(t, association, address, &out->found, a, e));
    return OK;
}

bool listed_fill(const struct listed *l, struct outbound_request *q, const char *lines[LISTED_HEADERS], struct arena *a)
{
    struct slice version = l->account.x_admin.n ? l->account.x_admin : SLICE("2.1.0");
    lines[0] = "Content-Type: application/json;charset=UTF-8";
    lines[1] = "User-Agent: gsma-rsp-lpad";
    lines[2] = arena_printf(a, "X-Admin-Protocol: gsma/rsp/v%.*s", (int)version.n, (const char *)version.p);
    lines[3] = NULL;
    q->headers = lines;
    q->trust_pem = l->account.trust_pem;
    q->connect_us = l->account.connect_ms * 1000;
    q->total_us = l->account.total_ms * 1000;
    return lines[2] != NULL;
}

struct slice listed_requester(const struct listed *l, const struct identity *id)
{
    return l->account.function_requester.n ? l->account.function_requester : id->eim_id;
}
