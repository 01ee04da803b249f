-- Verified notifications on their way to their SM-DP+ (model/outbox.h names the states in this order). The bytes stay in
-- table notification. The partial index holds what is not at an end; it is read address by address, so that a large
-- backlog for one SM-DP+ costs the others nothing.
CREATE TABLE outbox (
    association BIGINT NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    seq         BIGINT NOT NULL,
    id          BIGINT NOT NULL,
    tenant      BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    state       BIGINT NOT NULL CHECK (state BETWEEN 0 AND 4),
    event       BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    since_us    BIGINT NOT NULL,
    due_us      BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    done_us     BIGINT NOT NULL,
    address     BYTEA  NOT NULL,
    iccid       BYTEA  NOT NULL,
    why         TEXT   NOT NULL,
    PRIMARY KEY (association, seq)
) /*clustered*/;
CREATE INDEX outbox_due ON outbox (address, due_us) WHERE state <= 2;
CREATE INDEX outbox_by_id ON outbox (tenant, id);                      -- ids rise, so it is only ever appended to
