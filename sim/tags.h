/* tags.h -- the tags of SGP.32 and SGP.22 as the simulator's own list, written as the bytes on the wire.
 *
 * Deliberately not asn1/: the simulator is the other side and must not share a misread tag with the eIM. It is
 * the one list of tags outside asn1/. Taken from sgp32.md section 2 (SGP.32 v1.2). */
#ifndef SIM_TAGS_H
#define SIM_TAGS_H

enum sim_tag {
    /* universal */
    T_BOOLEAN = 0x01, T_INTEGER = 0x02, T_BIT_STRING = 0x03, T_OCTETS = 0x04, T_NULL = 0x05, T_OID = 0x06, T_UTF8 = 0x0C,
    T_SEQUENCE = 0x30, T_SET = 0x31, T_GENERALIZED_TIME = 0x18, T_UTC_TIME = 0x17,

    /* context, primitive and constructed */
    T_0 = 0x80, T_1 = 0x81, T_2 = 0x82, T_3 = 0x83, T_4 = 0x84, T_5 = 0x85, T_6 = 0x86, T_7 = 0x87, T_8 = 0x88, T_9 = 0x89,
    T_10 = 0x8A, T_11 = 0x8B, T_12 = 0x8C, T_13 = 0x8D, T_14 = 0x8E, T_16 = 0x90, T_17 = 0x91, T_18 = 0x92, T_21 = 0x95, T_25 = 0x99,
    T_C0 = 0xA0, T_C1 = 0xA1, T_C2 = 0xA2, T_C3 = 0xA3, T_C4 = 0xA4, T_C5 = 0xA5, T_C6 = 0xA6, T_C7 = 0xA7, T_C8 = 0xA8, T_C9 = 0xA9,
    T_C10 = 0xAA, T_C11 = 0xAB, T_C20 = 0xB4, T_C22 = 0xB6, T_C23 = 0xB7,

    /* application and private */
    T_EID = 0x5A, T_ICCID = 0x5A, T_AID = 0x4F, T_TAG_LIST = 0x5C, T_SIGNATURE = 0x5F37, T_OTPK = 0x5F49,
    T_PROFILE_INFO = 0xE3, T_PROFILE_STATE = 0x9F70, T_FALLBACK_ATTRIBUTE = 0x9F26, T_FALLBACK_ALLOWED = 0x9F67,
    T_ECALL_INDICATION = 0x9F7B,

    /* ESipa and eIM packages */
    T_TRANSFER_EIM_PACKAGE = 0xBF4E, T_GET_EIM_PACKAGE = 0xBF4F, T_PROVIDE_RESULT = 0xBF50, T_EUICC_PACKAGE = 0xBF51,
    T_IPA_DATA = 0xBF52, T_ACKS = 0xBF53, T_TRIGGER = 0xBF54, T_HANDLE_NOTIFICATION = 0xBF3D, T_INSTALLATION_RESULT = 0xBF37,
    T_INITIATE_AUTHENTICATION = 0xBF39, T_GET_BOUND_PROFILE = 0xBF3A, T_AUTHENTICATE_CLIENT = 0xBF3B, T_CANCEL_SESSION = 0xBF41,
    T_PREPARE_DOWNLOAD = 0xBF21, T_AUTHENTICATE_SERVER = 0xBF38,

    /* ES10b */
    T_EUICC_INFO1 = 0xBF20, T_EUICC_INFO2 = 0xBF22, T_LIST_NOTIFICATION = 0xBF28, T_RETRIEVE_NOTIFICATIONS = 0xBF2B,
    T_PROFILES_INFO = 0xBF2D, T_CHALLENGE = 0xBF2E, T_NOTIFICATION_METADATA = 0xBF2F, T_REMOVE_NOTIFICATION = 0xBF30,
    T_CONFIGURED_DATA = 0xBF3C, T_GET_EID = 0xBF3E, T_GET_RAT = 0xBF43, T_GET_EIM_CONFIG = 0xBF55, T_GET_CERTS = 0xBF56,
    T_ADD_INITIAL_EIM = 0xBF57, T_ROLLBACK = 0xBF58, T_CONFIGURE_IMMEDIATE = 0xBF59, T_IMMEDIATE_ENABLE = 0xBF5A,
    T_EMERGENCY_ON = 0xBF5B, T_EMERGENCY_OFF = 0xBF5C, T_FALLBACK = 0xBF5D, T_FALLBACK_RETURN = 0xBF5E,
    T_CONNECTIVITY = 0xBF5F, T_MEMORY_RESET = 0xBF64, T_SET_DEFAULT_DP = 0xBF65,

    /* bound profile packages (SGP.22 2.5.3 to 2.5.6) */
    T_SECURE_CHANNEL = 0xBF23, T_CONFIGURE_ISDP = 0xBF24, T_METADATA = 0xBF25, T_REPLACE_KEYS = 0xBF26, T_INSTALLATION_DATA = 0xBF27,
    T_BOUND_PACKAGE = 0xBF36,

    /* fields that only newer or odd peers send (pitfalls of sgp32.md 6) */
    T_UNKNOWN_A = 0x9F50, T_UNKNOWN_B = 0x9F7F, T_UNKNOWN_SIGNED = 0x9E, T_UNKNOWN_RESULT = 0x9F60
};

/* listProfileInfo without a tag list (sgp32.md 2.3, SGP.32 5.9.14), as the value of 5C */
#define SIM_DEFAULT_TAG_LIST "\x5A\x4F\x9F\x70\x91\x92\x95\x9F\x7B\x9F\x26\x9F\x67"

#endif
