/* smdp.h -- a simulated SM-DP+: ES9+ in JSON (SGP.22 5.6, 6.5) with real cryptography, and every way to go wrong by a switch.
 *
 * A library object without sockets: one call is one POST. Profiles can be ordered from it too (ES2+). It verifies what eUICCs sign, makes bound
 * profile packages that only the eUICC of the session can open, and remembers what it was told. With `event_server` it is an SM-DS instead,
 * which sends whoever asks there (ES11: SGP.22 5.8). All functions may be called from any thread. */
#ifndef SIM_SMDP_H
#define SIM_SMDP_H

#include "base/buf.h"
#include "base/env.h"
#include "sim/pki.h"

enum {
    SIM_SMDP_SESSIONS = 512,           /* at once; the oldest goes */
    SIM_SMDP_SERVED = 4096,            /* matching ids whose profile is remembered, so that a repeated download gets the same one */
    SIM_SMDP_ORDERS = 4096,            /* profiles that may be ordered over ES2+ */
    SIM_SMDP_HUGE = 100 << 20,         /* bytes of the answer SIM_SMDP_TOO_MUCH */
};
#define SIM_SMDP_PATH "/gsma/rsp2/es9plus/"
#define SIM_SMDP_ES2_PATH "/gsma/rsp2/es2plus/"
#define SIM_SMDP_OID "2.999.10"

/* What goes wrong, at one function; the first rows are answers to any function. `other` names what only one function can do. */
#define SIM_SMDP_FAULTS(X)                                                                        \
    X(NONE,          "none",          "all is well")                                              \
    X(HTML,          "html",          "an HTML page, status 200")                                 \
    X(HALF,          "half",          "the first half of the answer")                             \
    X(TOO_MUCH,      "too-much",      "100 MB")                                                   \
    X(NEVER,         "never",         "no answer at all")                                         \
    X(SLOW,          "slow",          "the answer two seconds late")                              \
    X(STATUS_500,    "500",           "status 500")                                               \
    X(OTHER_ID,      "other-id",      "the transactionId of another session")                     \
    X(REFUSED,       "refused",       "a refusal: the one that SGP.22 has for this function")     \
    X(BAD_SIGNATURE, "bad-signature", "what the SM-DP+ signs has one wrong bit")                  \
    X(WRONG_ROLE,    "wrong-role",    "the certificate of another role")                          \
    X(OTHER_ADDRESS, "other-address", "initiateAuthentication: signed for another address")       \
    X(BAD_MAC,       "bad-mac",       "getBoundProfilePackage: one bit of the package is wrong")  \
    X(BAD_METADATA,  "bad-metadata",  "getBoundProfilePackage: metadata that is none")

enum sim_smdp_fault {
#define X(id, name, help) SIM_SMDP_##id,
    SIM_SMDP_FAULTS(X)
#undef X
    SIM_SMDP_FAULT_COUNT
};
/* sim_smdp_fault_named -- SIM_SMDP_FAULT_COUNT: no such name. */
enum sim_smdp_fault sim_smdp_fault_named(const char *name);

enum sim_es9 { SIM_ES9_INITIATE, SIM_ES9_AUTHENTICATE, SIM_ES9_BOUND, SIM_ES9_CANCEL, SIM_ES9_NOTIFICATION, SIM_ES9_FUNCTIONS };
extern const char *const sim_es9_names[SIM_ES9_FUNCTIONS];

struct sim_smdp_config {
    const struct sim_pki *pki;         /* borrowed; for EIDs and the CI */
    struct env *env;                   /* borrowed */
    const char *address;               /* what its eUICCs see as serverAddress, and requests must name */
    const char *iccid_prefix;          /* of the profiles it makes */
    const char *spn, *profile_name;    /* in their metadata */
    const char *only_matching_id;      /* every other one is refused; NULL: none is */
    const char *confirmation_code;     /* NULL: none is asked for */
    const char *event_server, *event_id;                 /* an SM-DS's one event, for every eUICC; event_id "": none waits */
    size_t package;                    /* bytes of a profile package */
    uint64_t seed;                     /* of ICCIDs */
    uint8_t ppr;                       /* enum sim_ppr bits of its profiles */
    bool replace_keys;                 /* protect packages with keys of their own (ReplaceSessionKeys) */
};

struct sim_smdp_counts {
    uint64_t calls[SIM_ES9_FUNCTIONS], refused, packages, cancelled;
    uint64_t installed, failed;        /* by verified ProfileInstallationResults of ours, each once */
    uint64_t others, unverified;       /* other notifications that verify; whatever does not */
    uint64_t ordered;                  /* profiles ordered over ES2+, those taken back among them */
    int64_t last_reason;               /* errorReason of the last failed one; cancelSession's reason */
};

struct sim_smdp;
/* sim_smdp_new -- E_CRYPTO, E_NOMEM. The configuration's strings are borrowed. */
MUST enum eim_err sim_smdp_new(struct sim_smdp **out, const struct sim_smdp_config *c, struct err *e);
void sim_smdp_free(struct sim_smdp *s);
/* sim_smdp_tls -- its TLS certificate (DER) and key, borrowed. */
struct slice sim_smdp_tls(const struct sim_smdp *s, const struct private_key **key);

/* sim_smdp_post -- one request: the HTTP status, and its body in *reply (initialised by the caller, whose ceiling holds).
 * 0: there is no answer, ever (SIM_SMDP_NEVER). SIM_SMDP_SLOW sleeps. */
int sim_smdp_post(struct sim_smdp *s, const char *path, struct slice body, struct buf *reply);

/* sim_smdp_es2 -- the same for the operator's side: ES2+ (SGP.22 5.3). Who may call is the caller's to judge. */
int sim_smdp_es2(struct sim_smdp *s, const char *path, struct slice body, struct buf *reply);

/* sim_smdp_go_wrong -- from now on, at this function. sim_smdp_counts -- what happened so far. */
void sim_smdp_go_wrong(struct sim_smdp *s, enum sim_es9 f, enum sim_smdp_fault fault);
struct sim_smdp_counts sim_smdp_counts(struct sim_smdp *s);

#endif
