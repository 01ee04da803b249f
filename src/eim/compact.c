/* compact.c -- full forms from compact ones. */
#include "eim/compact.h"

#include <string.h>

enum { AID_SIZE = 16, AID_VARIES = 13 };       /* octets 14 and 15 of an ISD-P's AID tell it from the others */

static bool read_signed(const struct relay_session *s, struct server_signed1 *out, struct arena *a)
{
    return s->server_signed.n && der_decode(&server_signed1_type, s->server_signed, out, a, &(struct err){ 0 }) == OK;
}

/* EuiccSigned1: the SM-DP+'s address and challenge, the euiccInfo2 that the device told once with the memory that it has now, ctxParams1. */
static bool signed1_from(const struct compact_euicc_signed1 *c, const struct relay_session *s, const struct ipa_euicc_data *d,
                         struct euicc_signed1 *out, struct arena *a)
{
    struct server_signed1 server;
    struct slice ctx = s->ctx;
    if (!der_has(d, ipa_euicc_data, euicc_info2) || !read_signed(s, &server, a)) return false;
    if (der_has(c, compact_euicc_signed1, ctx_params1))
        ctx = der_content(&compact_euicc_signed1_type, compact_euicc_signed1_has_ctx_params1,
                          der_component(&compact_euicc_signed1_type, c->der.raw, compact_euicc_signed1_has_ctx_params1));
    struct slice info = der_replace(&euicc_info2_type, d->euicc_info2.der.raw, euicc_info2_has_ext_card_resource, c->ext_card_resource, a);
    if (!ctx.n || !info.n) return false;
    *out = (struct euicc_signed1){ .transaction_id = s->transaction, .server_address = server.server_address, .server_challenge = server.server_challenge };
    der_verbatim_seq(&out->euicc_info2.der, info);
    der_verbatim_choice(&out->ctx_params1.der, ctx);
    return true;
}

struct slice compact_authenticate(const struct compact_authenticate_response_ok *c, const struct relay_session *s, const struct ipa_euicc_data *d,
                                  struct arena *a)
{
    struct authenticate_server_response r = { .der.which = authenticate_server_response_is_authenticate_response_ok };
    struct authenticate_response_ok *ok = &r.authenticate_response_ok;
    if (c->signed_data.der.which == authenticate_signed_data_is_euicc_signed1)
        der_verbatim_seq(&ok->euicc_signed1.der, c->signed_data.euicc_signed1.der.raw);
    else if (!signed1_from(&c->signed_data.compact_euicc_signed1, s, d, &ok->euicc_signed1, a)) return (struct slice){ 0 };
    ok->euicc_signature1 = c->euicc_signature1;
    ok->euicc_certificate = der_has(c, compact_authenticate_response_ok, euicc_certificate) ? c->euicc_certificate : d->euicc_certificate;
    ok->eum_certificate = der_has(c, compact_authenticate_response_ok, eum_certificate) ? c->eum_certificate : d->eum_certificate;
    return der_encode(&authenticate_server_response_type, &r, a);
}

struct slice compact_download(const struct compact_prepare_download_response_ok *c, const struct relay_session *s, struct arena *a)
{
    const struct compact_euicc_signed2 *in = &c->compact_euicc_signed2;
    struct prepare_download_response r = { .der.which = prepare_download_response_is_download_response_ok };
    struct euicc_signed2 *out = &r.download_response_ok.euicc_signed2;
    out->transaction_id = s->transaction;
    out->euicc_otpk = der_has(in, compact_euicc_signed2, euicc_otpk) ? in->euicc_otpk : s->otpk;
    out->hash_cc = der_has(in, compact_euicc_signed2, hash_cc) ? in->hash_cc : s->hash_cc;
    if (out->hash_cc.n) der_set(out, euicc_signed2, hash_cc);
    r.download_response_ok.euicc_signature2 = c->euicc_signature2;
    return der_encode(&prepare_download_response_type, &r, a);
}

struct slice compact_cancel(const struct compact_cancel_session_response_ok *c, const struct relay_session *s, struct arena *a)
{
    const struct compact_euicc_cancel_session_signed *in = &c->compact_euicc_cancel_session_signed;
    struct cancel_session_response r = { .der.which = cancel_session_response_is_cancel_session_response_ok };
    struct euicc_cancel_session_signed *out = &r.cancel_session_response_ok.euicc_cancel_session_signed;
    if (!der_has(in, compact_euicc_cancel_session_signed, reason)) return (struct slice){ 0 };
    *out = (struct euicc_cancel_session_signed){ .transaction_id = s->transaction, .smdp_oid = s->oid, .reason = in->reason };
    r.cancel_session_response_ok.euicc_cancel_session_signature = c->euicc_cancel_session_signature;
    return der_encode(&cancel_session_response_type, &r, a);
}

static bool final_from(const struct compact_final_result *c, struct final_result *out, struct arena *a)
{
    static const uint8_t isdp[AID_SIZE] = { 0xa0, 0, 0, 5, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0, 0, 0, 0 };
    static const uint8_t good[] = { 0x30, 7, 0xa0, 5, 0x30, 3, 0x80, 1, 0 };
    if (c->der.which == compact_final_result_is_error_result) {
        out->der.which = final_result_is_error_result;
        der_verbatim_seq(&out->error_result.der, c->error_result.der.raw);
        return true;
    }
    const struct compact_success_result *in = &c->compact_success_result;
    uint8_t *aid = arena_alloc(a, AID_SIZE);
    if (!aid) return false;
    memcpy(aid, isdp, AID_SIZE);
    memcpy(aid + AID_VARIES, in->compact_aid.p, 2);
    out->der.which = final_result_is_success_result;
    out->success_result.aid = slice_of(aid, AID_SIZE);
    out->success_result.sima_response = der_has(in, compact_success_result, sima_response) ? in->sima_response : slice_of(good, sizeof good);
    return true;
}

bool compact_installation(const struct compact_profile_installation_result *c, const struct relay_session *s, struct profile_installation_result *out,
                          struct arena *a)
{
    const struct compact_profile_installation_result_data *in = &c->compact_profile_installation_result_data;
    struct profile_installation_result r = { .euicc_sign_pir = c->euicc_sign_pir };
    struct profile_installation_result_data *data = &r.profile_installation_result_data;
    struct server_signed1 server;
    uint8_t *bits = arena_alloc(a, 4);
    if (!bits || !read_signed(s, &server, a) || (in->iccid_present && !s->iccid.n)) return false;
    data->transaction_id = in->transaction_id;
    data->notification_metadata = (struct notification_metadata){ .seq_number = in->seq_number, .notification_address = server.server_address,
                                                                  .profile_management_operation = der_bits_from(1, bits), .iccid = s->iccid };
    if (in->iccid_present) der_set(&data->notification_metadata, notification_metadata, iccid);
    data->smdp_oid = s->oid;
    if (!final_from(&in->compact_final_result, &data->final_result, a)) return false;
    struct slice whole = der_encode(&profile_installation_result_type, &r, a);
    return whole.n && der_decode(&profile_installation_result_type, whole, out, a, &(struct err){ 0 }) == OK;
}
