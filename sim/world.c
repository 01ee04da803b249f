/* world.c -- shared things of a fleet, and its deterministic EIDs and ICCIDs. */
#include "sim/world.h"

#include <stdio.h>

static const struct sim_operator defaults[] = {
    { "Operator A", "A IoT", "8949001", "smdp-a.example.com", { 0x62, 0xF2, 0x10 } },
    { "Operator B", "B IoT", "8949002", "smdp-b.example.com", { 0x62, 0xF2, 0x20 } },
    { "Operator C", "C IoT", "8949003", "smdp-c.example.com", { 0x62, 0xF2, 0x30 } },
};

void sim_world_init(struct sim_world *w, const struct sim_pki *pki, struct env *env)
{
    *w = (struct sim_world){ .pki = pki, .env = env, .n_operators = sizeof defaults / sizeof defaults[0],
                             .counter_max = SIM_COUNTER_MAX, .package_max = SIM_PACKAGE_MAX, .result_max = SIM_RESULT_MAX,
                             .root_smds = "lpa.ds.gsma.com" };
    memcpy(w->operators, defaults, sizeof defaults);
    pthread_mutex_init(&w->lock, NULL);
    arena_init(&w->arena, SIM_WORLD_ARENA);
}

void sim_world_free(struct sim_world *w)
{
    for (size_t i = 0; i < SIM_BLOB_BUCKETS; i++)
        for (struct sim_blob *b = w->buckets[i]; b; b = b->next)
            public_key_free(b->key);
    arena_free(&w->arena);
    pthread_mutex_destroy(&w->lock);
    *w = (struct sim_world){ 0 };
}

uint64_t sim_mix(uint64_t seed, uint64_t n)      /* splitmix64 */
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t hash_bytes(struct slice s)       /* FNV-1a; what is hashed comes from our own eIM, not from attackers */
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * UINT64_C(0x100000001B3);
    return h;
}

static struct sim_blob *lookup(struct sim_world *w, uint64_t h, struct slice bytes, bool keyed)
{
    for (struct sim_blob *b = w->buckets[h % SIM_BLOB_BUCKETS]; b; b = b->next)
        if (b->hash == h && slice_eq(b->bytes, bytes) && (b->key != NULL) == keyed)
            return b;
    return NULL;
}

static struct sim_blob *insert(struct sim_world *w, uint64_t h, struct slice bytes, struct public_key *key)
{
    struct sim_blob *b = ARENA_NEW(&w->arena, struct sim_blob);
    struct slice copy = arena_copy(&w->arena, bytes);
    if (!b || (bytes.n && !copy.p))
        return NULL;
    *b = (struct sim_blob){ w->buckets[h % SIM_BLOB_BUCKETS], h, copy, key };
    w->buckets[h % SIM_BLOB_BUCKETS] = b;
    return b;
}

const struct sim_blob *sim_world_find(struct sim_world *w, struct slice bytes)
{
    uint64_t h = hash_bytes(bytes);
    pthread_mutex_lock(&w->lock);
    const struct sim_blob *b = lookup(w, h, bytes, true);
    pthread_mutex_unlock(&w->lock);
    return b;
}

const struct sim_blob *sim_world_blob(struct sim_world *w, struct slice bytes, struct public_key *key)
{
    uint64_t h = hash_bytes(bytes);
    pthread_mutex_lock(&w->lock);
    struct sim_blob *b = lookup(w, h, bytes, key != NULL);
    if (!b && (b = insert(w, h, bytes, key)))
        key = NULL;
    pthread_mutex_unlock(&w->lock);
    public_key_free(key);
    return b;
}

/* ---- numbers ------------------------------------------------------------------------------------------------- */

void sim_eid_make(uint64_t seed, uint64_t index, uint8_t eid[SIM_EID])
{
    char digits[48];
    snprintf(digits, sizeof digits, SIM_EID_PREFIX "%010u%012llu", (unsigned)(sim_mix(seed, 0) % 4000000000U),
             (unsigned long long)(index % UINT64_C(1000000000000)));
    unsigned mod = 0;
    for (int i = 0; i < 30; i++)
        mod = (mod * 10 + (unsigned)(digits[i] - '0')) % 97;
    snprintf(digits + 30, sizeof digits - 30, "%02u", 98 - mod * 100 % 97);
    slice_unhex(slice_of(digits, 2 * SIM_EID), eid, SIM_EID);
}

bool sim_iccid_read(const char *digits, uint8_t iccid[10])
{
    size_t n = strlen(digits);
    if (n == 0 || n > 20)
        return false;
    memset(iccid, 0xFF, 10);
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        unsigned d = (unsigned)(digits[i] - '0');
        iccid[i / 2] = (uint8_t)(i % 2 ? (iccid[i / 2] & 0x0F) | d << 4 : (iccid[i / 2] & 0xF0) | d);
    }
    return true;
}

void sim_iccid_text(const uint8_t iccid[10], char out[21])
{
    size_t n = 0;
    for (size_t i = 0; i < 20; i++) {
        unsigned d = i % 2 ? iccid[i / 2] >> 4 : iccid[i / 2] & 0x0F;
        if (d > 9)
            break;
        out[n++] = (char)('0' + d);
    }
    out[n] = 0;
}

void sim_iccid_make(const char *prefix, uint64_t seed, uint64_t index, uint8_t iccid[10])
{
    char digits[64];
    int room = 18 - (int)strlen(prefix) - 5;      /* digits left for the index */
    snprintf(digits, sizeof digits, "%s%05u%0*llu", prefix, (unsigned)(sim_mix(seed, 1) % 100000), room > 0 ? room : 1,
             (unsigned long long)index);
    unsigned sum = 0;
    for (int i = 0; i < 18; i++) {                /* Luhn: every second digit counted from the check digit is doubled */
        unsigned d = (unsigned)(digits[i] - '0');
        if (i % 2)
            d = 2 * d > 9 ? 2 * d - 9 : 2 * d;
        sum += d;
    }
    digits[18] = (char)('0' + (10 - sum % 10) % 10);
    digits[19] = 0;
    (void)sim_iccid_read(digits, iccid);
}
