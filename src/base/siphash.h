/* siphash.h -- SipHash-2-4 (Aumasson, Bernstein 2012): a keyed 64-bit hash of short inputs that a stranger
 * who does not know the key cannot steer. Used for the numbers of associations and for hash tables that hold
 * what peers send. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/slice.h"

uint64_t siphash(const uint8_t key[16], struct slice in);

#endif
