/* bsp.h -- what protects a bound profile package on its way from an SM-DP+ to an eUICC (SGP.22 2.5.3, 2.6.4, annex G).
 *
 * Both ends derive the same keys from one key agreement, and go through the same segments in the same order: each is
 * encrypted with an ICV made of its number, and its MAC covers the whole MAC of the one before. */
#ifndef SIM_BSP_H
#define SIM_BSP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "crypto/aes.h"

enum {
    BSP_SEGMENT = 1020,                /* most bytes of one segment, with tag, length and MAC */
    BSP_MAC = 8,
    BSP_KEY_TYPE = 0x88, BSP_KEY_LEN = 16,               /* of the control reference template: AES-128 */
};

struct bsp {
    uint8_t enc[AES_BLOCK], mac[AES_BLOCK];
    uint8_t chain[AES_BLOCK];          /* the MAC chaining value */
    uint32_t number;                   /* of the next segment, from 1 */
};

/* bsp_kdf -- the key derivation function of ANSI X9.63 with SHA-256. */
MUST enum eim_err bsp_kdf(struct slice secret, struct slice info, uint8_t *out, size_t n, struct err *e);

/* bsp_begin -- the session of this shared secret. `host_id` up to 16 bytes, `eid` 16. */
MUST enum eim_err bsp_begin(struct bsp *b, struct slice secret, struct slice host_id, struct slice eid, struct err *e);

/* bsp_resume -- the session of these keys (ReplaceSessionKeys). */
void bsp_resume(struct bsp *b, const uint8_t enc[AES_BLOCK], const uint8_t mac[AES_BLOCK], const uint8_t chain[AES_BLOCK]);

/* bsp_seal -- append `plain` as one or more protected segments with this tag; `encrypted` or only with a MAC. A failure of
 * the simulator leaves out->failed. */
void bsp_seal(struct bsp *b, uint32_t tag, bool encrypted, struct slice plain, struct buf *out);

enum bsp_said { BSP_GOOD, BSP_STRUCTURE, BSP_SECURITY };
/* bsp_open -- the inverse for a row of segments, appended to `out`. BSP_STRUCTURE: not segments of this tag, or bad padding;
 * BSP_SECURITY: a MAC is wrong. */
enum bsp_said bsp_open(struct bsp *b, uint32_t tag, bool encrypted, struct slice segments, struct buf *out);

#endif
