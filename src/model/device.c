/* device.c -- printing, parsing and small judgements over struct device. */
#include "model/device.h"

#include "base/siphash.h"

#include <stdio.h>

const char *evidence_name(enum evidence_class c)
{
    static const char *const names[EVIDENCE_END] = {
#define X(name, text) [name] = text,
        EVIDENCE_CLASSES(X)
#undef X
    };
    return c < EVIDENCE_END ? names[c] : "none";
}

const char *key_class_name(enum key_class k)
{
    return k == KEY_CI ? "ci" : k == KEY_PINNED ? "pinned" : "unverified";
}

int64_t model_association(const uint8_t key[16], const struct eid *eid)
{
    int64_t h = (int64_t)(siphash(key, (struct slice){ eid->b, sizeof eid->b }) & INT64_MAX);
    return h ? h : 1;
}

bool eid_parse(struct slice text, bool strict, struct eid *out)
{
    if (text.n != 32) return false;
    unsigned rest = 0;
    for (size_t i = 0; i < 32; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
        rest = (rest * 10 + (unsigned)(text.p[i] - '0')) % 97;
    }
    if (strict && rest != 1) return false;
    return slice_unhex(text, out->b, sizeof out->b) == 16;
}

void eid_print(const struct eid *e, char out[33])
{
    slice_hex((struct slice){ e->b, 16 }, false, out);
}

void eid_short(const struct eid *e, char out[7])
{
    snprintf(out, 7, "..%02x%02x", e->b[14], e->b[15]);
}

bool iccid_parse(struct slice text, struct iccid *out)
{
    if (text.n < 18 || text.n > 20) return false;
    memset(out->b, 0xff, sizeof out->b);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
        uint8_t d = (uint8_t)(text.p[i] - '0');
        out->b[i / 2] = i % 2 ? (uint8_t)((out->b[i / 2] & 0x0f) | d << 4) : (uint8_t)((out->b[i / 2] & 0xf0) | d);
    }
    return true;
}

bool iccid_written(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        bool padding = i + 1 == text.n && (text.p[i] == 'F' || text.p[i] == 'f');
        if ((text.p[i] < '0' || text.p[i] > '9') && !padding) return false;
    }
    return text.n >= 18 && text.n <= 20;
}

void iccid_print(struct slice iccid, char out[21])
{
    size_t n = 0;
    for (size_t i = 0; i < iccid.n && i < 10; i++) {
        out[n++] = "0123456789abcdef"[iccid.p[i] & 15];
        out[n++] = "0123456789abcdef"[iccid.p[i] >> 4];
    }
    while (n && out[n - 1] == 'f') n--;
    out[n] = 0;
}

void plmn_print(struct slice p, char out[8])
{
    out[0] = 0;
    if (p.n != 3) return;
    int mnc3 = p.p[1] >> 4;
    int n = snprintf(out, 8, "%x%x%x%x%x", p.p[0] & 15, p.p[0] >> 4, p.p[1] & 15, p.p[2] & 15, p.p[2] >> 4);
    if (mnc3 != 15) snprintf(out + n, 8 - (size_t)n, "%x", mnc3);
}

bool device_inventory_fresh(const struct device *d)
{
    return d->inventory_us > 0 && d->inventory_us >= d->changed_us;
}
