/* refusal.h -- how a refusal is told: SGP.22 has a subject and a reason in JSON (SGP.22 5.2.6), SGP.32 an error code a function (spec 2.12). */
#ifndef EIM_REFUSAL_H
#define EIM_REFUSAL_H

#include <stdint.h>

struct refusal {
    uint32_t answer;                   /* esipa_from_eim_is_...: whose error it is */
    int64_t code;                      /* SGP.32's */
    const char *subject, *reason;      /* SGP.22's, as "8.2.6" and "3.8" */
};

/* refusal_of_code -- what stands for an error of SGP.32 in JSON; NULL: SGP.22 has no codes for it.
 * refusal_of_reason -- the error of SGP.32 that stands for what an SM-DP+ says; NULL: it has none. */
const struct refusal *refusal_of_code(uint32_t answer, int64_t code);
const struct refusal *refusal_of_reason(uint32_t answer, const char *subject, const char *reason);

#endif
