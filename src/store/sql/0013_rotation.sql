-- Which key packages for a device are signed with, and what its IPA was last told to trust TLS by (SHA-256 of the certificate, hex; empty: not by us).
ALTER TABLE device ADD COLUMN signing_key TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN tls_trust   TEXT NOT NULL DEFAULT '';
UPDATE device SET signing_key = (SELECT i.signing_key FROM eim_identity i WHERE i.id = device.identity);
