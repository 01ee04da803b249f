/* schema.c -- reading a form, holding a JSON value against it, and printing it as JSON Schema. */
#include "front/schema.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_OCTETS = 160, NESTED_MAX = 64 };

enum kind { ANY, NONE, BOOL, INT, NUMBER, STRING, WORD, ARRAY, OBJECT, EITHER, NAMED };

struct node {
    enum kind kind;
    struct slice word;                 /* WORD: the string; NAMED: the name; STRING: its row in `strings` */
    int64_t lo, hi;                    /* INT, ARRAY */
    struct member *members;            /* OBJECT, a list */
    struct node *item;                 /* ARRAY: of each; OBJECT: of members that have no name here, or NULL */
    struct node *alternatives, *next;  /* EITHER: a list */
    bool open;                         /* OBJECT: others may stand beside */
};

struct member { const char *name; struct node *type; bool optional; struct member *next; };

/* Strings of a form. `length` 0: any; `set`: of these octets only; a pattern for readers of the document. */
static const struct { const char *name, *format, *pattern, *must, *set; size_t least, most; } strings[] = {
    { "string", NULL, NULL, "must be a string", NULL, 0, SIZE_MAX },
    { "text", NULL, NULL, "must be a text that is not empty", NULL, 1, SIZE_MAX },
    { "time", "date-time", NULL, "must be a time such as 2026-12-31T00:00:00Z", NULL, 0, SIZE_MAX },
    { "eid", NULL, "^[0-9]{32}$", "must be an EID: 32 digits", "0123456789", 32, 32 },
    { "iccid", NULL, "^[0-9]{18,20}$", "must be an ICCID: 18 to 20 digits", "0123456789", 18, 20 },
    { "id", NULL, "^[a-z]+_[0-9a-f]{16}$", "must be an id", "abcdefghijklmnopqrstuvwxyz_0123456789", 18, 32 },
    { "base64", "byte", NULL, "must be base64", NULL, 0, SIZE_MAX },
    { "hex", NULL, "^[0-9A-Fa-f]*$", "must be hexadecimal", "0123456789ABCDEFabcdef", 0, SIZE_MAX },
};
enum { STRINGS = sizeof strings / sizeof strings[0] };

static int string_row(struct slice name)
{
    for (int i = 0; i < STRINGS; i++)
        if (slice_eq(name, slice_str(strings[i].name))) return i;
    return -1;
}

/* ---- reading ---- */

struct reader { const char *p; struct arena *a; bool bad; };

static struct node *read_type(struct reader *r);

static char peek(struct reader *r)
{
    while (*r->p == ' ' || *r->p == '\n') r->p++;
    return *r->p;
}

static bool take(struct reader *r, const char *what)
{
    peek(r);
    size_t n = strlen(what);
    if (strncmp(r->p, what, n) != 0) return false;
    r->p += n;
    return true;
}

static void want(struct reader *r, const char *what)
{
    if (!take(r, what)) r->bad = true;
}

static struct node *node(struct reader *r, enum kind kind)
{
    struct node *n = ARENA_NEW(r->a, struct node);
    if (!n) r->bad = true;
    else *n = (struct node){ .kind = kind, .lo = kind == ARRAY ? 0 : INT64_MIN, .hi = INT64_MAX };
    return n;
}

static struct slice read_word(struct reader *r)
{
    peek(r);
    const char *from = r->p;
    while (isalnum((unsigned char)*r->p) || *r->p == '_' || *r->p == '-') r->p++;
    if (r->p == from) r->bad = true;
    return slice_of(from, (size_t)(r->p - from));
}

static int64_t read_number(struct reader *r)
{
    int64_t v = 0;
    bool minus = take(r, "-");
    for (; *r->p >= '0' && *r->p <= '9' && v < INT64_MAX / 16; r->p++) v = v * 10 + (*r->p - '0');
    return minus ? -v : v;
}

static void read_range(struct reader *r, struct node *n)
{
    if (!n) return;
    n->lo = read_number(r);
    want(r, "..");
    if (isdigit((unsigned char)peek(r))) n->hi = read_number(r);
}

static struct node *read_object(struct reader *r)
{
    struct node *n = node(r, OBJECT);
    struct member **end = n ? &n->members : NULL;
    while (!r->bad && !take(r, "}")) {
        if (take(r, "...")) {
            n->open = true;
        } else if (take(r, "*")) {
            want(r, ":");
            n->item = read_type(r);
        } else {
            struct member *m = ARENA_NEW(r->a, struct member);
            struct slice name = read_word(r);
            if (!m || !(m->name = arena_str(r->a, name))) { r->bad = true; break; }
            m->optional = take(r, "?");
            want(r, ":");
            m->type = read_type(r);
            *end = m;
            end = &m->next;
        }
        if (!take(r, ",") && peek(r) != '}') r->bad = true;
    }
    return n;
}

static struct node *read_name(struct reader *r)
{
    static const struct { const char *name; enum kind kind; } plain[] = {
        { "any", ANY }, { "null", NONE }, { "bool", BOOL }, { "int", INT }, { "number", NUMBER },
    };
    struct slice w = read_word(r);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (!slice_eq(w, slice_str(plain[i].name))) continue;
        struct node *n = node(r, plain[i].kind);
        if (n && n->kind == INT && take(r, "(")) {
            read_range(r, n);
            want(r, ")");
        }
        return n;
    }
    if (slice_eq(w, SLICE("Page"))) {
        struct reader page = { "{items: [any], next: string?}", r->a, false };
        struct node *n = read_type(&page);
        want(r, "of");
        struct node *of = read_type(r);
        if (page.bad || !n || !n->members->type) { r->bad = true; return NULL; }
        n->members->type->item = of;
        return n;
    }
    struct node *n = node(r, string_row(w) >= 0 ? STRING : NAMED);
    if (n) n->word = w;
    if (n && n->kind == NAMED && (!w.n || !isupper(w.p[0]))) r->bad = true;
    return n;
}

static struct node *read_one(struct reader *r)
{
    if (take(r, "{")) return read_object(r);
    if (take(r, "[")) {
        struct node *n = node(r, ARRAY), *item = read_type(r);
        if (n) n->item = item;
        if (isdigit((unsigned char)peek(r))) read_range(r, n);
        want(r, "]");
        return n;
    }
    if (take(r, "\"")) {
        struct node *n = node(r, WORD);
        size_t k = strcspn(r->p, "\"");
        if (n) n->word = slice_of(r->p, k);
        r->p += k;
        want(r, "\"");
        return n;
    }
    return read_name(r);
}

static struct node *read_type(struct reader *r)
{
    struct node *one = read_one(r), **end = NULL, *n = one;
    for (;;) {
        bool null = take(r, "?");
        if (r->bad || !one || (!null && !take(r, "|"))) return n;
        if (!end) {
            if (!(n = node(r, EITHER))) return NULL;
            n->alternatives = one;
            end = &one->next;
        }
        struct node *other = null ? node(r, NONE) : read_one(r);
        if (!other) return NULL;
        *end = other;
        end = &other->next;
    }
}

static struct node *read_form(const char *form, struct arena *a)
{
    struct reader r = { form, a, false };
    struct node *n = read_type(&r);
    return r.bad || peek(&r) ? NULL : n;
}

static const struct schema *named(const struct schemas *all, struct slice name)
{
    for (size_t i = 0; i < all->n; i++)
        if (slice_eq(name, slice_str(all->v[i].name))) return &all->v[i];
    return NULL;
}

bool schema_known(const struct schemas *all, const char *form)
{
    for (const char *p = form; *p; p++)
        if (!isalnum((unsigned char)*p)) return true;
    return !isupper((unsigned char)*form) || named(all, slice_str(form));
}

/* ---- checking ---- */

struct check { const struct schemas *all; struct arena *a; struct err *e; int depth; char path[PATH_MAX_OCTETS]; };

static enum eim_err hold(struct check *c, const struct node *n, const json_t *v);

static enum eim_err not_so(struct check *c, const char *must)
{
    return fail_field(c->e, E_INVALID, NULL, *c->path ? c->path : "body", "%s", must);
}

/* Inside: a member or an element; the path is cut back by whoever called. */
static size_t enter(struct check *c, const char *name, size_t index)
{
    size_t n = strlen(c->path);
    if (name) snprintf(c->path + n, sizeof c->path - n, "%s%s", n ? "." : "", name);
    else snprintf(c->path + n, sizeof c->path - n, "[%zu]", index);
    return n;
}

/* kind_fits -- could v be this, by its JSON type alone? Strings that are words: only the word itself. */
static bool kind_fits(const struct check *c, const struct node *n, const json_t *v)
{
    const struct schema *row;
    switch (n->kind) {
    case ANY: return true;
    case NONE: return json_is_null(v);
    case BOOL: return json_is_boolean(v);
    case INT: return json_is_integer(v);
    case NUMBER: return json_is_number(v);
    case STRING: return json_is_string(v);
    case WORD: return json_is_string(v) && slice_eq(json_slice(v), n->word);
    case ARRAY: return json_is_array(v);
    case OBJECT: return json_is_object(v);
    case EITHER:
        for (const struct node *k = n->alternatives; k; k = k->next)
            if (kind_fits(c, k, v)) return true;
        return false;
    case NAMED:
        row = named(c->all, n->word);
        n = row ? read_form(row->form, c->a) : NULL;
        return n && kind_fits(c, n, v);
    }
    return false;
}

static enum eim_err hold_object(struct check *c, const struct node *n, const json_t *v)
{
    const char *key;
    json_t *m;
    json_object_foreach((json_t *)(uintptr_t)v, key, m) {
        const struct member *k = n->members;
        while (k && strcmp(k->name, key) != 0) k = k->next;
        size_t back = enter(c, key, 0);
        if (!k && !n->item && !n->open) return not_so(c, "there is no such member here");
        if (k || n->item) TRY(hold(c, k ? k->type : n->item, m));
        c->path[back] = 0;
    }
    for (const struct member *k = n->members; k; k = k->next) {
        if (k->optional || json_object_get(v, k->name)) continue;
        enter(c, k->name, 0);
        return not_so(c, "is missing");
    }
    return OK;
}

static enum eim_err hold_array(struct check *c, const struct node *n, const json_t *v)
{
    char must[80];
    size_t i;
    json_t *m;
    if ((int64_t)json_array_size(v) < n->lo || (int64_t)json_array_size(v) > n->hi) {
        if (n->hi == INT64_MAX) snprintf(must, sizeof must, "must have at least %lld elements", (long long)n->lo);
        else snprintf(must, sizeof must, "must have %lld to %lld elements", (long long)n->lo, (long long)n->hi);
        return not_so(c, must);
    }
    json_array_foreach((json_t *)(uintptr_t)v, i, m) {
        size_t back = enter(c, NULL, i);
        TRY(hold(c, n->item, m));
        c->path[back] = 0;
    }
    return OK;
}

/* Of the alternatives whose JSON type fits, the last one's complaint is the one told. */
static enum eim_err hold_either(struct check *c, const struct node *n, const json_t *v)
{
    struct err mine = { 0 }, *outer = c->e;
    size_t back = strlen(c->path);
    enum eim_err rc = E_INVALID;
    for (const struct node *k = n->alternatives; k && rc != OK; k = k->next) {
        if (!kind_fits(c, k, v)) continue;
        mine = (struct err){ 0 };
        c->e = &mine;
        rc = hold(c, k, v);
        c->e = outer;
        c->path[back] = 0;
    }
    if (rc == OK) return OK;
    if (!mine.code) return not_so(c, "has none of the forms that are possible here");
    *outer = mine;
    return rc;
}

static enum eim_err hold_string(struct check *c, const struct node *n, const json_t *v)
{
    int i = string_row(n->word);
    struct slice s = json_slice(v);
    if (i < 0 || !json_is_string(v) || s.n < strings[i].least || s.n > strings[i].most) return not_so(c, i < 0 ? "" : strings[i].must);
    for (size_t k = 0; strings[i].set && k < s.n; k++)
        if (!s.p[k] || !strchr(strings[i].set, s.p[k])) return not_so(c, strings[i].must);
    return OK;
}

static enum eim_err hold(struct check *c, const struct node *n, const json_t *v)
{
    char must[96];
    static const char *const musts[] = { [NONE] = "must be null", [BOOL] = "must be true or false", [INT] = "must be a whole number",
                                         [NUMBER] = "must be a number", [ARRAY] = "must be an array", [OBJECT] = "must be an object" };
    if (!n) return fail(c->e, E_INTERNAL, NULL, "a form is wrong");
    switch (n->kind) {
    case NAMED: {
        const struct schema *row = named(c->all, n->word);
        if (!row || c->depth >= NESTED_MAX) return fail(c->e, E_INTERNAL, NULL, "there is no form %.*s", (int)n->word.n, (const char *)n->word.p);
        c->depth++;
        enum eim_err rc = hold(c, read_form(row->form, c->a), v);
        c->depth--;
        return rc;
    }
    case EITHER: return hold_either(c, n, v);
    case STRING: return hold_string(c, n, v);
    case WORD:
        snprintf(must, sizeof must, "must be %.*s", (int)n->word.n, (const char *)n->word.p);
        return kind_fits(c, n, v) ? OK : not_so(c, must);
    default: break;
    }
    if (!kind_fits(c, n, v)) return not_so(c, musts[n->kind] ? musts[n->kind] : "has a wrong form");
    if (n->kind == OBJECT) return hold_object(c, n, v);
    if (n->kind == ARRAY) return hold_array(c, n, v);
    if (n->kind == INT && (json_integer_value(v) < n->lo || json_integer_value(v) > n->hi)) {
        if (n->hi == INT64_MAX) snprintf(must, sizeof must, "must be a whole number from %lld up", (long long)n->lo);
        else snprintf(must, sizeof must, "must be a whole number from %lld to %lld", (long long)n->lo, (long long)n->hi);
        return not_so(c, must);
    }
    return OK;
}

enum eim_err schema_check(const struct schemas *all, const char *form, const json_t *v, struct arena *a, struct err *e)
{
    struct check c = { .all = all, .a = a, .e = e };
    return hold(&c, read_form(form, a), v);
}

/* ---- printing ---- */

static json_t *print(const struct schemas *all, const struct node *n, bool sent, struct arena *a);

static json_t *print_object(const struct schemas *all, const struct node *n, bool sent, struct arena *a)
{
    json_t *o = json_pack("{s:s}", "type", "object"), *members = json_object(), *needed = json_array();
    for (const struct member *m = n->members; m; m = m->next) {
        json_object_set_new(members, m->name, print(all, m->type, sent, a));
        if (!m->optional) json_array_append_new(needed, json_string(m->name));
    }
    if (n->members) json_object_set(o, "properties", members);
    if (json_array_size(needed)) json_object_set(o, "required", needed);
    if (n->item) json_object_set_new(o, "additionalProperties", print(all, n->item, sent, a));
    else if (sent && !n->open) json_object_set_new(o, "additionalProperties", json_false());
    json_decref(members);
    json_decref(needed);
    return o;
}

static json_t *print_string(const struct node *n)
{
    int i = string_row(n->word);
    json_t *o = json_pack("{s:s}", "type", "string");
    if (i < 0) return o;
    if (strings[i].format) json_object_set_new(o, "format", json_string(strings[i].format));
    if (strings[i].pattern) json_object_set_new(o, "pattern", json_string(strings[i].pattern));
    else if (strings[i].least) json_object_set_new(o, "minLength", json_integer((json_int_t)strings[i].least));
    return o;
}

static json_t *bounds(json_t *o, const struct node *n, int64_t none, const char *least, const char *most)
{
    if (n->lo != none) json_object_set_new(o, least, json_integer(n->lo));
    if (n->hi != INT64_MAX) json_object_set_new(o, most, json_integer(n->hi));
    return o;
}

static json_t *print(const struct schemas *all, const struct node *n, bool sent, struct arena *a)
{
    json_t *list;
    char *ref;
    if (!n) return NULL;
    switch (n->kind) {
    case ANY: return json_object();
    case NONE: return json_pack("{s:s}", "type", "null");
    case BOOL: return json_pack("{s:s}", "type", "boolean");
    case NUMBER: return json_pack("{s:s}", "type", "number");
    case INT: return bounds(json_pack("{s:s}", "type", "integer"), n, INT64_MIN, "minimum", "maximum");
    case STRING: return print_string(n);
    case WORD: return json_pack("{s:s#}", "const", (const char *)n->word.p, (int)n->word.n);
    case ARRAY: return bounds(json_pack("{s:s,s:o*}", "type", "array", "items", print(all, n->item, sent, a)), n, 0, "minItems", "maxItems");
    case OBJECT: return print_object(all, n, sent, a);
    case NAMED:
        ref = named(all, n->word) ? arena_printf(a, "#/components/schemas/%.*s", (int)n->word.n, (const char *)n->word.p) : NULL;
        return ref ? json_pack("{s:s}", "$ref", ref) : NULL;
    case EITHER:
        list = json_array();
        for (const struct node *k = n->alternatives; k; k = k->next) json_array_append_new(list, print(all, k, sent, a));
        return json_pack("{s:o}", "anyOf", list);
    }
    return NULL;
}

json_t *schema_json(const struct schemas *all, const char *form, bool sent, struct arena *a)
{
    return print(all, read_form(form, a), sent, a);
}
