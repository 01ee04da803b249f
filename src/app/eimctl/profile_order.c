/* profile_order.c -- eimctl order: a profile of an operator on a device, whoever fills it. */
#include <stdio.h>

#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/order.h"
#include "app/eimctl/out.h"

static void show_list(struct ctl *c, const json_t *items, void *arg)
{
    struct table *t = arg;
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        if (c->json) out_json(o);
        else
            table_row(t, (const char *[]){ out_string(c, o, "id"), out_string(c, o, "eid"), out_string(c, o, "operator"), out_string(c, o, "profile_type"),
                                           out_string(c, o, "by"), out_string(c, o, "state"), out_string(c, o, "cause") });
    }
    if (!c->json) table_print(t);
}

int porder_list(struct ctl *c)
{
    static const char *const head[] = { "ORDER", "EID", "OPERATOR", "PROFILE TYPE", "BY", "STATE", "CAUSE", NULL };
    struct table t;
    if (!table_init(&t, c, API_PAGE, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, "/v1/profile-orders", "", show_list, &t);
}

static int show(struct ctl *c, json_t *o)
{
    static const char *const names[] = { "eid", "operator", "profile_type", "state", "cause", "by", "smdp_account", "iccid",
                                         "smdp_notified.status", "smdp_notified.elsewhere", "smdp_notified.at", "operation", "download",
                                         "created_at", "changed_at" };
    if (c->json) out_json(o);
    else {
        out_fact("order", out_string(c, o, "id"));
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) out_fact(names[i], out_string(c, o, names[i]));
    }
    json_decref(o);
    return CTL_OK;
}

int porder_add(struct ctl *c)
{
    json_t *made;
    json_t *order = json_pack("{s:s,s:s,s:s}", "eid", c->pos[0], "operator", c->pos[1], "profile_type", c->pos[2]);
    const char *from = ctl_option(c, "--confirmation");
    int rc = from ? order_confirmation(c, order, from) : CTL_OK;
    if (rc != CTL_OK) {
        json_decref(order);
        return rc;
    }
    rc = api_post_json(c, order, &made, "/v1/profile-orders");
    return rc == CTL_OK ? show(c, made) : rc;
}

int porder_show(struct ctl *c)
{
    json_t *o;
    int rc = api_get(c, &o, "/v1/profile-orders/%s", api_escape(c, c->pos[0]));
    return rc == CTL_OK ? show(c, o) : rc;
}

static int decide(struct ctl *c, const char *what)
{
    json_t *o;
    int rc = api_post_json(c, NULL, &o, "/v1/profile-orders/%s/%s", api_escape(c, c->pos[0]), what);
    return rc == CTL_OK ? show(c, o) : rc;
}

int porder_cancel(struct ctl *c)
{
    return decide(c, "cancel");
}

int porder_retry(struct ctl *c)
{
    return decide(c, "retry");
}
