/* ipa.h -- an IPA (SGP.32 IPAd) as the eIM sees it: polls, passes packages through, delivers results, removes what is
 * acknowledged, and rolls back when it cannot reach the eIM any more.
 *
 * Knows nothing of HTTP or time: it is driven contact by contact, over whatever `post` is (a function call in tests,
 * HTTPS in a fleet). One thread at a time per IPA; contacts block as long as `post` does. It talks to its card through
 * ES10b only. */
#ifndef SIM_IPA_H
#define SIM_IPA_H

#include "sim/euicc.h"

enum {
    SIM_IPA_STEPS = 64,                /* most messages of one contact */
    SIM_IPA_ARENA = 8 << 20,       /* a good ceiling for the arena of a contact */
    SIM_ROLLBACK_TRIES = 5,            /* deliveries that fail one after the other before the IPA rolls back */
    SIM_REFUSALS = 3,                  /* refusals of one result after which the IPA gives it up (the card keeps it) */
    SIM_BUNDLE = 16,                   /* most notifications in one message */
    SIM_OWED_MAX = 128 * 1024,
    SIM_NO_CAUSE = -1,
};

enum sim_reply {
    SIM_REPLY,                         /* *reply holds the body, maybe empty */
    SIM_LOST,                          /* no answer, or "come again later" (503): nothing is known */
    SIM_REFUSED,                       /* the eIM understood nothing: 4xx */
};

/* How messages reach the eIM. `post` sends one ESipa message (the bare TLV) and waits for the answer, which it puts
 * into the arena. */
struct sim_transport {
    enum sim_reply (*post)(void *arg, struct slice request, struct slice *reply, struct arena *a);
    void *arg;
    /* One POST of ES9+ to an SM-DP+ ("host:port"): JSON both ways. NULL: there is no way to one. */
    enum sim_reply (*es9)(void *arg, const char *address, const char *function, struct slice json, struct slice *reply, struct arena *a);
};

/* What happened; added to, never set to zero here. */
#define SIM_COUNTERS(X)                                                                  \
    X(contacts,          "contacts")                                                     \
    X(polls,             "polls")                                                        \
    X(nothing_pending,   "polls with nothing pending")                                   \
    X(packages,          "packages received")                                            \
    X(executed,          "packages executed")                                            \
    X(refused_unsigned,  "packages refused: unsigned error")                             \
    X(refused_eid,       "packages refused: invalidEid")                                 \
    X(refused_replay,    "packages refused: replayError")                                \
    X(refused_counter,   "packages refused: counterValueOutOfRange")                     \
    X(refused_size,      "packages refused: sizeOverflow")                               \
    X(refused_ecall,     "packages refused: ecallActive")                                \
    X(refused_ipa,       "packages refused by the IPA")                                  \
    X(data_requests,     "eUICC data requests")                                          \
    X(triggers,          "download triggers")                                            \
    X(downloads,         "profiles downloaded")                                          \
    X(downloads_failed,  "downloads that failed")                                        \
    X(pushes,            "messages pushed by the eIM")                                   \
    X(results,           "results delivered")                                            \
    X(notifications,     "notifications delivered")                                      \
    X(acks,              "acknowledgements received")                                    \
    X(removed,           "items removed from cards")                                     \
    X(result_errors,     "results answered with an error")                               \
    X(results_given_up,  "results given up")                                             \
    X(switches,          "profile switches by packages")                                 \
    X(rollbacks,         "rollbacks")                                                    \
    X(lost_requests,     "requests lost")                                                \
    X(lost_replies,      "replies lost")                                                 \
    X(no_coverage,       "attempts without coverage")                                    \
    X(transport_errors,  "transport errors")                                             \
    X(refused_http,      "requests refused by HTTP status")                              \
    X(unknown_to_eim,    "polls answered with an EID error")                             \
    X(malformed,         "malformed replies")                                            \
    X(checks,            "eIM signatures checked by cards")

struct sim_counters {
#define X(name, text) uint64_t name;
    SIM_COUNTERS(X)
#undef X
};
void sim_counters_add(struct sim_counters *to, const struct sim_counters *more);

/* What the IPAs of a fleet have in common. Zero members mean the default in brackets. */
struct sim_ipa_config {
    uint32_t loss_ppm;                 /* messages lost, per million: half of them before they are sent, half after the answer came */
    unsigned rollback_tries;           /* [SIM_ROLLBACK_TRIES] */
    unsigned features;                 /* ipaFeatures, bit 0 = ASN.1 bit 0 [directRspServerCommunication] */
    /* What a download trigger leads to: makes profileDownloadTriggerResultData (BF37, or 30{80 reason}) from the trigger
     * (BF54, valid). tlv_bad: no answer. [30{80 127}] */
    struct slice (*trigger)(void *arg, struct sim_euicc *card, struct slice trigger, struct arena *a);
    void *trigger_arg;
    const char *confirmation_code;     /* what the device's owner would type for a profile that asks for one, or NULL */
    bool inject_later;                 /* a pushed package is answered eimPackageReceived; its result comes at the next contact */
};

/* stateChangeCause */
enum sim_cause { SIM_OTHER_EIM = 0, SIM_FALLBACK = 1, SIM_EMERGENCY_PROFILE = 2, SIM_LOCAL = 3, SIM_RESET = 4, SIM_IMMEDIATE = 5 };

/* How a trigger leads to a profile: not (config->trigger says what is answered), straight from the SM-DP+, or through the eIM. */
enum sim_download { SIM_DOWNLOAD_NOT, SIM_DOWNLOAD_DIRECT, SIM_DOWNLOAD_INDIRECT };

struct sim_ipa {
    /* configuration */
    struct sim_euicc *card;            /* borrowed */
    const struct sim_ipa_config *config;
    uint32_t no_coverage;              /* bit n: no network with profiles of the world's operator n */
    uint8_t eim;                       /* which of the card's eIMs it talks to: row of GetEimConfigurationData */
    uint8_t download;                  /* enum sim_download */
    /* state */
    uint64_t random;                   /* of losses; seeded by sim_ipa_init */
    struct buf owed;                   /* an EimPackageResult not yet delivered (BF51, BF52, BF54 or A0), or empty */
    struct buf first;                  /* replay-epr: the result that is sent again and again */
    struct buf asked, answered;        /* the last message pushed to it, and its answer: the same again gets the same again */
    bool owed_epr, owed_psmo;          /* it is a BF51; of a package of PSMOs, so notifications go along */
    bool restarted;                    /* lost its memory: asks the card for undelivered results first */
    bool rollback;                     /* the package granted a rollback and its result is not delivered yet */
    bool rplmn_due;                    /* the network changed: tell it at the next poll */
    uint8_t failures;                  /* messages lost one after the other */
    uint8_t refusals;                  /* of the owed result */
    int8_t cause;                      /* stateChangeCause to tell, or SIM_NO_CAUSE */
};

enum sim_contact {
    SIM_IDLE,                          /* noEimPackageAvailable, and nothing is owed */
    SIM_RETRY,                         /* the transport failed: come again soon */
    SIM_LATER,                         /* something is left open on purpose (a quirk), or refused: come again as usual */
    SIM_UNKNOWN,                       /* the eIM does not know this EID */
    SIM_CEILING,                       /* SIM_IPA_STEPS messages and still no end */
    SIM_BROKEN,                        /* a reply that is no ESipa message */
    SIM_FAULT,                         /* the simulator itself failed (memory, cryptography) */
};

/* sim_ipa_init -- `card` and `config` are borrowed; `seed` seeds the losses. */
void sim_ipa_init(struct sim_ipa *p, struct sim_euicc *card, const struct sim_ipa_config *config, uint64_t seed);
void sim_ipa_free(struct sim_ipa *p);

/* sim_ipa_contact -- one contact with the eIM: what is owed first, then polls until nothing is pending or something
 * stops it. The arena is scratch memory and is reset over and over; nothing in it survives. */
enum sim_contact sim_ipa_contact(struct sim_ipa *p, const struct sim_transport *t, struct sim_counters *n, struct arena *a);

/* sim_ipa_inject -- a message that the eIM pushes: TransferEimPackage (BF4E) in, its answer (BF4E) in the arena out. Empty: it is no such
 * message (HTTP 400); tlv_bad: the simulator failed. The function-call form of `eimsim ipa`. */
struct slice sim_ipa_inject(struct sim_ipa *p, struct slice request, struct sim_counters *n, struct arena *a);

/* sim_ipa_restart -- the device lost power: the IPA forgets what it held. What the card stored, it asks the card for
 * at the next contact (RetrieveNotificationsList, BF2B{A0{82 00}}). */
void sim_ipa_restart(struct sim_ipa *p);

/* Changes that do not come from an eIM; the next poll tells them (notifyStateChange). */
enum sim_local {
    SIM_DO_FALLBACK, SIM_DO_FALLBACK_RETURN, SIM_DO_EMERGENCY_ON, SIM_DO_EMERGENCY_OFF, SIM_DO_IMMEDIATE_ENABLE
};
/* sim_ipa_local -- do it on the card. The card's code: 0 done, else nothing changed; -1: the card gave no answer. */
int sim_ipa_local(struct sim_ipa *p, enum sim_local what, struct arena *a);
/* sim_ipa_reset -- eUICCMemoryReset with these option bits (bit 0 = ASN.1 bit 0); as sim_ipa_local. */
int sim_ipa_reset(struct sim_ipa *p, unsigned options, struct arena *a);

#endif
