/* ops.c -- the table of PSMOs and eCOs (SGP.32 2.11.1.1.2, 2.11.1.1.3, 2.11.2.1).
 *
 * People write operations in JSON with the words of the specification and values as they are printed on cards. A row lists the members
 * of one operation; each is turned into the value form of the declared ASN.1 type, and asn1/ does the rest, both ways. So one table
 * serves reading, checking, encoding and showing. The result of an operation is known by its position (spec 5.5): the eUICC stops at the
 * first failure, so the tail of a short list was not executed. */
#include "eim/ops.h"

#include "eim/material.h"

#include <string.h>

enum { EIM_COUNTER_MAX = 0x7fffff };                   /* what every eUICC handles (SGP.32 2.11.1.1) */
enum kind { ICCID, FLAG, TEXT, NUMBER, HEX, KEY, CERT, PROTOCOLS };

struct member {
    const char *json;                  /* as people write it */
    const char *value;                 /* the component of the ASN.1 type; "a.b" for a CHOICE inside */
    enum kind kind;
    bool required;
};

struct row {
    const char *name;
    uint32_t result;                   /* the alternative of EuiccResultData that answers it */
    const struct der_name *codes;
    struct member members[10];
};

#define EIM_MEMBERS \
    { "eim_id", "eimId", TEXT, true }, { "fqdn", "eimFqdn", TEXT, false }, { "eim_id_type", "eimIdType", NUMBER, false }, \
    { "counter", "counterValue", NUMBER, false }, { "public_key", "eimPublicKeyData.eimPublicKey", KEY, false }, \
    { "certificate", "eimPublicKeyData.eimCertificate", CERT, false }, \
    { "tls_public_key", "trustedPublicKeyDataTls.trustedEimPkTls", KEY, false }, \
    { "tls_certificate", "trustedPublicKeyDataTls.trustedCertificateTls", CERT, false }, \
    { "protocols", "eimSupportedProtocol", PROTOCOLS, false }, { "ci_pkid", "euiccCiPKId", HEX, false }

static const struct row psmos[] = {
    [psmo_is_enable] = { "enable", euicc_result_data_is_enable_result, enable_result_names,
        { { "iccid", "iccid", ICCID, true }, { "rollback", "rollbackFlag", FLAG, false } } },
    [psmo_is_disable] = { "disable", euicc_result_data_is_disable_result, disable_result_names, { { "iccid", "iccid", ICCID, true } } },
    [psmo_is_delete] = { "delete", euicc_result_data_is_delete_result, delete_result_names, { { "iccid", "iccid", ICCID, true } } },
    [psmo_is_list_profile_info] = { "listProfileInfo", euicc_result_data_is_list_profile_info_result, profile_info_list_error_names,
        { { "iccid", "searchCriteria.iccid", ICCID, false } } },
    [psmo_is_get_rat] = { "getRAT", euicc_result_data_is_get_rat_result, NULL, { { 0 } } },
    [psmo_is_configure_immediate_enable] = { "configureImmediateEnable", euicc_result_data_is_configure_immediate_enable_result,
        configure_immediate_enable_result_names,
        { { "enable", "immediateEnableFlag", FLAG, false }, { "smdp_oid", "defaultSmdpOid", TEXT, false },
          { "smdp_address", "defaultSmdpAddress", TEXT, false } } },
    [psmo_is_set_fallback_attribute] = { "setFallbackAttribute", euicc_result_data_is_set_fallback_attribute_result,
        set_fallback_result_names, { { "iccid", "iccid", ICCID, true } } },
    [psmo_is_unset_fallback_attribute] = { "unsetFallbackAttribute", euicc_result_data_is_unset_fallback_attribute_result,
        unset_fallback_result_names, { { 0 } } },
    [psmo_is_set_default_dp_address] = { "setDefaultDpAddress", euicc_result_data_is_set_default_dp_address_result,
        set_default_dp_address_result_names, { { "address", "defaultDpAddress", TEXT, true } } },
};
static const struct row ecos[] = {
    [eco_is_add_eim] = { "addEim", euicc_result_data_is_add_eim_result, add_eim_result_names, { EIM_MEMBERS } },
    [eco_is_delete_eim] = { "deleteEim", euicc_result_data_is_delete_eim_result, delete_eim_result_names,
        { { "eim_id", "eimId", TEXT, true } } },
    [eco_is_update_eim] = { "updateEim", euicc_result_data_is_update_eim_result, update_eim_result_names, { EIM_MEMBERS } },
    [eco_is_list_eim] = { "listEim", euicc_result_data_is_list_eim_result, list_eim_error_names, { { 0 } } },
};
/* A new alternative in asn1/sgp32.h without a row here does not build. */
_Static_assert(sizeof psmos / sizeof *psmos == psmo_is_end_, "every PSMO has a row");
_Static_assert(sizeof ecos / sizeof *ecos == eco_is_end_, "every eCO has a row");

static const struct row *row_named(bool psmo, const char *name)
{
    const struct row *table = psmo ? psmos : ecos;
    size_t n = psmo ? sizeof psmos / sizeof *psmos : sizeof ecos / sizeof *ecos;
    for (size_t i = 1; i < n; i++)
        if (!strcmp(table[i].name, name)) return &table[i];
    return NULL;
}

/* ---- people's JSON to the value form ---- */

static json_t *hex_json(struct slice s, struct arena *a)
{
    char *hex = arena_alloc(a, 2 * s.n + 1);
    if (!hex) return NULL;
    slice_hex(s, false, hex);
    return json_string(hex);
}

static json_t *der_value(const json_t *v, bool certificate, struct arena *a)
{
    struct slice der;
    return material_read(v, certificate, &der, a) ? hex_json(der, a) : NULL;
}

static json_t *protocols_value(const json_t *v)
{
    unsigned mask = 0;
    size_t i;
    json_t *item;
    if (!json_is_array(v) || !json_array_size(v)) return NULL;
    json_array_foreach((json_t *)(uintptr_t)v, i, item) {
        const struct der_name *n = protocol_names;
        while (n->name && (!json_is_string(item) || strcmp(n->name, json_string_value(item)))) n++;
        if (!n->name) return NULL;
        mask |= 1u << n->value;
    }
    uint8_t bits = 0;
    int count = 0;
    for (int b = 0; b < 8; b++)
        if (mask >> b & 1) {
            bits = (uint8_t)(bits | 0x80 >> b);
            count = b + 1;
        }
    char hex[3];
    slice_hex((struct slice){ &bits, 1 }, false, hex);
    return json_pack("{s:s, s:i}", "bits", hex, "count", count);
}

/* One member's value form; NULL when the value is not what this kind wants. */
static json_t *member_value(const struct member *m, const json_t *v, struct arena *a)
{
    struct iccid iccid;
    switch (m->kind) {
    case ICCID: return iccid_parse(json_slice(v), &iccid) ? hex_json((struct slice){ iccid.b, 10 }, a) : NULL;
    case FLAG: return json_is_true(v) ? json_null() : NULL;
    case TEXT: return json_is_string(v) && json_string_length(v) ? json_copy((json_t *)(uintptr_t)v) : NULL;
    case NUMBER: return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer(json_integer_value(v)) : NULL;
    case HEX: return json_is_string(v) ? json_copy((json_t *)(uintptr_t)v) : NULL;
    case KEY: return der_value(v, false, a);
    case CERT: return der_value(v, true, a);
    case PROTOCOLS: return protocols_value(v);
    }
    return NULL;
}

static const char *const kind_wants[] = {
    [ICCID] = "an ICCID of 18 to 20 digits", [FLAG] = "true or false", [TEXT] = "a text", [NUMBER] = "a number from 0 up",
    [HEX] = "hex digits", [KEY] = "a SubjectPublicKeyInfo in PEM or base64 DER", [CERT] = "a certificate in PEM or base64 DER",
    [PROTOCOLS] = "a list of retrieveHttps, retrieveCoaps, injectHttps, injectCoaps, proprietary",
};

static enum eim_err put_member(json_t *out, const struct row *row, const struct member *m, const json_t *v,
                               struct arena *a, struct err *e)
{
    if (m->kind == FLAG && json_is_false(v)) return OK;
    json_t *value = member_value(m, v, a);
    if (!value) {
        char *path = arena_printf(a, "%s.%s", row->name, m->json);
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", path, "must be %s", kind_wants[m->kind]);
    }
    const char *dot = strchr(m->value, '.');
    if (!dot) {
        json_object_set_new(out, m->value, value);
        return OK;
    }
    char *outer = arena_str(a, slice_of(m->value, (size_t)(dot - m->value)));
    json_t *choice = json_object();
    json_object_set_new(choice, dot + 1, value);
    if (outer && !json_object_get(out, outer)) {
        json_object_set_new(out, outer, choice);
        return OK;
    }
    json_decref(choice);
    return fail_field(e, outer ? E_INVALID : E_NOMEM, "SGP.32 2.11.1", m->json, "two values for one component");
}

static enum eim_err step_value(const struct row *row, const json_t *members, json_t *out, struct arena *a, struct err *e)
{
    const char *name;
    json_t *v;
    if (!json_is_object(members)) return fail_field(e, E_INVALID, NULL, row->name, "must be an object");
    json_object_foreach((json_t *)(uintptr_t)members, name, v) {
        const struct member *m = row->members;
        while (m->json && strcmp(m->json, name)) m++;
        if (m == row->members + 10 || !m->json) {
            char *path = arena_printf(a, "%s.%s", row->name, name);
            return fail_field(e, E_INVALID, NULL, path, "no such member");
        }
        TRY(put_member(out, row, m, v, a, e));
    }
    for (const struct member *m = row->members; m < row->members + 10 && m->json; m++)
        if (m->required && !json_object_get(members, m->json)) {
            char *path = arena_printf(a, "%s.%s", row->name, m->json);
            return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", path, "is missing");
        }
    return OK;
}

/* What a row of members can't say. */
static enum eim_err complete(const struct row *row, json_t *value, struct arena *a, struct err *e)
{
    if (!strcmp(row->name, "listProfileInfo")) json_object_set_new(value, "tagList", hex_json(SGP32_TAGLIST_PROFILE_INFO, a));
    const json_t *type = json_object_get(value, "eimIdType"), *counter = json_object_get(value, "counterValue");
    if (type && (json_integer_value(type) < EIM_ID_TYPE_OID || json_integer_value(type) > EIM_ID_TYPE_PROPRIETARY))
        return fail_field(e, E_INVALID, "SGP.32 2.11.1", "eim_id_type", "must be 1 (OID), 2 (FQDN) or 3 (proprietary)");
    if (counter && json_integer_value(counter) > EIM_COUNTER_MAX)
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", "counter", "must be at most %d: an eUICC need not take more", EIM_COUNTER_MAX);
    if (!strcmp(row->name, "addEim")) {
        if (!json_object_get(value, "eimPublicKeyData"))
            return fail_field(e, E_RULE, "SGP.32 2.11.1", "addEim", "needs public_key or certificate: without it the eUICC could verify nothing");
        if (!json_object_get(value, "counterValue")) json_object_set_new(value, "counterValue", json_integer(0));
        json_object_set_new(value, "associationToken", json_integer(-1));          /* the eUICC generates it (spec 3.4) */
    }
    if (!strcmp(row->name, "updateEim") && json_object_get(value, "eimPublicKeyData") && !json_object_get(value, "counterValue"))
        return fail_field(e, E_RULE, "SGP.32 2.11.1", "updateEim", "a new key needs counter too");
    return OK;
}

static enum eim_err steps_value(bool psmo, const json_t *steps, json_t *out, struct arena *a, struct err *e)
{
    size_t i;
    json_t *step;
    if (!json_is_array(steps) || !json_array_size(steps) || json_array_size(steps) > OPERATION_STEPS_MAX)
        return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", psmo ? "psmos" : "ecos", "must be a list of 1 to %d operations", OPERATION_STEPS_MAX);
    json_array_foreach((json_t *)(uintptr_t)steps, i, step) {
        const char *name = json_is_object(step) && json_object_size(step) == 1 ? json_object_iter_key(json_object_iter(step)) : NULL;
        const struct row *row = name ? row_named(psmo, name) : NULL;
        if (!row)
            return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", psmo ? "psmos" : "ecos", "number %zu must be an object with one member that names %s",
                              i + 1, psmo ? "a PSMO" : "an eCO");
        json_t *value = json_object(), *arm = json_object();
        json_object_set_new(arm, row->name, value);
        json_array_append_new(out, arm);
        TRY(step_value(row, json_object_get(step, name), value, a, e));
        TRY(complete(row, value, a, e));
    }
    return OK;
}

enum eim_err ops_overrides(const json_t *list, int64_t *out, struct err *e)
{
    size_t i;
    json_t *v;
    *out = 0;
    if (list && !json_is_array(list)) return fail_field(e, E_INVALID, NULL, "override", "must be a list");
    json_array_foreach((json_t *)(uintptr_t)list, i, v) {
        struct slice s = json_slice(v);
        int64_t bit = 0;
#define X(name, number, text) if (slice_eq(s, SLICE(text))) bit = name;
        OPERATION_OVERRIDES(X)
#undef X
        if (!bit) return fail_field(e, E_INVALID, NULL, "override", "must be no_enabled_profile, last_way_to_eim or one that a refusal named");
        *out |= bit;
    }
    return OK;
}

enum eim_err ops_from_json(const json_t *request, struct slice *package, int64_t *overrides, struct arena *a, struct err *e)
{
    const json_t *psmo = json_object_get(request, "psmos"), *eco = json_object_get(request, "ecos");
    if (!json_is_object(request)) return fail(e, E_INVALID, NULL, "must be an object");
    if (!psmo == !eco) return fail_field(e, E_RULE, "SGP.32 2.11.1.1", "psmos", "either psmos or ecos: a package holds one kind");
    TRY(ops_overrides(json_object_get(request, "override"), overrides, e));
    json_t *list = json_array(), *value = json_object();
    json_object_set_new(value, psmo ? "psmoList" : "ecoList", list);
    struct euicc_package p;
    enum eim_err rc = steps_value(psmo != NULL, psmo ? psmo : eco, list, a, e);
    if (rc == OK) rc = der_from_json(&euicc_package_type, value, &p, a, e);
    json_decref(value);
    if (rc == OK) rc = ops_check(&p, e);
    if (rc != OK) return rc;
    *package = der_encode(&euicc_package_type, &p, a);
    return package->p ? OK : fail(e, E_NOMEM, NULL, "no room for the package");
}

/* ---- rules ---- */

enum eim_err ops_check(const struct euicc_package *p, struct err *e)
{
    if (p->der.which != euicc_package_is_psmo_list) return OK;
    size_t enables = 0, disables = 0;
    bool changed = false;
    for (size_t i = 0; i < p->psmo_list.n; i++) {
        uint32_t which = p->psmo_list.v[i].der.which;
        enables += which == psmo_is_enable;
        disables += which == psmo_is_disable;
        if (which == psmo_is_list_profile_info && changed)
            return fail_field(e, E_RULE, "SGP.32 5.9.1", "psmos", "listProfileInfo may not follow enable, disable or delete in one package");
        changed |= which == psmo_is_enable || which == psmo_is_disable || which == psmo_is_delete;
    }
    if (enables > 1) return fail_field(e, E_RULE, "SGP.32 5.9.1", "psmos", "at most one enable in a package");
    if (disables > 1) return fail_field(e, E_RULE, "SGP.32 5.9.1", "psmos", "at most one disable in a package");
    return OK;
}

bool ops_is_inventory(const struct euicc_package *p)
{
    if (p->der.which == euicc_package_is_eco_list) {
        for (size_t i = 0; i < p->eco_list.n; i++)
            if (p->eco_list.v[i].der.which != eco_is_list_eim) return false;
        return true;
    }
    for (size_t i = 0; i < p->psmo_list.n; i++)
        if (p->psmo_list.v[i].der.which != psmo_is_list_profile_info && p->psmo_list.v[i].der.which != psmo_is_get_rat) return false;
    return true;
}

struct slice ops_inventory(struct arena *a)
{
    struct psmo list = { .der.which = psmo_is_list_profile_info };
    list.list_profile_info.tag_list = SGP32_TAGLIST_PROFILE_INFO;
    der_set(&list.list_profile_info, profile_info_list_request, tag_list);
    struct euicc_package p = { .der.which = euicc_package_is_psmo_list, .psmo_list = { .v = &list, .n = 1 } };
    return der_encode(&euicc_package_type, &p, a);
}

struct slice ops_list_eims(struct arena *a)
{
    struct eco list = { .der.which = eco_is_list_eim };
    struct euicc_package p = { .der.which = euicc_package_is_eco_list, .eco_list = { .v = &list, .n = 1 } };
    return der_encode(&euicc_package_type, &p, a);
}

/* ---- results ---- */

static const struct row *row_of(const struct euicc_package *p, size_t i)
{
    return p->der.which == euicc_package_is_psmo_list ? &psmos[p->psmo_list.v[i].der.which] : &ecos[p->eco_list.v[i].der.which];
}

static size_t steps_of(const struct euicc_package *p)
{
    return p->der.which == euicc_package_is_psmo_list ? p->psmo_list.n : p->eco_list.n;
}

/* The integer that a result carries; lists that came are 0. */
static int64_t raw_code(const struct euicc_result_data *r)
{
    switch (r->der.which) {
    case euicc_result_data_is_list_profile_info_result:
        return r->list_profile_info_result.der.which == profile_info_list_response_is_profile_info_list_error
             ? r->list_profile_info_result.profile_info_list_error : 0;
    case euicc_result_data_is_get_rat_result: return 0;
    case euicc_result_data_is_add_eim_result:
        return r->add_eim_result.der.which == add_eim_result_is_add_eim_result_code ? r->add_eim_result.add_eim_result_code : 0;
    case euicc_result_data_is_list_eim_result:
        return r->list_eim_result.der.which == list_eim_result_is_list_eim_error ? r->list_eim_result.list_eim_error : 0;
    case euicc_result_data_is_set_default_dp_address_result: return r->set_default_dp_address_result.set_default_dp_address_result;
    case euicc_result_data_is_unknown: return PROCESSING_TERMINATED_UNDEFINED_ERROR;
    case euicc_result_data_is_delete_eim_result:       /* lastEimDeleted is a success (2.11.2.1) */
        return r->delete_eim_result == DELETE_EIM_RESULT_LAST_EIM_DELETED ? 0 : r->delete_eim_result;
    default: return r->enable_result;                  /* every other alternative is an INTEGER in the same place */
    }
}

bool ops_step_done(const struct psmo *s, const struct euicc_result_data *r)
{
    bool answers = r->der.which == psmos[s->der.which].result || r->der.which == euicc_result_data_is_processing_terminated;
    return answers && raw_code(r) == 0;
}

bool ops_eco_done(const struct eco *c, const struct euicc_result_data *r)
{
    bool answers = r->der.which == ecos[c->der.which].result || r->der.which == euicc_result_data_is_processing_terminated;
    return answers && raw_code(r) == 0;
}

/* The outcome of one step: its result's code, and the name of the code. */
static int64_t judge_step(const struct row *row, const struct euicc_result_data *r, const char **name)
{
    int64_t code = raw_code(r);
    if (r->der.which == row->result) *name = code ? row->codes ? der_name(row->codes, code) : NULL : "ok";
    else if (r->der.which == euicc_result_data_is_processing_terminated) *name = code ? der_name(processing_terminated_names, code) : "ok";
    else {                                             /* an answer to something that was not asked here */
        *name = "unexpectedResult";
        return code ? code : PROCESSING_TERMINATED_UNDEFINED_ERROR;
    }
    if (!*name) *name = "unknownCode";
    return code;
}

const struct euicc_result_data *ops_result_at(const struct euicc_package_result_data_signed *r, size_t i)
{
    for (size_t k = 0; k < r->euicc_result.n; k++)
        if (r->euicc_result.v[k].der.which != euicc_result_data_is_rollback_result && i-- == 0) return &r->euicc_result.v[k];
    return NULL;
}

void ops_judge(const struct euicc_package *p, const struct euicc_package_result_data_signed *r, struct ops_outcome *out)
{
    *out = (struct ops_outcome){ 0 };
    for (size_t i = 0; i < steps_of(p); i++) {
        const struct euicc_result_data *one = ops_result_at(r, i);
        if (!one) break;
        const char *name;
        int64_t code = judge_step(row_of(p, i), one, &name);
        out->executed++;
        out->odd |= one->der.which != row_of(p, i)->result && one->der.which != euicc_result_data_is_processing_terminated;
        if (code && !out->step) {
            out->code = code;
            out->step = row_of(p, i)->name;
            out->name = name;
        }
    }
    for (size_t k = 0; k < r->euicc_result.n; k++)
        if (r->euicc_result.v[k].der.which == euicc_result_data_is_rollback_result) {
            if (r->euicc_result.v[k].rollback_result == ROLLBACK_RESULT_OK) out->rolled_back = true;
            else {
                out->code = r->euicc_result.v[k].rollback_result;
                out->step = "rollback";
                out->name = "undefinedError";
            }
        }
    out->ok = out->executed == steps_of(p) && !out->step;
    if (!out->ok && !out->step) out->code = PROCESSING_TERMINATED_UNDEFINED_ERROR;
}

/* ---- showing ---- */

static json_t *shown_member(const struct member *m, json_t *v)
{
    const char *dot = strchr(m->value, '.');
    struct iccid raw;
    char text[21];
    if (dot) {
        char outer[64] = { 0 };
        memcpy(outer, m->value, (size_t)(dot - m->value) < sizeof outer ? (size_t)(dot - m->value) : sizeof outer - 1);
        v = json_object_get(json_object_get(v, outer), dot + 1);
    } else
        v = json_object_get(v, m->value);
    if (!v) return NULL;
    if (m->kind == FLAG) return json_true();
    if (m->kind != ICCID) return json_incref(v);
    if (slice_unhex(json_slice(v), raw.b, sizeof raw.b) != sizeof raw.b) return NULL;
    iccid_print((struct slice){ raw.b, sizeof raw.b }, text);
    return json_string(text);
}

json_t *ops_json(const struct euicc_package *p, const struct euicc_package_result_data_signed *r, struct arena *a)
{
    struct buf text;
    struct err ignored = { 0 };
    json_t *value = NULL, *out = json_array();
    (void)a;
    buf_init(&text, 1 << 20);
    der_json(&euicc_package_type, p, &text);
    enum eim_err rc = text.failed ? E_NOMEM : json_read(buf_slice(&text), 1 << 20, &value, &ignored);
    buf_free(&text);
    if (rc != OK) {
        json_decref(out);
        return NULL;
    }
    json_t *steps = json_object_get(value, p->der.which == euicc_package_is_psmo_list ? "psmoList" : "ecoList");
    for (size_t i = 0; i < steps_of(p); i++) {
        const struct row *row = row_of(p, i);
        json_t *members = json_object_get(json_array_get(steps, i), row->name);
        json_t *one = json_pack("{s:s}", "op", row->name);
        for (const struct member *m = row->members; m < row->members + 10 && m->json; m++) {
            json_t *shown = shown_member(m, members);
            if (shown) json_object_set_new(one, m->json, shown);
        }
        const struct euicc_result_data *res = r ? ops_result_at(r, i) : NULL;
        const char *name = "not_executed";
        if (res) json_object_set_new(one, "code", json_integer(judge_step(row, res, &name)));
        if (r) json_object_set_new(one, "outcome", json_string(name));
        if (res && res->der.which == euicc_result_data_is_add_eim_result && res->add_eim_result.der.which == add_eim_result_is_association_token)
            json_object_set_new(one, "association_token", json_integer(res->add_eim_result.association_token));
        json_array_append_new(out, one);
    }
    json_decref(value);
    return out;
}
