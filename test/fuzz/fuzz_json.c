/* fuzz_json.c -- ESipa in JSON: whatever is read as a request must be a message of the other binding, and whatever is an answer of the
 * eIM must be written as JSON that reads. The first octet chooses the function; two of its values are the answers of a device that was
 * pushed to, in either binding, whose results must be such as ProvideEimPackageResult can carry, and two are answers of an SM-DP+. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "asn1/sgp32.h"
#include "base/json.h"
#include "eim/es9.h"
#include "eim/inject_wire.h"
#include "front/esipa_json.h"
#include "test/fuzz/replay.h"

static const char *const functions[] = {
    "getEimPackage", "provideEimPackageResult", "handleNotification", "initiateAuthentication", "authenticateClient", "getBoundProfilePackage",
    "cancelSession", "transferEimPackage",
};

static void answer_of_a_push(bool json, struct slice in)
{
    struct arena a;
    struct err e = { 0 };
    struct transferred got;
    struct injection to = { .binding = json ? INJECT_JSON : INJECT_ASN1 };
    arena_init(&a, 4 << 20);
    enum eim_err rc = transfer_understand(&to, 200, in, &got, &a, &e);
    if (rc != OK && !e.code) abort();
    if (rc == OK && got.what == TRANSFER_RESULT && !got.result.n) abort();
    arena_free(&a);
}

/* Whatever an SM-DP+ says: what is needed is there or it is refused with a reason, and nothing is read beside it. */
static void answer_of_an_smdp(bool large, struct slice in)
{
    struct arena a;
    struct err e = { 0 };
    struct es9 c = { .large = large, .may_be_smds = !large, .out = { { .name = large ? "boundProfilePackage" : "serverSigned1", .needed = true },
                                             { .name = "serverSignature1" }, { .name = "eventId", .text = true } } };
    uint8_t *copy = malloc(in.n + 1);
    arena_init(&a, 4 << 20);
    if (!copy) abort();
    memcpy(copy, in.p, in.n);
    struct slice body = { copy, in.n };
    enum eim_err rc = es9_read(&c, &body, &a, &e);
    bool good = c.events ? !c.event_server.n == !c.event_id.n : c.out[0].value.n != 0;
    if (rc == OK ? !good || c.refused : !e.code) abort();
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < c.out[i].value.n; k++) (void)*(volatile const uint8_t *)(c.out[i].value.p + k);
    arena_free(&a);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a;
    struct err e = { 0 };
    struct slice out;
    json_t *o;
    if (n == 0) return 0;
    if (p[0] >= 0xfe) {
        answer_of_a_push(p[0] == 0xff, (struct slice){ p + 1, n - 1 });
        return 0;
    }
    if (p[0] >= 0xfc) {
        answer_of_an_smdp(p[0] == 0xfd, (struct slice){ p + 1, n - 1 });
        return 0;
    }
    const struct esipa_json_function *f = esipa_json_function(functions[p[0] % 8]);
    struct slice in = { p + 1, n - 1 };
    arena_init(&a, 4 << 20);
    struct esipa_from_ipa *m = ARENA_NEW(&a, struct esipa_from_ipa);
    if (esipa_json_read(f, in, &out, &a, &e) == OK) {
        e = (struct err){ 0 };
        enum eim_err rc = der_decode(&esipa_from_ipa_type, out, m, &a, &e);
        if (rc != OK && rc != E_NOMEM) abort();
    } else if (!e.code) abort();
    e = (struct err){ 0 };
    if (esipa_json_write(f, in, false, &out, &a, &e) == OK && out.n) {
        if (json_read(out, SIZE_MAX, &o, &e) != OK) abort();
        json_decref(o);
    }
    arena_free(&a);
    return 0;
}
