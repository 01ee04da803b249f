/* args.c -- reads a command line by the `args` of its row. */
#include "app/eimctl/args.h"

#include <stdio.h>

/* One element of an `args` string. */
struct part {
    struct slice name;                 /* "--label", or the name of the argument */
    bool option, value, required, repeats;
};

static const char globals[] = "[--json] [--url URL] [--token-file FILE] [--cacert FILE] [--help]";

static struct slice word(const char **s)
{
    const char *from = *s;
    while (**s && **s != ' ' && **s != '[' && **s != ']') (*s)++;
    return slice_of(from, (size_t)(*s - from));
}

/* The next element of the grammar; false at its end. */
static bool next_part(const char **s, struct part *out)
{
    while (**s == ' ' || **s == ']' || **s == '.') (*s)++;
    if (!**s) return false;
    bool optional = **s == '[';
    if (optional) (*s)++;
    *out = (struct part){ .name = word(s), .required = !optional };
    out->option = out->name.n > 2 && out->name.p[0] == '-' && out->name.p[1] == '-';
    if (out->option && (*s)[0] == ' ' && (*s)[1] != '[' && (*s)[1] != '-' && (*s)[1]) {
        (*s)++;
        out->value = word(s).n != 0;
    }
    if (**s == ']') (*s)++;
    out->repeats = strncmp(*s, "...", 3) == 0;
    return true;
}

static bool find_option(const char *grammar, struct slice name, struct part *out)
{
    while (next_part(&grammar, out))
        if (out->option && slice_eq(out->name, name)) return true;
    return false;
}

static int wrong(struct ctl *c, const char *what, struct slice name)
{
    if (!c->cmd) return ctl_fail(c, CTL_USAGE, "%s %.*s (see --help)", what, (int)name.n, (const char *)name.p);
    return ctl_fail(c, CTL_USAGE, "%s%s%s: %s %.*s (see --help)", c->cmd->group, *c->cmd->group ? " " : "", c->cmd->verb,
                    what, (int)name.n, (const char *)name.p);
}

static void take_global(struct ctl *c, struct slice name, const char *value, bool *help)
{
    if (slice_eq(name, SLICE("--json"))) c->json = true;
    else if (slice_eq(name, SLICE("--url"))) c->url = value;
    else if (slice_eq(name, SLICE("--token-file"))) c->token_file = value;
    else if (slice_eq(name, SLICE("--cacert"))) c->cacert = value;
    else *help = true;
}

/* One option at argv[*i]; moves *i over its value. */
static int take_option(struct ctl *c, int argc, char **argv, int *i, bool *help)
{
    char *arg = argv[*i], *equals = strchr(arg, '=');
    struct slice name = slice_of(arg, equals ? (size_t)(equals - arg) : strlen(arg));
    struct part p;
    bool global = find_option(globals, name, &p);
    if (!global && !(c->cmd && find_option(c->cmd->args, name, &p))) return wrong(c, "unknown option", name);
    const char *value = equals ? equals + 1 : NULL;
    if (!p.value && value) return wrong(c, "no value belongs to option", name);
    if (p.value && !value) {
        if (*i + 1 >= argc) return wrong(c, "a value is missing behind option", name);
        value = argv[++*i];
    }
    if (global) {
        take_global(c, name, value, help);
        return CTL_OK;
    }
    char *owned = arena_str(&c->arena, name);
    if (!owned || c->nopt == CTL_GIVEN_MAX) return wrong(c, "too many options, beginning with", name);
    if (!p.repeats && ctl_flag(c, owned)) return wrong(c, "more than one", name);
    c->opt[c->nopt++] = (struct given){ owned, value };
    return CTL_OK;
}

/* Are all required parts there, and no argument too many? */
static int check_counts(struct ctl *c)
{
    const char *g = c->cmd->args;
    struct part p;
    size_t least = 0, most = 0;
    while (next_part(&g, &p)) {
        if (p.option) {
            char *name = arena_str(&c->arena, p.name);
            if (p.required && (!name || !ctl_option(c, name))) return wrong(c, "missing option", p.name);
            continue;
        }
        if (p.required && ++least > c->npos) return wrong(c, "missing argument", p.name);
        most = p.repeats ? CTL_GIVEN_MAX : most + 1;
    }
    if (c->npos > most) return wrong(c, "unexpected argument", slice_str(c->pos[most]));
    return CTL_OK;
}

int args_parse(struct ctl *c, int argc, char **argv, bool *help)
{
    bool options = true;
    *help = false;
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && strcmp(argv[i], "-h") == 0) {
            *help = true;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            int rc = take_option(c, argc, argv, &i, help);
            if (rc != CTL_OK) return rc;
        } else {
            if (c->npos == CTL_GIVEN_MAX) return wrong(c, "too many arguments, beginning with", slice_str(argv[i]));
            c->pos[c->npos++] = argv[i];
        }
    }
    return *help ? CTL_OK : check_counts(c);
}

int args_leading(struct ctl *c, int *argc, char ***argv, bool *help)
{
    *help = false;
    while (*argc > 1 && (*argv)[1][0] == '-') {
        int at = 1;
        if (strcmp((*argv)[1], "-h") == 0) {
            *help = true;
        } else {
            int rc = take_option(c, *argc, *argv, &at, help);
            if (rc != CTL_OK) return rc;
        }
        (*argv)[at] = (*argv)[0];
        *argc -= at;
        *argv += at;
    }
    return CTL_OK;
}
