/* session.h -- one device's life from enrolment to deletion of a profile, with one fault somewhere in it.
 *
 * The fault is one of the kinds below and strikes at its Nth opportunity. Whatever fails is tried again as a person or a device
 * would: an API call that was refused is called again, a device comes again. What is watched at every exchange: an exchange that
 * failed answered nothing, what was acknowledged can be read back from the store, no counterValue ever leaves with two byte strings. */
#ifndef TEST_FAULT_SESSION_H
#define TEST_FAULT_SESSION_H

#include "test/scenario/field.h"

#define FAULT_KINDS(X)                                                                               \
    X(FAULT_NONE,      "none")                                                                       \
    X(FAULT_ARENA,     "an allocation fails")                                                        \
    X(FAULT_STORE,     "a statement fails")                                                          \
    X(FAULT_SIGNATURE, "a signature fails")                                                          \
    X(FAULT_REQUEST,   "a request is lost")                                                          \
    X(FAULT_REPLY,     "a reply is lost")                                                            \
    X(FAULT_REPLIES,   "two replies are lost, one after the other")                                  \
    X(FAULT_CRASH,     "the server starts anew, and the reply is lost")
enum fault_kind {
#define X(name, text) name,
    FAULT_KINDS(X)
#undef X
    FAULT_KINDS_END
};
const char *fault_name(enum fault_kind k);

enum { SESSION_PACKAGES = 64, SESSION_END_MAX = 4096 };

struct session_package { int64_t counter; struct slice bytes; };        /* the BF51 that left with a counterValue */

struct session {
    struct field *f;
    struct gadget g;
    /* the fault */
    enum fault_kind kind;
    long nth;                          /* the opportunity at which it strikes, from 1; 0: never */
    long met;                          /* opportunities so far (FAULT_ARENA, FAULT_STORE: LONG_MAX less what is left) */
    long left;                         /* FAULT_ARENA, FAULT_STORE: until it strikes */
    bool struck;
    /* what was seen */
    struct arena memory;
    struct session_package sent[SESSION_PACKAGES];
    size_t n_sent;
    unsigned acks;
    char end[SESSION_END_MAX];         /* how it ended, in words */
    size_t end_n;
    const char *how;                   /* the part of `end` that tells how the outcomes became known */
};

/* session_run -- device number `i` of the field lives through all of it; *s is filled. Fails the test when a watched rule is broken. */
void session_run(struct session *s, struct field *f, unsigned i, enum fault_kind kind, long nth);
void session_free(struct session *s);

#endif
