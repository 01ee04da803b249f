-- Confirmation codes of profile downloads (model/relay.h), hashed as SGP.22 wants them; a row ends with its order.
CREATE TABLE confirmation (
    association /*key64*/ NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    tenant      BIGINT NOT NULL,
    operation   BIGINT NOT NULL,
    digest      BYTEA  NOT NULL,
    PRIMARY KEY (association, operation)
);
