/* tmpdir.h -- directories for the length of a test, below $TMPDIR (or /tmp).
 *
 * Every failure ends the test program with a message: a test without a place to write can tell nothing.
 * Paths stay below 100 bytes as long as $TMPDIR is short, so they can hold Unix sockets. Not thread-safe. */
#ifndef TEST_LIB_TMPDIR_H
#define TEST_LIB_TMPDIR_H

/* tmp_make -- a new empty directory, mode 0700. The string lives until tmp_remove or the end of the process;
 * directories not removed by then go at exit (of the process that made them, not of its forked children). */
const char *tmp_make(void);

/* tmp_path -- "DIR/NAME" in one of eight static buffers, used in turn. */
const char *tmp_path(const char *dir, const char *name);

/* tmp_remove -- delete a directory of tmp_make with all that is in it; symbolic links are not followed. */
void tmp_remove(const char *dir);

#endif
