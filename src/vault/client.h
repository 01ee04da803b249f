/* client.h -- eimd's side of the signer's process: a struct signer over the socket.
 *
 * Any thread may sign. What several threads ask for while an array is away leaves together as the next one, so that the signer syncs its
 * journal once for all of them: the thread that finds nobody speaking does so for those that wait, then hands over. */
#ifndef VAULT_CLIENT_H
#define VAULT_CLIENT_H

#include "crypto/note.h"
#include "crypto/signer.h"

/* vault_client_open -- ask for the keys over `fd`, which is ours from then on (closed by signer_close, and on failure). The process is at its end
 * when it has read the end of the socket. E_IO: the signer is gone; E_INVALID: of another release; E_MALFORMED.
 *
 * signer_sign of it: the codes of vault_serve for each request, E_REPLAY with sign_request.highest; E_IO once the signer is gone or speaks
 * nonsense, for good.
 * More than VAULT_ARRAY requests go as several arrays. Blocks for the signer's sync. signer_public asks nobody. */
MUST enum eim_err vault_client_open(struct signer **out, int fd, struct err *e);

/* vault_client_notes -- the signer of notes at the other end of this client, which must outlive it. It remembers (note_sign_head);
 * E_INVALID: no form of a note that is known there. E_NOT_FOUND: it has no key for notes. */
MUST enum eim_err vault_client_notes(struct note_signer **out, struct signer *client, struct err *e);

#endif
