/* problem.c -- struct err to application/problem+json. */
#include "front/problem.h"

#include "base/json.h"
#include "front/jsonout.h"

#include <stdio.h>

/* told -- may a stranger read why? Troubles of our own machinery name paths, hosts and drivers: those are for the log. */
static bool told(enum eim_err code)
{
    return err_status(code) < 500 || code == E_BUSY;
}

struct slice problem_json(const struct err *e, struct arena *a)
{
    char type[64];
    snprintf(type, sizeof type, "urn:eimd:%s", err_name(e->code));
    json_t *o = json_pack("{s:s, s:s, s:i}", "type", type, "title", err_title(e->code), "status", err_status(e->code));
    jsonout_text(o, "detail", slice_str(e->why[0] && told(e->code) ? e->why : err_title(e->code)));
    jsonout_text(o, "code", slice_str(err_name(e->code)));
    if (e->field[0]) jsonout_text(o, "field", slice_str(e->field));
    if (e->clause) jsonout_text(o, "clause", slice_str(e->clause));
    struct slice text = jsonout_dump(o, a);
    json_decref(o);
    return text;
}
