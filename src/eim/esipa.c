/* esipa.c -- one ESipa message in, one answer out: decode, dispatch, commit, answer (SGP.32 5.14, 6.3; design 3).
 *
 * A handler reads and decides on the worker, puts what changes into a plan and ends with work_commit: the plan is written by one
 * short job, and only its completion answers (I3). A plan that turns out stale is thrown away, signature and all, and the exchange
 * begins again from reading; after three times the device is told to come back. */
#include "eim/relay.h"

#include "eim/interop.h"
#include "eim/quirks.h"

enum { TRIES_MAX = 3, OBSERVED_A_SECOND = 200 };

/* So many messages a second are looked at: all of a quiet site, a sample of a busy one. */
static bool may_observe(struct eim *m, int64_t now)
{
    int64_t second = now / 1000000;
    if (__atomic_exchange_n(&m->observe_second, second, __ATOMIC_RELAXED) != second) __atomic_store_n(&m->observed, 0, __ATOMIC_RELAXED);
    return __atomic_add_fetch(&m->observed, 1, __ATOMIC_RELAXED) <= OBSERVED_A_SECOND;
}

/* What is otherwise than the specification says, for the report (interop.h): written anew, a message that is as it should be is the same octets. */
static void observe(struct esipa_work *w)
{
    const struct exchange *x = w->x;
    int64_t now = eim_now(w->m);
    if (!x->has_eid || x->injected || !may_observe(w->m, now)) return;
    struct slice again = der_encode(&esipa_from_ipa_type, &w->msg, x->arena);
    size_t at = 0;
    while (at < again.n && at < x->body.n && again.p[at] == x->body.p[at]) at++;
    if (again.n && (at < again.n || at < x->body.n))
        interop_note(w->m->interop, now, &x->eid, INTEROP_FORM, x->message, x->body, (int64_t)at);
    if (w->msg.der.which == esipa_from_ipa_is_handle_notification_esipa &&
        w->msg.handle_notification_esipa.der.which == handle_notification_esipa_is_provide_eim_package_result)
        interop_note(w->m->interop, now, &x->eid, INTEROP_NOTIFIED, x->message, (struct slice){ 0 }, -1);
    if (w->msg.der.which == esipa_from_ipa_is_provide_eim_package_result &&
        !der_has(&w->msg.provide_eim_package_result, provide_eim_package_result, eid_value))
        interop_note(w->m->interop, now, &x->eid, INTEROP_NO_EID, x->message, (struct slice){ 0 }, -1);
}

void work_answer(struct esipa_work *w, struct slice reply)
{
    w->x->reply = reply;
    if (reply.p || w->no_body) {
        w->x->rc = OK;
        observe(w);
        w->x->done(w->x);
        return;
    }
    work_fail(w, fail(&w->x->err, E_NOMEM, NULL, "no room for the answer"));
}

void work_fail(struct esipa_work *w, enum eim_err rc)
{
    if (rc == E_BUSY || rc == E_STORE || rc == E_NOMEM) COUNT(w->m, busy);
    if (!w->x->err.code) (void)fail(&w->x->err, rc, NULL, "%s", err_title(rc));
    w->x->rc = rc;
    w->x->reply = (struct slice){ 0 };
    w->x->done(w->x);
}

void work_retry(struct esipa_work *w)
{
    struct exchange *x = w->x;
    COUNT(w->m, stale_retries);
    if (++x->tries >= TRIES_MAX) {
        x->err = (struct err){ 0 };
        work_fail(w, fail(&x->err, E_BUSY, NULL, "the device's row changed %d times meanwhile", TRIES_MAX));
        return;
    }
    x->err = (struct err){ 0 };
    x->answer = NULL;
    x->operation = x->counter = 0;
    w->plan = NULL;
    w->reply = (struct slice){ 0 };
    w->nacks = 0;
    x->again(x);
}

/* ProvideEimPackageResultResponse: what is verified and now durable, or "30 00" (spec 3.8: no acknowledgement, no failure either). */
static struct slice answer_acks(struct esipa_work *w)
{
    struct arena *a = w->x->arena;
    struct plan *p = w->plan;
    struct esipa_from_eim m = { .der.which = esipa_from_eim_is_provide_eim_package_result_response };
    struct provide_eim_package_result_response *r = &m.provide_eim_package_result_response;
    size_t room = w->nacks + (p ? p->nnotifications : 0);
    int64_t *v = ARENA_ARRAY(a, int64_t, room);
    if (!v) return (struct slice){ 0 };
    struct eim_acknowledgements *acks = &r->eim_acknowledgements;
    acks->v = v;
    for (size_t i = 0; i < w->nacks; i++) acks->v[acks->n++] = w->acks[i];
    for (size_t i = 0; p && i < p->nnotifications; i++)
        if (p->notifications[i].stored && p->notifications[i].forward)
            acks->v[acks->n++] = p->notifications[i].n.seq;
    if (!acks->n && p && p->quirks & (QUIRK_BARE_EMPTY | QUIRK_V1_0)) return arena_copy(a, SGP32_V1_0_EMPTY_RESPONSE);
    r->der.which = acks->n ? provide_eim_package_result_response_is_eim_acknowledgements
                           : provide_eim_package_result_response_is_empty_response;
    return der_encode(&esipa_from_eim_type, &m, a);
}

static void answer_durable(struct esipa_work *w)
{
    if (w->no_body) work_answer(w, (struct slice){ 0 });
    else work_answer(w, w->answer_acks ? answer_acks(w) : w->reply);
}

static enum eim_err commit_apply(struct tx *t, struct store_job *job, struct err *e)
{
    return plan_apply(((struct esipa_work *)job)->plan, t, e);
}

static void commit_done(struct store_job *job, enum eim_err rc)
{
    struct esipa_work *w = (struct esipa_work *)job;
    if (rc == OK) {
        plan_count(w->plan);
        answer_durable(w);
    } else if (rc == E_STALE || rc == E_CONFLICT)
        work_retry(w);
    else {
        w->x->err = job->err;
        work_fail(w, rc);
    }
}

void work_commit(struct esipa_work *w)
{
    if (!w->plan || plan_is_empty(w->plan)) {
        answer_durable(w);
        return;
    }
    w->job = (struct store_job){ .apply = commit_apply, .done = commit_done };
    struct err e = { 0 };
    enum eim_err rc = store_submit(w->m->host->store, &w->job, &e);
    if (rc == OK) return;
    w->x->err = e;
    work_fail(w, rc);
}

/* ---- the dispatch table ---- */

static void on_get_eim_package(struct esipa_work *w)
{
    poll_handle(w, &w->msg.get_eim_package_request);
}

static void on_provide_result(struct esipa_work *w)
{
    w->answer_acks = true;
    provide_handle(w, &w->msg.provide_eim_package_result);
}

static void on_handle_notification(struct esipa_work *w)
{
    const struct handle_notification_esipa *h = &w->msg.handle_notification_esipa;
    w->no_body = true;
    if (h->der.which == handle_notification_esipa_is_provide_eim_package_result) provide_handle(w, &h->provide_eim_package_result);
    else notification_handle(w, &h->pending_notification);
}

/* A response to TransferEimPackage belongs on a connection that we opened, never into a request. */
static void on_transfer_response(struct esipa_work *w)
{
    COUNT(w->m, malformed);
    work_fail(w, fail(&w->x->err, E_UNKNOWN_TYPE, "SGP.32 5.14.4", "transferEimPackageResponse outside an injection"));
}

static const struct {
    const char *name;
    void (*handle)(struct esipa_work *w);
    bool slow;                         /* waits for other people's servers: done on threads that may */
} dispatch[esipa_from_ipa_is_end_] = {
    [esipa_from_ipa_is_initiate_authentication_request_esipa] = { "initiateAuthentication", relay_handle, .slow = true },
    [esipa_from_ipa_is_authenticate_client_request_esipa] = { "authenticateClient", relay_handle, .slow = true },
    [esipa_from_ipa_is_get_bound_profile_package_request_esipa] = { "getBoundProfilePackage", relay_handle, .slow = true },
    [esipa_from_ipa_is_cancel_session_request_esipa] = { "cancelSession", relay_handle, .slow = true },
    [esipa_from_ipa_is_handle_notification_esipa] = { "handleNotification", on_handle_notification },
    [esipa_from_ipa_is_transfer_eim_package_response] = { "transferEimPackage", on_transfer_response },
    [esipa_from_ipa_is_get_eim_package_request] = { "getEimPackage", on_get_eim_package },
    [esipa_from_ipa_is_provide_eim_package_result] = { "provideEimPackageResult", on_provide_result },
};

void esipa_handle(struct eim *m, struct exchange *x)
{
    struct esipa_work *w = x->work;
    if (!w) {
        w = ARENA_NEW(x->arena, struct esipa_work);
        if (!w) {
            x->rc = fail(&x->err, E_NOMEM, NULL, "no room for the message");
            x->done(x);
            return;
        }
        w->m = m;
        w->x = x;
        enum eim_err rc = der_decode(&esipa_from_ipa_type, x->body, &w->msg, x->arena, &x->err);
        if (rc != OK) {
            COUNT(m, malformed);
            work_fail(w, rc);
            return;
        }
        x->work = w;
    }
    x->message = dispatch[w->msg.der.which].name;
    if (dispatch[w->msg.der.which].slow && x->slow && !w->slow) {
        w->slow = true;
        x->slow(x);
        return;
    }
    dispatch[w->msg.der.which].handle(w);
}
