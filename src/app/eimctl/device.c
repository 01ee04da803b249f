/* device.c -- eimctl device list, show, add, delete; the import has a file of its own. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/out.h"
#include "crypto/cert.h"
#include "crypto/key.h"

static const char *labels_text(struct ctl *c, const json_t *device)
{
    const char *name;
    json_t *value, *labels = json_object_get(device, "labels");
    char *text = NULL;
    json_object_foreach(labels, name, value) {
        const char *v = json_string_value(value);
        text = arena_printf(&c->page, "%s%s%s=%s", text ? text : "", text ? "," : "", name, v ? v : "");
        if (!text) return NULL;
    }
    return text;
}

/* null: nothing is known; {"iccid":null}: known that none is enabled. */
static const char *enabled_text(struct ctl *c, const json_t *device)
{
    if (!out_member(device, "enabled_profile")) return NULL;
    const char *iccid = out_string(c, device, "enabled_profile.iccid");
    return iccid ? iccid : "none";
}

static void show_devices(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *d;
    json_array_foreach(items, i, d) {
        if (c->json) {
            out_json(d);
            continue;
        }
        const char *busy = out_string(c, d, "queue.in_flight"), *next = out_string(c, d, "queue.next");
        table_row(t, (const char *[]){ out_string(c, d, "eid"), out_string(c, d, "verification"), enabled_text(c, d),
                                       out_string(c, d, "association.counter"), out_time(c, d, "last_seen"),
                                       busy ? "in flight" : next ? "waiting" : NULL, labels_text(c, d) });
    }
    if (!c->json) table_print(t);
}

int device_list(struct ctl *c)
{
    static const char *const head[] = { "EID", "KEY", "ENABLED", "COUNTER", "LAST SEEN", "QUEUE", "LABELS", NULL };
    struct table t;
    if (!table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    const char *where = ctl_option(c, "--where");
    char *query = where ? arena_printf(&c->arena, "where=%s", api_escape(c, where)) : arena_printf(&c->arena, "%s", "");
    if (!query) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, "/v1/devices", query, show_devices, &t);
}

int device_count(struct ctl *c)
{
    const char *where = ctl_option(c, "--where");
    json_t *o;
    int rc = where ? api_get(c, &o, "/v1/devices/count?where=%s", api_escape(c, where)) : api_get(c, &o, "/v1/devices/count");
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else {
        out_fact("selected", out_string(c, o, "selected"));
        out_fact("others", out_string(c, o, "others"));
        out_fact("undecided", out_string(c, o, "undecided"));
    }
    json_decref(o);
    return CTL_OK;
}

/* 500 devices a call, until none is left. */
static int quarantine(struct ctl *c, bool lift)
{
    const char *where = ctl_option(c, "--where"), *reason = ctl_option(c, "--reason");
    json_int_t selected = 0, changed = 0;
    char cursor[64] = "";
    if (!where || !reason) return ctl_fail(c, CTL_USAGE, "--where and --reason are needed");
    for (bool more = true; more;) {
        json_t *body = json_pack("{s:s,s:s,s:b,s:b}", "where", where, "reason", reason, "lift", lift, "dry_run", ctl_flag(c, "--dry-run")), *o;
        int rc = api_post_json(c, body, &o, "/v1/quarantine%s%s", *cursor ? "?cursor=" : "", cursor);
        if (rc != CTL_OK) return rc;
        const char *next = json_string_value(json_object_get(o, "next"));
        selected += json_integer_value(json_object_get(o, "selected"));
        changed += json_integer_value(json_object_get(o, "changed"));
        more = next && strlen(next) < sizeof cursor;
        if (more) snprintf(cursor, sizeof cursor, "%s", next);
        json_decref(o);
        arena_reset(&c->page);
    }
    if (c->json) printf("{\"selected\":%lld,\"changed\":%lld}\n", (long long)selected, (long long)changed);
    else printf("%lld devices selected, %lld %s\n", (long long)selected, (long long)changed, lift ? "released" : "put into quarantine");
    return CTL_OK;
}

int quarantine_set(struct ctl *c) { return quarantine(c, false); }
int quarantine_lift(struct ctl *c) { return quarantine(c, true); }

static const char *fact_with_source(struct ctl *c, const char *value, const json_t *of)
{
    if (!value) return NULL;
    const char *when = out_time(c, of, "as_of"), *class = out_string(c, of, "provenance"),
               *evidence = out_string(c, of, "evidence");
    return arena_printf(&c->page, "%s%s%s%s%s%s%s", value, class ? "  (" : "", class ? class : "", class && when ? ", " : "",
                        class && when ? when : "", class && evidence ? arena_printf(&c->page, ", %s", evidence) : "",
                        class ? ")" : "");
}

static void show_profiles(struct ctl *c, const json_t *profiles)
{
    static const char *const head[] = { "ICCID", "STATE", "CLASS",  "NAME",     "PROVIDER",
                                        "MARKS", "AS OF", "SOURCE", "EVIDENCE", NULL };
    struct table t;
    size_t i;
    json_t *p;
    if (!json_array_size(profiles) || !table_init(&t, c, json_array_size(profiles), head)) return;
    json_array_foreach(profiles, i, p) {
        const char *marks = arena_printf(&c->page, "%s%s%s", json_is_true(json_object_get(p, "fallback")) ? "fallback " : "",
                                         json_is_true(json_object_get(p, "ecall")) ? "ecall " : "",
                                         json_array_size(json_object_get(p, "policy_rules")) ? "policy" : "");
        table_row(&t,
                  (const char *[]){ out_string(c, p, "iccid"), out_string(c, p, "state"), out_string(c, p, "class"),
                                    out_string(c, p, "name"), out_string(c, p, "provider"), marks && *marks ? marks : NULL,
                                    out_time(c, p, "as_of"), out_string(c, p, "provenance"), out_string(c, p, "evidence") });
    }
    putchar('\n');
    table_print(&t);
}

static void show_eims(struct ctl *c, const json_t *eims)
{
    static const char *const head[] = { "EIM", "TYPE", "TOKEN", "AS OF", "SOURCE", "EVIDENCE", "SHOWN IN CONTROL", NULL };
    const json_t *items = out_member(eims, "items");
    struct table t;
    size_t i;
    json_t *o;
    if (!json_array_size(items) || !table_init(&t, c, json_array_size(items), head)) return;
    json_array_foreach(items, i, o)
        table_row(&t, (const char *[]){ out_string(c, o, "eim_id"), out_string(c, o, "eim_id_type"), out_string(c, o, "association_token"),
                                        out_time(c, o, "as_of"), out_string(c, o, "provenance"), out_string(c, o, "evidence"),
                                        out_time(c, o, "control_shown_at") });
    putchar('\n');
    table_print(&t);
}

static void show_device(struct ctl *c, const json_t *d)
{
    const json_t *wants = out_member(d, "queue.wants"), *hints = out_member(d, "hints");
    char *wanted = NULL;
    size_t i;
    for (i = 0; i < json_array_size(wants); i++) {
        const char *w = json_string_value(json_array_get(wants, i));
        wanted = arena_printf(&c->page, "%s%s%s", wanted ? wanted : "", wanted ? ", " : "", w ? w : "");
    }
    const char *stale = json_is_true(out_member(d, "inventory.stale")) ? "  (stale: older than the last known change)" : "";
    const char *inventory_at = out_time(c, d, "inventory.as_of"), *token = out_string(c, d, "association.token");
    out_fact("EID", out_string(c, d, "eid"));
    out_fact("key", out_string(c, d, "verification"));
    out_fact("counter", out_string(c, d, "association.counter"));
    out_fact("association token", token ? token : "not known");
    out_fact("labels", labels_text(c, d));
    const char *enabled = enabled_text(c, d);
    out_fact("enabled profile", enabled ? fact_with_source(c, enabled, out_member(d, "enabled_profile")) : "not known");
    out_fact("inventory", inventory_at ? arena_printf(&c->page, "%s%s", inventory_at, stale) : "never taken");
    out_fact("last seen", out_time(c, d, "last_seen"));
    out_fact("first contact", out_time(c, d, "first_contact"));
    out_fact("enrolled", out_time(c, d, "enrolled_at"));
    out_fact("network", fact_with_source(c, out_string(c, d, "network.plmn"), out_member(d, "network")));
    out_fact("state change", fact_with_source(c, out_string(c, d, "state_change.name"), out_member(d, "state_change")));
    out_fact("in flight", out_string(c, d, "queue.in_flight"));
    out_fact("next operation", out_string(c, d, "queue.next"));
    out_fact("unknown outcome", out_string(c, d, "queue.unsettled"));
    out_fact("eIM wants", wanted);
    const char *listed_at = out_time(c, d, "eims.as_of");
    out_fact("list of eIMs", listed_at ? listed_at : "never taken");
    show_profiles(c, out_member(d, "profiles"));
    show_eims(c, out_member(d, "eims"));
    for (i = 0; i < json_array_size(hints); i++) {
        const json_t *hint = json_array_get(hints, i);
        if (i == 0) putchar('\n');
        out_fact("hint (unsigned)", arena_printf(&c->page, "%s %s: %s", out_time(c, hint, "received_at"),
                                                 out_string(c, hint, "kind"), out_string(c, hint, "why")));
    }
}

int device_show(struct ctl *c)
{
    json_t *d;
    int rc = api_get(c, &d, "/v1/devices/%s", api_escape(c, c->pos[0]));
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(d);
    else show_device(c, d);
    json_decref(d);
    return CTL_OK;
}

/* The octets inside the first PEM armour of a text; {NULL,0} when there is none. */
static struct slice unarmour(struct ctl *c, struct slice text)
{
    static const char begin[] = "-----BEGIN ";
    const uint8_t *end = text.p + text.n, *p = text.n ? memmem(text.p, text.n, begin, sizeof begin - 1) : NULL;
    const uint8_t *from = p ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    const uint8_t *to = from ? memmem(from, (size_t)(end - from), "-----END ", 9) : NULL;
    uint8_t *b64 = to ? arena_alloc(&c->arena, (size_t)(to - from)) : NULL,
            *der = b64 ? arena_alloc(&c->arena, (size_t)(to - from)) : NULL;
    if (!der) return (struct slice){ 0 };
    size_t n = 0;
    for (p = from; p < to; p++)
        if (*p != '\n' && *p != '\r') b64[n++] = *p;
    long got = slice_from_b64(slice_of(b64, n), der, (size_t)(to - from));
    return got > 0 ? slice_of(der, (size_t)got) : (struct slice){ 0 };
}

/* A file with a certificate (or, for a pin, a public key; of a certificate the key in it is pinned), PEM or DER, as the
 * base64 that the API takes. */
static int add_file(struct ctl *c, json_t *body, const char *member, const char *path, bool pin)
{
    struct err e = { 0 }, ignored = { 0 };
    struct public_key *key = NULL;
    struct buf b;
    buf_init(&b, CERT_PEM_MAX);
    bool read = ctl_read(c, path, &b);
    struct slice der = read ? unarmour(c, buf_slice(&b)) : (struct slice){ 0 };
    if (read && !der.p) der = arena_copy(&c->arena, buf_slice(&b));
    buf_free(&b);
    if (!read) return CTL_REFUSED;
    enum eim_err rc = OK;
    if (pin && public_key_parse(&key, der, &e) != OK) rc = cert_public_key(&key, der, &ignored);
    if (pin && rc == OK) rc = public_key_spki(key, &der, &c->arena, &e);
    public_key_free(key);
    if (!pin) rc = cert_read(der, &der, &c->arena, &e);
    if (rc != OK) return ctl_fail(c, CTL_REFUSED, "%s: %s", path, e.why);
    char *text = arena_alloc(&c->arena, 4 * (der.n + 2) / 3 + 8);
    if (!text) return ctl_fail(c, CTL_REFUSED, "out of memory");
    slice_to_b64(der, text);
    json_object_set_new(body, member, json_string(text));
    return CTL_OK;
}

static int add_label(struct ctl *c, json_t *body, const char *text)
{
    const char *equals = strchr(text, '=');
    json_t *labels = json_object_get(body, "labels");
    if (!equals || equals == text) return ctl_fail(c, CTL_USAGE, "--label: not of the form NAME=VALUE: %s", text);
    if (!labels) json_object_set_new(body, "labels", labels = json_object());
    char *name = arena_str(&c->arena, slice_of(text, (size_t)(equals - text)));
    if (!name || json_object_get(labels, name)) return ctl_fail(c, CTL_USAGE, "--label: %s is there twice", text);
    if (json_object_set_new(labels, name, json_string(equals + 1)) != 0) return ctl_fail(c, CTL_USAGE, "--label: not UTF-8");
    return CTL_OK;
}

static int add_number(struct ctl *c, json_t *body, const char *member, const char *option)
{
    int64_t v;
    int rc = ctl_number(c, option, 0, INT64_MAX, -1, &v);
    if (rc == CTL_OK && v >= 0) json_object_set_new(body, member, json_integer(v));
    return rc;
}

static int enrolment(struct ctl *c, json_t *body)
{
    static const struct { const char *option, *member; bool pin; } files[] = {
        { "--pin", "public_key", true }, { "--eum", "eum_certificate", false }, { "--euicc", "euicc_certificate", false },
    };
    int rc = CTL_OK;
    for (size_t i = 0; i < c->nopt && rc == CTL_OK; i++)
        if (strcmp(c->opt[i].name, "--label") == 0) rc = add_label(c, body, c->opt[i].value);
    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == CTL_OK; i++)
        if (ctl_flag(c, files[i].option))
            rc = add_file(c, body, files[i].member, ctl_option(c, files[i].option), files[i].pin);
    if (rc == CTL_OK) rc = add_number(c, body, "association_token", "--token");
    if (rc == CTL_OK) rc = add_number(c, body, "counter", "--counter");
    if (rc == CTL_OK && ctl_flag(c, "--imei")) json_object_set_new(body, "imei", json_string(ctl_option(c, "--imei")));
    return rc;
}

int device_add(struct ctl *c)
{
    json_t *body = json_pack("{s:s}", "eid", c->pos[0]), *answer;
    if (!body) return ctl_fail(c, CTL_USAGE, "EID: not UTF-8");
    int rc = enrolment(c, body);
    if (rc != CTL_OK) {
        json_decref(body);
        return rc;
    }
    rc = api_post_json(c, body, &answer, "/v1/devices");
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(answer);
    else printf("enrolled %s\n", c->pos[0]);
    json_decref(answer);
    return CTL_OK;
}

int device_delete(struct ctl *c)
{
    json_t *answer;
    char *path = arena_printf(&c->page, "/v1/devices/%s", api_escape(c, c->pos[0]));
    if (!path) return ctl_fail(c, CTL_REFUSED, "out of memory");
    int rc = api_json(c, path, &(struct request){ .method = "DELETE" }, &answer);
    if (rc != CTL_OK) return rc;
    json_decref(answer);
    if (c->json) printf("{\"eid\":\"%s\",\"result\":\"deleted\"}\n", c->pos[0]);
    else printf("deleted %s\n", c->pos[0]);
    return CTL_OK;
}
