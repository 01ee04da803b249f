/* regex.h -- regular expressions in time linear in the text: a subset of RE2's syntax, by simulation of the automaton, without captures.
 *
 * Supported: literals, '.', [classes] with ranges and negation, \d \w \s \D \W \S, \t \n \r \f \v and escaped punctuation, ^ and $ (of
 * the whole text), groups ( ) and (?: ), |, * + ? {n} {n,} {n,m} (n, m at most 100), each also lazy with a '?' behind it, which changes
 * nothing here. As in RE2 a match may begin anywhere. Works on code points. */
#ifndef EXPR_REGEX_H
#define EXPR_REGEX_H

#include "base/arena.h"
#include "base/err.h"

struct regex;

enum { REGEX_PATTERN_MAX = 1024, REGEX_STATES_MAX = 2000, REGEX_REPEAT_MAX = 100 };

/* regex_compile -- E_INVALID: what RE2 would refuse, or what is not supported; e->at is the offset in the pattern. E_LIMIT; E_NOMEM. */
MUST enum eim_err regex_compile(struct regex **out, struct slice pattern, struct arena *a, struct err *e);
/* regex_matches -- does some part of the text match? Steps: at most states times code points. Allocates nothing. */
bool regex_matches(const struct regex *r, struct slice text);
unsigned regex_states(const struct regex *r);

#endif
