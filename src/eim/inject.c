/* inject.c -- injection: what waits for a device that can be reached is pushed to it (SGP.32 3.1.1.2, 5.14.4; spec 2.10, 5.10).
 *
 * A push is a poll turned round, and nothing else: the eIM asks itself on the device's behalf by the very exchange that a poll is, carries
 * the answer to the device, and takes what comes back in by the very exchange that a delivered result is. So counters, the same bytes again,
 * verification and acknowledgements are those of a poll (esipa_handle); only what a poll would tell about the device (that it was there) is
 * left out, and a device that does not answer uses up a budget of its own, after which all is left to its next poll. */
#include "eim/inject_wire.h"

#include "base/env.h"
#include <stdio.h>

enum { MESSAGES_MAX = 16, TRIES_MAX = 5, ARENA_MAX = 4 << 20, WHY_MAX = 200 };
static const int64_t LEASE_US = INT64_C(600) * 1000000, FIRST_PAUSE_US = INT64_C(60) * 1000000, LATER_US = INT64_C(3600) * 1000000,
                     MOST_PAUSE_US = INT64_C(6) * 3600 * 1000000;

struct push {
    struct store_job job;
    struct eim *m;
    struct arena kept, a;              /* of the whole push; of one message */
    struct injection to;               /* as claimed */
    struct device d;
    const char *host;                  /* selects the identity, as a device's Host would */
    bool reached;                      /* it answered */
    bool later;                        /* it has something that it will answer later */
    int64_t last_op;                   /* the package pushed before, and whether its result counted */
    bool last_counted;
    char why[WHY_MAX + 1];             /* what went wrong */
};

static void went_wrong(struct push *p, const char *why)
{
    snprintf(p->why, sizeof p->why, "%.*s", (int)sizeof p->why - 1, why);
    for (char *c = p->why; *c; c++)
        if (*c < 0x20 || *c > 0x7e) *c = '?';
}

/* ---- asking ourselves ---- */

struct question {
    struct exchange x;                 /* first member */
    pthread_mutex_t lock;              /* guards the two below */
    pthread_cond_t told;
    bool done, again;
};

static void tell(struct exchange *x, bool again)
{
    struct question *q = (struct question *)x;
    pthread_mutex_lock(&q->lock);
    if (again) q->again = true;
    else q->done = true;
    pthread_cond_signal(&q->told);
    pthread_mutex_unlock(&q->lock);
}

static void on_done(struct exchange *x) { tell(x, false); }
static void on_again(struct exchange *x) { tell(x, true); }

/* One exchange with ourselves, to its end. The commit may answer on another thread. */
static enum eim_err ask(struct push *p, const struct esipa_from_ipa *message, struct question *q, struct err *e)
{
    *q = (struct question){ .x = { .arena = &p->a, .body = der_encode(&esipa_from_ipa_type, message, &p->a), .host = p->host, .peer = "injection",
                                   .done = on_done, .again = on_again, .injected = true } };
    if (!q->x.body.p) return fail(e, E_NOMEM, NULL, "no room for a message");
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->told, NULL);
    for (bool over = false; !over;) {
        esipa_handle(p->m, &q->x);
        pthread_mutex_lock(&q->lock);
        while (!q->done && !q->again) pthread_cond_wait(&q->told, &q->lock);
        over = q->done;
        q->again = false;
        pthread_mutex_unlock(&q->lock);
    }
    pthread_cond_destroy(&q->told);
    pthread_mutex_destroy(&q->lock);
    if (q->x.rc != OK) *e = q->x.err;
    return q->x.rc;
}

/* What would a poll be given? t->tlv empty: nothing. */
static enum eim_err poll(struct push *p, struct transfer *t, int64_t *operation, struct err *e)
{
    struct question q;
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_get_eim_package_request };
    struct esipa_from_eim answer;
    m.get_eim_package_request.eid_value = (struct slice){ p->d.eid.b, sizeof p->d.eid.b };
    der_set(&m.get_eim_package_request, get_eim_package_request, eid_value);
    TRY(ask(p, &m, &q, e));
    TRY(der_decode(&esipa_from_eim_type, q.x.reply, &answer, &p->a, e));
    const struct get_eim_package_response *r = &answer.get_eim_package_response;
    *operation = q.x.operation;
    *t = (struct transfer){ 0 };
    switch (r->der.which) {
    case get_eim_package_response_is_euicc_package_request:
        *t = (struct transfer){ transfer_eim_package_request_is_euicc_package_request, r->euicc_package_request.der.raw };
        break;
    case get_eim_package_response_is_ipa_euicc_data_request:
        *t = (struct transfer){ transfer_eim_package_request_is_ipa_euicc_data_request, r->ipa_euicc_data_request.der.raw };
        break;
    case get_eim_package_response_is_profile_download_trigger_request:
        *t = (struct transfer){ transfer_eim_package_request_is_profile_download_trigger_request, r->profile_download_trigger_request.der.raw };
        break;
    default: break;
    }
    return OK;
}

/* Take a result in as if the device had provided it; *acks becomes what is to be acknowledged (a BF53), or empty. */
static enum eim_err provide(struct push *p, const struct transferred *got, struct slice *acks, struct err *e)
{
    struct question q;
    struct esipa_from_ipa m = { .der.which = esipa_from_ipa_is_provide_eim_package_result };
    struct provide_eim_package_result *r = &m.provide_eim_package_result;
    struct esipa_from_eim answer;
    *acks = (struct slice){ 0 };
    r->eid_value = (struct slice){ p->d.eid.b, sizeof p->d.eid.b };
    der_set(r, provide_eim_package_result, eid_value);
    if (got->what == TRANSFER_ERROR) {
        r->eim_package_result.der.which = eim_package_result_is_eim_package_result_response_error;
        r->eim_package_result.eim_package_result_response_error.eim_package_result_error_code = got->error;
    } else
        der_verbatim_choice(&r->eim_package_result.der, got->result);
    TRY(ask(p, &m, &q, e));
    if (q.x.err.code) went_wrong(p, q.x.err.why);
    TRY(der_decode(&esipa_from_eim_type, q.x.reply, &answer, &p->a, e));
    const struct provide_eim_package_result_response *y = &answer.provide_eim_package_result_response;
    if (y->der.which == provide_eim_package_result_response_is_eim_acknowledgements && y->eim_acknowledgements.n)
        *acks = der_encode(&eim_acknowledgements_type, &y->eim_acknowledgements, &p->a);
    return OK;
}

/* ---- one device ---- */

/* Carry one thing to the device. False: it did not work, why is told. */
static bool carry(struct push *p, const struct transfer *t, struct transferred *got)
{
    struct err e = { 0 };
    enum eim_err rc = transfer_send(p->m, &p->to, t, got, &p->a, &e);
    if (rc == OK || rc == E_STATE || rc == E_MALFORMED || rc == E_UNKNOWN_TYPE) {
        p->reached = true;
        contacts_note(p->m->contacts, p->d.association, eim_now(p->m));
    }
    if (rc != OK) went_wrong(p, e.why);
    return rc == OK;
}

/* One thing that waits: carried, taken in, acknowledged. *more: another may follow. */
static enum eim_err push_one(struct push *p, bool *more, struct err *e)
{
    struct transfer t, ack = { .which = transfer_eim_package_request_is_eim_acknowledgements };
    struct transferred got, ignored;
    int64_t operation;
    *more = false;
    TRY(poll(p, &t, &operation, e));
    if (!t.tlv.n) return OK;
    if (operation && operation == p->last_op && !p->last_counted) return OK;       /* it answers, but with what does not count: not again now */
    p->last_op = operation;
    p->last_counted = false;
    p->why[0] = 0;
    if (!carry(p, &t, &got)) return OK;
    p->later = got.what == TRANSFER_LATER;
    if (p->later) return OK;
    TRY(provide(p, &got, &ack.tlv, e));
    if (got.what == TRANSFER_ERROR && !p->why[0]) went_wrong(p, "the IPA refuses it");
    if (ack.tlv.n) {
        p->last_counted = true;
        (void)carry(p, &ack, &ignored);            /* lost: the card keeps what it has, and offers it again */
    }
    *more = got.what == TRANSFER_RESULT;
    return OK;
}

static enum eim_err push_all(struct push *p, struct err *e)
{
    bool more = true;
    for (int i = 0; more && i < MESSAGES_MAX; i++) {
        arena_reset(&p->a);
        TRY(push_one(p, &more, e));
    }
    if (more) went_wrong(p, "it does not come to an end");
    return OK;
}

static enum eim_err read_device(struct push *p, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(p->m->host->store, &t, e));
    enum eim_err rc = store_device_get(t, p->to.association, &p->d, &p->kept, e);
    store_read_end(t);
    if (rc != OK || !p->d.association) return rc;
    const struct identity *id = eim_identity_of(p->m, p->d.tenant);
    struct slice name = id ? id->fqdn : (struct slice){ 0 };
    const uint8_t *port = name.n ? memchr(name.p, ':', name.n) : NULL;
    p->host = arena_str(&p->kept, slice_of(name.p, port ? (size_t)(port - name.p) : name.n));
    return p->host ? OK : fail(e, E_NOMEM, NULL, "no room for a name");
}

/* ---- claiming and noting ---- */

static enum eim_err claim_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct push *p = (struct push *)job;
    int64_t now = eim_now(p->m);
    return store_injection_claim(t, now, now + LEASE_US, &p->to, &p->kept, e);
}

/* A minute, five, twenty-five, two hours: then the device's own poll is waited for. */
static int64_t pause_after(struct eim *m, int64_t tries)
{
    int64_t pause = FIRST_PAUSE_US;
    uint32_t r;
    if (tries >= TRIES_MAX) return 0;
    for (int64_t i = 1; i < tries && pause < MOST_PAUSE_US; i++) pause *= 5;
    if (pause > MOST_PAUSE_US) pause = MOST_PAUSE_US;
    m->host->env->random(m->host->env, &r, sizeof r);
    return pause - pause / 4 + (int64_t)((double)r / UINT32_MAX * (double)(pause / 2));
}

static enum eim_err finish_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct push *p = (struct push *)job;
    struct injection i;
    struct device d;
    int64_t now = eim_now(p->m), due = INT64_MAX;
    TRY(store_injection_get(t, p->to.association, &i, &p->kept, e));
    if (!i.association || i.lease_us != p->to.lease_us) return OK;             /* gone, or somebody else's by now */
    TRY(store_device_get(t, p->to.association, &d, &p->kept, e));
    bool waits = d.in_flight || d.next_op || d.wants || d.download_op;
    i.tries = p->why[0] ? p->to.tries + 1 : 0;
    if (p->why[0] && pause_after(p->m, i.tries)) due = now + pause_after(p->m, i.tries);
    else if (!p->why[0] && waits) due = now + LATER_US;            /* answered later, or not to be sent yet: look again */
    if (i.version != p->to.version) {              /* woken meanwhile: as it was set */
        due = i.due_us;
        i.tries = 0;
    }
    i.due_us = due;
    i.lease_us = 0;
    i.tried_us = now;
    if (p->reached) i.reached_us = now;
    i.why = slice_str(p->why);
    return store_injection_put(t, &i, e);
}

static enum eim_err run(struct push *p, struct err *e)
{
    p->job = (struct store_job){ .apply = claim_apply };
    TRY(store_run(p->m->host->store, &p->job, e));
    if (!p->to.association) return OK;
    COUNT(p->m, pushes);
    TRY(read_device(p, e));
    TRY(push_all(p, e));
    if (p->why[0]) COUNT(p->m, pushes_failed);
    p->job = (struct store_job){ .apply = finish_apply };
    return store_run(p->m->host->store, &p->job, e);
}

enum eim_err eim_push(struct eim *m, bool *did, struct err *e)
{
    struct tx *t;
    bool due = false;
    *did = false;
    if (!m->host->outbound) return OK;
    TRY(store_read_begin(m->host->store, &t, e));
    enum eim_err rc = store_injection_any_due(t, eim_now(m), &due, e);
    store_read_end(t);
    if (rc != OK || !due) return rc;
    struct push p = { .m = m };
    arena_init(&p.kept, ARENA_MAX);
    arena_init(&p.a, ARENA_MAX);
    rc = run(&p, e);
    *did = p.to.association != 0;
    arena_free(&p.kept);
    arena_free(&p.a);
    return rc;
}
