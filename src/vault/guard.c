/* guard.c -- what is signed: well-formed packages, each counter once. */
#include "vault/guard.h"

#include "asn1/sgp32.h"
#include "base/mem.h"
#include "base/siphash.h"

#define CLAUSE "SGP.32 2.11.1.1"
#define MINUTE_US INT64_C(60000000)

enum { ROOM_FIRST = 1024, ECO_SHIFT = 32 };

struct bucket { int64_t a_minute, left, at_us; };   /* left: in packages times a minute's microseconds */

struct guard {
    struct guard_entry *v;             /* open addressing; association 0 is an empty place */
    size_t room, n;                    /* room: a power of two, never more than three quarters full */
    struct bucket lists, changes;
    struct guard_head *logs;           /* GUARD_LOGS of them, nlogs in use */
    size_t nlogs;
};

enum eim_err guard_new(struct guard **out, const struct guard_rates *rates, struct err *e)
{
    struct guard *g = MEM_NEW(struct guard);
    *out = g;
    if (g) {
        g->v = MEM_ARRAY(struct guard_entry, ROOM_FIRST);
        g->logs = MEM_ARRAY(struct guard_head, GUARD_LOGS);
    }
    if (!g || !g->v || !g->logs) {
        guard_free(g);
        *out = NULL;
        return fail(e, E_NOMEM, NULL, "no memory for the counters");
    }
    g->room = ROOM_FIRST;
    g->lists = (struct bucket){ rates->lists, rates->lists * MINUTE_US, 0 };
    g->changes = (struct bucket){ rates->changes, rates->changes * MINUTE_US, 0 };
    return OK;
}

void guard_free(struct guard *g)
{
    if (!g) return;
    mem_free(g->v);
    mem_free(g->logs);
    mem_free(g);
}

/* ---- reading ---- */

/* SipHash under a key that is no secret: who can choose EIDs here can only make himself wait. The number stands in the journal. */
static enum eim_err number(struct guard_package *p, struct slice eim_id, struct err *e)
{
    static const uint8_t key[16] = "eimd association";
    uint8_t both[SHA256_SIZE + sizeof p->eid];
    TRY(digest_sha256(eim_id, both, e));
    memcpy(both + SHA256_SIZE, p->eid, sizeof p->eid);
    p->association = siphash(key, slice_of(both, sizeof both));
    if (!p->association) p->association = 1;
    return OK;
}

static void operations(const struct euicc_package *k, struct guard_package *p)
{
    const uint64_t listing = UINT64_C(1) << psmo_is_list_profile_info | UINT64_C(1) << psmo_is_get_rat | UINT64_C(1) << (ECO_SHIFT + eco_is_list_eim);
    if (k->der.which == euicc_package_is_psmo_list)
        for (size_t i = 0; i < k->psmo_list.n; i++) p->operations |= UINT64_C(1) << k->psmo_list.v[i].der.which;
    else
        for (size_t i = 0; i < k->eco_list.n; i++) p->operations |= UINT64_C(1) << (ECO_SHIFT + k->eco_list.v[i].der.which);
    p->lists = !(p->operations & ~listing);
}

enum eim_err guard_read(struct slice tbs, struct slice token_tlv, struct guard_package *out, struct arena *a, struct err *e)
{
    struct euicc_package_signed s;
    *out = (struct guard_package){ 0 };
    TRY(der_decode(&euicc_package_signed_type, tbs, &s, a, e));
    if (!der_has(&s, euicc_package_signed, eim_transaction_id))
        return fail_field(e, E_INVALID, CLAUSE, "eimTransactionId", "a package without eimTransactionId is never signed");
    operations(&s.euicc_package, out);
    if (!out->operations) return fail_field(e, E_INVALID, CLAUSE, "euiccPackage", "a package that orders nothing is never signed");
    /* Decoding passes over what it does not know, and takes forms that we never write: none of it gets under a signature. */
    struct slice same = der_encode(&euicc_package_signed_type, &s, a);
    if (same.p && !slice_eq(same, tbs)) same = der_encode_certs_whole(&euicc_package_signed_type, &s, a);
    if (!same.p) return fail(e, E_NOMEM, NULL, "no memory to read a package");
    if (!slice_eq(same, tbs)) return fail_field(e, E_INVALID, CLAUSE, "euiccPackageSigned", "it holds something that its decoded form does not");
    memcpy(out->eid, s.eid_value.p, sizeof out->eid);
    out->counter = s.counter_value;
    TRY(number(out, s.eim_id, e));
    return digest_sha256_spans((struct slice[]){ tbs, token_tlv }, 2, out->digest, e);
}

/* ---- notes ---- */

/* A number as audit_head_text writes it. */
static bool decimal(struct slice s, int64_t *out)
{
    *out = 0;
    if (!s.n || s.n > 18 || s.p[0] == '0') return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        *out = 10 * *out + (s.p[i] - '0');
    }
    return true;
}

static bool is_head(struct slice rest, struct guard_head *out)
{
    struct slice line;
    return slice_line(&rest, &line) && decimal(line, &out->size) && slice_line(&rest, &line) &&
           slice_from_b64(line, out->root.b, MERKLE_HASH) == MERKLE_HASH && !rest.n;
}

static bool is_export(struct slice rest)
{
    static const char *const names[] = { "from ", "to ", "devices ", "lines ", "previous ", "at " };
    struct slice line;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!slice_line(&rest, &line) || line.n <= strlen(names[i]) || memcmp(line.p, names[i], strlen(names[i])) != 0) return false;
    return !rest.n;
}

static bool begins(struct slice s, const char *name, const char *kind)
{
    size_t n = strlen(name), k = strlen(kind);
    return s.n > n + k && s.n <= GUARD_ORIGIN_MAX && !memchr(s.p, ' ', s.n) && !memcmp(s.p, name, n) && !memcmp(s.p + n, kind, k);
}

enum eim_err guard_read_note(struct slice text, const char *name, const char *verifier, struct guard_head *out, struct err *e)
{
    struct slice rest = text, origin = { 0 };
    uint8_t log[SHA256_SIZE];
    *out = (struct guard_head){ 0 };
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\n' && (text.p[i] < ' ' || text.p[i] > '~')) return fail_field(e, E_INVALID, NULL, "note", "an octet that is no plain text");
    if (slice_line(&rest, &origin) && begins(origin, name, "/audit/") && is_head(rest, out)) {
        TRY(digest_sha256_spans((struct slice[]){ slice_str(verifier), SLICE("\n"), origin }, 3, log, e));
        out->log = guard_digest(log) | 1;
        return OK;
    }
    *out = (struct guard_head){ 0 };
    if (!begins(origin, name, "/inventory/") || !is_export(rest))
        return fail_field(e, E_INVALID, NULL, "note", "neither a head of our audit logs nor a page of an inventory export");
    return digest_sha256(text, out->root.b, e);
}

static struct guard_head *log_of(struct guard *g, uint64_t log)
{
    for (size_t i = 0; i < g->nlogs; i++)
        if (g->logs[i].log == log) return &g->logs[i];
    return NULL;
}

enum eim_err guard_recall_head(struct guard *g, const struct guard_head *h, struct err *e)
{
    struct guard_head *at = log_of(g, h->log);
    if (!at && g->nlogs == GUARD_LOGS) return fail(e, E_LIMIT, NULL, "the signer remembers the heads of %d logs and takes no more", GUARD_LOGS);
    if (!at) at = &g->logs[g->nlogs++];
    if (h->size >= at->size) *at = *h;
    return OK;
}

bool guard_each_head(const struct guard *g, size_t *at, struct guard_head *out)
{
    if (*at == g->nlogs) return false;
    *out = g->logs[(*at)++];
    return true;
}

enum eim_err guard_admit_head(struct guard *g, const struct guard_head *h, const struct note_proof *proof, uint64_t *wanted, bool *again, struct err *e)
{
    const struct guard_head *last = h->log ? log_of(g, h->log) : NULL;
    struct merkle_proof p = { .n = (unsigned)(proof->hashes.n / MERKLE_HASH) };
    *wanted = last ? (uint64_t)last->size : 0;
    *again = last && h->size == last->size && !memcmp(&h->root, &last->root, sizeof h->root);
    if (*again || !h->log) return OK;
    if (!last) return guard_recall_head(g, h, e);
    if (h->size <= last->size)
        return fail_field(e, E_REPLAY, "RFC 9162 2.1.4", "size", "a tree of size %lld, but %lld was signed already", (long long)h->size, (long long)last->size);
    if (proof->from != *wanted)
        return fail_field(e, E_STALE, "RFC 9162 2.1.4", "from", "a proof from size %llu, but %lld was signed last", (unsigned long long)proof->from,
                          (long long)last->size);
    if (proof->hashes.n % MERKLE_HASH || p.n > MERKLE_PROOF_MAX) return fail_field(e, E_MALFORMED, "RFC 9162 2.1.4", "hashes", "no proof of consistency");
    memcpy(p.h, proof->hashes.p ? (const void *)proof->hashes.p : "", proof->hashes.n);
    TRY(merkle_check_consistency(*wanted, &last->root, (uint64_t)h->size, &h->root, &p, e));
    return guard_recall_head(g, h, e);
}

/* ---- remembering ---- */

uint64_t guard_digest(const uint8_t digest[SHA256_SIZE])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | digest[i];
    return v;
}

/* The place of an association, or the empty one where it belongs. There is always an empty place. */
static struct guard_entry *place(struct guard_entry *v, size_t room, uint64_t association)
{
    size_t i = (size_t)association & (room - 1);
    while (v[i].association && v[i].association != association) i = (i + 1) & (room - 1);
    return &v[i];
}

static enum eim_err grow(struct guard *g, struct err *e)
{
    if (g->n >= GUARD_ASSOCIATIONS) return fail(e, E_LIMIT, NULL, "the signer remembers %zu associations and takes no more", g->n);
    if (g->n + 1 <= g->room / 4 * 3) return OK;
    struct guard_entry *v = MEM_ARRAY(struct guard_entry, 2 * g->room);
    if (!v) return fail(e, E_NOMEM, NULL, "no memory for the counter of another association");
    for (size_t i = 0; i < g->room; i++)
        if (g->v[i].association) *place(v, 2 * g->room, g->v[i].association) = g->v[i];
    mem_free(g->v);
    g->v = v;
    g->room *= 2;
    return OK;
}

enum eim_err guard_recall(struct guard *g, uint64_t association, int64_t counter, uint64_t digest, struct err *e)
{
    struct guard_entry *at = place(g->v, g->room, association);
    if (!at->association) {
        TRY(grow(g, e));
        at = place(g->v, g->room, association);
        g->n++;
    } else if (counter < at->counter) {
        return OK;
    }
    *at = (struct guard_entry){ association, counter, digest };
    return OK;
}

/* One package out of a bucket that holds a minute's worth at most, and fills as time goes by. */
static bool spend(struct bucket *b, int64_t now_us)
{
    if (!b->a_minute) return true;
    int64_t full = b->a_minute * MINUTE_US, gone = now_us - b->at_us;
    if (gone > 0) {
        int64_t more = gone < MINUTE_US ? gone * b->a_minute : full;
        b->left = b->left > full - more ? full : b->left + more;
    }
    b->at_us = now_us;
    if (b->left < MINUTE_US) return false;
    b->left -= MINUTE_US;
    return true;
}

enum eim_err guard_admit(struct guard *g, const struct guard_package *p, int64_t now_us, int64_t *highest, bool *again, struct err *e)
{
    const struct guard_entry *at = place(g->v, g->room, p->association);
    struct bucket *b = p->lists ? &g->lists : &g->changes;
    uint64_t digest = guard_digest(p->digest);
    *highest = at->association ? at->counter : -1;
    *again = at->association && p->counter == at->counter && digest == at->digest;
    if (*again) return OK;
    if (at->association && p->counter <= at->counter)
        return fail_field(e, E_REPLAY, CLAUSE, "counterValue", "counter %lld, but %lld was signed already", (long long)p->counter, (long long)at->counter);
    if (at->association && p->counter - at->counter > GUARD_JUMP)
        return fail_field(e, E_RULE, CLAUSE, "counterValue", "counter %lld is more than %d past the last that was signed", (long long)p->counter, GUARD_JUMP);
    if (!at->association) TRY(grow(g, e));
    if (!spend(b, now_us))
        return fail(e, E_BUSY, NULL, "%lld packages a minute that %s are signed, no more", (long long)b->a_minute, p->lists ? "only list" : "change something");
    TRY(guard_recall(g, p->association, p->counter, digest, e));
    *highest = p->counter;
    return OK;
}

bool guard_each(const struct guard *g, size_t *at, struct guard_entry *out)
{
    while (*at < g->room && !g->v[*at].association) ++*at;
    if (*at == g->room) return false;
    *out = g->v[(*at)++];
    return true;
}

size_t guard_count(const struct guard *g)
{
    return g->n;
}
