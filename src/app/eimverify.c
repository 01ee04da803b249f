/* eimverify.c -- the offline verifier of evidence bundles (doc/evidence.md): reads one file and the CI roots, asks no server.
 *
 * Per device: proven (the eUICC's certified key signed the inventory, and the log under its signed head recorded it), weaker (and why),
 * or not shown (and why). A bundle that contradicts itself proves nothing: a changed byte, a proof that does not hold or a missing end
 * ends the program with status 3 and no verdicts. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/env.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lines.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/note.h"
#include "model/device.h"
#include "trust/head.h"
#include "trust/proof.h"

enum { END_PROVEN, END_NOT, END_USAGE, END_BROKEN };
enum { LINE_ARENA = 4 << 20, ROOTS = 64, EUMS = 4096, LISTED = 20, WHY = 160, LABEL = 33 };

enum verdict { V_PROVEN, V_WEAKER, V_NOT, VERDICTS };
static const char *const verdict_names[VERDICTS] = { "proven", "weaker", "not shown" };

struct judged {
    struct eid eid;
    enum verdict verdict;
    bool recorded;                     /* the log has it */
    uint8_t sha256[SHA256_SIZE];       /* of the result; all zero: none */
    char why[WHY], provider[LABEL], iccid[21];
};

struct result { uint8_t sha256[SHA256_SIZE]; struct eid eid; size_t device; };

struct eum { uint8_t sha256[SHA256_SIZE]; struct slice der; };

struct run {
    /* configuration */
    struct slice roots[ROOTS];
    size_t nroots;
    const char *log_key;               /* given; else the one that the bundle names */
    int64_t now_us;
    const char *expected;              /* file of EIDs that should be there, or NULL */
    bool json, all;
    /* state */
    struct arena arena, line;          /* of the run; of one line */
    struct cert_trust *trust;
    struct slice eim_id;
    const char *named_key;
    struct eum *eums;
    size_t neums;
    struct judged *v;
    size_t n, room;
    struct result *by_result;          /* sorted, as soon as all devices are read */
    bool has_head;
    uint64_t size;
    struct merkle_hash root;
    bool ended;
};

/* ---- members of a line ---- */

static struct slice bytes_of(struct run *r, const json_t *o, const char *name)
{
    struct slice b64 = json_slice(json_object_get(o, name));
    uint8_t *p = b64.n ? arena_alloc(&r->line, b64.n) : NULL;
    long n = p ? slice_from_b64(b64, p, b64.n) : -1;
    return n > 0 ? slice_of(p, (size_t)n) : (struct slice){ 0 };
}

static bool digest_member(const json_t *o, const char *name, uint8_t out[SHA256_SIZE])
{
    return slice_unhex(json_slice(json_object_get(o, name)), out, SHA256_SIZE) == SHA256_SIZE;
}

static enum eim_err keep(struct run *r, const json_t *o, const char *name, struct slice *out, struct err *e)
{
    *out = arena_copy(&r->arena, json_slice(json_object_get(o, name)));
    return out->n ? OK : fail_field(e, E_MALFORMED, NULL, name, "the bundle lacks it");
}

/* ---- the lines, one kind each ---- */

static enum eim_err on_header(struct run *r, const json_t *o, struct err *e)
{
    struct slice key;
    if (r->eim_id.n) return fail(e, E_MALFORMED, NULL, "a second header");
    if (json_integer_value(json_object_get(o, "eimd_evidence")) != 1) return fail(e, E_MALFORMED, NULL, "another version of the bundle");
    TRY(keep(r, o, "eim_id", &r->eim_id, e));
    TRY(keep(r, o, "log_key", &key, e));
    r->named_key = arena_str(&r->arena, key);
    if (!r->log_key) r->log_key = r->named_key;
    return r->named_key ? OK : fail(e, E_NOMEM, NULL, "out of memory");
}

static enum eim_err on_eum(struct run *r, const json_t *o, struct err *e)
{
    struct eum *m = &r->eums[r->neums];
    uint8_t digest[SHA256_SIZE];
    struct slice der = bytes_of(r, o, "certificate");
    if (r->neums == EUMS) return fail(e, E_LIMIT, NULL, "more than %d EUM certificates", EUMS);
    if (!der.n || !digest_member(o, "eum", m->sha256)) return fail_field(e, E_MALFORMED, NULL, "eum", "no certificate, or no digest");
    TRY(digest_sha256(der, digest, e));
    if (memcmp(digest, m->sha256, SHA256_SIZE)) return fail_field(e, E_MISMATCH, NULL, "eum", "the certificate is not the one its digest names");
    m->der = arena_copy(&r->arena, der);
    r->neums++;
    return m->der.n ? OK : fail(e, E_NOMEM, NULL, "out of memory");
}

static const struct eum *find_eum(const struct run *r, const json_t *o)
{
    uint8_t digest[SHA256_SIZE];
    if (!digest_member(o, "eum", digest)) return NULL;
    for (size_t i = 0; i < r->neums; i++)
        if (memcmp(r->eums[i].sha256, digest, SHA256_SIZE) == 0) return &r->eums[i];
    return NULL;
}

static enum eim_err one_more(struct run *r, struct judged **out, struct err *e)
{
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : 1024;
        struct judged *more = mem_array(room, sizeof *more);
        if (!more) return fail(e, E_NOMEM, NULL, "out of memory");
        if (r->n) memcpy(more, r->v, r->n * sizeof *more);
        mem_free(r->v);
        r->v = more;
        r->room = room;
    }
    *out = &r->v[r->n];
    **out = (struct judged){ .verdict = V_NOT };
    return OK;
}

static void say(struct judged *j, enum verdict v, const struct err *why)
{
    j->verdict = v;
    if (why->clause) snprintf(j->why, sizeof j->why, "%.120s (%.30s)", why->why, why->clause);
    else snprintf(j->why, sizeof j->why, "%.150s", why->why);
}

static void text(char *out, size_t room, struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 1 < room; i++) out[n++] = s.p[i] < 0x20 || s.p[i] == 0x7F ? '?' : (char)s.p[i];
    out[n] = 0;
}

static enum eim_err on_device(struct run *r, const json_t *o, struct err *e)
{
    struct judged *j;
    struct proof_evidence ev = { .eim_id = r->eim_id, .curve = (enum curve)json_integer_value(json_object_get(o, "curve")) };
    struct proof_verdict v;
    const json_t *inventory = json_object_get(o, "inventory"), *tokens = json_object_get(inventory, "tokens"), *t;
    const struct eum *eum = find_eum(r, o);
    const char *changed = json_string_value(json_object_get(o, "changed_at")), *asked = json_string_value(json_object_get(inventory, "asked_at"));
    size_t i;
    if (!r->eim_id.n || r->has_head) return fail(e, E_MALFORMED, NULL, "a device stands outside its part of the bundle");
    TRY(one_more(r, &j, e));
    if (!eid_parse(json_slice(json_object_get(o, "eid")), false, &j->eid)) return fail_field(e, E_MALFORMED, NULL, "eid", "an EID has 32 digits");
    r->n++;
    if (!json_is_object(inventory)) {
        say(j, V_NOT, &(struct err){ .why = "no attested inventory was ever received" });
        return OK;
    }
    memcpy(ev.eid, j->eid.b, sizeof ev.eid);
    if (eum) ev.eum_cert = eum->der;
    ev.euicc_cert = bytes_of(r, o, "euicc_certificate");
    if (strcmp(json_string_value(json_object_get(o, "verification")) ? json_string_value(json_object_get(o, "verification")) : "", "pinned") == 0)
        ev.key = bytes_of(r, o, "key");
    ev.package = bytes_of(r, inventory, "package");
    ev.result = bytes_of(r, inventory, "result");
    json_array_foreach((json_t *)(uintptr_t)tokens, i, t)
        if (ev.ntokens < 4) ev.tokens[ev.ntokens++] = json_integer_value(t);
    TRY(digest_sha256(ev.result, j->sha256, e));
    TRY(proof_inventory(&ev, r->trust, r->now_us, &v, &r->line, e));
    if (v.class_ == PROOF_NONE) {
        say(j, V_NOT, &v.why);
        return OK;
    }
    iccid_print(v.enabled, j->iccid);
    text(j->provider, sizeof j->provider, v.provider);
    say(j, v.class_ == PROOF_PROVEN ? V_PROVEN : V_WEAKER, &v.why);
    if (j->verdict == V_PROVEN && changed && asked && strcmp(changed, asked) > 0)      /* RFC 3339 in UTC sorts as text */
        say(j, V_WEAKER, &(struct err){ .why = "a change was heard of after this inventory was asked for" });
    return OK;
}

static int by_result(const void *a, const void *b)
{
    const struct result *x = a, *y = b;
    int order = memcmp(x->sha256, y->sha256, SHA256_SIZE);
    return order ? order : memcmp(&x->eid, &y->eid, sizeof x->eid);
}

static enum eim_err on_head(struct run *r, const json_t *o, struct err *e)
{
    struct slice opened, origin, note = json_slice(json_object_get(o, "head"));
    if (!r->eim_id.n || r->has_head) return fail(e, E_MALFORMED, NULL, "a tree head stands outside its place");
    TRY(note_open(r->log_key, note, &opened, e));
    TRY(audit_head_parse(opened, &origin, &r->size, &r->root, e));
    r->has_head = true;
    r->by_result = mem_array(r->n ? r->n : 1, sizeof *r->by_result);
    if (!r->by_result) return fail(e, E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < r->n; i++) {
        r->by_result[i].device = i;
        r->by_result[i].eid = r->v[i].eid;
        memcpy(r->by_result[i].sha256, r->v[i].sha256, SHA256_SIZE);
    }
    if (r->n) qsort(r->by_result, r->n, sizeof *r->by_result, by_result);
    return OK;
}

static struct judged *find_result(struct run *r, const struct result *key)
{
    const struct result *found = bsearch(key, r->by_result, r->n, sizeof *key, by_result);
    return found ? &r->v[found->device] : NULL;
}

/* A line of the log with its proof: it must hold, and it must speak of this device's result. */
static enum eim_err on_audit(struct run *r, const json_t *o, struct err *e)
{
    struct merkle_proof p = { .n = 0 };
    struct merkle_hash leaf;
    struct slice line = json_slice(json_object_get(o, "line")), proof = bytes_of(r, o, "proof");
    struct result key = { .device = 0 };
    json_t *entry = NULL;
    if (!r->has_head) return fail(e, E_MALFORMED, NULL, "a line of the log stands before the tree head");
    if (proof.n % MERKLE_HASH || proof.n / MERKLE_HASH > MERKLE_PROOF_MAX) return fail_field(e, E_MALFORMED, "RFC 9162 2.1.3", "proof", "no row of hashes");
    p.n = (unsigned)(proof.n / MERKLE_HASH);
    if (p.n) memcpy(p.h, proof.p, proof.n);
    TRY(merkle_leaf(line, &leaf, e));
    TRY(merkle_check_inclusion(&leaf, (uint64_t)json_integer_value(json_object_get(o, "audit")), r->size, &r->root, &p, e));
    TRY(json_read(line, 64 * 1024, &entry, e));
    const char *action = json_string_value(json_object_get(entry, "action"));
    bool known = action && strcmp(action, "operation.done") == 0 && digest_member(entry, "sha256", key.sha256) &&
                 eid_parse(json_slice(json_object_get(entry, "eid")), false, &key.eid);
    struct judged *j = known ? find_result(r, &key) : NULL;
    json_decref(entry);
    if (!j) return fail(e, E_MISMATCH, NULL, "a line of the log speaks of no result in this bundle");
    j->recorded = true;
    return OK;
}

static enum eim_err on_end(struct run *r, const json_t *o, struct err *e)
{
    if (!r->has_head || (uint64_t)json_integer_value(json_object_get(o, "devices")) != r->n)
        return fail(e, E_MISMATCH, NULL, "the bundle's end counts other devices than it holds: some were removed or added");
    r->ended = true;
    const struct err unrecorded = { .why = "signed by the eUICC, but the log has no record of it" };
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].verdict == V_PROVEN && !r->v[i].recorded) say(&r->v[i], V_WEAKER, &unrecorded);
    return OK;
}

static const struct { const char *member; enum eim_err (*take)(struct run *r, const json_t *o, struct err *e); } kinds[] = {
    { "eimd_evidence", on_header }, { "eid", on_device }, { "certificate", on_eum }, { "audit", on_audit }, { "head", on_head }, { "devices", on_end },
};

static enum eim_err take_line(struct run *r, struct slice line, struct err *e)
{
    json_t *o = NULL;
    if (r->ended) return fail(e, E_MALFORMED, NULL, "something stands behind the end");
    arena_reset(&r->line);
    TRY(json_read(line, LINES_ROOM, &o, e));
    size_t i = 0, n = sizeof kinds / sizeof kinds[0];
    while (i < n && !json_object_get(o, kinds[i].member)) i++;
    enum eim_err rc = i < n ? kinds[i].take(r, o, e) : fail(e, E_MALFORMED, NULL, "a line of an unknown kind");
    json_decref(o);
    return rc;
}

static enum eim_err read_bundle(struct run *r, FILE *f, struct err *e)
{
    struct lines l;
    struct slice line;
    TRY(lines_begin(&l, f, &r->arena, e));
    for (uint64_t number = 1; lines_next(&l, &line, e); number++) {
        enum eim_err rc = take_line(r, line, e);
        if (rc == OK) continue;
        fprintf(stderr, "eimverify: line %" PRIu64 ": ", number);
        return rc;
    }
    if (e->code != OK) return e->code;
    return r->ended ? OK : fail(e, E_MALFORMED, NULL, "the bundle was cut off: it has no end");
}

/* ---- who should be there ---- */

static int by_eid(const void *a, const void *b)
{
    return memcmp(&((const struct judged *)a)->eid, &((const struct judged *)b)->eid, sizeof(struct eid));
}

/* A bundle can leave devices out and nobody could tell from it alone: so whoever has a list of his own gives it. */
static enum eim_err expect(struct run *r, FILE *f, struct err *e)
{
    struct lines l;
    struct slice line;
    struct judged *j, key = { .verdict = V_NOT };
    size_t known = r->n;
    TRY(lines_begin(&l, f, &r->arena, e));
    if (known) qsort(r->v, known, sizeof *r->v, by_eid);
    while (lines_next(&l, &line, e)) {
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (!line.n) continue;
        if (!eid_parse(line, false, &key.eid)) return fail(e, E_INVALID, NULL, "--expect: a line is no EID of 32 digits");
        if (bsearch(&key, r->v, known, sizeof key, by_eid)) continue;
        TRY(one_more(r, &j, e));
        j->eid = key.eid;
        say(j, V_NOT, &(struct err){ .why = "it is not in the bundle" });
        r->n++;
    }
    return e->code;
}

/* ---- telling ---- */

struct group { enum verdict verdict; const char *provider; size_t n; };

static size_t group_all(const struct run *r, struct group *g, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct judged *j = &r->v[i];
        const char *provider = j->verdict == V_NOT ? "" : *j->iccid ? *j->provider ? j->provider : "(no name)" : "(none enabled)";
        size_t k = 0;
        while (k < n && (g[k].verdict != j->verdict || strcmp(g[k].provider, provider) != 0)) k++;
        if (k == n && n < room) g[n++] = (struct group){ j->verdict, provider, 0 };
        if (k < n) g[k].n++;
    }
    return n;
}

static void print_device(const struct run *r, const struct judged *j)
{
    char eid[33];
    eid_print(&j->eid, eid);
    if (r->json) {
        json_t *o = json_pack("{s:s,s:s,s:s*,s:s*,s:s*}", "eid", eid, "verdict", verdict_names[j->verdict], "enabled", *j->iccid ? j->iccid : NULL,
                              "provider", *j->provider ? j->provider : NULL, "why", *j->why ? j->why : NULL);
        if (o) json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(o);
    } else {
        printf("%s  %-9s  %-20s  %-16s  %s\n", eid, verdict_names[j->verdict], *j->iccid ? j->iccid : "-", *j->provider ? j->provider : "-", j->why);
    }
}

static int tell(const struct run *r)
{
    enum { GROUPS = 256 };
    struct group groups[GROUPS];
    size_t n = group_all(r, groups, GROUPS), count[VERDICTS] = { 0 }, listed = 0;
    for (size_t i = 0; i < r->n; i++) {
        count[r->v[i].verdict]++;
        bool wanted = r->all || (r->v[i].verdict != V_PROVEN && !r->json && listed++ < LISTED);
        if (wanted) print_device(r, &r->v[i]);
    }
    if (listed > LISTED && !r->all) printf("(%zu more; --all shows every device)\n", listed - LISTED);
    if (r->json) {
        json_t *o = json_pack("{s:I,s:I,s:I,s:I,s:s,s:b}", "devices", (json_int_t)r->n, "proven", (json_int_t)count[V_PROVEN],
                              "weaker", (json_int_t)count[V_WEAKER],
                              "not_shown", (json_int_t)count[V_NOT], "log_key", r->log_key, "log_key_given", r->log_key != r->named_key);
        json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(o);
    } else {
        for (int v = 0; v < VERDICTS; v++)
            for (size_t i = 0; i < n; i++)
                if (groups[i].verdict == (enum verdict)v) printf("%8zu  %-9s  %s\n", groups[i].n, verdict_names[v], groups[i].provider);
        printf("%8zu  devices; log of %" PRIu64 " lines signed by %s%s\n", r->n, r->size, r->log_key,
               r->log_key == r->named_key ? " (the bundle's own word: compare it)" : "");
    }
    return count[V_PROVEN] == r->n && r->n ? END_PROVEN : END_NOT;
}

/* ---- the command line ---- */

static int usage(FILE *f)
{
    fputs("usage: eimverify --ci FILE [--ci FILE]... [--log-key KEY] [--at TIME] [--expect FILE] [--all] [--json] BUNDLE\n\n"
          "  --ci       a CI root that you trust, PEM or DER: without it nothing is proven\n"
          "  --log-key  the verifier key of the audit log, as you wrote it down (GET /v1/audit/key); else the bundle's own is taken, and said so\n"
          "  --at       judge certificates at this time instead of now (2026-12-01T00:00:00Z)\n"
          "  --expect   a file of EIDs, one a line, that must all be there: a bundle alone cannot tell who was left out\n"
          "  --all      a line for every device, not only for those that are not proven\n\n"
          "Exit status: 0 every device is proven, 1 some are not, 2 wrong usage, 3 the bundle is broken or forged.\n", f);
    return f == stdout ? END_PROVEN : END_USAGE;
}

static bool add_root(struct run *r, const char *path)
{
    struct err e = { 0 };
    uint8_t *text_ = arena_alloc(&r->arena, CERT_PEM_MAX);
    size_t n;
    if (r->nroots < ROOTS && text_ && file_read(path, false, text_, CERT_PEM_MAX, &n, &e) == OK &&
        cert_read(slice_of(text_, n), &r->roots[r->nroots], &r->arena, &e) == OK) {
        r->nroots++;
        return true;
    }
    fprintf(stderr, "eimverify: %s: %s\n", path, e.why[0] ? e.why : "too many roots");
    return false;
}

static bool options(struct run *r, int argc, char **argv, int *end)
{
    static const struct option known[] = { { "ci", 1, NULL, 'c' }, { "log-key", 1, NULL, 'k' }, { "at", 1, NULL, 't' },
                                           { "expect", 1, NULL, 'x' }, { "all", 0, NULL, 'a' },
                                           { "json", 0, NULL, 'j' }, { "help", 0, NULL, 'h' }, { 0 } };
    *end = END_USAGE;
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == 'c' && !add_root(r, optarg)) return false;
        if (o == 'k') r->log_key = optarg;
        if (o == 't' && env_parse_rfc3339(optarg, &r->now_us) != 0) {
            fprintf(stderr, "eimverify: --at: not a time like 2026-12-01T00:00:00Z\n");
            return false;
        }
        if (o == 'x') r->expected = optarg;
        if (o == 'a') r->all = true;
        if (o == 'j') r->json = true;
        if (o == 'h') *end = usage(stdout);
        if (o == 'h') return false;
        if (o == '?') return usage(stderr) == END_PROVEN;
    }
    if (optind + 1 != argc) return usage(stderr) == END_PROVEN;
    return true;
}

static int run(struct run *r, int argc, char **argv)
{
    struct err e = { 0 };
    int end;
    if (!options(r, argc, argv, &end)) return end;
    FILE *f = fopen(argv[optind], "r");
    if (!f) {
        fprintf(stderr, "eimverify: %s: %s\n", argv[optind], strerror(errno));
        return END_USAGE;
    }
    enum eim_err rc = cert_trust_from(&r->trust, r->roots, r->nroots, &e);
    r->eums = mem_array(EUMS, sizeof *r->eums);
    if (rc == OK && !r->eums) rc = fail(&e, E_NOMEM, NULL, "out of memory");
    if (rc == OK) rc = read_bundle(r, f, &e);
    fclose(f);
    f = rc == OK && r->expected ? fopen(r->expected, "r") : NULL;
    if (rc == OK && r->expected) rc = f ? expect(r, f, &e) : fail(&e, E_IO, NULL, "%s: %s", r->expected, strerror(errno));
    if (f) fclose(f);
    if (rc == OK) return tell(r);
    fprintf(stderr, "%s%s%s\n", e.why, e.clause ? " -- " : "", e.clause ? e.clause : "");
    return END_BROKEN;
}

int main(int argc, char **argv)
{
    struct run r = { 0 };
    struct env env;
    env_real(&env);
    r.now_us = env.now(&env);
    arena_init(&r.arena, 256 << 20);
    arena_init(&r.line, LINE_ARENA);
    int end = run(&r, argc, argv);
    mem_free(r.v);
    mem_free(r.eums);
    mem_free(r.by_result);
    cert_trust_free(r.trust);
    arena_free(&r.line);
    arena_free(&r.arena);
    return end;
}
