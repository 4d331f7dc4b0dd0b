-- ?1: {attempt: finished_at, …}, ?2: their outcome; only of what find_endable.sql has found.
UPDATE attempt
SET finished_at = ending.value, outcome = ?2
FROM json_each(?1) AS ending
WHERE attempt.id = CAST(ending.key AS INTEGER)
