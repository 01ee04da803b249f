/* client.c -- the signer's process as a struct signer. */
#include "vault/client.h"

#include "base/mem.h"
#include "vault/wire.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Where several threads sign, an array waits for company, as the store's group commit does: a sync costs more than the wait. */
enum { GATHER = 8, GATHER_US = 2000, NOTE_KEY_MAX = NOTE_NAME_MAX + 80 };

/* One call of signer_sign that waits; lives on its thread's stack. */
struct waiting {
    struct waiting *next;
    struct sign_request *r;
    size_t n;
    struct note_call *note;            /* instead of requests: it leaves by itself */
    struct err *e;
    enum eim_err rc;
    bool done, lead;                   /* answered; or: it is your turn to speak */
    pthread_cond_t told;
};

struct note_call { struct slice text, *note; const struct note_proof *proof; uint64_t *wanted; struct arena *a; };

struct client {
    struct signer base;                /* first: a struct signer points here */
    struct note_other notes;
    char notes_key[NOTE_KEY_MAX + 1];
    int fd;
    pthread_mutex_t lock;              /* guards the queue, `speaking` and `gone` */
    struct waiting *first, **last;
    size_t queued;                     /* requests in the queue */
    bool speaking, gone, crowded;      /* crowded: the last array held more than one request */
    pthread_cond_t company;            /* the queue holds GATHER: the speaker waits for it */
    struct buf frame;                  /* of whoever speaks */
    size_t n;
    struct client_key {
        char name[SIGNER_NAME_MAX + 1];
        enum curve curve;
        uint8_t spki[SPKI_MAX];
        size_t spki_n;
    } *keys;                           /* constant after vault_client_open */
};

/* ---- speaking ---- */

static enum eim_err call(struct client *c, uint8_t type, struct wire *w, struct err *e)
{
    char why[VAULT_WHY_MAX + 1];
    TRY(wire_send(c->fd, &c->frame, e));
    TRY(wire_recv(c->fd, &c->frame, NULL, e));
    *w = (struct wire){ .rest = buf_slice(&c->frame) };
    uint8_t got = (uint8_t)wire_get(w, 1);
    if (got == (type | VAULT_ANSWER)) return OK;
    if (got != (VAULT_REFUSED | VAULT_ANSWER)) return fail(e, E_MALFORMED, NULL, "the signer answers another question");
    enum eim_err rc = (enum eim_err)wire_get(w, 1);
    struct slice s = wire_get_text(w, VAULT_WHY_MAX);
    snprintf(why, sizeof why, "%.*s", (int)s.n, s.n ? (const char *)s.p : "");
    return fail(e, rc == E_NOMEM || rc == E_INVALID ? rc : E_INTERNAL, NULL, "the signer refuses: %s", why);
}

/* One answer of an array. */
static enum eim_err take(struct wire *w, struct sign_request *r, struct err *e)
{
    r->rc = (enum eim_err)wire_get(w, 1);
    r->highest = (int64_t)wire_get(w, 8);
    struct slice s = r->rc == OK ? wire_get_octets(w, SIGNATURE_SIZE) : wire_get_text(w, VAULT_WHY_MAX);
    if (w->bad || (unsigned)r->rc >= EIM_ERR_END) return fail(e, E_MALFORMED, NULL, "an answer of the signer cannot be read");
    if (r->rc != OK) return fail(e, r->rc, "SGP.32 2.11.1.1", "the signer refuses: %.*s", (int)s.n, s.n ? (const char *)s.p : "");
    memcpy(r->sig, s.p, SIGNATURE_SIZE);
    return OK;
}

static void put(struct buf *b, const struct sign_request *r)
{
    wire_put_text(b, slice_str(r->key));
    wire_put(b, (uint64_t)r->token, 8);
    wire_put_text(b, r->tbs);
}

static enum eim_err exchange_note(struct client *c, struct waiting *x, struct err *e)
{
    struct wire w;
    wire_begin(&c->frame, VAULT_NOTE);
    wire_put_text(&c->frame, x->note->text);
    wire_put(&c->frame, x->note->proof->from, 8);
    wire_put_text(&c->frame, x->note->proof->hashes);
    TRY(call(c, VAULT_NOTE, &w, e));
    x->rc = (enum eim_err)wire_get(&w, 1);
    *x->note->wanted = wire_get(&w, 8);
    struct slice note = wire_get_text(&w, NOTE_MAX);
    if (!wire_done(&w) || (unsigned)x->rc >= EIM_ERR_END) return fail(e, E_MALFORMED, NULL, "a note of the signer cannot be read");
    if (x->rc != OK) {
        (void)fail(x->e, x->rc, NULL, "the signer refuses: %.*s", (int)note.n, note.n ? (const char *)note.p : "");
        return OK;
    }
    *x->note->note = arena_copy(x->note->a, note);
    x->rc = x->note->note->p ? OK : fail(x->e, E_NOMEM, NULL, "no room for a note");
    return OK;
}

/* Ask for all of these, and give each its answer. A failure of the whole is everybody's. */
static enum eim_err exchange(struct client *c, struct waiting *batch, size_t n, struct err *e)
{
    struct wire w;
    wire_begin(&c->frame, VAULT_SIGN);
    wire_put(&c->frame, n, 2);
    for (struct waiting *x = batch; x; x = x->next)
        for (size_t i = 0; i < x->n; i++) put(&c->frame, &x->r[i]);
    TRY(call(c, VAULT_SIGN, &w, e));
    if (wire_get(&w, 2) != n) return fail(e, E_MALFORMED, NULL, "the signer answers another number of requests");
    for (struct waiting *x = batch; x; x = x->next) {
        x->rc = OK;
        for (size_t i = 0; i < x->n; i++) {
            enum eim_err rc = take(&w, &x->r[i], x->e);
            if (x->rc == OK) x->rc = rc;
        }
    }
    return wire_done(&w) ? OK : fail(e, E_MALFORMED, NULL, "an answer of the signer cannot be read");
}

/* With the lock held, which is given up meanwhile. */
static void gather(struct client *c)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += GATHER_US * 1000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (c->queued < GATHER && pthread_cond_timedwait(&c->company, &c->lock, &until) == 0) {}
}

/* With the lock held, which is given up meanwhile: speak for as many as fit in one array, from the first on. */
static void speak(struct client *c)
{
    struct err e = { 0 };
    size_t n = 0;
    if (c->crowded && !c->gone && !c->first->note) gather(c);
    struct waiting *batch = c->first, **end = &c->first;
    if (batch->note) end = &batch->next;
    else
        while (*end && !(*end)->note && n + (*end)->n <= VAULT_ARRAY) {
            n += (*end)->n;
            end = &(*end)->next;
        }
    c->first = *end;
    *end = NULL;
    if (!c->first) c->last = &c->first;
    c->queued -= n;
    if (!batch->note) c->crowded = n > 1;
    bool gone = c->gone;
    pthread_mutex_unlock(&c->lock);
    enum eim_err rc = gone ? fail(&e, E_IO, NULL, "the signer's process is gone") :
                      batch->note ? exchange_note(c, batch, &e) : exchange(c, batch, n, &e);
    pthread_mutex_lock(&c->lock);
    if (!gone && (rc == E_IO || rc == E_MALFORMED || rc == E_TOO_LARGE)) {
        c->gone = true;                /* what would come next belongs to nobody; a signer that still lives sees the end and goes, and eimd with it */
        close(c->fd);
        c->fd = -1;
    }
    for (struct waiting *x = batch, *next; x; x = next) {
        next = x->next;
        if (rc != OK) {
            for (size_t i = 0; i < x->n; i++) x->r[i].rc = rc;
            *x->e = e;
            x->rc = rc;
        }
        x->done = true;
        pthread_cond_signal(&x->told);
    }
}

static enum eim_err wait_for(struct client *c, struct waiting *me)
{
    pthread_cond_init(&me->told, NULL);
    pthread_mutex_lock(&c->lock);
    *c->last = me;
    c->last = &me->next;
    c->queued += me->n;
    if (c->queued >= GATHER) pthread_cond_signal(&c->company);
    if (!c->speaking) c->speaking = me->lead = true;
    while (!me->done) {
        if (me->lead) speak(c);
        else pthread_cond_wait(&me->told, &c->lock);
    }
    if (me->lead) {
        c->speaking = c->first != NULL;
        if (c->first) {
            c->first->lead = true;
            pthread_cond_signal(&c->first->told);
        }
    }
    pthread_mutex_unlock(&c->lock);
    pthread_cond_destroy(&me->told);
    return me->rc;
}

/* What can never be sent is refused here, so that it spoils nobody else's array. */
static enum eim_err fits(struct sign_request *r, struct err *e)
{
    if (strlen(r->key) > SIGNER_NAME_MAX) return fail(e, E_NOT_FOUND, NULL, "no signing key named \"%.70s\"", r->key);
    if (r->tbs.n > VAULT_TBS_MAX) return fail(e, E_TOO_LARGE, "SGP.32 2.11.1.1", "a package of %zu octets, at most %d", r->tbs.n, VAULT_TBS_MAX);
    return OK;
}

static enum eim_err client_sign(struct signer *base, struct sign_request *r, size_t n, struct err *e)
{
    enum eim_err first = OK;
    for (size_t i = 0; i < n;) {
        size_t some = 0;
        while (i + some < n && some < VAULT_ARRAY && (r[i + some].rc = fits(&r[i + some], e)) == OK) some++;
        enum eim_err rc = some ? wait_for((struct client *)base, &(struct waiting){ .r = &r[i], .n = some, .e = e }) : r[i].rc;
        if (first == OK) first = rc;
        i += some ? some : 1;
    }
    return first;
}

static enum eim_err client_note(struct note_other *o, struct slice text, const struct note_proof *proof, uint64_t *wanted, struct slice *note,
                                struct arena *a, struct err *e)
{
    struct client *c = (struct client *)(void *)((char *)o - offsetof(struct client, notes));
    struct note_call call = { text, note, proof, wanted, a };
    if (text.n > NOTE_MAX) return fail(e, E_TOO_LARGE, "C2SP signed-note", "a note of %zu octets, at most %d", text.n, NOTE_MAX);
    return wait_for(c, &(struct waiting){ .note = &call, .e = e });
}

enum eim_err vault_client_notes(struct note_signer **out, struct signer *client, struct err *e)
{
    struct client *c = (struct client *)client;
    *out = NULL;
    if (!*c->notes_key) return fail(e, E_NOT_FOUND, NULL, "the signer has no key for notes");
    return note_signer_other(out, c->notes_key, &c->notes, e);
}

/* ---- keys ---- */

static const struct client_key *find(const struct client *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->keys[i].name, name) == 0) return &c->keys[i];
    return NULL;
}

static enum eim_err client_public(struct signer *base, const char *key, struct slice *spki, enum curve *curve, struct arena *a, struct err *e)
{
    const struct client_key *k = find((struct client *)base, key);
    if (!k) return fail(e, E_NOT_FOUND, NULL, "no signing key named \"%s\"", key);
    if (curve) *curve = k->curve;
    if (!spki) return OK;
    *spki = arena_copy(a, slice_of(k->spki, k->spki_n));
    return spki->p ? OK : fail(e, E_NOMEM, NULL, "no memory for a key");
}

static bool client_name(struct signer *base, size_t i, char name[SIGNER_NAME_MAX + 1])
{
    const struct client *c = (struct client *)base;
    if (i >= c->n) return false;
    memcpy(name, c->keys[i].name, sizeof c->keys[i].name);
    return true;
}

static void client_close(struct signer *base)
{
    struct client *c = (struct client *)base;
    if (c->fd >= 0) close(c->fd);
    buf_free(&c->frame);
    pthread_cond_destroy(&c->company);
    pthread_mutex_destroy(&c->lock);
    mem_free(c->keys);
    mem_free(c);
}

static const struct signer_ops client_ops = { .sign = client_sign, .public = client_public, .name = client_name, .close = client_close };

static enum eim_err ask_keys(struct client *c, struct err *e)
{
    struct wire w;
    wire_begin(&c->frame, VAULT_KEYS);
    wire_put(&c->frame, VAULT_VERSION, 2);
    TRY(call(c, VAULT_KEYS, &w, e));
    if (wire_get(&w, 2) != VAULT_VERSION) return fail(e, E_INVALID, NULL, "eimd and eimsigner are of different releases");
    size_t n = (size_t)wire_get(&w, 2);
    if (n > SIGNER_KEYS) return fail(e, E_MALFORMED, NULL, "the signer names more than %d keys", SIGNER_KEYS);
    c->keys = MEM_ARRAY(struct client_key, n + 1);
    if (!c->keys) return fail(e, E_NOMEM, NULL, "no memory for the keys");
    for (c->n = 0; c->n < n; c->n++) {
        struct client_key *k = &c->keys[c->n];
        struct slice name = wire_get_text(&w, SIGNER_NAME_MAX);
        k->curve = (enum curve)wire_get(&w, 1);
        struct slice spki = wire_get_text(&w, SPKI_MAX);
        if (w.bad) break;
        memcpy(k->name, name.p, name.n);
        memcpy(k->spki, spki.p, spki.n);
        k->spki_n = spki.n;
    }
    struct slice notes = wire_get_text(&w, NOTE_KEY_MAX);
    if (!wire_done(&w)) return fail(e, E_MALFORMED, NULL, "the signer's keys cannot be read");
    if (notes.n) memcpy(c->notes_key, notes.p, notes.n);
    return OK;
}

enum eim_err vault_client_open(struct signer **out, int fd, struct err *e)
{
    struct client *c = MEM_NEW(struct client);
    *out = NULL;
    if (!c) {
        close(fd);
        return fail(e, E_NOMEM, NULL, "no memory for the signer");
    }
    c->base.ops = &client_ops;
    c->notes.sign = client_note;
    c->fd = fd;
    c->last = &c->first;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->company, NULL);
    buf_init(&c->frame, VAULT_FRAME_MAX);
    enum eim_err rc = ask_keys(c, e);
    if (rc == OK) *out = &c->base;
    else client_close(&c->base);
    return rc;
}
