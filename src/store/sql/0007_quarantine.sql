-- A device in quarantine gets no package but inventories: whoever holds its key may be somebody else. When it began stands in its row, because
-- every poll that gives something out looks there; why, and who said so, stands beside.

ALTER TABLE device ADD COLUMN quarantine_us BIGINT NOT NULL DEFAULT 0;

CREATE TABLE quarantine (
    association /*key64*/ NOT NULL PRIMARY KEY REFERENCES device (association) ON DELETE CASCADE,
    tenant      BIGINT NOT NULL,
    at_us       BIGINT NOT NULL,
    principal   TEXT   NOT NULL,
    reason      TEXT   NOT NULL
);
