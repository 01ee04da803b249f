/* rest_event.c -- the event log by API: a page from a number on, and the timeline of one device (doc/events.md). */
#include "front/rest_int.h"

#include "base/buf.h"
#include "trust/event.h"
#include "trust/feed.h"

enum { PAGE_MAX = 16 << 20 };

static void put_items(struct buf *b, const struct feed_page *page)
{
    buf_str(b, "{\"items\":[");
    for (size_t i = 0; i < page->n; i++) {             /* the exact lines: they are JSON objects already */
        buf_str(b, i ? ",\n" : "\n");
        event_number(b, page->v[i].line, page->v[i].seq);
    }
    buf_str(b, "]");
}

static enum eim_err reply(struct rest_call *c, struct buf *b, struct err *e)
{
    c->reply = b->failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(b));
    buf_free(b);
    return c->reply.n ? OK : fail(e, E_NOMEM, NULL, "no memory for the answer");
}

enum eim_err rest_events(struct rest_call *c, struct err *e)
{
    struct feed_page page;
    struct buf b;
    const struct feed_query q = { .tenant = c->who.tenant, .after = c->after, .limit = c->limit, .eid = c->has_eid ? &c->eid : NULL, .types = &c->types };
    TRY(feed_turn(c->rest->c.host, NULL, e));          /* what has happened before the request is in the answer */
    TRY(feed_read(c->rest->c.host, &q, &page, c->arena, e));
    buf_init(&b, PAGE_MAX);
    put_items(&b, &page);
    buf_printf(&b, ",\"next\":%lld,\"first\":%lld,\"last\":%lld}", (long long)page.next, (long long)page.first, (long long)page.last);
    return reply(c, &b, e);
}

enum eim_err rest_device_timeline(struct rest_call *c, struct err *e)
{
    struct feed_page page;
    struct device_view view;
    struct eid eid;
    struct buf b;
    if (!eid_parse(c->params[0], false, &eid)) return fail_field(e, E_INVALID, NULL, "eid", "an EID has 32 digits");
    TRY(feed_turn(c->rest->c.host, NULL, e));
    TRY(feed_timeline(c->rest->c.host, c->who.tenant, &eid, c->cursor, c->limit, &page, c->arena, e));
    if (!page.n) TRY(manage_device(c->rest->c.eim, &c->who, c->params[0], &view, c->arena, e));        /* never heard of is not found */
    buf_init(&b, PAGE_MAX);
    put_items(&b, &page);
    if (page.next) buf_printf(&b, ",\"next\":\"%016llx\"}", (unsigned long long)page.next);
    else buf_str(&b, ",\"next\":null}");
    return reply(c, &b, e);
}
