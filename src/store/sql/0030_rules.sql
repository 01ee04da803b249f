-- The rules authorisation table of a device's eUICC (SGP.22 2.9.2), as its last signed answer to getRAT told it.
CREATE TABLE device_rat (
    association /*key64*/ NOT NULL PRIMARY KEY REFERENCES device (association) ON DELETE CASCADE,
    tenant    BIGINT NOT NULL,
    operation BIGINT NOT NULL,
    as_of_us  BIGINT NOT NULL,
    rules     BYTEA
);
