/* tree.c -- walks the tables of der.h over a decoded value and prints what a person wants to see. */
#include "app/eimctl/tree.h"

#include "app/eimctl/out.h"
#include "asn1/es10b.h"
#include "crypto/cert.h"
#include "model/device.h"

enum { SHOWN_OCTETS = 48 };            /* of longer octet strings only the beginning is printed */

/* Which numbers have names. Field names are unique enough; where they are not, the type is given as well. */
static const struct { const char *type, *field; const struct der_name *names; } codes[] = {
    { NULL, "eimIdType", eim_id_type_names },
    { NULL, "profileState", profile_state_names },
    { NULL, "profileClass", profile_class_names },
    { NULL, "profileInfoListError", profile_info_list_error_names },
    { NULL, "enableResult", enable_result_names },
    { NULL, "disableResult", disable_result_names },
    { NULL, "deleteResult", delete_result_names },
    { NULL, "configureImmediateEnableResult", configure_immediate_enable_result_names },
    { NULL, "addEimResultCode", add_eim_result_names },
    { NULL, "addInitialEimError", add_eim_result_names },
    { NULL, "deleteEimResult", delete_eim_result_names },
    { NULL, "updateEimResult", update_eim_result_names },
    { NULL, "listEimError", list_eim_error_names },
    { NULL, "rollbackResult", rollback_result_names },
    { NULL, "setFallbackAttributeResult", set_fallback_result_names },
    { NULL, "unsetFallbackAttributeResult", unset_fallback_result_names },
    { NULL, "processingTerminated", processing_terminated_names },
    { "SetDefaultDpAddressResponse", "setDefaultDpAddressResult", set_default_dp_address_result_names },
    { NULL, "euiccPackageErrorCode", euicc_package_error_names },
    { "GetEimPackageResponse", "eimPackageError", get_eim_package_error_names },
    { "TransferEimPackageResponse", "eimPackageError", eim_package_result_error_names },
    { NULL, "eimPackageResultErrorCode", eim_package_result_error_names },
    { NULL, "provideEimPackageResultError", provide_eim_package_result_error_names },
    { NULL, "ipaEuiccDataErrorCode", ipa_euicc_data_error_names },
    { NULL, "profileDownloadErrorReason", profile_download_error_reason_names },
    { NULL, "initiateAuthenticationErrorEsipa", initiate_authentication_error_names },
    { NULL, "authenticateClientErrorEsipa", authenticate_client_error_names },
    { NULL, "getBoundProfilePackageErrorEsipa", get_bound_profile_package_error_names },
    { NULL, "cancelSessionError", cancel_session_error_names },
    { NULL, "reason", cancel_session_reason_names },
    { NULL, "stateChangeCause", state_change_cause_names },
    { NULL, "ipaMode", ipa_mode_names },
    { NULL, "authenticateErrorCode", authenticate_error_names },
    { NULL, "downloadErrorCode", download_error_names },
    { NULL, "errorReason", bpp_error_reason_names },
    { NULL, "deleteNotificationStatus", delete_notification_status_names },
    { NULL, "notificationsListResultError", notifications_list_error_names },
    { NULL, "resetResult", memory_reset_result_names },
    { NULL, "resetEimResult", reset_eim_result_names },
    { NULL, "getCertsError", get_certs_error_names },
    { NULL, "immediateEnableResult", immediate_enable_result_names },
    { "ProfileRollbackResponse", "cmdResult", profile_rollback_result_names },
    { NULL, "executeFallbackMechanismResult", fallback_result_names },
    { NULL, "returnFromFallbackResult", fallback_result_names },
    { NULL, "enableEmergencyProfileResult", emergency_profile_result_names },
    { NULL, "disableEmergencyProfileResult", emergency_profile_result_names },
    { NULL, "connectivityParametersError", connectivity_parameters_error_names },
    /* bits */
    { NULL, "eimSupportedProtocol", protocol_names },
    { NULL, "ipaSupportedProtocols", protocol_names },
    { NULL, "ipaFeatures", ipa_feature_names },
    { NULL, "profileManagementOperation", notification_event_names },
    { NULL, "profilePolicyRules", ppr_names },
    { NULL, "forbiddenProfilePolicyRules", ppr_names },
    { NULL, "pprIds", ppr_names },
    { NULL, "resetOptions", memory_reset_names },
};

static const struct der_name *names_of(const struct der_type *t, const struct der_field *f)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].field, f->name) == 0 && (!codes[i].type || strcmp(codes[i].type, t->name) == 0))
            return codes[i].names;
    return NULL;
}

/* The identifier octets of a tag, as a hex dump shows them. */
static void print_tag(FILE *f, uint32_t tag)
{
    if (tag == UNTAGGED || tag == DER_ANY_TAG) return;
    uint32_t number = tag & (CONS - 1), first = tag >> 30 << 6 | (tag & CONS ? CONS >> 24 : 0);
    fprintf(f, " [%02X", number < 31 ? first | number : first | 31);
    if (number >= 31 && number > 127) fprintf(f, "%02X", number >> 7 | 128);
    if (number >= 31) fprintf(f, "%02X", number & 127);
    fputc(']', f);
}

static void print_hex(FILE *f, struct slice s)
{
    for (size_t i = 0; i < s.n && i < SHOWN_OCTETS; i++) fprintf(f, "%02x", s.p[i]);
    if (s.n > SHOWN_OCTETS) fprintf(f, "... (%zu octets)", s.n);
}

static void print_text(FILE *f, struct slice s)
{
    fputc('"', f);
    out_text(f, s);
    fputc('"', f);
}

static void print_tag_list(FILE *f, const struct der_type *t, struct slice list)
{
    const struct der_type *of = strcmp(t->name, "IpaEuiccDataRequest") == 0 ? &ipa_euicc_data_type : &profile_info_type;
    uint64_t has;
    bool whole = der_taglist(of, list, &has);
    const char *comma = "  (";
    print_hex(f, list);
    for (uint32_t i = 0; i < of->nfields; i++) {
        if (!(has >> i & 1)) continue;
        fprintf(f, "%s%s", comma, of->fields[i].name);
        comma = ", ";
    }
    fprintf(f, "%s%s", whole ? "" : *comma == ',' ? ", and others" : "  (others", !whole || *comma == ',' ? ")" : "");
}

static void print_octets(FILE *f, const struct der_type *t, const struct der_field *d, struct slice s)
{
    char digits[33];
    if (strcmp(d->name, "iccid") == 0 && s.n == SGP32_ICCID) {
        iccid_print(s, digits);
        fputs(digits, f);
    } else if (strcmp(d->name, "eidValue") == 0 && s.n == SGP32_EID) {
        struct eid eid;
        memcpy(eid.b, s.p, sizeof eid.b);
        eid_print(&eid, digits);
        fputs(digits, f);
    } else if (strcmp(d->name, "tagList") == 0) {
        print_tag_list(f, t, s);
    } else if (strcmp(d->name, "rPLMN") == 0 && s.n == 3) {
        plmn_print(s, digits);
        fputs(digits, f);
    } else {
        print_hex(f, s);
    }
}

static void print_oid(FILE *f, struct slice s)
{
    uint64_t v = 0;
    bool first = true;
    for (size_t i = 0; i < s.n; i++) {
        v = v << 7 | (s.p[i] & 127);
        if (s.p[i] & 128) continue;
        uint64_t top = v < 80 ? v / 40 : 2;
        if (first) fprintf(f, "%llu.%llu", (unsigned long long)top, (unsigned long long)(v - 40 * top));
        else fprintf(f, ".%llu", (unsigned long long)v);
        first = false;
        v = 0;
    }
}

static void print_bits(FILE *f, const struct der_bits *b, const struct der_name *names)
{
    const char *comma = "";
    for (uint32_t i = 0; i < b->count; i++) fputc(der_bit(b, i) ? '1' : '0', f);
    if (b->count == 0) fputs("(none)", f);
    for (uint32_t i = 0; names && i < b->count; i++) {
        const char *name = der_name(names, i);
        if (!der_bit(b, i)) continue;
        fprintf(f, "%s%s", *comma ? comma : "  (", name ? name : "unknown");
        comma = ", ";
    }
    if (*comma) fputc(')', f);
}

static void print_certificate(FILE *f, struct slice der)
{
    struct err e = { 0 };
    char subject[CERT_NAME_MAX];
    if (cert_subject(der, subject, &e) == OK) out_text(f, slice_str(subject));
    else fputs("not readable as a certificate", f);
    fprintf(f, "  (%zu octets)", der.n);
}

static void print_leaf(FILE *f, const struct der_type *t, const struct der_field *d, const void *v)
{
    const struct der_name *names = names_of(t, d);
    switch ((enum der_kind)d->kind) {
    case DER_INT: {
        int64_t i = *(const int64_t *)v;
        const char *name = names ? der_name(names, i) : NULL;
        fprintf(f, "%lld%s%s%s", (long long)i, name ? "  (" : "", name ? name : "", name ? ")" : "");
        break;
    }
    case DER_BOOL: fputs(*(const bool *)v ? "true" : "false", f); break;
    case DER_NULL: fputs("present", f); break;
    case DER_UTF8: print_text(f, *(const struct slice *)v); break;
    case DER_BITS: print_bits(f, v, names); break;
    case DER_OID: print_oid(f, *(const struct slice *)v); break;
    case DER_CERT: print_certificate(f, *(const struct slice *)v); break;
    case DER_OCTETS: print_octets(f, t, d, *(const struct slice *)v); break;
    default: print_hex(f, *(const struct slice *)v);
    }
}

static size_t element_size(const struct der_field *d)
{
    switch ((enum der_kind)d->kind) {
    case DER_INT: return sizeof(int64_t);
    case DER_BOOL: case DER_NULL: return sizeof(bool);
    case DER_BITS: return sizeof(struct der_bits);
    case DER_SEQ: case DER_CHOICE: case DER_LIST: return d->type->size;
    default: return sizeof(struct slice);
    }
}

static void print_value(FILE *f, const struct der_type *t, const void *v, int depth);

static void print_field(FILE *f, const struct der_type *t, const struct der_field *d, const void *v, int depth)
{
    fprintf(f, "%*s%s", 2 * depth, "", d->name);
    print_tag(f, d->tag);
    if (d->kind == DER_SEQ || d->kind == DER_CHOICE || d->kind == DER_LIST) {
        fputc('\n', f);
        print_value(f, d->type, v, depth + 1);
        return;
    }
    fputs(": ", f);
    print_leaf(f, t, d, v);
    fputc('\n', f);
}

/* Depth is bounded by the decoder (DER_DEPTH). */
static void print_value(FILE *f, const struct der_type *t, const void *v, int depth)
{
    const uint8_t *base = v;
    if (t->kind == DER_LIST) {
        const uint8_t *first;
        size_t n;
        memcpy(&first, base, sizeof first);        /* struct { ELEMENT *v; size_t n; }, whatever the element */
        memcpy(&n, base + sizeof first, sizeof n);
        for (size_t i = 0; i < n; i++) print_field(f, t, &t->fields[0], first + i * element_size(&t->fields[0]), depth);
    } else if (t->kind == DER_CHOICE) {
        uint32_t which = ((const struct der_choice *)v)->which;
        if (which && which <= t->nfields) print_field(f, t, &t->fields[which - 1], base + t->fields[which - 1].off, depth);
    } else {
        uint64_t has = ((const struct der_seq *)v)->has;
        for (uint32_t i = 0; i < t->nfields; i++)
            if (!t->fields[i].opt || has >> i & 1) print_field(f, t, &t->fields[i], base + t->fields[i].off, depth);
    }
}

void tree_print(FILE *f, const struct der_type *t, const void *v)
{
    fputs(t->name, f);
    print_tag(f, t->tag);
    fputc('\n', f);
    print_value(f, t, v, 1);
}
