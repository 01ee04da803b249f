-- The event log of each tenant (trust/feed.h). What happened is written to event_wait in the transaction that did it; one node at a time takes
-- what waits, gives each event its number and appends it to bundles of 64, and to an index by device. Numbers are never given twice and have
-- no gaps; bundles below `first` are gone, because they were older than the tenant keeps them.

CREATE TABLE event_wait (
    tenant BIGINT NOT NULL,
    id     BIGINT NOT NULL,                        -- of the first event in it
    lines  BYTEA  NOT NULL,                        -- events of one transaction, in their order, a newline after each
    PRIMARY KEY (tenant, id)
) /*clustered*/;

CREATE TABLE event_log (
    tenant   BIGINT NOT NULL PRIMARY KEY REFERENCES tenant (id),
    first    BIGINT NOT NULL CHECK (first >= 1),   -- the lowest number that is still there
    size     BIGINT NOT NULL CHECK (size >= 0)     -- the highest number given
);
INSERT INTO event_log (tenant, first, size) SELECT id, 1, 0 FROM tenant;

CREATE TABLE event_bundle (
    tenant BIGINT NOT NULL,
    number BIGINT NOT NULL,                        -- events number * 64 + 1 and up
    n      BIGINT NOT NULL CHECK (n BETWEEN 1 AND 64),
    at_us  BIGINT NOT NULL,                        -- when the last of them got its number
    lines  BYTEA  NOT NULL,
    PRIMARY KEY (tenant, number)
) /*clustered*/;

CREATE TABLE event_of_device (
    tenant BIGINT NOT NULL,
    eid    BYTEA  NOT NULL CHECK (length(eid) = 16),
    seq    BIGINT NOT NULL,
    PRIMARY KEY (tenant, eid, seq)
) /*clustered*/;
CREATE INDEX event_of_device_by_seq ON event_of_device (tenant, seq);
