/* rest_eim.c -- the eIM itself: who eUICCs know it as, its health and its metrics. */
#include "front/rest_int.h"

#include "asn1/es10b.h"
#include "base/buf.h"

enum { METRICS_MAX = 256 * 1024 };

static enum eim_err configuration(struct rest_call *c, struct slice *blob, struct slice *anchor, struct err *e)
{
    TRY(c->rest->c.tls_anchor(c->rest->c.arg, anchor, c->arena, e));
    return manage_configuration(c->rest->c.eim, &c->who, *anchor, blob, c->arena, e);
}

/* The JSON form is read out of the blob, so that the two can't differ. */
enum eim_err rest_eim_configuration(struct rest_call *c, struct err *e)
{
    struct slice blob = { 0 }, anchor = { 0 };
    struct add_initial_eim_request r;
    TRY(configuration(c, &blob, &anchor, e));
    TRY(der_decode(&add_initial_eim_request_type, blob, &r, c->arena, e));
    if (r.eim_configuration_data_list.n != 1) return fail(e, E_INTERNAL, NULL, "the configuration holds no eIM");
    const struct eim_configuration_data *d = &r.eim_configuration_data_list.v[0];
    bool spki = d->eim_public_key_data.der.which == eim_public_key_data_is_eim_public_key;
    json_t *o = json_object();
    jsonout_text(o, "eim_id", d->eim_id);
    json_object_set_new(o, "eim_id_type", json_integer(d->eim_id_type));
    jsonout_text_or_null(o, "fqdn", d->eim_fqdn);
    json_object_set_new(o, "counter", json_integer(d->counter_value));
    json_object_set_new(o, "association_token", json_integer(d->association_token));
    jsonout_base64(o, "public_key", spki ? d->eim_public_key_data.eim_public_key : (struct slice){ 0 });
    jsonout_base64(o, "tls_anchor", anchor);
    return rest_reply_json(c, o, e);
}

enum eim_err rest_eim_configuration_der(struct rest_call *c, struct err *e)
{
    struct slice anchor = { 0 };
    TRY(configuration(c, &c->reply, &anchor, e));
    c->content_type = "application/octet-stream";
    return OK;
}

enum eim_err rest_healthz(struct rest_call *c, struct err *e)
{
    return rest_reply_json(c, json_pack("{s:s}", "status", "ok"), e);
}

enum eim_err rest_readyz(struct rest_call *c, struct err *e)
{
    TRY(c->rest->c.ready(c->rest->c.arg, e));
    return rest_reply_json(c, json_pack("{s:s}", "status", "ready"), e);
}

enum eim_err rest_metrics(struct rest_call *c, struct err *e)
{
    struct buf b;
    buf_init(&b, METRICS_MAX);
    c->rest->c.metrics(c->rest->c.arg, &b);
    c->reply = b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b));
    buf_free(&b);
    c->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return c->reply.n ? OK : fail(e, E_NOMEM, NULL, "no memory for the answer");
}
