/* vectors.h -- the files of test/vectors, and hex, for test programs.
 *
 * The folder is named by the environment variable VECTORS. Whatever is missing or malformed ends the test
 * program with a message, so that a test can never pass on an empty or unreadable list. */
#ifndef TEST_LIB_VECTORS_H
#define TEST_LIB_VECTORS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/slice.h"

/* vectors_load -- all of a file as JSON: a new reference, json_decref it. */
json_t *vectors_load(const char *file);

/* vectors_member -- the member, which must exist (borrowed); vectors_array -- and be an array that is not empty. */
json_t *vectors_member(const json_t *object, const char *key);
json_t *vectors_array(const json_t *object, const char *key);

/* vectors_text -- the member as text (borrowed); vectors_hex -- its hex digits as bytes in the arena. */
const char *vectors_text(const json_t *object, const char *key);
struct slice vectors_hex(struct arena *a, const json_t *object, const char *key);

/* unhex -- hex digits, spaces between them allowed, as bytes in the arena. */
struct slice unhex(struct arena *a, const char *hex);

#endif
