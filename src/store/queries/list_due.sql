-- ?1: [[serial, username], …], ?2: now, ?3: how many of each lane.
SELECT lane.key AS lane, task.id, batch_id, script_name, serial, username, due_at, gap_ms, priority, purpose, attempts,
       auto_retries
FROM json_each(?1) AS lane CROSS JOIN task
WHERE task.id IN (
    SELECT waiting.id FROM task AS waiting
    WHERE waiting.state IN ('scheduled', 'available', 'retryable') AND waiting.serial IS NOT NULL
      AND waiting.serial = lane.value ->> 0 AND waiting.username IS lane.value ->> 1
      AND (waiting.due_at IS NULL OR waiting.due_at <= ?2)
    ORDER BY waiting.rank, waiting.id LIMIT ?3)
ORDER BY lane.key, task.rank, task.id
