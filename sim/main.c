/* main.c -- eimsim: simulated eUICCs and IPAs on the command line. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/env.h"
#include "sim/cmd.h"
#include "sim/fleet.h"

static const struct command {
    const char *name, *args, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "pki", "--out DIR [--curve P-256|brainpoolP256r1]", "make a CI and an EUM: ci.pem, ci.key, eum.pem, eum.key", cmd_pki },
    { "enrolment", "--devices N --seed S --pki DIR [--first I] [--format jsonl|csv] [--pin]", "print the lines that enrol a fleet", cmd_enrolment },
    { "show", "--seed S --device I", "print EID and ICCIDs of one device", cmd_show },
    { "quirks", "", "list the misbehaviours", cmd_quirks },
    { "fleet", "--url URL --cacert FILE --pki DIR --eim-config FILE --devices N --seed S ...", "simulate devices (fleet --help)", cmd_fleet },
    { "ipa", "--pki DIR --eim-config FILE --certificate PEM --key PEM [--seed S] [--device I] [--listen PORT] [--later] [--coap]",
      "one device that the eIM can reach on 127.0.0.1; --later: results come at its next contact, which it never makes", cmd_ipa },
    { "smdp", "--pki DIR [--listen PORT] [--host NAME] [--matching-id ID] [--confirm CODE] [--package BYTES] [--seed S] [--prefix DIGITS]\n"
      "       [--loops N] [--event ADDRESS [--event-id ID]] [--es2 OPERATORS.pem]",
      "an SM-DP+ on 127.0.0.1: ES9+ over HTTPS, its certificates made under the CI; GET /state, POST /fault/FUNCTION/FAULT; --event: an SM-DS\n"
      "       that sends all there; --es2: profiles can be ordered over ES2+ by who has one of these client certificates", cmd_smdp },
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

bool cmd_number(const char *option, const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] < '0' || text[0] > '9' || v > max) {
        fprintf(stderr, "eimsim: %s: \"%s\" is no number from 0 to %llu\n", option, text, (unsigned long long)max);
        return false;
    }
    *out = v;
    return true;
}

int cmd_failed(const struct err *e)
{
    fprintf(stderr, "eimsim: %s: %s%s%s\n", err_title(e->code), e->why, e->clause ? " - " : "", e->clause ? e->clause : "");
    return 1;
}

int cmd_misused(const char *command)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, command) == 0)
            fprintf(stderr, "usage: eimsim %s %s\n", command, commands[i].args);
    return 2;
}

int cmd_pki(int argc, char **argv)
{
    static const struct option options[] = { { "out", 1, NULL, 'o' }, { "curve", 1, NULL, 'c' }, { 0 } };
    const char *out = NULL;
    enum curve curve = CURVE_P256;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'o')
            out = optarg;
        else if (o == 'c')
            curve = curve_named(optarg);
        else
            return cmd_misused("pki");
    }
    if (!out || curve == CURVE_NONE || optind != argc)
        return cmd_misused("pki");
    struct env env;
    struct err e = { 0 };
    struct sim_pki p;
    env_real(&env);
    if (mkdir(out, 0755) != 0 && errno != EEXIST) {
        fprintf(stderr, "eimsim: %s: %s\n", out, strerror(errno));
        return 1;
    }
    enum eim_err rc = sim_pki_make(&p, curve, env.now(&env) - INT64_C(86400) * 1000000, &e);
    if (rc != OK)
        return cmd_failed(&e);
    rc = sim_pki_save(&p, out, &e);
    sim_pki_free(&p);
    return rc == OK ? 0 : cmd_failed(&e);
}

/* One line of the eIM's import: the EID, a site, and the public key if a person is to vouch for it. */
static bool print_enrolment(const struct sim_pki *pki, uint64_t seed, uint64_t index, bool csv, bool pin, struct arena *a)
{
    uint8_t eid[SIM_EID];
    char digits[2 * SIM_EID + 1], key[4 * SPKI_MAX] = "";
    sim_eid_make(seed, index, eid);
    slice_hex(slice_of(eid, SIM_EID), false, digits);
    if (pin) {
        struct err e = { 0 };
        struct private_key *k;
        struct slice spki;
        if (sim_pki_device_key(pki, seed, eid, &k, &e) != OK)
            return cmd_failed(&e), false;
        enum eim_err rc = public_key_spki(private_key_public(k), &spki, a, &e);
        private_key_free(k);
        if (rc != OK)
            return cmd_failed(&e), false;
        slice_to_b64(spki, key);
    }
    unsigned site = (unsigned)(sim_mix(seed, index) % 20);
    if (csv)
        return printf(pin ? "%s,site-%02u,%s\n" : "%s,site-%02u%s\n", digits, site, key) > 0;
    return printf("{\"eid\":\"%s\",\"labels\":{\"site\":\"site-%02u\"}%s%s%s}\n", digits, site, pin ? ",\"public_key\":\"" : "", key,
                  pin ? "\"" : "") > 0;
}

int cmd_enrolment(int argc, char **argv)
{
    static const struct option options[] = { { "devices", 1, NULL, 'n' }, { "seed", 1, NULL, 's' }, { "pki", 1, NULL, 'p' },
                                             { "first", 1, NULL, 'i' }, { "format", 1, NULL, 'f' }, { "pin", 0, NULL, 'k' }, { 0 } };
    uint64_t devices = 0, seed = 1, first = 0;
    const char *dir = NULL;
    bool csv = false, pin = false, good = true;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'n': good &= cmd_number("--devices", optarg, SIM_DEVICES_MAX, &devices); break;
        case 's': good &= cmd_number("--seed", optarg, UINT64_MAX, &seed); break;
        case 'i': good &= cmd_number("--first", optarg, SIM_DEVICES_MAX, &first); break;
        case 'p': dir = optarg; break;
        case 'f': csv = strcmp(optarg, "csv") == 0; good &= csv || strcmp(optarg, "jsonl") == 0; break;
        case 'k': pin = true; break;
        default: good = false;
        }
    }
    if (!good || devices == 0 || (pin && !dir) || optind != argc)
        return cmd_misused("enrolment");
    struct err e = { 0 };
    struct sim_pki pki = { 0 };
    if (pin && sim_pki_load(&pki, dir, &e) != OK)
        return cmd_failed(&e);
    struct arena a;
    arena_init(&a, 64 * 1024);
    if (csv)
        printf(pin ? "eid,label.site,public_key\n" : "eid,label.site\n");
    for (uint64_t i = first; i < first + devices && good; i++) {
        arena_reset(&a);
        good = print_enrolment(&pki, seed, i, csv, pin, &a);
    }
    good &= fflush(stdout) == 0;
    arena_free(&a);
    sim_pki_free(&pki);
    return good ? 0 : 1;
}

int cmd_show(int argc, char **argv)
{
    static const struct option options[] = { { "seed", 1, NULL, 's' }, { "device", 1, NULL, 'd' }, { 0 } };
    uint64_t seed = 1, index = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!(o == 's' ? cmd_number("--seed", optarg, UINT64_MAX, &seed)
              : o == 'd' && cmd_number("--device", optarg, SIM_DEVICES_MAX, &index)))
            return cmd_misused("show");
    struct sim_world w;
    struct sim_device d;
    struct sim_ipa_config config = { 0 };
    char text[2 * SIM_EID + 1];
    sim_world_init(&w, NULL, NULL);
    sim_device_init(&d, &w, &config, seed, index);
    slice_hex(slice_of(d.card.eid, SIM_EID), false, text);
    printf("EID    %s\n", text);
    for (unsigned i = 0; i < SIM_PROFILES; i++)
        if (d.card.profiles[i].flags & SIM_USED) {
            sim_iccid_text(d.card.profiles[i].iccid, text);
            printf("ICCID  %-20s  %s%s\n", text, w.operators[d.card.profiles[i].operator_].name,
                   d.card.profiles[i].flags & SIM_ENABLED ? ", enabled" : "");
        }
    sim_device_free(&d);
    sim_world_free(&w);
    return 0;
}

int cmd_quirks(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (unsigned i = 0; i < SIM_QUIRK_COUNT; i++)
        printf("%-20s %s\n", sim_quirk_name(i), sim_quirk_help(i));
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    FILE *f = asked ? stdout : stderr;
    fprintf(f, "usage: eimsim COMMAND ...\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(f, "  %-10s %s\n  %-10s   %s\n", commands[i].name, commands[i].args, "", commands[i].help);
    return asked ? 0 : 2;
}
