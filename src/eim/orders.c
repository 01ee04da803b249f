/* orders.c -- profile orders: an activation code of a pool, or ES2+ calls to an SM-DP+ (SGP.22 5.3, 6.5), until the device has a download.
 *
 * One profile for one order, whatever dies when. A call is written down before it leaves, in a transaction of its own, and what came of it in
 * another; between them no transaction is open. A call that never left is made again, a few times. One that left and has no answer that can be
 * understood may have been acted upon, so it is never made again: after confirmOrder the ICCID is known, and cancelOrder (which may be repeated)
 * takes the profile back; after downloadOrder it is not, and the order is `unclear` until a person, who can ask the operator, decides. After a
 * restart a call that was under way is such a one, once its lease has run out.
 *
 * Two secrets pass through: the confirmation code, until confirmOrder has taken it, and the activation code, from there until it is released and
 * becomes the device's download. The row holds them sealed, one at a time. */
#include "eim/manage.h"

#include "base/env.h"
#include "base/outbound.h"
#include "crypto/seal.h"
#include "eim/es9.h"
#include "eim/esipa_int.h"
#include "eim/pool.h"


enum { ARENA_MAX = 2 << 20, TRIES_MAX = 10, ACCOUNTS_MAX = 1000, TEXT_MAX = 256, CALL_SIZE = 33, EID_TEXT = 33 };
static const int64_t LEASE_US = INT64_C(600) * 1000000, PAUSE_US = INT64_C(30) * 1000000;

struct slice porder_name(const struct profile_order *o, struct arena *a)
{
    return slice_str(arena_printf(a, "po_%016llx", (unsigned long long)o->id));
}

static enum eim_err note(struct tx *t, struct eim *m, const struct profile_order *o, const char *action, struct slice principal, struct arena *a,
                         struct err *e)
{
    struct eid eid;
    struct slice name = porder_name(o, a);
    char *detail = arena_printf(a, "%.*s: %.*s, %.*s%s%.*s", (int)name.n, name.n ? (const char *)name.p : "",
                                (int)o->operator_name.n, (const char *)o->operator_name.p,
                                (int)o->profile_type.n, (const char *)o->profile_type.p, o->cause.n ? ": " : "", (int)o->cause.n,
                                o->cause.n ? (const char *)o->cause.p : "");
    char *told = arena_printf(a, "profile_order.%s", profile_order_state_name(o->state));
    if (!detail || !told || !name.n || o->eid.n != sizeof eid.b) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    memcpy(eid.b, o->eid.p, sizeof eid.b);
    const struct event_part parts[] = { { "profile_order", name }, { "operator", o->operator_name }, { "profile_type", o->profile_type },
                                        { o->iccid.n ? "iccid" : NULL, o->iccid } };
    bool created = strcmp(action, "profile_order.created") == 0;
    struct audit_entry en = { .tenant = o->tenant, .principal = principal, .action = action, .eid = &eid, .operation = o->operation,
                              .state = profile_order_state_name(o->state), .detail = slice_str(detail), .event = created ? NULL : told,
                              .parts = parts, .nparts = sizeof parts / sizeof parts[0] };
    return audit_add(t, m->host->env, &en, e);
}

/* What the row keeps sealed is of this order and no other. text empty: nothing is kept. */
static enum eim_err keep(struct eim *m, struct profile_order *o, struct slice text, struct arena *a, struct err *e)
{
    struct slice about = porder_name(o, a);
    o->secret = (struct slice){ 0 };
    if (!text.n) return OK;
    if (!m->host->seal) return fail(e, E_STATE, NULL, "this eIM has no key for activation codes");
    return about.n ? seal_put(m->host->seal, text, about, &o->secret, a, e) : fail(e, E_NOMEM, NULL, "no room for a code");
}

static enum eim_err kept(struct eim *m, const struct profile_order *o, struct slice *text, struct arena *a, struct err *e)
{
    struct slice about = porder_name(o, a);
    *text = (struct slice){ 0 };
    if (!o->secret.n) return OK;
    if (!m->host->seal) return fail(e, E_STATE, NULL, "this eIM has no key for activation codes");
    return about.n ? seal_get(m->host->seal, o->secret, about, text, a, e) : fail(e, E_NOMEM, NULL, "no room for a code");
}

/* Where a call stands is over; what comes next is another one, from its first try. */
static void next_step(struct profile_order *o, enum profile_order_step step, int64_t now)
{
    o->step = step;
    o->calling = false;
    o->tries = 0;
    o->due_us = now;
}

static enum eim_err move(struct tx *t, struct eim *m, struct profile_order *o, enum profile_order_event ev, const char *cause, struct slice principal,
                         struct arena *a, struct err *e)
{
    enum profile_order_state from = o->state;
    if (!profile_order_move(&o->state, ev)) return fail(e, E_STATE, NULL, "the order is %s: that is not possible with it", profile_order_state_name(from));
    o->changed_us = eim_now(m);
    if (cause) o->cause = slice_str(cause);
    next_step(o, ev == PORD_EV_UNDO ? PORD_CANCEL : ev == PORD_EV_RETRY ? PORD_DOWNLOAD : o->step, o->changed_us);
    if (o->state != PORD_ORDERING && o->state != PORD_UNCLEAR) TRY(keep(m, o, (struct slice){ 0 }, a, e));
    TRY(note(t, m, o, "profile_order.moved", principal, a, e));
    return store_porder_update(t, o, e);
}

/* ---- made by a person ---- */

struct change {
    struct store_job job;              /* first member */
    struct eim *m;
    const struct principal *p;
    struct arena *a;
    struct profile_order o;
    struct slice confirmation;         /* create: the code, or empty */
    const char *(*decide)(struct change *c, const struct operation *op, enum profile_order_event *ev);
};

/* The first of the tenant's accounts that has profiles of this operator and can be ordered from. id 0: none. */
static enum eim_err supplier(struct tx *t, const struct profile_order *o, int64_t *account, struct arena *a, struct err *e)
{
    struct smdp_list list;
    *account = 0;
    TRY(store_smdp_list(t, o->tenant, 0, ACCOUNTS_MAX, &list, a, e));
    for (size_t i = 0; i < list.n && !*account; i++)
        if (list.v[i].enabled && list.v[i].es2_url.n && slice_eq(list.v[i].operator_name, o->operator_name)) *account = list.v[i].id;
    return OK;
}

static enum eim_err create_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct profile_order o = c->o;
    struct pool_want want = { o.operator_name, o.profile_type };
    struct err why = { 0 };
    enum eim_err rc = E_STATE;
    if (!o.digest.n) rc = manage_download_place(t, c->m, c->p, o.association, &(struct download_of){ .want = want }, &o.operation, c->a, &why);
    if (rc == OK) o.state = PORD_PLACED;
    else if (rc == E_NOT_FOUND && strcmp(why.field, "eid") == 0) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    else if (rc == E_NOT_FOUND || rc == E_STATE) {             /* no pool, or it is empty: nothing was written */
        TRY(supplier(t, &o, &o.account, c->a, e));
        if (!o.account && o.digest.n)
            return fail_field(e, E_NOT_FOUND, NULL, "operator", "no SM-DP+ account with an ES2+ address serves this order: no pool holds a confirmation code");
        if (!o.account)
            return fail_field(e, rc, NULL, "operator", "no pool with a free activation code and no SM-DP+ account with an ES2+ address serve this order");
    } else {
        *e = why;
        return rc;
    }
    TRY(keep(c->m, &o, o.state == PORD_PLACED ? (struct slice){ 0 } : c->confirmation, c->a, e));
    TRY(store_porder_add(t, &o, e));
    TRY(note(t, c->m, &o, "profile_order.created", c->p->name, c->a, e));
    c->o = o;
    return OK;
}

static bool text_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return s.n && s.n <= TEXT_MAX;
}

enum eim_err manage_porder_create(struct eim *m, const struct principal *p, const struct profile_want *w, struct profile_order *out, struct arena *a,
                                  struct err *e)
{
    struct eid eid;
    const struct identity *id = eim_identity_of(m, p->tenant);
    int64_t now = eim_now(m);
    if (!eid_parse(w->eid, false, &eid)) return fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    if (!text_ok(w->operator_name)) return fail_field(e, E_INVALID, NULL, "operator", "must be a text of 1 to %d octets", TEXT_MAX);
    if (!text_ok(w->profile_type)) return fail_field(e, E_INVALID, NULL, "profile_type", "must be a text of 1 to %d octets", TEXT_MAX);
    if (!id) return fail_field(e, E_NOT_FOUND, NULL, "eid", "no such device");
    struct change c = { .job.apply = create_apply, .m = m, .p = p, .a = a, .confirmation = w->confirmation_code };
    struct slice digest = { 0 };
    if (w->confirmation_code.n) TRY(download_confirmation(w->confirmation_code, eim_settings_now(m).indirect, "confirmation_code", &digest, a, e));
    c.o = (struct profile_order){ .association = model_association(id->association_key, &eid), .id = env_id(m->host->env), .tenant = p->tenant, .version = 1,
                                  .created_us = now, .changed_us = now, .due_us = now, .eid = slice_of(eid.b, sizeof eid.b),
                                  .operator_name = w->operator_name, .profile_type = w->profile_type, .principal = p->name,
                                  .call = SLICE(""), .iccid = SLICE(""), .cause = SLICE(""), .notified = SLICE(""), .digest = digest };
    TRY(store_run(m->host->store, &c.job, e));
    COUNT(m, profile_orders);
    *out = c.o;
    out->eid = arena_copy(a, c.o.eid);
    return out->eid.p ? OK : fail(e, E_NOMEM, NULL, "no room for an order");
}

static enum eim_err read_one(struct tx *t, int64_t tenant, int64_t id, struct profile_order *o, struct operation *op, struct arena *a, struct err *e)
{
    *op = (struct operation){ 0 };
    TRY(store_porder_get(t, tenant, id, o, a, e));
    if (!o->id) return fail_field(e, E_NOT_FOUND, NULL, "id", "no such profile order");
    return o->operation ? store_operation_get(t, o->association, o->operation, op, a, e) : OK;
}

enum eim_err manage_porder(struct eim *m, const struct principal *p, int64_t id, struct profile_order *out, struct operation *op, struct arena *a,
                           struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = read_one(t, p->tenant, id, out, op, a, e);
    store_read_end(t);
    return rc;
}

enum eim_err manage_porders(struct eim *m, const struct principal *p, int64_t before, unsigned limit, struct porder_list *out, struct arena *a,
                            struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_porder_list(t, p->tenant, before, limit, out, a, e);
    store_read_end(t);
    return rc;
}

/* NULL: *ev is lawful now; else why not. */
static const char *may_cancel(struct change *c, const struct operation *op, enum profile_order_event *ev)
{
    const struct profile_order *o = &c->o;
    if (o->calling) return "a call to the SM-DP+ is under way";
    if (o->state == PORD_CANCELLED || o->state == PORD_FAILED || o->state == PORD_CANCELLING) return "it is at its end already";
    if (op->id && (!operation_is_final(op->state) || op->state == OP_DONE)) return "its download left for the device";
    *ev = o->account && o->iccid.n ? PORD_EV_UNDO : PORD_EV_CANCEL;
    return NULL;
}

static const char *may_retry(struct change *c, const struct operation *op, enum profile_order_event *ev)
{
    (void)op;
    if (c->o.state != PORD_UNCLEAR) return "only an unclear one is ordered again";
    if (c->o.iccid.n) return "the SM-DP+ named an ICCID for it: it can be cancelled, and ordered anew";
    *ev = PORD_EV_RETRY;
    return NULL;
}

static enum eim_err decide_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct change *c = (struct change *)job;
    struct operation op;
    enum profile_order_event ev;
    TRY(read_one(t, c->p->tenant, c->o.id, &c->o, &op, c->a, e));
    const char *not = c->decide(c, &op, &ev);
    if (not) return fail(e, E_STATE, NULL, "the order is %s: %s", profile_order_state_name(c->o.state), not);
    return move(t, c->m, &c->o, ev, ev == PORD_EV_RETRY ? "a person said that nothing was ordered" : "cancelled by a person", c->p->name, c->a, e);
}

enum eim_err manage_porder_decide(struct eim *m, const struct principal *p, int64_t id, bool retry, struct profile_order *out, struct operation *op,
                                  struct arena *a, struct err *e)
{
    struct change c = { .job.apply = decide_apply, .m = m, .p = p, .a = a, .o.id = id, .decide = retry ? may_retry : may_cancel };
    TRY(manage_porder(m, p, id, out, op, a, e));
    if (!retry && op->id && op->state == OP_PENDING) TRY(manage_operation_cancel(m, p, op->id, op, a, e));
    TRY(store_run(m->host->store, &c.job, e));
    return manage_porder(m, p, id, out, op, a, e);
}

/* ---- the calls ---- */

enum answer { NOT_SENT, NO_ANSWER, REFUSED, DONE };

struct turn {
    struct store_job job;              /* first member */
    struct eim *m;
    struct arena *a;
    struct profile_order o;            /* as it was written before the call */
    struct listed to;
    bool call;                         /* there is one to be made */
    enum answer answer;
    const char *why;
    struct slice secret;               /* what the row kept, opened */
    struct slice iccid, code;          /* DONE: what the SM-DP+ named */
};

/* This step cannot be done. Before anything was ordered that is all; after, it is to be taken back; if not even that, a person must know. */
static enum eim_err give_up(struct tx *t, struct turn *c, struct profile_order *o, const char *why, struct err *e)
{
    static const enum profile_order_event by_step[] = { [PORD_DOWNLOAD] = PORD_EV_REFUSE, [PORD_CONFIRM] = PORD_EV_UNDO, [PORD_CANCEL] = PORD_EV_LOSE,
                                                        [PORD_RELEASE] = PORD_EV_UNDO };
    return move(t, c->m, o, by_step[o->step], why, SLICE("eim"), c->a, e);
}

/* It left, and nobody knows. cancelOrder alone may be repeated. */
static enum eim_err lost(struct tx *t, struct turn *c, struct profile_order *o, const char *why, struct err *e)
{
    if (o->step != PORD_CANCEL) return move(t, c->m, o, o->step == PORD_DOWNLOAD ? PORD_EV_LOSE : PORD_EV_UNDO, why, SLICE("eim"), c->a, e);
    if (o->tries + 1 >= TRIES_MAX) return give_up(t, c, o, why, e);
    o->calling = false;
    o->tries++;
    o->due_us = eim_now(c->m) + PAUSE_US * o->tries;
    return store_porder_update(t, o, e);
}

static enum eim_err begin_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct turn *c = (struct turn *)job;
    struct profile_order o;
    int64_t now = eim_now(c->m);
    c->call = false;
    TRY(store_porder_get(t, c->o.tenant, c->o.id, &o, c->a, e));
    if (!o.id || o.state > PORD_CANCELLING || o.due_us > now) return OK;
    if (o.calling && o.step != PORD_CANCEL) return lost(t, c, &o, "the eIM ended before it had the SM-DP+'s answer", e);
    c->to = (struct listed){ 0 };
    TRY(store_smdp_get(t, o.tenant, o.account, &c->to.account, c->a, e));
    if (!c->to.account.id || !c->to.account.enabled || !c->to.account.es2_url.n)
        return give_up(t, c, &o, "its SM-DP+ account is gone, not enabled or without an ES2+ address", e);
    TRY(kept(c->m, &o, &c->secret, c->a, e));
    char *call = arena_printf(c->a, "%016llx%016llx", (unsigned long long)o.id, (unsigned long long)env_id(c->m->host->env));
    if (!call) return fail(e, E_NOMEM, NULL, "no room for a call");
    o.calling = true;
    o.call = slice_str(call);
    o.due_us = now + LEASE_US;
    TRY(store_porder_update(t, &o, e));
    c->o = o;
    c->call = true;
    return OK;
}

/* What an answer names is judged before it becomes part of anything. Else it is as if there was none: the SM-DP+ did act. */
static enum eim_err understood(struct turn *c, const struct es9 *q, struct err *e)
{
    struct slice address = q->out[1].value.n ? q->out[1].value : c->to.account.address;
    struct code_parts parts;
    if (c->o.step == PORD_CANCEL || c->o.step == PORD_RELEASE) return OK;
    if (c->o.step == PORD_DOWNLOAD) {
        c->iccid = q->out[0].value;
        return iccid_written(c->iccid) ? OK : fail_field(e, E_MALFORMED, "SGP.22 6.5.2.1", "iccid", "is no ICCID in the SM-DP+'s answer");
    }
    char *code = arena_printf(c->a, "1$%.*s$%.*s%s", (int)address.n, (const char *)address.p, (int)q->out[0].value.n, (const char *)q->out[0].value.p,
                              c->o.digest.n ? "$$1" : "");
    if (!code) return fail(e, E_NOMEM, NULL, "no room for an activation code");
    c->code = slice_str(code);
    if (!q->out[0].value.n || memchr(q->out[0].value.p, '$', q->out[0].value.n))
        return fail_field(e, E_MALFORMED, "SGP.22 6.5.2.2", "matchingId", "is no matching id in the SM-DP+'s answer");
    return code_parse(c->code, "matchingId", &parts, e);
}

/* SGP.22 5.3.1 to 5.3.4. */
static void ask(const struct turn *c, const char *eid, struct es9 *q)
{
    static const char *const functions[] = { [PORD_DOWNLOAD] = "downloadOrder", [PORD_CONFIRM] = "confirmOrder", [PORD_CANCEL] = "cancelOrder",
                                             [PORD_RELEASE] = "releaseProfile" };
    *q = (struct es9){ .path = "es2plus", .function = functions[c->o.step] };
    size_t n = 0;
    if (c->o.step != PORD_RELEASE) q->in[n].name = "eid", q->in[n].value = slice_str(eid), q->in[n++].as = ES9_TEXT;
    if (c->o.step != PORD_DOWNLOAD) q->in[n].name = "iccid", q->in[n].value = c->o.iccid, q->in[n++].as = ES9_TEXT;
    switch (c->o.step) {
    case PORD_DOWNLOAD:
        q->in[n].name = "profileType", q->in[n].value = c->o.profile_type, q->in[n].as = ES9_TEXT;
        q->out[0].name = "iccid";
        break;
    case PORD_CONFIRM:
        q->in[n].name = "releaseFlag", q->in[n++].as = c->to.account.es2_release ? ES9_FALSE : ES9_TRUE;
        if (c->secret.n) q->in[n].name = "confirmationCode", q->in[n].value = c->secret, q->in[n].as = ES9_TEXT;
        q->out[0].name = "matchingId", q->out[1].name = "smdpAddress", q->out[1].text = true;
        break;
    case PORD_CANCEL: q->in[n].name = "finalProfileStatusIndicator", q->in[n].value = SLICE("Available"), q->in[n].as = ES9_TEXT; break;
    case PORD_RELEASE: break;
    }
    q->out[0].needed = q->out[0].text = true;
}

static void call(struct turn *c)
{
    const struct identity *id = eim_identity_of(c->m, c->o.tenant);
    char eid[EID_TEXT];
    struct es9 q;
    struct err e = { 0 };
    slice_hex(c->o.eid, true, eid);
    ask(c, eid, &q);
    enum eim_err rc = id ? es9_call(&q, c->m->host->outbound, &c->to, id, arena_str(c->a, c->o.call), c->a, &e) : E_CONF;
    if (rc == OK) {
        rc = understood(c, &q, &e);
        q.sent = true;
    }
    c->answer = rc == OK ? DONE : q.refused ? REFUSED : q.sent ? NO_ANSWER : NOT_SENT;
    c->why = rc == OK ? "" : arena_printf(c->a, "%s: %s", q.function, q.why ? q.why : e.why);
    if (!c->why) c->why = "no room for the reason";
    es9_end(&q);
}

/* The profile is released for this eUICC: the device gets its download. */
static enum eim_err place(struct tx *t, struct turn *c, struct profile_order *o, struct slice code, struct err *e)
{
    struct err why = { 0 };
    struct download_of w = { .code = code, .confirmation = o->digest, .want.operator_name = o->operator_name };
    struct principal who = { .tenant = o->tenant, .name = o->principal };
    enum eim_err rc = manage_download_place(t, c->m, &who, o->association, &w, &o->operation, c->a, &why);
    if (rc == OK) return move(t, c->m, o, PORD_EV_PLACE, "", SLICE("eim"), c->a, e);
    if (rc == E_NOT_FOUND || rc == E_LIMIT || rc == E_RULE || rc == E_STATE)
        return give_up(t, c, o, arena_printf(c->a, "the device gets no download: %s", why.why), e);
    *e = why;
    return rc;
}

static enum eim_err done(struct tx *t, struct turn *c, struct profile_order *o, struct err *e)
{
    if (o->step == PORD_CANCEL) return move(t, c->m, o, PORD_EV_CANCEL, NULL, SLICE("eim"), c->a, e);
    if (o->step == PORD_DOWNLOAD) {
        o->iccid = c->iccid;
        next_step(o, PORD_CONFIRM, eim_now(c->m));
        return store_porder_update(t, o, e);
    }
    if (o->step == PORD_RELEASE) return place(t, c, o, c->secret, e);
    if (!c->to.account.es2_release) return place(t, c, o, c->code, e);
    TRY(keep(c->m, o, c->code, c->a, e));
    next_step(o, PORD_RELEASE, eim_now(c->m));
    return store_porder_update(t, o, e);
}

static enum eim_err end_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct turn *c = (struct turn *)job;
    struct profile_order o;
    TRY(store_porder_get(t, c->o.tenant, c->o.id, &o, c->a, e));
    if (!o.id || !o.calling || !slice_eq(o.call, c->o.call)) return OK;            /* given up for lost meanwhile */
    if (c->answer == DONE) return done(t, c, &o, e);
    if (c->answer == NO_ANSWER) return lost(t, c, &o, c->why, e);
    if (c->answer == REFUSED || o.tries + 1 >= TRIES_MAX) return give_up(t, c, &o, c->why, e);
    o.calling = false;
    o.tries++;
    o.cause = slice_str(c->why);
    o.due_us = eim_now(c->m) + PAUSE_US * o.tries;
    return store_porder_update(t, &o, e);
}

static enum eim_err turn(struct eim *m, bool *did, struct arena *a, struct err *e)
{
    struct turn c = { .job.apply = begin_apply, .m = m, .a = a };
    struct tx *t;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_porder_due(t, eim_now(m), &c.o, a, e);
    store_read_end(t);
    if (rc != OK || !c.o.id) return rc;
    *did = true;
    TRY(store_run(m->host->store, &c.job, e));
    if (!c.call) return OK;
    call(&c);
    c.job = (struct store_job){ .apply = end_apply };
    return store_run(m->host->store, &c.job, e);
}

enum eim_err eim_order(struct eim *m, bool *did, struct err *e)
{
    struct arena a;
    *did = false;
    if (!m->host->outbound) return OK;
    arena_init(&a, ARENA_MAX);
    enum eim_err rc = turn(m, did, &a, e);
    arena_free(&a);
    if (rc != E_STALE) return rc;                              /* another thread was first */
    *e = (struct err){ 0 };
    return OK;
}
