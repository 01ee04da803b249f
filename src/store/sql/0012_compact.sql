-- What compact forms of a download leave out, and where an SM-DS sends a device (model/relay.h). Sessions under way go on; those of devices that send compact forms begin anew.
CREATE TABLE relay_new (
    association /*key64*/ NOT NULL PRIMARY KEY REFERENCES device (association) ON DELETE CASCADE,
    tenant      BIGINT NOT NULL,
    operation   BIGINT NOT NULL,
    step        BIGINT NOT NULL CHECK (step BETWEEN 0 AND 2),
    expires_us  BIGINT NOT NULL,
    transaction_id BYTEA NOT NULL,
    address     TEXT   NOT NULL,
    event_server TEXT  NOT NULL,
    event_id    TEXT   NOT NULL,
    server_signed BYTEA  NOT NULL,
    ctx         BYTEA  NOT NULL,
    oid         BYTEA  NOT NULL,
    otpk        BYTEA  NOT NULL,
    hash_cc     BYTEA  NOT NULL,
    iccid       BYTEA  NOT NULL,
    UNIQUE (tenant, transaction_id)
);
INSERT INTO relay_new SELECT association, tenant, operation, step, expires_us, transaction_id, address, '', '',
    CAST('' AS BYTEA), CAST('' AS BYTEA), CAST('' AS BYTEA), CAST('' AS BYTEA), CAST('' AS BYTEA), CAST('' AS BYTEA) FROM relay;
DROP TABLE relay;
ALTER TABLE relay_new RENAME TO relay;
CREATE INDEX relay_expires ON relay (expires_us);

-- What an order of a download says beside where to go: its confirmation code's digest, and what the profile must be.
CREATE TABLE terms (
    association /*key64*/ NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    tenant      BIGINT NOT NULL,
    operation   BIGINT NOT NULL,
    digest      BYTEA  NOT NULL,
    iccid       BYTEA  NOT NULL,
    rules       BIGINT NOT NULL,
    PRIMARY KEY (association, operation)
);
INSERT INTO terms SELECT association, tenant, operation, digest, CAST('' AS BYTEA), -1 FROM confirmation;
DROP TABLE confirmation;
