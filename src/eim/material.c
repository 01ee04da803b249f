/* material.c -- keys and certificates as people give them in JSON. */
#include "eim/material.h"

#include "crypto/cert.h"

bool material_read(const json_t *text, bool certificate, struct slice *der, struct arena *a)
{
    static const char pem[] = "-----BEGIN";
    struct slice in = json_slice(text);
    if (in.n >= sizeof pem - 1 && !memcmp(in.p, pem, sizeof pem - 1))
        return certificate && cert_read(in, der, a, &(struct err){ 0 }) == OK;
    uint8_t *out = arena_alloc(a, in.n);
    long n = out ? slice_from_b64(in, out, in.n) : -1;
    *der = (struct slice){ out, n > 0 ? (size_t)n : 0 };
    return n > 0;
}
