/* fuzz_vault.c -- what a network process that was taken over can say to eimsigner, and what may lie in its journal's folder.
 *
 * The first octet chooses: 0 messages on the socket, 1 a package, 2 a note, 3 the newest file of the journal. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asn1/sgp32.h"
#include "base/env.h"
#include "base/file.h"
#include "test/fuzz/replay.h"
#include "vault/vault.h"
#include "vault/wire.h"

#define need(good) do { if (!(good)) abort(); } while (0)

enum { INPUT_MAX = 16384, ANSWERS_MAX = 65536 };

static char folder[] = "/tmp/fuzz_vault.XXXXXX", keys[64], journal[64];
static uint8_t secret[32];                             /* the private scalar of the one key */
static struct signer *signer;
static struct note_signer *notes;
static struct env env;

static void tidy(void)
{
    char path[128];
    for (int i = 1; i < 4; i++) {
        snprintf(path, sizeof path, "%s/journal-%06d.log", journal, i);
        unlink(path);
    }
}

static void leave(void)
{
    char path[128];
    tidy();
    snprintf(path, sizeof path, "%s/k.pem", keys);
    unlink(path);
    signer_close(signer);
    note_signer_free(notes);
    rmdir(keys);
    rmdir(journal);
    rmdir(folder);
}

static void begin(void)
{
    struct err e = { 0 };
    struct private_key *k;
    char path[128];
    if (signer) return;
    signal(SIGPIPE, SIG_IGN);
    need(mkdtemp(folder) != NULL);
    atexit(leave);
    snprintf(keys, sizeof keys, "%s/keys", folder);
    snprintf(journal, sizeof journal, "%s/log", folder);
    need(mkdir(keys, 0700) == 0 && mkdir(journal, 0700) == 0);
    snprintf(path, sizeof path, "%s/k.pem", keys);
    need(private_key_generate(&k, CURVE_P256, &e) == OK && private_key_save(k, path, &e) == OK && private_key_scalar(k, secret, &e) == OK);
    private_key_free(k);
    need(signer_open_dir(&signer, keys, &e) == OK);
    snprintf(path, sizeof path, "%s/note", folder);
    need(note_signer_open(&notes, path, "eim.test", &e) == OK);
    unlink(path);
    env_real(&env);
}

/* Whatever is said: an answer never holds the key, and the process ends as its header says. */
static void messages(const uint8_t *p, size_t n)
{
    struct err e = { 0 };
    struct vault v = { .signer = signer, .notes = notes, .env = &env, .name = "eim.test" };
    struct journal_report r;
    static uint8_t answers[ANSWERS_MAX];
    int sv[2];
    size_t got = 0;
    if (n > INPUT_MAX) return;
    need(guard_new(&v.guard, &(struct guard_rates){ 0 }, &e) == OK && journal_open(&v.journal, journal, v.guard, JOURNAL_ROTATE, &r, &e) == OK);
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0 && write(sv[0], p, n) == (ssize_t)n && shutdown(sv[0], SHUT_WR) == 0);
    enum eim_err rc = vault_serve(&v, sv[1], &e);
    need(rc == OK || rc == E_IO || rc == E_TOO_LARGE);
    close(sv[1]);
    for (ssize_t m; got < sizeof answers && (m = read(sv[0], answers + got, sizeof answers - got)) > 0;) got += (size_t)m;
    need(!memmem(answers, got, secret, sizeof secret));
    close(sv[0]);
    journal_close(v.journal);
    guard_free(v.guard);
    need(guard_new(&v.guard, &(struct guard_rates){ 0 }, &e) == OK && journal_open(&v.journal, journal, v.guard, JOURNAL_ROTATE, &r, &e) == OK);
    need(!r.torn);                                     /* what it writes it can read */
    journal_close(v.journal);
    guard_free(v.guard);
    tidy();
}

/* What is signed is a package to the last octet. */
static void package(const uint8_t *p, size_t n)
{
    struct err e = { 0 };
    struct arena a;
    struct guard_package g;
    struct euicc_package_signed s;
    arena_init(&a, 1 << 20);
    if (guard_read(slice_of(p, n), SLICE(""), &g, &a, &e) == OK) {
        need(der_decode(&euicc_package_signed_type, slice_of(p, n), &s, &a, &e) == OK && der_has(&s, euicc_package_signed, eim_transaction_id));
        need(g.operations && g.counter == s.counter_value && !memcmp(g.eid, s.eid_value.p, sizeof g.eid));
        struct slice plain = der_encode(&euicc_package_signed_type, &s, &a), whole = der_encode_certs_whole(&euicc_package_signed_type, &s, &a);
        need(slice_eq(plain, slice_of(p, n)) || slice_eq(whole, slice_of(p, n)));
    }
    arena_free(&a);
}

static void note(const uint8_t *p, size_t n)
{
    struct err e = { 0 };
    struct guard_head h;
    if (guard_read_note(slice_of(p, n), "eim.test", "key", &h, &e) == OK)
        need(n > 9 && p[n - 1] == '\n' && !memcmp(p, "eim.test/", 9) && (h.log ? h.size > 0 : h.size == 0));
}

static void file(const uint8_t *p, size_t n)
{
    struct err e = { 0 };
    struct guard *g;
    struct journal *j;
    struct journal_report r;
    char path[128];
    snprintf(path, sizeof path, "%s/journal-000001.log", journal);
    need(file_write_new(path, 0600, slice_of(p, n), &e) == OK && guard_new(&g, &(struct guard_rates){ 0 }, &e) == OK);
    enum eim_err rc = journal_open(&j, journal, g, JOURNAL_ROTATE, &r, &e);
    need(rc == OK || rc == E_MISMATCH);
    journal_close(j);
    guard_free(g);
    tidy();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    begin();
    if (!n) return 0;
    switch (p[0]) {
    case 0: messages(p + 1, n - 1); break;
    case 1: package(p + 1, n - 1); break;
    case 2: note(p + 1, n - 1); break;
    case 3: file(p + 1, n - 1); break;
    default: break;
    }
    return 0;
}
