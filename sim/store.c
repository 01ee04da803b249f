/* store.c -- what the card keeps until it is removed: package results and notifications.
 *
 * One byte string, items one after the other: length (4 octets of this machine), sequence number (4), kind (1), bytes.
 * It is freed when the last item goes, so an idle card holds nothing. */
#include "sim/card.h"

enum { HEAD = 9 };

uint32_t card_next_seq(struct sim_euicc *c)
{
    uint32_t seq = c->next_seq++;
    return c->quirks & SIM_Q(ODD_SEQ) ? seq ^ 5 : seq;
}

bool card_stored(const struct sim_euicc *c, size_t *at, struct card_item *out)
{
    if (c->stored.n - *at < HEAD)
        return false;
    const uint8_t *p = c->stored.p + *at;
    uint32_t len;
    memcpy(&len, p, 4);
    memcpy(&out->seq, p + 4, 4);
    out->kind = p[8];
    out->bytes = slice_of(p + HEAD, len);
    *at += HEAD + len;
    return true;
}

static void cut(struct sim_euicc *c, size_t from, size_t to)
{
    memmove(c->stored.p + from, c->stored.p + to, c->stored.n - to);
    c->stored.n -= to - from;
    if (c->stored.n == 0) {
        buf_free(&c->stored);
        buf_init(&c->stored, SIM_STORED_MAX);
    }
}

bool card_remove(struct sim_euicc *c, uint32_t seq)
{
    struct card_item it;
    for (size_t at = 0, from = 0; card_stored(c, &at, &it); from = at)
        if (it.seq == seq) {
            cut(c, from, at);
            return true;
        }
    return false;
}

/* Memory is finite: the oldest notification goes first, then the oldest result. */
static bool drop_oldest(struct sim_euicc *c)
{
    struct card_item it, first;
    size_t at = 0;
    if (!card_stored(c, &at, &first))
        return false;
    for (at = 0; card_stored(c, &at, &it);)
        if (it.kind != CARD_RESULT)
            return card_remove(c, it.seq);
    return card_remove(c, first.seq);
}

bool card_store(struct sim_euicc *c, enum card_kind kind, uint32_t seq, struct slice bytes)
{
    if (tlv_is_bad(bytes) || bytes.n > SIM_STORED_MAX - HEAD)
        return false;
    while (c->stored.n + HEAD + bytes.n > SIM_STORED_MAX)
        if (!drop_oldest(c))
            return false;
    uint8_t head[HEAD];
    uint32_t len = (uint32_t)bytes.n;
    memcpy(head, &len, 4);
    memcpy(head + 4, &seq, 4);
    head[8] = (uint8_t)kind;
    buf_put(&c->stored, slice_of(head, HEAD));
    buf_put(&c->stored, bytes);
    return !c->stored.failed;
}

bool card_notify(struct sim_euicc *c, unsigned event, const struct sim_profile *p, struct arena *a)
{
    uint32_t seq = card_next_seq(c);
    struct slice metadata = TLV(a, T_NOTIFICATION_METADATA, tlv_put_int(a, T_0, seq), tlv_put_bits(a, T_1, event, 4),
                                tlv_put_str(a, T_UTF8, c->world->operators[p->operator_].notification_address),
                                TLV(a, T_ICCID, slice_of(p->iccid, 10)));
    struct slice sig = TLV(a, T_SIGNATURE, card_sign(c, metadata, a));
    return card_store(c, CARD_NOTIFICATION, seq, TLV(a, 0, metadata, sig));
}

bool card_switch(struct sim_euicc *c, int to, struct arena *a)
{
    int from = sim_euicc_enabled(c);
    if (from == to)
        return true;
    bool good = true;
    if (from != SIM_NO_PROFILE) {
        c->profiles[from].flags &= (uint8_t)~SIM_ENABLED;
        good &= card_notify(c, CARD_DISABLE, &c->profiles[from], a);
    }
    if (to != SIM_NO_PROFILE) {
        c->profiles[to].flags |= SIM_ENABLED;
        good &= card_notify(c, CARD_ENABLE, &c->profiles[to], a);
    }
    return good;
}
