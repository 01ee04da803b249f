/* quirk.h -- the misbehaviours that cards and IPAs are known for (sgp32.md 6), each a switch with a name.
 *
 * A set of quirks is a 64-bit mask; bit n is the n-th row. The name is what `eimsim --quirk NAME` takes. */
#ifndef SIM_QUIRK_H
#define SIM_QUIRK_H

#include <stdint.h>

/*    row                  name                    what the device does */
#define SIM_QUIRKS(X)                                                                                            \
    /* the wire form of what is sent */                                                                          \
    X(BARE_CHOICE,         "bare-choice",          "BF51 and BF52 without the arm of their CHOICE (6.2)")        \
    X(DOUBLE_TAG,          "double-tag",           "BF51{BF51{...}} (6.1)")                                      \
    X(EXPLICIT_CERT,       "explicit-cert",        "A5 and A6 hold the whole certificate, not IMPLICIT (6.3)")   \
    X(NO_EID,              "no-eid",               "BF50 without eidValue (6.27)")                               \
    X(HANDLE_NOTIFICATION, "handle-notification",  "results travel as BF3D{BF50} instead of BF50 (6.26)")        \
    X(EMPTY_LIST,          "empty-list",           "30{BF51, A0} even when the list is empty (6.18)")            \
    X(NEVER_BUNDLE,        "never-bundle",         "notifications are never sent along (6.18)")                  \
    X(DER_SIGNATURE,       "der-signature",        "5F37 holds a DER Ecdsa-Sig-Value (6.10)")                    \
    X(CAPS_BYTES,          "caps-byte-per-bit",    "capability BIT STRINGs with one octet per bit (6.20)")       \
    X(UNKNOWN_FIELDS,      "unknown-fields",       "fields from a newer version in polls and around results (0.3)") \
    X(UNKNOWN_SIGNED,      "unknown-signed",       "a field from a newer version inside what the card signs (0.3)") \
    X(UNKNOWN_RESULT,      "unknown-result",       "an operation's result under an unknown tag (2.4)")           \
    X(BARE_INTEGER,        "bare-integer",         "an operation's result as untagged INTEGER (2.4)")            \
    X(LONG_LENGTH,         "long-length",          "BER lengths with needless zeros (6.21)")                     \
    X(TRUNCATED,           "truncated",            "results are cut off in the middle")                          \
    X(ODD_ERROR,           "odd-error",            "a malformed error 80{30{02 7F}} instead of the result (6.14)") \
    X(V1_0,                "v1.0",                 "card and IPA follow SGP.32 v1.0 (0.1)")                      \
    X(SHORT_TAGS,          "short-tag-list",       "BF52 that asks for A0 or A2 gets incorrectTagList (6.5)")    \
    X(WHOLE_CERT,          "whole-certificate",    "addEim and updateEim must hold keys with their SEQUENCE (6.4)") \
    /* when and how often results come */                                                                       \
    X(DUPLICATE,           "duplicate",            "every result is delivered twice (6.28)")                     \
    X(NEVER_REMOVE,        "never-remove",         "acknowledged results stay on the card and come again (6.28)") \
    X(DELAYED,             "delayed-result",       "a result is sent at the next contact only (6.17)")           \
    X(LATE_EPR,            "late-epr",             "a package's result comes only in BF52 A2, when asked (6.17)") \
    X(SILENT,              "silent",               "packages are executed, their results never come")            \
    X(REPLAY_EPR,          "replay-epr",           "the first result is sent again instead of each later one")   \
    X(ODD_SEQ,             "odd-seq",              "sequence numbers do not rise with time (6.28)")              \
    /* false proofs */                                                                                           \
    X(WRONG_SIGNATURE,     "wrong-signature",      "one bit of every eUICC signature is wrong")                  \
    X(WRONG_TOKEN,         "wrong-token",          "signed with the association token plus one (6.8)")           \
    X(NO_TOKEN,            "no-token",             "signed without the association token (6.8)")                 \
    X(FOREIGN_EPR,         "foreign-epr",          "signed by another device's eUICC")                           \
    X(DUMMY_SIGNATURE,     "dummy-signature",      "a signature of zeros (6.29)")                                \
    /* refusals */                                                                                               \
    X(UNSIGNED_ERROR,      "unsigned-error",       "every package gets the unsigned error A2")                   \
    X(ECALL,               "ecall",                "the emergency profile is enabled: 104 everywhere (5.17)")    \
    X(REPLAY_ERROR,        "replay-error",         "the card's counter is 500 ahead of the eIM's (6.37)")        \
    X(COUNTER_RANGE,       "counter-range",        "every package gets counterValueOutOfRange")                  \
    X(CAT_BUSY,            "cat-busy",             "enable and disable get catBusy")                             \
    X(CHANGE_ONGOING,      "change-ongoing",       "listProfileInfo gets profileChangeOngoing")                  \
    X(SIZE_OVERFLOW,       "size-overflow",        "listProfileInfo ends in resultSizeOverflow")                 \
    X(INVALID_FORMAT,      "invalid-format",       "the IPA refuses packages: invalidPackageFormat")             \
    X(UNKNOWN_PACKAGE,     "unknown-package",      "the IPA refuses packages: unknownPackage (6.34)")            \
    X(ERROR_NO_TXID,       "error-no-txid",        "the IPA's refusals carry no eimTransactionId (6.15)")        \
    X(NO_DATA_ANSWER,      "no-data-answer",       "BF52 is never answered")                                     \
    X(BAD_TAG_LIST,        "bad-tag-list",         "BF52 always gets incorrectTagList (6.5)")                    \
    X(TRIGGER_SILENT,      "trigger-silent",       "BF54 is never answered (6.16)")                              \
    X(NO_MEMORY,           "no-memory",            "a profile finds no room: installFailedDueToInsufficientMemoryForProfile") \
    X(PPR_REFUSED,         "ppr-refused",          "a profile's policy rules are not allowed: pprNotAllowed")    \
    X(INTERRUPTED,         "interrupted",          "the installation of a profile is interrupted")               \
    X(CARD_NO_ROLLBACK,    "card-no-rollback",     "enable with rollback gets rollbackNotAvailable")             \
    X(NO_ROLLBACK,         "no-rollback",          "the IPA cannot roll back (6.34)")                            \
    X(ROLLBACK_BOTH,       "rollback-both",        "the rollback's result keeps the results before it (5.6)")

enum sim_quirk_row {
#define X(id, name, help) SIM_ROW_##id,
    SIM_QUIRKS(X)
#undef X
    SIM_QUIRK_COUNT
};
_Static_assert(SIM_QUIRK_COUNT <= 64, "a set of quirks is one word");

#define SIM_Q(id) (UINT64_C(1) << SIM_ROW_##id)

/* sim_quirk_named -- the bit of a name, 0 when there is none. */
uint64_t sim_quirk_named(const char *name);
const char *sim_quirk_name(unsigned row);      /* row < SIM_QUIRK_COUNT */
const char *sim_quirk_help(unsigned row);

#endif
