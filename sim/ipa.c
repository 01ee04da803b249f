/* ipa.c -- one contact of an IPA with its eIM.
 *
 * The order (sgp32.md 5.2, 5.3, 7.2): what is owed is delivered before anything new is asked for, so there is never
 * more than one owed result. A result leaves the card only when the eIM acknowledged it by its sequence number; a lost
 * reply therefore costs a repetition, never a result. */
#include "sim/ipa_int.h"

void sim_counters_add(struct sim_counters *to, const struct sim_counters *more)
{
#define X(name, text) to->name += more->name;
    SIM_COUNTERS(X)
#undef X
}

void sim_ipa_init(struct sim_ipa *p, struct sim_euicc *card, const struct sim_ipa_config *config, uint64_t seed)
{
    *p = (struct sim_ipa){ .card = card, .config = config, .random = sim_mix(seed, 7), .cause = SIM_NO_CAUSE };
    buf_init(&p->owed, SIM_OWED_MAX);
    buf_init(&p->first, SIM_OWED_MAX);
    buf_init(&p->asked, SIM_OWED_MAX);
    buf_init(&p->answered, SIM_OWED_MAX);
}

void sim_ipa_free(struct sim_ipa *p)
{
    buf_free(&p->owed);
    buf_free(&p->first);
    buf_free(&p->asked);
    buf_free(&p->answered);
}

void sim_ipa_restart(struct sim_ipa *p)
{
    buf_free(&p->owed);
    buf_init(&p->owed, SIM_OWED_MAX);
    p->restarted = true;
    p->rollback = false;
    p->failures = p->refusals = 0;
}

bool ipa_ask(struct sim_ipa *p, uint32_t function, struct slice body, struct slice *value, struct arena *a)
{
    struct tlv t;
    struct slice request = TLV(a, function, body);
    if (tlv_is_bad(request))
        return false;
    struct slice answer = sim_euicc_es10b(p->card, request, a);
    if (tlv_is_bad(answer) || !tlv_only(answer, &t) || t.tag != function)
        return false;
    *value = t.value;
    return true;
}

struct slice ipa_error(struct sim_ipa *p, struct slice txid, int code, struct arena *a)
{
    struct tlv t;
    bool echo = txid.n && !ipa_is(p, SIM_Q(ERROR_NO_TXID)) && tlv_only(txid, &t);
    return TLV(a, T_C0, echo ? TLV(a, T_0, t.value) : ipa_none, tlv_put_int(a, T_INTEGER, code));
}

/* ---- the way to the eIM -------------------------------------------------------------------------------------- */

static bool covered(const struct sim_ipa *p)
{
    int slot = sim_euicc_enabled(p->card);               /* no profile at all: some other bearer, nothing to say against */
    return slot == SIM_NO_PROFILE || !(p->no_coverage >> p->card->profiles[slot].operator_ & 1);
}

static bool strikes(struct sim_ipa *p, uint32_t ppm)
{
    p->random = sim_mix(p->random, 0);
    return ppm && p->random % 1000000 < ppm;
}

/* To the eIM, or with `address` to an SM-DP+. */
static enum sim_reply carry(struct sim_ipa *p, const struct sim_transport *t, const char *address, const char *function, struct slice message,
                            struct slice *reply, struct sim_counters *n, struct arena *a)
{
    enum sim_reply got = SIM_LOST;
    uint32_t half = p->config->loss_ppm / 2;
    *reply = ipa_none;
    if (!covered(p)) {
        n->no_coverage++;
    } else if (strikes(p, half)) {
        n->lost_requests++;
    } else {
        got = address ? t->es9(t->arg, address, function, message, reply, a) : t->post(t->arg, message, reply, a);
        if (got == SIM_LOST) {
            n->transport_errors++;
        } else if (strikes(p, p->config->loss_ppm - half)) {
            n->lost_replies++;
            got = SIM_LOST;
        }
    }
    n->refused_http += got == SIM_REFUSED;
    if (got == SIM_LOST)
        p->failures += p->failures < UINT8_MAX;
    else
        p->failures = 0;
    return got;
}

enum sim_reply ipa_post(struct sim_ipa *p, const struct sim_transport *t, struct slice message, struct slice *reply,
                        struct sim_counters *n, struct arena *a)
{
    return carry(p, t, NULL, NULL, message, reply, n, a);
}

enum sim_reply ipa_es9(struct sim_ipa *p, const struct sim_transport *t, const char *address, const char *function, struct slice json,
                       struct slice *reply, struct sim_counters *n, struct arena *a)
{
    return carry(p, t, address, function, json, reply, n, a);
}

/* ---- results ------------------------------------------------------------------------------------------------- */

static void owe_nothing(struct sim_ipa *p)
{
    buf_free(&p->owed);
    buf_init(&p->owed, SIM_OWED_MAX);
    p->owed_epr = p->owed_psmo = p->rollback = false;
    p->refusals = 0;
}

static bool owe(struct sim_ipa *p, struct slice result, bool epr, bool psmo)
{
    owe_nothing(p);
    if (tlv_is_bad(result))
        return false;
    buf_put(&p->owed, result);
    p->owed_epr = epr;
    p->owed_psmo = psmo;
    return !p->owed.failed;
}

/* The notifications that go along with a result, at most SIM_BUNDLE, as the value of A0; *count is their number. */
static struct slice bundle(struct sim_ipa *p, unsigned *count, struct arena *a)
{
    struct slice value, rest;
    struct tlv arm, t;
    if (!ipa_ask(p, T_RETRIEVE_NOTIFICATIONS, ipa_none, &value, a) || !tlv_only(value, &arm) || arm.tag != T_C0)
        return ipa_none;
    rest = arm.value;
    while (*count < SIM_BUNDLE && tlv_next(&rest, &t))
        ++*count;
    return slice_of(arm.value.p, (size_t)(rest.p - arm.value.p));
}

/* The EimPackageResult as it is sent: the owed result itself, or with notifications. */
static struct slice package_result(struct sim_ipa *p, unsigned *notifications, struct arena *a)
{
    struct slice result = buf_slice(&p->owed);
    if (ipa_is(p, SIM_Q(ODD_ERROR)))
        return TLV(a, T_0, TLV(a, T_SEQUENCE, tlv_put_int(a, T_INTEGER, 127)));
    if (p->owed_epr && ipa_is(p, SIM_Q(REPLAY_EPR))) {
        if (p->first.n == 0)
            buf_put(&p->first, result);
        result = buf_slice(&p->first);
    }
    if (p->owed_epr && ipa_is(p, SIM_Q(DOUBLE_TAG)))
        result = TLV(a, T_EUICC_PACKAGE, result);
    if (!p->owed_epr || !p->owed_psmo)
        return result;
    struct slice list = ipa_is(p, SIM_Q(NEVER_BUNDLE)) ? ipa_none : bundle(p, notifications, a);
    if (list.n == 0 && !ipa_is(p, SIM_Q(EMPTY_LIST)))
        return result;
    return TLV(a, T_SEQUENCE, result, TLV(a, T_C0, list));
}

static struct slice result_message(struct sim_ipa *p, unsigned *notifications, struct arena *a)
{
    struct slice eid = ipa_is(p, SIM_Q(NO_EID) | SIM_Q(V1_0)) ? ipa_none : TLV(a, T_EID, slice_of(p->card->eid, SIM_EID));
    struct slice extra = ipa_is(p, SIM_Q(UNKNOWN_FIELDS)) ? TLV(a, T_UNKNOWN_B, SLICE("?")) : ipa_none;
    struct slice m = TLV(a, T_PROVIDE_RESULT, eid, package_result(p, notifications, a), extra);
    if (ipa_is(p, SIM_Q(LONG_LENGTH)))
        m = tlv_long_form(a, m);
    if (ipa_is(p, SIM_Q(HANDLE_NOTIFICATION)))
        m = TLV(a, T_HANDLE_NOTIFICATION, m);
    if (ipa_is(p, SIM_Q(TRUNCATED)) && !tlv_is_bad(m))
        m.n -= m.n / 3;
    return m;
}

static void acknowledged(struct sim_ipa *p, struct slice acks, struct sim_counters *n, struct arena *a)
{
    struct tlv seq, code;
    struct slice value;
    int64_t v;
    while (tlv_take(&acks, T_0, &seq)) {
        n->acks++;
        if (ipa_is(p, SIM_Q(NEVER_REMOVE)))
            continue;
        if (ipa_ask(p, T_REMOVE_NOTIFICATION, seq.raw, &value, a) && tlv_take(&value, T_0, &code) && tlv_int(code.value, &v) && v == 0)
            n->removed++;
    }
}

/* What the eIM says to a result: BF50{BF53 | 30 00 | 02 code}, BF50 00 from older ones. SIM_IDLE: delivered. */
static enum sim_contact read_result_reply(struct sim_ipa *p, struct slice reply, struct sim_counters *n, struct arena *a)
{
    struct tlv outer, t;
    bool quiet = ipa_is(p, SIM_Q(HANDLE_NOTIFICATION));
    if (quiet && reply.n == 0)
        return SIM_IDLE;
    if (quiet || !tlv_only(reply, &outer) || outer.tag != T_PROVIDE_RESULT)
        return SIM_BROKEN;
    if (outer.value.n == 0)
        return SIM_IDLE;
    if (!tlv_only(outer.value, &t) || (t.tag != T_ACKS && t.tag != T_SEQUENCE && t.tag != T_INTEGER))
        return SIM_BROKEN;
    if (t.tag != T_ACKS && ipa_is(p, SIM_Q(V1_0)))
        return SIM_BROKEN;                               /* BF50 00, or acknowledgements */
    if (t.tag == T_ACKS) {
        if (!tlv_well_formed(t.value))
            return SIM_BROKEN;
        acknowledged(p, t.value, n, a);
    }
    n->result_errors += t.tag == T_INTEGER;
    return t.tag == T_INTEGER ? SIM_LATER : SIM_IDLE;
}

/* Deliver what is owed. SIM_IDLE: it is no longer owed. */
static enum sim_contact deliver(struct sim_ipa *p, const struct sim_transport *t, struct sim_counters *n, struct arena *a)
{
    unsigned notifications = 0;
    struct slice message = result_message(p, &notifications, a), reply;
    if (tlv_is_bad(message))
        return SIM_FAULT;
    enum sim_reply got = ipa_post(p, t, message, &reply, n, a);
    if (got == SIM_LOST)
        return SIM_RETRY;
    enum sim_contact said = got == SIM_REFUSED ? SIM_LATER : read_result_reply(p, reply, n, a);
    if (said == SIM_BROKEN)
        n->malformed++;
    if (said != SIM_IDLE) {
        if (++p->refusals >= SIM_REFUSALS) {
            n->results_given_up++;
            owe_nothing(p);
        }
        return said;
    }
    n->results++;
    n->notifications += notifications;
    if (ipa_is(p, SIM_Q(DUPLICATE)) && ipa_post(p, t, message, &reply, n, a) == SIM_REPLY)
        (void)read_result_reply(p, reply, n, a);
    owe_nothing(p);
    return SIM_IDLE;
}

/* ---- rollback ------------------------------------------------------------------------------------------------ */

static bool rollback_due(const struct sim_ipa *p)
{
    unsigned tries = p->config->rollback_tries ? p->config->rollback_tries : SIM_ROLLBACK_TRIES;
    return p->rollback && p->failures >= tries && !ipa_is(p, SIM_Q(NO_ROLLBACK));
}

/* BF58; the card's new result takes the place of the owed one. false: the simulator failed. */
static bool roll_back(struct sim_ipa *p, struct sim_counters *n, struct arena *a)
{
    struct slice value;
    struct tlv code, epr;
    int64_t v;
    p->rollback = false;
    if (!ipa_ask(p, T_ROLLBACK, tlv_put_bool(a, T_0, true), &value, a))
        return false;
    if (!tlv_take(&value, T_INTEGER, &code) || !tlv_int(code.value, &v) || v != 0 || !tlv_take(&value, T_EUICC_PACKAGE, &epr))
        return true;                                     /* not allowed: stays where it is and goes on trying */
    n->rollbacks++;
    p->failures = 0;
    p->rplmn_due = true;
    return owe(p, epr.raw, true, true);
}

/* ---- packages ------------------------------------------------------------------------------------------------ */

static void count_refusal(struct sim_counters *n, int64_t code)
{
    switch (code) {
    case 3: n->refused_eid++; break;
    case 4: n->refused_replay++; break;
    case 6: n->refused_counter++; break;
    case 15: n->refused_size++; break;
    case 104: n->refused_ecall++; break;
    default: n->refused_unsigned++;
    }
}

/* What became of a package: its result list if it was executed, else it is counted as refused. */
static bool executed(struct slice result, struct slice *list, struct sim_counters *n)
{
    struct tlv t, data, code = { 0 };
    int64_t v = -1;
    if (!tlv_only(result, &t))
        return false;
    struct slice s = t.value;
    if (tlv_take(&s, T_C2, &t)) {
        count_refusal(n, -1);
        return false;
    }
    if (tlv_take(&s, T_C0, &t) || tlv_take(&s, T_C1, &t))          /* neither with the bare-choice quirk */
        s = t.value;
    if (!tlv_take(&s, T_SEQUENCE, &data))
        return false;
    if (tlv_find(data.value, T_SEQUENCE, &t)) {
        n->executed++;
        *list = t.value;
        return true;
    }
    count_refusal(n, tlv_find(data.value, T_INTEGER, &code) && tlv_int(code.value, &v) ? v : -1);
    return false;
}

static bool asks_rollback(struct slice psmos)
{
    struct tlv op, t;
    while (tlv_next(&psmos, &op))
        if (op.tag == T_C3 && tlv_take(&op.value, T_ICCID, &t) && op.value.n)
            return true;
    return false;
}

static bool enabled_one(struct slice results)
{
    struct tlv t;
    return tlv_find(results, T_3, &t) && t.value.n == 1 && t.value.p[0] == 0;
}

static enum sim_contact on_package(struct sim_ipa *p, struct slice package, struct sim_counters *n, struct arena *a)
{
    struct tlv t, tbs, ops = { 0 }, txid = { 0 };
    struct slice results;
    n->packages++;
    if (tlv_only(package, &t) && tlv_take(&t.value, T_SEQUENCE, &tbs)) {
        (void)tlv_find(tbs.value, T_2, &txid);
        (void)tlv_find(tbs.value, T_C0, &ops);
    }
    int refuse = ipa_is(p, SIM_Q(INVALID_FORMAT)) ? IPA_INVALID_FORMAT : ipa_is(p, SIM_Q(UNKNOWN_PACKAGE)) ? IPA_UNKNOWN_PACKAGE : 0;
    if (refuse) {
        n->refused_ipa++;
        return owe(p, ipa_error(p, txid.tag ? txid.raw : ipa_none, refuse, a), false, false) ? SIM_IDLE : SIM_FAULT;
    }
    int before = sim_euicc_enabled(p->card);
    uint32_t checks = p->card->checks;
    struct slice result = sim_euicc_es10b(p->card, package, a);      /* raw, and its answer verbatim */
    n->checks += p->card->checks - checks;
    bool done = executed(result, &results, n);
    if (!owe(p, result, true, done && ops.tag))
        return SIM_FAULT;
    p->rollback = done && asks_rollback(ops.value) && enabled_one(results);
    if (sim_euicc_enabled(p->card) != before) {
        n->switches++;
        p->rplmn_due = true;
    }
    if (ipa_is(p, SIM_Q(SILENT)) || (done && ipa_is(p, SIM_Q(LATE_EPR))))          /* errors are not stored, so they cannot be late */
        owe_nothing(p);
    return ipa_is(p, SIM_Q(DELAYED)) ? SIM_LATER : SIM_IDLE;
}

/* ---- polling ------------------------------------------------------------------------------------------------- */

static struct slice poll_message(struct sim_ipa *p, struct arena *a)
{
    int slot = sim_euicc_enabled(p->card);
    bool change = p->cause != SIM_NO_CAUSE && !ipa_is(p, SIM_Q(V1_0));
    struct slice plmn = p->rplmn_due && slot != SIM_NO_PROFILE
                            ? TLV(a, ipa_is(p, SIM_Q(V1_0)) ? T_1 : T_2,
                                  slice_of(p->card->world->operators[p->card->profiles[slot].operator_].plmn, 3)) : ipa_none;
    return TLV(a, T_GET_EIM_PACKAGE, TLV(a, T_EID, slice_of(p->card->eid, SIM_EID)), change ? TLV_EMPTY(a, T_0) : ipa_none,
               change ? tlv_put_int(a, T_1, p->cause) : ipa_none, plmn,
               ipa_is(p, SIM_Q(UNKNOWN_FIELDS)) ? tlv_put_int(a, T_UNKNOWN_A, 1) : ipa_none);
}

/* An answer that the IPA makes itself becomes the owed result; none is given with some quirks. */
static enum sim_contact owe_own(struct sim_ipa *p, struct slice answer)
{
    if (answer.n == 0)
        return SIM_LATER;
    return owe(p, answer, false, false) ? SIM_IDLE : SIM_FAULT;
}

static bool card_busy(const struct sim_ipa *p)
{
    return p->card->ecall || ipa_is(p, SIM_Q(ECALL));
}

static enum sim_contact triggered(struct sim_ipa *p, const struct sim_transport *t, struct slice trigger, struct sim_counters *n, struct arena *a)
{
    struct tlv data, txid;
    bool quirky = card_busy(p) || ipa_is(p, SIM_Q(TRIGGER_SILENT));
    if (p->download == SIM_DOWNLOAD_NOT || quirky || !ipa_trigger_read(p, trigger, &data, &txid, a))
        return owe_own(p, ipa_trigger(p, trigger, a));
    struct slice answer = ipa_download(p, t, trigger, n, a);
    if (answer.n == 0)
        return SIM_IDLE;               /* and polls on */
    return owe(p, answer, false, false) ? SIM_IDLE : SIM_FAULT;
}

/* Handle what a poll brought. SIM_IDLE with *done: nothing is pending. */
static enum sim_contact on_reply(struct sim_ipa *p, const struct sim_transport *way, struct slice reply, bool *done, struct sim_counters *n, struct arena *a)
{
    struct tlv outer, t;
    int64_t code;
    if (!tlv_only(reply, &outer) || outer.tag != T_GET_EIM_PACKAGE || !tlv_only(outer.value, &t))
        return SIM_BROKEN;
    p->cause = SIM_NO_CAUSE;
    p->rplmn_due = false;
    switch (t.tag) {
    case T_INTEGER:
        if (!tlv_int(t.value, &code))
            return SIM_BROKEN;
        *done = true;
        n->nothing_pending += code == 1;
        n->unknown_to_eim += code >= 2 && code <= 4;
        return code == 1 ? SIM_IDLE : code >= 2 && code <= 4 ? SIM_UNKNOWN : SIM_LATER;
    case T_EUICC_PACKAGE:
        return on_package(p, t.raw, n, a);
    case T_IPA_DATA:
        n->data_requests++;
        return owe_own(p, ipa_data(p, t.raw, a));
    case T_TRIGGER:
        n->triggers++;
        return triggered(p, way, t.raw, n, a);
    default:
        n->refused_ipa++;
        return owe_own(p, ipa_error(p, ipa_none, IPA_UNKNOWN_PACKAGE, a));
    }
}

static enum sim_contact poll(struct sim_ipa *p, const struct sim_transport *t, bool *done, struct sim_counters *n, struct arena *a)
{
    struct slice message = poll_message(p, a), reply;
    if (tlv_is_bad(message))
        return SIM_FAULT;
    n->polls++;
    switch (ipa_post(p, t, message, &reply, n, a)) {
    case SIM_LOST: return SIM_RETRY;
    case SIM_REFUSED: return SIM_LATER;
    case SIM_REPLY: break;
    }
    enum sim_contact said = on_reply(p, t, reply, done, n, a);
    n->malformed += said == SIM_BROKEN;
    return said;
}

/* After a restart, and always with never-remove: the results that the card still holds, one after the other. */
static enum sim_contact deliver_stored(struct sim_ipa *p, const struct sim_transport *t, struct sim_counters *n, struct arena *a)
{
    struct slice value;
    struct tlv arm, epr;
    struct buf all;
    if (!ipa_ask(p, T_RETRIEVE_NOTIFICATIONS, TLV(a, T_C0, TLV_EMPTY(a, T_2)), &value, a))
        return SIM_FAULT;
    buf_init(&all, SIM_STORED_MAX);
    if (tlv_only(value, &arm) && arm.tag == T_C2)
        buf_put(&all, arm.value);
    struct slice rest = buf_slice(&all);
    enum sim_contact said = SIM_IDLE;
    while (said == SIM_IDLE && tlv_next(&rest, &epr)) {
        arena_reset(a);
        said = owe(p, epr.raw, true, true) ? deliver(p, t, n, a) : SIM_FAULT;
    }
    buf_free(&all);
    p->restarted = said != SIM_IDLE;
    return said;
}

enum sim_contact sim_ipa_contact(struct sim_ipa *p, const struct sim_transport *t, struct sim_counters *n, struct arena *a)
{
    enum sim_contact said = SIM_IDLE;
    bool done = false;
    n->contacts++;
    arena_reset(a);
    if (p->restarted || (ipa_is(p, SIM_Q(NEVER_REMOVE)) && p->owed.n == 0))
        said = deliver_stored(p, t, n, a);
    for (unsigned step = 0; said == SIM_IDLE && !done; step++) {
        if (step == SIM_IPA_STEPS)
            return SIM_CEILING;
        arena_reset(a);
        said = p->owed.n ? deliver(p, t, n, a) : poll(p, t, &done, n, a);
        if (said == SIM_RETRY && rollback_due(p))
            said = roll_back(p, n, a) ? SIM_IDLE : SIM_FAULT;
    }
    return said;
}

/* ---- injection ----------------------------------------------------------------------------------------------- */

/* What is owed as the answer of a push: an error has an arm of its own there, an answer to a trigger has none. */
static struct slice pushed_result(struct sim_ipa *p, struct sim_counters *n, struct arena *a)
{
    unsigned notifications = 0;
    struct tlv t, code;
    struct slice result = package_result(p, &notifications, a);
    if (p->owed.n == 0 || p->config->inject_later || !tlv_only(result, &t) || t.tag == T_TRIGGER)
        return TLV(a, T_TRANSFER_EIM_PACKAGE, TLV_EMPTY(a, T_NULL));
    if (t.tag == T_C0)
        result = tlv_find(t.value, T_INTEGER, &code) ? code.raw : ipa_none;
    n->results++;
    n->notifications += notifications;
    return TLV(a, T_TRANSFER_EIM_PACKAGE, result);
}

static struct slice injected(struct sim_ipa *p, const struct tlv *t, struct sim_counters *n, struct arena *a)
{
    enum sim_contact said = SIM_IDLE;
    switch (t->tag) {
    case T_ACKS:
        acknowledged(p, t->value, n, a);
        return TLV(a, T_TRANSFER_EIM_PACKAGE, TLV_EMPTY(a, T_NULL));
    case T_EUICC_PACKAGE:
        said = on_package(p, t->raw, n, a);
        break;
    case T_IPA_DATA:
        n->data_requests++;
        said = owe_own(p, ipa_data(p, t->raw, a));
        break;
    case T_TRIGGER:
        n->triggers++;
        said = owe_own(p, ipa_trigger(p, t->raw, a));
        break;
    default:
        return TLV(a, T_TRANSFER_EIM_PACKAGE, tlv_put_int(a, T_INTEGER, IPA_UNKNOWN_PACKAGE));
    }
    if (said == SIM_FAULT)
        return tlv_bad;
    struct slice answer = pushed_result(p, n, a);
    bool kept = p->config->inject_later || t->tag == T_TRIGGER;
    if (!kept)
        owe_nothing(p);
    return answer;
}

struct slice sim_ipa_inject(struct sim_ipa *p, struct slice request, struct sim_counters *n, struct arena *a)
{
    struct tlv outer, t;
    if (!tlv_only(request, &outer) || outer.tag != T_TRANSFER_EIM_PACKAGE || !tlv_only(outer.value, &t))
        return ipa_none;
    n->pushes++;
    if (p->asked.n && slice_eq(buf_slice(&p->asked), request))
        return TLV(a, 0, buf_slice(&p->answered));
    struct slice answer = injected(p, &t, n, a);
    buf_reset(&p->asked);
    buf_reset(&p->answered);
    if (!tlv_is_bad(answer)) {
        buf_put(&p->asked, request);
        buf_put(&p->answered, answer);
    }
    return answer;
}

/* ---- changes that do not come from an eIM -------------------------------------------------------------------- */

static int local(struct sim_ipa *p, uint32_t function, struct slice body, enum sim_cause cause, struct arena *a)
{
    struct slice value;
    struct tlv t;
    int64_t code;
    int before = sim_euicc_enabled(p->card);
    arena_reset(a);
    if (!ipa_ask(p, function, body, &value, a) || !tlv_take(&value, T_0, &t) || !tlv_int(t.value, &code))
        return -1;
    if (code == 0) {
        p->cause = (int8_t)cause;
        p->rplmn_due |= sim_euicc_enabled(p->card) != before;
    }
    return (int)code;
}

int sim_ipa_local(struct sim_ipa *p, enum sim_local what, struct arena *a)
{
    static const struct { uint32_t function; enum sim_cause cause; } table[] = {
        [SIM_DO_FALLBACK] = { T_FALLBACK, SIM_FALLBACK },
        [SIM_DO_FALLBACK_RETURN] = { T_FALLBACK_RETURN, SIM_FALLBACK },
        [SIM_DO_EMERGENCY_ON] = { T_EMERGENCY_ON, SIM_EMERGENCY_PROFILE },
        [SIM_DO_EMERGENCY_OFF] = { T_EMERGENCY_OFF, SIM_EMERGENCY_PROFILE },
        [SIM_DO_IMMEDIATE_ENABLE] = { T_IMMEDIATE_ENABLE, SIM_IMMEDIATE },
    };
    static const uint8_t refresh[] = { T_0, 1, 0xFF };   /* refreshFlag TRUE; not in the arena, which `local` resets */
    return local(p, table[what].function, slice_of(refresh, sizeof refresh), table[what].cause, a);
}

int sim_ipa_reset(struct sim_ipa *p, unsigned options, struct arena *a)
{
    uint8_t body[4] = { T_2, 2, 0, 0 };
    for (unsigned i = 0; i < 8; i++)
        body[3] |= (uint8_t)((options >> i & 1) << (7 - i));
    return local(p, T_MEMORY_RESET, slice_of(body, sizeof body), SIM_RESET, a);
}
