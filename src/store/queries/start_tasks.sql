-- ?1: [[task, at], …]
UPDATE task
SET state = 'running', attempts = attempts + 1, started_at = claim.at, progress = NULL, remark = ''
FROM (SELECT value ->> 0 AS id, value ->> 1 AS at FROM (SELECT value FROM json_each(?1) LIMIT -1) WHERE value IS NOT NULL) AS claim
WHERE task.id = claim.id AND task.state IN ('scheduled', 'available', 'retryable')
RETURNING id, attempts, purpose, script_name, source, config
