/* env.h -- time, randomness and ids, passed in so that tests own them (invariant I9).
 *
 * All functions may be called from any thread. None blocks (the real randomness is getrandom(2)). */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stdint.h>
#include <stddef.h>

struct env {
    int64_t (*now)(struct env *e);                         /* UTC, microseconds since 1970 */
    void (*random)(struct env *e, void *out, size_t n);    /* unpredictable bytes; never fails (the process ends instead) */
    uint64_t id_last;                                      /* state of env_id; touched atomically only */
};

/* env_real -- fill *e with the machine's clock and getrandom(2). */
void env_real(struct env *e);

/* env_virtual -- a test's clock and generator. Time stands still until *clock_us is changed;
 * randomness is a deterministic stream made from `seed`. */
struct env_virtual {
    struct env env;                    /* first member: pass &v.env */
    int64_t clock_us;
    uint64_t seed;
};
void env_virtual(struct env_virtual *v, int64_t start_us, uint64_t seed);

/* env_id -- a 63-bit id, positive, unique in this process and rising with time:
 * 43 bits of milliseconds since 2020, 20 bits that start at random each millisecond. */
int64_t env_id(struct env *e);

/* env_rfc3339 -- "2026-11-23T01:31:29.412Z" for microseconds since 1970; out holds 32 bytes. */
void env_rfc3339(int64_t us, char out[32]);

/* env_parse_rfc3339 -- the inverse (fraction and any offset accepted); returns -1 when it is no such time. */
int env_parse_rfc3339(const char *s, int64_t *us);

#endif
