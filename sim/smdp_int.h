/* smdp_int.h -- what smdp.c (functions) and smdp_bpp.c (packages) share. */
#ifndef SIM_SMDP_INT_H
#define SIM_SMDP_INT_H

#include "base/json.h"
#include "sim/smdp.h"
#include "sim/tags.h"
#include "sim/tlv.h"

enum { DP_TXID = 16, DP_MATCHING = 64, DP_HOST_ID = 16, DP_ORDER_FROM = 50000 /* index of the first ordered profile's ICCID */ };

/* A profile that an operator ordered over ES2+. */
struct dp_order {
    enum { DP_ALLOCATED, DP_LINKED, DP_RELEASED, DP_INSTALLED, DP_CANCELLED } state;
    bool has_eid;
    uint8_t eid[SIM_EID], iccid[10];
    char iccid_text[21], matching[16], confirmation[65];
};
struct dp_orders { const char *prefix, *address; uint64_t seed; size_t n; struct dp_order v[SIM_SMDP_ORDERS]; };

/* dp_es2_call -- one function of ES2+; false: there is none of that name. *subject NULL: it was done. */
bool dp_es2_call(struct dp_orders *all, const char *function, const json_t *in, json_t *out, const char **subject, const char **reason);
/* dp_order_of -- the order of a matching id, NULL: none. dp_order_judge -- may this eUICC have it now? Else why not. */
struct dp_order *dp_order_of(struct dp_orders *all, struct slice matching);
bool dp_order_judge(const struct dp_order *o, const uint8_t eid[SIM_EID], const char **subject, const char **reason);

struct dp_session {
    uint64_t used;                     /* when it was last used, by the count of calls; 0: free */
    uint8_t txid[DP_TXID], challenge[16], server_challenge[16];
    uint8_t eid[SIM_EID], iccid[10];
    struct slice signed1;              /* serverSigned1 */
    struct public_key *euicc;          /* set by authenticateClient */
    struct slice signature1;           /* euiccSignature1, TLV */
    struct slice signature2;           /* smdpSignature2, TLV */
    struct private_key *otsk;          /* for the package; made once, so that a repeated request gets the same keys */
    struct dp_order *order;            /* what it fetches was ordered over ES2+; NULL: it was not */
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
