/* sgp32.h -- the messages of SGP.32 v1.2: ESep packages and results, ESipa, and the ES10b functions of an eUICC.
 *
 * One line a component, in the order of the specification; der.h says what comes out of it. To add a PSMO or an eCO:
 * one line in PSMO or ECO, one in EUICC_RESULT_DATA, its fields above. Members carry the ASN.1 names in snake case. */
#ifndef ASN1_SGP32_H
#define ASN1_SGP32_H

#include "asn1/codes.h"
#include "asn1/der.h"
#include "asn1/sgp22.h"

enum {
    SGP32_OPERATIONS = 64,             /* most PSMOs or eCOs in a package, and results in an answer */
    SGP32_PROFILES = 256,              /* most profiles on a card */
    SGP32_NOTIFICATIONS = 256,         /* most notifications in one message */
    SGP32_RESULTS = 64,                /* most stored results in one message */
    SGP32_EIMS = 64,                   /* most eIM configurations on a card */
    SGP32_ACKS = 1024,
    SGP32_EID = 16,                    /* octets of an EID */
    SGP32_ICCID = 10,                  /* octets of an ICCID */
};
#define EIM_ID 1, 128

/* 2.11.1 EimConfigurationData */
#define EIM_PUBLIC_KEY_DATA(X, S) \
    X(S, REQ, SPKI, eim_public_key, "eimPublicKey", CTX(0), 0, SGP22_CERT) \
    X(S, REQ, CERT, eim_certificate, "eimCertificate", CTX(1), 0, SGP22_CERT)
#define TRUSTED_PUBLIC_KEY_DATA_TLS(X, S) \
    X(S, REQ, SPKI, trusted_eim_pk_tls, "trustedEimPkTls", CTX(0), 0, SGP22_CERT) \
    X(S, REQ, CERT, trusted_certificate_tls, "trustedCertificateTls", CTX(1), 0, SGP22_CERT)
#define EIM_CONFIGURATION_DATA(X, S) \
    X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID) \
    X(S, OPT, UTF8, eim_fqdn, "eimFqdn", CTX(1), 0, SGP22_TEXT) \
    X(S, OPT, INT, eim_id_type, "eimIdType", CTX(2), ANY_INT) \
    X(S, OPT, INT, counter_value, "counterValue", CTX(3), NOT_NEG) \
    X(S, OPT, INT, association_token, "associationToken", CTX(4), -1, INT64_MAX) \
    X(S, OPT, CHOICE(eim_public_key_data), eim_public_key_data, "eimPublicKeyData", CTX(5), 0, 0) \
    X(S, OPT, CHOICE(trusted_public_key_data_tls), trusted_public_key_data_tls, "trustedPublicKeyDataTls", CTX(6), 0, 0) \
    X(S, OPT, BITS, eim_supported_protocol, "eimSupportedProtocol", CTX(7), 0, 4) \
    X(S, OPT, OCTETS, euicc_ci_pkid, "euiccCiPKId", CTX(8), 1, 64) \
    X(S, OPT, NULL, indirect_profile_download, "indirectProfileDownload", CTX(9), 0, 0)
#define EIM_CONFIGURATION_DATA_LIST(X, S) \
    X(S, REQ, SEQ(eim_configuration_data), v, "eimConfigurationData", UNI(16), 0, 0)

/* 2.11.1.1.3 PSMOs. rollbackFlag also seen as 80 and 81 (spec 6.11). */
#define PSMO_ENABLE(X, S) \
    X(S, REQ, OCTETS, iccid, "iccid", APP(26), 10, 10) \
    X(S, OPT_ALT(CTX(0), CTX(1)), NULL, rollback_flag, "rollbackFlag", UNI(5), 0, 0)
#define PSMO_ICCID(X, S) \
    X(S, REQ, OCTETS, iccid, "iccid", APP(26), 10, 10)
#define IMMEDIATE_ENABLE_CONFIG(X, S) \
    X(S, OPT, NULL, immediate_enable_flag, "immediateEnableFlag", CTX(0), 0, 0) \
    X(S, OPT, OID, default_smdp_oid, "defaultSmdpOid", CTX(1), 1, 64) \
    X(S, OPT, UTF8, default_smdp_address, "defaultSmdpAddress", CTX(2), 0, SGP22_TEXT)
#define SET_DEFAULT_DP_ADDRESS_REQUEST(X, S) \
    X(S, REQ, UTF8, default_dp_address, "defaultDpAddress", CTX(0), 0, SGP22_TEXT)
#define SET_DEFAULT_DP_ADDRESS_RESPONSE(X, S) \
    X(S, REQ, INT, set_default_dp_address_result, "setDefaultDpAddressResult", CTX(0), ANY_INT)
#define PSMO(X, S) \
    X(S, REQ, SEQ(psmo_enable), enable, "enable", CTX(3), 0, 0) \
    X(S, REQ, SEQ(psmo_iccid), disable, "disable", CTX(4), 0, 0) \
    X(S, REQ, SEQ(psmo_iccid), delete, "delete", CTX(5), 0, 0) \
    X(S, REQ, SEQ(profile_info_list_request), list_profile_info, "listProfileInfo", CTX(45), 0, 0) \
    X(S, REQ, SEQ(empty_sequence), get_rat, "getRAT", CTX(6), 0, 0) \
    X(S, REQ, SEQ(immediate_enable_config), configure_immediate_enable, "configureImmediateEnable", CTX(7), 0, 0) \
    X(S, REQ, SEQ(psmo_iccid), set_fallback_attribute, "setFallbackAttribute", CTX(8), 0, 0) \
    X(S, REQ, SEQ(empty_sequence), unset_fallback_attribute, "unsetFallbackAttribute", CTX(9), 0, 0) \
    X(S, REQ, SEQ(set_default_dp_address_request), set_default_dp_address, "setDefaultDpAddress", CTX(101), 0, 0)
#define PSMO_LIST(X, S) X(S, REQ, CHOICE(psmo), v, "psmo", UNTAGGED, 0, 0)

/* 2.11.1.1.2 eCOs */
#define DELETE_EIM(X, S) \
    X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID)
#define ECO(X, S) \
    X(S, REQ, SEQ(eim_configuration_data), add_eim, "addEim", CTX(8), 0, 0) \
    X(S, REQ, SEQ(delete_eim), delete_eim, "deleteEim", CTX(9), 0, 0) \
    X(S, REQ, SEQ(eim_configuration_data), update_eim, "updateEim", CTX(10), 0, 0) \
    X(S, REQ, SEQ(empty_sequence), list_eim, "listEim", CTX(11), 0, 0)
#define ECO_LIST(X, S) X(S, REQ, CHOICE(eco), v, "eco", UNTAGGED, 0, 0)

/* 2.11.1.1 EuiccPackageRequest, BF51 */
#define EUICC_PACKAGE(X, S) \
    X(S, REQ, LIST(psmo_list), psmo_list, "psmoList", CTX(0), 0, SGP32_OPERATIONS) \
    X(S, REQ, LIST(eco_list), eco_list, "ecoList", CTX(1), 0, SGP32_OPERATIONS)
#define EUICC_PACKAGE_SIGNED(X, S) \
    X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID) \
    X(S, REQ, OCTETS, eid_value, "eidValue", APP(26), 16, 16) \
    X(S, REQ, INT, counter_value, "counterValue", CTX(1), NOT_NEG) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(2), TXID) \
    X(S, REQ, CHOICE(euicc_package), euicc_package, "euiccPackage", UNTAGGED, 0, 0)
#define EUICC_PACKAGE_REQUEST(X, S) \
    X(S, REQ, SEQ(euicc_package_signed), euicc_package_signed, "euiccPackageSigned", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, eim_signature, "eimSignature", APP(55), SIGNATURE)

/* 2.11.1.2 IpaEuiccDataRequest, BF52. tagList names members of IpaEuiccData: see der_taglist() and SGP32_TAGLIST_*. */
#define NOTIFICATION_SEARCH(X, S) \
    X(S, REQ, INT, seq_number, "seqNumber", CTX(0), NOT_NEG) \
    X(S, REQ, BITS, profile_management_operation, "profileManagementOperation", CTX(1), 0, 4)
#define RESULT_SEARCH(X, S) \
    X(S, REQ, INT, seq_number, "seqNumber", CTX(0), NOT_NEG)
#define IPA_EUICC_DATA_REQUEST(X, S) \
    X(S, REQ, OCTETS, tag_list, "tagList", APP(28), 0, 255) \
    X(S, OPT, OCTETS, euicc_ci_pk_identifier_to_be_used, "euiccCiPKIdentifierToBeUsed", UNI(4), 0, 64) \
    X(S, OPT, CHOICE(notification_search), search_criteria_notification, "searchCriteriaNotification", CTX(1), 0, 0) \
    X(S, OPT, CHOICE(result_search), search_criteria_euicc_package_result, "searchCriteriaEuiccPackageResult", CTX(2), \
        0, 0) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(3), TXID)

/* 2.11.1.3 ProfileDownloadTriggerRequest, BF54 */
#define CONTACT_SMDS(X, S) \
    X(S, OPT, UTF8, smds_address, "smdsAddress", CTX(0), 0, SGP22_TEXT)
#define PROFILE_DOWNLOAD_DATA(X, S) \
    X(S, REQ, UTF8, activation_code, "activationCode", CTX(0), 0, 255) \
    X(S, REQ, NULL, contact_default_smdp, "contactDefaultSmdp", CTX(1), 0, 0) \
    X(S, REQ, SEQ(contact_smds), contact_smds, "contactSmds", CTX(2), 0, 0)
#define PROFILE_DOWNLOAD_TRIGGER_REQUEST(X, S) \
    X(S, OPT, CHOICE(profile_download_data), profile_download_data, "profileDownloadData", CTX(0), 0, 0) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(2), TXID)

/* 3.3.1 EimAcknowledgements, BF53: sequence numbers of the card */
#define EIM_ACKNOWLEDGEMENTS(X, S) X(S, REQ, INT, v, "sequenceNumber", CTX(0), NOT_NEG)

/* ProfileInfo, E3, and its list, BF2D */
#define PROFILE_INFO(X, S) \
    X(S, OPT, OCTETS, iccid, "iccid", APP(26), 10, 10) \
    X(S, OPT, OCTETS, isdp_aid, "isdpAid", APP(15), 1, 16) \
    X(S, OPT, INT, profile_state, "profileState", CTX(112), ANY_INT) \
    X(S, OPT, UTF8, profile_nickname, "profileNickname", CTX(16), 0, 64) \
    X(S, OPT, UTF8, service_provider_name, "serviceProviderName", CTX(17), 0, 32) \
    X(S, OPT, UTF8, profile_name, "profileName", CTX(18), 0, 64) \
    X(S, OPT, INT, icon_type, "iconType", CTX(19), ANY_INT) \
    X(S, OPT, OCTETS, icon, "icon", CTX(20), 0, 1024) \
    X(S, OPT, INT, profile_class, "profileClass", CTX(21), ANY_INT) \
    X(S, OPT, LIST(notification_configuration_list), notification_configuration_info, "notificationConfigurationInfo", \
        CTX(22), 0, SGP22_ITEMS) \
    X(S, OPT, SEQ(operator_id), profile_owner, "profileOwner", CTX(23), 0, 0) \
    X(S, OPT, SEQ(dp_proprietary_data), dp_proprietary_data, "dpProprietaryData", CTX(24), 0, 0) \
    X(S, OPT, BITS, profile_policy_rules, "profilePolicyRules", CTX(25), 0, 4) \
    X(S, OPT, ANY, service_specific_data_stored_in_euicc, "serviceSpecificDataStoredInEuicc", CTX(34) | CONS, 0, \
        SGP22_BLOB) \
    X(S, OPT, BOOL, ecall_indication, "ecallIndication", CTX(123), 0, 1) \
    X(S, DEF(false), BOOL, fallback_attribute, "fallbackAttribute", CTX(38), 0, 1) \
    X(S, OPT, BOOL, fallback_allowed, "fallbackAllowed", CTX(103), 0, 1)
#define PROFILE_INFO_LIST(X, S) X(S, REQ, SEQ(profile_info), v, "profileInfo", PRIV(3), 0, 0)
#define PROFILE_INFO_LIST_RESPONSE(X, S) \
    X(S, REQ, LIST(profile_info_list), profile_info_list_ok, "profileInfoListOk", CTX(0), 0, SGP32_PROFILES) \
    X(S, REQ, INT, profile_info_list_error, "profileInfoListError", CTX(1), ANY_INT)
#define STORE_METADATA_REQUEST(X, S) \
    X(S, REQ, OCTETS, iccid, "iccid", APP(26), 10, 10) \
    X(S, REQ, UTF8, service_provider_name, "serviceProviderName", CTX(17), 0, 32) \
    X(S, REQ, UTF8, profile_name, "profileName", CTX(18), 0, 64) \
    X(S, OPT, INT, icon_type, "iconType", CTX(19), ANY_INT) \
    X(S, OPT, OCTETS, icon, "icon", CTX(20), 0, 1024) \
    X(S, DEF(PROFILE_CLASS_OPERATIONAL), INT, profile_class, "profileClass", CTX(21), ANY_INT) \
    X(S, OPT, LIST(notification_configuration_list), notification_configuration_info, "notificationConfigurationInfo", \
        CTX(22), 0, SGP22_ITEMS) \
    X(S, OPT, SEQ(operator_id), profile_owner, "profileOwner", CTX(23), 0, 0) \
    X(S, OPT, BITS, profile_policy_rules, "profilePolicyRules", CTX(25), 0, 4) \
    X(S, OPT, ANY, service_specific_data_stored_in_euicc, "serviceSpecificDataStoredInEuicc", CTX(34) | CONS, 0, \
        SGP22_BLOB) \
    X(S, OPT, ANY, service_specific_data_not_stored_in_euicc, "serviceSpecificDataNotStoredInEuicc", CTX(35) | CONS, 0, \
        SGP22_BLOB) \
    X(S, OPT, BOOL, ecall_indication, "ecallIndication", CTX(123), 0, 1) \
    X(S, OPT, BOOL, fallback_allowed, "fallbackAllowed", CTX(103), 0, 1)

/* 2.11.2.1 EuiccPackageResult, BF51. The operation of a result is known by its position; a bare INTEGER is
 * processingTerminated, but some cards send it in place of an operation's result. */
#define ADD_EIM_RESULT(X, S) \
    X(S, REQ, INT, association_token, "associationToken", CTX(4), -1, INT64_MAX) \
    X(S, REQ, INT, add_eim_result_code, "addEimResultCode", UNI(2), ANY_INT)
#define EIM_ID_INFO(X, S) \
    X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID) \
    X(S, OPT, INT, eim_id_type, "eimIdType", CTX(2), ANY_INT)
#define EIM_ID_LIST(X, S) X(S, REQ, SEQ(eim_id_info), v, "eimIdInfo", UNI(16), 0, 0)
#define LIST_EIM_RESULT(X, S) \
    X(S, REQ, LIST(eim_id_list), eim_id_list, "eimIdList", CTX(0), 0, SGP32_EIMS) \
    X(S, REQ, INT, list_eim_error, "listEimError", CTX(1), ANY_INT)
#define EUICC_RESULT_DATA(X, S) \
    X(S, REQ, INT, enable_result, "enableResult", CTX(3), ANY_INT) \
    X(S, REQ, INT, disable_result, "disableResult", CTX(4), ANY_INT) \
    X(S, REQ, INT, delete_result, "deleteResult", CTX(5), ANY_INT) \
    X(S, REQ, CHOICE(profile_info_list_response), list_profile_info_result, "listProfileInfoResult", CTX(45), 0, 0) \
    X(S, REQ, LIST(rules), get_rat_result, "getRATResult", CTX(6), 0, SGP22_ITEMS) \
    X(S, REQ, INT, configure_immediate_enable_result, "configureImmediateEnableResult", CTX(7), ANY_INT) \
    X(S, REQ, CHOICE(add_eim_result), add_eim_result, "addEimResult", CTX(8), 0, 0) \
    X(S, REQ, INT, delete_eim_result, "deleteEimResult", CTX(9), ANY_INT) \
    X(S, REQ, INT, update_eim_result, "updateEimResult", CTX(10), ANY_INT) \
    X(S, REQ, CHOICE(list_eim_result), list_eim_result, "listEimResult", CTX(11), 0, 0) \
    X(S, REQ, INT, rollback_result, "rollbackResult", CTX(12), ANY_INT) \
    X(S, REQ, INT, set_fallback_attribute_result, "setFallbackAttributeResult", CTX(13), ANY_INT) \
    X(S, REQ, INT, unset_fallback_attribute_result, "unsetFallbackAttributeResult", CTX(14), ANY_INT) \
    X(S, REQ, INT, processing_terminated, "processingTerminated", UNI(2), ANY_INT) \
    X(S, REQ, SEQ(set_default_dp_address_response), set_default_dp_address_result, "setDefaultDpAddressResult", \
        CTX(101), 0, 0) \
    X(S, REQ, ANY, unknown, "unknown", DER_ANY_TAG, 0, SGP22_BLOB)
#define EUICC_RESULT(X, S) X(S, REQ, CHOICE(euicc_result_data), v, "euiccResultData", UNTAGGED, 0, 0)
#define EUICC_PACKAGE_RESULT_DATA_SIGNED(X, S) \
    X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID) \
    X(S, REQ, INT, counter_value, "counterValue", CTX(1), NOT_NEG) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(2), TXID) \
    X(S, REQ, INT, seq_number, "seqNumber", CTX(3), NOT_NEG) \
    X(S, REQ, LIST(euicc_result), euicc_result, "euiccResult", UNI(16), 0, SGP32_OPERATIONS)
#define EUICC_PACKAGE_RESULT_SIGNED(X, S) \
    X(S, REQ, SEQ(euicc_package_result_data_signed), euicc_package_result_data_signed, "euiccPackageResultDataSigned", \
        UNI(16), 0, 0) \
    X(S, REQ, OCTETS, euicc_sign_epr, "euiccSignEPR", APP(55), SIGNATURE)
#define EUICC_PACKAGE_ERROR_DATA_SIGNED(X, S) \
    X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID) \
    X(S, REQ, INT, counter_value, "counterValue", CTX(1), NOT_NEG) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(2), TXID) \
    X(S, REQ, INT, euicc_package_error_code, "euiccPackageErrorCode", UNI(2), ANY_INT)
#define EUICC_PACKAGE_ERROR_SIGNED(X, S) \
    X(S, REQ, SEQ(euicc_package_error_data_signed), euicc_package_error_data_signed, "euiccPackageErrorDataSigned", \
        UNI(16), 0, 0) \
    X(S, REQ, OCTETS, euicc_sign_epe, "euiccSignEPE", APP(55), SIGNATURE)
#define EUICC_PACKAGE_ERROR_UNSIGNED(X, S) \
    X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(2), TXID) \
    X(S, OPT, INT, association_token, "associationToken", CTX(4), -1, INT64_MAX)
#define EUICC_PACKAGE_RESULT(X, S) \
    X(S, REQ, SEQ(euicc_package_result_signed), euicc_package_result_signed, "euiccPackageResultSigned", CTX(0), 0, 0) \
    X(S, REQ, SEQ(euicc_package_error_signed), euicc_package_error_signed, "euiccPackageErrorSigned", CTX(1), 0, 0) \
    X(S, REQ, SEQ(euicc_package_error_unsigned), euicc_package_error_unsigned, "euiccPackageErrorUnsigned", CTX(2), 0, 0)
#define EUICC_PACKAGE_RESULT_LIST(X, S) X(S, REQ, CHOICE(euicc_package_result), v, "euiccPackageResult", CTX(81), 0, 0)

/* Pending notifications, full and compact */
#define COMPACT_SUCCESS_RESULT(X, S) \
    X(S, REQ, OCTETS, compact_aid, "compactAid", APP(15), 2, 2) \
    X(S, OPT, OCTETS, sima_response, "simaResponse", UNI(4), 0, SGP22_BLOB)
#define COMPACT_FINAL_RESULT(X, S) \
    X(S, REQ, SEQ(compact_success_result), compact_success_result, "compactSuccessResult", CTX(0), 0, 0) \
    X(S, REQ, SEQ(error_result), error_result, "errorResult", CTX(1), 0, 0)
#define COMPACT_PROFILE_INSTALLATION_RESULT_DATA(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, INT, seq_number, "seqNumber", UNI(2), NOT_NEG) \
    X(S, DEF(true), BOOL, iccid_present, "iccidPresent", UNI(1), 0, 1) \
    X(S, REQ, CHOICE(compact_final_result), compact_final_result, "compactFinalResult", CTX(2), 0, 0)
#define COMPACT_PROFILE_INSTALLATION_RESULT(X, S) \
    X(S, REQ, SEQ(compact_profile_installation_result_data), compact_profile_installation_result_data, \
        "compactProfileInstallationResultData", CTX(0), 0, 0) \
    X(S, REQ, OCTETS, euicc_sign_pir, "euiccSignPIR", APP(55), SIGNATURE)
#define COMPACT_OTHER_SIGNED_NOTIFICATION(X, S) \
    X(S, OPT, OCTETS, eid_value, "eidValue", APP(26), 16, 16) \
    X(S, REQ, SEQ(notification_metadata), tbs_other_notification, "tbsOtherNotification", CTX(47), 0, 0) \
    X(S, REQ, OCTETS, euicc_notification_signature, "euiccNotificationSignature", APP(55), SIGNATURE)
#define PENDING_NOTIFICATION(X, S) \
    X(S, REQ, SEQ(profile_installation_result), profile_installation_result, "profileInstallationResult", CTX(55), 0, 0) \
    X(S, REQ, SEQ(other_signed_notification), other_signed_notification, "otherSignedNotification", UNI(16), 0, 0) \
    X(S, REQ, SEQ(compact_profile_installation_result), compact_profile_installation_result, \
        "compactProfileInstallationResult", CTX(0), 0, 0) \
    X(S, REQ, SEQ(compact_other_signed_notification), compact_other_signed_notification, \
        "compactOtherSignedNotification", CTX(1), 0, 0)
#define PENDING_NOTIFICATION_LIST(X, S) X(S, REQ, CHOICE(pending_notification), v, "pendingNotification", UNTAGGED, 0, 0)

/* EUICCInfo2, BF22, with the IoT additions */
#define IOT_SPECIFIC_INFO(X, S) \
    X(S, REQ, LIST(version_list), iot_version, "iotVersion", CTX(0), 0, SGP22_ITEMS) \
    X(S, OPT, NULL, ecall_supported, "ecallSupported", CTX(1), 0, 0) \
    X(S, OPT, NULL, fallback_supported, "fallbackSupported", CTX(2), 0, 0)
#define EUICC_INFO2(X, S) \
    X(S, REQ, OCTETS, profile_version, "profileVersion", CTX(1), 3, 3) \
    X(S, REQ, OCTETS, svn, "svn", CTX(2), 3, 3) \
    X(S, REQ, OCTETS, euicc_firmware_ver, "euiccFirmwareVer", CTX(3), 3, 3) \
    X(S, REQ, OCTETS, ext_card_resource, "extCardResource", CTX(4), 0, 255) \
    X(S, REQ, BITS, uicc_capability, "uiccCapability", CTX(5), 0, 16) \
    X(S, OPT, OCTETS, ts102241_version, "ts102241Version", CTX(6), 3, 3) \
    X(S, OPT, OCTETS, globalplatform_version, "globalplatformVersion", CTX(7), 3, 3) \
    X(S, REQ, BITS, rsp_capability, "rspCapability", CTX(8), 0, 16) \
    X(S, REQ, LIST(key_id_list), euicc_ci_pkid_list_for_verification, "euiccCiPKIdListForVerification", CTX(9), 0, \
        SGP22_ITEMS) \
    X(S, REQ, LIST(key_id_list), euicc_ci_pkid_list_for_signing, "euiccCiPKIdListForSigning", CTX(10), 0, SGP22_ITEMS) \
    X(S, OPT, INT, euicc_category, "euiccCategory", CTX(11), ANY_INT) \
    X(S, OPT, BITS, forbidden_profile_policy_rules, "forbiddenProfilePolicyRules", CTX(25), 0, 4) \
    X(S, REQ, OCTETS, pp_version, "ppVersion", UNI(4), 3, 3) \
    X(S, REQ, UTF8, sas_acreditation_number, "sasAcreditationNumber", UNI(12), 0, 64) \
    X(S, OPT, SEQ(certification_data_object), certification_data_object, "certificationDataObject", CTX(12), 0, 0) \
    X(S, OPT, BITS, tre_properties, "treProperties", CTX(13), 0, 4) \
    X(S, OPT, UTF8, tre_product_reference, "treProductReference", CTX(14), 0, SGP22_TEXT) \
    X(S, OPT, LIST(version_list), additional_euicc_profile_package_versions, "additionalEuiccProfilePackageVersions", \
        CTX(15), 0, SGP22_ITEMS) \
    X(S, OPT, INT, ipa_mode, "ipaMode", CTX(16), ANY_INT) \
    X(S, OPT, LIST(key_id_list), euicc_ci_pkid_list_for_signing_v3, "euiccCiPKIdListForSigningV3", CTX(17), 0, \
        SGP22_ITEMS) \
    X(S, OPT, OCTETS, additional_euicc_info, "additionalEuiccInfo", CTX(18), 0, 32) \
    X(S, OPT, OCTETS, highest_svn, "highestSvn", CTX(19), 3, 3) \
    X(S, OPT, SEQ(iot_specific_info), iot_specific_info, "iotSpecificInfo", CTX(20), 0, 0)

/* 2.11.2.2 IpaEuiccDataResponse, BF52 */
#define IPA_CAPABILITIES(X, S) \
    X(S, REQ, BITS_LAX, ipa_features, "ipaFeatures", CTX(0), 0, 33) \
    X(S, OPT, BITS_LAX, ipa_supported_protocols, "ipaSupportedProtocols", CTX(1), 0, 33)
#define IPA_EUICC_DATA(X, S) \
    X(S, OPT, LIST(pending_notification_list), notifications_list, "notificationsList", CTX(0), 0, SGP32_NOTIFICATIONS) \
    X(S, OPT, UTF8, default_smdp_address, "defaultSmdpAddress", CTX(1), 0, SGP22_TEXT) \
    X(S, OPT, LIST(euicc_package_result_list), euicc_package_result_list, "euiccPackageResultList", CTX(2), 0, \
        SGP32_RESULTS) \
    X(S, OPT, SEQ(euicc_info1), euicc_info1, "euiccInfo1", CTX(32), 0, 0) \
    X(S, OPT, SEQ(euicc_info2), euicc_info2, "euiccInfo2", CTX(34), 0, 0) \
    X(S, OPT, UTF8, root_smds_address, "rootSmdsAddress", CTX(3), 0, SGP22_TEXT) \
    X(S, OPT, INT, association_token, "associationToken", CTX(4), -1, INT64_MAX) \
    X(S, OPT, CERT, eum_certificate, "eumCertificate", CTX(5), 0, SGP22_CERT) \
    X(S, OPT, CERT, euicc_certificate, "euiccCertificate", CTX(6), 0, SGP22_CERT) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(7), TXID) \
    X(S, OPT, SEQ(ipa_capabilities), ipa_capabilities, "ipaCapabilities", CTX(8), 0, 0) \
    X(S, OPT, SEQ(device_info), device_info, "deviceInfo", CTX(9), 0, 0)
#define IPA_EUICC_DATA_RESPONSE_ERROR(X, S) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(0), TXID) \
    X(S, REQ, INT, ipa_euicc_data_error_code, "ipaEuiccDataErrorCode", UNI(2), ANY_INT)
#define IPA_EUICC_DATA_RESPONSE(X, S) \
    X(S, REQ, SEQ(ipa_euicc_data), ipa_euicc_data, "ipaEuiccData", CTX(0), 0, 0) \
    X(S, REQ, SEQ(ipa_euicc_data_response_error), ipa_euicc_data_response_error, "ipaEuiccDataResponseError", CTX(1), \
        0, 0)

/* 2.11.2.3 ProfileDownloadTriggerResult, BF54 */
#define PROFILE_DOWNLOAD_ERROR(X, S) \
    X(S, REQ, INT, profile_download_error_reason, "profileDownloadErrorReason", CTX(0), ANY_INT) \
    X(S, OPT, OCTETS, error_response, "errorResponse", UNI(4), 0, SGP22_BLOB)
#define PROFILE_DOWNLOAD_TRIGGER_RESULT_DATA(X, S) \
    X(S, REQ, SEQ(profile_installation_result), profile_installation_result, "profileInstallationResult", CTX(55), 0, 0) \
    X(S, REQ, SEQ(profile_download_error), profile_download_error, "profileDownloadError", UNI(16), 0, 0)
#define PROFILE_DOWNLOAD_TRIGGER_RESULT(X, S) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(2), TXID) \
    X(S, REQ, CHOICE(profile_download_trigger_result_data), profile_download_trigger_result_data, \
        "profileDownloadTriggerResultData", UNTAGGED, 0, 0)

/* 6.3.2.6 GetEimPackage, BF4F. eidValue is taken with any length and may be missing, so that the eIM can answer
 * invalidEid or missingEid: whoever uses it must check that it has SGP32_EID octets. */
#define GET_EIM_PACKAGE_REQUEST(X, S) \
    X(S, OPT, OCTETS, eid_value, "eidValue", APP(26), 0, 64) \
    X(S, OPT, NULL, notify_state_change, "notifyStateChange", CTX(0), 0, 0) \
    X(S, OPT, INT, state_change_cause, "stateChangeCause", CTX(1), ANY_INT) \
    X(S, OPT, OCTETS, r_plmn, "rPLMN", CTX(2), 3, 3)
#define GET_EIM_PACKAGE_RESPONSE(X, S) \
    X(S, REQ, SEQ(euicc_package_request), euicc_package_request, "euiccPackageRequest", CTX(81), 0, 0) \
    X(S, REQ, SEQ(ipa_euicc_data_request), ipa_euicc_data_request, "ipaEuiccDataRequest", CTX(82), 0, 0) \
    X(S, REQ, SEQ(profile_download_trigger_request), profile_download_trigger_request, "profileDownloadTriggerRequest", \
        CTX(84), 0, 0) \
    X(S, REQ, INT, eim_package_error, "eimPackageError", UNI(2), ANY_INT)

/* 6.3.2.7 ProvideEimPackageResult, BF50. eidValue as in GetEimPackageRequest. */
#define EPR_AND_NOTIFICATIONS(X, S) \
    X(S, REQ, CHOICE(euicc_package_result), euicc_package_result, "euiccPackageResult", CTX(81), 0, 0) \
    X(S, REQ, LIST(pending_notification_list), notification_list, "notificationList", CTX(0), 0, SGP32_NOTIFICATIONS)
#define EIM_PACKAGE_RESULT_RESPONSE_ERROR(X, S) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(0), TXID) \
    X(S, REQ, INT, eim_package_result_error_code, "eimPackageResultErrorCode", UNI(2), ANY_INT)
#define EIM_PACKAGE_RESULT(X, S) \
    X(S, REQ, CHOICE(euicc_package_result), euicc_package_result, "euiccPackageResult", CTX(81), 0, 0) \
    X(S, REQ, SEQ(epr_and_notifications), epr_and_notifications, "ePRAndNotifications", UNI(16), 0, 0) \
    X(S, REQ, CHOICE(ipa_euicc_data_response), ipa_euicc_data_response, "ipaEuiccDataResponse", CTX(82), 0, 0) \
    X(S, REQ, SEQ(profile_download_trigger_result), profile_download_trigger_result, "profileDownloadTriggerResult", \
        CTX(84), 0, 0) \
    X(S, ALT(CTX(0)), SEQ(eim_package_result_response_error), eim_package_result_response_error, \
        "eimPackageResultResponseError", CTX(0), 0, 0)
#define PROVIDE_EIM_PACKAGE_RESULT(X, S) \
    X(S, OPT, OCTETS, eid_value, "eidValue", APP(26), 0, 64) \
    X(S, REQ, CHOICE(eim_package_result), eim_package_result, "eimPackageResult", UNTAGGED, 0, 0)
#define PROVIDE_EIM_PACKAGE_RESULT_RESPONSE(X, S) /* emptyResponse first: that is what nothing at all means (6.13) */ \
    X(S, REQ, SEQ(empty_sequence), empty_response, "emptyResponse", UNI(16), 0, 0) \
    X(S, REQ, LIST(eim_acknowledgements), eim_acknowledgements, "eimAcknowledgements", CTX(83), 0, SGP32_ACKS) \
    X(S, REQ, INT, provide_eim_package_result_error, "provideEimPackageResultError", UNI(2), ANY_INT)

/* 6.3.2.5 TransferEimPackage, BF4E, and 6.3.2.4 HandleNotification, BF3D */
#define TRANSFER_EIM_PACKAGE_REQUEST(X, S) \
    X(S, REQ, SEQ(euicc_package_request), euicc_package_request, "euiccPackageRequest", CTX(81), 0, 0) \
    X(S, REQ, SEQ(ipa_euicc_data_request), ipa_euicc_data_request, "ipaEuiccDataRequest", CTX(82), 0, 0) \
    X(S, REQ, LIST(eim_acknowledgements), eim_acknowledgements, "eimAcknowledgements", CTX(83), 0, SGP32_ACKS) \
    X(S, REQ, SEQ(profile_download_trigger_request), profile_download_trigger_request, "profileDownloadTriggerRequest", \
        CTX(84), 0, 0)
#define TRANSFER_EIM_PACKAGE_RESPONSE(X, S) \
    X(S, REQ, CHOICE(euicc_package_result), euicc_package_result, "euiccPackageResult", CTX(81), 0, 0) \
    X(S, REQ, SEQ(epr_and_notifications), epr_and_notifications, "ePRAndNotifications", UNI(16), 0, 0) \
    X(S, REQ, CHOICE(ipa_euicc_data_response), ipa_euicc_data_response, "ipaEuiccDataResponse", CTX(82), 0, 0) \
    X(S, REQ, NULL, eim_package_received, "eimPackageReceived", UNI(5), 0, 0) \
    X(S, REQ, INT, eim_package_error, "eimPackageError", UNI(2), ANY_INT) \
    X(S, REQ, ANY, unknown, "unknown", DER_ANY_TAG, 0, SGP22_BLOB) /* v1.3 has two more */
#define HANDLE_NOTIFICATION_ESIPA(X, S) \
    X(S, REQ, CHOICE(pending_notification), pending_notification, "pendingNotification", CTX(0), 0, 0) \
    X(S, REQ, SEQ(provide_eim_package_result), provide_eim_package_result, "provideEimPackageResult", CTX(80), 0, 0)

/* 6.3.2.1 InitiateAuthentication, BF39 */
#define INITIATE_AUTHENTICATION_REQUEST_ESIPA(X, S) \
    X(S, REQ, OCTETS, euicc_challenge, "euiccChallenge", CTX(1), 16, 16) \
    X(S, OPT, UTF8, smdp_address, "smdpAddress", CTX(3), 0, SGP22_TEXT) \
    X(S, OPT, SEQ(euicc_info1), euicc_info1, "euiccInfo1", CTX(32), 0, 0) \
    X(S, OPT, OCTETS, eim_transaction_id, "eimTransactionId", CTX(2), TXID)
#define INITIATE_AUTHENTICATION_OK_ESIPA(X, S) \
    X(S, OPT, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, SEQ(server_signed1), server_signed1, "serverSigned1", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, server_signature1, "serverSignature1", APP(55), SIGNATURE) \
    X(S, REQ, OCTETS, euicc_ci_pk_identifier_to_be_used, "euiccCiPKIdentifierToBeUsed", UNI(4), 0, 64) \
    X(S, REQ, CERT, server_certificate, "serverCertificate", UNI(16), 0, SGP22_CERT) \
    X(S, OPT, UTF8, matching_id, "matchingId", UNI(12), 0, 255) \
    X(S, OPT, CHOICE(ctx_params1), ctx_params1, "ctxParams1", CTX(2), 0, 0)
#define INITIATE_AUTHENTICATION_RESPONSE_ESIPA(X, S) \
    X(S, REQ, SEQ(initiate_authentication_ok_esipa), initiate_authentication_ok_esipa, "initiateAuthenticationOkEsipa", \
        CTX(0), 0, 0) \
    X(S, REQ, INT, initiate_authentication_error_esipa, "initiateAuthenticationErrorEsipa", CTX(1), ANY_INT)

/* 6.3.2.2 AuthenticateClient, BF3B, and the eUICC's AuthenticateServerResponse, BF38 */
#define EUICC_SIGNED1(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, UTF8, server_address, "serverAddress", CTX(3), 0, SGP22_TEXT) \
    X(S, REQ, OCTETS, server_challenge, "serverChallenge", CTX(4), 16, 16) \
    X(S, REQ, SEQ(euicc_info2), euicc_info2, "euiccInfo2", CTX(34), 0, 0) \
    X(S, REQ, CHOICE(ctx_params1), ctx_params1, "ctxParams1", UNTAGGED, 0, 0)
#define AUTHENTICATE_RESPONSE_OK(X, S) \
    X(S, REQ, SEQ(euicc_signed1), euicc_signed1, "euiccSigned1", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, euicc_signature1, "euiccSignature1", APP(55), SIGNATURE) \
    X(S, REQ, CERT, euicc_certificate, "euiccCertificate", UNI(16), 0, SGP22_CERT) \
    X(S, REQ, CERT, eum_certificate, "eumCertificate", UNI(16), 0, SGP22_CERT)
#define COMPACT_EUICC_SIGNED1(X, S) \
    X(S, REQ, OCTETS, ext_card_resource, "extCardResource", CTX(4), 0, 255) \
    X(S, OPT, CHOICE(ctx_params1), ctx_params1, "ctxParams1", CTX(2), 0, 0)
#define AUTHENTICATE_SIGNED_DATA(X, S) \
    X(S, REQ, SEQ(euicc_signed1), euicc_signed1, "euiccSigned1", UNI(16), 0, 0) \
    X(S, REQ, SEQ(compact_euicc_signed1), compact_euicc_signed1, "compactEuiccSigned1", CTX(0), 0, 0)
#define COMPACT_AUTHENTICATE_RESPONSE_OK(X, S) \
    X(S, REQ, CHOICE(authenticate_signed_data), signed_data, "signedData", UNTAGGED, 0, 0) \
    X(S, REQ, OCTETS, euicc_signature1, "euiccSignature1", APP(55), SIGNATURE) \
    X(S, OPT, CERT, euicc_certificate, "euiccCertificate", CTX(1), 0, SGP22_CERT) \
    X(S, OPT, CERT, eum_certificate, "eumCertificate", CTX(2), 0, SGP22_CERT)
#define AUTHENTICATE_SERVER_RESPONSE(X, S) \
    X(S, REQ, SEQ(authenticate_response_ok), authenticate_response_ok, "authenticateResponseOk", CTX(0), 0, 0) \
    X(S, REQ, SEQ(authenticate_response_error), authenticate_response_error, "authenticateResponseError", CTX(1), 0, 0) \
    X(S, REQ, SEQ(compact_authenticate_response_ok), compact_authenticate_response_ok, "compactAuthenticateResponseOk", \
        CTX(2), 0, 0)
#define AUTHENTICATE_CLIENT_REQUEST_ESIPA(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, CHOICE(authenticate_server_response), authenticate_server_response, "authenticateServerResponse", \
        CTX(56), 0, 0)
#define AUTHENTICATE_CLIENT_OK_DP_ESIPA(X, S) \
    X(S, OPT, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, OPT, SEQ(store_metadata_request), profile_meta_data, "profileMetaData", CTX(37), 0, 0) \
    X(S, REQ, SEQ(smdp_signed2), smdp_signed2, "smdpSigned2", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, smdp_signature2, "smdpSignature2", APP(55), SIGNATURE) \
    X(S, REQ, CERT, smdp_certificate, "smdpCertificate", UNI(16), 0, SGP22_CERT) \
    X(S, OPT, OCTETS, hash_cc, "hashCc", UNI(4), 32, 32)
#define AUTHENTICATE_CLIENT_OK_DS_ESIPA(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, OPT, SEQ(profile_download_trigger_request), profile_download_trigger, "profileDownloadTrigger", CTX(84), 0, 0)
#define AUTHENTICATE_CLIENT_RESPONSE_ESIPA(X, S) \
    X(S, REQ, SEQ(authenticate_client_ok_dp_esipa), authenticate_client_ok_dp_esipa, "authenticateClientOkDPEsipa", \
        CTX(0), 0, 0) \
    X(S, REQ, SEQ(authenticate_client_ok_ds_esipa), authenticate_client_ok_ds_esipa, "authenticateClientOkDSEsipa", \
        CTX(1), 0, 0) \
    X(S, REQ, INT, authenticate_client_error_esipa, "authenticateClientErrorEsipa", CTX(2), ANY_INT)

/* 6.3.2.3 GetBoundProfilePackage, BF3A, and the eUICC's PrepareDownloadResponse, BF21 */
#define COMPACT_EUICC_SIGNED2(X, S) \
    X(S, OPT, OCTETS, euicc_otpk, "euiccOtpk", APP(73), 1, 256) \
    X(S, OPT, OCTETS, hash_cc, "hashCc", UNI(4), 32, 32)
#define COMPACT_PREPARE_DOWNLOAD_RESPONSE_OK(X, S) \
    X(S, REQ, SEQ(compact_euicc_signed2), compact_euicc_signed2, "compactEuiccSigned2", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, euicc_signature2, "euiccSignature2", APP(55), SIGNATURE)
#define PREPARE_DOWNLOAD_RESPONSE(X, S) \
    X(S, REQ, SEQ(prepare_download_response_ok), download_response_ok, "downloadResponseOk", CTX(0), 0, 0) \
    X(S, REQ, SEQ(prepare_download_response_error), download_response_error, "downloadResponseError", CTX(1), 0, 0) \
    X(S, REQ, SEQ(compact_prepare_download_response_ok), compact_download_response_ok, "compactDownloadResponseOk", \
        CTX(2), 0, 0)
#define GET_BOUND_PROFILE_PACKAGE_REQUEST_ESIPA(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, CHOICE(prepare_download_response), prepare_download_response, "prepareDownloadResponse", CTX(33), 0, 0)
#define GET_BOUND_PROFILE_PACKAGE_OK_ESIPA(X, S) \
    X(S, OPT, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, SEQ(bound_profile_package), bound_profile_package, "boundProfilePackage", CTX(54), 0, 0)
#define GET_BOUND_PROFILE_PACKAGE_RESPONSE_ESIPA(X, S) \
    X(S, REQ, SEQ(get_bound_profile_package_ok_esipa), get_bound_profile_package_ok_esipa, \
        "getBoundProfilePackageOkEsipa", CTX(0), 0, 0) \
    X(S, REQ, INT, get_bound_profile_package_error_esipa, "getBoundProfilePackageErrorEsipa", CTX(1), ANY_INT)

/* 6.3.2.8 CancelSession, BF41 */
#define COMPACT_EUICC_CANCEL_SESSION_SIGNED(X, S) \
    X(S, OPT, INT, reason, "reason", CTX(0), ANY_INT)
#define COMPACT_CANCEL_SESSION_RESPONSE_OK(X, S) \
    X(S, REQ, SEQ(compact_euicc_cancel_session_signed), compact_euicc_cancel_session_signed, \
        "compactEuiccCancelSessionSigned", UNI(16), 0, 0) \
    X(S, REQ, OCTETS, euicc_cancel_session_signature, "euiccCancelSessionSignature", APP(55), SIGNATURE)
#define CANCEL_SESSION_RESPONSE(X, S) \
    X(S, REQ, SEQ(cancel_session_response_ok), cancel_session_response_ok, "cancelSessionResponseOk", CTX(0), 0, 0) \
    X(S, REQ, INT, cancel_session_response_error, "cancelSessionResponseError", CTX(1), ANY_INT) \
    X(S, REQ, SEQ(compact_cancel_session_response_ok), compact_cancel_session_response_ok, \
        "compactCancelSessionResponseOk", CTX(2), 0, 0)
#define CANCEL_SESSION_REQUEST_ESIPA(X, S) \
    X(S, REQ, OCTETS, transaction_id, "transactionId", CTX(0), TXID) \
    X(S, REQ, CHOICE(cancel_session_response), cancel_session_response, "cancelSessionResponse", CTX(1), 0, 0)
#define CANCEL_SESSION_RESPONSE_ESIPA(X, S) \
    X(S, REQ, SEQ(empty_sequence), cancel_session_ok, "cancelSessionOk", CTX(0), 0, 0) \
    X(S, REQ, INT, cancel_session_error, "cancelSessionError", CTX(1), ANY_INT)

/* 6.3.1 everything an IPA may send, everything an eIM may send */
#define ESIPA_FROM_IPA(X, S) \
    X(S, REQ, SEQ(initiate_authentication_request_esipa), initiate_authentication_request_esipa, \
        "initiateAuthenticationRequestEsipa", CTX(57), 0, 0) \
    X(S, REQ, SEQ(authenticate_client_request_esipa), authenticate_client_request_esipa, \
        "authenticateClientRequestEsipa", CTX(59), 0, 0) \
    X(S, REQ, SEQ(get_bound_profile_package_request_esipa), get_bound_profile_package_request_esipa, \
        "getBoundProfilePackageRequestEsipa", CTX(58), 0, 0) \
    X(S, REQ, SEQ(cancel_session_request_esipa), cancel_session_request_esipa, "cancelSessionRequestEsipa", CTX(65), 0, \
        0) \
    X(S, REQ, CHOICE(handle_notification_esipa), handle_notification_esipa, "handleNotificationEsipa", CTX(61), 0, 0) \
    X(S, REQ, CHOICE(transfer_eim_package_response), transfer_eim_package_response, "transferEimPackageResponse", \
        CTX(78), 0, 0) \
    X(S, REQ, SEQ(get_eim_package_request), get_eim_package_request, "getEimPackageRequest", CTX(79), 0, 0) \
    X(S, REQ, SEQ(provide_eim_package_result), provide_eim_package_result, "provideEimPackageResult", CTX(80), 0, 0)
#define ESIPA_FROM_EIM(X, S) \
    X(S, REQ, CHOICE(initiate_authentication_response_esipa), initiate_authentication_response_esipa, \
        "initiateAuthenticationResponseEsipa", CTX(57), 0, 0) \
    X(S, REQ, CHOICE(authenticate_client_response_esipa), authenticate_client_response_esipa, \
        "authenticateClientResponseEsipa", CTX(59), 0, 0) \
    X(S, REQ, CHOICE(get_bound_profile_package_response_esipa), get_bound_profile_package_response_esipa, \
        "getBoundProfilePackageResponseEsipa", CTX(58), 0, 0) \
    X(S, REQ, CHOICE(cancel_session_response_esipa), cancel_session_response_esipa, "cancelSessionResponseEsipa", \
        CTX(65), 0, 0) \
    X(S, REQ, CHOICE(transfer_eim_package_request), transfer_eim_package_request, "transferEimPackageRequest", CTX(78), \
        0, 0) \
    X(S, REQ, CHOICE(get_eim_package_response), get_eim_package_response, "getEimPackageResponse", CTX(79), 0, 0) \
    X(S, REQ, CHOICE(provide_eim_package_result_response), provide_eim_package_result_response, \
        "provideEimPackageResultResponse", CTX(80), 0, 0)

/* kind, struct, components, ASN.1 name, own tag, clause, tolerated forms; a type stands behind what it uses */
#define SGP32_TYPES(T) \
    T(CHOICE, eim_public_key_data, EIM_PUBLIC_KEY_DATA, "EimPublicKeyData", UNTAGGED, "SGP.32 2.11.1", DER_BARE) \
    T(CHOICE, trusted_public_key_data_tls, TRUSTED_PUBLIC_KEY_DATA_TLS, "TrustedPublicKeyDataTls", UNTAGGED, \
        "SGP.32 2.11.1", DER_BARE) \
    T(SEQUENCE, eim_configuration_data, EIM_CONFIGURATION_DATA, "EimConfigurationData", UNI(16), "SGP.32 2.11.1", 0) \
    T(LIST, eim_configuration_data_list, EIM_CONFIGURATION_DATA_LIST, "EimConfigurationDataList", UNI(16), \
        "SGP.32 2.11.1", 0) \
    T(SEQUENCE, psmo_enable, PSMO_ENABLE, "Psmo.enable", UNI(16), "SGP.32 2.11.1.1.3", 0) \
    T(SEQUENCE, psmo_iccid, PSMO_ICCID, "Psmo.disable", UNI(16), "SGP.32 2.11.1.1.3", 0) \
    T(SEQUENCE, immediate_enable_config, IMMEDIATE_ENABLE_CONFIG, "ConfigureImmediateProfileEnablingRequest", CTX(89), \
        "SGP.32 5.9.17", 0) \
    T(SEQUENCE, set_default_dp_address_request, SET_DEFAULT_DP_ADDRESS_REQUEST, "SetDefaultDpAddressRequest", CTX(101), \
        "SGP.32 5.9.25", 0) \
    T(SEQUENCE, set_default_dp_address_response, SET_DEFAULT_DP_ADDRESS_RESPONSE, "SetDefaultDpAddressResponse", \
        CTX(101), "SGP.32 5.9.25", 0) \
    T(CHOICE, psmo, PSMO, "Psmo", UNTAGGED, "SGP.32 2.11.1.1.3", 0) \
    T(LIST, psmo_list, PSMO_LIST, "PsmoList", UNI(16), "SGP.32 2.11.1.1.3", 0) \
    T(SEQUENCE, delete_eim, DELETE_EIM, "Eco.deleteEim", UNI(16), "SGP.32 2.11.1.1.2", 0) \
    T(CHOICE, eco, ECO, "Eco", UNTAGGED, "SGP.32 2.11.1.1.2", 0) \
    T(LIST, eco_list, ECO_LIST, "EcoList", UNI(16), "SGP.32 2.11.1.1.2", 0) \
    T(CHOICE, euicc_package, EUICC_PACKAGE, "EuiccPackage", UNTAGGED, "SGP.32 2.11.1.1", 0) \
    T(SEQUENCE, euicc_package_signed, EUICC_PACKAGE_SIGNED, "EuiccPackageSigned", UNI(16), "SGP.32 2.11.1.1", 0) \
    T(SEQUENCE, euicc_package_request, EUICC_PACKAGE_REQUEST, "EuiccPackageRequest", CTX(81), "SGP.32 2.11.1.1", 0) \
    T(CHOICE, notification_search, NOTIFICATION_SEARCH, "IpaEuiccDataRequest.searchCriteriaNotification", UNTAGGED, \
        "SGP.32 2.11.1.2", 0) \
    T(CHOICE, result_search, RESULT_SEARCH, "IpaEuiccDataRequest.searchCriteriaEuiccPackageResult", UNTAGGED, \
        "SGP.32 2.11.1.2", 0) \
    T(SEQUENCE, ipa_euicc_data_request, IPA_EUICC_DATA_REQUEST, "IpaEuiccDataRequest", CTX(82), "SGP.32 2.11.1.2", 0) \
    T(SEQUENCE, contact_smds, CONTACT_SMDS, "ProfileDownloadData.contactSmds", UNI(16), "SGP.32 2.11.1.3", 0) \
    T(CHOICE, profile_download_data, PROFILE_DOWNLOAD_DATA, "ProfileDownloadData", UNTAGGED, "SGP.32 2.11.1.3", 0) \
    T(SEQUENCE, profile_download_trigger_request, PROFILE_DOWNLOAD_TRIGGER_REQUEST, "ProfileDownloadTriggerRequest", \
        CTX(84), "SGP.32 2.11.1.3", 0) \
    T(LIST, eim_acknowledgements, EIM_ACKNOWLEDGEMENTS, "EimAcknowledgements", CTX(83), "SGP.32 3.3.1", 0) \
    T(SEQUENCE, profile_info, PROFILE_INFO, "ProfileInfo", PRIV(3), "SGP.32 5.9.14", 0) \
    T(LIST, profile_info_list, PROFILE_INFO_LIST, "ProfileInfoList", UNI(16), "SGP.32 5.9.14", 0) \
    T(CHOICE, profile_info_list_response, PROFILE_INFO_LIST_RESPONSE, "ProfileInfoListResponse", CTX(45), \
        "SGP.32 5.9.14", DER_BARE | DER_DOUBLE) \
    T(SEQUENCE, store_metadata_request, STORE_METADATA_REQUEST, "StoreMetadataRequest", CTX(37), "SGP.32 5.14.2", 0) \
    T(CHOICE, add_eim_result, ADD_EIM_RESULT, "AddEimResult", UNTAGGED, "SGP.32 2.11.2.1", 0) \
    T(SEQUENCE, eim_id_info, EIM_ID_INFO, "EimIdInfo", UNI(16), "SGP.32 2.11.2.1", 0) \
    T(LIST, eim_id_list, EIM_ID_LIST, "EimIdInfoList", UNI(16), "SGP.32 2.11.2.1", 0) \
    T(CHOICE, list_eim_result, LIST_EIM_RESULT, "ListEimResult", UNTAGGED, "SGP.32 2.11.2.1", 0) \
    T(CHOICE, euicc_result_data, EUICC_RESULT_DATA, "EuiccResultData", UNTAGGED, "SGP.32 2.11.2.1", 0) \
    T(LIST, euicc_result, EUICC_RESULT, "EuiccResult", UNI(16), "SGP.32 2.11.2.1", 0) \
    T(SEQUENCE, euicc_package_result_data_signed, EUICC_PACKAGE_RESULT_DATA_SIGNED, "EuiccPackageResultDataSigned", \
        UNI(16), "SGP.32 2.11.2.1", 0) \
    T(SEQUENCE, euicc_package_result_signed, EUICC_PACKAGE_RESULT_SIGNED, "EuiccPackageResultSigned", UNI(16), \
        "SGP.32 2.11.2.1", 0) \
    T(SEQUENCE, euicc_package_error_data_signed, EUICC_PACKAGE_ERROR_DATA_SIGNED, "EuiccPackageErrorDataSigned", \
        UNI(16), "SGP.32 2.11.2.1", 0) \
    T(SEQUENCE, euicc_package_error_signed, EUICC_PACKAGE_ERROR_SIGNED, "EuiccPackageErrorSigned", UNI(16), \
        "SGP.32 2.11.2.1", 0) \
    T(SEQUENCE, euicc_package_error_unsigned, EUICC_PACKAGE_ERROR_UNSIGNED, "EuiccPackageErrorUnsigned", UNI(16), \
        "SGP.32 2.11.2.1", 0) \
    T(CHOICE, euicc_package_result, EUICC_PACKAGE_RESULT, "EuiccPackageResult", CTX(81), "SGP.32 2.11.2.1", \
        DER_BARE | DER_DOUBLE) \
    T(LIST, euicc_package_result_list, EUICC_PACKAGE_RESULT_LIST, "EuiccPackageResultList", UNI(16), "SGP.32 2.11.2.2", \
        0) \
    T(SEQUENCE, compact_success_result, COMPACT_SUCCESS_RESULT, "CompactSuccessResult", UNI(16), "SGP.32 2.11.2", 0) \
    T(CHOICE, compact_final_result, COMPACT_FINAL_RESULT, "CompactFinalResult", UNTAGGED, "SGP.32 2.11.2", 0) \
    T(SEQUENCE, compact_profile_installation_result_data, COMPACT_PROFILE_INSTALLATION_RESULT_DATA, \
        "CompactProfileInstallationResultData", UNI(16), "SGP.32 2.11.2", 0) \
    T(SEQUENCE, compact_profile_installation_result, COMPACT_PROFILE_INSTALLATION_RESULT, \
        "CompactProfileInstallationResult", UNI(16), "SGP.32 2.11.2", 0) \
    T(SEQUENCE, compact_other_signed_notification, COMPACT_OTHER_SIGNED_NOTIFICATION, "CompactOtherSignedNotification", \
        UNI(16), "SGP.32 2.11.2", 0) \
    T(CHOICE, pending_notification, PENDING_NOTIFICATION, "PendingNotification", UNTAGGED, "SGP.32 2.11.2", 0) \
    T(LIST, pending_notification_list, PENDING_NOTIFICATION_LIST, "PendingNotificationList", UNI(16), "SGP.32 2.11.2", \
        0) \
    T(SEQUENCE, iot_specific_info, IOT_SPECIFIC_INFO, "IoTSpecificInfo", UNI(16), "SGP.32 5.9.2", 0) \
    T(SEQUENCE, euicc_info2, EUICC_INFO2, "EUICCInfo2", CTX(34), "SGP.32 5.9.2", 0) \
    T(SEQUENCE, ipa_capabilities, IPA_CAPABILITIES, "IpaCapabilities", UNI(16), "SGP.32 2.11.2.2", 0) \
    T(SEQUENCE, ipa_euicc_data, IPA_EUICC_DATA, "IpaEuiccData", UNI(16), "SGP.32 2.11.2.2", 0) \
    T(SEQUENCE, ipa_euicc_data_response_error, IPA_EUICC_DATA_RESPONSE_ERROR, "IpaEuiccDataResponseError", UNI(16), \
        "SGP.32 2.11.2.2", 0) \
    T(CHOICE, ipa_euicc_data_response, IPA_EUICC_DATA_RESPONSE, "IpaEuiccDataResponse", CTX(82), "SGP.32 2.11.2.2", \
        DER_BARE | DER_DOUBLE) \
    T(SEQUENCE, profile_download_error, PROFILE_DOWNLOAD_ERROR, "ProfileDownloadTriggerResult.profileDownloadError", \
        UNI(16), "SGP.32 2.11.2.3", 0) \
    T(CHOICE, profile_download_trigger_result_data, PROFILE_DOWNLOAD_TRIGGER_RESULT_DATA, \
        "ProfileDownloadTriggerResultData", UNTAGGED, "SGP.32 2.11.2.3", 0) \
    T(SEQUENCE, profile_download_trigger_result, PROFILE_DOWNLOAD_TRIGGER_RESULT, "ProfileDownloadTriggerResult", \
        CTX(84), "SGP.32 2.11.2.3", 0) \
    T(SEQUENCE, get_eim_package_request, GET_EIM_PACKAGE_REQUEST, "GetEimPackageRequest", CTX(79), "SGP.32 6.3.2.6", 0) \
    T(CHOICE, get_eim_package_response, GET_EIM_PACKAGE_RESPONSE, "GetEimPackageResponse", CTX(79), "SGP.32 6.3.2.6", 0) \
    T(SEQUENCE, epr_and_notifications, EPR_AND_NOTIFICATIONS, "EprAndNotifications", UNI(16), "SGP.32 6.3.2.7", 0) \
    T(SEQUENCE, eim_package_result_response_error, EIM_PACKAGE_RESULT_RESPONSE_ERROR, "EimPackageResultResponseError", \
        UNI(16), "SGP.32 6.3.2.7", DER_DOUBLE) \
    T(CHOICE, eim_package_result, EIM_PACKAGE_RESULT, "EimPackageResult", UNTAGGED, "SGP.32 6.3.2.7", 0) \
    T(SEQUENCE, provide_eim_package_result, PROVIDE_EIM_PACKAGE_RESULT, "ProvideEimPackageResult", CTX(80), \
        "SGP.32 6.3.2.7", 0) \
    T(CHOICE, provide_eim_package_result_response, PROVIDE_EIM_PACKAGE_RESULT_RESPONSE, \
        "ProvideEimPackageResultResponse", CTX(80), "SGP.32 6.3.2.7", DER_BARE) \
    T(CHOICE, transfer_eim_package_request, TRANSFER_EIM_PACKAGE_REQUEST, "TransferEimPackageRequest", CTX(78), \
        "SGP.32 6.3.2.5", 0) \
    T(CHOICE, transfer_eim_package_response, TRANSFER_EIM_PACKAGE_RESPONSE, "TransferEimPackageResponse", CTX(78), \
        "SGP.32 6.3.2.5", 0) \
    T(CHOICE, handle_notification_esipa, HANDLE_NOTIFICATION_ESIPA, "HandleNotificationEsipa", CTX(61), \
        "SGP.32 6.3.2.4", 0) \
    T(SEQUENCE, initiate_authentication_request_esipa, INITIATE_AUTHENTICATION_REQUEST_ESIPA, \
        "InitiateAuthenticationRequestEsipa", CTX(57), "SGP.32 6.3.2.1", 0) \
    T(SEQUENCE, initiate_authentication_ok_esipa, INITIATE_AUTHENTICATION_OK_ESIPA, "InitiateAuthenticationOkEsipa", \
        UNI(16), "SGP.32 6.3.2.1", 0) \
    T(CHOICE, initiate_authentication_response_esipa, INITIATE_AUTHENTICATION_RESPONSE_ESIPA, \
        "InitiateAuthenticationResponseEsipa", CTX(57), "SGP.32 6.3.2.1", 0) \
    T(SEQUENCE, euicc_signed1, EUICC_SIGNED1, "EuiccSigned1", UNI(16), "SGP.32 5.9.3", 0) \
    T(SEQUENCE, authenticate_response_ok, AUTHENTICATE_RESPONSE_OK, "AuthenticateResponseOk", UNI(16), "SGP.32 5.9.3", \
        0) \
    T(SEQUENCE, compact_euicc_signed1, COMPACT_EUICC_SIGNED1, "CompactEuiccSigned1", UNI(16), "SGP.32 6.3.2.2", 0) \
    T(CHOICE, authenticate_signed_data, AUTHENTICATE_SIGNED_DATA, "CompactAuthenticateResponseOk.signedData", UNTAGGED, \
        "SGP.32 6.3.2.2", 0) \
    T(SEQUENCE, compact_authenticate_response_ok, COMPACT_AUTHENTICATE_RESPONSE_OK, "CompactAuthenticateResponseOk", \
        UNI(16), "SGP.32 6.3.2.2", 0) \
    T(CHOICE, authenticate_server_response, AUTHENTICATE_SERVER_RESPONSE, "AuthenticateServerResponse", CTX(56), \
        "SGP.32 5.9.3", DER_DOUBLE) \
    T(SEQUENCE, authenticate_client_request_esipa, AUTHENTICATE_CLIENT_REQUEST_ESIPA, "AuthenticateClientRequestEsipa", \
        CTX(59), "SGP.32 6.3.2.2", 0) \
    T(SEQUENCE, authenticate_client_ok_dp_esipa, AUTHENTICATE_CLIENT_OK_DP_ESIPA, "AuthenticateClientOkDPEsipa", \
        UNI(16), "SGP.32 6.3.2.2", 0) \
    T(SEQUENCE, authenticate_client_ok_ds_esipa, AUTHENTICATE_CLIENT_OK_DS_ESIPA, "AuthenticateClientOkDSEsipa", \
        UNI(16), "SGP.32 6.3.2.2", 0) \
    T(CHOICE, authenticate_client_response_esipa, AUTHENTICATE_CLIENT_RESPONSE_ESIPA, "AuthenticateClientResponseEsipa", \
        CTX(59), "SGP.32 6.3.2.2", 0) \
    T(SEQUENCE, compact_euicc_signed2, COMPACT_EUICC_SIGNED2, "CompactEuiccSigned2", UNI(16), "SGP.32 6.3.2.3", 0) \
    T(SEQUENCE, compact_prepare_download_response_ok, COMPACT_PREPARE_DOWNLOAD_RESPONSE_OK, \
        "CompactPrepareDownloadResponseOk", UNI(16), "SGP.32 6.3.2.3", 0) \
    T(CHOICE, prepare_download_response, PREPARE_DOWNLOAD_RESPONSE, "PrepareDownloadResponse", CTX(33), \
        "SGP.32 6.3.2.3", DER_DOUBLE) \
    T(SEQUENCE, get_bound_profile_package_request_esipa, GET_BOUND_PROFILE_PACKAGE_REQUEST_ESIPA, \
        "GetBoundProfilePackageRequestEsipa", CTX(58), "SGP.32 6.3.2.3", 0) \
    T(SEQUENCE, get_bound_profile_package_ok_esipa, GET_BOUND_PROFILE_PACKAGE_OK_ESIPA, "GetBoundProfilePackageOkEsipa", \
        UNI(16), "SGP.32 6.3.2.3", 0) \
    T(CHOICE, get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_RESPONSE_ESIPA, \
        "GetBoundProfilePackageResponseEsipa", CTX(58), "SGP.32 6.3.2.3", 0) \
    T(SEQUENCE, compact_euicc_cancel_session_signed, COMPACT_EUICC_CANCEL_SESSION_SIGNED, \
        "CompactEuiccCancelSessionSigned", UNI(16), "SGP.32 6.3.2.8", 0) \
    T(SEQUENCE, compact_cancel_session_response_ok, COMPACT_CANCEL_SESSION_RESPONSE_OK, \
        "CompactCancelSessionResponseOk", UNI(16), "SGP.32 6.3.2.8", 0) \
    T(CHOICE, cancel_session_response, CANCEL_SESSION_RESPONSE, "CancelSessionResponse", CTX(65), "SGP.32 6.3.2.8", \
        DER_DOUBLE) \
    T(SEQUENCE, cancel_session_request_esipa, CANCEL_SESSION_REQUEST_ESIPA, "CancelSessionRequestEsipa", CTX(65), \
        "SGP.32 6.3.2.8", 0) \
    T(CHOICE, cancel_session_response_esipa, CANCEL_SESSION_RESPONSE_ESIPA, "CancelSessionResponseEsipa", CTX(65), \
        "SGP.32 6.3.2.8", 0) \
    T(CHOICE, esipa_from_ipa, ESIPA_FROM_IPA, "EsipaMessageFromIpaToEim", UNTAGGED, "SGP.32 6.3.1", 0) \
    T(CHOICE, esipa_from_eim, ESIPA_FROM_EIM, "EsipaMessageFromEimToIpa", UNTAGGED, "SGP.32 6.3.1", 0)

SGP32_TYPES(DER_DECLARE)

/* Tag lists (5C) as they are sent. Members of IpaEuiccData: 5A or BF2D in it is refused by production IPAs (2.6). */
#define SGP32_TAGLIST_EUICC_DATA     SLICE("\x81\xbf\x20\xbf\x22\x83\x84\xa5\xa6\xa8\xa9")
#define SGP32_TAGLIST_EUICC_DATA_ALL SLICE("\x81\xbf\x20\xbf\x22\x83\x84\xa5\xa6\xa8\xa9\xa0\xa2") /* and what it kept */
#define SGP32_TAGLIST_EUICC_RESULTS  SLICE("\xa2")                /* stored results only */
#define SGP32_TAGLIST_NOTIFICATIONS  SLICE("\xa0")                /* stored notifications only */
#define SGP32_TAGLIST_PROFILE_INFO   SLICE("\x5a\x4f\x9f\x70\x91\x92\x95\x9f\x7b\x9f\x26\x9f\x67")   /* the default,
    5.9.14 */
/* What peers of v1.0 want otherwise: the empty ProvideEimPackageResultResponse, and what stands before eimSignature where they sign over it. */
#define SGP32_V1_0_EMPTY_RESPONSE    SLICE("\xbf\x50\x00")
#define SGP32_V1_0_SIGNATURE_HEAD    SLICE("\x5f\x37\x40")
#define SGP32_TAGLIST_EID            SLICE("\x5a")                /* of GetEuiccData, ES10b */

/* sgp32_token_tlv -- the association token as it is appended to what is signed (2.11.1.1, 2.11.2.1): 84 LL and the
 * minimal INTEGER. Pass 0 where there is no token: it is never left out. The result lies in `out`. */
struct slice sgp32_token_tlv(int64_t token, uint8_t out[12]);

#endif
