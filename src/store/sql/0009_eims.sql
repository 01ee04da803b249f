-- Which eIMs control a card, as its eUICC attests (listEim, and the signed results of addEim and deleteEim). The association token stands only
-- where our own addEim drew it; `control_us`, and the result that proves it, where another eIM's signed result was shown to us.

ALTER TABLE device ADD COLUMN eims_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN eims_op BIGINT NOT NULL DEFAULT 0;

CREATE TABLE card_eim (
    association BIGINT NOT NULL REFERENCES device (association) ON DELETE CASCADE,
    eim_id      BYTEA  NOT NULL,                   -- bytes, not text: cards may hold what they like
    tenant      BIGINT NOT NULL,
    id_type     BIGINT NOT NULL,
    token       BIGINT NOT NULL,
    as_of_us    BIGINT NOT NULL,
    op          BIGINT NOT NULL,
    control_us  BIGINT NOT NULL,
    control     BYTEA  NOT NULL,
    PRIMARY KEY (association, eim_id)
) /*clustered*/;
