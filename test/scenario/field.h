/* field.h -- one eIM and some simulated devices in one process, under a virtual clock: the stage of all scenarios.
 *
 * The eIM is the real one over a real store (SQLite, or PostgreSQL when FIELD_ENGINE=postgresql), with inline writes; the devices are sim/'s
 * software eUICCs and IPAs; between them lies a function call. Nothing waits and nothing depends on the machine's speed. */
#ifndef TEST_SCENARIO_FIELD_H
#define TEST_SCENARIO_FIELD_H

#include "test/lib/test.h"

#include "asn1/sgp32.h"
#include "base/env.h"
#include "crypto/signer.h"
#include "eim/eim.h"
#include "eim/esipa.h"
#include "eim/manage.h"
#include "sim/ipa.h"
#include "store/store.h"
#include "test/lib/signer_failing.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 24 * 3600 };

struct field {
    struct env_virtual clock;
    const char *dir;
    char url[512];
    struct store *store;
    struct signer *signer;
    struct signer_failing failing;
    struct host host;
    struct seal *seal;
    struct outbound *outbound;         /* set after field_open by field_outbound; NULL: nothing is reached */
    struct eim *eim;
    struct eim_settings set;
    struct principal admin;
    struct sim_pki pki;
    struct sim_world world;
    struct sim_ipa_config ipa_config;
    struct arena blob_memory;
    struct slice blob;                 /* AddInitialEim, BF57 */
    struct arena arena;                /* of the last call from the test; reset by field_arena */
    /* how the network between them behaves */
    int lose_reply;                    /* the Nth reply from now is lost (0: none) */
    int exchanges;                     /* so far */
    enum eim_err last_rc;
    struct err last_err;
    struct slice last_reply;           /* of the last exchange, in last_memory */
    struct arena last_memory;
    /* how its devices reach an SM-DP+ by themselves; NULL: not at all */
    enum sim_reply (*es9)(void *field, const char *address, const char *function, struct slice json, struct slice *reply, struct arena *a);
    /* what stands between IPA and eIM, when a test wants to look or meddle; NULL: nothing */
    void (*meddle)(struct field *f, struct slice *request);
};

struct gadget {                        /* a device of the field */
    struct field *f;
    struct sim_euicc card;
    struct sim_ipa ipa;
    struct sim_counters n;
    char eid[33];
    char a[21], b[21];                 /* ICCIDs as people write them: A is enabled at first, B installed */
};

/* field_open -- everything up; the simulator's CI is trusted. field_open_untrusting: it is not. */
void field_open(struct field *f);
void field_open_untrusting(struct field *f);
void field_close(struct field *f);
/* field_restart -- close and open store and eIM again on the same database, as after a crash between two exchanges. */
void field_restart(struct field *f);
/* field_outbound -- this is how other people's servers are reached from now on, restarts included. */
void field_outbound(struct field *f, struct outbound *o);
/* field_pass -- time goes by; the janitor looks at everything at the end of it. */
void field_pass(struct field *f, int64_t seconds);
struct arena *field_arena(struct field *f);

/* field_post -- one exchange: the request's bytes in, the reply's out (last_rc, last_err, last_reply). */
void field_post(struct field *f, struct slice request);

/* gadget_make -- device `i`, with profiles A (enabled) and B, its eIM configured; `enrol` adds it to the eIM. */
void gadget_make(struct gadget *g, struct field *f, unsigned i, bool enrol);
void gadget_free(struct gadget *g);
/* gadget_contact -- one contact of the IPA; its outcome. */
enum sim_contact gadget_contact(struct gadget *g);
/* gadget_settle -- contacts until nothing is left to do (at most ten). */
void gadget_settle(struct gadget *g);
/* gadget_order -- POST an operation in JSON ('A and 'B stand for the ICCIDs); the id. Fails the test if it is refused. */
int64_t gadget_order(struct gadget *g, const char *json);
/* gadget_try -- the same, expecting `want`; the words of the refusal. */
const char *gadget_try(struct gadget *g, const char *json, enum eim_err want);
/* gadget_view -- what the eIM knows. Valid until the next call that uses the arena. */
struct device_view gadget_view(struct gadget *g);
/* gadget_state, gadget_reason -- of an operation. */
enum operation_state gadget_state(struct gadget *g, int64_t op);
const char *gadget_reason(struct gadget *g, int64_t op);
struct operation gadget_operation(struct gadget *g, int64_t op);
/* gadget_enabled -- the ICCID that the card itself has enabled, as printed; "" when none. */
const char *gadget_enabled(struct gadget *g);
/* field_counter -- a counter of the eIM by name, e.g. FIELD_COUNT(f, results_verified). */
#define FIELD_COUNT(f, name) (eim_counters((f)->eim)->name)

#endif
