/* log.c -- the audit logs: sequencing, tree heads, proofs.
 *
 * What is stored: bundles of 256 lines; tiles of 256 hashes, level 0 leaf hashes and each level above it the roots of the full tiles below;
 * the edge of the tree, with which it grows without reading anything but the last bundle and the last tile of each level. The hash of any
 * perfect subtree lies in one tile, or folds out of a run of hashes in one (node_of).
 *
 * L1 A line has its number for ever: the transaction that numbers it takes it out of what waits.
 * L2 No signature is made inside a transaction: the head is signed after the tree has grown, and kept only if none of as large a tree is. */
#include "trust/log.h"

#include "base/buf.h"
#include "base/env.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TILE_BITS = 8,
    LEVELS_MAX = MERKLE_LEVELS / TILE_BITS,
    BUNDLE_MAX = AUDIT_WIDTH * 8193,   /* audit.c: a line has at most 8,192 octets */
    GROW_ARENA = 160 << 20, HEAD_ARENA = 64 * 1024, PROOF_ARENA = 4 << 20,
};

/* ---- the edge as bytes ---- */

static enum eim_err edge_read(const struct audit_state *s, struct merkle_edge *out, struct err *e)
{
    *out = (struct merkle_edge){ .size = (uint64_t)s->size };
    if (s->edge.n != merkle_edge_count(out->size) * (size_t)MERKLE_HASH) return fail(e, E_STORE, NULL, "the edge of the audit log's tree is damaged");
    if (s->edge.n) memcpy(out->h, s->edge.p, s->edge.n);
    return OK;
}

/* ---- growing ---- */

/* One transaction that sequences a batch of one tenant's entries. */
struct grow {
    struct store_job job;              /* first member */
    int64_t tenant, now_us;
    struct arena arena;
    struct buf lines, tile[LEVELS_MAX];        /* the last bundle; the last tile of each level, as far as touched */
    bool touched[LEVELS_MAX];
    size_t taken;
};

static enum eim_err bundle_flush(struct grow *g, struct tx *t, uint64_t lines, struct err *e)
{
    struct audit_bundle b = { .number = (int64_t)((lines - 1) / AUDIT_WIDTH), .n = (int64_t)((lines - 1) % AUDIT_WIDTH + 1), .lines = buf_slice(&g->lines) };
    TRY(store_audit_bundle_put(t, g->tenant, &b, e));
    if (b.n == AUDIT_WIDTH) buf_reset(&g->lines);
    return OK;
}

/* The tile that hash number `at` of a level goes into, read at the first touch. */
static enum eim_err tile_open(struct grow *g, struct tx *t, unsigned level, uint64_t at, struct err *e)
{
    struct audit_tile tile = { 0 };
    if (g->touched[level]) return OK;
    g->touched[level] = true;
    buf_reset(&g->tile[level]);
    if (at % AUDIT_WIDTH == 0) return OK;
    TRY(store_audit_tile_get(t, g->tenant, level, (int64_t)(at / AUDIT_WIDTH), &tile, &g->arena, e));
    if (tile.hashes.n != at % AUDIT_WIDTH * MERKLE_HASH) return fail(e, E_STORE, NULL, "a tile of the audit log is damaged");
    buf_put(&g->tile[level], tile.hashes);
    return OK;
}

/* The root of a full tile: what stands for it one level above. */
static enum eim_err tile_root(const struct buf *hashes, struct merkle_hash *out, struct err *e)
{
    struct merkle_hash h[AUDIT_WIDTH];
    memcpy(h, hashes->p, sizeof h);
    for (unsigned n = AUDIT_WIDTH; n > 1; n /= 2)
        for (unsigned i = 0; i < n / 2; i++) TRY(merkle_node(&h[2 * i], &h[2 * i + 1], &h[i], e));
    *out = h[0];
    return OK;
}

static enum eim_err tile_add(struct grow *g, struct tx *t, uint64_t at, const struct merkle_hash *leaf, struct err *e)
{
    struct merkle_hash h = *leaf;
    for (unsigned level = 0; level < LEVELS_MAX; level++, at /= AUDIT_WIDTH) {
        TRY(tile_open(g, t, level, at, e));
        buf_put(&g->tile[level], slice_of(h.b, MERKLE_HASH));
        if (g->tile[level].failed) return fail(e, E_NOMEM, NULL, "no memory for a tile of the audit log");
        if ((at + 1) % AUDIT_WIDTH) return OK;
        struct audit_tile full = { .level = level, .number = (int64_t)(at / AUDIT_WIDTH), .hashes = buf_slice(&g->tile[level]) };
        TRY(store_audit_tile_put(t, g->tenant, &full, e));
        TRY(tile_root(&g->tile[level], &h, e));
        buf_reset(&g->tile[level]);
    }
    return OK;
}

/* What is not full is written once, at the end. */
static enum eim_err tiles_flush(struct grow *g, struct tx *t, uint64_t size, struct err *e)
{
    for (unsigned level = 0; level < LEVELS_MAX; level++, size /= AUDIT_WIDTH) {
        struct audit_tile part = { .level = level, .number = (int64_t)(size / AUDIT_WIDTH), .hashes = buf_slice(&g->tile[level]) };
        if (g->touched[level] && part.hashes.n) TRY(store_audit_tile_put(t, g->tenant, &part, e));
    }
    return OK;
}

static enum eim_err append(struct grow *g, struct tx *t, struct merkle_edge *edge, struct slice line, struct err *e)
{
    struct merkle_hash leaf;
    TRY(merkle_leaf(line, &leaf, e));
    TRY(tile_add(g, t, edge->size, &leaf, e));
    TRY(merkle_append(edge, &leaf, e));
    buf_put(&g->lines, line);
    buf_str(&g->lines, "\n");
    if (g->lines.failed) return fail(e, E_NOMEM, NULL, "no memory for a bundle of the audit log");
    return edge->size % AUDIT_WIDTH ? OK : bundle_flush(g, t, edge->size, e);
}

static enum eim_err grow_apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct grow *g = (struct grow *)job;
    struct audit_state s;
    struct audit_list list;
    struct audit_bundle last = { 0 };
    struct merkle_edge edge;
    arena_reset(&g->arena);
    buf_reset(&g->lines);
    memset(g->touched, 0, sizeof g->touched);
    g->taken = 0;
    TRY(store_audit_lock(t, g->tenant, &s, &g->arena, e));
    TRY(store_audit_take(t, g->tenant, AUDIT_BATCH, &list, &g->arena, e));
    if (!list.n) return OK;
    TRY(edge_read(&s, &edge, e));
    if (edge.size % AUDIT_WIDTH) {
        TRY(store_audit_bundle_get(t, g->tenant, (int64_t)(edge.size / AUDIT_WIDTH), &last, &g->arena, e));
        if (last.n != (int64_t)(edge.size % AUDIT_WIDTH)) return fail(e, E_STORE, NULL, "a bundle of the audit log is damaged");
        buf_put(&g->lines, last.lines);
    }
    for (size_t i = 0; i < list.n; i++) TRY(append(g, t, &edge, list.v[i].line, e));
    if (edge.size % AUDIT_WIDTH) TRY(bundle_flush(g, t, edge.size, e));
    TRY(tiles_flush(g, t, edge.size, e));
    s.size = (int64_t)edge.size;
    s.at_us = g->now_us;
    s.edge = slice_of(edge.h, merkle_edge_count(edge.size) * (size_t)MERKLE_HASH);
    g->taken = list.n;
    return store_audit_grow(t, &s, e);
}

static enum eim_err grow(const struct audit_log *l, int64_t tenant, size_t *n, struct err *e)
{
    struct grow g = { .job.apply = grow_apply, .tenant = tenant, .now_us = l->host->env->now(l->host->env) };
    enum eim_err rc;
    arena_init(&g.arena, GROW_ARENA);
    buf_init(&g.lines, BUNDLE_MAX);
    for (unsigned i = 0; i < LEVELS_MAX; i++) buf_init(&g.tile[i], AUDIT_WIDTH * MERKLE_HASH);
    do {
        rc = store_run(l->host->store, &g.job, e);
        if (rc == OK) *n += g.taken;
    } while (rc == OK && g.taken == AUDIT_BATCH);
    for (unsigned i = 0; i < LEVELS_MAX; i++) buf_free(&g.tile[i]);
    buf_free(&g.lines);
    arena_free(&g.arena);
    return rc;
}

/* ---- tree heads ---- */

struct keep_note { struct store_job job; int64_t tenant, size; struct slice note; };

static enum eim_err keep_note(struct tx *t, struct store_job *job, struct err *e)
{
    struct keep_note *k = (struct keep_note *)job;
    return store_audit_sign(t, k->tenant, k->size, k->note, e);
}

enum eim_err audit_tenant_name(int64_t tenant, struct slice *out, struct arena *a, struct err *e)
{
    char *text = tenant == 1 ? "default" : arena_printf(a, "%lld", (long long)tenant);
    if (!text) return fail(e, E_NOMEM, NULL, "no room for a name");
    *out = slice_str(text);
    return OK;
}

struct proving { struct tx *t; int64_t tenant; struct arena *a; };

static enum eim_err node_of(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out, struct err *e)
{
    struct proving *p = ctx;
    struct audit_tile tile;
    struct merkle_hash h[AUDIT_WIDTH];
    unsigned run = 1u << level % TILE_BITS;            /* hashes of the tile under this node */
    uint64_t first = index * run;
    TRY(store_audit_tile_get(p->t, p->tenant, level / TILE_BITS, (int64_t)(first / AUDIT_WIDTH), &tile, p->a, e));
    size_t at = first % AUDIT_WIDTH * MERKLE_HASH;
    if (tile.hashes.n < at + run * (size_t)MERKLE_HASH) return fail(e, E_STORE, NULL, "a tile of the audit log is missing");
    memcpy(h, tile.hashes.p + at, run * (size_t)MERKLE_HASH);
    for (unsigned n = run; n > 1; n /= 2)
        for (unsigned i = 0; i < n / 2; i++) TRY(merkle_node(&h[2 * i], &h[2 * i + 1], &h[i], e));
    *out = h[0];
    return OK;
}

static enum eim_err prove(const struct audit_log *l, int64_t tenant, uint64_t from, uint64_t size, struct merkle_proof *out, struct err *e)
{
    struct arena a;                    /* of its own: each node of the proof is a tile that is read */
    struct proving p = { .tenant = tenant, .a = &a };
    TRY(store_read_begin(l->host->store, &p.t, e));
    arena_init(&a, PROOF_ARENA);
    enum eim_err rc = merkle_consistency(&(struct merkle_source){ node_of, &p }, from, size, out, e);
    arena_free(&a);
    store_read_end(p.t);
    return rc;
}

/* A signer that remembers says itself from which size it wants the proof: another node may have had later heads signed, by a signer of its own. */
static enum eim_err sign_text(const struct audit_log *l, int64_t tenant, uint64_t from, uint64_t size, struct slice text, struct slice *note,
                              struct arena *a, struct err *e)
{
    struct merkle_proof proof = { .n = 0 };
    enum eim_err rc = E_STALE;
    for (int i = 0; i < 3 && rc == E_STALE; i++) {
        *e = (struct err){ 0 };
        if (note_signer_remembers(l->signer)) TRY(prove(l, tenant, from, size, &proof, e));
        rc = note_sign_head(l->signer, text, &(struct note_proof){ from, { proof.h[0].b, proof.n * (size_t)MERKLE_HASH } }, &from, note, a, e);
    }
    return rc;
}

/* Sign the head of the tree as it is now, if that was not done yet. */
static enum eim_err sign(const struct audit_log *l, int64_t tenant, struct err *e)
{
    struct arena a;
    struct tx *t;
    struct audit_state s;
    struct merkle_edge edge;
    struct merkle_hash root;
    struct slice text, name;
    struct keep_note k = { .job.apply = keep_note, .tenant = tenant };
    arena_init(&a, HEAD_ARENA);
    enum eim_err rc = store_read_begin(l->host->store, &t, e);
    if (rc == OK) {
        rc = store_audit_state(t, tenant, &s, &a, e);
        store_read_end(t);
    }
    bool due = rc == OK && s.note_size < s.size;
    if (due) rc = edge_read(&s, &edge, e);
    if (due && rc == OK) rc = merkle_root(&edge, &root, e);
    if (due && rc == OK) rc = audit_tenant_name(tenant, &name, &a, e);
    if (due && rc == OK) rc = audit_head_text(l->name, name, edge.size, &root, &text, &a, e);
    if (due && rc == OK) rc = sign_text(l, tenant, (uint64_t)s.note_size, edge.size, text, &k.note, &a, e);
    k.size = due && rc == OK ? s.size : 0;
    if (k.size) rc = store_run(l->host->store, &k.job, e);
    arena_free(&a);
    return rc;
}

static enum eim_err turn_tenant(const struct audit_log *l, int64_t tenant, size_t *n, struct err *e)
{
    struct tx *t;
    struct arena a;
    struct audit_list first = { 0 };
    arena_init(&a, HEAD_ARENA);
    enum eim_err rc = store_read_begin(l->host->store, &t, e);
    if (rc == OK) {
        rc = store_audit_list(t, tenant, 0, 1, &first, &a, e);
        store_read_end(t);
    }
    arena_free(&a);
    if (rc == OK && first.n) rc = grow(l, tenant, n, e);
    return rc == OK ? sign(l, tenant, e) : rc;
}

enum eim_err audit_log_turn(const struct audit_log *l, size_t *n, struct err *e)
{
    struct tx *t;
    struct arena a;
    struct tenant_list list = { 0 };
    size_t all = 0;
    arena_init(&a, 1 << 20);
    enum eim_err rc = store_read_begin(l->host->store, &t, e);
    if (rc == OK) {
        rc = store_audit_tenants(t, &list, &a, e);
        store_read_end(t);
    }
    for (size_t i = 0; rc == OK && i < list.n; i++) rc = turn_tenant(l, list.v[i], &all, e);
    arena_free(&a);
    if (n) *n = all;
    return rc;
}

/* ---- reading ---- */

/* Lines from..., out of the bundle that holds them; *done counts on. */
static enum eim_err read_bundle(struct tx *t, int64_t tenant, uint64_t from, unsigned limit, struct audit_lines *out, struct arena *a, struct err *e)
{
    struct audit_bundle b;
    struct slice rest, line;
    uint64_t number = from / AUDIT_WIDTH * AUDIT_WIDTH;
    TRY(store_audit_bundle_get(t, tenant, (int64_t)(from / AUDIT_WIDTH), &b, a, e));
    for (rest = b.lines; out->n < limit && slice_line(&rest, &line); number++)
        if (number >= from) out->v[out->n++] = line;
    return number > from ? OK : fail(e, E_STORE, NULL, "a bundle of the audit log is missing");
}

static enum eim_err read_lines(struct tx *t, int64_t tenant, uint64_t from, unsigned limit, struct audit_lines *out, struct arena *a, struct err *e)
{
    struct audit_state s;
    TRY(store_audit_state(t, tenant, &s, a, e));
    out->size = (uint64_t)s.size;
    while (out->n < limit && from + out->n < out->size) TRY(read_bundle(t, tenant, from + out->n, limit, out, a, e));
    return OK;
}

enum eim_err audit_log_read(const struct audit_log *l, int64_t tenant, uint64_t from, unsigned limit, struct audit_lines *out,
                            struct arena *a, struct err *e)
{
    struct tx *t;
    if (limit > AUDIT_LINES_MAX) return fail(e, E_LIMIT, NULL, "at most %d lines at a time", AUDIT_LINES_MAX);
    *out = (struct audit_lines){ .v = ARENA_ARRAY(a, struct slice, limit) };
    if (!out->v) return fail(e, E_NOMEM, NULL, "no room for %u lines of the audit log", limit);
    TRY(store_read_begin(l->host->store, &t, e));
    enum eim_err rc = read_lines(t, tenant, from, limit, out, a, e);
    store_read_end(t);
    return rc;
}

static enum eim_err head_in(struct tx *t, int64_t tenant, struct audit_head *out, struct arena *a, struct err *e)
{
    struct audit_state s;
    struct slice origin;
    *out = (struct audit_head){ 0 };
    TRY(store_audit_state(t, tenant, &s, a, e));
    if (!s.note_size) return fail(e, E_NOT_FOUND, NULL, "the log has no tree head yet");
    out->note = s.note;
    return audit_head_parse(s.note, &origin, &out->size, &out->root, e);
}

enum eim_err audit_log_head(const struct audit_log *l, int64_t tenant, struct audit_head *out, struct arena *a, struct err *e)
{
    struct tx *t;
    TRY(store_read_begin(l->host->store, &t, e));
    enum eim_err rc = head_in(t, tenant, out, a, e);
    store_read_end(t);
    return rc;
}

/* ---- proofs ---- */

enum eim_err audit_log_inclusion(const struct audit_log *l, int64_t tenant, uint64_t leaf, struct slice *line, struct merkle_proof *proof,
                                 struct audit_head *head, struct arena *a, struct err *e)
{
    struct proving p = { .tenant = tenant, .a = a };
    struct audit_lines lines = { .v = line };
    TRY(store_read_begin(l->host->store, &p.t, e));
    enum eim_err rc = head_in(p.t, tenant, head, a, e);
    if (rc == OK) rc = merkle_inclusion(&(struct merkle_source){ node_of, &p }, leaf, head->size, proof, e);
    if (rc == OK) rc = read_bundle(p.t, tenant, leaf, 1, &lines, a, e);
    store_read_end(p.t);
    return rc;
}

enum eim_err audit_log_consistency(const struct audit_log *l, int64_t tenant, uint64_t from, struct merkle_edge *edge,
                                   struct merkle_proof *proof, struct audit_head *head, struct arena *a, struct err *e)
{
    struct proving p = { .tenant = tenant, .a = a };
    const struct merkle_source tree = { node_of, &p };
    TRY(store_read_begin(l->host->store, &p.t, e));
    enum eim_err rc = head_in(p.t, tenant, head, a, e);
    if (rc == OK) rc = merkle_consistency(&tree, from, head->size, proof, e);
    if (rc == OK) rc = merkle_edge_at(&tree, from, edge, e);
    store_read_end(p.t);
    return rc;
}
