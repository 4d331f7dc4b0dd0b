-- ?: {outcome: {attempt: finished_at, …}, …}; only of what find_endable.sql has found.
-- A clock that was set back ends nothing before its start.
UPDATE attempt
SET finished_at = max(ending.at, attempt.started_at), outcome = ending.outcome
FROM (SELECT run.key AS outcome, CAST(one.key AS INTEGER) AS id, one.value AS at
      FROM json_each(?) AS run CROSS JOIN json_each(run.value) AS one LIMIT -1) AS ending
WHERE attempt.id = ending.id
