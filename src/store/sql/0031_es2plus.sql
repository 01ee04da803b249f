-- ES2+ as a whole: releaseProfile as a call of its own, and what an SM-DP+ says of a download (SGP.22 5.3.4, 5.3.5).
ALTER TABLE smdp ADD COLUMN order_release BIGINT NOT NULL DEFAULT 0;
ALTER TABLE smdp ADD COLUMN order_peer    TEXT   NOT NULL DEFAULT '';

-- Made anew for its step, which has one value more: SQLite changes no CHECK.
CREATE TABLE profile_order_next (
    association /*key64*/ NOT NULL,
    id          BIGINT NOT NULL,
    tenant      BIGINT NOT NULL REFERENCES tenant (id),
    version     BIGINT NOT NULL,
    state       BIGINT NOT NULL CHECK (state BETWEEN 0 AND 5),
    step        BIGINT NOT NULL CHECK (step BETWEEN 0 AND 3),
    calling     BIGINT NOT NULL CHECK (calling BETWEEN 0 AND 1),
    account     BIGINT NOT NULL,
    operation   BIGINT NOT NULL,
    created_us  BIGINT NOT NULL,
    changed_us  BIGINT NOT NULL,
    due_us      BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    notified_us BIGINT NOT NULL DEFAULT 0,
    notified_n  BIGINT NOT NULL DEFAULT 0,
    notified_point BIGINT NOT NULL DEFAULT 0,
    elsewhere   BIGINT NOT NULL DEFAULT 0 CHECK (elsewhere BETWEEN 0 AND 1),
    eid         BYTEA  NOT NULL CHECK (length(eid) = 16),
    secret      BYTEA,
    digest      BYTEA,
    operator_name TEXT NOT NULL,
    profile_type  TEXT NOT NULL,
    principal   TEXT   NOT NULL,
    call        TEXT   NOT NULL,
    iccid       TEXT   NOT NULL,
    cause       TEXT   NOT NULL,
    notified    TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (association, id)
);
INSERT INTO profile_order_next (association, id, tenant, version, state, step, calling, account, operation, created_us, changed_us, due_us, tries, eid,
                                operator_name, profile_type, principal, call, iccid, cause)
    SELECT association, id, tenant, version, state, step, calling, account, operation, created_us, changed_us, due_us, tries, eid,
           operator_name, profile_type, principal, call, iccid, cause FROM profile_order;
DROP TABLE profile_order;
ALTER TABLE profile_order_next RENAME TO profile_order;
CREATE UNIQUE INDEX profile_order_by_id ON profile_order (tenant, id);
CREATE INDEX profile_order_due ON profile_order (due_us) WHERE state <= 1;
CREATE INDEX profile_order_by_iccid ON profile_order (tenant, iccid);
