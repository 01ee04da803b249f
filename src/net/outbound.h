/* outbound.h -- the real base/outbound.h: HTTPS over libcurl, and the judgement of where it leads (invariant I12). */
#ifndef NET_OUTBOUND_H
#define NET_OUTBOUND_H

#include "base/outbound.h"

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;

/* Strings and lists are borrowed and outlive the object. */
struct outbound_config {
    const char *const *allow;          /* "ADDRESS" or "ADDRESS/BITS", IPv4 or IPv6: connected to although loopback, private or link-local */
    size_t n_allow;
    const char *credentials;           /* folder of client credentials: NAME.pem and NAME.key; NULL: there are none */
};

/* outbound_new -- E_CONF names what of `allow` is no address. Any number of threads may use it. outbound_free(NULL) is a no-op. */
MUST enum eim_err outbound_new(struct outbound **out, const struct outbound_config *c, struct err *e);
void outbound_free(struct outbound *o);
/* outbound_stop -- requests under way end within about a second with E_IO, and so does each one after. Any thread. */
void outbound_stop(struct outbound *o);
/* outbound_roots -- from now on these (PEM; copied) are the anchors of requests that name none; before, there are none. Called by one thread
 * at a time, whatever requests are under way. */
MUST enum eim_err outbound_roots(struct outbound *o, struct slice pem, struct err *e);

/* outbound_public -- is it an address of the open network: not loopback, private, link-local, shared, multicast, unspecified or otherwise set
 * apart, and no IPv6 form of such an IPv4 address? */
bool outbound_public(const struct sockaddr *a);

#endif
