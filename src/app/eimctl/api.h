/* api.h -- the server that eimctl talks to: where it is, who we are to it, one request at a time over one kept connection.
 *
 * Where: --url, else EIMCTL_URL, else `url` of ~/.config/eimctl.conf, else ./demo. A token goes to the server that it was
 * written down for: the one of the settings file or of ./demo is not sent to another URL. */
#ifndef EIMCTL_API_H
#define EIMCTL_API_H

#include "app/eimctl/ctl.h"

enum {
    API_PAGE = 500,                   /* most items of one page (doc/api.md) */
    API_BUSY_TRIES = 5,               /* how often a 503 is tried again */
    API_BUSY_WAIT = 10,               /* and the longest Retry-After that we follow, seconds */
};

/* What a request sends; all zero: a GET without body. */
struct request {
    const char *method;                /* NULL: GET */
    const char *type;                  /* Content-Type of the body; NULL: application/json */
    struct slice body;
    bool has_body;
    bool once;                         /* report 503 at once; else it is tried again, because 503 says that nothing was done */
    bool any_status;                   /* hand every status to the caller instead of reporting problems */
};

/* api_open -- find the server and be ready to ask it; requests do so by themselves. c->base is known then. */
MUST int api_open(struct ctl *c);

/* api_call -- send it and wait; `path` begins with a slash. On CTL_OK *status is 2xx (any, with any_status) and the body
 * is in c->reply until the next call. Else it was said: CTL_REFUSED for a problem, CTL_UNREACHABLE for no answer,
 * CTL_USAGE for settings that are wrong. */
MUST int api_call(struct ctl *c, const char *path, const struct request *r, int *status);

/* api_json -- api_call, and the answer as JSON (a new reference; NULL for an empty body). */
MUST int api_json(struct ctl *c, const char *path, const struct request *r, json_t **out);

/* api_get -- GET with a path made by a format, answer as JSON. */
__attribute__((format(printf, 3, 4))) MUST int api_get(struct ctl *c, json_t **out, const char *fmt, ...);

/* api_send_json -- a JSON value (reference taken over, NULL: no body) sent to a path made by a format; the answer as api_json gives it. */
__attribute__((format(printf, 5, 6))) MUST int api_send_json(struct ctl *c, const char *method, json_t *body, json_t **out, const char *fmt, ...);
#define api_post_json(c, body, out, ...) api_send_json((c), "POST", (body), (out), __VA_ARGS__)

/* api_escape -- s for use in a path or query, percent-encoded, in c->page; "" when there is no room. */
const char *api_escape(struct ctl *c, const char *s);

/* api_list -- follow the pages of a list: `show` gets each page's items (an array), prints them and may use c->page,
 * which is given back after each. `query` is "" or "name=value". Ends after --limit items (default 100), or with
 * --all at the end of the list; says on standard error when more is there. */
MUST int api_list(struct ctl *c, const char *path, const char *query, void (*show)(struct ctl *c, const json_t *items, void *arg),
                   void *arg);

/* api_problem -- what a body of application/problem+json says, as a struct err (always filled, whatever the body is);
 * its clause lives in c->page. */
void api_problem(struct ctl *c, int status, struct slice body, struct err *e);

void api_close(struct ctl *c);

#endif
