/* event.c -- eimctl events and device timeline: the event log as lines, for people or (--json) for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app/eimctl/api.h"
#include "app/eimctl/out.h"

enum { PAUSE_S = 1, TRIES = 60 };

/* The members of "data", one after the other. */
static void put_data(const json_t *data)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)data, name, v) {
        printf("  %s=", name);
        out_text(stdout, json_slice(v));
    }
}

static void put_event(struct ctl *c, const json_t *o)
{
    static const char *const members[] = { "type", "eid", "operation", "state" };
    if (c->json) {
        out_json(o);
        return;
    }
    printf("%-8" JSON_INTEGER_FORMAT " %s", json_integer_value(json_object_get(o, "seq")), out_time(c, o, "at"));
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *s = out_string(c, o, members[i]);
        if (!s) continue;
        printf("  ");
        out_text(stdout, slice_str(s));
    }
    put_data(json_object_get(o, "data"));
    const char *detail = out_string(c, o, "detail");
    if (detail) {
        printf("  (");
        out_text(stdout, slice_str(detail));
        printf(")");
    }
    printf("\n");
}

static void put_events(struct ctl *c, const json_t *items, void *arg)
{
    size_t i;
    json_t *o;
    (void)arg;
    json_array_foreach(items, i, o) put_event(c, o);
}

/* ---- events ---- */

struct reading { int64_t after, last; int64_t left; /* events that may still be printed, -1: any number */ };

static int page(struct ctl *c, struct reading *r, const char *query)
{
    json_t *o;
    int64_t limit = r->left < 0 || r->left > API_PAGE ? API_PAGE : r->left;
    arena_reset(&c->page);
    int rc = api_get(c, &o, "/v1/events?limit=%" PRId64 "&after=%" PRId64 "%s", limit, r->after, query);
    if (rc != CTL_OK) return rc;
    const json_t *items = json_object_get(o, "items");
    put_events(c, items, NULL);
    if (r->left > 0) r->left -= (int64_t)json_array_size(items);
    r->after = json_integer_value(json_object_get(o, "next"));
    r->last = json_integer_value(json_object_get(o, "last"));
    json_decref(o);
    return CTL_OK;
}

/* Where to begin: as told, else so far from the end as events are wanted, else at the oldest. */
static int begin(struct ctl *c, struct reading *r, bool follow)
{
    const char *after = ctl_option(c, "--after");
    json_t *o;
    if (after && !ctl_digits(after, INT64_C(1) << 53, &r->after)) return ctl_fail(c, CTL_USAGE, "--after takes the number of an event");
    int rc = api_get(c, &o, "/v1/events?limit=1");
    if (rc != CTL_OK) return rc;
    int64_t first = json_integer_value(json_object_get(o, "first"));
    r->last = json_integer_value(json_object_get(o, "last"));
    json_decref(o);
    if (after || ctl_flag(c, "--all")) return CTL_OK;
    r->after = follow && !ctl_option(c, "--limit") ? r->last : r->last - r->left;
    if (r->after < first - 1) r->after = first - 1;
    return CTL_OK;
}

static const char *filter(struct ctl *c)
{
    const char *type = ctl_option(c, "--type"), *eid = ctl_option(c, "--eid");
    char *q = arena_printf(&c->arena, "%s%s%s%s", type ? "&type=" : "", type ? api_escape(c, type) : "", eid ? "&eid=" : "", eid ? api_escape(c, eid) : "");
    return q ? q : "";
}

/* A server that is away or busy for a while is waited for: nothing is lost, the log is where it was. */
static int follow_on(struct ctl *c, struct reading *r, const char *query)
{
    int rc = CTL_OK, tries = 0;
    r->left = -1;
    for (;;) {
        rc = page(c, r, query);
        if (rc != CTL_OK && (rc != CTL_UNREACHABLE || ++tries > TRIES)) return rc;
        if (rc == CTL_OK) tries = 0;
        if (fflush(stdout) != 0) return CTL_OK;        /* whoever read has gone */
        if (rc != CTL_OK || r->after >= r->last) sleep(PAUSE_S);
    }
}

int event_list(struct ctl *c)
{
    struct reading r = { 0 };
    bool follow = ctl_flag(c, "--follow"), all = ctl_flag(c, "--all");
    const char *query = filter(c);
    int rc = ctl_number(c, "--limit", 1, 1000000000, 100, &r.left);
    if (rc == CTL_OK) rc = begin(c, &r, follow);
    if (all) r.left = -1;
    bool any = r.after < r.last;
    while (rc == CTL_OK && any && r.left != 0) {
        rc = page(c, &r, query);
        any = r.after < r.last;
    }
    if (rc == CTL_OK && any && !follow) fprintf(stderr, "more: --after %" PRId64 "\n", r.after);
    return rc == CTL_OK && follow ? follow_on(c, &r, query) : rc;
}

int device_timeline(struct ctl *c)
{
    const char *path = arena_printf(&c->arena, "/v1/devices/%s/timeline", api_escape(c, c->pos[0]));
    if (!path) return ctl_fail(c, CTL_REFUSED, "out of memory");
    return api_list(c, path, "", put_events, NULL);
}
