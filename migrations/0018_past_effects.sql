-- What tasks that are gone have done, or may have: it counts as that of the others does, for a while.
CREATE TABLE past_effect (
    id          INTEGER PRIMARY KEY,
    task_id     INTEGER NOT NULL,
    attempt_id  INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    script_name TEXT    NOT NULL,
    serial      TEXT    NOT NULL,
    username    TEXT,
    hash        TEXT,
    -- Of an effect without files: to whom it was done is among them.
    params      TEXT,
    state       TEXT    NOT NULL CHECK (state IN ('intended', 'unknown', 'confirmed', 'resolved_done')),
    intended_at INTEGER NOT NULL,
    settled_at  INTEGER,
    steady_at   INTEGER,
    -- When its task went.
    gone_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX past_effect_by_attempt ON past_effect (attempt_id);
CREATE INDEX past_effect_by_hash ON past_effect (hash) WHERE hash IS NOT NULL;
CREATE INDEX past_effect_by_age ON past_effect (gone_at);

-- When it was intended by the clock of the process, milliseconds, which nobody sets; tells only within an epoch.
ALTER TABLE effect ADD COLUMN steady_at INTEGER;
