/* jsonout.c -- the forms of the API's JSON members. */
#include "front/jsonout.h"

#include "base/buf.h"
#include "base/env.h"
#include "model/device.h"

#include <stdio.h>

enum {
    TEXT_MAX = 64 * 1024, ENCODED_MAX = 1 << 20, DUMP_MAX = 32 << 20,
    PIECE = 768,                       /* a multiple of 3: base64 of one piece needs no padding */
};

void jsonout_text(json_t *o, const char *key, struct slice text)
{
    json_t *s = json_stringn((const char *)text.p, text.n);        /* NULL when it is not UTF-8 */
    if (!s) {
        struct buf b;
        buf_init(&b, TEXT_MAX);
        for (size_t i = 0; i < text.n; i++) {
            if (text.p[i] < 0x80) buf_put(&b, slice_of(text.p + i, 1));
            else buf_str(&b, "\xEF\xBF\xBD");
        }
        s = json_stringn((const char *)b.p, b.n);
        buf_free(&b);
    }
    json_object_set_new(o, key, s);
}

void jsonout_text_or_null(json_t *o, const char *key, struct slice text)
{
    if (text.n) jsonout_text(o, key, text);
    else json_object_set_new(o, key, json_null());
}

void jsonout_time(json_t *o, const char *key, int64_t us)
{
    char text[32];
    if (us) env_rfc3339(us, text);
    json_object_set_new(o, key, us ? json_string(text) : json_null());
}

void jsonout_int_unless(json_t *o, const char *key, int64_t v, int64_t none)
{
    json_object_set_new(o, key, v == none ? json_null() : json_integer(v));
}

void jsonout_operation(json_t *o, const char *key, int64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "op_%016llx", (unsigned long long)id);
    json_object_set_new(o, key, id ? json_string(text) : json_null());
}

/* put_encoded -- the bytes in pieces through `encode`, so that a full arena can never turn a value into null. */
static void put_encoded(json_t *o, const char *key, struct slice bytes, void (*encode)(struct slice piece, char *out))
{
    char piece[2 * PIECE + 8];
    struct buf b;
    buf_init(&b, ENCODED_MAX);
    for (size_t at = 0; at < bytes.n; at += PIECE) {
        encode(slice_of(bytes.p + at, bytes.n - at < PIECE ? bytes.n - at : PIECE), piece);
        buf_str(&b, piece);
    }
    json_object_set_new(o, key, b.n && !b.failed ? json_stringn((const char *)b.p, b.n) : json_null());
    buf_free(&b);
}

static void upper_hex(struct slice piece, char *out)
{
    slice_hex(piece, true, out);
}

void jsonout_base64(json_t *o, const char *key, struct slice bytes)
{
    put_encoded(o, key, bytes, slice_to_b64);
}

void jsonout_hex(json_t *o, const char *key, struct slice bytes)
{
    put_encoded(o, key, bytes, upper_hex);
}

void jsonout_iccid(json_t *o, const char *key, struct slice iccid)
{
    char text[21];
    if (iccid.n) iccid_print(iccid, text);
    json_object_set_new(o, key, iccid.n ? json_string(text) : json_null());
}

static int put(const char *p, size_t n, void *arg)
{
    struct buf *b = arg;
    buf_put(b, slice_of(p, n));
    return b->failed ? -1 : 0;
}

struct slice jsonout_dump(const json_t *o, struct arena *a)
{
    struct buf b;
    buf_init(&b, DUMP_MAX);
    bool ok = o && json_dump_callback(o, put, &b, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
    struct slice text = ok ? arena_copy(a, buf_slice(&b)) : (struct slice){ 0 };
    buf_free(&b);
    return text;
}
