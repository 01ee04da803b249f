/* eimd.c -- the server's main: what the command line asks for, and the signals. */
#include "app/init.h"
#include "app/server.h"
#include "app/system.h"
#include "base/env.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, SETTINGS_TEXT_MAX = 256 * 1024, ARENA_CAP = 1 << 20 };

static const char usage[] =
    "eimd -- an eSIM IoT remote Manager (GSMA SGP.32)\n"
    "\n"
    "  eimd init --data DIR [--fqdn NAME]   make what a server needs; what exists stays\n"
    "  eimd --data DIR                      serve until SIGTERM or SIGINT; SIGHUP reads settings, certificates and roots again\n"
    "  eimd --data DIR --check              check the settings and print what is in force\n"
    "\n"
    "  --device-port N, --api-port N        instead of the ports in eimd.conf; 0 = any free one\n"
    "  --restored                           the store is an older copy: raise every counter before serving\n"
    "  --foreground                         the default: eimd never goes to the background by itself\n"
    "  --version, --help\n"
    "\n"
    "When it serves, one line stands on standard output: ready device=ADDRESS:PORT api=ADDRESS:PORT\n"
    "Exit status: 0 as asked, 1 failure, 2 wrong usage or settings.\n";

enum option_code { OPT_DATA = 256, OPT_FQDN, OPT_DEVICE_PORT, OPT_API_PORT, OPT_CHECK, OPT_RESTORED, OPT_FOREGROUND, OPT_VERSION, OPT_HELP };

static const struct option options[] = {
    { "data", required_argument, NULL, OPT_DATA },               { "fqdn", required_argument, NULL, OPT_FQDN },
    { "device-port", required_argument, NULL, OPT_DEVICE_PORT }, { "api-port", required_argument, NULL, OPT_API_PORT },
    { "check", no_argument, NULL, OPT_CHECK },                   { "restored", no_argument, NULL, OPT_RESTORED },
    { "foreground", no_argument, NULL, OPT_FOREGROUND },         { "version", no_argument, NULL, OPT_VERSION },
    { "help", no_argument, NULL, OPT_HELP },                     { 0 },
};

struct asked {
    struct server_options server;
    const char *fqdn;
    bool init, check, version, help;
};

static int failure(enum eim_err rc, const struct err *e)
{
    fprintf(stderr, "eimd: %s\n", e->why[0] ? e->why : err_title(rc));
    return rc == E_CONF || rc == E_NOT_FOUND || rc == E_TOO_LARGE ? EXIT_USAGE : EXIT_FAILURE;
}

static bool read_port(const char *s, int *out)
{
    int v = 0;
    if (!*s || strlen(s) > 5) return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return false;
        v = v * 10 + (*s - '0');
    }
    *out = v;
    return v <= 65535;
}

static bool read_options(int argc, char **argv, struct asked *a)
{
    *a = (struct asked){ .server = { .device_port = -1, .api_port = -1 } };
    if (argc > 1 && strcmp(argv[1], "init") == 0) {
        a->init = true;
        argc--;
        argv++;
    }
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case OPT_DATA: a->server.data = optarg; break;
        case OPT_FQDN: a->fqdn = optarg; good = a->init; break;
        case OPT_DEVICE_PORT: good = read_port(optarg, &a->server.device_port) && !a->init; break;
        case OPT_API_PORT: good = read_port(optarg, &a->server.api_port) && !a->init; break;
        case OPT_CHECK: a->check = true; good = !a->init; break;
        case OPT_RESTORED: a->server.restored = true; good = !a->init; break;
        case OPT_FOREGROUND: break;
        case OPT_VERSION: a->version = true; break;
        case OPT_HELP: a->help = true; break;
        default: return false;
        }
        if (!good) fprintf(stderr, "eimd: --%s is wrong here, or its value is\n", options[c - OPT_DATA].name);
    }
    if (good && optind < argc) {
        fprintf(stderr, "eimd: '%s' is too much\n", argv[optind]);
        good = false;
    }
    if (good && !a->version && !a->help && (!a->server.data || !*a->server.data)) {
        fprintf(stderr, "eimd: --data DIR is needed\n");
        good = false;
    }
    return good;
}

static int run_init(const struct asked *asked, struct env *env)
{
    struct err e = { 0 };
    struct arena a;
    char *token;
    arena_init(&a, ARENA_CAP);
    enum eim_err rc = system_harden(&e);
    if (rc == OK) rc = init_data(asked->server.data, asked->fqdn, env, &token, &a, &e);
    if (rc == OK && token) printf("admin token (also in %s/admin.token, shown only now): %s\n", asked->server.data, token);
    else if (rc == OK) printf("%s is complete\n", asked->server.data);
    arena_free(&a);
    return rc == OK ? EXIT_SUCCESS : failure(rc, &e);
}

static int run_check(const struct asked *asked)
{
    struct err e = { 0 };
    struct conf c;
    struct buf text;
    enum eim_err rc = server_settings(&c, &asked->server, &e);
    if (rc != OK) return failure(rc, &e);
    buf_init(&text, SETTINGS_TEXT_MAX);
    conf_print(&c, &text);
    fwrite(text.p, 1, text.n, stdout);
    buf_free(&text);
    conf_free(&c);
    return EXIT_SUCCESS;
}

static int run_server(const struct asked *asked, struct env *env)
{
    struct err e = { 0 };
    struct server *s;
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL);         /* before the first thread: they all inherit it */
    enum eim_err rc = system_harden(&e);
    if (rc == OK) rc = server_start(&s, &asked->server, env, &e);
    if (rc != OK) return failure(rc, &e);
    printf("%s\n", server_ready_line(s));
    fflush(stdout);
    for (int got = 0; got != SIGTERM && got != SIGINT;) {
        if (sigwait(&wanted, &got) != 0) got = SIGTERM;
        if (got == SIGHUP) server_reload(s);
    }
    server_stop(s);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct asked asked;
    struct env env;
    if (!read_options(argc, argv, &asked)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (asked.help) return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (asked.version) return printf("eimd %s\n", EIMD_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    env_real(&env);
    return asked.init ? run_init(&asked, &env) : asked.check ? run_check(&asked) : run_server(&asked, &env);
}
