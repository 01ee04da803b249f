/* store_int.h -- what the files of store/ share: the open store, its connections, a transaction, running queries. */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/driver.h"

enum {
    READERS_MAX = 64, WRITERS_MAX = 64,
    BATCH_MAX = 64,                                /* jobs a COMMIT (design 6) */
    BATCH_WAIT_US = 2000,                          /* how long a COMMIT may wait for more of them */
    BATCH_MOST_US = 10000,                         /* after so long it is time to commit, even if more of them wait */
    AGAIN_MAX = 3,                                 /* tries after a serialization failure or deadlock */
    READER_WAIT_S = 5,                             /* how long store_read_begin waits for a free connection */
    RECONNECT_MS = 250,                            /* least time between two attempts to connect */
    MARKS = 1 << 16, TOUCHED_MAX = 2 * BATCH_MAX,  /* store_device_mark */
};

/* A connection that is made anew when it was lost. */
struct line {
    struct store *store;
    struct conn *conn;                             /* NULL: lost */
    enum role role;
    unsigned touched_n;                            /* devices written in this transaction; above TOUCHED_MAX: any */
    int64_t touched[TOUCHED_MAX];
};

struct tx {
    struct line *line;
    bool begun;                                    /* a read transaction begins with its first statement; a job finds it begun */
    bool broken;                                   /* a statement failed: good for ending only */
};

struct writer;

struct store {
    /* configuration */
    const struct driver *driver;
    struct store_options o;
    char *url;
    /* state */
    atomic_long fail_at;
    atomic_ulong marks[MARKS];                     /* by the low bits of the association: how often a device of these was written */
    pthread_mutex_t lock;                          /* of all below */
    pthread_cond_t idle;                           /* a reader came back */
    struct tx readers[READERS_MAX], *free_readers[READERS_MAX];
    struct line reader_lines[READERS_MAX];
    unsigned free_n;
    int64_t no_connect_before_us;                  /* monotonic; see RECONNECT_MS */
    char last_refusal[200];                        /* why the last attempt to connect failed */
    struct writer *writer;
};

/* line_ready -- line->conn is a connection, made anew if need be. E_STORE when it cannot be had. */
MUST enum eim_err line_ready(struct line *l, struct err *e);
/* line_drop -- close it; the next line_ready makes another. */
void line_drop(struct line *l);
/* line_control -- a control statement, counted (store_fail_at). A ROLLBACK that fails drops the connection. */
MUST enum eim_err line_control(struct line *l, enum control what, struct err *e);
/* line_begin -- get ready and begin. */
MUST enum eim_err line_begin(struct line *l, enum control what, struct err *e);
void line_rollback(struct line *l);

/* touched -- this transaction writes the device's row; 0: the rows of many. touched_publish -- it has ended, well or not, and nobody was told yet. */
void touched(struct tx *t, int64_t association);
void touched_publish(struct line *l);

/* store_clock_us -- monotonic, for waiting on threads; never stored, never decided upon. */
int64_t store_clock_us(void);
/* store_count -- count a statement; E_STORE when it is the one that store_fail_at named. */
MUST enum eim_err store_count(struct store *s, struct err *e);

/* ---- migrate.c ---- */
MUST enum eim_err store_migrate(struct store *s, struct conn *c, struct err *e);

/* ---- writer.c ---- */
MUST enum eim_err writer_start(struct store *s, struct err *e);
void writer_stop(struct store *s);

/* ---- rows.c: running queries. Values beside a row are given in the order of the query's declaration. ---- */
#define V_INT(x)   ((struct value){ .i = (x) })
#define V_BYTES(x) ((struct value){ .is_bytes = true, .s = (x) })
#define V_TEXT(x)  ((struct value){ .is_bytes = true, .is_text = true, .s = (x) })
#define ARGS(...)  ((const struct value[]){ __VA_ARGS__ }), sizeof((const struct value[]){ __VA_ARGS__ }) / sizeof(struct value)
#define NO_ARGS    NULL, 0
#define LIST(out)  (void **)&(out)->v, &(out)->n     /* where query_rows puts a list */

/* query_exec -- run a query without rows; *changed (may be NULL) becomes the number of rows it wrote.
 * `row` is the struct that the query's parameters name, or NULL. E_INVALID names a text column that is no UTF-8 or holds a NUL. */
MUST enum eim_err query_exec(struct tx *t, enum query_id q, const void *row, const struct value *args, size_t args_n,
                             int64_t *changed, struct err *e);
/* query_ints -- the numbers of the first row into out[n]; *found tells whether there was one (may be NULL: then zeros stand for none). */
MUST enum eim_err query_ints(struct tx *t, enum query_id q, const struct value *args, size_t args_n, int64_t *out, unsigned n,
                             bool *found, struct err *e);
/* query_row -- the first row into *out, zeroed first; none leaves it zeroed. */
MUST enum eim_err query_row(struct tx *t, enum query_id q, const struct value *args, size_t args_n, void *out, struct arena *a, struct err *e);
/* query_rows -- all rows as an array in the arena. */
MUST enum eim_err query_rows(struct tx *t, enum query_id q, const struct value *args, size_t args_n, void **out, size_t *n,
                             struct arena *a, struct err *e);
/* query_each -- all rows of numbers, one call each, until `row` says false. */
MUST enum eim_err query_each(struct tx *t, enum query_id q, const struct value *args, size_t args_n,
                             bool (*row)(void *ctx, const int64_t *v), void *ctx, struct err *e);

#endif
