/* door_rig.h -- a door of ESipa with a real eIM and store (SQLite, written inline) behind it and no network before it: the program has
 * its own http_reply_send and work_submit, and hands requests in as net would. */
#ifndef TEST_UNIT_DOOR_RIG_H
#define TEST_UNIT_DOOR_RIG_H

#include "test/lib/test.h"
#include "test/lib/tmpdir.h"

#include "base/env.h"
#include "crypto/cert.h"
#include "crypto/signer.h"
#include "eim/eim.h"
#include "front/esipa_door.h"
#include "net/work.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const int64_t START = 1795390000000000;

struct fixture {
    struct env_virtual env;
    struct host host;
    struct eim *eim;
    struct esipa_door door;
    struct arena arena;
    int replies;                       /* of the last request: must be one */
    struct http_reply reply;
    bool full;                         /* the queue takes nothing */
};
static struct fixture f;

void http_reply_send(struct http_exchange *x, const struct http_reply *r)
{
    (void)x;
    f.replies++;
    f.reply = *r;
}

bool work_submit(struct work *w, void (*run)(void *arg, const struct work_thread *t), void *arg)
{
    struct work_thread t = { 0 };
    (void)w;
    if (f.full) return false;
    run(arg, &t);
    return true;
}

static enum eim_err put_identity(struct tx *t, struct store_job *job, struct err *e)
{
    (void)job;
    struct identity id = { .id = 1, .tenant = 1, .eim_id = SLICE("eim.test"), .eim_id_type = 2, .fqdn = SLICE("eim.test"),
                           .signing_key = SLICE("eim"), .association_key = { 1, 2, 3 } };
    return store_identity_put(t, &id, e);
}

static int setup(void **state)
{
    static char url[200], keys[200];
    struct err e = { 0 };
    const char *dir = tmp_make();
    struct cert_trust *trust;
    f = (struct fixture){ .host.env = &f.env.env };
    env_virtual(&f.env, START, 3);
    arena_init(&f.arena, 1 << 20);
    snprintf(url, sizeof url, "sqlite:%s", tmp_path(dir, "eimd.db"));
    snprintf(keys, sizeof keys, "%s", tmp_path(dir, "keys"));
    assert_int_equal(mkdir(keys, 0700), 0);
    assert_ok(signer_generate(tmp_path(keys, "eim.pem"), CURVE_P256, &e));
    assert_ok(signer_open_dir(&f.host.signer, keys, &e));
    assert_ok(store_open(&f.host.store, &(struct store_options){ .url = url, .inline_writes = true }, &e));
    struct store_job job = { .apply = put_identity };
    assert_ok(store_run(f.host.store, &job, &e));
    assert_ok(cert_trust_from(&trust, NULL, 0, &e));
    assert_ok(eim_open(&f.eim, &f.host, &eim_settings_default, trust, &e));
    f.door = (struct esipa_door){ .eim = f.eim, .env = &f.env.env, .retry_after_s = 7 };
    *state = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    eim_close(f.eim);
    store_close(f.host.store);
    signer_close(f.host.signer);
    arena_free(&f.arena);
    return 0;
}

static const char *header(const char *name)
{
    for (int i = 0; i < f.reply.n_headers; i++)
        if (strcasecmp(f.reply.headers[i].name, name) == 0) return f.reply.headers[i].value;
    return NULL;
}

#endif
