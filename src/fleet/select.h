/* select.h -- which devices: an expression (doc/expr.md) over what is known of each, evaluated row by row.
 *
 * A device for which the expression ends in an error (a label that it does not have, a fact that is not known) is not selected, and is
 * counted as undecided. Everything here blocks on the store. */
#ifndef FLEET_SELECT_H
#define FLEET_SELECT_H

#include "eim/manage.h"
#include "expr/expr.h"

/* What an expression can say of a device: name, type, what it is. A fact that is not known is absent: has() sees it. */
#define SELECT_ATTRIBUTES(X)                                                                                          \
    X(A_EID,           "eid",                      EXPR_STRING,    "32 digits")                                       \
    X(A_LABELS,        "labels",                   EXPR_MAP,       "labels, all of them texts")                       \
    X(A_VERIFICATION,  "verification",             EXPR_STRING,    "ci, pinned or unverified")                        \
    X(A_ENABLED,       "profile.enabled.iccid",    EXPR_STRING,    "ICCID of the enabled profile; empty: none is")    \
    X(A_OPERATOR,      "profile.enabled.operator", EXPR_STRING,    "service provider name of the enabled profile")    \
    X(A_PROFILE_NAME,  "profile.enabled.name",     EXPR_STRING,    "profile name of the enabled profile")             \
    X(A_NETWORK,       "network",                  EXPR_STRING,    "PLMN it was registered with last")                \
    X(A_LAST_SEEN,     "last_seen",                EXPR_TIMESTAMP, "its last contact")                                \
    X(A_FIRST_CONTACT, "first_contact",            EXPR_TIMESTAMP, "its first contact")                               \
    X(A_ENROLLED,      "enrolled_at",              EXPR_TIMESTAMP, "when it was enrolled")                            \
    X(A_INVENTORY,     "inventory.as_of",          EXPR_TIMESTAMP, "its last attested inventory")                     \
    X(A_STALE,         "inventory.stale",          EXPR_BOOL,      "is that older than the last known change?")       \
    X(A_IN_FLIGHT,     "queue.in_flight",          EXPR_BOOL,      "is a package of unknown result out?")             \
    X(A_PENDING,       "queue.pending",            EXPR_BOOL,      "does an operation wait?")                         \
    X(A_UNSETTLED,     "queue.unsettled",          EXPR_BOOL,      "is an outcome unknown?")                          \
    X(A_COUNTER,       "counter",                  EXPR_INT,       "counterValue spent last")                         \
    X(A_QUARANTINED,   "quarantined",              EXPR_BOOL,      "is nothing but inventories signed for it?")       \
    X(A_EUM,           "euicc.eum",                EXPR_STRING,    "subject of its EUM's certificate, as text")       \
    X(A_FIRMWARE,      "euicc.firmware",           EXPR_STRING,    "firmware version the IPA reported, as 1.2.3")     \
    X(A_PROFILE_VERSION, "euicc.profile_version",  EXPR_STRING,    "profile package version it takes, as 2.3.1")      \
    X(A_NOW,           "now",                      EXPR_TIMESTAMP, "the present moment, the same for all devices")
enum select_attribute {
#define X(id, name, type, help) id,
    SELECT_ATTRIBUTES(X)
#undef X
    A_END
};

enum { SELECT_SCAN = 20000 };          /* devices that one select_page looks at, at most */

struct selection;

/* select_compile -- E_INVALID with field "where": wrong, or too large (expr_compile says which). */
MUST enum eim_err select_compile(struct selection **out, struct slice where, struct arena *a, struct err *e);

/* select_page -- devices selected, in the order of manage_devices, from behind `cursor` on: up to `limit` of them, after looking at up to
 * SELECT_SCAN. out->next is where to go on, 0 at the end; a page may hold fewer than `limit`, or none, before the end. */
MUST enum eim_err select_page(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor,
                              unsigned limit, struct device_page *out, struct arena *a, struct err *e);

/* select_count -- over all devices of the tenant: selected, not selected, undecided. */
struct select_total { int64_t selected, others, undecided; };
MUST enum eim_err select_count(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us,
                               struct select_total *out, struct err *e);

/* select_quarantine -- manage_quarantine for up to SELECT_CHANGES devices selected behind `cursor`; each device is a change of its own, so
 * an error leaves those before it done, and the same call again goes on. next 0: the end. dry_run only counts. */
enum { SELECT_CHANGES = 500 };
struct select_change { int64_t selected, changed, next; };
MUST enum eim_err select_quarantine(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor, bool in,
                                    struct slice reason, bool dry_run, struct select_change *out, struct arena *a, struct err *e);

/* select_handover -- manage_handover for up to SELECT_CHANGES devices selected behind `cursor`, in the same way; steps[] counts devices by step. */
struct select_handover { int64_t selected, next, steps[HANDOVER_END]; };
MUST enum eim_err select_handover(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor, const json_t *to,
                                  bool dry_run, struct select_handover *out, struct arena *a, struct err *e);
/* select_rotation -- manage_rotate, likewise. */
struct select_rotation { int64_t selected, next, steps[ROTATION_END]; };
MUST enum eim_err select_rotation(struct eim *m, const struct principal *p, const struct selection *s, int64_t now_us, int64_t cursor,
                                  struct slice tls_anchor, bool dry_run, struct select_rotation *out, struct arena *a, struct err *e);

#endif
