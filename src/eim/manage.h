/* manage.h -- what people and systems ask of the eIM: enrol, look, order, cancel. Called by the API door.
 *
 * All functions block on the store: call them on worker threads only. Every change names the principal who asked and
 * commits together with its audit entry (I4). Rows returned live in the arena. */
#ifndef EIM_MANAGE_H
#define EIM_MANAGE_H

#include "base/json.h"
#include "eim/eim.h"
#include "model/operation.h"
#include "store/store.h"
#include "trust/identity.h"

/* How a device that can be reached is reached, as people give it. */
struct reach {
    struct slice address;              /* HOST[:PORT]; empty: it is not reached */
    enum injection_binding binding;
    struct slice trust;                /* PEM; empty: the CI roots */
};
/* manage_reach_from_json -- {"address":"https://HOST[:PORT]","binding":"asn1"|"json","trust":"PEM"}; null: not reached. Unknown members are refused. */
MUST enum eim_err manage_reach_from_json(const json_t *v, struct reach *out, struct arena *a, struct err *e);

/* One line of an import. Empty slices: not given. */
struct enrolment {
    struct slice eid;                  /* 32 digits as text */
    struct slice public_key;           /* SubjectPublicKeyInfo DER that a person vouches for: pinned */
    struct slice eum_cert, euicc_cert; /* DER: the chain is checked against the trusted roots */
    bool has_token; int64_t token;
    bool has_counter; int64_t counter; /* last counterValue the eUICC has seen from this eIM identity; default 0 */
    struct reach reach;                /* address empty: it is not reached */
    struct slice imei;                 /* 14 to 16 digits: becomes the label "imei" */
    const struct label *labels; size_t nlabels;        /* at most 32; names [a-z0-9_.-]{1,64}, values up to 256 octets of UTF-8 */
    /* filled in: */
    enum eim_err rc;                   /* OK: enrolled; E_CONFLICT: is there already; else refused */
    struct err err;
};
enum { ENROL_BATCH_MAX = 1000 };
/* manage_enrol -- each line on its own: good ones are in when it returns OK, each bad one says why. Fails as a whole
 * only when the store does. */
MUST enum eim_err manage_enrol(struct eim *m, const struct principal *p, struct enrolment *v, size_t n, struct arena *a,
                               struct err *e);
/* manage_enrolment_from_json -- {"eid","labels":{},"public_key","eum_certificate","euicc_certificate" (base64 DER or PEM),"association_token","counter"};
 * unknown members are refused by name. */
MUST enum eim_err manage_enrolment_from_json(const json_t *o, struct enrolment *out, struct arena *a, struct err *e);

struct device_view {
    struct device device;
    struct label_list labels;
    struct profile_list profiles;
    struct card_eim_list eims;
    struct device_data data;
    struct device_rat rat;
    int64_t seen_us;                   /* last contact, 0 = never */
    struct hint_list hints;
    struct notification_list notifications;
    struct quarantine quarantine;      /* association 0: it is in none */
    int64_t quirks;                    /* what it is taken for: its own, and of rules that name no IPA */
    struct injection injection;        /* association 0: it cannot be reached */
};
MUST enum eim_err manage_device(struct eim *m, const struct principal *p, struct slice eid, struct device_view *out,
                                struct arena *a, struct err *e);
/* manage_devices -- a page; `cursor` is the association of the last one seen (0 = from the start). Labels and seen_us are filled, and what
 * `with` asks for (enum manage_with bits); the rest of the views is not. manage_devices_of -- the same of these associations, in their order; one
 * that is gone meanwhile is left out. */
struct device_page { struct device_view *v; size_t n; int64_t next; };       /* next 0 = the end */
enum manage_with { WITH_PROFILES = 1, WITH_DATA = 2 };
MUST enum eim_err manage_devices(struct eim *m, const struct principal *p, int64_t cursor, unsigned limit, unsigned with,
                                 struct device_page *out, struct arena *a, struct err *e);
MUST enum eim_err manage_devices_of(struct eim *m, const struct principal *p, const int64_t *associations, size_t n,
                                    struct device_page *out, struct arena *a, struct err *e);
/* manage_device_change -- {"injection": as in manage_reach_from_json, "quirks": [names]}: what a person may change of a device. */
MUST enum eim_err manage_device_change(struct eim *m, const struct principal *p, struct slice eid, const json_t *change, struct arena *a,
                                       struct err *e);
/* manage_device_push -- push what waits for the device now, with all tries before it. E_STATE: it cannot be reached. */
MUST enum eim_err manage_device_push(struct eim *m, const struct principal *p, struct slice eid, struct arena *a, struct err *e);
/* manage_quarantine -- put a device into quarantine or let it out: in it nothing is signed for it but inventories, whoever ordered what;
 * what waits goes on waiting. A fresh attested inventory is asked for either way. `reason`: 1 to 200 octets of UTF-8. *changed false: it was
 * so already, and nothing was written. E_NOT_FOUND: no such device. */
MUST enum eim_err manage_quarantine(struct eim *m, const struct principal *p, const struct eid *eid, bool in, struct slice reason,
                                    bool *changed, struct arena *a, struct err *e);

/* manage_interop -- what makers' IPAs and cards do otherwise (eim/interop.h), of all tenants: makers are nobody's secret, but the example's EID is left
 * out when its device is not the tenant's. NULL: no room. */
struct interop_row;
struct interop_row *manage_interop(struct eim *m, const struct principal *p, size_t *n, int64_t *dropped, struct arena *a);

/* manage_export -- a page of the whole inventory, for another eIM or another place of this one, with its audit entry: all that manage_enrol could
 * take in, and what proves the profiles. `spki`: the device's key, empty when it has none. `cursor` as in manage_devices. */
struct export_item { struct device_view view; struct operation inventory; struct slice spki; };
struct export_page { struct export_item *v; size_t n; int64_t next; const struct identity *identity; };
MUST enum eim_err manage_export(struct eim *m, const struct principal *p, int64_t cursor, unsigned limit, struct export_page *out, struct arena *a,
                                struct err *e);

/* ---- known deviations (eim/quirks.h) ---- */
/* manage_quirks_from_json -- a list of names to enum quirk bits; E_INVALID names the one that there is not. manage_quirks_json -- the inverse. */
MUST enum eim_err manage_quirks_from_json(const json_t *list, int64_t *out, struct err *e);
json_t *manage_quirks_json(int64_t quirks);
/* manage_quirk_rule_from_json -- {"maker","firmware","ipa","quirks":[],"note"}; E_INVALID names the member. Borrows from v. */
MUST enum eim_err manage_quirk_rule_from_json(const json_t *v, struct quirk_rule *out, struct err *e);
MUST enum eim_err manage_quirk_rules(struct eim *m, const struct principal *p, struct quirk_rule_list *out, struct arena *a, struct err *e);
/* manage_quirk_rule_add, _delete -- with their audit entries; other nodes see it within ten seconds. E_LIMIT; E_NOT_FOUND. */
MUST enum eim_err manage_quirk_rule_add(struct eim *m, const struct principal *p, struct quirk_rule *r, struct arena *a, struct err *e);
MUST enum eim_err manage_quirk_rule_delete(struct eim *m, const struct principal *p, int64_t id, struct arena *a, struct err *e);

/* ---- another signing key, another certificate to trust (doc/rotation.md) ---- */
#define ROTATION_STEPS(X)                                                                                       \
    X(ROTATION_WAITING,  "waiting")    /* something waits, is under way, or of unknown outcome: nothing is done */ \
    X(ROTATION_ROTATING, "rotating")   /* updateEim */                                                          \
    X(ROTATION_DONE,     "done")       /* the card attested it */
enum rotation_step {
#define X(id, name) id,
    ROTATION_STEPS(X)
#undef X
    ROTATION_END
};
const char *rotation_step_name(enum rotation_step s);
/* manage_rotate -- order what is next for this device, which *step says; dry_run: only say it. The key is that of eim.signing_key; tls_anchor, when it
 * is not empty, is rotated instead: the certificate that IPAs are to trust. manage_rotated -- a person says which key the card has: E_NOT_FOUND, no
 * such device or key. */
MUST enum eim_err manage_rotate(struct eim *m, const struct principal *p, const struct eid *eid, struct slice tls_anchor, bool dry_run,
                                enum rotation_step *step, struct arena *a, struct err *e);
MUST enum eim_err manage_rotated(struct eim *m, const struct principal *p, struct slice eid, struct slice key, struct slice reason, struct arena *a,
                                 struct err *e);

/* ---- giving a device to another eIM (doc/handover.md) ---- */
#define HANDOVER_STEPS(X)                                                                                       \
    X(HANDOVER_WAITING,  "waiting")    /* something waits, is under way, or of unknown outcome: nothing is done */ \
    X(HANDOVER_LISTING,  "listing")    /* listEim */                                                            \
    X(HANDOVER_ADDING,   "adding")     /* addEim and listEim */                                                 \
    X(HANDOVER_UNPROVEN, "unproven")   /* listed; that the other one controls the card is not shown: nothing is done */ \
    X(HANDOVER_LEAVING,  "leaving")    /* deleteEim of ourselves */                                             \
    X(HANDOVER_GONE,     "gone")       /* nothing left to do */
enum handover_step {
#define X(id, name) id,
    HANDOVER_STEPS(X)
#undef X
    HANDOVER_END
};
const char *handover_step_name(enum handover_step s);
/* manage_handover -- order the step that is next for this device, which *step says; dry_run: only say it. `to` has the members of addEim;
 * errors as manage_operation_create. */
MUST enum eim_err manage_handover(struct eim *m, const struct principal *p, const struct eid *eid, const json_t *to, bool dry_run,
                                  enum handover_step *step, struct arena *a, struct err *e);
/* manage_control -- that another eIM on the attested list controls the card: proven by a result (BF51, exact bytes) that the eUICC signed for it,
 * or taken for true for a reason of 1 to 200 octets. token DEVICE_TOKEN_NONE: the one our addEim drew, else 0. E_STATE: not on the list, or the device has
 * no key; E_INVALID, E_MISMATCH, E_SIGNATURE: no proof. */
struct control_claim { struct slice eim_id, result, reason; int64_t token; };
MUST enum eim_err manage_control(struct eim *m, const struct principal *p, struct slice eid, const struct control_claim *claim, struct arena *a,
                                 struct err *e);

/* manage_euicc_facts -- what the IPA reported of the eUICC, as text, for people and selections; false when nothing usable was. */
struct euicc_facts { char eum[512], firmware[16], profile_version[16]; int64_t ipa_mode; /* -1: not told */ };
bool manage_euicc_facts(const struct device_data *d, struct euicc_facts *out, struct arena *a);

/* manage_evidence -- a page of what proves the devices' profiles: the last attested inventory, exact bytes, and the certificates over
 * the key that signed it. inventory.id 0: there is none. `cursor` as above. */
struct evidence_item { struct device device; struct device_data data; struct operation inventory; };
struct evidence_page { struct evidence_item *v; size_t n; int64_t next; };
MUST enum eim_err manage_evidence(struct eim *m, const struct principal *p, int64_t cursor, unsigned limit,
                                  struct evidence_page *out, struct arena *a, struct err *e);
MUST enum eim_err manage_device_delete(struct eim *m, const struct principal *p, struct slice eid, struct arena *a,
                                       struct err *e);

/* ---- SM-DP+ accounts (model/smdp.h) ---- */
/* manage_smdp_from_json -- the members that manage_smdp_json shows; name and address are needed, the rest has defaults. Unknown ones are refused. */
MUST enum eim_err manage_smdp_from_json(const json_t *v, struct smdp_account *out, struct arena *a, struct err *e);
json_t *manage_smdp_json(const struct smdp_account *s);
/* manage_smdps -- by ascending id, id > after. manage_smdp -- E_NOT_FOUND. */
MUST enum eim_err manage_smdps(struct eim *m, const struct principal *p, int64_t after, unsigned limit, struct smdp_list *out, struct arena *a,
                               struct err *e);
MUST enum eim_err manage_smdp(struct eim *m, const struct principal *p, int64_t id, struct smdp_account *out, struct arena *a, struct err *e);
/* manage_smdp_put -- id 0: a new one; else replace that one. *s becomes the row as it is stored. E_CONFLICT: name or address of another; E_LIMIT. */
MUST enum eim_err manage_smdp_put(struct eim *m, const struct principal *p, int64_t id, struct smdp_account *s, struct arena *a, struct err *e);
MUST enum eim_err manage_smdp_delete(struct eim *m, const struct principal *p, int64_t id, struct arena *a, struct err *e);

/* ---- pools of activation codes (model/pool.h) ---- */
/* manage_pool_from_json -- {"name","operator","profile_type","smdp","warn_below"}; all but the last are needed. */
MUST enum eim_err manage_pool_from_json(const json_t *v, struct code_pool *out, struct arena *a, struct err *e);
struct pool_view { struct code_pool pool; int64_t counts[CODE_STATE_END]; };
MUST enum eim_err manage_pool(struct eim *m, const struct principal *p, int64_t id, struct pool_view *out, struct arena *a, struct err *e);
MUST enum eim_err manage_pools(struct eim *m, const struct principal *p, int64_t after, unsigned limit, struct pool_view **out, size_t *n,
                               struct arena *a, struct err *e);
/* manage_pool_add -- *pool becomes the row as it is stored. E_CONFLICT: its name is taken; E_LIMIT. manage_pool_delete -- E_STATE: a code of it
 * is reserved or handed out. */
MUST enum eim_err manage_pool_add(struct eim *m, const struct principal *p, struct code_pool *pool, struct arena *a, struct err *e);
MUST enum eim_err manage_pool_delete(struct eim *m, const struct principal *p, int64_t id, struct arena *a, struct err *e);
/* manage_codes -- of a pool, by ascending id, id > after. */
MUST enum eim_err manage_codes(struct eim *m, const struct principal *p, int64_t pool, int64_t after, unsigned limit, struct code_list *out,
                               struct arena *a, struct err *e);
/* manage_codes_add -- at most POOL_BATCH_MAX; each on its own: rc OK means it is in, else err says which part is wrong (E_INVALID, E_RULE) or
 * that the tenant has it already (E_CONFLICT). No message shows anything of a code. */
struct new_code { struct slice text; enum eim_err rc; struct err err; struct slice digest, sealed; };
MUST enum eim_err manage_codes_add(struct eim *m, const struct principal *p, int64_t pool, struct new_code *v, size_t n, size_t *added,
                                   struct arena *a, struct err *e);
/* manage_code_decide -- a person: an unclear one is free again (`back`), or a free or unclear one is withdrawn. E_STATE else. */
MUST enum eim_err manage_code_decide(struct eim *m, const struct principal *p, int64_t id, bool back, struct activation_code *out,
                                     struct arena *a, struct err *e);

/* ---- profile orders (model/profile_order.h, orders.c) ---- */
struct profile_want { struct slice eid, operator_name, profile_type, confirmation_code; };     /* the last may be empty */
/* manage_porder_create -- filled by a pool at once, else given to an SM-DP+ account of the operator with an ES2+ address. E_NOT_FOUND: neither is
 * there; E_STATE: there are pools, but no free code, and no account. E_RULE, E_LIMIT as manage_operation_create. */
MUST enum eim_err manage_porder_create(struct eim *m, const struct principal *p, const struct profile_want *w, struct profile_order *out, struct arena *a,
                                       struct err *e);
/* manage_porder -- *op: its download, id 0 when it has none (yet). */
MUST enum eim_err manage_porder(struct eim *m, const struct principal *p, int64_t id, struct profile_order *out, struct operation *op, struct arena *a,
                                struct err *e);
MUST enum eim_err manage_porders(struct eim *m, const struct principal *p, int64_t before, unsigned limit, struct porder_list *out, struct arena *a,
                                 struct err *e);
/* manage_porder_decide -- a person: cancel (here and, when something was ordered there, at the SM-DP+), or `retry` an unclear one, vouching that
 * nothing was ordered. E_STATE else. A kill between the two transactions of a cancel leaves its operation cancelled: cancel again. */
MUST enum eim_err manage_porder_decide(struct eim *m, const struct principal *p, int64_t id, bool retry, struct profile_order *out, struct operation *op,
                                       struct arena *a, struct err *e);
/* manage_download_place -- order a download inside the caller's transaction (pool.h says of what). All that may refuse it is judged before
 * anything is written. */
struct download_of;
MUST enum eim_err manage_download_place(struct tx *t, struct eim *m, const struct principal *p, int64_t association, const struct download_of *w,
                                        int64_t *operation, struct arena *a, struct err *e);
/* manage_porder_notified -- an SM-DP+ that owns the client certificate `cert` (DER; its holder proved possession) says how far a download is
 * (SGP.22 5.3.5). Kept with the order it belongs to, with an audit entry, PROFILE_ORDER_NOTES times at most; it decides nothing (I11). *known: some
 * account names this certificate. What belongs to no order of its accounts is nobody's, and OK. */
struct download_progress { struct slice eid, iccid, subject, reason; int64_t point; bool success; };    /* eid: digits or empty */
MUST enum eim_err manage_porder_notified(struct eim *m, struct slice cert, const struct download_progress *w, bool *known, struct arena *a, struct err *e);

/* manage_operation_create -- `request` is the body of POST .../operations (psmos, ecos or download; expires_at, override). Unlawful combinations
 * E_RULE; I6 judged now when the inventory is fresh (and again when signed); E_LIMIT when OPERATION_QUEUE_MAX wait. */
MUST enum eim_err manage_operation_create(struct eim *m, const struct principal *p, struct slice eid, const json_t *request,
                                          struct operation *out, struct arena *a, struct err *e);
/* manage_inventory -- ask for an attested inventory: an operation of nothing but listProfileInfo. */
MUST enum eim_err manage_inventory(struct eim *m, const struct principal *p, struct slice eid, struct operation *out,
                                   struct arena *a, struct err *e);
/* manage_operation_cancel -- before it is fetched; E_STATE afterwards. */
MUST enum eim_err manage_operation_cancel(struct eim *m, const struct principal *p, int64_t id, struct operation *out,
                                          struct arena *a, struct err *e);
MUST enum eim_err manage_operation(struct eim *m, const struct principal *p, int64_t id, struct operation *out,
                                   struct eid *eid,
                                   struct arena *a, struct err *e);
MUST enum eim_err manage_operations_of(struct eim *m, const struct principal *p, struct slice eid, int64_t before,
                                       unsigned limit,
                                       struct operation_list *out, struct arena *a, struct err *e);
/* manage_operations -- of the tenant, newest first; `state` OP_STATE_END = all. eids[i] belongs to out->v[i]. */
MUST enum eim_err manage_operations(struct eim *m, const struct principal *p, enum operation_state state, int64_t before,
                                    unsigned limit,
                                    struct operation_list *out, struct eid **eids, struct arena *a, struct err *e);
/* manage_operation_steps -- the steps of an operation with their outcomes (see ops_json). New reference; NULL when bytes are missing. */
json_t *manage_operation_steps(const struct operation *o, struct arena *a);

/* manage_notifications -- verified notifications on their way to an SM-DP+, newest first; `state` OUT_STATE_END = all. eids[i] belongs to out->v[i]. */
MUST enum eim_err manage_notifications(struct eim *m, const struct principal *p, enum outbox_state state, int64_t before, unsigned limit,
                                       struct outbox_list *out, struct eid **eids, struct arena *a, struct err *e);
MUST enum eim_err manage_notification(struct eim *m, const struct principal *p, int64_t id, struct outbox *out, struct eid *eid,
                                      struct arena *a, struct err *e);
/* manage_notification_change -- `retry`: try it now, and as long as a new one; else drop it for ever. E_STATE when it is at an end that allows
 * neither: a forwarded or dropped one stays so. */
MUST enum eim_err manage_notification_change(struct eim *m, const struct principal *p, int64_t id, bool retry, struct outbox *out,
                                             struct eid *eid, struct arena *a, struct err *e);

/* manage_configuration -- the AddInitialEim blob (BF57) a device maker loads: counterValue 0, associationToken -1, our public key, and the
 * TLS trust anchor given (DER certificate). */
MUST enum eim_err manage_configuration(struct eim *m, const struct principal *p, struct slice tls_anchor, struct slice *blob,
                                       struct arena *a, struct err *e);

#endif
