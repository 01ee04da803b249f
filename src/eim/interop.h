/* interop.h -- what a maker's IPAs and cards do otherwise than the specification says, seen in live traffic: kept in memory, for a report.
 *
 * Everything here was understood or refused where it happened; this only counts, and keeps one example of each. Since the start of the process. */
#ifndef EIM_INTEROP_H
#define EIM_INTEROP_H

#include "base/arena.h"
#include "base/err.h"
#include "model/device.h"

/* X(id, name, clause, what it means) */
#define INTEROP_KINDS(X)                                                                                                                  \
    X(INTEROP_FORM,     "form",              "SGP.32 6.3",     "a message is not written as the specification says, or has fields of a later one") \
    X(INTEROP_NO_EID,   "no-eid",            "SGP.32 5.14.6",  "a result comes without eidValue: it was found by its certificate or transaction id") \
    X(INTEROP_NOTIFIED, "result-notified",   "SGP.32 5.14.7",  "a result comes by HandleNotification, where it cannot be acknowledged")    \
    X(INTEROP_AGAIN,    "result-again",      "SGP.32 5.14.6",  "a result comes again although it was acknowledged")                       \
    X(INTEROP_TAG_LIST, "tag-list-refused",  "SGP.32 2.11.1.2","a data request that asks for stored notifications and results is refused") \
    X(INTEROP_UNSIGNED, "unsigned-error",    "SGP.32 2.11.2.1","a package could not be verified by the card, it says (unsigned)")
enum interop_kind {
#define X(id, name, clause, what) id,
    INTEROP_KINDS(X)
#undef X
    INTEROP_END
};

enum { INTEROP_ROWS = 512, INTEROP_OCTETS = 48, INTEROP_MAKER = 8 };

struct interop_row {
    char maker[INTEROP_MAKER + 1];                 /* the first digits of the EID: who made the eUICC (SGP.29) */
    enum interop_kind kind;
    const char *message;                           /* "provideEimPackageResult"; static */
    int64_t count, first_us, last_us;
    struct eid example;                            /* the first device it was seen with */
    int64_t offset;                                /* INTEROP_FORM: the first octet that is otherwise; else -1 */
    uint8_t octets[INTEROP_OCTETS];                /* what stands there, from 16 octets before it */
    size_t noctets;
};

struct eim;
struct interop;
MUST enum eim_err interop_open(struct interop **out, struct err *e);
void interop_close(struct interop *i);
/* interop_note -- once more. `raw` and `offset`: where, or empty and -1. Any thread. */
void interop_note(struct interop *i, int64_t now_us, const struct eid *eid, enum interop_kind kind, const char *message, struct slice raw, int64_t offset);
/* interop_list -- a copy of all rows, and how many observations found no room for a row of their own. In `a`; NULL: no room. */
struct interop_row *interop_list(struct interop *i, size_t *n, int64_t *dropped, struct arena *a);
const char *interop_name(enum interop_kind k);
const char *interop_clause(enum interop_kind k);
const char *interop_meaning(enum interop_kind k);

#endif
