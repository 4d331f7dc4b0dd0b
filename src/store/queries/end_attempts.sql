-- ?1: [[attempt, task, epoch, token, outcome, at], …]
UPDATE attempt
SET finished_at = ending.at, outcome = ending.outcome
FROM (SELECT value ->> 0 AS id, value ->> 1 AS task_id, value ->> 2 AS epoch, value ->> 3 AS token,
             value ->> 4 AS outcome, value ->> 5 AS at
      FROM (SELECT value FROM json_each(?1) LIMIT -1) WHERE value IS NOT NULL) AS ending
WHERE attempt.id = ending.id AND attempt.task_id = ending.task_id AND attempt.epoch = ending.epoch
  AND attempt.token = ending.token AND attempt.finished_at IS NULL
RETURNING id, attempt.token
