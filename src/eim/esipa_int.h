/* esipa_int.h -- how the handlers of ESipa messages share one exchange. For the files of this room only. */
#ifndef EIM_ESIPA_INT_H
#define EIM_ESIPA_INT_H

#include "eim/ops.h"
#include "eim/plan.h"

/* One exchange under way: made by esipa_handle, lives in the exchange's arena, begun anew when a transaction turns out stale. */
struct esipa_work {
    struct store_job job;              /* first member */
    struct eim *m;
    struct exchange *x;
    struct esipa_from_ipa msg;         /* decoded once */
    struct plan *plan;
    struct relay *relay;               /* relay.c: what was asked of an SM-DP+; outlives retries */
    bool slow;                         /* it is on the slow threads, or was */
    /* what the answer is made of once the plan is durable */
    struct slice reply;                /* the whole answer, when it does not depend on the commit */
    bool answer_acks;                  /* else: a ProvideEimPackageResultResponse from the acknowledgements */
    bool no_body;                      /* HandleNotification has no answer */
    int64_t acks[PLAN_OPS];            /* sequence numbers of verified results */
    size_t nacks;
};

/* work_commit -- write the plan (nothing, if it is empty) and then answer. The last thing a handler does. */
void work_commit(struct esipa_work *w);
/* work_answer -- answer now, without writing anything. */
void work_answer(struct esipa_work *w, struct slice reply);
/* work_fail -- end the exchange with an error of the door. x->err must be filled or is filled from rc. */
void work_fail(struct esipa_work *w, enum eim_err rc);
/* work_retry -- begin the exchange again after E_STALE; after three times it fails with E_BUSY. */
void work_retry(struct esipa_work *w);

/* poll.c */
void poll_handle(struct esipa_work *w, const struct get_eim_package_request *r);
/* result.c: ProvideEimPackageResult, alone or inside HandleNotification */
void provide_handle(struct esipa_work *w, const struct provide_eim_package_result *r);
/* notify.c */
void notification_handle(struct esipa_work *w, const struct pending_notification *n);

/* package.c -- build, sign and store in `o` the package of an operation: counter, token, txid, bytes. Changes plan->d.counter. */
MUST enum eim_err package_sign(struct plan *p, struct operation *o, struct err *e);

/* rules.c -- invariant I6: profiles as they will be, one package after the other. */
struct rules_state {
    const struct profile_list *known;
    struct slice enabled;
    bool gone[PLAN_PROFILES];
};
void rules_begin(struct rules_state *s, const struct device *d, const struct profile_list *known);
/* rules_run -- the state after this package, if all of it succeeds. */
void rules_run(struct rules_state *s, const struct euicc_package *p);
/* rules_strand -- run it, and judge the state after it. OK or E_RULE. */
MUST enum eim_err rules_strand(struct rules_state *s, const struct identity *id, const struct euicc_package *p,
                               int64_t overrides, struct err *e);
/* rules_needs_inventory -- can the package strand a device, so that I6 must be judged on a fresh inventory? */
bool rules_needs_inventory(const struct euicc_package *p);

/* result.c -- verify one EuiccPackageResult (raw: the exact BF51) and put what follows from it into the plan.
 * *seq becomes the sequence number to acknowledge, -1 if none. Only store and memory failures are errors; a refused result is
 * a hint in the plan, and *why says so for the log. */
MUST enum eim_err result_accept(struct plan *p, struct tx *t, const struct euicc_package_result *r, int64_t *seq,
                                struct err *why, struct err *e);

/* settle.c -- an attested inventory (or list of eIMs) with a higher counter tells what became of operations of unknown outcome. */
MUST enum eim_err settle_by_profiles(struct plan *p, struct tx *t, const struct operation *inventory, struct err *e);

/* notify.c -- verify and keep notifications that came with a result. Only store and memory failures are errors. */
MUST enum eim_err notify_accept(struct plan *p, struct tx *t, const struct pending_notification_list *list, struct err *e);

/* eims.c: eims_proved -- what the verified results of eCOs prove of who controls the card. */
MUST enum eim_err eims_proved(struct plan *p, struct tx *t, const struct operation *o, const struct euicc_package *package,
                              const struct euicc_package_result_data_signed *results, struct err *e);
MUST enum eim_err settle_by_eims(struct plan *p, struct tx *t, const struct operation *list,
                                 const struct euicc_package_result_data_signed *r, struct err *e);
/* rotate.c: rotate_proved -- a verified updateEim may have given the card another key of ours, or its IPA another trust. rotate_judge -- E_RULE: the
 * package would give the card a key of ours that packages are not signed with. */
MUST enum eim_err rotate_proved(struct plan *p, const struct eim_configuration_data *c, struct err *e);
MUST enum eim_err rotate_judge(struct eim *m, const struct identity *id, const struct euicc_package *package, struct arena *a, struct err *e);
/* poll.c -- a sent operation's result is given up: state unknown, and what finds it out is wanted. */
MUST enum eim_err outcome_unknown(struct plan *p, struct plan_op *o, const char *why, struct err *e);

/* enrol.c -- may one more unknown device be enrolled this hour? If so the place is used up. */
bool enrol_slot(struct eim *m);
/* enrol.c -- enrol x->eid as unverified and begin the exchange again. */
void enrol_unknown(struct esipa_work *w, const struct identity *id);

/* data.c -- IpaEuiccDataResponse. */
MUST enum eim_err data_accept(struct esipa_work *w, struct tx *t, const struct ipa_euicc_data_response *r,
                              struct err *why, struct err *e);
/* data_request -- the IpaEuiccDataRequest that is due, encoded as the answer to a poll; notes it in the plan. */
struct slice data_request(struct plan *p);

/* download.c -- profile download triggers. `order` is the member "download" of an order; *digest is that of its confirmation code, empty when
 * it has none, which only a download through the eIM (`indirect`) can make use of. */
MUST enum eim_err download_from_json(const json_t *order, bool indirect, struct slice *request, struct slice *digest, struct arena *a, struct err *e);
/* download_confirmation -- only what SGP.22 hashes is kept of a confirmation code. E_INVALID, E_RULE naming `field`. */
MUST enum eim_err download_confirmation(struct slice code, bool indirect, const char *field, struct slice *digest, struct arena *a, struct err *e);
/* download_json -- the steps of such an operation, for people; NULL when its bytes can't be read. */
json_t *download_json(const struct operation *o, struct arena *a);
/* download_make -- its bytes as they will leave, with a fresh transaction id. download_answer -- the answer to a poll that carries them. */
MUST enum eim_err download_make(struct plan *p, struct operation *o, struct err *e);
struct slice download_answer(struct slice trigger, struct arena *a);
/* download_due -- unanswered for so long that it is given once more. download_given_up -- for the last time, in vain. */
bool download_due(const struct plan *p, const struct operation *o);
bool download_given_up(const struct plan *p, const struct operation *o);
MUST enum eim_err download_give_up(struct plan *p, struct plan_op *o, struct err *e);
/* download_accept -- a ProfileDownloadTriggerResult. download_refused -- the IPA did not understand a trigger: nothing, if it meant something else. */
MUST enum eim_err download_accept(struct plan *p, struct tx *t, const struct profile_download_trigger_result *r, struct err *why, struct err *e);
MUST enum eim_err download_refused(struct plan *p, struct tx *t, const struct eim_package_result_response_error *x, struct err *why, struct err *e);

/* download_failed -- an order that is out has failed: its code, and why. download_installed -- by the result that its eUICC signed. */
MUST enum eim_err download_failed(struct plan *p, struct plan_op *o, int64_t code, const char *reason, struct err *e);
MUST enum eim_err download_installed(struct plan *p, struct tx *t, struct plan_op *o, const struct profile_installation_result *r,
                                     struct err *why, struct err *e);

/* device_key -- the public key of a device row, NULL when it has none (E_CRYPTO when the stored one is damaged). Free it. */
struct public_key;
MUST enum eim_err device_key(const struct device *d, struct public_key **out, struct err *e);

/* porder_name -- "po_" and the id, as people and the audit log have it; empty: no room. */
struct slice porder_name(const struct profile_order *o, struct arena *a);

/* preflight.c -- what a profile needs of a device and must be, as its order says; zeros and RULES_ANY: nothing is said. What it must be is seen when
 * it comes through the eIM (`indirect`), and only then. preflight_check -- E_RULE names what is lacking and the
 * override; operator_name may be empty. */
struct preflight { int64_t memory; uint8_t profile_version[3], euicc_version[3]; struct iccid iccid; bool has_iccid; int64_t rules; };
MUST enum eim_err preflight_from_json(const json_t *v, bool indirect, struct preflight *out, struct err *e);
MUST enum eim_err preflight_check(struct tx *t, int64_t association, struct slice operator_name, const struct preflight *w, int64_t overrides,
                                  struct arena *a, struct err *e);

#endif
