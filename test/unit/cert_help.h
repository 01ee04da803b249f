/* cert_help.h -- what the tests of certificates share: files, and a good chain to start from. */
#ifndef TEST_UNIT_CERT_HELP_H
#define TEST_UNIT_CERT_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/env.h"
#include "base/file.h"
#include "crypto/certmake.h"
#include "test/lib/test.h"
#include "test/lib/tmpdir.h"
#include "test/lib/vectors.h"

enum { SECOND = 1000000 };
static const int64_t now = INT64_C(1795392000) * SECOND;       /* 2026-11-23 */
static const int64_t day = INT64_C(86400) * SECOND;

static struct arena arena;
static struct err e;

static inline int fresh(void **state)
{
    (void)state;
    arena_free(&arena);
    arena_init(&arena, 16 << 20);
    e = (struct err){ 0 };
    return 0;
}

__attribute__((format(printf, 1, 2)))
static inline int run(const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return system(line);
}

static inline const char *put_file(const char *dir, const char *name, struct slice s)
{
    const char *path = tmp_path(dir, name);
    unlink(path);
    assert_ok(file_write_new(path, 0644, s, &e));
    return path;
}

static inline struct slice get_file(const char *dir, const char *name)
{
    uint8_t text[CERT_PEM_MAX];
    size_t n;
    assert_ok(file_read(tmp_path(dir, name), false, text, sizeof text, &n, &e));
    return arena_copy(&arena, (struct slice){ text, n });
}

static inline struct slice put_pem(const char *dir, const char *name, struct slice der)
{
    struct slice pem;
    assert_ok(cert_to_pem(der, &pem, &arena, &e));
    put_file(dir, name, pem);
    return pem;
}

static const uint8_t eid_ok[16] = { 0x89, 0x04, 0x90, 0x32, 0, 0x14, 0x39, 0x87, 0x54, 0x28, 0x34, 0x33, 0x51, 0x41, 0x71, 0x86 };
static const char eid_digits[] = "89049032001439875428343351417186";
static const char org[] = "Test EUM";

struct made {
    struct private_key *ci_key, *eum_key, *euicc_key;
    struct slice ci, eum, euicc;
};

static inline void make_keys(struct made *m, enum curve c)
{
    assert_ok(private_key_generate(&m->ci_key, c, &e));
    assert_ok(private_key_generate(&m->eum_key, c, &e));
    assert_ok(private_key_generate(&m->euicc_key, c, &e));
}

static inline void make_chain(struct made *m, enum curve c)
{
    make_keys(m, c);
    assert_ok(certmake_ci(&m->ci, m->ci_key, "Test Root", "Test CI", now - day, &arena, &e));
    assert_ok(certmake_eum(&m->eum, private_key_public(m->eum_key), org, "Test EUM CA", "89049032", now - day, m->ci_key, m->ci,
                           &arena, &e));
    assert_ok(certmake_euicc(&m->euicc, private_key_public(m->euicc_key), org, "card", eid_ok, now - day, m->eum_key, m->eum,
                             &arena, &e));
}

static inline void free_keys(struct made *m)
{
    private_key_free(m->ci_key);
    private_key_free(m->eum_key);
    private_key_free(m->euicc_key);
}

#endif
