/* seed.c -- fills a data directory's store with a fleet, so that the server can be measured under it.
 *
 * Devices that have made their first contact long ago: key pinned, one inventory, two profiles, last heard now. From device number IDLE on each
 * has one `enable` waiting. One key serves all devices: the server parses and verifies all the same.
 *
 * The rows go in through the store's own verbs, in the order of enrolment: association numbers are a keyed hash, so the tables get
 * as untidy as those of a fleet that grew. Only within a batch they are sorted, which saves the cache some misses. */
#include "asn1/sgp32.h"
#include "base/env.h"
#include "crypto/key.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

/* No larger: at the end of each upsert SQLite walks through all that the savepoint it stands in has journalled. */
enum { BATCH = 1000, CACHE_KIB = 1 << 20 };

static struct {
    int64_t devices, idle;             /* those numbered below `idle` have nothing waiting */
    struct identity id;
    struct slice point;
    struct env env;
} set;

struct one { int64_t association, number; };

struct batch {
    struct store_job job;
    size_t n;
    struct one one[BATCH];
};

static int by_association(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    return (x->association > y->association) - (x->association < y->association);
}

static void eid_number(int64_t i, struct eid *out)
{
    char text[33];
    snprintf(text, sizeof text, "8904903200000000%014lld00", (long long)i);
    unsigned rest = 0;
    for (int k = 0; k < 32; k++) rest = (rest * 10 + (unsigned)(text[k] - '0')) % 97;
    snprintf(text + 30, 3, "%02u", 98 - rest);
    if (!eid_parse(slice_str(text), true, out)) abort();
}

static void iccid_number(int64_t i, char operator_, uint8_t out[10])
{
    char text[24];
    struct iccid c;
    snprintf(text, sizeof text, "894900%c%012lld", operator_, (long long)i);
    if (!iccid_parse(slice_str(text), &c)) abort();
    memcpy(out, c.b, 10);
}

static enum eim_err put(struct tx *t, int64_t i, struct err *e)
{
    struct eid eid;
    uint8_t a[10], b[10];
    eid_number(i, &eid);
    iccid_number(i, '1', a);
    iccid_number(i, '2', b);
    int64_t now = set.env.now(&set.env);
    struct device d = {
        .association = model_association(set.id.association_key, &eid), .tenant = set.id.tenant, .identity = set.id.id, .eid = eid,
        .key_class = KEY_PINNED, .curve = CURVE_P256, .key = set.point, .token = 1, .token_candidate = DEVICE_TOKEN_NONE,
        .has_enabled = true, .enabled = { a, 10 }, .enabled_us = now, .inventory_us = now, .enrolled_us = now, .first_contact_us = now,
        .state_cause = -1,
    };
    struct profile p[2] = { { .iccid = { a, 10 }, .class_ = 2, .as_of_us = now }, { .iccid = { b, 10 }, .class_ = 2, .as_of_us = now } };
    uint8_t package[32] = { 0xa0, 0x0e, 0xa3, 0x0c, 0x5a, 0x0a };                       /* psmoList { enable b } */
    memcpy(package + 6, b, 10);
    struct operation o = {
        .association = d.association, .id = env_id(&set.env), .tenant = d.tenant, .state = OP_PENDING, .request = { package, 16 },
        .principal = SLICE("token:bench"), .created_us = now, .seq = -1, .code = -1,
    };
    if (i >= set.idle) d.next_op = o.id;
    TRY(store_device_insert(t, &d, e));
    TRY(store_contact_put(t, &(struct contact){ d.association, now }, 1, e));
    TRY(store_profile_replace(t, d.association, d.tenant, p, 2, e));
    return i >= set.idle ? store_operation_insert(t, &o, e) : OK;
}

static enum eim_err apply(struct tx *t, struct store_job *job, struct err *e)
{
    struct batch *b = (struct batch *)job;
    for (size_t i = 0; i < b->n; i++) TRY(put(t, b->one[i].number, e));
    return OK;
}

static void fill(struct batch *b, int64_t from)
{
    b->n = 0;
    for (int64_t i = from; i < set.devices && b->n < BATCH; i++) {
        struct eid eid;
        eid_number(i, &eid);
        b->one[b->n++] = (struct one){ model_association(set.id.association_key, &eid), i };
    }
    qsort(b->one, b->n, sizeof b->one[0], by_association);
}

static int stop(const char *what, const struct err *e)
{
    fprintf(stderr, "seed: %s: %s\n", what, e->why);
    return 1;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    struct store *s;
    struct tx *t;
    struct arena a;
    struct identity_list ids;
    struct private_key *key;
    if (argc != 5) {
        fprintf(stderr, "usage: seed STORE-URL KEY.pem DEVICES IDLE      (KEY.pem is made if it is not there)\n");
        return 2;
    }
    set.devices = strtoll(argv[3], NULL, 10);
    set.idle = strtoll(argv[4], NULL, 10);
    env_real(&set.env);
    arena_init(&a, 1 << 20);
    struct store_options o = { .url = argv[1], .cache_kib = CACHE_KIB, .writers = 4 };
    if (private_key_load(&key, argv[2], &e) == E_NOT_FOUND) {
        e = (struct err){ 0 };
        if (private_key_generate(&key, CURVE_P256, &e) != OK || private_key_save(key, argv[2], &e) != OK) return stop("key", &e);
    } else if (e.code)
        return stop("key", &e);
    set.point = public_key_point(private_key_public(key));
    if (store_open(&s, &o, &e) != OK) return stop("store", &e);
    if (store_read_begin(s, &t, &e) != OK || store_identity_list(t, &ids, &a, &e) != OK || !ids.n) return stop("identity", &e);
    set.id = ids.v[0];
    store_read_end(t);
    for (int64_t i = 0; i < set.devices; i += BATCH) {
        static struct batch b = { .job = { .apply = apply } };
        fill(&b, i);
        if (store_run(s, &b.job, &e) != OK) return stop("devices", &e);
    }
    store_close(s);
    private_key_free(key);
    arena_free(&a);
    return 0;
}
