-- ?1: [task, …]
SELECT id, batch_id, script_name, serial, username, due_at, gap_ms, priority, purpose, attempts, auto_retries
FROM task
WHERE id IN (SELECT value FROM json_each(?1)) AND serial IS NOT NULL AND state IN ('scheduled', 'available', 'retryable')
ORDER BY id
