/* outbound.c -- how the eIM reaches other people's servers: one request over HTTPS or CoAPS a call, never a redirect, and only to addresses that are open
 * or listed. What is judged is the address that is connected to, at the moment of connecting, so a name that resolves to something else a
 * moment later changes nothing. */
#include "net/outbound.h"

#include "net/coapc.h"
#include "net/httpc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CREDENTIAL_MAX = 64, PATH_LEN = 4096, REPLY_DEFAULT = 64 << 10 };
static const int64_t CONNECT_US = 5000000, TOTAL_US = 30000000;

struct net { uint8_t address[16]; unsigned bits; };        /* IPv4 as ::ffff:a.b.c.d */

/* Roots that were replaced stay until the end, because requests may be using them: reloads are few. */
struct roots { struct roots *before; size_t n; uint8_t pem[]; };

struct outbound_real {
    struct outbound base;              /* first member */
    struct outbound_config c;
    struct net *allow;
    struct roots *_Atomic roots;
    atomic_bool stop;
};

/* ---- addresses ---- */

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool in_net(const uint8_t a[16], const uint8_t net[16], unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, net, whole) != 0) return false;
    return !rest || (a[whole] ^ net[whole]) >> (8 - rest) == 0;
}

/* "1.2.3.0/24", "fd00::/8", "::1". */
static bool net_parse(const char *text, struct net *out)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (!n || n >= sizeof address) return false;
    memcpy(address, text, n);
    address[n] = 0;
    bool four = strchr(address, ':') == NULL;
    memcpy(out->address, mapped, sizeof mapped);
    if (inet_pton(four ? AF_INET : AF_INET6, address, four ? out->address + 12 : out->address) != 1) return false;
    out->bits = 128;
    if (!slash) return true;
    unsigned bits;
    char end;
    if (sscanf(slash + 1, "%3u%c", &bits, &end) != 1 || bits > (four ? 32u : 128u)) return false;
    out->bits = four ? bits + 96 : bits;
    return true;
}

static bool address_of(const struct sockaddr *a, uint8_t out[16])
{
    if (a->sa_family == AF_INET) {
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
        return true;
    }
    if (a->sa_family != AF_INET6) return false;
    memcpy(out, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
    return true;
}

/* IANA's special-purpose address registries, and multicast. The last four are IPv6 forms with an IPv4 address inside. */
static const char *const set_apart[] = {
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16",
};

bool outbound_public(const struct sockaddr *a)
{
    uint8_t address[16];
    struct net n;
    if (!address_of(a, address)) return false;
    for (size_t i = 0; i < sizeof set_apart / sizeof set_apart[0]; i++)
        if (net_parse(set_apart[i], &n) && in_net(address, n.address, n.bits)) return false;
    return true;
}

static bool may_connect(void *arg, const struct sockaddr *a)
{
    const struct outbound_real *o = arg;
    uint8_t address[16];
    if (outbound_public(a)) return true;
    if (!address_of(a, address)) return false;
    for (size_t i = 0; i < o->c.n_allow; i++)
        if (in_net(address, o->allow[i].address, o->allow[i].bits)) return true;
    return false;
}

/* ---- requests ---- */

static bool name_ok(const char *s)
{
    size_t n = strlen(s);
    return n && n <= CREDENTIAL_MAX && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

/* coaps://HOST[:PORT]/PATH. What CoAP answers is told as HTTP would (RFC 8075). */
static enum eim_err request_coap(struct outbound_real *o, const struct outbound_request *r, struct slice pem, int *status, struct buf *reply, struct err *e)
{
    enum { HOST_MAX = 254, COAPS_PORT = 5684 };
    char host[HOST_MAX];
    const char *at = r->url + strlen("coaps://");
    size_t n = strcspn(at, ":/");
    unsigned code;
    int port = COAPS_PORT;
    struct coapc *c;
    *status = 0;
    if (!n || n >= sizeof host) return fail(e, E_INVALID, NULL, "coaps://HOST[:PORT]/PATH is needed");
    memcpy(host, at, n);
    host[n] = 0;
    at += n;
    if (*at == ':') port = (int)strtol(at + 1, NULL, 10);
    at = strchr(at, '/');
    if (!at || port < 1 || port > 65535) return fail(e, E_INVALID, NULL, "coaps://HOST[:PORT]/PATH is needed");
    const struct coapc_config config = { .host = host, .port = port, .ca_pem = pem, .may_connect = may_connect, .arg = o, .stop = &o->stop,
                                         .total_us = r->total_us ? r->total_us : TOTAL_US };
    TRY(coapc_new(&c, &config, e));
    if (r->sent) *r->sent = true;          /* as far as we know */
    enum eim_err rc = coapc_post(c, at + 1, r->body, &code, reply, e);
    coapc_free(c);
    if (rc == OK && reply->n > (r->reply_max ? r->reply_max : REPLY_DEFAULT)) rc = fail(e, E_TOO_LARGE, NULL, "the answer is larger than allowed");
    if (rc != OK) {
        buf_reset(reply);
        return rc;
    }
    *status = code == 204 || code == 205 ? reply->n ? 200 : 204 : (int)code;
    return OK;
}

static enum eim_err request(struct outbound *base, const struct outbound_request *r, int *status, struct buf *reply, struct err *e)
{
    struct outbound_real *o = (struct outbound_real *)base;
    char cert[PATH_LEN], key[PATH_LEN];
    struct httpc *h;
    const struct roots *roots = atomic_load(&o->roots);
    struct slice pem = r->trust_pem.n || !roots ? r->trust_pem : slice_of(roots->pem, roots->n);
    bool coap = r->url && strncmp(r->url, "coaps://", 8) == 0;
    if (r->sent) *r->sent = false;
    if (!r->url || (!coap && strncmp(r->url, "https://", 8) != 0)) return fail(e, E_INVALID, NULL, "only https:// and coaps:// are connected to");
    if (!pem.n) return fail(e, E_CONF, NULL, "there is no root that the server's certificate could chain to");
    if (coap) return request_coap(o, r, pem, status, reply, e);
    struct httpc_config c = {
        .ca_pem = pem, .https_only = true, .may_connect = may_connect, .arg = o, .stop = &o->stop, .user_agent = "eimd",
        .connect_us = r->connect_us ? r->connect_us : CONNECT_US, .total_us = r->total_us ? r->total_us : TOTAL_US,
        .reply_bytes = r->reply_max ? r->reply_max : REPLY_DEFAULT,
    };
    if (r->credential) {
        if (!o->c.credentials || !name_ok(r->credential)) return fail(e, E_CONF, NULL, "there is no such client credential");
        snprintf(cert, sizeof cert, "%s/%s.pem", o->c.credentials, r->credential);
        snprintf(key, sizeof key, "%s/%s.key", o->c.credentials, r->credential);
        c.cert_file = cert;
        c.key_file = key;
    }
    TRY(httpc_new(&h, &c, e));
    enum eim_err rc = httpc_request(h, r->method, r->url, r->headers, r->body, status, reply, e);
    if (r->sent) *r->sent = httpc_sent(h);
    httpc_free(h);
    return rc;
}

enum eim_err outbound_new(struct outbound **out, const struct outbound_config *c, struct err *e)
{
    struct outbound_real *o = calloc(1, sizeof *o);
    *out = NULL;
    if (!o || !(o->allow = calloc(c->n_allow + 1, sizeof *o->allow))) {
        free(o);
        return fail(e, E_NOMEM, NULL, "no memory");
    }
    o->base.request = request;
    o->c = *c;
    for (size_t i = 0; i < c->n_allow; i++)
        if (!net_parse(c->allow[i], &o->allow[i])) {
            outbound_free(&o->base);
            return fail_field(e, E_CONF, NULL, "outbound.allow", "outbound.allow: '%.60s' is no address and no ADDRESS/BITS", c->allow[i]);
        }
    *out = &o->base;
    return OK;
}

enum eim_err outbound_roots(struct outbound *base, struct slice pem, struct err *e)
{
    struct outbound_real *o = (struct outbound_real *)base;
    struct roots *r = malloc(sizeof *r + pem.n);
    if (!r) return fail(e, E_NOMEM, NULL, "no memory for roots");
    r->before = atomic_load(&o->roots);
    r->n = pem.n;
    if (pem.n) memcpy(r->pem, pem.p, pem.n);
    atomic_store(&o->roots, r);
    return OK;
}

void outbound_stop(struct outbound *base)
{
    atomic_store(&((struct outbound_real *)base)->stop, true);
}

void outbound_free(struct outbound *base)
{
    struct outbound_real *o = (struct outbound_real *)base;
    if (!o) return;
    for (struct roots *r = atomic_load(&o->roots), *before; r; r = before) {
        before = r->before;
        free(r);
    }
    free(o->allow);
    free(o);
}
