-- Webhooks, and the messages to them. A message is made of an event of the outbox in the transaction that moves its
-- webhook's position on: each event becomes a message once, and the outbox may forget it.

CREATE TABLE webhook (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    url         TEXT    NOT NULL,
    -- JSON array of kinds and topics; empty: all.
    events      TEXT    NOT NULL,
    -- Needed as it is: each message is signed with it.
    secret      TEXT    NOT NULL,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    description TEXT    NOT NULL,
    -- Why farmhand itself has switched it off.
    remark      TEXT,
    -- The last event that it has been told of.
    position    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE delivery (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id  INTEGER NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    message_id  TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_status INTEGER,
    last_error  TEXT,
    created_at  INTEGER NOT NULL,
    sent_at     INTEGER,
    due_at      INTEGER,
    CHECK ((state = 'waiting') = (due_at IS NOT NULL))
) STRICT;

-- What is to be sent next, of one webhook and of all.
CREATE INDEX delivery_due ON delivery (webhook_id, due_at) WHERE state = 'waiting';
CREATE INDEX delivery_next ON delivery (due_at) WHERE state = 'waiting';
-- Lists, newest first.
CREATE INDEX delivery_by_webhook ON delivery (webhook_id, state);
-- What is forgotten.
CREATE INDEX delivery_by_age ON delivery (created_at) WHERE state <> 'waiting';

-- Where no attempt begins until somebody resumes it; an empty serial is the whole farm.
CREATE TABLE drain (
    serial TEXT    PRIMARY KEY,
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an effect brings into the world, by its hash, so that an account does not do it twice by mistake.
CREATE INDEX effect_by_hash ON effect (content ->> 'hash') WHERE content ->> 'hash' IS NOT NULL;
