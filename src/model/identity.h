/* identity.h -- a tenant's eIM identity: who the eUICCs of a tenant know us as. Plain data.
 *
 * An eUICC stores per eIM: eimId, FQDN, public key, counter and token (SGP.32 2.11.1). One tenant has one identity
 * for now; the store, the rows and the lookups already take any number. */
#ifndef MODEL_IDENTITY_H
#define MODEL_IDENTITY_H

#include "base/slice.h"

struct identity {
    int64_t id, tenant;
    struct slice eim_id;                           /* 1 to 128 octets of UTF-8 */
    int64_t eim_id_type;                           /* 1 OID, 2 FQDN, 3 proprietary */
    struct slice fqdn;                             /* where IPAs reach us; may carry ":port" by private agreement */
    struct slice signing_key;                      /* the signer's name of the package-signing key of devices enrolled from now on */
    struct slice ci_pkid;                          /* euiccCiPKId that eUICCs must sign with for us, or empty */
    uint8_t association_key[16];                   /* of model_association; random, never shown */
};

#endif
