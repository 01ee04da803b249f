/* rest_interop.c -- what makers' IPAs and cards do otherwise than the specification says, from live traffic. */
#include "front/rest_int.h"

#include "eim/interop.h"

#include <stdio.h>

enum eim_err rest_interop(struct rest_call *c, struct err *e)
{
    size_t n = 0;
    int64_t dropped = 0;
    struct interop_row *v = manage_interop(c->rest->c.eim, &c->who, &n, &dropped, c->arena);
    if (!v) return fail(e, E_NOMEM, NULL, "no room for the report");
    json_t *items = json_array();
    for (size_t i = 0; i < n; i++) {
        char eid[33], octets[2 * INTEROP_OCTETS + 1];
        static const struct eid none = { { 0 } };
        json_t *o = json_object();
        eid_print(&v[i].example, eid);
        slice_hex(slice_of(v[i].octets, v[i].noctets), false, octets);
        json_object_set_new(o, "maker", json_string(v[i].maker));
        json_object_set_new(o, "kind", json_string(interop_name(v[i].kind)));
        json_object_set_new(o, "message", json_string(v[i].message));
        json_object_set_new(o, "clause", json_string(interop_clause(v[i].kind)));
        json_object_set_new(o, "meaning", json_string(interop_meaning(v[i].kind)));
        json_object_set_new(o, "count", json_integer(v[i].count));
        jsonout_time(o, "first_at", v[i].first_us);
        jsonout_time(o, "last_at", v[i].last_us);
        json_object_set_new(o, "eid", memcmp(&v[i].example, &none, sizeof none) ? json_string(eid) : json_null());
        jsonout_int_unless(o, "offset", v[i].offset, -1);
        json_object_set_new(o, "octets", v[i].noctets ? json_string(octets) : json_null());
        json_array_append_new(items, o);
    }
    return rest_reply_json(c, json_pack("{s:o,s:I}", "items", items, "dropped", (json_int_t)dropped), e);
}
