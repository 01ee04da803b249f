/* eimsigner.c -- the program that holds the keys that sign eUICC packages. eimd starts it; people do not.
 *
 * In this order: no core dumps and no new privileges; as root, become the owner of the key folder; keys and journal are opened; everything
 * else is given up (vault/jail.h); then questions are answered until eimd closes the socket. */
#include "app/system.h"
#include "base/env.h"
#include "base/log.h"
#include "vault/jail.h"
#include "vault/vault.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SOCKET = 3, ARENA_CAP = 64 * 1024, EXIT_USAGE = 2 };

static const char usage[] =
    "eimsigner -- signs eUICC packages for eimd, which starts it by itself ([signer] process = yes)\n"
    "\n"
    "  eimsigner --keys DIR --journal DIR [--notes FILE --name NAME] [--lists N] [--changes N]\n"
    "\n"
    "  eimsigner --verify DIR [--since CHAIN]      for auditors: is the journal in this folder whole, and does it hold the line with this chain?\n"
    "\n"
    "Speaks over descriptor 3. FILE: the key that signs notes as NAME (heads of audit logs, exports). N: packages a minute, 0 = any number.\n"
    "\n"
    "Exit status: 0 when eimd has closed the socket, or the journal is whole, 1 failure, 2 wrong usage, keys or journal.\n";

struct asked {
    const char *keys, *journal, *notes, *name, *verify, *since;
    struct guard_rates rates;
};

static bool read_rate(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(s, &end, 10);
    return !errno && end != s && !*end && *out >= 0 && *out <= 100000000;
}

static bool read_options(int argc, char **argv, struct asked *a)
{
    static const struct option options[] = {
        { "keys", required_argument, NULL, 'k' }, { "journal", required_argument, NULL, 'j' }, { "lists", required_argument, NULL, 'l' },
        { "changes", required_argument, NULL, 'c' }, { "notes", required_argument, NULL, 'n' }, { "name", required_argument, NULL, 'N' },
        { "verify", required_argument, NULL, 'v' }, { "since", required_argument, NULL, 's' }, { 0 },
    };
    *a = (struct asked){ 0 };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'k': a->keys = optarg; break;
        case 'j': a->journal = optarg; break;
        case 'v': a->verify = optarg; break;
        case 's': a->since = optarg; break;
        case 'n': a->notes = optarg; break;
        case 'N': a->name = optarg; break;
        case 'l': if (!read_rate(optarg, &a->rates.lists)) return false; break;
        case 'c': if (!read_rate(optarg, &a->rates.changes)) return false; break;
        default: return false;
        }
    }
    if (a->verify) return optind == argc && !a->keys && !a->journal && !a->notes && !a->name;
    return optind == argc && !a->since && a->keys && a->journal && !a->notes == !a->name;
}

/* The journal, and the key of the notes with its folder, belong to whom the keys belong to. */
static enum eim_err give(const struct asked *asked, const char *path, struct err *e)
{
    struct stat keys;
    if (geteuid() != 0) return OK;
    if (stat(asked->keys, &keys) != 0) return fail(e, E_IO, NULL, "%s: %s", asked->keys, strerror(errno));
    if (lchown(path, keys.st_uid, keys.st_gid) != 0 && errno != ENOENT) return fail(e, E_IO, NULL, "%s: %s", path, strerror(errno));
    return OK;
}

static enum eim_err folders(const struct asked *asked, struct arena *a, struct err *e)
{
    TRY(system_folder(asked->journal, e));
    TRY(give(asked, asked->journal, e));
    if (!asked->notes) return OK;
    const char *slash = strrchr(asked->notes, '/');
    char *folder = arena_str(a, slash ? slice_of(asked->notes, (size_t)(slash - asked->notes)) : SLICE("."));
    if (!folder) return fail(e, E_NOMEM, NULL, "no memory");
    TRY(system_folder(folder, e));
    TRY(give(asked, folder, e));
    return give(asked, asked->notes, e);
}

/* What OpenSSL does at a first signature (files, tables), and libc at a first log line (its time zone), they do before the doors close. */
static enum eim_err warm_up(struct signer *s, const struct note_signer *notes, struct arena *a, struct err *e)
{
    struct slice note;
    char name[SIGNER_NAME_MAX + 1];
    tzset();
    for (size_t i = 0; signer_name(s, i, name); i++) {
        struct sign_request r = { .key = name, .tbs = SLICE("warm up") };
        TRY(signer_sign(s, &r, 1, e));
        digest_wipe(r.sig, sizeof r.sig);
    }
    return notes ? note_sign(notes, SLICE("warm up\n"), &note, a, e) : OK;
}

static enum eim_err open_all(struct vault *v, const struct asked *asked, struct arena *a, struct err *e)
{
    struct journal_report report;
    struct jail_report jail;
    const char *who;
    TRY(system_harden(e));
    if (signer_lock_memory(e) != OK) {
        log_msg(LOG_WARN, "signer", "%s", e->why);
        *e = (struct err){ 0 };
    }
    TRY(folders(asked, a, e));
    TRY(system_drop(asked->keys, "", &who, a, e));
    TRY(jail_private(e));
    TRY(signer_open_dir(&v->signer, asked->keys, e));
    if (asked->notes) TRY(note_signer_open(&v->notes, asked->notes, asked->name, e));
    TRY(guard_new(&v->guard, &asked->rates, e));
    TRY(journal_open(&v->journal, asked->journal, v->guard, JOURNAL_ROTATE, &report, e));
    TRY(warm_up(v->signer, v->notes, a, e));
    if (report.torn) log_msg(LOG_WARN, "signer", "%" PRIu64 " octets at the end of the journal were half written, and are cut off", report.torn);
    TRY(jail_close(&jail, e));
    log_msg(LOG_INFO, "signer", "ready: journal %" PRIu64 " with %" PRIu64 " lines, %zu associations; seccomp is on, Landlock %s", report.number, report.lines,
            guard_count(v->guard), jail.landlock ? "is on" : "is not in this kernel");
    return OK;
}

static int verify(const struct asked *asked)
{
    struct err e = { 0 };
    struct journal_account a;
    uint8_t since[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    if (asked->since && slice_unhex(slice_str(asked->since), since, sizeof since) != SHA256_SIZE) {
        fprintf(stderr, "eimsigner: --since is a chain: 64 hex digits\n");
        return EXIT_USAGE;
    }
    enum eim_err rc = journal_verify(asked->verify, asked->since ? since : NULL, &a, &e);
    if (rc != OK) {
        fprintf(stderr, "eimsigner: %s\n", e.why[0] ? e.why : err_title(rc));
        return EXIT_FAILURE;
    }
    slice_hex(slice_of(a.chain, sizeof a.chain), false, hex);
    printf("whole: files %" PRIu64 " to %" PRIu64 ", %" PRIu64 " lines, %" PRIu64 " packages and %" PRIu64 " notes signed\nchain %s\n", a.first, a.last,
           a.lines, a.packages, a.notes, hex);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    struct asked asked;
    struct env env;
    struct arena a;
    if (!read_options(argc, argv, &asked)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (asked.verify) return verify(&asked);
    env_real(&env);
    arena_init(&a, ARENA_CAP);
    struct vault v = { .env = &env, .name = asked.name };
    bool ready = false;
    enum eim_err rc = open_all(&v, &asked, &a, &e);
    if (rc == OK) {
        ready = true;
        rc = vault_serve(&v, SOCKET, &e);
    }
    if (rc != OK) log_msg(LOG_ERROR, "signer", "%s", e.why[0] ? e.why : err_title(rc));
    journal_close(v.journal);
    guard_free(v.guard);
    signer_close(v.signer);
    note_signer_free(v.notes);
    arena_free(&a);
    _exit(rc == OK ? EXIT_SUCCESS : ready ? EXIT_FAILURE : EXIT_USAGE);        /* nothing of libc's end needs what the jail has taken */
}
