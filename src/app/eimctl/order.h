/* order.h -- an order for one device, as the options of `operation create` write it. */
#ifndef EIMCTL_ORDER_H
#define EIMCTL_ORDER_H

#include "app/eimctl/ctl.h"

/* order_from_options -- the body of POST .../operations (doc/api.md): the steps in the order of the command line.
 * CTL_OK and a new reference, or CTL_USAGE (said) when nothing is ordered, PSMOs and eCOs are mixed, or a value is wrong. */
MUST int order_from_options(struct ctl *c, json_t **out);

/* order_expiry -- `when` (a duration from now, or a time) as the member expires_at of an order. CTL_OK, or CTL_USAGE (said). */
MUST int order_expiry(struct ctl *c, json_t *order, const char *when);

/* order_confirmation -- the confirmation code in the file `from` as a member of `to`, so that it is on no command line. CTL_OK, or CTL_USAGE (said). */
MUST int order_confirmation(struct ctl *c, json_t *to, const char *from);

#endif
