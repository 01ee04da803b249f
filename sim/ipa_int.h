/* ipa_int.h -- what ipa.c (the contact) and answer.c (what the IPA answers itself) share. */
#ifndef SIM_IPA_INT_H
#define SIM_IPA_INT_H

#include "sim/ipa.h"
#include "sim/tags.h"
#include "sim/tlv.h"

static const struct slice ipa_none;                      /* an absent optional component */

static inline bool ipa_is(const struct sim_ipa *p, uint64_t quirk)
{
    return p->card->quirks & quirk;
}

/* ipa_ask -- one ES10b command whose request body is `body`; the value of the response, if it has the same tag. */
bool ipa_ask(struct sim_ipa *p, uint32_t function, struct slice body, struct slice *value, struct arena *a);

/* ipa_error -- EimPackageResultResponseError, A0{80? txid, 02 code}; `txid` is a TLV of any tag, or empty. */
struct slice ipa_error(struct sim_ipa *p, struct slice txid, int code, struct arena *a);
enum { IPA_INVALID_FORMAT = 1, IPA_UNKNOWN_PACKAGE = 2 };

/* ipa_data -- the answer to an IpaEuiccDataRequest: BF52 or A0, in the arena; empty: none is given (quirk). */
struct slice ipa_data(struct sim_ipa *p, struct slice request, struct arena *a);
/* ipa_trigger -- the answer to a ProfileDownloadTriggerRequest: BF54 or A0; empty as above. */
struct slice ipa_trigger(struct sim_ipa *p, struct slice request, struct arena *a);

/* ipa_trigger_read -- the parts of a trigger: data (tag 0: none given) and txid (tag 0: none). false: it is none, or its data is not valid. */
bool ipa_trigger_read(struct sim_ipa *p, struct slice request, struct tlv *data, struct tlv *txid, struct arena *a);
/* ipa_features -- the ipaFeatures that it announces. */
enum { IPA_DIRECT = 1, IPA_INDIRECT = 2, IPA_EIM_DATA = 4, IPA_EIM_CTX = 8, IPA_MINIMIZE = 32 };
unsigned ipa_features(const struct sim_ipa *p);
/* compact.c -- a card's answer, or its ProfileInstallationResult, without what the eIM knows; unchanged when it is an error. */
struct slice ipa_compact_authenticate(struct slice answer, bool ctx_known, struct arena *a);
struct slice ipa_compact_download(struct slice answer, bool hash_known, struct arena *a);
struct slice ipa_compact_cancel(struct slice answer, struct arena *a);
struct slice ipa_compact_installation(struct slice result, struct arena *a);
/* ipa_device_info -- DeviceInfo under this tag. */
struct slice ipa_device_info(const struct sim_ipa *p, uint32_t tag, struct arena *a);
/* ipa_configured -- a field of EuiccConfiguredAddresses under another tag; empty when the card has none. */
struct slice ipa_configured(struct sim_ipa *p, uint32_t field, uint32_t as, struct arena *a);

/* ipa_post, ipa_es9 -- one message to the eIM or to an SM-DP+, with the coverage and the losses of this device. */
enum sim_reply ipa_post(struct sim_ipa *p, const struct sim_transport *t, struct slice message, struct slice *reply,
                        struct sim_counters *n, struct arena *a);
enum sim_reply ipa_es9(struct sim_ipa *p, const struct sim_transport *t, const char *address, const char *function, struct slice json,
                       struct slice *reply, struct sim_counters *n, struct arena *a);

/* ipa_download -- what a valid trigger leads to (download.c): the EimPackageResult that is then owed, or empty: the eIM knows how it ended. */
struct slice ipa_download(struct sim_ipa *p, const struct sim_transport *t, struct slice trigger, struct sim_counters *n, struct arena *a);

#endif
