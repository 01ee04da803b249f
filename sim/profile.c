/* profile.c -- a profile comes onto the card: mutual authentication with an SM-DP+, keys, and the bound profile package (SGP.22 3.1, 5.7).
 *
 * There is one session. It begins with a challenge, and each step of it is only accepted after the one before; what was
 * accepted may be repeated, since answers get lost. It ends with a ProfileInstallationResult, or when it is cancelled. */
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/verify.h"
#include "sim/bsp.h"
#include "sim/card.h"

enum { ADDRESS_MAX = 255, OID_MAX = 64, TXID_MAX = 16, PROFILE_MAX = 1 << 20, METADATA_MAX = 4096 };

enum step { CHALLENGED, AUTHENTICATED, PREPARED };

struct card_session {
    enum step step;
    uint8_t challenge[16], txid[TXID_MAX], oid[OID_MAX], address[ADDRESS_MAX];
    uint8_t txid_n, oid_n, address_n;
    uint8_t signature1[SIGNATURE_SIZE];                  /* euiccSignature1, which the SM-DP+ signs next */
    struct private_key *otsk;          /* one-time key of this session */
    struct public_key *pb;             /* the SM-DP+'s key for profile binding */
};

void card_session_end(struct sim_euicc *c)
{
    if (c->session) {
        private_key_free(c->session->otsk);
        public_key_free(c->session->pb);
        mem_free(c->session);
    }
    c->session = NULL;
}

static struct slice txid_of(const struct card_session *s) { return slice_of(s->txid, s->txid_n); }

struct slice card_challenge(struct sim_euicc *c, struct slice body, struct arena *a)
{
    (void)body;
    card_session_end(c);
    c->session = MEM_NEW(struct card_session);
    if (!c->session)
        return tlv_bad;
    c->world->env->random(c->world->env, c->session->challenge, sizeof c->session->challenge);
    return TLV(a, T_CHALLENGE, TLV(a, T_0, slice_of(c->session->challenge, sizeof c->session->challenge)));
}

/* A1{80 transactionId, 02 code} of BF38 and BF21. */
static struct slice refuse(uint32_t function, struct slice txid, int code, struct arena *a)
{
    return TLV(a, function, TLV(a, T_C1, TLV(a, T_0, txid), tlv_put_int(a, T_INTEGER, code)));
}

/* ---- AuthenticateServer -------------------------------------------------------------------------------------- */

enum { INVALID_CERT = 1, INVALID_SIGNATURE = 2, NO_SESSION = 4, OTHER = 5, CHALLENGE_MISMATCH = 6, CI_UNKNOWN = 7, UNDEFINED = 127 };

struct server {
    struct tlv signed1, sig, cert, ctx, txid, challenge, address, server_challenge;
};

static bool read_server(struct slice body, struct server *v, struct tlv *ci)
{
    *ci = (struct tlv){ 0 };
    if (!tlv_take(&body, T_SEQUENCE, &v->signed1) || !tlv_take(&body, T_SIGNATURE, &v->sig))
        return false;
    (void)tlv_take(&body, T_OCTETS, ci);
    struct slice s = v->signed1.value;
    return tlv_take(&body, T_SEQUENCE, &v->cert) && tlv_take(&body, T_C0, &v->ctx) && tlv_take(&s, T_0, &v->txid) && v->txid.value.n &&
           v->txid.value.n <= TXID_MAX && tlv_take(&s, T_1, &v->challenge) && tlv_take(&s, T_3, &v->address) &&
           v->address.value.n <= ADDRESS_MAX && tlv_take(&s, T_4, &v->server_challenge);
}

static int judge_server(struct sim_euicc *c, const struct server *v, const struct tlv *ci, struct slice *oid)
{
    const struct sim_pki *pki = c->world->pki;
    if (!c->session)
        return NO_SESSION;
    if (ci->tag && (ci->value.n > SIM_SKI || memcmp(ci->value.p, pki->ci_ski, ci->value.n) != 0))
        return CI_UNKNOWN;
    struct public_key *key = sim_pki_dp_check(pki, v->cert.raw, SIM_DP_AUTH, oid);
    if (!key)
        key = sim_pki_dp_check(pki, v->cert.raw, SIM_DS_AUTH, oid);
    if (!key || oid->n > OID_MAX) {
        public_key_free(key);
        return INVALID_CERT;
    }
    bool good = verify_signature(key, &v->signed1.raw, 1, v->sig.value, &(struct err){ 0 }) == OK;
    public_key_free(key);
    if (!good)
        return INVALID_SIGNATURE;
    return slice_eq(v->challenge.value, slice_of(c->session->challenge, 16)) ? 0 : CHALLENGE_MISMATCH;
}

struct slice card_authenticate_server(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct server v;
    struct tlv ci;
    struct slice oid = { 0 };
    if (!read_server(body, &v, &ci))
        return (struct slice){ 0 };
    int code = judge_server(c, &v, &ci, &oid);
    if (code)
        return refuse(T_AUTHENTICATE_SERVER, v.txid.value, code, a);
    struct card_session *s = c->session;
    memcpy(s->txid, v.txid.value.p, s->txid_n = (uint8_t)v.txid.value.n);
    memcpy(s->oid, oid.p, s->oid_n = (uint8_t)oid.n);
    memcpy(s->address, v.address.value.p, s->address_n = (uint8_t)v.address.value.n);
    struct slice signed1 = TLV(a, T_SEQUENCE, v.txid.raw, v.address.raw, v.server_challenge.raw,
                               card_info2(c, (struct slice){ 0 }, a), v.ctx.raw);
    struct slice sig = card_sign(c, signed1, a);
    if (tlv_is_bad(sig))
        return tlv_bad;
    memcpy(s->signature1, sig.p, SIGNATURE_SIZE);
    s->step = AUTHENTICATED;
    return TLV(a, T_AUTHENTICATE_SERVER, TLV(a, T_C0, signed1, TLV(a, T_SIGNATURE, sig), sim_euicc_cert(c, a), c->world->pki->eum));
}

/* ---- PrepareDownload ----------------------------------------------------------------------------------------- */

static int judge_binder(struct sim_euicc *c, struct slice txid, struct slice signed2, struct slice sig, struct slice cert, struct arena *a)
{
    struct card_session *s = c->session;
    struct slice oid = { 0 };
    if (!s || s->step < AUTHENTICATED)
        return NO_SESSION;
    if (!slice_eq(txid, txid_of(s)))
        return OTHER;
    struct public_key *key = sim_pki_dp_check(c->world->pki, cert, SIM_DP_PB, &oid);
    if (!key || !slice_eq(oid, slice_of(s->oid, s->oid_n))) {            /* both certificates are of one SM-DP+ */
        public_key_free(key);
        return INVALID_CERT;
    }
    const struct slice spans[2] = { signed2, TLV(a, T_SIGNATURE, slice_of(s->signature1, SIGNATURE_SIZE)) };
    if (verify_signature(key, spans, 2, sig, &(struct err){ 0 }) != OK) {
        public_key_free(key);
        return INVALID_SIGNATURE;
    }
    public_key_free(s->pb);
    s->pb = key;
    return 0;
}

struct slice card_prepare_download(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv signed2, sig, hash = { 0 }, cert, txid, cc;
    if (!tlv_take(&body, T_SEQUENCE, &signed2) || !tlv_take(&body, T_SIGNATURE, &sig))
        return (struct slice){ 0 };
    (void)tlv_take(&body, T_OCTETS, &hash);
    struct slice s2 = signed2.value;
    if (!tlv_take(&body, T_SEQUENCE, &cert) || !tlv_take(&s2, T_0, &txid) || !tlv_take(&s2, T_BOOLEAN, &cc) || cc.value.n != 1)
        return (struct slice){ 0 };
    int code = judge_binder(c, txid.value, signed2.raw, sig.value, cert.raw, a);
    if (code == 0 && hash.tag && (!cc.value.p[0] || hash.value.n != SHA256_SIZE))
        code = UNDEFINED;
    struct err e = { 0 };
    struct card_session *s = c->session;
    if (code == 0 && !s->otsk && private_key_generate(&s->otsk, c->world->pki->curve, &e) != OK)
        return tlv_bad;
    if (code)
        return refuse(T_PREPARE_DOWNLOAD, txid.value, code, a);
    struct slice signed2e = TLV(a, T_SEQUENCE, txid.raw, TLV(a, T_OTPK, public_key_point(private_key_public(s->otsk))),
                                hash.tag ? hash.raw : (struct slice){ 0 });
    struct slice both = TLV(a, 0, signed2e, sig.raw);
    s->step = PREPARED;
    return TLV(a, T_PREPARE_DOWNLOAD, TLV(a, T_C0, signed2e, TLV(a, T_SIGNATURE, card_sign(c, both, a))));
}

/* ---- CancelSession ------------------------------------------------------------------------------------------- */

struct slice card_cancel_session(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct tlv txid, reason;
    struct card_session *s = c->session;
    if (!tlv_take(&body, T_0, &txid) || !tlv_take(&body, T_1, &reason))
        return (struct slice){ 0 };
    if (!s || s->step < AUTHENTICATED || !slice_eq(txid.value, txid_of(s)))
        return TLV(a, T_CANCEL_SESSION, tlv_put_int(a, T_1, OTHER));     /* invalidTransactionId */
    struct slice what = TLV(a, T_SEQUENCE, txid.raw, TLV(a, T_1, slice_of(s->oid, s->oid_n)), TLV(a, T_2, reason.value));
    struct slice answer = TLV(a, T_CANCEL_SESSION, TLV(a, T_C0, what, TLV(a, T_SIGNATURE, card_sign(c, what, a))));
    card_session_end(c);
    return answer;
}

/* ---- LoadBoundProfilePackage --------------------------------------------------------------------------------- */

/* bppCommandId and errorReason of a ProfileInstallationResult */
enum command { INITIALISE = 0, CONFIGURE = 1, STORE_METADATA = 2, REPLACE = 4, LOAD = 5 };
enum reason { BAD_VALUES = 1, BAD_SIGNATURE = 2, BAD_TXID = 3, BAD_CRT = 4, BAD_OPERATION = 5, BAD_STRUCTURE = 7, BAD_SECURITY = 8,
              ICCID_EXISTS = 9, NO_MEMORY = 10, INTERRUPTED = 11, PE_ERROR = 12, DATA_MISMATCH = 13, PPR_NOT_ALLOWED = 15 };

struct loading {
    struct bsp bsp;
    struct sim_profile profile;
    enum command command;              /* the one under way */
    int reason;                        /* 0: good */
    int slot;
    struct arena *a;
};

static bool bad(struct loading *l, enum command at, int reason)
{
    l->command = at;
    l->reason = reason;
    return false;
}

static bool channel(struct sim_euicc *c, struct loading *l, struct slice body)
{
    struct tlv op, txid, crt, point, sig, type, len, host;
    struct card_session *s = c->session;
    struct slice from = body;
    if (!tlv_take(&body, T_2, &op) || !tlv_take(&body, T_0, &txid) || !tlv_take(&body, T_C6, &crt) || !tlv_take(&body, T_OTPK, &point))
        return bad(l, INITIALISE, BAD_VALUES);
    const struct slice signed_ = slice_of(from.p, (size_t)(body.p - from.p));
    if (!tlv_take(&body, T_SIGNATURE, &sig) || body.n)
        return bad(l, INITIALISE, BAD_VALUES);
    if (!s || s->step < PREPARED || !slice_eq(txid.value, txid_of(s)))
        return bad(l, INITIALISE, BAD_TXID);
    const struct slice spans[2] = { signed_, TLV(l->a, T_OTPK, public_key_point(private_key_public(s->otsk))) };
    if (verify_signature(s->pb, spans, 2, sig.value, &(struct err){ 0 }) != OK)
        return bad(l, INITIALISE, BAD_SIGNATURE);
    if (op.value.n != 1 || op.value.p[0] != 1)
        return bad(l, INITIALISE, BAD_OPERATION);
    if (!tlv_take(&crt.value, T_0, &type) || !slice_eq(type.value, SLICE("\x88")) || !tlv_take(&crt.value, T_1, &len) ||
        !slice_eq(len.value, SLICE("\x10")) || !tlv_take(&crt.value, T_4, &host))
        return bad(l, INITIALISE, BAD_CRT);
    struct public_key *other;
    struct err e = { 0 };
    uint8_t secret[SCALAR_SIZE];
    if (public_key_from_point(&other, c->world->pki->curve, point.value, &e) != OK)
        return bad(l, INITIALISE, BAD_VALUES);
    bool good = private_key_agree(s->otsk, other, secret, &e) == OK &&
                bsp_begin(&l->bsp, slice_of(secret, sizeof secret), host.value, slice_of(c->eid, SIM_EID), &e) == OK;
    public_key_free(other);
    digest_wipe(secret, sizeof secret);
    return good || bad(l, INITIALISE, BAD_VALUES);
}

/* The plain text of the segments under `list`. */
static bool segments(struct loading *l, enum command at, const struct tlv *list, uint32_t tag, bool encrypted, struct slice *out)
{
    struct buf b;
    buf_init(&b, PROFILE_MAX);
    enum bsp_said said = bsp_open(&l->bsp, tag, encrypted, list->value, &b);
    *out = arena_copy(l->a, buf_slice(&b));
    bool good = said == BSP_GOOD && !b.failed && out->n == b.n;
    buf_free(&b);
    return good || bad(l, at, said == BSP_SECURITY ? BAD_SECURITY : said == BSP_STRUCTURE ? BAD_STRUCTURE : NO_MEMORY);
}

static uint8_t operator_of(const struct sim_world *w, const uint8_t iccid[10])
{
    char digits[21];
    sim_iccid_text(iccid, digits);
    for (unsigned i = 0; i < w->n_operators; i++)
        if (strncmp(digits, w->operators[i].iccid_prefix, strlen(w->operators[i].iccid_prefix)) == 0)
            return (uint8_t)i;
    return 0;
}

static bool metadata(struct sim_euicc *c, struct loading *l, struct slice plain)
{
    struct tlv m, t;
    if (!tlv_only(plain, &m) || m.tag != T_METADATA || !tlv_take(&m.value, T_ICCID, &t) || t.value.n != 10)
        return bad(l, STORE_METADATA, BAD_VALUES);
    memcpy(l->profile.iccid, t.value.p, 10);
    l->profile.operator_ = operator_of(c->world, l->profile.iccid);
    l->profile.class_ = SIM_OPERATIONAL;
    l->profile.flags = SIM_FALLBACK_ALLOWED;
    if (tlv_find(m.value, T_21, &t) && t.value.n == 1)
        l->profile.class_ = t.value.p[0];
    if (tlv_find(m.value, T_25, &t) && t.value.n == 2)
        for (unsigned i = 0; i < 3; i++)
            l->profile.ppr |= (uint8_t)((t.value.p[1] >> (7 - i) & 1) << i);
    if (sim_euicc_find(c, slice_of(l->profile.iccid, 10)) != SIM_NO_PROFILE)
        return bad(l, STORE_METADATA, ICCID_EXISTS);
    return !(c->quirks & SIM_Q(PPR_REFUSED)) || bad(l, STORE_METADATA, PPR_NOT_ALLOWED);
}

static bool replace_keys(struct loading *l, struct slice plain)
{
    struct tlv m, chain, enc, mac;
    if (!tlv_only(plain, &m) || m.tag != T_REPLACE_KEYS || !tlv_take(&m.value, T_0, &chain) || !tlv_take(&m.value, T_1, &enc) ||
        !tlv_take(&m.value, T_2, &mac) || chain.value.n != 16 || enc.value.n != 16 || mac.value.n != 16)
        return bad(l, REPLACE, BAD_VALUES);
    bsp_resume(&l->bsp, enc.value.p, mac.value.p, chain.value.p);
    return true;
}

/* A profile package is a row of profile elements; what they say is not looked at. */
static bool elements(struct sim_euicc *c, struct loading *l, struct slice package)
{
    if (!package.n || !tlv_well_formed(package))
        return bad(l, LOAD, PE_ERROR);
    if (c->quirks & SIM_Q(INTERRUPTED))
        return bad(l, LOAD, INTERRUPTED);
    l->slot = c->quirks & SIM_Q(NO_MEMORY) ? SIM_NO_PROFILE : sim_euicc_install(c, &l->profile);
    return l->slot != SIM_NO_PROFILE || bad(l, LOAD, NO_MEMORY);
}

static bool load(struct sim_euicc *c, struct loading *l, struct slice body)
{
    struct tlv t, first, meta, keys = { 0 }, package;
    struct slice plain;
    if (!tlv_take(&body, T_SECURE_CHANNEL, &t))
        return bad(l, INITIALISE, BAD_STRUCTURE);
    if (!channel(c, l, t.value))
        return false;
    if (!tlv_take(&body, T_C0, &first) || !tlv_take(&body, T_C1, &meta))
        return bad(l, CONFIGURE, BAD_STRUCTURE);
    (void)tlv_take(&body, T_C2, &keys);
    if (!tlv_take(&body, T_C3, &package) || body.n)
        return bad(l, LOAD, BAD_STRUCTURE);
    if (!segments(l, CONFIGURE, &first, T_7, true, &plain))
        return false;
    if (!tlv_only(plain, &t) || t.tag != T_CONFIGURE_ISDP)
        return bad(l, CONFIGURE, BAD_VALUES);
    if (!segments(l, STORE_METADATA, &meta, T_8, false, &plain) || !metadata(c, l, plain))
        return false;
    if (keys.tag && (!segments(l, REPLACE, &keys, T_7, true, &plain) || !replace_keys(l, plain)))
        return false;
    return segments(l, LOAD, &package, T_6, true, &plain) && elements(c, l, plain);
}

/* BF37, stored as a notification until it is removed. */
static struct slice result(struct sim_euicc *c, const struct loading *l, struct arena *a)
{
    const struct card_session *s = c->session;
    uint32_t seq = card_next_seq(c);
    bool known = l->command > STORE_METADATA || !l->reason;
    struct slice iccid = known ? TLV(a, T_ICCID, slice_of(l->profile.iccid, 10)) : (struct slice){ 0 };
    struct slice meta = TLV(a, T_NOTIFICATION_METADATA, tlv_put_int(a, T_0, seq), tlv_put_bits(a, T_1, CARD_INSTALL, 4),
                            TLV(a, T_UTF8, slice_of(s->address, s->address_n)), iccid);
    struct slice end = l->reason ? TLV(a, T_C1, tlv_put_int(a, T_0, l->command), tlv_put_int(a, T_1, l->reason))
                                 : TLV(a, T_C0, card_aid((unsigned)l->slot, a), TLV(a, T_OCTETS, SLICE("\x30\x07\xA0\x05\x30\x03\x80\x01\x00")));
    struct slice data = TLV(a, T_INSTALLATION_DATA, TLV(a, T_0, txid_of(s)), meta, TLV(a, T_OID, slice_of(s->oid, s->oid_n)),
                            TLV(a, T_C2, end));
    struct slice all = TLV(a, T_INSTALLATION_RESULT, data, TLV(a, T_SIGNATURE, card_sign(c, data, a)));
    return card_store(c, CARD_INSTALLATION, seq, all) ? all : tlv_bad;
}

struct slice card_load_bound(struct sim_euicc *c, struct slice body, struct arena *a)
{
    struct loading l = { .a = a, .slot = SIM_NO_PROFILE };
    if (!c->session || c->session->step < PREPARED)
        return (struct slice){ 0 };
    if (load(c, &l, body))
        c->fresh = (int8_t)l.slot;
    struct slice r = result(c, &l, a);
    card_session_end(c);
    return r;
}
