/* fuzz_json.c -- ESipa in JSON: whatever is read as a request must be a message of the other binding, and whatever is an answer of the
 * eIM must be written as JSON that reads. The first octet chooses the function. */
#include <stdint.h>
#include <stdlib.h>

#include "asn1/sgp32.h"
#include "base/json.h"
#include "front/esipa_json.h"
#include "test/fuzz/replay.h"

static const char *const functions[] = {
    "getEimPackage", "provideEimPackageResult", "handleNotification", "initiateAuthentication", "authenticateClient", "getBoundProfilePackage",
    "cancelSession", "transferEimPackage",
};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a;
    struct err e = { 0 };
    struct slice out;
    json_t *o;
    if (n == 0) return 0;
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
    if (esipa_json_write(f, in, &out, &a, &e) == OK && out.n) {
        if (json_read(out, SIZE_MAX, &o, &e) != OK) abort();
        json_decref(o);
    }
    arena_free(&a);
    return 0;
}
