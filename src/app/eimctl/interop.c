/* interop.c -- eimctl interop: a report for makers of IPAs and cards. */
#include <stdio.h>
#include <string.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

static void print_one(struct ctl *c, json_t *o)
{
    const char *octets = out_string(c, o, "octets"), *eid = out_string(c, o, "eid");
    const json_t *offset = json_object_get(o, "offset");
    printf("  %s in %s (%s): %s\n", out_string(c, o, "kind"), out_string(c, o, "message"), out_string(c, o, "clause"), out_string(c, o, "meaning"));
    printf("      %lld times, from %s to %s", (long long)json_integer_value(json_object_get(o, "count")), out_time(c, o, "first_at"),
           out_time(c, o, "last_at"));
    if (eid) printf(", first with %s", eid);
    if (json_is_integer(offset)) printf(", at octet %lld", (long long)json_integer_value(offset));
    printf("\n");
    if (octets) printf("      %s\n", octets);
}

int interop_report(struct ctl *c)
{
    const char *only = ctl_option(c, "--maker"), *last = "";
    json_t *o;
    int rc = api_json(c, "/v1/interop", &(struct request){ .method = "GET" }, &o);
    if (rc != CTL_OK) return rc;
    const json_t *items = json_object_get(o, "items");
    bool any = false;
    for (size_t i = 0; !c->json && i < json_array_size(items); i++) {        /* maker by maker */
        const char *maker = json_string_value(json_object_get(json_array_get(items, i), "maker"));
        bool seen = false;
        for (size_t k = 0; maker && k < i && !seen; k++) seen = !strcmp(maker, json_string_value(json_object_get(json_array_get(items, k), "maker")));
        if (!maker || seen || (only && strcmp(only, maker))) continue;
        for (size_t k = i; k < json_array_size(items); k++) {
            json_t *one = json_array_get(items, k);
            if (strcmp(maker, json_string_value(json_object_get(one, "maker")))) continue;
            if (strcmp(last, maker)) printf("eUICCs whose EID begins with %s:\n", maker);
            last = maker;
            any = true;
            print_one(c, one);
        }
    }
    if (c->json) out_json(o);
    else if (!any) printf("nothing was seen that is otherwise than the specification says\n");
    json_decref(o);
    return CTL_OK;
}
