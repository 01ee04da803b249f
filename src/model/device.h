/* device.h -- what is known of one device under one eIM identity: plain data, no I/O, no allocation.
 *
 * "Association" is the pair (EID, eIM identity): SGP.32 counters, tokens and keys belong to it, and every
 * per-device row of the store is keyed by it. Its 63-bit number is made from the two (model_association),
 * so a poll finds its row by one primary-key read and a sharded database can place it without asking. */
#ifndef MODEL_DEVICE_H
#define MODEL_DEVICE_H

#include "base/slice.h"

struct eid { uint8_t b[16]; };                     /* plain BCD, 32 digits */
struct iccid { uint8_t b[10]; };                   /* as on the wire: nibble-swapped, opaque (spec 6.30) */

/* Classes of evidence, weakest first (product.md): a fact never replaces one of a stronger class. */
#define EVIDENCE_CLASSES(X)                       \
    X(EVIDENCE_NONE,         "none")              \
    X(EVIDENCE_INFERRED,     "inferred")          \
    X(EVIDENCE_IPA_REPORTED, "IPA-reported")      \
    X(EVIDENCE_SMDP,         "SM-DP+-notified")   \
    X(EVIDENCE_EUICC_SIGNED, "eUICC-signed")
enum evidence_class {
#define X(name, text) name,
    EVIDENCE_CLASSES(X)
#undef X
    EVIDENCE_END
};
const char *evidence_name(enum evidence_class c);

/* How we came to know the device's key (invariant I5). */
enum key_class { KEY_NONE, KEY_PINNED, KEY_CI };
const char *key_class_name(enum key_class k);      /* "unverified", "pinned", "ci" */

/* What the eIM itself wants of a device, beside the queue of operations. Materialised as a package at the
 * next poll, so that wanting costs a bit and not a row. */
enum device_want {
    WANT_DATA      = 1,                            /* IpaEuiccDataRequest: first contact, or certificates and token again */
    WANT_INVENTORY = 2,                            /* listProfileInfo */
    WANT_RESULTS   = 4,                            /* IpaEuiccDataRequest for stored results (tag A2): a result was lost */
    WANT_SETTLE    = 8,                            /* an inventory that settles operation `unsettled` */
};

enum { DEVICE_TOKEN_NONE = -1 };                   /* no association token known: sign with 0 (spec 3.1) */

struct device {
    int64_t association;
    int64_t tenant, identity;
    struct eid eid;
    int64_t version;                               /* raised by every write; a write of an older version is E_STALE */

    /* key and association */
    enum key_class key_class;
    int64_t curve;                                 /* enum curve of `key` */
    struct slice signing_key;                      /* the signer's name of the key that its eUICC has of us; empty: the identity's */
    struct slice tls_trust;                        /* hex SHA-256 of the certificate that updateEim told its IPA to trust; empty: none did */
    struct slice key;                              /* uncompressed point 04||x||y, or empty */
    int64_t counter;                               /* the last counterValue spent; the next package carries counter + 1 */
    int64_t token;                                 /* association token that a signed result proved or a person gave; DEVICE_TOKEN_NONE */
    int64_t token_candidate;                       /* heard unsigned: tried once (I11); DEVICE_TOKEN_NONE */

    /* queue */
    int64_t in_flight;                             /* operation in state sent, 0 = none */
    int64_t download_op;                           /* download trigger in state sent, 0 = none: it does not block packages */
    int64_t next_op;                               /* oldest operation in state pending, 0 = none */
    int64_t unsettled;                             /* oldest operation in state unknown, 0 = none */
    int64_t wants;                                 /* enum device_want bits */
    int64_t timer_us;                              /* when the sweep must look at it (expiry, timeout); 0 = never */
    int64_t auto_us;                               /* last automatic package caused by something unsigned (I11); 0 = never */
    int64_t hold_us;                               /* nothing is signed before this: the card said ecallActive */
    int64_t retry_us;                              /* no inventory of our own before this: the last one failed */
    int64_t quarantine_us;                         /* since when nothing but inventories is signed for it; 0 = it is in none */

    int64_t quirks;                                /* how it deviates from the specification: enum quirk bits (eim/quirks.h) */

    /* outstanding IpaEuiccDataRequest */
    struct slice data_txid;                        /* 16 bytes, or empty */
    int64_t data_deliveries, data_sent_us;

    /* facts */
    bool has_enabled;                              /* something is known of the enabled profile */
    struct slice enabled;                          /* ICCID of the enabled profile; empty = none is enabled */
    int64_t enabled_us, enabled_op;                /* as of, and the operation whose result is the evidence (class eUICC-signed) */
    int64_t inventory_us, inventory_op;            /* last attested inventory, 0 = never */
    int64_t eims_us, eims_op;                      /* last attested list of the eIMs that control the card, 0 = never */
    int64_t changed_us;                            /* last known or announced change of profiles; an inventory older than it is stale */
    struct slice rplmn;                            /* last registered network, 3 octets or empty; IPA-reported */
    int64_t rplmn_us;
    int64_t enrolled_us, first_contact_us;
    int64_t state_cause, state_cause_us;           /* last notifyStateChange: cause (-1 none) and time; IPA-reported */
};

/* One profile as the last inventories tell. Which one is enabled stands in the device (an eUICC without
 * MEP has at most one), so that the two can't contradict each other. */
struct profile {
    struct slice iccid;                            /* 10 octets */
    struct slice aid, name, provider, nickname;    /* empty when the card did not say */
    int64_t class_;                                /* 0 test, 1 provisioning, 2 operational, -1 unknown */
    bool fallback, fallback_allowed, ecall;
    int64_t policy_rules;                          /* pprIds: bit 1 ppr1, bit 2 ppr2 as DER bits shifted to an int; 0 none */
    int64_t as_of_us, op;                          /* evidence: time and operation */
};

/* An eIM that controls the card, as the eUICC attests. */
struct card_eim {
    struct slice eim_id;                           /* 1 to 128 octets */
    int64_t id_type;                               /* 1 OID, 2 FQDN, 3 proprietary; 0 the card did not say */
    int64_t token;                                 /* the association token that our addEim drew for it; DEVICE_TOKEN_NONE: not known */
    int64_t as_of_us, op;                          /* evidence: time and operation */
    int64_t control_us;                            /* when a result that the eUICC signed for this eIM was shown to us; 0 = never */
    struct slice control;                          /* that result, BF51 */
};

struct label { struct slice name, value; };

/* model_association -- the number of (eIM identity, EID): 63 bits of SipHash under the identity's own random key
 * (struct identity), never 0. Two EIDs may collide (about 1 in 200,000 over ten million devices): the store
 * refuses the second; the key keeps strangers from choosing EIDs that do. */
int64_t model_association(const uint8_t key[16], const struct eid *eid);

/* eid_parse -- 32 decimal digits to 16 octets; false when it is anything else, or (strict) when the check digits
 * (ISO 7064 MOD 97-10 as SGP.29 has them) are wrong. */
bool eid_parse(struct slice text, bool strict, struct eid *out);
void eid_print(const struct eid *e, char out[33]);
/* eid_short -- "..0001": for logs. */
void eid_short(const struct eid *e, char out[7]);

/* iccid_parse -- 18 to 20 digits as people write them, to the 10 octets of EF.ICCID (nibbles swapped, padded with F).
 * iccid_print -- the inverse; octets that are no BCD are printed as hex digits. out holds 21 bytes. */
bool iccid_parse(struct slice text, struct iccid *out);
/* iccid_written -- is it an ICCID as SM-DP+ write it: 18 to 20 digits, the last of which may be the padding F? */
bool iccid_written(struct slice text);
void iccid_print(struct slice iccid, char out[21]);

/* plmn_print -- "26201" from the three octets of TS 24.008; out holds 8 bytes. "" when there are not three. */
void plmn_print(struct slice plmn, char out[8]);

/* device_inventory_fresh -- was the last attested inventory asked for after the last known change (I6)? */
bool device_inventory_fresh(const struct device *d);

#endif
