/* es10b.h -- the SGP.32 functions between an IPA and its eUICC (5.9): what a software eUICC and IPA exchange.
 *
 * eimd itself needs only AddInitialEimRequest (the blob that a device maker loads). GetProfilesInfo, ListNotification,
 * GetEuiccChallenge and other functions taken over from SGP.22 are in sgp22.h. */
#ifndef ASN1_ES10B_H
#define ASN1_ES10B_H

#include "asn1/sgp32.h"

/* 5.9.4 AddInitialEim, BF57 */
#define ADD_INITIAL_EIM_REQUEST(X, S) \
    X(S, REQ, LIST(eim_configuration_data_list), eim_configuration_data_list, "eimConfigurationDataList", CTX(0), 0, \
        SGP32_EIMS)
#define ADD_OK(X, S) \
    X(S, REQ, INT, association_token, "associationToken", CTX(4), -1, INT64_MAX) \
    X(S, REQ, NULL, add_ok, "addOk", UNI(5), 0, 0)
#define ADD_OK_LIST(X, S) X(S, REQ, CHOICE(add_ok), v, "addInitialEimOk", UNTAGGED, 0, 0)
#define ADD_INITIAL_EIM_RESPONSE(X, S) \
    X(S, REQ, LIST(add_ok_list), add_initial_eim_ok, "addInitialEimOk", CTX(0), 0, SGP32_EIMS) \
    X(S, REQ, INT, add_initial_eim_error, "addInitialEimError", CTX(1), ANY_INT)

/* 5.9.18 GetEimConfigurationData, BF55 */
#define EIM_SEARCH(X, S) X(S, REQ, UTF8, eim_id, "eimId", CTX(0), EIM_ID)
#define GET_EIM_CONFIGURATION_DATA_REQUEST(X, S) \
    X(S, OPT, CHOICE(eim_search), search_criteria, "searchCriteria", CTX(0), 0, 0)
#define GET_EIM_CONFIGURATION_DATA_RESPONSE(X, S) \
    X(S, REQ, LIST(eim_configuration_data_list), eim_configuration_data_list, "eimConfigurationDataList", CTX(0), 0, \
        SGP32_EIMS)

/* 5.9.5 eUICCMemoryReset, BF64 */
#define EUICC_MEMORY_RESET_REQUEST(X, S) X(S, REQ, BITS, reset_options, "resetOptions", CTX(2), 0, 4)
#define EUICC_MEMORY_RESET_RESPONSE(X, S) \
    X(S, REQ, INT, reset_result, "resetResult", CTX(0), ANY_INT) \
    X(S, OPT, INT, reset_eim_result, "resetEimResult", CTX(1), ANY_INT) \
    X(S, OPT, INT, reset_immediate_enable_config_result, "resetImmediateEnableConfigResult", CTX(2), ANY_INT)

/* GetCerts, BF56 */
#define GET_CERTS_REQUEST(X, S) X(S, OPT, OCTETS, euicc_ci_pkid, "euiccCiPKId", CTX(0), 1, 64)
#define CERTS(X, S) \
    X(S, REQ, CERT, eum_certificate, "eumCertificate", CTX(5), 0, SGP22_CERT) \
    X(S, REQ, CERT, euicc_certificate, "euiccCertificate", CTX(6), 0, SGP22_CERT)
#define GET_CERTS_RESPONSE(X, S) \
    X(S, REQ, SEQ(certs), certs, "certs", CTX(0), 0, 0) \
    X(S, REQ, INT, get_certs_error, "getCertsError", CTX(1), ANY_INT)

/* 5.9.11 RetrieveNotificationsList, BF2B; removal is NotificationSent, BF30, which also removes a result */
#define STORED_SEARCH(X, S) \
    X(S, REQ, INT, seq_number, "seqNumber", CTX(0), NOT_NEG) \
    X(S, REQ, BITS, profile_management_operation, "profileManagementOperation", CTX(1), 0, 4) \
    X(S, REQ, NULL, euicc_package_results, "euiccPackageResults", CTX(2), 0, 0)
#define RETRIEVE_NOTIFICATIONS_LIST_REQUEST(X, S) \
    X(S, OPT, CHOICE(stored_search), search_criteria, "searchCriteria", CTX(0), 0, 0)
#define RETRIEVE_NOTIFICATIONS_LIST_RESPONSE(X, S) \
    X(S, REQ, LIST(pending_notification_list), notification_list, "notificationList", CTX(0), 0, SGP32_NOTIFICATIONS) \
    X(S, REQ, INT, notifications_list_result_error, "notificationsListResultError", CTX(1), ANY_INT) \
    X(S, REQ, LIST(euicc_package_result_list), euicc_package_result_list, "euiccPackageResultList", CTX(2), 0, \
        SGP32_RESULTS)

/* Functions whose request is a refreshFlag (also seen as universal BOOLEAN, spec 6.12) and whose answer is a number */
#define REFRESH_REQUEST(X, S)           X(S, ALT(UNI(1)), BOOL, refresh_flag, "refreshFlag", CTX(0), 0, 1)
#define IMMEDIATE_ENABLE_RESPONSE(X, S) X(S, REQ, INT, immediate_enable_result, "immediateEnableResult", CTX(0), ANY_INT)
#define PROFILE_ROLLBACK_RESPONSE(X, S) \
    X(S, REQ, INT, cmd_result, "cmdResult", UNI(2), ANY_INT) \
    X(S, OPT, CHOICE(euicc_package_result), euicc_package_result, "eUICCPackageResult", CTX(81), 0, 0)
#define CONFIGURE_IMMEDIATE_PROFILE_ENABLING_RESPONSE(X, S) \
    X(S, REQ, INT, config_immediate_enable_result, "configImmediateEnableResult", CTX(0), ANY_INT)
#define EXECUTE_FALLBACK_RESPONSE(X, S) \
    X(S, REQ, INT, execute_fallback_mechanism_result, "executeFallbackMechanismResult", CTX(0), ANY_INT)
#define RETURN_FROM_FALLBACK_RESPONSE(X, S) \
    X(S, REQ, INT, return_from_fallback_result, "returnFromFallbackResult", CTX(0), ANY_INT)
#define ENABLE_EMERGENCY_PROFILE_RESPONSE(X, S) \
    X(S, REQ, INT, enable_emergency_profile_result, "enableEmergencyProfileResult", CTX(0), ANY_INT)
#define DISABLE_EMERGENCY_PROFILE_RESPONSE(X, S) \
    X(S, REQ, INT, disable_emergency_profile_result, "disableEmergencyProfileResult", CTX(0), ANY_INT)

/* 5.9.24 GetConnectivityParameters, BF5F */
#define CONNECTIVITY_PARAMETERS(X, S) X(S, OPT, OCTETS, http_params, "httpParams", CTX(1), 0, SGP22_BLOB)
#define GET_CONNECTIVITY_PARAMETERS_RESPONSE(X, S) \
    X(S, REQ, SEQ(connectivity_parameters), connectivity_parameters, "connectivityParameters", CTX(0), 0, 0) \
    X(S, REQ, INT, connectivity_parameters_error, "connectivityParametersError", CTX(1), ANY_INT)

/* IPAe activation, BF42, and the FCI template E1 */
#define IPAE_ACTIVATION_REQUEST(X, S)  X(S, REQ, BITS, ipae_option, "ipaeOption", CTX(0), 0, 4)
#define IPAE_ACTIVATION_RESPONSE(X, S) X(S, REQ, INT, ipae_activation_result, "ipaeActivationResult", CTX(0), ANY_INT)
#define ISDR_TEMPLATE_IOT(X, S)        X(S, REQ, BITS, euicc_configuration, "euiccConfiguration", CTX(0), 0, 4)

#define ES10B_TYPES(T) \
    T(SEQUENCE, add_initial_eim_request, ADD_INITIAL_EIM_REQUEST, "AddInitialEimRequest", CTX(87), "SGP.32 5.9.4", 0) \
    T(CHOICE, add_ok, ADD_OK, "AddInitialEimResponse.addInitialEimOk", UNTAGGED, "SGP.32 5.9.4", 0) \
    T(LIST, add_ok_list, ADD_OK_LIST, "AddInitialEimOkList", UNI(16), "SGP.32 5.9.4", 0) \
    T(CHOICE, add_initial_eim_response, ADD_INITIAL_EIM_RESPONSE, "AddInitialEimResponse", CTX(87), "SGP.32 5.9.4", 0) \
    T(CHOICE, eim_search, EIM_SEARCH, "GetEimConfigurationDataRequest.searchCriteria", UNTAGGED, "SGP.32 5.9.18", 0) \
    T(SEQUENCE, get_eim_configuration_data_request, GET_EIM_CONFIGURATION_DATA_REQUEST, \
        "GetEimConfigurationDataRequest", CTX(85), "SGP.32 5.9.18", 0) \
    T(SEQUENCE, get_eim_configuration_data_response, GET_EIM_CONFIGURATION_DATA_RESPONSE, \
        "GetEimConfigurationDataResponse", CTX(85), "SGP.32 5.9.18", 0) \
    T(SEQUENCE, euicc_memory_reset_request, EUICC_MEMORY_RESET_REQUEST, "EuiccMemoryResetRequest", CTX(100), \
        "SGP.32 5.9.5", 0) \
    T(SEQUENCE, euicc_memory_reset_response, EUICC_MEMORY_RESET_RESPONSE, "EuiccMemoryResetResponse", CTX(100), \
        "SGP.32 5.9.5", 0) \
    T(SEQUENCE, get_certs_request, GET_CERTS_REQUEST, "GetCertsRequest", CTX(86), "SGP.32 5.9.10", 0) \
    T(SEQUENCE, certs, CERTS, "GetCertsResponse.certs", UNI(16), "SGP.32 5.9.10", 0) \
    T(CHOICE, get_certs_response, GET_CERTS_RESPONSE, "GetCertsResponse", CTX(86), "SGP.32 5.9.10", 0) \
    T(CHOICE, stored_search, STORED_SEARCH, "RetrieveNotificationsListRequest.searchCriteria", UNTAGGED, \
        "SGP.32 5.9.11", 0) \
    T(SEQUENCE, retrieve_notifications_list_request, RETRIEVE_NOTIFICATIONS_LIST_REQUEST, \
        "RetrieveNotificationsListRequest", CTX(43), "SGP.32 5.9.11", 0) \
    T(CHOICE, retrieve_notifications_list_response, RETRIEVE_NOTIFICATIONS_LIST_RESPONSE, \
        "RetrieveNotificationsListResponse", CTX(43), "SGP.32 5.9.11", 0) \
    T(SEQUENCE, immediate_enable_request, REFRESH_REQUEST, "ImmediateEnableRequest", CTX(90), "SGP.32 5.9.15", 0) \
    T(SEQUENCE, immediate_enable_response, IMMEDIATE_ENABLE_RESPONSE, "ImmediateEnableResponse", CTX(90), \
        "SGP.32 5.9.15", 0) \
    T(SEQUENCE, profile_rollback_request, REFRESH_REQUEST, "ProfileRollbackRequest", CTX(88), "SGP.32 5.9.16", 0) \
    T(SEQUENCE, profile_rollback_response, PROFILE_ROLLBACK_RESPONSE, "ProfileRollbackResponse", CTX(88), \
        "SGP.32 5.9.16", 0) \
    T(SEQUENCE, configure_immediate_profile_enabling_response, CONFIGURE_IMMEDIATE_PROFILE_ENABLING_RESPONSE, \
        "ConfigureImmediateProfileEnablingResponse", CTX(89), "SGP.32 5.9.17", 0) \
    T(SEQUENCE, execute_fallback_request, REFRESH_REQUEST, "ExecuteFallbackMechanismRequest", CTX(93), "SGP.32 5.9.20", \
        0) \
    T(SEQUENCE, execute_fallback_response, EXECUTE_FALLBACK_RESPONSE, "ExecuteFallbackMechanismResponse", CTX(93), \
        "SGP.32 5.9.20", 0) \
    T(SEQUENCE, return_from_fallback_request, REFRESH_REQUEST, "ReturnFromFallbackRequest", CTX(94), "SGP.32 5.9.21", 0) \
    T(SEQUENCE, return_from_fallback_response, RETURN_FROM_FALLBACK_RESPONSE, "ReturnFromFallbackResponse", CTX(94), \
        "SGP.32 5.9.21", 0) \
    T(SEQUENCE, enable_emergency_profile_request, REFRESH_REQUEST, "EnableEmergencyProfileRequest", CTX(91), \
        "SGP.32 5.9.22", 0) \
    T(SEQUENCE, enable_emergency_profile_response, ENABLE_EMERGENCY_PROFILE_RESPONSE, "EnableEmergencyProfileResponse", \
        CTX(91), "SGP.32 5.9.22", 0) \
    T(SEQUENCE, disable_emergency_profile_request, REFRESH_REQUEST, "DisableEmergencyProfileRequest", CTX(92), \
        "SGP.32 5.9.23", 0) \
    T(SEQUENCE, disable_emergency_profile_response, DISABLE_EMERGENCY_PROFILE_RESPONSE, \
        "DisableEmergencyProfileResponse", CTX(92), "SGP.32 5.9.23", 0) \
    T(EMPTY, get_connectivity_parameters_request, EMPTY_SEQUENCE, "GetConnectivityParametersRequest", CTX(95), \
        "SGP.32 5.9.24", 0) \
    T(SEQUENCE, connectivity_parameters, CONNECTIVITY_PARAMETERS, "ConnectivityParameters", UNI(16), "SGP.32 5.9.24", 0) \
    T(CHOICE, get_connectivity_parameters_response, GET_CONNECTIVITY_PARAMETERS_RESPONSE, \
        "GetConnectivityParametersResponse", CTX(95), "SGP.32 5.9.24", 0) \
    T(SEQUENCE, ipae_activation_request, IPAE_ACTIVATION_REQUEST, "IpaeActivationRequest", CTX(66), "SGP.32 5.9", 0) \
    T(SEQUENCE, ipae_activation_response, IPAE_ACTIVATION_RESPONSE, "IpaeActivationResponse", CTX(66), "SGP.32 5.9", 0) \
    T(SEQUENCE, isdr_template_iot, ISDR_TEMPLATE_IOT, "ISDRProprietaryApplicationTemplateIoT", PRIV(1), "SGP.32 5.9.1", 0)

ES10B_TYPES(DER_DECLARE)

#endif
