/* sgp22.h -- the SGP.22 types that SGP.32 imports, that ESipa relays, or that a software eUICC answers on ES10b.
 *
 * One line a component, in the order of the specification; der.h says what comes out of it. Where SGP.32 replaces a
 * type of SGP.22 by its own (ProfileInfo, EUICCInfo2, PendingNotification, ...) only that one exists, in sgp32.h. */
#ifndef ASN1_SGP22_H
#define ASN1_SGP22_H

#include "asn1/der.h"

enum {
    SGP22_TEXT = 512,                  /* most characters of an address or other text without a size of its own */
    SGP22_BLOB = 8192,                 /* most octets of an octet string without a size of its own */
    SGP22_CERT = 16384,                /* most octets of a certificate */
    SGP22_SEGMENT = 65535,             /* most octets of one segment of a bound profile package */
    SGP22_SEGMENTS = 8192,             /* most segments in one list of it */
    SGP22_ITEMS = 64,                  /* most elements of a list without a size of its own */
};
#define ANY_INT  INT64_MIN, INT64_MAX
#define NOT_NEG  0, INT64_MAX
#define SIGNATURE 1, 144               /* r||s of up to 72 octets each, or their DER */
#define TXID     1, 16

/* 5.7.8, 4.x  small things */
#define EMPTY_SEQUENCE(X, S)
#define KEY_ID_LIST(X, S)      X(S, REQ, OCTETS, v, "subjectKeyIdentifier", UNI(4), 1, 64)
#define VERSION_LIST(X, S)     X(S, REQ, OCTETS, v, "versionType", UNI(4), 3, 3)
#define OPERATOR_ID(X, S) \
    X(S, REQ, OCTETS, mcc_mnc, "mccMnc", CTX(0), 3, 3) \
    X(S, OPT, OCTETS, gid1, "gid1", CTX(1), 0, 255) \
    X(S, OPT, OCTETS, gid2, "gid2", CTX(2), 0, 255)
#define OPERATOR_ID_LIST(X, S) X(S, REQ, SEQ(operator_id), v, "operatorId", UNI(16), 0, 0)
#define CERTIFICATION_DATA_OBJECT(X, S) \
    X(S, REQ, UTF8, platform_label, "platformLabel", CTX(0), 0, SGP22_TEXT) \
    X(S, REQ, UTF8, discovery_base_url, "discoveryBaseURL", CTX(1), 0, SGP22_TEXT)
#define DP_PROPRIETARY_DATA(X, S) \
    X(S, REQ, OID, dp_oid, "dpOid", CTX(0), 1, 64)
#define NOTIFICATION_CONFIGURATION(X, S) \
    X(S, REQ, BITS, profile_management_operation, "profileManagementOperation", CTX(0), 0, 4) \
    X(S, REQ, UTF8, notification_address, "notificationAddress", CTX(1), 0, SGP22_TEXT)
#define NOTIFICATION_CONFIGURATION_LIST(X, S) \
    X(S, REQ, SEQ(notification_configuration), v, "notificationConfigurationInformation", UNI(16), 0, 0)

/* 5.7.x  rules authorisation table, tag A6 of a result */
#define RULE(X, S) \
    X(S, REQ, BITS, ppr_ids, "pprIds", CTX(0), 0, 4) \
    X(S, REQ, LIST(operator_id_list), allowed_operators, "allowedOperators", CTX(1), 0, SGP22_ITEMS) \
    X(S, REQ, BITS, ppr_flags, "pprFlags", CTX(2), 0, 4)
#define RULES(X, S)            X(S, REQ, SEQ(rule), v, "profilePolicyAuthorisationRule", UNI(16), 0, 0)
#define GET_RAT_RESPONSE(X, S) X(S, REQ, LIST(rules), rat, "rat", CTX(0), 0, SGP22_ITEMS)

/* EUICCInfo1, BF20 */
#define EUICC_INFO1(X, S) \
    X(S, REQ, OCTETS, svn, "svn", CTX(2), 3, 3) \
    X(S, REQ, LIST(key_id_list), euicc_ci_pkid_list_for_verification, "euiccCiPKIdListForVerification", CTX(9), 0, \
        SGP22_ITEMS) \
    X(S, REQ, LIST(key_id_list), euicc_ci_pkid_list_for_signing, "euiccCiPKIdListForSigning", CTX(10), 0, SGP22_ITEMS)

/* DeviceInfo */
#define DEVICE_ADDITIONAL_FEATURE_SUPPORT(X, S) \
    X(S, OPT, OCTETS, nai_support, "naiSupport", CTX(0), 3, 3)
#define DEVICE_CAPABILITIES(X, S) \
    X(S, OPT, OCTETS, gsm_supported_release, "gsmSupportedRelease", CTX(0), 3, 3) \
    X(S, OPT, OCTETS, utran_supported_release, "utranSupportedRelease", CTX(1), 3, 3) \
    X(S, OPT, OCTETS, cdma2000onex_supported_release, "cdma2000onexSupportedRelease", CTX(2), 3, 3) \
    X(S, OPT, OCTETS, cdma2000hrpd_supported_release, "cdma2000hrpdSupportedRelease", CTX(3), 3, 3) \
    X(S, OPT, OCTETS, cdma2000ehrpd_supported_release, "cdma2000ehrpdSupportedRelease", CTX(4), 3, 3) \
    X(S, OPT, OCTETS, eutran_epc_supported_release, "eutranEpcSupportedRelease", CTX(5), 3, 3) \
    X(S, OPT, OCTETS, contactless_supported_release, "contactlessSupportedRelease", CTX(6), 3, 3) \
    X(S, OPT, OCTETS, rsp_crl_supported_version, "rspCrlSupportedVersion", CTX(7), 3, 3) \
    X(S, OPT, OCTETS, nr_epc_supported_release, "nrEpcSupportedRelease", CTX(8), 3, 3) \
    X(S, OPT, OCTETS, nr5gc_supported_release, "nr5gcSupportedRelease", CTX(9), 3, 3) \
    X(S, OPT, OCTETS, eutran5gc_supported_release, "eutran5gcSupportedRelease", CTX(10), 3, 3) \
    X(S, OPT, OCTETS, lpa_svn, "lpaSvn", CTX(11), 3, 3) \
    X(S, OPT, BITS_PLAIN, cat_supported_classes, "catSupportedClasses", CTX(12), 0, 16) \
    X(S, OPT, INT, euicc_form_factor_type, "euiccFormFactorType", CTX(13), ANY_INT) \
    X(S, OPT, SEQ(device_additional_feature_support), device_additional_feature_support, \
        "deviceAdditionalFeatureSupport", CTX(14), 0, 0)
#define DEVICE_INFO(X, S) \
    X(S, REQ, OCTETS, tac, "tac", CTX(0), 4, 4) \
    X(S, REQ, SEQ(device_capabilities), device_capabilities, "deviceCapabilities", CTX(1), 0, 0) \
    X(S, OPT, OCTETS, imei, "imei", CTX(2), 8, 8)

/* ctxParams1 */
#define CTX_PARAMS_COMMON(X, S) \
    X(S, OPT, UTF8, matching_id, "matchingId", CTX(0), 0, 255) \
    X(S, REQ, SEQ(device_info), device_info, "deviceInfo", CTX(1), 0, 0)
#define CTX_PARAMS1(X, S) \
    X(S, REQ, SEQ(ctx_params_common), ctx_params_for_common_authentication, "ctxParamsForCommonAuthentication", CTX(0), \
        0, 0)

/* AuthenticateServer, BF38 */
#define SERVER_SIGNED1(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, OCTETS, euicc_challenge, "euiccChallenge", CTX(1), 16, 16) \
    X(S, REQ, UTF8, server_address, "serverAddress", CTX(3), 0, SGP22_TEXT) \
    X(S, REQ, OCTETS, server_challenge, "serverChallenge", CTX(4), 16, 16)
#define AUTHENTICATE_SERVER_REQUEST(X, S) \
    X(S, REQ, SEQ(server_signed1), server_signed1, "serverSigned1", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, server_signature1, "serverSignature1", APP(55), SIGNATURE) \
    X(S, REQ, OCTETS, euicc_ci_pkid_to_be_used, "euiccCiPKIdToBeUsed", UNI(4), 0, 64) \
    X(S, REQ, CERT, server_certificate, "serverCertificate", UNI(16), 0, SGP22_CERT) \
    X(S, REQ, CHOICE(ctx_params1), ctx_params1, "ctxParams1", UNTAGGED, 0, 0)
#define AUTHENTICATE_RESPONSE_ERROR(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, INT, authenticate_error_code, "authenticateErrorCode", UNI(2), ANY_INT)

/* PrepareDownload, BF21 */
#define SMDP_SIGNED2(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, BOOL, cc_required_flag, "ccRequiredFlag", UNI(1), 0, 1) \
    X(S, OPT, OCTETS, bpp_euicc_otpk, "bppEuiccOtpk", APP(73), 1, 256)
#define PREPARE_DOWNLOAD_REQUEST(X, S) \
    X(S, REQ, SEQ(smdp_signed2), smdp_signed2, "smdpSigned2", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, smdp_signature2, "smdpSignature2", APP(55), SIGNATURE) \
    X(S, OPT, OCTETS, hash_cc, "hashCc", UNI(4), 32, 32) \
    X(S, REQ, CERT, smdp_certificate, "smdpCertificate", UNI(16), 0, SGP22_CERT)
#define EUICC_SIGNED2(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, OCTETS, euicc_otpk, "euiccOtpk", APP(73), 1, 256) \
    X(S, OPT, OCTETS, hash_cc, "hashCc", UNI(4), 32, 32)
#define PREPARE_DOWNLOAD_RESPONSE_OK(X, S) \
    X(S, REQ, SEQ(euicc_signed2), euicc_signed2, "euiccSigned2", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, euicc_signature2, "euiccSignature2", APP(55), SIGNATURE)
#define PREPARE_DOWNLOAD_RESPONSE_ERROR(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, INT, download_error_code, "downloadErrorCode", UNI(2), ANY_INT)

/* CancelSession, BF41 */
#define CANCEL_SESSION_REQUEST(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, INT, reason, "reason", CTX(1), ANY_INT)
#define EUICC_CANCEL_SESSION_SIGNED(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, OID, smdp_oid, "smdpOid", CTX(1), 1, 64) \
    X(S, REQ, INT, reason, "reason", CTX(2), ANY_INT)
#define CANCEL_SESSION_RESPONSE_OK(X, S) \
    X(S, REQ, SEQ(euicc_cancel_session_signed), euicc_cancel_session_signed, "euiccCancelSessionSigned", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, euicc_cancel_session_signature, "euiccCancelSessionSignature", APP(55), SIGNATURE)

/* BoundProfilePackage, BF36 */
#define CONTROL_REF_TEMPLATE(X, S) \
    X(S, REQ, OCTETS, key_type, "keyType", CTX(0), 1, 1) \
    X(S, REQ, OCTETS, key_len, "keyLen", CTX(1), 1, 1) \
    X(S, REQ, OCTETS, host_id, "hostId", CTX(4), 1, 16)
#define INITIALISE_SECURE_CHANNEL_REQUEST(X, S) \
    X(S, REQ, INT, remote_op_id, "remoteOpId", CTX(2), ANY_INT) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, SEQ(control_ref_template), control_ref_template, "controlRefTemplate", CTX(6), 0, 0) \
    X(S, REQ, OCTETS, smdp_otpk, "smdpOtpk", APP(73), 1, 256) \
    X(S, REQ, OCTETS, smdp_sign, "smdpSign", APP(55), SIGNATURE)
#define SEGMENTS_86(X, S) X(S, REQ, OCTETS, v, "86", CTX(6), 0, SGP22_SEGMENT)
#define SEGMENTS_87(X, S) X(S, REQ, OCTETS, v, "87", CTX(7), 0, SGP22_SEGMENT)
#define SEGMENTS_88(X, S) X(S, REQ, OCTETS, v, "88", CTX(8), 0, SGP22_SEGMENT)
#define BOUND_PROFILE_PACKAGE(X, S) \
    X(S, REQ, SEQ(initialise_secure_channel_request), initialise_secure_channel_request, \
        "initialiseSecureChannelRequest", CTX(35), 0, 0) \
    X(S, REQ, LIST(segments_87), first_sequence_of_87, "firstSequenceOf87", CTX(0), 0, SGP22_SEGMENTS) \
    X(S, REQ, LIST(segments_88), sequence_of_88, "sequenceOf88", CTX(1), 0, SGP22_SEGMENTS) \
    X(S, OPT, LIST(segments_87), second_sequence_of_87, "secondSequenceOf87", CTX(2), 0, SGP22_SEGMENTS) \
    X(S, REQ, LIST(segments_86), sequence_of_86, "sequenceOf86", CTX(3), 0, SGP22_SEGMENTS)

/* Notifications */
#define NOTIFICATION_METADATA(X, S) \
    X(S, REQ, INT, seq_number, "seqNumber", CTX(0), NOT_NEG) \
    X(S, REQ, BITS, profile_management_operation, "profileManagementOperation", CTX(1), 0, 4) \
    X(S, REQ, UTF8, notification_address, "notificationAddress", UNI(12), 0, SGP22_TEXT) \
    X(S, OPT, OCTETS, iccid, "iccid", APP(26), 10, 10)
#define NOTIFICATION_METADATA_LIST(X, S) \
    X(S, REQ, SEQ(notification_metadata), v, "notificationMetadata", CTX(47), 0, 0)
#define OTHER_SIGNED_NOTIFICATION(X, S) \
    X(S, REQ, SEQ(notification_metadata), tbs_other_notification, "tbsOtherNotification", CTX(47), 0, 0) \
    X(S, REQ, OCTETS, euicc_notification_signature, "euiccNotificationSignature", APP(55), SIGNATURE) \
    X(S, REQ, CERT, euicc_certificate, "euiccCertificate", UNI(16), 0, SGP22_CERT) \
    X(S, REQ, CERT, eum_certificate, "eumCertificate", UNI(16), 0, SGP22_CERT)
#define SUCCESS_RESULT(X, S) \
    X(S, REQ, OCTETS, aid, "aid", APP(15), 5, 16) \
    X(S, REQ, OCTETS, sima_response, "simaResponse", UNI(4), 0, SGP22_BLOB)
#define ERROR_RESULT(X, S) \
    X(S, REQ, INT, bpp_command_id, "bppCommandId", CTX(0), ANY_INT) \
    X(S, REQ, INT, error_reason, "errorReason", CTX(1), ANY_INT) \
    X(S, OPT, OCTETS, sima_response, "simaResponse", CTX(2), 0, SGP22_BLOB)
#define FINAL_RESULT(X, S) \
    X(S, REQ, SEQ(success_result), success_result, "successResult", CTX(0), 0, 0) \
    X(S, REQ, SEQ(error_result), error_result, "errorResult", CTX(1), 0, 0)
#define PROFILE_INSTALLATION_RESULT_DATA(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, SEQ(notification_metadata), notification_metadata, "notificationMetadata", CTX(47), 0, 0) \
    X(S, REQ, OID, smdp_oid, "smdpOid", UNI(6), 1, 64) \
    X(S, REQ, CHOICE(final_result), final_result, "finalResult", CTX(2), 0, 0)
#define PROFILE_INSTALLATION_RESULT(X, S) \
    X(S, REQ, SEQ(profile_installation_result_data), profile_installation_result_data, "profileInstallationResultData", \
        CTX(39), 0, 0) \
    X(S, REQ, OCTETS, euicc_sign_pir, "euiccSignPIR", APP(55), SIGNATURE)
#define LIST_NOTIFICATION_REQUEST(X, S) \
    X(S, OPT, BITS, profile_management_operation, "profileManagementOperation", CTX(1), 0, 4)
#define LIST_NOTIFICATION_RESPONSE(X, S) \
    X(S, REQ, LIST(notification_metadata_list), notification_metadata_list, "notificationMetadataList", CTX(0), 0, 256) \
    X(S, REQ, INT, list_notifications_result_error, "listNotificationsResultError", CTX(1), ANY_INT)
#define NOTIFICATION_SENT_REQUEST(X, S) \
    X(S, REQ, INT, seq_number, "seqNumber", CTX(0), NOT_NEG)
#define NOTIFICATION_SENT_RESPONSE(X, S) \
    X(S, REQ, INT, delete_notification_status, "deleteNotificationStatus", CTX(0), ANY_INT)

/* GetProfilesInfo, BF2D; also the body of the PSMO listProfileInfo */
#define PROFILE_SEARCH(X, S) \
    X(S, REQ, OCTETS, isdp_aid, "isdpAid", APP(15), 1, 16) \
    X(S, REQ, OCTETS, iccid, "iccid", APP(26), 10, 10) \
    X(S, REQ, INT, profile_class, "profileClass", CTX(21), ANY_INT)
#define PROFILE_INFO_LIST_REQUEST(X, S) \
    X(S, OPT, CHOICE(profile_search), search_criteria, "searchCriteria", CTX(0), 0, 0) \
    X(S, OPT, OCTETS, tag_list, "tagList", APP(28), 0, 255)

/* Small ES10b functions */
#define GET_EUICC_CHALLENGE_RESPONSE(X, S) X(S, REQ, OCTETS, euicc_challenge, "euiccChallenge", CTX(0), 16, 16)
#define GET_EUICC_DATA_REQUEST(X, S)       X(S, REQ, OCTETS, tag_list, "tagList", APP(28), 1, 1)
#define GET_EUICC_DATA_RESPONSE(X, S)      X(S, REQ, OCTETS, eid_value, "eidValue", APP(26), 16, 16)
#define EUICC_CONFIGURED_ADDRESSES(X, S) \
    X(S, OPT, UTF8, default_dp_address, "defaultDpAddress", CTX(0), 0, SGP22_TEXT) \
    X(S, REQ, UTF8, root_ds_address, "rootDsAddress", CTX(1), 0, SGP22_TEXT)

/* kind, struct, components, ASN.1 name, own tag, clause, flags; a type stands behind what it uses */
#define SGP22_TYPES(T) \
    T(EMPTY, empty_sequence, EMPTY_SEQUENCE, "SEQUENCE{}", UNI(16), "X.690 8.9", 0) \
    T(LIST, key_id_list, KEY_ID_LIST, "SubjectKeyIdentifierList", UNI(16), "SGP.22 4.3", 0) \
    T(LIST, version_list, VERSION_LIST, "VersionTypeList", UNI(16), "SGP.22 4.3", 0) \
    T(SEQUENCE, operator_id, OPERATOR_ID, "OperatorId", UNI(16), "SGP.22 2.4.2.1", 0) \
    T(LIST, operator_id_list, OPERATOR_ID_LIST, "OperatorIdList", UNI(16), "SGP.22 2.4.2.1", 0) \
    T(SEQUENCE, certification_data_object, CERTIFICATION_DATA_OBJECT, "CertificationDataObject", UNI(16), \
        "SGP.22 5.7.8", 0) \
    T(SEQUENCE, dp_proprietary_data, DP_PROPRIETARY_DATA, "DpProprietaryData", UNI(16), "SGP.22 5.5.1", 0) \
    T(SEQUENCE, notification_configuration, NOTIFICATION_CONFIGURATION, "NotificationConfigurationInformation", UNI(16), \
        "SGP.22 5.5.3", 0) \
    T(LIST, notification_configuration_list, NOTIFICATION_CONFIGURATION_LIST, "NotificationConfigurationList", UNI(16), \
        "SGP.22 5.5.3", 0) \
    T(SEQUENCE, rule, RULE, "ProfilePolicyAuthorisationRule", UNI(16), "SGP.22 5.7.22", 0) \
    T(LIST, rules, RULES, "RulesAuthorisationTable", UNI(16), "SGP.22 5.7.22", 0) \
    T(EMPTY, get_rat_request, EMPTY_SEQUENCE, "GetRatRequest", CTX(67), "SGP.22 5.7.22", 0) \
    T(SEQUENCE, get_rat_response, GET_RAT_RESPONSE, "GetRatResponse", CTX(67), "SGP.22 5.7.22", 0) \
    T(EMPTY, get_euicc_info1_request, EMPTY_SEQUENCE, "GetEuiccInfo1Request", CTX(32), "SGP.22 5.7.8", 0) \
    T(EMPTY, get_euicc_info2_request, EMPTY_SEQUENCE, "GetEuiccInfo2Request", CTX(34), "SGP.22 5.7.8", 0) \
    T(SEQUENCE, euicc_info1, EUICC_INFO1, "EUICCInfo1", CTX(32), "SGP.22 5.7.8", 0) \
    T(SEQUENCE, device_additional_feature_support, DEVICE_ADDITIONAL_FEATURE_SUPPORT, "DeviceAdditionalFeatureSupport", \
        UNI(16), "SGP.22 4.2", 0) \
    T(SEQUENCE, device_capabilities, DEVICE_CAPABILITIES, "DeviceCapabilities", UNI(16), "SGP.22 4.2", 0) \
    T(SEQUENCE, device_info, DEVICE_INFO, "DeviceInfo", UNI(16), "SGP.22 4.2", 0) \
    T(SEQUENCE, ctx_params_common, CTX_PARAMS_COMMON, "CtxParamsForCommonAuthentication", UNI(16), "SGP.22 5.7.13", 0) \
    T(CHOICE, ctx_params1, CTX_PARAMS1, "CtxParams1", UNTAGGED, "SGP.22 5.7.13", 0) \
    T(SEQUENCE, server_signed1, SERVER_SIGNED1, "ServerSigned1", UNI(16), "SGP.22 5.7.13", 0) \
    T(SEQUENCE, authenticate_server_request, AUTHENTICATE_SERVER_REQUEST, "AuthenticateServerRequest", CTX(56), \
        "SGP.22 5.7.13", 0) \
    T(SEQUENCE, authenticate_response_error, AUTHENTICATE_RESPONSE_ERROR, "AuthenticateResponseError", UNI(16), \
        "SGP.22 5.7.13", 0) \
    T(SEQUENCE, smdp_signed2, SMDP_SIGNED2, "SmdpSigned2", UNI(16), "SGP.22 5.7.5", 0) \
    T(SEQUENCE, prepare_download_request, PREPARE_DOWNLOAD_REQUEST, "PrepareDownloadRequest", CTX(33), "SGP.22 5.7.5", \
        0) \
    T(SEQUENCE, euicc_signed2, EUICC_SIGNED2, "EUICCSigned2", UNI(16), "SGP.22 5.7.5", 0) \
    T(SEQUENCE, prepare_download_response_ok, PREPARE_DOWNLOAD_RESPONSE_OK, "PrepareDownloadResponseOk", UNI(16), \
        "SGP.22 5.7.5", 0) \
    T(SEQUENCE, prepare_download_response_error, PREPARE_DOWNLOAD_RESPONSE_ERROR, "PrepareDownloadResponseError", \
        UNI(16), "SGP.22 5.7.5", 0) \
    T(SEQUENCE, cancel_session_request, CANCEL_SESSION_REQUEST, "CancelSessionRequest", CTX(65), "SGP.22 5.7.14", 0) \
    T(SEQUENCE, euicc_cancel_session_signed, EUICC_CANCEL_SESSION_SIGNED, "EuiccCancelSessionSigned", UNI(16), \
        "SGP.22 5.7.14", 0) \
    T(SEQUENCE, cancel_session_response_ok, CANCEL_SESSION_RESPONSE_OK, "CancelSessionResponseOk", UNI(16), \
        "SGP.22 5.7.14", 0) \
    T(SEQUENCE, control_ref_template, CONTROL_REF_TEMPLATE, "ControlRefTemplate", UNI(16), "SGP.22 5.5.1", 0) \
    T(SEQUENCE, initialise_secure_channel_request, INITIALISE_SECURE_CHANNEL_REQUEST, "InitialiseSecureChannelRequest", \
        CTX(35), "SGP.22 5.5.1", 0) \
    T(LIST, segments_86, SEGMENTS_86, "SequenceOf86", UNI(16), "SGP.22 2.5.3", 0) \
    T(LIST, segments_87, SEGMENTS_87, "SequenceOf87", UNI(16), "SGP.22 2.5.3", 0) \
    T(LIST, segments_88, SEGMENTS_88, "SequenceOf88", UNI(16), "SGP.22 2.5.3", 0) \
    T(SEQUENCE, bound_profile_package, BOUND_PROFILE_PACKAGE, "BoundProfilePackage", CTX(54), "SGP.22 2.5.3", 0) \
    T(SEQUENCE, notification_metadata, NOTIFICATION_METADATA, "NotificationMetadata", CTX(47), "SGP.22 5.7.9", 0) \
    T(LIST, notification_metadata_list, NOTIFICATION_METADATA_LIST, "NotificationMetadataList", UNI(16), \
        "SGP.22 5.7.9", 0) \
    T(SEQUENCE, other_signed_notification, OTHER_SIGNED_NOTIFICATION, "OtherSignedNotification", UNI(16), \
        "SGP.22 5.7.10", 0) \
    T(SEQUENCE, success_result, SUCCESS_RESULT, "SuccessResult", UNI(16), "SGP.22 2.5.6", 0) \
    T(SEQUENCE, error_result, ERROR_RESULT, "ErrorResult", UNI(16), "SGP.22 2.5.6", 0) \
    T(CHOICE, final_result, FINAL_RESULT, "FinalResult", UNTAGGED, "SGP.22 2.5.6", 0) \
    T(SEQUENCE, profile_installation_result_data, PROFILE_INSTALLATION_RESULT_DATA, "ProfileInstallationResultData", \
        CTX(39), "SGP.22 2.5.6", 0) \
    T(SEQUENCE, profile_installation_result, PROFILE_INSTALLATION_RESULT, "ProfileInstallationResult", CTX(55), \
        "SGP.22 2.5.6", 0) \
    T(SEQUENCE, list_notification_request, LIST_NOTIFICATION_REQUEST, "ListNotificationRequest", CTX(40), \
        "SGP.22 5.7.9", 0) \
    T(CHOICE, list_notification_response, LIST_NOTIFICATION_RESPONSE, "ListNotificationResponse", CTX(40), \
        "SGP.22 5.7.9", 0) \
    T(SEQUENCE, notification_sent_request, NOTIFICATION_SENT_REQUEST, "NotificationSentRequest", CTX(48), \
        "SGP.22 5.7.11", 0) \
    T(SEQUENCE, notification_sent_response, NOTIFICATION_SENT_RESPONSE, "NotificationSentResponse", CTX(48), \
        "SGP.22 5.7.11", 0) \
    T(CHOICE, profile_search, PROFILE_SEARCH, "ProfileInfoListRequest.searchCriteria", UNTAGGED, "SGP.22 5.7.15", 0) \
    T(SEQUENCE, profile_info_list_request, PROFILE_INFO_LIST_REQUEST, "ProfileInfoListRequest", CTX(45), \
        "SGP.22 5.7.15", 0) \
    T(EMPTY, get_euicc_challenge_request, EMPTY_SEQUENCE, "GetEuiccChallengeRequest", CTX(46), "SGP.22 5.7.7", 0) \
    T(SEQUENCE, get_euicc_challenge_response, GET_EUICC_CHALLENGE_RESPONSE, "GetEuiccChallengeResponse", CTX(46), \
        "SGP.22 5.7.7", 0) \
    T(SEQUENCE, get_euicc_data_request, GET_EUICC_DATA_REQUEST, "GetEuiccDataRequest", CTX(62), "SGP.22 5.7.20", 0) \
    T(SEQUENCE, get_euicc_data_response, GET_EUICC_DATA_RESPONSE, "GetEuiccDataResponse", CTX(62), "SGP.22 5.7.20", 0) \
    T(EMPTY, euicc_configured_addresses_request, EMPTY_SEQUENCE, "EuiccConfiguredAddressesRequest", CTX(60), \
        "SGP.22 5.7.3", 0) \
    T(SEQUENCE, euicc_configured_addresses, EUICC_CONFIGURED_ADDRESSES, "EuiccConfiguredAddressesResponse", CTX(60), \
        "SGP.22 5.7.3", 0)

SGP22_TYPES(DER_DECLARE)

#endif
