/* codes.h -- the named numbers and named bits of SGP.32 and SGP.22: constants, and names for people.
 *
 * Each set gives an enum (ENABLE_RESULT_CAT_BUSY = 5, ...) and a table (enable_result_names) for der_name().
 * Values that are not listed are legal on the wire: newer versions add some. Bits are numbers from 0, as der_bit()
 * and 1 << BIT of der_bits_from() take them. */
#ifndef ASN1_CODES_H
#define ASN1_CODES_H

#include "asn1/der.h"

/* 2.11.2.1 results of PSMOs */
#define ENABLE_RESULT_CODES(X) \
    X(ENABLE_RESULT_OK, 0, "ok") \
    X(ENABLE_RESULT_ICCID_OR_AID_NOT_FOUND, 1, "iccidOrAidNotFound") \
    X(ENABLE_RESULT_PROFILE_NOT_IN_DISABLED_STATE, 2, "profileNotInDisabledState") \
    X(ENABLE_RESULT_DISALLOWED_BY_POLICY, 3, "disallowedByPolicy") \
    X(ENABLE_RESULT_CAT_BUSY, 5, "catBusy") \
    X(ENABLE_RESULT_ROLLBACK_NOT_AVAILABLE, 20, "rollbackNotAvailable") \
    X(ENABLE_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define DISABLE_RESULT_CODES(X) \
    X(DISABLE_RESULT_OK, 0, "ok") \
    X(DISABLE_RESULT_ICCID_OR_AID_NOT_FOUND, 1, "iccidOrAidNotFound") \
    X(DISABLE_RESULT_PROFILE_NOT_IN_ENABLED_STATE, 2, "profileNotInEnabledState") \
    X(DISABLE_RESULT_DISALLOWED_BY_POLICY, 3, "disallowedByPolicy") \
    X(DISABLE_RESULT_CAT_BUSY, 5, "catBusy") \
    X(DISABLE_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define DELETE_RESULT_CODES(X) \
    X(DELETE_RESULT_OK, 0, "ok") \
    X(DELETE_RESULT_ICCID_OR_AID_NOT_FOUND, 1, "iccidOrAidNotFound") \
    X(DELETE_RESULT_PROFILE_NOT_IN_DISABLED_STATE, 2, "profileNotInDisabledState") \
    X(DELETE_RESULT_DISALLOWED_BY_POLICY, 3, "disallowedByPolicy") \
    X(DELETE_RESULT_ROLLBACK_NOT_AVAILABLE, 20, "rollbackNotAvailable") \
    X(DELETE_RESULT_RETURN_FALLBACK_PROFILE, 21, "returnFallbackProfile") \
    X(DELETE_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define PROFILE_INFO_LIST_ERROR_CODES(X) \
    X(PROFILE_INFO_LIST_ERROR_INCORRECT_INPUT_VALUES, 1, "incorrectInputValues") \
    X(PROFILE_INFO_LIST_ERROR_PROFILE_CHANGE_ONGOING, 11, "profileChangeOngoing") \
    X(PROFILE_INFO_LIST_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define CONFIGURE_IMMEDIATE_ENABLE_RESULT_CODES(X) \
    X(CONFIGURE_IMMEDIATE_ENABLE_RESULT_OK, 0, "ok") \
    X(CONFIGURE_IMMEDIATE_ENABLE_RESULT_INSUFFICIENT_MEMORY, 1, "insufficientMemory") \
    X(CONFIGURE_IMMEDIATE_ENABLE_RESULT_COMMAND_ERROR, 7, "commandError") \
    X(CONFIGURE_IMMEDIATE_ENABLE_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define SET_FALLBACK_RESULT_CODES(X) \
    X(SET_FALLBACK_RESULT_OK, 0, "ok") \
    X(SET_FALLBACK_RESULT_ICCID_OR_AID_NOT_FOUND, 1, "iccidOrAidNotFound") \
    X(SET_FALLBACK_RESULT_FALLBACK_NOT_ALLOWED, 2, "fallbackNotAllowed") \
    X(SET_FALLBACK_RESULT_FALLBACK_PROFILE_ENABLED, 3, "fallbackProfileEnabled") \
    X(SET_FALLBACK_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define UNSET_FALLBACK_RESULT_CODES(X) \
    X(UNSET_FALLBACK_RESULT_OK, 0, "ok") \
    X(UNSET_FALLBACK_RESULT_NO_FALLBACK_ATTRIBUTE, 2, "noFallbackAttribute") \
    X(UNSET_FALLBACK_RESULT_FALLBACK_PROFILE_ENABLED, 3, "fallbackProfileEnabled") \
    X(UNSET_FALLBACK_RESULT_COMMAND_ERROR, 7, "commandError") \
    X(UNSET_FALLBACK_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define SET_DEFAULT_DP_ADDRESS_RESULT_CODES(X) \
    X(SET_DEFAULT_DP_ADDRESS_RESULT_OK, 0, "ok") \
    X(SET_DEFAULT_DP_ADDRESS_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define ROLLBACK_RESULT_CODES(X) \
    X(ROLLBACK_RESULT_OK, 0, "ok") \
    X(ROLLBACK_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define PROCESSING_TERMINATED_CODES(X) \
    X(PROCESSING_TERMINATED_RESULT_SIZE_OVERFLOW, 1, "resultSizeOverflow") \
    X(PROCESSING_TERMINATED_UNKNOWN_OR_DAMAGED_COMMAND, 2, "unknownOrDamagedCommand") \
    X(PROCESSING_TERMINATED_INTERRUPTION, 3, "interruption") \
    X(PROCESSING_TERMINATED_UNDEFINED_ERROR, 127, "undefinedError")

/* 2.11.2.1 results of eCOs; addInitialEim shares the codes of addEim */
#define ADD_EIM_RESULT_CODES(X) \
    X(ADD_EIM_RESULT_OK, 0, "ok") \
    X(ADD_EIM_RESULT_INSUFFICIENT_MEMORY, 1, "insufficientMemory") \
    X(ADD_EIM_RESULT_ASSOCIATED_EIM_ALREADY_EXISTS, 2, "associatedEimAlreadyExists") \
    X(ADD_EIM_RESULT_CI_PK_UNKNOWN, 3, "ciPKUnknown") \
    X(ADD_EIM_RESULT_INVALID_ASSOCIATION_TOKEN, 5, "invalidAssociationToken") \
    X(ADD_EIM_RESULT_COUNTER_VALUE_OUT_OF_RANGE, 6, "counterValueOutOfRange") \
    X(ADD_EIM_RESULT_COMMAND_ERROR, 7, "commandError") \
    X(ADD_EIM_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define DELETE_EIM_RESULT_CODES(X) \
    X(DELETE_EIM_RESULT_OK, 0, "ok") \
    X(DELETE_EIM_RESULT_EIM_NOT_FOUND, 1, "eimNotFound") \
    X(DELETE_EIM_RESULT_LAST_EIM_DELETED, 2, "lastEimDeleted") /* a success: the eUICC now has no eIM */ \
    X(DELETE_EIM_RESULT_COMMAND_ERROR, 7, "commandError") \
    X(DELETE_EIM_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define UPDATE_EIM_RESULT_CODES(X) \
    X(UPDATE_EIM_RESULT_OK, 0, "ok") \
    X(UPDATE_EIM_RESULT_EIM_NOT_FOUND, 1, "eimNotFound") \
    X(UPDATE_EIM_RESULT_CI_PK_UNKNOWN, 3, "ciPKUnknown") \
    X(UPDATE_EIM_RESULT_COUNTER_VALUE_OUT_OF_RANGE, 6, "counterValueOutOfRange") \
    X(UPDATE_EIM_RESULT_COMMAND_ERROR, 7, "commandError") \
    X(UPDATE_EIM_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define LIST_EIM_ERROR_CODES(X) \
    X(LIST_EIM_ERROR_UNDEFINED_ERROR, 127, "undefinedError")

/* 2.11.2.1 signed errors of a whole package */
#define EUICC_PACKAGE_ERROR_CODES(X) \
    X(EUICC_PACKAGE_ERROR_INVALID_EID, 3, "invalidEid") \
    X(EUICC_PACKAGE_ERROR_REPLAY_ERROR, 4, "replayError") \
    X(EUICC_PACKAGE_ERROR_COUNTER_VALUE_OUT_OF_RANGE, 6, "counterValueOutOfRange") \
    X(EUICC_PACKAGE_ERROR_SIZE_OVERFLOW, 15, "sizeOverflow") \
    X(EUICC_PACKAGE_ERROR_ECALL_ACTIVE, 104, "ecallActive") \
    X(EUICC_PACKAGE_ERROR_UNDEFINED_ERROR, 127, "undefinedError")

/* 6.3.2.6, 6.3.2.7 and the other answers of ESipa */
#define GET_EIM_PACKAGE_ERROR_CODES(X) \
    X(GET_EIM_PACKAGE_ERROR_NO_EIM_PACKAGE_AVAILABLE, 1, "noEimPackageAvailable") \
    X(GET_EIM_PACKAGE_ERROR_EID_NOT_FOUND, 2, "eidNotFound") \
    X(GET_EIM_PACKAGE_ERROR_INVALID_EID, 3, "invalidEid") \
    X(GET_EIM_PACKAGE_ERROR_MISSING_EID, 4, "missingEid") \
    X(GET_EIM_PACKAGE_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define PROVIDE_EIM_PACKAGE_RESULT_ERROR_CODES(X) \
    X(PROVIDE_EIM_PACKAGE_RESULT_ERROR_EID_NOT_FOUND, 2, "eidNotFound") \
    X(PROVIDE_EIM_PACKAGE_RESULT_ERROR_INVALID_EID, 3, "invalidEid") \
    X(PROVIDE_EIM_PACKAGE_RESULT_ERROR_MISSING_EID, 4, "missingEid") \
    X(PROVIDE_EIM_PACKAGE_RESULT_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define EIM_PACKAGE_RESULT_ERROR_CODES(X) /* EimPackageResultErrorCode; also eimPackageError of TransferEimPackage */ \
    X(EIM_PACKAGE_RESULT_ERROR_INVALID_PACKAGE_FORMAT, 1, "invalidPackageFormat") \
    X(EIM_PACKAGE_RESULT_ERROR_UNKNOWN_PACKAGE, 2, "unknownPackage") \
    X(EIM_PACKAGE_RESULT_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define IPA_EUICC_DATA_ERROR_CODES(X) \
    X(IPA_EUICC_DATA_ERROR_INCORRECT_TAG_LIST, 1, "incorrectTagList") \
    X(IPA_EUICC_DATA_ERROR_EUICC_CI_PK_ID_NOT_FOUND, 5, "euiccCiPKIdNotFound") \
    X(IPA_EUICC_DATA_ERROR_ECALL_ACTIVE, 104, "ecallActive") \
    X(IPA_EUICC_DATA_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define PROFILE_DOWNLOAD_ERROR_REASON_CODES(X) \
    X(PROFILE_DOWNLOAD_ERROR_REASON_ECALL_ACTIVE, 104, "ecallActive") \
    X(PROFILE_DOWNLOAD_ERROR_REASON_UNDEFINED_ERROR, 127, "undefinedError")
#define INITIATE_AUTHENTICATION_ERROR_CODES(X) \
    X(INITIATE_AUTHENTICATION_ERROR_INVALID_DP_ADDRESS, 1, "invalidDpAddress") \
    X(INITIATE_AUTHENTICATION_ERROR_EUICC_VERSION_NOT_SUPPORTED_BY_DP, 2, "euiccVersionNotSupportedByDp") \
    X(INITIATE_AUTHENTICATION_ERROR_CI_PK_ID_NOT_SUPPORTED, 3, "ciPKIdNotSupported") \
    X(INITIATE_AUTHENTICATION_ERROR_SMDP_ADDRESS_MISMATCH, 50, "smdpAddressMismatch") \
    X(INITIATE_AUTHENTICATION_ERROR_SMDP_OID_MISMATCH, 51, "smdpOidMismatch") \
    X(INITIATE_AUTHENTICATION_ERROR_INVALID_EIM_TRANSACTION_ID, 52, "invalidEimTransactionId") \
    X(INITIATE_AUTHENTICATION_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define AUTHENTICATE_CLIENT_ERROR_CODES(X) \
    X(AUTHENTICATE_CLIENT_ERROR_EUM_CERTIFICATE_INVALID, 1, "eumCertificateInvalid") \
    X(AUTHENTICATE_CLIENT_ERROR_EUM_CERTIFICATE_EXPIRED, 2, "eumCertificateExpired") \
    X(AUTHENTICATE_CLIENT_ERROR_EUICC_CERTIFICATE_INVALID, 3, "euiccCertificateInvalid") \
    X(AUTHENTICATE_CLIENT_ERROR_EUICC_CERTIFICATE_EXPIRED, 4, "euiccCertificateExpired") \
    X(AUTHENTICATE_CLIENT_ERROR_EUICC_SIGNATURE_INVALID, 5, "euiccSignatureInvalid") \
    X(AUTHENTICATE_CLIENT_ERROR_MATCHING_ID_REFUSED, 6, "matchingIdRefused") \
    X(AUTHENTICATE_CLIENT_ERROR_EID_MISMATCH, 7, "eidMismatch") \
    X(AUTHENTICATE_CLIENT_ERROR_NO_ELIGIBLE_PROFILE, 8, "noEligibleProfile") \
    X(AUTHENTICATE_CLIENT_ERROR_CI_PK_UNKNOWN, 9, "ciPKUnknown") \
    X(AUTHENTICATE_CLIENT_ERROR_INVALID_TRANSACTION_ID, 10, "invalidTransactionId") \
    X(AUTHENTICATE_CLIENT_ERROR_INSUFFICIENT_MEMORY, 11, "insufficientMemory") \
    X(AUTHENTICATE_CLIENT_ERROR_PPR_NOT_ALLOWED, 50, "pprNotAllowed") \
    X(AUTHENTICATE_CLIENT_ERROR_EVENT_ID_UNKNOWN, 56, "eventIdUnknown") \
    X(AUTHENTICATE_CLIENT_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define GET_BOUND_PROFILE_PACKAGE_ERROR_CODES(X) \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_EUICC_SIGNATURE_INVALID, 1, "euiccSignatureInvalid") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_CONFIRMATION_CODE_MISSING, 2, "confirmationCodeMissing") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_CONFIRMATION_CODE_REFUSED, 3, "confirmationCodeRefused") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_CONFIRMATION_CODE_RETRIES_EXCEEDED, 4, "confirmationCodeRetriesExceeded") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_BPP_REBINDING_REFUSED, 5, "bppRebindingRefused") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_DOWNLOAD_ORDER_EXPIRED, 6, "downloadOrderExpired") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_METADATA_MISMATCH, 50, "metadataMismatch") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_INVALID_TRANSACTION_ID, 95, "invalidTransactionId") \
    X(GET_BOUND_PROFILE_PACKAGE_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define CANCEL_SESSION_ERROR_CODES(X) /* of the eIM's answer on ESipa */ \
    X(CANCEL_SESSION_ERROR_INVALID_TRANSACTION_ID, 1, "invalidTransactionId") \
    X(CANCEL_SESSION_ERROR_EUICC_SIGNATURE_INVALID, 2, "euiccSignatureInvalid") \
    X(CANCEL_SESSION_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define CANCEL_SESSION_REASON_CODES(X) \
    X(CANCEL_SESSION_REASON_END_USER_REJECTION, 0, "endUserRejection") \
    X(CANCEL_SESSION_REASON_POSTPONED, 1, "postponed") \
    X(CANCEL_SESSION_REASON_TIMEOUT, 2, "timeout") \
    X(CANCEL_SESSION_REASON_PPR_NOT_ALLOWED, 3, "pprNotAllowed") \
    X(CANCEL_SESSION_REASON_METADATA_MISMATCH, 4, "metadataMismatch") \
    X(CANCEL_SESSION_REASON_LOAD_BPP_EXECUTION_ERROR, 5, "loadBppExecutionError") \
    X(CANCEL_SESSION_REASON_UNDEFINED_REASON, 127, "undefinedReason")

/* 5.14.5 and properties of profiles, eIMs and cards */
#define STATE_CHANGE_CAUSE_CODES(X) \
    X(STATE_CHANGE_CAUSE_OTHER_EIM, 0, "otherEim") \
    X(STATE_CHANGE_CAUSE_FALLBACK, 1, "fallback") \
    X(STATE_CHANGE_CAUSE_EMERGENCY_PROFILE, 2, "emergencyProfile") \
    X(STATE_CHANGE_CAUSE_LOCAL, 3, "local") \
    X(STATE_CHANGE_CAUSE_RESET, 4, "reset") \
    X(STATE_CHANGE_CAUSE_IMMEDIATE_ENABLE_PROFILE, 5, "immediateEnableProfile") \
    X(STATE_CHANGE_CAUSE_DEVICE_CHANGE, 6, "deviceChange") \
    X(STATE_CHANGE_CAUSE_UNDEFINED, 127, "undefined")
#define EIM_ID_TYPE_CODES(X) \
    X(EIM_ID_TYPE_OID, 1, "eimIdTypeOid") \
    X(EIM_ID_TYPE_FQDN, 2, "eimIdTypeFqdn") \
    X(EIM_ID_TYPE_PROPRIETARY, 3, "eimIdTypeProprietary")
#define PROFILE_STATE_CODES(X) \
    X(PROFILE_STATE_DISABLED, 0, "disabled") \
    X(PROFILE_STATE_ENABLED, 1, "enabled")
#define PROFILE_CLASS_CODES(X) \
    X(PROFILE_CLASS_TEST, 0, "test") \
    X(PROFILE_CLASS_PROVISIONING, 1, "provisioning") \
    X(PROFILE_CLASS_OPERATIONAL, 2, "operational")
#define IPA_MODE_CODES(X) \
    X(IPA_MODE_IPAD, 0, "ipad") \
    X(IPA_MODE_IPAE, 1, "ipae")

/* ES10b results */
#define MEMORY_RESET_RESULT_CODES(X) \
    X(MEMORY_RESET_RESULT_OK, 0, "ok") \
    X(MEMORY_RESET_RESULT_NOTHING_TO_DELETE, 1, "nothingToDelete") \
    X(MEMORY_RESET_RESULT_CAT_BUSY, 5, "catBusy") \
    X(MEMORY_RESET_RESULT_ECALL_ACTIVE, 104, "ecallActive") \
    X(MEMORY_RESET_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define RESET_EIM_RESULT_CODES(X) \
    X(RESET_EIM_RESULT_OK, 0, "ok") \
    X(RESET_EIM_RESULT_NOTHING_TO_DELETE, 1, "nothingToDelete") \
    X(RESET_EIM_RESULT_EIM_RESET_NOT_SUPPORTED, 2, "eimResetNotSupported") \
    X(RESET_EIM_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define GET_CERTS_ERROR_CODES(X) \
    X(GET_CERTS_ERROR_INVALID_CI_PK_ID, 1, "invalidCiPKId") \
    X(GET_CERTS_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define NOTIFICATIONS_LIST_ERROR_CODES(X) \
    X(NOTIFICATIONS_LIST_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define DELETE_NOTIFICATION_STATUS_CODES(X) \
    X(DELETE_NOTIFICATION_STATUS_OK, 0, "ok") \
    X(DELETE_NOTIFICATION_STATUS_NOTHING_TO_DELETE, 1, "nothingToDelete") \
    X(DELETE_NOTIFICATION_STATUS_UNDEFINED_ERROR, 127, "undefinedError")
#define IMMEDIATE_ENABLE_RESULT_CODES(X) \
    X(IMMEDIATE_ENABLE_RESULT_OK, 0, "ok") \
    X(IMMEDIATE_ENABLE_RESULT_NOT_AVAILABLE, 1, "immediateEnableNotAvailable") \
    X(IMMEDIATE_ENABLE_RESULT_NO_SESSION_CONTEXT, 4, "noSessionContext") \
    X(IMMEDIATE_ENABLE_RESULT_CAT_BUSY, 5, "catBusy") \
    X(IMMEDIATE_ENABLE_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define PROFILE_ROLLBACK_RESULT_CODES(X) \
    X(PROFILE_ROLLBACK_RESULT_OK, 0, "ok") \
    X(PROFILE_ROLLBACK_RESULT_ROLLBACK_NOT_ALLOWED, 1, "rollbackNotAllowed") \
    X(PROFILE_ROLLBACK_RESULT_CAT_BUSY, 5, "catBusy") \
    X(PROFILE_ROLLBACK_RESULT_COMMAND_ERROR, 7, "commandError") \
    X(PROFILE_ROLLBACK_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define FALLBACK_RESULT_CODES(X) /* ExecuteFallbackMechanism and ReturnFromFallback */ \
    X(FALLBACK_RESULT_OK, 0, "ok") \
    X(FALLBACK_RESULT_PROFILE_NOT_IN_DISABLED_STATE, 2, "profileNotInDisabledState") \
    X(FALLBACK_RESULT_CAT_BUSY, 5, "catBusy") \
    X(FALLBACK_RESULT_FALLBACK_NOT_AVAILABLE, 6, "fallbackNotAvailable") \
    X(FALLBACK_RESULT_COMMAND_ERROR, 7, "commandError") \
    X(FALLBACK_RESULT_ECALL_ACTIVE, 104, "ecallActive") \
    X(FALLBACK_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define EMERGENCY_PROFILE_RESULT_CODES(X) /* enable: 2 = not in disabled state; disable: 2 = not in enabled state */ \
    X(EMERGENCY_PROFILE_RESULT_OK, 0, "ok") \
    X(EMERGENCY_PROFILE_RESULT_PROFILE_NOT_IN_STATE, 2, "profileNotInState") \
    X(EMERGENCY_PROFILE_RESULT_CAT_BUSY, 5, "catBusy") \
    X(EMERGENCY_PROFILE_RESULT_ECALL_NOT_AVAILABLE, 8, "ecallNotAvailable") \
    X(EMERGENCY_PROFILE_RESULT_UNDEFINED_ERROR, 127, "undefinedError")
#define CONNECTIVITY_PARAMETERS_ERROR_CODES(X) \
    X(CONNECTIVITY_PARAMETERS_ERROR_NOT_AVAILABLE, 1, "parametersNotAvailable") \
    X(CONNECTIVITY_PARAMETERS_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define AUTHENTICATE_ERROR_CODES(X) /* AuthenticateServer on ES10b */ \
    X(AUTHENTICATE_ERROR_INVALID_CERTIFICATE, 1, "invalidCertificate") \
    X(AUTHENTICATE_ERROR_INVALID_SIGNATURE, 2, "invalidSignature") \
    X(AUTHENTICATE_ERROR_UNSUPPORTED_CURVE, 3, "unsupportedCurve") \
    X(AUTHENTICATE_ERROR_NO_SESSION_CONTEXT, 4, "noSessionContext") \
    X(AUTHENTICATE_ERROR_INVALID_OID, 5, "invalidOid") \
    X(AUTHENTICATE_ERROR_EUICC_CHALLENGE_MISMATCH, 6, "euiccChallengeMismatch") \
    X(AUTHENTICATE_ERROR_CI_PK_UNKNOWN, 7, "ciPKUnknown") \
    X(AUTHENTICATE_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define DOWNLOAD_ERROR_CODES(X) /* PrepareDownload on ES10b */ \
    X(DOWNLOAD_ERROR_INVALID_CERTIFICATE, 1, "invalidCertificate") \
    X(DOWNLOAD_ERROR_INVALID_SIGNATURE, 2, "invalidSignature") \
    X(DOWNLOAD_ERROR_UNSUPPORTED_CURVE, 3, "unsupportedCurve") \
    X(DOWNLOAD_ERROR_NO_SESSION_CONTEXT, 4, "noSessionContext") \
    X(DOWNLOAD_ERROR_INVALID_TRANSACTION_ID, 5, "invalidTransactionId") \
    X(DOWNLOAD_ERROR_UNDEFINED_ERROR, 127, "undefinedError")
#define BPP_ERROR_REASON_CODES(X) /* ErrorReason of a profile installation result */ \
    X(BPP_ERROR_REASON_INCORRECT_INPUT_VALUES, 1, "incorrectInputValues") \
    X(BPP_ERROR_REASON_INVALID_SIGNATURE, 2, "invalidSignature") \
    X(BPP_ERROR_REASON_INVALID_TRANSACTION_ID, 3, "invalidTransactionId") \
    X(BPP_ERROR_REASON_UNSUPPORTED_CRT_VALUES, 4, "unsupportedCrtValues") \
    X(BPP_ERROR_REASON_UNSUPPORTED_REMOTE_OPERATION_TYPE, 5, "unsupportedRemoteOperationType") \
    X(BPP_ERROR_REASON_UNSUPPORTED_PROFILE_CLASS, 6, "unsupportedProfileClass") \
    X(BPP_ERROR_REASON_SCP03T_STRUCTURE_ERROR, 7, "scp03tStructureError") \
    X(BPP_ERROR_REASON_SCP03T_SECURITY_ERROR, 8, "scp03tSecurityError") \
    X(BPP_ERROR_REASON_ICCID_ALREADY_EXISTS, 9, "installFailedDueToIccidAlreadyExistsOnEuicc") \
    X(BPP_ERROR_REASON_INSUFFICIENT_MEMORY, 10, "installFailedDueToInsufficientMemoryForProfile") \
    X(BPP_ERROR_REASON_INTERRUPTION, 11, "installFailedDueToInterruption") \
    X(BPP_ERROR_REASON_PE_PROCESSING_ERROR, 12, "installFailedDueToPEProcessingError") \
    X(BPP_ERROR_REASON_DATA_MISMATCH, 13, "installFailedDueToDataMismatch") \
    X(BPP_ERROR_REASON_INVALID_NAA_KEY, 14, "testProfileInstallFailedDueToInvalidNaaKey") \
    X(BPP_ERROR_REASON_PPR_NOT_ALLOWED, 15, "pprNotAllowed") \
    X(BPP_ERROR_REASON_UNKNOWN_ERROR, 127, "installFailedDueToUnknownError")

/* Named bits */
#define NOTIFICATION_EVENT_BITS(X) \
    X(NOTIFICATION_EVENT_INSTALL, 0, "notificationInstall") \
    X(NOTIFICATION_EVENT_ENABLE, 1, "notificationEnable") \
    X(NOTIFICATION_EVENT_DISABLE, 2, "notificationDisable") \
    X(NOTIFICATION_EVENT_DELETE, 3, "notificationDelete")
#define PROTOCOL_BITS(X) /* EimSupportedProtocol and ipaSupportedProtocols */ \
    X(PROTOCOL_RETRIEVE_HTTPS, 0, "retrieveHttps") \
    X(PROTOCOL_RETRIEVE_COAPS, 1, "retrieveCoaps") \
    X(PROTOCOL_INJECT_HTTPS, 2, "injectHttps") \
    X(PROTOCOL_INJECT_COAPS, 3, "injectCoaps") \
    X(PROTOCOL_PROPRIETARY, 4, "proprietary")
#define IPA_FEATURE_BITS(X) \
    X(IPA_FEATURE_DIRECT_RSP, 0, "directRspServerCommunication") \
    X(IPA_FEATURE_INDIRECT_RSP, 1, "indirectRspServerCommunication") \
    X(IPA_FEATURE_EIM_DOWNLOAD_DATA_HANDLING, 2, "eimDownloadDataHandling") \
    X(IPA_FEATURE_EIM_CTX_PARAMS1_GENERATION, 3, "eimCtxParams1Generation") \
    X(IPA_FEATURE_EIM_PROFILE_METADATA_VERIFICATION, 4, "eimProfileMetadataVerification") \
    X(IPA_FEATURE_MINIMIZE_ESIPA_BYTES, 5, "minimizeEsipaBytes")
#define PPR_BITS(X) \
    X(PPR_UPDATE_CONTROL, 0, "pprUpdateControl") \
    X(PPR_1, 1, "ppr1") /* must not be disabled */ \
    X(PPR_2, 2, "ppr2") /* must not be deleted */
#define MEMORY_RESET_BITS(X) \
    X(MEMORY_RESET_OPERATIONAL_PROFILES, 0, "deleteOperationalProfiles") \
    X(MEMORY_RESET_FIELD_LOADED_TEST_PROFILES, 1, "deleteFieldLoadedTestProfiles") \
    X(MEMORY_RESET_DEFAULT_SMDP_ADDRESS, 2, "resetDefaultSmdpAddress") \
    X(MEMORY_RESET_PRELOADED_TEST_PROFILES, 3, "deletePreLoadedTestProfiles") \
    X(MEMORY_RESET_PROVISIONING_PROFILES, 4, "deleteProvisioningProfiles") \
    X(MEMORY_RESET_EIM_CONFIG_DATA, 5, "resetEimConfigData") \
    X(MEMORY_RESET_IMMEDIATE_ENABLE_CONFIG, 6, "resetImmediateEnableConfig")

/* every set: list, table */
#define CODE_SETS(T) \
    T(ENABLE_RESULT_CODES, enable_result_names) \
    T(DISABLE_RESULT_CODES, disable_result_names) \
    T(DELETE_RESULT_CODES, delete_result_names) \
    T(PROFILE_INFO_LIST_ERROR_CODES, profile_info_list_error_names) \
    T(CONFIGURE_IMMEDIATE_ENABLE_RESULT_CODES, configure_immediate_enable_result_names) \
    T(SET_FALLBACK_RESULT_CODES, set_fallback_result_names) \
    T(UNSET_FALLBACK_RESULT_CODES, unset_fallback_result_names) \
    T(SET_DEFAULT_DP_ADDRESS_RESULT_CODES, set_default_dp_address_result_names) \
    T(ROLLBACK_RESULT_CODES, rollback_result_names) \
    T(PROCESSING_TERMINATED_CODES, processing_terminated_names) \
    T(ADD_EIM_RESULT_CODES, add_eim_result_names) \
    T(DELETE_EIM_RESULT_CODES, delete_eim_result_names) \
    T(UPDATE_EIM_RESULT_CODES, update_eim_result_names) \
    T(LIST_EIM_ERROR_CODES, list_eim_error_names) \
    T(EUICC_PACKAGE_ERROR_CODES, euicc_package_error_names) \
    T(GET_EIM_PACKAGE_ERROR_CODES, get_eim_package_error_names) \
    T(PROVIDE_EIM_PACKAGE_RESULT_ERROR_CODES, provide_eim_package_result_error_names) \
    T(EIM_PACKAGE_RESULT_ERROR_CODES, eim_package_result_error_names) \
    T(IPA_EUICC_DATA_ERROR_CODES, ipa_euicc_data_error_names) \
    T(PROFILE_DOWNLOAD_ERROR_REASON_CODES, profile_download_error_reason_names) \
    T(INITIATE_AUTHENTICATION_ERROR_CODES, initiate_authentication_error_names) \
    T(AUTHENTICATE_CLIENT_ERROR_CODES, authenticate_client_error_names) \
    T(GET_BOUND_PROFILE_PACKAGE_ERROR_CODES, get_bound_profile_package_error_names) \
    T(CANCEL_SESSION_ERROR_CODES, cancel_session_error_names) \
    T(CANCEL_SESSION_REASON_CODES, cancel_session_reason_names) \
    T(STATE_CHANGE_CAUSE_CODES, state_change_cause_names) \
    T(EIM_ID_TYPE_CODES, eim_id_type_names) \
    T(PROFILE_STATE_CODES, profile_state_names) \
    T(PROFILE_CLASS_CODES, profile_class_names) \
    T(IPA_MODE_CODES, ipa_mode_names) \
    T(MEMORY_RESET_RESULT_CODES, memory_reset_result_names) \
    T(RESET_EIM_RESULT_CODES, reset_eim_result_names) \
    T(GET_CERTS_ERROR_CODES, get_certs_error_names) \
    T(NOTIFICATIONS_LIST_ERROR_CODES, notifications_list_error_names) \
    T(DELETE_NOTIFICATION_STATUS_CODES, delete_notification_status_names) \
    T(IMMEDIATE_ENABLE_RESULT_CODES, immediate_enable_result_names) \
    T(PROFILE_ROLLBACK_RESULT_CODES, profile_rollback_result_names) \
    T(FALLBACK_RESULT_CODES, fallback_result_names) \
    T(EMERGENCY_PROFILE_RESULT_CODES, emergency_profile_result_names) \
    T(CONNECTIVITY_PARAMETERS_ERROR_CODES, connectivity_parameters_error_names) \
    T(AUTHENTICATE_ERROR_CODES, authenticate_error_names) \
    T(DOWNLOAD_ERROR_CODES, download_error_names) \
    T(BPP_ERROR_REASON_CODES, bpp_error_reason_names) \
    T(NOTIFICATION_EVENT_BITS, notification_event_names) \
    T(PROTOCOL_BITS, protocol_names) \
    T(IPA_FEATURE_BITS, ipa_feature_names) \
    T(PPR_BITS, ppr_names) \
    T(MEMORY_RESET_BITS, memory_reset_names)

#define CODE_CONSTANT_(constant, value, name) constant = value,
#define CODE_ROW_(constant, value, name) { value, name },
#define CODE_DECLARE_(LIST, table) enum { LIST(CODE_CONSTANT_) }; extern const struct der_name table[];
#define CODE_DEFINE_(LIST, table) const struct der_name table[] = { LIST(CODE_ROW_) { 0, NULL } };

CODE_SETS(CODE_DECLARE_)

#endif
