/* signer_failing.h -- a signer for fault tests that passes on to another one, but for the Nth signature.
 *
 * Put it on the stack: struct signer_failing f; signer_failing_init(&f, real, 3); use &f.base. It does not own `real`. */
#ifndef TEST_LIB_SIGNER_FAILING_H
#define TEST_LIB_SIGNER_FAILING_H

#include "crypto/signer.h"

struct signer_failing {
    struct signer base;                /* first member */
    struct signer *real;
    long left;                         /* the signature that fails, counted from 1; 0: none does; touched atomically */
    long done;                         /* signatures asked for so far; likewise */
};

static inline enum eim_err signer_failing_sign(struct signer *s, struct sign_request *r, size_t n, struct err *e)
{
    struct signer_failing *f = (struct signer_failing *)s;
    enum eim_err first = OK;
    for (size_t i = 0; i < n; i++) {
        __atomic_add_fetch(&f->done, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&f->left, __ATOMIC_RELAXED) > 0 && __atomic_sub_fetch(&f->left, 1, __ATOMIC_RELAXED) == 0)
            r[i].rc = fail(e, E_CRYPTO, NULL, "the test's signer fails");
        else if (signer_sign(f->real, &r[i], 1, e) != OK && first == OK)
            first = r[i].rc;
        if (first == OK) first = r[i].rc;
    }
    return first;
}

static inline enum eim_err signer_failing_public(struct signer *s, const char *key, struct slice *spki, enum curve *curve,
                                                 struct arena *a, struct err *e)
{
    return signer_public(((struct signer_failing *)s)->real, key, spki, curve, a, e);
}

static inline void signer_failing_close(struct signer *s)
{
    (void)s;
}

static inline void signer_failing_init(struct signer_failing *f, struct signer *real, long nth)
{
    static const struct signer_ops ops = {
        .sign = signer_failing_sign, .public = signer_failing_public, .close = signer_failing_close,
    };
    *f = (struct signer_failing){ .base = { &ops }, .real = real, .left = nth };
}

#endif
