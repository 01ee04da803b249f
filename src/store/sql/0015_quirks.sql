-- Known deviations from the specification (eim/quirks.h): a device's own, and rules for devices of a kind.
ALTER TABLE device ADD COLUMN quirks BIGINT NOT NULL DEFAULT 0;

CREATE TABLE quirk_rule (
    id         BIGINT NOT NULL PRIMARY KEY,
    tenant     BIGINT NOT NULL REFERENCES tenant (id),
    quirks     BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    maker      TEXT   NOT NULL,
    firmware   TEXT   NOT NULL,
    ipa        TEXT   NOT NULL,
    principal  TEXT   NOT NULL,
    note       TEXT   NOT NULL
);
