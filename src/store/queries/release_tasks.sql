-- ?1: [[task, attempt], …]; only where the attempt is the task's live one.
UPDATE task
SET state = CASE WHEN task.purpose = 'verify' OR retry_count > 0 OR attempts > 1 THEN 'retryable' ELSE 'available' END,
    attempts = attempts - 1, started_at = NULL, progress = NULL, remark = ?2
FROM (SELECT value ->> 0 AS task_id, value ->> 1 AS attempt_id FROM json_each(?1)) AS claim
     JOIN attempt ON attempt.id = claim.attempt_id
WHERE task.id = claim.task_id AND attempt.task_id = task.id AND attempt.finished_at IS NULL
  AND task.state = 'running'
RETURNING id, script_name, source, purpose, stop_requested_at
