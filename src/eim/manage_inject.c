/* manage_inject.c -- what a person says of a device: whether and how it can be reached, how it deviates; and pushing to one now. */
#include "eim/manage.h"

#include "crypto/cert.h"
#include "eim/esipa_int.h"
#include "eim/listed.h"
#include "eim/quirks.h"

enum { TRUST_MAX = 16384 };

/* "https://HOST[:PORT]" to HOST[:PORT]; "coaps://HOST[:PORT]" stays what it is. */
static enum eim_err address_member(const json_t *v, struct slice *out, struct arena *a, struct err *e)
{
    enum { SCHEME = 8 };
    struct slice text = json_slice(v), whole = text;
    bool coap = text.n > SCHEME && !memcmp(text.p, "coaps://", SCHEME);
    if (!coap && (text.n <= SCHEME || memcmp(text.p, "https://", SCHEME)))
        return fail_field(e, E_INVALID, "SGP.32 3.1.1.2", "injection.address", "must be https://HOST[:PORT] or coaps://HOST[:PORT]");
    text = slice_of(text.p + SCHEME, text.n - SCHEME);
    if (!address_ok(text)) return fail_field(e, E_INVALID, "SGP.32 3.1.1.2", "injection.address", "must be a host name or IPv4 address, and a port");
    *out = arena_copy(a, coap ? whole : text);
    return out->p ? OK : fail(e, E_NOMEM, NULL, "no room for the address");
}

static enum eim_err trust_member(const json_t *v, struct slice *out, struct arena *a, struct err *e)
{
    struct slice pem = json_slice(v), der;
    if (pem.n > TRUST_MAX) return fail_field(e, E_TOO_LARGE, NULL, "injection.trust", "at most %d octets of PEM", TRUST_MAX);
    if (!pem.n || !memmem(pem.p, pem.n, "-----BEGIN CERTIFICATE-----", 27) || cert_read(pem, &der, a, &(struct err){ 0 }) != OK)
        return fail_field(e, E_INVALID, NULL, "injection.trust", "must be a certificate in PEM: a CA, or the IPA's own");
    *out = arena_copy(a, pem);
    return out->p ? OK : fail(e, E_NOMEM, NULL, "no room for the certificate");
}

enum eim_err manage_reach_from_json(const json_t *v, struct reach *out, struct arena *a, struct err *e)
{
    const char *name;
    json_t *m;
    *out = (struct reach){ 0 };
    if (json_is_null(v)) return OK;
    if (!json_is_object(v)) return fail_field(e, E_INVALID, NULL, "injection", "must be an object, or null");
    json_object_foreach((json_t *)(uintptr_t)v, name, m) {
        if (!strcmp(name, "address")) TRY(address_member(m, &out->address, a, e));
        else if (!strcmp(name, "trust")) TRY(trust_member(m, &out->trust, a, e));
        else if (!strcmp(name, "binding") && slice_eq(json_slice(m), SLICE("json"))) out->binding = INJECT_JSON;
        else if (!strcmp(name, "binding") && slice_eq(json_slice(m), SLICE("asn1"))) out->binding = INJECT_ASN1;
        else if (!strcmp(name, "binding")) return fail_field(e, E_INVALID, NULL, "injection.binding", "must be asn1 or json");
        else return fail_field(e, E_INVALID, NULL, "injection", "no such member: %.40s", name);
    }
    return out->address.n ? OK : fail_field(e, E_INVALID, NULL, "injection.address", "is missing");
}

struct change {
    struct store_job job;
    struct eim *m;
    const struct principal *p;
    int64_t association;
    const struct reach *reach;         /* NULL: stays as it is */
    int64_t quirks;                    /* -1: stay as they are */
    struct arena *a;
};

static enum eim_err find(struct change *c, struct eim *m, const struct principal *p, struct slice text, struct arena *a, struct err *e)
{
    const struct identity *id = eim_identity_of(m, p->tenant);
    struct eid eid;
    *c = (struct change){ .m = m, .p = p, .a = a };
    if (!eid_parse(text, false, &eid)) return fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    if (!id) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    c->association = model_association(id->association_key, &eid);
    return OK;
}

static enum eim_err note(struct tx *t, struct change *c, const struct device *d, const char *action, struct slice detail, struct err *e)
{
    struct audit_entry en = { .tenant = d->tenant, .principal = c->p->name, .action = action, .eid = &d->eid, .detail = detail };
    return audit_add(t, c->m->host->env, &en, e);
}

static enum eim_err lock(struct tx *t, struct change *c, struct device *d, struct injection *i, struct err *e)
{
    TRY(store_device_lock(t, c->association, d, c->a, e));
    if (!d->association || d->tenant != c->p->tenant) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    return store_injection_get(t, c->association, i, c->a, e);
}

static enum eim_err change_quirks(struct tx *t, struct change *c, struct device *d, struct err *e)
{
    char *names = quirks_text(c->quirks, c->a);
    if (!names) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    if (d->quirks == c->quirks) return OK;
    d->quirks = c->quirks;
    TRY(store_device_update(t, d, e));
    return note(t, c, d, "device.quirks", slice_str(names), e);
}

static enum eim_err change_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct device d;
    struct injection i;
    TRY(lock(t, c, &d, &i, e));
    if (c->quirks >= 0) TRY(change_quirks(t, c, &d, e));
    if (!c->reach) return OK;
    if (i.association) TRY(store_injection_delete(t, c->association, e));
    if (!c->reach->address.n) return i.association ? note(t, c, &d, "device.not_reached", (struct slice){ 0 }, e) : OK;
    i = (struct injection){ .association = c->association, .tenant = d.tenant, .address = c->reach->address, .binding = c->reach->binding,
                            .trust = c->reach->trust, .due_us = eim_now(c->m) };
    TRY(store_injection_put(t, &i, e));
    return note(t, c, &d, "device.reached_at", i.address, e);
}

enum eim_err manage_device_change(struct eim *m, const struct principal *p, struct slice eid, const json_t *change, struct arena *a,
                                  struct err *e)
{
    struct change c;
    struct reach reach = { 0 };
    const char *name;
    json_t *v;
    TRY(find(&c, m, p, eid, a, e));
    c.quirks = -1;
    json_object_foreach((json_t *)(uintptr_t)change, name, v) {
        if (!strcmp(name, "quirks")) TRY(manage_quirks_from_json(v, &c.quirks, e));
        else if (strcmp(name, "injection")) return fail_field(e, E_INVALID, NULL, name, "no such member can be changed");
        else {
            c.reach = &reach;
            TRY(manage_reach_from_json(v, &reach, a, e));
        }
    }
    if (!c.reach && c.quirks < 0) return fail(e, E_INVALID, NULL, "nothing to change: injection or quirks may be given");
    c.job.apply = change_apply;
    return store_run(m->host->store, &c.job, e);
}

static enum eim_err push_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct device d;
    struct injection i;
    TRY(lock(t, c, &d, &i, e));
    if (!i.association) return fail(e, E_STATE, "SGP.32 3.1.1.2", "the device cannot be reached: it has no injection address");
    TRY(store_injection_wake(t, c->association, eim_now(c->m), e));
    return note(t, c, &d, "device.push", (struct slice){ 0 }, e);
}

enum eim_err manage_device_push(struct eim *m, const struct principal *p, struct slice eid, struct arena *a, struct err *e)
{
    struct change c;
    TRY(find(&c, m, p, eid, a, e));
    c.job.apply = push_apply;
    return store_run(m->host->store, &c.job, e);
}
