/* manual.c -- eimctl manual, completion: the table of commands as a manual page and as a completion script for bash, so that neither
 * can say what the program does not do. */
#include <stdio.h>
#include <string.h>

#include "app/eimctl/ctl.h"

static const char general[] = "--json --url --token-file --cacert --help";

/* Text for troff: a backslash and a hyphen are escaped, a point or quote at the start of a line is not taken for a request. */
static void troff(const char *s)
{
    for (; *s; s++) {
        if (*s == '\\') fputs("\\e", stdout);
        else if (*s == '-') fputs("\\-", stdout);
        else fputc(*s, stdout);
    }
}

static void troff_line(const char *macro, const char *a, const char *b)
{
    printf("%s\\&", macro);
    troff(a);
    if (*a && *b) putchar(' ');
    troff(b);
    putchar('\n');
}

int manual(struct ctl *c)
{
    size_t n;
    const struct command *rows = ctl_commands(&n);
    (void)c;
    printf(".TH EIMCTL 1 \"\" \"eimd\" \"User commands\"\n.SH NAME\neimctl \\- the command line of the eSIM IoT remote manager eimd\n"
           ".SH SYNOPSIS\n.B eimctl\n.I COMMAND\n[arguments] [\\-\\-json] [\\-\\-url URL] [\\-\\-token\\-file FILE] [\\-\\-cacert FILE] [\\-\\-help]\n"
           ".SH COMMANDS\n");
    for (size_t i = 0; i < n; i++) {
        troff_line(".TP\n.B ", rows[i].group, rows[i].verb);
        if (*rows[i].args) troff_line("", rows[i].args, "");
        if (*rows[i].args) printf(".br\n");
        troff_line("", rows[i].help, "");
    }
    printf(".SH OPTIONS OF EVERY COMMAND\n.TP\n.B \\-\\-json\nevery answer is JSON; lists are one object a line, errors are objects on standard error\n"
           ".TP\n.BI \\-\\-url \" URL\"\nthe server\n.TP\n.BI \\-\\-token\\-file \" FILE\"\na private file with the API token\n"
           ".TP\n.BI \\-\\-cacert \" FILE\"\nthe roots that the server's certificate is checked against\n"
           ".SH ENVIRONMENT\n.B EIMCTL_URL, EIMCTL_TOKEN, EIMCTL_CACERT\nsay the same where no option does.\n"
           ".SH FILES\n.I ~/.config/eimctl.conf\nholds url, token and cacert where neither does.\n.SH EXIT STATUS\n");
#define X(name, number, text) printf(".TP\n.B %d\n", number); troff_line("", text, "");
    CTL_ENDS(X)
#undef X
    return CTL_OK;
}

/* The long options in a row's args, a space before each. */
static void options(const char *args)
{
    for (const char *p = args; (p = strstr(p, "--")); ) {
        size_t n = 2 + strcspn(p + 2, " ]");
        printf(" %.*s", (int)n, p);
        p += n;
    }
}

static bool first_of_group(const struct command *rows, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(rows[k].group, rows[i].group) == 0) return false;
    return true;
}

int completion(struct ctl *c)
{
    size_t n;
    const struct command *rows = ctl_commands(&n);
    (void)c;
    printf("# bash completion for eimctl; printed by `eimctl completion`\n_eimctl()\n{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} one=${COMP_WORDS[1]} two=${COMP_WORDS[2]} list=\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n        list=\"");
    for (size_t i = 0; i < n; i++)
        if (!*rows[i].group || first_of_group(rows, i)) printf("%s%s", i ? " " : "", *rows[i].group ? rows[i].group : rows[i].verb);
    printf(" help\"\n    else\n        case \"$one\" in\n");
    for (size_t i = 0; i < n; i++) {
        if (*rows[i].group && !first_of_group(rows, i)) continue;
        printf("        %s)\n", *rows[i].group ? rows[i].group : rows[i].verb);
        if (!*rows[i].group) {
            printf("            list=\"%s", general);
            options(rows[i].args);
            printf("\" ;;\n");
            continue;
        }
        printf("            if [ \"$COMP_CWORD\" = 2 ]; then list=\"");
        for (size_t k = i; k < n; k++)
            if (strcmp(rows[k].group, rows[i].group) == 0) printf("%s%s", k == i ? "" : " ", rows[k].verb);
        printf("\"; else\n            case \"$two\" in\n");
        for (size_t k = i; k < n; k++) {
            if (strcmp(rows[k].group, rows[i].group) != 0) continue;
            printf("            %s) list=\"%s", rows[k].verb, general);
            options(rows[k].args);
            printf("\" ;;\n");
        }
        printf("            esac; fi ;;\n");
    }
    printf("        esac\n    fi\n"
           "    if [ \"$COMP_CWORD\" -gt 1 ] && [ \"${word#-}\" = \"$word\" ] && [ \"${list#--}\" != \"$list\" ]; then\n"
           "        COMPREPLY=( $(compgen -f -- \"$word\") )\n"
           "    else\n        COMPREPLY=( $(compgen -W \"$list\" -- \"$word\") )\n    fi\n}\n"
           "complete -o filenames -F _eimctl eimctl\n");
    return CTL_OK;
}
