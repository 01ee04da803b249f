/* input.c -- finds out in which form a message was given. */
#include "app/eimctl/input.h"

#include <sys/stat.h>

#include "crypto/cert.h"

/* A copy of the text without white space (and colons, for hex dumps); false if there are octets that no text has. */
static bool squeeze(struct ctl *c, struct slice in, bool colons, struct slice *out)
{
    uint8_t *mem = arena_alloc(&c->arena, in.n + 1);
    size_t n = 0;
    if (!mem) return false;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t b = in.p[i];
        if (b == ' ' || b == '\t' || b == '\r' || b == '\n' || (colons && b == ':')) continue;
        if (b < ' ' || b > '~') return false;
        mem[n++] = b;
    }
    *out = slice_of(mem, n);
    return true;
}

static bool all_hex(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t b = s.p[i];
        if (!((b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F'))) return false;
    }
    return true;
}

/* Text to octets; -1 when it is neither hex nor base64, -2 for an odd number of hex digits. */
static int from_text(struct ctl *c, struct slice in, struct slice *out)
{
    struct slice hex, b64;
    uint8_t *mem = arena_alloc(&c->arena, in.n + 1);
    long n;
    if (!mem || !squeeze(c, in, true, &hex)) return -1;
    if (hex.n > 1 && hex.p[0] == '0' && (hex.p[1] == 'x' || hex.p[1] == 'X')) hex = slice_of(hex.p + 2, hex.n - 2);
    if (all_hex(hex)) {
        if (hex.n % 2) return -2;
        n = slice_unhex(hex, mem, in.n + 1);
    } else {
        if (!squeeze(c, in, false, &b64)) return -1;
        n = slice_from_b64(b64, mem, in.n + 1);
    }
    if (n < 0) return -1;
    *out = slice_of(mem, (size_t)n);
    return 0;
}

static int from_content(struct ctl *c, const char *path, struct slice *out)
{
    struct buf b;
    buf_init(&b, CTL_TEXT_MAX);
    bool read = ctl_read(c, path, &b);
    struct slice raw = read ? arena_copy(&c->arena, buf_slice(&b)) : (struct slice){ 0 };
    buf_free(&b);
    if (!read) return CTL_REFUSED;
    if (!raw.p) return ctl_fail(c, CTL_REFUSED, "out of memory");
    int rc = from_text(c, raw, out);
    if (rc == -2)
        return ctl_fail(c, CTL_REFUSED, "%s: an odd number of hex digits", strcmp(path, "-") ? path : "standard input");
    if (rc != 0) *out = raw;
    return CTL_OK;
}

int input_message(struct ctl *c, const char *arg, struct slice *out)
{
    struct stat st;
    if (!arg || strcmp(arg, "-") == 0) return from_content(c, "-", out);
    if (*arg && strlen(arg) < 4096 && stat(arg, &st) == 0 && !S_ISDIR(st.st_mode)) return from_content(c, arg, out);
    int rc = from_text(c, slice_str(arg), out);
    if (rc == 0) return CTL_OK;
    if (rc == -2) return ctl_fail(c, CTL_REFUSED, "an odd number of hex digits (%zu)", strlen(arg));
    return ctl_fail(c, CTL_REFUSED, "%.100s: no such file, and neither hex digits nor base64", arg);
}

int input_certificate(struct ctl *c, const char *option, struct slice *der)
{
    struct err e = { 0 };
    const char *path = ctl_option(c, option);
    struct buf b;
    buf_init(&b, CERT_PEM_MAX);
    struct slice hex;
    bool good = ctl_read(c, path, &b);
    if (!good) {
        buf_free(&b);
        return CTL_REFUSED;
    }
    struct slice in = buf_slice(&b);
    if (from_text(c, in, &hex) == 0 && hex.n) in = hex;
    enum eim_err rc = cert_read(in, der, &c->arena, &e);
    buf_free(&b);
    return rc == OK ? CTL_OK : ctl_fail(c, CTL_REFUSED, "%s %s: %s", option, path, e.why);
}
