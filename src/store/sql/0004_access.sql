-- Roles that a tenant made itself (the built-in ones stand in trust/access.h), and when a token was used last.

CREATE TABLE role (
    tenant      BIGINT NOT NULL REFERENCES tenant (id),
    name        TEXT   NOT NULL,
    permissions TEXT   NOT NULL,                   -- names, a space between; words, so that the table in the program may change its order
    changed_us  BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

ALTER TABLE token ADD COLUMN used_us BIGINT NOT NULL DEFAULT 0;
CREATE INDEX token_by_tenant ON token (tenant, id);
