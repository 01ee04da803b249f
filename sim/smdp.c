/* smdp.c -- the functions of ES9+ on the SM-DP+'s side.
 *
 * Each function reads its members, judges them in the order of SGP.22 5.6, and writes its answer's members. A refusal is a
 * subject and a reason code (SGP.22 5.2.6). What was answered once is answered again: answers get lost. */
#include <pthread.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/verify.h"
#include "sim/euicc.h"
#include "sim/smdp_int.h"

enum { REQUEST_MAX = 1 << 20, SESSION_ARENA = 64 * 1024, CALL_ARENA = 16 << 20, CC_TRIES = 3 };

const char *const sim_es9_names[SIM_ES9_FUNCTIONS] = {
    "initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "cancelSession", "handleNotification" };

struct served { uint8_t hash[SHA256_SIZE]; uint8_t iccid[10]; };

struct sim_smdp {
    struct sim_smdp_config c;
    struct sim_dp dp;
    struct cert_trust *trust;
    struct arena arena;                /* of the certificates */
    pthread_mutex_t lock;              /* of all below */
    enum sim_smdp_fault fault[SIM_ES9_FUNCTIONS];
    struct sim_smdp_counts n;
    uint64_t clock;                    /* calls so far */
    struct dp_session sessions[SIM_SMDP_SESSIONS];
    struct served served[SIM_SMDP_SERVED];
    size_t n_served;
    struct dp_orders orders;
};

/* One call. */
struct call {
    struct sim_smdp *s;
    enum sim_es9 f;
    enum sim_smdp_fault fault;
    const json_t *in;
    json_t *out;
    struct dp_session *session;
    const char *subject, *reason;      /* set: refused */
    bool broken;                       /* the simulator failed */
    struct arena a;
};

static void refuse(struct call *c, const char *subject, const char *reason)
{
    if (!c->subject) {
        c->subject = subject;
        c->reason = reason;
    }
}

/* ---- members ------------------------------------------------------------------------------------------------- */

static struct slice base64_in(struct call *c, const char *name)
{
    struct slice text = json_slice(json_object_get(c->in, name));
    uint8_t *p = text.n ? arena_alloc(&c->a, text.n) : NULL;
    long n = p ? slice_from_b64(text, p, text.n) : 0;
    if (n <= 0)
        refuse(c, "8.8", "2.2");       /* mandatory element missing, or not base64 */
    return n > 0 ? slice_of(p, (size_t)n) : (struct slice){ 0 };
}

static void base64_out(struct call *c, const char *name, struct slice s)
{
    char *text = tlv_is_bad(s) ? NULL : arena_alloc(&c->a, 4 * ((s.n + 2) / 3) + 1);
    if (!text) {
        c->broken = true;
        return;
    }
    slice_to_b64(s, text);
    json_object_set_new(c->out, name, json_string(text));
}

static void txid_out(struct call *c)
{
    uint8_t id[DP_TXID];
    char hex[2 * DP_TXID + 1];
    memcpy(id, c->session->txid, DP_TXID);
    id[3] ^= c->fault == SIM_SMDP_OTHER_ID;
    slice_hex(slice_of(id, DP_TXID), true, hex);
    json_object_set_new(c->out, "transactionId", json_string(hex));
}

/* ---- sessions ------------------------------------------------------------------------------------------------ */

static void session_end(struct dp_session *d)
{
    public_key_free(d->euicc);
    private_key_free(d->otsk);
    arena_free(&d->arena);
    *d = (struct dp_session){ 0 };
}

static struct dp_session *session_new(struct sim_smdp *s)
{
    struct dp_session *oldest = s->sessions;
    for (size_t i = 0; i < SIM_SMDP_SESSIONS; i++)
        if (s->sessions[i].used < oldest->used)
            oldest = &s->sessions[i];
    session_end(oldest);
    arena_init(&oldest->arena, SESSION_ARENA);
    oldest->used = s->clock;
    s->c.env->random(s->c.env, oldest->txid, DP_TXID);
    s->c.env->random(s->c.env, oldest->server_challenge, sizeof oldest->server_challenge);
    return oldest;
}

static struct dp_session *session_of(struct sim_smdp *s, struct slice txid)
{
    for (size_t i = 0; i < SIM_SMDP_SESSIONS; i++)
        if (s->sessions[i].used && slice_eq(txid, slice_of(s->sessions[i].txid, DP_TXID)))
            return &s->sessions[i];
    return NULL;
}

static bool find_session(struct call *c)
{
    uint8_t id[DP_TXID];
    struct slice hex = json_slice(json_object_get(c->in, "transactionId"));
    long n = slice_unhex(hex, id, sizeof id);
    c->session = n == DP_TXID ? session_of(c->s, slice_of(id, DP_TXID)) : NULL;
    if (!c->session)
        refuse(c, "8.10.1", "3.9");
    else
        c->session->used = c->s->clock;
    return c->session != NULL;
}

/* The profile of a matching id: the same again for the same one. An empty id gets a new profile each time. */
static bool profile_for(struct sim_smdp *s, struct slice matching, const uint8_t eid[SIM_EID], uint8_t iccid[10])
{
    uint8_t hash[SHA256_SIZE];
    const struct slice parts[2] = { matching, slice_of(eid, SIM_EID) };
    if (digest_sha256_spans(parts, 2, hash, &(struct err){ 0 }) != OK)
        return false;
    for (size_t i = 0; i < s->n_served && i < SIM_SMDP_SERVED; i++)
        if (memcmp(s->served[i].hash, hash, sizeof hash) == 0) {
            memcpy(iccid, s->served[i].iccid, 10);
            return true;
        }
    struct served *v = &s->served[s->n_served % SIM_SMDP_SERVED];
    sim_iccid_make(s->c.iccid_prefix, s->c.seed, s->n_served++, v->iccid);
    memcpy(v->hash, hash, sizeof hash);
    memcpy(iccid, v->iccid, 10);
    return true;
}

/* ---- initiateAuthentication ---------------------------------------------------------------------------------- */

static void initiate(struct call *c)
{
    struct sim_smdp *s = c->s;
    struct slice challenge = base64_in(c, "euiccChallenge"), info = base64_in(c, "euiccInfo1");
    struct slice address = json_slice(json_object_get(c->in, "smdpAddress"));
    struct tlv info1, list, ci;
    if (c->subject)
        return;
    if (challenge.n != 16 || !tlv_only(info, &info1) || info1.tag != T_EUICC_INFO1) {
        refuse(c, "8.8", "2.2");
        return;
    }
    if (!slice_eq(address, slice_str(s->c.address))) {
        refuse(c, "8.8.1", "3.8");
        return;
    }
    bool known = false;
    if (tlv_find(info1.value, T_C9, &list))
        while (tlv_next(&list.value, &ci))
            known |= slice_eq(ci.value, slice_of(s->c.pki->ci_ski, SIM_SKI));
    if (!known) {
        refuse(c, "8.8.2", "3.1");
        return;
    }
    struct dp_session *d = c->session = session_new(s);
    memcpy(d->challenge, challenge.p, 16);
    struct slice where = c->fault == SIM_SMDP_OTHER_ADDRESS ? slice_str("elsewhere.example.com") : address;
    d->signed1 = TLV(&d->arena, T_SEQUENCE, TLV(&c->a, T_0, slice_of(d->txid, DP_TXID)), TLV(&c->a, T_1, challenge), TLV(&c->a, T_3, where),
                     TLV(&c->a, T_4, slice_of(d->server_challenge, 16)));
    bool wrong = c->fault == SIM_SMDP_WRONG_ROLE;
    enum sim_dp_role role = wrong ? SIM_DP_PB : s->c.event_server ? SIM_DS_AUTH : SIM_DP_AUTH;
    base64_out(c, "serverSigned1", d->signed1);
    base64_out(c, "serverSignature1", dp_sign(s->dp.key[role], &d->signed1, 1, c->fault == SIM_SMDP_BAD_SIGNATURE, &c->a));
    base64_out(c, "euiccCiPKIdToBeUsed", TLV(&c->a, T_OCTETS, slice_of(s->c.pki->ci_ski, SIM_SKI)));
    base64_out(c, "serverCertificate", s->dp.cert[role]);
    txid_out(c);
}

/* ---- authenticateClient -------------------------------------------------------------------------------------- */

struct client { struct tlv signed1, sig, cert, eum, txid, address, challenge, matching; };

static bool read_client(struct slice response, struct client *v)
{
    struct tlv t, arm, info, ctx;
    *v = (struct client){ 0 };
    if (!tlv_only(response, &t) || t.tag != T_AUTHENTICATE_SERVER || !tlv_only(t.value, &arm) || arm.tag != T_C0 ||
        !tlv_take(&arm.value, T_SEQUENCE, &v->signed1) || !tlv_take(&arm.value, T_SIGNATURE, &v->sig) ||
        !tlv_take(&arm.value, T_SEQUENCE, &v->cert) || !tlv_take(&arm.value, T_SEQUENCE, &v->eum))
        return false;
    struct slice s = v->signed1.value;
    if (!tlv_take(&s, T_0, &v->txid) || !tlv_take(&s, T_3, &v->address) || !tlv_take(&s, T_4, &v->challenge) ||
        !tlv_take(&s, T_EUICC_INFO2, &info) || !tlv_take(&s, T_C0, &ctx))
        return false;
    (void)tlv_take(&ctx.value, T_0, &v->matching);
    return tlv_take(&ctx.value, T_C1, &t);               /* deviceInfo */
}

static bool judge_client(struct call *c, const struct client *v)
{
    struct sim_smdp *s = c->s;
    struct dp_session *d = c->session;
    struct public_key *key = NULL;
    struct err e = { 0 };
    if (cert_eid(v->cert.raw, d->eid, &e) != OK ||
        cert_check_euicc(s->trust, v->eum.raw, v->cert.raw, d->eid, s->c.env->now(s->c.env), &key, &e) != OK) {
        refuse(c, strcmp(e.field, "eumCertificate") == 0 ? "8.1.2" : "8.1.3", "6.1");
        return false;
    }
    public_key_free(d->euicc);
    d->euicc = key;
    if (verify_signature(key, &v->signed1.raw, 1, v->sig.value, &e) != OK || !slice_eq(v->challenge.value, slice_of(d->server_challenge, 16)) ||
        !slice_eq(v->txid.value, slice_of(d->txid, DP_TXID)) || !slice_eq(v->address.value, slice_str(s->c.address))) {
        refuse(c, "8.1", "6.1");
        return false;
    }
    if (s->c.only_matching_id && !dp_order_of(&s->orders, v->matching.value) && !slice_eq(v->matching.value, slice_str(s->c.only_matching_id)))
        refuse(c, "8.2.6", "3.8");
    return !c->subject;
}

/* The confirmation code that this download asks for, or NULL. */
static const char *code_wanted(const struct call *c)
{
    const struct dp_order *o = c->session->order;
    return o ? o->confirmation[0] ? o->confirmation : NULL : c->s->c.confirmation_code;
}

static void authenticate(struct call *c)
{
    struct sim_smdp *s = c->s;
    struct client v;
    struct slice response = base64_in(c, "authenticateServerResponse");
    if (!find_session(c) || c->subject)
        return;
    if (!read_client(response, &v)) {
        refuse(c, "8.1", "6.1");       /* AuthenticateResponseError too: there is nothing to authenticate */
        return;
    }
    if (!judge_client(c, &v))
        return;
    if (s->c.event_server) {
        json_t *none = json_array(), *one = json_pack("[{s:s, s:s}]", "eventId", s->c.event_id, "rspServerAddress", s->c.event_server);
        json_object_set(c->out, "eventEntries", s->c.event_id[0] ? one : none);
        json_decref(none);
        json_decref(one);
        txid_out(c);
        return;
    }
    struct dp_session *d = c->session;
    d->order = dp_order_of(&s->orders, v.matching.value);
    if (d->order && !dp_order_judge(d->order, d->eid, &c->subject, &c->reason))
        return;
    if (d->order)
        memcpy(d->iccid, d->order->iccid, sizeof d->iccid);
    else if (!profile_for(s, v.matching.value, d->eid, d->iccid)) {
        c->broken = true;
        return;
    }
    bool wrong = c->fault == SIM_SMDP_WRONG_ROLE;
    const struct slice spans[2] = { TLV(&c->a, T_SEQUENCE, TLV(&c->a, T_0, slice_of(d->txid, DP_TXID)),
                                        tlv_put_bool(&c->a, T_BOOLEAN, code_wanted(c) != NULL)), v.sig.raw };
    d->signature1 = arena_copy(&d->arena, v.sig.raw);
    struct slice sig = dp_sign(s->dp.key[wrong ? SIM_DP_AUTH : SIM_DP_PB], spans, 2, c->fault == SIM_SMDP_BAD_SIGNATURE, &c->a);
    d->signature2 = tlv_is_bad(sig) ? sig : arena_copy(&d->arena, sig);
    base64_out(c, "profileMetadata", dp_metadata(&s->c, d->iccid, false, &c->a));
    base64_out(c, "smdpSigned2", spans[0]);
    base64_out(c, "smdpSignature2", sig);
    base64_out(c, "smdpCertificate", s->dp.cert[wrong ? SIM_DP_AUTH : SIM_DP_PB]);
    txid_out(c);
}

/* ---- getBoundProfilePackage ---------------------------------------------------------------------------------- */

/* hashCc = SHA-256(SHA-256(code) || transactionId) */
static bool code_is_right(const struct call *c, struct slice hash)
{
    uint8_t one[SHA256_SIZE], two[SHA256_SIZE];
    struct err e = { 0 };
    const struct slice parts[2] = { slice_of(one, sizeof one), slice_of(c->session->txid, DP_TXID) };
    return digest_sha256(slice_str(code_wanted(c)), one, &e) == OK && digest_sha256_spans(parts, 2, two, &e) == OK &&
           digest_equal(hash, slice_of(two, sizeof two));
}

static bool confirmed(struct call *c, const struct tlv *hash)
{
    if (!code_wanted(c))
        return true;
    if (!hash->tag)
        refuse(c, "8.2.7", "2.2");
    else if (c->session->cc_tries >= CC_TRIES)
        refuse(c, "8.2.7", "6.4");
    else if (!code_is_right(c, hash->value))
        refuse(c, "8.2.7", ++c->session->cc_tries >= CC_TRIES ? "6.4" : "3.8");
    return !c->subject;
}

static void get_bound(struct call *c)
{
    struct tlv t, arm, signed2, sig, txid, point, hash = { 0 };
    struct slice response = base64_in(c, "prepareDownloadResponse");
    if (!find_session(c) || c->subject)
        return;
    struct dp_session *d = c->session;
    if (!d->euicc || !tlv_only(response, &t) || t.tag != T_PREPARE_DOWNLOAD || !tlv_only(t.value, &arm) || arm.tag != T_C0 ||
        !tlv_take(&arm.value, T_SEQUENCE, &signed2) || !tlv_take(&arm.value, T_SIGNATURE, &sig)) {
        refuse(c, "8.1", "6.1");
        return;
    }
    struct slice s2 = signed2.value;
    const struct slice spans[2] = { signed2.raw, d->signature2 };
    if (!tlv_take(&s2, T_0, &txid) || !tlv_take(&s2, T_OTPK, &point) || !slice_eq(txid.value, slice_of(d->txid, DP_TXID)) ||
        verify_signature(d->euicc, spans, 2, sig.value, &(struct err){ 0 }) != OK) {
        refuse(c, "8.1", "6.1");
        return;
    }
    (void)tlv_take(&s2, T_OCTETS, &hash);
    if (!confirmed(c, &hash))
        return;
    bool wrong = c->fault == SIM_SMDP_WRONG_ROLE;
    struct slice package = dp_package(&c->s->c, c->s->dp.key[wrong ? SIM_DP_AUTH : SIM_DP_PB], d, point.value, c->fault, &c->a);
    c->s->n.packages += !d->bound;
    d->bound = true;
    base64_out(c, "boundProfilePackage", package);
    txid_out(c);
}

/* ---- cancelSession and handleNotification -------------------------------------------------------------------- */

static void cancel(struct call *c)
{
    struct tlv t, arm, what, sig, reason;
    struct slice response = base64_in(c, "cancelSessionResponse");
    int64_t v = -1;
    if (!find_session(c) || c->subject)
        return;
    struct dp_session *d = c->session;
    bool good = tlv_only(response, &t) && t.tag == T_CANCEL_SESSION && tlv_only(t.value, &arm) && arm.tag == T_C0 &&
                tlv_take(&arm.value, T_SEQUENCE, &what) && tlv_take(&arm.value, T_SIGNATURE, &sig) && tlv_find(what.value, T_2, &reason) &&
                tlv_int(reason.value, &v);
    if (!good || (d->euicc && verify_signature(d->euicc, &what.raw, 1, sig.value, &(struct err){ 0 }) != OK)) {
        refuse(c, "8.1", "6.1");
        return;
    }
    c->s->n.cancelled++;
    c->s->n.last_reason = v;
    session_end(d);
    c->session = NULL;
}

static void installed(struct sim_smdp *s, struct slice fields)
{
    struct tlv data, sig, txid, final, arm, code;
    int64_t v = 0;
    struct dp_session *d = NULL;
    if (tlv_take(&fields, T_INSTALLATION_DATA, &data) && tlv_take(&fields, T_SIGNATURE, &sig) && tlv_find(data.value, T_0, &txid))
        d = session_of(s, txid.value);
    if (!d || !d->euicc || verify_signature(d->euicc, &data.raw, 1, sig.value, &(struct err){ 0 }) != OK ||
        !tlv_find(data.value, T_C2, &final) || !tlv_only(final.value, &arm)) {
        s->n.unverified++;
        return;
    }
    if (d->told)
        return;
    d->told = true;
    if (arm.tag == T_C0) {
        s->n.installed++;
        if (d->order)
            d->order->state = DP_INSTALLED;
    }
    else {
        s->n.failed++;
        if (tlv_find(arm.value, T_1, &code) && tlv_int(code.value, &v))
            s->n.last_reason = v;
    }
}

static void other_notification(struct sim_smdp *s, struct slice fields)
{
    struct tlv meta, sig, cert, eum;
    struct public_key *key = NULL;
    struct err e = { 0 };
    uint8_t eid[SIM_EID];
    bool good = tlv_take(&fields, T_NOTIFICATION_METADATA, &meta) && tlv_take(&fields, T_SIGNATURE, &sig) && tlv_take(&fields, T_SEQUENCE, &cert) &&
                tlv_take(&fields, T_SEQUENCE, &eum) && cert_eid(cert.raw, eid, &e) == OK &&
                cert_check_euicc(s->trust, eum.raw, cert.raw, eid, s->c.env->now(s->c.env), &key, &e) == OK &&
                verify_signature(key, &meta.raw, 1, sig.value, &e) == OK;
    public_key_free(key);
    s->n.others += good;
    s->n.unverified += !good;
}

static void notification(struct call *c)
{
    struct tlv t;
    struct slice pending = base64_in(c, "pendingNotification");
    if (c->subject || !tlv_only(pending, &t))
        c->s->n.unverified++;
    else if (t.tag == T_INSTALLATION_RESULT)
        installed(c->s, t.value);
    else
        other_notification(c->s, t.value);
}

/* ---- one call ------------------------------------------------------------------------------------------------ */

static const struct { void (*run)(struct call *c); const char *subject, *reason; } functions[SIM_ES9_FUNCTIONS] = {
    [SIM_ES9_INITIATE] = { initiate, "8.8.1", "3.8" },          [SIM_ES9_AUTHENTICATE] = { authenticate, "8.2.6", "3.8" },
    [SIM_ES9_BOUND] = { get_bound, "8.8.5", "4.10" },           [SIM_ES9_CANCEL] = { cancel, "8.10.1", "3.9" },
    [SIM_ES9_NOTIFICATION] = { notification, "8.1", "6.1" },
};

static json_t *header(const struct call *c)
{
    if (!c->subject)
        return json_pack("{s:{s:s}}", "functionExecutionStatus", "status", "Executed-Success");
    return json_pack("{s:{s:s,s:{s:s,s:s,s:s}}}", "functionExecutionStatus", "status", "Failed", "statusCodeData", "subjectCode", c->subject,
                     "reasonCode", c->reason, "message", "refused");
}

static int write_answer(struct call *c, struct buf *reply)
{
    json_object_set_new(c->out, "header", header(c));
    char *text = json_dumps(c->out, JSON_COMPACT);
    if (!text)
        return 500;
    size_t n = strlen(text);
    buf_put(reply, slice_of(text, c->fault == SIM_SMDP_HALF ? n / 2 : n));
    free(text);
    return 200;
}

static int too_much(struct buf *reply)
{
    static const uint8_t page[65536] = { '{' };
    for (size_t n = 0; n < SIM_SMDP_HUGE && !reply->failed; n += sizeof page)
        buf_put(reply, slice_of(page, sizeof page));
    return 200;
}

static int answer(struct call *c, struct buf *reply)
{
    pthread_mutex_lock(&c->s->lock);
    c->s->clock++;
    if (c->fault == SIM_SMDP_REFUSED)
        refuse(c, functions[c->f].subject, functions[c->f].reason);
    else
        functions[c->f].run(c);
    c->s->n.refused += c->subject != NULL;
    if (c->subject) {
        json_object_clear(c->out);
    }
    pthread_mutex_unlock(&c->s->lock);
    if (c->broken)
        return 500;
    return c->f == SIM_ES9_NOTIFICATION ? 204 : write_answer(c, reply);
}

static int checked(struct call *c, struct slice body, struct buf *reply)
{
    json_t *in;
    const struct timespec two = { 2, 0 };
    switch (c->fault) {
    case SIM_SMDP_HTML: buf_str(reply, "<html><body>It works!</body></html>"); return 200;
    case SIM_SMDP_STATUS_500: return 500;
    case SIM_SMDP_NEVER: return 0;
    case SIM_SMDP_TOO_MUCH: return too_much(reply);
    case SIM_SMDP_SLOW: nanosleep(&two, NULL); break;
    default: break;
    }
    if (json_read(body, REQUEST_MAX, &in, &(struct err){ 0 }) != OK)
        return 400;
    int status = 400;
    if (json_is_string(json_object_get(json_object_get(in, "header"), "functionCallIdentifier"))) {
        c->in = in;
        c->out = json_object();
        status = answer(c, reply);
        json_decref(c->out);
    }
    json_decref(in);
    return status;
}

int sim_smdp_post(struct sim_smdp *s, const char *path, struct slice body, struct buf *reply)
{
    size_t prefix = strlen(SIM_SMDP_PATH);
    unsigned f = 0;
    buf_reset(reply);
    if (strncmp(path, SIM_SMDP_PATH, prefix) != 0)
        return 404;
    while (f < SIM_ES9_FUNCTIONS && strcmp(path + prefix, sim_es9_names[f]) != 0)
        f++;
    if (f == SIM_ES9_FUNCTIONS)
        return 404;
    struct call c = { .s = s, .f = f };
    pthread_mutex_lock(&s->lock);
    s->n.calls[f]++;
    c.fault = s->fault[f];
    pthread_mutex_unlock(&s->lock);
    arena_init(&c.a, CALL_ARENA);
    int status = checked(&c, body, reply);
    arena_free(&c.a);
    return reply->failed ? 500 : status;
}

int sim_smdp_es2(struct sim_smdp *s, const char *path, struct slice body, struct buf *reply)
{
    size_t prefix = strlen(SIM_SMDP_ES2_PATH);
    struct call c = { .s = s };
    json_t *in;
    buf_reset(reply);
    if (strncmp(path, SIM_SMDP_ES2_PATH, prefix) != 0)
        return 404;
    if (json_read(body, REQUEST_MAX, &in, &(struct err){ 0 }) != OK)
        return 400;
    c.out = json_object();
    pthread_mutex_lock(&s->lock);
    bool known = dp_es2_call(&s->orders, path + prefix, in, c.out, &c.subject, &c.reason);
    s->n.ordered = s->orders.n;
    pthread_mutex_unlock(&s->lock);
    int status = known ? write_answer(&c, reply) : 404;
    json_decref(c.out);
    json_decref(in);
    return reply->failed ? 500 : status;
}

/* ---- its life ------------------------------------------------------------------------------------------------ */

static const char *const fault_names[] = {
#define X(id, name, help) name,
    SIM_SMDP_FAULTS(X)
#undef X
};

enum sim_smdp_fault sim_smdp_fault_named(const char *name)
{
    unsigned i = 0;
    while (i < SIM_SMDP_FAULT_COUNT && strcmp(fault_names[i], name) != 0)
        i++;
    return (enum sim_smdp_fault)i;
}

enum eim_err sim_smdp_new(struct sim_smdp **out, const struct sim_smdp_config *c, struct err *e)
{
    struct sim_smdp *s = MEM_NEW(struct sim_smdp);
    char host[256];
    size_t n = strcspn(c->address, ":");
    if (!s)
        return fail(e, E_NOMEM, NULL, "no memory for an SM-DP+");
    s->c = *c;
    s->orders.prefix = c->iccid_prefix;
    s->orders.address = c->address;
    s->orders.seed = c->seed;
    pthread_mutex_init(&s->lock, NULL);
    arena_init(&s->arena, SESSION_ARENA);
    n = n < sizeof host ? n : sizeof host - 1;
    memcpy(host, c->address, n);
    host[n] = 0;
    enum eim_err rc = cert_trust_from(&s->trust, &c->pki->ci, 1, e);
    rc = rc ? rc : sim_pki_dp(c->pki, &s->dp, SIM_SMDP_OID, host, &s->arena, e);
    if (rc != OK)
        sim_smdp_free(s);
    else
        *out = s;
    return rc;
}

void sim_smdp_free(struct sim_smdp *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SIM_SMDP_SESSIONS; i++)
        session_end(&s->sessions[i]);
    sim_dp_free(&s->dp);
    cert_trust_free(s->trust);
    arena_free(&s->arena);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct slice sim_smdp_tls(const struct sim_smdp *s, const struct private_key **key)
{
    *key = s->dp.key[SIM_DP_TLS];
    return s->dp.cert[SIM_DP_TLS];
}

void sim_smdp_go_wrong(struct sim_smdp *s, enum sim_es9 f, enum sim_smdp_fault fault)
{
    pthread_mutex_lock(&s->lock);
    s->fault[f] = fault;
    pthread_mutex_unlock(&s->lock);
}

struct sim_smdp_counts sim_smdp_counts(struct sim_smdp *s)
{
    pthread_mutex_lock(&s->lock);
    struct sim_smdp_counts n = s->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}
