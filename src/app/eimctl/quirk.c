/* quirk.c -- eimctl quirk: known deviations from the specification, and which devices have them. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

/* "a,b" as a JSON list. */
static json_t *names(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t n = strcspn(text, ",");
        if (n) json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    return list;
}

static void print_names(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) printf("%s%s", i ? "," : "", json_string_value(json_array_get(list, i)));
}

int quirk_list(struct ctl *c)
{
    json_t *o;
    int rc = api_json(c, "/v1/quirks", &(struct request){ .method = "GET" }, &o);
    if (rc != CTL_OK) return rc;
    if (c->json) {
        out_json(o);
        json_decref(o);
        return CTL_OK;
    }
    const json_t *known = json_object_get(o, "known"), *rules = json_object_get(o, "rules");
    for (size_t i = 0; i < json_array_size(known); i++) {
        json_t *q = json_array_get(known, i);
        printf("%-20s %s%s\n%20s -> %s (%s)\n", out_string(c, q, "name"), out_string(c, q, "deviation"),
               json_is_true(json_object_get(q, "learned")) ? " (learned from traffic)" : "", "", out_string(c, q, "remedy"), out_string(c, q, "clause"));
    }
    printf("%zu rules\n", json_array_size(rules));
    for (size_t i = 0; i < json_array_size(rules); i++) {
        json_t *r = json_array_get(rules, i);
        const char *maker = out_string(c, r, "maker"), *firmware = out_string(c, r, "firmware");
        const char *ipa = out_string(c, r, "ipa"), *note = out_string(c, r, "note");
        printf("  %s  EID %s*  firmware %s  ", out_string(c, r, "id"), maker ? maker : "", firmware ? firmware : "any");
        printf("IPA %s%s  ", ipa ? ipa : "any", ipa ? "*" : "");
        print_names(json_object_get(r, "quirks"));
        printf("%s%s\n", note ? "  " : "", note ? note : "");
    }
    json_decref(o);
    return CTL_OK;
}

int quirk_add(struct ctl *c)
{
    static const struct { const char *option, *member; } members[] = {
        { "--maker", "maker" }, { "--firmware", "firmware" }, { "--ipa", "ipa" }, { "--note", "note" },
    };
    json_t *made, *body = json_pack("{s:o}", "quirks", names(c->pos[0]));
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (ctl_option(c, members[i].option)) json_object_set_new(body, members[i].member, json_string(ctl_option(c, members[i].option)));
    int rc = api_post_json(c, body, &made, "/v1/quirks");
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(made);
    else printf("%s\n", out_string(c, made, "id"));
    json_decref(made);
    return CTL_OK;
}

int quirk_remove(struct ctl *c)
{
    json_t *none;
    int rc = api_send_json(c, "DELETE", NULL, &none, "/v1/quirks/%s", api_escape(c, c->pos[0]));
    json_decref(none);
    return rc;
}

/* What a person says of one device takes the place of what was said or learned before. */
int quirk_device(struct ctl *c)
{
    json_t *o, *body = json_pack("{s:o}", "quirks", names(c->npos > 1 ? c->pos[1] : ""));
    int rc = api_send_json(c, "PATCH", body, &o, "/v1/devices/%s", api_escape(c, c->pos[0]));
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else {
        printf("%s ", c->pos[0]);
        print_names(json_object_get(o, "quirks"));
        printf("%s\n", json_array_size(json_object_get(o, "quirks")) ? "" : "has no quirks");
    }
    json_decref(o);
    return CTL_OK;
}
