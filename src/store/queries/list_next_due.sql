-- ?1: [[serial, username], …], ?2: now.
SELECT (SELECT min(due_at) FROM task
        WHERE state IN ('scheduled', 'available', 'retryable') AND due_at IS NOT NULL AND lane_id = lane.id
          AND due_at > ?2) AS next_due
FROM json_each(?1) AS asked
     LEFT JOIN lane ON lane.serial = asked.value ->> 0
         AND coalesce(lane.username, '') = coalesce(asked.value ->> 1, '')
ORDER BY asked.key
