/* rest_audit.c -- the audit log by API: lines, signed tree heads, proofs. */
#include "front/rest_int.h"

#include "base/buf.h"
#include "trust/log.h"

#include <stdio.h>

enum { PAGE_MAX = 16 << 20 };

/* What has happened before the request is in the answer: what waits is sequenced first. */
static enum eim_err fresh(struct rest_call *c, struct err *e)
{
    return audit_log_turn(c->rest->c.audit, NULL, e);
}

static enum eim_err reply_buf(struct rest_call *c, struct buf *b, struct err *e)
{
    c->reply = b->failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(b));
    bool failed = b->failed || (b->n && !c->reply.n);
    buf_free(b);
    return failed ? fail(e, E_NOMEM, NULL, "no memory for the answer") : OK;
}

enum eim_err rest_audit(struct rest_call *c, struct err *e)
{
    struct audit_lines lines;
    TRY(fresh(c, e));
    TRY(audit_log_read(c->rest->c.audit, c->who.tenant, (uint64_t)c->cursor, c->limit, &lines, c->arena, e));
    struct buf b;
    buf_init(&b, PAGE_MAX);
    buf_str(&b, "{\"items\":[");
    for (size_t i = 0; i < lines.n; i++) {             /* the exact lines: they are JSON objects already */
        buf_str(&b, i ? ",\n" : "\n");
        buf_put(&b, lines.v[i]);
    }
    if (lines.n == c->limit) buf_printf(&b, "],\"next\":\"%016llx\"}", (unsigned long long)((uint64_t)c->cursor + lines.n));
    else buf_str(&b, "],\"next\":null}");
    return reply_buf(c, &b, e);
}

enum eim_err rest_audit_key(struct rest_call *c, struct err *e)
{
    const struct audit_log *l = c->rest->c.audit;
    return rest_reply_json(c, json_pack("{s:s}", "key", note_signer_key(l->signer)), e);
}

enum eim_err rest_audit_head(struct rest_call *c, struct err *e)
{
    struct audit_head head;
    TRY(fresh(c, e));
    TRY(audit_log_head(c->rest->c.audit, c->who.tenant, &head, c->arena, e));
    c->content_type = "text/plain; charset=utf-8";
    c->reply = head.note;
    return OK;
}

static enum eim_err number(const struct rest_call *c, const char *name, uint64_t *out, struct err *e)
{
    struct slice s = c->params[0];
    *out = 0;
    bool good = s.n && s.n <= 15;
    for (size_t i = 0; good && i < s.n; i++) {
        good = s.p[i] >= '0' && s.p[i] <= '9';
        *out = *out * 10 + (uint64_t)(s.p[i] - '0');
    }
    return good ? OK : fail_field(e, E_INVALID, NULL, name, "a number of up to 15 digits stands here");
}

enum eim_err rest_audit_lines(struct rest_call *c, struct err *e)
{
    struct audit_lines lines;
    uint64_t from;
    TRY(number(c, "number", &from, e));
    TRY(fresh(c, e));
    TRY(audit_log_read(c->rest->c.audit, c->who.tenant, from, AUDIT_LINES_MAX, &lines, c->arena, e));
    struct buf b;
    buf_init(&b, PAGE_MAX);
    for (size_t i = 0; i < lines.n; i++) {
        buf_put(&b, lines.v[i]);
        buf_str(&b, "\n");
    }
    c->content_type = "application/jsonl";
    return reply_buf(c, &b, e);
}

static json_t *hashes(const struct merkle_proof *p)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n; i++) {
        char hex[2 * MERKLE_HASH + 1];
        slice_hex(slice_of(p->h[i].b, MERKLE_HASH), false, hex);
        json_array_append_new(list, json_string(hex));
    }
    return list;
}

static json_t *proven(const char *name, uint64_t n, const struct merkle_proof *proof, const struct audit_head *head)
{
    json_t *o = json_pack("{s:I}", name, (json_int_t)n);
    json_object_set_new(o, "size", json_integer((json_int_t)head->size));
    json_object_set_new(o, "proof", hashes(proof));
    jsonout_text(o, "head", head->note);
    return o;
}

enum eim_err rest_audit_inclusion(struct rest_call *c, struct err *e)
{
    struct merkle_proof proof;
    struct audit_head head;
    struct slice line;
    uint64_t n;
    TRY(number(c, "number", &n, e));
    TRY(fresh(c, e));
    TRY(audit_log_inclusion(c->rest->c.audit, c->who.tenant, n, &line, &proof, &head, c->arena, e));
    json_t *o = proven("number", n, &proof, &head);
    jsonout_text(o, "line", line);
    return rest_reply_json(c, o, e);
}

enum eim_err rest_audit_consistency(struct rest_call *c, struct err *e)
{
    struct merkle_proof proof, was;
    struct merkle_edge edge;
    struct audit_head head;
    uint64_t from;
    TRY(number(c, "size", &from, e));
    TRY(fresh(c, e));
    TRY(audit_log_consistency(c->rest->c.audit, c->who.tenant, from, &edge, &proof, &head, c->arena, e));
    json_t *o = proven("from", from, &proof, &head);
    was.n = merkle_edge_count(from);
    memcpy(was.h, edge.h, was.n * sizeof was.h[0]);
    json_object_set_new(o, "edge", hashes(&was));
    return rest_reply_json(c, o, e);
}
