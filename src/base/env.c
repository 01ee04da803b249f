/* env.c -- the machine's clock and randomness, and their stand-ins for tests. */
#include "base/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t real_now(struct env *e)
{
    (void)e;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void real_random(struct env *e, void *out, size_t n)
{
    (void)e;
    for (uint8_t *p = out; n;) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0) continue;                     /* EINTR; the call has no other way to fail here */
        p += got;
        n -= (size_t)got;
    }
}

void env_real(struct env *e)
{
    *e = (struct env){ .now = real_now, .random = real_random };
}

static int64_t virtual_now(struct env *e)
{
    return __atomic_load_n(&((struct env_virtual *)e)->clock_us, __ATOMIC_RELAXED);
}

static void virtual_random(struct env *e, void *out, size_t n)
{
    struct env_virtual *v = (struct env_virtual *)e;
    for (uint8_t *p = out; n; n--) {                /* splitmix64, one byte a step: slow and good enough for tests */
        uint64_t z = __atomic_add_fetch(&v->seed, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        *p++ = (uint8_t)(z >> 56);
    }
}

void env_virtual(struct env_virtual *v, int64_t start_us, uint64_t seed)
{
    *v = (struct env_virtual){ .env = { .now = virtual_now, .random = virtual_random }, .clock_us = start_us, .seed = seed };
}

int64_t env_id(struct env *e)
{
    const int64_t epoch_2020_ms = 1577836800000;
    int64_t ms = e->now(e) / 1000 - epoch_2020_ms;
    uint32_t low;
    e->random(e, &low, sizeof low);
    uint64_t want = (uint64_t)(ms < 0 ? 0 : ms) << 20 | (low & 0x7ffff);
    uint64_t last = __atomic_load_n(&e->id_last, __ATOMIC_RELAXED), id;
    do
        id = want > last ? want : last + 1;         /* same millisecond, or the clock went back: count on */
    while (!__atomic_compare_exchange_n(&e->id_last, &last, id, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return (int64_t)(id & INT64_MAX);
}

/* The last `n` decimal digits of v, and what stands behind them. */
static char *digits(char *out, int n, int v, char behind)
{
    for (int i = n - 1; i >= 0; i--, v /= 10) out[i] = (char)('0' + v % 10);
    out[n] = behind;
    return out + n + 1;
}

void env_rfc3339(int64_t us, char out[32])
{
    int64_t s = us / 1000000, frac = us % 1000000;
    if (frac < 0) { s--; frac += 1000000; }
    time_t t = (time_t)s;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year > 8099 || tm.tm_year < -1900) { snprintf(out, 32, "out-of-range"); return; }
    char *p = digits(out, 4, tm.tm_year + 1900, '-');          /* by hand: each line of log and audit begins with it */
    p = digits(p, 2, tm.tm_mon + 1, '-');
    p = digits(p, 2, tm.tm_mday, 'T');
    p = digits(p, 2, tm.tm_hour, ':');
    p = digits(p, 2, tm.tm_min, ':');
    p = digits(p, 2, tm.tm_sec, '.');
    p = digits(p, 3, (int)(frac / 1000), 'Z');
    *p = 0;
}

int env_parse_rfc3339(const char *s, int64_t *us)
{
    int y, mo, d, h, mi, sec, n = 0;
    if (sscanf(s, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &sec, &n) != 6 || n != 19) return -1;
    if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || sec > 60) return -1;
    int64_t frac = 0, scale = 100000;
    s += n;
    if (*s == '.') {
        if (s[1] < '0' || s[1] > '9') return -1;
        for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10) frac += (*s - '0') * scale;
    }
    int64_t offset = 0;
    if (*s == 'Z' || *s == 'z') s++;
    else {
        int oh, om, on = 0;
        if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2d:%2d%n", &oh, &om, &on) != 2 || on != 5 || oh > 23 || om > 59) return -1;
        offset = (oh * 3600 + om * 60) * (*s == '-' ? -1 : 1);
        s += 1 + on;
    }
    if (*s) return -1;
    struct tm tm = { .tm_year = y - 1900, .tm_mon = mo - 1, .tm_mday = d, .tm_hour = h, .tm_min = mi, .tm_sec = sec };
    time_t t = timegm(&tm);
    if (tm.tm_mday != d) return -1;                 /* 30 February and its like */
    *us = ((int64_t)t - offset) * 1000000 + frac;
    return 0;
}
