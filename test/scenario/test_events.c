/* test_events.c -- what a device's life leaves in the event log, and what writes nothing to it. */
#include "test/scenario/field.h"

#include "base/json.h"
#include "trust/feed.h"

#include <stdio.h>
#include <string.h>

static struct field f;
static struct gadget g;
static struct err e;
static struct arena a;
static int64_t after;

static int up(void **state)
{
    (void)state;
    after = 0;
    arena_init(&a, 16 << 20);
    field_open(&f);
    gadget_make(&g, &f, 51, true);
    return 0;
}

static int down(void **state)
{
    (void)state;
    gadget_free(&g);
    field_close(&f);
    arena_free(&a);
    return 0;
}

/* The new events, as "type" or "type=part" with one part that matters, a space after each. */
static const char *news(void)
{
    static char text[4096];
    struct feed_page page;
    size_t n = 0;
    text[0] = 0;
    assert_ok(feed_turn(&f.host, NULL, &e));
    assert_ok(feed_read(&f.host, &(struct feed_query){ .tenant = 1, .after = after, .limit = 1000 }, &page, &a, &e));
    for (size_t i = 0; i < page.n; i++) {
        json_t *o;
        assert_ok(json_read(page.v[i].line, 8192, &o, &e));
        const json_t *data = json_object_get(o, "data");
        const char *part = NULL;
        if (!part) part = json_string_value(json_object_get(data, "iccid"));
        if (!part) part = json_string_value(json_object_get(data, "network"));
        if (!part) part = json_string_value(json_object_get(data, "origin"));
        if (part && !strcmp(part, g.a)) part = "A";
        if (part && !strcmp(part, g.b)) part = "B";
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s ", json_string_value(json_object_get(o, "type")), part ? "=" : "", part ? part : "");
        const char *eid = json_string_value(json_object_get(o, "eid"));
        assert_string_equal(eid ? eid : "", g.eid);
        json_decref(o);
    }
    after = page.next;
    assert_int_equal(page.next, page.last);
    return text;
}

static void a_life_is_told_in_its_order(void **state)
{
    (void)state;
    assert_string_equal(news(), "device.enrolled ");
    gadget_settle(&g);
    const char *first = news();
    assert_non_null(strstr(first, "device.first_contact"));
    assert_non_null(strstr(first, "operation.sent=inventory "));
    assert_non_null(strstr(first, "operation.done=inventory profile.enabled=A "));
    int64_t op = gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    assert_string_equal(news(), "operation.created=api ");
    gadget_settle(&g);
    const char *then = news();
    assert_int_equal(gadget_state(&g, op), OP_DONE);
    const char *sent = strstr(then, "operation.sent=api "), *done = strstr(then, "operation.done=api "), *on = strstr(then, "profile.enabled=B ");
    assert_true(sent && done && on && sent < done && done < on);
    assert_null(strstr(then, "profile.enabled=A"));
}

static void a_poll_with_nothing_to_tell_writes_nothing(void **state)
{
    (void)state;
    gadget_settle(&g);
    news();
    for (int i = 0; i < 20; i++) {
        field_pass(&f, HOUR);
        gadget_contact(&g);
    }
    assert_string_equal(news(), "");
}

static void what_is_not_committed_is_not_told_and_a_restart_loses_nothing(void **state)
{
    (void)state;
    gadget_settle(&g);
    news();
    gadget_order(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"'B\",\"rollback\":true}}]}");
    gadget_try(&g, "{\"psmos\":[{\"enable\":{\"iccid\":\"12\"}}]}", E_INVALID);
    field_restart(&f);                             /* before anybody numbered it */
    assert_string_equal(news(), "operation.created=api ");
    f.lose_reply = 1;
    gadget_contact(&g);
    field_restart(&f);
    gadget_settle(&g);
    const char *then = news(), *sent = strstr(then, "operation.sent=api ");
    assert_non_null(sent);
    assert_null(strstr(sent + 1, "operation.sent=api "));      /* delivered twice, sent once */
    assert_non_null(strstr(then, "operation.done=api "));
}

static void the_timeline_outlives_the_device(void **state)
{
    struct feed_page page;
    struct eid eid;
    (void)state;
    gadget_settle(&g);
    assert_ok(manage_device_delete(f.eim, &f.admin, slice_str(g.eid), field_arena(&f), &e));
    assert_ok(feed_turn(&f.host, NULL, &e));
    assert_true(eid_parse(slice_str(g.eid), false, &eid));
    assert_ok(feed_timeline(&f.host, 1, &eid, 0, 100, &page, &a, &e));
    assert_true(page.n > 4);
    assert_non_null(memmem(page.v[0].line.p, page.v[0].line.n, "\"device.removed\"", 16));
    assert_non_null(memmem(page.v[page.n - 1].line.p, page.v[page.n - 1].line.n, "\"device.enrolled\"", 17));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life_is_told_in_its_order, up, down),
        cmocka_unit_test_setup_teardown(a_poll_with_nothing_to_tell_writes_nothing, up, down),
        cmocka_unit_test_setup_teardown(what_is_not_committed_is_not_told_and_a_restart_loses_nothing, up, down),
        cmocka_unit_test_setup_teardown(the_timeline_outlives_the_device, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
