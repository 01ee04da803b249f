/* preflight.c -- before a profile is ordered for a device: does it fit, and is it allowed?
 *
 * What an order says that its profile needs ("requires") is held against what the device's IPA reported of its eUICC last, and against the rules
 * authorisation table that its eUICC signed (getRAT). It only ever refuses an order, by name, and a person may override each refusal by name; what is
 * not known refuses nothing. */
#include "eim/esipa_int.h"

#include <stdio.h>

enum { VERSION_PARTS = 3, PPR1 = 2, PPR2 = 4 /* bits of what the profile may have; pprUpdateControl needs no authorisation */ };

static bool version_read(struct slice text, uint8_t out[VERSION_PARTS])
{
    unsigned v[VERSION_PARTS];
    char copy[12];
    int n = 0;
    if (!text.n || text.n >= sizeof copy) return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    if (sscanf(copy, "%3u.%3u.%3u%n", &v[0], &v[1], &v[2], &n) != VERSION_PARTS || (size_t)n != text.n) return false;
    for (int i = 0; i < VERSION_PARTS; i++) {
        if (v[i] > UINT8_MAX) return false;
        out[i] = (uint8_t)v[i];
    }
    return true;
}

static const char *const rule_names[] = { "pprUpdateControl", "ppr1", "ppr2" };

static enum eim_err rules_from_json(const json_t *list, int64_t *rules, struct err *e)
{
    size_t i;
    json_t *v;
    *rules = 0;
    if (!json_is_array(list)) return fail_field(e, E_INVALID, "SGP.22 2.4.5", "requires.policy_rules", "must be a list, which may be empty");
    json_array_foreach((json_t *)(uintptr_t)list, i, v) {
        int64_t bit = 0;
        for (size_t k = 0; k < sizeof rule_names / sizeof rule_names[0]; k++)
            if (slice_eq(json_slice(v), slice_str(rule_names[k]))) bit = INT64_C(1) << k;
        if (!bit) return fail_field(e, E_INVALID, "SGP.22 2.4.5", "requires.policy_rules", "has pprUpdateControl, ppr1 and ppr2, and nothing else");
        *rules |= bit;
    }
    return OK;
}

/* What the profile must be; `key` is a member of "requires". */
static enum eim_err must_be(const char *key, const json_t *v, bool indirect, struct preflight *out, struct err *e)
{
    bool iccid = !strcmp(key, "iccid");
    if (!iccid && strcmp(key, "policy_rules"))
        return fail_field(e, E_INVALID, NULL, "requires", "has memory, profile_version, euicc_version, iccid and policy_rules, and nothing else");
    if (!indirect)
        return fail_field(e, E_RULE, "SGP.32 3.2.3.2", iccid ? "requires.iccid" : "requires.policy_rules",
                          "is only seen when a profile comes through the eIM, and eim.indirect_download is off");
    if (!iccid) return rules_from_json(v, &out->rules, e);
    out->has_iccid = iccid_parse(json_slice(v), &out->iccid);
    return out->has_iccid ? OK : fail_field(e, E_INVALID, "ITU-T E.118", "requires.iccid", "an ICCID has 18 to 20 digits");
}

enum eim_err preflight_from_json(const json_t *v, bool indirect, struct preflight *out, struct err *e)
{
    const char *key;
    json_t *m;
    *out = (struct preflight){ .rules = RULES_ANY };
    if (!json_is_object(v)) return fail_field(e, E_INVALID, NULL, "requires", "must be an object");
    json_object_foreach((json_t *)(uintptr_t)v, key, m) {
        if (!strcmp(key, "memory")) {
            out->memory = json_integer_value(m);
            if (!json_is_integer(m) || out->memory < 1 || out->memory > INT32_MAX)
                return fail_field(e, E_INVALID, NULL, "requires.memory", "must be a number of octets");
        } else if (!strcmp(key, "profile_version") || !strcmp(key, "euicc_version")) {
            uint8_t *to = *key == 'p' ? out->profile_version : out->euicc_version;
            if (!version_read(json_slice(m), to))
                return fail_field(e, E_INVALID, NULL, *key == 'p' ? "requires.profile_version" : "requires.euicc_version", "must be a version such as 2.3.1");
        } else
            TRY(must_be(key, m, indirect, out, e));
    }
    return OK;
}

/* Free non-volatile memory in extCardResource (ETSI TS 102 226: data objects 81, 82, 83); -1: it does not say. */
static int64_t free_memory(struct slice s)
{
    enum { NON_VOLATILE = 0x82, LONGEST = 4 };
    for (size_t at = 0; at + 2 <= s.n;) {
        size_t n = s.p[at + 1];
        int64_t v = 0;
        if (n > LONGEST || at + 2 + n > s.n) return -1;
        for (size_t i = 0; i < n; i++) v = v << 8 | s.p[at + 2 + i];
        if (s.p[at] == NON_VOLATILE) return v;
        at += 2 + n;
    }
    return -1;
}

static bool asks(const uint8_t v[VERSION_PARTS])
{
    return v[0] || v[1] || v[2];
}

static bool older(struct slice have, const uint8_t want[VERSION_PARTS])
{
    return have.n == VERSION_PARTS && memcmp(have.p, want, VERSION_PARTS) < 0;
}

static bool supports(const struct euicc_info2 *i, const uint8_t want[VERSION_PARTS])
{
    if (!older(i->profile_version, want)) return true;
    if (!der_has(i, euicc_info2, additional_euicc_profile_package_versions)) return false;
    for (size_t k = 0; k < i->additional_euicc_profile_package_versions.n; k++)
        if (!older(i->additional_euicc_profile_package_versions.v[k], want)) return true;
    return false;
}

static enum eim_err fits(const struct euicc_info2 *i, const struct preflight *w, int64_t overrides, struct err *e)
{
    int64_t free = free_memory(i->ext_card_resource);
    if (w->memory && free >= 0 && free < w->memory && !(overrides & OVERRIDE_PREFLIGHT_MEMORY))
        return fail_field(e, E_RULE, "SGP.32 5.9.2", "requires.memory",
                          "the eUICC has %lld octets left, as its IPA reported; override \"preflight_memory\" to order it all the same", (long long)free);
    if (asks(w->profile_version) && !supports(i, w->profile_version) && !(overrides & OVERRIDE_PREFLIGHT_VERSION))
        return fail_field(e, E_RULE, "SGP.32 5.9.2", "requires.profile_version",
                          "the eUICC takes older profile packages only; override \"preflight_version\" to order it all the same");
    if (asks(w->euicc_version) && older(i->svn, w->euicc_version) && !(overrides & OVERRIDE_PREFLIGHT_VERSION))
        return fail_field(e, E_RULE, "SGP.32 5.9.2", "requires.euicc_version",
                          "the eUICC supports an older version only; override \"preflight_version\" to order it all the same");
    return OK;
}

/* A profile with a policy rule is taken by an eUICC whose table authorises that rule for somebody (SGP.22 2.9.2.1). For whom is not judged: the
 * order does not say who owns the profile. */
static enum eim_err authorised(struct tx *t, int64_t association, int64_t wanted, struct arena *a, struct err *e)
{
    struct device_rat rat;
    struct rules table;
    int64_t given = 0;
    wanted &= PPR1 | PPR2;
    if (!wanted) return OK;
    TRY(store_rat_get(t, association, &rat, a, e));
    if (!rat.as_of_us || der_decode(&rules_type, rat.rules, &table, a, &(struct err){ 0 }) != OK) return OK;
    for (size_t i = 0; i < table.n; i++) given |= der_bits_mask(&table.v[i].ppr_ids);
    if ((wanted & given) == wanted) return OK;
    return fail_field(e, E_RULE, "SGP.22 2.9.2.1", "requires.policy_rules",
                      "the eUICC's rules authorisation table allows no profile with %s; override \"preflight_rules\" to order it all the same",
                      wanted & ~given & PPR1 ? "ppr1" : "ppr2");
}

/* The label "operators", when a device has it, lists whose profiles it may get, with commas between. */
static bool listed(struct slice list, struct slice name)
{
    while (list.n) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        struct slice one = slice_of(list.p, comma ? (size_t)(comma - list.p) : list.n);
        if (slice_eq(one, name)) return true;
        list = comma ? slice_of(comma + 1, list.n - one.n - 1) : slice_of(list.p, 0);
    }
    return false;
}

enum eim_err preflight_check(struct tx *t, int64_t association, struct slice operator_name, const struct preflight *w, int64_t overrides,
                             struct arena *a, struct err *e)
{
    struct device_data data;
    struct label_list labels;
    struct ipa_euicc_data_response r;
    TRY(store_label_list(t, association, &labels, a, e));
    for (size_t i = 0; operator_name.n && i < labels.n; i++)
        if (slice_eq(labels.v[i].name, SLICE("operators")) && !listed(labels.v[i].value, operator_name) && !(overrides & OVERRIDE_PREFLIGHT_OPERATOR))
            return fail_field(e, E_RULE, NULL, "download.operator",
                              "the device's label \"operators\" does not list it; override \"preflight_operator\" to order it all the same");
    if (w->rules != RULES_ANY && !(overrides & OVERRIDE_PREFLIGHT_RULES)) TRY(authorised(t, association, w->rules, a, e));
    TRY(store_data_get(t, association, &data, a, e));
    if (!data.info.n || der_decode(&ipa_euicc_data_response_type, data.info, &r, a, &(struct err){ 0 }) != OK ||
        r.der.which != ipa_euicc_data_response_is_ipa_euicc_data || !der_has(&r.ipa_euicc_data, ipa_euicc_data, euicc_info2))
        return OK;
    return fits(&r.ipa_euicc_data.euicc_info2, w, overrides, e);
}
