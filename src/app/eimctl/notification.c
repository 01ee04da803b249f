/* notification.c -- notifications on their way to an SM-DP+: listed, shown, sent again, dropped. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

/* "notificationInstall" and its like, without what all begin with; several with commas between. */
static const char *events_text(struct ctl *c, const json_t *o)
{
    static const char common[] = "notification";
    const char *all = "";
    size_t i;
    json_t *v;
    json_array_foreach(out_member(o, "events"), i, v) {
        const char *name = json_string_value(v);
        if (!name) continue;
        if (strncmp(name, common, sizeof common - 1) == 0) name += sizeof common - 1;
        all = arena_printf(&c->page, "%s%s%s", all, i ? "," : "", name);
        if (!all) return NULL;
    }
    return *all ? all : NULL;
}

static void show_list(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        if (c->json) out_json(o);
        else
            table_row(t, (const char *[]){ out_string(c, o, "id"), out_string(c, o, "eid"), out_string(c, o, "sequence"), events_text(c, o),
                                           out_string(c, o, "state"), out_string(c, o, "address"), out_string(c, o, "tries"),
                                           out_time(c, o, "next_try_at"), out_string(c, o, "why") });
    }
    if (!c->json) table_print(t);
}

int notification_list(struct ctl *c)
{
    static const char *const head[] = { "NOTIFICATION", "EID", "SEQ", "EVENTS", "STATE", "ADDRESS", "TRIES", "NEXT TRY", "WHY", NULL };
    const char *state = ctl_option(c, "--state");
    struct table t;
    char *query = state ? arena_printf(&c->arena, "state=%s", api_escape(c, state)) : arena_printf(&c->arena, "%s", "");
    if (!query || !table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, "/v1/notifications", query, show_list, &t);
}

int notification_show(struct ctl *c)
{
    static const struct { const char *name, *path; bool time; } facts[] = {
        { "notification", "id", false }, { "EID", "eid", false }, { "sequence number", "sequence", false }, { "ICCID", "iccid", false },
        { "state", "state", false }, { "why", "why", false }, { "address", "address", false }, { "received", "received_at", true },
        { "tries", "tries", false }, { "next try", "next_try_at", true }, { "ended", "ended_at", true },
    };
    json_t *o;
    int rc = api_get(c, &o, "/v1/notifications/%s", api_escape(c, c->pos[0]));
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else {
        for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
            out_fact(facts[i].name, facts[i].time ? out_time(c, o, facts[i].path) : out_string(c, o, facts[i].path));
        out_fact("events", events_text(c, o));
    }
    json_decref(o);
    return CTL_OK;
}

static int change(struct ctl *c, const char *what)
{
    json_t *o;
    int rc = api_post_json(c, NULL, &o, "/v1/notifications/%s/%s", api_escape(c, c->pos[0]), what);
    if (rc != CTL_OK) return rc;
    if (c->json) out_json(o);
    else printf("%s %s\n", out_string(c, o, "id"), out_string(c, o, "state"));
    json_decref(o);
    return CTL_OK;
}

int notification_retry(struct ctl *c)
{
    return change(c, "retry");
}

int notification_drop(struct ctl *c)
{
    return change(c, "drop");
}
