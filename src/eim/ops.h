/* ops.h -- the table of PSMOs and eCOs: how each is written by people, checked, encoded, and what its result means.
 *
 * One row an operation (SGP.32 2.11.1.1, 2.11.2.1). To add one: its lines in asn1/sgp32.h and its row in ops.c. */
#ifndef EIM_OPS_H
#define EIM_OPS_H

#include "asn1/sgp32.h"
#include "base/json.h"
#include "model/device.h"
#include "model/operation.h"

/* ops_from_json -- {"psmos":[...]} or {"ecos":[...]} to the EuiccPackage TLV and its overrides. Checks each value and the lawful
 * combinations of spec 2.3, 5.5 and 5.9.1: E_INVALID names the field, E_RULE the rule broken. */
MUST enum eim_err ops_from_json(const json_t *request, struct slice *package, int64_t *overrides, struct arena *a,
                                struct err *e);

/* ops_check -- the combination rules alone, over a decoded package (used for packages the eIM makes itself, too). */
MUST enum eim_err ops_check(const struct euicc_package *p, struct err *e);

/* ops_inventory -- the EuiccPackage of nothing but listProfileInfo with the explicit tag list: an attested inventory. */
struct slice ops_inventory(struct arena *a);
/* ops_list_eims -- the EuiccPackage of nothing but listEim: an attested list of who controls the card. */
struct slice ops_list_eims(struct arena *a);

/* ops_is_inventory -- is it nothing but listProfileInfo, listEim and getRAT? Such packages change nothing (I5, I6). */
bool ops_is_inventory(const struct euicc_package *p);

/* ops_json -- what was asked and, when `result` is the verified result list (or NULL), what came of each step:
 * [{"op":"enable","iccid":"...","rollback":true,"outcome":"ok"|"profileNotInDisabledState"|"not_executed"|...,"code":0}].
 * New reference, NULL when memory ran out. */
json_t *ops_json(const struct euicc_package *p, const struct euicc_package_result_data_signed *result, struct arena *a);

/* What a verified result means for an operation as a whole. */
struct ops_outcome {
    bool ok;                           /* every step executed with ok */
    bool rolled_back;                  /* a rollbackResult ok */
    bool odd;                          /* some step was answered in a way that tells nothing (an unknown or foreign result) */
    int64_t code;                      /* the first result code that is not ok; 0 when ok */
    const char *step, *name;           /* the step that failed and the code's name; static text */
    size_t executed;                   /* steps with a result */
};
void ops_judge(const struct euicc_package *p, const struct euicc_package_result_data_signed *r, struct ops_outcome *out);

/* ops_result_at -- the i-th result that answers a step, NULL behind the end: rollbackResult stands beside the list, not in it. */
const struct euicc_result_data *ops_result_at(const struct euicc_package_result_data_signed *r, size_t i);

/* ops_step_done -- is this the result of this step, and ok? A bare INTEGER stands for the operation at its position (spec 2.4). */
bool ops_step_done(const struct psmo *s, const struct euicc_result_data *r);
bool ops_eco_done(const struct eco *c, const struct euicc_result_data *r);

/* ops_overrides -- the member "override" of an order (may be NULL): names, as enum operation_override bits. */
MUST enum eim_err ops_overrides(const json_t *list, int64_t *out, struct err *e);

#endif
