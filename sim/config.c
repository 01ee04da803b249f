/* config.c -- the eIMs associated with the card: their configuration, counters and tokens (SGP.32 2.11.1, 5.9.4). */
#include "crypto/cert.h"
#include "sim/card.h"

enum { F_EIM_ID, F_FQDN, F_TYPE, F_COUNTER, F_TOKEN, F_KEY, F_TLS, F_PROTOCOL, F_CI, F_INDIRECT, FIELDS };
static const uint32_t field_tags[FIELDS] = { T_0, T_1, T_2, T_3, T_4, T_C5, T_C6, T_7, T_8, T_9 };

struct fields {
    struct tlv f[FIELDS];              /* tag 0: absent */
};

/* The components of an EimConfigurationData, each at most once and in order; unknown ones are skipped. */
static bool read_fields(struct slice body, struct fields *out)
{
    struct tlv t;
    int next = 0;
    *out = (struct fields){ 0 };
    while (tlv_next(&body, &t)) {
        int i = 0;
        while (i < FIELDS && field_tags[i] != t.tag)
            i++;
        if (i == FIELDS)
            continue;
        if (i < next)
            return false;
        out->f[i] = t;
        next = i + 1;
    }
    return body.n == 0;
}

/* A certificate or SPKI under its arm: whole, or IMPLICIT without its own SEQUENCE (sgp32.md 2.0 rule 4). `parts` is
 * the number of children that the implicit form has. Empty when it is neither. */
static struct slice unwrap(struct slice arm, size_t parts, struct arena *a)
{
    struct slice rest = arm;
    struct tlv t;
    size_t n = 0;
    while (tlv_next(&rest, &t))
        n++;
    if (rest.n != 0)
        return (struct slice){ 0 };
    return n == 1 ? arm : n == parts ? TLV(a, T_SEQUENCE, arm) : (struct slice){ 0 };
}

static struct public_key *read_key(struct slice a5, struct arena *a)
{
    struct err e = { 0 };
    struct tlv arm;
    struct public_key *k = NULL;
    if (!tlv_only(a5, &arm) || (arm.tag != T_C0 && arm.tag != T_C1))
        return NULL;
    struct slice der = unwrap(arm.value, arm.tag == T_C0 ? 2 : 3, a);
    if (der.n == 0 || tlv_is_bad(der))
        return NULL;
    enum eim_err rc = arm.tag == T_C0 ? public_key_parse(&k, der, &e) : cert_public_key(&k, der, &e);
    return rc == OK ? k : NULL;
}

static bool counter_ok(const struct sim_euicc *c, const struct tlv *f, int64_t *counter)
{
    return tlv_int(f->value, counter) && *counter >= 0 && *counter <= c->world->counter_max;
}

/* The shared blob of these fields. NULL: no memory, or no usable key. */
/* Is the key under its arm whole? */
static bool whole_key(struct slice a5)
{
    struct tlv arm, t;
    return tlv_only(a5, &arm) && tlv_only(arm.value, &t);
}

static const struct sim_blob *intern(struct sim_euicc *c, const struct fields *f, struct arena *a)
{
    struct tlv_list l = { 0 };
    for (int i = 0; i < FIELDS; i++)
        if (f->f[i].tag && i != F_COUNTER && i != F_TOKEN)
            tlv_add(&l, f->f[i].raw);
    struct slice bytes = tlv_list_end(a, 0, &l);
    if (tlv_is_bad(bytes))
        return NULL;
    const struct sim_blob *b = sim_world_find(c->world, bytes);
    if (b)
        return b;
    struct public_key *k = read_key(f->f[F_KEY].value, a);
    return k ? sim_world_blob(c->world, bytes, k) : NULL;
}

static enum card_eim_code check_common(const struct sim_euicc *c, const struct fields *f)
{
    if (c->quirks & SIM_Q(WHOLE_CERT) && f->f[F_KEY].tag && !whole_key(f->f[F_KEY].value))
        return CARD_COMMAND_ERROR;
    if (f->f[F_EIM_ID].value.n == 0 || f->f[F_EIM_ID].value.n > 128)
        return CARD_COMMAND_ERROR;
    if (f->f[F_CI].tag && !slice_eq(f->f[F_CI].value, slice_of(c->world->pki->ci_ski, SIM_SKI)))
        return CARD_CI_UNKNOWN;
    return CARD_OK;
}

int card_eim_find(const struct sim_euicc *c, struct slice eim_id)
{
    for (unsigned i = 0; i < c->n_eims; i++)
        if (slice_eq(card_eim_id(&c->eims[i]), eim_id))
            return (int)i;
    return -1;
}

static struct tlv stored_field(const struct sim_eim *eim, int field)
{
    struct tlv t = { 0 };
    (void)tlv_find(eim->config->bytes, field_tags[field], &t);
    return t;
}

struct slice card_eim_id(const struct sim_eim *eim)
{
    return stored_field(eim, F_EIM_ID).value;
}

int64_t card_eim_type(const struct sim_eim *eim)
{
    int64_t v;
    struct tlv t = stored_field(eim, F_TYPE);
    return t.tag && tlv_int(t.value, &v) ? v : 0;
}

enum card_eim_code card_eim_add(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct fields f;
    int64_t counter = 0, token = SIM_NO_TOKEN;
    if (!read_fields(body, &f) || !f.f[F_KEY].tag)
        return CARD_COMMAND_ERROR;
    enum card_eim_code rc = check_common(c, &f);
    if (rc != CARD_OK)
        return rc;
    if (card_eim_find(c, f.f[F_EIM_ID].value) >= 0)
        return CARD_EIM_EXISTS;
    if (f.f[F_COUNTER].tag && !counter_ok(c, &f.f[F_COUNTER], &counter))
        return CARD_BAD_COUNTER;
    if (f.f[F_TOKEN].tag && (!tlv_int(f.f[F_TOKEN].value, &token) || token != -1))
        return CARD_BAD_TOKEN;
    if (c->n_eims == SIM_EIMS)
        return CARD_NO_MEMORY;
    const struct sim_blob *b = intern(c, &f, a);
    if (!b)
        return CARD_COMMAND_ERROR;
    if (c->quirks & SIM_Q(REPLAY_ERROR))
        counter += 500;
    c->eims[c->n_eims++] = (struct sim_eim){ b, counter, f.f[F_TOKEN].tag ? (int64_t)++c->last_token : SIM_NO_TOKEN };
    return CARD_OK;
}

enum card_eim_code card_eim_update(struct sim_euicc *c, unsigned eim, struct slice body, struct arena *a)
{
    struct fields f, old;
    struct sim_eim *e = &c->eims[eim];
    int64_t counter = e->counter;
    if (!read_fields(body, &f) || !read_fields(e->config->bytes, &old) || f.f[F_TOKEN].tag)
        return CARD_COMMAND_ERROR;                   /* a token belongs to an association, not to its data */
    enum card_eim_code rc = check_common(c, &f);
    if (rc != CARD_OK)
        return rc;
    if (f.f[F_COUNTER].tag && !counter_ok(c, &f.f[F_COUNTER], &counter))
        return CARD_BAD_COUNTER;
    for (int i = 0; i < FIELDS; i++)
        if (f.f[i].tag)
            old.f[i] = f.f[i];
    const struct sim_blob *b = intern(c, &old, a);
    if (!b)
        return CARD_COMMAND_ERROR;
    e->config = b;
    e->counter = counter;
    return CARD_OK;
}

void card_eim_delete(struct sim_euicc *c, unsigned eim)
{
    memmove(&c->eims[eim], &c->eims[eim + 1], (c->n_eims - eim - 1) * sizeof c->eims[0]);
    c->n_eims--;
}

struct slice card_eim_config(const struct sim_eim *eim, struct arena *a)
{
    struct slice rest = eim->config->bytes;
    struct tlv_list l = { 0 };
    struct tlv t;
    bool counted = false;
    while (tlv_next(&rest, &t)) {
        if (!counted && t.tag != T_0 && t.tag != T_1 && t.tag != T_2) {
            counted = true;
            tlv_add(&l, tlv_put_int(a, T_3, eim->counter));
            if (eim->token != SIM_NO_TOKEN)
                tlv_add(&l, tlv_put_int(a, T_4, eim->token));
        }
        tlv_add(&l, t.raw);
    }
    return tlv_list_end(a, T_SEQUENCE, &l);
}
