-- ?1: {attempt: finished_at, …}, ?2: their outcome; only of what find_endable.sql has found.
-- A clock that was set back ends nothing before its start.
UPDATE attempt
SET finished_at = max(ending.value, attempt.started_at), outcome = ?2
FROM json_each(?1) AS ending
WHERE attempt.id = CAST(ending.key AS INTEGER)
