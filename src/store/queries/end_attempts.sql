-- ?: {attempt: [finished_at, outcome], …}; only of what find_endable.sql has found.
-- A clock that was set back ends nothing before its start.
UPDATE attempt
SET finished_at = max(ending.value ->> 0, attempt.started_at), outcome = ending.value ->> 1
FROM json_each(?) AS ending
WHERE attempt.id = CAST(ending.key AS INTEGER)
