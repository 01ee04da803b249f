/* vault.c -- the signer's process: one question after the other. */
#include "vault/vault.h"

#include "asn1/sgp32.h"
#include "base/env.h"
#include "vault/wire.h"

enum { ARENA_CAP = 4 << 20 };

struct serving {
    struct vault *v;
    struct buf in, out;
    struct arena arena;                /* of one question */
    struct sign_request asked[VAULT_ARRAY];
    int64_t highest[VAULT_ARRAY];
    struct err why[VAULT_ARRAY];
};

static void put_why(struct buf *out, const struct err *why)
{
    wire_put_text(out, slice_str(why->why));
}

static void refuse(struct serving *s, enum eim_err rc, const struct err *e)
{
    wire_begin(&s->out, VAULT_REFUSED | VAULT_ANSWER);
    wire_put(&s->out, rc, 1);
    put_why(&s->out, e);
}

static enum eim_err answer_keys(struct serving *s, struct wire *w, struct err *e)
{
    char name[SIGNER_NAME_MAX + 1];
    size_t n = 0;
    uint64_t version = wire_get(w, 2);
    if (!wire_done(w)) return fail(e, E_MALFORMED, NULL, "a question for the keys is its version");
    if (version != VAULT_VERSION) return fail(e, E_INVALID, NULL, "eimd and eimsigner are of different releases: %d and %d", (int)version, VAULT_VERSION);
    while (signer_name(s->v->signer, n, name)) n++;
    wire_begin(&s->out, VAULT_KEYS | VAULT_ANSWER);
    wire_put(&s->out, VAULT_VERSION, 2);
    wire_put(&s->out, n, 2);
    for (size_t i = 0; i < n && signer_name(s->v->signer, i, name); i++) {
        struct slice spki;
        enum curve curve;
        TRY(signer_public(s->v->signer, name, &spki, &curve, &s->arena, e));
        wire_put_text(&s->out, slice_str(name));
        wire_put(&s->out, curve, 1);
        wire_put_text(&s->out, spki);
    }
    wire_put_text(&s->out, slice_str(s->v->notes ? note_signer_key(s->v->notes) : NULL));
    return OK;
}

/* May it be signed? If so it stands in the journal, in memory yet. *broken: the journal is of no more use. */
static enum eim_err judge(struct serving *s, struct sign_request *r, int64_t *highest, int64_t now_us, bool *broken, struct err *e)
{
    uint8_t tlv[12];
    struct guard_package p;
    bool again;
    TRY(signer_public(s->v->signer, r->key, NULL, NULL, NULL, e));
    if (r->token < 0) return fail_field(e, E_INVALID, "SGP.32 2.11.1.1", "associationToken", "a negative token is never signed");
    TRY(guard_read(r->tbs, sgp32_token_tlv(r->token, tlv), &p, &s->arena, e));
    TRY(guard_admit(s->v->guard, &p, now_us, highest, &again, e));
    if (again) return OK;
    enum eim_err rc = journal_add(s->v->journal, &p, r->key, now_us, e);
    *broken = rc != OK;
    return rc;
}

static enum eim_err read_array(struct serving *s, struct wire *w, size_t *n, struct err *e)
{
    *n = (size_t)wire_get(w, 2);
    if (w->bad || !*n || *n > VAULT_ARRAY) return fail(e, E_MALFORMED, NULL, "an array holds 1 to %d requests", VAULT_ARRAY);
    for (size_t i = 0; i < *n; i++) {
        s->asked[i] = (struct sign_request){ .key = arena_str(&s->arena, wire_get_text(w, SIGNER_NAME_MAX)) };
        s->asked[i].token = (int64_t)wire_get(w, 8);
        s->asked[i].tbs = wire_get_text(w, VAULT_TBS_MAX);
        if (!s->asked[i].key) return fail(e, E_NOMEM, NULL, "no memory for a request");
        s->highest[i] = 0;
        s->why[i] = (struct err){ 0 };
    }
    return wire_done(w) ? OK : fail(e, E_MALFORMED, NULL, "an array of requests that ends too early or too late");
}

/* *broken: no answer may leave. */
static enum eim_err answer_sign(struct serving *s, struct wire *w, bool *broken, struct err *e)
{
    size_t n;
    TRY(read_array(s, w, &n, e));
    int64_t now_us = s->v->env->now(s->v->env);
    for (size_t i = 0; i < n; i++) {
        s->asked[i].rc = judge(s, &s->asked[i], &s->highest[i], now_us, broken, &s->why[i]);
        if (*broken) {
            *e = s->why[i];
            return s->asked[i].rc;
        }
    }
    *broken = true;
    TRY(journal_sync(s->v->journal, e));
    *broken = false;
    wire_begin(&s->out, VAULT_SIGN | VAULT_ANSWER);
    wire_put(&s->out, n, 2);
    for (size_t i = 0; i < n; i++) {
        struct sign_request *r = &s->asked[i];
        if (r->rc == OK) r->rc = signer_sign(s->v->signer, r, 1, &s->why[i]);
        wire_put(&s->out, r->rc, 1);
        wire_put(&s->out, (uint64_t)s->highest[i], 8);
        if (r->rc == OK) buf_put(&s->out, slice_of(r->sig, sizeof r->sig));
        else put_why(&s->out, &s->why[i]);
    }
    return OK;
}

/* As judge, of a note. */
static enum eim_err judge_note(struct serving *s, struct slice text, const struct note_proof *proof, uint64_t *wanted, bool *broken, struct err *e)
{
    struct guard_head h;
    struct slice rest = text, origin;
    bool again;
    if (!s->v->notes) return fail(e, E_NOT_FOUND, NULL, "this signer has no key for notes");
    TRY(guard_read_note(text, s->v->name, note_signer_key(s->v->notes), &h, e));
    const char *name = slice_line(&rest, &origin) ? arena_str(&s->arena, origin) : NULL;
    if (!name) return fail(e, E_NOMEM, NULL, "no memory for a note");
    TRY(guard_admit_head(s->v->guard, &h, proof, wanted, &again, e));
    if (again) return OK;
    *broken = true;
    TRY(journal_add_head(s->v->journal, &h, name, s->v->env->now(s->v->env), e));
    TRY(journal_sync(s->v->journal, e));
    *broken = false;
    return OK;
}

static enum eim_err answer_note(struct serving *s, struct wire *w, bool *broken, struct err *e)
{
    struct slice text = wire_get_text(w, NOTE_MAX), note = { 0 };
    struct note_proof proof = { .from = wire_get(w, 8) };
    uint64_t wanted = 0;
    proof.hashes = wire_get_text(w, MERKLE_PROOF_MAX * MERKLE_HASH);
    if (!wire_done(w)) return fail(e, E_MALFORMED, NULL, "a question for a note that ends too early or too late");
    enum eim_err rc = judge_note(s, text, &proof, &wanted, broken, e);
    if (*broken) return rc;
    if (rc == OK) rc = note_sign(s->v->notes, text, &note, &s->arena, e);
    wire_begin(&s->out, VAULT_NOTE | VAULT_ANSWER);
    wire_put(&s->out, rc, 1);
    wire_put(&s->out, wanted, 8);
    if (rc == OK) wire_put_text(&s->out, note);
    else put_why(&s->out, e);
    return OK;
}

static enum eim_err turn(struct serving *s, int fd, struct err *e)
{
    struct wire w = { .rest = buf_slice(&s->in) };
    struct err why = { 0 };
    bool broken = false;
    enum eim_err rc;
    arena_reset(&s->arena);
    switch ((enum vault_type)wire_get(&w, 1)) {
    case VAULT_KEYS: rc = answer_keys(s, &w, &why); break;
    case VAULT_SIGN: rc = answer_sign(s, &w, &broken, &why); break;
    case VAULT_NOTE: rc = answer_note(s, &w, &broken, &why); break;
    default: rc = fail(&why, E_UNKNOWN_TYPE, NULL, "a question that this signer does not know");
    }
    if (broken) {
        *e = why;
        return rc;
    }
    if (rc != OK) refuse(s, rc, &why);
    return wire_send(fd, &s->out, e);
}

enum eim_err vault_serve(struct vault *v, int fd, struct err *e)
{
    struct serving s = { .v = v };
    enum eim_err rc;
    bool closed = false;
    buf_init(&s.in, VAULT_FRAME_MAX);
    buf_init(&s.out, VAULT_FRAME_MAX);
    arena_init(&s.arena, ARENA_CAP);
    while ((rc = wire_recv(fd, &s.in, &closed, e)) == OK && (rc = turn(&s, fd, e)) == OK) {}
    buf_free(&s.in);
    buf_free(&s.out);
    arena_free(&s.arena);
    return closed ? OK : rc;
}
