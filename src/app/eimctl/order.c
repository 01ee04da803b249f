/* order.c -- the options of `operation create` as the JSON of an order. */
#include "app/eimctl/order.h"

#include <time.h>

#include "base/env.h"
#include "base/file.h"

/* One row an option: where its step goes, what the step is called, and which member takes the option's value. */
static const struct step {
    const char *option, *list, *op, *member;
} steps[] = {
    { "--enable", "psmos", "enable", "iccid" },
    { "--disable", "psmos", "disable", "iccid" },
    { "--delete", "psmos", "delete", "iccid" },
    { "--list", "psmos", "listProfileInfo", NULL },
    { "--rat", "psmos", "getRAT", NULL },
    { "--set-fallback", "psmos", "setFallbackAttribute", "iccid" },
    { "--unset-fallback", "psmos", "unsetFallbackAttribute", NULL },
    { "--default-dp", "psmos", "setDefaultDpAddress", "address" },
    { "--list-eim", "ecos", "listEim", NULL },
    { "--delete-eim", "ecos", "deleteEim", "eim_id" },
};

static json_t *list_of(json_t *order, const char *name)
{
    json_t *list = json_object_get(order, name);
    if (!list) json_object_set_new(order, name, list = json_array());
    return list;
}

/* --rollback belongs to the enable right before it. */
static int add_rollback(struct ctl *c, json_t *order)
{
    const json_t *psmos = json_object_get(order, "psmos");
    json_t *enable = json_object_get(json_array_get(psmos, json_array_size(psmos) - 1), "enable");
    if (!json_array_size(psmos) || !enable) return ctl_fail(c, CTL_USAGE, "--rollback: it goes behind an --enable");
    json_object_set_new(enable, "rollback", json_true());
    return CTL_OK;
}

static int add_value(struct ctl *c, json_t *list, const char *op, const char *option, const char *text, bool object)
{
    struct err e = { 0 };
    json_t *v;
    if (json_read(slice_str(text), CTL_TEXT_MAX, &v, &e) != OK) return ctl_fail(c, CTL_USAGE, "%s: %s", option, e.why);
    if (object ? json_is_object(v) : json_is_array(v)) {
        if (object) json_array_append_new(list, json_pack("{s:o}", op, v));
        else json_array_extend(list, v);
        if (!object) json_decref(v);
        return CTL_OK;
    }
    json_decref(v);
    return ctl_fail(c, CTL_USAGE, "%s: it takes a JSON %s", option, object ? "object" : "array of operations");
}

/* The activation code comes from a file: a command line can be read by everybody on the machine. */
static int add_download(struct ctl *c, json_t *order, const char *from)
{
    uint8_t code[512];
    size_t n = 0;
    struct err e = { 0 };
    json_t *download = NULL;
    if (strcmp(from, "default-smdp") == 0) download = json_pack("{s:b}", "default_smdp", 1);
    else if (strcmp(from, "smds") == 0) download = json_pack("{s:b}", "smds", 1);
    else if (strncmp(from, "smds=", 5) == 0) download = json_pack("{s:s}", "smds", from + 5);
    else if (strncmp(from, "pool=", 5) == 0) {
        const char *slash = strchr(from, '/');
        if (!slash) return ctl_fail(c, CTL_USAGE, "--download: pool=OPERATOR/PROFILETYPE is needed");
        download = json_pack("{s:s%,s:s}", "operator", from + 5, (size_t)(slash - from) - 5, "profile_type", slash + 1);
    } else {
        if (file_read(from, false, code, sizeof code, &n, &e) != OK) return ctl_fail(c, CTL_USAGE, "--download: %s", e.why);
        while (n && code[n - 1] <= ' ') n--;
        download = json_pack("{s:s%}", "activation_code", (const char *)code, n);
    }
    if (!download) return ctl_fail(c, CTL_USAGE, "--download: not UTF-8");
    json_object_set_new(order, "download", download);
    return CTL_OK;
}

int order_confirmation(struct ctl *c, json_t *to, const char *from)
{
    uint8_t code[512];
    size_t n = 0;
    struct err e = { 0 };
    if (file_read(from, false, code, sizeof code, &n, &e) != OK) return ctl_fail(c, CTL_USAGE, "--confirmation: %s", e.why);
    while (n && code[n - 1] <= ' ') n--;
    if (json_object_set_new(to, "confirmation_code", json_stringn((const char *)code, n)) != 0)
        return ctl_fail(c, CTL_USAGE, "--confirmation: not UTF-8");
    return CTL_OK;
}

/* So does the confirmation code, which belongs to the --download before it. */
static int add_confirmation(struct ctl *c, json_t *order, const char *from)
{
    json_t *download = json_object_get(order, "download");
    return download ? order_confirmation(c, download, from) : ctl_fail(c, CTL_USAGE, "--confirmation: it belongs to a --download before it");
}

/* "a,b" as ["a","b"]; nothing as []. */
static json_t *words(struct ctl *c, const char *text)
{
    json_t *list = json_array();
    char *copy = arena_str(&c->arena, slice_str(text)), *save = NULL;
    for (char *w = copy ? strtok_r(copy, ",", &save) : NULL; w; w = strtok_r(NULL, ",", &save)) json_array_append_new(list, json_string(w));
    return list;
}

/* NAME=VALUE of what the profile needs: a number for memory, a version for the others. */
static int add_requirement(struct ctl *c, json_t *order, const char *text)
{
    const char *eq = strchr(text, '=');
    int64_t n;
    if (!eq) return ctl_fail(c, CTL_USAGE, "--requires: NAME=VALUE is needed");
    char *name = arena_str(&c->arena, slice_of(text, (size_t)(eq - text)));
    json_t *needs = json_object_get(order, "requires");
    if (!name) return ctl_fail(c, CTL_REFUSED, "out of memory");
    if (!needs) {
        needs = json_object();
        json_object_set_new(order, "requires", needs);
    }
    bool number = strcmp(name, "iccid") != 0 && ctl_digits(eq + 1, INT64_MAX, &n);
    json_t *value = !strcmp(name, "policy_rules") ? words(c, eq + 1) : number ? json_integer(n) : json_string(eq + 1);
    return json_object_set_new(needs, name, value) == 0 ? CTL_OK : ctl_fail(c, CTL_USAGE, "--requires: not UTF-8");
}

static int add_step(struct ctl *c, json_t *order, const struct given *g)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (strcmp(steps[i].option, g->name) != 0) continue;
        json_t *body = steps[i].member ? json_pack("{s:s}", steps[i].member, g->value) : json_object();
        if (!body) return ctl_fail(c, CTL_USAGE, "%s: not UTF-8", g->name);
        json_array_append_new(list_of(order, steps[i].list), json_pack("{s:o}", steps[i].op, body));
        return CTL_OK;
    }
    if (strcmp(g->name, "--rollback") == 0) return add_rollback(c, order);
    if (strcmp(g->name, "--immediate-enable") == 0)
        return add_value(c, list_of(order, "psmos"), "configureImmediateEnable", g->name, g->value, true);
    if (strcmp(g->name, "--download") == 0) return add_download(c, order, g->value);
    if (strcmp(g->name, "--confirmation") == 0) return add_confirmation(c, order, g->value);
    if (strcmp(g->name, "--requires") == 0) return add_requirement(c, order, g->value);
    if (strcmp(g->name, "--psmos") == 0) return add_value(c, list_of(order, "psmos"), NULL, g->name, g->value, false);
    if (strcmp(g->name, "--ecos") == 0) return add_value(c, list_of(order, "ecos"), NULL, g->name, g->value, false);
    if (strcmp(g->name, "--override") == 0 && json_array_append_new(list_of(order, "override"), json_string(g->value)) != 0)
        return ctl_fail(c, CTL_USAGE, "--override: not UTF-8");
    return CTL_OK;
}

int order_expiry(struct ctl *c, json_t *order, const char *when)
{
    struct env env;
    char text[32];
    int64_t us;
    env_real(&env);
    if (ctl_duration(when, &us)) us += env.now(&env);
    else if (env_parse_rfc3339(when, &us) != 0)
        return ctl_fail(c, CTL_USAGE,
                        "--expires: neither a duration (90s, 15m, 12h, 7d) nor a time (2026-12-01T00:00:00Z): %s", when);
    env_rfc3339(us, text);
    json_object_set_new(order, "expires_at", json_string(text));
    return CTL_OK;
}

int order_from_options(struct ctl *c, json_t **out)
{
    json_t *order = json_object();
    int rc = CTL_OK;
    for (size_t i = 0; i < c->nopt && rc == CTL_OK; i++) rc = add_step(c, order, &c->opt[i]);
    bool psmos = json_array_size(json_object_get(order, "psmos")) > 0,
         ecos = json_array_size(json_object_get(order, "ecos")) > 0, download = json_object_get(order, "download") != NULL;
    if (rc == CTL_OK && download && (psmos || ecos))
        rc = ctl_fail(c, CTL_USAGE, "operation create: a download is no part of an eUICC package");
    if (rc == CTL_OK && !psmos && !ecos && !download) rc = ctl_fail(c, CTL_USAGE, "operation create: nothing is ordered (see --help)");
    if (rc == CTL_OK && psmos && ecos)
        rc = ctl_fail(c, CTL_USAGE, "operation create: PSMOs and eCOs cannot go into one package (SGP.32 2.11.1.1)");
    if (rc == CTL_OK && ctl_flag(c, "--expires")) rc = order_expiry(c, order, ctl_option(c, "--expires"));
    if (rc != CTL_OK) json_decref(order);
    *out = rc == CTL_OK ? order : NULL;
    return rc;
}
