/* mem.h -- memory of long-lived objects (connections, queues), for rooms where malloc itself is banned.
 *
 * What belongs to one request goes into an arena; what lives as long as the server or a connection comes from here. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* mem_new -- `size` zeroed bytes, aligned for any object; NULL when there is no memory. Owned by the caller. */
void *mem_new(size_t size);
/* mem_array -- n zeroed objects of `size` bytes; NULL on overflow too. */
void *mem_array(size_t size, size_t n);
/* mem_free -- give it back; NULL is harmless. */
void mem_free(void *p);

#define MEM_NEW(type)      ((type *)mem_new(sizeof(type)))
#define MEM_ARRAY(type, n) ((type *)mem_array(sizeof(type), (n)))

#endif
