/* token.h -- stand-in until asn1/sgp32.h has sgp32_token_tlv. */
#ifndef CRYPTO_TOKEN_H
#define CRYPTO_TOKEN_H
#include "base/slice.h"
static inline struct slice sgp32_token_tlv(int64_t token, uint8_t out[12])
{
    int n = 1;
    while (n < 8 && token >> (8 * n - 1)) n++;
    out[0] = 0x84;
    out[1] = (uint8_t)n;
    for (int i = 0; i < n; i++) out[2 + i] = (uint8_t)(token >> (8 * (n - 1 - i)));
    return (struct slice){ out, (size_t)n + 2 };
}
#endif
