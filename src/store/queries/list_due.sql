-- ?1: [[serial, username], …], ?2: now, ?3: how many of each lane.
-- While it is not known whether a task of a lane took place, no other task of it may act: a check compares what the app
-- shows with what it showed before. Such a task has a rank far below all others, whether it is due or not.
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
      AND waiting.rank < CASE WHEN EXISTS (SELECT 1 FROM task AS open
                                           WHERE open.lane_id = lane.id AND open.rank < -500000000000000
                                             AND open.state IN ('scheduled', 'available', 'retryable'))
                              THEN -500000000000000 ELSE 9223372036854775807 END
    ORDER BY waiting.rank, waiting.id LIMIT ?3)
ORDER BY asked.key, task.rank, task.id
