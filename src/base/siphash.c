/* siphash.c -- SipHash-2-4 from its definition. */
#include "base/siphash.h"

static uint64_t load64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void round_(uint64_t v[4])
{
    v[0] += v[1]; v[1] = rotl(v[1], 13); v[1] ^= v[0]; v[0] = rotl(v[0], 32);
    v[2] += v[3]; v[3] = rotl(v[3], 16); v[3] ^= v[2];
    v[0] += v[3]; v[3] = rotl(v[3], 21); v[3] ^= v[0];
    v[2] += v[1]; v[1] = rotl(v[1], 17); v[1] ^= v[2]; v[2] = rotl(v[2], 32);
}

static void absorb(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    round_(v); round_(v);
    v[0] ^= m;
}

uint64_t siphash(const uint8_t key[16], struct slice in)
{
    uint64_t k0 = load64(key), k1 = load64(key + 8);
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
    size_t at = 0;
    for (; at + 8 <= in.n; at += 8) absorb(v, load64(in.p + at));
    uint8_t tail[8] = { 0 };
    if (in.n > at) memcpy(tail, in.p + at, in.n - at);
    tail[7] = (uint8_t)in.n;
    absorb(v, load64(tail));
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) round_(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
