/* file.h -- whole small files: read under a ceiling, written new and durably.
 *
 * These block on the disk: not on a loop thread. Any other thread. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/err.h"
#include "base/slice.h"

/* file_read -- the bytes of a regular file into out[cap]; *n is their number.
 * `secret` refuses a file that group or others may read or write. Every error names the path: E_NOT_FOUND if it does not
 * exist, E_TOO_LARGE if it has more than cap bytes, E_CONF for permissions or something that is no regular file, E_IO. */
MUST enum eim_err file_read(const char *path, bool secret, uint8_t *out, size_t cap, size_t *n, struct err *e);

/* file_write_new -- a new file with this content and mode, never over an existing one (E_CONFLICT), durable when this
 * returns OK: file and folder are synced. E_IO else, and no file is left behind. */
MUST enum eim_err file_write_new(const char *path, unsigned mode, struct slice content, struct err *e);

#endif
