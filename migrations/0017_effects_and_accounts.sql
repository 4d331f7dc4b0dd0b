-- Which acts came after one, and which shortly before it: by their attempts, for an effect that is intended once more keeps
-- its row.
CREATE INDEX effect_by_attempt ON effect (attempt_id);

-- What may have taken place, for the limits of accounts.
CREATE INDEX effect_open ON effect (task_id) WHERE state = 'intended' OR state = 'unknown';

-- 1: it may have been done, and its task is gone.
ALTER TABLE account_use ADD COLUMN doubtful INTEGER NOT NULL DEFAULT 0;

-- Goes up each time that the status is set.
ALTER TABLE account ADD COLUMN status_revision INTEGER NOT NULL DEFAULT 0;
