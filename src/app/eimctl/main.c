/* main.c -- eimctl: the command line over the REST API of eimd, and tools that need no server.
 *
 * The table below is all there is to know: it is searched, checked against and printed as usage. */
#include <errno.h>
#include <stdio.h>

#include "app/eimctl/args.h"
#include "app/eimctl/api.h"
#include "app/eimctl/ctl.h"
#include "app/eimctl/out.h"

static const struct command commands[] = {
    { "device", "list", "[--where EXPR] [--limit N] [--all]", "devices, 100 or N or all of them; --where: those that an expression selects (doc/expr.md)",
      device_list },
    { "device", "count", "[--where EXPR]", "how many devices an expression selects", device_count },
    { "device", "show", "EID", "key, counter, profiles and queue of one device, and where each fact comes from", device_show },
    { "device", "add",
      "EID [--label NAME=VALUE]... [--pin FILE] [--eum FILE] [--euicc FILE] [--token N] [--counter N] [--imei IMEI]",
      "enrol one device; --pin: a public key or certificate that you vouch for; --eum, --euicc: its certificates", device_add },
    { "device", "import", "FILE [--batch N] [--resume]",
      "enrol the devices of a .csv or .jsonl file of any size (- is standard input, JSON lines)", device_import },
    { "device", "reach", "EID [--at URL] [--trust FILE] [--json-binding] [--not]",
      "say where a device's IPA is reached (https://HOST:PORT), by which certificate or CA, or that it is --not", device_reach },
    { "device", "timeline", "EID [--limit N] [--all]", "what happened with a device, newest first", device_timeline },
    { "device", "push", "EID", "push what waits to a device that is reached, now", device_push },
    { "device", "delete", "EID", "forget a device and all that is known of it", device_delete },
    { "operation", "create",
      "EID [--enable ICCID]... [--rollback]... [--disable ICCID]... [--delete ICCID]... [--list]... [--rat]... "
      "[--set-fallback ICCID]... [--unset-fallback]... [--default-dp ADDRESS]... [--immediate-enable SETTINGS]... "
      "[--list-eim]... [--delete-eim EIMID]... [--psmos JSON] [--ecos JSON] [--download WHERE [--confirmation FILE]] [--expires WHEN] "
      "[--override NAME]... [--requires NAME=VALUE]...",
      "order a package of operations, executed in the order given; a file of JSON lines, or -, in place of EID orders many",
      operation_create },
    { "operation", "list", "[--device EID] [--state STATE] [--limit N] [--all]", "operations, newest first", operation_list },
    { "operation", "show", "ID", "one operation, its steps and what came of them", operation_show },
    { "operation", "cancel", "ID", "take back an operation that no device has fetched yet", operation_cancel },
    { "operation", "package", "ID", "the signed package exactly as it left (DER; hex on a terminal)", operation_package },
    { "operation", "result", "ID", "the signed result exactly as it came (DER; hex on a terminal)", operation_result },
    { "operation", "wait", "ID [--timeout SECONDS]", "until it is final; status 0 only when it is done", operation_wait },
    { "notification", "list", "[--state STATE] [--limit N] [--all]",
      "notifications on their way to an SM-DP+: waiting, held, failed, forwarded, dropped; and what stands in the way", notification_list },
    { "notification", "show", "ID", "one of them", notification_show },
    { "notification", "retry", "ID", "try it now, and as long as a new one", notification_retry },
    { "notification", "drop", "ID", "give it up: the SM-DP+ will never get it from us", notification_drop },
    { "quarantine", "set", "--where EXPR --reason TEXT [--dry-run]",
      "sign nothing but inventories for the devices that an expression selects, and ask for a fresh one; --dry-run only counts them", quarantine_set },
    { "quarantine", "lift", "--where EXPR --reason TEXT [--dry-run]", "let them out again", quarantine_lift },
    { "", "interop", "[--maker DIGITS]",
      "what IPAs and cards do otherwise than the specification says, by maker (first 8 digits of the EID): a report for the maker", interop_report },
    { "quirk", "list", "", "known deviations from the specification, what is done about each, and the rules that say which devices have them", quirk_list },
    { "quirk", "add", "NAMES [--maker DIGITS] [--firmware VERSION] [--ipa TEXT] [--note TEXT]",
      "devices of this kind have these quirks (names with commas between): first digits of the EID, the eUICC's firmware, what the User-Agent begins with",
      quirk_add },
    { "quirk", "remove", "ID", "remove a rule", quirk_remove },
    { "quirk", "device", "EID [NAMES]", "this device has these quirks and no others of its own; without NAMES: none", quirk_device },
    { "rotation", "run", "--where EXPR [--tls] [--dry-run]",
      "give each selected device the present signing key (or, with --tls, the certificate to trust): its next step (doc/rotation.md)", rotation_run },
    { "rotation", "say", "EID KEY --reason TEXT", "say which signing key the card has, when no result tells", rotation_say },
    { "handover", "run", "--where EXPR --to FILE [--dry-run]",
      "the next step of giving each selected device to another eIM, whose addEim members are the JSON object in FILE (doc/handover.md)", handover_run },
    { "handover", "proof", "EID EIMID FILE [--token N]",
      "show that it controls the card by a result (BF51, DER) that the card signed for it", handover_proof },
    { "handover", "confirm", "EID EIMID --reason TEXT", "take it for true that it controls the card", handover_confirm },
    { "fleet", "export", "FILE", "the whole inventory into a new file, page by page signed: for another eIM, or another place of this one (doc/inventory.md)",
      fleet_export },
    { "fleet", "verify", "[--key KEY] FILE", "is such a file whole and unchanged? No server", fleet_verify },
    { "fleet", "import", "[--key KEY] [--batch N] [--resume] FILE",
      "verify such a file and enrol its devices, with the tokens and counters that are this eIM's on their cards", fleet_import },
    { "", "inventory", "EID", "ask the eUICC for an attested list of its profiles", inventory },
    { "eim", "config", "[--der FILE]",
      "the eIM's own configuration; --der: the AddInitialEim blob for device makers", eim_config },
    { "smdp", "list", "[--limit N] [--all]", "SM-DP+ accounts: the servers that eimd may connect to", smdp_list },
    { "smdp", "show", "ID", "one of them", smdp_show },
    { "smdp", "add", "NAME ADDRESS [--set MEMBER=VALUE]...", "make one; @FILE takes a value from a file (trust=@root.pem); members: doc/api.md", smdp_add },
    { "smdp", "set", "ID [--set MEMBER=VALUE]...", "change members of one; nothing after the = takes a member away", smdp_set },
    { "smdp", "remove", "ID", "remove one: nothing is brought to it any more, unless an order of ours names it", smdp_remove },
    { "order", "list", "[--limit N] [--all]", "orders of profiles, newest first, and what stands in their way", porder_list },
    { "order", "add", "EID OPERATOR PROFILETYPE [--confirmation FILE]", "a profile of an operator on a device: from a pool, or by ES2+", porder_add },
    { "order", "show", "ID", "one of them", porder_show },
    { "order", "cancel", "ID", "take it back, at the SM-DP+ too", porder_cancel },
    { "order", "retry", "ID", "an unclear one: nothing was ordered, as you know; order it again", porder_retry },
    { "pool", "list", "[--limit N] [--all]", "pools of activation codes, and how many are left", pool_list },
    { "pool", "show", "ID", "one of them", pool_show },
    { "pool", "add", "NAME OPERATOR PROFILETYPE SMDP [--warn-below N]", "make one, for codes that name this SM-DP+ (HOST[:PORT])", pool_add },
    { "pool", "fill", "ID FILE", "put activation codes in, one a line (- is standard input); wrong ones are named and left out", pool_fill },
    { "pool", "codes", "ID [--limit N] [--all]", "state and operation of each code, never the code itself", pool_codes },
    { "pool", "return", "CODE", "an unclear code was not used, as you know: it is free again", pool_return },
    { "pool", "withdraw", "CODE", "take a free or unclear code out for ever", pool_withdraw },
    { "pool", "remove", "ID", "remove a pool with its codes, unless one is on its way to a device", pool_remove },
    { "token", "list", "[--limit N] [--all]", "API tokens, newest first", token_list },
    { "token", "create", "NAME --role ROLE [--expires WHEN]", "make a token; its secret is printed once and nowhere else", token_create },
    { "token", "revoke", "ID", "from now on it is refused", token_revoke },
    { "role", "list", "", "roles and what they allow", role_list },
    { "role", "set", "NAME PERMISSIONS", "make or change a role; names of permissions with commas between", role_set },
    { "role", "remove", "NAME", "remove a role of one's own; tokens that have it open nothing any more", role_remove },
    { "", "whoami", "", "who the token stands for, and what it may do", whoami },
    { "access", "explain", "ROLE METHOD PATH", "may this role call that route of the API, and why?", access_explain },
    { "", "events", "[--follow] [--after N] [--type TYPES] [--eid EID] [--limit N] [--all]",
      "the last 100 or N events (--all: all that are kept; --after N: from there on); --follow: go on with what happens, until it is interrupted; "
      "types with commas between, operation.* for all of a kind", event_list },
    { "audit", "list", "[--limit N] [--all]", "the audit log, oldest entry first", audit_list },
    { "audit", "head", "", "the newest signed tree head of the log; keep it: `audit verify --since` checks against it", audit_head },
    { "audit", "export", "[--format FORMAT] [--from N] FILE",
      "the log into a new file (-: standard output): jsonl, the default, with what `audit verify` needs; csv; cef for a SIEM", audit_export },
    { "audit", "verify", "[--key KEY] [--since HEADFILE] FILE",
      "is the export whole and unchanged, under its signed tree head, and the continuation of an earlier head? No server", audit_verify },
    { "evidence", "export", "FILE", "one file that proves what each device ran, for eimverify: exact bytes, certificates, proofs of the log", evidence_export },
    { "", "metrics", "", "all counters of the server, in Prometheus' form", metrics },
    { "", "health", "", "does the server live, and is it ready?", health },
    { "", "openapi", "", "the API as an OpenAPI 3.1 document", openapi },
    { "", "manual", "", "this table as a manual page (troff); `make install` puts it where man finds it; no server", manual },
    { "", "completion", "", "this table as a completion script for bash: source <(eimctl completion); no server", completion },
    { "", "decode", "[--type ASN1TYPE] [--types] [INPUT]",
      "print an SGP.32 message (hex, base64, DER file, standard input), or say where and why it is broken; no server", decode },
    { "", "encode", "--type ASN1TYPE",
      "DER hex of the JSON form (what decode --json prints) on standard input; no server", encode },
    { "expr", "eval", "EXPR [--vars FILE]",
      "value and type of an expression (doc/expr.md) over the members of a JSON object in FILE (-: standard input); no server", expr_eval_command },
    { "", "verify-result", "--ci FILE --eum FILE --euicc FILE --eid EID [--token N] [--at TIME] RESULT",
      "check chain and signature of an eUICC package result; certificates in PEM or DER; no server", verify_result },
};
enum { NCOMMANDS = sizeof commands / sizeof commands[0] };

const struct command *ctl_commands(size_t *n)
{
    *n = NCOMMANDS;
    return commands;
}

/* Lines of about 110 columns; an option and its value stay together. */
static void print_args(FILE *f, const char *args, size_t column)
{
    while (*args) {
        size_t n = *args == '[' ? strcspn(args, "]") : strcspn(args, " ");
        n += strcspn(args + n, " ");
        if (column + n > 110) column = (size_t)fprintf(f, "\n         ") - 1;
        column += (size_t)fprintf(f, " %.*s", (int)n, args);
        args += n + (args[n] == ' ');
    }
}

static void print_row(FILE *f, const struct command *r, bool full)
{
    size_t column = (size_t)fprintf(f, "  eimctl %s%s%s", r->group, *r->group ? " " : "", r->verb);
    if (full || strlen(r->args) < 60) print_args(f, r->args, column);
    else fprintf(f, " ...");
    fprintf(f, "\n      %s\n", r->help);
}

/* The rows of a group; all for NULL. */
static void print_usage(FILE *f, const char *group)
{
    fprintf(f, "usage: eimctl COMMAND [arguments] [--json] [--url URL] [--token-file FILE] [--cacert FILE] [--help]\n\n");
    for (size_t i = 0; i < NCOMMANDS; i++)
        if (!group || strcmp(commands[i].group, group) == 0) print_row(f, &commands[i], false);
    fprintf(f, "\nThe server: --url and --token-file, else EIMCTL_URL and EIMCTL_TOKEN (EIMCTL_CACERT), else url, token and\n"
               "cacert in ~/.config/eimctl.conf, else the demo in ./demo.\n"
               "With --json every answer is JSON; lists are one object a line, errors are objects on standard error.\n"
               "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the server cannot be reached.\n");
}

/* A command line that names no command: say what is wrong, and what there is. */
static int no_command(struct ctl *c, int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr, NULL);
        return CTL_USAGE;
    }
    for (size_t i = 0; i < NCOMMANDS; i++) {
        if (strcmp(commands[i].group, argv[1]) != 0) continue;
        if (argc > 2 && strcmp(argv[2], "--help") == 0) {
            print_usage(stdout, argv[1]);
            return CTL_OK;
        }
        if (argc > 2)
            return ctl_fail(c, CTL_USAGE, "%s: no command %s (eimctl %s --help lists them)", argv[1], argv[2], argv[1]);
        print_usage(stderr, argv[1]);
        return CTL_USAGE;
    }
    return ctl_fail(c, CTL_USAGE, "no command %s (eimctl --help lists them)", argv[1]);
}

static int run(struct ctl *c, int argc, char **argv)
{
    bool help;
    int rc = args_leading(c, &argc, &argv, &help);
    if (rc != CTL_OK) return rc;
    if (help || (argc > 1 && strcmp(argv[1], "help") == 0)) {
        print_usage(stdout, NULL);
        return CTL_OK;
    }
    for (size_t i = 0; i < NCOMMANDS; i++) {
        const struct command *r = &commands[i];
        int words = *r->group ? 2 : 1;
        if (argc <= words || strcmp(argv[words], r->verb) != 0) continue;
        if (words == 2 && strcmp(argv[1], r->group) != 0) continue;
        c->cmd = r;
        rc = args_parse(c, argc - words - 1, argv + words + 1, &help);
        if (rc != CTL_OK) return rc;
        if (!help) return r->run(c);
        print_row(stdout, r, true);
        return CTL_OK;
    }
    return no_command(c, argc, argv);
}

int main(int argc, char **argv)
{
    struct ctl c = { 0 };
    arena_init(&c.arena, CTL_ARENA_MAX);
    arena_init(&c.page, CTL_ARENA_MAX);
    buf_init(&c.reply, CTL_TEXT_MAX);
    int end = run(&c, argc, argv);
    api_close(&c);
    buf_free(&c.reply);
    arena_free(&c.page);
    arena_free(&c.arena);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {   /* a full disk must not look like success */
        if (errno != EPIPE) fprintf(stderr, "eimctl: cannot write standard output: %s\n", strerror(errno));
        if (end == CTL_OK) end = CTL_REFUSED;
    }
    return end;
}
