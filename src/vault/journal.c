/* journal.c -- the signer's journal: written, and read again at a start.
 *
 * A crash may leave a last array half written: then the end of the file is cut, or holds zeros. It was never answered, so it is cut off.
 * A line that is whole but does not follow from the one before was changed by somebody, and the signer does not start on it. What a chain
 * cannot show is a file whose end was cut off at a line, or a folder put back to an older copy: see doc/security.md. */
#include "vault/journal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "vault/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHAIN_HEX = 2 * SHA256_SIZE, NAME_ROOM = 40, PENDING_MAX = 1 << 20, TORN_MAX = VAULT_ARRAY * JOURNAL_LINE_MAX };

struct journal {
    int folder, fd;
    uint64_t number;
    uint8_t chain[SHA256_SIZE];        /* of the last line */
    struct buf pending;
};

static void file_name(uint64_t number, const char *end, char out[NAME_ROOM])
{
    snprintf(out, NAME_ROOM, "journal-%06" PRIu64 ".%s", number, end);
}

/* ---- lines ---- */

static enum eim_err next_chain(const uint8_t before[SHA256_SIZE], struct slice line, uint8_t out[SHA256_SIZE], struct err *e)
{
    return digest_sha256_spans((struct slice[]){ { before, SHA256_SIZE }, line }, 2, out, e);
}

/* `text` ends in the space before the chain. */
static enum eim_err put_line(struct journal *j, const char *text, int n, struct err *e)
{
    char hex[CHAIN_HEX + 1];
    if (n < 0 || n + CHAIN_HEX + 1 > JOURNAL_LINE_MAX) return fail(e, E_INTERNAL, NULL, "a line of the signer's journal is too long");
    TRY(next_chain(j->chain, slice_of(text, (size_t)n), j->chain, e));
    slice_hex(slice_of(j->chain, SHA256_SIZE), false, hex);
    hex[CHAIN_HEX] = '\n';
    buf_put(&j->pending, slice_of(text, (size_t)n));
    buf_put(&j->pending, slice_of(hex, sizeof hex));
    return j->pending.failed ? fail(e, E_NOMEM, NULL, "no memory for the signer's journal") : OK;
}

static enum eim_err write_pending(struct journal *j, struct err *e)
{
    for (size_t at = 0; at < j->pending.n;) {
        ssize_t n = write(j->fd, j->pending.p + at, j->pending.n - at);
        if (n < 0 && errno != EINTR) return fail(e, E_IO, NULL, "the signer's journal: %s", strerror(errno));
        if (n > 0) at += (size_t)n;
    }
    buf_reset(&j->pending);
    return OK;
}

enum eim_err journal_add(struct journal *j, const struct guard_package *p, const char *key, int64_t now_us, struct err *e)
{
    char line[JOURNAL_LINE_MAX], eid[2 * sizeof p->eid + 1], digest[CHAIN_HEX + 1];
    slice_hex(slice_of(p->eid, sizeof p->eid), false, eid);
    slice_hex(slice_of(p->digest, sizeof p->digest), false, digest);
    int n = snprintf(line, sizeof line, "s %" PRId64 " %016" PRIx64 " %s %" PRId64 " %" PRIx64 " %s %s ", now_us, p->association, eid, p->counter,
                     p->operations, digest, key);
    return put_line(j, line, n, e);
}

enum eim_err journal_add_head(struct journal *j, const struct guard_head *h, const char *origin, int64_t now_us, struct err *e)
{
    char line[JOURNAL_LINE_MAX], root[CHAIN_HEX + 1];
    slice_hex(slice_of(h->root.b, MERKLE_HASH), false, root);
    return put_line(j, line, snprintf(line, sizeof line, "n %" PRId64 " %016" PRIx64 " %" PRId64 " %s %s ", now_us, h->log, h->size, root, origin), e);
}

enum eim_err journal_sync(struct journal *j, struct err *e)
{
    if (!j->pending.n) return OK;
    TRY(write_pending(j, e));
    if (fdatasync(j->fd) != 0) return fail(e, E_IO, NULL, "the signer's journal: %s", strerror(errno));
    return OK;
}

/* ---- reading ---- */

struct reading {
    struct guard *guard;
    uint64_t number, lines, carried;
    bool complete;                     /* the carried part has its end */
    uint8_t chain[SHA256_SIZE];
    const uint8_t *since;              /* journal_verify: the chain that is looked for, or NULL */
    bool found;
    uint64_t packages, notes;
};

/* What lines say. False: no such line. */
static bool carried(struct reading *r, const char *line, enum eim_err *rc, struct err *e)
{
    uint64_t association, digest;
    int64_t counter;
    char hex[CHAIN_HEX + 1];
    struct guard_head h;
    int end = 0;
    r->carried++;
    if (sscanf(line, "a %16" SCNx64 " %" SCNd64 " %16" SCNx64 " %n", &association, &counter, &digest, &end) == 3 && !line[end]) {
        *rc = guard_recall(r->guard, association, counter, digest, e);
        return association != 0;
    }
    if (sscanf(line, "l %16" SCNx64 " %" SCNd64 " %64[0-9a-f] %n", &h.log, &h.size, hex, &end) != 3 || line[end]) return false;
    if (slice_unhex(slice_str(hex), h.root.b, MERKLE_HASH) != MERKLE_HASH) return false;
    *rc = guard_recall_head(r->guard, &h, e);
    return true;
}

static bool was_signed(struct reading *r, const char *line, enum eim_err *rc, struct err *e)
{
    uint64_t association, operations;
    int64_t time, counter;
    char hex[CHAIN_HEX + 1], eid[33], key[JOURNAL_LINE_MAX];
    uint8_t all[SHA256_SIZE];
    int end = 0;
    bool head = sscanf(line, "n %" SCNd64 " %16" SCNx64 " %" SCNd64 " %64[0-9a-f] %511s %n", &time, &association, &counter, hex, key, &end) == 5;
    if (!head && (sscanf(line, "s %" SCNd64 " %16" SCNx64 " %32[0-9a-f] %" SCNd64 " %" SCNx64 " %64[0-9a-f] %511s %n", &time, &association, eid, &counter,
                         &operations, hex, key, &end) != 7 || !association)) return false;
    if (line[end] || slice_unhex(slice_str(hex), all, sizeof all) != SHA256_SIZE) return false;
    r->packages += !head;
    r->notes += head;
    struct guard_head h = { .log = association, .size = counter };
    memcpy(h.root.b, all, sizeof all);
    if (!head) *rc = guard_recall(r->guard, association, counter, guard_digest(all), e);
    else if (association) *rc = guard_recall_head(r->guard, &h, e);
    return true;
}

static bool understand(struct reading *r, const char *line, enum eim_err *rc, struct err *e)
{
    uint64_t number, count;
    char hex[CHAIN_HEX + 1];
    int end = 0;
    if (!r->lines) return sscanf(line, "h 2 %" SCNu64 " %64[0-9a-f] %n", &number, hex, &end) == 2 && !line[end] && number == r->number;
    if (r->complete) return was_signed(r, line, rc, e);
    if (sscanf(line, "e %" SCNu64 " %n", &count, &end) != 1) return carried(r, line, rc, e);
    r->complete = true;
    return !line[end] && count == r->carried;
}

/* Text, a space, a chain: could this have been a line? Else it was never wholly written. */
static bool line_like(struct slice line)
{
    if (line.n < CHAIN_HEX + 3 || line.n >= JOURNAL_LINE_MAX || line.p[line.n - CHAIN_HEX - 1] != ' ') return false;
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < ' ' || line.p[i] > '~') return false;
    return true;
}

static enum eim_err read_line(struct reading *r, struct slice line, const char *name, struct err *e)
{
    char text[JOURNAL_LINE_MAX + 1];
    uint8_t said[SHA256_SIZE];
    enum eim_err rc = OK;
    size_t n = line.n - CHAIN_HEX;
    memcpy(text, line.p, n);
    text[n] = 0;
    if (!r->lines) {                   /* the head names the chain that it goes on from */
        char hex[CHAIN_HEX + 1] = "";
        uint64_t number;
        if (sscanf(text, "h 2 %" SCNu64 " %64[0-9a-f]", &number, hex) != 2 || slice_unhex(slice_str(hex), r->chain, SHA256_SIZE) != SHA256_SIZE)
            return fail(e, E_MISMATCH, NULL, "%s: no journal of a signer", name);
    }
    TRY(next_chain(r->chain, slice_of(text, n), r->chain, e));
    if (slice_unhex((struct slice){ line.p + n, CHAIN_HEX }, said, sizeof said) != SHA256_SIZE || memcmp(said, r->chain, sizeof said) != 0 ||
        !understand(r, text, &rc, e))
        return fail(e, E_MISMATCH, NULL, "%s: line %" PRIu64 " does not follow from what stands before it: the journal was changed", name, r->lines + 1);
    r->lines++;
    r->found = r->found || (r->since && !memcmp(r->chain, r->since, SHA256_SIZE));
    return rc;
}

/* All of a file; *good becomes the octets that stand. */
static enum eim_err read_all(struct reading *r, struct slice all, const char *name, size_t *good, struct err *e)
{
    struct slice rest = all, line;
    for (*good = 0; slice_line(&rest, &line) && line_like(line); *good = all.n - rest.n) TRY(read_line(r, line, name, e));
    if (all.n - *good > TORN_MAX)
        return fail(e, E_MISMATCH, NULL, "%s: behind line %" PRIu64 " stands what is no journal: it was damaged", name, r->lines);
    if (!r->complete) return fail(e, E_MISMATCH, NULL, "%s: it has no whole beginning", name);
    return OK;
}

/* All of an open file. */
static enum eim_err read_open(struct reading *r, int fd, const char *name, uint64_t *size, uint64_t *good, struct err *e)
{
    struct stat st;
    size_t n;
    if (fstat(fd, &st) != 0) return fail(e, E_IO, NULL, "%s: %s", name, strerror(errno));
    if (!S_ISREG(st.st_mode) || !st.st_size) return fail(e, E_MISMATCH, NULL, "%s: an empty file, or none", name);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return fail(e, E_IO, NULL, "%s: %s", name, strerror(errno));
    enum eim_err rc = read_all(r, slice_of(p, (size_t)st.st_size), name, &n, e);
    munmap(p, (size_t)st.st_size);
    *size = (uint64_t)st.st_size;
    *good = n;
    return rc;
}

static enum eim_err read_file(struct journal *j, struct reading *r, struct journal_report *report, uint64_t *size, struct err *e)
{
    char name[NAME_ROOM];
    uint64_t all;
    file_name(j->number, "log", name);
    j->fd = openat(j->folder, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0) return fail(e, E_IO, NULL, "%s: %s", name, strerror(errno));
    TRY(read_open(r, j->fd, name, &all, size, e));
    *report = (struct journal_report){ j->number, r->lines, all - *size };
    memcpy(j->chain, r->chain, sizeof j->chain);
    if (report->torn && (ftruncate(j->fd, (off_t)*size) != 0 || fdatasync(j->fd) != 0)) return fail(e, E_IO, NULL, "%s: %s", name, strerror(errno));
    return OK;
}

/* ---- a new file ---- */

static enum eim_err carry(struct journal *j, const struct guard *g, struct err *e)
{
    char line[JOURNAL_LINE_MAX], hex[CHAIN_HEX + 1];
    struct guard_entry entry;
    slice_hex(slice_of(j->chain, SHA256_SIZE), false, hex);
    TRY(put_line(j, line, snprintf(line, sizeof line, "h 2 %" PRIu64 " %s ", j->number, hex), e));
    for (size_t at = 0; guard_each(g, &at, &entry);) {
        int n = snprintf(line, sizeof line, "a %016" PRIx64 " %" PRId64 " %016" PRIx64 " ", entry.association, entry.counter, entry.digest);
        TRY(put_line(j, line, n, e));
        if (j->pending.n > PENDING_MAX / 2) TRY(write_pending(j, e));
    }
    size_t logs = 0;
    for (struct guard_head h; guard_each_head(g, &logs, &h);) {
        slice_hex(slice_of(h.root.b, MERKLE_HASH), false, hex);
        TRY(put_line(j, line, snprintf(line, sizeof line, "l %016" PRIx64 " %" PRId64 " %s ", h.log, h.size, hex), e));
        if (j->pending.n > PENDING_MAX / 2) TRY(write_pending(j, e));
    }
    TRY(put_line(j, line, snprintf(line, sizeof line, "e %zu ", guard_count(g) + logs), e));
    return journal_sync(j, e);
}

/* Written beside and renamed, so that a file that has its name is whole. */
static enum eim_err begin_file(struct journal *j, const struct guard *g, struct err *e)
{
    char fresh[NAME_ROOM], name[NAME_ROOM];
    if (j->fd >= 0) close(j->fd);
    j->number++;
    file_name(j->number, "new", fresh);
    file_name(j->number, "log", name);
    if (unlinkat(j->folder, fresh, 0) != 0 && errno != ENOENT) return fail(e, E_IO, NULL, "%s: %s", fresh, strerror(errno));
    j->fd = openat(j->folder, fresh, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->fd < 0) return fail(e, E_IO, NULL, "%s: %s", fresh, strerror(errno));
    TRY(carry(j, g, e));
    if (renameat(j->folder, fresh, j->folder, name) != 0 || fsync(j->folder) != 0) return fail(e, E_IO, NULL, "%s: %s", name, strerror(errno));
    return OK;
}

/* ---- opening ---- */

static enum eim_err numbers(const char *folder, uint64_t *oldest, uint64_t *newest, struct err *e)
{
    DIR *d = opendir(folder);
    if (!d) return fail(e, E_IO, NULL, "%s: %s", folder, strerror(errno));
    *oldest = *newest = 0;
    for (const struct dirent *f; (f = readdir(d)) != NULL;) {
        uint64_t n;
        int end = 0;
        if (sscanf(f->d_name, "journal-%9" SCNu64 ".log%n", &n, &end) != 1 || !end || f->d_name[end] || !n) continue;
        if (n > *newest) *newest = n;
        if (!*oldest || n < *oldest) *oldest = n;
    }
    closedir(d);
    return OK;
}

/* The signer of an eimd that was killed ends by itself, as soon as it sees so. */
static enum eim_err lock(struct journal *j, const char *folder, struct err *e)
{
    for (int i = 0; flock(j->folder, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR) return fail(e, E_IO, NULL, "%s: %s", folder, strerror(errno));
        if (i >= 50 * JOURNAL_LOCK_SECONDS) return fail(e, E_CONFLICT, NULL, "%s: another signer works in this folder", folder);
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    return OK;
}

static enum eim_err open_all(struct journal *j, const char *folder, struct guard *g, uint64_t rotate, struct journal_report *report, struct err *e)
{
    uint64_t size = 0, oldest;
    j->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->folder < 0) return fail(e, E_IO, NULL, "%s: %s", folder, strerror(errno));
    TRY(lock(j, folder, e));
    TRY(numbers(folder, &oldest, &j->number, e));
    if (j->number) {
        struct reading r = { .guard = g, .number = j->number };
        TRY(read_file(j, &r, report, &size, e));
    }
    if (j->number && size < rotate) return OK;
    TRY(begin_file(j, g, e));
    report->number = j->number;
    return OK;
}

enum eim_err journal_open(struct journal **out, const char *folder, struct guard *g, uint64_t rotate, struct journal_report *r, struct err *e)
{
    struct journal *j = MEM_NEW(struct journal);
    *out = NULL;
    *r = (struct journal_report){ 0 };
    if (!j) return fail(e, E_NOMEM, NULL, "no memory for the signer's journal");
    j->folder = j->fd = -1;
    buf_init(&j->pending, PENDING_MAX);
    enum eim_err rc = open_all(j, folder, g, rotate, r, e);
    if (rc == OK) *out = j;
    else journal_close(j);
    return rc;
}

void journal_close(struct journal *j)
{
    if (!j) return;
    if (j->fd >= 0) close(j->fd);
    if (j->folder >= 0) close(j->folder);
    buf_free(&j->pending);
    mem_free(j);
}

/* ---- for auditors ---- */

/* One file with a guard of its own: what it carries over must be enough for a start. `before`: the chain of the file before, NULL for the first. */
static enum eim_err verify_file(int folder, uint64_t number, const uint8_t *before, struct reading *r, struct err *e)
{
    char name[NAME_ROOM], line[CHAIN_HEX + 32], want[CHAIN_HEX + 1];
    uint64_t size, good;
    file_name(number, "log", name);
    *r = (struct reading){ .number = number, .since = r->since };
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? fail(e, E_MISMATCH, NULL, "%s is missing", name) : fail(e, E_IO, NULL, "%s: %s", name, strerror(errno));
    enum eim_err rc = guard_new(&r->guard, &(struct guard_rates){ 0 }, e);
    if (rc == OK) rc = read_open(r, fd, name, &size, &good, e);
    guard_free(r->guard);
    if (rc == OK && before) {          /* its first line, of which read_line has seen that it is whole */
        int n = snprintf(line, sizeof line, "h 2 %" PRIu64 " ", number);
        slice_hex(slice_of(before, SHA256_SIZE), false, want);
        if (pread(fd, line, CHAIN_HEX, n) != CHAIN_HEX || memcmp(line, want, CHAIN_HEX) != 0)
            rc = fail(e, E_MISMATCH, NULL, "%s does not go on from the file before it", name);
    }
    close(fd);
    return rc;
}

enum eim_err journal_verify(const char *folder, const uint8_t since[SHA256_SIZE], struct journal_account *out, struct err *e)
{
    struct reading r = { .since = since };
    bool found = false;
    *out = (struct journal_account){ 0 };
    TRY(numbers(folder, &out->first, &out->last, e));
    if (!out->last) return fail(e, E_NOT_FOUND, NULL, "%s: there is no journal", folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(e, E_IO, NULL, "%s: %s", folder, strerror(errno));
    enum eim_err rc = OK;
    for (uint64_t n = out->first; rc == OK && n <= out->last; n++) {
        rc = verify_file(fd, n, n > out->first ? out->chain : NULL, &r, e);
        found = found || r.found;
        out->lines += r.lines;
        out->packages += r.packages;
        out->notes += r.notes;
        memcpy(out->chain, r.chain, sizeof out->chain);
    }
    close(fd);
    if (rc == OK && since && !found) return fail(e, E_MISMATCH, NULL, "no line ends in the chain that was kept: what stood up to there was cut off or changed");
    return rc;
}
