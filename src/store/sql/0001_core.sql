-- The first schema. States and kinds are small integers: their names stand in model/operation.h, model/device.h and
-- store/store.h in this order, and a check of a range costs nothing where a check of words would. A column that is
-- "none" or "unknown" holds an empty value or the number its struct names, never NULL.
--
-- Every row carries its tenant. Every key of a per-device table begins with the association (EID and eIM identity), so
-- that a distributed PostgreSQL can shard by it. There is no index on anything that changes: a signed round trip writes
-- the device's row and the operation's row twice each, and appends to audit_entry; nothing else.

CREATE TABLE tenant (
    id   BIGINT NOT NULL PRIMARY KEY,
    name TEXT   NOT NULL UNIQUE
);
INSERT INTO tenant (id, name) VALUES (1, 'default');

CREATE TABLE eim_identity (
    id              BIGINT NOT NULL PRIMARY KEY,
    tenant          BIGINT NOT NULL REFERENCES tenant (id),
    eim_id          TEXT   NOT NULL,
    eim_id_type     BIGINT NOT NULL CHECK (eim_id_type BETWEEN 1 AND 3),
    fqdn            TEXT   NOT NULL,
    signing_key     TEXT   NOT NULL,               -- the signer's name of it, not the key
    ci_pkid         BYTEA  NOT NULL,
    association_key BYTEA  NOT NULL CHECK (length(association_key) = 16),
    UNIQUE (tenant, eim_id)
);

-- One row an association: read by every poll, written twice by a round trip.
CREATE TABLE device (
    association      /*key64*/ NOT NULL PRIMARY KEY,
    tenant           BIGINT NOT NULL,
    identity         BIGINT NOT NULL,
    eid              BYTEA  NOT NULL CHECK (length(eid) = 16),
    version          BIGINT NOT NULL,
    key_class        BIGINT NOT NULL CHECK (key_class BETWEEN 0 AND 2),
    curve            BIGINT NOT NULL,
    counter          BIGINT NOT NULL CHECK (counter >= 0),
    token            BIGINT NOT NULL,
    token_candidate  BIGINT NOT NULL,
    in_flight        BIGINT NOT NULL,
    download_op      BIGINT NOT NULL,
    next_op          BIGINT NOT NULL,
    unsettled        BIGINT NOT NULL,
    wants            BIGINT NOT NULL,
    timer_us         BIGINT NOT NULL,
    auto_us          BIGINT NOT NULL,
    hold_us          BIGINT NOT NULL,
    retry_us         BIGINT NOT NULL,
    data_deliveries  BIGINT NOT NULL,
    data_sent_us     BIGINT NOT NULL,
    has_enabled      BIGINT NOT NULL CHECK (has_enabled BETWEEN 0 AND 1),
    enabled_us       BIGINT NOT NULL,
    enabled_op       BIGINT NOT NULL,
    inventory_us     BIGINT NOT NULL,
    inventory_op     BIGINT NOT NULL,
    changed_us       BIGINT NOT NULL,
    rplmn_us         BIGINT NOT NULL,
    enrolled_us      BIGINT NOT NULL,
    first_contact_us BIGINT NOT NULL,
    state_cause      BIGINT NOT NULL,
    state_cause_us   BIGINT NOT NULL,
    key              BYTEA  NOT NULL,
    data_txid        BYTEA  NOT NULL,
    enabled          BYTEA  NOT NULL,
    rplmn            BYTEA  NOT NULL
) /*updated*/;

-- Last contact stands apart from the device: it is written often, in batches, and may lose a minute.
CREATE TABLE contact (
    association /*key64*/ NOT NULL PRIMARY KEY,
    tenant      BIGINT NOT NULL,
    seen_us     BIGINT NOT NULL
) /*updated*/;

CREATE TABLE label (
    association BIGINT NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    name        TEXT   NOT NULL,
    tenant      BIGINT NOT NULL,
    value       TEXT   NOT NULL,
    PRIMARY KEY (association, name)
) /*clustered*/;

CREATE TABLE profile (
    association      BIGINT NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    iccid            BYTEA  NOT NULL,
    tenant           BIGINT NOT NULL,
    class            BIGINT NOT NULL,
    fallback         BIGINT NOT NULL CHECK (fallback BETWEEN 0 AND 1),
    fallback_allowed BIGINT NOT NULL CHECK (fallback_allowed BETWEEN 0 AND 1),
    ecall            BIGINT NOT NULL CHECK (ecall BETWEEN 0 AND 1),
    policy_rules     BIGINT NOT NULL,
    as_of_us         BIGINT NOT NULL,
    op               BIGINT NOT NULL,
    aid              BYTEA  NOT NULL,
    name             BYTEA  NOT NULL,              -- bytes, not text: a card may call its profiles what it likes
    provider         BYTEA  NOT NULL,
    nickname         BYTEA  NOT NULL,
    PRIMARY KEY (association, iccid)
) /*clustered*/;

-- What IpaEuiccDataResponse told: large and seldom read, so not in the device's row.
CREATE TABLE device_data (
    association /*key64*/ NOT NULL PRIMARY KEY REFERENCES device (association) ON DELETE CASCADE,
    tenant      BIGINT NOT NULL,
    as_of_us    BIGINT NOT NULL,
    eum_cert    BYTEA  NOT NULL,
    euicc_cert  BYTEA  NOT NULL,
    info        BYTEA  NOT NULL
);

CREATE TABLE operation (
    association   BIGINT NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    id            BIGINT NOT NULL,
    tenant        BIGINT NOT NULL,
    kind          BIGINT NOT NULL CHECK (kind BETWEEN 0 AND 1),        -- enum operation_kind
    state         BIGINT NOT NULL CHECK (state BETWEEN 0 AND 7),       -- enum operation_state
    origin        BIGINT NOT NULL CHECK (origin BETWEEN 0 AND 2),      -- enum operation_origin
    overrides     BIGINT NOT NULL,
    created_us    BIGINT NOT NULL,
    expires_us    BIGINT NOT NULL,
    counter       BIGINT NOT NULL,
    token         BIGINT NOT NULL,
    first_sent_us BIGINT NOT NULL,
    last_sent_us  BIGINT NOT NULL,
    deliveries    BIGINT NOT NULL,
    result_us     BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    code          BIGINT NOT NULL,
    settles       BIGINT NOT NULL,
    txid          BYTEA  NOT NULL,
    principal     TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    request       BYTEA  NOT NULL,
    package       BYTEA  NOT NULL,                 -- the exact bytes that left
    result        BYTEA  NOT NULL,                 -- the exact bytes that came back
    room          BYTEA  NOT NULL,                 -- zeros in place of what is still to come: see room() in store.c
    PRIMARY KEY (association, id)
) /*updated*/;
CREATE INDEX operation_by_id ON operation (tenant, id);                -- ids rise, so it is only ever appended to

CREATE TABLE notification (
    association BIGINT NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    seq         BIGINT NOT NULL,
    tenant      BIGINT NOT NULL,
    state       BIGINT NOT NULL CHECK (state BETWEEN 0 AND 1),         -- enum notification_state
    event       BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    address     BYTEA  NOT NULL,
    iccid       BYTEA  NOT NULL,
    raw         BYTEA  NOT NULL,
    PRIMARY KEY (association, seq)
) /*clustered*/;

CREATE TABLE hint (
    association BIGINT NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    id          BIGINT NOT NULL,
    tenant      BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    why         TEXT   NOT NULL,
    raw         BYTEA  NOT NULL,
    PRIMARY KEY (association, id)
) /*clustered*/;

-- Append-only: no key that would put an entry into the middle of anything.
CREATE TABLE audit_entry (
    tenant BIGINT NOT NULL,
    id     BIGINT NOT NULL,
    at_us  BIGINT NOT NULL,
    line   TEXT   NOT NULL                         -- the exact JSON line
);
CREATE INDEX audit_entry_by_id ON audit_entry (tenant, id);

CREATE TABLE token (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     BIGINT NOT NULL REFERENCES tenant (id),
    hash       BYTEA  NOT NULL UNIQUE CHECK (length(hash) = 32),
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    revoked_us BIGINT NOT NULL
);

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
