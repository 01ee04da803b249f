/* message.c -- eimctl decode and encode: SGP.32 messages between DER and what people and programs read. */
#include <stdio.h>

#include "app/eimctl/input.h"
#include "app/eimctl/out.h"
#include "app/eimctl/tree.h"
#include "asn1/es10b.h"

enum { AROUND = 8 };                   /* octets shown before and behind the place where a message breaks */

/* The octets around the trouble, the first wrong one marked. */
static void show_place(struct slice in, size_t at)
{
    size_t from = at > AROUND ? at - AROUND : 0, to = at + AROUND < in.n ? at + AROUND : in.n;
    fprintf(stderr, "  octets %zu to %zu of %zu: %s", from, to, in.n, from ? "... " : "");
    for (size_t i = from; i < to; i++) fprintf(stderr, "%s%02x", i == at ? " >" : i > from ? " " : "", in.p[i]);
    fprintf(stderr, "%s%s\n", at >= in.n ? " >(the end)" : "", to < in.n ? " ..." : "");
}

static int refuse(struct ctl *c, struct slice in, const struct der_type *t, struct err *e)
{
    if (!*e->field) snprintf(e->field, sizeof e->field, "%s", t->name);
    if (!e->clause) e->clause = t->clause;
    if (!e->has_at && e->code != E_NOMEM) e->has_at = 1;
    ctl_err(c, CTL_REFUSED, e);
    if (!c->json && e->has_at) show_place(in, e->at);
    return CTL_REFUSED;
}

static int list_types(struct ctl *c)
{
    static const char *const head[] = { "TYPE", "CLAUSE", NULL };
    struct table t;
    size_t n = 0;
    while (der_types[n]) n++;
    if (!table_init(&t, c, n, head)) return ctl_fail(c, CTL_REFUSED, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (c->json) printf("\"%s\"\n", der_types[i]->name);
        else table_row(&t, (const char *[]){ der_types[i]->name, der_types[i]->clause });
    }
    if (!c->json) table_print(&t);
    return CTL_OK;
}

/* Does the type say by its own tag what it is? Parts of messages (a SEQUENCE, a CHOICE without tag) fit too many things;
 * they are decoded when --type names them. */
static bool is_message(const struct der_type *t)
{
    return t == &esipa_from_ipa_type || t == &esipa_from_eim_type || t->tag >> 30 != 0;    /* 0: class universal */
}

/* Decode on trial: OK, or the error with the offset of the trouble in e. */
static enum eim_err try_type(struct ctl *c, const struct der_type *t, struct slice in, struct err *e)
{
    arena_reset(&c->page);
    void *v = arena_alloc(&c->page, t->size);
    return v ? der_decode(t, in, v, &c->page, e) : fail(e, E_NOMEM, NULL, "out of memory");
}

/* What a message is that fits nothing exactly: the first type that takes it, else the one that gets furthest with it. An
 * ESipa message is preferred, so that the trouble is named from the outside in. */
static const struct der_type *nearest_type(struct ctl *c, struct slice in)
{
    const struct der_type *best = &esipa_from_ipa_type, *const esipa[] = { &esipa_from_ipa_type, &esipa_from_eim_type,
                                                                           NULL };
    size_t furthest = 0;
    for (int list = 0; list < 2; list++)
        for (const struct der_type *const *t = list ? der_types : esipa; *t; t++) {
            struct err e = { 0 };
            if (!is_message(*t)) continue;
            enum eim_err rc = try_type(c, *t, in, &e);
            if (rc == OK) return *t;
            if (rc == E_UNKNOWN_TYPE || e.at <= furthest) continue;
            best = *t;
            furthest = e.at;
        }
    return best;
}

static int choose_type(struct ctl *c, struct slice in, const struct der_type **out)
{
    struct err e = { 0 };
    const char *name = ctl_option(c, "--type");
    *out = name ? der_type_by_name(name) : der_type_guess(in);
    if (name) return *out ? CTL_OK : ctl_fail(c, CTL_USAGE, "--type: no type %s (eimctl decode --types lists them)", name);
    if (!*out || !is_message(*out) || try_type(c, *out, in, &e) != OK) *out = nearest_type(c, in);
    return CTL_OK;
}

int decode(struct ctl *c)
{
    struct slice in;
    struct err e = { 0 };
    const struct der_type *t;
    if (ctl_flag(c, "--types")) return list_types(c);
    int rc = input_message(c, c->npos ? c->pos[0] : NULL, &in);
    if (rc == CTL_OK) rc = choose_type(c, in, &t);
    if (rc != CTL_OK) return rc;
    void *v = arena_alloc(&c->arena, t->size);
    if (!v) return ctl_fail(c, CTL_REFUSED, "out of memory");
    if (der_decode(t, in, v, &c->arena, &e) != OK) return refuse(c, in, t, &e);
    if (!c->json) {
        tree_print(stdout, t, v);
        return CTL_OK;
    }
    struct buf text;
    buf_init(&text, 8 * CTL_TEXT_MAX);
    der_json(t, v, &text);
    if (!text.failed) {
        fwrite(text.p, 1, text.n, stdout);
        putchar('\n');
    }
    rc = text.failed ? ctl_fail(c, CTL_REFUSED, "out of memory") : CTL_OK;
    buf_free(&text);
    return rc;
}

static int encode_value(struct ctl *c, const struct der_type *t, const json_t *value)
{
    struct err e = { 0 };
    void *v = arena_alloc(&c->arena, t->size);
    if (!v) return ctl_fail(c, CTL_REFUSED, "out of memory");
    if (der_from_json(t, value, v, &c->arena, &e) != OK) return ctl_err(c, CTL_REFUSED, &e);
    struct slice der = der_encode(t, v, &c->arena);
    char *hex = der.p ? arena_alloc(&c->arena, 2 * der.n + 1) : NULL;
    if (!hex) return ctl_fail(c, CTL_REFUSED, "%s: the value cannot be encoded", t->name);
    slice_hex(der, false, hex);
    if (c->json) printf("{\"type\":\"%s\",\"der\":\"%s\"}\n", t->name, hex);
    else printf("%s\n", hex);
    return CTL_OK;
}

int encode(struct ctl *c)
{
    struct err e = { 0 };
    struct buf text;
    json_t *value;
    const struct der_type *t = der_type_by_name(ctl_option(c, "--type"));
    if (!t) return ctl_fail(c, CTL_USAGE, "--type: no type %s (eimctl decode --types lists them)", ctl_option(c, "--type"));
    buf_init(&text, CTL_TEXT_MAX);
    int rc = CTL_REFUSED;
    if (ctl_read(c, "-", &text)) {
        if (json_read(buf_slice(&text), CTL_TEXT_MAX, &value, &e) != OK) {
            ctl_err(c, rc, &e);
        } else {
            rc = encode_value(c, t, value);
            json_decref(value);
        }
    }
    buf_free(&text);
    return rc;
}
