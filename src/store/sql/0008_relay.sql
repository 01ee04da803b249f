-- Sessions of indirect profile downloads (model/relay.h). Few devices have one, for minutes.
CREATE TABLE relay (
    association /*key64*/ NOT NULL PRIMARY KEY REFERENCES device (association) ON DELETE CASCADE,
    tenant      BIGINT NOT NULL,
    operation   BIGINT NOT NULL,
    step        BIGINT NOT NULL CHECK (step BETWEEN 0 AND 2),
    expires_us  BIGINT NOT NULL,
    transaction_id BYTEA NOT NULL,
    address     TEXT   NOT NULL,
    UNIQUE (tenant, transaction_id)
);
CREATE INDEX relay_expires ON relay (expires_us);
