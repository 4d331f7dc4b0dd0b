-- ?1: [[serial, username], …], ?2: now, ?3: how many of each lane.
SELECT asked.key AS lane, task.id, batch_id, script_name, task.serial, task.username, due_at, gap_ms, priority, purpose,
       attempts, auto_retries
FROM json_each(?1) AS asked
     CROSS JOIN lane ON lane.serial = asked.value ->> 0
         AND coalesce(lane.username, '') = coalesce(asked.value ->> 1, '')
     CROSS JOIN task
WHERE task.id IN (
    SELECT waiting.id FROM task AS waiting
    WHERE waiting.state IN ('scheduled', 'available', 'retryable') AND waiting.lane_id = lane.id
      AND (waiting.due_at IS NULL OR waiting.due_at <= ?2)
    ORDER BY waiting.rank, waiting.id LIMIT ?3)
ORDER BY asked.key, task.rank, task.id
