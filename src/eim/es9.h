/* es9.h -- one ES9+' exchange: a function of an SM-DP+, JSON in SGP.22's binding (SGP.22 5.6, 6.5). For the files of this room and tests.
 *
 * What an SM-DP+ answers may be anything: HTML, half a message, too much. Nothing of it is used that was not asked for by name. */
#ifndef EIM_ES9_H
#define EIM_ES9_H

#include "eim/listed.h"

enum { ES9_IN = 4, ES9_OUT = 6, ES9_SMALL = 64 * 1024, ES9_LARGE = 768 * 1024 };

struct es9 {
    /* the question */
    const char *function;              /* "authenticateClient" */
    const char *path;                  /* NULL: ES9+'; "es2plus": the account's ES2+ address is called, with its client credential (SGP.22 5.3) */
    struct { const char *name; struct slice value; enum { ES9_BASE64, ES9_TEXT, ES9_HEX, ES9_TRUE, ES9_FALSE } as; } in[ES9_IN];
    /* the members that are wanted; `large`: reply may have ES9_LARGE octets because of this one, which is never copied */
    struct { const char *name; bool needed, text; struct slice value; } out[ES9_OUT];
    bool large;
    bool may_be_smds;                  /* an answer with eventEntries (ES11') is taken too */

    /* what came of it */
    struct slice transaction;          /* transactionId, octets */
    bool events;                       /* it was an SM-DS: out[] is empty, and here is the first event, empty when none waits */
    struct slice event_server, event_id;
    bool refused;                      /* the SM-DP+ says that it failed: subject and reason tell why */
    char subject[16], reason[16];
    bool sent;                         /* it left, in part at least: the SM-DP+ may have acted on it */
    bool silent;                       /* no answer, or none of an SM-DP+ that works */
    const char *why;                   /* one sentence; in the arena */
    struct buf reply;                  /* holds what `large` led to; es9_end frees it */
};

/* es9_call -- make it. OK: out[] is filled. Else why says what is wrong, and `refused` and `silent` how. Texts live in the arena. The account's
 * anchors and limits are used. es9_end afterwards, always. */
MUST enum eim_err es9_call(struct es9 *c, struct outbound *o, const struct listed *to, const struct identity *id, const char *call, struct arena *a,
                           struct err *e);
void es9_end(struct es9 *c);

/* es9_read -- understand a reply's body, which it may change (base64 is decoded in place). For es9_call, tests and fuzzing. */
MUST enum eim_err es9_read(struct es9 *c, struct slice *body, struct arena *a, struct err *e);

#endif
