/* walbuf.h -- an SQLite VFS that writes the log in large pieces. */
#ifndef STORE_WALBUF_H
#define STORE_WALBUF_H

/* walbuf_vfs -- the name to give to sqlite3_open_v2, registered on the first call; NULL when that failed. Any thread. */
const char *walbuf_vfs(void);

#endif
