-- queries.sql -- every statement of the store, run as it stands here by both engines. tools: gen.py makes C tables of it.
--
--   -- row NAME: struct TAG          the columns of a result, and the members they go to and come from:
--   --   column kind [once] [=member]    kind: int enum bool bytes text fixed; `once`: left out of NAME(set)
--   -- row NAME = OTHER - column ...    the same without some columns
--   -- name: QUERY(ROW or arg:kind, ...) [-> ROW | -> number of int columns]
--
-- In the SQL $x is a member of ROW or an arg; @ROW lists its columns, @ROW(values) their parameters, @ROW(set) the
-- assignments. /*lock*/ becomes what makes the row ours until the transaction ends,
-- /*claim*/ the same, passing over rows that are somebody else's; /*bytes*/ says that the parameter before it is bytes, where nothing else does.

-- row identity: struct identity
--   id int once
--   tenant int
--   eim_id text
--   eim_id_type int
--   fqdn text
--   signing_key text
--   ci_pkid bytes
--   association_key fixed

-- name: identity_list() -> identity
SELECT @identity FROM eim_identity ORDER BY id;

-- name: identity_put(identity)
INSERT INTO eim_identity (@identity) VALUES (@identity(values))
ON CONFLICT (id) DO UPDATE SET @identity(set);

-- row device: struct device
--   association int once
--   tenant int once
--   identity int once
--   eid fixed once
--   version int once
--   key_class enum
--   curve int
--   counter int
--   token int
--   token_candidate int
--   in_flight int
--   download_op int
--   next_op int
--   unsettled int
--   wants int
--   timer_us int
--   auto_us int
--   hold_us int
--   retry_us int
--   quarantine_us int
--   data_deliveries int
--   data_sent_us int
--   has_enabled bool
--   enabled_us int
--   enabled_op int
--   inventory_us int
--   inventory_op int
--   eims_us int
--   eims_op int
--   changed_us int
--   rplmn_us int
--   enrolled_us int
--   first_contact_us int
--   state_cause int
--   state_cause_us int
--   key bytes
--   data_txid bytes
--   enabled bytes
--   rplmn bytes
--   signing_key text
--   tls_trust text
--   quirks int

-- name: device_get(association) -> device
SELECT @device FROM device WHERE association = $association;

-- name: device_lock(association) -> device
SELECT @device FROM device WHERE association = $association /*lock*/;

-- name: device_hold(association) -> 1
SELECT tenant FROM device WHERE association = $association /*lock*/;

-- name: device_insert(device)
INSERT INTO device (@device) VALUES (@device(values)) ON CONFLICT (association) DO NOTHING;

-- name: device_update(device)
UPDATE device SET version = version + 1, @device(set) WHERE association = $association AND version = $version;

-- name: device_delete(association)
DELETE FROM device WHERE association = $association;

-- name: device_list(tenant, after, limit) -> device
SELECT @device FROM device WHERE association > $after AND tenant = $tenant ORDER BY association LIMIT $limit;

-- name: device_count(tenant) -> 1
SELECT count(*) FROM device WHERE tenant = $tenant;

-- name: device_count_all() -> 1
SELECT count(*) FROM device;

-- name: device_timers(after, scan) -> 2
SELECT association, timer_us FROM device WHERE association > $after ORDER BY association LIMIT $scan;

-- name: counters_add(n, most, room)
UPDATE device SET version = version + 1, counter = CASE WHEN counter > $room THEN $most ELSE counter + $n END;

-- row quarantine: struct quarantine
--   association int once
--   tenant int once
--   at_us int
--   principal text
--   reason text

-- name: quarantine_put(quarantine)
INSERT INTO quarantine (@quarantine) VALUES (@quarantine(values)) ON CONFLICT (association) DO UPDATE SET @quarantine(set);

-- name: quarantine_get(association) -> quarantine
SELECT @quarantine FROM quarantine WHERE association = $association;

-- name: quarantine_delete(association)
DELETE FROM quarantine WHERE association = $association;

-- row quirk_rule: struct quirk_rule
--   id int
--   tenant int
--   quirks int
--   created_us int
--   maker text
--   firmware text
--   ipa text
--   principal text
--   note text

-- name: quirk_rules(tenant, limit) -> quirk_rule
SELECT @quirk_rule FROM quirk_rule WHERE tenant = $tenant ORDER BY id LIMIT $limit;

-- name: quirk_rules_all(limit) -> quirk_rule
SELECT @quirk_rule FROM quirk_rule ORDER BY id LIMIT $limit;

-- name: quirk_rule_insert(quirk_rule)
INSERT INTO quirk_rule (@quirk_rule) VALUES (@quirk_rule(values));

-- name: quirk_rule_delete(tenant, id)
DELETE FROM quirk_rule WHERE tenant = $tenant AND id = $id;

-- row label: struct label
--   name text
--   value text

-- name: label_put(label, association, tenant)
INSERT INTO label (association, tenant, @label) VALUES ($association, $tenant, @label(values))
ON CONFLICT (association, name) DO UPDATE SET value = excluded.value;

-- name: label_list(association) -> label
SELECT @label FROM label WHERE association = $association ORDER BY name;

-- name: contact_seen(association, seen_us)
UPDATE contact SET seen_us = $seen_us WHERE association = $association AND seen_us < $seen_us;

-- name: contact_put(association, seen_us)
INSERT INTO contact (association, tenant, seen_us)
SELECT association, tenant, CAST($seen_us AS BIGINT) FROM device WHERE association = $association
ON CONFLICT (association) DO UPDATE SET seen_us = excluded.seen_us WHERE excluded.seen_us > contact.seen_us;

-- name: contact_get(association) -> 1
SELECT seen_us FROM contact WHERE association = $association;

-- name: contact_delete(association)
DELETE FROM contact WHERE association = $association;

-- row profile: struct profile
--   iccid bytes
--   class int =class_
--   fallback bool
--   fallback_allowed bool
--   ecall bool
--   policy_rules int
--   as_of_us int
--   op int
--   aid bytes
--   name bytes
--   provider bytes
--   nickname bytes

-- name: profile_clear(association)
DELETE FROM profile WHERE association = $association;

-- name: profile_insert(profile, association, tenant)
INSERT INTO profile (association, tenant, @profile) VALUES ($association, $tenant, @profile(values));

-- name: profile_delete(association, iccid:bytes)
DELETE FROM profile WHERE association = $association AND iccid = $iccid;

-- name: profile_list(association) -> profile
SELECT @profile FROM profile WHERE association = $association ORDER BY iccid;

-- row card_eim: struct card_eim
--   eim_id bytes
--   id_type int
--   token int
--   as_of_us int
--   op int
--   control_us int
--   control bytes

-- name: card_eim_clear(association)
DELETE FROM card_eim WHERE association = $association;

-- name: card_eim_insert(card_eim, association, tenant)
INSERT INTO card_eim (association, tenant, @card_eim) VALUES ($association, $tenant, @card_eim(values));

-- name: card_eim_list(association) -> card_eim
SELECT @card_eim FROM card_eim WHERE association = $association ORDER BY eim_id;

-- row device_data: struct device_data
--   as_of_us int
--   eum_cert bytes
--   euicc_cert bytes
--   info bytes

-- name: data_put(device_data, association, tenant)
INSERT INTO device_data (association, tenant, @device_data) VALUES ($association, $tenant, @device_data(values))
ON CONFLICT (association) DO UPDATE SET @device_data(set);

-- name: data_get(association) -> device_data
SELECT @device_data FROM device_data WHERE association = $association;

-- row operation: struct operation
--   association int once
--   id int once
--   tenant int once
--   kind enum once
--   state enum
--   origin enum once
--   overrides int once
--   created_us int once
--   expires_us int once
--   counter int
--   token int
--   first_sent_us int
--   last_sent_us int
--   deliveries int
--   result_us int
--   seq int
--   code int
--   settles int once
--   txid bytes
--   principal text once
--   reason text
--   request bytes once
--   package bytes
--   result bytes

-- row operation_brief = operation - package result

-- name: operation_insert(operation, room:bytes)
INSERT INTO operation (@operation, room) VALUES (@operation(values), $room) ON CONFLICT (association, id) DO NOTHING;

-- name: operation_get(association, id) -> operation
SELECT @operation FROM operation WHERE association = $association AND id = $id;

-- name: operation_find(tenant, id) -> operation
SELECT @operation FROM operation WHERE tenant = $tenant AND id = $id;

-- name: operation_id_by_txid(association, back, txid:bytes) -> 1
SELECT id FROM (SELECT id, txid FROM operation WHERE association = $association ORDER BY id DESC LIMIT $back) AS newest
WHERE txid = $txid ORDER BY id DESC LIMIT 1;

-- name: operation_id_by_counter(association, back, counter) -> 1
SELECT id FROM (SELECT id, counter FROM operation WHERE association = $association ORDER BY id DESC LIMIT $back) AS newest
WHERE counter = $counter ORDER BY id DESC LIMIT 1;

-- name: operation_next(association, state, after) -> 1
SELECT id FROM operation WHERE association = $association AND id > $after AND state = $state ORDER BY id LIMIT 1;

-- name: operation_update(operation, from, room:bytes)
UPDATE operation SET @operation(set), room = $room WHERE association = $association AND id = $id AND state = $from;

-- name: operation_scrub(association, id, request:bytes, package:bytes)
UPDATE operation SET request = $request, package = $package WHERE association = $association AND id = $id;

-- name: operation_list(association, before, limit) -> operation
SELECT @operation FROM operation WHERE association = $association AND id < $before ORDER BY id DESC LIMIT $limit;

-- name: operation_list_brief(association, before, limit) -> operation_brief
SELECT @operation_brief FROM operation WHERE association = $association AND id < $before ORDER BY id DESC LIMIT $limit;

-- name: operation_list_tenant(tenant, before, limit) -> operation_brief
SELECT @operation_brief FROM operation WHERE tenant = $tenant AND id < $before ORDER BY id DESC LIMIT $limit;

-- name: operation_list_state(tenant, before, state, limit) -> operation_brief
SELECT @operation_brief FROM operation WHERE tenant = $tenant AND id < $before AND state = $state ORDER BY id DESC LIMIT $limit;

-- name: operation_count(association, state) -> 1
SELECT count(*) FROM operation WHERE association = $association AND state = $state;

-- row notification: struct notification
--   association int once
--   seq int once
--   tenant int once
--   state enum
--   event int
--   received_us int
--   address bytes
--   iccid bytes
--   raw bytes

-- name: notification_get(association, seq) -> notification
SELECT @notification FROM notification WHERE association = $association AND seq = $seq;

-- name: notification_put(notification)
INSERT INTO notification (@notification) VALUES (@notification(values))
ON CONFLICT (association, seq) DO UPDATE SET @notification(set);

-- name: notification_count(association, state) -> 1
SELECT count(*) FROM notification WHERE association = $association AND state = $state;

-- name: notification_list(association) -> notification
SELECT @notification FROM notification WHERE association = $association ORDER BY seq;

-- row outbox: struct outbox
--   association int once
--   seq int once
--   id int once
--   tenant int once
--   version int once
--   state enum
--   event int once
--   received_us int once
--   since_us int
--   due_us int
--   tries int
--   done_us int
--   address bytes once
--   iccid bytes once
--   why text

-- row outbox_address: struct outbox
--   address bytes

-- name: outbox_insert(outbox)
INSERT INTO outbox (@outbox) VALUES (@outbox(values)) ON CONFLICT (association, seq) DO NOTHING;

-- name: outbox_update(outbox)
UPDATE outbox SET version = version + 1, @outbox(set) WHERE association = $association AND seq = $seq AND version = $version;

-- name: outbox_get(association, seq) -> outbox
SELECT @outbox FROM outbox WHERE association = $association AND seq = $seq;

-- name: outbox_find(tenant, id) -> outbox
SELECT @outbox FROM outbox WHERE tenant = $tenant AND id = $id;

-- name: outbox_next_address(after:bytes) -> outbox_address
SELECT address FROM outbox WHERE state <= 2 AND address > $after ORDER BY address LIMIT 1;

-- name: outbox_any_due(address:bytes, now) -> 1
SELECT 1 FROM outbox WHERE state <= 2 AND address = $address AND due_us <= $now LIMIT 1;

-- name: outbox_first_due(address:bytes, now) -> outbox
SELECT @outbox FROM outbox WHERE state <= 2 AND address = $address AND due_us <= $now
AND NOT EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.association = outbox.association AND earlier.seq < outbox.seq
    AND earlier.iccid = outbox.iccid AND earlier.address = outbox.address AND earlier.state <= 1)
ORDER BY due_us LIMIT 1 /*claim*/;

-- name: outbox_delay(association, iccid:bytes, address:bytes, due)
UPDATE outbox SET version = version + 1, due_us = $due
WHERE association = $association AND iccid = $iccid AND address = $address AND state <= 1 AND due_us < $due;

-- name: outbox_trim(association, state, keep)
DELETE FROM outbox WHERE association = $association AND state = $state AND seq <= (SELECT seq FROM outbox
    WHERE association = $association AND state = $state ORDER BY seq DESC LIMIT 1 OFFSET $keep);

-- name: outbox_list(tenant, before, limit) -> outbox
SELECT @outbox FROM outbox WHERE tenant = $tenant AND id < $before ORDER BY id DESC LIMIT $limit;

-- name: outbox_list_state(tenant, before, state, limit) -> outbox
SELECT @outbox FROM outbox WHERE tenant = $tenant AND id < $before AND state = $state ORDER BY id DESC LIMIT $limit;

-- name: outbox_count() -> 3
SELECT state, count(*), min(received_us) FROM outbox WHERE state <= 2 GROUP BY state;

-- row injection: struct injection
--   association int once
--   tenant int once
--   version int once
--   binding enum
--   due_us int
--   lease_us int
--   tries int
--   tried_us int
--   reached_us int
--   address text
--   trust bytes
--   why text

-- name: injection_insert(injection)
INSERT INTO injection (@injection) VALUES (@injection(values)) ON CONFLICT (association) DO NOTHING;

-- name: injection_update(injection)
UPDATE injection SET version = version + 1, @injection(set) WHERE association = $association AND version = $version;

-- name: injection_delete(association)
DELETE FROM injection WHERE association = $association;

-- name: injection_get(association) -> injection
SELECT @injection FROM injection WHERE association = $association;

-- name: injection_wake(association, now)
UPDATE injection SET version = version + 1, due_us = $now, tries = 0 WHERE association = $association;

-- name: injection_any_due(now) -> 1
SELECT 1 FROM injection WHERE due_us <= $now AND lease_us <= $now LIMIT 1;

-- name: injection_first_due(now) -> injection
SELECT @injection FROM injection WHERE due_us <= $now AND lease_us <= $now ORDER BY due_us LIMIT 1 /*claim*/;

-- row hint: struct hint
--   association int
--   id int
--   tenant int
--   received_us int
--   kind text
--   why text
--   raw bytes

-- name: hint_insert(hint)
INSERT INTO hint (@hint) VALUES (@hint(values));

-- name: hint_trim(association, keep)
DELETE FROM hint WHERE association = $association
AND id <= (SELECT id FROM hint WHERE association = $association ORDER BY id DESC LIMIT 1 OFFSET $keep);

-- name: hint_list(association) -> hint
SELECT @hint FROM hint WHERE association = $association ORDER BY id;

-- row audit: struct audit_line
--   id int
--   at_us int
--   line text

-- name: audit_append(audit, tenant)
INSERT INTO audit_entry (tenant, @audit) VALUES ($tenant, @audit(values));

-- name: audit_list(tenant, after, limit) -> audit
SELECT @audit FROM audit_entry WHERE tenant = $tenant AND id > $after ORDER BY id LIMIT $limit;

-- name: audit_cutoff(tenant, skip) -> 1
SELECT id FROM audit_entry WHERE tenant = $tenant ORDER BY id LIMIT 1 OFFSET $skip;

-- name: audit_take(tenant, last) -> audit
DELETE FROM audit_entry WHERE tenant = $tenant AND id <= $last RETURNING @audit;

-- name: audit_tenants() -> 1
SELECT tenant FROM audit_log ORDER BY tenant;

-- row audit_log: struct audit_state
--   tenant int once
--   size int
--   at_us int
--   note_size int
--   edge bytes
--   note text

-- name: audit_log_get(tenant) -> audit_log
SELECT @audit_log FROM audit_log WHERE tenant = $tenant;

-- name: audit_log_lock(tenant) -> audit_log
SELECT @audit_log FROM audit_log WHERE tenant = $tenant /*lock*/;

-- name: audit_log_grow(tenant, size, at_us, edge:bytes)
UPDATE audit_log SET size = $size, at_us = $at_us, edge = $edge WHERE tenant = $tenant;

-- name: audit_log_sign(tenant, note_size, note:text)
UPDATE audit_log SET note_size = $note_size, note = $note WHERE tenant = $tenant AND note_size < $note_size;

-- row audit_bundle: struct audit_bundle
--   number int once
--   n int
--   lines bytes

-- name: audit_bundle_get(tenant, number) -> audit_bundle
SELECT @audit_bundle FROM audit_bundle WHERE tenant = $tenant AND number = $number;

-- name: audit_bundle_put(audit_bundle, tenant)
INSERT INTO audit_bundle (tenant, @audit_bundle) VALUES ($tenant, @audit_bundle(values))
ON CONFLICT (tenant, number) DO UPDATE SET @audit_bundle(set);

-- row audit_tile: struct audit_tile
--   level int once
--   number int once
--   hashes bytes

-- name: audit_tile_get(tenant, level, number) -> audit_tile
SELECT @audit_tile FROM audit_tile WHERE tenant = $tenant AND level = $level AND number = $number;

-- name: audit_tile_put(audit_tile, tenant)
INSERT INTO audit_tile (tenant, @audit_tile) VALUES ($tenant, @audit_tile(values))
ON CONFLICT (tenant, level, number) DO UPDATE SET @audit_tile(set);

-- row token: struct token
--   id int once
--   tenant int
--   hash fixed
--   name text
--   role text
--   created_us int
--   expires_us int
--   revoked_us int
--   used_us int once

-- name: token_put(token)
INSERT INTO token (@token) VALUES (@token(values)) ON CONFLICT (id) DO UPDATE SET @token(set);

-- name: token_find(hash:bytes) -> token
SELECT @token FROM token WHERE hash = $hash;

-- name: token_get(tenant, id) -> token
SELECT @token FROM token WHERE tenant = $tenant AND id = $id;

-- name: token_list(tenant, before, limit) -> token
SELECT @token FROM token WHERE tenant = $tenant AND id < $before ORDER BY id DESC LIMIT $limit;

-- name: token_revoke(tenant, id, now)
UPDATE token SET revoked_us = $now WHERE tenant = $tenant AND id = $id AND revoked_us = 0;

-- name: token_used(id, used)
UPDATE token SET used_us = $used WHERE id = $id AND used_us < $used;

-- row role: struct role_row
--   tenant int once
--   name text once
--   permissions text
--   changed_us int

-- name: role_get(tenant, name:text) -> role
SELECT @role FROM role WHERE tenant = $tenant AND name = $name;

-- name: role_list(tenant) -> role
SELECT @role FROM role WHERE tenant = $tenant ORDER BY name;

-- name: role_put(role)
INSERT INTO role (@role) VALUES (@role(values)) ON CONFLICT (tenant, name) DO UPDATE SET @role(set);

-- name: role_delete(tenant, name:text)
DELETE FROM role WHERE tenant = $tenant AND name = $name;

-- name: schema_version() -> 2
SELECT coalesce(max(version), 0), count(*) FROM schema_version;

-- name: schema_has(version) -> 1
SELECT version FROM schema_version WHERE version = $version;

-- name: schema_applied(version)
INSERT INTO schema_version (version) VALUES ($version);

-- row rat: struct device_rat
--   association int once
--   tenant int once
--   operation int
--   as_of_us int
--   rules bytes

-- name: rat_put(rat)
INSERT INTO device_rat (@rat) VALUES (@rat(values)) ON CONFLICT (association) DO UPDATE SET @rat(set);

-- name: rat_get(association) -> rat
SELECT @rat FROM device_rat WHERE association = $association;

-- row smdp: struct smdp_account
--   id int once
--   tenant int once
--   changed_us int
--   connect_ms int
--   total_ms int
--   max_parallel int
--   enabled bool
--   name text
--   operator_name text
--   address text
--   oid text
--   trust_pem bytes
--   order_url text =es2_url
--   order_credential text =es2_credential
--   order_release bool =es2_release
--   order_peer text =es2_peer
--   function_requester text
--   x_admin text

-- name: smdp_get(tenant, id) -> smdp
SELECT @smdp FROM smdp WHERE tenant = $tenant AND id = $id;

-- name: smdp_find(tenant, address:text) -> smdp
SELECT @smdp FROM smdp WHERE tenant = $tenant AND address = $address;

-- name: smdp_list(tenant, after, limit) -> smdp
SELECT @smdp FROM smdp WHERE tenant = $tenant AND id > $after ORDER BY id LIMIT $limit;

-- name: smdp_peers(limit) -> smdp
SELECT @smdp FROM smdp WHERE order_peer <> '' ORDER BY id LIMIT $limit;

-- name: smdp_clash(tenant, id, name:text, address:text) -> 1
SELECT id FROM smdp WHERE tenant = $tenant AND id <> $id AND (name = $name OR address = $address) LIMIT 1;

-- name: smdp_put(smdp)
INSERT INTO smdp (@smdp) VALUES (@smdp(values)) ON CONFLICT (id) DO UPDATE SET @smdp(set);

-- name: smdp_delete(tenant, id)
DELETE FROM smdp WHERE tenant = $tenant AND id = $id;

-- row relay: struct relay_session
--   association int once
--   tenant int
--   operation int
--   step enum
--   expires_us int
--   transaction_id bytes =transaction
--   address text
--   event_server text
--   event_id text
--   server_signed bytes
--   ctx bytes
--   oid bytes
--   otpk bytes
--   hash_cc bytes
--   iccid bytes

-- name: relay_get(association) -> relay
SELECT @relay FROM relay WHERE association = $association;

-- name: relay_find(tenant, transaction:bytes) -> relay
SELECT @relay FROM relay WHERE tenant = $tenant AND transaction_id = $transaction;

-- name: relay_put(relay)
INSERT INTO relay (@relay) VALUES (@relay(values)) ON CONFLICT (association) DO UPDATE SET @relay(set);

-- name: relay_step(association, transaction:bytes, step, expires, otpk:bytes, hash_cc:bytes, iccid:bytes, server:text, id:text)
UPDATE relay SET step = $step, expires_us = $expires, otpk = $otpk, hash_cc = $hash_cc, iccid = $iccid,
  event_server = $server, event_id = $id WHERE association = $association AND transaction_id = $transaction AND step <= $step;

-- name: relay_delete(association, transaction:bytes)
DELETE FROM relay WHERE association = $association AND transaction_id = $transaction;

-- name: relay_any_expired(now) -> 1
SELECT association FROM relay WHERE expires_us <= $now LIMIT 1;

-- name: relay_expire(now)
DELETE FROM relay WHERE expires_us <= $now;

-- row terms: struct download_terms
--   association int once
--   tenant int once
--   operation int once
--   digest bytes
--   iccid bytes
--   rules int

-- name: terms_put(terms)
INSERT INTO terms (@terms) VALUES (@terms(values));

-- name: terms_get(association, operation) -> terms
SELECT @terms FROM terms WHERE association = $association AND operation = $operation;

-- name: terms_delete(association, operation)
DELETE FROM terms WHERE association = $association AND operation = $operation;

-- row code_pool: struct code_pool
--   id int once
--   tenant int once
--   changed_us int
--   warn_below int
--   low bool
--   name text
--   operator_name text
--   profile_type text
--   address text

-- name: pool_get(tenant, id) -> code_pool
SELECT @code_pool FROM code_pool WHERE tenant = $tenant AND id = $id;

-- name: pool_lock(tenant, id) -> code_pool
SELECT @code_pool FROM code_pool WHERE tenant = $tenant AND id = $id /*lock*/;

-- name: pool_list(tenant, after, limit) -> code_pool
SELECT @code_pool FROM code_pool WHERE tenant = $tenant AND id > $after ORDER BY id LIMIT $limit;

-- name: pool_insert(code_pool)
INSERT INTO code_pool (@code_pool) VALUES (@code_pool(values)) ON CONFLICT (tenant, name) DO NOTHING;

-- name: pool_low(id, low)
UPDATE code_pool SET low = $low WHERE id = $id;

-- name: pool_delete(tenant, id)
DELETE FROM code_pool WHERE tenant = $tenant AND id = $id;

-- name: pool_codes_delete(pool)
DELETE FROM activation_code WHERE pool = $pool;

-- name: pool_count(pool) -> 2
SELECT state, count(*) FROM activation_code WHERE pool = $pool GROUP BY state;

-- row code: struct activation_code
--   id int once
--   tenant int once
--   pool int once
--   state enum
--   changed_us int
--   association int
--   operation int
--   digest bytes once
--   sealed bytes once

-- name: code_get(tenant, id) -> code
SELECT @code FROM activation_code WHERE tenant = $tenant AND id = $id;

-- name: code_list(pool, after, limit) -> code
SELECT @code FROM activation_code WHERE pool = $pool AND id > $after ORDER BY id LIMIT $limit;

-- name: code_insert(code)
INSERT INTO activation_code (@code) VALUES (@code(values)) ON CONFLICT (tenant, digest) DO NOTHING;

-- name: code_free(pool) -> code
SELECT @code FROM activation_code WHERE pool = $pool AND state = 0 ORDER BY id LIMIT 1 /*claim*/;

-- name: code_of(association, operation) -> code
SELECT @code FROM activation_code WHERE association = $association AND operation = $operation AND association <> 0 LIMIT 1;

-- name: code_waiting(association) -> code
SELECT @code FROM activation_code WHERE association = $association AND association <> 0 AND state = 1 ORDER BY id LIMIT 100;

-- name: code_update(code, from)
UPDATE activation_code SET @code(set) WHERE id = $id AND state = $from;

-- row porder: struct profile_order
--   association int once
--   id int once
--   tenant int once
--   version int once
--   state enum
--   step enum
--   calling bool
--   account int once
--   operation int
--   created_us int once
--   changed_us int
--   due_us int
--   tries int
--   notified_us int
--   notified_n int
--   notified_point int
--   elsewhere bool
--   eid bytes once
--   secret bytes
--   digest bytes once
--   operator_name text once
--   profile_type text once
--   principal text once
--   call text
--   iccid text
--   cause text
--   notified text

-- name: porder_insert(porder)
INSERT INTO profile_order (@porder) VALUES (@porder(values));

-- name: porder_get(tenant, id) -> porder
SELECT @porder FROM profile_order WHERE tenant = $tenant AND id = $id;

-- name: porder_list(tenant, before, limit) -> porder
SELECT @porder FROM profile_order WHERE tenant = $tenant AND id < $before ORDER BY id DESC LIMIT $limit;

-- name: porder_by_iccid(tenant, account, iccid:text) -> porder
SELECT @porder FROM profile_order WHERE tenant = $tenant AND account = $account AND iccid = $iccid ORDER BY id DESC LIMIT 1;

-- name: porder_due(now) -> porder
SELECT @porder FROM profile_order WHERE state <= 1 AND due_us <= $now ORDER BY due_us LIMIT 1;

-- name: porder_update(porder)
UPDATE profile_order SET version = version + 1, @porder(set) WHERE association = $association AND id = $id AND version = $version;

-- ---- events (trust/feed.h) ----

-- row event_wait: struct event_row
--   id int
--   lines bytes

-- name: event_append(event_wait, tenant)
INSERT INTO event_wait (tenant, @event_wait) VALUES ($tenant, @event_wait(values));

-- name: event_waits(tenant) -> 1
SELECT id FROM event_wait WHERE tenant = $tenant LIMIT 1;

-- name: event_cutoff(tenant, skip) -> 1
SELECT id FROM event_wait WHERE tenant = $tenant ORDER BY id LIMIT 1 OFFSET $skip;

-- name: event_take(tenant, last) -> event_wait
DELETE FROM event_wait WHERE tenant = $tenant AND id <= $last RETURNING @event_wait;

-- row event_log: struct event_log
--   tenant int once
--   first int
--   size int

-- name: event_log_get(tenant) -> event_log
SELECT @event_log FROM event_log WHERE tenant = $tenant;

-- name: event_log_lock(tenant) -> event_log
SELECT @event_log FROM event_log WHERE tenant = $tenant /*lock*/;

-- name: event_log_put(event_log)
UPDATE event_log SET @event_log(set) WHERE tenant = $tenant;

-- name: event_tenants() -> 1
SELECT tenant FROM event_log ORDER BY tenant;

-- row event_bundle: struct event_bundle
--   number int once
--   n int
--   at_us int
--   lines bytes

-- name: event_bundle_get(tenant, number) -> event_bundle
SELECT @event_bundle FROM event_bundle WHERE tenant = $tenant AND number = $number;

-- name: event_bundle_put(event_bundle, tenant)
INSERT INTO event_bundle (tenant, @event_bundle) VALUES ($tenant, @event_bundle(values))
ON CONFLICT (tenant, number) DO UPDATE SET @event_bundle(set);

-- name: event_bundle_old(tenant, number, end, before) -> 1
SELECT coalesce(max(number), -1) FROM event_bundle WHERE tenant = $tenant AND number >= $number AND number < $end AND n = 64 AND at_us < $before;

-- name: event_bundle_trim(tenant, number)
DELETE FROM event_bundle WHERE tenant = $tenant AND number < $number;

-- name: event_index(tenant, eids:bytes, count, first)
INSERT INTO event_of_device (tenant, eid, seq)
WITH RECURSIVE run (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM run WHERE i + 1 < CAST($count AS BIGINT))
SELECT CAST($tenant AS BIGINT), substr($eids/*bytes*/, CAST(i * 16 + 1 AS INTEGER), 16), CAST($first AS BIGINT) + i FROM run
WHERE substr($eids/*bytes*/, CAST(i * 16 + 1 AS INTEGER), 16) <> substr($eids/*bytes*/, CAST(CAST($count AS BIGINT) * 16 + 1 AS INTEGER), 16);

-- name: event_index_trim(tenant, first)
DELETE FROM event_of_device WHERE tenant = $tenant AND seq < $first;

-- name: event_of_device_up(tenant, eid:bytes, after, limit) -> 1
SELECT seq FROM event_of_device WHERE tenant = $tenant AND eid = $eid AND seq > $after ORDER BY seq LIMIT $limit;

-- name: event_of_device_down(tenant, eid:bytes, before, limit) -> 1
SELECT seq FROM event_of_device WHERE tenant = $tenant AND eid = $eid AND seq < $before ORDER BY seq DESC LIMIT $limit;
