/* event.c -- the one form of an event's line. */
#include "trust/event.h"

#include "base/json.h"

static const char head[] = "{\"type\":\"", eid_member[] = "\",\"eid\":\"";
enum { HEAD = sizeof head - 1, EID_MEMBER = sizeof eid_member - 1, DIGITS = 32, DETAIL_MAX = 500, PART_MAX = 300 };

static struct slice cut(struct slice s, size_t most)
{
    return s.n > most ? slice_of(s.p, most) : s;
}

static void put_parts(struct buf *b, const struct event *v)
{
    bool any = false;
    for (size_t i = 0; i < v->nparts; i++) {
        if (!v->parts[i].name) continue;
        buf_printf(b, any ? ",\"%s\":" : ",\"data\":{\"%s\":", v->parts[i].name);
        json_put_text(b, cut(v->parts[i].text, PART_MAX));
        any = true;
    }
    if (any) buf_str(b, "}");
}

static void put_line(struct buf *b, const struct event *v, int64_t id, int64_t at_us)
{
    char at[32], eid[DIGITS + 1];
    env_rfc3339(at_us, at);
    buf_printf(b, "%s%s", head, event_type_name(v->type));
    if (v->eid) {
        eid_print(v->eid, eid);
        buf_printf(b, "%s%s", eid_member, eid);
    }
    buf_printf(b, "\",\"id\":\"evt_%016llx\",\"at\":\"%s\"", (unsigned long long)id, at);
    if (v->operation) buf_printf(b, ",\"operation\":\"op_%016llx\"", (unsigned long long)v->operation);
    if (v->state) {
        buf_str(b, ",\"state\":");
        json_put_text(b, slice_str(v->state));
    }
    if (v->detail.n) {
        buf_str(b, ",\"detail\":");
        json_put_text(b, cut(v->detail, DETAIL_MAX));
    }
    put_parts(b, v);
    buf_str(b, "}\n");
}

void event_batch_begin(struct event_batch *b, struct env *env)
{
    *b = (struct event_batch){ .env = env };
    buf_init(&b->lines, EVENT_BATCH_MAX);
}

void event_batch_add(struct event_batch *b, const struct event *v)
{
    int64_t id = env_id(b->env);
    if (!b->id) b->id = id;
    b->tenant = v->tenant;
    size_t before = b->lines.n;
    put_line(&b->lines, v, id, b->env->now(b->env));
    if (b->lines.failed || b->lines.n - before <= EVENT_LINE_MAX) return;
    struct event less = *v;                        /* words that are mostly escapes: what happened matters more */
    less.detail = (struct slice){ 0 };
    less.nparts = 0;
    b->lines.n = before;
    put_line(&b->lines, &less, id, b->env->now(b->env));
}

enum eim_err event_batch_write(struct event_batch *b, struct tx *t, struct err *e)
{
    if (b->lines.failed) return fail(e, E_NOMEM, NULL, "no room for the events");
    return b->lines.n ? store_event_append(t, b->tenant, b->id, buf_slice(&b->lines), e) : OK;
}

void event_batch_free(struct event_batch *b)
{
    buf_free(&b->lines);
}

enum eim_err event_tell(struct tx *t, struct env *env, const struct event *v, struct err *e)
{
    struct event_batch b;
    event_batch_begin(&b, env);
    event_batch_add(&b, v);
    enum eim_err rc = event_batch_write(&b, t, e);
    event_batch_free(&b);
    return rc;
}

bool event_parse(struct slice line, struct slice *type, bool *has_eid, struct eid *eid)
{
    if (line.n < HEAD || memcmp(line.p, head, HEAD) != 0) return false;
    const uint8_t *from = line.p + HEAD, *end = memchr(from, '"', line.n - HEAD);
    if (!end) return false;
    *type = slice_of(from, (size_t)(end - from));
    size_t left = line.n - (size_t)(end - line.p);
    *has_eid = left > EID_MEMBER + DIGITS && !memcmp(end, eid_member, EID_MEMBER) && eid_parse(slice_of(end + EID_MEMBER, DIGITS), false, eid);
    return true;
}

void event_number(struct buf *out, struct slice line, int64_t seq)
{
    buf_printf(out, "{\"seq\":%lld,", (long long)seq);
    buf_put(out, line.n ? slice_of(line.p + 1, line.n - 1) : line);
}
