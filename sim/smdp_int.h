/* smdp_int.h -- what smdp.c (functions) and smdp_bpp.c (packages) share. */
#ifndef SIM_SMDP_INT_H
#define SIM_SMDP_INT_H

#include "sim/smdp.h"
#include "sim/tags.h"
#include "sim/tlv.h"

enum { DP_TXID = 16, DP_MATCHING = 64, DP_HOST_ID = 16 };

struct dp_session {
    uint64_t used;                     /* when it was last used, by the count of calls; 0: free */
    uint8_t txid[DP_TXID], challenge[16], server_challenge[16];
    uint8_t eid[SIM_EID], iccid[10];
    struct slice signed1;              /* serverSigned1 */
    struct public_key *euicc;          /* set by authenticateClient */
    struct slice signature1;           /* euiccSignature1, TLV */
    struct slice signature2;           /* smdpSignature2, TLV */
    struct private_key *otsk;          /* for the package; made once, so that a repeated request gets the same keys */
    unsigned cc_tries;
    bool bound, told;                  /* a package was made; its result came */
    struct arena arena;
};

/* dp_metadata -- StoreMetadataRequest (BF25) of a profile. dp_package -- the bound profile package (BF36) for the session's
 * eUICC with this one-time key; tlv_bad: the simulator failed, or the point is none. */
struct slice dp_metadata(const struct sim_smdp_config *c, const uint8_t iccid[10], bool damaged, struct arena *a);
struct slice dp_package(const struct sim_smdp_config *c, const struct private_key *pb, struct dp_session *s, struct slice otpk,
                        enum sim_smdp_fault fault, struct arena *a);
/* dp_sign -- 5F37 over the spans; `damaged` turns one bit. */
struct slice dp_sign(const struct private_key *k, const struct slice *spans, size_t n, bool damaged, struct arena *a);

#endif
