/* forward.c -- the outbox: verified notifications are brought to their SM-DP+ (SGP.32 3.7; SGP.22 ES9+ HandleNotification; spec 5.11).
 *
 * One call takes one notification: claimed in a short transaction that pushes its due time beyond the longest attempt (so it is a lease, and a
 * node that dies costs a delay only), sent with no transaction open, and its fate written in another. Order is kept for each device, profile
 * and address, which is all that an SM-DP+ can see of it: the claim passes over what follows something that waits or is held.
 *
 * A slow SM-DP+ delays nobody else: the outbox is read address by address in turn, only a few are under way to one address, and one that
 * does not answer gets single attempts with growing pauses. Where to is judged each time, for lists change (I12). */
#include "eim/forward.h"

#include "base/buf.h"
#include "base/env.h"
#include "base/json.h"
#include "base/outbound.h"
#include "eim/listed.h"
#include "trust/audit.h"

#include <stdio.h>

enum { TURN = 64, BODY_MAX = 96 * 1024, ARENA_MAX = 4 << 20, WHY_MAX = 200, DOUBLINGS = 16, FORWARDED_KEPT = 32 };
static const int64_t LEASE_US = INT64_C(300) * 1000000, HELD_LOOK_US = INT64_C(3600) * 1000000, PAUSE_MAX_US = INT64_C(300) * 1000000;

/* ---- who is busy ---- */

void forward_open(struct forward *f)
{
    pthread_mutex_init(&f->lock, NULL);
}

void forward_close(struct forward *f)
{
    pthread_mutex_destroy(&f->lock);
}

/* The slot of an address; a new one takes a free place, or that of the idle one unused longest. NULL: all are busy. */
static struct forward_slot *slot_of(struct forward *f, struct slice address, int64_t now)
{
    struct forward_slot *spare = NULL;
    size_t n = address.n < FORWARD_ADDRESS_MAX ? address.n : FORWARD_ADDRESS_MAX;
    for (size_t i = 0; i < FORWARD_ADDRESSES; i++) {
        struct forward_slot *s = &f->slots[i];
        if (!memcmp(s->address, address.p, n) && !s->address[n]) return s;
        if (!s->busy && (!spare || s->used_us < spare->used_us)) spare = s;
    }
    if (!spare) return NULL;
    *spare = (struct forward_slot){ .used_us = now };
    memcpy(spare->address, address.p, n);
    return spare;
}

static struct forward_slot *slot_take(struct forward *f, struct slice address, int64_t now, unsigned most)
{
    pthread_mutex_lock(&f->lock);
    struct forward_slot *s = slot_of(f, address, now);
    if (s && (now < s->pause_us || s->busy >= (s->failures ? 1 : most))) s = NULL;
    if (s) {
        s->busy++;
        s->used_us = now;
    }
    pthread_mutex_unlock(&f->lock);
    return s;
}

enum sent { NOT_TRIED, ANSWERED, SILENT };

/* The pauses of an address begin with a sixth of a notification's own first pause (5 s of 30 s). */
static void slot_give(struct eim *m, struct forward_slot *s, enum sent how)
{
    enum { PART = 6 };
    struct forward *f = m->forward;
    int64_t now = eim_now(m), first = eim_settings_now(m).notify_retry_us / PART;
    pthread_mutex_lock(&f->lock);
    s->busy--;
    if (how == NOT_TRIED) s->pause_us = now + first;             /* nothing could be taken: all that is due follows something that is not */
    if (how == ANSWERED) s->failures = 0;
    if (how == SILENT) {
        int64_t pause = first << (s->failures < DOUBLINGS ? s->failures : DOUBLINGS);
        s->failures++;
        s->pause_us = now + (pause < PAUSE_MAX_US ? pause : PAUSE_MAX_US);
    }
    pthread_mutex_unlock(&f->lock);
}

/* The next address in turn, by the copy of where the last turn ended. */
static enum eim_err next_address(struct forward *f, struct tx *t, struct slice *address, struct arena *a, struct err *e)
{
    uint8_t after[FORWARD_AFTER_MAX];
    pthread_mutex_lock(&f->lock);
    size_t n = f->after_n;
    memcpy(after, f->after, n);
    pthread_mutex_unlock(&f->lock);
    TRY(store_outbox_next_address(t, slice_of(after, n), address, a, e));
    if (!address->n && n) TRY(store_outbox_next_address(t, slice_of("", 0), address, a, e));
    if (address->n > FORWARD_AFTER_MAX) return fail(e, E_INTERNAL, NULL, "an address of %zu octets in the outbox", address->n);
    pthread_mutex_lock(&f->lock);
    f->after_n = address->n;
    if (address->n) memcpy(f->after, address->p, address->n);
    pthread_mutex_unlock(&f->lock);
    return OK;
}

/* An address with something due, and its slot, which is then ours; *slot NULL: nothing to do now. */
static enum eim_err look(struct eim *m, struct slice *address, struct forward_slot **slot, struct arena *a, struct err *e)
{
    struct tx *t;
    struct slice first = { 0 };
    int64_t now = eim_now(m);
    unsigned most = eim_settings_now(m).notify_per_address;
    *slot = NULL;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = OK;
    for (int i = 0; rc == OK && !*slot && i < TURN; i++) {
        bool due = false;
        rc = next_address(m->forward, t, address, a, e);
        if (rc != OK || !address->n || slice_eq(*address, first)) break;           /* once round */
        if (i == 0) first = *address;
        rc = store_outbox_any_due(t, *address, now, &due, e);
        if (rc == OK && due) *slot = slot_take(m->forward, *address, now, most);
    }
    store_read_end(t);
    return rc;
}

/* ---- one notification ---- */

struct errand {
    struct store_job job;
    struct eim *m;
    struct arena *a;
    struct slice address;
    struct outbox o;                               /* as claimed */
    struct eid eid;
    struct slice full;                             /* the form that the eUICC signed */
    struct listed to;
    /* what came of it */
    enum { DONE, HOLD, AGAIN } fate;
    const char *why;                               /* "" when done */
    bool wrote_failed;
};

static enum eim_err claim_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct errand *r = (struct errand *)job;
    int64_t now = eim_now(r->m);
    return store_outbox_claim(t, r->address, now, now + LEASE_US, &r->o, r->a, e);
}

static void hold(struct errand *r, const char *why)
{
    r->fate = HOLD;
    r->why = why;
}

/* The full form (spec 2.9): of a compact one the certificates were left out, which the eIM has. */
static enum eim_err full_form(struct errand *r, struct slice raw, const struct device_data *data, struct err *e)
{
    struct pending_notification n;
    TRY(der_decode(&pending_notification_type, raw, &n, r->a, e));
    r->full = raw;
    if (n.der.which == pending_notification_is_compact_profile_installation_result) hold(r, "the download that its compact form belongs to is not known");
    if (n.der.which != pending_notification_is_compact_other_signed_notification) return OK;
    if (!data->euicc_cert.n || !data->eum_cert.n) {
        hold(r, "the device's certificates, which its compact form leaves out, are not known");
        return OK;
    }
    const struct compact_other_signed_notification *c = &n.compact_other_signed_notification;
    struct other_signed_notification o = { .euicc_notification_signature = c->euicc_notification_signature, .euicc_certificate = data->euicc_cert,
                                           .eum_certificate = data->eum_cert };
    der_verbatim_seq(&o.tbs_other_notification.der, c->tbs_other_notification.der.raw);
    r->full = der_encode(&other_signed_notification_type, &o, r->a);
    return r->full.p ? OK : fail(e, E_NOMEM, NULL, "no room for a notification");
}

/* Everything that is to be read, and whether it may be sent. */
static enum eim_err prepare_on(struct errand *r, struct tx *t, struct err *e)
{
    struct device d;
    struct notification n;
    struct device_data data;
    TRY(store_device_get(t, r->o.association, &d, r->a, e));
    TRY(store_notification_get(t, r->o.association, r->o.seq, &n, r->a, e));
    TRY(store_data_get(t, r->o.association, &data, r->a, e));
    r->eid = d.eid;
    if (!n.association || n.state != NOTIFICATION_VERIFIED) {
        hold(r, "the notification itself is not there");
        return OK;
    }
    TRY(listed_find(t, r->o.tenant, r->o.association, r->o.address, &r->to, r->a, e));
    if (!r->to.found) hold(r, "unlisted address");
    else return full_form(r, n.raw, &data, e);
    return OK;
}

static enum eim_err prepare(struct errand *r, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(r->m->host->store, &t, e));
    enum eim_err rc = prepare_on(r, t, e);
    store_read_end(t);
    return rc;
}

/* The request's body (SGP.22 6.5.2.9); the header is what SM-DP+ insist on (spec 6.40). */
static struct slice body_of(struct errand *r)
{
    const struct identity *id = eim_identity_of(r->m, r->o.tenant);
    char *b64 = arena_alloc(r->a, 4 * ((r->full.n + 2) / 3) + 1), call[32];
    char *text = arena_alloc(r->a, BODY_MAX);
    if (!b64 || !text || !id) return (struct slice){ 0 };
    slice_to_b64(r->full, b64);
    snprintf(call, sizeof call, "ntf_%016llx", (unsigned long long)r->o.id);
    const char *requester = arena_str(r->a, listed_requester(&r->to, id));
    json_t *o = json_pack("{s:{s:s, s:s}, s:s}", "header", "functionRequesterIdentifier", requester ? requester : "", "functionCallIdentifier",
                          call, "pendingNotification", b64);
    size_t n = o ? json_dumpb(o, text, BODY_MAX, JSON_COMPACT) : 0;
    json_decref(o);
    return n && n <= BODY_MAX ? slice_of(text, n) : (struct slice){ 0 };
}

/* Send it. SILENT: nobody answered, or nobody who can. */
static enum sent send(struct errand *r, struct err *e)
{
    char *url = arena_printf(r->a, "https://%s/gsma/rsp2/es9plus/handleNotification", r->to.host);
    const char *headers[LISTED_HEADERS];
    struct outbound_request q = { .method = "POST", .url = url, .body = body_of(r) };
    struct buf reply;
    int status = 0;
    r->fate = AGAIN;
    r->why = "no room for the request";
    if (!url || !q.body.p || !listed_fill(&r->to, &q, headers, r->a)) return NOT_TRIED;
    buf_init(&reply, 64 << 10);
    enum eim_err rc = r->m->host->outbound->request(r->m->host->outbound, &q, &status, &reply, e);
    buf_free(&reply);
    if (rc == OK && (status == 200 || status == 204)) {
        r->fate = DONE;
        r->why = "";
        return ANSWERED;
    }
    r->why = rc == OK ? arena_printf(r->a, "the SM-DP+ answers %d", status) : arena_str(r->a, slice_str(e->why));
    if (rc == E_RULE || rc == E_INVALID || rc == E_CONF) r->fate = HOLD;           /* no use in trying again soon: something is to be set right */
    if (!r->why) r->why = "no room for the reason";
    return rc == OK && status < 500 ? ANSWERED : SILENT;
}

/* ---- what came of it ---- */

/* Words of a library or a peer, made fit for a text column. */
static struct slice plain(const char *why, struct arena *a)
{
    char *copy = arena_str(a, slice_of(why, strnlen(why, WHY_MAX)));
    for (char *p = copy; p && *p; p++)
        if (*p < 0x20 || *p > 0x7e) *p = '?';
    return slice_str(copy ? copy : "");
}

static int64_t pause_after(struct eim *m, int64_t tries)
{
    struct eim_settings set = eim_settings_now(m);
    int64_t doublings = tries > 1 ? tries - 1 : 0, pause = set.notify_retry_us;
    for (int64_t i = 0; i < doublings && pause < set.notify_retry_max_us; i++) pause *= 2;
    if (pause > set.notify_retry_max_us) pause = set.notify_retry_max_us;
    uint32_t r;
    m->host->env->random(m->host->env, &r, sizeof r);
    return pause - pause / 4 + (int64_t)((double)r / UINT32_MAX * (double)(pause / 2));        /* a quarter up or down: not all at once */
}

static enum eim_err note(struct tx *t, struct errand *r, const struct outbox *o, struct err *e)
{
    char *action = arena_printf(r->a, "notification.%s", outbox_state_name(o->state));
    char *detail = arena_printf(r->a, "seq %lld to %s%s%.*s", (long long)o->seq, r->to.host ? r->to.host : "no address", o->why.n ? ": " : "",
                                (int)o->why.n, (const char *)o->why.p);
    if (!action || !detail) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    char *name = arena_printf(r->a, "ntf_%016llx", (unsigned long long)o->id);
    const struct event_part parts[] = { { name ? "notification" : NULL, slice_str(name ? name : "") }, { "smdp", o->address } };
    struct audit_entry en = { .tenant = o->tenant, .principal = SLICE("eim"), .action = action, .eid = &r->eid, .state = outbox_state_name(o->state),
                              .detail = slice_str(detail), .parts = parts, .nparts = sizeof parts / sizeof parts[0] };
    return audit_add(t, r->m->host->env, &en, e);
}

/* Move the row by what happened. */
static void decide(struct errand *r, struct outbox *o, int64_t now)
{
    bool late = now - o->since_us >= eim_settings_now(r->m).notify_give_up_us;
    o->why = plain(r->why, r->a);
    if (r->fate != HOLD && o->state == OUT_HELD) (void)outbox_move(&o->state, OUT_EV_RELEASE);
    if (r->fate == DONE) (void)outbox_move(&o->state, OUT_EV_DONE);
    else if (late) (void)outbox_move(&o->state, OUT_EV_GIVE_UP);
    else if (r->fate == HOLD) (void)outbox_move(&o->state, OUT_EV_HOLD);
    if (o->state == OUT_WAITING) o->due_us = now + pause_after(r->m, o->tries);
    else if (o->state == OUT_HELD) o->due_us = now + HELD_LOOK_US;
    else {
        o->due_us = INT64_MAX;
        o->done_us = now;
    }
}

static enum eim_err finish_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct errand *r = (struct errand *)job;
    struct outbox o;
    TRY(store_outbox_get(t, r->o.association, r->o.seq, &o, r->a, e));
    bool waits = o.id == r->o.id && (o.state == OUT_WAITING || o.state == OUT_HELD);
    if (!waits || (o.version != r->o.version && r->fate != DONE)) return OK;       /* gone, dropped, or another attempt is under way */
    enum outbox_state before = o.state;
    decide(r, &o, eim_now(r->m));
    r->wrote_failed = o.state == OUT_FAILED;
    TRY(store_outbox_update(t, &o, e));
    if (o.state <= OUT_HELD) TRY(store_outbox_delay(t, &o, o.due_us, e));
    if (o.state == OUT_FORWARDED) TRY(store_outbox_trim(t, o.association, FORWARDED_KEPT, e));
    return o.state == before ? OK : note(t, r, &o, e);
}

static enum eim_err run(struct errand *r, enum sent *how, struct err *e)
{
    *how = NOT_TRIED;
    r->fate = AGAIN;
    r->why = "";
    r->job = (struct store_job){ .apply = claim_apply };
    TRY(store_run(r->m->host->store, &r->job, e));
    if (!r->o.id) return OK;
    *how = ANSWERED;
    TRY(prepare(r, e));
    if (r->fate != HOLD) *how = send(r, &(struct err){ 0 });
    r->job = (struct store_job){ .apply = finish_apply };
    TRY(store_run(r->m->host->store, &r->job, e));
    if (r->fate == DONE) COUNT(r->m, notifications_forwarded);
    if (r->fate == AGAIN) COUNT(r->m, notifications_retried);
    if (r->wrote_failed) COUNT(r->m, notifications_failed);
    return OK;
}

enum eim_err eim_forward(struct eim *m, bool *did, struct err *e)
{
    struct arena a;
    struct forward_slot *slot;
    enum sent how = NOT_TRIED;
    *did = false;
    if (!m->host->outbound) return OK;
    arena_init(&a, ARENA_MAX);
    struct errand *r = ARENA_NEW(&a, struct errand);
    enum eim_err rc = r ? OK : fail(e, E_NOMEM, NULL, "no memory for a notification");
    if (rc == OK) {
        *r = (struct errand){ .m = m, .a = &a };
        rc = look(m, &r->address, &slot, &a, e);
    }
    if (rc == OK && slot) {
        rc = run(r, &how, e);
        *did = r->o.id != 0;
        slot_give(m, slot, how);
    }
    arena_free(&a);
    return rc;
}

enum eim_err eim_outbox(struct eim *m, struct eim_outbox *out, struct err *e)
{
    struct tx *t;
    int64_t counts[OUT_FAILED + 1] = { 0 };
    *out = (struct eim_outbox){ 0 };
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_outbox_count(t, counts, &out->oldest_us, e);
    store_read_end(t);
    out->waiting = counts[OUT_WAITING];
    out->held = counts[OUT_HELD];
    out->failed = counts[OUT_FAILED];
    return rc;
}
