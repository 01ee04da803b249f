/* rows.c -- between the structs of the domain and the columns of a query, by the tables of query.h. */
#include "store/store_int.h"

enum { LIST_CHUNK = 16 };

/* text_ok -- UTF-8 (RFC 3629) without NUL: what both engines keep as it is. */
static bool text_ok(struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i++];
        if (c < 0x80) {
            if (!c) return false;
            continue;
        }
        unsigned more = c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 0;
        if (!more || more > s.n - i) return false;
        uint8_t least = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, most = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        for (unsigned k = 0; k < more; k++, i++, least = 0x80, most = 0xBF)
            if (s.p[i] < least || s.p[i] > most) return false;
    }
    return true;
}

static struct value member(const struct column *c, const void *row)
{
    const uint8_t *p = (const uint8_t *)row + c->at;
    struct value v = { 0 };
    unsigned u;
    switch (c->kind) {
    case KIND_INT:
        memcpy(&v.i, p, sizeof v.i);
        break;
    case KIND_ENUM:
        memcpy(&u, p, sizeof u);
        v.i = u;
        break;
    case KIND_BOOL:
        v.i = *(const bool *)p;
        break;
    case KIND_TEXT:
        v.is_text = true;
        /* fall through */
    case KIND_BYTES:
        v.is_bytes = true;
        memcpy(&v.s, p, sizeof v.s);
        break;
    case KIND_FIXED:
        v.is_bytes = true;
        v.s = slice_of(p, c->size);
        break;
    }
    return v;
}

static enum eim_err run_begun(struct tx *t, enum query_id id, const struct value *v, struct err *e)
{
    if (!t->begun) TRY(line_begin(t->line, CTL_BEGIN_READ, e));
    t->begun = true;
    TRY(store_count(t->line->store, e));
    return t->line->store->driver->run(t->line->conn, id, v, e);
}

/* run -- run_begun. A reader's connection that is found dead by its first statement is replaced once: nothing was read yet. */
static enum eim_err run(struct tx *t, enum query_id id, const struct value *v, struct err *e)
{
    struct err why = { 0 };
    bool first = !t->begun;
    enum eim_err rc = run_begun(t, id, v, &why);
    if (rc != OK && first && t->line->conn && t->line->conn->trouble == TROUBLE_LOST) {
        line_drop(t->line);
        t->begun = false;
        why = (struct err){ 0 };
        rc = run_begun(t, id, v, &why);
    }
    if (rc != OK) fail(e, rc, NULL, "%s", why.why);
    return rc;
}

static enum eim_err query_start(struct tx *t, enum query_id id, const void *row, const struct value *args, size_t args_n, struct err *e)
{
    const struct query *q = &queries[id];
    struct value v[PARAMS_MAX];
    if (args_n != q->args_n) return fail(e, E_INTERNAL, NULL, "%s takes %u values, not %zu", q->name, q->args_n, args_n);
    for (unsigned i = 0; i < q->params_n; i++) {
        const struct column *c = &q->params[i];
        v[i] = c->arg ? args[c->arg - 1] : member(c, row);
        if (v[i].is_text && !text_ok(v[i].s))
            return fail_field(e, E_INVALID, NULL, c->name ? c->name : q->name, "text is not UTF-8, or holds a NUL");
    }
    if (t->broken) return fail(e, E_STORE, NULL, "an earlier statement of this transaction failed");
    enum eim_err rc = run(t, id, v, e);
    t->broken = rc != OK;
    return rc;
}

static enum eim_err query_step(struct tx *t, bool *row, struct err *e)
{
    enum eim_err rc = t->line->store->driver->step(t->line->conn, row, e);
    if (rc != OK) t->broken = true;
    return rc;
}

static void query_end(struct tx *t)
{
    t->line->store->driver->finish(t->line->conn);
}

/* row_read -- the columns of the present row into a struct; bytes are copied into the arena. */
static enum eim_err row_read(struct tx *t, const struct row_type *type, void *out, struct arena *a, struct err *e)
{
    const struct driver *d = t->line->store->driver;
    struct conn *conn = t->line->conn;
    for (unsigned i = 0; i < type->n; i++) {
        const struct column *c = &type->columns[i];
        uint8_t *p = (uint8_t *)out + c->at;
        if (c->kind == KIND_INT || c->kind == KIND_ENUM || c->kind == KIND_BOOL) {
            int64_t v = d->int_at(conn, i);
            unsigned u = (unsigned)v;
            if (c->kind == KIND_INT) memcpy(p, &v, sizeof v);
            else if (c->kind == KIND_ENUM) memcpy(p, &u, sizeof u);
            else *(bool *)p = v != 0;
            continue;
        }
        struct slice s = d->bytes_at(conn, i);
        if (c->kind == KIND_FIXED) {
            if (s.n != c->size) return fail_field(e, E_STORE, NULL, c->name, "%zu bytes are stored, %u expected", s.n, c->size);
            memcpy(p, s.p, s.n);
            continue;
        }
        struct slice copy = { 0 };
        if (s.n && !(copy = arena_copy(a, s)).p) return fail(e, E_NOMEM, NULL, "no room for a row of the store");
        memcpy(p, &copy, sizeof copy);
    }
    return OK;
}

enum eim_err query_exec(struct tx *t, enum query_id q, const void *row, const struct value *args, size_t args_n,
                        int64_t *changed, struct err *e)
{
    bool more = false;
    TRY(query_start(t, q, row, args, args_n, e));
    enum eim_err rc = query_step(t, &more, e);
    if (rc == OK && changed) *changed = t->line->store->driver->changed(t->line->conn);
    query_end(t);
    return rc;
}

enum eim_err query_ints(struct tx *t, enum query_id q, const struct value *args, size_t args_n, int64_t *out, unsigned n,
                        bool *found, struct err *e)
{
    bool more = false;
    for (unsigned i = 0; i < n; i++) out[i] = 0;
    TRY(query_start(t, q, NULL, args, args_n, e));
    enum eim_err rc = query_step(t, &more, e);
    for (unsigned i = 0; rc == OK && more && i < n; i++) out[i] = t->line->store->driver->int_at(t->line->conn, i);
    if (found) *found = more;
    query_end(t);
    return rc;
}

enum eim_err query_row(struct tx *t, enum query_id q, const struct value *args, size_t args_n, void *out, struct arena *a, struct err *e)
{
    const struct row_type *type = queries[q].result;
    bool more = false;
    memset(out, 0, type->size);
    TRY(query_start(t, q, NULL, args, args_n, e));
    enum eim_err rc = query_step(t, &more, e);
    if (rc == OK && more) rc = row_read(t, type, out, a, e);
    query_end(t);
    return rc;
}

/* A list that is being read: chunks of rows, joined at the end, so that its size need not be known before. */
struct chunk { struct chunk *next; size_t n; uint8_t *rows; };

static enum eim_err list_join(const struct chunk *first, size_t size, void **out, size_t *n, struct arena *a, struct err *e)
{
    size_t all = 0;
    for (const struct chunk *c = first; c; c = c->next) all += c->n;
    uint8_t *v = all <= LIST_CHUNK && first ? first->rows : arena_array(a, size, all);
    if (!v) return fail(e, E_NOMEM, NULL, "no room for %zu rows of the store", all);
    if (all > LIST_CHUNK) {
        uint8_t *to = v;
        for (const struct chunk *c = first; c; to += c->n * size, c = c->next) memcpy(to, c->rows, c->n * size);
    }
    *out = v;
    *n = all;
    return OK;
}

static enum eim_err list_read(struct tx *t, const struct row_type *type, struct chunk **first, struct arena *a, struct err *e)
{
    struct chunk *last = NULL;
    for (;;) {
        bool more = false;
        TRY(query_step(t, &more, e));
        if (!more) return OK;
        if (!last || last->n == LIST_CHUNK) {
            struct chunk *c = ARENA_NEW(a, struct chunk);
            if (!c || !(c->rows = arena_array(a, type->size, LIST_CHUNK))) return fail(e, E_NOMEM, NULL, "no room for the rows of a list");
            if (last) last->next = c;
            else *first = c;
            last = c;
        }
        TRY(row_read(t, type, last->rows + last->n * type->size, a, e));
        last->n++;
    }
}

enum eim_err query_rows(struct tx *t, enum query_id q, const struct value *args, size_t args_n, void **out, size_t *n,
                        struct arena *a, struct err *e)
{
    const struct row_type *type = queries[q].result;
    struct chunk *first = NULL;
    *out = NULL;
    *n = 0;
    TRY(query_start(t, q, NULL, args, args_n, e));
    enum eim_err rc = list_read(t, type, &first, a, e);
    query_end(t);
    return rc == OK ? list_join(first, type->size, out, n, a, e) : rc;
}

enum eim_err query_each(struct tx *t, enum query_id q, const struct value *args, size_t args_n,
                        bool (*row)(void *ctx, const int64_t *v), void *ctx, struct err *e)
{
    int64_t v[8];
    unsigned n = queries[q].columns_n;
    if (n > sizeof v / sizeof v[0]) return fail(e, E_INTERNAL, NULL, "%s has too many columns", queries[q].name);
    TRY(query_start(t, q, NULL, args, args_n, e));
    enum eim_err rc;
    for (bool more = true; (rc = query_step(t, &more, e)) == OK && more;) {
        for (unsigned i = 0; i < n; i++) v[i] = t->line->store->driver->int_at(t->line->conn, i);
        if (!row(ctx, v)) break;
    }
    query_end(t);
    return rc;
}
