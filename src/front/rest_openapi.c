/* rest_openapi.c -- the API's description as OpenAPI 3.1, printed from the tables of routes, query parameters and forms. */
#include "front/rest_int.h"

#include <ctype.h>
#include <stdio.h>

/* Answers that are no JSON: as the route table names them. */
static const struct { const char *name, *media_type; } octets[] = {
    { "octets", "application/octet-stream" }, { "text", "text/plain" }, { "JSON lines", "application/jsonl" }, { "Prometheus", "text/plain" },
};

/* What read_parameter of rest.c takes. */
static const struct { enum rest_query bit; const char *name, *form, *doc; } parameters[] = {
    { QUERY_CURSOR, "cursor", "text", "`next` of the page before" },
    { QUERY_LIMIT, "limit", "int(1..500)", "most items of a page; 100 unless told" },
    { QUERY_STATE, "state", "text", "only operations in this state" },
    { QUERY_OUTBOX_STATE, "state", "text", "only notifications in this state" },
    { QUERY_AFTER, "after", "text", "the number of an event: those after it" },
    { QUERY_TYPE, "type", "text", "only these types of event, commas between" },
    { QUERY_EID, "eid", "eid", "only of this device" },
    { QUERY_WHERE, "where", "text", "an expression that selects devices (doc/expr.md)" },
};

const char *rest_reply_media(const char *reply)
{
    for (size_t i = 0; i < sizeof octets / sizeof octets[0]; i++)
        if (strcmp(reply, octets[i].name) == 0) return octets[i].media_type;
    return NULL;
}

int rest_row_status(const struct rest_route *row)
{
    return row->status ? row->status : *row->reply ? 200 : 204;
}

struct doc { struct arena *a; const struct schemas *all; };

/* "get_devices_eid_operations": unique, because a method and a path are. */
static json_t *operation_id(const struct doc *d, const struct rest_route *row)
{
    char *s = arena_printf(d->a, "%s%s", row->method, strncmp(row->path, "/v1/", 4) ? row->path : row->path + 3), *to = s;
    for (const char *p = s; p && *p; p++) {
        if (*p == '{' || *p == '}') continue;
        *to++ = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '_';
    }
    if (to) *to = 0;
    return json_string(s);
}

static json_t *parameter(const struct doc *d, const char *name, const char *in, const char *form, const char *doc)
{
    json_t *o = json_pack("{s:s,s:s,s:o*}", "name", name, "in", in, "schema", schema_json(d->all, form, true, d->a));
    if (strcmp(in, "path") == 0) json_object_set_new(o, "required", json_true());
    if (doc) json_object_set_new(o, "description", json_string(doc));
    return o;
}

static json_t *parameters_of(const struct doc *d, const struct rest_route *row)
{
    json_t *list = json_array();
    for (const char *p = strchr(row->path, '{'); p; p = strchr(p + 1, '{')) {
        char *name = arena_str(d->a, slice_of(p + 1, strcspn(p + 1, "}")));
        bool eid = name && strcmp(name, "eid") == 0, id = name && strcmp(name, "id") == 0;
        if (name) json_array_append_new(list, parameter(d, name, "path", eid ? "eid" : id ? "id" : "text", NULL));
    }
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        if (row->query & parameters[i].bit)
            json_array_append_new(list, parameter(d, parameters[i].name, "query", parameters[i].form, parameters[i].doc));
    return list;
}

static void put_content(const struct doc *d, json_t *content, const char *media_type, const char *form, bool sent)
{
    json_object_set_new(content, media_type, json_pack("{s:o*}", "schema", schema_json(d->all, form, sent, d->a)));
}

static json_t *request_body(const struct doc *d, const struct rest_route *row)
{
    json_t *content = json_object();
    if (row->body == BODY_EMPTY) put_content(d, content, "application/json", "{}", true);
    else put_content(d, content, "application/json", row->request, true);
    for (int i = 0; row->body == BODY_IMPORT && i < 3; i++) {
        static const char *const lines[] = { "text/csv", "application/jsonl", "application/x-ndjson" };
        put_content(d, content, lines[i], "text", true);
    }
    return json_pack("{s:b,s:o}", "required", row->body != BODY_EMPTY, "content", content);
}

static json_t *responses(const struct doc *d, const struct rest_route *row)
{
    char status[8];
    json_t *list = json_object(), *good = json_pack("{s:s}", "description", row->doc), *content = json_object();
    const char *media_type = rest_reply_media(row->reply);
    if (media_type) json_object_set_new(content, media_type, json_object());
    else if (*row->reply) put_content(d, content, "application/json", row->reply, false);
    if (json_object_size(content)) json_object_set(good, "content", content);
    json_decref(content);
    snprintf(status, sizeof status, row->body == BODY_IMPORT ? "2XX" : "%d", rest_row_status(row));
    json_object_set_new(list, status, good);
    json_object_set_new(list, "default", json_pack("{s:s}", "$ref", "#/components/responses/Problem"));
    return list;
}

static json_t *operation(const struct doc *d, const struct rest_route *row)
{
    const char *first = strncmp(row->path, "/v1/", 4) ? row->path + 1 : row->path + 4;
    json_t *o = json_pack("{s:o*,s:s,s:[s#],s:o,s:o}", "operationId", operation_id(d, row), "summary", row->doc, "tags", first, (int)strcspn(first, "/"),
                          "parameters", parameters_of(d, row), "responses", responses(d, row));
    if (row->body != BODY_NONE) json_object_set_new(o, "requestBody", request_body(d, row));
    if (row->permission == PERM_NONE) json_object_set_new(o, "security", json_array());
    else json_object_set_new(o, "x-permission", json_string(permission_name(row->permission)));
    return o;
}

static json_t *paths(const struct doc *d)
{
    size_t n;
    const struct rest_route *rows = rest_routes(&n);
    json_t *all = json_object();
    for (size_t i = 0; i < n; i++) {
        json_t *path = json_object_get(all, rows[i].path);
        char method[8];
        size_t k = 0;
        if (!path) json_object_set_new(all, rows[i].path, path = json_object());
        for (; rows[i].method[k] && k + 1 < sizeof method; k++) method[k] = (char)tolower((unsigned char)rows[i].method[k]);
        method[k] = 0;
        json_object_set_new(path, method, operation(d, &rows[i]));
    }
    return all;
}

static json_t *components(const struct doc *d)
{
    json_t *schemas = json_object();
    for (size_t i = 0; i < d->all->n; i++) {
        const struct schema *s = &d->all->v[i];
        json_t *o = schema_json(d->all, s->form, s->sent, d->a);
        if (o && *s->doc) json_object_set_new(o, "description", json_string(s->doc));
        json_object_set_new(schemas, s->name, o ? o : json_object());
    }
    return json_pack("{s:o,s:{s:{s:s,s:s}},s:{s:{s:s,s:{s:{s:{s:s}}}}}}", "schemas", schemas, "securitySchemes", "bearer", "type", "http", "scheme", "bearer",
                     "responses", "Problem", "description", "an RFC 9457 problem: code is for programs, detail for people, field says where",
                     "content", "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
}

enum eim_err rest_openapi(struct rest_call *c, struct err *e)
{
    struct doc d = { c->arena, rest_schemas() };
    json_t *o = json_pack("{s:s,s:{s:s,s:s,s:s},s:[{s:s}],s:[{s:[]}],s:o,s:o}", "openapi", "3.1.0", "info", "title", "eimd", "version", "v1", "description",
                          "An SGP.32 eIM. Printed from the server's own table of routes; doc/api.md says the same in words.", "servers", "url", "/",
                          "security", "bearer", "paths", paths(&d), "components", components(&d));
    return o ? rest_reply_json(c, o, e) : fail(e, E_NOMEM, NULL, "no room for the description");
}
