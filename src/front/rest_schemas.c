/* rest_schemas.c -- the forms of what the API takes and gives, by the names that the route table uses. The notation: schema.h.
 *
 * A row that is `sent` is held against every body before its handler sees it; the others are promises, which test_rest.c holds
 * against the answers. */
#include "front/rest_int.h"

static const struct schema rows[] = {
    { "Health", "{status: \"ok\"|\"ready\"}", "the server's health", false },
    { "Count", "{selected: int(0..), others: int(0..), undecided: int(0..)}", "devices for which an expression is true, is not, "
      "or ends in an error", false },

    /* ---- devices ---- */
    { "Enrolment", "{eid: eid, labels?: {*: string}, public_key?: text, eum_certificate?: text, euicc_certificate?: text, "
      "association_token?: int(0..), "
      "counter?: int(0..), imei?: text, ...}", "a device to be enrolled; as CSV the same members are columns, and label.NAME", true },
    { "Enrolled", "{eid: eid, result: \"enrolled\"}", "one device was enrolled", false },
    { "ImportReport", "{enrolled: int, existing: int, refused: int, lines: [{line: int, eid?: string, result: \"existing\"|\"refused\", "
      "code?: text, field?: text, "
      "reason?: text, clause?: text}]}", "every line that was not newly enrolled", false },
    { "DeviceChange", "{injection?: {address: text, binding?: \"asn1\"|\"json\", trust?: text}|null, "
      "quirks?: any}", "how a device is reached (null: not at all), and its quirks", true },
    { "Device", "{eid: eid, verification: \"ci\"|\"pinned\"|\"unverified\", association: {counter: int, token: int?}, signing_key: string?, "
      "labels: {*: string}, "
      "enabled_profile: {iccid: iccid?, as_of: time?, provenance: text, evidence: id?}?, inventory: {as_of: time?, stale: bool, evidence: id?}, "
      "last_seen: time?, first_contact: time?, enrolled_at: time?, network: {plmn: text, as_of: time?, provenance: text}?, "
      "state_change: {cause: int?, name: string?, as_of: time?, provenance: text}?, queue: {in_flight: id?, next: id?, unsettled: id?, "
      "wants: [text]}, "
      "quarantined_at: time?, profiles?: [Profile], eims?: {as_of: time?, evidence: id?, items: [CardEim]}, "
      "quarantine?: {since: time?, by: string, reason: string}?, euicc?: {eum: string?, firmware: string?, profile_version: string?, ipa_mode: int?, "
      "as_of: time?, provenance: text}?, reported?: {as_of: time?, provenance: text, eum_certificate: base64?, euicc_certificate: base64?, "
      "ipa_euicc_data: base64?}?, hints?: [{received_at: time?, kind: string, why: string, raw: base64?}], notifications?: {verified: int, "
      "kept: int}, "
      "injection?: {address: text, binding: \"asn1\"|\"json\", trust: string?, next_try_at: time?, failures: int, tried_at: time?, "
      "reached_at: time?, why: string?}?, "
      "rules_authorisation_table?: {as_of: time, provenance: text, evidence: id?, rules: [{policy_rules: [text], operators: [text], "
      "consent_required: bool}]}?, "
      "quirks?: [text]}", "a device; the members from `profiles` on stand only in the answer about one device", false },
    { "Profile", "{iccid: iccid?, state: \"enabled\"|\"disabled\"|\"unknown\", name: string?, provider: string?, nickname: string?, aid: hex?, "
      "class: text, "
      "fallback: bool, fallback_allowed: bool, ecall: bool, policy_rules: [text], as_of: time?, provenance: text, "
      "evidence: id?}", "a profile on a card", false },
    { "CardEim", "{eim_id: string, eim_id_type: int?, association_token: int?, as_of: time?, provenance: text, evidence: id?, "
      "control_shown_at: time?}",
      "an eIM that controls a card", false },
    { "QuarantineOrder", "{where: text, reason: text, lift?: bool, dry_run?: bool}", "devices to be quarantined, or let out", true },
    { "QuarantineReport", "{selected: int, changed: int, next: string?}", "", false },
    { "RotationOrder", "{where: text, what: \"signing_key\"|\"tls_trust\", "
      "dry_run?: bool}", "devices that are to get the present key or trust", true },
    { "RotationReport", "{selected: int, steps: {*: int}, next: string?}", "", false },
    { "SigningKeyClaim", "{signing_key: text, reason: text}", "a person's word on which key of ours a card has", true },
    { "HandoverOrder", "{where: text, to: {*: any}, dry_run?: bool}", "devices to be given to another eIM; `to`: the members of addEim", true },
    { "HandoverReport", "{selected: int, steps: {*: int}, next: string?}", "", false },
    { "ControlClaim", "{eim_id: text, result?: text, association_token?: int(0..), "
      "reason?: text}", "what shows that another eIM controls the card", true },
    { "InteropReport", "{items: [{maker: text, kind: text, message: text, clause: text, meaning: text, count: int, first_at: time?, "
      "last_at: time?, eid: eid?, "
      "offset: int?, octets: hex?}], dropped: int}", "deviations from the specification, by maker", false },
    { "Quirks", "{known: [{name: text, clause: text, deviation: text, remedy: text, learned: bool}], rules: [QuirkRule]}", "", false },
    { "QuirkRule", "{id: id, maker: string?, firmware: string?, ipa: string?, quirks: [text], note: string?, created_at: time?, "
      "created_by: text}", "", false },
    { "QuirkRuleOrder", "{maker?: string?, firmware?: string?, ipa?: string?, quirks: [text], "
      "note?: string?}", "devices of this kind have these quirks", true },
    { "Evidence", "{eid: eid, verification: text, curve: int, key: base64?, eum_certificate: base64?, euicc_certificate: base64?, changed_at: time?, "
      "inventory: {operation: id?, asked_at: time?, result_at: time?, tokens: [int], package: base64?, result: base64?}?}",
      "exact bytes that prove a device's profiles (doc/evidence.md)", false },

    /* ---- operations ---- */
    { "Order", "{psmos?: [{*: any}], ecos?: [{*: any}], download?: {*: any}, requires?: {*: any}, expires_at?: time, override?: [text]}",
      "one of psmos, ecos and download (doc/api.md, Order)", true },
    { "Operation", "{id: id, eid: eid, "
      "state: \"pending\"|\"sent\"|\"unknown_outcome\"|\"done\"|\"failed\"|\"rolled_back\"|\"cancelled\"|\"expired\", final: bool, "
      "kind: \"package\"|\"download\", origin: text, created_at: time?, created_by: string, expires_at: time?, override: [text], counter: int?, "
      "transaction_id: hex?, deliveries: int, first_sent_at: time?, last_sent_at: time?, result_at: time?, sequence: int?, code: int?, "
      "reason: string?, "
      "settles: id?, steps: [{*: any}]?, package: {bytes: int}?, result: {bytes: int}?}", "a package or a download, from order to outcome", false },
    { "Notification", "{id: id, eid: eid, state: \"waiting\"|\"held\"|\"failed\"|\"forwarded\"|\"dropped\", sequence: int, events: [text], "
      "iccid: iccid?, "
      "address: string?, received_at: time?, tries: int, next_try_at: time?, ended_at: time?, "
      "why: string?}", "a notification on its way to an SM-DP+", false },

    /* ---- profiles and where they come from ---- */
    { "SmdpAccountOrder", "{name: text, address: text, operator?: string?, oid?: string?, trust?: string?, es2_url?: string?, "
      "es2_credential?: string?, es2_release?: bool, es2_peer?: string?, "
      "function_requester?: string?, x_admin_protocol?: string?, connect_timeout_ms?: int, total_timeout_ms?: int, max_parallel?: int, "
      "enabled?: bool}",
      "what is left out has its default", true },
    { "SmdpAccount", "{id: id, name: text, address: text, operator: string?, oid: string?, trust: string?, es2_url: string?, "
      "es2_credential: string?, es2_release: bool, es2_peer: string?, "
      "function_requester: string?, x_admin_protocol: string?, connect_timeout_ms: int, total_timeout_ms: int, max_parallel: int, enabled: bool, "
      "changed_at: time?}", "a server that may be connected to", false },
    { "ProfileOrderOrder", "{eid: eid, operator: text, profile_type: text, confirmation_code?: text}", "", true },
    { "ProfileOrder", "{id: id, eid: eid, operator: text, profile_type: text, state: text, cause: string?, by: \"pool\"|\"es2plus\", "
      "smdp_account: id?, "
      "iccid: string?, smdp_notified: {point: int, status: text, elsewhere: bool, at: time}?, operation: id?, download?: text, "
      "created_at: time?, changed_at: time?}", "a profile of an operator for a device", false },
    { "CodePoolOrder", "{name: text, operator: text, profile_type: text, smdp: text, warn_below?: int(0..)}", "", true },
    { "CodePool", "{id: id, name: text, operator: text, profile_type: text, smdp: text, warn_below: int, low: bool, codes: {*: int}, "
      "changed_at: time?}",
      "a pool of activation codes; `codes`: how many in each state", false },
    { "Codes", "{codes: [any 1..]}", "activation codes; those that are wrong are refused alone", true },
    { "FillReport", "{added: int, refused: [{line: int, code: text, detail: string}]}", "", false },
    { "ActivationCode", "{id: id, state: text, operation: id?, changed_at: time?}", "state and operation of a code, never the code", false },

    /* ---- events, and what another eIM gets ---- */
    { "Event", "{seq?: int, type: text, ...}", "what happened (doc/events.md)", false },
    { "EventPage", "{items: [Event], next: int, first: int, last: int}", "go on with ?after= `next`", false },
    { "ExportPageOrder", "{previous?: string?}", "the SHA-256 of the note before; none for the first page", true },
    { "ExportPage", "{note: text, lines: string, next: string?}", "a signed page of the inventory", false },

    /* ---- who may ---- */
    { "TokenOrder", "{name: text, role: text, expires_at?: time?}", "", true },
    { "Token", "{id: id, name: text, role: text, created_at: time?, expires_at: time?, revoked_at: time?, used_at: time?}", "", false },
    { "NewToken", "{id: id, name: text, role: text, created_at: time?, expires_at: time?, revoked_at: time?, used_at: time?, token: text}",
      "with its secret, once", false },
    { "Roles", "{items: [{name: text, built_in: bool, text: string?, permissions: [text]}], permissions: [{name: text, text: text}]}", "", false },
    { "RoleOrder", "{permissions: [text]}", "", true },
    { "Principal", "{name: text, tenant: int, role: text, permissions: [text]}", "who the caller is", false },
    { "AccessQuestion", "{role: text, method: text, path: text}", "", true },
    { "AccessAnswer", "{allowed: bool, route: {method: text, path: text}, permission: string?, why: string, roles_that_may: [text]}", "", false },

    /* ---- the eIM and its log ---- */
    { "EimConfiguration", "{eim_id: text, eim_id_type: int, fqdn: string?, counter: int, association_token: int, public_key: base64?, "
      "tls_anchor: base64?}", "", false },
    { "AuditEntry", "{id: id, at: time, tenant: int, principal: string, action: text, eid?: eid, operation?: id, counter?: int, state?: text, "
      "sha256?: hex, "
      "detail?: text, ...}", "one line of the audit log", false },
    { "AuditKey", "{key: text}", "", false },
    { "AuditInclusion", "{number: int, size: int, proof: [hex], head: text, line: text}", "", false },
    { "AuditConsistency", "{from: int, size: int, proof: [hex], head: text, edge: [hex]}", "", false },
    { "OpenApi", "{openapi: text, info: any, paths: any, components: any, ...}", "an OpenAPI 3.1 document", false },
    { "Problem", "{type: text, title: text, status: int, detail: text, code: text, field?: text, clause?: text, "
      "...}", "RFC 9457 problem details", false },
};
static const struct schemas all = { rows, sizeof rows / sizeof rows[0] };

const struct schemas *rest_schemas(void)
{
    return &all;
}
