/* pg.h -- a private PostgreSQL cluster for tests (the C side of pg.py).
 *
 * Each cluster lives in a directory of its own, listens on a Unix socket there and nowhere else, and is
 * owned by a supervising process that stops it and removes the directory when the test program ends in
 * whatever way, kill -9 included. As root it runs under the user postgres.
 * Every failure ends the test program with a message. Functions block until done. Not thread-safe. */
#ifndef TEST_LIB_PG_H
#define TEST_LIB_PG_H

#include <stdbool.h>

struct pg;

/* pg_start -- a new running cluster, about a second. With `sync` false it does not call fsync, which is
 * right unless the test measures durability or speed. */
struct pg *pg_start(bool sync);

/* pg_shared -- the cluster of this test program: started by the first call, stopped at exit. */
struct pg *pg_shared(void);

/* pg_url -- of the database `postgres`: postgresql:///postgres?host=/tmp/...&user=... . Lives as long as pg. */
const char *pg_url(const struct pg *pg);

/* pg_fresh -- the URL of a new empty database in the cluster. Lives as long as pg; at most 256 of them. */
const char *pg_fresh(struct pg *pg);

/* pg_kill -- the server dies at once, as in a crash (SIGQUIT); pg_again -- it runs again on the same data. */
void pg_kill(struct pg *pg);
void pg_again(struct pg *pg);

/* pg_stop -- end the cluster, remove its files, free pg. */
void pg_stop(struct pg *pg);

#endif
