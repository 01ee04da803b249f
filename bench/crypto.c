/* crypto.c -- what one ECDSA signature and one verification cost bare, with our own crypto/: the floor of a signed round trip.
 *
 * Sizes are those of an `enable` and its result. The key is ready and parsed; a server has to make one for each device. */
#include "crypto/key.h"
#include "crypto/verify.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 4000, TBS = 96 };

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(void)
{
    struct private_key *key;
    struct err e = { 0 };
    uint8_t tbs[TBS] = { 0x30, TBS - 2 }, sig[SIGNATURE_SIZE];
    struct slice span = { tbs, sizeof tbs };
    if (private_key_generate(&key, CURVE_P256, &e) != OK) return 1;
    double start = cpu_us();
    for (int i = 0; i < ROUNDS; i++) {
        tbs[TBS - 1] = (uint8_t)i;
        if (private_key_sign(key, &span, 1, sig, &e) != OK) return 1;
    }
    double signed_at = cpu_us();
    for (int i = 0; i < ROUNDS; i++)
        if (verify_signature(private_key_public(key), &span, 1, (struct slice){ sig, sizeof sig }, &e) != OK) return 1;
    printf("sign_us %.2f verify_us %.2f\n", (signed_at - start) / ROUNDS, (cpu_us() - signed_at) / ROUNDS);
    private_key_free(key);
    return 0;
}
