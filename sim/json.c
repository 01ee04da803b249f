/* json.c -- ESipa in JSON, the IPA's side.
 *
 * A request is written by one row a member: which child of the message it is, and in which of the four forms of sgp32.md 4.3 it
 * goes. An answer is read the other way round. */
#include "sim/json.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "sim/tags.h"
#include "sim/tlv.h"

enum { JSON_MAX = 4 << 20 };

enum form {
    END,
    TLV64,                             /* the child's TLV in base64 */
    RAW64,                             /* its content in base64 */
    HEX,                               /* its content in upper-case hex */
    EID,                               /* its content in digits */
    TEXT,
    FLAG,                              /* present: true */
    NUMBER,
    CANCEL,                            /* A1{arm}, sent as BF41{arm} */
    INSIDE,                            /* the TLV inside the child: a CHOICE under a tag */
};
struct row { uint32_t tag; const char *member; enum form form; };

static const struct { uint32_t tag; const char *function; struct row rows[5]; } requests[] = {
    { T_INITIATE_AUTHENTICATION, "initiateAuthentication",
      { { T_1, "euiccChallenge", RAW64 }, { T_3, "smdpAddress", TEXT }, { T_EUICC_INFO1, "euiccInfo1", TLV64 }, { T_2, "eimTransactionId", HEX } } },
    { T_AUTHENTICATE_CLIENT, "authenticateClient",
      { { T_0, "transactionId", HEX }, { T_AUTHENTICATE_SERVER, "authenticateServerResponse", TLV64 } } },
    { T_GET_BOUND_PROFILE, "getBoundProfilePackage",
      { { T_0, "transactionId", HEX }, { T_PREPARE_DOWNLOAD, "prepareDownloadResponse", TLV64 } } },
    { T_CANCEL_SESSION, "cancelSession", { { T_0, "transactionId", HEX }, { T_C1, "cancelSessionResponse", CANCEL } } },
    { T_GET_EIM_PACKAGE, "getEimPackage",
      { { T_EID, "eidValue", EID }, { T_0, "notifyStateChange", FLAG }, { T_1, "stateChangeCause", NUMBER }, { T_2, "rPLMN", TLV64 } } },
    { T_HANDLE_NOTIFICATION, "handleNotification",
      { { T_C0, "pendingNotification", INSIDE }, { T_PROVIDE_RESULT, "provideEimPackageResult", TLV64 } } },
};

/* ---- requests ------------------------------------------------------------------------------------------------ */

static void put_string(struct buf *b, const char *member, const char *value)
{
    buf_printf(b, "%s\"%s\":\"%s\"", b->n > 1 ? "," : "", member, value);
}

static bool put_base64(struct buf *b, const char *member, struct slice s, struct arena *a)
{
    char *out = arena_alloc(a, 4 * ((s.n + 2) / 3) + 1);
    if (!out)
        return false;
    slice_to_b64(s, out);
    put_string(b, member, out);
    return true;
}

static bool put_hex(struct buf *b, const char *member, struct slice s, struct arena *a)
{
    char *out = arena_alloc(a, 2 * s.n + 1);
    if (!out)
        return false;
    slice_hex(s, true, out);
    put_string(b, member, out);
    return true;
}

static bool put_member(struct buf *b, const struct row *r, const struct tlv *t, struct arena *a)
{
    int64_t v;
    char *plain;
    switch (r->form) {
    case TLV64: return put_base64(b, r->member, t->raw, a);
    case RAW64: case INSIDE: return put_base64(b, r->member, t->value, a);
    case HEX: case EID: return put_hex(b, r->member, t->value, a);
    case CANCEL: return put_base64(b, r->member, TLV(a, T_CANCEL_SESSION, t->value), a);
    case FLAG: buf_printf(b, "%s\"%s\":true", b->n > 1 ? "," : "", r->member); return true;
    case TEXT:
        plain = arena_str(a, t->value);
        if (!plain || strpbrk(plain, "\"\\"))            /* addresses have neither */
            return false;
        put_string(b, r->member, plain);
        return true;
    case NUMBER:
        if (!tlv_int(t->value, &v))
            return false;
        buf_printf(b, "%s\"%s\":%lld", b->n > 1 ? "," : "", r->member, (long long)v);
        return true;
    case END: break;
    }
    return false;
}

/* eidValue if it is there, and the result by itself; or all of the message as the result. */
static bool put_result(struct buf *b, const struct tlv *message, bool whole, struct arena *a)
{
    static const uint32_t results[] = { T_EUICC_PACKAGE, T_SEQUENCE, T_IPA_DATA, T_TRIGGER, T_C0 };
    struct slice rest = message->value;
    struct tlv t;
    if (tlv_take(&rest, T_EID, &t) && !put_hex(b, "eidValue", t.value, a))
        return false;
    if (whole)
        return put_base64(b, "eimPackageResult", message->raw, a);
    while (tlv_next(&rest, &t))
        for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
            if (results[i] == t.tag)
                return put_base64(b, "eimPackageResult", t.raw, a);
    return false;
}

static bool put_request(struct buf *b, const struct tlv *message, bool whole, const char **function, struct arena *a)
{
    struct tlv t;
    if (message->tag == T_PROVIDE_RESULT) {
        *function = "provideEimPackageResult";
        return put_result(b, message, whole, a);
    }
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        if (requests[i].tag != message->tag)
            continue;
        *function = requests[i].function;
        for (struct slice rest = message->value; tlv_next(&rest, &t);)
            for (const struct row *r = requests[i].rows; r->form != END; r++)
                if (r->tag == t.tag && !put_member(b, r, &t, a))
                    return false;
        return true;
    }
    return false;
}

bool sim_json_request(struct slice message, bool whole, const char **function, struct slice *json, struct arena *a)
{
    struct tlv m;
    struct buf b;
    if (!tlv_only(message, &m))
        return false;
    buf_init(&b, JSON_MAX);
    buf_str(&b, "{");
    bool good = put_request(&b, &m, whole, function, a);
    buf_str(&b, "}");
    *json = good && !b.failed ? arena_copy(a, buf_slice(&b)) : (struct slice){ 0 };
    buf_free(&b);
    return json->n > 0;
}

/* ---- answers ------------------------------------------------------------------------------------------------- */

/* A string member in base64; tlv_bad when it is none. */
static struct slice base64_of(const json_t *o, const char *member, struct arena *a)
{
    struct slice text = json_slice(json_object_get(o, member));
    uint8_t *mem = arena_alloc(a, text.n + 1);
    long n = mem ? slice_from_b64(text, mem, text.n) : -1;
    return n > 0 ? slice_of(mem, (size_t)n) : tlv_bad;
}

static struct slice hex_of(const json_t *o, const char *member, uint32_t tag, struct arena *a)
{
    struct slice text = json_slice(json_object_get(o, member));
    uint8_t *mem = arena_alloc(a, text.n + 1);
    long n = mem ? slice_unhex(text, mem, text.n) : -1;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 'a')                            /* upper case is the rule */
            n = -1;
    return n > 0 ? TLV(a, tag, slice_of(mem, (size_t)n)) : tlv_bad;
}

/* The members of an answer in their order; absent ones add nothing, the eIM's duty to send the others is the reader's to check. */
static struct slice members(const json_t *o, uint32_t arm, const struct row *rows, struct arena *a)
{
    struct tlv_list l = { .n = 0 };
    for (; rows->form != END; rows++) {
        const json_t *v = json_object_get(o, rows->member);
        if (!v)
            continue;
        switch (rows->form) {
        case HEX: tlv_add(&l, hex_of(o, rows->member, rows->tag, a)); break;
        case TEXT: tlv_add(&l, TLV(a, rows->tag, json_slice(v))); break;
        case INSIDE: tlv_add(&l, TLV(a, rows->tag, base64_of(o, rows->member, a))); break;
        default: tlv_add(&l, base64_of(o, rows->member, a));
        }
    }
    return tlv_list_end(a, arm, &l);
}

/* `sign` is a member that tells the row of a function with two. */
static const struct { const char *function, *sign; uint32_t tag, ok, error; struct row rows[8]; } answers[] = {
    { "initiateAuthentication", NULL, T_INITIATE_AUTHENTICATION, T_C0, T_1,
      { { T_0, "transactionId", HEX }, { 0, "serverSigned1", TLV64 }, { 0, "serverSignature1", TLV64 },
        { 0, "euiccCiPKIdentifierToBeUsed", TLV64 }, { 0, "serverCertificate", TLV64 }, { T_UTF8, "matchingId", TEXT },
        { T_C2, "ctxParams1", INSIDE } } },
    { "authenticateClient", "smdpSigned2", T_AUTHENTICATE_CLIENT, T_C0, T_2,
      { { T_0, "transactionId", HEX }, { 0, "profileMetadata", TLV64 }, { 0, "smdpSigned2", TLV64 }, { 0, "smdpSignature2", TLV64 },
        { 0, "smdpCertificate", TLV64 }, { 0, "hashCc", TLV64 } } },
    { "authenticateClient", NULL, T_AUTHENTICATE_CLIENT, T_C1, T_2,
      { { T_0, "transactionId", HEX }, { 0, "profileDownloadTrigger", TLV64 } } },
    { "getBoundProfilePackage", NULL, T_GET_BOUND_PROFILE, T_C0, T_1, { { T_0, "transactionId", HEX }, { 0, "boundProfilePackage", TLV64 } } },
    { "cancelSession", NULL, T_CANCEL_SESSION, T_C0, T_1, { { 0, NULL, END } } },
};

/* The number of SGP.32 that stands at the end of a failure's message, "name(N)". */
static bool failure_code(const json_t *status, int64_t *code)
{
    const json_t *data = json_object_get(status, "statusCodeData");
    const char *subject = json_string_value(json_object_get(data, "subjectCode")), *reason = json_string_value(json_object_get(data, "reasonCode"));
    const char *text = json_string_value(json_object_get(data, "message")), *open = text ? strrchr(text, '(') : NULL;
    long long v;
    char end;
    if (!subject || !reason || !open || sscanf(open, "(%lld%c", &v, &end) != 2 || end != ')')
        return false;
    *code = v;
    return true;
}

static struct slice get_answer(const json_t *o, struct arena *a)
{
    static const struct { const char *member; uint32_t tag; } arms[] = {
        { "euiccPackageRequest", T_EUICC_PACKAGE }, { "ipaEuiccDataRequest", T_IPA_DATA }, { "profileDownloadTriggerRequest", T_TRIGGER },
    };
    const json_t *error = json_object_get(o, "eimPackageError");
    struct slice arm = json_is_integer(error) ? tlv_put_int(a, T_INTEGER, json_integer_value(error)) : tlv_bad;
    unsigned found = error != NULL;
    for (size_t i = 0; i < sizeof arms / sizeof arms[0]; i++) {
        struct tlv t;
        if (!json_object_get(o, arms[i].member))
            continue;
        found++;
        arm = base64_of(o, arms[i].member, a);
        if (tlv_is_bad(arm) || !tlv_only(arm, &t) || t.tag != arms[i].tag)
            return tlv_bad;
    }
    return found == 1 ? TLV(a, T_GET_EIM_PACKAGE, arm) : tlv_bad;
}

static struct slice provide_answer(const json_t *o, bool failed, int64_t code, struct arena *a)
{
    const json_t *error = json_object_get(o, "provideEimPackageResultError");
    if (failed != (error != NULL) || (failed && json_integer_value(error) != code))
        return tlv_bad;
    if (failed)
        return TLV(a, T_PROVIDE_RESULT, tlv_put_int(a, T_INTEGER, code));
    return TLV(a, T_PROVIDE_RESULT, json_object_get(o, "eimAcknowledgements") ? base64_of(o, "eimAcknowledgements", a) : TLV_EMPTY(a, T_SEQUENCE));
}

static struct slice answer(const char *function, const json_t *o, struct arena *a)
{
    const json_t *status = json_object_get(json_object_get(o, "header"), "functionExecutionStatus");
    const char *said = json_string_value(json_object_get(status, "status"));
    int64_t code = 0;
    bool failed = said && strcmp(said, "Failed") == 0;
    if (!said || (!failed && strcmp(said, "Executed-Success") != 0) || (failed && !failure_code(status, &code)))
        return tlv_bad;
    if (strcmp(function, "provideEimPackageResult") == 0)
        return provide_answer(o, failed, code, a);
    if (strcmp(function, "getEimPackage") == 0)
        return failed ? tlv_bad : get_answer(o, a);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (strcmp(answers[i].function, function) == 0 && (!answers[i].sign || json_object_get(o, answers[i].sign)))
            return TLV(a, answers[i].tag, failed ? tlv_put_int(a, answers[i].error, code) : members(o, answers[i].ok, answers[i].rows, a));
    return tlv_bad;
}

bool sim_json_reply(const char *function, struct slice json, struct slice *message, struct arena *a)
{
    struct err e = { 0 };
    json_t *o;
    *message = (struct slice){ 0 };
    if (json.n == 0)
        return strcmp(function, "handleNotification") == 0;
    if (json_read(json, JSON_MAX, &o, &e) != OK)
        return false;
    *message = answer(function, o, a);
    json_decref(o);
    return !tlv_is_bad(*message);
}
