/* bsp.c -- session keys and segments of a bound profile package. */
#include "sim/bsp.h"

#include "crypto/digest.h"
#include "sim/tlv.h"

/* 80 and zeros up to a whole block are added to what is encrypted, so one byte less fits. 4: tag and length. */
enum { CIPHER_MAX = (BSP_SEGMENT - 4 - BSP_MAC) / AES_BLOCK * AES_BLOCK, PLAIN_MAX = BSP_SEGMENT - 4 - BSP_MAC };

enum eim_err bsp_kdf(struct slice secret, struct slice info, uint8_t *out, size_t n, struct err *e)
{
    for (uint32_t i = 1; n > 0; i++) {
        uint8_t counter[4] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i }, block[SHA256_SIZE];
        const struct slice parts[] = { secret, slice_of(counter, sizeof counter), info };
        size_t some = n < sizeof block ? n : sizeof block;
        TRY(digest_sha256_spans(parts, 3, block, e));
        memcpy(out, block, some);
        out += some;
        n -= some;
    }
    return OK;
}

enum eim_err bsp_begin(struct bsp *b, struct slice secret, struct slice host_id, struct slice eid, struct err *e)
{
    uint8_t info[4 + 2 * 16], keys[3 * AES_BLOCK];
    size_t n = 0;
    if (host_id.n > 16 || eid.n > 16)
        return fail(e, E_INVALID, "SGP.22 2.6.4.2", "a host id of %zu bytes", host_id.n);
    info[n++] = BSP_KEY_TYPE;
    info[n++] = BSP_KEY_LEN;
    info[n++] = (uint8_t)host_id.n;
    if (host_id.n)
        memcpy(info + n, host_id.p, host_id.n);
    n += host_id.n;
    info[n++] = (uint8_t)eid.n;
    if (eid.n)
        memcpy(info + n, eid.p, eid.n);
    TRY(bsp_kdf(secret, slice_of(info, n + eid.n), keys, sizeof keys, e));
    bsp_resume(b, keys + AES_BLOCK, keys + 2 * AES_BLOCK, keys);
    digest_wipe(keys, sizeof keys);
    return OK;
}

void bsp_resume(struct bsp *b, const uint8_t enc[AES_BLOCK], const uint8_t mac[AES_BLOCK], const uint8_t chain[AES_BLOCK])
{
    memcpy(b->enc, enc, AES_BLOCK);
    memcpy(b->mac, mac, AES_BLOCK);
    memcpy(b->chain, chain, AES_BLOCK);
    b->number = 1;
}

/* The segment's ICV is its number, encrypted. Numbers go on where a segment has only a MAC. */
static bool icv(struct bsp *b, uint8_t out[AES_BLOCK])
{
    static const uint8_t zero[AES_BLOCK];
    uint8_t number[AES_BLOCK] = { [12] = (uint8_t)(b->number >> 24), (uint8_t)(b->number >> 16), (uint8_t)(b->number >> 8), (uint8_t)b->number };
    b->number++;
    return aes_cbc(true, b->enc, zero, slice_of(number, AES_BLOCK), out, &(struct err){ 0 }) == OK;
}

static bool chained(struct bsp *b, struct slice head, struct slice data)
{
    const struct slice parts[] = { slice_of(b->chain, AES_BLOCK), head, data };
    uint8_t mac[AES_BLOCK];
    if (aes_cmac(b->mac, parts, 3, mac, &(struct err){ 0 }) != OK)
        return false;
    memcpy(b->chain, mac, AES_BLOCK);
    return true;
}

static bool seal_one(struct bsp *b, uint32_t tag, bool encrypted, struct slice plain, struct buf *out)
{
    uint8_t padded[BSP_SEGMENT] = { 0 }, data[BSP_SEGMENT], iv[AES_BLOCK], head[4] = { (uint8_t)tag };
    size_t n = plain.n, h = 1;
    memcpy(padded, plain.p, plain.n);
    if (!icv(b, iv))
        return false;
    if (encrypted) {
        padded[n] = 0x80;
        n = (n / AES_BLOCK + 1) * AES_BLOCK;
        if (aes_cbc(true, b->enc, iv, slice_of(padded, n), data, &(struct err){ 0 }) != OK)
            return false;
    } else {
        memcpy(data, padded, n);
    }
    size_t len = n + BSP_MAC;
    if (len >= 0x100) {
        head[h++] = 0x82;
        head[h++] = (uint8_t)(len >> 8);
    } else if (len >= 0x80) {
        head[h++] = 0x81;
    }
    head[h++] = (uint8_t)len;
    if (!chained(b, slice_of(head, h), slice_of(data, n)))
        return false;
    buf_put(out, slice_of(head, h));
    buf_put(out, slice_of(data, n));
    buf_put(out, slice_of(b->chain, BSP_MAC));
    return true;
}

void bsp_seal(struct bsp *b, uint32_t tag, bool encrypted, struct slice plain, struct buf *out)
{
    size_t most = encrypted ? CIPHER_MAX - 1 : PLAIN_MAX;
    for (size_t at = 0; at < plain.n; at += most) {
        size_t n = plain.n - at < most ? plain.n - at : most;
        if (!seal_one(b, tag, encrypted, slice_of(plain.p + at, n), out))
            out->failed = true;
    }
}

static enum bsp_said open_one(struct bsp *b, bool encrypted, const struct tlv *t, struct buf *out)
{
    uint8_t iv[AES_BLOCK], plain[BSP_SEGMENT];
    if (t->raw.n > BSP_SEGMENT || t->value.n < BSP_MAC)
        return BSP_STRUCTURE;
    struct slice head = slice_of(t->raw.p, t->raw.n - t->value.n), data = slice_of(t->value.p, t->value.n - BSP_MAC);
    if (!icv(b, iv) || !chained(b, head, data) || !digest_equal(slice_of(b->chain, BSP_MAC), slice_of(data.p + data.n, BSP_MAC)))
        return BSP_SECURITY;
    if (!encrypted) {
        buf_put(out, data);
        return BSP_GOOD;
    }
    if (data.n == 0 || data.n % AES_BLOCK || aes_cbc(false, b->enc, iv, data, plain, &(struct err){ 0 }) != OK)
        return BSP_STRUCTURE;
    size_t n = data.n;
    while (n > 0 && plain[n - 1] == 0)
        n--;
    if (n == 0 || plain[n - 1] != 0x80)
        return BSP_STRUCTURE;
    buf_put(out, slice_of(plain, n - 1));
    return BSP_GOOD;
}

enum bsp_said bsp_open(struct bsp *b, uint32_t tag, bool encrypted, struct slice segments, struct buf *out)
{
    struct tlv t;
    enum bsp_said said = segments.n ? BSP_GOOD : BSP_STRUCTURE;
    while (said == BSP_GOOD && tlv_next(&segments, &t))
        said = t.tag == tag ? open_one(b, encrypted, &t, out) : BSP_STRUCTURE;
    return said == BSP_GOOD && segments.n ? BSP_STRUCTURE : said;
}
