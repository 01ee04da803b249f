/* replay.h -- the one function of a fuzz target; include it there, so that the prototype is checked. */
#ifndef TEST_FUZZ_REPLAY_H
#define TEST_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

/* LLVMFuzzerTestOneInput -- returns 0; what breaks a promise aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#endif
