-- When a schedule was created, enabled or given other times last: runs that were planned for before are not made up for,
-- however the clock is set. Of a schedule that was there before this, only its creation is known.
ALTER TABLE schedule ADD COLUMN planned_since INTEGER NOT NULL DEFAULT 0;
UPDATE schedule SET planned_since = created_at;
