-- Orders of profiles (model/profile_order.h names states and steps in this order). They outlive their device: what an SM-DP+ was asked for stays known.
CREATE TABLE profile_order (
    association /*key64*/ NOT NULL,
    id          BIGINT NOT NULL,
    tenant      BIGINT NOT NULL REFERENCES tenant (id),
    version     BIGINT NOT NULL,
    state       BIGINT NOT NULL CHECK (state BETWEEN 0 AND 5),
    step        BIGINT NOT NULL CHECK (step BETWEEN 0 AND 2),
    calling     BIGINT NOT NULL CHECK (calling BETWEEN 0 AND 1),
    account     BIGINT NOT NULL,
    operation   BIGINT NOT NULL,
    created_us  BIGINT NOT NULL,
    changed_us  BIGINT NOT NULL,
    due_us      BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    eid         BYTEA  NOT NULL CHECK (length(eid) = 16),
    operator_name TEXT NOT NULL,
    profile_type  TEXT NOT NULL,
    principal   TEXT   NOT NULL,
    call        TEXT   NOT NULL,
    iccid       TEXT   NOT NULL,
    cause       TEXT   NOT NULL,
    PRIMARY KEY (association, id)
);
CREATE UNIQUE INDEX profile_order_by_id ON profile_order (tenant, id);
CREATE INDEX profile_order_due ON profile_order (due_us) WHERE state <= 1;
