/* test_worked.c -- worked bytes: each message written out by hand from the specification (spec/sgp32.md A.1), with the
 * value it has and the bytes it must become again. They catch what an engine that agrees with itself would not. */
#include "test/unit/der_rig.h"

#define EID  "\"eidValue\":\"89044045118427484800000000011628\""
#define TX   "\"eimTransactionId\":\"00112233445566778899aabbccddeeff\""
#define ICC  "\"iccid\":\"989444999999990920f3\""
#define IN_BF4F(inner) "{\"getEimPackageResponse\":" inner "}"
#define TRIGGER(inner) IN_BF4F("{\"profileDownloadTriggerRequest\":{" inner TX "}}")
#define IN_BF50(inner) "{\"provideEimPackageResult\":{" EID ",\"eimPackageResult\":" inner "}}"

static const struct { const struct der_type *type; const char *hex, *json; } worked[] = {
    { &esipa_from_ipa_type, "BF4F125A1089044045118427484800000000011628", "{\"getEimPackageRequest\":{" EID "}}" },
    { &esipa_from_ipa_type, "BF4F175A10890440451184274848000000000116288000810106",
      "{\"getEimPackageRequest\":{" EID ",\"notifyStateChange\":null,\"stateChangeCause\":6}}" },
    { &esipa_from_eim_type, "BF4F03020101", IN_BF4F("{\"eimPackageError\":1}") },
    { &esipa_from_eim_type,
      "BF4F33BF5430A01C801A3124736D64702E6578616D706C652E636F6D244142432D313233821000112233445566778899AABBCCDDEEFF",
      TRIGGER("\"profileDownloadData\":{\"activationCode\":\"1$smdp.example.com$ABC-123\"},") },
    { &esipa_from_eim_type, "BF4F19BF5416A0028100821000112233445566778899AABBCCDDEEFF",
      TRIGGER("\"profileDownloadData\":{\"contactDefaultSmdp\":null},") },
    { &esipa_from_eim_type, "BF4F2ABF5427A013A211800F6C70612E64732E67736D612E636F6D821000112233445566778899AABBCCDDEEFF",
      TRIGGER("\"profileDownloadData\":{\"contactSmds\":{\"smdsAddress\":\"lpa.ds.gsma.com\"}},") },
    { &esipa_from_eim_type, "BF4F15BF5412821000112233445566778899AABBCCDDEEFF", TRIGGER("") },
    { &esipa_from_eim_type, "BF4F22BF521F5C0B81BF20BF228384A5A6A8A9831000112233445566778899AABBCCDDEEFF",
      IN_BF4F("{\"ipaEuiccDataRequest\":{\"tagList\":\"81bf20bf228384a5a6a8a9\"," TX "}}") },
    { &esipa_from_eim_type, "BF5006BF5303800114",
      "{\"provideEimPackageResultResponse\":{\"eimAcknowledgements\":[20]}}" },
    { &esipa_from_eim_type, "BF500DBF530A800114800115800200C8",
      "{\"provideEimPackageResultResponse\":{\"eimAcknowledgements\":[20,21,200]}}" },
    { &esipa_from_eim_type, "BF50023000", "{\"provideEimPackageResultResponse\":{\"emptyResponse\":{}}}" },
    { &esipa_from_eim_type, "BF5003020102",
      "{\"provideEimPackageResultResponse\":{\"provideEimPackageResultError\":2}}" },
    { &esipa_from_ipa_type, "BF50295A1089044045118427484800000000011628A015801000112233445566778899AABBCCDDEEFF020101",
      IN_BF50("{\"eimPackageResultResponseError\":{" TX ",\"eimPackageResultErrorCode\":1}}") },
    { &esipa_from_ipa_type,
      "BF502C5A1089044045118427484800000000011628BF5417821000112233445566778899AABBCCDDEEFF300380017F",
      IN_BF50("{\"profileDownloadTriggerResult\":{" TX
              ",\"profileDownloadTriggerResultData\":{\"profileDownloadError\":{\"profileDownloadErrorReason\":127}}}}") },
    { &psmo_type, "A30C5A0A989444999999990920F3", "{\"enable\":{" ICC "}}" },
    { &psmo_type, "A30E5A0A989444999999990920F30500", "{\"enable\":{" ICC ",\"rollbackFlag\":null}}" },
    { &psmo_type, "A40C5A0A989444999999990920F3", "{\"disable\":{" ICC "}}" },
    { &psmo_type, "A50C5A0A989444999999990920F3", "{\"delete\":{" ICC "}}" },
    { &psmo_type, "BF2D00", "{\"listProfileInfo\":{}}" },
    { &psmo_type, "BF2D0F5C0D5A4F9F709192959F7B9F269F67",
      "{\"listProfileInfo\":{\"tagList\":\"5a4f9f709192959f7b9f269f67\"}}" },
    { &psmo_type, "BF2D11A00C5A0A989444999999990920F35C0192",
      "{\"listProfileInfo\":{\"searchCriteria\":{" ICC "},\"tagList\":\"92\"}}" },
    { &psmo_type, "A600", "{\"getRAT\":{}}" },
    { &psmo_type, "A71E800081082B0601040181F8038210736D64702E6578616D706C652E636F6D",
      "{\"configureImmediateEnable\":{\"immediateEnableFlag\":null,\"defaultSmdpOid\":\"1.3.6.1.4.1.31747\","
      "\"defaultSmdpAddress\":\"smdp.example.com\"}}" },
    { &psmo_type, "A80C5A0A989444999999990920F3", "{\"setFallbackAttribute\":{" ICC "}}" },
    { &psmo_type, "A900", "{\"unsetFallbackAttribute\":{}}" },
    { &psmo_type, "BF65128010736D64702E6578616D706C652E636F6D",
      "{\"setDefaultDpAddress\":{\"defaultDpAddress\":\"smdp.example.com\"}}" },
    { &eco_type, "A906800465696D32", "{\"deleteEim\":{\"eimId\":\"eim2\"}}" },
    { &eco_type, "AB00", "{\"listEim\":{}}" },
    { &eim_configuration_data_type, "3007 800165 87020780",
      "{\"eimId\":\"e\",\"eimSupportedProtocol\":{\"bits\":\"80\",\"count\":1}}" },
    { &eim_configuration_data_type, "3007 800165 870205A0",
      "{\"eimId\":\"e\",\"eimSupportedProtocol\":{\"bits\":\"a0\",\"count\":3}}" },
    { &eim_configuration_data_type, "3008 800165 8401FF 8900",
      "{\"eimId\":\"e\",\"associationToken\":-1,\"indirectProfileDownload\":null}" },
    { &ipa_euicc_data_type, "300A A808800206C081020780",
      "{\"ipaCapabilities\":{\"ipaFeatures\":{\"bits\":\"c0\",\"count\":2},"
      "\"ipaSupportedProtocols\":{\"bits\":\"80\",\"count\":1}}}" },
    /* results, spec 2.3, and ES10b, spec 2.14 */
    { &euicc_result_data_type, "830114", "{\"enableResult\":20}" },
    { &euicc_result_data_type, "A803840105", "{\"addEimResult\":{\"associationToken\":5}}" },
    { &euicc_result_data_type, "A803020102", "{\"addEimResult\":{\"addEimResultCode\":2}}" },
    { &euicc_result_data_type, "8C0100", "{\"rollbackResult\":0}" },
    { &euicc_result_data_type, "8D0103", "{\"setFallbackAttributeResult\":3}" },
    { &euicc_result_data_type, "8E0102", "{\"unsetFallbackAttributeResult\":2}" },
    { &euicc_result_data_type, "BF6503800100", "{\"setDefaultDpAddressResult\":{\"setDefaultDpAddressResult\":0}}" },
    { &euicc_result_data_type, "AB0AA0083006 800165 820102",
      "{\"listEimResult\":{\"eimIdList\":[{\"eimId\":\"e\",\"eimIdType\":2}]}}" },
    { &euicc_result_data_type, "BF2D18A016E314 5A0A989444999999990920F3 9F700101 9F2601FF",
      "{\"listProfileInfoResult\":{\"profileInfoListOk\":[{" ICC ",\"profileState\":1,\"fallbackAttribute\":true}]}}" },
    { &add_initial_eim_response_type, "BF5707A005840101 0500",
      "{\"addInitialEimOk\":[{\"associationToken\":1},{\"addOk\":null}]}" },
    { &add_initial_eim_request_type, "BF570AA0083006 800165 830100",
      "{\"eimConfigurationDataList\":[{\"eimId\":\"e\",\"counterValue\":0}]}" },
    { &euicc_memory_reset_request_type, "BF6404 82020204", "{\"resetOptions\":{\"bits\":\"04\",\"count\":6}}" },
    { &euicc_memory_reset_response_type, "BF6406 800101 810100", "{\"resetResult\":1,\"resetEimResult\":0}" },
    { &retrieve_notifications_list_request_type, "BF2B05A003800114", "{\"searchCriteria\":{\"seqNumber\":20}}" },
    { &retrieve_notifications_list_request_type, "BF2B04A0028200",
      "{\"searchCriteria\":{\"euiccPackageResults\":null}}" },
    { &retrieve_notifications_list_request_type, "BF2B00", "{}" },
    { &retrieve_notifications_list_response_type, "BF2B02A000", "{\"notificationList\":[]}" },
    { &retrieve_notifications_list_response_type, "BF2B0DA20BBF5108A206800165840105",
      "{\"euiccPackageResultList\":[{\"euiccPackageErrorUnsigned\":{\"eimId\":\"e\",\"associationToken\":5}}]}" },
    { &notification_sent_request_type, "BF3003800114", "{\"seqNumber\":20}" },
    { &notification_sent_response_type, "BF3003800101", "{\"deleteNotificationStatus\":1}" },
    { &profile_rollback_request_type, "BF58038001FF", "{\"refreshFlag\":true}" },
    { &profile_rollback_response_type, "BF580E020100BF5108A206800165840105",
      "{\"cmdResult\":0,\"eUICCPackageResult\":{\"euiccPackageErrorUnsigned\":{\"eimId\":\"e\",\"associationToken\":5}}}" },
    { &get_eim_configuration_data_request_type, "BF5505A003800165", "{\"searchCriteria\":{\"eimId\":\"e\"}}" },
    { &get_certs_request_type, "BF5606800411223344", "{\"euiccCiPKId\":\"11223344\"}" },
    { &get_certs_response_type, "BF5616A014 A5083000300003020780 A6083000300003020780",
      "{\"certs\":{\"eumCertificate\":\"30083000300003020780\",\"euiccCertificate\":\"30083000300003020780\"}}" },
    { &get_euicc_data_request_type, "BF3E035C015A", "{\"tagList\":\"5a\"}" },
    { &get_euicc_data_response_type, "BF3E125A1089044045118427484800000000011628", "{" EID "}" },
    { &get_connectivity_parameters_response_type, "BF5F03810101", "{\"connectivityParametersError\":1}" },
    { &isdr_template_iot_type, "E10480020640", "{\"euiccConfiguration\":{\"bits\":\"40\",\"count\":2}}" },
    { &profile_info_list_request_type, "BF2D05A003950102", "{\"searchCriteria\":{\"profileClass\":2}}" },
};

static void worked_bytes_have_their_value_and_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof worked / sizeof worked[0]; i++) {
        print_message("# %s\n", worked[i].hex);
        reads_as(worked[i].type, worked[i].hex, worked[i].json, NULL);
    }
}

static void tag_lists_are_those_of_the_worked_bytes(void **state)
{
    (void)state;
    assert_hex(SGP32_TAGLIST_EUICC_DATA, "81BF20BF228384A5A6A8A9");
    assert_hex(SGP32_TAGLIST_PROFILE_INFO, "5A4F9F709192959F7B9F269F67");
    assert_hex(SGP32_TAGLIST_EID, "5A");
}

static void association_tokens_are_those_of_the_worked_bytes(void **state)
{
    (void)state;
    uint8_t mem[12];
    assert_hex(sgp32_token_tlv(127, mem), "84017F");
    assert_hex(sgp32_token_tlv(128, mem), "84020080");
    assert_hex(sgp32_token_tlv(300, mem), "8402012C");
    assert_hex(sgp32_token_tlv(-1, mem), "8401FF");
    assert_hex(sgp32_token_tlv(0, mem), "840100");          /* no token: never left out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(worked_bytes_have_their_value_and_come_back),
        T(tag_lists_are_those_of_the_worked_bytes),
        T(association_tokens_are_those_of_the_worked_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
