/* mem.c -- the one door to calloc and free for long-lived objects. */
#include "base/mem.h"

#include <stdlib.h>

void *mem_new(size_t size)
{
    return calloc(1, size ? size : 1);
}

void *mem_array(size_t size, size_t n)
{
    return calloc(n ? n : 1, size ? size : 1);
}

void mem_free(void *p)
{
    free(p);
}
