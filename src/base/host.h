/* host.h -- what trust, eim and fleet need from outside. Made once by app/eimd.c (or by a test); that is
 * all the dependency injection there is. Everything in it outlives its users. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

struct env;
struct store;
struct outbound;
struct seal;
struct signer;

struct host {
    struct env *env;
    struct store *store;
    struct signer *signer;
    struct outbound *outbound;         /* base/outbound.h; NULL: nothing is reached */
    struct seal *seal;                 /* crypto/seal.h; NULL: there are no activation-code pools and no profile orders */
};

#endif
