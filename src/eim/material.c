/* material.c -- keys and certificates as people give them in JSON. */
#include "eim/material.h"

#include "crypto/cert.h"

/* The base64 between the two lines of a PEM text, without its line breaks. */
static struct slice pem_body(struct slice in, struct arena *a)
{
    uint8_t *out = arena_alloc(a, in.n);
    const uint8_t *p = memchr(in.p, '\n', in.n), *end = in.p + in.n;
    size_t n = 0;
    for (; out && p && p < end && *p != '-'; p++)
        if (*p != '\n' && *p != '\r') out[n++] = *p;
    return (struct slice){ out, n };
}

bool material_read(const json_t *text, bool certificate, struct slice *der, struct arena *a)
{
    static const char pem[] = "-----BEGIN";
    struct slice in = json_slice(text);
    bool is_pem = in.n >= sizeof pem - 1 && !memcmp(in.p, pem, sizeof pem - 1);
    if (is_pem && certificate) return cert_read(in, der, a, &(struct err){ 0 }) == OK;
    if (is_pem) in = pem_body(in, a);
    uint8_t *out = in.n ? arena_alloc(a, in.n) : NULL;
    long n = out ? slice_from_b64(in, out, in.n) : -1;
    *der = (struct slice){ out, n > 0 ? (size_t)n : 0 };
    return n > 0;
}
