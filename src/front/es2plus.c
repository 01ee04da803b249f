/* es2plus.c -- one notification of an SM-DP+: JSON to struct download_progress, and what to answer. */
#include "front/es2plus.h"

#include "base/json.h"
#include "base/log.h"
#include "eim/manage.h"
#include "front/esipa_door.h"
#include "front/problem.h"
#include "net/work.h"

#include <ctype.h>
#include <string.h>

#define PATH   "/gsma/rsp2/es2plus/handleDownloadProgressInfo"
#define CLAUSE "SGP.22 5.3.5"

enum { BODY_MAX = 16 * 1024, CODE_MOST = 15, POINT_MAX = 1000 };

static enum eim_err wrong(const char *field, const char *must, struct err *e)
{
    return fail_field(e, E_MALFORMED, CLAUSE, field, "%s", must);
}

/* "8.2.6": it goes to people as it is. */
static enum eim_err status_code(const json_t *data, const char *key, struct slice *out, struct err *e)
{
    *out = json_slice(json_object_get(data, key));
    for (size_t i = 0; i < out->n; i++)
        if (i == CODE_MOST || (!isdigit(out->p[i]) && out->p[i] != '.')) return wrong(key, "is no status code", e);
    return OK;
}

static enum eim_err read_status(const json_t *o, struct download_progress *w, struct err *e)
{
    const json_t *status = json_object_get(o, "notificationPointStatus"), *data = json_object_get(status, "statusCodeData");
    struct slice word = json_slice(json_object_get(status, "status"));
    w->success = slice_eq(word, SLICE("Executed-Success")) || slice_eq(word, SLICE("Executed-WithWarning"));
    if (!w->success && !slice_eq(word, SLICE("Failed")) && !slice_eq(word, SLICE("Expired")))
        return wrong("notificationPointStatus", "must be an execution status", e);
    TRY(status_code(data, "subjectCode", &w->subject, e));
    return status_code(data, "reasonCode", &w->reason, e);
}

/* The texts stay o's. */
static enum eim_err read_progress(const json_t *o, struct download_progress *w, struct err *e)
{
    const json_t *header = json_object_get(o, "header"), *point = json_object_get(o, "notificationPointId");
    struct eid eid;
    *w = (struct download_progress){ .eid = json_slice(json_object_get(o, "eid")), .iccid = json_slice(json_object_get(o, "iccid")),
                                     .point = json_integer_value(point) };
    if (!json_string_length(json_object_get(header, "functionRequesterIdentifier")) || !json_string_length(json_object_get(header, "functionCallIdentifier")))
        return wrong("header", "must name requester and call", e);
    if (json_object_get(o, "eid") && !eid_parse(w->eid, false, &eid)) return wrong("eid", "an EID has 32 digits", e);
    if (!iccid_written(w->iccid)) return wrong("iccid", "an ICCID has 18 to 20 digits", e);
    if (!json_is_integer(point) || w->point < 0 || w->point > POINT_MAX) return wrong("notificationPointId", "must be a number", e);
    return read_status(o, w, e);
}

static enum eim_err take(const struct es2plus *d, const struct http_exchange *x, bool *known, struct err *e)
{
    struct download_progress w;
    json_t *o;
    TRY(json_read(x->req.body, BODY_MAX, &o, e));
    enum eim_err rc = read_progress(o, &w, e);
    if (rc == OK) rc = manage_porder_notified(d->eim, x->req.client, &w, known, x->arena, e);
    json_decref(o);
    return rc;
}

static void run(void *arg, const struct work_thread *t)
{
    struct http_exchange *x = arg;
    struct err e = { 0 };
    bool known = true;
    (void)t;
    enum eim_err rc = take(x->user, x, &known, &e);
    if (rc == OK && !known) rc = fail(&e, E_FORBIDDEN, NULL, "no SM-DP+ account names this client certificate");
    if (rc == OK) {
        http_reply_status(x, 204);
        return;
    }
    if (e.code != rc) e.code = rc;
    log_msg(err_status(rc) >= 500 ? LOG_ERROR : LOG_WARN, "es2plus", "%s: %s: %s", x->req.peer, err_name(rc), e.why);
    http_reply_send(x, &(struct http_reply){ .status = err_status(rc), .content_type = PROBLEM_MEDIA_TYPE, .body = problem_json(&e, x->arena) });
}

static int refusal(const struct http_request *q, const char **allow)
{
    if (strcmp(q->path, PATH) != 0) return 404;
    int status = door_refusal(q, "application/json", allow);
    return status ? status : q->body.n > BODY_MAX ? 413 : !q->client.n ? 403 : 0;
}

void es2plus_handle(void *arg, struct http_exchange *x)
{
    static const struct http_field post = { "Allow", "POST" };     /* read after http_reply_send has returned */
    struct es2plus *d = arg;
    const char *allow = NULL;
    int status = refusal(&x->req, &allow);
    x->user = d;
    if (!status && !work_submit(d->work, run, x)) status = 503;
    if (allow) http_reply_send(x, &(struct http_reply){ .status = status, .headers = &post, .n_headers = 1 });
    else if (status) http_reply_status(x, status);
}
