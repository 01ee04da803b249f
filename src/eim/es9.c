/* es9.c -- one ES9+' exchange: header object, base64 members, functionExecutionStatus (SGP.22 5.6, 6.5; spec 4.5, 6.40). */
#include "eim/es9.h"

#include "base/json.h"
#include "base/outbound.h"

#include <stdio.h>

enum { TRANSACTION_MAX = 16, WHY_MAX = 160 };

/* ---- the question ---- */

static json_t *value_json(struct slice v, int as, struct arena *a)
{
    if (as == ES9_TRUE || as == ES9_FALSE) return json_boolean(as == ES9_TRUE);
    if (as == ES9_TEXT) return json_stringn((const char *)v.p, v.n);
    char *text = arena_alloc(a, as == ES9_HEX ? 2 * v.n + 1 : 4 * ((v.n + 2) / 3) + 1);
    if (!text) return NULL;
    if (as == ES9_HEX) slice_hex(v, true, text);
    else slice_to_b64(v, text);
    return json_string(text);
}

static struct slice question(const struct es9 *c, const char *requester, const char *call, struct arena *a)
{
    json_t *o = json_pack("{s:{s:s, s:s}}", "header", "functionRequesterIdentifier", requester, "functionCallIdentifier", call);
    bool good = o != NULL;
    for (size_t i = 0; good && i < ES9_IN && c->in[i].name; i++)
        good = json_object_set_new(o, c->in[i].name, value_json(c->in[i].value, (int)c->in[i].as, a)) == 0;
    char *text = arena_alloc(a, ES9_SMALL);
    size_t n = good && text ? json_dumpb(o, text, ES9_SMALL, JSON_COMPACT) : 0;
    json_decref(o);
    return n && n <= ES9_SMALL ? slice_of(text, n) : (struct slice){ 0 };
}

/* ---- the answer ---- */

static bool b64_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

static size_t blanks(struct slice s, size_t at)
{
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t' || s.p[at] == '\r' || s.p[at] == '\n')) at++;
    return at;
}

/* A profile package is most of its reply: its text is cut out before a parser makes copies of it, and becomes octets where it stands. What is
 * left of the reply is `*rest`, with an empty text in its place. */
static bool cut_large(struct slice body, const char *name, struct slice *value, struct slice *rest, struct arena *a)
{
    char key[64];
    int n = snprintf(key, sizeof key, "\"%s\"", name);
    uint8_t *p = (uint8_t *)(uintptr_t)body.p;     /* ours: the caller says that it may change */
    const uint8_t *found = n > 0 && (size_t)n < sizeof key ? memmem(body.p, body.n, key, (size_t)n) : NULL;
    *value = (struct slice){ 0 };
    *rest = body;
    if (!found) return true;
    size_t at = blanks(body, (size_t)(found - body.p) + (size_t)n);
    if (at >= body.n || body.p[at] != ':') return true;
    at = blanks(body, at + 1);
    if (at >= body.n || body.p[at] != '"') return true;
    size_t from = ++at, to = from;
    for (; at < body.n && body.p[at] != '"'; at++) {
        if (body.p[at] == '\\' && at + 1 < body.n && body.p[at + 1] == '/') continue;            /* "\/" */
        if (!b64_char(body.p[at])) return false;
        p[to++] = body.p[at];
    }
    if (at >= body.n || from + (body.n - at) > ES9_SMALL) return false;
    uint8_t *small = arena_alloc(a, from + (body.n - at));
    if (!small) return false;
    memcpy(small, body.p, from);
    memcpy(small + from, body.p + at, body.n - at);
    *rest = slice_of(small, from + (body.n - at));
    long octets = slice_from_b64(slice_of(p + from, to - from), p + from, to - from);
    if (octets <= 0) return false;
    *value = slice_of(p + from, (size_t)octets);
    return true;
}

static void code_text(const json_t *v, char out[16])
{
    struct slice s = json_slice(v);
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 1 < 16; i++)
        if ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.') out[n++] = (char)s.p[i];
    out[n] = 0;
}

static enum eim_err status_of(struct es9 *c, const json_t *o, struct err *e)
{
    const json_t *status = json_object_get(json_object_get(o, "header"), "functionExecutionStatus");
    struct slice word = json_slice(json_object_get(status, "status"));
    if (slice_eq(word, SLICE("Executed-Success")) || slice_eq(word, SLICE("Executed-WithWarning"))) return OK;
    if (!slice_eq(word, SLICE("Failed")) && !slice_eq(word, SLICE("Expired")))
        return fail_field(e, E_MALFORMED, "SGP.22 5.2.6", "header.functionExecutionStatus", "the SM-DP+ does not say what became of it");
    const json_t *data = json_object_get(status, "statusCodeData");
    code_text(json_object_get(data, "subjectCode"), c->subject);
    code_text(json_object_get(data, "reasonCode"), c->reason);
    c->refused = true;
    return fail(e, E_STATE, "SGP.22 5.2.6", "the SM-DP+ refuses it: subject %s, reason %s", c->subject[0] ? c->subject : "?", c->reason[0] ? c->reason : "?");
}

static enum eim_err member(struct es9 *c, size_t i, const json_t *o, struct arena *a, struct err *e)
{
    const json_t *v = json_object_get(o, c->out[i].name);
    struct slice text = json_slice(v), *to = &c->out[i].value;
    if (to->p) return OK;                          /* it was cut out before */
    if (!text.n && !c->out[i].needed) return OK;
    if (!text.n) return fail_field(e, E_MALFORMED, "SGP.22 6.5.2", c->out[i].name, "is missing in the SM-DP+'s answer");
    uint8_t *p = arena_alloc(a, text.n);
    if (!p) return fail(e, E_NOMEM, NULL, "no room for an answer");
    long n = (long)text.n;
    if (c->out[i].text) memcpy(p, text.p, text.n);
    else n = slice_from_b64(text, p, text.n);
    if (n <= 0) return fail_field(e, E_MALFORMED, "SGP.22 6.5.2", c->out[i].name, "is no base64 in the SM-DP+'s answer");
    *to = slice_of(p, (size_t)n);
    return OK;
}

/* The first of an SM-DS's events; the others are still there when that one is dealt with (SGP.22 5.8.2). */
static enum eim_err first_event(struct es9 *c, const json_t *entries, struct arena *a, struct err *e)
{
    const json_t *one = json_array_get(entries, 0);
    c->events = true;
    if (!one) return OK;
    struct slice server = json_slice(json_object_get(one, "rspServerAddress")), id = json_slice(json_object_get(one, "eventId"));
    if (!server.n || !id.n) return fail_field(e, E_MALFORMED, "SGP.22 5.8.2", "eventEntries", "names no rspServerAddress or no eventId");
    c->event_server = arena_copy(a, server);
    c->event_id = arena_copy(a, id);
    return c->event_server.p && c->event_id.p ? OK : fail(e, E_NOMEM, NULL, "no room for an answer");
}

static enum eim_err members(struct es9 *c, const json_t *o, struct arena *a, struct err *e)
{
    if (!json_is_object(o)) return fail(e, E_MALFORMED, "SGP.22 6.5.2", "the SM-DP+'s answer is no JSON object");
    TRY(status_of(c, o, e));
    struct slice hex = json_slice(json_object_get(o, "transactionId"));
    uint8_t *id = arena_alloc(a, TRANSACTION_MAX);
    if (!id) return fail(e, E_NOMEM, NULL, "no room for an answer");
    long n = hex.n ? slice_unhex(hex, id, TRANSACTION_MAX) : 0;
    if (n < 0) return fail_field(e, E_MALFORMED, "SGP.22 6.5.2", "transactionId", "is not hexadecimal, or too long, in the SM-DP+'s answer");
    c->transaction = slice_of(id, (size_t)n);
    const json_t *entries = c->may_be_smds ? json_object_get(o, "eventEntries") : NULL;
    if (json_is_array(entries)) return first_event(c, entries, a, e);
    for (size_t i = 0; i < ES9_OUT && c->out[i].name; i++) TRY(member(c, i, o, a, e));
    return OK;
}

enum eim_err es9_read(struct es9 *c, struct slice *body, struct arena *a, struct err *e)
{
    struct slice rest = *body;
    json_t *o;
    if (c->large && !cut_large(*body, c->out[0].name, &c->out[0].value, &rest, a))
        return fail_field(e, E_MALFORMED, "SGP.22 6.5.2", c->out[0].name, "is no base64 in the SM-DP+'s answer");
    TRY(json_read(rest, ES9_SMALL, &o, e));
    enum eim_err rc = members(c, o, a, e);
    json_decref(o);
    return rc;
}

/* Words of a library or a peer, made fit for a text column. */
static const char *plain(const char *why, struct arena *a)
{
    char *copy = arena_str(a, slice_of(why, strnlen(why, WHY_MAX)));
    for (char *p = copy; p && *p; p++)
        if (*p < 0x20 || *p > 0x7e) *p = '?';
    return copy ? copy : "no room for the reason";
}

static enum eim_err exchange(struct es9 *c, struct outbound *o, const struct listed *to, const struct identity *id, const char *call,
                             struct arena *a, struct err *e)
{
    const char *headers[LISTED_HEADERS], *requester = arena_str(a, listed_requester(to, id));
    struct slice es2 = to->account.es2_url;
    while (c->path && es2.n && es2.p[es2.n - 1] == '/') es2.n--;
    struct outbound_request q = { .method = "POST", .sent = &c->sent,
                                  .url = c->path ? arena_printf(a, "%.*s/gsma/rsp2/%s/%s", (int)es2.n, (const char *)es2.p, c->path, c->function)
                                                 : arena_printf(a, "https://%s/gsma/rsp2/es9plus/%s", to->host, c->function),
                                  .reply_max = c->large ? ES9_LARGE : ES9_SMALL };
    int status = 0;
    if (!q.url || !requester || !listed_fill(to, &q, headers, a)) return fail(e, E_NOMEM, NULL, "no room for the request");
    if (c->path && to->account.es2_credential.n && !(q.credential = arena_str(a, to->account.es2_credential)))
        return fail(e, E_NOMEM, NULL, "no room for the request");
    q.body = question(c, requester, call, a);
    if (!q.body.p) return fail(e, E_TOO_LARGE, NULL, "no room for the request");
    enum eim_err rc = o->request(o, &q, &status, &c->reply, e);
    c->silent = rc != OK || status >= 500;
    if (rc != OK) return rc;
    if (status != 200) return fail(e, E_IO, NULL, "the SM-DP+ answers %d", status);
    struct slice body = buf_slice(&c->reply);
    return es9_read(c, &body, a, e);
}

enum eim_err es9_call(struct es9 *c, struct outbound *o, const struct listed *to, const struct identity *id, const char *call, struct arena *a,
                      struct err *e)
{
    buf_init(&c->reply, c->large ? ES9_LARGE : ES9_SMALL);
    enum eim_err rc = exchange(c, o, to, id, call, a, e);
    if (rc != OK) c->why = plain(e->why, a);
    return rc;
}

void es9_end(struct es9 *c)
{
    buf_free(&c->reply);
}
