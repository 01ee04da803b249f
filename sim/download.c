/* download.c -- the IPA brings a profile onto its card: straight from an SM-DP+ over ES9+ (SGP.32 3.2.3.1), or through the eIM
 * (3.2.3.2). The card does the same in both; only the words to the outside differ.
 *
 * A lost message is sent again, a few times. What goes wrong once the card knows the session is cancelled there. */
#include <stdio.h>

#include "base/json.h"
#include "crypto/digest.h"
#include "sim/ipa_int.h"

enum { TRIES = 6, ES9_TRIES = 4, JSON_MAX = 8 << 20, TXID_MAX = 16, CANCEL_UNDEFINED = 127, REASON_UNDEFINED = 127 };

struct download {
    struct sim_ipa *p;
    const struct sim_transport *t;
    struct sim_counters *n;
    struct arena *a;
    bool direct;
    struct slice eim_txid;             /* TLV, or empty */
    const char *address;               /* of the SM-DP+; NULL: the eIM knows */
    struct slice matching;
    struct slice txid;                 /* of the session */
    struct slice signed1, sig1, ci, cert1, ctx;          /* of initiateAuthentication: TLVs; ctx: the whole A0 if the eIM makes it */
    struct slice signed2, sig2, cert2, hash_cc;          /* of authenticateClient */
    struct slice package;              /* BF36 */
    bool hash_from_eim;
    bool smds, sent_on;                /* an SM-DS is asked; it said where to go */
    bool open;                         /* the card knows the session */
};

/* ---- words to the eIM ---------------------------------------------------------------------------------------- */

/* Send until something is heard: the one child of the answer. */
static bool ask_eim_any(struct download *d, uint32_t function, struct slice fields, struct tlv *ok)
{
    struct tlv t;
    struct slice reply, message = TLV(d->a, function, fields);
    enum sim_reply got = SIM_LOST;
    for (int i = 0; i < TRIES && got == SIM_LOST && !tlv_is_bad(message); i++)
        got = ipa_post(d->p, d->t, message, &reply, d->n, d->a);
    return got == SIM_REPLY && tlv_only(reply, &t) && t.tag == function && tlv_only(t.value, ok);
}

/* The content of the function's good arm. */
static bool ask_eim(struct download *d, uint32_t function, uint32_t arm, struct slice fields, struct slice *out)
{
    struct tlv ok;
    if (!ask_eim_any(d, function, fields, &ok) || ok.tag != arm)
        return false;
    *out = ok.value;
    return true;
}

/* 1$ADDRESS$MATCHINGID...: where to go. */
static bool read_code(struct download *d, struct slice code)
{
    if (code.n < 2 || memcmp(code.p, "1$", 2) != 0)
        return false;
    struct slice s = slice_of(code.p + 2, code.n - 2);
    const uint8_t *end = memchr(s.p, '$', s.n);
    if (!end)
        return false;
    d->address = arena_str(d->a, slice_of(s.p, (size_t)(end - s.p)));
    s = slice_of(end + 1, s.n - (size_t)(end + 1 - s.p));
    end = s.n ? memchr(s.p, '$', s.n) : NULL;
    d->matching = slice_of(s.p, end ? (size_t)(end - s.p) : s.n);
    return d->address && !strpbrk(d->address, "\"\\/");
}

/* A1{80, BF54{A0{80 code}}}: the SM-DS has sent us on. */
static bool read_event(struct download *d, struct slice in)
{
    struct tlv t, trigger, data, code;
    (void)tlv_take(&in, T_0, &t);
    d->sent_on = tlv_take(&in, T_TRIGGER, &trigger) && tlv_take(&trigger.value, T_C0, &data) && tlv_only(data.value, &code) && code.tag == T_0 &&
                 read_code(d, code.value);
    return d->sent_on;
}

static bool eim_initiate(struct download *d, struct slice challenge, struct slice info1)
{
    struct tlv t, s1, sig, ci, cert;
    struct slice in, to = d->address ? tlv_put_str(d->a, T_3, d->address) : ipa_none;
    struct slice id = d->eim_txid;
    if (!ask_eim(d, T_INITIATE_AUTHENTICATION, T_C0, TLV(d->a, 0, TLV(d->a, T_1, challenge), to, info1, id), &in))
        return false;
    if (tlv_take(&in, T_0, &t))
        d->txid = t.value;
    if (!tlv_take(&in, T_SEQUENCE, &s1) || !tlv_take(&in, T_SIGNATURE, &sig) || !tlv_take(&in, T_OCTETS, &ci) || !tlv_take(&in, T_SEQUENCE, &cert))
        return false;
    d->signed1 = s1.raw;
    d->sig1 = sig.raw;
    d->ci = ci.raw;
    d->cert1 = cert.raw;
    if (tlv_take(&in, T_UTF8, &t))
        d->matching = t.value;
    if (tlv_take(&in, T_C2, &t))
        d->ctx = t.value;
    return true;
}

static bool compact(const struct download *d)
{
    return !d->direct && ipa_features(d->p) & IPA_MINIMIZE;
}

static bool eim_authenticate(struct download *d, struct slice response)
{
    struct tlv t, ok, s2, sig, cert;
    if (compact(d))
        response = ipa_compact_authenticate(response, d->ctx.n > 0, d->a);
    if (!ask_eim_any(d, T_AUTHENTICATE_CLIENT, TLV(d->a, 0, TLV(d->a, T_0, d->txid), response), &ok))
        return false;
    struct slice in = ok.value;
    if (d->smds && ok.tag == T_C1)
        return read_event(d, in);
    if (ok.tag != T_C0)
        return false;
    (void)tlv_take(&in, T_0, &t);
    (void)tlv_take(&in, T_METADATA, &t);
    if (!tlv_take(&in, T_SEQUENCE, &s2) || !tlv_take(&in, T_SIGNATURE, &sig) || !tlv_take(&in, T_SEQUENCE, &cert))
        return false;
    d->signed2 = s2.raw;
    d->sig2 = sig.raw;
    d->cert2 = cert.raw;
    d->hash_from_eim = tlv_take(&in, T_OCTETS, &t);
    if (d->hash_from_eim)
        d->hash_cc = t.raw;
    return true;
}

static bool eim_bound(struct download *d, struct slice response)
{
    struct tlv t;
    struct slice in;
    if (compact(d))
        response = ipa_compact_download(response, d->hash_from_eim, d->a);
    if (!ask_eim(d, T_GET_BOUND_PROFILE, T_C0, TLV(d->a, 0, TLV(d->a, T_0, d->txid), response), &in))
        return false;
    (void)tlv_take(&in, T_0, &t);
    if (!tlv_take(&in, T_BOUND_PACKAGE, &t))
        return false;
    d->package = t.raw;
    return true;
}

/* ---- words to the SM-DP+ ------------------------------------------------------------------------------------- */

static void put_string(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\"%s\":\"%s\"", name, value);
}

static void put_base64(struct buf *b, const char *name, struct slice s, struct arena *a)
{
    char *text = arena_alloc(a, 4 * ((s.n + 2) / 3) + 1);
    if (!text) {
        b->failed = true;
        return;
    }
    slice_to_b64(s, text);
    put_string(b, name, text);
}

static void put_txid(const struct download *d, struct buf *b)
{
    char hex[2 * TXID_MAX + 1];
    slice_hex(slice_of(d->txid.p, d->txid.n < TXID_MAX ? d->txid.n : TXID_MAX), true, hex);
    put_string(b, "transactionId", hex);
}

static void begin(struct buf *b)
{
    buf_init(b, JSON_MAX);
    buf_str(b, "{\"header\":{\"functionRequesterIdentifier\":\"eimsim\",\"functionCallIdentifier\":\"1\"}");
}

/* Ends and frees the request. The answer as a tree (json_decref it), or NULL: none, or a refusal. */
static json_t *ask_smdp(struct download *d, const char *function, struct buf *request)
{
    struct slice reply;
    json_t *o = NULL;
    enum sim_reply got = SIM_LOST;
    buf_str(request, "}");
    for (int i = 0; i < ES9_TRIES && got == SIM_LOST && !request->failed; i++)
        got = ipa_es9(d->p, d->t, d->address, function, buf_slice(request), &reply, d->n, d->a);
    buf_free(request);
    if (got != SIM_REPLY || json_read(reply, JSON_MAX, &o, &(struct err){ 0 }) != OK)
        return NULL;
    const json_t *status = json_object_get(json_object_get(json_object_get(o, "header"), "functionExecutionStatus"), "status");
    if (slice_eq(json_slice(status), SLICE("Executed-Success")))
        return o;
    json_decref(o);
    return NULL;
}

static struct slice member(struct download *d, const json_t *o, const char *name)
{
    struct slice text = json_slice(json_object_get(o, name));
    uint8_t *p = text.n ? arena_alloc(d->a, text.n) : NULL;
    long n = p ? slice_from_b64(text, p, text.n) : -1;
    return n > 0 ? slice_of(p, (size_t)n) : ipa_none;
}

static bool smdp_initiate(struct download *d, struct slice challenge, struct slice info1)
{
    struct buf b;
    begin(&b);
    put_base64(&b, "euiccChallenge", challenge, d->a);
    put_base64(&b, "euiccInfo1", info1, d->a);
    put_string(&b, "smdpAddress", d->address);
    json_t *o = ask_smdp(d, "initiateAuthentication", &b);
    struct slice hex = json_slice(json_object_get(o, "transactionId"));
    uint8_t *id = arena_alloc(d->a, TXID_MAX);
    long n = id ? slice_unhex(hex, id, TXID_MAX) : -1;
    d->txid = n > 0 ? slice_of(id, (size_t)n) : ipa_none;
    d->signed1 = member(d, o, "serverSigned1");
    d->sig1 = member(d, o, "serverSignature1");
    d->ci = member(d, o, "euiccCiPKIdToBeUsed");
    d->cert1 = member(d, o, "serverCertificate");
    json_decref(o);
    return d->txid.n && d->signed1.n && d->sig1.n && d->ci.n && d->cert1.n;
}

static bool smdp_authenticate(struct download *d, struct slice response)
{
    struct buf b;
    begin(&b);
    put_txid(d, &b);
    put_base64(&b, "authenticateServerResponse", response, d->a);
    json_t *o = ask_smdp(d, "authenticateClient", &b);
    const json_t *event = d->smds ? json_array_get(json_object_get(o, "eventEntries"), 0) : NULL;
    if (event) {
        d->address = arena_str(d->a, json_slice(json_object_get(event, "rspServerAddress")));
        d->matching = arena_copy(d->a, json_slice(json_object_get(event, "eventId")));
        d->sent_on = d->address && d->matching.n && !strpbrk(d->address, "\"\\/");
        json_decref(o);
        return d->sent_on;
    }
    d->signed2 = member(d, o, "smdpSigned2");
    d->sig2 = member(d, o, "smdpSignature2");
    d->cert2 = member(d, o, "smdpCertificate");
    json_decref(o);
    return d->signed2.n && d->sig2.n && d->cert2.n;
}

static bool smdp_bound(struct download *d, struct slice response)
{
    struct buf b;
    begin(&b);
    put_txid(d, &b);
    put_base64(&b, "prepareDownloadResponse", response, d->a);
    json_t *o = ask_smdp(d, "getBoundProfilePackage", &b);
    d->package = member(d, o, "boundProfilePackage");
    json_decref(o);
    return d->package.n > 0;
}

/* ---- the card ------------------------------------------------------------------------------------------------ */

/* Its answer to a function, as a TLV; empty when it has none. */
static struct slice card(struct download *d, uint32_t function, struct slice body)
{
    struct slice request = TLV(d->a, function, body);
    struct tlv t;
    if (tlv_is_bad(request))
        return ipa_none;
    struct slice answer = sim_euicc_es10b(d->p->card, request, d->a);
    return tlv_is_bad(answer) || !tlv_only(answer, &t) ? ipa_none : answer;
}

/* An answer whose CHOICE is its first arm. */
static bool good(struct slice answer)
{
    struct tlv t, arm;
    return tlv_only(answer, &t) && tlv_only(t.value, &arm) && arm.tag == T_C0;
}

static struct slice hash_of_code(struct download *d)
{
    uint8_t one[SHA256_SIZE], two[SHA256_SIZE];
    struct err e = { 0 };
    const struct slice parts[2] = { slice_of(one, sizeof one), d->txid };
    struct tlv s, id, flag;
    if (!d->p->config->confirmation_code || !tlv_only(d->signed2, &s) || !tlv_take(&s.value, T_0, &id) || !tlv_take(&s.value, T_BOOLEAN, &flag) ||
        flag.value.n != 1 || !flag.value.p[0] || digest_sha256(slice_str(d->p->config->confirmation_code), one, &e) != OK ||
        digest_sha256_spans(parts, 2, two, &e) != OK)
        return ipa_none;
    return TLV(d->a, T_OCTETS, slice_of(two, sizeof two));
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

static bool run(struct download *d, struct slice *result)
{
    struct arena *a = d->a;
    struct tlv t, ch;
    struct slice info1 = card(d, T_EUICC_INFO1, ipa_none), challenge = card(d, T_CHALLENGE, ipa_none);
    if (!info1.n || !tlv_only(challenge, &t) || !tlv_take(&t.value, T_0, &ch))
        return false;
    if (!(d->direct ? smdp_initiate : eim_initiate)(d, ch.value, info1))
        return false;
    struct slice matching = d->matching.n ? TLV(a, T_0, d->matching) : ipa_none;
    if (!d->direct && ipa_features(d->p) & IPA_EIM_CTX && !d->ctx.n)
        return false;                  /* it has none of its own */
    struct slice ctx = d->ctx.n ? d->ctx : TLV(a, T_C0, matching, ipa_device_info(d->p, T_C1, a));
    struct slice response = card(d, T_AUTHENTICATE_SERVER, TLV(a, 0, d->signed1, d->sig1, d->ci, d->cert1, ctx));
    if (!good(response))
        return false;
    d->open = true;
    if (!(d->direct ? smdp_authenticate : eim_authenticate)(d, response))
        return false;
    if (d->sent_on) {                  /* and now the same with the SM-DP+ */
        d->smds = d->sent_on = d->open = false;
        d->ctx = ipa_none;
        if (!d->direct && ipa_features(d->p) & IPA_EIM_DATA)
            d->address = NULL;
        return run(d, result);
    }
    if (!d->hash_cc.n)
        d->hash_cc = hash_of_code(d);
    response = card(d, T_PREPARE_DOWNLOAD, TLV(a, 0, d->signed2, d->sig2, d->hash_cc, d->cert2));
    if (!good(response) || !(d->direct ? smdp_bound : eim_bound)(d, response) || !tlv_only(d->package, &t))
        return false;
    *result = card(d, T_BOUND_PACKAGE, t.value);
    d->open = result->n == 0;
    return result->n > 0;
}

/* The session is given up. Is anybody told? */
static bool cancel(struct download *d)
{
    struct tlv t;
    struct slice ignored;
    struct slice response = card(d, T_CANCEL_SESSION, TLV(d->a, 0, TLV(d->a, T_0, d->txid), tlv_put_int(d->a, T_1, CANCEL_UNDEFINED)));
    if (!good(response))
        return false;
    if (compact(d))
        response = ipa_compact_cancel(response, d->a);
    if (!tlv_only(response, &t))
        return false;
    if (!d->direct)
        return ask_eim(d, T_CANCEL_SESSION, T_C0, TLV(d->a, 0, TLV(d->a, T_0, d->txid), TLV(d->a, T_C1, t.value)), &ignored);
    struct buf b;
    begin(&b);
    put_txid(d, &b);
    put_base64(&b, "cancelSessionResponse", response, d->a);
    json_decref(ask_smdp(d, "cancelSession", &b));
    return false;                      /* the eIM does not know yet */
}

static void forget(struct download *d, struct slice result)
{
    struct tlv t, data, meta, seq;
    if (tlv_only(result, &t) && tlv_take(&t.value, T_INSTALLATION_DATA, &data) && tlv_find(data.value, T_NOTIFICATION_METADATA, &meta) &&
        tlv_take(&meta.value, T_0, &seq))
        (void)card(d, T_REMOVE_NOTIFICATION, seq.raw);
}

/* The result to whom it may concern, and then off the card. true: the eIM has it. */
static bool hand_over(struct download *d, struct slice result)
{
    enum sim_reply got = SIM_LOST;
    struct slice reply;
    if (d->direct) {
        struct buf b;
        begin(&b);
        put_base64(&b, "pendingNotification", result, d->a);
        buf_str(&b, "}");
        for (int i = 0; i < ES9_TRIES && got == SIM_LOST && !b.failed; i++)
            got = ipa_es9(d->p, d->t, d->address, "handleNotification", buf_slice(&b), &reply, d->n, d->a);
        buf_free(&b);
    } else {
        struct slice message = TLV(d->a, T_HANDLE_NOTIFICATION, TLV(d->a, T_C0, compact(d) ? ipa_compact_installation(result, d->a) : result));
        for (int i = 0; i < TRIES && got == SIM_LOST && !tlv_is_bad(message); i++)
            got = ipa_post(d->p, d->t, message, &reply, d->n, d->a);
    }
    if (got == SIM_REPLY)
        forget(d, result);
    return got == SIM_REPLY && !d->direct;
}

/* Where the profile is: the address and the matching id of an activation code, the default SM-DP+, or what an SM-DS will say. */
static bool read_data(struct download *d, const struct tlv *data)
{
    struct tlv t;
    if (!data->tag)
        return !d->direct;             /* "ask me" */
    struct tlv own;
    if (!tlv_only(data->value, &t))
        return false;
    if (t.tag == T_C2) {
        d->smds = true;
        struct slice named = t.value;
        if (!tlv_take(&named, T_0, &own) && !tlv_only(ipa_configured(d->p, T_1, T_1, d->a), &own))
            return false;
        d->address = arena_str(d->a, own.value);
        return d->address && !strpbrk(d->address, "\"\\/");
    }
    if (t.tag == T_1) {
        if (tlv_only(ipa_configured(d->p, T_0, T_0, d->a), &own))
            d->address = arena_str(d->a, own.value);
        return d->address != NULL;
    }
    return read_code(d, t.value);
}

struct slice ipa_download(struct sim_ipa *p, const struct sim_transport *t, struct slice trigger, struct sim_counters *n, struct arena *a)
{
    struct download d = { .p = p, .t = t, .n = n, .a = a, .direct = p->download == SIM_DOWNLOAD_DIRECT };
    struct tlv data, txid;
    struct slice result = ipa_none;
    if (!ipa_trigger_read(p, trigger, &data, &txid, a))
        return ipa_none;
    struct slice kept = TLV(a, 0, txid.tag ? txid.raw : ipa_none);
    d.eim_txid = kept;
    bool possible = read_data(&d, &data) && (!d.direct || t->es9);
    if (!d.direct && ipa_features(p) & IPA_EIM_DATA) {   /* the eIM knows where, and which */
        d.address = NULL;
        d.matching = ipa_none;
    }
    bool done = possible && run(&d, &result);
    if (done) {
        struct tlv r, info, final, arm;
        bool installed = tlv_only(result, &r) && tlv_take(&r.value, T_INSTALLATION_DATA, &info) && tlv_find(info.value, T_C2, &final) &&
                         tlv_only(final.value, &arm) && arm.tag == T_C0;
        n->downloads += installed;
        n->downloads_failed += !installed;
        return hand_over(&d, result) ? ipa_none : TLV(a, T_TRIGGER, kept, result);
    }
    n->downloads_failed++;
    if (d.open && cancel(&d))
        return ipa_none;
    return TLV(a, T_TRIGGER, kept, TLV(a, T_SEQUENCE, tlv_put_int(a, T_0, REASON_UNDEFINED)));
}
