/* proof.h -- judging one device's evidence: an attested inventory, from its exact bytes, and what it says.
 *
 * Pure computation over bytes, for whoever does not trust the server: nothing here asks it anything. */
#ifndef TRUST_PROOF_H
#define TRUST_PROOF_H

#include "asn1/sgp32.h"
#include "base/arena.h"
#include "crypto/cert.h"

enum proof_class {
    PROOF_NONE,                        /* not shown */
    PROOF_WEAK,                        /* shown, but by less than the eUICC's certified key: by a pinned key, say */
    PROOF_PROVEN,                      /* the eUICC's certified key signed it */
};

struct proof_evidence {
    uint8_t eid[16];
    struct slice eum_cert, euicc_cert; /* DER; empty: none */
    enum curve curve;                  /* of `key` */
    struct slice key;                  /* the pinned key as a point; empty: none */
    int64_t tokens[4];                 /* association tokens to try, beside 0 */
    size_t ntokens;
    struct slice package, result;      /* the exact BF51 that left, and that came back */
    struct slice eim_id;               /* whose packages count */
};

struct proof_verdict {
    enum proof_class class_;
    struct err why;                    /* unless proven: what is missing or wrong */
    int64_t counter;
    struct slice enabled;              /* ICCID of the enabled profile, empty: none is enabled. Only when class_ is not PROOF_NONE */
    struct slice provider, name;       /* what the eUICC calls it; empty when it does not say */
    size_t profiles;
};

/* proof_inventory -- judge it at time now_us under the CI roots of `trust`. Proven means: the package asks this eUICC (eidValue) for its full
 * list of profiles and nothing else, under eim_id; the result carries the package's eimId, counterValue and eimTransactionId; and it is
 * signed by the key in a certificate for this EID that chains to a root (SGP.32 2.11.1.1, 2.11.2.1; SGP.22 chain). The transaction id, drawn
 * by the eIM for this package, makes the answer newer than the question. Slices of *out borrow from the evidence and the arena.
 * E_NOMEM, E_CRYPTO when it cannot be judged; else OK and *out says. */
MUST enum eim_err proof_inventory(const struct proof_evidence *ev, const struct cert_trust *trust, int64_t now_us, struct proof_verdict *out,
                                  struct arena *a, struct err *e);

#endif
