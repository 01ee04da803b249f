-- SM-DP+ accounts of a tenant (model/smdp.h).
CREATE TABLE smdp (
    id                 BIGINT NOT NULL PRIMARY KEY,
    tenant             BIGINT NOT NULL REFERENCES tenant (id),
    changed_us         BIGINT NOT NULL,
    connect_ms         BIGINT NOT NULL,
    total_ms           BIGINT NOT NULL,
    max_parallel       BIGINT NOT NULL CHECK (max_parallel > 0),
    enabled            BIGINT NOT NULL,
    name               TEXT   NOT NULL,
    operator_name      TEXT   NOT NULL,
    address            TEXT   NOT NULL,
    oid                TEXT   NOT NULL,
    trust_pem          BYTEA  NOT NULL,
    order_url          TEXT   NOT NULL,
    order_credential   TEXT   NOT NULL,
    function_requester TEXT   NOT NULL,
    x_admin            TEXT   NOT NULL,
    UNIQUE (tenant, name),
    UNIQUE (tenant, address)
);
