/* quirks.h -- known deviations of IPAs and eUICCs from SGP.32 v1.2 that change what we do: one row each (spec 6).
 *
 * What is merely written otherwise needs no row: the decoder takes it (der.h) and interop.h counts it. A device has a quirk because a person says
 * so of it, because a rule of its tenant matches (model/quirk.h), or because its own traffic showed it (`learned`). Nothing here makes a result
 * count that its eUICC did not sign. */
#ifndef EIM_QUIRKS_H
#define EIM_QUIRKS_H

#include "asn1/sgp32.h"
#include "model/device.h"
#include "model/quirk.h"
#include "store/store.h"

/* X(id, name, clause, learned, what the peer does otherwise, what we do about it) */
#define QUIRKS(X)                                                                                                                               \
    X(QUIRK_WHOLE_CERTIFICATE, "whole-certificate", "SGP.32 2.11.1", false,                                                                     \
      "takes keys and certificates in EimConfigurationData only with their outer SEQUENCE",                                                     \
      "addEim and updateEim carry them so")                                                                                                     \
    X(QUIRK_BARE_EMPTY, "bare-empty-response", "SGP.32 6.3.2.7", false, "knows only BF50 00 as the answer that acknowledges nothing",           \
      "it gets that instead of BF50 02 30 00")                                                                                                  \
    X(QUIRK_RAW_SIGNATURE, "raw-signature", "SGP.32 6.4.1", false, "takes signatures of an SM-DP+ in JSON without their tag 5F37",              \
      "they are given as the bare value")                                                                                                       \
    X(QUIRK_SHORT_TAG_LIST, "short-tag-list", "SGP.32 2.11.1.2", true,                                                                          \
      "refuses an IpaEuiccDataRequest that asks for stored notifications and results: incorrectTagList",                                        \
      "it is asked for the rest only; a lost result is settled by a list")                                                                      \
    X(QUIRK_NO_ROLLBACK, "no-rollback", "SGP.32 5.9.16", true, "cannot roll back: rollbackNotAvailable, signed by its eUICC",                   \
      "an enable with rollback is refused when it is ordered, unless overridden")                                                               \
    X(QUIRK_V1_0, "v1.0", "SGP.32 v1.0", false,                                                                                                 \
      "follows v1.0: results signed over eimSignature instead of the association token, rPLMN at tag 81, no operations of v1.1",                 \
      "its results are verified so, its polls read so, and what v1.1 added is not ordered from it")
enum quirk_row {
#define X(id, name, clause, learned, what, remedy) id##_ROW,
    QUIRKS(X)
#undef X
    QUIRKS_N
};
enum quirk {
#define X(id, name, clause, learned, what, remedy) id = 1 << id##_ROW,
    QUIRKS(X)
#undef X
    QUIRKS_ALL = (1 << QUIRKS_N) - 1
};
struct quirk_info { const char *name, *clause, *what, *remedy; bool learned; };
const struct quirk_info *quirk_info(enum quirk_row row);
/* quirks_text -- their names with commas between, "none" for none; NULL: no room. */
char *quirks_text(int64_t quirks, struct arena *a);
/* quirk_named -- its bit; 0: there is none of that name. */
int64_t quirk_named(struct slice name);

enum {
    QUIRK_RULES_MAX = 1000,                        /* of a tenant, and in memory of all tenants */
    QUIRK_RULES_FRESH_US = 10 * 1000000,           /* another node's change is seen this late */
};

struct eim;
struct plan;
/* The rules in memory, of all tenants. */
struct quirks;
MUST enum eim_err quirks_open(struct quirks **out, struct err *e);
void quirks_close(struct quirks *q);
/* quirks_refresh -- read the rules anew, if that was not done lately or `now`. Blocks for one small read; any thread. */
MUST enum eim_err quirks_refresh(struct eim *m, bool now, struct err *e);
/* quirks_of -- what this device is to be taken for: its row's quirks and those of matching rules. `agent`: the IPA's User-Agent, NULL when it
 * is not speaking, and rules that name an IPA do not match. Reads the device's reported data when a rule needs it. */
MUST enum eim_err quirks_of(struct eim *m, struct tx *t, const struct device *d, const char *agent, int64_t *out, struct arena *a, struct err *e);
/* quirks_judge -- can a device with these quirks do it? E_RULE says which it cannot. */
MUST enum eim_err quirks_judge(int64_t quirks, const struct euicc_package *package, struct err *e);
/* quirks_learn -- its traffic showed it: kept in the plan's device row, with an audit entry the first time. */
MUST enum eim_err quirks_learn(struct plan *p, enum quirk q, struct err *e);

#endif
