-- ?1: [[task, serial, username], …]. One row: [[task, attempts, purpose, script, source, config], …] of those that are
-- pending and whose device and account are free.
SELECT json_group_array(json_array(task.id, attempts, purpose, script_name, source, config)) AS startable
FROM json_each(?1) AS claim CROSS JOIN task ON task.id = claim.value ->> 0
WHERE task.state IN ('scheduled', 'available', 'retryable')
  AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.serial = claim.value ->> 1 AND attempt.finished_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM attempt
                  WHERE attempt.username = claim.value ->> 2 AND attempt.username IS NOT NULL
                    AND attempt.finished_at IS NULL)
