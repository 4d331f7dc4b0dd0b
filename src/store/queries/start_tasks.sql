-- ?1: [[task, at, serial, username], …]. Only what is pending, and only for a device and an account that are free.
UPDATE task
SET state = 'running', attempts = attempts + 1, started_at = claim.at, progress = NULL, remark = ''
FROM (SELECT value ->> 0 AS id, value ->> 1 AS at, value ->> 2 AS serial, value ->> 3 AS username
      FROM (SELECT value FROM json_each(?1) LIMIT -1) WHERE value IS NOT NULL) AS claim
WHERE task.id = claim.id AND task.state IN ('scheduled', 'available', 'retryable')
  AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.serial = claim.serial AND attempt.finished_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM attempt
                  WHERE attempt.username = claim.username AND attempt.username IS NOT NULL
                    AND attempt.finished_at IS NULL)
RETURNING id, attempts, purpose, script_name, source, config
