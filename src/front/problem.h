/* problem.h -- errors as people and programs get them from the API: RFC 9457 problem details. */
#ifndef FRONT_PROBLEM_H
#define FRONT_PROBLEM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define PROBLEM_MEDIA_TYPE "application/problem+json"

/* problem_json -- {"type","title","status","detail","code","field","clause"} of e, whose code must not be OK; field and clause
 * only when e has them. The detail of our own troubles (5xx but E_BUSY) is left to the log. In the arena; the empty slice when that is full. */
struct slice problem_json(const struct err *e, struct arena *a);

#endif
