/* quirk.h -- a rule that says which devices deviate from the specification, and how: plain data. What the bits mean: eim/quirks.h. */
#ifndef MODEL_QUIRK_H
#define MODEL_QUIRK_H

#include "base/slice.h"

struct quirk_rule {
    int64_t id, tenant;
    int64_t quirks;                                /* enum quirk bits */
    int64_t created_us;
    /* which devices: all of these that are not empty */
    struct slice maker;                            /* first digits of the EID (SGP.29), 1 to 32 */
    struct slice firmware;                         /* euiccFirmwareVer of EUICCInfo2, as "36.16.0" */
    struct slice ipa;                              /* what the IPA's User-Agent begins with */
    struct slice principal, note;
};

#endif
