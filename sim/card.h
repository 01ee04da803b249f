/* card.h -- what the files of the software eUICC share among themselves (euicc.c, store.c, config.c, package.c, es10b.c).
 *
 * Functions that make TLVs give tlv_bad when the simulator is out of memory. */
#ifndef SIM_CARD_H
#define SIM_CARD_H

#include "sim/euicc.h"
#include "sim/tags.h"
#include "sim/tlv.h"

/* ---- euicc.c ---- */
static inline bool card_in_ecall(const struct sim_euicc *c)
{
    return c->ecall || c->quirks & SIM_Q(ECALL);
}
/* card_sign -- the card's signature over tbs, or over tbs || association token TLV with card_sign_result: the value
 * of 5F37. Quirks apply to results only. */
struct slice card_sign(struct sim_euicc *c, struct slice tbs, struct arena *a);
struct slice card_sign_result(struct sim_euicc *c, struct slice tbs, int64_t token, struct arena *a);
/* card_sign_tail -- the same over tbs || tail, whatever that is. */
struct slice card_sign_tail(struct sim_euicc *c, struct slice tbs, struct slice tail, struct arena *a);

int card_fallback_holder(const struct sim_euicc *c);     /* slot with the fallback attribute, or SIM_NO_PROFILE */
void card_profile_gone(struct sim_euicc *c, int slot);   /* the profile is deleted: nothing refers to its slot any more */

/* ---- store.c: results and notifications waiting for removal ---- */
enum card_kind { CARD_RESULT, CARD_NOTIFICATION, CARD_INSTALLATION };
struct card_item {
    enum card_kind kind;
    uint32_t seq;
    struct slice bytes;                /* CARD_RESULT: BF51; CARD_NOTIFICATION: BF2F || 5F37; CARD_INSTALLATION: BF37. Borrowed from the store */
};
/* the events of a NotificationMetadata, as bits of NotificationEvent */
enum card_event { CARD_INSTALL = 1, CARD_ENABLE = 2, CARD_DISABLE = 4, CARD_DELETE = 8 };

uint32_t card_next_seq(struct sim_euicc *c);
bool card_store(struct sim_euicc *c, enum card_kind kind, uint32_t seq, struct slice bytes);
/* card_stored -- walk the store, oldest first: *at starts at 0. false at the end. */
bool card_stored(const struct sim_euicc *c, size_t *at, struct card_item *out);
bool card_remove(struct sim_euicc *c, uint32_t seq);
/* card_notify -- make, sign and store a notification; false when that failed. */
bool card_notify(struct sim_euicc *c, unsigned event, const struct sim_profile *p, struct arena *a);
/* card_switch -- make slot `to` (or none) the enabled profile, with notifications. */
bool card_switch(struct sim_euicc *c, int to, struct arena *a);

/* ---- config.c: associated eIMs ---- */
/* codes of AddInitialEim, addEim and updateEim */
enum card_eim_code {
    CARD_OK = 0, CARD_NO_MEMORY = 1, CARD_EIM_EXISTS = 2, CARD_CI_UNKNOWN = 3, CARD_BAD_TOKEN = 5, CARD_BAD_COUNTER = 6,
    CARD_COMMAND_ERROR = 7
};
int card_eim_find(const struct sim_euicc *c, struct slice eim_id);       /* index or -1 */
struct slice card_eim_id(const struct sim_eim *eim);
/* card_eim_add -- `fields` are those of an EimConfigurationData. On CARD_OK the new eIM is the last one. */
enum card_eim_code card_eim_add(struct sim_euicc *c, struct slice fields, struct arena *a);
enum card_eim_code card_eim_update(struct sim_euicc *c, unsigned eim, struct slice fields, struct arena *a);
void card_eim_delete(struct sim_euicc *c, unsigned eim);
/* card_eim_config -- the whole EimConfigurationData (30), with counter and token as they are now. */
struct slice card_eim_config(const struct sim_eim *eim, struct arena *a);
/* card_eim_type -- eimIdType, or 0. */
int64_t card_eim_type(const struct sim_eim *eim);

/* ---- package.c ---- */
struct slice card_load_package(struct sim_euicc *c, struct slice request, struct arena *a);
/* card_rollback_result -- the result that replaces the one `old` (BF51) after a rollback; its own sequence number. */
struct slice card_rollback_result(struct sim_euicc *c, struct slice old, uint32_t seq, struct arena *a);

/* ---- profile.c: a profile comes onto the card (SGP.22 5.7.5 to 5.7.7, 5.7.13, 5.7.14) ---- */
struct slice card_challenge(struct sim_euicc *c, struct slice body, struct arena *a);
struct slice card_authenticate_server(struct sim_euicc *c, struct slice body, struct arena *a);
struct slice card_prepare_download(struct sim_euicc *c, struct slice body, struct arena *a);
struct slice card_load_bound(struct sim_euicc *c, struct slice body, struct arena *a);
struct slice card_cancel_session(struct sim_euicc *c, struct slice body, struct arena *a);
void card_session_end(struct sim_euicc *c);
/* card_info2 -- EUICCInfo2 (BF22), es10b.c. card_aid -- 4F of the profile in a slot, profiles.c. */
struct slice card_info2(struct sim_euicc *c, struct slice body, struct arena *a);
struct slice card_aid(unsigned slot, struct arena *a);

/* ---- profiles.c ---- */
/* card_profile_list -- BF2D response for a ProfileInfoListRequest's fields, with slot `enabled` shown as enabled. */
struct slice card_profile_list(struct sim_euicc *c, struct slice fields, int enabled, struct arena *a);
/* card_rat -- the elements of the RulesAuthorisationTable under the given tag. */
struct slice card_rat(uint32_t tag, struct arena *a);
/* card_immediate -- take over ConfigureImmediateEnable's fields; false when they are damaged. */
bool card_immediate(struct sim_euicc *c, struct slice fields);

#endif
