/* evidence.c -- eimctl evidence export: one file that proves, to whoever has the CI root, what each device ran (doc/evidence.md).
 *
 * The server gives exact bytes and certificates, page by page; they are written as they come. Then the audit log is read once from its
 * beginning: the tree is built anew, and for each result in the file the line that recorded it is taken out, with the proof that it is
 * in the tree under the signed head. So the server computes nothing that it could be asked to compute wrongly. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/eimctl/api.h"
#include "app/eimctl/out.h"
#include "base/env.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "trust/merkle.h"

enum { EVIDENCE_VERSION = 1, PAGE = 500, LOG_MAX = 20000000, BYTES_MAX = 65536, CERT_ROOM = 4096 };

/* A result in the file, and where the log speaks of it. */
struct wanted {
    uint8_t sha256[SHA256_SIZE];
    int64_t number;                    /* of the line, -1: not found */
    char *line;
};

struct making {
    FILE *f;
    struct wanted *wanted;             /* sorted by digest once all are there */
    size_t n, room;
    struct merkle_hash *leaf;          /* all of the log */
    uint64_t size;
    json_t *eums;                      /* digests of EUM certificates that are in the file already */
};

static void making_free(struct making *m)
{
    for (size_t i = 0; i < m->n; i++) mem_free(m->wanted[i].line);
    mem_free(m->wanted);
    mem_free(m->leaf);
    json_decref(m->eums);
}

static int put(struct ctl *c, struct making *m, json_t *o)
{
    bool written = o && json_dumpf(o, m->f, JSON_COMPACT) == 0 && fputc('\n', m->f) != EOF;
    json_decref(o);
    return written ? CTL_OK : ctl_fail(c, CTL_REFUSED, "the bundle cannot be written: %s", strerror(errno));
}

/* ---- the devices ---- */

/* EUMs are few: each certificate stands once in the file, and devices name it by its digest. */
static int put_eum(struct ctl *c, struct making *m, json_t *device)
{
    uint8_t der[CERT_ROOM], digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    struct err e = { 0 };
    const char *b64 = json_string_value(json_object_get(device, "eum_certificate"));
    long n = b64 ? slice_from_b64(slice_str(b64), der, sizeof der) : 0;
    if (!b64) return CTL_OK;
    if (n <= 0) return ctl_fail(c, CTL_REFUSED, "the server gives a certificate that is none");
    if (digest_sha256(slice_of(der, (size_t)n), digest, &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    slice_hex(slice_of(digest, sizeof digest), false, hex);
    int rc = CTL_OK;
    if (!json_object_get(m->eums, hex)) {
        json_object_set_new(m->eums, hex, json_true());
        rc = put(c, m, json_pack("{s:s,s:s}", "eum", hex, "certificate", b64));
    }
    json_object_set_new(device, "eum", json_string(hex));
    json_object_del(device, "eum_certificate");
    return rc;
}

static int want(struct ctl *c, struct making *m, const json_t *device)
{
    struct err e = { 0 };
    const char *b64 = json_string_value(json_object_get(json_object_get(device, "inventory"), "result"));
    if (!b64) return CTL_OK;
    if (m->n == m->room) {
        size_t room = m->room ? 2 * m->room : 1024;
        struct wanted *more = mem_array(room, sizeof *more);
        if (!more) return ctl_fail(c, CTL_REFUSED, "out of memory");
        if (m->n) memcpy(more, m->wanted, m->n * sizeof *more);
        mem_free(m->wanted);
        m->wanted = more;
        m->room = room;
    }
    uint8_t *bytes = arena_alloc(&c->page, BYTES_MAX);
    long n = bytes ? slice_from_b64(slice_str(b64), bytes, BYTES_MAX) : -1;
    if (n <= 0) return ctl_fail(c, CTL_REFUSED, "the server gives a result that is none");
    struct wanted *w = &m->wanted[m->n];
    *w = (struct wanted){ .number = -1 };
    if (digest_sha256(slice_of(bytes, (size_t)n), w->sha256, &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    m->n++;
    return CTL_OK;
}

static int put_devices(struct ctl *c, struct making *m, size_t *devices)
{
    char cursor[64] = "";
    for (bool more = true; more;) {
        json_t *page, *o;
        size_t i;
        int rc = api_get(c, &page, "/v1/evidence?limit=%d%s%s", PAGE, *cursor ? "&cursor=" : "", cursor);
        if (rc != CTL_OK) return rc;
        json_array_foreach(json_object_get(page, "items"), i, o) {
            rc = put_eum(c, m, o);
            if (rc == CTL_OK) rc = want(c, m, o);
            if (rc == CTL_OK) rc = put(c, m, json_incref(o));
            arena_reset(&c->page);
            if (rc != CTL_OK) break;
            ++*devices;
        }
        const char *next = json_string_value(json_object_get(page, "next"));
        more = next && strlen(next) < sizeof cursor;
        if (more) snprintf(cursor, sizeof cursor, "%s", next);
        json_decref(page);
        if (rc != CTL_OK) return rc;
    }
    return CTL_OK;
}

/* ---- the log ---- */

static int by_digest(const void *a, const void *b)
{
    return memcmp(((const struct wanted *)a)->sha256, ((const struct wanted *)b)->sha256, SHA256_SIZE);
}

/* One line of the log: a leaf, and perhaps the record of a result that is in the file. */
static int take_line(struct ctl *c, struct making *m, uint64_t number, struct slice line)
{
    static const char done[] = "\"action\":\"operation.done\"", mark[] = "\"sha256\":\"";
    struct err e = { 0 };
    struct wanted key;
    if (merkle_leaf(line, &m->leaf[number], &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    const uint8_t *at = memmem(line.p, line.n, done, sizeof done - 1) ? memmem(line.p, line.n, mark, sizeof mark - 1) : NULL;
    if (!at || slice_unhex(slice_of(at + sizeof mark - 1, 2 * SHA256_SIZE), key.sha256, SHA256_SIZE) != SHA256_SIZE) return CTL_OK;
    struct wanted *w = bsearch(&key, m->wanted, m->n, sizeof key, by_digest);
    if (!w || w->line) return CTL_OK;
    w->line = mem_new(line.n + 1);
    if (!w->line) return ctl_fail(c, CTL_REFUSED, "out of memory");
    memcpy(w->line, line.p, line.n);
    w->number = (int64_t)number;
    return CTL_OK;
}

static int read_log(struct ctl *c, struct making *m)
{
    if (m->n) qsort(m->wanted, m->n, sizeof *m->wanted, by_digest);
    if (m->size > LOG_MAX) return ctl_fail(c, CTL_REFUSED, "the log has %" PRIu64 " lines, more than the %d that fit here", m->size, LOG_MAX);
    m->leaf = mem_array(m->size ? m->size : 1, sizeof *m->leaf);
    if (!m->leaf) return ctl_fail(c, CTL_REFUSED, "out of memory");
    for (uint64_t at = 0; at < m->size;) {
        char path[64];
        int status;
        snprintf(path, sizeof path, "/v1/audit/lines/%" PRIu64, at);
        int rc = api_call(c, path, &(struct request){ 0 }, &status);
        if (rc != CTL_OK) return rc;
        struct slice rest = buf_slice(&c->reply), line;
        uint64_t before = at;
        while (at < m->size && slice_line(&rest, &line)) {
            rc = take_line(c, m, at++, line);
            if (rc != CTL_OK) return rc;
        }
        if (at == before) return ctl_fail(c, CTL_REFUSED, "the server has fewer lines than its tree head says");
    }
    return CTL_OK;
}

/* All perfect subtrees of a level, from those of the level below: so that a proof costs its length, not the tree. */
struct tree { struct merkle_hash *level[MERKLE_LEVELS]; };

static enum eim_err stored(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out, struct err *e)
{
    const struct tree *t = ctx;
    (void)e;
    *out = t->level[level][index];
    return OK;
}

static int build(struct ctl *c, struct making *m, struct tree *t)
{
    struct err e = { 0 };
    t->level[0] = m->leaf;
    for (unsigned level = 1; m->size >> level; level++) {
        uint64_t n = m->size >> level;
        t->level[level] = mem_array(n, sizeof **t->level);
        if (!t->level[level]) return ctl_fail(c, CTL_REFUSED, "out of memory");
        for (uint64_t i = 0; i < n; i++)
            if (merkle_node(&t->level[level - 1][2 * i], &t->level[level - 1][2 * i + 1], &t->level[level][i], &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    }
    return CTL_OK;
}

static int put_proofs(struct ctl *c, struct making *m)
{
    struct tree tree = { { NULL } };
    const struct merkle_source source = { stored, &tree };
    struct err e = { 0 };
    int rc = build(c, m, &tree);
    for (size_t i = 0; rc == CTL_OK && i < m->n; i++) {
        const struct wanted *w = &m->wanted[i];
        struct merkle_proof p;
        char b64[4 * (sizeof p.h / 3 + 1) + 1];
        if (!w->line) continue;
        if (merkle_inclusion(&source, (uint64_t)w->number, m->size, &p, &e) != OK) rc = ctl_err(c, CTL_REFUSED, &e);
        slice_to_b64(slice_of(p.h, p.n * sizeof p.h[0]), b64);
        if (rc == CTL_OK) rc = put(c, m, json_pack("{s:I,s:s,s:s}", "audit", (json_int_t)w->number, "line", w->line, "proof", b64));
    }
    for (unsigned level = 1; level < MERKLE_LEVELS; level++) mem_free(tree.level[level]);
    return rc;
}

/* ---- the whole ---- */

static int make(struct ctl *c, struct making *m, size_t *devices)
{
    json_t *key = NULL, *config = NULL, *state = NULL;
    char now[32];
    struct env env;
    env_real(&env);
    env_rfc3339(env.now(&env), now);
    int rc = api_get(c, &key, "/v1/audit/key");
    if (rc == CTL_OK) rc = api_get(c, &config, "/v1/eim/configuration");
    if (rc == CTL_OK) rc = put(c, m, json_pack("{s:i,s:O,s:O,s:s}", "eimd_evidence", EVIDENCE_VERSION, "eim_id", json_object_get(config, "eim_id"),
                                               "log_key", json_object_get(key, "key"), "made_at", now));
    if (rc == CTL_OK) rc = put_devices(c, m, devices);
    if (rc == CTL_OK) rc = api_get(c, &state, "/v1/audit/consistency/0");
    m->size = (uint64_t)json_integer_value(json_object_get(state, "size"));
    if (rc == CTL_OK) rc = read_log(c, m);
    if (rc == CTL_OK) rc = put(c, m, json_pack("{s:O}", "head", json_object_get(state, "head")));
    if (rc == CTL_OK) rc = put_proofs(c, m);
    if (rc == CTL_OK) rc = put(c, m, json_pack("{s:I}", "devices", (json_int_t)*devices));
    json_decref(key);
    json_decref(config);
    json_decref(state);
    return rc;
}

int evidence_export(struct ctl *c)
{
    struct making m = { .eums = json_object() };
    size_t devices = 0;
    m.f = fopen(c->pos[0], "wx");
    if (!m.f) {
        making_free(&m);
        return ctl_fail(c, CTL_REFUSED, "%s: %s", c->pos[0], strerror(errno));
    }
    int rc = make(c, &m, &devices);
    bool written = fclose(m.f) == 0;
    if (rc == CTL_OK && !written) rc = ctl_fail(c, CTL_REFUSED, "%s cannot be written: %s", c->pos[0], strerror(errno));
    if (rc != CTL_OK) remove(c->pos[0]);
    else if (c->json) printf("{\"devices\":%zu,\"log_lines\":%" PRIu64 "}\n", devices, m.size);
    else printf("wrote the evidence of %zu devices to %s, under a tree head of %" PRIu64 " lines\n", devices, c->pos[0], m.size);
    making_free(&m);
    return rc;
}
