/* package.c -- one eUICC package: counter, transaction id, signature, and the exact bytes that will leave.
 *
 * SGP.32 2.11.1.1: eimSignature is made over the DER of EuiccPackageSigned followed by the association token's TLV. Packages are signed
 * late, at fetch, so that the counter is spent in the order in which packages leave; the bytes are stored before they leave (I2) and
 * never encoded again (I1): the outer message carries the signed TLV verbatim. */
#include "eim/esipa_int.h"

#include "crypto/signer.h"
#include "eim/quirks.h"

/* The token under the signature (spec 3.4, I11): the proven one; for a package that changes nothing, a candidate heard unsigned is
 * tried once; with neither, 0. What people ordered is never signed with a candidate: anybody can name one, and a card that refuses
 * it would hold up the queue until the package times out. */
static int64_t choose_token(struct device *d, bool changes_nothing)
{
    if (d->token_candidate != DEVICE_TOKEN_NONE && changes_nothing) {
        int64_t token = d->token_candidate;
        d->token_candidate = DEVICE_TOKEN_NONE;
        return token;
    }
    return d->token == DEVICE_TOKEN_NONE ? 0 : d->token;
}

/* Nothing but requests to list: the eUICC's state stays what it is (I5). */
static bool changes_nothing(struct slice request, struct arena *a)
{
    struct euicc_package p;
    struct err e = { 0 };
    return der_decode(&euicc_package_type, request, &p, a, &e) == OK && ops_is_inventory(&p);
}

/* The operations as this device takes them: written anew only for one that takes certificates whole, and before anything is signed (I1). */
static enum eim_err as_taken(struct plan *p, struct slice request, struct slice *out, struct err *e)
{
    struct euicc_package v;
    *out = request;
    if (!(p->quirks & QUIRK_WHOLE_CERTIFICATE)) return OK;
    TRY(der_decode(&euicc_package_type, request, &v, p->arena, e));
    if (v.der.which != euicc_package_is_eco_list) return OK;
    *out = der_encode_certs_whole(&euicc_package_type, &v, p->arena);
    return out->p ? OK : fail(e, E_NOMEM, NULL, "no room for a package");
}

/* The signed part under the device's next counter, and its signature. */
static enum eim_err sign_next(struct plan *p, struct operation *o, struct slice operations, struct sign_request *sign, struct err *e)
{
    o->counter = ++p->d.counter;
    struct euicc_package_signed tbs = {
        .eim_id = p->identity->eim_id, .eid_value = { p->d.eid.b, sizeof p->d.eid.b }, .counter_value = o->counter,
        .eim_transaction_id = o->txid,
    };
    der_set(&tbs, euicc_package_signed, eim_transaction_id);
    der_verbatim_choice(&tbs.euicc_package.der, operations);
    sign->tbs = der_encode(&euicc_package_signed_type, &tbs, p->arena);
    if (!sign->tbs.p) return fail(e, E_NOMEM, NULL, "no room for a package");
    return signer_sign(p->m->host->signer, sign, 1, e);
}

enum eim_err package_sign(struct plan *p, struct operation *o, struct err *e)
{
    const char *key = arena_str(p->arena, p->d.signing_key.n ? p->d.signing_key : p->identity->signing_key);
    uint8_t *txid = arena_alloc(p->arena, TXID_SIZE);
    struct slice operations;
    if (!key || !txid) return fail(e, E_NOMEM, NULL, "no room for a package");
    eim_txid(p->m, p->d.association, txid);
    o->token = choose_token(&p->d, changes_nothing(o->request, p->arena));
    o->txid = (struct slice){ txid, TXID_SIZE };
    TRY(as_taken(p, o->request, &operations, e));

    struct sign_request sign = { .key = key, .token = o->token };
    enum eim_err rc = sign_next(p, o, operations, &sign, e);
    /* A signer that remembers has signed this counter for a plan that was thrown away, or for a process that died before its COMMIT. Nobody can tell
     * whether that package left, so it is passed over: an eUICC takes any counter above its own. Twice, because workers may meet. */
    for (int i = 0; i < 2 && rc == E_REPLAY && sign.highest >= p->d.counter; i++) {
        *e = (struct err){ 0 };
        p->d.counter = sign.highest;
        rc = sign_next(p, o, operations, &sign, e);
    }
    if (rc != OK) return rc;

    struct euicc_package_request request = { .eim_signature = { sign.sig, sizeof sign.sig } };
    der_verbatim_seq(&request.euicc_package_signed.der, sign.tbs);
    o->package = der_encode(&euicc_package_request_type, &request, p->arena);
    if (!o->package.p) return fail(e, E_NOMEM, NULL, "no room for a package");
    if (o->package.n > OPERATION_PACKAGE_MAX)
        return fail(e, E_TOO_LARGE, "SGP.32 2.11.1.1", "a package of %zu octets, at most %d", o->package.n, OPERATION_PACKAGE_MAX);
    return OK;
}
