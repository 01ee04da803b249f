/* auditlog.c -- the audit log: entries sequenced a second, and an export of it for the verifier to be measured with.
 *
 * usage: auditlog STORE-URL ENTRIES KEY.pem [EXPORT] */
#include "base/env.h"
#include "base/json.h"
#include "trust/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { A_JOB = 1000 };

struct put { struct store_job job; int64_t from; };

/* A line as long as the usual one: of an operation that is done. */
static int line(char *out, size_t room, int64_t id)
{
    return snprintf(out, room, "{\"id\":\"aud_%016" PRIx64 "\",\"at\":\"2026-11-23T01:31:29.412Z\",\"tenant\":1,\"principal\":\"device\","
                    "\"action\":\"operation.done\","
                    "\"eid\":\"8904903200000000%014" PRId64 "00\",\"operation\":\"op_%016" PRIx64 "\",\"counter\":42,\"state\":\"done\","
                    "\"sha256\":\"%064" PRIx64 "\"}", (uint64_t)id, id, (uint64_t)id, (uint64_t)id);
}

static enum eim_err put(struct tx *t, struct store_job *job, struct err *e)
{
    struct put *p = (struct put *)job;
    char text[512];
    for (int64_t id = p->from; id < p->from + A_JOB; id++) TRY(store_audit_append(t, 1, id, id, slice_of(text, (size_t)line(text, sizeof text, id)), e));
    return OK;
}

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int stop(const char *what, const struct err *e)
{
    fprintf(stderr, "auditlog: %s: %s\n", what, e->why);
    return 1;
}

/* Header, lines, trailer, as eimctl writes them (doc/audit.md). */
static enum eim_err export(const struct audit_log *l, const char *path, int64_t n, struct err *e)
{
    struct arena a;
    struct audit_head head;
    FILE *f = fopen(path, "w");
    char text[512];
    if (!f) return fail(e, E_IO, NULL, "%s cannot be written", path);
    arena_init(&a, 1 << 20);
    enum eim_err rc = audit_log_head(l, 1, &head, &a, e);
    fprintf(f, "{\"eimd_audit_export\":1,\"key\":\"%s\",\"first\":0,\"edge\":[]}\n", note_signer_key(l->signer));
    for (int64_t id = 1; rc == OK && id <= n; id++) {
        line(text, sizeof text, id);
        fprintf(f, "%s\n", text);
    }
    json_t *o = rc == OK ? json_pack("{s:s%}", "head", (const char *)head.note.p, head.note.n) : NULL;
    if (o) json_dumpf(o, f, JSON_COMPACT);
    fputc('\n', f);
    json_decref(o);
    arena_free(&a);
    return fclose(f) == 0 ? rc : fail(e, E_IO, NULL, "%s cannot be written", path);
}

int main(int argc, char **argv)
{
    struct env env;
    struct err e = { 0 };
    struct host host = { .env = &env };
    struct note_signer *signer;
    if (argc < 4) return 2;
    int64_t n = strtoll(argv[2], NULL, 10) / A_JOB * A_JOB;
    size_t done;
    env_real(&env);
    if (store_open(&host.store, &(struct store_options){ .url = argv[1] }, &e) != OK) return stop("store", &e);
    if (note_signer_open(&signer, argv[3], "bench", &e) != OK) return stop("key", &e);
    const struct audit_log log = { .host = &host, .signer = signer, .name = "bench" };
    for (int64_t id = 1; id <= n; id += A_JOB) {
        struct put p = { { .apply = put }, id };
        if (store_run(host.store, &p.job, &e) != OK) return stop("entries", &e);
    }
    double begun = wall();
    if (audit_log_turn(&log, &done, &e) != OK) return stop("sequencing", &e);
    double took = wall() - begun;
    if (done != (size_t)n) return stop("not all were sequenced", &e);
    printf("per_s %.0f\n", (double)n / took);
    if (argc > 4 && export(&log, argv[4], n, &e) != OK) return stop("export", &e);
    store_close(host.store);
    note_signer_free(signer);
    return 0;
}
