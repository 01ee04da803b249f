/* input.h -- messages as people have them: hex, base64, a DER file, or any of these on standard input. */
#ifndef EIMCTL_INPUT_H
#define EIMCTL_INPUT_H

#include "app/eimctl/ctl.h"

/* input_message -- the octets that `arg` means: the name of a file that exists, else hex digits (spaces, colons and line
 * ends between them are dropped), else base64; "-" or NULL is standard input. The content of a file or of standard input is
 * taken as hex or base64 text when it is nothing else, and as raw octets otherwise. *out lives in c->arena. CTL_OK, or
 * CTL_REFUSED (said). */
MUST int input_message(struct ctl *c, const char *arg, struct slice *out);

/* input_certificate -- the certificate in a PEM or DER file (or hex text), as DER in c->arena. CTL_OK or CTL_REFUSED (said). */
MUST int input_certificate(struct ctl *c, const char *option, struct slice *der);

#endif
