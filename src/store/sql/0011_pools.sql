-- Pools of activation codes (model/pool.h names the states of a code in this order). A code stands here sealed; its keyed hash finds it again.
CREATE TABLE code_pool (
    id            BIGINT NOT NULL PRIMARY KEY,
    tenant        BIGINT NOT NULL REFERENCES tenant (id),
    changed_us    BIGINT NOT NULL,
    warn_below    BIGINT NOT NULL CHECK (warn_below >= 0),
    low           BIGINT NOT NULL CHECK (low BETWEEN 0 AND 1),
    name          TEXT   NOT NULL,
    operator_name TEXT   NOT NULL,
    profile_type  TEXT   NOT NULL,
    address       TEXT   NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE activation_code (
    id          BIGINT NOT NULL PRIMARY KEY,
    tenant      BIGINT NOT NULL REFERENCES tenant (id),
    pool        BIGINT NOT NULL REFERENCES code_pool (id),
    state       BIGINT NOT NULL CHECK (state BETWEEN 0 AND 5),
    changed_us  BIGINT NOT NULL,
    association BIGINT NOT NULL,
    operation   BIGINT NOT NULL,
    digest      BYTEA  NOT NULL CHECK (length(digest) = 32),
    sealed      BYTEA  NOT NULL,
    UNIQUE (tenant, digest)
);
CREATE INDEX activation_code_by_state ON activation_code (pool, state, id);
CREATE INDEX activation_code_by_device ON activation_code (association, operation) WHERE association <> 0;
