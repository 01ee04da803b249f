/* schema.h -- the forms of the API's bodies, in a notation of one line: checked at the door, printed as JSON Schema for OpenAPI.
 *
 *   text  a string that is not empty     string  any string        time  RFC 3339       eid, iccid, id, base64, hex   strings of that form
 *   int  int(1..500)  int(0..)  number  bool  null  any            "word"  exactly this string
 *   [T]  [T 1..16]  an array              {a: T, b?: T}  an object with these members only, b may be missing
 *   {*: T}  an object with any members    {a: T, ...}  and others beside
 *   T|U   either                          T?  T or null             Name  a row of a table      Page of T   a page of a list
 *
 * What needs the domain (is this ICCID on the device?) is not said here: the verbs of eim/ judge it, naming the field too. */
#ifndef FRONT_SCHEMA_H
#define FRONT_SCHEMA_H

#include "base/arena.h"
#include "base/json.h"

struct schema { const char *name, *form, *doc; bool sent; };       /* sent: a client sends it, so other members are refused */
struct schemas { const struct schema *v; size_t n; };

/* schema_known -- false for a single Name that the table does not have. */
bool schema_known(const struct schemas *all, const char *form);

/* schema_check -- does v have this form? E_INVALID names the path of the first value that does not, such as "items[3].name";
 * E_INTERNAL: the form itself is wrong, or names what is not in the table. */
MUST enum eim_err schema_check(const struct schemas *all, const char *form, const json_t *v, struct arena *a, struct err *e);

/* schema_json -- the form as JSON Schema (2020-12, as in OpenAPI 3.1), names as references into #/components/schemas. A new reference;
 * NULL when the form is wrong. */
json_t *schema_json(const struct schemas *all, const char *form, bool sent, struct arena *a);

#endif
