-- Devices whose IPA can be reached (SGP.32 3.1.1.2; model/injection.h). Few devices have a row.
CREATE TABLE injection (
    association /*key64*/ NOT NULL PRIMARY KEY REFERENCES device (association) ON DELETE CASCADE,
    tenant      BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    binding     BIGINT NOT NULL CHECK (binding BETWEEN 0 AND 1),
    due_us      BIGINT NOT NULL,
    lease_us    BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    tried_us    BIGINT NOT NULL,
    reached_us  BIGINT NOT NULL,
    address     TEXT   NOT NULL,
    trust       BYTEA  NOT NULL,
    why         TEXT   NOT NULL
);
CREATE INDEX injection_due ON injection (due_us);
