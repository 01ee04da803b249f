/* log.h -- key=value lines to standard error, one write(2) each.
 *
 * Only front/ and app/ log (invariant I10); rooms below return struct err. Values that hold spaces, quotes,
 * equals signs or control bytes are quoted and escaped, so a hostile peer cannot forge a line.
 * Never log keys, tokens, activation codes or whole ICCIDs; EIDs are shortened to their last four digits. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_kv { const char *key, *value; };        /* value NULL: the pair is left out */

/* log_set_level -- lines below it are dropped. Once, before the first thread (and on reload). */
void log_set_level(enum log_level least);

/* log_wants -- would a line of this level be written? For callers that spend time on making one. */
bool log_wants(enum log_level level);

/* log_line -- "TIME level area k=v k=v ...". `kv` ends with a {NULL,NULL} row. At most 2 KiB; more is cut. */
void log_line(enum log_level level, const char *area, const struct log_kv *kv);

/* log_msg -- one formatted message under the key msg. */
void log_msg(enum log_level level, const char *area, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
