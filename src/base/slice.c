/* slice.c -- hex and base64 of borrowed bytes. */
#include "base/slice.h"

bool slice_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end) return false;
    *line = slice_of(rest->p, (size_t)(end - rest->p));
    *rest = slice_of(end + 1, rest->n - line->n - 1);
    return true;
}

void slice_hex(struct slice s, bool upper, char *out)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (size_t i = 0; i < s.n; i++) {
        *out++ = digits[s.p[i] >> 4];
        *out++ = digits[s.p[i] & 15];
    }
    *out = 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

long slice_unhex(struct slice hex, uint8_t *out, size_t cap)
{
    if (hex.n % 2 || hex.n / 2 > cap) return -1;
    for (size_t i = 0; i < hex.n; i += 2) {
        int hi = hex_digit(hex.p[i]), lo = hex_digit(hex.p[i + 1]);
        if (hi < 0 || lo < 0) return -1;
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    return (long)(hex.n / 2);
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void slice_to_b64(struct slice s, char *out)
{
    size_t i = 0;
    for (; i + 2 < s.n; i += 3) {
        uint32_t v = (uint32_t)s.p[i] << 16 | (uint32_t)s.p[i + 1] << 8 | s.p[i + 2];
        *out++ = b64[v >> 18]; *out++ = b64[v >> 12 & 63]; *out++ = b64[v >> 6 & 63]; *out++ = b64[v & 63];
    }
    if (s.n - i == 1) {
        *out++ = b64[s.p[i] >> 2]; *out++ = b64[(s.p[i] & 3) << 4]; *out++ = '='; *out++ = '=';
    } else if (s.n - i == 2) {
        uint32_t v = (uint32_t)s.p[i] << 8 | s.p[i + 1];
        *out++ = b64[v >> 10]; *out++ = b64[v >> 4 & 63]; *out++ = b64[(v & 15) << 2]; *out++ = '=';
    }
    *out = 0;
}

static int b64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long slice_from_b64(struct slice in, uint8_t *out, size_t cap)
{
    if (in.n % 4) return -1;
    size_t pad = in.n && in.p[in.n - 1] == '=' ? 1 + (in.p[in.n - 2] == '=') : 0;
    size_t n = in.n / 4 * 3 - pad, at = 0;
    if (n > cap) return -1;
    for (size_t i = 0; i < in.n; i += 4) {
        uint32_t v = 0;
        size_t digits = i + 4 == in.n ? 4 - pad : 4;
        for (size_t k = 0; k < 4; k++) {
            int d = k < digits ? b64_digit(in.p[i + k]) : 0;
            if (d < 0) return -1;
            v = v << 6 | (uint32_t)d;
        }
        if ((digits == 2 && v & 0xffff) || (digits == 3 && v & 0xff)) return -1;     /* bits that mean nothing must be 0 */
        for (size_t k = 0; k + 1 < digits; k++) out[at++] = (uint8_t)(v >> (16 - 8 * k));
    }
    return (long)at;
}
