/* refusal.c -- SGP.22's subject and reason codes beside SGP.32's error codes: the one table, read in both directions. */
#include "eim/refusal.h"

#include "asn1/sgp32.h"

#include <string.h>

static const struct refusal rows[] = {
#define ROW(answer, code, subject, reason) { esipa_from_eim_is_##answer, code, subject, reason },
    ROW(initiate_authentication_response_esipa, INITIATE_AUTHENTICATION_ERROR_INVALID_DP_ADDRESS, "8.8.1", "3.8")
    ROW(initiate_authentication_response_esipa, INITIATE_AUTHENTICATION_ERROR_EUICC_VERSION_NOT_SUPPORTED_BY_DP, "8.8.3", "3.1")
    ROW(initiate_authentication_response_esipa, INITIATE_AUTHENTICATION_ERROR_CI_PK_ID_NOT_SUPPORTED, "8.8.2", "3.1")
    ROW(initiate_authentication_response_esipa, INITIATE_AUTHENTICATION_ERROR_CI_PK_ID_NOT_SUPPORTED, "8.8.4", "3.7")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_EUM_CERTIFICATE_INVALID, "8.1.2", "6.1")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_EUM_CERTIFICATE_EXPIRED, "8.1.2", "6.3")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_EUICC_CERTIFICATE_INVALID, "8.1.3", "6.1")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_EUICC_CERTIFICATE_EXPIRED, "8.1.3", "6.3")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_EUICC_SIGNATURE_INVALID, "8.1", "6.1")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_MATCHING_ID_REFUSED, "8.2.6", "3.8")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_EID_MISMATCH, "8.1.1", "3.8")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_NO_ELIGIBLE_PROFILE, "8.2.5", "4.3")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_NO_ELIGIBLE_PROFILE, "8.2", "1.2")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_CI_PK_UNKNOWN, "8.11.1", "3.9")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_INVALID_TRANSACTION_ID, "8.10.1", "3.9")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_INSUFFICIENT_MEMORY, "8.1", "4.8")
    ROW(authenticate_client_response_esipa, AUTHENTICATE_CLIENT_ERROR_EVENT_ID_UNKNOWN, "8.9.5", "3.9")
    ROW(get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_ERROR_EUICC_SIGNATURE_INVALID, "8.1", "6.1")
    ROW(get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_ERROR_CONFIRMATION_CODE_MISSING, "8.2.7", "2.2")
    ROW(get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_ERROR_CONFIRMATION_CODE_REFUSED, "8.2.7", "3.8")
    ROW(get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_ERROR_CONFIRMATION_CODE_RETRIES_EXCEEDED, "8.2.7", "6.4")
    ROW(get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_ERROR_BPP_REBINDING_REFUSED, "8.2", "3.7")
    ROW(get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_ERROR_DOWNLOAD_ORDER_EXPIRED, "8.8.5", "4.10")
    ROW(get_bound_profile_package_response_esipa, GET_BOUND_PROFILE_PACKAGE_ERROR_INVALID_TRANSACTION_ID, "8.10.1", "3.9")
    ROW(cancel_session_response_esipa, CANCEL_SESSION_ERROR_INVALID_TRANSACTION_ID, "8.10.1", "3.9")
    ROW(cancel_session_response_esipa, CANCEL_SESSION_ERROR_EUICC_SIGNATURE_INVALID, "8.1", "6.1")
    ROW(provide_eim_package_result_response, PROVIDE_EIM_PACKAGE_RESULT_ERROR_EID_NOT_FOUND, "8.1.1", "3.9")
    ROW(provide_eim_package_result_response, PROVIDE_EIM_PACKAGE_RESULT_ERROR_INVALID_EID, "8.1.1", "2.1")
    ROW(provide_eim_package_result_response, PROVIDE_EIM_PACKAGE_RESULT_ERROR_MISSING_EID, "8.1.1", "2.2")
#undef ROW
};
enum { ROWS = sizeof rows / sizeof rows[0] };

const struct refusal *refusal_of_code(uint32_t answer, int64_t code)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].answer == answer && rows[i].code == code) return &rows[i];
    return NULL;
}

const struct refusal *refusal_of_reason(uint32_t answer, const char *subject, const char *reason)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].answer == answer && !strcmp(rows[i].subject, subject) && !strcmp(rows[i].reason, reason)) return &rows[i];
    return NULL;
}
