/* sim_script.h -- a scripted eIM and one IPA with a card, for the tests of the simulated IPA. Static on purpose. */
#ifndef TEST_SIM_SCRIPT_H
#define TEST_SIM_SCRIPT_H

#include <stdio.h>

#include "test/unit/sim_double.h"

enum { QUEUE = 8, LOG = 256 };

/* The scripted eIM: hands out its queue one by one, each until its result was accepted; acknowledges what it is told to. */
enum acking { ACK_ALL, ACK_RESULT_ONLY, ACK_NOTHING, ACK_OLD_EMPTY, ACK_ERROR, ACK_REFUSED, ACK_GARBAGE };
struct eim {
    struct arena a;
    struct slice queue[QUEUE];
    unsigned queued, at;
    enum acking acking;
    int lose_request, lose_reply;      /* number of the message (from 0) that is lost; -1: none */
    bool endless;                      /* hands out the first for ever */
    int poll_error;                    /* instead of noEimPackageAvailable */
    struct slice log[LOG];
    int posts;
    struct slice accepted;             /* the last result it took, as sent */
    unsigned repeated;
};

static struct rig rig;
static struct eim eim;
static struct sim_ipa_config config;
static struct sim_ipa ipa;
static struct sim_counters n;
static struct arena scratch;

static inline int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, CURVE_P256);
    eim = (struct eim){ .lose_request = -1, .lose_reply = -1 };
    arena_init(&eim.a, 32 << 20);
    config = (struct sim_ipa_config){ 0 };
    sim_ipa_init(&ipa, &rig.card, &config, 1);
    n = (struct sim_counters){ 0 };
    arena_init(&scratch, SIM_IPA_ARENA);
    return 0;
}

static inline int close_rig(void **state)
{
    (void)state;
    sim_ipa_free(&ipa);
    arena_free(&scratch);
    arena_free(&eim.a);
    rig_close(&rig);
    return 0;
}

/* ---- the scripted eIM ---------------------------------------------------------------------------------------- */

static inline void note_epr(struct slice epr, struct tlv_list *acks)
{
    struct tlv t, data, seq;
    if (!tlv_only(epr, &t))
        return;
    struct slice s = t.value;
    (void)(tlv_take(&s, T_EUICC_PACKAGE, &t) && (s = t.value, true));
    if (tlv_take(&s, T_C0, &t))
        s = t.value;
    if (tlv_take(&s, T_SEQUENCE, &data) && tlv_find(data.value, T_3, &seq))
        tlv_add(acks, TLV(&eim.a, T_0, seq.value));
}

static inline void note_notifications(struct slice list, struct tlv_list *acks)
{
    struct tlv t, metadata, seq;
    while (tlv_next(&list, &t))
        if (tlv_take(&t.value, T_NOTIFICATION_METADATA, &metadata) && tlv_take(&metadata.value, T_0, &seq))
            tlv_add(acks, seq.raw);
}

static inline struct slice on_result(struct slice body)
{
    struct tlv_list acks = { 0 };
    struct tlv t, inner, arm;
    struct slice result;
    (void)tlv_take(&body, T_EID, &t);
    assert_true(tlv_next(&body, &t));
    result = t.raw;
    if (t.tag == T_SEQUENCE) {
        assert_true(tlv_take(&t.value, T_EUICC_PACKAGE, &inner));
        result = inner.raw;
        assert_true(tlv_take(&t.value, T_C0, &arm));
        if (eim.acking == ACK_ALL)
            note_notifications(arm.value, &acks);
    }
    if (t.tag == T_IPA_DATA && tlv_only(t.value, &arm) && tlv_find(arm.value, T_C2, &inner))
        for (struct slice rest = inner.value; tlv_next(&rest, &inner);)
            note_epr(inner.raw, &acks);
    note_epr(result, &acks);
    bool again = slice_eq(result, eim.accepted);
    eim.repeated += again;
    switch (eim.acking) {
    case ACK_ERROR: return hx(&rig, "BF500302017F");
    case ACK_GARBAGE: return hx(&rig, "BF5005");
    default: break;
    }
    eim.accepted = arena_copy(&eim.a, result);
    if (!again && !eim.endless && eim.at < eim.queued)
        eim.at++;
    if (eim.acking == ACK_OLD_EMPTY)
        return hx(&rig, "BF5000");
    return acks.n && eim.acking != ACK_NOTHING ? TLV(&eim.a, T_PROVIDE_RESULT, tlv_list_end(&eim.a, T_ACKS, &acks)) : hx(&rig, "BF50023000");
}

static inline enum sim_reply post(void *arg, struct slice request, struct slice *reply, struct arena *a)
{
    struct tlv t;
    (void)arg;
    (void)a;
    int number = eim.posts++;
    assert_true(number < LOG);
    eim.log[number] = arena_copy(&eim.a, request);
    if (number == eim.lose_request)
        return SIM_LOST;
    if (!tlv_only(eim.log[number], &t)) {                /* a truncated one, or BER */
        *reply = hx(&rig, "BF50023000");
        return SIM_REFUSED;
    }
    if (t.tag == T_GET_EIM_PACKAGE) {
        struct slice error = TLV(&eim.a, T_GET_EIM_PACKAGE, tlv_put_int(&eim.a, T_INTEGER, eim.poll_error ? eim.poll_error : 1));
        *reply = eim.at < eim.queued ? TLV(&eim.a, T_GET_EIM_PACKAGE, eim.queue[eim.at]) : error;
    } else if (t.tag == T_PROVIDE_RESULT) {
        if (eim.acking == ACK_REFUSED)
            return SIM_REFUSED;
        *reply = on_result(t.value);
    } else {
        assert_int_equal(t.tag, T_HANDLE_NOTIFICATION);
        assert_true(tlv_only(t.value, &t));
        (void)on_result(t.value);                        /* no body: nothing can be acknowledged on this way */
    }
    return number == eim.lose_reply ? SIM_LOST : SIM_REPLY;
}

static inline enum sim_contact contact(void)
{
    const struct sim_transport t = { post, NULL };
    return sim_ipa_contact(&ipa, &t, &n, &scratch);
}

static inline void queue(struct slice message)
{
    assert_true(eim.queued < QUEUE);
    eim.queue[eim.queued++] = message;
}

static inline void queue_psmos(const char *ops)
{
    queue(package_for(&rig, rig.card.eid, ++rig.counter, psmos(&rig, ops)));
}

/* The structure of a message as tags: "BF50{5A,BF51{A0{...}}}". */
static inline void shape_into(struct slice body, char *out, size_t room)
{
    struct tlv t;
    size_t len = strlen(out);
    while (tlv_next(&body, &t)) {
        len += (size_t)snprintf(out + len, room - len, "%X", (unsigned)t.tag);
        if (t.raw.p[0] & 0x20) {
            len += (size_t)snprintf(out + len, room - len, "{");
            shape_into(t.value, out, room);
            len = strlen(out);
            len += (size_t)snprintf(out + len, room - len, "}");
        }
        if (body.n)
            len += (size_t)snprintf(out + len, room - len, ",");
    }
    if (body.n)
        snprintf(out + len, room - len, "malformed");
}

static inline const char *shape(struct slice message)
{
    char *s = arena_alloc(&rig.a, 8192);
    shape_into(message, s, 8192);
    return s;
}

static inline struct slice last(void)
{
    return eim.log[eim.posts - 1];
}

static inline struct slice eid_tlv(void)
{
    return TLV(&rig.a, T_EID, slice_of(rig.card.eid, SIM_EID));
}

#define A "5A0A" ICCID_A
#define B "5A0A" ICCID_B
#define EPR_SHAPE "BF51{A0{30{80,81,82,83,30{83}},5F37}}"
#define NOTE_SHAPE "30{BF2F{80,81,C,5A},5F37,30{"

/* The answer to a request (hex), as BF50's content behind the EID. */
static inline struct slice answer_to(const char *request)
{
    struct tlv t, eid;
    eim.queued = eim.at = 0;
    eim.accepted = (struct slice){ 0 };                                            /* the same answer twice is none repeated */
    queue(hx(&rig, request));
    int from = eim.posts;
    assert_int_equal(contact(), SIM_IDLE);
    assert_int_equal(eim.posts, from + 3);
    assert_true(tlv_only(eim.log[from + 1], &t));
    assert_true(tlv_take(&t.value, T_EID, &eid));
    return t.value;
}

#endif
