-- The audit log proper: a Merkle tree (RFC 9162) over the lines of audit_entry, which from now on only waits to be sequenced.
-- Sequencing takes rows out of audit_entry and appends their lines to bundles of 256, their leaf hashes to tiles of 256 (as the tiled
-- transparency logs do), so that a second's entries cost a few rows and proofs read a few more.

CREATE TABLE audit_log (
    tenant    BIGINT NOT NULL PRIMARY KEY REFERENCES tenant (id),
    size      BIGINT NOT NULL CHECK (size >= 0),
    at_us     BIGINT NOT NULL,
    note_size BIGINT NOT NULL,                     -- the tree's size when `note` was signed
    edge      BYTEA  NOT NULL,                     -- trust/merkle.h: what is needed to append
    note      TEXT   NOT NULL                      -- the newest signed tree head
);
INSERT INTO audit_log (tenant, size, at_us, note_size, edge, note) SELECT id, 0, 0, 0, '', '' FROM tenant;

CREATE TABLE audit_bundle (
    tenant BIGINT NOT NULL,
    number BIGINT NOT NULL,                        -- lines number * 256 and up
    n      BIGINT NOT NULL CHECK (n BETWEEN 1 AND 256),
    lines  BYTEA  NOT NULL,                        -- each followed by a newline
    PRIMARY KEY (tenant, number)
) /*clustered*/;

CREATE TABLE audit_tile (
    tenant BIGINT NOT NULL,
    level  BIGINT NOT NULL,                        -- 0: leaf hashes; above: roots of full tiles one level below
    number BIGINT NOT NULL,
    hashes BYTEA  NOT NULL,                        -- 32 octets each, at most 256
    PRIMARY KEY (tenant, level, number)
) /*clustered*/;
