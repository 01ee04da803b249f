/* conf.h -- the settings of eimd: one typed table, read from an INI file.
 *
 * A row of CONF_SETTINGS makes the struct member, the default, the check, the line of `eimd --check` and the comment in
 * the file that `eimd init` writes. Unknown sections, unknown or repeated keys and wrong values are refused with file,
 * line, name and what is allowed. Reading is for the main thread only (inih keeps its options in globals, which are
 * always set to the same values). */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct conf_address { char host[64]; uint16_t port; };     /* numeric IPv4 or IPv6 address, without brackets */
struct conf_list { const char **v; size_t n; };

enum { CONF_FILE_MAX = 1 << 20, CONF_LIST_MAX = 64 };

/* Types of settings, and how each is written:
 *   TEXT      anything of min to max octets                   (struct member: const char *)
 *   INT       a decimal number from min to max                (int64_t)
 *   BOOL      yes or no                                       (bool)
 *   TIME      a number and us, ms, s, m, h or d               (int64_t, microseconds)
 *   SIZE      a number of octets, or with k, M or G (powers of 1024)   (int64_t)
 *   ADDRESS   1.2.3.4:PORT or [::1]:PORT; port 0 = any free one        (struct conf_address)
 *   WORD      one of `words`                                  (int, its position in them)
 *   LIST      texts with commas between                       (struct conf_list)                                         */
#define CONF_US 1
#define CONF_S  1000000LL
#define CONF_M  (60 * CONF_S)
#define CONF_H  (60 * CONF_M)
#define CONF_D  (24 * CONF_H)
#define CONF_K  1024LL

/* Columns: section, key, type, default, least, most, words, reload (takes effect on SIGHUP), help line. */
#define CONF_SETTINGS(X)                                                                                  \
    X(eim, fqdn, TEXT, "localhost", 1, 253, NULL, false,                                                  \
      "the name under which devices reach this eIM; goes into eUICCs")                                    \
    X(eim, eim_id, TEXT, "", 0, 128, NULL, false,                                                         \
      "eimId that eUICCs know us by; empty = the fqdn. Fixed at the first start")                         \
    X(eim, signing_key, TEXT, "eim", 1, 64, NULL, false,                                                  \
      "name of the key that signs packages: keys/NAME.pem. Fixed at the first start")                     \
    X(eim, enrol_unknown, BOOL, "no", 0, 0, NULL, true,                                                   \
      "enrol an EID that is not known as unverified, instead of refusing it")                             \
    X(eim, enrol_per_hour, INT, "100", 0, 1000000, NULL, true,                                            \
      "at most so many of them an hour")                                                                  \
    X(eim, indirect_download, BOOL, "no", 0, 0, NULL, true,                                               \
      "profiles may be brought to devices through this eIM; stands in the configuration that eUICCs get") \
    X(eim, outcome_timeout, TIME, "7d", CONF_S, 365 * CONF_D, NULL, true,                                 \
      "a package without result is of unknown outcome after this time")                                   \
    X(eim, deliveries_max, INT, "3", 1, 1000, NULL, true,                                                 \
      "or after so many deliveries")                                                                      \
    X(eim, contact_interval, TIME, "24h", CONF_S, 90 * CONF_D, NULL, true,                                \
      "usual time between two contacts of a device; nothing times out before two of them")                \
    X(eim, auto_interval, TIME, "10m", 10 * CONF_M, 90 * CONF_D, NULL, true,                              \
      "at most one automatic package in this time because of something unsigned")                         \
    X(eim, contact_flush, TIME, "60s", CONF_S, CONF_H, NULL, true,                                        \
      "how long 'last seen' may wait in memory")                                                          \
    X(eim, sweep_rows, INT, "2000", 1, 1000000, NULL, true,                                               \
      "devices the janitor looks at every second")                                                        \
    X(notify, workers, INT, "4", 0, 64, NULL, false,                                                      \
      "threads that bring notifications to SM-DP+; 0 = none is forwarded by this node")                   \
    X(notify, per_address, INT, "2", 1, 64, NULL, true,                                                   \
      "of them for one SM-DP+ at most")                                                                   \
    X(notify, retry, TIME, "30s", CONF_S, CONF_D, NULL, true,                                             \
      "pause after the first failure; it doubles with each")                                              \
    X(notify, retry_max, TIME, "4h", CONF_S, 7 * CONF_D, NULL, true,                                      \
      "up to this one")                                                                                   \
    X(notify, give_up, TIME, "7d", CONF_S, 365 * CONF_D, NULL, true,                                      \
      "a notification that its SM-DP+ did not take for so long has failed")                               \
    X(push, workers, INT, "2", 0, 64, NULL, false,                                                        \
      "threads that push to devices that can be reached; 0 = this node does not")                         \
    X(events, keep, TIME, "30d", CONF_H, 3650 * CONF_D, NULL, true,                                       \
      "events that are older are removed from the event log")                                             \
    X(outbound, allow, LIST, "", 0, 64, NULL, false,                                                      \
      "loopback, private and link-local addresses (or ADDRESS/BITS) that may be connected to all the same") \
    X(device, listen, ADDRESS, "127.0.0.1:8443", 0, 0, NULL, false,                                       \
      "where devices reach ESipa over HTTPS")                                                             \
    X(device, workers, INT, "2", 1, 256, NULL, false,                                                     \
      "threads that answer devices")                                                                      \
    X(device, slow_workers, INT, "64", 1, 256, NULL, false,                                               \
      "threads that wait for SM-DP+ on behalf of devices")                                                \
    X(device, queue, INT, "1024", 1, 100000, NULL, false,                                                 \
      "requests that may wait for them; beyond it 503")                                                   \
    X(device, connections, INT, "10000", 1, 1000000, NULL, false,                                         \
      "open connections; beyond it none is accepted until one closes")                                    \
    X(device, header_max, SIZE, "8k", 256, 64 * CONF_K, NULL, false,                                      \
      "octets of a request's line and header")                                                            \
    X(device, body_max, SIZE, "64k", 1024, 1024 * CONF_K, NULL, false,                                    \
      "octets of a request's body; beyond it 413")                                                        \
    X(device, idle_timeout, TIME, "60s", CONF_S, CONF_H, NULL, false,                                     \
      "a connection without request is closed after this time")                                           \
    X(device, request_timeout, TIME, "10s", CONF_S, CONF_H, NULL, false,                                  \
      "a request must be complete in this time from its first octet")                                     \
    X(device, retry_after, TIME, "10s", CONF_S, CONF_H, NULL, false,                                      \
      "Retry-After of a 503")                                                                             \
    X(coap, enabled, BOOL, "no", 0, 0, NULL, false,                                                       \
      "devices are served over CoAP with DTLS too, with the certificate of [tls]")                        \
    X(coap, listen, ADDRESS, "127.0.0.1:5684", 0, 0, NULL, false,                                         \
      "where they reach ESipa over CoAPS (UDP)")                                                          \
    X(coap, psk, TEXT, "", 0, 4096, NULL, false,                                                          \
      "file of pre-shared keys, IDENTITY:HEX a line; relative to the data directory; empty = none")       \
    X(coap, sessions, INT, "1000", 1, 100000, NULL, false,                                                \
      "DTLS sessions; an idle one goes for a new one")                                                    \
    X(coap, per_address, INT, "16", 1, 10000, NULL, false,                                                \
      "requests of one address under way; beyond it 4.29")                                                \
    X(coap, idle_timeout, TIME, "5m", CONF_S, CONF_D, NULL, false,                                        \
      "a session without request goes after this time")                                                   \
    X(es2plus, enabled, BOOL, "no", 0, 0, NULL, false,                                                    \
      "SM-DP+ may notify us (ES2+) by mutual TLS, with the certificate of [tls]")                         \
    X(es2plus, listen, ADDRESS, "127.0.0.1:8445", 0, 0, NULL, false,                                      \
      "where they reach us")                                                                              \
    X(api, listen, ADDRESS, "127.0.0.1:8444", 0, 0, NULL, false,                                          \
      "where people and systems reach the REST API over HTTPS")                                           \
    X(api, workers, INT, "2", 1, 256, NULL, false,                                                        \
      "threads that answer the API")                                                                      \
    X(api, queue, INT, "256", 1, 100000, NULL, false,                                                     \
      "requests that may wait for them; beyond it 503")                                                   \
    X(api, connections, INT, "1000", 1, 1000000, NULL, false,                                             \
      "open connections")                                                                                 \
    X(api, header_max, SIZE, "16k", 256, 64 * CONF_K, NULL, false,                                        \
      "octets of a request's line and header")                                                            \
    X(api, idle_timeout, TIME, "60s", CONF_S, CONF_H, NULL, false,                                        \
      "a connection without request is closed after this time")                                           \
    X(api, request_timeout, TIME, "30s", CONF_S, CONF_H, NULL, false,                                     \
      "a request must be complete in this time from its first octet")                                     \
    X(api, metrics_from, LIST, "127.0.0.1, ::1", 0, 64, NULL, false,                                      \
      "addresses that may read /metrics without a token")                                                 \
    X(tls, certificate, TEXT, "tls/cert.pem", 1, 4096, NULL, true,                                        \
      "PEM chain of both listeners (P-256); relative to the data directory")                              \
    X(tls, key, TEXT, "tls/key.pem", 1, 4096, NULL, true,                                                 \
      "its private key, PEM")                                                                             \
    X(tls, brainpool_certificate, TEXT, "", 0, 4096, NULL, true,                                          \
      "a second one with a brainpoolP256r1 key for TLS 1.2; empty = none")                                \
    X(tls, brainpool_key, TEXT, "", 0, 4096, NULL, true,                                                  \
      "its private key, PEM")                                                                             \
    X(tls, ticket_rotation, TIME, "12h", CONF_M, 7 * CONF_D, NULL, false,                                 \
      "session tickets get a new key so often; the one before is still taken")                            \
    X(store, url, TEXT, "", 0, 4096, NULL, false,                                                         \
      "postgresql://... or sqlite:PATH; empty = eimd.db in the data directory")                           \
    X(store, readers, INT, "4", 1, 256, NULL, false,                                                      \
      "connections for reading")                                                                          \
    X(store, writers, INT, "16", 1, 256, NULL, false,                                                     \
      "connections for writing (PostgreSQL; SQLite has one)")                                             \
    X(store, queue, INT, "4096", 1, 1000000, NULL, false,                                                 \
      "transactions that may wait")                                                                       \
    X(store, cache, SIZE, "32M", 1024 * CONF_K, 4096 * 1024 * CONF_K, NULL, false,                        \
      "SQLite's page cache")                                                                              \
    X(server, loops, INT, "1", 1, 64, NULL, false,                                                        \
      "threads that read and write sockets")                                                              \
    X(server, user, TEXT, "", 0, 64, NULL, false,                                                         \
      "account to become when started as root; empty = the owner of the data directory")                  \
    X(server, drain_timeout, TIME, "10s", 0, CONF_H, NULL, true,                                          \
      "how long a stopping server waits for requests under way")                                          \
    X(signer, process, BOOL, "no", 0, 0, NULL, false,                                                     \
      "keys that sign packages live in a process of their own, eimsigner (doc/security.md)")               \
    X(signer, journal, TEXT, "signer", 1, 4096, NULL, false,                                              \
      "the folder of its journal; it must outlive every copy of the store")                                \
    X(signer, lists_per_minute, INT, "0", 0, 100000000, NULL, false,                                      \
      "packages of nothing but listProfileInfo, listEim and getRAT that it signs; 0 = as many as asked for") \
    X(signer, changes_per_minute, INT, "0", 0, 100000000, NULL, false,                                    \
      "packages that change something that it signs; 0 = as many as asked for")                            \
    X(log, level, WORD, "info", 0, 0, "debug|info|warn|error", true,                                      \
      "least level of the lines on standard error")

#define CONF_C_TEXT    const char *
#define CONF_C_INT     int64_t
#define CONF_C_BOOL    bool
#define CONF_C_TIME    int64_t
#define CONF_C_SIZE    int64_t
#define CONF_C_ADDRESS struct conf_address
#define CONF_C_WORD    int
#define CONF_C_LIST    struct conf_list

struct conf {
    struct arena arena;                /* holds the texts */
#define X(section, key, type, def, min, max, words, reload, help) CONF_C_##type section##_##key;
    CONF_SETTINGS(X)
#undef X
};

/* conf_read -- defaults, then the file. E_CONF: `why` says "FILE:LINE: ..." with name and what is allowed; E_NOT_FOUND, E_IO:
 * it cannot be read; E_TOO_LARGE above CONF_FILE_MAX. On failure *out is freed and zeroed. Else conf_free it. */
MUST enum eim_err conf_read(struct conf *out, const char *path, struct err *e);
/* conf_read_text -- the same over a text; `name` stands for the file in messages. */
MUST enum eim_err conf_read_text(struct conf *out, struct slice text, const char *name, struct err *e);
/* conf_set -- one setting from outside the file (the command line), named "section.key". E_CONF as above, *c unchanged. */
MUST enum eim_err conf_set(struct conf *c, const char *name, const char *value, struct err *e);
void conf_free(struct conf *c);

/* conf_print -- all settings with their values, as a file that conf_read takes. */
void conf_print(const struct conf *c, struct buf *out);
/* conf_print_defaults -- a file of comments: every setting with its help line, range and default. `fqdn` not NULL: that
 * one setting is written for real. */
void conf_print_defaults(struct buf *out, const char *fqdn);

/* conf_fixed_change -- "section.key" of the first setting with index >= *from that differs and takes effect only at the next
 * start (*from moves behind it); NULL when there is no more. For telling the operator at a reload. */
const char *conf_fixed_change(const struct conf *before, const struct conf *after, size_t *from);

#endif
