/* json_inject.c -- TransferEimPackage in JSON as an IPA takes and answers it (sgp32.md 4.3, 6.4.1.4). */
#include "sim/json.h"

#include <stdio.h>

#include "base/json.h"
#include "sim/tags.h"
#include "sim/tlv.h"

enum { JSON_MAX = 256 * 1024 };

static const struct { const char *member; uint32_t tag; } requests[] = {
    { "euiccPackageRequest", T_EUICC_PACKAGE }, { "ipaEuiccDataRequest", T_IPA_DATA }, { "profileDownloadTriggerRequest", T_TRIGGER },
    { "eimAcknowledgements", T_ACKS },
};

bool sim_json_pushed(struct slice json, struct slice *message, struct arena *a)
{
    struct err e = { 0 };
    struct tlv t;
    json_t *o;
    bool good = false;
    if (json_read(json, JSON_MAX, &o, &e) != OK)
        return false;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0] && !good; i++) {
        struct slice text = json_slice(json_object_get(o, requests[i].member));
        uint8_t *mem = arena_alloc(a, text.n + 1);
        long n = mem && text.n ? slice_from_b64(text, mem, text.n) : -1;
        good = n > 0 && tlv_only(slice_of(mem, (size_t)n), &t) && t.tag == requests[i].tag;
        if (good)
            *message = TLV(a, T_TRANSFER_EIM_PACKAGE, t.raw);
    }
    json_decref(o);
    return good && !tlv_is_bad(*message);
}

static char *base64(struct slice s, struct arena *a)
{
    char *out = arena_alloc(a, 4 * ((s.n + 2) / 3) + 1);
    if (out)
        slice_to_b64(s, out);
    return out;
}

/* The list of notifications goes as a TLV of its own type, a SEQUENCE. */
static char *both(struct slice value, struct arena *a)
{
    struct tlv epr, list;
    if (!tlv_take(&value, T_EUICC_PACKAGE, &epr) || !tlv_take(&value, T_C0, &list))
        return NULL;
    char *result = base64(epr.raw, a), *notifications = base64(TLV(a, T_SEQUENCE, list.value), a);
    return result && notifications
               ? arena_printf(a, "\"ePRAndNotifications\":{\"euiccPackageResult\":\"%s\",\"notificationList\":\"%s\"}", result, notifications) : NULL;
}

bool sim_json_push_answer(struct slice message, struct slice *json, struct arena *a)
{
    static const char head[] = "{\"header\":{\"functionExecutionStatus\":{\"status\":\"Executed-Success\"}},";
    struct tlv outer, t;
    int64_t code = 0;
    char *member = NULL;
    if (!tlv_only(message, &outer) || outer.tag != T_TRANSFER_EIM_PACKAGE || !tlv_only(outer.value, &t))
        return false;
    switch (t.tag) {
    case T_EUICC_PACKAGE: case T_IPA_DATA:
        member = base64(t.raw, a);
        if (member)
            member = arena_printf(a, "\"%s\":\"%s\"", t.tag == T_IPA_DATA ? "ipaEuiccDataResponse" : "euiccPackageResult", member);
        break;
    case T_SEQUENCE: member = both(t.value, a); break;
    case T_NULL: member = arena_printf(a, "\"eimPackageReceived\":true"); break;
    case T_INTEGER:
        if (tlv_int(t.value, &code))
            member = arena_printf(a, "\"eimPackageError\":%lld", (long long)code);
        break;
    default: break;
    }
    char *text = member ? arena_printf(a, "%s%s}", head, member) : NULL;
    *json = slice_str(text);
    return text != NULL;
}
