/* verify.c -- eimctl verify-result: is this result signed by the eUICC with this EID, under this CI?
 *
 * Chain and signature are checked each on its own and both are told, so that a person sees what exactly fails; only when
 * everything verifies is the exit status 0. */
#include <stdio.h>

#include "app/eimctl/input.h"
#include "app/eimctl/out.h"
#include "app/eimctl/tree.h"
#include "asn1/sgp32.h"
#include "base/env.h"
#include "crypto/cert.h"
#include "crypto/verify.h"
#include "model/device.h"

struct check {
    const char *name;
    enum eim_err rc;
    struct err err;
};

struct verification {
    struct eid eid;
    int64_t token, now_us;
    struct slice ci, eum, euicc;       /* DER */
    struct euicc_package_result result;
    struct slice message_eid;          /* eidValue around the result; empty when there is none */
    struct check chain, signature, eid_match;
};

static const struct provide_eim_package_result *provided(const struct esipa_from_ipa *m)
{
    if (m->der.which == esipa_from_ipa_is_provide_eim_package_result) return &m->provide_eim_package_result;
    if (m->der.which == esipa_from_ipa_is_handle_notification_esipa &&
        m->handle_notification_esipa.der.which == handle_notification_esipa_is_provide_eim_package_result)
        return &m->handle_notification_esipa.provide_eim_package_result;
    return NULL;
}

/* RESULT as BF51, or inside BF50 or BF3D. */
static enum eim_err find_result(struct ctl *c, struct slice in, struct verification *v, struct err *e)
{
    struct err first = { 0 };
    if (der_decode(&euicc_package_result_type, in, &v->result, &c->arena, &first) == OK) return OK;
    struct esipa_from_ipa m = { 0 };
    enum eim_err rc = der_decode(&esipa_from_ipa_type, in, &m, &c->arena, e);
    if (rc != OK && first.code == E_MALFORMED && e->code == E_UNKNOWN_TYPE) *e = first;     /* a broken BF51 */
    if (rc != OK) return e->code;
    const struct provide_eim_package_result *p = provided(&m);
    if (!p) return fail(e, E_INVALID, NULL, "the message carries no eUICC package result");
    if (der_has(p, provide_eim_package_result, eid_value)) v->message_eid = p->eid_value;
    const struct eim_package_result *r = &p->eim_package_result;
    if (r->der.which == eim_package_result_is_euicc_package_result) v->result = r->euicc_package_result;
    else if (r->der.which == eim_package_result_is_epr_and_notifications)
        v->result = r->epr_and_notifications.euicc_package_result;
    else return fail(e, E_INVALID, NULL, "the message carries no eUICC package result");
    return OK;
}

static enum eim_err check_signature(struct verification *v, const struct public_key *key, struct err *e)
{
    const struct euicc_package_result *r = &v->result;
    struct slice tbs, sig;
    if (r->der.which == euicc_package_result_is_euicc_package_result_signed) {
        tbs = r->euicc_package_result_signed.euicc_package_result_data_signed.der.raw;
        sig = r->euicc_package_result_signed.euicc_sign_epr;
    } else if (r->der.which == euicc_package_result_is_euicc_package_error_signed) {
        tbs = r->euicc_package_error_signed.euicc_package_error_data_signed.der.raw;
        sig = r->euicc_package_error_signed.euicc_sign_epe;
    } else {
        return fail_field(e, E_SIGNATURE, "SGP.32 2.11.2.1", "euiccPackageErrorUnsigned",
                          "an unsigned error proves nothing");
    }
    return verify_with_token(key, tbs, v->token, sig, e);
}

static void run_checks(struct verification *v)
{
    struct cert_trust *trust = NULL;
    struct public_key *key = NULL;
    struct check *ch = &v->chain, *sig = &v->signature, *match = &v->eid_match;
    ch->rc = cert_trust_from(&trust, &v->ci, 1, &ch->err);
    if (ch->rc == OK) ch->rc = cert_check_euicc(trust, v->eum, v->euicc, v->eid.b, v->now_us, &key, &ch->err);
    /* without a good chain the key proves nothing, but whether it fits is worth knowing */
    if (!key) sig->rc = cert_public_key(&key, v->euicc, &sig->err);
    if (key) sig->rc = check_signature(v, key, &sig->err);
    if (v->message_eid.n && !slice_eq(v->message_eid, slice_of(v->eid.b, sizeof v->eid.b)))
        match->rc = fail_field(&match->err, E_MISMATCH, "SGP.32 6.3.2.7", "eidValue", "the message names another EID");
    public_key_free(key);
    cert_trust_free(trust);
}

static void print_check(const struct check *ch)
{
    printf("%-10s ", ch->name);
    if (ch->rc == OK) {
        printf("good\n");
        return;
    }
    printf("FAILED: ");
    if (*ch->err.field) printf("%s: ", ch->err.field);
    out_text(stdout, slice_str(ch->err.why));
    if (ch->err.clause) printf(" (%s)", ch->err.clause);
    putchar('\n');
}

static json_t *check_json(const struct check *ch)
{
    if (ch->rc == OK) return json_pack("{s:b}", "ok", 1);
    return json_pack("{s:b, s:s, s:s, s:s*, s:s*}", "ok", 0, "code", err_name(ch->rc), "detail", ch->err.why, "field",
                     *ch->err.field ? ch->err.field : NULL, "clause", ch->err.clause);
}

static int report(struct ctl *c, const struct verification *v)
{
    const struct check *all[] = { &v->chain, &v->signature, &v->eid_match }, *bad = NULL;
    for (size_t i = 3; i-- > 0;)
        if (all[i]->rc != OK) bad = all[i];
    bool good = !bad;
    if (c->json) {
        json_t *o = json_pack("{s:b}", "verified", good);
        for (size_t i = 0; i < 3; i++) json_object_set_new(o, all[i]->name, check_json(all[i]));
        out_json(o);
        json_decref(o);
    } else {
        for (size_t i = 0; i < 3; i++) print_check(all[i]);
        putchar('\n');
        tree_print(stdout, &euicc_package_result_type, &v->result);
        printf("\n%s\n", good ? "verified" : "NOT VERIFIED");
    }
    return good ? CTL_OK : ctl_err(c, CTL_REFUSED, &bad->err);
}

int verify_result(struct ctl *c)
{
    struct verification v = { .chain.name = "chain", .signature.name = "signature", .eid_match.name = "eid" };
    struct err e = { 0 };
    struct slice in;
    const char *at = ctl_option(c, "--at");
    struct env env;
    env_real(&env);
    v.now_us = env.now(&env);
    if (at && env_parse_rfc3339(at, &v.now_us) != 0)
        return ctl_fail(c, CTL_USAGE, "--at: not a time like 2026-12-01T00:00:00Z: %s", at);
    if (!eid_parse(slice_str(ctl_option(c, "--eid")), false, &v.eid)) return ctl_fail(c, CTL_USAGE, "--eid: not 32 digits");
    int rc = ctl_number(c, "--token", 0, INT64_MAX, 0, &v.token);
    if (rc == CTL_OK) rc = input_certificate(c, "--ci", &v.ci);
    if (rc == CTL_OK) rc = input_certificate(c, "--eum", &v.eum);
    if (rc == CTL_OK) rc = input_certificate(c, "--euicc", &v.euicc);
    if (rc == CTL_OK) rc = input_message(c, c->pos[0], &in);
    if (rc != CTL_OK) return rc;
    if (find_result(c, in, &v, &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    run_checks(&v);
    return report(c, &v);
}
