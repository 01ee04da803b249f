/* compact.h -- what an IPA shortens to save octets (minimizeEsipaBytes, SGP.32 6.3.2; spec 2.9, 2.12) made whole again: the eUICC signed the full
 * form, and only that verifies. For the files of this room.
 *
 * What was left out is what the session knows: what the SM-DP+ signed, what the eIM itself supplied, what the device told of its eUICC. */
#ifndef EIM_COMPACT_H
#define EIM_COMPACT_H

#include "asn1/sgp32.h"
#include "model/relay.h"

/* compact_authenticate, _download, _cancel -- AuthenticateServerResponse (BF38), PrepareDownloadResponse (BF21), CancelSessionResponse (BF41) as
 * the SM-DP+ wants them, in `a`. Empty: something that was left out is not known, or no memory. `d` may be all zeros. */
struct slice compact_authenticate(const struct compact_authenticate_response_ok *c, const struct relay_session *s, const struct ipa_euicc_data *d,
                                  struct arena *a);
struct slice compact_download(const struct compact_prepare_download_response_ok *c, const struct relay_session *s, struct arena *a);
struct slice compact_cancel(const struct compact_cancel_session_response_ok *c, const struct relay_session *s, struct arena *a);

/* compact_installation -- the ProfileInstallationResult (BF37), decoded. false as above. */
bool compact_installation(const struct compact_profile_installation_result *c, const struct relay_session *s, struct profile_installation_result *out,
                          struct arena *a);

#endif
