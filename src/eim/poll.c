/* poll.c -- getEimPackage: what a device that asks is given (SGP.32 3.1.1.1, 5.14.5; spec 5.2).
 *
 * The order in which things leave, at most one a poll:
 *   1  the package in flight, byte for byte, until its result is known or it timed out (I2)
 *   2  an IpaEuiccDataRequest, at first contact or when results were lost; unanswered twice it comes last
 *   3  an inventory that settles an unknown outcome, or that is wanted because something changed
 *   4  the oldest operation that may be sent
 * and else "noEimPackageAvailable", which must cost one indexed read, or none while the row is known to be as it was (quiet.c): the plan is
 * only made once something is to be written. */
#include "eim/esipa_int.h"
#include "eim/quirks.h"

#include <stdio.h>

static struct slice answer_error(struct arena *a, int64_t code)
{
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_get_eim_package_response };
    m.get_eim_package_response.der.which = get_eim_package_response_is_eim_package_error;
    m.get_eim_package_response.eim_package_error = code;
    return der_encode(&esipa_from_eim_type, &m, a);
}

static struct slice answer_package(struct arena *a, struct slice package)
{
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_get_eim_package_response };
    m.get_eim_package_response.der.which = get_eim_package_response_is_euicc_package_request;
    der_verbatim_seq(&m.get_eim_package_response.euicc_package_request.der, package);
    return der_encode(&esipa_from_eim_type, &m, a);
}

/* Has a package been in flight for so long that its outcome counts as unknown (I2)? Never before two usual contact intervals. */
static bool timed_out(const struct plan *p, const struct operation *o)
{
    int64_t age = p->now - o->first_sent_us;
    if (age < 2 * p->set.contact_interval_us) return false;
    return o->deliveries >= p->set.deliveries_max || age >= p->set.outcome_timeout_us;
}

/* A device that polls again and again without bringing a result that counts is not given the package at once for ever: a lost reply
 * is made good by the first few deliveries, the rest that count are a minute apart. */
static bool paused(const struct plan *p, const struct operation *o)
{
    return o->deliveries >= DELIVERIES_AT_ONCE && p->now - o->last_sent_us < DELIVERY_PAUSE_US;
}

/* In the pause every other poll gets the package all the same: who polls is not authenticated, and a stranger who polls all the time would
 * else take each turn of the device (I11). A device in a loop leaves it after a few rounds. */
static bool lucky(const struct plan *p)
{
    uint8_t coin;
    p->m->host->env->random(p->m->host->env, &coin, 1);
    return coin & 1;
}

/* Was a change announced that no inventory has been asked for yet? */
static bool announced(const struct device *d)
{
    return d->state_cause_us > d->changed_us;
}

/* Was it noted so lately that it need not be noted again? What a device still has to say it says in its next poll, and a stranger's
 * polls must not each cost a durable write. */
static bool just_now(const struct plan *p, int64_t noted_us)
{
    return noted_us && p->now - noted_us < NOTE_PAUSE_US;
}

/* What the request itself tells: unsigned, so it proves nothing and causes one package in ten minutes at most (I11). */
static void note_request(struct plan *p, const struct get_eim_package_request *r)
{
    if (!p->d.first_contact_us) {
        p->d.first_contact_us = p->now;
        p->device_dirty = true;
    }
    if (der_has(r, get_eim_package_request, r_plmn) && !slice_eq(r->r_plmn, p->d.rplmn) && !just_now(p, p->d.rplmn_us)) {
        p->d.rplmn = r->r_plmn;
        p->d.rplmn_us = p->now;
        p->device_dirty = true;
    }
    if (der_has(r, get_eim_package_request, notify_state_change) && !(announced(&p->d) && just_now(p, p->d.state_cause_us))) {
        p->d.state_cause = der_has(r, get_eim_package_request, state_change_cause) ? r->state_change_cause : STATE_CHANGE_CAUSE_UNDEFINED;
        p->d.state_cause_us = p->now;
        p->device_dirty = true;
    }
    if (announced(&p->d) && eim_may_act(&p->d, &p->set, p->now)) {
        p->d.changed_us = p->now;
        p->d.wants |= WANT_INVENTORY;
        p->device_dirty = true;
    }
}

/* The bytes of a package whose delivery is noted, or needs no note. */
static enum eim_err answer_operation(struct esipa_work *w, const struct plan_op *o, struct err *e)
{
    bool download = o->op.kind == OPK_DOWNLOAD;
    if (download) COUNT(w->m, download_triggers);
    else COUNT(w->m, packages_delivered);
    w->reply = download ? download_answer(o->op.package, w->plan->arena) : answer_package(w->plan->arena, o->op.package);
    w->x->answer = download ? "profileDownloadTriggerRequest" : "euiccPackageRequest";
    w->x->operation = o->op.id;
    w->x->counter = o->op.counter;
    return w->reply.p ? OK : fail(e, E_NOMEM, NULL, "no room for the answer");
}

/* Give this operation's package out: sign it if it was not, else the stored bytes. */
static enum eim_err deliver(struct esipa_work *w, struct plan_op *o, struct err *e)
{
    struct plan *p = w->plan;
    bool download = o->op.kind == OPK_DOWNLOAD;
    if (o->op.state == OP_PENDING) {
        TRY(download ? download_make(p, &o->op, e) : package_sign(p, &o->op, e));
        o->op.first_sent_us = p->now;
        if (!plan_move(p, o, EV_FETCH, "eim")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
        int64_t due = p->now + p->set.outcome_timeout_us;
        if (!p->d.timer_us || due < p->d.timer_us) p->d.timer_us = due;
        if (!download) COUNT(p->m, packages_signed);
    } else if (!download)
        COUNT(p->m, packages_redelivered);
    o->op.last_sent_us = p->now;
    if (!w->x->injected || o->op.deliveries < PUSHES_COUNTED) o->op.deliveries++;
    o->dirty = true;
    return answer_operation(w, o, e);
}

/* The download trigger that is out: given once more after an hour without an answer, three times in all. */
static enum eim_err deliver_download_again(struct esipa_work *w, struct tx *t, struct err *e)
{
    struct plan *p = w->plan;
    struct plan_op *o;
    TRY(plan_read(p, t, p->d.download_op, &o, e));
    if (!o || o->op.state != OP_SENT) return fail(e, E_INTERNAL, NULL, "the download under way is not there");
    if (download_given_up(p, &o->op)) return download_give_up(p, o, e);
    return download_due(p, &o->op) ? deliver(w, o, e) : OK;
}

/* The eIM's own operation: an inventory, or what settles an unknown outcome. */
static enum eim_err deliver_own(struct esipa_work *w, struct tx *t, enum operation_origin origin, struct err *e)
{
    struct plan *p = w->plan;
    struct operation o = {
        .association = p->d.association, .tenant = p->d.tenant, .id = env_id(p->m->host->env), .origin = origin,
        .state = OP_PENDING, .principal = SLICE("eim"), .created_us = p->now, .seq = -1, .code = -1,
        .request = ops_inventory(p->arena),
    };
    if (origin == ORIGIN_SETTLE) {
        struct plan_op *unknown;
        struct euicc_package lost;
        TRY(plan_read(p, t, p->d.unsettled, &unknown, e));
        if (unknown && der_decode(&euicc_package_type, unknown->op.request, &lost, p->arena, &(struct err){ 0 }) == OK &&
            lost.der.which == euicc_package_is_eco_list)
            o.request = ops_list_eims(p->arena);
        o.settles = p->d.unsettled;
    }
    if (!o.request.p) return fail(e, E_NOMEM, NULL, "no room for an inventory");
    struct plan_op *po = plan_insert(p, &o);
    if (!po) return fail(e, E_LIMIT, NULL, "more than %d operations touched at once", PLAN_OPS);
    p->d.next_op = p->d.next_op == o.id ? 0 : p->d.next_op;        /* it never waits in the queue */
    return deliver(w, po, e);
}

/* May this pending operation be sent now? Sets *skip when it stays where it is, and moves it when it expired or a rule forbids it. */
static enum eim_err consider(struct plan *p, struct tx *t, struct plan_op *o, bool *skip, struct err *e)
{
    struct euicc_package package;
    *skip = true;
    if (o->op.expires_us && o->op.expires_us <= p->now) {
        o->op.reason = SLICE("expired before the device fetched it");
        return plan_move(p, o, EV_EXPIRE, "eim") ? OK : fail(e, E_NOMEM, NULL, "no room for the audit entry");
    }
    if (o->op.kind == OPK_DOWNLOAD && p->d.quarantine_us) return OK;
    if (o->op.kind == OPK_DOWNLOAD) {              /* one at a time, on devices that can prove what became of it (I5) */
        *skip = p->d.download_op || p->d.key_class == KEY_NONE;
        return OK;
    }
    if (p->d.counter >= COUNTER_MAX) {
        o->op.reason = SLICE("counterValue is used up: the association needs a new key and counter (SGP.32 2.11.1.1)");
        return plan_move(p, o, EV_REFUSE, "eim") ? OK : fail(e, E_NOMEM, NULL, "no room for the audit entry");
    }
    TRY(der_decode(&euicc_package_type, o->op.request, &package, p->arena, e));
    /* I5: waits until the device is verified; in quarantine nothing is signed that changes anything */
    if ((p->d.key_class == KEY_NONE || p->d.quarantine_us) && !ops_is_inventory(&package)) return OK;
    if (rules_needs_inventory(&package) && !device_inventory_fresh(&p->d)) {
        p->d.wants |= WANT_INVENTORY;
        p->device_dirty = true;
        return OK;
    }
    struct profile_list known;
    struct err refused = { 0 };
    TRY(store_profile_list(t, p->d.association, &known, p->arena, e));
    struct rules_state state;
    rules_begin(&state, &p->d, &known);
    if (rules_strand(&state, p->identity, &package, o->op.overrides, &refused) != OK) {
        o->op.reason = arena_copy(p->arena, slice_str(refused.why));
        return plan_move(p, o, EV_REFUSE, "eim") ? OK : fail(e, E_NOMEM, NULL, "no room for the audit entry");
    }
    *skip = false;
    return OK;
}

static enum eim_err deliver_pending(struct esipa_work *w, struct tx *t, struct err *e)
{
    struct plan *p = w->plan;
    int64_t id = p->d.next_op;
    for (int looked = 0; id && looked < OPERATION_QUEUE_MAX; looked++) {
        struct plan_op *o;
        bool skip = true;
        TRY(plan_read(p, t, id, &o, e));
        if (o && o->op.state == OP_PENDING) TRY(consider(p, t, o, &skip, e));
        if (!skip) return deliver(w, o, e);
        if (p->d.wants & WANT_INVENTORY && p->d.retry_us <= p->now) return OK;     /* the inventory it needs goes first */
        TRY(store_operation_next(t, p->d.association, OP_PENDING, id, &id, e));
    }
    return OK;
}

/* The package in flight: again, or given up. */
static enum eim_err deliver_in_flight(struct esipa_work *w, struct tx *t, struct err *e)
{
    struct plan *p = w->plan;
    struct plan_op *o;
    TRY(plan_read(p, t, p->d.in_flight, &o, e));
    if (!o || o->op.state != OP_SENT) return fail(e, E_INTERNAL, NULL, "the operation in flight is not there");
    if (timed_out(p, &o->op)) return outcome_unknown(p, o, "no result in time", e);
    if (!paused(p, &o->op)) return deliver(w, o, e);
    if (!lucky(p)) return OK;
    COUNT(p->m, packages_redelivered);             /* not noted in the row: a poll in the pause writes nothing */
    return answer_operation(w, o, e);
}

enum eim_err outcome_unknown(struct plan *p, struct plan_op *o, const char *why, struct err *e)
{
    struct euicc_package package;
    TRY(der_decode(&euicc_package_type, o->op.request, &package, p->arena, e));
    if (package.der.which == euicc_package_is_psmo_list && !ops_is_inventory(&package)) {
        p->d.changed_us = p->now;                  /* it may have been executed: what is known from before judges nothing (I6) */
        p->d.wants |= WANT_INVENTORY;
    }
    o->op.reason = slice_str(why);
    if (!plan_move(p, o, EV_TIMEOUT, "eim")) return fail(e, E_NOMEM, NULL, "no room for the audit entry");
    p->d.wants |= WANT_RESULTS | WANT_SETTLE;
    return OK;
}

/* Is an IpaEuiccDataRequest due? Unanswered twice it waits for a pause, and for everything else (`last`). Without a key the pause is
 * short: no result of such a device counts before its certificates are here, and both unanswered requests may be replies that got lost. */
static bool data_due(const struct plan *p, bool last)
{
    if (!(p->d.wants & (WANT_DATA | WANT_RESULTS))) return false;
    if (p->d.data_deliveries < DATA_DELIVERIES) return true;
    int64_t pause = p->d.key_class == KEY_NONE ? NOTE_PAUSE_US : p->set.contact_interval_us;
    return last && p->now - p->d.data_sent_us >= pause;
}

static enum eim_err deliver_data_request(struct esipa_work *w, struct err *e)
{
    w->reply = data_request(w->plan);
    if (w->x->injected && w->plan->d.data_deliveries >= PUSHES_COUNTED) w->plan->d.data_deliveries = PUSHES_COUNTED - 1;
    w->x->answer = "ipaEuiccDataRequest";
    COUNT(w->m, data_requests);
    return w->reply.p ? OK : fail(e, E_NOMEM, NULL, "no room for the data request");
}

/* What is signed anew: an inventory that settles, an inventory that is wanted, what people ordered. */
static enum eim_err deliver_new(struct esipa_work *w, struct tx *t, struct err *e)
{
    struct plan *p = w->plan;
    bool own = p->d.counter < COUNTER_MAX && p->d.retry_us <= p->now;
    if (p->d.in_flight || p->d.hold_us > p->now) return OK;
    if (own && p->d.wants & WANT_SETTLE && p->d.unsettled) TRY(deliver_own(w, t, ORIGIN_SETTLE, e));
    if (!w->reply.p && !(own && p->d.wants & WANT_INVENTORY) && p->d.next_op) TRY(deliver_pending(w, t, e));
    if (!w->reply.p && own && p->d.wants & WANT_INVENTORY) TRY(deliver_own(w, t, ORIGIN_INVENTORY, e));
    return OK;
}

static enum eim_err choose(struct esipa_work *w, struct tx *t, struct err *e)
{
    struct plan *p = w->plan;
    if (p->d.in_flight) TRY(deliver_in_flight(w, t, e));
    if (!w->reply.p && data_due(p, false)) TRY(deliver_data_request(w, e));
    if (!w->reply.p && p->d.download_op) TRY(deliver_download_again(w, t, e));
    if (!w->reply.p) TRY(deliver_new(w, t, e));
    if (!w->reply.p && data_due(p, true)) TRY(deliver_data_request(w, e));
    TRY(plan_queue(p, t, e));
    if (!w->reply.p) {
        w->reply = answer_error(p->arena, GET_EIM_PACKAGE_ERROR_NO_EIM_PACKAGE_AVAILABLE);
        w->x->answer = "noEimPackageAvailable";
        if (!w->x->injected) COUNT(p->m, polls_empty);
    }
    return w->reply.p ? OK : fail(e, E_NOMEM, NULL, "no room for the answer");
}

/* Nothing to write and nothing to give: the common case. */
static bool nothing_pending(const struct device *d, const struct get_eim_package_request *r)
{
    return !announced(d) && !d->in_flight && !d->download_op && !d->next_op && !d->wants && d->first_contact_us &&
           !der_has(r, get_eim_package_request, notify_state_change) &&
           (!der_has(r, get_eim_package_request, r_plmn) || slice_eq(r->r_plmn, d->rplmn));
}

/* v1.0 has rPLMN at the tag that later versions give to stateChangeCause; a cause alone is nothing that an IPA of those says (spec 0.1). */
static enum eim_err read_as_meant(struct esipa_work *w, struct tx *t, const struct device *d, struct get_eim_package_request *r, struct err *e)
{
    int64_t quirks;
    if (!der_has(r, get_eim_package_request, state_change_cause) || der_has(r, get_eim_package_request, notify_state_change)) return OK;
    TRY(quirks_of(w->m, t, d, w->x->agent, &quirks, w->x->arena, e));
    if (!(quirks & QUIRK_V1_0)) return OK;
    uint8_t *plmn = arena_alloc(w->x->arena, 3);
    if (!plmn) return fail(e, E_NOMEM, NULL, "no room for a network");
    for (int i = 0; i < 3; i++) plmn[i] = (uint8_t)(r->state_change_cause >> (16 - 8 * i));
    r->r_plmn = slice_of(plmn, 3);
    der_set(r, get_eim_package_request, r_plmn);
    der_unset(r, get_eim_package_request, state_change_cause);
    return OK;
}

static void answer_nothing(struct esipa_work *w, int64_t association)
{
    if (!w->x->injected) {
        contacts_note(w->m->contacts, association, eim_now(w->m));
        COUNT(w->m, polls_empty);
    }
    w->x->answer = "noEimPackageAvailable";
    work_answer(w, answer_error(w->x->arena, GET_EIM_PACKAGE_ERROR_NO_EIM_PACKAGE_AVAILABLE));
}

static void poll_known(struct esipa_work *w, struct tx *t, const struct identity *id, struct device *d, uint64_t mark,
                       struct get_eim_package_request *r)
{
    struct exchange *x = w->x;
    struct err e = { 0 };
    enum eim_err rc = read_as_meant(w, t, d, r, &e);
    if (rc == OK && nothing_pending(d, r)) {
        store_read_end(t);
        quiet_note(w->m->quiet, d->association, mark);
        answer_nothing(w, d->association);
        return;
    }
    if (!x->injected) contacts_note(w->m->contacts, d->association, eim_now(w->m));
    w->plan = ARENA_NEW(x->arena, struct plan);
    if (rc == OK && !w->plan) rc = fail(&e, E_NOMEM, NULL, "no room for a plan");
    if (rc == OK) {
        plan_begin(w->plan, w->m, id, d, x->arena);
        rc = quirks_of(w->m, t, d, x->agent, &w->plan->quirks, x->arena, &e);
    }
    if (rc == OK) {
        if (!x->injected) note_request(w->plan, r);
        rc = choose(w, t, &e);
    }
    store_read_end(t);
    if (rc == OK) {
        work_commit(w);
        return;
    }
    x->err = e;
    work_fail(w, rc);
}

void poll_handle(struct esipa_work *w, const struct get_eim_package_request *r)
{
    struct exchange *x = w->x;
    const struct identity *id = eim_identity(w->m, x->host);
    if (x->tries == 0 && !x->injected) COUNT(w->m, polls);
    if (!der_has(r, get_eim_package_request, eid_value) || r->eid_value.n != sizeof x->eid.b) {
        bool missing = !der_has(r, get_eim_package_request, eid_value);
        (void)fail_field(&x->err, E_INVALID, "SGP.32 5.14.5", "eidValue", missing ? "absent" : "an EID of %zu octets", r->eid_value.n);
        x->answer = missing ? "missingEid" : "invalidEid";
        work_answer(w, answer_error(x->arena, missing ? GET_EIM_PACKAGE_ERROR_MISSING_EID : GET_EIM_PACKAGE_ERROR_INVALID_EID));
        return;
    }
    memcpy(x->eid.b, r->eid_value.p, sizeof x->eid.b);
    x->has_eid = true;

    int64_t association = model_association(id->association_key, &x->eid);
    uint64_t mark = store_device_mark(w->m->host->store, association);
    bool plain = !der_has(r, get_eim_package_request, notify_state_change) && !der_has(r, get_eim_package_request, r_plmn) &&
                 !der_has(r, get_eim_package_request, state_change_cause);
    if (plain && quiet_is(w->m->quiet, association, mark)) {
        if (!x->injected) COUNT(w->m, polls_quiet);
        answer_nothing(w, association);
        return;
    }
    struct tx *t;
    struct device d;
    enum eim_err rc = store_read_begin(w->m->host->store, &t, &x->err);
    if (rc != OK) {
        work_fail(w, rc);
        return;
    }
    rc = store_device_get(t, association, &d, x->arena, &x->err);
    if (rc == OK && d.association && !memcmp(d.eid.b, x->eid.b, sizeof d.eid.b)) {
        struct get_eim_package_request own = *r;
        poll_known(w, t, id, &d, mark, &own);
        return;
    }
    store_read_end(t);
    if (rc != OK) work_fail(w, rc);
    else if (eim_settings_now(w->m).enrol_unknown && enrol_slot(w->m)) enrol_unknown(w, id);
    else {
        COUNT(w->m, polls_unknown_eid);
        (void)fail_field(&x->err, E_NOT_FOUND, "SGP.32 5.14.5", "eidValue", "this EID is not enrolled");
        x->answer = "eidNotFound";
        work_answer(w, answer_error(x->arena, GET_EIM_PACKAGE_ERROR_EID_NOT_FOUND));
    }
}
